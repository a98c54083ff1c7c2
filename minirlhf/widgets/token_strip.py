"""A response's tokens in lines, each on a ground coloured by a number."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.patches import FancyBboxPatch

from minirlhf.report.charts import GRID, INK, PALETTE
from minirlhf.widgets.pictures import FONT, MONO, drawable

Lines = list[list[tuple[int, str, float]]]
"""Lines of tokens: number, text, where it begins in characters."""
_MAP: Colormap = LinearSegmentedColormap.from_list(
    "minirlhf", [PALETTE["ppo"], "#f3c9b8", "#f4f5f6", "#bcd0f5", PALETTE["sft"]]
)
"""Below zero, zero, above zero."""
_LINE = 74
"""Characters in a line of tokens."""


def draw_tokens(axes: Axes, lines: Lines, values: np.ndarray, chosen: int) -> None:
    """Tokens with their ``values`` ``[T]``: below zero orange, above zero blue."""
    reach = float(np.abs(values).max()) or 1.0
    for line, tokens in enumerate(lines):
        for at, words, left in tokens:
            ground = to_hex(_MAP(0.5 + 0.5 * values[at] / reach))
            edge = (INK, 1.6) if at == chosen else (GRID, 0.6)
            box = FancyBboxPatch(
                (left, line), len(words) + 0.5, 0.86, boxstyle="round,pad=0,rounding_size=.2",
                facecolor=ground, edgecolor=edge[0], linewidth=edge[1], mutation_aspect=0.25,
            )  # fmt: skip
            axes.add_patch(box)
            options = {"ha": "center", "va": "center", "color": _ink(ground), "parse_math": False}
            middle = left + len(words) / 2 + 0.25
            axes.text(middle, line + 0.31, words, fontsize=8.5, family=MONO, **options)
            axes.text(
                middle, line + 0.68, f"{values[at]:+z.2f}", fontsize=5.5, family=FONT, **options
            )
    axes.set(xlim=(-0.3, _LINE + 0.3), ylim=(len(lines), -0.05))
    axes.set_axis_off()


def visible(token: str) -> str:
    """A token with its spaces and line ends to be seen."""
    plain = token.strip(" ") or "␣" * len(token)
    return plain.replace("\n", "⏎").replace("\t", "⇥") or "∅"


def in_lines(tokens: list[str]) -> Lines:
    """Tokens in lines: number, text, where it begins in characters."""
    lines: list[list[tuple[int, str, float]]] = [[]]
    left = 0.0
    for at, token in enumerate(tokens):
        words = drawable(visible(token))[: _LINE - 2]
        words = words.center(5) if len(words) < 5 else words
        if left + len(words) + 0.5 > _LINE and lines[-1]:
            lines.append([])
            left = 0.0
        lines[-1].append((at, words, left))
        left += len(words) + 1.0
    return lines


def _ink(ground: str) -> str:
    """Dark on light, light on dark."""
    red, green, blue = to_rgb(ground)
    return INK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.52 else "#ffffff"
