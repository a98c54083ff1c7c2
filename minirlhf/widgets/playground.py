"""The playground: one prompt, every model side by side, scored, judged, and the best of n."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ipywidgets as parts
import torch
from matplotlib.figure import Figure

from minirlhf import objectives
from minirlhf.errors import MinirlhfError
from minirlhf.report.charts import INK, MUTED, NAMES, PALETTE
from minirlhf.sampling import complete
from minirlhf.widgets.base import Board, alert, button, cards, chip, grade, row, say, slider, text
from minirlhf.widgets.comparison import Score
from minirlhf.widgets.pictures import BAD, GOOD, NEUTRAL, canvas, drawable, dress, note
from minirlhf.widgets.prompt_check import check_prompt

OTHERS = ("#2f6ee0", "#bd4a22", "#169e5e", "#8555ae", "#b8862b", "#777b82")
"""Colours for models that the palette doesn't know."""


class Reply(NamedTuple):
    """What one model answered: n samples, and which of them the reward model likes best."""

    texts: list[str]
    scores: list[float]
    best: int
    verdict: Any

    @property
    def text(self) -> str:
        return self.texts[self.best]


class Playground(Board):
    """Ask every model the same.

    ``models`` maps a name (a key of `minirlhf.report.charts.PALETTE` has its colour) to policy and
    tokenizer. ``score`` is a reward model as a function of prompts and completions, ``judge`` a
    function of a prompt and a reply that returns a number, or a verdict with ``overall``,
    ``passes`` and ``criteria``. A prompt gets a line end behind it, as Tinytown's have, unless
    ``newline`` is False.
    """

    def __init__(
        self,
        models: Mapping[str, tuple[Any, Any]],
        *,
        score: Score | None = None,
        judge: Callable[[str, str], Any] | None = None,
        prompt: str = "",
        max_response: int = 64,
        seed: int = 0,
        newline: bool = True,
    ):
        super().__init__()
        if not models:
            raise MinirlhfError("The playground needs at least one model.")
        self.models, self.score, self.judge = dict(models), score, judge
        self.max_response, self.seed, self.newline = max_response, seed, newline
        self.replies: dict[str, Reply] = {}
        self.asked = ""
        self.prompt = parts.Textarea(
            value=prompt.rstrip("\n"), description=say("prompt.label"), rows=2,
            layout={"width": "100%"}, style={"description_width": "110px"},
        )  # fmt: skip
        self.ask = button(say("playground.ask"), "play")
        self.n = slider(say("playground.n"), parts.IntSlider, min=1, max=16)
        self.temperature = slider(say("playground.temperature"), value=1.0, max=2.0, step=0.1)
        self.status, self.answers = parts.HTML(), parts.HTML()
        self.ask.on_click(self._ask)
        self.n.layout.display = "" if score is not None else "none"
        self.arrange(
            self.prompt, row(self.n, self.temperature), row(self.ask, self.status), self.answers,
            self.image, self.caption,
        )  # fmt: skip

    def _ask(self, _: Any) -> None:
        self.ask.disabled, self.status.value = True, html.escape(say("prompt.busy"))
        try:
            self.answer(self.prompt.value)
            self.status.value = ""
        except Exception as error:  # memory, a judge of one's own: nobody else would hear of it
            self.status.value = alert(error)
        finally:
            self.ask.disabled = False

    def answer(self, prompt: str) -> dict[str, Reply]:
        """Let every model answer; each question draws other samples than the last.

        Raises `MinirlhfError` for a prompt that is empty, or too long for one of the models.
        """
        asked = prompt.rstrip("\n") + "\n" * self.newline
        for policy, tokenizer in self.models.values():
            check_prompt(policy, tokenizer, prompt and asked, self.max_response)
        self.replies = {name: self._reply(asked, *model) for name, model in self.models.items()}
        self.asked, self.seed = asked, self.seed + 1
        self.answers.value = cards(
            [self._card(name, reply) for name, reply in self.replies.items()]
        )
        self.refresh()
        return self.replies

    def _reply(self, prompt: str, policy: Any, tokenizer: Any) -> Reply:
        n = self.n.value
        texts = complete(
            policy, tokenizer, [prompt], n=n, max_new_tokens=self.max_response, seed=self.seed,
            temperature=self.temperature.value,
        )  # fmt: skip
        scores, best = [], 0
        if self.score is not None:
            given = torch.as_tensor(self.score([prompt] * n, texts)).float().cpu()
            scores, best = given.tolist(), int(objectives.best_of_n(given[None])[0])
        verdict = self.judge(prompt, texts[best]) if self.judge is not None else None
        return Reply(texts, scores, best, verdict)

    def _card(self, name: str, reply: Reply) -> str:
        head = f"<b>{chip(NAMES.get(name, name), ('#ffffff', self._color(name)))}</b>"
        said = text(reply.text) if reply.text.strip() else chip(say("playground.silent"), BAD)
        marks = []
        if reply.scores:
            marks.append(chip(say("playground.score", score=f"{reply.scores[reply.best]:+.2f}")))
        if len(reply.texts) > 1:
            marks.append(chip(say("playground.best", n=len(reply.texts))))
        if reply.verdict is not None:
            marks.append(_verdict(reply.verdict))
        return head + said + "".join(marks)

    def _color(self, name: str) -> str:
        unknown = [other for other in self.models if other not in PALETTE]
        return PALETTE.get(name) or OTHERS[unknown.index(name) % len(OTHERS)]

    def texts(self) -> list[tuple[str, str]]:
        """What was asked, and every model's answer."""
        said = [
            (" · ".join([NAMES.get(name, name), *self._marks(reply)]), reply.text)
            for name, reply in self.replies.items()
        ]
        return [(self.asked, ""), *said] if said else []

    @staticmethod
    def _marks(reply: Reply) -> list[str]:
        """A reply's score, and what the judge says of it."""
        marks = [f"score {reply.scores[reply.best]:+z.2f}"] if reply.scores else []
        if reply.verdict is None:
            return marks
        given = grade(reply.verdict)
        marks.append(f"grade {given:.1f}" if isinstance(given, (int, float)) else str(given))
        if missed := _missed(reply.verdict):
            marks.append("misses " + ", ".join(missed))
        return marks

    def draw(self) -> tuple[Figure, str]:
        """The scores of all samples by model, the one shown ringed; else the judge's grades."""
        names, measured = list(self.models), self._measured()
        graded = self.score is None and bool(measured)
        figure, axes = canvas(0.32 * len(names) + 1.0)
        several = any(len(reply.texts) > 1 for reply in self.replies.values())
        title = (
            "Score of every sample; the one shown is ringed" if several else "Score of the reply"
        )
        unit = "the judge's grade" if graded else "reward model's score"
        dress(axes, "Grade of the reply shown" if graded else title, unit, "")
        axes.set_yticks(range(len(names)), [drawable(NAMES.get(name, name)) for name in names])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(visible=False)
        if not measured:
            reason = "no reward model" if self.replies else "ask something"
            note(axes, (0.5, 0.5), reason, xycoords="axes fraction", ha="center", color=MUTED)
            axes.set_xticks([])
            answered = say("playground.answered", count=len(names))
            return figure, answered if self.replies else say("playground.empty")
        words = []
        for place, (name, (values, shown)) in enumerate(measured.items()):
            color = self._color(name)
            axes.scatter(
                values,
                [place] * len(values),
                s=26,
                color=color,
                linewidths=0,
                alpha=0.55 if several else 1.0,
            )
            if several:
                axes.scatter(values[shown], place, s=110, facecolor="none", edgecolor=INK, zorder=3)
            words.append(f"{NAMES.get(name, name)} {values[shown]:{'.1f' if graded else '+.2f'}}")
        axes.margins(x=0.08)
        if graded and all(hasattr(reply.verdict, "overall") for reply in self.replies.values()):
            axes.set(xlim=(0.8, 7.2), xticks=range(1, 8))  # Table 3's scale
        key = "playground.grades" if graded else "playground.words"
        return figure, say(key, models=", ".join(words))

    def _measured(self) -> dict[str, tuple[list[float], int]]:
        """Each model's numbers and which of them is the shown reply's; empty if there are none."""
        if self.score is not None:
            return {name: (reply.scores, reply.best) for name, reply in self.replies.items()}
        grades = {name: grade(reply.verdict) for name, reply in self.replies.items()}
        numbers = all(isinstance(given, (int, float)) for given in grades.values())
        return {name: ([float(given)], 0) for name, given in grades.items()} if numbers else {}


def _verdict(verdict: Any) -> str:
    """A judge's number, or its grade and what it finds wrong, as HTML."""
    if isinstance(verdict, (int, float)):
        return chip(say("playground.judge", grade=f"{verdict:.1f}"))
    if not hasattr(verdict, "overall"):
        return chip(str(verdict))
    passes = getattr(verdict, "passes", None)
    colors = NEUTRAL if passes is None else GOOD if passes else BAD
    missed = _missed(verdict)
    marks = chip(say("playground.judge", grade=f"{verdict.overall:.1f}"), colors)
    return marks + (chip(say("playground.fails", names=", ".join(missed)), BAD) if missed else "")


def _missed(verdict: Any) -> list[str]:
    """The criteria that a judge finds unmet, if it names any."""
    return [name for name, met in getattr(verdict, "criteria", {}).items() if met < 1.0]
