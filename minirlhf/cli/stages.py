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
    from minirlhf.tinytown.bases import new_model
    from minirlhf.tinytown.sizes import SIZES

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
    report(summary("base model", result.folder, result.metrics))


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
    report(summary("policy", result.folder, result.metrics))


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
    report(summary("reward model", result.folder, result.metrics))


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
    report(summary("policy", result.folder, result.metrics))


def summary(what: str, folder: Path, metrics: dict[str, float]) -> str:
    """The last line of a finished stage: every figure with what it is a figure of."""

    def shown(name: str, of: str = "") -> str:
        title = name.removeprefix("last/").removeprefix("validation/")
        return f"{title} {metrics[name]:.3g}{of}"

    last, parts = f" over the last {metrics.get('last/steps', 0):.0f} steps", []
    if "last/accuracy" in metrics:
        pairs = f" on the {metrics['last/accuracy_of']:.0f} pairs of the last"
        parts.append(shown("last/accuracy", f"{pairs} {metrics['last/steps']:.0f} steps"))
    elif "last/loss" in metrics:
        parts.append(shown("last/loss", last))
    if "validation/accuracy" in metrics:
        pairs = f" on {metrics['validation/pairs']:.0f} pairs"
        parts.append("validation " + shown("validation/accuracy", pairs))
    elif "validation/loss" in metrics:
        parts.append("validation " + shown("validation/loss"))
    if "bias" in metrics:
        parts.append(shown("bias"))
    if "objective/score" in metrics:
        parts.append(
            f"{shown('objective/score')} and {shown('objective/kl')} in the last iteration"
        )
    text = f"{what} in {folder / 'model'} ({', '.join(parts)})"
    start = metrics.get("average/start", 0.0)
    if start:
        text += (
            f"; model/ is an average of the weights, {start:.2g} of it the start, and the figures "
            "are of raw/, the weights that sampled"
        )
    if "diverged_at" in metrics:
        text += f"; IT DIVERGED, as a note said at step {metrics['diverged_at']:.0f}"
    return text
