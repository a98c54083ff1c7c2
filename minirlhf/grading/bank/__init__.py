"""The questions, in the order of the course: some modules for each exercise.

Each has a reference, a maker of random inputs, and the wrong answers that it knows by name.
"""

from __future__ import annotations

import difflib

from minirlhf.errors import MinirlhfError
from minirlhf.grading.bank import (
    ex04,
    ex05_ranking_loss,
    ex05_scores,
    ex06_advantages,
    ex06_losses,
    ex06_rewards,
    ex06_updates,
    ex07_advantages,
    ex07_rollout,
    ex07_runs,
    ex07_steps,
)
from minirlhf.grading.question_kinds import Question

_MODULES = (
    ex04,
    ex05_ranking_loss,
    ex05_scores,
    ex06_rewards,
    ex06_advantages,
    ex06_losses,
    ex06_updates,
    ex07_rollout,
    ex07_advantages,
    ex07_steps,
    ex07_runs,
)
_BANK = {question.key: question for module in _MODULES for question in module.QUESTIONS}


def questions() -> tuple[Question, ...]:
    """All questions."""
    return tuple(_BANK.values())


def exercise(name: str) -> tuple[Question, ...]:
    """The questions of one exercise, such as ``ex05``."""
    return tuple(question for question in questions() if question.exercise == name)


def question(key: str) -> Question:
    """The question under ``key``. Raises `MinirlhfError` if there is none; names the nearest."""
    if key not in _BANK:
        near = difflib.get_close_matches(str(key), _BANK, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}?" if near else f"they are {', '.join(_BANK)}."
        raise MinirlhfError(f"There is no question {key!r}: {hint}")
    return _BANK[key]
