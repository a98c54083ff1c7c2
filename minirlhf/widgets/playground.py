"""The playground: one prompt, every model side by side, scored, judged, and the best of n."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import traitlets
from matplotlib.figure import Figure

from minirlhf import objectives
from minirlhf.errors import MinirlhfError
from minirlhf.lesson import called
from minirlhf.report.charts import PALETTE
from minirlhf.sampling import complete
from minirlhf.widgets.comparison import Score
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.objections import Judge
from minirlhf.widgets.playground_still import draw_values
from minirlhf.widgets.prompt_check import check_prompt
from minirlhf.widgets.replies import marks, shown_reply
from minirlhf.widgets.town_prompts import (
    KINDS,
    ended,
    from_elsewhere,
    knows_the_town,
    request,
    requests,
)
from minirlhf.widgets.words import say, signed

MOST = 16
"""Samples a model may be asked for at once."""
OTHERS = ("sft", "ppo", "ppo-ptx", "initial", "prompted", "base")
"""Whose colours models get that the palette doesn't know."""


class Reply(NamedTuple):
    """What one model answered: n samples, and which of them the reward model likes best."""

    texts: list[str]
    scores: list[float]
    best: int
    verdict: Any

    @property
    def text(self) -> str:
        return self.texts[self.best]


class Playground(LiveWidget):
    """Ask every model the same.

    ``models`` maps a name (a key of `minirlhf.report.charts.PALETTE` has its colour) to policy and
    tokenizer. ``score`` is a reward model as a function of prompts and completions, ``judge`` a
    function of a prompt and a reply that returns a number, or a verdict with ``overall``,
    ``passes`` and ``criteria``. A prompt gets a line end behind it, as Tinytown's have, unless
    ``newline`` is False. ``suggestions`` are prompts to pick from: Tinytown's, for its own models.
    One may set ``prompt``, ``n`` and ``temperature``, as the page does.
    """

    scripts = ("axes.js", "choices.js", "reply.js", "score_strip.js", "playground.js")
    styles = ("reply.css", "playground.css")
    speaks = ("playground", "prompt", "reply")

    prompt = traitlets.Unicode().tag(sync=True)
    n = traitlets.Int(1).tag(sync=True)
    """Samples of each model."""
    temperature = traitlets.Float(1.0).tag(sync=True)
    names = traitlets.List().tag(sync=True)
    """For the page: of each model its name and its colour in design.css."""
    measure = traitlets.Unicode().tag(sync=True)
    """What the dots stand for: ``score``, ``grade``, or nothing."""
    suggestions = traitlets.List().tag(sync=True)
    surprises = traitlets.Bool(False).tag(sync=True)
    """Whether there are more where the suggestions come from."""
    notice = traitlets.Unicode().tag(sync=True)
    """A friendly line on the prompt."""
    lanes = traitlets.List().tag(sync=True)
    """For the page: of each model its texts, their values, and the one shown; empty before that."""
    growing = traitlets.Dict().tag(sync=True)
    """For the page: the texts of the model ``at`` work, as far as they are."""

    def __init__(
        self,
        models: Mapping[str, tuple[Any, Any]],
        *,
        score: Score | None = None,
        judge: Judge | None = None,
        prompt: str = "",
        max_response: int = 64,
        seed: int = 0,
        newline: bool = True,
        n: int = 1,
        temperature: float = 1.0,
        suggestions: Sequence[str] | None = None,
    ):
        if not models:
            raise MinirlhfError(
                "The playground needs at least one model: name it, with its tokenizer."
            )
        self.models, self.score, self.judge = dict(models), score, judge
        self.max_response, self.seed, self.newline = max_response, seed, newline
        self.replies: dict[str, Reply] = {}
        self.asked = ""
        self.town = all(knows_the_town(tokenizer) for _, tokenizer in self.models.values())
        self._draws = random.Random(seed + 1)
        if suggestions is None:
            suggestions = requests(seed) if self.town else []
        super().__init__(
            prompt=prompt.rstrip("\n"), n=n, temperature=temperature,
            suggestions=list(suggestions), surprises=self.town or bool(suggestions),
            names=[{"name": self._name(name), "color": self._color(name)} for name in self.models],
            measure="score" if score is not None else "",
        )  # fmt: skip

    # --------------------------------------------------------------------------------------- asking

    def answer(self, prompt: str) -> dict[str, Reply]:
        """Let every model answer; each question draws other samples than the last.

        Raises `MinirlhfError` for a prompt that is empty, or too long for one of the models.
        """
        asked = ended(prompt, self.newline)
        for policy, tokenizer in self.models.values():
            check_prompt(policy, tokenizer, prompt and asked, self.max_response)
        self.prompt, self.asked, self.problem = prompt.rstrip("\n"), asked, ""
        self.notice = from_elsewhere(next(iter(self.models.values()))[1], asked) * self.town
        self.replies, self.lanes = {}, [{} for _ in self.models]
        try:
            for at, name in enumerate(self.models):
                self.busy = say("playground.writing", model=self._name(name))
                self.replies[name] = reply = self._reply(at, name)
                self._show(at, reply, reply.best, reply.verdict)
        finally:
            self.busy, self.growing = "", {}
        self.seed += 1
        return self.replies

    def act_ask(self, prompt: str) -> None:
        self.answer(prompt)

    def act_surprise(self) -> None:
        """Ask for something else: a request of the town, or one of the suggestions."""
        if self.town:
            self.answer(request(self._draws.choice(KINDS), self._draws))
        else:
            self.answer(self._draws.choice(self.suggestions))

    def act_choose(self, at: int, sample: int) -> None:
        """Show another sample of the model ``at`` this place."""
        self._show(at, list(self.replies.values())[at], sample)

    def _reply(self, at: int, name: str) -> Reply:
        policy, tokenizer = self.models[name]

        def watch(texts: list[str]) -> None:
            self.growing = {"at": at, "texts": texts}

        texts = complete(
            policy, tokenizer, [self.asked], n=self.n, max_new_tokens=self.max_response,
            seed=self.seed, temperature=self.temperature, watch=watch,
        )  # fmt: skip
        scores, best = [], 0
        if self.score is not None:
            given = torch.as_tensor(self.score([self.asked] * self.n, texts)).float().cpu()
            scores, best = given.tolist(), int(objectives.best_of_n(given[None])[0])
        verdict = self.judge(self.asked, texts[best]) if self.judge is not None else None
        return Reply(texts, scores, best, verdict)

    def _show(self, at: int, reply: Reply, sample: int, verdict: Any = None) -> None:
        """Show a sample of one model."""
        score = {"score": reply.scores[sample]} if reply.scores else {}
        detail = shown_reply(self.asked, reply.texts[sample], self.judge, verdict, **score)
        values = reply.scores
        if not values and isinstance(detail.get("grade"), (int, float)):
            values = [detail["grade"]]
        if self.score is None:
            self.measure = "grade" if values else ""
        lane = {"texts": reply.texts, "values": values, "shown": sample, "best": reply.best}
        self.lanes = [*self.lanes[:at], lane | {"detail": detail}, *self.lanes[at + 1 :]]

    # ------------------------------------------------------------------------------- what one sees

    @property
    def words(self) -> str:
        if not any(self.lanes):
            return say("playground.empty")
        values = {
            self._name(name): lane["values"][min(lane["shown"], len(lane["values"]) - 1)]
            for name, lane in zip(self.models, self.lanes, strict=True)
            if lane and lane["values"]
        }
        if not values:
            return say("playground.answered", count=len(self.replies))
        graded = self.measure == "grade"
        said = [f"{name} {f'{v:.1f}' if graded else signed(v)}" for name, v in values.items()]
        key = "playground.grades" if graded else "playground.words"
        return say(key, models=", ".join(said))

    def texts(self) -> list[tuple[str, str]]:
        """What was asked, and every model's answer."""
        said = [
            (" · ".join([self._name(name), *marks(lane["detail"])]), lane["texts"][lane["shown"]])
            for name, lane in zip(self.models, self.lanes, strict=False)
            if lane
        ]
        return [(self.asked, ""), *said] if said else []

    def draw(self) -> Figure | None:
        """The values of all samples by model, the one shown ringed."""
        if not any(lane and lane["values"] for lane in self.lanes):
            return None
        return draw_values(
            [self._name(name) for name in self.models],
            [PALETTE[self._color(name)] for name in self.models], self.lanes, self.measure,
        )  # fmt: skip

    def _name(self, name: str) -> str:
        return called(name)

    def _color(self, name: str) -> str:
        unknown = [other for other in self.models if other not in PALETTE]
        return name if name in PALETTE else OTHERS[unknown.index(name) % len(OTHERS)]

    @traitlets.validate("n")
    def _so_many(self, proposal: dict[str, Any]) -> int:
        return min(max(proposal["value"], 1), MOST)

    @traitlets.validate("temperature")
    def _so_warm(self, proposal: dict[str, Any]) -> float:
        return min(max(proposal["value"], 0.0), 2.0)
