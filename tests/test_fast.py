import copy

import pytest
import torch
from tiny import ARCHITECTURES, CONFIGS, policy
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.activations import NewGELUActivation

from minirlhf.fast import modules
from minirlhf.fast.matmul import FastLinear, Product, mkl_is_slow, onednn
from minirlhf.fast.modules import use_fast_kernels

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
    monkeypatch.setattr(modules, "mkl_is_slow", lambda: False)
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
