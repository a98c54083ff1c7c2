"""The widgets without a browser: parts are moved, values and pictures answer."""

import io
import math

import matplotlib
import pytest
import torch
from ipywidgets.widgets import widget
from PIL import Image

from minirlhf.data.records import read_jsonl
from minirlhf.lesson import languages
from minirlhf.lesson.languages import Texts, fingerprint
from minirlhf.widgets import (
    LabelingDesk,
    RankingExplorer,
    ThreeSteps,
)
from minirlhf.widgets.base import chip, say
from minirlhf.widgets.comparison import agreement
from minirlhf.widgets.pictures import GOOD, NEUTRAL


def changes(widget, act) -> None:
    """``act`` changes the picture, which stays a PNG."""
    before = widget.picture
    act()
    assert widget.picture != before and widget.picture.startswith(b"\x89PNG")


# ----------------------------------------------------------------------------------- labeling desk


class Someone:
    """A labeler who likes long replies."""

    name = "long"

    def rank(self, prompt, replies):
        lengths = sorted({len(reply) for reply in replies}, reverse=True)
        return [lengths.index(len(reply)) + 1 for reply in replies]


SIX = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"]


def test_labeling_desk_saves_rankings_with_ties(tmp_path):
    desk = LabelingDesk(
        [{"prompt": "p\n", "completions": SIX}, {"prompt": "q\n", "completions": SIX[:2]}],
        tmp_path / "mine" / "rankings.jsonl",
        score=lambda prompts, replies: torch.tensor([float(len(reply)) for reply in replies]),
        labelers=[Someone()],
    )
    assert desk.save.disabled and "6" in desk.status.value
    for part, rank in zip(desk.ranks, [6, 6, 4, 3, 1, 2], strict=True):
        assert desk.save.disabled
        part.value = rank
    desk.likert[0].value = 2
    desk.flags[1][2].value = True
    changes(desk, desk.save.click)
    (line,) = read_jsonl(tmp_path / "mine" / "rankings.jsonl", "rankings")
    assert line["ranks"] == [5, 5, 4, 3, 1, 2] and line["completions"] == SIX
    assert line["likert"] == [2, None, None, None, None, None]
    assert line["flags"][1] == {"hallucination": True}
    compared = desk.compare()
    # 14 pairs that aren't ties; the reward model turns the best two round
    assert (compared.pairs, compared.correct) == (14, 13)
    wins = [(4, 5)] + [(w, l) for w in range(6) for l in range(w) if (w, l) not in ((5, 4), (1, 0))]
    losses = [math.log1p(math.exp(l - w)) for w, l in wins]
    assert compared.loss == pytest.approx(sum(losses) / 14, abs=1e-5)
    assert compared.agreement == {"long": pytest.approx(13 / 14)} and compared.others is None
    assert "13 of your 14" in desk.result.value
    desk.on.click()
    assert len(desk.ranks) == 2 and desk.result.value == "" and desk.on.disabled
    again = LabelingDesk([{"prompt": "p\n", "completions": SIX}], desk.path)
    assert [part.value for part in again.ranks] == [5, 5, 4, 3, 1, 2]
    again.ranks[0].value = 1
    again.save.click()
    assert len(read_jsonl(desk.path)) == 1  # the later ranking of a prompt replaces the earlier


def alive() -> int:
    """Parts that the kernel and the page keep; ipywidgets 8 and 7 count them in their own way."""
    return len(getattr(widget, "_instances", None) or widget.Widget.widgets)


def test_labeling_desks_share_a_file_and_let_old_parts_go(tmp_path):
    path = tmp_path / "mine.jsonl"
    tasks = [{"prompt": "p\n", "completions": texts} for texts in (["a", "b"], ["ccc", "d"])]
    path.touch()  # an empty file holds no ranking yet

    def length(prompts, replies):
        return torch.tensor([float(len(reply)) for reply in replies])

    desk = LabelingDesk(tasks, path, score=length)
    before = alive()
    for at in (1, 0, 1, 0):
        desk.open(at)
    assert alive() <= before + 5
    other = LabelingDesk([{"prompt": "q\n", "completions": ["x", "y"]}], path)
    for shown in (desk, other):
        for part, rank in zip(shown.ranks, (1, 2), strict=True):
            part.value = rank
        shown.save.click()
    assert len(read_jsonl(path)) == 2  # neither wrote over the other's
    desk.open(1)
    for part, rank in zip(desk.ranks, (1, 2), strict=True):
        part.value = rank
    desk.save.click()
    assert desk.compare().scores == [3.0, 1.0]  # of these completions, not the other task's


def test_agreement_counts_what_neither_ties():
    assert agreement([1, 2, 3], [1, 2, 3]) == 1.0 and agreement([1, 2, 3], [3, 2, 1]) == 0.0
    assert agreement([1, 1, 2], [1, 2, 2]) == 1.0  # of three pairs one alone counts
    assert agreement([1, 1], [1, 2]) is None


# --------------------------------------------------------------------------------- the three steps


def test_three_steps_fill_column_by_column():
    board = ThreeSteps()
    assert "none has been taken" in board.words
    for number, fill in enumerate(
        (
            lambda: board.first("Write.\n", "Done.", 0.01, 0.6),
            lambda: board.second("p", ["a", "b", "c"], [2, 1, 2], [0.5, 1.0, -0.5], 0.5, 0.7),
            lambda: board.third("Write.\n", "Yes.", 0.25, (-1.0, 0.5), (0.6, 0.65)),
        ),
        1,
    ):
        changes(board, lambda fill=fill: fill() is board or pytest.fail("not shown again"))
        assert board.words.endswith("1, 2, 3"[: 3 * number - 2] + ".")
    assert board.filled[0][2] == "requests done (measured):\n1.0% → 60.0%"
    assert board.filled[1][1] == "B > A = C" and "2 of 2 pairs" in board.filled[1][2]
    assert "unseen pairs in order (measured):\n50.0% → 70.0%" in board.filled[1][2]
    assert "score +0.25\nmean score (trained on):\n-1.00 → +0.50" in board.filled[2][2]
    assert "requests done (measured):\n60.0% → 65.0%" in board.filled[2][2]


def test_three_steps_take_any_text():
    board = ThreeSteps()
    board.first("漢字 <b>$x$\n" * 20, "", 0.0, 1.0)
    board.second("p" * 200, ["y" * 500] * 9, list(range(1, 10)), [0.0] * 9, 0.0, 1.0)
    assert board.picture


# ------------------------------------------------------------------------- what all widgets promise


def test_every_picture_says_where_it_comes_from(monkeypatch, tmp_path):
    """At its foot; the training desk in its title."""
    import minirlhf.widgets.base as base

    signed = []
    monkeypatch.setattr(base, "sign", lambda figure, source: signed.append(source))
    ThreeSteps()
    LabelingDesk([{"prompt": "p\n", "completions": SIX}], tmp_path / "mine.jsonl")
    assert signed == ["live"] * 2


def test_the_foot_of_a_picture_hides_nothing():
    explorer = RankingExplorer()
    signed = Image.open(io.BytesIO(explorer.picture))
    explorer.source = ""
    bare = Image.open(io.BytesIO(explorer.picture))
    assert signed.width == bare.width and 20 < signed.height - bare.height < 60


def test_a_readers_own_settings_change_no_picture():
    plain = RankingExplorer().picture
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "text.color": "white", "font.size": 20, "axes.grid": True,
         "axes.edgecolor": "red", "xtick.color": "red", "figure.dpi": 30}
    ):  # fmt: skip
        assert RankingExplorer().picture == plain
        assert matplotlib.rcParams["font.size"] == 20


def test_labels_are_in_both_languages():
    entries = say.entries
    assert isinstance(say, Texts) and entries
    for key, entry in entries.items():
        assert entry["zh"] and entry["of"] == fingerprint(entry["en"]), key
        fields = {word.split("}")[0] for word in entry["en"].split("{")[1:]}
        assert fields == {word.split("}")[0] for word in entry["zh"].split("{")[1:]}, key
    try:
        languages.choose("zh")
        assert RankingExplorer()._labels["ranking.score"] == "y{number} 的得分"
    finally:
        languages.choose("en")


def test_coloured_text_stands_out_from_its_ground():
    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for ink, ground in (GOOD, NEUTRAL):
        high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) > 4.5
        assert f"color:{ink};background:{ground}" in chip("x", (ink, ground))
