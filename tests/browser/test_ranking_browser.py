"""The ranking explorer in JupyterLab, by mouse and by keyboard alone."""

import pytest
from browser_lab import opened_and_run

CELLS = [
    "from minirlhf.widgets import RankingExplorer\n"
    "explorer = RankingExplorer([0.8, 1.2, -0.4, -1.0])\nexplorer",
    "other = RankingExplorer([0.0, 0.0, 0.0], completions=['one', 'two', 'three'])\nother",
    "explorer",
]


@pytest.fixture(scope="module")
def opened(lab, browser):
    with opened_and_run(lab, browser, "explorer", CELLS) as notebook:
        notebook.shown = 0
        notebook.until(lambda: notebook.board.locator(".rank-dot").count() == 4, "four dots", 30)
        yield notebook


@pytest.fixture
def notebook(opened):
    opened.page.evaluate("() => document.activeElement?.blur()")
    opened.ask("setattr(explorer, 'scores', [0.8, 1.2, -0.4, -1.0])")
    opened.ask("setattr(explorer, 'ranks', [1, 2, 3, 4])")
    opened.board.scroll_into_view_if_needed()
    return opened


def dot(notebook, k):
    return notebook.board.locator(".rank-dot").nth(k)


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_dot_is_dragged(notebook):
    x, y = middle(dot(notebook, 1))
    mouse = notebook.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x - 90, y, steps=9)
    shown = notebook.board.locator(".rank-loss").inner_text()
    mouse.up()  # the page had answered before
    loss = "f'{float(explorer.compute()[0].loss):.3f}'"
    notebook.until(lambda: notebook.ask(loss) == shown, "the scores in the kernel", 20)
    assert notebook.ask("explorer.scores[1]") < 0.5
    assert notebook.ask("explorer.scores[0]") == 0.8
    again = notebook.page.locator(".jp-Cell").nth(2).locator(".rank-loss")  # the same in two places
    assert again.inner_text() == shown
    assert notebook.ask("other.scores") == [0.0, 0.0, 0.0]  # another one is left alone


def test_keys_move_a_dot_and_the_notebook_keeps_still(notebook):
    cells = notebook.page.locator(".jp-Cell").count()
    dot(notebook, 0).focus()
    for key in ["ArrowRight"] * 4:
        notebook.page.keyboard.press(key)
    notebook.until(lambda: round(notebook.ask("explorer.scores[0]"), 6) == 1.2, "four steps", 20)
    assert dot(notebook, 0).get_attribute("role") == "slider"
    assert float(dot(notebook, 0).get_attribute("aria-valuenow")) == pytest.approx(1.2)
    assert "+1.20, rank 1" in dot(notebook, 0).get_attribute("aria-valuetext")
    notebook.page.keyboard.press("End")
    notebook.until(lambda: notebook.ask("explorer.scores[0]") == 4.0, "the end", 20)
    for key in ("b", "d", "d", "a", "ArrowDown", "Enter", "x", "1"):
        notebook.page.keyboard.press(key)
    notebook.until(lambda: notebook.ask("explorer.scores[0]") == 3.9, "one down", 20)
    assert notebook.page.locator(".jp-Cell").count() == cells


def test_a_rank_is_chosen(notebook):
    notebook.board.locator("select").nth(3).select_option("1")
    notebook.until(lambda: notebook.ask("explorer.ranks") == [1, 2, 3, 1], "the rank", 20)
    gradient = notebook.ask("f'{explorer.compute()[1][3]:+.3f}'").replace("-", "−")
    assert gradient in notebook.board.inner_text()


def test_gradient_steps_again_and_again(notebook):
    losses = [notebook.ask("float(explorer.compute()[0].loss)")]
    step = notebook.board.get_by_role("button", name="Take one gradient step")
    step.click()
    notebook.until(lambda: len(notebook.ask("explorer.losses")) == 2, "a step", 20)
    step.focus()
    for _ in range(4):
        notebook.page.keyboard.press("Enter")
    notebook.until(lambda: len(notebook.ask("explorer.losses")) == 6, "four more", 20)
    losses = notebook.ask("explorer.losses")
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(notebook.ask("float(explorer.compute()[0].loss)"), abs=1e-5)
    # Python goes the same way
    expression = "[RankingExplorer([0.8, 1.2, -0.4, -1.0])] and __import__('functools').reduce(" + (
        "lambda e, _: e.step(), range(5), RankingExplorer([0.8, 1.2, -0.4, -1.0])).scores"
    )
    assert notebook.ask("explorer.scores") == pytest.approx(notebook.ask(expression), abs=1e-5)
    notebook.board.get_by_role("button", name="Start over").click()
    notebook.until(lambda: notebook.ask("explorer.scores[1]") == 1.2, "the beginning", 20)


def test_a_pair_lights_both_replies(notebook):
    pair = notebook.board.get_by_role("button", name="y1 over y2")
    pair.hover()
    lit = notebook.board.locator(".rank-lane.rank-lit")
    notebook.until(lambda: lit.count() == 2, "two lanes", 5)
    assert "y1 over y2: Δ = −0.40, σ(Δ) = 0.40, loss 0.91" in notebook.board.inner_text()
    notebook.page.mouse.move(5, 5)
    pair.focus()
    notebook.page.keyboard.press("ArrowRight")  # to the next pair
    notebook.until(lambda: "y1 over y3" in notebook.board.inner_text(), "its sentence", 5)


def test_the_copy_follows_once_the_reader_rests(notebook):
    dot(notebook, 2).focus()
    notebook.page.keyboard.press("ArrowLeft")
    words = notebook.ask("explorer.words")
    notebook.until(lambda: round(notebook.ask("explorer.scores[2]"), 6) == -0.5, "the score", 20)
    notebook.page.wait_for_timeout(2500)
    words = notebook.ask("explorer.words")
    stills = [one for one in notebook.outputs() if "image/png" in one.get("data", {})]
    assert stills[2].data["text/plain"] == words  # where it was shown last
    assert notebook.page.locator(".jp-RenderedImage img:visible").count() == 0
