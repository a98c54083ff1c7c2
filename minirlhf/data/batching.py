"""Batches of prompt and response, one after the other and padded on the right.

Padding comes after everything real, where a causal model can't see it. So such a batch needs no
attention mask and no position ids, whatever the architecture, and attention takes its fast path.
Sampling alone pads on the left: its rows have to end in the same column to grow together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    pass

Ids = Sequence[int]

PIECE_COST = {"cpu": 192, "other": 4096}
"""What a forward pass costs beside its tokens, in tokens: a GPU waits for its kernels to start."""
PIECE_TOKENS = 8192
"""Most tokens of a forward pass; more would only need more memory."""


class Sequences(NamedTuple):
    """``B`` rows of prompt, response, padding: ``L`` columns, responses of up to ``T`` tokens.

    ``N`` response tokens in all are counted in reading order, row after row.
    """

    tokens: Tensor  # int64 [B, L]
    lengths: Tensor  # int64 [B], tokens that are no padding
    response_mask: Tensor  # bool [B, T], True on the response with its EOS
    before: Tensor  # int64 [N], where the token before each response token is in [B * (L - 1)]

    @property
    def response_tokens(self) -> Tensor:
        """The response ids, int64 ``[N]``."""
        return self.tokens[:, 1:].flatten()[self.before]

    def spread(self, flat: Tensor) -> Tensor:
        """A number for every response token, ``[N]``, as ``[B, T]`` with 0 outside the mask."""
        return flat.new_zeros(self.response_mask.shape).masked_scatter(self.response_mask, flat)

    def to(self, device: torch.device) -> Sequences:
        return Sequences(*(tensor.to(device) for tensor in self))

    def trimmed(self, rows: Tensor | Sequence[int]) -> Sequences:
        """These rows, without the columns in which they have nothing but padding."""
        rows = torch.as_tensor(rows)
        lengths, sizes = self.lengths[rows], self.response_mask[rows].sum(-1)
        return _sequences(self.tokens[rows, : int(lengths.max())], lengths, sizes)


def _sequences(tokens: Tensor, lengths: Tensor, sizes: Tensor) -> Sequences:
    """Sequences whose last ``sizes`` ``[B]`` of ``lengths`` tokens are the response."""
    column = torch.arange(tokens.shape[1] - 1)
    before = (column >= (lengths - sizes - 1)[:, None]) & (column < (lengths - 1)[:, None])
    response_mask = torch.arange(int(sizes.max())) < sizes[:, None]
    return Sequences(tokens, lengths, response_mask, before.flatten().nonzero().squeeze(-1))


def collate(prompts: Sequence[Ids], responses: Sequence[Ids], pad_token_id: int) -> Sequences:
    """Prompts and responses as one batch."""
    rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    tokens, mask = pad_right(rows, pad_token_id)
    return _sequences(tokens, mask.sum(-1), torch.tensor([len(ids) for ids in responses]))


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


def cut(
    rows: Sequence[int],
    lengths: Sequence[int] | Tensor,
    micro_batch: int | None = None,
    device: torch.device | str = "cpu",
) -> list[list[int]]:
    """Rows in pieces for one forward pass each, from long to short, with little padding.

    A piece ends where its padding would cost more than another piece, at ``micro_batch`` rows, and
    at `PIECE_TOKENS` tokens. ``lengths[row]`` is a row's tokens.
    """
    worth = PIECE_COST.get(torch.device(device).type, PIECE_COST["other"])
    pieces: list[list[int]] = []
    longest = padding = 0
    for row in reversed(by_length(rows, lengths)):
        length = int(lengths[row])
        padding += longest - length
        rows_then = len(pieces[-1]) + 1 if pieces else 1
        too_many = rows_then > (micro_batch or rows_then) or rows_then * longest > PIECE_TOKENS
        if not pieces or too_many or padding > worth:
            pieces.append([])
            longest, padding = length, 0
        pieces[-1].append(row)
    return pieces


def by_length(rows: Sequence[int], lengths: Sequence[int] | Tensor) -> list[int]:
    """The rows from short to long; ties keep their order."""
    return sorted(map(int, rows), key=lambda row: int(lengths[row]))


def micro_batches(rows: Sequence, micro_batch: int | None) -> list[Sequence]:
    """Cut a batch into pieces of at most ``micro_batch`` rows (``None``: one piece)."""
    size = micro_batch or max(len(rows), 1)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def position_ids(mask: Tensor) -> Tensor:
    """Positions that ignore padding (0 there): bool ``[..., T]`` to int64 ``[..., T]``."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)
