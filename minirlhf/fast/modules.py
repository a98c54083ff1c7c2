"""Faster modules in the place of a model's own."""

from __future__ import annotations

from torch import nn

from minirlhf.fast.matmul import FastLinear, fast_conv1d, mkl_is_slow


def use_fast_kernels(model: nn.Module) -> None:
    """Put faster modules in the place of a model's own. Weights and their names stay.

    GPT-2 spells out the tanh approximation of GELU in eight passes over memory; with one, a forward
    and backward pass takes a fifth less. What linear layers gain is said in `matmul`.
    """
    from transformers.activations import NewGELUActivation
    from transformers.pytorch_utils import Conv1D

    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))
            elif type(child) is nn.Linear and mkl_is_slow():
                child.__class__ = FastLinear
            elif type(child) is Conv1D and mkl_is_slow():
                child.__class__ = fast_conv1d()
