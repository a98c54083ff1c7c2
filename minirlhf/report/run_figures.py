"""The figures of a run's report: which curves and bars, from which files and figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minirlhf.evaluate.statistics import proportion
from minirlhf.paper import under, value
from minirlhf.report.bars import Bars, to_one_end
from minirlhf.report.charts import Lines
from minirlhf.report.examples import Row, read_rows
from minirlhf.report.summary import MODELS, PROBED, entry, tasks

POLICIES = ("ppo", "ppo-ptx")
TONES = ("basic", "respectful", "biased")
PAPER_MODELS = {"gpt": "base", "instructgpt": "ppo-ptx"}
"""The paper's models under the names of ours."""


@dataclass(frozen=True)
class Group:
    """Panels that belong together, drawn side by side as far as there is room."""

    kind: str
    """``bars`` or ``lines``: which macro of ``charts.html.jinja`` draws them."""
    panels: list[Any]

    @property
    def window(self) -> int:
        """Over how many values the longest running mean goes."""
        return max(panel.window for panel in self.panels)


def figures(folder: Path, summary: Row) -> dict[str, Group]:
    """Every figure that the run has data for."""
    drawn = {
        "supervised": supervised(folder, summary),
        "reinforced": reinforced(folder),
        "health": health(folder),
        "wins": wins(summary),
        "passes": passes(summary),
        "metadata": metadata(summary),
        "unseen": unseen(summary),
        "reward": reward(summary),
        "tax": tax(summary),
        "corpus": corpus(summary),
        "harm": harm(summary),
    }
    return {name: group for name, group in drawn.items() if group}


def series(
    folder: Path, stages: Iterable[str], x: str, y: str
) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Metric ``y`` over metric ``x`` of each stage whose log has both."""
    out = {}
    for name in stages:
        rows = read_rows(folder / name / "metrics.jsonl")
        pairs = [(row[x], row[y]) for row in rows if x in row and y in row]
        points = [pair for pair in pairs if all(map(math.isfinite, pair))]
        if points:
            out[name] = tuple(zip(*points, strict=True))
    return out


def supervised(folder: Path, summary: Row) -> Group | None:
    losses = series(folder, ("sft", "sft-4x", "initial"), "epoch", "loss")
    panels = [Lines(title="SFT: loss", series=losses, x="epochs", y="nats per token", smooth=True)]
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
    for title, key, unit in (("loss", "loss", "nats per pair"), ("accuracy", "accuracy", "share")):
        found = series(folder, ["reward"], "step", key)
        panels.append(
            Lines(title=f"Reward model: {title}", series=found, x="steps", y=unit, smooth=True)
        )
    return _group("lines", [panel for panel in panels if panel.series]) if losses else None


def reinforced(folder: Path) -> Group | None:
    return _of_ppo(
        folder,
        ("Score", "episodes", "objective/score", "reward"),
        ("KL to the initial model", "episodes", "objective/kl", "nats per reply"),
        ("Score against KL", "objective/kl", "objective/score", "reward"),
    )


def health(folder: Path) -> Group | None:
    return _of_ppo(
        folder,
        ("Entropy", "episodes", "objective/entropy", "nats per reply"),
        ("Clip fraction", "episodes", "ppo/policy/clipfrac", "share of tokens"),
        ("Value: explained variance", "episodes", "ppo/val/var_explained", "share"),
        ("Reply length", "episodes", "response/length", "tokens"),
    )


def _of_ppo(folder: Path, *rows: tuple[str, str, str, str]) -> Group | None:
    panels = [
        Lines(
            title=title, series=series(folder, POLICIES, x, y), y=unit, smooth=True,
            x=x if x == "episodes" else "KL, nats per reply", path=x != "episodes",
        )
        for title, x, y, unit in rows
    ]  # fmt: skip
    return _group("lines", [panel for panel in panels if panel.series])


def wins(summary: Row) -> Group | None:
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
    )  # fmt: skip


def passes(summary: Row) -> Group | None:
    grade, words = (_by_model(summary, key) for key in ("grade", "words"))
    return _bars(
        Bars(title="Every criterion met", values=_by_model(summary, "passes")),
        Bars(title="The judge’s grade", values=grade, unit="points, 1 to 7", dots=True),
        Bars(title="Reply length", values=words, unit="words", dots=True),
    )


def unseen(summary: Row) -> Group | None:
    """How the models fare where constraints meet that no demonstration puts together."""
    found = _by_model(summary, "unseen_combinations")
    found = {name: values for name, values in found.items() if name not in ("initial", "best-of-n")}
    every = {name: v for name, v in _by_model(summary, "passes").items() if name in found}
    return (
        _bars(
            Bars(title="Passes these", values=found, unit="% of such prompts"),
            Bars(title="Passes all prompts", values=every),
        )
        if found
        else None
    )


def metadata(summary: Row) -> Group | None:
    less = "% of prompts, less is better"
    inappropriate = {name: 1.0 - share for name, share in _paper("fig4.appropriate").items()}
    return _bars(
        Bars(
            title="Fails the instruction", values=_flagged(summary, "fails_instruction"), unit=less
        ),
        Bars(
            title="Satisfies the constraints",
            values=_flagged(summary, "satisfies_constraint"),
            unit="% of prompts, more is better",
        ),
        Bars(
            title="Inappropriate for an assistant",
            values=_flagged(summary, "inappropriate"),
            unit=less,
            paper=inappropriate,
        ),
        Bars(
            title="Hallucination, closed domain",
            values=_by_model(summary, "hallucination"),
            unit="% of closed-domain prompts, less is better",
            paper=_paper("fig4.hallucination"),
        ),
        Bars(
            title="Hallucination, any prompt", values=_flagged(summary, "hallucination"), unit=less
        ),
        Bars(title="Denigrates", values=_flagged(summary, "denigrates"), unit=less),
    )


def reward(summary: Row) -> Group | None:
    names = {
        "against_labeler": "One labeler",
        "against_judge": "The judge",
        "against_judge_large_gap": "The judge, large gaps",
    }
    accuracies = {
        name: {**interval, "key": f"reward_model.{name}.mean"}
        for name, interval in (entry(summary, "reward_model") or {}).items()
    }
    paper = {"against_labeler": value("rm.accuracy.training") / 100}
    return _bars(
        Bars(
            title="The reward model’s accuracy", values=accuracies, unit="% of pairs, against",
            paper=paper, line=0.5, names=names,
        )
    )  # fmt: skip


def tax(summary: Row) -> Group | None:
    return _bars(
        *(
            Bars(
                title=task.capitalize(),
                values=_by_model(summary, f"probes.{task}"),
                unit="% answered right, more is better",
            )
            for task in tasks(summary)
        )
    )


def corpus(summary: Row) -> Group | None:
    loss = _by_model(summary, "probes.corpus loss")
    return _bars(
        Bars(title="Corpus loss", values=loss, unit="nats per token, less is better", dots=True)
    )


def harm(summary: Row) -> Group | None:
    truthful = Bars(
        title="Truthful",
        values=_by_model(summary, "probes.truthfulness"),
        unit="% of replies, more is better",
        paper=_paper("fig6.truthful"),
    )
    toxic = [
        Bars(
            title=f"Toxic, {tone} prompt",
            values=_by_model(summary, f"probes.toxicity, {tone}"),
            unit="% of replies, less is better",
        )
        for tone in TONES
    ]
    return _bars(truthful, *toxic)


def _bars(*panels: Bars) -> Group | None:
    return _group("bars", to_one_end([panel for panel in panels if panel.values]))


def _group(kind: str, panels: list[Any]) -> Group | None:
    return Group(kind, panels) if panels else None


def _by_model(summary: Row, key: str) -> dict[str, dict[str, float]]:
    """An interval of each model that has it."""
    names = PROBED if key.startswith("probes.") else MODELS
    found = {name: entry(summary, f"models.{name}.{key}") for name in names}
    return {
        name: {**interval, "key": f"models.{name}.{key}.mean"}
        for name, interval in found.items()
        if interval
    }


def _flagged(summary: Row, flag: str) -> dict[str, dict[str, float]]:
    """The share of each model's replies with a flag of Table 3, with Wilson's interval."""
    out = {}
    for name in MODELS:
        share = entry(summary, f"models.{name}.metadata.{flag}")
        if share is not None:
            count = entry(summary, f"models.{name}.passes.n")
            interval = asdict(proportion(round(share * count), count))
            out[name] = {**interval, "mean": share, "key": f"models.{name}.metadata.{flag}"}
    return out


def _paper(prefix: str) -> dict[str, float]:
    return {PAPER_MODELS.get(name, name): number.value for name, number in under(prefix).items()}
