"""The driver: ``python -m benchmarks`` measures, ``--help`` says what can be set."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.experiments import GROUPS, SMALL, Experiment, against
from benchmarks.gate import REPOSITORY, Worker, alternate
from benchmarks.shapes import build

ENVIRONMENTS = {
    "ours": sys.executable,
    "trl-ppo": str(REPOSITORY / ".venv-trl-ppo/bin/python"),
    "trl": str(REPOSITORY / ".venv-trl/bin/python"),
}
"""Which Python runs whom; ``make bench`` makes the environments."""
ALIKE = {
    "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**31),
}  # fmt: skip
"""The same for everyone: glibc keeps memory that is freed, threads that wait let others work."""


def main() -> None:
    """Run the groups of experiments that were asked for; write each result as it comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--groups", nargs="*", default=["main", "large", "growth"], choices=GROUPS)
    parser.add_argument("--only", default="", help="experiments whose name holds this")
    parser.add_argument("--rounds", type=int, default=7, help="units of work of every contestant")
    parser.add_argument("--threads", type=int, nargs="+", help="instead of each experiment's own")
    parser.add_argument("--against", type=Path, help="a checkout: ours against the code there")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results")
    for name, python in ENVIRONMENTS.items():
        parser.add_argument(f"--python-{name}", default=python, help="the Python of " + name)
    options = parser.parse_args()
    pythons = {n: getattr(options, f"python_{n.replace('-', '_')}") for n in ENVIRONMENTS}
    options.results.mkdir(parents=True, exist_ok=True)
    if options.against is None:
        compare_numbers(pythons, options.results / "identical.json")
    for group in options.groups:
        path = options.results / f"{group}.json"
        results = []
        for experiment in GROUPS[group]:
            if options.only not in experiment.name:
                continue
            if options.against is not None:
                experiment = against(experiment, options.against.resolve())
            for threads in options.threads or experiment.threads:
                rounds = max(round(options.rounds * experiment.rounds), 2)
                results.append(measure(experiment, threads, rounds, pythons))
                print(line(results[-1]), flush=True)
                written = {"machine": machine(), "results": results}
                path.write_text(json.dumps(written, indent=1) + "\n")
    if options.against is None:
        report.write(options.results)


def compare_numbers(pythons: dict[str, str], path: Path) -> None:
    """Let each environment compare TRL's losses with ours; keep what they say."""
    shape = replace(SMALL, batch=16)
    results = {}
    for name, environment, ragged in (
        ("ppo", "trl-ppo", False), ("sft", "trl", True), ("reward", "trl", True)
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            build(replace(shape, ragged=ragged), Path(folder))
            done = subprocess.run(
                [pythons[environment], "-m", "benchmarks.identical", name, folder],
                cwd=REPOSITORY, env={**os.environ, **ALIKE}, capture_output=True, text=True,
            )  # fmt: skip
        answers = [row[7:] for row in done.stdout.splitlines() if row.startswith("RESULT ")]
        if not answers:
            raise RuntimeError(f"comparing {name} failed:\n{done.stderr[-2000:]}")
        results[name] = json.loads(answers[0])
        verdict = "identical" if done.returncode == 0 else "NOT IDENTICAL"
        print(f"{name}: {verdict}, within {results[name]['largest_difference']:.1e}", flush=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def measure(
    experiment: Experiment, threads: int, rounds: int, pythons: dict[str, str]
) -> dict[str, Any]:
    """One alternated run: seconds, processor seconds and memory of each; ratios, pair by pair."""
    environment = ALIKE | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        build(experiment.shape, Path(folder))
        workers = []
        for number, contestant in enumerate(experiment.contestants):
            arguments = {"folder": folder, "threads": threads, **contestant.arguments}
            log = Path(folder) / f"{number}.log"
            python = pythons[contestant.environment]
            place = contestant.checkout
            worker = Worker(contestant.function, python, arguments, environment, log, place)
            stack.callback(worker.close)
            workers.append(worker)
        for worker in workers:
            worker.ready()
        alternate(workers, rounds)
    ours, contestants = workers[0], {}
    for contestant, worker in zip(experiment.contestants, workers, strict=True):
        facts = {
            name: statistics.median(unit[name] for unit in worker.units) for name in worker.units[0]
        }
        if not contestant.function.startswith("arithmetic"):
            for clock in ("seconds", "cpu"):
                pairs = zip(worker.units, ours.units, strict=True)
                ratios = [
                    cost(one, clock, experiment) / cost(other, clock, experiment)
                    for one, other in pairs
                ]
                facts[f"{clock}_ratio"] = spread(ratios)
        contestants[contestant.label] = facts
    return {
        "experiment": experiment.name, "threads": threads, "rounds": rounds, "load": round(load, 2),
        "show": experiment.show, "contestants": contestants,
    }  # fmt: skip


def cost(unit: dict[str, float], clock: str, experiment: Experiment) -> float:
    """Seconds of a unit, or of a token of it."""
    return unit[clock] / (unit["tokens"] if experiment.per_token else 1.0)


def spread(values: list[float]) -> list[float]:
    """Least, median and largest."""
    return [round(f(values), 3) for f in (min, statistics.median, max)]


def line(result: dict[str, Any]) -> str:
    """A result in a few lines."""
    rows = [f"{result['experiment']}; threads {result['threads']}, load {result['load']}"]
    for label, facts in result["contestants"].items():
        row = f"  {label:<24}{facts['seconds']:>9.3f} s{facts['peak_mb']:>8.0f} MB"
        if "seconds_ratio" in facts:
            row += "   {1:.2f} ({0:.2f} to {2:.2f})".format(*facts["seconds_ratio"])
            row += "   cpu {1:.2f}".format(*facts["cpu_ratio"])
        if "gflops" in facts:
            row += f"   {facts['gflops']:.0f} GFLOP/s"
        rows.append(row)
    return "\n".join(rows)


def machine() -> dict[str, str]:
    """What the figures were taken on, and when."""
    import torch
    import transformers

    processor = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        names = [row for row in about.read_text().splitlines() if row.startswith("model name")]
        processor = names[0].split(": ")[1] if names else processor
    if torch.cuda.is_available():
        processor += f", {torch.cuda.get_device_name()}"
    return {
        "processor": processor, "cores": str(os.cpu_count()), "python": platform.python_version(),
        "torch": torch.__version__, "transformers": transformers.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


if __name__ == "__main__":
    main()
