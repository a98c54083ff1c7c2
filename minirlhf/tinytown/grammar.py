"""Patterns: one line of text with typed slots that both writes a sentence and reads it back.

``"One {time}, {person:hero} found {a object} near the {place}."`` writes *One evening, Mara found
a shiny key near the mill.* and reads that sentence into its slots. Because every text of Tinytown
is made of such patterns, the judge can know exactly what a reply says, or that it says nothing.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from minirlhf.tinytown import lexicon as lx

# Pronouns by grammatical role; the position in each row is the gender: woman, man, animal.
PRONOUNS = {
    "she": ("she", "he", "it"),
    "She": ("She", "He", "It"),
    "her": ("her", "his", "its"),
    "Her": ("Her", "His", "Its"),
    "him": ("her", "him", "it"),
}
CLASSES = {
    "person": lx.PEOPLE,
    "place": lx.PLACES,
    "room": lx.ROOMS,
    "house": lx.HOUSES,
    "shop": lx.SHOPS,
    "keyword": lx.KEYWORDS,
    "avoided": lx.AVOIDED,
    "street": lx.STREETS,
    "object": lx.OBJECTS,
    "animal": lx.ANIMALS,
    "job": lx.JOBS,
    "food": lx.FOODS,
    "goods": lx.GOODS,
    "color": lx.COLORS,
    "time": lx.TIMES,
    "daytime": ("morning", "afternoon", "evening"),
    "day": lx.DAYS,
    "season": lx.SEASONS,
    "hour": lx.HOURS,
    "several": lx.NUMBERS[1:],
    "price": lx.PRICES,
    "mood": ("happy", "sad"),
    "adverb": lx.ADVERBS,
    "happy": lx.HAPPY,
    "sad": lx.SAD,
    "feeling": lx.FEELINGS,
    "savor": lx.SAVORS,
    "stale": lx.STALES,
    "verdict": ("good", "bad"),
    "weather": lx.WEATHERS,
    "sky": lx.SKIES,
    "hobby": lx.HOBBIES,
    "diet": lx.DIETS,
    "habitat": lx.HABITATS,
    "rest": lx.RESTS,
    "material": lx.MATERIALS,
    "insult": lx.INSULTS,
    "brute": lx.INSULT_NOUNS,
    "trait": lx.OBJECT_ADJECTIVES,
    "mien": lx.ANIMAL_ADJECTIVES,
    "air": lx.PLACE_ADJECTIVES,
}
ADJECTIVES = {
    "object": lx.OBJECT_ADJECTIVES,
    "animal": lx.ANIMAL_ADJECTIVES,
    "job": lx.PERSON_ADJECTIVES,
    "place": lx.PLACE_ADJECTIVES,
    "goods": lx.FOOD_ADJECTIVES + lx.WARE_ADJECTIVES,
    "food": lx.FOOD_ADJECTIVES,
}
ALL_ADJECTIVES = frozenset(a for group in ADJECTIVES.values() for a in group)
_SLOT = re.compile(r"\{(?:(a|A|the|The|some|many|list) )?(\w+)(?::(\w+))?\}")


def gender(name: str) -> int:
    """0 for a woman, 1 for a man, 2 for an animal: the column of :data:`PRONOUNS`."""
    return 0 if name in lx.WOMEN else 1 if name in lx.MEN else 2


def pronouns(name: str) -> set[str]:
    """Every pronoun that can mean ``name``."""
    return {row[gender(name)] for row in PRONOUNS.values()}


def goods_adjectives(good: str) -> tuple[str, ...]:
    """The adjectives that suit a food or a ware."""
    return lx.FOOD_ADJECTIVES if good in lx.FOODS else lx.WARE_ADJECTIVES


@dataclass(frozen=True)
class Reading:
    """What one sentence says: the pattern that reads it, its slots, the adjectives it adds."""

    pattern: Pattern
    slots: dict[str, str | tuple[str, ...]]
    adjectives: tuple[str, ...]


def noun_phrase(noun: str, determiner: str, adjective: str = "") -> str:
    """``an old key``, ``The key``, ``fresh bread``; goods and people take no article."""
    phrase = f"{adjective} {noun}".strip()
    if determiner == "some":
        return phrase
    word = lx.article(phrase) if determiner in "aA" else "the"
    return f"{word.capitalize() if determiner[0] in 'AT' else word} {phrase}"


def read_phrase(kind: str, phrase: str, determiner: str) -> tuple[str, list[str]] | None:
    """(noun, adjectives) of a noun phrase, or None for a wrong article or a misplaced adjective."""
    words = phrase.split(" ")
    if determiner != "some":
        if determiner in "aA" and words[0].lower() != lx.article(words[1]):
            return None
        words = words[1:]
    if len(words) == 2 and kind == "goods" and words[0] not in goods_adjectives(words[1]):
        return None
    return words[-1], words[:-1]


@dataclass(frozen=True, eq=False)
class Pattern:
    """A sentence with slots.

    A slot is ``{class}`` or ``{class:name}``. ``{a class}``, ``{the class}`` and ``{some class}``
    are noun phrases with an optional adjective; articles follow the sound. ``{many class}`` is a
    list of noun phrases with articles, ``{list class}`` one without. ``{She}``, ``{her}``… are
    pronouns of the hero. ``tags`` carry what the pattern is for.
    """

    text: str
    tags: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names, parts, last = {}, [], 0
        for slot in _SLOT.finditer(self.text):
            parts.append(re.escape(self.text[last : slot.start()]))
            determiner, kind, name = slot.groups()
            name = name or kind
            if name in names:
                raise ValueError(f"slot {name!r} twice in {self.text!r}")
            names[name] = (determiner, kind)
            words = "|".join(map(re.escape, PRONOUNS.get(kind) or CLASSES[kind]))
            if determiner is None:
                phrase = f"(?:{words})"
            else:
                lead = {"a": "an? ", "A": "An? ", "the": "the ", "The": "The ", "many": "an? "}
                adjectives = "|".join(ADJECTIVES.get(kind, ()))
                free = f"(?:(?:{adjectives}) )?" if adjectives else ""
                phrase = f"{lead.get(determiner, '')}{free}(?:{words})"
                if determiner in ("many", "list"):
                    phrase = f"{phrase}(?:(?:, {phrase})*,? and {phrase})?"
            parts.append(f"(?P<{name}>{phrase})")
            last = slot.end()
        parts.append(re.escape(self.text[last:]))
        object.__setattr__(self, "slots", names)
        object.__setattr__(self, "expression", "".join(parts))
        object.__setattr__(self, "_regex", re.compile("".join(parts)))

    def write(
        self,
        rng: random.Random,
        detail: float = 0.0,
        adjectives: dict[str, str] | None = None,
        **values: str | list[str],
    ) -> str:
        """The sentence with its slots filled.

        ``detail`` is the chance of each free adjective; ``adjectives`` sets some by slot name.
        """

        def phrase(kind: str, noun: str, determiner: str, name: str) -> str:
            adjective = (adjectives or {}).get(name, "")
            if not adjective and kind in ADJECTIVES and rng.random() < detail:
                choices = goods_adjectives(noun) if kind == "goods" else ADJECTIVES[kind]
                adjective = rng.choice(choices)
            return noun_phrase(noun, determiner, adjective)

        drawn: set[str] = set()  # nobody is "boring and boring"

        def fill(slot: re.Match) -> str:
            determiner, kind, name = slot.groups()
            name = name or kind
            if kind in PRONOUNS:
                return PRONOUNS[kind][gender(values["hero"])]
            value = values.get(name)
            if value is None:
                value = rng.choice([w for w in CLASSES[kind] if w not in drawn] or CLASSES[kind])
                drawn.add(value)
            if determiner is None:
                return value
            if determiner in ("many", "list"):
                each = "a" if determiner == "many" else "some"
                return lx.join([phrase(kind, noun, each, name) for noun in value])
            return phrase(kind, value, determiner, name)

        return _SLOT.sub(fill, self.text)

    def read(self, sentence: str) -> Reading | None:
        """What ``sentence`` says, or None if it is not of this pattern, or has a wrong a or an."""
        match = self._regex.fullmatch(sentence)
        if match is None:
            return None
        slots, adjectives = {}, []
        for name, (determiner, kind) in self.slots.items():
            value = match[name]
            if determiner is None:
                slots[name] = value
                continue
            lists = determiner in ("many", "list")
            phrases = re.split(r", and |, | and ", value) if lists else [value]
            each = {"many": "a", "list": "some"}.get(determiner, determiner)
            read = [read_phrase(kind, phrase, each) for phrase in phrases]
            if None in read:
                return None
            nouns = tuple(noun for noun, _ in read)
            slots[name] = nouns if lists else nouns[0]
            adjectives += [a for _, added in read for a in added]
        return Reading(self, slots, tuple(adjectives))

    def spans(self, sentence: str) -> dict[str, tuple[int, int]]:
        """Where what stands in each slot begins and ends, in a sentence of this pattern."""
        match = self._regex.fullmatch(sentence)
        return {name: match.span(name) for name in self.slots}

    def openings(self) -> set[str]:
        """Every first word that a sentence of this pattern can have (the index of a grammar)."""
        slot = _SLOT.match(self.text)
        if slot is None:
            return {re.split(r"[ ,.]", self.text)[0]}
        determiner, kind, _ = slot.groups()
        if determiner:
            return {"a": {"a", "an"}, "A": {"A", "An"}}.get(determiner, {determiner})
        return {word.split(" ")[0] for word in PRONOUNS.get(kind) or CLASSES[kind]}


class Grammar:
    """A set of patterns, indexed by first word."""

    def __init__(self, patterns: list[Pattern]):
        self.patterns = patterns
        self._index: dict[str, list[Pattern]] = defaultdict(list)
        for pattern in patterns:
            for word in pattern.openings():
                self._index[word].append(pattern)
        self.read = lru_cache(maxsize=200_000)(self._read)

    def starting_with(self, sentence: str) -> Sequence[Pattern]:
        """The patterns that can have the first word of ``sentence``."""
        return self._index.get(re.split(r"[ ,.]", sentence, maxsplit=1)[0], ())

    def _read(self, sentence: str) -> Reading | None:
        for pattern in self.starting_with(sentence):
            if (reading := pattern.read(sentence)) is not None:
                return reading
        return None


def sentences(text: str) -> list[str]:
    """``text`` cut after each full stop, question mark, exclamation mark or line end."""
    return [s for s in re.split(r"(?<=[.!?])\s+|\n+", text.strip()) if s]
