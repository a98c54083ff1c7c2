"""What has been answered: kept in a file of the reader's workspace, shown by ``progress()``."""

from __future__ import annotations

import html
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minirlhf import lesson
from minirlhf.data.files import written_whole
from minirlhf.grading.bank import questions
from minirlhf.grading.messages import say
from minirlhf.grading.question_kinds import Question, Verdict


def place() -> Path:
    """The file that holds it."""
    return lesson.workspace("progress.json")


def record(verdict: Verdict) -> None:
    """Note an attempt; the best one counts. What can't be written is said by `progress`."""
    with suppress(OSError):
        kept = load()
        entry = kept.get(verdict.key, {"points": 0, "attempts": 0, "tried": []})
        points = max(entry["points"], verdict.points)
        tried = list(
            dict.fromkeys([*entry["tried"], verdict.tried] if verdict.tried else entry["tried"])
        )
        kept[verdict.key] = {"points": points, "attempts": entry["attempts"] + 1, "tried": tried}
        with written_whole(place(), shared=True) as partial:
            partial.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def load() -> dict[str, dict[str, Any]]:
    """Points, attempts and what was tried, by question. A file that isn't ours is put aside."""
    path = place()
    try:
        kept = json.loads(path.read_text("utf-8"))
        return {key: {n: int(entry[n]) for n in ("points", "attempts")}
                | {"tried": list(map(str, entry.get("tried", [])))}
                for key, entry in kept.items()}  # fmt: skip
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        os.replace(path, path.with_suffix(".damaged.json"))
        return {}


@dataclass(frozen=True)
class Board:
    """Points and attempts of every question, and where they are kept."""

    kept: dict[str, dict[str, Any]]
    path: Path
    lost: bool
    """Whether the place is gone when the session ends."""
    trouble: str = ""
    """Why nothing can be kept there."""

    @property
    def points(self) -> int:
        return sum(self._points(question) for question in questions())

    @property
    def out_of(self) -> int:
        return sum(question.points for question in questions())

    def _points(self, question: Question) -> int:
        return min(self.kept.get(question.key, {}).get("points", 0), question.points)

    def _rows(self) -> list[tuple[str, str, int, int, int]]:
        """Exercise, question, points, out of, attempts."""
        return [
            (q.exercise, q.key, self._points(q), q.points,
             self.kept.get(q.key, {}).get("attempts", 0))
            for q in questions()
        ]  # fmt: skip

    def _where(self) -> str:
        if self.trouble:
            return say("board.trouble", path=self.path, reason=self.trouble)
        kept = say("board.kept", path=self.path)
        return f"{kept} {say('board.colab')}" if self.lost else kept

    def _total(self) -> str:
        return say("board.points", points=self.points, out_of=self.out_of)

    def __repr__(self) -> str:
        lines, last = [], ""
        for exercise, key, points, out_of, attempts in self._rows():
            if exercise != last:
                lines, last = [*lines, exercise], exercise
            sign = "✓" if points == out_of else "·"
            tries = say("board.attempts", count=attempts) if attempts else ""
            lines.append(f"  {sign} {key:<22}{points:>2} / {out_of}  {tries}".rstrip())
        return "\n".join([*lines, "", f"{self._total()} {self._where()}"])

    def _repr_html_(self) -> str:
        rows = []
        for exercise, key, points, out_of, attempts in self._rows():
            done = points == out_of
            ground, color = ("#e3f5ea", "#0b5d34") if done else ("#f4f5f7", "#22262b")
            tries = say("board.attempts", count=attempts) if attempts else ""
            cells = (exercise, key, f"{'✓ ' if done else ''}{points} / {out_of}", tries)
            row = "".join(
                f'<td style="padding:.15em .8em;text-align:left">{html.escape(str(cell))}</td>'
                for cell in cells
            )
            rows.append(f'<tr style="color:{color};background:{ground}">{row}</tr>')
        return (
            f'<table style="border-collapse:collapse">{"".join(rows)}</table>'
            f"<p><b>{self._total()}</b> {html.escape(self._where())}</p>"
        )


def progress() -> Board:
    """What is done, what is left, and where that is kept."""
    lost = lesson.on_colab()
    try:
        kept, path = load(), place()
        with tempfile.TemporaryFile(dir=path.parent):
            return Board(kept, path, lost)
    except OSError as error:
        return Board({}, Path(error.filename or "work"), lost, error.strerror or str(error))
