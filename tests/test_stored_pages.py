"""A notebook with widgets reads well where no kernel runs: in a student's saved copy, as a page."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from course.build.execute import clean
from minirlhf.widgets import still

CELLS = {
    "answered": "from minirlhf.widgets import Prediction, RankingExplorer\n"
    "first = Prediction('How often?', 'a', unit='%')\nfirst.value = 40.0\nfirst",
    "unanswered": "second = Prediction('How much?', 'b')\nsecond",
    "outcome": "first.reveal(72.6)",
    "explorer": "RankingExplorer([0.4, 0.1, -0.2])",
}
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def saved():
    """As JupyterLab saves it: views, but none of the widgets' state."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c) for c in CELLS.values()]
    )
    NotebookClient(notebook, store_widget_state=False, timeout=240).execute()
    return dict(zip(CELLS, notebook.cells, strict=True)), notebook


def test_every_widget_has_one_copy(saved):
    cells, _ = saved
    for name, cell in cells.items():
        view, copy, after = (output.data for output in cell.outputs)
        assert VIEW in view and after["text/html"] == still.AFTER, name
        assert ("image/png" in copy) == (name in ("outcome", "explorer")), name


def test_a_guess_is_a_line_and_no_empty_picture(saved):
    cells, _ = saved
    for name, said in (("answered", "How often? Your guess: 40 %."), ("unanswered", "How much?")):
        copy = cells[name].outputs[1].data
        assert said in copy["text/plain"] and "image/png" not in copy
        assert copy["text/html"].startswith("<p")


def test_a_committed_chapter_keeps_the_copies_alone(saved):
    cells, _ = saved
    for cell in cells.values():
        kept = [output for raw in cell.outputs for output in clean(raw.copy())]
        assert [output.data for output in kept] == [cell.outputs[1].data]


def test_a_page_of_it_waits_for_no_kernel(saved):
    nbconvert = pytest.importorskip("nbconvert")
    _, notebook = saved
    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    body = page[page.index("<main>") :]
    assert "Loading widget" not in body and "model not found" not in body
    assert VIEW not in body
    assert len(re.findall(r"<img", body)) == 2 and body.count('class="minirlhf-still"') == 2
    assert body.count(still.AFTER) == len(CELLS)
