"""Questions about a sentence by itself, asked at its end: can it be read, what does it say."""

from __future__ import annotations

from minirlhf.tinytown.grammar import Reading
from minirlhf.tinytown.reading import GRAMMARS

SAYS = tuple(
    sorted({
        f"{pattern.tags['kind']}: {pattern.tags.get('role', '')}"
        for grammar in GRAMMARS.values() for pattern in grammar.patterns
    })
)  # fmt: skip
SENTENCE = (
    "can't be understood", "insults", "ends happy", "ends sad",
    *(f"rhymes with {rhyme}" for rhyme in "ight ay own ee old ain oon ill".split()),
    *(f"is a {kind}" for kind in SAYS),
)  # fmt: skip
"""Questions about a sentence, asked at its end."""


def in_sentence(reading: Reading | None) -> list[bool]:
    """Answers about one sentence, in the order of `SENTENCE`."""
    tags = reading.pattern.tags if reading else {}
    kind = f"{tags.get('kind')}: {tags.get('role', '')}"
    says = {
        "can't be understood": reading is None,
        "insults": bool(tags.get("toxic")),
        f"ends {tags.get('mood')}": True,
        f"rhymes with {tags.get('rhyme')}": True,
        f"is a {kind}": True,
    }
    return [says.get(name, False) for name in SENTENCE]
