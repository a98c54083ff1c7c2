"""What came out, beside what was predicted; and how well a chapter's guesses did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.evaluate.statistics import Interval
from minirlhf.report.charts import INK, MUTED, PALETTE
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.pictures import PAPER, canvas, dress, note
from minirlhf.widgets.question import Question, counts_points, written
from minirlhf.widgets.words import say, told

SPOT, NEAR = 1.0, 0.5
"""What a guess is worth that is right, and one that is nearly so."""
LETTER, LENGTH = 0.08, 5.0
"""Inches of a number's letter, and of the axis beside the bars' names."""

_outcomes: dict[str, Outcome] = {}
_scores: WeakSet[PredictionScore] = WeakSet()


class Outcome(Question):
    """A result that stays behind its button until the reader asks for it.

    The copy of a saved page has no button: it shows the result, and the guess if there is one.
    """

    _result = traitlets.Any().tag(sync=True)
    _ends = traitlets.List().tag(sync=True)
    _verdict = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(
        self, guess: Question, result: float | str | Interval | Sequence[float], source: str
    ):
        self.source, self.name = source, getattr(guess, "name", "")
        self.interval = result if isinstance(result, Interval) else None
        if isinstance(result, Interval):
            self.result: Any = float(result.mean)
        elif isinstance(result, str):
            self.result = result
        else:
            several = isinstance(result, Sequence | np.ndarray)
            self.result = [float(one) for one in result] if several else float(result)
        ends = [] if self.interval is None else [self.interval.low, self.interval.high]
        super().__init__(_result=self.result, _ends=[float(end) for end in ends], **guess._asked())
        self._links = [traitlets.link((guess, one), (self, one)) for one in ("value", "revealed")]
        _outcomes[self.name] = self
        self.observe(self._judge, ["value", "revealed"])
        self._judge()

    def _judge(self, _: Any = None) -> None:
        self._verdict = worth(self)
        for score in list(_scores):
            score.look()

    @property
    def words(self) -> str:
        shown = self.result if self.interval is None else self.interval
        key = "prediction.chosen" if self._choices else "prediction.came"
        result = say(key, result=written(shown, self._unit), source=told(self.source))
        if self.value is None:
            return result
        return f"{say('prediction.guessed', guess=written(self.value, self._unit))} {result}"

    def draw(self) -> Figure | None:
        """The result as a bar or a curve, and the guess if there is one."""
        if self._choices:
            return None
        return self._draw_curve() if self._along else self._draw_bars()

    def _draw_curve(self) -> Figure:
        figure, axes = canvas(2.4)
        dress(axes, "", self._x, self._unit)
        if self.value is not None:
            guessed = [np.nan if point is None else point for point in self.value]
            axes.plot(self._along, guessed, color=PALETTE["prompted"], linestyle="--", marker=".")
            said = say("prediction.predicted")
            note(axes, (self._along[0], guessed[0]), said, color=PALETTE["prompted"])
        axes.plot(self._along, self.result, color=INK, marker=".")
        end = self._along[-1], self.result[-1]
        note(axes, end, say("prediction.measured"), ha="right", va="bottom")
        return figure

    def _draw_bars(self) -> Figure:
        shown = {"measured": self.result}
        if self.value is not None:
            shown = {"predicted": self.value} | shown
        figure, axes = canvas(0.7 + 0.4 * len(shown))
        dress(axes, "", self._unit, "")
        axes.grid(visible=False)
        axes.set_yticks(range(len(shown)), [say(f"prediction.{name}") for name in shown])
        axes.tick_params(axis="y", labelcolor=INK, labelsize=9)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        for place, (name, value) in enumerate(shown.items()):
            self._draw_bar(axes, place, name, value)
        axes.axvline(0, color=MUTED, linewidth=0.6)
        reached = [*shown.values(), *self._ends, 0.0]
        low, high = min(reached), max(reached)
        room = 0.2 * ((high - low) or 1.0)
        axes.set_xlim(low - room * (low < 0), high + room * (high > 0 or low == 0))
        for name, value in shown.items():
            self._make_room(axes, *self._beside(name, value))
        (low, high), (least, most) = axes.get_xlim(), self._limits
        low, high = max(low, least), min(high, most)  # no share lies beyond 100%
        axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
        axes.spines["bottom"].set_bounds(low, high)
        return figure

    def _draw_bar(self, axes: Axes, place: int, name: str, value: float) -> None:
        measured = name == "measured"
        axes.barh(place, value, height=0.6, color=INK if measured else PALETTE["prompted"])
        reach = self._ends if measured else []
        at = [place] * len(reach)
        axes.plot(reach, at, color=PAPER, linewidth=4.5)  # on the bar and beyond it
        axes.plot(reach, at, color=MUTED, linewidth=2, marker="|")
        end, said, side = self._beside(name, value)
        note(axes, (end, place), f" {said} ", va="center", fontsize=9, ha=side)

    def _beside(self, name: str, value: float) -> tuple[float, str, str]:
        """Where a bar's number stands, what it says, and which end of it that place is."""
        whole = self.interval if name == "measured" and self.interval is not None else value
        reached = [value, *(self._ends if name == "measured" else [])]
        if max(reached) > 0 or min(reached) == 0:
            return max(reached), written(whole), "left"
        return min(reached), written(whole), "right"

    @staticmethod
    def _make_room(axes: Axes, end: float, said: str, side: str) -> None:
        """Let the axis go on for the number, by about what it needs of the picture's width."""
        low, high = axes.get_xlim()
        need = min((len(said) + 2) * LETTER / LENGTH, 0.9)
        if side == "left":
            high = max(high, (end - need * low) / (1 - need))
        else:
            low = min(low, (end - need * high) / (1 - need))
        axes.set_xlim(low, high)

    def close(self) -> None:
        for link in self._links:
            link.unlink()
        self._links = []
        super().close()


def worth(outcome: Outcome) -> float | None:
    """How good the guess is: 1, one half or 0; None while there is none.

    A number is right within the result's interval or near it: 5 points of a share, 2 of a
    difference of shares, a tenth of any other result; the wrong sign isn't near. A curve is right
    by its mean distance: a tenth of the result's range.
    """
    guess, result = outcome.value, outcome.result
    if guess is None:
        return None
    if isinstance(result, str):
        return SPOT if guess == result else 0.0
    if isinstance(result, list):
        pairs = [(g, r) for g, r in zip(guess, result, strict=True) if g is not None]
        error = sum(abs(g - r) for g, r in pairs) / len(pairs)
        unit = 0.1 * ((max(result) - min(result)) or abs(result[0]) or 1.0)
    else:
        low, high = outcome._ends or (result, result)
        error = max(low - guess, guess - high, 0.0)
        if outcome._unit.startswith("%"):
            unit = 5.0
        else:
            unit = 2.0 if counts_points(outcome._unit) else 0.1 * (abs(result) or 1.0)
        if guess * result < 0 and error > unit:
            return 0.0
    return SPOT if error <= unit else NEAR if error <= 3 * unit else 0.0


class Row(NamedTuple):
    """A guess whose result is out."""

    question: str
    guess: str
    result: str
    worth: float | None


class PredictionScore(LiveWidget):
    """How well the guesses did whose names begin with ``prefix``, such as "05": those revealed.

    It follows while the reader reveals more of them.
    """

    scripts = ("prediction_score.js",)
    styles = ("prediction_score.css",)
    speaks = ("prediction",)
    source = ""

    points = traitlets.Float(0.0).tag(sync=True)
    """What the guesses are worth together; the most is the number of `rows`."""
    rows = traitlets.List().tag(sync=True)
    """A `Row` for each question whose result is out."""
    waiting = traitlets.Int(0).tag(sync=True)
    """Results that are still behind their buttons."""

    def __init__(self, prefix: str):
        self.prefix = prefix
        super().__init__()
        _scores.add(self)
        self.look()

    def look(self) -> None:
        """Count anew."""
        mine = [one for name, one in _outcomes.items() if name.startswith(self.prefix)]
        rows = [_row(one) for one in mine if one.revealed]
        with self.hold_sync():
            self.rows = [row._asdict() for row in rows]
            self.points = sum(row.worth or 0.0 for row in rows)
            self.waiting = len(mine) - len(rows)

    @property
    def words(self) -> str:
        if not self.rows:
            return say("prediction.unscored")
        guessed = sum(row["worth"] is not None for row in self.rows)
        counts = {"points": f"{self.points:g}", "most": len(self.rows), "guessed": guessed}
        return say("prediction.total", **counts)

    def close(self) -> None:
        _scores.discard(self)
        super().close()


def _row(outcome: Outcome) -> Row:
    shown = outcome.result if outcome.interval is None else outcome.interval
    unit, value = outcome._unit, outcome.value
    guess = "" if value is None else written(value, unit)
    return Row(outcome.heading, guess, written(shown, unit), worth(outcome))
