"""Activation checkpointing keeps less and changes no number; and what the doctor counts with."""

import copy
import gc
from dataclasses import replace

import pytest
import torch
from tiny import DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer

from minirlhf.cli import checks
from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrain import train_base
from minirlhf.reward import train_reward
from minirlhf.sft import train_sft
from minirlhf.training.activation_checkpointing import checkpointed
from minirlhf.training.optimizer import Optimizer

CONFIGS = {
    "pretrain": PretrainConfig(context=64, batch=2, max_steps=3),
    "sft": SFTConfig(epochs=1, batch=8, max_length=64, keep_epochs=False, pretrain_mix=0.25),
    "reward": RewardConfig(batch=8, max_length=64),
    "ppo": PPOConfig(
        episodes=24, rollout_batch=8, minibatch=4, max_prompt=24, max_response=8,
        ptx_gamma=0.5, ptx_examples_per_episode=0.5, ptx_context=32,
    ),
}  # fmt: skip


def train(stage: str, config, folder) -> list[torch.Tensor]:
    """All that is learned."""
    tok, model = tokenizer(), policy("gpt2", scale=1.0)  # it has dropout everywhere
    to = {"folder": folder, "callback": ()}
    if stage == "pretrain":
        train_base(config, model, tok, DOCUMENTS, **to)
    elif stage == "sft":
        train_sft(config, model, tok, DEMONSTRATIONS, pretraining=DOCUMENTS, **to)
    elif stage == "reward":
        reward = ScalarModel.from_policy(model, tok)
        train_reward(config, reward, tok, RANKINGS, demonstrations=DEMONSTRATIONS, **to)
        model = reward
    else:
        reward = ScalarModel.from_policy(model, tok)
        models = (model, copy.deepcopy(model), reward, reward.value_model())
        train_ppo(config, *models, tok, DEMONSTRATIONS, pretraining=DOCUMENTS, **to)
        return [*model.parameters(), *models[-1].parameters()]
    return list(model.parameters())


@pytest.mark.parametrize("stage", CONFIGS)
def test_every_stage_learns_the_same_to_the_last_bit(stage, tmp_path, monkeypatch):
    again, original = [], torch.utils.checkpoint.checkpoint
    monkeypatch.setattr(
        "minirlhf.training.activation_checkpointing.checkpoint",
        lambda forward, *args, **options: again.append(1) or original(forward, *args, **options),
    )
    kept = train(stage, CONFIGS[stage], tmp_path / "kept")
    assert not again
    config = replace(CONFIGS[stage], gradient_checkpointing=True)
    recomputed = train(stage, config, tmp_path / "recomputed")
    assert again
    assert all(torch.equal(*pair) for pair in zip(kept, recomputed, strict=True))


def test_a_run_may_go_on_with_it(tmp_path):
    train("reward", CONFIGS["reward"], tmp_path)
    train("reward", replace(CONFIGS["reward"], gradient_checkpointing=True), tmp_path)


def test_less_is_kept():
    config = policy("gpt2").config
    config.n_layer = 8
    model = type(policy("gpt2"))(config).eval()
    ids = torch.arange(3, 43).repeat(4, 1)

    def kept() -> int:
        sizes: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            logits = model(ids, use_cache=False).logits
        logits.sum().backward()
        weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
        return sum(size for place, size in sizes.items() if place not in weights)

    everything = kept()
    with checkpointed(model):
        less = kept()
    assert less < 0.3 * everything
    assert not any("forward" in vars(module) for module in model.modules())
    assert kept() == everything


def parameters_and_bytes(monkeypatch, folder, stage: str) -> tuple[int, int]:
    """Parameters of one model, and the most bytes that all large tensors ever hold at a step."""
    config = policy("gpt2").config
    config.n_embd, config.vocab_size = 256, 259  # weights, not activations, are what is large
    model = type(policy("gpt2"))(config).eval()
    monkeypatch.setitem(globals(), "policy", lambda *_, **__: model)
    most, step, stash = [], Optimizer.step, Optimizer.stash

    def count() -> None:
        shapes = {tuple(p.shape) for p in model.parameters() if p.numel() > 3000}
        found = {}
        for thing in gc.get_objects():
            if type(thing) in (torch.Tensor, torch.nn.Parameter):
                for tensor in (thing, thing.grad if thing.is_leaf else None):
                    if tensor is not None and tuple(tensor.shape) in shapes:
                        found[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        most.append(sum(found.values()))

    def counted(method):
        def run(*arguments):
            count()
            result = method(*arguments)
            count()
            return result

        return run

    monkeypatch.setattr(Optimizer, "step", counted(step))
    monkeypatch.setattr(Optimizer, "stash", counted(stash))
    gc.collect()  # what earlier tests have left
    train(stage, CONFIGS[stage], folder)
    return sum(p.numel() for p in model.parameters() if p.numel() > 3000), max(most)


@pytest.mark.parametrize(
    ("stage", "name", "beside"),
    [("sft", "sft", 0), ("reward", "rm", 4), ("ppo", "ppo", 0)],  # 4: the policy it was made from
)
def test_bytes_of_a_training_are_what_the_doctor_counts_with(
    stage, name, beside, monkeypatch, tmp_path
):
    parameters, found = parameters_and_bytes(monkeypatch, tmp_path, stage)
    half = 2  # a copy in half precision, which there is none of on a CPU
    assert found / parameters == pytest.approx(checks.BYTES[name] - half + beside, rel=0.02)
