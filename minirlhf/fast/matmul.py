"""Matrix products by oneDNN.

On AMD's processors torch gives float32 matrix products to MKL, which leaves AVX-512 unused there;
oneDNN, which torch brings too, uses it and is twice as fast. torch asks oneDNN only where it may
round to bfloat16 as well, which oneDNN does on processors with AMX alone. So it is asked only where
there is none, around large products only, and once it is tried.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROWS = 256
"""Fewest rows for which asking oneDNN pays."""
# oneDNN keeps code and scratch memory of a thousand shapes; batches of texts have ever new ones
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")


class FastLinear(nn.Linear):
    """A linear layer whose large products go to oneDNN."""

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.Linear``."""
        if _is_worth_it(x):
            return _affine(x, self.weight.t(), self.bias)
        return F.linear(x, self.weight, self.bias)


@lru_cache
def fast_conv1d() -> type[nn.Module]:
    """GPT-2's linear layer, made when transformers is there."""
    from transformers.pytorch_utils import Conv1D

    class FastConv1D(Conv1D):
        """Weights ``[in, out]``; large products go to oneDNN."""

        def forward(self, x: Tensor) -> Tensor:
            """As ``Conv1D``."""
            return _affine(x, self.weight, self.bias) if _is_worth_it(x) else super().forward(x)

    return FastConv1D


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x W + b`` for ``[..., n]``, ``[n, m]`` and ``[m]``."""
    out = Product.apply(x.reshape(-1, x.shape[-1]), weight)
    out = out if bias is None else out + bias
    return out.view(*x.shape[:-1], -1)


def _is_worth_it(x: Tensor) -> bool:
    return x.numel() >= ROWS * x.shape[-1] and is_float32_on_cpu(x)


def is_float32_on_cpu(x: Tensor) -> bool:
    """Whether what is computed of ``x`` is computed on a CPU, in float32 and not under autocast."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32
    return plain and not torch.is_autocast_enabled("cpu")


class Product(torch.autograd.Function):
    """``[N, n]`` times ``[n, m]``, this product and those of its gradients by oneDNN."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        """The product."""
        ctx.save_for_backward(x, weight)
        with onednn():
            return x @ weight

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Its gradients."""
        x, weight = ctx.saved_tensors
        with onednn():
            return (
                gradient @ weight.t() if ctx.needs_input_grad[0] else None,
                x.t() @ gradient if ctx.needs_input_grad[1] else None,
            )


@contextmanager
def onednn() -> Iterator[None]:
    """Within, torch asks oneDNN for float32 products. Elsewhere it must not: attention's many small
    ones take ten times as long that way.
    """
    setting = torch.backends.mkldnn.matmul
    before = setting.fp32_precision
    setting.fp32_precision = "bf16"
    try:
        yield
    finally:
        setting.fp32_precision = before


@lru_cache
@torch.no_grad()
def mkl_is_slow() -> bool:
    """Whether oneDNN is faster and still float32: AMD with AVX-512 and no AMX, torch 2.9 or later.

    Processor and torch alone decide, no clock: the same machine gives the same numbers.
    """
    about = Path("/proc/cpuinfo")
    processor = about.read_text().split("\n\n")[0] if about.exists() else ""
    fits = "AuthenticAMD" in processor and "avx512f" in processor and "amx" not in processor
    if not (fits and hasattr(torch.backends.mkldnn, "matmul")):
        return False
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(512, 512, generator=draw) for _ in range(2))
    with onednn():
        product = one @ other
    return bool((product - one.double() @ other.double()).abs().max() < 1e-3)  # bfloat16: 0.5
