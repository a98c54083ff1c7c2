"""A prediction: asked for before a result is shown, drawn beside it afterwards."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import ipywidgets as parts
from matplotlib.figure import Figure

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.statistics import Interval
from minirlhf.report.charts import INK, MUTED, PALETTE
from minirlhf.widgets.base import Board, alert, say, text
from minirlhf.widgets.pictures import PAPER, canvas, dress, note

THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
"""Commas that group digits; any other comma is a decimal one."""
_entered: dict[str, str] = {}
"""What was entered, by question: running the cell again keeps it."""


class Prediction(Board):
    """A place to enter a number, or one of ``choices``, or nothing.

    ``name`` keeps the entry while the kernel lives. `reveal` draws it beside the result.
    """

    source = ""  # until there is a result

    def __init__(self, question: str, name: str, *, choices: Sequence[str] = (), unit: str = ""):
        super().__init__()
        self.question, self.name, self.unit = question, name, unit
        self.heading = question
        self.choices = tuple(choices)
        self.result: float | str | None = None
        self.interval: Interval | None = None
        entered = _entered.get(name, "")
        options = {"description": say("prediction.label"), "style": {"description_width": "110px"}}
        if choices:
            empty = (say("prediction.none"), "")
            kept = entered if entered in choices else ""
            self.entry = parts.Dropdown(
                options=[empty, *((c, c) for c in choices)], value=kept, **options
            )
        else:
            self.entry = parts.Text(value=entered, placeholder=say("prediction.number"), **options)
        self.problem = parts.HTML()
        self.entry.observe(self._enter, "value")
        self.arrange(parts.HTML(text(question)), self.entry, self.problem, self.image, self.caption)

    @property
    def value(self) -> float | str | None:
        """The prediction; None while there is none, or it is no number."""
        if self.choices or not self.entry.value.strip():
            return self.entry.value or None
        entered = self.entry.value.strip().rstrip("%")
        if THOUSANDS.fullmatch(entered):
            entered = entered.replace(",", "")
        try:
            number = float(entered.replace(",", "."))
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def reveal(self, result: float | str | Interval, source: str = "live") -> Prediction:
        """Draw what came out beside what was predicted; returns itself, to be displayed again.

        An `Interval` is drawn with its ends. ``source`` says where the result comes from, such as
        "shipped run". The copy that a saved page keeps where the question was asked stays as it
        was.
        """
        self.interval = result if isinstance(result, Interval) else None
        result = result.mean if isinstance(result, Interval) else result
        if self.choices and result not in self.choices:
            raise MinirlhfError(f"{result!r} isn't one of {', '.join(self.choices)}.")
        self.result, self.source = result if self.choices else float(result), source
        self._still = None
        self.refresh()
        return self

    def _enter(self, change: dict[str, Any]) -> None:
        _entered[self.name] = change["new"]
        wrong = bool(change["new"].strip()) and self.value is None
        self.problem.value = alert(say("prediction.wrong")) if wrong else ""
        self.refresh()

    def draw(self) -> tuple[Figure, str]:
        """Two bars, or two answers; an empty place for what there isn't (yet)."""
        figure, axes = canvas(1.5 if isinstance(self.result, float) else 1.0)
        dress(axes, "", self.unit, "")
        axes.grid(visible=False)
        shown = {"predicted": self.value, "measured": self.result}
        colors = {"predicted": PALETTE["prompted"], "measured": INK}
        axes.set_yticks(range(2), list(shown))
        axes.tick_params(axis="y", labelcolor=INK, labelsize=9)
        axes.set_ylim(1.5, -0.5)
        numbers = [value for value in shown.values() if isinstance(value, float)]
        ends = [] if self.interval is None else [self.interval.low, self.interval.high]
        if not numbers:
            axes.set(xticks=[], xlim=(0, 1))
            axes.spines["bottom"].set_visible(False)
        for place, (name, value) in enumerate(shown.items()):
            if isinstance(value, float):
                axes.barh(place, value, height=0.6, color=colors[name])
                reach = ends if name == "measured" else []
                at = [place] * len(reach)
                axes.plot(reach, at, color=PAPER, linewidth=4.5)  # on the bar and beyond it
                axes.plot(reach, at, color=MUTED, linewidth=2, marker="|")
                end = max([value, *reach]) if value >= 0 else min([value, *reach])
                said = _written(self.interval if reach else value)
                note(axes, (end, place), f" {said} ", va="center", fontsize=9,
                     ha="left" if value >= 0 else "right")  # fmt: skip
            else:
                words = value or ("not yet" if name == "measured" else "nothing entered")
                note(
                    axes,
                    (0, place),
                    f"  {words}",
                    va="center",
                    fontsize=9,
                    color=INK if value else MUTED,
                    fontweight="bold" if value else "normal",
                )
        if numbers:
            axes.axvline(0, color=MUTED, linewidth=0.6)
            low, high = min([*numbers, *ends, 0.0]), max([*numbers, *ends, 0.0])
            span = (high - low) or 1.0
            room = 0.5 if ends else 0.2  # for the numbers beside the bars
            axes.set_xlim(
                low - room * span * (low < 0), high + room * span * (high > 0 or low == 0)
            )
        return figure, self._words()

    def _words(self) -> str:
        absent = {"predicted": say("prediction.none"), "measured": say("prediction.later")}
        shown = {"predicted": self.value, "measured": self.interval or self.result}
        written = {n: absent[n] if v is None else _written(v) for n, v in shown.items()}
        return say("prediction.words", **written)


def _written(value: float | str | Interval) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"
