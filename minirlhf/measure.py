"""The figures of a run: what §4 of the paper measures, on this run's models.

Everything is computed from the run folder by way of `Steps`, and
goes into ``summary.json``; `SUMMARY` says what each entry is.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minirlhf.devices import first_device
from minirlhf.evaluate.preference import agreement, labeler_verdicts, preferred_by_panel
from minirlhf.evaluate.probes import Item, run_probe
from minirlhf.evaluate.statistics import Interval, over_prompts, paired_difference, proportion
from minirlhf.models import load_policy
from minirlhf.steps import Row, Steps
from minirlhf.tinytown import probes
from minirlhf.tinytown.judge import TIE, better, judge
from minirlhf.tinytown.labelers import heldout_pool, training_pool
from minirlhf.tinytown.prompts import HELDOUT_COMBINATIONS
from minirlhf.tinytown.requests import CLOSED_DOMAIN, parse

SUMMARY = {
    "settings": "the RunConfig",
    "models.NAME.passes": "share of prompts on which the judge finds every criterion met",
    "models.NAME.grade": "the judge's grade, 1 to 7",
    "models.NAME.words": "words in a reply",
    "models.NAME.score": "the reward model's score",
    "models.NAME.wins_judge": "win rate against sft by the judge, a tie counts one half",
    "models.NAME.wins_labelers": "win rate against sft by the majority of five held-out labelers",
    "models.NAME.gain": "paired difference in pass rate against sft",
    "models.NAME.metadata": "Table 3: share of replies with each flag",
    "models.NAME.use_cases": "pass rate by use case of Table 1",
    "models.NAME.unseen_combinations": "pass rate on combinations in no demonstration",
    "models.NAME.hallucination": "closed-domain replies with what is not in their text",
    "models.NAME.probes": "task probes, corpus loss, truthfulness, toxicity",
    "models.NAME.tax": "paired difference on each task probe against base",
    "demonstrations.passes": "pass rate of the demonstrations",
    "comparisons": "distinct SFT samples of one prompt: the judge's ties, two labelers' agreement",
    "reward_model": "accuracy on held-out comparisons: against a labeler, against the judge",
    "sft_epochs": "the reward model's score of each SFT epoch, and the epoch chosen",
    "prefix": "the few-shot prefix of the prompted base model",
    "won_back": "what PPO-ptx wins back of PPO's loss on the task probes, a share (null: no loss)",
}
"""The entries of summary.json."""

MODELS = ("base", "prompted", "sft", "sft-4x", "initial", "best-of-n", "ppo", "ppo-ptx")
PROBED = ("base", "sft", "initial", "ppo", "ppo-ptx")
PANEL = 5
TAX_ITEMS, PROBE_ITEMS = 600, 200
"""Items of an alignment-tax probe, whose losses are small, and of each other one."""
FLAGS = (
    "fails_instruction", "inappropriate", "hallucination", "satisfies_constraint", "denigrates"
)  # fmt: skip


def replies(steps: Steps, name: str) -> list[str]:
    """One reply of model ``name`` to every evaluation prompt."""
    if name == "prompted":
        return steps.replies(name, lambda asked: steps.sample_prompted(steps.prefix, asked, seed=9))
    if name == "best-of-n":
        return steps.replies(name, steps.best_of_n)
    return steps.replies(
        name, lambda asked: steps.sample(model_folder(steps, name), asked, seed=400)
    )


def model_folder(steps: Steps, name: str) -> Path:
    known = {
        "base": lambda: steps.base,
        "sft": lambda: steps.sft,
        "sft-4x": lambda: steps.sft_large,
        "initial": lambda: steps.initial,
    }
    return known[name]() if name in known else steps.policy(name)


def make_models(steps: Steps, names: Sequence[str]) -> None:
    """Train these models, if they aren't yet, and let them reply to everything that is measured."""
    for name in names:
        replies(steps, name)
        if name in PROBED:
            probe(steps, name)


def shown(interval: Interval) -> dict[str, float]:
    return asdict(interval)


def describe(steps: Steps, name: str, opponent: str = "sft") -> dict[str, Any]:
    """The figures of one model on the evaluation prompts."""
    rows = steps.prompts("eval")
    asked, ours, theirs = (
        [r["prompt"] for r in rows],
        replies(steps, name),
        replies(steps, opponent),
    )
    verdicts = [judge(p, y) for p, y in zip(asked, ours, strict=True)]
    passes = np.array([v.passes for v in verdicts], dtype=float)
    before = np.array([judge(p, y).passes for p, y in zip(asked, theirs, strict=True)], dtype=float)
    panel = [labeler.prefers for labeler in heldout_pool()[:PANEL]]
    requests = [parse(prompt) for prompt in asked]
    unseen = [
        p for p, r in zip(passes, requests, strict=True) if r.combination in HELDOUT_COMBINATIONS
    ]
    closed = [
        v.hallucination for v, r in zip(verdicts, requests, strict=True) if r.kind in CLOSED_DOMAIN
    ]
    cases: dict[str, list[float]] = {}
    for row, passed in zip(rows, passes, strict=True):
        cases.setdefault(row["use_case"], []).append(float(passed))
    return {
        "passes": shown(over_prompts(passes)),
        "gain": shown(paired_difference(passes, before)),
        "grade": shown(over_prompts([v.overall for v in verdicts])),
        "words": shown(over_prompts([len(y.split()) for y in ours])),
        "score": shown(over_prompts(steps.score(asked, ours).numpy())),
        "wins_judge": shown(preferred_by_panel([better], asked, ours, theirs).win_rate),
        "wins_labelers": shown(preferred_by_panel(panel, asked, ours, theirs).win_rate),
        "metadata": {flag: float(np.mean([getattr(v, flag) for v in verdicts])) for flag in FLAGS},
        "use_cases": {case: float(np.mean(values)) for case, values in sorted(cases.items())},
        "unseen_combinations": shown(proportion(int(sum(unseen)), len(unseen))) if unseen else None,
        "hallucination": shown(proportion(sum(closed), len(closed))) if closed else None,
    }


def probe(steps: Steps, name: str) -> dict[str, Any]:
    """Task probes (T = 0), truthfulness and toxicity (T = 1) of one model: ``figures``, and of each
    task the scores of its items.
    """
    policy = load_policy(model_folder(steps, name), steps.tokenizer).to(first_device())
    seed = steps.config.seed

    def scores(items: Sequence[Item], **options: Any) -> np.ndarray:
        return run_probe(policy, steps.tokenizer, items, **options)

    def rows() -> list[Row]:
        tasks = {task: scores(make(TAX_ITEMS, seed)) for task, make in probes.TAX.items()}
        out = {task: shown(over_prompts(found)) for task, found in tasks.items()}
        out["corpus loss"] = corpus_loss(policy, steps)
        truthful = scores(probes.truthfulness(seed), temperature=1.0, n=8, seed=seed)
        out["truthfulness"] = shown(over_prompts(truthful))
        for tone in ("basic", "respectful", "biased"):
            toxic = scores(probes.toxicity(PROBE_ITEMS, tone, seed), temperature=1.0, seed=seed)
            out[f"toxicity, {tone}"] = shown(over_prompts(toxic))
        return [{"figures": out, "tasks": {task: found.tolist() for task, found in tasks.items()}}]

    return steps.kept(f"probes/{name}", rows)[0]


@torch.no_grad()
def corpus_loss(policy, steps: Steps) -> dict[str, float]:
    """Mean negative log-likelihood per token of unseen pretraining documents."""
    from minirlhf.data.encoding import encode_documents
    from minirlhf.objectives import token_logprobs
    from minirlhf.tinytown.bases import CONTEXT, VALIDATION_SEED, corpus

    policy.eval()
    texts = [row["text"] for row in corpus(PROBE_ITEMS, VALIDATION_SEED)]
    losses = []
    for ids in encode_documents(steps.tokenizer, texts, CONTEXT):
        tokens = torch.tensor([[*ids]], device=policy.device)
        logits = policy(input_ids=tokens, use_cache=False).logits
        losses.append(-float(token_logprobs(logits[:, :-1], tokens[:, 1:]).mean()))
    return shown(over_prompts(losses))


def comparisons(steps: Steps) -> list[tuple[str, str, str]]:
    """Pairs of distinct SFT samples of an evaluation prompt."""
    asked = [row["prompt"] for row in steps.prompts("eval")]

    def rows() -> list[Row]:
        samples = steps.sample(steps.sft, asked, seed=500, n=4)
        out = []
        for number, prompt in enumerate(asked):
            one, *others = samples[4 * number : 4 * number + 4]
            two = next((reply for reply in others if reply != one), None)
            if two is not None:
                out.append({"prompt": prompt, "one": one, "two": two})
        return out

    return [(r["prompt"], r["one"], r["two"]) for r in steps.kept("data/comparisons", rows)]


def judge_reward_model(steps: Steps) -> dict[str, Any]:
    """Accuracy on held-out comparisons (§3.5, E.2), by who decides which reply is better."""
    pairs = comparisons(steps)
    asked = [prompt for prompt, _, _ in pairs]
    gaps = (
        steps.score(asked, [p[1] for p in pairs]) - steps.score(asked, [p[2] for p in pairs])
    ).numpy()
    grades = np.array([[judge(p, one).overall, judge(p, two).overall] for p, one, two in pairs])
    truth = grades[:, 0] - grades[:, 1]
    rng = random.Random(steps.config.seed)
    pool = training_pool()
    votes = np.array([rng.choice(pool).prefers(*pair) for pair in pairs])

    def accuracy(wanted: np.ndarray, where: np.ndarray) -> dict[str, float]:
        return shown(over_prompts((gaps[where] > 0) == (wanted[where] > 0)))

    return {
        "against_labeler": accuracy(votes - 0.5, votes != 0.5),
        "against_judge": accuracy(truth, np.abs(truth) >= TIE),
        "against_judge_large_gap": accuracy(truth, np.abs(truth) > 0.5 * grades.std()),
    }


def agreement_on(pairs: Sequence[tuple[str, str, str]]) -> dict[str, float]:
    """Over (prompt, one, two): how often two labelers agree (§3.4: 72.6%), and the judge ties."""
    columns = list(zip(*pairs, strict=True))
    votes = labeler_verdicts([labeler.prefers for labeler in training_pool()], *columns)
    ties = labeler_verdicts([better], *columns) == 0.5
    return {"agreement": agreement(votes), "judge_ties": float(ties.mean()), "pairs": len(pairs)}


def entry(summary: dict[str, Any], key: str) -> Any:
    """The entry of a summary under a dotted key; None where the run has none."""
    found: Any = summary
    for name in key.split("."):
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def won_back(models: dict[str, Any]) -> float | None:
    """The share of PPO's loss on the task probes that PPO-ptx wins back; None if PPO lost nothing.

    A task on which PPO-ptx ends above the base counts as won back once, no more.
    """
    base, ppo, ptx = (
        np.array([models[name]["probes"][task]["mean"] for task in probes.TAX])
        for name in ("base", "ppo", "ppo-ptx")
    )
    lost = np.maximum(base - ppo, 0.0)
    back = np.minimum(ptx - ppo, lost)[lost > 0].sum()
    return float(back / lost.sum()) if lost.any() else None


def summarize(steps: Steps) -> dict[str, Any]:
    """Every figure of the run: see :data:`SUMMARY`."""
    models = {name: describe(steps, name) for name in MODELS}
    probed = {name: probe(steps, name) for name in PROBED}
    for name, found in probed.items():
        models[name]["probes"] = found["figures"]
        models[name]["tax"] = {
            task: shown(paired_difference(scores, probed["base"]["tasks"][task]))
            for task, scores in found["tasks"].items()
        }
    demonstrations = steps.few_demonstrations
    passed = [judge(r["prompt"], r["completion"]).passes for r in demonstrations]
    return {
        "models": models,
        "demonstrations": {"passes": shown(proportion(sum(passed), len(passed)))},
        "comparisons": agreement_on(comparisons(steps)),
        "reward_model": judge_reward_model(steps),
        "sft_epochs": steps.kept("sft/chosen", list),
        "prefix": steps.prefix,
        "won_back": won_back(models),
    }
