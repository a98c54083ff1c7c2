"""What a question is, and what is said of an answer.

`FunctionQuestion` asks for a function and compares it with a reference on random inputs;
`ChoiceQuestion` for a letter; `MeasuredQuestion` for a guess and then a measurement. Each knows
wrong answers by name, with a message of their own in ``messages.toml``.
"""

from __future__ import annotations

import html
import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from minirlhf.grading.diagnosis import diagnose
from minirlhf.grading.time_limit import LIMIT
from minirlhf.grading.trial import Inputs
from minirlhf.lesson.languages import Texts

say = Texts(Path(__file__).parent / "messages.toml")
_MARK = {True: ("#0b5d34", "#e3f5ea", "✓"), False: ("#7a2b10", "#fbe9e2", "✗")}
"""Text colour, its own background, and a sign, for right and not yet right."""


@dataclass(frozen=True)
class Verdict:
    """What `check` says: points, and the name of the mistake if there is one."""

    key: str
    points: int
    out_of: int
    mistake: str
    message: str

    @property
    def right(self) -> bool:
        return not self.mistake

    def __repr__(self) -> str:
        sign = _MARK[self.right][2]
        head = say("board.points", points=self.points, out_of=self.out_of)
        return f"{sign} {self.key}: {head} {self.message}".rstrip()

    def _repr_html_(self) -> str:
        color, ground, sign = _MARK[self.right]
        head = say("board.points", points=self.points, out_of=self.out_of)
        body = html.escape(self.message).replace("\n", "<br>")
        return (
            f'<div style="color:{color};background:{ground};border-left:4px solid {color};'
            f'padding:.5em .8em;max-width:46em;line-height:1.45">'
            f"<b>{sign} {html.escape(self.key)}: {head}</b> {body}</div>"
        )


@dataclass(frozen=True, kw_only=True)
class Question(ABC):
    """One question of an exercise."""

    key: str
    exercise: str
    """``ex04`` and so on."""
    source: str
    """Where the paper has it."""
    symbol: str = ""
    """What the package has for it, such as ``objectives.ranking_loss``."""
    points: int
    minutes: int
    difficulty: int
    """1 to 3."""

    @property
    @abstractmethod
    def mistakes(self) -> tuple[str, ...]:
        """The names of the wrong answers it knows."""

    @abstractmethod
    def judge(self, answer: Any, predicted: float | None, seconds: float | None) -> tuple[str, str]:
        """The mistake's name and message; no name if the answer is right."""

    def verdict(
        self, answer: Any, predicted: float | None = None, seconds: float | None = LIMIT
    ) -> Verdict:
        """Points, or the named mistake. Whatever the answer is, this doesn't raise.

        A function has so many ``seconds``; None: no limit.
        """
        if answer is None or answer is ...:
            mistake, message = "unwritten", say("common.unwritten")
        else:
            mistake, message = self.judge(answer, predicted, seconds)
        points = 0 if mistake else self.points
        return Verdict(self.key, points, self.points, mistake, message)

    def facts(self) -> str:
        """Objective, difficulty, minutes, points and source, in a line of Markdown."""
        dots = "●" * self.difficulty + "○" * (3 - self.difficulty)
        return say(
            "board.facts",
            objective=say(f"{self.key}.objective"),
            dots=dots,
            minutes=self.minutes,
            points=self.points,
            source=self.source,
        )

    def hint(self) -> str:
        return say(f"{self.key}.hint")


@dataclass(frozen=True, kw_only=True)
class FunctionQuestion(Question):
    """A function to write or to mend."""

    reference: Callable[..., Any]
    inputs: Callable[[torch.Generator], Inputs]
    """The arguments by name, in order, of one random case."""
    wrong: Mapping[str, Callable[..., Any]]
    """Wrong answers by name; ``zero`` is known to every question."""
    differentiable: tuple[str, ...] = ()
    """Arguments by which the answer is differentiated too."""
    cases: int = 6

    @property
    def mistakes(self) -> tuple[str, ...]:
        return ("zero", *self.wrong)

    def judge(self, answer: Any, predicted: float | None, seconds: float | None) -> tuple[str, str]:
        name, fields = diagnose(self, answer, seconds)
        if not name:
            return "", say("common.right")
        own = f"{self.key}.{name}"
        return name, say(own if own in say else f"common.{name}", **fields)


@dataclass(frozen=True, kw_only=True)
class ChoiceQuestion(Question):
    """One of several letters."""

    right: str
    letters: str

    @property
    def mistakes(self) -> tuple[str, ...]:
        return tuple(letter for letter in self.letters if letter != self.right)

    def judge(self, answer: Any, predicted: float | None, seconds: float | None) -> tuple[str, str]:
        letter = answer.strip().upper() if isinstance(answer, str) else ""
        if letter not in tuple(self.letters):
            return "no-letter", say("common.no-letter", letters=", ".join(self.letters))
        if letter == self.right:
            return "", say(f"{self.key}.right")
        return letter, say(f"{self.key}.{letter}")


@dataclass(frozen=True, kw_only=True)
class MeasuredQuestion(Question):
    """A guess, then a measurement: the measurement is checked, the guess only has to be there."""

    expected: Callable[[], float]
    """What the measurement comes to, by theory or by our own runs."""
    tolerance: float
    """How far a run of the student's may be off, as stated in the exercise."""
    wrong: Mapping[str, float]
    """Values that come of known mistakes."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        return ("zero", *self.wrong)

    def judge(self, answer: Any, predicted: float | None, seconds: float | None) -> tuple[str, str]:
        measured, guess = _number(answer), _number(predicted)
        if measured is None:
            return "no-number", say("common.no-number")
        if guess is None:
            return "no-guess", say("common.no-guess")
        expected = self.expected()
        if abs(measured - expected) <= self.tolerance:
            off = abs(measured - guess)
            return "", say("common.measured", measured=measured, guess=guess, off=off)
        for name, value in {"zero": 0.0, **self.wrong}.items():
            if abs(measured - value) <= self.tolerance:
                own = f"{self.key}.{name}"
                return name, say(own if own in say else f"common.measured-{name}")
        return "off", say("common.off", measured=measured, tolerance=self.tolerance)


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # an integer may be longer
            return float(value) if math.isfinite(value) else None
    return None
