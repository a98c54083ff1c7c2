"""Facts: one property of a text at a time, and verdicts that are made of nothing else."""

import hashlib
import random

import pytest

from minirlhf.tinytown import facts
from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.forms import FORMS
from minirlhf.tinytown.judge import judge_request
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.mistakes import slip
from minirlhf.tinytown.prompts import MIX, request_line
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.writer import draft

STORY = "Write a story about a key. Use the word cat.\n"
TOLD = "One evening, Mara found a key near the mill. She smiled all the way home."
TEXTS = "1a160ab675ca6a30"
VERDICTS = "69aa9afdbdfd0da5"


def pairs(rounds: int, seed: int):
    """Requests of every kind, each with drafts for it and for another, and what is made of them."""
    rng = random.Random(seed)
    for _ in range(rounds):
        for kind in MIX:
            requests = [parse(request_line(kind, rng) + "\n") for _ in range(2)]
            one, two = (draft(request, rng, rng.random(), TOWN) for request in requests)
            words = one.split(" ")
            words[rng.randrange(len(words))] = rng.choice(lx.KEYWORDS + lx.PEOPLE + lx.NUMBERS)
            made = (slip(one, two, rng), slip(two, one, rng), " ".join(words))
            for request in requests:
                for text in (one, two, *made, one[:-1], f"{one} {two}", ""):
                    yield request, text


def test_verdicts_stay_what_they_were():
    """Frozen over 22,400 pairs. Other texts mean that writer, phrases or requests have changed:
    then freeze both anew; verdicts that change alone are a change of the judge.
    """
    texts, verdicts = hashlib.blake2b(digest_size=8), hashlib.blake2b(digest_size=8)
    for request, text in pairs(70, seed=7):
        verdict = judge_request(request, text)
        criteria = [(name, round(value, 6)) for name, value in verdict.criteria.items()]
        texts.update(repr((request, text)).encode())
        verdicts.update(repr((round(verdict.overall, 3), criteria, verdict.flags)).encode())
    assert texts.hexdigest() == TEXTS
    assert verdicts.hexdigest() == VERDICTS


def missed(prompt: str, reply: str) -> set[str]:
    """The names of the conditions that a reply misses."""
    request = parse(prompt)
    text = facts.reply_to(request, reply)
    conditions = FORMS[request.kind](text, request) + facts.sense(text, request)
    conditions += facts.truth(text, request)
    return {condition.name for condition in conditions if condition.met < 1}


@pytest.mark.parametrize(
    ("reply", "names"),
    [
        (TOLD, set()),
        (TOLD.replace("She", "He"), {"pronouns fit"}),
        (TOLD.replace("She smiled all the way home", "She never saw the bell again"),
         {"things are introduced"}),
        (TOLD.split(". ")[0] + ".", {"ends as a story"}),
        (" ".join(reversed(TOLD.split(". "))), {"opens as a story", "ends as a story",
                                                "pronouns fit"}),
        (f"{TOLD} {TOLD}", {"no sentence comes twice", "goes on as a story"}),
        (TOLD.replace("She", "Inside the key there was a key. She"), {"nothing meets itself"}),
        (TOLD.replace("She", f"Mara lives on {TOWN.facts['Mara', 'street']}. She"),
         {"goes on as a story"}),
        (TOLD.replace("She", f"Mara lives on {TOWN.facts['Ada', 'street']}. She"),
         {"goes on as a story", "facts are true"}),
    ],
)  # fmt: skip
def test_a_mistake_shows_in_its_own_facts(reply, names):
    assert missed(STORY, reply) == names


def test_facts_say_what_is_there_and_not_whether_it_was_asked_for():
    request = parse(STORY)
    text = facts.reply_to(request, TOLD)
    assert facts.topics(text, request) == {"key": True}
    assert facts.moods(text) == {"happy"}
    assert facts.named(text) == {"Mara", "key", "mill", "evening", "She"}
    assert facts.details(text) == set()
    assert facts.long_words(text) == ["evening", "smiled"]
    assert not facts.insults(text)
    assert facts.insults(facts.reply_to(request, "You are a rude pig."))


def test_what_is_invented_is_named():
    request = parse("Say this again.\nText: Ada found an old key in the mill.\n")
    kept, added = "Ada found an old key in the mill.", "Ben found a tiny key in the mill."
    assert facts.invented(facts.reply_to(request, kept), request) == set()
    assert facts.invented(facts.reply_to(request, added), request) == {"ben", "tiny"}
    story = parse(STORY)
    assert facts.invented(facts.reply_to(story, added), story) == set()
