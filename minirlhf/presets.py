"""Two configurations of every stage, the paper's and Tinytown's, and why they differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.paper import value


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One configuration for every stage."""

    pretrain: PretrainConfig
    sft: SFTConfig
    initial: SFTConfig
    """C.3: the model that PPO starts from and whose π^SFT holds it."""
    reward: RewardConfig
    ppo: PPOConfig
    ppo_ptx: PPOConfig


_ADAM = (value("all.adam.beta1"), value("all.adam.beta2"))
_CONTEXT = value("all.context")


_paper_sft = SFTConfig(
    epochs=value("sft.epochs"),
    batch=value("sft.batch.1.3b"),
    learning_rate=value("sft.lr.1.3b"),
    floor=value("sft.lr_floor"),
    residual_dropout=value("sft.residual_dropout"),
    betas=_ADAM,
    max_length=_CONTEXT,
)


_paper_ppo = PPOConfig(
    episodes=value("ppo.episodes"),
    rollout_batch=value("ppo.batch"),
    minibatch=value("ppo.minibatch"),
    inner_epochs=value("ppo.inner_epochs"),
    beta=value("ppo.beta"),
    # The final rates aren't printed; E.9's sweep: without ptx everything above this one diverges.
    learning_rate=value("ppo.lr.diverges_above"),
    value_learning_rate=value("value.lr.1.3b"),
    warmup=value("ppo.warmup"),
    decay="constant",
    clip=value("ppo.clip"),
    lam=value("stiennon.lambda"),
    temperature=value("ppo.temperature"),
    max_prompt=value("all.prompt.max"),
    max_response=value("all.response.max"),
    ema=value("ppo.ema"),
    betas=_ADAM,
    ptx_context=_CONTEXT,
)


_town_sft = SFTConfig(epochs=4, batch=16, learning_rate=1e-3)


_town_ppo = PPOConfig(
    episodes=16_384,
    rollout_batch=128,
    minibatch=32,
    beta=0.1,
    learning_rate=2e-4,
    vector_factor=20.0,
    lam=0.95,
    max_prompt=140,
    max_response=72,
)


PRESETS: dict[str, Preset] = {
    "paper": Preset(
        pretrain=PretrainConfig(
            context=_CONTEXT,
            batch=round(value("gpt3.1.3b.batch") / _CONTEXT),
            learning_rate=value("gpt3.1.3b.lr"),
            warmup=375,  # GPT-3: 375M tokens at 1M a step
            betas=_ADAM,
        ),
        sft=_paper_sft,
        initial=replace(
            _paper_sft,
            epochs=value("init.epochs"),
            batch=value("init.batch.1.3b"),
            learning_rate=value("init.lr.1.3b"),
            residual_dropout=0.0,  # stated for C.1 alone
            pretrain_mix=value("init.pretrain_mix"),
            keep_epochs=False,
        ),
        reward=RewardConfig(
            epochs=value("rm.epochs"),
            batch=value("rm.batch_prompts"),
            learning_rate=value("rm.lr"),
            floor=value("rm.lr_floor"),
            betas=_ADAM,
            max_length=_CONTEXT,
        ),
        ppo=_paper_ppo,
        ppo_ptx=replace(
            _paper_ppo, ptx_gamma=value("ptx.gamma"), ptx_examples_per_episode=value("ptx.ratio")
        ),
    ),
    "tinytown": Preset(
        pretrain=PretrainConfig(),
        sft=_town_sft,
        initial=replace(_town_sft, epochs=6, pretrain_mix=0.1, keep_epochs=False),
        reward=RewardConfig(batch=32, learning_rate=5e-4),
        ppo=_town_ppo,
        ppo_ptx=replace(_town_ppo, ptx_gamma=0.3, ptx_examples_per_episode=0.25),
    ),
}
"""Every stage's settings, as the paper has them and as Tinytown has them."""


class Difference(NamedTuple):
    """Why a field has another value in Tinytown than in the paper."""

    stage: str  # a field of `Preset`; "*" for all that have the field
    field: str
    reason: str


DIFFERENCES: tuple[Difference, ...] = (
    Difference("*", "learning_rate", "Small networks take, and need, far larger steps."),
    Difference("*", "max_length", "Tinytown's texts are shorter than its bases' context of 320."),
    Difference("pretrain", "context", "Tinytown's texts are short: 256 tokens hold several."),
    Difference("pretrain", "batch", "16 thousand tokens a step in place of GPT-3's million."),
    Difference("pretrain", "warmup", "A thousand steps in all, not three hundred thousand."),
    Difference("sft", "epochs", "More of them add nothing here but time."),
    Difference("sft", "batch", "More steps from three hundred demonstrations."),
    Difference("initial", "epochs", "Two would be thirty steps, too few for the rarer use cases."),
    Difference("initial", "residual_dropout", "C.1's; six epochs without it learn by heart."),
    Difference("initial", "batch", "More steps from three hundred demonstrations."),
    Difference("reward", "batch", "More steps from a tenth of the paper's prompts."),
    Difference("ppo", "episodes", "What two cores do in some minutes."),
    Difference("ppo", "rollout_batch", "More iterations from as many episodes."),
    Difference("ppo", "minibatch", "More updates from as many episodes."),
    Difference("ppo", "vector_factor", "With 1, in our trials, less score for twice the KL."),
    Difference("ppo", "beta", "Reward per nat; how far scores spread is each reward model's own."),
    Difference("ppo", "value_learning_rate", "Small networks take, and need, far larger steps."),
    Difference("ppo", "max_prompt", "Prompt and response share a context of 320 tokens."),
    Difference("ppo", "max_response", "Tinytown's replies are a sentence or a few lines."),
    Difference(
        "ppo", "ptx_context", "Tinytown's texts are shorter than its bases' context of 320."
    ),
    Difference(
        "ppo_ptx",
        "ptx_gamma",
        "Its loss is a mean over tokens here; so the paper's value doesn't carry over.",
    ),
    Difference(
        "ppo_ptx", "ptx_examples_per_episode", "Time: the paper's 8 cost more than PPO itself."
    ),
)
"""Every field in which the presets differ. What is said of ``ppo`` holds for ``ppo_ptx`` too."""
