"""This engine's contestants: its own entry points, as a user calls them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from benchmarks.gate import Gate
from benchmarks.shapes import Shape
from minirlhf.config import PPOConfig, RewardConfig, SFTConfig
from minirlhf.data.batching import collate
from minirlhf.data.tokenization import encode_prompts
from minirlhf.models import ScalarModel, never_sampled, response_logprobs
from minirlhf.ppo import train_ppo
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.reward import train_reward
from minirlhf.sampling import sample
from minirlhf.sft import train_sft
from minirlhf.training.compute import make_accelerator

ENDLESS = 10**6
"""More units than anyone asks for."""
OFTEN = {"checkpoint_seconds": 1e9}
"""The peers write no checkpoints either."""


def ppo(
    shape: Shape, data: dict, gate: Gate, folder: str, gigabytes: float = 0, **settings: int
) -> None:
    """PPO iterations: rollout, scoring, ``shape.epochs`` epochs of one minibatch.

    With ``gigabytes`` the GPU pretends to have no more than that.
    """
    policy, reference = (load_policy(f"{folder}/policy") for _ in range(2))
    reward = ScalarModel.load(f"{folder}/reward")
    tokenizer = load_tokenizer(f"{folder}/policy")
    config = PPOConfig(
        episodes=ENDLESS * shape.batch, rollout_batch=shape.batch, minibatch=shape.batch,
        inner_epochs=shape.epochs, beta=0.05, learning_rate=3e-6, value_learning_rate=3e-6,
        ema=None, max_prompt=shape.prompt, max_response=shape.response, precision=shape.precision,
        **OFTEN, **settings,
    )  # fmt: skip
    if gigabytes:
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(gigabytes * 1e9 / whole, 1.0))

    def report(event) -> None:
        gate(tokens=event.metrics["response/length"] * shape.batch)

    prompts = [{"prompt": text} for text in data["prompt"]]
    with tempfile.TemporaryDirectory() as runs:
        gate()
        train_ppo(
            config, policy, reference, reward, reward.value_model(), tokenizer, prompts,
            folder=Path(runs) / "ppo", callback=report,
        )  # fmt: skip


def rollout(shape: Shape, data: dict, gate: Gate, folder: str) -> None:
    """Sampling one batch of responses with their log-probs."""
    accelerator = make_accelerator(shape.precision)
    policy = load_policy(f"{folder}/policy").to(shape.device)
    tokenizer = load_tokenizer(f"{folder}/policy")
    suppress = never_sampled(tokenizer, policy)
    prompts = encode_prompts(tokenizer, data["prompt"])
    facts, start = {}, 0
    while True:
        gate(**facts)
        rows = [prompts[(start + i) % len(prompts)] for i in range(shape.batch)]
        start += shape.batch
        with accelerator.autocast():
            result = sample(
                policy, rows, torch.rand(shape.batch, shape.response),
                eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
                suppress=suppress,
            )  # fmt: skip
        facts = {"tokens": int(result.mask.sum())}


def ratio(shape: Shape, data: dict, gate: Gate, folder: str) -> None:
    """How far the first minibatch's ratio is off 1: a rollout's log-probs against the update's."""
    accelerator = make_accelerator(shape.precision)
    policy = load_policy(f"{folder}/policy").to(shape.device)
    tokenizer = load_tokenizer(f"{folder}/policy")
    suppress = never_sampled(tokenizer, policy)
    prompts = encode_prompts(tokenizer, data["prompt"])[: shape.batch]
    facts: dict[str, float] = {}
    while True:
        gate(**facts)
        with accelerator.autocast(), torch.no_grad():
            result = sample(
                policy, prompts, torch.rand(shape.batch, shape.response),
                eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
                suppress=suppress,
            )  # fmt: skip
            batch = collate(prompts, result.ids(), tokenizer.pad_token_id).to(policy.device)
            again = response_logprobs(policy, batch, suppress=suppress)
        old = result.logprobs[:, : again.shape[1]]
        off = ((again - old).exp() - 1).abs()[batch.response_mask]
        facts = {"largest_deviation": float(off.max()), "mean_deviation": float(off.mean())}


def sft(shape: Shape, data: dict, gate: Gate, folder: str, examples: int = 64) -> None:
    """SFT steps of ``examples`` demonstrations."""
    tokenizer = load_tokenizer(f"{folder}/policy")
    pairs = zip(data["prompt"], data["chosen"], strict=True)
    demonstrations = [{"prompt": prompt, "completion": completion} for prompt, completion in pairs]
    tokens = len(" ".join(data["prompt"] + data["chosen"]).split()) + len(demonstrations)
    config = SFTConfig(
        epochs=ENDLESS, batch=examples, learning_rate=2e-5, residual_dropout=0.0, keep_epochs=False,
        max_length=shape.prompt + shape.response, precision=shape.precision, **OFTEN,
    )  # fmt: skip
    facts = {"tokens": tokens / len(demonstrations) * examples}
    with tempfile.TemporaryDirectory() as runs:
        gate()
        train_sft(
            config, load_policy(f"{folder}/policy"), tokenizer, demonstrations,
            folder=Path(runs) / "sft", callback=lambda _: gate(**facts),
        )  # fmt: skip


def reward(shape: Shape, data: dict, gate: Gate, folder: str) -> None:
    """Reward-model steps of ``shape.batch`` comparisons."""
    tokenizer = load_tokenizer(f"{folder}/policy")
    columns = ("prompt", "chosen", "rejected")
    rows = zip(*(data[column] for column in columns), strict=True)
    comparisons = [dict(zip(columns, row, strict=True)) for row in rows]
    demonstrations = [{"prompt": data["prompt"][0], "completion": data["chosen"][0]}]
    config = RewardConfig(
        epochs=ENDLESS, batch=shape.batch, learning_rate=1e-4, precision=shape.precision,
        max_length=shape.prompt + shape.response, **OFTEN,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as runs:
        gate()
        train_reward(
            config, ScalarModel.load(f"{folder}/reward"), tokenizer, comparisons,
            demonstrations=demonstrations, folder=Path(runs) / "reward",
            callback=lambda _: gate(),
        )  # fmt: skip
