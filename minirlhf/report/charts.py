"""Figures: one colour a model everywhere, intervals as error bars, SVG that follows the page.

Every function returns a `Figure` (never pyplot, so it may run on any thread); `svg` turns one into
markup for a page, whose text and grid take the page's own colours.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

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
"""Text, lesser text, lines: `svg` hands them to the page as --ink, --muted and --grid."""

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
    "svg.fonttype": "none",
    "svg.hashsalt": "minirlhf",
}
_OTHER = "#6f7a86"
_WIDTH = 9.4
"""Inches; a page shows a figure about half as large again."""

Values = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Bars:
    """One panel of `bars`: a horizontal bar a model, or a dot where zero is not the origin."""

    title: str
    values: Values
    """Model (or any label) to ``mean, low, high``."""
    unit: str = "% of prompts"
    """What the axis says; a share begins with ``%`` and is drawn in percent."""
    paper: Mapping[str, float] = field(default_factory=dict)
    """The paper's value for some of the models, drawn as an open diamond."""
    paper_small: Mapping[str, float] = field(default_factory=dict)
    """The same for the paper's smallest size, drawn as an open circle."""
    line: float | None = None
    """Where to draw a vertical line, such as 0.5 for a win rate."""
    dots: bool = False

    @property
    def scale(self) -> float:
        return 100.0 if self.unit.startswith("%") else 1.0

    @property
    def end(self) -> float:
        """Where the last mark ends, as drawn."""
        ends = [values["high"] for values in self.values.values()]
        return self.scale * max([*ends, *self.paper.values(), *self.paper_small.values()])


def bars(panels: Sequence[Bars], *, columns: int, names: Mapping[str, str] = NAMES) -> Figure:
    """Panels of horizontal bars with 95% intervals; names stand at the first panel of a row.

    Panels of shares run to one common end, so that their bars compare.
    """
    end = max((p.end for p in panels if p.scale == 100.0 and not p.dots), default=0.0)
    end = 100.0 if end > 85.0 else end
    rows = math.ceil(len(panels) / columns)
    count = max(len(panel.values) for panel in panels)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, rows * (0.27 * count + 0.95)), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for number, (axes, panel) in enumerate(zip(grid, panels, strict=False)):
            shared = end if panel.scale == 100.0 and not panel.dots else panel.end
            first = number % columns == 0 or list(panel.values) != list(panels[number - 1].values)
            _bars(axes, panel, names, shared, labelled=first)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
    return figure


def _bars(
    axes: Axes, panel: Bars, names: Mapping[str, str], right: float, *, labelled: bool
) -> None:
    models = list(panel.values)
    mean, low, high = (
        panel.scale * np.array([panel.values[model][end] for model in models])
        for end in ("mean", "low", "high")
    )
    y = np.arange(len(models))
    colors = [PALETTE.get(model, _OTHER) for model in models]
    if panel.dots:
        axes.scatter(mean, y, s=34, color=colors, zorder=3)
        axes.hlines(y, low, high, color=colors, linewidth=1.6)
    else:
        axes.barh(y, mean, height=0.62, color=colors, alpha=0.88)
        reach = np.stack([mean - low, high - mean]).clip(0.0)
        axes.errorbar(mean, y, xerr=reach, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    for paper, marker in ((panel.paper, "D"), (panel.paper_small, "o")):
        for place, model in enumerate(models):
            if model in paper:
                axes.scatter(
                    panel.scale * paper[model], place, s=26, marker=marker, facecolor="none",
                    edgecolor=INK, zorder=4,
                )  # fmt: skip
    left = low.min() if panel.dots else 0.0
    span = (right - left) or 1.0
    for place, value in zip(y, mean, strict=True):
        text = f"{value:.1f}" if panel.scale == 100.0 or abs(value) >= 10 else f"{value:.2f}"
        axes.text(right + 0.05 * span, place, text, va="center", fontsize=8, color=INK)
    axes.set_xlim(left - (0.06 * span if panel.dots else 0.0), right + 0.25 * span)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xticks([t for t in axes.get_xticks() if left - 1e-9 <= t <= right + 0.02 * span])
    if panel.line is not None:
        line = panel.scale * panel.line
        axes.axvline(line, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0.5)
    axes.set_yticks(y, [names.get(model, model) if labelled else "" for model in models])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.unit, loc="left")


@dataclass(frozen=True, kw_only=True)
class Lines:
    """One panel of `lines`."""

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


POINTS = 300
"""Points that a line is thinned to: more make a page larger and no finer."""


def lines(panels: Sequence[Lines], *, columns: int, height: float = 2.3) -> Figure:
    """Panels of learning curves, one colour a model, with a legend where there are several."""
    rows = math.ceil(len(panels) / columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, rows * height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            _lines(axes, panel)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        handles, labels = grid[0].get_legend_handles_labels()
        if len(handles) > 1:
            where = {"loc": "outside upper right", "borderpad": 0.0, "borderaxespad": 0.2}
            figure.legend(handles, labels, ncols=len(labels), **where)
    return figure


def _lines(axes: Axes, panel: Lines) -> None:
    for model, (xs, ys) in panel.series.items():
        color, label = PALETTE.get(model, INK), NAMES.get(model, model)
        x, y = (np.asarray(values, dtype=float) for values in (xs, ys))
        marker = "o" if panel.dots or len(x) == 1 else None
        if panel.smooth and len(x) > 10:
            axes.plot(*thinned(x, y), color=color, alpha=0.28, linewidth=0.9)
            y = running_mean(y, max(3, len(y) // 25))
        axes.plot(*thinned(x, y), color=color, label=label, marker=marker, markersize=4)
    if panel.mark is not None:
        x, y, text = panel.mark
        axes.scatter([x], [y], s=110, facecolor="none", edgecolor=INK, zorder=4)
        axes.annotate(
            text, (x, y), (0, -14), textcoords="offset points", ha="center", va="top", fontsize=8
        )
        axes.margins(y=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=panel.x in ("steps", "epochs")))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.grid(visible=False, axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x, loc="left")
    axes.set_ylabel(panel.y)


def short(value: float, _: int) -> str:
    """A tick's label: thousands as ``k``."""
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


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


def svg(figure: Figure, title: str) -> str:
    """The figure as inline SVG: ``title`` for screen readers, colours by the page's variables."""
    file = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' id="[a-z]+[0-9]*d?_\d+"', "", text)
    for color, name in ((INK, "ink"), (MUTED, "muted"), (GRID, "grid")):
        text = text.replace(color, f"var(--{name})")
    safe = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        rf'<svg \1 role="img" aria-label="{safe}">',
        text,
        count=1,
    )
    return re.sub(r"\n\s*", "\n", text).strip()
