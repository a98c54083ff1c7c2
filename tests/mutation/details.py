"""The details in details_and_bugs.toml, and the table in docs/details.md that is made of them.

python tests/mutation/details.py
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "details.md"
HEAD = """# What separates RLHF from a toy

Each line is a detail that an implementation can get wrong and still run. Every one is a few lines
of code, tests that fail without it, and a source: the paper's section, or the ancestor that the
paper leans on where it says nothing. `make mutants` proves it: it plants each known bug, one at a
time, and shows which test catches it ([results](mutants.md)).

| | detail | code | tests | source | bugs |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Bug:
    """A small wrong change of one file of the package, and the tests that have to notice."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, source: str) -> str:
        """The file's source with the bug; raises ValueError unless ``old`` is there just once."""
        if source.count(self.old) != 1:
            raise ValueError(f"{self.file} holds {self.old!r} {source.count(self.old)} times")
        return source.replace(self.old, self.new)


@dataclass(frozen=True)
class Detail:
    """One line of the table."""

    text: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    source: str
    bugs: tuple[Bug, ...]


def read(path: Path = HERE / "details_and_bugs.toml") -> list[Detail]:
    """All details. A bug that names no tests is one for those of its detail."""
    return [
        Detail(
            entry["text"],
            tuple(entry["code"]),
            tuple(entry["tests"]),
            entry["source"],
            tuple(
                Bug(**bug | {"tests": tuple(bug.get("tests", entry["tests"]))})
                for bug in entry["bug"]
            ),
        )
        for entry in tomllib.loads(path.read_text("utf-8"))["detail"]
    ]


def page(details: list[Detail]) -> str:
    """docs/details.md"""
    rows = [
        [
            str(number),
            detail.text,
            "<br>".join(_link(symbol, source_of(symbol)) for symbol in detail.code),
            "<br>".join(
                _link(test.partition("::")[2] or test, f"tests/{test.partition('::')[0]}")
                for test in detail.tests
            ),
            detail.source,
            str(len(detail.bugs)),
        ]
        for number, detail in enumerate(details, 1)
    ]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def source_of(symbol: str) -> str:
    """The file, seen from the root, that ``objectives.gae`` or ``data.batching.collate`` is in."""
    parts = symbol.split(".")
    while not (ROOT / "minirlhf").joinpath(*parts).with_suffix(".py").is_file():
        parts.pop()
    return f"minirlhf/{'/'.join(parts)}.py"


def _link(name: str, file: str) -> str:
    return f"[`{name}`](../{file})"


if __name__ == "__main__":
    PAGE.write_text(page(read()), encoding="utf-8")
