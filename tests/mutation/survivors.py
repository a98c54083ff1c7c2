"""What the standard tool's mutants came to, after `mutmut run`: each survivor has to be explained.

    python tests/mutation/survivors.py

Explanations lie in survivors.toml: a reason, and the changes that it explains. Exits with 1 if one
has none, or if fewer than 90% were killed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from details import HERE, ROOT

FILE = HERE / "survivors.toml"
LEAST = 0.9


def mutmut(*arguments: str) -> str:
    order = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    return subprocess.run(order, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def changed(name: str) -> str:
    """What a mutant changes, in a line: ``objectives.gae: + 1.0 becomes - 1.0`` and its like."""
    lines = [line for line in mutmut("show", name).splitlines() if re.match(r"[-+](?![-+])", line)]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+"
    )
    function = re.sub(r"(\.)x_+|__mutmut_\d+$", r"\1", name).removeprefix("minirlhf.")
    return f"{function}: {before} -> {after}"


def main() -> int:
    lines = mutmut("results", "--all", "true").splitlines()
    outcomes = dict(line.strip().split(": ", 1) for line in lines if line)
    count = Counter(outcomes.values())
    survivors = sorted(changed(name) for name, what in outcomes.items() if what == "survived")
    reasons = tomllib.loads(FILE.read_text("utf-8"))["reason"]
    explained = {change for reason in reasons for change in reason["changes"]}
    unexplained = [change for change in survivors if change not in explained]
    killed = sum(number for what, number in count.items() if what in ("killed", "timeout"))
    share = killed / sum(count.values())
    print(f"{killed} of {sum(count.values())} mutants killed ({share:.1%}); {dict(count)}")
    for change in unexplained:
        print(f"unexplained: {change}")
    for change in sorted(explained - set(survivors)):
        print(f"note: killed or gone, and still explained: {change}")
    return 1 if unexplained or share < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
