"""All pairs of a prompt as one batch element, or each on its own (§3.5), where over-fitting shows.

The paper found that shuffled pairs over-fit within one epoch. Few prompts and many epochs are where
that should show here, if it does: both ways see the same pairs, as many a step, for as many epochs.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from minirlhf.data.records import read_jsonl
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.world import Row
from minirlhf.reward import train_reward
from minirlhf.tinytown.proof.start import ranked_by_strangers

PROMPTS, EPOCHS = 500, 5


def measure(artifacts: Artifacts) -> dict[str, Any]:
    """After each epoch, loss and accuracy on rankings by held-out labelers, for both ways."""
    ranked = artifacts.rankings(1)[:PROMPTS]
    pairs = as_pairs(ranked, artifacts.config.seed)
    config = replace(artifacts.reward_settings, epochs=EPOCHS)
    alike = replace(config, batch=round(config.batch * len(pairs) / len(ranked)))
    return {
        "prompts": learned(artifacts, "k-wise/prompts", config, ranked),
        "pairs": learned(artifacts, "k-wise/pairs", alike, pairs),
    }


def as_pairs(rows: Sequence[Row], seed: int) -> list[Row]:
    """Every pair that isn't tied, in an order of chance."""
    pairs = []
    for row in rows:
        both = zip(row["completions"], row["ranks"], strict=True)
        for (one, first), (two, second) in combinations(both, 2):
            if first != second:
                better, worse = (one, two) if first < second else (two, one)
                pairs.append({"prompt": row["prompt"], "chosen": better, "rejected": worse})
    random.Random(seed).shuffle(pairs)
    return pairs


def learned(artifacts: Artifacts, name: str, config, rows: list[Row]) -> dict[str, list[float]]:
    """Validation loss and accuracy after each epoch."""
    train_reward(
        config, artifacts.reward_start(), artifacts.tokenizer, rows,
        demonstrations=artifacts.few_demonstrations, validation=ranked_by_strangers(artifacts),
        folder=artifacts.folder / name, callback=artifacts.teller.of(name),
    )  # fmt: skip
    log = read_jsonl(artifacts.folder / name / "metrics.jsonl")
    return {
        figure: [row[f"validation/{figure}"] for row in log if f"validation/{figure}" in row]
        for figure in ("loss", "accuracy")
    }
