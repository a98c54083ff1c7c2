"""The token lens in JupyterLab, by mouse and by keyboard alone."""

import pytest
from browser_cells import SETUP
from browser_lab import opened_and_run

LENS = (
    'lens = TokenLens(models=models, prompt="say red dog\\n", '
    "config=PPOConfig(beta=0.15, max_response=16))\nlens"
)


@pytest.fixture(scope="module")
def opened(lab, browser):
    with opened_and_run(lab, browser, "lens", [SETUP, LENS]) as notebook:
        notebook.shown = 1
        notebook.until(lambda: tokens(notebook).count() > 2, "tokens", 30)
        yield notebook


@pytest.fixture
def notebook(opened):
    opened.page.evaluate("() => document.activeElement?.blur()")
    opened.ask("[setattr(lens, 'step', 'sampling'), setattr(lens, 'token', 1)]")
    opened.board.scroll_into_view_if_needed()
    return opened


def tokens(notebook):
    return notebook.board.locator("[role=option]")


def tile(notebook, name):
    return notebook.board.locator("[role=radio]", has_text=name).locator("b")


def minus(text):
    return text.replace("-", "−")


def test_hovering_reads_a_token_and_a_click_keeps_it(notebook):
    tokens(notebook).nth(2).hover()
    for name, number in (("reward R", "lens.trace.rewards[2]"), ("value V", "lens.trace.values[2]"),
                         ("advantage A", "lens.trace.gae.advantages[2]")):  # fmt: skip
        assert tile(notebook, name).inner_text() == minus(notebook.ask(f"f'{{{number}:+.3f}}'"))
    chance = notebook.ask("f'{100 * 2.718281828 ** lens.trace.logprobs[2]:.1f}%'")
    assert chance in notebook.board.inner_text()
    assert notebook.ask("lens.token") == 1  # it was only looked at
    tokens(notebook).nth(2).click()
    notebook.until(lambda: notebook.ask("lens.token") == 3, "the chosen token", 20)
    assert tokens(notebook).nth(2).get_attribute("aria-selected") == "true"
    assert notebook.ask("lens.equation('sampling')[2]").split("=")[1].strip() in (
        notebook.board.inner_text()
    )


def test_arrow_keys_walk_and_the_notebook_keeps_still(notebook):
    cells = notebook.page.locator(".jp-Cell").count()
    tokens(notebook).nth(0).focus()
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowLeft"):
        notebook.page.keyboard.press(key)
    last = notebook.ask("len(lens.trace.tokens)")
    notebook.until(lambda: notebook.ask("lens.token") == last - 1, "the last but one", 20)
    for key in ("b", "a", "Escape", "d", "d"):
        notebook.page.keyboard.press(key)
    assert notebook.page.locator(".jp-Cell").count() == cells


def test_steps_and_colours_by_keyboard(notebook):
    notebook.board.locator("[role=tab]").nth(0).focus()
    notebook.page.keyboard.press("ArrowRight")
    notebook.until(lambda: notebook.ask("lens.step") == "reward", "the second step", 20)
    assert notebook.ask("lens.color") == "reward"
    assert notebook.ask("lens.equation('reward')[0]").split("^")[0] in notebook.board.inner_text()
    notebook.board.locator("[role=radio][tabindex='0']").focus()
    notebook.page.keyboard.press("End")
    notebook.until(lambda: notebook.ask("lens.color") == "advantage", "another colour", 20)
    said = minus(notebook.ask("f'{lens.trace.gae.advantages[0]:+.2f}'"))
    assert said in tokens(notebook).nth(0).inner_text()


def bars(notebook) -> int:
    """How many advantages are to be seen."""
    shown = notebook.board.locator(".mr-lens-plus, .mr-lens-minus").locator("visible=true")
    return shown.evaluate_all("bars => bars.filter((bar) => bar.tagName === 'rect'"
                              " && bar.getAttribute('opacity') !== '0').length")  # fmt: skip


def test_the_recursion_runs_from_right_to_left(notebook):
    notebook.board.locator("[role=tab]", has_text="3 GAE").click()
    count = notebook.ask("len(lens.trace.tokens)")
    notebook.until(lambda: bars(notebook) == count, "all advantages")
    notebook.button("Run from right").click()
    notebook.until(lambda: notebook.button("Pause").is_visible(), "it runs")
    seen = bars(notebook)
    assert seen < count
    notebook.until(lambda: seen < bars(notebook) < count, "one more has come", 30)
    notebook.button("Pause").click()
    at = bars(notebook)
    notebook.until(lambda: notebook.ask("lens.token") == count - at + 1, "it stands there", 20)
    notebook.button("One token").click()
    notebook.until(lambda: bars(notebook) == at + 1, "one to the left", 20)
    assert notebook.ask("lens.equation('gae')[1]").split(" = ")[-1] in notebook.board.inner_text()
    notebook.button("Show all").click()
    assert bars(notebook) == count


def test_the_ratio_is_dragged_along_the_curve(notebook):
    notebook.board.locator("[role=tab]", has_text="4 Clipped").click()
    handle = notebook.board.locator(".mr-lens-handle")
    notebook.until(lambda: handle.is_visible(), "the curve")
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = notebook.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 200, y + 30, steps=8)
    shown = notebook.board.locator(".mr-lens-is-loss").inner_text()
    mouse.up()
    notebook.until(lambda: notebook.ask("lens.ratio") > 1.15, "the ratio", 20)
    assert shown == minus(notebook.ask("f'{lens.trace.loss(0, lens.ratio):+.3f}'"))
    handle.focus()
    notebook.page.keyboard.press("Home")
    notebook.until(lambda: notebook.ask("lens.ratio") == 0.5, "the lowest ratio", 20)
    assert handle.get_attribute("role") == "slider"
    assert "ratio 0.50, loss" in handle.get_attribute("aria-valuetext")


def test_another_response_is_sampled(notebook):
    notebook.board.locator("textarea").fill("größer 漢字 zxqv")
    notebook.button("Sample a response").click()
    notebook.until(
        lambda: notebook.ask("lens.trace.prompt") == "größer 漢字 zxqv\n", "the response", 30
    )
    notebook.until(lambda: tokens(notebook).count() == notebook.ask("len(lens.trace.tokens)"), "it")
    notebook.board.locator("textarea").fill("so long " * 60)
    notebook.button("Sample a response").click()
    notebook.until(lambda: notebook.board.locator("[role=alert]").is_visible(), "a sentence", 20)
    assert "shorten it" in notebook.board.locator("[role=alert]").inner_text()
    assert notebook.button("Sample a response").is_enabled()
