"""Questions of ex06, last quarter: steps, and how far they lead."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.grading.bank import cases
from minirlhf.grading.choices import MeasuredQuestion
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.trial import Inputs

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


def _ptx_first(w, ppo, ptx, gamma, rate):
    moved = ptx_step(w, ppo, ptx, gamma, rate, both=0.0)
    return ptx_step(moved, ppo, ptx, 0.0, rate)


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
        "uphill-on-ppo": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, g, r, both=-1.0),
        "two-steps": (_one_after_the_other, _ptx_first),
        "no-rate": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, g, 1.0),
        "mixed": lambda w, ppo, ptx, g, r: ptx_step(w, ppo, ptx, g, r, both=1 - g),
        "sum": _summed,
        "log-of-mean": lambda w, ppo, ptx, g, r: ptx_step(
            w, ppo, lambda v: ptx(v).exp().mean(0, keepdim=True).log(), g, r
        ),
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


def updates(
    logits: Tensor,
    actions: Tensor,
    advantages: Tensor,
    steps: int,
    rate: float,
    clip: float,
    refresh: bool = False,
    behind: bool = False,
    piled: bool = False,
    power: float = 1.0,
    pick: Callable[[Tensor, Tensor], Tensor] = torch.minimum,
) -> Tensor:
    """A few steps of PPO on one batch of a bandit.

    ``refresh`` takes the old log-probs anew in each step, ``behind`` from the step before;
    gradients may be ``piled`` up, the ratio be taken to a ``power``; ``pick`` is of the plain gain
    and the clipped one.
    """
    logits, pile = logits.detach().clone(), torch.zeros_like(logits)
    old = torch.log_softmax(logits, -1)[actions]
    for _ in range(steps):
        old = torch.log_softmax(logits, -1)[actions] if refresh else old

        def loss(leaf: Tensor, old: Tensor = old) -> Tensor:
            ratio = (torch.log_softmax(leaf, -1)[actions] - old).mul(power).exp()
            clipped = ratio.clamp(1 - clip, 1 + clip)
            return -pick(ratio * advantages, clipped * advantages).mean()

        gradient = _gradient(loss, logits)
        old = torch.log_softmax(logits, -1)[actions] if behind else old
        pile = pile + gradient if piled else gradient
        logits = logits - rate * pile
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
        "uphill": lambda l, a, A, n, r, c: updates(l, a, A, n, -r, c),
        "one-step": lambda l, a, A, n, r, c: updates(l, a, A, 1, r, c),
        "one-step-fewer": lambda l, a, A, n, r, c: updates(l, a, A, n - 1, r, c),
        "one-more-step": lambda l, a, A, n, r, c: updates(l, a, A, n + 1, r, c),
        "one-behind": lambda *a: updates(*a, behind=True),
        "gradients-pile-up": lambda *a: updates(*a, piled=True),
        "unclipped": lambda *a: updates(*a, pick=lambda plain, clipped: plain),
        "always-clipped": lambda *a: updates(*a, pick=lambda plain, clipped: clipped),
        "optimistic": lambda *a: updates(*a, pick=torch.maximum),
        "inverted": lambda *a: updates(*a, power=-1.0),
        "sum": lambda l, a, A, n, r, c: updates(l, a, A, n, r * len(a), c),
    },
)

# ------------------------------------------------------------------------------ predict and measure

N = 8
BEST_OF_N_KL = MeasuredQuestion(
    key="ppo.best_of_n_kl",
    exercise="ex06",
    source="§3.5, Eq. 2",
    symbol="objectives.best_of_n",
    points=3,
    minutes=15,
    difficulty=2,
    expected=lambda: math.log(N) - (N - 1) / N,
    tolerance=0.1,
    near=0.25,
    right="B",
    letters="ABCD",
    wrong={
        "log-n": math.log(N),
        "n": float(N),
        "bits": math.log2(N),
        "reverse": N - 1 - math.log(N),
    },
)

QUESTIONS = (PTX_STEP, NEVER_CLIPPED, BEST_OF_N_KL)
