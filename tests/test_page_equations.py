"""What the page computes while one drags is what `objectives` computes."""

import functools
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from py_mini_racer import MiniRacer

from minirlhf import objectives
from minirlhf.widgets.live_widget import PAGE


@functools.cache
def engine() -> MiniRacer:
    context = MiniRacer()
    context.eval((PAGE / "equations.js").read_text("utf-8"))
    return context


def page(function: str, *arguments):
    """What a function of the page's code gives for these arguments."""
    given = ", ".join(json.dumps(argument) for argument in arguments)
    return json.loads(engine().eval(f"JSON.stringify({function}({given}))"))


def double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


numbers = st.floats(-30, 30, allow_nan=False).map(lambda x: round(x, 3))
near = pytest.approx


@st.composite
def rankings(draw):
    K = draw(st.integers(2, 9))
    return (
        draw(st.lists(numbers, min_size=K, max_size=K)),
        draw(st.lists(st.integers(1, K), min_size=K, max_size=K)),
    )


@given(rankings())
@settings(deadline=None)
def test_equation_1_and_its_gradient(ranking):
    scores, ranks = ranking
    found = page("rankingLoss", scores, ranks)
    leaf = torch.tensor([scores], requires_grad=True)
    ours = objectives.ranking_loss(leaf, torch.tensor([ranks]), torch.ones(1, len(ranks)).bool())
    ours.loss.backward()
    assert found["loss"] == near(ours.loss.item(), abs=2e-5)
    assert found["gradient"] == near(leaf.grad[0].tolist(), abs=2e-6)
    assert (len(found["pairs"]), found["correct"]) == (int(ours.pairs), int(ours.correct))
    wins = objectives.ranked_pairs(torch.tensor([ranks]), torch.ones(1, len(ranks)).bool())[0]
    assert [[pair["winner"], pair["loser"]] for pair in found["pairs"]] == wins.nonzero().tolist()
    shares = sum(pair["loss"] for pair in found["pairs"]) / max(len(found["pairs"]), 1)
    assert found["loss"] == near(shares)


def test_equation_1_far_out_stays_finite():
    found = page("rankingLoss", [-1e4, 1e4], [1, 2])
    assert found["loss"] == near(2e4) and found["gradient"] == near([-1.0, 1.0])
    assert page("rankingLoss", [0.0, 0.0], [1, 2])["loss"] == near(math.log(2))


@st.composite
def responses(draw):
    T = draw(st.integers(1, 12))
    columns = (draw(st.lists(numbers, min_size=T, max_size=T)) for _ in range(3))
    return (*columns, draw(numbers), draw(st.floats(0, 1)), draw(st.floats(0.5, 1)))


@given(responses())
@settings(deadline=None)
def test_rewards_and_advantages(response):
    logprobs, reference, values, score, factor, discount = response
    mask = torch.ones(1, len(values)).bool()
    rewards = page("shapedRewards", logprobs, reference, score, factor)
    ours = objectives.shaped_rewards(
        double([score]), double([logprobs]), double([reference]), mask, factor
    )
    assert rewards == near(ours[0].tolist(), abs=1e-4)
    found = page("gae", rewards, values, discount, factor)
    truth = objectives.gae(double([rewards]), double([values]), mask, discount, factor)
    assert found["advantages"] == near(truth.advantages[0].tolist(), abs=1e-3, rel=1e-4)
    assert found["returns"] == near(truth.returns[0].tolist(), abs=1e-3, rel=1e-4)


@given(st.floats(0.05, 4), numbers, st.floats(0.01, 0.9))
@settings(deadline=None)
def test_the_clipped_loss_and_its_slope(ratio, advantage, clip):
    if min(abs(ratio - 1 - clip), abs(ratio - 1 + clip)) < 1e-4:
        return  # the corner has no slope
    mask = torch.ones(1, 1).bool()
    leaf = torch.tensor([[math.log(ratio)]], requires_grad=True)
    ours = objectives.policy_loss(leaf, torch.zeros(1, 1), torch.tensor([[advantage]]), mask, clip)
    ours.backward()
    assert page("policyLoss", ratio, advantage, clip) == near(ours.item(), abs=1e-4, rel=1e-5)
    slope = float(leaf.grad[0, 0]) / ratio  # by ρ, not by its logarithm
    assert page("policySlope", ratio, advantage, clip) == near(slope, abs=1e-4, rel=1e-4)


@given(numbers, numbers, numbers, st.floats(0.01, 1))
@settings(deadline=None)
def test_the_clipped_value_loss(value, old, target, clip):
    mask = torch.ones(1, 1).bool()
    rows = (torch.tensor([[x]]) for x in (value, old, target))
    ours = float(objectives.value_loss(*rows, mask, clip))
    assert page("valueLoss", value, old, target, clip) == near(ours, abs=1e-3, rel=1e-4)
