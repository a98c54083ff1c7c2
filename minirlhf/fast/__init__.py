"""Faster ways to compute what transformers' models compute on a CPU: the same maths."""

from __future__ import annotations

from torch import nn

from minirlhf.fast.matmul import FastLinear, fast_conv1d, mkl_is_slow


def use_fast_kernels(model: nn.Module) -> None:
    """Put faster modules in the place of a model's own. Weights and their names stay."""
    from transformers.activations import NewGELUActivation
    from transformers.pytorch_utils import Conv1D

    from minirlhf.fast.attention import FastNeoXAttention, GPTNeoXAttention

    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                # GPT-2 spells out the tanh approximation: eight passes over memory become one
                setattr(module, name, nn.GELU(approximate="tanh"))
            elif type(child) is GPTNeoXAttention:
                child.__class__ = FastNeoXAttention
            elif type(child) is nn.Linear and mkl_is_slow():
                child.__class__ = FastLinear
            elif type(child) is Conv1D and mkl_is_slow():
                child.__class__ = fast_conv1d()
