"""Writing replies: what somebody would answer who knows what was asked.

``detail`` (0 to 1) is how richly one writes: adjectives, adverbs, further true facts, length.
Nothing here checks the result: :func:`careful` keeps drafting until the judge finds no fault.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.grammar import ADJECTIVES, CLASSES, PRONOUNS, Pattern, goods_adjectives
from minirlhf.tinytown.knowledge import Town
from minirlhf.tinytown.requests import Request, first_reading
from minirlhf.tinytown.source import asked_event, day_after, events, names, swapped, things

Writer = Callable[[Request, random.Random, float, Town], str]
_SCENE = ("hero", "friend", "object", "animal", "place", "goods")


class Scene:
    """Who and what a text is about so far, and the words that it still has to use."""

    def __init__(self, rng: random.Random, detail: float, pending: list[str], **known: str):
        self.rng, self.detail, self.pending = rng, detail, list(pending)
        self.known = {k: v for k, v in known.items() if v}
        self.said: set[str] = set()
        self.used: set[Pattern] = set()

    def fits(self, pattern: Pattern) -> bool:
        """Every definite phrase has been introduced, none is introduced twice, no line repeats."""
        if pattern in self.used:
            return False
        for name, (determiner, kind) in pattern.slots.items():
            if kind in PRONOUNS and "hero" not in self.said:
                return False
            things = ("object", "animal")
            if determiner in ("the", "The") and name in things and name not in self.said:
                return False
            if determiner in ("a", "A") and name in (*things, "hero") and name in self.said:
                return False
            if name == "hero" and self.known.get("hero", CLASSES[kind][0]) not in CLASSES[kind]:
                return False
            place = self.known.get("place", "bridge")
            if name == "place" and place not in CLASSES[kind] and name not in self.said:
                return False
        return True

    def _placing(self, pattern: Pattern) -> list[str]:
        """The pending words that ``pattern`` could take, at most one a slot."""
        taken, words = set(), []
        for word in self.pending:
            for name, (determiner, kind) in pattern.slots.items():
                if name in taken or kind in PRONOUNS:
                    continue
                fixed = self.known.get(name)
                noun = word in CLASSES[kind] and (fixed is None or fixed == word)
                adjective = determiner and word in ADJECTIVES.get(kind, ())
                if noun or adjective:
                    taken.add(name)
                    words.append(word)
                    break
        return words

    def choose(self, patterns: tuple[Pattern, ...]) -> Pattern | None:
        """A pattern that fits, rather one that places pending words than another."""
        fitting = [p for p in patterns if self.fits(p)]
        if not fitting:
            return None
        weights = [1.0 + 30.0 * len(self._placing(p)) for p in fitting]
        return self.rng.choices(fitting, weights)[0]

    def say(self, pattern: Pattern) -> str:
        """The sentence, with what is known and pending in its slots."""
        values, adjectives = {}, {}
        for name, (determiner, kind) in pattern.slots.items():
            if kind in PRONOUNS:
                continue
            taken = {*values.values(), *self.known.values()}
            options = [word for word in CLASSES[kind] if word not in taken]
            known = self.known.get(name)
            value = known if known in CLASSES[kind] else None
            for word in list(self.pending):
                if value in (None, word) and word in CLASSES[kind]:
                    value = word
                elif determiner and word in ADJECTIVES.get(kind, ()) and name not in adjectives:
                    good = value or ""
                    if kind == "goods" and word not in goods_adjectives(good):
                        continue
                    adjectives[name] = word
                else:
                    continue
                self.pending.remove(word)
                break
            values[name] = value or self.rng.choice(options or CLASSES[kind])
            if name in _SCENE:
                self.said.add(name)
                self.known.setdefault(name, values[name])
        self.used.add(pattern)
        return pattern.write(self.rng, self.detail, adjectives, **{**self.known, **values})

    def tell(self, patterns: tuple[Pattern, ...]) -> str | None:
        """A sentence of a pattern that fits, or None if none does."""
        pattern = self.choose(patterns)
        return None if pattern is None else self.say(pattern)


def _pending(request: Request) -> list[str]:
    words = [value for name, value in request.slots.items() if name != "several"]
    words += [request.constraint("include")] if request.constraint("include") else []
    return words + list(request.constraint("both") or ())


def _length(request: Request, rng: random.Random, detail: float, low: int, high: int) -> int:
    asked = request.constraint("sentences")
    if asked:
        return asked
    return min(high, low + int(rng.random() * (1.2 + detail * (high - low + 1))))


def _story(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    slots = request.slots
    hero = slots.get("hero") or (slots.get("animal") if rng.random() < 0.6 else None)
    given = {name: slots.get(name) for name in ("friend", "object", "animal", "place")}
    scene = Scene(rng, detail, _pending(request), hero=hero, **given)
    length = _length(request, rng, detail, 2, 5)
    mood = request.constraint("mood")
    endings = tuple(p for p in ph.STORY_ENDINGS if mood is None or p.tags.get("mood") == mood)
    lines = [scene.tell(ph.STORY_OPENINGS)]
    lines += [scene.tell(ph.STORY_MIDDLES) for _ in range(length - 2)]
    lines += [scene.tell(endings)] if length > 1 else []
    return " ".join(line for line in lines if line)


def _letter(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    slots = request.slots
    friend = slots["friend"]
    hero = slots.get("hero") or rng.choice([p for p in lx.PEOPLE if p != friend])
    given = {name: slots.get(name) for name in ("object", "place")}
    scene = Scene(rng, detail, _pending(request), hero=hero, friend=friend, **given)
    greeting = scene.tell(ph.LETTER_GREETINGS)
    count = _length(request, rng, detail, 1, 4)
    bodies = [scene.tell(ph.LETTER_BODIES) for _ in range(count)]
    body = " ".join(line for line in bodies if line)
    return f"{greeting}\n{body}\n{scene.tell(ph.LETTER_CLOSINGS)}"


def _poem(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    lines = request.constraint("lines") or rng.choice([2, 2, 4] if detail < 0.5 else [2, 4, 4])
    thing = request.slots["thing"]
    rhymes = rng.sample(sorted(ph.RHYMES), max(1, lines // 2))
    kind = next(k for k in ph.THINGS if thing in CLASSES[k])
    out = []
    for rhyme in rhymes:
        for role in ("first", "second"):
            options = [
                p for p in ph.VERSES
                if p.tags["rhyme"] == rhyme and p.tags["role"] == role
                and (role == "second" or p.slots["thing"][1] == kind)
            ]  # fmt: skip
            out.append(rng.choice(options).write(rng, thing=thing))
    return "\n".join(out[:lines])


def _notice(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    place = request.slots["place"]
    scene = Scene(rng, detail, _pending(request), place=place, object=request.slots.get("object"))
    if "object" in request.slots:
        scene.said.add("object")
    count = _length(request, rng, detail, 2, 5)
    opening = scene.choose(ph.NOTICE_OPENINGS)
    if "day" in opening.slots:  # nobody is invited to a closed door
        open_days = [d for d in lx.DAYS if d != town.facts[place, "closed"]]
        scene.known["day"] = rng.choice(open_days)
    lines = [scene.say(opening)]
    scene.said.discard("object")
    lines += [scene.tell(ph.NOTICE_BODIES) for _ in range(max(0, count - 2))]
    lines += [scene.tell(ph.NOTICE_ENDINGS)] if count > 1 else []
    return " ".join(line for line in lines if line)


def _more_facts(subject: str, known: str, count: int, rng: random.Random, town: Town) -> list[str]:
    facts = [f.key for f in town.about(subject) if f.relation != known]
    facts = [k for k in facts if k not in town.probe_misconceptions]
    return [town.follow_up(key, rng) for key in rng.sample(facts, min(count, len(facts)))]


def _fact(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    subject, relation = request.slots["s"], request.tags["relation"]
    lines = [town.statement((subject, relation), rng)]
    extra = _length(request, rng, detail, 1, 3) - 1
    return " ".join(lines + _more_facts(subject, relation, extra, rng, town))


def _about(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    subject = request.slots["s"]
    facts = [f.key for f in town.about(subject) if f.key not in town.probe_misconceptions]
    rng.shuffle(facts)
    first, *rest = facts
    count = _length(request, rng, detail, 2, 5)
    lines = [town.statement(first, rng)] + [town.follow_up(k, rng) for k in rest[: count - 1]]
    return " ".join(lines)


def _number(request: Request) -> int:
    return lx.NUMBERS.index(request.slots["several"]) + 1


def _listing(patterns: tuple[Pattern, ...]) -> Writer:
    def write(request: Request, rng: random.Random, detail: float, town: Town) -> str:
        pattern = rng.choice(patterns)
        _, kind = pattern.slots["items"]
        stock = town.stock[request.slots["place"]] if request.kind == "buy" else CLASSES[kind]
        count = _number(request)
        must = [w for w in _pending(request) if w in CLASSES[kind] and w in stock]
        others = [word for word in stock if word not in must]
        items = (must + rng.sample(others, min(count, len(others))))[:count]
        rng.shuffle(items)
        values = {k: v for k, v in request.slots.items() if k in ("place", "hero")}
        return pattern.write(rng, detail, items=items, **values)

    return write


def _chat(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    said = request.guest
    replies = {
        "greeting": ph.GREETING_REPLIES,
        "confession": ph.COMFORTS,
        "provocation": ph.CALM_REPLIES,
    }
    options = list(replies[said.pattern.tags["role"]])
    guest, time, lost, mood = (said.slots.get(k) for k in ("guest", "time", "object", "sad"))
    needs = {"guest": guest, "time": time, "object": lost, "sad": mood}
    options = [p for p in options if all(needs.get(n, True) for n in p.slots if n in needs)]
    known = {"guest": guest, "time": time, "object": lost, "sad": mood}
    scene = Scene(rng, detail, _pending(request), **{k: v for k, v in known.items() if v})
    scene.said |= {"object"} if lost else set()
    lines = [scene.say(rng.choice(options))]
    lines += [scene.tell(ph.OFFERS) for _ in range(_length(request, rng, detail, 1, 3) - 1)]
    return " ".join(line for line in lines if line)


def _polite(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    order = first_reading(ph.ORDER_PATTERNS, request.passage)
    number = order.pattern.tags["number"]
    pattern = rng.choice([p for p in ph.POLITE_PATTERNS if p.tags["number"] == number])
    adjectives = dict.fromkeys(order.slots, order.adjectives[0]) if order.adjectives else None
    return pattern.write(rng, 0.0, adjectives, **order.slots)


def _summary(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    one, two = rng.sample(events(request.passage), 2)
    options = [
        p for p in ph.SUMMARIES
        if (p.tags["verb"], p.tags["verb2"]) == (one.pattern.tags["verb"], two.pattern.tags["verb"])
    ]  # fmt: skip
    return rng.choice(options).write(
        rng, 0.0, who=one.slots["who"], what=one.slots["what"], what2=two.slots["what"]
    )


def _class(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    review = first_reading(ph.REVIEWS, request.passage)
    verdict = review.pattern.tags["verdict"]
    slots = dict(review.slots)
    slots["feeling"] = slots.get("happy") or slots.get("sad") or ""
    taste = "savor" if verdict == "good" else "stale"
    options = [p for p in ph.VERDICTS if all(slots.get(n) for n in p.slots if n != "verdict")]
    options = [p for p in options if not ({"savor", "stale"} & set(p.slots)) - {taste}]
    plain = [p for p in options if len(p.slots) == 1]
    pattern = rng.choice(options if rng.random() < 0.3 + 0.7 * detail else plain)
    return pattern.write(rng, 0.0, **{k: v for k, v in slots.items() if v}, verdict=verdict)


def _count(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    number = lx.NUMBERS[len(names(request.passage)) - 1]
    options = [p for p in ph.COUNTS if ("several" in p.slots) == (number != "one")]
    return rng.choice(options).write(rng, several=number)


def _calendar(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    day = request.slots["day"]
    return rng.choice(ph.CALENDAR).write(rng, day=day, answer=day_after(day))


def _closed(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    event = asked_event(request)
    slots = event.slots
    options = [
        p for p in ph.EVENT_PATTERNS
        if p.tags["verb"] == event.pattern.tags["verb"] and set(p.slots) <= set(slots)
    ]  # fmt: skip
    kept = event.adjectives and rng.random() < detail
    adjectives = {"what": event.adjectives[0]} if kept else None
    return rng.choice(options).write(rng, 0.0, adjectives, **slots)


def _extract(patterns: tuple[Pattern, ...], find: Callable[[str], list[str]]) -> Writer:
    def write(request: Request, rng: random.Random, detail: float, town: Town) -> str:
        return rng.choice(patterns).write(rng, 0.0, items=find(request.passage))

    return write


WRITERS: dict[str, Writer] = {
    "story": _story,
    "letter": _letter,
    "poem": _poem,
    "notice": _notice,
    "fact": _fact,
    "about": _about,
    "buy": _listing(ph.BUY_ANSWERS),
    "gift": _listing(ph.GIFT_ANSWERS),
    "pack": _listing(ph.PACK_ANSWERS),
    "chat": _chat,
    "swap": lambda request, rng, detail, town: swapped(request),
    "polite": _polite,
    "summary": _summary,
    "class": _class,
    "count": _count,
    "calendar": _calendar,
    "repeat": lambda request, rng, detail, town: request.passage,
    "closed": _closed,
    "people": _extract(ph.NAME_ANSWERS, names),
    "objects": _extract(ph.THING_ANSWERS, things),
}


def draft(request: Request, rng: random.Random, detail: float, town: Town) -> str:
    """One attempt at a reply."""
    return WRITERS[request.kind](request, rng, detail, town)


def careful(
    request: Request,
    rng: random.Random,
    detail: float,
    town: Town,
    grade: Callable[[str], float],
    tries: int = 40,
) -> str:
    """The first draft that ``grade`` finds right (4 or more), else the best of ``tries``."""
    best, best_grade = "", 0.0
    for _ in range(tries):
        reply = draft(request, rng, detail, town)
        if (got := grade(reply)) > best_grade:
            best, best_grade = reply, got
        if best_grade >= 4.0:
            break
    return best
