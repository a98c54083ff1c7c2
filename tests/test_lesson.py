"""What notebooks ask of the package: a verdict, and cells of a table."""

import pytest

from minirlhf import lesson
from minirlhf.evaluate.statistics import Interval
from minirlhf.lesson import languages


def between(low, high):
    return Interval((low + high) / 2, low, high, 5)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.1, 0.3, "seen"), (-0.1, 0.3, "open"), (-0.3, -0.1, "the opposite"),
     (0.0, 0.3, "open"), (-0.3, 0.0, "open")],
)  # fmt: skip
def test_an_interval_is_seen_above_the_line_and_open_on_it(low, high, said):
    assert lesson.verdict(between(low, high)) == said


def test_a_range_has_two_ends_and_a_statement_several_parts():
    assert lesson.verdict(between(0.45, 0.55), low=0.4, high=0.6) == "seen"
    assert lesson.verdict(between(0.55, 0.65), low=0.4, high=0.6) == "open"
    assert lesson.verdict(between(0.65, 0.75), low=0.4, high=0.6) == "the opposite"
    assert lesson.verdict(between(-0.04, 0.1), low=-0.05) == "seen"
    above, across, below = between(0.1, 0.2), between(-0.1, 0.1), between(-0.2, -0.1)
    assert lesson.verdict(above, above) == "seen"
    assert lesson.verdict(above, across) == lesson.verdict(across, above) == "open"
    assert lesson.verdict(across, below) == lesson.verdict(below, above) == "the opposite"
    assert lesson.verdict(None) == lesson.verdict(above, None) == "not looked for"


def test_a_verdict_is_in_the_notebooks_language():
    with languages.speaking("zh"):
        assert lesson.verdict(between(0.1, 0.2)) == "看到"
        assert lesson.verdict(None) == "没有去看"


@pytest.mark.parametrize(
    ("written", "shown"),
    [("-0.00", "0.00"), ("+0.00", "0.00"), ("−0%", "0%"), ("-0", "0"), ("-0.05", "-0.05"),
     ("-6% [-9%, -0%]", "-6% [-9%, 0%]"), ("-1.0 → -0.0", "-1.0 → 0.0"),
     ("-0.0, -0.01", "0.0, -0.01"),
     ("2.5-0.0", "2.5-0.0"), ("ppo-0", "ppo-0"), ("one\n\ntwo \n three\n", "one / two / three")],
)  # fmt: skip
def test_a_cell_has_no_signed_zero_and_no_line_breaks(written, shown, monkeypatch):
    said = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: said.append(bundle))
    lesson.table(("",), [(written,)])
    assert said[0]["text/plain"].partition("\n")[2] == shown
    assert f">{shown}</td>" in said[0]["text/html"]


def test_an_interval_has_no_signed_zero():
    assert f"{Interval(-0.03, -0.06, -0.001, 5):+.0%}" == "-3% [-6%, 0%]"
    assert f"{Interval(0.001, -0.001, 0.2, 5):+.2f}" == "0.00 [0.00, +0.20]"
    assert f"{Interval(-0.0, -1.0, 1.0, 5):.4g}" == "0 [-1, 1]"
