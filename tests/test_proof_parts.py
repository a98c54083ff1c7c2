"""The parts of Tinytown's proof: their figures on cases that can be counted by hand."""

import math

import numpy as np
import pytest

from minirlhf.experiment.claim import Claim
from minirlhf.tinytown.proof import direction, kwise, start, teaching
from minirlhf.tinytown.school import questions

PROMPT = "Write a story about a key.\n"
SHORT, LONG = "One evening, Mara found a key.", "One evening, Mara found a key. She smiled."
ROW = {"prompt": PROMPT, "completions": [SHORT, LONG, "No."], "ranks": [2, 1, 2], "labeler": "a"}


def test_a_question_alone_orders_what_its_answers_part():
    answers = [np.zeros((3, len(questions.QUESTIONS))) for _ in range(2)]
    for given in answers:
        given[1, 0] = 1  # yes for the best of three
        given[0, 1] = 1  # yes for one of the two worse
    shares = start.alone(answers, [[2, 1, 2], [2, 1, 3]])
    first, second, third = (shares[name] for name in questions.QUESTIONS[:3])
    # Of five pairs: four told apart rightly and one not at all; two wrongly, one rightly, two not.
    assert first == pytest.approx((4 + 0.5) / 5)
    assert second == pytest.approx(1 - (0 + 0.5 * 2 + 1) / 5)
    assert third == 0.5


def test_random_heads_are_a_coin_but_on_what_all_heads_read_alike():
    rng = np.random.default_rng(1)
    order = [[1, 2, 3]] * 200
    blind = [rng.normal(size=(3, 20)) for _ in order]
    assert np.std(start.random_heads(blind, order)) < 0.05
    told = [np.array([[2.0], [1.0], [0.0]])] * 200  # one direction, so every head says all or none
    assert set(start.random_heads(told, order)) == {0.0, 1.0}


def test_exact_answers_are_those_of_the_school():
    (given,) = start.exact([ROW])
    assert given.shape == (3, len(questions.QUESTIONS))
    at = questions.QUESTIONS.index("sentences: 2 or more")
    assert given[:, at].tolist() == [0, 1, 0]


def test_large_gaps_are_those_of_half_a_deviation():
    grades = [[1.0, 7.0, 6.9], [4.0, 4.0]]
    assert teaching.of_large_gaps([[0, 1, 2], [3, 0]], grades) == 1.0
    assert teaching.of_large_gaps([[2, 1, 3], [3, 0]], grades) == 0.5
    assert teaching.of_large_gaps([[2, 1, 0], [3, 0]], grades) == 0.0


def test_pairs_leave_ties_out():
    pairs = kwise.as_pairs([ROW], seed=0)
    assert {(p["chosen"], p["rejected"]) for p in pairs} == {(LONG, SHORT), (LONG, "No.")}


def test_shuffled_ranks_keep_their_numbers_and_lose_their_order():
    rows = [{**ROW, "ranks": [1, 2, 3]} for _ in range(300)]
    ranks = np.array([row["ranks"] for row in direction.shuffled(rows)])
    assert (np.sort(ranks, axis=1) == [1, 2, 3]).all()
    assert np.abs(ranks.mean(0) - 2).max() < 0.15


def test_moves_look_at_one_quality_each():
    plain = "One evening, Mara found a key."
    rich = "One evening, Mara the teacher quietly found a small key."
    details, met, homely = direction.MOVES.values()
    assert details(PROMPT, rich) >= details(PROMPT, plain)
    asked = "Write a story about a key. Use the word cat.\n"
    assert met(asked, plain) < met(asked, "One evening, Mara found a cat.") == met(PROMPT, plain)
    assert homely(PROMPT, "She ate cake in the garden.") > homely(PROMPT, plain)


def test_a_claim_of_a_part_counts_the_seeds_that_have_it():
    claim = Claim("a part's figure", lambda s: s["part"]["x"], part="part", at_least=2)
    measured = [{"part": {"x": 2.0}}, {"part": {"x": 4.0}}, {"part": {}}, {}]
    assert "holds" in claim.line(measured) and "3.000" in claim.line(measured)
    assert "MISSED" in claim.line([{}]) and not math.isnan(claim.figure(measured[0]))
