"""One person's ranking beside a reward model's scores and other people's rankings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from minirlhf import objectives
from minirlhf.data.records import Record

Score = Callable[[list[str], list[str]], Any]
"""Prompts and completions to scores, as `reward.score_texts` gives them with its model."""


class Labeler(Protocol):
    """Somebody else who ranks; Tinytown's labelers are."""

    name: str

    def rank(self, prompt: str, replies: list[str]) -> list[int]: ...


class Comparison(NamedTuple):
    """Your ranking beside a reward model's and other people's."""

    loss: float | None  # Eq. 1 of your ranking under the reward model
    pairs: int  # pairs that you don't tie
    correct: int  # of those, the reward model orders as you do
    scores: list[float]
    agreement: dict[str, float]  # by labeler, over the pairs that neither ties
    others: float | None  # how often those labelers agree with one another


def compare(line: Record, score: Score | None, labelers: Sequence[Labeler]) -> Comparison:
    """Compare a ranking (``prompt``, ``completions``, ``ranks``) with whoever is there."""
    prompt, texts, ranks = line["prompt"], line["completions"], line["ranks"]
    loss, correct, scores = None, 0, []
    pairs = sum(a != b for a, b in combinations(ranks, 2))
    if score is not None:
        given = torch.as_tensor(score([prompt] * len(texts), texts)).float().cpu()
        found = objectives.ranking_loss(
            given[None], torch.tensor([ranks]), torch.ones(1, len(ranks), dtype=torch.bool)
        )
        loss, correct, scores = float(found.loss), int(found.correct), given.tolist()
    theirs = {other.name: other.rank(prompt, texts) for other in labelers}
    agreed = {name: agreement(ranks, other) for name, other in theirs.items()}
    among = [agreement(a, b) for a, b in combinations(theirs.values(), 2)]
    among = [share for share in among if share is not None]
    return Comparison(
        loss if pairs else None,
        pairs,
        correct,
        scores,
        {name: share for name, share in agreed.items() if share is not None},
        float(np.mean(among)) if among else None,
    )


def agreement(one: Sequence[int], other: Sequence[int]) -> float | None:
    """Over the pairs that neither ties, the share ordered alike; None if there are none (§3.4)."""
    alike = [
        (one[i] < one[j]) == (other[i] < other[j])
        for i, j in combinations(range(len(one)), 2)
        if one[i] != one[j] and other[i] != other[j]
    ]
    return sum(alike) / len(alike) if alike else None
