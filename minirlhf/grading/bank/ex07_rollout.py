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
from minirlhf.grading.bank.ex06_rewards import SHAPED
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
    prompts = tiny_models.rows(g, B)
    prompts[-1][0] = EOS  # between the turns of a conversation
    return {
        "policy": tiny_models.models(g).policy,
        "prompts": prompts,
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


def _likeliest_first(p: Tensor, u: Tensor) -> Tensor:
    falling, ids = p.sort(descending=True)
    return ids[(falling.cumsum(0) <= u).sum().clamp(max=len(p) - 1)]


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
        "sorted": _sampled(draw=_likeliest_first),
        "row-shared": lambda m, x, u, eos: rollout(m, x, u[:1].expand(u.shape), eos),
        "ends-in-prompt": lambda m, x, u, eos: [
            row[:1] if eos in asked else row
            for asked, row in zip(x, rollout(m, x, u, eos), strict=True)
        ],
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


SHAPED_WRONGLY = "bonus no-beta no-penalty everywhere last-unpaid last-column k3".split()


def _shaped(name):
    """The mistake of this name in ``ppo.shaped_rewards``, as it is written first there."""
    written = SHAPED.wrong[name]
    shape = written[0] if isinstance(written, tuple) else written
    return lambda *arguments: rewards(*arguments, shape=shape)


def _read_in_padding(model, pairs):
    batch = pad_sequence([torch.cat(pair) for pair in pairs], batch_first=True)
    return model.tiny(batch)[:, -1]


@torch.no_grad()
def _of_whole_vocabulary(policy, reference, reward, prompts, responses, beta):
    """The penalty is the KL of the two distributions at each token, not a sampled term."""
    old, shaped = rewards(policy, reference, reward, prompts, responses, 0.0)
    for row, (x, y) in enumerate(zip(prompts, responses, strict=True)):
        p, q = (
            model(torch.cat([x, y]))[len(x) - 1 : -1].log_softmax(-1)
            for model in (policy, reference)
        )
        shaped[row, : len(y)] -= beta * (p.exp() * (p - q)).sum(-1)
    return old, shaped


def _unshifted(policy, reference, reward, prompts, responses, beta):
    """Each token looked up in the logits of its own position."""
    pairs = list(zip(prompts, responses, strict=True))
    logprobs = []
    for model in (policy, reference):
        found = [objectives.token_logprobs(model(torch.cat([x, y]))[len(x) :], y) for x, y in pairs]
        logprobs.append(pad_sequence(found, batch_first=True).detach())
    mask = tiny_models.response_mask(responses)
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
    detached=True,
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
        "score-last-column": _scored(_read_in_padding),
        "score-summed": _scored(
            lambda m, pairs: torch.stack([m.tiny(torch.cat(pair)).sum() for pair in pairs])
        ),
        **{name: _shaped(name) for name in SHAPED_WRONGLY},
        "expectation": _of_whole_vocabulary,
        "swapped": lambda *arguments: rewards(*arguments)[::-1],
    },
)

QUESTIONS = (ROLLOUT, REWARDS)
