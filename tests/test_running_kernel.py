"""A package that is installed while the kernel runs, beside a clone of the same name: as on Colab.

Python takes the clone's folder for a package without files, until one is found on the path.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUP = (ROOT / "course" / "build" / "setup_cell.txt").read_text("utf-8")
KERNEL = """
import json, subprocess, sys, types
from pathlib import Path
cells, site, clone = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
sys.path[:0] = ["", str(site)]
shell = type("Shell", (), {"__module__": "google.colab._shell"})
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=shell)

def run_pip(*arguments):  # where pip and hatchling put things
    if "-e" in arguments:
        (site / "_minirlhf.pth").write_text(str(clone))  # read when Python starts
    else:
        (site / "minirlhf").symlink_to(clone / "minirlhf", target_is_directory=True)

subprocess.run = lambda command, check: run_pip(*command[3:])
for cell in cells:
    exec(cell)
"""
IMPORTED = "import minirlhf; print(minirlhf.__version__)"


@pytest.fixture
def kernel(tmp_path):
    """Run cells in a fresh Python, in a folder with a clone; returns what was printed."""
    site, clone = tmp_path / "site", tmp_path / "content" / "minirlhf"
    package = clone / "minirlhf"
    for folder in (site, package):
        folder.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = 'whole'")
    (package / "lesson.py").write_text("def begin(*_): print('begun')")

    def run(*cells: str) -> subprocess.CompletedProcess:
        order = [sys.executable, "-I", "-S", "-c", KERNEL, json.dumps(cells), site, clone]
        return subprocess.run(order, cwd=clone.parent, capture_output=True, text=True)

    return run


def readme_s_install() -> str:
    """The README's line for Colab, as a call of the simulated pip."""
    (line,) = re.findall(
        r"\*\*Colab:\*\* clone, then `%pip (.+?)`", (ROOT / "README.md").read_text()
    )
    return f"run_pip(*{line.split()!r})"


def test_what_the_readme_says_for_colab_works_in_the_running_kernel(kernel):
    done = kernel(readme_s_install(), IMPORTED)
    assert done.stdout == "whole\n", done.stderr


def test_an_editable_install_would_not(kernel):
    """Why the README has none."""
    done = kernel("run_pip('install', '-e', './minirlhf')", IMPORTED)
    assert "AttributeError: module 'minirlhf' has no attribute '__version__'" in done.stderr


@pytest.mark.parametrize("before", ["", "import minirlhf", readme_s_install()])
def test_the_first_cell_of_a_notebook_works_whatever_was_imported_before(before, kernel):
    cell = SETUP.replace("BEGIN", "'05'")
    done = kernel(before, cell, IMPORTED, cell)
    assert done.stdout == "begun\nwhole\nbegun\n", done.stderr


def test_a_folder_that_was_imported_before_the_package_came(kernel):
    """The first cell takes the package that is there now, and installs none."""
    cell = SETUP.replace("BEGIN", "'05'")
    done = kernel("import minirlhf", readme_s_install(), "del run_pip", cell, IMPORTED)
    assert done.stdout == "begun\nwhole\n", done.stderr
