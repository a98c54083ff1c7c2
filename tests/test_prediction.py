"""Predictions without a browser: what may be entered, what stays hidden, what a guess is worth."""

import itertools

import pytest

from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.statistics import Interval
from minirlhf.widgets import Prediction, PredictionScore, still
from minirlhf.widgets.outcome import Outcome

names = (f"test.{number}" for number in itertools.count())


def asked(**options):
    return Prediction("How often?", next(names), **options)


def test_it_may_stay_empty_and_is_kept():
    guess = Prediction("How often?", "test.kept", unit="%")
    assert guess.value is None and guess.words == "Guess before you read on."
    guess.enter("62,5 %")
    assert guess.value == 62.5 and "62.5 %" in guess.words
    again = Prediction("How often?", "test.kept", unit="%")  # the cell is run again
    assert again.value == 62.5
    again.enter("")
    assert again.value is None and Prediction("How often?", "test.kept").value is None


@pytest.mark.parametrize(
    ("entered", "value"),
    [("60", 60.0), ("1,000", 1000.0), ("0,7", 0.7), ("-3", -3.0), ("−3", -3.0), (" 4 nats", 4.0),
     ("1,234.5", 1234.5), ("50 %", 50.0)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(entered, value):
    guess = asked(unit="nats")
    guess.enter(entered)
    assert guess.value == value


@pytest.mark.parametrize("entered", ["many", "inf", "nan", "1e999", "1 2", "--3"])
def test_what_is_no_number_is_refused_and_the_guess_stays(entered):
    guess = asked(unit="nats")
    guess.value = 2.0
    with pytest.raises(MinirlhfError, match=r"such as 0\.7|lies outside"):
        guess.enter(entered)
    assert guess.value == 2.0


def test_what_can_t_come_out_is_refused():
    share = asked(unit="% of prompts")
    for impossible in ("-5%", "1e9%", "100.1"):
        with pytest.raises(MinirlhfError, match="between 0 and 100 % of prompts"):
            share.enter(impossible)
    share._handle_custom_msg({"do": "enter", "text": "-5"}, [])  # as the page asks
    assert share.value is None and "between 0 and 100" in share.problem
    share._handle_custom_msg({"do": "enter", "text": "5"}, [])
    assert share.value == 5.0 and share.problem == ""
    points = asked(unit="percentage points")
    points.enter("-30")
    assert points.value == -30.0
    with pytest.raises(MinirlhfError):
        points.enter("-130")
    loss = asked(unit="nats", low=0)
    with pytest.raises(MinirlhfError, match="between 0 and"):
        loss.value = -1.0
    for strange in ("60", True, [60.0]):
        with pytest.raises(MinirlhfError):
            share.value = strange


def test_a_choice_is_one_of_them():
    guess = asked(choices=["up", "down"])
    guess.value = "up"
    with pytest.raises(MinirlhfError, match="isn't one of up, down"):
        guess.value = "sideways"
    with pytest.raises(MinirlhfError, match="isn't one of"):
        guess.reveal("sideways")
    outcome = guess.reveal("down", "shipped run")
    assert outcome.picture == b""
    assert outcome.words == "Your guess: up. Result: down. (shipped run)"


def test_a_question_that_has_changed_forgets_its_guess():
    guess = Prediction("How often?", "test.changed", choices=["a", "b"])
    guess.value = "a"
    assert Prediction("How often?", "test.changed", choices=["c", "d"]).value is None


def test_the_result_stays_behind_its_button():
    """Also when every cell is run: the guess shows nothing of it, the outcome waits."""
    guess = asked(unit="%")
    outcome = guess.reveal(72.6)
    assert isinstance(outcome, Outcome) and outcome is not guess
    assert not outcome.revealed and "72.6" not in guess.words
    assert not any("result" in name for name in guess.keys)
    assert "72.6" not in str(guess.get_state())
    outcome.value = 60.0  # one may still guess where the result is
    assert guess.value == 60.0
    outcome.revealed = True
    assert guess.revealed and "72.6" not in str(guess.get_state())
    later = Prediction("How often?", guess.name, unit="%")  # both cells are run again
    assert later.revealed and later.reveal(72.6).revealed


def test_a_later_result_takes_the_place_of_an_earlier_one():
    guess = asked()
    first = guess.reveal(1.0)
    second = guess.reveal(2.0)
    assert first.comm is None and guess.outcome is second
    guess.value = 1.0
    assert second.value == 1.0 and first.value is None


def test_the_copy_shows_what_came_out_and_the_guess_if_there_is_one():
    guess = asked(unit="%")
    data, metadata = still.bundle(guess)
    assert data["text/plain"] == "How often? Guess before you read on."  # one line, no picture
    assert "image/png" not in data and metadata == {}
    outcome = guess.reveal(Interval(72.6, 70.0, 75.0, 9))
    alone = outcome.picture
    assert alone.startswith(b"\x89PNG")
    assert outcome.words == "Result: 72.6 [70.0, 75.0] %."
    guess.value = 60.0
    assert outcome.picture != alone
    assert outcome.words == "Your guess: 60 %. Result: 72.6 [70.0, 75.0] %."
    data, metadata = still.bundle(outcome)
    assert data["text/plain"] == metadata["image/png"]["alt"] == f"How often? {outcome.words}"


def test_a_curve_may_have_gaps():
    guess = asked(along=[1, 2, 3, 4], x="step", low=0, high=10)
    guess.value = [1.0, None, 3.0, None]
    outcome = guess.reveal([1.0, 2.0, 3.0, 9.0])
    assert outcome.picture.startswith(b"\x89PNG") and outcome._verdict == 1.0
    for wrong in ([1.0], [1.0, 2.0, 3.0, 11.0], 3.0):
        with pytest.raises(MinirlhfError):
            guess.value = wrong
    with pytest.raises(MinirlhfError, match="over 4 places"):
        guess.reveal([1.0])
    guess.value = [None] * 4
    assert guess.value is None


@pytest.mark.parametrize(
    ("unit", "result", "guess", "worth"),
    [
        ("%", 60.0, 65.0, 1.0), ("%", 60.0, 54.9, 0.5), ("%", 60.0, 44.0, 0.0),
        ("%", Interval(60.0, 50.0, 70.0, 9), 71.0, 1.0),
        ("percentage points", -3.2, -1.5, 1.0), ("percentage points", -3.2, 2.0, 0.0),
        ("percentage points", 0.1, -0.4, 1.0), ("nats", 10.0, 11.0, 1.0),
        ("nats", 10.0, 12.9, 0.5), ("nats", 10.0, 14.0, 0.0), ("nats", 10.0, None, None),
    ],
)  # fmt: skip
def test_what_a_guess_is_worth(unit, result, guess, worth):
    prediction = asked(unit=unit)
    prediction.value = guess
    assert prediction.reveal(result)._verdict == worth


def test_a_chapter_s_score_counts_what_has_been_revealed():
    first = Prediction("How often?", "scored.a", unit="%")
    second = Prediction("Which?", "scored.b", choices=["up", "down"])
    third = Prediction("How much?", "scored.c")
    other = Prediction("Elsewhere?", "elsewhere.a")
    score = PredictionScore("scored.")
    assert score.rows == [] and "once you reveal" in score.words and score.picture == b""
    outcomes = [first.reveal(60.0), second.reveal("up"), third.reveal(2.0), other.reveal(1.0)]
    assert score.waiting == 3 and score.rows == []
    first.value, second.value, other.value = 50.0, "up", 1.0
    for outcome in (outcomes[0], outcomes[1], outcomes[3]):
        outcome.revealed = True
    assert [row["worth"] for row in score.rows] == [0.5, 1.0] and score.points == 1.5
    assert score.waiting == 1 and score.words == "Your predictions: 1.5 of 2 points (2 guessed)"
    outcomes[2].revealed = True  # without a guess
    assert score.rows[-1] == {"question": "How much?", "guess": "", "result": "2", "worth": None}
    assert "1.5 of 3 points (2 guessed)" in score.words and score.waiting == 0
    score.close()


def test_the_axis_fits_the_question():
    """A share's spans all of it, others as far as the question says; what can't be is refused."""
    assert asked(unit="% of prompts")._reach == [0, 100]
    assert asked(unit="percentage points")._reach == [-20, 20]
    assert asked(unit="times", low=0)._reach == [0, 10] == asked()._reach
    assert asked(low=50)._reach == [50, 60] and asked(low=1, high=3)._reach == [1, 3]
    kl = asked(unit="nats", low=0, reach=(0, 2))
    kl.enter("7")  # it may lie beyond
    assert kl._reach == [0, 2] == kl.reveal(1.2)._reach
    for reach in ((2, 0), (-1, 2), (1, 1)):
        with pytest.raises(MinirlhfError, match="two ends, within 0 and 1e"):
            asked(low=0, reach=reach)
