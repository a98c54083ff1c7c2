"""What rankings teach: accuracy over their number, and over what a reward model starts from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minirlhf.evaluate.ranking_accuracy import score_rankings
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.world import Row
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy
from minirlhf.reward import score_texts, train_reward
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.proof.start import mean_share, ranked_by_strangers, starts

COUNTS = (64, 256, 1024)
"""Rankings that the shipped start is taught with, before all of them."""


def measure(artifacts: Artifacts) -> dict[str, dict[str, float]]:
    """Three accuracies of each reward model on rankings by held-out labelers (see `accuracies`)."""
    strangers = ranked_by_strangers(artifacts)
    return {
        f"{name}, {count} rankings": accuracies(artifacts, model, strangers)
        for (name, count), model in taught(artifacts).items()
    }


def taught(artifacts: Artifacts) -> dict[tuple[str, int], ScalarModel]:
    """Reward models by what they started from and by how many rankings taught them."""
    rankings = artifacts.rankings(1)
    sft = load_policy(artifacts.sft_epochs[-1], artifacts.tokenizer)
    others = {
        "plain base": starts(artifacts, {})["plain base"],
        "SFT model": ScalarModel.from_policy(sft, artifacts.tokenizer, artifacts.config.seed),
    }
    found = {
        ("school", count): _taught(
            artifacts, f"taught/{count}", artifacts.reward_start(), rankings[:count]
        )
        for count in COUNTS if count < len(rankings)
    }  # fmt: skip
    found["school", len(rankings)] = artifacts.reward
    for name, model in others.items():
        folder = f"taught/{name.replace(' ', '-')}"
        found[name, len(rankings)] = _taught(artifacts, folder, model, rankings)
    return found


def _taught(
    artifacts: Artifacts,
    name: str,
    model: ScalarModel,
    rankings: Sequence[Row],
) -> ScalarModel:
    return train_reward(
        artifacts.reward_settings, model, artifacts.tokenizer, rankings,
        demonstrations=artifacts.few_demonstrations,
        folder=artifacts.folder / name, callback=artifacts.teller.of(name),
    ).model  # fmt: skip


def accuracies(artifacts: Artifacts, model: ScalarModel, rows: Sequence[Row]) -> dict[str, float]:
    """Against the labelers' order, the judge's, and the judge's where grades lie well apart."""
    scores = score_rankings(
        lambda asked, said: score_texts(model, artifacts.tokenizer, asked, said), rows
    )
    grades = [[judge(row["prompt"], y).overall for y in row["completions"]] for row in rows]
    judged = [[-grade for grade in row] for row in grades]
    return {
        "labeler": mean_share(scores, [row["ranks"] for row in rows]),
        "judge": mean_share(scores, judged),
        "large gaps": of_large_gaps(scores, grades),
    }


def of_large_gaps(scores: Sequence[Sequence[float]], grades: Sequence[Sequence[float]]) -> float:
    """Accuracy on pairs whose grades lie more than half a standard deviation apart."""
    half = 0.5 * float(np.std(np.concatenate([np.asarray(row) for row in grades])))
    shares = []
    for said, true in zip(scores, grades, strict=True):
        better, worse = np.nonzero(np.subtract.outer(true, true) > half)
        gaps = np.asarray(said)[better] - np.asarray(said)[worse]
        shares += [float(np.mean(gaps > 0))] if len(gaps) else []
    return float(np.mean(shares))
