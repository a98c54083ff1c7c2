"""Models that come from elsewhere: they work, or are refused before anything is trained."""

import copy
import json
import os
import stat

import pytest
import torch
import transformers
from tiny import (
    ARCHITECTURES,
    BOS,
    DEMONSTRATIONS,
    EOS,
    PAD,
    RANKINGS,
    SHARED,
    policy,
    tokenizer,
    write_world,
)
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    GenerationConfig,
    MambaConfig,
)

from minirlhf.cli.__main__ import main
from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.data import model_folders
from minirlhf.data.batching import collate
from minirlhf.errors import MinirlhfError
from minirlhf.fast.mask_support import is_causal
from minirlhf.models import ScalarModel, never_sampled, response_logprobs
from minirlhf.ppo import train_ppo
from minirlhf.pretrain import train_base
from minirlhf.pretrained import (
    check_vocabulary,
    load_classifier,
    load_policy,
    load_tokenizer,
    save_model,
)
from minirlhf.reward import train_reward
from minirlhf.sampling import complete, sample
from minirlhf.sft import train_sft

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, **SHARED}
BERT = {"num_attention_heads": 2, "intermediate_size": 64, **SMALL}


def made_from(config, auto=AutoModelForCausalLM):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return auto.from_config(config).eval()


def entrances(model, folder):
    """Whatever begins with a policy."""
    tok, rest = tokenizer(), {"folder": folder, "callback": ()}
    short = {"max_prompt": 24, "max_response": 8}
    reward = ScalarModel.from_policy(policy(), tok)
    scorers = reward, reward.value_model()
    return {
        "pretrain": lambda: train_base(
            PretrainConfig(context=64), model, tok, [{"text": "a red cat"}], **rest
        ),
        "sft": lambda: train_sft(SFTConfig(max_length=64), model, tok, DEMONSTRATIONS, **rest),
        "ppo": lambda: train_ppo(
            PPOConfig(**short), model, policy(), *scorers, tok, DEMONSTRATIONS, **rest
        ),
        "complete": lambda: complete(model, tok, ["a"], max_new_tokens=4),
    }


# --------------------------------------------------------------------------- what a class is called


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_causal_models_are_known_as_such(architecture):
    model = policy(architecture)
    assert is_causal(model) and is_causal(model.half())
    assert is_causal(made_from(BertConfig(is_decoder=True, **BERT)))


@pytest.mark.parametrize("entrance", ["pretrain", "sft", "ppo", "complete"])
def test_a_causal_lm_that_looks_ahead_is_refused(entrance, tmp_path):
    model = made_from(BertConfig(**BERT))
    with pytest.raises(MinirlhfError, match=r"BertLMHeadModel isn't causal.*is_decoder"):
        entrances(model, tmp_path / "run")[entrance]()
    assert not (tmp_path / "run").exists()


def looks_ahead(model):
    """A decoder's attention, made to see the whole row."""
    backbone, forward = model.base_model, model.base_model.forward

    def whole(input_ids, **options):
        rows, width = input_ids.shape
        options["attention_mask"] = torch.ones(rows, 1, width, width, dtype=torch.bool)
        return forward(input_ids=input_ids, **options)

    backbone.forward = whole
    return model


def test_a_reward_model_that_looks_ahead_is_refused(tmp_path, monkeypatch):
    reward = ScalarModel.from_policy(policy(), tokenizer())
    reward.save(tmp_path / "rm", tokenizer())
    looks_ahead(reward.classifier)
    arguments = RewardConfig(max_length=64), reward, tokenizer(), RANKINGS
    with pytest.raises(MinirlhfError, match=r"isn't causal"):
        train_reward(*arguments, demonstrations=DEMONSTRATIONS, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("minirlhf.pretrained.is_causal", lambda model: False)
    with pytest.raises(MinirlhfError, match=r"rm: .* isn't causal"):
        ScalarModel.load(tmp_path / "rm")


# ------------------------------------------------------------------------------ what can be sampled


def hybrid():
    """An attention layer behind a recurrent one."""
    if not hasattr(transformers, "Qwen3_5TextConfig"):
        pytest.skip("this transformers has no such model")
    state = {f"linear_{what}_head_dim": 16 for what in ("key", "value")}
    state |= {f"linear_num_{what}_heads": 2 for what in ("key", "value")}
    config = transformers.Qwen3_5TextConfig(
        layer_types=["linear_attention", "full_attention"], num_key_value_heads=2, head_dim=16,
        **state, **BERT,
    )  # fmt: skip
    return made_from(config)


@pytest.mark.parametrize("micro_batch", [64, 2])
def test_rows_leave_a_recurrent_layer_too(micro_batch):
    model = hybrid()
    prompts = [[BOS, *range(40, 40 + n)] for n in (3, 9, 1, 6, 6, 2)]
    uniforms = torch.rand(6, 10, generator=torch.Generator().manual_seed(5))
    suppress = never_sampled(tokenizer(), model)
    ends = {"eos_token_id": EOS, "pad_token_id": PAD, "suppress": suppress}
    rollout = sample(model, prompts, uniforms, micro_batch=micro_batch, **ends)
    with torch.no_grad():
        again = response_logprobs(model, collate(prompts, rollout.ids(), PAD), suppress=suppress)
    assert torch.allclose(rollout.logprobs[:, : again.shape[1]], again, atol=1e-5)


def test_a_hybrid_model_goes_through_all_steps(tmp_path):
    tok, model = tokenizer(), hybrid()
    rest = {"callback": ()}
    fit = {"epochs": 1, "batch": 8, "max_length": 64}
    sft = SFTConfig(keep_epochs=False, residual_dropout=0.0, **fit)
    train_sft(sft, model, tok, DEMONSTRATIONS[:8], folder=tmp_path / "sft", **rest)
    reward = train_reward(
        RewardConfig(**fit), ScalarModel.from_policy(model, tok), tok, RANKINGS[:8],
        demonstrations=DEMONSTRATIONS[:8], folder=tmp_path / "rm", **rest,
    ).model  # fmt: skip
    config = PPOConfig(
        episodes=16, rollout_batch=8, minibatch=8, max_prompt=24, max_response=8, warmup=0
    )
    models = model, copy.deepcopy(model), reward, reward.value_model()
    result = train_ppo(config, *models, tok, DEMONSTRATIONS, folder=tmp_path / "ppo", **rest)
    assert result.metrics["objective/kl"] < 1.0


@pytest.mark.parametrize("entrance", ["pretrain", "sft", "ppo", "complete"])
def test_what_cannot_be_sampled_is_not_trained(entrance, tmp_path):
    model = made_from(MambaConfig(**SMALL))
    with pytest.raises(MinirlhfError, match=r"MambaForCausalLM can't be sampled from here"):
        entrances(model, tmp_path / "run")[entrance]()
    assert not (tmp_path / "run").exists()


def test_a_cache_that_gives_other_logits_is_noticed(monkeypatch):
    model = policy()
    forward = model.gpt_neox.forward

    def further_off(*arguments, past_key_values=None, **options):
        if past_key_values is not None and past_key_values.get_seq_length():
            options["position_ids"] = options["position_ids"] + 3
        return forward(*arguments, past_key_values=past_key_values, **options)

    monkeypatch.setattr(model.gpt_neox, "forward", further_off)
    with pytest.raises(MinirlhfError, match=r"off by .* standard deviations"):
        complete(model, tokenizer(), ["a"], max_new_tokens=2)


def test_padding_that_is_seen_is_noticed(monkeypatch):
    model = policy()
    forward = model.gpt_neox.forward

    def blind(*arguments, attention_mask=None, **options):
        return forward(*arguments, **options)

    monkeypatch.setattr(model.gpt_neox, "forward", blind)
    with pytest.raises(MinirlhfError, match=r"off by .* standard deviations"):
        complete(model, tokenizer(), ["a"], max_new_tokens=2)


# ------------------------------------------------------------------------------------ what is saved


def test_what_is_saved_agrees_about_its_special_tokens(tmp_path):
    model = policy()
    model.config.eos_token_id, model.config.pad_token_id = 7, None
    model.generation_config = GenerationConfig(eos_token_id=[7, 8], bos_token_id=9)
    save_model(model, tokenizer(), tmp_path / "policy")
    ScalarModel.from_policy(model, tokenizer()).save(tmp_path / "rm", tokenizer())
    wanted = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
    found = [AutoConfig.from_pretrained(tmp_path / name) for name in ("policy", "rm")]
    found += [AutoTokenizer.from_pretrained(tmp_path / name) for name in ("policy", "rm")]
    found += [GenerationConfig.from_pretrained(tmp_path / "policy")]
    for of in found:
        assert {name: getattr(of, name) for name in wanted} == wanted


def test_plain_generate_stops_where_we_do(tmp_path):
    model = policy()
    model.config.eos_token_id = 7
    save_model(model, tokenizer(), tmp_path)
    stock = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    stock.set_output_embeddings(torch.nn.Linear(32, 259))  # that says EOS whatever comes
    with torch.no_grad():
        stock.get_output_embeddings().weight.zero_()
        stock.get_output_embeddings().bias.zero_()[EOS] = 9.0
    ids = torch.tensor([[BOS, 40, 41]])
    assert stock.generate(ids, do_sample=False, max_new_tokens=9).tolist() == [[BOS, 40, 41, EOS]]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_who_may_read_a_saved_model_the_umask_says(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        save_model(policy(), tokenizer(), tmp_path / "policy")
        ScalarModel.from_policy(policy(), tokenizer()).save(tmp_path / "rm", tokenizer())
    finally:
        os.umask(before)
    files = [file for name in ("policy", "rm") for file in (tmp_path / name).iterdir()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {mode}


# --------------------------------------------------------------------------- why it can't be loaded


@pytest.fixture
def folder(tmp_path):
    save_model(policy(), tokenizer(), tmp_path / "model")
    return tmp_path / "model"


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_git_lfs_pointer_is_named(file, folder):
    (folder / file).write_text(POINTER)
    load = load_tokenizer if file.startswith("tokenizer") else load_policy
    with pytest.raises(MinirlhfError, match=f"git-lfs pointer in the place of {file}: run git lfs"):
        load(folder)


def test_a_pointer_that_nobody_asks_for_does_not_matter(folder):
    (folder / "onnx.bin").write_text(POINTER)
    (folder / "model.safetensors").rename(folder / "aside")
    (folder / "model.safetensors").write_text(POINTER)
    assert load_tokenizer(folder)("a")["input_ids"]
    (folder / "aside").rename(folder / "model.safetensors")
    assert load_policy(folder)


def test_an_adapter_is_named_with_its_base(folder):
    (folder / "config.json").unlink()
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    about = {"base_model_name_or_path": "org/base", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(about))
    with pytest.raises(MinirlhfError, match=r"is an adapter .* of org/base, .* merge"):
        load_policy(folder)
    (folder / "adapter_config.json").write_text("{")
    with pytest.raises(MinirlhfError, match=r"is an adapter .* of another model, .* merge"):
        load_policy(folder)
    assert load_tokenizer(folder)("a")["input_ids"]  # which is whole


def test_a_file_that_may_not_be_read_is_named(folder, monkeypatch):
    access = os.access
    closed = {folder / "model.safetensors"}
    monkeypatch.setattr(os, "access", lambda path, *a: path not in closed and access(path, *a))
    assert "may not read, model.safetensors" in model_folders.obstacle(folder)
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(MinirlhfError, match=r"you may not read, model.safetensors: ask its owner"):
        load_policy(folder)
    closed.add(folder)
    assert "can't be read: ask its owner" in model_folders.obstacle(folder)


# ------------------------------------------------------------------------------ other reward models


def test_an_encoder_is_no_reward_model(tmp_path):
    encoder = made_from(BertConfig(num_labels=1, **BERT), AutoModelForSequenceClassification)
    with pytest.raises(MinirlhfError, match=r"BertForSequenceClassification has no head"):
        ScalarModel(encoder)
    save_model(encoder, tokenizer(), tmp_path / "rm")
    for load in (ScalarModel.load, load_classifier):
        with pytest.raises(MinirlhfError, match=r"rm: BertForSequenceClassification has no head"):
            load(tmp_path / "rm")


@pytest.mark.parametrize("labels", [1, 2])
def test_an_encoder_is_refused_by_every_command(labels, tmp_path, capsys):
    config = BertConfig(num_labels=labels, **BERT)
    encoder = made_from(config, AutoModelForSequenceClassification)
    save_model(encoder, tokenizer(), tmp_path / "encoder")
    world = write_world(tmp_path)
    demos, reward = f"{world}/demos.jsonl", f"{world}/encoder"
    run = ["--folder", f"{tmp_path}/run"]
    for command in (
        ["rm", "--model", reward, "--rankings", f"{world}/rankings.jsonl",
         "--demonstrations", demos, *run],
        ["ppo", "--model", f"{world}/base", "--reward", reward, "--prompts", demos, *run],
        ["chat", f"{world}/base", "--reward", reward],
    ):  # fmt: skip
        assert main(command) == 2
        assert f"{reward}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# ----------------------------------------------------------------------------------- one vocabulary


def test_a_model_with_many_rows_to_spare_is_taken_at_its_loader_s_word(tmp_path):
    """Embeddings for 2,400 tokens more than there are, as real models have them."""
    model = policy()
    model.resize_token_embeddings(2700, mean_resizing=False)
    model.save_pretrained(tmp_path / "other")
    tokenizer().save_pretrained(tmp_path / "other")
    alone = load_policy(tmp_path / "other")
    with pytest.raises(MinirlhfError, match=r"2700 tokens.* do belong together.*name, tokenizer"):
        check_vocabulary(alone, tokenizer())
    check_vocabulary(load_policy(tmp_path / "other", tokenizer()), tokenizer())
    reward = ScalarModel.from_policy(alone, tokenizer())
    reward.classifier.config.vocabulary = None
    reward.classifier.save_pretrained(tmp_path / "rm")
    with pytest.raises(MinirlhfError, match=r"do belong together"):
        check_vocabulary(ScalarModel.load(tmp_path / "rm").classifier, tokenizer())
    check_vocabulary(ScalarModel.load(tmp_path / "rm", tokenizer()).classifier, tokenizer())


def test_a_word_does_not_outweigh_what_a_model_knows(tmp_path):
    save_model(policy(), tokenizer(), tmp_path)
    other = copy.deepcopy(tokenizer())
    other.add_tokens(["word"])
    grown = load_policy(tmp_path, other)
    check_vocabulary(grown, other)
    save_model(grown, other, tmp_path / "grown")
    with pytest.raises(MinirlhfError, match=r"must share one vocabulary|has 259 tokens but"):
        check_vocabulary(load_policy(tmp_path / "grown", tokenizer()), tokenizer())


def test_ppo_takes_a_foreign_policy_with_its_own_tokenizer(tmp_path, capsys):
    world = write_world(tmp_path)
    model = policy(scale=1.0)
    model.resize_token_embeddings(2700, mean_resizing=False)
    model.save_pretrained(tmp_path / "other")
    tokenizer().save_pretrained(tmp_path / "other")
    fit = "--episodes 8 --rollout-batch 8 --minibatch 8 --max-prompt 24 --max-response 8".split()
    files = ["--prompts", f"{world}/demos.jsonl", "--folder", f"{tmp_path}/run"]
    code = main(["ppo", "--model", f"{world}/other", "--reward", f"{world}/rm", *files, *fit])
    assert code == 0, capsys.readouterr().err


# ----------------------------------------------------------------------------------------- adapters


@pytest.mark.parametrize("entrance", ["pretrain", "sft", "ppo", "complete"])
def test_a_model_with_adapters_is_refused_first(entrance, tmp_path):
    model = policy()
    model.peft_config = {"default": {"r": 8}}  # what says so, whether wrapped or not
    with pytest.raises(MinirlhfError, match=r"has adapters .*merge_and_unload\(\)"):
        entrances(model, tmp_path / "run")[entrance]()
    assert not (tmp_path / "run").exists()
    with pytest.raises(MinirlhfError, match=r"has adapters"):
        ScalarModel.from_policy(model, tokenizer())


def test_a_real_peft_model_is_refused_until_it_is_merged(tmp_path):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["query_key_value"])
    model = peft.get_peft_model(policy(), config)
    with pytest.raises(MinirlhfError, match=r"has adapters"):
        entrances(model, tmp_path / "run")["sft"]()
    with pytest.raises(MinirlhfError, match=r"has adapters"):
        ScalarModel.from_policy(model, tokenizer())
    assert ScalarModel.from_policy(model.merge_and_unload(), tokenizer())
