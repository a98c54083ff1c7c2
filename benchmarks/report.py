"""The results as a table in text and as pictures: ``python -m benchmarks.report FOLDER``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.experiments import GROWTH, SMALL

Result = dict[str, Any]
AXES = {"rows": ("batch",), "tokens of a row": ("prompt", "response"), "width": ("width",)}
"""What grows, and the fields of a shape that say how large it is."""


def write(folder: Path) -> None:
    """``results.md``, ``results.png`` and ``growth.png`` from the JSON files of a folder."""
    groups = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    identical = groups.pop("identical", None)
    text = ["# Results", ""]
    for name, group in groups.items():
        machine = "; ".join(f"{key} {value}" for key, value in group["machine"].items())
        text += [f"## {name}", "", machine, "", *table(group["results"]), ""]
    if identical:
        text += ["## Identical numbers", "", *numbers(identical), ""]
    (folder / "results.md").write_text("\n".join(text))
    grown = groups.pop("growth", None)
    if grown:
        growth(grown["results"], folder / "growth.png")
    timed = [result for group in groups.values() for result in group["results"]]
    if timed:
        picture(timed, folder / "results.png")


def table(results: list[Result]) -> list[str]:
    """One line for each contestant of each experiment."""
    lines = [
        "| experiment | threads | load | contestant | seconds | MB | times ours (least to most) "
        "| in processor time | wanted |",
        "|---|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        head = f"| {result['experiment']} | {result['threads']} | {result['load']} "
        for label, facts in result["contestants"].items():
            wall, cpu, wanted = "", "", ""
            if label != "minirlhf" and "seconds_ratio" in facts:
                wall = "{1:.2f} ({0:.2f} to {2:.2f})".format(*facts["seconds_ratio"])
                cpu = "{1:.2f} ({0:.2f} to {2:.2f})".format(*facts["cpu_ratio"])
                wanted = result["show"]
            if "gflops" in facts:
                times = result["contestants"]["minirlhf"]["seconds"] / facts["seconds"]
                wall = f"{facts['gflops']:.0f} GFLOP/s; ours takes {times:.2f} times this"
            if "largest_deviation" in facts:
                wall = "off 1 by at most {largest_deviation:.2g}, on average {mean_deviation:.2g}"
                wall = wall.format(**facts)
            if "read_seconds" in facts:
                wall += f"; reading alone {facts['read_seconds']:.3f} s"
            lines.append(
                f"{head}| {label} | {facts['seconds']:.3f} | {facts['peak_mb']:.0f} "
                f"| {wall} | {cpu} | {wanted} |"
            )
            head = "| | | "
    return lines


def numbers(identical: dict[str, Any]) -> list[str]:
    """TRL's losses and ours on the same batch, and what is defined otherwise."""
    lines = ["| loss | trl | minirlhf |", "|---|--:|--:|"]
    for name, result in identical.items():
        for key, pair in result["pairs"].items():
            lines.append(f"| {name}: {key} | {pair['trl']:.7f} | {pair['minirlhf']:.7f} |")
    lines.append("")
    for name, result in identical.items():
        largest = result["largest_difference"]
        lines += ["", f"**{name}**: largest difference {largest:.1e}. Definitions that differ:", ""]
        lines += [f"- {text}" for text in result["differences_of_definition"]]
    return lines


def picture(results: list[Result], path: Path) -> None:
    """Every peer's time over ours, with its spread."""
    from matplotlib.figure import Figure

    bars = [
        (f"{result['experiment']}\n{label}, {result['threads']} threads", facts["seconds_ratio"])
        for result in results
        for label, facts in result["contestants"].items()
        if label != "minirlhf" and "seconds_ratio" in facts
    ]
    figure = Figure(figsize=(9, 0.42 * len(bars) + 1.2), layout="constrained")
    axes = figure.subplots()
    for row, (_, (least, median, most)) in enumerate(bars):
        axes.barh(row, median, color="#4c78a8", height=0.6)
        axes.plot([least, most], [row, row], color="black", linewidth=1)
        axes.text(most + 0.04, row, f"{median:.2f}", va="center", fontsize=7)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=6)
    axes.invert_yaxis()
    axes.set_xlabel("time of the peer, in multiples of minirlhf's; lines from least to most")
    figure.savefig(path, dpi=130)


def growth(results: list[Result], path: Path) -> None:
    """How seconds and memory of a PPO iteration grow with batch, length and width."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    panels = figure.subplots(2, 3, sharex="col", sharey="row")
    for column, (name, changed) in zip(panels.T, AXES.items(), strict=True):
        line = line_of(results, changed)
        sizes = list(line)
        for axes, unit in zip(column, ("seconds", "peak_mb"), strict=True):
            for contestant in line[sizes[0]]:
                values = [contestants[contestant][unit] for contestants in line.values()]
                axes.loglog(sizes, values, "o-", label=contestant)
            axes.xaxis.set_minor_formatter("")
            axes.set_xticks(sizes, map(str, sizes))
        column[1].set_xlabel(name)
    for axes, label in zip(panels[:, 0], ("seconds", "MB"), strict=True):
        axes.set_ylabel(label)
    panels[0, 0].legend()
    figure.savefig(path, dpi=130)


def line_of(results: list[Result], changed: tuple[str, ...]) -> dict[int, dict[str, Any]]:
    """Size to contestants, where a shape differs from `SMALL` in nothing but these fields."""
    shapes = {one.name: one.shape for one in GROWTH}
    like = {field: getattr(SMALL, field) for field in ("name", *changed)}
    line = {}
    for result in results:
        shape = shapes[result["experiment"]]
        if replace(shape, **like) == SMALL:
            line[sum(getattr(shape, field) for field in changed)] = result["contestants"]
    return dict(sorted(line.items()))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
