"""``python -m course.build``: notebooks, exercises and solutions from the masters.

    python -m course.build              build; run the chapters whose code or package changed
    python -m course.build --check      change nothing, fail where something is out of date
    python -m course.build --measure    run every English chapter and write down what it took
    python -m course.build --stamp all  these translations have been looked at

A notebook is only run again where its own code, or that of the package behind it, has changed; each
language by itself, since what the code says differs too.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course.build import assemble, atlas, execute, limits, overview, translations
from course.build.masters import Master, masters
from course.build.settings import (
    FOLDERS,
    LARGEST,
    MEASURED,
    MOST_BYTES,
    MOST_SECONDS,
    ROOT,
    BuildError,
)
from minirlhf.data.files import written_whole
from minirlhf.errors import MinirlhfError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m course.build")
    parser.add_argument("--check", action="store_true", help="change nothing, compare")
    parser.add_argument("--measure", action="store_true", help="measure every chapter")
    parser.add_argument("--only", nargs="+", metavar="KEY", help="such as 05 or ex05")
    stamp = "cells, keys of messages, or all; with --only, cells of these masters"
    parser.add_argument("--stamp", nargs="+", metavar="NAME", help=stamp)
    options = parser.parse_args(arguments)
    try:
        every = masters()
        chosen = [master for master in every if not options.only or master.key in options.only]
        if options.stamp:
            files = [] if options.only else None
            count = translations.stamp(chosen, options.stamp, files)
            print(f"{count} translations stamped.")
            return 0
        for file, name, state in translations.due(every):
            print(f"translation {state}: {file}, {name}")
        if options.check:
            found = list(problems(chosen))
            for problem in found:
                print(f"error: {problem}", file=sys.stderr)
            return 1 if found else 0
        if options.measure:
            measure(chosen)
        for master in chosen:
            build(master)
        write(ROOT / atlas.PLACE, atlas.markdown(every))
        readme = ROOT / overview.PLACE
        write(readme, overview.inserted(readme.read_text("utf-8"), every))
    except (BuildError, MinirlhfError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def build(master: Master) -> None:
    """Bring everything that is built from a master up to date."""
    for kind in assemble.kinds(master):
        for language in assemble.languages(master):
            path = ROOT / assemble.place(master, kind, language)
            notebook = assemble.assemble(master, kind, language)
            if kind == "chapter":
                if not keep_outputs(notebook, path):
                    run(master, notebook, language)
                refuse(path, notebook)
            write(path, assemble.dumps(notebook))


def run(master: Master, notebook: NotebookNode, language: str) -> execute.Cost:
    """Execute a chapter in place, and say what it took."""
    print(f"running {master.path.name} ({language})", flush=True)
    cost = execute.execute(notebook)
    print(f"  {cost.seconds:.0f} s, {cost.peak_bytes / 2**30:.1f} GB")
    return cost


def keep_outputs(notebook: NotebookNode, path: Path) -> bool:
    """Take the outputs of the executed notebook at ``path``, if code and package are the same."""
    if not path.is_file():
        return False
    old = nbformat.read(path, as_version=4)
    if old.metadata.get("minirlhf") != notebook.metadata.minirlhf:
        return False
    outputs = {cell.id: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = outputs[cell.id].outputs
            cell.execution_count = outputs[cell.id].execution_count
    return True


def refuse(path: Path, notebook: NotebookNode) -> None:
    """Raise `BuildError` for the first fault of an executed notebook."""
    for fault in _faults(path, notebook):
        raise BuildError(fault)


def _faults(path: Path, notebook: NotebookNode) -> Iterator[str]:
    for fault in execute.faults(notebook):
        yield f"{path.name}: {fault}"
    if (size := len(assemble.dumps(notebook).encode())) > LARGEST:
        yield f"{path.name} is {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.1f}."


def problems(chosen: list[Master]) -> Iterator[str]:
    """Everything in which the built files differ from their masters, without running anything."""
    expected = set()
    for master in chosen:
        if master.kind == "chapter":
            yield from limits.broken(master)
        for kind in assemble.kinds(master):
            for language in assemble.languages(master):
                path = ROOT / assemble.place(master, kind, language)
                expected.add(path)
                notebook = assemble.assemble(master, kind, language)
                yield from _differences(master, kind, language, notebook)
                yield from _broken_links(path, notebook)
    for folder in FOLDERS.values():
        for path in (ROOT / folder).rglob("*.ipynb"):
            if path not in expected and len(chosen) == len(masters()):
                yield f"{path.relative_to(ROOT)} has no master: remove it."
    place = ROOT / atlas.PLACE
    if not place.is_file() or place.read_text("utf-8") != atlas.markdown(masters()):
        yield f"{atlas.PLACE} is out of date: {AGAIN}."
    readme = (ROOT / overview.PLACE).read_text("utf-8")
    if readme != overview.inserted(readme, masters()):
        yield f"{overview.PLACE} has an old table of chapters: {AGAIN}."
    yield from atlas.orphans(masters())


AGAIN = "build again with python -m course.build"


def _differences(master: Master, kind: str, language: str, notebook: NotebookNode) -> Iterator[str]:
    name = assemble.place(master, kind, language)
    path = ROOT / name
    if not path.is_file():
        yield f"{name} isn't built yet: {AGAIN}."
    elif kind == "chapter" and not keep_outputs(notebook, path):
        yield f"{name} was run with other code of its own or of the package: {AGAIN}."
    else:
        if path.read_text("utf-8") != assemble.dumps(notebook):
            yield f"{name} differs from {master.path.name}: {AGAIN}."
        if kind == "chapter":
            yield from _faults(path, notebook)


def _broken_links(path: Path, notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)", cell.source):
                if "://" not in target and not (path.parent / target).exists():
                    yield f"{path.name}, {cell.id}: a link leads nowhere: {target}"


def measure(chosen: list[Master]) -> None:
    """Run the English chapters, keep what comes out, and write down what each took."""
    for master in chosen:
        if master.kind == "chapter":
            path = ROOT / assemble.place(master, "chapter", "en")
            notebook = assemble.assemble(master, "chapter")
            cost = run(master, notebook, "en")
            refuse(path, notebook)
            write(path, assemble.dumps(notebook))
            costs = json.loads(MEASURED.read_text("utf-8")) if MEASURED.is_file() else {}
            costs[master.key] = {"seconds": round(cost.seconds), "peak_bytes": cost.peak_bytes}
            write(MEASURED, json.dumps(dict(sorted(costs.items())), indent=1) + "\n")
            if cost.seconds > MOST_SECONDS or cost.peak_bytes > MOST_BYTES:
                raise BuildError(
                    f"{master.key} takes {cost.seconds:.0f} s and "
                    f"{cost.peak_bytes / 2**30:.2f} GB, more than {MOST_SECONDS} s and "
                    f"{MOST_BYTES / 2**30:.0f} GB that a chapter may have."
                )


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all; one that holds the text already is left alone."""
    if path.is_file() and path.read_text("utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(text, "utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
