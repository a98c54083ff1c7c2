"""What checks an answer: ``check``, ``hint`` and ``progress``.

    check("rm.ranking_loss", my_function)    points, or the mistake by its name
    hint("rm.ranking_loss")                  where to look; with a 2, what to do
    progress()                               what is done, what is left, and where that is kept

The questions are in `bank`; `trial` tries a function, `questions` says what is wrong with it.
"""

from minirlhf.grading.bank import exercise, question, questions
from minirlhf.grading.checking import check, hint
from minirlhf.grading.question_kinds import Question, Verdict
from minirlhf.grading.scoreboard import progress
from minirlhf.grading.shown_runs import show_run

__all__ = [
    "Question",
    "Verdict",
    "check",
    "exercise",
    "hint",
    "progress",
    "question",
    "questions",
    "show_run",
]
