import copy
import math
import time

import pytest
import torch
from misaligned import is_aligned, misalign
from tiny import (
    ARCHITECTURES,
    BOS,
    EOS,
    PAD,
    SHARED,
    lower_logits,
    policy,
    same_weights,
    tokenizer,
)
from tokenizers import AddedToken
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BloomConfig,
    CodeGenConfig,
    GPTNeoConfig,
    MistralConfig,
)

from minirlhf.data import hub
from minirlhf.data.batching import collate, position_ids
from minirlhf.data.packing import collate_packed
from minirlhf.errors import MinirlhfError
from minirlhf.fast.mask_support import obeys_masks
from minirlhf.fast.modules import use_fast_kernels
from minirlhf.models import (
    ScalarModel,
    exact_logits,
    never_sampled,
    packed_logprobs,
    process_logits,
    response_logprobs,
)
from minirlhf.objectives import token_logprobs
from minirlhf.plain import ppo as plain
from minirlhf.pretrained import check_model, load_policy, load_tokenizer, load_weights, save_model
from minirlhf.reward import score_ids

PROMPTS = [[BOS, 40, 41, 42, 43], [BOS, 50]]
RESPONSES = [[60, 61, EOS], [70, 71, 72, 73, EOS]]


def test_position_ids_ignore_left_padding():
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 0]]).bool()
    assert position_ids(mask).tolist() == [[0, 0, 0, 1, 2], [0, 1, 2, 3, 3]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_depends_on_padding(architecture):
    model = policy(architecture)
    reward = ScalarModel.from_policy(model, tokenizer())
    batch = collate(PROMPTS, RESPONSES, PAD)
    padded = collate([*PROMPTS, [BOS] * 11], [*RESPONSES, [60] * 9], PAD)
    with torch.no_grad():
        for compute in (lambda b: response_logprobs(model, b), reward.values):
            one, other = compute(batch), compute(padded)
            assert torch.allclose(one, other[:2, : one.shape[1]], atol=1e-5)
            assert (one[~batch.response_mask] == 0).all()
        assert torch.allclose(reward.score(batch), reward.score(padded)[:2], atol=1e-5)
        for row in range(2):
            alone = collate(PROMPTS[row : row + 1], RESPONSES[row : row + 1], PAD)
            n = len(RESPONSES[row])
            assert torch.allclose(
                response_logprobs(model, alone)[0],
                response_logprobs(model, batch)[row, :n],
                atol=1e-5,
            )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_response_logprobs_are_those_of_the_plain_forward(architecture):
    model = policy(architecture)
    with torch.no_grad():
        logprobs = response_logprobs(model, collate(PROMPTS, RESPONSES, PAD), temperature=0.7)
    for row in range(2):
        ids = torch.tensor([PROMPTS[row] + RESPONSES[row]])
        plain = (model(ids).logits[0].detach() / 0.7).log_softmax(-1)
        for t, token in enumerate(RESPONSES[row]):
            expected = plain[len(PROMPTS[row]) - 1 + t, token]
            assert float(logprobs[row, t]) == pytest.approx(float(expected), abs=1e-5)
        assert (logprobs[row, len(RESPONSES[row]) :] == 0).all()


def test_suppressed_ids_have_no_probability_and_no_gradient():
    model = policy()
    suppress = never_sampled(tokenizer(), model)
    assert suppress.nonzero().flatten().tolist() == [PAD, BOS]
    logits = process_logits(torch.randn(4, 259), 1.0, suppress)
    assert (logits.softmax(-1)[:, [PAD, BOS]] == 0).all()
    loss = response_logprobs(model, collate(PROMPTS, RESPONSES, PAD), suppress=suppress).sum()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_log_probs_of_half_precision_are_float32():
    logits = torch.randn(4, 259).bfloat16()
    assert process_logits(logits).dtype == torch.float32
    assert torch.equal(process_logits(logits, 0.5), logits.float() * 2)


def test_logits_are_exact_where_the_rest_is_bf16():
    """Even of a GPT-2 whose logits lie near -100, where bf16 numbers are half a nat apart."""
    model = lower_logits(policy("gpt2", scale=2.0))
    batch = collate(PROMPTS, RESPONSES, PAD)
    wanted = response_logprobs(model, batch)

    def error():
        with torch.autocast("cpu", torch.bfloat16):
            return float((response_logprobs(model, batch) - wanted).abs().max().detach())

    assert model(torch.tensor([PROMPTS[0]])).logits.mean() < -64 and error() > 0.1
    exact_logits(model)
    assert error() < 0.03
    assert torch.equal(response_logprobs(model, batch), wanted)


def test_ids_beyond_the_vocabulary_are_never_sampled():
    model = policy()
    model.resize_token_embeddings(300)
    assert never_sampled(tokenizer(), model)[259:].all()


# --------------------------------------------------------------------------- reward and value model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stock_transformers_differs_by_exactly_the_bias(architecture, tmp_path):
    reward = ScalarModel.from_policy(policy(architecture), tokenizer())
    reward.bias.fill_(1.5)
    reward.save(tmp_path, tokenizer())
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert stock.config.reward_bias == 1.5
    ours = ScalarModel.load(tmp_path)
    for prompt, response in zip(PROMPTS, RESPONSES, strict=True):
        batch = collate([prompt], [response], PAD)
        with torch.no_grad():
            theirs = stock(batch.tokens).logits[0, 0]
            assert float(reward.score(batch)[0]) == pytest.approx(float(theirs) + 1.5, abs=1e-5)
            assert torch.equal(ours.score(batch), reward.score(batch))
    assert float(ours.bias) == 1.5


def test_a_fresh_head_scores_from_zero_in_the_plain_files_too():
    fresh = ScalarModel.from_policy(policy(), tokenizer())
    assert fresh.classifier.config.reward_bias == float(fresh.bias) == 0.0
    pairs = [(torch.tensor(x), torch.tensor(y)) for x, y in zip(PROMPTS, RESPONSES, strict=True)]
    with torch.no_grad():
        batch = collate(PROMPTS, RESPONSES, PAD)
        for ours, theirs in ((plain.scores, fresh.score), (plain.values, fresh.values)):
            torch.testing.assert_close(ours(fresh.classifier, pairs), theirs(batch))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_saved_and_loaded_scores_the_same_to_the_bit(architecture, tmp_path, monkeypatch):
    """Also where a product rounds by the alignment of its weights: they are copied."""
    misalign(monkeypatch.setattr)
    before = policy(architecture)
    use_fast_kernels(before)  # as the loaded one has
    reward_before = ScalarModel.from_policy(before, tokenizer())
    save_model(before, tokenizer(), tmp_path / "policy")
    reward_before.save(tmp_path / "reward", tokenizer())
    after = load_policy(tmp_path / "policy")
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "policy")
    batch = collate(PROMPTS, RESPONSES, PAD)
    with torch.no_grad():
        wanted = response_logprobs(before, batch)
        assert torch.equal(response_logprobs(after, batch), wanted)
        assert not torch.equal(response_logprobs(stock, batch), wanted)  # the trap is set
        reward_after = ScalarModel.load(tmp_path / "reward")
        assert torch.equal(reward_after.score(batch), reward_before.score(batch))
    assert all(map(is_aligned, after.parameters()))


def test_head_of_the_ancestors_and_backbone_of_the_policy():
    model = policy()
    one, same = (ScalarModel.from_policy(model, tokenizer(), seed=3) for _ in range(2))
    assert same_weights(one, same)
    assert same_weights(one.classifier.base_model, model.base_model)
    assert not torch.equal(
        one.head.weight, ScalarModel.from_policy(model, tokenizer(), seed=4).head.weight
    )
    weights = torch.cat(
        [ScalarModel.from_policy(model, tokenizer(), seed=s).head.weight for s in range(40)]
    )
    assert float(weights.detach().std()) == pytest.approx(1 / math.sqrt(33), rel=0.1)


def test_value_model_starts_as_the_reward_model_and_goes_its_own_way():
    reward = ScalarModel.from_policy(policy(), tokenizer())
    reward.bias.fill_(2.0)
    value = reward.value_model()
    assert same_weights(value, reward)
    batch = collate(PROMPTS, RESPONSES, PAD)
    with torch.no_grad():
        # the value at a response's last token is read off the one before it
        shorter = collate(PROMPTS, [ids[:-1] for ids in RESPONSES], PAD)
        last = value.values(batch)[torch.arange(2), batch.response_mask.sum(-1) - 1]
        assert torch.allclose(last, reward.score(shorter), atol=1e-5)
        value.head.weight.zero_()
    assert not same_weights(value, reward)


# ------------------------------------------------------------------------------------- load, refuse


@pytest.fixture
def folder(tmp_path):
    save_model(policy(), tokenizer(), tmp_path / "model")
    return tmp_path / "model"


def test_round_trip(folder):
    assert same_weights(load_policy(folder), policy())
    assert load_tokenizer(folder)("ab")["input_ids"] == tokenizer()("ab")["input_ids"]
    other = policy(seed=1)
    load_weights(other, folder)
    assert same_weights(other, policy())
    assert same_weights(AutoModelForCausalLM.from_pretrained(folder), policy())


def test_no_loaded_policy_makes_transformers_warn(tmp_path):
    """It warns of a GPT-2 whose loss is looked at, and a recording of the decode step looks."""
    save_model(policy("gpt2"), tokenizer(), tmp_path)
    assert load_policy(tmp_path).loss_type == "ForCausalLM"


def test_missing_and_empty_folders(tmp_path):
    for name in (tmp_path / "none", "./nowhere", "a/b/c"):
        with pytest.raises(MinirlhfError, match="There is no folder"):
            load_policy(name)
    with pytest.raises(MinirlhfError, match="is empty"):
        load_policy(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "zero", "header", "config"])
def test_damaged_files(folder, damage):
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    if damage == "cut":
        weights.write_bytes(content[: len(content) // 2])
    elif damage == "zero":
        weights.write_bytes(b"")
    elif damage == "header":
        weights.write_bytes(b"\xff" * 64 + content[64:])
    else:
        (folder / "config.json").write_text('{"model_type": ')
    with pytest.raises(MinirlhfError, match="can't be loaded"):
        load_policy(folder)


def test_a_reward_model_is_no_policy_and_a_policy_no_reward_model(folder, tmp_path):
    with pytest.raises(MinirlhfError, match="isn't a reward model"):
        ScalarModel.load(folder)
    config = policy("gpt2").config
    config.tie_word_embeddings = False
    untied = AutoModelForCausalLM.from_config(config)
    ScalarModel.from_policy(untied, tokenizer()).save(tmp_path / "rm", tokenizer())
    with pytest.raises(MinirlhfError, match="isn't a whole causal LM"):
        load_policy(tmp_path / "rm")


def test_no_network_fails_within_a_second(monkeypatch):
    monkeypatch.setattr(hub, "obstacle", lambda limit: "no route")
    start = time.monotonic()
    for load in (load_policy, load_tokenizer, ScalarModel.load):
        with pytest.raises(MinirlhfError, match=r"neither a folder nor in the local .*no route"):
            load("nobody/no-such-model")
    assert time.monotonic() - start < 1.0


def test_vocabulary_and_context_must_fit():
    model = policy()
    model.resize_token_embeddings(100)
    with pytest.raises(MinirlhfError, match="259 tokens but the model's embedding only 100"):
        check_model(model, tokenizer(), longest=8)
    with pytest.raises(MinirlhfError, match="don't fit the model's 128 positions"):
        check_model(policy(), tokenizer(), longest=129)


def test_a_pad_token_can_be_added(folder):
    loaded = load_tokenizer(folder, pad_token="<|new|>")
    assert loaded.pad_token_id == 259 != loaded.eos_token_id
    assert load_policy(folder, loaded).get_input_embeddings().num_embeddings == 260


OTHERS = {
    "mistral": MistralConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, sliding_window=6, max_position_embeddings=64, **SHARED,
    ),
    "gpt-neo": GPTNeoConfig(
        hidden_size=32, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]],
        window_size=6, max_position_embeddings=64, **SHARED,
    ),
    "bloom": BloomConfig(hidden_size=32, n_layer=2, n_head=4, **SHARED),
}  # fmt: skip
"""Windows of columns, and distances that are counted in columns."""


def other(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(OTHERS[name]).eval()


@pytest.mark.parametrize("name", [*ARCHITECTURES, *OTHERS])
def test_packed_documents_are_what_each_is_alone(name):
    model = policy(name) if name in ARCHITECTURES else other(name)
    assert obeys_masks(model) is (name in ARCHITECTURES)
    documents = [[BOS, *range(40, 49), EOS], [BOS, *range(60, 68), EOS], [BOS, 7, EOS]]
    batch = collate_packed([documents[:2], documents[2:]], PAD)
    with torch.no_grad():
        packed = torch.nn.functional.pad(packed_logprobs(model, batch), (1, 0))
        for row, start, ids in ((0, 0, documents[0]), (0, 11, documents[1]), (1, 0, documents[2])):
            tokens = torch.tensor([ids])
            alone = token_logprobs(model(tokens).logits[:, :-1], tokens[:, 1:])[0]
            found = packed[row, start + 1 : start + len(ids)]
            assert torch.allclose(found, alone, atol=1e-5)


def test_a_window_sees_the_prompt_in_a_row_of_its_own():
    """Seven completions behind one prompt: in a shared row the last could not look back to it."""
    reward = ScalarModel.from_policy(other("mistral"), tokenizer())
    prompts, completions = [PROMPTS[0]] * 7, [[60 + i, 61, 62, EOS] for i in range(7)]
    together = score_ids(reward, prompts, completions, PAD)
    for row in range(7):
        alone = score_ids(reward, prompts[:1], [completions[row]], PAD)
        assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_added_special_tokens_are_never_sampled():
    known = copy.deepcopy(tokenizer())
    known.add_tokens([AddedToken("<|header|>", special=True), "word"])
    model = policy()
    model.resize_token_embeddings(270, mean_resizing=False)
    never = never_sampled(known, model).nonzero().squeeze(-1).tolist()
    assert never == [PAD, BOS, 259, *range(261, 270)]


def test_scores_and_values_are_exact_where_the_rest_is_bf16():
    reward = ScalarModel.from_policy(policy(), tokenizer())
    batch = collate(PROMPTS, RESPONSES, PAD)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for found in (reward.score(batch), reward.values(batch)[batch.response_mask]):
            assert found.dtype == torch.float32
            assert not torch.equal(found, found.bfloat16().float())


def test_an_architecture_without_a_scalar_head_is_a_sentence():
    config = CodeGenConfig(n_embd=32, n_layer=1, n_head=4, rotary_dim=4, **SHARED)
    with pytest.raises(MinirlhfError, match="no CodeGenForCausalLM with a scalar head"):
        ScalarModel.from_policy(AutoModelForCausalLM.from_config(config), tokenizer())
