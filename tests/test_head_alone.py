"""The head alone: the minimum of Eq. 1, found another way, and what a curve shows."""

import numpy as np
import pytest
import torch

from minirlhf.evaluate.head_alone import curve, fit, last_states, standardised
from minirlhf.models import ScalarModel
from minirlhf.objectives import ranking_loss
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.reward import score_texts
from minirlhf.tinytown.bases import base_folder


def some(count: int, seed: int, width: int = 5, noise: float = 0.0):
    """Completions ranked by a direction of their features."""
    rng = np.random.default_rng(seed)
    direction = np.arange(1.0, width + 1)
    features = [rng.normal(size=(rng.integers(2, 6), width)) for _ in range(count)]
    scores = [x @ direction + noise * rng.normal(size=len(x)) for x in features]
    return features, [list((-s).argsort().argsort() + 1) for s in scores]


def test_the_head_is_the_minimum_of_equation_1():
    features, ranks = some(40, seed=1, noise=4.0)
    ranks[3] = [1] * len(ranks[3])  # nothing but ties
    ranks[5][0] = ranks[5][1]
    head = torch.tensor(fit(features, ranks, ridge=0.7), requires_grad=True)
    width = max(map(len, ranks))
    valid = torch.tensor([[k < len(r) for k in range(width)] for r in ranks])
    padded = torch.tensor([[*r, *[0] * (width - len(r))] for r in ranks])
    scores = torch.zeros(valid.shape, dtype=torch.float64)
    scores = scores.masked_scatter(valid, torch.tensor(np.concatenate(features)) @ head)
    loss = ranking_loss(scores, padded, valid, 1).loss + 0.35 * head.square().sum()
    loss.backward()
    assert head.grad.abs().max() < 1e-5


def test_nothing_is_learned_from_ties():
    features, _ = some(4, seed=2)
    assert not fit(features, [[1] * len(x) for x in features]).any()


def test_standardised_by_what_was_learned_from():
    features, _ = some(30, seed=3)
    moved = [2.0 * x + 1.0 for x in features]
    assert np.allclose(np.concatenate(standardised(moved, moved)).mean(0), 0.0)
    assert np.allclose(standardised(moved, moved)[4], standardised(features, features)[4])
    constant = [np.ones_like(x) for x in features]
    assert np.isfinite(np.concatenate(standardised(constant, constant))).all()


def test_knowledge_without_preference_starts_low_and_rises():
    train, held_out = some(400, seed=4, width=30), some(100, seed=5, width=30)
    found = curve(train, held_out, (1, 16, 256), draws=(5, 3, 1))
    assert [len(found[count]) for count in (1, 16, 256)] == [5, 3, 1]
    means = [np.mean(found[count]) for count in (1, 16, 256)]
    assert means[0] < 0.75 < means[1] < means[2]
    assert means[2] > 0.93
    noise = [np.random.default_rng(6).normal(size=x.shape) for x in train[0]]
    blind = curve((noise, train[1]), (noise[:100], train[1][:100]), (16,), draws=(5,))
    assert np.mean(blind[16]) == pytest.approx(0.5, abs=0.06)


def test_what_the_head_sees_times_the_head_is_the_score():
    tokenizer = load_tokenizer(base_folder("small"))
    policy = load_policy(base_folder("small"), tokenizer)
    model = ScalarModel.from_policy(policy, tokenizer, 3)
    prompts = ["Write a story about a key.\n"] * 3 + ["What does the cat eat?\n"]
    replies = ["One evening, Mara found a key.", "No.", "A key, a key.", "The cat eats eggs."]
    states = last_states(model, tokenizer, prompts, replies)
    head = model.head.weight.detach().double().numpy()[0]
    scores = score_texts(model, tokenizer, prompts, replies).numpy()
    assert np.allclose(states @ head + float(model.bias), scores, atol=1e-5)
