"""FSDP: of weights, gradients and optimizer state every process holds a part (torch's FSDP2).

A layer's weights are gathered when its turn comes and let go after it. So all processes have to
pass through a model equally often, though their shares of a batch fall into unlike numbers of
pieces: `take_part` is a pass for nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from minirlhf.errors import MinirlhfError
from minirlhf.fast.mask_support import obeys_masks
from minirlhf.fast.unread import last_mlp
from minirlhf.models import ScalarModel
from minirlhf.training.activation_checkpointing import layers

ON_CPUS = hasattr(torch.cpu.Stream, "record_event")
"""Whether this torch's FSDP2 works without a GPU, too; 2.6's doesn't."""


def shard(model: nn.Module) -> None:
    """Split ``model``, in place: its layers each by itself, and what is around them.

    Raises `MinirlhfError` on a CPU with a torch whose FSDP needs a GPU.
    """
    from torch.distributed.device_mesh import init_device_mesh  # a second, for those who need it
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    network = model.classifier if isinstance(model, ScalarModel) else model
    obeys_masks(network), last_mlp(network.base_model)  # found out by passes of their own
    device = next(model.parameters()).device
    if device.type == "cpu" and not ON_CPUS:
        raise MinirlhfError(
            f"fsdp needs a GPU with torch {torch.__version__}: take a newer torch, or leave it out."
        )
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for layer in layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    if isinstance(model, ScalarModel):
        register_fsdp_forward_method(model, "read")


def take_part(model: nn.Module) -> None:
    """A pass through a sharded model beside the other processes', backward too if gradients are
    wanted; they get nothing from here.
    """
    tokens = torch.zeros(1, 2, dtype=torch.long, device=next(model.parameters()).device)
    if isinstance(model, ScalarModel):
        out = model.read(tokens[0, :1], tokens)
    else:
        out = model(input_ids=tokens, use_cache=False).logits
    if torch.is_grad_enabled():
        (out.sum() * 0.0).backward()


class Sharded:
    """A sharded model, and the whole of it while that is needed: to sample from it, to save it."""

    def __init__(self, model: nn.Module):
        self.model, self._twin = model, copy.deepcopy(model).eval()
        self._let_go()
        shard(model)

    @contextmanager
    @torch.no_grad()
    def whole(self) -> Iterator[nn.Module]:
        """An ordinary model with the weights as they are, in every process."""
        for module in self.model.modules():
            if hasattr(module, "reshard"):
                module.reshard()  # a forward pass leaves the outermost gathered
        for full, part in zip(self._twin.parameters(), self.model.parameters(), strict=True):
            full.untyped_storage().resize_(full.numel() * full.element_size())
            full.copy_(part.full_tensor())
        for full, part in zip(self._twin.buffers(), self.model.buffers(), strict=True):
            full.copy_(part)
        try:
            yield self._twin
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for parameter in self._twin.parameters():
            parameter.untyped_storage().resize_(0)


def gathered(state: Any, keep: bool) -> Any:
    """A state with every split tensor whole and on the CPU; without ``keep``, None in its place."""

    def gather(leaf: Any) -> Any:
        if not is_split(leaf):
            return leaf
        whole = leaf.full_tensor()  # all processes have to ask for it
        return whole.cpu() if keep else None

    return tree_map(gather, state)


def split_like(whole: Tensor, part: Tensor | None) -> Tensor:
    """``whole`` split as ``part`` is; as it is where ``part`` is an ordinary tensor, or none."""
    if not is_split(part):
        return whole
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(whole.to(part.device), part.device_mesh, part.placements)


def unsplit(number: Tensor) -> Tensor:
    """A number that processes computed together, as an ordinary tensor."""
    return number.full_tensor() if is_split(number) else number


def local(part: Tensor) -> Tensor:
    """What of a tensor is in this process."""
    return part.to_local() if is_split(part) else part


def is_split(thing: Any) -> bool:
    """Whether this is a DTensor."""
    return hasattr(thing, "placements")
