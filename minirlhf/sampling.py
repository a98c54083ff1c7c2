"""Rollouts: tokens, log-probs and lengths in one pass.

A token is drawn by inverse CDF from a uniform number that the caller hands in. So a row's response
depends on its own uniforms alone, not on the batch it sits in (up to rounding: another batch shape
may move a log-prob in its last digits), and a run can be resumed or split over processes.

The whole distribution is sampled, at the stated temperature: no top-k, no top-p.

Responses end at different lengths, so the next prompts move up where rows have ended: a forward
pass for one token costs nearly the same for one row as for thirty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicCache

from minirlhf.data.batching import Ids, cut, pad_left, position_ids
from minirlhf.data.conversations import Messages, prompt_text
from minirlhf.data.tokenization import check_tokenizer, decode, encode_prompts
from minirlhf.decoding.cuda_graph import AGREE, AGREE_HALF
from minirlhf.decoding.decoder import Decoder
from minirlhf.decoding.kv_cache import can_be_joined, join
from minirlhf.errors import MinirlhfError
from minirlhf.fast.unread import on_trial
from minirlhf.models import never_sampled, next_logits, process_logits
from minirlhf.pretrained import check_model
from minirlhf.randomness import generator

PART, KEEP = 4, 0.75
"""Prompts join by at most a PART-th of the rows at once, when no more than KEEP still run."""
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
    prompts: Sequence[Ids],
    uniforms: Tensor,
    *,
    eos_token_id: int,
    pad_token_id: int,
    temperature: float = 1.0,
    suppress: Tensor | None = None,
    micro_batch: int = 128,
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[list[Ids]], None] | None = None,
) -> Rollout:
    """Sample a response of at most ``T`` tokens to each prompt, on the policy's device.

    ``prompts`` are ids; ``uniforms`` float ``[B, T]`` in [0, 1), one for every token; ``suppress``
    bool ``[V]`` marks ids never sampled. At temperature 0 the likeliest token is taken and
    log-probs are those of temperature 1. ``micro_batch`` rows are in work at a time;
    ``progress(done, total)`` and ``watch(responses so far)`` are called every few tokens.
    """
    policy.eval()
    device, (total, steps) = policy.device, uniforms.shape
    # flat, with a column to spare: there, or after EOS, rows that have ended write until they leave
    width = steps + 1
    uniforms = F.pad(uniforms.to(device), (0, 1)).flatten()
    responses = torch.full((total * width,), pad_token_id, device=device)
    logprobs = torch.zeros(total * width, device=device)
    lengths = torch.zeros(total, dtype=torch.long, device=device)
    part = PART if can_be_joined(DynamicCache(config=policy.config)) else 1
    pieces = cut(range(total), list(map(len, prompts)), max(micro_batch // part, 1), device)
    waiting = deque(reversed(pieces))
    work: Work | None = None
    decoder = Decoder(policy)

    def begin(piece: list[int]) -> Work:
        first = torch.tensor(piece, device=device) * width
        return prefill(policy, first, steps, [prompts[row] for row in piece], pad_token_id)

    # small models are bound by what torch does around its kernels, and in this mode it does less;
    # not on a GPU, where the tensors of graphs outlive this call
    with torch.inference_mode() if device.type == "cpu" else nullcontext():
        while work := refill(work, waiting, micro_batch, begin, decoder):
            for _ in range(LOOK_EVERY):
                logits = process_logits(work.logits, temperature or 1.0, suppress)
                u = uniforms.index_select(0, work.slot) if temperature else None
                tokens, chosen = draw(logits, u)
                responses.index_copy_(0, work.slot, tokens)
                logprobs.index_copy_(0, work.slot, chosen)
                work = step(decoder, work, tokens, eos_token_id)
            lengths[work.end // width] = steps - (work.end - work.slot)
            if progress is not None:
                left = sum(map(len, waiting)) + int(work.running.sum())
                progress(total - left, total)
            if watch is not None:
                rows = zip(responses.view(total, width), lengths.tolist(), strict=True)
                watch([row[:length].tolist() for row, length in rows])

    mask = torch.arange(steps, device=device) < lengths[:, None]
    responses = torch.where(mask, responses.view(total, width)[:, :steps], pad_token_id)
    logprobs = torch.where(mask, logprobs.view(total, width)[:, :steps], 0.0)
    if not logprobs.isfinite().all():
        raise MinirlhfError(
            "The policy's log-probs are NaN or infinite: its training diverged (lower the learning "
            "rate), or its weights are damaged (fetch or make them again)."
        )
    return Rollout(responses, mask, logprobs)


def draw(logits: Tensor, uniforms: Tensor | None) -> tuple[Tensor, Tensor]:
    """One token per row and its log-prob, by inverse CDF: ``[B, V]``, ``[B]`` to ``[B]``, ``[B]``.

    The token is the first whose cumulative probability exceeds u: an id of probability 0 never is.
    ``None`` for the uniforms takes the likeliest.
    """
    probabilities = logits.softmax(-1)
    if uniforms is None:
        tokens = probabilities.argmax(-1, keepdim=True)
    else:
        cdf = probabilities.cumsum(-1)
        whole = cdf[:, -1:]  # to which u times it may round up
        below = torch.nextafter(whole, torch.zeros_like(whole))
        at = torch.minimum(uniforms.to(cdf)[:, None] * whole, below)
        tokens = torch.searchsorted(cdf, at, right=True)
        tokens = tokens.clamp(max=logits.shape[-1] - 1)  # NaN falls off the end
    return tokens.squeeze(-1), probabilities.gather(-1, tokens).squeeze(-1).log()


# ------------------------------------------------------------------------------ which models can it

_off: WeakKeyDictionary[nn.Module, float] = WeakKeyDictionary()
"""By how much, in standard deviations, each policy's logits are off where a cache is used."""


def check_policy(policy, tokenizer, longest: int) -> None:
    """Refuse, before anything is trained, a model that couldn't be sampled from.

    Besides what `check_model` refuses: one whose steps with a cache can't be made, or don't give
    the logits of its plain forward pass. Found out once per model.
    """
    check_model(policy, tokenizer, longest)
    name = type(policy).__name__
    if policy not in _off:
        try:
            with on_trial(policy):
                _off[policy] = _off_with_a_cache(policy)
        except Exception as error:  # whatever an architecture does
            reason = str(error).strip().split("\n")[0]
            raise MinirlhfError(
                f"{name} can't be sampled from here: its cache can't be taken apart by rows, or "
                f"padded ({type(error).__name__}: {reason}). Take another architecture."
            ) from error
    allowed = AGREE if policy.dtype in (torch.float32, torch.float64) else AGREE_HALF
    if _off[policy] > allowed:
        raise MinirlhfError(
            f"{name} can't be sampled from here: where it goes on from a cache, or from a row that "
            f"is padded, its logits are off by {_off[policy]:.2g} standard deviations (allowed: "
            f"{allowed:g}). Take another architecture."
        )


def _off_with_a_cache(policy) -> float:
    """On two made-up prompts, one of them padded, and a token more."""
    size = policy.get_input_embeddings().num_embeddings
    prompts = [[(3 + i) % size for i in range(count)] for count in (3, 1)]
    slots = torch.arange(2, device=policy.device)
    work = prefill(policy, slots, 1, prompts, pad_token_id=0)
    cache = join([(work.cache, slots)], int(work.length.max()), 1)
    ids = torch.tensor([[7 % size], [8 % size]], device=policy.device)
    further = Decoder(policy)(ids, work.length + 1, cache)
    off = 0.0
    for row, prompt in enumerate(prompts):
        whole = torch.tensor([[*prompt, int(ids[row])]], device=policy.device)
        plain = policy(input_ids=whole, use_cache=False).logits[0, -2:].float()
        found = torch.stack([work.logits[row], further[row]]).float()
        off = max(off, float((found - plain).abs().max() / plain.std()))
    return off


# --------------------------------------------------------------------------------- the rows in work


class Work(NamedTuple):
    """The ``n`` rows in work. All end in the cache's last column, however long they are."""

    slot: Tensor  # int64 [n], where in the flat result the next token goes
    end: Tensor  # int64 [n], the slot where a row is full
    length: Tensor  # int64 [n], tokens in the cache
    running: Tensor  # bool [n], False after EOS or the last token
    logits: Tensor  # [n, V], of the next token
    cache: Cache


def prefill(policy, slots: Tensor, most: int, prompts: Sequence[Ids], pad_token_id: int) -> Work:
    """Take prompts of similar length into work; ``most`` tokens each, from these slots on."""
    ids, mask = (tensor.to(policy.device) for tensor in pad_left(prompts, pad_token_id))
    cache = DynamicCache(config=policy.config)
    logits = next_logits(policy, ids, mask, position_ids(mask), cache)
    running = torch.ones_like(slots, dtype=torch.bool)
    return Work(slots, slots + most, mask.sum(-1), running, logits, cache)


def step(decoder: Decoder, work: Work, tokens: Tensor, eos_token_id: int) -> Work:
    """Append the sampled tokens and compute what follows them; in ended rows nothing changes."""
    slot, length = work.slot + work.running, work.length + work.running
    running = work.running & (tokens != eos_token_id) & (slot < work.end)
    logits = decoder(tokens[:, None], length, work.cache)
    return Work(slot, work.end, length, running, logits, work.cache)


def refill(
    work: Work | None,
    waiting: deque[list[int]],
    micro_batch: int,
    begin: Callable[[list[int]], Work],
    decoder: Decoder,
) -> Work | None:
    """Let ended rows leave and waiting prompts move up; None if all is done.

    That copies the cache, so it waits until enough rows have ended.
    """
    going = work.running.nonzero().squeeze(-1) if work is not None else ()
    if work is not None and len(going) > KEEP * len(work.slot):
        return work
    parts = [(work, going)] if len(going) else []
    while waiting and sum(len(part) for _, part in parts) + len(waiting[0]) <= micro_batch:
        if parts and not can_be_joined(parts[0][0].cache):
            break
        fresh = begin(waiting.popleft())
        parts.append((fresh, torch.arange(len(fresh.slot), device=fresh.slot.device)))
    if not parts:
        return None
    columns = (torch.cat([part[i][keep] for part, keep in parts]) for i in range(5))
    slot, end, length, *others = columns
    left = int((end - slot).max()) + LOOK_EVERY
    cache = join([(part.cache, keep) for part, keep in parts], int(length.max()), left)
    cache = decoder.settle(cache, left)
    return Work(slot, end, length, *others, cache)


# --------------------------------------------------------------------------------------------- text


def complete(
    policy,
    tokenizer,
    prompts: Sequence[str | Messages | Ids],
    *,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    n: int = 1,
    seed: int = 0,
    micro_batch: int = 128,
    stop: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[list[str]], None] | None = None,
) -> list[str]:
    """Answer prompts as text, ``n`` times each (the answers to one prompt lie next to one another).

    A prompt is a text, a list of messages (for the tokenizer's chat template), or ids. Row i draws
    from (seed, i), so the answers don't depend on ``micro_batch``. ``stop`` cuts each answer where
    that string first occurs; ``progress(done, total)`` and ``watch(answers)`` are called meanwhile.
    """
    check_tokenizer(tokenizer)
    if not (prompts and isinstance(prompts[0], list) and isinstance(prompts[0][0], int)):
        texts = [prompt_text(tokenizer, prompt, f"prompt {i}") for i, prompt in enumerate(prompts)]
        prompts = encode_prompts(tokenizer, texts)
    encoded = [ids for ids in prompts for _ in range(n)]
    if not encoded:
        return []
    check_policy(policy, tokenizer, longest=max(map(len, encoded)) + max_new_tokens)
    draws = [generator(seed, "complete", row) for row in range(len(encoded))]

    def written(ids: list[Ids]) -> list[str]:
        return [answer.split(stop, 1)[0] if stop else answer for answer in decode(tokenizer, ids)]

    rollout = sample(
        policy, encoded, torch.stack([torch.rand(max_new_tokens, generator=d) for d in draws]),
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        temperature=temperature, suppress=never_sampled(tokenizer, policy), progress=progress,
        micro_batch=micro_batch,  # half a letter's bytes would be another sign: not shown
        watch=watch and (lambda ids: watch([answer.rstrip("\ufffd") for answer in written(ids)])),
    )  # fmt: skip
    return written(rollout.ids())
