"""Attention within short rows on a CPU: rotary positions, scores, softmax and mixture as one step.

torch's kernel never holds the table of who looks at whom. That is right for long rows; in short
ones the table is small, and kept for the backward pass it spares computing the scores again. And
transformers turns queries and keys by slices and copies, each with a backward pass of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXAttention

from minirlhf.fast.matmul import is_float32_on_cpu

LONGEST = 96
"""Tokens of a row beyond which torch's own kernel is as fast."""
KNOWN = {"attention_mask", "position_embeddings", "position_ids", "cache_position", "use_cache"}
"""What a layer may tell its attention here. Asked for more, transformers' code answers."""


class FastNeoXAttention(GPTNeoXAttention):
    """GPT-NeoX's attention."""

    def forward(self, hidden_states: Tensor, **told: Any) -> tuple[Tensor, Tensor | None]:
        """As ``GPTNeoXAttention``."""
        if not _fits(self, hidden_states, told):
            return super().forward(hidden_states, **told)
        heads = self.query_key_value(hidden_states).unflatten(-1, (-1, 3, self.head_size))
        cos, sin = told["position_embeddings"]
        half = cos.shape[-1] // 2  # both halves are alike
        turn = cos[:, None, :, :half], sin[:, None, :, :half]
        mixed = Mix.apply(heads.permute(3, 0, 2, 1, 4), _additive(told, hidden_states), *turn)
        return self.dense(mixed), None


def _fits(layer: GPTNeoXAttention, x: Tensor, told: dict[str, Any]) -> bool:
    """Whether this is training on whole short rows, in float32 on a CPU."""
    mask = told.get("attention_mask")
    return (
        torch.is_grad_enabled() and is_float32_on_cpu(x)
        and 1 < x.shape[1] <= LONGEST
        and layer.config._attn_implementation == "sdpa"
        and not (layer.training and layer.attention_dropout)
        and (mask is None or mask.dtype == torch.bool)
        and all(name in KNOWN or value is None or value is False for name, value in told.items())
    )  # fmt: skip


def _additive(told: dict[str, Any], x: Tensor) -> Tensor:
    """What is added to the scores: 0 where a token may look, ``[T, T]`` or ``[B, 1, T, T]``."""
    mask, length = told.get("attention_mask"), x.shape[1]
    never = torch.finfo(x.dtype).min
    if mask is None:
        return x.new_full((length, length), never).triu_(1)
    return x.new_zeros(mask.shape).masked_fill_(~mask, never)


class Mix(torch.autograd.Function):
    """Queries, keys and values ``[3, B, H, T, D]`` to the heads' outputs side by side,
    ``[B, T, H * D]``. ``cos`` and ``sin``, ``[B or 1, 1, T, R / 2]``, turn the first R of D.

    The backward pass follows Dao et al. 2022 (FlashAttention, App. B.2): with P the softmax,
    dS = P ∘ (dP - Σ_d dO ∘ O).
    """

    @staticmethod
    def forward(ctx, heads: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """softmax(Q Kᵀ / √D + mask) V."""
        _, batch, number, length, width = heads.shape
        turned = _turned(heads, cos, sin)
        queries, keys, values = turned.flatten(1, 2)
        if mask.dim() == 4:
            mask = mask.expand(batch, number, -1, -1).reshape(-1, length, length)
        scores = torch.baddbmm(mask, queries, keys.transpose(1, 2), alpha=width**-0.5)
        weights = torch.softmax(scores, -1)
        out = torch.bmm(weights, values).view(batch, number, length, width)
        out = out.transpose(1, 2).reshape(batch, length, number * width)
        ctx.save_for_backward(turned, weights, out, cos, sin)
        ctx.layout = heads.stride()
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient of ``heads``, laid out as they are."""
        turned, weights, out, cos, sin = ctx.saved_tensors
        _, batch, number, length, width = turned.shape
        queries, keys, values = turned.flatten(1, 2)
        apart = batch, length, number, width
        spent = (gradient * out).view(apart).sum(-1).transpose(1, 2).reshape(-1, length, 1)
        gradient = gradient.reshape(apart).transpose(1, 2).reshape(-1, length, width)
        results = torch.empty_like(turned)
        of_queries, of_keys, of_values = results.flatten(1, 2)
        torch.bmm(weights.transpose(1, 2), gradient, out=of_values)
        scale = width**-0.5
        scores = torch.baddbmm(
            spent.expand(-1, -1, length), gradient, values.transpose(1, 2), beta=-scale, alpha=scale
        ).mul_(weights)
        torch.bmm(scores, keys, out=of_queries)
        torch.bmm(scores.transpose(1, 2), queries, out=of_keys)
        of_heads = gradient.new_empty_strided(turned.shape, ctx.layout)
        of_heads.copy_(_turned(results, cos, -sin))
        return of_heads, None, None, None


def _turned(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """A contiguous copy, queries and keys turned by their positions' angles (Su et al. 2021)."""
    turned = heads.new_empty(heads.shape)
    half = cos.shape[-1]
    turned[2], turned[:2, ..., 2 * half :] = heads[2], heads[:2, ..., 2 * half :]
    one, other = heads[:2, ..., :half], heads[:2, ..., half : 2 * half]
    torch.mul(one, cos, out=turned[:2, ..., :half]).addcmul_(other, sin, value=-1.0)
    torch.mul(other, cos, out=turned[:2, ..., half : 2 * half]).addcmul_(one, sin)
    return turned
