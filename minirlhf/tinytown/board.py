"""The town's notice board: answers by neighbours, and everybody's votes on them.

The paper's reward model doesn't start from the bare GPT-3 but from one tuned on public datasets
(C.2). This is Tinytown's public dataset. From it a network of a million parameters learns what a
large one has learned from the web: to see whether a text does what was asked. Neither prompts nor
tastes of the labelers of step 2 are in it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from minirlhf.callbacks import Callback
from minirlhf.config import RewardConfig, SFTConfig
from minirlhf.folder import kept
from minirlhf.models import ScalarModel, load_policy
from minirlhf.reward import train_reward
from minirlhf.sampling import complete
from minirlhf.sft import train_sft
from minirlhf.tinytown.corpus import careless
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.prompts import completion, filtered, generate
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.writer import draft

ANSWERED, POSTS, SAMPLES, REPLY = 600, 24_000, 4, 72
"""Requests that teach a model to answer like the neighbours; posts voted on, samples of that model
for each (beside one neighbour's own answer), and their tokens."""
NEIGHBOURS = SFTConfig(epochs=2, batch=16, learning_rate=1e-3, keep_epochs=False)
VOTES = RewardConfig(epochs=1, batch=16, learning_rate=7e-4)


def posts(count: int, seed: int) -> list[str]:
    """Requests on the board, of nobody who asks in the other data sets."""
    rng, shots = random.Random(f"board-{seed}"), random.Random(f"board shots-{seed}")
    prompts = generate(2 * count, rng, lambda text: _answer(text, shots), 400, reserved=False)
    return [prompt.text for prompt in filtered(prompts)][:count]


def _answer(text: str, rng: random.Random) -> str:
    """What a neighbour writes below a request: a draft, or something still more careless."""
    request = parse(text)
    careful = rng.random() < 0.5
    reply = draft(request, rng, rng.random(), TOWN) if careful else careless(request, rng)
    return completion(text, reply)


def votes(base: Path, tokenizer, folder: Path, callback: Callback | None) -> Iterator[dict]:
    """Posts, answers, and the answers' order by votes, which on the whole is the judge's."""
    asked, rng = posts(ANSWERED + POSTS, 0), random.Random("neighbours")
    answers = [{"prompt": text, "completion": _answer(text, rng)} for text in asked[:ANSWERED]]
    policy = load_policy(base, tokenizer)
    train_sft(NEIGHBOURS, policy, tokenizer, answers, folder=folder, callback=callback)
    policy = load_policy(folder / "model", tokenizer)
    replies = complete(policy, tokenizer, asked[ANSWERED:], max_new_tokens=REPLY, n=SAMPLES)
    for row, prompt in enumerate(asked[ANSWERED:]):
        answers = [*replies[row * SAMPLES : (row + 1) * SAMPLES], _answer(prompt, rng)]
        distinct = list(dict.fromkeys(answers))
        grades = [judge(prompt, reply).overall for reply in distinct]
        order = sorted(set(grades), reverse=True)
        if len(order) > 1:
            yield {
                "prompt": prompt,
                "completions": distinct,
                "ranks": [1 + order.index(grade) for grade in grades],
            }


def learn_votes(base: Path, tokenizer, folder: Path, callback: Callback | None) -> ScalarModel:
    """The model that reward models start from, made from a base, or gone on with, in ``folder``."""
    rankings = kept(
        folder / "votes.jsonl", lambda: votes(base, tokenizer, folder / "neighbours", callback)
    )
    best = [
        {"prompt": row["prompt"], "completion": row["completions"][row["ranks"].index(1)]}
        for row in rankings[:1000]
    ]
    model = ScalarModel.from_policy(load_policy(base, tokenizer), tokenizer)
    return train_reward(
        VOTES, model, tokenizer, rankings,
        demonstrations=best, folder=folder / "votes", callback=callback,
    ).model  # fmt: skip
