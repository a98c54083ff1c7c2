"""Notebooks from masters: chapters, exercises and solutions, in English and in Chinese."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.build import code_words, limits, prose, staleness
from course.build.masters import Cell, Master
from course.build.settings import (
    FOLDERS,
    MEASURED,
    BuildError,
    archive,
    colab,
    github,
    read_json,
)
from minirlhf.lesson.languages import LANGUAGES

SETUP = (Path(__file__).parent / "setup_cell.txt").read_text("utf-8").strip()
SETUP_WORDS = {
    "# @title Set-up: nothing to do where minirlhf is installed; on Colab this installs it":
        "# @title 准备：装有 minirlhf 的地方什么也不用做；在 Colab 上由这一格安装",
    "# a folder of that name, a clone's, was taken for it":
        "# 误认了一个同名文件夹，即克隆的仓库",
    "minirlhf is not installed for this kernel. In a terminal, in the course's folder:  "
    '"{sys.executable}" -m pip install -e .':
        "这个内核没有安装 minirlhf。请在终端里，到课程的文件夹中运行：  "
        '"{sys.executable}" -m pip install -e .',
    "# Colab has all that it needs, and keeps it as it is":
        "# Colab 已有所需的一切，保持原样",
}  # fmt: skip
"""The Chinese of the first cell, as `code_words` has it."""
EMPTY_WORDS = {"# your code here": "# 在这里写代码", "# your answer here": "# 在这里写答案"}
"""The Chinese of what `empty` puts in an answer's place."""
STALE = "> （这一格的英文原文已有改动，译文尚未更新。）\n\n"
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}
"""How a code cell is stored whose code is closed at first: on Colab, and in Jupyter."""
CHINESE = r"[\u3400-\u9fff]"
WORDS_A_MINUTE, CHARACTERS_A_MINUTE = 180, 350
FACTS = {
    "en": {
        "paper": "Paper: {paper}",
        "reading": "reading: about {minutes} min",
        "running": "running: {minutes:.1f} min and {memory:.1f} GB on two CPU cores",
        "doing": "doing: about {minutes} min",
        "points": "{points} points",
    },
    "zh": {
        "paper": "论文：{paper}",
        "reading": "阅读：约 {minutes} 分钟",
        "running": "运行：{minutes:.1f} 分钟，{memory:.1f} GB（两个 CPU 核）",
        "doing": "动手：约 {minutes} 分钟",
        "points": "{points} 分",
    },
}


def kinds(master: Master) -> tuple[str, ...]:
    """What is built from a master."""
    return ("exercise", "solution") if master.kind == "exercise" else ("chapter",)


def place(master: Master, kind: str, language: str = "en") -> str:
    """The path of a built notebook, from the top folder."""
    folder = FOLDERS[kind] + ("/zh" if language == "zh" else "")
    return f"{folder}/{master.name}.ipynb"


def languages(master: Master) -> tuple[str, ...]:
    """The languages that a master is complete in."""
    return ("en", "zh") if master.is_translated else ("en",)


def assemble(master: Master, kind: str, language: str = "en") -> NotebookNode:
    """One notebook without outputs. Raises `BuildError` for text that may not be."""
    cells = [_built(master, cell, kind, language) for cell in master.shown(kind)]
    facts = new_markdown_cell(_facts(master, kind, language), id="facts")
    setup = new_code_cell(_setup(master, language), id="setup", metadata=FOLDED)
    notebook = new_notebook(cells=[cells[0], facts, setup, *cells[1:]])
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "minirlhf": {"code": staleness.code(sources)},
        }
    )
    if kind == "chapter":
        notebook.metadata.minirlhf["package"] = staleness.package(sources, language)
    nbformat.validate(notebook)
    return notebook


def _built(master: Master, cell: Cell, kind: str, language: str) -> NotebookNode:
    where = f"{master.path.name}, {cell.name}"
    if not cell.is_text:
        asked = cell.answer and kind == "exercise" and not cell.only
        source = empty(cell.source, where) if asked else cell.source
        if language == "zh":
            words = {**EMPTY_WORDS, **cell.words} if asked else cell.words
            source = code_words.translated(source, words, where)
        return new_code_cell(source, id=cell.name, metadata=FOLDED if cell.folded else {})
    prose.check_digits(cell.source, where)
    text = cell.source
    if language == "zh":
        prose.check_digits(cell.zh, f"{where} (zh)")
        text = prose.join_chinese(cell.zh)
        if cell.translation == "stale":
            text = STALE + text
    return new_markdown_cell(prose.fill(text, where, language), id=cell.name)


def _setup(master: Master, language: str) -> str:
    begin = f'"{master.key}"' + (f', language="{language}"' if language != "en" else "")
    setup = code_words.translated(SETUP, SETUP_WORDS if language == "zh" else {}, "setup_cell.txt")
    return setup.replace("ARCHIVE", archive()).replace("BEGIN", begin)


def _facts(master: Master, kind: str, language: str) -> str:
    """The generated cell under the title: badge, the other language, what it takes."""
    badge = "https://colab.research.google.com/assets/colab-badge.svg"
    links = [f"[![Open in Colab]({badge})]({colab(place(master, kind, language))})"]
    for other in languages(master):
        if other != language:
            links.append(f"[{LANGUAGES[other]}]({_beside(master, kind, other)})")
    return " · ".join(links) + "\n\n" + " · ".join(_costs(master, kind, language))


def _beside(master: Master, kind: str, other: str) -> str:
    """Where the same notebook stands in the other language.

    An exercise is worked on as a copy, which lies elsewhere: from there only a whole address leads.
    """
    if kind == "exercise":
        return github(place(master, kind, other))
    return f"zh/{master.name}.ipynb" if other == "zh" else f"../{master.name}.ipynb"


def _costs(master: Master, kind: str, language: str) -> Iterator[str]:
    say: Mapping[str, str] = FACTS[language]
    if paper := master.facts.get("paper"):
        yield say["paper"].format(paper=paper)
    yield say["reading"].format(minutes=reading_minutes(master, kind, language))
    if cost := read_json(MEASURED).get(master.key):
        minutes, memory = cost["seconds"] / 60, cost["peak_bytes"] / 2**30
        yield say["running"].format(minutes=minutes, memory=memory)
    if master.kind == "exercise":
        from minirlhf.grading import exercise

        asked = exercise(master.key)
        yield say["doing"].format(minutes=sum(question.minutes for question in asked))
        yield say["points"].format(points=sum(question.points for question in asked))
    elif minutes := master.facts.get("doing_minutes"):
        yield say["doing"].format(minutes=minutes)


def reading_minutes(master: Master, kind: str, language: str) -> int:
    """How long it takes to read: a chapter with its code, pictures and mathematics, to five minutes
    and in either language; of an exercise the text alone, as the rest is part of doing it.
    """
    if kind == "chapter":
        return max(5, 5 * round(limits.minutes(*limits.extent(master)) / 5))
    text = [cell for cell in master.shown(kind) if cell.is_text]
    sources = [cell.zh if language == "zh" else cell.source for cell in text]
    characters = sum(len(re.findall(CHINESE, source)) for source in sources)
    words = sum(prose.words(re.sub(CHINESE, " ", source)) for source in sources)
    return max(1, round(words / WORDS_A_MINUTE + characters / CHARACTERS_A_MINUTE))


def empty(source: str, where: str = "") -> str:
    """An answer cell without its answer: bodies of functions and values of names are left out.

    Signatures, docstrings and imports stay.
    """
    lines = source.splitlines()
    cuts = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if not body:
                raise BuildError(f"{where}: {node.name} holds no answer.")
            first = node.body[0].end_lineno + 1 if body is not node.body else body[0].lineno
            cuts.append((first, node.end_lineno, ["    ...  # your code here"]))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            left = f"{node.targets[0].id} = ...  # your answer here"
            cuts.append((node.lineno, node.end_lineno, [left]))
    if not cuts:
        raise BuildError(f"{where}: an answer cell defines a function or a name.")
    for first, last, new in reversed(cuts):
        lines[first - 1 : last] = new
    return "\n".join(lines)


def dumps(notebook: NotebookNode) -> str:
    """The file's text, the same every time."""
    text = nbformat.writes(notebook, version=4)
    return text if text.endswith("\n") else text + "\n"
