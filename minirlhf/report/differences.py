"""What alignment costs, task by task: the models' paired differences from the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from minirlhf.report.charts import ticks
from minirlhf.report.examples import Row
from minirlhf.report.summary import PROBED, Numbers, entry, tasks

PAID = [model for model in PROBED if model != "base"]
"""Whose differences from the base are drawn, from top to bottom of a row."""


@dataclass(frozen=True)
class Differences:
    """A row a task, and in it a dot with its interval for each model; zero is the base."""

    rows: Sequence[tuple[str, Mapping[str, Row]]]
    """Tasks, the largest loss first, each with model to ``mean, low, high``."""

    @property
    def models(self) -> list[str]:
        return list(self.rows[0][1])

    @cached_property
    def range(self) -> tuple[float, float]:
        """What the axis spans: every interval, and zero."""
        found = [taxes for _, row in self.rows for taxes in row.values()]
        low = min(0.0, *(tax["low"] for tax in found))
        high = max(0.0, *(tax["high"] for tax in found))
        margin = 0.03 * (high - low) or 0.01
        return low - margin, high + margin

    def place(self, value: float) -> float:
        """Where a difference stands: percent of the chart's width."""
        low, high = self.range
        return round(100 * (value - low) / (high - low), 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Round differences in points: where they stand, and what they say."""
        low, high = self.range
        return ticks(100 * low, 100 * high)

    def worse(self, model: str) -> list[str]:
        """The tasks at which a model is worse than the base beyond the interval."""
        return [task for task, row in self.rows if row[model]["high"] < 0]

    def average(self, model: str) -> float:
        """The mean of a model's differences over the tasks."""
        return sum(row[model]["mean"] for _, row in self.rows) / len(self.rows)


def differences(summary: Row) -> Differences | None:
    """Those of a run, the tasks at which PPO (or else the last model) lost most first."""
    n, names = Numbers(summary), tasks(summary)
    models = [m for m in PAID if names and n.has(*(f"models.{m}.tax.{task}" for task in names))]
    if not models:
        return None
    by = "ppo" if "ppo" in models else models[-1]
    rows = [(t, {m: entry(summary, f"models.{m}.tax.{t}") for m in models}) for t in names]
    return Differences(sorted(rows, key=lambda row: row[1][by]["mean"]))
