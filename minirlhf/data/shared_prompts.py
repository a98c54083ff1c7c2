"""Several completions of one prompt in one row, so that the prompt is read once.

A row is ``prompt completion₁ completion₂ …``. Each completion sees the prompt and itself, and its
positions go on from the prompt's end, so its numbers are those of a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from minirlhf.data.batching import Ids, cut, pad_right

ROW_TOKENS = 512
"""Where a row ends and another one with the same prompt begins: attention grows with its square."""


class Branches(NamedTuple):
    """``B`` rows of ``L`` columns with ``N`` completions in all, in the order of `rows`."""

    tokens: Tensor  # int64 [B, L], pad at the end
    positions: Tensor  # int64 [B, L]
    branch: Tensor  # int64 [B, L], 0 = the prompt, 1, 2, … = which completion, -1 = padding
    last: Tensor  # int64 [N], where each completion's last token is in [B * L]
    rows: list[int]  # which completion of the whole batch each of the N is

    def to(self, device: torch.device) -> Branches:
        return Branches(*(tensor.to(device) for tensor in self[:4]), self.rows)

    @property
    def mask(self) -> Tensor:
        """Which token may look at which: bool ``[B, 1, L, L]``, causal along each branch."""
        one, other = self.branch[:, :, None], self.branch[:, None, :]
        causal = torch.ones(one.shape[1], one.shape[1], dtype=torch.bool, device=one.device).tril()
        return ((one == other) | (other == 0)).logical_and(causal)[:, None]


def branch(
    prompts: Sequence[Ids],
    completions: Sequence[Ids],
    pad_token_id: int,
    micro_batch: int | None = None,
    device: torch.device | str = "cpu",
) -> list[Branches]:
    """Prompts and completions, ``N`` each, in batches for one forward pass each.

    Equal prompts share a row. ``micro_batch`` is the most rows of a batch.
    """
    groups = _groups(prompts, completions)
    lengths = [len(prompts[group[0]]) + sum(len(completions[n]) for n in group) for group in groups]
    pieces = cut(range(len(groups)), lengths, micro_batch, device)
    return [
        _batch([groups[g] for g in piece], prompts, completions, pad_token_id) for piece in pieces
    ]


def _groups(prompts: Sequence[Ids], completions: Sequence[Ids]) -> list[list[int]]:
    """Which completions share a row."""
    groups: list[list[int]] = []
    open_rows: dict[tuple[int, ...], tuple[list[int], int]] = {}
    for n, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        key = tuple(prompt)
        group, length = open_rows.get(key, ([], ROW_TOKENS))
        if length + len(completion) > ROW_TOKENS:
            group, length = [], len(prompt)
            groups.append(group)
        group.append(n)
        open_rows[key] = group, length + len(completion)
    return groups


def _batch(
    groups: Sequence[Sequence[int]],
    prompts: Sequence[Ids],
    completions: Sequence[Ids],
    pad_token_id: int,
) -> Branches:
    tokens, positions, branches, last = [], [], [], []
    for group in groups:
        prompt = prompts[group[0]]
        row, place, number = [*prompt], [*range(len(prompt))], [0] * len(prompt)
        for which, n in enumerate(group, 1):
            row += completions[n]
            place += range(len(prompt), len(prompt) + len(completions[n]))
            number += [which] * len(completions[n])
            last.append((len(tokens), len(row) - 1))
        tokens.append(row)
        positions.append(place)
        branches.append(number)
    ids, _ = pad_right(tokens, pad_token_id)
    width = ids.shape[1]
    return Branches(
        ids,
        pad_right(positions, 0)[0],
        pad_right(branches, -1)[0],
        torch.tensor([row * width + column for row, column in last]),
        [n for group in groups for n in group],
    )
