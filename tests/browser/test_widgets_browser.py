"""Every other widget in a browser, with mouse and keyboard: value and picture answer."""

import nbformat
import pytest
from browser_cells import AT, CELLS
from browser_lab import Notebook

from minirlhf.data.records import read_jsonl


@pytest.fixture(scope="module")
def opened(lab, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    notebook = Notebook(lab, context.new_page(), "widgets", list(CELLS.values()))
    notebook.run_all()
    yield notebook
    context.close()


@pytest.fixture
def notebook(opened, request):
    opened.shown = AT[request.node.get_closest_marker("cell").args[0]]
    opened.board.scroll_into_view_if_needed()
    return opened


def answers(notebook, act, expression, wanted):
    """After ``act`` the kernel's value is ``wanted`` and the page shows another picture."""
    before = notebook.picture()
    act()
    check = wanted if callable(wanted) else lambda value: value == wanted
    notebook.until(lambda: check(notebook.ask(expression)), f"{expression}: {wanted}", 20)
    notebook.until(lambda: notebook.picture() != before, "another picture", 20)


@pytest.mark.cell("lens")
def test_lens(notebook):
    for step in ("reward", "gae", "loss"):
        words = notebook.ask(
            f"__import__('minirlhf.widgets.base').widgets.base.say('lens.steps.{step}')"
        )
        answers(notebook, notebook.button(words).click, "lens.step.value", step)
    answers(
        notebook,
        lambda: notebook.press("Token", "ArrowRight", "ArrowRight"),
        "lens.token.value",
        3,
    )
    answers(
        notebook,
        lambda: notebook.press("Ratio", *["ArrowRight"] * 30),
        "round(lens.ratio.value, 2)",
        1.3,
    )
    expected = notebook.ask("f'{lens.trace.loss(2, 1.3):+.3f}'")
    assert expected in notebook.board.inner_text()
    box = notebook.board.locator("textarea")
    box.fill("größer 漢字 zxqv")
    answers(
        notebook,
        notebook.button("Sample a response").click,
        "lens.trace.prompt",
        "größer 漢字 zxqv\n",
    )


@pytest.mark.cell("labeling")
def test_labeling(notebook, folder):
    assert notebook.button("Save").is_disabled()
    for k, rank in enumerate([1, 1, 3, 6, 5, 4]):
        group = notebook.board.locator(".widget-toggle-buttons").nth(k)
        group.locator("button", has_text=str(rank)).click()
    notebook.until(lambda: notebook.button("Save").is_enabled(), "all are ranked")
    answers(
        notebook,
        lambda: (notebook.button("Save").focus(), notebook.page.keyboard.press("Enter")),
        "labels.compare() is not None",
        True,
    )
    (line,) = read_jsonl(folder / "mine.jsonl", "rankings")
    assert line["ranks"] == [1, 1, 2, 5, 4, 3]
    loss = notebook.ask("f'{labels.compare().loss:.3f}'")
    assert loss in notebook.board.inner_text()


@pytest.mark.cell("playground")
def test_playground(notebook):
    notebook.board.locator("textarea").fill("zxqv 漢字: what is this?")
    notebook.press("Best of n", *["ArrowRight"] * 3)
    notebook.until(lambda: notebook.ask("play.n.value") == 4, "n is 4")
    answers(notebook, notebook.button("Ask all models").click, "len(play.replies)", 2)
    best = notebook.ask("[f'{max(reply.scores):+.2f}' for reply in play.replies.values()]")
    shown = notebook.board.inner_text()
    assert all(score in shown for score in best) and "best of 4" in shown
    notebook.board.locator("textarea").fill("so long " * 60)
    notebook.button("Ask all models").click()
    notebook.until(lambda: "shorten it" in notebook.board.inner_text(), "the sentence")


@pytest.mark.cell("frontier")
def test_frontier(notebook):
    notebook.press("β", "Home")
    answers(
        notebook,
        lambda: notebook.press("β", "ArrowRight", "ArrowRight"),
        "frontier.chosen.beta",
        0.1,
    )
    notebook.until(lambda: "Samples at β = 0.1" in notebook.board.inner_text(), "its texts")


@pytest.mark.cell("ranking")
def test_saved_notebook_still_shows_the_pictures(notebook, lab, browser):
    """Each picture is an output of its own with its words; alive, the page shows but one."""
    outputs = notebook.outputs()
    stills = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(stills) == len(CELLS) - 1
    for still in stills:
        assert set(still.data) == {"image/png", "text/plain"}
        assert still.metadata["image/png"]["alt"] == still.data["text/plain"]
    said = stills[-1].data["text/plain"]  # the latest guess; a result stands where it is revealed
    assert "guess: 60" in said and "72.6" not in said
    nbformat.validate(nbformat.read(notebook.path, as_version=4))
    assert notebook.page.locator(".jp-RenderedImage img:visible").count() == 0
    copy = lab.folder / "copy.ipynb"
    saved = nbformat.read(notebook.path, as_version=4)
    saved.metadata.pop("widgets", None)
    saved.metadata["kernelspec"] = {"name": "none", "display_name": "none"}
    nbformat.write(saved, copy)
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    page.goto(f"{lab.url}/lab/tree/{copy.name}?reset")
    page.wait_for_function("() => document.querySelectorAll('.jp-RenderedImage img').length > 5")
    assert page.locator(".jp-RenderedImage img:visible").count() == len(CELLS) - 1
    context.close()
