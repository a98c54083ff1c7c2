"""The README's script does what it says, on data in several forms."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset
from test_loading import assistant, user, write_csv
from tiny import DEMONSTRATIONS

from minirlhf.data.records import read_jsonl, write_jsonl

ROOT = Path(__file__).parents[1]
SCRIPT = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[1]

PAIRS = [
    {"prompt": row["prompt"], "chosen": row["completion"], "rejected": "zz"}
    for row in DEMONSTRATIONS
]
TALKS = [
    {"messages": [user(row["prompt"].strip()), assistant(row["completion"])], "source": "ours"}
    for row in DEMONSTRATIONS
]
FULL_PAIRS = [
    {
        "prompt": talk["messages"][0]["content"],
        "prompt_id": f"{number:04x}",
        "chosen": talk["messages"],
        "rejected": [talk["messages"][0], assistant("zz")],
        "score_chosen": 8.0,
        "score_rejected": 2.5,
    }
    for number, talk in enumerate(TALKS)
]
TRANSCRIPTS = [
    {
        side: f"\n\nHuman: {pair['prompt'].strip()}\n\nAssistant: {pair[side]}"
        for side in ("chosen", "rejected")
    }
    for pair in PAIRS
]


def write(path: Path, rows: list[dict]) -> str:
    match path.suffix:
        case ".jsonl":
            write_jsonl(path, rows)
        case ".json":
            path.write_text(json.dumps(rows, indent=2))
        case ".csv":
            write_csv(path, rows)
        case ".parquet":
            Dataset.from_list(rows).to_parquet(str(path))
    return path.name


def test_the_script_is_short_and_knows_no_module_of_ours():
    assert len(SCRIPT.splitlines()) <= 25
    modules = re.findall(r"^(?:from|import) (minirlhf\S*)", SCRIPT, re.MULTILINE)
    assert set(modules) == {"minirlhf"}


@pytest.mark.parametrize(
    ("end", "demonstrations", "pairs"),
    [
        (".jsonl", DEMONSTRATIONS, PAIRS),
        (".csv", DEMONSTRATIONS, PAIRS),
        (".parquet", TALKS, FULL_PAIRS),  # as instruction sets and binarized feedback on the hub
        (".json", TALKS, TRANSCRIPTS),  # pairs as in the helpful and harmless data
    ],
    ids=["ours", "csv", "parquet", "messages"],
)
def test_the_script_runs(end, demonstrations, pairs, tmp_path):
    script = SCRIPT
    for name, rows in (("demonstrations", demonstrations), ("comparisons", pairs)):
        script = script.replace(f"{name}.jsonl", write(tmp_path / f"{name}{end}", rows))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    for stage in ("sft", "reward", "ppo"):
        assert (tmp_path / "runs" / stage / "model" / "model.safetensors").exists()
    samples = read_jsonl(tmp_path / "runs" / "ppo" / "samples.jsonl")
    begins = "\n\nHuman: say " if "messages" in demonstrations[0] else "say "
    assert samples and all(sample["prompt"].startswith(begins) for sample in samples)
