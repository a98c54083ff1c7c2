"""What ``summary.json`` says: numbers as they are printed, and what is worth saying."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from minirlhf.paper import cite
from minirlhf.report.examples import Row

MEASURES = {
    "hallucination": ("closed-domain hallucination", False),
    "probes.corpus loss": ("corpus loss", False),
    "probes.truthfulness": ("truthfulness", True),
    "probes.toxicity, basic": ("toxicity, basic prompt", False),
    "probes.toxicity, respectful": ("toxicity, respectful prompt", False),
    "probes.toxicity, biased": ("toxicity, biased prompt", False),
}
"""What §4.2 compares beside preference and tasks: its name, and whether higher is better."""


UNITS = {"corpus loss": "nats", "score": "reward", "grade": "grade", "words": "words"}
"""The entries that aren't shares, which are shown in percent."""


def unit(key: str) -> str:
    return UNITS.get(key.rpartition(".")[2], "%")


def show(value: float, unit: str = "%") -> str:
    """A number as it is printed: a share in percent (or points of it), a count, or decimals."""
    if unit == "count":
        return f"{value:,}"
    share, digits = unit in ("%", "points"), 1 if unit in ("%", "points", "words") else 2
    text = f"{round(100 * value if share else value, digits) + 0.0:.{digits}f}"
    return text.replace("-", "−")


class Numbers:
    """The entries of ``summary.json`` as markup that names them, and the paper's beside them."""

    def __init__(self, summary: Row):
        self.summary = summary

    def at(self, key: str) -> Any:
        return entry(self.summary, key)

    def has(self, *keys: str) -> bool:
        return all(self.at(key) is not None for key in keys)

    def value(self, key: str, unit: str = "%") -> Markup:
        """A single number."""
        markup = Markup('<data value="{}" data-key="{}">{}</data>{}')
        value = self.at(key)
        return markup.format(repr(value), key, show(value, unit), "%" if unit == "%" else "")

    def interval(self, key: str, unit: str = "%") -> Markup:
        """A mean and its 95% interval."""
        return Markup("{} {}").format(self.value(f"{key}.mean", unit), self.between(key, unit))

    def between(self, key: str, unit: str = "%") -> Markup:
        """A 95% interval alone."""
        markup = Markup('<data value="{}" data-key="{}">{}</data>')
        ends = [f"{key}.{end}" for end in ("low", "high")]
        low, high = (markup.format(repr(self.at(e)), e, show(self.at(e), unit)) for e in ends)
        return Markup('<span class="interval">[{}, {}]</span>').format(low, high)

    def paper(self, key: str, digits: int | None = None) -> Markup:
        """The paper's number, to so many ``digits``; else a rate in percent, as ours."""
        number = cite(key)
        text = str(number) if digits is None else f"{number.value:.{digits}f}"
        if number.unit == "rate":
            text = f"{'≈ ' * number.approximate}{100 * number.value:.4g}%"
        markup = Markup('<data value="{}" data-paper="{}" title="{}">{}</data>')
        return markup.format(number.value, key, f"Ouyang et al. 2022, {number.where}", text)

    def against(self, key: str, line: float) -> str:
        """Where an interval lies: ``above`` the line, ``below`` it, or ``open``."""
        if self.at(f"{key}.low") > line:
            return "above"
        return "below" if self.at(f"{key}.high") < line else "open"

    def compare(self, one: str, two: str) -> str:
        """Where one interval lies beside another: ``above``, ``below``, or ``open``."""
        if self.at(f"{one}.low") > self.at(f"{two}.high"):
            return "above"
        return "below" if self.at(f"{one}.high") < self.at(f"{two}.low") else "open"


def tasks(summary: Row) -> list[str]:
    """The task probes of a run, on which the alignment tax is measured."""
    return list(entry(summary, "models.base.tax") or ())


def measures(summary: Row) -> dict[str, tuple[str, bool]]:
    """`MEASURES`, with the tasks of a run behind the first."""
    first, *others = MEASURES.items()
    return dict([first, *((f"probes.{t}", (t, True)) for t in tasks(summary)), *others])


def taxed(n: Numbers) -> list[str]:
    """The task probes on which PPO is clearly worse than the base."""
    found = {task: n.at(f"models.ppo.tax.{task}") for task in tasks(n.summary)}
    return [task for task, paired in found.items() if paired and paired["high"] < 0]


def better_than_ptx(n: Numbers) -> list[Row]:
    """What SFT does better than PPO-ptx, and whether clearly: the paper found some too."""
    out = []
    for key, (name, higher) in measures(n.summary).items():
        sft, ptx = (f"models.{model}.{key}" for model in ("sft", "ppo-ptx"))
        if n.has(sft, ptx):
            ahead = n.at(f"{sft}.mean") - n.at(f"{ptx}.mean")
            if ahead > 0 if higher else ahead < 0:
                apart = n.compare(sft, ptx) != "open"
                out.append(
                    {"name": name, "sft": sft, "ptx": ptx, "unit": unit(key), "apart": apart}
                )
    return out


def brief(summary: Row) -> str:
    """The main figures as text: against SFT, the reward model, and what else changed."""
    n = Numbers(summary)

    def cell(key: str) -> str:
        found, u = n.at(key), unit(key)
        if not found:
            return "–"
        return f"{show(found['mean'], u)} [{show(found['low'], u)}, {show(found['high'], u)}]"

    columns = {
        "passes": "passes",
        "wins_labelers": "wins (labelers)",
        "wins_judge": "wins (judge)",
        "words": "words",
    }
    models = [model for model in MODELS if n.has(f"models.{model}")]
    wins = [[model, *(cell(f"models.{model}.{key}") for key in columns)] for model in models]
    parts = [
        "Evaluation prompts: % that pass, % won against sft, words per reply (95% intervals)",
        _aligned([["", *columns.values()], *wins]),
    ]
    if n.has("reward_model"):
        parts.append(
            f"Reward model, % right: {cell('reward_model.against_labeler')} by one labeler "
            f"(paper: {cite('rm.accuracy.training')}), "
            f"{cell('reward_model.against_judge')} by the judge"
        )
    probed = [model for model in PROBED if n.has(f"models.{model}.probes")]
    others = [
        [name, *(show(n.at(f"models.{model}.{key}.mean"), unit(key)) for model in probed)]
        for key, (name, _) in measures(summary).items()
        if probed and n.has(*(f"models.{model}.{key}" for model in probed))
    ]
    if others:
        parts.append(_aligned([["% (corpus loss: nats per token)", *probed], *others]))
    if n.has("won_back"):
        parts.append(f"PPO-ptx wins back {show(n.at('won_back'))} % of what PPO lost on the tasks")
    return "\n\n".join(parts)


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        row[0].ljust(widths[0])
        + "".join(f"  {text:>{width}}" for text, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


MODELS = ("base", "prompted", "sft", "sft-4x", "initial", "best-of-n", "ppo", "ppo-ptx")


PROBED = ("base", "sft", "initial", "ppo", "ppo-ptx")


def entry(summary: dict[str, Any], key: str) -> Any:
    """The entry of a summary under a dotted key; None where the run has none."""
    found: Any = summary
    for name in key.split("."):
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found
