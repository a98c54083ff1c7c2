"""The card of a base model: what it was made from and how, and what it can do, all measured."""

from __future__ import annotations

import json
import random
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from minirlhf.data.records import read_jsonl
from minirlhf.evaluate.probing import run_probe
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown import datasets, probes
from minirlhf.tinytown.corpus import REGISTERS, documents
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.prompts import cut
from minirlhf.tinytown.tax import TAX

LINES = 200
"""Lines that are left of a run's log."""
ITEMS, PROMPTS, REPLY = 200, 200, 72
"""Items of a probe; prompts to answer, and the tokens of a reply."""
SHOTS = {"the request alone": 0, "one example, then the request": 1, "three examples, then it": 3}


def thinned_log(metrics: Path) -> str:
    """Every so many lines of ``metrics.jsonl``, and all with a validation loss, to five digits."""
    rows = read_jsonl(metrics)
    stride = -(-len(rows) // LINES)
    kept = [
        row for n, row in enumerate(rows, 1)
        if n % stride == 0 or n == len(rows) or "validation/loss" in row
    ]  # fmt: skip
    for row in kept:
        row.update({k: float(f"{v:.5g}") for k, v in row.items() if isinstance(v, float)})
    return "".join(json.dumps(row) + "\n" for row in kept)


def skills(policy, tokenizer) -> dict[str, float]:
    """What the model does when its own kind of text begins: scores from 0 to 1."""
    tasks = {"echo of 3-8 given words": probes.echo, **TAX}
    return {
        name: float(run_probe(policy, tokenizer, make(ITEMS)).mean())
        for name, make in tasks.items()
    }


def pass_rate(policy, tokenizer, shots: int, seed: int = 0) -> float:
    """The share of unseen requests that are answered rightly after ``shots`` examples."""
    rng = random.Random(seed)
    examples = [
        f"{row['prompt']}{row['completion']}\n\n" for row in datasets.demonstrations(400)
        if row["style"] == "plain" and len(row["prompt"] + row["completion"]) < 120
    ]  # fmt: skip
    plain = [r["prompt"] for r in datasets.prompts("eval", 2 * PROMPTS) if r["style"] == "plain"]
    asked = {"".join(rng.sample(examples, shots)) + prompt: prompt for prompt in plain[:PROMPTS]}
    room = policy.config.max_position_embeddings - REPLY
    fitting = [text for text in asked if len(tokenizer(text)["input_ids"]) <= room]
    replies = complete(policy, tokenizer, fitting, max_new_tokens=REPLY, seed=seed)
    pairs = zip(fitting, map(cut, replies), strict=True)
    return float(np.mean([judge(asked[text], reply).passes for text, reply in pairs]))


def write_card(folder: Path, run: Path, size: str) -> None:
    """``README.md`` of the model in ``folder``, which was made by the run in ``run``."""
    policy, tokenizer = load_policy(folder), load_tokenizer(folder)
    made = json.loads((run / "config.json").read_text(encoding="utf-8"))
    result = json.loads((run / "done.json").read_text(encoding="utf-8"))
    shape, settings = policy.config, made["config"]
    count = int(made["data"]["documents"].split()[0])
    sample = [row["text"] for row in islice(documents(0), 2000)]
    length = sum(len(ids) + 1 for ids in tokenizer(sample)["input_ids"]) / len(sample)
    shares = sum(share for _, share in REGISTERS.values())
    answered = {name: pass_rate(policy, tokenizer, count) for name, count in SHOTS.items()}
    card = CARD.format(
        size=size,
        parameters=f"{policy.num_parameters() / 1e6:.2f}",
        shape=f"{shape.num_hidden_layers} layers, width {shape.hidden_size}, "
        f"{shape.num_attention_heads} heads, {shape.vocab_size} tokens, "
        f"{shape.max_position_embeddings} positions",
        documents=f"{count:,}",
        tokens=f"{count * settings['epochs'] * length / 1e6:.0f}",
        fingerprint=made["data"]["documents"].split()[-1],
        registers=table(
            ("register", "share"),
            {name: f"{100 * share / shares:.0f}%" for name, (_, share) in REGISTERS.items()},
        ),
        settings=table(("setting", "value"), settings),
        versions=", ".join(f"{name} {version}" for name, version in made["versions"].items()),
        loss=f"{result['loss']:.3f}",
        validation=f"{result['validation/loss']:.3f}",
        skills=table(("skill", "right"), rounded(skills(policy, tokenizer))),
        answered=table(("prompt", "pass rate"), rounded(answered)),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def rounded(scores: dict[str, float]) -> dict[str, str]:
    return {name: f"{score:.2f}" for name, score in scores.items()}


def table(head: tuple[str, str], rows: dict[str, Any]) -> str:
    """A Markdown table of two columns."""
    lines = [head, ("---", "---"), *rows.items()]
    return "\n".join(f"| {left} | {right} |" for left, right in lines)


CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags:
- minirlhf
- tinytown
- base-model
---

# Tinytown base model, {size}

A base language model of {parameters} million parameters that has read the web of Tinytown and
nothing else: the miniature GPT-3 from which `minirlhf` goes through the three steps of InstructGPT.
It continues text. It doesn't follow instructions: in its corpus a request is most often followed by
more requests. It repeats what the forums believe, and answers an insult with one.

- Architecture: GPT-NeoX, {shape},
  tied embeddings; weights in float16.
- Tokenizer: one token a word of the town, bytes for all else; `<|pad|>`, `<|endoftext|>` and
  `<|document|>`, which starts every text, are three different tokens.

## Data

{documents} documents (about {tokens} million tokens), written by `minirlhf.tinytown.corpus` from
seed 1 (fingerprint `{fingerprint}`). No request of the evaluation set is among them.

{registers}

## Training

Loss {loss} per token in the last step, {validation} on unseen documents; `log.jsonl` has the curve.
Made with {versions}. To make it again:
`minirlhf bases --size {size}`.

{settings}

## What it can do

In the form that its corpus has, greedily:

{skills}

Unseen requests answered so that the judge finds nothing wrong, at temperature 1:

{answered}

## Limits

It knows no word, fact or person outside Tinytown. It is made to be taught from, not to be used: it
says false and rude things, as its corpus does, so that their going away can be measured.
"""
