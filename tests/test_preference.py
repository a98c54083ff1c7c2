"""Win rates: who is asked what, how votes become a verdict, and that the sides are exchangeable."""

import itertools
import zlib

import numpy as np
import pytest

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.preference import (
    agreement,
    labeler_verdicts,
    preferred_by_judge,
    preferred_by_panel,
)
from minirlhf.evaluate.statistics import over_prompts


def by_length(prompts, completions):
    return [len(completion) for completion in completions]


def longer(prompt, a, b):
    return 0.5 if len(a) == len(b) else float(len(a) > len(b))


def shorter(prompt, a, b):
    return 1 - longer(prompt, a, b)


def undecided(prompt, a, b):
    return 0.5


def erratic(prompt, a, b):
    """Depends on the order, and on nothing that matters."""
    return zlib.crc32(f"{prompt}{a}{b}".encode()) % 3 / 2


PROMPTS = ["p", "q", "r", "s"]
OURS = ["aaa", "b", "cc", "dddd"]
THEIRS = ["a", "bb", "ee", "d"]


def test_judge():
    result = preferred_by_judge(by_length, PROMPTS, OURS, THEIRS)
    assert result.verdicts.tolist() == [1, 0, 0.5, 1]
    assert result.win_rate.mean == 0.625
    assert result.win_rate.n == 4
    assert result.tie_rate == 0.25


@pytest.mark.parametrize("votes", list(itertools.product([0, 0.5, 1], repeat=3)))
def test_majority_of_three_against_counting(votes):
    panel = [lambda prompt, a, b, v=v: v if a == "ours" else 1 - v for v in votes]
    result = preferred_by_panel(panel, ["p"], ["ours"], ["theirs"])
    for_us, for_them = votes.count(1), votes.count(0)
    expected = 0.5 if for_us == for_them else float(for_us > for_them)
    assert result.verdicts.tolist() == [expected]


def test_everyone_is_told_the_prompt_and_the_seed_is_the_bootstraps(monkeypatch):
    def reads(prompt, a, b):
        return {"p": 0.5, "q": 1.0, "r": 0.0, "s": 1.0}[prompt]

    def judge(prompts, completions):
        return [(prompts.index(p) + 1) * len(c) for p, c in zip(prompts, completions, strict=True)]

    assert preferred_by_panel([reads], PROMPTS, OURS, THEIRS).verdicts[0] == 0.5
    by_judge = preferred_by_judge(judge, PROMPTS, OURS, THEIRS)
    assert by_judge.verdicts.tolist() == [1, 0, 0.5, 1]
    assert by_judge.win_rate == over_prompts(by_judge.verdicts, seed=0)
    asked = []
    monkeypatch.setattr(
        "minirlhf.evaluate.preference.over_prompts", lambda values, *, seed: asked.append(seed)
    )
    for options in ({}, {"seed": 3}):
        preferred_by_judge(by_length, PROMPTS, OURS, THEIRS, **options)
        preferred_by_panel([longer], PROMPTS, OURS, THEIRS, **options)
    assert asked == [0, 0, 3, 3]


def test_panel_agrees_with_the_judge_when_its_majority_does():
    panel = [longer, longer, shorter]
    by_panel = preferred_by_panel(panel, PROMPTS, OURS, THEIRS)
    by_judge = preferred_by_judge(by_length, PROMPTS, OURS, THEIRS)
    assert by_panel.verdicts.tolist() == by_judge.verdicts.tolist()


def test_exchanging_the_sides_turns_every_verdict_round():
    prompts = [f"prompt {i}" for i in range(200)]
    ours, theirs = [f"our {i}" for i in range(200)], [f"their {i}" for i in range(200)]
    forth = preferred_by_panel([erratic, longer, erratic], prompts, ours, theirs)
    back = preferred_by_panel([erratic, longer, erratic], prompts, theirs, ours)
    assert np.array_equal(forth.verdicts, 1 - back.verdicts)
    forth = preferred_by_judge(by_length, prompts, ours, theirs)
    back = preferred_by_judge(by_length, prompts, theirs, ours)
    assert np.array_equal(forth.verdicts, 1 - back.verdicts)


def test_a_taste_for_the_first_of_two_favours_nobody():
    prompts = [f"prompt {i}" for i in range(1_000)]
    first = lambda prompt, a, b: 1.0  # noqa: E731
    result = preferred_by_panel([first], prompts, ["a"] * 1_000, ["b"] * 1_000)
    assert result.win_rate.low < 0.5 < result.win_rate.high
    assert result.tie_rate == 0


def test_equal_completions_tie_without_asking():
    def never(prompt, a, b):
        raise AssertionError

    assert preferred_by_panel([never], ["p"], ["same"], ["same"]).win_rate.mean == 0.5
    later = preferred_by_panel([longer], ["p", "q"], ["same", "longer"], ["same", "x"])
    assert later.verdicts.tolist() == [0.5, 1]


def test_agreement_against_counting():
    generator = np.random.default_rng(0)
    verdicts = generator.choice([0, 0.5, 1], size=(5, 60))
    agree = decided = 0
    for one, other in itertools.combinations(verdicts, 2):
        for a, b in zip(one, other, strict=True):
            if 0.5 not in (a, b):
                decided += 1
                agree += a == b
    assert agreement(verdicts) == pytest.approx(agree / decided)
    assert agreement(verdicts.astype(np.float16)) == agreement(verdicts)  # counted in full
    opposed = labeler_verdicts([longer, shorter], PROMPTS, OURS, THEIRS)
    assert agreement(opposed) == 0
    assert agreement(labeler_verdicts([longer, longer], PROMPTS, OURS, THEIRS)) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: preferred_by_panel([longer, shorter], ["p"], ["a"], ["b"]), "odd"),
        (lambda: preferred_by_panel([], ["p"], ["a"], ["b"]), "odd"),
        (lambda: preferred_by_panel([longer], ["p"], ["a", "b"], ["b"]), "2 of ours"),
        (lambda: preferred_by_judge(by_length, [], [], []), "0 prompts"),
        (lambda: preferred_by_panel([lambda p, a, b: 0.7], ["p"], ["a"], ["b"]), "0.7"),
        (lambda: agreement(labeler_verdicts([undecided] * 2, ["p"], ["a"], ["b"])), "^agreement"),
    ],
)
def test_what_makes_no_win_rate_is_refused(wrong, says):
    with pytest.raises(MinirlhfError, match=says):
        wrong()
