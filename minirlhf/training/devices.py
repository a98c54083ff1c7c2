"""Where models go, and the precision of their forward passes there."""

from __future__ import annotations

from typing import Literal

import torch


def first_device() -> torch.device:
    """The first GPU, or the CPU where there is none: where models go that aren't trained."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def auto_precision(device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """What ``precision="auto"`` means: bf16 where a GPU has it (compute capability 8.0), else fp16;
    fp32 on a CPU.
    """
    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
