"""The labeling desk (B.5): put the samples of a prompt into tiers; grades and flags if you like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from minirlhf.data.files import written_whole
from minirlhf.data.records import Record, read_jsonl, write_jsonl
from minirlhf.errors import MinirlhfError
from minirlhf.widgets.comparison import (
    Comparison,
    Labeler,
    Score,
    compare,
    most_alike,
    standing,
)
from minirlhf.widgets.label_picture import draw_ranking
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.words import say

FLAGS = (
    "fails_instruction",
    "inappropriate",
    "hallucination",
    "satisfies_constraint",
    "sexual_content",
    "violent_content",
    "encourages_harm",
    "denigrates",
    "harmful_advice",
    "opinion",
    "moral_judgment",
)
"""Table 3's questions that are answered by yes or no."""
MARKS = 8
"""Prompts whose marks are shown, at most: those around the one that is open."""


class LabelingDesk(LiveWidget):
    """Rank the completions of one prompt after the other and save them as JSONL.

    ``tasks`` are records with ``prompt`` and ``completions`` (two to nine of each). Each saved line
    of ``path`` has TRL's ``prompt``, ``completions``, ``ranks`` (1 is best, ties share a rank) and,
    where given, ``likert`` and ``flags`` by completion. ``score`` is a reward model, ``labelers``
    are other people to compare with.
    """

    scripts = ("tiers.js", "label_extras.js", "label_result.js", "labeling_desk.js")
    styles = ("labeling_desk.css",)
    speaks = ("labeling",)

    task = traitlets.Dict().tag(sync=True)
    """``prompt`` and ``completions`` that are on the desk."""
    number = traitlets.Int(0).tag(sync=True)
    """Which of the tasks that is, from 0."""
    total = traitlets.Int(0).tag(sync=True)
    ranks = traitlets.List().tag(sync=True)
    """A tier for each completion, 1 the best; None for one that isn't ranked yet."""
    likert = traitlets.List().tag(sync=True)
    """A grade from 1 to 7 for each, or None."""
    flags = traitlets.List().tag(sync=True)
    """Those of `FLAGS` that hold, for each."""
    questions = traitlets.List(list(FLAGS)).tag(sync=True)
    saved = traitlets.Unicode().tag(sync=True)
    """Where it was saved, in a sentence; empty once it is moved again."""
    result = traitlets.Dict().tag(sync=True)
    """What the others say of the saved ranking; see `_told`."""
    streak = traitlets.Dict().tag(sync=True)
    """A mark for each prompt, and ``words`` that sum them up."""

    def __init__(
        self,
        tasks: Sequence[Record],
        path: str | Path,
        *,
        score: Score | None = None,
        labelers: Sequence[Labeler] = (),
    ):
        self.tasks = [
            {"prompt": task["prompt"], "completions": list(task["completions"])} for task in tasks
        ]
        if not self.tasks or any(not 2 <= len(t["completions"]) <= 9 for t in self.tasks):
            raise MinirlhfError("The labeling desk needs tasks of two to nine completions each.")
        self.path, self.score, self.labelers = Path(path), score, list(labelers)
        self.lines = self._read()
        self._compared: dict[tuple[str, ...], tuple[list[int], Comparison]] = {}
        super().__init__(total=len(self.tasks))
        self.turn_to(0)

    def turn_to(self, number: int) -> None:
        """Go to another prompt, counted from 0."""
        task = self.tasks[number]
        kept = self._line(task) or {}
        none = [None] * len(task["completions"])
        flags = [[name for name in FLAGS if given.get(name)] for given in kept.get("flags") or []]
        with self.hold_sync():
            self.task, self.number = task, number
            self.ranks = kept.get("ranks") or none
            self.likert = kept.get("likert") or none
            self.flags = flags or [[] for _ in none]
            self.saved = ""
            self._show()

    act_turn_to = turn_to

    @traitlets.validate("ranks")
    def _right(self, proposal: dict[str, Any]) -> list[int | None]:
        ranks, count = proposal["value"], len(self.task.get("completions", ()))
        known = {None, *range(1, count + 1)}
        if len(ranks) != count or any(isinstance(r, bool) or r not in known for r in ranks):
            raise traitlets.TraitError(f"{ranks} are no tiers of {count} completions.")
        return ranks

    @traitlets.observe("ranks", "likert", "flags")
    def _moved(self, _: Any) -> None:
        self.saved = ""

    # ------------------------------------------------------------------------------------ the file

    def _read(self) -> list[dict[str, Any]]:
        """What the file holds, whoever wrote it."""
        if not self.path.exists():
            return []
        return read_jsonl(self.path, "rankings", may_be_empty=True)

    def _line(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """What was saved of this prompt with these completions."""
        same = ("prompt", "completions")
        found = [line for line in self.lines if all(line[n] == task[n] for n in same)]
        return found[-1] if found else None

    def act_save(self) -> None:
        """Keep the ranking as it is given, in place of an earlier one of this prompt."""
        self.saved = ""
        if None in self.ranks:
            raise MinirlhfError(say("labeling.left", count=self.ranks.count(None)))
        ranks = standing(self.ranks)
        line: dict[str, Any] = {**self.task, "ranks": ranks, "labeler": "you"}
        if any(self.likert):
            line["likert"] = list(self.likert)
        if any(self.flags):
            line["flags"] = [dict.fromkeys(names, True) for names in self.flags]
        try:
            self.lines = self._read()  # another desk may have saved there meanwhile
            before = self._line(self.task)
            self.lines = [other for other in self.lines if other is not before] + [line]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(self.path) as partial:
                write_jsonl(partial, self.lines)
        except (OSError, MinirlhfError) as error:
            reason = getattr(error, "strerror", None) or error
            if isinstance(error, FileExistsError | NotADirectoryError):
                reason = say("labeling.blocked", folder=self.path.parent.name)
            raise MinirlhfError(say("labeling.unsaved", reason=reason)) from None
        closed = ranks != self.ranks
        with self.hold_sync():
            self.ranks = ranks
            self.saved = say("labeling.closed" if closed else "labeling.saved", path=self.path.name)
            self._show()

    # ------------------------------------------------------------------------------------ compared

    def compare(self) -> Comparison | None:
        """The saved ranking of this prompt against reward model and labelers; None without one."""
        line = self._line(self.task)
        return None if line is None else self._comparison(line)

    def _comparison(self, line: dict[str, Any]) -> Comparison:
        task, ranks = (line["prompt"], *line["completions"]), line["ranks"]
        if task not in self._compared or self._compared[task][0] != ranks:
            self._compared[task] = ranks, compare(line, self.score, self.labelers)
        return self._compared[task][1]

    def _show(self) -> None:
        """Bring up to date what the others say."""
        compared, line = self.compare(), self._line(self.task)
        self.result = {} if compared is None else self._told(compared, line["ranks"])
        lines = [self._line(task) for task in self.tasks]
        marks = [self._mark(line) for line in lines]
        done = sum(mark != "open" for mark in marks)
        words = say("labeling.done", done=done, total=len(marks))
        if (row := _row(marks)) > 1:
            words = say("labeling.streak", done=done, total=len(marks), row=row)
        first = max(min(self.number - MARKS // 2, len(marks) - MARKS), 0)
        self.streak = {"marks": marks[first : first + MARKS], "first": first, "words": words}

    def _mark(self, line: dict[str, Any] | None) -> str:
        """``open``, ``saved``, or ``tuned``: the labelers agree with you as with one another."""
        if line is None:
            return "open"
        compared = self._comparison(line)
        chance = 0.5 if compared.others is None else compared.others
        return "tuned" if compared.share is not None and compared.share >= chance else "saved"

    def _told(self, compared: Comparison, ranks: list[int]) -> dict[str, Any]:
        """What the page draws of a saved ranking: by completion how many labelers gave it each rank
        (``others``), the reward model's ``scores``, ``agreement`` by labeler, its ``mean`` and that
        ``among`` them; the largest ``difference`` in words, and all else in ``sentences``.
        """
        places = range(1, len(ranks) + 1)
        counted = [
            [sum(theirs[k] == rank for theirs in compared.ranks.values()) for rank in places]
            for k in range(len(ranks))
        ]
        told: dict[str, Any] = {"sentences": self._sentences(compared)}
        if compared.ranks or compared.scores:
            told |= {"ranks": ranks, "others": counted, "scores": compared.scores}
            told |= {"agreement": compared.agreement, "mean": compared.share}
            told["among"] = compared.others
        if compared.ranks:
            told["difference"] = _difference(ranks, list(compared.ranks.values()))
        return told

    def _sentences(self, compared: Comparison) -> list[str]:
        found = []
        if compared.share is not None:
            found.append(say("labeling.agreement", share=f"{compared.share:.0%}"))
        if compared.others is not None:
            found.append(say("labeling.others", share=f"{compared.others:.0%}"))
        if compared.loss is not None:
            found.append(
                say(
                    "labeling.loss",
                    loss=f"{compared.loss:.3f}",
                    chance=f"{np.log(2):.3f}",
                    correct=compared.correct,
                    pairs=compared.pairs,
                )
            )
        if (found or not compared.scores) and (most := self.alike()):
            name, share, pairs = most
            found.append(say("labeling.most", name=name, share=f"{share:.0%}", pairs=pairs))
        if found or not (self.labelers or self.score):
            return found or [say("labeling.kept")]
        return [say("labeling.ties")]

    def alike(self) -> tuple[str, float, int] | None:
        """The labeler who agrees with you most over all you saved here, the share, and of how many
        pairs; None before there are any.
        """
        lines = [line for task in self.tasks if (line := self._line(task))]
        return most_alike([(line["ranks"], self._comparison(line).ranks) for line in lines])

    # ------------------------------------------------------------------------------------- the copy

    @property
    def words(self) -> str:
        """What the others say, or that nothing is saved."""
        return " ".join(self.result.get("sentences", ())) or say("labeling.empty")

    def draw(self) -> Figure:
        """The tiers; beneath, where the others put each, and who agrees."""
        return draw_ranking(self.ranks, self.result)

    def texts(self) -> list[tuple[str, str]]:
        """The prompt, and its completions."""
        names = [f"y{k + 1}" for k in range(len(self.ranks))]
        return [
            (self.task["prompt"], ""),
            *zip(names, self.task["completions"], strict=True),
        ]


def _difference(ranks: list[int], theirs: list[list[int]]) -> str:
    """The reply whose tier is farthest from the labelers' mean, where it is a whole tier."""
    means = np.mean(theirs, axis=0)
    most = int(np.argmax(np.abs(means - ranks)))
    if abs(means[most] - ranks[most]) < 1:
        return say("labeling.close")
    values = {"name": f"y{most + 1}", "own": ranks[most], "mean": f"{means[most]:.1f}"}
    return say("labeling.difference", **values)


def _row(marks: list[str]) -> int:
    """How many prompts in a row, up to the last one saved, are in tune."""
    saved = [mark for mark in marks if mark != "open"]
    return next((at for at, mark in enumerate(reversed(saved)) if mark != "tuned"), len(saved))
