"""Two processes give one process's numbers, and torchrun takes every command."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from all_stages import STAGES
from test_resume import TIMES
from tiny import DEMONSTRATIONS, write_world

from minirlhf.data.records import write_jsonl
from minirlhf.training.fsdp import ON_CPUS

LAUNCH = "torch.distributed.run --standalone --nproc_per_node 2".split()
"""On a CPU `accelerate launch` starts one process, however many it is asked for."""
PATIENCE = 1000
"""Seconds; a quiet machine needs some twenty."""
pytestmark = pytest.mark.timeout(PATIENCE)


def environment() -> dict[str, str]:
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent), *sys.path])
    return os.environ | {"PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


def launch(*arguments: object) -> subprocess.Popen:
    """Start two processes, as torchrun does."""
    return subprocess.Popen(
        [sys.executable, "-m", *LAUNCH, *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen) -> tuple[str, str]:
    try:
        said, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.terminate()  # takes its two children along
    assert process.returncode == 0, errors[-2000:]
    return said, errors


def run_stages(folder: Path, dtype: str, names: tuple[str, ...], *settings: str) -> None:
    """One process and two, at once, through the same stages; ``settings`` are those of the two."""
    script = Path(__file__).parent / "all_stages.py"
    two = launch(script, folder / "two", 2, dtype, *names, *settings)
    one = [sys.executable, str(script), str(folder / "one"), "1", dtype, *names]
    subprocess.run(one, env=environment(), check=True, timeout=PATIENCE)
    outcome(two)


def metrics(folder: Path) -> dict[str, torch.Tensor]:
    """Every metric but times, a number a step."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    names = {name for line in lines for name in line if not name.startswith("time/")} - TIMES
    steps = {name: [line[name] for line in lines if name in line] for name in names}
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in steps.items()}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All weights of the run's last checkpoint, the moving average too."""
    tracked = torch.load(folder / "checkpoint" / "state.pt", weights_only=True)["tracked"]
    found = {f"{who}.{name}": w for who, t in tracked.items() for name, w in t["model"].items()}
    for who, state in tracked.items():
        found |= {f"{who}.average.{n}": w for n, w in enumerate(state["average"] or ())}
    return found


def apart(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """The largest difference, of numbers above 1 relative to them."""
    assert one.keys() == two.keys()
    return max(
        float(((one[name] - two[name]).abs() / one[name].abs().clamp(min=1.0)).max())
        for name in one
    )


def test_two_processes_give_the_numbers_of_one(tmp_path):
    """In float64 all there is to see after 20 steps of every stage, to the ninth digit."""
    run_stages(tmp_path, "float64", STAGES)
    for stage in STAGES:
        one, two = (tmp_path / number / stage for number in ("one", "two"))
        assert len(metrics(one)["step"]) == 20
        assert apart(weights(one), weights(two)) < 1e-9, stage
        assert apart(metrics(one), metrics(two)) < 1e-9, stage


needs_fsdp = pytest.mark.skipif(not ON_CPUS, reason="this torch's FSDP needs a GPU")


@needs_fsdp
@pytest.mark.parametrize(
    "settings",
    [
        ("fsdp=true", "micro_batch=1", "gradient_checkpointing=true"),
        pytest.param(("fsdp=true",), marks=pytest.mark.slow),
    ],
)
def test_two_processes_that_share_a_model_give_the_numbers_of_one(settings, tmp_path):
    """Each holds a part of it; with one row a piece they have unlike numbers of pieces."""
    run_stages(tmp_path, "float64", STAGES, *settings)
    for stage in STAGES:
        one, two = (tmp_path / number / stage for number in ("one", "two"))
        assert len(metrics(two)["step"]) == 20
        assert apart(weights(one), weights(two)) < 1e-9, stage
        assert apart(metrics(one), metrics(two)) < 1e-9, stage
        names = ("model.safetensors", "config.json")
        assert all((two / "model" / name).exists() for name in names)


@needs_fsdp
def test_a_run_that_one_process_began_goes_on_in_two_that_share(tmp_path):
    folder = tmp_path / "two" / "ppo-ptx"
    folder.mkdir(parents=True)
    (folder / "control.json").write_text('{"stop": true}')
    script = [sys.executable, str(Path(__file__).parent / "all_stages.py")]
    begin = [*script, str(folder.parent), "1", "float64", "ppo-ptx"]
    assert subprocess.run(begin, env=environment(), capture_output=True).returncode
    assert torch.load(folder / "checkpoint" / "state.pt", weights_only=True)["step"] == 1
    (folder / "control.json").unlink()
    run_stages(tmp_path, "float64", ("ppo-ptx",), "fsdp=true")
    one, two = (tmp_path / number / "ppo-ptx" for number in ("one", "two"))
    assert apart(weights(one), weights(two)) < 1e-9
    assert apart(metrics(one), metrics(two)) < 1e-9


BAND = 2e-3
"""How far float32's rounding carries metrics apart within 20 steps of these stages."""


@pytest.mark.parametrize("names", [("ppo-ptx",), pytest.param(STAGES, marks=pytest.mark.slow)])
def test_in_float32_the_first_gradients_are_the_same(names, tmp_path):
    run_stages(tmp_path, "float32", names)
    for stage in names:
        one, two = (tmp_path / number / stage for number in ("one", "two"))
        first = [torch.load(folder / "gradients.pt") for folder in (one, two)]
        assert float((first[0] - first[1]).norm() / first[0].norm()) < 1e-5, stage
        assert apart(metrics(one), metrics(two)) < BAND, stage


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Files for every command."""
    here = write_world(tmp_path_factory.mktemp("world"))
    write_jsonl(here / "prompts.jsonl", [*DEMONSTRATIONS, {"prompt": "too long" * 9}])
    return here


PPO = (
    "ppo --model @base --reward @rm --prompts @prompts.jsonl --pretraining @texts.jsonl --drop-long"
    " --rollout-batch 8 --minibatch 8 --max-prompt 24 --max-response 8"
)
COMMANDS = {
    "pretrain": "pretrain --documents @texts.jsonl --tokenizer @base --size small --max-steps 2",
    "sft": "sft --model @base --demonstrations @demos.jsonl --epochs 1 --max-length 64",
    "rm": "rm --model @base --demonstrations @demos.jsonl --rankings @rankings.jsonl "
    "--max-length 64",
    "ppo": f"{PPO} --episodes 8",
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


@pytest.mark.parametrize(
    ("rank", "more"), [(0, ""), (1, ""), pytest.param(1, "--fsdp", marks=needs_fsdp)]
)
def test_a_killed_process_ends_the_run_and_it_can_go_on(rank, more, world, tmp_path):
    words = f"{PPO} --checkpoint-seconds 0 --episodes 320 {more}".replace("@", f"{world}/").split()
    run = ["-m", "minirlhf.cli", *words, "--folder", tmp_path / "run"]
    process = launch(*run)
    try:
        state = tmp_path / "run" / "checkpoint" / "state.pt"
        while not state.exists():
            assert process.poll() is None
            time.sleep(0.1)
        for child in psutil.Process(process.pid).children(recursive=True):
            if child.environ().get("RANK") == str(rank):
                child.kill()
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.terminate()
    assert process.returncode != 0
    said = [line for line in errors.splitlines() if line.startswith(("error: ", "interrupted: "))]
    assert len(said) == 1 and "goes on from" in said[0], errors[-2000:]
    assert torch.load(state, weights_only=True)["step"] < 40
    again = subprocess.run([sys.executable, *map(str, run)], env=environment(), timeout=PATIENCE)
    assert again.returncode == 0 and (tmp_path / "run" / "done.json").exists()
    assert not list((tmp_path / "run").rglob("*.tmp"))
