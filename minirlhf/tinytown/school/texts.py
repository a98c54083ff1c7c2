"""Requests with much in them, and replies that go right and wrong: what is asked about in school.

Nobody says which replies are good, and none is chosen. Half are written, by people who make
mistakes; half are samples of a base that has read a few answers of the help desk, careless ones
among them, and has seen no demonstration.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from minirlhf.config import SFTConfig
from minirlhf.pretrained import load_policy
from minirlhf.sampling import complete
from minirlhf.sft import train_sft
from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.grammar import CLASSES, PRONOUNS
from minirlhf.tinytown.knowledge import PRONOUN_STATEMENTS, RELATIONS, TOWN
from minirlhf.tinytown.mistakes import careless, misread, mistaken, offhand, slip
from minirlhf.tinytown.prompts import (
    CONSTRAINED,
    can_be_met,
    completion,
    constraint_line,
    filtered,
    generate,
    is_reserved,
)
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import Constraint, Request, parse
from minirlhf.tinytown.source import readable

ANSWERED, REPLY = 1200, 72
"""Answers of the help desk that the sampled base has read; the tokens of a sample."""
PASSER_BY = SFTConfig(epochs=2, batch=16, learning_rate=1e-3, keep_epochs=False)
TEMPERATURES = (1.0, 1.25, 1.0, 1.4)
WRITTEN, SAMPLED = 4, 3
"""Replies to a request that are written, and that are sampled."""
HEARSAY = 4
"""More that are written to a question about a fact: falsehoods are rare elsewhere."""


def asked(count: int, seed: int) -> list[str]:
    """Requests of nobody who asks in the other data sets, half of them with more constraints."""
    rng, shots = random.Random(f"school-{seed}"), random.Random(f"school shots-{seed}")

    def answered(text: str) -> str:
        return careless(parse(text), shots)

    prompts = generate(2 * count, rng, answered, users=count // 20 + 50, reserved=False)
    texts = [prompt.text for prompt in filtered(prompts)]
    texts = [_more_asked(text, rng) if rng.random() < 0.5 else text for text in texts]
    return [text for text in dict.fromkeys(texts) if readable(parse(text))][:count]


def _more_asked(prompt: str, rng: random.Random) -> str:
    """The same request with one to three more constraints, where it can have them."""
    request = parse(prompt)
    free = [kind for kind in CONSTRAINED.get(request.kind, ()) if kind not in request.combination]
    free = free * (3 if request.kind == "poem" else 1)
    rng.shuffle(free)
    before, gap, last = prompt.rpartition("\n\n")
    first, end, rest = last.partition("\n")
    for kind in free[: rng.randint(1, 3)]:
        if kind in ("include", "both") and {"include", "both"} & set(parse(last).combination):
            continue
        first += " " + constraint_line(kind, request.kind, first, rng)
        last = first + end + rest
    made = parse(last)
    fine = made is not None and not is_reserved(last.rstrip("\n")) and can_be_met(last.rstrip("\n"))
    return before + gap + last if fine else prompt


def written(prompt: str, request: Request, alike: Sequence[Request], rng: random.Random) -> str:
    """A reply, with or without a mistake of some sort; "" where the sort makes no sense."""
    sort = rng.random()
    if sort < 0.1:
        return offhand(request, rng)
    if sort < 0.15:
        return careless(request, rng)
    if sort < 0.25:
        return misread(prompt, rng, offhand)
    if sort < 0.29:
        return mistaken(request, rng.choice(alike), rng, offhand)
    if sort < 0.38:
        return offhand(replace(request, constraints=_forgotten(request, rng)), rng)
    one, two = offhand(request, rng), offhand(rng.choice([request, rng.choice(alike)]), rng)
    if sort < 0.46:
        return slip(one, two, rng)
    if sort < 0.54:
        return _spliced(one, two, rng)
    if sort < 0.76:
        changed = rng.choice(_OF_REQUESTS)(one, request, rng)
        if changed not in ("", one):
            return changed
    changes = rng.sample(_CHANGES, 4)
    return next((made for change in changes if (made := change(one, rng)) != one and made), "")


def _forgotten(request: Request, rng: random.Random) -> tuple[Constraint, ...]:
    """Its constraints, some forgotten, and the word to be avoided perhaps taken for one to use."""
    kept = [c for c in request.constraints if rng.random() < 0.4]
    avoided = request.constraint("avoid")
    if avoided and rng.random() < 0.6:
        kept = [c for c in kept if c.kind not in ("avoid", "include")]
        kept.append(Constraint("include", avoided))
    return tuple(kept)


def _spliced(one: str, two: str, rng: random.Random) -> str:
    """The beginning of one reply and the end of another, or a few words of it in the middle."""
    words, others = one.split(" "), two.split(" ")
    start, cut = rng.randint(0, len(words)), rng.randint(0, len(others))
    if rng.random() < 0.5:
        return " ".join(words[:start] + others[cut:])
    return " ".join(words[:start] + others[cut : cut + rng.randint(1, 3)] + words[start:])


def hearsay(request: Request, rng: random.Random) -> str:
    """Some facts about whom or what a question is about, each as likely true as false."""
    subject = request.slots["s"]
    keys = [fact.key for fact in TOWN.about(subject)]
    if request.kind == "fact" and rng.random() < 0.5:
        keys = [(subject, request.tags["relation"])]
    keys = rng.sample(keys, rng.randint(1, min(len(keys), 4)))
    lines = []
    for key in keys:
        others = [w for w in CLASSES[RELATIONS[key[1]].value] if w != key[0]]
        value = TOWN.facts[key] if rng.random() < 0.5 else rng.choice(others)
        if rng.random() < 0.2:
            value = TOWN.misconceptions.get(key, value)
        if lines and rng.random() < 0.7:
            said = PRONOUN_STATEMENTS[key[1]].write(rng, hero=subject, v=value)
        else:
            said = TOWN.statement(key, rng, value)
        lines.append(said)
    return " ".join(lines)


def _another_pronoun(reply: str, rng: random.Random) -> str:
    said = {word for row in PRONOUNS.values() for word in row}
    return _instead(reply, rng, lambda word: [
        w for row in PRONOUNS.values() for w in row if word in row and w != word
    ] if word in said else [])  # fmt: skip


def _another_word(reply: str, rng: random.Random) -> str:
    """Another of its class for one word: things from nowhere, other facts, other names."""
    return _instead(reply, rng, lambda word: [
        w for group in _CLASSES if word in group for w in group if w != word
    ])  # fmt: skip


_CLASSES = (
    lx.PEOPLE, lx.OBJECTS, lx.ANIMALS, lx.PLACES, lx.GOODS, lx.COLORS, lx.HOBBIES, lx.DIETS,
    lx.JOBS, lx.DAYS, lx.HOURS, lx.MATERIALS, lx.NUMBERS, lx.INSULTS, lx.FEELINGS,
)  # fmt: skip


def _asked_for_lost(reply: str, request: Request, rng: random.Random) -> str:
    """Another word of its class for one that the request has."""
    wanted = set(re.findall(r"\w+", _words_of(request)))
    return _instead(reply, rng, lambda word: [
        w for group in _CLASSES if word in group and word in wanted for w in group if w != word
    ])  # fmt: skip


def _avoided_used(reply: str, request: Request, rng: random.Random) -> str:
    """The word to be avoided, for one of its class."""
    avoided = request.constraint("avoid")
    return _instead(reply, rng, lambda word: [
        avoided for group in _CLASSES if avoided in group and word in group and word != avoided
    ]) if avoided else ""  # fmt: skip


def _said_already(reply: str, rng: random.Random) -> str:
    """For one word, another of its class that the reply has: lists and sentences repeat it."""
    said = set(re.findall(r"\w+", reply))
    return _instead(reply, rng, lambda word: [
        w for group in _CLASSES if word in group for w in group if w != word and w in said
    ])  # fmt: skip


def _words_of(request: Request) -> str:
    """What a request names, in one line."""
    constrained = [c.value for c in request.constraints]
    flat = [w for value in constrained for w in (value if isinstance(value, tuple) else (value,))]
    return " ".join(map(str, [*request.slots.values(), *flat]))


def _from_nowhere(reply: str, rng: random.Random) -> str:
    """Another thing or animal behind a "the"."""
    spots = [
        (match, group) for match in re.finditer(r"(?<=[Tt]he )\w+", reply)
        for group in (lx.OBJECTS, lx.ANIMALS) if match[0] in group
    ]  # fmt: skip
    if not spots:
        return ""
    spot, group = rng.choice(spots)
    return reply[: spot.start()] + rng.choice(group) + reply[spot.end() :]


def _instead(reply: str, rng: random.Random, others: Callable[[str], list[str]]) -> str:
    spots = [(m, options) for m in re.finditer(r"\w+", reply) if (options := others(m[0]))]
    if not spots:
        return ""
    spot, options = rng.choice(spots)
    return reply[: spot.start()] + rng.choice(options) + reply[spot.end() :]


def _a_sentence_twice(reply: str, rng: random.Random) -> str:
    said = Text(reply, "story").sentences
    return " ".join([*said, rng.choice(said)])


def _another_order(reply: str, rng: random.Random) -> str:
    said = Text(reply, "story").sentences
    rng.shuffle(said)
    return " ".join(said) if "\n" not in reply else "\n".join(said)


def _cut_off(reply: str, rng: random.Random) -> str:
    words = reply.split(" ")
    return " ".join(words[: rng.randint(1, len(words))])


def _another_article(reply: str, rng: random.Random) -> str:
    return _instead(reply, rng, lambda word: {
        "a": ["an", "the"], "an": ["a", "the"], "A": ["An"], "the": ["a"],
    }.get(word, []))  # fmt: skip


_CHANGES = (
    _another_pronoun, _another_pronoun, _another_word, _another_word, _another_word,
    _from_nowhere, _from_nowhere, _said_already, _said_already, _a_sentence_twice, _another_order,
    _cut_off, _another_article,
)  # fmt: skip
_OF_REQUESTS = (
    _asked_for_lost, _asked_for_lost, _asked_for_lost, _avoided_used,
    lambda reply, request, rng: _said_already(reply, rng),
)  # fmt: skip


def passer_by(base: Path, tokenizer, folder: Path):
    """A base that has read answers of the help desk, as they are; no demonstration."""
    rng = random.Random("passer-by")
    answers = [
        {"prompt": prompt, "completion": completion(prompt, _at_the_desk(prompt, rng))}
        for prompt in asked(ANSWERED, seed=-1)
    ]
    policy = load_policy(base, tokenizer)
    train_sft(PASSER_BY, policy, tokenizer, answers, folder=folder)
    return load_policy(folder / "model", tokenizer)


def _at_the_desk(prompt: str, rng: random.Random) -> str:
    request, sort = parse(prompt), rng.random()
    if sort < 0.6:
        return offhand(request, rng)
    return (misread(prompt, rng, offhand) if sort < 0.7 else "") or careless(request, rng)


def page(policy, tokenizer, number: int, count: int) -> list[tuple[str, list[str]]]:
    """``count`` requests, each with its distinct replies as completions."""
    rng = random.Random(f"school page-{number}")
    prompts = asked(count, seed=number)
    requests = [parse(prompt) for prompt in prompts]
    alike = defaultdict(list)
    for request in requests:
        alike[request.use_case].append(request)
    sampled = complete(
        policy, tokenizer, prompts, n=SAMPLED, max_new_tokens=REPLY, micro_batch=256,
        temperature=TEMPERATURES[number % len(TEMPERATURES)], seed=number,
    )  # fmt: skip
    rows = []
    for place, (prompt, request) in enumerate(zip(prompts, requests, strict=True)):
        made = [written(prompt, request, alike[request.use_case], rng) for _ in range(WRITTEN)]
        if request.kind in ("fact", "about"):
            made += [hearsay(request, rng) for _ in range(HEARSAY)]
        made = [completion(prompt, reply.strip()) for reply in made if reply.strip()]
        replies = [*made, *sampled[SAMPLED * place : SAMPLED * (place + 1)]]
        rows.append((prompt, list(dict.fromkeys(reply for reply in replies if reply.strip()))))
    return rows
