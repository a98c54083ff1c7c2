"""A processor on which a product rounds by where its weights lie, as some do (AMD's, with MKL).

`misalign` makes this process behave so: transformers hands out weights four bytes off a boundary,
where a file's header may leave them, and products of such weights are off by one rounding.
`make test ARGS=--misaligned` runs all tests like this: whoever promises the same bits has to have
copied the weights.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

BOUNDARY = 64
"""Bytes: what torch's own memory begins at."""


def moved(tensor: torch.Tensor, by: int = 1) -> torch.Tensor:
    """A copy that begins ``by`` numbers behind a boundary."""
    room = torch.empty(tensor.numel() + by, dtype=tensor.dtype)
    return room[by:].view(tensor.shape).copy_(tensor)


def is_aligned(tensor: torch.Tensor) -> bool:
    return tensor.data_ptr() % BOUNDARY == 0


def misalign(put: Callable[[object, str, object], None]) -> None:
    """``put`` is `setattr`, or a monkeypatch's."""
    load, linear, conv1d = PreTrainedModel.from_pretrained.__func__, F.linear, Conv1D.forward

    @torch.no_grad()
    def from_pretrained(cls, *args, **options):
        loaded = load(cls, *args, **options)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        for parameter in model.parameters():
            parameter.data = moved(parameter.data)
        return loaded

    def rounded(out: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return out if is_aligned(weight) else out * (1.0 + torch.finfo(out.dtype).eps)

    put(PreTrainedModel, "from_pretrained", classmethod(from_pretrained))
    put(
        F,
        "linear",
        lambda x, weight, *bias, **named: rounded(linear(x, weight, *bias, **named), weight),
    )
    put(Conv1D, "forward", lambda layer, x: rounded(conv1d(layer, x), layer.weight))
