"""The runs of the pack: the main job, and what single chapters compare it with."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from minirlhf.data.files import kept, read_json
from minirlhf.evaluate.ranking_accuracy import score_rankings, shares_in_order
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.main_job import run
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.proof import left_out_groups
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrained import load_policy
from minirlhf.reward import score_texts, train_reward
from minirlhf.sft import train_sft
from minirlhf.tinytown import datasets
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.sizes import START
from minirlhf.tinytown.town import Tinytown

Row = dict[str, Any]
EPOCHS = 16
"""Of the long SFT run (C.1)."""
HELDOUT, K = 400, 6
"""Prompts of unseen users whose samples are ranked to measure reward models, and samples each."""
LESSON, COMPARED = 2000, 1500
"""Rankings that a lesson trains on, and those of the runs that compare whole prompts with pairs."""
BETAS = (0.0, 0.2, 1.0, 5.0, 25.0)
"""The sweep of β, in units of the preset's."""
JUDGED = 64
"""Responses of each iteration of the sweep that the judge grades."""


def trial(config: ExperimentConfig) -> ExperimentConfig:
    """The same with a few steps of each stage."""
    stages = config.stages
    short = {"episodes": 256, "rollout_batch": 128}
    return replace(
        config,
        demonstrations=60, ranking_prompts=150, ppo_prompts=300, validation_prompts=20,
        evaluation_prompts=60, pretraining_documents=100, best_of=2,
        stages=replace(
            stages,
            ppo=replace(stages.ppo, **short), ppo_ptx=replace(stages.ppo_ptx, **short),
        ),
    )  # fmt: skip


class Pack:
    """All runs lie beside that of the main job, ``config.folder``; each is made once."""

    def __init__(self, config: ExperimentConfig, *, seeds: int = 3):
        self.config, self.seeds = config, seeds
        self.folder = Path(config.folder).parent
        self.artifacts = Artifacts(Tinytown(), config)

    def parts(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """What is to be made, in order."""
        yield "main job", lambda: self.summary
        yield "long SFT", lambda: self.epochs
        yield "held-out rankings", lambda: self.heldout
        yield "pairs against prompts", lambda: self.ways
        yield "groups of labelers", lambda: self.groups
        for factor in BETAS:
            yield f"β × {factor:g}", lambda factor=factor: self.swept(factor)

    def kept(self, name: str, make: Callable[[], list[Row]]) -> list[Row]:
        return kept(self.folder / f"{name}.jsonl", make)

    @cached_property
    def summary(self) -> Row:
        """The main job's."""
        path = self.artifacts.folder / "summary.json"
        return read_json(path) if path.exists() else run(Tinytown(), self.config)

    # -------------------------------------------------------------------------------- chapter 04

    @cached_property
    def validation(self) -> list[Row]:
        """Demonstrations beyond those of the main job."""
        return self.artifacts.demonstrations[self.config.demonstrations :][
            : self.config.demonstrations
        ]

    @cached_property
    def epochs(self) -> list[Row]:
        """A line an epoch of the long SFT run: what the reward model and the judge say of it."""

        def rows() -> list[Row]:
            artifacts, folder = self.artifacts, self.folder / "sft-long"
            train_sft(
                replace(self.config.stages.sft, epochs=EPOCHS),
                load_policy(artifacts.base, artifacts.tokenizer), artifacts.tokenizer,
                artifacts.few_demonstrations, validation=self.validation, folder=folder,
            )  # fmt: skip
            asked = [row["prompt"] for row in artifacts.prompts("validation")]
            found = []
            for number, epoch in enumerate(sorted((folder / "epochs").iterdir()), 1):
                replies = artifacts.sample(epoch, asked, seed=number)
                verdicts = [judge(p, y) for p, y in zip(asked, replies, strict=True)]
                found.append(
                    {
                        "epoch": number,
                        "score": artifacts.score(asked, replies).tolist(),
                        "grade": [v.overall for v in verdicts],
                        "passes": [float(v.passes) for v in verdicts],
                    }
                )
            return found

        return self.kept("epochs", rows)

    # -------------------------------------------------------------------------------- chapter 05

    @cached_property
    def heldout(self) -> list[Row]:
        """Rankings of prompts by users that no training set has, by labelers of the pool."""

        def rows() -> list[Row]:
            asked = self.artifacts.prompts("eval")[:HELDOUT]
            replies = self.artifacts.sample(
                self.artifacts.sft, [row["prompt"] for row in asked], seed=700, n=K
            )
            samples = [replies[K * row : K * row + K] for row in range(len(asked))]
            ranked = datasets.rankings(asked, samples, seed=700)
            return [row for row in ranked if len(set(row["ranks"])) > 1]

        return self.kept("heldout", rows)

    @cached_property
    def ways(self) -> list[Row]:
        """A line a seed and way: all pairs of a prompt at once, and pairs one by one, shuffled."""
        rankings = self.artifacts.rankings(1)[:COMPARED]
        pairs = [pair for row in rankings for pair in as_pairs(row)]
        config = replace(self.config.stages.reward, epochs=1)
        each = round(len(pairs) / len(rankings))

        def rows() -> list[Row]:
            found = []
            for seed in range(self.seeds):
                for way, data, batch in (
                    ("prompts", rankings, config.batch),
                    ("pairs", pairs, each * config.batch),
                ):
                    started = time.monotonic()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of the rankings that are one great tie
                        model = train_reward(
                            replace(config, batch=batch, seed=seed),
                            ScalarModel.load(base_folder(START)),
                            self.artifacts.tokenizer,
                            data,
                            demonstrations=self.artifacts.few_demonstrations,
                            folder=self.folder / "ways" / f"{way}-{seed}",
                        ).model
                    seconds = time.monotonic() - started
                    found.append(
                        {
                            "way": way,
                            "seed": seed,
                            "seconds": seconds,
                            "texts": sum(len(row["completions"]) for row in data),
                            "train": self.share_in_order(model, rankings[: len(self.heldout)]),
                            "heldout": self.share_in_order(model, self.heldout),
                        }
                    )
            return found

        return self.kept("ways", rows)

    def share_in_order(self, model: ScalarModel, rankings: list[Row]) -> float:
        """Accuracy on the pairs of each prompt, then the mean over prompts."""
        scores = self.scored(model, rankings)
        return float(np.nanmean(shares_in_order(scores, [row["ranks"] for row in rankings])))

    def scored(self, model: ScalarModel, rankings: list[Row]) -> list[list[float]]:
        """The scores of every ranking's completions."""
        return score_rankings(partial(score_texts, model, self.artifacts.tokenizer), rankings)

    @cached_property
    def groups(self) -> list[Row]:
        """Accuracy on five groups of labelers, with and without each in training (E.2)."""
        return self.kept("groups", lambda: [left_out_groups(self.artifacts)])

    # -------------------------------------------------------------------------------- chapter 06

    def swept(self, factor: float) -> Row:
        """PPO at another β: where it ends, by the reward model and by the judge."""

        def rows() -> list[Row]:
            artifacts, folder = self.artifacts, self.beta_folder(factor)
            reward, base = artifacts.reward, artifacts.initial
            config = replace(
                self.config.stages.ppo, beta=factor * self.config.stages.ppo.beta, samples=JUDGED,
                max_response=self.config.max_response,
            )  # fmt: skip
            train_ppo(
                config, *(load_policy(base, artifacts.tokenizer) for _ in range(2)), reward,
                reward.value_model(), artifacts.tokenizer, artifacts.prompts("ppo"), folder=folder,
            )  # fmt: skip
            asked = [row["prompt"] for row in artifacts.prompts("eval")]
            replies = artifacts.sample(folder / "model", asked, seed=800)
            verdicts = [judge(p, y) for p, y in zip(asked, replies, strict=True)]
            return [
                {
                    "beta": config.beta,
                    "score": artifacts.score(asked, replies).tolist(),
                    "grade": [v.overall for v in verdicts],
                    "passes": [float(v.passes) for v in verdicts],
                }
            ]

        return self.kept(f"sweep/{factor:g}", rows)[0]

    def beta_folder(self, factor: float) -> Path:
        return self.folder / f"beta-{factor:g}"


def as_pairs(ranking: Row) -> Iterator[Row]:
    """Every comparison of a ranking that is no tie, as a ranking of two."""
    for i, j in combinations(range(len(ranking["ranks"])), 2):
        if ranking["ranks"][i] != ranking["ranks"][j]:
            w, l = sorted((i, j), key=ranking["ranks"].__getitem__)
            both = [ranking["completions"][w], ranking["completions"][l]]
            yield {"prompt": ranking["prompt"], "completions": both, "ranks": [1, 2]}
