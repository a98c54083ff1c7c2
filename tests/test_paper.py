"""The paper's numbers hold together: what one place implies, another confirms."""

import doctest
import math
import subprocess
import sys

import pytest

from minirlhf import paper
from minirlhf.errors import MinirlhfError
from minirlhf.paper import MODELS, POLICY_SIZES, cite, under, value


def test_needs_no_torch():
    code = "import sys, minirlhf.paper; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(paper) == (0, 2)


def test_every_number_says_where_it_stands():
    for key, number in paper.NUMBERS.items():
        assert number.where, key
        assert key == key.lower() and " " not in key
        assert isinstance(number.value, int | float | str), key


def test_the_numbers_cannot_be_changed():
    with pytest.raises(TypeError):
        paper.NUMBERS["ppo.beta"] = 1
    with pytest.raises(AttributeError):
        cite("ppo.beta").value = 1


def test_an_unknown_key_is_answered_with_its_neighbours():
    with pytest.raises(MinirlhfError, match=r"ppo\.beta"):
        cite("ppo.betta")
    with pytest.raises(MinirlhfError, match="NUMBERS"):
        cite("§§§")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("intro.ppo-ptx.vs.gpt", "85 ± 3%"),
        ("fig1.1.3b.ppo-ptx", "≈ 0.52"),
        ("sft.lr.1.3b", "9.65e-6"),
        ("ppo.episodes", "256,000"),
        ("ptx.gamma", "27.8"),
        ("rm.schedule", "cosine"),
    ],
)
def test_numbers_read_well_in_prose(key, text):
    assert str(cite(key)) == text


def test_ppo_arithmetic():
    assert value("ppo.iterations") == 500
    assert value("ppo.minibatches") == 8
    assert value("ppo.updates") == 4_000 == value("ppo.iterations") * value("ppo.minibatches")
    assert value("ppo.episodes_per_prompt") == 8.2
    assert value("ptx.examples") == pytest.approx(2.05e6, rel=0.01)
    assert value("ptx.minibatch") == 512


def test_reward_model_arithmetic():
    assert math.comb(9, 2) * 64 == 2_304 == value("rm.pairs_per_batch.max")
    assert value("rm.steps") == 519
    assert (value("rm.pairs.min"), value("rm.pairs.max")) == (199_242, 1_195_452)


def test_sft_arithmetic():
    assert value("sft.steps") == pytest.approx(6_400, rel=0.01)


def test_table_1_is_a_whole():
    shares = {name: number.value for name, number in under("table1").items()}
    assert len(shares) == 10
    assert sum(shares.values()) == pytest.approx(100, abs=0.2)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    qa = shares["open_qa"] + shares["closed_qa"] + shares["classification"]
    assert qa == pytest.approx(18, abs=0.6)  # the share that §4.1 sets against FLAN and T0
    assert shares["generation"] + shares["brainstorming"] == pytest.approx(57, abs=0.5)


def test_table_6_totals():
    totals = {stage: value(f"table6.{stage}.train") for stage in ("sft", "rm", "ppo")}
    assert totals == {"sft": 12_725, "rm": 33_207, "ppo": 31_144}
    for stage, total in totals.items():
        assert total == pytest.approx(value(f"data.prompts.{stage}"), rel=0.03)
    assert value("table6.sft.train.labeler") / totals["sft"] == pytest.approx(0.89, abs=0.005)


def test_table_14_is_complete():
    rows = under("table14")
    assert len(rows) == 16 * len(POLICY_SIZES) * len(MODELS)
    assert value("table14.squadv2.few.175b.ppo-ptx") == 69.93
    assert value("table14.winogender.respectful.6b.ppo") == 0.562
    assert value("table14.truthfulqa.qa.1.3b.gpt") == 0.193
    for key, number in rows.items():
        whole = number.unit in {"F1", "BLEU"}
        assert 0 < number.value < (100 if whole else 1), key


def test_the_alignment_tax_and_its_remedy_are_in_table_14():
    for task in ("squadv2.few", "drop.few", "fr-en.few", "hellaswag.few"):
        gpt, ppo, ptx = (value(f"table14.{task}.175b.{m}") for m in ("gpt", "ppo", "ppo-ptx"))
        assert ppo < ptx
        assert ppo < gpt


def test_figure_1_climbs_the_ladder():
    for size in POLICY_SIZES:
        ladder = [cite(f"fig1.{size}.{m}") for m in ("gpt", "prompted", "sft", "ppo", "ppo-ptx")]
        assert all(rung.approximate for rung in ladder)
        assert [r.value for r in ladder] == sorted(r.value for r in ladder)
    assert value("fig1.175b.sft") == 0.5  # against itself


def test_claims_of_the_introduction_follow_from_the_figures():
    ratio = value("fig6.truthful.instructgpt") / value("fig6.truthful.gpt")
    assert ratio == pytest.approx(value("intro.truthfulness.ratio"), rel=0.1)
    respectful = "table14.toxicity.respectful.175b"
    reduction = 1 - value(f"{respectful}.ppo-ptx") / value(f"{respectful}.gpt")
    assert reduction == pytest.approx(0.16, abs=0.005)  # not the 25%: an inconsistency
    assert value("compute.sft.share") == pytest.approx(0.13, abs=0.01)
    assert value("compute.ppo-ptx.share") == pytest.approx(1.6, abs=0.06)


def test_sweeps_bracket_what_was_chosen():
    assert value("ppo.beta.best.low") <= value("ppo.beta") <= value("ppo.beta.best.high")
    assert value("fig33.gamma.recovers") <= value("ptx.gamma")
    assert value("ppo.batch.sweep.low") <= value("ppo.batch") <= value("ppo.batch.sweep.high")
    assert value("ptx.ratio.too_few") < value("ptx.ratio") < value("ptx.ratio.slow")
    assert value("ppo.lr.sweep.low") < value("ppo.lr.diverges_above") < value("ppo.lr.sweep.high")


def test_what_is_unstated_names_its_source():
    for key, number in under("unstated").items():
        assert number.where.startswith("not stated; "), key
    assert value("unstated.gae_lambda") == value("stiennon.lambda") == 0.95


def test_table_3_and_the_texts():
    assert [row.kind for row in paper.TABLE_3] == ["likert"] + ["flag"] * 11
    assert len({row.name for row in paper.TABLE_3}) == len(paper.TABLE_3)
    assert [a.paper.split()[0] for a in paper.ANCESTORS] == [
        "Christiano",
        "Ziegler",
        "Stiennon",
        "Ouyang",
    ]
    assert all(i.where and i.clash and i.reading for i in paper.INCONSISTENCIES)
