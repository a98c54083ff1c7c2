"""Questions of ex06, third quarter: the losses."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.grading.bank import cases
from minirlhf.grading.question_kinds import FunctionQuestion
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


def _gains(p: Tensor, old: Tensor, A: Tensor, clip: float) -> Tensor:
    """The right loss of each token."""
    return torch.maximum(*_both(p, old, A, clip))


def _of_ratio(ratio_of):
    """Something else in the place of the ratio."""

    def loss(p, old, A, m, clip):
        ratio = ratio_of(p, old, m)
        worse = torch.maximum(-A * ratio, -A * ratio.clamp(1 - clip, 1 + clip))
        return objectives.masked_mean(worse, m)

    return loss


def _around_zero(p, old, A, m, clip):
    ratio = (p - old).exp()
    return objectives.masked_mean(torch.maximum(-A * ratio, -A * ratio.clamp(-clip, clip)), m)


def _mean_first(p, old, A, m, clip):
    return torch.maximum(*(objectives.masked_mean(x, m) for x in _both(p, old, A, clip)))


def _only_above(p, old, A, m, clip):
    ratio = (p - old).exp()
    worse = torch.maximum(-A * ratio, -A * ratio.clamp(max=1 + clip))
    return objectives.masked_mean(worse, m)


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
    terms=lambda logprobs, old_logprobs, advantages, mask, clip: torch.where(
        mask, _gains(logprobs, old_logprobs, advantages, clip), 0.0
    ),
    wrong={
        "sign": lambda p, o, A, m, c: -policy_loss(p, o, A, m, c),
        "optimistic": lambda p, o, A, m, c: objectives.masked_mean(
            torch.minimum(*_both(p, o, A, c)), m
        ),
        "unclipped": lambda p, o, A, m, c: objectives.masked_mean(_both(p, o, A, c)[0], m),
        "always-clipped": lambda p, o, A, m, c: objectives.masked_mean(_both(p, o, A, c)[1], m),
        "inverted": lambda p, o, A, m, c: policy_loss(o, p, A, m, c),
        "log-ratio": _of_ratio(lambda p, old, m: p - old),
        "quotient": _of_ratio(lambda p, old, m: p / old),
        "whole-response": _of_ratio(
            lambda p, old, m: torch.where(m, p - old, 0.0).sum(1, keepdim=True).exp()
        ),
        "dual-clip": lambda p, o, A, m, c: objectives.masked_mean(
            torch.where(A < 0, torch.minimum(_gains(p, o, A, c), -3.0 * A), _gains(p, o, A, c)), m
        ),
        "old-renewed": _of_ratio(lambda p, old, m: (p - p.detach()).exp()),
        "clip-around-zero": _around_zero,
        "log-clipped": lambda p, o, A, m, c: objectives.masked_mean(
            torch.maximum(-A * (p - o).exp(), -A * (p - o).clamp(-c, c).exp()), m
        ),
        "mean-then-minimum": _mean_first,
        "reinforce": lambda p, o, A, m, c: objectives.masked_mean(-A * p, m),
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
    old, wanted = cases.normal(g, B, T), cases.normal(g, B, T)
    step = cases.normal(g, B, T, scale=0.4)
    if cases.integer(g, 0, 1) == 0:
        step = 0.5 * step + 0.8 * wanted  # towards the returns, so that the clip costs something
    return {
        "values": torch.where(mask, old + step, 0.0),
        "old_values": old,
        "returns": torch.where(mask, old + wanted, cases.JUNK),
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
    terms=lambda values, old_values, returns, mask, clip: torch.where(
        mask, torch.maximum(*_squares(values, old_values, returns, clip)) / 2, 0.0
    ),
    wrong={
        "sign": lambda v, o, R, m, c: -value_loss(v, o, R, m, c),
        "no-half": lambda v, o, R, m, c: 2 * value_loss(v, o, R, m, c),
        "unclipped-no-half": lambda v, o, R, m, c: 2 * value_loss(v, o, R, m, None),
        "zeros-averaged": lambda v, o, R, m, c: value_loss(v, o, R, m, c) * m.float().mean(),
        "sum": lambda v, o, R, m, c: value_loss(v, o, R, m, c) * m.sum(),
        "mean-then-maximum": lambda v, o, R, m, c: (
            0.5 * torch.maximum(*(objectives.masked_mean(x, m) for x in _squares(v, o, R, c)))
        ),
        "difference-for-value": lambda v, o, R, m, c: (
            0.5
            * objectives.masked_mean(
                torch.maximum((v - R) ** 2, ((v - o).clamp(-c, c) - R) ** 2), m
            )
        ),
        "relative-clip": lambda v, o, R, m, c: (
            0.5
            * objectives.masked_mean(
                torch.maximum((v - R) ** 2, (torch.clamp(v, o * (1 - c), o * (1 + c)) - R) ** 2), m
            )
        ),
        "against-old": lambda v, o, R, m, c: 0.5 * objectives.masked_mean((v - o) ** 2, m),
        "old-for-new": lambda v, o, R, m, c: 0.5 * objectives.masked_mean((o - R) ** 2, m),
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

QUESTIONS = (POLICY_LOSS, VALUE_LOSS)
