"""The frontier where no kernel runs: two panels over KL, with the way of the chosen run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.report.charts import GRID, INK, MUTED, PALETTE
from minirlhf.widgets.pictures import PAPER, canvas, dress, note
from minirlhf.widgets.words import say

if TYPE_CHECKING:
    from minirlhf.widgets.frontier import Point

APART = np.array([0.16, 0.1])
"""Labels stand this far apart, across or down, in shares of what the picture spans."""
BESIDE = (
    ((7, -4), "left", "top", (0.11, -0.07)),
    ((-7, 4), "right", "bottom", (-0.11, 0.07)),
    ((7, 4), "left", "bottom", (0.11, 0.07)),
    ((-7, -4), "right", "top", (-0.11, -0.07)),
)
"""Where a label may stand: its offset in points, its sides, and its middle in such shares."""
COVERS = np.array([0.09, 0.06])
"""How far a label reaches from its middle."""
CLEAR = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
"""A label's ground, so that a line behind it doesn't strike it out."""
WAY = PALETTE["sft"]


def draw_frontier(runs: Sequence[Point], chosen: Point, *, judged: bool) -> Figure:
    """The reward model's score left, the judge's grade right; arrows along smaller β and training.

    ``judged``: whether there are grades.
    """
    figure, grid = canvas(3.0, 1, 1 + judged, squeeze=False, sharex=True)
    _draw(grid[0, 0], runs, chosen, "proxy")
    if judged:
        _draw(grid[0, 1], runs, chosen, "judge")
    return figure


def _draw(axes: Axes, runs: Sequence[Point], chosen: Point, name: str) -> None:
    dress(axes, say(f"frontier.{name}_title"), say("frontier.kl"), say(f"frontier.{name}_unit"))
    axes.margins(x=0.12, y=0.18)
    along = sorted(
        (run for run in runs if getattr(run, name) is not None), key=lambda run: -run.beta
    )
    ends = np.array([(run.kl, getattr(run, name)) for run in along])
    axes.plot(*ends.T, color=GRID, linewidth=1.4, zorder=0)
    for start, end in pairwise(ends):
        _arrow(axes, start, start + 0.6 * (end - start), MUTED)
    axes.scatter(*ends.T, s=26, color=INK, zorder=3)
    which = {"proxy": 1, "judge": 2}[name]
    path = np.array([(step[0], step[which]) for step in chosen.path if len(step) > which])
    if len(path) > 1:
        axes.plot(*path.T, color=WAY, linewidth=1.1, zorder=1)
        for part in (0.4, 0.8):
            at = int(part * (len(path) - 1))
            _arrow(axes, path[max(at - 4, 0)], path[at], WAY)
    spans = np.ptp(ends, axis=0) + 1e-9
    labelled: list[np.ndarray] = []
    for run, place in sorted(zip(along, ends, strict=True), key=lambda one: one[0] is not chosen):
        if run is chosen:
            axes.scatter(*place, s=130, facecolor="none", edgecolor=WAY, lw=1.8, zorder=4)
        if all((np.abs(place - other) / spans >= APART).any() for other in labelled):
            labelled.append(place)
            offset, across, up = _free((ends - place) / spans)
            note(axes, tuple(place), f"β {run.beta:g}", xytext=offset, ha=across, va=up,
                 textcoords="offset points", fontsize=7.5,
                 fontweight="bold" if run is chosen else "normal", bbox=CLEAR,
                 zorder=2.5)  # fmt: skip


def _free(others: np.ndarray) -> tuple[tuple[int, int], str, str]:
    """Where a label covers none of the points, given by their way from its own."""
    for offset, across, up, middle in BESIDE:
        if not (np.abs(others - middle) < COVERS).all(axis=1).any():
            return offset, across, up
    return BESIDE[0][:3]


def _arrow(axes: Axes, start: np.ndarray, end: np.ndarray, color: str) -> None:
    """An arrow head at ``end``, coming from ``start``."""
    if np.allclose(start, end):
        return
    look = {"arrowstyle": "-|>", "color": color, "lw": 0, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", tuple(end), tuple(start), arrowprops=look, zorder=2)
