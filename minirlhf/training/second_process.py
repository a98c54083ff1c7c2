"""Two things at a time: parts of a run made in a second process while the first goes on.

Models of a million parameters gain little from a second thread and everything from a second
process. All parts lie in the run folder, so there is nothing to send back.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import torch

from minirlhf.errors import MinirlhfError
from minirlhf.training.machine import cores


@contextmanager
def in_second_process(work: Callable[..., None], *arguments: object) -> Iterator[None]:
    """Do ``work(*arguments)`` in a second process while the body runs; afterwards both are done.

    On one core, or where there is a GPU to share, the work is done first, in this process. The
    cores are divided between the two. Raises `MinirlhfError` if the second process fails.
    """
    if cores() < 2 or torch.cuda.is_available():
        work(*arguments)
        yield
        return
    threads = cores() // 2
    before = torch.get_num_threads()
    process = multiprocessing.get_context("spawn").Process(
        target=_alone, args=(threads, os.getpid(), work, arguments)
    )
    resource_tracker.ensure_running()  # its start would let interrupts through
    with _without_interrupts():
        process.start()
    torch.set_num_threads(threads)
    try:
        yield
        process.join()
    finally:
        torch.set_num_threads(before)
        if process.is_alive():
            process.terminate()
            process.join()
    if process.exitcode:
        raise MinirlhfError(
            f"A second process failed ({work.__name__}, exit code {process.exitcode}): what it "
            "printed says why. What is finished stays; the same command goes on from there."
        )


def _alone(threads: int, parent: int, work: Callable[..., None], arguments: tuple) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        with _without_interrupts(False):
            work(*arguments)
    except KeyboardInterrupt:  # Ctrl-C reaches both: the first process says what there is to say
        sys.exit(128 + signal.SIGINT)


@contextmanager
def _without_interrupts(held: bool = True) -> Iterator[None]:
    """Ctrl-C waits until this ends, and in a process begun meanwhile until it is let through.

    So none meets a process that is still importing. Without effect on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    how = signal.SIG_BLOCK if held else signal.SIG_UNBLOCK
    before = signal.pthread_sigmask(how, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: int) -> None:
    """A killed parent takes this process along, so that no run folder has two writers."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
