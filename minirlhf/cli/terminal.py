"""What is written to a terminal: colour, marks and links where it has them, plain text elsewhere.

rich knows terminals: it leaves colour out where NO_COLOR is set, and all of it in a pipe, in a file
and where TERM is dumb.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from minirlhf.training.progress import is_screen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

COLOURS = {"error": "red", "note": "yellow"}
ASCII = str.maketrans("✓✗→…", "+x>.")
"""Signs of ours, where standard output has no others."""


def tell(kind: str, sentence: str) -> None:
    """``error: …`` or ``note: …``, a line on stderr; on a terminal in lines of whole words."""
    text = f"{kind}: {sentence}\n"
    if sys.stderr.isatty():
        with suppress(ModuleNotFoundError):
            line = console(stderr=True)
            text = textwrap.fill(text, line.width, break_long_words=False, break_on_hyphens=False)
            with line.capture() as page:  # printed, it would run into a progress bar that is shown
                line.print(styled(text, f"{kind}:", COLOURS[kind]))
            text = page.get()
    print(text, end="", file=sys.stderr)


def say(text: str, *_: object) -> None:
    """A text on standard output, at once, in signs that it has."""
    print(text if writes(text) else text.translate(ASCII), flush=True)


@contextmanager
def waiting(words: str) -> Iterator[Callable[..., None]]:
    """Something that moves while the body runs; what the body says by this stands above.

    It says a text and, if it likes, its beginning with a colour. Where NO_COLOR is set, nothing
    moves either; nor where rich is missing, for the doctor comes even then.
    """
    still = os.environ.get("NO_COLOR") or not is_screen(sys.stdout) or not writes("✓")
    if still or find_spec("rich") is None:
        yield say
        return
    screen = console()
    with screen.status(words, spinner="line"):
        yield lambda text, start=("", ""): screen.print(styled(text, *start))


def styled(text: str, start: str, colour: str) -> Text:
    """A text whose ``start`` has a colour."""
    from rich.text import Text

    return Text.assemble((start, colour), text.removeprefix(start))


def console(*, stderr: bool = False) -> Console:
    """Standard output or standard error as rich knows it; it doesn't cut long lines."""
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=True, highlight=False)


def link(path: Path) -> Text:
    """A file's path, which a terminal that has links opens when it is clicked."""
    from rich.text import Text

    colourless = os.environ.get("NO_COLOR")  # whoever has set it wants text alone
    return Text(str(path), "" if colourless else f"link {path.absolute().as_uri()}")


def columns(least: int, most: int) -> int:
    """Columns to fill on standard output: the terminal's, within reason; 100 of a pipe or file."""
    try:
        return min(max(os.get_terminal_size().columns, least), most)
    except OSError:
        return 100


def writes(text: str) -> bool:
    """Whether standard output has these signs in its encoding."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
