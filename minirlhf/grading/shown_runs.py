"""Short runs of PPO with one bug each, to be looked at: ``python -m course.pack.faulty_runs``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from minirlhf import lesson
from minirlhf.errors import MinirlhfError
from minirlhf.grading.messages import say

FILE = Path(__file__).parent / "faulty_runs.json"
ORDER = (
    "score-everywhere",
    "old-recomputed",
    "reference-moves",
    "value-forgotten",
    "sampled-colder",
    "penalty-reversed",
)
"""The runs by number, from one."""
PANELS = ("score", "kl", "length", "entropy", "clipfrac", "explained")


@cache
def runs() -> dict[str, Any]:
    """Curves and samples of every run, by name; ``healthy`` is the one without a bug."""
    return json.loads(FILE.read_text("utf-8"))


def show_run(number: int) -> None:
    """Draw a run over the healthy one, in grey, and list what it wrote at first and at last.

    Raises `MinirlhfError` where there is no run of that number.
    """
    if number not in range(1, len(ORDER) + 1):
        raise MinirlhfError(f"There is no run {number!r}: they are 1 to {len(ORDER)}.")
    run, healthy = runs()[ORDER[number - 1]], runs()["healthy"]
    for start in (0, 3):
        names = PANELS[start : start + 3]
        titles = [say(f"runs.shown.{name}") for name in names]
        title = say("runs.shown.title", number=number) if start == 0 else ""
        figure, axes = lesson.panels(3, title, titles=titles)
        for panel, name in zip(axes, names, strict=True):
            iterations = range(1, len(healthy["curves"][name]) + 1)
            panel.plot(iterations, healthy["curves"][name], color="#a9adb4", linewidth=2.5)
            panel.plot(iterations, run["curves"][name], color="black", linewidth=1.2)
            panel.set_xlabel(say("runs.shown.iteration"))
        ends = (
            say(
                "runs.shown.ends",
                title=title,
                first=_figure(run["curves"][name][0]),
                last=_figure(run["curves"][name][-1]),
                healthy=_figure(healthy["curves"][name][-1]),
            )
            for name, title in zip(names, titles, strict=True)
        )
        lesson.show(figure, "; ".join(ends))
    head = [say(f"runs.shown.{name}") for name in ("iteration", "prompt", "reply", "score")]
    lesson.table(
        head,
        [
            [row["step"], row["prompt"].strip(), row["response"].strip(), f"{row['score']:.1f}"]
            for row in run["samples"]
        ],
    )


def _figure(value: float) -> str:
    """Two figures; what rounding alone has left of a zero is zero."""
    return f"{round(value, 3) + 0.0:.2g}"
