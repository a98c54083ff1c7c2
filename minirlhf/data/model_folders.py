"""What is wrong with a model's folder, as far as its files tell."""

from __future__ import annotations

import json
import os
from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that stands for a large one which git-lfs has not fetched."""
ADAPTER = "adapter_config.json"
"""What an adapter's folder holds, in the place of a config.json."""
ASK = "ask its owner for permission"


def obstacle(folder: Path) -> str | None:
    """What may have kept a folder from being loaded, and what to do; None if nothing is to be seen.

    The folder is the subject of the sentence, which has no full stop.
    """
    if not os.access(folder, os.R_OK | os.X_OK):
        return f"can't be read: {ASK} (chmod a+rX)"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if not files:
        return "is empty: there is no model in it"
    for file in files:
        if not os.access(file, os.R_OK):
            return f"has a file that you may not read, {file.name}: {ASK} (chmod a+r)"
        if _begins_with(file, POINTER):
            return (
                f"holds a git-lfs pointer in the place of {file.name}: run git lfs pull there, or "
                "fetch the files again"
            )
    if (folder / ADAPTER).is_file():
        return (
            f"is an adapter (LoRA, say) of {_base(folder)}, no whole model: merge the two with "
            "peft's merge_and_unload() and save_pretrained() the result"
        )
    if not (folder / "config.json").is_file():
        return "can't be loaded, it has no config.json: name a model's folder, or make it again"
    return None


def _begins_with(file: Path, start: bytes) -> bool:
    with file.open("rb") as content:
        return content.read(len(start)) == start


def _base(folder: Path) -> str:
    try:
        return json.loads((folder / ADAPTER).read_text("utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return "another model"
