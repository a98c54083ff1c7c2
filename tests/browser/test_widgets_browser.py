"""Every other widget in a browser, with mouse and keyboard: value and picture answer."""

import nbformat
import pytest
from browser_cells import AT, CELLS
from browser_lab import opened_and_run

from minirlhf.data.records import read_jsonl


@pytest.fixture(scope="module")
def opened(lab, browser):
    with opened_and_run(lab, browser, "widgets", list(CELLS.values())) as notebook:
        yield notebook


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


@pytest.mark.cell("labeling")
def test_labeling(notebook, folder):
    """Digits and Enter are the desk's here, not the notebook's."""
    kinds = notebook.ask("len(In)")
    assert notebook.button("Save").is_disabled()
    notebook.board.locator(".mr-label-card").first.focus()
    for rank in (1, 1, 3, 6, 5, 4):
        notebook.page.keyboard.press(str(rank))
    notebook.until(lambda: notebook.ask("labels.ranks") == [1, 1, 3, 6, 5, 4], "all are ranked")
    notebook.page.keyboard.press("Enter")
    notebook.until(lambda: notebook.ask("labels.compare() is not None"), "it is saved")
    (line,) = read_jsonl(folder / "mine.jsonl", "rankings")
    assert line["ranks"] == [1, 1, 3, 6, 5, 4]
    loss = notebook.ask("f'{labels.compare().loss:.3f}'")
    notebook.until(lambda: loss in notebook.board.inner_text(), "what the others say")
    assert notebook.ask("len(In)") == kinds  # no cell was run, and none became a heading
    assert notebook.page.locator(".jp-MarkdownCell").count() == 0


@pytest.mark.cell("ranking")
def test_saved_notebook_still_shows_the_pictures(notebook, lab, browser):
    """Each picture is an output of its own with its words; alive, the page shows but one."""
    outputs = notebook.outputs()
    copies = [
        output for output in outputs
        if "image/png" in output.get("data", {})
        or "minirlhf-still" in output.get("data", {}).get("text/html", "")
    ]  # fmt: skip
    assert len(copies) == len(CELLS) - 1
    stills = [copy for copy in copies if "image/png" in copy.data]
    for still in stills:
        assert set(still.data) == {"image/png", "text/plain"}
        assert still.metadata["image/png"]["alt"] == still.data["text/plain"]
    asked, guessed = (copy.data["text/plain"] for copy in copies if copy not in stills)
    assert "Nothing has been asked" in asked and "Guess before you read on" in guessed
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
    page.wait_for_function("() => document.querySelectorAll('.jp-RenderedImage img').length > 3")
    assert page.locator(".jp-RenderedImage img:visible").count() == len(stills) == 4
    context.close()
