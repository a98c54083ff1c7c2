"""The reference run: the three steps in some seconds, and what they measure, in reference.json.

    python tests/reference.py      makes it anew, from all seeds

A change that moves these numbers changes what every run of this version computes: it should be
meant, and the new file says by how much.
"""

import copy
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tiny import DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer

from minirlhf.config import PPOConfig, RewardConfig, SFTConfig
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.randomness import generator
from minirlhf.reward import train_reward
from minirlhf.sft import train_sft

FILE = Path(__file__).with_name("reference.json")
SEEDS = range(8)
NAMES = {
    "sft": ("loss", "gradient_norm"),
    "reward": ("loss", "accuracy", "gradient_norm"),
    "ppo-ptx": (
        "objective/kl", "objective/score", "objective/entropy", "ppo/loss/policy", "ppo/loss/value",
        "ppo/policy/approxkl", "ppo/val/var_explained", "ppo/gradient_norm/policy", "ptx/loss",
    ),
}  # fmt: skip
"""The stages, and which of their metrics are compared."""

Curves = dict[str, dict[str, list[float]]]
"""Stage, metric: a number a step."""


def run(folder: Path, seed: int) -> Curves:
    """The three steps of one seed, and their metrics."""
    tok, model = tokenizer(), policy(scale=1.0)
    with torch.no_grad():  # initial weights that no version of a library can change
        for name, parameter in sorted(model.named_parameters()):
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.08, generator=generator(0, name))
    every = {"seed": seed, "log_every": 1}
    fit = {"batch": 8, "max_length": 64, **every}
    initial = copy.deepcopy(model)
    config = SFTConfig(epochs=2, residual_dropout=0.0, pretrain_mix=0.25, **fit)
    to = {"callback": (), "pretraining": DOCUMENTS}
    train_sft(config, initial, tok, DEMONSTRATIONS, folder=folder / "sft", **to)
    reward = train_reward(
        RewardConfig(epochs=2, **fit), ScalarModel.from_policy(initial, tok, seed=seed), tok,
        RANKINGS, demonstrations=DEMONSTRATIONS, folder=folder / "reward", callback=(),
    ).model  # fmt: skip
    config = PPOConfig(
        episodes=128, rollout_batch=16, minibatch=8, max_prompt=24, max_response=8, warmup=2,
        beta=0.1, ptx_gamma=0.5, ptx_examples_per_episode=0.5, ptx_context=32, **every,
    )  # fmt: skip
    models = (initial, copy.deepcopy(initial), reward, reward.value_model())
    train_ppo(config, *models, tok, DEMONSTRATIONS, folder=folder / "ppo-ptx", **to)
    return {stage: curves(folder / stage, names) for stage, names in NAMES.items()}


def curves(folder: Path, names: tuple[str, ...]) -> dict[str, list[float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return {name: [line[name] for line in lines] for name in names}


def remake() -> None:
    """Seed 0's metrics, and the mean and deviation of all seeds' at every step."""
    found = []
    for seed in SEEDS:
        with TemporaryDirectory() as folder:
            found.append(run(Path(folder), seed))
    content = {}
    for stage, names in NAMES.items():
        for name in names:
            seeds = torch.tensor([one[stage][name] for one in found], dtype=torch.float64)
            content[f"{stage} {name}"] = {
                "seed 0": [round(x, 6) for x in seeds[0].tolist()],
                "mean": [round(x, 4) for x in seeds.mean(0).tolist()],
                "deviation": [round(x, 4) for x in seeds.std(0).tolist()],
            }
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in content.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(remake())
