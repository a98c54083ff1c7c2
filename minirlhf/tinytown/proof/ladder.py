"""The ladder of Fig. 1 at every size: base, prompted, SFT, PPO and PPO-ptx, all cut alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from minirlhf.evaluate.preference import preferred_by_panel
from minirlhf.experiment.measurements import PANEL, describe, make_models, replies, shown
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.tinytown.sizes import SIZES

LADDER = ("base", "prompted", "sft", "ppo", "ppo-ptx")


def measure(artifacts: Artifacts, small: str = "small", large: str = "large") -> dict[str, Any]:
    """The ladder's figures by size, and the smallest PPO-ptx against the largest prompted base."""
    by_size = climbed(artifacts)
    asked = [row["prompt"] for row in artifacts.prompts("eval")]
    panel: list[Callable] = [
        labeler.prefers for labeler in artifacts.world.heldout_labelers[:PANEL]
    ]
    ours, theirs = replies(by_size[small], "ppo-ptx"), replies(by_size[large], "prompted")
    against = preferred_by_panel(panel, asked, ours, theirs).win_rate
    return {
        "ladder": {
            size: {name: describe(each, name) for name in LADDER} for size, each in by_size.items()
        },
        "small PPO-ptx against large prompted": shown(against),
    }


def climbed(artifacts: Artifacts) -> dict[str, Artifacts]:
    """The ladder's models of every size, made; those of other sizes than the run's lie in it."""
    config = artifacts.config
    by_size = {
        size: artifacts if size == config.size else Artifacts(
            artifacts.world, replace(config, folder=artifacts.folder / size, size=size),
            artifacts.teller.callback,
        )
        for size in SIZES
    }  # fmt: skip
    for each in by_size.values():
        each.make_data()
        make_models(each, LADDER)
    return by_size
