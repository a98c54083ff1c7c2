"""Predictions in JupyterLab: guessed by mouse and keyboard, hidden until asked for, shown once."""

import pytest
from browser_lab import Notebook

CELLS = [
    "from minirlhf.widgets import Prediction, PredictionScore\n"
    "share = Prediction('How often will it win?', 'b.share', unit='% of prompts')\nshare",
    "which = Prediction('Which is it?', 'b.which', choices=('up', 'down', 'neither'))\nwhich",
    "line = Prediction('How does it go?', 'b.line', along=range(11), x='step')\nline",
    "share.reveal(72.6)",
    "which.reveal('down')",
    "line.reveal([x ** 0.5 for x in range(11)], 'shipped run')",
    "score = PredictionScore('b.')\nscore",
]


@pytest.fixture
def notebook(lab, browser, request):
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    name = request.node.name.replace("test_", "guess_")
    opened = Notebook(lab, context.new_page(), name, CELLS)
    opened.run_all()
    opened.shown = 6
    opened.until(lambda: opened.board.count() == 1, "the score", 30)
    opened.shown = 0
    yield opened
    context.close()


def at(notebook, cell):
    return notebook.page.locator(".jp-Cell").nth(cell).locator(".minirlhf").last


def test_after_run_all_nothing_is_given_away(notebook):
    """Neither by the widgets nor by their copies; revealed, a result shows once."""
    shown = notebook.page.locator(".jp-Notebook")
    assert notebook.page.get_by_role("button", name="Reveal the result").count() == 3
    outputs = notebook.page.locator(".jp-OutputArea-output:visible")
    assert "72.6" not in " ".join(outputs.all_inner_texts())
    assert notebook.page.locator(".jp-RenderedImage img:visible").count() == 0
    at(notebook, 3).get_by_role("button", name="Reveal the result").click()
    notebook.until(lambda: "72.6" in at(notebook, 3).inner_text(), "the result", 10)
    assert "72.6" not in at(notebook, 0).inner_text()
    assert notebook.ask("share.revealed") and not notebook.ask("which.revealed")
    notebook.until(lambda: "0 of 1 points" in at(notebook, 6).inner_text(), "the score", 10)
    assert shown.count() == 1


def test_by_mouse(notebook):
    bar = at(notebook, 0).locator(".guess-track")
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    mouse = notebook.page.mouse
    mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 8)
    mouse.down()
    mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 8, steps=8)
    assert at(notebook, 0).locator("input").input_value() == "70"
    mouse.up()
    notebook.until(lambda: notebook.ask("share.value") == 70.0, "the guess", 20)
    at(notebook, 1).get_by_role("radio", name="down").click()
    notebook.until(lambda: notebook.ask("which.value") == "down", "the choice", 20)
    plot = at(notebook, 2).locator(".guess-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    mouse.move(box["x"] + 60, box["y"] + 170)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 20, box["y"] + 60, steps=5)  # a quick hand: no gaps
    mouse.up()
    drawn = "(line.value or [None])"
    notebook.until(lambda: None not in notebook.ask(drawn), "the curve", 20)
    curve = notebook.ask(drawn)
    assert len(curve) == 11 and curve == sorted(curve)
    for cell in (3, 4, 5):
        at(notebook, cell).get_by_role("button", name="Reveal the result").click()
    notebook.until(lambda: "Very close" in at(notebook, 3).inner_text(), "the verdict", 10)
    notebook.until(lambda: "3 guessed" in at(notebook, 6).inner_text(), "the score", 10)
    assert notebook.ask("score.points") >= 2
    assert not at(notebook, 0).locator(".guess-track").is_visible()  # the result is out
    assert "your guess stays: 70 % of prompts" in at(notebook, 0).inner_text()


def test_by_keyboard_alone(notebook):
    keys = notebook.page.keyboard
    at(notebook, 0).get_by_role("slider").focus()
    for key in ["PageUp"] * 6 + ["ArrowRight"] * 2 + ["ArrowLeft"]:
        keys.press(key)
    notebook.until(lambda: notebook.ask("share.value") == 61.0, "the guess", 20)
    words = at(notebook, 0).get_by_role("slider").get_attribute("aria-valuetext")
    assert words == "61 % of prompts"
    entry = at(notebook, 0).locator("input")
    for typed, said in (("-5%", "between 0 and 100"), ("1e9%", "between 0 and 100"),
                        ("lots", "Type a number")):  # fmt: skip
        entry.focus()
        keys.press("Control+A")
        keys.type(typed)
        keys.press("Enter")
        alert = at(notebook, 0).locator(".mr-problem")
        notebook.until(lambda a=alert, said=said: said in a.inner_text(), said, 20)
        assert notebook.ask("share.value") == 61.0
    entry.focus()
    keys.press("Control+A")
    keys.type("62,5 %")
    keys.press("Enter")
    notebook.until(lambda: notebook.ask("share.value") == 62.5, "the number typed", 20)
    assert not at(notebook, 0).get_by_role("alert").is_visible()
    at(notebook, 1).get_by_role("radio").first.focus()
    keys.press("ArrowRight")
    notebook.until(lambda: notebook.ask("which.value") == "down", "the choice", 20)
    at(notebook, 2).get_by_role("slider").focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", "PageUp"):
        keys.press(key)
    notebook.until(lambda: notebook.ask("line.value[:3]") == [0.4, 2.4, None], "two points", 20)
    at(notebook, 3).get_by_role("button", name="Reveal the result").focus()
    keys.press("Space")
    notebook.until(lambda: notebook.ask("share.revealed"), "the result", 20)
    assert "72.6" in at(notebook, 3).inner_text()


def test_what_a_saved_page_shows(notebook):
    """No empty picture of a guess: a line; the outcome's own figure."""
    notebook.ask("share.enter('60')")
    notebook.page.wait_for_timeout(2500)
    outputs = notebook.outputs()
    view = "application/vnd.jupyter.widget-view+json"
    copies = [one for one in outputs if view not in one.data and "text/plain" in one.data]
    assert len(copies) == len(CELLS)
    pictures = ["image/png" in one.data for one in copies]
    assert pictures == [False, False, False, True, False, True, False]
    said = [one.data["text/plain"] for one in copies]
    assert said[0] == "How often will it win? Your guess: 60 % of prompts."
    assert said[1] == "Which is it? Guess before you read on."
    assert "Your guess: 60" in said[3] and "72.6" in said[3]
    assert said[4] == "Which is it? Result: down. (live)"


def test_opened_again_nothing_speaks_of_widgets_that_are_gone(notebook, lab, browser):
    """With a kernel that knows nothing of them."""
    notebook.outputs()
    again = Notebook(lab, notebook.page, "again", [])
    again.path.write_text(notebook.path.read_text("utf-8"), "utf-8")
    again.open()
    again.until(lambda: again.page.locator(".jupyter-widgets").count() >= 7, "lost widgets", 30)
    again.page.wait_for_timeout(1000)
    shown = again.page.inner_text(".jp-Notebook")
    assert "Loading widget" not in shown and "not found" not in shown
    assert "Guess before you read on." in shown
    assert again.page.locator(".jp-RenderedImage img:visible").count() == 2
