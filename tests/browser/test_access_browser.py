"""What keeps people out: axe looks at every widget, day and night; Tab reaches every control."""

import tempfile
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from bare_page import BarePage

from minirlhf import shipped
from minirlhf.evaluate.statistics import Interval
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.labelers import training_pool
from minirlhf.widgets import (
    Frontier,
    LabelingDesk,
    Playground,
    Prediction,
    PredictionScore,
    RankingExplorer,
    ThreeSteps,
    TokenLens,
    Trace,
    TrainingDesk,
)

REPLIES = ["The cat sleeps by the river.", "A red house stands by the tall tree.", "The dog runs."]


def explorer():
    return [RankingExplorer([0.8, 1.2, -0.4], completions=REPLIES)], lambda page: page.locator(
        ".rank-pair"
    ).first.hover(force=True)


def predictions():
    """Before and after: a number, a choice and a curve, and what they are worth."""
    asked = [
        Prediction("How often?", "access.share", unit="%"),
        Prediction("Which?", "access.which", choices=("up", "down", "neither")),
        Prediction("How?", "access.line", along=range(8), x="step"),
    ]
    for one, value in zip(asked, (60.0, "up", [1.0] * 8), strict=True):
        one.revealed, one.value = False, value
    outcomes = [
        asked[0].reveal(Interval(72.6, 70.0, 75.0, 9)),
        asked[1].reveal("down"),
        asked[2].reveal([float(x) for x in range(8)]),
    ]

    def act(page):
        asked[0].problem = "Type a number between 0 and 100 %: −5 lies outside."
        for _ in outcomes:
            page.get_by_role("button", name="Reveal the result").first.click()

    return [*asked, *outcomes, PredictionScore("access.")], act


def training():
    """Two curves, then all, a step in the middle, and an error."""
    shown = TrainingDesk(shipped.run("ppo"), ghost=shipped.run("beta-1"))

    def act(page):
        page.get_by_role("button", name="More curves").click()
        shown.at, shown.problem = 45, "The folder was removed while the run worked in it."

    return [shown], act


def labeling():
    """On the pile, then saved beside what others say, with grades and flags open."""
    folder = Path(tempfile.mkdtemp())
    tasks = [{"prompt": "Write a line.\n", "completions": REPLIES}]
    desk = LabelingDesk(tasks, folder / "mine.jsonl", score=lambda p, y: [0.1, 0.4, -1.0],
                        labelers=training_pool()[:4])  # fmt: skip

    def act(page):
        desk.ranks = [2, 1, 2]
        desk.act_save()
        page.get_by_role("button", name="Grades").click()

    return [desk], act


def steps():
    """Empty, and filled with a reply chosen."""
    board = ThreeSteps()
    board.first("Write.\n", "Done.", 0.01, 0.6)
    board.second("Write a line.\n", REPLIES, [2, 1, 2], [0.5, 1.0, -0.5], 0.5, 0.7)
    return [ThreeSteps(), board], lambda page: page.locator(".mr-steps-replies li").first.click()


def lens():
    """A trace without a model, a token pointed at, and both lines beneath."""
    count = 12
    shown = TokenLens(
        Trace(prompt="p\n", tokens=[" word"] * count, values=[k / 4 for k in range(count)],
              logprobs=[-0.3 * (k % 5) for k in range(count)], reference=[-0.5] * count,
              score=1.0, beta=0.2)
    )  # fmt: skip

    def act(page):
        page.locator("[role=tab]").nth(3).click()
        page.locator("[role=option]").nth(4).hover()
        shown.problem, shown.busy = "The prompt is empty.", "Sampling …"

    return [shown], act


def frontier():
    """Three shipped runs, another of them chosen."""
    shown = Frontier([shipped.run(name) for name in ("beta-0", "beta-0.2", "beta-1")])
    return [shown], lambda page: page.locator("[role=radio]").nth(1).click()


def playground():
    """Two models asked, a sample chosen, an error."""
    small = base_folder("small")
    model = load_policy(small), load_tokenizer(small)
    shown = Playground(
        {"base": model, "sft": model}, judge=judge, n=3, max_response=24,
        score=lambda prompts, replies: [float(len(reply)) for reply in replies],
    )  # fmt: skip

    def act(page):
        page.get_by_role("button", name="Surprise me").click()
        page.locator("[role=radio]").nth(4).click()
        shown.problem = "The prompt is empty."

    return [shown], act


WIDGETS = {
    "explorer": explorer,
    "predictions": predictions,
    "training": training,
    "labeling": labeling,
    "steps": steps,
    "lens": lens,
    "frontier": frontier,
    "playground": playground,
}
"""For each: widgets on one page, and what to do there before looking again."""


def complaints(page) -> list[str]:
    """What axe finds that is serious, with the place."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", WIDGETS)
def test_axe_finds_nothing_serious(browser, name, dark):
    shown, act = WIDGETS[name]()
    bare = BarePage(browser, *shown, dark=dark)
    bare.page.wait_for_timeout(1300)  # what moves has come to rest
    assert complaints(bare.page) == []
    act(bare.page)
    bare.push()
    bare.page.wait_for_timeout(1300)
    assert complaints(bare.page) == []
    assert bare.problems == []
    bare.close()


CONTROLS = """() => [...document.querySelectorAll("button, input, select, textarea, a, [tabindex]")]
  .filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility()
    && one.getClientRects().length)
  .map((one, at) => { one.dataset.control = at; return one.outerHTML.slice(0, 120); })"""
FOCUSED = """() => {
  const one = document.activeElement, look = getComputedStyle(one);
  return { at: one.dataset.control, named: Boolean(one.ariaLabel || one.textContent.trim()
      || one.labels?.length), seen: look.outlineStyle !== "none" || look.boxShadow !== "none"
      || one instanceof SVGElement };
}"""


@pytest.mark.parametrize("name", WIDGETS)
def test_tab_reaches_every_control(browser, name):
    """In use as well; each has a name, and one sees where one is."""
    shown, act = WIDGETS[name]()
    bare = BarePage(browser, *shown, reduced_motion="reduce")
    for step in (lambda page: None, act):
        step(bare.page)
        bare.push()
        bare.page.wait_for_timeout(300)
        controls = bare.page.evaluate(CONTROLS)
        bare.page.evaluate("() => document.activeElement?.blur()")
        reached = set()
        for _ in range(len(controls) + 3):
            bare.page.keyboard.press("Tab")
            focused = bare.page.evaluate(FOCUSED)
            if focused["at"] is not None:
                reached.add(int(focused["at"]))
                assert focused["named"] and focused["seen"], controls[int(focused["at"])]
        assert len(controls) == len(reached), [
            text for at, text in enumerate(controls) if at not in reached
        ]
    bare.close()
