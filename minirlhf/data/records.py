"""Records and their columns, JSONL files of them, and errors that name the line.

A data set is a ``datasets.Dataset`` or any list of dicts, under TRL's column names; columns beyond
those named here pass through untouched. (`minirlhf.data.loading` reads other formats.)
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minirlhf.errors import MinirlhfError

Record = Mapping[str, Any]

COLUMNS: dict[str, dict[str, str]] = {
    "documents": {"text": "string"},
    "demonstrations": {"prompt": "string", "completion": "string"},
    "comparisons": {"prompt": "string", "chosen": "string", "rejected": "string"},
    "rankings": {"prompt": "string", "completions": "list of strings", "ranks": "list of integers"},
    "prompts": {"prompt": "string"},
}
"""What each kind of data set must have: column name to type."""


class Records(list):
    """Rows, and where each was read, so that whoever finds fault with one can name the place."""

    def __init__(
        self,
        rows: Iterable[Record] = (),
        source: str | None = None,
        unit: str = "row",
        numbers: Sequence[int] | None = None,
    ):
        """``unit`` ("line", "row") number ``numbers[i]`` of ``source`` holds row i."""
        super().__init__(rows)
        self.source, self.unit, self.numbers = source, unit, numbers
        self.mapped: set[str] = set()
        """Columns that got their name from a mapping."""
        self.may_drop = True
        """Whether a stage may leave out what is too long; otherwise that is an error."""

    def place(self, row: int, kind: str) -> str:
        """Where row ``row``, counted from 0, stands, in words."""
        if self.source is None:
            return f"{kind}, row {row}"
        number = row + 1 if self.numbers is None else self.numbers[row]
        return f"{self.source}, {self.unit} {number}"

    def replaced(self, rows: Iterable[Record]) -> Records:
        """Other rows from the same places."""
        records = Records(rows, self.source, self.unit, self.numbers)
        records.mapped, records.may_drop = self.mapped, self.may_drop
        return records


def read_jsonl(path: str | Path, kind: str | None = None, *, may_be_empty: bool = False) -> Records:
    """The records of a JSONL file, one object a line; empty lines are skipped.

    With ``kind`` (a key of `COLUMNS`) the columns are checked too. Raises `MinirlhfError` naming
    file and line for a missing file, one without records (unless it ``may_be_empty``), text that
    isn't UTF-8, a line that isn't a JSON object, or a bad column.
    """
    path, numbers = Path(path), array("q")
    records = Records((), str(path), "line", numbers)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    records.append(_parse(line, f"{path}, line {number}", kind))
                    numbers.append(number)
    except FileNotFoundError:
        raise MinirlhfError(f"{path} doesn't exist: check the path of the data file.") from None
    except IsADirectoryError:
        raise MinirlhfError(f"{path} is a folder: name the .jsonl file inside it.") from None
    if not records and not may_be_empty:
        raise MinirlhfError(f"{path} holds no records: every non-empty line is one JSON object.")
    return records


def write_jsonl(path: str | Path, records: Iterable[Record]) -> None:
    """Write one JSON object a line, UTF-8, the way `read_jsonl` reads them."""
    with Path(path).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(record), ensure_ascii=False) + "\n" for record in records)


def _parse(line: bytes, where: str, kind: str | None) -> dict[str, Any]:
    try:
        record = json.loads(line.decode("utf-8-sig").rstrip())
        if rb"\ud" in line.lower():  # an escape for half a character, which no file can hold
            json.dumps(record, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise MinirlhfError(
            f"{where}: half of a surrogate pair (\\ud…) is no text; write the character itself."
        ) from None
    except RecursionError:
        raise MinirlhfError(f"{where}: nested too deeply; write one flat object a line.") from None
    except UnicodeDecodeError as error:
        raise MinirlhfError(
            f"{where}: not UTF-8 text ({error.reason}); save the file as UTF-8."
        ) from None
    except json.JSONDecodeError as error:
        raise MinirlhfError(
            f"{where}, column {error.colno}: not JSON ({error.msg}); write one object a line."
        ) from None
    if not isinstance(record, dict):
        raise MinirlhfError(
            f"{where}: expected a JSON object like {{...}}, found {line.strip()[:40]!r}."
        )
    if kind is not None:
        check_record(record, kind, where)
    return record


def check_record(record: Record, kind: str, where: str) -> None:
    """Raise `MinirlhfError`, naming ``where``, for a record without the columns of its kind."""
    if not isinstance(record, Mapping):
        raise MinirlhfError(f"{where}: expected a dict, found {type(record).__name__}.")
    for column, wanted in COLUMNS[kind].items():
        if column not in record:
            have = ", ".join(record) or "none"
            raise MinirlhfError(f"{where}: column {column!r} is missing (columns found: {have}).")
        if not _is(record[column], wanted):
            raise MinirlhfError(
                f"{where}: column {column!r} must be a {wanted}, found {_describe(record[column])}."
            )
    if kind == "rankings":
        completions, ranks = len(record["completions"]), len(record["ranks"])
        if completions != ranks:
            raise MinirlhfError(
                f"{where}: {completions} completions but {ranks} ranks; give each its rank."
            )
        if completions < 2:
            raise MinirlhfError(
                f"{where}: a ranking needs at least 2 completions, found {completions}."
            )
        _check_ranks(record["ranks"], where)


def _check_ranks(ranks: Sequence[int], where: str) -> None:
    """Ranks count from 1, the best; those who share one may be counted densely (1, 2, 2, 3), from
    above (1, 2, 2, 4) or from below (1, 3, 3, 4).
    """
    for rank in ranks:
        first = 1 + len({other for other in ranks if other < rank})
        last = sum(other <= rank for other in ranks)
        if not first <= rank <= last:
            raise MinirlhfError(
                f"{where}: ranks {list(ranks)} are no ranking, for {rank} can't stand there: count "
                f"from 1, the best, to at most {len(ranks)}; ties share a rank."
            )


def _describe(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return type(value).__name__
    return f"a list of {' and '.join(sorted({type(item).__name__ for item in value})) or 'nothing'}"


def _is(value: Any, wanted: str) -> bool:
    if wanted == "string":
        return isinstance(value, str)
    kind = str if wanted == "list of strings" else int
    return isinstance(value, (list, tuple)) and all(
        isinstance(item, kind) and not isinstance(item, bool) for item in value
    )
