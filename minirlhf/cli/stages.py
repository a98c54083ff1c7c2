"""``minirlhf pretrain | sft | rm | ppo``: each stage alone, from files to a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minirlhf.cli.options import option, parse, preset
from minirlhf.cli.stage_options import PPO, RM, SFT, Pretrain
from minirlhf.errors import MinirlhfError


def pretrain(arguments: Sequence[str]) -> None:
    """A new model, trained on documents."""
    command = parse(Pretrain, "pretrain", arguments, settings=preset(arguments, "pretrain"))

    from minirlhf import pretrain
    from minirlhf.cli.inputs import locate, open_tokenizer, progress, read_data, report
    from minirlhf.tinytown.bases import SIZES, new_model

    documents, validation = read_data(command, documents="documents", validation="documents")
    place = locate(command.tokenizer or command.size)
    tokenizer = open_tokenizer(place, command.pad_token, command.chat_template)
    model = new_model(SIZES[command.size], tokenizer, command.settings.seed)
    with progress() as callback:
        result = pretrain.train_base(
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

    from minirlhf.cli.inputs import open_policy, progress, read_data, report
    from minirlhf.sft import train_sft

    demonstrations, validation, pretraining = read_data(
        command,
        demonstrations="demonstrations",
        validation="demonstrations",
        pretraining="documents",
    )
    policy, tokenizer = open_policy(command.model, command.pad_token, command.chat_template)
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

    from minirlhf.cli.inputs import open_reward_start, progress, read_data, report
    from minirlhf.reward import train_reward

    rankings, validation, demonstrations = read_data(
        command, rankings="rankings", validation="rankings", demonstrations="demonstrations"
    )
    demonstrations.may_drop = True
    model, tokenizer = open_reward_start(
        command.model, settings.seed, command.pad_token, command.chat_template
    )
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

    from minirlhf.cli.inputs import (
        open_policy,
        open_reward,
        progress,
        read_data,
        report,
        same_vocabulary,
    )
    from minirlhf.ppo import train_ppo

    prompts, pretraining = read_data(command, prompts="prompts", pretraining="documents")
    policy, tokenizer = open_policy(command.model, command.pad_token, command.chat_template)
    reference, of_reference = open_policy(command.reference or command.model, command.pad_token)
    reward, of_reward = open_reward(command.reward, command.pad_token)
    same_vocabulary(command.reference or command.model, of_reference, tokenizer)
    same_vocabulary(command.reward, of_reward, tokenizer)
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


def summary(what: str, folder: Path, metrics: dict[str, float], *shown: str) -> str:
    """The last line of a finished stage."""
    values = [f"{name} {metrics[name]:.3g}" for name in shown if name in metrics]
    return f"{what} in {folder / 'model'} ({', '.join(values)})"
