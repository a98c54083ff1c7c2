"""Pretraining: next-token prediction on packed documents. What the paper takes from GPT-3.

Loss: mean negative log-likelihood over every token but a document's first, EOS included.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from minirlhf import objectives
from minirlhf.config import PretrainConfig
from minirlhf.data.batching import PIECE_TOKENS, micro_batches
from minirlhf.data.conversations import as_text
from minirlhf.data.fingerprints import fingerprint
from minirlhf.data.packing import PackedRows, collate_packed, pack
from minirlhf.data.records import Record
from minirlhf.data.tokenization import check_tokenizer, encode_documents
from minirlhf.models import packed_logprobs
from minirlhf.pretrained import load_weights, save_model
from minirlhf.randomness import permutation, seeded
from minirlhf.sampling import check_policy
from minirlhf.training.compute import Compute
from minirlhf.training.last_steps import LastSteps
from minirlhf.training.log import Callback
from minirlhf.training.optimizer import Optimizer, learning_rate
from minirlhf.training.run import Run
from minirlhf.training.starts_from import starts_from


@dataclass(frozen=True)
class PretrainResult:
    """A finished base model."""

    model: torch.nn.Module
    folder: Path
    metrics: dict[str, float]


def train_base(
    config: PretrainConfig,
    model,
    tokenizer,
    documents: Iterable[Record],
    *,
    validation: Iterable[Record] | None = None,
    folder: str | Path,
    callback: Callback | None = None,
) -> PretrainResult:
    """Train ``model`` (any causal LM, trained in place) on documents with a ``text`` column.

    Run it again on the same folder and it goes on where it was, or returns at once if it had
    finished. ``validation`` documents give ``validation/loss`` every ``config.validate_every``
    steps and at the end.
    """
    check_tokenizer(tokenizer)
    check_policy(model, tokenizer, longest=config.context)
    documents = as_text(tokenizer, documents, "documents")
    data = {
        "documents": fingerprint(documents, "documents"),
        **starts_from(folder, tokenizer, model=model),
    }
    if validation is not None:
        validation = as_text(tokenizer, validation, "documents")
        data["validation"] = fingerprint(validation, "documents")
    with Run(folder, "pretrain", config, data=data, callback=callback) as run:
        if run.result is None:
            _train(run, model, tokenizer, documents, validation)
        else:
            load_weights(model, run.folder / "model")
        return PretrainResult(model.to(run.compute.device), run.folder, run.result)


def _train(
    run: Run,
    model,
    tokenizer,
    documents: Sequence[Record],
    validation: Sequence[Record] | None,
) -> None:
    """The loop."""
    config, compute = run.config, run.compute
    corpus = Corpus(tokenizer, documents, config.context, config.seed)
    held_out = None
    if validation is not None:
        held_out = Corpus(tokenizer, validation, config.context, config.seed)
    optimizer = run.track(
        "model",
        Optimizer(
            compute, model, betas=config.betas, decay=config.weight_decay, clip=config.grad_clip
        ),
    )
    size = config.micro_batch or max(PIECE_TOKENS // config.context, 1)
    steps_per_epoch = -(-len(corpus) // config.batch)
    total = min(steps_per_epoch * config.epochs, config.max_steps or float("inf"))

    last = LastSteps(run.memory, total)
    seen, since = 0, time.monotonic()
    for step in run.steps(total, epoch=steps_per_epoch):
        epoch, position = divmod(step, steps_per_epoch)
        order = permutation(len(corpus), config.seed, "order", epoch)
        rows = order[position * config.batch : (position + 1) * config.batch].tolist()
        count = corpus.targets(rows)

        model.train()
        loss = torch.zeros((), device=compute.device)
        with seeded(config.seed, "dropout", step, compute.rank):  # if the model has any
            for micro in compute.level(micro_batches(compute.share(rows), size), model):
                piece = packed_loss(compute, model, corpus.batch(micro), count)
                optimizer.backward(piece)
                loss += piece.detach()
        rate = learning_rate(
            step, total, config.learning_rate, warmup=config.warmup, floor=config.floor
        )
        norm = optimizer.step(rate)
        loss = compute.sum(loss)
        last.add(step, loss=loss)
        seen += count

        metrics = {}
        if run.is_logged(step + 1):
            speed = seen / (time.monotonic() - since)
            seen, since = 0, time.monotonic()
            metrics = {
                "loss": float(loss),
                "learning_rate": rate,
                "gradient_norm": float(norm),
                "epoch": (step + 1) / steps_per_epoch,
                "tokens_per_second": speed,
            }
        if held_out is not None and ((step + 1) % config.validate_every == 0 or step + 1 == total):
            metrics["validation/loss"] = corpus_loss(compute, model, held_out, config.batch)
        if metrics:
            run.log(step + 1, metrics)
            run.memory["metrics"] = {**run.memory.get("metrics", {}), **metrics}

    model.eval()
    run.save(optimizer, lambda model, path: save_model(model, tokenizer, path))
    run.finish({**run.memory["metrics"], **last.means()})


class Corpus:
    """Documents, tokenised and packed into rows of at most ``context`` tokens."""

    def __init__(self, tokenizer, documents: Sequence[Record], context: int, seed: int):
        texts = [document["text"] for document in documents]
        self.documents = encode_documents(tokenizer, texts, context)
        self.pad = tokenizer.pad_token_id
        order = permutation(len(self.documents), seed, "pack").tolist()
        packed = pack([len(self.documents[document]) for document in order], context)
        self.rows = [[order[document] for document in row] for row in packed]

    def __len__(self) -> int:
        return len(self.rows)

    def targets(self, rows: Sequence[int]) -> int:
        """How many tokens of these rows are predicted."""
        return sum(len(self.documents[document]) - 1 for row in rows for document in self.rows[row])

    def batch(self, rows: Sequence[int]) -> PackedRows:
        return collate_packed(
            [[self.documents[document] for document in self.rows[row]] for row in rows], self.pad
        )


def packed_loss(compute: Compute, model, batch: PackedRows, count: int) -> torch.Tensor:
    """This piece's part of the mean loss over ``count`` predicted tokens."""
    batch = batch.to(compute.device)
    with compute.forward(model):
        logprobs = packed_logprobs(model, batch)
    return objectives.ptx_loss(logprobs, batch.targets[:, 1:], count)


@torch.no_grad()
def corpus_loss(compute: Compute, model, corpus: Corpus, micro_batch: int) -> float:
    """Mean negative log-likelihood per predicted token of a whole corpus."""
    model.eval()
    rows = range(len(corpus))
    count = corpus.targets(rows)
    loss = torch.zeros((), device=compute.device)
    for micro in compute.level(micro_batches(compute.share(rows), micro_batch), model):
        loss += packed_loss(compute, model, corpus.batch(micro), count)
    return float(compute.sum(loss))
