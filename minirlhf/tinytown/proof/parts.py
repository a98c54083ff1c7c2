"""What Tinytown's proof measures of a seed beside the main job and its variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.proof import Part, swept
from minirlhf.tinytown import bases
from minirlhf.tinytown.proof import direction, kwise, ladder, start, teaching, voted

SEEDS = 3
"""How many seeds the costlier parts are measured with."""


def _start(artifacts: Artifacts) -> dict[str, Any]:
    folder = artifacts.folder.parent / "voted"  # one serves all seeds
    model = folder / "votes" / "model"
    if not model.exists():
        base = bases.base_folder(bases.REWARD_SIZE)
        voted.learn_votes(base, artifacts.tokenizer, folder, artifacts.teller.callback)
    return start.measure(artifacts, {"voted base": model})


def _of_the_first(part: Part) -> Callable[[Artifacts], Any]:
    return lambda artifacts: part(artifacts) if artifacts.config.seed < SEEDS else {}


PARTS: dict[str, Part] = {
    "start": _start,
    "teaching": _of_the_first(teaching.measure),
    "direction": _of_the_first(direction.measure),
    "k-wise": _of_the_first(kwise.measure),
    "sizes": _of_the_first(ladder.measure),
    "swept": _of_the_first(swept),
}
