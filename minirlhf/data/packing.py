"""Packing documents into rows, so that pretraining wastes no compute on padding.

A row is ``BOS doc EOS BOS doc EOS …``. Attention is block-diagonal: a document never attends to
another, and positions restart at each. (Position ids alone do not guarantee that in transformers:
with its default ``use_cache=True`` they leak. So the mask is explicit.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PackedRows(NamedTuple):
    """A batch of packed rows, all ``[B, T]``."""

    tokens: Tensor  # int64, pad at the end
    positions: Tensor  # int64, restarting at 0 in each document
    documents: Tensor  # int64, 0 = padding, 1, 2, … = which document of the row
    targets: Tensor  # bool: True where the token is predicted, i.e. all but a document's first

    def to(self, device: torch.device) -> PackedRows:
        return PackedRows(*(tensor.to(device) for tensor in self))


def pack(lengths: Sequence[int], context: int) -> list[list[int]]:
    """Group documents into rows of at most ``context`` tokens: best fit, in the order given.

    Open rows are kept by the room they have left; a bit set of those rooms finds the tightest fit
    in one shift, so a million documents take a second or two. Every length must be ≤ ``context``.
    """
    rows: list[list[int]] = []
    open_rows: list[list[int]] = [[] for _ in range(context + 1)]  # room left -> indices of rows
    rooms = 0  # bit r is set where open_rows[r] isn't empty
    for document, length in enumerate(lengths):
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                rooms &= ~(1 << room)
        else:
            room, row = context, len(rows)
            rows.append([])
        rows[row].append(document)
        room -= length
        if room > 1:  # a document has at least two tokens
            open_rows[room].append(row)
            rooms |= 1 << room
    return rows


def collate_packed(rows: Sequence[Sequence[Sequence[int]]], pad_token_id: int) -> PackedRows:
    """Rows of documents of token ids to tensors, padded to the longest row."""
    width = max(sum(map(len, row)) for row in rows)
    tokens, positions, documents, targets = [], [], [], []
    for row in rows:
        flat = [token for ids in row for token in ids]
        padding = width - len(flat)
        tokens.append(flat + [pad_token_id] * padding)
        positions.append([i for ids in row for i in range(len(ids))] + list(range(padding)))
        documents.append([d for d, ids in enumerate(row, 1) for _ in ids] + [0] * padding)
        targets.append([i > 0 for ids in row for i in range(len(ids))] + [False] * padding)
    return PackedRows(
        torch.tensor(tokens),
        torch.tensor(positions),
        torch.tensor(documents),
        torch.tensor(targets),
    )


def block_diagonal_mask(documents: Tensor) -> Tensor:
    """Causal attention within each document: int ``[B, T]`` to bool ``[B, 1, T, T]``, True = may
    look.

    Padding looks at padding, so no query is left without a key.
    """
    same = documents[:, :, None] == documents[:, None, :]
    causal = torch.ones(same.shape[1:], dtype=torch.bool, device=documents.device).tril()
    return (same & causal)[:, None]
