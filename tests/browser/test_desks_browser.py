"""Training desk, labeling desk and three steps in Chromium: by mouse, by keyboard, by a finger."""

import json
import re

import filelock
import pytest
import torch
from bare_page import BarePage

from minirlhf import shipped
from minirlhf.data.records import read_jsonl
from minirlhf.lesson import languages
from minirlhf.widgets import LabelingDesk, ThreeSteps, TrainingDesk

REPLIES = [f"The {animal} sleeps by the river, and nobody wakes it." for animal in (
    "cat", "dog", "goose", "hedgehog", "owl", "bear")]  # fmt: skip


class Someone:
    def __init__(self, name):
        self.name = name

    def rank(self, prompt, texts):
        keys = [(len(text) * int(self.name[-1])) % 7 for text in texts]
        return [sorted(set(keys)).index(key) + 1 for key in keys]


@pytest.fixture
def labels(browser, tmp_path):
    tasks = [{"prompt": f"Write line {n}.\n", "completions": REPLIES} for n in range(3)]
    desk = LabelingDesk(
        tasks,
        tmp_path / "mine.jsonl",
        score=lambda prompts, texts: torch.tensor([float(len(text)) for text in texts]),
        labelers=[Someone(f"labeler-{n}") for n in range(1, 8)],
    )
    bare = BarePage(browser, desk, reduced_motion="reduce")  # cards don't glide under the mouse
    yield bare
    assert bare.problems == []
    bare.close()


def until(bare, test):
    """Python hears of things as late as a kernel does."""
    for _ in range(200):
        if test():
            return
        bare.page.wait_for_timeout(20)
    raise AssertionError("it never came")


def card(bare, k):
    return bare.page.locator(".mr-label-card").filter(has_text=f"y{k}").first


def drag_to(bare, k, tier):
    """As a mouse does: press, move in steps, let go over a tier."""
    page = bare.page
    start = card(bare, k).bounding_box()
    lane = page.locator(".mr-label-lane").nth(tier - 1).bounding_box()
    page.mouse.move(start["x"] + 60, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(lane["x"] + 90, lane["y"] + lane["height"] / 2, steps=6)
    page.mouse.up()


def test_labels_by_mouse_alone(labels):
    page = labels.page
    assert page.get_by_role("button", name="Save").is_disabled()
    for k, tier in zip(range(1, 7), (6, 5, 2, 1, 1, 4), strict=True):
        drag_to(labels, k, tier)
        until(labels, lambda k=k, tier=tier: labels.widget.ranks[k - 1] == tier)
    assert page.locator(".mr-label-lane").first.inner_text().count("The ") == 2  # a tie
    drag_to(labels, 6, 3)
    drag_to(labels, 6, 4)
    until(labels, lambda: labels.widget.ranks[5] == 4)
    page.get_by_role("button", name="Save").click()
    until(labels, lambda: "Saved to" in page.locator(".minirlhf").inner_text())
    (line,) = read_jsonl(labels.widget.path, "rankings")
    assert line["ranks"] == [6, 5, 2, 1, 1, 4]
    said = page.locator(".minirlhf").inner_text()
    assert labels.widget.result["sentences"][0] in said and "You agree" not in said
    assert "Saved to mine.jsonl." in said and "1 of 3 saved" in said
    page.get_by_role("button", name="Next").click()
    until(labels, lambda: "Prompt 2 of 3" in page.locator(".minirlhf").inner_text())
    assert labels.widget.ranks == [None] * 6


def test_labels_by_keyboard_alone(labels):
    page = labels.page
    page.keyboard.press("Tab")
    for _ in range(20):
        if page.evaluate("document.activeElement.classList.contains('mr-label-card')"):
            break
        page.keyboard.press("Tab")
    for key in "652114":  # each goes on to the next card
        page.keyboard.press(key)
    until(labels, lambda: labels.widget.ranks == [6, 5, 2, 1, 1, 4])
    said = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert said.startswith("Reply y6, tier 4.")
    page.keyboard.press("ArrowUp")
    until(labels, lambda: labels.widget.ranks[5] == 3)
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")  # nothing is saved while one lies on the pile
    until(labels, lambda: labels.widget.ranks[5] is None)
    assert not labels.widget.path.exists()
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    until(labels, lambda: "Saved to" in page.locator(".minirlhf").inner_text())
    assert read_jsonl(labels.widget.path, "rankings")[0]["ranks"] == [6, 5, 2, 1, 1, 4]
    page.keyboard.press("Enter")  # what is saved leads on to the next prompt
    until(labels, lambda: "Prompt 2 of 3" in page.locator(".minirlhf").inner_text())
    assert labels.widget.number == 1 and labels.widget.ranks == [None] * 6
    page.keyboard.press("3")
    until(labels, lambda: labels.widget.ranks == [3, None, None, None, None, None])


def test_labels_by_tap_on_card_and_tier(labels):
    card(labels, 3).click()
    labels.page.get_by_role("button", name="Put the chosen reply into tier 2").click()
    until(labels, lambda: labels.widget.ranks == [None, None, 2, None, None, None])


def test_grades_and_flags_are_behind_one_link(labels):
    page = labels.page
    assert page.get_by_role("radio").count() == 0  # none that one could reach
    link = page.get_by_role("button", name="Grades and the questions")
    link.click()
    assert link.get_attribute("aria-expanded") == "true"
    card(labels, 2).click()
    page.get_by_role("radio", name="6").click()
    page.get_by_label("hallucination").check()
    until(labels, lambda: labels.widget.flags[1] == ["hallucination"])
    assert labels.widget.likert == [None, 6, None, None, None, None]
    card(labels, 1).click()
    assert not page.get_by_label("hallucination").is_checked()
    page.get_by_role("radio", name="1").focus()
    page.keyboard.press("ArrowRight")
    until(labels, lambda: labels.widget.likert[0] == 1)


def test_what_cannot_be_saved_is_said_beside_the_button(labels, tmp_path):
    (tmp_path / "file").write_text("x")
    labels.widget.path = tmp_path / "file" / "mine.jsonl"
    labels.widget.ranks = [1, 2, 3, 4, 5, 6]
    labels.push()
    labels.page.get_by_role("button", name="Save").click()
    alert = labels.page.get_by_role("alert")
    until(labels, lambda: "Not saved" in alert.inner_text())
    assert str(tmp_path) not in alert.inner_text()
    save = labels.page.get_by_role("button", name="Save").bounding_box()
    assert abs(alert.bounding_box()["y"] - save["y"]) < 120


def test_labels_by_a_finger(browser, tmp_path):
    """Its letter is a card's handle; elsewhere a finger scrolls."""
    desk = LabelingDesk([{"prompt": "p\n", "completions": REPLIES[:3]}], tmp_path / "mine.jsonl")
    bare = BarePage(browser, desk, width=420, has_touch=True, is_mobile=True)
    touch = bare.page.context.new_cdp_session(bare.page)
    start = bare.page.locator(".mr-label-name").nth(1).bounding_box()
    lane = bare.page.locator(".mr-label-lane").first.bounding_box()
    points = [(start["x"] + 8, start["y"] + 8), (lane["x"] + 80, lane["y"] + 20)]
    steps = [tuple(a + (b - a) * at / 8 for a, b in zip(*points, strict=True)) for at in range(9)]
    for kind, (x, y) in zip(["touchStart"] + ["touchMove"] * 8, steps, strict=True):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(bare, lambda: desk.ranks == [None, 1, None])
    assert bare.problems == []
    bare.close()


# ------------------------------------------------------------------------------- the training desk


@pytest.fixture
def desk(browser):
    bare = BarePage(browser, TrainingDesk(shipped.run("ppo"), ghost=shipped.run("beta-1")))
    yield bare
    assert bare.problems == []
    bare.close()


def values(bare):
    return bare.page.locator(".mr-desk-value").all_inner_texts()


def test_the_crosshair_goes_through_all_panels(desk):
    page, plots = desk.page, desk.page.locator(".mr-desk-plot")
    assert plots.count() == 2
    page.get_by_role("button", name="More curves").click()
    assert plots.count() == 6
    sizes = plots.evaluate_all(
        "all => all.map((one) => [one.viewBox.baseVal.width, one.clientWidth])"
    )
    assert all(drawn == pytest.approx(wide, abs=1) for drawn, wide in sizes)  # to scale
    boxes = [plots.nth(at).bounding_box() for at in range(6)]
    assert len({round(box["width"]) for box in boxes}) == 1
    assert len({round(box["x"]) for box in boxes}) == 3 and len({box["y"] for box in boxes}) == 2
    box = plots.nth(3).bounding_box()
    last = values(desk)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    crosses = page.evaluate(
        "() => [...document.querySelectorAll('.mr-desk-cross')].map(c => c.getAttribute('x1'))"
    )
    assert len(crosses) == 6 and len(set(crosses)) == 1
    read = page.locator(".mr-desk-when.mr-number").all_text_contents()
    assert sum(bool(a) and a != b for a, b in zip(read, last, strict=True)) > 4
    assert values(desk) == last  # the pointer is read beside its crosshair
    assert desk.widget.at is None  # only pointed at
    page.mouse.move(2, 2)
    assert values(desk) == last
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 60)
    page.wait_for_timeout(300)
    at = desk.widget.at
    assert 50 < at < 75 and f"iteration {at}" in page.locator(".minirlhf").inner_text()
    assert desk.widget.words in page.locator(".minirlhf").inner_text()


def test_the_slider_the_caption_and_the_samples_say_one_step(desk):
    page, slider = desk.page, desk.page.get_by_label("Step shown")
    slider.focus()
    page.keyboard.press("Home")
    step, samples = desk.widget.texts_by_step[2]
    for _ in range(step - 1):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert desk.widget.at == step
    said = page.locator(".minirlhf").inner_text()
    assert desk.widget.words in said
    assert f"What the policy said to the same prompts at iteration {step}" in said
    assert slider.get_attribute("aria-valuetext") == desk.widget.words
    assert page.locator(".mr-desk-card mark").count() > 0
    before, _ = desk.widget.texts_by_step[1]
    assert f"marked: what differs from iteration {before}" in said
    for sample in samples:  # both runs' replies
        replies = page.locator(".mr-desk-said, .mr-desk-theirs").all_inner_texts()
        told = [" ".join(reply.split()) for reply in replies]
        same = sample["response"].strip() == sample["other"].strip()
        theirs = "the other run says the same" if same else " ".join(sample["other"].split())
        assert " ".join(sample["response"].split()) in told and theirs in told
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    assert desk.widget.at is None and desk.widget.step == 128


def test_a_change_of_beta_has_a_flag_in_every_panel(browser, tmp_path):
    run(tmp_path / "run", 20)
    log = tmp_path / "run" / "metrics.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    betas = [{"objective/beta": 0.1 if row["step"] < 9 else 0.4} for row in rows]
    log.write_text("".join(json.dumps(a | b) + "\n" for a, b in zip(rows, betas, strict=True)))
    bare = BarePage(browser, TrainingDesk(tmp_path / "run"))
    page = bare.page
    assert page.locator(".mr-desk-turned").all_text_contents() == ["β 0.1 → 0.4"] * 2
    x = [page.locator(".mr-desk-turn").nth(at).get_attribute("x1") for at in (0, 1)]
    assert x[0] == x[1]
    page.get_by_label("Step shown").focus()
    did = page.locator(".mr-desk-did").first
    said = " ".join(did.inner_text().split())
    assert "β ×4 since iteration 9" in said and "KL to the reference 0.90 → 3.10" in said
    page.keyboard.press("Home")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    said = did.inner_text()
    assert "β ×4 since iteration 9" in said and "KL" not in said  # it's too early to say
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert not did.is_visible()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    cross = page.locator(".mr-desk-cross").first.get_attribute("x1")
    assert float(cross) == pytest.approx(float(x[0]))  # the flag stands at the step that it is of
    bare.close()


def run(folder, steps, prompt="Say something.\n"):
    """A run that answers one prompt at every step."""
    folder.mkdir(exist_ok=True)
    config = {"beta": 0.1, "ptx_gamma": 0.0, "episodes": 320, "rollout_batch": 8}
    (folder / "config.json").write_text(json.dumps({"stage": "ppo", "config": config}))
    with (folder / "metrics.jsonl").open("w") as log, (folder / "samples.jsonl").open("w") as said:
        for step in range(1, steps + 1):
            row = {"step": step, "time": 2.0 * step, "objective/score": step / 10}
            log.write(json.dumps({**row, "objective/kl": step / 5}) + "\n")
            reply = f"The cat has {step} <b>hats</b>."
            sample = {"step": step, "prompt": prompt, "response": reply, "score": 1.0}
            said.write(json.dumps({**sample, "finished": True}) + "\n")


def drawn(page):
    """How many points the first curve has on the page."""
    return page.locator(".mr-desk-line").first.get_attribute("d").count("L") + 1


def test_a_growing_run_s_curve_gets_new_points(browser, tmp_path):
    folder = tmp_path / "run"
    run(folder, 30)
    with filelock.FileLock(folder / ".lock"):
        bare = BarePage(browser, TrainingDesk(folder))
        page, came = bare.page, []
        page.expose_function("came", lambda what: came.append(what))
        page.evaluate("""() => window.widgets[0].model.on("change:curves", () => came("whole"))""")
        assert drawn(page) == 30
        for steps in (31, 36):
            run(folder, steps)
            bare.widget.look()
            assert drawn(page) < steps  # nobody has told it yet
            bare.push()
            assert drawn(page) == steps
        assert f"iteration {steps} of 40" in page.locator(".mr-desk-progress").inner_text()
        assert came == []  # what is new came as a message
        page.evaluate("() => { window.widgets[0].model.get('curves')[0].x.length = 3; }")
        run(folder, 38)
        bare.widget.look()
        bare.push()  # it misses points and asks for the whole
        until(bare, lambda: drawn(page) == 38)
        assert came == ["whole"] and bare.problems == []
        bare.close()


def test_changed_words_are_marked_and_new_numbers_arrive(browser, tmp_path):
    folder = tmp_path / "run"
    run(folder, 5)
    with filelock.FileLock(folder / ".lock"):
        shown = TrainingDesk(folder)
        bare = BarePage(browser, shown)
        page = bare.page
        assert page.locator(".mr-desk-card mark").all_inner_texts() == ["5"]
        assert "marked: what differs from iteration 4" in page.locator(".mr-desk-card").inner_text()
        run(folder, 7)
        shown.look()
        (message,) = bare.messages[0]
        shown.send(message)  # heard twice, as by two views, it does no harm
        bare.push()
        assert "iteration 7 of 40" in page.locator(".minirlhf").inner_text()
        assert page.locator(".mr-desk-card mark").inner_text() == "7"
        assert page.evaluate("window.widgets[0].model.get('curves')[0].x") == [*range(1, 8)]
        slider = page.locator(".mr-desk-lever input[type=range]").first
        slider.focus()
        page.keyboard.press("ArrowRight")
        until(bare, lambda: shown.reader.control() == {"beta": pytest.approx(0.112)})
        box = page.locator(".mr-desk-lever input:not([type=range])").first
        box.fill("many")
        box.press("Enter")
        assert box.get_attribute("aria-invalid") == "true"
        alert, place = page.get_by_role("alert").bounding_box(), box.bounding_box()
        assert alert["x"] == pytest.approx(place["x"], abs=1)  # right under its field
        assert 0 <= alert["y"] - place["y"] - place["height"] < 10
        assert "isn't a number" in page.get_by_role("alert").inner_text()
        box.fill("0,5")
        box.press("Enter")
        until(bare, lambda: shown.reader.control() == {"beta": 0.5})
        page.get_by_role("button", name="Pause").click()
        until(bare, page.get_by_role("button", name="Resume").is_visible)
        words = page.locator(".mr-desk-progress").inner_text()
        page.get_by_role("button", name="Resume").click()
        page.wait_for_timeout(1600)  # the clock goes by itself
        assert page.locator(".mr-desk-progress").inner_text() != words
        assert bare.problems == []
        bare.close()


def test_the_clock_goes_on_when_loading_ends(browser, tmp_path):
    run(tmp_path / "run", 2)
    desk = TrainingDesk(tmp_path / "run")
    desk.run |= {"state": "starting", "moves": True, "clock": 20.0}
    bare = BarePage(browser, desk)
    words = bare.page.locator(".mr-desk-progress")
    for run_now in ({"state": "running", "clock": 0.0}, {"clock": 5.0}, {"state": "paused"}):
        desk.run = {**desk.run, **run_now}
        bare.push()
        seconds = int(re.search(r"(\d+) s so far", words.inner_text())[1])
        assert seconds >= 20
    desk.run = {**desk.run, "state": "finished", "moves": False, "clock": 5.0}
    bare.push()
    assert "5 s of training" in words.inner_text()  # the log's word
    bare.close()


def test_what_the_command_line_refuses_is_said_in_the_reader_s_language(browser, tmp_path):
    run(tmp_path / "run", 2)
    languages.choose("zh")
    try:
        desk = TrainingDesk(tmp_path / "run")
        bare = BarePage(browser, desk)
    finally:
        languages.choose("en")
    for error, words in (
        (
            "--episode 5: did you mean --episodes?",
            "没有 --episode 这个选项；最接近的是 --episodes。",
        ),
        ("--tune 3: there is no such option", "没有 --tune 这个选项。"),
        ("The disk is full.", "进程的原话：The disk is full."),
    ):
        desk.run = {**desk.run, "error": error}
        bare.push()
        assert words in bare.page.get_by_role("alert").inner_text()
    bare.close()


# --------------------------------------------------------------------------------- the three steps


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_reply_tells_its_rank_and_score(browser, by):
    board = ThreeSteps()
    bare = BarePage(browser, board)
    page = bare.page
    assert page.locator(".mr-steps-cell.is-empty").count() == 9
    board.second("p", ["one", "two", "three"], [2, 1, 2], [0.5, 1.0, -0.5], 0.5, 0.7)
    bare.push()
    assert page.locator(".mr-steps-cell.is-coming").count() == 3
    reply = page.locator(".mr-steps-replies li").nth(2)
    assert "rank" not in reply.inner_text()
    if by == "mouse":
        reply.click()
    else:
        reply.get_by_role("button").focus()
        page.keyboard.press("Enter")
    assert "the labeler's rank 2 of 3, score −0.50" in reply.inner_text()
    assert reply.get_by_role("button").get_attribute("aria-expanded") == "true"
    assert page.locator(".mr-steps-scores .is-lit").count() >= 1
    assert bare.problems == []
    bare.close()


def test_the_next_step_s_first_box_says_what_to_do(browser):
    board = ThreeSteps()
    bare = BarePage(browser, board)
    boxes = bare.page.locator(".mr-steps-column")
    assert "run the cell of step 1" in boxes.nth(0).inner_text()
    board.first("p", "d", 0.1, 0.4)
    bare.push()
    assert "Next" not in boxes.nth(0).inner_text()
    assert "run the cell of step 2" in boxes.nth(1).inner_text()
    bare.close()


@pytest.mark.parametrize("width", [740, 860, 420])
def test_a_folded_reply_ends_with_a_whole_word(browser, width):
    end = "lamp more than anything else in the world, and went home with it."
    replies = [
        f"Cora the {name} wanted an extraordinarily {name} {end}"
        for name in ("actor", "baker", "wise")
    ]
    board = ThreeSteps().second("p", replies, [2, 1, 3], [0.5, 1.0, -0.5], 0.5, 0.7)
    bare = BarePage(browser, board, width=width, reduced_motion="reduce")
    page = bare.page
    heights = "() => [...document.querySelectorAll('.mr-steps-cell')].map((it) => it.offsetHeight)"
    before = page.evaluate(heights)
    texts = page.locator(".mr-steps-replies .mr-steps-text")
    for at, reply in enumerate(replies):
        seen = " ".join(texts.nth(at).inner_text().split())
        assert reply.startswith(f"{seen} ") and len(seen) > 20
        one = texts.nth(at)
        assert one.evaluate("one => one.scrollHeight - one.clientHeight") <= 2
    texts.nth(1).click()
    assert " ".join(texts.nth(1).inner_text().split()) == replies[1]
    after = page.evaluate(heights)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1  # its own box alone grows
    bare.close()
