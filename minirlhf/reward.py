"""Step 2 of the paper: the reward model, from rankings of K completions (§3.5, Eq. 1, C.2).

All completions of a prompt go through the model once and all their C(K, 2) pairs form one batch
element; ties are dropped. Afterwards a bias makes labelers' demonstrations score 0 on average.

`minirlhf.plain.reward` is the same in the plainest form: read it first. A test holds this one to
it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from minirlhf import objectives
from minirlhf.config import RewardConfig
from minirlhf.data.batching import Ids, by_length, collate, cut, micro_batches
from minirlhf.data.conversations import as_text
from minirlhf.data.fingerprints import fingerprint
from minirlhf.data.records import Record
from minirlhf.data.shared_prompts import branch
from minirlhf.data.tokenization import (
    check_tokenizer,
    encode_completions,
    encode_demonstrations,
    encode_prompts,
    refuse_long,
)
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.pretrained import check_model
from minirlhf.randomness import permutation
from minirlhf.training.compute import Compute
from minirlhf.training.last_steps import LastSteps
from minirlhf.training.log import Callback
from minirlhf.training.optimizer import Optimizer, learning_rate
from minirlhf.training.run import Run
from minirlhf.training.starts_from import starts_from

AT_ONCE = 16
"""Prompts scored together, with all their completions, unless `RewardConfig.micro_batch` is set."""


@dataclass(frozen=True)
class RewardResult:
    """A finished reward model."""

    model: ScalarModel
    folder: Path
    metrics: dict[str, float]


class RankedPrompt(NamedTuple):
    """One prompt with its K ranked completions, as ids."""

    prompt: list[int]
    completions: list[list[int]]
    ranks: list[int]

    @property
    def length(self) -> int:
        """Tokens of the prompt and the longest completion."""
        return len(self.prompt) + max(map(len, self.completions))

    @property
    def has_pairs(self) -> bool:
        return len(set(self.ranks)) > 1

    @property
    def contradicts_itself(self) -> bool:
        """Whether completions that are identical are ranked unlike: no score can order them."""
        ranked = set(zip(map(tuple, self.completions), self.ranks, strict=True))
        return len(ranked) > len({completion for completion, _ in ranked})


def train_reward(
    config: RewardConfig,
    model: ScalarModel,
    tokenizer,
    rankings: Iterable[Record],
    *,
    demonstrations: Iterable[Record],
    validation: Iterable[Record] | None = None,
    folder: str | Path,
    callback: Callback | None = None,
) -> RewardResult:
    """Train ``model`` (in place; `ScalarModel.from_policy` makes one) on rankings or comparisons.

    ``demonstrations`` set the bias. ``validation`` rankings give ``validation/accuracy`` and
    ``validation/loss`` at the end of each epoch. Conversations go through the chat template.
    """
    check_tokenizer(tokenizer)
    check_model(model.classifier, tokenizer, longest=config.max_length)
    rankings = as_text(tokenizer, rankings, "rankings")
    demonstrations = as_text(tokenizer, demonstrations, "demonstrations")
    data = {
        "rankings": fingerprint(rankings, "rankings"),
        "demonstrations": fingerprint(demonstrations, "demonstrations"),
        **starts_from(folder, tokenizer, model=model),
    }
    if validation is not None:
        validation = as_text(tokenizer, validation, "rankings")
        data["validation"] = fingerprint(validation, "rankings")
    with Run(folder, "reward", config, data=data, callback=callback) as run:
        if run.result is None:
            _train(run, model, tokenizer, rankings, demonstrations, validation)
        else:
            model = ScalarModel.load(run.folder / "model")
        return RewardResult(model.to(run.compute.device), run.folder, run.result)


def _train(
    run: Run,
    model: ScalarModel,
    tokenizer,
    rankings: Sequence[Record],
    demonstrations: Sequence[Record],
    validation: Sequence[Record] | None,
) -> None:
    """The loop, and the bias."""
    config = run.config
    items = encode_rankings(tokenizer, rankings, config.max_length)
    examples = encode_demonstrations(tokenizer, demonstrations, config.max_length)
    held_out = []
    if validation is not None:
        held_out = encode_rankings(tokenizer, validation, config.max_length)
    adam = {"betas": config.betas, "decay": config.weight_decay, "clip": config.grad_clip}
    optimizer = run.track("model", Optimizer(run.compute, model, **adam))
    model.eval()  # no dropout: the paper states none for the reward model
    steps_per_epoch = -(-len(items) // config.batch)
    total = steps_per_epoch * config.epochs

    last = LastSteps(run.memory, total)
    for step in run.steps(total, epoch=steps_per_epoch):
        started = time.monotonic()
        epoch, position = divmod(step, steps_per_epoch)
        order = permutation(len(items), config.seed, "order", epoch)
        batch = [items[i] for i in order[position * config.batch : (position + 1) * config.batch]]
        ranking = accumulate_ranking(
            run.compute, model, tokenizer, batch, config.micro_batch, optimizer
        )
        rate = learning_rate(step, total, config.learning_rate, floor=config.floor)
        norm = optimizer.step(rate)
        last.add(step, loss=ranking.loss)
        last.add_share(step, accuracy=(ranking.correct, ranking.pairs))

        metrics = {}
        if run.is_logged(step + 1):
            metrics = {
                **figures(ranking),
                "learning_rate": rate,
                "gradient_norm": float(norm),
                "epoch": (step + 1) / steps_per_epoch,
                "seconds_per_step": time.monotonic() - started,
            }
        if held_out and position == steps_per_epoch - 1:
            result = evaluate_rankings(run.compute, model, tokenizer, held_out)
            metrics |= {f"validation/{name}": value for name, value in result.items()}
        if metrics:
            run.log(step + 1, metrics)
            run.memory["metrics"] = {**run.memory.get("metrics", {}), **metrics}

    model.bias.zero_()
    with torch.no_grad():
        scores = score_ids(model, *zip(*examples, strict=True), tokenizer.pad_token_id)
    model.bias.copy_(objectives.reward_bias(scores))
    run.check(total, {"bias": float(model.bias)})
    run.save(optimizer, lambda model, path: model.save(path, tokenizer))
    run.finish({**run.memory["metrics"], **last.means(), "bias": float(model.bias)})


def encode_rankings(tokenizer, rankings: Sequence[Record], max_length: int) -> list[RankedPrompt]:
    """Ids of the rankings that fit into ``max_length`` tokens, aren't one great tie and don't
    contradict themselves.
    """
    prompts = encode_prompts(tokenizer, [record["prompt"] for record in rankings])
    texts = [text for record in rankings for text in record["completions"]]
    flat = iter(encode_completions(tokenizer, texts))
    everything = [
        RankedPrompt(prompt, [next(flat) for _ in record["completions"]], list(record["ranks"]))
        for record, prompt in zip(rankings, prompts, strict=True)
    ]
    lengths = [item.length for item in everything]
    refuse_long(rankings, lengths, max_length, "max_length")
    short = [item for item in everything if item.length <= max_length]
    items = [item for item in short if item.has_pairs and not item.contradicts_itself]
    too_long, ties = len(everything) - len(short), sum(not item.has_pairs for item in short)
    contradictory = len(short) - ties - len(items)
    reasons = [f"{too_long} exceed max_length = {max_length} tokens"] * bool(too_long)
    reasons += [f"{ties} hold nothing but ties"] * bool(ties)
    reasons += [f"{contradictory} rank identical completions unlike"] * bool(contradictory)
    why = f"of {len(rankings)}, {' and '.join(reasons)}"
    if not items:
        raise MinirlhfError(f"No ranking is left to learn from: {why}.")
    if reasons:
        warnings.warn(f"Rankings are left out: {why}.", stacklevel=3)
    return items


def accumulate_ranking(
    compute: Compute,
    model: ScalarModel,
    tokenizer,
    batch: Sequence[RankedPrompt],
    micro_batch: int | None,
    optimizer: Optimizer | None = None,
) -> objectives.Ranking:
    """The ranking loss of a batch, with an optimizer its gradients too. Any cut gives the same."""
    lengths = [item.length for item in batch]
    loss = torch.zeros((), device=compute.device)
    pairs = correct = torch.zeros((), dtype=torch.long, device=compute.device)
    rows = compute.share(by_length(range(len(batch)), lengths))
    for micro in compute.level(micro_batches(rows, micro_batch or AT_ONCE), model):
        items = [batch[row] for row in micro]
        piece = rank(compute, model, tokenizer, items, count=len(batch))
        if optimizer is not None:
            optimizer.backward(piece.loss)
        loss = loss + piece.loss.detach()
        pairs, correct = pairs + piece.pairs, correct + piece.correct
    return objectives.Ranking(compute.sum(loss), compute.sum(pairs), compute.sum(correct))


def rank(
    compute: Compute, model: ScalarModel, tokenizer, items: Sequence[RankedPrompt], count: int
) -> objectives.Ranking:
    """Score every completion of these prompts once and compare them."""
    prompts = [item.prompt for item in items for _ in item.completions]
    completions = [completion for item in items for completion in item.completions]
    with compute.forward(model):
        flat = score_ids(model, prompts, completions, tokenizer.pad_token_id)
    ks = torch.tensor([len(item.completions) for item in items])
    valid = torch.arange(int(ks.max())) < ks[:, None]
    ranks = torch.zeros(valid.shape, dtype=torch.long)
    ranks[valid] = torch.tensor([rank for item in items for rank in item.ranks])
    valid = valid.to(compute.device)
    scores = torch.zeros(valid.shape, device=compute.device).masked_scatter(valid, flat)
    return objectives.ranking_loss(scores, ranks.to(compute.device), valid, count)


@torch.no_grad()
def evaluate_rankings(
    compute: Compute, model: ScalarModel, tokenizer, items: Sequence[RankedPrompt]
) -> dict[str, float]:
    """The `figures` of these rankings."""
    model.eval()
    return figures(accumulate_ranking(compute, model, tokenizer, items, micro_batch=None))


def figures(ranking: objectives.Ranking) -> dict[str, float]:
    """Loss, the pairs that aren't ties, and accuracy: the part of them that is ordered right."""
    pairs = float(ranking.pairs)
    return {"loss": float(ranking.loss), "accuracy": float(ranking.correct) / pairs, "pairs": pairs}


@torch.no_grad()
def score_texts(
    model: ScalarModel,
    tokenizer,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    micro_batch: int | None = None,
) -> Tensor:
    """r(x, y) of each prompt and completion (ended by EOS): float32 ``[N]`` on the CPU."""
    model.eval()
    ids = encode_prompts(tokenizer, prompts), encode_completions(tokenizer, completions)
    return score_ids(model, *ids, tokenizer.pad_token_id, micro_batch).cpu()


def score_ids(
    model: ScalarModel,
    prompts: Sequence[Ids],
    completions: Sequence[Ids],
    pad_token_id: int,
    micro_batch: int | None = None,
) -> Tensor:
    """r(x, y) of each prompt and completion in ids: float32 ``[N]`` on the model's device.

    Equal prompts are read once, where the architecture allows it.
    """
    scores, order = [], []
    if model.shares_prompts and len(set(map(tuple, prompts))) < len(prompts):
        for batch in branch(prompts, completions, pad_token_id, micro_batch, model.device):
            scores.append(model.score_branches(batch.to(model.device)))
            order += batch.rows
    else:
        lengths = [len(p) + len(c) for p, c in zip(prompts, completions, strict=True)]
        for piece in cut(range(len(lengths)), lengths, micro_batch, model.device):
            ids = [prompts[row] for row in piece], [completions[row] for row in piece]
            scores.append(model.score(collate(*ids, pad_token_id).to(model.device)))
            order += piece
    return torch.cat(scores)[torch.tensor(order, device=model.device).argsort()]
