"""What somebody meant who wrote an option that isn't one: a slip, or the word of another tool.

The words of other tools are explained, never accepted: what looks alike may count something else
(their batch is one device's, their warm-up is in steps), and a command that is handed on should
have one spelling.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any


@functools.cache
def table() -> dict[str, Any]:
    """``other_words.toml``."""
    return tomllib.loads(Path(__file__).with_name("other_words.toml").read_text("utf-8"))


def explain(word: str, values: Sequence[str], known: Collection[str]) -> tuple[str, list[str]]:
    """What to say of an option that isn't one of ``known``, and those of them it may have meant.

    ``values`` are the words that were given to it.
    """
    if not word.startswith("-") and "=" not in word:
        return f"{word}: it belongs to no option", []
    flag, _, value = word.partition("=")
    written = " ".join([word, *values])
    values = [*([value] if value else []), *values]
    name = flag.lstrip("-").replace("_", "-").lower()
    said, ours = _of_others(name, values, known)
    if said:
        return f"{written}: {said}", ours
    ours = nearest(name, known)
    if not ours:
        return f"{written}: there is no such option", []
    return f"{written}: did you mean {_spelled(ours)}?", ours


def command(name: str) -> list[str]:
    """The command that goes by another name elsewhere, if there is one."""
    wanted = name.lower().replace("_", "-")
    return [ours for ours, theirs in table()["commands"].items() if wanted in theirs]


def listed(words: Sequence[str], link: str = "or") -> str:
    """``a, b or c``."""
    *before, last = words
    return f"{', '.join(before)} {link} {last}" if before else last


def nearest(word: str, known: Collection[str]) -> list[str]:
    """The likeliest of ``known``, one but for the same name in several places; none if far."""
    word, tails = word.lower(), {}
    for name in known:
        tails.setdefault(name.rpartition(".")[2], []).append(name)
    if word in known:
        return [word]
    tail = word.rpartition(".")[2]
    parts = [name for name in tails if len(tail) > 2 and (tail in name or name in tail)]
    near = difflib.get_close_matches(word, known, 1, 0.75) or [
        one for near in difflib.get_close_matches(tail, tails, 1, 0.7) for one in tails[near]
    ]
    return near or [one for name in parts[:1] for one in tails[name]]


def _of_others(name: str, values: Sequence[str], known: Collection[str]) -> tuple[str, list[str]]:
    """The sentence for another tool's word, of which the whole or the end may be in the table."""
    parts = name.split(".")
    for start in range(len(parts)):
        tail = ".".join(parts[start:])
        for entry in table()["word"]:
            if tail not in entry["theirs"]:
                continue
            wanted, _, value = entry.get("ours", "").partition(" ")
            ours = [one for one in known if one.rpartition(".")[2] == wanted]
            ours = [wanted] if wanted in ours else ours
            if wanted and not ours:
                continue
            if "say" in entry:
                return entry["say"], ours
            given = " ".join([value] if value else values)
            return f"here that is {_spelled(ours, given)}", ours
    return "", []


def _spelled(options: Sequence[str], value: str = "") -> str:
    """Options as one would write them; of many that differ in one part, that part by itself.

    Of options within one another, the outer ones: they set the others.
    """
    least = min(one.count(".") for one in options)
    options = [one for one in options if one.count(".") == least]
    names = [one.split(".") for one in options]
    parts = [set(part) for part in zip(*names, strict=True)]
    varying = [number for number, part in enumerate(parts) if len(part) > 1]
    if len(options) < 3 or len(varying) != 1:
        return listed([f"--{one} {value}".strip() for one in options])
    (number,) = varying
    pattern = ".".join("X" if number == place else min(part) for place, part in enumerate(parts))
    x = listed([name[number] for name in names])
    return f"--{pattern} {value}".strip() + f", where X is {x}"
