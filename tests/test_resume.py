"""Every stage, killed at any moment and started again, ends where an unbroken one does."""

import copy
import itertools
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import accelerate  # noqa: F401
import pytest
import torch
import torch.utils.tensorboard
from tiny import DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer

from minirlhf.config import PPOConfig, PretrainConfig, RewardConfig, SFTConfig
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrain import train_base
from minirlhf.reward import train_reward
from minirlhf.sft import train_sft
from minirlhf.training.log import JsonlLog
from minirlhf.training.run_folder import RunFolder

torch.set_num_threads(1)
ScalarModel.from_policy(policy(), tokenizer())  # what is imported here, a forked child needn't
OFTEN = {"checkpoint_seconds": 0.0, "log_every": 1}
STAGES = ("base", "sft", "initial", "reward", "ppo", "ppo-ptx")
TIMES = {"time", "seconds_per_step", "tokens_per_second"}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills and forks")


def course(folder: Path, dropout: float = 0.2) -> None:
    """Six stages, each a second or less."""
    tok, quiet = tokenizer(), {"callback": ()}
    base = policy(scale=1.0)
    config = PretrainConfig(context=64, batch=2, max_steps=6, warmup=2, **OFTEN)
    train_base(config, base, tok, DOCUMENTS, folder=folder / "base", **quiet)

    fit = {"batch": 8, "max_length": 64, **OFTEN}
    sft, initial = copy.deepcopy(base), copy.deepcopy(base)
    config = SFTConfig(epochs=2, residual_dropout=dropout, **fit)
    options = {"validation": DEMONSTRATIONS[:4], **quiet}
    train_sft(config, sft, tok, DEMONSTRATIONS, folder=folder / "sft", **options)
    config = SFTConfig(epochs=1, residual_dropout=0.0, pretrain_mix=0.2, keep_epochs=False, **fit)
    options = {"pretraining": DOCUMENTS, **quiet}
    train_sft(config, initial, tok, DEMONSTRATIONS, folder=folder / "initial", **options)

    reward = ScalarModel.from_policy(sft, tok)
    options = {"demonstrations": DEMONSTRATIONS, "validation": RANKINGS[:4], **quiet}
    reward = train_reward(
        RewardConfig(**fit), reward, tok, RANKINGS, folder=folder / "reward", **options
    ).model

    config = {"episodes": 32, "rollout_batch": 8, "minibatch": 4, "max_prompt": 24}
    config |= {"max_response": 8, "warmup": 2, **OFTEN}
    ptx = {"ptx_gamma": 0.5, "ptx_examples_per_episode": 0.5, "ptx_context": 32}
    for name, extra in (("ppo", {}), ("ppo-ptx", ptx)):
        models = [copy.deepcopy(n) for n in (initial, initial, reward, reward.value_model())]
        options = {"pretraining": DOCUMENTS, "folder": folder / name, **quiet}
        train_ppo(PPOConfig(**config, **extra), *models, tok, DEMONSTRATIONS, **options)


# ------------------------------------------------------------------------------------------- deaths


def arm(stage: str, moment: str, number: int = 1) -> None:
    """Let this process end as by ``kill -9``: the ``number``-th time that ``stage`` is half-way
    through writing a log line, a checkpoint, a model or its result.
    """
    times = itertools.count(1)
    call, torch_save, save = JsonlLog.__call__, torch.save, RunFolder.save

    def now(folder: Path) -> bool:
        return folder.name == stage and next(times) == number

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def half_a_line(log, event):
        if now(log.folder):
            log.metrics.write('{"step": 99, "lo')
            log.metrics.flush()
            die()
        call(log, event)

    def half_a_checkpoint(state, file):
        torch_save(state, file)
        if now(Path(file.name).parents[1]):
            file.truncate(file.tell() // 2)
            die()

    def half_a_model(files, name, write):
        def cut(path):
            write(path)
            os.truncate(path / "model.safetensors", 1000)
            die()

        save(files, name, cut if now(files.path) else write)

    def half_a_result(files, result):
        (files.path / "done.tmp").write_text('{"lo')
        die()

    if moment == "line":
        JsonlLog.__call__ = half_a_line
    elif moment == "checkpoint":
        torch.save = half_a_checkpoint
    elif moment == "model":
        RunFolder.save = half_a_model
    elif moment == "result":
        finish = RunFolder.finish
        RunFolder.finish = lambda files, result: (half_a_result if now(files.path) else finish)(
            files, result
        )


def doomed(work, folder: Path, death: tuple) -> None:
    if death:
        arm(*death)
    work(folder)


@pytest.fixture(scope="module", autouse=True)
def server():
    """Imports once, forks for every kill; it finds the tests by the environment alone."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        multiprocessing.set_forkserver_preload(["test_resume", "test_main_job"])
        forkserver.ensure_running()


def start(work, folder: Path, *death):
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=doomed, args=(work, folder, death))
    process.start()
    return process


def ends(process) -> int:
    process.join()
    return process.exitcode


def kill_at_random(work, folder: Path, took: float, kills: int, seed: int) -> None:
    """Kill ``work`` about so many times, at moments spread over all of it, until it has ended."""
    source, done = random.Random(seed), 0
    for _ in range(10 * kills):
        process = start(work, folder)
        process.join(source.uniform(0.2, 1.5) * took / kills)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            done += 1
        elif process.exitcode == 0:
            break
        assert process.exitcode in (0, -signal.SIGKILL)
    assert ends(start(work, folder)) == 0
    if not done:  # the machine was busier when the time was taken
        shutil.rmtree(folder)
        kill_at_random(work, folder, took / 4, kills, seed)


# -------------------------------------------------------------------------------------- comparisons


def log_of(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    timed = TIMES | {name for row in rows for name in row if name.startswith("time/")}
    return [{name: row[name] for name in row.keys() - timed} for row in rows]


def assert_same(one: Path, other: Path) -> None:
    for stage in STAGES:
        weights = [
            (run / stage / "model" / "model.safetensors").read_bytes() for run in (one, other)
        ]
        assert weights[0] == weights[1], f"{stage} ends elsewhere"
        assert log_of(one / stage) == log_of(other / stage), stage
        results = [json.loads((run / stage / "done.json").read_text()) for run in (one, other)]
        timed = TIMES | {name for name in results[0] if name.startswith("time/")}
        assert all(results[0][name] == results[1][name] for name in results[0].keys() - timed)
        assert not list((other / stage).rglob("*.tmp"))
    epochs = [sorted((run / "sft" / "epochs").rglob("*.safetensors")) for run in (one, other)]
    assert [path.read_bytes() for path in epochs[0]] == [path.read_bytes() for path in epochs[1]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An unbroken course, and the seconds that it takes with everything warm."""
    folder = tmp_path_factory.mktemp("whole")
    start(course, folder / "first").join()
    begun = time.monotonic()
    assert ends(start(course, folder / "second")) == 0
    took = time.monotonic() - begun
    assert_same(folder / "first", folder / "second")
    return folder / "first", took


# -------------------------------------------------------------------------------------------- tests


def test_killed_in_the_worst_moments_of_every_stage(whole, tmp_path):
    for stage in STAGES:
        for death in (("checkpoint",), ("line", 2), ("checkpoint", 2), ("model",), ("result",)):
            assert ends(start(course, tmp_path, stage, *death)) == -signal.SIGKILL, (stage, death)
            assert not (tmp_path / stage / "done.json").exists()
    assert ends(start(course, tmp_path)) == 0
    assert_same(whole[0], tmp_path)


def test_killed_at_random_moments(whole, tmp_path):
    folder, took = whole
    kill_at_random(course, tmp_path, took, kills=3, seed=0)
    assert_same(folder, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_killed_at_many_random_moments(seed, whole, tmp_path):
    folder, took = whole
    kill_at_random(course, tmp_path, took, kills=10, seed=seed)
    assert_same(folder, tmp_path)
