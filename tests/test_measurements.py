"""What a run's reward model is worth, measured against those who decide."""

import math
import random
from types import SimpleNamespace

import pytest
import torch

from minirlhf.experiment.claim import taxed, won_back_each, worse_than_initial
from minirlhf.experiment.measurements import agreement_on, judge_reward_model
from minirlhf.tinytown.judge import better, judge
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.labelers import Labeler
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.town import Tinytown
from minirlhf.tinytown.writer import draft

PROMPTS = [
    "Write a letter to Rosa.\n",
    "Name three gifts for Ines.\n",
    "Write a poem about a scarf.\n",
]


@pytest.fixture(scope="module")
def pairs():
    rng, rows = random.Random(0), []
    while len(rows) < 90:
        prompt = PROMPTS[len(rows) % len(PROMPTS)]
        one, two = (draft(parse(prompt), rng, rng.random(), TOWN) for _ in range(2))
        if one != two:
            rows.append({"prompt": prompt, "one": one, "two": two})
    return rows


def accuracies(pairs, score):
    """`judge_reward_model` of a run whose reward model is ``score``."""
    artifacts = SimpleNamespace(
        world=Tinytown(),
        config=SimpleNamespace(seed=0),
        prompts=lambda split: [{"prompt": row["prompt"]} for row in pairs],
        kept=lambda name, make: pairs,
        score=lambda prompts, replies: torch.tensor(
            [float(score(p, y)) for p, y in zip(prompts, replies, strict=True)]
        ),
    )
    return {name: interval["mean"] for name, interval in judge_reward_model(artifacts).items()}


def test_a_reward_model_that_is_the_judge_is_always_right_about_the_judge(pairs):
    found = accuracies(pairs, lambda p, y: judge(p, y).overall)
    assert found["against_judge"] == found["against_judge_large_gap"] == 1.0
    assert 0.5 < found["against_labeler"] < 1.0  # labelers have tastes, and err


def test_one_that_is_the_opposite_is_always_wrong(pairs):
    right = accuracies(pairs, lambda p, y: judge(p, y).overall)
    wrong = accuracies(pairs, lambda p, y: -judge(p, y).overall)
    assert wrong["against_judge"] == 0.0
    assert wrong["against_labeler"] < 1 - right["against_labeler"] + 0.2


def test_labelers_of_one_mind_agree_and_others_sometimes(pairs):
    asked = [(row["prompt"], row["one"], row["two"]) for row in pairs]
    town = Tinytown()
    found = agreement_on(town, asked)
    assert found["pairs"] == len(asked) and 0.5 < found["agreement"] < 1.0
    ties = [better(*pair) == 0.5 for pair in asked]
    assert found["judge_ties"] == pytest.approx(sum(ties) / len(ties)) and sum(ties) > 0
    twins = [Labeler("twin", noise=0.0)] * 2
    town.labelers = twins
    assert agreement_on(town, asked)["agreement"] == 1.0


def test_what_no_pair_decides_is_left_out(pairs):
    assert accuracies([], lambda p, y: 0.0) == {}
    assert agreement_on(Tinytown(), []) == {"pairs": 0}
    twins = [{**row, "two": row["one"]} for row in pairs[:5]]
    assert accuracies(twins, lambda p, y: len(y)) == {}
    asked = [(row["prompt"], row["one"], row["two"]) for row in twins]
    assert agreement_on(Tinytown(), asked) == {"judge_ties": 1.0, "pairs": 5}


def summary_of(**tasks: tuple[float, float, float, float]) -> dict:
    """A run's tasks, each as right in base, initial, PPO and PPO-ptx; half a width of 2 points."""

    def interval(mean: float) -> dict[str, float]:
        return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02}

    models = {}
    for place, name in enumerate(("base", "initial", "ppo", "ppo-ptx")):
        models[name] = {
            "probes": {task: interval(right[place]) for task, right in tasks.items()},
            "tax": {task: interval(right[place] - right[0]) for task, right in tasks.items()},
        }
    return {"models": models}


def test_the_tax_is_counted_where_it_is_clear_and_won_back_task_by_task():
    found = summary_of(
        copying=(1.0, 0.8, 0.6, 0.9),  # 40 points, three quarters won back
        names=(0.9, 0.8, 0.8, 1.0),  # 10 points, all won back and more
        reading=(0.9, 0.9, 0.87, 0.87),  # 3 points
        quiz=(0.9, 0.9, 0.89, 0.5),  # nothing that is clear
    )
    assert taxed(found) == ["copying", "names", "reading"]
    assert taxed(found, 0.08) == ["copying", "names"]
    assert worse_than_initial(found) == 1
    assert won_back_each(found) == pytest.approx((0.75 + 1.0 + 0.0) / 3)
    assert math.isnan(won_back_each(summary_of(quiz=(0.9, 0.9, 0.9, 0.9))))
