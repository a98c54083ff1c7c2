"""The ranking explorer without a browser: scores and ranks are set, numbers and the copy answer."""

import math

import pytest
import traitlets

from minirlhf.errors import MinirlhfError
from minirlhf.widgets import RankingExplorer


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_it_shows_equation_1_and_its_gradient():
    explorer = RankingExplorer([1.0, 0.0, -1.0], [1, 2, 2])
    before = explorer.picture
    explorer.scores = [0.5, 0.0, -1.0]
    assert explorer.picture != before and explorer.picture.startswith(b"\x89PNG")
    ranking, gradient = explorer.compute()
    # two pairs: y1 over y2 and y1 over y3; y2 and y3 are tied
    assert float(ranking.loss) == pytest.approx(
        -(math.log(sigmoid(0.5)) + math.log(sigmoid(1.5))) / 2
    )
    down = [(1 - sigmoid(0.5)) / 2, (1 - sigmoid(1.5)) / 2]
    assert gradient.tolist() == pytest.approx([-sum(down), *down], abs=1e-6)
    assert f"{float(ranking.loss):.3f}" in explorer.words and "2 of 2" in explorer.words
    explorer.ranks = [2, 2, 2]  # nothing but ties
    assert float(explorer.compute()[0].loss) == 0.0 and "0 of 0" in explorer.words


def test_a_step_goes_down_the_gradient_by_the_step_size():
    explorer = RankingExplorer([0.0, 0.0], [1, 2])
    explorer.step_size = 0.5
    explorer.step()
    assert explorer.scores == pytest.approx([0.25, -0.25])  # half of σ(0), apart
    for _ in range(30):
        explorer.step()
    assert len(explorer.losses) == 32
    assert all(
        after < before for before, after in zip(explorer.losses, explorer.losses[1:], strict=False)
    )
    assert explorer.losses[0] == pytest.approx(math.log(2))
    explorer.step_size = 1e6
    assert all(abs(score) <= 4.0 for score in explorer.step().scores)  # they stay on the axis


def test_the_axis_reaches_as_far_as_the_first_scores():
    explorer = RankingExplorer([7.5, -1.0])
    explorer.scores = [9.0, -12.0]
    assert explorer.scores == [7.5, -7.5]


def test_it_refuses_what_is_no_ranking():
    for wrong in ([1.0], [1.0, math.nan], [math.inf, 0.0]):
        with pytest.raises(MinirlhfError, match=r"two scores|finite"):
            RankingExplorer(wrong)
    with pytest.raises(MinirlhfError, match="as many ranks"):
        RankingExplorer([1.0, 2.0], [1])
    explorer = RankingExplorer()
    for name, value in (("scores", [1.0]), ("scores", [math.nan] * 4), ("ranks", [1, 2])):
        with pytest.raises(traitlets.TraitError, match="There are 4"):
            setattr(explorer, name, value)
    assert explorer.scores == [0.8, 1.2, -0.4, -1.0]


def test_the_copy_holds_the_replies():
    explorer = RankingExplorer([1.0, 0.0], [2, 1], ["The cat sleeps.", "漢字 $x$ <b>"])
    assert explorer.texts() == [("y1 · rank 2", "The cat sleeps."), ("y2 · rank 1", "漢字 $x$ <b>")]
    assert RankingExplorer([1.0, 0.0]).texts() == []
