"""The data of the three steps: prompts in their splits, demonstrations, rankings, comparisons.

Everything is made from a seed, in seconds; nothing is stored. The splits are by user (§3.2), and
no prompt of the evaluation set occurs in training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from minirlhf.tinytown.judge import better, judge
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.labelers import Labeler, training_pool
from minirlhf.tinytown.prompts import HELDOUT_COMBINATIONS, Prompt, filtered, generate
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.writer import careful, draft

TRAINING = {"sft": 0.35, "rm": 0.25, "ppo": 0.4}
"""Each training set's share of the users (and so, roughly, of the prompts)."""
POOL, EVALUATION_POOL = 40_000, 4_000
SLIP = 0.04
"""How often a labeler sends a first draft as it is."""

Row = dict[str, object]


def _reply(text: str, rng: random.Random, detail: float) -> str:
    request = parse(text)
    return careful(request, rng, detail, TOWN, lambda reply: judge(text, reply).overall)


@lru_cache(maxsize=4)
def _splits(seed: int) -> dict[str, list[Prompt]]:
    rng, shots = random.Random(seed), random.Random(seed + 1)

    def answered(text: str) -> str:
        return draft(parse(text), shots, 0.3, TOWN)

    prompts = filtered(generate(POOL, rng, answered, users=160, reserved=False))
    users = sorted({p.user for p in prompts})
    rng.shuffle(users)
    out, start = {}, 0.0
    for name, share in TRAINING.items():
        stop = start + share * len(users)
        mine = set(users[round(start) : round(stop)])
        out[name] = [p for p in prompts if p.user in mine]
        start = stop
    out["eval"] = filtered(generate(EVALUATION_POOL, rng, answered, users=20, reserved=True))
    return out


def _row(prompt: Prompt) -> Row:
    return {
        "prompt": prompt.text,
        "use_case": prompt.use_case,
        "user": prompt.user,
        "source": prompt.source,
        "style": prompt.style,
    }


def prompts(split: str, count: int, seed: int = 0) -> list[Row]:
    """``count`` prompts of the ``rm``, ``ppo`` or ``eval`` set."""
    rows = [_row(p) for p in _splits(seed)[split]]
    if len(rows) < count:
        raise ValueError(f"the {split} set has {len(rows)} prompts, {count} were asked for")
    return rows[:count]


def _demonstrable(prompt: Prompt) -> bool:
    request = parse(prompt.text)
    fact = (request.slots.get("s"), request.slots.get("_relation"))
    return request.combination not in HELDOUT_COMBINATIONS and fact not in TOWN.heldout_facts


def demonstrations(count: int, seed: int = 0) -> list[Row]:
    """Prompts and the replies that labelers wrote: careful, but rich or plain as they are."""
    rng = random.Random(1_000_003 * (seed + 1))
    chosen = [p for p in _splits(seed)["sft"] if _demonstrable(p)]
    if len(chosen) < count:
        raise ValueError(f"the sft set has {len(chosen)} prompts, {count} were asked for")
    rows = []
    for prompt in chosen[:count]:
        detail = rng.random() ** 1.5
        careless = rng.random() < SLIP
        reply = draft(parse(prompt.text), rng, detail, TOWN) if careless else _reply(prompt.text, rng, detail)
        rows.append({**_row(prompt), "completion": reply})
    return rows


def rankings(
    rows: Sequence[Row], completions: Sequence[Sequence[str]], labelers: Sequence[Labeler] | None = None, seed: int = 0
) -> list[Row]:
    """K-wise rankings (§3.5): each prompt's distinct samples, ranked with ties by one labeler."""
    pool = list(labelers or training_pool())
    rng = random.Random(seed)
    out = []
    for row, samples in zip(rows, completions, strict=True):
        labeler = rng.choice(pool)
        distinct = list(dict.fromkeys(samples))
        if len(distinct) > 1:
            ranks = labeler.rank(row["prompt"], distinct)
            out.append({**row, "completions": distinct, "ranks": ranks, "labeler": labeler.name})
    return out


@dataclass(frozen=True)
class Agreement:
    """How often two labelers agree on the pairs that neither ties, and how often the judge ties."""

    agreement: float
    pairs: int
    judge_ties: float


def agreement(pairs: Sequence[tuple[str, str, str]], labelers: Sequence[Labeler], seed: int = 0) -> Agreement:
    """Over (prompt, one, two): the agreement of random pairs of labelers (§3.4: 72.6%)."""
    rng = random.Random(seed)
    agreed, counted, ties = 0, 0, 0
    for prompt, one, two in pairs:
        a, b = rng.sample(list(labelers), 2)
        first, second = a.prefers(prompt, one, two), b.prefers(prompt, one, two)
        if 0.5 not in (first, second):
            counted += 1
            agreed += first == second
        ties += better(prompt, one, two) == 0.5
    return Agreement(agreed / max(counted, 1), counted, ties / max(len(pairs), 1))
