"""The Eq. 1 explorer: K scores as dots to drag, their ranks, the loss and what pulls at each score.

While a dot moves the page computes Eq. 1 (`page/equations.js`), here `objectives` does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minirlhf import objectives
from minirlhf.errors import MinirlhfError
from minirlhf.report.charts import GRID, INK
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.pictures import FONT, canvas, dress, note
from minirlhf.widgets.words import say

REACH = 4.0
"""Scores run from minus to plus this much, or as far as the largest that it begins with."""


class RankingExplorer(LiveWidget):
    """Eq. 1 on one prompt: drag a score or change a rank, and see loss and gradients answer.

    ``scores`` and ``ranks`` (1 is best, ties allowed) are what it begins with, and traits that may
    be set later; ``completions`` are texts to show beside the dots.

    Raises:
        MinirlhfError: fewer than two scores, other numbers of ranks or texts, or a score that is no
            number.
    """

    scripts = ("equations.js", "ranking_pairs.js", "ranking_explorer.js")
    styles = ("ranking_explorer.css",)
    speaks = ("ranking",)

    scores = traitlets.List(traitlets.Float()).tag(sync=True)
    ranks = traitlets.List(traitlets.Int()).tag(sync=True)
    step_size = traitlets.Float(2.0, min=0.0).tag(sync=True)
    """How far `step` goes: the gradient times this."""
    losses = traitlets.List(traitlets.Float()).tag(sync=True)
    """The loss before the first step taken, and after each."""
    _completions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _reach = traitlets.Float(REACH).tag(sync=True)
    _first = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        scores: Sequence[float] = (0.8, 1.2, -0.4, -1.0),
        ranks: Sequence[int] | None = None,
        completions: Sequence[str] = (),
    ):
        K = len(scores)
        ranks = list(range(1, K + 1)) if ranks is None else [int(rank) for rank in ranks]
        if K < 2 or len(ranks) != K or (completions and len(completions) != K):
            raise MinirlhfError("A ranking has at least two scores, and as many ranks and texts.")
        scores = [float(score) for score in scores]
        if not all(map(math.isfinite, scores)):
            raise MinirlhfError(f"A score is a finite number, and these are {scores}.")
        self._size = K
        super().__init__(
            _reach=max(REACH, *(abs(score) for score in scores)),
            scores=scores,
            ranks=ranks,
            _completions=[str(text) for text in completions],
            _first={"scores": scores, "ranks": ranks},
        )

    @traitlets.validate("scores")
    def _as_scores(self, proposal: Any) -> list[float]:
        scores = proposal["value"]
        if len(scores) != self._size or not all(map(math.isfinite, scores)):
            raise traitlets.TraitError(f"There are {self._size} finite scores, not {scores}.")
        return [min(max(score, -self._reach), self._reach) for score in scores]

    @traitlets.validate("ranks")
    def _as_ranks(self, proposal: Any) -> list[int]:
        if len(proposal["value"]) != self._size:
            raise traitlets.TraitError(f"There are {self._size} ranks, not {proposal['value']}.")
        return proposal["value"]

    def compute(self) -> tuple[objectives.Ranking, torch.Tensor]:
        """Eq. 1 on the scores, and its gradient by each of them: float32 ``[K]``."""
        scores = torch.tensor([self.scores], requires_grad=True)
        ranks = torch.tensor([self.ranks])
        ranking = objectives.ranking_loss(scores, ranks, torch.ones_like(ranks, dtype=torch.bool))
        ranking.loss.backward()
        return ranking._replace(loss=ranking.loss.detach()), scores.grad[0]

    def step(self) -> RankingExplorer:
        """Take one step of gradient descent on the scores, as the page's button does."""
        ranking, gradient = self.compute()
        begun = self.losses or [float(ranking.loss)]
        pairs = zip(self.scores, gradient.tolist(), strict=True)
        self.scores = [score - self.step_size * slope for score, slope in pairs]
        self.losses = [*begun, float(self.compute()[0].loss)]
        return self

    # ---------------------------------------------------------------------------------- the copy

    @property
    def words(self) -> str:
        ranking, _ = self.compute()
        counts = {"correct": int(ranking.correct), "pairs": int(ranking.pairs)}
        return say("ranking.words", loss=f"{float(ranking.loss):.3f}", **counts)

    def texts(self) -> list[tuple[str, str]]:
        ranked = enumerate(zip(self._completions, self.ranks, strict=False), 1)
        return [
            (f"y{number} · {say('ranking.ranked')} {rank}", text) for number, (text, rank) in ranked
        ]

    def draw(self) -> Figure:
        """The scores with what gradient descent does to each, and the loss of every pair."""
        ranking, gradient = self.compute()
        scores, ranks = np.array(self.scores), np.array(self.ranks)
        figure, (left, right) = canvas(
            max(2.6, 0.34 * self._size + 1.2), 1, 2, gridspec_kw={"width_ratios": [1.5, 1]}
        )
        self._draw_scores(left, scores, ranks, gradient.numpy())
        self._draw_pairs(right, scores, ranks)
        counts = {"correct": int(ranking.correct), "pairs": int(ranking.pairs)}
        figure.suptitle(
            say("ranking.still.title", loss=f"{float(ranking.loss):.3f}", **counts),
            x=0.01, ha="left", fontsize=10, fontweight="bold", color=INK, fontfamily=FONT,
        )  # fmt: skip
        return figure

    def _draw_scores(self, axes: Axes, scores: Any, ranks: Any, gradient: Any) -> None:
        y = np.arange(len(scores))
        axes.axvline(0, color=GRID, linewidth=1)
        axes.scatter(scores, y, s=46, color=INK, zorder=3)
        for place, pull in enumerate(-self.step_size * gradient):
            if abs(pull) > 1e-3:
                axes.annotate(
                    "", (scores[place] + pull, place), (scores[place], place), zorder=4,
                    fontsize=10, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 2.0},
                )  # fmt: skip
        dress(axes, say("ranking.still.scores"), say("ranking.still.score"), "")
        ranked = say("ranking.ranked")
        axes.set_yticks(y, [f"y{k + 1} · {ranked} {rank}" for k, rank in enumerate(ranks)])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(visible=False)
        reach = self._reach + 0.3
        axes.set(xlim=(-reach, reach), ylim=(len(scores) - 0.4, -0.6))

    def _draw_pairs(self, axes: Axes, scores: Any, ranks: Any) -> None:
        wins = objectives.ranked_pairs(
            torch.tensor(ranks)[None], torch.ones(1, len(ranks), dtype=torch.bool)
        )[0].numpy()
        parts = (say(f"ranking.still.{name}") for name in ("pairs", "loser", "winner"))
        dress(axes, *parts)
        axes.grid(visible=False)
        for w, l in zip(*np.nonzero(wins), strict=True):
            loss = float(np.logaddexp(0.0, scores[l] - scores[w]))
            strength = min(loss / 3.0, 1.0)
            axes.add_patch(_square(l, w, INK, 0.06 + 0.84 * strength))
            ink = "#ffffff" if strength > 0.45 else INK
            size = 8 if len(ranks) <= 6 else 6.5
            note(axes, (l, w), f"{loss:.2f}", ha="center", va="center", color=ink, fontsize=size)
        names = [f"y{k + 1}" for k in range(len(ranks))]
        axes.set_xticks(range(len(ranks)), names)
        axes.set_yticks(range(len(ranks)), names)
        axes.set(xlim=(-0.5, len(ranks) - 0.5), ylim=(len(ranks) - 0.5, -0.5), aspect="equal")


def _square(x: float, y: float, color: str, alpha: float) -> Any:
    return Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, facecolor=color, alpha=alpha, linewidth=0)
