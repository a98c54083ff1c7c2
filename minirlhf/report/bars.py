"""Panels of bars, or of dots where zero is not the origin, with intervals as whiskers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from minirlhf.report.charts import NAMES, ticks

Values = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A panel with a horizontal bar a model, or a dot where zero is not the origin."""

    title: str
    values: Values
    """Model (or any label) to ``mean, low, high``, and ``key``: its place in the summary."""
    unit: str = "% of prompts"
    """What the axis says; a share begins with ``%`` and is drawn in percent."""
    paper: Mapping[str, float] = field(default_factory=dict)
    """The paper's value for some of the models, drawn as an open diamond."""
    paper_small: Mapping[str, float] = field(default_factory=dict)
    """The same for the paper's smallest size, drawn as an open circle."""
    line: float | None = None
    """Where to draw a vertical line, such as 0.5 for a win rate."""
    dots: bool = False
    names: Mapping[str, str] = field(default_factory=lambda: NAMES)
    to: float | None = None
    """Where the axis ends; where the last mark does unless it is said."""

    @property
    def is_share(self) -> bool:
        return self.unit.startswith("%")

    @property
    def end(self) -> float:
        """Where the last mark ends."""
        ends = [values["high"] for values in self.values.values()]
        return max([*ends, *self.paper.values(), *self.paper_small.values()])

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where an axis of dots has its ticks, in percent of the width, and what they say."""
        return ticks(self.start, self.end) if self.dots and self.end > self.start else []

    @property
    def start(self) -> float:
        if not self.dots:
            return 0.0
        low = min(values["low"] for values in self.values.values())
        return low - 0.06 * (self.end - low)

    def place(self, value: float) -> float:
        """Where a value stands: percent of the panel's width, within it."""
        end = self.end if self.to is None else self.to
        share = (value - self.start) / ((end - self.start) or 1.0)
        return round(100 * min(max(share, 0.0), 1.0), 2)


def to_one_end(panels: Sequence[Bars]) -> list[Bars]:
    """Panels of shares run to one common end, so that their bars compare."""
    end = max((p.end for p in panels if p.is_share and not p.dots), default=0.0)
    end = 1.0 if end > 0.85 else end
    return [replace(p, to=end) if p.is_share and not p.dots else p for p in panels]
