"""The sizes of the base models: the miniature of 1.3B, 6B and 175B. Known without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Size:
    """One size: its shape, and how long it is pretrained."""

    width: int
    layers: int
    heads: int
    documents: int
    learning_rate: float
    precision: str = "fp32"


SIZES = {
    "small": Size(64, 3, 2, 400_000, 4e-3),
    "medium": Size(128, 4, 4, 600_000, 2e-3),
    "large": Size(192, 5, 6, 350_000, 1.5e-3, "bf16"),
}


REWARD_SIZE = "medium"
"""One size of reward model and value model serves every policy (C.2: 6B)."""


START = f"{REWARD_SIZE}-schooled"
"""What they start from: the base, after school."""
