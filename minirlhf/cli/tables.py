"""Tables for the terminal and for Markdown pages."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence


def plain(header: Sequence[str], rows: Sequence[Sequence[str]], width: int = 100) -> str:
    """Aligned columns; the last one is wrapped where a line would exceed ``width``."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns[:-1]]
    left = sum(widths) + 2 * len(widths)
    lines = []
    for row in [header, *rows]:
        head = "".join(f"{cell:<{size}}  " for cell, size in zip(row, widths, strict=False))
        last = textwrap.wrap(row[-1], max(width - left, 20)) or [""]
        lines += [(head + last[0]).rstrip(), *(" " * left + more for more in last[1:])]
    return "\n".join(lines)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
