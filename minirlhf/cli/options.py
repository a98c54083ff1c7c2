"""Arguments of a command to its dataclass, by tyro; a mistake in them is one sentence."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any, TypeVar

from minirlhf.cli.options_without_tyro import plain
from minirlhf.errors import MinirlhfError
from minirlhf.presets import PRESETS

try:
    import tyro
    from tyro.conf import OmitArgPrefixes
except ModuleNotFoundError:  # Colab lacks it, and gets this package alone
    from minirlhf.cli.options_without_tyro import OmitArgPrefixes

    tyro = None

__all__ = ["OmitArgPrefixes", "option", "parse", "preset", "refuse_below"]
T = TypeVar("T")


def parse(command: type[T], name: str, arguments: Sequence[str], **defaults: Any) -> T:
    """An instance of ``command`` from command-line arguments.

    ``defaults`` stand in for those of the dataclass. Raises `MinirlhfError` for arguments that
    don't fit, and SystemExit after ``--help``.
    """
    if tyro is None:
        return plain(command, arguments, **defaults)
    options = {}
    if defaults:
        fields = dataclasses.fields(command)
        needed = {f.name: tyro.MISSING for f in fields if f.default is dataclasses.MISSING}
        options["default"] = command(**(needed | defaults))
    page = io.StringIO()
    try:
        with redirect_stderr(page):
            return tyro.cli(command, prog=f"minirlhf {name}", args=arguments, **options)
    except SystemExit as request:
        if request.code in (None, 0):
            raise
        raise MinirlhfError(f"{sentence(page.getvalue())} (see minirlhf {name} --help)") from None


def refuse_below(least: float, **options: float | None) -> None:
    """Refuse an option that is less than it may be, or no number."""
    for name, value in options.items():
        if value is not None and not least <= value < float("inf"):
            flag = name.replace("_", "-")
            raise MinirlhfError(f"--{flag} {value}: it has to be a number, at least {least}.")


def preset(arguments: Sequence[str], stage: str) -> Any:
    """The settings of one stage in the preset that ``--preset`` names, Tinytown's without it.

    They become the defaults of all other options, so they have to be known before those are read.
    """
    name = option(arguments, "--preset") or "tinytown"
    if name not in PRESETS:
        raise MinirlhfError(f"--preset: there is no preset {name!r}; take {' or '.join(PRESETS)}.")
    return getattr(PRESETS[name], stage)


def option(arguments: Sequence[str], flag: str) -> str | None:
    """The value of ``flag`` among the arguments, if it is there."""
    for argument, following in zip(arguments, [*arguments[1:], None], strict=False):
        if argument == flag:
            return following
        if argument.startswith(f"{flag}="):
            return argument.partition("=")[2]
    return None


def sentence(box: str) -> str:
    """What tyro's framed page of errors says, in one sentence."""
    said = []
    lines = box.splitlines()
    framed = [line.strip("│").rstrip() for line in lines if line[:1] == "│"]
    inside = "\n".join(framed or lines[2:])  # unframed, it begins with a title and a line
    for block in re.split(r"^ *[─-]+ *$", inside, flags=re.MULTILINE):
        lines = [line for line in block.splitlines() if not line.startswith(" " * 8)]  # helptext
        text = " ".join(" ".join(lines).split()).rstrip(".")
        if text and not text.startswith(("For full helptext", "Argument helptext")):
            said.append(text)
    return "; ".join(said) or box.strip()
