"""The widgets' words, those of the page's code as well."""

import re
from pathlib import Path
from textwrap import wrap

from minirlhf.lesson.languages import Texts, columns

say = Texts(Path(__file__).parent / "labels.toml")
"""A label in the language chosen in `minirlhf.lesson.languages`."""


def told(source: str) -> str:
    """Where something comes from, such as "shipped run", in the reader's language where known."""
    key = f"source.{source.replace(' ', '-')}"
    return say(key) if key in say else source


def signed(x: float, digits: int = 2) -> str:
    """A number with its sign, as the page's ``signed`` writes it; what rounds to 0 has none."""
    text = f"{x:+z.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


_WORD = re.compile(
    r"\s+|[（“]*(?:[\u3000-\u9fff\uff00-\uffef]|[!-~\u00a0-\u2fff]+)[，。；：、？！）”]*"
)
"""Chinese is broken between any two letters, but for the marks that stand with one."""


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of so many columns, of which a Chinese letter takes two."""
    if columns(text) == len(text):
        return wrap(text, width)
    lines = [""]
    for word in _WORD.findall(text):
        if columns(lines[-1] + word.rstrip()) > width:
            lines.append("")
        lines[-1] += word if lines[-1] else word.lstrip()
    return [line.rstrip() for line in lines if line.strip()]
