"""§3.6, the paper's main metric: how often one model's output is preferred to another's.

A judge gives every completion a score of its own; a labeler looks at two completions of a prompt
and prefers one. Both are callables that the caller hands in. A tie counts one half.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.statistics import Interval, over_prompts, wins

#: ``judge(prompts, completions)`` is one score a completion; higher is better.
Judge = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
#: ``labeler(prompt, a, b)`` is 1 if a is better, 0 if b is, 0.5 for a tie.
Labeler = Callable[[str, str, str], float]


@dataclass(frozen=True)
class Preference:
    """Ours against theirs: ``verdicts`` holds 1, ½ or 0 for each prompt, seen from our side."""

    win_rate: Interval
    verdicts: np.ndarray

    @property
    def tie_rate(self) -> float:
        return float((self.verdicts == 0.5).mean())


def preferred_by_judge(
    judge: Judge,
    prompts: Sequence[str],
    ours: Sequence[str],
    theirs: Sequence[str],
    *,
    seed: int = 0,
) -> Preference:
    """Win rate of our completions under one judge; ``seed`` is the bootstrap's.

    Raises:
        MinirlhfError: if the three lists differ in length or are empty.
    """
    _check_aligned(prompts, ours, theirs)
    verdicts = wins(judge(prompts, ours), judge(prompts, theirs))
    return Preference(over_prompts(verdicts, seed=seed), verdicts)


def preferred_by_panel(
    panel: Sequence[Labeler],
    prompts: Sequence[str],
    ours: Sequence[str],
    theirs: Sequence[str],
    *,
    seed: int = 0,
) -> Preference:
    """Win rate of our completions under the majority of an odd panel of labelers.

    A labeler who ties abstains; equal numbers on both sides are a tie.

    Raises:
        MinirlhfError: if the panel is not odd, the lists do not align, or a verdict is none.
    """
    if len(panel) % 2 == 0:
        raise MinirlhfError(f"a panel of {len(panel)} labelers has no majority; take an odd number")
    votes = labeler_verdicts(panel, prompts, ours, theirs)
    verdicts = wins(votes.mean(axis=0), np.full(len(prompts), 0.5))
    return Preference(over_prompts(verdicts, seed=seed), verdicts)


def labeler_verdicts(
    panel: Sequence[Labeler],
    prompts: Sequence[str],
    ours: Sequence[str],
    theirs: Sequence[str],
) -> np.ndarray:
    """Every labeler's verdict on every prompt, seen from our side.

    Labelers are not told whose completion is whose: which of the two they see first is a coin
    tossed from the texts, so that exchanging ours and theirs turns every verdict round exactly and
    a taste for the first of two favours nobody. Equal completions are a tie unasked.

    Returns:
        float array [labelers, prompts] of 1, ½ and 0.

    Raises:
        MinirlhfError: if the three lists differ in length or are empty, or a verdict is none.
    """
    _check_aligned(prompts, ours, theirs)
    verdicts = np.full((len(panel), len(prompts)), 0.5)
    for column, (prompt, our, their) in enumerate(zip(prompts, ours, theirs, strict=True)):
        if our == their:
            continue
        first, second = sorted((our, their))
        if zlib.crc32(f"{prompt}\0{first}\0{second}".encode()) % 2:
            first, second = second, first
        for row, labeler in enumerate(panel):
            verdict = labeler(prompt, first, second)
            if verdict not in (0, 0.5, 1):
                raise MinirlhfError(
                    f"labeler {row} answered {verdict!r} on prompt {column}; "
                    f"a verdict is 1, 0.5 or 0"
                )
            verdicts[row, column] = verdict if first == our else 1 - verdict
    return verdicts


def agreement(verdicts: np.ndarray) -> float:
    """Share of verdicts on which two labelers agree, where neither ties (§3.4: about 73%).

    Args:
        verdicts: [labelers, prompts], as :func:`labeler_verdicts` returns them.

    Raises:
        MinirlhfError: if no two labelers decided the same pair.
    """
    sides = np.sign(np.asarray(verdicts, dtype=float) - 0.5)
    both = np.triu(np.abs(sides) @ np.abs(sides).T, k=1).sum()
    if both == 0:
        raise MinirlhfError("agreement needs two labelers who both decided some pair")
    same_minus_different = np.triu(sides @ sides.T, k=1).sum()
    return float((1 + same_minus_different / both) / 2)


def _check_aligned(prompts: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> None:
    if not len(prompts) == len(ours) == len(theirs) or not prompts:
        raise MinirlhfError(
            f"a win rate needs one completion of each side for every prompt, got {len(prompts)} "
            f"prompts, {len(ours)} of ours and {len(theirs)} of theirs"
        )
