"""Requests: what labelers and customers ask for, in the use-case mix of Table 1.

A request is plain text. :func:`parse` reads it back into what it asks (kind, slots, constraints,
source text), so the judge needs nothing but the prompt and the reply, whoever wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import Pattern, Reading
from minirlhf.tinytown.knowledge import QUESTIONS
from minirlhf.tinytown.lexicon import NUMBERS


@dataclass(frozen=True)
class Constraint:
    """An explicit constraint: its kind and its value (a word, words, a number or a mood)."""

    kind: str
    value: str | int | tuple[str, ...]


@dataclass(frozen=True)
class Request:
    kind: str
    slots: dict[str, str] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()
    passage: str = ""
    """The text that a closed-domain request is about; the reply may use nothing else."""
    guest: Reading | None = None
    """What the guest said, for chat."""

    @property
    def use_case(self) -> str:
        return USE_CASE[self.kind]

    def constraint(self, kind: str) -> str | int | tuple[str, ...] | None:
        return next((c.value for c in self.constraints if c.kind == kind), None)

    @property
    def combination(self) -> tuple[str, ...]:
        """The kinds of its constraints, sorted: what the held-out split is made of."""
        return tuple(sorted(c.kind for c in self.constraints))


USE_CASE = {
    "story": "generation",
    "letter": "generation",
    "poem": "generation",
    "notice": "generation",
    "fact": "open qa",
    "about": "open qa",
    "buy": "brainstorming",
    "gift": "brainstorming",
    "pack": "brainstorming",
    "chat": "chat",
    "swap": "rewrite",
    "polite": "rewrite",
    "summary": "summarization",
    "class": "classification",
    "count": "other",
    "calendar": "other",
    "repeat": "other",
    "closed": "closed qa",
    "people": "extract",
    "objects": "extract",
}
CLOSED_DOMAIN = ("swap", "polite", "summary", "class", "count", "repeat", "closed", "people", "objects")


def _asks(kind: str, block: str) -> tuple[Pattern, ...]:
    lines = (line.strip() for line in block.strip().splitlines())
    return tuple(Pattern(line, {"kind": kind}) for line in lines if line)


ASKS: dict[str, tuple[Pattern, ...]] = {
    "story": _asks("story", """
        Write a story about {a object}.
        Write a story about {person:hero} and {a object}.
        Tell me a story about {a animal}.
        Write a short story about {person:hero}.
        Tell me a story about {person:hero} and {person:friend}.
        Write a story about {a animal} and {a object}.
        Write a short story about {person:hero} and {a animal}.
        Tell me a story that happens in the {room:place}.
    """),
    "letter": _asks("letter", """
        Write a letter to {person:friend}.
        Write a letter to {person:friend} about {a object}.
        Write a short letter from {person:hero} to {person:friend}.
        Write a letter from {person:hero} to {person:friend} about the {place}.
    """),
    "poem": _asks("poem", """
        Write a poem about {a object:thing}.
        Write a poem about {a animal:thing}.
        Write a poem about the {place:thing}.
        Give me a few verses about {a animal:thing}.
    """),
    "notice": _asks("notice", """
        Write a notice for the {house:place}.
        Write a notice for the {house:place} about {a object}.
        I need a notice that invites people to the {house:place}.
    """),
    "about": _asks("about", """
        Tell me about {person:s}.
        Tell me about the {animal:s}.
        Describe the {house:s}.
        What do you know about the {object:s}?
        Who is {person:s}?
    """),
    "buy": _asks("buy", """
        List {several} things that I can buy at the {shop:place}.
        Name {several} things from the {shop:place}.
    """),
    "gift": _asks("gift", """
        Give me {several} ideas for a gift for {person:hero}.
        Name {several} gifts for {person:hero}.
    """),
    "pack": _asks("pack", """
        List {several} things to take to the {place}.
        Name {several} things that I need for the {place}.
    """),
    "chat": _asks("chat", """
        Answer the guest.
        Answer the guest and be respectful.
        Talk to the guest.
    """),
    "swap": _asks("swap", """
        Write this about {person:new} instead of {person:old}.
        Replace {person:old} with {person:new}.
    """),
    "polite": _asks("polite", """
        Make this polite.
        Say this in a polite way.
    """),
    "summary": _asks("summary", """
        Summarize this text.
        Sum up this text.
        What is this text about?
    """),
    "class": _asks("class", """
        Is this review good or bad?
        Did the guest like it?
    """),
    "count": _asks("count", """
        How many names are in this text?
        Count the names.
    """),
    "calendar": _asks("calendar", """
        Which day comes after {day}?
        What is the day after {day}?
    """),
    "repeat": _asks("repeat", """
        Repeat this text.
        Say this again.
    """),
    "people": _asks("people", """
        List the names in this text.
        Who is in this text?
    """),
    "objects": _asks("objects", """
        List the things in this text.
        Which things are in this text?
    """),
    "fact": tuple(
        Pattern(p.text, {"kind": "fact", "relation": name}) for name, ps in QUESTIONS.items() for p in ps
    ),
    "closed": tuple(Pattern(f"Use the text. {p.text}", {**p.tags, "kind": "closed"}) for p in ph.EVENT_QUESTIONS),
}  # fmt: skip
CONSTRAINTS: dict[str, tuple[Pattern, ...]] = {
    "include": _asks("include", "Use the word {keyword:one}.\nThe word {keyword:one} must be in it."),
    "both": _asks("both", "Use the words {keyword:one} and {keyword:two}."),
    "avoid": _asks("avoid", "Do not use the word {avoided}.\nLeave out the word {avoided}."),
    "sentences": _asks("sentences", "Use exactly {several} sentences.\nWrite {several} sentences.\nUse exactly one sentence."),
    "mood": _asks("mood", "Make it {mood}.\nIt should be {mood}."),
    "lines": _asks("lines", "Use exactly {several} lines.\nWrite {several} lines."),
}  # fmt: skip
CONTEXTS = _asks("context", """
    I am new in town.
    I am {a job}.
    I am {a job} and I need your help.
    My name is {person}.
    I work at the {place}.
    This is for my children.
""")  # fmt: skip
GUEST_LINES = ph.GREETINGS + ph.CONFESSIONS + ph.PROVOCATIONS

_ALL_ASKS = [p for patterns in ASKS.values() for p in patterns]
_ALL_CONSTRAINTS = [p for patterns in CONSTRAINTS.values() for p in patterns]


def _constraint(reading: Reading) -> Constraint:
    kind, slots = reading.pattern.tags["kind"], reading.slots
    if kind in ("sentences", "lines"):
        return Constraint(kind, NUMBERS.index(slots.get("several", "one")) + 1)
    if kind == "both":
        return Constraint(kind, (slots["one"], slots["two"]))
    if kind == "include":
        return Constraint(kind, slots["one"])
    return Constraint(kind, slots["avoided" if kind == "avoid" else "mood"])


def first_reading(patterns: list[Pattern] | tuple[Pattern, ...], sentence: str) -> Reading | None:
    return next((r for p in patterns if (r := p.read(sentence)) is not None), None)


@lru_cache(maxsize=100_000)
def parse(prompt: str) -> Request | None:
    """What ``prompt`` asks for, or None if it isn't a request of this town.

    Examples before the last blank line (a few-shot prompt) and a sentence of context are skipped.
    """
    lines = prompt.strip().split("\n\n")[-1].split("\n")
    ask, constraints, rest = None, [], lines[0]
    while rest:
        reading, rest = _leading(rest)
        if reading is None:
            return None
        if reading.pattern in _ALL_CONSTRAINTS:
            constraints.append(_constraint(reading))
        elif reading.pattern not in CONTEXTS:
            ask = reading
    if ask is None:
        return None
    kind, passage, guest = ask.pattern.tags["kind"], "", None
    for line in lines[1:]:
        label, _, said = line.partition(": ")
        if label == "Text":
            passage = said
        elif label == "Guest":
            guest = first_reading(GUEST_LINES, said)
    if (kind in CLOSED_DOMAIN and not passage) or (kind == "chat" and guest is None):
        return None
    slots = {**ask.slots, **{f"_{k}": v for k, v in ask.pattern.tags.items() if k != "kind"}}
    return Request(kind, slots, tuple(constraints), passage, guest)


def _leading(line: str) -> tuple[Reading | None, str]:
    """The request sentence that ``line`` begins with, and what follows it."""
    cuts = [i + 1 for i, c in enumerate(line) if c in ".?!" and line[i + 1 : i + 2] in ("", " ")]
    for cut in cuts[:2]:  # "Use the text. Who …?" is one ask of two sentences
        reading = first_reading(_ALL_ASKS + _ALL_CONSTRAINTS + list(CONTEXTS), line[:cut])
        if reading is not None:
            return reading, line[cut:].strip()
    return None, ""
