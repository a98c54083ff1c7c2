"""The widgets' words, those of the page's code as well."""

from pathlib import Path

from minirlhf.lesson.languages import Texts

say = Texts(Path(__file__).parent / "labels.toml")
"""A label in the language chosen in `minirlhf.lesson.languages`."""


def signed(x: float, digits: int = 2) -> str:
    """A number with its sign, as the page's ``signed`` writes it; what rounds to 0 has none."""
    text = f"{x:+z.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")
