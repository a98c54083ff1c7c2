import gc
import warnings
import weakref

import pytest
import torch
from test_sampling import PROMPTS, rollout
from tiny import ARCHITECTURES, policy
from torch import nn

from minirlhf import decoding


def eager(monkeypatch, model, **options):
    """A rollout in which the model itself is called for every token."""
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "recording", lambda *_: None)
        return rollout(model, **options)


def recorded(model):
    return decoding._recordings[model][1]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_recording_gives_what_the_model_gives(monkeypatch, architecture):
    model = policy(architecture)
    result, expected = rollout(model, rows=4), eager(monkeypatch, model, rows=4)
    assert recorded(model) is not None
    assert torch.equal(result.responses, expected.responses)
    assert torch.allclose(result.logprobs, expected.logprobs, atol=1e-5)


def test_a_recording_follows_the_weights(monkeypatch):
    model = policy()
    before = rollout(model)
    first = recorded(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)  # in place, as an optimizer does
    after = rollout(model)
    assert recorded(model) is first and not torch.equal(after.responses, before.responses)
    assert torch.equal(after.responses, eager(monkeypatch, model).responses)
    model.resize_token_embeddings(300, mean_resizing=False)
    rollout(model)
    assert recorded(model) is not first


class Moody(nn.Module):
    """Multiplies by the batch size, which a recording takes for a constant."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x) * float(len(x))


def test_what_cannot_be_recorded_is_called(monkeypatch):
    model = policy("gpt2")
    model.transformer.h[0].mlp = Moody(model.transformer.h[0].mlp)
    result = rollout(model, rows=4)
    assert recorded(model) is None
    assert torch.equal(result.responses, eager(monkeypatch, model, rows=4).responses)

    def fail(*_, **__):
        raise RuntimeError

    model = policy()
    monkeypatch.setattr(torch.jit, "trace", fail)
    assert rollout(model).mask.any() and recorded(model) is None


def test_recordings_go_with_their_models():
    model = policy()
    rollout(model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_recording_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rollout(policy(seed=3), prompts=PROMPTS[:2], steps=3).mask.any()
