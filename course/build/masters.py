"""Masters: percent-format files, each cell in English and perhaps in Chinese.

    # %% eq1 [markdown] defines="reward model"
    # %% eq1 [markdown] lang="zh" of="5b0c61d2"
    # %% loss answer="rm.ranking_loss"
    # %% sweep-picture folded="yes"
    # %% loss lang="zh"

The Chinese of a code cell is a table of its words (`code_words`).

A cell's title is its name and becomes its id. Its other attributes: ``defines`` (glossary terms,
separated by semicolons), ``answer`` (a question's key), ``only`` (``exercise`` or ``solution``),
``folded`` (``yes``: shown closed, for code that draws or tabulates),
``lang`` and ``of`` (a translation, and the fingerprint of the English that it was made from).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jupytext

from course.build.settings import COURSE, BuildError
from minirlhf.lesson.languages import fingerprint

ATTRIBUTES = {"defines", "answer", "only", "folded", "lang", "of"}
_JUPYTEXT = {"title", "cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker"}
"""What jupytext itself notes of a cell."""
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CITED = re.compile(r"§\d+(?:\.\d+)*|Eq\. \d+|\b[A-F]\.\d+(?:\.\d+)*")
"""Sections, appendices and equations of the paper, as text and docstrings name them."""


@dataclass(frozen=True)
class Cell:
    """One cell of a master; ``zh`` is a text's translation, ``words`` are a code's, if any."""

    name: str
    kind: str  # "markdown" or "code"
    source: str
    defines: tuple[str, ...] = ()
    answer: str = ""
    only: str = ""
    folded: str = ""
    zh: str = ""
    of: str = ""
    words: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        return self.kind == "markdown"

    @property
    def translation(self) -> str:
        """``none``, ``fresh`` or ``stale``."""
        if not self.zh:
            return "none"
        return "fresh" if self.of == fingerprint(self.source) else "stale"

    @property
    def headings(self) -> list[str]:
        return [line for line in self.source.splitlines() if line.startswith("#")]


@dataclass(frozen=True)
class Master:
    """A chapter or an exercise."""

    path: Path
    cells: tuple[Cell, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def number(self) -> str:
        """The chapter's, as in ``05_reward_model`` and ``ex05_reward_model``."""
        return self.name.removeprefix("ex")[:2]

    @property
    def key(self) -> str:
        """``05`` or ``ex05``."""
        return self.name.partition("_")[0]

    @property
    def kind(self) -> str:
        return "exercise" if self.name.startswith("ex") else "chapter"

    @property
    def title(self) -> str:
        return self.cells[0].headings[0].lstrip("# ")

    @property
    def is_translated(self) -> bool:
        """Whether every text cell has a translation, fresh or stale."""
        return all(cell.zh for cell in self.cells if cell.is_text)

    @property
    def sections(self) -> list[str]:
        """What of the paper its headings and its facts name, in order."""
        said = [self.facts.get("paper", "")]
        said += [line for cell in self.cells if cell.is_text for line in cell.headings]
        return list(dict.fromkeys(CITED.findall(" ".join(said))))

    def shown(self, kind: str) -> Iterator[Cell]:
        """The cells of the built notebook of that kind."""
        return (cell for cell in self.cells if cell.only in ("", kind))


def masters() -> list[Master]:
    """All masters: chapters by number, each before its exercises."""
    paths = [*COURSE.glob("[0-9][0-9]_*.py"), *COURSE.glob("exercises/ex[0-9][0-9]_*.py")]
    paths.sort(key=lambda path: (path.stem.removeprefix("ex")[:2], path.stem.startswith("ex")))
    return [read(path) for path in paths]


def read(path: Path) -> Master:
    """One master, checked. Raises `BuildError`."""
    notebook = jupytext.read(path, fmt="py:percent")
    cells: list[Cell] = []
    for number, raw in enumerate(notebook.cells, 1):
        where = f"{path.name}, cell {number}"
        given = {k: v for k, v in raw.metadata.items() if k not in _JUPYTEXT}
        name = raw.metadata.get("title", "")
        if not NAME.fullmatch(name):
            raise BuildError(f"{where}: {name!r} is no name (small letters, digits, hyphens).")
        if unknown := set(given) - ATTRIBUTES:
            raise BuildError(f"{where} ({name}): unknown attribute {sorted(unknown)[0]!r}.")
        if given.get("lang") == "zh":
            cells[-1] = _translated(cells, name, raw, given, where)
            continue
        terms = [term.strip() for term in given.pop("defines", "").split(";")]
        given["defines"] = tuple(term for term in terms if term)
        cells.append(Cell(name, raw.cell_type, raw.source.strip("\n"), **given))
    _check(path.name, cells)
    return Master(path, tuple(cells), dict(notebook.metadata.get("minirlhf", {})))


def _translated(cells: Sequence[Cell], name: str, raw: Any, given: dict, where: str) -> Cell:
    last = cells[-1] if cells else None
    same = last is not None and (last.name, last.kind) == (name, raw.cell_type)
    if not same or last.zh or last.words:
        raise BuildError(f"{where}: a translation stands right under the cell of its name.")
    if last.is_text:
        return replace(last, zh=raw.source.strip("\n"), of=given.get("of", ""))
    try:
        words = dict(ast.literal_eval(raw.source))
    except (SyntaxError, ValueError, TypeError) as error:
        raise BuildError(f"{where} ({name}): this is no table of words: {error}") from None
    return replace(last, words=words)


def _check(file: str, cells: Sequence[Cell]) -> None:
    if not cells or not cells[0].is_text or not cells[0].source.startswith("# "):
        raise BuildError(f"{file}: the first cell is a text cell that begins with the title.")
    for kind in ("exercise", "solution"):
        names = [cell.name for cell in cells if cell.only in ("", kind)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BuildError(f"{file}: two cells are called {twice[0]!r}.")
        if taken := {"facts", "setup"} & set(names):
            raise BuildError(f"{file}: {sorted(taken)[0]!r} is the name of a generated cell.")
