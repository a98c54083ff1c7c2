"""The lines of docs/proof.md that the seeds so far have figures for, as a table: python second-edition/proof_table.py"""

import re
from pathlib import Path

from minirlhf.data.files import read_json
from minirlhf.tinytown.proof.claims import CLAIMS

measured = [read_json(path) for path in sorted(Path("docs/proof").glob("seed-*/proof.json"))]
print("| | claim | mean | 95% interval | wanted | |\n|--:|---|--:|---|---|---|")
for number, alike in CLAIMS.items():
    for claim in alike:
        if sum(not claim.part or bool(s.get(claim.part)) for s in measured) < 2:
            continue
        found = re.fullmatch(r"(holds|MISSED)? *(.*): (-?[\d.]+) \[(.*), (.*)\](?: \((.*)\))?", claim.line(measured).strip())
        if found:
            verdict, text, mean, low, high, wanted = (group or "" for group in found.groups())
            print(f"| {number} | {text} | {mean} | {low} to {high} | {wanted} | {verdict.lower()} |")
