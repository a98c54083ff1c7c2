"""Arguments of a command to its dataclass, and the page that explains them."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from inspect import getdoc
from typing import Any, TypeVar

from minirlhf.cli.command_line import OmitArgPrefixes, Positional, options_of, read
from minirlhf.errors import MinirlhfError
from minirlhf.presets import PRESETS

__all__ = ["OmitArgPrefixes", "Positional", "option", "parse", "preset", "refuse_below"]
T = TypeVar("T")


def parse(command: type[T], name: str, arguments: Sequence[str], **defaults: Any) -> T:
    """An instance of ``command`` from command-line arguments.

    ``defaults`` stand in for those of the dataclass. Raises `MinirlhfError` for arguments that
    don't fit, and SystemExit after ``--help``.
    """
    if {"-h", "--help"} & set(arguments):
        explain(command, name, defaults)
        raise SystemExit(0)
    try:
        return read(command, arguments, **defaults)
    except MinirlhfError as error:
        raise MinirlhfError(f"{error} (see minirlhf {name} --help)") from None


def explain(command: type, name: str, defaults: dict[str, Any]) -> None:
    """Print what a command does and every option of it, by tyro where it is installed."""
    try:
        import tyro
    except ModuleNotFoundError:  # Colab lacks it, and gets this package alone
        print(f"usage: minirlhf {name} [OPTIONS]\n\n{getdoc(command)}\n\nOptions:")
        for flag, about in options_of(command, defaults):
            needed = " (required)" if about.required else ""
            print(f"  {flag if about.positional else f'--{flag}'}{needed}")
        print("\nWith tyro (pip install tyro) this page says what each of them means.")
        return
    options = {}
    if defaults:
        fields = dataclasses.fields(command)
        needed = {f.name: tyro.MISSING for f in fields if f.default is dataclasses.MISSING}
        options["default"] = command(**(needed | defaults))
    page = sys.stdout
    if os.environ.get("NO_COLOR"):  # tyro asks the terminal alone
        page = io.TextIOWrapper(io.BytesIO(), encoding=sys.stdout.encoding, errors="replace")
    try:
        with redirect_stdout(page):
            tyro.cli(command, prog=f"minirlhf {name}", args=["--help"], **options)
    finally:
        if page is not sys.stdout:
            page.seek(0)
            print(page.read(), end="")


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
