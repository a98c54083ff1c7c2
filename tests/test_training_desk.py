"""The training desk without a browser: folders, levers, child processes, threads, Colab."""

import json
import os
import sys
import threading
import time
import types

import filelock
import pytest
import torch
from tiny import DEMONSTRATIONS, policy, tokenizer

from minirlhf.config import PPOConfig
from minirlhf.data.records import write_jsonl
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrained import save_model
from minirlhf.widgets import Frontier, TrainingDesk, launch, start, training_desk
from minirlhf.widgets.curves import turns
from minirlhf.widgets.notebook_kernel import Cell, Pulse, handle_messages
from minirlhf.widgets.run_reader import Reader

SAMPLES = [{"prompt": "<b>p</b>", "response": "said", "score": 0.5, "finished": False}]


def write(folder, steps, *, stage="ppo", done=False, **config):
    """A run's folder as `Run` leaves it, with a metric that is the step's square."""
    folder.mkdir(exist_ok=True)
    config = {"beta": 0.1, "ptx_gamma": 0.0, "episodes": 80, "rollout_batch": 8} | config
    (folder / "config.json").write_text(json.dumps({"stage": stage, "config": config}))
    with (folder / "metrics.jsonl").open("w") as log, (folder / "samples.jsonl").open("w") as texts:
        for step in range(1, steps + 1):
            row = {"step": step, "time": step * 2.0, "objective/score": step**2, "loss": 1 / step}
            log.write(json.dumps(row) + "\n")
            for sample in SAMPLES:
                said = {**sample, "step": step, "response": f"said {step}"}
                texts.write(json.dumps(said) + "\n")
    if done:
        (folder / "done.json").write_text("{}")


# ----------------------------------------------------------------------------------------- reading


def test_reader_knows_what_state_a_folder_is_in(tmp_path):
    folder = tmp_path / "run"
    reader = Reader(folder)
    assert reader.state == "absent" and not reader.look() and reader.rows == []
    write(folder, 3)
    assert reader.look() and not reader.look() and reader.state == "interrupted"
    assert reader.total == 10 and reader.series("objective/score") == ([1, 2, 3], [1, 4, 9])
    with filelock.FileLock(folder / ".lock"):  # a process trains there
        assert reader.state == "running"
        reader.steer(pause=True)
        assert reader.state == "paused"
        reader.steer(stop=True, beta=0.5)
        assert reader.state == "stopping"
    assert reader.state == "stopped"
    reader.steer(stop=None, pause=None)
    assert json.loads((folder / "control.json").read_text()) == {"beta": 0.5}
    (folder / "done.json").write_text("{}")
    assert reader.state == "finished"
    with pytest.raises(MinirlhfError, match="no run to steer"):
        Reader(tmp_path / "nowhere").steer(pause=True)


def test_reader_survives_torn_and_replaced_logs(tmp_path):
    folder = tmp_path / "run"
    write(folder, 5)
    reader = Reader(folder)
    reader.look()
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"step": 6, "ti')
    assert reader.look() and len(reader.rows) == 5
    write(folder, 2)  # a resumed run drops what is beyond its checkpoint
    assert reader.look() and len(reader.rows) == 2
    assert reader.samples(9)[0]["response"] == "said 2" and reader.samples(0) == []


# -------------------------------------------------------------------------------------------- desk


def test_replay_of_a_finished_run(tmp_path):
    write(tmp_path / "run", 30, done=True)
    shown = TrainingDesk(tmp_path / "run")
    assert shown.step.value == 30 and "objective/score 900" in shown.words
    assert "finished" in shown.status.value and "said 30" in shown.said.value
    assert "<b>p</b>" not in shown.said.value and "&lt;b&gt;p" in shown.said.value
    assert shown.hold.disabled and shown.stop.disabled and shown.beta.disabled
    before = shown.picture
    shown.step.value = 7
    assert shown.picture != before
    assert "objective/score 49" in shown.words and "said 7" in shown.said.value


@pytest.mark.parametrize("stage", ["sft", "reward", "pretrain", "own"])
def test_every_stage_has_curves(tmp_path, stage):
    write(tmp_path / "run", 5, stage=stage, epochs=1)
    assert "loss 0.2" in TrainingDesk(tmp_path / "run").words


def test_levers_write_the_control_file_and_follow_it(tmp_path):
    folder = tmp_path / "run"
    write(folder, 3, ptx_gamma=0.2)
    shown, reader = TrainingDesk(folder), Reader(folder)
    with filelock.FileLock(folder / ".lock"):
        shown.look()
        assert not shown.hold.disabled and shown.hold.description == "Pause"
        assert shown.beta.value == pytest.approx(0.1) and shown.gamma.value == pytest.approx(0.2)
        assert reader.control() == {}
        shown.beta.value, shown.gamma.value = 1.0, 0.7
        assert reader.control() == {"beta": 1.0, "ptx_gamma": pytest.approx(0.7)}
        shown.hold.click()
        assert reader.control()["pause"] is True and shown.hold.description == "Resume"
        reader.steer(beta=0.3, pause=None)  # somebody else, in a terminal say
        shown.look()
        assert shown.beta.value == pytest.approx(0.3) and shown.hold.description == "Pause"
        shown.stop.click()
        assert reader.control()["stop"] is True and shown.stop.disabled
    shown.look()
    assert "stopped" in shown.status.value and shown.hold.disabled


def test_a_callback_on_another_thread_waits_for_a_look(tmp_path):
    write(tmp_path / "run", 3)
    shown = TrainingDesk(tmp_path / "run")
    with shown._reading:
        shown._quiet = True
        thread = threading.Thread(target=lambda: setattr(shown.beta, "value", 0.9))
        thread.start()
        time.sleep(0.1)
        assert shown.reader.control() == {}
        shown._quiet = False
    thread.join()
    assert shown.reader.control() == {"beta": 0.9}


def test_the_slider_follows_the_run_unless_it_was_moved_back(tmp_path):
    folder = tmp_path / "run"
    write(folder, 3)
    shown = TrainingDesk(folder)
    write(folder, 5)
    shown.look()
    assert (shown.step.value, shown.step.max) == (5, 5)
    shown.step.value = 2
    write(folder, 8)
    shown.look()
    assert (shown.step.value, shown.step.max) == (2, 8)
    shown.step.value = 8
    write(folder, 9)
    shown.look()
    assert shown.step.value == 9


def test_a_thread_keeps_the_desk_moving_and_never_prints(tmp_path, capfd):
    folder = tmp_path / "run"
    write(folder, 3)
    shown = TrainingDesk(folder, interval=0.02)
    before, main = shown.picture, threading.get_ident()
    drawn = []
    shown.image.observe(lambda _: drawn.append(threading.get_ident()), "value")
    shown.pulse.start()
    write(folder, 6)
    _until(lambda: shown.step.value == 6 and drawn)
    assert shown.picture != before and main not in drawn
    shown.reader.look = lambda: 1 / 0
    _until(lambda: "division by zero" in shown.status.value)
    shown.close()
    out = capfd.readouterr()
    assert out.out == "" and out.err == ""


@pytest.mark.parametrize("name", ["one", None])
def test_a_cell_that_is_run_again_lets_its_old_desks_go(tmp_path, monkeypatch, name):
    """One cell shows the desks of a and b, and then, run again, that of b; without a name for the
    cell, the desk of the same folder is the old one.
    """
    monkeypatch.setattr(training_desk, "_shown", [])
    shown = []
    for folder, run in (("a", 1), ("b", 1), ("b", 2)):
        write(tmp_path / folder, 3)
        monkeypatch.setattr(training_desk, "cell", lambda run=run: Cell(name, run))
        shown.append(TrainingDesk(tmp_path / folder, interval=0.02))
        shown[-1]._ipython_display_()
        if run == 1:
            assert all(one.pulse._thread.is_alive() for one in shown)
    gone = shown[:2] if name else shown[1:2]
    for one in gone:
        one.pulse._thread.join(5)
    assert [one.pulse._thread.is_alive() for one in shown] == [name is None, False, True]
    for one in shown:
        one.close()


def _until(test, seconds=20.0):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


# ----------------------------------------------------------------------------------- real training


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What ``minirlhf ppo`` reads, on GPT-2-shaped random models."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the child processes: tiny tensors
    folder = tmp_path_factory.mktemp("files")
    model = policy("gpt2", scale=2.0)
    save_model(model, tokenizer(), folder / "policy")
    ScalarModel.from_policy(model, tokenizer()).save(folder / "rm", tokenizer())
    write_jsonl(folder / "prompts.jsonl", [{"prompt": row["prompt"]} for row in DEMONSTRATIONS])
    return {
        "model": folder / "policy", "reward": folder / "rm", "prompts": folder / "prompts.jsonl",
        "episodes": 48, "rollout_batch": 8, "minibatch": 8, "max_prompt": 24, "max_response": 6,
    }  # fmt: skip


SMALL = PPOConfig(episodes=64, rollout_batch=8, minibatch=8, max_prompt=24, max_response=6)


def train(folder, callback=()):
    models = policy("gpt2"), policy("gpt2")
    reward = ScalarModel.from_policy(models[0], tokenizer())
    options = {"folder": folder, "callback": callback}
    train_ppo(SMALL, *models, reward, reward.value_model(), tokenizer(), DEMONSTRATIONS, **options)


def log_of(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if "time" not in k} for row in rows]


def test_pause_beta_and_resume_reach_a_run_in_progress(tmp_path):
    plain, steered = tmp_path / "plain", tmp_path / "steered"
    train(plain)
    steered.mkdir()
    shown = TrainingDesk(steered)

    def steer(event):  # while the run is between two steps
        if event.step == 3:
            shown.look()
            shown.hold.click()

    thread = threading.Thread(target=train, args=(steered, steer))
    thread.start()
    _until(lambda: shown.look() and len(shown.reader.rows) == 3, 60)
    time.sleep(0.5)  # it doesn't go on
    shown.look()
    assert shown.state == "paused" and len(shown.reader.rows) == 3
    shown.beta.value = 10 * SMALL.beta
    assert torch.load(steered / "checkpoint" / "state.pt", weights_only=True)["step"] == 3
    shown.hold.click()
    thread.join()
    shown.look()
    assert shown.state == "finished" and turns(shown.reader) == [(4, "β 0.02 → 0.2")]
    assert log_of(steered)[:3] == log_of(plain)[:3]
    assert all(a != b for a, b in zip(log_of(steered)[3:], log_of(plain)[3:], strict=True))


def test_a_run_that_goes_on_keeps_the_steps_before_its_turn(tmp_path):
    """Steered at step 3 and killed at step 5: what came before the turn isn't done once more."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"

    class KilledError(Exception):
        pass

    def steer(folder, kill):
        def callback(event):
            if event.step == 3:
                Reader(folder).steer(beta=0.5)
            if event.step == kill:
                raise KilledError

        return callback

    train(whole, steer(whole, None))
    with pytest.raises(KilledError):
        train(broken, steer(broken, 5))
    train(broken)
    assert log_of(broken) == log_of(whole)


@pytest.mark.skipif(sys.platform == "win32", reason="counts processes in /proc")
def test_start_attaches_stops_and_goes_on(tmp_path, files):
    folder = tmp_path / "run"
    job = start("ppo", folder, **files)
    again = start("ppo", folder, **files)  # the cell is run a second time
    assert job.is_live and again.is_live and job.command.startswith("minirlhf ppo --folder")
    shown = TrainingDesk(again)
    assert "starting" in shown.status.value or "running" in shown.status.value
    _until(lambda: (folder / "config.json").exists(), 60)
    job.reader.steer(stop=True)
    job.wait(60)
    shown.look()
    assert shown.state == "stopped" and shown.hold.description == "Go on"
    shown.hold.click()
    job.wait(120)
    shown.look()
    shown.close()
    assert shown.state == "finished" and [row["step"] for row in log_of(folder)] == [*range(1, 7)]
    assert start("ppo", folder, **files).is_live is False
    assert start("ppo", folder, **{**files, "log_every": 5}).is_live is False  # as one likes
    with pytest.raises(
        MinirlhfError, match=r"was made with beta = .*, now it is 7.*another folder"
    ):
        start("ppo", folder, **{**files, "beta": 7})
    write_jsonl(tmp_path / "other.jsonl", [{"prompt": "say other things\n"}])
    for changed in ({"prompts": tmp_path / "other.jsonl"}, {"reward": "medium-voted"}):
        with pytest.raises(MinirlhfError, match=r"was made with|vocabulary of its own"):
            start("ppo", folder, **{**files, **changed})


def test_a_failed_start_says_why(tmp_path, files):
    job = start("ppo", tmp_path / "run", **{**files, "prompts": tmp_path / "none.jsonl"})
    with pytest.raises(MinirlhfError, match=r"none\.jsonl doesn't exist"):
        job.wait(60)
    assert "doesn&#x27;t exist" in TrainingDesk(job).status.value
    with pytest.raises(MinirlhfError, match="There is no stage 'dpo'"):
        start("dpo", tmp_path / "run")


def test_a_child_ends_with_its_kernel(tmp_path, files):
    from minirlhf.widgets.launch import _started

    job = start("ppo", tmp_path / "run", **files)
    process = _started[job.folder.resolve()]
    process.stdin.close()  # what the end of the kernel does
    assert process.wait(60) == 1


# ------------------------------------------------------------------------------------------- Colab


def test_on_colab_the_desk_stays_in_its_cell(tmp_path, monkeypatch):
    """Threads reach no page there, so the cell lasts as long as the run."""
    folder = tmp_path / "run"
    write(folder, 3)
    shell = type("Shell", (), {"__module__": "google.colab._shell", "get_parent": lambda _: {}})()
    fake = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    handled = []
    monkeypatch.setattr(
        "minirlhf.widgets.notebook_kernel.handle_messages", lambda: handled.append(1)
    )
    shown = TrainingDesk(folder, interval=0.02)
    held, end = filelock.FileLock(folder / ".lock", thread_local=False), threading.Event()

    def run():
        time.sleep(0.3)
        write(folder, 9)
        time.sleep(0.7)
        (folder / "done.json").write_text("{}")
        held.release()
        end.set()

    held.acquire()
    threading.Thread(target=run).start()
    shown._ipython_display_()
    assert end.is_set() and shown.state == "finished" and shown.step.value == 9
    assert len(handled) > 10 and shown.pulse._thread is None


def test_messages_are_only_handled_where_the_kernel_can(monkeypatch):
    handle_messages()  # no kernel at all


def test_pulse_ends_when_it_is_told():
    beats = []
    pulse = Pulse(lambda: beats.append(1) or len(beats) < 3, 0.01)
    pulse.start()
    _until(lambda: not pulse._thread.is_alive())
    assert len(beats) == 3


def test_a_dead_process_says_how_it_ended(tmp_path, files, monkeypatch):
    job = start("ppo", tmp_path / "run", **files)
    launch._started[job.folder.resolve()].kill()
    with pytest.raises(MinirlhfError, match=r"ended from outside \(signal 9\).*memory"):
        job.wait(30)
    job.log.unlink()
    assert "signal 9" in job.error


def test_a_folder_of_another_stage_is_refused(tmp_path, files):
    write(tmp_path / "run", 3, done=True)
    with pytest.raises(MinirlhfError, match="holds a run of ppo, not of sft"):
        start("sft", tmp_path / "run", model="medium")
    job = start("ppo", tmp_path / "new", pretraining=None, **files)
    assert "--pretraining" not in job.command
    launch._started[job.folder.resolve()].kill()


def test_texts_of_any_kind_are_read(tmp_path):
    write(tmp_path / "run", 2, done=True)
    said = {**SAMPLES[0], "step": 2, "response": "a\u2028b\u0085é"}
    whole = (json.dumps(said, ensure_ascii=False) + "\n").encode()
    (tmp_path / "run" / "samples.jsonl").write_bytes(whole + whole[:-20])
    shown = TrainingDesk(tmp_path / "run")
    assert [s["response"] for s in shown.reader.samples(2)] == [said["response"]]
    with (tmp_path / "run" / "samples.jsonl").open("ab") as file:  # cut within é: the line is lost
        file.write(b'\n{"step": 2, "response": "\xc3')
    assert shown.reader.look()


def test_folders_by_hand_or_of_another_version(tmp_path):
    folder = tmp_path / "run"
    write(folder, 3)
    (folder / "config.json").write_text('{"stage": "ppo", "config": {}}')
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('3\n{"time": 1}\n{"step": "x"}\n')
    (folder / "control.json").write_text('{"beta": null, "pause": "yes"}')
    shown = TrainingDesk(folder)
    assert len(shown.reader.rows) == 3 and shown.reader.total is None
    assert shown.reader.control() == {}
    with pytest.raises(MinirlhfError, match="isn't the folder of a PPO run"):
        Frontier([folder])


def test_gamma_can_be_steered_where_kl_costs_nothing(tmp_path):
    write(tmp_path / "run", 3, beta=0.0, ptx_gamma=0.2)
    shown = TrainingDesk(tmp_path / "run")
    assert shown.levers.layout.display != "none" and shown.beta.layout.display == "none"
    assert shown.gamma.layout.display != "none"


def test_the_slider_follows_a_folder_that_begins_anew(tmp_path):
    write(tmp_path / "run", 30)
    shown = TrainingDesk(tmp_path / "run")
    rows = [json.dumps({"step": step, "time": 1.0, "loss": 1.0}) for step in (40, 50)]
    (tmp_path / "run" / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    shown.look()
    assert (shown.step.min, shown.step.max) == (40, 50)
    write(tmp_path / "run", 2)
    shown.look()
    assert (shown.step.min, shown.step.max) == (1, 2)
