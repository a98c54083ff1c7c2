"""How a start orders replies after a few rankings: the head alone, then the whole network.

    python second-edition/measure_school.py --folder DIR exact plain voted FILE.safetensors …

`exact` are right answers to the school's questions, `plain` is the base, a file a pupil of it. An SFT
model of the base and its samples are made once and kept in the folder: development prompts
(seed 101), 4 samples of each of 4,096, 6 of each of 400 that the held-out pool ranks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from minirlhf.config import RewardConfig, SFTConfig
from minirlhf.data.files import kept
from minirlhf.data.shared_prompts import branch
from minirlhf.data.tokenization import encode_completions, encode_prompts
from minirlhf.evaluate.head_alone import curve, fit, standardised
from minirlhf.evaluate.ranking_accuracy import score_rankings, shares_in_order
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.reward import score_texts, train_reward
from minirlhf.sampling import complete
from minirlhf.sft import train_sft
from minirlhf.tinytown import datasets
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.labelers import heldout_pool
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.school import learn, questions
from minirlhf.tinytown.school.pupil import Pupil

SEED, RANKED, HELD_OUT = 101, 4096, 400
COUNTS, DRAWS = (4, 16, 64, 256, 1024, 4096), (10, 10, 10, 6, 3, 1)
RIDGE = 30.0


def samples(base: Path, folder: Path) -> tuple[list[dict], list[dict]]:
    """Prompts with the SFT model's distinct completions, to learn from and held out."""
    tokenizer = load_tokenizer(base)
    policy = load_policy(base, tokenizer)
    train_sft(
        SFTConfig(epochs=4, batch=16, learning_rate=1e-3, keep_epochs=False), policy, tokenizer,
        datasets.demonstrations(320, SEED), folder=folder / "sft",
    )  # fmt: skip
    policy = load_policy(folder / "sft" / "model", tokenizer)

    def drawn(split: str, count: int, n: int) -> list[dict]:
        rows = datasets.prompts(split, count, SEED)
        asked = [row["prompt"] for row in rows]
        said = complete(policy, tokenizer, asked, n=n, max_new_tokens=72, seed=n, micro_batch=256)
        return [
            {**row, "completions": said[place * n : (place + 1) * n]}
            for place, row in enumerate(rows)
        ]

    return (
        kept(folder / "ranked.jsonl", lambda: drawn("rm", RANKED, 4)),
        kept(folder / "held-out.jsonl", lambda: drawn("eval", HELD_OUT, 6)),
    )


def ranked(rows: list[dict], labelers=None) -> list[dict]:
    """The rows as a labeler each has ranked them."""
    return datasets.rankings(rows, [row["completions"] for row in rows], labelers, seed=SEED)


def graded(rows: list[dict]) -> list[list[float]]:
    """The judge's grades."""
    return [[judge(r["prompt"], y).overall for y in r["completions"]] for r in rows]


def of_large_gaps(scores: list, grades: list, half: float) -> float:
    """Accuracy on pairs whose grades lie more than ``half`` apart."""
    shares = []
    for said, true in zip(scores, grades, strict=True):
        pairs = [
            said[i] > said[j]
            for i in range(len(true)) for j in range(len(true)) if true[i] - true[j] > half
        ]  # fmt: skip
        shares += [np.mean(pairs)] if pairs else []
    return float(np.mean(shares))


@torch.no_grad()
def states(model: ScalarModel, tokenizer, rows: list[dict]) -> list[np.ndarray]:
    """The last state of each completion: float ``[K, d]`` a row."""
    backbone = model.classifier.base_model.eval()
    prompts = encode_prompts(tokenizer, [r["prompt"] for r in rows for _ in r["completions"]])
    replies = encode_completions(tokenizer, [y for r in rows for y in r["completions"]])
    found: list = [None] * len(prompts)
    for piece in branch(prompts, replies, tokenizer.pad_token_id, 16):
        out = backbone(
            input_ids=piece.tokens, attention_mask=piece.mask, position_ids=piece.positions,
            use_cache=False,
        ).last_hidden_state.flatten(0, 1)[piece.last]  # fmt: skip
        for row, state in zip(piece.rows, out.numpy(), strict=True):
            found[row] = state.astype(float)
    each = iter(found)
    return [np.stack([next(each) for _ in r["completions"]]) for r in rows]


def exact(rows: list[dict]) -> list[np.ndarray]:
    """Right answers to the school's questions."""
    return [
        np.array([questions.answers(parse(r["prompt"]), y) for y in r["completions"]], float)
        for r in rows
    ]


def starting(what: str, base: Path, tokenizer) -> ScalarModel:
    """A reward model before its first ranking."""
    pupil = Pupil(load_policy(base, tokenizer).base_model)
    if what != "plain":
        pupil.load(Path(what))
    return learn.start(pupil, base, tokenizer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("starts", nargs="+")
    parser.add_argument("--base", type=Path, default=Path("second-edition/bases/medium"))
    parser.add_argument("--folder", type=Path, default=Path("runs/measure-school"))
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="of the whole network")
    given = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = load_tokenizer(given.base)
    rows, others = samples(given.base, given.folder)
    train, held_out = ranked(rows), ranked(others, heldout_pool())
    ranks, order = [r["ranks"] for r in train], [r["ranks"] for r in held_out]
    grades = graded(held_out)
    half = float(np.std(np.concatenate(grades))) / 2
    judged = [[-grade for grade in row] for row in grades]

    def show(name: str, scores: list) -> None:
        figures = [float(np.nanmean(shares_in_order(scores, truth))) for truth in (order, judged)]
        figures.append(of_large_gaps(scores, grades, half))
        print(name, "labeler {:.3f} judge {:.3f} large {:.3f}".format(*figures), flush=True)

    show("the judge", grades)
    for what in given.starts:
        model = None if what == "exact" else starting(what, given.base, tokenizer)
        seen, asked = (
            exact(part) if model is None else states(model, tokenizer, part)
            for part in (train, held_out)
        )
        found = curve((seen, ranks), (asked, order), COUNTS, draws=DRAWS, ridge=RIDGE)
        for count, shares in found.items():
            spread = np.std(shares)
            print(f"{what}, {count} rankings: {np.mean(shares):.3f} ± {spread:.3f}", flush=True)
        known, new = standardised(seen, seen), standardised(asked, seen)
        head = fit(known, ranks, RIDGE)
        show(f"{what}, the head alone", [list(x @ head) for x in new])
        if model is None:
            continue
        spread = np.concatenate(seen).std(0)
        with torch.no_grad():
            model.head.weight.copy_(torch.tensor(head / np.where(spread > 0, spread, 1.0))[None])
        config = RewardConfig(epochs=1, batch=16, learning_rate=given.learning_rate)
        demonstrations = datasets.demonstrations(100, SEED)
        folder = given.folder / Path(what).stem
        model = train_reward(
            config, model, tokenizer, train, demonstrations=demonstrations, folder=folder
        ).model
        scores = score_rankings(lambda p, y, m=model: score_texts(m, tokenizer, p, y), held_out)
        show(f"{what}, then everything", scores)


if __name__ == "__main__":
    main()
