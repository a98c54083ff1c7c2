"""What is wrong with this run: each stored run shows its bug, and guessing earns little."""

import itertools
import re

import pytest
from matplotlib.text import Text

from course.pack import faulty_runs as made
from minirlhf import lesson
from minirlhf.errors import MinirlhfError
from minirlhf.grading import check, question, show_run, shown_runs
from minirlhf.grading.bank.ex07_runs import CAUSES, QUESTIONS
from minirlhf.lesson import languages

RUNS = shown_runs.runs()


@pytest.fixture(autouse=True)
def workspace(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIRLHF_WORK", str(tmp_path))


def curve(run, name):
    return RUNS[run]["curves"][name]


def test_the_stored_runs_are_those_of_the_command_and_small():
    assert set(RUNS) == set(made.RUNS) == {"healthy", *shown_runs.ORDER}
    assert [CAUSES[name] for name in shown_runs.ORDER] == [q.right for q in QUESTIONS]
    assert shown_runs.FILE.stat().st_size < 60_000
    iterations = made.CONFIG.episodes // made.CONFIG.rollout_batch
    for run in RUNS.values():
        assert set(run["curves"]) == set(shown_runs.PANELS)
        assert all(len(values) == iterations for values in run["curves"].values())
        assert len(run["samples"]) == 2 * made.CONFIG.samples


def test_each_run_shows_its_bug_and_no_other_run_does():
    """The reasons that count as right, as statements about the curves."""
    limit = made.CONFIG.max_response
    signs = {
        "reference-moves": lambda r: max(map(abs, curve(r, "kl"))) < 0.01,
        "score-everywhere": lambda r: (
            curve(r, "length")[-1] > 0.9 * limit
            and curve(r, "score")[-1] > 0
            and curve(r, "kl")[-1] > 1
        ),
        "penalty-reversed": lambda r: curve(r, "kl")[-1] > 100 and curve(r, "score")[-1] < 0,
        "old-recomputed": lambda r: max(curve(r, "clipfrac")) == 0,
        "value-forgotten": lambda r: max(curve(r, "explained")) < 0,
        "sampled-colder": lambda r: curve(r, "entropy")[0] < 0.7 * curve("healthy", "entropy")[0],
    }
    for sign, run in itertools.product(signs, RUNS):
        assert signs[sign](run) == (sign == run), (sign, run)


def test_the_healthy_run_is_healthy():
    score = curve("healthy", "score")
    assert sum(score[-3:]) / 3 > sum(score[:3]) / 3 + 1
    assert curve("healthy", "explained")[-1] > 0.5 and curve("healthy", "kl")[-1] < 20


@pytest.mark.parametrize("q", QUESTIONS, ids=lambda q: q.key)
def test_letter_and_reason_are_both_asked_for(q):
    assert check(q.key, q.right).mistake == "no-reason"
    assert check(q.key, "Z", reason=q.reason).mistake == "no-letter"
    assert check(q.key, q.right, reason=q.reason).points == q.points
    assert q.why() in check(q.key, q.right, reason=q.reason).message


@pytest.mark.parametrize("q", QUESTIONS, ids=lambda q: q.key)
def test_a_second_try_earns_half_and_a_third_nothing(q):
    other = next(letter for letter in q.reasons if letter != q.reason)
    assert check(q.key, q.right, reason=other).mistake == f"reason-{other}"
    assert check(q.key, q.right, reason=q.reason).points == q.points - 1


def test_who_tries_all_pairs_earns_nothing():
    for q in QUESTIONS:
        pairs = itertools.product(q.letters, q.reasons)
        wrong = [pair for pair in pairs if pair != (q.right, q.reason)][:3]
        assert not any(check(q.key, a, reason=b).points for a, b in wrong)
        verdict = check(q.key, q.right, reason=q.reason)
        assert verdict.right and verdict.points == 0


def test_a_run_is_drawn_over_the_healthy_one(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    for number in range(1, 7):
        show_run(number)
    assert len(shown) == 18
    assert sum("image/png" in bundle for bundle in shown) == 12
    for number in (0, 7, "one"):
        with pytest.raises(MinirlhfError, match="no run"):
            show_run(number)


def test_a_run_is_shown_in_the_language_that_is_spoken(monkeypatch):
    said = []
    monkeypatch.setattr(languages, "_chosen", ["zh"])
    monkeypatch.setattr(lesson, "table", lambda head, rows: said.extend(head))

    def look(figure, alt):
        said.extend([alt, *(text.get_text() for text in figure.findobj(Text))])

    monkeypatch.setattr(lesson, "show", look)
    show_run(1)
    assert {"得分", "迭代", "被裁剪的词元的比例"} <= set(said)
    assert not [words for words in said if re.search(r"[A-Za-z]{3,}(?: [A-Za-z]+)+", words)]


def test_no_letter_is_the_right_one_twice():
    assert len({q.right for q in QUESTIONS}) == 6 and question("runs.one") is QUESTIONS[0]
