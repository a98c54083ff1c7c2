"""Chinese letters in pictures: a small font that fills in for what matplotlib's own has not.

``python -m course.build.font`` makes it: it holds the letters of the course's words, and no others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from minirlhf.lesson.languages import language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = Path(__file__).parent / "NotoSansSC-subset.zh.otf"
FAMILY = "Noto Sans SC subset"
"""A name of its own: another machine may have the whole font, and draws the same picture."""


@cache
def known() -> frozenset[str]:
    """The letters that the font has."""
    from matplotlib.font_manager import fontManager, get_font

    fontManager.addfont(FILE)
    # for bold Latin texts too, or matplotlib tells the reader that it found none
    fontManager.ttflist.append(replace(fontManager.ttflist[-1], weight=700))
    return frozenset(map(chr, get_font(FILE).get_charmap()))


def fill_in(figure: Figure) -> None:
    """Before a figure is drawn: let the font stand behind that of each of its texts, in Chinese.

    It has one weight, so that a bold text with Chinese in it is drawn in the normal one, whole.
    """
    if language() != "zh" or not known():
        return
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        families = [family for family in text.get_fontfamily() if family != FAMILY]
        text.set_fontfamily([*families, FAMILY])
        if any(letter > "\u2e7f" for letter in text.get_text()):
            text.set_fontweight("normal")
