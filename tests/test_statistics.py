"""Intervals against textbook values, closed forms and brute force."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.statistics import (
    over_prompts,
    over_seeds,
    paired_difference,
    proportion,
    wins,
)


def test_student_interval_of_three_seeds():
    # t(0.975, 2) = 4.302653 in every table; s = 1, so the reach is t / sqrt(3)
    interval = over_seeds([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.n == 3
    assert interval.high - 2 == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert 2 - interval.low == pytest.approx(interval.high - 2)


def test_student_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(size=(4_000, 3))
    intervals = [over_seeds(row) for row in draws]
    covered = np.mean([i.low <= 0 <= i.high for i in intervals])
    assert covered == pytest.approx(0.95, abs=0.012)


def test_bootstrap_of_two_values_has_a_known_distribution():
    # means of two draws from {0, 1}: 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4
    interval = over_prompts([0.0, 1.0], level=0.4)
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)
    interval = over_prompts([0.0, 1.0], level=0.6)
    assert (interval.low, interval.high) == (0.0, 1.0)


@pytest.mark.parametrize(("prompts", "resamples"), [(40, 2_000), (4_000, 3_000)])
def test_bootstrap_against_a_plain_loop(prompts, resamples):
    values = np.random.default_rng(1).exponential(size=prompts)
    generator = np.random.default_rng(0)
    means = [values[generator.integers(prompts, size=prompts)].mean() for _ in range(resamples)]
    interval = over_prompts(values, resamples=resamples)
    assert interval.low == pytest.approx(np.quantile(means, 0.025), abs=1e-12)
    assert interval.high == pytest.approx(np.quantile(means, 0.975), abs=1e-12)


def test_bootstrap_draws_in_blocks():
    """32 MB of indices and as much of values at a time, however many resamples."""
    values = np.random.default_rng(1).normal(size=4_000)
    tracemalloc.start()
    over_prompts(values, resamples=3_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6  # at once, it would be 192


def test_bootstrap_nears_the_normal_interval_for_many_prompts():
    values = np.random.default_rng(2).normal(size=2_000)
    interval = over_prompts(values)
    reach = 1.96 * values.std() / values.size**0.5
    assert interval.high - interval.low == pytest.approx(2 * reach, rel=0.05)


def test_bootstrap_is_the_same_for_the_same_seed_only():
    values = np.random.default_rng(3).normal(size=30)
    assert over_prompts(values, seed=5) == over_prompts(values, seed=5)
    assert over_prompts(values, seed=5) != over_prompts(values, seed=6)


def test_pairs_are_bootstrapped_as_asked():
    ours, theirs = np.random.default_rng(5).normal(size=(2, 40))
    for asked in ({}, {"level": 0.5}, {"resamples": 300}, {"seed": 3}):
        assert paired_difference(ours, theirs, **asked) == over_prompts(ours - theirs, **asked)
    usual = {"level": 0.95, "resamples": 10_000, "seed": 0}
    assert over_prompts(ours) == over_prompts(ours, **usual)
    assert paired_difference(ours, theirs) == paired_difference(ours, theirs, **usual)


def test_verdicts_may_be_true_and_false():
    yes, no = [True, True, False], [False, True, True]
    assert paired_difference(yes, no).mean == 0
    assert wins(yes, no).tolist() == [1, 0.5, 0]


def test_pairing_takes_out_the_prompts_difficulty():
    generator = np.random.default_rng(4)
    difficulty = 10 * generator.normal(size=200)
    ours, theirs = difficulty + 0.1, difficulty + 0.01 * generator.normal(size=200)
    paired = paired_difference(ours, theirs)
    assert paired.low < 0.1 < paired.high
    assert paired.high - paired.low < 0.01 < over_prompts(ours).high - over_prompts(ours).low


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=30))
def test_wins_counts_ties_one_half(pairs):
    ours, theirs = zip(*pairs, strict=True)
    expected = [1 if a > b else 0 if a < b else 0.5 for a, b in pairs]
    assert wins(ours, theirs).tolist() == expected
    assert wins(theirs, ours).tolist() == [1 - e for e in expected]


def test_wilson_interval_of_known_values():
    interval = proportion(8, 10)
    assert interval.mean == 0.8
    assert (interval.low, interval.high) == pytest.approx((0.49016, 0.94333), abs=1e-4)
    assert interval.n == 10 and proportion(1, 1).mean == proportion(3, 3).mean == 1
    assert interval.low < proportion(8, 10, level=0.5).low
    assert over_seeds([1.0, 2.0]).mean == 1.5
    nothing = proportion(0, 20)
    assert nothing.low == 0
    assert nothing.high == pytest.approx(1.959964**2 / (20 + 1.959964**2), rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: over_seeds([0.5]), r"over seeds needs .* 2 or more values, got shape \(1,\)"),
        (lambda: over_prompts([]), "over prompts needs .* 1 or more values"),
        (lambda: over_prompts([[1.0, 2.0]]), r"got shape \(1, 2\)"),
        (lambda: over_prompts([1.0, float("nan")]), "the value of prompt 1 is nan"),
        (lambda: over_seeds([1.0, float("inf"), 2.0]), "the value of seed 1 is inf"),
        (lambda: over_prompts([1.0, None]), "the value of prompt 1 is nan"),
        (lambda: paired_difference([1.0, None], [1.0, 2.0]), "the value of prompt 1 is nan"),
        (lambda: paired_difference([1.0, 2.0], [None, 2.0]), "the value of prompt 0 is nan"),
        (lambda: paired_difference([1.0, 2.0], [1.0]), r"got \(2,\) and \(1,\) values"),
        (lambda: proportion(3, 2), "3 successes in 2 trials"),
        (lambda: proportion(0, 0), "0 successes in 0 trials"),
    ],
)
def test_what_has_no_interval_is_refused(wrong, says):
    with pytest.raises(MinirlhfError, match=says):
        wrong()


def test_an_interval_prints_in_one_line():
    interval = proportion(1, 4)
    low, high = interval.low, interval.high
    assert str(interval) == f"0.250 [{low:.3f}, {high:.3f}]"
    assert f"{interval:.1%}" == f"25.0% [{low:.1%}, {high:.1%}]"
    assert 100 * interval == type(interval)(25.0, 100 * low, 100 * high, 4)
