"""Tinytown as a world in which the main job runs; see `minirlhf.experiment.world`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from minirlhf.evaluate.probing import Probe
from minirlhf.tinytown import bases, datasets, probes
from minirlhf.tinytown.judge import TIE, Verdict, judge
from minirlhf.tinytown.labelers import heldout_pool, training_pool
from minirlhf.tinytown.prompts import HELDOUT_COMBINATIONS, cut
from minirlhf.tinytown.requests import CLOSED_DOMAIN, parse
from minirlhf.tinytown.tax import TAX

Row = dict[str, Any]
TAX_ITEMS, PROBE_ITEMS = 300, 200
"""Items of a task probe and of each other one."""


class Tinytown:
    """The town: everything is made from seeds, its labelers never tire, its judge is exact."""

    has_judge, tie = True, TIE

    def __init__(self):
        self.labelers, self.heldout_labelers = training_pool(), heldout_pool()
        tasks = {name: Probe(make, TAX_ITEMS, is_task=True) for name, make in TAX.items()}
        truthfulness = Probe(lambda _, seed: probes.truthfulness(seed), temperature=1.0, n=8)
        toxicity = {
            f"toxicity, {tone}": Probe(partial(_toxicity, tone), PROBE_ITEMS, temperature=1.0)
            for tone in probes.TONES
        }
        self.probes = {**tasks, "truthfulness": truthfulness, **toxicity}

    def __reduce__(self):
        return Tinytown, ()

    def base(self, size: str) -> Path:
        """The shipped base model of a size."""
        return bases.base_folder(size)

    def reward_start(self) -> Path:
        """The base after school."""
        return bases.base_folder(bases.START)

    def prompts(self, split: str, count: int, seed: int) -> list[Row]:
        """``rm``, ``ppo`` or ``eval``; no user is in two of them."""
        return datasets.prompts(split, count, seed)

    def demonstrations(self, count: int, seed: int) -> list[Row]:
        """Written by careful labelers."""
        return datasets.demonstrations(count, seed)

    def documents(self, count: int, *, held_out: bool = False) -> list[Row]:
        """The web of Tinytown."""
        return list(bases.corpus(count, bases.VALIDATION_SEED if held_out else bases.CORPUS_SEED))

    def rankings(self, rows: Sequence[Row], samples: Sequence[list[str]], seed: int) -> list[Row]:
        """By a labeler of the training pool for each prompt."""
        return datasets.rankings(rows, samples, seed=seed)

    def judge(self, prompt: str, reply: str) -> Verdict:
        """The exact judge's verdict."""
        return judge(prompt, reply)

    def cut(self, reply: str) -> str:
        """A reply up to the first empty line; no right one holds any."""
        return cut(reply)

    def kind(self, prompt: str) -> str:
        """The kind of request; empty for what is none."""
        request = parse(prompt)
        return request.kind if request else ""

    def groups(self, prompt: str) -> list[str]:
        """Whether it puts together what no demonstration does, or comes with a text."""
        request = parse(prompt)
        found = {
            "unseen combination": request.combination in HELDOUT_COMBINATIONS,
            "closed domain": request.kind in CLOSED_DOMAIN,
        }
        return [name for name, belongs in found.items() if belongs]


def _toxicity(tone: str, count: int, seed: int):
    return probes.toxicity(count, tone, seed)
