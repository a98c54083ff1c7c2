"""Text of a master: numbers filled in from data, and no others let through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from course.build.settings import RUN, BuildError, read_json
from minirlhf import paper
from minirlhf.errors import MinirlhfError
from minirlhf.lesson import languages

PLACEHOLDER = re.compile(r"\{(paper|run|question|why):([^{}:]+)(?::([^{}]+))?\}")
_NO_PROSE = re.compile(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$]+\$|\]\([^)]*\)|<[^>]+>", re.DOTALL)
"""Code, mathematics, link targets, tags."""
_COUNTED = "Eqs?|Equations?|Tables?|Figs?|Figures?|Steps?|Chapters?|Exercises?|Questions?|Appendix"
_NUMBER = r"\d+(?:\.\d+)*[a-d]?"
_LIST = rf"{_NUMBER}(?:(?:\s?[,–、和]\s?|\s(?:and|or|to)\s){_NUMBER})*"
_FREE = re.compile(
    rf"§§?\s?{_LIST}"
    rf"|\b(?:{_COUNTED})\.?\s{_LIST}\b"
    rf"|[式表图步题章]\s?\(?{_LIST}\)?|第\s?{_LIST}\s?[步章节题个]"
    r"|\b[A-F]\.\d+(?:\.\d+)*"  # appendices
    r"|(?:et al\.,?|等人?[，,]?|\()\s?(?:19|20)\d\d\b"  # the year of a citation
    r"|^\s*\d+\.\s"  # a numbered list
    r"|\b[A-Za-z]+-?\d+[A-Za-z]*\b",  # a name: GPT-3, k3, ex05
    re.IGNORECASE | re.MULTILINE,
)


SYMBOL = re.compile(r"(?<!\$)\$[^$\n]+\$")
"""A piece of mathematics within a sentence."""


def words(text: str) -> int:
    """As one reads it: a filled-in number, a symbol, a piece of code is one, an equation none."""
    text = PLACEHOLDER.sub("N", text)
    text = re.sub(r"\$\$.*?\$\$|\]\([^)]*\)|<[^>]+>", " ", text, flags=re.DOTALL)
    return len(re.findall(r"[\w'’-]+", re.sub(r"\$[^$\n]+\$|`[^`\n]*`", " N ", text)))


def fill(text: str, where: str, language: str = "en") -> str:
    """The text with every ``{paper:…}``, ``{run:…}``, ``{question:…}`` and ``{why:…}`` replaced.

    What a question says is said in that language.
    """

    def replace(found: re.Match) -> str:
        source, key, spec = found.groups()
        try:
            return SOURCES[source](key, spec)
        except (KeyError, ValueError, TypeError, MinirlhfError) as error:
            raise BuildError(f"{where}: {found[0]} can't be filled: {error}") from None

    with languages.speaking(language):
        return PLACEHOLDER.sub(replace, text)


def _paper(key: str, spec: str | None) -> str:
    return format(paper.value(key), spec) if spec else str(paper.cite(key))


def _run(key: str, spec: str | None) -> str:
    found: Any = run()
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise KeyError(f"course/run.json has no {key!r}")
        found = found[part]
    if isinstance(found, Mapping):  # an estimate with its interval
        found = found["mean"]
    return format(found, spec or ("" if isinstance(found, (str, int)) else ".3g"))


def _question(key: str, _: str | None) -> str:
    from minirlhf.grading import question

    return question(key).facts()


def _why(key: str, _: str | None) -> str:
    from minirlhf.grading import question

    return question(key).why()


SOURCES = {"paper": _paper, "run": _run, "question": _question, "why": _why}


@cache
def run() -> dict:
    """The shipped run's figures: nested tables of numbers, or of ``mean, low, high``."""
    return read_json(RUN)


def check_digits(text: str, where: str) -> None:
    """Refuse a digit that is neither filled in from data nor the number of something."""
    bare = _FREE.sub(" ", _NO_PROSE.sub(" ", PLACEHOLDER.sub(" ", text)))
    if found := re.search(r".{0,30}\d\S*.{0,20}", bare):
        raise BuildError(
            f"{where}: a number is typed into the text, near {' '.join(found[0].split())!r}. "
            "Take it from {paper:…} or {run:…}, or write it as a word."
        )


_WIDE = r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]"


def join_chinese(text: str) -> str:
    """Chinese without the spaces that a line break of the master would become."""
    return re.sub(rf"(?<={_WIDE})\n(?={_WIDE})", "", text)
