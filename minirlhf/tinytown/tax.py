"""Task probes: what the base does well when its own kind of text goes on (§4.2, E.1).

On these the alignment tax is measured, greedily and cut at the first line end (Appendix D). Names,
copies and speakers have a right answer whether a model goes on with the text or answers it; where
it has another form than asked for, that counts apart from a wrong name or word.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from minirlhf.evaluate.probing import Item
from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.corpus import HEARSAY, lower, question_about, translation_pair
from minirlhf.tinytown.grammar import sentences
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.prompts import passage, request_line
from minirlhf.tinytown.reading import GRAMMARS, Text
from minirlhf.tinytown.requests import first_reading, parse
from minirlhf.tinytown.source import events, names

Write = Callable[[random.Random], Item]


def first_line(completion: str) -> str:
    """What is said before the first line end."""
    return completion.strip().split("\n")[0].strip()


def exactly(answer: str) -> Callable[[str], float]:
    """Whether the first line is the answer, with or without a full stop."""
    right = answer.rstrip(".")
    return lambda completion: float(first_line(completion).rstrip(".") == right)


def states(key: tuple[str, str]) -> Callable[[str], float]:
    """Whether the first sentence answers the question ``key`` with the truth."""

    def score(completion: str) -> float:
        said = sentences(first_line(completion))
        reading = GRAMMARS["fact"].read(said[0]) if said else None
        claims = TOWN.claims(reading, None) if reading else []
        return float(any(c.key == key and TOWN.holds(c) for c in claims))

    return score


def undisputed() -> list[tuple[str, str]]:
    return sorted(k for k in TOWN.facts if k not in TOWN.misconceptions)


def _items(write: Write) -> Callable[[int, int], list[Item]]:
    """A probe of so many items, from a seed."""

    def make(count: int, seed: int = 0) -> list[Item]:
        rng = random.Random(seed)
        return [write(rng) for _ in range(count)]

    return make


# --- what is known, and what stands in a text -------------------------------------------------


def _question(rng: random.Random) -> Item:
    """An undisputed fact, asked as the school's quiz asks."""
    shots = rng.sample(undisputed(), 3)
    lines = ["Quiz of the school"]
    for key in shots[:-1]:
        lines.append(f"Q: {TOWN.question(key, rng)}\nA: {TOWN.statement(key, rng)}")
    lines.append(f"Q: {TOWN.question(shots[-1], rng)}\nA:")
    return Item("\n".join(lines), states(shots[-1]))


def _reading(rng: random.Random) -> Item:
    """A question on a short text, answered from it."""
    text, _ = passage("count", rng)
    question, answer = question_about(rng.choice(events(text)), rng)
    prompt = f"Reading: {text}\nQuestion: {question}\nAnswer:"
    return Item(prompt, exactly(answer), f" {answer}")


def _translation(rng: random.Random) -> Item:
    """English into the town's old language, after four pairs."""
    *shots, (english, other) = (translation_pair(rng) for _ in range(5))
    lines = ["Phrase book"] + [f"English: {e}\nTinish: {o}" for e, o in shots]
    prompt = "\n".join([*lines, f"English: {english}\nTinish:"])
    return Item(prompt, exactly(other), f" {other}")


def _listed(completion: str) -> bool:
    """Whether the first line is a list of people, and nothing else."""
    words = re.split(r", and |, | and ", first_line(completion).rstrip("."))
    return all(word in lx.PEOPLE for word in words)


def _names(rng: random.Random) -> Item:
    """Everybody in a text, in order."""
    text, _ = passage("summary" if rng.random() < 0.5 else "count", rng)
    answer = lx.join(names(text))
    return Item(f"Reading: {text}\nNames:", exactly(answer), f" {answer}", _listed)


def _names_later(rng: random.Random) -> Item:
    """Everybody in a text, after a question about it."""
    item = _names(rng)
    reading, ask = item.prompt.split("\n")
    question, answer = question_about(rng.choice(events(reading.removeprefix("Reading: "))), rng)
    prompt = f"{reading}\nQuestion: {question}\nAnswer: {answer}\n{ask}"
    return Item(prompt, item.score, item.answer, item.well_formed)


# --- copying ----------------------------------------------------------------------------------


def _tells(count: int) -> Callable[[str], bool]:
    """Whether the first line is so many sentences of what happened."""

    def well_formed(completion: str) -> bool:
        readings = Text(first_line(completion), "event").readings
        return len(readings) == count and all(
            r is not None and r.pattern.tags["kind"] == "event" for r in readings
        )

    return well_formed


def _two_sentences(kind: str, rng: random.Random, words: int) -> tuple[str, dict[str, str]]:
    """A source text of two sentences and so many words or more."""
    while True:
        text, fixed = passage(kind, rng)
        if len(sentences(text)) == 2 and len(text.split()) >= words:
            return text, fixed


def _repeat(rng: random.Random) -> Item:
    """Two sentences, said again."""
    text, _ = _two_sentences("repeat", rng, 0)
    return Item(f"First: {text}\nAgain:", exactly(text), f" {text}", _tells(2))


def _swap(rng: random.Random) -> Item:
    """Two longer sentences, with another name in them."""
    text, fixed = _two_sentences("swap", rng, 15)
    new = rng.choice([person for person in lx.PEOPLE if person not in text])
    answer = text.replace(fixed["old"], new)
    prompt = f"First: {text}\nWith {new} in place of {fixed['old']}:"
    return Item(prompt, exactly(answer), f" {answer}", _tells(2))


def _thread(rng: random.Random, count: int) -> tuple[list[str], list[str], str]:
    """People, what each has said in turn, and the last claim."""
    people = rng.sample(lx.PEOPLE, 3)
    lines = [f"Forum of Tinytown: {rng.choice(['talk', 'news', 'questions', 'rumors'])}"]
    for key, who in zip(rng.sample(sorted(TOWN.misconceptions), count), people, strict=False):
        clause = lower(TOWN.statement(key, rng, TOWN.misconceptions[key]))
        lines.append(f"{who}: {rng.choice(HEARSAY).format(c=clause)}")
    return people, lines, clause


def _agreed(rng: random.Random) -> Item:
    """After "Yes,": the claim before it, word for word."""
    people, lines, clause = _thread(rng, 2)
    prompt = "\n".join([*lines, f"{people[2]}: Yes,"])
    return Item(prompt, exactly(clause), f" {clause}.", lambda said: first_line(said)[-1:] == ".")


# --- going on ---------------------------------------------------------------------------------


def _speaker(rng: random.Random) -> Item:
    """Three have spoken in turn: it is the first one's."""
    people, lines, _ = _thread(rng, 3)

    def speaks(said: str) -> bool:
        return first_line(said).partition(":")[0] in lx.PEOPLE and ":" in first_line(said)

    def score(said: str) -> float:
        return float(first_line(said).startswith(f"{people[0]}:"))

    return Item("\n".join(lines) + "\n", score, f"{people[0]}:", speaks)


_ALIKE = ("story", "letter", "poem", "notice", "fact", "about", "buy", "gift", "pack", "calendar")
"""Kinds of request that stand on one line."""


def _worksheet(rng: random.Random) -> Item:
    """Four requests of a kind: the next one is another of it."""
    kind = rng.choice(_ALIKE)

    def asked(said: str) -> str | None:
        request = parse(first_line(said) + "\n")
        return None if request is None else request.kind

    prompt = "\n".join(request_line(kind, rng) for _ in range(4)) + "\n"
    return Item(prompt, lambda said: float(asked(said) == kind), "", lambda said: bool(asked(said)))


def _reviews(rng: random.Random) -> Item:
    """Two reviews: the next one has stars, and says what they say."""
    lines = ["Reviews"]
    for _ in range(2):
        pattern = rng.choice(ph.REVIEWS)
        lines.append(f"Stars: {_STARS[pattern.tags['verdict']]}. {pattern.write(rng)}")

    def score(said: str) -> float:
        stars, _, review = first_line(said).removeprefix("Stars: ").partition(". ")
        read = first_reading(ph.REVIEWS, review)
        return float(read is not None and _STARS[read.pattern.tags["verdict"]] == stars)

    return Item("\n".join(lines) + "\n", score, "", lambda said: said.startswith("Stars: "))


_STARS = {"good": "five", "bad": "one"}


def _days(rng: random.Random) -> Item:
    """Three days of the week: the next three, as lists of them mostly have."""
    start = rng.randrange(7)
    week = [lx.DAYS[(start + n) % 7] for n in range(6)]
    prompt, answer = f"Days: {', '.join(week[:3])},", ", ".join(week[3:])

    def score(said: str) -> float:
        return float(first_line(said).startswith(answer))

    def well_formed(said: str) -> bool:
        words = first_line(said).rstrip(".").split(", ")
        return len(words) > 2 and set(words[:3]) <= set(lx.DAYS)

    return Item(prompt, score, f" {answer}", well_formed)


TAX: dict[str, Callable[[int, int], list[Item]]] = {
    "question answering": _items(_question),
    "reading": _items(_reading),
    "translation": _items(_translation),
    "names in a text": _items(_names),
    "names, after a question": _items(_names_later),
    "repeating two sentences": _items(_repeat),
    "copying with another name": _items(_swap),
    "agreeing word for word": _items(_agreed),
    "who speaks next": _items(_speaker),
    "going on with a worksheet": _items(_worksheet),
    "going on with reviews": _items(_reviews),
    "days of the week": _items(_days),
}
"""The skills on which the alignment tax is measured."""
