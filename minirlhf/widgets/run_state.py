"""What a run is doing, as the training desk's head says it: state, progress, clock, levers."""

from __future__ import annotations

import math
import time
from typing import Any

from minirlhf.widgets.launch import Job
from minirlhf.widgets.run_reader import LIVE, Reader
from minirlhf.widgets.words import say, told

RECENT = 10
"""Steps over which the pace is measured: another β may change it."""
TOLD = 5
"""Seconds after which the page's clock is set anew; in between it goes by itself."""
LEVERS = (
    ("beta", "beta", "objective/beta", (0.01, 100)),
    ("gamma", "ptx_gamma", "ptx/gamma", (0, 10)),
)
"""What can be moved: its name, setting and metric, and how far, in units of where the run began."""


def about(job: Job, state: str, note: str) -> dict[str, Any]:
    """What the page's head shows. Times are in seconds: ``clock`` since the start, ``left`` until
    the end and ``pace`` of a step, None where they aren't known; they go on while it ``moves``.
    """
    reader, rows = job.reader, job.reader.rows
    step = rows[-1]["step"] if rows else None
    pace = _pace(rows) if state == "running" else None
    clock = _clock(job, state)
    since = clock - rows[-1].get("time", 0.0) if rows and clock is not None else 0.0
    left = None
    if pace and reader.total:
        left = max(pace * (reader.total - step) - since, 0.0)
    again = state in ("interrupted", "stopped", "absent") and bool(job.arguments)
    paused = bool(reader.control().get("pause"))
    return {
        "name": reader.folder.name,
        "note": _note(note, state),
        "state": state,
        "label": say(f"desk.state.{state}"),
        "hint": _hint(job, state),
        "error": job.error,
        "unit": "iteration" if reader.stage == "ppo" else "step",
        "step": step,
        "total": reader.total,
        "clock": clock if state == "finished" else _told(clock),
        "left": _told(left),
        "pace": pace and round(pace, 3),
        "moves": state in ("starting", "running"),
        "hold": ("start" if state == "absent" else "continue") if again
        else "" if state not in ("running", "paused")
        else "resume" if paused else "pause",
        "stop": state in ("running", "paused"),
        **_levers(reader, state),
    }  # fmt: skip


def _note(note: str, state: str) -> str:
    if state == "absent":
        return ""
    return told(note or ("live" if state in (*LIVE, "starting") else "recorded"))


def _hint(job: Job, state: str) -> str:
    """What to know or to do, where the label alone isn't enough."""
    if state == "starting":
        return say("desk.loading")
    if state == "absent" and not job.arguments:
        return say("desk.waiting")
    if state in ("interrupted", "stopped") and not job.arguments:
        return say("desk.again")
    return ""


def _pace(rows: list[dict[str, Any]]) -> float | None:
    """Seconds a step, of the last ones."""
    if len(rows) < 2:
        return None
    last, first = rows[-1], rows[max(len(rows) - 1 - RECENT, 0)]
    if "time" not in last or "time" not in first or last["step"] <= first["step"]:
        return None
    return max(last["time"] - first["time"], 0.0) / (last["step"] - first["step"])


def _clock(job: Job, state: str) -> float | None:
    """Seconds of work: by the log, and since its last line; before that, since the start."""
    rows = job.reader.rows
    if not rows:
        return job.seconds if state in ("starting", *LIVE) else None
    worked = rows[-1].get("time")
    if worked is None or state != "running":
        return worked
    try:
        since = time.time() - (job.folder / "metrics.jsonl").stat().st_mtime
    except OSError:
        return worked
    return worked + max(since, 0.0)


def _told(seconds: float | None) -> float | None:
    return None if seconds is None else float(math.floor(seconds / TOLD) * TOLD)


def _levers(reader: Reader, state: str) -> dict[str, Any]:
    """β and γ as they were asked for, what the run ``began`` with, how far they go, and whether the
    run has yet to ``follow``; of a run that is over, none.
    """
    config, control = reader.config, reader.control()
    found: dict[str, Any] = {}
    for name, setting, metric, (low, high) in LEVERS:
        began = config.get(setting)
        if not began or state == "finished":
            found[name] = None
            continue
        value, (_, logged) = control.get(setting, began), reader.series(metric)
        found[name] = {
            "value": value,
            "began": began,
            "min": low * began,
            "max": high * began,
            "follow": state in LIVE and bool(logged) and not math.isclose(logged[-1], value),
        }
    return found
