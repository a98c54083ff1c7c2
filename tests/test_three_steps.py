"""The three steps without a browser: what stands in the figure as step after step is taken."""

import re
from html import unescape

import numpy as np
import torch
from matplotlib.text import Text

from minirlhf.lesson import languages
from minirlhf.report.charts import PALETTE
from minirlhf.report.design import design
from minirlhf.widgets import ThreeSteps


def text(html):
    """What one reads, without the markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def taken():
    board = ThreeSteps()
    board.first("Write.\n", "Done.", 0.01, 0.6)
    board.second("p", ["a", "b", "c"], [2, 1, 2], [0.5, 1.0, -0.5], 0.5, 0.7)
    return board.third("Write.\n", "Yes.", 0.25, (-1.0, 0.5), (0.6, 0.65))


def test_columns_fill_one_by_one():
    board = ThreeSteps()
    assert "none has been taken" in board.words and board.figure.count("is-empty") == 9
    for number, fill in enumerate(
        (
            lambda: board.first("Write.\n", "Done.", 0.01, 0.6),
            lambda: board.second("p", ["a", "b", "c"], [2, 1, 2], [0.5, 1.0, -0.5], 0.5, 0.7),
            lambda: board.third("Write.\n", "Yes.", 0.25, (-1.0, 0.5), (0.6, 0.65)),
        ),
        1,
    ):
        before = board.picture
        assert fill() is board  # a notebook shows it again
        assert board.picture != before and board.filled == [*range(number)]
        assert board.words.endswith("1, 2, 3"[: 3 * number - 2] + ".")
        assert board.figure.count("is-empty") == 9 - 3 * number


def test_what_was_measured_stands_in_the_cells():
    board = taken()
    said = text(board.figure)
    assert "requests done (measured) 1.0% → 60.0%" in said
    assert "B > A = C" in said and "these pairs in order 2 of 2" in said
    assert "unseen pairs in order (measured) 50.0% → 70.0%" in said
    assert "score of this reply +0.25 mean score (trained on) −1.00 → +0.50" in said
    assert "requests done (measured) 60.0% → 65.0%" in said
    assert board.replies == [
        {"letter": "A", "rank": 2, "score": 0.5},
        {"letter": "B", "rank": 1, "score": 1.0},
        {"letter": "C", "rank": 2, "score": -0.5},
    ]


def test_a_ranking_of_ties_alone_has_no_pairs_to_count():
    board = ThreeSteps().second("p", ["a", "b"], [1, 1], [0.5, 1.0], 0.5, 0.7)
    said = text(board.figure)
    assert said.count("all tied, so no pair") == 2 and "0 of 0" not in said and "A = B" not in said


def test_what_one_step_hands_to_the_next_is_written_on_the_arrows():
    board = ThreeSteps()
    drawn = " ".join(one.get_text() for one in board.draw().findobj(Text))
    for handed in ("SFT model", "reward model", "where the policy starts, and the reference"):
        assert handed in text(board.figure)
        assert handed in drawn.replace("The SFT model replies", "").replace("A reward model", "")


def test_a_step_has_its_own_colour_everywhere():
    assert re.findall(r"--step: ([^\"]*)", ThreeSteps().figure) == [
        "var(--mr-sft)", "var(--mr-ink)", "var(--mr-ppo)",
    ]  # fmt: skip
    assert f"--mr-ppo: {PALETTE['ppo']}" in design()
    css = str(ThreeSteps()._css)
    assert ".mr-steps-grid" in css and ".is-coming" in css  # the report's, and motion


def test_any_text_is_shown_as_it_is():
    board = ThreeSteps()
    board.first("漢字 <b>$x$\n" * 20, "", 0.0, 1.0)
    board.second("p" * 200, ["y" * 500] * 9, list(range(1, 10)), [0.0] * 9, 0.0, 1.0)
    assert "<b>$" not in board.figure and "&lt;b&gt;$x$" in board.figure
    assert board.picture and len(board.replies) == 9


def test_the_figure_speaks_chinese():
    with languages.speaking("zh"):
        said = text(taken().figure)
    assert "第 1 步 用示范教。" in said and not re.search(r"[a-z]{5,}", said)


def test_numbers_of_any_kind_are_taken():
    one = ThreeSteps().second(
        "p", ["a", "b"], torch.tensor([2, 1]), torch.tensor([[0.5], [1.0]]), torch.tensor([0.5]),
        np.float32(0.75),
    )  # fmt: skip
    two = ThreeSteps().second("p", ["a", "b"], np.array([2, 1]), [0.5, 1], 0.5, 0.75)
    assert one.figure == two.figure and one.replies == two.replies
    assert all(type(reply["score"]) is float for reply in one.replies)
    one.third("p", "r", torch.tensor(0.25), torch.tensor([-1.0, 0.5]), np.array([0.6, 0.65]))
    assert "+0.25" in text(one.figure) and one.picture
