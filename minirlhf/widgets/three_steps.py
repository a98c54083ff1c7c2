"""The paper's three steps in one picture (Fig. 2), filled in as they are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets
from matplotlib.figure import Figure

from minirlhf.report.examples import order, pairs_in_order
from minirlhf.report.steps_figure import COLORS, LETTERS, Cell, Column, Flow, draw
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.steps_picture import draw_steps
from minirlhf.widgets.words import say

STEPS = (
    ("sft", ("page", "person", "network")),
    ("rm", ("page", "person", "network")),
    ("ppo", ("page", "network", "network")),
)
"""Of each column its name in labels.toml, and who acts in its cells."""

Content = Mapping[str, Any]
"""What a cell holds: fields of `Cell`."""


class ThreeSteps(LiveWidget):
    """Three columns of three cells; `first`, `second` and `third` fill one each.

    They return the board, so that a notebook shows it again. A copy that a saved page keeps where
    it was shown before stays as it was.
    """

    scripts = ("three_steps.js",)
    styles = ("../../report/steps.css", "three_steps.css")
    speaks = ("pipeline",)

    figure = traitlets.Unicode().tag(sync=True)
    """The figure as HTML, as the report has it."""
    replies = traitlets.List().tag(sync=True)
    """What a click on a reply tells: ``letter``, ``rank``, ``score`` of each."""
    filled = traitlets.List().tag(sync=True)
    """The steps that have been taken, from 0."""

    def __init__(self):
        self.contents: dict[int, tuple[Content, Content, Content]] = {}
        super().__init__()
        self.figure = self._html()

    def first(self, prompt: str, demonstration: str, before: float, after: float) -> ThreeSteps:
        """Step 1: a demonstration, and the share of requests done before and after (0 to 1)."""
        rows = [(say("pipeline.done"), _change(before, after))]
        return self._fill(0, {"prompt": prompt}, {"reply": demonstration}, {"rows": rows})

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
        share of unseen pairs it had in order before and after its training. Numbers of any kind.
        """
        ranks, scores = [int(rank) for rank in ranks], [float(score) for score in scores]
        names = LETTERS[: len(completions)]
        right, pairs = pairs_in_order(ranks, scores)
        these = say("pipeline.of", right=right, pairs=pairs) if pairs else say("pipeline.tied")
        self.replies = [
            {"letter": name, "rank": rank, "score": score}
            for name, rank, score in zip(names, ranks, scores, strict=True)
        ]
        return self._fill(
            1,
            {"prompt": prompt, "replies": list(completions)},
            {"order": order(ranks, names) if pairs else [say("pipeline.tied")]},
            {
                "scores": scores,
                "rows": [
                    (say("pipeline.these"), these),
                    (say("pipeline.unseen"), _change(before, after)),
                ],
            },
        )

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
        rows = [
            (say("pipeline.score"), _signed(score)),
            (say("pipeline.mean"), f"{_signed(low)} → {_signed(high)}"),
            (say("pipeline.done"), _change(*measured)),
        ]
        return self._fill(2, {"prompt": prompt}, {"reply": response}, {"rows": rows})

    # ------------------------------------------------------------------------------- what one sees

    def columns(self) -> list[Column]:
        """The figure's columns as they are now."""
        found = []
        for step, (name, icons) in enumerate(STEPS):
            contents = self.contents.get(step, ({}, {}, {}))
            cells = [
                Cell(icon=icon, caption=say(f"pipeline.{name}.{row}"), **content)
                for row, (icon, content) in enumerate(zip(icons, contents, strict=True), 1)
            ]
            head = {
                "title": say("pipeline.step", number=step + 1),
                "does": say(f"pipeline.{name}.does"),
            }
            found.append(Column(**head, color=COLORS[step], cells=cells))
        return found

    @property
    def words(self) -> str:
        """Which steps have been taken."""
        if not self.filled:
            return say("pipeline.empty")
        steps = say("pipeline.comma").join(str(1 + step) for step in self.filled)
        return say("pipeline.words", steps=steps)

    def draw(self) -> Figure:
        """Empty cells say what will stand in them."""
        return draw_steps(self.columns(), self.flow())

    def flow(self) -> Flow:
        """What the steps hand on."""
        names = ("first", "second", "around")
        return Flow(**{name: say(f"pipeline.flow.{name}") for name in names})

    def _html(self) -> str:
        return str(draw(self.columns(), self.flow()))

    def _fill(self, step: int, *contents: Content) -> ThreeSteps:
        texts = ("prompt", "reply")
        self.contents[step] = tuple(
            {name: value.strip() if name in texts else value for name, value in content.items()}
            for content in contents
        )
        with self.hold_sync():
            self.filled = sorted(self.contents)
            self.figure = self._html()
        return self


def _change(before: float, after: float) -> str:
    return f"{float(before):.1%} → {float(after):.1%}"


def _signed(score: float) -> str:
    return f"{float(score):+z.2f}".replace("-", "−")
