"""minirlhf: the InstructGPT paper, stage by stage, as a small importable package.

The three steps on data of your own, in a few lines:

    from minirlhf import PPOConfig, RewardConfig, ScalarModel, SFTConfig, load_policy, ...

    train_sft(SFTConfig(), policy, tokenizer, demonstrations, folder="runs/sft")
    train_reward(RewardConfig(), ScalarModel.from_policy(policy, tokenizer), tokenizer, rankings,
                 demonstrations=demonstrations, folder="runs/reward")
    train_ppo(PPOConfig(), policy, reference, reward, value, tokenizer, prompts, folder="runs/ppo")

The stages: `train_base`, `train_sft`, `train_reward`, `train_ppo`, each with a config and a run
folder, in which the same call goes on where it was. Models and data: `load_policy`,
`load_tokenizer`, `save_model`, `ScalarModel`, `load_records`. Looking: `complete`, `score_texts`.
The equations are functions of tensors, in `minirlhf.objectives`. In their plainest form the three
steps stand in `minirlhf.plain`: read those first.

Names are imported when they are first asked for.
"""

from importlib import import_module

__version__ = "0.1.0"

_PLACES = {
    "config": "PretrainConfig SFTConfig RewardConfig PPOConfig",
    "presets": "PRESETS",
    "pretrain": "train_base",
    "sft": "train_sft",
    "reward": "train_reward score_texts",
    "ppo": "train_ppo",
    "models": "ScalarModel",
    "pretrained": "load_policy load_tokenizer save_model",
    "sampling": "complete sample",
    "objectives": "sft_loss ptx_loss ranking_loss reward_bias best_of_n kl_k1 kl_k2 kl_k3 "
    "shaped_rewards gae whiten policy_loss value_loss rlhf_objective token_logprobs",
    "data.loading": "load_records",
    "tinytown.bases": "base_folder",
    "errors": "MinirlhfError",
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names.split()}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
