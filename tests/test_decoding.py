import gc
import warnings
import weakref

import pytest
import torch
from test_sampling import PROMPTS, rollout
from tiny import ARCHITECTURES, BOS, policy
from torch import nn
from transformers.cache_utils import DynamicCache
from transformers.utils import logging

from minirlhf import decoding, graphs
from minirlhf.decoding import Decoder, next_logits
from minirlhf.graphs import StaticStep


def eager(monkeypatch, model, **options):
    """A rollout in which the model itself is called for every token."""
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "recording", lambda *_: None)
        return rollout(model, **options)


def filled_cache(model):
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(torch.tensor([PROMPTS[0], PROMPTS[0]]), past_key_values=cache, use_cache=True)
    return cache


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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("rows", [3, 128])
def test_static_shapes_give_what_the_model_gives(monkeypatch, architecture, rows):
    """CUDA's way, but for the graph: rows rounded up, all the room from the start."""
    model = policy(architecture)
    prompts = [[BOS, *range(40, 40 + n % 9)] for n in range(1, 20)]
    expected = eager(monkeypatch, model, prompts=prompts, steps=20, rows=rows)

    def settle(self, cache, left):
        self.static = graphs.static_step(self.policy, next_logits, cache, left)
        return self.static.load(cache)

    monkeypatch.setattr(Decoder, "settle", settle)
    result = rollout(model, prompts=prompts, steps=20, rows=rows)
    assert torch.equal(result.responses, expected.responses)
    assert torch.allclose(result.logprobs, expected.logprobs, atol=1e-5)
    steps = graphs._steps[model].values()
    assert {step.room for step in steps} == {64} and all(
        step.rows & (step.rows - 1) == 0 for step in steps
    )


def test_without_a_graph_it_says_so():
    class Uncapturable(StaticStep):
        def capture(self, policy):
            raise RuntimeError("operation not permitted when stream is capturing")

    model = policy()
    with pytest.warns(UserWarning, match="without a CUDA graph, which is slower: operation not"):
        step = graphs.captured(Uncapturable(next_logits, filled_cache(model), 2, 64), model)
    assert step is None


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


def test_recordings_and_static_steps_go_with_their_models():
    model = policy()
    rollout(model)
    graphs.static_step(model, next_logits, filled_cache(model), 5)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_recording_is_silent(monkeypatch):
    """A trace looks at every attribute of every module; transformers warns of some."""
    trace, levels = torch.jit.trace, []

    def watched(*arguments, **options):
        levels.append(logging.get_verbosity())
        return trace(*arguments, **options)

    monkeypatch.setattr(torch.jit, "trace", watched)
    before = logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rollout(policy(seed=3), prompts=PROMPTS[:2], steps=3).mask.any()
    assert set(levels) <= {logging.ERROR} and logging.get_verbosity() == before
