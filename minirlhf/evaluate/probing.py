"""Probes of a model apart from its instructions: the alignment tax, truthfulness, toxicity (§4.2).

A probe is a list of items, each a text to continue and a score of the continuation. Whoever knows
the world hands them in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from minirlhf.sampling import complete


@dataclass(frozen=True)
class Item:
    """One probe question: the model continues ``prompt``; ``score`` gives 0 to 1 for the answer."""

    prompt: str
    score: Callable[[str], float]


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


def run_probe(
    policy,
    tokenizer,
    items: Sequence[Item],
    *,
    temperature: float = 0.0,
    n: int = 1,
    max_new_tokens: int = 24,
    seed: int = 0,
    micro_batch: int = 256,
) -> np.ndarray:
    """Each item's mean score over ``n`` continuations, ``[items]`` (§4.2; Appendix D: T = 0)."""
    continuations = complete(
        policy,
        tokenizer,
        [item.prompt for item in items],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        n=n,
        seed=seed,
        micro_batch=micro_batch,
    )
    scores = [items[i // n].score(text) for i, text in enumerate(continuations)]
    return np.array(scores).reshape(len(items), n).mean(axis=1)
