"""The page's equations in the browser that shows them: the checks of tests/test_page_equations."""

import pytest
import test_page_equations as held

from minirlhf.widgets.live_widget import PAGE


class Engine:
    def __init__(self, page):
        self.page = page

    def eval(self, code):
        return self.page.evaluate(code)


@pytest.mark.parametrize("check", [name for name in dir(held) if name.startswith("test_")])
def test_in_chromium(check, page, monkeypatch):
    page.add_script_tag(content=(PAGE / "equations.js").read_text("utf-8"))
    monkeypatch.setattr(held, "engine", lambda: Engine(page))
    getattr(held, check)()
