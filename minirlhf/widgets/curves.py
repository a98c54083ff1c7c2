"""The curves of a run as numbers: which metrics of which stage, thinned, and what is new."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minirlhf.report.charts import running_mean
from minirlhf.widgets.run_reader import Reader
from minirlhf.widgets.words import say


class Curve(NamedTuple):
    """One panel: a metric under its name in the log, and another that goes with it."""

    name: str
    """Its title and unit stand in labels.toml under it; of a stage of one's own, the metric's."""
    metric: str
    validation: str = ""
    """A metric that is drawn as dots: a validation's, once an epoch."""
    chance: float | None = None
    """What a model reaches that tells nothing apart."""
    exact: bool = False
    """Whether it has no noise that a running mean would take out."""


CURVES = {
    "ppo": (
        Curve("reward", "objective/score"),
        Curve("kl", "objective/kl"),
        Curve("entropy", "objective/entropy"),
        Curve("clip", "ppo/policy/clipfrac"),
        Curve("value", "ppo/val/var_explained"),
        Curve("ptx", "ptx/loss"),
        Curve("length", "response/length"),
    ),
    "sft": (
        Curve("loss", "loss", "validation/loss"),
        Curve("norm", "gradient_norm"),
        Curve("rate", "learning_rate", exact=True),
    ),
    "reward": (
        Curve("ranking", "loss", "validation/loss", math.log(2)),
        Curve("accuracy", "accuracy", "validation/accuracy", 0.5),
        Curve("norm", "gradient_norm"),
    ),
}
CURVES["pretrain"] = CURVES["sft"]
POINTS = 400
"""Points of a curve that the page gets at most: it has no more pixels."""
SMOOTHED = 20
"""Points from which on a running mean is drawn over them."""

Numbers = dict[str, Any]
"""One curve: ``metric``, ``title``, ``unit``, ``said`` (a phrase with a ``{value}``), ``x``, ``y``,
``mean`` (or None), ``held`` (or None),
``chance`` (or None), ``digits`` that its values are written with, and ``turns``, each with
``step``, ``words`` and the ``symbol`` of what was changed.
"""


def curves(reader: Reader) -> tuple[Curve, ...]:
    """What the run's stage is known by; of a stage of one's own, everything."""
    if reader.stage in CURVES:
        return CURVES[reader.stage]
    names = [name for name in (reader.rows or [{}])[-1] if name not in ("step", "time")]
    return tuple(Curve(name, name) for name in names)


def numbers(reader: Reader) -> list[Numbers]:
    """Every curve that the run has logged, in the order in which they are shown."""
    said = [{"step": step, "words": words, "symbol": words[0]} for step, words in turns(reader)]
    return [
        _numbers(curve, reader, said)
        for curve in curves(reader)
        if _series(reader, curve.metric)[0]
    ]


def turns(reader: Reader) -> list[tuple[int, str]]:
    """Steps from which on another β or γ was in force, and from what to what it went."""
    found = []
    for name, symbol in (("objective/beta", "β"), ("ptx/gamma", "γ")):
        steps, values = reader.series(name)
        for at in range(1, len(values)):
            if values[at] != values[at - 1]:
                found.append((steps[at], f"{symbol} {values[at - 1]:.3g} → {values[at]:.3g}"))
    return found


def _numbers(curve: Curve, reader: Reader, said: list[dict[str, Any]]) -> Numbers:
    steps, values = _series(reader, curve.metric)
    planned = _planned(reader, steps)
    mean = None
    if not curve.exact and planned > SMOOTHED:
        mean = running_mean(np.asarray(values, dtype=float), max(3, planned // 25)).tolist()
    kept = thinned(len(steps))
    held = _series(reader, curve.validation) if curve.validation else ([], [])
    title = _said(f"desk.curve.{curve.name}", curve.name)
    return {
        "metric": curve.metric,
        "title": title,
        "unit": _said(f"desk.unit.{curve.name}", ""),
        "said": _said(
            f"desk.said.{curve.name}", say("desk.said_other", name=title, value="{value}")
        ),
        "chance": curve.chance,
        "digits": digits(values),
        "x": [steps[at] for at in kept],
        "y": _rounded(values[at] for at in kept),
        "mean": mean and _rounded(mean[at] for at in kept),
        "held": {"x": held[0], "y": _rounded(held[1])} if held[0] else None,
        "turns": said,
    }


def digits(values: Sequence[float]) -> int:
    """Decimals that tell apart the fiftieth part of what the values span; the same for all."""
    span = max(values) - min(values) or max(map(abs, values)) or 1.0
    return min(max(math.ceil(math.log10(50 / span)), 0), 6)


def written(value: float, places: int) -> str:
    """A value of a curve, as the page writes it."""
    return f"{value:z.{places}f}".replace("-", "−")


def _planned(reader: Reader, steps: Sequence[int]) -> int:
    """Points that the curve will have: what is drawn while a run grows depends on it alone."""
    if reader.total and steps[-1] > 0:
        return max(round(len(steps) * reader.total / steps[-1]), len(steps))
    return 1 << (len(steps) - 1).bit_length()


def thinned(count: int, most: int = POINTS) -> list[int]:
    """Places of at most ``most`` points, or one more, of ``count``: every 1st, 2nd, 4th … and the
    last. While ``count`` grows, few of them change.
    """
    stride = 1 << max(math.ceil(math.log2(max(count, 1) / most)), 0)
    kept = list(range(0, count, stride))
    return kept if not kept or kept[-1] == count - 1 else [*kept, count - 1]


def _said(key: str, otherwise: str) -> str:
    """A label as it stands, with its ``{value}`` to be put in."""
    return say(key, value="{value}") if key in say else otherwise


def _series(reader: Reader, metric: str) -> tuple[list[int], list[float]]:
    """Steps and values, without those that are no number: they can't be sent, nor drawn."""
    pairs = [pair for pair in zip(*reader.series(metric), strict=True) if math.isfinite(pair[1])]
    return [step for step, _ in pairs], [value for _, value in pairs]


def _rounded(values: Iterable[float]) -> list[float]:
    """Six figures: what the page can show."""
    return [float(f"{value:.6g}") for value in values]


# -------------------------------------------------------------------------------------- what is new

CONSTANT = ("metric", "title", "unit", "said", "chance")
LINES = ("x", "y", "mean")
WHOLE = ("held", "digits", "turns")


def news(before: list[Numbers], now: list[Numbers]) -> list[dict[str, Any]] | None:
    """Of each curve what the page hasn't got: lines, all ``from`` one place on; ``held``,
    ``digits`` and ``turns`` as they are. None where the curves are others, so that they have to be
    sent whole.
    """
    if len(before) != len(now):
        return None
    found = []
    for old, new in zip(before, now, strict=True):
        if any(old[name] != new[name] for name in CONSTANT) or (
            (old["mean"] is None) != (new["mean"] is None)
        ):
            return None
        lines = [name for name in LINES if new[name] is not None]
        start = min(common(old[name], new[name]) for name in lines)
        added = {name: new[name][start:] for name in lines}
        whole = {name: new[name] for name in WHOLE}
        found.append({"from": start, **added, **whole})
    return found


def common(before: Sequence[Any], now: Sequence[Any]) -> int:
    """How many of the first items two sequences share."""
    pairs = zip(before, now, strict=False)
    return next(
        (at for at, (old, new) in enumerate(pairs) if old != new), min(len(before), len(now))
    )
