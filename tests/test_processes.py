"""Two processes give one process's numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_resume import course

SCRIPT = (
    "import sys, pathlib, test_resume; test_resume.course(pathlib.Path(sys.argv[1]), dropout=0.0)"
)


def test_two_processes_give_the_numbers_of_one(tmp_path):
    """Dropout is off: its masks depend on how a batch is cut, as in any framework."""
    here = Path(__file__).parent
    (tmp_path / "script.py").write_text(SCRIPT)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=2",
    ]
    paths = [str(here), str(here.parent), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(
        [*launch, str(tmp_path / "script.py"), str(tmp_path / "two")],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        course(tmp_path / "one", dropout=0.0)
        _, errors = process.communicate(timeout=120)
    finally:
        process.terminate()  # takes its two children along
    assert process.returncode == 0, errors[-2000:]
    for stage in ("base", "sft", "reward", "ppo"):
        one, two = (
            [json.loads(line) for line in (tmp_path / n / stage / "metrics.jsonl").open()]
            for n in ("one", "two")
        )
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            for name in a.keys() - {"time", "seconds_per_step", "tokens_per_second"}:
                if not name.startswith("time/"):
                    assert b[name] == pytest.approx(a[name], rel=1e-3, abs=1e-4), (stage, name)
