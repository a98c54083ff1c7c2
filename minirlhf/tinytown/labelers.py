"""The people who label: a training pool and a held-out pool, with tastes and lapses of their own.

A labeler grades a reply as the judge does, adds a taste (some like it rich, some short, some
cheerful), and is never quite sure. Two of them agree on about 73% of the pairs that neither
ties, as in §3.4 of the paper.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from minirlhf.tinytown.judge import judge

TRAINING_POOL = 20
HELDOUT_POOL = 9
NOISE = 0.8
"""Standard deviation of a labeler's lapses, in points of the 1-7 scale."""
TASTE = 0.35
BLUR = 0.25
"""Two replies closer than this look the same to a labeler."""
_CHEERFUL = frozenset(
    "happy happily glad gladly cheerful merry smiled laughed danced friend love welcome".split()
)


def _random(*key: object) -> random.Random:
    """A generator that depends on ``key`` alone: the same labeler sees the same reply alike."""
    digest = hashlib.blake2b("\0".join(map(str, key)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


@dataclass(frozen=True)
class Labeler:
    """Somebody who grades and ranks, with ties, as B.5's interface asks."""

    name: str
    richness: float
    brevity: float
    cheer: float
    noise: float = NOISE

    @classmethod
    def hire(cls, name: str) -> Labeler:
        """The labeler of that name; tastes follow from the name."""
        rng = _random("labeler", name)
        return cls(name, *(rng.gauss(0.0, TASTE) for _ in range(3)))

    def score(self, prompt: str, reply: str) -> float:
        """What the labeler thinks of ``reply``: the 1-7 scale, not rounded and not cut off."""
        words = reply.split()
        rich = len({w for w in words if len(w) > 5}) / 8.0 - 1.0
        short = 1.0 - len(words) / 25.0
        cheer = sum(w.strip(".,!") in _CHEERFUL for w in words) - 0.5
        taste = self.richness * rich + self.brevity * short + self.cheer * cheer
        lapse = _random(self.name, prompt, reply).gauss(0.0, self.noise)
        return judge(prompt, reply).overall + max(-1.0, min(1.0, taste)) + lapse

    def likert(self, prompt: str, reply: str) -> int:
        """Overall quality, 1 to 7 (Table 3)."""
        return max(1, min(7, round(self.score(prompt, reply))))

    def prefers(self, prompt: str, one: str, two: str) -> float:
        """1 for the first reply, 0 for the second, one half where they look the same."""
        gap = self.score(prompt, one) - self.score(prompt, two)
        return 0.5 if abs(gap) < BLUR else float(gap > 0)

    def rank(self, prompt: str, replies: list[str]) -> list[int]:
        """Ranks (1 is best) of K replies; replies closer than a tie share a rank."""
        scores = [self.score(prompt, reply) for reply in replies]
        order = sorted(range(len(replies)), key=lambda i: -scores[i])
        ranks, rank = [0] * len(replies), 1
        for place, i in enumerate(order):
            if place and scores[order[place - 1]] - scores[i] >= BLUR:
                rank = place + 1
            ranks[i] = rank
        return ranks


def training_pool() -> list[Labeler]:
    return [Labeler.hire(f"labeler-{n:02d}") for n in range(TRAINING_POOL)]


def heldout_pool() -> list[Labeler]:
    """Labelers who produced no training data (§3.4)."""
    return [Labeler.hire(f"heldout-{n:02d}") for n in range(HELDOUT_POOL)]
