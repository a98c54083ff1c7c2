"""Questions of ex07: six runs with one bug each, told from their curves and samples."""

from __future__ import annotations

from minirlhf.grading.choices import ChoiceQuestion

CAUSES = {
    "reference-moves": "A",
    "score-everywhere": "B",
    "penalty-reversed": "C",
    "old-recomputed": "D",
    "value-forgotten": "E",
    "sampled-colder": "F",
}
"""The letter of each; G and H are causes of none."""


def _about(number: str, run: str, reason: str) -> ChoiceQuestion:
    return ChoiceQuestion(
        key=f"runs.{number}",
        exercise="ex07",
        source="§3.5, C.4",
        symbol="ppo.train_ppo",
        points=2,
        minutes=6,
        difficulty=2,
        right=CAUSES[run],
        letters="ABCDEFGH",
        reason=reason,
        reasons="ABCD",
        about="runs.causes",
    )


QUESTIONS = (
    _about("one", "score-everywhere", "B"),
    _about("two", "old-recomputed", "C"),
    _about("three", "reference-moves", "A"),
    _about("four", "value-forgotten", "D"),
    _about("five", "sampled-colder", "B"),
    _about("six", "penalty-reversed", "C"),
)
