"""Where a run lives: its loop, log, checkpoints and remote control, in one folder.

A stage reads::

    with Run(folder, "sft", config, data={...}, callback=callback) as run:
        optimizer = run.track("policy", Optimizer(run.compute, policy, ...))
        for step in run.steps(total):
            ...                                  # forward, on run.compute
            optimizer.backward(loss)
            optimizer.step(learning_rate(...))
            run.log(step + 1, {"loss": ...})
        run.save(optimizer, write)
        run.finish(...)
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from minirlhf.errors import MinirlhfError
from minirlhf.training.compute import Compute
from minirlhf.training.log import Callback, Event, JsonlLog, TensorBoardLog
from minirlhf.training.progress import default_callback
from minirlhf.training.run_folder import RunFolder
from minirlhf.training.watch import Watch, note_start

CHECKPOINTS = 1 / 20
"""The part of a run's time that its checkpoints may take."""


class Tracked(Protocol):
    """What `Run.track` can put into a checkpoint: an `Optimizer`, for one."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...
    def is_finite(self) -> bool: ...


class Run:
    """One stage in one folder (see `run_folder`); use it in a ``with``, which closes it.

    Opening a folder again goes on from its checkpoint; `result` isn't None if the run had finished.
    Raises `MinirlhfError` if the folder holds a run with another config, other data or another
    starting model (all in ``data``, name to fingerprint), or if another process is working in it.
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
        self.files, self.stage, self.config = RunFolder(folder), stage, config
        self.compute = Compute(
            config.precision,
            gradient_checkpointing=config.gradient_checkpointing,
            fsdp=config.fsdp,
        )
        self.step, self.total, self.elapsed, self._took = 0, 0, 0.0, 0.0
        self.memory: dict[str, Any] = {}
        """Small plain values a stage wants in its checkpoint, e.g. the losses per epoch."""
        self._tracked: dict[str, Tracked] = {}
        self._control: dict[str, Any] = {}
        self._logs: list[Any] = []
        self._own_callback = default_callback() if callback is None else None
        callback = self._own_callback or callback
        self._callbacks = [callback] if callable(callback) else list(callback or ())
        try:
            self._open(data or {})
        except BaseException as error:
            self.__exit__(type(error), error)
            raise
        self._started = time.monotonic() - self.elapsed

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        """Close the run. It fails with a sentence if its folder, or another process, is gone."""
        working = bool(self._logs)
        try:
            self.close(failed=kind is not None)
            if isinstance(error, OSError):
                raise error
        except OSError:
            if working:
                self.files.check_there()
            raise
        # gloo's errors have no type of their own
        lost = any(word in str(error).lower() for word in ("gloo", "connection", "broken pipe"))
        lost = lost or isinstance(error, torch.distributed.DistError)
        if self.compute.world > 1 and isinstance(error, RuntimeError) and lost:
            raise MinirlhfError(
                f"{self.stage}: another process of this run has ended, and what it printed, if "
                f"anything, says why. The same command on {self.folder} goes on from its last "
                "checkpoint."
            ) from error

    @property
    def folder(self) -> Path:
        return self.files.path

    @property
    def result(self) -> dict[str, Any] | None:
        """What `finish` stored, or None while the run isn't finished."""
        return self.files.result

    # ------------------------------------------------------------------------------------- the loop

    def track(self, name: str, thing: Any) -> Any:
        """Put ``thing`` into every checkpoint; load its state if there is one; return it."""
        self._tracked[name] = thing
        if self._state is not None:
            thing.load_state_dict(self._state["tracked"][name])
        return thing

    def steps(self, total: int, *, epoch: int | None = None) -> Iterator[int]:
        """Yield the steps still to do.

        Checkpoints are written between them, by wall time and every ``epoch`` steps, but never for
        more than `CHECKPOINTS` of the time; when and whether they are never changes the numbers.
        """
        self.total, self._state = total, None  # tracked states are loaded: free the memory
        self._open_logs()
        saved = time.monotonic()
        for step in range(self.step, total):
            self._obey_control()
            yield step
            self.step = step + 1
            ends = self.step == total or (epoch is not None and self.step % epoch == 0)
            due = self.compute.from_main(self._is_due(time.monotonic() - saved, ends))
            stop = self.setting("stop", False)
            if due or stop:
                self.checkpoint()
                saved = time.monotonic()
            if stop:
                raise MinirlhfError(
                    f"{self.stage} was stopped at step {self.step} of {total}: "
                    f"remove {self.folder / 'control.json'} and run the same command to go on."
                )

    def _is_due(self, waited: float, ends: bool) -> bool:
        """Whether to write a checkpoint ``waited`` seconds after the last one."""
        seconds = self.config.checkpoint_seconds
        return not seconds or waited >= max(self._took / CHECKPOINTS, 0.0 if ends else seconds)

    def log(self, step: int, metrics: dict[str, float], samples: Sequence[dict] = ()) -> None:
        """Report a step to log files and callbacks, once `check` has passed it."""
        self.check(step, metrics)
        Watch(self.stage, self.memory)(step, metrics)
        if self.compute.is_main:
            event = Event(self.stage, step, self.total, metrics, tuple(samples))
            for callback in (*self._logs, *self._callbacks):
                callback(event)

    def check(self, step: int, metrics: dict[str, float] | None = None) -> None:
        """Refuse a number or a weight that is NaN or infinite.

        It stands before every log line, checkpoint and saved model, so none of them holds any.
        """
        bad = [f"{name} is {x}" for name, x in (metrics or {}).items() if not math.isfinite(x)]
        bad += [
            f"the weights of the {name} are NaN or infinite"
            for name, thing in self._tracked.items()
            if not thing.is_finite()
        ]
        if bad:
            good = f"{self.folder} holds a checkpoint from before" * self.files.state.exists()
            raise MinirlhfError(
                f"{self.stage}, step {step}: {bad[0]}. Likely causes: too high a learning rate, no "
                "limit on gradients (grad_clip), fp16 (try bf16 or fp32), or a scorer that returns "
                f"such numbers; {good or 'nothing of it was saved'}."
            )

    def is_logged(self, step: int) -> bool:
        """Whether to log step ``step`` (from 1): every ``log_every``-th and the last."""
        return step % self.config.log_every == 0 or step == self.total

    def setting(self, name: str, default: Any) -> Any:
        """``default``, unless ``control.json`` says otherwise: how a live run is steered (β, γ)."""
        return self._control.get(name, default)

    # ---------------------------------------------------------------------- what goes to the folder

    def checkpoint(self) -> None:
        """Write what the run needs to go on from here."""
        self.check(self.step)
        begun = time.monotonic()
        self.elapsed = begun - self._started
        if self.compute.is_main or self.compute.sharded:
            tracked = {name: thing.state_dict() for name, thing in self._tracked.items()}
        if self.compute.is_main:
            state = {"step": self.step, "elapsed": self.elapsed, "memory": self.memory}
            self.files.write_state({**state, "tracked": tracked})
        self._took = time.monotonic() - begun

    def save_folder(self, name: str, write: Callable[[Path], None]) -> None:
        """Let ``write`` fill a folder that becomes ``name``: it is whole or absent."""
        self.check(self.step)
        if self.compute.is_main:
            self.files.save(name, write)

    def save(
        self, optimizer: Any, write: Callable[[nn.Module, Path], None], name: str = "model"
    ) -> None:
        """Let ``write`` put the network that an `Optimizer` trains into the folder ``name``."""
        with optimizer.whole() as model:
            self.save_folder(name, lambda path: write(model, path))

    def save_averaged(self, optimizer: Any, write: Callable[[nn.Module, Path], None]) -> float:
        """Put an `Optimizer`'s average into ``model/``, and the weights it learned into ``raw/``.

        Returns the part of the average that is still the start, 0 where there is none.
        """
        if optimizer.average is not None:
            self.save(optimizer, write, "raw")
            optimizer.use_average()
        self.save(optimizer, write)
        note_start(self.folder, optimizer.start_share)
        return optimizer.start_share

    def finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Mark the run as finished: from now on the same command returns ``result`` at once."""
        if (step := Watch(self.stage, self.memory).diverged_at) is not None:
            result = {**result, "diverged_at": float(step)}
        if self.compute.is_main:
            self.files.finish(result)
        self.compute.wait()
        return result

    def close(self, *, failed: bool = False) -> None:
        """Close logs and progress bar and let others write to the folder."""
        logs, self._logs = self._logs, []
        with ExitStack() as stack:  # each of them, even if another one fails
            stack.callback(self.files.release, failed=failed)
            for log in (*logs, self._own_callback):
                if log is not None:
                    stack.callback(log.close)

    # -------------------------------------------------------------------------------------- details

    def _open(self, data: dict[str, str]) -> None:
        """Claim the folder, in the main process; what it is refused for, every process raises."""
        failure = None
        if self.compute.is_main:
            try:
                config = json.loads(json.dumps(dataclasses.asdict(self.config)))
                if "precision" in config:  # "auto" may be another one where the run goes on
                    config["precision"] = self.compute.precision
                self.files.claim(self.stage, config, data)
            except Exception as error:
                failure = error
        failure = self.compute.from_main(failure)
        if failure is not None:
            raise failure
        self._state = self.files.read_state()
        if self._state is not None:
            self.step, self.elapsed = self._state["step"], self._state["elapsed"]
            self.memory = self._state["memory"]

    def _open_logs(self) -> None:
        if self.compute.is_main:
            self._logs.append(JsonlLog(self.folder, self.step, self.elapsed))
            self._logs.append(TensorBoardLog(self.folder / "tensorboard", self.step))

    def _obey_control(self) -> None:
        """Read ``control.json`` (pause, stop, beta, ptx_gamma); wait while it says pause."""
        before, paused = self._control, False
        while True:  # all processes together: one that waits for another gives up after a while
            self._control = self.compute.from_main(
                self.files.read_control() if self.compute.is_main else {}
            )
            if not self.setting("pause", False) or self.setting("stop", False):
                break
            if not paused:
                self.checkpoint()  # whoever pauses may leave
            paused = True
            time.sleep(0.2)
        if _steering(before) != _steering(self._control):
            self.checkpoint()  # a run that goes on later doesn't do the steps so far once more


def _steering(control: dict[str, Any]) -> dict[str, Any]:
    """What changes the numbers of the steps to come."""
    return {name: value for name, value in control.items() if name not in ("pause", "stop")}
