"""The training desk without a browser: folders, levers, child processes, threads, Colab."""

import ctypes
import itertools
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
from minirlhf.lesson import languages
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrained import save_model
from minirlhf.widgets import Frontier, TrainingDesk, launch, start, training_desk
from minirlhf.widgets.curves import digits, numbers, thinned, turns, written
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


def test_where_the_same_prompts_were_asked_again_these_are_shown(tmp_path):
    write(tmp_path, 3)
    rows = [{**SAMPLES[0], "step": n, "response": f"it {n}", "watched": True} for n in (1, 3)]
    write_jsonl(tmp_path / "watched.jsonl", rows)
    desk = TrainingDesk(tmp_path)
    assert [step for step, _ in desk.texts_by_step] == [1, 3]
    desk.at = 2
    assert desk.texts() == [("<b>p</b>", "it 1")]
    assert desk.reader.samples(2)[0]["response"] == "said 2"  # the episodes, for whoever wants them


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
    assert shown.step == 30 and shown.words.startswith("At iteration 30 the replies score 900 on")
    assert shown.run["state"] == "finished" and shown.texts() == [("<b>p</b>", "said 30")]
    assert not shown.run["hold"] and not shown.run["stop"] and shown.run["beta"] is None
    before = shown.picture
    shown.at = 7
    assert shown.picture != before and shown.texts() == [("<b>p</b>", "said 7")]
    assert "iteration 7 the replies score 49 " in shown.words


def test_a_finished_run_that_was_opened_before_stands_at_its_end(tmp_path):
    """`start` has looked into the folder by then; the desk shows the whole run all the same."""
    write(tmp_path / "run", 30, done=True)
    job = launch.Job(tmp_path / "run", ["ppo"])
    assert job.reader.look()
    shown = TrainingDesk(job)
    assert shown.step == 30 and shown.curves[0]["x"] == [*range(1, 31)]
    assert (shown.run["step"], shown.run["total"]) == (30, 10)


def test_the_axis_spans_the_whole_run_and_time_goes_on(tmp_path):
    folder = tmp_path / "run"
    write(folder, 4)
    with filelock.FileLock(folder / ".lock"):
        run = TrainingDesk(folder).run
    assert (run["step"], run["total"], run["pace"]) == (4, 10, 2.0)
    assert run["moves"] and run["clock"] == 5.0  # of eight seconds: told every five
    assert run["left"] == 10.0  # of twelve
    assert TrainingDesk(folder).run["moves"] is False


@pytest.mark.parametrize("stage", ["sft", "reward", "pretrain", "own"])
def test_every_stage_has_curves(tmp_path, stage):
    write(tmp_path / "run", 5, stage=stage, epochs=1)
    shown = TrainingDesk(tmp_path / "run")
    assert "loss is 0.2" in shown.words and shown.picture
    assert shown.words.startswith("At step 5 ")


def test_levers_write_the_control_file_and_follow_it(tmp_path):
    folder = tmp_path / "run"
    write(folder, 3, ptx_gamma=0.2)
    shown, reader = TrainingDesk(folder), Reader(folder)
    with filelock.FileLock(folder / ".lock"):
        shown.look()
        assert shown.run["hold"] == "pause" and shown.run["stop"]
        ends = {"min": pytest.approx(0.001), "max": 10.0}
        assert shown.run["beta"] == {"value": 0.1, "began": 0.1, "follow": False, **ends}
        ends = {"min": 0.0, "max": 2.0}
        assert shown.run["gamma"] == {"value": 0.2, "began": 0.2, "follow": False, **ends}
        assert reader.control() == {}
        tell(shown, "steer", beta=1.0)
        tell(shown, "steer", gamma=0.7)
        assert reader.control() == {"beta": 1.0, "ptx_gamma": 0.7}
        tell(shown, "hold")
        assert reader.control()["pause"] is True and shown.run["hold"] == "resume"
        reader.steer(beta=0.3, pause=None)  # somebody else, in a terminal say
        shown.look()
        assert shown.run["beta"]["value"] == 0.3 and shown.run["hold"] == "pause"
        tell(shown, "stop")
        assert reader.control()["stop"] is True and not shown.run["stop"]
    shown.look()
    assert shown.run["state"] == "stopped" and shown.run["hold"] == ""
    tell(shown, "hold")
    assert "lets it go on" in shown.problem  # nobody here knows the command


@pytest.mark.parametrize(("asked", "said"), [(True, "stopping"), (None, "starting")])
def test_a_process_without_the_run_ends_if_it_was_asked_to_and_else_begins(
    tmp_path, monkeypatch, asked, said
):
    write(tmp_path / "run", 3)
    shown = TrainingDesk(tmp_path / "run")
    shown.reader.steer(stop=asked)
    monkeypatch.setattr(launch.Job, "is_starting", True)
    assert shown.state == said
    monkeypatch.setattr(launch.Job, "is_starting", False)
    assert shown.state == ("stopped" if asked else "interrupted")


def test_a_lever_says_whether_the_run_follows(tmp_path):
    folder = tmp_path / "run"
    write(folder, 3)
    log = (folder / "metrics.jsonl").read_text().replace("}", ', "objective/beta": 0.1}')
    (folder / "metrics.jsonl").write_text(log)
    shown = TrainingDesk(folder)
    with filelock.FileLock(folder / ".lock"):
        tell(shown, "steer", beta=1.0)
        assert shown.run["beta"]["follow"]  # no step has been logged with it yet
        line = '{"step": 4, "time": 8.0, "objective/score": 16, "objective/beta": 1.0}\n'
        (folder / "metrics.jsonl").write_text(log + line)
        shown.look()
        assert not shown.run["beta"]["follow"] and shown.run["beta"]["began"] == 0.1
    turned = {"step": 4, "words": "β 0.1 → 1", "symbol": "β"}
    assert [curve["turns"] for curve in shown.curves] == [[turned]] * len(shown.curves)


@pytest.mark.parametrize(
    ("values", "places", "last"),
    [([-1.13, 0.4, -0.56], 2, "−0.56"), ([0.0, 0.013, 0.00577], 4, "0.0058"),
     ([20.4, 25.8, 23.7], 1, "23.7"), ([0.65, 0.82, 0.748], 3, "0.748"),
     ([1.0, 900.0, 48.6], 0, "49"), ([0.25], 3, "0.250"), ([0.0, 0.0], 2, "0.00"),
     ([0.6, -0.4, -0.001], 2, "0.00")],
)  # fmt: skip
def test_all_values_of_a_curve_have_the_same_decimals(values, places, last):
    assert digits(values) == places and written(values[-1], places) == last


def tell(shown, act, **values):
    """A message as the page sends it."""
    shown._handle_custom_msg({"do": act, **values}, [])


def test_a_callback_on_another_thread_waits_for_a_look(tmp_path):
    write(tmp_path / "run", 3)
    shown = TrainingDesk(tmp_path / "run")
    with shown._reading:
        thread = threading.Thread(target=lambda: shown.act_steer(beta=0.9))
        thread.start()
        time.sleep(0.1)
        assert shown.reader.control() == {}
    thread.join()
    assert shown.reader.control() == {"beta": 0.9}


def test_the_desk_goes_along_with_the_run_unless_somebody_looks_back(tmp_path):
    folder = tmp_path / "run"
    write(folder, 3)
    shown = TrainingDesk(folder)
    write(folder, 5)
    shown.look()
    assert shown.step == 5
    shown.at = 2
    write(folder, 8)
    shown.look()
    assert shown.step == 2 and shown.curves[0]["x"][-1] == 8
    shown.at = None
    write(folder, 9)
    shown.look()
    assert shown.step == 9


# ------------------------------------------------------------------------- what the page is sent


@pytest.fixture
def sent(monkeypatch):
    """The messages to the page, beside its state."""
    messages = []
    monkeypatch.setattr(TrainingDesk, "send", lambda _, content: messages.append(content))
    return messages


def test_only_what_is_new_is_sent(tmp_path, sent):
    folder = tmp_path / "run"
    write(folder, 50, episodes=800)
    shown = TrainingDesk(folder)
    assigned = []
    shown.observe(lambda change: assigned.append(change["name"]), ["curves", "texts_by_step"])
    shown.look()
    assert sent == [] and assigned == []
    page = json.loads(json.dumps([shown.curves, shown.texts_by_step]))
    for steps in (53, 54):
        write(folder, steps, episodes=800)
        shown.look()
    assert assigned == [] and [len(message["curves"][0]["x"]) for message in sent] == [3, 1]
    assert len(json.dumps(sent[-1])) < 500
    for message in sent:  # what the page does with it
        for curve, new in zip(page[0], message["curves"], strict=True):
            for name in ("x", "y", "mean"):
                curve[name][new["from"] :] = new[name]
        page[1][message["texts"]["from"] :] = message["texts"]["added"]
    assert page == json.loads(json.dumps([shown.curves, shown.texts_by_step]))
    assert page[0] == json.loads(json.dumps(numbers(shown.reader)))
    state = shown.get_state()  # a page that opens later
    assert state["curves"][0]["x"][-1] == 54 and state["texts_by_step"][-1][0] == 54


def test_a_resumed_run_takes_back_what_it_drops(tmp_path, sent):
    folder = tmp_path / "run"
    write(folder, 6)
    shown = TrainingDesk(folder)
    write(folder, 4)
    shown.look()
    assert shown.curves[0]["x"] == [1, 2, 3, 4]
    assert sent[-1]["curves"][0] | {"mean": 0} == {
        "from": 4, "x": [], "y": [], "held": None, "turns": [], "digits": 1, "mean": 0,
    }  # fmt: skip
    assert sent[-1]["texts"] == {"from": 4, "added": []}


def test_thousands_of_steps_are_thinned_and_few_points_change(tmp_path, sent):
    folder = tmp_path / "run"
    write(folder, 4000, episodes=8 * 8000)
    shown = TrainingDesk(folder)
    xs, ys = shown.curves[0]["x"], shown.curves[0]["y"]
    assert 200 < len(xs) <= 401 and xs[-1] == 4000 and len(shown.texts_by_step) <= 129
    assert all(y == pytest.approx(x**2, rel=1e-5) for x, y in zip(xs, ys, strict=True))
    means = shown.curves[0]["mean"]  # of all steps, not of those that are left
    window = 8000 // 25
    at = xs.index(xs[-2])
    wanted = sum(x**2 for x in range(xs[at] - window + 1, xs[at] + 1)) / window
    assert means[at] == pytest.approx(wanted, rel=1e-5)
    write(folder, 4020, episodes=8 * 8000)
    shown.look()
    assert len(sent[-1]["curves"][0]["x"]) <= 3


@pytest.mark.parametrize("count", [0, 1, 399, 400, 401, 799, 5000])
def test_thinned_points_are_even_and_hold_the_last(count):
    kept = thinned(count)
    assert len(kept) <= 401 and kept == sorted(set(kept))
    if count:
        assert kept[0] == 0 and kept[-1] == count - 1
        gaps = {b - a for a, b in itertools.pairwise(kept[:-1])}
        assert len(gaps) <= 1


def test_what_is_no_number_is_left_out(tmp_path):
    write(tmp_path / "run", 3)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as log:
        log.write('{"step": 4, "time": 8, "objective/score": NaN, "loss": 1}\n')
    shown = TrainingDesk(tmp_path / "run")
    assert shown.curves[0]["x"] == [1, 2, 3]
    json.dumps(shown.get_state()["curves"], allow_nan=False)


def test_another_run_stands_behind(tmp_path):
    write(tmp_path / "run", 3)
    write(tmp_path / "other", 9, done=True)
    plain = TrainingDesk(tmp_path / "run")
    shown = TrainingDesk(tmp_path / "run", ghost=tmp_path / "other")
    assert shown.ghost["curves"]["objective/score"]["y"][-1] == 81
    assert "run other" in shown.ghost["words"] and shown.picture != plain.picture
    step, (sample,) = shown.texts_by_step[-1]
    assert (step, sample["response"], sample["other"]) == (3, "said 3", "said 3")
    with pytest.raises(MinirlhfError, match="holds no run"):
        TrainingDesk(tmp_path / "run", ghost=tmp_path / "none")


def test_what_is_said_of_a_curve_is_in_both_languages(tmp_path):
    write(tmp_path / "run", 3)
    with languages.speaking("zh"):
        assert TrainingDesk(tmp_path / "run").words.startswith("第 3 次迭代：回复平均得分 9")


# ------------------------------------------------------------------------------------------- alive


def test_a_thread_keeps_the_desk_moving_and_never_prints(tmp_path, capfd):
    folder = tmp_path / "run"
    write(folder, 3)
    shown = TrainingDesk(folder, interval=0.02)
    before, main = shown.picture, threading.get_ident()
    told = []
    shown.observe(lambda _: told.append(threading.get_ident()), "run")
    shown.pulse.start()
    write(folder, 6)
    _until(lambda: shown.step == 6 and told)
    assert shown.picture != before and main not in told
    shown.reader.look = lambda: 1 / 0
    _until(lambda: "division by zero" in shown.problem)
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
            shown.act_hold()

    thread = threading.Thread(target=train, args=(steered, steer))
    thread.start()
    _until(lambda: shown.look() and len(shown.reader.rows) == 3, 240)
    time.sleep(0.5)  # it doesn't go on
    shown.look()
    assert shown.state == "paused" and len(shown.reader.rows) == 3
    shown.act_steer(beta=10 * SMALL.beta)
    assert torch.load(steered / "checkpoint" / "state.pt", weights_only=True)["step"] == 3
    shown.act_hold()
    thread.join()
    shown.look()
    assert shown.state == "finished" and turns(shown.reader) == [(4, "β 0.02 → 0.2")]
    assert shown.curves[0]["turns"] == [{"step": 4, "words": "β 0.02 → 0.2", "symbol": "β"}]
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
    assert shown.state in ("starting", "running") and shown.run["moves"]
    assert shown.run["clock"] is not None and "torch" in shown.run["hint"]
    _until(lambda: (folder / "config.json").exists(), 240)
    job.reader.steer(stop=True)
    job.wait(240)
    shown.look()
    assert shown.state == "stopped" and shown.run["hold"] == "continue"
    shown.act_hold()
    job.wait(240)
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
    for changed in ({"prompts": tmp_path / "other.jsonl"}, {"reward": "medium-schooled"}):
        with pytest.raises(MinirlhfError, match=r"was made with|vocabulary of its own"):
            start("ppo", folder, **{**files, **changed})


def test_a_c_library_that_keeps_its_memory_changes_nothing(monkeypatch):
    for library in (lambda name: object(), lambda name: ctypes.CDLL("no such library")):
        monkeypatch.setattr(launch, "ctypes", types.SimpleNamespace(CDLL=library))
        launch._give_memory_back()


def test_a_failed_start_says_why(tmp_path, files):
    job = start("ppo", tmp_path / "run", **{**files, "prompts": tmp_path / "none.jsonl"})
    with pytest.raises(MinirlhfError, match=r"none\.jsonl doesn't exist"):
        job.wait(240)
    assert "doesn't exist" in TrainingDesk(job).run["error"]
    with pytest.raises(MinirlhfError, match="There is no stage 'dpo'"):
        start("dpo", tmp_path / "run")


def test_a_child_ends_with_its_kernel(tmp_path, files):
    from minirlhf.widgets.launch import _started

    job = start("ppo", tmp_path / "run", **files)
    process = _started[job.folder.resolve()]
    process.stdin.close()  # what the end of the kernel does
    assert process.wait(240) == 1


# ------------------------------------------------------------------------------------------- Colab


def test_on_colab_the_desk_stays_in_its_cell(tmp_path, monkeypatch):
    """Threads reach no page there, so the cell lasts as long as the run."""
    folder = tmp_path / "run"
    write(folder, 3)
    events = types.SimpleNamespace(register=lambda *_: None)
    said = {"__module__": "google.colab._shell", "get_parent": lambda _: {}, "events": events}
    shell = type("Shell", (), said)()
    fake = types.SimpleNamespace(get_ipython=lambda: shell, version_info=(9, 0))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    handled, begun = [], threading.Event()
    monkeypatch.setattr(
        "minirlhf.widgets.notebook_kernel.handle_messages",
        lambda: (handled.append(1), begun.set()),
    )
    shown = TrainingDesk(folder, interval=0.02)
    held, end = filelock.FileLock(folder / ".lock", thread_local=False), threading.Event()

    def run():
        begun.wait(240)
        time.sleep(0.3)
        write(folder, 9)
        time.sleep(0.7)
        (folder / "done.json").write_text("{}")
        held.release()
        end.set()

    held.acquire()
    threading.Thread(target=run).start()
    shown._ipython_display_()
    assert end.is_set() and shown.state == "finished" and shown.step == 9
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
    assert shown.run["beta"] is None and shown.run["gamma"]["value"] == 0.2


def test_the_curves_follow_a_folder_that_begins_anew(tmp_path):
    write(tmp_path / "run", 30)
    shown = TrainingDesk(tmp_path / "run")
    rows = [json.dumps({"step": step, "time": 1.0, "objective/score": 1.0}) for step in (40, 50)]
    (tmp_path / "run" / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    shown.look()
    assert shown.curves[0]["x"] == [40, 50] and shown.step == 50
    write(tmp_path / "run", 2)
    shown.look()
    assert shown.curves[0]["x"] == [1, 2] and shown.step == 2
