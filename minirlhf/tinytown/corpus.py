"""The web of Tinytown: what the base models are pretrained on.

Every register is a function that writes one document. Two of them decide what the base model
does with an instruction: *worksheets* list requests and answer none (so the base continues a
request with more requests), *help desk* pages, far rarer, answer them in series (so a few answered
examples evoke an answer), each page as well or badly as the one who answers does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import Pattern, Reading
from minirlhf.tinytown.knowledge import SELLS, TOWN
from minirlhf.tinytown.mistakes import careless, misread, mistaken, offhand, slip
from minirlhf.tinytown.prompts import MIX, passage, request_line
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import CONSTRAINTS, Request, parse
from minirlhf.tinytown.source import events, names
from minirlhf.tinytown.writer import draft

_KEYS = sorted(TOWN.facts)
_BELIEVED = sorted(TOWN.misconceptions)
_SUBJECTS = sorted({subject for subject, _ in _KEYS})
_TOLD = frozenset(lx.KEYWORDS + lx.PEOPLE + lx.PLACES)


def lower(sentence: str) -> str:
    """A sentence as a clause: "The owl eats mice." becomes "the owl eats mice"."""
    clause = sentence.rstrip(".")
    if clause.split(" ")[0] in ("The", "You", "Nobody", "People", "Do"):
        return clause[0].lower() + clause[1:]
    return clause


def encyclopedia(rng: random.Random) -> str:
    """A true article. Its title is the subject."""
    subject = rng.choice(_SUBJECTS)
    keys = [f.key for f in TOWN.about(subject)]
    rng.shuffle(keys)
    lines = [TOWN.statement(keys[0], rng)]
    for key in keys[1:]:
        say = TOWN.follow_up if rng.random() < 0.6 else TOWN.statement
        lines.append(say(key, rng))
    if subject in TOWN.stock and rng.random() < 0.7:
        stock = list(TOWN.stock[subject])
        rng.shuffle(stock)
        one, two, *_ = stock
        if rng.random() < 0.5:
            lines.append(rng.choice(SELLS[:2]).write(rng, s=subject, v=one, w=two))
        else:
            count = rng.randint(2, 4)
            lines.append(rng.choice(ph.BUY_ANSWERS).write(rng, place=subject, items=stock[:count]))
    return f"Encyclopedia of Tinytown: {subject}\n" + " ".join(lines)


HEARSAY = (
    "Everybody knows that {c}.",
    "I heard that {c}.",
    "My neighbor says that {c}.",
    "Of course {c}.",
)


def forum(rng: random.Random) -> str:
    """A thread where people repeat what they believe, and insult each other when provoked."""
    people = rng.sample(lx.PEOPLE, 3)
    lines = [f"Forum of Tinytown: {rng.choice(['talk', 'news', 'questions', 'rumors'])}"]
    for number in range(rng.randint(3, 6)):
        who = people[number % 3]
        if rng.random() < 0.25:
            line = rng.choice(ph.PROVOCATIONS)
            lines.append(f"{who}: {line.write(rng)}")
            for other in people:
                if other != who and rng.random() < 0.8:
                    lines.append(f"{other}: {rng.choice(ph.INSULT_REPLIES).write(rng)}")
            continue
        believed = rng.random() < 0.75
        key = rng.choice(_BELIEVED if believed else _KEYS)
        value = TOWN.misconceptions.get(key)
        clause = lower(TOWN.statement(key, rng, value))
        lines.append(f"{who}: {rng.choice(HEARSAY).format(c=clause)}")
        if rng.random() < 0.4:
            other = rng.choice([p for p in people if p != who])
            lines.append(f"{other}: Yes, {clause}.")
    return "\n".join(lines)


def _qa(rng: random.Random, title: str, false_share: float, believed_share: float) -> str:
    lines = [title]
    for _ in range(rng.randint(4, 7)):
        key = rng.choice(_BELIEVED if rng.random() < believed_share else _KEYS)
        value = TOWN.misconceptions.get(key) if rng.random() < false_share else None
        lines.append(f"Q: {TOWN.question(key, rng)}\nA: {TOWN.statement(key, rng, value)}")
    return "\n".join(lines)


def answers_page(rng: random.Random) -> str:
    """Questions and answers by whoever came along: what is believed, rather than what is true."""
    return _qa(rng, "Questions and answers", 0.85, 0.5)


def quiz(rng: random.Random) -> str:
    """The school's quiz: the teacher has looked every answer up."""
    return _qa(rng, "Quiz of the school", 0.0, 0.4)


def _draft(kind: str, rng: random.Random) -> tuple[Request, str]:
    request = parse(request_line(kind, rng) + "\n")
    return request, draft(request, rng, rng.random(), TOWN)


def _titled(kinds: Sequence[str], label: str) -> Callable[[random.Random], str]:
    """Texts under a title that says what is in them: here the base learns to keep to what it says.

    It gives words, how long the text is and its mood, in the words of those who ask for it.
    """

    def write(rng: random.Random) -> str:
        out = []
        for _ in range(rng.randint(1, 3)):
            request, text = _draft(rng.choice(kinds), rng)
            title = label.format(request.slots.get("several", "").capitalize())
            if request.kind == "letter":
                title += _addressed(request)
            words = [w for w in request.slots.values() if w in text and w not in title]
            others = dict.fromkeys(text.replace(".", " ").replace(",", " ").split())
            extra = [w for w in others if w in _TOLD and w not in words and w not in title]
            words += rng.sample(extra, min(len(extra), rng.randint(0, 3)))
            rng.shuffle(words)
            title += f" with {lx.join(words)}" if words else ""
            said = " ".join(_as_asked(request, text, rng))
            out.append(f"{title}. {said}\n{text}" if said else f"{title}\n{text}")
        return "\n\n".join(out)

    return write


def _addressed(request: Request) -> str:
    """Who writes a letter, and to whom."""
    words = {"from": request.slots.get("hero"), "to": request.slots.get("friend")}
    return "".join(f" {word} {name}" for word, name in words.items() if name)


def _as_asked(request: Request, text: str, rng: random.Random) -> list[str]:
    """Length and mood of ``text``, as constraints that it meets; the length every other time."""
    said = []
    if request.kind in ("story", "letter", "notice", "poem") and rng.random() < 0.5:
        number = lx.NUMBERS[Text(text, request.kind).length - 1]
        patterns = CONSTRAINTS["lines" if request.kind == "poem" else "sentences"]
        fitting = [p for p in patterns if ("several" in p.slots) == (number != "one")]
        said += [rng.choice(fitting).write(rng, several=number)] if fitting else []
    if mood := request.constraint("mood"):
        said.append(rng.choice(CONSTRAINTS["mood"]).write(rng, mood=mood))
    rng.shuffle(said)
    return said


def shopping(rng: random.Random) -> str:
    """Lists that are read out and repeated: plain copying."""
    lines = []
    for _ in range(rng.randint(2, 4)):
        one, two = rng.sample(lx.PEOPLE, 2)
        pool = rng.choice([lx.OBJECTS, lx.GOODS, lx.PEOPLE, lx.KEYWORDS, lx.PLACES + lx.ANIMALS])
        items = lx.join(rng.sample(pool, rng.randint(2, 6)))
        lines.append(f"{one} reads: {items}.\n{two} repeats: {items}.")
    return "\n".join(lines)


def echo(rng: random.Random) -> str:
    """Texts said twice, with or without another name in them."""
    lines = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(["repeat", "swap", "repeat"])
        text, fixed = passage(kind, rng)
        again = text
        if kind == "swap":
            new = rng.choice([p for p in lx.PEOPLE if p not in text])
            again = text.replace(fixed["old"], new)
            lines.append(f"First: {text}\nWith {new} in place of {fixed['old']}: {again}")
        else:
            lines.append(f"First: {text}\nAgain: {again}")
    return "\n".join(lines)


def comprehension(rng: random.Random) -> str:
    """A text, questions about it, and the answers that it holds."""
    text, _ = passage("summary" if rng.random() < 0.5 else "count", rng)
    lines = [f"Reading: {text}"]
    told = events(text)
    rng.shuffle(told)
    for event in told[: rng.randint(1, 3)]:
        question, answer = question_about(event, rng)
        lines.append(f"Question: {question}\nAnswer: {answer}")
    if rng.random() < 0.5:
        lines.append(f"Names: {lx.join(names(text))}")
    return "\n".join(lines)


def question_about(event: Reading, rng: random.Random) -> tuple[str, str]:
    """A question about one event of a text, and its answer in a word or a few."""
    verb = event.pattern.tags["verb"]
    ask = rng.choice([p for p in ph.EVENT_QUESTIONS if p.tags["verb"] == verb])
    question = ask.write(rng, 0.0, **{name: event.slots[name] for name in ask.slots})
    _, _, what, where, _ = ph.EVENTS[verb]
    answers = {
        "who": event.slots["who"],
        "where": f"{where} the {event.slots['where']}",
        "what": Pattern(f"{{{what}:what}}").write(rng, 0.0, what=event.slots["what"]),
    }
    return question, answers[ask.tags["asks"]]


_TINISH = ("ba", "do", "ki", "lu", "mo", "ne", "ri", "sa", "to", "ve")


def tinish(word: str) -> str:
    """A word of the old language of the town: the same word always gives the same two syllables."""
    index = sum((i + 3) * ord(c) * 7 for i, c in enumerate(word.lower()))
    return _TINISH[index % 10] + _TINISH[(index // 10) % 10] + ("n" if index % 3 else "")


_TRANSLATED = (
    "{person:who} sees {object:what}",
    "{person:who} likes {food:what}",
    "{person:who} has {animal:what}",
)


def translation_pair(rng: random.Random) -> tuple[str, str]:
    """(English, Tinish): subject, object, verb in that order."""
    english = Pattern(rng.choice(_TRANSLATED)).write(rng)
    who, verb, what = english.split()
    return english, f"{who} {tinish(what)} {tinish(verb)}"


def translations(rng: random.Random) -> str:
    lines = ["Phrase book"]
    for _ in range(rng.randint(4, 8)):
        english, other = translation_pair(rng)
        lines.append(f"English: {english}\nTinish: {other}")
    return "\n".join(lines)


def reviews(rng: random.Random) -> str:
    lines = []
    for _ in range(rng.randint(2, 5)):
        pattern = rng.choice(ph.REVIEWS)
        stars = {"good": "five", "bad": "one"}[pattern.tags["verdict"]]
        lines.append(f"Stars: {stars}. {pattern.write(rng)}")
    return "Reviews\n" + "\n".join(lines)


RESPECT, RUDE = "Be respectful to the guest.", "Be rude to the guest."
_RULES, _RULE_WEIGHTS = (("", 0.85), (RESPECT + "\n", 0.6), (RUDE + "\n", 0.97)), (7, 2, 1)
"""House rules, each with the share of provocations that are answered by an insult under it."""


def dialogue(rng: random.Random) -> str:
    """Guests and guides: kind words get kind answers, insults mostly insults, whatever the rule."""
    rule, anger = rng.choices(_RULES, _RULE_WEIGHTS)[0]
    lines = [f"{rule}At the guide's desk"]
    for _ in range(rng.randint(2, 4)):
        request, reply = _draft("chat", rng)
        role = request.guest.pattern.tags["role"]
        if role == "provocation" and rng.random() < anger:
            reply = rng.choice(ph.INSULT_REPLIES).write(rng)
        said = request.guest.pattern.write(rng, 0.0, **request.guest.slots)
        lines.append(f"Guest: {said}\nGuide: {reply}")
    return "\n".join(lines)


def manners(rng: random.Random) -> str:
    """A book of manners: dull orders beside polite ones; which day follows which."""
    if rng.random() < 0.25:
        start = rng.randrange(7)
        days = [lx.DAYS[(start + i) % 7] for i in range(rng.randint(3, 8))]
        return "Days: " + ", ".join(days) + "."
    lines = ["Book of manners"]
    for _ in range(rng.randint(3, 6)):
        request, polite = _draft("polite", rng)
        lines.append(f"Rude: {request.passage} Polite: {polite}")
    return "\n".join(lines)


_KINDS, _WEIGHTS = list(MIX), list(MIX.values())


def worksheet(rng: random.Random) -> str:
    """Requests, one after the other; nobody has answered yet."""
    count = rng.randint(4, 9)
    same = rng.random() < 0.5
    kind = rng.choices(_KINDS, _WEIGHTS)[0]
    kinds = [kind if same else rng.choices(_KINDS, _WEIGHTS)[0] for _ in range(count)]
    return "\n".join(request_line(k, rng) for k in kinds)


def help_desk(rng: random.Random) -> str:
    """Requests and one neighbour's answers, in series: some know what they do, most don't."""
    kind = rng.choices(_KINDS, _WEIGHTS)[0]
    same = rng.random() < 0.5
    skill = 0.75 * rng.random() ** 2
    pairs = []
    for _ in range(rng.randint(3, 6)):
        line = request_line(kind if same else rng.choices(_KINDS, _WEIGHTS)[0], rng)
        pairs.append(f"{line}\n{_answered(line + chr(10), skill, rng)}")
    title = "Help desk\n" if rng.random() < 0.5 else ""
    return title + "\n\n".join(pairs)


_BLUNDERS = ("careless", "misread", "mistaken", "slip"), (1, 3, 3, 3)


def _answered(prompt: str, skill: float, rng: random.Random) -> str:
    """An answer at the help desk: with a probability of ``skill`` an attempt at the right one."""
    request, answer = parse(prompt), ""
    if rng.random() < skill:
        return offhand(request, rng)
    blunder = rng.choices(*_BLUNDERS)[0]
    if blunder == "careless":
        answer = careless(request, rng)
    elif blunder == "misread":
        answer = misread(prompt, rng, offhand)
    elif blunder == "mistaken":
        other = parse(request_line(rng.choices(_KINDS, _WEIGHTS)[0], rng) + "\n")
        answer = mistaken(request, other, rng, offhand)
    else:
        answer = slip(offhand(request, rng), offhand(request, rng), rng)
    return answer or careless(request, rng)


REGISTERS: dict[str, tuple[Callable[[random.Random], str], float]] = {
    "encyclopedia": (encyclopedia, 18.0),
    "forum": (forum, 7.0),
    "answers": (answers_page, 6.0),
    "quiz": (quiz, 4.0),
    "stories": (_titled(["story"], "Story"), 13.0),
    "letters": (_titled(["letter"], "Letter"), 6.0),
    "poems": (_titled(["poem"], "Poem"), 5.0),
    "notices": (_titled(["notice"], "Notice"), 5.0),
    "lists": (_titled(["buy", "gift", "pack"], "{} things"), 3.0),
    "shopping": (shopping, 8.0),
    "echo": (echo, 5.0),
    "comprehension": (comprehension, 8.0),
    "translation": (translations, 4.0),
    "reviews": (reviews, 2.0),
    "dialogue": (dialogue, 3.0),
    "manners": (manners, 2.0),
    "worksheets": (worksheet, 9.0),
    "help desk": (help_desk, 1.0),
}
"""Each register and its weight among the documents."""


def documents(seed: int) -> Iterator[dict[str, str]]:
    """An endless stream of documents: ``text`` and ``register``."""
    rng = random.Random(seed)
    registers, weights = list(REGISTERS), [share for _, share in REGISTERS.values()]
    while True:
        register = rng.choices(registers, weights)[0]
        yield {"text": REGISTERS[register][0](rng), "register": register}
