"""What a run's stages are given."""

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
    monkeypatch.setattr(
        models_and_data, "train_ppo", lambda config, *rest, **options: given.append((config, *rest))
    )
    for name in ("ppo", "ppo-ptx"):
        run.policy(name)
        config, policy, reference, reward, value, _, prompts = given.pop()
        assert (policy, reference) == (Path("initial"), Path("initial"))
        assert (reward, value, prompts) == (run.reward, "a copy of it", "prompts of ppo")
        assert (config.ptx_gamma > 0) == (name == "ppo-ptx")
