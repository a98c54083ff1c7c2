"""The three steps' copy for pages without a kernel: columns, and what each hands on."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, FancyBboxPatch

from minirlhf.report.charts import GRID, INK, MUTED, PALETTE
from minirlhf.report.steps_figure import LETTERS, Cell, Column, Flow
from minirlhf.widgets.pictures import MONO, canvas, note
from minirlhf.widgets.words import wrapped

_LINE, _LINES, _REPLY = 32, 10, 60
"""Characters of a line, lines of a cell, and characters of one reply of several."""


def draw_steps(columns: Sequence[Column], flow: Flow) -> Figure:
    """The columns side by side, and under them what each hands on; what is longer than its cell
    ends in an ellipsis.
    """
    figure, grid = canvas(5.5, 1, len(columns))
    figure.get_layout_engine().set(w_pad=0.03, wspace=0.0)
    for axes, column in zip(grid, columns, strict=True):
        _draw(axes, column)
    first, second, third = grid
    for ends, at, what, inset, middle in (
        ((first, second), 3.17, flow.first, 0.5, 0.0),
        ((second, third), 3.17, flow.second, 0.5, 1.0),
        ((first, third), 3.43, flow.around, 0.3, 0.5),
    ):
        arrow = ConnectionPatch(
            (inset, at), (1.0 - inset, at), *(axes.transData for axes in ends), arrowstyle="-|>",
            color=MUTED, linewidth=1.0, mutation_scale=9, shrinkA=8, shrinkB=8,
        )  # fmt: skip
        arrow.set_in_layout(False)
        figure.add_artist(arrow)
        note(second, (middle, at - 0.03), what, ha="center", va="bottom", fontsize=6.8,
             in_layout=False)  # fmt: skip
    return figure


def _draw(axes: Axes, column: Column) -> None:
    axes.set_axis_off()
    axes.set(xlim=(-0.02, 1.02), ylim=(3.52, -0.16))
    color = PALETTE.get(column.color.removeprefix("var(--mr-").removesuffix(")"), INK)
    options: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=.02", "linewidth": 0.8}
    head = FancyBboxPatch((0, -0.14), 1, 0.13, facecolor=color, edgecolor=color, **options)
    axes.add_patch(head)
    note(axes, (0.5, -0.075), f"{column.title} · {column.does}", color="#ffffff", ha="center",
         va="center", fontsize=6.4, fontweight="bold", in_layout=False)  # fmt: skip
    for row, cell in enumerate(column.cells):
        ground = "#f6f7f8" if cell.is_empty else "#ffffff"
        box = FancyBboxPatch((0, row + 0.06), 1, 0.9, facecolor=ground, edgecolor=GRID, **options)
        axes.add_patch(box)
        for place, line in enumerate(wrapped(cell.caption, 36)[:2]):
            note(axes, (0.05, row + 0.11 + 0.07 * place), line, va="top", color=MUTED, fontsize=6.8,
                 in_layout=False)  # fmt: skip
        for place, line in enumerate(_lines(cell)):
            at = 0.05, row + 0.27 + 0.067 * place
            note(axes, at, line, va="top", fontsize=6.2, fontfamily=MONO, in_layout=False)
        if row:
            axes.plot([0.5], [row + 0.01], marker="v", color=color, ms=6, clip_on=False)


def _lines(cell: Cell) -> list[str]:
    """What a cell holds, as lines of text."""
    said = [cell.prompt, cell.reply]
    said += [
        f"{name} {shorten(reply, _REPLY, placeholder=' …')}"
        for name, reply in zip(LETTERS, cell.replies, strict=False)
    ]
    said.append(" ".join(cell.order))
    said += [
        f"{name} {score:+z.2f}".replace("-", "−")
        for name, score in zip(LETTERS, cell.scores, strict=False)
    ]
    said += [f"{what}: {value}" for what, value in cell.rows]
    lines = [
        line for part in "\n".join(filter(None, said)).split("\n") for line in wrapped(part, _LINE)
    ]
    return lines[:_LINES] + ["…"] * (len(lines) > _LINES)
