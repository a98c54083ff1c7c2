"""``minirlhf …``: one command for the whole job, one for each of its stages, some to look around.

What went wrong and can be put right is one line ``error: …`` and exit code 2; an interruption is
130. A traceback is a bug in minirlhf. What another library raises is a line too; with
MINIRLHF_TRACEBACK=1 its traceback is shown.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import re
import signal
import sys
import sysconfig
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import minirlhf
from minirlhf.cli import other_words, terminal
from minirlhf.errors import MinirlhfError
from minirlhf.training.log import quiet_writers

COMMANDS = {
    "run": ("run_job", "the main job: three steps in Tinytown, from a base model to a report"),
    "pretrain": ("stages", "a base model from text of your own"),
    "sft": ("stages", "step 1: supervised fine-tuning on demonstrations"),
    "rm": ("stages", "step 2: a reward model from rankings or comparisons"),
    "ppo": ("stages", "step 3: PPO against the reward model, with or without ptx"),
    "evaluate": ("evaluation", "win rates, scores and samples of several models"),
    "chat": ("chat", "talk to a model"),
    "doctor": ("doctor", "what this machine can do, and what is wrong with the set-up"),
    "start": ("start_exercise", "a working copy of an exercise of the course"),
    "presets": ("show_presets", "where our settings differ from the paper's, and why"),
    "bases": ("town_jobs", "Tinytown's base models, made again"),
    "prove": ("town_jobs", "what is claimed of the main job, measured over several seeds"),
}
"""Each command: the module of `minirlhf.cli` that holds it, and what it does."""

PACKAGE = Path(__file__).parents[1]
RESUMABLE = {"run", "pretrain", "sft", "rm", "ppo", "bases", "prove"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdin, sys.stdout, sys.stderr):  # § and π where only ASCII is known, say
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    name = arguments[0] if arguments else None
    if name in (None, "-h", "--help", "help"):
        print(usage())
        return 0 if name else 2
    if name == "--version":
        print(minirlhf.__version__)
        return 0
    # what transformers would say beside our own notes is no concern of a user's
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    with ended_as_interrupted() as last:
        return outcome(name, arguments[1:], last)


def outcome(name: str, arguments: list[str], last: Callable[[], None]) -> int:
    """Run a command, call ``last``, say in a line what went wrong; returns the exit code."""
    try:
        try:
            with notes(), quiet_writers():
                return find(name)(arguments) or 0
        finally:
            last()
    except SystemExit as request:  # --help
        return int(request.code or 0)
    except KeyboardInterrupt:
        again = ": the same command goes on from the last checkpoint" * (name in RESUMABLE)
        print(f"\ninterrupted{again}.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        sentence = str(error)
        if not isinstance(error, MinirlhfError):
            shown = os.environ.get("MINIRLHF_TRACEBACK", "") not in ("", "0")
            sentence = None if shown else trouble(error) or of_others(error)
        if sentence is None:
            raise
        terminal.tell("error", " ".join(sentence.split()))
        return 2


@contextmanager
def ended_as_interrupted() -> Iterator[Callable[[], None]]:
    """Let a request to end (SIGTERM: a batch system, a launcher whose other process died) end a run
    as Ctrl-C does: nothing half-written stays, and a line says how to go on.

    Call what this gives once the run has ended: later requests wait until that line is written.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN) and None
    finally:
        signal.signal(signal.SIGTERM, before)


def usage() -> str:
    """The page that ``minirlhf --help`` prints."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {about}" for name, (_, about) in COMMANDS.items())
    return (
        "usage: minirlhf COMMAND [OPTIONS]\n\n"
        "The InstructGPT paper in small: every stage, on Tinytown or on your own data.\n\n"
        f"{commands}\n\n"
        "minirlhf COMMAND --help says what a command reads and writes, with an example."
    )


def find(name: str):
    """The function of a command: it takes the arguments and returns an exit code or None."""
    if name not in COMMANDS:
        near = other_words.command(name) or other_words.nearest(name, COMMANDS)
        hint = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(COMMANDS)}."
        raise MinirlhfError(f"unknown command {name!r}: {hint}")
    return getattr(importlib.import_module(f"minirlhf.cli.{COMMANDS[name][0]}"), name)


@contextmanager
def notes() -> Iterator[None]:
    """Show warnings as one line ``note: …`` each."""
    with warnings.catch_warnings():
        if os.environ.get("RANK", "0") == "0":  # one of several processes speaks for all
            warnings.showwarning = lambda said, *_: terminal.tell("note", str(said))
        else:
            warnings.simplefilter("ignore")
        yield


def trouble(error: BaseException) -> str | None:
    """The sentence for what the machine refuses (disk, permission, memory); None if unexpected.

    safetensors and tokenizers wrap the system's error in one of their own, so its text counts too.
    """
    wrapped = re.search(r"(?:os error|Os { code:) (\d+)", str(error))
    code = getattr(error, "errno", None) or (int(wrapped[1]) if wrapped else None)
    place = getattr(error, "filename", None) or "the folder"
    if code in (errno.ENOSPC, errno.EDQUOT):
        return (
            "no space is left on the disk: free some and give the same command again, "
            "or give it another --folder."
        )
    if code == errno.EFBIG:
        return (
            f"{place}: the file would be larger than this machine allows: raise the limit "
            "(ulimit -f), or choose another place."
        )
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{place}: permission denied; choose another place, or change its permissions."
    if code == errno.EISDIR:
        return f"{place}: that is a folder, where a file is meant; choose another name."
    if code in (errno.ENOTDIR, errno.EEXIST):
        return f"{place}: a file is in the way of a folder; choose another place."
    full = type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError)
    if full or "can't allocate memory" in str(error):
        return (
            "memory is full: train with a lower --micro-batch, with --gradient-checkpointing and, "
            "in ppo, with a lower --rollout-micro-batch (which change the numbers by rounding, or "
            "by dropout's masks where sft has some), or take a smaller model or shorter texts; "
            "minirlhf doctor says what fits."
        )
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("minirlhf"):
        return f"{error.name} is not installed: minirlhf doctor says what is missing."
    if isinstance(error, OSError):
        return f"{place}: {error.strerror or error}; choose another place, or put it right there."
    if error.__context__ is not None:
        return trouble(error.__context__)
    return None


def of_others(error: Exception) -> str | None:
    """The sentence for what an installed library raised, by its name; None for what we did.

    Whose error it is, its innermost frame tells: what others refuse lies in what they were given.
    """
    frames = traceback.extract_tb(error.__traceback__)
    home = Path(sysconfig.get_path("purelib"))
    place = Path(frames[-1].filename) if frames else Path()
    if not place.is_relative_to(home) or place.is_relative_to(PACKAGE):
        return None
    reason = str(error).strip().split("\n")[0]
    return (
        f"{place.relative_to(home).parts[0]} refuses this ({type(error).__name__}: {reason}). Look "
        "at the models and files that were named; MINIRLHF_TRACEBACK=1 before the same command "
        "shows where."
    )


if __name__ == "__main__":
    sys.exit(main())
