"""Leaving out what nobody reads changes no number and no gradient."""

import copy
import threading

import pytest
import torch
from tiny import ARCHITECTURES, policy, tokenizer
from torch import nn

from minirlhf.data.batching import collate
from minirlhf.fast import unread
from minirlhf.models import ScalarModel, response_logprobs

PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
RESPONSES = [[40, 41, 42, 43], [44, 45], [46, 47, 48, 49, 50, 51]]


def numbers(model, read) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """What ``read`` gives, and the gradients of a sum in which each of them weighs differently."""
    model.zero_grad()
    found = read(model)
    (found * torch.arange(1.0, found.numel() + 1).view_as(found)).sum().backward()
    return found.detach(), [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("what", ["logprobs", "values", "score"])
def test_what_is_read_is_what_whole_forward_passes_give(what, architecture, monkeypatch):
    network = policy(architecture)
    batch = collate(PROMPTS, RESPONSES, tokenizer().pad_token_id)
    if what == "logprobs":
        model, read = network.double(), lambda model: response_logprobs(model, batch)
    else:
        model = ScalarModel.from_policy(network, tokenizer()).double()
        read = lambda model: getattr(model, what)(batch)  # noqa: E731
    seen = []
    mlp = unread.last_mlp(model.base_model if what == "logprobs" else model.classifier.base_model)
    mlp.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[:-1].numel()))
    short, gradients = numbers(model, read)
    monkeypatch.setattr(unread, "last_mlp", lambda _: None)
    long, expected = numbers(model, read)
    rows, columns = batch.tokens.shape
    whole = rows * (columns if what == "score" else columns - 1)
    assert seen == [3 if what == "score" else 12, whole]
    assert torch.allclose(short, long, rtol=1e-12)
    for mine, theirs in zip(gradients, expected, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-12 * float(theirs.abs().max()))


class Shift(nn.Module):
    """An MLP that looks at the token before, as RWKV's does."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x + x.roll(1, -2))


class Pair(Shift):
    """An MLP that gives more than a tensor, as those of experts do."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.inner(x), None


@pytest.mark.parametrize("other", [Shift, Pair])
def test_where_an_mlp_is_no_plain_one_nothing_is_left_out(other):
    model = policy("neox").eval()
    assert unread.last_mlp(copy.deepcopy(model).base_model) is not None
    last = model.base_model.layers[-1]
    last.mlp = other(last.mlp)
    assert unread.last_mlp(model.base_model) is None
    assert not last.mlp._forward_hooks and not last.mlp._forward_pre_hooks


@pytest.mark.parametrize("what", ["logprobs", "score"])
def test_two_threads_read_the_same_model_at_once(what):
    network = policy("neox").double()
    if what == "logprobs":
        model, read = network, lambda batch: response_logprobs(network, batch)
    else:
        model = ScalarModel.from_policy(network, tokenizer()).double()
        read = model.score
    pad = tokenizer().pad_token_id
    batch, other = collate(PROMPTS, RESPONSES, pad), collate(PROMPTS[:2], RESPONSES[:2], pad)
    expected = read(batch), read(other)
    found, mlp = (
        [],
        unread.last_mlp(model.base_model if what == "logprobs" else model.classifier.base_model),
    )

    def meanwhile(*_) -> None:  # in the middle of the pass, and all of another one
        if not found:
            found.append(None)
            thread = threading.Thread(target=lambda: found.append(read(other)))
            thread.start()
            thread.join()

    mlp.register_forward_pre_hook(meanwhile, prepend=True)
    assert torch.equal(read(batch), expected[0])
    assert torch.equal(found[1], expected[1])
