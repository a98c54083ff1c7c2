"""A prediction: asked for before a result is shown, and compared with it when the reader says so.

guess = Prediction("How often …?", "chapter05.ties", unit="%")    where it is asked
guess.reveal(72.6)                                                an `Outcome`, where it comes out
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.statistics import Interval
from minirlhf.widgets.outcome import Outcome
from minirlhf.widgets.question import Question, first_reach, limits, written
from minirlhf.widgets.words import say

remembered: dict[str, dict[str, Any]] = {}
"""What was entered and whether the result is out, by name: running the cells again keeps it."""


class Prediction(Question):
    """A place to guess a number, one of ``choices``, or a curve over ``along``; or nothing.

    ``name`` keeps the guess while the kernel lives. ``unit`` stands behind a number; in percent it
    lies within 0 and 100. Where else ``low`` and ``high`` are, the caller may say: nothing beyond
    them is accepted. ``reach`` is where the axis begins and ends at first; a guess beyond it
    stretches it. ``x`` names what a curve runs along. `reveal` makes what compares the guess with
    the result. Raises `MinirlhfError` for a reach that isn't within the limits.
    """

    def __init__(
        self,
        question: str,
        name: str,
        *,
        choices: Sequence[str] = (),
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
        reach: tuple[float, float] | None = None,
        along: Sequence[float] = (),
        x: str = "",
    ):
        self.name = name
        self.outcome: Outcome | None = None
        kept = remembered.setdefault(name, {"value": None, "revealed": False})
        within = limits(unit, low, high)
        ends = [float(end) for end in reach or first_reach(within)]
        if not within[0] <= ends[0] < ends[1] <= within[1]:
            raise MinirlhfError(
                f"reach={reach}: an axis has two ends, within {within[0]:g} and {within[1]:g} here."
            )
        super().__init__(
            _question=question,
            _unit=unit,
            _choices=[str(choice) for choice in choices],
            _limits=within,
            _reach=ends,
            _along=[float(place) for place in along],
            _x=x,
            revealed=kept["revealed"],
        )
        try:
            self.value = kept["value"]
        except MinirlhfError:  # the question has changed since
            kept.update(value=None, revealed=False)
            self.revealed = False
        self.observe(self._remember, ["value", "revealed"])

    def _remember(self, change: dict[str, Any]) -> None:
        remembered.setdefault(self.name, {})[change["name"]] = change["new"]

    def reveal(
        self, result: float | str | Interval | Sequence[float], source: str = "live"
    ) -> Outcome:
        """What came out, to be displayed: behind a button, beside what was predicted.

        An `Interval` is shown with its ends. ``source`` says where the result comes from, such as
        "shipped run". A later call takes the place of an earlier one.

        Raises:
            MinirlhfError: the result isn't one of the choices, or no curve of as many values.
        """
        if self.choices and result not in self.choices:
            raise MinirlhfError(f"{result!r} isn't one of {', '.join(self.choices)}.")
        if self._along and len(result) != len(self._along):  # type: ignore[arg-type]
            raise MinirlhfError(f"A curve over {len(self._along)} places has as many values.")
        if self.outcome is not None:
            self.outcome.close()
        self.outcome = Outcome(self, result, source)
        return self.outcome

    @property
    def words(self) -> str:
        if self.value is None:
            return say("prediction.open")
        return say("prediction.guessed", guess=written(self.value, self._unit))
