"""Run folders: one writer, known by what the run began with, whole and clean whatever happens."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from test_training import CONFIG, lines, work
from tiny import DEMONSTRATIONS, policy, same_weights, tokenizer
from transformers import AutoTokenizer

from minirlhf.config import SFTConfig
from minirlhf.data.fingerprints import of_model, of_tokenizer, of_vocabulary
from minirlhf.errors import MinirlhfError
from minirlhf.experiment import main_job
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.pretrained import load_policy, save_model
from minirlhf.sft import train_sft
from minirlhf.training import run_folder
from minirlhf.training.optimizer import Optimizer
from minirlhf.training.run import Run
from minirlhf.training.run_folder import RunFolder, lock

SFT = SFTConfig(epochs=2, batch=8, max_length=64, residual_dropout=0.0, checkpoint_seconds=0.0)

# ------------------------------------------------------------------------------------- fingerprints


def test_a_model_is_known_by_its_weights(tmp_path):
    model = policy()
    before = of_model(model)
    assert of_model(policy()) == before and of_model(policy(seed=1)) != before
    save_model(model, tokenizer(), tmp_path)
    assert of_model(load_policy(tmp_path)) == before
    assert of_model(model.bfloat16()) != before
    model = policy()
    with torch.no_grad():
        next(reversed(list(model.parameters()))).view(-1)[-1] += 1e-6
    assert of_model(model) != before


def test_a_scorer_is_known_by_its_name():
    assert of_model(lines) != of_model(work)
    assert of_model(str.upper) == of_model(str.upper) and "upper" in of_model(str.upper)


def test_a_tokenizer_is_known_by_what_it_does_and_not_by_its_past(tmp_path):
    tokenizer().save_pretrained(tmp_path)
    mine = AutoTokenizer.from_pretrained(tmp_path)
    before = of_tokenizer(mine)
    assert before == of_tokenizer(tokenizer())
    mine(["a", "abc"], padding=True, truncation=True, max_length=2)
    assert of_tokenizer(mine) == before
    mine.add_tokens(["<|more|>"])
    assert of_tokenizer(mine) != before
    assert of_vocabulary(mine, 259) == of_vocabulary(tokenizer()) != of_vocabulary(mine)
    other = AutoTokenizer.from_pretrained(tmp_path)
    other.pad_token = other.bos_token
    assert of_tokenizer(other) != before
    text = (tmp_path / "tokenizer.json").read_text()
    (tmp_path / "tokenizer.json").write_text(
        text.replace('"normalizer": null', '"normalizer": {"type": "Lowercase"}')
    )
    lower = AutoTokenizer.from_pretrained(tmp_path)
    assert of_vocabulary(lower) == of_vocabulary(tokenizer()) and of_tokenizer(lower) != before


def test_the_same_cell_of_a_notebook_finds_its_run(tmp_path):
    """Training changes a model in place, so the second call hands in other weights."""
    model = policy(scale=1.0)
    options = {"folder": tmp_path / "run", "callback": ()}

    def interrupt(event):
        if event.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_sft(SFT, model, tokenizer(), DEMONSTRATIONS, **options | {"callback": interrupt})
    assert not same_weights(model, policy(scale=1.0))
    one = train_sft(SFT, model, tokenizer(), DEMONSTRATIONS, **options)
    again = train_sft(SFT, model, tokenizer(), DEMONSTRATIONS, **options)
    assert one.metrics == again.metrics
    whole = train_sft(
        SFT, policy(scale=1.0), tokenizer(), DEMONSTRATIONS, folder=tmp_path / "whole", callback=()
    )
    assert same_weights(again.policy, whole.policy)
    with pytest.raises(MinirlhfError, match="was made with policy = "):
        train_sft(SFT, policy(seed=3, scale=1.0), tokenizer(), DEMONSTRATIONS, **options)


def test_the_fingerprint_costs_little():
    model = torch.nn.Linear(1000, 1000)
    assert min(_seconds(of_model, model) for _ in range(3)) < 0.2


def _seconds(work, *arguments) -> float:
    clock = os.times()
    work(*arguments)
    return os.times().user - clock.user


# ------------------------------------------------------------------------------------- what is kept


def test_a_folder_with_nothing_to_lose_starts_anew(tmp_path):
    Run(tmp_path, "toy", CONFIG, callback=()).close()
    (tmp_path / "control.json").write_text("{}")
    work(tmp_path, stop=3, config=replace(CONFIG, checkpoint_seconds=1e9))  # a log, no checkpoint
    work(tmp_path, config=replace(CONFIG, batch=7))
    assert json.loads((tmp_path / "config.json").read_text())["config"]["batch"] == 7
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert (tmp_path / "control.json").exists()
    with pytest.raises(MinirlhfError, match="was made with batch = 7, now it is 64"):
        Run(tmp_path, "toy", CONFIG, callback=())


def test_tensorboard_has_no_point_twice_where_a_run_started_anew(tmp_path):
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    work(tmp_path, stop=4, config=replace(CONFIG, checkpoint_seconds=1e9))
    work(tmp_path)
    events = loading.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("norm")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_run_closes_what_it_opened(tmp_path, error):
    def interrupt(event):
        if event.step == 3:
            raise error

    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "model.tmp").mkdir()
    try:
        work(keep, callback=interrupt)
    except error as raised:  # its traceback holds every frame of the run
        frames = raised.__traceback__
        assert not _open_files(tmp_path)
        lock(keep).release()
        del frames
    assert (keep / "checkpoint" / "state.pt").exists() and not list(keep.rglob("*.tmp"))
    work(keep)
    seldom = replace(CONFIG, checkpoint_seconds=1e9)
    with pytest.raises(error):
        work(tmp_path / "new", callback=interrupt, config=seldom)
    assert [line["step"] for line in lines(tmp_path / "new")] == [1, 2, 3]  # to look at
    assert not (tmp_path / "new" / "checkpoint").exists()
    work(tmp_path / "new", config=seldom)
    assert [line["step"] for line in lines(tmp_path / "new")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "said",
    [
        "[gloo/transport/tcp/pair.cc:143] writev [127.0.0.1]:4711: Broken pipe",
        "Connection closed by peer [127.0.0.1]:4711",
    ],
)
def test_a_lost_process_is_known_by_what_gloo_says(said, tmp_path):
    def one_of_two(said):
        with Run(tmp_path, "sft", CONFIG, callback=()) as run:
            run.compute.world = 2
            raise RuntimeError(said)

    with pytest.raises(MinirlhfError, match="another process of this run has ended"):
        one_of_two(said)
    with pytest.raises(RuntimeError, match="shapes"):
        one_of_two("shapes don't match")


def _open_files(under) -> list[str]:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    here = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [os.readlink(fd) for fd in here if os.path.exists(fd) and str(under) in os.readlink(fd)]


# --------------------------------------------------------------------------------------- one writer

HOLD = (
    "import filelock, sys; key = filelock.FileLock(sys.argv[1]); key.acquire(); print(flush=True)"
)


@pytest.fixture
def other_process():
    """Another process that works in a folder, until it is killed."""
    holders = []

    def hold(folder):
        folder.mkdir(exist_ok=True)
        order = [sys.executable, "-c", f"{HOLD}; input()", str(folder / ".lock")]
        holders.append(subprocess.Popen(order, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        holders[-1].stdout.readline()
        return holders[-1]

    yield hold
    for process in holders:
        process.kill()
        process.communicate()


def test_one_writer_at_a_time(tmp_path, monkeypatch, other_process):
    work(tmp_path / "run", stop=3)
    holder = other_process(tmp_path / "run")
    half = tmp_path / "run" / "checkpoint" / "state.tmp"
    half.write_text("the other process is writing this")
    monkeypatch.setattr(run_folder, "PATIENCE", 0.1)
    for config in (CONFIG, replace(CONFIG, batch=7)):
        with pytest.raises(MinirlhfError, match=r"run is in use: another process.* another folder"):
            work(tmp_path / "run", config=config)
    assert half.exists()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    work(tmp_path / "run")
    assert [line["step"] for line in lines(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_is_read_while_another_reads(tmp_path, monkeypatch, other_process):
    work(tmp_path)
    monkeypatch.setattr(run_folder, "PATIENCE", 0.1)
    other_process(tmp_path)
    with Run(tmp_path, "toy", CONFIG, callback=()) as run:
        assert run.result == {"steps": 6}


def test_a_moment_of_patience(tmp_path, other_process):
    """A killed run takes its second process along, which needs a moment."""
    holder = other_process(tmp_path)
    holder.stdin.write(b"\n")  # input() ends, and so does the process
    holder.stdin.flush()
    lock(tmp_path).release()


def test_the_main_job_is_alone_in_its_folder(tmp_path, monkeypatch, other_process):
    other_process(tmp_path)
    monkeypatch.setattr(run_folder, "PATIENCE", 0.1)
    with pytest.raises(MinirlhfError, match="is in use"):
        main_job.run(None, ExperimentConfig(folder=tmp_path))


# ------------------------------------------------------------------------------------ control, NaN


@pytest.mark.parametrize("text", ["{", "[]", '{"beta": "high"}', '{"beta": NaN}'])
def test_control_that_makes_no_sense_is_passed_over(tmp_path, text, monkeypatch):
    monkeypatch.setattr(run_folder.time, "sleep", lambda seconds: None)
    (tmp_path / "control.json").write_text(text)
    with pytest.warns(UserWarning, match="isn't a JSON object of numbers"):
        assert RunFolder(tmp_path).read_control() == {}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_weights_are_never_saved(tmp_path, bad):
    """Also where the step isn't logged, or nothing but the weights shows it."""
    config = replace(CONFIG, log_every=1000)
    with Run(tmp_path, "toy", config, callback=()) as run:
        model = torch.nn.Linear(2, 2)
        run.track("policy", Optimizer(run.compute, model))
        for step in run.steps(3):
            if step == 1:
                break
    kept = (tmp_path / "checkpoint" / "state.pt").read_bytes()
    with Run(tmp_path, "toy", config, callback=()) as run:
        run.track("policy", Optimizer(run.compute, model))
        model.weight.data[0, 0] = bad
        words = (
            r"toy, step 1: the weights of the policy are NaN.*learning rate.*checkpoint from before"
        )
        for save in (
            run.checkpoint,
            lambda: run.save_folder("epochs/01", lambda path: None),
            lambda: run.log(1, {}),
        ):
            with pytest.raises(MinirlhfError, match=words):
                save()
    assert (tmp_path / "checkpoint" / "state.pt").read_bytes() == kept
    assert not (tmp_path / "epochs").exists()


def test_a_step_that_fp16_skips_is_no_divergence(tmp_path, monkeypatch):
    with Run(tmp_path, "toy", CONFIG, callback=()) as run:
        model = torch.nn.Linear(2, 2)
        optimizer = Optimizer(run.compute, model, clip=1.0)
        optimizer.scaler = torch.amp.GradScaler("cpu", enabled=True)
        before = model.weight.detach().clone()
        optimizer.backward(model(torch.full((1, 2), 1e38)).sum())  # overflows when scaled by 65536
        assert float(optimizer.step(0.1)) == 0.0
        assert torch.equal(before, model.weight) and optimizer.is_finite()
        assert optimizer.scaler.get_scale() == 32768
        optimizer.backward(model(torch.ones(1, 2)).sum())
        assert float(optimizer.step(0.1)) == pytest.approx(6**0.5)
        assert not torch.equal(before, model.weight)
