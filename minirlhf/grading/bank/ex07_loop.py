"""Questions of ex07: PPO-ptx from an empty file, stage by stage.

The references are `minirlhf.plain.ppo` on tiny models; an answer may call the equations, not that.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence

from minirlhf import objectives
from minirlhf.grading import tiny_models
from minirlhf.grading.bank import cases
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.tiny_models import EOS, Models, in_plain
from minirlhf.grading.trial import Inputs, RefusedError
from minirlhf.plain import ppo as plain

PLAIN = tuple(
    f"plain.ppo.{name}"
    for name in "train roll_out sample respond logprobs values scores minibatches update".split()
)
"""What would be the answer."""
STAGE = {
    "exercise": "ex07",
    "source": "§3.5, Eq. 2, C.4",
    "symbol": "ppo.train_ppo",
    "difficulty": 3,
    "cases": 3,
    "closed": PLAIN,
    "open": True,
}

# ------------------------------------------------------------------------------------------ rollout


def _asked(g: Generator) -> Inputs:
    B, T = 4, cases.integer(g, 4, 6)
    return {
        "policy": tiny_models.models(g).policy,
        "prompts": tiny_models.rows(g, B),
        "uniforms": torch.rand(B, T, generator=g),
        "eos": EOS,
    }


def rollout(policy, prompts, uniforms, eos) -> list[Tensor]:
    models = in_plain(Models(policy, policy, policy, policy))._replace(eos=eos)
    with torch.no_grad():
        return [plain.respond(models, x, u) for x, u in zip(prompts, uniforms, strict=True)]


def _sampled(read=lambda logits: logits[-1], draw=None, ends=True, grows=True):
    """Sampling with another place to read, another draw, no end, or no memory of its own."""

    def first_above(p: Tensor, u: Tensor) -> Tensor:
        return (p.cumsum(0) <= u).sum().clamp(max=len(p) - 1)

    @torch.no_grad()
    def answer(policy, prompts, uniforms, eos):
        replies = []
        for x, us in zip(prompts, uniforms, strict=True):
            row, reply = x, []
            for u in us:
                token = (draw or first_above)(read(policy(row)).softmax(0), u)
                reply.append(token)
                row = torch.cat([row, token[None]]) if grows else x
                if ends and token == eos:
                    break
            replies.append(torch.stack(reply))
        return replies

    return answer


def _padded(returned: Any, given: Inputs) -> Tensor:
    """Responses as one tensor of at least as many columns as uniforms, -1 behind each."""
    if returned is None:
        raise RefusedError("unwritten")
    rows = [row.long() for row in returned]
    width = max(given["uniforms"].shape[1], *map(len, rows))
    return torch.stack([F.pad(row, (0, width - len(row)), value=-1) for row in rows])


ROLLOUT = FunctionQuestion(
    **STAGE,
    key="loop.rollout",
    points=3,
    minutes=15,
    reference=rollout,
    inputs=_asked,
    outcome=_padded,
    wrong={
        "greedy": _sampled(draw=lambda p, u: p.argmax()),
        "never-ends": _sampled(ends=False),
        "end-dropped": lambda m, x, u, eos: [row[row != eos] for row in rollout(m, x, u, eos)],
        "with-prompt": lambda m, x, u, eos: [
            torch.cat(pair) for pair in zip(x, rollout(m, x, u, eos), strict=True)
        ],
        "forgets": _sampled(grows=False),
        "one-back": _sampled(read=lambda logits: logits[-2]),
        "from-above": _sampled(draw=lambda p, u: len(p) - 1 - (p.flip(0).cumsum(0) <= u).sum()),
        "row-shared": lambda m, x, u, eos: rollout(m, x, u[:1].expand(u.shape), eos),
        "one-short": lambda m, x, u, eos: rollout(m, x, u[:, :-1], eos),
    },
)

# ------------------------------------------------------------------------------------------ rewards


def _replied(g: Generator) -> Inputs:
    models, B = tiny_models.models(g), 4
    return {
        "policy": models.policy,
        "reference": models.reference,
        "reward": models.reward,
        "prompts": tiny_models.rows(g, B),
        "responses": tiny_models.replies(g, B),
        "beta": 0.1 * cases.integer(g, 2, 6),
    }


@torch.no_grad()
def rewards(policy, reference, reward, prompts, responses, beta, read=None, shape=None):
    """``read`` gives the scores of models and pairs, ``shape`` the rewards."""
    models = in_plain(Models(policy, reference, reward, reward))
    pairs = list(zip(prompts, responses, strict=True))
    (old, mask), (at_start, _) = (plain.logprobs(m, pairs) for m in models[:2])
    scores = (read or plain.scores)(models.reward, pairs)
    return old, (shape or objectives.shaped_rewards)(scores, old, at_start, mask, beta)


def _scored(read):
    return lambda *arguments: rewards(*arguments, read=read)


def _shaped(shape):
    return lambda *arguments: rewards(*arguments, shape=shape)


def _overwritten(scores, old, reference, mask, beta):
    out = torch.where(mask, -beta * (old - reference), 0.0)
    out[torch.arange(len(scores)), mask.sum(1) - 1] = scores
    return out


def _last_column(scores, old, reference, mask, beta):
    out = torch.where(mask, -beta * (old - reference), 0.0)
    out[:, -1] += scores
    return out


def _unshifted(policy, reference, reward, prompts, responses, beta):
    """Each token looked up in the logits of its own position."""
    pairs = list(zip(prompts, responses, strict=True))
    logprobs = []
    for model in (policy, reference):
        found = [objectives.token_logprobs(model(torch.cat([x, y]))[len(x) :], y) for x, y in pairs]
        logprobs.append(pad_sequence(found, batch_first=True).detach())
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    scores = plain.scores(in_plain(Models(policy, reference, reward, reward)).reward, pairs)
    return logprobs[0], objectives.shaped_rewards(scores.detach(), *logprobs, mask, beta)


REWARDS = FunctionQuestion(
    **STAGE,
    key="loop.rewards",
    points=3,
    minutes=20,
    reference=rewards,
    inputs=_replied,
    results=("log-probabilities", "rewards"),
    wrong={
        "unshifted": _unshifted,
        "score-of-prompt": _scored(
            lambda m, pairs: plain.scores(m, [(x, x[:0]) for x, _ in pairs])
        ),
        "score-of-response": _scored(
            lambda m, pairs: plain.scores(m, [(y[:0], y) for _, y in pairs])
        ),
        "score-before-end": _scored(
            lambda m, pairs: plain.scores(m, [(x, y[:-1]) for x, y in pairs])
        ),
        "score-summed": _scored(
            lambda m, pairs: torch.stack([m.tiny(torch.cat(pair)).sum() for pair in pairs])
        ),
        "bonus": _shaped(lambda s, p, q, m, b: objectives.shaped_rewards(s, p, q, m, -b)),
        "no-beta": _shaped(lambda s, p, q, m, b: objectives.shaped_rewards(s, p, q, m, 1.0)),
        "no-penalty": _shaped(lambda s, p, q, m, b: objectives.shaped_rewards(s, p, q, m, 0.0)),
        "everywhere": _shaped(lambda s, p, q, m, b: torch.where(m, s[:, None] - b * (p - q), 0.0)),
        "last-unpaid": _shaped(_overwritten),
        "last-column": _shaped(_last_column),
        "swapped": lambda *arguments: rewards(*arguments)[::-1],
    },
)

# ---------------------------------------------------------------------------------- values and GAE


def _rewarded(g: Generator) -> Inputs:
    responses = tiny_models.replies(g, 4)
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    return {
        "value": tiny_models.models(g).value,
        "prompts": tiny_models.rows(g, 4),
        "responses": responses,
        "rewards": torch.where(mask, cases.normal(g, *mask.shape), 0.0),
        "lam": 0.1 * cases.integer(g, 5, 9),
    }


@torch.no_grad()
def advantages(value, prompts, responses, rewards, lam, after=0, whiten=objectives.whiten):
    """``after`` reads values so many tokens too late."""
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
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
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
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
    values, A, _ = advantages(*arguments)
    return values, A, torch.where(arguments[3] != 0, A + values, 0.0)


ADVANTAGES = FunctionQuestion(
    **STAGE,
    key="loop.advantages",
    points=3,
    minutes=15,
    reference=by_plain,
    inputs=_rewarded,
    results=("values", "advantages", "returns"),
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
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    A, returns = objectives.gae(rewards, values, mask, lam)
    return values, objectives.whiten(A, mask), returns


QUESTIONS = (ROLLOUT, REWARDS, ADVANTAGES)
