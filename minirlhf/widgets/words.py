"""The widgets' words, those of the page's code as well."""

from pathlib import Path

from minirlhf.lesson.languages import Texts

say = Texts(Path(__file__).parent / "labels.toml")
"""A label in the language chosen in `minirlhf.lesson.languages`."""
