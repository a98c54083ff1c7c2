"""What the seeds of the proof measured, few enough figures to ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from course.build.settings import ROOT
from minirlhf.data.files import read_json
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.experiment_config import SWEPT

PROOF = ROOT / "docs" / "proof"
MODELS = ("sft", "initial", "ppo", "ppo-ptx", "ppo-judge", "ppo-beta-0", "ppo-long")
MEASURES = ("passes", "gain", "grade", "score", "wins_labelers")
VOTED = "voted base"
"""A start that only the proof has: it takes hours to make, and nothing else needs it."""


def seeds(proof: Path = PROOF) -> list[dict[str, Any]]:
    """A line a seed: of each model its means, and what it lost on each task beside the base.

    Runs at other β and γ, and with more episodes, are in those seeds that have them.
    Of reward models: accuracy on labelers of the groups that taught them and of the one left out,
    and, of the seeds that measured it, loss and accuracy of both ways to take pairs, by epoch.

    Raises:
        MinirlhfError: if ``proof`` has no seed.
    """
    found = sorted(proof.glob("seed-*/proof.json"))
    if not found:
        raise MinirlhfError(f"{proof} has no seed-*/proof.json: `make proof` makes them.")
    return [
        {
            "seed": measured["settings"]["seed"],
            "models": {name: _means(model) for name, model in _models(measured).items()},
            "groups": {where: float(np.mean(found)) for where, found in measured["groups"].items()},
            "k-wise": measured.get("k-wise", {}),
        }
        for measured in map(read_json, found)
    ]


def _models(measured: dict[str, Any]) -> dict[str, Any]:
    swept = measured.get("swept", {})
    return {
        **{name: measured["models"][name] for name in MODELS if name in measured["models"]},
        **{name: swept[name] for name in SWEPT if name in swept},
    }


def beside_votes(known: dict[str, Any], seed: int, proof: Path = PROOF) -> dict[str, Any]:
    """What starts know, with the curve of a base that has seen votes if the proof has it."""
    path = proof / f"seed-{seed}" / "proof.json"
    measured = read_json(path).get("start", {}) if path.exists() else {}
    voted = {name: drawn for name, drawn in measured.get("curve", {}).items() if name == VOTED}
    return {**known, "curve": {**known["curve"], **voted}}


def _means(model: dict[str, Any]) -> dict[str, Any]:
    means: dict[str, Any] = {name: model[name]["mean"] for name in MEASURES}
    if "tax" in model:
        means["tax"] = {task: 0.0 - paired["mean"] for task, paired in model["tax"].items()}
    return means
