"""The curves of a run: which metrics of which stage, drawn up to a step."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.report.charts import INK, MUTED, PALETTE, running_mean, thinned
from minirlhf.widgets.pictures import FONT, canvas, drawable, dress, note
from minirlhf.widgets.run_reader import Reader


class Curve(NamedTuple):
    """One panel: a metric under its name in the log, and another that goes with it."""

    title: str
    metric: str
    unit: str
    validation: str = ""
    """A metric that is drawn as dots: a validation's, once an epoch."""
    chance: float | None = None
    """What a model reaches that tells nothing apart."""
    exact: bool = False
    """Whether it has no noise that a running mean would take out."""


CURVES = {
    "ppo": (
        Curve("Reward", "objective/score", "score"),
        Curve("KL to the reference", "objective/kl", "nats a reply"),
        Curve("Entropy", "objective/entropy", "nats a reply"),
        Curve("Clip fraction", "ppo/policy/clipfrac", "share of tokens"),
        Curve("Value fit", "ppo/val/var_explained", "explained variance"),
        Curve("Pretraining loss", "ptx/loss", "nats a token"),
        Curve("Reply length", "response/length", "tokens"),
    ),
    "sft": (
        Curve("Loss", "loss", "nats a token", "validation/loss"),
        Curve("Gradient norm", "gradient_norm", "before clipping"),
        Curve("Learning rate", "learning_rate", "", exact=True),
    ),
    "reward": (
        Curve("Loss (Eq. 1)", "loss", "nats a pair", "validation/loss", math.log(2)),
        Curve("Accuracy", "accuracy", "share of pairs", "validation/accuracy", 0.5),
        Curve("Gradient norm", "gradient_norm", "before clipping"),
    ),
}
CURVES["pretrain"] = CURVES["sft"]
MOST = 6
"""Panels of a picture."""
SMOOTHED = 20
"""Points from which on a running mean is drawn over them."""


def draw_curves(reader: Reader, now: int, title: str) -> tuple[Figure, list[str]]:
    """Every metric that the run has logged, with its value at step ``now``."""
    found = [curve for curve in curves(reader) if reader.series(curve.metric)[0]][:MOST]
    columns = min(max(len(found), 1), 3)
    rows = math.ceil(max(len(found), 1) / columns)
    figure, grid = canvas(0.35 + 1.85 * rows, rows, columns, squeeze=False)
    if any(_is_smoothed(curve, reader) for curve in found):
        title += " · pale: each step, strong: running mean"
    figure.suptitle(drawable(title), x=0.01, ha="left", fontsize=8.5, color=MUTED, fontfamily=FONT)
    for axes, curve in zip(grid.ravel(), found, strict=False):
        _draw(axes, curve, reader, now)
    for axes in grid.ravel()[len(found) :]:
        axes.set_axis_off()
    if not found:
        note(grid[0, 0], (0.5, 0.5), "no step yet", xycoords="axes fraction", ha="center")
    values = []
    for curve in found:
        steps, ys = reader.series(curve.metric)
        past = [y for step, y in zip(steps, ys, strict=True) if step <= now]
        values.append(f"{curve.metric} {(past or ys)[-1]:.3g}")
    return figure, values


def curves(reader: Reader) -> tuple[Curve, ...]:
    """What the run's stage is known by; of a stage of one's own, everything."""
    if reader.stage in CURVES:
        return CURVES[reader.stage]
    names = [name for name in (reader.rows or [{}])[-1] if name not in ("step", "time")]
    return tuple(Curve(name, name, "") for name in names)


def turns(reader: Reader) -> list[tuple[int, str]]:
    """Steps from which on another β or γ was in force, and from what to what it went."""
    found = []
    for name, symbol in (("objective/beta", "β"), ("ptx/gamma", "γ")):
        steps, values = reader.series(name)
        for at in range(1, len(values)):
            if values[at] != values[at - 1]:
                found.append((steps[at], f"{symbol} {values[at - 1]:.3g} → {values[at]:.3g}"))
    return found


def _is_smoothed(curve: Curve, reader: Reader) -> bool:
    return not curve.exact and len(reader.series(curve.metric)[0]) > SMOOTHED


def _draw(axes: Axes, curve: Curve, reader: Reader, now: int) -> None:
    color, place = _color(reader), axes.get_subplotspec()
    steps, values = map(np.asarray, reader.series(curve.metric))
    dots = {"marker": "o", "markersize": 2.5} if len(steps) <= SMOOTHED else {}
    if curve.chance is not None:
        axes.axhline(curve.chance, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        note(axes, (1.0, curve.chance), "chance", xytext=(0, 2), textcoords="offset points",
             xycoords=axes.get_yaxis_transform(), fontsize=7, color=MUTED, ha="right")  # fmt: skip
    if _is_smoothed(curve, reader):
        axes.plot(*thinned(steps, values), color=color, alpha=0.25, linewidth=0.8)
        values = running_mean(values, max(3, len(values) // 25))
    axes.plot(*thinned(steps, values), color=color, alpha=0.3, linewidth=1.4, **dots)
    past = steps <= now
    if past.any():
        axes.plot(*thinned(steps[past], values[past]), color=color, linewidth=1.6, **dots)
        end = steps[past][-1:], values[past][-1:]
        axes.plot(*end, color=color, marker="o", markersize=4.5, clip_on=False, zorder=5)
    held_out = reader.series(curve.validation) if curve.validation else ([], [])
    if held_out[0]:
        axes.plot(
            *held_out, color=INK, linewidth=1, linestyle=(0, (2, 2)), marker="D", markersize=4,
            clip_on=False, zorder=4,
        )  # fmt: skip
        note(axes, (held_out[0][-1], held_out[1][-1]), "held out", xytext=(-4, 7), ha="right",
             textcoords="offset points", fontsize=7.5)  # fmt: skip
    unit = "iterations" if reader.stage == "ppo" else "steps"
    dress(axes, curve.title, unit, curve.unit, integers=True)
    axes.set_xlim(steps[0] - 0.5, max(steps[-1], steps[0] + 1) + 0.5)
    for step, words in turns(reader):
        axes.axvline(step - 0.5, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
        if place.num1 == 0:
            note(axes, (step - 0.5, 0.98), words, xycoords=axes.get_xaxis_transform(),
                 xytext=(2, 0), textcoords="offset points", fontsize=7, va="top")  # fmt: skip


def _color(reader: Reader) -> str:
    """That of the model which the run makes; a reward model is drawn in ink."""
    if reader.stage == "ppo":
        return PALETTE["ppo-ptx" if reader.config.get("ptx_gamma") else "ppo"]
    if reader.stage == "sft":
        return PALETTE["initial" if reader.config.get("pretrain_mix") else "sft"]
    return PALETTE["base"] if reader.stage == "pretrain" else INK
