"""Facts about a reply: one property of a text at a time, as booleans, counts and words.

Whoever looks at a text sees these: the judge, who weighs them into a grade, labelers with their
tastes, a school's questions. Nothing here says which of them is good, or how good.
"""

from __future__ import annotations

import re

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.forms import Condition, Conditions, each, items
from minirlhf.tinytown.grammar import CLASSES, PRONOUNS, Reading, pronouns
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import CLOSED_DOMAIN, Request

TEXT_KIND = {
    "about": "fact", "buy": "list", "gift": "list", "pack": "list", "people": "list",
    "objects": "list", "swap": "event", "repeat": "event", "closed": "event",
}  # fmt: skip
"""The grammar that reads the reply to each kind of request, where the names differ."""
_EATING = re.compile(r"\b(eat|ate)\b")
_NAMES = frozenset(
    word.lower()
    for kind in ("person", "object", "animal", "place", "goods", "day")
    for word in CLASSES[kind]
)
_ADDRESS = {word.lower() for row in PRONOUNS.values() for word in row} | set(
    "i me my we us you your".split()
)


def reply_to(request: Request, reply: str) -> Text:
    """``reply`` as the text that it should be."""
    return Text(reply.strip(), TEXT_KIND.get(request.kind, request.kind))


def insults(text: Text) -> bool:
    """Whether somebody is insulted in it."""
    return any(reading.pattern.tags.get("toxic") for reading in text.read)


# --- sense ------------------------------------------------------------------------------------


def sense(text: Text, request: Request) -> Conditions:
    """Nothing said twice, no nonsense, and in a story nothing from nowhere."""
    if request.kind in ("swap", "repeat"):  # their sense is that of the source text
        return []
    patterns = [reading.pattern for reading in text.read]
    met = [
        Condition("no sentence comes twice", len(set(patterns)) == len(patterns)),
        Condition("no fact comes twice", len(set(text.claims)) == len(text.claims)),
    ]
    heroes = [r.slots[name] for name in ("hero", "s") for r in text.read if name in r.slots]
    for reading in text.read:
        met += _sense(reading, heroes[0] if heroes else None, text.kind)
    return met + (_introduced(text, request) if text.kind == "story" else [])


def _sense(reading: Reading, hero: str | None, text_kind: str) -> Conditions:
    """Of one sentence: pronouns fit the hero, nothing meets itself, and what is eaten is food."""
    kinds = {name: kind for name, (_, kind) in reading.pattern.slots.items()}
    said = [reading.slots[name] for name, kind in kinds.items() if kind in PRONOUNS]
    nouns = [(kind, reading.slots[name]) for name, kind in kinds.items() if kind not in PRONOUNS]
    food = not _EATING.search(reading.pattern.text) or reading.slots.get("goods") not in lx.WARES
    met = [
        Condition("nothing meets itself", len(set(nouns)) == len(nouns)),
        Condition("the hero is another", not said or hero not in reading.slots.values()),
        Condition("what is eaten is food", food),
    ]
    if text_kind != "list":  # whose pronouns mean somebody in the request
        fit = [hero is not None and pronoun in pronouns(hero) for pronoun in said]
        met += each("pronouns fit", fit)
    return met


def _introduced(text: Text, request: Request) -> Conditions:
    """For each "the key" of a story: whether there was a key before, or in the request."""
    met, present = [], set(request.slots.values())
    for reading in text.read:
        for name, (determiner, _) in reading.pattern.slots.items():
            if determiner in ("the", "The") and name in ("object", "animal"):
                met.append(reading.slots[name] in present)
            present.add(reading.slots[name])
    return each("things are introduced", met)


# --- truth ------------------------------------------------------------------------------------


def truth(text: Text, request: Request) -> Conditions:
    """What is asserted about the town, and whether it is true."""
    met = each("facts are true", [TOWN.holds(claim) for claim in text.claims])
    # Nobody knows whether the baker is wise.
    opinions = [r for r in text.read if r.pattern.tags["kind"] == "fact" and r.adjectives]
    met += each("facts are no opinions", [False for _ in opinions])
    if request.kind == "buy":
        stock = TOWN.stock[request.slots["place"]]
        sold = [item in stock for item in items(text, ph.BUY_ANSWERS) or ()]
        met += each("the shop sells it", sold)
    if request.kind == "notice":
        met += each("doors are open", [not _behind_closed_doors(r) for r in text.read])
    return met


def _behind_closed_doors(invitation: Reading) -> bool:
    slots = invitation.slots
    if not {"place", "day"} <= slots.keys():
        return False
    return TOWN.true(slots["place"], "closed", slots["day"])


def invented(text: Text, request: Request) -> set[str]:
    """What a closed-domain reply names or describes that isn't in its source; else nothing."""
    if request.kind not in CLOSED_DOMAIN:
        return set()
    source = set(Text(request.passage, "event").words)
    source |= {value.lower() for value in request.slots.values()}
    added = {adjective for reading in text.read for adjective in reading.adjectives}
    return (added | (_NAMES & set(text.words))) - source


# --- what is asked for ------------------------------------------------------------------------


def topics(text: Text, request: Request) -> dict[str, bool]:
    """Whom and what a text should be about, and whether it mentions them."""
    if request.kind not in ("story", "letter", "poem", "notice"):
        return {}
    return {word: text.mentions(word) for word in request.slots.values()}


def moods(text: Text) -> set[str]:
    """How the text ends: happy, sad, or neither."""
    return {r.pattern.tags["mood"] for r in text.read if "mood" in r.pattern.tags}


# --- how it is written ------------------------------------------------------------------------


def details(text: Text) -> set[str]:
    """Its adjectives and adverbs."""
    words = {adjective for reading in text.read for adjective in reading.adjectives}
    return words | {reading.slots["adverb"] for reading in text.read if "adverb" in reading.slots}


def named(text: Text) -> set[str]:
    """The people and things that it brings in."""
    return {value for r in text.read for value in r.slots.values() if isinstance(value, str)}


def content(text: Text) -> list[str]:
    """Its words of four letters and more."""
    return [word for word in text.words if len(word) > 3]


def long_words(text: Text) -> list[str]:
    """Its words of six letters and more."""
    return [word for word in text.words if len(word) > 5]


def aptness(text: Text, request: Request) -> Conditions:
    """Workers are at their trade, and sentences keep to the topic or to those who talk."""
    met = []
    for reading in text.read:
        if {"hero", "job"} <= reading.slots.keys():
            at_work = TOWN.true(reading.slots["hero"], "job", reading.slots["job"])
            met.append(Condition("workers are at their trade", at_work))
    if words := {word.lower() for word in request.slots.values()}:
        for sentence in text.sentences:
            said = {word.lower() for word in re.findall(r"\w+", sentence)}
            met.append(Condition("keeps to the topic", not said.isdisjoint(words | _ADDRESS)))
    return met
