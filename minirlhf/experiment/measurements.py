"""The figures of a run: what §4 of the paper measures, on this run's models.

Everything is computed from the run folder by way of `Artifacts`, and goes into ``summary.json``;
`SUMMARY` says what each entry is. What there is no judge or labeler for is left out, and so is what
no pair of replies decides.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minirlhf.data.tokenization import encode_documents
from minirlhf.evaluate.preference import agreement, labeler_verdicts, preferred_by_panel
from minirlhf.evaluate.probing import run_probe, run_task, won_back
from minirlhf.evaluate.statistics import Interval, over_prompts, paired_difference, proportion
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.world import Row, World
from minirlhf.objectives import token_logprobs
from minirlhf.pretrained import load_policy
from minirlhf.report.summary import MODELS, PROBED
from minirlhf.training.devices import first_device

SUMMARY = {
    "settings": "the ExperimentConfig",
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
    "models.NAME.apart": "of a task probe: answers in a wrong form, likelihood of the right answer",
    "models.NAME.tax": "paired difference on each task probe against base",
    "demonstrations.passes": "pass rate of the demonstrations",
    "comparisons": "distinct SFT samples of one prompt: the judge's ties, two labelers' agreement",
    "reward_model": "accuracy on held-out comparisons: against a labeler, against the judge",
    "sft_epochs": "the reward model's score of each SFT epoch, and the epoch chosen",
    "prefix": "the few-shot prefix of the prompted base model",
    "won_back": "what PPO-ptx wins back of PPO's loss on the task probes, a share (null: no loss)",
}
"""The entries of summary.json."""

PANEL = 5
DOCUMENTS = 200
"""Unseen documents on which the corpus loss is measured."""


def replies(artifacts: Artifacts, name: str) -> list[str]:
    """One reply of model ``name`` to every evaluation prompt."""
    if name == "prompted":
        return artifacts.replies(
            name, lambda asked: artifacts.sample_prompted(artifacts.prefix, asked, seed=9)
        )
    if name == "best-of-n":
        return artifacts.replies(name, artifacts.best_of_n)
    return artifacts.replies(
        name, lambda asked: artifacts.sample(model_folder(artifacts, name), asked, seed=400)
    )


def model_folder(artifacts: Artifacts, name: str) -> Path:
    known = {
        "base": lambda: artifacts.base,
        "sft": lambda: artifacts.sft,
        "sft-4x": lambda: artifacts.sft_large,
        "initial": lambda: artifacts.initial,
    }
    return known[name]() if name in known else artifacts.policy(name)


def make_models(artifacts: Artifacts, names: Sequence[str]) -> None:
    """Train these models, if they aren't yet, and let them reply to everything that is measured."""
    for name in names:
        replies(artifacts, name)
        if name in PROBED:
            probe(artifacts, name)


def shown(interval: Interval) -> dict[str, float]:
    return asdict(interval)


def describe(artifacts: Artifacts, name: str, opponent: str = "sft") -> dict[str, Any]:
    """The figures of one model on the evaluation prompts."""
    world, asked = artifacts.world, [row["prompt"] for row in artifacts.prompts("eval")]
    ours, theirs = replies(artifacts, name), replies(artifacts, opponent)
    found: dict[str, Any] = {
        "words": shown(over_prompts([len(y.split()) for y in ours])),
        "score": shown(over_prompts(artifacts.score(asked, ours).numpy())),
    }
    found |= {name: shown(value) for name, value in opinions(world, asked, ours, theirs).items()}
    if world.has_judge:
        found |= judged(artifacts, asked, ours, theirs)
    return found


def opinions(
    world: World,
    asked: list[str],
    ours: list[str],
    theirs: list[str] | None = None,
    *,
    seed: int = 0,
) -> dict[str, Interval]:
    """What the judge says of replies and, against ``theirs``, what judge and labelers prefer."""
    found, mean = {}, partial(over_prompts, seed=seed)
    panels = {"wins_labelers": [labeler.prefers for labeler in world.heldout_labelers[:PANEL]]}
    if world.has_judge:
        verdicts = [world.judge(*pair) for pair in zip(asked, ours, strict=True)]
        found["passes"] = mean([float(verdict.passes) for verdict in verdicts])
        found["grade"] = mean([verdict.overall for verdict in verdicts])
        panels = {"wins_judge": [partial(better, world)], **panels}
    for name, panel in panels.items():
        if panel and theirs is not None:
            found[name] = preferred_by_panel(panel, asked, ours, theirs, seed=seed).win_rate
    return found


def judged(
    artifacts: Artifacts, asked: list[str], ours: list[str], theirs: list[str]
) -> dict[str, Any]:
    """What the judge finds in replies in detail, and how they do beside another model's."""
    world = artifacts.world
    verdicts = [world.judge(*pair) for pair in zip(asked, ours, strict=True)]
    passes = np.array([verdict.passes for verdict in verdicts], dtype=float)
    before = [float(world.judge(*pair).passes) for pair in zip(asked, theirs, strict=True)]
    groups = [world.groups(prompt) for prompt in asked]
    unseen = [p for p, g in zip(passes, groups, strict=True) if "unseen combination" in g]
    closed = [
        verdict.flags["hallucination"]
        for verdict, group in zip(verdicts, groups, strict=True)
        if "closed domain" in group
    ]
    cases: dict[str, list[float]] = {}
    for row, passed in zip(artifacts.prompts("eval"), passes, strict=True):
        cases.setdefault(row["use_case"], []).append(float(passed))
    return {
        "gain": shown(paired_difference(passes, before)),
        "metadata": {
            flag: float(np.mean([verdict.flags[flag] for verdict in verdicts]))
            for flag in verdicts[0].flags
        },
        "use_cases": {case: float(np.mean(values)) for case, values in sorted(cases.items())},
        "unseen_combinations": shown(proportion(int(sum(unseen)), len(unseen))) if unseen else None,
        "hallucination": shown(proportion(sum(closed), len(closed))) if closed else None,
    }


def better(world: World, prompt: str, one: str, two: str) -> float:
    """1 if the judge prefers ``one``, 0 if ``two``, one half for a tie."""
    gap = world.judge(prompt, one).overall - world.judge(prompt, two).overall
    return 0.5 if abs(gap) < world.tie else float(gap > 0)


def probe(artifacts: Artifacts, name: str) -> dict[str, Any]:
    """Every probe of one model: ``figures``, and of each task the scores of its items."""
    return artifacts.kept(
        f"probes/{name}", lambda: [probe_model(artifacts, model_folder(artifacts, name), name)]
    )[0]


def probe_model(artifacts: Artifacts, model: Path, name: str) -> Row:
    """The same of the policy in the folder ``model``, whichever run it is of."""
    seed = artifacts.config.seed
    policy = load_policy(model, artifacts.tokenizer).to(first_device())
    figures, tasks, apart = Row(), Row(), Row()
    probes = artifacts.world.probes.items()
    for title, asked in artifacts.teller.each(f"probing {name}", probes):
        items = asked.items(asked.count, seed)
        if asked.is_task:
            answers = run_task(policy, artifacts.tokenizer, items)
            tasks[title], found = answers.scores.tolist(), answers.scores
            apart[title] = {k: shown(over_prompts(v)) for k, v in answers.apart().items()}
        else:
            found = run_probe(
                policy, artifacts.tokenizer, items,
                temperature=asked.temperature, n=asked.n, seed=seed,
            )  # fmt: skip
        figures[title] = shown(over_prompts(found))
    figures["corpus loss"] = corpus_loss(policy, artifacts)
    return {"figures": figures, "tasks": tasks, "apart": apart}


def tax(artifacts: Artifacts, name: str) -> dict[str, dict[str, float]]:
    """Paired differences to the base on each task probe, item by item."""
    return beside_base(artifacts, probe(artifacts, name))


def beside_base(artifacts: Artifacts, probed: Row) -> dict[str, dict[str, float]]:
    """The same of what `probe_model` found."""
    base = probe(artifacts, "base")["tasks"]
    return {t: shown(paired_difference(x, base[t])) for t, x in probed["tasks"].items()}


@torch.no_grad()
def corpus_loss(policy, artifacts: Artifacts) -> dict[str, float]:
    """Mean negative log-likelihood per token of unseen pretraining documents."""
    policy.eval()
    texts = [row["text"] for row in artifacts.world.documents(DOCUMENTS, held_out=True)]
    context = policy.config.get_text_config().max_position_embeddings
    losses = []
    for ids in encode_documents(artifacts.tokenizer, texts, context):
        tokens = torch.tensor([[*ids]], device=policy.device)
        logits = policy(input_ids=tokens, use_cache=False).logits
        losses.append(-float(token_logprobs(logits[:, :-1], tokens[:, 1:]).mean()))
    return shown(over_prompts(losses))


def comparisons(artifacts: Artifacts) -> list[tuple[str, str, str]]:
    """Pairs of distinct SFT samples of an evaluation prompt."""
    asked = [row["prompt"] for row in artifacts.prompts("eval")]

    def rows() -> list[Row]:
        samples = artifacts.sample(artifacts.sft, asked, seed=500, n=4)
        out = []
        for number, prompt in enumerate(asked):
            one, *others = samples[4 * number : 4 * number + 4]
            two = next((reply for reply in others if reply != one), None)
            if two is not None:
                out.append({"prompt": prompt, "one": one, "two": two})
        return out

    return [(r["prompt"], r["one"], r["two"]) for r in artifacts.kept("data/comparisons", rows)]


def judge_reward_model(artifacts: Artifacts) -> dict[str, Any]:
    """Accuracy on held-out comparisons (§3.5, E.2), by who decides which reply is better."""
    world, pairs = artifacts.world, comparisons(artifacts)
    if not pairs:
        return {}
    asked = [prompt for prompt, _, _ in pairs]
    ones, twos = (artifacts.score(asked, [pair[side] for pair in pairs]) for side in (1, 2))
    gaps = (ones - twos).numpy()
    decided: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if world.labelers:
        rng = random.Random(artifacts.config.seed)
        votes = np.array([rng.choice(world.labelers).prefers(*pair) for pair in pairs])
        decided["against_labeler"] = votes > 0.5, votes != 0.5
    if world.has_judge:
        grades = np.array([[world.judge(p, y).overall for y in both] for p, *both in pairs])
        truth = grades[:, 0] - grades[:, 1]
        decided["against_judge"] = truth > 0, np.abs(truth) >= world.tie
        decided["against_judge_large_gap"] = truth > 0, np.abs(truth) > 0.5 * grades.std()
    return {
        name: shown(over_prompts((gaps[where] > 0) == wanted[where]))
        for name, (wanted, where) in decided.items()
        if where.any()
    }


def agreement_on(world: World, pairs: Sequence[tuple[str, str, str]]) -> dict[str, float]:
    """Over (prompt, one, two): how often two labelers agree (§3.4: 72.6%), and the judge ties."""
    found: dict[str, float] = {"pairs": len(pairs)}
    if not pairs:
        return found
    columns = list(zip(*pairs, strict=True))
    votes = labeler_verdicts([labeler.prefers for labeler in world.labelers], *columns)
    if ((votes != 0.5).sum(axis=0) > 1).any():
        found["agreement"] = agreement(votes)
    if world.has_judge:
        ties = labeler_verdicts([partial(better, world)], *columns) == 0.5
        found["judge_ties"] = float(ties.mean())
    return found


def summarize(artifacts: Artifacts) -> dict[str, Any]:
    """Every figure of the run: see :data:`SUMMARY`."""
    each = artifacts.teller.each("measuring the models", MODELS)
    models = {name: describe(artifacts, name) for name in each}
    for name in PROBED:
        found = probe(artifacts, name)
        models[name]["probes"], models[name]["apart"] = found["figures"], found["apart"]
        models[name]["tax"] = tax(artifacts, name)
    summary: dict[str, Any] = {
        "models": models,
        "comparisons": agreement_on(artifacts.world, comparisons(artifacts)),
        "reward_model": judge_reward_model(artifacts),
        "sft_epochs": artifacts.kept("sft/chosen", list),
        "prefix": artifacts.prefix,
        "won_back": won_back(models),
    }
    if artifacts.world.has_judge:
        pairs = [(row["prompt"], row["completion"]) for row in artifacts.few_demonstrations]
        passed = [artifacts.world.judge(*pair).passes for pair in pairs]
        summary["demonstrations"] = {"passes": shown(proportion(sum(passed), len(passed)))}
    return summary
