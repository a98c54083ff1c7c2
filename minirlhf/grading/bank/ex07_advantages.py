"""Questions of ex07: values, advantages and returns of an iteration."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence

from minirlhf import objectives
from minirlhf.grading import tiny_models
from minirlhf.grading.bank import cases
from minirlhf.grading.bank.ex07_rollout import STAGE
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.tiny_models import Models, in_plain
from minirlhf.grading.trial import Inputs
from minirlhf.plain import ppo as plain


def _rewarded(g: Generator) -> Inputs:
    responses = tiny_models.replies(g, 4)
    mask = tiny_models.response_mask(responses)
    rewards = torch.where(mask, cases.normal(g, *mask.shape), 0.0)
    rewards[0, 1] = 0.0  # a token that costs nothing
    return {
        "value": tiny_models.models(g).value,
        "prompts": tiny_models.rows(g, 4),
        "responses": responses,
        "rewards": rewards,
        "lam": 0.1 * cases.integer(g, 5, 9),
    }


@torch.no_grad()
def advantages(value, prompts, responses, rewards, lam, after=0, whiten=objectives.whiten):
    """``after`` reads values so many tokens too late."""
    mask = tiny_models.response_mask(responses)
    rows = []
    for x, y in zip(prompts, responses, strict=True):
        begin = len(x) - 1 + after
        rows.append(value(torch.cat([x, y, y[-1:]]))[begin : begin + len(y)])
    values = pad_sequence(rows, batch_first=True)
    A, returns = objectives.gae(rewards, values, mask, lam=lam)
    return values, whiten(A, mask), returns


def by_plain(value, prompts, responses, rewards, lam):
    pairs = list(zip(prompts, responses, strict=True))
    with torch.no_grad():
        values = plain.values(in_plain(Models(value, value, value, value)).value, pairs)
    mask = tiny_models.response_mask(responses)
    A, returns = objectives.gae(rewards, values, mask, lam=lam)
    return values, objectives.whiten(A, mask), returns


def _whitened_by(whiten):
    return lambda *arguments: advantages(*arguments, whiten=whiten)


def _in_padding(A: Tensor, _: Tensor) -> Tensor:
    return objectives.whiten(A, torch.ones_like(A, dtype=torch.bool))


def _by_row(A: Tensor, mask: Tensor) -> Tensor:
    return torch.cat(
        [objectives.whiten(*row) for row in zip(A.split(1), mask.split(1), strict=True)]
    )


def _returns_of_whitened(*arguments):
    values, A, returns = advantages(*arguments)
    return values, A, torch.where(returns != 0, A + values, 0.0)


ADVANTAGES = FunctionQuestion(
    **STAGE,
    key="loop.advantages",
    points=3,
    minutes=15,
    reference=by_plain,
    inputs=_rewarded,
    results=("values", "advantages", "returns"),
    detached=True,
    wrong={
        "state-after": lambda *arguments: advantages(*arguments, after=1),
        "not-whitened": _whitened_by(lambda A, mask: A),
        "padding-whitened": _whitened_by(_in_padding),
        "padding-counted": _whitened_by(lambda A, m: torch.where(m, _in_padding(A, m), 0.0)),
        "by-row": _whitened_by(_by_row),
        "not-shifted": _whitened_by(lambda A, m: objectives.whiten(A, m, shift_mean=False)),
        "returns-of-whitened": _returns_of_whitened,
        "lambda-default": lambda v, x, y, r, lam: advantages(v, x, y, r, 0.95),
        "lambda-as-discount": lambda v, x, y, r, lam: _discounted(v, x, y, r, lam),
        "order": lambda *arguments: advantages(*arguments)[::-1],
    },
)


def _discounted(value, prompts, responses, rewards, lam):
    values = advantages(value, prompts, responses, rewards, lam)[0]
    mask = tiny_models.response_mask(responses)
    A, returns = objectives.gae(rewards, values, mask, lam)
    return values, objectives.whiten(A, mask), returns


QUESTIONS = (ADVANTAGES,)
