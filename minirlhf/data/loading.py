"""The way in: data sets in whatever form people have them.

What a file is, its content tells, before anything in it is criticised. Text is read here, strictly,
so that errors name the line; tables, saved data sets and the hub are read by ``datasets``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from minirlhf.data import hub
from minirlhf.data.conversations import canonical
from minirlhf.data.records import COLUMNS, Record, Records, read_jsonl
from minirlhf.data.text_files import LISTS, is_row, read_csv, read_json, separator
from minirlhf.errors import MinirlhfError

READS = {
    "documents": {"text", "messages"},
    "demonstrations": {"prompt", "completion", "messages"},
    "comparisons": {"prompt", "chosen", "rejected"},
    "rankings": {"prompt", "completions", "ranks", "scores", "chosen", "rejected"},
    "prompts": {"prompt", "messages", "completion", "chosen", "rejected"},
}
"""The columns that each kind of data set may be read from: those of `COLUMNS`, and more."""
PACKED = {
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
}
"""First bytes of files that have to be unpacked before they are read."""
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(:[\w.-]+){0,2}")
FILE_NAME = re.compile(r"\.(jsonl?|ndjson|csv|tsv|txt|parquet|arrow|gz|zip)$")


def load_records(
    source: str | Path | Iterable[Record],
    kind: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
) -> Records:
    """A data set as a list of dicts, with the columns that the stages know.

    ``source`` is a file (JSONL, JSON, CSV or parquet), a folder of ``Dataset.save_to_disk``, a data
    set on the hub, ``name``, ``name:split`` or ``name:config:split`` (a saved one with splits may
    be named so too; without a split it is ``train``), or rows: a ``Dataset`` or a list of dicts.
    ``columns`` says what a column of ours is called there: ``{"prompt": "question"}``.

    With ``kind`` ("documents", "demonstrations", "rankings", "comparisons" or "prompts") every row
    is checked; conversations are as `minirlhf.data.conversations` describes them, and comparisons
    become rankings if those are asked for. Raises `MinirlhfError` naming file and line.
    """
    columns = dict(columns or {})
    records = read_records(source, kind, columns)
    check_mapping(columns, [records])
    return records


def read_records(source, kind: str | None, columns: Mapping[str, str]) -> Records:
    """`load_records`, where one mapping may serve several data sets: what it doesn't fit is left as
    it is (`check_mapping` looks for what fits none).
    """
    if kind is not None and kind not in COLUMNS:
        raise MinirlhfError(f"There is no kind of data set {kind!r}: take {', '.join(COLUMNS)}.")
    known = set().union(*READS.values())
    for name in columns.keys() - known:
        raise MinirlhfError(
            f"No stage has a column {name!r}: it is one of {', '.join(sorted(known))}."
        )
    wanted = READS[kind] if kind else known
    columns = {ours: theirs for ours, theirs in columns.items() if ours in wanted}
    if isinstance(source, (str, Path)):
        lists = LISTS | {columns[name] for name in LISTS & columns.keys()}
        records = _read(str(source), wanted | set(columns.values()), lists)
    else:
        if isinstance(source, Mapping):  # a DatasetDict
            raise MinirlhfError(f"The data set has several splits: pass one ({', '.join(source)}).")
        records = source if isinstance(source, Records) else Records(source)
    if not records:
        raise MinirlhfError(f"{records.source or 'The data set'} holds no records.")
    records = _renamed(records, columns)
    if kind is None:
        return records
    return records.replaced(
        canonical(record, kind, records.place(row, kind)) for row, record in enumerate(records)
    )


def check_mapping(columns: Mapping[str, str], data: Iterable[Records]) -> None:
    """Raise `MinirlhfError` if some column of the mapping is in none of the data sets."""
    data = list(data)
    for ours, theirs in columns.items():
        if not any(ours in records.mapped for records in data):
            found = ", ".join(dict.fromkeys(name for rows in data for name in rows[0])) or "none"
            raise MinirlhfError(
                f"No column {theirs!r} is there to be {ours!r} (columns found: {found})."
            )


def _renamed(records: Records, columns: Mapping[str, str]) -> Records:
    if not columns:
        return records

    def renamed(row: Record) -> Record:
        if not isinstance(row, Mapping):
            return row
        found = {ours: theirs for ours, theirs in columns.items() if theirs in row}
        mapped.update(found)
        rest = {name: value for name, value in row.items() if name not in found.values()}
        return {**rest, **{ours: row[theirs] for ours, theirs in found.items()}}

    mapped: set[str] = set()
    records = records.replaced([renamed(row) for row in records])
    records.mapped = mapped
    return records


# ------------------------------------------------------------------------------- where, and what


def _read(source: str, known: set[str], lists: set[str]) -> Records:
    """The rows of a file, a folder or a name."""
    name, _, split = source.partition(":")
    path = Path(source)
    if not path.exists() and Path(name).is_dir():
        path = Path(name)  # a saved data set and a split of it
    if path.is_dir():
        return _read_folder(path, split if str(path) != source else "")
    if not path.exists() and HUB_NAME.fullmatch(source) and not FILE_NAME.search(source):
        return _read_hub(source)
    if not path.exists():
        raise MinirlhfError(f"{path} doesn't exist: check the path of the data file.")
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        first = next((line for line in file if line.strip()), b"")
    if head[:4] == b"PAR1":
        return _read_parquet(path)
    for begin, what in PACKED.items():
        if head.startswith(begin):
            raise MinirlhfError(
                f"{path} is {what}: unpack it, or save it as JSONL, CSV or parquet."
            )
    first = first.removeprefix(b"\xef\xbb\xbf").strip()
    if first.startswith(b"version https://git-lfs"):
        raise MinirlhfError(
            f"{path} is a pointer of git-lfs, not the file: fetch it (git lfs pull)."
        )
    if first[:1] == b"[" or (first[:1] == b"{" and not is_row(first)):
        return read_json(path, first)
    between = None if first[:1] == b"{" else separator(path, first, known)
    return read_csv(path, between, lists) if between else read_jsonl(path)


# ------------------------------------------------------------------------------ what datasets reads


def _read_parquet(path: Path) -> Records:
    import pyarrow
    from datasets import Dataset
    from pyarrow import parquet

    try:
        table = Dataset(parquet.read_table(path))
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).split("\n")[0]
        raise MinirlhfError(
            f"{path} is a parquet file, but can't be read ({reason}): fetch or make it again."
        ) from None
    return Records(table, str(path), "row")


def _read_folder(path: Path, split: str) -> Records:
    if not any(
        (path / f).exists() for f in ("state.json", "dataset_info.json", "dataset_dict.json")
    ):
        raise MinirlhfError(
            f"{path} is a folder: name the .jsonl, .json, .csv or .parquet file inside it (or a "
            "folder that save_to_disk wrote)."
        )
    from datasets import DatasetDict, load_from_disk

    try:
        data = load_from_disk(str(path))
    except Exception as error:  # whatever their formats may raise
        reason = str(error).split("\n")[0]
        raise MinirlhfError(f"{path} can't be read ({reason}): save the data set again.") from None
    if isinstance(data, DatasetDict):
        split = split or "train"
        if split not in data:
            raise MinirlhfError(
                f"{path} has no split {split!r}: name one, {path}:{next(iter(data), 'SPLIT')} say "
                f"(splits found: {', '.join(data) or 'none'})."
            )
        data = data[split]
    elif split:
        raise MinirlhfError(f"{path} has no splits: leave out ':{split}'.")
    return Records(data, str(path), "row")


def _read_hub(source: str) -> Records:
    """A data set of the hub, fetched or from the cache."""
    import datasets

    name, *rest = source.split(":")
    *config, split = rest or ["train"]
    trouble = hub.obstacle(0.8)
    try:
        with _offline() if trouble else nullcontext():
            data = datasets.load_dataset(name, *config, split=split)
    except Exception as error:  # whatever the hub and its formats may raise
        reason = str(error).strip().split("\n")[0]
        if trouble:
            raise MinirlhfError(
                f"{source!r} is neither a file or folder nor in the local cache, and the hub can't "
                f"be asked ({trouble}): check the path, or fetch it where there is a network."
            ) from error
        raise MinirlhfError(
            f"{source!r} is neither a file or folder nor can it be fetched ({reason}): check the "
            "path; a data set of the hub is NAME, NAME:SPLIT or NAME:CONFIG:SPLIT."
        ) from error
    return Records(data, source, "row")


@contextmanager
def _offline() -> Iterator[None]:
    """Let ``datasets`` look into its cache alone: asking in vain costs it 23 s of retries."""
    import datasets
    import huggingface_hub.constants as constants

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
