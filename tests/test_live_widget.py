"""What every widget on the new base promises, on a small one: state, errors, the copy, closing."""

import re

import pytest
import traitlets
from ipywidgets.widgets import widget

from minirlhf.errors import MinirlhfError
from minirlhf.lesson import languages
from minirlhf.report.charts import PALETTE
from minirlhf.report.design import design
from minirlhf.widgets import live_widget, still
from minirlhf.widgets.live_widget import PAGE, LiveWidget
from minirlhf.widgets.pictures import canvas


class Coin(LiveWidget):
    scripts = ("equations.js",)
    speaks = ("prediction",)
    source = ""
    heads = traitlets.Int(0).tag(sync=True)
    drawn = 0

    @property
    def words(self):
        return f"{self.heads} heads"

    def draw(self):
        self.drawn += 1
        figure, axes = canvas(1.0)
        axes.set_title(self.words)
        return figure

    def act_toss(self, times):
        if times < 0:
            raise MinirlhfError("A coin isn't tossed back.")
        self.heads += times


@pytest.fixture
def outputs(monkeypatch):
    """What is displayed, and what replaces it."""
    shown, updated = [], []

    class Handle:
        def update(self, data, **options):
            updated.append((data, options))

    def display(data, **options):
        shown.append((data, options))
        return Handle()

    for module in (live_widget, still):
        monkeypatch.setattr(module, "display", display)
    return shown, updated


def send(shown, **content):
    """A message as the page sends it."""
    shown._handle_custom_msg(content, [])


def test_the_copy_is_an_output_of_its_own_and_drawn_once_the_reader_rests(outputs):
    shown, updated = outputs
    coin = Coin()
    coin._ipython_display_()
    (view, _), (copy, options), (after, _) = shown
    assert after == {"text/html": still.AFTER}
    assert set(view) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert view["text/plain"] == ""  # where no widget shows, the copy says it, once
    assert set(copy) == {"image/png", "text/plain"} and copy["text/plain"] == "0 heads"
    assert options["metadata"]["image/png"]["alt"] == "0 heads" and coin.drawn == 1
    for heads in range(1, 6):
        coin.heads = heads
    assert coin.drawn == 1 and not updated  # while things move nothing is drawn
    send(coin, do="rest")
    assert coin.drawn == 2 and updated[-1][0]["text/plain"] == "5 heads"
    send(coin, do="rest")
    assert coin.drawn == 2  # nothing has changed
    coin.heads = 7
    still.settle()  # the end of a cell
    assert updated[-1][0]["text/plain"] == "7 heads" and coin.drawn == 3
    coin.heads = 8
    coin.close()
    still.settle()
    assert len(updated) == 2


def test_the_end_of_a_cell_draws_what_it_changed(tmp_path):
    """In a real shell, which tells no page."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    try:
        shell.user_ns["Coin"] = Coin
        with capture_output() as captured:
            shell.run_cell("coin = Coin()\ncoin")
            shell.run_cell("coin.heads = 3\ncoin.heads = 4")
        coin = shell.user_ns["coin"]
        assert coin.drawn == 2, captured.stdout
        with capture_output():
            shell.run_cell("1 + 1")
        assert coin.drawn == 2
        coin.close()
    finally:
        shell.events.unregister("post_run_cell", still.settle)
        still._shells.discard(shell)
        InteractiveShell.clear_instance()


def test_where_words_are_enough_the_copy_is_a_line_of_text(outputs):
    class Word(Coin):
        scripts = ()

        def draw(self):
            return None

        @property
        def words(self):
            return "<b>no guess</b>"

    Word()._ipython_display_()
    data, options = outputs[0][1]
    assert data["text/plain"] == "<b>no guess</b>" and options["metadata"] == {}
    assert "&lt;b&gt;no guess" in data["text/html"] and "<b>" not in data["text/html"]


def test_what_the_page_asks_for_wrongly_is_answered_in_a_sentence():
    coin = Coin()
    send(coin, do="toss", times=3)
    assert coin.heads == 3 and coin.problem == ""
    send(coin, do="toss", times=-1)
    assert coin.problem == "A coin isn't tossed back." and coin.heads == 3
    send(coin, do="toss")
    assert coin.problem.startswith("TypeError: ")
    send(coin, do="toss", times=1)
    assert coin.problem == "" and coin.heads == 4
    for strange in ({}, {"do": "nothing"}, {"do": None, "x": 1}, {"kind": "anywidget-command"}):
        send(coin, **strange)
    coin._handle_custom_msg("rest", [])
    assert coin.heads == 4


def test_words_come_in_the_chosen_language():
    english = Coin()._labels
    with languages.speaking("zh"):
        chinese = Coin()._labels
    assert english["prediction.label"] == "Your guess" and chinese["prediction.label"] == "你的预测"
    assert set(english) == set(chinese) and all(key.startswith("prediction.") for key in english)


def test_closing_leaves_nothing_behind():
    def alive():
        return len(getattr(widget, "_instances", None) or widget.Widget.widgets)

    before = alive()
    coins = [Coin() for _ in range(5)]
    assert alive() > before
    for coin in coins:
        coin.close()
        coin.close()
    assert alive() == before


def test_page_code_is_short_and_fetches_nothing():
    """The three steps alone take markup: the report's, whose template escapes every text."""
    files = [*PAGE.glob("*.js"), *PAGE.glob("*.css")]
    assert {"common.js", "equations.js", "widgets.css"} <= {path.name for path in files}
    for path in files:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 300, path
        assert max(map(len, text.splitlines())) <= 110, path
        for asks in ("fetch(", "import(", "XMLHttpRequest", "@import"):
            assert asks not in text, f"{path} has {asks}"
        assert "innerHTML" not in text or path.name == "three_steps.js", path
        assert not re.search(r"url\((?!#)", text), path  # but for what the page itself holds
        assert not re.search(r"https?://(?!www\.w3\.org)", text), path
        if path.suffix == ".css":
            assert not re.search(r"#[0-9a-f]{3,8}\b", text), f"{path}: colours are variables"


def test_what_a_page_s_code_says_is_in_the_labels():
    for path in PAGE.glob("*.js"):
        for key in re.findall(r"\bsay\(\"([\w.]+)\"", path.read_text("utf-8")):
            assert key in live_widget.say, f"{path} says {key}"


# ---------------------------------------------------------------------------------------- the look


def colors() -> dict[str, tuple[str, str]]:
    """Of the style sheet's variables, what they are by day and by night."""
    pairs = r"--mr-([\w-]+):[^;]*light-dark\((#\w{6}), (#\w{6})\)"
    return {name: (day, night) for name, day, night in re.findall(pairs, design())}


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""

    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


GROUNDS = ("page", "card", "wash", "tint")
ON = {
    **dict.fromkeys(("ink", "muted", "accent"), GROUNDS),
    "on-accent": ("accent",),
    "good": ("good-ground", "card", "page"),
    "bad": ("bad-ground", "card", "page"),
}
MARKS = ("edge", "plus", "minus", "guess")


@pytest.mark.parametrize("half", [0, 1], ids=["day", "night"])
def test_everything_stands_out_from_its_ground(half):
    known = colors()
    for ink, grounds in ON.items():
        for ground in grounds:
            assert contrast(known[ink][half], known[ground][half]) >= 4.5, (ink, ground)
    for mark in MARKS:
        for ground in ("page", "card", "wash"):
            assert contrast(known[mark][half], known[ground][half]) >= 3, (mark, ground)


def test_models_have_the_colours_of_every_picture():
    assert dict(re.findall(r"--mr-([\w-]+): (#\w{6});", design())) == PALETTE


def test_the_design_touches_nothing_of_someone_else_s_page():
    bare = re.sub(r"/\*.*?\*/|@media[^{]*\{", "", design(), flags=re.DOTALL)
    for rule in re.findall(r"([^{}]+)\{", bare):
        for selector in re.sub(r"\([^)]*\)", "", rule).split(","):
            assert ".mr" in selector, selector
