"""The main job in its smallest form: it ends in a summary and a report, killed or not."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from other_town import OtherTown
from test_resume import ends, server, start  # noqa: F401
from tiny import write_world

from minirlhf.errors import MinirlhfError
from minirlhf.experiment import main_job, measurements, proof
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.models import ScalarModel
from minirlhf.presets import PRESETS
from minirlhf.pretrained import save_model
from minirlhf.report.summary import brief
from minirlhf.tinytown import bases, datasets, town
from minirlhf.tinytown.proof.claims import CLAIMS
from minirlhf.tinytown.tokenizer import build_tokenizer
from minirlhf.tinytown.town import Tinytown
from minirlhf.training import second_process


def prepare(folder: Path) -> None:
    """Let a run find the base in ``folder``, and be content with a model that knows nothing.

    Few prompts are written for it to take its own from: all of them take ten seconds.
    """
    bases.FOLDER = folder
    town.TAX_ITEMS = town.PROBE_ITEMS = measurements.DOCUMENTS = 8
    datasets.POOL, datasets.EVALUATION_POOL = 2000, 400
    datasets._splits.cache_clear()
    mean = measurements.over_prompts
    measurements.over_prompts = lambda values, **k: mean(values if len(values) else [0.0], **k)


def prepare_here(folder: Path, monkeypatch) -> None:
    """The same in this process, alone and until the test ends."""
    changed = {town: ("TAX_ITEMS", "PROBE_ITEMS"), measurements: ("over_prompts", "DOCUMENTS")}
    changed |= {bases: ("FOLDER",), datasets: ("POOL", "EVALUATION_POOL")}
    for module, names in changed.items():
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    splits = lru_cache(datasets._splits.__wrapped__)  # what others have made is kept for them
    monkeypatch.setattr(datasets, "_splits", splits)
    monkeypatch.setattr(second_process, "cores", lambda: 1)
    prepare(folder)


def tiny(folder: Path) -> ExperimentConfig:
    """Every part of a run, some seconds each."""
    town = PRESETS["tinytown"]
    often = {"checkpoint_seconds": 0.0}
    ppo = {"episodes": 16, "rollout_batch": 8, "minibatch": 8, **often}
    return ExperimentConfig(
        folder=folder,
        size="small",
        demonstrations=8,
        ranking_prompts=12,
        k=(2, 3),
        ppo_prompts=16,
        validation_prompts=4,
        evaluation_prompts=8,
        pretraining_documents=20,
        best_of=2,
        max_response=12,
        stages=replace(
            town,
            sft=replace(town.sft, epochs=2, **often),
            initial=replace(town.initial, epochs=1, **often),
            reward=replace(town.reward, batch=4, **often),
            ppo=replace(town.ppo, **ppo),
            ppo_ptx=replace(town.ppo_ptx, **ppo),
        ),
    )


def alone(folder: Path) -> None:
    """The run in one process, without its page."""
    prepare(folder.parent)
    second_process.cores = lambda: 1
    main_job.write_report = lambda *_, **__: None
    main_job.run(Tinytown(), tiny(folder), callback=())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small base, untrained."""
    folder = tmp_path_factory.mktemp("run")
    tokenizer = build_tokenizer(record["text"] for record in bases.corpus(300))
    size = replace(bases.SIZES["small"], width=32, layers=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bases, "CONTEXT", 640)  # such a tokenizer has few words and makes many tokens
        base = bases.new_model(size, tokenizer)
    save_model(base, tokenizer, folder / "small")
    ScalarModel.from_policy(base, tokenizer).save(folder / bases.START, tokenizer)
    return folder


def summary(folder: Path) -> dict:
    found = json.loads((folder / "summary.json").read_text())
    del found["seconds"], found["settings"]["folder"]
    return found


def test_a_killed_run_ends_in_the_same_summary(place):
    assert ends(start(alone, place / "whole")) == 0
    data = place / "broken" / "data"
    data.mkdir(parents=True)
    for path in (place / "whole" / "data").glob("[dp]*.jsonl"):  # what takes long to make
        shutil.copy(path, data)
    for death in (("reward", "line", 2), ("ppo-ptx", "checkpoint", 2), ("ppo", "model")):
        assert ends(start(alone, place / "broken", *death)) == -signal.SIGKILL, death
    assert ends(start(alone, place / "broken")) == 0
    assert summary(place / "broken") == summary(place / "whole")
    assert not list((place / "broken").rglob("*.tmp"))


def test_the_proof_prints_a_line_for_each_claim_and_goes_on_where_it_was(place, monkeypatch):
    prepare_here(place, monkeypatch)
    run = replace(tiny(place), evaluation_prompts=24)
    config = proof.ProofConfig(folder=place / "proof", seeds=2, run=run)
    with pytest.raises(KeyboardInterrupt):
        proof.prove(Tinytown(), CLAIMS, config, interrupt)
    said: list[str] = []
    result = proof.prove(Tinytown(), CLAIMS, config, said.append)
    claims = [claim for group in CLAIMS.values() for claim in group]
    assert said[-len(claims) :] == result["lines"]
    for line, claim in zip(result["lines"], claims, strict=True):
        assert claim.text in line
        assert ("holds" in line or "MISSED" in line) == any(
            bound is not None for bound in (claim.at_least, claim.at_most, claim.low_above)
        )
    written = json.loads((config.folder / "proof.json").read_text())
    assert written["lines"] == result["lines"] and len(written["seeds"]) == 2
    for kept in (config.folder / "seed-0").iterdir():  # a finished seed needs its figures alone
        if kept.is_dir():
            shutil.rmtree(kept)
    assert proof.measure_seed(Tinytown(), config, 0, pytest.fail) == written["seeds"][0]
    with pytest.raises(MinirlhfError, match="other settings"):
        proof.measure_seed(Tinytown(), replace(config, run=replace(run, best_of=3)), 0, print)


def interrupt(said: str) -> None:
    if said.startswith("seed 1"):
        raise KeyboardInterrupt


def test_a_proof_needs_two_seeds(place):
    with pytest.raises(MinirlhfError, match="1 seeds have no interval"):
        proof.prove(Tinytown(), CLAIMS, proof.ProofConfig(folder=place / "one", seeds=1))


SCRIPT = """
import sys
from pathlib import Path
import test_main_job as job
job.prepare(Path(sys.argv[1]).parent)
if __name__ == "__main__":
    job.main_job.run(job.Tinytown(), job.tiny(Path(sys.argv[1])))
"""


def command(place: Path, name: str) -> subprocess.Popen:
    """The whole of a run, with its second process and its page."""
    (place / "script.py").write_text(SCRIPT)
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    order = [sys.executable, str(place / "script.py"), str(place / name)]
    return subprocess.Popen(order, env=os.environ | {"PYTHONPATH": paths})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_of_two_processes_is_killed_at_random(place):
    begun = time.monotonic()
    assert command(place, "one").wait() == 0
    took = time.monotonic() - begun
    source, kills = random.Random(0), 0
    for _ in range(3):
        process = command(place, "two")
        try:
            assert process.wait(source.uniform(0.3, 0.7) * took) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert command(place, "two").wait() == 0
    assert kills and summary(place / "one") == summary(place / "two")
    assert (place / "two" / "report.html").exists()


def test_another_world_without_a_judge_gets_its_report(tmp_path, monkeypatch):
    """The main job knows no town: what there is nobody to judge is left out."""
    write_world(tmp_path)
    monkeypatch.setattr(second_process, "cores", lambda: 1)
    config = tiny(tmp_path / "run")
    short = {"max_prompt": 24, "ptx_context": 24}
    fitting = {"sft": {"max_length": 64}, "initial": {"max_length": 64}}
    fitting |= {"reward": {"max_length": 64}, "ppo": short, "ppo_ptx": short}
    stages = {name: replace(getattr(config.stages, name), **to) for name, to in fitting.items()}
    config = replace(config, max_response=8, stages=replace(config.stages, **stages))
    found = main_job.run(OtherTown(tmp_path), config, callback=())
    models = found["models"]
    assert "passes" not in models["ppo"] and "wins_labelers" not in models["ppo"]
    assert set(models["ppo"]["tax"]) == {"reading aloud"} and "score" in models["ppo"]
    assert "reading aloud" in brief(found)
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "say red" in page and "judge’s grade" not in page
