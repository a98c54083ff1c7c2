"""Batches of prompt and response: prompts padded on the left, responses on the right.

So every response of a batch starts in the same column, and one layout serves sampling, SFT, the
reward model and PPO. ``mask`` is True on real tokens; positions come from it, never from the
column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Ids = Sequence[int]


class Sequences(NamedTuple):
    """``B`` prompts and responses: ``P`` prompt columns, then ``T`` response columns."""

    tokens: Tensor  # int64 [B, P + T]
    mask: Tensor  # bool [B, P + T]
    response_mask: Tensor  # bool [B, T]: the response with its EOS

    @property
    def responses(self) -> Tensor:
        """The response ids, int64 ``[B, T]``."""
        return self.tokens[:, self.tokens.shape[1] - self.response_mask.shape[1] :]

    def response_lists(self) -> list[list[int]]:
        """The responses as lists, without padding."""
        return [
            ids[mask].tolist() for ids, mask in zip(self.responses, self.response_mask, strict=True)
        ]

    @property
    def lengths(self) -> Tensor:
        """Real tokens of each row, int64 ``[B]``."""
        return self.mask.sum(-1)

    def to(self, device: torch.device) -> Sequences:
        return Sequences(*(tensor.to(device) for tensor in self))

    def trimmed(self, rows: Tensor | Sequence[int]) -> Sequences:
        """These rows, without the columns in which they have nothing but padding."""
        rows = torch.as_tensor(rows)
        mask, response_mask = self.mask[rows], self.response_mask[rows]
        prompt = self.mask.shape[1] - self.response_mask.shape[1]
        first = int(mask.any(0).int().argmax())
        width = max(int(response_mask.sum(-1).max()), 1)
        columns = slice(first, prompt + width)
        return Sequences(self.tokens[rows, columns], mask[:, columns], response_mask[:, :width])


def pad_left(rows: Sequence[Ids], pad_token_id: int) -> tuple[Tensor, Tensor]:
    """Ids ``[B, P]`` and boolean mask ``[B, P]``, padded on the left."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad_token_id] * (width - len(row)) + list(row) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return ids, torch.arange(width) >= width - lengths[:, None]


def pad_right(rows: Sequence[Ids], pad_token_id: int) -> tuple[Tensor, Tensor]:
    """Ids ``[B, T]`` and boolean mask ``[B, T]``, padded on the right."""
    width = max(map(len, rows))
    ids = torch.tensor([list(row) + [pad_token_id] * (width - len(row)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return ids, torch.arange(width) < lengths[:, None]


def collate(prompts: Sequence[Ids], responses: Sequence[Ids], pad_token_id: int) -> Sequences:
    """Prompts and responses as one batch."""
    prompt_ids, prompt_mask = pad_left(prompts, pad_token_id)
    response_ids, response_mask = pad_right(responses, pad_token_id)
    return Sequences(
        torch.cat([prompt_ids, response_ids], 1),
        torch.cat([prompt_mask, response_mask], 1),
        response_mask,
    )


def by_length(rows: Sequence[int], lengths: Sequence[int] | Tensor) -> list[int]:
    """The rows from short to long (ties keep their order), so that a micro-batch pads little."""
    return sorted(map(int, rows), key=lambda row: int(lengths[row]))


def micro_batches(rows: Sequence, size: int | None) -> Iterator[Sequence]:
    """Cut a batch into pieces of at most ``size`` rows (``None``: one piece)."""
    size = size or max(len(rows), 1)
    return (rows[start : start + size] for start in range(0, len(rows), size))
