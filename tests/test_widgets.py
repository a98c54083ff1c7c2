"""What every widget's picture and words promise, without a browser."""

import io

import matplotlib
from PIL import Image

from minirlhf.lesson import languages
from minirlhf.lesson.languages import Texts, fingerprint
from minirlhf.widgets import Frontier, LabelingDesk, Point, RankingExplorer, ThreeSteps, live_widget
from minirlhf.widgets.words import say


def test_every_picture_says_where_it_comes_from(monkeypatch, tmp_path):
    """At its foot; the training desk in its title."""
    signed = []
    monkeypatch.setattr(live_widget, "sign", lambda figure, source: signed.append(source))
    tasks = [{"prompt": "p\n", "completions": ["a", "b"]}]
    points = [Point(beta=beta, kl=1.0, proxy=1.0) for beta in (0.1, 1.0)]
    shown = [
        RankingExplorer(), ThreeSteps(), LabelingDesk(tasks, tmp_path / "mine.jsonl"),
        Frontier(points, source="shipped runs"),
    ]  # fmt: skip
    for one in shown:
        assert one.picture
    assert signed == ["live"] * 3 + ["shipped runs"]


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
    with languages.speaking("zh"):
        assert RankingExplorer()._labels["ranking.score"] == "y{number} 的得分"
