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
    ranks: dict[str, list[int]]  # by labeler, where each completion was put

    @property
    def share(self) -> float | None:
        """The mean of `agreement` over the labelers."""
        return float(np.mean(list(self.agreement.values()))) if self.agreement else None


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
        theirs,
    )


def agreement(one: Sequence[int], other: Sequence[int]) -> float | None:
    """Over the pairs that neither ties, the share ordered alike; None if there are none (§3.4)."""
    alike, pairs = _alike(one, other)
    return alike / pairs if pairs else None


def most_alike(
    rankings: Sequence[tuple[Sequence[int], dict[str, list[int]]]],
) -> tuple[str, float, int] | None:
    """Of several rankings, each with other people's by name: who orders most pairs alike.

    Returns the name, the share and the pairs that neither ties, over all rankings together; None if
    there are none.
    """
    counted: dict[str, tuple[int, int]] = {}
    for one, theirs in rankings:
        for name, other in theirs.items():
            alike, pairs = _alike(one, other)
            before = counted.get(name, (0, 0))
            counted[name] = before[0] + alike, before[1] + pairs
    shares = {name: (alike / pairs, pairs) for name, (alike, pairs) in counted.items() if pairs}
    if not shares:
        return None
    name = max(shares, key=lambda name: (*shares[name], name))
    return (name, *shares[name])


def _alike(one: Sequence[int], other: Sequence[int]) -> tuple[int, int]:
    """Pairs ordered alike, and pairs that neither ties."""
    found = [
        (one[i] < one[j]) == (other[i] < other[j])
        for i, j in combinations(range(len(one)), 2)
        if one[i] != one[j] and other[i] != other[j]
    ]
    return sum(found), len(found)


def standing(ranks: Sequence[int]) -> list[int]:
    """The ranks as they were given where they can stand so, else the nearest that can.

    A rank can stand between one more than the different ones above it and the number of all that
    aren't below it: 1, 3, 3, 6, 6, 6 can, of 1, 5, 5, 6, 6, 6 the 5 has to become 3.
    """
    return [min(rank, sum(other <= rank for other in ranks)) for rank in ranks]
