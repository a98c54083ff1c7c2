"""What a notebook of the course asks of the package: begin, how long, where to write, show.

    lesson.begin("05")                      device, memory, how long this takes
    lesson.pick(400, quick=20)              400 steps for a reader, 20 where only the code is tested
    lesson.workspace()                      the folder for what a reader makes
    lesson.panels(2, "title")               an empty figure in the course's style
    lesson.intervals(axes, {"SFT": …})      means with their 95% intervals, a row each
    lesson.show(figure, "what one sees")    a picture that is still there without a kernel
    lesson.table(("", "paper"), rows)       a table
    lesson.verdict(difference)              seen, the opposite or open, by its interval
    lesson.called("sft")                    a model's name, in the notebook's language

Nothing of this is needed to train; torch, matplotlib and IPython are imported where they are used.
"""

from __future__ import annotations

import html
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from minirlhf.lesson import languages, letters
from minirlhf.lesson.languages import Texts
from minirlhf.training.machine import available_memory

if TYPE_CHECKING:
    from minirlhf.evaluate.statistics import Interval

T = TypeVar("T")
WIDE, SMALL = (7.2, 2.7), (4.4, 2.7)
"""Figure sizes in inches: one row of panels, and one panel."""
PIXELS = 100
"""Pixels to an inch, as shown; twice as many are stored."""

PACKAGE = Path(__file__).parents[1]
_say = Texts(Path(__file__).parent / "lesson.toml")


def begin(chapter: str, language: str = "en") -> None:
    """Print what this machine offers, and what the chapter took where it was measured.

    ``chapter`` is its number (``"05"``) or an exercise's name (``"ex05"``). From now on widgets,
    pictures and checks speak the ``language``.
    """
    import torch

    from minirlhf.training.devices import auto_precision, first_device

    languages.choose(language)
    device, free = "cpu", available_memory()
    if torch.cuda.is_available():
        device, free = torch.cuda.get_device_name(), torch.cuda.mem_get_info()[0]
    dtype = auto_precision(first_device())
    print(_say("begin.machine", device=device, dtype=dtype, memory=f"{free / 2**30:.1f} GB"))
    if cost := measured().get(chapter):
        minutes, peak = cost["seconds"] / 60, cost["peak_bytes"] / 2**30
        print(_say("begin.cost", minutes=f"{minutes:.1f}", memory=f"{peak:.1f} GB"))


def measured() -> dict[str, dict[str, float]]:
    """Seconds and peak bytes of each chapter on two cores, as ``make measure`` found them."""
    for path in (PACKAGE / "measured.json", PACKAGE.parent / "course" / "measured.json"):
        if path.is_file():
            return json.loads(path.read_text("utf-8"))
    return {}


def quick() -> bool:
    """Whether only the code is tested: MINIRLHF_QUICK=1."""
    return os.environ.get("MINIRLHF_QUICK", "") not in ("", "0")


def pick(full: T, *, quick: T) -> T:
    """``full`` for a reader, ``quick`` where MINIRLHF_QUICK=1 asks for the code alone."""
    return quick if globals()["quick"]() else full


def on_colab() -> bool:
    """Whether the kernel is Colab's. Its environment variables are set on Kaggle too."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and "google.colab" in type(get_ipython()).__module__


def workspace(*parts: str) -> Path:
    """A place for what a reader makes: ``work/`` of the clone, else of the current folder.

    MINIRLHF_WORK names another one. The folder above the last part is made.
    """
    root = os.environ.get("MINIRLHF_WORK")
    if root is None:
        here = Path.cwd()
        clone = (folder for folder in (here, *here.parents) if (folder / "course").is_dir())
        clone = next((folder for folder in clone if (folder / "minirlhf").is_dir()), None)
        # without a clone, a notebook that lies in work/ is at home there
        root = here if clone is None and here.name == "work" else (clone or here) / "work"
    path = Path(root, *parts)
    (path.parent if parts else path).mkdir(parents=True, exist_ok=True)
    return path


def called(model: str) -> str:
    """What the course calls a model of the palette; any other label as it is."""
    return _say(f"model.{model}") if f"model.{model}" in _say else model


def panels(
    columns: int = 1,
    title: str = "",
    size: tuple[float, float] | None = None,
    titles: Sequence[str] = (),
):
    """A figure in the course's style and its row of axes (one axes alone if there is one).

    ``titles`` are those of the single panels.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from minirlhf.report.charts import STYLE

    with matplotlib.rc_context({**STYLE, "font.size": 9}):
        figure = Figure(figsize=size or (SMALL if columns == 1 else WIDE), layout="constrained")
        axes = figure.subplots(1, columns)
        for panel, words in zip(figure.axes, titles, strict=False):
            panel.set_title(words, fontsize=8.5, fontweight="normal")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    return figure, axes


def intervals(axes, values: Mapping[str, Any], unit: str = "", *, percent: bool = True) -> None:
    """A row of a panel for each label: the mean of an `Interval` as a dot, its ends as a line.

    A label that is a model of the palette has its name and colour; all others are drawn in ink.
    """
    from minirlhf.report.charts import INK, PALETTE

    for place, (label, value) in enumerate(values.items()):
        color, shown = PALETTE.get(label, INK), 100 * value if percent else value
        axes.plot([shown.low, shown.high], [place, place], color=color)
        axes.plot([shown.mean], [place], "o", color=color)
        axes.annotate(
            f"{shown.mean:z.{1 if percent else 2}f}", (shown.mean, place),
            xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8,
        )  # fmt: skip
    axes.set_yticks(range(len(values)), [called(label) for label in values])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set(ylim=(len(values) - 0.5, -0.6), xlabel=unit)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.1)


def verdict(*found: Interval | None, low: float = 0.0, high: float = math.inf) -> str:
    """What intervals say of a statement that has their numbers between ``low`` and ``high``.

    "seen" if each lies within, whole; "the opposite" if one lies without, whole; else "open"; "not
    looked for" where one of them is None. In the notebook's language.
    """
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        name = "unsought"
    elif any(one.high < low or one.low > high for one in known):
        name = "opposite"
    else:
        name = "seen" if all(low < one.low and one.high < high for one in known) else "open"
    return _say(f"verdict.{name}")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Display a table; where no HTML is shown, its cells as text.

    The first column and every other one with words in it are set to the left. Where a text has
    line breaks stands " / ", and a number that is rounded to zero loses its sign.
    """
    from IPython.display import display

    lines = [list(head), *([_cell(str(cell)) for cell in row] for row in rows)]
    columns = list(zip(*lines[1:], strict=True)) or [()] * len(head)
    left = [not place or not all(map(_FIGURE.match, cells)) for place, cells in enumerate(columns)]
    styles = [' style="text-align: left"' if words else "" for words in left]
    marked = [
        "".join(
            f"<{tag}{style}>{html.escape(cell)}</{tag}>"
            for style, cell in zip(styles, line, strict=True)
        )
        for tag, line in zip(["th", *["td"] * len(lines)], lines, strict=False)
    ]
    body = "".join(f"<tr>{line}</tr>" for line in marked)
    plain = "\n".join("  ".join(line) for line in lines)
    display({"text/html": f"<table>{body}</table>", "text/plain": plain}, raw=True)


def _cell(text: str) -> str:
    return _SIGNED_ZERO.sub("", _BREAKS.sub(" / ", text.strip()))


_BREAKS = re.compile(r"\s*\n\s*")
_SIGNED_ZERO = re.compile(r"(?<![\w.,)])[-+−](?=0(\.0*)?(?![\w.,]*\d))")
_FIGURE = re.compile(r"(?=.{0,24}$)[^\w\s]*(\d|$)")
"""What a number looks like in a table, with a sign, an interval or a unit; or no number at all."""


def show(figure, alt: str) -> None:
    """Display a matplotlib figure as PNG on white, with ``alt`` for those who don't see it."""
    from IPython.display import display

    letters.fill_in(figure)
    file = io.BytesIO()
    figure.savefig(
        file, format="png", dpi=2 * PIXELS, facecolor="white", metadata={"Software": None}
    )
    width = round(figure.get_figwidth() * PIXELS)
    bundle: dict[str, Any] = {"image/png": file.getvalue(), "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt, "width": width}})
