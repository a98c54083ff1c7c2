"""Forms: how far a reply is the thing that was asked for, from 0 to 1, for each kind of request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import PRONOUNS, Pattern, pronouns
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import Request, first_reading
from minirlhf.tinytown.source import asked_event, day_after, events, names, swapped, things

Form = Callable[[Text, Request], float]


def share(met: Sequence[bool]) -> float:
    """The part of the conditions that are met; 1 where there are none."""
    return sum(met) / len(met) if met else 1.0


# --- texts of several sentences ---------------------------------------------------------------


def _story(text: Text, request: Request) -> float:
    roles = text.roles("story")
    if not roles:
        return 0.0
    met = [roles[0] == "opening"] + [role == "middle" for role in roles[1:-1]]
    if len(roles) > 1 or request.constraint("sentences") != 1:
        met.append(len(roles) > 1 and roles[-1] == "ending")
    return share(met)


def _letter(text: Text, request: Request) -> float:
    roles = text.roles("letter")
    if len(roles) < 2:
        return 0.0
    first, last, friend = text.readings[0], text.readings[-1], request.slots["friend"]
    greeted = roles[0] == "greeting" and first.slots["friend"] == friend
    signed = roles[-1] == "closing" and last.slots["hero"] == request.slots.get(
        "hero", last.slots["hero"]
    )
    other = signed and last.slots["hero"] != friend
    return share([greeted, other, len(roles) > 2] + [role == "body" for role in roles[1:-1]])


def _poem(text: Text, request: Request) -> float:
    """Couplets that rhyme, each of them on the thing asked for."""
    roles = text.roles("poem")
    met = []
    for line in range(0, len(roles), 2):
        couplet = text.readings[line : line + 2]
        rhymes = {reading.pattern.tags.get("rhyme") if reading else None for reading in couplet}
        verse = roles[line : line + 2] == ["first", "second"] and len(rhymes) == 1
        met.append(verse and couplet[0].slots["thing"] == request.slots["thing"])
    return share(met) if met else 0.0


def _notice(text: Text, request: Request) -> float:
    roles = text.roles("notice")
    if not roles:
        return 0.0
    place = request.slots["place"]
    opened = roles[0] == "opening" and text.readings[0].slots["place"] == place
    return share([opened] + [role in ("body", "ending") for role in roles[1:]])


def _foreign(text: Text) -> list[bool]:
    """A False for each sentence that says no fact: an answer holds nothing else."""
    return [False for r in text.read if r.pattern.tags["kind"] not in ("fact", "sells")]


def _fact(text: Text, request: Request) -> float:
    if not text.claims:
        return 0.0
    subject, (first, *others) = request.slots["s"], text.claims
    answered = first.subject == subject and first.relation == request.tags["relation"]
    return share([answered] + [claim.subject == subject for claim in others] + _foreign(text))


def _about(text: Text, request: Request) -> float:
    if not text.claims:
        return 0.0
    told = [claim.subject == request.slots["s"] for claim in text.claims]
    return share([*told, len(told) > 1, *_foreign(text)])


def _chat(text: Text, request: Request) -> float:
    if not text.readings or text.readings[0] is None:
        return 0.0
    first, said = text.readings[0], request.guest.slots
    answers = first.pattern.tags.get("answers") == request.guest.pattern.tags["role"]
    matters = ("guest", "time", "object", "sad")
    heard = [said.get(name) == value for name, value in first.slots.items() if name in matters]
    return share([answers, *heard] + [role == "offer" for role in text.roles("chat")[1:]])


# --- lists ------------------------------------------------------------------------------------


def items(text: Text, patterns: tuple[Pattern, ...]) -> tuple[str, ...] | None:
    """What a reply of one sentence lists, or None if it is no such sentence."""
    if len(text.readings) == 1 and text.readings[0] and text.readings[0].pattern in patterns:
        return text.readings[0].slots["items"]
    return None


def _list(patterns: tuple[Pattern, ...], about: str) -> Form:
    """As many things as were asked for, all different, for the right person or place."""

    def form(text: Text, request: Request) -> float:
        listed = items(text, patterns)
        if listed is None:
            return 0.0
        slots, whom = text.readings[0].slots, request.slots[about]
        fits = slots.get(about, whom) == whom
        said = [value for name, value in slots.items() if name in PRONOUNS]
        wanted = lx.NUMBERS.index(request.slots["several"]) + 1
        number = max(0.0, 1.0 - abs(len(listed) - wanted) / wanted)
        different = len(set(listed)) == len(listed)
        return ((fits and set(said) <= pronouns(whom)) + number + different) / 3

    return form


def _extract(patterns: tuple[Pattern, ...], find: Callable[[str], list[str]]) -> Form:
    """Everything that is in the source text, and nothing that isn't."""

    def form(text: Text, request: Request) -> float:
        listed, wanted = items(text, patterns), find(request.passage)
        if listed is None:
            return 0.0
        return len(set(listed) & set(wanted)) / max(len(listed), len(wanted))

    return form


# --- tasks with one right answer --------------------------------------------------------------


def _only(text: Text, kind: str) -> bool:
    """Whether the reply is one sentence of ``kind``."""
    return len(text.readings) == 1 and text.roles(kind) == [kind]


def _echo(wanted: Callable[[Request], str]) -> Form:
    """The right text, word for word."""

    def form(text: Text, request: Request) -> float:
        right, said = wanted(request).split(), text.raw.split()
        same = sum(a == b for a, b in zip(right, said, strict=False))
        return same / max(len(right), len(said), 1)

    return form


def _polite(text: Text, request: Request) -> float:
    if len(text.readings) != 1 or (said := text.readings[0]) is None:
        return 0.0
    order = first_reading(ph.ORDER_PATTERNS, request.passage)
    polite = said.pattern in ph.POLITE_PATTERNS
    same = polite and said.pattern.tags["number"] == order.pattern.tags["number"]
    kept = same and said.slots == order.slots and set(said.adjectives) <= set(order.adjectives)
    return share([polite, same, kept])


def _summary(text: Text, request: Request) -> float:
    if not _only(text, "summary"):
        return 0.0
    said, told = text.readings[0], events(request.passage)
    tags = said.pattern.tags
    facts = {(event.pattern.tags["verb"], event.slots["what"]) for event in told}
    return share([
        said.slots["who"] in {event.slots["who"] for event in told},
        (tags["verb"], said.slots["what"]) in facts,
        (tags["verb2"], said.slots["what2"]) in facts,
    ])  # fmt: skip


def _class(text: Text, request: Request) -> float:
    if text.roles("class") != ["verdict"]:
        return 0.0
    review, said = first_reading(ph.REVIEWS, request.passage), text.readings[0].slots
    right = said["verdict"] == review.pattern.tags["verdict"]
    reasons = [v in review.slots.values() for name, v in said.items() if name != "verdict"]
    return share([right, right, *reasons])


def _count(text: Text, request: Request) -> float:
    if not _only(text, "count"):
        return 0.0
    number = lx.NUMBERS.index(text.readings[0].slots.get("several", "one")) + 1
    return share([True, number == len(names(request.passage))])


def _calendar(text: Text, request: Request) -> float:
    if not _only(text, "calendar"):
        return 0.0
    said, day = text.readings[0].slots, request.slots["day"]
    return share([said["day"] == day, said["answer"] == day_after(day)])


def _closed(text: Text, request: Request) -> float:
    if not _only(text, "event"):
        return 0.0
    event, said = asked_event(request), text.readings[0]
    same = [event.slots.get(name) == value for name, value in said.slots.items()]
    return share([said.pattern.tags["verb"] == event.pattern.tags["verb"], *same])


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
