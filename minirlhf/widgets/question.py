"""What a prediction and its outcome share: the question, and what one may answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import traitlets

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.statistics import Interval
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.words import say

THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
"""Commas that group digits; any other comma is a decimal one."""

Value = float | str | list[float | None] | None
"""A number, one of the choices, a curve with gaps, or nothing."""


class Question(LiveWidget):
    """What is asked, what was answered, and whether the result is out: both kinds share it."""

    scripts = ("prediction_bar.js", "prediction_curve.js", "prediction.js")
    styles = ("prediction.css",)
    speaks = ("prediction",)

    value = traitlets.Any(None, allow_none=True).tag(sync=True)
    """The prediction; None while there is none."""
    revealed = traitlets.Bool(False).tag(sync=True)
    """Whether the reader has seen the result; from then on the page keeps the guess."""
    _question = traitlets.Unicode().tag(sync=True)
    _unit = traitlets.Unicode().tag(sync=True)
    _choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _limits = traitlets.List().tag(sync=True)
    _reach = traitlets.List().tag(sync=True)
    """Where the axis begins and ends, as long as no guess or result lies beyond."""
    _along = traitlets.List().tag(sync=True)
    _x = traitlets.Unicode().tag(sync=True)

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(self._choices)

    @property
    def heading(self) -> str:
        return self._question

    def enter(self, text: str) -> None:
        """Take what somebody types: a number, perhaps with a comma or %, or nothing.

        Raises:
            MinirlhfError: it is no number, or one that can't come out.
        """
        entered = text.strip().removesuffix(self._unit).rstrip("% ").strip()
        if not entered:
            self.value = None
            return
        plain = entered.replace(",", "") if THOUSANDS.fullmatch(entered) else entered
        try:
            number = float(plain.replace(",", ".").replace("−", "-"))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise MinirlhfError(say("prediction.wrong"))
        self.value = number

    act_enter = enter

    @traitlets.validate("value")
    def _as_value(self, proposal: Any) -> Value:
        value = proposal["value"]
        if value is None:
            return None
        if self._choices:
            if value not in self._choices:
                raise MinirlhfError(f"{value!r} isn't one of {', '.join(self._choices)}.")
            return value
        if self._along:
            if not isinstance(value, list) or len(value) != len(self._along):
                raise MinirlhfError(f"A curve over {len(self._along)} places has as many values.")
            curve = [None if point is None else self._possible(point) for point in value]
            return curve if any(point is not None for point in curve) else None
        return self._possible(value)

    def _possible(self, number: Any) -> float:
        """The number, if it may come out."""
        low, high = self._limits
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise MinirlhfError(say("prediction.wrong"))
        if not math.isfinite(number) or not low <= number <= high:
            shown = {"low": written(low), "high": written(high), "unit": self._unit}
            raise MinirlhfError(say("prediction.outside", entered=written(number), **shown))
        return float(number)

    def _asked(self) -> dict[str, Any]:
        """What another widget needs to ask the same."""
        asked = ("_question", "_unit", "_choices", "_limits", "_reach", "_along", "_x")
        return {name: getattr(self, name) for name in (*asked, "value", "revealed")}


def written(value: float | str | Interval | Sequence[float | None], unit: str = "") -> str:
    """A value in words: some figures, an interval with its ends, a curve by its ends."""
    if isinstance(value, str):
        return value
    if isinstance(value, Interval):
        most = max(abs(value.low), abs(value.high))
        places = 2 - math.floor(math.log10(most)) if most else 0  # of the larger end, three figures
        shown = f"{value:.{max(places, 0)}f}"
    elif isinstance(value, float | int):
        shown = f"{value:z.4g}"
    else:
        known = [f"{point:.3g}" for point in value if point is not None]
        shown = f"{known[0]} … {known[-1]}"
    return f"{shown.replace('-', '−')} {unit}".strip()


def counts_points(unit: str) -> bool:
    """Whether a unit is that of a difference of shares, in either language."""
    return "points" in unit or "百分点" in unit


def limits(unit: str, low: float | None, high: float | None) -> list[float]:
    """Between what a number may lie; a share lies between nothing and everything."""
    if unit.startswith("%"):
        usual = (0.0, 100.0)
    elif counts_points(unit):
        usual = (-100.0, 100.0)
    else:
        usual = (-1e6, 1e6)
    return [usual[0] if low is None else float(low), usual[1] if high is None else float(high)]


def first_reach(limits: Sequence[float]) -> list[float]:
    """Where an axis between such limits begins and ends if nobody says: all of a share's."""
    low, high = limits
    if (low, high) == (-100.0, 100.0):
        return [-20.0, 20.0]
    if high - low <= 200:
        return [low, high]
    start = max(low, 0.0)
    return [start, min(high, start + 10.0)]
