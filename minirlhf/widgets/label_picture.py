"""The labeling desk's copy for pages without a kernel: the tiers, and what the others said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minirlhf.report.charts import GRID, INK, MUTED, PALETTE
from minirlhf.widgets.pictures import PAPER, canvas, dress, note
from minirlhf.widgets.words import say


def draw_ranking(ranks: Sequence[int | None], result: dict[str, Any]) -> Figure:
    """Tiers with the names that lie in them; of a ``result``, scores and labelers as well."""
    if not result.get("ranks"):
        figure, axes = canvas(0.75)
        _draw_tiers(axes, ranks)
        return figure
    figure, grid = canvas(3.4, 2, 2, height_ratios=[0.7, 2.7])
    whole = figure.add_subplot(grid[0, 0].get_gridspec()[0, :])
    for axes in grid[0]:
        axes.remove()
    _draw_tiers(whole, ranks)
    _draw_places(grid[1, 0], result)
    if result["agreement"]:
        _draw_people(grid[1, 1], result)
    else:
        grid[1, 1].set_axis_off()
    return figure


def _draw_tiers(axes: Axes, ranks: Sequence[int | None]) -> None:
    axes.set_axis_off()
    count = len(ranks)
    axes.set(xlim=(0.4, count + 0.6), ylim=(0, 1))
    words = {1: say("labeling.best"), count: say("labeling.worst")}
    for rank in range(1, count + 1):
        axes.add_patch(Rectangle((rank - 0.46, 0), 0.92, 0.62, facecolor=PAPER, edgecolor=GRID))
        note(
            axes,
            (rank, 0.8),
            f"{rank} {words.get(rank, '')}",
            ha="center",
            va="center",
            color=MUTED,
        )
        names = " = ".join(f"y{k + 1}" for k, own in enumerate(ranks) if own == rank)
        note(axes, (rank, 0.31), names, ha="center", va="center", fontsize=9 if count < 7 else 7)


def _draw_places(axes: Axes, result: dict[str, Any]) -> None:
    """By completion, best first: dots for the labelers' ranks, a diamond for yours."""
    ranks, scores = result["ranks"], result["scores"]
    dress(axes, say("labeling.places"), "", "", integers=True)
    axes.grid(visible=False)
    order = sorted(range(len(ranks)), key=lambda k: (ranks[k], k))
    most = max(1, *(number for row in result["others"] for number in row))
    for place, k in enumerate(order):
        counts = np.array(result["others"][k])
        there = np.flatnonzero(counts)
        axes.scatter(
            there + 1, np.full(len(there), place), s=110 * counts[there] / most, color=GRID
        )
        axes.scatter(ranks[k], place, s=46, marker="D", facecolor="none", edgecolor=INK, lw=1.4)
        if scores:
            note(axes, (1.02, place), f"{scores[k]:+.2f}".replace("-", "−"), va="center",
                 xycoords=axes.get_yaxis_transform(), fontsize=7.5)  # fmt: skip
    axes.set_yticks(range(len(order)), [f"y{k + 1}" for k in order])
    axes.set(xlim=(0.5, len(ranks) + 0.5), ylim=(len(order) - 0.4, -0.6))
    if scores:
        note(axes, (1.02, len(order) - 0.1), say("labeling.score"), va="top", fontsize=7.5,
             color=MUTED, xycoords=axes.get_yaxis_transform())  # fmt: skip


def _draw_people(axes: Axes, result: dict[str, Any]) -> None:
    """A dot for each labeler at the share of pairs on which they agree with you."""
    dress(axes, say("labeling.people"), "%", "")
    axes.grid(visible=False)
    axes.set_yticks([])
    heights: dict[int, int] = {}
    for share in sorted(result["agreement"].values()):
        place = round(100 * share / 4)
        axes.scatter(4 * place, heights.get(place, 0), s=24, color=PALETTE["sft"])
        heights[place] = heights.get(place, 0) + 1
    top = max(heights.values())
    axes.set(xlim=(-4, 104), ylim=(-0.8, top + 3.2))
    for share, key, height, style in (
        (result["mean"], "labeling.with_you", top + 2.2, "-"),
        (result["among"], "labeling.with_one_another", top + 0.9, (0, (3, 2))),
    ):
        if share is not None:
            axes.axvline(100 * share, color=INK, lw=1.1, linestyle=style)
            note(axes, (100 * share, height), f" {say(key, share=f'{share:.0%}')} ", va="center",
                 fontsize=7.5, ha="right" if share > 0.5 else "left",
                 bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0})  # fmt: skip
