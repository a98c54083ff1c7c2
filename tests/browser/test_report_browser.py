"""The page of a run on screens of every width: by mouse, touch and keyboard, without a script."""

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from fabricated_run import fabricate, report

WIDTHS = (400, 800, 1280)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    summary = fabricate(folder, iterations=80)
    return SimpleNamespace(url=report(folder, summary).as_uri(), summary=summary)


@pytest.fixture
def opened(browser, run):
    """Opens the page; whatever it asks of a network or says of a fault fails the test."""
    faults, contexts = [], []

    def open_page(width: int = 1280, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text))
        page.on("request", lambda r: r.url == run.url or faults.append(r.url))
        page.goto(run.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def shown(page, selector: str) -> int:
    return page.locator(selector).filter(visible=True).count()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(opened, width, script):
    page = opened(width, java_script_enabled=script)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter((part) =>
             part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.outerHTML)"""
    )
    assert not [part for part in beyond if "mr-unseen" not in part]


def test_a_phone_shows_it_in_some_thirty_screens(opened):
    """It was 842 px wide there and 122,000 px high, a letter of a reply on each line."""
    page = opened(400)
    assert page.evaluate("document.documentElement.scrollHeight") < 30_000
    narrow = page.evaluate(
        """() => [...document.querySelectorAll(".said, .mr-steps-text")]
             .map((part) => part.getBoundingClientRect().width).reduce((a, b) => Math.min(a, b))"""
    )
    assert narrow > 250


@pytest.mark.parametrize("width", WIDTHS)
def test_small_words_are_large_enough(opened, width):
    sizes = opened(width).evaluate(
        """() => [...document.querySelectorAll("main *, nav *")]
             .filter((part) => [...part.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
             .map((part) => parseFloat(getComputedStyle(part).fontSize))"""
    )
    assert len(sizes) > 500 and min(sizes) >= 12


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_a_checker_of_accessibility_finds_nothing_serious(opened, width, scheme):
    page = opened(width, color_scheme=scheme)
    found = Axe().run(page).response["violations"]
    grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert not grave, [(fault["id"], fault["nodes"][0]["html"]) for fault in grave]


def test_three_numbers_and_a_sentence_fit_the_first_screen_of_a_phone(opened):
    page = opened(400)
    for part in (page.locator("#verdict"), *page.locator(".three .big").all()):
        box = part.bounding_box()
        assert box["y"] + box["height"] <= 900


def test_without_a_script_everything_is_there_and_nothing_is_dead(opened, run):
    page = opened(java_script_enabled=False)
    assert shown(page, ".gallery article") == 12
    assert shown(page, ".needs-script") == 0
    assert shown(page, ".curve") == shown(page, ".plot .values > span") > 10
    assert page.locator(".area[role=img]").count() == page.locator(".plot").count()
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href")).count() == 1


def test_a_model_goes_and_comes_back_by_mouse(opened):
    page = opened()
    everywhere = 'main [data-model="ppo"]'
    before = shown(page, everywhere)
    page.get_by_role("button", name="Models").click()
    toggle = page.locator('[data-toggle="ppo"]')
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == "false"
    assert shown(page, everywhere) == 0 and before > 30
    assert shown(page, 'main [data-model="ppo-ptx"]') > 30
    assert page.locator("#models-button").inner_text() == "Models 7/8"
    page.get_by_role("button", name="Show all").click()
    assert shown(page, everywhere) == before


@pytest.mark.parametrize("width", WIDTHS)
def test_the_bar_stays_one_line(opened, width):
    page = opened(width)
    before = page.locator("nav.bar").bounding_box()["height"]
    page.locator("#models-button").click()
    page.locator('[data-toggle="ppo"]').click()
    assert page.locator("nav.bar").bounding_box()["height"] == before < 60
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_bar_of_a_phone_has_room_for_its_longest_words(opened):
    page = opened(360)
    page.locator("#models-button").click()
    page.locator('[data-toggle="ppo"]').click()
    page.keyboard.press("Escape")
    page.evaluate("document.getElementById('here').textContent = 'Alignment tax'")
    ends = page.evaluate(
        "[...document.querySelectorAll('nav.bar button')].filter((b) => b.offsetWidth)"
        ".map((b) => [b.getBoundingClientRect().right, b.scrollWidth - b.clientWidth])"
    )
    assert all(right <= 360 and hidden <= 0 for right, hidden in ends), ends
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_no_panel_stands_alone_in_a_row_of_two(opened):
    page = opened(800)
    for name in ("Learning curves of PPO: reward and KL", "Pass rates, grades and reply lengths"):
        figure = page.locator(f'figure[aria-label="{name}"]')
        panel = figure.locator(".panel").last.bounding_box()
        words = figure.locator("figcaption").bounding_box()
        assert words["x"] > panel["x"] + panel["width"]
        assert abs(words["y"] - panel["y"]) < 30


@pytest.mark.parametrize("width", WIDTHS)
def test_intervals_are_said_beside_their_numbers_or_under_them(opened, width):
    page = opened(width)
    row = page.locator('figure[aria-label="Win rates against SFT"] .bars li[data-model]').first
    more, number = row.locator(".more").bounding_box(), row.locator(".value").bounding_box()
    beside = more["x"] >= number["x"] + number["width"]
    under = more["y"] >= number["y"] + number["height"] - 1
    assert beside if width == 1280 else under


@pytest.mark.parametrize("width", WIDTHS)
def test_the_paper_s_two_marks_never_meet(opened, width):
    page = opened(width)
    for row in page.locator(".bars li:has(.paper + .small)").all():
        first, second = (mark.bounding_box() for mark in row.locator(".paper").all())
        assert second["y"] >= first["y"] + first["height"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_line_of_reference_is_one_line_under_its_label(opened, width):
    for chart in opened(width).locator(".bars.lined").all():
        line, label = chart.locator(".lines .rule"), chart.locator(".said-rule .track span")
        line, label, rows = (part.bounding_box() for part in (line, label, chart))
        assert abs(line["y"] - label["y"] - label["height"]) < 6
        assert abs(line["y"] + line["height"] - rows["y"] - rows["height"]) < 2
        assert abs(line["x"] - label["x"] - label["width"] / 2) < 2


@pytest.mark.parametrize("width", WIDTHS)
def test_the_zero_of_the_differences_runs_through_all_rows_and_each_task_is_folded(opened, width):
    page = opened(width)
    chart = page.locator(".differences")
    zero, rows = chart.locator(".lines .rule").bounding_box(), chart.bounding_box()
    assert 0 <= rows["height"] - zero["height"] < 26  # but its own label
    first = chart.locator(".track").nth(1).bounding_box()
    assert first["x"] < zero["x"] < first["x"] + first["width"] + 1 and first["width"] > 150
    told = ".lane b" if width == 400 else ".losses > span"  # at the marks, or in columns
    numbers = [part.bounding_box() for part in chart.locator("li").nth(2).locator(told).all()]
    apart = [(a["x"] + a["width"] <= b["x"] + 1) or (a["y"] + a["height"] <= b["y"] + 1)
             for a, b in pairwise(numbers)]  # fmt: skip
    assert len(numbers) == 2 and all(apart)
    assert all(box["x"] > 0 and box["x"] + box["width"] < width for box in numbers)
    intervals = chart.locator(".losses .interval")
    assert intervals.count() > 20
    if width > 400:
        assert intervals.filter(visible=True).count() == intervals.count()
    figure = page.locator('figure[aria-label="Task probes by model"]')
    assert not figure.is_visible()
    assert page.locator('figure[aria-label="Corpus loss by model"]').is_visible()
    page.get_by_text("Each task by itself").click()
    assert figure.is_visible()
    spreads = figure.locator(".more")  # a phone has the intervals in numbers here
    assert spreads.filter(visible=True).count() == spreads.count() > 20


def test_a_plot_leaves_room_for_names_only_where_it_has_some(opened):
    page = opened(800)
    for plot in page.locator(".plot").all():
        area, panel = plot.locator(".area").bounding_box(), plot.bounding_box()
        room = panel["x"] + panel["width"] - area["x"] - area["width"]
        assert (room > 20) == (plot.locator(".name").count() > 0)
        for name in plot.locator(".name").all():
            box = name.bounding_box()
            assert box["x"] + box["width"] <= panel["x"] + panel["width"] + 1


@pytest.mark.parametrize("width", WIDTHS)
def test_a_verdict_is_one_line(opened, width):
    page = opened(width)
    heights = [box.bounding_box()["height"] for box in page.locator(".answers .verdict").all()]
    assert max(heights) < 40


def test_a_model_goes_by_keyboard_and_the_last_one_stays(opened):
    page = opened(400)
    page.locator("#models-button").focus()
    page.keyboard.press("Enter")
    toggles = page.locator("[data-toggle]")
    for place in range(toggles.count()):
        page.keyboard.press("Tab")
        assert toggles.nth(place).evaluate("part => part === document.activeElement")
        page.keyboard.press("Space")
        pressed = page.locator('[data-toggle][aria-pressed="true"]').count()
        assert pressed == max(1, toggles.count() - (place + 1))
    assert shown(page, "main .bars li") > 0
    page.keyboard.press("Escape")
    assert shown(page, "[data-toggle]") == 0


def test_prompts_are_filtered_by_words_use_case_and_outcome(opened):
    page = opened()
    articles = ".gallery article"
    page.get_by_label("Words in prompt or reply").fill("BOAT")
    assert shown(page, articles) == 1
    assert page.locator("#found").inner_text() == "1 of 12 prompts"
    marked = "[...CSS.highlights.get('found')].map((range) => String(range))"
    assert {word.lower() for word in page.evaluate(marked)} == {"boat"}
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate(marked) == []
    assert shown(page, articles) == 12
    page.get_by_label("Use case").select_option("rewrite")
    cases = {a.get_attribute("data-case") for a in page.locator(f"{articles}:visible").all()}
    assert cases == {"rewrite"}
    page.get_by_label("Use case").select_option("")
    page.get_by_label("Outcome").select_option("sft !ppo-ptx")
    for article in page.locator(f"{articles}:visible").all():
        for model, badge in (("sft", "✓ pass"), ("ppo-ptx", "✗ fail")):
            said = article.locator(f'li:has([data-model="{model}"])')  # alone or with its likes
            assert said.inner_text().count(badge) == 1
    assert 0 < shown(page, articles) < 12


def test_a_filter_that_finds_nothing_says_so_by_keyboard_alone(opened):
    page = opened(400)
    page.get_by_label("Words in prompt or reply").focus()
    page.keyboard.type("zeppelin")
    page.keyboard.press("Enter")
    assert shown(page, ".gallery article") == 0
    assert page.locator("#found").inner_text() == "Nothing here has “zeppelin”."
    while not page.get_by_role("button", name="Show all").evaluate(
        "part => part === document.activeElement"
    ):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelectorAll('.gallery article:not([hidden])').length === 12"
    )
    assert page.get_by_label("Words in prompt or reply").evaluate(
        "part => part === document.activeElement"
    )


def test_a_word_that_is_offered_is_found(opened):
    page = opened(400)
    offered = page.locator("#offered button")
    assert offered.count() == 3 and not offered.first.is_visible()
    page.get_by_label("Words in prompt or reply").fill("zeppelin")
    for at in range(3):
        offered.nth(at).click()
        assert 1 < shown(page, ".gallery article") < 12 and not offered.first.is_visible()
        page.get_by_label("Words in prompt or reply").fill("zeppelin")


def values(plot) -> dict[str, float]:
    text = plot.locator(".values").inner_text().replace("−", "-")
    return {name: float(value) for name, value in re.findall(r"(PPO(?:-ptx)?) (-?[\d.]+)", text)}


def test_a_curve_tells_its_values_under_the_pointer(opened, run, tmp_path):
    page = opened()
    plot = page.locator('.plot[data-title="KL to the initial model"]')
    at_rest = plot.locator(".readout").inner_text()
    area = plot.locator(".area")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    # the KL of iteration i is .04 i, of PPO-ptx .032 i, and the mean goes over the last three
    step = float(re.search(r"episodes: ([\d,]+)", plot.inner_text())[1].replace(",", "")) / 256
    assert step == pytest.approx(40.5, abs=1)
    assert values(plot) == pytest.approx(
        {"PPO": 0.04 * (step - 1), "PPO-ptx": 0.032 * (step - 1)}, rel=0.01
    )
    beside = page.locator('.plot[data-title="Score against KL"]')
    assert " at " in beside.locator(".values").inner_text()  # it follows
    page.mouse.move(0, 0)
    assert plot.locator(".readout").inner_text() == at_rest
    assert page.locator(".point, .cursor").count() == 0


def test_a_curve_tells_its_values_by_keyboard(opened):
    page = opened()
    plot = page.locator('.plot[data-title="Score"]')
    area = plot.get_by_role("slider", name="Score: values along the run")
    area.focus()
    page.keyboard.press("Home")
    first = values(plot)
    page.keyboard.press("ArrowRight")
    assert "512" in plot.locator(".at").inner_text()
    page.keyboard.press("End")
    last = values(plot)
    assert last["PPO"] > first["PPO"] + 1
    assert "PPO-ptx" in area.get_attribute("aria-valuetext")
    assert area.get_attribute("aria-valuenow") == "100"
    page.keyboard.press("Escape")
    assert "at the end" in plot.locator(".at").inner_text()


def test_a_hidden_model_has_no_values(opened):
    page = opened()
    page.locator("#models-button").click()
    page.locator('[data-toggle="ppo"]').click()
    page.keyboard.press("Escape")
    plot = page.locator('.plot[data-title="Score"]')
    plot.locator(".area").hover()
    assert set(values(plot)) == {"PPO-ptx"}


def test_a_finger_reads_a_curve(opened):
    page = opened(400, has_touch=True)
    page.get_by_text("Learning curves of PPO: entropy").tap()  # folded on a phone
    plot = page.locator('.plot[data-title="Entropy"]')
    plot.locator(".area").tap(position={"x": 100, "y": 60})
    assert "episodes: " in plot.inner_text() and len(values(plot)) == 2
    page.locator("#training h2").tap()
    assert "at the end" in plot.inner_text()


def test_a_reply_lights_its_rank_and_its_score(opened):
    page = opened()
    page.locator('.mr-steps-replies [data-reply="B"] .mr-steps-text').hover()
    lit = page.locator(".mr-steps .is-lit")
    assert {part.get_attribute("data-reply") for part in lit.all()} == {"B"}
    assert page.locator(".mr-steps-scores li.is-lit").count() == 1
    assert page.locator(".mr-steps-order b.is-lit").count() == 1


@pytest.mark.parametrize("width", [800, 1280])
def test_the_three_steps_end_together_and_their_boxes_are_full(opened, width):
    page = opened(width)
    ends, holes = page.evaluate(
        """() => {
             const end = (part) => part.getBoundingClientRect().bottom;
             const boxes = [...document.querySelectorAll(".mr-steps-cell:not(:last-child)")];
             return [[...document.querySelectorAll(".mr-steps-cell:last-child")].map(end),
                     boxes.map((box) => end(box) - end(box.lastElementChild))];
           }"""
    )
    assert len(ends) == 3 and max(ends) - min(ends) < 1
    assert len(holes) == 6 and max(holes) < 20


def test_a_mark_looks_alike_in_the_key_the_chart_and_the_table(opened):
    page = opened()
    looks = page.evaluate(
        """() => [...document.querySelectorAll("[data-model] .dot, [data-model] .mark")]
             .filter((part) => part.checkVisibility()).map((part) => {
               const drawn = getComputedStyle(part, part.matches(".mark") ? "::before" : null);
               const model = part.closest("[data-model]").dataset.model;
               return [model, `${drawn.backgroundColor} ${drawn.clipPath}`];
             })"""
    )
    of = {model: {look for other, look in looks if other == model} for model, _ in looks}
    assert all(len(found) == 1 for found in of.values()), of
    assert len({*of} & {"base", "sft", "initial", "ppo", "ppo-ptx"}) == 5


def test_day_and_night_at_a_click(opened):
    page = opened(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    day = page.evaluate(ground)
    page.get_by_role("button", name="Dark page").click()
    assert page.evaluate(ground) != day
    dark = opened(color_scheme="dark")
    assert dark.evaluate(ground) == page.evaluate(ground)
    for each in (page, dark):  # paper is white
        each.emulate_media(media="print")
        assert each.evaluate(ground) == day


def test_sections_are_a_menu_on_a_phone_and_a_line_on_a_wide_screen(opened):
    wide, phone = opened(), opened(400)
    assert shown(wide, "nav a[href='#replies']") == 1 and shown(wide, ".menu-button") == 0
    assert shown(phone, "nav a[href='#replies']") == 0
    phone.get_by_role("button", name="Sections").click()
    phone.locator("nav a[href='#replies']").click()
    assert shown(phone, "nav a[href='#replies']") == 0
    phone.wait_for_function(
        "Math.abs(document.getElementById('replies').getBoundingClientRect().top) < 90"
    )


@pytest.mark.parametrize("width", [400, 1280])
def test_the_bar_says_which_section_one_is_in(opened, width):
    page = opened(width)
    current = "[...document.querySelectorAll('nav a[aria-current]')].map((link) => link.hash)"
    assert page.evaluate(current) == []
    for name, title in (("training", "Training"), ("replies", "Same prompts")):
        page.evaluate(f"document.getElementById('{name}').scrollIntoView()")
        page.wait_for_function(f"{current}.join() === '#{name}'")
        assert page.locator("#here").text_content() == title
        bar = page.locator("nav.bar").evaluate("bar => bar.scrollWidth - bar.clientWidth")
        assert bar <= 0 and page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_function(f"{current}.join() === '#again'")


def test_on_paper_nothing_is_hidden_or_folded(opened):
    page = opened()
    page.locator("#models-button").click()
    page.locator('[data-toggle="ppo"]').click()
    page.keyboard.press("Escape")
    page.locator("#words").fill("no such word")
    assert shown(page, ".gallery article") == 0 == shown(page, '.gallery [data-model="ppo"]')
    assert not page.locator("table.settings").first.is_visible()
    page.emulate_media(media="print")
    every = page.locator(".gallery article").count()
    assert shown(page, ".gallery article") == every > 0
    assert shown(page, '.gallery [data-model="ppo"]') >= every
    assert page.locator("table.settings").first.is_visible()
    assert shown(page, ".bar") == shown(page, ".filter") == 0
