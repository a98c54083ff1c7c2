"""The training desk in a browser: steering, reloads, restarts, and who else may train."""

import time

import ipykernel
import pytest
from browser_lab import Notebook
from browser_runs import OPTIONS, STEPS, numbers, terminal, workers

DRAWS = """import random, time, numpy, torch
for _ in range(300):
    torch.manual_seed(1)
    random.random(), torch.rand(9), numpy.random.rand(9)
    time.sleep(0.01)"""


QUIET = 4.0
"""Seconds without a new step after which a run is taken to be waiting, on a busy machine too."""


def cells(name: str) -> list[str]:
    options = ", ".join(f"{key}={value!r}" for key, value in OPTIONS.items())
    return [
        "from minirlhf.widgets import TrainingDesk, start\n"
        "from minirlhf.widgets.curves import turns",
        f'run = start("ppo", "{name}", {options})',
        "desk = TrainingDesk(run)\ndesk",
    ]


def drawn(notebook) -> str:
    """The curves on the page, as they are drawn."""
    return notebook.board.locator(".mr-desk-panels").inner_html()


def lever(notebook, label: str):
    """A lever by the words above it: its slider, and the field beside."""
    root = notebook.board.locator(".mr-desk-lever").filter(has_text=label)
    return root.locator("input[type=range]"), root.locator("input:not([type=range])")


def rows(folder) -> int:
    return len(numbers(folder)) if (folder / "metrics.jsonl").exists() else 0


def finish(notebook, folder):
    notebook.until((folder / "done.json").exists, "the end of the run", 240)
    notebook.until(lambda: "finished" in notebook.board.inner_text(), "the desk says so")


def pause(notebook, folder, at_least: int = 4) -> int:
    """Press Pause in the middle of the run; the steps that it has done."""
    notebook.until(lambda: rows(folder) >= at_least, "some steps", 120)
    notebook.button("Pause").click()
    notebook.until(lambda: notebook.button("Resume").is_visible(), "the button turns")
    done = -1
    while done != rows(folder):  # until an iteration's time has passed without one
        done = rows(folder)
        time.sleep(QUIET)
    assert "paused" in notebook.board.inner_text()
    return done


def same(folder, reference):
    """Bit for bit: every number of the log, every weight."""
    assert numbers(folder) == numbers(reference)
    weights = [(run / "model" / "model.safetensors").read_bytes() for run in (folder, reference)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("symbol", ["β", "γ"])
def test_ten_times_beta_or_gamma_from_step_k(lab, page, folder, reference, symbol):
    run = folder / f"steered-{'beta' if symbol == 'β' else 'gamma'}"
    notebook = Notebook(lab, page, run.name, cells(run.name))
    notebook.run_all()
    first = drawn(notebook)
    k = pause(notebook, run)
    slider, box = lever(notebook, symbol)
    if symbol == "β":
        box.fill("0.5")
        box.press("Enter")
        notebook.until(lambda: notebook.ask("desk.reader.control().get('beta')") == 0.5, "β × 10")
    else:
        slider.press("End")
        notebook.until(
            lambda: notebook.ask("desk.reader.control().get('ptx_gamma')") == 3, "γ × 10"
        )
    notebook.button("Resume").click()
    finish(notebook, run)
    assert drawn(notebook) != first
    steered, plain = numbers(run), numbers(reference)
    assert steered[:k] == plain[:k] and len(steered) == len(plain) == STEPS
    assert all(a != b for a, b in zip(steered[k:], plain[k:], strict=True))
    name, at = ("objective/kl", "objective/beta") if symbol == "β" else ("ptx/loss", "ptx/gamma")
    assert steered[k][at] == pytest.approx(10 * plain[k][at])
    late = [sum(row[name] for row in log[-8:]) for log in (steered, plain)]
    assert late[0] < late[1]
    assert "→" in notebook.ask("turns(desk.reader)[0][1]")


def test_reload_after_a_save(lab, page, folder):
    """The desk is there again at once, and steers."""
    run = folder / "saved"
    notebook = Notebook(lab, page, run.name, cells(run.name))
    notebook.run_all()
    done = pause(notebook, run)  # else it may be over before the page is there again
    notebook.save()
    notebook.reload()
    notebook.until(
        lambda: notebook.board.locator(".mr-desk-panel svg").first.is_visible(), "the desk"
    )
    notebook.until(lambda: "paused" in notebook.board.inner_text(), "what the run is doing")
    shown = drawn(notebook)
    notebook.button("Resume").click()
    notebook.until(lambda: rows(run) > done and drawn(notebook) != shown, "it moves")
    notebook.button("Stop").click()
    notebook.until(lambda: "stopped" in notebook.board.inner_text(), "the run stops")
    stopped = rows(run)
    assert done < stopped < STEPS
    notebook.button("Go on").click()  # and from there it can be let go on
    notebook.until(lambda: rows(run) > stopped, "it goes on", 240)
    finish(notebook, run)


def test_reload_without_a_save_and_a_second_run_all(lab, page, folder, reference):
    run = folder / "unsaved"
    notebook = Notebook(lab, page, run.name, [*cells(run.name), DRAWS])
    notebook.run_all()
    done = pause(notebook, run)
    notebook.reload()
    assert notebook.page.locator(".minirlhf").count() == 0
    notebook.run_all()
    assert "paused" in notebook.board.inner_text() and workers(run) == 1
    notebook.button("Resume").click()
    notebook.run_all()
    assert workers(run) <= 1 and rows(run) > done  # it trained while that cell drew
    finish(notebook, run)
    steps = notebook.ask("[row['step'] for row in desk.reader.rows]")
    assert steps == list(range(1, STEPS + 1))
    same(run, reference)


def test_a_new_kernel_goes_on_from_the_checkpoint(lab, page, folder, reference):
    run = folder / "restarted"
    notebook = Notebook(lab, page, run.name, cells(run.name))
    notebook.run_all()
    notebook.until(lambda: (run / "checkpoint" / "state.pt").exists(), "a checkpoint", 120)
    notebook.restart()
    notebook.until(lambda: workers(run) == 0, "the run ends with its kernel")
    assert 0 < rows(run) < STEPS
    notebook.run_all()
    finish(notebook, run)
    same(run, reference)


def test_a_terminals_run_is_steered_from_a_notebook(lab, page, folder, reference):
    run = folder / "terminals"
    code = ["from minirlhf.widgets import TrainingDesk", f'desk = TrainingDesk("{run.name}")\ndesk']
    notebook = Notebook(lab, page, run.name, code)
    notebook.run_all()
    assert "no run yet" in notebook.board.inner_text()
    process = terminal(folder, run.name, lab)
    pause(notebook, run)
    notebook.button("Resume").click()
    finish(notebook, run)
    assert process.wait(30) == 0
    same(run, reference)
    # and in replay: the slider goes back through the steps with the keyboard, texts go along
    last, text = drawn(notebook), notebook.board.inner_text()
    notebook.board.get_by_label("Step shown").press("Home")
    notebook.until(lambda: notebook.ask("desk.at") == 1, "the first step")
    assert drawn(notebook) != last and notebook.board.inner_text() != text
    assert "iteration 1" in notebook.board.inner_text()


@pytest.mark.skipif(ipykernel.version_info[0] > 6, reason="Colab's kernel is an ipykernel 6")
def test_on_colab_the_cell_stays_and_answers(lab, page, folder, reference):
    """A shell of Colab's name: the cell lasts as long as the run, and its buttons work."""
    run = folder / "colab"
    name = "type(get_ipython()).__module__ = 'google.colab._shell'"
    notebook = Notebook(lab, page, run.name, [name, *cells(run.name), "after = desk.state"])
    notebook.run_all(wait=False)
    notebook.until(lambda: notebook.board.count() == 1, "the desk", 60)
    first = notebook.board.inner_html()
    pause(notebook, run)
    assert notebook.page.evaluate("() => !window.isDone")  # still in its cell
    assert notebook.board.inner_html() != first
    notebook.button("Resume").click()
    finish(notebook, run)
    notebook.until(lambda: notebook.ask("after") == "finished", "the next cell came after it")
    same(run, reference)
