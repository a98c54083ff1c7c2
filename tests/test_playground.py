"""The playground without a browser: every model is asked, and what it says is scored and judged."""

import pytest
from tiny import DEMONSTRATIONS, moved_models, tokenizer

from minirlhf.errors import MinirlhfError
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.reward import score_texts
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.requests import parse
from minirlhf.widgets import Playground
from minirlhf.widgets.town_prompts import ended, from_elsewhere, knows_the_town, requests
from minirlhf.widgets.words import signed

PROMPT = DEMONSTRATIONS[0]["prompt"]


@pytest.fixture(scope="module")
def models():
    return moved_models()


@pytest.fixture(scope="module")
def town():
    """Tinytown's smallest model and its tokenizer."""
    folder = base_folder("small")
    return load_policy(folder), load_tokenizer(folder)


def asked(board, **content) -> None:
    """A message as the page sends it."""
    board._hear(None, content, None)


def test_every_model_is_asked(models):
    def score(prompts, replies):
        return score_texts(models.reward, tokenizer(), prompts, replies)

    board = Playground(
        {"sft": (models.reference, tokenizer()), "ppo": (models.policy, tokenizer())},
        score=score, judge=lambda prompt, reply: float(len(reply)), prompt=PROMPT, max_response=8,
    )  # fmt: skip
    assert board.picture == b"" and "Nothing has been asked" in board.words
    board.n = 5
    asked(board, do="ask", prompt=board.prompt)
    assert list(board.replies) == ["sft", "ppo"] and board.busy == board.problem == ""
    for lane, (name, reply) in zip(board.lanes, board.replies.items(), strict=True):
        assert len(reply.texts) == 5 and reply.scores[reply.best] == max(reply.scores)
        expected = score_texts(models.reward, tokenizer(), [PROMPT] * 5, reply.texts)
        assert reply.scores == pytest.approx(expected.tolist(), abs=1e-4)
        assert (lane["texts"], lane["values"]) == (reply.texts, reply.scores)
        assert lane["shown"] == reply.best and lane["detail"]["grade"] == len(reply.text)
        assert reply.verdict == len(reply.text)
        assert f"{name.upper()} {signed(max(reply.scores))}" in board.words
    first = board.picture
    assert first.startswith(b"\x89PNG")
    worst = min(range(5), key=board.replies["ppo"].scores.__getitem__)
    asked(board, do="choose", at=1, sample=worst)
    reply, lane = board.replies["ppo"], board.lanes[1]
    assert lane["shown"] == worst and lane["detail"]["pieces"] == [(reply.texts[worst], [])]
    assert lane["detail"]["grade"] == len(reply.texts[worst]) and board.picture != first
    assert board.texts()[2][1] == reply.texts[worst]
    before = board.replies
    asked(board, do="ask", prompt=board.prompt)
    assert board.replies["ppo"].texts != before["ppo"].texts


def test_replies_grow_before_ones_eyes(models):
    board = Playground({"mine": (models.policy, tokenizer())}, prompt=PROMPT, max_response=24)
    grown, busy = [], []
    board.observe(lambda change: grown.append(change["new"]), "growing")
    board.observe(lambda change: busy.append(change["new"]), "busy")
    (reply,) = board.answer(PROMPT).values()
    *growing, last = grown
    assert len(growing) > 2 and last == {} and busy == ["mine is writing …", ""]
    assert all(reply.text.startswith(one["texts"][0].rstrip("\ufffd")) for one in growing)
    assert [one["at"] for one in growing] == [0] * len(growing)


def test_an_answer_asked_for_in_code_has_its_prompt(models):
    board = Playground({"mine": (models.policy, tokenizer())}, max_response=8)
    board.answer("say red\n")
    assert (board.prompt, board.asked) == ("say red", "say red\n")


def test_the_judges_grades_are_drawn_where_there_is_no_reward_model(models):
    board = Playground(
        {"sft": (models.reference, tokenizer())}, judge=lambda prompt, reply: 2.5, prompt=PROMPT,
        max_response=8,
    )  # fmt: skip
    board.answer(PROMPT)
    assert board.picture.startswith(b"\x89PNG") and board.measure == "grade"
    assert "judge" in board.words and "SFT 2.5" in board.words
    board.judge = lambda prompt, reply: "well said"  # nothing that can be drawn
    board.answer(PROMPT)
    assert board.picture == b"" and "1 models" in board.words
    assert board.lanes[0]["detail"]["grade"] == "well said"


def test_it_takes_any_prompt_it_can(models):
    board = Playground({"mine": (models.policy, tokenizer())}, max_response=8)
    asked(board, do="ask", prompt="größer 漢字 zxqv")
    assert board.problem == "" and board.asked == "größer 漢字 zxqv\n"
    for prompt, sentence in (("  ", "prompt is empty"), ("so long " * 40, "take 120 here")):
        asked(board, do="ask", prompt=prompt)
        assert sentence in board.problem and board.busy == ""
        assert board.asked == "größer 漢字 zxqv\n" and board.replies
    asked(board, do="ask", prompt="say red")
    assert board.problem == ""
    with pytest.raises(MinirlhfError, match="at least one model"):
        Playground({})
    board.n, board.temperature = 99, -1.0
    assert (board.n, board.temperature) == (16, 0.0)


def test_an_error_on_the_way_is_told_and_the_widget_goes_on(models):
    def broken(prompts, replies):
        raise MemoryError("no room")

    board = Playground({"mine": (models.policy, tokenizer())}, score=broken, max_response=8)
    asked(board, do="ask", prompt="say red")
    assert board.problem == "MemoryError: no room" and board.busy == "" and board.growing == {}


# ------------------------------------------------------------------------------- in and out of town


def test_only_models_of_the_town_are_offered_its_requests(models, town):
    assert knows_the_town(town[1]) and not knows_the_town(tokenizer())
    foreign = Playground({"mine": (models.policy, tokenizer())})
    assert not foreign.suggestions and not foreign.surprises
    own = Playground(
        {"mine": (models.policy, tokenizer())}, suggestions=["say red"], max_response=8
    )
    asked(own, do="surprise")
    assert own.asked == "say red\n" and own.notice == ""


def test_every_request_offered_is_one_that_the_judge_understands():
    for seed in range(5):
        offered = requests(seed)
        assert len(set(offered)) == len(offered)
        assert all(parse(ended(one)) is not None for one in offered)
        assert any(one.endswith("Guide:") and ended(one) == one for one in offered)
    assert requests(0) != requests(1)


def test_a_surprise_is_another_request_each_time(town):
    board = Playground({"base": town}, judge=judge, max_response=8)
    seen = set()
    for _ in range(4):
        asked(board, do="surprise")
        assert board.problem == "" and board.notice == "" and parse(board.asked) is not None
        seen.add(board.prompt)
    assert len(seen) > 2


def test_one_friendly_line_for_what_the_town_has_no_words_for(town):
    board = Playground({"base": town}, judge=judge, max_response=8)
    asked(board, do="ask", prompt="Write a poem about a laptop.")
    assert "no word for laptop:" in board.notice and "grade" not in board.lanes[0]["detail"]
    asked(board, do="ask", prompt="Bell, please.")
    assert "Nobody in Tinytown asks this way" in board.notice
    asked(board, do="ask", prompt="Write a poem about a bell.")
    assert board.notice == "" and "grade" in board.lanes[0]["detail"]
    assert "zxqv, quux" in from_elsewhere(town[1], "zxqv quux bell\n")
