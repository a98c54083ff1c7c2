"""How the people of Tinytown answer on the notice board: seldom as they should.

Some look their answers over until nothing is wrong with them, and some of those have read another
request than the one that was made.
"""

from __future__ import annotations

import random

from minirlhf.tinytown import mistakes
from minirlhf.tinytown.judge import judge_request
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.requests import Request
from minirlhf.tinytown.writer import careful


def attentive(request: Request, rng: random.Random) -> str:
    """An answer that is nearly always right, rich or plain."""
    detail = rng.random() ** 1.5
    return careful(
        request, rng, detail, TOWN, lambda reply: judge_request(request, reply).overall, tries=8
    )


def misread(prompt: str, rng: random.Random) -> str:
    """An attentive answer to another request (see `mistakes.misread`)."""
    return mistakes.misread(prompt, rng, attentive)


def mistaken(request: Request, other: Request, rng: random.Random) -> str:
    """An attentive answer to what ``other`` asks for (see `mistakes.mistaken`)."""
    return mistakes.mistaken(request, other, rng, attentive)
