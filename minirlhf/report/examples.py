"""What a report shows of a run: examples chosen by rule, never by hand.

The rules look at form alone (style, length, ties), so a run that went badly shows bad examples.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from minirlhf.data.records import read_jsonl

Row = dict[str, Any]
LENGTH = 200
"""Characters of a prompt with its reply that read well in a figure."""
PROMPTS = 12
"""Prompts that every model answers in the report."""
ANSWERING = ("base", "prompted", "sft", "ppo", "ppo-ptx")
"""The models that answer them."""


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON lines file; none where the run has no such file."""
    return read_jsonl(path, may_be_empty=True) if path.exists() else []


# ------------------------------------------------------------------------- the three steps (Fig. 2)


def three_steps(folder: Path, score: Callable[[list[str], list[str]], Iterable[float]]) -> Row:
    """One example of each step; None for a step that the run has none of.

    Args:
        folder: the run's.
        score: the reward model, on prompts and replies.
    """
    ranked = ranking(read_rows(folder / "data" / "rankings-1.jsonl"))
    if ranked is not None:
        replies = ranked["completions"]
        scores = [float(s) for s in score([ranked["prompt"]] * len(replies), replies)]
        ranked |= {
            "scores": scores,
            "order": order(ranked["ranks"]),
            "agreed": pairs_in_order(ranked["ranks"], scores),
        }
    played = None
    for policy in ("ppo-ptx", "ppo"):
        batches = {row["step"]: row for row in read_rows(folder / policy / "metrics.jsonl")}
        played = episode(read_rows(folder / policy / "samples.jsonl"))
        if played is not None:
            played |= {"policy": policy, "batch": batches[played["step"]]}
            break
    return {
        "demonstration": demonstration(read_rows(folder / "data" / "demonstrations.jsonl")),
        "ranking": ranked,
        "episode": played,
    }


def is_plain(row: Row) -> bool:
    """Whether the prompt is a request alone, without examples in front."""
    return "\n\n" not in row["prompt"].strip()


def demonstration(rows: Iterable[Row]) -> Row | None:
    """Step 1: the plain demonstration whose length is nearest to `LENGTH`."""
    return min(
        filter(is_plain, rows),
        key=lambda row: abs(len(row["prompt"] + row["completion"]) - LENGTH),
        default=None,
    )


def ranking(rows: Iterable[Row], shown: int = 4) -> Row | None:
    """Step 2: four samples of one plain prompt, none too long, with exactly one tie if any has.

    Samples keep the order in which they were drawn; their ranks are counted anew among the four.
    """
    best, best_key = None, (True, float("inf"))
    for row in filter(is_plain, rows):
        for places in combinations(range(len(row["completions"])), shown):
            ranks = [row["ranks"][place] for place in places]
            length = len(row["prompt"]) + sum(len(row["completions"][place]) for place in places)
            key = (len(set(ranks)) != shown - 1, abs(length - 1.5 * LENGTH))
            if key < best_key:
                best_key, best = key, (row, places, ranks)
    if best is None:
        return None
    row, places, ranks = best
    return {
        **row,
        "completions": [row["completions"][place] for place in places],
        "ranks": [1 + sum(other < rank for other in ranks) for rank in ranks],
    }


def order(ranks: Sequence[int], letters: Sequence[str] = "ABCD") -> list[str]:
    """Ranks as the paper writes them: ``[3, 3, 2, 1]`` is ``D > C > A = B``, in pieces."""
    places = sorted(range(len(ranks)), key=lambda place: (ranks[place], place))
    out = [letters[places[0]]]
    for before, place in pairwise(places):
        out += ["=" if ranks[before] == ranks[place] else ">", letters[place]]
    return out


def pairs_in_order(ranks: Sequence[int], scores: Sequence[float]) -> tuple[int, int]:
    """On how many of the pairs that the labeler does not tie the scores agree, and of how many."""
    untied = [(i, j) for i, j in combinations(range(len(ranks)), 2) if ranks[i] != ranks[j]]
    agreed = sum((ranks[i] < ranks[j]) == (scores[i] > scores[j]) for i, j in untied)
    return agreed, len(untied)


def episode(samples: Sequence[Row], steps: int = 10) -> Row | None:
    """Step 3: of the last iterations, the finished episode whose length is nearest to `LENGTH`."""
    first = max((row["step"] for row in samples), default=0) - steps + 1
    return min(
        (row for row in samples if row["step"] >= first and row["finished"] and is_plain(row)),
        key=lambda row: abs(len(row["prompt"] + row["response"]) - LENGTH),
        default=None,
    )


# ------------------------------------------------------------------ the same prompts, every model


def gallery(folder: Path, world: Any) -> list[Row]:
    """Some prompts with every model's reply and, where there is a judge, the verdict on it. Models
    that say the same share an answer.
    """
    asked = read_rows(folder / "data" / "prompts-eval.jsonl")
    replies = {model: read_rows(folder / "replies" / f"{model}.jsonl") for model in ANSWERING}
    out = []
    for place in spread(asked, world.kind):
        answers: dict[str, Row] = {}
        for model, rows in replies.items():
            if rows:
                reply = rows[place]["completion"]
                if reply in answers:
                    answers[reply]["models"].append(model)
                    continue
                answer = {"models": [model], "reply": reply.strip("\n"), "verdict": None}
                if world.has_judge:
                    verdict = world.judge(asked[place]["prompt"], reply)
                    missed = {c: met for c, met in verdict.criteria.items() if met < 1.0}
                    answer |= {"verdict": verdict, "missed": missed}
                answers[reply] = answer
        out.append({**asked[place], "answers": list(answers.values())})
    return out


def failures(folder: Path, model: str, world: Any, shown: int = 4) -> list[tuple[str, float]]:
    """The criteria that a model's replies miss most often, each with its share of the prompts."""
    if not world.has_judge:
        return []
    rows = read_rows(folder / "replies" / f"{model}.jsonl")
    missed: Counter[str] = Counter()
    for row in rows:
        criteria = world.judge(row["prompt"], row["completion"]).criteria
        missed.update(name for name, met in criteria.items() if met < 1.0)
    return [(name, count / len(rows)) for name, count in missed.most_common(shown)]


def spread(rows: Sequence[Row], kind_of: Callable[[str], str], count: int = PROMPTS) -> list[int]:
    """Places of ``count`` plain prompts: each use case in turn, and in it each kind of request."""
    cases: dict[str, list[tuple[int, int]]] = defaultdict(list)
    seen: Counter[str] = Counter()
    for place, row in enumerate(rows):
        if is_plain(row):
            kind = kind_of(row["prompt"])
            cases[row["use_case"]].append((seen[kind], place))  # how many of its kind came before
            seen[kind] += 1
    queues = sorted(map(sorted, cases.values()), key=lambda queue: (-len(queue), queue))
    turns = [queue[turn : turn + 1] for turn in range(count) for queue in queues]
    chosen = [place for turn in turns for _, place in turn][:count]
    return sorted(chosen, key=lambda place: (-len(cases[rows[place]["use_case"]]), place))
