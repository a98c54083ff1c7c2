"""A run's folder on disk: whose run it is, one writer at a time, and only whole files.

    config.json      stage, settings, fingerprints of data and starting models, versions
    metrics.jsonl    a line a step; samples.jsonl, watched.jsonl, tensorboard/ beside it: see `log`
    control.json     steers the run: pause, stop, beta, ptx_gamma
    checkpoint/      what an interrupted run goes on from; a finished one has none
    epochs/, model/  what the stage makes; raw/ beside an average of the weights
    done.json        the result; from then on nothing is written

Whatever can be cut short is written beside its place and renamed.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import platform
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import filelock
import torch

import minirlhf
from minirlhf.config import is_free
from minirlhf.data.files import _damaged, read_json, replace_folder, write_json, written_whole
from minirlhf.errors import MinirlhfError

PATIENCE = 3.0
"""Seconds in which another process may finish with a folder: one that was killed takes its second
process along, which needs a moment.
"""

_only_compares: ContextVar[bool] = ContextVar("only compares", default=False)


class ComparedError(Exception):
    """The folder is that of such a run, and nothing more was asked; see `compared`."""


@contextmanager
def compared() -> Iterator[None]:
    """Within, a stage that is started only compares its folder with what it was given.

    It neither locks nor writes, so somebody may be at work there. Raises `MinirlhfError` where the
    stage would; otherwise the stage ends where it would begin to train.
    """
    before = _only_compares.set(True)
    try:
        with suppress(ComparedError):
            yield
    finally:
        _only_compares.reset(before)


def lock(folder: Path) -> filelock.BaseFileLock:
    """Make ``folder`` and let no other process write to it until ``release()``.

    It is the system's own lock, which ends with the process, however that ends. Raises
    `MinirlhfError` if another process has it.
    """
    as_folder(folder).mkdir(parents=True, exist_ok=True)
    key = filelock.FileLock(folder / ".lock", thread_local=False)
    try:
        key.acquire(timeout=PATIENCE)
    except filelock.Timeout:
        raise MinirlhfError(
            f"{folder} is in use: another process, or an unfinished cell of a notebook, works "
            "there; wait until it ends, stop it, or give this run another folder."
        ) from None
    return key


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within, no other process writes to ``folder``; see `lock`."""
    key = lock(folder)
    try:
        yield
    finally:
        key.release()


def as_folder(path: str | Path) -> Path:
    """The path of a run's folder, there or not yet.

    Raises `MinirlhfError` for one that can be none, such as a name that is too long.
    """
    path = Path(path)
    try:
        for place in (path, path.with_name(f"{path.name}.log")):  # what a job prints goes beside it
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                place.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        start = str(path) if len(str(path)) < 80 else f"{str(path)[:40]}…{str(path)[-20:]}"
        raise MinirlhfError(
            f"{start} can't be a run's folder ({reason.lower()}): give it another, shorter name."
        ) from None
    return path


class RunFolder:
    """The folder of one stage, for the process that may write to it."""

    def __init__(self, path: str | Path):
        self.path = as_folder(path)
        self._lock: filelock.BaseFileLock | None = None
        self._existed = self._empty = False
        """How the folder was found."""

    @property
    def result(self) -> dict[str, Any] | None:
        """What `finish` stored, or None while the run isn't finished."""
        done = self.path / "done.json"
        return read_json(done) if done.exists() else None

    @property
    def begun(self) -> bool:
        """Whether there is anything to go on from."""
        return self.state.exists() or (self.path / "done.json").exists()

    @property
    def has_curves(self) -> bool:
        """Whether a step was logged."""
        log = self.path / "metrics.jsonl"
        return log.exists() and log.stat().st_size > 0

    @property
    def state(self) -> Path:
        return self.path / "checkpoint" / "state.pt"

    def check_there(self) -> None:
        """Raises `MinirlhfError` if somebody removed the folder of this run."""
        if not (self.path / "config.json").exists():
            raise MinirlhfError(
                f"{self.path} was removed, or emptied, while the run worked in it, so what it had "
                "written is lost: give the same command again to start anew."
            )

    def claim(self, stage: str, config: dict[str, Any], data: dict[str, str]) -> None:
        """Make this the folder of such a run, or make sure that it is.

        Raises `MinirlhfError` if there is a checkpoint or a result of another run, or if another
        process works here. A finished run is only read, so that needs no lock.
        """
        if _only_compares.get():
            self.compare(stage, config, data)
            raise ComparedError
        if self.result is None:
            self._existed = self.path.is_dir()
            self._empty = not self._existed or not any(self.path.iterdir())
            self._lock = lock(self.path)
        if self.begun:
            return self.compare(stage, config, data)
        versions = {
            "minirlhf": minirlhf.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        recorded = {"stage": stage, "config": config, "data": data, "versions": versions}
        write_json(self.path / "config.json", recorded)

    def compare(self, stage: str, config: dict[str, Any], data: dict[str, str]) -> None:
        """Refuse another stage, setting, data set, model or scorer than the folder's own."""
        before = read_json(self.path / "config.json")
        found = {"stage": before["stage"], **before["config"], **before["data"]}
        wanted = {"stage": stage, **config, **data}
        for name in ["stage", *sorted(found.keys() | wanted.keys())]:
            if found.get(name) != wanted.get(name) and not is_free(name):
                raise MinirlhfError(
                    f"{self.path} was made with {name} = {found.get(name)!r}, now it is "
                    f"{wanted.get(name)!r}: give the run another folder, or remove this one."
                )

    def release(self, *, failed: bool = False) -> None:
        """Let others write here.

        A run that ``failed`` leaves a folder to go on from, or curves to look at, or none, and
        nothing half-written.
        """
        if self._lock is None:
            return
        try:
            if not self.path.exists():
                pass  # somebody removed it
            elif failed and self._empty and not self.begun and not self.has_curves:
                shutil.rmtree(self.path, ignore_errors=True)
                if self._existed:
                    self.path.mkdir()
            elif failed:
                for half in list(self.path.rglob("*.tmp")):
                    shutil.rmtree(half) if half.is_dir() else half.unlink()
        finally:
            self._lock.release()
            self._lock = None

    # ----------------------------------------------------------------------------- what lies in it

    def read_state(self) -> dict[str, Any] | None:
        """The checkpoint, on the CPU; None if there is none, or nothing left to do."""
        if not self.state.exists() or self.result is not None:
            return None
        try:
            state = torch.load(self.state, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise _damaged(self.state) from error
        if not isinstance(state, dict) or not {"step", "tracked"} <= state.keys():
            raise _damaged(self.state)
        return state

    def write_state(self, state: dict[str, Any]) -> None:
        """Write the checkpoint, so that either the last one or this one is there, and whole."""
        self.check_there()
        self.state.parent.mkdir(exist_ok=True)
        with written_whole(self.state) as partial, partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())

    def save(self, name: str, write: Callable[[Path], None]) -> None:
        """Let ``write`` fill a folder beside ``name`` and rename it: it is whole or absent."""
        self.check_there()
        replace_folder(self.path / name, write)

    def finish(self, result: dict[str, Any]) -> None:
        """Store the result; what only an unfinished run needs goes."""
        self.check_there()
        write_json(self.path / "done.json", result)
        self.prune()

    def prune(self) -> None:
        """Remove the checkpoint, which is larger than all else."""
        shutil.rmtree(self.state.parent, ignore_errors=True)

    def read_control(self) -> dict[str, Any]:
        """What ``control.json`` says now; what makes no sense in it is passed over with a note."""
        path = self.path / "control.json"
        for _ in range(20):
            try:
                control = json.loads(path.read_text(encoding="utf-8"))
                break
            except FileNotFoundError:
                return {}
            except ValueError:  # someone is writing it: look again
                time.sleep(0.05)
        else:
            control = None
        if not isinstance(control, dict) or not all(map(is_setting, control.values())):
            warnings.warn(f"{path} isn't a JSON object of numbers, and is ignored.", stacklevel=2)
            return {}
        return control


def is_setting(value: Any) -> bool:
    """Whether ``control.json`` may say so: a number that isn't NaN or infinite, true or false."""
    return isinstance(value, (bool, int, float)) and math.isfinite(value)
