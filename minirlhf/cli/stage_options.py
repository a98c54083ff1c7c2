"""The options of the stages' commands, and what ``--help`` says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minirlhf.cli.options import OmitArgPrefixes
from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.tinytown.sizes import SIZES


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What every stage's command has."""

    folder: Path
    """The run folder; the same command on the same folder goes on where it was."""
    preset: Literal["tinytown", "paper"] = "tinytown"
    """Where the defaults of the settings below come from (minirlhf presets shows both)."""
    columns: tuple[str, ...] = ()
    """What columns are called in your data, as OURS=THEIRS: --columns prompt=question text=body."""
    chat_template: str | None = None
    """How conversations are written: a file of Jinja, or 'plain' ("Human: …", "Assistant: …"), in
    place of the tokenizer's own; it goes into model/ with the tokenizer."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(Stage):
    """Pretraining: a base model from text (the paper starts from GPT-3).

    Reads JSONL, JSON, CSV, parquet, folders of save_to_disk, or the hub (NAME:SPLIT):
      --documents       text, or messages

    Writes into --folder:
      model/            the base model and its tokenizer, in transformers' format
      metrics.jsonl     a line a step; the same in tensorboard/

    For example:
      minirlhf pretrain --documents texts.jsonl --size medium --folder runs/base

    In several processes, on as many GPUs:
      accelerate launch --num_processes 2 -m minirlhf.cli pretrain ...
    """

    documents: str
    """Data with `text`, one document a line."""
    validation: str | None = None
    """Data with `text`, held out; its loss is reported."""
    size: Literal[*SIZES] = "medium"
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

    Reads JSONL, JSON, CSV, parquet, folders of save_to_disk, or the hub (NAME:SPLIT):
      --demonstrations  prompt, completion, or messages ({role, content}, ...)
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
    demonstrations: str
    """Data with `prompt`, `completion`."""
    validation: str | None = None
    """Data with `prompt`, `completion`; its loss is reported after every epoch."""
    pretraining: str | None = None
    """Data with `text`, to mix into every batch."""
    drop_long: bool = False
    """Leave out what exceeds --max-length, where otherwise it is an error."""
    pad_token: str | None = None
    """Pad token to add to a tokenizer that has none (for gpt2: '<|pad|>')."""
    settings: OmitArgPrefixes[SFTConfig]
    """Optimization."""


@dataclass(frozen=True, kw_only=True)
class RM(Stage):
    r"""Step 2 of the paper: the reward model, from K-wise rankings (§3.5, Eq. 1, C.2).

    Reads JSONL, JSON, CSV, parquet, folders of save_to_disk, or the hub (NAME:SPLIT):
      --rankings        prompt, completions, ranks (1 is best, ties allowed) or scores,
                        or comparisons: prompt, chosen, rejected; or, without prompt,
                        whole conversations in chosen and rejected
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
    reward model, such as medium-schooled (Tinytown's; minirlhf run starts from it)."""
    rankings: str
    """Data with `prompt`, `completions`, `ranks`, or `prompt`, `chosen`, `rejected`."""
    demonstrations: str
    """Data with `prompt`, `completion`; they set the bias."""
    validation: str | None = None
    """Data like --rankings; loss and accuracy are reported after every epoch."""
    drop_long: bool = False
    """Leave out what exceeds --max-length, where otherwise it is an error."""
    pad_token: str | None = None
    """Pad token to add to a tokenizer that has none."""
    settings: OmitArgPrefixes[RewardConfig]
    """Optimization."""


@dataclass(frozen=True, kw_only=True)
class PPO(Stage):
    r"""Step 3 of the paper: PPO against the reward model, or PPO-ptx (§3.5, Eq. 2, C.4).

    Reads JSONL, JSON, CSV, parquet, folders of save_to_disk, or the hub (NAME:SPLIT):
      --prompts         prompt, or messages
      --pretraining     text; makes it PPO-ptx, with the defaults of PPO-ptx

    Writes into --folder:
      model/            the policy (the moving average of its weights) and its tokenizer
      raw/              the weights themselves, which sampled what metrics.jsonl tells of
      metrics.jsonl     reward, KL, losses, a line an iteration; the same in tensorboard/
      samples.jsonl     a few responses of every iteration with their scores
      watched.jsonl     responses to the same few prompts, as the policy changes

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
    prompts: str
    """Data with `prompt`."""
    reference: str | None = None
    """π^SFT of Eq. 2, from which the KL is measured (default: --model)."""
    pretraining: str | None = None
    """Data with `text`, for the ptx term."""
    drop_long: bool = False
    """Leave out prompts beyond --max-prompt, as App. C does; otherwise they are an error."""
    pad_token: str | None = None
    """Pad token to add to tokenizers that have none."""
    settings: OmitArgPrefixes[PPOConfig]
    """Episodes, optimization, sampling."""
