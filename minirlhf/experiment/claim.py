"""A claim about the main job: a figure of its summary, and the bounds that it should keep."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minirlhf.evaluate.statistics import over_seeds


@dataclass(frozen=True)
class Claim:
    """One figure of the summary, and the bounds that its mean and its interval should keep."""

    text: str
    figure: Callable[[dict[str, Any]], float]
    at_least: float | None = None
    at_most: float | None = None
    low_above: float | None = None
    part: str = ""
    """The part of the proof that it is about; seeds without that part don't count."""

    def line(self, measured: list[dict[str, Any]]) -> str:
        figures = [self._figure(s) for s in measured if not self.part or s.get(self.part)]
        figures = figures or [math.nan]
        if any(map(math.isnan, figures)):
            verdict = (
                "MISSED  "
                if any(bound is not None for bound in (self.at_least, self.at_most, self.low_above))
                else " " * 8
            )
            return f"{verdict}{self.text}: no figure, for a seed has nothing to divide by"
        interval = over_seeds(figures)
        wanted, kept = [], []
        if self.at_least is not None:
            wanted.append(f"at least {self.at_least:g}")
            kept.append(interval.mean >= self.at_least)
        if self.at_most is not None:
            wanted.append(f"at most {self.at_most:g}")
            kept.append(interval.mean <= self.at_most)
        if self.low_above is not None:
            wanted.append(f"lower end above {self.low_above:g}")
            kept.append(interval.low > self.low_above)
        verdict = "" if not wanted else "holds   " if all(kept) else "MISSED  "
        return f"{verdict or '        '}{self.text}: {interval}" + (
            f" ({', '.join(wanted)})" if wanted else ""
        )

    def _figure(self, summary: dict[str, Any]) -> float:
        try:
            return self.figure(summary)
        except KeyError:  # an entry that its run had nothing for, and left out
            return math.nan


def of(model: str, *path: str) -> Callable[[dict[str, Any]], float]:
    """The mean of one figure of a model."""

    def figure(summary: dict[str, Any]) -> float:
        value = summary["models"][model]
        for name in path:
            value = value[name]
        return value["mean"]

    return figure


def of_each(text: str, *path: str) -> list[Claim]:
    """The same figure of the models along the way, which nothing is claimed of."""
    return [Claim(f"{text}: {name}", of(name, *path)) for name in ("base", "sft", "ppo", "ppo-ptx")]


def taxed(summary: dict[str, Any], points: float = 0.0) -> list[str]:
    """The task probes on which PPO is worse than the base, item by item, and by so much."""
    paired = summary["models"]["ppo"]["tax"]
    return [task for task, by in paired.items() if by["high"] < 0 and by["mean"] <= -points]


def worse_than_initial(summary: dict[str, Any]) -> float:
    """On how many task probes PPO is worse than the model that it started from."""
    initial, ppo = (summary["models"][name] for name in ("initial", "ppo"))
    return float(
        sum(ppo["probes"][task]["high"] < initial["probes"][task]["low"] for task in ppo["tax"])
    )


def won_back_each(summary: dict[str, Any]) -> float:
    """What PPO-ptx wins back of the tax on a task, a mean over those with one; at most all of it.

    NaN where PPO lost nothing.
    """
    base, ppo, ptx = (summary["models"][name]["probes"] for name in ("base", "ppo", "ppo-ptx"))
    shares = [
        min(1.0, (ptx[t]["mean"] - ppo[t]["mean"]) / (base[t]["mean"] - ppo[t]["mean"]))
        for t in taxed(summary)
    ]
    return sum(shares) / len(shares) if shares else math.nan


def ratio(model: str, other: str, *path: str) -> Callable[[dict[str, Any]], float]:
    return lambda summary: share(of(model, *path)(summary), of(other, *path)(summary))


def difference(model: str, other: str, *path: str) -> Callable[[dict[str, Any]], float]:
    return lambda summary: of(model, *path)(summary) - of(other, *path)(summary)


def kept_share(summary: dict[str, Any]) -> float:
    """The share of the control's gain that PPO on the learned reward keeps."""
    return share(of("ppo", "gain")(summary), of("ppo-judge", "gain")(summary))


def share(part: float, whole: float) -> float:
    """``part / whole``; NaN where there is no whole to divide by."""
    return part / whole if whole > 0 else math.nan
