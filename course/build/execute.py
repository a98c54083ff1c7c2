"""Run a notebook in a kernel of its own, and keep of its outputs what belongs on a page."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import nbclient
from nbformat import NotebookNode
from PIL import Image

from course.build.settings import ROOT, BuildError
from minirlhf.widgets.still import AFTER

WIDGET = "application/vnd.jupyter.widget-view+json"
_PATHS = re.compile(r"(?<![\w.])(?:/(?:home|root|tmp|Users|mnt|opt|usr)/[\w.-]+|[A-Z]:\\)")
"""The beginnings of absolute paths."""


@dataclass
class Cost:
    """What a notebook took."""

    seconds: float = 0.0
    peak_bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self, pid: int) -> None:
        """Follow the memory of a process and its children until `stop`.

        What they share, as torch's libraries, counts once where the system tells: on Linux.
        """
        import psutil

        def held(process: psutil.Process) -> int:
            if psutil.LINUX:
                return process.memory_full_info().pss
            return process.memory_info().rss

        while not self._stop.wait(0.5):  # to count shared pages once costs tens of milliseconds
            with contextlib.suppress(psutil.Error):
                kernel = psutil.Process(pid)
                family = [kernel, *kernel.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(map(held, family)))

    def stop(self) -> None:
        self._stop.set()


def execute(notebook: NotebookNode, *, quick: bool = False, timeout: int = 900) -> Cost:
    """Run all cells in place, offline, in an empty folder. Raises `BuildError` where one fails."""
    cost = Cost()
    with tempfile.TemporaryDirectory() as work, _environment(work, quick):
        client = nbclient.NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=timeout,
            resources={"metadata": {"path": work}},
            record_timing=False,
            store_widget_state=False,
        )
        started = time.monotonic()
        try:
            with client.setup_kernel():
                pid = client.km.provisioner.pid
                watcher = threading.Thread(target=cost.watch, args=(pid,), daemon=True)
                watcher.start()
                for number, cell in enumerate(notebook.cells):
                    client.execute_cell(cell, number)
        except nbclient.exceptions.CellExecutionError as error:
            raise BuildError(f"a cell fails: {error}") from None
        finally:
            cost.stop()
        cost.seconds = time.monotonic() - started
        for cell in notebook.cells:
            if cell.cell_type == "code":
                kept = [out for output in cell.outputs for out in clean(output, work)]
                cell.outputs = [] if cell.id == "setup" else merged(kept)  # it tells of a machine
    return cost


@contextlib.contextmanager
def _environment(work: str, quick: bool) -> Iterator[None]:
    settings = {
        "MINIRLHF_WORK": work,
        "MINIRLHF_QUICK": "1" if quick else "0",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def clean(output: NotebookNode, work: str = "") -> list[NotebookNode]:
    """An output as it may be committed: no widget view, no place on this machine; or nothing."""
    data = output.get("data", {})
    if WIDGET in data or data.get("text/html") == AFTER:
        return []  # its picture is an output of its own
    for holder, key in _texts(output):
        holder[key] = _without_places(holder[key], work)
    if "image/png" in output.get("data", {}):
        output.data["image/png"] = smaller(output.data["image/png"])
    return [output]


def smaller(picture: str) -> str:
    """A figure (PNG in base64) with a palette of its own: far fewer bytes, alike to the eye."""
    file = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return min(base64.b64encode(file.getvalue()).decode(), picture, key=len)


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs in which what was printed in one go is one."""
    kept: list[NotebookNode] = []
    for output in outputs:
        stream = output.output_type == "stream"
        if stream and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _texts(output: NotebookNode) -> Iterator[tuple[NotebookNode, str]]:
    if output.output_type == "stream":
        yield output, "text"
    for mime in output.get("data", {}):
        if mime.startswith("text/"):
            yield output.data, mime


def _without_places(text: str | list[str], work: str) -> str:
    text = text if isinstance(text, str) else "".join(text)
    names = {work: "work", str(ROOT): ".", sys.prefix: "python"}
    # The longest first: the environment may lie in the repository.
    for place in sorted(filter(None, names), key=len, reverse=True):
        text = text.replace(place, names[place])
    return text


def faults(notebook: NotebookNode) -> Iterator[str]:
    """What an executed notebook holds that it may not."""
    if "widgets" in notebook.metadata:
        yield "it stores widget state"
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if output.output_type == "error":
                yield f"{cell.id} ends in an error"
            if output.get("name") == "stderr":
                yield f"{cell.id} prints a warning: {output.text.strip()[:80]!r}"
            if WIDGET in data:
                yield f"{cell.id} stores a widget"
            if "image/png" in data and not output.metadata.get("image/png", {}).get("alt"):
                yield f"{cell.id} shows a picture without alt text"
            for holder, key in _texts(output):
                if found := _PATHS.search("".join(holder[key])):
                    yield f"{cell.id} shows a path of the machine: {found[0]!r}"
