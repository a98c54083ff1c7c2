import json
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny import policy, same_weights

from minirlhf.config import PretrainConfig
from minirlhf.errors import MinirlhfError
from minirlhf.randomness import derive_seed, generator, permutation, seeded, stream
from minirlhf.training import log, progress
from minirlhf.training.compute import Compute
from minirlhf.training.optimizer import Optimizer, learning_rate
from minirlhf.training.run import Run

CONFIG = PretrainConfig(checkpoint_seconds=0.0, log_every=1)


def work(folder, steps=6, stop=None, config=CONFIG, ema=0.9, callback=()):
    """A stage in miniature: fit a network to noise; ``stop`` breaks off as a kill would."""
    with Run(folder, "toy", config, callback=callback) as run:
        model = policy()
        optimizer = run.track("model", Optimizer(run.compute, model, ema=ema, clip=1.0))
        for step in run.steps(steps):
            if step == stop:
                return model, optimizer
            ids = torch.randint(3, 259, (4, 8), generator=generator(0, "ids", step))
            optimizer.backward(model(ids, labels=ids).loss)
            norm = optimizer.step(learning_rate(step, steps, 1e-2, warmup=2))
            run.log(step + 1, {"norm": float(norm)})
        run.finish({"steps": steps})
    return model, optimizer


def lines(folder, name="metrics.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


# ---------------------------------------------------------------------------------------- schedules


def test_schedules():
    def rates(**options):
        return [learning_rate(step, 100, 1.0, **options) for step in range(100)]

    ppo = rates(warmup=10, decay="constant")
    assert ppo[0] == pytest.approx(0.1) and ppo[5] == pytest.approx(0.55) and set(ppo[10:]) == {1.0}
    sft = rates()
    assert sft[0] == 1.0 and sft[50] == pytest.approx(0.55) and 0.1 < sft[99] < 0.101
    assert sft == sorted(sft, reverse=True)
    linear = rates(warmup=10, decay="linear", floor=0.0)
    assert (
        linear[10] == 1.0
        and linear[55] == pytest.approx(0.5)
        and linear[99] == pytest.approx(1 / 90)
    )


# --------------------------------------------------------------------------------------- randomness


def test_draws_depend_on_seed_purpose_and_counter_alone():
    torch.manual_seed(0)
    one = torch.rand(3, generator=generator(1, "rollout", 4))
    torch.rand(100)
    assert torch.equal(one, torch.rand(3, generator=generator(1, "rollout", 4)))
    others = [generator(1, "rollout", 5), generator(2, "rollout", 4), generator(1, "order", 4)]
    assert not any(torch.equal(one, torch.rand(3, generator=other)) for other in others)
    assert sorted(permutation(10, 0, "order", 1).tolist()) == list(range(10))


def test_stream_is_one_endless_shuffle_however_it_is_cut():
    whole = stream(7, 0, 21, 0, "prompts")
    assert whole == stream(7, 0, 4, 0, "prompts") + stream(7, 4, 17, 0, "prompts")
    assert all(sorted(whole[i : i + 7]) == list(range(7)) for i in (0, 7, 14))
    assert stream(0, 0, 4, 0, "prompts") == []
    assert whole[:7] != whole[7:14] != whole[14:]  # every epoch has an order of its own
    assert whole != stream(7, 0, 21, 1, "prompts") and whole != stream(7, 0, 21, 0, "documents")


def test_seeds_are_the_same_on_every_machine_and_for_ever():
    """Otherwise no run could be repeated with a later version."""
    assert derive_seed(0, "rollout", 17) == 4114737099083916071
    assert len({derive_seed(seed, "a") >> 56 for seed in range(1000)}) == 128  # 63 bits


def test_dropout_is_seeded_and_leaves_the_callers_stream_alone():
    layer = torch.nn.Dropout(0.5)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    with seeded(0, "dropout", 3):
        one = layer(torch.ones(50))
    assert torch.equal(torch.rand(2), expected)
    with seeded(0, "dropout", 3):
        assert torch.equal(one, layer(torch.ones(50)))
    with seeded(0, "dropout", 4):
        assert not torch.equal(one, layer(torch.ones(50)))


# ----------------------------------------------------------------------------------- optimizer, EMA


def test_average_is_the_recursion():
    model = torch.nn.Linear(1, 1, bias=False)
    optimizer = Optimizer(Compute(), model, ema=0.9)
    average = float(model.weight.detach())
    for _ in range(5):
        optimizer.backward(model.weight.sum())
        optimizer.step(0.1)
        average = 0.9 * average + 0.1 * float(model.weight)
    raw = float(model.weight)
    optimizer.use_average()
    assert float(model.weight) == pytest.approx(average) != raw


def test_stash_gives_each_part_its_norm_and_the_step_their_sum():
    model = torch.nn.Linear(2, 1, bias=False)
    optimizer = Optimizer(Compute(), model)
    optimizer.backward((model.weight * torch.tensor([[3.0, 4.0]])).sum())
    assert float(optimizer.stash()) == pytest.approx(5.0)
    optimizer.backward((model.weight * torch.tensor([[2.0, 8.0]])).sum())
    assert float(optimizer.stash()) == pytest.approx(68**0.5)
    assert float(optimizer.step(0.0)) == pytest.approx(13.0)  # (5, 12)
    assert all(p.grad is None for p in model.parameters())


def test_clipping():
    moved = []
    for clip in (None, 1e-12):
        model = torch.nn.Linear(2, 1, bias=False)
        before = model.weight.detach().clone()
        optimizer = Optimizer(Compute(), model, clip=clip, eps=1e-6)
        optimizer.backward(model.weight.sum())
        assert float(optimizer.step(0.1)) == pytest.approx(2**0.5)
        moved.append(float((model.weight - before).abs().max()))
    assert moved[0] == pytest.approx(0.1, rel=1e-3) and moved[1] < 1e-6


def test_vectors_are_not_decayed():
    optimizer = Optimizer(Compute(), policy(), decay=0.1)
    for group in optimizer.optimizer.param_groups:
        assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])


def test_vectors_learn_at_a_rate_of_their_own():
    model = policy()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = Optimizer(Compute(), model, vector_factor=5.0)
    optimizer.backward(sum(p.sum() for p in model.parameters()))
    optimizer.step(0.01)
    for p, old in zip(model.parameters(), before, strict=True):  # Adam's first step is its rate
        assert torch.allclose(old - p, torch.tensor(0.05 if p.ndim == 1 else 0.01), rtol=1e-3)


# ------------------------------------------------------------------------------------------- folder


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_resume_is_bit_for_bit(tmp_path, stop):
    whole, optimizer = work(tmp_path / "whole")
    work(tmp_path / "broken", stop=stop)
    (tmp_path / "broken" / "metrics.jsonl").open("a").write('{"step": 99, "no')  # a kill tore it
    resumed, other = work(tmp_path / "broken")
    assert same_weights(whole, resumed)
    assert all(map(torch.equal, optimizer.average, other.average))
    for name in ("whole", "broken"):
        assert [line["step"] for line in lines(tmp_path / name)] == [1, 2, 3, 4, 5, 6]
    norms = [[line["norm"] for line in lines(tmp_path / name)] for name in ("whole", "broken")]
    assert norms[0] == norms[1]


def test_lines_beyond_the_checkpoint_are_dropped(tmp_path):
    config = replace(CONFIG, checkpoint_seconds=1e9)
    work(tmp_path, stop=4, config=config)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]
    work(tmp_path, stop=0, config=config)
    assert lines(tmp_path) == []


def test_times_go_on_where_they_were(tmp_path):
    work(tmp_path, stop=3)
    before = lines(tmp_path)[-1]["time"]
    work(tmp_path)
    times = [line["time"] for line in lines(tmp_path)]
    assert times == sorted(times) and times[3] >= before


def test_a_finished_run_says_so(tmp_path):
    work(tmp_path)
    assert Run(tmp_path, "toy", CONFIG, callback=()).result == {"steps": 6}


def test_another_config_or_other_data_is_refused(tmp_path):
    documents = {"documents": "3 documents abc"}
    with Run(tmp_path, "toy", CONFIG, data=documents, callback=()) as run:
        run.checkpoint()
    with pytest.raises(MinirlhfError, match=r"was made with batch = 64, now it is 32"):
        Run(tmp_path, "toy", replace(CONFIG, batch=32), data={"documents": "3 documents abc"})
    with pytest.raises(MinirlhfError, match=r"was made with documents = '3 documents abc'"):
        Run(tmp_path, "toy", CONFIG, data={"documents": "4 documents def"})
    with pytest.raises(MinirlhfError, match="was made with stage = 'toy'"):
        Run(tmp_path, "other", CONFIG, data={"documents": "3 documents abc"})
    free = replace(CONFIG, micro_batch=3, log_every=7, checkpoint_seconds=5.0)
    Run(tmp_path, "toy", free, data=documents, callback=()).close()


def test_nan_stops_the_run_with_a_sentence(tmp_path):
    run = Run(tmp_path, "toy", CONFIG, callback=())
    for step in run.steps(2):
        with pytest.raises(MinirlhfError, match="toy, step 1: loss is nan"):
            run.log(step + 1, {"loss": float("nan")})
        break


def test_a_damaged_checkpoint_is_a_sentence(tmp_path):
    work(tmp_path, stop=3)
    state = tmp_path / "checkpoint" / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(MinirlhfError, match=r"state\.pt can't be read"):
        work(tmp_path)


def test_saved_folders_are_whole_or_absent(tmp_path):
    run = Run(tmp_path, "toy", CONFIG, callback=())

    def write(path):
        (path / "a").write_text("new")
        if not (tmp_path / "model").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.save_folder("model", write)
    assert not (tmp_path / "model").exists()
    run.save_folder("model", lambda path: (path / "a").write_text("old"))
    run.save_folder("model", write)
    assert (tmp_path / "model" / "a").read_text() == "new"
    assert not (tmp_path / "model.tmp").exists()


# ------------------------------------------------------------------------------ callbacks, steering


def test_events_reach_every_callback(tmp_path):
    seen, also = [], []
    work(tmp_path, callback=[seen.append, also.append])
    assert seen == also and [event.step for event in seen] == [1, 2, 3, 4, 5, 6]
    assert (seen[0].stage, seen[0].total) == ("toy", 6) and "norm" in seen[0].metrics


def test_tensorboard_is_written_once_per_step_after_resume(tmp_path):
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    work(tmp_path, stop=4)
    time.sleep(1.1)  # an event file is named by its second, and by a number that sorts 10 before 9
    work(tmp_path)
    events = loading.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("norm")] == [1, 2, 3, 4, 5, 6]


def test_progress_bar(tmp_path, capsys):
    work(tmp_path, callback=progress.NotebookBars(show=("norm",)))
    shown = capsys.readouterr().err
    assert "toy: 100%" in shown and "norm=" in shown and "6/6" in shown


def test_progress_lines(capsys):
    """One at the start, one every tenth, one at the end, and one if nothing was said for long."""
    say = progress.ProgressLines(seconds=1e9)
    for step in range(1, 201):
        say(log.Event("toy", step, 200, {"loss": 1 / step, "hidden": 1.0}))
    said = capsys.readouterr().err.splitlines()
    assert [int(line.split()[2]) for line in said] == [1, *range(21, 200, 20), 200]
    assert (
        said[0] == "toy: step 1 of 200, loss 1" and said[-1] == "toy: step 200 of 200, loss 0.005"
    )
    assert said[3].endswith(" s left") and "\r" not in "".join(said)
    say = progress.ProgressLines(seconds=0.0)
    for step in (1, 2, 3):
        say(log.Event("toy", step, 200))
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_progress_lines_of_several(capsys):
    """Each says whose it is; what is between them is told of when nothing else is."""
    say = progress.ProgressLines(seconds=1e9)
    for step in range(1, 11):
        for title in ("5/6 ppo", "6/6 ppo-ptx"):
            say(log.Event("ppo", step, 10, title=title))
        say(log.Event("", step, 10, title="sampling sft"))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 20 and said[-1] == "6/6 ppo-ptx: step 10 of 10"
    say.seconds = 0.0
    say(log.Event("", 0, 10, title="sampling sft"))
    assert capsys.readouterr().err == "sampling sft: 0 of 10\n"


def test_progress_fits_the_place(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(progress.default_callback(), progress.ProgressLines)  # pytest's pipe
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert isinstance(progress.default_callback(), progress.TerminalBars)
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "dumb")
        assert isinstance(progress.default_callback(), progress.ProgressLines)
    monkeypatch.setattr("multiprocessing.parent_process", lambda: "the first process")
    assert progress.default_callback() is None
    shell = SimpleNamespace(kernel="a notebook's")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert isinstance(progress.default_callback(), progress.NotebookBars)
    del shell.kernel  # a terminal's IPython
    assert progress.default_callback() is None


@pytest.mark.parametrize("kind", [progress.NotebookBars, progress.TerminalBars])
def test_a_run_closes_its_own_progress(kind, tmp_path, monkeypatch):
    own = kind(show=())
    monkeypatch.setattr("minirlhf.training.run.default_callback", lambda: own)
    work(tmp_path, stop=3, callback=None)
    assert own.bars == {}


def test_control_stops_and_steers(tmp_path):
    def stop_at_2(event):
        if event.step == 2:
            (tmp_path / "control.json").write_text('{"stop": true, "beta": 0.5}')

    with pytest.raises(MinirlhfError, match="stopped at step 3 of 6"):
        work(tmp_path, callback=stop_at_2)
    (tmp_path / "control.json").unlink()
    resumed, _ = work(tmp_path)
    assert same_weights(resumed, work(tmp_path.with_name("whole"))[0])
    run = Run(tmp_path / "steered", "toy", CONFIG, callback=())
    (tmp_path / "steered" / "control.json").write_text('{"beta": 0.5}')
    for _ in run.steps(1):
        assert run.setting("beta", 0.1) == 0.5 and run.setting("ptx_gamma", 0.3) == 0.3


def test_a_run_goes_on_in_the_precision_it_began_with(tmp_path):
    """With "auto", another GPU may mean another one."""
    work(tmp_path / "run", stop=2, config=replace(CONFIG, precision="auto"))
    with pytest.raises(MinirlhfError, match="made with precision = 'fp32', now it is 'bf16'"):
        work(tmp_path / "run", config=replace(CONFIG, precision="bf16"))
    work(tmp_path / "run", config=replace(CONFIG, precision="fp32"))


def test_a_log_keeps_what_a_text_holds_and_drops_what_a_kill_tore(tmp_path):
    texts = ["a\u2028b\u0085c", "é"]
    whole = "".join(
        json.dumps({"step": 1, "response": text}, ensure_ascii=False) + "\n" for text in texts
    ).encode()
    (tmp_path / "samples.jsonl").write_bytes(whole + whole[:-3])  # cut within é
    log.JsonlLog(tmp_path, step=1, elapsed=0.0).close()
    kept = (tmp_path / "samples.jsonl").read_bytes().split(b"\n")
    assert [json.loads(line)["response"] for line in kept if line] == [*texts, texts[0]]


def test_gradients_after_the_last_stash_are_refused(tmp_path):
    with Run(tmp_path / "run", "pretrain", CONFIG, callback=()) as run:
        model = torch.nn.Linear(2, 1)
        optimizer = Optimizer(run.compute, model)
        optimizer.backward(model(torch.ones(2)).sum())
        optimizer.stash()
        optimizer.backward(model(torch.ones(2)).sum())
        with pytest.raises(AssertionError, match="stashed, too"):
            optimizer.step(0.1)
