"""``minirlhf pretrain | sft | rm | ppo``: each stage alone, from files to a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minirlhf.commands.parsing import OmitArgPrefixes, option, parse, preset
from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.errors import MinirlhfError


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What every stage's command has."""

    folder: Path
    """The run folder; the same command on the same folder goes on where it was."""
    preset: Literal["tinytown", "paper"] = "tinytown"
    """Where the defaults of the settings below come from (minirlhf presets shows both)."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(Stage):
    """Pretraining: a base model from text (the paper starts from GPT-3).

    Reads JSONL files, one JSON object a line:
      --documents       text

    Writes into --folder:
      model/            the base model and its tokenizer, in transformers' format
      metrics.jsonl     a line a step; the same in tensorboard/

    For example:
      minirlhf pretrain --documents texts.jsonl --size medium --folder runs/base

    In several processes, on as many GPUs:
      accelerate launch --num_processes 2 -m minirlhf.cli pretrain ...
    """

    documents: Path
    """JSONL with `text`, one document a line."""
    validation: Path | None = None
    """JSONL with `text`, held out; its loss is reported."""
    size: Literal["small", "medium", "large"] = "medium"
    """Shape of the new model: that of Tinytown's base of this size."""
    tokenizer: str | None = None
    """Folder of a tokenizer (default: Tinytown's, which spells other towns' words in bytes)."""
    pad_token: str | None = None
    """Pad token to add to a tokenizer that has none."""
    settings: OmitArgPrefixes[PretrainConfig]
    """Optimization."""


@dataclass(frozen=True, kw_only=True)
class SFT(Stage):
    """Step 1 of the paper: supervised fine-tuning on demonstrations (§3.5, C.1).

    Reads JSONL files, one JSON object a line:
      --demonstrations  prompt, completion
      --validation      the same, held out
      --pretraining     text; makes the model that PPO starts from (C.3): 10% of every
                        batch are such documents, and the defaults are those of C.3

    Writes into --folder:
      model/            the policy and its tokenizer, in transformers' format
      epochs/           the same after every epoch, to choose from by RM score (C.1)
      metrics.jsonl     a line a step; the same in tensorboard/

    For example:
      minirlhf sft --model medium --demonstrations demos.jsonl --folder runs/sft

    In several processes, on as many GPUs:
      accelerate launch --num_processes 2 -m minirlhf.cli sft ...
    """

    model: str
    """small, medium or large (Tinytown's bases), a model folder, a run folder, or a hub name."""
    demonstrations: Path
    """JSONL with `prompt`, `completion`."""
    validation: Path | None = None
    """JSONL with `prompt`, `completion`; its loss is reported after every epoch."""
    pretraining: Path | None = None
    """JSONL with `text`, to mix into every batch."""
    drop_long: bool = False
    """Leave out what exceeds --max-length, where otherwise it is an error."""
    pad_token: str | None = None
    """Pad token to add to a tokenizer that has none (for gpt2: '<|pad|>')."""
    settings: OmitArgPrefixes[SFTConfig]
    """Optimization."""


@dataclass(frozen=True, kw_only=True)
class RM(Stage):
    r"""Step 2 of the paper: the reward model, from K-wise rankings (§3.5, Eq. 1, C.2).

    Reads JSONL files, one JSON object a line:
      --rankings        prompt, completions, ranks (1 is best, ties allowed),
                        or comparisons: prompt, chosen, rejected
      --validation      the same, held out
      --demonstrations  prompt, completion; they score 0 on average afterwards (§3.5)

    Writes into --folder:
      model/            the reward model, for AutoModelForSequenceClassification
      metrics.jsonl     a line a step; the same in tensorboard/

    For example:
      minirlhf rm --model runs/sft --rankings rankings.jsonl \
        --demonstrations demos.jsonl --folder runs/rm

    In several processes, on as many GPUs:
      accelerate launch --num_processes 2 -m minirlhf.cli rm ...
    """

    model: str
    """What it starts from: a policy, as in `minirlhf sft` (in the paper an SFT model), or a
    reward model, such as medium-voted (Tinytown's; minirlhf run starts from it)."""
    rankings: Path
    """JSONL with `prompt`, `completions`, `ranks`, or `prompt`, `chosen`, `rejected`."""
    demonstrations: Path
    """JSONL with `prompt`, `completion`; they set the bias."""
    validation: Path | None = None
    """JSONL like --rankings; loss and accuracy are reported after every epoch."""
    drop_long: bool = False
    """Leave out what exceeds --max-length, where otherwise it is an error."""
    pad_token: str | None = None
    """Pad token to add to a tokenizer that has none."""
    settings: OmitArgPrefixes[RewardConfig]
    """Optimization."""


@dataclass(frozen=True, kw_only=True)
class PPO(Stage):
    r"""Step 3 of the paper: PPO against the reward model, or PPO-ptx (§3.5, Eq. 2, C.4).

    Reads JSONL files, one JSON object a line:
      --prompts         prompt
      --pretraining     text; makes it PPO-ptx, with the defaults of PPO-ptx

    Writes into --folder:
      model/            the policy (the moving average of its weights) and its tokenizer
      metrics.jsonl     reward, KL, losses, a line an iteration; the same in tensorboard/
      samples.jsonl     a few responses of every iteration with their scores

    For example:
      minirlhf ppo --model runs/initial --reward runs/rm --prompts prompts.jsonl \
        --folder runs/ppo

    In several processes, on as many GPUs:
      accelerate launch --num_processes 2 -m minirlhf.cli ppo ...
    """

    model: str
    """The policy to start from; in the paper C.3's, from `minirlhf sft --pretraining`."""
    reward: str
    """The reward model; the value model starts as a copy of it."""
    prompts: Path
    """JSONL with `prompt`."""
    reference: str | None = None
    """π^SFT of Eq. 2, from which the KL is measured (default: --model)."""
    pretraining: Path | None = None
    """JSONL with `text`, for the ptx term."""
    drop_long: bool = False
    """Leave out prompts beyond --max-prompt, as App. C does; otherwise they are an error."""
    pad_token: str | None = None
    """Pad token to add to tokenizers that have none."""
    settings: OmitArgPrefixes[PPOConfig]
    """Episodes, optimization, sampling."""


def pretrain(arguments: Sequence[str]) -> None:
    """A new model, trained on documents."""
    command = parse(Pretrain, "pretrain", arguments, settings=preset(arguments, "pretrain"))

    from minirlhf import pretrain
    from minirlhf.commands.files import locate, open_tokenizer, progress, read_jsonl, report
    from minirlhf.tinytown.bases import SIZES, new_model

    documents = read_jsonl(command.documents, "documents")
    validation = command.validation and read_jsonl(command.validation, "documents")
    tokenizer = open_tokenizer(locate(command.tokenizer or command.size), command.pad_token)
    model = new_model(SIZES[command.size], tokenizer, command.settings.seed)
    with progress() as callback:
        result = pretrain.pretrain(
            command.settings,
            model,
            tokenizer,
            documents,
            validation=validation,
            folder=command.folder,
            callback=callback,
        )
    report(summary("base model", result.folder, result.metrics, "loss", "validation/loss"))


def sft(arguments: Sequence[str]) -> None:
    """A model, fine-tuned on demonstrations."""
    mixed = option(arguments, "--pretraining") is not None
    command = parse(
        SFT, "sft", arguments, settings=preset(arguments, "initial" if mixed else "sft")
    )
    settings = command.settings
    if settings.pretrain_mix and not mixed:
        raise MinirlhfError("--pretrain-mix needs documents: add --pretraining FILE.")

    from minirlhf.commands.files import open_policy, progress, read_jsonl, refuse_long, report
    from minirlhf.sft import train_sft

    demonstrations = read_jsonl(command.demonstrations, "demonstrations")
    validation = command.validation and read_jsonl(command.validation, "demonstrations")
    pretraining = command.pretraining and read_jsonl(command.pretraining, "documents")
    policy, tokenizer = open_policy(command.model, command.pad_token)
    if not command.drop_long:
        for path, records in (
            (command.demonstrations, demonstrations),
            (command.validation, validation),
        ):
            refuse_long(path, records or [], tokenizer, settings.max_length, LONG)
    with progress() as callback:
        result = train_sft(
            settings,
            policy,
            tokenizer,
            demonstrations,
            validation=validation,
            pretraining=pretraining,
            folder=command.folder,
            callback=callback,
        )
    report(summary("policy", result.folder, result.metrics, "loss", "validation/loss"))


def rm(arguments: Sequence[str]) -> None:
    """A reward model, trained on rankings or comparisons."""
    command = parse(RM, "rm", arguments, settings=preset(arguments, "reward"))
    settings = command.settings

    from minirlhf.commands.files import (
        open_reward_start,
        progress,
        read_jsonl,
        read_rankings,
        refuse_long,
        report,
    )
    from minirlhf.reward import train_reward

    rankings = read_rankings(command.rankings)
    validation = command.validation and read_rankings(command.validation)
    demonstrations = read_jsonl(command.demonstrations, "demonstrations")
    model, tokenizer = open_reward_start(command.model, settings.seed, command.pad_token)
    if not command.drop_long:
        for path, records in ((command.rankings, rankings), (command.validation, validation)):
            refuse_long(path, records or [], tokenizer, settings.max_length, LONG)
    with progress() as callback:
        result = train_reward(
            settings,
            model,
            tokenizer,
            rankings,
            demonstrations=demonstrations,
            validation=validation,
            folder=command.folder,
            callback=callback,
        )
    shown = ("accuracy", "validation/accuracy", "bias")
    report(summary("reward model", result.folder, result.metrics, *shown))


def ppo(arguments: Sequence[str]) -> None:
    """A policy, optimized against a reward model."""
    ptx = option(arguments, "--pretraining") is not None
    command = parse(PPO, "ppo", arguments, settings=preset(arguments, "ppo_ptx" if ptx else "ppo"))
    settings = command.settings
    if settings.ptx_gamma and not ptx:
        raise MinirlhfError("--ptx-gamma needs documents: add --pretraining FILE.")

    from minirlhf.commands.files import (
        open_policy,
        open_reward,
        progress,
        read_jsonl,
        refuse_long,
        report,
        same_vocabulary,
    )
    from minirlhf.ppo import train_ppo

    prompts = read_jsonl(command.prompts, "prompts")
    pretraining = command.pretraining and read_jsonl(command.pretraining, "documents")
    policy, tokenizer = open_policy(command.model, command.pad_token)
    reference, of_reference = open_policy(command.reference or command.model, command.pad_token)
    reward, of_reward = open_reward(command.reward, command.pad_token)
    same_vocabulary(command.reference or command.model, of_reference, tokenizer)
    same_vocabulary(command.reward, of_reward, tokenizer)
    if not command.drop_long:
        bare = [{"prompt": record["prompt"]} for record in prompts]
        advice = "shorten it, raise --max-prompt, or leave long prompts out with --drop-long."
        refuse_long(command.prompts, bare, tokenizer, settings.max_prompt, advice)
    with progress() as callback:
        result = train_ppo(
            settings,
            policy,
            reference,
            reward,
            reward.value_model(),
            tokenizer,
            prompts,
            pretraining=pretraining,
            folder=command.folder,
            callback=callback,
        )
    report(summary("policy", result.folder, result.metrics, "objective/score", "objective/kl"))


LONG = "shorten it, raise --max-length, or leave long lines out with --drop-long."


def summary(what: str, folder: Path, metrics: dict[str, float], *shown: str) -> str:
    """The last line of a finished stage."""
    values = [f"{name} {metrics[name]:.3g}" for name in shown if name in metrics]
    return f"{what} in {folder / 'model'} ({', '.join(values)})"
