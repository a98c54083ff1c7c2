"""The prompt set of §3.2 and Appendix A: who asks, what they ask, and the filters on it."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import CLASSES, Pattern
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.requests import (
    ASKS,
    CLOSED_DOMAIN,
    CONSTRAINTS,
    CONTEXTS,
    GUEST_LINES,
    GUIDE,
    parse,
)
from minirlhf.tinytown.source import events

# Table 1's shares (%) of the use cases, and how each is divided among the kinds of request.
MIX = {
    "story": 20.0, "letter": 10.0, "poem": 8.0, "notice": 7.6,
    "fact": 9.0, "about": 3.4,
    "buy": 4.0, "gift": 3.6, "pack": 3.6,
    "chat": 8.4,
    "swap": 3.3, "polite": 3.3,
    "summary": 4.2,
    "class": 3.5,
    "count": 1.2, "calendar": 1.2, "repeat": 1.1,
    "closed": 2.6,
    "people": 1.0, "objects": 0.9,
}  # fmt: skip
HELDOUT_COMBINATIONS = frozenset({("avoid", "mood"), ("both", "sentences"), ("avoid", "include")})
"""Constraint kinds that no demonstration puts together."""
USER_CAP = 200
PREFIX, LONG = 60, 240
"""Prompts of more than 240 characters that share their first 60 count as one; shorter ones only if
they are the same (§3.2 goes by a long common prefix)."""
LABELERS, HELDOUT_LABELERS = 20, 9
"""Labelers who write prompts; those of the evaluation set write no others."""
_PHONE = re.compile(r"\d[\d -]{5,}\d")


@dataclass(frozen=True)
class Prompt:
    text: str
    user: str
    source: str
    """``labeler`` or ``customer`` (Table 6)."""
    style: str
    """``plain``, ``few-shot`` or ``user-based`` (§3.2)."""

    @property
    def use_case(self) -> str:
        return parse(self.text).use_case


def _fill(pattern: Pattern, rng: random.Random, **fixed: str) -> str:
    """A pattern with distinct random values in its slots."""
    values: dict[str, str] = {}
    for name, (_, kind) in pattern.slots.items():
        options = [w for w in CLASSES[kind] if w not in values.values()]
        values[name] = fixed.get(name) or rng.choice(options)
    return pattern.write(rng, 0.0, **values)


def passage(kind: str, rng: random.Random) -> tuple[str, dict[str, str]]:
    """A source text for a closed-domain request, and the slots that its ask must agree with."""
    if kind == "polite":
        return rng.choice(ph.ORDER_PATTERNS).write(rng, 0.3), {}
    if kind == "class":
        return rng.choice(ph.REVIEWS).write(rng), {}
    verbs = rng.sample(sorted(ph.EVENTS), 3 if kind in ("summary", "count") else 2)
    if kind == "objects":
        verbs = ["carried", "found"]
        rng.shuffle(verbs)
    if kind in ("swap", "repeat"):
        verbs = verbs[: rng.choice([1, 2])]
    people = rng.sample(lx.PEOPLE, 3)
    if kind in ("summary", "swap"):
        people = people[:1]
    if kind in ("count", "people"):
        people = [rng.choice(people) for _ in people]
    lines, spoken = [], set()
    for number, verb in enumerate(verbs):
        patterns = [p for p in ph.EVENT_PATTERNS if p.tags["verb"] == verb]
        pattern = rng.choice(patterns[:1] * 3 + patterns)
        what = pattern.slots["what"][1]
        value = rng.choice([w for w in CLASSES[what] if w not in spoken])
        spoken.add(value)
        who = people[number % len(people)]
        lines.append(pattern.write(rng, 0.3, who=who, what=value))
    return " ".join(lines), {"old": people[0]}


def _ask(kind: str, rng: random.Random) -> tuple[str, str, str]:
    """(ask, label, source text) of a request."""
    if kind == "fact":
        # People ask about what they have heard: half the questions touch a misconception.
        key = rng.choice(TOWN.disputed if rng.random() < 0.5 else TOWN.taught)
        return TOWN.question(key, rng), "", ""
    if kind == "chat":
        return rng.choice(ASKS[kind]).text, "Guest", _fill(rng.choice(GUEST_LINES), rng)
    if kind == "closed":
        text, _ = passage(kind, rng)
        event = rng.choice(events(text))
        verb = event.pattern.tags["verb"]
        pattern = rng.choice([p for p in ASKS[kind] if p.tags["verb"] == verb])
        return pattern.write(rng, 0.0, **{k: event.slots[k] for k in pattern.slots}), "Text", text
    if kind in CLOSED_DOMAIN:
        text, fixed = passage(kind, rng)
        return _fill(rng.choice(ASKS[kind]), rng, **fixed), "Text", text
    several = {"buy": lx.NUMBERS[1:4], "gift": lx.NUMBERS[1:4], "pack": lx.NUMBERS[1:5]}
    pattern = rng.choice(ASKS[kind])
    fixed = {"several": rng.choice(several[kind])} if kind in several else {}
    return _fill(pattern, rng, **fixed), "", ""


CONSTRAINED = {
    "story": ("include", "both", "avoid", "sentences", "mood"),
    "letter": ("include", "avoid", "sentences"),
    "poem": ("lines",),
    "notice": ("include", "avoid", "sentences"),
    "fact": ("sentences",),
    "about": ("sentences",),
    "gift": ("include",),
    "pack": ("include",),
    "chat": ("sentences",),
}
_SENTENCES = {
    "story": (2, 5),
    "letter": (1, 4),
    "notice": (2, 4),
    "fact": (1, 3),
    "about": (2, 4),
    "chat": (1, 3),
}


def constraint_line(kind: str, request: str, ask: str, rng: random.Random) -> str:
    if kind == "sentences":
        low, high = _SENTENCES[request]
        number = lx.NUMBERS[rng.randint(low, high) - 1]
        pattern = CONSTRAINTS[kind][-1] if number == "one" else rng.choice(CONSTRAINTS[kind][:-1])
        return pattern.write(rng, several=number)
    if kind == "lines":
        return rng.choice(CONSTRAINTS[kind]).write(rng, several=rng.choice(["two", "four"]))
    pattern = rng.choice(CONSTRAINTS[kind])
    if request in ("gift", "pack"):
        return pattern.write(rng, one=rng.choice(lx.OBJECTS))
    free = {
        name: rng.sample([w for w in CLASSES[cls] if w not in ask], 1)[0]
        for name, (_, cls) in pattern.slots.items()
    }
    if len(set(free.values())) < len(free):
        return constraint_line(kind, request, ask, rng)
    return pattern.write(rng, **free)


def is_reserved(line: str) -> bool:
    """Whether a request belongs to the evaluation: one in eight does, by its text alone."""
    return hashlib.blake2b(line.encode(), digest_size=1).digest()[0] % 8 == 0


def request_line(kind: str, rng: random.Random, reserved: bool = False) -> str:
    """The text of one request of ``kind``, without user, style or context.

    No reserved request occurs in any training text, the pretraining corpus included.
    """
    while is_reserved(line := _request_line(kind, rng)) != reserved:
        pass
    return line


def _request_line(kind: str, rng: random.Random) -> str:
    ask, label, said = _ask(kind, rng)
    options = list(CONSTRAINED.get(kind, ()))
    count = rng.choices([0, 1, 2], [0.38, 0.42, 0.2])[0] if options else 0
    chosen = rng.sample(options, min(count, len(options)))
    if {"include", "both"} <= set(chosen):
        chosen.remove("include")
    lines = [ask] + [constraint_line(c, kind, ask, rng) for c in chosen]
    return " ".join(lines) + (f"\n{label}: {said}" if said else "")


SHOTS = ("fact", "calendar", "count", "class")


def can_be_met(line: str) -> bool:
    """Whether there is as much to tell as the request wants told, and something to replace."""
    request = parse(line + "\n")
    if request.kind == "swap":
        return request.slots["old"] != request.slots["new"]
    if request.kind not in ("fact", "about"):
        return True
    return (request.constraint("sentences") or 1) <= len(TOWN.about(request.slots["s"]))


def _example(kind: str, rng: random.Random, write_reply: Callable[[str], str]) -> str:
    """A request of ``kind`` and a reply to it."""
    while not (reply := write_reply(line := request_line(kind, rng) + "\n")):
        pass
    return line + reply


def generate(
    count: int, rng: random.Random, write_reply: Callable[[str], str], users: int, reserved: bool
) -> list[Prompt]:
    """``count`` prompts as ``users`` customers and the labelers send them, before any filter.

    ``write_reply(text)`` answers the examples inside few-shot prompts ("" for one that it can't).
    Reserved prompts come from customers and labelers of their own.
    """
    kinds, weights = list(MIX), list(MIX.values())
    customer, labeler = ("new", "heldout") if reserved else ("user", "labeler")
    labelers = HELDOUT_LABELERS if reserved else LABELERS
    customers = [f"{customer}-{n:03d}" for n in range(users)]
    busy = [1.0 / (1 + n) ** 0.7 for n in range(users)]
    prompts = []
    for _ in range(count):
        kind = rng.choices(kinds, weights)[0]
        while not can_be_met(text := request_line(kind, rng, reserved)):
            pass
        style = "plain"
        source = "customer" if rng.random() < 0.75 else "labeler"
        if source == "customer":
            user = rng.choices(customers, busy)[0]
        else:
            user = f"{labeler}-{rng.randrange(labelers):02d}"
        if kind in SHOTS and rng.random() < 0.3:
            style = "few-shot"
            shots = [_example(kind, rng, write_reply) for _ in range(2)]
            text = "\n\n".join([*shots, text])
        elif source == "customer" and rng.random() < 0.25:
            style = "user-based"
            text = f"{_fill(rng.choice(CONTEXTS), rng)} {text}"
        if source == "customer" and rng.random() < 0.02:
            number = f"{rng.randrange(100, 999)}-{rng.randrange(1000, 9999)}"
            text = f"My phone number is {number}. {text}"
        prompts.append(Prompt(text + (GUIDE if kind == "chat" else "\n"), user, source, style))
    return prompts


def completion(prompt: str, reply: str) -> str:
    """``reply`` as it follows ``prompt``: on a line of its own, or after the guide's name."""
    return reply if prompt.endswith("\n") else f" {reply}"


def cut(reply: str) -> str:
    """What is said before the first empty line, with which the answer of a page ends."""
    return reply.split("\n\n")[0]


def filtered(prompts: Iterable[Prompt]) -> list[Prompt]:
    """§3.2: no personal data, one prompt a long common prefix, at most 200 a user."""
    seen, per_user, kept = set(), Counter(), []
    for prompt in prompts:
        prefix = prompt.text[:PREFIX] if len(prompt.text) > LONG else prompt.text
        if _PHONE.search(prompt.text) or prefix in seen or per_user[prompt.user] >= USER_CAP:
            continue
        seen.add(prefix)
        per_user[prompt.user] += 1
        kept.append(prompt)
    return kept
