"""Where in a reply a judge sees what it objects to, found by asking it again without a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

from minirlhf.widgets.words import say

Judge = Callable[[str, str], Any]
"""A prompt and a reply to a number, or to a verdict with ``overall``, ``passes``, ``criteria``."""
COUNTS = {"length", "constraint: sentences", "constraint: lines"}
"""Criteria that count sentences, so that no single one is to blame."""
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|(?=\n)|$)")


class Objections(NamedTuple):
    """A reply in pieces, each with the criteria that would be met further without it."""

    pieces: list[tuple[str, list[str]]]
    """Joined, they are the reply."""
    whole: list[str]
    """Unmet criteria that no single sentence is to blame for: what is missing, say."""


def missed(verdict: Any) -> dict[str, float]:
    """The criteria that a judge finds unmet, and how far each is met; none if it names none."""
    return {name: met for name, met in getattr(verdict, "criteria", {}).items() if met < 1.0}


def objections(judge: Judge, prompt: str, reply: str) -> Objections:
    """Take away one sentence at a time: it is to blame where the rest meets a criterion further.

    Where no single one is, two at a time (what is said three times).
    """
    unmet = missed(judge(prompt, reply))
    if not unmet:
        return Objections([(reply, [])], [])
    places = [match.span() for match in _SENTENCE.finditer(reply)]
    blamed: dict[int, set[str]] = {place: set() for place in range(len(places))}
    for size in (1, 2):
        found = set().union(*blamed.values())
        wanted = {name: met for name, met in unmet.items() if name not in found | COUNTS}
        for away in combinations(blamed, size) if wanted else ():
            rest = "".join(reply[slice(*gap)] for gap in _kept(places, away, len(reply)))
            then = getattr(judge(prompt, rest), "criteria", {})
            for place in away:
                blamed[place] |= {
                    name for name, met in wanted.items()
                    if then.get(name, 0.0) > met and (size == 1 or then[name] >= 1.0)
                }  # fmt: skip
    pieces, done = [], 0
    for place, (start, end) in enumerate(places):
        if blamed[place]:
            names = [name for name in unmet if name in blamed[place]]
            pieces += [(reply[done:start], []), (reply[start:end], names)]
            done = end
    pieces = [piece for piece in [*pieces, (reply[done:], [])] if piece[0]]
    return Objections(pieces, [n for n in unmet if n not in set().union(*blamed.values())])


def _kept(places: list[tuple[int, int]], away: tuple[int, ...], size: int) -> list[tuple[int, int]]:
    """Where the rest stands; the space behind a sentence goes with it."""
    starts = [*(start for start, _ in places[1:]), size]
    return [
        (start, after)
        for place, ((start, _), after) in enumerate(zip(places, starts, strict=True))
        if place not in away
    ]


def criterion(name: str) -> str:
    """A criterion of Tinytown's judge in the reader's language; any other as its judge calls it."""
    key = f"criteria.{name.removeprefix('constraint: ').replace(' ', '-')}"
    return say(key) if key in say else name
