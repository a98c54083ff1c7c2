"""What a start knows before anybody has ranked anything, and what rankings teach it.

A head of zero is a coin on any network, so a start's accuracy proves nothing. The head alone on few
rankings does (`minirlhf.evaluate.head_alone`): with preferences it is there at once and stays flat;
with knowledge it starts near a coin and rises. Beside the shipped start stand the plain base, a
base that saw votes, and exact answers to the school's own questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from minirlhf.evaluate.head_alone import Features, Ranks, curve, last_states, standardised
from minirlhf.evaluate.ranking_accuracy import shares_in_order
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.world import Row
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy
from minirlhf.tinytown import bases, datasets
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.labelers import heldout_pool
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.school import questions

COUNTS, DRAWS = (4, 16, 64, 256, 1024), (10, 10, 10, 6, 3)
"""Rankings that a head is fitted to, and how often so many are drawn; all of them come last."""
RIDGE = 30.0
RANDOM_HEADS = 100
ASKED, SAMPLES = 400, 6
"""Evaluation prompts, and the SFT model's samples for each, that held-out labelers rank."""


def measure(artifacts: Artifacts, others: Mapping[str, Path]) -> dict:
    """Accuracy against held-out labelers, by start: curves, random heads, single questions.

    ``others`` are folders of more starts (`ScalarModel`), by name.
    """
    train, held_out = artifacts.rankings(1), ranked_by_strangers(artifacts)
    ranks, order = [row["ranks"] for row in train], [row["ranks"] for row in held_out]
    judged = [[-judge(r["prompt"], y).overall for y in r["completions"]] for r in held_out]
    grades = [[-grade for grade in row] for row in judged]
    found: dict = {"the judge": mean_share(grades, order), "curve": {}, "random heads": {}}
    fewer = [(n, times) for n, times in zip(COUNTS, DRAWS, strict=True) if n < len(train)]
    counts, draws = zip(*fewer, (len(train), 1), strict=True)
    for name, (known, asked) in {
        "exact answers": (exact(train), exact(held_out)),
        **{
            name: tuple(_states(artifacts, model, rows) for rows in (train, held_out))
            for name, model in starts(artifacts, others).items()
        },
    }.items():
        drawn = curve((known, ranks), (asked, order), counts, draws=draws,
                      ridge=RIDGE, seed=artifacts.config.seed)  # fmt: skip
        found["curve"][name] = {str(count): shares for count, shares in drawn.items()}
        found["random heads"][name] = random_heads(standardised(asked, known), order)
    found["questions"] = alone(exact(held_out), order)
    return found


def ranked_by_strangers(artifacts: Artifacts) -> list[Row]:
    """Samples of the SFT model for evaluation prompts, ranked by labelers who trained nothing."""

    def rows() -> list[Row]:
        asked = artifacts.prompts("eval")[:ASKED]
        said = artifacts.sample(
            artifacts.sft, [row["prompt"] for row in asked], seed=600, n=SAMPLES
        )
        samples = [said[SAMPLES * n : SAMPLES * (n + 1)] for n in range(len(asked))]
        return datasets.rankings(asked, samples, heldout_pool(), seed=artifacts.config.seed)

    return artifacts.kept("data/rankings-heldout", rows)


def starts(artifacts: Artifacts, others: Mapping[str, Path]) -> dict[str, ScalarModel]:
    """The shipped start, the plain base, and the others."""
    base = load_policy(bases.base_folder(bases.REWARD_SIZE), artifacts.tokenizer)
    return {
        "school": artifacts.reward_start(),
        "plain base": ScalarModel.from_policy(base, artifacts.tokenizer),
        **{name: ScalarModel.load(folder) for name, folder in others.items()},
    }


def _states(artifacts: Artifacts, model: ScalarModel, rows: Sequence[Row]) -> list[np.ndarray]:
    asked = [row["prompt"] for row in rows for _ in row["completions"]]
    replies = [text for row in rows for text in row["completions"]]
    states = last_states(model, artifacts.tokenizer, asked, replies)
    return np.split(states, np.cumsum([len(row["completions"]) for row in rows])[:-1])


def exact(rows: Sequence[Row]) -> list[np.ndarray]:
    """Right answers to the school's questions: float64 ``[K, questions]`` a row."""
    return [
        np.array([questions.answers(parse(row["prompt"]), y) for y in row["completions"]], float)
        for row in rows
    ]


def mean_share(scores: Sequence[Sequence[float]], order: Ranks) -> float:
    """Accuracy on pairs, a mean over prompts."""
    return float(np.nanmean(shares_in_order(scores, order)))


def random_heads(features: Features, order: Ranks, seed: int = 0) -> list[float]:
    """Accuracy of heads drawn at random: how much of it chance alone can give."""
    draws = np.random.default_rng(seed).normal(size=(RANDOM_HEADS, features[0].shape[1]))
    return [mean_share([list(x @ head) for x in features], order) for head in draws]


def alone(answers: Features, order: Ranks) -> dict[str, float]:
    """How well each question's right answer alone orders pairs, either way round; a tie is half."""
    won, pairs = np.zeros(len(questions.QUESTIONS)), 0
    for given, place in zip(answers, np.asarray(order, dtype=object), strict=True):
        ranks = np.asarray(place)
        better, worse = np.nonzero(ranks[:, None] < ranks[None])
        won += (0.5 + 0.5 * (given[better] - given[worse])).sum(0)
        pairs += len(better)
    shares = won / max(pairs, 1)
    return dict(zip(questions.QUESTIONS, np.maximum(shares, 1 - shares).tolist(), strict=True))
