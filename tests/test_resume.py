"""Every stage, killed at random moments and started again, ends where an unbroken one does."""

import copy
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import accelerate  # noqa: F401
import pytest
import torch
import torch.utils.tensorboard
from tiny import DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer

from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrain import pretrain
from minirlhf.reward import train_reward
from minirlhf.sft import train_sft

torch.set_num_threads(1)
ScalarModel.from_policy(policy(), tokenizer())  # what is imported here, a forked child needn't
OFTEN = {"checkpoint_seconds": 0.0}


def course(folder: Path, dropout: float = 0.2) -> None:
    """Four stages, each a second or less."""
    tok, quiet = tokenizer(), {"callback": ()}
    base = policy(scale=1.0)
    config = PretrainConfig(context=64, batch=2, max_steps=12, warmup=2, **OFTEN)
    pretrain(config, base, tok, DOCUMENTS, folder=folder / "base", **quiet)
    config = SFTConfig(
        epochs=3, batch=8, max_length=64, pretrain_mix=0.2, residual_dropout=dropout, **OFTEN
    )
    options = {"validation": DEMONSTRATIONS[:4], "pretraining": DOCUMENTS, **quiet}
    train_sft(config, base, tok, DEMONSTRATIONS, folder=folder / "sft", **options)
    config = RewardConfig(batch=4, epochs=2, max_length=64, **OFTEN)
    reward = ScalarModel.from_policy(base, tok)
    options = {"demonstrations": DEMONSTRATIONS, "validation": RANKINGS[:4], **quiet}
    reward = train_reward(config, reward, tok, RANKINGS, folder=folder / "reward", **options).model
    config = PPOConfig(
        episodes=80,
        rollout_batch=8,
        minibatch=4,
        max_prompt=24,
        max_response=8,
        ptx_gamma=0.5,
        ptx_examples_per_episode=0.5,
        ptx_context=32,
        **OFTEN,
    )
    models = (base, copy.deepcopy(base), reward, reward.value_model())
    options = {"pretraining": DOCUMENTS, **quiet}
    train_ppo(config, *models, tok, DEMONSTRATIONS, folder=folder / "ppo", **options)


def start(folder: Path):
    context = multiprocessing.get_context("forkserver")  # imports once, forks for every kill
    context.set_forkserver_preload(["test_resume"])
    process = context.Process(target=course, args=(folder,))
    process.start()
    return process


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills and forks")
def test_killed_at_random_moments(tmp_path):
    for name in ("whole", "again"):  # the second is timed with everything warm
        begun = time.monotonic()
        process = start(tmp_path / name)
        process.join()
        took = time.monotonic() - begun
        assert process.exitcode == 0

    source, kills = random.Random(0), 0
    for _ in range(6):
        process = start(tmp_path / "broken")
        process.join(source.uniform(0.1, 0.6) * took)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
    process = start(tmp_path / "broken")
    process.join()
    assert process.exitcode == 0 and kills >= 2, (process.exitcode, kills, took)
    for stage in ("base", "sft", "reward", "ppo"):
        weights = [
            (tmp_path / name / stage / "model" / "model.safetensors").read_bytes()
            for name in ("whole", "broken")
        ]
        assert weights[0] == weights[1], f"{stage} ends elsewhere after {kills} kills"
        logs = [
            [
                line.split(', "')[0]
                for line in (tmp_path / name / stage / "metrics.jsonl").read_text().splitlines()
            ]
            for name in ("whole", "broken")
        ]
        assert logs[0] == logs[1]
