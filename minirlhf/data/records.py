"""Reading records and checking their columns, with errors that name the line.

A data set is a ``datasets.Dataset`` or any list of dicts, under TRL's column names; columns beyond
those named here pass through untouched.
"""

from __future__ import annotations

import json
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


def read_jsonl(
    path: str | Path, kind: str | None = None, *, may_be_empty: bool = False
) -> list[dict[str, Any]]:
    """The records of a JSONL file, one object a line; empty lines are skipped.

    With ``kind`` (a key of `COLUMNS`) the columns are checked too. Raises `MinirlhfError` naming
    file and line for a missing file, one without records (unless it ``may_be_empty``), text that
    isn't UTF-8, a line that isn't a JSON object, or a bad column.
    """
    path, records = Path(path), []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    records.append(_parse(line, f"{path}, line {number}", kind))
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


def check_records(records: Iterable[Record] | None, kind: str) -> list[Record]:
    """The records as a list, once every one has the columns of its kind.

    Raises `MinirlhfError` naming the first bad row, counted from 0 as in a list.
    """
    records = list(records if records is not None else ())
    if not records:
        raise MinirlhfError(f"No {kind}: the data set is empty.")
    for row, record in enumerate(records):
        _check(record, kind, f"{kind}, row {row}")
    return records


def check_pretraining(records: Iterable[Record] | None, setting: str) -> list[Record]:
    """Pretraining documents, which ``setting`` calls for, checked like any others."""
    records = list(records if records is not None else ())
    if not records:
        raise MinirlhfError(
            f"{setting} needs pretraining documents: pass them as pretraining=, or set it to 0."
        )
    return check_records(records, "documents")


def as_rankings(records: Iterable[Record]) -> list[Record]:
    """Rankings as they are; comparisons (``chosen``, ``rejected``) as rankings of K = 2."""
    records = list(records)
    if not records or "chosen" not in records[0] or "completions" in records[0]:
        return check_records(records, "rankings")
    return [
        {**record, "completions": [record["chosen"], record["rejected"]], "ranks": [1, 2]}
        for record in check_records(records, "comparisons")
    ]


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
        _check(record, kind, where)
    return record


def _check(record: Record, kind: str, where: str) -> None:
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
