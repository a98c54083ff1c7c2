"""The playground where no kernel runs: every sample's score, or the grades, by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from minirlhf.report.charts import INK
from minirlhf.widgets.pictures import canvas, drawable, dress
from minirlhf.widgets.words import say


def draw_values(
    names: Sequence[str], colors: Sequence[str], lanes: Sequence[Mapping[str, Any]], measure: str
) -> Figure:
    """A row of dots a model; ``measure`` says what they are, the one shown is ringed."""
    figure, axes = canvas(0.32 * len(names) + 1.0)
    several = any(lane and len(lane["values"]) > 1 for lane in lanes)
    dress(axes, say(f"playground.{measure}_dots"), say(f"playground.{measure}_axis"), "")
    axes.set_yticks(range(len(names)), [drawable(name) for name in names])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False)
    for place, lane in enumerate(lanes):
        values = lane["values"] if lane else []
        axes.scatter(values, [place] * len(values), s=26, color=colors[place], linewidths=0,
                     alpha=0.55 if several else 1.0)  # fmt: skip
        if values:
            axes.scatter(values[lane["shown"]], place, s=110, facecolor="none", edgecolor=INK,
                         zorder=3)  # fmt: skip
    axes.margins(x=0.08)
    if measure == "grade" and all(1 <= v <= 7 for lane in lanes if lane for v in lane["values"]):
        axes.set(xlim=(0.8, 7.2), xticks=range(1, 8))  # Table 3's scale
    return figure
