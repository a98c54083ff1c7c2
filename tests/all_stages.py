"""Every stage by itself, of 20 steps: what one process and two have to agree about.

    python all_stages.py FOLDER 1 float64 [STAGE ...] [SETTING=VALUE ...]

writes each stage's run, and `gradients.pt`: those of its first step, summed over the processes.
"""

import copy
import json
import sys
from pathlib import Path

import torch
from tiny import DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer

from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrain import train_base
from minirlhf.reward import train_reward
from minirlhf.sft import train_sft
from minirlhf.training.compute import make_accelerator
from minirlhf.training.optimizer import Optimizer
from minirlhf.training.run_folder import RunFolder

STAGES = ("base", "sft", "initial", "reward", "ppo", "ppo-ptx")
FIT = {"batch": 8, "max_length": 64}
PPO = {
    "episodes": 160, "rollout_batch": 8, "minibatch": 4, "max_prompt": 24, "max_response": 8,
    "warmup": 2, "beta": 0.1,
}  # fmt: skip
PTX = {"ptx_gamma": 0.5, "ptx_examples_per_episode": 0.5, "ptx_context": 32}


_now: list[str] = []
"""The stages that have begun."""


def stage(name: str, folder: Path, **common: object) -> None:
    """One stage, from models of its own. Dropout is off: its masks depend on how a batch is cut."""
    tok, model = tokenizer(), policy(scale=1.0)
    to = {"folder": folder / name, "callback": ()}
    _now.append(name)
    if name == "base":
        config = PretrainConfig(
            context=64, batch=2, epochs=4, max_steps=20, warmup=2, log_every=1, **common
        )
        train_base(config, model, tok, DOCUMENTS, **to)
    elif name in ("sft", "initial"):
        mix = {"pretrain_mix": 0.25} if name == "initial" else {}
        config = SFTConfig(
            epochs=5 - len(mix), residual_dropout=0.0, keep_epochs=False, **FIT, **mix, **common
        )
        train_sft(config, model, tok, DEMONSTRATIONS, pretraining=DOCUMENTS, **to)
    elif name == "reward":
        reward = ScalarModel.from_policy(model, tok)
        config = RewardConfig(epochs=5, **FIT, **common)
        train_reward(config, reward, tok, RANKINGS, demonstrations=DEMONSTRATIONS, **to)
    else:
        reward = ScalarModel.from_policy(model, tok)
        models = (model, copy.deepcopy(model), reward, reward.value_model())
        config = PPOConfig(**PPO, **(PTX if name == "ppo-ptx" else {}), **common)
        train_ppo(config, *models, tok, DEMONSTRATIONS, pretraining=DOCUMENTS, **to)


def keep_first_gradients(folder: Path) -> None:
    """Let every stage's first optimizer step leave its gradients behind."""
    step = Optimizer.step

    def kept(optimizer: Optimizer, rate: float) -> torch.Tensor:
        if optimizer.sharded:
            return step(optimizer, rate)
        optimizer.stash()
        path = folder / _now[-1] / "gradients.pt"
        if optimizer.compute.is_main and not path.exists():
            torch.save(torch.cat([gradient.flatten() for gradient in optimizer.stashed]), path)
        return step(optimizer, rate)

    Optimizer.step = kept


def main(folder: Path, processes: str, dtype: str, *words: str) -> None:
    """All stages, or some, in float32 or float64; refuses another number of processes."""
    settings = dict(word.split("=") for word in words if "=" in word)
    common = {name: json.loads(value) for name, value in settings.items()}
    common["checkpoint_seconds"] = 0.0
    assert make_accelerator("fp32").num_processes == int(processes)
    if dtype == "float64":
        torch.set_default_dtype(torch.float64)
        # what the engine computes in; integers are the positions that transformers turns by
        torch.Tensor.float = lambda x: x.to(torch.float64 if x.is_floating_point() else torch.float)
    keep_first_gradients(folder)
    RunFolder.prune = lambda files: None  # the last checkpoint is compared
    for name in [word for word in words if "=" not in word] or STAGES:
        stage(name, folder, **common)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), *sys.argv[2:])
