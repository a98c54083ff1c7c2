"""Pictures of the widgets: matplotlib figures to PNG, without pyplot or global settings."""

from __future__ import annotations

import io
import re
import threading
from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from minirlhf.lesson import PIXELS, letters
from minirlhf.lesson.languages import language
from minirlhf.report.charts import GRID, INK, MUTED, short
from minirlhf.widgets.words import told, wrapped

WIDTH = 6.4
"""Inches of a picture: on a narrow page it is shrunk, so its letters begin a little larger."""
PAPER = "#ffffff"
FONT, MONO = "DejaVu Sans", "DejaVu Sans Mono"
_LINE, _BOLD, _LINES = 96, 84, 6
"""Characters of a line, and lines of a text, beneath a picture."""
_FOOT = 0.16
"""Inches of the line that says where a picture comes from."""
drawing = threading.Lock()
"""matplotlib draws one figure at a time."""


def canvas(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A white figure of the course's width and its axes, as `Figure.subplots` gives them."""
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    return figure, figure.subplots(rows, columns, **options)


def render(figure: Figure) -> bytes:
    """PNG at twice the pixels that it is shown with."""
    letters.fill_in(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=2 * PIXELS, facecolor=PAPER, metadata={"Software": None})
    return file.getvalue()


def dress(axes: Axes, title: str = "", x: str = "", y: str = "", *, integers: bool = False) -> Axes:
    """Title, labels and lines of one panel, whatever the reader's own settings are."""
    axes.set_facecolor(PAPER)
    font = {"fontfamily": FONT}
    axes.set_title(drawable(title), loc="left", fontsize=9, fontweight="bold", color=INK, **font)
    axes.set_xlabel(drawable(x), loc="left", fontsize=8, color=MUTED, **font)
    axes.set_ylabel(drawable(y), fontsize=8, color=MUTED, **font)
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.6, linestyle="-")
    axes.grid(visible=False, axis="x")
    for name, spine in axes.spines.items():
        spine.set(visible=name == "bottom", color=MUTED, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=integers))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.tick_params(
        which="both", length=0, labelsize=7.5, colors=MUTED, labelfontfamily=FONT, labelcolor=MUTED
    )
    return axes


def sign(figure: Figure, source: str) -> None:
    """Write at the figure's foot, on a line of its own, where it comes from."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + _FOOT)
    foot = _FOOT / (height + _FOOT)
    figure.get_layout_engine().set(rect=(0, foot, 1, 1 - foot))
    figure.text(
        0.99, 0.2 * foot, told(source), ha="right", va="bottom", fontsize=7.5, color=MUTED,
        fontfamily=FONT, in_layout=False,
    )  # fmt: skip


def beneath(picture: bytes, texts: list[tuple[str, str]]) -> bytes:
    """A picture with texts under it, each a bold title and some lines, as PNG."""
    return stacked(picture, written(texts)) if texts else picture


def written(texts: list[tuple[str, str]]) -> bytes:
    """Texts as PNG, each a bold title and some lines."""
    lines: list[tuple[str, str]] = []
    for title, content in texts:
        heading = wrapped(re.sub(r"\s*\n\s*", " / ", title.strip()), _BOLD)[:_LINES]
        lines += [(line, "bold") for line in heading or [""]]
        below = [line for part in content.strip().split("\n") for line in wrapped(part, _LINE)]
        lines += [(line, "normal") for line in below[:_LINES]]
        lines.append(("…" if len(below) > _LINES else "", "normal"))
    height = 0.17 * len(lines) + 0.1
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    with drawing:
        for at, (line, weight) in enumerate(lines):
            figure.text(
                0.02, 1 - (0.17 * at + 0.05) / height, drawable(line), fontsize=8, va="top",
                fontfamily=FONT, fontweight=weight, color=INK, parse_math=False,
            )  # fmt: skip
        return render(figure)


def stacked(*pictures: bytes) -> bytes:
    """Two pictures of one width beneath one another, as PNG."""
    above, below = (Image.open(io.BytesIO(png)) for png in pictures)
    both = Image.new("RGB", (above.width, above.height + below.height), PAPER)
    both.paste(above, (0, 0))
    both.paste(below, (0, above.height))
    file = io.BytesIO()
    both.save(file, format="png", optimize=True)
    return file.getvalue()


def drawable(words: str) -> str:
    """The text with a box for each letter that pictures have none of: matplotlib ships one font,
    and the course its Chinese letters.
    """
    return _drawable(words, letters.known() if language() == "zh" else frozenset())


@lru_cache(maxsize=10_000)
def _drawable(words: str, more: frozenset[str]) -> str:
    known = get_font(findfont(MONO))
    return "".join(
        letter
        if letter.isprintable() and (letter in more or known.get_char_index(ord(letter)))
        else "▯"
        for letter in words
    )


def note(axes: Axes, place: tuple[float, float], words: str, **options: Any) -> None:
    """A text in a panel; ``place`` in data unless ``xycoords`` says otherwise."""
    options = {"fontsize": 8, "color": INK, "fontfamily": FONT, "annotation_clip": False} | options
    axes.annotate(drawable(words), place, parse_math=False, **options)
