"""Which models take a mask and positions of ours, and in what form."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from minirlhf.data.packing import block_diagonal_mask
from minirlhf.fast.unread import on_trial

if TYPE_CHECKING:
    pass


_obedient: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def obeys_masks(model) -> bool:
    """Whether a mask and positions of ours decide alone which token sees which, and how far off.

    Not where layers have windows or states, or distance is measured in columns. Found out once per
    model, from its config and by two made-up documents in one row.
    """
    backbone = model.base_model
    if backbone not in _obedient:
        _obedient[backbone] = _sees_everything(backbone) and _keeps_documents_apart(backbone)
    return _obedient[backbone]


def _sees_everything(backbone) -> bool:
    from transformers.cache_utils import DynamicCache, DynamicLayer

    config = backbone.config
    cache = DynamicCache(config=config)
    plain = all(type(layer) is DynamicLayer for layer in cache.layers)
    local = "local" in (getattr(config, "attention_layers", None) or ())  # GPT-Neo's windows
    return plain and not local and config._attn_implementation in ("sdpa", "eager")


def _keeps_documents_apart(backbone) -> bool:
    if not _takes_positions(type(backbone)):
        return False
    device = backbone.device
    ids = torch.arange(8, device=device)[None] % backbone.get_input_embeddings().num_embeddings
    documents = torch.tensor([[1] * 4 + [2] * 4], device=device)
    positions = torch.arange(4, device=device).repeat(2)[None]
    try:
        with on_trial(backbone):
            mask = attention_mask(backbone, block_diagonal_mask(documents))
            together = backbone(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
            ).last_hidden_state[:, 4:]
            alone = backbone(input_ids=ids[:, 4:], use_cache=False).last_hidden_state
    except (ValueError, RuntimeError, TypeError):  # it takes no such mask
        return False
    return torch.allclose(together, alone, atol=1e-3 * float(alone.abs().max()))


_causal: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def is_causal(model) -> bool:
    """Whether no token sees those that follow it. Found out once per model: in a made-up row the
    last token is changed, and the hidden states before it must stay.
    """
    backbone = model.base_model
    if backbone not in _causal:
        rows = backbone.get_input_embeddings().num_embeddings
        ids = torch.arange(4, device=backbone.device).expand(2, -1) % rows
        ids = torch.cat([ids, torch.tensor([[4], [5]], device=ids.device) % rows], dim=1)
        with on_trial(backbone):
            one, other = (
                backbone(input_ids=row[None], use_cache=False).last_hidden_state[0, :-1].float()
                for row in ids
            )
        limit = torch.finfo(backbone.dtype).eps ** 0.5 * float(one.std())
        _causal[backbone] = not float((one - other).abs().max()) > limit  # NaN is told elsewhere
    return _causal[backbone]


def attention_mask(model, mask: Tensor) -> Tensor:
    """``mask``, bool ``[B, 1, T, T]`` and True where a token may look, as ``model`` wants it."""
    if model.config._attn_implementation == "sdpa":
        return mask
    additive = torch.zeros(mask.shape, dtype=model.dtype, device=mask.device)
    return additive.masked_fill_(~mask, torch.finfo(model.dtype).min)


def position_arguments(model, positions: Tensor) -> dict[str, Tensor]:
    """Position ids as a keyword, for the models that take them (ALiBi models don't)."""
    return {"position_ids": positions} if _takes_positions(type(model)) else {}


@lru_cache
def _takes_positions(architecture: type) -> bool:
    return "position_ids" in inspect.signature(architecture.forward).parameters
