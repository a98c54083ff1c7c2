"""How well scores order what people ranked (§3.5, E.2): accuracy on pairs, prompt by prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.statistics import Interval, over_prompts

Numbers = Sequence[Sequence[float]]
"""A number for each completion of each prompt."""


def score_rankings(
    score: Callable[[list[str], list[str]], Sequence[float]], rankings: Sequence[Mapping[str, Any]]
) -> list[list[float]]:
    """What ``score`` (prompts and completions to numbers) says of every ranking's completions."""
    asked = [row["prompt"] for row in rankings for _ in row["completions"]]
    given = iter(score(asked, [text for row in rankings for text in row["completions"]]))
    return [[float(next(given)) for _ in row["completions"]] for row in rankings]


def shares_in_order(scores: Numbers, ranks: Numbers) -> np.ndarray:
    """For each prompt, the share of its pairs that the scores put in the order of the ranks.

    Scores are the higher the better, ranks the smaller the better. A pair that either side ties
    doesn't count. Returns float64 ``[prompts]``, NaN for a prompt without any pair.

    Raises:
        MinirlhfError: if scores and ranks don't go with one another.
    """
    if [len(row) for row in scores] != [len(row) for row in ranks]:
        raise MinirlhfError("Every ranked completion needs a score, and every score a rank.")
    return np.array([_share(*row) for row in zip(scores, ranks, strict=True)], dtype=float)


def accuracy(scores: Numbers, ranks: Numbers, *, seed: int = 0) -> Interval:
    """Accuracy on pairs (§4.1, E.2): the mean within a prompt, then over prompts, as in Eq. 1.

    The interval is bootstrapped over prompts; those without any pair are left out.
    """
    shares = shares_in_order(scores, ranks)
    return over_prompts(shares[np.isfinite(shares)], seed=seed)


def _share(scores: Sequence[float], ranks: Sequence[float]) -> float:
    pairs = [
        (scores[i] > scores[j]) == (ranks[i] < ranks[j])
        for i, j in combinations(range(len(ranks)), 2)
        if ranks[i] != ranks[j] and scores[i] != scores[j]
    ]
    return float(np.mean(pairs)) if pairs else float("nan")
