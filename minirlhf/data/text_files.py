"""JSON in the forms that `read_jsonl` doesn't take, and tables in text; errors name the line."""

from __future__ import annotations

import csv
import io
import json
import re
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from minirlhf.data.records import Records, read_jsonl
from minirlhf.errors import MinirlhfError

LISTS = {"completions", "ranks", "scores"}
"""Columns that hold a list: in a cell of a table it is written as JSON."""
ROLE = {"role", "from"}
"""What a message says of who speaks."""


def is_row(line: bytes) -> bool:
    """Whether a line is a whole JSON value, and not ``{"data": [...]}``, which holds all rows."""
    try:
        return _inner(json.loads(line)) is None
    except (ValueError, RecursionError):
        return False


def _inner(value: Any) -> list[Any] | None:
    """The rows in ``{"data": [...]}``, whatever its one key is called."""
    if not isinstance(value, dict) or len(value) != 1 or "messages" in value:
        return None
    (rows,) = value.values()
    ours = isinstance(rows, list) and rows and isinstance(rows[0], dict)
    return rows if ours and not rows[0].keys() & ROLE else None


def separator(path: Path, header: bytes, known: set[str]) -> str | None:
    """What separates the cells of a table in text; None if the file is none."""
    cells = {s: _cells(header.decode("utf-8", "replace"), s) for s in (",", ";", "\t")}
    best = max(cells, key=lambda s: len(known & set(cells[s])))
    if known & set(cells[best]):
        return best
    if path.suffix.lower() in (".csv", ".tsv"):
        return max(cells, key=lambda s: len(cells[s]))
    return None


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MinirlhfError(
            f"{path}, line {line}: not UTF-8 text ({error.reason}); save the file as UTF-8."
        ) from None


def read_json(path: Path, first: bytes) -> Records:
    """A JSON array of objects, or objects one after the other over several lines each."""
    text, decoder, rows, lines, at = _text(path), json.JSONDecoder(), [], array("q"), 0
    text_end = len(text.rstrip())
    try:
        while (at := re.compile(r"\s*").match(text, at).end()) < text_end:
            lines.append(text.count("\n", 0, at) + 1)
            row, at = decoder.raw_decode(text, at)
            rows.append(row)
    except RecursionError:
        raise MinirlhfError(f"{path}: nested too deeply; write flat objects.") from None
    except json.JSONDecodeError as error:
        if first[:1] == b"{" and first[-1:] not in b"{[,":  # a line that is cut off
            return read_jsonl(path)
        raise MinirlhfError(
            f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}); write an "
            "array of objects, or one object a line."
        ) from None
    if len(rows) == 1 and isinstance(rows[0], list):
        return _objects(path, Records(rows[0], str(path), "item"))
    if len(rows) == 1 and (inner := _inner(rows[0])) is not None:
        return _objects(path, Records(inner, str(path), "item"))
    return _objects(path, Records(rows, str(path), "line", lines))


def _objects(path: Path, records: Records) -> Records:
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            raise MinirlhfError(
                f"{records.place(row, '')}: expected a JSON object like {{...}}, found "
                f"{json.dumps(record)[:40]}."
            )
    return records


def read_csv(path: Path, separator: str, lists: set[str]) -> Records:
    """A table in text, every cell a string, but for lists in JSON: messages, and those named."""
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=separator)
    header = [name.strip() for name in next(row for row in _rows(path, reader) if row)]
    rows, lines, before = [], array("q"), reader.line_num
    for cells in _rows(path, reader):
        line, before = before + 1, reader.line_num
        if not cells:
            continue
        if len(cells) != len(header):
            raise MinirlhfError(
                f"{path}, line {line}: {len(cells)} cells, where the first line names "
                f'{len(header)} columns; put cells with "{separator}" in them into quotes.'
            )
        named = zip(header, cells, strict=True)
        rows.append({name: _cell(cell, name in lists) for name, cell in named})
        lines.append(line)
    return Records(rows, str(path), "line", lines)


def _rows(path: Path, reader) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise MinirlhfError(f"{path}, line {reader.line_num}: no table ({error}).") from None


def _cell(text: str, is_list: bool) -> Any:
    """A cell: a text, messages, or another list where one belongs."""
    if text[:1] == "[" and (is_list or '"role"' in text or '"from"' in text):
        with suppress(ValueError, RecursionError):
            value = json.loads(text)
            if is_list or (value and all(isinstance(v, dict) and v.keys() & ROLE for v in value)):
                return value
    return text
