"""A stage as a process of its own, started from a notebook.

It is the command that one would give in a terminal, so it gives the same numbers, whatever other
cells draw or change meanwhile. It ends with the notebook's kernel, and the same cell then goes on
from its last checkpoint. While it lives, the same cell only attaches to it.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import shlex
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from minirlhf.errors import MinirlhfError
from minirlhf.training.run_folder import RunFolder, compared
from minirlhf.widgets.notebook_kernel import handle_messages
from minirlhf.widgets.run_reader import LIVE, Reader

STAGES = ("pretrain", "sft", "rm", "ppo")
_started: dict[Path, subprocess.Popen] = {}
"""This kernel's own processes, by folder."""
_since: dict[Path, float] = {}
"""When they were started, by a clock that only goes on."""


class Job:
    """A run and the command that starts it or lets it go on; `start` makes one."""

    def __init__(self, folder: str | Path, arguments: list[str]):
        self.arguments, self.reader = arguments, Reader(folder)
        self.folder = self.reader.folder

    @property
    def command(self) -> str:
        """The same as one would type it in a terminal."""
        return shlex.join(["minirlhf", *self.arguments])

    @property
    def is_starting(self) -> bool:
        """Whether this kernel's process lives, be it that it has only begun to load."""
        process = _started.get(self.folder.resolve())
        return process is not None and process.poll() is None

    @property
    def seconds(self) -> float | None:
        """How long ago this kernel started the process; None if it didn't."""
        begun = _since.get(self.folder.resolve())
        return None if begun is None else time.monotonic() - begun

    @property
    def is_live(self) -> bool:
        return self.is_starting or self.reader.state in LIVE

    def start(self) -> None:
        """Start the process, unless the run is finished or somebody is at it."""
        if self.is_live or self.reader.state == "finished":
            return
        if self.reader.control().get("stop"):
            self.reader.steer(stop=None)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        _give_memory_back()
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "minirlhf.cli.attached", *self.arguments],
                stdin=subprocess.PIPE,  # closes when the kernel ends, and the process with it
                stdout=log,
                stderr=subprocess.STDOUT,
                **_apart(),
            )
        _started[self.folder.resolve()] = process
        _since[self.folder.resolve()] = time.monotonic()

    def wait(self, timeout: float | None = None) -> None:
        """Return when nobody works at the run any more, or after ``timeout`` seconds.

        Raises `MinirlhfError` with the process's own sentence if it failed.
        """
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while self.is_live and time.monotonic() < end:
            handle_messages()
            time.sleep(0.1)
        if self.error:
            raise MinirlhfError(self.error)

    @property
    def error(self) -> str:
        """Why this kernel's process failed; empty if it didn't, or was only stopped."""
        process = _started.get(self.folder.resolve())
        if process is None or not process.poll() or self.reader.state in {"stopped", "finished"}:
            return ""
        lines = []
        if self.log.exists():
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        sentences = [line for line in lines if line.startswith("error: ")]
        if sentences:
            return sentences[-1].removeprefix("error: ")
        if process.returncode < 0:
            return (
                f"The run's process was ended from outside (signal {-process.returncode}); where "
                "it wasn't you, memory was probably full. Run the cell again to go on."
            )
        return "\n".join(lines[-3:]) or f"The run's process ended with {process.returncode}."

    @property
    def log(self) -> Path:
        """What the process prints, beside the folder: one that fails leaves none."""
        return self.folder.with_name(f"{self.folder.name}.log")


def _give_memory_back() -> None:
    """Return to the system what this kernel has freed: glibc would keep hundreds of megabytes."""
    with suppress(OSError, AttributeError, TypeError):  # other C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)


def start(stage: str, folder: str | Path, **options: Any) -> Job:
    """Let a stage run as ``minirlhf STAGE --folder FOLDER --option value …`` would.

    ``stage`` is pretrain, sft, rm or ppo; an option's name has underscores for its dashes. A run
    that is under way is attached to, a finished one is left as it is, an interrupted or stopped one
    goes on. An option that is None isn't given. Raises `MinirlhfError` if the folder holds a run of
    another stage, or with another setting, data set or model: what the command itself would refuse.
    """
    if stage not in STAGES:
        raise MinirlhfError(f"There is no stage {stage!r}: take {', '.join(STAGES)}.")
    arguments = [stage, "--folder", str(folder)]
    options = {name: value for name, value in options.items() if value is not None}
    for name, value in options.items():
        arguments += _flag(name.replace("_", "-"), value)
    job = Job(folder, arguments)
    job.reader.look()
    if job.reader.stage not in ("", "reward" if stage == "rm" else stage):
        raise MinirlhfError(
            f"{folder} holds a run of {job.reader.stage}, not of {stage}: give this one another "
            "folder."
        )
    if (job.is_live and job.reader.stage) or RunFolder(folder).begun:
        with compared(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run itself says it
            getattr(importlib.import_module("minirlhf.cli.stages"), stage)(arguments[1:])
    job.start()
    return job


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{'' if value else 'no-'}{name}"]
    values = value if isinstance(value, (list, tuple)) else [value]
    return [f"--{name}", *map(str, values)]


def _apart() -> dict[str, Any]:
    """Out of the kernel's group: interrupting a cell doesn't interrupt the run."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
