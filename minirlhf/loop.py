"""What all stages share: processes and precision, the loop, its log, checkpoints and resume.

A stage reads::

    with Run(folder, "sft", config, data={...}, callback=callback) as run:
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
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from minirlhf.callbacks import Callback, Event, JsonlLog, TensorBoardLog, default_callback
from minirlhf.data.batching import by_length, cut
from minirlhf.devices import auto_precision
from minirlhf.errors import MinirlhfError
from minirlhf.folder import RunFolder
from minirlhf.recompute import checkpointed
from minirlhf.sharding import take_part

_T = TypeVar("_T")


class Tracked(Protocol):
    """What `Run.track` can put into a checkpoint: a `Learner`, for one."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...
    def is_finite(self) -> bool: ...


class Run:
    """One stage in one folder (see `minirlhf.folder`); use it in a ``with``, which closes it.

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
        self.accelerator = make_accelerator(config.precision)
        self.device = self.accelerator.device
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.step, self.total, self.elapsed = 0, 0, 0.0
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
        """Close the run. What processes do together fails with a sentence if one is gone."""
        self.close(failed=kind is not None)
        # gloo's errors have no type of their own
        lost = isinstance(error, torch.distributed.DistError) or "onnection" in str(error)
        if self.world > 1 and isinstance(error, RuntimeError) and lost:
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

    # ---------------------------------------------------------------------- processes and precision

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of the models."""
        return self.config.fsdp and self.world > 1

    @property
    def exact(self) -> bool:
        """Whether forward passes run in float32."""
        return self.accelerator.mixed_precision == "no"

    def autocast(self) -> AbstractContextManager:
        """Forward passes run in here: bf16, fp16 or, on a CPU, float32."""
        return self.accelerator.autocast()

    @contextmanager
    def forward(self, model: nn.Module) -> Iterator[None]:
        """A forward pass of ``model`` runs in here if its gradients may be wanted: as in `autocast`
        and, where `StageConfig.gradient_checkpointing` says so, keeping fewer activations.
        """
        keep = not (self.config.gradient_checkpointing and torch.is_grad_enabled())
        with self.autocast(), nullcontext() if keep else checkpointed(model):
            yield

    def share(self, rows: Sequence) -> Sequence:
        """This process's part of a batch's rows."""
        return rows[self.rank :: self.world]

    def pieces(
        self, rows: Sequence[int], lengths: Sequence[int] | Tensor, size: int | None = None
    ) -> list[list[int]]:
        """This process's part of the rows, in pieces for one forward pass each; see `cut`."""
        return cut(self.share(by_length(rows, lengths)), lengths, size, self.device)

    def level(self, pieces: Sequence[_T], *models: nn.Module) -> Iterator[_T]:
        """The pieces, each to be passed through ``models``, one after another.

        Sharded models have to be passed through equally often by all processes; here those that
        have fewer pieces catch up.
        """
        if not self.sharded:
            yield from pieces
            return
        counts = torch.zeros(self.world, dtype=torch.long)
        counts[self.rank] = len(pieces)
        most = int(self.sum(counts).max())
        yield from pieces
        for _ in range(most - len(pieces)):
            for model in models:
                with self.forward(model):
                    take_part(model)

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum of a tensor over processes, left on its device."""
        if self.world == 1:
            return tensor
        return self.accelerator.reduce(tensor.to(self.device), "sum").to(tensor.device)

    def from_main(self, value: Any) -> Any:
        """The main process's value of something small, in every process."""
        if self.world == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

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
            due = self.from_main(time.monotonic() - saved >= self.config.checkpoint_seconds)
            stop = self.setting("stop", False)
            if due or stop or self.step == total or (epoch and self.step % epoch == 0):
                self.checkpoint()
                saved = time.monotonic()
            if stop:
                raise MinirlhfError(
                    f"{self.stage} was stopped at step {self.step} of {total}: "
                    f"remove {self.folder / 'control.json'} and run the same command to go on."
                )

    def log(self, step: int, metrics: dict[str, float], samples: Sequence[dict] = ()) -> None:
        """Report a step to log files and callbacks, once `check` has passed it."""
        self.check(step, metrics)
        if self.is_main:
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
        self.elapsed = time.monotonic() - self._started
        if self.is_main or self.sharded:
            tracked = {name: thing.state_dict() for name, thing in self._tracked.items()}
        if self.is_main:
            self.files.write_state(
                {
                    "step": self.step,
                    "elapsed": self.elapsed,
                    "memory": self.memory,
                    "tracked": tracked,
                }
            )

    def save_folder(self, name: str, write: Callable[[Path], None]) -> None:
        """Let ``write`` fill a folder that becomes ``name``: it is whole or absent."""
        self.check(self.step)
        if self.is_main:
            self.files.save(name, write)

    def finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Mark the run as finished: from now on the same command returns ``result`` at once."""
        if self.is_main:
            self.files.finish(result)
        self.accelerator.wait_for_everyone()
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
        if self.is_main:
            try:
                config = json.loads(json.dumps(dataclasses.asdict(self.config)))
                if "precision" in config:  # "auto" may be another one where the run goes on
                    config["precision"] = "fp32" if self.exact else self.accelerator.mixed_precision
                self.files.claim(self.stage, config, data)
            except Exception as error:
                failure = error
        failure = self.from_main(failure)
        if failure is not None:
            raise failure
        self._state = self.files.read_state()
        if self._state is not None:
            self.step, self.elapsed = self._state["step"], self._state["elapsed"]
            self.memory = self._state["memory"]

    def _open_logs(self) -> None:
        if self.is_main:
            self._logs.append(JsonlLog(self.folder, self.step, self.elapsed))
            self._logs.append(TensorBoardLog(self.folder / "tensorboard", self.step))

    def _obey_control(self) -> None:
        """Read ``control.json`` (pause, stop, beta, ptx_gamma); wait while it says pause."""
        before, paused = self._control, False
        while True:  # all processes together: one that waits for another gives up after a while
            self._control = self.from_main(self.files.read_control() if self.is_main else {})
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


def make_accelerator(precision: str):
    """An `Accelerator`; "auto" is what `auto_precision` says."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    cpu = not torch.cuda.is_available()  # said aloud, or several processes aren't seen there
    if precision == "auto":
        precision = auto_precision(PartialState(cpu=cpu).device)
    precision = "no" if precision == "fp32" else precision
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # an earlier stage ran in another precision
    return Accelerator(mixed_precision=precision, cpu=cpu)
