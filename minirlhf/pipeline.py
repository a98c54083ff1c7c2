"""The main job: from a base model through the three steps to a report (`minirlhf run`)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minirlhf.beside import beside
from minirlhf.callbacks import Callback
from minirlhf.errors import MinirlhfError
from minirlhf.folder import held, read_json, write_json
from minirlhf.measure import comparisons, make_models, summarize
from minirlhf.report import write_report
from minirlhf.steps import RunConfig, Steps


def run(config: RunConfig, callback: Callback | None = None) -> dict[str, Any]:
    """The whole job (§3.1): every model, every figure, ``summary.json`` and ``report.html``.

    Returns the summary. Raises `MinirlhfError` if the folder holds a run with other settings, or if
    another process works there.
    """
    started = time.monotonic()
    with held(Path(config.folder)):
        steps = Steps(config, callback)
        settings = claim(steps)
        steps.make_data()
        with beside(make_models_of, config, ("initial", "base", "sft-4x")):
            _ = steps.sft  # and with it the reward model, which chooses its epoch
        with beside(make_ptx_and_comparisons, config):
            make_models(steps, ("sft", "prompted", "best-of-n", "ppo"))
        summary = {"settings": settings, **summarize(steps)}
        summary["seconds"] = round(time.monotonic() - started)
        write_json(steps.folder / "summary.json", summary)
        write_report(steps, summary)
        return summary


def make_models_of(config: RunConfig, names: Sequence[str]) -> None:
    """What the second process does."""
    make_models(Steps(config), names)


def make_ptx_and_comparisons(config: RunConfig) -> None:
    """The second process beside PPO: it is done first, and has time for the comparisons."""
    steps = Steps(config)
    make_models(steps, ("ppo-ptx",))
    comparisons(steps)


def claim(steps: Steps) -> dict[str, Any]:
    """Take the run folder for these settings; returns them as plain data.

    Raises `MinirlhfError` if it holds a run with others.
    """
    settings = json.loads(json.dumps(asdict(steps.config), default=str))
    path = steps.folder / "settings.json"
    begun = {entry.name for entry in steps.folder.iterdir()} - {".lock", path.name}
    if begun and path.exists() and read_json(path) != settings:
        raise MinirlhfError(
            f"{steps.folder} holds a run with other settings: give this one another --folder."
        )
    for half in steps.folder.rglob("*.tmp"):  # what a kill left half-written
        if half.is_file():
            half.unlink()
    write_json(path, settings)
    return settings
