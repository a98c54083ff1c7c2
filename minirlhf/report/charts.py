"""Charts of a page: one colour a model everywhere, and curves with their mean (`bars`: the others).

A panel is data; where its marks stand is computed here, in shares of the panel, and
``charts.html.jinja`` writes it down as HTML: its words keep their size on whatever screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

PALETTE = {
    "base": "#777b82",
    "prompted": "#b8862b",
    "sft": "#2f6ee0",
    "sft-4x": "#2a9ad6",
    "initial": "#8555ae",
    "best-of-n": "#ce76a9",
    "ppo": "#bd4a22",
    "ppo-ptx": "#169e5e",
}
"""A colour a model: 3:1 on white and on a dark page, apart for the colour-blind too."""
NAMES = {
    "base": "Base",
    "prompted": "Base, prompted",
    "sft": "SFT",
    "sft-4x": "SFT, 4 × data",
    "initial": "Initial (C.3)",
    "best-of-n": "Best of n",
    "ppo": "PPO",
    "ppo-ptx": "PPO-ptx",
}
"""What a figure calls each model."""
INK, MUTED, GRID = "#22262b", "#626972", "#d9dce1"
"""Text, lesser text, lines of a matplotlib figure."""

STYLE = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
"""matplotlib's settings for the figures of the course."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A panel of learning curves, one colour a model."""

    title: str
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    """Model (or any label) to x and y."""
    x: str
    y: str
    dots: bool = False
    """Mark every point: for a handful of epochs."""
    mark: tuple[float, float, str] | None = None
    """A point to ring, and what to call it."""
    smooth: bool = False
    """Draw a running mean over the raw values, which stay visible behind it."""
    path: bool = False
    """Whether x is measured too, so that its running mean is taken as well."""

    @cached_property
    def curves(self) -> list[Curve]:
        return [
            Curve(self, model, np.asarray(x, dtype=float), np.asarray(y, dtype=float))
            for model, (x, y) in self.series.items()
        ]

    @cached_property
    def x_range(self) -> tuple[float, float]:
        return _range([curve.x for curve in self.curves], margin=0.05 * self.dots)

    @cached_property
    def y_range(self) -> tuple[float, float]:
        return _range([curve.y for curve in self.curves], margin=0.15 if self.mark else 0.05)

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Where the ticks stand, in percent from the left, and what they say."""
        return ticks(*self.x_range, whole=self.x in ("steps", "epochs"))

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """The same from the top."""
        return [(100 - at, text) for at, text in ticks(*self.y_range)]

    @property
    def place(self) -> tuple[float, float] | None:
        """Where the ringed point is, in percent from the left and the top."""
        if self.mark is None:
            return None
        (x, y, _), (left, right), (low, high) = self.mark, self.x_range, self.y_range
        return 100 * (x - left) / (right - left), 100 * (high - y) / (high - low)

    @property
    def labels(self) -> list[tuple[Curve, float, float]]:
        """Of several curves each with the place of its name, in percent from the left and the top:
        where the line ends, and below the name above. None where a line ends within the panel:
        there the others would cross its name.
        """
        (left, right), (low, high) = self.x_range, self.y_range
        places, under, lowest = [], -LABEL, 100 - LABEL / 2
        for curve in sorted(self.curves, key=lambda curve: -curve.ends[1]):
            at = 100 * (curve.mean[0][-1] - left) / (right - left)
            under = max(under + LABEL, 100 * (high - curve.ends[1]) / (high - low))
            places.append([curve, round(float(at), 2), under])
        for place in reversed(places):  # the last stays above the axis, and pushes the others up
            place[2] = max(min(place[2], lowest), 0.0)
            lowest = place[2] - LABEL
        if len(places) < 2 or min(at for _, at, _ in places) < WITHIN:
            return []
        return [(curve, at, round(float(top), 2)) for curve, at, top in places]

    @property
    def window(self) -> int:
        """Over how many values the running mean goes; 1 where none is drawn."""
        return max(curve.window for curve in self.curves)


LABEL = 10.0
"""How high a curve's name is, in percent of the panel."""
WITHIN = 90.0
"""A line that ends before this percent of the width ends within the panel."""


@dataclass(frozen=True)
class Curve:
    """One model's line in a panel."""

    panel: Lines
    model: str
    x: np.ndarray
    y: np.ndarray

    @property
    def window(self) -> int:
        """Over how many values its running mean goes."""
        return max(3, len(self.y) // 25) if self.panel.smooth and len(self.y) > 10 else 1

    @cached_property
    def mean(self) -> tuple[np.ndarray, np.ndarray]:
        """The line to read."""
        x = running_mean(self.x, self.window) if self.panel.path else self.x
        return x, running_mean(self.y, self.window)

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last value of the line to read."""
        return float(self.mean[1][0]), float(self.mean[1][-1])

    @property
    def raw_points(self) -> str:
        """The values as they were logged, as SVG's ``points`` in thousandths of the panel."""
        return self._points(self.x, self.y)

    @property
    def points(self) -> str:
        """The line to read, in the same way."""
        return self._points(*self.mean)

    def _points(self, x: np.ndarray, y: np.ndarray) -> str:
        (left, right), (low, high) = self.panel.x_range, self.panel.y_range
        x, y = thinned(1000 * (x - left) / (right - left), 1000 * (high - y) / (high - low))
        return " ".join(f"{a:.2f},{b:.2f}" for a, b in zip(x, y, strict=True))


POINTS = 300
"""Points that a line is thinned to: more make a page larger and no finer."""


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `POINTS` points of a line, its ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return x[kept], y[kept]


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over the last ``window`` values, over fewer at the beginning."""
    sums = np.concatenate([[0.0], values.cumsum()])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def short(value: float, _: int = 0) -> str:
    """A tick's label: thousands as ``k``."""
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _range(values: Sequence[np.ndarray], margin: float) -> tuple[float, float]:
    """From the least to the largest of all that is finite, with some margin on both sides."""
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    low, high = (found.min(), found.max()) if len(found) else (0.0, 1.0)
    reach = (high - low) or abs(high) or 1.0
    edge = margin * reach if high > low else 0.5 * reach
    return float(low - edge), float(high + edge)


def _alike(ticks: Sequence[float]) -> list[str]:
    """Labels of ticks, all with the same decimals, but for 0, thousands and powers of ten."""
    texts = [short(tick) for tick in ticks]
    if any(letter in text for text in texts for letter in "ek"):
        return texts
    digits = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [f"{tick:.{digits}f}" if tick else "0" for tick in ticks]


def ticks(low: float, high: float, *, whole: bool = False) -> list[tuple[float, str]]:
    """Round values within the range: where they stand, in percent of it, and what they say."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(5, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    kept = [round(float(tick), 10) + 0.0 for tick in found if low <= tick <= high]
    return [
        (round(100 * (tick - low) / (high - low), 2), text.replace("-", "−"))
        for tick, text in zip(kept, _alike(kept), strict=True)
    ]
