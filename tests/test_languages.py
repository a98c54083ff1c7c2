"""Chinese chapters are Chinese all through: code, pictures, tables, and the letters of these."""

import ast
import io
import re
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from course.build import __main__ as build
from course.build import assemble, code_words, font, staleness, translations
from course.build.masters import masters, read
from course.build.settings import PACKAGE, ROOT, WIDTH, BuildError
from minirlhf import lesson
from minirlhf.cli import checks
from minirlhf.evaluate.statistics import Interval
from minirlhf.lesson import languages, letters
from minirlhf.report import charts
from minirlhf.widgets import Prediction, RankingExplorer, ThreeSteps, objections, outcome
from minirlhf.widgets.pictures import drawable, note, render
from minirlhf.widgets.words import say, told, wrapped

MASTERS = masters()
CHINESE = [master for master in MASTERS if "zh" in assemble.languages(master)]
CODE = [cell for master in CHINESE for cell in master.cells if not cell.is_text]


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setattr(languages, "_chosen", ["zh"])


# ------------------------------------------------------------------------- the words of code

CELL = '''figure, axes = lesson.panels(1, "How often a flaw lowers "
    "the score (live)", size=(7.2, 4.6))
axes.plot(x["loss"], label=f"{name}: mean {values.mean():+.1f}")  # by seed
print(f"""{a} beats
  {b['c']:>{wide}}""", "two\\nlines", "Two \\"words\\"")'''


def spoken(words, cell=CELL):
    return code_words.translated(cell, words, "here")


def without_words(source):
    """The syntax tree with every text, and every order of fields, made alike."""

    class Blank(ast.NodeTransformer):
        def visit_JoinedStr(self, node):
            fields = [
                ast.dump(part) for part in node.values if isinstance(part, ast.FormattedValue)
            ]
            return ast.Constant(sorted(fields))

        def visit_Constant(self, node):
            return ast.Constant("") if isinstance(node.value, str) else node

    return ast.dump(Blank().visit(ast.parse(source)))


def test_words_are_found_however_they_stand_in_the_code():
    said = {one.text for one in code_words.literals(CELL)}
    assert said == {
        "How often a flaw lowers the score (live)", "loss", "{name}: mean {values.mean():+.1f}",
        "# by seed", "{a} beats\n  {b['c']:>{wide}}", "two\nlines", 'Two "words"',
    }  # fmt: skip


def test_the_code_stays_and_its_words_are_others():
    words = {
        "How often a flaw lowers the score (live)": "毛病压低得分的次数（实时）",
        "{name}: mean {values.mean():+.1f}": "平均 {values.mean():+.1f}：{name}",
        "# by seed": "# 按种子",
        "{a} beats\n  {b['c']:>{wide}}": "{a} 胜过\n  {b['c']:>{wide}}",
        "two\nlines": "两\n行",
        'Two "words"': None,
    }
    found = spoken(words)
    assert without_words(found) == without_words(CELL)
    assert '"毛病压低得分的次数"\n    "（实时）", size' in found  # a remark stays whole
    assert spoken(words | {"How often a flaw lowers the score (live)": "毛病"}).count("\n") == 3
    assert "# 按种子" in found and '"两\\n行"' in found and 'Two \\"words\\"' in found
    assert 'x["loss"]' in found
    scope = {"name": "A", "values": np.ones(2)}
    literal = re.search(r"label=(f\".*?\")\)", found)[1]
    assert eval(literal, scope) == "平均 +1.0：A"


def test_saying_the_same_changes_no_code():
    for cell in CODE:
        same = {one.text: one.text for one in code_words.literals(cell.source)}
        found = code_words.translated(cell.source, same)
        assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(cell.source)), cell.name


def test_what_is_too_long_for_a_line_goes_on_in_the_next():
    long = "毛病有多常压低得分，" * 5
    found = spoken({"How often a flaw lowers the score (live)": long})
    assert max(map(languages.columns, found.splitlines())) <= WIDTH
    text = found[found.index('"') : found.index(", size")]
    assert ast.literal_eval(f"({text})") == long
    with pytest.raises(BuildError, match="here: wider than 76 columns"):
        spoken({"loss": "损失" * 30})


def test_other_fields_are_refused():
    for wrong in ("{nam}", "平均", "{name}: {values.mean():+.2f}", "{name} {name}"):
        with pytest.raises(BuildError, match="here: other fields"):
            spoken({"{name}: mean {values.mean():+.1f}": wrong})


def test_what_is_missing_or_stale_is_listed():
    words = {"How often a flaw lowers the score (live)": "次数", "{name}: the mean": "平均"}
    found = set(code_words.due(CELL, words))
    assert found == {("{name}: the mean", "stale")}
    assert set(code_words.due(CELL, {})) == {
        ("How often a flaw lowers the score (live)", "missing")
    }  # other words may be names that the code goes by
    assert "次数" in spoken(words)  # a stale key does no harm


def test_a_table_stands_under_its_code(tmp_path):
    path = tmp_path / "05_x.py"
    text = '# %% title [markdown]{}\nr"""\n# {}\n"""\n\n'
    head = text.format("", "T") + text.format(' lang="zh"', "题")
    path.write_text(
        head + '# %% cell\nprint("one thing")\n\n# %% cell lang="zh"\n{"one thing": "一样"}\n'
    )
    master = read(path)
    assert master.cells[-1].words == {"one thing": "一样"} and len(master.cells) == 2
    english, other = (assemble.assemble(master, "chapter", name) for name in ("en", "zh"))
    assert english.cells[-1].source == 'print("one thing")'
    assert other.cells[-1].source == 'print("一样")'
    assert 'language="zh"' in other.cells[2].source and "language" not in english.cells[2].source
    assert english.metadata.minirlhf != other.metadata.minirlhf
    for wrong in ("print(1)", '{"one"', "[1, 2]"):
        path.write_text(head + f'# %% cell\nx = 1\n\n# %% cell lang="zh"\n{wrong}\n')
        with pytest.raises(BuildError, match="no table of words"):
            read(path)
    path.write_text(head + '# %% cell\nx = 1\n\n# %% other lang="zh"\n{}\n')
    with pytest.raises(BuildError, match="right under the cell of its name"):
        read(path)


def test_chinese_chapters_have_words_for_all_their_code():
    assert [due for due in translations.due(CHINESE) if due.state == "missing"] == []
    assert list(code_words.due(assemble.SETUP, assemble.SETUP_WORDS)) == []
    for cell in CODE:
        found = code_words.translated(cell.source, cell.words, cell.name)
        assert without_words(found) == without_words(cell.source), cell.name
        assert len(found.splitlines()) <= max(18, len(cell.source.splitlines())), cell.name


def kept(text):
    """What no language changes: numbers filled in, mathematics, code, letters to choose from."""
    text = re.sub(r"\\text\{[^}]*\}", "", text)
    parts = r"\$\$[^$]+\$\$|\$[^$\n]+\$|`[^`\n]+`|\{\w+:[^}]+\}|\*\*[A-H]\*\*"
    return sorted(re.findall(parts, text))


@pytest.mark.parametrize("master", CHINESE, ids=lambda m: m.name)
def test_the_chinese_has_the_numbers_the_mathematics_and_the_code_of_the_english(master):
    for cell in master.cells:
        if cell.is_text:
            assert kept(cell.zh) == kept(cell.source), cell.name
    assert kept("`x` is $a_{\\text{so}}$, {paper:x:.1f}") == ["$a_{}$", "`x`", "{paper:x:.1f}"]


# ------------------------------------------------------------------------- executed by itself


def test_each_language_keeps_outputs_of_its_own(monkeypatch):
    looked = []
    monkeypatch.setattr(build, "keep_outputs", lambda _, path: looked.append(path) or True)
    monkeypatch.setattr(build, "write", lambda *_: None)
    monkeypatch.setattr(build, "refuse", lambda *_: None)
    build.build(CHINESE[0])
    name = f"{CHINESE[0].name}.ipynb"
    assert looked == [ROOT / "notebooks" / name, ROOT / "notebooks" / "zh" / name]


def test_a_better_word_makes_only_its_language_stale(monkeypatch, tmp_path):
    package = tmp_path / "minirlhf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    room = package / "room"
    room.mkdir()
    (room / "__init__.py").write_text('WORDS, FONT = "words.toml", "letters.zh.otf"\n')
    (room / "words.toml").write_text('[a]\nen = "one"\nzh = "一"\nof = "1"\n', "utf-8")
    (room / "letters.zh.otf").write_bytes(b"1")
    monkeypatch.setattr(staleness, "ROOT", tmp_path)
    monkeypatch.setattr(staleness, "PACKAGE", package)

    def now():
        staleness._imports_of.cache_clear()
        return [staleness.package(["import minirlhf.room"], language) for language in ("en", "zh")]

    first = now()
    for name, text in (
        ("words.toml", '[a]\nen = "one"\nzh = "壹"\nof = "1"\n'),
        ("letters.zh.otf", "2"),
    ):
        (room / name).write_text(text, "utf-8")
        then = now()
        assert then[0] == first[0] and then[1] != first[1]
        first = then
    (room / "words.toml").write_text('[a]\nen = "two"\nzh = "壹"\nof = "1"\n', "utf-8")
    assert now()[0] != first[0] and now()[1] == first[1]
    staleness._imports_of.cache_clear()


# ------------------------------------------------------------------------- letters


def unknown(words):
    """What neither the course's font nor matplotlib's has."""
    have = letters.known() | set("".join(map(chr, range(32, 127))))
    plain = "".join(words)
    return {letter for letter in plain if letter not in have and not letter.isspace()}


def test_the_font_has_every_letter_that_may_be_drawn():
    missing = unknown(font.words(MASTERS))
    assert not missing, (
        f"The font lacks {''.join(sorted(missing))}: make it anew with "
        "python -m course.build.font NotoSansSC-Regular.otf"
    )
    assert unknown(["饕餮"]) == {"饕", "餮"}


def test_the_font_is_small_and_its_licence_lies_beside_it():
    assert letters.FILE.stat().st_size < 300_000
    text = (letters.FILE.parent / "OFL.txt").read_text("utf-8")
    assert "SIL OPEN FONT LICENSE" in text and letters.FILE.name in text and "Adobe" in text


def test_the_subset_is_made_of_the_words(monkeypatch, tmp_path, capsys):
    """Of the package's own font, as if it were the whole one."""
    monkeypatch.setattr(font, "masters", list)
    source = letters.FILE
    monkeypatch.setattr(letters, "FILE", tmp_path / "x.zh.otf")
    font.make(source)
    assert re.search(r"x\.zh\.otf: \d+ letters", capsys.readouterr().out)
    assert 0 < (tmp_path / "x.zh.otf").stat().st_size <= source.stat().st_size


def drawn(words, bold="normal"):
    figure = Figure(figsize=(4, 1))
    figure.text(0.1, 0.4, words, fontfamily="DejaVu Sans", fontweight=bold)
    picture = Image.open(io.BytesIO(render(figure))).convert("L")
    return np.asarray(picture, dtype=int)


def test_chinese_is_drawn_where_it_is_spoken_and_english_stays_as_it_was(monkeypatch, caplog):
    english = drawn("Loss (Eq. 1)")
    assert drawable("损失 β") == "▯▯ β"
    monkeypatch.setattr(languages, "_chosen", ["zh"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # of a letter that no font has
        one, two = drawn("损失"), drawn("奖励", "bold")
    assert (one < 128).sum() > 200 and np.abs(one - two).max() > 128
    assert (drawn("式 1", "bold") == drawn("式 1")).all()  # one weight for all of a text
    assert (drawn("Eq. 1", "bold") != drawn("Eq. 1")).any()
    assert caplog.messages == []  # nor does it tell of a weight
    assert drawable("损失 β 饕") == "损失 β ▯"
    assert (drawn("Loss (Eq. 1)") == english).all()


def test_every_text_of_a_figure_gets_the_letters(chinese, capsys):
    """Those made before, in and after `panels`, by cells that know nothing of fonts."""
    figure, axes = lesson.panels(1, "得分（实时）")
    axes.plot([1, 2], [1, 2], label="平均")
    axes.legend()
    axes.annotate("损失", (1, 1))
    axes.set_yticks([1, 2], ["第一", "第二"])
    axes.set(xlabel="得分之差")
    lesson.intervals(axes, {"base": Interval(0.5, 0.4, 0.6, 9), "第一": Interval(0.5, 0.4, 0.6, 9)})
    note(axes, (1, 2), "奖励")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        lesson.show(figure, "看得见")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["基座模型", "第一"]


def test_chinese_lines_break_between_letters_but_not_before_a_mark():
    assert wrapped("one two three", 7) == ["one two", "three"]
    lines = wrapped("奖励模型的得分推动策略：PPO。然后 SFT 模型回复若干次。", 12)
    assert "".join(lines).replace(" ", "") == "奖励模型的得分推动策略：PPO。然后SFT模型回复若干次。"
    for line in lines:
        assert sum(1 + (letter > "\u2fff") for letter in line) <= 12
        assert line[0] not in "，。：、）" and "PP" not in line.replace("PPO", "")


# ------------------------------------------------------------------------- what is said


def test_models_are_called_by_the_palettes_names():
    for model, name in charts.NAMES.items():
        assert lesson.called(model) == name
    assert lesson.called("a policy of mine") == "a policy of mine"


def test_names_sources_and_criteria_are_chinese(chinese):
    assert lesson.called("base") == "基座模型" and lesson.called("ppo-ptx") == "PPO-ptx"
    assert told("shipped run") == "随包运行" and told("mine") == "mine"
    assert objections.criterion("constraint: sentences") == "句数"
    assert checks.check_python((3, 11, 1)).verdict == "正常"
    assert checks.check_python((3, 9, 1)).advice == "请用 Python 3.11、3.12 或 3.13"
    assert checks.check_memory(2**29).found == "可用 0.5 GiB"


def test_a_difference_of_shares_is_judged_alike_in_both_languages():
    for number, unit in enumerate(("percentage points", "个百分点")):
        guess = Prediction("?", f"languages.{number}", unit=unit)
        assert guess._limits == [-100.0, 100.0]
        guess.value = 3.0
        assert outcome.worth(guess.reveal(1.5)) == outcome.SPOT


LATIN = re.compile(r"[A-Za-z]{3,}(?: [A-Za-z]+)+")


def test_pictures_of_widgets_hold_no_english(chinese, monkeypatch):
    """Every text that is drawn, but for what was given."""
    said = []
    fill_in = letters.fill_in

    def look(figure):
        from matplotlib.text import Text

        said.extend(text.get_text() for text in figure.findobj(Text))
        fill_in(figure)

    monkeypatch.setattr(letters, "fill_in", look)
    guess = Prediction("有多少？", "languages.picture", unit="%")
    guess.value = 60.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        shown = [RankingExplorer(), ThreeSteps(), guess.reveal(Interval(72.6, 70.0, 75.0, 9))]
        assert all(one.picture for one in shown)
    assert said and not [text for text in said if LATIN.search(text)]
    assert {"测得", "预测", "实时"} <= set(said)


def test_labels_name_the_palette_s_models_once():
    entries = lesson._say.entries
    assert {key.removeprefix("model.") for key in entries if key.startswith("model.")} == set(
        charts.NAMES
    )
    assert "desk.note.live" not in say and letters.FILE.parent == PACKAGE / "lesson"
