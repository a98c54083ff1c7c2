"""Tinytown's proof and pack in their smallest form: all parts of one seed, one after another."""

import json
import math
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from test_main_job import prepare_here, tiny

from course.pack import make
from minirlhf.experiment import proof
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.models import ScalarModel
from minirlhf.pretrained import save_model
from minirlhf.tinytown import bases, town
from minirlhf.tinytown.proof import kwise, start, teaching, voted
from minirlhf.tinytown.proof.claims import CLAIMS
from minirlhf.tinytown.proof.ladder import LADDER
from minirlhf.tinytown.proof.parts import PARTS
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.sizes import SIZES
from minirlhf.tinytown.tax import TAX
from minirlhf.tinytown.tokenizer import build_tokenizer
from minirlhf.tinytown.town import Tinytown

SMALL = {
    voted: {"ANSWERED": 8, "POSTS": 12, "PAGE": 8, "SAMPLES": 2, "REPLY": 8},
    start: {"ASKED": 8, "SAMPLES": 4, "RANDOM_HEADS": 3, "DRAWS": (2, 1, 1, 1, 1)},
    teaching: {"COUNTS": (8,)},
    kwise: {"PROMPTS": 8},
    town: {"TAX_ITEMS": 4, "PROBE_ITEMS": 4},
}
MANY = "from 4 to 1,024 rankings"
"""What so few rankings have no figure for."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Untrained bases, a start with a head of zero; a world in which little is asked."""
    folder = tmp_path_factory.mktemp("proof")
    tokenizer = build_tokenizer(record["text"] for record in bases.corpus(300))
    for name in SIZES:
        base = bases.new_model(replace(SIZES[name], width=16, layers=1, heads=2), tokenizer)
        save_model(base, tokenizer, folder / name)
    model = ScalarModel.from_policy(base, tokenizer)
    model.head.weight.data.zero_()
    model.save(folder / bases.START, tokenizer)
    with pytest.MonkeyPatch.context() as patch:
        prepare_here(folder, patch)
        patch.setattr(Artifacts, "sample", neighbours)
        for module, values in SMALL.items():
            for name, value in values.items():
                patch.setattr(module, name, value)
        yield folder


def neighbours(self, model, asked, *, seed, n=1):
    """Replies of people in place of an untrained model's, which would all be alike to a judge."""
    rng = random.Random(f"{model}-{seed}")
    known = [prompt if parse(prompt) else "Who is Ada?\n" for prompt in asked for _ in range(n)]
    return [voted.neighbour(prompt, rng) for prompt in known]


@pytest.fixture(scope="module")
def config(folder):
    run = replace(tiny(folder), ranking_prompts=24, k=(3, 4), evaluation_prompts=16)
    return proof.ProofConfig(folder=folder / "proof", seeds=2, run=run)


def test_each_part_runs_once_and_its_claims_have_figures(config):
    """As `minirlhf prove` does it: interrupted between two parts, gone on with, then all there."""
    ran: Counter[str] = Counter()
    parts = {name: counted(ran, name, part) for name, part in PARTS.items()}
    with pytest.raises(KeyboardInterrupt):
        proof.measure_seed(Tinytown(), config, 0, killed, parts)
    assert list(ran) == ["start", "teaching", "direction"]
    measured = proof.measure_seed(Tinytown(), config, 0, print, parts)
    assert list(ran) == list(PARTS) and set(ran.values()) == {1}
    claims = [claim for alike in CLAIMS.values() for claim in alike]
    for line, claim in zip(proof.lines(CLAIMS, [measured] * 2), claims, strict=True):
        if claim.part:
            assert ("no figure" in line) == (MANY in claim.text), line
            assert math.isfinite(claim._figure(measured)) != (MANY in claim.text), claim.text
    assert json.loads((config.folder / "seed-0" / "proof.json").read_text()) == measured
    later = Artifacts(Tinytown(), replace(config.run, folder=config.folder / "seed-9", seed=9))
    for name in list(PARTS)[1:]:  # the costlier parts have fewer seeds
        assert PARTS[name](later) == {}


def killed(said):
    if said == "seed 0: k-wise":
        raise KeyboardInterrupt


def counted(ran, name, part):
    def one(artifacts):
        ran[name] += 1
        return part(artifacts)

    return one


def test_the_pack_has_what_the_chapters_read(config):
    """What only it makes, on the models of the proof's first seed."""
    pack = make.Pack(replace(config.run, folder=config.folder / "seed-0"), seeds=1)
    (known,) = pack.known
    assert set(known["curve"]) == {"exact answers", "school", "plain base"}
    every = len(pack.artifacts.rankings(1))
    assert [(row["start"], row["rankings"]) for row in pack.taught] == [
        ("school", 8), ("school", every), ("plain base", every), ("SFT model", every),
    ]  # fmt: skip
    for row in pack.taught:
        assert np.mean(row["shares"]) == pytest.approx(row["labeler"])
    for name, value in (("beta", make.USUAL["beta"]), ("gamma", 0.1)):
        row, folder = pack.swept(name, value), pack.sweep_folder(name, value)
        assert set(row["tax"]) == set(TAX) < set(row["probes"]) and row[name] == value
        assert len(row["replies"]) == len(row["passes"]) == config.run.evaluation_prompts
        assert (folder / "value").exists() == (name == "beta")  # the one that chapters read
        assert pack.swept(name, value) == row
    learned = ScalarModel.load(pack.sweep_folder("beta", make.USUAL["beta"]) / "value")
    assert (learned.head.weight != pack.artifacts.reward.head.weight).any()
    models = [(row["size"], row["model"]) for row in pack.ladder]
    assert models == [(size, model) for size in SIZES for model in LADDER]
