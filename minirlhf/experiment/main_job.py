"""The main job: from a base model through the three steps to a report (`minirlhf run`)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minirlhf.data.files import read_json, write_json
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.measurements import comparisons, make_models, summarize
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.world import World
from minirlhf.report.page import write_report
from minirlhf.training.log import Callback
from minirlhf.training.run_folder import held
from minirlhf.training.second_process import in_second_process


def run(
    world: World, config: ExperimentConfig, callback: Callback | Sequence[Callback] | None = None
) -> dict[str, Any]:
    """The whole job (§3.1): every model, every figure, ``summary.json`` and ``report.html``.

    Returns the summary. Raises `MinirlhfError` if the folder holds a run with other settings, or if
    another process works there.
    """
    started = time.monotonic()
    with held(Path(config.folder)):
        artifacts = Artifacts(world, config, callback)
        settings = claim(artifacts)
        artifacts.make_data()
        others = world, config, ("initial", "base", "sft-4x")
        with in_second_process(make_models_of, *others, callback=callback):
            _ = artifacts.sft  # and with it the reward model, which chooses its epoch
        with in_second_process(make_ptx_and_comparisons, world, config, callback=callback):
            make_models(artifacts, ("sft", "prompted", "best-of-n", "ppo"))
        summary = {"settings": settings, **summarize(artifacts)}
        summary["seconds"] = round(time.monotonic() - started)
        write_json(artifacts.folder / "summary.json", summary)
        usual = as_data(ExperimentConfig())
        write_report(artifacts.folder, summary, world, score=artifacts.score, usual=usual)
        return summary


def make_models_of(
    world: World,
    config: ExperimentConfig,
    names: Sequence[str],
    callback: Callback | Sequence[Callback] | None = None,
) -> None:
    """What the second process does."""
    make_models(Artifacts(world, config, callback), names)


def make_ptx_and_comparisons(
    world: World, config: ExperimentConfig, callback: Callback | Sequence[Callback] | None = None
) -> None:
    """The second process beside PPO: it is done first, and has time for the comparisons."""
    artifacts = Artifacts(world, config, callback)
    make_models(artifacts, ("ppo-ptx",))
    comparisons(artifacts)


def claim(artifacts: Artifacts) -> dict[str, Any]:
    """Take the run folder for these settings; returns them as plain data.

    Raises `MinirlhfError` if it holds a run with others.
    """
    settings = as_data(artifacts.config)
    path = artifacts.folder / "settings.json"
    begun = {entry.name for entry in artifacts.folder.iterdir()} - {".lock", path.name}
    if begun and path.exists() and read_json(path) != settings:
        raise MinirlhfError(
            f"{artifacts.folder} holds a run with other settings: give this one another --folder."
        )
    for half in artifacts.folder.rglob("*.tmp"):  # what a kill left half-written
        if half.is_file():
            half.unlink()
    write_json(path, settings)
    return settings


def as_data(config: ExperimentConfig) -> dict[str, Any]:
    """The settings as JSON has them."""
    return json.loads(json.dumps(asdict(config), default=str))
