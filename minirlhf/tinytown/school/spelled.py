"""A completion as the school reads it: its words, one a token, and where its sentences end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minirlhf.tinytown.reading import Text


@dataclass(frozen=True)
class Spelled:
    """A completion with its tokens."""

    words: list[str]
    """The word of each token, in lower case."""
    spans: list[tuple[int, int]]
    """Where each begins and ends."""
    text: Text
    raw: str

    @cached_property
    def sentence_spans(self) -> list[tuple[int, int]]:
        """Where each sentence of the text begins and ends."""
        out, cursor = [], 0
        for sentence in self.text.sentences:
            start = self.raw.index(sentence, cursor)
            cursor = start + len(sentence)
            out.append((start, cursor))
        return out

    @cached_property
    def ends(self) -> list[int]:
        """The last token of each sentence."""
        stops = [stop for _, stop in self.spans]
        return [max(int(np.searchsorted(stops, end)), 0) for _, end in self.sentence_spans]

    def token_at(self, stop: int) -> int:
        """The token that ends at ``stop``."""
        return int(np.searchsorted([end for _, end in self.spans], stop))

    def token_of(self, start: int) -> int:
        """The token that holds the letter at ``start``."""
        return int(np.searchsorted([end for _, end in self.spans], start, side="right"))
