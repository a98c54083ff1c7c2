"""Questions of ex06, second quarter: advantages."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.grading.bank import cases
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.trial import Inputs

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


def _loop(r: Tensor, v: Tensor, lam: float, steps, keep: Tensor | None = None) -> Tensor:
    """The recursion in any order; the next value is that of the step before in the loop."""
    out = torch.zeros_like(r)
    running = following = torch.zeros_like(r[:, 0])
    for t in steps:
        running = r[:, t] + following - v[:, t] + lam * running
        running = running if keep is None else running * keep[:, t]
        out[:, t], following = running, v[:, t]
    return out


def _unmasked(r: Tensor, v: Tensor, lam: float) -> Tensor:
    """Advantages of a recursion that begins in the padding, with the padding's values."""
    return _loop(r, v, lam, reversed(range(r.shape[1])))


def _masked_late(r, v, m, lam):
    out = _unmasked(r, v, lam) * m
    return out, (out + v) * m


def _masked_late_but_returns(r, v, m, lam):
    out = _unmasked(r, v, lam) * m
    return out, out + v


def _never_masked(r, v, m, lam):
    out = _unmasked(r, v, lam)
    return out, out + v


def _returns_unmasked(r, v, m, lam):
    out = advantages(r, v, m, lam)[0]
    return out, out + v


def _loop_forwards(raw: bool, late: bool):
    """``range`` without ``reversed``: the next value is then the one before."""

    def answer(r, v, m, lam):
        v = v if raw else torch.where(m, v, 0.0)
        out = _loop(r, v, lam, range(r.shape[1]), None if late else m) * m
        return out, (out + v) * m

    return answer


def _of_surprises(delta_of, lam_of=lambda lam: lam):
    """Another surprise, made of rewards, values and next values, in the right recursion."""

    def answer(r, v, m, lam):
        kept = torch.where(m, v, 0.0)
        return _recursion(delta_of(r, kept, _next(kept)), lam_of(lam), m, kept)

    return answer


def _one_term(r, v, m, lam):
    kept = torch.where(m, v, 0.0)
    delta = torch.where(m, r + _next(kept) - kept, 0.0)
    out = delta + lam * _next(delta)
    return out, out + kept


def _same_value(r, v, m, lam):
    """Bootstraps from the last token's own value, as if the episode went on."""
    v = torch.where(m, v, 0.0)
    last = cases.at(objectives.last_token(m), v)
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
    results=("advantages", "returns"),
    wrong={
        "into-padding": _into_padding,
        "mask-at-the-end": (_masked_late, _masked_late_but_returns),
        "mask-missing": _never_masked,
        "returns-unmasked": _returns_unmasked,
        "loop-forwards": tuple(
            _loop_forwards(raw, late) for raw in (False, True) for late in (False, True)
        ),
        "one-term": _one_term,
        "previous-value": _of_surprises(
            lambda r, v, following: r - v + torch.cat([0 * v[:, :1], v[:, :-1]], 1)
        ),
        "value-not-subtracted": _of_surprises(lambda r, v, following: r + following),
        "value-added": _of_surprises(lambda r, v, following: r + v - following),
        "no-bootstrap": _no_bootstrap,
        "forwards": _forwards,
        "endless": _same_value,
        "lambda-one": lambda r, v, m, lam: advantages(r, v, m, 1.0),
        "lambda-zero": lambda r, v, m, lam: advantages(r, v, m, 0.0),
        "discounted": lambda r, v, m, lam: tuple(objectives.gae(r, v, m, lam, 1.0)),
        "discount": lambda r, v, m, lam: tuple(objectives.gae(r, v, m, 0.99, lam)),
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
    kind = cases.integer(g, 0, 2)
    if kind == 0:
        x = torch.ones_like(x)  # a batch without any variance: 0, not NaN
    elif kind == 1:
        x = 1e-4 * x  # a variance that the small constant counts beside
    return {"x": torch.where(mask, x, 3 * cases.JUNK), "mask": mask}


def _moments(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return objectives.masked_mean(x, mask), objectives.masked_var(x, mask)


def _whitened(x, mask, mean, variance) -> Tensor:
    return torch.where(mask, (x - mean) * torch.rsqrt(variance + 1e-8), 0.0)


def _by_row(x, m):
    count = m.sum(1, keepdim=True).clamp(min=1)
    mean = torch.where(m, x, 0.0).sum(1, keepdim=True) / count
    variance = torch.where(m, (x - mean) ** 2, 0.0).sum(1, keepdim=True) / count
    return _whitened(x, m, mean, variance)


def _everywhere(x, m):
    mean, variance = _moments(x, m)
    return (x - mean) * torch.rsqrt(variance + 1e-8)


def _bessel(x, m):
    mean, variance = _moments(x, m)
    return _whitened(x, m, mean, variance * m.sum() / (m.sum() - 1))


def _by_torchs_std(x, m):
    return torch.where(m, (x - _moments(x, m)[0]) / (x[m].std() + 1e-8), 0.0)


def _unguarded(x, m):
    mean, variance = _moments(x, m)
    return (x - mean) / variance.sqrt()


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
    closed=("objectives.masked_var",),
    wrong={
        "padding-counted": lambda x, m: _whitened(x, m, x.mean(), x.var(unbiased=False)),
        "zeros-counted": lambda x, m: _whitened(x, m, (x * m).mean(), (x * m).var(unbiased=False)),
        "by-row": _by_row,
        "padding-divides": lambda x, m: _whitened(
            x, m, _moments(x, m)[0], _moments(x, m)[1] * m.float().mean()
        ),
        "root-mean-square": lambda x, m: _whitened(
            x, m, _moments(x, m)[0], objectives.masked_mean(x**2, m)
        ),
        "unbiased": (_bessel, _by_torchs_std),
        "by-column": lambda x, m: _by_row(x.T, m.T).T,
        "padding-shifted": (
            lambda x, m: _everywhere(x, m),
            lambda x, m: _everywhere(x * m, m),
        ),
        "multiplied": lambda x, m: torch.where(
            m, (x - _moments(x, m)[0]) * (_moments(x, m)[1] + 1e-8).sqrt(), 0.0
        ),
        "variance": _divided_by_variance,
        "no-shift": (
            lambda x, m: objectives.whiten(x, m, shift_mean=False),
            lambda x, m: torch.where(m, x * torch.rsqrt(_moments(x, m)[1] + 1e-8), 0.0),
        ),
        "no-scale": lambda x, m: torch.where(m, x - objectives.masked_mean(x, m), 0.0),
        "not-guarded": (
            lambda x, m: torch.where(m, _unguarded(x, m), 0.0),
            lambda x, m: _unguarded(x, m) * m,
        ),
        "guard-outside": lambda x, m: torch.where(
            m, (x - _moments(x, m)[0]) / (_moments(x, m)[1].sqrt() + 1e-8), 0.0
        ),
        "padding-left": lambda x, m: torch.where(m, objectives.whiten(x, m), x),
    },
)

QUESTIONS = (GAE, WHITEN)
