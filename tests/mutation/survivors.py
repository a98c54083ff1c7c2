"""What the standard tool's mutants came to, after `mutmut run`: each survivor has to be explained.

    python tests/mutation/survivors.py

Explanations lie in survivors.toml: a reason, and the changes that it explains. docs/survivors.md
keeps the result. Exits with 1 if one has none, or if fewer than 90% were killed. What no test
reaches, or what ended in any other way, has survived.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from details import HERE, ROOT

PAGE = ROOT / "docs" / "survivors.md"
HEAD = """# Mutants that survive

`make mutmut` lets a standard tool, mutmut, change one thing at a time in the files that hold the
maths: a sign, a number, an argument, a comparison, a word. Every mutant meets the tests that reach
its function. What is decorated, or outside of functions, it leaves alone. [Planted
bugs](mutants.md) are chosen by hand.

Files: {files}.

**{killed} of {all} mutants are killed, {share:.1%}.** No test can kill the others, and why:
"""
KILLED = ("killed", "timeout")
LEAST = 0.9


@dataclass(frozen=True)
class Reason:
    """Why no test kills these mutants, each as `change` writes it."""

    text: str
    changes: tuple[str, ...]


def read(path: Path = HERE / "survivors.toml") -> list[Reason]:
    return [
        Reason(entry["text"], tuple(change.strip("\n") for change in entry["changes"]))
        for entry in tomllib.loads(path.read_text("utf-8"))["reason"]
    ]


def mutmut(*arguments: str) -> str:
    order = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    return subprocess.run(order, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def change(name: str) -> str:
    """A mutant as a function's name, the lines that it takes out and those that it puts in."""
    function = re.sub(r"\.x[_ǁ]|ǁ", ".", name).removeprefix("minirlhf.").partition("__mutmut_")[0]
    lines = [line for line in mutmut("show", name).splitlines() if re.match(r"[-+](?![-+])", line)]
    return "\n".join([function, *(f"{line[0]} {line[1:].strip()}" for line in lines)])


def page(reasons: list[Reason], killed: int, number: int) -> str:
    """docs/survivors.md"""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    files = ", ".join(
        f"[{file.removeprefix('minirlhf/')}](../{file})" for file in settings["only_mutate"]
    )
    head = HEAD.format(files=files, killed=killed, all=number, share=killed / number)
    return head + "".join(
        f"\n{reason.text}\n\n```diff\n" + "\n\n".join(reason.changes) + "\n```\n"
        for reason in reasons
    )


def main() -> int:
    lines = mutmut("results", "--all", "true").splitlines()
    outcomes = dict(line.strip().split(": ", 1) for line in lines if line)
    count = Counter(outcomes.values())
    survivors = {change(name) for name, what in outcomes.items() if what not in KILLED}
    reasons = read()
    explained = {text for reason in reasons for text in reason.changes}
    killed = sum(count[what] for what in KILLED)
    print(f"{killed} of {len(outcomes)} mutants killed; {dict(count)}")
    for text in sorted(survivors - explained):
        print(f"\nunexplained: {text}")
    for text in sorted(explained - survivors):
        print(f"\nnote: killed or gone, and still explained: {text}")
    if survivors - explained or killed < LEAST * len(outcomes):
        return 1
    if survivors == explained:
        PAGE.write_text(page(reasons, killed, len(outcomes)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
