"""Questions of ex04: supervised fine-tuning."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.data import batching
from minirlhf.grading.bank import cases
from minirlhf.grading.choices import MeasuredQuestion
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.trial import Inputs

# ------------------------------------------------------------------------------- prompt-masked loss


def _batch(g: Generator) -> Inputs:
    B, L, lengths = cases.rows(g, least=3)
    V = cases.integer(g, 5, 9)
    prompts = torch.stack([torch.randint(1, int(n) - 1, (), generator=g) for n in lengths])
    column = torch.arange(L)
    mask = (column >= prompts[:, None]) & (column < lengths[:, None])
    tokens = torch.randint(V, (B, L), generator=g)
    return {"logits": cases.normal(g, B, L, V, scale=2.0), "tokens": tokens, "mask": mask}


def _aligned(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log π of each token but the first, ``[B, L - 1]``."""
    return objectives.token_logprobs(logits[:, :-1], tokens[:, 1:])


def masked_loss(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """The mean negative log-likelihood of the completion tokens (§3.5, C.1)."""
    return objectives.sft_loss(_aligned(logits, tokens), mask[:, 1:])


def _terms(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """What is averaged, -log π of each token; the first isn't predicted."""
    return torch.where(mask, F.pad(-_aligned(logits, tokens), (1, 0)), 0.0)


def _unshifted(logits, tokens, mask):
    return -objectives.masked_mean(objectives.token_logprobs(logits, tokens), mask)


def _shifted_back(logits, tokens, mask):
    return -objectives.masked_mean(objectives.token_logprobs(logits[:, 1:], tokens[:, :-1]), mask)


def _over(dimension: int, before: bool = False):
    """The softmax along another dimension, ``before`` or after the last column is dropped."""

    def loss(logits, tokens, mask):
        cut = logits if before else logits[:, :-1]
        logprobs = torch.log_softmax(cut, dimension)[:, : tokens.shape[1] - 1]
        picked = logprobs.gather(-1, tokens[:, 1:, None])[..., 0]
        return -objectives.masked_mean(picked, mask[:, 1:])

    return loss


def _picked(logits: Tensor, tokens: Tensor) -> Tensor:
    """The entry of each next token."""
    return logits[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


def _with_prompt(logits, tokens, mask):
    until = mask.flip(1).cumsum(1).flip(1) > 0  # prompt and completion, no padding
    return -objectives.masked_mean(_aligned(logits, tokens), until[:, 1:])


def _mask_unshifted(logits, tokens, mask):
    return -objectives.masked_mean(_aligned(logits, tokens), mask[:, :-1])


def _mean_of_rows(logits, tokens, mask):
    loss = torch.where(mask[:, 1:], -_aligned(logits, tokens), 0.0).sum(1)
    return (loss / mask[:, 1:].sum(1)).mean()


def _without_end(logits, tokens, mask):
    keep = mask & F.pad(mask[:, 1:], (0, 1))
    return -objectives.masked_mean(_aligned(logits, tokens), keep[:, 1:])


MASKED_LOSS = FunctionQuestion(
    key="sft.masked_loss",
    exercise="ex04",
    source="§3.5, C.1",
    symbol="objectives.sft_loss",
    points=3,
    minutes=15,
    difficulty=2,
    reference=masked_loss,
    inputs=_batch,
    differentiable=("logits",),
    terms=_terms,
    wrong={
        "unshifted": _unshifted,
        "shifted-back": (
            lambda l, t, m: _shifted_back(l, t, m[:, :-1]),
            lambda l, t, m: _shifted_back(l, t, m[:, 1:]),
        ),
        "id-zero-ignored": lambda logits, tokens, mask: masked_loss(
            logits, tokens, mask & (tokens != 0)
        ),
        "softmax-dimension": (_over(1), _over(1, before=True), _over(0)),
        "softmax-twice": lambda l, t, m: masked_loss(l.softmax(-1), t, m),
        "no-softmax": lambda l, t, m: -objectives.masked_mean(_picked(l, t), m[:, 1:]),
        "no-logarithm": lambda l, t, m: (
            -objectives.masked_mean(_picked(l.softmax(-1), t), m[:, 1:])
        ),
        "perplexity": lambda l, t, m: masked_loss(l, t, m).exp(),
        "prompt-only": lambda l, t, m: masked_loss(l, t, ~m),
        "first-dropped": lambda l, t, m: (
            -objectives.masked_mean(_aligned(l, t), m[:, 1:] & m[:, :-1])
        ),
        "by-rows": lambda l, t, m: -objectives.masked_sum(_aligned(l, t), m[:, 1:]) / len(t),
        "prompt-counted": _with_prompt,
        "everything-counted": lambda l, t, m: -_aligned(l, t).mean(),
        "mask-unshifted": _mask_unshifted,
        "mean-of-rows": _mean_of_rows,
        "end-dropped": _without_end,
        "sum": lambda l, t, m: -objectives.masked_sum(_aligned(l, t), m[:, 1:]),
        "sign": lambda l, t, m: -masked_loss(l, t, m),
        "zeros-averaged": lambda l, t, m: -torch.where(m[:, 1:], _aligned(l, t), 0.0).mean(),
        "detached": lambda l, t, m: masked_loss(l.detach(), t, m),
    },
)

# ------------------------------------------------------------------------------------- position ids


def _left_padded(g: Generator) -> Inputs:
    _, T, lengths = cases.rows(g, least=1)
    return {"mask": torch.arange(T) >= T - lengths[:, None]}


def _arange(mask: Tensor) -> Tensor:
    return torch.arange(mask.shape[1]).expand(mask.shape)


POSITIONS = FunctionQuestion(
    key="sft.positions",
    exercise="ex04",
    source="C.1",
    symbol="data.batching.position_ids",
    points=2,
    minutes=10,
    difficulty=1,
    reference=lambda mask: batching.position_ids(mask),
    inputs=_left_padded,
    wrong={
        "columns": _arange,
        "from-one": lambda m: m.long().cumsum(-1),
        "negative": lambda m: m.long().cumsum(-1) - 1,
        "backwards": lambda m: torch.where(m, _arange(m).flip(1), 0),
        "counted-padding": lambda m: (~m).long().cumsum(-1),
        "masked-columns": lambda m: _arange(m) * m,
        "runs-on": lambda m: (m.flatten().long().cumsum(0) - 1).view(m.shape) * m,
        "down-the-batch": lambda m: (m.long().cumsum(0) - 1).clamp(min=0),
        "first-only": lambda m: (~m).sum(1, keepdim=True).expand(m.shape),
        "padding-one": lambda m: (m.long().cumsum(-1) - 1).masked_fill(~m, 1),
        "columns-less-first": lambda m: _arange(m) - (~m).sum(1, keepdim=True),
    },
)

# ------------------------------------------------------------------------------------ a bug: no EOS


def _ended(g: Generator) -> Inputs:
    B, L, lengths = cases.rows(g, least=3)
    tokens = torch.randint(1, 30, (B, L), generator=g)
    tokens[torch.arange(B), lengths - 1] = 0  # EOS …
    tokens[~cases.right_padded(lengths, L)] = 0  # … and the same id as padding
    prompts = torch.stack([torch.randint(1, int(n) - 1, (), generator=g) for n in lengths])
    ended = torch.rand(B, generator=g) < 0.5  # a prompt of several turns has end tokens, too
    ended[0] = True
    tokens[ended, 0] = 0
    return {"tokens": tokens, "prompt_lengths": prompts, "lengths": lengths, "pad_id": 0}


def labels(
    tokens: Tensor,
    prompt_lengths: Tensor,
    lengths: Tensor,
    pad_id: int,
    first: int = 0,
    last: int = 0,
) -> Tensor:
    """Targets of the loss, -100 where there is none; ``first``, ``last`` move the two ends."""
    column = torch.arange(tokens.shape[1])
    counted = column >= (prompt_lengths + first)[:, None]
    counted = counted & (column < (lengths + last)[:, None])
    return torch.where(counted, tokens, -100)


def _until_first_pad(tokens, prompt_lengths, lengths, pad_id):
    is_pad = tokens == pad_id
    later = is_pad.cumsum(1) - is_pad.long() > 0  # than the first
    return torch.where(later, -100, labels(tokens, prompt_lengths, lengths * 0 + 10_000, pad_id))


def _before_first_pad(tokens, prompt_lengths, lengths, pad_id):
    made = _until_first_pad(tokens, prompt_lengths, lengths, pad_id)
    return torch.where(tokens == pad_id, -100, made)


def _but_second_pads(tokens, prompt_lengths, lengths, pad_id):
    is_pad = tokens == pad_id
    made = labels(tokens, prompt_lengths, lengths * 0 + tokens.shape[1], pad_id)
    return torch.where(is_pad & (is_pad.cumsum(1) > 1), -100, made)


def _next(labels_: Tensor) -> Tensor:
    return torch.cat([labels_[:, 1:], torch.full_like(labels_[:, :1], -100)], 1)


def _as_found(tokens, prompt_lengths, lengths, pad_id):
    made = tokens.clone()
    for row, length in enumerate(prompt_lengths):
        made[row, :length] = -100
    made[made == pad_id] = -100
    return made


NO_END = FunctionQuestion(
    key="sft.bug",
    exercise="ex04",
    source="§3.5, C.1",
    symbol="objectives.sft_loss",
    points=3,
    minutes=15,
    difficulty=2,
    reference=labels,
    inputs=_ended,
    wrong={
        "as-found": _as_found,
        "prompt-kept": lambda t, p, n, pad: labels(t, p * 0, n, pad),
        "padding-kept": lambda t, p, n, pad: labels(t, p, n * 0 + t.shape[1], pad),
        "first-lost": lambda t, p, n, pad: labels(t, p, n, pad, first=1),
        "last-prompt-token": lambda t, p, n, pad: labels(t, p, n, pad, first=-1),
        "one-pad-kept": lambda t, p, n, pad: labels(t, p, n, pad, last=1),
        "nothing-masked": lambda t, p, n, pad: t.clone(),
        "first-pad": (_until_first_pad, _but_second_pads),
        "before-first-pad": _before_first_pad,
        "ends-in-prompt": lambda t, p, n, pad: torch.where(
            (t == pad) & (torch.arange(t.shape[1]) < n[:, None]), t, labels(t, p, n, pad)
        ),
        "shifted": lambda t, p, n, pad: _next(labels(t, p, n, pad)),
        "zeros-for-labels": lambda t, p, n, pad: labels(t, p, n, pad).masked_fill(
            labels(t, p, n, pad) == -100, 0
        ),
        "lengths-added": lambda t, p, n, pad: labels(t, p, n + p, pad),
        "completion-masked": lambda t, p, n, pad: torch.where(
            labels(t, p, n, pad) == -100, t, -100
        ),
    },
)

# ------------------------------------------------------------------------------ predict and measure

VOCABULARY = 500
UNTRAINED = MeasuredQuestion(
    key="sft.untrained",
    exercise="ex04",
    source="§3.5, C.1",
    symbol="objectives.sft_loss",
    points=3,
    minutes=10,
    difficulty=1,
    expected=lambda: math.log(VOCABULARY),
    tolerance=0.25,
    near=0.3,
    right="B",
    letters="ABCD",
    wrong={"bits": math.log2(VOCABULARY), "perplexity": float(VOCABULARY), "one": 1.0},
)

QUESTIONS = (MASKED_LOSS, POSITIONS, NO_END, UNTRAINED)
