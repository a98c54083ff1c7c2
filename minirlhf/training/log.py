"""Where a run's numbers go: a JSONL file, TensorBoard, a progress bar, or any callable of your own.

Every stage reports through the same small `Event`, so the terminal, the log file and a live widget
are the same thing. A callback may be called on any thread.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minirlhf.data.files import written_whole


@dataclass(frozen=True)
class Event:
    """One report of a running stage."""

    stage: str
    """pretrain, sft, reward or ppo; empty for what is done between them, which has a title."""
    step: int
    """Steps done; a step is one optimizer step, in PPO one iteration."""
    total: int
    """Steps of the whole stage."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Metric names to values."""
    samples: tuple[dict[str, Any], ...] = ()
    """PPO: a few of this iteration's prompts, responses and scores; and, marked ``watched``, what
    is now said to the same few prompts as before."""
    title: str = ""
    """What people call it where several make one job, such as ``6/6 ppo-ptx``; empty: the stage."""

    @property
    def name(self) -> str:
        return self.title or self.stage


Callback = Callable[[Event], None]


SAMPLES, WATCHED = "samples.jsonl", "watched.jsonl"


class JsonlLog:
    """Append events to ``metrics.jsonl``, one JSON object a line.

    Their samples go to ``samples.jsonl``, those to the watched prompts to ``watched.jsonl``.

    On resume, lines beyond the checkpoint, or torn by a kill, are dropped first.
    """

    def __init__(self, folder: Path, step: int, elapsed: float):
        self.folder, self.start = folder, time.monotonic() - elapsed
        for name in ("metrics.jsonl", SAMPLES, WATCHED):
            if (folder / name).exists():
                _keep_lines_until(folder / name, step)
        self.metrics = (folder / "metrics.jsonl").open("a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        now = round(time.monotonic() - self.start, 3)
        self.metrics.write(json.dumps({"step": event.step, "time": now, **event.metrics}) + "\n")
        self.metrics.flush()
        lines: dict[str, list[str]] = {}
        for sample in event.samples:
            line = json.dumps({"step": event.step, **sample}, ensure_ascii=False) + "\n"
            lines.setdefault(WATCHED if sample.get("watched") else SAMPLES, []).append(line)
        for name, said in lines.items():
            with (self.folder / name).open("a", encoding="utf-8") as file:
                file.writelines(said)

    def close(self) -> None:
        self.metrics.close()


class TensorBoardLog:
    """Scalars to ``tensorboard/``; does nothing where tensorboard isn't installed."""

    def __init__(self, folder: Path, step: int):
        self.writer = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self.writer = SummaryWriter(str(folder), purge_step=step + 1)  # a kill left later ones

    def __call__(self, event: Event) -> None:
        if self.writer is not None:
            for name, value in event.metrics.items():
                self.writer.add_scalar(name, value, event.step)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


@contextmanager
def quiet_writers() -> Iterator[None]:
    """No traceback of a TensorBoard thread that fails on a full disk: the stage says so itself."""
    before = threading.excepthook

    def failed(failure) -> None:
        if not isinstance(failure.exc_value, OSError):
            before(failure)

    threading.excepthook = failed
    try:
        yield
    finally:
        threading.excepthook = before


def _keep_lines_until(path: Path, step: int) -> None:
    kept = []
    for line in path.read_bytes().split(b"\n"):  # in a text, more signs than this end a line
        with suppress(ValueError, KeyError, TypeError):  # the line a kill tore
            if json.loads(line)["step"] <= step:
                kept.append(line + b"\n")
    with written_whole(path) as partial:
        partial.write_bytes(b"".join(kept))
