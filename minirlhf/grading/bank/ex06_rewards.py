"""Questions of ex06, first quarter: KL and rewards."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.grading.bank import cases
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.trial import Inputs

# ----------------------------------------------------------------------------- estimators of the KL


def _two_policies(g: Generator) -> Inputs:
    shape = cases.integer(g, 2, 4), cases.integer(g, 3, 6)
    old = -(torch.rand(shape, generator=g) * 3 + 0.05)
    new = cases.near(g, old, 0.8)
    new[-1, 0] = old[-1, 0] - 4.0  # a token that the policy has all but given up
    return {"logprobs": new, "reference": old}


K1 = FunctionQuestion(
    key="ppo.k1",
    exercise="ex06",
    source="§3.5, Eq. 2",
    symbol="objectives.kl_k1",
    points=1,
    minutes=5,
    difficulty=1,
    reference=lambda logprobs, reference: objectives.kl_k1(logprobs, reference),
    inputs=_two_policies,
    differentiable=("logprobs",),
    wrong={
        "sign": lambda p, q: q - p,
        "magnitude": lambda p, q: (p - q).abs(),
        "ratio": lambda p, q: (p - q).exp(),
        "probabilities": lambda p, q: p.exp() - q.exp(),
        "weighted": (lambda p, q: p.exp() * (p - q), lambda p, q: q.exp() * (p - q)),
        "k2": lambda p, q: objectives.kl_k2(p, q),
        "square": lambda p, q: (p - q) ** 2,
        "k3": lambda p, q: objectives.kl_k3(p, q),
        "quotient": lambda p, q: p / q,
        "log-twice": lambda p, q: torch.log(p / q),
        "added": lambda p, q: p + q,
        "positive-only": lambda p, q: (p - q).clamp(min=0),
        "only-policy": (lambda p, q: p.clone(), lambda p, q: -p),
        "averaged": lambda p, q: (p - q).mean(),
        "detached": lambda p, q: (p - q).detach(),
    },
)

K3 = FunctionQuestion(
    key="ppo.k3",
    exercise="ex06",
    source="§3.5, Eq. 2",
    symbol="objectives.kl_k3",
    points=2,
    minutes=10,
    difficulty=2,
    reference=lambda logprobs, reference: objectives.kl_k3(logprobs, reference),
    inputs=_two_policies,
    differentiable=("logprobs",),
    wrong={
        "direction": lambda p, q: (p - q).exp() - 1 - (p - q),
        "sign": lambda p, q: -objectives.kl_k3(p, q),
        "k1": lambda p, q: p - q,
        "k2": lambda p, q: objectives.kl_k2(p, q),
        "no-one": lambda p, q: (q - p).exp() - (q - p),
        "no-logarithm": lambda p, q: (q - p).exp() - 1,
        "mixed": (
            lambda p, q: (q - p).exp() - 1 - (p - q),
            lambda p, q: (p - q).exp() - 1 - (q - p),
        ),
        "quotient": (
            lambda p, q: q / p - 1 - torch.log(q / p),
            lambda p, q: q / p - 1 - (q - p),
        ),
        "no-exponential": (lambda p, q: torch.full_like(p, -1.0), lambda p, q: q - p - 1),
        "one-added": lambda p, q: (q - p).exp() + 1 - (q - p),
        "averaged": lambda p, q: objectives.kl_k3(p, q).mean(),
        "clamped": lambda p, q: objectives.kl_k3(p, q).clamp(max=10.0),
    },
)

# ----------------------------------------------------------------------------------- shaped rewards


def _episodes(g: Generator) -> Inputs:
    B, T, lengths = cases.rows(g)
    mask = cases.right_padded(lengths, T)
    old, scores = cases.logprobs(g, mask), cases.normal(g, B, scale=2.0)
    scores[0] += scores[0].sign() * 12.0  # as far out as scores of a reward model may be
    return {
        "scores": scores,
        "logprobs": torch.where(mask, cases.near(g, old, 0.7), -1.0),
        "reference": old,
        "mask": mask,
        "beta": 0.05 * cases.integer(g, 3, 8),
    }


def shaped(scores, logprobs, reference, mask, beta) -> Tensor:
    return objectives.shaped_rewards(scores, logprobs, reference, mask, beta)


def _penalty(p: Tensor, q: Tensor, mask: Tensor, beta: float) -> Tensor:
    return torch.where(mask, -beta * (p - q), 0.0)


def _overwritten(rewards: Tensor, s: Tensor, mask: Tensor) -> Tensor:
    """The score in place of what the last token pays."""
    last = cases.at(objectives.last_token(mask), rewards).bool()
    return torch.where(last, s[:, None], rewards)


def _in_all_rows(s, p, q, m, beta):
    """``rewards[:, last] += scores``: each row's score lands in the others' last columns, too."""
    rewards = _penalty(p, q, m, beta)
    rewards[:, objectives.last_token(m)] += s
    return rewards


def _at_the_end(s, p, q, m, beta):
    kl = torch.where(m, p - q, 0.0).sum(1)
    return cases.at(objectives.last_token(m), p) * (s - beta * kl)[:, None]


SHAPED = FunctionQuestion(
    key="ppo.shaped_rewards",
    exercise="ex06",
    source="§3.5, Eq. 2",
    symbol="objectives.shaped_rewards",
    points=3,
    minutes=15,
    difficulty=2,
    reference=shaped,
    inputs=_episodes,
    wrong={
        "bonus": lambda s, p, q, m, b: shaped(s, p, q, m, -b),
        "last-unpaid": (
            lambda s, p, q, m, b: _overwritten(_penalty(p, q, m, b), s, m),
            lambda s, p, q, m, b: _overwritten(-b * (p - q), s, m),
        ),
        "one-early": lambda s, p, q, m, b: (
            _penalty(p, q, m, b) + cases.at(m.sum(1) - 2, p) * s[:, None]
        ),
        "all-rows": _in_all_rows,
        "spread": lambda s, p, q, m, b: _penalty(p, q, m, b) + m * (s / m.sum(1))[:, None],
        "magnitude": lambda s, p, q, m, b: shaped(s, (p - q).abs(), 0 * q, m, b),
        "probabilities": lambda s, p, q, m, b: shaped(s, p.exp(), q.exp(), m, b),
        "score-clipped": lambda s, p, q, m, b: shaped(s.clamp(-5.0, 5.0), p, q, m, b),
        "score-negated": lambda s, p, q, m, b: shaped(-s, p, q, m, b),
        "no-reference": lambda s, p, q, m, b: shaped(s, p, 0 * q, m, b),
        "everywhere": lambda s, p, q, m, b: _penalty(p, q, m, b) + s[:, None] * m,
        "last-column": (
            lambda s, p, q, m, b: _penalty(p, q, m, b) + cases.at(m.shape[1] - 1, p) * s[:, None],
            lambda s, p, q, m, b: (
                _penalty(p, q, m, b) + cases.at(m.shape[1] - 1, p) * m * s[:, None]
            ),
        ),
        "first": lambda s, p, q, m, b: _penalty(p, q, m, b) + cases.at(0, p) * s[:, None],
        "one-late": (
            lambda s, p, q, m, b: _penalty(p, q, m, b) + cases.at(m.sum(1), p) * s[:, None],
            lambda s, p, q, m, b: (
                _penalty(p, q, m, b) + cases.at(m.sum(1).clamp(max=m.shape[1] - 1), p) * s[:, None]
            ),
        ),
        "no-beta": lambda s, p, q, m, b: shaped(s, p, q, m, 1.0),
        "beta-on-both": lambda s, p, q, m, b: shaped(b * s, p, q, m, b),
        "no-penalty": lambda s, p, q, m, b: shaped(s, p, q, m, 0.0),
        "no-score": lambda s, p, q, m, b: _penalty(p, q, m, b),
        "kl-at-the-end": _at_the_end,
        "padding": lambda s, p, q, m, b: shaped(s, p, q, m, b) + _penalty(p, q, ~m, b),
        "k3": lambda s, p, q, m, b: (
            torch.where(m, -b * objectives.kl_k3(p, q), 0.0)
            + cases.at(objectives.last_token(m), p) * s[:, None]
        ),
    },
)

QUESTIONS = (K1, K3, SHAPED)
