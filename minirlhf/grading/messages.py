"""What a checker says, in the reader's language."""

from pathlib import Path

from minirlhf.lesson.languages import Texts

say = Texts(Path(__file__).parent / "messages.toml")
