"""Widgets in a bare page: several at once, fingers, calm readers, what closing leaves behind."""

import pytest
from bare_page import BarePage

from minirlhf import shipped
from minirlhf.widgets import Frontier, Prediction, RankingExplorer


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_two_on_a_page_don_t_disturb_one_another(browser):
    one, other = RankingExplorer([0.0, 0.0]), RankingExplorer([1.0, 1.0, 1.0])
    bare = BarePage(browser, one, other)
    dots = bare.page.locator(".rank-dot")
    dots.nth(0).focus()
    bare.page.keyboard.press("PageUp")
    bare.page.wait_for_timeout(400)
    assert one.scores == [1.0, 0.0] and other.scores == [1.0, 1.0, 1.0]
    other.ranks = [1, 1, 1]
    bare.push()
    assert "nothing to lose" in bare.page.locator(".minirlhf").nth(1).inner_text()
    ids = bare.page.evaluate("() => [...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids)) and bare.problems == []
    bare.close()


def test_while_a_dot_is_dragged_the_kernel_hears_of_it_now_and_then(browser):
    bare = BarePage(browser, RankingExplorer([0.0, 0.0]))
    x, y = middle(bare.page.locator(".rank-dot").nth(0))
    mouse = bare.page.mouse
    mouse.move(x, y)
    mouse.down()
    began = bare.page.evaluate("() => performance.now()")
    for at in range(40):
        mouse.move(x + at, y)
    seconds = (bare.page.evaluate("() => performance.now()") - began) / 1000
    saves = bare.page.evaluate("() => window.saves ?? 0")
    mouse.up()
    bare.page.wait_for_timeout(400)
    assert saves <= 1 + 6 * seconds  # five a second, and the drag goes on without waiting
    assert bare.widget.scores[0] > 0
    bare.close()


def test_what_is_dragged_isn_t_taken_back_by_what_the_kernel_heard_before(browser):
    guess = Prediction("How?", "bare.echo", along=range(41))
    guess.value = None
    bare = BarePage(browser, guess)
    box = bare.page.locator(".guess-slider > rect").bounding_box()
    bare.page.evaluate(
        """() => {
          window.drawn = [];
          const points = document.querySelector(".guess-point, .guess-line + g");
          new MutationObserver(() => window.drawn.push(points.childElementCount))
            .observe(points, { childList: true });
        }"""
    )
    mouse = bare.page.mouse
    mouse.move(box["x"] + 2, box["y"] + 50)
    mouse.down()
    for at in range(1, 41):
        mouse.move(box["x"] + at * box["width"] / 40 - 2, box["y"] + 50)
    mouse.up()
    bare.page.wait_for_timeout(400)
    drawn = bare.page.evaluate("() => window.drawn")
    assert drawn == sorted(drawn) and drawn[-1] == 41  # no point vanishes on the way
    assert None not in bare.widget.value
    bare.close()


def swipe(bare, start, across=0.0, down=0.0):
    """A finger put down at a place, drawn over the page and lifted; without a way it is a tap."""
    session, (x, y) = bare.context.new_cdp_session(bare.page), start
    for at in range(9 if across or down else 1):
        touch = [{"x": x + across * at / 8, "y": y + down * at / 8}]
        kind = "touchMove" if at else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touch})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    bare.page.wait_for_timeout(500)


def test_a_finger_drags_a_dot_and_a_bar(browser):
    guess = Prediction("How often?", "bare.finger", unit="%")
    bare = BarePage(browser, RankingExplorer([0.0, 0.0]), guess, width=400, has_touch=True)
    swipe(bare, middle(bare.page.locator(".rank-dot").nth(0)), 60)
    assert bare.widget.scores[0] > 1 and bare.widget.scores[1] == 0.0
    guess_bar = bare.page.locator(".guess-track")
    guess_bar.scroll_into_view_if_needed()
    swipe(bare, middle(guess_bar), 80)
    assert guess.value > 60
    assert bare.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    bare.close()


def test_a_finger_draws_a_curve_and_the_page_stays(browser):
    guess = Prediction("How?", "bare.drawn", along=range(9), reach=(0, 1))
    bare = BarePage(browser, guess, width=400, height=500, has_touch=True)
    box = bare.page.locator(".guess-slider > rect").bounding_box()
    swipe(bare, (box["x"] + 2, box["y"] + box["height"] - 4), box["width"] - 4, 20 - box["height"])
    assert None not in guess.value and guess.value == sorted(guess.value)
    assert guess.value[0] < 0.1 < 0.8 < guess.value[-1]
    assert bare.page.evaluate("() => scrollY") == 0
    bare.close()


def test_a_finger_chooses_a_run_of_the_frontier(browser):
    runs = [shipped.run(name) for name in ("beta-0", "beta-0.2", "beta-1")]
    bare = BarePage(browser, Frontier(runs), width=400, has_touch=True)
    ends = bare.page.locator(".mr-frontier-plot").first.locator(".mr-frontier-end")
    for at in (2, 1):
        ends.nth(at).scroll_into_view_if_needed()
        swipe(bare, middle(ends.nth(at).locator("circle").last))
        assert bare.widget.choice == at
        kl = f"KL {bare.widget.chosen.kl:.2f} nats"
        assert kl in bare.page.locator(".mr-frontier-words").inner_text()
    assert bare.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    bare.close()


def test_who_wants_no_motion_gets_none(browser):
    bare = BarePage(browser, RankingExplorer([0.0, 0.0]), reduced_motion="reduce")
    bare.page.get_by_role("button", name="Take one gradient step").click()
    x = bare.page.evaluate("() => document.querySelector('.rank-dot').getAttribute('transform')")
    bare.page.wait_for_timeout(600)
    after = bare.page.evaluate(
        "() => document.querySelector('.rank-dot').getAttribute('transform')"
    )
    assert x == after and bare.widget.scores == [1.0, -1.0]
    bare.close()


@pytest.mark.parametrize("make", [RankingExplorer, lambda: Prediction("How?", "bare.end")])
def test_closing_frees_everything(browser, make):
    bare = BarePage(browser, make())
    assert bare.page.evaluate("() => window.widgets[0].handlers.length") > 2
    bare.page.evaluate("() => window.widgets[0].end()")
    assert bare.page.evaluate("() => window.widgets[0].handlers.length") == 0
    bare.close()
