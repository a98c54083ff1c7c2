"""The frontier in JupyterLab, by mouse and by keyboard alone."""

import pytest
from browser_lab import opened_and_run

CELLS = [
    """from minirlhf import shipped
from minirlhf.widgets import Frontier, Point
frontier = Frontier([shipped.run(name) for name in ("beta-0", "beta-0.2", "beta-1")])
frontier""",
    "plain = Frontier([Point(beta=b, kl=1 / b, proxy=1 - b) for b in (0.1, 0.5)])\nplain",
]


@pytest.fixture(scope="module")
def opened(lab, browser):
    with opened_and_run(lab, browser, "frontier", CELLS, height=1600) as notebook:
        yield notebook


@pytest.fixture
def notebook(opened):
    opened.shown = 0
    opened.page.evaluate("() => document.activeElement?.blur()")
    opened.ask("[setattr(frontier, 'choice', 0), setattr(frontier, 'moment', -1)]")
    opened.until(lambda: "β = 0" in words(opened), "the first run", 20)
    opened.board.scroll_into_view_if_needed()
    return opened


def words(notebook) -> str:
    return notebook.board.locator(".mr-frontier-words").inner_text()


def replies(notebook) -> list[str]:
    return notebook.board.locator("article .mr-reply").all_inner_texts()


def told(notebook) -> bool:
    """Whether the page shows the texts that Python has, whole."""
    shown = "\n".join(replies(notebook))
    pieces = notebook.ask("[piece.strip() for r in frontier.replies for piece, _ in r['pieces']]")
    return all(line in shown for piece in pieces for line in piece.split("\n"))


def test_a_point_opens_its_replies(notebook):
    ends = notebook.board.locator(".mr-frontier-plot").nth(1).locator(".mr-frontier-end")
    ends.nth(2).locator("circle").last.click()
    notebook.until(lambda: notebook.ask("frontier.choice") == 2, "the run", 20)
    notebook.until(lambda: told(notebook), "its replies", 20)
    beta = notebook.ask("f'β = {frontier.chosen.beta:g}'")
    assert beta in words(notebook) and "Judge" in words(notebook)
    kl = notebook.ask("f'{frontier.chosen.kl:.2f}'")
    assert f"KL {kl} nats" in words(notebook)


def test_what_the_judge_objects_to_is_underlined(notebook):
    marked = notebook.ask(
        "[p for both in zip(frontier.beside, frontier.replies)"
        " for r in both for p, names in r['pieces'] if names]"
    )
    assert marked  # the largest β's beside the smallest's: there is something to object to
    notebook.until(
        lambda: notebook.board.locator(".mr-objected").all_inner_texts() == marked, "the lines", 20
    )
    line = "e => getComputedStyle(e).textDecorationLine"
    assert notebook.board.locator(".mr-objected").first.evaluate(line) == "underline"


def test_runs_and_training_by_keyboard(notebook):
    notebook.board.locator("[role=radio][tabindex='0']").focus()
    notebook.page.keyboard.press("ArrowRight")
    notebook.until(lambda: notebook.ask("frontier.choice") == 1, "the next run", 20)
    notebook.board.locator("input[type=range]").focus()
    for key in ("Home", "ArrowRight"):
        notebook.page.keyboard.press(key)
    notebook.until(lambda: notebook.ask("frontier.moment") == 1, "the second iteration", 20)
    notebook.until(lambda: told(notebook), "its replies", 20)
    assert "iteration 2 of 128" in notebook.board.locator("input").get_attribute("aria-valuetext")


def test_the_ring_is_dragged_along_the_way(notebook):
    ring = notebook.board.locator(".mr-frontier-ring").first
    way = notebook.board.locator(".mr-frontier-way").first
    box, whole = ring.bounding_box(), way.bounding_box()
    mouse = notebook.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(whole["x"], whole["y"] + whole["height"], steps=12)  # where training began
    mouse.up()
    notebook.until(lambda: 0 <= notebook.ask("frontier.moment") < 20, "an early iteration", 20)
    notebook.until(lambda: told(notebook), "its replies", 20)


def test_both_ways_are_drawn_from_their_start_where_there_are_any(notebook):
    for name in ("way", "line"):
        assert notebook.board.locator(f".mr-frontier-{name}").count() == 2
    assert notebook.board.locator(".mr-frontier-from").count() == 2
    notebook.shown = 1
    assert notebook.board.locator(".mr-frontier-plot").count() == 1
    assert not notebook.board.locator("article, input").locator("visible=true").count()
    notebook.board.locator("[role=radio]").nth(1).click()
    notebook.until(lambda: notebook.ask("plain.choice") == 1, "the run", 20)
