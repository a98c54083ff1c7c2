"""A start that has seen preferences: answers by neighbours, in the order of everybody's votes.

Reward models do *not* start from it. Its votes follow the judge's grade, so a few rankings bring it
to where it stays: what a start looks like that knows what is liked before anybody has ranked
anything. The shipped start is told apart from it by the curve over the number of rankings.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from minirlhf.config import RewardConfig, SFTConfig
from minirlhf.data.files import kept
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy
from minirlhf.reward import train_reward
from minirlhf.sampling import complete
from minirlhf.sft import train_sft
from minirlhf.tinytown.judge import judge, judge_request
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.mistakes import careless, misread, mistaken, slip
from minirlhf.tinytown.prompts import completion, filtered, generate
from minirlhf.tinytown.requests import CLOSED_DOMAIN, Request, parse
from minirlhf.tinytown.writer import careful
from minirlhf.training.log import Callback, Event
from minirlhf.training.progress import default_callback

ANSWERED, POSTS, PAGE = 600, 20_000, 2_000
"""Requests that teach a model to answer like the neighbours; posts that are voted on, and how many
of them make a page, which is written whole."""
SAMPLES, REPLY = 3, 72
"""Samples of that model for each post, beside six answers of neighbours, and their tokens."""
NEIGHBOURS = SFTConfig(epochs=2, batch=16, learning_rate=1e-3, keep_epochs=False)
VOTES = RewardConfig(epochs=2, batch=16, learning_rate=7e-4)


def posts(count: int, seed: int = 0) -> list[str]:
    """Requests on the board, of nobody who asks in the other data sets."""
    rng, shots = random.Random(f"board-{seed}"), random.Random(f"board shots-{seed}")

    def answered(text: str) -> str:
        return neighbour(text, shots)

    prompts = generate(3 * count, rng, answered, users=2000, reserved=False)
    return [prompt.text for prompt in filtered(prompts)][:count]


def attentive(request: Request, rng: random.Random) -> str:
    """An answer that is nearly always right, rich or plain."""
    detail = rng.random() ** 1.5
    return careful(
        request, rng, detail, TOWN, lambda reply: judge_request(request, reply).overall, tries=8
    )


def neighbour(prompt: str, rng: random.Random) -> str:
    """What somebody writes below a post: the careless oftener than the attentive."""
    write = attentive if rng.random() < 0.3 else careless
    return write(parse(prompt), rng)


def votes(prompt: str, answers: Sequence[str]) -> dict | None:
    """The order that the votes put distinct ``answers`` in; None if all have as many.

    Half a point of the judge's grade is a rank, and no wrong answer shares one with a right one.
    """
    distinct = list(dict.fromkeys(answers))
    marks = [int(2 * judge(prompt, answer).overall) for answer in distinct]
    order = sorted(set(marks), reverse=True)
    if len(order) == 1:
        return None
    ranks = [1 + order.index(mark) for mark in marks]
    return {"prompt": prompt, "completions": distinct, "ranks": ranks}


def page(policy, tokenizer, prompts: Sequence[str], number: int) -> Iterator[dict]:
    """Posts with their answers, in the order of the votes."""
    rng = random.Random(f"page-{number}")
    replies = complete(
        policy, tokenizer, prompts, max_new_tokens=REPLY, n=SAMPLES, seed=number, micro_batch=256
    )
    requests = [parse(prompt) for prompt in prompts]
    alike = defaultdict(list)
    for request in requests:
        alike[_sort(request)].append(request)
    for row, (prompt, request) in enumerate(zip(prompts, requests, strict=True)):
        right, again = (attentive(request, rng) for _ in range(2))
        other = rng.choice(alike[_sort(request)])
        wrong = [misread(prompt, rng, attentive), mistaken(request, other, rng, attentive)]
        near = [slip(right, again, rng), slip(again, right, rng)]
        written = [neighbour(prompt, rng), right, *wrong, *near]
        written = [completion(prompt, answer.strip()) for answer in written if answer.strip()]
        sampled = replies[row * SAMPLES : (row + 1) * SAMPLES]
        if (post := votes(prompt, [*sampled, *written])) is not None:
            yield post


def _sort(request: Request) -> str:
    """What may be mistaken for one another: tasks with a text, or those of a use case."""
    return "with a text" if request.kind in CLOSED_DOMAIN else request.use_case


def learn_votes(base: Path, tokenizer, folder: Path, callback: Callback | None) -> ScalarModel:
    """The voted base, made from a base, or gone on with, in ``folder``."""
    tell = callback or default_callback() or (lambda event: None)
    asked, rng = posts(ANSWERED + POSTS), random.Random("neighbours")
    answers = [
        {"prompt": prompt, "completion": completion(prompt, neighbour(prompt, rng))}
        for prompt in asked[:ANSWERED]
    ]
    policy = load_policy(base, tokenizer)
    train_sft(
        NEIGHBOURS, policy, tokenizer, answers, folder=folder / "neighbours", callback=callback
    )
    policy = load_policy(folder / "neighbours" / "model", tokenizer)
    rankings: list[dict] = []
    pages = -(-POSTS // PAGE)
    for number in range(pages):
        start = ANSWERED + number * PAGE
        prompts = asked[start : start + PAGE]
        rankings += kept(
            folder / "pages" / f"{number:02d}.jsonl",
            lambda prompts=prompts, number=number: page(policy, tokenizer, prompts, number),
        )
        tell(Event("board", number + 1, pages))
    best = [
        {"prompt": post["prompt"], "completion": post["completions"][post["ranks"].index(1)]}
        for post in rankings[:1000]
    ]
    model = ScalarModel.from_policy(load_policy(base, tokenizer), tokenizer)
    return train_reward(
        VOTES, model, tokenizer, rankings,
        demonstrations=best, folder=folder / "votes", callback=callback,
    ).model  # fmt: skip
