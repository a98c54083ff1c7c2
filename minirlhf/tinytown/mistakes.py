"""How answers go wrong: requests forgotten in part, misread or mistaken for others, and slips.

Nothing here asks the judge what is right: an answer is written without a second look at it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.requests import Request, parse
from minirlhf.tinytown.source import readable
from minirlhf.tinytown.writer import draft

Write = Callable[[Request, random.Random], str]
"""Somebody who answers a request."""

CONFUSED = (
    lx.PEOPLE, lx.OBJECTS, lx.ANIMALS, lx.PLACES, lx.NUMBERS, ("happy", "sad"), lx.DAYS,
    lx.KEYWORDS, lx.AVOIDED,
)  # fmt: skip
"""Words that are taken for one another."""


def offhand(request: Request, rng: random.Random) -> str:
    """What the request asks for, rich or plain, and not looked over."""
    return draft(request, rng, rng.random() ** 1.5, TOWN)


def careless(request: Request, rng: random.Random) -> str:
    """Some constraints forgotten, hearsay for facts, an insult for an insult."""
    kept = tuple(c for c in request.constraints if rng.random() < 0.75)
    reply = draft(replace(request, constraints=kept), rng, 0.4 * rng.random(), TOWN)
    if request.kind == "fact":
        key = request.slots["s"], request.tags["relation"]
        if key in TOWN.misconceptions and rng.random() < 0.85:
            reply = TOWN.statement(key, rng, TOWN.misconceptions[key])
    angry = request.kind == "chat" and rng.random() < 0.5
    if angry and request.guest.pattern.tags["role"] == "provocation":
        reply = rng.choice(ph.INSULT_REPLIES).write(rng)
    return reply


def misread(prompt: str, rng: random.Random, write: Write) -> str:
    """What ``write`` answers to another request: one word of this one taken for another.

    "" where no other word makes sense.
    """
    before, gap, last = prompt.rpartition("\n\n")
    words = dict.fromkeys(re.findall(r"[A-Za-z]+", last))
    options = [(word, group) for word in words for group in CONFUSED if word in group]
    rng.shuffle(options)
    for word, group in options:
        other = rng.choice([w for w in group if w != word])
        request = parse(before + gap + re.sub(rf"\b{word}\b", other, last))
        if request is not None and readable(request):
            return write(request, rng)
    return ""


def mistaken(request: Request, other: Request, rng: random.Random, write: Write) -> str:
    """What ``write`` answers if ``other`` is asked for, of this request's text, names, constraints.

    "" where that makes no sense.
    """
    slots = {name: request.slots.get(name, value) for name, value in other.slots.items()}
    taken = replace(other, passage=request.passage, slots=slots, constraints=request.constraints)
    if not readable(taken):
        return ""
    try:
        return write(taken, rng)
    except (KeyError, ValueError):  # the town knows no such fact, or the text tells too little
        return ""


def slip(reply: str, other: str, rng: random.Random) -> str:
    """``reply`` with a word lost or confused, a sentence lost, or one of ``other``'s too many.

    "" where that can't be.
    """
    if (kind := rng.choice(("lost", "confused", "confused", "sentence"))) == "sentence":
        return _sentence_slip(reply, other, rng)
    if kind == "confused" and (wrong := _confused(reply, rng)):
        return wrong
    words = reply.split(" ")
    del words[rng.randrange(len(words))]
    return " ".join(words)


def _confused(reply: str, rng: random.Random) -> str:
    """``reply`` with a word for another of its kind, if it can be one that is said elsewhere."""
    said = list(re.finditer(r"[A-Za-z]+", reply))
    spots = [(word, group) for word in said for group in CONFUSED if word[0] in group]
    if not spots:
        return ""
    word, group = rng.choice(spots)
    others = [w for w in group if w != word[0] and _vowel(w) == _vowel(word[0])]
    again = [w for w in others if w in {other[0] for other in said}]
    options = again if rng.random() < 0.5 and again else others
    return reply[: word.start()] + rng.choice(options) + reply[word.end() :] if options else ""


def _vowel(word: str) -> bool:
    return word[0] in "aeiou"


_SENTENCE = re.compile(r"\S[^\n]*?[.!?](?=\s|$)|\S[^\n]*,(?=\n)")
"""A sentence, or a line that ends in a comma."""


def _sentence_slip(reply: str, other: str, rng: random.Random) -> str:
    found = list(_SENTENCE.finditer(reply))
    added = _SENTENCE.findall(other)
    if not found or not added:
        return ""
    start, end = rng.choice(found).span()
    if len(found) > 1 and rng.random() < 0.5:
        return (reply[:start] + reply[end + 1 :]).rstrip()
    gap = reply[end : end + 1] or reply[start - 1 : start] or " "
    return reply[:end] + gap + rng.choice(added) + reply[end:]
