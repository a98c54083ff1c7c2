"""Rollouts: tokens, log-probs and lengths in one pass.

A token is drawn by inverse CDF from a uniform number that the caller hands in. So a row's response
depends on its own uniforms alone, not on the batch it sits in (up to rounding: another batch shape
may move a log-prob in its last digits), and a run can be resumed or split over processes.

The whole distribution is sampled, at the stated temperature: no top-k, no top-p.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from minirlhf.data.batching import by_length, micro_batches, pad_left
from minirlhf.data.encoding import check_tokenizer, decode, encode_prompts
from minirlhf.errors import MinirlhfError
from minirlhf.models import check_model, never_sampled, position_arguments, process_logits
from minirlhf.randomness import generator

LOOK_EVERY = 4
"""Tokens between two looks at who has finished: a look makes a GPU wait for its host."""


class Rollout(NamedTuple):
    """``B`` sampled responses of up to ``T`` tokens."""

    responses: Tensor  # int64 [B, T], pad after EOS
    mask: Tensor  # bool [B, T], True up to and including EOS
    logprobs: Tensor  # float32 [B, T] of the sampled tokens, 0 outside the mask

    def ids(self) -> list[list[int]]:
        """The responses as lists, without padding."""
        lengths = self.mask.sum(-1).tolist()
        return [row[:n] for row, n in zip(self.responses.tolist(), lengths, strict=True)]


@torch.no_grad()
def sample(
    policy,
    prompt_ids: Tensor,
    prompt_mask: Tensor,
    uniforms: Tensor,
    *,
    eos_token_id: int,
    pad_token_id: int,
    temperature: float = 1.0,
    suppress: Tensor | None = None,
) -> Rollout:
    """Sample a response of at most ``T`` tokens to each left-padded prompt.

    ``prompt_ids`` int64 and ``prompt_mask`` bool ``[B, P]`` on the policy's device; ``uniforms``
    float ``[B, T]`` in [0, 1), one for every token; ``suppress`` bool ``[V]`` marks ids never
    sampled. At temperature 0 the likeliest token is taken and log-probs are those of temperature 1.
    """
    policy.eval()
    rows, steps = uniforms.shape
    width, device = prompt_ids.shape[1], prompt_ids.device
    uniforms = uniforms.to(device)
    responses = torch.full((rows, steps), pad_token_id, device=device)
    response_mask = torch.zeros((rows, steps), dtype=torch.bool, device=device)
    logprobs = torch.zeros((rows, steps), device=device)
    mask = torch.cat([prompt_mask, prompt_mask.new_ones((rows, steps))], 1)
    cache = make_cache(policy, width + steps)

    row = torch.arange(rows, device=device)  # which row of the result each live row is
    running = torch.ones(rows, dtype=torch.bool, device=device)
    inputs, positions = prompt_ids, position_arguments(policy, prompt_mask)
    for t in range(steps):
        logits = policy(
            input_ids=inputs,
            attention_mask=mask[:, : width + t],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **positions,
        ).logits[:, -1]
        logits = process_logits(logits, temperature or 1.0, suppress)
        tokens, chosen = draw(logits, uniforms[row, t] if temperature else None)
        responses[row, t] = torch.where(running, tokens, pad_token_id)
        response_mask[row, t] = running
        logprobs[row, t] = torch.where(running, chosen, 0.0)
        running = running & (tokens != eos_token_id)

        if t % LOOK_EVERY == LOOK_EVERY - 1:
            left = int(running.sum())
            if left == 0:
                break
            if left <= 0.75 * len(row):  # dropping rows copies the cache, so not for a few
                live = running.nonzero().squeeze(-1)
                cache.batch_select_indices(live)
                row, mask, tokens, running = row[live], mask[live], tokens[live], running[live]
        inputs = tokens[:, None]
        if positions:
            positions = {"position_ids": mask[:, : width + t + 1].sum(-1, keepdim=True) - 1}

    if not logprobs.isfinite().all():
        raise MinirlhfError(
            "The policy's log-probs are NaN or infinite: its training diverged (lower the learning "
            "rate), or its weights are damaged (fetch or make them again)."
        )
    return Rollout(responses, response_mask, logprobs)


def draw(logits: Tensor, uniforms: Tensor | None) -> tuple[Tensor, Tensor]:
    """One token per row and its log-prob, by inverse CDF: ``[B, V]``, ``[B]`` to ``[B]``, ``[B]``.

    The token is the first whose cumulative probability exceeds u: an id of probability 0 never is.
    ``None`` for the uniforms takes the likeliest.
    """
    if uniforms is None:
        tokens = logits.argmax(-1)
    else:
        cdf = torch.softmax(logits, -1).cumsum(-1)
        target = uniforms.to(cdf)[:, None] * cdf[:, -1:]
        tokens = torch.searchsorted(cdf, target, right=True).squeeze(-1)
        tokens = tokens.clamp(max=logits.shape[-1] - 1)  # NaN falls off the end
    chosen = logits.gather(-1, tokens[:, None]).squeeze(-1)
    return tokens, chosen - logits.logsumexp(-1)


def complete(
    policy,
    tokenizer,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    n: int = 1,
    seed: int = 0,
    batch_size: int = 64,
    stop: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Answer prompts as text, ``n`` times each (the answers to one prompt lie next to one another).

    Row i draws from (seed, i), so the answers don't depend on ``batch_size``. ``stop`` cuts each
    answer where that string first occurs; ``progress(done, total)`` is called after each batch.
    """
    check_tokenizer(tokenizer)
    encoded = [ids for ids in encode_prompts(tokenizer, prompts) for _ in range(n)]
    if not encoded:
        return []
    check_model(policy, tokenizer, longest=max(map(len, encoded)) + max_new_tokens)
    suppress = never_sampled(tokenizer, policy)
    answers: list[str] = [""] * len(encoded)
    done = 0
    for rows in micro_batches(by_length(range(len(encoded)), list(map(len, encoded))), batch_size):
        ids, mask = pad_left([encoded[row] for row in rows], tokenizer.pad_token_id)
        uniforms = [
            torch.rand(max_new_tokens, generator=generator(seed, "complete", row)) for row in rows
        ]
        rollout = sample(
            policy,
            ids.to(policy.device),
            mask.to(policy.device),
            torch.stack(uniforms),
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            temperature=temperature,
            suppress=suppress,
        )
        for row, text in zip(rows, decode(tokenizer, rollout.ids()), strict=True):
            answers[row] = text.split(stop, 1)[0] if stop else text
        done += len(rows)
        if progress is not None:
            progress(done, len(encoded))
    return answers


class RoomyLayer(DynamicLayer):
    """A layer of a key-value cache, written in place into buffers allocated once.

    transformers' dynamic cache copies everything at every token, its static cache attends to all
    the room from the start; this one does neither: what it shows are views of what is filled.
    """

    def __init__(self, room: int):
        super().__init__()
        self.room, self.filled = room, 0

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs):
        """Append keys and values ``[B, H, n, d]``; return all so far."""
        if self.filled == 0:
            self.lazy_initialization(key_states, value_states)
            self._keys, self._values = (
                new.new_empty(*new.shape[:2], self.room, new.shape[3])
                for new in (key_states, value_states)
            )
        start, self.filled = self.filled, self.filled + key_states.shape[2]
        self._keys[:, :, start : self.filled] = key_states
        self._values[:, :, start : self.filled] = value_states
        return self._show()

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows of the batch."""
        self._keys, self._values = self._keys[indices], self._values[indices]
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        self.keys = self._keys[:, :, : self.filled]
        self.values = self._values[:, :, : self.filled]
        return self.keys, self.values


def make_cache(policy, room: int) -> Cache:
    """A cache for ``room`` tokens; transformers' own for sliding windows and recurrent layers."""
    config = policy.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        return DynamicCache(config=policy.config)
    return Cache(layers=[RoomyLayer(room) for _ in range(config.num_hidden_layers)])
