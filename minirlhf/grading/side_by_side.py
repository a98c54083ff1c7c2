"""A wrong answer without a name: one row of a case, token by token, and where it first differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from minirlhf.lesson.languages import columns as columns_of

LONGEST, WIDEST = 7, 84
"""Lines between the heads and the foot; characters of a line."""
MARK = "◀"


class Compared(NamedTuple):
    """What is listed of an answer and of the right one, in the same shape."""

    yours: Tensor
    right: Tensor
    differ: Tensor
    """Where they do, bool in that shape."""
    by: str = ""
    """The argument that these are gradients by, where the results are single numbers."""


def side_by_side(
    case: Mapping[str, Any],
    compared: Compared,
    results: tuple[Tensor, Tensor],
    say: Callable[..., str],
    terms: Tensor | None = None,
) -> str:
    """At most twelve lines: inputs, ``terms`` and both results, the first difference marked.

    ``results`` are the answer's and the right one, for the foot where they aren't listed
    themselves; ``terms`` of ``[B, T]`` are what the right answer takes the mean of.
    """
    tensors = (compared.yours, *(value for value in case.values() if isinstance(value, Tensor)))
    grids = [value for value in tensors if value.ndim > 1]
    first = _first(compared.differ)
    by_rows = grids and (compared.yours.ndim != 1 or len(compared.yours) == len(grids[0]))
    row = (first[0] if first else 0) if by_rows else None
    listed = compared.yours.ndim == (1 if row is None else 2)
    length = grids[0].shape[1] if row is not None else len(compared.yours.flatten())
    columns, around = [], []
    for name, value in case.items():
        if not isinstance(value, Tensor):
            if isinstance(value, (int, float)):
                around.append(f"{name} = {brief(value)}")
            elif row is not None and isinstance(value, list) and len(value) == len(grids[0]):
                around.append(f"{name}[{row}] = {brief(value[row])}")
        elif row is None and value.shape == (length,):
            columns.append((name, list(map(brief, value))))
        elif row is not None and value.ndim == 2 and value.shape[1] == length:
            columns.append((name, list(map(brief, value[row]))))
        elif row is not None and value.ndim == 1 and len(value) == len(grids[0]):
            around.append(f"{name}[{row}] = {brief(value[row])}")
        elif value.ndim < 2:
            around.append(f"{name} = {brief(value)}")
    if terms is not None and row is not None:
        columns.append((say("table.term"), list(map(brief, terms[row]))))
    if listed:
        kind = "slope-" if compared.by else ""
        for whose, values in (("yours", compared.yours), ("right", compared.right)):
            values = values if row is None else values[row]
            columns.append((say(f"table.{kind}{whose}"), list(map(brief, values))))
    where = [] if row is None else [say("table.row", row=row)]
    lines = [_cut("; ".join([*where, *around]))] if where or around else []
    lines += _grid(columns, length, first[-1] if listed else None) if columns else []
    if compared.by:
        lines.append(say("table.slopes", by=compared.by))
    if not listed or compared.by:
        got, wanted = (r if r.ndim == 0 or row is None else r[row] for r in results)
        lines.append(_cut(say("table.result", got=brief(got), wanted=brief(wanted))))
    return "\n".join(lines)


def _first(differ: Tensor) -> tuple[int, ...]:
    """The first place where something differs: of a batch, its row and its column."""
    places = differ.nonzero()
    return tuple(places[0].tolist()) if len(places) else ()


def _grid(columns: Sequence[tuple[str, list[str]]], length: int, marked: int | None) -> list[str]:
    """Lines of a table, at most `LONGEST` of them, around the marked one."""
    begin = max(0, min((marked or 0) - LONGEST // 2, length - LONGEST))
    shown = range(begin, min(length, begin + LONGEST))
    columns = [("t", [str(t) for t in range(length)]), *columns]
    widths = [max(map(columns_of, [head, *(cells[t] for t in shown)])) for head, cells in columns]
    lines = [[head for head, _ in columns], *([cells[t] for _, cells in columns] for t in shown)]
    made = [
        "  ".join(
            " " * (width - columns_of(cell)) + cell
            for cell, width in zip(line, widths, strict=True)
        )
        for line in lines
    ]
    if marked is not None:
        made[1 + marked - begin] += f"  {MARK}"
    return made


def _cut(line: str) -> str:
    return line if len(line) <= WIDEST else line[: WIDEST - 2] + " …"


def brief(value: Any) -> str:
    """A small tensor or a number, in a few digits."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(brief, value)) + "]"
    if isinstance(value, bool):
        return "1" if value else "·"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def pulled(gradient: Tensor) -> Tensor:
    """A gradient with at most two dimensions: of logits, the sizes of all a position's summed."""
    return gradient.abs().sum(-1) if gradient.ndim > 2 else gradient


def differing(yours: Tensor, right: Tensor, relative: float, absolute: float) -> Tensor:
    """Where two tensors of one shape disagree."""
    same = torch.isclose(
        yours.double(), right.double(), rtol=relative, atol=absolute, equal_nan=True
    )
    return ~same
