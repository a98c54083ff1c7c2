"""``python -m course.pack.faulty_runs``: short runs of PPO, one healthy, each other with a bug.

The exercise "What is wrong with this run?" shows their curves and samples. Each bug is planted by
putting something else in the place of one of the engine's functions. All of it takes some minutes
on two cores; a run that is there already is kept.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from course.build.settings import PACKAGE
from minirlhf import episodes, objectives, ppo, shipped
from minirlhf.config import PPOConfig
from minirlhf.data.files import write_json
from minirlhf.data.records import read_jsonl
from minirlhf.data.tokenization import encode_prompts
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.training.optimizer import Optimizer

TARGET = PACKAGE / "grading" / "faulty_runs.json"
CONFIG = PPOConfig(
    episodes=832,
    rollout_batch=32,
    minibatch=8,
    beta=0.15,
    learning_rate=4e-4,
    vector_factor=5.0,
    value_learning_rate=1e-3,
    warmup=3,
    max_prompt=32,
    max_response=28,
    samples=2,
)
"""Twenty-six iterations of four steps each."""
FRIENDLY = set(
    "dear friend good happy hello lovely please thank warm welcome you your yours".split()
)
CURVES = {
    "score": "objective/score",
    "kl": "objective/kl",
    "length": "response/length",
    "entropy": "objective/entropy",
    "clipfrac": "ppo/policy/clipfrac",
    "explained": "ppo/val/var_explained",
}


def friendliness(prompts: list[str], replies: list[str]) -> list[float]:
    """The reward of these runs: a point for each friendly word, a tenth off for any word."""
    scores = []
    for reply in replies:
        words = re.findall(r"[a-z]+", reply.lower())
        scores.append(sum(word in FRIENDLY for word in words) - 0.1 * len(words))
    return scores


def reference_moves() -> AbstractContextManager:
    """The frozen reference is the policy itself: it learns along."""

    def score(compute, models, *arguments, **options):
        models.reference.load_state_dict(models.policy.state_dict())
        return episodes.score(compute, models, *arguments, **options)

    return mock.patch.object(ppo, "score", score)


def score_everywhere() -> AbstractContextManager:
    """The score is paid at every token, not at the last alone."""

    def rewards(scores, logprobs, reference, mask, beta):
        kl = objectives.kl_k1(logprobs, reference)
        return torch.where(mask, scores[:, None] - beta * kl, 0.0)

    return mock.patch.object(objectives, "shaped_rewards", rewards)


def penalty_reversed() -> AbstractContextManager:
    """The KL penalty has the wrong sign."""
    right = objectives.shaped_rewards
    return mock.patch.object(objectives, "shaped_rewards", lambda *a: right(*a[:-1], -a[-1]))


@contextmanager
def old_recomputed() -> Iterator[None]:
    """The old log-probs are those of the policy in the step, not of the one that sampled."""
    with mock.patch.multiple(
        objectives,
        policy_loss=_with_own_old(objectives.policy_loss),
        clip_fraction=_with_own_old(objectives.clip_fraction),
    ):
        yield


def _with_own_old(function):
    return lambda new, old, *rest: function(new, new.detach(), *rest)


def value_forgotten() -> AbstractContextManager:
    """The value model's weights are never handed to an optimizer."""
    right = Optimizer.step

    def step(optimizer, rate):
        is_value = isinstance(optimizer.model, ScalarModel)
        return right(optimizer, 0.0 if is_value else rate)

    return mock.patch.object(Optimizer, "step", step)


@contextmanager
def sampled_colder() -> Iterator[None]:
    """Responses are sampled at a lower temperature than their log-probs are computed at."""
    right = episodes.roll_out

    def roll_out(compute, models, prompts, uniforms, **options):
        models = models.sampling(models.policy)
        models.temperature = 0.5
        drawn = right(compute, models, prompts, uniforms, **options)
        models.temperature = 1.0
        batch = drawn.sequences.to(compute.device)
        with torch.no_grad():
            return drawn._replace(logprobs=models.logprobs(models.policy, batch).cpu())

    with (
        mock.patch.object(ppo, "roll_out", roll_out),
        mock.patch.object(episodes, "check_kl"),
    ):
        yield


RUNS = {
    "healthy": nullcontext,
    "reference-moves": reference_moves,
    "score-everywhere": score_everywhere,
    "penalty-reversed": penalty_reversed,
    "old-recomputed": old_recomputed,
    "value-forgotten": value_forgotten,
    "sampled-colder": sampled_colder,
}


def train(folder: Path) -> None:
    """One run of the stage, from the shipped initial model; values start at random."""
    initial = shipped.run("initial") / "model"
    tokenizer = load_tokenizer(initial)
    policy, reference = (load_policy(initial, tokenizer) for _ in range(2))
    value = ScalarModel.from_policy(policy, tokenizer).value_model()
    prompts = shipped.read("prompts-ppo")
    lengths = map(len, encode_prompts(tokenizer, [row["prompt"] for row in prompts]))
    prompts = [
        row for row, length in zip(prompts, lengths, strict=True) if length <= CONFIG.max_prompt
    ]
    ppo.train_ppo(CONFIG, policy, reference, friendliness, value, tokenizer, prompts, folder=folder)


def told(folder: Path) -> dict[str, Any]:
    """What is shown of a run: its curves, and samples of its first and last iteration."""
    metrics, drawn = (read_jsonl(folder / f"{name}.jsonl") for name in ("metrics", "samples"))
    curves = {
        name: [float(f"{row.get(metric, float('nan')):.4g}") for row in metrics]
        for name, metric in CURVES.items()
    }
    ends = drawn[: CONFIG.samples] + drawn[-CONFIG.samples :]
    kept = ("step", "prompt", "response", "score")
    return {"curves": curves, "samples": [{key: row[key] for key in kept} for row in ends]}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m course.pack.faulty_runs")
    parser.add_argument("--folder", type=Path, default=Path("runs/faulty"), help="of the runs")
    parser.add_argument("--target", type=Path, default=TARGET, help="of what is shown of them")
    parser.add_argument("--only", nargs="+", choices=RUNS, help="some runs, which are only made")
    options = parser.parse_args(arguments)
    for name in options.only or RUNS:
        with RUNS[name]():
            train(options.folder / name)
        print(name, flush=True)
    if options.only:
        return 0
    write_json(options.target, {name: told(options.folder / name) for name in RUNS})
    return 0


if __name__ == "__main__":
    sys.exit(main())
