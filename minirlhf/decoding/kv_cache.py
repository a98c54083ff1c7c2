"""The cache of keys and values, of which rows leave and into which others move up."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from minirlhf.decoding.cuda_graph import StaticLayer


def can_be_joined(cache: Cache) -> bool:
    """Whether rows of other caches may join: not with sliding windows or recurrent layers."""
    kinds = (DynamicLayer, RoomyLayer, StaticLayer)
    return all(type(layer) in kinds for layer in cache.layers)


def join(parts: list[tuple[Cache, Tensor]], width: int, room: int) -> Cache:
    """Some rows of each cache and their last ``width`` columns, as one cache.

    It has room for that many more tokens.
    """
    caches = [cache for cache, _ in parts]
    if not can_be_joined(caches[0]):
        caches[0].reorder_cache(parts[0][1])
        return caches[0]
    rows = [keep for _, keep in parts]
    layers = zip(*(cache.layers for cache in caches), strict=True)
    joined = [list(zip(alike, rows, strict=True)) for alike in layers]
    return Cache(layers=[RoomyLayer(parts, width, room) for parts in joined])


class RoomyLayer(DynamicLayer):
    """A layer of a cache with room for what comes: a token is written in place.

    transformers' dynamic cache copies everything at every token, its static cache attends to all
    the room from the start; this one does neither: what it shows are views of what is filled.
    """

    def __init__(self, parts: Sequence[tuple[DynamicLayer, Tensor]], width: int, room: int):
        super().__init__()
        self._keys = _beneath([(layer.keys, keep) for layer, keep in parts], width, room)
        self._values = _beneath([(layer.values, keep) for layer, keep in parts], width, room)
        self.dtype, self.device = self._keys.dtype, self._keys.device
        self.filled, self.is_initialized = width, True
        self._show()

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs):
        """Append keys and values ``[B, H, n, d]``; return all so far."""
        start = self.filled
        self.extend(key_states.shape[2])
        self._keys[:, :, start : self.filled] = key_states
        self._values[:, :, start : self.filled] = value_states
        return self.keys, self.values

    def extend(self, columns: int = 1) -> tuple[Tensor, Tensor]:
        """Show more columns, for the caller to fill."""
        self.filled += columns
        return self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        self.keys = self._keys[:, :, : self.filled]
        self.values = self._values[:, :, : self.filled]
        return self.keys, self.values


def _beneath(parts: Sequence[tuple[Tensor, Tensor]], width: int, room: int) -> Tensor:
    """Rows of each part, ``[·, H, ·, d]``, one beneath the other, all ending in one column."""
    (first, _), rows = parts[0], sum(len(keep) for _, keep in parts)
    out = first.new_empty(rows, first.shape[1], width + room, first.shape[3])
    start = 0
    for tensor, keep in parts:
        columns = min(tensor.shape[2], width)
        end = start + len(keep)
        out[start:end, :, : width - columns] = 0  # masked, but attention multiplies it
        out[start:end, :, width - columns : width] = tensor[:, :, -columns:][keep]
        start = end
    return out
