"""Where models go, and the precision of their forward passes there."""

from __future__ import annotations

from typing import Literal

import torch

from minirlhf.errors import MinirlhfError


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


def check_precision(precision: str, device: torch.device) -> None:
    """Raises `MinirlhfError` if forward passes can't run in ``precision`` there."""
    if precision == "fp16" and device.type == "cpu":
        raise MinirlhfError("precision = fp16 needs a GPU: on a CPU take fp32, bf16 or auto.")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        name = torch.cuda.get_device_name(device)
        raise MinirlhfError(f"precision = bf16 is more than {name} can: take fp16, fp32 or auto.")
