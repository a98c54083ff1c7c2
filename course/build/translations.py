"""What has to be translated, or translated again: cells of masters, messages, labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from course.build import code_words
from course.build.masters import Master
from course.build.settings import PACKAGE
from minirlhf.lesson.languages import Texts, fingerprint


class Due(NamedTuple):
    """One text whose Chinese is ``missing`` or ``stale``."""

    file: str
    name: str
    state: str


def due(masters: Iterable[Master]) -> list[Due]:
    """Every text whose translation is due. A master without any translation isn't."""
    found = []
    for master in masters:
        cells = [cell for cell in master.cells if cell.is_text]
        if any(cell.zh for cell in cells):
            states = {"none": "missing", "stale": "stale"}
            for cell in cells:
                if cell.translation in states:
                    found.append(Due(master.path.name, cell.name, states[cell.translation]))
            for cell in master.cells:
                if not cell.is_text:
                    for words, state in code_words.due(cell.source, cell.words):
                        found.append(Due(master.path.name, f"{cell.name}: {words!r}", state))
    for path in text_files():
        found += [Due(path.name, key, state) for key, state in Texts(path).stale()]
    return found


def text_files() -> list[Path]:
    """The package's files of messages and labels."""
    return sorted(path for path in PACKAGE.rglob("*.toml") if Texts(path).entries)


def stamp(
    masters: Iterable[Master], names: Collection[str], files: Iterable[Path] | None = None
) -> int:
    """Renew the fingerprints of these cells and keys (``all`` of them); returns how many.

    ``files`` are those of messages and labels, all of them unless given.
    """
    count = 0
    for master in masters:
        text = master.path.read_text("utf-8")
        for cell in master.cells:
            if cell.translation == "stale" and _is_named(cell.name, names):
                header = re.compile(rf'^(# %% {cell.name} \[markdown\] lang="zh").*$', re.MULTILINE)
                text = header.sub(rf'\1 of="{fingerprint(cell.source)}"', text)
                count += 1
        if text != master.path.read_text("utf-8"):
            master.path.write_text(text, "utf-8")
    for path in text_files() if files is None else files:
        count += _stamp_file(path, names)
    return count


def _is_named(name: str, names: Collection[str]) -> bool:
    return "all" in names or name in names


def _stamp_file(path: Path, names: Collection[str]) -> int:
    """Each entry is a table of its own there, with its three texts on lines of their own."""
    texts, count, key, lines = Texts(path), 0, "", []
    stale = {key for key, state in texts.stale() if state == "stale" and _is_named(key, names)}
    for line in path.read_text("utf-8").splitlines():
        if header := re.fullmatch(r"\[(.+)\]", line):
            key = header[1].replace('"', "")
        if line.startswith("of =") and key in stale:
            line = f'of = "{fingerprint(texts.entries[key]["en"])}"'
            count += 1
        lines.append(line)
    if count:
        path.write_text("\n".join(lines) + "\n", "utf-8")
    return count
