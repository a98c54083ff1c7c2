"""PPO's episodes: sampling them, scoring them, describing them (C.4).

The bookkeeping of an iteration lies on the CPU, whole and alike in every process; only forward
passes are split between processes and moved to their devices.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from minirlhf import objectives
from minirlhf.data.batching import Sequences, by_length, collate
from minirlhf.data.records import Record
from minirlhf.data.tokenization import decode, encode_prompts, refuse_long
from minirlhf.errors import MinirlhfError
from minirlhf.models import (
    Reward,
    ScalarModel,
    Scorer,
    TextReward,
    never_sampled,
    response_logprobs,
)
from minirlhf.pretrained import check_vocabulary
from minirlhf.sampling import Rollout, check_policy, sample
from minirlhf.training.compute import Compute


@dataclass
class Models:
    """The four models of PPO and the tokenizer they share.

    ``reward`` may be given as a `Scorer`, which then becomes a `TextReward`.
    """

    policy: nn.Module
    reference: nn.Module
    reward: Reward | Scorer
    value: ScalarModel
    tokenizer: Any
    temperature: float = 1.0
    suppress: Tensor = field(init=False)
    """Ids that are never sampled, bool ``[V]``."""

    def __post_init__(self):
        if not hasattr(self.reward, "rate"):
            self.reward = TextReward(self.reward)
        self.suppress = never_sampled(self.tokenizer, self.policy)

    @property
    def frozen(self) -> list[nn.Module]:
        """The networks that only score."""
        return [m for m in (self.reference, self.reward) if isinstance(m, nn.Module)]

    def check(self, longest: int) -> None:
        """Refuse models that can't share the tokenizer, read so long a row, or are two in one."""
        for model in (self.policy, *self.frozen, self.value):
            check_vocabulary(getattr(model, "classifier", model), self.tokenizer, longest)
        check_policy(self.policy, self.tokenizer, longest)
        if self.policy is self.reference or self.reward is self.value:
            raise MinirlhfError(
                "Policy and reference, or reward and value model, are one object, so what should "
                "stay would learn along: pass a copy (copy.deepcopy, or value_model())."
            )

    def to(self, device: torch.device) -> Models:
        """Move all to a device, with dropout off: no phase of PPO has any."""
        for model in (self.policy, *self.frozen, self.value):
            model.to(device).eval()
        self.suppress = self.suppress.to(device)
        return self

    def sampling(self, policy: nn.Module) -> Models:
        """The same models, but another policy to sample from."""
        models = copy.copy(self)
        models.policy = policy
        return models

    def logprobs(self, model, batch: Sequences) -> Tensor:
        """Response log-probs as the sampler computes them, whichever the model."""
        return response_logprobs(model, batch, temperature=self.temperature, suppress=self.suppress)


class Prompt(NamedTuple):
    """A prompt as text and as ids."""

    text: str
    ids: list[int]


class Episodes(NamedTuple):
    """The episodes of one iteration, on the CPU: ``B`` rows, ``T`` response tokens."""

    prompts: list[Prompt]
    responses: list[str]
    sequences: Sequences
    finished: Tensor  # bool [B], ended by EOS
    logprobs: Tensor  # float32 [B, T], log π of the policy that sampled
    reference: Tensor | None = None  # float32 [B, T], log π^SFT
    values: Tensor | None = None  # float32 [B, T]
    scores: Tensor | None = None  # float32 [B], r(x, y), less the penalty for a missing EOS

    @property
    def mask(self) -> Tensor:
        """True on response tokens, bool ``[B, T]``."""
        return self.sequences.response_mask

    def penalised(self, penalty: float | None) -> Episodes:
        """The scores less ``penalty`` wherever EOS is missing; with None as they are."""
        if penalty is None:
            return self
        return self._replace(scores=self.scores - penalty * ~self.finished)


def encode(tokenizer, records: Sequence[Record], longest: int) -> list[Prompt]:
    """The prompts of at most ``longest`` tokens; App. C drops those beyond 1k."""
    texts = [record["prompt"] for record in records]
    encoded = encode_prompts(tokenizer, texts)
    refuse_long(records, list(map(len, encoded)), longest, "max_prompt")
    pairs = zip(texts, encoded, strict=True)
    prompts = [Prompt(text, ids) for text, ids in pairs if len(ids) <= longest]
    if not prompts:
        raise MinirlhfError(f"No prompt has at most max_prompt = {longest} tokens: raise it.")
    if len(prompts) < len(records):
        warnings.warn(
            f"{len(records) - len(prompts)} of {len(records)} prompts exceed max_prompt = "
            f"{longest} tokens and are left out.",
            stacklevel=2,
        )
    return prompts


def roll_out(
    compute: Compute,
    models: Models,
    prompts: list[Prompt],
    uniforms: Tensor,
    *,
    micro_batch: int = 128,
) -> Episodes:
    """Sample a response to every prompt from the policy as it is.

    Row b draws from its own ``uniforms``, float ``[B, most tokens of a response]``, so it doesn't
    depend on the process or the batch it is sampled in.
    """
    tokenizer, shape = models.tokenizer, uniforms.shape
    responses = torch.zeros(shape, dtype=torch.long)
    lengths = torch.zeros(shape[0], dtype=torch.long)
    logprobs = torch.zeros(shape)
    mine = compute.share(by_length(range(shape[0]), [len(prompt.ids) for prompt in prompts]))
    with compute.autocast():
        sampled = sample(
            models.policy,
            [prompts[row].ids for row in mine],
            uniforms[mine],
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            temperature=models.temperature,
            suppress=models.suppress,
            micro_batch=micro_batch,
        )
    responses[mine] = sampled.responses.cpu()
    lengths[mine] = sampled.mask.sum(-1).cpu()
    logprobs[mine] = sampled.logprobs.cpu()
    responses, lengths = compute.sum(responses), compute.sum(lengths)
    mask = torch.arange(shape[1]) < lengths[:, None]
    ids = Rollout(responses, mask, logprobs).ids()
    sequences = collate([prompt.ids for prompt in prompts], ids, tokenizer.pad_token_id)
    finished = torch.tensor([row[-1] == tokenizer.eos_token_id for row in ids])
    logprobs = compute.sum(logprobs)[:, : sequences.response_mask.shape[1]]
    return Episodes(prompts, decode(tokenizer, ids), sequences, finished, logprobs)


@torch.no_grad()
def score(
    compute: Compute,
    models: Models,
    episodes: Episodes,
    *,
    missing_eos_penalty: float | None = None,
    micro_batch: int = 128,
) -> Episodes:
    """Complete the episodes by one pass each of reference, value model and reward model.

    A response without EOS was cut at the most tokens it may have. The paper doesn't say what
    happens to it; here its score is read at its last token like any other's, less
    ``missing_eos_penalty`` if that is set.
    """
    reference, values = torch.zeros_like(episodes.logprobs), torch.zeros_like(episodes.logprobs)
    scores = torch.zeros(len(episodes.prompts))
    lengths = episodes.sequences.lengths
    pieces = compute.pieces(range(len(scores)), lengths, micro_batch)
    first, *others = models.frozen
    for rows in compute.level(pieces, first, models.value, *others):
        batch = episodes.sequences.trimmed(rows).to(compute.device)
        width = batch.response_mask.shape[1]
        texts = [episodes.prompts[row].text for row in rows], [episodes.responses[r] for r in rows]
        with compute.autocast():
            reference[rows, :width] = models.logprobs(models.reference, batch).cpu()
            values[rows, :width] = models.value.values(batch).cpu()
            scores[rows] = models.reward.rate(batch, *texts).cpu()
    scores = compute.sum(scores)
    check_scores(scores)
    reference, values = compute.sum(reference), compute.sum(values)
    scored = episodes._replace(reference=reference, values=values, scores=scores)
    return scored.penalised(missing_eos_penalty)


def describe(episodes: Episodes, returns: Tensor, beta: float) -> dict[str, float]:
    """Metrics of an iteration's episodes, under the names of lm-human-preferences and TRL.

    ``ppo/val/var_explained`` is left out where all returns are alike. KL and entropy are sums over
    a response, estimated from the sampled tokens; ``objective/score`` is after
    the penalty for a missing EOS, ``objective/rlhf_reward`` = score - β KL (Eq. 2, γ = 0).
    """
    mask = episodes.mask
    kl = torch.where(mask, objectives.kl_k1(episodes.logprobs, episodes.reference), 0.0).sum(-1)
    check_kl(kl)
    objective = objectives.rlhf_objective(
        episodes.scores, episodes.logprobs, episodes.reference, mask, beta
    )
    explained = {}
    if float(objectives.masked_var(returns, mask)) > 1e-8:  # of what doesn't vary, no share
        share = objectives.explained_variance(episodes.values, returns, mask)
        explained = {"ppo/val/var_explained": float(share)}
    return {
        "objective/kl": float(kl.mean()),
        "objective/score": float(episodes.scores.mean()),
        "objective/score_std": float(episodes.scores.std(unbiased=False)),
        "objective/rlhf_reward": float(objective),
        "objective/entropy": float(-episodes.logprobs.sum(-1).mean()),
        "objective/beta": float(beta),
        **explained,
        "response/length": float(mask.sum(-1).float().mean()),
        "response/finished": float(episodes.finished.float().mean()),
    }


def check_scores(scores: Tensor) -> None:
    """Refuse a reward that is NaN or infinite, before the policy learns from it."""
    bad = int((~scores.isfinite()).sum())
    if bad:
        raise MinirlhfError(
            f"{bad} of {len(scores)} responses have a reward that is NaN or infinite: look at the "
            "reward model or scorer; if the run went well until now, too high a learning rate."
        )


def check_kl(kl: Tensor) -> None:
    """Refuse a KL that is significantly negative: an estimate may be, by a few standard errors."""
    error = float(kl.std()) / len(kl) ** 0.5 if len(kl) > 1 else float("inf")
    if float(kl.mean()) < -0.1 - 6.0 * error:
        raise MinirlhfError(
            f"objective/kl is {float(kl.mean()):.3g} ± {error:.2g}, but KL can't be negative: the "
            "responses aren't samples of the policy at the temperature of its log-probs, or the "
            "reference's log-probs are those of other tokens."
        )


RATIO, RATIO_HALF = 1e-3, 0.05
"""By how much the first ratio may be off 1: any token's in float32 (a sharp policy has been off by
1.1e-4), the mean token's in bf16 and fp16, where of many tokens one is always far off."""


def check_ratio(new: Tensor, old: Tensor, mask: Tensor, exact: bool = True) -> None:
    """Refuse a first minibatch whose ratio isn't 1: its policy is still the one that sampled.

    ``exact`` says that both log-probs come from float32 forwards.
    """
    off = torch.where(mask, torch.exp(new - old) - 1.0, 0.0).abs()
    error = float(off.max() if exact else objectives.masked_mean(off, mask))
    tolerance = RATIO if exact else RATIO_HALF
    if not error <= tolerance:
        whose = "" if exact else "on average "
        raise MinirlhfError(
            f"On the first minibatch PPO's ratio is {whose}off 1 by {error:.2g} (allowed: "
            f"{tolerance:g}): "
            "rollout and update disagree about the same tokens. Look for dropout left on, another "
            "temperature or set of suppressed ids in one of them, positions that count padding, "
            "or a model whose cached and full forward passes differ."
        )
