"""Where things stand in widgets without a notebook: over their columns, beside their points, and
in the same place while something is being done.
"""

import pytest
from bare_page import BarePage

from minirlhf import shipped
from minirlhf.widgets import (
    Frontier,
    LabelingDesk,
    Prediction,
    RankingExplorer,
    TokenLens,
)
from minirlhf.widgets.trace import Trace

CENTERS = """(all) => all.map((one) => { const box = one.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2]; })"""


@pytest.fixture
def opened(browser):
    pages = []

    def open_page(*shown, **how):
        pages.append(BarePage(browser, *shown, reduced_motion="reduce", **how))
        return pages[-1]

    yield open_page
    for bare in pages:
        assert bare.problems == []
        bare.close()


def lens(count):
    tokens = [" spring", " a", ".", " never"]
    return TokenLens(
        Trace(prompt="p\n", tokens=[tokens[k % 4] for k in range(count)], score=1.0, beta=0.2,
              values=[k / 4 for k in range(count)], logprobs=[-0.3 * (k % 5) for k in range(count)],
              reference=[-0.5] * count),
        models=object(),
    )  # fmt: skip


def centers(bare, what):
    return bare.page.locator(what).evaluate_all(CENTERS)


@pytest.mark.parametrize(("count", "width"), [(1, 400), (19, 772), (48, 860)])
def test_tokens_stand_over_their_columns_in_whole_rows(opened, count, width):
    bare = opened(lens(count), width=width)
    tokens, marks = centers(bare, "[role=option]"), centers(bare, "circle.mr-lens-policy")
    assert len(tokens) == len(marks) == count
    for (x, y), (across, down) in zip(tokens, marks, strict=True):
        assert abs(x - across) < 1 and 0 < down - y < 200
    rows = [y for _, y in tokens]
    sizes = [rows.count(y) for y in dict.fromkeys(rows)]
    assert len(set(sizes[:-1])) <= 1 and sizes[-1] * 2 >= sizes[0]  # no orphan


def test_nothing_moves_while_a_reply_is_sampled_or_a_prompt_refused(opened):
    bare = opened(lens(9))

    def places():
        parts = bare.page.locator("textarea, .mr-lens-sheet, [role=option]")
        return parts.evaluate_all("(all) => all.map((one) => [one.getBoundingClientRect().top,"
                                  " one.getBoundingClientRect().width])")  # fmt: skip

    before = places()
    for name, said in (("busy", "Sampling …"), ("problem", "The prompt is empty.")):
        setattr(bare.widget, name, said)
        bare.push()
        assert bare.page.get_by_text(said).is_visible()
        assert bare.page.get_by_text("Earlier sample, of: p").is_visible()
        assert places() == before
        setattr(bare.widget, name, "")
        bare.push()
    assert not bare.page.get_by_text("Earlier sample").is_visible()


def test_a_run_is_named_beside_its_point_and_no_names_cross(opened):
    betas = "0", "0.01", "0.05", "0.1", "0.2", "1"
    bare = opened(Frontier([shipped.run(f"beta-{n}") for n in betas]))
    for plot in bare.page.locator(".mr-frontier-plot").all():
        ends = plot.locator(".mr-frontier-end")
        boxes = ends.locator("text").evaluate_all("""(all) => all.map((one) => {
          const { x, y, width, height } = one.getBoundingClientRect(); return [x, y, width, height];
        })""")
        points = ends.locator(".mr-frontier-touch").evaluate_all(CENTERS)
        for (x, y, wide, high), (across, down) in zip(boxes, points, strict=True):
            assert abs(x + wide / 2 - across) < wide / 2 + 20 and abs(y + high / 2 - down) < 30
        for k, (x, y, wide, high) in enumerate(boxes):
            for left, top, width, height in boxes[:k]:
                apart = x > left + width or left > x + wide or y > top + height or top > y + high
                assert apart


def test_the_tiers_take_the_room_of_the_empty_pile(opened, tmp_path):
    texts = [f"Reply {n}." for n in range(3)]
    task = {"prompt": "p\n", "completions": texts}
    bare = opened(LabelingDesk([task], tmp_path / "mine.jsonl"))
    board, lane = bare.page.locator(".mr-label-board"), bare.page.locator(".mr-label-lane").first
    assert lane.bounding_box()["width"] < 0.6 * board.bounding_box()["width"]
    bare.widget.ranks = [1, 2, 3]
    bare.push()
    assert lane.bounding_box()["width"] == board.bounding_box()["width"]
    pile = bare.page.locator(".mr-label-pile").bounding_box()
    assert pile["y"] > bare.page.locator(".mr-label-lane").last.bounding_box()["y"]


def test_a_chosen_pair_goes_on_showing_its_force(opened):
    bare = opened(RankingExplorer([0.8, 1.2, -0.4]))
    pair = bare.page.get_by_role("button", name="y1 over y2")
    pair.click()
    bare.page.mouse.move(1, 1)
    bare.page.locator(".rank-dot").first.evaluate("(dot) => dot.focus()")
    bare.page.evaluate("() => document.activeElement.blur()")
    assert "force of" in bare.page.locator(".rank-said").inner_text()
    assert bare.page.locator(".rank-pull:not([hidden])").count() == 2
    assert pair.get_attribute("aria-pressed") == "true"
    pair.click()
    bare.page.mouse.move(1, 1)
    assert bare.page.locator(".rank-pull").count() == 0


def test_the_loss_is_told_since_the_start_too(opened):
    bare = opened(RankingExplorer([0.8, 1.2, -0.4]))
    first = bare.page.locator(".rank-loss").inner_text()
    for _ in range(3):
        bare.page.get_by_role("button", name="Take one gradient step").click()
    assert f"{first} →" in bare.page.locator(".minirlhf").inner_text()


def test_question_and_result_show_one_picture_between_them(opened):
    guess = Prediction("How?", "places.one", along=range(9), reach=(0, 1))
    bare = opened(guess, guess.reveal([0.1 * k for k in range(9)]))
    pictures = bare.page.locator(".guess-plot:visible")
    assert pictures.count() == 1
    bare.page.get_by_role("button", name="Your guess").click()
    assert pictures.count() == 2  # who hasn't guessed may do so at the result
    bare.page.get_by_role("button", name="Your guess").click()
    bare.page.get_by_role("button", name="Reveal the result").click()
    bare.page.wait_for_timeout(100)
    bare.push()  # the question hears of it as a kernel would tell it
    assert pictures.count() == 1
