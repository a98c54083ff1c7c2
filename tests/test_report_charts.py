"""What a panel draws stands where its numbers say, and the three steps show what they are given."""

import re
from copy import deepcopy
from html.parser import HTMLParser

import numpy as np
import pytest
from fabricated_run import WICKED, fabricate, report
from hypothesis import given
from hypothesis import strategies as st

from minirlhf.report import run_figures
from minirlhf.report.bars import Bars, to_one_end
from minirlhf.report.charts import LABEL, POINTS, Lines, running_mean
from minirlhf.report.differences import differences
from minirlhf.report.steps_figure import Cell, Column, Flow, draw
from minirlhf.report.summary import entry, show


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    summary = fabricate(folder, iterations=80)
    return folder, summary, report(folder, summary).read_text("utf-8")


# --- bars


def values(*means):
    return {
        name: {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}
        for name, mean in zip(("base", "sft", "ppo"), means, strict=False)
    }


def test_bars_of_one_figure_compare():
    """Equal shares are bars of equal length whatever else their panel holds."""
    small, large = to_one_end(
        [Bars(title="a", values=values(0.2, 0.3)), Bars(title="b", values=values(0.2, 0.6))]
    )
    assert small.place(0.3) == large.place(0.3) == pytest.approx(100 * 0.3 / 0.61, abs=0.01)
    assert small.place(0.0) == 0.0
    assert large.place(0.61) == 100.0


def test_shares_near_the_whole_run_to_the_whole():
    (panel,) = to_one_end([Bars(title="a", values=values(0.2, 0.9))])
    assert panel.place(0.9) == 90.0


def test_the_paper_s_marks_stay_within_the_panel():
    (panel,) = to_one_end([Bars(title="a", values=values(0.2), paper={"base": 0.7})])
    assert panel.place(0.7) == 100.0


def test_dots_have_an_origin_of_their_own():
    words = {"base": {"mean": 20.0, "low": 19.0, "high": 21.0}}
    percent = Bars(title="a", values=values(0.5))
    dots, _ = to_one_end([Bars(title="b", values=words, unit="words", dots=True), percent])
    assert 0.0 < dots.place(19.0) < dots.place(20.0) < dots.place(21.0) == 100.0


def test_every_bar_of_a_page_is_as_long_as_its_number(run):
    """In one figure: the length over the number is one and the same."""
    _, summary, page = run
    figures = re.findall(r'<div class="panels bars-of-\d+"(.*?)</figure>', page, re.DOTALL)
    figures = [figure for figure in figures if 'class="fill"' in figure]
    assert len(figures) == 7
    row = r'class="fill" style="width: ([\d.]+)%">.*?data-key="([^"]*)">([^<]*)<'
    for figure in figures:
        found = re.findall(row, figure, re.DOTALL)
        shares = [float(width) / entry(summary, key) for width, key, _ in found]
        assert found and np.ptp(shares) < 0.01 * max(shares)
        assert all(text == show(entry(summary, key)) for _, key, text in found)


def test_dots_have_ticks_and_bars_have_none():
    words = {"base": {"mean": 20.0, "low": 19.0, "high": 21.0}}
    dots = Bars(title="a", values=words, unit="words", dots=True)
    for at, text in dots.ticks:
        assert dots.place(float(text)) == pytest.approx(at, abs=0.02)
    assert len(dots.ticks) >= 3 and not Bars(title="b", values=values(0.5)).ticks


# --- differences from the base


def test_differences_stand_where_they_are_the_largest_loss_first(run):
    _, summary, page = run
    panel = differences(summary)
    losses = [row["ppo"]["mean"] for _, row in panel.rows]
    assert losses == sorted(losses) and len(losses) == len(summary["models"]["base"]["tax"])
    low, high = panel.range
    taxes = [tax for _, row in panel.rows for tax in row.values()]
    assert all(low < tax["low"] and tax["high"] < high for tax in taxes)
    for at, text in panel.ticks:
        assert panel.place(float(text.replace("−", "-")) / 100) == pytest.approx(at, abs=0.02)
    chart = re.search(r'<ol class="differences">.*?</ol>', page, re.DOTALL)[0]
    places = [float(at) for at in re.findall(r'class="dot[^"]*" style="left: ([\d.]+)%', chart)]
    means = [tax["mean"] for tax in taxes]
    assert places == pytest.approx([100 * (mean - low) / (high - low) for mean in means], abs=0.01)


def test_a_model_without_differences_has_no_lane(run):
    summary = deepcopy(run[1])
    del summary["models"]["ppo"], summary["models"]["initial"]["tax"]
    assert differences(summary).models == ["sft", "ppo-ptx"]
    assert differences({"models": {}}) is None


# --- curves


def drawn(points: str, panel: Lines) -> np.ndarray:
    """A line's points in data, as the page's script reads them."""
    (left, right), (low, high) = panel.x_range, panel.y_range
    at = np.array([[float(text) for text in pair.split(",")] for pair in points.split()])
    return np.stack(
        [left + at[:, 0] / 1000 * (right - left), high - at[:, 1] / 1000 * (high - low)]
    )


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), st.integers(1, 9))
def test_a_running_mean_is_the_mean_of_the_last_values(values, window):
    expected = [np.mean(values[max(0, i - window + 1) : i + 1]) for i in range(len(values))]
    assert running_mean(np.array(values), window) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("path", [False, True])
def test_a_curve_stands_where_its_numbers_are(path):
    rng = np.random.default_rng(0)
    x, y = np.arange(80.0) + rng.normal(size=80) * path, rng.normal(size=80)
    panel = Lines(
        title="a", series={"ppo": (list(x), list(y))}, x="KL", y="reward", smooth=True, path=path
    )
    (curve,) = panel.curves
    reach = np.array([np.ptp(panel.x_range), np.ptp(panel.y_range)])[:, None]
    assert np.all(abs(drawn(curve.raw_points, panel) - np.stack([x, y])) <= 1e-4 * reach)
    means = [[np.mean(v[max(0, i - curve.window + 1) : i + 1]) for i in range(80)] for v in (x, y)]
    expected = np.array([means[0] if path else x, means[1]])
    assert np.all(abs(drawn(curve.points, panel) - expected) <= 1e-4 * reach)
    assert curve.ends == pytest.approx((means[1][0], means[1][-1]))


@pytest.mark.parametrize("series", [([3], [5.0]), ([1, 2], [0.0, 0.0]), (range(2000), range(2000))])
def test_odd_curves_are_drawn_within_their_panel(series):
    panel = Lines(title="a", series={"sft": series}, x="steps", y="nats", smooth=True)
    points = [
        float(text) for text in re.findall(r"[-\d.]+", panel.curves[0].points.replace(",", " "))
    ]
    assert len(points) <= 2 * POINTS
    assert all(0.0 <= value <= 1000.0 for value in points)
    for ticks in (panel.x_ticks, panel.y_ticks):
        assert ticks and all(-1e-6 <= at <= 100.0 + 1e-6 for at, _ in ticks)


@pytest.mark.parametrize("lasts", [(0.0, 0.0, 0.0), (1.0, 0.02, 0.0), (1.0, 0.99, 0.0)])
def test_names_at_the_ends_of_lines_neither_meet_nor_leave_the_panel(lasts):
    series = {
        name: ([0, 1], [0.5, last])
        for name, last in zip(("sft", "ppo", "ppo-ptx"), lasts, strict=True)
    }
    panel = Lines(title="a", series=series, x="steps", y="nats")
    tops = [top for _, _, top in panel.labels]
    assert np.all(np.diff(tops) >= LABEL - 1e-6)
    assert min(tops) >= 0 and max(tops) <= 100 - LABEL / 2


def test_no_name_stands_where_lines_cross_it():
    """A line that ends within the panel has others beside it: its name is in the legend alone."""
    series = {"sft": ([0, 1], [1.0, 0.5]), "initial": ([0, 2], [1, 0])}
    assert Lines(title="a", series=series, x="epochs", y="nats").labels == []
    series["sft"] = [0, 1.9], [1.0, 0.5]
    assert len(Lines(title="a", series=series, x="epochs", y="nats").labels) == 2


def test_running_means_are_drawn_where_they_are_promised(run):
    """Score, KL and the one against the other; entropy, clipping, value, length: thin and thick."""
    folder, summary, page = run
    for name, panels in (("reinforced", 3), ("health", 4)):
        group = run_figures.figures(folder, summary)[name]
        assert [panel.window for panel in group.panels] == [3] * panels
    linked = re.findall(r"data-linked>(.*?)<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert [html.count('class="raw"') for html, _ in linked] == [6, 8]
    assert [html.count('class="curve"') for html, _ in linked] == [6, 8]
    assert all(re.search(r"the\s+mean of the last 3|means of the last\s+3", c) for _, c in linked)


def test_what_is_no_number_is_left_out(tmp_path):
    summary = fabricate(tmp_path)
    log = tmp_path / "ppo" / "metrics.jsonl"
    rows = log.read_text("utf-8").splitlines()
    first = re.sub(r'"objective/score": [^,]*', '"objective/score": NaN', rows[0])
    log.write_text("\n".join([first, *rows[1:]]), "utf-8")
    page = report(tmp_path, summary).read_text("utf-8")
    assert not re.search(r"\bnan\b", page[page.index("<main>") : page.index("<script>\n")])


# --- the three steps


class Text(HTMLParser):
    def __init__(self, page: str):
        super().__init__()
        self.said, self.classes, self.replies = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.classes += attrs.get("class", "").split()
        if tag == "li":
            self.replies.append(attrs["data-reply"])

    def handle_data(self, data):
        self.said.append(data)


def column(*cells: Cell) -> Column:
    return Column(title="Step 2", does="Rankings teach.", color="var(--mr-ink)", cells=cells)


def test_a_cell_without_content_is_a_place():
    empty = Cell(icon="person", caption="A labeler ranks.")
    full = Cell(icon="person", caption="A labeler ranks.", order=["A", ">", "B"])
    assert Text(draw([column(empty, full)])).classes.count("is-empty") == 1
    assert empty.is_empty and not full.is_empty


def test_replies_ranks_and_scores_have_one_letter():
    replies = Cell(icon="page", caption="Samples.", replies=["one", "", WICKED])
    order = Cell(icon="person", caption="Ranked.", order=["C", ">", "A", "=", "B"])
    scores = Cell(icon="network", caption="Scored.", scores=[0.5, -0.25, 2.0])
    html = draw([column(replies, order, scores)])
    page = Text(html)
    assert page.replies == ["A", "B", "C"] * 2
    assert html.count('data-reply="C"') == 2 + 1 + 2
    assert WICKED in page.said and "(nothing)" in page.said
    assert "−0.25" in page.said and "+2.00" in page.said
    assert scores.zero == pytest.approx(1 / 9)
    assert np.ravel(scores.bars) == pytest.approx([1 / 9, 2 / 9, 0, 1 / 9, 1 / 9, 8 / 9])


def test_a_bar_begins_at_zero_and_is_as_long_as_its_score():
    def bars(*scores):
        return Cell(icon="network", caption="", scores=scores).bars

    assert bars(1.0, 1.0) == [(0, 1), (0, 1)] and bars(0.0) == [(0, 0)]
    assert bars(-1.0, -4.0) == [(0.75, 0.25), (0, 1)]  # the worse, the longer


def test_what_a_step_hands_on_is_written_between_them():
    flow = Flow(first="模型一", second="模型二", around="参考")
    columns = [Column(title=f"{i}", does="", color="red", missing="none") for i in range(3)]
    said = [text.strip() for text in Text(draw(columns, flow)).said if text.strip()]
    assert said.index("0") < said.index("模型一") < said.index("1") < said.index("模型二")
    assert said[-1] == "参考" and said.count("none") == 3


def test_a_run_fills_the_figure(run):
    _, _, page = run
    figure = page[page.index('<div class="mr-steps">') : page.index('id="results"')]
    assert figure.count('class="mr-steps-cell"') == 9
    assert "is-empty" not in figure
    assert figure.count('class="mr-steps-flow') == 3
