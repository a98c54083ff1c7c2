"""A code cell in another language: the same code, with other words in its strings and comments.

Under a code cell of a master may stand a table of its words, as the Chinese of a text cell does:

    # %% loss
    axes.set(xlabel="difference of scores", ylabel=f"loss of {pairs} pairs")  # Eq. 1

    # %% loss lang="zh"
    {
        "difference of scores": "得分之差",
        "loss of {pairs} pairs": "{pairs} 对的损失",
        "# Eq. 1": None,
    }

A key is a string with its ``{fields}``, in however many pieces and lines the code has it, or a
whole comment. None keeps it: a text of the town, say. What is no sentence need not be named.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from course.build.settings import WIDTH, BuildError
from minirlhf.lesson.languages import columns

Words = Mapping[str, str | None]
_SENTENCE = re.compile(r"[A-Za-z]{2,},? +[A-Za-z]")
"""Two words: what stands in a string for people to read, most likely."""
_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_QUOTED = re.compile(r"""(?P<mark>\"{3}|"|')(?P<text>.*?)(?<!\\)(?P=mark)""", re.DOTALL)
_PIECE = re.compile(
    r"（[^（）{}]{,12}）"
    rf"|[（(\[“]*(?:{_FIELD.pattern}|[A-Za-z0-9_.%§+−-]+|.)[，。；：、？！）)\]”]* ?",
    re.DOTALL,
)
"""What isn't broken over two lines: a remark in brackets; a field, a Latin word, a letter, with the
marks around it."""


@dataclass(frozen=True)
class Literal:
    """A string of a cell, or a comment, and where it stands in characters."""

    text: str
    start: int
    end: int
    form: str
    """``f``, ``str`` or ``#``."""


def literals(source: str) -> Iterator[Literal]:
    """Every string and comment of a cell."""
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    lines = source.splitlines()

    def place(line: int, column: int) -> int:  # Python counts a line's bytes
        return offsets[line - 1] + len(lines[line - 1].encode()[:column].decode())

    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if not is_text and not isinstance(node, ast.JoinedStr):
            waiting += ast.iter_child_nodes(node)
            continue
        start = place(node.lineno, node.col_offset)
        end = place(node.end_lineno, node.end_col_offset)
        said = "".join(found["text"] for found in _QUOTED.finditer(source[start:end]))
        form = "str" if is_text else "f"
        yield Literal(said.replace("\\n", "\n").replace('\\"', '"'), start, end, form)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            (line, column), (_, end) = token.start, token.end
            yield Literal(token.string, offsets[line - 1] + column, offsets[line - 1] + end, "#")


def due(source: str, words: Words) -> Iterator[tuple[str, str]]:
    """Each sentence without other words, ``missing``; each key that isn't there, ``stale``."""
    found = list(literals(source))
    for one in found:
        plain = _FIELD.sub(" ", one.text) if one.form == "f" else one.text
        if one.form != "#" and _SENTENCE.search(plain) and one.text not in words:
            yield one.text, "missing"
    for key in words.keys() - {one.text for one in found}:
        yield key, "stale"


def translated(source: str, words: Words, where: str = "") -> str:
    """The cell with these words.

    Raises:
        BuildError: words whose fields are others, that change the code, or that are too wide.
    """
    english = set(source.splitlines())
    for one in sorted(literals(source), key=lambda one: -one.start):
        if said := words.get(one.text):
            before, after = source[: one.start], source[one.end :]
            source = before + _written(one, said, before, source, after, where) + after
    for line in source.splitlines():
        if line not in english and columns(line) > WIDTH:
            raise BuildError(f"{where}: wider than {WIDTH} columns in Chinese: {line.strip()!r}.")
    return source


def _written(one: Literal, said: str, before: str, source: str, after: str, where: str) -> str:
    """The words as code; over several lines where the English is and they have to be."""
    if one.form == "#":
        return said
    old, prefix = source[one.start : one.end], "f" if one.form == "f" else ""
    if prefix and sorted(_FIELD.findall(said)) != sorted(_FIELD.findall(one.text)):
        raise BuildError(f"{where}: other fields than in {one.text!r}: {said!r}.")
    if re.match(r'f?"""', old):
        return f'{prefix}"""{said}"""'
    *pieces, last = map(_escaped, _PIECE.findall(said))
    begun, ended = before.rpartition("\n")[2], after.partition("\n")[0]
    indent = re.search(r"\n *", old)  # it stands in brackets, then
    rows, left = [""], columns(begun)
    for piece, right in [*((piece, 0) for piece in pieces), (last, columns(ended))]:
        taken = left + len(prefix) + 2 + columns(rows[-1] + piece) + right
        if indent and rows[-1] and taken > WIDTH:
            rows, left = [*rows, ""], len(indent[0]) - 1
        rows[-1] += piece
    quoted = (f'{prefix if "{" in row else ""}"{row}"' for row in rows)
    return (indent[0] if indent else "").join(quoted)


def _escaped(piece: str) -> str:
    return piece.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
