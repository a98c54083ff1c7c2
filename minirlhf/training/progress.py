"""What a person sees of a running stage: bars in a terminal or a notebook, lines in a log file.

Several stages may run at once, and their events come on any thread: each has a bar of its own, and
each line says whose it is.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, TextIO

from minirlhf.training.log import Event

SHOWN = (
    "loss",
    "validation/loss",
    "accuracy",
    "objective/score",
    "objective/kl",
    "tokens_per_second",
)
"""Metrics worth a place beside the progress."""
BESIDE = 6 + 9 + 12 + 4
"""Columns that a bar, its count, its time and the spaces between take."""
BRIEF = {"tokens_per_second": "tokens/s"}
"""What they are called there, where it isn't the last part of their name."""


class TerminalBars:
    """A bar for each stage, with the time left and the metrics named in ``show``."""

    def __init__(self, show: Iterable[str] = SHOWN):
        self.show, self.screen, self.bars = tuple(show), None, {}
        self.lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self.lock:
            self._draw(event)

    def _draw(self, event: Event) -> None:
        if self.screen is None:
            self.screen = _screen()
            self.screen.start()
        if event.name not in self.bars:
            start = max(event.step - 1, 0)
            self.bars[event.name] = self.screen.add_task(
                event.name, total=event.total, completed=start, figures="", stays=event.stage
            )
        room, figures = self.screen.console.width - BESIDE - max(map(len, self.bars)), ""
        for name, value in _shown(event, self.show).items():
            if len(figures) + len(f"  {name} {value}") <= room:
                figures += f"  {name} {value}"
        self.screen.update(self.bars[event.name], completed=event.step, figures=figures[2:])
        if event.step >= event.total and not event.stage:
            self.screen.remove_task(self.bars.pop(event.name))

    def close(self) -> None:
        if self.screen is not None:
            for bar in [bar for bar in self.screen.tasks if not bar.fields["stays"]]:
                self.screen.remove_task(bar.id)
            self.screen.stop()
        self.screen, self.bars = None, {}


def _screen() -> Any:
    """The bars of a terminal, one below the other; what is printed meanwhile stands above them."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Left(TimeRemainingColumn):
        """Beside what goes on the time that is left; beside what is done, the time it took."""

        def render(self, task):
            if task.finished:
                return super().render(task)
            return super().render(task) + " left" if task.time_remaining is not None else Text()

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(None, table_column=Column(ratio=1, min_width=6)),
        MofNCompleteColumn(),
        Left(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[figures]}", markup=False),
        console=Console(stderr=True),
        expand=True,
        redirect_stdout=False,
        refresh_per_second=4,  # it takes its time from the training
        speed_estimate_period=300,
    )


class NotebookBars:
    """The same in a notebook, or wherever tqdm shows something."""

    def __init__(self, show: Iterable[str] = SHOWN):
        self.show, self.bars = tuple(show), {}
        self.lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self.lock:
            self._draw(event)

    def _draw(self, event: Event) -> None:
        from tqdm.auto import tqdm

        if event.name not in self.bars:
            start = max(event.step - 1, 0)
            self.bars[event.name] = tqdm(
                total=event.total, initial=start, desc=event.name, leave=bool(event.stage)
            )
        bar = self.bars[event.name]
        bar.update(event.step - bar.n)
        bar.set_postfix(_shown(event, self.show))
        if event.step >= event.total:
            self.bars.pop(event.name).close()

    def close(self) -> None:
        while self.bars:
            self.bars.popitem()[1].close()


class ProgressLines:
    """The same as plain lines on stderr, for log files: one every 10% and every 30 seconds.

    What is done between stages has a line when nothing has been said for that long.
    """

    def __init__(self, show: Iterable[str] = SHOWN, share: float = 0.1, seconds: float = 30.0):
        self.show, self.share, self.seconds = tuple(show), share, seconds
        self.lock = threading.Lock()
        self.close()

    def __call__(self, event: Event) -> None:
        with self.lock:
            now = time.monotonic()
            first = self.first.setdefault(event.name, (event.step, now))
            if self._is_due(event, now):
                self.last, self.lines[event.name] = now, (event.step, now)
                self._say(event, first, now)
            if event.step >= event.total:
                del self.first[event.name]
                self.lines.pop(event.name, None)

    def _is_due(self, event: Event, now: float) -> bool:
        if not event.stage:
            return now >= self.last + self.seconds
        if event.name not in self.lines or event.step >= event.total:
            return True
        step, when = self.lines[event.name]
        return event.step >= step + self.share * event.total or now >= when + self.seconds

    def _say(self, event: Event, first: tuple[int, float], now: float) -> None:
        text = [f"{event.name}: {'step ' * bool(event.stage)}{event.step} of {event.total}"]
        text += [f"{name} {value}" for name, value in _shown(event, self.show).items()]
        if first[0] < event.step < event.total:
            pace = (now - first[1]) / (event.step - first[0])
            text.append(f"{pace * (event.total - event.step):.0f} s left")
        print(", ".join(text) + "\n", end="", file=sys.stderr, flush=True)  # whole, of all threads

    def close(self) -> None:
        self.first: dict[str, tuple[int, float]] = {}  # step and time at which each was begun
        self.lines: dict[str, tuple[int, float]] = {}  # and of its last line
        self.last = time.monotonic()


def default_callback() -> TerminalBars | NotebookBars | ProgressLines | None:
    """Bars in a terminal or a notebook, lines where stderr is a file, a pipe or a dumb terminal.

    A second process beside another (see `second_process`) leaves the terminal to the first.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):  # a notebook's, as on Colab
        return NotebookBars()
    if not is_screen(sys.stderr):
        return ProgressLines()
    return TerminalBars() if multiprocessing.parent_process() is None else None


def is_screen(stream: TextIO) -> bool:
    """Whether what stands on it can be written over: on a terminal that isn't dumb."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _shown(event: Event, names: Iterable[str]) -> dict[str, str]:
    found = {name: event.metrics[name] for name in names if name in event.metrics}
    return {
        BRIEF.get(name, name.split("/")[-1]): f"{x:.3g}" if abs(x) < 1000 else f"{x:,.0f}"
        for name, x in found.items()
    }
