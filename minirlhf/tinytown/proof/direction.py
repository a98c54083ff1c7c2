"""Rankings decide the direction: the same start, taught by people who want something else.

The contrary pool (`minirlhf.tinytown.labelers.by_contraries`) likes plain replies where the judge
likes detailed ones, doesn't mind whether constraints are met, and is fond of food and home. A
reward model that learns from their rankings of the same samples, and PPO on it, have to go their
way. With ranks shuffled among each prompt's replies nothing can be learned.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minirlhf.evaluate.ranking_accuracy import score_rankings, shares_in_order
from minirlhf.evaluate.statistics import paired_difference
from minirlhf.experiment.measurements import replies, shown
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.world import Row
from minirlhf.models import ScalarModel
from minirlhf.reward import score_texts
from minirlhf.tinytown import datasets, facts
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.labelers import (
    Opinion,
    by_contraries,
    by_the_judge,
    contrary_heldout_pool,
    contrary_pool,
)
from minirlhf.tinytown.proof.start import ranked_by_strangers
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.tastes import QUALITIES

CONTRARY, SHUFFLED = "contrary/reward", "shuffled/reward"


def measure(artifacts: Artifacts) -> dict[str, Any]:
    """Both pools' accuracies as shares of their ceilings, shuffled ranks', and what PPO moves."""
    strangers = ranked_by_strangers(artifacts)
    contrary = by_others(strangers, artifacts, contrary_heldout_pool())
    taught = artifacts.reward_model(1, CONTRARY, by_others(artifacts.rankings(1), artifacts,
                                                           contrary_pool()))  # fmt: skip
    blind = artifacts.reward_model(1, SHUFFLED, shuffled(artifacts.rankings(1)))
    return {
        "pools": {
            "main": reached(artifacts, artifacts.reward, strangers, by_the_judge),
            "contrary": reached(artifacts, taught, contrary, by_contraries),
        },
        "shuffled": accuracy_of(artifacts, blind, strangers),
        "moved": moved(artifacts, taught),
    }


def by_others(rows: Sequence[Row], artifacts: Artifacts, labelers: Sequence) -> list[Row]:
    """The same prompts and completions as these labelers rank them."""
    plain = [{k: v for k, v in row.items() if k not in ("ranks", "labeler")} for row in rows]
    given = [row["completions"] for row in rows]
    return datasets.rankings(plain, given, labelers, seed=artifacts.config.seed)


def shuffled(rows: Sequence[Row], seed: int = 0) -> list[Row]:
    """Each prompt's ranks in an order of chance."""
    rng = random.Random(seed)
    return [{**row, "ranks": rng.sample(row["ranks"], len(row["ranks"]))} for row in rows]


def accuracy_of(artifacts: Artifacts, model: ScalarModel, rows: Sequence[Row]) -> float:
    """Accuracy on ranked pairs, a mean over prompts."""
    scores = score_rankings(
        lambda asked, said: score_texts(model, artifacts.tokenizer, asked, said), rows
    )
    return float(np.nanmean(shares_in_order(scores, [row["ranks"] for row in rows])))


def reached(
    artifacts: Artifacts, model: ScalarModel, rows: Sequence[Row], opinion: Opinion
) -> dict[str, float]:
    """Accuracy, that of the pool's own opinion, and how far from a coin to it the model comes."""
    own = [[opinion(row["prompt"], text) for text in row["completions"]] for row in rows]
    ceiling = float(np.nanmean(shares_in_order(own, [row["ranks"] for row in rows])))
    got = accuracy_of(artifacts, model, rows)
    return {"accuracy": got, "ceiling": ceiling, "share": (got - 0.5) / (ceiling - 0.5)}


def moved(artifacts: Artifacts, taught: ScalarModel) -> dict[str, dict[str, float]]:
    """What PPO on the contrary pool's reward changes against PPO on the main pool's, by quality."""
    config = replace(
        artifacts.config.stages.ppo,
        seed=artifacts.config.seed, max_response=artifacts.config.max_response,
    )  # fmt: skip
    folder = artifacts.train_policy("contrary/ppo", config, taught, taught)
    asked = [row["prompt"] for row in artifacts.prompts("eval")]
    theirs = artifacts.replies("contrary", lambda asked: artifacts.sample(folder, asked, seed=400))
    pairs = {"contrary": theirs, "main": replies(artifacts, "ppo")}
    seen = {
        name: {
            who: [measure(x, y) for x, y in zip(asked, said, strict=True)]
            for who, said in pairs.items()
        }
        for name, measure in MOVES.items()
    }
    return {name: shown(paired_difference(by["contrary"], by["main"])) for name, by in seen.items()}


def _constraints(prompt: str, reply: str) -> float:
    """How far a reply meets the constraints of its prompt; 1 if there are none."""
    met = [v for k, v in judge(prompt, reply).criteria.items() if k.startswith("constraint")]
    return float(np.mean(met)) if met else 1.0


MOVES: dict[str, Callable[[str, str], float]] = {
    "details": lambda prompt, reply: len(facts.details(facts.reply_to(parse(prompt), reply))),
    "constraints met": _constraints,
    "homely": lambda prompt, reply: QUALITIES["homely"](reply),
}
"""What the contrary pool weighs otherwise: reversed, ignored, unknown to the judge."""
