"""Plant each known bug of details_and_bugs.toml, one at a time, and show which test catches it.

    python tests/mutation/plant.py [--jobs 2] [--only WORD ...]

Every bug goes into a copy of the package, in a process of its own, and its tests run there until
the first one fails. docs/mutants.md keeps what was found. Exits with 1 if none catches a bug.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import pytest
from details import ROOT, Bug, read

PAGE = ROOT / "docs" / "mutants.md"
HEAD = """# Planted bugs

What `make mutants` found: each bug was put into the code by itself, and the test beside it was the
first to fail. [The details](details.md) that the bugs undo. A standard tool's changes
of the equations come from `make mutmut`: [what survives, and why](survivors.md).

| bug | in | caught by |
|---|---|---|
"""
NOBODY = "nobody"
SECONDS = 600
"""More than that is a hang, which the tests' own limit should have ended."""
IMPORTED_ONCE = [
    "accelerate",
    "datasets",
    "hypothesis",
    "pytest",
    "scipy.stats",
    "torch.utils.tensorboard",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.gpt_neox.modeling_gpt_neox",
    "transformers.models.llama.modeling_llama",
]


class Catcher:
    """A plugin that notes the first test that fails."""

    def __init__(self):
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.failed.append(f"{report.nodeid} (can't be imported)")


def run_tests(copy: Path, tests: tuple[str, ...], log: Path, result: Path) -> None:
    """In a process of its own: the tests against the package in ``copy``."""
    os.chdir(copy)
    sys.path[:0] = [str(copy), str(copy / "tests")]
    sys.dont_write_bytecode = True  # two bugs of one size, planted in one second, look alike
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    catcher = Catcher()
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--rootdir", str(copy)]
    code = pytest.main([*options, *(f"tests/{test}" for test in tests)], plugins=[catcher])
    result.write_text(json.dumps({"failed": catcher.failed, "code": int(code)}))
    os._exit(0)


class Bench:
    """A copy of the package and its tests, where one bug at a time is planted."""

    def __init__(self, folder: Path):
        self.folder = folder
        keep_out = shutil.ignore_patterns("__pycache__", ".*")
        for name in ("minirlhf", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=keep_out)
        shutil.copy(ROOT / "pyproject.toml", folder)

    def caught_by(self, bug: Bug) -> str:
        """The first test that fails with the bug."""
        path = self.folder / "minirlhf" / bug.file
        sound = path.read_text("utf-8")
        path.write_text(bug.planted(sound), "utf-8")
        try:
            return self.first_failure(bug.tests)
        finally:
            path.write_text(sound, "utf-8")

    def first_failure(self, tests: tuple[str, ...]) -> str:
        """The name of the first test that fails; `NOBODY` if all pass."""
        log, result = self.folder / "log.txt", self.folder / "result.json"
        result.unlink(missing_ok=True)
        process = multiprocessing.get_context("forkserver").Process(
            target=run_tests, args=(self.folder, tests, log, result)
        )
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        if not result.exists():
            return "a test that hung or crashed"
        found = json.loads(result.read_text())
        if found["failed"]:
            return found["failed"][0].removeprefix("tests/")
        if found["code"] not in (0, 1):
            raise SystemExit(f"{tests}: pytest ended with {found['code']}:\n{log.read_text()}")
        return NOBODY


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="bugs at a time")
    parser.add_argument("--only", nargs="+", help="those whose name or file holds such a word")
    options = parser.parse_args()
    started = time.monotonic()
    everything = [bug for detail in read() for bug in detail.bugs]
    bugs = [
        bug for bug in everything
        if not options.only or any(word in f"{bug.what} {bug.file}" for word in options.only)
    ]  # fmt: skip
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    multiprocessing.set_forkserver_preload(IMPORTED_ONCE)
    with TemporaryDirectory() as place, ThreadPoolExecutor(options.jobs) as pool:
        benches: SimpleQueue[Bench] = SimpleQueue()
        for number in range(options.jobs):
            benches.put(Bench(Path(place) / str(number)))

        def on_a_bench(bug: Bug | None) -> str:
            bench = benches.get()
            try:
                caught = bench.caught_by(bug) if bug else bench.first_failure(tests)
            finally:
                benches.put(bench)
            if bug:
                print(f"{bug.file}: {bug.what}: {caught}", flush=True)
            return caught

        tests = tuple(dict.fromkeys(test for bug in bugs for test in bug.tests))
        broken, *caught = pool.map(on_a_bench, [None, *bugs])
    if broken != NOBODY:
        print(f"error: {broken} fails without any bug: mend that first", file=sys.stderr)
        return 2
    missed = [bug for bug, test in zip(bugs, caught, strict=True) if test == NOBODY]
    print(f"{len(bugs) - len(missed)} of {len(bugs)} caught, {time.monotonic() - started:.0f} s")
    found = {(bug.what, bug.file): test for bug, test in zip(bugs, caught, strict=True)}
    PAGE.write_text(page(everything, read_page() | found), encoding="utf-8")
    return 1 if missed else 0


def read_page() -> dict[tuple[str, str], str]:
    """What earlier runs found, by name and file of the bug."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else ""
    rows = re.findall(r"^\| (.+) \| `(.+)` \| `(.+)` \|$", text, re.MULTILINE)
    return {(what, file): test for what, file, test in rows}


def page(bugs: list[Bug], found: dict[tuple[str, str], str]) -> str:
    """docs/mutants.md"""
    rows = (
        f"| {bug.what} | `{bug.file}` | `{found[bug.what, bug.file]}` |\n"
        for bug in bugs if (bug.what, bug.file) in found
    )  # fmt: skip
    return HEAD + "".join(rows)


if __name__ == "__main__":
    sys.exit(main())
