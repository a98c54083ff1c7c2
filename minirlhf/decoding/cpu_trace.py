"""The decode step on a CPU: recorded once and replayed.

A step of a small model is hardly any arithmetic: most of it is Python walking through modules. A
recording is a plain list of operations on the model's weights. It is checked against the model
itself at another batch and width; where it differs, or can't be made, the model is simply called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, DynamicLayer
from transformers.masking_utils import eager_mask

from minirlhf.decoding.made_up_step import rehearsal
from minirlhf.models import next_logits
from minirlhf.pretrained import quiet

AGREE = 1e-4
"""By how much the logits of a recorded step may differ from the model's."""
ONE_TOKEN = "one_token"
"""The name under which transformers knows `attend`."""


class Step(nn.Module):
    """`next_logits` of one token as a function of tensors alone, which is what can be recorded."""

    def __init__(self, policy):
        super().__init__()
        self.policy = policy

    def forward(self, ids: Tensor, mask: Tensor, positions: Tensor, *filled: Tensor) -> Tensor:
        pairs = zip(filled[::2], filled[1::2], strict=True)
        cache = Cache(layers=[LastColumn(keys, values) for keys, values in pairs])
        return next_logits(self.policy, ids, mask, positions, cache)


Recording = Callable[..., Tensor]
"""A `Step` that is replayed."""
_recordings: WeakKeyDictionary[nn.Module, tuple[list[int], Recording | None]] = WeakKeyDictionary()
"""Each policy's recording, or None where there can be none, with the weights it was made for."""


def recording(policy, cache: Cache) -> Recording | None:
    """The recorded step of a policy; None where the model itself has to be called."""
    weights = [parameter.data_ptr() for parameter in policy.parameters()]
    known, recorded = _recordings.get(policy, (None, None))
    if known != weights:
        recorded = record(policy, cache)
        _recordings[policy] = weights, recorded
    return recorded


def record(policy, cache: Cache) -> Recording | None:
    """Record the step on one batch and width, and try it on another."""
    step, other = Step(policy), rehearsal(cache, 3, 9)
    rope = str(getattr(policy.config.get_text_config(), "rope_parameters", None))
    if "dynamic" in rope or "longrope" in rope:  # beyond some length they compute something else
        return None
    for attention in (ONE_TOKEN, policy.config._attn_implementation):
        with suppress(Exception):  # whatever an architecture does that can't be recorded
            with attending(policy, attention):
                recorded = traced(step, rehearsal(cache, 2, 5))
            if torch.allclose(recorded(*other), step(*other), atol=AGREE):
                return recorded
    return None


def traced(step: Step, example: tuple[Tensor, ...]) -> Recording:
    """The operations of a step on these arguments, to be done on others.

    The model's weights are arguments too: a recording that held them would hold what is computed
    from them, and would not follow when they learn.
    """
    from torch.nn.utils.stateless import _reparametrize_module

    tensors = dict(chain(step.named_parameters(), step.named_buffers()))
    names, weights = tuple(tensors), tuple(tensors.values())
    count = len(names)

    def run(*arguments: Tensor) -> Tensor:
        # what torch.func.functional_call does, which refuses to be recorded
        named = dict(zip(names, arguments[:count], strict=True))
        with _reparametrize_module(step, named, tie_weights=True):
            return step(*arguments[count:])

    with warnings.catch_warnings(), quiet():  # it looks at every attribute, even at a loss
        warnings.simplefilter("ignore")  # deprecated, and of Python numbers that become fixed
        operations = torch.jit.trace(run, (*weights, *example), check_trace=False)
    operations._torchdynamo_inline = None  # it would keep the model

    def replay(*arguments: Tensor) -> Tensor:
        with torch.jit.optimized_execution(False):  # it would specialise on every width
            return operations(*weights, *arguments)

    return replay


def attend(
    module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None,
    scaling: float | None = None, **others,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attention of one token a row, ``[B, H, 1, d]``, to ``[B, G, W, d]``: two batched products.

    torch's own kernel is made for many queries and takes twice as long to set up. Heads that share
    their keys are one product's rows. Returns ``[B, 1, H, d]``, as transformers wants it.
    """
    if any(others.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise NotImplementedError("attention with more to it than scores and values")
    rows, heads, _, size = query.shape
    groups = key.shape[1]
    query = query.reshape(rows * groups, heads // groups, size)
    scores = query @ key.flatten(0, 1).transpose(1, 2) * (scaling or size**-0.5)
    if mask is not None:  # 0 where it may look, very negative elsewhere
        scores = (scores.view(rows, heads, -1) + mask[:, 0]).view_as(scores)
    mixed = scores.softmax(-1) @ value.flatten(0, 1)
    return mixed.view(rows, 1, heads, size), None


@contextmanager
def attending(policy, implementation: str) -> Iterator[None]:
    """Within, ``policy`` computes attention in this way."""
    AttentionInterface.register(ONE_TOKEN, attend)
    AttentionMaskInterface.register(ONE_TOKEN, eager_mask)
    before = policy.config._attn_implementation
    policy.set_attn_implementation(implementation)
    try:
        yield
    finally:
        policy.set_attn_implementation(before)


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
