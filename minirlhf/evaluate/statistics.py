"""Means with 95% intervals, the paper's error bars: over seeds, over prompts, of proportions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from minirlhf.errors import MinirlhfError


@dataclass(frozen=True)
class Interval:
    """An estimate and the two ends of its confidence interval.

    ``n`` counts the independent observations behind it: seeds, prompts or trials.
    """

    mean: float
    low: float
    high: float
    n: int

    def __format__(self, spec: str) -> str:
        """Each number as ``spec`` says: ``f"{share:.1%}"`` is ``49.2% [45.8%, 52.7%]``.

        What is rounded to zero has no sign.
        """
        spec = spec or ".3f"
        mean, low, high = (
            re.sub(r"^[-+](0(\.0*)?%?)$", r"\1", format(number, spec))
            for number in (self.mean, self.low, self.high)
        )
        return f"{mean} [{low}, {high}]"

    def __str__(self) -> str:
        return f"{self}"

    def __rmul__(self, factor: float) -> Interval:
        """In another unit: ``100 * share`` is in percent. The factor is positive."""
        return Interval(factor * self.mean, factor * self.low, factor * self.high, self.n)


def over_seeds(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Mean of one value a seed, with Student's t interval.

    Raises:
        MinirlhfError: if there are fewer than two values, or one is not finite.
    """
    values = _finite(values, at_least=2, what="seed")
    mean, error = values.mean(), stats.sem(values)
    reach = stats.t.ppf((1 + level) / 2, df=values.size - 1) * error
    return Interval(float(mean), float(mean - reach), float(mean + reach), values.size)


def over_prompts(
    values: ArrayLike, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Mean of one value a prompt, with the percentile bootstrap over prompts.

    Prompts are the unit that is drawn again: average several samples of one prompt beforehand.

    Raises:
        MinirlhfError: if there are no values, or one is not finite.
    """
    values = _finite(values, at_least=1, what="prompt")
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    rows = max(1, 2**22 // values.size)  # a block of indices stays within 32 MB
    for start in range(0, resamples, rows):
        block = means[start : start + rows]
        drawn = generator.integers(values.size, size=(block.size, values.size))
        block[:] = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), values.size)


def paired_difference(
    ours: ArrayLike,
    theirs: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Mean of ``ours - theirs`` over the same prompts, bootstrapped as pairs.

    Pairing takes out what makes a prompt easy or hard for both.

    Raises:
        MinirlhfError: if the two differ in length, are empty or hold a value that is not finite.
    """
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if ours.shape != theirs.shape:
        raise MinirlhfError(
            f"a paired difference needs the same prompts on both sides, "
            f"got {ours.shape} and {theirs.shape} values"
        )
    return over_prompts(ours - theirs, level=level, resamples=resamples, seed=seed)


def wins(ours: ArrayLike, theirs: ArrayLike) -> np.ndarray:
    """Verdicts from two scores of each prompt: 1 where ours is higher, 0 where theirs, a tie ½.

    Their mean is the win rate; ``over_prompts(wins(ours, theirs))`` adds its interval.
    """
    return (np.sign(np.subtract(ours, theirs, dtype=float)) + 1) / 2


def proportion(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """A share of independent trials with Wilson's score interval, sound near 0 and 1 too.

    Raises:
        MinirlhfError: if there are no trials, or more successes than trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise MinirlhfError(f"{successes} successes in {trials} trials make no proportion")
    ends = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    return Interval(successes / trials, float(ends.low), float(ends.high), trials)


def _finite(values: ArrayLike | Sequence[float], *, at_least: int, what: str) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or values.size < at_least:
        raise MinirlhfError(
            f"an interval over {what}s needs a flat list of {at_least} or more values, "
            f"got shape {values.shape}"
        )
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values))[0])
        raise MinirlhfError(f"the value of {what} {where} is {values[where]}, not a finite number")
    return values
