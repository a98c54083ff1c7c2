"""Small models and data, a reference run from a terminal, a JupyterLab and a page."""

from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="pip install playwright")

from browser_lab import CHROMIUM, FLAGS, Lab
from browser_runs import terminal
from playwright.sync_api import sync_playwright
from tiny import DEMONSTRATIONS, DOCUMENTS, policy, tokenizer

from minirlhf.data.records import write_jsonl
from minirlhf.models import ScalarModel
from minirlhf.pretrained import save_model


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the notebooks lie: GPT-2-shaped random models with a byte tokenizer, and data."""
    place = tmp_path_factory.mktemp("lab")
    model = policy("gpt2", scale=2.0)
    save_model(model, tokenizer(), place / "policy")
    ScalarModel.from_policy(model, tokenizer()).save(place / "rm", tokenizer())
    write_jsonl(place / "prompts.jsonl", [{"prompt": row["prompt"]} for row in DEMONSTRATIONS])
    write_jsonl(place / "docs.jsonl", DOCUMENTS)
    return place


@pytest.fixture(scope="session")
def lab(folder, tmp_path_factory):
    server = Lab(folder, tmp_path_factory.mktemp("home"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def reference(folder, lab):
    """The run that nobody touches."""
    process = terminal(folder, "reference", lab)
    assert process.wait(300) == 0, (folder / "reference.terminal").read_text()
    return folder / "reference"
