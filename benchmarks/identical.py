"""The same batch through TRL's losses and ours: ``python -m benchmarks.identical NAME FOLDER``.

Runs inside a peer's environment, which needs no more than torch and transformers to import our
models and objectives. Where TRL defines something differently, the difference is in `DIFFERENCES`
and is put right before the comparison, so that what is left is rounding.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
)

from benchmarks.shapes import EOS, PAD, Shape, load
from benchmarks.theirs import options
from minirlhf import objectives
from minirlhf.data.batching import collate
from minirlhf.models import ScalarModel, response_logprobs

TOLERANCE = 1e-5
DIFFERENCES = {
    "ppo": (
        "TRL whitens advantages by the unbiased variance (n - 1), we by the population's (n), as "
        "lm-human-preferences does: a factor of sqrt((n - 1) / n), put right here.",
        "TRL weighs the value loss by vf_coef = 0.1 in one sum with the policy's; ours has an "
        "optimizer and a learning rate of its own. Adam makes the weight nearly indifferent.",
        "Where a response ended early, TRL puts the score on the pad after EOS and counts that "
        "pad's value in loss and returns; ours falls on EOS and no pad counts. Compared here on "
        "responses that fill the room, where both are the same.",
        "TRL never masks pad and BOS out of what may be sampled; here their logits are -100.",
        "TRL divides logits by temperature + 1e-7, we by the temperature.",
        "TRL's policy/approxkl_avg is a mean over all positions; ours over response tokens.",
    ),
    "sft": (
        "The loss has none: the mean over all completion tokens of the batch, EOS included.",
        "TRL tokenises prompt and completion together, we apart, so that no token straddles the "
        "border; here a space stands between them, and the tokens are the same.",
    ),
    "reward": (
        "TRL takes pairs, the mean of -log sigmoid over pairs; with K = 2 Eq. 1 is the same. "
        "With K > 2 TRL's pairs weigh alike, ours weigh alike within a prompt first.",
    ),
}
"""What the definitions don't share."""


class Metrics(TrainerCallback):
    """What a trainer logs first."""

    def __init__(self):
        self.first: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.first = self.first or dict(logs)


def ppo(shape: Shape, data: dict, folder: str) -> dict[str, tuple[float, float]]:
    """One iteration of TRL 1.12.0, two epochs, and the same iteration from our objectives."""
    from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/policy")
    config = PPOConfig(
        total_episodes=shape.batch, per_device_train_batch_size=shape.batch, num_ppo_epochs=2,
        gradient_accumulation_steps=1, response_length=shape.response, temperature=1.0,
        kl_coef=0.05, learning_rate=1e-3, num_sample_generations=0, logging_steps=1,
        **options(shape),
    )  # fmt: skip
    policy = AutoModelForCausalLM.from_pretrained(f"{folder}/policy").eval()
    stock = AutoModelForSequenceClassification.from_pretrained(f"{folder}/reward").eval()
    value = ScalarModel(copy.deepcopy(stock))
    reference = copy.deepcopy(policy)
    with torch.no_grad():  # so that there is some KL
        for parameter in reference.parameters():
            parameter.mul_(1.01)
    reward = value.value_model()
    dataset = Dataset.from_dict(
        {"input_ids": tokenizer(data["prompt"][: shape.batch])["input_ids"]}
    )
    drawn: list[Tensor] = []
    generate = ppo_trainer.batch_generation

    def remember(*arguments: Any) -> tuple[Tensor, Tensor]:
        result = generate(*arguments)
        drawn.append(result[0])
        return result

    ppo_trainer.batch_generation = remember
    metrics = Metrics()
    PPOTrainer(
        config, processing_class=tokenizer, model=copy.deepcopy(policy),
        ref_model=copy.deepcopy(reference), reward_model=copy.deepcopy(stock),
        value_model=stock, train_dataset=dataset, eval_dataset=dataset,
        callbacks=[metrics],
    ).train()  # fmt: skip
    theirs = metrics.first

    rows = drawn[0].tolist()
    prompts = [row[: shape.prompt] for row in rows]
    batch = collate(prompts, [row[shape.prompt :] for row in rows], PAD)
    mask = batch.response_mask
    with torch.no_grad():
        old, frozen = response_logprobs(policy, batch), response_logprobs(reference, batch)
        values, scores = value.values(batch), reward.score(batch)
    rewards = objectives.shaped_rewards(scores, old, frozen, mask, beta=0.05)
    advantages, returns = objectives.gae(rewards, values, mask)
    count = mask.sum()
    advantages = objectives.whiten(advantages, mask) * ((count - 1) / count).sqrt()
    parameters = [*policy.parameters(), *value.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0)
    losses = []
    for _ in range(2):
        new = response_logprobs(policy, batch)
        one = objectives.policy_loss(new, old, advantages, mask)
        other = objectives.value_loss(value.values(batch), values, returns, mask)
        (one + 0.1 * other).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(torch.stack([one, other, objectives.approx_kl(new, old, mask)]).detach())
    policy_loss, value_loss, moved = torch.stack(losses).mean(0).tolist()
    kl = objectives.kl_k1(old, frozen).sum(-1).mean()
    return {
        "objective/kl": (theirs["objective/kl"], float(kl)),
        "objective/entropy": (theirs["objective/entropy"], float(-old.sum(-1).mean())),
        "objective/scores": (theirs["objective/scores"], float(scores.mean())),
        "objective/rlhf_reward": (
            theirs["objective/rlhf_reward"],
            float(objectives.rlhf_objective(scores, old, frozen, mask, beta=0.05)),
        ),
        "loss/policy, mean of two epochs": (theirs["loss/policy_avg"], policy_loss),
        "loss/value, mean of two epochs": (theirs["loss/value_avg"], value_loss),
        "policy/approxkl, mean of two epochs": (theirs["policy/approxkl_avg"], moved),
    }


def sft(shape: Shape, data: dict, folder: str) -> dict[str, tuple[float, float]]:
    """The loss and the first gradients of today's SFTTrainer."""
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/policy")
    policy = AutoModelForCausalLM.from_pretrained(f"{folder}/policy")
    rows = {"prompt": data["prompt"][:32], "completion": data["chosen"][:32]}
    config = SFTConfig(max_length=shape.prompt + shape.response, **options(shape))
    trainer = SFTTrainer(
        copy.deepcopy(policy), config, train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
    )  # fmt: skip
    inputs = trainer.data_collator([trainer.train_dataset[i] for i in range(32)])
    theirs = trainer.compute_loss(trainer.model, inputs)
    theirs.backward()
    batch = collate(
        tokenizer(rows["prompt"])["input_ids"],
        [[*ids, EOS] for ids in tokenizer(rows["completion"])["input_ids"]],
        PAD,
    )
    ours = objectives.sft_loss(response_logprobs(policy, batch), batch.response_mask)
    ours.backward()
    return {
        "loss": (theirs.item(), ours.item()),
        "gradient norm": (norm(trainer.model), norm(policy)),
    }


def reward(shape: Shape, data: dict, folder: str) -> dict[str, tuple[float, float]]:
    """The loss and the first gradients of today's RewardTrainer."""
    from trl import RewardConfig, RewardTrainer

    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/reward")
    model = AutoModelForSequenceClassification.from_pretrained(f"{folder}/reward")
    rows = {name: texts[:32] for name, texts in data.items()}
    config = RewardConfig(max_length=shape.prompt + shape.response, **options(shape))
    trainer = RewardTrainer(
        copy.deepcopy(model), config, train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
    )  # fmt: skip
    inputs = trainer.data_collator([trainer.train_dataset[i] for i in range(32)])
    theirs = trainer.compute_loss(trainer.model, inputs)
    theirs.backward()
    prompts = tokenizer(rows["prompt"])["input_ids"]
    mine, scores = ScalarModel(model, bias=0.0), []
    for column in ("chosen", "rejected"):
        completions = [[*ids, EOS] for ids in tokenizer(rows[column])["input_ids"]]
        scores.append(mine.score(collate(prompts, completions, PAD)))
    table = torch.stack(scores, -1)
    ranks = torch.tensor([1, 2]).expand(len(prompts), 2)
    ours = objectives.ranking_loss(table, ranks, torch.ones_like(ranks, dtype=torch.bool)).loss
    ours.backward()
    return {
        "loss": (theirs.item(), ours.item()),
        "gradient norm": (norm(trainer.model), norm(model)),
    }


def norm(model: torch.nn.Module) -> float:
    """Of all gradients."""
    return float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()]))


def main() -> None:
    """Print a JSON object; the exit code is 1 if anything differs by more than `TOLERANCE`."""
    torch.set_num_threads(1)
    name, folder = sys.argv[1:]
    shape, data = load(Path(folder))
    pairs = globals()[name](shape, data, folder)
    worst = max(abs(a - b) / max(1.0, abs(a)) for a, b in pairs.values())
    result = {
        "pairs": {key: {"trl": a, "minirlhf": b} for key, (a, b) in pairs.items()},
        "largest_difference": worst, "differences_of_definition": DIFFERENCES[name],
    }  # fmt: skip
    print("RESULT " + json.dumps(result))
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
