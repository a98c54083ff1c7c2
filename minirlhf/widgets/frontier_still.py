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

HALF = np.array([0.075, 0.04])
"""Half of a label's width and height, in shares of a panel."""
SIDES = ((1, 0), (-1, 0), (1, -1), (-1, 1), (1, 1), (-1, -1), (0, 1), (0, -1))
"""Where a label may stand beside its point, in the order in which they are liked."""
DENSE = 40
"""Places on a line at which it is looked whether a label covers it."""
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
    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    points, way = ((places - low) / (high - low) for places in (ends, path.reshape(-1, 2)))
    lines, covered = np.concatenate([_along(points), way]), points
    for run, place, at in sorted(
        zip(along, ends, points, strict=True), key=lambda one: one[0] is not chosen
    ):
        if run is chosen:
            axes.scatter(*place, s=130, facecolor="none", edgecolor=WAY, lw=1.8, zorder=4)
        middle = _free(at, covered, lines)
        covered = np.concatenate([covered, middle + HALF * np.array([[-0.7, 0], [0, 0], [0.7, 0]])])
        note(axes, tuple(middle), f"β {run.beta:g}", xycoords="axes fraction",
             ha="center", va="center", fontsize=7.5, bbox=CLEAR, zorder=2.5,
             fontweight="bold" if run is chosen else "normal")  # fmt: skip


def _along(points: np.ndarray) -> np.ndarray:
    """Places on the line through some points."""
    stops = np.arange(len(points))
    at = np.linspace(0, len(points) - 1, DENSE)
    return np.transpose([np.interp(at, stops, column) for column in points.T])


def _free(at: np.ndarray, covered: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """The middle of a label beside ``at``: it hides fewest marks and names, then least of lines."""

    def hides(middle: np.ndarray) -> tuple[int, int]:
        out = int((np.abs(middle - 0.5) + HALF > 0.5).any())
        return tuple(
            int((np.abs(places - middle) < HALF + 0.01).all(axis=1).sum()) + extra
            for places, extra in ((covered, out), (lines, 0))
        )

    gaps = [np.array(side) * (HALF + (0.03 if 0 in side else 0.01)) for side in SIDES]
    return min((at + gap for gap in gaps), key=hides)


def _arrow(axes: Axes, start: np.ndarray, end: np.ndarray, color: str) -> None:
    """An arrow head at ``end``, coming from ``start``."""
    if np.allclose(start, end):
        return
    look = {"arrowstyle": "-|>", "color": color, "lw": 0, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", tuple(end), tuple(start), arrowprops=look, zorder=2)
