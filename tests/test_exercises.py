"""Exercises as they are handed out: nothing for an empty one, everything for the solution."""

import ast
import re
from functools import cache

import nbformat
import pytest
import torch
from altered_solutions import mutants
from answers import RIGHT

from course.build import staleness
from course.build.assemble import languages, place
from course.build.masters import masters
from course.build.settings import ROOT
from minirlhf import objectives
from minirlhf.errors import MinirlhfError
from minirlhf.grading import diagnosis, exercise, question, questions, trial
from minirlhf.grading.messages import say
from minirlhf.grading.question_kinds import FunctionQuestion, Verdict
from minirlhf.randomness import generator

EXERCISES = [master for master in masters() if master.kind == "exercise"]
EDITIONS = [(master, language) for master in EXERCISES for language in languages(master)]
by_edition = pytest.mark.parametrize(
    ("master", "language"), EDITIONS, ids=[f"{master.name}-{said}" for master, said in EDITIONS]
)
MUTANTS, WIDE = 30, 40
SHARE = 0.95


@pytest.fixture(autouse=True)
def workspace(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIRLHF_WORK", str(tmp_path))
    monkeypatch.setattr("minirlhf.lesson.languages._chosen", [])


def verdicts(master, kind, language):
    """Run a built notebook's code in this process; returns what its check cells say."""
    notebook = nbformat.read(ROOT / place(master, kind, language), as_version=4)
    space, found = {"__name__": "student"}, []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if cell.id.endswith("-check"):
            found.append(eval(cell.source, space))
        else:
            exec(compile(cell.source, cell.id, "exec"), space)
    return found


@by_edition
def test_an_untouched_exercise_gets_no_points_and_does_not_crash(master, language):
    found = verdicts(master, "exercise", language)
    assert [v.key for v in found] == [q.key for q in exercise(master.key)]
    assert all(isinstance(v, Verdict) and v.points == 0 for v in found)
    for verdict in found:
        bug = verdict.key.endswith(".bug")
        assert (
            verdict.mistake == "as-found"
            if bug
            else verdict.mistake in ("unwritten", "no-guess", "untrained")
        )


@by_edition
def test_a_solution_gets_full_marks(master, language):
    for verdict in verdicts(master, "solution", language):
        assert verdict.right and verdict.points == verdict.out_of, verdict
        assert say.entries[f"{verdict.key}.why"][language] in verdict.message


@pytest.mark.parametrize("master", EXERCISES, ids=lambda m: m.name)
def test_a_solution_says_why(master):
    """Under every answer, and in the solution alone."""
    names = {cell.name for cell in master.shown("solution")}
    asked = {c.name.removesuffix("-answer") for c in master.shown("solution") if c.answer}
    assert {f"{name}-why" for name in asked} <= names
    assert not any(cell.name.endswith("-why") for cell in master.shown("exercise"))


@by_edition
def test_an_exercise_shows_no_answer(master, language):
    """No line of an answer's body stands in the exercise."""
    handed_out = (ROOT / place(master, "exercise", language)).read_text("utf-8")
    bodies = [c.source for c in master.cells if c.answer and not c.only]
    for line in (line.strip() for body in bodies for line in body.splitlines()):
        if line.startswith(("return ", "predicted = ", "letter = ")):
            assert line not in handed_out
    assert "**Why.**" not in handed_out and "**为什么？**" not in handed_out


@by_edition
def test_both_editions_have_the_same_cells_and_the_same_code(master, language):
    for kind in ("exercise", "solution"):
        english, other = (
            nbformat.read(ROOT / place(master, kind, one), as_version=4).cells
            for one in ("en", language)
        )
        assert [cell.id for cell in english] == [cell.id for cell in other]
        for one, two in zip(english[3:], other[3:], strict=True):
            if one.cell_type == "code":
                assert staleness.bare(one.source) == staleness.bare(two.source)


# --------------------------------------------------------------------------- mutants


@cache
def solutions():
    """The source of every answer that is a function, by its question."""
    return {
        cell.answer: re.sub(r"^(import|from) .*\n", "", cell.source, flags=re.MULTILINE)
        for master in EXERCISES
        for cell in master.shown("solution")
        if cell.answer and isinstance(question(cell.answer), FunctionQuestion)
    }


def made(source):
    """The function that a source defines, among those of the stages of the loop."""
    space = {"torch": torch, "F": torch.nn.functional, "objectives": objectives}
    space["pad_sequence"] = torch.nn.utils.rnn.pad_sequence
    for key, stage in solutions().items():
        if key.startswith("loop."):
            exec(compile(stage, key, "exec"), space)
    exec(compile(source, "mutant", "exec"), space)
    (function,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return space[function.name]


def equivalent(q, function):
    """Whether a mutant is no mistake: as the reference on many more inputs, gradients included."""
    for n in range(WIDE):
        case = q.inputs(generator(n, "wide", q.key))
        one, other = trial.run(q, function, case), trial.run(q, q.reference, case)
        if not (diagnosis.same(one, other) and diagnosis.same_gradients(one, other)):
            return False
    return True


def test_mutants_of_the_solutions_are_refused(capsys):
    """The table is printed, with every mutant that slips through."""
    lines, refused_all, counted_all = [], 0, 0
    for key, source in solutions().items():
        q = question(key)
        assert q.verdict(made(source)).right
        changed = mutants(source, MUTANTS)
        assert len(changed) == MUTANTS, key
        alike = survived = 0
        for mutant in changed:
            if q.verdict(function := made(mutant)).right:
                alike += (same := equivalent(q, function))
                survived += not same
                lines += [] if same else [f"    survives: {mutant}"]
        counted = MUTANTS - alike
        lines.append(
            f"  {key:<20} {1 + len(q.wrong):>2} wrong answers known, {1 + len(RIGHT[key])} right "
            f"ones accepted; mutants: {counted - survived} of {counted} refused, {alike} alike"
        )
        assert counted - survived >= SHARE * counted, "\n".join(lines)
        refused_all, counted_all = refused_all + counted - survived, counted_all + counted
    with capsys.disabled():
        print("\nthe checker:", *lines, sep="\n")
        print(f"  mutants in all: {refused_all} of {counted_all} refused")
    assert refused_all >= SHARE * counted_all


# --------------------------------------------------------------------------- a copy of one's own


def test_start_makes_a_copy_and_never_overwrites(tmp_path, capsys):
    from minirlhf.cli import __main__ as cli

    assert cli.main(["start", "ex05"]) == 0
    path = tmp_path / "ex05_reward_model.ipynb"
    assert path.read_bytes() == (ROOT / "exercises" / path.name).read_bytes()
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    assert str(path) in capsys.readouterr().out
    path.write_text("my work")
    assert cli.main(["start", "ex05_reward_model"]) == 0
    assert path.read_text() == "my work" and "already" in capsys.readouterr().out
    assert cli.main(["start", "ex77"]) == 2
    assert "ex04, ex05, ex06" in capsys.readouterr().err


def test_start_takes_the_chinese_edition_where_that_is_spoken(tmp_path, monkeypatch):
    from minirlhf.cli import __main__ as cli

    monkeypatch.setenv("MINIRLHF_LANGUAGE", "zh")
    assert cli.main(["start", "ex05"]) == 0
    copy = tmp_path / "ex05_reward_model.ipynb"
    assert copy.read_bytes() == (ROOT / "exercises" / "zh" / copy.name).read_bytes()


def test_start_says_so_where_there_is_no_exercise(monkeypatch):
    from minirlhf.cli import start_exercise

    monkeypatch.setattr(start_exercise, "exercises", dict)
    with pytest.raises(MinirlhfError, match="none here"):
        start_exercise.copy("ex05")


def test_every_question_stands_in_its_exercise():
    asked = {
        cell.answer: master.key for master in EXERCISES for cell in master.cells if cell.answer
    }
    assert asked == {q.key: q.exercise for q in questions()}
