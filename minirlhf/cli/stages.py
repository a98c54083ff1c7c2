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
    from minirlhf.cli.inputs import locate, open_tokenizer, progress, read_jsonl, report
    from minirlhf.tinytown.bases import SIZES, new_model

    documents = read_jsonl(command.documents, "documents")
    validation = command.validation and read_jsonl(command.validation, "documents")
    tokenizer = open_tokenizer(locate(command.tokenizer or command.size), command.pad_token)
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

    from minirlhf.cli.inputs import open_policy, progress, read_jsonl, refuse_long, report
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
    report(summary("policy", result.folder, result.metrics))


def rm(arguments: Sequence[str]) -> None:
    """A reward model, trained on rankings or comparisons."""
    command = parse(RM, "rm", arguments, settings=preset(arguments, "reward"))
    settings = command.settings

    from minirlhf.cli.inputs import (
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
    report(summary("policy", result.folder, result.metrics))


LONG = "shorten it, raise --max-length, or leave long lines out with --drop-long."


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
