"""How the package is built: which way imports point, what stands where, and under which name."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minirlhf"
DATA = {".json", ".jsonl", ".safetensors", ".toml", ".jinja", ".css", ".md", ".js"}
LONG = 300
"""Lines: a file is read in a few screens; `paper.py` is data."""
TOWN = {"corpus", "phrases", "requests", "writer"}
"""What the town's people say, and how."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_no_import_points_back_up_and_none_in_a_circle():
    """The layers stand in pyproject.toml; they are the same with whatever versions."""
    pytest.importorskip("importlinter")
    command = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[done.stdout.find("Broken contracts") :]


def test_imports_are_absolute_and_by_the_package_s_name():
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_the_top_level_is_short():
    files = [path.name for path in PACKAGE.glob("*.py")]
    rooms = [path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.iterdir())]
    rooms = [name for name in rooms if name != "__pycache__"]
    assert len(files) <= 15 and len(rooms) <= 14, (files, rooms)


def test_every_room_says_what_is_in_it():
    for room in {path.parent for path in modules()} - {PACKAGE}:
        text = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))
        assert text, f"{room} has no guide: a docstring in its __init__.py"


def test_no_two_files_have_one_name():
    """But for the plain steps beside the engine's, and the banks of questions."""
    aside = {PACKAGE / "plain", PACKAGE / "grading" / "bank"}
    roots = [PACKAGE, ROOT / "course", ROOT / "benchmarks", ROOT / "tests"]
    names = Counter(
        path.name
        for root in roots
        for path in root.rglob("*.py")
        if path.parent not in aside
        and not path.name.startswith("__")
        and path.name != "conftest.py"
    )
    assert not [name for name, count in names.items() if count > 1]


def test_files_are_short():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in modules()}
    long = {path.stem for path, lines in lengths.items() if lines > LONG}
    assert long <= {"paper", *TOWN}
