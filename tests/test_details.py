"""The table of details holds together: its code, its tests and its planted bugs are there."""

import ast
import importlib
import inspect
import sys
from functools import cache
from pathlib import Path

import pytest

from minirlhf import objectives

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "mutation"))
import details  # noqa: E402
import survivors  # noqa: E402

DETAILS = details.read()
BUGS = [bug for detail in DETAILS for bug in detail.bugs]


@cache
def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def resolve(symbol: str):
    module = details.source_of(symbol).removesuffix(".py").replace("/", ".")
    thing = importlib.import_module(module)
    for name in f"minirlhf.{symbol}".removeprefix(module).strip(".").split("."):
        thing = getattr(thing, name)
    return thing


@pytest.mark.parametrize("detail", DETAILS, ids=lambda detail: detail.text[:30])
def test_code_and_tests_of_a_detail_exist(detail):
    assert detail.code and detail.tests and detail.source and detail.bugs
    for symbol in detail.code:
        assert resolve(symbol) is not None
    for test in {test for entry in (detail, *detail.bugs) for test in entry.tests}:
        file, _, name = test.partition("::")
        assert name in functions(file) if name else functions(file), test


def test_no_equation_and_no_guard_is_missing():
    named = {symbol for detail in DETAILS for symbol in detail.code}
    equations = {
        f"objectives.{name}" for name, _ in inspect.getmembers(objectives, inspect.isfunction)
        if getattr(objectives, name).__module__ == objectives.__name__
    }  # fmt: skip
    guards = {
        f"{module}.{name}"
        for module in ("episodes", "pretrained", "data.tokenization")
        for name, thing in inspect.getmembers(importlib.import_module(f"minirlhf.{module}"))
        if name.startswith("check_") and thing.__module__ == f"minirlhf.{module}"
    }
    assert len(guards) >= 5
    assert equations | guards <= named


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_a_bug_can_be_planted(bug):
    source = (ROOT / "minirlhf" / bug.file).read_text("utf-8")
    planted = bug.planted(source)
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source))


def test_no_bug_is_there_twice():
    assert (
        len({bug.what for bug in BUGS}) == len({(b.file, b.old, b.new) for b in BUGS}) == len(BUGS)
    )


def test_the_pages_are_up_to_date():
    assert details.PAGE.read_text("utf-8") == details.page(DETAILS)
    results = (ROOT / "docs" / "mutants.md").read_text("utf-8")
    for bug in BUGS:
        assert f"| {bug.what} | `{bug.file}` | `" in results, f"run make mutants: {bug.what}"
    assert results.count("\n| ") == len(BUGS) + 1 and "nobody" not in results


def test_explained_survivors_are_of_the_code_as_it_is():
    page = survivors.PAGE.read_text("utf-8")
    for reason in survivors.read():
        assert reason.text in page, "run make mutmut"
        for change in reason.changes:
            function, *lines = change.splitlines()
            source = (ROOT / details.source_of(function)).read_text("utf-8")
            assert all(line[2:] in source for line in lines if line[0] == "-"), function
            assert change in page, "run make mutmut"
