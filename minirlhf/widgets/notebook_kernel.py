"""The kernel that the widgets live in: what Colab's needs, and a thread that keeps a widget moving.

Elsewhere a thread's updates reach the page at any time. On Colab they do so only while a cell runs:
there a widget stays in its cell and handles its own messages.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple


class Pulse:
    """Calls ``beat`` every ``interval`` seconds on a thread, until it returns False."""

    def __init__(self, beat: Callable[[], bool], interval: float):
        self.beat, self.interval = beat, interval
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start unless it is going."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._thread = threading.Thread(target=self._go, name="minirlhf-desk", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _go(self) -> None:
        while not self._stop.wait(self.interval) and self.beat():
            pass


class Cell(NamedTuple):
    """A cell that is being run, and the number of the run."""

    name: str | None
    """Its id, where the page tells it."""
    run: int


def cell() -> Cell:
    """The cell that is being run."""
    shell = _shell()
    parent = getattr(shell, "get_parent", dict)()
    name = parent.get("metadata", {}).get("cellId")
    return Cell(name, getattr(shell, "execution_count", 0))


def stay(beat: Callable[[], bool], interval: float) -> None:
    """What a thread does elsewhere, done in the cell, with the page's messages in between.

    Interrupting the cell ends it.
    """
    with suppress(KeyboardInterrupt):
        while beat():
            end = time.monotonic() + interval
            while time.monotonic() < end:
                handle_messages()
                time.sleep(0.02)


def handle_messages() -> None:
    """Let widgets answer while a cell runs, where the kernel can: ipykernel 6, so Colab's.

    Cells that wait to be run go on waiting, in their order. (ipykernel 7 handles widgets on a
    thread of their own.)
    """
    kernel = getattr(_shell(), "kernel", None)
    queue = getattr(kernel, "msg_queue", None)
    if queue is None:
        return
    kernel.shell_stream.flush()
    for item in [queue.get_nowait() for _ in range(queue.qsize())]:
        _, _, arguments = item
        if not _handle(kernel, *arguments):
            queue.put_nowait(item)


def _handle(kernel: Any, *arguments: Any) -> bool:
    """Handle a waiting message if it is for a widget: it opens, closes or changes one."""
    if len(arguments) != 1 or not isinstance(arguments[0], list):
        return False
    identity, frames = kernel.session.feed_identities(arguments[0], copy=False)
    kind = kernel.session.deserialize(list(frames), content=False, copy=False)["msg_type"]
    if not kind.startswith("comm_"):
        return False
    message = kernel.session.deserialize(frames, content=True, copy=False)
    before = kernel._parent_ident["shell"], kernel.get_parent("shell")
    kernel.set_parent(identity, message, channel="shell")
    kernel._publish_status("busy", "shell")  # the page waits for both before it sends the next
    try:
        coroutine = kernel.shell_handlers[kind](kernel.shell_stream, identity, message)
        with suppress(StopIteration):
            while coroutine is not None:  # one that never waits; the loop is busy with this cell
                coroutine.send(None)
    finally:
        kernel._publish_status("idle", "shell")
        kernel.set_parent(*before, channel="shell")
    return True


def _shell() -> Any:
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None
