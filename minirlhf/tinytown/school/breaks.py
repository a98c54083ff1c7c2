"""Where a sentence that says nothing stops making sense."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import regex

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.reading import EVERYTHING

_WORD = re.compile(r"\w+|[^\w\s]")


@cache
def _partial(expression: str) -> regex.Pattern:
    return regex.compile(expression)


@lru_cache(maxsize=100_000)
def where_it_breaks(sentence: str) -> int | None:
    """The end of the first word after which ``sentence`` is no beginning of any that could be said.

    None if it is the beginning of one.
    """
    wrong = [m.end() for m in re.finditer(r"\b([Aa]n?) (\w+)", sentence)
             if m[1].lower() != lx.article(m[2])]  # fmt: skip
    readers = [_partial(p.expression) for p in EVERYTHING.starting_with(sentence)]
    stops = [match.end() for match in _WORD.finditer(sentence)]
    if not stops or any(r.fullmatch(sentence, partial=True) for r in readers):
        return min(wrong, default=None)
    low, high = 0, len(stops)  # the first `low` words begin a sentence, the first `high` don't
    while high - low > 1:
        middle = (low + high) // 2
        said = sentence[: stops[middle - 1]]
        left = [r for r in readers if r.fullmatch(said, partial=True)]
        if left:
            low, readers = middle, left
        else:
            high = middle
    return min([stops[high - 1], *wrong])
