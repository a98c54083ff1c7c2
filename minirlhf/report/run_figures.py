"""The figures of a run's report: which curves and bars, from which files and figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minirlhf.evaluate.statistics import proportion
from minirlhf.paper import under, value
from minirlhf.report import charts
from minirlhf.report.charts import Bars, Lines
from minirlhf.report.examples import Row, read_rows
from minirlhf.report.summary import MODELS, PROBED, entry, tasks

POLICIES = ("ppo", "ppo-ptx")
TONES = ("basic", "respectful", "biased")
PAPER_MODELS = {"gpt": "base", "instructgpt": "ppo-ptx"}
"""The paper's models under the names of ours."""


def figures(folder: Path, summary: Row) -> dict[str, str]:
    """Every figure that the run has data for, as inline SVG."""
    drawn: dict[str, tuple[str, charts.Figure | None]] = {
        "supervised": ("Learning curves of SFT and the reward model", supervised(folder, summary)),
        "reinforced": ("Learning curves of PPO: reward and KL", reinforced(folder)),
        "health": ("Learning curves of PPO: entropy, clipping, value, length", health(folder)),
        "wins": ("Win rates against SFT", wins(summary)),
        "passes": ("Pass rates, grades and reply lengths", passes(summary)),
        "metadata": ("Table 3's metadata by model", metadata(summary)),
        "reward": ("Accuracy of the reward model", reward(summary)),
        "tax": ("Task probes and corpus loss by model", tax(summary)),
        "harm": ("Truthfulness and toxicity by model", harm(summary)),
    }
    return {name: charts.svg(figure, title) for name, (title, figure) in drawn.items() if figure}


def series(
    folder: Path, stages: Iterable[str], x: str, y: str
) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Metric ``y`` over metric ``x`` of each stage whose log has both."""
    out = {}
    for name in stages:
        rows = read_rows(folder / name / "metrics.jsonl")
        points = [(row[x], row[y]) for row in rows if x in row and y in row]
        if points:
            out[name] = tuple(zip(*points, strict=True))
    return out


def supervised(folder: Path, summary: Row) -> charts.Figure | None:
    losses = series(folder, ("sft", "sft-4x", "initial"), "epoch", "loss")
    panels = [Lines(title="SFT: loss", series=losses, x="epochs", y="nats a token", smooth=True)]
    if epochs := entry(summary, "sft_epochs"):
        points = [row["epoch"] for row in epochs], [row["score"] for row in epochs]
        best = max(epochs, key=lambda row: row["score"])
        panels.append(
            Lines(
                title="SFT: reward-model score",
                series={"sft": points},
                x="epochs",
                y="reward",
                dots=True,
                mark=(best["epoch"], best["score"], "chosen"),
            )
        )
    for title, key, unit in (("loss", "loss", "nats a pair"), ("accuracy", "accuracy", "share")):
        found = series(folder, ["reward"], "step", key)
        panels.append(
            Lines(title=f"Reward model: {title}", series=found, x="steps", y=unit, smooth=True)
        )
    return charts.lines([p for p in panels if p.series], columns=4) if losses else None


def reinforced(folder: Path) -> charts.Figure | None:
    return _of_ppo(
        folder,
        ("Score", "episodes", "objective/score", "reward"),
        ("KL to the initial model", "episodes", "objective/kl", "nats a reply"),
        ("Score against KL", "objective/kl", "objective/score", "reward"),
    )


def health(folder: Path) -> charts.Figure | None:
    return _of_ppo(
        folder,
        ("Entropy", "episodes", "objective/entropy", "nats a reply"),
        ("Clip fraction", "episodes", "ppo/policy/clipfrac", "share of tokens"),
        ("Value: explained variance", "episodes", "ppo/val/var_explained", "share"),
        ("Reply length", "episodes", "response/length", "tokens"),
    )


def _of_ppo(folder: Path, *rows: tuple[str, str, str, str]) -> charts.Figure | None:
    panels = [
        Lines(
            title=title, series=series(folder, POLICIES, x, y), y=unit, smooth=x == "episodes",
            x=x if x == "episodes" else "KL, nats a reply",
        )
        for title, x, y, unit in rows
    ]  # fmt: skip
    return charts.lines(panels, columns=len(panels)) if panels[0].series else None


def wins(summary: Row) -> charts.Figure | None:
    return _bars(
        *(
            Bars(
                title=title, values=_by_model(summary, key), line=0.5,
                paper=_paper("fig1.175b"), paper_small=_paper("fig1.1.3b"),
            )
            for title, key in (
                ("Five held-out labelers, majority", "wins_labelers"),
                ("The judge", "wins_judge"),
            )
        ),
        columns=2,
    )  # fmt: skip


def passes(summary: Row) -> charts.Figure | None:
    grade, words = (_by_model(summary, key) for key in ("grade", "words"))
    return _bars(
        Bars(title="Every criterion met", values=_by_model(summary, "passes")),
        Bars(title="The judge's grade", values=grade, unit="points, 1 to 7", dots=True),
        Bars(title="Reply length", values=words, unit="words", dots=True),
        columns=3,
    )


def metadata(summary: Row) -> charts.Figure | None:
    inappropriate = {name: 1.0 - share for name, share in _paper("fig4.appropriate").items()}
    return _bars(
        Bars(title="Fails the instruction", values=_flagged(summary, "fails_instruction")),
        Bars(title="Satisfies the constraints", values=_flagged(summary, "satisfies_constraint")),
        Bars(
            title="Inappropriate for an assistant",
            values=_flagged(summary, "inappropriate"),
            paper=inappropriate,
        ),
        Bars(
            title="Hallucination, closed domain",
            values=_by_model(summary, "hallucination"),
            unit="% of closed-domain prompts",
            paper=_paper("fig4.hallucination"),
        ),
        Bars(title="Hallucination, any prompt", values=_flagged(summary, "hallucination")),
        Bars(title="Denigrates", values=_flagged(summary, "denigrates")),
        columns=3,
    )


def reward(summary: Row) -> charts.Figure | None:
    names = {
        "against_labeler": "Against one labeler",
        "against_judge": "Against the judge",
        "against_judge_large_gap": "Against the judge, large gaps",
    }
    accuracies = entry(summary, "reward_model") or {}
    paper = {"against_labeler": value("rm.accuracy.training") / 100}
    return _bars(
        Bars(
            title="The reward model's accuracy", values=accuracies, unit="% of pairs", paper=paper,
            line=0.5,
        ),
        columns=1,
        names=names,
    )  # fmt: skip


def tax(summary: Row) -> charts.Figure | None:
    panels = [
        Bars(title=task.capitalize(), values=_by_model(summary, f"probes.{task}"), unit="% right")
        for task in tasks(summary)
    ]
    loss = _by_model(summary, "probes.corpus loss")
    return _bars(
        *panels, Bars(title="Corpus loss", values=loss, unit="nats a token", dots=True), columns=4
    )


def harm(summary: Row) -> charts.Figure | None:
    truthful = Bars(
        title="Truthful",
        values=_by_model(summary, "probes.truthfulness"),
        unit="% of replies",
        paper=_paper("fig6.truthful"),
    )
    toxic = [
        Bars(
            title=f"Toxic, {tone} prompt",
            values=_by_model(summary, f"probes.toxicity, {tone}"),
            unit="% of replies",
        )
        for tone in TONES
    ]
    return _bars(truthful, *toxic, columns=4)


def _bars(*panels: Bars, columns: int, **options: Any) -> charts.Figure | None:
    present = [panel for panel in panels if panel.values]
    return charts.bars(present, columns=columns, **options) if present else None


def _by_model(summary: Row, key: str) -> dict[str, dict[str, float]]:
    """An interval of each model that has it."""
    names = PROBED if key.startswith("probes.") else MODELS
    found = {name: entry(summary, f"models.{name}.{key}") for name in names}
    return {name: interval for name, interval in found.items() if interval}


def _flagged(summary: Row, flag: str) -> dict[str, dict[str, float]]:
    """The share of each model's replies with a flag of Table 3, with Wilson's interval."""
    out = {}
    for name in MODELS:
        share = entry(summary, f"models.{name}.metadata.{flag}")
        if share is not None:
            count = entry(summary, f"models.{name}.passes.n")
            out[name] = asdict(proportion(round(share * count), count))
    return out


def _paper(prefix: str) -> dict[str, float]:
    return {PAPER_MODELS.get(name, name): number.value for name, number in under(prefix).items()}
