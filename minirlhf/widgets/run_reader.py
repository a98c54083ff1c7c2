"""A run's folder, as one who watches it sees it: its log, its samples, whether somebody trains.

Nothing here needs the run to be this process's own: a terminal's, another notebook's and a finished
one look alike.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import filelock

from minirlhf.data.files import write_json
from minirlhf.errors import MinirlhfError
from minirlhf.training.run_folder import as_folder, is_setting

State = Literal["absent", "running", "paused", "stopping", "stopped", "interrupted", "finished"]
LIVE = {"running", "paused", "stopping"}
"""States in which a process works in the folder."""


class Reader:
    """What lies in a run's folder now. The folder may come later than its reader."""

    def __init__(self, folder: str | Path):
        self.folder = as_folder(folder)
        self.rows: list[dict[str, Any]] = []
        """The lines of the log: ``step``, ``time`` and metrics."""
        self._samples: dict[int, list[dict[str, Any]]] = {}
        self._watched: dict[int, list[dict[str, Any]]] = {}
        self._config: dict[str, Any] = {}
        self._seen: dict[str, tuple] = {}

    def look(self) -> bool:
        """Read what is new; whether the log or the samples changed."""
        if self._changed("config.json"):
            self._config = _read_json(self.folder / "config.json")
        texts = self._changed("samples.jsonl")
        if texts:
            self._samples = _by_step(self.folder / "samples.jsonl")
        watched = self._changed("watched.jsonl")
        if watched:
            self._watched = _by_step(self.folder / "watched.jsonl")
        changed = self._changed("metrics.jsonl")
        if changed:
            self.rows = _read_lines(self.folder / "metrics.jsonl")
        return changed or texts or watched

    @property
    def stage(self) -> str:
        """pretrain, sft, reward or ppo; empty while the folder is."""
        return self._config.get("stage", "")

    @property
    def config(self) -> dict[str, Any]:
        """The settings that the run was started with."""
        return self._config.get("config", {})

    @property
    def state(self) -> State:
        if (self.folder / "done.json").exists():
            return "finished"
        control = self.control()
        if is_held(self.folder):
            if control.get("stop"):
                return "stopping"
            return "paused" if control.get("pause") else "running"
        if not (self.folder / "config.json").exists():
            return "absent"
        return "stopped" if control.get("stop") else "interrupted"

    @property
    def total(self) -> int | None:
        """Steps that the whole run has, where that can be known."""
        if self.stage == "ppo" and {"episodes", "rollout_batch"} <= self.config.keys():
            return -(-self.config["episodes"] // self.config["rollout_batch"])
        if self.rows and self.rows[-1].get("epoch") and self.config.get("epochs"):
            last = self.rows[-1]
            return round(last["step"] / last["epoch"] * self.config["epochs"])
        return self.config.get("max_steps")

    def series(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of one metric, where it was logged."""
        found = [(row["step"], row[name]) for row in self.rows if name in row]
        return [step for step, _ in found], [value for _, value in found]

    def samples(self, step: int) -> list[dict[str, Any]]:
        """The sampled texts of a step, or of the last step before it that has any."""
        steps = [known for known in self._samples if known <= step]
        return self._samples[max(steps)] if steps else []

    def groups(self) -> list[list[Any]]:
        """Every step that has sampled texts, with them: ``[step, samples]``.

        Where the run asked the same prompts again and again, these alone.
        """
        return [[step, texts] for step, texts in sorted((self._watched or self._samples).items())]

    def control(self) -> dict[str, Any]:
        """What ``control.json`` says, as far as a run would obey it."""
        control = _read_json(self.folder / "control.json")
        return {name: value for name, value in control.items() if is_setting(value)}

    def steer(self, **settings: Any) -> None:
        """Write pause, stop, beta or ptx_gamma for the run to obey; ``None`` takes one back."""
        if not self.folder.is_dir():
            raise MinirlhfError(
                f"{self.folder} doesn't exist: there is no run to steer; start it first."
            )
        settings = {**self.control(), **settings}
        kept = {name: value for name, value in settings.items() if value is not None}
        for patience in (0.05, 0.2, None):  # the run, or somebody else, may be at it as well
            try:
                return write_json(self.folder / "control.json", kept)
            except OSError:
                if patience is None:
                    raise
                time.sleep(patience)

    def _changed(self, name: str) -> bool:
        """Whether a file isn't the one seen last; a resumed run replaces its log by a shorter."""
        try:
            about = (self.folder / name).stat()
            now = about.st_ino, about.st_size, about.st_mtime_ns
        except OSError:
            now = ()
        changed = self._seen.get(name, ()) != now
        self._seen[name] = now
        return changed


def _by_step(path: Path) -> dict[int, list[dict[str, Any]]]:
    """A log of texts by the step they were said at."""
    found: dict[int, list[dict[str, Any]]] = {}
    for sample in _read_lines(path):
        found.setdefault(sample["step"], []).append(sample)
    return found


def is_held(folder: Path) -> bool:
    """Whether a process works in the folder: it holds the lock for as long as it lives."""
    path = folder / ".lock"
    if not path.exists():
        return False
    try:
        with filelock.FileLock(path, timeout=0, thread_local=False):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # somebody else's: it can be watched, not asked
        return False


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, or being written
        return {}
    return content if isinstance(content, dict) else {}


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines alone: the last one may still be being written."""
    try:
        content = path.read_bytes()
    except OSError:
        return []
    lines = []
    for line in content.split(b"\n")[:-1]:
        with suppress(ValueError):  # torn by a kill; the run drops it when it goes on
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict) and _is_number(line.get("step"))]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
