"""What can be known from a request alone: its source text, its calendar, its one right answer."""

from __future__ import annotations

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import Reading
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import CLOSED_DOMAIN, Request, first_reading


def swapped(request: Request) -> str:
    """The source text with the new name in place of the old one."""
    return request.passage.replace(request.slots["old"], request.slots["new"])


def events(passage: str) -> list[Reading]:
    """The events that a source text reports, in order."""
    return [r for r in Text(passage, "event").read if r.pattern.tags["kind"] == "event"]


def names(passage: str) -> list[str]:
    """The people in a source text, each once."""
    return list(dict.fromkeys(e.slots["who"] for e in events(passage)))


def things(passage: str) -> list[str]:
    """The objects in a source text."""
    found = [event.slots["what"] for event in events(passage)]
    return list(dict.fromkeys(what for what in found if what in lx.OBJECTS))


def day_after(day: str) -> str:
    return lx.DAYS[(lx.DAYS.index(day) + 1) % 7]


def asked_event(request: Request) -> Reading | None:
    """The event of the source text that a closed question asks for."""
    for event in events(request.passage):
        same = event.pattern.tags["verb"] == request.tags["verb"]
        if same and request.slots.items() <= event.slots.items():
            return event
    return None


def readable(request: Request) -> bool:
    """Whether the source text is of a sort that the request can be answered from (and judged)."""
    if request.kind not in CLOSED_DOMAIN:
        return True
    if request.kind == "polite":
        return first_reading(ph.ORDER_PATTERNS, request.passage) is not None
    if request.kind == "class":
        return first_reading(ph.REVIEWS, request.passage) is not None
    readings = Text(request.passage, "event").readings
    told = all(r is not None and r.pattern.tags["kind"] == "event" for r in readings)
    return told and (request.kind != "closed" or asked_event(request) is not None)


def verdict_of(review: str) -> str:
    """Whether a review is ``good`` or ``bad``; empty for a text that is none."""
    reading = first_reading(ph.REVIEWS, review)
    return reading.pattern.tags["verdict"] if reading else ""
