"""``check`` and ``hint``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from minirlhf.grading import scoreboard
from minirlhf.grading.bank import question, questions
from minirlhf.grading.question_kinds import FunctionQuestion, Question, Verdict
from minirlhf.grading.time_limit import LIMIT


def check(
    key: str,
    answer: Any,
    predicted: float | None = None,
    reason: str | None = None,
    *,
    seconds: float | None = LIMIT,
) -> Verdict:
    """Check an answer: a function, a letter, or a measured number with the guess before it.

    Where a question asks for a ``reason``, that is a letter. Takes milliseconds on a CPU, and never
    raises for what an answer does. A function may take up to ``seconds``; None: as long as it
    likes, in the caller's own thread, as a debugger wants it. What was earned is kept; `progress`
    shows it. Raises `MinirlhfError` where there is no such question.
    """
    asked, kept = question(key), {}
    with suppress(OSError):
        kept = scoreboard.load()
    verdict = asked.verdict(
        answer,
        predicted,
        reason=reason,
        seconds=seconds,
        tried=tuple(kept.get(key, {}).get("tried", ())),
        closed=_closed(asked, kept),
    )
    scoreboard.record(verdict)
    return verdict


def _closed(asked: Question, kept: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The functions that other questions ask for and no answer has opened yet."""
    if getattr(asked, "open", False):
        return {}
    of = [q for q in questions() if isinstance(q, FunctionQuestion) and q.symbol != asked.symbol]
    opened = {q.symbol for q in of if kept.get(q.key, {}).get("points")}
    return {q.symbol: q.key for q in reversed(of) if q.symbol not in opened}


class Hint(str):
    """A text that shows without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def hint(key: str, rung: int = 1) -> Hint:
    """Where to look, and on the second ``rung`` what to do.

    Raises `MinirlhfError` for a question that doesn't exist.
    """
    return Hint(question(key).hint(rung))
