"""The page of a run says what was measured, stands alone, and survives whatever a model says."""

import html
import json
import re
from copy import deepcopy
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from fabricated_run import PROMPTS, WICKED, WORLD, fabricate, interval, report

import minirlhf
from minirlhf.cli.options import parse
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.main_job import as_data
from minirlhf.paper import cite
from minirlhf.report import charts, examples
from minirlhf.report.page import command
from minirlhf.report.summary import MODELS, brief, entry, show
from minirlhf.tinytown.tax import TAX


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("my-run")
    summary = fabricate(folder)
    path = report(folder, summary)
    return SimpleNamespace(folder=folder, summary=summary, path=path, page=path.read_text("utf-8"))


def remade(made, summary: dict, *, without: tuple[str, ...] = (), folder: Path) -> str:
    """The page of the same run with another summary, and some files gone."""
    folder.mkdir(parents=True)
    for source in made.folder.rglob("*.json*"):
        name = str(source.relative_to(made.folder))
        if not any(name.startswith(gone) for gone in without):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return report(folder, summary).read_text("utf-8")


class Reader(HTMLParser):
    """Tags, attributes, and the texts of numbers; notes a tag that is closed out of turn."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.attributes, self.open, self.astray = [], [], [], []
        self.numbers, self.inside = [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)
        if tag == "data":
            self.inside = {**dict(attrs), "text": ""}

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.inside is not None:
            self.inside["text"] += data

    def handle_endtag(self, tag):
        if tag == "data":
            self.numbers.append(self.inside)
            self.inside = None
        if not self.open or self.open.pop() != tag:
            self.astray.append(tag)


@pytest.fixture(scope="module")
def reader(made):
    return Reader(made.page)


def summary_block(page: str) -> str:
    return re.search(r'<ol class="summary".*?</ol>', page, re.DOTALL)[0]


# --- one file, with everything in it


def test_the_page_stands_alone(made, reader):
    assert {"link", "img", "iframe", "object", "embed"}.isdisjoint(reader.tags)
    for name, value in reader.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "poster"):
            assert value.startswith("#"), (name, value)
        assert not name.startswith("on")
    assert not re.search(r"https?://|@import|url\((?!#)", made.page)


def test_no_path_of_the_machine(made):
    assert str(made.folder.parent) not in made.page
    assert not re.search(r"(?<![\w.])/(home|tmp|work|root|usr|Users|opt|var)/", made.page)


def test_the_page_is_whole_and_small(made, reader):
    assert made.path == made.folder / "report.html"
    assert not list(made.folder.glob("*.tmp"))
    assert made.path.stat().st_size < 1.5e6
    assert not reader.astray
    assert not reader.open


def test_the_same_run_gives_the_same_page(made):
    again = report(made.folder, made.summary)
    assert again.read_text("utf-8") == made.page


def test_what_a_model_says_cannot_break_the_page(made, reader):
    assert reader.tags.count("script") == 2  # the page's own: one line at its top, one at its end
    assert "b" in reader.tags  # the page's own, none of which says "bold"
    assert html.escape(WICKED).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in made.page
    assert "<b>bold" not in made.page
    assert "{{ 7 * 7 }}" in made.page
    assert reader.tags.count("article") == examples.PROMPTS
    assert reader.tags.count("section") == 9


def test_a_wicked_name_of_a_folder_is_escaped(made, tmp_path):
    page = remade(made, made.summary, folder=tmp_path / "<i>run")
    assert "<i>run" not in page
    assert "&lt;i&gt;run" in page


# --- it says what was measured


def test_every_number_is_the_summarys(made, reader):
    ours = [number for number in reader.numbers if "data-key" in number]
    assert len(ours) > 100
    for number in ours:
        value = entry(made.summary, number["data-key"])
        assert float(number["value"]) == value, number
        units = ["%", "words", "reward"] + ["count"] * isinstance(value, int)
        assert number["text"] in {show(value, unit) for unit in units}, number


def test_every_number_of_the_paper_is_the_papers(reader):
    theirs = [number for number in reader.numbers if "data-paper" in number]
    assert len(theirs) > 60
    for number in theirs:
        assert float(number["value"]) == cite(number["data-paper"]).value


def test_the_summary_says_no_number_of_its_own(made):
    block = summary_block(made.page)
    assert block.count("<li>") == 4
    words = re.sub(r'<span class="ends".*?</div>|<data.*?</data>|<[^>]+>', "", block)
    assert not re.search(r"\d", words), words


def test_three_numbers_and_one_sentence_stand_first(made, tmp_path):
    """And then the figure; what came out in sentences comes after it."""
    marks = ['id="verdict"', '<ol class="three"', '<div class="mr-steps">', 'id="summary"']
    places = [made.page.index(mark) for mark in marks]
    assert places == sorted(places)
    top = made.page[made.page.index("<header>") : made.page.index("</header>")]
    keys = re.findall(r'<p class="big"><data value="[^"]*" data-key="([^"]*)"', top)
    assert keys == [
        "models.sft.passes.mean",
        "reward_model.against_labeler.mean",
        "models.ppo-ptx.wins_labelers.mean",
    ]
    bare = drop(made.summary, "reward_model")
    for name, model in bare["models"].items():  # nobody judged, nobody compared
        kept = ("words", "score", "probes", "tax")
        bare["models"][name] = {key: model[key] for key in kept if key in model}
    page = remade(made, bare, folder=tmp_path / "run")
    assert page.count('<p class="big">–</p>') == 3
    assert "What the judge finds" not in page and "How long the replies are" in page
    assert 'id="verdict"' not in page


@pytest.mark.parametrize("without", [(), ("won_back",), ("tax",)])
@pytest.mark.parametrize("share", [0.66, 0.52, 0.3])
def test_the_sentence_at_the_top_follows_the_intervals(made, tmp_path, share, without):
    said = {0.66: "beats SFT", 0.52: "cannot be told from SFT", 0.3: "loses to SFT"}[share]
    summary = deepcopy(made.summary)
    back = show(summary["won_back"])
    for judge in ("wins_judge", "wins_labelers"):
        summary["models"]["ppo-ptx"][judge] = interval(share, 0.04, 500)
    tax = f"and wins back {back}% of the alignment tax that PPO pays."
    if without == ("won_back",):
        summary, tax = drop(summary, "won_back"), "PPO pays an alignment tax."
    if without == ("tax",):
        for task in TAX:
            summary["models"]["ppo"]["tax"][task] = interval(-0.01, 0.02, 200)
        tax = "and PPO shows no clear alignment tax."
    page = remade(made, summary, folder=tmp_path / "run")
    lead = re.search(r'<p class="lead" id="verdict">(.*?)</p>', page, re.DOTALL)[1]
    words = " ".join(re.sub(r"<[^>]+>", "", lead).split())
    assert words.startswith(f"PPO-ptx {said}")
    assert words.endswith(tax)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.66, "beats SFT"), (0.52, "cannot be told from SFT"), (0.3, "loses to SFT")],
)
def test_the_verdict_follows_the_intervals(made, tmp_path, share, said):
    summary = deepcopy(made.summary)
    for model in ("ppo", "ppo-ptx"):
        for judge in ("wins_judge", "wins_labelers"):
            summary["models"][model][judge] = interval(share, 0.04, 500)
    block = summary_block(remade(made, summary, folder=tmp_path / "run"))
    assert block.count(said) == 2
    for other in {"beats SFT", "cannot be told from SFT", "loses to SFT"} - {said}:
        assert other not in block


def test_judges_who_disagree_are_no_win(made):
    assert "gets a divided verdict" in summary_block(made.page)  # PPO: the judge likes it alone


def test_where_sft_is_better_is_said(made, tmp_path):
    summary = deepcopy(made.summary)
    summary["models"]["sft"]["hallucination"] = interval(0.078, 0.02, 120)
    summary["models"]["ppo-ptx"]["hallucination"] = interval(0.172, 0.02, 120)
    page = remade(made, summary, folder=tmp_path / "run")
    row = re.search(r"<tr><th>closed-domain hallucination</th>.*?</tr>", page, re.DOTALL)[0]
    assert ">7.8<" in row
    assert ">17.2<" in row
    assert "apart" in row


def test_a_tax_is_claimed_only_where_the_intervals_part(made, tmp_path):
    assert "pays an alignment tax" in summary_block(made.page)
    summary = deepcopy(made.summary)
    for task in TAX:
        summary["models"]["ppo"]["tax"][task] = interval(-0.01, 0.02, 200)
    assert "no clear alignment tax" in remade(made, summary, folder=tmp_path / "run")


def words(page: str, part: str) -> str:
    """What a section's first sentence says, in plain words."""
    found = re.search(rf'<p class="tells" id="{part}">(.*?)</p>', page, re.DOTALL)[1]
    return " ".join(re.sub(r"<[^>]+>", "", found).split())


def test_what_alignment_costs_begins_with_what_was_found(made, tmp_path):
    summary = deepcopy(made.summary)
    for place, task in enumerate(TAX):
        for model, loss in (("ppo", 0.1 if place < 7 else 0.01), ("ppo-ptx", 0.01)):
            summary["models"][model]["tax"][task] = interval(-loss, 0.02, 200)
    said = words(remade(made, summary, folder=tmp_path / "run"), "costs")
    mean = show(-(0.7 + 0.01 * (len(TAX) - 7)) / len(TAX), "points")
    assert f"PPO loses on 7 of the {len(TAX)} task probes beyond the interval" in said
    assert f"on average {mean} points; PPO-ptx wins back {show(summary['won_back'])}%" in said
    assert said.endswith(f"loses on none of the {len(TAX)} task probes, on average −1.0 points.")


def test_sections_of_training_and_preference_begin_with_what_was_found(made):
    climbs = (
        r"PPO raises the reward model’s score from [−\d.]+ to [\d.]+, [\d.]+ nats of KL a reply"
    )
    assert re.match(climbs, words(made.page, "climbs"))
    wins = show(made.summary["models"]["ppo-ptx"]["wins_labelers"]["mean"])
    said = words(made.page, "preferred")
    assert said.startswith(f"PPO-ptx beats SFT: held-out labelers prefer its reply on {wins}%")
    assert "PPO gets a divided verdict" in said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.8, "more often than two labelers side with one another."),
        (0.7, "85.5% [68.4, 102.6] of the way from a coin to a second labeler."),
        (0.52, "it cannot be told from a coin."),
        (0.4, "a coin would do better."),
    ],
)
def test_the_reward_model_stands_between_a_coin_and_a_second_labeler(made, tmp_path, share, said):
    summary = deepcopy(made.summary)
    summary["reward_model"]["against_labeler"] = interval(share, 0.04, 480)
    lead = words(remade(made, summary, folder=tmp_path / "run"), "accuracy")
    assert lead.startswith(f"The reward model sides with a labeler on {show(share)}% [")
    assert lead.endswith(f"where another labeler does on 73.4%: {said}")


@pytest.mark.parametrize(("loss", "end", "left"), [(0.4, "−50", 10), (0.87, "−100", 6.5)])
def test_a_scale_of_points_has_room_for_the_largest_loss(made, tmp_path, loss, end, left):
    summary = deepcopy(made.summary)
    summary["models"]["ppo"]["tax"][next(iter(TAX))] = interval(-loss, 0.02, 200)
    block = summary_block(remade(made, summary, folder=tmp_path / "run"))
    assert block.count(f"<span>{end}</span>") == 2  # PPO's and PPO-ptx's compare
    row = block[block.index(f">−{100 * loss:.1f}<") :]
    assert float(re.search(r'class="dot" style="left: ([\d.]+)%', row)[1]) == left


def test_a_number_without_an_interval_says_what_it_is_over(made):
    block = summary_block(made.page)
    row = re.search(r"<li[^>]*>[^\n]*another labeler.*?</li>", block, re.DOTALL)[0]
    assert 'data-key="comparisons.pairs">431</data> pairs' in row


def test_a_score_that_rises_alone_is_called_by_its_name(made, tmp_path):
    said = "the score was optimised, not what it stands for"
    assert said not in made.page
    summary = deepcopy(made.summary)
    summary["models"]["ppo"]["gain"] = interval(-0.02, 0.04, 500)
    assert said in remade(made, summary, folder=tmp_path / "run")


def test_a_sentence_of_the_summary_stands_with_its_numbers_and_their_intervals(made):
    for finding in summary_block(made.page).split("<li>")[1:]:
        assert finding.index('class="tells"') < finding.index('class="findings"')
        rows = re.findall(r"<li data-model=.*?</li>", finding, re.DOTALL)
        assert rows and all("data-key=" in row for row in rows)
        assert len(rows) - sum('class="interval"' in row for row in rows) <= 1  # two labelers


def test_charts_say_what_their_marks_are(made):
    figures = re.findall(r"<figure.*?</figure>", made.page, re.DOTALL)
    barred = [figure for figure in figures if 'class="bars' in figure]
    assert len(barred) == 8
    for figure in barred:
        said = re.search(r'<p class="key">.*?</p>', figure, re.DOTALL)[0]
        chart = figure.replace(said, "")
        for mark in ("paper", "paper small", "dot", "reach"):
            assert (f'<i class="{mark}"' in said) == (f'<i class="{mark}"' in chart), (mark, said)


def test_an_empty_reply_is_called_one_and_the_same_reply_stands_once(made):
    articles = re.findall(r"<article.*?</article>", made.page, re.DOTALL)
    assert any("an empty reply: the model ended at once" in article for article in articles)
    for article in articles:
        replies = re.findall(r'<p class="said[^"]*">(.*?)</p>', article, re.DOTALL)[1:]
        assert len(set(replies)) == len(replies)
        for answer in re.findall(r'<span class="models">.*?<p class="said', article, re.DOTALL):
            several = answer.count('<span class="mark"') > 1
            assert several == ("the same reply" in answer)


# --- parts that a run may lack


def drop(summary: dict, key: str) -> dict:
    summary = deepcopy(summary)
    *way, last = key.split(".")
    parent = summary
    for name in way:
        parent = parent[name]
    del parent[last]
    return summary


@pytest.mark.parametrize(
    "key",
    ["models.sft-4x", "models.best-of-n", "models.prompted", "models.ppo", "models.ppo-ptx.probes",
     "models.base.probes", "reward_model", "comparisons", "demonstrations", "sft_epochs",
     "won_back"],
)  # fmt: skip
def test_a_missing_figure_does_not_break_the_page(made, tmp_path, key):
    page = remade(made, drop(made.summary, key), folder=tmp_path / "run")
    assert not Reader(page).astray


def test_what_a_run_lacks_is_said_where_it_would_stand(made, tmp_path):
    summary = drop(made.summary, "reward_model")
    summary["models"] = {}
    page = remade(made, summary, without=("data", "replies", "ppo", "sft", "initial", "reward"),
                  folder=tmp_path / "run")  # fmt: skip
    sections = re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL)
    said = {name: re.sub(r"<[^>]+>", " ", body) for name, body in sections}
    assert "kept no log of its training" in said["training"]
    assert "Nobody compared" in said["preference"] and "Nobody compared" in said["reward"]
    assert "Nobody judged" in said["metadata"]
    assert "measured no probes" in said["tax"]
    assert "kept no replies" in said["replies"] and 'role="search"' not in page


def test_no_unseen_combinations(made, tmp_path):
    summary = deepcopy(made.summary)
    for model in summary["models"].values():
        model["unseen_combinations"] = None
    assert "no combination of constraints" in remade(made, summary, folder=tmp_path / "run")


@pytest.mark.parametrize("gone", ["data", "replies", "sft/", "reward", "ppo", "sft-4x"])
def test_missing_files_do_not_break_the_page(made, tmp_path, gone):
    page = remade(made, made.summary, without=(gone,), folder=tmp_path / "run")
    assert not Reader(page).astray


@pytest.mark.parametrize(
    "keys",
    [
        ("models.sft-4x", "models.prompted", "sft_epochs"),
        ("models.ppo-ptx.probes", "reward_model", "models.base.hallucination"),
        tuple(f"models.{name}" for name in MODELS),
    ],
)
def test_figures_of_a_poor_run(made, tmp_path, keys):
    summary = made.summary
    for key in keys:
        summary = drop(summary, key)
    page = remade(made, summary, folder=tmp_path / "run")
    assert not Reader(page).astray
    assert ("Win rates against SFT" in page) == (len(keys) == 3)


# --- what is shown, by rule


def test_rankings_read_as_in_the_paper():
    assert examples.order([3, 3, 2, 1]) == ["D", ">", "C", ">", "A", "=", "B"]


def test_ties_are_no_pairs():
    assert examples.pairs_in_order([3, 3, 2, 1], [0.1, 0.2, 0.3, 0.4]) == (5, 5)
    assert examples.pairs_in_order([1, 2], [0.1, 0.2]) == (0, 1)


def test_the_ranking_shown_has_one_tie(made):
    shown = examples.ranking(examples.read_rows(made.folder / "data/rankings-1.jsonl"))
    assert len(shown["completions"]) == 4
    assert len(set(shown["ranks"])) == 3
    assert min(shown["ranks"]) == 1


def test_the_same_prompts_are_spread_over_use_cases(made):
    asked = examples.read_rows(made.folder / "data/prompts-eval.jsonl")
    chosen = examples.spread(asked, WORLD.kind)
    assert len(set(chosen)) == examples.PROMPTS
    assert {asked[place]["use_case"] for place in chosen} == set(PROMPTS)
    few_shot = [{**row, "prompt": "Q\nA\n\n" + row["prompt"]} for row in asked]
    assert examples.spread(few_shot, WORLD.kind) == []


# --- around the page


def test_the_command_makes_the_run_again():
    config = ExperimentConfig(folder=Path("runs/other"), seed=3, k=(4, 6), ppo_prompts=100)
    settings = json.loads(json.dumps(asdict(config), default=str))
    settings["stages"]["ppo_ptx"]["episodes"] = 512
    settings["stages"]["sft"]["keep_epochs"] = False
    words = command(settings, as_data(ExperimentConfig())).split()
    assert words[:2] == ["minirlhf", "run"]
    parsed = parse(ExperimentConfig, "run", words[2:])
    assert json.loads(json.dumps(asdict(parsed), default=str)) == settings


def test_the_terminal_shows_the_main_figures(made):
    text = brief(made.summary)
    assert max(map(len, text.splitlines())) <= 120
    for model in MODELS:
        assert re.search(rf"^{model} ", text, re.MULTILINE)
    assert "69.0 [67.0, 71.0]" in text  # PPO-ptx passes
    assert "72.4 ± 0.4%" in text
    assert brief({"settings": {}, "models": {"base": made.summary["models"]["base"]}})


def test_matplotlib_stays_off_the_training_path():
    package = Path(minirlhf.__file__).parent
    for path in package.rglob("*.py"):
        if path.is_relative_to(package / "widgets"):
            continue
        loaded = re.findall(r"^(?:import|from) .*", path.read_text("utf-8"), re.MULTILINE)
        assert not [line for line in loaded if re.search("matplotlib|widgets", line)], path


def test_every_model_has_a_shape_of_its_own():
    css = (Path(charts.__file__).parent / "models.css").read_text("utf-8")
    one = r'\[data-model="([^"]+)"\], \[data-toggle="\1"\] \{[^}]*--shape:\s*([^;]+);'
    shapes = dict(re.findall(one, css))
    assert set(shapes) == set(MODELS) and len(set(shapes.values())) == len(MODELS)


def test_every_model_has_a_colour_that_shows_on_white_and_dark():
    def luminance(color):
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert set(charts.PALETTE) == set(MODELS)
    for name, color in charts.PALETTE.items():
        assert 1.05 / (luminance(color) + 0.05) >= 3, name
        assert (luminance(color) + 0.05) / (luminance("#17191d") + 0.05) >= 3, name
