"""``python -m course.pack.live_steps``: chapter 00's live steps with several seeds.

The chapter is executed whole with each seed in the place of its own; what its table compares goes
into ``docs/proof/live-steps.json``. A seed takes some minutes on two cores, and one that is there
already is kept.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from nbformat.v4 import new_code_cell

from course.build import assemble, execute
from course.build.masters import masters
from course.build.settings import ROOT, BuildError
from minirlhf.data.files import read_json, write_json

TARGET = ROOT / "docs" / "proof" / "live-steps.json"
TOLD = """
print(json.dumps({label: [f.mean, f.low, f.high]
                  for (label, _), f in zip(statements, found, strict=True)}))
"""
"""What the chapter's table is made of."""


def compared(seed: int) -> dict[str, list[float]]:
    """Each row of the chapter's table with a seed: mean, low and high, in percentage points."""
    (chapter,) = (master for master in masters() if master.key == "00")
    notebook = assemble.assemble(chapter, "chapter")
    changed = 0
    for cell in notebook.cells:
        cell.source, times = re.subn(r"^SEED = \d+", f"SEED = {seed}", cell.source, flags=re.M)
        changed += times
    if changed != 1:
        raise BuildError(f"{chapter.path.name} sets SEED {changed} times, not once.")
    notebook.cells.append(new_code_cell(f"import json\n{TOLD}"))
    execute.execute(notebook)
    (output,) = notebook.cells[-1].outputs
    return json.loads(output.text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m course.pack.live_steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    for seed in map(str, options.seeds):
        rows = _kept(options.target).get(seed)
        if rows is None:
            rows = compared(int(seed))  # another process may have written a seed meanwhile
            write_json(options.target, dict(sorted({**_kept(options.target), seed: rows}.items())))
        print(f"seed {seed}", flush=True)
        for label, (mean, low, high) in rows.items():
            print(f"  {label}: {mean:.1f} [{low:.1f}, {high:.1f}]", flush=True)
    return 0


def _kept(target: Path) -> dict[str, dict[str, list[float]]]:
    return read_json(target) if target.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
