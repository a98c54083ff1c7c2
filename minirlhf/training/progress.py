"""What a person sees of a running stage: a bar in a terminal or a notebook, lines in a log file."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterable

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

    A second process beside another (see `second_process`) leaves the terminal to the first.
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
