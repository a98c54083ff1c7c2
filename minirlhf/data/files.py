"""Files that are whole or absent, whatever interrupts their writing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minirlhf.data.records import read_jsonl, write_jsonl
from minirlhf.errors import MinirlhfError


@contextmanager
def written_whole(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Hand out a path beside ``path`` to write to, then rename it: the file is whole, or as it was.

    ``shared`` is for what two processes may write at once: each has a name of its own.
    """
    partial = path.with_suffix(f".{os.getpid()}.tmp" if shared else ".tmp")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` fill a folder beside ``target`` and rename it: it is whole, or as it was."""
    partial, before = (target.with_name(f"{target.name}{end}") for end in (".tmp", ".old.tmp"))
    for leftover in (partial, before):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    fill(partial)
    if target.exists():
        target.rename(before)
    partial.rename(target)
    shutil.rmtree(before, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    with written_whole(path) as partial:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def kept(path: Path, make: Callable[[], Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of a JSONL file, made by ``make`` and written whole if it isn't there yet."""
    if not path.exists():
        rows = list(make())
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, shared=True) as partial:
            write_jsonl(partial, rows)
    return read_jsonl(path, may_be_empty=True)


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> MinirlhfError:
    return MinirlhfError(
        f"{path} can't be read, it is damaged: remove the run's folder and start again."
    )
