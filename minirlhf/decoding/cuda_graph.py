"""The decode step on CUDA: static shapes, recorded as a CUDA graph and replayed.

A GPU does such a step in the time in which Python launches a few of its kernels; a graph launches
all of them at once. For that the cache has all its room from the start, the number of rows is
rounded up, and which column a new token goes into is a number on the device.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import nullcontext
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicLayer

from minirlhf.decoding.made_up_step import rehearsal
from minirlhf.models import next_logits

ROOM = 64
"""The cache's room is a multiple of this many columns."""
AGREE, AGREE_HALF = 1e-3, 0.25
"""By how much a graph's logits may differ from the model's, in standard deviations of these: in
float32, and in half precision."""
SHARE = 0.25
"""How much of the GPU's memory the caches of recorded steps may take."""


class StaticLayer(DynamicLayer):
    """A layer with all its room from the start. What it shows outside a step is what is filled."""

    def __init__(self, like: DynamicLayer, rows: int, room: int, column: Tensor):
        super().__init__()
        _, heads, _, size = like.keys.shape
        self.all_keys = like.keys.new_zeros(rows, heads, room, size)
        self.all_values = like.values.new_zeros(rows, heads, room, size)
        self.column, self.is_initialized = column, True
        self.dtype, self.device = like.dtype, like.device

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs):
        """Put keys and values ``[B, H, 1, d]`` into the column; return all the room."""
        self.all_keys.index_copy_(2, self.column, key_states)
        self.all_values.index_copy_(2, self.column, value_states)
        return self.all_keys, self.all_values

    def load(self, layer: DynamicLayer) -> None:
        """Copy what another layer holds, to the left end."""
        rows, _, width, _ = layer.keys.shape
        self.all_keys[:rows, :, :width] = layer.keys
        self.all_values[:rows, :, :width] = layer.values
        self.show(rows, width)

    def show(self, rows: int, width: int) -> None:
        """Show the first rows and columns, for whoever takes rows out."""
        self.keys = self.all_keys[:rows, :, :width]
        self.values = self.all_values[:rows, :, :width]

    def get_seq_length(self) -> int:
        return self.all_keys.shape[2] - 1  # the mask says which columns count


class StaticStep:
    """`next_logits` of one token on tensors that stay where they are; on CUDA, as a graph."""

    def __init__(self, cache: Cache, rows: int, room: int):
        device = cache.layers[0].keys.device
        self.rows, self.room = rows, room
        self.column = torch.zeros(1, dtype=torch.long, device=device)
        self.ids = torch.zeros((rows, 1), dtype=torch.long, device=device)
        self.positions = torch.zeros((rows, 1), dtype=torch.long, device=device)
        self.mask = torch.ones((rows, room), dtype=torch.bool, device=device)
        layers = [StaticLayer(layer, rows, room, self.column) for layer in cache.layers]
        self.cache, self.width, self.used = Cache(layers=layers), 0, rows
        self.graph, self.logits = None, None

    def load(self, cache: Cache) -> Cache:
        """Take over the rows of another cache; return the one that stands for them from now on."""
        self.used, _, self.width, _ = cache.layers[0].keys.shape
        for layer, other in zip(self.cache.layers, cache.layers, strict=True):
            layer.load(other)
        return self.cache

    def __call__(self, policy, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """The logits after one more token of every row."""
        self.column.fill_(self.width)
        self.width += 1
        self.ids[: self.used], self.positions[: self.used] = ids, positions
        self.mask.fill_(True)[: self.used, : self.width] = mask
        self.mask[:, self.width :] = False
        for layer in self.cache.layers:
            layer.show(self.used, self.width)
        if self.graph is None:
            self.run(policy)
        else:
            self.graph.replay()
        return self.logits[: self.used]

    def run(self, policy) -> None:
        """One step, launched kernel by kernel."""
        device = policy.device.type
        half = torch.is_autocast_enabled(device)
        # a graph must not hold half-precision weights that autocast lets go
        context = torch.autocast(device, cache_enabled=False) if half else nullcontext()
        with context:
            self.logits = next_logits(policy, self.ids, self.mask, self.positions, self.cache)

    def capture(self, policy) -> None:
        """Record the step; from now on it is replayed."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries set themselves up in the first runs
            self.run(policy)
            self.run(policy)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.run(policy)

    def check(self, policy, cache: Cache) -> None:
        """Refuse a step that doesn't give what the model gives with a cache like ``cache``."""
        ids, mask, positions, *filled = rehearsal(cache, self.rows, 6)
        layers = []
        for keys, values in zip(filled[::2], filled[1::2], strict=True):
            layers.append(DynamicLayer())
            layers[-1].update(keys[:, :, :-1], values[:, :, :-1])
        cache = Cache(layers=layers)
        self.load(cache)
        ours = self(policy, ids, mask, positions).float()
        theirs = next_logits(policy, ids, mask, positions, cache).float()
        half = layers[0].keys.dtype != torch.float32
        error = float((ours - theirs).abs().max() / theirs.std())
        if not error <= (AGREE_HALF if half else AGREE):
            raise RuntimeError(f"its logits are {error:.2g} standard deviations off the model's")


_steps: WeakKeyDictionary[nn.Module, dict[tuple, StaticStep | None]] = WeakKeyDictionary()
"""Each policy's steps by rows, room, precision, thread and weights; None where there can be no
graph. A step's tensors hold one cache, so two threads can't share it."""


def static_step(policy, cache: Cache, left: int) -> StaticStep | None:
    """A captured step with room for a cache and ``left`` more tokens; None, said aloud, if none."""
    rows, _, width, _ = cache.layers[0].keys.shape
    rows = 1 << (rows - 1).bit_length()
    room = -(-(width + left) // ROOM) * ROOM
    weights = tuple(parameter.data_ptr() for parameter in policy.parameters())
    known = _steps.setdefault(policy, {})
    for key in [key for key in known if key[-1] != weights]:
        del known[key]  # the model has got other weights: its graphs read freed memory
    key = (rows, room, torch.is_autocast_enabled("cuda"), threading.get_ident(), weights)
    if key not in known:
        make_room(known, cache, rows * room)
        known[key] = captured(policy, cache, rows, room)
    known[key] = known.pop(key)  # the latest comes last
    return known[key]


def make_room(known: dict[tuple, StaticStep | None], cache: Cache, tokens: int) -> None:
    """Forget the steps that are longest unused, until there is room for one of so many tokens."""
    layer = cache.layers[0].keys
    if layer.device.type != "cuda":
        return
    size = 2 * len(cache.layers) * layer.shape[1] * layer.shape[3] * layer.element_size()
    budget = SHARE * torch.cuda.get_device_properties(layer.device).total_memory / size
    while known and tokens + sum(key[0] * key[1] for key in known) > budget:
        del known[next(iter(known))]


def captured(policy, cache: Cache, rows: int, room: int) -> StaticStep | None:
    """A step with its graph; None, with a warning, if there can be none."""
    try:
        step = StaticStep(cache, rows, room)
        if policy.device.type == "cuda":
            step.capture(policy)
        step.check(policy, cache)
    except Exception as error:  # whatever an architecture does that can't be captured
        name = type(policy).__name__
        warnings.warn(
            f"{name} samples without a CUDA graph, which is slower: {error}", stacklevel=2
        )
        return None
    return step
