"""The card of what reward models start from: every question of its school, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers

from minirlhf.tinytown.card import table
from minirlhf.tinytown.school.exam import report
from minirlhf.tinytown.school.learn import Term
from minirlhf.tinytown.school.questions import RELATIONAL


def write_start_card(folder: Path, term: Term, marks: Mapping[str, Mapping[str, Any]]) -> None:
    """``README.md`` of the model in ``folder``, which a term left with these `marks`."""
    at_the_end = {name.split(": ", 1)[1]: mark for name, mark in marks.items() if "apart" in mark}
    relational = [at_the_end[name]["balanced"] for name in RELATIONAL if name in at_the_end]
    card = CARD.format(
        requests=f"{term.pages * term.requests:,}",
        passes=term.passes,
        relational=f"{100 * sum(relational) / max(len(relational), 1):.0f}%",
        versions=f"torch {torch.__version__}, transformers {transformers.__version__}",
        settings=table(("setting", "value"), asdict(term)),
        marks=report(marks),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-classification
tags:
- minirlhf
- tinytown
- reward-model
---

# Tinytown: what reward models start from

The paper's reward models start from a GPT-3 that was tuned on public NLP tasks (C.2): abilities, no
preferences. This is the same for Tinytown: the medium base after school, where it answered
questions about requests and replies, *one property of a text at a time*. No question is a grade, a
pass or a count of failures, and no text was chosen by the judge or ranked by anybody. What people
like of these properties, and how much, comes from their rankings. Judge and school read with the
same eyes (`minirlhf.tinytown.facts`): that is what the school was given.

Its head is zero: it has no preference to begin with.

It read {requests} requests, {passes} times, with about six replies each. On requests that no
lesson had, it answers questions about a reply and its request rightly in {relational} (mean over
yes and no).
Made with {versions}. To make it again:
`minirlhf bases --size medium`.

{settings}

## Every question, and how right the answers are

`yes` is how often yes is right, `balanced` the mean over yes and no, `told apart` the share of
pairs of replies to one request, right answers unlike, in which the yes is the likelier one.

{marks}"""
