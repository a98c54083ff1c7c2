"""Forward passes that leave out what nobody reads.

Log-probs, values and scores are read at some positions of a row: those that predict a response
token, or the last. The output layer has work there alone, and so has the MLP of the last layer,
after which positions no longer meet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn


def in_this_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that leaves passes of other threads alone: in a notebook a widget may ask a model
    while a cell is in the middle of a pass through it.
    """
    mine = threading.get_ident()

    @wraps(hook)
    def called(*arguments: Any) -> Any:
        return hook(*arguments) if threading.get_ident() == mine else None

    return called


@contextmanager
def output_layer_at(model, positions: Tensor) -> Iterator[None]:
    """Within, ``model``'s logits are those of some positions, ``[1, N, V]`` for int64 ``[N]``.

    Positions count through ``[B, L]`` in reading order. A hook, since architectures differ in what
    they do to logits after the output layer.
    """

    @in_this_thread
    def select(_, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0].flatten(0, 1).index_select(0, positions)[None],)

    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        with last_mlp_at(model, positions):
            yield
    finally:
        hook.remove()


@contextmanager
def last_mlp_at(model, positions: Tensor) -> Iterator[None]:
    """Within, ``model``'s last hidden states are right at some positions, int64 ``[N]``, alone.

    Elsewhere the last layer's MLP adds nothing. Where this isn't so simple, nothing changes.
    """
    mlp = last_mlp(model.base_model)
    if mlp is None:
        yield
        return
    with _at(mlp, positions):
        yield


@contextmanager
def _at(mlp: nn.Module, positions: Tensor) -> Iterator[None]:
    whole: list[torch.Size] = []

    @in_this_thread
    def select(_, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        whole[:] = [inputs[0].shape]
        return (inputs[0].flatten(0, 1).index_select(0, positions)[None], *inputs[1:])

    @in_this_thread
    def spread(_, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        everywhere = output.new_zeros(whole[0].numel() // output.shape[-1], output.shape[-1])
        return everywhere.index_copy(0, positions, output[0]).view(whole[0])

    hooks = mlp.register_forward_pre_hook(select), mlp.register_forward_hook(spread)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


_last_mlps: WeakKeyDictionary[nn.Module, str | None] = WeakKeyDictionary()
"""Names, since a module that is the value of its own parent would never be freed."""


def last_mlp(backbone) -> nn.Module | None:
    """The MLP of a backbone's last layer; None where there is none that `last_mlp_at` is right for.

    Found out once per model, by a made-up row.
    """
    if backbone not in _last_mlps:
        _last_mlps[backbone] = _name_of_last_mlp(backbone)
    name = _last_mlps[backbone]
    return None if name is None else backbone.get_submodule(name)


@contextmanager
def on_trial(backbone) -> Iterator[None]:
    """Within, passes through ``backbone`` are exact, without dropout and without gradients."""
    was = backbone.training
    backbone.eval()
    try:
        with torch.no_grad(), torch.autocast(backbone.device.type, enabled=False):
            yield
    finally:
        backbone.train(was)


def _name_of_last_mlp(backbone) -> str | None:
    names = [name for name, _ in backbone.named_modules() if name.split(".")[-1] == "mlp"]
    if not names:
        return None
    device = backbone.device
    ids = torch.arange(4, 12, device=device)[None] % backbone.get_input_embeddings().num_embeddings
    read = torch.tensor([2, 5], device=device)
    try:
        with on_trial(backbone):
            full = backbone(input_ids=ids, use_cache=False).last_hidden_state[0, read]
            with _at(backbone.get_submodule(names[-1]), read):
                part = backbone(input_ids=ids, use_cache=False).last_hidden_state[0, read]
    except Exception:  # an MLP that is called in another way, or gives more than a tensor
        return None
    return names[-1] if torch.allclose(full, part, atol=1e-4 * float(full.abs().max())) else None
