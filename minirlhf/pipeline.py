"""The main job: from a base model through the three steps to a report (`minirlhf run`)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from minirlhf.callbacks import Callback
from minirlhf.errors import MinirlhfError
from minirlhf.loop import write_json
from minirlhf.measure import summarize
from minirlhf.report import write_report
from minirlhf.steps import RunConfig, Steps


def run(config: RunConfig, callback: Callback | None = None) -> dict[str, Any]:
    """The whole job: every model, every figure, ``summary.json`` and ``report.html``."""
    steps = Steps(config, callback)
    settings = json.loads(json.dumps(asdict(config), default=str))
    path = steps.folder / "settings.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise MinirlhfError(
            f"{steps.folder} holds a run with other settings: give this one another --folder."
        )
    steps.folder.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)
    summary = {"settings": settings, **summarize(steps)}
    write_json(steps.folder / "summary.json", summary)
    write_report(steps, summary)
    return summary
