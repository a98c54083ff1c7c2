"""Decoding: what follows one more token of every row, and the cache of keys and values beneath it.

A step of a small model is hardly any arithmetic: most of it is Python walking through modules. So
on a CPU the step is recorded once and replayed; the recording is checked against the model itself
at another batch and width, and where it differs, or can't be made, the model is simply called. What
happens on CUDA is in `minirlhf.graphs`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicLayer

from minirlhf.graphs import StaticLayer, StaticStep, static_step
from minirlhf.models import position_arguments, quiet

AGREE = 1e-4
"""By how much the logits of a recorded step may differ from the model's."""


def next_logits(policy, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
    """Append tokens ``[B, n]`` to the cache: the logits ``[B, V]`` of what comes after them.

    ``mask`` bool ``[B, W]`` is False on the left padding of the cache with the new tokens in it.
    """
    return policy(
        input_ids=ids,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **position_arguments(policy, positions),
    ).logits[:, -1]


class Decoder:
    """`next_logits` of one token a row, ``[B, 1]``, the fastest way there is.

    On a CPU a recording, on CUDA a graph, elsewhere and where those can't be made the model itself.
    """

    def __init__(self, policy):
        self.policy = policy
        self.recording: nn.Module | None = None
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
            self.static = static_step(self.policy, next_logits, cache, left)
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
        with torch.jit.optimized_execution(False):  # it would specialise on every width
            return self.recording(ids, mask, positions, *filled)


# -------------------------------------------------------------------------------- the recorded step


class Step(nn.Module):
    """`next_logits` of one token as a function of tensors alone, which is what can be recorded."""

    def __init__(self, policy):
        super().__init__()
        self.policy = policy

    def forward(self, ids: Tensor, mask: Tensor, positions: Tensor, *filled: Tensor) -> Tensor:
        pairs = zip(filled[::2], filled[1::2], strict=True)
        cache = Cache(layers=[LastColumn(keys, values) for keys, values in pairs])
        return next_logits(self.policy, ids, mask, positions, cache)


_recordings: WeakKeyDictionary[nn.Module, tuple[list[int], nn.Module | None]] = WeakKeyDictionary()
"""Each policy's recording, or None where there can be none, with the weights it was made for."""


def recording(policy, cache: Cache) -> nn.Module | None:
    """The recorded step of a policy; None where the model itself has to be called."""
    weights = [parameter.data_ptr() for parameter in policy.parameters()]
    known, recorded = _recordings.get(policy, (None, None))
    if known != weights:
        recorded = record(policy, cache)
        _recordings[policy] = weights, recorded
    return recorded


def record(policy, cache: Cache) -> nn.Module | None:
    """Record the step on one batch and width, and try it on another."""
    step = Step(policy)
    try:
        with warnings.catch_warnings(), quiet():  # it looks at every attribute, even at a loss
            warnings.simplefilter("ignore")  # deprecated, and of Python numbers that become fixed
            recorded = torch.jit.trace(step, _rehearsal(policy, cache, 2, 5), check_trace=False)
            with torch.jit.optimized_execution(False):
                again = recorded(*_rehearsal(policy, cache, 3, 9))
    except Exception:  # whatever an architecture does that can't be recorded
        return None
    same = torch.allclose(again, step(*_rehearsal(policy, cache, 3, 9)), atol=AGREE)
    return recorded if same else None


def _rehearsal(policy, cache: Cache, rows: int, width: int) -> tuple[Tensor, ...]:
    """Arguments of a `Step` with made-up contents, the first row padded on the left."""
    draw = torch.Generator().manual_seed(0)
    mask = torch.ones(rows, width, dtype=torch.bool)
    mask[0, :2] = False
    ids = torch.arange(rows)[:, None]
    filled = [
        torch.randn((rows, view.shape[1], width, view.shape[3]), generator=draw).to(view.dtype)
        for layer in cache.layers
        for view in (layer.keys, layer.values)
    ]
    return ids, mask, mask.sum(-1, keepdim=True) - 1, *filled


class LastColumn(DynamicLayer):
    """A layer whose new token belongs into the last column of the tensors it is given."""

    def __init__(self, keys: Tensor, values: Tensor):
        super().__init__()
        self.keys, self.values, self.is_initialized = keys, values, True
        self.dtype, self.device = keys.dtype, keys.device

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs):
        """Put keys and values ``[B, H, 1, d]`` into their place; return all."""
        self.keys[:, :, -1:].copy_(key_states)
        self.values[:, :, -1:].copy_(value_states)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.keys.shape[2] - 1


# ---------------------------------------------------------------------------------- key-value cache


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
        caches[0].batch_select_indices(parts[0][1])
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
