"""What keeps people out: axe looks at every widget, by day and by night, at rest and in use."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from bare_page import BarePage

from minirlhf.evaluate.statistics import Interval
from minirlhf.widgets import Prediction, PredictionScore, RankingExplorer

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
        asked[0].problem = "-5 can't come out: it lies between 0 and 100 %."
        for _ in outcomes:
            page.get_by_role("button", name="Reveal the result").first.click()

    return [*asked, *outcomes, PredictionScore("access.")], act


WIDGETS = {"explorer": explorer, "predictions": predictions}
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
    assert complaints(bare.page) == []
    act(bare.page)
    bare.push()
    bare.page.wait_for_timeout(1300)  # what moves has come to rest
    assert complaints(bare.page) == []
    assert bare.problems == []
    bare.close()
