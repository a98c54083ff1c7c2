"""The Eq. 1 explorer: K scores as sliders, their ranks, the loss and what pulls at each score."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as parts
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minirlhf import objectives
from minirlhf.errors import MinirlhfError
from minirlhf.report.charts import GRID, INK
from minirlhf.widgets.base import Board, row, say, slider, small
from minirlhf.widgets.pictures import FONT, canvas, dress, note

REACH = 4.0
"""Scores run from minus to plus this much."""


class RankingExplorer(Board):
    """Eq. 1 on one prompt: move a score or change a rank, and see loss and gradients answer.

    ``scores`` and ``ranks`` (1 is best, ties allowed) are what it begins with; ``completions`` are
    texts to show beside the sliders.
    """

    def __init__(
        self,
        scores: Sequence[float] = (0.8, 1.2, -0.4, -1.0),
        ranks: Sequence[int] | None = None,
        completions: Sequence[str] = (),
    ):
        super().__init__()
        K = len(scores)
        ranks = list(ranks) if ranks is not None else list(range(1, K + 1))
        if K < 2 or len(ranks) != K or (completions and len(completions) != K):
            raise MinirlhfError("A ranking has at least two scores, and as many ranks and texts.")
        reach = max(REACH, *(abs(float(score)) for score in scores))
        self.scores = [
            slider(
                say("ranking.score", number=k + 1),
                value=float(score),
                min=-reach,
                max=reach,
                step=0.05,
                continuous_update=True,
            )
            for k, score in enumerate(scores)
        ]
        self.ranks = [
            parts.Dropdown(
                options=list(range(1, K + 1)),
                value=rank,
                layout={"width": "150px"},
                description=say("ranking.rank", number=k + 1),
                style={"description_width": "80px"},
            )
            for k, rank in enumerate(ranks)
        ]
        for part in (*self.scores, *self.ranks):
            part.observe(self.refresh, "value")
        self.table = parts.HTML()
        texts = [[parts.HTML(small(text))] for text in completions] or [[] for _ in scores]
        rows = [
            row(score, rank, *words)
            for score, rank, words in zip(self.scores, self.ranks, texts, strict=True)
        ]
        self.arrange(*rows, self.image, self.caption, self.table)

    def compute(self) -> tuple[objectives.Ranking, torch.Tensor]:
        """Eq. 1 on the sliders, and its gradient by each score: float32 ``[K]``."""
        scores = torch.tensor([[part.value for part in self.scores]], requires_grad=True)
        ranks = torch.tensor([[part.value for part in self.ranks]])
        ranking = objectives.ranking_loss(scores, ranks, torch.ones_like(ranks, dtype=torch.bool))
        ranking.loss.backward()
        return ranking._replace(loss=ranking.loss.detach()), scores.grad[0]

    def draw(self) -> tuple[Figure, str]:
        """The scores with what gradient descent does to each, and the loss of every pair."""
        ranking, gradient = self.compute()
        scores = np.array([part.value for part in self.scores])
        ranks = np.array([part.value for part in self.ranks])
        loss, K = float(ranking.loss), len(scores)
        figure, (left, right) = canvas(
            max(2.6, 0.34 * K + 1.2), 1, 2, gridspec_kw={"width_ratios": [1.5, 1]}
        )
        self._draw_scores(left, scores, ranks, gradient.numpy())
        self._draw_pairs(right, scores, ranks)
        figure.suptitle(
            f"Loss {loss:.3f}: {int(ranking.correct)} of {int(ranking.pairs)} pairs in order",
            x=0.01, ha="left", fontsize=10, fontweight="bold", color=INK, fontfamily=FONT,
        )  # fmt: skip
        self.table.value = self._tabulate(scores, ranks, gradient)
        words = say("ranking.words", loss=f"{loss:.3f}", correct=int(ranking.correct),
                    pairs=int(ranking.pairs))  # fmt: skip
        return figure, words

    def _draw_scores(self, axes: Axes, scores: Any, ranks: Any, gradient: Any) -> None:
        y = np.arange(len(scores))
        axes.axvline(0, color=GRID, linewidth=1)
        axes.scatter(scores, y, s=46, color=INK, zorder=3)
        longest = max(float(np.abs(gradient).max()), 1e-9)
        for place, pull in enumerate(-gradient):
            if abs(pull) > 1e-4:
                axes.annotate(
                    "", (scores[place] + 2.4 * pull / max(longest, 0.25), place),
                    (scores[place], place), zorder=2, fontsize=10,
                    arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 2.0},
                )  # fmt: skip
        dress(axes, "Scores; arrows: a step's direction (not to scale)", "score", "")
        axes.set_yticks(y, [f"y{k + 1} · rank {rank}" for k, rank in enumerate(ranks)])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(visible=False)
        reach = self.scores[0].max + 1.2
        axes.set(xlim=(-reach, reach), ylim=(len(scores) - 0.4, -0.6))

    def _draw_pairs(self, axes: Axes, scores: Any, ranks: Any) -> None:
        wins = objectives.ranked_pairs(
            torch.tensor(ranks)[None], torch.ones(1, len(ranks), dtype=torch.bool)
        )[0].numpy()
        dress(axes, "−log σ of each pair", "loser", "winner")
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

    def _tabulate(self, scores: Any, ranks: Any, gradient: torch.Tensor) -> str:
        head = "".join(
            f"<th>{html.escape(say(f'ranking.{name}'))}</th>"
            for name in ("completion", "ranked", "scored", "gradient")
        )
        body = "".join(
            f"<tr><td>y{k + 1}</td><td>{rank}</td><td>{score:+.2f}</td><td>{slope:+.4f}</td></tr>"
            for k, (rank, score, slope) in enumerate(
                zip(ranks, scores, gradient.tolist(), strict=True)
            )
        )
        return f"<table><tr>{head}</tr>{body}</table>"


def _square(x: float, y: float, color: str, alpha: float) -> Any:

    return Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, facecolor=color, alpha=alpha, linewidth=0)
