import pytest
import torch
from tiny import ARCHITECTURES, BOS, EOS, PAD, policy, tokenizer
from transformers import AutoModelForCausalLM, BloomConfig

from minirlhf.data import shared_prompts
from minirlhf.data.batching import collate
from minirlhf.models import ScalarModel
from minirlhf.reward import score_ids

PROMPTS = [[BOS, 40, 41, 42], [BOS, 50], [BOS, 40, 41, 42], [BOS, 50], [BOS, 40, 41, 42], [BOS, 60]]
COMPLETIONS = [[70, EOS], [71, 72, 73, EOS], [74, 75, EOS], [76, EOS], [77, EOS], [78, 79, EOS]]


def alone(model):
    """Each completion in a pass of its own, with nothing beside it."""
    pairs = zip(PROMPTS, COMPLETIONS, strict=True)
    return torch.cat([model.score(collate([prompt], [ids], PAD)) for prompt, ids in pairs])


def gradient(model, scores):
    model.zero_grad()
    (scores * torch.arange(1.0, 7.0)).sum().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_shared_prompt_changes_no_score_and_no_gradient(architecture, attention):
    model = ScalarModel.from_policy(policy(architecture, scale=1.0), tokenizer())
    model.classifier.set_attn_implementation(attention)
    assert model.shares_prompts
    shared, own = score_ids(model, PROMPTS, COMPLETIONS, PAD), alone(model)
    assert shared.std() > 0.01
    assert torch.allclose(shared, own, atol=1e-5)
    assert torch.allclose(gradient(model, shared), gradient(model, own), rtol=1e-3, atol=1e-5)


def test_every_prompt_is_read_once():
    (batch,) = shared_prompts.branch(PROMPTS, COMPLETIONS, PAD)
    assert len(batch.tokens) == 3
    assert int((batch.branch == 0).sum()) == sum(
        map(len, ([BOS, 40, 41, 42], [BOS, 50], [BOS, 60]))
    )
    assert sorted(batch.rows) == list(range(6))
    assert batch.tokens.flatten()[batch.last].tolist() == [EOS] * 6


def test_a_long_row_is_cut(monkeypatch):
    monkeypatch.setattr(shared_prompts, "ROW_TOKENS", 8)
    model = ScalarModel.from_policy(policy(scale=1.0), tokenizer())
    cut = shared_prompts.branch(PROMPTS, COMPLETIONS, PAD)
    assert sum(len(batch.tokens) for batch in cut) == 5
    assert max(batch.tokens.shape[1] for batch in cut) <= 8
    assert torch.allclose(score_ids(model, PROMPTS, COMPLETIONS, PAD), alone(model), atol=1e-5)


def test_an_architecture_without_positions_reads_its_rows_one_by_one():
    config = BloomConfig(hidden_size=16, n_layer=1, n_head=2, vocab_size=259, pad_token_id=PAD)
    bloom = AutoModelForCausalLM.from_config(config).eval()
    model = ScalarModel.from_policy(bloom, tokenizer())
    assert not model.shares_prompts
    assert torch.allclose(score_ids(model, PROMPTS, COMPLETIONS, PAD), alone(model), atol=1e-5)
