"""Two processes give one process's numbers, and `accelerate launch` takes every command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_resume import STAGES, course
from tiny import DEMONSTRATIONS, write_world

from minirlhf.data.records import write_jsonl

SCRIPT = (
    "import sys, pathlib, test_resume; test_resume.course(pathlib.Path(sys.argv[1]), dropout=0.0)"
)
LAUNCH = "accelerate.commands.launch --cpu --num_processes 2 --main_process_port 0".split()


def launch(*arguments: object) -> subprocess.Popen:
    """Start two processes, as ``accelerate launch`` does."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", *LAUNCH, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen) -> tuple[str, str]:
    try:
        said, errors = process.communicate(timeout=120)
    finally:
        process.terminate()  # takes its two children along
    assert process.returncode == 0, errors[-2000:]
    return said, errors


def test_two_processes_give_the_numbers_of_one(tmp_path):
    """Dropout is off: its masks depend on how a batch is cut, as in any framework."""
    (tmp_path / "script.py").write_text(SCRIPT)
    process = launch(tmp_path / "script.py", tmp_path / "two")
    course(tmp_path / "one", dropout=0.0)
    outcome(process)
    for stage in STAGES:
        one, two = (
            [json.loads(line) for line in (tmp_path / n / stage / "metrics.jsonl").open()]
            for n in ("one", "two")
        )
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            for name in a.keys() - {"time", "seconds_per_step", "tokens_per_second"}:
                if not name.startswith("time/"):
                    assert b[name] == pytest.approx(a[name], rel=1e-3, abs=1e-4), (stage, name)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Files for every command."""
    here = write_world(tmp_path_factory.mktemp("world"))
    write_jsonl(here / "prompts.jsonl", [*DEMONSTRATIONS, {"prompt": "too long" * 9}])
    return here


PPO = (
    "ppo --model @base --reward @rm --prompts @prompts.jsonl --pretraining @texts.jsonl --drop-long"
    " --episodes 8 --rollout-batch 8 --minibatch 8 --max-prompt 24 --max-response 8"
)
COMMANDS = {
    "pretrain": "pretrain --documents @texts.jsonl --tokenizer @base --size small --max-steps 2",
    "sft": "sft --model @base --demonstrations @demos.jsonl --epochs 1 --max-length 64",
    "rm": "rm --model @base --demonstrations @demos.jsonl --rankings @rankings.jsonl "
    "--max-length 64",
    "ppo": PPO,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "ppo")) for name in COMMANDS]
)
def test_a_command_in_two_processes(name, world, tmp_path):
    words = COMMANDS[name].replace("@", f"{world}/").split()
    said, errors = outcome(launch("-m", "minirlhf.cli", *words, "--folder", tmp_path / "run"))
    assert said.count(str(tmp_path / "run/model")) == 1, said  # the main process reports
    assert (tmp_path / "run" / "done.json").exists()
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert steps == sorted(set(steps))
    if name == "ppo":
        assert errors.count("note: 1 of 26 prompts exceed max_prompt = 24") == 1, errors
