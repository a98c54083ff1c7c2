"""The shipped runs: where they are found, and that what ships is small and whole."""

import json
import re

import numpy as np
import pytest
import torch
from nbformat.v4 import new_output
from tiny import policy, tokenizer

from course.build.masters import masters
from course.build.settings import RUN
from course.pack import __main__ as pack
from course.pack import copying, live_steps, publish
from course.pack.make import as_pairs, trial
from course.pack.seeds import MODELS, PROOF, beside_votes, seeds
from minirlhf import shipped
from minirlhf.data.files import read_json
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.experiment_config import SWEPT, ExperimentConfig
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy, save_model
from minirlhf.tinytown import bases
from minirlhf.tinytown.tokenizer import build_tokenizer


def test_a_ranking_gives_each_pair_that_is_no_tie_once():
    row = {"prompt": "x", "completions": ["a", "b", "c"], "ranks": [2, 1, 2]}
    pairs = [pair["completions"] for pair in as_pairs(row)]
    assert pairs == [["b", "a"], ["b", "c"]]
    assert all(pair["ranks"] == [1, 2] and pair["prompt"] == "x" for pair in as_pairs(row))


def test_what_is_not_shipped_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    for ask in (shipped.run, shipped.file, shipped.read):
        with pytest.raises(MinirlhfError, match=r"no shipped .* 'nothing' .*make pack"):
            ask("nothing")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert shipped.read("rows") == [{"a": 1}, {"a": 2}]


@pytest.fixture
def finished(tmp_path):
    """A run's folder as training leaves it, with a policy and a reward model."""
    run, words = tmp_path / "run", tokenizer()
    (run / "checkpoint").mkdir(parents=True)
    (run / "checkpoint" / "state.pt").write_bytes(b"0" * 1000)
    for name in ("config.json", "done.json"):
        (run / name).write_text("{}")
    rows = [{"step": 1, "time": 0.123456789, "loss": 2 / 3}, {"step": 2, "time": 1.0, "loss": 0.5}]
    said = [{"step": 1, "prompt": f"p{n}", "response": "r", "score": 1 / 3} for n in range(9)]
    for name, lines in (("metrics", rows), ("samples", said)):
        (run / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    model = policy("gpt2")
    save_model(model, words, run / "policy")
    reward = ScalarModel.from_policy(model, words)
    reward.bias.fill_(0.25)
    reward.save(run / "reward", words)
    return run, words


@pytest.mark.parametrize("name", ["ppo", "reward"])
def test_a_run_ships_its_log_some_samples_and_weights_in_half_precision(finished, tmp_path, name):
    run, words = finished
    source = run / ("reward" if name == "reward" else "policy")
    publish.publish_run(words, run, source, tmp_path / "out" / name)
    out = tmp_path / "out" / name
    assert {p.name for p in out.iterdir()} == {
        "config.json", "done.json", "metrics.jsonl", "samples.jsonl", "model",
    }  # fmt: skip
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["time"] == 0.12346 and rows[0]["loss"] == 0.66667
    assert {"judge/grade", "judge/passes"} <= rows[0].keys() and "judge/grade" not in rows[1]
    assert len((out / "samples.jsonl").read_text().splitlines()) == publish.SAMPLES
    load = ScalarModel.load if name == "reward" else load_policy
    before, after = load(source), load(out / "model")
    for one, two in zip(before.parameters(), after.parameters(), strict=True):
        assert torch.equal(one.half().float(), two)
    if name == "reward":
        assert float(after.bias) == 0.25


def test_a_pack_that_is_too_large_is_refused(monkeypatch, tmp_path):
    (tmp_path / "a").write_bytes(b"0" * 60)
    (tmp_path / "b.py").write_bytes(b"0" * 600)
    publish.check_size(tmp_path)
    assert publish.size(tmp_path) == 60
    monkeypatch.setattr(publish, "LARGEST", 50)
    with pytest.raises(MinirlhfError, match="a is too large"):
        publish.check_size(tmp_path)
    monkeypatch.setattr(publish, "LARGEST", 100)
    monkeypatch.setattr(publish, "MOST", 50)
    with pytest.raises(MinirlhfError, match="ship less"):
        publish.check_size(tmp_path)


def test_a_trial_is_short_and_otherwise_the_same():
    usual = ExperimentConfig()
    short = trial(usual)
    assert short.stages.ppo.episodes < usual.stages.ppo.episodes
    assert short.stages.ppo_ptx.ptx_gamma == usual.stages.ppo_ptx.ptx_gamma
    assert short.stages.reward == usual.stages.reward


def test_the_pack_that_ships_is_small_and_whole():
    publish.check_size(shipped.FOLDER)
    for path in shipped.FOLDER.glob("*/config.json"):
        assert shipped.run(path.parent.name) == path.parent
        ended = path.parent.name != "before-copying"  # stopped there, and has no log
        assert (path.parent / "metrics.jsonl").exists() == ended
        assert (path.parent / "done.json").exists() == ended


@pytest.mark.skipif(not RUN.exists(), reason="no text cites figures of the shipped run yet")
def test_the_figures_that_text_cites_are_those_of_the_preset_as_it_is():
    """`make pack` remakes both together; figures of a trial, or of an older preset, fail here."""
    counts, config = json.loads(RUN.read_text("utf-8"))["counts"], ExperimentConfig()
    assert counts["demonstrations"] == config.demonstrations
    assert counts["rankings"] > 0.9 * config.ranking_prompts
    assert counts["episodes"] == config.stages.ppo.episodes
    assert counts["ppo_beta"] == config.stages.ppo.beta
    assert counts["epochs"] == config.stages.reward.epochs
    assert counts["ptx_gamma"] == config.stages.ppo_ptx.ptx_gamma


def test_the_seeds_that_ship_are_those_of_the_proof(tmp_path):
    """Read a second way: each mean stands in its seed's own file; a tax is a loss."""
    rows = shipped.read("seeds")
    assert len(rows) == len(list(PROOF.glob("seed-*"))) and publish._short(seeds()) == rows
    for row in rows:
        whole = json.loads((PROOF / f"seed-{row['seed']}" / "proof.json").read_text())
        proof, swept = whole["models"], whole.get("swept", {})
        assert set(row["models"]) == {*MODELS, *swept} & {*proof, *swept}
        assert {*MODELS} - {*proof} <= {"ppo-long"} and {*swept} <= {*SWEPT}
        for where, accuracy in row["groups"].items():
            assert accuracy == pytest.approx(sum(whole["groups"][where]) / 5, 1e-3)
        assert bool(row["k-wise"]) == bool(whole.get("k-wise"))
        for name, found in row["models"].items():
            tax, of = found.pop("tax", {}), swept.get(name) or proof[name]
            assert found == {key: pytest.approx(of[key]["mean"], 1e-3) for key in found}
            for task, lost in tax.items():
                if name in swept:
                    assert lost == pytest.approx(-of["tax"][task]["mean"], abs=1e-4)
                    continue
                right = [proof[who]["probes"][task]["mean"] for who in ("base", name)]
                assert lost == pytest.approx(right[0] - right[1], abs=1e-4)
    with pytest.raises(MinirlhfError, match=r"no seed.*make proof"):
        seeds(tmp_path)


def test_runs_at_other_prices_are_among_the_models_of_a_seed_that_has_them(tmp_path):
    whole = json.loads((PROOF / "seed-0" / "proof.json").read_text())
    other = {**whole["models"]["ppo"], "tax": {"reading": {"mean": -0.25}}}
    whole["swept"] = {"ppo-beta-0.05": other, "ppo-beta-0": other}
    for seed, measured in enumerate((whole, {**whole, "swept": {}})):
        (tmp_path / f"seed-{seed}").mkdir()
        (tmp_path / f"seed-{seed}" / "proof.json").write_text(json.dumps(measured))
    first, second = (row["models"] for row in seeds(tmp_path))
    assert first["ppo-beta-0.05"]["tax"] == first["ppo-beta-0"]["tax"] == {"reading": 0.25}
    assert "ppo-beta-0.05" not in second and "tax" not in second["ppo-beta-0"]


def test_what_starts_know_stands_beside_votes_if_the_proof_has_them(tmp_path):
    known = {"the judge": 0.75, "curve": {"school": {"4": [0.55]}}}
    assert beside_votes(known, 1, tmp_path) == known
    (tmp_path / "seed-1").mkdir()
    curve = {"school": {"4": [0.6]}, "voted base": {"4": [0.7, 0.8]}}
    for found in ({}, {"start": {"the judge": 0.8, "curve": curve}}):
        (tmp_path / "seed-1" / "proof.json").write_text(json.dumps(found))
        beside = beside_votes(known, 1, tmp_path)
        assert beside["the judge"] == 0.75 and beside["curve"]["school"] == {"4": [0.55]}
        assert ("voted base" in beside["curve"]) == bool(found)
    assert beside["curve"]["voted base"] == {"4": [0.7, 0.8]} and len(known["curve"]) == 1


def test_the_seeds_alone_are_written_by_one_command(tmp_path):
    (tmp_path / "data").mkdir()
    assert pack.main(["--seeds", "--target", str(tmp_path)]) == 0
    assert (tmp_path / "data" / "seeds.jsonl").read_text() == shipped.file("seeds").read_text()


def test_the_smallest_base_is_kept_as_it_was_before_it_copied(monkeypatch, tmp_path):
    """Training ends where it copies, and goes on where it was if it is ended before."""
    words = build_tokenizer([record["text"] for record in bases.corpus(200)], 2)
    size = bases.Size(width=16, layers=1, heads=2, documents=3000, learning_rate=1e-3)
    save_model(bases.new_model(size, words), words, tmp_path / "small")
    monkeypatch.setattr(bases, "FOLDER", tmp_path)
    monkeypatch.setattr(copying, "EVERY", 10)
    seen = []

    def heard(model, tokenizer, items):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        if len(seen) == 2:
            raise KeyboardInterrupt
        return np.array([(0.0, 0.04, 0.5, 0.9)[len(rows())]])

    def rows():
        found = tmp_path / "run" / "echo.jsonl"
        return found.read_text().splitlines() if found.exists() else []

    monkeypatch.setattr(copying, "run_probe", heard)
    with pytest.raises(KeyboardInterrupt):
        copying.watch(tmp_path / "run", size)
    found = copying.watch(tmp_path / "run", size)
    assert [row["echo"] for row in found] == [0.0, 0.04, 0.5, 0.9]
    assert [row["step"] for row in found] == [10, 20, 30, 40]
    assert found[0]["tokens"] == 10 * 16 * bases.CONTEXT
    before = load_policy(tmp_path / "run" / "before").state_dict()
    assert all(torch.equal(before[name], value) for name, value in seen[2].items())
    assert copying.watch(tmp_path / "run", size) == found and len(seen) == 5


# ------------------------------------------------------------------- chapter 00 with other seeds


def test_the_live_steps_run_the_chapter_with_another_seed_and_keep_what_is_there(
    monkeypatch, tmp_path, capsys
):
    ran = []

    def execute(notebook):
        ran.append("\n".join(cell.source for cell in notebook.cells))
        told = new_output("stream", name="stdout", text='{"a row": [7.0, 2.25, 12.0]}')
        notebook.cells[-1].outputs = [told]

    monkeypatch.setattr(live_steps.execute, "execute", execute)
    place = tmp_path / "live-steps.json"
    live_steps.main(["--seeds", "3", "4", "--target", str(place)])
    assert [re.findall(r"^SEED = (\d+)", source, re.M) for source in ran] == [["3"], ["4"]]
    live_steps.main(["--seeds", "4", "--target", str(place)])
    assert len(ran) == 2 and set(read_json(place)) == {"3", "4"}
    assert "  a row: 7.0 [2.2, 12.0]" in capsys.readouterr().out


def test_what_the_live_steps_showed_is_of_todays_chapter():
    labels = [set(rows) for rows in read_json(live_steps.TARGET).values()]
    (chapter,) = (master for master in masters() if master.key == "00")
    source = "".join(cell.source for cell in chapter.cells)
    assert len(labels) == 5 and all(label in source for label in labels[0])
    assert all(names == labels[0] for names in labels)
