"""How much data, which base model, which settings: of the main job, and of the runs beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from minirlhf.config import PPOConfig
from minirlhf.presets import PRESETS, Preset


def _long(config: PPOConfig) -> PPOConfig:
    return replace(config, episodes=2 * config.episodes, decay="constant")


VARIANTS: dict[str, Callable[[PPOConfig], PPOConfig]] = {
    "ppo-judge": lambda config: config,
    "ppo-beta-0": lambda config: replace(config, beta=0.0),
    "ppo-long": _long,
    "ppo-ptx-long": _long,
}
"""Runs for comparison: the judge as reward (a control), no KL penalty, twice the episodes."""


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
