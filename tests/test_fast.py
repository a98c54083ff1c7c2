import copy

import pytest
import torch
from tiny import ARCHITECTURES, CONFIGS, policy
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.activations import NewGELUActivation

from minirlhf import fast
from minirlhf.data.packing import collate_packed
from minirlhf.fast import attention, use_fast_kernels
from minirlhf.fast.matmul import FastLinear, Product, mkl_is_slow, onednn
from minirlhf.models import packed_logprobs

needs_onednn = pytest.mark.skipif(not mkl_is_slow(), reason="MKL is at full speed here")


def test_a_spelled_out_gelu_becomes_the_kernel():
    stock = AutoModelForCausalLM.from_config(CONFIGS["gpt2"]()).eval()
    ours = copy.deepcopy(stock)
    use_fast_kernels(ours)
    assert any(isinstance(module, NewGELUActivation) for module in stock.modules())
    assert not any(isinstance(module, NewGELUActivation) for module in ours.modules())
    ids = torch.arange(40, 60)[None]
    assert torch.allclose(stock(ids).logits, ours(ids).logits, atol=1e-6)


def test_where_mkl_is_fast_layers_stay(monkeypatch):
    monkeypatch.setattr(fast, "mkl_is_slow", lambda: False)
    model = policy()
    use_fast_kernels(model)
    assert all(type(m) is nn.Linear for m in model.modules() if isinstance(m, nn.Linear))


@needs_onednn
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fast_layers_give_the_same_values_and_gradients(architecture):
    stock = policy(architecture, scale=1.0)
    ours = copy.deepcopy(stock)
    use_fast_kernels(ours)
    assert any("Fast" in type(module).__name__ for module in ours.modules())
    assert ours.state_dict().keys() == stock.state_dict().keys()
    exact = copy.deepcopy(stock).double()
    ids = torch.randint(3, 259, (8, 64), generator=torch.Generator().manual_seed(0))
    for model in (stock, ours, exact):
        torch.logsumexp(model(ids).logits, -1).sum().backward()
    named = zip(stock.named_parameters(), ours.parameters(), exact.parameters(), strict=True)
    for (name, one), two, truth in named:
        size = truth.grad.abs().max()
        assert (two.grad - truth.grad).abs().max() < 1e-5 * size + 1e-4, name
        assert (two.grad - one.grad).abs().max() < 1e-5 * size + 1e-4, name


@needs_onednn
def test_products_are_float32_and_the_setting_is_put_back():
    draw = torch.Generator().manual_seed(1)
    one, other = (torch.randn(300, 300, generator=draw) for _ in range(2))
    before = torch.backends.mkldnn.matmul.fp32_precision
    exact = one.double() @ other.double()
    assert (Product.apply(one, other) - exact).abs().max() < 2e-4
    assert (one.bfloat16().float() @ other.bfloat16().float() - exact).abs().max() > 2e-2
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    with pytest.raises(ValueError, match="within"), onednn():
        raise ValueError("within")
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_a_fast_layer_takes_small_batches_and_bfloat16_as_the_stock_one_does():
    layer = nn.Linear(8, 5)
    fast = copy.deepcopy(layer)
    fast.__class__ = FastLinear
    x = torch.randn(4, 3, 8)
    assert torch.equal(layer(x), fast(x))
    with torch.autocast("cpu", torch.bfloat16):
        many = torch.randn(600, 8)
        assert fast(many).dtype == torch.bfloat16 and torch.equal(layer(many), fast(many))


ROW = torch.randint(3, 259, (6, 40), generator=torch.Generator().manual_seed(0))


def masked(model) -> torch.Tensor:
    """Log-sum-exps of left-padded rows, 0 on the padding."""
    mask = torch.ones_like(ROW)
    mask[2, :15] = mask[4, :3] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return torch.logsumexp(model(ROW, mask, position_ids=positions).logits, -1) * mask


def packed(model) -> torch.Tensor:
    return packed_logprobs(model, collate_packed([[[*range(3, 30)], [*range(9, 20)]]], 0))


WAYS = {
    "plain": lambda model: torch.logsumexp(model(ROW, use_cache=False).logits, -1),
    "masked": masked,
    "packed": packed,
}


@pytest.fixture
def mixed(monkeypatch):
    """How many times our own attention has been at work."""
    times = []
    apply = attention.Mix.apply
    monkeypatch.setattr(attention.Mix, "apply", lambda *tensors: times.append(1) or apply(*tensors))
    return times


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", [0.25, 1.0])
def test_attention_of_short_rows_gives_the_same_values_and_gradients(part, way, mixed):
    config = CONFIGS["neox"]()
    config.rope_parameters = config.rope_parameters | {"partial_rotary_factor": part}
    config.use_cache = False
    torch.manual_seed(0)
    stock = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in stock.parameters():
            parameter.mul_(4.0)
    ours = copy.deepcopy(stock)
    use_fast_kernels(ours)
    exact = copy.deepcopy(stock).double()
    WAYS[way](ours)
    mixed.clear()  # what a model is tried for is tried once
    found = []
    for model in (stock, ours, exact):
        values = WAYS[way](model)
        (values * torch.arange(values.numel()).view_as(values)).sum().backward()
        found.append((values.detach(), [p.grad for p in model.parameters()]))
    assert len(mixed) == config.num_hidden_layers
    (theirs, their_gradients), (mine, my_gradients), (truth, true_gradients) = found
    assert (mine - truth).abs().max() <= 3 * (theirs - truth).abs().max() + 1e-6
    for one, two, true in zip(their_gradients, my_gradients, true_gradients, strict=True):
        off = (two - true).norm() / true.norm().clamp(min=1e-9)
        assert off <= 3 * (one - true).norm() / true.norm().clamp(min=1e-9) + 1e-5


def longer(model) -> None:
    model.config.max_position_embeddings = 1024
    model(torch.ones(1, attention.LONGEST + 1, dtype=torch.long), use_cache=False)


def dropped(model) -> None:
    for layer in model.base_model.layers:
        layer.attention.attention_dropout = 0.1
    model.train()(ROW, use_cache=False)


def eager(model) -> None:
    model.set_attn_implementation("eager")
    assert len(model(ROW, use_cache=False, output_attentions=True).attentions) == 2


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model(ROW, use_cache=True),
        lambda model: model(ROW[:, :1], use_cache=False),
        lambda model: copy.deepcopy(model).double()(ROW, use_cache=False),
        longer,
        dropped,
        eager,
    ],
)
def test_other_rows_get_the_stock_attention(ask, mixed):
    model = policy("neox")
    use_fast_kernels(model)
    ask(model)
    assert not mixed
    with torch.autocast("cpu", torch.bfloat16):
        model(ROW, use_cache=False)
    assert not mixed
