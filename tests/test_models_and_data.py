"""What a run's stages are given."""

import inspect
from pathlib import Path
from types import SimpleNamespace

from minirlhf.experiment import models_and_data
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.tinytown.town import Tinytown


def test_ppo_starts_from_the_initial_model_and_the_reward_model(tmp_path, monkeypatch):
    """Policy and reference: C.3's, not the 16 epochs of C.1. Value model: the reward model's."""
    run, given = Artifacts(Tinytown(), ExperimentConfig(folder=tmp_path)), []
    run.initial, run.sft, run.documents = Path("initial"), Path("sft"), []
    run.reward = SimpleNamespace(value_model=lambda: "a copy of it")
    run.prompts = lambda split: f"prompts of {split}"
    monkeypatch.setattr(models_and_data, "load_policy", lambda path, tokenizer: path)
    signature = inspect.signature(models_and_data.train_ppo)
    monkeypatch.setattr(
        models_and_data, "train_ppo",
        lambda *args, **options: given.append(signature.bind(*args, **options).arguments),
    )  # fmt: skip
    for name in ("ppo", "ppo-ptx"):
        run.policy(name)
        said = given.pop()
        assert said["policy"] == said["reference"] == Path("initial")
        assert said["reward_model"] is run.reward and said["value_model"] == "a copy of it"
        assert said["prompts"] == "prompts of ppo"
        assert (said["config"].ptx_gamma > 0) == (name == "ppo-ptx")
