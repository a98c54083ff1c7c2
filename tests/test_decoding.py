import gc
import threading
import warnings
import weakref

import pytest
import torch
from test_sampling import PROMPTS, rollout
from tiny import ARCHITECTURES, BOS, policy
from torch import nn
from transformers.cache_utils import DynamicCache
from transformers.utils import logging

from minirlhf.decoding import cpu_trace, cuda_graph, decoder
from minirlhf.decoding.cuda_graph import StaticStep
from minirlhf.decoding.decoder import Decoder


def eager(monkeypatch, model, **options):
    """A rollout in which the model itself is called for every token."""
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "recording", lambda *_: None)
        return rollout(model, **options)


def filled_cache(model):
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(torch.tensor([PROMPTS[0], PROMPTS[0]]), past_key_values=cache, use_cache=True)
    return cache


def recorded(model):
    return cpu_trace._recordings[model][1]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_recording_gives_what_the_model_gives(monkeypatch, architecture):
    model = policy(architecture)
    result, expected = rollout(model, micro_batch=4), eager(monkeypatch, model, micro_batch=4)
    assert recorded(model) is not None
    assert torch.equal(result.responses, expected.responses)
    assert torch.allclose(result.logprobs, expected.logprobs, atol=1e-5)


def test_a_recording_follows_the_weights(monkeypatch):
    model = policy()
    before = rollout(model)
    first = recorded(model)
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.mul_(1 + number / 50)  # in place, as an optimizer does, each in its own way
    after = rollout(model)
    assert recorded(model) is first and not torch.equal(after.responses, before.responses)
    assert torch.equal(after.responses, eager(monkeypatch, model).responses)
    model.resize_token_embeddings(300, mean_resizing=False)
    rollout(model)
    assert recorded(model) is not first


class Shifted(nn.Module):
    """Uses a weight that it computes from the one it has, as some norms do."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.less = inner, nn.Parameter(torch.zeros(32))

    def forward(self, x):
        return self.inner(x) * (1 + self.less)


def test_a_recording_follows_what_is_computed_from_weights(monkeypatch):
    """Flattened, it would keep the sum of the day it was made."""
    model = policy("gpt2")
    model.transformer.h[0].ln_1 = Shifted(model.transformer.h[0].ln_1)
    before = rollout(model)
    with torch.no_grad():
        model.transformer.h[0].ln_1.less.uniform_(-3, 3)
    after = rollout(model)
    assert recorded(model) is not None
    assert not torch.equal(after.logprobs, before.logprobs)
    assert torch.allclose(after.logprobs, eager(monkeypatch, model).logprobs, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_attention_of_one_token_is_torchs(heads, scaling):
    query = torch.randn(3, 4, 1, 8)
    key, value = (torch.randn(3, heads, 9, 8)[:, :, :7] for _ in range(2))  # as in a roomy cache
    look = torch.rand(3, 1, 1, 7) < 0.7
    look[..., -1] = True
    mask = torch.zeros(look.shape).masked_fill(~look, torch.finfo(torch.float32).min)
    for masks in ((None, None), (mask, look)):
        ours, _ = cpu_trace.attend(None, query, key, value, masks[0], scaling=scaling)
        theirs = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=masks[1], scale=scaling, enable_gqa=True
        )
        assert torch.allclose(ours, theirs.transpose(1, 2), atol=1e-6)


def test_a_model_with_attention_of_its_own_keeps_it(monkeypatch):
    """What `cpu_trace.attend` doesn't know of shows in the logits."""

    def other(module, query, key, value, mask, **_):
        return torch.zeros_like(query).transpose(1, 2), None

    model = policy("gpt2")
    monkeypatch.setattr(cpu_trace, "attend", other)  # one that is wrong for it
    result = rollout(model)
    assert recorded(model) is not None and model.config._attn_implementation == "sdpa"
    assert torch.equal(result.responses, eager(monkeypatch, model).responses)


def test_a_rollout_can_be_learned_from():
    """Tensors made in torch's inference mode can't; see `sampling.sample`."""
    assert not any(tensor.is_inference() for tensor in rollout(policy()))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("rows", [3, 128])
def test_static_shapes_give_what_the_model_gives(monkeypatch, architecture, rows):
    """CUDA's way, but for the graph: rows rounded up, all the room from the start."""
    model = policy(architecture)
    prompts = [[BOS, *range(40, 40 + n % 9)] for n in range(1, 20)]
    expected = eager(monkeypatch, model, prompts=prompts, steps=20, micro_batch=rows)

    def settle(self, cache, left):
        self.static = cuda_graph.static_step(self.policy, cache, left)
        return self.static.load(cache)

    monkeypatch.setattr(Decoder, "settle", settle)
    result = rollout(model, prompts=prompts, steps=20, micro_batch=rows)
    assert torch.equal(result.responses, expected.responses)
    assert torch.allclose(result.logprobs, expected.logprobs, atol=1e-5)
    steps = cuda_graph._steps[model].values()
    assert {step.room for step in steps} == {64} and all(
        step.rows & (step.rows - 1) == 0 for step in steps
    )


def test_without_a_graph_it_says_so(monkeypatch):
    def fail(self, policy, cache):
        raise RuntimeError("operation not permitted when stream is capturing")

    model = policy()
    monkeypatch.setattr(StaticStep, "check", fail)
    with pytest.warns(UserWarning, match="without a CUDA graph, which is slower: operation not"):
        assert cuda_graph.captured(model, filled_cache(model), 2, 64) is None


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_static_step_that_differs_is_refused(monkeypatch, architecture):
    model = policy(architecture)
    cache = filled_cache(model)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cuda_graph.captured(model, cache, 2, 64) is not None
    monkeypatch.setattr(cuda_graph.StaticLayer, "get_seq_length", lambda self: 0)
    monkeypatch.setattr(
        cuda_graph.StaticLayer, "update", lambda self, *_: (self.all_keys, self.all_values)
    )  # it forgets the new token
    with torch.no_grad(), pytest.warns(UserWarning, match="standard deviations off the model's"):
        assert cuda_graph.captured(model, cache, 2, 64) is None


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
    result = rollout(model, micro_batch=4)
    assert recorded(model) is None
    assert torch.equal(result.responses, eager(monkeypatch, model, micro_batch=4).responses)

    def fail(*_, **__):
        raise RuntimeError

    model = policy()
    monkeypatch.setattr(torch.jit, "trace", fail)
    assert rollout(model).mask.any() and recorded(model) is None


def test_each_thread_has_static_steps_of_its_own():
    model, found = policy(), []
    cache = filled_cache(model)

    def make() -> None:
        found.append(cuda_graph.static_step(model, cache, 5))

    make()
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    make()
    assert found[0] is found[2] and found[1] is not found[0]


def test_recordings_and_static_steps_go_with_their_models():
    model = policy()
    rollout(model)
    cuda_graph.static_step(model, filled_cache(model), 5)
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
