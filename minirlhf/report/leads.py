"""What a section's first sentence says that the summary holds in other numbers, or a figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minirlhf.report.run_figures import Group


@dataclass(frozen=True)
class Climb:
    """What a policy got from the reward model, and how far it went for it."""

    first: float
    last: float
    kl: float

    @property
    def does(self) -> str:
        return "raises" if self.last > self.first else "lowers"


def climbs(figures: Mapping[str, Group]) -> dict[str, Climb]:
    """The running mean of each policy's score, first and last, and that of its KL at the end."""
    if "reinforced" not in figures:
        return {}
    panels = {panel.title: panel for panel in figures["reinforced"].panels}
    score, kl = (
        {curve.model: curve.ends for curve in panels[title].curves} if title in panels else {}
        for title in ("Score", "KL to the initial model")
    )
    return {model: Climb(*score[model], kl[model][1]) for model in score if model in kl}


def of_the_way(found: Mapping[str, float], goal: float, start: float = 0.5) -> dict[str, float]:
    """An interval as shares of the way from a coin's accuracy to ``goal``, taken as known."""
    return {name: (found[name] - start) / (goal - start) for name in ("mean", "low", "high")}
