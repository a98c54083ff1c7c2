"""The widgets without a browser: parts are moved, values and pictures answer."""

import io
import json
import math

import matplotlib
import numpy as np
import pytest
import torch
from ipywidgets.widgets import widget
from PIL import Image
from tiny import DEMONSTRATIONS, policy, tokenizer

from minirlhf.config import PPOConfig
from minirlhf.data.records import read_jsonl
from minirlhf.episodes import Models, encode, roll_out
from minirlhf.errors import MinirlhfError
from minirlhf.lesson import languages
from minirlhf.lesson.languages import Texts, fingerprint
from minirlhf.models import ScalarModel
from minirlhf.randomness import generator
from minirlhf.reward import score_texts
from minirlhf.training.compute import Compute
from minirlhf.widgets import (
    Frontier,
    LabelingDesk,
    Playground,
    Point,
    RankingExplorer,
    ThreeSteps,
    TokenLens,
    Trace,
    trace,
)
from minirlhf.widgets.base import chip, say
from minirlhf.widgets.comparison import agreement
from minirlhf.widgets.pictures import GOOD, NEUTRAL

PROMPT = DEMONSTRATIONS[0]["prompt"]


@pytest.fixture(scope="module")
def models():
    """GPT-2-shaped random models over bytes; the policy has moved away from the reference."""
    moved, reference = policy("gpt2"), policy("gpt2")
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=_generator()))
    reward = ScalarModel.from_policy(reference, tokenizer())
    return Models(moved, reference, reward, reward.value_model(), tokenizer())


def _generator():
    return torch.Generator().manual_seed(0)


def changes(widget, act) -> None:
    """``act`` changes the picture, which stays a PNG."""
    before = widget.picture
    act()
    assert widget.picture != before and widget.picture.startswith(b"\x89PNG")


# --------------------------------------------------------------------------------------- token lens


def by_hand(shown: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Shaped rewards and advantages as loops over Python's floats."""
    steps = range(len(shown.tokens))
    rewards = [-shown.beta * (shown.logprobs[t] - shown.reference[t]) for t in steps]
    rewards[-1] += shown.score
    values, advantages, running = [*shown.values, 0.0], [0.0] * len(shown.tokens), 0.0
    for t in reversed(steps):
        running = rewards[t] + values[t + 1] - values[t] + shown.lam * running
        advantages[t] = running
    return np.array(rewards), np.array(advantages)


def test_token_lens_follows_a_response(models):
    config = PPOConfig(beta=0.3, max_response=12, max_prompt=32)
    lens = TokenLens(models=models, prompt=PROMPT, config=config)
    rewards, advantages = by_hand(lens.trace)
    assert np.allclose(lens.quantity("reward"), rewards, atol=1e-5)
    assert np.allclose(lens.quantity("advantage"), advantages, atol=1e-5)
    assert np.abs(lens.quantity("log-ratio")).max() > 0.01
    for step, color in (("reward", "reward"), ("gae", "advantage"), ("loss", "advantage")):
        changes(lens, lambda step=step: setattr(lens.step, "value", step))
        assert lens.color.value == color
    changes(lens, lambda: setattr(lens.token, "value", 3))
    assert f"{advantages[2]:+.3f}" in lens.numbers.value
    changes(lens, lambda: setattr(lens.ratio, "value", 1.4))
    clipped = -min(1.4 * advantages[2], 1.2 * advantages[2])
    assert f"<b>{clipped:+.3f}</b>" in lens.numbers.value
    lens.step.value = "sampling"
    changes(lens, lambda: setattr(lens.color, "value", "value"))
    first = lens.trace
    changes(lens, lens.again.click)
    assert lens.trace.tokens != first.tokens and lens.trace.prompt == first.prompt


@torch.no_grad()
def test_token_lens_agrees_with_the_models(models):
    config = PPOConfig(max_response=10, max_prompt=32)
    shown = trace(models, PROMPT, config)
    prompts = encode(tokenizer(), [{"prompt": PROMPT}], 32)
    uniforms = torch.rand(1, 10, generator=generator(config.seed, "rollout", 0))
    episodes = roll_out(Compute(), models, prompts, uniforms)
    size = int(episodes.sequences.lengths[0])
    row = episodes.sequences.tokens[:, :size]
    answer = row[0, len(episodes.prompts[0].ids) :]
    assert len(shown.tokens) == len(answer)
    for model, logprobs in ((models.policy, shown.logprobs), (models.reference, shown.reference)):
        logits = model(row).logits[0].masked_fill(models.suppress, float("-inf"))
        plain = torch.log_softmax(logits, -1)[-len(answer) - 1 : -1]
        assert logprobs == pytest.approx(plain.gather(1, answer[:, None])[:, 0].tolist(), abs=1e-4)
    mask = torch.ones_like(row)
    stock = models.reward.classifier(input_ids=row, attention_mask=mask).logits
    assert shown.score == pytest.approx(float(stock), abs=1e-4)


def test_token_lens_reads_stored_traces(models, tmp_path):
    shown = trace(models, PROMPT, PPOConfig(max_response=6, max_prompt=32))
    (tmp_path / "trace.json").write_text(json.dumps(shown.record()))
    stored = Trace(**json.loads((tmp_path / "trace.json").read_text()))
    assert stored == shown and TokenLens(stored).picture == TokenLens(shown).picture


def test_token_lens_takes_any_prompt_it_can(models):
    lens = TokenLens(models=models, prompt=PROMPT, config=PPOConfig(max_response=8, max_prompt=64))
    lens.prompt.value = "größer 漢字 zxqv"
    lens.again.click()
    assert lens.trace.prompt == "größer 漢字 zxqv\n" and lens.problem.value == ""
    lens.prompt.value = "so long " * 40
    lens.again.click()
    assert "322 tokens" in lens.problem.value and "64" in lens.problem.value
    assert lens.trace.prompt == "größer 漢字 zxqv\n" and not lens.again.disabled


# ----------------------------------------------------------------------------------- labeling desk


class Someone:
    """A labeler who likes long replies."""

    name = "long"

    def rank(self, prompt, replies):
        lengths = sorted({len(reply) for reply in replies}, reverse=True)
        return [lengths.index(len(reply)) + 1 for reply in replies]


SIX = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"]


def test_labeling_desk_saves_rankings_with_ties(tmp_path):
    desk = LabelingDesk(
        [{"prompt": "p\n", "completions": SIX}, {"prompt": "q\n", "completions": SIX[:2]}],
        tmp_path / "mine" / "rankings.jsonl",
        score=lambda prompts, replies: torch.tensor([float(len(reply)) for reply in replies]),
        labelers=[Someone()],
    )
    assert desk.save.disabled and "6" in desk.status.value
    for part, rank in zip(desk.ranks, [6, 6, 4, 3, 1, 2], strict=True):
        assert desk.save.disabled
        part.value = rank
    desk.likert[0].value = 2
    desk.flags[1][2].value = True
    changes(desk, desk.save.click)
    (line,) = read_jsonl(tmp_path / "mine" / "rankings.jsonl", "rankings")
    assert line["ranks"] == [5, 5, 4, 3, 1, 2] and line["completions"] == SIX
    assert line["likert"] == [2, None, None, None, None, None]
    assert line["flags"][1] == {"hallucination": True}
    compared = desk.compare()
    # 14 pairs that aren't ties; the reward model turns the best two round
    assert (compared.pairs, compared.correct) == (14, 13)
    wins = [(4, 5)] + [(w, l) for w in range(6) for l in range(w) if (w, l) not in ((5, 4), (1, 0))]
    losses = [math.log1p(math.exp(l - w)) for w, l in wins]
    assert compared.loss == pytest.approx(sum(losses) / 14, abs=1e-5)
    assert compared.agreement == {"long": pytest.approx(13 / 14)} and compared.others is None
    assert "13 of your 14" in desk.result.value
    desk.on.click()
    assert len(desk.ranks) == 2 and desk.result.value == "" and desk.on.disabled
    again = LabelingDesk([{"prompt": "p\n", "completions": SIX}], desk.path)
    assert [part.value for part in again.ranks] == [5, 5, 4, 3, 1, 2]
    again.ranks[0].value = 1
    again.save.click()
    assert len(read_jsonl(desk.path)) == 1  # the later ranking of a prompt replaces the earlier


def alive() -> int:
    """Parts that the kernel and the page keep; ipywidgets 8 and 7 count them in their own way."""
    return len(getattr(widget, "_instances", None) or widget.Widget.widgets)


def test_labeling_desks_share_a_file_and_let_old_parts_go(tmp_path):
    path = tmp_path / "mine.jsonl"
    tasks = [{"prompt": "p\n", "completions": texts} for texts in (["a", "b"], ["ccc", "d"])]
    path.touch()  # an empty file holds no ranking yet

    def length(prompts, replies):
        return torch.tensor([float(len(reply)) for reply in replies])

    desk = LabelingDesk(tasks, path, score=length)
    before = alive()
    for at in (1, 0, 1, 0):
        desk.open(at)
    assert alive() <= before + 5
    other = LabelingDesk([{"prompt": "q\n", "completions": ["x", "y"]}], path)
    for shown in (desk, other):
        for part, rank in zip(shown.ranks, (1, 2), strict=True):
            part.value = rank
        shown.save.click()
    assert len(read_jsonl(path)) == 2  # neither wrote over the other's
    desk.open(1)
    for part, rank in zip(desk.ranks, (1, 2), strict=True):
        part.value = rank
    desk.save.click()
    assert desk.compare().scores == [3.0, 1.0]  # of these completions, not the other task's


def test_agreement_counts_what_neither_ties():
    assert agreement([1, 2, 3], [1, 2, 3]) == 1.0 and agreement([1, 2, 3], [3, 2, 1]) == 0.0
    assert agreement([1, 1, 2], [1, 2, 2]) == 1.0  # of three pairs one alone counts
    assert agreement([1, 1], [1, 2]) is None


# -------------------------------------------------------------------------------------- playground


def test_playground_asks_every_model(models):
    def score(prompts, replies):
        return score_texts(models.reward, tokenizer(), prompts, replies)

    board = Playground(
        {"sft": (models.reference, tokenizer()), "ppo": (models.policy, tokenizer())},
        score=score, judge=lambda prompt, reply: float(len(reply)), prompt=PROMPT, max_response=8,
    )  # fmt: skip
    board.n.value = 5
    changes(board, board.ask.click)
    assert list(board.replies) == ["sft", "ppo"] and board.status.value == ""
    for name, reply in board.replies.items():
        assert len(reply.texts) == 5 and reply.scores[reply.best] == max(reply.scores)
        expected = score_texts(models.reward, tokenizer(), [PROMPT] * 5, reply.texts)
        assert reply.scores == pytest.approx(expected.tolist(), abs=1e-4)
        assert f"{max(reply.scores):+.2f}" in board.answers.value
        assert reply.verdict == len(reply.text) and name.upper() in board.words
    before = board.replies
    board.ask.click()
    assert board.replies["ppo"].texts != before["ppo"].texts


def test_playground_draws_the_judges_grades_where_there_is_no_reward_model(models):
    board = Playground(
        {"sft": (models.reference, tokenizer())}, judge=lambda prompt, reply: 2.5, prompt=PROMPT,
        max_response=8,
    )  # fmt: skip
    changes(board, board.ask.click)
    assert "judge" in board.words and "SFT 2.5" in board.words
    board.judge = lambda prompt, reply: "well said"  # nothing that can be drawn
    board.ask.click()
    assert "SFT" not in board.words and "1 models" in board.words


def test_playground_takes_any_prompt_it_can(models):
    board = Playground({"mine": (models.policy, tokenizer())}, max_response=8)
    board.prompt.value = "größer 漢字 zxqv"
    board.ask.click()
    assert board.status.value == "" and board.asked == "größer 漢字 zxqv\n"
    for prompt, sentence in (("  ", "prompt is empty"), ("so long " * 40, "take 120 here")):
        board.prompt.value = prompt
        board.ask.click()
        assert sentence in board.status.value and 'role="alert"' in board.status.value
        assert not board.ask.disabled and board.asked == "größer 漢字 zxqv\n"
    board.prompt.value = "<script>alert(1)</script>"
    board.ask.click()
    assert "<script" not in board.answers.value + board.caption.value


# ---------------------------------------------------------------------------------------- frontier


def test_frontier_picks_a_run():
    points = [
        Point(beta=beta, kl=1 / beta, proxy=2 / beta, judge=3.0, samples=[
            {"prompt": "p", "response": f"said at {beta}", "score": 1.0}])
        for beta in (1.0, 0.1, 0.5)
    ]  # fmt: skip
    frontier = Frontier(points)
    assert [point.beta for point in frontier.points] == [0.1, 0.5, 1.0]
    assert "said at 0.1" in frontier.said.value and "KL 10.00" in frontier.words
    changes(frontier, lambda: setattr(frontier.choice, "value", 2))
    assert frontier.chosen.beta == 1.0 and "said at 1.0" in frontier.said.value


def test_frontier_reads_folders(tmp_path):
    for name, beta in (("a", 0.1), ("b", 1.0)):
        (tmp_path / name).mkdir()
        config = {"stage": "ppo", "config": {"beta": beta}}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        with (tmp_path / name / "metrics.jsonl").open("w") as log:
            for step in range(1, 21):
                row = {"step": step, "objective/kl": step * beta, "objective/score": step}
                row["judge/grade"] = 100 + step
                log.write(json.dumps(row) + "\n")
        with (tmp_path / name / "samples.jsonl").open("w") as log:
            for step in range(1, 21):
                row = {"step": step, "prompt": "p", "response": "r" * step, "score": 0.5}
                log.write(json.dumps(row) + "\n")
    frontier = Frontier([tmp_path / "b", tmp_path / "a"], judge=lambda p, r: len(r))
    one, other = frontier.points
    assert (one.beta, other.beta) == (0.1, 1.0)
    assert (one.kl, one.proxy, one.judge) == pytest.approx((1.55, 15.5, 15.5))
    assert other.kl == pytest.approx(15.5) and len(other.path) == 20
    assert Frontier([tmp_path / "a"]).points[0].judge == pytest.approx(115.5)  # as it was logged
    with pytest.raises(MinirlhfError, match="isn't the folder of a PPO run"):
        Frontier([tmp_path])


# --------------------------------------------------------------------------------- the three steps


def test_three_steps_fill_column_by_column():
    board = ThreeSteps()
    assert "none has been taken" in board.words
    for number, fill in enumerate(
        (
            lambda: board.first("Write.\n", "Done.", 0.01, 0.6),
            lambda: board.second("p", ["a", "b", "c"], [2, 1, 2], [0.5, 1.0, -0.5], 0.5, 0.7),
            lambda: board.third("Write.\n", "Yes.", 0.25, (-1.0, 0.5), (0.6, 0.65)),
        ),
        1,
    ):
        changes(board, lambda fill=fill: fill() is board or pytest.fail("not shown again"))
        assert board.words.endswith("1, 2, 3"[: 3 * number - 2] + ".")
    assert board.filled[0][2] == "requests done (measured):\n1.0% → 60.0%"
    assert board.filled[1][1] == "B > A = C" and "2 of 2 pairs" in board.filled[1][2]
    assert "unseen pairs in order (measured):\n50.0% → 70.0%" in board.filled[1][2]
    assert "score +0.25\nmean score (trained on):\n-1.00 → +0.50" in board.filled[2][2]
    assert "requests done (measured):\n60.0% → 65.0%" in board.filled[2][2]


def test_three_steps_take_any_text():
    board = ThreeSteps()
    board.first("漢字 <b>$x$\n" * 20, "", 0.0, 1.0)
    board.second("p" * 200, ["y" * 500] * 9, list(range(1, 10)), [0.0] * 9, 0.0, 1.0)
    assert board.picture


# ------------------------------------------------------------------------- what all widgets promise


def test_every_picture_says_where_it_comes_from(monkeypatch, tmp_path):
    """At its foot; the training desk in its title."""
    import minirlhf.widgets.base as base

    signed = []
    monkeypatch.setattr(base, "sign", lambda figure, source: signed.append(source))
    ThreeSteps()
    LabelingDesk([{"prompt": "p\n", "completions": SIX}], tmp_path / "mine.jsonl")
    assert signed == ["live"] * 2
    points = [Point(beta=beta, kl=1.0, proxy=1.0) for beta in (0.1, 1.0)]
    Frontier(points), Frontier(points, source="shipped runs")
    assert signed[2:] == ["shipped runs"]


def test_the_foot_of_a_picture_hides_nothing():
    explorer = RankingExplorer()
    signed = Image.open(io.BytesIO(explorer.picture))
    explorer.source = ""
    bare = Image.open(io.BytesIO(explorer.picture))
    assert signed.width == bare.width and 20 < signed.height - bare.height < 60


def test_a_readers_own_settings_change_no_picture():
    plain = RankingExplorer().picture
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "text.color": "white", "font.size": 20, "axes.grid": True,
         "axes.edgecolor": "red", "xtick.color": "red", "figure.dpi": 30}
    ):  # fmt: skip
        assert RankingExplorer().picture == plain
        assert matplotlib.rcParams["font.size"] == 20


def test_labels_are_in_both_languages():
    entries = say.entries
    assert isinstance(say, Texts) and entries
    for key, entry in entries.items():
        assert entry["zh"] and entry["of"] == fingerprint(entry["en"]), key
        fields = {word.split("}")[0] for word in entry["en"].split("{")[1:]}
        assert fields == {word.split("}")[0] for word in entry["zh"].split("{")[1:]}, key
    try:
        languages.choose("zh")
        assert RankingExplorer()._labels["ranking.score"] == "y{number} 的得分"
    finally:
        languages.choose("en")


def test_coloured_text_stands_out_from_its_ground():
    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for ink, ground in (GOOD, NEUTRAL):
        high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) > 4.5
        assert f"color:{ink};background:{ground}" in chip("x", (ink, ground))
