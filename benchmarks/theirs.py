"""The peers' contestants: transformers' ``generate`` and TRL's trainers, each as shipped.

Settings are those at which they do the same work in the same precision: TRL's defaults of bf16 and
gradient checkpointing, which save memory and cost time, are off. Nothing else is changed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
)

from benchmarks.gate import Gate
from benchmarks.shapes import PAD, Shape

STEPS = 10**6


class Turns(TrainerCallback):
    """Waits at the gate after every step of a trainer, and says how many real tokens it had."""

    def __init__(self, gate: Gate):
        self.gate, self.tokens = gate, 0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.gate()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        facts = {"tokens": self.tokens} if self.tokens else {}
        self.tokens = 0
        self.gate(**facts)

    def count(self, trainer: Any) -> None:
        """Count the tokens of each forward pass that are no padding."""
        step = trainer.training_step

        def counted(model: Any, inputs: dict[str, torch.Tensor], *rest: Any) -> torch.Tensor:
            self.tokens += int((inputs["input_ids"] != PAD).sum())
            return step(model, inputs, *rest)

        trainer.training_step = counted


def options(shape: Shape) -> dict[str, Any]:
    """What all of TRL's trainers are told."""
    return {
        "output_dir": str(Path(tempfile.gettempdir()) / "bench-trl"), "report_to": "none",
        "save_strategy": "no", "bf16": shape.precision == "bf16", "gradient_checkpointing": False,
        "use_cpu": shape.device == "cpu", "max_grad_norm": 1.0,
    }  # fmt: skip


def ppo(shape: Shape, data: dict, gate: Gate, folder: str) -> None:
    """PPO iterations of TRL 1.12.0 (gradient accumulation 1)."""
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/policy")
    config = PPOConfig(
        total_episodes=STEPS * shape.batch, per_device_train_batch_size=shape.batch,
        gradient_accumulation_steps=1, num_mini_batches=1, num_ppo_epochs=shape.epochs,
        local_rollout_forward_batch_size=shape.batch, response_length=shape.response,
        temperature=1.0, stop_token="eos" if shape.ragged else None, num_sample_generations=0,
        **options(shape),
    )  # fmt: skip
    policy, reference = (AutoModelForCausalLM.from_pretrained(f"{folder}/policy") for _ in range(2))
    reward, value = (
        AutoModelForSequenceClassification.from_pretrained(f"{folder}/reward") for _ in range(2)
    )
    dataset = Dataset.from_dict({"input_ids": tokenizer(data["prompt"])["input_ids"]})
    PPOTrainer(
        config, processing_class=tokenizer, model=policy, ref_model=reference, reward_model=reward,
        value_model=value, train_dataset=dataset, eval_dataset=dataset.select(range(shape.batch)),
        callbacks=[Turns(gate)],
    ).train()  # fmt: skip


def rollout(shape: Shape, data: dict, gate: Gate, folder: str, cache: str | None = None) -> None:
    """``generate``: the full distribution, no scores kept."""
    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/policy")
    dtype = torch.bfloat16 if shape.precision == "bf16" else torch.float32
    policy = AutoModelForCausalLM.from_pretrained(f"{folder}/policy", dtype=dtype)
    policy = policy.to(shape.device).eval()
    end = {"eos_token_id": tokenizer.eos_token_id} if shape.ragged else {"eos_token_id": None}
    facts, start = {}, 0
    while True:
        gate(**facts)
        rows = [data["prompt"][(start + i) % len(data["prompt"])] for i in range(shape.batch)]
        start += shape.batch
        batch = tokenizer(rows, return_tensors="pt", padding=True).to(shape.device)
        result = policy.generate(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=True,
            top_k=0, max_new_tokens=shape.response, pad_token_id=tokenizer.pad_token_id,
            cache_implementation=cache, **end,
        )  # fmt: skip
        facts = {"tokens": int((result[:, batch["input_ids"].shape[1] :] != PAD).sum())}


def sft(
    shape: Shape, data: dict, gate: Gate, folder: str, examples: int = 64, **settings: Any
) -> None:
    """SFT steps of today's TRL; ``settings`` say how it pads or packs."""
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/policy")
    length = shape.prompt + shape.response
    dataset = Dataset.from_dict({"prompt": data["prompt"], "completion": data["chosen"]})
    tokens = len(" ".join(data["prompt"] + data["chosen"]).split()) + len(dataset)
    rows = 1.0  # demonstrations in a row of the batch
    if settings.get("packing"):
        rows = length * len(dataset) / tokens
    micro = max(round(settings.pop("rows", examples) / rows), 1)
    accumulate = max(round(examples / rows / micro), 1)
    config = SFTConfig(
        max_steps=STEPS, per_device_train_batch_size=micro, max_length=length,
        gradient_accumulation_steps=accumulate, logging_steps=1, **options(shape), **settings,
    )  # fmt: skip
    policy = AutoModelForCausalLM.from_pretrained(f"{folder}/policy")
    trainer = SFTTrainer(policy, config, train_dataset=dataset, processing_class=tokenizer)
    turns = Turns(gate)
    turns.count(trainer)
    trainer.add_callback(turns)
    trainer.train()


def reward(shape: Shape, data: dict, gate: Gate, folder: str) -> None:
    """Reward-model steps of today's TRL."""
    from trl import RewardConfig, RewardTrainer

    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/policy")
    config = RewardConfig(
        max_steps=STEPS, per_device_train_batch_size=shape.batch, logging_steps=1,
        max_length=shape.prompt + shape.response, **options(shape),
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_pretrained(f"{folder}/reward")
    RewardTrainer(
        model, config, train_dataset=Dataset.from_dict(data), processing_class=tokenizer,
        callbacks=[Turns(gate)],
    ).train()  # fmt: skip
