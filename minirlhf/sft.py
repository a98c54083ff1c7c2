"""Step 1 of the paper: supervised fine-tuning on demonstrations (§3.5, C.1).

With pretraining documents mixed in, the same loop makes the model that PPO starts from (C.3). The
loss is the mean negative log-likelihood of completion tokens, EOS included; the prompt is masked.

`minirlhf.plain.sft` is the same in the plainest form: read it first. A test holds this one to
it.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from minirlhf import objectives
from minirlhf.config import SFTConfig
from minirlhf.data.batching import collate
from minirlhf.data.conversations import as_text, pretraining_text
from minirlhf.data.fingerprints import fingerprint
from minirlhf.data.records import Record
from minirlhf.data.tokenization import check_tokenizer, encode_demonstrations, encode_documents
from minirlhf.errors import MinirlhfError
from minirlhf.models import response_logprobs
from minirlhf.pretrained import load_weights, save_model
from minirlhf.randomness import permutation, seeded, stream
from minirlhf.sampling import check_policy
from minirlhf.training.compute import Compute
from minirlhf.training.last_steps import LastSteps
from minirlhf.training.log import Callback
from minirlhf.training.optimizer import Optimizer, learning_rate
from minirlhf.training.run import Run
from minirlhf.training.starts_from import starts_from

Example = tuple[Sequence[int], Sequence[int]]
"""Prompt ids and completion ids."""


@dataclass(frozen=True)
class SFTResult:
    """A finished policy."""

    policy: nn.Module
    folder: Path
    metrics: dict[str, float]
    epochs: tuple[Path, ...]
    """The model folder of every epoch, if kept; C.1 chooses among them by reward-model score."""


def train_sft(
    config: SFTConfig,
    policy,
    tokenizer,
    demonstrations: Iterable[Record],
    *,
    validation: Iterable[Record] | None = None,
    pretraining: Iterable[Record] | None = None,
    folder: str | Path,
    callback: Callback | None = None,
) -> SFTResult:
    """Fine-tune ``policy`` (in place) on demonstrations with columns ``prompt``, ``completion``.

    ``config.pretrain_mix`` of each batch are documents (column ``text``) of ``pretraining``, whose
    every token counts like a completion's. ``validation`` demonstrations give ``validation/loss``
    per epoch. Conversations (column ``messages``) go through the tokenizer's chat template.

    Bit for bit the same at the same settings and number of processes. Another `micro_batch` or
    number of processes changes no number by more than rounding, but for dropout: its masks are
    drawn as each forward pass goes through a layer, so where ``config.residual_dropout`` is on they
    are others, from the same distribution.
    """
    check_tokenizer(tokenizer)
    check_policy(policy, tokenizer, longest=config.max_length)
    demonstrations = as_text(tokenizer, demonstrations, "demonstrations")
    data = {
        "demonstrations": fingerprint(demonstrations, "demonstrations"),
        **starts_from(folder, tokenizer, policy=policy),
    }
    if validation is not None:
        validation = as_text(tokenizer, validation, "demonstrations")
        data["validation"] = fingerprint(validation, "demonstrations")
    if config.pretrain_mix:
        pretraining = pretraining_text(tokenizer, pretraining, pretrain_mix=config.pretrain_mix)
        data["pretraining"] = fingerprint(pretraining, "documents")
    if not set_residual_dropout(policy, config.residual_dropout) and config.residual_dropout:
        warnings.warn(
            f"{type(policy).__name__} has no residual dropout: it trains without.", stacklevel=2
        )
        config = replace(config, residual_dropout=0.0)
    with Run(folder, "sft", config, data=data, callback=callback) as run:
        if run.result is None:
            _train(run, policy, tokenizer, demonstrations, validation, pretraining)
        else:
            load_weights(policy, run.folder / "model")
        kept = tuple(sorted(run.folder.glob("epochs/[0-9]*"))) if config.keep_epochs else ()
        return SFTResult(policy.to(run.compute.device), run.folder, run.result, kept)


def _train(
    run: Run,
    policy,
    tokenizer,
    demonstrations: Sequence[Record],
    validation: Sequence[Record] | None,
    pretraining: Sequence[Record] | None,
) -> None:
    """The loop."""
    config = run.config
    examples = encode_demonstrations(tokenizer, demonstrations, config.max_length)
    held_out, documents = [], []
    if validation is not None:
        held_out = encode_demonstrations(tokenizer, validation, config.max_length)
    if config.pretrain_mix:
        texts = [document["text"] for document in pretraining]
        documents = [
            (ids[:1], ids[1:]) for ids in encode_documents(tokenizer, texts, config.max_length)
        ]
    per_step = round(config.batch * config.pretrain_mix)  # documents per step
    demos = config.batch - per_step
    if config.pretrain_mix and not per_step:
        raise MinirlhfError(
            f"pretrain_mix = {config.pretrain_mix:g} of batch = {config.batch} is no document: "
            "raise one of them, or set pretrain_mix to 0."
        )
    if demos < 1:
        raise MinirlhfError(
            "pretrain_mix leaves no room for demonstrations: lower it or raise batch."
        )
    optimizer = run.track(
        "policy",
        Optimizer(
            run.compute,
            policy,
            betas=config.betas,
            decay=config.weight_decay,
            clip=config.grad_clip,
        ),
    )

    def write(model, path: Path) -> None:
        save_model(model, tokenizer, path)

    steps_per_epoch = -(-len(examples) // demos)
    total = steps_per_epoch * config.epochs

    last = LastSteps(run.memory, total)
    for step in run.steps(total, epoch=steps_per_epoch):
        started = time.monotonic()
        epoch, position = divmod(step, steps_per_epoch)
        order = permutation(len(examples), config.seed, "order", epoch)
        batch = [examples[i] for i in order[position * demos : (position + 1) * demos]]
        batch += [
            documents[i]
            for i in stream(len(documents), step * per_step, per_step, config.seed, "pretraining")
        ]
        policy.train()
        with seeded(config.seed, "dropout", step, run.compute.rank):
            loss = accumulate_loss(
                run.compute, policy, tokenizer, batch, config.micro_batch, optimizer
            )
        rate = learning_rate(step, total, config.learning_rate, floor=config.floor)
        norm = optimizer.step(rate)
        last.add(step, loss=loss)

        metrics = {}
        if run.is_logged(step + 1):
            metrics = {
                "loss": float(loss),
                "learning_rate": rate,
                "gradient_norm": float(norm),
                "epoch": (step + 1) / steps_per_epoch,
                "seconds_per_step": time.monotonic() - started,
            }
        if position == steps_per_epoch - 1:
            if held_out:
                metrics["validation/loss"] = demonstration_loss(
                    run.compute, policy, tokenizer, held_out
                )
            if config.keep_epochs:
                run.save(optimizer, write, f"epochs/{epoch + 1:02d}")
        if metrics:
            run.log(step + 1, metrics)
            run.memory["metrics"] = {**run.memory.get("metrics", {}), **metrics}

    policy.eval()
    run.save(optimizer, write)
    run.finish({**run.memory["metrics"], **last.means()})


def accumulate_loss(
    compute: Compute,
    policy,
    tokenizer,
    batch: Sequence[Example],
    micro_batch: int | None,
    optimizer: Optimizer | None = None,
) -> torch.Tensor:
    """Mean loss of a batch, with an optimizer its gradients; dropout aside, any cut is the same."""
    count = sum(len(completion) for _, completion in batch)
    lengths = [len(prompt) + len(completion) for prompt, completion in batch]
    total = torch.zeros((), device=compute.device)
    for micro in compute.level(compute.pieces(range(len(batch)), lengths, micro_batch), policy):
        prompts, completions = zip(*(batch[row] for row in micro), strict=True)
        sequences = collate(prompts, completions, tokenizer.pad_token_id).to(compute.device)
        with compute.forward(policy):
            logprobs = response_logprobs(policy, sequences)
        loss = objectives.sft_loss(logprobs, sequences.response_mask, count)
        if optimizer is not None:
            optimizer.backward(loss)
        total += loss.detach()
    return compute.sum(total)


@torch.no_grad()
def demonstration_loss(compute: Compute, policy, tokenizer, examples: Sequence[Example]) -> float:
    """Mean negative log-likelihood per completion token, dropout off."""
    policy.eval()
    return float(accumulate_loss(compute, policy, tokenizer, examples, micro_batch=None))


def set_residual_dropout(model: nn.Module, rate: float) -> int:
    """Set dropout on what sub-layers add to the residual stream, and all other dropout to 0.

    Returns the number of places; 0 where the architecture has none (Llama's kin). In C.1 it is .2.
    """
    places = 0
    for path, module in model.named_modules():
        in_a_layer = re.search(r"\.\d+(\.|$)", path) is not None
        name = path.split(".")[-1]
        if isinstance(module, nn.Dropout):
            residual = in_a_layer and name not in {"attn_dropout", "attention_dropout"}
            module.p = rate if residual else 0.0
            places += residual
        for field, value in list(vars(module).items()):  # dropout that is no module of its own
            if "dropout" in field and isinstance(value, float):
                added = field == "hidden_dropout" or (field == "dropout" and "att" not in name)
                setattr(module, field, rate if in_a_layer and added else 0.0)
                places += in_a_layer and added
    return places
