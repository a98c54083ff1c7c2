"""A real JupyterLab with a real browser in front of it, for tests that use it as a person would."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE = 300_000
"""Milliseconds for what a busy machine may take long for: a kernel that starts, cells that run."""
QUIET = {"fetchNews": "false", "checkForUpdates": False}
PACKAGE = Path(__file__).parents[2]

READY = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  const session = panel?.sessionContext;
  const kernel = session?.session?.kernel;
  return Boolean(session?.isReady && panel.content?.model && kernel
    && kernel.connectionStatus === 'connected' && kernel.status === 'idle');
}"""
ASK = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false});
  let said = '';
  future.onIOPub = message => {
    if (message.header.msg_type === 'stream') said += message.content.text;
    if (message.header.msg_type === 'error') said += message.content.traceback.join('\\n');
  };
  await future.done;
  return said;
}"""


class Lab:
    """A JupyterLab server on a folder, with settings of its own."""

    def __init__(self, folder: Path, home: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.settings = home / "settings" / "@jupyterlab"
        self.set("apputils-extension/notification", QUIET)
        self.set("notebook-extension/tracker", {"windowingMode": "none"})  # all cells are there
        places = {
            f"JUPYTER{which}_DIR": str(home / which.lower())
            for which in ("_CONFIG", "_DATA", "LAB_WORKSPACES", "_RUNTIME")
        }
        self.env = {
            **os.environ,
            **places,
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "PYTHONPATH": os.pathsep.join([str(PACKAGE), str(PACKAGE / "tests")]),
            "OMP_NUM_THREADS": "1",
        }
        options = [
            "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={self.port}",
            "--IdentityProvider.token=", "--expose-app-in-browser",
            f"--ServerApp.root_dir={folder}",
        ]  # fmt: skip
        with (home / "lab.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *options],
                env=self.env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(900):
            with suppress(OSError):
                urllib.request.urlopen(f"{self.url}/api/status", timeout=2)
                return
            time.sleep(0.2)
        raise RuntimeError((home / "lab.log").read_text()[-2000:])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set(self, extension: str, values: dict) -> None:
        """Settings from the next page on, such as {"theme": "JupyterLab Dark"}."""
        path = self.settings / f"{extension}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    def stop(self) -> None:
        """The kernels go with it."""
        self.process.terminate()
        self.process.wait(30)


class Notebook:
    """One notebook in a page."""

    def __init__(self, lab: Lab, page, name: str, cells: list[str]):
        self.lab, self.page, self.path = lab, page, lab.folder / f"{name}.ipynb"
        self.shown: int | None = None
        """The cell whose widget is used; the last one there is if None."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(code) for code in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.path)
        self.open()

    def open(self) -> None:
        self.page.goto(f"{self.lab.url}/lab/tree/{self.path.name}?reset")
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_function(READY, timeout=PATIENCE)

    def reload(self) -> None:
        """As F5 does; what wasn't saved is gone."""
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.page.reload()
        self.ready()

    def run_all(self, wait: bool = True) -> None:
        self._command("notebook:run-all-cells", wait)

    def run(self, cell: int, wait: bool = True) -> None:
        """Run one cell, as Shift-Enter in it does."""
        self.page.evaluate(
            "at => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at }", cell
        )
        self._command("notebook:run-cell", wait)

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def restart(self) -> None:
        """A new kernel, as its menu does after the question."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.ready()

    def ask(self, expression: str):
        """The value of an expression in the kernel, which has to be JSON."""
        said = self.page.evaluate(ASK, f"import json as _j; print(_j.dumps({expression}))")
        try:
            return json.loads(said.splitlines()[-1])
        except (ValueError, IndexError):
            raise AssertionError(said) from None

    def outputs(self) -> list:
        """What a saved copy holds: the outputs of all cells."""
        self.save()
        notebook = nbformat.read(self.path, as_version=4)
        return [output for cell in notebook.cells for output in cell.outputs]

    def _command(self, name: str, wait: bool) -> None:
        """Its promise isn't returned: while it is open the page answers nothing else."""
        self.page.evaluate(
            """name => {
              window.isDone = false;
              window.jupyterapp.commands.execute(name).then(() => { window.isDone = true; });
            }""",
            name,
        )
        if wait:
            self.page.wait_for_function("() => window.isDone", timeout=PATIENCE)

    # ---------------------------------------------------------------------- what a person can touch

    @property
    def board(self):
        cell = self.page if self.shown is None else self.page.locator(".jp-Cell").nth(self.shown)
        return cell.locator(".minirlhf").last

    def button(self, name: str):
        return self.board.locator("button", has_text=name).first

    def slider(self, label: str):
        """A slider by the words in front of it."""
        own = self.page.locator(".widget-label", has_text=label)
        return self.board.locator(".widget-slider, .widget-inline-hbox").filter(has=own).first

    def press(self, label: str, *keys: str) -> None:
        """Focus a slider's handle and press keys."""
        handle = self.slider(label).locator(".noUi-handle, .ui-slider-handle").first
        handle.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def type_value(self, label: str, value: str) -> None:
        """Type into a slider's readout."""
        self.slider(label).locator(".widget-readout").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(value)
        self.page.keyboard.press("Enter")

    def picture(self) -> bytes:
        """What the live picture shows."""
        image = self.board.locator("img").first
        return image.evaluate(
            """async image => Array.from(
                 new Uint8Array(await (await fetch(image.src)).arrayBuffer())).join(',')"""
        )

    def drawn(self) -> str:
        """What the page shows of a widget, as markup."""
        return self.board.inner_html()

    def until(self, test, what: str, seconds: float = 120.0):
        """Wait until ``test()`` is true; returns it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := test():
                return found
            time.sleep(0.2)
        self.page.screenshot(path=str(self.lab.folder / "failed.png"))
        raise TimeoutError(f"never came: {what}; {self.lab.folder / 'failed.png'}")


@contextmanager
def opened_and_run(
    lab: Lab, browser, name: str, cells: Sequence[str], height: int = 1400
) -> Iterator[Notebook]:
    """A notebook of these cells on a page of its own, all of it run."""
    context = browser.new_context(viewport={"width": 1280, "height": height})
    notebook = Notebook(lab, context.new_page(), name, cells)
    notebook.run_all()
    yield notebook
    context.close()
