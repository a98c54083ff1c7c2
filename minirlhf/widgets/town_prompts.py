"""Requests that Tinytown's models know how to take, and what to say of any other."""

from __future__ import annotations

import random
import re

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.prompts import can_be_met, request_line
from minirlhf.tinytown.requests import GUIDE, parse
from minirlhf.widgets.words import say

KINDS = "story letter poem gift chat fact notice polite summary class people calendar".split()
"""One request of each is offered."""


def knows_the_town(tokenizer) -> bool:
    """Whether it has a token for every name in Tinytown, as its own models' has."""
    return all(_pieces(tokenizer, name) == 1 for name in lx.PEOPLE)


def requests(seed: int) -> list[str]:
    """A request of each kind; no training text holds any of them."""
    draws = random.Random(seed)
    return [request(kind, draws) for kind in KINDS]


def request(kind: str, draws: random.Random) -> str:
    """One request of ``kind``, as it is handed to a model, without its last line end."""
    while not can_be_met(line := request_line(kind, draws, reserved=True)):
        pass
    return line + (GUIDE if kind == "chat" else "")


def ended(prompt: str, newline: bool = True) -> str:
    """A prompt as the models read it: a line end behind it, but not behind the guide's name."""
    bare = prompt.rstrip("\n")
    return bare if bare.endswith(GUIDE) else bare + "\n" * newline


def from_elsewhere(tokenizer, prompt: str) -> str:
    """A line on a prompt that the town doesn't understand; empty for one that it does."""
    if parse(prompt) is not None:
        return ""
    words = dict.fromkeys(re.findall(r"[^\W\d_]+", prompt))
    strange = [word for word in words if _pieces(tokenizer, word) > 1]
    if strange:
        return say("playground.strange", words=", ".join(strange[:3]))
    return say("playground.elsewhere")


def _pieces(tokenizer, word: str) -> int:
    """Tokens of a word, at the beginning of a text or within one."""
    ways = ([word], [f" {word}"])
    return min(len(tokenizer(way, add_special_tokens=False)["input_ids"][0]) for way in ways)
