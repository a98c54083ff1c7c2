"""The labeling desk (B.5): rank samples of a prompt, with ties; grades and flags if you like."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as parts
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.data.files import written_whole
from minirlhf.data.records import Record, read_jsonl, write_jsonl
from minirlhf.errors import MinirlhfError
from minirlhf.report.charts import GRID, INK, PALETTE
from minirlhf.report.examples import order
from minirlhf.widgets.base import Board, alert, button, chip, close_all, row, say, text
from minirlhf.widgets.comparison import Comparison, Labeler, Score, compare
from minirlhf.widgets.pictures import GOOD, PAPER, canvas, dress, note

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


class LabelingDesk(Board):
    """Rank the completions of one prompt after the other and save them as JSONL.

    ``tasks`` are records with ``prompt`` and ``completions`` (two to nine of each). Each saved line
    of ``path`` has TRL's ``prompt``, ``completions``, ``ranks`` (1 is best, ties share a rank) and,
    where given, ``likert`` and ``flags`` by completion. ``score`` is a reward model, ``labelers``
    are other people to compare with.
    """

    def __init__(
        self,
        tasks: Sequence[Record],
        path: str | Path,
        *,
        score: Score | None = None,
        labelers: Sequence[Labeler] = (),
    ):
        super().__init__()
        self.tasks = [
            {"prompt": task["prompt"], "completions": list(task["completions"])} for task in tasks
        ]
        if not self.tasks or any(not 2 <= len(t["completions"]) <= 9 for t in self.tasks):
            raise MinirlhfError("The labeling desk needs tasks of two to nine completions each.")
        self.path, self.score, self.labelers = Path(path), score, list(labelers)
        self.saved = self._read()
        self.at = 0
        self.prompt, self.status = parts.HTML(), parts.HTML()
        self.back = button(say("labeling.back"), "arrow-left")
        self.save = button(say("labeling.save"), "check")
        self.on = button(say("labeling.next"), "arrow-right")
        self.back.on_click(lambda _: self.open(self.at - 1))
        self.on.on_click(lambda _: self.open(self.at + 1))
        self.save.on_click(self._save)
        self.samples = parts.VBox()
        self.result = parts.HTML()
        self.ranks: list[parts.ToggleButtons] = []
        self.likert: list[parts.Dropdown] = []
        self.flags: list[list[parts.Checkbox]] = []
        self._compared: dict[tuple[str, ...], tuple[list[int], Comparison]] = {}
        self._fill()
        self.arrange(
            self.prompt, self.samples, row(self.back, self.save, self.on, self.status), self.result,
            self.image, self.caption,
        )  # fmt: skip

    @property
    def task(self) -> dict[str, Any]:
        return self.tasks[self.at]

    def open(self, at: int) -> None:
        """Go to another prompt."""
        self.at = at
        self._fill()
        self.refresh()

    def ranking(self) -> list[int] | None:
        """The ranks chosen, counted densely from 1; None while one is missing."""
        chosen = [part.value for part in self.ranks]
        if None in chosen:
            return None
        order = sorted(set(chosen))
        return [order.index(rank) + 1 for rank in chosen]

    def _read(self) -> list[dict[str, Any]]:
        """What the file holds, whoever wrote it."""
        if not self.path.exists():
            return []
        return read_jsonl(self.path, "rankings", may_be_empty=True)

    # ------------------------------------------------------------------------------------ the sheet

    def _fill(self) -> None:
        """The parts of one prompt, with what was saved of it."""
        task, K = self.task, len(self.task["completions"])
        kept = self._line() or {}
        ranks = kept.get("ranks") or [None] * K
        self.ranks, self.likert, self.flags, rows = [], [], [], []
        for k, completion in enumerate(task["completions"]):
            rank = parts.ToggleButtons(
                options=list(range(1, K + 1)), value=ranks[k], description=say("labeling.rank"),
                style={"button_width": "34px", "description_width": "70px"},
                layout={"width": "auto"},
            )  # fmt: skip
            grade = parts.Dropdown(
                options=[("–", 0), *((str(n), n) for n in range(1, 8))],
                value=(kept.get("likert") or [None] * K)[k] or 0,
                description=say("labeling.likert"), style={"description_width": "70px"},
                layout={"width": "150px"},
            )  # fmt: skip
            given = (kept.get("flags") or [{}] * K)[k]
            boxes = [
                parts.Checkbox(
                    value=bool(given.get(flag)),
                    description=say(f"labeling.{flag}"),
                    indent=False,
                    layout={"width": "230px"},
                )
                for flag in FLAGS
            ]
            folded = parts.Accordion([row(*boxes)], selected_index=None)
            folded.set_title(0, say("labeling.flags", number=k + 1))
            head = parts.HTML(chip(f"y{k + 1}") + text(completion))
            rows.append(parts.VBox([head, row(rank, grade), folded], layout={"margin": "0 0 8px"}))
            self.ranks.append(rank)
            self.likert.append(grade)
            self.flags.append(boxes)
        for part in self.ranks:
            part.observe(self._count, "value")
        before, self.samples.children = self.samples.children, rows
        for part in before:
            close_all(part)
        number = say("labeling.number", number=self.at + 1, total=len(self.tasks))
        self.prompt.value = f"<b>{html.escape(number)}</b>{text(task['prompt'])}"
        self.back.disabled, self.on.disabled = self.at == 0, self.at == len(self.tasks) - 1
        self._count()

    def _count(self, _: Any = None) -> None:
        left = sum(part.value is None for part in self.ranks)
        self.save.disabled = left > 0
        self.status.value = html.escape(
            say("labeling.left", count=left) if left else say("labeling.ready")
        )

    def _line(self) -> dict[str, Any] | None:
        """What was saved of this prompt with these completions."""
        same = ("prompt", "completions")
        found = [line for line in self.saved if all(line[n] == self.task[n] for n in same)]
        return found[-1] if found else None

    def _save(self, _: Any) -> None:
        ranks = self.ranking()
        if ranks is None:
            return
        line: dict[str, Any] = {**self.task, "ranks": ranks, "labeler": "you"}
        if any(part.value for part in self.likert):
            line["likert"] = [part.value or None for part in self.likert]
        flags = [
            {flag: True for flag, box in zip(FLAGS, boxes, strict=True) if box.value}
            for boxes in self.flags
        ]
        if any(flags):
            line["flags"] = flags
        try:
            self.saved = self._read()  # another desk may have saved there meanwhile
            before = self._line()
            self.saved = [other for other in self.saved if other is not before] + [line]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(self.path) as partial:
                write_jsonl(partial, self.saved)
        except (OSError, MinirlhfError) as error:
            self.status.value = alert(f"{self.path}: {getattr(error, 'strerror', error)}")
            return
        self.status.value = chip(say("labeling.saved", path=self.path.name), GOOD)
        self.refresh()

    # ------------------------------------------------------------------------------------ compared

    def compare(self) -> Comparison | None:
        """The saved ranking of this prompt against reward model and labelers; None without one."""
        line = self._line()
        if line is None:
            return None
        task, ranks = (line["prompt"], *line["completions"]), line["ranks"]
        if task not in self._compared or self._compared[task][0] != ranks:
            self._compared[task] = ranks, compare(line, self.score, self.labelers)
        return self._compared[task][1]

    def texts(self) -> list[tuple[str, str]]:
        """The prompt, and its completions with the ranks that were saved."""
        ranks = (self._line() or {}).get("ranks")
        marks = [
            f"y{k + 1}" + (f" · rank {ranks[k]}" if ranks else "") for k in range(len(self.ranks))
        ]
        said = zip(marks, self.task["completions"], strict=True)
        return [(self.task["prompt"], ""), *said]

    def draw(self) -> tuple[Figure, str]:
        """Reward-model scores by your rank, and how often each labeler agrees with you."""
        compared = self.compare()
        if self.score is None and not self.labelers:
            return self._draw_alone()
        figure, (left, right) = canvas(2.7, 1, 2)
        self._draw_scores(left, compared)
        self._draw_agreement(right, compared)
        if compared is None:
            self.result.value = ""
            return figure, say("labeling.empty")
        words = []
        if compared.loss is not None:
            words.append(
                say(
                    "labeling.loss",
                    loss=f"{compared.loss:.3f}",
                    chance=f"{np.log(2):.3f}",
                    correct=compared.correct,
                    pairs=compared.pairs,
                )
            )
        if compared.agreement:
            share = float(np.mean(list(compared.agreement.values())))
            words.append(say("labeling.agreement", share=f"{share:.0%}"))
        if compared.others is not None:
            words.append(say("labeling.others", share=f"{compared.others:.0%}"))
        words = " ".join(words) or say("labeling.ties")
        self.result.value = f'<div role="status">{html.escape(words)}</div>'
        return figure, words

    def _draw_alone(self) -> tuple[Figure, str]:
        """Nobody to compare with: the order that was saved, in a line."""
        figure, axes = canvas(0.5)
        axes.set_axis_off()
        ranks = (self._line() or {}).get("ranks")
        names = [f"y{k + 1}" for k in range(len(self.ranks))]
        said = " ".join(order(ranks, names)) if ranks else "rank and save"
        note(axes, (0.0, 0.5), said, va="center", fontsize=10)
        self.result.value = ""
        return figure, said if ranks else say("labeling.empty")

    def _draw_scores(self, axes: Axes, compared: Comparison | None) -> None:
        dress(axes, "The reward model, by your rank", "your rank (1 is best)", "score")
        if compared is None or not compared.scores:
            note(axes, (0.5, 0.5), "rank and save" if compared is None else "no reward model",
                 xycoords="axes fraction", ha="center")  # fmt: skip
            axes.set(xticks=[], yticks=[])
            return
        ranks = self._line()["ranks"]
        axes.scatter(ranks, compared.scores, s=42, color=INK, zorder=3)
        names: dict[tuple, list[str]] = {}
        for k, place in enumerate(zip(ranks, compared.scores, strict=True)):
            names.setdefault(place, []).append(f"y{k + 1}")
        for place, shared in names.items():
            note(axes, place, " ".join(shared), xytext=(6, 3), textcoords="offset points")
        axes.set_xticks(range(1, max(ranks) + 1))
        axes.set_xlim(0.6, max(ranks) + 0.7)
        axes.margins(y=0.15)

    def _draw_agreement(self, axes: Axes, compared: Comparison | None) -> None:
        dress(axes, "Labelers who agree with you", "share of pairs that neither ties, %", "")
        axes.grid(visible=False)
        if compared is None or not compared.agreement:
            axes.set(xticks=[], yticks=[])
            return
        shares = np.sort([100 * share for share in compared.agreement.values()])
        axes.barh(np.arange(len(shares)), shares, height=0.7, color=PALETTE["sft"])
        axes.set_yticks([])
        axes.set_ylabel(f"{len(shares)} labelers")
        axes.set(xlim=(0, 108), ylim=(-1.6, len(shares) + 0.6))  # below and above: the labels
        axes.axvline(50, color=GRID, linewidth=1, zorder=0)
        for share, label, place, style in (
            (float(shares.mean()), "with you", -1.0, "-"),
            (100 * (compared.others or np.nan), "with one another", len(shares), (0, (3, 2))),
        ):
            if np.isfinite(share):
                axes.axvline(share, color=INK, lw=1.1, linestyle=style)
                note(axes, (share, place), f" {label} {share:.0f} ", va="center", fontsize=7.5,
                     ha="right" if share > 50 else "left",
                     bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0})  # fmt: skip
