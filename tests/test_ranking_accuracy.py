"""Accuracy on pairs, counted a second way."""

import numpy as np
import pytest
import torch

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.ranking_accuracy import accuracy, score_rankings, shares_in_order
from minirlhf.objectives import ranking_loss

RANKINGS = [
    {"prompt": "a", "completions": ["1", "22", "333"], "ranks": [3, 2, 1]},
    {"prompt": "b", "completions": ["1", "22"], "ranks": [1, 2]},
    {"prompt": "c", "completions": ["1", "22", "333"], "ranks": [1, 1, 1]},
]
RANKS = [row["ranks"] for row in RANKINGS]


def longer(prompts, completions):
    """A reward model that likes it long."""
    return torch.tensor([float(len(text)) for text in completions])


def test_scores_come_back_by_prompt():
    assert score_rankings(longer, RANKINGS) == [[1.0, 2.0, 3.0], [1.0, 2.0], [1.0, 2.0, 3.0]]


def test_a_share_is_that_of_the_loss_and_a_prompt_of_ties_has_none():
    """Eq. 1's own count of pairs in order, prompt by prompt."""
    scores = score_rankings(longer, RANKINGS)
    shares = shares_in_order(scores, RANKS)
    for row, ranks, share in zip(scores[:2], RANKS, shares, strict=False):
        found = ranking_loss(
            torch.tensor([row]), torch.tensor([ranks]), torch.ones(1, len(row), dtype=bool)
        )
        assert share == found.correct / found.pairs
    assert shares[:2].tolist() == [1.0, 0.0] and np.isnan(shares[2])


def test_prompts_count_alike_however_many_pairs_they_have():
    """Three right pairs and one wrong one: a mean over pairs would be three quarters."""
    found = accuracy(score_rankings(longer, RANKINGS), RANKS)
    assert found.mean == 0.5 and found.n == 2 and found.low == 0.0 and found.high == 1.0


def test_a_pair_that_either_side_ties_does_not_count():
    assert shares_in_order([[1.0, 1.0, 0.0]], [[1, 2, 3]]).tolist() == [1.0]
    assert shares_in_order([[3.0, 1.0, 2.0]], [[1, 1, 2]]).tolist() == [0.5]


def test_scores_that_do_not_fit_are_refused():
    with pytest.raises(MinirlhfError, match="needs a score"):
        accuracy([[1.0]], [[1, 2]])
