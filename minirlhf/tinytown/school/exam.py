"""How right the answers are, on requests that no lesson had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from minirlhf.tinytown.school import by_word, questions
from minirlhf.tinytown.school.lessons import Row, batch
from minirlhf.tinytown.school.pupil import SUBJECTS, Pupil

AT_ONCE = 16
"""Rows read together."""


@torch.no_grad()
def marks(pupil: Pupil, rows: Sequence[Row], pad: int) -> dict[str, dict[str, Any]]:
    """For each question at each of its layers: how often it is answered rightly.

    ``right`` is the share of right answers, ``balanced`` the mean of that over yes and no, ``yes``
    how often yes is right. About whole texts only at their ends; there ``apart`` is the share of
    pairs of replies to one request, right answers unlike, in which the yes is the likelier one.
    """
    pupil.eval()
    said: dict[str, list[np.ndarray]] = {}
    apart: list[tuple[np.ndarray, np.ndarray]] = []
    ordered = sorted(rows, key=lambda r: len(r.tokens))
    for start in range(0, len(ordered), AT_ONCE):
        lesson = batch(ordered[start : start + AT_ONCE], pad)
        found = pupil(lesson)
        for subject in SUBJECTS:
            for layer in pupil.layers_of(subject):
                name = f"{subject.name} {layer}"
                logits, truth = found[name]
                if subject.truth == "answers":
                    logits, truth = logits[lesson.final], truth[lesson.final]
                    replies = [int(r.branch.max()) for r in ordered[start : start + AT_ONCE]]
                    cuts = np.cumsum(replies)[:-1]
                    apart += zip(
                        np.split(logits.numpy(), cuts), np.split(truth.numpy(), cuts), strict=True
                    )
                both = np.stack([logits.numpy() > 0, truth.numpy()], axis=-1)
                said.setdefault(name, []).append(both.astype(np.int8))
    pupil.train()
    marked = {
        f"{name}: {question}": _mark(*np.concatenate(pieces)[:, column].T)
        for subject in SUBJECTS
        for layer in pupil.layers_of(subject)
        for name in [f"{subject.name} {layer}"]
        for pieces in [said[name]]
        for column, question in enumerate(subject.questions)
    }
    shares = told_apart(*zip(*apart, strict=True))
    for question, share in zip(questions.QUESTIONS, shares, strict=True):
        marked[f"texts {pupil.layers}: {question}"]["apart"] = float(share)
    return marked


def told_apart(logits: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> np.ndarray:
    """Of each question: the share of pairs within a request that are in the right order."""
    right, pairs = 0.0, 0.0
    for said, true in zip(logits, truth, strict=True):
        unlike = (true[:, None] == 1) & (true[None] == 0)
        right = right + (unlike * (said[:, None] > said[None])).sum((0, 1))
        pairs = pairs + unlike.sum((0, 1))
    return np.where(pairs > 0, right / np.maximum(pairs, 1), np.nan)


def _mark(said: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    asked = truth != by_word.UNASKED
    said, truth = said[asked], truth[asked]
    yes, no = said[truth == 1], said[truth == 0]
    each = [side.mean() for side in (yes == 1, no == 0) if len(side)]
    return {
        "right": float((said == truth).mean()) if len(truth) else float("nan"),
        "balanced": float(np.mean(each)) if each else float("nan"),
        "yes": float(truth.mean()) if len(truth) else float("nan"),
        "asked": len(truth),
    }


def report(found: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of all marks."""
    lines = [
        "| question, and layer | yes | right | balanced | told apart |",
        "|---|---|---|---|---|",
    ]
    for name, mark in found.items():
        figures = [mark["yes"], mark["right"], mark["balanced"], mark.get("apart", float("nan"))]
        shown = ["–" if np.isnan(figure) else f"{figure:.3f}" for figure in figures]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"
