"""Questions of ex06, second half: losses and steps."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.grading.bank import cases
from minirlhf.grading.question_kinds import FunctionQuestion, MeasuredQuestion
from minirlhf.grading.trial import Inputs

CLIP = 0.2

# ----------------------------------------------------------------------------------- clipped losses


def _surrogate(g: Generator) -> Inputs:
    B, T, lengths = cases.rows(g)
    mask = cases.right_padded(lengths, T)
    old = cases.logprobs(g, mask)
    return {
        "logprobs": torch.where(mask, cases.near(g, old, 0.5), -1.0),
        "old_logprobs": torch.where(mask, old, -3.0),
        "advantages": torch.where(mask, cases.normal(g, B, T), 2.0),
        "mask": mask,
        "clip": CLIP,
    }


def policy_loss(p, old, A, m, clip) -> Tensor:
    return objectives.policy_loss(p, old, A, m, clip)


def _both(p, old, A, clip) -> tuple[Tensor, Tensor]:
    """The loss of each token, unclipped and clipped."""
    ratio = (p - old).exp()
    return -A * ratio, -A * ratio.clamp(1 - clip, 1 + clip)


def _rowwise(x: Tensor, m: Tensor) -> Tensor:
    return (torch.where(m, x, 0.0).sum(1) / m.sum(1)).mean()


def _only_above(p, old, A, m, clip):
    ratio = (p - old).exp()
    worse = torch.maximum(-A * ratio, -A * ratio.clamp(max=1 + clip))
    return objectives.masked_mean(worse, m)


def _log_ratio(p, old, A, m, clip):
    ratio = p - old
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return objectives.masked_mean(torch.maximum(-A * ratio, -A * clipped), m)


POLICY_LOSS = FunctionQuestion(
    key="ppo.policy_loss",
    exercise="ex06",
    source="§3.5, C.4",
    symbol="objectives.policy_loss",
    points=3,
    minutes=15,
    difficulty=2,
    reference=policy_loss,
    inputs=_surrogate,
    differentiable=("logprobs",),
    wrong={
        "sign": lambda p, o, A, m, c: -policy_loss(p, o, A, m, c),
        "optimistic": lambda p, o, A, m, c: objectives.masked_mean(
            torch.minimum(*_both(p, o, A, c)), m
        ),
        "unclipped": lambda p, o, A, m, c: objectives.masked_mean(_both(p, o, A, c)[0], m),
        "always-clipped": lambda p, o, A, m, c: objectives.masked_mean(_both(p, o, A, c)[1], m),
        "inverted": lambda p, o, A, m, c: policy_loss(o, p, A, m, c),
        "log-ratio": _log_ratio,
        "only-above": _only_above,
        "padding-counted": lambda p, o, A, m, c: torch.maximum(*_both(p, o, A, c)).mean(),
        "zeros-averaged": lambda p, o, A, m, c: torch.where(
            m, torch.maximum(*_both(p, o, A, c)), 0.0
        ).mean(),
        "mean-of-rows": lambda p, o, A, m, c: _rowwise(torch.maximum(*_both(p, o, A, c)), m),
        "sum": lambda p, o, A, m, c: policy_loss(p, o, A, m, c) * m.sum(),
        "detached": lambda p, o, A, m, c: policy_loss(p.detach(), o, A, m, c),
    },
)


def _fitted(g: Generator) -> Inputs:
    B, T, lengths = cases.rows(g)
    mask = cases.right_padded(lengths, T)
    old = cases.normal(g, B, T)
    return {
        "values": torch.where(mask, old + cases.normal(g, B, T, scale=0.4), 0.0),
        "old_values": old,
        "returns": torch.where(mask, old + cases.normal(g, B, T), cases.JUNK),
        "mask": mask,
        "clip": CLIP,
    }


def value_loss(v, old, R, m, clip) -> Tensor:
    return objectives.value_loss(v, old, R, m, clip)


def _squares(v, old, R, clip) -> tuple[Tensor, Tensor]:
    return (v - R) ** 2, (torch.clamp(v, old - clip, old + clip) - R) ** 2


VALUE_LOSS = FunctionQuestion(
    key="ppo.value_loss",
    exercise="ex06",
    source="§3.5, C.4",
    symbol="objectives.value_loss",
    points=2,
    minutes=10,
    difficulty=2,
    reference=value_loss,
    inputs=_fitted,
    differentiable=("values",),
    wrong={
        "no-half": lambda v, o, R, m, c: 2 * value_loss(v, o, R, m, c),
        "unclipped": lambda v, o, R, m, c: value_loss(v, o, R, m, None),
        "always-clipped": lambda v, o, R, m, c: (
            0.5 * objectives.masked_mean(_squares(v, o, R, c)[1], m)
        ),
        "smaller": lambda v, o, R, m, c: (
            0.5 * objectives.masked_mean(torch.minimum(*_squares(v, o, R, c)), m)
        ),
        "around-returns": lambda v, o, R, m, c: (
            0.5 * objectives.masked_mean(_squares(v, R, R, c)[1], m)
        ),
        "around-zero": lambda v, o, R, m, c: (
            0.5 * objectives.masked_mean(torch.maximum(*_squares(v, o * 0, R, c)), m)
        ),
        "padding-counted": lambda v, o, R, m, c: 0.5 * torch.maximum(*_squares(v, o, R, c)).mean(),
        "mean-of-rows": lambda v, o, R, m, c: (
            0.5 * _rowwise(torch.maximum(*_squares(v, o, R, c)), m)
        ),
        "absolute": lambda v, o, R, m, c: (
            0.5 * objectives.masked_mean(torch.maximum(*_squares(v, o, R, c)).sqrt(), m)
        ),
        "detached": lambda v, o, R, m, c: value_loss(v.detach(), o, R, m, c),
    },
)

# ---------------------------------------------------------------------------------- the step of ptx


def _two_losses(g: Generator) -> Inputs:
    """A policy of V logits: PPO's loss is a quadratic here, pretraining a handful of tokens."""
    V = cases.integer(g, 3, 6)
    target, curve = cases.normal(g, V), torch.rand(V, generator=g) + 0.5
    tokens = torch.randint(V, (cases.integer(g, 2, 5),), generator=g)
    return {
        "weights": cases.normal(g, V),
        "ppo_loss": lambda w: (curve * (w - target) ** 2).sum(),
        "pretraining_logprobs": lambda w: torch.log_softmax(w, -1)[tokens],
        "gamma": 0.5 * cases.integer(g, 3, 9),
        "rate": 0.1 * cases.integer(g, 1, 5),
    }


def _gradient(loss, weights: Tensor) -> Tensor:
    leaf = weights.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf)[0]


def ptx_step(weights, ppo_loss, pretraining_logprobs, gamma, rate, both: float = 1.0) -> Tensor:
    """One step down both gradients, taken at the same weights."""
    every = torch.ones_like(pretraining_logprobs(weights), dtype=torch.bool)
    ptx = _gradient(lambda w: objectives.ptx_loss(pretraining_logprobs(w), every), weights)
    return weights.detach() - rate * (both * _gradient(ppo_loss, weights) + gamma * ptx)


def _one_after_the_other(w, ppo, ptx, gamma, rate):
    moved = ptx_step(w, ppo, ptx, 0.0, rate)
    return ptx_step(moved, ppo, ptx, gamma, rate, both=0.0)


def _summed(w, ppo, ptx, gamma, rate):
    return ptx_step(w, ppo, ptx, gamma * len(ptx(w)), rate)


PTX_STEP = FunctionQuestion(
    key="ppo.ptx_step",
    exercise="ex06",
    source="Eq. 2, C.4",
    symbol="objectives.ptx_loss",
    points=3,
    minutes=15,
    difficulty=2,
    reference=ptx_step,
    inputs=_two_losses,
    wrong={
        "sign": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, -g, r),
        "uphill": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, g, -r),
        "two-steps": _one_after_the_other,
        "sum": _summed,
        "no-gamma": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, 1.0, r),
        "gamma-on-ppo": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, 1.0, r, both=g),
        "gamma-on-both": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, g, r, both=g),
        "no-ptx": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, 0.0, r),
        "no-ppo": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, g, r, both=0.0),
        "gradient": lambda w, ppo, ptx, g, r: w - ptx_step(w, ppo, ptx, g, 1.0),
        "unmoved": lambda w, ppo, ptx, g, r: w.clone(),
    },
)

# ------------------------------------------------------------------------ a bug: nothing ever clips


def _bandit(g: Generator) -> Inputs:
    V = cases.integer(g, 3, 5)
    N = cases.integer(g, 4, 8)
    return {
        "logits": cases.normal(g, V),
        "actions": torch.randint(V, (N,), generator=g),
        "advantages": cases.normal(g, N, scale=2.0),
        "steps": cases.integer(g, 4, 6),
        "rate": 0.5,
        "clip": 0.1,
    }


def updates(logits, actions, advantages, steps, rate, clip, refresh=False, sign=1.0) -> Tensor:
    """A few steps of PPO on one batch of a bandit; ``refresh`` recomputes the old log-probs."""
    logits, mask = logits.detach().clone(), torch.ones_like(actions, dtype=torch.bool)
    old = torch.log_softmax(logits, -1)[actions]
    for _ in range(steps):
        if refresh:
            old = torch.log_softmax(logits, -1)[actions]

        def loss(leaf: Tensor, old: Tensor = old) -> Tensor:
            new = torch.log_softmax(leaf, -1)[actions]
            return objectives.policy_loss(new, old, advantages, mask, clip)

        logits = logits - sign * rate * _gradient(loss, logits)
    return logits


NEVER_CLIPPED = FunctionQuestion(
    key="ppo.bug",
    exercise="ex06",
    source="§3.5, C.4",
    symbol="objectives.policy_loss",
    points=3,
    minutes=15,
    difficulty=3,
    reference=updates,
    inputs=_bandit,
    wrong={
        "as-found": lambda *a: updates(*a, refresh=True),
        "unmoved": lambda l, *_: l.clone(),
        "uphill": lambda *a: updates(*a, sign=-1.0),
        "one-step": lambda l, a, A, n, r, c: updates(l, a, A, 1, r, c),
        "unclipped": lambda l, a, A, n, r, c: updates(l, a, A, n, r, 1e9),
        "one-more-step": lambda l, a, A, n, r, c: updates(l, a, A, n + 1, r, c),
    },
)

# ------------------------------------------------------------------------------ predict and measure

N = 8
BEST_OF_N_KL = MeasuredQuestion(
    key="ppo.best_of_n_kl",
    exercise="ex06",
    source="§3.5, Eq. 2",
    symbol="objectives.best_of_n",
    points=2,
    minutes=15,
    difficulty=2,
    expected=lambda: math.log(N) - (N - 1) / N,
    tolerance=0.1,
    wrong={
        "log-n": math.log(N),
        "n": float(N),
        "bits": math.log2(N),
        "reverse": N - 1 - math.log(N),
    },
)

QUESTIONS = (POLICY_LOSS, VALUE_LOSS, PTX_STEP, NEVER_CLIPPED, BEST_OF_N_KL)
