"""The figures of the shipped runs that text may cite, as ``{run:…}``: course/run.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from course.pack.make import Pack
from minirlhf.evaluate.ranking_accuracy import accuracy
from minirlhf.evaluate.statistics import over_prompts
from minirlhf.tinytown.judge import judge

Row = dict[str, Any]
MODEL = ("passes", "gain", "grade", "words", "score", "wins_judge", "wins_labelers", "probes")


def figures(pack: Pack) -> Row:
    """Nested tables of numbers, or of ``mean, low, high, n``."""
    summary, config = pack.summary, pack.config
    ppo = config.stages.ppo
    return {
        "counts": {
            "demonstrations": config.demonstrations,
            "sft_batch": config.stages.sft.batch,
            "sft_dropout": config.stages.sft.residual_dropout,
            "rankings": len(pack.artifacts.rankings(1)),
            "heldout": len(pack.heldout),
            "k": {"min": config.k[0], "max": config.k[1]},
            "epochs": config.stages.reward.epochs,
            "episodes": ppo.episodes,
            "ppo_batch": ppo.rollout_batch,
            "ppo_minibatch": ppo.minibatch,
            "ppo_inner": ppo.inner_epochs,
            "ppo_clip": ppo.clip,
            "ppo_beta": ppo.beta,
            "ptx_gamma": config.stages.ppo_ptx.ptx_gamma,
            "seconds": summary["seconds"],
        },
        "models": {
            name: {key: found[key] for key in MODEL if key in found}
            for name, found in summary["models"].items()
        },
        "comparisons": summary["comparisons"],
        "reward": {**summary["reward_model"], **_reward(pack)},
        "ways": _ways(pack.ways),
        "epochs": _epochs(pack),
        "won_back": summary["won_back"],
    }


def _reward(pack: Pack) -> Row:
    scores = pack.scored(pack.artifacts.reward, pack.heldout)
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


def _epochs(pack: Pack) -> Row:
    """Which epoch of the long SFT run each chooser takes, and what the first and last are worth."""
    rows = pack.epochs
    log = (pack.folder / "sft-long" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [row["validation/loss"] for row in map(json.loads, log) if "validation/loss" in row]
    keys = ("score", "grade", "passes")
    best = {key: 1 + int(np.argmax([np.mean(row[key]) for row in rows])) for key in keys}
    return {
        "count": len(rows),
        "best": {"loss": 1 + int(np.argmin(losses)), **best},
        "first": {key: asdict(over_prompts(rows[0][key])) for key in keys},
        "last": {key: asdict(over_prompts(rows[-1][key])) for key in keys},
    }
