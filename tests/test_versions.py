"""pyproject.toml, requirements-tested.txt and environment.yml say the same."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIRED = {
    requirement.name: requirement.specifier
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, texts)
}

# Colab's image of August 2026; the extras "lab" and "test" are not needed there.
COLAB = {
    "torch": "2.11.0",
    "transformers": "5.15.0",
    "tokenizers": "0.22.2",
    "datasets": "4.0.0",
    "accelerate": "1.14.0",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "ipywidgets": "7.7.1",
    "anywidget": "0.9.21",
}


def lines(name):
    text = (ROOT / name).read_text("utf-8")
    stripped = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def test_every_dependency_is_pinned_once_and_within_its_bound():
    pins = [Requirement(line) for line in lines("requirements-tested.txt")]
    assert [pin.name for pin in pins] == list(dict.fromkeys(pin.name for pin in pins))
    assert {pin.name for pin in pins} == set(REQUIRED)
    for pin in pins:
        (exact,) = pin.specifier
        assert exact.operator == "==", pin
        assert exact.version in REQUIRED[pin.name], pin


def test_the_oldest_set_is_the_lower_bounds():
    """So `make test-matrix` shows that pyproject.toml promises nothing that doesn't work."""
    pins = {pin.name: pin for pin in map(Requirement, lines("tests/requirements-oldest.txt"))}
    assert REQUIRED.keys() - pins.keys() <= {"jupyterlab"}  # no test imports it
    for name, pin in pins.items():
        (exact,), (bound,) = pin.specifier, REQUIRED[name]
        oldest = Version(bound.version)
        assert exact.operator == "==" and bound.operator == ">="
        assert Version(exact.version) == oldest, name


@pytest.mark.parametrize("name", COLAB)
def test_colab_is_accepted(name):
    assert COLAB[name] in REQUIRED[name]


def test_conda_installs_the_pinned_set():
    entries = [line.removeprefix("- ") for line in lines("environment.yml")]
    assert "-r requirements-tested.txt" in entries
    assert "-e ." in entries
    (python,) = (entry for entry in entries if entry.startswith("python="))
    assert python.partition("=")[2] in SpecifierSet(PROJECT["requires-python"])


def test_supported_pythons_are_listed():
    accepted = SpecifierSet(PROJECT["requires-python"])
    listed = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c}
    assert listed == {f"3.{minor}" for minor in range(9, 20) if f"3.{minor}" in accepted}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(f"python{version}" in makefile for version in listed)
