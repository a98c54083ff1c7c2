"""``check`` and ``hint``."""

from __future__ import annotations

from typing import Any

from minirlhf.grading import scoreboard
from minirlhf.grading.bank import question
from minirlhf.grading.question_kinds import Verdict
from minirlhf.grading.time_limit import LIMIT


def check(
    key: str, answer: Any, predicted: float | None = None, *, seconds: float | None = LIMIT
) -> Verdict:
    """Check an answer: a function, a letter, or a measured number with the guess before it.

    Takes milliseconds on a CPU, and never raises for what an answer does. A function may take up to
    ``seconds``; None: as long as it likes, in the caller's own thread, as a debugger wants it. What
    was earned is kept; `progress` shows it. Raises `MinirlhfError` where there is no such question.
    """
    verdict = question(key).verdict(answer, predicted, seconds)
    scoreboard.record(verdict)
    return verdict


class Hint(str):
    """A text that shows without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def hint(key: str) -> Hint:
    """A push in the right direction. Raises `MinirlhfError` for a question that doesn't exist."""
    return Hint(question(key).hint())
