"""The data of the three steps: prompts in their splits, demonstrations, rankings, comparisons.

Everything is made from a seed, in seconds; nothing is stored. The splits are by user (§3.2), and
no prompt of the evaluation set occurs in training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from minirlhf.errors import MinirlhfError
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.labelers import Labeler, training_pool
from minirlhf.tinytown.prompts import (
    HELDOUT_COMBINATIONS,
    Prompt,
    completion,
    filtered,
    generate,
)
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.writer import careful, draft

TRAINING = {"sft": 0.35, "rm": 0.25, "ppo": 0.4}
"""Each training set's share of the users (and so, roughly, of the prompts)."""
POOL, EVALUATION_POOL = 40_000, 4_000
SLIP = 0.04
"""How often a labeler sends a first draft as it is."""

Row = dict[str, object]


@lru_cache(maxsize=4)
def _splits(seed: int) -> dict[str, list[Prompt]]:
    rng, shots = random.Random(seed), random.Random(seed + 1)

    def answered(text: str) -> str:
        reply = careful(parse(text), shots, 0.3, TOWN, lambda reply: judge(text, reply).overall)
        return reply if judge(text, reply).passes else ""

    prompts = filtered(generate(POOL, rng, answered, users=160, reserved=False))
    users = sorted({p.user for p in prompts})
    rng.shuffle(users)
    splits, start = {}, 0.0
    for name, share in TRAINING.items():
        stop = start + share * len(users)
        mine = set(users[round(start) : round(stop)])
        splits[name] = [p for p in prompts if p.user in mine]
        start = stop
    splits["eval"] = filtered(generate(EVALUATION_POOL, rng, answered, users=20, reserved=True))
    return splits


def _row(prompt: Prompt) -> Row:
    return {
        "prompt": prompt.text,
        "use_case": prompt.use_case,
        "user": prompt.user,
        "source": prompt.source,
        "style": prompt.style,
    }


def _first(count: int, available: Sequence, what: str) -> Sequence:
    if count > len(available):
        raise MinirlhfError(
            f"{count} {what} were asked for, but Tinytown has {len(available)}: ask for fewer."
        )
    return available[:count]


def prompts(split: str, count: int, seed: int = 0) -> list[Row]:
    """``count`` prompts of the ``sft``, ``rm``, ``ppo`` or ``eval`` set.

    Raises `MinirlhfError` for another set, or if it has fewer.
    """
    splits = _splits(seed)
    if split not in splits:
        raise MinirlhfError(f"There is no prompt set {split!r}: take {', '.join(splits)}.")
    return [_row(p) for p in _first(count, splits[split], f"{split} prompts")]


def _tells_heldout(text: str) -> bool:
    """Whether a reply, or the examples in a prompt, state a fact that is held out."""
    return any(claim.key in TOWN.heldout_facts for claim in Text(text, "fact").claims)


def _demonstrable(prompt: Prompt) -> bool:
    """Whether the prompt puts no constraints together, and touches no fact, that are held out."""
    request = parse(prompt.text)
    asked = request.slots.get("s"), request.tags.get("relation")
    heldout = asked in TOWN.heldout_facts or _tells_heldout(prompt.text)
    return request.combination not in HELDOUT_COMBINATIONS and not heldout


def _demonstration(prompt: Prompt, rng: random.Random) -> str | None:
    """A labeler's reply, rich or plain as the labeler is; None where none is found."""
    text, detail, slips = prompt.text, rng.random() ** 1.5, rng.random() < SLIP

    def grade(reply: str) -> float:
        return 0.0 if _tells_heldout(reply) else judge(text, reply).overall

    if slips:
        first_draft = draft(parse(text), rng, detail, TOWN)
        return first_draft if grade(first_draft) else None
    reply = careful(parse(text), rng, detail, TOWN, grade)
    return reply if judge(text, reply).passes else None


def demonstrations(count: int, seed: int = 0) -> list[Row]:
    """Prompts and the replies that labelers wrote: careful, but rich or plain as they are.

    A labeler who finds no right reply skips the prompt. Raises `MinirlhfError` if too few are left.
    """
    rng = random.Random(1_000_003 * (seed + 1))
    rows: list[Row] = []
    for prompt in filter(_demonstrable, _splits(seed)["sft"]):
        if len(rows) == count:
            break
        if (reply := _demonstration(prompt, rng)) is not None:
            rows.append({**_row(prompt), "completion": completion(prompt.text, reply)})
    return list(_first(count, rows, "demonstrations"))


def rankings(
    rows: Sequence[Row],
    completions: Sequence[Sequence[str]],
    labelers: Sequence[Labeler] | None = None,
    seed: int = 0,
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
