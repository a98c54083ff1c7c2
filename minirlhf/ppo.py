"""Step 3 of the paper: PPO against the reward model, and PPO-ptx (§3.5, Eq. 2, C.4).

A bandit of one turn: a prompt, a response, a score at its last token, a KL penalty at every token.
An iteration samples episodes, scores them with reference, reward and value model, computes
advantages and takes a few optimizer steps:

    R_t = -β (log π_t - log π^SFT_t) + 1[t = last] r(x, y)

Stated by the paper: β, clip range, one inner epoch, temperature 1, no discount, EMA of the weights,
warm-up, value model from the reward model, ptx. Everything else follows lm-human-preferences and
Stiennon et al. 2020, and `PPOConfig` says so.

`minirlhf.plain.ppo` is the same in the plainest form: read it first. A test holds this one to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from minirlhf import objectives
from minirlhf.config import PPOConfig
from minirlhf.data.batching import PIECE_TOKENS, micro_batches
from minirlhf.data.conversations import as_text, pretraining_text
from minirlhf.data.fingerprints import fingerprint
from minirlhf.data.packing import collate_packed, pack
from minirlhf.data.records import Record
from minirlhf.data.tokenization import check_tokenizer, encode_documents
from minirlhf.episodes import Episodes, Models, check_ratio, describe, encode, roll_out, score
from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.samples import texts
from minirlhf.models import ScalarModel, Scorer, exact_logits, packed_logprobs
from minirlhf.pretrained import check_model, load_weights, save_model
from minirlhf.randomness import generator, permutation, stream
from minirlhf.training.compute import Compute
from minirlhf.training.fsdp import shard
from minirlhf.training.log import Callback
from minirlhf.training.optimizer import Optimizer, learning_rate
from minirlhf.training.run import Run
from minirlhf.training.starts_from import starts_from


@dataclass(frozen=True)
class PPOResult:
    """A finished policy: the moving average of its weights, if `PPOConfig.ema` is set."""

    policy: nn.Module
    folder: Path
    metrics: dict[str, float]


def train_ppo(
    config: PPOConfig,
    policy,
    reference,
    reward_model: ScalarModel | Scorer,
    value_model: ScalarModel,
    tokenizer,
    prompts: Iterable[Record],
    *,
    pretraining: Iterable[Record] | None = None,
    folder: str | Path,
    callback: Callback | None = None,
) -> PPOResult:
    """Train ``policy`` and ``value_model`` (both in place) on records with a ``prompt`` column.

    ``reference`` is π^SFT of Eq. 2: a frozen copy of the policy's start, which in the paper is the
    C.3 model (2 epochs, 10% pretraining data). ``value_model`` starts as
    ``reward_model.value_model()``. ``reward_model`` may be any callable scorer of texts.
    ``pretraining`` documents feed ptx. All models share one tokenizer. The final ``model/`` holds
    the moving average of the weights, ``raw/`` those that sampled; the metrics are of ``raw/``.
    """
    check_tokenizer(tokenizer)
    models = Models(policy, reference, reward_model, value_model, tokenizer, config.temperature)
    models.check(longest=config.max_prompt + config.max_response)
    records = as_text(tokenizer, prompts, "prompts")
    start = {"policy": policy, "reference": reference, "reward": reward_model, "value": value_model}
    data = {"prompts": fingerprint(records, "prompts"), **starts_from(folder, tokenizer, **start)}
    if config.ptx_gamma:
        pretraining = pretraining_text(tokenizer, pretraining, ptx_gamma=config.ptx_gamma)
        data["pretraining"] = fingerprint(pretraining, "documents")
        if not config.ptx_examples_per_episode:
            raise MinirlhfError(
                "ptx_gamma is set, but ptx_examples_per_episode = 0: raise that (paper: 8)."
            )
    with Run(folder, "ppo", config, data=data, callback=callback) as run:
        if run.result is None:
            _train(run, models, records, pretraining)
        else:
            load_weights(policy, run.folder / "model")
        return PPOResult(policy.to(run.compute.device), run.folder, run.result)


def _train(
    run: Run, models: Models, records: Sequence[Record], pretraining: Sequence[Record] | None
) -> None:
    """The loop."""
    config, compute, tokenizer = run.config, run.compute, models.tokenizer
    if not compute.exact:
        exact_logits(models.policy)
        exact_logits(models.reference)
    documents: Sequence[Sequence[int]] = ()
    if config.ptx_gamma:
        written = [document["text"] for document in pretraining]
        documents = encode_documents(tokenizer, written, config.ptx_context)
        check_model(models.policy, tokenizer, longest=max(map(len, documents)))
    trainer = Trainer(compute, config, models.to(compute.device), documents)
    run.track("policy", trainer.policy)
    run.track("value", trainer.value)
    if compute.sharded:
        for model in models.frozen:
            shard(model)
    encoded = encode(tokenizer, records, config.max_prompt)
    total = -(-config.episodes // config.rollout_batch)

    for iteration in run.steps(total):
        clock = [time.monotonic()]
        start = iteration * config.rollout_batch
        drawn = stream(len(encoded), start, config.rollout_batch, config.seed, "prompts")
        prompts = [encoded[i] for i in drawn]
        draw = generator(config.seed, "rollout", iteration)
        uniforms = torch.rand(len(prompts), config.max_response, generator=draw)
        rows = {"micro_batch": config.rollout_micro_batch}
        with trainer.policy.whole() as policy:
            episodes = roll_out(compute, models.sampling(policy), prompts, uniforms, **rows)
        clock.append(time.monotonic())
        rows["missing_eos_penalty"] = config.missing_eos_penalty
        episodes = score(compute, models, episodes, **rows)
        clock.append(time.monotonic())
        said = texts(run, models, trainer.policy, encoded, episodes, iteration)
        aside = time.monotonic() - clock[-1]  # belongs to no phase
        beta, gamma = (run.setting(name, getattr(config, name)) for name in ("beta", "ptx_gamma"))
        metrics = trainer.learn(episodes, iteration, total, beta, gamma)
        clock.append(time.monotonic() - aside)
        phases = zip(("rollout", "score", "update"), pairwise(clock), strict=True)
        metrics |= {f"time/{phase}": end - begin for phase, (begin, end) in phases}
        run.log(iteration + 1, metrics, said)
        run.memory["metrics"] = metrics

    start = run.save_averaged(trainer.policy, lambda model, to: save_model(model, tokenizer, to))
    run.finish({**run.memory["metrics"], "average/start": start})


class Trainer:
    """The learning half of an iteration: advantages, then gradients of three losses.

    ``documents`` are ids of pretraining texts, for ptx; none: plain PPO.
    """

    def __init__(
        self,
        compute: Compute,
        config: PPOConfig,
        models: Models,
        documents: Sequence[Sequence[int]] = (),
    ):
        self.compute, self.config, self.models, self.documents = compute, config, models, documents
        options = {"betas": config.betas, "eps": config.eps, "clip": config.grad_clip}
        self.value = Optimizer(compute, models.value, **options)
        options |= {"ema": config.ema, "vector_factor": config.vector_factor}
        self.policy = Optimizer(compute, models.policy, **options)

    def learn(
        self, episodes: Episodes, iteration: int, total: int, beta: float, gamma: float
    ) -> dict[str, float]:
        """Take the optimizer steps of one iteration of ``total``. Returns its metrics.

        ``beta`` and ``gamma`` are those of Eq. 2 (γ of the pretraining loss, not a discount).
        """
        config, mask = self.config, episodes.mask
        rewards = objectives.shaped_rewards(
            episodes.scores, episodes.logprobs, episodes.reference, mask, beta
        )
        if config.whiten_rewards:
            rewards = objectives.whiten(rewards, mask, shift_mean=False)
        advantages, returns = objectives.gae(rewards, episodes.values, mask, lam=config.lam)
        metrics = describe(episodes, returns, beta)
        if config.whiten_advantages:
            advantages = objectives.whiten(advantages, mask)
        shape = {"warmup": config.warmup, "decay": config.decay, "floor": 0.0}
        rate, value_rate = (
            learning_rate(iteration, total, peak, **shape)
            for peak in (config.learning_rate, config.value_learning_rate)
        )
        parts: list[dict[str, float]] = []
        for epoch in range(config.inner_epochs):
            order = permutation(len(mask), config.seed, "minibatch", iteration, epoch)
            for rows in order.split(config.minibatch):
                part = self.policy_gradients(episodes, advantages, rows, first=not parts)
                if self.documents:
                    part |= self.ptx_gradients(len(rows), gamma, iteration, len(parts))
                self.policy.step(rate)
                part |= self.value_gradients(episodes, returns, rows)
                self.value.step(value_rate)
                parts.append(part)
        metrics |= {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}
        return metrics | {
            "episodes": float((iteration + 1) * len(mask)),
            "learning_rate/policy": rate,
            "learning_rate/value": value_rate,
        }

    def policy_gradients(
        self, episodes: Episodes, advantages: Tensor, rows: Tensor, first: bool
    ) -> dict[str, float]:
        """Gradients of the clipped surrogate over one minibatch."""
        compute, config = self.compute, self.config
        tokens = int(episodes.mask[rows].sum())
        count = tokens if config.normalization == "token" else len(rows)
        stats = torch.zeros(3, device=compute.device)
        pieces = compute.pieces(rows, episodes.sequences.lengths, config.micro_batch)
        for micro in compute.level(pieces, self.models.policy):
            batch = episodes.sequences.trimmed(micro).to(compute.device)
            mask = batch.response_mask
            old = episodes.logprobs[micro, : mask.shape[1]].to(compute.device)
            advantage = advantages[micro, : mask.shape[1]].to(compute.device)
            with compute.forward(self.models.policy):
                logprobs = self.models.logprobs(self.models.policy, batch)
            loss = objectives.policy_loss(logprobs, old, advantage, mask, config.clip, count)
            self.policy.backward(loss)
            logprobs = logprobs.detach()
            if first:
                check_ratio(logprobs, old, mask, compute.exact)
            clipped = objectives.clip_fraction(logprobs, old, mask, config.clip, tokens)
            moved = objectives.approx_kl(logprobs, old, mask, tokens)
            stats += torch.stack([loss.detach(), clipped, moved])
        loss, clipped, moved = compute.sum(stats).tolist()
        return {
            "ppo/loss/policy": loss,
            "ppo/policy/clipfrac": clipped,
            "ppo/policy/approxkl": moved,
            "ppo/gradient_norm/policy": float(self.policy.stash()),
        }

    def ptx_gradients(
        self, episodes: int, gamma: float, iteration: int, minibatch: int
    ) -> dict[str, float]:
        """Add γ times the gradients of the pretraining loss to those of the same minibatch.

        Documents are drawn at random, as many per episode as `PPOConfig` says (C.4: 8).
        """
        compute, config = self.compute, self.config
        draw = generator(config.seed, "ptx", iteration, minibatch)
        number = max(round(config.ptx_examples_per_episode * episodes), 1)
        drawn = torch.randint(len(self.documents), (number,), generator=draw).tolist()
        documents = [self.documents[i] for i in drawn]
        rows = pack([len(ids) for ids in documents], config.ptx_context)
        tokens = sum(len(ids) - 1 for ids in documents)
        count = tokens if config.normalization == "token" else number
        total = torch.zeros((), device=compute.device)
        size = config.micro_batch or max(PIECE_TOKENS // config.ptx_context, 1)
        for micro in compute.level(micro_batches(compute.share(rows), size), self.models.policy):
            packed = collate_packed(
                [[documents[i] for i in row] for row in micro], self.models.tokenizer.pad_token_id
            ).to(compute.device)
            with compute.forward(self.models.policy):
                logprobs = packed_logprobs(self.models.policy, packed)
            loss = objectives.ptx_loss(logprobs, packed.targets[:, 1:], count)
            self.policy.backward(gamma * loss)
            total += loss.detach()
        norm = self.policy.stash()
        return {
            "ptx/loss": float(compute.sum(total)),
            "ptx/gamma": float(gamma),
            "ppo/gradient_norm/ptx": float(norm),
        }

    def value_gradients(
        self, episodes: Episodes, returns: Tensor, rows: Tensor
    ) -> dict[str, float]:
        """Gradients of the clipped value loss over one minibatch."""
        compute, config = self.compute, self.config
        tokens = int(episodes.mask[rows].sum())
        total = torch.zeros((), device=compute.device)
        pieces = compute.pieces(rows, episodes.sequences.lengths, config.micro_batch)
        for micro in compute.level(pieces, self.models.value):
            batch = episodes.sequences.trimmed(micro).to(compute.device)
            mask = batch.response_mask
            old = episodes.values[micro, : mask.shape[1]].to(compute.device)
            target = returns[micro, : mask.shape[1]].to(compute.device)
            with compute.forward(self.models.value):
                values = self.models.value.values(batch)
            loss = objectives.value_loss(values, old, target, mask, config.value_clip, tokens)
            self.value.backward(loss)
            total += loss.detach()
        norm = self.value.stash()
        return {"ppo/loss/value": float(compute.sum(total)), "ppo/gradient_norm/value": float(norm)}
