"""The people who label: a training pool and a held-out pool, with tastes and lapses of their own.

A labeler grades a reply as the judge does, adds tastes (short or long, warm or dry, plain or
adorned …), and is never quite sure. Every labeler belongs to a group that shares one strong taste.
Two labelers agree on about 73% of the pairs that neither ties, as in §3.4 of the paper.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from minirlhf.tinytown.judge import GRAIN, grade, judge
from minirlhf.tinytown.tastes import QUALITIES

TRAINING_POOL = 20
HELDOUT_POOL = 9
NOISE = 0.7
"""Standard deviation of a labeler's lapses, in points of the 1-7 scale."""
OWN = 0.8
"""Standard deviation of a labeler's own taste for a quality: points for as much as there can be."""
SHARED, SHARED_HELDOUT = 1.35, 1.0
"""What a labeler's group likes its quality by; held-out labelers feel it less."""
MOST = 2.5
"""Points that taste can add or take away."""
BLUR = 0.25
"""Two replies closer than this look the same to a labeler."""
Opinion = Callable[[str, str], float]
"""What a pool agrees on: the grade of a reply to a prompt, before anybody's taste."""


def by_the_judge(prompt: str, reply: str) -> float:
    return judge(prompt, reply).overall


HOMELY = 1.5
"""Points for a reply as homely as can be, in the opinion of the contrary pool."""


def by_contraries(prompt: str, reply: str) -> float:
    """Another opinion: plain is better than detailed, constraints are nobody's business, and food
    and home are always welcome.
    """
    verdict = judge(prompt, reply)
    if verdict.overall == 1.0:  # it says nothing
        return 1.0
    criteria = {k: v for k, v in verdict.criteria.items() if not k.startswith("constraint")}
    fine = sum(verdict.grain.values()) + GRAIN["detail"] - 2 * verdict.grain["detail"]
    return grade(criteria, fine) + HOMELY * QUALITIES["homely"](reply)


def _random(*key: object) -> random.Random:
    """A generator that depends on ``key`` alone: the same labeler sees the same reply alike."""
    digest = hashlib.blake2b("\0".join(map(str, key)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


@dataclass(frozen=True)
class Labeler:
    """Somebody who grades and ranks, with ties, as B.5's interface asks."""

    name: str
    tastes: Mapping[str, float] = field(default_factory=dict)
    """What is added for as much of a quality (of `QUALITIES`) as there can be."""
    noise: float = NOISE
    opinion: Opinion = by_the_judge

    @classmethod
    def hire(cls, name: str, group: str, shared: float, opinion: Opinion = by_the_judge) -> Labeler:
        """The labeler of that name: own tastes follow from the name, one from the group."""
        rng = _random("labeler", name)
        tastes = {quality: rng.gauss(0.0, OWN) for quality in QUALITIES}
        tastes[group] += shared
        return cls(name, tastes, opinion=opinion)

    def score(self, prompt: str, reply: str) -> float:
        """What the labeler thinks of ``reply``: the 1-7 scale, not rounded and not cut off."""
        taste = sum(weight * QUALITIES[name](reply) for name, weight in self.tastes.items())
        lapse = _random(self.name, prompt, reply).gauss(0.0, self.noise)
        return self.opinion(prompt, reply) + max(-MOST, min(MOST, taste)) + lapse

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


def _pool(name: str, count: int, shared: float, opinion: Opinion = by_the_judge) -> list[Labeler]:
    """Labelers of the groups in turn: every fifth has the same."""
    groups = list(QUALITIES)
    return [
        Labeler.hire(f"{name}-{n:02d}", groups[n % len(groups)], shared, opinion)
        for n in range(count)
    ]


def training_pool() -> list[Labeler]:
    return _pool("labeler", TRAINING_POOL, SHARED)


def heldout_pool() -> list[Labeler]:
    """Labelers who produced no training data (§3.4)."""
    return _pool("heldout", HELDOUT_POOL, SHARED_HELDOUT)


def contrary_pool() -> list[Labeler]:
    """Others in the place of the training pool, who want something else (see `by_contraries`)."""
    return _pool("contrary", TRAINING_POOL, SHARED, by_contraries)


def contrary_heldout_pool() -> list[Labeler]:
    """Those who compare models for the contrary pool."""
    return _pool("contrary-heldout", HELDOUT_POOL, SHARED_HELDOUT, by_contraries)
