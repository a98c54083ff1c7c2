"""Probes of a model apart from its instructions: the alignment tax, truthfulness, toxicity (§4.2).

A probe is a list of items, each a text to continue and a score of the continuation. Whoever knows
the world hands them in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from minirlhf.data.batching import collate
from minirlhf.data.tokenization import encode_completions, encode_prompts
from minirlhf.models import response_logprobs
from minirlhf.sampling import complete

ROOM, SPARE = 24, 8
"""Tokens of a continuation where no right answer says how many it takes; beyond the longest."""


@dataclass(frozen=True)
class Item:
    """One probe question: the model continues ``prompt``; ``score`` gives 0 to 1 for the answer."""

    prompt: str
    score: Callable[[str], float]
    answer: str = ""
    """The right continuation, if there is one alone, as it follows the prompt."""
    well_formed: Callable[[str], bool] | None = None
    """Whether a continuation has the form that is wanted, be it right or wrong."""


@dataclass(frozen=True)
class Probe:
    """Items by number and seed, and how they are asked."""

    items: Callable[[int, int], Sequence[Item]]
    count: int = 200
    """Items that are asked for; a probe may have fewer."""
    is_task: bool = False
    """Whether it is a skill of the base model, on which the alignment tax is measured."""
    temperature: float = 0.0
    n: int = 1
    """Continuations of each item."""


@dataclass(frozen=True)
class Answers:
    """What a model made of a task, item by item."""

    scores: np.ndarray
    """0 to 1, float ``[items]``."""
    well_formed: np.ndarray | None
    """Whether the form was the one that is wanted, 1 or 0; None where any is."""
    likelihoods: np.ndarray | None
    """Probability of the right answer's tokens, their geometric mean; None where several are right.

    It says what a model knows of the answer, whatever it would rather say.
    """

    def apart(self) -> dict[str, np.ndarray]:
        """By name, what there is beside the scores: ``wrong_form`` and ``likelihood``."""
        wrong = None if self.well_formed is None else 1.0 - self.well_formed
        found = {"wrong_form": wrong, "likelihood": self.likelihoods}
        return {name: values for name, values in found.items() if values is not None}


def run_probe(
    policy,
    tokenizer,
    items: Sequence[Item],
    *,
    temperature: float = 0.0,
    n: int = 1,
    max_new_tokens: int | None = None,
    seed: int = 0,
    micro_batch: int = 256,
) -> np.ndarray:
    """Each item's mean score over ``n`` continuations, float ``[items]`` (§4.2; Appendix D: T = 0).

    A continuation has at most ``max_new_tokens``; None gives room for the longest right answer.
    """
    continuations = complete(
        policy,
        tokenizer,
        [item.prompt for item in items],
        max_new_tokens=max_new_tokens or _room(tokenizer, items),
        temperature=temperature,
        n=n,
        seed=seed,
        micro_batch=micro_batch,
    )
    scores = [items[i // n].score(text) for i, text in enumerate(continuations)]
    return np.array(scores).reshape(len(items), n).mean(axis=1)


def run_task(policy, tokenizer, items: Sequence[Item], *, micro_batch: int = 256) -> Answers:
    """A task at temperature 0: scores, and apart from them forms and likelihoods."""
    continuations = complete(
        policy,
        tokenizer,
        [item.prompt for item in items],
        max_new_tokens=_room(tokenizer, items),
        temperature=0.0,
        micro_batch=micro_batch,
    )
    pairs = list(zip(items, continuations, strict=True))
    formed = all(item.well_formed for item in items)
    return Answers(
        scores=np.array([item.score(said) for item, said in pairs]),
        well_formed=np.array([float(item.well_formed(said)) for item, said in pairs])
        if formed
        else None,
        likelihoods=_likelihoods(policy, tokenizer, items, micro_batch)
        if all(item.answer for item in items)
        else None,
    )


def _room(tokenizer, items: Sequence[Item]) -> int:
    """Tokens for a continuation: those of the longest right answer, and some to go wrong in."""
    answers = [ids[:-1] for ids in encode_completions(tokenizer, [item.answer for item in items])]
    longest = max(map(len, answers), default=0)
    return longest + SPARE if longest else ROOM


@torch.no_grad()
def _likelihoods(policy, tokenizer, items: Sequence[Item], micro_batch: int) -> np.ndarray:
    policy.eval()
    prompts = encode_prompts(tokenizer, [item.prompt for item in items])
    answers = [ids[:-1] for ids in encode_completions(tokenizer, [item.answer for item in items])]
    found: list[float] = []
    for start in range(0, len(items), micro_batch):
        piece = slice(start, start + micro_batch)
        batch = collate(prompts[piece], answers[piece], tokenizer.pad_token_id).to(policy.device)
        logprobs = response_logprobs(policy, batch).sum(-1).tolist()
        lengths = map(len, answers[piece])
        found += [math.exp(sum_ / n) for sum_, n in zip(logprobs, lengths, strict=True)]
    return np.array(found)


def won_back(models: dict[str, Any]) -> float | None:
    """The share of PPO's loss on the task probes that PPO-ptx wins back; None if PPO lost nothing.

    A task on which PPO-ptx ends above the base counts as won back once, no more.
    """
    base, ppo, ptx = (
        np.array([models[name]["probes"][task]["mean"] for task in models["base"]["tax"]])
        for name in ("base", "ppo", "ppo-ptx")
    )
    lost = np.maximum(base - ppo, 0.0)
    back = np.minimum(ptx - ppo, lost)[lost > 0].sum()
    return float(back / lost.sum()) if lost.any() else None
