"""The frontier without a browser: points, ways, the texts of any step and what is wrong in them."""

import json
from itertools import combinations

import numpy as np
import pytest

from minirlhf import shipped
from minirlhf.errors import MinirlhfError
from minirlhf.tinytown.judge import judge
from minirlhf.widgets import Frontier, Point

STORY = "Write a story about a bell. Leave out the word bridge.\n"


def points():
    return [
        Point(beta=beta, kl=1 / beta, proxy=2 / beta, judge=3.0,
              path=[(0.0, 0.0, 2.0), (0.5 / beta, 1 / beta, 4.0), (1 / beta, 2 / beta, 3.0)],
              samples=[{"prompt": "p", "response": f"said at {beta}", "score": 1.0}])
        for beta in (1.0, 0.1, 0.5)
    ]  # fmt: skip


def texts(frontier) -> list[str]:
    return ["".join(piece for piece, _ in reply["pieces"]) for reply in frontier.replies]


def test_a_run_is_picked_and_brings_its_texts():
    frontier = Frontier(points())
    assert [point.beta for point in frontier.points] == [0.1, 0.5, 1.0]
    assert texts(frontier) == ["said at 0.1"] and "KL 10.00" in frontier.words
    before = frontier.picture
    frontier.choice = 2
    assert frontier.chosen.beta == 1.0 and texts(frontier) == ["said at 1.0"]
    assert frontier.picture != before
    frontier.choice = 9
    assert frontier.choice == 2
    assert "grade" not in frontier.replies[0]  # Tinytown's judge doesn't understand "p"
    with pytest.raises(MinirlhfError, match="at least one run"):
        Frontier([])


def test_another_run_s_replies_to_the_same_prompts_stand_beside_them():
    def run(beta, prompts=("p", "q")):
        return Point(beta=beta, kl=1, proxy=1, path=[(0.0, 0.0), (1.0, 1.0)], history=[
            [{"prompt": p, "response": f"{p} {beta:g} {at}"} for p in prompts] for at in (0, 1)
        ])  # fmt: skip

    def said(frontier):
        return ["".join(words for words, _ in reply["pieces"]) for reply in frontier.beside]

    frontier = Frontier([run(0), run(1), run(5, ("q", "p"))])
    frontier.moment = 1
    assert frontier.other == 5 and said(frontier) == ["p 5 1", "q 5 1"]
    frontier.choice, frontier.moment = 2, 0
    assert frontier.other == 0 and said(frontier) == ["q 0 0", "p 0 0"]
    for runs in ([run(0)], [run(0), run(5, ("p", "r"))]):  # nothing to compare with
        frontier = Frontier(runs)
        frontier.moment = 1
        assert frontier.replies and not frontier.beside


def test_what_the_judge_objects_to_is_marked_in_the_texts():
    reply = (
        "There was once a thin turtle who wanted to have a bell. It slept under the bridge. "
        "At last, the red bell was gone, and it cried."
    )
    sample = {"prompt": STORY, "response": reply, "score": 0.5, "finished": True}
    (shown,) = Frontier([Point(beta=1, kl=1, proxy=1, samples=[sample])]).replies
    assert "".join(piece for piece, _ in shown["pieces"]) == reply
    assert "word to leave out" in dict(shown["pieces"])["It slept under the bridge."]
    assert shown["grade"] == judge(STORY, reply).overall and shown["passes"] is False
    assert (shown["score"], shown["finished"]) == (0.5, True)


def test_it_works_without_judge_path_or_samples():
    frontier = Frontier([{"beta": 1.0, "kl": 2.0, "proxy": 0.5}])
    assert not frontier.judged and frontier.replies == [] and "Judge" not in frontier.words
    assert len(frontier.draw().axes) == 1 and frontier.picture.startswith(b"\x89PNG")


def write_run(folder, beta):
    folder.mkdir()
    config = {"stage": "ppo", "config": {"beta": beta}}
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "metrics.jsonl").open("w") as log, (folder / "samples.jsonl").open("w") as said:
        for step in range(1, 21):
            row = {"step": step, "objective/kl": step * beta, "objective/score": step}
            log.write(json.dumps(row | {"judge/grade": 100 + step}) + "\n")
            row = {"step": step, "prompt": "p", "response": "r" * step, "score": 0.5}
            said.write(json.dumps(row) + "\n")


def test_it_reads_folders(tmp_path):
    for name, beta in (("a", 0.1), ("b", 1.0)):
        write_run(tmp_path / name, beta)
    frontier = Frontier([tmp_path / "b", tmp_path / "a"], judge=lambda p, r: len(r))
    one, other = frontier.points
    assert (one.beta, other.beta) == (0.1, 1.0)
    assert (one.kl, one.proxy, one.judge) == pytest.approx((1.55, 15.5, 15.5))
    assert other.kl == pytest.approx(15.5) and len(other.path) == 20
    logged = Frontier([tmp_path / "a"])
    assert logged.points[0].judge == pytest.approx(115.5)  # as it was logged
    means = [np.mean(range(max(1, step - 9), step + 1)) for step in range(1, 21)]
    assert [step[2] for step in logged.points[0].path] == pytest.approx([100 + m for m in means])
    with pytest.raises(MinirlhfError, match="isn't the folder of a PPO run"):
        Frontier([tmp_path])


def test_any_step_of_the_way_has_its_own_texts(tmp_path):
    write_run(tmp_path / "a", 0.1)
    write_run(tmp_path / "b", 1.0)
    frontier = Frontier([tmp_path / "a", tmp_path / "b"])
    assert texts(frontier) == ["r" * 20]
    frontier.moment = 4
    assert texts(frontier) == ["rrrrr"] and "iteration 5 of 20" in frontier.words
    assert "KL 0.30" in frontier.words and "Judge: 103.00" in frontier.words
    frontier.choice = 1  # another run is shown where it ended
    assert frontier.moment == -1 and texts(frontier) == ["r" * 20]


def test_the_shipped_runs_have_both_ways():
    frontier = Frontier([shipped.run("beta-0"), shipped.run("beta-1")], source="shipped run")
    assert all(len(run["path"]) == 128 and None not in run["path"][0] for run in frontier.runs)
    assert frontier.runs[0]["path"][-1][0] == pytest.approx(frontier.points[0].kl, abs=1e-4)
    assert all("grade" in reply for reply in frontier.replies)
    left, right = frontier.draw().axes
    assert all(len(axes.lines[1].get_xdata()) == 128 for axes in (left, right))


def test_the_still_names_every_run_and_no_name_covers_another_or_a_point():
    runs = [shipped.run(f"beta-{beta}") for beta in ("0", "0.01", "0.05", "0.1", "0.2", "1")]
    frontier = Frontier(runs)
    figure = frontier.draw()
    figure.canvas.draw()
    for axes in figure.axes:
        names = [text for text in axes.texts if text.get_text().startswith("β")]
        assert len(names) == len(runs)
        boxes = [name.get_window_extent() for name in names]
        assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))
        places = axes.transData.transform(axes.collections[0].get_offsets())
        assert not any(box.contains(*place) for box in boxes for place in places)
