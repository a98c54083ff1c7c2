"""The copy of a widget that needs no kernel: a picture, or a line of text, in an output of its own.

It is drawn when the widget is displayed, and again once its reader rests: the page says so a second
after the last change, and the end of a cell says it of what the cell has changed. No timer and no
thread of ours draws.
"""

from __future__ import annotations

import html
import sys
import threading
from typing import Any, Protocol
from weakref import WeakSet

from IPython.display import display

from minirlhf.lesson import PIXELS, WIDE
from minirlhf.widgets.pictures import beneath, stacked, written


class Shown(Protocol):
    """What is copied."""

    heading: str
    """What the copy has above the picture: on the page a part of its own says it."""
    words: str
    """What there is to see, in words."""
    picture: bytes
    """PNG; empty where the words alone are enough."""

    def texts(self) -> list[tuple[str, str]]: ...

    def leave_picture(self) -> None: ...


_CHILD = ".jp-OutputArea-child"
MARK = "minirlhf-copied"
"""A class that only `AFTER` has."""
AFTER = (
    f'<style class="{MARK}">'
    f"{_CHILD}:has(.{MARK}), "
    f"{_CHILD}:has(+ {_CHILD} + {_CHILD} .{MARK}):not(:has(.minirlhf)) {{ display: none; }}"
    "</style>"
)
"""What stands behind a copy: where no kernel runs, a notebook has "Loading widget", an error or the
words once more in place of the live view, two outputs before this one, and needn't show them.
"""


class Still:
    """An output that can be replaced from any thread."""

    def __init__(self):
        self.handle: Any = None

    def show(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.handle = display(data, raw=True, metadata=metadata, display_id=True)
        display({"text/html": AFTER}, raw=True)

    def update(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        if self.handle is not None:  # there is none outside of IPython
            self.handle.update(data, raw=True, metadata=metadata)


def bundle(shown: Shown) -> tuple[dict[str, Any], dict[str, Any]]:
    """An output's data and metadata: the picture with what belongs above and beneath it."""
    words = f"{shown.heading} {shown.words}".strip()
    picture = shown.picture
    if not picture:
        line = f'<p class="minirlhf-still">{html.escape(words)}</p>'
        return {"text/html": line, "text/plain": words}, {}
    picture = beneath(picture, shown.texts())
    if shown.heading:
        picture = stacked(written([(shown.heading, "")]), picture)
    size = {"alt": words, "width": round(WIDE[0] * PIXELS)}
    return {"image/png": picture, "text/plain": words}, {"image/png": size}


_changed: WeakSet[Any] = WeakSet()
_shells: WeakSet[Any] = WeakSet()
_guard = threading.Lock()


def wait(shown: Shown) -> None:
    """Draw the copy anew at the end of the cell that runs now or next, unless it was before."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    with _guard:
        if shell is not None and shell not in _shells:
            shell.events.register("post_run_cell", settle)
            _shells.add(shell)
        _changed.add(shown)


def settle(*_: Any) -> None:
    """Draw every copy that waits."""
    with _guard:
        waiting = list(_changed)
    for shown in waiting:
        shown.leave_picture()


def settled(shown: Shown) -> bool:
    """Whether the copy is as it should be; from now on it counts as drawn."""
    with _guard:
        waited = shown in _changed
        _changed.discard(shown)
    return not waited
