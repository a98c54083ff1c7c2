"""The three steps of the paper in a world: data, models and replies of one run.

    step 1   sft            demonstrations; the epoch is chosen by reward-model score (C.1)
    step 2   reward         K-wise rankings of SFT samples (C.2)
    step 3   ppo, ppo-ptx   from the initial model of C.3, against the reward model (C.4)

Everything lies in one run folder, each part written once and whole, so the same command after an
interruption goes on where it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import torch

from minirlhf import objectives
from minirlhf.config import PPOConfig, RewardConfig
from minirlhf.data.files import kept
from minirlhf.experiment.experiment_config import VARIANTS, ExperimentConfig
from minirlhf.experiment.teller import Teller
from minirlhf.experiment.world import Row, World
from minirlhf.models import ScalarModel, Scorer
from minirlhf.ppo import train_ppo
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.reward import score_texts, train_reward
from minirlhf.sampling import complete
from minirlhf.sft import train_sft
from minirlhf.training.devices import first_device
from minirlhf.training.log import Callback

SHOTS, PREFIXES = 3, 4
"""Examples in a few-shot prefix, and how many prefixes compete (§3.5: two authors, two each)."""


class Artifacts:
    """The parts of a run, each made when it is first asked for and kept in the folder."""

    def __init__(
        self,
        world: World,
        config: ExperimentConfig,
        callback: Callback | Sequence[Callback] | None = None,
    ):
        self.world, self.config = world, config
        rounds = range(1, config.rounds + 1)
        first, *steps = [
            self._numbered(name, round) for round in rounds for name in ("reward", "ppo")
        ]
        trained = ["sft", first, "initial", "sft-4x", *steps, "ppo-ptx"]
        self.teller = Teller(callback, trained)
        self.folder = Path(config.folder)
        self.base = world.base(config.size)
        self.tokenizer = load_tokenizer(self.base)

    def kept(self, name: str, make: Callable[[], Sequence[Row]]) -> list[Row]:
        """The rows of ``name``.jsonl, made by ``make`` if they aren't there yet."""
        return kept(self.folder / f"{name}.jsonl", make)

    # ---------------------------------------------------------------------------------- the data

    @cached_property
    def demonstrations(self) -> list[Row]:
        """Four times as many as step 1 takes: the report shows what more would bring."""
        count, seed = 4 * self.config.demonstrations, self.config.seed
        return self.kept("data/demonstrations", lambda: self.world.demonstrations(count, seed))

    @property
    def few_demonstrations(self) -> list[Row]:
        return self.demonstrations[: self.config.demonstrations]

    def prompts(self, split: str) -> list[Row]:
        """The prompts of ``rm``, ``validation``, ``ppo`` or ``eval``."""
        config = self.config
        if split in ("rm", "validation"):
            both = config.ranking_prompts + config.validation_prompts
            rows = self.kept("data/prompts-rm", lambda: self.world.prompts("rm", both, config.seed))
            return (
                rows[: config.ranking_prompts] if split == "rm" else rows[config.ranking_prompts :]
            )
        count = {"ppo": config.ppo_prompts, "eval": config.evaluation_prompts}[split]
        return self.kept(
            f"data/prompts-{split}", lambda: self.world.prompts(split, count, config.seed)
        )

    @cached_property
    def documents(self) -> list[Row]:
        """Pretraining documents, for C.3's mix and for ptx."""
        return self.world.documents(self.config.pretraining_documents)

    def make_data(self) -> None:
        """Whatever needs no model: afterwards several processes can work in the folder."""
        _ = self.demonstrations
        for split in self.teller.each("making the data", ("rm", "ppo", "eval")):
            self.prompts(split)

    # ------------------------------------------------------------------------------------ step 1

    def train_sft(self, name: str, demonstrations: list[Row]) -> Path:
        config = replace(self.config.stages.sft, seed=self.config.seed)
        policy = load_policy(self.base, self.tokenizer)
        train_sft(
            config, policy, self.tokenizer, demonstrations,
            folder=self.folder / name, callback=self.teller.of(name),
        )  # fmt: skip
        return self.folder / name

    @cached_property
    def sft_epochs(self) -> list[Path]:
        return sorted((self.train_sft("sft", self.few_demonstrations) / "epochs").iterdir())

    @cached_property
    def sft(self) -> Path:
        """The epoch whose replies to validation prompts the reward model likes best (C.1)."""

        def scores() -> list[Row]:
            asked = [row["prompt"] for row in self.prompts("validation")]
            rows = []
            for number, epoch in enumerate(self.sft_epochs, 1):
                replies = self.sample(epoch, asked, seed=number)
                rows.append({"epoch": number, "score": float(self.score(asked, replies).mean())})
            return rows

        best = max(self.kept("sft/chosen", scores), key=lambda row: row["score"])
        return self.sft_epochs[best["epoch"] - 1]

    @cached_property
    def sft_large(self) -> Path:
        return self.train_sft("sft-4x", self.demonstrations) / "model"

    @cached_property
    def initial(self) -> Path:
        """The model that PPO starts from and is held to (C.3)."""
        config = replace(self.config.stages.initial, seed=self.config.seed)
        folder = self.folder / "initial"
        policy = load_policy(self.base, self.tokenizer)
        train_sft(
            config, policy, self.tokenizer, self.few_demonstrations, pretraining=self.documents,
            folder=folder, callback=self.teller.of("initial"),
        )  # fmt: skip
        return folder / "model"

    # ------------------------------------------------------------------------------------ step 2

    def rankings(self, round: int) -> list[Row]:
        """Ranked samples: of the SFT model, in later rounds of the last round's policy too."""
        source = self.sft_epochs[-1] if round == 1 else self.policy("ppo", round - 1)

        def make() -> list[Row]:
            rng = random.Random(f"{self.config.seed}-{round}")
            rows = self.prompts("rm")
            counts = [rng.randint(*self.config.k) for _ in rows]
            asked = [row["prompt"] for row, k in zip(rows, counts, strict=True) for _ in range(k)]
            replies = iter(self.sample(source, asked, seed=100 + round))
            samples = [[next(replies) for _ in range(k)] for k in counts]
            self.teller.tell("ranking the replies", 0, 1)
            ranked = self.world.rankings(rows, samples, 1000 * self.config.seed + round)
            self.teller.tell("ranking the replies", 1, 1)
            return ranked

        rows = self.kept(f"data/rankings-{round}", make)
        return rows if round == 1 else self.rankings(round - 1) + rows

    def reward_model(
        self, round: int, name: str = "", rankings: list[Row] | None = None
    ) -> ScalarModel:
        """The reward model of a round (or another, ``name``, from some of its ``rankings``)."""
        name = name or self._numbered("reward", round)
        rankings = rankings or self.rankings(round)
        result = train_reward(
            self.reward_settings, self.reward_start(), self.tokenizer, rankings,
            demonstrations=self.few_demonstrations,
            folder=self.folder / name, callback=self.teller.of(name),
        )  # fmt: skip
        return result.model

    @property
    def reward_settings(self) -> RewardConfig:
        return replace(self.config.stages.reward, seed=self.config.seed)

    def reward_start(self) -> ScalarModel:
        """What a reward model starts from (C.2): the world's, or the SFT model with a new head."""
        folder = self.world.reward_start()
        if folder is not None:
            return ScalarModel.load(folder)
        policy = load_policy(self.sft_epochs[-1], self.tokenizer)
        return ScalarModel.from_policy(policy, self.tokenizer, self.config.seed)

    @cached_property
    def reward(self) -> ScalarModel:
        """The reward model of the last round."""
        return self.reward_model(self.config.rounds)

    # ------------------------------------------------------------------------------------ step 3

    def policy(self, name: str, round: int | None = None) -> Path:
        """A policy by name: ``ppo``, ``ppo-ptx`` or one of `VARIANTS`."""
        round = round or self.config.rounds
        stage = self.config.stages.ppo_ptx if name.startswith("ppo-ptx") else self.config.stages.ppo
        config = replace(stage, seed=self.config.seed, max_response=self.config.max_response)
        config = VARIANTS.get(name, lambda config: config)(config)
        reward = self.reward if round == self.config.rounds else self.reward_model(round)
        scores = self.judge_scores if name == "ppo-judge" else reward
        return self.train_policy(self._numbered(name, round), config, scores, reward)

    def train_policy(
        self, name: str, config: PPOConfig, scores: ScalarModel | Scorer, start: ScalarModel
    ) -> Path:
        """PPO from the initial model on these scores; its value model starts from ``start``."""
        folder = self.folder / name
        policy, reference = (load_policy(self.initial, self.tokenizer) for _ in range(2))
        train_ppo(
            config, policy, reference, scores, start.value_model(), self.tokenizer,
            self.prompts("ppo"), pretraining=self.documents,
            folder=folder, callback=self.teller.of(folder.name),
        )  # fmt: skip
        return folder / "model"

    def judge_scores(self, prompts: list[str], replies: list[str]) -> torch.Tensor:
        """The judge's grades as rewards: what tells a broken PPO from a poor reward model.

        They are centred near a demonstration's grade, as a reward model is.
        """
        pairs = zip(prompts, replies, strict=True)
        return torch.tensor([self.world.judge(*pair).overall - 5.0 for pair in pairs])

    def _numbered(self, name: str, round: int) -> str:
        return name if round == self.config.rounds else f"{name}-round-{round}"

    # ------------------------------------------------------------------------------- the replies

    def sample(self, model: Path, asked: Sequence[str], *, seed: int, n: int = 1) -> list[str]:
        """Replies, cut by the world where a reply ends: all models alike."""
        policy = load_policy(model, self.tokenizer).to(first_device())
        whose = model.relative_to(self.folder).parts[0] if self.folder in model.parents else "base"
        tell = partial(self.teller.tell, f"sampling {whose}" + f" × {n}" * (n > 1))
        tell(0, n * len(asked))
        replies = complete(
            policy, self.tokenizer, asked, max_new_tokens=self.config.max_response, n=n,
            seed=1000 * self.config.seed + seed, micro_batch=256, progress=tell,
        )  # fmt: skip
        tell(n * len(asked), n * len(asked))
        return list(map(self.world.cut, replies))

    def score(self, asked: Sequence[str], replies: Sequence[str]):
        """Reward-model scores, float ``[N]``."""
        return score_texts(self.reward, self.tokenizer, asked, replies)

    @cached_property
    def prefix(self) -> str:
        """The few-shot prefix of "GPT prompted": of some candidates, the best by score."""

        def candidates() -> list[Row]:
            plain = [row for row in self.few_demonstrations if row["style"] == "plain"]
            plain.sort(key=lambda row: len(row["prompt"] + row["completion"]))
            short = plain[: max(len(plain) // 2, SHOTS)]  # a prefix has to leave room
            asked = [row["prompt"] for row in self.prompts("validation")]
            rows = []
            for number in range(PREFIXES):
                shots = random.Random(f"{self.config.seed}-{number}").sample(short, SHOTS)
                prefix = "".join(f"{row['prompt']}{row['completion']}\n\n" for row in shots)
                replies = self.sample_prompted(prefix, asked, seed=number)
                score = float(self.score(asked, replies).mean())
                rows.append({"prefix": prefix, "score": score})
            return rows

        return max(self.kept("data/prefixes", candidates), key=lambda row: row["score"])["prefix"]

    def sample_prompted(self, prefix: str, asked: Sequence[str], *, seed: int) -> list[str]:
        """The base model's replies after a few-shot prefix."""
        return self.sample(self.base, [prefix + prompt for prompt in asked], seed=200 + seed)

    def replies(self, name: str, make: Callable[[list[str]], list[str]]) -> list[str]:
        """One reply of model ``name`` to every evaluation prompt."""
        asked = [row["prompt"] for row in self.prompts("eval")]

        def rows() -> list[Row]:
            return [
                {"prompt": prompt, "completion": reply}
                for prompt, reply in zip(asked, make(asked), strict=True)
            ]

        return [row["completion"] for row in self.kept(f"replies/{name}", rows)]

    def best_of_n(self, asked: list[str]) -> list[str]:
        """The reply of n SFT samples that the reward model likes best."""
        n = self.config.best_of
        replies = self.sample(self.sft, asked, seed=300, n=n)
        scores = self.score([prompt for prompt in asked for _ in range(n)], replies).view(-1, n)
        best = objectives.best_of_n(scores).tolist()
        return [replies[row * n + k] for row, k in enumerate(best)]
