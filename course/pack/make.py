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

from course.pack import copying
from minirlhf.config import PPOConfig
from minirlhf.data.files import kept, read_json, replace_folder
from minirlhf.evaluate.ranking_accuracy import score_rankings, shares_in_order
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.main_job import run
from minirlhf.experiment.measurements import beside_base, probe, probe_model, replies
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.presets import PRESETS
from minirlhf.pretrained import load_policy
from minirlhf.reward import score_texts, train_reward
from minirlhf.sft import train_sft
from minirlhf.tinytown import datasets
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.proof import start, teaching
from minirlhf.tinytown.proof.ladder import LADDER, climbed
from minirlhf.tinytown.sizes import START
from minirlhf.tinytown.town import Tinytown
from minirlhf.training.second_process import in_second_process

Row = dict[str, Any]
EPOCHS = 16
"""Of the long SFT run (C.1)."""
HELDOUT, K = 400, 6
"""Prompts of unseen users whose samples are ranked to measure reward models, and samples each."""
LESSON, COMPARED = 2000, 1500
"""Rankings that a lesson trains on, and those of the runs that compare whole prompts with pairs."""
USUAL = {"beta": PRESETS["tinytown"].ppo.beta, "gamma": PRESETS["tinytown"].ppo_ptx.ptx_gamma}
SWEEPS = {
    "beta": tuple(sorted({0.0, 0.01, 0.05, 0.2, 1.0, USUAL["beta"]})),
    "gamma": tuple(sorted({0.1, 1.0, USUAL["gamma"]})),
}
"""The values of β, without ptx, and of γ that are tried: some of the proof's, and the preset's."""
PROBED = ("base", "sft", "initial", "ppo", "ppo-ptx")
"""Models that the sweeps are compared with, prompt by prompt and item by item."""
JUDGED = 64
"""Responses of each iteration of PPO that the judge grades."""
PPO = "ppo", "ppo_ptx"
TOLD = 100
"""Evaluation prompts whose replies are kept word for word."""


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


def _timed(name: str, part: Callable[[], Any]) -> None:
    started = time.monotonic()
    part()
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def _make_lessons(config: ExperimentConfig, seeds: int) -> None:
    """What the second process does."""
    for name, part in Pack(config, seeds=seeds).lessons():
        _timed(name, part)


class Pack:
    """All runs lie beside that of the main job, ``config.folder``; each is made once."""

    def __init__(self, config: ExperimentConfig, *, seeds: int = 3):
        both = {name: replace(getattr(config.stages, name), samples=JUDGED) for name in PPO}
        self.config = replace(config, stages=replace(config.stages, **both))
        self.seeds = seeds
        self.folder = Path(config.folder).parent
        self.artifacts = Artifacts(Tinytown(), self.config)

    def make(self) -> None:
        """Everything: first the main job, then the sweeps beside all that single chapters want."""
        _timed("main job", lambda: self.summary)
        with in_second_process(_make_lessons, self.config, self.seeds):
            for name, values in SWEEPS.items():
                for value in values:
                    _timed(f"{name} {value:g}", partial(self.swept, name, value))

    def lessons(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """What single chapters compare the main job with, but for the sweeps."""
        yield "long SFT", lambda: self.epochs
        yield "held-out rankings", lambda: self.heldout
        yield "pairs against prompts", lambda: self.ways
        yield "what a start knows", lambda: self.known
        yield "what rankings teach", lambda: self.taught
        yield "the ladder of all sizes", lambda: self.ladder
        yield "the smallest base before it copies", lambda: self.copying

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
    def known(self) -> list[Row]:
        """The head alone on more and more rankings, from the start, the base, exact answers."""
        return self.kept("known", lambda: [start.measure(self.artifacts, {})])

    @cached_property
    def taught(self) -> list[Row]:
        """A line a reward model: its start, with how many rankings, accuracies, by prompt too."""

        def rows() -> list[Row]:
            strangers = [
                row
                for row in start.ranked_by_strangers(self.artifacts)
                if len(set(row["ranks"])) > 1
            ]
            order = [row["ranks"] for row in strangers]
            found = []
            for (name, count), model in teaching.taught(self.artifacts).items():
                shares = shares_in_order(self.scored(model, strangers), order)
                found.append(
                    {
                        "start": name,
                        "rankings": count,
                        **teaching.accuracies(self.artifacts, model, strangers),
                        "shares": np.nan_to_num(shares, nan=0.5).tolist(),
                    }
                )
            return found

        return self.kept("taught", rows)

    # ------------------------------------------------------------------------ chapters 06 and 07

    @property
    def probed(self) -> list[Row]:
        """A line a model of the main job: which prompts it passes, which items it has right."""
        asked = [row["prompt"] for row in self.artifacts.prompts("eval")]
        found = []
        for name in PROBED:
            pairs = zip(asked, replies(self.artifacts, name), strict=True)
            passes = [float(judge(prompt, said).passes) for prompt, said in pairs]
            tasks = as_bits(probe(self.artifacts, name)["tasks"])
            found.append({"model": name, "passes": passes, "tasks": tasks})
        return found

    def swept(self, name: str, value: float) -> Row:
        """PPO at another β, or PPO-ptx at another γ: where it ends, and what it has unlearned."""

        def rows() -> list[Row]:
            artifacts, folder = self.artifacts, self.sweep_folder(name, value)
            reward, base, config = artifacts.reward, artifacts.initial, self.of_sweep(name, value)
            critic = reward.value_model()
            train_ppo(
                config, *(load_policy(base, artifacts.tokenizer) for _ in range(2)), reward,
                critic, artifacts.tokenizer, artifacts.prompts("ppo"),
                pretraining=artifacts.documents, folder=folder,
            )  # fmt: skip
            trained = (name, value) == ("beta", USUAL["beta"])
            if trained and not (folder / "value").exists():  # a finished run leaves it alone
                replace_folder(folder / "value", lambda to: critic.save(to, artifacts.tokenizer))
            asked = [row["prompt"] for row in artifacts.prompts("eval")]
            said = artifacts.sample(folder / "model", asked, seed=800)
            verdicts = [judge(p, y) for p, y in zip(asked, said, strict=True)]
            probed = probe_model(artifacts, folder / "model", f"{name}-{value:g}")
            return [
                {
                    "beta": config.beta,
                    "gamma": config.ptx_gamma,
                    "score": artifacts.score(asked, said).tolist(),
                    "grade": [v.overall for v in verdicts],
                    "passes": [float(v.passes) for v in verdicts],
                    "replies": said[:TOLD],
                    "probes": probed["figures"],
                    "apart": probed["apart"],
                    "tax": beside_base(artifacts, probed),
                    "tasks": as_bits(probed["tasks"]),
                }
            ]

        return self.kept(f"sweep/{name}-{value:g}", rows)[0]

    def of_sweep(self, name: str, value: float) -> PPOConfig:
        """The preset's settings, but for β or γ."""
        stages = self.config.stages
        if name == "beta":
            config = replace(stages.ppo, beta=value)
        else:
            config = replace(stages.ppo_ptx, ptx_gamma=value)
        return replace(config, max_response=self.config.max_response)

    def sweep_folder(self, name: str, value: float) -> Path:
        """The main job's own PPO-ptx is one of the runs; PPO is run again, to keep its value."""
        if (name, value) == ("gamma", USUAL["gamma"]):
            return self.artifacts.folder / "ppo-ptx"
        return self.folder / f"{name}-{value:g}"

    # --------------------------------------------------------------------------- chapters 00, 01

    @cached_property
    def ladder(self) -> list[Row]:
        """A line a size and model: what the judge says of its replies, and the first of them."""

        def rows() -> list[Row]:
            asked = [row["prompt"] for row in self.artifacts.prompts("eval")]
            found = []
            for size, artifacts in climbed(self.artifacts).items():
                for name in LADDER:
                    said = replies(artifacts, name)
                    verdicts = [judge(p, y) for p, y in zip(asked, said, strict=True)]
                    found.append(
                        {
                            "size": size,
                            "model": name,
                            "grade": [v.overall for v in verdicts],
                            "passes": [float(v.passes) for v in verdicts],
                            "replies": said[:TOLD],
                        }
                    )
            return found

        return self.kept("ladder", rows)

    @cached_property
    def copying(self) -> list[Row]:
        """How the smallest base comes to copy, and a checkpoint of just before."""
        return self.kept("copying", lambda: copying.watch(self.folder / "copying"))


def as_bits(tasks: dict[str, list[float]]) -> dict[str, str]:
    """Of each task, its items in order: 1 where the answer is right, 0 where it isn't."""
    return {task: "".join(str(int(score)) for score in scores) for task, scores in tasks.items()}


def as_pairs(ranking: Row) -> Iterator[Row]:
    """Every comparison of a ranking that is no tie, as a ranking of two."""
    for i, j in combinations(range(len(ranking["ranks"])), 2):
        if ranking["ranks"][i] != ranking["ranks"][j]:
            w, l = sorted((i, j), key=ranking["ranks"].__getitem__)
            both = [ranking["completions"][w], ranking["completions"][l]]
            yield {"prompt": ranking["prompt"], "completions": both, "ranks": [1, 2]}
