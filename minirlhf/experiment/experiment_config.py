"""How much data, which base model, which settings: of the main job, and of the runs beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from minirlhf.config import PPOConfig
from minirlhf.presets import PRESETS, Preset


def _long(config: PPOConfig) -> PPOConfig:
    return replace(config, episodes=2 * config.episodes, decay="constant")


BETAS = (0.0, 0.01, 0.02, 0.05, 0.2, 0.5, 1.0)
"""Prices of a nat that are tried without ptx, beside the default (E.6)."""
GAMMAS = (0.03, 0.1, 1.0, 3.0)
"""Weights of pretraining that are tried, beside PPO-ptx's (E.6)."""


def beta(value: float) -> str:
    """The run with this β, by its name."""
    return f"ppo-beta-{value:g}"


def gamma(value: float) -> str:
    """The run with this γ, by its name."""
    return f"ppo-ptx-gamma-{value:g}"


COMPARED = ("ppo-judge", "ppo-beta-0", "ppo-long", "ppo-ptx-long")
SWEPT = tuple(map(beta, BETAS)) + tuple(map(gamma, GAMMAS))
VARIANTS: dict[str, Callable[[PPOConfig], PPOConfig]] = {
    "ppo-judge": lambda config: config,
    "ppo-long": _long,
    "ppo-ptx-long": _long,
    **{beta(b): lambda config, b=b: replace(config, beta=b) for b in BETAS},
    **{gamma(g): lambda config, g=g: replace(config, ptx_gamma=g) for g in GAMMAS},
}
"""Runs for comparison: the judge as reward (a control), twice the episodes, other β and γ."""


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """How much data, which base model, which settings."""

    folder: Path = Path("runs/tinytown")
    """Where everything goes; the same command on the same folder goes on where it was."""
    size: str = "medium"
    """The base model: small, medium or large."""
    seed: int = 0
    """Of data, models and samples."""
    demonstrations: int = 320
    """Demonstrations of step 1 (paper: 12,725)."""
    ranking_prompts: int = 4000
    """Prompts whose samples are ranked for step 2 (paper: 33,207)."""
    k: tuple[int, int] = (4, 9)
    """Fewest and most completions that a prompt is ranked with."""
    ppo_prompts: int = 6000
    """Prompts of step 3 (paper: 31,144)."""
    rounds: int = 1
    """How often steps 2 and 3 are done; later rounds also compare samples of the last policy."""
    validation_prompts: int = 200
    """Prompts on which the SFT epoch and the few-shot prefix are chosen."""
    evaluation_prompts: int = 800
    """Prompts of unseen users on which everything is measured."""
    pretraining_documents: int = 4000
    """Documents for C.3's mix and for ptx."""
    best_of: int = 16
    """Samples among which the reward model chooses, for best-of-n."""
    max_response: int = PRESETS["tinytown"].ppo.max_response
    """Tokens that a reply may have."""
    stages: Preset = field(default_factory=lambda: PRESETS["tinytown"])
    """The settings of every stage."""
