"""What a run says of itself, and what it costs: divergence, last figures, folders in trouble."""

import json
import shutil
import time
import warnings
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from test_ppo import CONFIG as PPO
from test_ppo import train as train_ppo
from test_reward import CONFIG as REWARD
from test_reward import train as train_reward
from test_sft import SFT
from test_sft import train as train_sft
from test_training import CONFIG, lines, work
from tiny import DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer

from minirlhf.cli.stages import summary
from minirlhf.config import STAGES, PPOConfig, SFTConfig, is_free
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.claim import Claim, kept_share
from minirlhf.sft import train_sft as train_sft_model
from minirlhf.shipped import FOLDER
from minirlhf.training.last_steps import LastSteps
from minirlhf.training.run import Run
from minirlhf.training.run_folder import RunFolder
from minirlhf.training.watch import Watch
from minirlhf.widgets.run_reader import Reader

# --------------------------------------------------------------------------------------- divergence


def said(rows, stage="sft"):
    memory = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for row in rows:
            memory = json.loads(json.dumps(memory))  # as a checkpoint keeps it
            Watch(stage, memory)(row["step"], row)
    return [str(one.message) for one in caught]


def steps(name, *values, **more):
    return [{"step": step, name: value, **more} for step, value in enumerate(values, 1)]


def test_a_diverging_run_says_so_once():
    [words] = said(steps("loss", 2.0, 300.0, 4.7e5, 4.7e5, 1e6))
    assert words.startswith("sft, step 3: the loss is 4.7e+05, worse than guessing")
    assert "lower learning rate" in words
    [words] = said(steps("loss", 1.2, 0.9, 7.0, 7.1, 7.2))
    assert "rose from 0.9 to 7.1" in words
    [words] = said(steps("objective/kl", 0.0, 5.0, 40.0, 45.0, **{"response/length": 12.0}), "ppo")
    assert words.startswith("ppo, step 4: the KL is 45 nats")


def test_no_false_alarms():
    assert not said(steps("loss", 2.0, 300.0, 1.9, 200.0, 1.8))  # a spike now and then
    assert not said(steps("loss", 10.8, 10.9, 9.0, 8.0, 9.1, 9.0))
    assert not said(steps("loss", 0.1, 0.05, 1.5, 2.0, 2.9, 3.0))
    assert not said(steps("objective/kl", 0.0, 25.0, 29.0, **{"response/length": 20.0}), "ppo")
    assert not said(steps("objective/kl", 0.0, 60.0, 61.0, **{"response/length": 500.0}), "ppo")
    for log in FOLDER.rglob("metrics.jsonl"):
        assert not said([json.loads(line) for line in log.open()]), log


def test_a_run_that_diverges_says_so_at_its_end_too(tmp_path):
    with pytest.warns(UserWarning, match=r"sft, step \d+: .*diverges"):
        result = train_sft(replace(SFT, epochs=3, learning_rate=10.0), tmp_path)
    assert result.metrics["diverged_at"] >= 2
    assert "IT DIVERGED, as a note said at step" in summary("policy", tmp_path, result.metrics)


# --------------------------------------------------------------------------------- the last figures


def test_figures_of_a_run_are_those_of_its_last_steps():
    memory = {}
    for step in range(400):
        last = LastSteps(memory, 400)
        last.add(step, loss=torch.tensor(float(step)))
        last.add_share(step, accuracy=(torch.tensor(step % 2), torch.tensor(1 + step % 2)))
    means = {"last/steps": 40.0, "last/loss": 379.5, "last/accuracy": 1 / 3, "last/accuracy_of": 60}
    assert last.means() == pytest.approx(means)
    few = LastSteps({}, 3)
    few.add(0, loss=torch.tensor(6.0))
    assert few.means() == {"last/steps": 3.0, "last/loss": 2.0}


def test_the_last_minibatch_doesn_t_stand_for_the_run(tmp_path):
    """25 rankings in batches of 8: the last batch holds a single one, of 5 pairs."""
    result = train_reward(REWARD, tmp_path / "rm", validation=RANKINGS[:3])
    log = lines(tmp_path / "rm")
    assert [line["pairs"] for line in log] == [40, 40, 40, 5] and result.metrics["pairs"] == 5
    right = sum(line["accuracy"] * line["pairs"] for line in log)
    assert result.metrics["last/accuracy"] == pytest.approx(right / 125)
    assert result.metrics["validation/pairs"] == 15
    words = summary("reward model", tmp_path / "rm", result.metrics)
    assert f"(accuracy {right / 125:.3g} on the 125 pairs of the last 4 steps, validation" in words
    assert " on 15 pairs, bias " in words
    result = train_sft(SFT, tmp_path / "sft")
    mean = sum(line["loss"] for line in lines(tmp_path / "sft")) / 8
    assert result.metrics["last/loss"] == pytest.approx(mean)
    words = summary("policy", tmp_path / "sft", result.metrics)
    assert words.endswith(f"(loss {mean:.3g} over the last 8 steps)")


def test_last_figures_survive_an_interruption(tmp_path):
    def stop(event):
        if event.step == 3:
            raise KeyboardInterrupt

    often = replace(REWARD, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train_reward(often, tmp_path / "cut", callback=stop)
    cut = train_reward(often, tmp_path / "cut").metrics
    whole = train_reward(often, tmp_path / "whole").metrics
    assert {n: x for n, x in cut.items() if n.startswith("last/")} == {
        n: x for n, x in whole.items() if n.startswith("last/")
    }


def test_identical_completions_ranked_unlike_teach_nothing(tmp_path):
    odd = {"prompt": "say\n", "completions": ["a", "b", "a"], "ranks": [1, 2, 3]}
    tied = {"prompt": "say\n", "completions": ["a", "b", "a"], "ranks": [1, 3, 1]}
    with pytest.raises(MinirlhfError, match="of 1, 1 rank identical completions unlike"):
        train_reward(REWARD, tmp_path / "a", [odd])
    with pytest.warns(UserWarning, match="of 7, 1 rank identical completions unlike"):
        result = train_reward(REWARD, tmp_path / "b", [*RANKINGS[:5], odd, tied])
    assert result.metrics["pairs"] == 5 * 5 + 2


def test_no_share_is_explained_of_returns_that_are_alike(tmp_path):
    config = replace(PPO, episodes=16, beta=0.0, lam=1.0)
    result = train_ppo(tmp_path, config, reward=lambda p, r: torch.ones(len(r)))
    assert "ppo/val/var_explained" not in result.metrics


def test_a_claim_about_a_share_of_nothing_has_no_figure():
    def seed(ours, theirs):
        gains = {"ppo": {"gain": {"mean": ours}}, "ppo-judge": {"gain": {"mean": theirs}}}
        return {"models": gains}

    claim = Claim("the share kept", kept_share, at_least=0.5)
    assert claim.line([seed(0.3, 0.4), seed(0.2, 0.4)]).startswith("holds   the share kept: 0.625")
    for nothing in (0.0, -0.1):
        line = claim.line([seed(0.3, 0.4), seed(0.2, nothing)])
        assert line == "MISSED  the share kept: no figure, for a seed has nothing to divide by"
    left_out = Claim("ties", lambda summary: summary["comparisons"]["judge_ties"])
    line = left_out.line([{"comparisons": {"judge_ties": 0.1}}, {"comparisons": {}}])
    assert line.strip() == "ties: no figure, for a seed has nothing to divide by"


def test_whose_figures_ppo_reports(tmp_path):
    with pytest.warns(UserWarning, match="still 97% the start"):
        result = train_ppo(tmp_path, PPO)
    words = summary("policy", tmp_path, result.metrics)
    assert "in the last iteration); model/ is an average of the weights, 0.97 of it the" in words
    assert "the figures are of raw/" in words
    del result.metrics["average/start"]
    assert "raw/" not in summary("policy", tmp_path, result.metrics)


# ----------------------------------------------------------------------------------------- settings


def test_every_number_has_its_range():
    bad = {
        "above 0": (0, -1), "at least 0": (-1,), "at least 0 and at most 1": (-0.1, 1.1),
        "at least 0 and below 1": (-0.1, 1.0), "above 0 and below 1": (0.0, 1.0),
    }  # fmt: skip
    for stage in STAGES.values():
        for about in fields(stage):
            if isinstance(about.default, (bool, str)):
                continue
            words = about.metadata["within"].words if about.metadata else "above 0"
            for number in (*bad[words], float("nan")):
                value = (0.5, number) if isinstance(about.default, tuple) else number
                with pytest.raises(MinirlhfError, match=f"{about.name} = .* to be {words}"):
                    stage(**{about.name: value})
    assert PPOConfig(ema=None, seed=0) and SFTConfig(pretrain_mix=1.0, betas=(0.0, 0.5))


def test_what_may_differ_when_a_run_goes_on():
    names = {about.name for stage in STAGES.values() for about in fields(stage)}
    free = "micro_batch rollout_micro_batch gradient_checkpointing fsdp log_every".split()
    assert {name for name in names if is_free(name)} == {*free, "checkpoint_seconds"}
    assert not is_free("no such setting")


def test_who_promises_rounding_names_dropout(tmp_path):
    """Its masks are drawn as each forward pass goes through a layer."""
    config = replace(SFT, epochs=1, residual_dropout=0.3)
    one, other = (
        lines(train_sft(replace(config, micro_batch=m), tmp_path / str(m)).folder)[0]["loss"]
        for m in (None, 3)
    )
    assert abs(one - other) > 1e-4 * one
    root = Path(__file__).parents[1]
    for path in ("README.md", "minirlhf/config.py", "minirlhf/cli/__main__.py", "minirlhf/sft.py"):
        text = (root / path).read_text("utf-8")
        near = text.index("rounding", text.index("micro"))
        assert "dropout" in text[near - 400 : near + 400], path


def test_what_is_not_obeyed_is_not_recorded(tmp_path):
    for train, config in ((train_sft, SFT), (train_ppo, PPO)):
        if not torch.cuda.is_available():
            with pytest.raises(MinirlhfError, match="fp16 needs a GPU: on a CPU take fp32"):
                train(config=replace(config, precision="fp16"), folder=tmp_path / "half")
    assert not (tmp_path / "half").exists()
    config = replace(SFT, residual_dropout=0.2, epochs=1)
    with pytest.warns(UserWarning, match="has no residual dropout"):
        train_sft_model(
            config, policy("llama"), tokenizer(), DEMONSTRATIONS, folder=tmp_path / "a", callback=()
        )
    recorded = json.loads((tmp_path / "a" / "config.json").read_text())["config"]
    assert recorded["residual_dropout"] == 0.0
    with pytest.raises(MinirlhfError, match=r"pretrain_mix = 0\.05 of batch = 8 is no document"):
        train_sft(replace(SFT, pretrain_mix=0.05), tmp_path / "b", pretraining=DOCUMENTS)


# ------------------------------------------------------------------------------------------ folders


@pytest.mark.parametrize("emptied", [False, True])
@pytest.mark.parametrize("stage", ["sft", "ppo"])
def test_a_folder_that_is_removed_meanwhile(tmp_path, emptied, stage):
    def remove(event):
        if event.step == 2:
            shutil.rmtree(event_folder)
            if emptied:
                event_folder.mkdir()

    event_folder = tmp_path / "run"
    options = {"folder": event_folder, "callback": remove}
    train, config = (train_sft, SFT) if stage == "sft" else (train_ppo, PPO)
    with pytest.raises(MinirlhfError, match="run was removed, or emptied, while the run worked"):
        train(config=config, **options)
    assert not list(event_folder.rglob("*"))


@pytest.mark.parametrize("name", ["x" * 300, "x" * 253, "a\0b"])
def test_a_name_that_no_folder_can_have(tmp_path, name):
    for entrance in (RunFolder, Reader, lambda folder: train_sft(SFT, folder)):
        with pytest.raises(MinirlhfError, match=r"can't be a run's folder .*shorter name"):
            entrance(tmp_path / name)


def test_curves_outlive_a_divergence_before_the_first_checkpoint(tmp_path):
    seldom = replace(SFT, epochs=4, checkpoint_seconds=1e9, keep_epochs=False)
    with pytest.raises(MinirlhfError, match="learning rate"):
        train_sft(replace(seldom, learning_rate=1e30, grad_clip=None), tmp_path)
    assert lines(tmp_path) and not (tmp_path / "checkpoint").exists()
    train_sft(seldom, tmp_path)
    assert [line["step"] for line in lines(tmp_path)] == list(range(1, 17))


def test_checkpoints_take_a_twentieth_of_the_time(tmp_path, monkeypatch):
    times, write = [], RunFolder.write_state

    def slow(files, state):
        begun = time.monotonic()
        write(files, state)
        time.sleep(0.02)
        times.append(time.monotonic() - begun)

    monkeypatch.setattr(RunFolder, "write_state", slow)
    begun = time.monotonic()
    with Run(tmp_path, "toy", replace(CONFIG, checkpoint_seconds=1e-9), callback=()) as run:
        for _ in run.steps(200, epoch=1):
            time.sleep(0.01)
    whole = time.monotonic() - begun
    assert len(times) >= 2 and sum(times[1:]) <= whole / 20


def test_a_finished_run_keeps_no_checkpoint(tmp_path):
    work(tmp_path)
    assert (tmp_path / "done.json").exists() and not (tmp_path / "checkpoint").exists()
    assert Run(tmp_path, "toy", CONFIG, callback=()).result == {"steps": 6}
