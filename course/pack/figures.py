"""The figures of the shipped runs that text may cite, as ``{run:…}``: course/run.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from course.pack.make import Pack
from minirlhf.evaluate.rankings import accuracy
from minirlhf.evaluate.statistics import over_prompts
from minirlhf.tinytown.judge import judge

Row = dict[str, Any]
MODEL = ("passes", "gain", "grade", "words", "score", "wins_judge", "wins_labelers", "probes")


def figures(pack: Pack) -> Row:
    """Nested tables of numbers, or of ``mean, low, high, n``."""
    summary, config = pack.summary, pack.config
    return {
        "counts": {
            "demonstrations": config.demonstrations,
            "rankings": len(pack.steps.rankings(1)),
            "heldout": len(pack.heldout),
            "k": {"min": config.k[0], "max": config.k[1]},
            "epochs": config.stages.reward.epochs,
            "episodes": config.stages.ppo.episodes,
            "seconds": summary["seconds"],
        },
        "models": {
            name: {key: found[key] for key in MODEL if key in found}
            for name, found in summary["models"].items()
        },
        "comparisons": summary["comparisons"],
        "reward": {**summary["reward_model"], **_reward(pack)},
        "ways": _ways(pack.ways),
        "groups": {name: float(np.mean(values)) for name, values in pack.groups[0].items()},
        "epochs": _epochs(pack.epochs),
        "won_back": summary["won_back"],
    }


def _reward(pack: Pack) -> Row:
    scores = pack.scored(pack.steps.reward, pack.heldout)
    ranks = [row["ranks"] for row in pack.heldout]
    graded = [
        [-judge(row["prompt"], y).overall for y in row["completions"]] for row in pack.heldout
    ]
    return {
        "heldout": asdict(accuracy(scores, ranks)),
        "heldout_judge": asdict(accuracy(scores, graded)),
    }


def _ways(rows: list[Row]) -> Row:
    out: Row = {}
    for way in ("prompts", "pairs"):
        mine = [row for row in rows if row["way"] == way]
        mean = {key: float(np.mean([row[key] for row in mine]))
                for key in ("train", "heldout", "seconds", "texts")}  # fmt: skip
        out[way] = {**mean, "gap": mean["train"] - mean["heldout"]}
    out["cost"] = out["pairs"]["seconds"] / out["prompts"]["seconds"]
    out["forward"] = out["pairs"]["texts"] / out["prompts"]["texts"]
    return out


def _epochs(rows: list[Row]) -> Row:
    best = {key: 1 + int(np.argmax([np.mean(row[key]) for row in rows]))
            for key in ("score", "grade", "passes")}  # fmt: skip
    last, first = rows[-1], rows[0]
    return {
        "count": len(rows),
        "best": best,
        "first": {key: asdict(over_prompts(first[key])) for key in best},
        "last": {key: asdict(over_prompts(last[key])) for key in best},
    }
