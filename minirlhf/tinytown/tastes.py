"""Qualities of a text that some like and others don't: how short, warm, plain, cautious, homely.

Each is read off the words alone, about the same way whoever looks, and lies between -1 and 1; 0 is
usual here. Nothing says which end of it is better.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from minirlhf.tinytown import lexicon as lx

WARM = frozenset(
    "dear friend friendly friends gentle gently glad gladly happily happy help kind love loved "
    "loves please share shared smiled thank thanks welcome".split()
)
ADORNED = frozenset(
    lx.OBJECT_ADJECTIVES + lx.ANIMAL_ADJECTIVES + lx.PERSON_ADJECTIVES + lx.FOOD_ADJECTIVES
    + lx.WARE_ADJECTIVES + lx.PLACE_ADJECTIVES + lx.ADVERBS
)  # fmt: skip
DEFINITE = frozenset(
    word.lower() for word in lx.PEOPLE + lx.DAYS + lx.NUMBERS + lx.HOURS + lx.COLORS + lx.MATERIALS
)
"""Names, days, numbers: where one can be wrong."""
HOMELY = frozenset(lx.FOODS + tuple("breakfast cake children dinner garden inn".split()))


def _words(reply: str) -> list[str]:
    return re.findall(r"[\w']+", reply.lower())


def _counted(kind: frozenset[str], usual: float, spread: float) -> Callable[[str], float]:
    """How many words of a kind there are, beside what is usual."""

    def quality(reply: str) -> float:
        count = sum(word in kind for word in _words(reply))
        return max(-1.0, min(1.0, (count - usual) / spread))

    return quality


def _short(reply: str) -> float:
    return max(-1.0, min(1.0, (18 - len(_words(reply))) / 12))


def _plain(reply: str) -> float:
    return -_adorned(reply)


def _cautious(reply: str) -> float:
    return -_definite(reply)


_adorned, _definite = _counted(ADORNED, 1.0, 2.0), _counted(DEFINITE, 1.2, 1.5)

QUALITIES: dict[str, Callable[[str], float]] = {
    "short": _short,
    "warm": _counted(WARM, 0.5, 1.0),
    "plain": _plain,
    "cautious": _cautious,
    "homely": _counted(HOMELY, 0.3, 1.0),
}
