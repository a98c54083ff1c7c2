"""Activation checkpointing: less memory for more time, and not another number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def checkpointed(model: nn.Module) -> Iterator[None]:
    """Within, ``model``'s layers keep their inputs alone and are computed again in the backward
    pass, dropout included (Chen et al. 2016).

    All but the last: its backward pass comes first, so its activations would be back at once.
    """
    early = layers(model)[:-1]
    for layer in early:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in early:
            del layer.forward


def layers(model: nn.Module) -> list[nn.Module]:
    """A decoder's layers, first to last: they are its first list of modules."""
    lists = (module for module in model.modules() if isinstance(module, nn.ModuleList))
    return list(next(lists, ()))
