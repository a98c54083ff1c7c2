"""The base goes to school; what it becomes is what reward models start from.

Pages of lessons are made as they are needed and kept in the folder, and so is the pupil after each
of them: an interrupted term goes on where it was.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from minirlhf.data.files import written_whole
from minirlhf.data.records import write_jsonl
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy
from minirlhf.tinytown.school import texts
from minirlhf.tinytown.school.exam import marks
from minirlhf.tinytown.school.lessons import Row, Speller, batch, kept, row
from minirlhf.tinytown.school.pupil import Pupil, Stakes, lesson_loss
from minirlhf.training.log import Callback, Event
from minirlhf.training.progress import default_callback

EXAM = 200
"""Requests of the page after the last that the exam takes."""


@dataclass(frozen=True)
class Term:
    """How long and how fast is learned."""

    pages: int = 32
    passes: int = 3
    """How often each page is learned from."""
    requests: int = 1000
    """Requests on a page, each with its six replies or so."""
    batch: int = 16
    """Requests a step."""
    learning_rate: float = 2e-3
    heads_factor: float = 3.0
    """The learning rate of the answers' own weights, in that of the backbone's."""
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: int = 50
    clip: float = 5.0
    seed: int = 0

    @property
    def lessons(self) -> int:
        """Pages to learn from, each as often as it comes."""
        return self.pages * self.passes

    @property
    def steps(self) -> int:
        return self.lessons * -(-self.requests // self.batch)


def rate(step: int, total: int, peak: float, warmup: int) -> float:
    """Warm-up, then half a cosine down to nothing."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def batches(rows: Sequence[Row], size: int, rng: random.Random) -> Iterator[list[Row]]:
    """All rows once, those of about one length together."""
    order = list(rows)
    rng.shuffle(order)
    pool = size * 32
    for start in range(0, len(order), pool):
        near = sorted(order[start : start + pool], key=lambda r: len(r.tokens))
        cuts = [near[i : i + size] for i in range(0, len(near), size)]
        rng.shuffle(cuts)
        yield from cuts


def optimizer_of(pupil: Pupil, term: Term) -> torch.optim.Optimizer:
    """AdamW on the backbone and the answers' weights."""
    groups = [
        {"params": list(pupil.backbone.parameters()), "factor": 1.0},
        {"params": list(pupil.answering()), "factor": term.heads_factor},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=term.betas, weight_decay=0.0, fused=True)


def learn_page(
    pupil: Pupil, stakes: Stakes, optimizer, rows: Sequence[Row], pad: int, term: Term, number: int
) -> dict[str, float]:
    """One page of lessons; the mean loss of each subject on it."""
    step, sums = number * -(-term.requests // term.batch), {}
    for lesson in batches(rows, term.batch, random.Random(f"{term.seed}-{number}")):
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * rate(step, term.steps, term.learning_rate, term.warmup)
        loss, parts = lesson_loss(pupil, stakes, batch(lesson, pad))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(pupil.backbone.parameters(), term.clip)
        optimizer.step()
        step += 1
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value * len(lesson) / len(rows)
    return sums


def go_to_school(
    base: Path,
    tokenizer,
    folder: Path,
    term: Term,
    *,
    callback: Callback | None = None,
) -> tuple[Pupil, dict[str, Any]]:
    """The base after a term, or what is left of one, in ``folder``, and its `marks`.

    What each page's lessons cost stands in ``lessons.jsonl``.
    """
    tell = callback or default_callback() or (lambda event: None)
    speller, pad, sampled = Speller(tokenizer), tokenizer.pad_token_id, []

    def page(number: int) -> list[Row]:
        def make() -> Iterator[Row]:
            if not sampled:
                sampled.append(texts.passer_by(base, tokenizer, folder / "passer-by"))
            made = texts.page(sampled[0], tokenizer, number, term.requests)
            return (row(speller, *request) for request in made)

        return kept(folder / "pages" / f"{number:03d}.npz", make)

    set_seed(term.seed)
    learner = Pupil(load_policy(base, tokenizer).base_model)
    optimizer, stakes = optimizer_of(learner, term), Stakes(page(0)[:400], pad)
    saved, log = folder / "pupil.pt", []
    if saved.exists():
        state = torch.load(saved)
        learner.load_state_dict(state["pupil"])
        optimizer.load_state_dict(state["optimizer"])
        log = state["log"]
    for number in range(len(log), term.lessons):
        rows = page(number % term.pages)
        losses = learn_page(learner, stakes, optimizer, rows, pad, term, number)
        log.append({"step": number + 1, **losses})
        state = {"pupil": learner.state_dict(), "optimizer": optimizer.state_dict(), "log": log}
        with written_whole(saved) as partial:
            torch.save(state, partial)
        tell(Event("school", number + 1, term.lessons, losses))
    with written_whole(folder / "lessons.jsonl") as partial:
        write_jsonl(partial, log)
    return learner.eval(), marks(learner, page(term.pages)[:EXAM], pad)


def start(pupil: Pupil, base: Path, tokenizer) -> ScalarModel:
    """What reward models start from: the schooled backbone under a head of zero."""
    model = ScalarModel.from_policy(load_policy(base, tokenizer), tokenizer)
    model.classifier.base_model.load_state_dict(pupil.backbone.state_dict())
    with torch.no_grad():
        model.head.weight.zero_()
    return model
