"""What the course says to a student, in English and in Simplified Chinese.

Texts lie in TOML files under dotted keys, each a table with ``en``, ``zh`` and ``of``: the
fingerprint of the English that the Chinese was made from. `stale` lists what has changed since.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from unicodedata import east_asian_width

from minirlhf.errors import MinirlhfError

LANGUAGES = {"en": "English", "zh": "简体中文"}
_chosen: list[str] = []


def choose(language: str) -> None:
    """Speak ``en`` or ``zh`` from now on, in this process."""
    if language not in LANGUAGES:
        raise MinirlhfError(f"There is no language {language!r}: take {' or '.join(LANGUAGES)}.")
    _chosen[:] = [language]


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within, this language is spoken; afterwards what was chosen before, if anything was."""
    before = list(_chosen)
    choose(language)
    try:
        yield
    finally:
        _chosen[:] = before


def language() -> str:
    """The language chosen last, else that of MINIRLHF_LANGUAGE, else English."""
    wanted = _chosen[0] if _chosen else os.environ.get("MINIRLHF_LANGUAGE", "en")
    return wanted if wanted in LANGUAGES else "en"


def fingerprint(text: str) -> str:
    """Eight hex digits that change with the words of a text, and not with its line breaks."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8]


def columns(line: str) -> int:
    """How wide a line is in letters of one width: a Chinese one takes two."""
    return sum(1 + (east_asian_width(letter) in "WF") for letter in line)


class Texts:
    """The texts of one TOML file."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @cached_property
    def entries(self) -> dict[str, dict[str, str]]:
        """Every entry under its dotted key."""
        return dict(_entries(tomllib.loads(self.path.read_text("utf-8"))))

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def __call__(self, key: str, **fields: object) -> str:
        """The text under ``key`` in the chosen language, ``{name}`` replaced by ``fields``."""
        entry = self.entries[key]
        return (entry.get(language()) or entry["en"]).format(**fields)

    def under(self, *prefixes: str) -> dict[str, str]:
        """The texts below these keys in the chosen language, their ``{name}`` as they stand."""
        starts = tuple(f"{prefix}." for prefix in prefixes)
        return {key: text for key, text in self.whole().items() if key.startswith(starts)}

    def whole(self, wanted: str = "") -> dict[str, str]:
        """All texts in one language: the chosen one unless another is ``wanted``."""
        wanted = wanted or language()
        return {key: entry.get(wanted) or entry["en"] for key, entry in self.entries.items()}

    def stale(self) -> Iterator[tuple[str, str]]:
        """Keys whose Chinese is ``missing``, or ``stale``: made from other English."""
        for key, entry in self.entries.items():
            if not entry.get("zh"):
                yield key, "missing"
            elif entry.get("of") != fingerprint(entry["en"]):
                yield key, "stale"


def _entries(table: dict, prefix: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    for name, value in table.items():
        if isinstance(value, dict):
            if isinstance(value.get("en"), str):
                yield prefix + name, value
            else:
                yield from _entries(value, f"{prefix}{name}.")
