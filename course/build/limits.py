"""How long a chapter is, how much of its code computes, and where it breaks the style page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from course.build import prose
from course.build.masters import Master
from course.build.settings import (
    COMPUTING,
    LINES,
    LOOP,
    SECTIONS,
    WIDTH,
    WORDS,
    WORDS_OF,
)

CLOSING = {"Summary", "Questions", "The way on"}
"""Headings that belong to every chapter and are none of its sections."""
STILTED = re.compile(r"\b(?:holds?\s+zero|comes?\s+of|be\s+it)\b", re.IGNORECASE)
"""Turns that the style page bans, and that have no other use."""
_SHOWING = ("matplotlib", "minirlhf.lesson", "minirlhf.report", "minirlhf.widgets", "IPython")
"""Modules that draw, tabulate and ask; what comes from them computes nothing."""
_NOT_SHOWING = {"pick", "workspace", "start"}
"""What of them does: a setting, a folder, a stage of training."""

READ = {
    "00": ((2292, 3), 45),
    "04": ((2395, 16), 50),
    "05": ((2398, 23), 75),
    "06": ((3498, 34), 115),
    "07": ((2399, 30), 75),
}
"""`extent` of five chapters, as they were, and the minutes that their readers took."""
WORD_SECONDS, SYMBOL_SECONDS = 1.01, 82.5
"""Least squares from `READ`: a calibration on five points, up to twelve minutes off. What goes with
a word, its share of code and pictures, is in its price; prices of their own come out as nothing."""


def words(master: Master) -> int:
    """The words of its text, as `prose.words` counts them."""
    return sum(prose.words(cell.source) for cell in master.cells if cell.is_text)


def symbols(master: Master) -> int:
    """The pieces of mathematics within its sentences."""
    return sum(len(prose.SYMBOL.findall(cell.source)) for cell in master.cells if cell.is_text)


def sections(master: Master) -> list[str]:
    """The headings of its sections, without those that close every chapter."""
    found = [line for cell in master.cells if cell.is_text for line in cell.headings]
    return [line[3:] for line in found if line.startswith("## ") and line[3:] not in CLOSING]


def shown(master: Master) -> list[str]:
    """The code that a reader has before them: each cell that isn't folded."""
    return [cell.source for cell in master.cells if not cell.is_text and not cell.folded]


def _full(source: str) -> set[int]:
    lines = enumerate(map(str.strip, source.splitlines()), 1)
    return {number for number, line in lines if line and not line.startswith("#")}


def computing(sources: Iterable[str]) -> float:
    """The share of lines that compute, among those that either compute or show.

    A statement shows if it draws, tabulates, prints, asks for a guess, or sets up text for it: if
    it uses a name from a module that does so, one made by such a statement, or an f-string.
    Imports and docstrings are neither. A compound statement's head goes with its body.
    """
    names, counts = {"print", "display"}, {True: 0, False: 0}
    for source in sources:
        full = _full(source)
        for first, last, shows in _judged(ast.parse(source).body, names):
            counts[shows] += len(full & set(range(first, last + 1)))
    return counts[False] / max(1, sum(counts.values()))


def _judged(body: list[ast.stmt], names: set[str]) -> Iterator[tuple[int, int, bool]]:
    """Of each statement its first and last line, and whether it shows; ``names`` grows."""
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= set(_imported(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        elif inner := getattr(node, "body", None):
            if isinstance(node, ast.For) and _uses([node.iter], names):
                names |= _bound(node.target)
            parts = [*_judged(inner, names), *_judged(getattr(node, "orelse", []), names)]
            shows = bool(parts) and all(part[2] for part in parts)
            if shows and isinstance(node, ast.FunctionDef):
                names.add(node.name)
            yield node.lineno, inner[0].lineno - 1, shows
            yield from parts
        else:
            shows = _uses([node], names)
            if shows and isinstance(node, ast.Assign):
                for target in node.targets:
                    names |= _bound(target)
            yield node.lineno, node.end_lineno or node.lineno, shows


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The names that an import binds to what shows."""
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        inside = f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        if inside.startswith(_SHOWING) and alias.name not in _NOT_SHOWING:
            yield name


def _bound(target: ast.expr) -> set[str]:
    """The names that an assignment binds; those whose item or attribute it sets are old ones."""
    stores = (n for n in ast.walk(target) if isinstance(n, ast.Name))
    return {name.id for name in stores if isinstance(name.ctx, ast.Store)}


def _uses(nodes: list[ast.AST], names: set[str]) -> bool:
    for node in (n for top in nodes for n in ast.walk(top)):
        if isinstance(node, ast.JoinedStr):
            return True
        if isinstance(node, ast.Attribute) and node.attr in _NOT_SHOWING:
            names = names - {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            return True
    return False


def broken(master: Master) -> Iterator[str]:
    """Each limit of the style page that a chapter breaks, in a sentence."""
    most = WORDS_OF.get(master.key, WORDS)
    if (count := words(master)) > most:
        yield f"{master.path.name} has {count:,} words, more than {most:,}: cut some."
    for cell in master.cells:
        lines = [] if cell.is_text else cell.source.splitlines()
        most = LOOP if ".backward()" in cell.source else LINES
        if len(lines) > most:
            yield f"{master.path.name}, {cell.name}: {len(lines)} lines, more than {most}."
        if any(len(line) > WIDTH for line in lines):
            yield f"{master.path.name}, {cell.name}: a line is wider than {WIDTH} columns."
    for cell in master.cells:
        if cell.is_text and (found := STILTED.search(cell.source)):
            yield f"{master.path.name}, {cell.name}: {found[0]!r}: say it as a person would."
    if (count := len(sections(master))) > SECTIONS:
        yield f"{master.path.name} has {count} sections, more than {SECTIONS}: join or drop some."
    sources = shown(master)
    if sources and (share := computing(sources)) < COMPUTING:
        yield (
            f"{master.path.name}: {share:.0%} of the shown code lines compute, less than "
            f"{COMPUTING:.0%}: move drawing and tables into the package, or fold their cells."
        )


def extent(master: Master) -> tuple[int, int]:
    """What its reader's minutes go by: words and symbols."""
    return words(master), symbols(master)


def minutes(words: int, symbols: int) -> float:
    """What a chapter takes someone new to its matter who reads all of it, code and pictures too."""
    return (words * WORD_SECONDS + symbols * SYMBOL_SECONDS) / 60
