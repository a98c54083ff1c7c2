"""Where things are, and the one place that knows where the course is published."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
COURSE = ROOT / "course"
PACKAGE = ROOT / "minirlhf"
MEASURED = COURSE / "measured.json"
RUN = COURSE / "run.json"
LARGEST = 1_500_000
"""Bytes of a notebook: beyond, GitHub shows none."""
MOST_SECONDS, MOST_BYTES = 240, 2 * 2**30
"""What a chapter may take on two cores."""
LINES, LOOP, WIDTH = 18, 20, 76
"""Lines of a code cell, of one with a loop of training, and columns."""
WORDS, SECTIONS, COMPUTING = 2400, 7, 0.5
"""Words and sections of a chapter at most; the share of its shown code that computes, at least."""
WORDS_OF = {"06": 3500}
"""Chapters that may be longer."""
FOLDERS = {"chapter": "notebooks", "exercise": "exercises", "solution": "solutions"}
"""What is built, and where to."""


class BuildError(Exception):
    """Something in a master that has to be put right: where, what, and what to do."""


@cache
def published() -> dict[str, str]:
    """``repository`` (owner/name) and ``tag`` from course.toml."""
    return tomllib.loads((COURSE / "course.toml").read_text("utf-8"))


def archive() -> str:
    """Where pip gets the package from."""
    return "https://github.com/{repository}/archive/{tag}.zip".format(**published())


def colab(path: str) -> str:
    """The address that opens a built notebook on Colab."""
    at = "https://colab.research.google.com/github/{repository}/blob/{tag}/".format(**published())
    return at + path


def github(path: str) -> str:
    """The address of a file, as GitHub shows it."""
    return "https://github.com/{repository}/blob/{tag}/".format(**published()) + path


def read_json(path: Path) -> dict:
    """The object in a file, or an empty one where there is no file yet."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
