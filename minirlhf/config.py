"""The settings of each stage, the two presets, and why they differ.

``PRESETS["paper"]`` holds the paper's numbers for its 1.3B models, read from `minirlhf.paper`; what
the paper doesn't state comes from its ancestors, and the field's doc says so.
``PRESETS["tinytown"]`` is the same recipe for models of a million parameters and an afternoon's
patience.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from minirlhf.errors import MinirlhfError

MAY_BE_ZERO = set(
    "seed checkpoint_seconds learning_rate value_learning_rate warmup floor weight_decay betas "
    "residual_dropout pretrain_mix beta lam missing_eos_penalty ptx_gamma ptx_examples_per_episode "
    "samples".split()
)
"""Numbers that may be 0; all others are above."""
SHARES = {"floor", "pretrain_mix", "lam"}
"""Numbers that are at most 1."""
RATES = {"betas", "residual_dropout", "ema"}
"""Numbers that are below 1."""


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """What every stage has."""

    seed: int = 0
    """Everything random is a function of this, a purpose and a counter."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of forward passes; weights stay float32. auto: bf16 by compute capability, fp32 on a CPU."""
    micro_batch: int | None = None
    """Rows per forward pass, to save memory (None: as many as 8192 tokens, in the reward model 16
    prompts); never changes the numbers, but for the masks of SFT's dropout."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, about a
    third more time in the update; never changes the numbers."""
    fsdp: bool = False
    """Let each of several processes hold a part of weights, gradients and optimizer state, not all
    of them (afterwards too: load the model from its folder); changes the numbers by rounding."""
    log_every: int = 1
    """Steps between two logged ones."""
    checkpoint_seconds: float = 30.0
    """Seconds between two checkpoints; never changes the numbers."""

    def __post_init__(self):
        """Refuse numbers out of range."""
        for name in (field.name for field in fields(self)):
            setting = getattr(self, name)
            for number in setting if isinstance(setting, tuple) else (setting,):
                if isinstance(number, (int, float)) and not _in_range(name, number):
                    low = "at least 0" if name in MAY_BE_ZERO else "above 0"
                    high = " and at most 1" * (name in SHARES) + " and below 1" * (name in RATES)
                    raise MinirlhfError(f"{name} = {number}: it has to be {low}{high}.")


def _in_range(name: str, number: float) -> bool:
    if isinstance(number, bool):
        return True
    high_enough = number >= 0 if name in MAY_BE_ZERO else number > 0
    return high_enough and (name not in SHARES or number <= 1) and (name not in RATES or number < 1)


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(StageConfig):
    """Pretraining of a base model (the paper starts from GPT-3; Tinytown makes its own)."""

    context: int = 256
    """Tokens per packed row."""
    batch: int = 64
    """Packed rows per optimizer step."""
    epochs: int = 1
    """Passes over the documents."""
    max_steps: int | None = None
    """Stop after so many optimizer steps, however many the epochs would give."""
    learning_rate: float = 2e-3
    """Peak learning rate; cosine to `floor` of it."""
    warmup: int = 100
    """Optimizer steps of linear warm-up."""
    floor: float = 0.1
    """The learning rate at the end, as a part of the peak."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Adam's β₁, β₂."""
    weight_decay: float = 0.1
    """Of matrices; vectors have none."""
    grad_clip: float | None = 1.0
    """Largest gradient norm."""
    validate_every: int = 500
    """Steps between two validation losses, if there are validation documents."""
    log_every: int = 10


@dataclass(frozen=True, kw_only=True)
class SFTConfig(StageConfig):
    """Supervised fine-tuning (C.1), and the initial model of PPO (C.3)."""

    epochs: int = 16
    """Passes over the demonstrations."""
    batch: int = 32
    """Examples per optimizer step, pretraining documents included."""
    learning_rate: float = 1e-3
    """Peak learning rate; cosine to `floor` of it, no warm-up."""
    floor: float = 0.1
    """The learning rate at the end, as a part of the peak."""
    residual_dropout: float = 0.2
    """Dropout on what each sub-layer adds to the residual stream; all other dropout is off."""
    pretrain_mix: float = 0.0
    """Part of each batch that is pretraining documents (C.3: .1)."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Adam's β₁, β₂."""
    weight_decay: float = 0.0
    """Of matrices. Not stated in the paper."""
    grad_clip: float | None = 1.0
    """Largest gradient norm. Not stated in the paper; GPT-3's is 1."""
    max_length: int = 256
    """Tokens of prompt and completion; longer demonstrations are left out, documents are cut."""
    keep_epochs: bool = True
    """Keep every epoch's model, so that one can be chosen by reward-model score (C.1)."""


@dataclass(frozen=True, kw_only=True)
class RewardConfig(StageConfig):
    """The reward model (C.2)."""

    epochs: int = 1
    """Passes over the rankings; more overfits fast."""
    batch: int = 64
    """Prompts per optimizer step, each with all its completions; `micro_batch` counts prompts too.
    """
    learning_rate: float = 1e-3
    """Peak learning rate; cosine to `floor` of it, no warm-up."""
    floor: float = 0.1
    """The learning rate at the end, as a part of the peak."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Adam's β₁, β₂."""
    weight_decay: float = 0.0
    """Of matrices. Not stated in the paper."""
    grad_clip: float | None = 1.0
    """Largest gradient norm. Not stated in the paper; GPT-3's is 1."""
    max_length: int = 256
    """Tokens of prompt and completion; a ranking with a longer completion is left out."""


@dataclass(frozen=True, kw_only=True)
class PPOConfig(StageConfig):
    """Reinforcement learning from the reward model (C.4), with or without ptx."""

    episodes: int = 8192
    """Responses sampled in all."""
    rollout_batch: int = 256
    """Episodes per iteration."""
    minibatch: int = 64
    """Episodes per optimizer step."""
    inner_epochs: int = 1
    """Passes over each iteration's episodes."""
    beta: float = 0.02
    """KL coefficient β of Eq. 2, in units of the reward per nat."""
    learning_rate: float = 2e-4
    """Peak learning rate of the policy."""
    vector_factor: float = 1.0
    """Learning rate of the policy's gains and biases, in units of that of its matrices."""
    value_learning_rate: float = 1e-3
    """Peak learning rate of the value model."""
    warmup: int = 10
    """Iterations in which both learning rates rise from a tenth of the peak."""
    decay: Literal["constant", "linear", "cosine"] = "constant"
    """After the warm-up (paper: constant; ancestors: linear, to 0)."""
    clip: float = 0.2
    """Clip range ε of the policy's ratio."""
    value_clip: float | None = 0.2
    """Clip range of the value update. Not stated in the paper; lm-human-preferences: .2."""
    lam: float = 0.95
    """λ of GAE. Not stated in the paper; ancestors: .95."""
    whiten_advantages: bool = True
    """Advantages to mean 0, variance 1. Not stated in the paper; lm-human-preferences does."""
    whiten_rewards: bool = False
    """Shaped rewards to variance 1. Not stated in the paper; lm-human-preferences does, we don't.
    """
    temperature: float = 1.0
    """Of rollouts, and of every log-prob."""
    max_prompt: int = 128
    """Tokens; longer prompts are left out."""
    max_response: int = 64
    """Tokens a response may have, EOS included."""
    missing_eos_penalty: float | None = None
    """Taken from the score of a response without EOS (None: the score at its last token stands)."""
    ema: float | None = 0.992
    """Moving average of the weights, per optimizer step; it is the final model (None: off)."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Adam's β₁, β₂."""
    eps: float = 1e-5
    """Adam's ε. Not stated in the paper; lm-human-preferences: 1e-5."""
    grad_clip: float | None = 1.0
    """Largest gradient norm, of policy and value model each. Not stated in the paper."""
    ptx_gamma: float = 0.0
    """Pretraining coefficient γ of Eq. 2 (0: plain PPO)."""
    ptx_examples_per_episode: float = 0.0
    """Pretraining documents per episode (paper: 8)."""
    ptx_context: int = 256
    """Tokens at which a pretraining document is cut."""
    normalization: Literal["token", "sequence"] = "token"
    """Policy and ptx loss: mean over tokens, or sum within a sequence and mean over sequences."""
    rollout_micro_batch: int = 128
    """Rows per forward pass that samples or scores; never changes the numbers."""
    samples: int = 4
    """Responses written to samples.jsonl at every iteration."""
