"""The reward–KL frontier: runs that differ in β, the reward model's score and a judge's over KL."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ipywidgets as parts
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.errors import MinirlhfError
from minirlhf.report.charts import GRID, INK, MUTED, running_mean
from minirlhf.widgets.base import Board, card, cards, grade, say, slider
from minirlhf.widgets.pictures import PAPER, canvas, dress, note
from minirlhf.widgets.run_reader import Reader

WINDOW = 10
"""Last iterations of a run that are averaged, and those that a point of its path averages."""
APART = np.array([0.16, 0.1])
"""Labels stand this far apart, across or down, in shares of what the picture spans."""
CLEAR = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
"""A label's ground, so that a line behind it doesn't strike it out."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where a run ended."""

    beta: float
    kl: float
    """Nats a reply, to the reference."""
    proxy: float
    """The reward model's mean score."""
    judge: float | None = None
    """The judge's mean grade."""
    samples: Sequence[Mapping[str, Any]] = ()
    """A few with ``prompt``, ``response`` and perhaps ``score``."""
    path: Sequence[tuple[float, float]] = field(default=())
    """KL and the reward model's score on the way there."""


class Frontier(Board):
    """Proxy and judge against KL over several runs.

    The slider picks one run, and shows the way it took and its texts.

    ``runs`` are PPO folders or `Point`s (or dicts with a point's fields). Of a folder the last
    iterations are averaged. The judge's grades are those in its log (``judge/grade``), unless
    ``judge``, a function of a prompt and a response that returns a number or a verdict with
    ``overall``, is given: it grades the folder's own samples.
    """

    def __init__(
        self,
        runs: Sequence[str | Path | Point | Mapping[str, Any]],
        *,
        judge: Callable[[str, str], Any] | None = None,
        source: str = "",
    ):
        super().__init__()
        self.points = sorted((_point(run, judge) for run in runs), key=lambda point: point.beta)
        if not self.points:
            raise MinirlhfError("The frontier needs at least one run.")
        self.source = source
        self.choice = slider(
            say("frontier.choice"), parts.SelectionSlider, continuous_update=True,
            options=[(f"{point.beta:g}", at) for at, point in enumerate(self.points)],
        )  # fmt: skip
        self.said = parts.HTML()
        self.choice.observe(self.refresh, "value")
        self.arrange(self.choice, self.image, self.caption, self.said)

    @property
    def chosen(self) -> Point:
        return self.points[self.choice.value]

    def draw(self) -> tuple[Figure, str]:
        """Two panels over one KL axis: the reward model's score left, the judge's grade right."""
        judged = any(point.judge is not None for point in self.points)
        figure, grid = canvas(2.9, 1, 1 + judged, squeeze=False, sharex=True)
        self._draw(grid[0, 0], "proxy", "Reward model (proxy)", "score")
        if judged:
            self._draw(grid[0, 1], "judge", "Judge", "grade")
        self.said.value = self._texts()
        point = self.chosen
        graded = "" if point.judge is None else say("frontier.judge", grade=f"{point.judge:.2f}")
        words = say("frontier.words", beta=f"{point.beta:g}", kl=f"{point.kl:.2f}",
                    proxy=f"{point.proxy:+.2f}")  # fmt: skip
        return figure, f"{words} {graded}".strip()

    def _draw(self, axes: Axes, name: str, title: str, unit: str) -> None:
        shown = [point for point in self.points if getattr(point, name) is not None]
        if name == "proxy" and len(self.chosen.path) > 1:
            axes.plot(*zip(*self.chosen.path, strict=True), color=MUTED, linewidth=0.9, zorder=1)
        along = sorted(shown, key=lambda point: point.kl)
        kls, values = (
            np.array([getattr(point, field) for point in along]) for field in ("kl", name)
        )
        axes.plot(kls, values, color=GRID, linewidth=1.4, zorder=0)
        axes.scatter(kls, values, s=26, color=INK, zorder=3)
        dress(axes, title, "KL to the reference, nats a reply", unit)
        axes.margins(x=0.12, y=0.18)
        labelled: list[np.ndarray] = []
        spans = np.ptp([kls, values], axis=1) + 1e-9
        for point in sorted(along, key=lambda point: point is not self.chosen):
            chosen, place = point is self.chosen, (point.kl, getattr(point, name))
            if chosen:
                axes.scatter(*place, s=130, facecolor="none", edgecolor=INK, lw=1.6, zorder=4)
            at = np.array(place) / spans
            if all((np.abs(at - other) >= APART).any() for other in labelled):
                labelled.append(at)
                note(axes, place, f"β {point.beta:g}", xytext=(7, -4), ha="left", va="top",
                     textcoords="offset points", fontsize=7.5,
                     fontweight="bold" if chosen else "normal", bbox=CLEAR, zorder=2.5)  # fmt: skip

    def texts(self) -> list[tuple[str, str]]:
        """The samples of the chosen run."""
        return [(sample["prompt"], sample["response"]) for sample in self.chosen.samples]

    def _texts(self) -> str:
        point = self.chosen
        contents = [card(sample) for sample in point.samples]
        title = html.escape(say("frontier.samples", beta=f"{point.beta:g}"))
        return (f"<b>{title}</b>" + cards(contents)) if contents else ""


def _point(run: Any, judge: Callable[[str, str], Any] | None) -> Point:
    if isinstance(run, Point):
        return run
    if isinstance(run, Mapping):
        return Point(**run)
    reader = Reader(run)
    reader.look()
    kls, scores = (reader.series(f"objective/{name}")[1] for name in ("kl", "score"))
    last = reader.rows[-WINDOW:]
    beta = last[-1].get("objective/beta", reader.config.get("beta")) if last else None
    if not kls or not scores or beta is None:
        raise MinirlhfError(f"{run} isn't the folder of a PPO run with a log: check the path.")
    grades = reader.series("judge/grade")[1][-WINDOW:]
    if judge:
        steps = range(last[0]["step"], last[-1]["step"] + 1)
        samples = [s for step in steps for s in reader.samples(step) if s["step"] == step]
        grades = [float(grade(judge(s["prompt"], s["response"]))) for s in samples]
    return Point(
        beta=beta,
        kl=float(np.mean(kls[-WINDOW:])),
        proxy=float(np.mean(scores[-WINDOW:])),
        judge=float(np.mean(grades)) if grades else None,
        samples=reader.samples(last[-1]["step"]),
        path=list(zip(*(running_mean(np.array(v), WINDOW) for v in (kls, scores)), strict=True)),
    )
