"""``minirlhf doctor``: what this machine can do, and what is wrong with the set-up.

In a notebook: ``print(table(examine()))``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minirlhf.cli import terminal
from minirlhf.cli.checks import (
    Finding,
    check_bases,
    check_cores,
    check_disk,
    check_fit,
    check_gpu,
    check_hub,
    check_memory,
    check_notebooks,
    check_packages,
    check_python,
)
from minirlhf.cli.options import parse

MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "problem": ("✗", "red")}
"""What stands before a finding, and its colour."""
TOPIC, WIDTH = 14, 100
"""Columns of the longest topic, and of a line."""


def examine(folder: str | Path = "runs") -> Iterator[Finding]:
    """Every check, for runs that are to be written to ``folder``, as it is done: a few seconds."""
    yield check_python()
    yield check_disk(folder)
    yield check_memory()
    yield from check_packages()
    yield from check_notebooks()
    yield check_cores()
    yield check_gpu()
    yield check_fit()
    yield check_hub()
    yield check_bases()


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if there is a problem, else 0."""
    return int(any(finding.status == "problem" for finding in findings))


def table(findings: Iterable[Finding], width: int = WIDTH) -> str:
    """The findings as a text table, advice beneath its line, and a verdict at the end."""
    findings = list(findings)
    lines = [line for finding in findings for line in lines_of(finding, width)]
    return "\n".join([*lines, "", verdict(findings)])


def lines_of(finding: Finding, width: int = WIDTH) -> list[str]:
    """A finding below its mark and topic, and its advice below that."""
    head = f"{MARKS[finding.status][0]} {finding.topic:<{TOPIC}}  "
    margin = " " * len(head)
    found = textwrap.wrap(finding.found, width, initial_indent=head, subsequent_indent=margin)
    arrow = {"initial_indent": f"{margin}→ ", "subsequent_indent": f"{margin}  "}
    return [*found, *textwrap.wrap(finding.advice, width, **arrow)]


def verdict(findings: Sequence[Finding]) -> str:
    """What it all comes to."""
    problems, notes = (
        sum(finding.status == status for finding in findings) for status in ("problem", "note")
    )
    if problems:
        return f"{problems} to put right before a run ({MARKS['problem'][0]})."
    return "No problem found." + f" {notes} worth knowing ({MARKS['note'][0]})." * bool(notes)


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """What this machine can do, and what is wrong with the set-up.

    Looks at (and changes nothing, and takes some seconds):
      Python, packages, cores, memory, GPU, disk, the model hub, the base models

    The exit code is 1 if there is a problem.

    For example:
      minirlhf doctor --folder /data/runs
    """

    folder: Path = Path("runs")
    """Where runs are to be written."""


def doctor(arguments: Sequence[str]) -> int:
    """The doctor's table, a line as soon as it is known, and 1 if there is a problem in it."""
    command = parse(Doctor, "doctor", arguments)
    width, findings = terminal.columns(60, WIDTH), []
    with terminal.waiting("looking …") as say:
        for finding in examine(command.folder):
            findings.append(finding)
            say("\n".join(lines_of(finding, width)), MARKS[finding.status])
    terminal.say(f"\n{verdict(findings)}")
    return exit_code(findings)
