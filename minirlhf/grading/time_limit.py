"""How long an answer may run: a loop that never ends must not take the notebook with it.

The answer runs in a thread of its own, since only that can be left behind, from whichever thread
the caller is in and whatever the answer does: an exception is sent into it, and what is deaf to
that (a call that never comes back from C) stays behind while the caller goes on.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
LIMIT = 20.0
"""Seconds for all cases of a question; an answer takes milliseconds."""
PATIENCE = 1.0
"""Seconds in which an answer has to heed the exception."""
SLICE = 0.1
"""Seconds between two looks whether the reader interrupts: Windows doesn't break off a wait."""


class StoppedError(SystemExit):
    """Sent into an answer that is out of time; Python lets a thread end by it without a word."""


class OutOfTimeError(Exception):
    """An answer was out of time."""

    def __init__(self, seconds: float, still_running: bool):
        super().__init__(seconds)
        self.seconds, self.still_running = seconds, still_running


def within(seconds: float | None, function: Callable[[], T]) -> T:
    """What ``function`` returns or raises, in a thread; None for the seconds: here, without limit.

    Raises `OutOfTimeError` after ``seconds``, or `PATIENCE` more where it doesn't end by itself.
    """
    if seconds is None:
        return function()
    outcome: dict[str, Any] = {}
    done = threading.Event()  # a thread's own join, interrupted, takes it for ended (Python 3.11)

    def work() -> None:
        try:
            outcome["returned"] = function()
        except BaseException as error:
            outcome["raised"] = error
        finally:
            done.set()

    thread = threading.Thread(target=work, name="answer", daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0 and not done.wait(min(left, SLICE)):
            pass
    finally:  # out of time, or the reader interrupts the kernel
        _stop(thread, done)
    if "returned" in outcome:
        return outcome["returned"]
    error = outcome.get("raised")
    if error is None or isinstance(error, StoppedError):
        raise OutOfTimeError(seconds, not done.is_set())
    raise error


def _stop(thread: threading.Thread, done: threading.Event) -> None:
    """Send the exception until it is heeded: the answer may catch one, or several."""
    end = time.monotonic() + PATIENCE
    while not done.is_set() and time.monotonic() < end:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(StoppedError)
        )
        done.wait(0.02)
