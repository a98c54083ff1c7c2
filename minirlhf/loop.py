"""What all stages share: the run folder, the learner, the schedule, checkpoints and resume.

A stage reads::

    run = Run(folder, "sft", config, callback=callback)
    learner = run.track("policy", Learner(run, policy, ...))
    for step in run.steps(total):
        ...                                  # forward
        learner.backward(loss)
        learner.step(learning_rate(...))
        run.log(step + 1, {"loss": ...})
    run.finish(...)

Every batch is drawn globally and is the same for any number of processes; each process works off
its `Run.share` of the rows, losses are divided by the whole batch's size, and `Learner.step` adds
the gradients up. So two processes give one process's numbers.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pickle
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

import minirlhf
from minirlhf.callbacks import Callback, Event, JsonlLog, TensorBoardLog, default_callback
from minirlhf.data.batching import by_length, cut
from minirlhf.errors import MinirlhfError

FREE_FIELDS = {"micro_batch", "log_every", "checkpoint_seconds", "rollout_rows"}
"""Config fields that may differ when a run goes on: they never change the numbers."""


class Stateful(Protocol):
    """What `Run.track` can put into a checkpoint."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Run:
    """One stage in one folder: devices, logging, checkpoints, resume.

    The folder holds ``config.json``, ``metrics.jsonl``, ``checkpoint/``, ``tensorboard/`` and, at
    the end, ``model/`` and ``done.json``. Opening it again goes on from the checkpoint; `result`
    isn't None if it had finished. Raises `MinirlhfError` if the folder was made with another config
    or other data.
    """

    def __init__(
        self,
        folder: str | Path,
        stage: str,
        config: Any,
        *,
        data: dict[str, str] | None = None,
        callback: Callback | Sequence[Callback] | None = None,
    ):
        self.folder, self.stage, self.config = Path(folder), stage, config
        self.accelerator = make_accelerator(config.precision)
        self.device = self.accelerator.device
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.step, self.total, self.elapsed = 0, 0, 0.0
        self.memory: dict[str, Any] = {}
        """Small plain values a stage wants in its checkpoint, e.g. the losses per epoch."""
        self._tracked: dict[str, Stateful] = {}
        self._control: dict[str, Any] = {}
        self._logs: list[Any] | None = None
        callback = default_callback() if callback is None else callback
        self._callbacks = [callback] if callable(callback) else list(callback or ())
        self._open_folder(data or {})
        self._started = time.monotonic() - self.elapsed

    # ---------------------------------------------------------------------- processes and precision

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def exact(self) -> bool:
        """Whether forward passes run in float32."""
        return self.accelerator.mixed_precision == "no"

    def autocast(self) -> AbstractContextManager:
        """Forward passes run in here: bf16, fp16 or, on a CPU, float32."""
        return self.accelerator.autocast()

    def share(self, rows: Sequence) -> Sequence:
        """This process's part of a batch's rows."""
        return rows[self.rank :: self.world]

    def pieces(
        self, rows: Sequence[int], lengths: Sequence[int] | Tensor, size: int | None = None
    ) -> list[list[int]]:
        """This process's part of the rows, in pieces for one forward pass each; see `cut`."""
        return cut(self.share(by_length(rows, lengths)), lengths, size, self.device)

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum of a tensor over processes, left on its device."""
        if self.world == 1:
            return tensor
        return self.accelerator.reduce(tensor.to(self.device), "sum").to(tensor.device)

    # ------------------------------------------------------------------------------------- the loop

    def track(self, name: str, thing: Any) -> Any:
        """Put ``thing`` into every checkpoint; load its state if there is one; return it."""
        self._tracked[name] = thing
        if self._state is not None:
            thing.load_state_dict(self._state["tracked"][name])
        return thing

    def steps(self, total: int, *, epoch: int | None = None) -> Iterator[int]:
        """Yield the steps still to do.

        Checkpoints are written between them, by wall time and every ``epoch`` steps; when and
        whether they are never changes the numbers.
        """
        self.total, self._state = total, None  # tracked states are loaded: free the memory
        self._open_logs()
        saved = time.monotonic()
        for step in range(self.step, total):
            self._obey_control()
            yield step
            self.step = step + 1
            due = time.monotonic() - saved >= self.config.checkpoint_seconds
            if self._agree(due) or self.step == total or (epoch and self.step % epoch == 0):
                self.checkpoint()
                saved = time.monotonic()
            if self.setting("stop", False):
                self.checkpoint()
                self.close()
                raise MinirlhfError(
                    f"{self.stage} was stopped at step {self.step} of {total}: "
                    f"remove {self.folder / 'control.json'} and run the same command to go on."
                )

    def log(self, step: int, metrics: dict[str, float], samples: Sequence[dict] = ()) -> None:
        """Report a step to log files and callbacks; raises if a number is NaN or infinite."""
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            raise MinirlhfError(
                f"{self.stage}, step {step}: {bad[0]} is {metrics[bad[0]]}. Too high a learning "
                f"rate is the usual cause; the checkpoint in {self.folder} is from before."
            )
        if self.is_main:
            event = Event(self.stage, step, self.total, metrics, tuple(samples))
            for callback in (*self._logs, *self._callbacks):
                callback(event)

    def is_logged(self, step: int) -> bool:
        """Whether to log step ``step`` (from 1): every ``log_every``-th and the last."""
        return step % self.config.log_every == 0 or step == self.total

    def setting(self, name: str, default: Any) -> Any:
        """``default``, unless ``control.json`` says otherwise: how a live run is steered (β, γ)."""
        return self._control.get(name, default)

    # ---------------------------------------------------------------------- what lies in the folder

    @property
    def result(self) -> dict[str, Any] | None:
        """What `finish` stored, or None while the run isn't finished."""
        done = self.folder / "done.json"
        return json.loads(done.read_text()) if done.exists() else None

    def checkpoint(self) -> None:
        """Write ``checkpoint/state.pt`` beside and rename it, so that it is always whole."""
        self.elapsed = time.monotonic() - self._started
        if not self.is_main:
            return
        state = {
            "step": self.step,
            "elapsed": self.elapsed,
            "memory": self.memory,
            "tracked": {name: thing.state_dict() for name, thing in self._tracked.items()},
        }
        path = self.folder / "checkpoint" / "state.pt"
        path.parent.mkdir(exist_ok=True)
        beside = path.with_suffix(".tmp")
        with beside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)

    def save_folder(self, name: str, write: Callable[[Path], None]) -> None:
        """Let ``write`` fill a folder beside ``name`` and rename it: it is whole or absent."""
        if not self.is_main:
            return
        target, beside = self.folder / name, self.folder / f"{name}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        write(beside)
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)

    def finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Mark the run as finished: from now on the same command returns ``result`` at once."""
        if self.is_main:
            write_json(self.folder / "done.json", result)
        self.close()
        self.accelerator.wait_for_everyone()
        return result

    def close(self) -> None:
        """Close the log files."""
        for log in self._logs or ():
            log.close()
        self._logs = None

    # -------------------------------------------------------------------------------------- details

    def _open_folder(self, data: dict[str, str]) -> None:
        fields = json.loads(json.dumps(dataclasses.asdict(self.config)))
        path = self.folder / "config.json"
        if path.exists():
            before = _read_config(path)
            found = {"stage": before["stage"], **before["config"], **before["data"]}
            wanted = {"stage": self.stage, **fields, **data}
            for name in ["stage", *sorted(found.keys() | wanted.keys())]:
                if found.get(name) != wanted.get(name) and name not in FREE_FIELDS:
                    raise MinirlhfError(
                        f"{self.folder} was made with {name} = {found.get(name)!r}, now it is "
                        f"{wanted.get(name)!r}: give the run another folder, or remove this one."
                    )
        elif self.is_main:
            self.folder.mkdir(parents=True, exist_ok=True)
            versions = {
                "minirlhf": minirlhf.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            }
            write_json(
                path, {"stage": self.stage, "config": fields, "data": data, "versions": versions}
            )
        self.accelerator.wait_for_everyone()
        self._state = None
        state = self.folder / "checkpoint" / "state.pt"
        if state.exists() and self.result is None:
            self._state = _read_state(state)
            self.step, self.elapsed = self._state["step"], self._state["elapsed"]
            self.memory = self._state["memory"]

    def _open_logs(self) -> None:
        self._logs = []
        if self.is_main:
            self._logs = [
                JsonlLog(self.folder, self.step, self.elapsed),
                TensorBoardLog(self.folder / "tensorboard", self.step),
            ]

    def _agree(self, due: bool) -> bool:
        if self.world == 1:
            return due
        return bool(self.sum(torch.tensor(float(due and self.is_main), device=self.device)))

    def _obey_control(self) -> None:
        """Read ``control.json`` (pause, stop, beta, ptx_gamma); wait while it says pause."""
        path, before, waits = self.folder / "control.json", _steering(self._control), False
        while True:
            try:
                self._control = json.loads(path.read_text())
            except FileNotFoundError:
                self._control = {}
            except json.JSONDecodeError:  # someone is writing it: look again
                time.sleep(0.05)
                continue
            if not self._control.get("pause") or self._control.get("stop"):
                break
            if not waits:
                waits = True
                self.checkpoint()
            time.sleep(0.2)
        if _steering(self._control) != before:
            self.checkpoint()  # a run that goes on later does the steps so far as they were
        if self.world > 1:
            from accelerate.utils import broadcast_object_list

            self._control = broadcast_object_list([self._control])[0]


def _steering(control: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in control.items() if name not in ("pause", "stop")}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise MinirlhfError(
            f"{path} can't be read, it is damaged: remove the run's folder and start again."
        ) from None


def _read_state(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise MinirlhfError(
            f"{path} can't be read, it is damaged ({str(error).strip().splitlines()[0]}): "
            "remove the run's folder and start again."
        ) from error


def make_accelerator(precision: str):
    """An `Accelerator`; "auto" is bf16 where the GPU has it, else fp16, float32 on a CPU."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    cpu = not torch.accelerator.is_available()  # said aloud, or several processes aren't seen there
    if precision == "auto":
        device = PartialState(cpu=cpu).device
        precision = "fp32"
        if device.type == "cuda":
            precision = "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    precision = "no" if precision == "fp32" else precision
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # an earlier stage ran in another precision
    return Accelerator(mixed_precision=precision, cpu=cpu)


def write_json(path: Path, content: Any) -> None:
    """Write JSON beside ``path`` and rename it."""
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)
