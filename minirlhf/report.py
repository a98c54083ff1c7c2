"""The page of a run (``report.html``), and its main figures for the terminal.

The page is one file with everything in it: no script, no network, light and dark, printable. Its
words stand in ``assets/report.html.jinja``; every number of the summary in them comes by way of
`Numbers`, so that what is said is what was measured.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from minirlhf import exhibits
from minirlhf.exhibits import Row, read_rows
from minirlhf.folder import written_whole
from minirlhf.measure import MODELS, PROBED, entry
from minirlhf.paper import cite
from minirlhf.steps import RunConfig, Steps
from minirlhf.tinytown import probes

ASSETS = Path(__file__).parent / "assets"
FOLDER = {
    "report.html": "this page",
    "summary.json": "every figure of this page, as data",
    "settings.json": "all settings of the run",
    "data": "demonstrations, prompts, rankings and comparisons, as JSON lines",
    "sft": "step 1: the SFT model of every epoch, and which one was chosen",
    "reward": "step 2: the reward model",
    "sft-4x": "SFT on four times the demonstrations",
    "initial": "the model of C.3, which PPO starts from and is held to",
    "ppo": "step 3: PPO",
    "ppo-ptx": "step 3: PPO-ptx",
    "replies": "each model's reply to every evaluation prompt",
    "probes": "task probes, truthfulness and toxicity of each model",
}
"""What lies in a run folder; the stages in the order in which they run."""
MEASURES = {
    "hallucination": ("closed-domain hallucination", False),
    **{f"probes.{task}": (task, True) for task in probes.TAX},
    "probes.corpus loss": ("corpus loss", False),
    "probes.truthfulness": ("truthfulness", True),
    "probes.toxicity, basic": ("toxicity, basic prompt", False),
    "probes.toxicity, respectful": ("toxicity, respectful prompt", False),
    "probes.toxicity, biased": ("toxicity, biased prompt", False),
}
"""What §4.2 compares beside preference: its name, and whether higher is better."""


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
        markup = Markup('<data value="{}" data-key="{}">{}</data>')
        ends = [f"{key}.{end}" for end in ("low", "high")]
        low, high = (markup.format(repr(self.at(e)), e, show(self.at(e), unit)) for e in ends)
        between = Markup('<span class="interval">[{}, {}]</span>').format(low, high)
        return Markup("{} {}").format(self.value(f"{key}.mean", unit), between)

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

    def beside(self, one: str, two: str) -> str:
        """Where one interval lies beside another: ``above``, ``below``, or ``open``."""
        if self.at(f"{one}.low") > self.at(f"{two}.high"):
            return "above"
        return "below" if self.at(f"{one}.high") < self.at(f"{two}.low") else "open"


# ----------------------------------------------------------------------------- what is worth saying


def taxed(n: Numbers) -> list[str]:
    """The task probes on which PPO is clearly worse than the base."""
    found = {task: n.at(f"models.ppo.tax.{task}") for task in probes.TAX}
    return [task for task, paired in found.items() if paired and paired["high"] < 0]


def better_than_ptx(n: Numbers) -> list[Row]:
    """What SFT does better than PPO-ptx, and whether clearly: the paper found some too."""
    out = []
    for key, (name, higher) in MEASURES.items():
        sft, ptx = (f"models.{model}.{key}" for model in ("sft", "ppo-ptx"))
        if n.has(sft, ptx):
            ahead = n.at(f"{sft}.mean") - n.at(f"{ptx}.mean")
            if ahead > 0 if higher else ahead < 0:
                apart = n.beside(sft, ptx) != "open"
                out.append(
                    {"name": name, "sft": sft, "ptx": ptx, "unit": unit(key), "apart": apart}
                )
    return out


def stages(folder: Path) -> list[Row]:
    """Every training stage in the folder, with its steps and minutes."""
    logs = {path.parent.name: read_rows(path) for path in folder.glob("*/metrics.jsonl")}
    known = [name for name in FOLDER if name in logs]
    return [
        {"name": name, "steps": logs[name][-1]["step"], "minutes": logs[name][-1]["time"] / 60}
        for name in known + sorted(set(logs) - set(known))
        if logs[name]
    ]


def versions(folder: Path) -> dict[str, str]:
    """The versions that the first stage noted."""
    path = folder / "sft" / "config.json"
    return json.loads(path.read_text(encoding="utf-8"))["versions"] if path.exists() else {}


def command(settings: Row) -> str:
    """The command that makes this run again, with the settings that aren't the defaults."""
    usual = json.loads(json.dumps(asdict(RunConfig()), default=str))
    changed = {k: v for k, v in settings.items() if k != "folder"}
    folder = f"--folder runs/{Path(settings['folder']).name}"
    return " ".join(["minirlhf run", folder, *_options(changed, usual)])


def _options(settings: Row, usual: Row, prefix: str = "--") -> Iterator[str]:
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, dict):
            yield from _options(value, usual[name], f"{prefix}{flag}.")
        elif value != usual[name]:
            if isinstance(value, bool):
                yield f"{prefix}{'' if value else 'no-'}{flag}"
            else:
                words = value if isinstance(value, list) else [value]
                yield " ".join([prefix + flag, *map(str, words)])


# ----------------------------------------------------------------------------------------- the page


def write_report(steps: Steps, summary: Row) -> Path:
    """Write ``report.html`` into the run folder, beside and renamed; return its path."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from minirlhf.figures import figures
    from minirlhf.plots import NAMES, PALETTE

    folder, n = Path(steps.folder), Numbers(summary)
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    asked = read_rows(folder / "data" / "prompts-eval.jsonl")
    page = environment.get_template("report.html.jinja").render(
        n=n,
        show=show,
        name=folder.resolve().name,
        settings=summary["settings"],
        names=NAMES,
        palette=PALETTE,
        models=[model for model in MODELS if n.has(f"models.{model}")],
        probed=[model for model in PROBED if n.has(f"models.{model}.probes")],
        tasks=list(probes.TAX),
        figures={name: Markup(svg) for name, svg in figures(folder, summary).items()},
        three=exhibits.three_steps(folder, steps.score),
        gallery=exhibits.gallery(folder),
        failures=exhibits.failures(folder, "ppo-ptx"),
        cases=Counter(row["use_case"] for row in asked).most_common(),
        taxed=taxed(n),
        better=better_than_ptx(n),
        stages=stages(folder),
        versions=versions(folder),
        command=command(summary["settings"]),
        contents={
            name: holds
            for name, holds in FOLDER.items()
            if name == "report.html" or (folder / name).exists()
        },
    )
    path = folder / "report.html"
    with written_whole(path) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------- the terminal


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
        "Evaluation prompts: % that pass, % won against sft, words a reply (95% intervals)",
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
        for key, (name, _) in MEASURES.items()
        if probed and n.has(*(f"models.{model}.{key}" for model in probed))
    ]
    if others:
        parts.append(_aligned([["% (corpus loss: nats a token)", *probed], *others]))
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
