"""The playground in JupyterLab, by mouse and by keyboard alone."""

from itertools import pairwise

import pytest
from browser_cells import SETUP
from browser_lab import opened_and_run

PLAY = (
    "play = Playground({'sft': (reference, tokenizer), 'ppo': (policy, tokenizer)}, score=score, "
    "judge=lambda prompt, reply: min(7, 1 + len(reply) / 20), max_response=32, "
    "suggestions=['say red dog', 'say blue cat'])\nplay"
)
TOWN = """from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.judge import judge
small = base_folder("small")
town = Playground({"base": (load_policy(small), load_tokenizer(small))}, judge=judge,
                  max_response=24)
town"""


@pytest.fixture(scope="module")
def opened(lab, browser):
    with opened_and_run(lab, browser, "playground", [SETUP, PLAY, TOWN]) as notebook:
        yield notebook


@pytest.fixture
def notebook(opened):
    opened.shown = 1
    opened.page.evaluate("() => document.activeElement?.blur()")
    opened.board.scroll_into_view_if_needed()
    return opened


def lanes(notebook):
    return notebook.board.locator(".mr-play-lane")


def shown(notebook) -> list[str]:
    return notebook.board.locator(".mr-play-lane .mr-reply").all_inner_texts()


def settled(notebook, name="play") -> bool:
    return notebook.ask(f"{name}.busy == '' and bool({name}.lanes) and all({name}.lanes)")


def test_a_prompt_is_asked_and_replies_grow(notebook):
    notebook.board.locator("textarea").fill("zxqv 漢字: what is this?")
    notebook.board.locator("input").first.focus()
    for key in ["ArrowRight"] * 3:
        notebook.page.keyboard.press(key)
    notebook.until(lambda: notebook.ask("play.n") == 4, "n is 4", 20)
    notebook.page.evaluate(
        """() => { window.grown = [];
          new MutationObserver(() => window.grown.push(...[...document.querySelectorAll(
            ".mr-play-caret")].map((caret) => caret.parentElement.textContent)))
          .observe(document.querySelector(".mr-play-lanes"), { childList: true, subtree: true }); }
        """
    )
    notebook.button("Ask all models").click()
    notebook.until(lambda: settled(notebook), "all replies", 60)
    grown = notebook.page.evaluate("() => [...new Set(window.grown)]")
    assert len(grown) > 3
    assert any(late.startswith(early) and late != early for early, late in pairwise(grown))
    notebook.until(lambda: notebook.button("Ask all models").is_enabled(), "it rests", 20)
    best = notebook.ask("[f'{max(reply.scores):+.2f}' for reply in play.replies.values()]")
    text = notebook.board.inner_text()
    assert all(score.replace("-", "−") in text for score in best) and "best of 4" in text
    assert notebook.board.locator("[role=radio]").count() == 8


def test_a_dot_shows_its_sample_whole(notebook):
    before = notebook.ask("play.lanes[0]['shown']")
    other = (before + 1) % 4
    lanes(notebook).nth(0).locator("[role=radio]").nth(other).click()
    notebook.until(lambda: notebook.ask("play.lanes[0]['shown']") == other, "the sample", 20)
    said = notebook.ask(f"play.replies['sft'].texts[{other}].strip()")
    assert " ".join(said.split()) in " ".join(shown(notebook)[0].split())
    lane = lanes(notebook).nth(1)
    lane.locator("[role=radio][tabindex='0']").focus()
    notebook.page.keyboard.press("Home")
    worst = "min(range(4), key=play.replies['ppo'].scores.__getitem__)"
    notebook.until(lambda: notebook.ask(f"play.lanes[1]['shown'] == {worst}"), "the worst", 20)
    checked = lane.locator("[role=radio][aria-checked=true]")
    assert checked.count() == 1 and "of 4, score" in checked.get_attribute("aria-label")


def test_no_text_is_cut(notebook):
    """No box with words scrolls, or ends before its words do."""
    cut = notebook.board.evaluate(
        """board => [...board.querySelectorAll(".mr-play-lane, .mr-reply, .mr-chip, .mr-hint")]
          .filter((e) => e.clientHeight && (e.scrollHeight > e.clientHeight + 1
            || e.scrollWidth > e.clientWidth + 1)).map((e) => e.className)"""
    )
    inline = ["mr-chip"]  # an inline box has no client size of its own
    assert [name for name in cut if name not in inline] == []


def test_a_request_is_picked_and_a_wrong_prompt_told(notebook):
    notebook.board.locator("select").select_option(index=2)
    notebook.until(lambda: notebook.ask("play.asked") == "say blue cat\n", "it is asked", 30)
    notebook.until(lambda: settled(notebook), "all replies", 60)
    assert notebook.board.locator("textarea").input_value() == "say blue cat"
    notebook.board.locator("textarea").fill("so long " * 60)
    notebook.board.locator("textarea").press("Control+Enter")
    alert = notebook.board.locator("[role=alert]")
    notebook.until(lambda: alert.is_visible(), "the sentence", 20)
    assert "shorten it" in alert.inner_text()


def test_surprises_and_a_friendly_line(notebook):
    notebook.shown = 2
    notebook.button("Surprise me").click()
    notebook.until(lambda: settled(notebook, "town"), "a reply", 60)
    prompt = notebook.ask("town.prompt")
    assert prompt and notebook.board.locator("textarea").input_value() == prompt
    hint = notebook.board.locator(".mr-hint")
    assert not hint.is_visible()
    notebook.board.locator("textarea").fill("Write a poem about a laptop.")
    notebook.button("Ask all models").click()
    notebook.until(lambda: hint.is_visible(), "the line", 30)
    assert "no word for laptop" in hint.inner_text()
