"""The map: what of the paper is where, from the docstrings and the masters.

section → chapters that treat it → functions that implement it → tests of those → exercises on it
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from course.build import assemble
from course.build.masters import CITED, Master
from course.build.settings import PACKAGE, ROOT
from minirlhf.grading import Question, questions

PLACE = "course/MAP.md"
TESTS = ROOT / "tests"
ASIDE = ("minirlhf.cli", "minirlhf.grading", "minirlhf.widgets")
"""What stands in front of the code that implements the paper."""


@dataclass(frozen=True)
class Symbol:
    """A public function or class of the package, with what its docstring cites."""

    module: str  # "minirlhf.objectives"
    name: str
    line: int
    cites: tuple[str, ...]
    mentions: frozenset[str]
    """Every name in its body."""

    @property
    def path(self) -> Path:
        path = ROOT.joinpath(*self.module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    @property
    def short(self) -> str:
        return f"{self.module.removeprefix('minirlhf.')}.{self.name}"


@dataclass(frozen=True)
class Row:
    section: str
    chapters: tuple[Master, ...]
    symbols: tuple[Symbol, ...]
    exercises: tuple[Question, ...]


@cache
def symbols() -> tuple[Symbol, ...]:
    """Every public function and class at the top level of a module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if module.startswith(ASIDE):
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_":
                cites = tuple(dict.fromkeys(CITED.findall(ast.get_docstring(node) or "")))
                found.append(Symbol(module, node.name, node.lineno, cites, _mentioned(node)))
    return tuple(found)


def _mentioned(tree: ast.AST) -> frozenset[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(names | {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)})


@cache
def tests(symbol: Symbol) -> tuple[str, ...]:
    """The test files that name a symbol, or else what stands on it."""
    if direct := _tests(symbol):
        return direct
    seen, waiting = {symbol}, [symbol]
    while waiting:
        used = waiting.pop(0)
        users = [s for s in symbols() if s not in seen and _uses(s, used)]
        for user in users:
            if found := _tests(user):
                return found
        seen.update(users)
        waiting += users
    return ()


def _tests(symbol: Symbol) -> tuple[str, ...]:
    paths = sorted(TESTS.glob("test_*.py"))
    return tuple(path.name for path in paths if _reaches(path, symbol, _names(path)[1]))


def _uses(user: Symbol, used: Symbol) -> bool:
    if user.module == used.module:
        return used.name in user.mentions
    return _reaches(user.path, used, user.mentions)


def _reaches(path: Path, symbol: Symbol, named: frozenset[str]) -> bool:
    """Whether a file imports a symbol's module, or it from there, and names it."""
    inside = (symbol.module, f"{symbol.module}.{symbol.name}")
    return symbol.name in named and not _names(path)[0].isdisjoint(inside)


@cache
def _names(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """What a file imports, in full, and every name and attribute in it."""
    imported, named = set(), set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Name):
            named.add(node.id)
        elif isinstance(node, ast.Attribute):
            named.add(node.attr)
    return frozenset(imported), frozenset(named)


def rows(masters: Iterable[Master]) -> list[Row]:
    """A row for each section that a chapter treats, in the paper's order."""
    chapters = [master for master in masters if master.kind == "chapter"]
    sections = sorted({s for chapter in chapters for s in chapter.sections}, key=_order)
    return [
        Row(
            section,
            tuple(chapter for chapter in chapters if section in chapter.sections),
            tuple(symbol for symbol in symbols() if section in symbol.cites),
            tuple(q for q in questions() if section in CITED.findall(q.source)),
        )
        for section in sections
    ]


def _order(section: str) -> tuple:
    """Sections, then appendices; equations stand with §3.5, where the paper has them."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", section))
    if section.startswith("Eq."):
        return (0, "", 3, 5, *numbers)
    return (0, "", *numbers) if section[0] == "§" else (1, section[0], *numbers)


def orphans(masters: Iterable[Master]) -> Iterator[str]:
    """What lacks its counterpart, in sentences."""
    masters = list(masters)
    chapters = {master.number: master for master in masters if master.kind == "chapter"}
    in_code = {chapter.number: _shown(chapter) for chapter in chapters.values()}
    for row in rows(masters):
        bare = {s for c in row.chapters for s in CITED.findall(c.facts.get("without_code", ""))}
        if not row.symbols and row.section not in bare:
            yield f"{row.section} is in a chapter, but no docstring of the package cites it."
        for symbol in row.symbols:
            if not tests(symbol):
                yield f"{symbol.short} cites {row.section}, but no test names it."
            asked = any(symbol.short == question.symbol for question in row.exercises)
            shown = any(symbol.name in in_code[chapter.number] for chapter in row.chapters)
            equation = symbol.module == "minirlhf.objectives" and symbol.name.islower()
            if equation and not (asked or shown):
                yield f"{symbol.short} cites {row.section}: no chapter shows it, no exercise asks."
    known = {symbol.short: symbol for symbol in symbols()}
    for question in questions():
        chapter = chapters.get(question.exercise.removeprefix("ex"))
        if question.symbol and question.symbol not in known:
            yield f"{question.key} is about {question.symbol}, which doesn't exist."
        elif question.symbol and not tests(known[question.symbol]):
            yield f"{question.key} is about {question.symbol}, which no test names."
        if chapter and not set(CITED.findall(question.source)) & set(chapter.sections):
            yield f"{question.key} cites {question.source}, which {chapter.name} doesn't treat."
    asked = {cell.answer for master in masters for cell in master.cells if cell.answer}
    for question in questions():
        has_master = any(master.key == question.exercise for master in masters)
        if has_master and question.key not in asked:
            yield f"{question.key} is in the bank, but {question.exercise} doesn't ask it."
    for key in sorted(asked - {question.key for question in questions()}):
        yield f"an exercise asks {key}, which isn't in the bank."


def _shown(chapter: Master) -> frozenset[str]:
    """Every name in the code cells of a chapter."""
    named = set()
    for cell in chapter.cells:
        if not cell.is_text:
            named |= set(re.findall(r"[A-Za-z_]\w*", cell.source))
    return frozenset(named)


def markdown(masters: Iterable[Master]) -> str:
    """The map as a page."""
    masters = list(masters)
    lines = [
        "# Map: the paper, the chapters, the code, its tests, the exercises",
        "",
        "Made by `python -m course.build` from docstrings and masters; don't edit it.",
        "",
        "| paper | chapter | in the package | tested in | exercise |",
        "|---|---|---|---|---|",
    ]
    for row in rows(masters):
        chapters = [f"[{c.number}](../{assemble.place(c, 'chapter')})" for c in row.chapters]
        code = [f"[`{s.short}`](../{s.path.relative_to(ROOT)})" for s in row.symbols]
        tested = dict.fromkeys(test for symbol in row.symbols for test in tests(symbol))
        asked = [f"`{question.key}`" for question in row.exercises]
        cells = (row.section, *map(", ".join, (chapters, code, [f"`{t}`" for t in tested], asked)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
