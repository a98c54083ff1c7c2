"""Two things at a time: parts of a run made in a second process while the first goes on.

Models of a million parameters gain little from a second thread and everything from a second
process. All parts lie in the run folder; what is sent back is what there is to show: progress,
warnings, and the error that ended it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

import torch

from minirlhf.errors import MinirlhfError
from minirlhf.training.log import Callback, Event, quiet_writers
from minirlhf.training.machine import cores


@contextmanager
def in_second_process(
    work: Callable[..., None],
    *arguments: object,
    callback: Callback | Sequence[Callback] | None = None,
) -> Iterator[None]:
    """Do ``work(*arguments)`` in a second process while the body runs; afterwards both are done.

    With a ``callback`` the work is given one as well, whose events come out at this one, on another
    thread. On one core, or where there is a GPU to share, the work is done first, in this process.
    The cores are divided between the two. Raises what ended the work (`MinirlhfError`, OSError), or
    `MinirlhfError` if the second process failed otherwise.
    """
    keywords = {} if callback is None else {"callback": callback}
    if cores() < 2 or torch.cuda.is_available():
        work(*arguments, **keywords)
        yield
        return
    threads = cores() // 2
    before = torch.get_num_threads()
    new = multiprocessing.get_context("spawn")
    receiver, sender = new.Pipe(duplex=False)
    if callable(callback):
        keywords["callback"] = sender.send
    process = new.Process(
        target=_alone, args=(threads, os.getpid(), sender, work, arguments, keywords)
    )
    resource_tracker.ensure_running()  # its start would let interrupts through
    with _without_interrupts():
        process.start()
    sender.close()  # the other process alone holds it now, so its end is seen
    errors: list[Exception] = []
    relay = threading.Thread(target=_relay, args=(receiver, callback, errors), daemon=True)
    relay.start()
    torch.set_num_threads(threads)
    try:
        yield
        process.join()
    finally:
        torch.set_num_threads(before)
        if process.is_alive():
            process.terminate()
            process.join()
        relay.join()
    if errors:
        raise errors[0]
    if process.exitcode:
        raise MinirlhfError(
            f"A second process failed ({work.__name__}, exit code {process.exitcode}): what it "
            "printed says why. What is finished stays; the same command goes on from there."
        )


def _alone(
    threads: int,
    parent: int,
    sender: Connection,
    work: Callable[..., None],
    arguments: tuple,
    keywords: dict[str, Any],
) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    warnings.showwarning = lambda said, *where: sender.send((str(said), *where[:3]))
    try:
        with _without_interrupts(False), quiet_writers():
            work(*arguments, **keywords)
    except KeyboardInterrupt:  # Ctrl-C reaches both: the first process says what there is to say
        sys.exit(128 + signal.SIGINT)
    except MinirlhfError as error:
        sender.send(MinirlhfError(str(error)))
        sys.exit(1)
    except OSError as error:  # the machine's refusal, a full disk say
        sender.send(error)
        sys.exit(1)


def _relay(receiver: Connection, callback: Any, errors: list[Exception]) -> None:
    """Pass on what the second process says, to the last word."""
    with receiver, suppress(EOFError):
        while True:
            said = receiver.recv()
            try:
                if isinstance(said, Exception):
                    errors.append(said)
                elif isinstance(said, Event):
                    callback(said)
                else:
                    warnings.showwarning(*said)
            except Exception as error:  # whoever doesn't read holds up whoever writes
                errors.append(error)


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
