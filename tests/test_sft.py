import json
from dataclasses import replace

import pytest
import torch
from tiny import (
    ARCHITECTURES,
    DEMONSTRATIONS,
    DOCUMENTS,
    EOS,
    SHARED,
    policy,
    same_weights,
    tokenizer,
)
from transformers import AutoModelForCausalLM, BloomConfig, OPTConfig

from minirlhf.config import PretrainConfig, SFTConfig
from minirlhf.errors import MinirlhfError
from minirlhf.pretrain import train_base
from minirlhf.sampling import complete
from minirlhf.sft import encode_demonstrations, set_residual_dropout, train_sft

PRETRAIN = PretrainConfig(
    context=64, batch=4, learning_rate=1e-2, warmup=2, validate_every=4, log_every=2
)
SFT = SFTConfig(epochs=2, batch=8, learning_rate=3e-3, max_length=64, residual_dropout=0.0)


def train(config, folder, demonstrations=DEMONSTRATIONS, **options):
    options = {"folder": folder, "callback": ()} | options
    return train_sft(config, policy(scale=1.0), tokenizer(), demonstrations, **options)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# -------------------------------------------------------------------------------------- pretraining


def test_pretraining_learns_and_leaves_a_whole_folder(tmp_path):
    model = policy(scale=1.0)
    result = train_base(
        replace(PRETRAIN, epochs=6),
        model,
        tokenizer(),
        DOCUMENTS,
        validation=DOCUMENTS[:4],
        folder=tmp_path,
        callback=(),
    )
    lines = metrics(tmp_path)
    assert lines[-1]["loss"] < 0.7 * lines[0]["loss"]
    assert result.metrics["validation/loss"] < lines[0]["loss"]
    assert same_weights(AutoModelForCausalLM.from_pretrained(tmp_path / "model"), model)
    left = {path.name for path in tmp_path.iterdir()}
    assert {"config.json", "metrics.jsonl", "model", "tensorboard", "done.json"} <= left
    assert "checkpoint" not in left  # nobody needs it any more
    again = policy(scale=1.0)
    assert (
        train_base(
            replace(PRETRAIN, epochs=6),
            again,
            tokenizer(),
            DOCUMENTS,
            validation=DOCUMENTS[:4],
            folder=tmp_path,
            callback=(),
        ).metrics
        == result.metrics
    )
    assert same_weights(again, model)


def test_pretraining_does_not_depend_on_micro_batches(tmp_path):
    models = []
    for size in (None, 3, 1):
        models.append(policy(scale=1.0))
        config = replace(PRETRAIN, max_steps=3, micro_batch=size)
        train_base(
            config, models[-1], tokenizer(), DOCUMENTS, folder=tmp_path / str(size), callback=()
        )
    for other in models[1:]:
        for x, y in zip(models[0].parameters(), other.parameters(), strict=True):
            assert torch.allclose(x, y, atol=1e-4)
    losses = [metrics(tmp_path / str(size))[0]["loss"] for size in (None, 3, 1)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


# ---------------------------------------------------------------------------------------------- SFT


def test_sft_learns_to_answer_and_to_stop(tmp_path):
    few = [record | {"completion": "yes"} for record in DEMONSTRATIONS]
    config = replace(SFT, epochs=12, learning_rate=1e-2, keep_epochs=False)
    result = train(config, tmp_path, few, validation=few[:4])
    prompts = [record["prompt"] for record in few]
    answers = complete(result.policy, tokenizer(), prompts, max_new_tokens=24, temperature=0)
    assert set(answers) == {"yes"}
    assert result.metrics["validation/loss"] < 0.1
    assert not result.policy.training


def test_every_epoch_keeps_a_model_and_a_validation_loss(tmp_path):
    result = train(SFT, tmp_path, validation=DEMONSTRATIONS[:5])
    assert [path.name for path in result.epochs] == ["01", "02"]
    assert same_weights(AutoModelForCausalLM.from_pretrained(result.epochs[1]), result.policy)
    assert not same_weights(AutoModelForCausalLM.from_pretrained(result.epochs[0]), result.policy)
    assert sum("validation/loss" in line for line in metrics(tmp_path)) == 2
    again = train(SFT, tmp_path, validation=DEMONSTRATIONS[:5])
    assert again.metrics == result.metrics and again.epochs == result.epochs
    assert same_weights(again.policy, result.policy)


def test_the_prompt_is_masked_and_eos_is_learned(tmp_path):
    """One step on the loss must be one step on the completion's tokens, by hand."""
    few = DEMONSTRATIONS[:6]
    result = train(replace(SFT, epochs=1, grad_clip=None), tmp_path, few)
    model, total, count = policy(scale=1.0), 0.0, 0
    for prompt, completion in encode_demonstrations(tokenizer(), few, 64):
        assert completion[-1] == EOS
        logits = model(torch.tensor([prompt + completion])).logits[0].log_softmax(-1)
        for t, token in enumerate(completion):
            total, count = total - logits[len(prompt) - 1 + t, token], count + 1
    assert result.metrics["loss"] == pytest.approx(float((total / count).detach()), rel=1e-5)
    (total / count).backward()
    norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    assert result.metrics["gradient_norm"] == pytest.approx(float(norm), rel=1e-4)


def test_sft_does_not_depend_on_micro_batches(tmp_path):
    one, other = (
        train(
            replace(SFT, epochs=1, micro_batch=size, pretrain_mix=0.25),
            tmp_path / str(size),
            pretraining=DOCUMENTS,
        )
        for size in (None, 3)
    )
    assert other.metrics["loss"] == pytest.approx(one.metrics["loss"], rel=1e-4)
    assert other.metrics["gradient_norm"] == pytest.approx(one.metrics["gradient_norm"], rel=1e-3)


def test_pretraining_mix(tmp_path):
    config = replace(SFT, batch=10, pretrain_mix=0.1, epochs=1)
    mixed = train(config, tmp_path / "mixed", pretraining=DOCUMENTS)
    assert len(metrics(tmp_path / "mixed")) == -(
        -len(DEMONSTRATIONS) // 9
    )  # 9 demonstrations + 1 document
    assert not same_weights(
        mixed.policy, train(replace(config, pretrain_mix=0.0), tmp_path / "plain").policy
    )
    with pytest.raises(MinirlhfError, match=r"pretrain_mix = 0\.1 needs pretraining documents"):
        train(config, tmp_path / "none")
    with pytest.raises(MinirlhfError, match="no room for demonstrations"):
        train(replace(config, pretrain_mix=0.99), tmp_path / "full", pretraining=DOCUMENTS)


def test_residual_dropout():
    places = {"neox": 4, "gpt2": 4, "llama": 0}
    for architecture in ARCHITECTURES:
        model = policy(architecture)
        assert set_residual_dropout(model, 0.2) == places[architecture]
        active = {
            name for name, m in model.named_modules() if isinstance(m, torch.nn.Dropout) and m.p > 0
        }
        assert len(active) == places[architecture] and not any(
            "emb" in name or "attn_d" in name for name in active
        )


def test_dropout_is_on_in_training_only_and_reproducible(tmp_path):
    config = replace(SFT, residual_dropout=0.3, epochs=1)
    one, same = (train(config, tmp_path / name) for name in "ab")
    assert same_weights(one.policy, same.policy)
    assert not same_weights(
        one.policy, train(replace(config, residual_dropout=0.0), tmp_path / "c").policy
    )
    assert not one.policy.training
    with pytest.warns(UserWarning, match="has no residual dropout"):
        train_sft(
            config, policy("llama"), tokenizer(), DEMONSTRATIONS, folder=tmp_path / "d", callback=()
        )


def test_too_long_demonstrations(tmp_path):
    with pytest.warns(UserWarning, match="of 25 demonstrations exceed max_length = 22"):
        train(replace(SFT, max_length=22, epochs=1), tmp_path / "a")
    with pytest.raises(MinirlhfError, match="No demonstration fits into max_length = 5"):
        train(replace(SFT, max_length=5), tmp_path / "b")


def test_without_dropout_there_is_none(tmp_path):
    """GPT-2 comes with .1 of it everywhere."""
    config = replace(SFT, residual_dropout=0.0, epochs=1)
    one, other = (policy("gpt2", scale=1.0) for _ in range(2))
    assert other.transformer.h[0].mlp.dropout.p == 0.1
    for module in other.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trained = [
        train_sft(config, model, tokenizer(), DEMONSTRATIONS, folder=tmp_path / name, callback=())
        for name, model in (("one", one), ("other", other))
    ]
    assert same_weights(trained[0].policy, trained[1].policy)


@pytest.mark.parametrize(
    "config",
    [
        OPTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64, **SHARED),
        BloomConfig(hidden_size=32, n_layer=2, n_head=4, **SHARED),
    ],
    ids=["opt", "bloom"],
)
def test_dropout_that_is_no_module_is_set_too(config):
    model = AutoModelForCausalLM.from_config(config)
    assert set_residual_dropout(model, 0.2) >= 2
    ids = torch.arange(40, 60)[None]
    assert not torch.equal(model.train()(ids).logits, model.eval()(ids).logits)
    set_residual_dropout(model, 0.0)
    assert torch.equal(model.train()(ids).logits, model.eval()(ids).logits)
