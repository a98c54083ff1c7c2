"""Requests: what labelers and customers ask for, in the use-case mix of Table 1.

A request is plain text. :func:`parse` reads it back into what it asks (kind, slots, constraints,
source text), so the judge needs nothing but the prompt and the reply, whoever wrote them.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """What is asked for: its kind, whom and what it names, under which constraints."""

    kind: str
    slots: dict[str, str] = field(default_factory=dict)
    """Whom and what the request names."""
    constraints: tuple[Constraint, ...] = ()
    passage: str = ""
    """The text that a closed-domain request is about; the reply may use nothing else."""
    guest: Reading | None = None
    """What the guest said, for chat."""
    tags: dict[str, object] = field(default_factory=dict)
    """What a question is about: the ``relation`` of a fact; the ``verb`` of an event and what of it
    the question ``asks``."""

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
CLOSED_DOMAIN = tuple("swap polite summary class count repeat closed people objects".split())


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
        Pattern(question.text, {"kind": "fact", "relation": relation})
        for relation, questions in QUESTIONS.items() for question in questions
    ),
    "closed": tuple(
        Pattern(f"Use the text. {question.text}", {**question.tags, "kind": "closed"})
        for question in ph.EVENT_QUESTIONS
    ),
}  # fmt: skip
HEARD = (
    *_asks("story", """
        Write a story about {a animal}.
        Write a story about {person:hero}.
        Write a story about {person:hero} and {a animal}.
        Write a story that happens in the {room:place}.
        Write a short story about {a object}.
        Write a short story about {a animal}.
        Tell me a story about {a object}.
        Tell me a story about {person:hero}.
    """),
    *_asks("letter", """
        Write a short letter to {person:friend}.
        Write a letter from {person:hero} to {person:friend}.
    """),
    *_asks("poem", """
        Give me a few verses about {a object:thing}.
        Give me a few verses about the {place:thing}.
    """),
    *_asks("about", """
        Tell me about the {object:s}.
        Tell me about the {house:s}.
        What do you know about {person:s}?
        What do you know about the {animal:s}?
    """),
)  # fmt: skip
"""Requests that no prompt of the town holds, but that somebody at the keyboard will make."""
CONSTRAINTS: dict[str, tuple[Pattern, ...]] = {
    "include": _asks("include", """
        Use the word {keyword:one}.
        The word {keyword:one} must be in it.
    """),
    "both": _asks("both", """
        Use the words {keyword:one} and {keyword:two}.
    """),
    "avoid": _asks("avoid", """
        Do not use the word {avoided}.
        Leave out the word {avoided}.
    """),
    "sentences": _asks("sentences", """
        Use exactly {several} sentences.
        Write {several} sentences.
        Use exactly one sentence.
    """),
    "mood": _asks("mood", """
        Make it {mood}.
        It should be {mood}.
    """),
    "lines": _asks("lines", """
        Use exactly {several} lines.
        Write {several} lines.
    """),
}  # fmt: skip
CONTEXTS = _asks("context", """
    I am new in town.
    I am {a job}.
    I am {a job} and I need your help.
    My name is {person}.
    I work at the {place}.
    This is for my children.
""")  # fmt: skip
GUIDE = "\nGuide:"
"""How a chat ends: it is the assistant's turn (the paper's own end in "AI:", A.2)."""
GUEST_LINES = ph.GREETINGS + ph.CONFESSIONS + ph.PROVOCATIONS

_ASKS = tuple(p for patterns in ASKS.values() for p in patterns) + HEARD
_CONSTRAINTS = tuple(p for patterns in CONSTRAINTS.values() for p in patterns)


def _constraint(reading: Reading) -> Constraint:
    kind, slots = reading.pattern.tags["kind"], reading.slots
    if kind in ("sentences", "lines"):
        return Constraint(kind, NUMBERS.index(slots.get("several", "one")) + 1)
    if kind == "both":
        return Constraint(kind, (slots["one"], slots["two"]))
    if kind == "include":
        return Constraint(kind, slots["one"])
    return Constraint(kind, slots["avoided" if kind == "avoid" else "mood"])


def first_reading(patterns: Sequence[Pattern], sentence: str) -> Reading | None:
    """What ``sentence`` says by the first of ``patterns`` that reads it."""
    return next((r for p in patterns if (r := p.read(sentence)) is not None), None)


@lru_cache(maxsize=100_000)
def parse(prompt: str) -> Request | None:
    """What ``prompt`` asks for, or None if it isn't a request of this town.

    Examples before the last blank line (a few-shot prompt) and sentences of context are skipped; a
    source text may go over several lines.
    """
    lines = prompt.strip().split("\n\n")[-1].split("\n")
    ask, constraints, rest = None, [], lines[0]
    while rest:
        reading, rest = _leading(rest)
        if reading is None:
            return None
        if reading.pattern in _CONSTRAINTS:
            constraints.append(_constraint(reading))
        elif reading.pattern not in CONTEXTS:
            ask = reading
    if ask is None:
        return None
    kind, label, said = ask.pattern.tags["kind"], *_labelled(lines[1:])
    passage = said if label == "Text" else ""
    guest = first_reading(GUEST_LINES, said) if label == "Guest" else None
    if (kind in CLOSED_DOMAIN and not passage) or (kind == "chat" and guest is None):
        return None
    tags = {name: value for name, value in ask.pattern.tags.items() if name != "kind"}
    return Request(kind, ask.slots, tuple(constraints), passage, guest, tags)


def _labelled(lines: Sequence[str]) -> tuple[str, str]:
    """(label, text) of the lines below a request: ``Text: …``, or ``Guest: …`` and `GUIDE`."""
    label, _, said = "\n".join(lines).removesuffix(GUIDE).partition(": ")
    return label, said.strip()


def _leading(line: str) -> tuple[Reading | None, str]:
    """The request sentence that ``line`` begins with, and what follows it."""
    cuts = [i + 1 for i, c in enumerate(line) if c in ".?!" and line[i + 1 : i + 2] in ("", " ")]
    for cut in cuts[:2]:  # "Use the text. Who …?" is one ask of two sentences
        reading = first_reading(_ASKS + _CONSTRAINTS + CONTEXTS, line[:cut])
        if reading is not None:
            return reading, line[cut:].strip()
    return None, ""
