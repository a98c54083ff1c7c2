"""The blackboard's three steps and the engine's are one computation: same draws, same numbers."""

import ast
import copy
import inspect
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from tiny import ARCHITECTURES, DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer
from transformers import AutoModelForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from minirlhf.config import PPOConfig, RewardConfig, SFTConfig
from minirlhf.data.tokenization import (
    encode_completions,
    encode_demonstrations,
    encode_documents,
    encode_prompts,
)
from minirlhf.models import ScalarModel, never_sampled
from minirlhf.plain import ppo, reward, sft
from minirlhf.ppo import train_ppo
from minirlhf.reward import train_reward
from minirlhf.sft import train_sft

FIT = {"batch": 8, "max_length": 64, "learning_rate": 3e-4}
MIXED = [
    *RANKINGS[:9],
    {**RANKINGS[9], "ranks": [1, 1, 1, 1]},
    *({**r, "completions": r["completions"][:2], "ranks": [2, 1]} for r in RANKINGS[10:14]),
    *(
        {**r, "completions": [*r["completions"], "a b c"], "ranks": [5, 3, 3, 1, 2]}
        for r in RANKINGS[14:]
    ),
]
"""Rankings of 2, 4 and 5, with ties, and one of nothing else."""
PTX = {"ptx_gamma": 0.5, "ptx_examples_per_episode": 0.5, "ptx_context": 16}
BASE = {
    "episodes": 18, "rollout_batch": 6, "minibatch": 4, "max_prompt": 24, "max_response": 8,
    "warmup": 2, "beta": 0.1, "learning_rate": 3e-4, "value_learning_rate": 6e-4,
}  # fmt: skip
PPOS = {
    "ppo": {},
    "clips": {"inner_epochs": 3, "clip": 0.02, "value_clip": 0.01, "grad_clip": None, "lam": 0.9},
    "ptx": {**PTX, "inner_epochs": 2, "ema": 0.7, "missing_eos_penalty": 2.0, "grad_clip": 0.1},
    "unwhitened": {
        "micro_batch": 2,
        "rollout_micro_batch": 3,
        "precision": "fp32",
        "whiten_advantages": False,
        "ema": None,
        "value_clip": None,
        "warmup": 0,
    },
    "all whitened": {"whiten_rewards": True, "beta": 1.0, "minibatch": 3, "inner_epochs": 2},
}


def rms_norm(self, x):
    """Llama's, which otherwise goes through float32 even in a model of float64."""
    return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon)


@pytest.fixture(params=["float32", "float64"])
def tolerance(request, monkeypatch):
    """How far apart the two may be; the engine computes in either precision."""
    if request.param == "float32":
        yield {"metrics": 1e-6, "weights": None}
        return
    short = torch.Tensor.float
    monkeypatch.setattr(
        torch.Tensor, "float", lambda x: x.double() if x.is_floating_point() else short(x)
    )
    monkeypatch.setattr(LlamaRMSNorm, "forward", rms_norm)
    torch.set_default_dtype(torch.float64)
    yield {"metrics": 1e-12, "weights": 1e-12}
    torch.set_default_dtype(torch.float32)


def ids(lists):
    return [torch.tensor(list(one)) for one in lists]


def as_pairs(examples):
    return [tuple(ids(example)) for example in examples]


def documents(context):
    texts = [document["text"] for document in DOCUMENTS]
    return as_pairs((d[:1], d[1:]) for d in encode_documents(tokenizer(), texts, context))


def rankings(records):
    """Prompt, completions and ranks of each."""
    for record in records:
        completions = ids(encode_completions(tokenizer(), record["completions"]))
        [prompt] = ids(encode_prompts(tokenizer(), [record["prompt"]]))
        yield prompt, completions, torch.tensor(record["ranks"])


def demonstrations():
    return as_pairs(encode_demonstrations(tokenizer(), DEMONSTRATIONS, 64))


def stock(scalar):
    """A reward or value model as transformers has it, with none of our kernels; in train mode."""
    model = type(scalar.classifier)(copy.deepcopy(scalar.classifier.config))
    model.load_state_dict(scalar.classifier.state_dict())
    model.config.reward_bias = float(scalar.bias)
    return model


@torch.no_grad()
def brief(model):
    """The same, but every sixth token or so is EOS: some responses end, others are cut."""
    hidden = [model.base_model(input_ids=x[None]).last_hidden_state[0] for x, _ in demonstrations()]
    mean = torch.cat(hidden).mean(0)
    rows = model.get_output_embeddings().weight
    rows[tokenizer().eos_token_id] += 4.0 * mean / mean.dot(mean)
    return model


def agree(one, other, tolerance):
    """Metrics of every step, name by name."""
    assert len(one) == len(other) > 1
    for step, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        for name in mine:
            off = abs(mine[name] - theirs[name]) / max(1.0, abs(theirs[name]))
            assert off <= tolerance, (step, name, mine[name], theirs[name])


def alike(one, other, tolerance):
    """Weights, name by name."""
    if tolerance is None:
        return
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, weight in mine.items():
        off = float((weight - theirs[name]).abs().max())
        assert off <= tolerance, (name, off)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("mix", [0.0, 0.25])
def test_sft(architecture, mix, tmp_path, tolerance):
    config = SFTConfig(epochs=2, residual_dropout=0.0, pretrain_mix=mix, **FIT)
    mine, theirs, events = policy(architecture, scale=1.0), policy(architecture, scale=1.0), []
    train_sft(
        config, theirs, tokenizer(), DEMONSTRATIONS, pretraining=DOCUMENTS, folder=tmp_path,
        callback=events.append,
    )  # fmt: skip
    steps = list(sft.train(config, mine, demonstrations(), documents(64)))
    agree(steps, [event.metrics for event in events], tolerance["metrics"])
    alike(mine, theirs, tolerance["weights"])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reward(architecture, tmp_path, tolerance):
    config = RewardConfig(epochs=2, **FIT)
    scalar, events = ScalarModel.from_policy(policy(architecture, scale=1.0), tokenizer()), []
    scalar.bias.fill_(3.0)
    mine = stock(scalar)
    with pytest.warns(UserWarning, match="1 hold nothing but ties"):
        train_reward(
            config, scalar, tokenizer(), MIXED, demonstrations=DEMONSTRATIONS, folder=tmp_path,
            callback=events.append,
        )  # fmt: skip
    steps = list(reward.train(config, mine, list(rankings(MIXED)), demonstrations()))
    agree(steps, [event.metrics for event in events], tolerance["metrics"])
    alike(mine, scalar.classifier, tolerance["weights"])
    with torch.no_grad():  # constants alone may differ: Eq. 1 doesn't see what rounding adds to all
        one, other = (reward.scores(m.eval(), demonstrations()) for m in (mine, stock(scalar)))
    assert (one - other).abs().max() <= 3 * tolerance["metrics"]
    assert abs(float(one.mean())) < 1e-6


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("case", PPOS)
def test_ppo(architecture, case, tmp_path, tolerance):
    config = PPOConfig(**BASE | PPOS[case])
    tok, events = tokenizer(), []
    theirs = brief(policy(architecture, scale=1.0))
    mine, reference = copy.deepcopy(theirs), brief(policy(architecture, seed=3, scale=1.0))
    scalar = ScalarModel.from_policy(policy(architecture, seed=5, scale=1.0), tok)
    scalar.bias.fill_(0.7)
    value = scalar.value_model()
    banned = torch.zeros(259).masked_fill(never_sampled(tok, mine), -torch.inf)
    models = ppo.Models(
        mine, copy.deepcopy(reference), stock(scalar), stock(scalar), banned, tok.eos_token_id
    )
    train_ppo(
        config, theirs, reference, scalar, value, tok, DEMONSTRATIONS, pretraining=DOCUMENTS,
        folder=tmp_path, callback=events.append,
    )  # fmt: skip
    prompts = ids(encode_prompts(tok, [record["prompt"] for record in DEMONSTRATIONS]))
    steps, finished = [], []
    for episodes, losses in ppo.train(config, models, prompts, documents(config.ptx_context)):
        names = ["ppo/loss/policy", "ppo/loss/value"] + ["ptx/loss"] * (config.ptx_gamma > 0)
        steps.append(dict(zip(names, losses.tolist(), strict=False)))
        steps[-1]["objective/score"] = float(episodes.scores.mean())
        steps[-1]["objective/kl"] = float(episodes.kl.mean())
        finished += [y[-1] == tok.eos_token_id for _, y in episodes.pairs]
    assert 0 < sum(finished) < len(finished)
    agree(steps, [event.metrics for event in events], tolerance["metrics"])
    mine.save_pretrained(tmp_path / "plain")  # as a whole, though its weights lie in one vector
    alike(AutoModelForCausalLM.from_pretrained(tmp_path / "plain"), theirs, tolerance["weights"])
    alike(mine, theirs, tolerance["weights"])
    alike(models.value, value.classifier, tolerance["weights"])


# ------------------------------------------------------------------------------- what it refuses

REFUSED = {
    "sft": (SFTConfig(residual_dropout=0.0), {"residual_dropout": 0.1, "weight_decay": 0.1}),
    "reward": (RewardConfig(), {"weight_decay": 0.1}),
    "ppo": (
        PPOConfig(),
        {"vector_factor": 2.0, "decay": "linear", "temperature": 0.7, "normalization": "sequence"},
    ),
}
"""Settings that each file is fine with, and all that it doesn't cover."""
FILES = {"sft": sft, "reward": reward, "ppo": ppo}


@pytest.mark.parametrize("name", FILES)
def test_settings_that_are_not_covered_are_refused(name):
    module, (config, refused) = FILES[name], REFUSED[name]
    refused = refused | {"precision": "bf16", "fsdp": True}
    named = {*module.COVERED, *module.ELSEWHERE}
    assert {field.name for field in fields(config)} == named | refused.keys()
    assert not named & refused.keys()
    nothing = [None] * (len(inspect.signature(module.train).parameters) - 1)
    for setting, value in refused.items():
        sentence = rf"^plain/{name}\.py doesn't cover {setting} = {value}: take train_{name}\.$"
        with pytest.raises(ValueError, match=sentence):
            next(module.train(replace(config, **{setting: value}), *nothing))


def test_a_loop_of_ones_own_has_the_rates_that_the_settings_say():
    policy, value = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    models = ppo.Models(policy, torch.nn.Linear(2, 2), torch.nn.Linear(2, 1), value, None, 0)
    adam, _ = ppo.start(PPOConfig(learning_rate=3e-4, value_learning_rate=2e-3), models)
    of = {id(group["params"][0]): group["lr"] for group in adam.param_groups}
    assert (of[id(policy.weight)], of[id(value.weight)]) == (3e-4, 2e-3)


# --------------------------------------------------------------------- what makes it a blackboard


def source(name):
    text = Path(FILES[name].__file__).read_text("utf-8")
    return text, ast.parse(text)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short_and_one_statement_a_line(name):
    text, tree = source(name)
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) <= 120 and max(map(len, lines)) <= 100
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    assert len({node.lineno for node in statements}) == len(statements)


@pytest.mark.parametrize("name", FILES)
def test_a_file_needs_nothing_but_equations_and_draws(name):
    _, tree = source(name)
    assert ast.unparse(tree.body[-1]).splitlines() == [
        "if __name__ == '__main__':",
        "    from minirlhf.plain import demo",
        f"    demo.{name}()",
    ]
    for node in ast.walk(ast.Module(tree.body[:-1], [])):
        if isinstance(node, ast.Import):
            allowed = {"torch", *sys.stdlib_module_names}
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            root = node.module.partition(".")[0]
            ours = [f"{node.module}.{alias.name}" for alias in node.names]
            equations = ours == ["minirlhf.objectives"] or node.module == "minirlhf.randomness"
            assert root == "torch" or root in sys.stdlib_module_names or equations, ours


@pytest.mark.parametrize("name", FILES)
def test_no_function_has_more_than_twelve_lines_and_every_one_says_what_it_does(name):
    text, tree = source(name)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert len(functions) >= 6
    for function in functions:
        assert ast.get_docstring(function), function.name
        body = text.splitlines()[function.body[0].end_lineno : function.end_lineno]
        assert len([line for line in body if line.strip()]) <= 12, function.name
