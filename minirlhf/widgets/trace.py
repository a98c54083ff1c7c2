"""One response, followed token by token: the numbers that the token lens shows.

Each of them comes from the function that training uses: `rollouts` samples and scores, `objectives`
shapes the reward and computes advantages and losses.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from minirlhf import objectives
from minirlhf.config import PPOConfig
from minirlhf.episodes import Episodes, Models, encode, roll_out, score
from minirlhf.objectives import Advantages
from minirlhf.randomness import generator
from minirlhf.training.compute import Compute


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A sampled response of T tokens with what reference, value and reward model say of it.

    The fields are plain values: ``Trace(**json.loads(line))`` reads what ``record()`` gave.
    """

    prompt: str
    tokens: list[str]
    """The response's tokens as text, EOS included."""
    logprobs: list[float]
    """log π of each token, as it was sampled."""
    reference: list[float]
    """log π^SFT of each token."""
    values: list[float]
    """V of the state in which each token is chosen."""
    score: float
    """r(x, y)."""
    beta: float
    lam: float = 0.95
    clip: float = 0.2
    updated: list[float] = field(default_factory=list)
    """log π of each token after an update, if there was one."""

    def record(self) -> dict[str, Any]:
        """The fields, to be written as JSON."""
        return asdict(self)

    @cached_property
    def log_ratio(self) -> Tensor:
        """k1 of each token: float32 ``[T]``."""
        return objectives.kl_k1(_row(self.logprobs), _row(self.reference))[0]

    @cached_property
    def rewards(self) -> Tensor:
        """R_t: float32 ``[T]``."""
        return objectives.shaped_rewards(
            torch.tensor([self.score]),
            _row(self.logprobs),
            _row(self.reference),
            self._mask,
            self.beta,
        )[0]

    @cached_property
    def gae(self) -> Advantages:
        """Advantages and returns, not whitened (that takes a batch): float32 ``[T]`` each."""
        found = objectives.gae(self.rewards[None], _row(self.values), self._mask, lam=self.lam)
        return Advantages(*(tensor[0] for tensor in found))

    @cached_property
    def ratio(self) -> Tensor:
        """ρ_t = π/π_old: float32 ``[T]``, all 1 before the first update."""
        return torch.exp(_row(self.updated or self.logprobs)[0] - _row(self.logprobs)[0])

    def loss(self, token: int, ratio: float) -> float:
        """The clipped loss of one token, had its probability changed by ``ratio``."""
        old = torch.zeros(1, 1)
        new = old + torch.tensor(ratio).log()
        advantage = self.gae.advantages[token].view(1, 1)
        mask = torch.ones(1, 1, dtype=torch.bool)
        return float(objectives.policy_loss(new, old, advantage, mask, self.clip))

    @property
    def _mask(self) -> Tensor:
        return torch.ones(1, len(self.tokens), dtype=torch.bool)


def trace(models: Models, prompt: str, config: PPOConfig | None = None) -> Trace:
    """Sample one response to ``prompt`` and score it, as an iteration of PPO does.

    ``config`` gives β, λ, the clip range, the longest response and the seed.
    """
    config = config or PPOConfig()
    compute = Compute(config.precision)
    models = models.to(compute.device)
    prompts = encode(models.tokenizer, [{"prompt": prompt}], config.max_prompt)
    draw = generator(config.seed, "rollout", 0)
    uniforms = torch.rand(1, config.max_response, generator=draw)
    penalty = config.missing_eos_penalty
    episodes = roll_out(compute, models, prompts, uniforms)
    episodes = score(compute, models, episodes, missing_eos_penalty=penalty)
    return from_episodes(episodes, 0, models.tokenizer, config)


def from_episodes(episodes: Episodes, row: int, tokenizer, config: PPOConfig) -> Trace:
    """One row of an iteration's scored episodes."""
    size = int(episodes.mask[row].sum())
    end = int(episodes.sequences.lengths[row])
    ids = episodes.sequences.tokens[row, end - size : end].tolist()
    return Trace(
        prompt=episodes.prompts[row].text,
        tokens=[token_text(tokenizer, token) for token in ids],
        logprobs=episodes.logprobs[row, :size].tolist(),
        reference=episodes.reference[row, :size].tolist(),
        values=episodes.values[row, :size].tolist(),
        score=float(episodes.scores[row]),
        beta=config.beta,
        lam=config.lam,
        clip=config.clip,
    )


def token_text(tokenizer, token: int) -> str:
    """One token as text; a byte that is no letter by itself as the tokenizer writes it."""
    text = tokenizer.decode([token], clean_up_tokenization_spaces=False)
    return f"⟨{tokenizer.convert_ids_to_tokens(token)}⟩" if "\ufffd" in text else text


def _row(values: list[float]) -> Tensor:
    return torch.tensor([values], dtype=torch.float32)
