"""What can be known from a request alone: its source text, its calendar, its one right answer."""

from __future__ import annotations

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.grammar import Reading
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import Request


def swapped(request: Request) -> str:
    return request.passage.replace(request.slots["old"], request.slots["new"])


def events(passage: str) -> list[Reading]:
    """The events that a source text reports, in order."""
    return Text(passage, "event").read


def names(passage: str) -> list[str]:
    return list(dict.fromkeys(e.slots["who"] for e in events(passage)))


def things(passage: str) -> list[str]:
    return [e.slots["what"] for e in events(passage) if e.slots["what"] in lx.OBJECTS]


def day_after(day: str) -> str:
    return lx.DAYS[(lx.DAYS.index(day) + 1) % 7]


def asked_event(request: Request) -> Reading | None:
    """The event of the source text that a closed question asks for."""
    slots, verb = request.slots, request.slots["_verb"]
    for event in events(request.passage):
        asked = {k: v for k, v in slots.items() if not k.startswith("_")}
        if event.pattern.tags["verb"] == verb and asked.items() <= event.slots.items():
            return event
    return None
