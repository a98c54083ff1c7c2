"""Questions of ex05: what is done with scores, where they are read, how far they can be right."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.grading.bank import cases
from minirlhf.grading.choices import ChoiceQuestion, MeasuredQuestion
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.trial import Inputs

# ---------------------------------------------------------------------------------- bias, best of n


def _demonstrations(g: Generator) -> Inputs:
    scores = cases.normal(g, cases.integer(g, 3, 9)).exp() * (-2.0) ** cases.integer(g, 0, 3)
    scores[-1] = 0.0  # a score like any other
    return {"scores": scores}


BIAS = FunctionQuestion(
    key="rm.bias",
    exercise="ex05",
    source="§3.5",
    symbol="objectives.reward_bias",
    points=1,
    minutes=5,
    difficulty=1,
    reference=lambda scores: objectives.reward_bias(scores),
    inputs=_demonstrations,
    wrong={
        "sign": lambda s: s.mean(),
        "sum": lambda s: -s.sum(),
        "median": lambda s: -s.median(),
        "largest": lambda s: -s.max(),
        "shifted-scores": lambda s: s - s.mean(),
        "scaled": (
            lambda s: -s.mean() / s.std(),
            lambda s: -s.mean() / s.std(unbiased=False),
        ),
        "smallest": lambda s: -s.min(),
        "first": lambda s: -s[0],
        "doubled": lambda s: -2 * s.mean(),
    },
)


def _samples(g: Generator) -> Inputs:
    B, n = cases.integer(g, 2, 4), cases.integer(g, 5, 8)
    scores = torch.stack([torch.randperm(n, generator=g) for _ in range(B)]).float()
    return {"scores": scores - cases.integer(g, 0, 9) + cases.normal(g, B, 1)}


BEST_OF_N = FunctionQuestion(
    key="rm.best_of_n",
    exercise="ex05",
    source="§3.5",
    symbol="objectives.best_of_n",
    points=1,
    minutes=5,
    difficulty=1,
    reference=lambda scores: objectives.best_of_n(scores),
    inputs=_samples,
    wrong={
        "worst": lambda s: s.argmin(-1),
        "score": lambda s: s.amax(-1),
        "across-prompts": lambda s: s.argmax(0),
        "of-the-batch": lambda s: s.argmax().expand(len(s)),
        "magnitude": lambda s: s.abs().argmax(-1),
        "from-one": lambda s: s.argmax(-1) + 1,
        "starts-at-zero": lambda s: s.clamp(min=0.0).argmax(-1),
        "second-best": lambda s: s.argsort(-1)[:, -2],
        "one-hot": lambda s: (s == s.amax(-1, keepdim=True)).long(),
        "last": lambda s: torch.full((len(s),), s.shape[1] - 1),
    },
)

# ------------------------------------------------------------------ a bug: the score of the padding


def _token_scores(g: Generator) -> Inputs:
    B, L, lengths = cases.rows(g, least=2)
    values = cases.normal(g, B, L)
    values[-1, lengths[-1] - 1] = 0.0  # a score like any other
    return {"values": values, "mask": cases.right_padded(lengths, L)}


def last_score(values: Tensor, mask: Tensor, back: int = 0) -> Tensor:
    """The value at each row's last real token, or ``back`` tokens before it."""
    return values[torch.arange(len(values)), objectives.last_token(mask) - back]


LAST_SCORE = FunctionQuestion(
    key="rm.bug",
    exercise="ex05",
    source="§3.5, C.2",
    symbol="models.ScalarModel",
    points=3,
    minutes=10,
    difficulty=2,
    reference=last_score,
    inputs=_token_scores,
    differentiable=("values",),
    closed=("objectives.last_token",),
    wrong={
        "as-found": lambda v, m: v[:, -1],
        "one-early": lambda v, m: last_score(v, m, back=1),
        "mean": lambda v, m: torch.where(m, v, 0.0).sum(1) / m.sum(1),
        "masked-column": lambda v, m: torch.where(m, v, 0.0)[:, -1],
        "first": lambda v, m: v[:, 0],
        "sum": lambda v, m: torch.where(m, v, 0.0).sum(1),
        "largest": lambda v, m: torch.where(m, v, -torch.inf).amax(1),
        "one-late": lambda v, m: v[torch.arange(len(v)), m.sum(1).clamp(max=m.shape[1] - 1)],
        "padding-in-mean": lambda v, m: v.mean(1),
        "same-column": lambda v, m: v[:, m.sum(1).min() - 1],
    },
)

# -------------------------------------------------------------------- a choice; predict and measure

SHIFT = ChoiceQuestion(
    key="rm.shift",
    exercise="ex05",
    source="§3.5, Eq. 1",
    symbol="objectives.reward_bias",
    points=2,
    minutes=5,
    difficulty=1,
    right="C",
    letters="ABCD",
)

RIGHT = 0.84
CEILING = MeasuredQuestion(
    key="rm.ceiling",
    exercise="ex05",
    source="§3.5, C.2",
    symbol="objectives.ranking_loss",
    points=3,
    minutes=15,
    difficulty=2,
    expected=lambda: RIGHT**2 + (1 - RIGHT) ** 2,
    tolerance=0.02,
    near=0.02,
    right="C",
    letters="ABCD",
    wrong={
        "same-as-one": RIGHT,
        "both-right": RIGHT**2,
        "one-wrong": 2 * RIGHT * (1 - RIGHT),
        "both-wrong": (1 - RIGHT) ** 2,
        "one": 1.0,
    },
)

QUESTIONS = (BIAS, SHIFT, BEST_OF_N, LAST_SCORE, CEILING)
