"""``minirlhf doctor``: what this machine can do, and what is wrong with the set-up.

In a notebook: ``print(table(examine()))``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def examine(folder: str | Path = "runs") -> list[Finding]:
    """Every check, for runs that are to be written to ``folder``; about three seconds."""
    return [
        check_python(),
        *check_packages(),
        *check_notebooks(),
        check_cores(),
        check_memory(),
        check_gpu(),
        check_fit(),
        check_disk(folder),
        check_hub(),
        check_bases(),
    ]


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if there is a problem, else 0."""
    return int(any(finding.status == "problem" for finding in findings))


def table(findings: Sequence[Finding], width: int = 100) -> str:
    """The findings as a text table, advice beneath its line, and a verdict at the end."""
    topics = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        head = f"{finding.status:<8} {finding.topic:<{topics}}  "
        margin = " " * len(head)
        lines += textwrap.wrap(finding.found, width, initial_indent=head, subsequent_indent=margin)
        lines += textwrap.wrap(
            finding.advice, width, initial_indent=f"{margin}→ ", subsequent_indent=f"{margin}  "
        )
    problems = sum(finding.status == "problem" for finding in findings)
    verdict = "No problem found." if not problems else f"{problems} to put right before a run."
    return "\n".join([*lines, "", verdict])


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
    """The doctor's table, and 1 if there is a problem in it."""
    from minirlhf.cli.doctor import examine, exit_code, table

    command = Doctor()
    if arguments:  # without any, the doctor comes even where tyro is missing
        from minirlhf.cli.options import parse

        command = parse(Doctor, "doctor", arguments)
    findings = examine(command.folder)
    print(table(findings))
    return exit_code(findings)
