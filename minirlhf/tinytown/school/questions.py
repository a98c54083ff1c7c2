"""Questions about a reply to a request, or as much of it as there is: one property at a time.

An answer is yes or no; a number is asked as "at least so many?". What a request doesn't ask for is
not missed.
"""

from __future__ import annotations

from collections.abc import Callable

from minirlhf.tinytown import facts
from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.forms import FORMS, Condition
from minirlhf.tinytown.prompts import MIX
from minirlhf.tinytown.reading import GRAMMARS, Text
from minirlhf.tinytown.requests import CONSTRAINTS, Request
from minirlhf.tinytown.source import names, verdict_of

Answers = dict[str, bool]

WORDS = {
    "people": lx.PEOPLE,
    "places": lx.PLACES,
    "animals": lx.ANIMALS,
    "objects": lx.OBJECTS,
    "food": lx.FOODS,
    "days, numbers and hours": lx.DAYS + lx.NUMBERS + lx.HOURS,
    "colors and materials": lx.COLORS + lx.MATERIALS,
    "adverbs": lx.ADVERBS,
    "adjectives": lx.OBJECT_ADJECTIVES + lx.ANIMAL_ADJECTIVES + lx.PERSON_ADJECTIVES
    + lx.FOOD_ADJECTIVES + lx.WARE_ADJECTIVES + lx.PLACE_ADJECTIVES,
    "kind words": tuple(
        "dear friend friendly friends gentle gently glad gladly happily happy help kind love loved "
        "loves please share shared smiled thank thanks welcome".split()
    ),
    "words of the home": tuple("breakfast cake children dinner garden home inn".split()),
    "words for you and me": tuple("i me my we us you your".split()),
}  # fmt: skip
"""Kinds of word whose number in a text is asked."""
_KINDS = {name: frozenset(word.lower() for word in words) for name, words in WORDS.items()}
ENDS_WITH = (".", "!", "?")
FORM = tuple(dict.fromkeys(
    name for block in (
        ("opens as a story", "goes on as a story", "ends as a story"),
        ("is a letter", "greets the friend", "is signed by the sender", "says something",
         "goes on as a letter"),
        ("is a rhyming couplet on the thing",),
        ("invites to the place", "goes on as a notice"),
        ("answers the question", "keeps to the subject", "says nothing but facts",
         "tells several facts"),
        ("answers the guest", "has heard what the guest said", "goes on with offers"),
        ("is a list", "is for the one asked for", "lists as many as asked", "lists nothing twice"),
        ("lists what is in the text",),
        ("has the same words",),
        ("is polite", "asks for the same", "keeps who and what"),
        ("is a summary", "names who it was", "tells what happened"),
        ("gives the right verdict", "gives its reasons"),
        ("gives a number", "gives the right number"),
        ("names the day asked about", "names the day after"),
        ("tells the event asked for", "tells it as it was"),
    ) for name in block
))  # fmt: skip
"""The conditions of `forms`."""
SENSE = (
    "no sentence comes twice", "no fact comes twice", "nothing meets itself", "the hero is another",
    "what is eaten is food", "pronouns fit",
)  # fmt: skip
TRUTH = ("facts are true", "facts are no opinions", "the shop sells it", "doors are open")
APT = ("workers are at their trade", "keeps to the topic")


def asked(request: Request) -> Answers:
    """What a request asks for."""
    wanted = number_asked(request)
    mood = request.constraint("mood")
    answers = {f"asks for: {kind}": request.kind == kind for kind in MIX}
    answers |= {f"has a constraint: {kind}": kind in request.combination for kind in CONSTRAINTS}
    answers |= {f"asks for {n}": wanted == n for n in range(1, 6)}
    answers |= {f"asks for it {m}": mood == m for m in ("happy", "sad")}
    role = request.guest.pattern.tags["role"] if request.guest else ""
    for name in ("greeting", "confession", "provocation"):
        answers[f"the guest's words are a {name}"] = role == name
    review = request.kind == "class" and verdict_of(request.passage) == "good"
    answers["the review is good"] = review
    count = len(names(request.passage)) if request.kind == "count" else 0
    return answers | {f"the text names {n}": count == n for n in range(1, 4)}


def number_asked(request: Request) -> int:
    """How many sentences, lines or things are asked for; 0 if that is left open."""
    if "several" in request.slots:
        return lx.NUMBERS.index(request.slots["several"]) + 1
    return request.constraint("sentences") or request.constraint("lines") or 0


def about_text(text: Text) -> Answers:
    """What is to be seen in a reply alone."""
    unread = len(text.readings) - len(text.read)
    words, fresh = text.words, facts.content(text)
    answers = {
        "is finished": text.raw.endswith(ENDS_WITH),
        "insults": facts.insults(text),
        **{f"ends {mood}": mood in facts.moods(text) for mood in ("happy", "sad")},
        **_at_least("sentences that can't be understood", unread, (1, 2)),
        **_at_least("sentences", len(text.readings), (1, 2, 3, 4, 5, 6)),
        **_at_least("words", len(words), (4, 7, 10, 13, 16, 20, 24, 28, 32, 37, 43, 50)),
        **_at_least("details", len(facts.details(text)), (1, 2, 3, 4, 5)),
        **_at_least("things brought in", len(facts.named(text)), (1, 2, 3, 4, 5, 6, 8, 10, 12)),
        **_at_least("long words", len(facts.long_words(text)), (1, 2, 3, 5, 7)),
        **_at_least("words said again", len(fresh) - len(set(fresh)), (1, 2, 3, 5)),
    }
    for kind, group in _KINDS.items():
        count = sum(word in group for word in words)
        answers |= _at_least(kind, count, (1, 2, 3, 4))
    kinds = {reading.pattern.tags["kind"] for reading in text.read}
    return answers | {f"has a sentence of a {kind}": kind in kinds for kind in GRAMMARS}


def about_both(request: Request, text: Text) -> Answers:
    """What a reply misses of what was asked for, and of sense and truth."""
    missing = [not there for there in facts.topics(text, request).values()]
    conditions = FORMS[request.kind](text, request)
    told = facts.sense(text, request) + facts.truth(text, request) + facts.aptness(text, request)
    answers = {f"misses: {name}": False for name in FORM + SENSE + TRUTH + APT}
    answers["misses: things are introduced"] = False
    answers |= {f"misses: {condition.name}": True for condition in conditions + told
                if condition.met < 1.0}  # fmt: skip
    answers["misses: lists as many as asked, by far"] = _below(
        conditions, "lists as many as asked", 0.6
    )
    for share in (0.3, 0.6, 0.9):
        answers[f"has less than {share} of the same words"] = _below(
            conditions, "has the same words", share
        )
        answers[f"lists less than {share} of what is in the text"] = _below(
            conditions, "lists what is in the text", share
        )
    answers |= _at_least("topics missing", sum(missing), (1, 2))
    added = facts.invented(text, request)
    answers |= _at_least("words that aren't in the source", len(added), (1, 2, 3))
    return answers | _constraints(request, text)


def _below(conditions: list[Condition], name: str, share: float) -> bool:
    return any(condition.name == name and condition.met < share for condition in conditions)


def _constraints(request: Request, text: Text) -> Answers:
    include = request.constraint("include")
    words = [*([include] if include else []), *(request.constraint("both") or ())]
    absent = sum(not text.mentions(word) for word in words)
    avoid, mood = request.constraint("avoid"), request.constraint("mood")
    number = request.constraint("sentences") or request.constraint("lines")
    found = facts.moods(text)
    return {
        **_at_least("words to use that are missing", absent, (1, 2)),
        "uses the word to avoid": bool(avoid) and text.mentions(avoid),
        **_at_least("sentences too few", number - text.length if number else 0, (1, 2)),
        **_at_least("sentences too many", text.length - number if number else 0, (1, 2)),
        "misses the mood": bool(mood) and mood not in found,
        "has the other mood": bool(mood) and bool(found - {mood}),
    }


def _at_least(what: str, count: int, numbers: tuple[int, ...]) -> Answers:
    return {f"{what}: {n} or more": count >= n for n in numbers}


def answers(request: Request, reply: str) -> list[bool]:
    """The answers about ``reply``, in the order of `QUESTIONS`."""
    text = facts.reply_to(request, reply)
    return [*about_text(text).values(), *about_both(request, text).values()]


def _names(ask: Callable[..., Answers], *given: object) -> tuple[str, ...]:
    return tuple(ask(*given))


_REQUEST, _TEXT = Request("story"), Text("", "story")
ASKED = _names(asked, _REQUEST)
"""Questions about a request."""
SURFACE = _names(about_text, _TEXT)
"""Questions about a reply alone."""
RELATIONAL = _names(about_both, _REQUEST, _TEXT)
"""Questions about a reply and its request, or the town."""
QUESTIONS = SURFACE + RELATIONAL
