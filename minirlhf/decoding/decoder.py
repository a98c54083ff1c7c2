"""What follows one more token of every row."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from minirlhf.decoding.cpu_trace import Recording, recording
from minirlhf.decoding.cuda_graph import StaticStep, static_step
from minirlhf.decoding.kv_cache import RoomyLayer
from minirlhf.models import next_logits


class Decoder:
    """`next_logits` of one token a row, ``[B, 1]``, the fastest way there is.

    On a CPU a recording, on CUDA a graph, elsewhere and where those can't be made the model itself.
    """

    def __init__(self, policy):
        self.policy = policy
        self.recording: Recording | None = None
        self.static: StaticStep | None = None

    def settle(self, cache: Cache, left: int) -> Cache:
        """Get ready for the rows of a cache and ``left`` more tokens; return the cache to go on
        with.
        """
        self.recording = self.static = None
        if not all(type(layer) is RoomyLayer for layer in cache.layers):
            return cache
        device = self.policy.device.type
        if device == "cpu" and not torch.is_autocast_enabled("cpu"):
            self.recording = recording(self.policy, cache)
        elif device == "cuda":
            self.static = static_step(self.policy, cache, left)
        return self.static.load(cache) if self.static is not None else cache

    def __call__(self, ids: Tensor, length: Tensor, cache: Cache) -> Tensor:
        """The logits after ``ids``; ``length`` int64 ``[B]`` counts each row's tokens, them too."""
        width = 1 + (cache.get_seq_length() if self.static is None else self.static.width)
        mask = torch.arange(width, device=ids.device) >= width - length[:, None]
        positions = length[:, None] - 1
        if self.static is not None:
            return self.static(self.policy, ids, mask, positions)
        if self.recording is None:
            return next_logits(self.policy, ids, mask, positions, cache)
        filled = [view for layer in cache.layers for view in layer.extend()]
        return self.recording(ids, mask, positions, *filled)
