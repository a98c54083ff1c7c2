"""Runs that come with the package, for what takes longer than a lesson; `make pack` remakes them.

    shipped.run("ppo")          the folder of a run: its log, samples, perhaps its model/
    shipped.file("rankings")    a JSONL file; `read` gives its rows

Whatever a chapter shows of them says "shipped run".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minirlhf.errors import MinirlhfError

FOLDER = Path(__file__).parent


def run(name: str) -> Path:
    """The folder of a shipped run; a training desk or `load_policy(folder / "model")` opens it.

    Raises `MinirlhfError` if there is none of that name.
    """
    return _there(FOLDER / name, "config.json", "run")


def file(name: str) -> Path:
    """A shipped JSONL file, by its name without the ending. Raises `MinirlhfError`."""
    return _there(FOLDER / "data" / f"{name}.jsonl", "", "file")


def read(name: str) -> list[dict[str, Any]]:
    """The rows of a shipped JSONL file."""
    return [json.loads(line) for line in file(name).read_text(encoding="utf-8").splitlines()]


def _there(path: Path, inside: str, what: str) -> Path:
    if not (path / inside).exists():
        raise MinirlhfError(
            f"The package has no shipped {what} {path.stem!r} ({path}): `make pack` makes them."
        )
    return path
