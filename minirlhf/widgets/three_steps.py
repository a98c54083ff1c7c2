"""The paper's three steps in one picture (Fig. 2), filled in as they are taken."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten, wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from minirlhf.report.charts import GRID, INK, MUTED, PALETTE
from minirlhf.report.examples import order, pairs_in_order
from minirlhf.widgets.base import Board, say
from minirlhf.widgets.pictures import MONO, canvas, note

STEPS = (
    ("Step 1 · demonstrations teach", PALETTE["sft"],
     ("A prompt is drawn.", "A labeler writes a reply.", "The policy learns to reply so.")),
    ("Step 2 · rankings teach", INK,
     ("The policy replies several times.", "A labeler ranks the replies.",
      "A reward model scores them.")),
    ("Step 3 · the reward teaches", PALETTE["ppo"],
     ("A new prompt is drawn.", "The policy replies.", "The score moves the policy.")),
)  # fmt: skip
"""Of each column its title, its colour and what happens in its boxes."""
_LINE, _LINES, _REPLY = 32, 10, 60
"""Characters of a line, lines of a box, and characters of one reply of several."""


class ThreeSteps(Board):
    """Three columns of three boxes; `first`, `second` and `third` fill one each.

    They return the board, so that a notebook shows it again. A copy that a saved page keeps where
    it was shown before stays as it was.
    """

    def __init__(self):
        super().__init__()
        self.filled: dict[int, tuple[str, str, str]] = {}
        self.arrange(self.image, self.caption)

    def first(self, prompt: str, demonstration: str, before: float, after: float) -> ThreeSteps:
        """Step 1: a demonstration, and the share of requests done before and after (0 to 1)."""
        return self._fill(0, prompt, demonstration, _measured("requests done", before, after))

    def second(
        self,
        prompt: str,
        completions: Sequence[str],
        ranks: Sequence[int],
        scores: Sequence[float],
        before: float,
        after: float,
    ) -> ThreeSteps:
        """Step 2: replies to one prompt, a labeler's ranks, the reward model's scores, and what
        share of unseen pairs it had in order before and after its training.
        """
        names = "ABCDEFGHI"[: len(completions)]
        replies = zip(names, completions, strict=True)
        said = "\n".join(f"{name} {_short(reply)}" for name, reply in replies)
        scored = "\n".join(f"{n} {score:+z.2f}" for n, score in zip(names, scores, strict=True))
        right, pairs = pairs_in_order(ranks, scores)
        ranked = " ".join(order(ranks, names))
        measured = _measured("unseen pairs in order", before, after)
        learned = f"{scored}\n{right} of {pairs} pairs in order\n{measured}"
        return self._fill(1, f"{prompt.strip()}\n{said}", ranked, learned)

    def third(
        self,
        prompt: str,
        response: str,
        score: float,
        trained_on: tuple[float, float],
        measured: tuple[float, float],
    ) -> ThreeSteps:
        """Step 3: a reply with its score; before and after, the mean score, which was trained on,
        and the share of requests done, which wasn't.
        """
        low, high = trained_on
        learned = f"score {score:+z.2f}\nmean score (trained on):\n{low:+z.2f} → {high:+z.2f}"
        done = _measured("requests done", *measured)
        return self._fill(2, prompt, response, f"{learned}\n{done}")

    def draw(self) -> tuple[Figure, str]:
        """Empty boxes say what will stand in them."""
        figure, columns = canvas(4.9, 1, 3)
        figure.get_layout_engine().set(w_pad=0.03, wspace=0.0)
        for step, axes in enumerate(columns):
            _column(axes, *STEPS[step], self.filled.get(step, ("", "", "")))
        if not self.filled:
            return figure, say("pipeline.empty")
        return figure, say("pipeline.words", steps=", ".join(str(1 + s) for s in self.filled))

    def _fill(self, step: int, *boxes: str) -> ThreeSteps:
        self.filled[step] = boxes
        self._still = None
        self.refresh()
        return self


def _column(
    axes: Axes, title: str, color: str, happens: Sequence[str], filled: Sequence[str]
) -> None:
    axes.set_axis_off()
    axes.set(xlim=(-0.02, 1.02), ylim=(3.12, -0.16))
    options: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=.02", "linewidth": 0.8}
    head = FancyBboxPatch((0, -0.14), 1, 0.13, facecolor=color, edgecolor=color, **options)
    axes.add_patch(head)
    note(axes, (0.5, -0.075), title, color="#ffffff", ha="center", va="center",
         fontsize=7.5, fontweight="bold")  # fmt: skip
    for row, (caption, content) in enumerate(zip(happens, filled, strict=True)):
        ground = "#ffffff" if content else "#f6f7f8"
        box = FancyBboxPatch((0, row + 0.06), 1, 0.9, facecolor=ground, edgecolor=GRID, **options)
        axes.add_patch(box)
        note(axes, (0.05, row + 0.12), caption, va="top", color=MUTED, fontsize=7.5)
        for place, line in enumerate(_wrapped(content)):
            at = 0.05, row + 0.25 + 0.07 * place
            note(axes, at, line, va="top", fontsize=6.4, fontfamily=MONO, in_layout=False)
        if row:
            axes.plot([0.5], [row + 0.01], marker="v", color=color, ms=6, clip_on=False)


def _wrapped(content: str) -> list[str]:
    lines = [line for part in content.strip().split("\n") for line in wrap(part, _LINE)]
    return lines[:_LINES] + ["…"] * (len(lines) > _LINES)


def _measured(what: str, before: float, after: float) -> str:
    return f"{what} (measured):\n{before:.1%} → {after:.1%}"


def _short(reply: str) -> str:
    return shorten(reply, _REPLY, placeholder=" …")
