"""Every equation of the paper, and of the ancestors it leans on, as pure functions on tensors.

Shapes: ``B`` rows, ``T`` tokens, ``V`` vocabulary, ``K`` ranked completions of a prompt. A ``mask``
is boolean and True where a token counts; nothing outside it ever enters a sum. All losses and
statistics are float32.

A loss is a mean over a whole batch. When the batch is worked off in pieces (micro-batches, several
processes), each piece passes the whole batch's size as ``count``: the pieces' losses then add up to
the loss of the whole, whatever the cut.

The paper states Eq. 1 and Eq. 2. What it cites but doesn't restate (PPO's clipped surrogate, GAE,
whitening, value clipping) follows openai/lm-human-preferences and Stiennon et al. 2020.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# -------------------------------------------------------------------------------- masked statistics


def masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    """Sum of ``x`` over True positions: scalar float32. What the mask hides may even be NaN."""
    return torch.where(mask, x.float(), 0.0).sum()


def masked_mean(x: Tensor, mask: Tensor, count: Tensor | float | None = None) -> Tensor:
    """Mean of ``x`` over True positions (``count`` of them, if this is a piece of a batch)."""
    return masked_sum(x, mask) / (mask.sum().clamp(min=1) if count is None else count)


def masked_var(x: Tensor, mask: Tensor) -> Tensor:
    """Population variance of ``x`` over True positions: scalar float32."""
    return masked_mean((x.float() - masked_mean(x, mask)) ** 2, mask)


def whiten(x: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    """Scale ``x`` to variance 1 over True positions and, with ``shift_mean``, to mean 0; 0
    elsewhere.

    lm-human-preferences whitens advantages with, and rewards without, the shift of the mean.
    """
    mean = masked_mean(x, mask)
    whitened = (x.float() - mean) * torch.rsqrt(masked_var(x, mask) + 1e-8)
    return torch.where(mask, whitened if shift_mean else whitened + mean, 0.0)


# ----------------------------------------------------------------------------------- language model


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log π(token) under ``logits``: ``[..., V]`` and ``[...]`` to float32 ``[...]``."""
    flat = F.cross_entropy(logits.float().flatten(0, -2), tokens.flatten(), reduction="none")
    return -flat.view(tokens.shape)


def sft_loss(logprobs: Tensor, mask: Tensor, count: Tensor | float | None = None) -> Tensor:
    """Supervised loss (§3.5, C.1): mean negative log-likelihood of the completion tokens of a
    batch.

    ``logprobs``, ``mask`` are ``[B, T]``; the mask is False on the prompt and on padding and True
    on the completion with its EOS. Whether the paper masks the prompt isn't stated; ours is the
    common choice.
    """
    return -masked_mean(logprobs, mask, count)


def ptx_loss(logprobs: Tensor, mask: Tensor, count: Tensor | float | None = None) -> Tensor:
    """-E_{x~D_pretrain} log π(x), the third term of Eq. 2 before its γ, per pretraining token.

    The paper doesn't say how its log-likelihood is normalised; the mean per token is our choice.
    E.6 sweeps γ.
    """
    return -masked_mean(logprobs, mask, count)


# ------------------------------------------------------------------------------------- reward model


class Ranking(NamedTuple):
    """What Eq. 1 gives for a batch of rankings."""

    loss: Tensor  # scalar float32
    pairs: Tensor  # scalar int64: pairs that aren't ties
    correct: Tensor  # scalar int64: pairs whose better completion scores higher


def ranked_pairs(ranks: Tensor, valid: Tensor) -> Tensor:
    """Ranks ``[B, K]`` (1 = best) to bool ``[B, K, K]``, True where w beats l; ties never do."""
    better = ranks[:, :, None] < ranks[:, None, :]
    return better & valid[:, :, None] & valid[:, None, :]


def ranking_loss(
    scores: Tensor, ranks: Tensor, valid: Tensor, count: Tensor | float | None = None
) -> Ranking:
    r"""Eq. 1: $-E_x\big[\binom{K}{2}^{-1}\sum_{(w,l)} \log\sigma(r_θ(x,y_w)-r_θ(x,y_l))\big]$.

    ``scores`` float ``[B, K]``, ``ranks`` int ``[B, K]`` with 1 = best, ``valid`` bool ``[B, K]``
    (prompts with fewer than K completions are padded). All pairs of a prompt come from its K
    scores, so each completion gets one gradient (§3.5). Ties are dropped (C.2) and the mean is over
    the pairs that remain, first within a prompt, then over the prompts that have any (``count`` of
    them, if this is a piece of a larger batch).
    """
    wins = ranked_pairs(ranks, valid)
    difference = scores.float()[:, :, None] - scores.float()[:, None, :]
    pairs = wins.sum((1, 2))
    per_prompt = -torch.where(wins, F.logsigmoid(difference), 0.0).sum((1, 2)) / pairs.clamp(min=1)
    prompts = (pairs > 0).sum().clamp(min=1) if count is None else count
    return Ranking(per_prompt.sum() / prompts, pairs.sum(), (wins & (difference > 0)).sum())


def reward_bias(demonstration_scores: Tensor) -> Tensor:
    """The constant that makes demonstrations score 0 on average (§3.5): ``[N]`` to a scalar."""
    return -demonstration_scores.float().mean()


def best_of_n(scores: Tensor) -> Tensor:
    """Index of the (first) best of n samples: scores ``[B, n]`` to int64 ``[B]``."""
    return (scores == scores.amax(-1, keepdim=True)).int().argmax(-1)


# ----------------------------------------------------------------------------- reward and advantage


def kl_k1(logprobs: Tensor, reference: Tensor) -> Tensor:
    """k1 = log π/π_ref of the sampled token: unbiased for KL(π‖π_ref), of either sign."""
    return logprobs.float() - reference.float()


def kl_k2(logprobs: Tensor, reference: Tensor) -> Tensor:
    """k2 = ½ (log π/π_ref)²: never negative, biased, low variance."""
    return 0.5 * kl_k1(logprobs, reference) ** 2


def kl_k3(logprobs: Tensor, reference: Tensor) -> Tensor:
    """k3 = π_ref/π - 1 - log π_ref/π: never negative and unbiased."""
    log_ratio = -kl_k1(logprobs, reference)
    return torch.expm1(log_ratio) - log_ratio


def last_token(mask: Tensor) -> Tensor:
    """Column of each row's last True: bool ``[B, T]`` to int64 ``[B]`` (0 for an empty row)."""
    columns = torch.arange(mask.shape[1], device=mask.device)
    return (columns * mask).amax(-1)


def shaped_rewards(
    scores: Tensor, logprobs: Tensor, reference: Tensor, mask: Tensor, beta: float
) -> Tensor:
    r"""R_t = -β (log π_t - log π^SFT_t) + 1[t = last] r_θ(x, y): the bracket of Eq. 2, token by
    token.

    ``scores`` ``[B]``, the rest ``[B, T]``; float32 ``[B, T]``, 0 outside the mask. The score falls
    on the last response token, which is the EOS wherever there is one.
    """
    rewards = torch.where(mask, -beta * kl_k1(logprobs, reference), 0.0)
    return rewards.scatter_add(1, last_token(mask)[:, None], scores.float()[:, None])


class Advantages(NamedTuple):
    """What GAE gives, both float32 ``[B, T]`` and 0 outside the mask."""

    advantages: Tensor
    returns: Tensor


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, discount: float = 1.0, lam: float = 0.95
) -> Advantages:
    r"""Generalised advantages: $δ_t = R_t + γV_{t+1} - V_t$, $\hat A_t = \sum_l (γλ)^l δ_{t+l}$.

    ``values[:, t]`` is V of the state in which token t is chosen. After the last response token
    the episode is over and V is 0. The paper: no discount (γ = 1); λ isn't stated, ancestors: .95.
    """
    rewards = torch.where(mask, rewards.float(), 0.0)
    values = torch.where(mask, values.float(), 0.0)
    advantages = torch.zeros_like(values)
    running = next_value = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + discount * next_value - values[:, t]
        running = (delta + discount * lam * running) * mask[:, t]
        advantages[:, t], next_value = running, values[:, t]
    return Advantages(advantages, advantages + values)


# ---------------------------------------------------------------------------------------------- PPO


def policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip: float = 0.2,
    count: Tensor | float | None = None,
) -> Tensor:
    r"""PPO's clipped surrogate, to be minimised: $-\min(ρ_t A_t, \mathrm{clip}(ρ_t, 1±ε) A_t)$.

    All ``[B, T]``; $ρ_t = π/π_{old}$ and ε = .2 (C.4). A mean over tokens by default; pass the
    number of rows as ``count`` for sums over tokens within a sequence and the mean over sequences.
    """
    ratio = torch.exp(logprobs.float() - old_logprobs.float())
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    return masked_mean(torch.maximum(-advantages * ratio, -advantages * clipped), mask, count)


def value_loss(
    values: Tensor,
    old_values: Tensor,
    returns: Tensor,
    mask: Tensor,
    clip: float | None = 0.2,
    count: Tensor | float | None = None,
) -> Tensor:
    """½ max((V - R)², (clip(V, V_old ± ε) - R)²), mean over tokens; all ``[B, T]``.

    Not stated in the paper; lm-human-preferences clips at .2. ``clip=None`` leaves the plain
    square.
    """
    values, old_values = values.float(), old_values.float()
    squared = (values - returns) ** 2
    if clip is not None:
        near = torch.clamp(values, old_values - clip, old_values + clip)
        squared = torch.maximum(squared, (near - returns) ** 2)
    return 0.5 * masked_mean(squared, mask, count)


def clip_fraction(
    logprobs: Tensor,
    old_logprobs: Tensor,
    mask: Tensor,
    clip: float = 0.2,
    count: Tensor | float | None = None,
) -> Tensor:
    """Share of response tokens whose ratio lies outside 1 ± ε."""
    ratio = torch.exp(logprobs.float() - old_logprobs.float())
    return masked_mean((ratio - 1.0).abs() > clip, mask, count)


def approx_kl(
    logprobs: Tensor, old_logprobs: Tensor, mask: Tensor, count: Tensor | float | None = None
) -> Tensor:
    """lm-human-preferences' ``approxkl``: mean of k2 between the updated policy and the sampling
    one.
    """
    return masked_mean(kl_k2(logprobs, old_logprobs), mask, count)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 - Var(R - V) / Var(R) over the response tokens: 1 for a perfect value model, 0 for a
    constant.
    """
    return 1.0 - masked_var(returns - values, mask) / masked_var(returns, mask).clamp(min=1e-8)


def rlhf_objective(
    scores: Tensor,
    logprobs: Tensor,
    reference: Tensor,
    mask: Tensor,
    beta: float,
    gamma: float = 0.0,
    pretraining_logprob: Tensor | float = 0.0,
) -> Tensor:
    r"""Eq. 2, to be maximised: $E[r_θ - β \log π/π^{SFT}] + γ E[\log π(x_{pretrain})]$, a scalar.

    ``scores`` ``[B]``; log-probs ``[B, T]``, summed over the response. ``gamma`` is the paper's ptx
    coefficient, not a discount. With ``gamma=0`` this is what the metric ``objective/rlhf_reward``
    shows.
    """
    kl = torch.where(mask, kl_k1(logprobs, reference), 0.0).sum(-1)
    return (scores.float() - beta * kl).mean() + gamma * pretraining_logprob
