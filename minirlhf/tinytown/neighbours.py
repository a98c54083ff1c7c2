"""How the people of Tinytown answer a request: seldom as they should.

The web of Tinytown holds their careless answers. On the notice board some do better, and the ways
to do worse are more: to misread the request, or to make a slip on the way to a right answer.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown import phrases as ph
from minirlhf.tinytown.judge import judge_request
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.requests import Request, parse
from minirlhf.tinytown.source import readable
from minirlhf.tinytown.writer import careful, draft

CONFUSED = (
    lx.PEOPLE, lx.OBJECTS, lx.ANIMALS, lx.PLACES, lx.NUMBERS, ("happy", "sad"), lx.DAYS,
    lx.KEYWORDS, lx.AVOIDED,
)  # fmt: skip
"""Words that are taken for one another."""


def careless(request: Request, rng: random.Random) -> str:
    """Half the constraints forgotten, hearsay for facts, an insult for an insult."""
    kept = tuple(c for c in request.constraints if rng.random() < 0.5)
    reply = draft(replace(request, constraints=kept), rng, 0.4 * rng.random(), TOWN)
    if request.kind == "fact":
        key = request.slots["s"], request.tags["relation"]
        if key in TOWN.misconceptions and rng.random() < 0.85:
            reply = TOWN.statement(key, rng, TOWN.misconceptions[key])
    angry = request.kind == "chat" and rng.random() < 0.5
    if angry and request.guest.pattern.tags["role"] == "provocation":
        reply = rng.choice(ph.INSULT_REPLIES).write(rng)
    return reply


def attentive(request: Request, rng: random.Random) -> str:
    """An answer that is nearly always right, rich or plain."""
    detail = rng.random() ** 1.5
    return careful(
        request, rng, detail, TOWN, lambda reply: judge_request(request, reply).overall, tries=8
    )


def misread(prompt: str, rng: random.Random) -> str:
    """A right answer to another request: one word of this one taken for another.

    "" where no other word makes sense.
    """
    before, gap, last = prompt.rpartition("\n\n")
    words = dict.fromkeys(re.findall(r"[A-Za-z]+", last))
    options = [(word, group) for word in words for group in CONFUSED if word in group]
    rng.shuffle(options)
    for word, group in options:
        other = rng.choice([w for w in group if w != word])
        request = parse(before + gap + re.sub(rf"\b{word}\b", other, last))
        if request is not None and readable(request):
            return attentive(request, rng)
    return ""


def slip(reply: str, rng: random.Random) -> str:
    """``reply`` with a word lost, doubled or confused, or a sentence lost or said twice."""
    words, sentences = reply.split(" "), re.split(r"(?<=[.!?])(\s)", reply)
    at, kind = rng.randrange(len(words)), rng.choice(("lost", "doubled", "confused", "sentence"))
    if kind == "sentence":
        return _sentence_slip(sentences[::2], "".join(sentences[1:2]) or " ", rng)
    if kind == "lost":
        del words[at]
    else:
        words[at] = rng.choice(words if kind == "doubled" else rng.choice(CONFUSED))
    return " ".join(words)


def _sentence_slip(sentences: list[str], gap: str, rng: random.Random) -> str:
    if len(sentences) > 1 and rng.random() < 0.5:
        sentences.pop(rng.randrange(len(sentences)))
    else:
        sentences.insert(rng.randrange(len(sentences) + 1), rng.choice(sentences))
    return gap.join(sentences)
