"""Random inputs: small tensors of random shapes, with junk wherever a mask hides them."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

JUNK = 7.5
"""What lies outside a mask: large enough to show, small enough for exp."""


def integer(g: Generator, low: int, high: int) -> int:
    """A random integer from low to high, both possible."""
    return int(torch.randint(low, high + 1, (), generator=g))


def normal(g: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=g) * scale


def rows(g: Generator, least: int = 2) -> tuple[int, int, Tensor]:
    """B, T, and lengths ``[B]`` of which one is T and, where B allows, one is shorter."""
    B, T = integer(g, 2, 4), integer(g, max(least + 1, 3), 7)
    lengths = torch.randint(least, T + 1, (B,), generator=g)
    lengths[0], lengths[-1] = T, integer(g, least, T - 1)
    return B, T, lengths


def right_padded(lengths: Tensor, T: int) -> Tensor:
    """Mask ``[B, T]`` of rows that begin at the left."""
    return torch.arange(T) < lengths[:, None]


def logprobs(g: Generator, mask: Tensor) -> Tensor:
    """Log-probabilities ``[B, T]``, junk where the mask hides them."""
    values = -(torch.rand(mask.shape, generator=g) * 3 + 0.05)
    return torch.where(mask, values, -JUNK)


def near(g: Generator, old: Tensor, scale: float) -> Tensor:
    """Log-probabilities not far from ``old``, and never above 0."""
    return (old + normal(g, *old.shape, scale=scale)).clamp(max=-0.01)


def at(column: Tensor | int, like: Tensor) -> Tensor:
    """1 in one column of each row, 0 elsewhere."""
    column = torch.as_tensor(column).expand(len(like))
    return (torch.arange(like.shape[1]) == column[:, None]).float()
