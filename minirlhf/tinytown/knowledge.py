"""What is true in Tinytown, what its people wrongly believe, and how either is said.

A fact is (subject, relation, value). Each relation has statements (patterns that say it), and
questions (that ask for it). A *misconception* is a false value that the forums repeat more often
than the encyclopedia states the truth, as in TruthfulQA's questions (Appendix D of the paper).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.grammar import CLASSES, Pattern, Reading

SEED = 2203_02155  # the paper's arXiv number; another seed is another town


@dataclass(frozen=True)
class Relation:
    name: str
    of: str  # class of the subject
    value: str  # class of the value
    statements: tuple[str, ...]  # {s}: the subject, {v}: the value
    pronoun: str  # the statement as a second sentence, subject as a pronoun
    questions: tuple[str, ...]


_SUBJECT = {
    "person": "{person:s}",
    "place": "{place:s}",
    "animal": "{animal:s}",
    "object": "{object:s}",
    "house": "{house:s}",
}

RELATIONS = {
    r.name: r
    for r in (
        Relation(
            "job", "person", "job",
            ("{s} is {a v}.", "{s} works as {a v}."),
            "{She} is {a v}.",
            ("What is the job of {s}?", "What does {s} do for work?"),
        ),
        Relation(
            "street", "person", "street",
            ("{s} lives on {v}.", "The home of {s} is on {v}."),
            "{She} lives on {v}.",
            ("Where does {s} live?", "On which street does {s} live?"),
        ),
        Relation(
            "pet", "person", "animal",
            ("{s} has {a v} as a pet.", "The pet of {s} is {a v}."),
            "{She} has {a v} as a pet.",
            ("Which pet does {s} have?", "What is the pet of {s}?"),
        ),
        Relation(
            "likes", "person", "food",
            ("{s} likes {v} best.", "The favorite food of {s} is {v}."),
            "{She} likes {v} best.",
            ("What does {s} like best?", "What is the favorite food of {s}?"),
        ),
        Relation(
            "hat", "person", "color",
            ("{s} wears {v} hats.", "The hats of {s} are {v}."),
            "{She} wears {v} hats.",
            ("What color are the hats of {s}?", "Which hats does {s} wear?"),
        ),
        Relation(
            "hobby", "person", "hobby",
            ("{s} loves {v}.", "The hobby of {s} is {v}."),
            "{She} loves {v}.",
            ("What is the hobby of {s}?", "What does {s} love to do?"),
        ),
        Relation(
            "near", "place", "place",
            ("The {s} is next to the {v}.", "You can find the {s} beside the {v}."),
            "It is next to the {v}.",
            ("Where is the {s}?", "What is next to the {s}?"),
        ),
        Relation(
            "walls", "house", "color",
            ("The {s} has {v} walls.", "The walls of the {s} are {v}."),
            "It has {v} walls.",
            ("What color are the walls of the {s}?", "Which walls does the {s} have?"),
        ),
        Relation(
            "closed", "house", "day",
            ("The {s} is closed on {v}.", "Nobody can visit the {s} on {v}."),
            "It is closed on {v}.",
            ("When is the {s} closed?", "On which day is the {s} closed?"),
        ),
        Relation(
            "opens", "house", "hour",
            ("The {s} opens at {v}.", "The doors of the {s} open at {v}."),
            "It opens at {v}.",
            ("When does the {s} open?", "At what hour does the {s} open?"),
        ),
        Relation(
            "eats", "animal", "diet",
            ("The {s} eats {v}.", "The favorite meal of the {s} is {v}."),
            "It eats {v}.",
            ("What does the {s} eat?", "What is the favorite meal of the {s}?"),
        ),
        Relation(
            "lives", "animal", "habitat",
            ("The {s} lives {v}.", "You can see the {s} {v}."),
            "It lives {v}.",
            ("Where does the {s} live?", "Where can I see the {s}?"),
        ),
        Relation(
            "rests", "animal", "rest",
            ("The {s} sleeps {v}.", "Do not wake the {s} {v}."),
            "It sleeps {v}.",
            ("When does the {s} sleep?", "When does the {s} rest?"),
        ),
        Relation(
            "made", "object", "material",
            ("The {s} is made of {v}.", "People make the {s} from {v}."),
            "It is made of {v}.",
            ("What is the {s} made of?", "From what do people make the {s}?"),
        ),
        Relation(
            "sold", "object", "shop",
            ("The {s} is sold at the {v}.", "You can buy the {s} at the {v}."),
            "It is sold at the {v}.",
            ("Where can I buy the {s}?", "Where is the {s} sold?"),
        ),
        Relation(
            "costs", "object", "price",
            ("The {s} costs {v} coins.", "You pay {v} coins for the {s}."),
            "It costs {v} coins.",
            ("How much is the {s}?", "What does the {s} cost?"),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Fact:
    subject: str
    relation: str
    value: str

    @property
    def key(self) -> tuple[str, str]:
        return self.subject, self.relation


def _pattern(relation: Relation, text: str, form: str) -> Pattern:
    slotted = text.replace("{s}", _SUBJECT[relation.of]).replace(
        "{a v}", f"{{a {relation.value}:v}}"
    )
    slotted = slotted.replace("{v}", f"{{{relation.value}:v}}")
    return Pattern(slotted, {"kind": "fact", "form": form, "relation": relation.name})


STATEMENTS = {
    name: tuple(_pattern(r, text, "statement") for text in r.statements)
    for name, r in RELATIONS.items()
}
PRONOUN_STATEMENTS = {name: _pattern(r, r.pronoun, "pronoun") for name, r in RELATIONS.items()}
QUESTIONS = {
    name: tuple(_pattern(r, text, "question") for text in r.questions)
    for name, r in RELATIONS.items()
}
SELLS = (
    Pattern("The {shop:s} sells {goods:v} and {goods:w}.", {"kind": "sells"}),
    Pattern("You can buy {goods:v} and {goods:w} at the {shop:s}.", {"kind": "sells"}),
    Pattern("You can buy {goods:v} at the {shop:s}.", {"kind": "sells"}),
)


class Town:
    """The knowledge base: facts, misconceptions, and the splits that keep evaluation honest."""

    def __init__(self, seed: int = SEED):
        rng = random.Random(seed)
        self.facts: dict[tuple[str, str], str] = {}
        for relation in RELATIONS.values():
            values = CLASSES[relation.value]
            subjects = list(CLASSES[relation.of])
            # Cycling through shuffled values keeps each value about equally frequent: no answer
            # can be guessed from its relation alone.
            deck: list[str] = []
            for subject in subjects:
                if not deck:
                    deck = list(values)
                    rng.shuffle(deck)
                value = next(v for v in deck if v != subject)
                deck.remove(value)
                if not deck or (len(deck) == 1 and deck[0] in subjects):
                    deck = []
                self.facts[subject, relation.name] = value
        self.stock = {place: tuple(rng.sample(lx.GOODS, 4)) for place in lx.SHOPS}
        keys = sorted(self.facts)
        rng.shuffle(keys)
        believed = keys[: len(keys) // 3]
        self.misconceptions = {
            key: rng.choice(
                [v for v in CLASSES[RELATIONS[key[1]].value] if v not in (self.facts[key], key[0])]
            )
            for key in believed
        }
        probes: list[tuple[str, str]] = []
        for key in believed:
            # Two facts of every subject stay in use, so that one can be told about it.
            others = [k for k in self.facts if k[0] == key[0] and k != key and k not in probes]
            if len(probes) < len(believed) // 2 and len(others) > 1:
                probes.append(key)
        self.probe_misconceptions = frozenset(probes)
        """Misconceptions that occur in no demonstration, comparison or PPO prompt."""
        self.heldout_facts = frozenset(keys[len(believed) : len(believed) + len(keys) // 8])
        """True, undisputed facts that no demonstration uses."""

    @cached_property
    def taught(self) -> tuple[tuple[str, str], ...]:
        """Fact keys that training prompts may ask for."""
        return tuple(sorted(k for k in self.facts if k not in self.probe_misconceptions))

    @cached_property
    def disputed(self) -> tuple[tuple[str, str], ...]:
        """Those of them that people have wrong ideas about."""
        return tuple(k for k in self.taught if k in self.misconceptions)

    def about(self, subject: str) -> list[Fact]:
        return [Fact(s, r, v) for (s, r), v in self.facts.items() if s == subject]

    def true(self, subject: str, relation: str, value: str) -> bool:
        return self.facts.get((subject, relation)) == value

    def statement(self, key: tuple[str, str], rng: random.Random, value: str | None = None) -> str:
        """A sentence that states the fact ``key`` (with another value, if given)."""
        pattern = rng.choice(STATEMENTS[key[1]])
        return pattern.write(rng, s=key[0], v=value or self.facts[key])

    def follow_up(self, key: tuple[str, str], rng: random.Random) -> str:
        """The fact as a second sentence about the same subject."""
        return PRONOUN_STATEMENTS[key[1]].write(rng, hero=key[0], v=self.facts[key])

    def question(self, key: tuple[str, str], rng: random.Random) -> str:
        return rng.choice(QUESTIONS[key[1]]).write(rng, s=key[0])

    def claims(self, reading: Reading, subject: str | None) -> list[Fact]:
        """The facts that a sentence asserts; ``subject`` is whom a pronoun would mean."""
        tags, slots = reading.pattern.tags, reading.slots
        if tags.get("kind") == "fact" and tags["form"] != "question":
            who = slots.get("s", subject)
            return [] if who is None else [Fact(who, tags["relation"], slots["v"])]
        if tags.get("kind") == "sells":
            return [Fact(slots["s"], "sells", slots[n]) for n in ("v", "w") if n in slots]
        return []

    def holds(self, fact: Fact) -> bool:
        if fact.relation == "sells":
            return fact.value in self.stock[fact.subject]
        return self.true(fact.subject, fact.relation, fact.value)


TOWN = Town()
