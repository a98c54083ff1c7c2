"""What a question is, and what is said of an answer.

`FunctionQuestion` asks for a function and compares it with a reference on random inputs; those that
ask for a letter are in `choices`. Each knows wrong answers by name, with a message of their own in
``messages.toml``.
"""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from minirlhf.grading.diagnosis import Shown, diagnose
from minirlhf.grading.messages import say
from minirlhf.grading.side_by_side import side_by_side
from minirlhf.grading.time_limit import LIMIT
from minirlhf.grading.trial import Inputs

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
    table: str = ""
    """Lines of fixed width, where a mistake is shown."""
    tried: str = ""
    """What is kept of an answer whose later tries are worth less."""

    @property
    def right(self) -> bool:
        return not self.mistake

    def __repr__(self) -> str:
        sign = _MARK[self.right][2]
        head = say("board.points", points=self.points, out_of=self.out_of)
        return f"{sign} {self.key}: {head} {self.message}\n{self.table}".rstrip()

    def _repr_html_(self) -> str:
        color, ground, sign = _MARK[self.right]
        head = say("board.points", points=self.points, out_of=self.out_of)
        body = html.escape(self.message).replace("\n", "<br>")
        table = (
            f'<pre style="color:{color};background:{ground};margin:.4em 0 0;line-height:1.3;'
            f'overflow-x:auto">{html.escape(self.table)}</pre>'
            if self.table
            else ""
        )
        return (
            f'<div style="color:{color};background:{ground};border-left:4px solid {color};'
            f'padding:.5em .8em;max-width:46em;line-height:1.45">'
            f"<b>{sign} {html.escape(self.key)}: {head}</b> {body}{table}</div>"
        )


@dataclass(frozen=True)
class Submission:
    """An answer, and what `check` knows beside it."""

    answer: Any
    predicted: Any = None
    reason: Any = None
    seconds: float | None = LIMIT
    """A function has so many; None: no limit."""
    tried: tuple[str, ...] = ()
    """Earlier tries, where these are kept."""
    closed: Mapping[str, str] = field(default_factory=dict)
    """What of the package may not be called yet, each with the question that opens it."""


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
    def judge(self, given: Submission) -> Verdict:
        """The verdict on an answer that isn't empty."""

    def verdict(self, answer: Any, predicted: Any = None, **known: Any) -> Verdict:
        """Points, or the named mistake. Whatever the answer is, this doesn't raise.

        ``known`` is what else a `Submission` holds.
        """
        if answer is None or answer is ...:
            return self.refused("unwritten", say("common.unwritten"))
        return self.judge(Submission(answer, predicted, **known))

    def refused(self, mistake: str, message: str, **more: str) -> Verdict:
        """No points."""
        return Verdict(self.key, 0, self.points, mistake, message, **more)

    def passed(self, message: str, points: int | None = None, tried: str = "") -> Verdict:
        """All points, or so many; the reason is told."""
        points = self.points if points is None else points
        message = f"{message}\n{self.why()}"
        return Verdict(self.key, points, self.points, "", message, tried=tried)

    def told_by(self, mistake: str) -> str:
        """The key of the message of a mistake that it knows."""
        return f"{self.key}.{mistake}"

    def facts(self) -> str:
        """Objective, difficulty, minutes, points and source, in a line of Markdown."""
        dots = "●" * self.difficulty + "○" * (3 - self.difficulty)
        return say(
            "board.facts",
            objective=say(f"{self.key}.objective"),
            dots=dots,
            minutes=self.minutes,
            points=self.points,
            source=self.source.replace("Eq.", say("board.equation")),
        )

    def why(self) -> str:
        """Why the right answer is right, in two lines."""
        return say(f"{self.key}.why")

    def hint(self, rung: int = 1) -> str:
        """Where to look; from the second rung on, what to do."""
        if rung > 1:
            return say(f"{self.key}.recipe")
        more = say("common.more", question=self.key)
        return say(f"{self.key}.hint") + "\n" + more


@dataclass(frozen=True, kw_only=True)
class FunctionQuestion(Question):
    """A function to write or to mend."""

    reference: Callable[..., Any]
    inputs: Callable[[torch.Generator], Inputs]
    """The arguments by name, in order, of one random case."""
    wrong: Mapping[str, Callable[..., Any] | tuple[Callable[..., Any], ...]]
    """Wrong answers by name, one or several ways of writing each; ``zero`` is known to all."""
    differentiable: tuple[str, ...] = ()
    """Arguments by which the answer is differentiated too."""
    detached: bool = False
    """Whether no result may carry gradients."""
    cases: int = 6
    closed: tuple[str, ...] = ()
    """Functions of the package, beside ``symbol``, that would be the answer."""
    open: bool = False
    """Whether it may call what other questions ask for, even before these are answered."""
    outcome: Callable[[Any, Inputs], Any] | None = None
    """The tensors to compare, made of what an answer returns and of its arguments after the call;
    none: what it returns."""
    results: tuple[str, ...] = ()
    """What the results are called, where there are several."""
    terms: Callable[..., torch.Tensor] | None = None
    """What the right answer takes the mean of, ``[B, T]``, to be shown beside a wrong one."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        return (*(() if self.outcome else ("zero",)), *self.wrong)

    def judge(self, given: Submission) -> Verdict:
        found = diagnose(self, given.answer, given.seconds, given.closed)
        if not found.name:
            return self.passed(say("common.right"))
        own = f"{self.key}.{found.name}"
        message = say(own if own in say else f"common.{found.name}", **found.fields)
        return self.refused(found.name, message, table=self._table(found.shown))

    def _table(self, shown: Shown | None) -> str:
        if shown is None:
            return ""
        terms = self.terms(**shown.case) if self.terms else None
        table = side_by_side(shown.case, shown.compared, shown.results, say, terms)
        if not self.results:
            return table
        return say("table.place", name=self.results[shown.place]) + "\n" + table
