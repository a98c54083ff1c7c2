"""A reply as the judge sees it: sentences, what each of them says, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import Grammar, Pattern, Reading, sentences
from minirlhf.tinytown.knowledge import PRONOUN_STATEMENTS, SELLS, STATEMENTS, TOWN, Fact

_FACTS = [p for ps in STATEMENTS.values() for p in ps] + list(PRONOUN_STATEMENTS.values())
_PATTERNS: dict[str, list[Pattern]] = {
    "story": [*ph.STORY_OPENINGS, *ph.STORY_MIDDLES, *ph.STORY_ENDINGS],
    "letter": [*ph.LETTER_GREETINGS, *ph.LETTER_BODIES, *ph.LETTER_CLOSINGS],
    "poem": list(ph.VERSES),
    "notice": [*ph.NOTICE_OPENINGS, *ph.NOTICE_BODIES, *ph.NOTICE_ENDINGS],
    "fact": [*_FACTS, *SELLS],
    "chat": [*ph.GREETING_REPLIES, *ph.COMFORTS, *ph.CALM_REPLIES, *ph.INSULT_REPLIES, *ph.OFFERS],
    "list": [
        *ph.BUY_ANSWERS, *ph.GIFT_ANSWERS, *ph.PACK_ANSWERS, *ph.NAME_ANSWERS, *ph.THING_ANSWERS
    ],
    "event": list(ph.EVENT_PATTERNS),
    "polite": [*ph.POLITE_PATTERNS, *ph.ORDER_PATTERNS],
    "summary": list(ph.SUMMARIES),
    "review": list(ph.REVIEWS),
    "class": list(ph.VERDICTS),
    "count": list(ph.COUNTS),
    "calendar": list(ph.CALENDAR),
}  # fmt: skip
GRAMMARS = {kind: Grammar(patterns) for kind, patterns in _PATTERNS.items()}
EVERYTHING = Grammar([p for patterns in _PATTERNS.values() for p in patterns])


def _agrees(sentence: str, reading: Reading) -> bool:
    """Whether each a and an fits its noun, and no single thing is called "they are"."""
    articles = re.findall(r"\b([Aa]n?) (\w+)", sentence)
    items = reading.slots.get("items", ())
    singular = len(items) == 1 and " are {" in reading.pattern.text
    return not singular and all(a.lower() == lx.article(word) for a, word in articles)


@dataclass(frozen=True)
class Text:
    """A reply, read with the grammar of the kind of text it should be, else with any."""

    raw: str
    kind: str

    @cached_property
    def sentences(self) -> list[str]:
        return sentences(self.raw)

    @cached_property
    def readings(self) -> list[Reading | None]:
        """What each sentence says; None for one that says nothing, or says it in bad English."""
        grammar = GRAMMARS[self.kind]
        said = [grammar.read(s) or EVERYTHING.read(s) for s in self.sentences]
        return [
            r if r is not None and _agrees(s, r) else None
            for s, r in zip(self.sentences, said, strict=True)
        ]

    @cached_property
    def read(self) -> list[Reading]:
        """The sentences that say something."""
        return [r for r in self.readings if r is not None]

    @cached_property
    def claims(self) -> list[Fact]:
        """The facts that the text asserts, in order; a pronoun means the last subject named."""
        out: list[Fact] = []
        for reading in self.read:
            out += TOWN.claims(reading, out[-1].subject if out else None)
        return out

    @cached_property
    def words(self) -> list[str]:
        return re.findall(r"[\w']+", self.raw.lower())

    @property
    def finished(self) -> bool:
        """Ends as a text ends: with a full stop, a question or an exclamation mark."""
        return self.raw.rstrip().endswith((".", "!", "?"))

    def mentions(self, word: str) -> bool:
        """Whether the text holds the word (or the words in a row), in whatever case."""
        return re.search(rf"\b{re.escape(word)}\b", self.raw, re.IGNORECASE) is not None

    @property
    def length(self) -> int:
        """Its sentences (in a poem: lines); a letter's greeting and signature don't count."""
        return sum(role not in ("greeting", "closing") for role in self.roles(self.kind))

    def roles(self, kind: str) -> list[str]:
        """The role of each sentence in a text of ``kind``; '' where it has none."""
        return [
            r.pattern.tags.get("role", "") if r and r.pattern.tags["kind"] == kind else ""
            for r in self.readings
        ]
