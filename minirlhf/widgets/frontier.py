"""The reward–KL frontier: runs that differ in β, the reward model's score and a judge's over KL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from minirlhf.errors import MinirlhfError
from minirlhf.report.charts import running_mean
from minirlhf.tinytown.town import Tinytown
from minirlhf.widgets.frontier_still import draw_frontier
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.objections import Judge
from minirlhf.widgets.replies import grade, marks, shown_reply
from minirlhf.widgets.run_reader import Reader
from minirlhf.widgets.words import say, signed

WINDOW = 10
"""Last iterations of a run that are averaged, and those that a point of its path averages."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where a run ended."""

    beta: float
    kl: float
    """Nats a reply, to the reference."""
    proxy: float
    """The reward model's mean score."""
    judge: float | None = None
    """The judge's mean grade."""
    samples: Sequence[Mapping[str, Any]] = ()
    """A few with ``prompt``, ``response`` and perhaps ``score``."""
    path: Sequence[tuple[float, ...]] = field(default=())
    """KL, the reward model's score, and the judge's grade if there is one, on the way there."""
    history: Sequence[Sequence[Mapping[str, Any]]] = field(default=(), repr=False)
    """Samples at every step of the path."""


class Frontier(LiveWidget):
    """Proxy and judge against KL over several runs.

    A run, and a step of the way that it took, may be chosen: then its texts of that step are shown,
    with what Tinytown's judge objects to underlined, where it understands the request.

    ``runs`` are PPO folders or `Point`s (or dicts with a point's fields). Of a folder the last
    iterations are averaged. The judge's grades are those in its log (``judge/grade``), unless
    ``judge``, a function of a prompt and a response that returns a number or a verdict with
    ``overall``, is given: it grades the folder's own samples.
    """

    scripts = ("axes.js", "choices.js", "reply.js", "frontier.js")
    styles = ("reply.css", "frontier.css")
    speaks = ("frontier", "reply")

    runs = traitlets.List().tag(sync=True)
    """The points, for the page."""
    judged = traitlets.Bool().tag(sync=True)
    choice = traitlets.Int(0).tag(sync=True)
    """The chosen run: its place in ``points``, which go by β."""
    moment = traitlets.Int(-1).tag(sync=True)
    """The chosen step of its path, from 0; -1 is where it ended."""
    replies = traitlets.List().tag(sync=True)
    """The samples shown, for the page."""
    other = traitlets.Float(None, allow_none=True).tag(sync=True)
    """The β of the run whose replies stand beside the chosen one's: the largest, nearest to the
    reference; of the run with the largest, the smallest."""
    beside = traitlets.List().tag(sync=True)
    """What that run said to the same prompts at the same step; empty where it wasn't asked them."""

    def __init__(
        self,
        runs: Sequence[str | Path | Point | Mapping[str, Any]],
        *,
        judge: Judge | None = None,
        source: str = "",
    ):
        self.points = sorted((_point(run, judge) for run in runs), key=lambda point: point.beta)
        if not self.points:
            raise MinirlhfError("The frontier needs at least one run: a folder of PPO, or a Point.")
        self.source, self.reader = source, judge or Tinytown().judge
        super().__init__(
            judged=any(point.judge is not None for point in self.points),
            runs=[_for_page(point) for point in self.points],
            **self._read(),
        )

    @property
    def chosen(self) -> Point:
        return self.points[self.choice]

    @property
    def samples(self) -> Sequence[Mapping[str, Any]]:
        """What the chosen run said at the chosen step."""
        return self._said(self.chosen)

    @property
    def words(self) -> str:
        point, at = self.chosen, self.moment
        kl, proxy, judge = point.kl, point.proxy, point.judge
        said = []
        if 0 <= at < len(point.path):
            kl, proxy, judge = [*point.path[at], None][:3]
            said = [say("frontier.moment", step=at + 1, total=len(point.path)) + "."]
        said += [say("frontier.words", beta=f"{point.beta:g}", kl=f"{kl:.2f}",
                     proxy=signed(proxy))]  # fmt: skip
        said += [] if judge is None else [say("frontier.judge", grade=f"{judge:.2f}")]
        return " ".join(said)

    def draw(self) -> Figure:
        """Two panels over one KL axis: the reward model's score left, the judge's grade right."""
        return draw_frontier(self.points, self.chosen, judged=self.judged)

    def texts(self) -> list[tuple[str, str]]:
        """The samples shown, with what the judge says of them."""
        return [
            (" · ".join([reply["prompt"].strip(), *marks(reply)]), _text(reply))
            for reply in self.replies
        ]

    def _said(self, point: Point) -> Sequence[Mapping[str, Any]]:
        at = self.moment
        return point.history[at] if 0 <= at < len(point.history) else point.samples

    def _read(self) -> dict[str, Any]:
        """What the page shows of the chosen step: `replies`, and `beside` them `other`'s."""
        against = self.points[0 if self.choice == len(self.points) - 1 else -1]
        theirs = {sample["prompt"]: sample for sample in self._said(against)}
        together = len(against.history) == len(self.chosen.history) and against is not self.chosen
        both = together and all(sample["prompt"] in theirs for sample in self.samples)
        return {
            "replies": [self._shown(sample) for sample in self.samples],
            "other": against.beta,
            "beside": [self._shown(theirs[one["prompt"]]) for one in self.samples] if both else [],
        }

    def _shown(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        facts = {name: sample[name] for name in ("score", "finished") if name in sample}
        prompt = sample["prompt"]
        return {"prompt": prompt} | shown_reply(prompt, sample["response"], self.reader, **facts)

    @traitlets.observe("choice", "moment")
    def _choose(self, change: dict[str, Any]) -> None:
        if change["name"] == "choice":
            self.moment = -1
        with self.hold_sync():
            for name, value in self._read().items():
                self.set_trait(name, value)

    @traitlets.validate("choice")
    def _one_of_the_runs(self, proposal: dict[str, Any]) -> int:
        return min(max(proposal["value"], 0), len(self.points) - 1)


def _text(reply: Mapping[str, Any]) -> str:
    return "".join(piece for piece, _ in reply["pieces"])


def _for_page(point: Point) -> dict[str, Any]:
    path = [[*(round(float(x), 4) for x in step), None][:3] for step in point.path]
    return {"beta": point.beta, "kl": point.kl, "proxy": point.proxy, "judge": point.judge,
            "path": path, "scrubs": len(point.history) == len(path) > 1}  # fmt: skip


def _point(run: Any, judge: Judge | None) -> Point:
    if isinstance(run, Point):
        return run
    if isinstance(run, Mapping):
        return Point(**run)
    reader = Reader(run)
    reader.look()
    names = [f"objective/{name}" for name in ("kl", "score")]
    kls, scores = (reader.series(name)[1] for name in names)
    last = reader.rows[-WINDOW:]
    beta = last[-1].get("objective/beta", reader.config.get("beta")) if last else None
    if not kls or not scores or beta is None:
        raise MinirlhfError(f"{run} isn't the folder of a PPO run with a log: check the path.")
    logged = reader.series("judge/grade")[1]
    grades, walked = logged[-WINDOW:], [kls, scores]
    if judge:
        steps = range(last[0]["step"], last[-1]["step"] + 1)
        samples = [s for step in steps for s in reader.samples(step) if s["step"] == step]
        grades = [float(grade(judge(s["prompt"], s["response"]))) for s in samples]
    elif len(logged) == len(kls):
        walked.append(logged)
    return Point(
        beta=beta,
        kl=float(np.mean(kls[-WINDOW:])),
        proxy=float(np.mean(scores[-WINDOW:])),
        judge=float(np.mean(grades)) if grades else None,
        samples=reader.samples(last[-1]["step"]),
        path=list(zip(*(running_mean(np.array(v), WINDOW) for v in walked), strict=True)),
        history=[reader.samples(step) for step in reader.series(names[0])[0]],
    )
