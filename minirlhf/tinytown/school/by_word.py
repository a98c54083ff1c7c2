"""Questions about words: was it asked for, does it fit where it stands, what is there so far.

They are asked at every token, since a question about a whole text is a way of several steps: which
word was asked for, is this that word, has there been such a word. Each step is a lesson.
Answers are int8: 1 yes, 0 no, `UNASKED` where the question makes no sense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from minirlhf.tinytown import facts
from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.grammar import CLASSES, PRONOUNS, Reading, pronouns
from minirlhf.tinytown.knowledge import RELATIONS, TOWN, Fact
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import CLOSED_DOMAIN, Request
from minirlhf.tinytown.school.breaks import where_it_breaks
from minirlhf.tinytown.school.spelled import Spelled
from minirlhf.tinytown.source import asked_event, day_after, swapped

UNASKED = -1
TOPICS = ("animal", "friend", "hero", "object", "place", "thing")
"""The slots that name whom and what a text should be about."""
ROLES = (
    "the topic", "to be used", "the second to be used", "to be avoided", "the number", "the mood",
    "the sender", "the new name", "the old name", *(f"the {name} of the topic" for name in TOPICS),
)  # fmt: skip
"""What a word of a request can be there for."""
ECHO = (
    *(f"is {role}" for role in ROLES),
    "was said by the guest", "is in the source", "is of the event asked for", "is the day after",
    "is as the source has it", "has been said before", "is listed already",
    "is in this sentence already", "says what was asked",
)  # fmt: skip
"""What a word of a reply can take up."""
FAULTS = (
    "breaks the sentence", "pronoun doesn't fit", "isn't introduced", "is not true",
    "isn't sold there", "is behind closed doors", "isn't the hero's trade", "isn't in the source",
)  # fmt: skip
SO_FAR = (
    "a word to be used", "both words to be used", "the word to be avoided", "one topic",
    "two topics", "every topic", "other words than the source",
    *(f"{n} sentences" for n in range(1, 7)), *(f"{n} items" for n in range(1, 6)),
    *(f"a word that {fault}" for fault in FAULTS),
    "a word said again", "something listed twice", "something that meets itself",
    "what was asked",
)  # fmt: skip
"""What there is in a reply up to a word."""
STILL = (
    "a word to be used",
    "the second to be used",
    *(f"the {name} of the topic" for name in TOPICS),
)
"""What was asked for and hasn't come yet."""
VALUES = tuple(
    sorted({value for relation in RELATIONS.values() for value in CLASSES[relation.value]})
)
"""What facts can be: each is one answer to "what will be said here if it is true?"."""


def roles_of(request: Request) -> dict[str, set[str]]:
    """The words of a request that matter, by what they are there for."""
    slots = request.slots
    named = {"the new name": "new", "the old name": "old"}
    if request.kind == "letter":
        named["the sender"] = "hero"
    if request.kind in ("story", "letter", "poem", "notice"):
        named |= {f"the {name} of the topic": name for name in TOPICS}
    found = {role: {slots[name]} for role, name in named.items() if name in slots}
    include = request.constraint("include")
    both = request.constraint("both") or ()
    number = request.constraint("sentences") or request.constraint("lines")
    found["to be used"] = {*both, *([include] if include else [])}
    found["the second to be used"] = set(both[1:])
    found["to be avoided"] = {request.constraint("avoid")} - {None}
    found["the mood"] = {request.constraint("mood")} - {None}
    found["the number"] = {lx.NUMBERS[number - 1]} if number else set()
    if "several" in slots:
        found["the number"].add(slots["several"])
    found["the topic"] = {value for name, value in slots.items() if name != "several"}
    return {role: {word.lower() for word in words} for role, words in found.items()}


def in_request(request: Request, words: list[str]) -> np.ndarray:
    """Answers about the words of a request: int8 ``[T, ROLES]``."""
    found = roles_of(request)
    return np.array([[w in found.get(role, ()) for role in ROLES] for w in words], dtype=np.int8)


def in_reply(request: Request, reply: Spelled) -> np.ndarray:
    """Answers at each token of a reply: int8 ``[T, ECHO + FAULTS + SO_FAR + STILL]``."""
    echo, faults = _echo(request, reply), _faults(request, reply)
    so_far = _so_far(request, reply, echo, faults)
    return np.concatenate([echo, faults, so_far, _still(request, reply)], axis=1)


def _echo(request: Request, reply: Spelled) -> np.ndarray:
    found = roles_of(request)
    said = request.guest.slots.values() if request.guest else ()
    found["guest"] = {str(value).lower() for value in said}
    source = set(Text(request.passage, "event").words) if request.kind in CLOSED_DOMAIN else set()
    event = asked_event(request) if request.kind == "closed" else None
    found["source"] = source
    found["event"] = {str(v).lower() for v in event.slots.values()} if event else set()
    day = request.slots.get("day") if request.kind == "calendar" else None
    found["day"] = {day_after(day).lower()} if day else set()
    wanted, answered = _wanted(request), _answered(request, reply)
    seen: set[str] = set()
    listed: set[str] = set()
    said_here: set[str] = set()
    ends = {0, *(end + 1 for end in reply.ends)}
    rows, at = [], 0
    for place, word in enumerate(reply.words):
        said_here = set() if place in ends else said_here
        row = [word in found.get(role, ()) for role in ROLES]
        row += [word in found[name] for name in ("guest", "source", "event", "day")]
        row.append(wanted[at : at + 1] == [word] if wanted and word else UNASKED)
        row += [word in seen, word in listed, word in said_here, place in answered]
        at += bool(word)
        if len(word) > 3:
            seen.add(word)
        if word in _ITEMS:
            listed.add(word)
        if word in _NAMED:
            said_here.add(word)
        rows.append(row)
    return np.array(rows, dtype=np.int8).reshape(-1, len(ECHO))


def _answered(request: Request, reply: Spelled) -> set[int]:
    """The tokens that tell the fact that a question asks for."""
    if request.kind != "fact":
        return set()
    key = request.slots["s"], request.tags["relation"]
    return {token for token, claim in _claimed(reply) if claim.key == key}


def _claimed(reply: Spelled) -> Iterator[tuple[int, Fact]]:
    """Where a fact's value ends, and the fact that is claimed."""
    subject = None
    for (start, stop), reading in zip(reply.sentence_spans, reply.text.readings, strict=True):
        claims = TOWN.claims(reading, subject) if reading else []
        if claims:
            subject = claims[-1].subject
            spans = reading.pattern.spans(reply.raw[start:stop])
            for name, claim in zip("vw", claims, strict=False):
                yield reply.token_at(start + spans[name][1]), claim


def _wanted(request: Request) -> list[str]:
    """The words of the one right reply, for a request that has one."""
    if request.kind not in ("swap", "repeat"):
        return []
    right = swapped(request) if request.kind == "swap" else request.passage
    return [word for word in split(right) if word]


def split(text: str) -> list[str]:
    """Words and marks as the tokens have them."""
    return [piece.lower() for piece in re.findall(r"\w+|[^\w\s]", text)]


def _faults(request: Request, reply: Spelled) -> np.ndarray:
    out = np.full((len(reply.words), len(FAULTS)), UNASKED, dtype=np.int8)
    out[:, 0] = 0
    readings, present = reply.text.readings, set(request.slots.values())
    if request.kind in CLOSED_DOMAIN:
        added = facts.invented(reply.text, request)
        out[:, -1] = [word in added for word in reply.words]
    heroes = [r.slots[n] for n in ("hero", "s") for r in reply.text.read if n in r.slots]
    hero, subject, story = (heroes[0] if heroes else None), None, reply.text.kind == "story"
    for (start, stop), reading in zip(reply.sentence_spans, readings, strict=True):
        sentence = reply.raw[start:stop]
        if reading is None:
            if (broken := where_it_breaks(sentence)) is not None:
                out[reply.token_at(start + broken), 0] = 1
            continue
        claims = TOWN.claims(reading, subject)
        subject = claims[-1].subject if claims else subject
        spans = reading.pattern.spans(sentence)
        spans = {name: reply.token_at(start + end) for name, (_, end) in spans.items()}
        for name, (determiner, kind) in reading.pattern.slots.items():
            value, token = reading.slots[name], spans[name]
            if kind in PRONOUNS and reply.text.kind != "list":
                out[token, 1] = hero is None or value not in pronouns(hero)
            elif story and name in ("object", "animal") and determiner in ("the", "The"):
                out[token, 2] = value not in present
            present.add(value)
        _false(request, reading, claims, spans, out)
        if request.kind == "buy":
            stock = TOWN.stock[request.slots["place"]]
            for token in range(reply.token_at(start), reply.token_at(stop)):
                if reply.words[token] in lx.GOODS:
                    out[token, 4] = reply.words[token] not in stock
    return out


def _false(
    request: Request, reading: Reading, claims: list, spans: dict[str, int], out: np.ndarray
) -> None:
    slots = reading.slots
    if claims and "v" in spans:
        out[spans["v"], 3] = not TOWN.holds(claims[0])
    if len(claims) > 1 and "w" in spans:
        out[spans["w"], 3] = not TOWN.holds(claims[1])
    if {"place", "day"} <= slots.keys():
        out[spans["day"], 5] = TOWN.true(slots["place"], "closed", slots["day"])
    if {"hero", "job"} <= slots.keys():
        out[spans["job"], 6] = not TOWN.true(slots["hero"], "job", slots["job"])


def _so_far(request: Request, reply: Spelled, echo: np.ndarray, faults: np.ndarray) -> np.ndarray:
    count, found = len(reply.words), roles_of(request)
    used, avoided = _number(found["to be used"], reply), _number(found["to be avoided"], reply)
    topics = found["the topic"]
    covered = _number(topics, reply)
    other = _ever(echo[:, ECHO.index("is as the source has it")] == 0)
    ended = np.zeros(count)
    ended[[end for end in reply.ends if end < count]] = 1
    sentences = np.cumsum(ended)
    listed = np.cumsum([word in _ITEMS for word in reply.words])
    columns = [
        used >= 1, used >= 2, avoided >= 1, covered >= 1, covered >= 2,
        covered >= max(len(topics), 1), other,
        *(sentences >= n for n in range(1, 7)), *(listed >= n for n in range(1, 6)),
        *(_ever(column == 1) for column in np.concatenate([faults, echo[:, -4:]], axis=1).T),
    ]  # fmt: skip
    return np.stack([np.asarray(column, dtype=np.int8) for column in columns], axis=1)


def _still(request: Request, reply: Spelled) -> np.ndarray:
    found = roles_of(request)
    columns = [_number(words := found["to be used"], reply) < len(words)]
    for role in STILL[1:]:
        columns.append(_number(words := found.get(role, set()), reply) < len(words))
    return np.stack(columns, axis=1).astype(np.int8)


def _number(words: set[str], reply: Spelled) -> np.ndarray:
    """How many of these words there have been, up to each."""
    came = (_ever([said == word for said in reply.words]) for word in words)
    return sum(came, np.zeros(len(reply.words)))


def true_values(reply: Spelled) -> np.ndarray:
    """At each token before a fact is told: which of `VALUES` is true; int16 ``[T]``."""
    out = np.full(len(reply.words), UNASKED, dtype=np.int16)
    subject = None
    for (start, stop), reading in zip(reply.sentence_spans, reply.text.readings, strict=True):
        if reading is None:
            continue
        claims = TOWN.claims(reading, subject)
        subject = claims[-1].subject if claims else subject
        slots, keys = reading.slots, {}
        if claims and claims[0].key in TOWN.facts:
            keys["v"] = claims[0].key
        if {"place", "day"} <= slots.keys():
            keys["day"] = slots["place"], "closed"
        if {"hero", "job"} <= slots.keys():
            keys["job"] = slots["hero"], "job"
        spans = reading.pattern.spans(reply.raw[start:stop])
        for name, key in keys.items():
            before = reply.token_of(start + spans[name][0]) - 1
            if before >= 0 and key in TOWN.facts:
                out[before] = VALUES.index(TOWN.facts[key])
    return out


_ITEMS = frozenset(word.lower() for word in lx.OBJECTS + lx.GOODS + lx.PEOPLE)
_NAMED = _ITEMS | {word.lower() for word in lx.ANIMALS + lx.PLACES}


def _ever(flags) -> np.ndarray:
    """Whether there has been one."""
    return np.maximum.accumulate(np.asarray(flags, dtype=np.int8)) if len(flags) else np.zeros(0)
