"""The training desk's copy for pages without a kernel: every curve, up to the step shown."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.report.charts import INK, MUTED
from minirlhf.widgets.curves import SMOOTHED, Numbers
from minirlhf.widgets.pictures import FONT, canvas, drawable, dress, note
from minirlhf.widgets.words import say

MOST = 6
"""Panels of a picture."""


def draw_curves(
    curves: list[Numbers], ghost: dict[str, Numbers], *,
    now: int, end: int, title: str, unit: str, color: str,
) -> Figure:  # fmt: skip
    """A panel for each of ``curves``, in colour up to step ``now``, on an axis up to ``end``.

    ``ghost`` is another run's curves by metric.
    """
    shown = curves[:MOST]
    columns = min(max(len(shown), 1), 3)
    rows = math.ceil(max(len(shown), 1) / columns)
    figure, grid = canvas(0.35 + 1.85 * rows, rows, columns, squeeze=False)
    if any(curve["mean"] for curve in shown):
        title += f" · {say('desk.pale')}"
    figure.suptitle(drawable(title), x=0.01, ha="left", fontsize=8.5, color=MUTED, fontfamily=FONT)
    for place, (axes, curve) in enumerate(zip(grid.ravel(), shown, strict=False)):
        old = ghost.get(curve["metric"])
        _draw(axes, curve, old, now=now, end=end, unit=unit, color=color, first=place == 0)
    for axes in grid.ravel()[len(shown) :]:
        axes.set_axis_off()
    if not shown:
        note(grid[0, 0], (0.5, 0.5), say("desk.empty"), xycoords="axes fraction", ha="center")
    return figure


def _draw(
    axes: Axes, curve: Numbers, ghost: Numbers | None, *,
    now: int, end: int, unit: str, color: str, first: bool,
) -> None:  # fmt: skip
    steps, values = np.asarray(curve["x"]), np.asarray(curve["y"])
    line = values if curve["mean"] is None else np.asarray(curve["mean"])
    dots = {"marker": "o", "markersize": 2.5} if len(steps) <= SMOOTHED else {}
    if curve["chance"] is not None:
        axes.axhline(curve["chance"], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        note(
            axes, (1.0, curve["chance"]), say("desk.chance"), xytext=(0, 2), fontsize=7,
            ha="right", textcoords="offset points", xycoords=axes.get_yaxis_transform(),
            color=MUTED,
        )  # fmt: skip
    if ghost is not None:
        there = np.asarray(ghost["x"]) <= end
        shade = np.asarray(ghost["mean"] or ghost["y"])[there]
        axes.plot(np.asarray(ghost["x"])[there], shade, color=MUTED, lw=1.1, linestyle=(0, (3, 2)))
    if curve["mean"] is not None:
        axes.plot(steps, values, color=color, alpha=0.25, linewidth=0.8)
    axes.plot(steps, line, color=color, alpha=0.3, linewidth=1.4, **dots)
    past = steps <= now
    if past.any():
        axes.plot(steps[past], line[past], color=color, linewidth=1.6, **dots)
        here = steps[past][-1:], values[past][-1:]
        axes.plot(*here, color=color, marker="o", markersize=4.5, clip_on=False, zorder=5)
    if held := curve["held"]:
        axes.plot(
            held["x"], held["y"], color=INK, linewidth=1, linestyle=(0, (2, 2)), marker="D",
            markersize=4, clip_on=False, zorder=4,
        )  # fmt: skip
        note(axes, (held["x"][-1], held["y"][-1]), say("desk.held_out"), xytext=(-4, 7), ha="right",
             textcoords="offset points", fontsize=7.5)  # fmt: skip
    dress(axes, curve["title"], unit, curve["unit"], integers=True)
    axes.set_xlim(min(steps[0], 1) - 0.5, max(end, steps[0] + 1) + 0.5)
    for turn in curve["turns"]:
        axes.axvline(turn["step"] - 0.5, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
        if first:
            note(
                axes, (turn["step"] - 0.5, 0.98), turn["words"], xytext=(2, 0), fontsize=7,
                xycoords=axes.get_xaxis_transform(), textcoords="offset points", va="top",
            )  # fmt: skip
