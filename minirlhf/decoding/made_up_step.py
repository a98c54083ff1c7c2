"""A made-up decode step, on which recordings and graphs are compared with the model itself."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.cache_utils import Cache


def rehearsal(cache: Cache, rows: int, width: int) -> tuple[Tensor, ...]:
    """Arguments of a step for a cache like ``cache``: of ``rows`` rows, the first padded.

    Returns ids and positions int64 ``[rows, 1]``, the mask bool ``[rows, width]`` between them, and
    each layer's keys and values, ``[rows, H, width, d]``, whose last column is the new token's.
    """
    draw = torch.Generator().manual_seed(0)
    device = cache.layers[0].keys.device
    mask = torch.ones((rows, width), dtype=torch.bool, device=device)
    mask[0, :2] = False
    ids = torch.arange(rows, device=device)[:, None]
    filled = [
        torch.randn((rows, view.shape[1], width, view.shape[3]), generator=draw).to(view)
        for layer in cache.layers
        for view in (layer.keys, layer.values)
    ]
    return ids, mask, mask.sum(-1, keepdim=True) - 1, *filled
