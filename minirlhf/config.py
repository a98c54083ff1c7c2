"""The settings of each stage, the two presets, and why they differ.

``PRESETS["paper"]`` holds the paper's numbers for its 1.3B models, read from `minirlhf.paper`; what
the paper doesn't state comes from its ancestors, and the field's doc says so.
``PRESETS["tinytown"]`` is the same recipe for models of a million parameters and an afternoon's
patience.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from minirlhf.errors import MinirlhfError


class Range(NamedTuple):
    """The numbers that a setting may be."""

    words: str
    holds: Callable[[float], bool]


ABOVE_0 = Range("above 0", lambda number: number > 0)
FROM_0 = Range("at least 0", lambda number: number >= 0)
SHARE = Range("at least 0 and at most 1", lambda number: 0 <= number <= 1)
RATE = Range("at least 0 and below 1", lambda number: 0 <= number < 1)
INNER_RATE = Range("above 0 and below 1", lambda number: 0 < number < 1)


def setting(default: Any, within: Range = ABOVE_0, *, free: bool = False) -> Any:
    """A field of a stage's settings.

    ``within`` holds for its number, or each of its numbers; where nothing is said, above 0.
    ``free``: it changes no number, or by rounding alone, so it may differ when a run goes on.
    """
    return field(default=default, metadata={"within": within, "free": free})


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """What every stage has."""

    seed: int = setting(0, FROM_0)
    """Everything random is a function of this, a purpose and a counter."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of forward passes; weights stay float32. auto: bf16 by compute capability, fp32 on a CPU;
    fp16 needs a GPU."""
    micro_batch: int | None = setting(None, free=True)
    """Rows per forward pass, to save memory (None: as many as 8192 tokens, in the reward model 16
    prompts); changes the numbers by rounding, with dropout on (SFT's) by other masks of it."""
    gradient_checkpointing: bool = setting(False, free=True)
    """Compute activations again in the backward pass instead of keeping them: less memory, about a
    third more time in the update; never changes the numbers."""
    fsdp: bool = setting(False, free=True)
    """Let each of several processes hold a part of weights, gradients and optimizer state, not all
    of them (afterwards too: load the model from its folder); changes the numbers by rounding."""
    log_every: int = setting(1, free=True)
    """Steps between two logged ones."""
    checkpoint_seconds: float = setting(30.0, FROM_0, free=True)
    """Seconds between two checkpoints, or more, where they would take above a twentieth of the time
    (0: one after every step); never changes the numbers."""

    def __post_init__(self):
        """Refuse numbers out of range."""
        for about in fields(self):
            wanted, value = about.metadata.get("within", ABOVE_0), getattr(self, about.name)
            for number in value if isinstance(value, tuple) else (value,):
                is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
                if is_number and not wanted.holds(number):
                    raise MinirlhfError(f"{about.name} = {number}: it has to be {wanted.words}.")


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
    learning_rate: float = setting(2e-3, FROM_0)
    """Peak learning rate; cosine to `floor` of it."""
    warmup: int = setting(100, FROM_0)
    """Optimizer steps of linear warm-up."""
    floor: float = setting(0.1, SHARE)
    """The learning rate at the end, as a part of the peak."""
    betas: tuple[float, float] = setting((0.9, 0.95), RATE)
    """Adam's β₁, β₂."""
    weight_decay: float = setting(0.1, FROM_0)
    """Of matrices; vectors have none."""
    grad_clip: float | None = 1.0
    """Largest gradient norm."""
    validate_every: int = 500
    """Steps between two validation losses, if there are validation documents."""
    log_every: int = setting(10, free=True)


@dataclass(frozen=True, kw_only=True)
class SFTConfig(StageConfig):
    """Supervised fine-tuning (C.1), and the initial model of PPO (C.3)."""

    epochs: int = 16
    """Passes over the demonstrations."""
    batch: int = 32
    """Examples per optimizer step, pretraining documents included."""
    learning_rate: float = setting(1e-3, FROM_0)
    """Peak learning rate; cosine to `floor` of it, no warm-up."""
    floor: float = setting(0.1, SHARE)
    """The learning rate at the end, as a part of the peak."""
    residual_dropout: float = setting(0.2, RATE)
    """Dropout on what each sub-layer adds to the residual stream; all other dropout is off."""
    pretrain_mix: float = setting(0.0, SHARE)
    """Part of each batch that is pretraining documents (C.3: .1)."""
    betas: tuple[float, float] = setting((0.9, 0.95), RATE)
    """Adam's β₁, β₂."""
    weight_decay: float = setting(0.0, FROM_0)
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
    learning_rate: float = setting(1e-3, FROM_0)
    """Peak learning rate; cosine to `floor` of it, no warm-up."""
    floor: float = setting(0.1, SHARE)
    """The learning rate at the end, as a part of the peak."""
    betas: tuple[float, float] = setting((0.9, 0.95), RATE)
    """Adam's β₁, β₂."""
    weight_decay: float = setting(0.0, FROM_0)
    """Of matrices. Not stated in the paper."""
    grad_clip: float | None = 1.0
    """Largest gradient norm. Not stated in the paper; GPT-3's is 1."""
    max_length: int = 256
    """Tokens of prompt and completion; a ranking with a longer completion is left out."""


@dataclass(frozen=True, kw_only=True)
class PPOConfig(StageConfig):
    """Reinforcement learning from the reward model (C.4), with or without ptx; E.7 sweeps β."""

    episodes: int = 8192
    """Responses sampled in all."""
    rollout_batch: int = 256
    """Episodes per iteration."""
    minibatch: int = 64
    """Episodes per optimizer step."""
    inner_epochs: int = 1
    """Passes over each iteration's episodes."""
    beta: float = setting(0.02, FROM_0)
    """KL coefficient β of Eq. 2, in units of the reward per nat."""
    learning_rate: float = setting(2e-4, FROM_0)
    """Peak learning rate of the policy."""
    vector_factor: float = 1.0
    """Learning rate of the policy's gains and biases, in units of that of its matrices."""
    value_learning_rate: float = setting(1e-3, FROM_0)
    """Peak learning rate of the value model."""
    warmup: int = setting(10, FROM_0)
    """Iterations in which both learning rates rise from a tenth of the peak."""
    decay: Literal["constant", "linear", "cosine"] = "constant"
    """After the warm-up (paper: constant; ancestors: linear, to 0)."""
    clip: float = 0.2
    """Clip range ε of the policy's ratio."""
    value_clip: float | None = 0.2
    """Clip range of the value update. Not stated in the paper; lm-human-preferences: .2."""
    lam: float = setting(0.95, SHARE)
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
    missing_eos_penalty: float | None = setting(None, FROM_0)
    """Taken from the score of a response without EOS (None: the score at its last token stands)."""
    ema: float | None = setting(0.992, INNER_RATE)
    """Moving average of the weights, per optimizer step; it is the final model (None: off), so take
    less for a run of few steps: n of them leave ema^n of the start in it."""
    betas: tuple[float, float] = setting((0.9, 0.95), RATE)
    """Adam's β₁, β₂."""
    eps: float = 1e-5
    """Adam's ε. Not stated in the paper; lm-human-preferences: 1e-5."""
    grad_clip: float | None = 1.0
    """Largest gradient norm, of policy and value model each. Not stated in the paper."""
    ptx_gamma: float = setting(0.0, FROM_0)
    """Pretraining coefficient γ of Eq. 2 (0: plain PPO)."""
    ptx_examples_per_episode: float = setting(0.0, FROM_0)
    """Pretraining documents per episode (paper: 8)."""
    ptx_context: int = 256
    """Tokens at which a pretraining document is cut."""
    normalization: Literal["token", "sequence"] = "token"
    """Policy and ptx loss: mean over tokens, or sum within a sequence and mean over sequences."""
    rollout_micro_batch: int = setting(128, free=True)
    """Rows per forward pass that samples or scores; never changes the numbers."""
    samples: int = setting(4, FROM_0)
    """Responses written to samples.jsonl at every iteration (0: none, nor to watched.jsonl)."""


STAGES: dict[str, type[StageConfig]] = {
    "pretrain": PretrainConfig,
    "sft": SFTConfig,
    "reward": RewardConfig,
    "ppo": PPOConfig,
}
"""The settings of each stage."""


def is_free(name: str) -> bool:
    """Whether a setting of this name may differ when a run goes on; see `setting`."""
    return any(
        about.name == name and about.metadata.get("free", False)
        for stage in STAGES.values()
        for about in fields(stage)
    )
