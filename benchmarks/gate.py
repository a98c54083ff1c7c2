"""How a worker and the driver take turns: one line of JSON each way for every unit of work.

The driver never has two units going at once, so a busy machine slows all contestants alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


class Gate:
    """The worker's side. Calling it ends a unit of work and waits for the word to do the next.

    What trainers print goes to stderr; stdout's place is taken by the answers.
    """

    def __init__(self, device: str = "cpu"):
        self.device, self.started = device, None
        self.answers = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def __call__(self, **facts: float) -> None:
        self._wait_for_device()
        if self.started is not None:
            wall, cpu = (now - then for now, then in zip(self._clocks(), self.started, strict=True))
            facts = {"seconds": wall, "cpu": cpu, "peak_mb": self._peak(), **facts}
        self.answers.write(json.dumps(facts) + "\n")
        if sys.stdin.readline().strip() != "go":
            self.answers.close()
            os._exit(0)  # a trainer in the middle of its loop has nothing to tidy up
        self.started = self._clocks()

    def _clocks(self) -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def _wait_for_device(self) -> None:
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()

    def _peak(self) -> float:
        """Most memory so far, in MB: of the device, on a CPU of the process."""
        if self.device == "cuda":
            import torch

            return torch.cuda.max_memory_allocated() / 2**20
        if sys.platform == "linux":
            # getrusage would count what the driver held when it started this process
            status = Path("/proc/self/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) / 2**10
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts in bytes


class Worker:
    """The driver's side: one contestant in a process, and mostly in an environment, of its own.

    It runs the code of ``checkout``, which may be that of another day.
    """

    def __init__(
        self,
        name: str,
        python: str,
        arguments: Mapping[str, Any],
        environment: Mapping[str, str],
        log: Path,
        checkout: Path = REPOSITORY,
    ):
        self.name, self.log = name, log
        self.units: list[dict[str, float]] = []
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", name, json.dumps(arguments)],
            cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout), **environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"),
        )  # fmt: skip

    def ready(self) -> dict[str, float]:
        """Wait until it has loaded everything."""
        return self._answer()

    def work(self, *, count: bool = True) -> None:
        """Let it do one unit."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        unit = self._answer()
        if count:
            self.units.append(unit)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(60)

    def _answer(self) -> dict[str, float]:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{self.name} ended in the middle:\n{end}")
        return json.loads(line)


def alternate(workers: Sequence[Worker], rounds: int, warm_up: int = 1) -> None:
    """Let every worker do ``rounds`` units, in turn; the order turns round from round to round."""
    for number in range(-warm_up, rounds):
        order = list(workers) if number % 2 else list(reversed(workers))
        for worker in order:
            worker.work(count=number >= 0)
