"""The course: built from its masters, true to its style, runnable, traceable."""

import base64
import io
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from types import ModuleType, SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_output
from PIL import Image

from course.build import __main__ as build
from course.build import (
    assemble,
    atlas,
    execute,
    limits,
    overview,
    prose,
    settings,
    staleness,
    translations,
)
from course.build.masters import CITED, Cell, masters, read
from course.build.settings import ROOT, BuildError
from minirlhf import lesson, paper
from minirlhf.lesson import languages
from minirlhf.lesson.languages import Texts, fingerprint
from minirlhf.report import charts

MASTERS = masters()
CHAPTERS = [master for master in MASTERS if master.kind == "chapter"]
by_name = pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.name)
by_chapter = pytest.mark.parametrize("master", CHAPTERS, ids=lambda m: m.name)

SMALL = '''# %% title [markdown]
r"""
# Title

A first text of chapter 05.
"""

# %% title [markdown] lang="zh" of="{of}"
r"""
# 标题

第一段文字，
属于第 05 章。
"""

# %% code
x = 1  # a comment
print(x)
'''
ENGLISH = "# Title\n\nA first text of chapter 05."
OF = fingerprint(ENGLISH)


@pytest.fixture
def small(tmp_path):
    """A master of two cells, changed as asked."""

    def make(*changes, of=OF, name="05_small.py"):
        text = SMALL.format(of=of)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text, "utf-8")
        return read(tmp_path / name)

    return make


# ------------------------------------------------------------------------- what is committed


def test_everything_built_is_up_to_date(capsys):
    """Notebooks, exercises, solutions and the map: what `--check` says, and what is stale."""
    problems = list(build.problems(MASTERS))
    with capsys.disabled():
        for file, name, state in translations.due(MASTERS):
            print(f"translation {state}: {file}, {name}")
    assert problems == []


@pytest.mark.timeout(900)
@by_chapter
def test_a_chapter_runs_alone_from_top_to_bottom(master):
    """With fewer steps than in committed notebooks; and then once more in the same kernel, as its
    Chinese notebook if there is one: the code is the same, its words and pictures are others.
    """
    notebook = assemble.assemble(master, "chapter")
    again = assemble.assemble(master, "chapter", assemble.languages(master)[-1]).cells
    for cell in again:
        cell.id += "-again"
    notebook.cells += again
    cost = execute.execute(notebook, quick=True)
    assert list(execute.faults(notebook)) == []
    assert 0 < cost.peak_bytes < 2 * 2**30


@by_chapter
def test_a_committed_chapter_is_whole(master):
    for language in assemble.languages(master):
        path = ROOT / assemble.place(master, "chapter", language)
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        assert set(notebook.metadata) == {"kernelspec", "language_info", "minirlhf"}
        names = [cell.name for cell in master.cells]
        assert [c.id for c in notebook.cells] == [names[0], "facts", "setup", *names[1:]]
        text = path.read_text("utf-8")
        assert len(text.encode()) < 1_500_000 and "widget-view" not in text
        assert any("image/png" in o.get("data", {}) for cell in code for o in cell.outputs)


def test_a_quick_run_is_never_what_is_committed(monkeypatch):
    monkeypatch.setenv("MINIRLHF_QUICK", "1")
    seen = {}

    def look(notebook, **options):
        seen.update(options)
        raise BuildError("seen")

    monkeypatch.setattr(build.execute, "execute", look)
    monkeypatch.setattr(build, "keep_outputs", lambda *_: False)
    with pytest.raises(BuildError, match="seen"):
        build.build(CHAPTERS[0])
    assert not seen.get("quick")


def test_a_rebuild_leaves_everything_untouched(monkeypatch):
    monkeypatch.setattr(build.execute, "execute", lambda *_, **__: pytest.fail("it ran again"))
    files = [*ROOT.glob("notebooks/**/*.ipynb"), *ROOT.glob("exercises/**/*.ipynb")]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    assert len(before) >= 5
    for master in MASTERS:
        build.build(master)
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


# ------------------------------------------------------------------------- masters


def test_cell_ids_are_the_masters_names_and_inserting_one_changes_no_other(small):
    new = ("# %% code", "# %% new\ny = 2\n\n# %% code")
    one = assemble.assemble(small(), "chapter")
    other = assemble.assemble(small(new), "chapter")
    kept = [cell for cell in other.cells if cell.id != "new"]
    assert [c.id for c in one.cells] == ["title", "facts", "setup", "code"]
    assert kept == one.cells


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("%% code", "%% Code 1"), "is no name"),
        (("%% code", "%%"), "is no name"),
        (("%% code", "%% setup"), "generated cell"),
        (("%% code", "%% title"), "two cells are called 'title'"),
        (("%% code", '%% code answers="x"'), "unknown attribute 'answers'"),
        (('title [markdown] lang="zh"', 'other [markdown] lang="zh"'), "right under"),
        (("# Title\n", "Title\n"), "begins with the title"),
    ],
)
def test_a_broken_master_is_refused_with_its_place(small, change, said):
    with pytest.raises(BuildError, match=said) as error:
        small(change)
    assert "05_small.py" in str(error.value)


def test_translations_go_stale_with_their_english(small, monkeypatch):
    fresh, missing = small(), small(("A first text", "Another text"))
    assert fresh.cells[0].translation == "fresh" and fresh.is_translated
    assert missing.cells[0].translation == "stale"
    assert [d for d in translations.due([fresh]) if d.file == "05_small.py"] == []
    (due,) = (d for d in translations.due([missing]) if d.file == "05_small.py")
    assert due == ("05_small.py", "title", "stale")
    assert "译文尚未更新" in assemble.assemble(missing, "chapter", "zh").cells[0].source
    assert "译文尚未更新" not in assemble.assemble(fresh, "chapter", "zh").cells[0].source
    monkeypatch.setattr(translations, "text_files", lambda: pytest.fail("messages were looked at"))
    assert translations.stamp([missing], ["title"], files=[]) == 1
    assert read(missing.path).cells[0].translation == "fresh"


def test_line_breaks_alone_do_not_make_a_translation_stale(small):
    assert small(("A first text of", "A first\ntext of")).cells[0].translation == "fresh"


def test_a_chapter_without_translation_has_no_chinese_notebook(small):
    master = small()
    bare = type(master)(master.path, (*master.cells, Cell("end", "markdown", "The end.")))
    assert assemble.languages(master) == ("en", "zh")
    assert assemble.languages(bare) == ("en",)
    assert ("05_small.py", "end", "missing") in translations.due([bare])


EXERCISE = '''# %% title [markdown]
r"""
# Title

{question:rm.bias} {why:rm.bias}
"""

# %% title [markdown] lang="zh" of="{of}"
r"""
# 标题

{question:rm.bias} {why:rm.bias}
"""

# %% answer answer="rm.bias"
def reward_bias(scores):
    """What to add."""
    return -scores.mean()


letter = "C"

# %% answer lang="zh"
{
    "What to add.": "应加上的数。",
}
'''


def test_an_exercise_has_a_chinese_edition_too(monkeypatch, tmp_path):
    """The same cells and the same checks; what the question says of itself is Chinese as well."""
    monkeypatch.setenv("MINIRLHF_LANGUAGE", "zh")  # what is built doesn't hang on it
    path = tmp_path / "ex05_small.py"
    path.write_text(EXERCISE)
    master = read(path)
    assert assemble.place(master, "solution", "zh") == "solutions/zh/ex05_small.ipynb"
    built = {
        (kind, language): assemble.assemble(master, kind, language)
        for kind in assemble.kinds(master)
        for language in assemble.languages(master)
    }
    assert len(built) == 4 and languages.language() == "zh"
    say = Texts(ROOT / "minirlhf" / "grading" / "messages.toml").entries
    for (kind, language), notebook in built.items():
        title, facts, setup, answer = notebook.cells
        for part in ("objective", "why"):
            assert say[f"rm.bias.{part}"][language] in title.source
        other = assemble.place(master, kind, "en" if language == "zh" else "zh")
        link = settings.github(other) if kind == "exercise" else other.partition("/")[2]
        assert f"]({link})" in facts.source or f"](../{link})" in facts.source
        assert ('language="zh"' in setup.source) == (language == "zh")
        assert ("scores.mean()" in answer.source) == (kind == "solution")
    assert built["exercise", "zh"].cells[-1].source == (
        'def reward_bias(scores):\n    """应加上的数。"""\n    ...  # 在这里写代码\n\n\n'
        "letter = ...  # 在这里写答案"
    )


def test_chinese_lines_are_joined_without_spaces(small):
    source = assemble.assemble(small(), "chapter", "zh").cells[0].source
    assert "第一段文字，属于第 05 章。" in source


def test_messages_go_stale_too(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        f'[a.b]\nen = "One"\nzh = "一"\nof = "{fingerprint("One")}"\n'
        '[a.c]\nen = "Two"\nzh = "二"\nof = "0"\n[d]\nen = "Three"\n'
    )
    assert list(Texts(path).stale()) == [("a.c", "stale"), ("d", "missing")]
    assert translations._stamp_file(path, ["a.c"]) == 1
    assert list(Texts(path).stale()) == [("d", "missing")]
    assert tomllib.loads(path.read_text())["a"]["b"]["zh"] == "一"


def test_all_messages_of_the_package_are_translated():
    files = translations.text_files()
    assert {path.name for path in files} >= {"messages.toml", "lesson.toml"}
    for path in files:
        assert list(Texts(path).stale()) == [], path


# ------------------------------------------------------------------------- prose


@pytest.mark.parametrize(
    "text",
    [
        "See §3.5, Eq. 1, Eqs. 1 and 2, Table 6, Fig. 1 and Appendix C.2, in chapter 05 or ex05.",
        "Step 2 of the paper; steps 1, 2 and 3; exercise 04; Figures 2–4; §§3.2–3.5.",
        "GPT-3, GPT-2 and k3 by Ouyang et al. (2022), as in Stiennon et al., 2020.",
        "Where $K=4$ and `beta = 0.02`:\n\n$$\\gamma = 27.8$$\n\n```python\nx = 1\n```",
        "1. one\n2. two",
        "{paper:rm.k.min} of {paper:rm.k.max:.1f}; [text](05_x.ipynb#part-2) <td width=3>",
        "论文的第 2 步，式 1，表 6，图 2，§3.5，C.2，第 05 章。",
    ],
)
def test_numbers_of_things_are_free(text):
    prose.check_digits(text, "here")


@pytest.mark.parametrize(
    "text",
    ["It took 3 minutes.", "85% preferred it.", "about 1.3B", "K is 4 here", "用了 3 分钟。",
     "２次", "Eq. 1 has 12 terms", "in 2022", "3x faster", "(40 people)"],
)  # fmt: skip
def test_a_typed_number_is_refused(text):
    with pytest.raises(BuildError, match="here: a number is typed"):
        prose.check_digits(text, "here")


def test_a_typed_number_fails_the_build(small):
    with pytest.raises(BuildError, match=r"title: a number is typed into the text, near .*7 days"):
        assemble.assemble(small(("A first text", "In 7 days, a text")), "chapter")
    with pytest.raises(BuildError, match=r"title \(zh\)"):
        assemble.assemble(small(("第一段文字", "第一段 7 文字")), "chapter", "zh")


def test_numbers_come_from_the_papers_and_the_runs_data(monkeypatch):
    run = {"reward": {"accuracy": {"mean": 0.7049, "low": 0.68, "high": 0.73}, "pairs": 12000}}
    monkeypatch.setattr(prose, "run", lambda: run)
    text = "{paper:ppo.beta} {paper:ppo.beta:.3f} {run:reward.accuracy:.1%} {run:reward.pairs:,}"
    assert prose.fill(text, "here") == "0.02 0.020 70.5% 12,000"
    assert prose.fill("{run:reward.accuracy.low}", "here") == "0.68"
    assert "difficulty ●●●" in prose.fill("{question:rm.ranking_loss}", "here")
    for missing in ("{paper:ppo.betta}", "{run:reward.loss}", "{question:rm.x}", "{run:reward}"):
        with pytest.raises(BuildError, match=r"here: .* can't be filled"):
            prose.fill(missing, "here")


# ------------------------------------------------------------------------- fingerprints, outputs


def test_comments_and_docstrings_are_no_code():
    one = '"""Doc."""\n\ndef f(x):\n    """What f does:\n    nothing."""\n    return "#x"  # why\n'
    other = 'def f(x):\n\n    return "#x"\n'
    assert staleness.bare(one) == staleness.bare(other)
    assert staleness.code([one]) != staleness.code([one.replace("#x", "#y")])
    assert staleness.code(["a = 1", "b = 2"]) != staleness.code(["a = 1\nb = 2"])


def test_the_package_behind_a_notebook_is_what_it_imports(monkeypatch, tmp_path):
    package = tmp_path / "minirlhf"
    for name, text in {
        "__init__.py": "",
        "one.py": "from minirlhf import data\ndef f():\n    from minirlhf.deep import two\n",
        "deep/__init__.py": "",
        "deep/two.py": "x = 1, 'data.json'  # a number\n".replace("'", '"'),
        "deep/data.json": "{}",
        "deep/page.html": "of a module that isn't imported",
        "data/__init__.py": "",
        "data/run/log.jsonl": "{}",
        "data/run/page.js": "drawn in a browser",
        "other.py": "",
    }.items():
        (package / name).parent.mkdir(exist_ok=True, parents=True)
        (package / name).write_text(text)
    monkeypatch.setattr(staleness, "ROOT", tmp_path)
    monkeypatch.setattr(staleness, "PACKAGE", package)

    def now():
        staleness._imports_of.cache_clear()
        return staleness.package(["from minirlhf import one"])

    first = now()
    (package / "other.py").write_text("x = 2")
    (package / "deep/two.py").write_text('x = 1, "data.json"  # better words\n')
    (package / "deep/page.html").write_text("other words")
    (package / "data/run/page.js").write_text("drawn otherwise")
    assert now() == first
    changes = {"deep/data.json": "[]", "deep/two.py": "x = 2", "data/run/log.jsonl": "[]"}
    for name, text in changes.items():
        before = now()
        (package / name).write_text(text)
        assert now() != before
    staleness._imports_of.cache_clear()


def executed(source, tmp_path, **options):
    path = tmp_path / "05_run.py"
    path.write_text(f'# %% title [markdown]\n"""\n# T\n"""\n\n# %% cell\n{source}\n', "utf-8")
    notebook = assemble.assemble(read(path), "chapter")
    execute.execute(notebook, **options)
    return notebook, notebook.cells[-1].outputs


def test_outputs_are_cleaned_and_judged(tmp_path):
    """A real kernel: widgets leave nothing, places have no names, and nothing else is lost."""
    source = """
import os, sys
import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure
from minirlhf import lesson, paper
display(ipywidgets.IntSlider())
print("at", os.getcwd()); print(lesson.workspace("runs"))
print(sys.prefix, lesson.PACKAGE)
print("steps", lesson.pick(400, quick=20), os.environ["HF_HUB_OFFLINE"])
lesson.show(Figure(), "an empty figure")
"""
    notebook, outputs = executed(source, tmp_path, quick=True)
    assert [o.output_type for o in outputs] == ["stream", "display_data"]
    assert outputs[0].text.splitlines() == [
        "at work", "work/runs", "python ./minirlhf", "steps 20 1",
    ]  # fmt: skip
    assert outputs[1].metadata["image/png"] == {"alt": "an empty figure", "width": 640}
    assert list(execute.faults(notebook)) == []
    assert "steps 400" in executed(source, tmp_path)[1][0].text


def test_pictures_are_stored_with_a_palette_and_look_alike():
    figure, axes = lesson.panels(1, "A title")
    axes.plot(range(9), color=charts.PALETTE["sft"])
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=200, facecolor="white")
    before = base64.b64encode(file.getvalue()).decode()
    after = execute.smaller(before)
    assert len(after) < 0.6 * len(before)
    one, two = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), dtype=int)
        for png in (before, after)
    )
    assert one.shape == two.shape and np.abs(one - two).max() <= 24


def test_a_cell_that_fails_fails_the_build(tmp_path):
    with pytest.raises(BuildError, match="ZeroDivisionError"):
        executed("1 / 0", tmp_path)


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (new_output("stream", name="stdout", text="in /home/ada/x"), "a path of the machine"),
        (new_output("stream", name="stdout", text="C:\\Users\\ada"), "a path of the machine"),
        (new_output("stream", name="stderr", text="careful"), "prints a warning"),
        (new_output("display_data", data={"image/png": "AAAA"}), "without alt text"),
        (new_output("display_data", data={execute.WIDGET: {}}), "stores a widget"),
        (new_output("error", ename="E", evalue="", traceback=[]), "ends in an error"),
    ],
)
def test_faults_of_an_output_are_named(small, output, fault):
    notebook = assemble.assemble(small(), "chapter")
    assert list(execute.faults(notebook)) == []
    notebook.cells[-1].outputs = [output]
    (found,) = execute.faults(notebook)
    assert fault in found and found.startswith("code ")


def test_a_heavy_notebook_is_refused(small, tmp_path):
    notebook = assemble.assemble(small(), "chapter")
    notebook.cells[-1].outputs = [new_output("stream", name="stdout", text="x" * 2_000_000)]
    with pytest.raises(BuildError, match=r"2\.0 MB"):
        build.refuse(tmp_path / "x.ipynb", notebook)


# ------------------------------------------------------------------------- the empty answer


def test_an_empty_answer_keeps_everything_but_the_answer():
    full = '''import torch


def f(
    x, y=2
):
    """What f does.

    In two lines.
    """
    z = x + y
    return z


answer = 3 * (
    2 + 1
)'''
    empty = '''import torch


def f(
    x, y=2
):
    """What f does.

    In two lines.
    """
    ...  # your code here


answer = ...  # your answer here'''
    assert assemble.empty(full) == empty
    bare = "def g(x): # comment\n    return x"
    assert assemble.empty(bare) == "def g(x): # comment\n    ...  # your code here"
    for nothing in ("x", 'def f():\n    """Doc."""'):
        with pytest.raises(BuildError):
            assemble.empty(nothing)


# ------------------------------------------------------------------------- the first cell


class Shell:
    """A kernel's shell, ours or Colab's."""

    def __init__(self, module):
        self.__class__ = type("Shell", (), {"__module__": module})


@pytest.fixture
def first_cell(monkeypatch):
    """Run the generated cell as if the package were (or weren't) there; returns pip's commands."""

    def run(installed, module, key="05"):
        commands, begun = [], []
        spec = SimpleNamespace(origin="…") if installed else None
        fake = ModuleType("IPython")
        fake.get_ipython = lambda: Shell(module)
        monkeypatch.setitem(sys.modules, "IPython", fake)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
        monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
        monkeypatch.setattr(lesson, "begin", lambda *a, **k: begun.append((a, k)))
        master = next(master for master in MASTERS if master.key == key)
        exec(assemble._setup(master, "en"), {})
        assert begun == [((key,), {})]
        return commands

    return run


def test_the_first_cell_is_the_same_everywhere_but_for_its_name():
    cells = {re.sub(r"begin\(.*\)", "", assemble._setup(master, "en")) for master in MASTERS}
    assert len(cells) == 1
    for master in MASTERS:
        notebook = assemble.assemble(master, assemble.kinds(master)[0])
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        assert first.id == "setup" and f'lesson.begin("{master.key}")' in first.source


def test_the_first_cell_installs_nothing_where_the_package_is(first_cell):
    for module in ("ipykernel.zmqshell", "google.colab._shell"):
        assert first_cell(installed=True, module=module) == []


def test_the_first_cell_installs_the_package_alone_on_colab(first_cell):
    (command,) = first_cell(installed=False, module="google.colab._shell")
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "--no-deps" in command and "--upgrade" not in command
    assert command[-1] == f"minirlhf @ {settings.archive()}"


def test_the_first_cell_says_what_to_do_elsewhere(first_cell):
    with pytest.raises(ModuleNotFoundError, match=r"-m pip install -e \."):
        first_cell(installed=False, module="ipykernel.zmqshell")


def test_begin_tells_machine_and_cost(monkeypatch, capsys):
    monkeypatch.setattr(languages, "_chosen", [])
    monkeypatch.setattr(lesson, "measured", lambda: {"05": {"seconds": 90, "peak_bytes": 2**30}})
    lesson.begin("05")
    assert re.fullmatch(r"Device: .+, (fp32|bf16|fp16); .+ GB of memory free\.\n"
                        r"All cells of this page took 1\.5 minutes and 1\.0 GB.*\n",
                        capsys.readouterr().out)  # fmt: skip
    lesson.begin("05", language="zh")
    assert "设备" in capsys.readouterr().out
    lesson.begin("99", language="en")
    assert "All cells" not in capsys.readouterr().out


def test_badges_and_install_line_come_from_one_setting(monkeypatch):
    monkeypatch.setattr(settings, "published", lambda: {"repository": "ada/rlhf", "tag": "v2"})
    text = assemble.dumps(assemble.assemble(CHAPTERS[0], "chapter"))
    assert "https://github.com/ada/rlhf/archive/v2.zip" in text
    assert "colab.research.google.com/github/ada/rlhf/blob/v2/notebooks/" in text
    assert settings_of("course.toml")["repository"] not in text


def test_colab_is_told_by_its_shell_alone(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")  # Kaggle sets it, too
    fake = ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", fake)
    for module, colab in (("ipykernel.zmqshell", False), ("google.colab._shell", True)):
        fake.get_ipython = lambda module=module: Shell(module)
        assert lesson.on_colab() is colab
    monkeypatch.delitem(sys.modules, "IPython")
    assert lesson.on_colab() is False


def test_the_workspace_lies_in_the_clone_or_here(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIRLHF_WORK", raising=False)
    monkeypatch.chdir(tmp_path)
    assert lesson.workspace() == tmp_path / "work"
    for name in ("clone/course", "clone/minirlhf", "clone/notebooks"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clone" / "notebooks")
    assert lesson.workspace("a", "b.json") == tmp_path / "clone" / "work" / "a" / "b.json"
    assert (tmp_path / "clone" / "work" / "a").is_dir()


# ------------------------------------------------------------------------- style


def test_the_palette_of_the_style_page_is_the_packages():
    page = (ROOT / "course" / "STYLE.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `(#[0-9a-f]{6})` \| (.+?) \|$", page, re.MULTILINE)
    assert {name: color for name, color, _ in rows} == charts.PALETTE
    assert {name: called for name, _, called in rows} == charts.NAMES
    for name in ("WIDE", "SMALL"):
        width, height = getattr(lesson, name)
        assert f"`lesson.{name}` ({width} × {height}" in " ".join(page.split())


@by_chapter
def test_a_chapter_keeps_to_the_limits_of_the_style_page(master):
    assert list(limits.broken(master)) == []


def parts(*headings):
    return ("A first text", "".join(f"## {heading}\n" for heading in headings) + "\nA text")


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        (("A first text", "word " * 2396), "05", None),
        (("A first text", "word " * 2397), "05", "has 2,401 words, more than 2,400"),
        (("A first text", "word " * 3496), "06", None),
        (("A first text", "word " * 3497), "06", "3,501 words, more than 3,500"),
        (parts(*"abcdefgh"), "05", "8 sections, more than 7"),
        (parts(*"abcdefg", "Summary", "Questions", "The way on"), "05", None),
        (("print(x)", "print(x)\nprint(x)"), "05", "33% of the shown code lines compute"),
        (("print(x)", 'print(x)\n\n# %% b folded="yes"\nprint(x)'), "05", None),
        (("print(x)", "x\n" * 18), "05", "code: 19 lines, more than 18"),
        (("print(x)", "y.backward()\n" * 19), "05", None),
        (("print(x)", "y.backward()\n" * 20), "05", "code: 21 lines, more than 20"),
        (("A first text", "It holds\nzero"), "05", "say it as a person would"),
        (("print(x)", "y = " + "1" * 73), "05", "code: a line is wider than 76"),
    ],
)
def test_each_limit_is_noticed(small, change, key, said):
    found = list(limits.broken(small(change, name=f"{key}_small.py")))
    assert len(found) == bool(said) and all(said in line for line in found)


def test_lines_that_compute_are_told_from_those_that_show():
    cells = [
        "import torch\nfrom minirlhf import lesson\nfrom minirlhf.widgets import Prediction, start",
        "steps = lesson.pick(400, quick=2)\njob = start('rm', lesson.workspace('x'))  # compute",
        "figure, axes = lesson.panels(1, 'T')\nfor a in axes:\n    a.plot(\n        [1],\n    )",
        'def f(x):\n    """Says x."""\n    # why\n    print(x)\n\nf(1)\nrow = f\'{steps}\'',
        "for i in range(3):\n    loss = i ** 2\n    lesson.table((), [loss])",
        "guess = Prediction('?', 'k')\nguess",
    ]
    computes = 2 + 0 + 0 + 2  # the loop's head goes with the line of it that computes
    shows = 5 + 4 + 1 + 2
    assert limits.computing(cells) == computes / (computes + shows)


def test_the_minutes_of_reading_are_those_of_readers_by_least_squares():
    extents = np.array([extent for extent, _ in limits.READ.values()], float)
    taken = np.array([minutes for _, minutes in limits.READ.values()], float)
    fitted = 60 * np.linalg.lstsq(extents, taken, rcond=None)[0]
    stated = [limits.WORD_SECONDS, limits.SYMBOL_SECONDS]
    np.testing.assert_allclose(fitted, stated, atol=0.05)
    for extent, minutes in limits.READ.values():
        assert abs(limits.minutes(*extent) - minutes) < 12.5


def test_mathematics_lengthens_a_chapter_more_than_words_and_no_exercise(small):
    one, other = small(), small(("A first text", "A first text " + "$x$ " * 10))
    assert limits.minutes(*limits.extent(other)) - limits.minutes(*limits.extent(one)) == (
        pytest.approx(10 * (1.01 + 82.5) / 60)
    )
    assert [assemble.reading_minutes(m, "chapter", "zh") for m in (one, other)] == [5, 15]
    assert assemble.reading_minutes(other, "solution", "en") == 1


def test_a_folded_cell_is_closed_at_first_and_its_lines_are_not_shown(small):
    master = small(("# %% code", '# %% code folded="yes"'))
    *_, cell = assemble.assemble(master, "chapter").cells
    assert cell.metadata == assemble.FOLDED
    assert not limits.shown(master) and len(limits.shown(small())) == 1


def settings_of(name):
    return tomllib.loads((ROOT / "course" / name).read_text("utf-8"))


GLOSSARY = settings_of("glossary.toml")["term"]


def forms(term):
    return [term["en"], *term.get("also", [])]


def says(text, term):
    """Whether a text, headings, code and keys of numbers apart, uses a term in any of its forms."""
    text = prose.PLACEHOLDER.sub(" ", text)
    text = re.sub(
        r"^#.*$", " ", re.sub(r"```.*?```", " ", text, flags=re.DOTALL), flags=re.MULTILINE
    )
    text = " ".join(re.sub(r"`[^`]*`|\]\([^)]*\)", " ", text).split())
    return any(re.search(rf"(?<![\w-]){re.escape(form)}s?(?![\w-])", text, re.IGNORECASE)
               for form in forms(term))  # fmt: skip


def early(chapters):
    """Each term that appears before a cell defines it, with the cell."""
    defined = set()
    for chapter in chapters:
        for cell in chapter.cells:
            defined |= set(cell.defines)
            if cell.is_text:
                for term in GLOSSARY:
                    if term["en"] not in defined and says(cell.source, term):
                        yield chapter.name, cell.name, term["en"]


def test_no_term_appears_before_the_cell_that_defines_it():
    assert list(early(CHAPTERS)) == []


def test_an_early_term_is_noticed(small):
    master = small(("A first text", "Two reward models and their `policy`"))
    assert list(early([master])) == [("05_small", "title", "reward model")]


def test_the_glossary_is_whole_and_defines_what_cells_claim_to_define():
    names = [term["en"] for term in GLOSSARY]
    assert len(set(names)) == len(names)
    for term in GLOSSARY:
        assert term["zh"] and term["definition"]["en"] and term["definition"]["zh"]
    for master in MASTERS:
        for cell in master.cells:
            for term in cell.defines:
                assert term in names
                assert says(cell.source, next(t for t in GLOSSARY if t["en"] == term)), cell.name


@by_name
def test_text_avoids_what_the_style_page_bans(master):
    text = " ".join(cell.source for cell in master.cells if cell.is_text)
    assert not re.search(r"\b(simply|obviously|let's|just)\b|!(?!\[)", text, re.IGNORECASE)


# ------------------------------------------------------------------------- the map


def test_nothing_is_an_orphan():
    assert list(atlas.orphans(MASTERS)) == []
    found = atlas.rows(MASTERS)
    assert {row.section for row in found} >= {"§3.5", "Eq. 1"}
    (eq1,) = (row for row in found if row.section == "Eq. 1")
    assert "objectives.ranking_loss" in {symbol.short for symbol in eq1.symbols}
    assert "rm.ranking_loss" in {question.key for question in eq1.exercises}
    (symbol,) = (s for s in eq1.symbols if s.short == "objectives.ranking_loss")
    assert "test_objectives.py" in atlas.tests(symbol)


def test_orphans_are_found(small, monkeypatch):
    lost = small(("# Title\n", "# Title (§9.9)\n"), of="0")
    assert any("§9.9 is in a chapter" in found for found in atlas.orphans([lost]))
    chapter = small(("# Title\n", "# Title (Eq. 1)\n"), of="0")
    without = [m for m in MASTERS if m.kind == "exercise"]
    found = list(atlas.orphans([chapter, *without]))
    assert any("rm.bias cites §3.5, which 05_small doesn't treat" in line for line in found)
    monkeypatch.setattr(atlas, "tests", lambda symbol: ())
    assert any("no test names it" in line for line in atlas.orphans([chapter]))


# ------------------------------------------------------------------------- the command


def test_measured_minutes_are_stated_apart_from_reading_and_doing(monkeypatch, tmp_path):
    monkeypatch.setattr(assemble, "MEASURED", tmp_path / "measured.json")
    (master,) = (master for master in CHAPTERS if master.key == "05")
    costs = json.dumps({"05": {"seconds": 150, "peak_bytes": 3 * 2**29}})
    (tmp_path / "measured.json").write_text(costs)
    facts = assemble._facts(master, "chapter", "en")
    assert re.search(r"reading: about \d+ min · running: 2\.5 min and 1\.5 GB", facts)
    assert f"doing: about {master.facts['doing_minutes']} min" in facts


def test_measuring_writes_only_what_was_measured(monkeypatch, tmp_path):
    path = tmp_path / "measured.json"
    path.write_text('{"99": {"seconds": 5, "peak_bytes": 1}}')
    monkeypatch.setattr(build, "MEASURED", path)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "refuse", lambda path, notebook: None)
    cost = execute.Cost(61.6, 2**30)
    monkeypatch.setattr(build.execute, "execute", lambda notebook: cost)
    build.measure(CHAPTERS)
    assert len(list(tmp_path.rglob("*.ipynb"))) == len(CHAPTERS)  # what ran is kept
    written = json.loads(path.read_text())
    assert written["99"] == {"seconds": 5, "peak_bytes": 1}
    assert written[CHAPTERS[0].key] == {"seconds": 62, "peak_bytes": 2**30}
    for slow in (execute.Cost(241.0, 2**30), execute.Cost(60.0, 3 * 2**30)):
        monkeypatch.setattr(build.execute, "execute", lambda notebook, slow=slow: slow)
        with pytest.raises(settings.BuildError, match="that a chapter may have"):
            build.measure(CHAPTERS)


def test_the_readme_has_a_row_for_each_chapter_and_keeps_all_else():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert overview.inserted(readme, MASTERS) == readme
    rows = [row for row in overview.table(MASTERS).splitlines() if "notebooks/" in row]
    assert len(rows) == len(CHAPTERS)
    for chapter, row in zip(CHAPTERS, rows, strict=True):
        assert f"{chapter.name}.ipynb" in row and chapter.facts["paper"] in row
        assert (f"ex{chapter.key}" in row) == any(m.key == f"ex{chapter.key}" for m in MASTERS)


def test_a_chapter_that_was_not_measured_has_a_dash(monkeypatch, tmp_path):
    (tmp_path / "measured.json").write_text("{}")
    monkeypatch.setattr(overview, "MEASURED", tmp_path / "measured.json")
    assert all("min | – |" in row for row in overview.table(CHAPTERS).splitlines()[2:])


@pytest.mark.parametrize("readme", ["no table", f"{overview.END} {overview.BEGIN}"])
def test_a_readme_without_a_place_for_the_table_is_refused(readme):
    with pytest.raises(settings.BuildError, match="the table stands between"):
        overview.inserted(readme, MASTERS)


def test_a_link_to_a_chapter_that_does_not_exist_is_found(small):
    notebook = assemble.assemble(
        small(("A first text", "[next](06_ppo_missing.ipynb) and [far](https://x.org/y)")),
        "chapter",
    )
    found = list(build._broken_links(ROOT / "notebooks" / "x.ipynb", notebook))
    assert [line.rpartition(" ")[2] for line in found] == [
        "06_ppo_missing.ipynb",
        "zh/05_small.ipynb",  # the other language, which was never built
    ]


# ------------------------------------------------------------------------- what is predicted

DIRECTIONS = settings_of("directions.toml")["direction"]


def test_the_directions_are_whole_and_cite_the_paper_where_it_speaks():
    """Each is of one form, and each of its numbers stands where it says."""
    known = set(CITED.findall(" ".join(number.where for number in paper.NUMBERS.values())))
    known |= {row.section for row in atlas.rows(MASTERS)}
    ids = [direction["id"] for direction in DIRECTIONS]
    assert len(set(ids)) == len(ids) and ids == sorted(ids, key=lambda name: name[:2])
    for direction in DIRECTIONS:
        name, where = direction["id"], direction["where"]
        planned = ["id", "paper", "where", "measured", "refuted", "seeds"]
        assert list(direction) in (planned, [*planned, "ran"]), name
        assert direction.get("ran") != direction["seeds"], name
        assert re.fullmatch(r"\d\d\.[a-z]+(-[a-z]+)*", name) and direction["seeds"] >= 1
        assert CITED.findall(where) and set(CITED.findall(where)) <= known, name
        places = set(where.split(", "))
        for source, key, _ in prose.PLACEHOLDER.findall(direction["paper"]):
            assert source == "paper", name
            assert places & set(paper.cite(key).where.removeprefix("Post, for ").split(", ")), key


def test_the_directions_tell_no_outcome():
    """The paper's numbers are filled in from its data; of ours there are none yet."""
    for direction in DIRECTIONS:
        assert prose.fill(direction["paper"], direction["id"])
        for part in ("paper", "measured", "refuted"):
            prose.check_digits(direction[part], direction["id"])
            assert part == "paper" or not prose.PLACEHOLDER.search(direction[part])


def test_each_core_chapter_has_its_directions():
    of = Counter(direction["id"][:2] for direction in DIRECTIONS)
    assert set(of) == {"00", "04", "05", "06", "07"}
    assert of.pop("00") == 5 and all(8 <= count <= 14 for count in of.values())
