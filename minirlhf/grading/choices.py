"""Questions that a letter answers: later tries are worth less, so trying all of them earns little.

`ChoiceQuestion` asks for one, or for one and the reason for it; `MeasuredQuestion` for a guess, its
reason and a measurement.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from minirlhf.grading.messages import say
from minirlhf.grading.question_kinds import Question, Submission, Verdict


@dataclass(frozen=True, kw_only=True)
class ChoiceQuestion(Question):
    """One of several letters; with ``reasons``, one of those as well."""

    right: str
    letters: str
    reason: str = ""
    reasons: str = ""
    about: str = ""
    """Where the messages of wrong letters stand, if not under the question's own key."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        letters = tuple(letter for letter in self.letters if letter != self.right)
        return letters + tuple(f"reason-{r}" for r in self.reasons if r != self.reason)

    def told_by(self, mistake: str) -> str:
        return f"{self.about if self.about and mistake in self.letters else self.key}.{mistake}"

    def judge(self, given: Submission) -> Verdict:
        letter, reason = as_letter(given.answer, self.letters), ""
        if not letter:
            return self.refused("no-letter", say("common.no-letter", letters=spaced(self.letters)))
        if self.reasons:
            reason = as_letter(given.reason, self.reasons)
            if not reason:
                letters = spaced(self.reasons)
                return self.refused("no-reason", say("common.no-reason", letters=letters))
        tried = letter + reason
        if letter != self.right:
            return self.refused(letter, say(self.told_by(letter)), tried=tried)
        if reason != self.reason:
            name = f"reason-{reason}"
            return self.refused(name, say(self.told_by(name)), tried=tried)
        return self.passed(*worth(self.points, given.tried, tried), tried=tried)


@dataclass(frozen=True, kw_only=True)
class MeasuredQuestion(Question):
    """A guess with its reason, then a measurement: a point for being near, the rest for the reason.

    The first guess counts. The measurement is checked, and earns nothing by itself.
    """

    expected: Callable[[], float]
    """What the measurement comes to, by theory or by our own runs."""
    tolerance: float
    """How far a run of the student's may be off, as stated in the exercise."""
    near: float
    """How far a guess may be off to count as near."""
    right: str
    letters: str
    """Of the reasons."""
    wrong: Mapping[str, float]
    """Values that come of known mistakes."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        reasons = tuple(f"reason-{letter}" for letter in self.letters if letter != self.right)
        return ("zero", *self.wrong, *reasons)

    def judge(self, given: Submission) -> Verdict:
        measured, guess = as_number(given.answer), as_number(given.predicted)
        if measured is None:
            return self.refused("no-number", say("common.no-number"))
        if guess is None:
            return self.refused("no-guess", say("common.no-guess"))
        reason = as_letter(given.reason, self.letters)
        if not reason:
            return self.refused("no-reason", say("common.no-reason", letters=spaced(self.letters)))
        expected = self.expected()
        if abs(measured - expected) > self.tolerance:
            return self._mismeasured(measured)
        first = guess
        with suppress(ValueError, IndexError):
            first = float(given.tried[0].split()[0])
        near = abs(first - expected) <= self.near
        told = "near" if near else "far"
        message = say(f"common.{told}", measured=measured, guess=first, off=abs(first - measured))
        tried = f"{guess!r} {reason}"
        if reason != self.right:
            name = f"reason-{reason}"
            message = f"{message}\n{say(f'{self.key}.{name}')}"
            return Verdict(self.key, int(near), self.points, name, message, tried=tried)
        letters = tuple(entry[-1:] for entry in given.tried)
        said, points = worth(self.points - 1, letters, reason)
        return self.passed(f"{message} {said}", points + near, tried=tried)

    def _mismeasured(self, measured: float) -> Verdict:
        for name, value in {"zero": 0.0, **self.wrong}.items():
            if abs(measured - value) <= self.tolerance:
                own = f"{self.key}.{name}"
                return self.refused(name, say(own if own in say else f"common.measured-{name}"))
        message = say("common.off", measured=measured, tolerance=self.tolerance)
        return self.refused("off", message)


def worth(points: int, tried: Sequence[str], right: str) -> tuple[str, int]:
    """What is said of the right letter, and its points: one less for each wrong one before it."""
    tried = list(dict.fromkeys(tried))
    wrong = tried.index(right) if right in tried else len(tried)
    left = max(points - wrong, 0)
    return (say("common.right") if left == points else say("common.late", tries=wrong + 1)), left


def as_letter(value: Any, letters: str) -> str:
    """One of the letters, or nothing."""
    letter = value.strip().upper() if isinstance(value, str) else ""
    return letter if letter in tuple(letters) else ""


def spaced(letters: str) -> str:
    return ", ".join(letters)


def as_number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # an integer may be longer
            return float(value) if math.isfinite(value) else None
    return None
