"""Axe looks at token lens, frontier and playground, by day and by night, at rest and in use."""

import pytest
from bare_page import BarePage
from test_access_browser import complaints

from minirlhf import shipped
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.judge import judge
from minirlhf.widgets import Frontier, Playground, TokenLens, Trace


def lens():
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

    return shown, act


def frontier():
    shown = Frontier([shipped.run(name) for name in ("beta-0", "beta-1", "beta-25")])
    return shown, lambda page: page.locator("[role=radio]").nth(1).click()


def playground():
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

    return shown, act


WIDGETS = {"lens": lens, "frontier": frontier, "playground": playground}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", WIDGETS)
def test_axe_finds_nothing_serious(browser, name, dark):
    shown, act = WIDGETS[name]()
    bare = BarePage(browser, shown, dark=dark)
    assert complaints(bare.page) == []
    act(bare.page)
    bare.push()
    bare.page.wait_for_timeout(500)
    assert complaints(bare.page) == []
    assert bare.problems == []
    bare.close()
