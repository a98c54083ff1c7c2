"""What the main job asks of a world: its prompts, people and base models, and who judges there.

Tinytown is one (`minirlhf.tinytown.town`); a domain and data of your own are another. A world is a
plain object with these names, made anew in each process that needs it, so it has to be picklable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from minirlhf.evaluate.probing import Probe

Row = dict[str, Any]


class Verdict(Protocol):
    """What a judge says of a reply."""

    overall: float
    """The grade, 1 (worst) to 7 (best)."""
    passes: bool
    criteria: Mapping[str, float]
    """Each criterion and how far it is met, 0 to 1."""
    flags: Mapping[str, bool]
    """Table 3's metadata."""


class Labeler(Protocol):
    """Somebody who compares replies."""

    name: str

    def prefers(self, prompt: str, one: str, two: str) -> float:
        """1 for the first reply, 0 for the second, one half for a tie."""

    def rank(self, prompt: str, replies: list[str]) -> list[int]:
        """Ranks, 1 is best; ties share one."""


class World(Protocol):
    """A domain in which the three steps are run."""

    labelers: Sequence[Labeler]
    """Those who rank for training; nobody, if all rankings are there already."""
    heldout_labelers: Sequence[Labeler]
    """Those who only compare models (§3.4)."""
    has_judge: bool
    """Whether `judge` can be asked; where not, what it would measure is left out."""
    tie: float
    """Two of the judge's grades closer than this are a tie."""
    probes: Mapping[str, Probe]
    """By name. On those that are tasks the alignment tax is measured."""

    def base(self, size: str) -> Path:
        """The folder of a base model, small, medium or large, with its tokenizer."""

    def reward_start(self) -> Path | None:
        """What a reward model starts from (C.2): a reward model's folder; None: the SFT model."""

    def prompts(self, split: str, count: int, seed: int) -> list[Row]:
        """``prompt`` and ``use_case`` of the split ``rm``, ``ppo`` or ``eval``."""

    def demonstrations(self, count: int, seed: int) -> list[Row]:
        """``prompt``, ``completion`` and, for few-shot prefixes, ``style`` ("plain" or another)."""

    def documents(self, count: int, *, held_out: bool = False) -> list[Row]:
        """``text`` to pretrain on, for C.3's mix and ptx; ``held_out`` ones to measure on."""

    def rankings(self, rows: Sequence[Row], samples: Sequence[list[str]], seed: int) -> list[Row]:
        """Ranked samples of the prompts ``rows``: ``completions``, ``ranks`` and ``labeler``."""

    def judge(self, prompt: str, reply: str) -> Verdict:
        """The verdict on a reply."""

    def cut(self, reply: str) -> str:
        """A reply up to where it ends, whichever model wrote it: a base doesn't stop there."""

    def kind(self, prompt: str) -> str:
        """What sort of thing is asked for, to show some of each; may be empty."""

    def groups(self, prompt: str) -> Sequence[str]:
        """Which named groups of prompts this one belongs to: "unseen combination" (of things that
        no demonstration puts together), "closed domain" (with a text to keep to).
        """
