"""The token lens: one response, token by token, from sampling to the clipped loss."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import ipywidgets as parts
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.config import PPOConfig
from minirlhf.episodes import Models
from minirlhf.errors import MinirlhfError
from minirlhf.report.charts import GRID, INK, MUTED, PALETTE
from minirlhf.widgets.base import Board, alert, button, row, say, slider, text
from minirlhf.widgets.pictures import FONT, canvas, dress, note
from minirlhf.widgets.prompt_check import check_prompt
from minirlhf.widgets.token_strip import draw_tokens, in_lines, visible
from minirlhf.widgets.trace import Trace, trace

STEPS = ("sampling", "reward", "gae", "loss")
COLORS = {"sampling": "log-ratio", "reward": "reward", "gae": "advantage", "loss": "advantage"}
"""What the tokens are coloured by when a step is chosen; any other may be chosen then."""
QUANTITIES = ("log-ratio", "reward", "value", "advantage")
_REACH = 0.5, 1.5
"""Ratios that the picture of the clipped loss shows."""


class TokenLens(Board):
    """A response's tokens coloured by log-ratio (KL), reward, value or advantage.

    It shows a stored `Trace`, or samples one: hand in ``models`` and a ``prompt``; then there is a
    box for other prompts too. ``config`` gives β, λ, clip range, lengths and the seed.
    """

    def __init__(
        self,
        shown: Trace | None = None,
        *,
        models: Models | None = None,
        prompt: str = "",
        config: PPOConfig | None = None,
    ):
        super().__init__()
        if shown is None and models is None:
            raise MinirlhfError("TokenLens needs a Trace, or models and a prompt.")
        self.models, self.config = models, config or PPOConfig()
        self.trace = shown or self._sampled(prompt)
        self.prompt = parts.Textarea(
            value=self.trace.prompt.rstrip("\n"), description=say("prompt.label"), rows=2,
            layout={"width": "100%"}, style={"description_width": "110px"},
        )  # fmt: skip
        self.again = button(say("lens.sample"), "refresh")
        self.step = parts.ToggleButtons(
            options=[(say(f"lens.steps.{name}"), name) for name in STEPS],
            description=say("lens.step"),
            style={"button_width": "auto", "description_width": "110px"},
            layout={"width": "auto"},
        )
        self.color = parts.Dropdown(
            options=[(say(f"lens.colors.{name}"), name) for name in QUANTITIES],
            description=say("lens.color"),
            style={"description_width": "110px"},
            layout={"width": "300px"},
        )
        self.token = slider(say("lens.token"), parts.IntSlider, min=1, continuous_update=True)
        self.ratio = slider(say("lens.ratio"), min=_REACH[0], max=_REACH[1], step=0.01)
        self.ratio.continuous_update = True
        self.problem, self.response, self.numbers = parts.HTML(), parts.HTML(), parts.HTML()
        self.again.on_click(self._sample_again)
        self.step.observe(self._choose_step, "value")
        for part in (self.color, self.ratio):
            part.observe(self.refresh, "value")
        self.token.observe(self._choose_token, "value")
        self._open()
        box = [self.prompt, row(self.again, self.problem)] if models is not None else []
        self.arrange(
            *box, self.response, self.step, row(self.color, self.token), self.ratio, self.image,
            self.numbers, self.caption,
        )  # fmt: skip

    @property
    def at(self) -> int:
        """The chosen token, from 0."""
        return self.token.value - 1

    def quantity(self, name: str) -> np.ndarray:
        """What the tokens can be coloured by: float ``[T]``."""
        return {
            "log-ratio": lambda: self.trace.log_ratio.numpy(),
            "reward": lambda: self.trace.rewards.numpy(),
            "value": lambda: np.asarray(self.trace.values, dtype=np.float32),
            "advantage": lambda: self.trace.gae.advantages.numpy(),
        }[name]()

    def texts(self) -> list[tuple[str, str]]:
        """Prompt and response as plain text."""
        return [(self.trace.prompt, "".join(self.trace.tokens))]

    # ------------------------------------------------------------------------------------- choosing

    def _sampled(self, prompt: str) -> Trace:
        check_prompt(
            self.models.policy, self.models.tokenizer, prompt, self.config.max_response,
            self.config.max_prompt,
        )  # fmt: skip
        return trace(self.models, prompt, self.config)

    def _sample_again(self, _: Any) -> None:
        ends = "\n" if self.trace.prompt.endswith("\n") else ""
        self.again.disabled, self.problem.value = True, html.escape(say("prompt.busy"))
        try:
            self.config = replace(self.config, seed=self.config.seed + 1)
            self.trace = self._sampled(self.prompt.value.rstrip("\n") + ends)
            self.problem.value = ""
        except Exception as error:  # memory, a scorer of one's own: nobody else would hear of it
            self.problem.value = alert(error)
        finally:
            self.again.disabled = False
        self._open()
        self.refresh()

    def _open(self) -> None:
        """Show a trace from its first token on."""
        self._quiet = True
        self.token.max = len(self.trace.tokens)
        self.token.value = min(self.token.value, self.token.max)
        self.ratio.value = float(self.trace.ratio[self.at].clamp(*_REACH))
        self._quiet = False
        self.response.value = f"<b>{html.escape(self.trace.prompt)}</b>" + text(
            "".join(self.trace.tokens)
        )

    def _choose_step(self, change: dict[str, Any]) -> None:
        self._quiet = True
        self.color.value = COLORS[change["new"]]
        self._quiet = False
        self.refresh()

    def _choose_token(self, _: Any) -> None:
        if not self._quiet:
            self._quiet = True
            self.ratio.value = float(self.trace.ratio[self.at].clamp(*_REACH))
            self._quiet = False
            self.refresh()

    # ---------------------------------------------------------------------------------- the picture

    def draw(self) -> tuple[Figure, str]:
        """The tokens on their colours, and a panel for the step."""
        self.ratio.layout.display = "" if self.step.value == "loss" else "none"
        lines = in_lines(self.trace.tokens)
        height = 0.46 * len(lines)
        figure, (strip, panel) = canvas(
            height + 2.3, 2, 1, gridspec_kw={"height_ratios": [height, 2.2]}
        )
        draw_tokens(strip, lines, self.quantity(self.color.value), self.at)
        {
            "sampling": self._draw_sampling,
            "reward": self._draw_rewards,
            "gae": self._draw_advantages,
            "loss": self._draw_loss,
        }[self.step.value](panel)
        self.numbers.value = self._explain()
        name = self.color.value
        words = say("lens.words", count=len(self.trace.tokens), color=say(f"lens.colors.{name}"),
                    score=f"{self.trace.score:+.2f}",
                    kl=f"{float(self.trace.log_ratio.sum()):.2f}")  # fmt: skip
        return figure, words

    def _bars(self, axes: Axes, values: np.ndarray, color: str, label: str, width: float = 0.6):
        places = np.arange(1, len(values) + 1)
        axes.bar(places, values, width=width, color=color, label=label)

    def _finish(self, axes: Axes, title: str, unit: str) -> None:
        axes.axvspan(self.at + 0.5, self.at + 1.5, color=GRID, alpha=0.6, zorder=0, linewidth=0)
        axes.axhline(0, color=MUTED, linewidth=0.6)
        dress(axes, title, "token", unit, integers=True)
        axes.set_xlim(0.4, len(self.trace.tokens) + 0.6)
        legend = axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0,
                             ncols=3, fontsize=7.5, frameon=False, labelcolor=INK)  # fmt: skip
        for words in legend.get_texts():
            words.set_fontfamily(FONT)

    def _draw_sampling(self, axes: Axes) -> None:
        places = np.arange(1, len(self.trace.tokens) + 1)
        axes.plot(places, self.trace.reference, color=PALETTE["initial"], marker="s", ms=4, lw=0.8,
                  label="reference: log π(SFT)")  # fmt: skip
        axes.plot(places, self.trace.logprobs, color=PALETTE["ppo"], marker="o", ms=4, lw=0.8,
                  label="policy: log π")  # fmt: skip
        self._finish(axes, "How likely each token was", "nats")

    def _draw_rewards(self, axes: Axes) -> None:
        penalty = -self.trace.beta * self.trace.log_ratio.numpy()
        self._bars(axes, self.trace.rewards.numpy(), PALETTE["ppo-ptx"], "reward R: with the score")
        self._bars(axes, penalty, PALETTE["initial"], "KL part: −β log-ratio", width=0.3)
        self._finish(axes, "KL at every token, the score at the last one", "reward")

    def _draw_advantages(self, axes: Axes) -> None:
        places = np.arange(1, len(self.trace.tokens) + 1)
        self._bars(axes, self.quantity("advantage"), PALETTE["sft"], "advantage A")
        axes.plot(places, self.trace.values, color=INK, marker="o", ms=3.5, lw=1, label="value V")
        axes.plot(places, self.trace.gae.returns.numpy(), color=MUTED, marker="D", ms=3, lw=0.8,
                  linestyle=(0, (3, 2)), label="return A + V")  # fmt: skip
        self._finish(axes, "Generalised advantages", "reward")

    def _draw_loss(self, axes: Axes) -> None:
        ratios = np.linspace(*_REACH, 101)
        losses = [self.trace.loss(self.at, ratio) for ratio in ratios]
        advantage = float(self.quantity("advantage")[self.at])
        axes.plot(ratios, -advantage * ratios, color=MUTED, lw=1, linestyle=(0, (3, 2)))
        axes.plot(ratios, losses, color=PALETTE["ppo"], lw=2)
        ratio = self.ratio.value
        axes.plot([ratio], [self.trace.loss(self.at, ratio)], color=INK, marker="o", ms=7)
        for edge in (1 - self.trace.clip, 1 + self.trace.clip):
            axes.axvline(edge, color=MUTED, linewidth=0.8)
            note(axes, (edge, 1), f" {edge:g}", xycoords=axes.get_xaxis_transform(), va="bottom",
                 fontsize=7.5)  # fmt: skip
        dress(axes, "", "ratio ρ of this token's probability, new to old", "loss")
        axes.set_title(
            f"Clipped loss of token {self.at + 1}; dashed: without the clip",
            loc="left", fontsize=9, fontweight="bold", color=INK, fontfamily=FONT, pad=12,
        )  # fmt: skip

    # ---------------------------------------------------------------------------------- in numbers

    def _explain(self) -> str:
        """The chosen token's numbers, put into the step's equation."""
        trace, at = self.trace, self.at
        last = at == len(trace.tokens) - 1
        log_ratio, reward = float(trace.log_ratio[at]), float(trace.rewards[at])
        value, advantage = trace.values[at], float(trace.gae.advantages[at])
        after = 0.0 if last else trace.values[at + 1]
        following = 0.0 if last else float(trace.gae.advantages[at + 1])
        probability = float(np.exp(trace.logprobs[at]))
        lines = {
            "sampling": [
                f"log π = {trace.logprobs[at]:.3f}  (π = {probability:.1%})",
                f"log π<sup>SFT</sup> = {trace.reference[at]:.3f}",
                f"log π − log π<sup>SFT</sup> = <b>{log_ratio:+.3f}</b>",
            ],
            "reward": [
                "R<sub>t</sub> = −β (log π − log π<sup>SFT</sup>)" + " + r(x, y)" * last,
                f"= −{trace.beta:g} · ({log_ratio:+.3f})"
                + f" + ({trace.score:+.3f})" * last
                + f" = <b>{reward:+.3f}</b>",
            ],
            "gae": [
                f"δ = R + V<sub>next</sub> − V = {reward:+.3f} + ({after:+.3f}) − ({value:+.3f}) "
                f"= {reward + after - value:+.3f}",
                f"A = δ + λ A<sub>next</sub> = {reward + after - value:+.3f} + {trace.lam:g} · "
                f"({following:+.3f}) = <b>{advantage:+.3f}</b>",
            ],
            "loss": [
                f"ρ = {self.ratio.value:.2f}, A = {advantage:+.3f}, ε = {trace.clip:g}",
                f"−min(ρA, clip(ρ, 1 ± ε) A) = <b>{trace.loss(at, self.ratio.value):+.3f}</b>",
            ],
        }[self.step.value]
        title = html.escape(say("lens.at", number=at + 1, token=visible(trace.tokens[at])))
        return f"<b>{title}</b><br>" + "<br>".join(lines)
