"""What an executed notebook depends on: its own code, and the package's code that it imports.

Comments and docstrings don't count, so that better words in the package leave the notebooks alone;
nor do the words of another language, and what only it needs (a file such as ``letters.zh.otf``),
nor what a page draws with, since stored outputs are pictures and text.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from course.build.settings import PACKAGE, ROOT
from minirlhf.lesson.languages import LANGUAGES, Texts

NO_DATA = (".py", ".pyc", ".js", ".css")


def code(sources: Iterable[str]) -> str:
    """A fingerprint of a notebook's code cells."""
    return _digest(bare(source).encode() for source in sources)


def package(sources: Iterable[str], language: str = "en") -> str:
    """A fingerprint of every module of the package that the code cells import, and of its data."""
    modules: set[Path] = set()
    waiting = {path for source in sources for path in _imported(source)}
    while waiting:
        path = waiting.pop()
        modules.add(path)
        waiting |= set(_imports_of(path)) - modules
    files = {path: bare(path.read_text("utf-8")).encode() for path in modules}
    others = {f".{other}" for other in LANGUAGES if other != language}
    files |= {
        path: _content(path, language)
        for path in _data(modules)
        if not others.intersection(path.suffixes)
    }
    named = sorted((path.relative_to(ROOT).as_posix(), content) for path, content in files.items())
    return _digest(part for name, content in named for part in (name.encode(), content))


def _content(path: Path, language: str) -> bytes:
    """A file's bytes; of texts in several languages, those of one."""
    texts = Texts(path) if path.suffix == ".toml" else None
    if texts and texts.entries:
        return json.dumps(texts.whole(language)).encode()
    return path.read_bytes()


def _digest(parts: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:16]


def bare(source: str) -> str:
    """Python source without comments, docstrings and blank lines; the same on every Python."""
    lines = [list(line) for line in source.splitlines()]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        comments = [token for token in tokens if token.type == tokenize.COMMENT]
        tree = ast.parse(source)
    except (SyntaxError, tokenize.TokenError):  # a magic, say
        return source
    for token in comments:
        row, column = token.start
        lines[row - 1][column:] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for text in filter(_is_text, node.body):
                for row in range(text.lineno - 1, text.end_lineno):
                    lines[row] = []
    kept = ("".join(line).rstrip() for line in lines)
    return "\n".join(line for line in kept if line)


def _is_text(node: ast.stmt) -> bool:
    """A string that stands alone: a docstring."""
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant and isinstance(node.value.value, str)


@cache
def _imports_of(path: Path) -> tuple[Path, ...]:
    return tuple(_imported(path.read_text("utf-8")))


def _imported(source: str) -> Iterator[Path]:
    """The files of the package that a source imports, wherever in it."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            yield from _files(name)


def _files(name: str) -> Iterator[Path]:
    """The module of that name, and the packages that it lies in."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return
    for end in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:end])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file


def _data(modules: set[Path]) -> Iterator[Path]:
    """Data that these modules name, beside them; of a room that holds nothing else, all of it."""
    for folder in {module.parent for module in modules} - {PACKAGE}:
        named = "".join(module.read_text("utf-8") for module in modules if module.parent == folder)
        holds_data_alone = [path.name for path in folder.glob("*.py")] == ["__init__.py"]
        for place in folder.iterdir():
            if holds_data_alone or f'"{place.name}"' in named:
                files = place.rglob("*") if place.is_dir() else [place]
                yield from (p for p in files if p.is_file() and p.suffix not in NO_DATA)
