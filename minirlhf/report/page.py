"""The page of a run (``report.html``).

The page is one file with everything in it: no network, light and dark, on any screen, printable,
and whole without its script, which adds toggles, a filter and values under the pointer. Its words
stand in ``report.html.jinja``; every number of the summary in them comes by way of `Numbers`, so
that what is said is what was measured. It speaks English alone: no chapter shows it, and most of
its sentences are chosen by what came out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from markupsafe import Markup

from minirlhf.data.files import written_whole
from minirlhf.report import examples, run_figures
from minirlhf.report.charts import NAMES
from minirlhf.report.design import design
from minirlhf.report.differences import differences
from minirlhf.report.examples import Row, read_rows
from minirlhf.report.leads import climbs, of_the_way
from minirlhf.report.steps_figure import OF_RUN, draw, of_run
from minirlhf.report.summary import MODELS, PROBED, Numbers, better_than_ptx, show, tasks, taxed

TEMPLATES = Path(__file__).parent
STYLES = ("steps.css", "models.css", "charts.css", "report.css")
SCRIPTS = ("report.js", "filter.js")
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


def command(settings: Row, usual: Row) -> str:
    """The command that makes this run again, with the settings that aren't the ``usual`` ones."""
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


def write_report(
    folder: Path,
    summary: Row,
    world: Any,
    *,
    score: Callable[[list[str], list[str]], Iterable[float]],
    usual: Row,
) -> Path:
    """Write ``report.html`` into the run folder, whole or not at all; return its path.

    ``world`` says what kind a prompt is of and, if it ``has_judge``, what is wrong with a reply;
    ``score`` is the reward model, on prompts and replies; ``usual`` are the settings' defaults.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    n = Numbers(summary)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    asked = read_rows(folder / "data" / "prompts-eval.jsonl")
    figures = run_figures.figures(folder, summary)
    page = environment.get_template("report.html.jinja").render(
        n=n,
        show=show,
        name=folder.resolve().name,
        settings=summary["settings"],
        names=NAMES,
        style=Markup("\n".join((design(), *map(_part, STYLES)))),
        script=Markup("\n".join(map(_part, SCRIPTS))),
        models=[model for model in MODELS if n.has(f"models.{model}")],
        probed=[model for model in PROBED if n.has(f"models.{model}.probes")],
        tasks=tasks(summary),
        figures=figures,
        climbs=climbs(figures),
        of_the_way=of_the_way,
        steps=draw(of_run(examples.three_steps(folder, score), n), OF_RUN),
        gallery=examples.gallery(folder, world),
        failures=examples.failures(folder, "ppo-ptx", world),
        cases=Counter(row["use_case"] for row in asked).most_common(),
        taxed=taxed(n),
        costs=differences(summary),
        better=better_than_ptx(n),
        stages=stages(folder),
        versions=versions(folder),
        command=command(summary["settings"], usual),
        contents={
            name: holds
            for name, holds in FOLDER.items()
            if name == "report.html" or (folder / name).exists()
        },
    )
    path = folder / "report.html"
    with written_whole(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def _part(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
