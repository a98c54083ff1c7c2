"""The reference run: bit for bit twice here, and on any machine what was committed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import reference

FIRST = 2
"""Steps in which no rounding has had time to grow."""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    return folder, reference.run(folder, seed=0)


def test_the_first_steps_are_those_committed(here):
    for key, kept in json.loads(reference.FILE.read_text("utf-8")).items():
        stage, _, name = key.partition(" ")
        found = here[1][stage][name]
        assert len(found) == len(kept["seed 0"]) > FIRST
        assert found[:FIRST] == pytest.approx(kept["seed 0"][:FIRST], rel=1e-4, abs=1e-4), key


def test_the_later_steps_are_within_the_band_of_the_seeds(here):
    """Four deviations of eight seeds around their mean; rounding is far below that."""
    for key, kept in json.loads(reference.FILE.read_text("utf-8")).items():
        stage, _, name = key.partition(" ")
        rows = zip(here[1][stage][name], kept["mean"], kept["deviation"], strict=True)
        for step, (found, mean, deviation) in enumerate(rows):
            assert abs(found - mean) <= 4 * deviation + 1e-3, (key, step)


def test_the_same_again_bit_for_bit(here, tmp_path):
    """In another process, so that nothing of this one's past can matter."""
    script = f"import reference, pathlib; reference.run(pathlib.Path({str(tmp_path)!r}), 0)"
    order = [sys.executable, "-c", f"import torch; torch.set_num_threads(1); {script}"]
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    subprocess.run(order, check=True, env=os.environ | {"PYTHONPATH": paths})
    for stage in reference.NAMES:
        one, two = (
            sorted((folder / stage).rglob("*.safetensors")) for folder in (here[0], tmp_path)
        )
        assert one and [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
        names = reference.NAMES[stage]
        assert reference.curves(tmp_path / stage, names) == here[1][stage]
