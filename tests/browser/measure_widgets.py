"""How fast widgets answer, in headless Chromium: from the event to the changed page, and frames.

    python tests/browser/measure_widgets.py [NAME …] [--lab]

With ``--lab`` the widget is in JupyterLab, with a kernel; otherwise in a bare page. A gesture is a
drag (``(selector, dx, dy)``) or a key pressed again and again (``(selector, key)``). Times are in
milliseconds: `page` is what the page's own handlers take, layout included; `all` runs from the
event to the last change that it brought about within 0.8 s, so the kernel's answers count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from bare_page import BarePage
from browser_lab import CHROMIUM, FLAGS, Lab, Notebook
from playwright.sync_api import sync_playwright

import minirlhf

MOVES, PRESSES = 60, 20
COLUMNS = ("events", "median", "95%", "frames", "frames/s", "all")
WATCH = """() => {
  const seen = window.seen = { page: [], frames: 0, begun: 0, changed: 0, all: [], event: 0 };
  let dirty = false, before = 0;
  const spoken = ({ target }) => (target.closest ?? (() => null)).call(target, ".mr-unseen");
  new MutationObserver((changes) => {
    if (changes.every(spoken)) return;
    dirty = true;
    seen.changed = performance.now();
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
  (function frame() {
    if (dirty) seen.frames++;
    dirty = false;
    requestAnimationFrame(frame);
  })();
  for (const name of ["pointermove", "keydown"]) {
    window.addEventListener(name, () => { before = performance.now(); }, true);
    window.addEventListener(name, () => {
      document.body.getBoundingClientRect();
      seen.page.push(performance.now() - before);
      seen.event = before;
    });
  }
}"""


class Gesture(NamedTuple):
    """A widget, and what one does with it."""

    code: str
    selector: str
    keys: str = ""
    dx: float = 0.0
    dy: float = 0.0


RUN = Path(minirlhf.__file__).parent / "shipped" / "ppo"
ALL_CURVES = f"(lambda d: setattr(d, 'more', True) or d)(TrainingDesk('{RUN}', ghost='{RUN}'))"
LABELS = (
    "LabelingDesk([{'prompt': 'p', 'completions': [f'Reply {k} says a little.' for k in range(6)]}]"
    ", '/nowhere/mine.jsonl')"
)
STEPS = "ThreeSteps().second('p', ['one', 'two', 'three'], [2, 1, 2], [.5, 1, -.5], .5, .7)"
TRACE = (
    "Trace(prompt='p', tokens=[' word'] * 40, logprobs=[-0.1 * (k % 7) for k in range(40)], "
    "reference=[-0.1 * (k % 5) for k in range(40)], values=[k / 40 for k in range(40)], "
    "score=1.0, beta=0.2)"
)
FRONTIER = (
    "Frontier([Point(beta=b, kl=1 / b, proxy=1 - b, judge=b, path=[(k / 100 / b, k / 100, b) "
    "for k in range(128)], history=[[]] * 128) for b in (0.1, 0.2, 0.5, 1.0, 2.0)])"
)
GESTURES = {
    "explorer": Gesture("RankingExplorer([0.8, 1.2, -0.4, -1.0])", ".rank-dot", dx=-120),
    "explorer, nine replies": Gesture(
        "RankingExplorer([0.1 * k for k in range(9)])", ".rank-dot", dx=120
    ),
    "explorer, keys": Gesture("RankingExplorer()", ".rank-dot", keys="ArrowRight"),
    "lens, tokens": Gesture(f"TokenLens({TRACE})", "[role=option]", keys="ArrowRight"),
    "lens, ratio": Gesture(
        f"(lambda lens: lens.set_trait('step', 'loss') or lens)(TokenLens({TRACE}))",
        ".mr-lens-handle",
        dx=200,
    ),
    "frontier, runs": Gesture(FRONTIER, "[role=radio]", keys="ArrowRight"),
    "frontier, ring": Gesture(FRONTIER, ".mr-frontier-ring", dx=-200, dy=60),
    "prediction": Gesture("Prediction('How often?', 'm.1', unit='%')", ".guess-track", dx=200),
    "prediction, curve": Gesture(
        "Prediction('How?', 'm.2', along=range(40))", ".guess-slider > rect", dx=300, dy=-40
    ),
    "desk, crosshair": Gesture(f"TrainingDesk('{RUN}')", ".mr-desk-plot", dx=120),
    "desk, slider": Gesture(
        f"TrainingDesk('{RUN}', ghost='{RUN}')", ".mr-desk-replay input", keys="ArrowLeft"
    ),
    "desk, all curves": Gesture(ALL_CURVES, ".mr-desk-plot", dx=-120),
    "labels, drag": Gesture(LABELS, ".mr-label-card", dx=300, dy=120),
    "labels, keys": Gesture(LABELS, ".mr-label-card", keys="ArrowDown"),
    "three steps": Gesture(STEPS, ".mr-steps-replies [role=button]", keys="Enter"),
}


def perform(page, board, gesture: Gesture) -> dict[str, float]:
    """Do it, and say what the page has seen."""
    target = board.locator(gesture.selector).first
    target.scroll_into_view_if_needed()
    page.evaluate(WATCH)
    if gesture.keys:
        target.focus()
        for _ in range(PRESSES):
            page.keyboard.press(gesture.keys)
            page.wait_for_timeout(100)
        seconds = PRESSES * 0.1
    else:
        box = target.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.evaluate("() => { seen.page = []; seen.frames = 0; seen.begun = performance.now(); }")
        for at in range(1, MOVES + 1):
            page.mouse.move(x + gesture.dx * at / MOVES, y + gesture.dy * at / MOVES)
        seconds = page.evaluate("() => performance.now() - seen.begun") / 1000
        page.mouse.up()
    seen = page.evaluate("() => ({ page: seen.page, frames: seen.frames })")
    page.wait_for_timeout(800)
    last = page.evaluate("() => seen.changed - seen.event")
    times = sorted(seen["page"])
    high = times[min(len(times) - 1, round(0.95 * len(times)))]
    rate = seen["frames"] / seconds
    numbers = (len(times), statistics.median(times), high, seen["frames"], rate, last)
    return dict(zip(COLUMNS, numbers, strict=True))


def bare(browser, gesture: Gesture) -> dict[str, float]:
    import minirlhf.widgets

    shown = BarePage(browser, eval(gesture.code, vars(minirlhf.widgets)))
    found = perform(shown.page, shown.page.locator(".minirlhf"), gesture)
    shown.close()
    return found


def in_lab(browser, lab: Lab, name: str, gesture: Gesture) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    cells = ["from minirlhf.widgets import *", gesture.code]
    notebook = Notebook(lab, context.new_page(), name.replace(" ", "_"), cells)
    notebook.run_all()
    notebook.until(lambda: notebook.board.locator(gesture.selector).count(), "the widget")
    found = perform(notebook.page, notebook.board, gesture)
    context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=", ".join(GESTURES))
    parser.add_argument("--lab", action="store_true")
    options = parser.parse_args()
    print(f"{'':26}", *(f"{name:>8}" for name in COLUMNS))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        lab = None
        if options.lab:
            (Path(folder) / "home").mkdir()
            (Path(folder) / "notebooks").mkdir()
            lab = Lab(Path(folder) / "notebooks", Path(folder) / "home")
        for name, gesture in GESTURES.items():
            if options.names and not any(name.startswith(wanted) for wanted in options.names):
                continue
            found = in_lab(browser, lab, name, gesture) if lab else bare(browser, gesture)
            print(f"{name:26}", *(f"{number:8.1f}" for number in found.values()))
        if lab:
            lab.stop()
        browser.close()


if __name__ == "__main__":
    main()
