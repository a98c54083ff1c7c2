"""The labeling desk without a browser: tiers, the file, and what the others say."""

import math
from itertools import product

import pytest
import torch
import traitlets

from minirlhf.data.records import _check_ranks, read_jsonl
from minirlhf.errors import MinirlhfError
from minirlhf.lesson import languages
from minirlhf.widgets import LabelingDesk
from minirlhf.widgets.comparison import agreement, most_alike, standing

SIX = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"]
TASK = {"prompt": "p\n", "completions": SIX}


class Someone:
    """A labeler who likes long replies, or short ones."""

    def __init__(self, name="long"):
        self.name = name

    def rank(self, prompt, replies):
        lengths = sorted({len(reply) for reply in replies}, reverse=self.name == "long")
        return [lengths.index(len(reply)) + 1 for reply in replies]


def by_length(prompts, replies):
    return torch.tensor([float(len(reply)) for reply in replies])


def tell(desk, act, **values):
    """A message as the page sends it."""
    desk._handle_custom_msg({"do": act, **values}, [])


def save(desk, ranks):
    desk.ranks = ranks
    tell(desk, "save")
    assert desk.problem == ""


def test_rankings_are_saved_with_ties_grades_and_flags(tmp_path):
    path = tmp_path / "mine" / "rankings.jsonl"
    tasks = [TASK, {"prompt": "q\n", "completions": SIX[:2]}]
    desk = LabelingDesk(tasks, path, score=by_length, labelers=[Someone()])
    assert desk.ranks == [None] * 6 and desk.result == {} and "Nothing" in desk.words
    desk.ranks = [5, 5, 4, 3, 1, None]
    tell(desk, "save")
    assert "1 still to rank" in desk.problem and not path.exists()
    desk.likert = [2, None, None, None, None, None]
    desk.flags = [[], ["hallucination"], [], [], [], []]
    before = desk.picture
    save(desk, [5, 5, 4, 3, 1, 2])
    assert desk.picture != before and desk.saved == "Saved to rankings.jsonl."
    (line,) = read_jsonl(path, "rankings")
    assert line["ranks"] == [5, 5, 4, 3, 1, 2] and line["completions"] == SIX
    assert line["likert"] == [2, None, None, None, None, None]
    assert line["flags"] == [{}, {"hallucination": True}, {}, {}, {}, {}]
    compared = desk.compare()
    # 14 pairs that aren't ties; the reward model turns the best two round
    assert (compared.pairs, compared.correct) == (14, 13)
    wins = [(4, 5)] + [(w, l) for w in range(6) for l in range(w) if (w, l) not in ((5, 4), (1, 0))]
    losses = [math.log1p(math.exp(l - w)) for w, l in wins]
    assert compared.loss == pytest.approx(sum(losses) / 14, abs=1e-5)
    assert compared.agreement == {"long": pytest.approx(13 / 14)} and compared.others is None
    assert "13 of your 14" in desk.words and "most with long: on 93% of 14 pairs" in desk.words
    tell(desk, "turn_to", number=1)
    assert desk.ranks == [None, None] and desk.result == {} and desk.number == 1
    again = LabelingDesk([TASK], path)
    assert again.ranks == [5, 5, 4, 3, 1, 2] and again.flags[1] == ["hallucination"]
    assert again.likert[0] == 2
    save(again, [1, 5, 4, 3, 1, 2])
    assert len(read_jsonl(path)) == 1  # the later ranking of a prompt replaces the earlier


def test_ranks_are_kept_as_given(tmp_path):
    desk = LabelingDesk([TASK], tmp_path / "mine.jsonl")
    save(desk, [6, 5, 2, 1, 1, 4])
    assert desk.ranks == read_jsonl(desk.path, "rankings")[0]["ranks"] == [6, 5, 2, 1, 1, 4]
    save(desk, [1, 5, 5, 6, 6, 6])  # as it is, no ranking: two can't be behind four of one
    assert desk.ranks == read_jsonl(desk.path, "rankings")[0]["ranks"] == [1, 3, 3, 6, 6, 6]
    assert "empty tiers were closed" in desk.saved


def test_every_arrangement_of_four_becomes_a_ranking_in_its_order():
    for given in product(range(1, 5), repeat=4):
        kept = standing(given)
        _check_ranks(kept, "here")
        for i, j in product(range(4), repeat=2):
            assert (given[i] < given[j]) == (kept[i] < kept[j])
        try:
            _check_ranks(given, "here")
        except MinirlhfError:
            assert kept != list(given)
        else:
            assert kept == list(given)


@pytest.mark.parametrize("ranks", [[1, 2], [0] * 6, [7] * 6, [True] * 6, ["1"] * 6, [1.5] * 6])
def test_what_is_no_tier_is_refused(tmp_path, ranks):
    desk = LabelingDesk([TASK], tmp_path / "mine.jsonl")
    with pytest.raises(traitlets.TraitError, match="no tiers of 6"):
        desk.ranks = ranks
    assert desk.ranks == [None] * 6


def test_tasks_of_one_or_of_ten_are_refused(tmp_path):
    for completions in (["a"], ["a"] * 10):
        with pytest.raises(MinirlhfError, match="two to nine"):
            LabelingDesk([{"prompt": "p", "completions": completions}], tmp_path / "x.jsonl")


def test_desks_share_a_file(tmp_path):
    path = tmp_path / "mine.jsonl"
    tasks = [{"prompt": "p\n", "completions": texts} for texts in (["a", "b"], ["ccc", "d"])]
    path.touch()  # an empty file holds no ranking yet
    desk = LabelingDesk(tasks, path, score=by_length)
    other = LabelingDesk([{"prompt": "q\n", "completions": ["x", "y"]}], path)
    for shown in (desk, other):
        save(shown, [1, 2])
    assert len(read_jsonl(path)) == 2  # neither wrote over the other's
    desk.turn_to(1)
    save(desk, [1, 2])
    assert desk.compare().scores == [3.0, 1.0]  # of these completions, not the other task's


def test_a_file_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    desk = LabelingDesk([TASK], tmp_path / "file" / "mine.jsonl")
    desk.ranks = [1] * 6
    tell(desk, "save")
    assert desk.problem.startswith("Not saved: a file stands where") and desk.saved == ""
    assert str(tmp_path) not in desk.problem


def test_the_streak_goes_over_the_prompts(tmp_path):
    tasks = [{"prompt": f"p{n}\n", "completions": SIX} for n in range(12)]
    desk = LabelingDesk(tasks, tmp_path / "mine.jsonl", labelers=[Someone(), Someone("short")])
    assert desk.streak["marks"] == ["open"] * 8 and desk.streak["words"] == "0 of 12 saved"
    # the two never agree with one another: any ranking is as much in tune as they are
    for number in range(3):
        desk.turn_to(number)
        save(desk, [1] * 6 if number == 1 else [6, 5, 4, 3, 2, 1])
    assert desk.streak["marks"][:4] == ["tuned", "saved", "tuned", "open"]
    assert desk.streak["words"] == "3 of 12 saved"
    desk.turn_to(1)
    save(desk, [6, 5, 4, 3, 2, 1])
    assert "3 of 12 saved, 3 in a row in tune" in desk.streak["words"]
    desk.turn_to(11)
    assert (desk.streak["first"], len(desk.streak["marks"])) == (4, 8)
    assert desk.alike() == ("long", 1.0, 45)


def test_what_the_page_draws_counts_the_labelers(tmp_path):
    desk = LabelingDesk([TASK], tmp_path / "mine.jsonl", labelers=[Someone(), Someone("short")])
    save(desk, [6, 5, 4, 3, 2, 1])
    assert desk.result["others"][0] == [1, 0, 0, 0, 0, 1]  # one puts it first, one last
    assert [sum(row) for row in desk.result["others"]] == [2] * 6
    assert desk.result["agreement"] == {"long": 1.0, "short": 0.0}
    assert desk.result["difference"].startswith("You differ most on y1: you put it into tier 6")
    assert (desk.result["mean"], desk.result["among"]) == (0.5, 0.0)
    save(desk, [2] * 6)
    assert desk.result["sentences"] == ["With one another they agree on 0%."]


def test_alone_one_is_told_that_it_is_kept(tmp_path):
    desk = LabelingDesk([TASK], tmp_path / "mine.jsonl")
    save(desk, [1, 2, 3, 4, 5, 6])
    assert desk.words == "Your ranking is saved." and "ranks" not in desk.result
    assert desk.picture.startswith(b"\x89PNG")
    assert desk.texts()[0] == ("p\n", "") and desk.texts()[1] == ("y1", "a")


def test_agreement_counts_what_neither_ties():
    assert agreement([1, 2, 3], [1, 2, 3]) == 1.0 and agreement([1, 2, 3], [3, 2, 1]) == 0.0
    assert agreement([1, 1, 2], [1, 2, 2]) == 1.0  # of three pairs one alone counts
    assert agreement([1, 1], [1, 2]) is None
    # over two rankings: 3 pairs of one, 1 of the other
    rankings = [([1, 2, 3], {"a": [1, 2, 3], "b": [3, 2, 1]}), ([1, 2], {"a": [2, 1], "b": [1, 1]})]
    assert most_alike(rankings) == ("a", 0.75, 4)
    assert most_alike([]) is None and most_alike([([1, 1], {"a": [1, 2]})]) is None


def test_the_desk_speaks_chinese(tmp_path):
    with languages.speaking("zh"):
        desk = LabelingDesk([TASK], tmp_path / "mine.jsonl", labelers=[Someone()])
        save(desk, [6, 5, 4, 3, 2, 1])
        assert desk.words.startswith("标注员与你在 100% 的成对比较上一致。")
