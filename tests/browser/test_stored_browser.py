"""What a student sees who opens a saved notebook another day: the copies and nothing beside."""

from browser_lab import Notebook

CELLS = [
    "from minirlhf.widgets import Prediction, RankingExplorer",
    "Prediction('How often?', 'stored', unit='%')",
    "RankingExplorer([0.4, 0.1, -0.2])",
]


def shown(page) -> list[str]:
    """What kind of thing each visible output is."""
    return (
        page.locator(".jp-OutputArea-child")
        .filter(visible=True)
        .evaluate_all(
            """parts => parts.map((part) => part.querySelector(".minirlhf") ? "live"
             : part.querySelector("img") ? "picture" : part.innerText.trim())"""
        )
    )


def test_a_copy_opened_without_its_kernel_shows_the_copies_alone(lab, page):
    notebook = Notebook(lab, page, "stored", CELLS)
    notebook.run_all()
    notebook.until(lambda: shown(page) == ["live", "live"], "both live views")
    notebook.save()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    notebook.open()
    notebook.until(
        lambda: shown(page) == ["How often? Guess before you read on.", "picture"], "the copies"
    )
    page.wait_for_timeout(1500)  # the error would come late
    assert shown(page) == ["How often? Guess before you read on.", "picture"]
    notebook.run_all()
    notebook.until(lambda: shown(page) == ["live", "live"], "live views again")
