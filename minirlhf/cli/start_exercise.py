"""``minirlhf start``."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minirlhf.cli.options import Positional, parse
from minirlhf.errors import MinirlhfError

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Start:
    """A working copy of an exercise, in the folder work/, which git leaves alone.

    A copy that is there already stays as it is: nothing of yours is ever overwritten.

    For example:
      minirlhf start ex05
    """

    name: Positional[str]
    """The exercise: ex04, ex05, …"""


def start(arguments: Sequence[str]) -> None:
    """Make the copy and say where it is."""
    command = parse(Start, "start", arguments)
    path, fresh = copy(command.name)
    print(f"{'Your copy' if fresh else 'Your copy is there already, as you left it'}: {path}")
    print(f'Open it with: jupyter lab "{path}"')


def copy(name: str) -> tuple[Path, bool]:
    """The path of the working copy, and whether it was made just now.

    Raises `MinirlhfError` for an exercise that doesn't exist.
    """
    from minirlhf import lesson
    from minirlhf.data.files import written_whole
    from minirlhf.lesson import languages

    found = exercises()
    stem = next((stem for stem in found if name in (stem, stem.partition("_")[0])), None)
    if stem is None:
        there = ", ".join(stem.partition("_")[0] for stem in found) or "none here"
        raise MinirlhfError(f"There is no exercise {name!r}: there is {there}.")
    translated = found[stem].parent / languages.language() / found[stem].name
    source = translated if translated.is_file() else found[stem]
    path = lesson.workspace(source.name)
    if path.exists():
        return path, False
    ignore = path.with_name(".gitignore")
    ours = path.parent.name == "work" or not any(path.parent.iterdir())
    if ours and not ignore.exists():
        ignore.write_text("*\n", "utf-8")
    with written_whole(path) as partial:
        shutil.copyfile(source, partial)
    return path, True


def exercises() -> dict[str, Path]:
    """The exercise notebooks that came with the package or lie in its clone, by name."""
    for folder in (PACKAGE / "exercises", PACKAGE.parent / "exercises"):
        if found := {path.stem: path for path in sorted(folder.glob("ex*.ipynb"))}:
            return found
    return {}
