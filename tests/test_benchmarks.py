"""The counting beneath the benchmarks; measuring itself is ``make bench``."""

import json
import sys
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM

from benchmarks import arithmetic, report
from benchmarks.experiments import GROWTH
from benchmarks.gate import Worker, alternate
from benchmarks.shapes import EOS, NEVER, Shape, build, config, end_responses
from minirlhf.sampling import sample

TINY = Shape("tiny", width=32, layers=2, heads=2, vocabulary=64, batch=3, prompt=5, response=12)


def counted(*functions):
    with FlopCounterMode(display=False) as counter:
        for function in functions:
            function()
    return counter.get_total_flops()


@pytest.mark.parametrize("architecture", ["gpt2", "neox"])
def test_the_arithmetic_is_what_torch_counts(architecture):
    shape = replace(TINY, architecture=architecture)
    model = AutoModelForCausalLM.from_config(config(shape), attn_implementation="eager").eval()
    ids = torch.randint(3, 60, (shape.batch, 7))
    products = arithmetic.forward(shape, 7, scored=7)
    rotary, angles = getattr(model.base_model, "rotary_emb", None), 0
    if rotary is not None:  # some versions of transformers compute its angles by a product
        angles = counted(lambda: rotary(torch.zeros(1, 7, shape.width), torch.arange(7)[None]))
    assert counted(lambda: model(ids)) == arithmetic.flops(products) + angles
    both = arithmetic.flops(products + arithmetic.backward(products))
    assert counted(lambda: model(ids).logits.sum().backward()) == both + angles
    assert arithmetic.flops(arithmetic.backward(products)) == 2 * arithmetic.flops(products)


def test_a_ppo_iteration_is_the_sum_of_its_parts():
    length = TINY.prompt + TINY.response - 1
    policy = arithmetic.flops(arithmetic.forward(TINY, length, scored=TINY.response))
    value = arithmetic.flops(arithmetic.forward(TINY, length))
    rollout = arithmetic.flops(arithmetic.rollout_products(TINY))
    expected = rollout + policy + 2 * value + 3 * TINY.epochs * (policy + value)
    assert arithmetic.flops(arithmetic.ppo_products(TINY)) == expected


def test_responses_end_as_often_as_the_shape_says():
    shape = replace(TINY, ragged=True, response=30, vocabulary=400)
    model = AutoModelForCausalLM.from_config(config(shape)).eval()
    prompts, uniforms = [[5, 6, 7]] * 400, torch.rand(400, shape.response)
    for hazard, expected in ((shape.hazard, shape.response / 3), (0.0, shape.response)):
        end_responses(model, hazard)
        result = sample(model, prompts, uniforms, eos_token_id=EOS, pad_token_id=0)
        assert float(result.mask.sum(-1).float().mean()) == pytest.approx(expected, rel=0.12)
        assert result.responses[result.mask].min() >= EOS  # never pad, never BOS
    assert float(model(torch.tensor([[5]])).logits[0, 0, 0]) == pytest.approx(NEVER)


def test_workers_take_turns_and_the_report_shows_them(tmp_path):
    build(TINY, tmp_path)
    held = b"x" * 2**30  # the driver's own memory isn't the workers'
    arguments = {"folder": str(tmp_path), "threads": 1}
    workers = [
        Worker(name, sys.executable, arguments, {}, tmp_path / f"{name}.log")
        for name in ("ours.ppo", "arithmetic.ppo")
    ]
    del held
    for worker in workers:
        worker.ready()
    alternate(workers, rounds=2)
    for worker in workers:
        worker.close()
        assert all(0 < unit["peak_mb"] < 1200 for unit in worker.units)
        assert len(worker.units) == 2 and all(unit["seconds"] > 0 for unit in worker.units)
    assert workers[0].units[0]["tokens"] == TINY.batch * TINY.response
    facts = {"seconds": 1.0, "peak_mb": 2.0}
    ratios = {"seconds_ratio": [1.5, 1.75, 2.0], "cpu_ratio": [1.0, 1.1, 1.2]}
    result = {
        "experiment": "PPO", "threads": 1, "load": 0.0, "show": "1.35",
        "contestants": {"minirlhf": facts | ratios, "trl": facts | ratios},
    }  # fmt: skip
    group = {"machine": {"cores": "2"}, "results": [result]}
    (tmp_path / "results").mkdir()
    (tmp_path / "results/main.json").write_text(json.dumps(group))
    report.write(tmp_path / "results")
    assert "1.75 (1.50 to 2.00)" in (tmp_path / "results/results.md").read_text()
    assert (tmp_path / "results/results.png").stat().st_size > 1000


def test_what_grows_is_seen_against_the_shape(tmp_path):
    facts = {"seconds": 1.0, "peak_mb": 2.0, "seconds_ratio": [1, 2, 3], "cpu_ratio": [1, 2, 3]}
    results = [
        {
            "experiment": one.name, "threads": 2, "load": 0.0, "show": "",
            "contestants": {"minirlhf": facts, "trl 1.12.0": facts},
        }
        for one in GROWTH
    ]  # fmt: skip
    for name, found in {
        "rows": [16, 32, 64, 128, 256],
        "tokens of a row": [36, 72, 144, 240],
        "width": [64, 128, 256, 512],
    }.items():
        assert list(report.line_of(results, report.AXES[name])) == found
    (tmp_path / "growth.json").write_text(json.dumps({"machine": {}, "results": results}))
    report.write(tmp_path)
    assert (tmp_path / "growth.png").stat().st_size > 1000


def test_a_worker_that_dies_says_why(tmp_path):
    build(TINY, tmp_path)
    worker = Worker("ours.nothing", sys.executable, {"folder": str(tmp_path), "threads": 1}, {},
                    tmp_path / "log")  # fmt: skip
    with pytest.raises(RuntimeError, match="no attribute 'nothing'"):
        worker.ready()
