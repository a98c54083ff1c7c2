"""Forms: what makes a reply the thing that was asked for, condition by condition.

Each kind of request has its own conditions. Nothing here weighs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import PRONOUNS, Pattern, pronouns
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import Request, first_reading
from minirlhf.tinytown.source import asked_event, day_after, events, names, swapped, things


class Condition(NamedTuple):
    """One thing that is asked of a text, and how far it is met: 0 or 1, or a share."""

    name: str
    met: float


Conditions = list[Condition]
Form = Callable[[Text, Request], Conditions]


def each(name: str, met: Iterable[float]) -> Conditions:
    """One condition, asked of several things."""
    return [Condition(name, value) for value in met]


# --- texts of several sentences ---------------------------------------------------------------


def _story(text: Text, request: Request) -> Conditions:
    roles = text.roles("story")
    met = each("opens as a story", [roles[:1] == ["opening"]])
    met += each("goes on as a story", [role == "middle" for role in roles[1:-1]])
    if len(roles) > 1 or (roles and request.constraint("sentences") != 1):
        met += each("ends as a story", [len(roles) > 1 and roles[-1] == "ending"])
    return met


def _letter(text: Text, request: Request) -> Conditions:
    roles = text.roles("letter")
    if len(roles) < 2:
        return each("is a letter", [False])
    first, last, friend = text.readings[0], text.readings[-1], request.slots["friend"]
    greeted = roles[0] == "greeting" and first.slots["friend"] == friend
    signed = roles[-1] == "closing" and last.slots["hero"] == request.slots.get(
        "hero", last.slots["hero"]
    )
    return [
        Condition("greets the friend", greeted),
        Condition("is signed by the sender", signed and last.slots["hero"] != friend),
        Condition("says something", len(roles) > 2),
        *each("goes on as a letter", [role == "body" for role in roles[1:-1]]),
    ]


def _poem(text: Text, request: Request) -> Conditions:
    """Couplets that rhyme, each of them on the thing asked for."""
    roles = text.roles("poem")
    met = []
    for line in range(0, len(roles), 2):
        couplet = text.readings[line : line + 2]
        rhymes = {reading.pattern.tags.get("rhyme") if reading else None for reading in couplet}
        verse = roles[line : line + 2] == ["first", "second"] and len(rhymes) == 1
        met.append(verse and couplet[0].slots["thing"] == request.slots["thing"])
    return each("is a rhyming couplet on the thing", met or [False])


def _notice(text: Text, request: Request) -> Conditions:
    roles = text.roles("notice")
    opened = roles[:1] == ["opening"] and text.readings[0].slots["place"] == request.slots["place"]
    others = [role in ("body", "ending") for role in roles[1:]]
    return each("invites to the place", [opened]) + each("goes on as a notice", others)


def _foreign(text: Text) -> Conditions:
    """A False for each sentence that says no fact: an answer holds nothing else."""
    said = [False for r in text.read if r.pattern.tags["kind"] not in ("fact", "sells")]
    return each("says nothing but facts", said)


def _fact(text: Text, request: Request) -> Conditions:
    if not text.claims:
        return each("answers the question", [False])
    subject, (first, *others) = request.slots["s"], text.claims
    answered = first.subject == subject and first.relation == request.tags["relation"]
    kept = each("keeps to the subject", [claim.subject == subject for claim in others])
    return each("answers the question", [answered]) + kept + _foreign(text)


def _about(text: Text, request: Request) -> Conditions:
    if not text.claims:
        return each("keeps to the subject", [False])
    told = [claim.subject == request.slots["s"] for claim in text.claims]
    several = each("tells several facts", [len(told) > 1])
    return each("keeps to the subject", told) + several + _foreign(text)


def _chat(text: Text, request: Request) -> Conditions:
    if not text.readings or text.readings[0] is None:
        return each("answers the guest", [False])
    first, said = text.readings[0], request.guest.slots
    answers = first.pattern.tags.get("answers") == request.guest.pattern.tags["role"]
    matters = ("guest", "time", "object", "sad")
    heard = [said.get(name) == value for name, value in first.slots.items() if name in matters]
    offers = [role == "offer" for role in text.roles("chat")[1:]]
    return [
        Condition("answers the guest", answers),
        *each("has heard what the guest said", heard),
        *each("goes on with offers", offers),
    ]


# --- lists ------------------------------------------------------------------------------------


def items(text: Text, patterns: tuple[Pattern, ...]) -> tuple[str, ...] | None:
    """What a reply of one sentence lists, or None if it is no such sentence."""
    if len(text.readings) == 1 and text.readings[0] and text.readings[0].pattern in patterns:
        return text.readings[0].slots["items"]
    return None


def _list(patterns: tuple[Pattern, ...], about: str) -> Form:
    """As many things as were asked for, all different, for the right person or place."""

    def form(text: Text, request: Request) -> Conditions:
        listed = items(text, patterns)
        if listed is None:
            return each("is a list", [False])
        slots, whom = text.readings[0].slots, request.slots[about]
        fits = slots.get(about, whom) == whom
        said = [value for name, value in slots.items() if name in PRONOUNS]
        wanted = lx.NUMBERS.index(request.slots["several"]) + 1
        number = max(0.0, 1.0 - abs(len(listed) - wanted) / wanted)
        return [
            Condition("is for the one asked for", fits and set(said) <= pronouns(whom)),
            Condition("lists as many as asked", number),
            Condition("lists nothing twice", len(set(listed)) == len(listed)),
        ]

    return form


def _extract(patterns: tuple[Pattern, ...], find: Callable[[str], list[str]]) -> Form:
    """Everything that is in the source text, and nothing that isn't."""

    def form(text: Text, request: Request) -> Conditions:
        listed, wanted = items(text, patterns), find(request.passage)
        if listed is None:
            return each("is a list", [False])
        same = len(set(listed) & set(wanted)) / max(len(listed), len(wanted))
        return each("lists what is in the text", [same])

    return form


# --- tasks with one right answer --------------------------------------------------------------


def _only(text: Text, kind: str) -> bool:
    """Whether the reply is one sentence of ``kind``."""
    return len(text.readings) == 1 and text.roles(kind) == [kind]


def _echo(wanted: Callable[[Request], str]) -> Form:
    """The right text, word for word."""

    def form(text: Text, request: Request) -> Conditions:
        right, said = wanted(request).split(), text.raw.split()
        same = sum(a == b for a, b in zip(right, said, strict=False))
        return each("has the same words", [same / max(len(right), len(said), 1)])

    return form


def _polite(text: Text, request: Request) -> Conditions:
    if len(text.readings) != 1 or (said := text.readings[0]) is None:
        return each("is polite", [False])
    order = first_reading(ph.ORDER_PATTERNS, request.passage)
    polite = said.pattern in ph.POLITE_PATTERNS
    same = polite and said.pattern.tags["number"] == order.pattern.tags["number"]
    kept = same and said.slots == order.slots and set(said.adjectives) <= set(order.adjectives)
    return [
        Condition("is polite", polite),
        Condition("asks for the same", same),
        Condition("keeps who and what", kept),
    ]


def _summary(text: Text, request: Request) -> Conditions:
    if not _only(text, "summary"):
        return each("is a summary", [False])
    said, told = text.readings[0], events(request.passage)
    tags = said.pattern.tags
    facts = {(event.pattern.tags["verb"], event.slots["what"]) for event in told}
    return [
        Condition("names who it was", said.slots["who"] in {e.slots["who"] for e in told}),
        Condition("tells what happened", (tags["verb"], said.slots["what"]) in facts),
        Condition("tells what happened", (tags["verb2"], said.slots["what2"]) in facts),
    ]


def _class(text: Text, request: Request) -> Conditions:
    if text.roles("class") != ["verdict"]:
        return each("gives the right verdict", [False])
    review, said = first_reading(ph.REVIEWS, request.passage), text.readings[0].slots
    right = said["verdict"] == review.pattern.tags["verdict"]
    reasons = [v in review.slots.values() for name, v in said.items() if name != "verdict"]
    return each("gives the right verdict", [right, right]) + each("gives its reasons", reasons)


def _count(text: Text, request: Request) -> Conditions:
    if not _only(text, "count"):
        return each("gives a number", [False])
    number = lx.NUMBERS.index(text.readings[0].slots.get("several", "one")) + 1
    right = number == len(names(request.passage))
    return [Condition("gives a number", True), Condition("gives the right number", right)]


def _calendar(text: Text, request: Request) -> Conditions:
    if not _only(text, "calendar"):
        return each("names the day asked about", [False])
    said, day = text.readings[0].slots, request.slots["day"]
    return [
        Condition("names the day asked about", said["day"] == day),
        Condition("names the day after", said["answer"] == day_after(day)),
    ]


def _closed(text: Text, request: Request) -> Conditions:
    if not _only(text, "event"):
        return each("tells the event asked for", [False])
    event, said = asked_event(request), text.readings[0]
    same = [event.slots.get(name) == value for name, value in said.slots.items()]
    told = said.pattern.tags["verb"] == event.pattern.tags["verb"]
    return each("tells the event asked for", [told]) + each("tells it as it was", same)


FORMS: dict[str, Form] = {
    "story": _story,
    "letter": _letter,
    "poem": _poem,
    "notice": _notice,
    "fact": _fact,
    "about": _about,
    "buy": _list(ph.BUY_ANSWERS, "place"),
    "gift": _list(ph.GIFT_ANSWERS, "hero"),
    "pack": _list(ph.PACK_ANSWERS, "place"),
    "chat": _chat,
    "swap": _echo(swapped),
    "polite": _polite,
    "summary": _summary,
    "class": _class,
    "count": _count,
    "calendar": _calendar,
    "repeat": _echo(lambda request: request.passage),
    "closed": _closed,
    "people": _extract(ph.NAME_ANSWERS, names),
    "objects": _extract(ph.THING_ANSWERS, things),
}
