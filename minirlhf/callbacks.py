"""Where a run's numbers go: a JSONL file, TensorBoard, a progress bar, or any callable of your own.

Every stage reports through the same small `Event`, so the terminal, the log file and a live widget
are the same thing. A callback may be called on any thread.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minirlhf.folder import written_whole


@dataclass(frozen=True)
class Event:
    """One report of a running stage."""

    stage: str
    """pretrain, sft, reward or ppo"""
    step: int
    """Steps done; a step is one optimizer step, in PPO one iteration."""
    total: int
    """Steps of the whole stage."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Metric names to values."""
    samples: tuple[dict[str, Any], ...] = ()
    """PPO: a few of this iteration's prompts, responses and scores."""


Callback = Callable[[Event], None]


class JsonlLog:
    """Append events to ``metrics.jsonl`` (and samples to ``samples.jsonl``), one JSON object a
    line.

    On resume, lines beyond the checkpoint, or torn by a kill, are dropped first.
    """

    def __init__(self, folder: Path, step: int, elapsed: float):
        self.folder, self.start = folder, time.monotonic() - elapsed
        for name in ("metrics.jsonl", "samples.jsonl"):
            if (folder / name).exists():
                _keep_lines_until(folder / name, step)
        self.metrics = (folder / "metrics.jsonl").open("a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        now = round(time.monotonic() - self.start, 3)
        self.metrics.write(json.dumps({"step": event.step, "time": now, **event.metrics}) + "\n")
        self.metrics.flush()
        if event.samples:
            with (self.folder / "samples.jsonl").open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"step": event.step, **sample}, ensure_ascii=False) + "\n"
                    for sample in event.samples
                )

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


SHOWN = (
    "loss",
    "validation/loss",
    "accuracy",
    "objective/score",
    "objective/kl",
    "tokens_per_second",
)
"""Metrics worth a place beside the progress."""


class ProgressBar:
    """A bar with the time left and the metrics named in ``show``, in a terminal or a notebook."""

    def __init__(self, show: Iterable[str] = SHOWN):
        self.show, self.bar, self.stage = tuple(show), None, ""

    def __call__(self, event: Event) -> None:
        from tqdm.auto import tqdm

        if self.bar is None or self.stage != event.stage:
            self.close()
            self.stage = event.stage
            self.bar = tqdm(total=event.total, initial=max(event.step - 1, 0), desc=event.stage)
        self.bar.update(event.step - self.bar.n)
        self.bar.set_postfix(_shown(event, self.show))
        if event.step >= event.total:
            self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class ProgressLines:
    """The same as plain lines on stderr, for log files: one every 10% and every 30 seconds."""

    def __init__(self, show: Iterable[str] = SHOWN, share: float = 0.1, seconds: float = 30.0):
        self.show, self.share, self.seconds = tuple(show), share, seconds
        self.close()

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = event.step, now
        elif (
            event.step < self.line[0] + self.share * event.total
            and now < self.line[1] + self.seconds
            and event.step < event.total
        ):
            return
        self.line = event.step, now
        text = [f"{event.stage}: step {event.step} of {event.total}"]
        text += [f"{name} {value}" for name, value in _shown(event, self.show).items()]
        if self.first[0] < event.step < event.total:
            pace = (now - self.first[1]) / (event.step - self.first[0])
            text.append(f"{pace * (event.total - event.step):.0f} s left")
        print(", ".join(text), file=sys.stderr, flush=True)
        if event.step >= event.total:
            self.close()

    def close(self) -> None:
        self.first = self.line = None  # step and time: when the run began, of the last line


def default_callback() -> ProgressBar | ProgressLines | None:
    """A bar in a terminal or a notebook, lines where stderr is a file or a pipe.

    A second process beside another (see `beside`) leaves the terminal to the first.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):  # a notebook's, as on Colab
        return ProgressBar()
    if not sys.stderr.isatty():
        return ProgressLines()
    return ProgressBar() if multiprocessing.parent_process() is None else None


def _shown(event: Event, names: Iterable[str]) -> dict[str, str]:
    found = {name.split("/")[-1]: event.metrics[name] for name in names if name in event.metrics}
    return {name: f"{value:.3g}" for name, value in found.items()}


def _keep_lines_until(path: Path, step: int) -> None:
    kept = []
    for line in path.read_bytes().split(b"\n"):  # in a text, more signs than this end a line
        with suppress(ValueError, KeyError, TypeError):  # the line a kill tore
            if json.loads(line)["step"] <= step:
                kept.append(line + b"\n")
    with written_whole(path) as beside:
        beside.write_bytes(b"".join(kept))
