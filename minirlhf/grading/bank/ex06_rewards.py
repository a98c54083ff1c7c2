"""Questions of ex06, first half: KL, rewards, advantages."""

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
    return {"logprobs": cases.near(g, old, 0.8), "reference": old}


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
        "weighted": lambda p, q: p.exp() * (p - q),
        "k2": lambda p, q: objectives.kl_k2(p, q),
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
        "mixed": lambda p, q: (q - p).exp() - 1 - (p - q),
        "averaged": lambda p, q: objectives.kl_k3(p, q).mean(),
    },
)

# ----------------------------------------------------------------------------------- shaped rewards


def _episodes(g: Generator) -> Inputs:
    B, T, lengths = cases.rows(g)
    mask = cases.right_padded(lengths, T)
    old = cases.logprobs(g, mask)
    return {
        "scores": cases.normal(g, B, scale=2.0),
        "logprobs": torch.where(mask, cases.near(g, old, 0.7), -1.0),
        "reference": old,
        "mask": mask,
        "beta": 0.05 * cases.integer(g, 3, 8),
    }


def shaped(scores, logprobs, reference, mask, beta) -> Tensor:
    return objectives.shaped_rewards(scores, logprobs, reference, mask, beta)


def _penalty(p: Tensor, q: Tensor, mask: Tensor, beta: float) -> Tensor:
    return torch.where(mask, -beta * (p - q), 0.0)


def _at(column: Tensor | int, like: Tensor) -> Tensor:
    """1 in one column of each row, 0 elsewhere."""
    column = torch.as_tensor(column).expand(len(like))
    return (torch.arange(like.shape[1]) == column[:, None]).float()


def _at_the_end(s, p, q, m, beta):
    kl = torch.where(m, p - q, 0.0).sum(1)
    return _at(objectives.last_token(m), p) * (s - beta * kl)[:, None]


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
        "everywhere": lambda s, p, q, m, b: _penalty(p, q, m, b) + s[:, None] * m,
        "last-column": lambda s, p, q, m, b: (
            _penalty(p, q, m, b) + _at(m.shape[1] - 1, p) * s[:, None]
        ),
        "first": lambda s, p, q, m, b: _penalty(p, q, m, b) + _at(0, p) * s[:, None],
        "one-late": lambda s, p, q, m, b: _penalty(p, q, m, b) + _at(m.sum(1), p) * s[:, None],
        "no-beta": lambda s, p, q, m, b: shaped(s, p, q, m, 1.0),
        "beta-on-both": lambda s, p, q, m, b: shaped(b * s, p, q, m, b),
        "no-penalty": lambda s, p, q, m, b: shaped(s, p, q, m, 0.0),
        "no-score": lambda s, p, q, m, b: _penalty(p, q, m, b),
        "kl-at-the-end": _at_the_end,
        "padding": lambda s, p, q, m, b: shaped(s, p, q, m, b) + _penalty(p, q, ~m, b),
        "k3": lambda s, p, q, m, b: (
            torch.where(m, -b * objectives.kl_k3(p, q), 0.0)
            + _at(objectives.last_token(m), p) * s[:, None]
        ),
    },
)

# ---------------------------------------------------------------------------------------------- GAE


def _valued(g: Generator) -> Inputs:
    B, T, lengths = cases.rows(g)
    mask = cases.right_padded(lengths, T)
    return {
        "rewards": torch.where(mask, cases.normal(g, B, T), 0.0),
        "values": torch.where(mask, cases.normal(g, B, T), cases.JUNK),
        "mask": mask,
        "lam": 0.1 * cases.integer(g, 5, 9),
    }


def advantages(rewards, values, mask, lam) -> tuple[Tensor, Tensor]:
    return tuple(objectives.gae(rewards, values, mask, lam=lam))


def _recursion(delta: Tensor, lam: float, mask: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Advantages from one-step surprises, and the returns that go with them."""
    out = torch.zeros_like(delta)
    running = torch.zeros_like(delta[:, 0])
    for t in reversed(range(delta.shape[1])):
        running = (delta[:, t] + lam * running) * mask[:, t]
        out[:, t] = running
    return out, torch.where(mask, out + values, 0.0)


def _next(values: Tensor) -> Tensor:
    return torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)


def _into_padding(r, v, m, lam):
    return _recursion(r + _next(v) - v, lam, m, v)


def _no_bootstrap(r, v, m, lam):
    return _recursion(r - v, lam, m, v)


def _forwards(r, v, m, lam):
    v = torch.where(m, v, 0.0)
    delta = torch.where(m, r + _next(v) - v, 0.0)
    out, running = torch.zeros_like(r), torch.zeros_like(r[:, 0])
    for t in range(r.shape[1]):
        running = delta[:, t] + lam * running
        out[:, t] = running
    out = torch.where(m, out, 0.0)
    return out, torch.where(m, out + v, 0.0)


def _same_value(r, v, m, lam):
    """Bootstraps from the last token's own value, as if the episode went on."""
    v = torch.where(m, v, 0.0)
    last = _at(objectives.last_token(m), v)
    return _recursion(r + _next(v) + last * v - v, lam, m, v)


GAE = FunctionQuestion(
    key="ppo.gae",
    exercise="ex06",
    source="§3.5, C.4",
    symbol="objectives.gae",
    points=4,
    minutes=25,
    difficulty=3,
    reference=advantages,
    inputs=_valued,
    wrong={
        "into-padding": _into_padding,
        "no-bootstrap": _no_bootstrap,
        "forwards": _forwards,
        "endless": _same_value,
        "lambda-one": lambda r, v, m, lam: advantages(r, v, m, 1.0),
        "lambda-zero": lambda r, v, m, lam: advantages(r, v, m, 0.0),
        "discounted": lambda r, v, m, lam: tuple(objectives.gae(r, v, m, lam, 1.0)),
        "swapped": lambda r, v, m, lam: advantages(r, v, m, lam)[::-1],
        "sign": lambda r, v, m, lam: (
            -advantages(r, v, m, lam)[0],
            torch.where(m, v - advantages(r, v, m, lam)[0], 0.0),
        ),
        "returns-without-values": lambda r, v, m, lam: (advantages(r, v, m, lam)[0],) * 2,
        "returns-of-rewards": lambda r, v, m, lam: (
            advantages(r, v, m, lam)[0],
            torch.where(m, r.flip(1).cumsum(1).flip(1), 0.0),
        ),
    },
)

# --------------------------------------------------------------------------------- masked whitening


def _masked(g: Generator) -> Inputs:
    B, T, lengths = cases.rows(g)
    mask = cases.right_padded(lengths, T)
    x = cases.normal(g, B, T, scale=0.5 + cases.integer(g, 0, 3)) + cases.integer(g, 1, 4)
    if cases.integer(g, 0, 1) == 0:
        x = torch.ones_like(x)  # a batch without any variance: 0, not NaN
    return {"x": torch.where(mask, x, 3 * cases.JUNK), "mask": mask}


def _moments(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.masked_mean(x, mask), objectives.masked_var(x, mask)


def _whitened(x, mask, mean, variance) -> Tensor:
    return torch.where(mask, (x - mean) * torch.rsqrt(variance + 1e-8), 0.0)


def _by_row(x, m):
    count = m.sum(1, keepdim=True)
    mean = torch.where(m, x, 0.0).sum(1, keepdim=True) / count
    variance = torch.where(m, (x - mean) ** 2, 0.0).sum(1, keepdim=True) / count
    return _whitened(x, m, mean, variance)


def _bessel(x, m):
    mean, variance = _moments(x, m)
    return _whitened(x, m, mean, variance * m.sum() / (m.sum() - 1))


def _divided_by_variance(x, m):
    mean, variance = _moments(x, m)
    return torch.where(m, (x - mean) / (variance + 1e-8), 0.0)


WHITEN = FunctionQuestion(
    key="ppo.whiten",
    exercise="ex06",
    source="C.4",
    symbol="objectives.whiten",
    points=2,
    minutes=10,
    difficulty=2,
    reference=lambda x, mask: objectives.whiten(x, mask),
    inputs=_masked,
    cases=8,
    wrong={
        "padding-counted": lambda x, m: _whitened(x, m, x.mean(), x.var(unbiased=False)),
        "zeros-counted": lambda x, m: _whitened(x, m, (x * m).mean(), (x * m).var(unbiased=False)),
        "by-row": _by_row,
        "unbiased": _bessel,
        "variance": _divided_by_variance,
        "no-shift": lambda x, m: objectives.whiten(x, m, shift_mean=False),
        "no-scale": lambda x, m: torch.where(m, x - objectives.masked_mean(x, m), 0.0),
        "not-guarded": lambda x, m: torch.where(
            m, (x - _moments(x, m)[0]) / _moments(x, m)[1].sqrt(), 0.0
        ),
        "padding-left": lambda x, m: torch.where(m, objectives.whiten(x, m), x),
    },
)

QUESTIONS = (K1, K3, SHAPED, GAE, WHITEN)
