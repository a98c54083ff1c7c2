"""What a start knows before anybody has ranked anything: the head alone, on a few rankings.

A scalar head on a frozen backbone is Eq. 1 in a linear model: convex, solved in a few steps of
Newton's. How its accuracy grows with the rankings tells knowledge from preference: who knows what
texts are like but not what people like starts near a coin and rises.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from minirlhf.data.shared_prompts import branch
from minirlhf.data.tokenization import encode_completions, encode_prompts
from minirlhf.evaluate.ranking_accuracy import shares_in_order
from minirlhf.fast.mask_support import attention_mask
from minirlhf.models import ScalarModel
from minirlhf.randomness import permutation

Features = Sequence[np.ndarray]
"""For each ranked prompt what is seen of its completions: float ``[K, d]``."""
Ranks = Sequence[Sequence[float]]
STEPS, CLOSE = 50, 1e-6


@torch.no_grad()
def last_states(
    model: ScalarModel, tokenizer, prompts: Sequence[str], completions: Sequence[str]
) -> np.ndarray:
    """What the head sees of each completion, the state of its end token: float64 ``[N, d]``."""
    model.eval()
    ids = encode_prompts(tokenizer, prompts), encode_completions(tokenizer, completions)
    found = np.empty((len(prompts), model.head.in_features))
    for batch in branch(*ids, tokenizer.pad_token_id, device=model.device):
        batch = batch.to(model.device)
        states = model.hidden_states(
            batch.tokens,
            attention_mask=attention_mask(model.classifier.base_model, batch.mask),
            position_ids=batch.positions,
        )
        found[batch.rows] = states.index_select(0, batch.last).double().cpu().numpy()
    return found


def fit(features: Features, ranks: Ranks, ridge: float = 1.0) -> np.ndarray:
    """The head that minimises Eq. 1, a mean over each prompt's pairs, plus ``ridge`` / 2 · |w|².

    The sum goes over prompts, so that a ridge weighs less the more of them there are. Returns
    float64 ``[d]``, zeros if all is tied.
    """
    pairs, weights = [], []
    for seen, order in zip(features, ranks, strict=True):
        place = np.asarray(order)
        better, worse = np.nonzero(place[:, None] < place[None])
        pairs.append(seen[better] - seen[worse])
        weights.append(np.full(len(better), 1.0 / max(len(better), 1)))
    gaps, weight = np.concatenate(pairs), np.concatenate(weights)
    head = np.zeros(gaps.shape[1])
    for _ in range(STEPS):
        wrong = 1.0 / (1.0 + np.exp(np.clip(gaps @ head, -50, 50)))
        slope = ridge * head - gaps.T @ (weight * wrong)
        bend = (gaps * (weight * wrong * (1.0 - wrong))[:, None]).T @ gaps
        step = np.linalg.solve(bend + ridge * np.eye(len(head)), slope)
        head -= step
        if np.abs(step).max() < CLOSE:
            break
    return head


def standardised(features: Features, like: Features) -> list[np.ndarray]:
    """``features`` with the mean and spread that those of ``like`` have brought to 0 and 1."""
    every = np.concatenate(list(like))
    mean, spread = every.mean(0), every.std(0)
    return [(seen - mean) / np.where(spread > 0, spread, 1.0) for seen in features]


def curve(
    train: tuple[Features, Ranks],
    held_out: tuple[Features, Ranks],
    counts: Sequence[int],
    *,
    draws: Sequence[int],
    ridge: float = 1.0,
    seed: int = 0,
) -> dict[int, list[float]]:
    """Accuracy on held-out rankings of heads fitted to so many, one for each draw of them."""
    (seen, ranks), (others, order) = train, held_out
    known, asked = standardised(seen, seen), standardised(others, seen)
    found: dict[int, list[float]] = {}
    for count, times in zip(counts, draws, strict=True):
        for draw in range(times):
            chosen = permutation(len(known), seed, "head alone", count, draw)[:count].tolist()
            head = fit([known[i] for i in chosen], [ranks[i] for i in chosen], ridge)
            shares = shares_in_order([list(x @ head) for x in asked], order)
            found.setdefault(count, []).append(float(np.nanmean(shares)))
    return found
