"""The token lens: one response, token by token, from sampling to the clipped loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from minirlhf.config import PPOConfig
from minirlhf.episodes import Models
from minirlhf.errors import MinirlhfError
from minirlhf.widgets.lens_still import draw_steps
from minirlhf.widgets.live_widget import LiveWidget
from minirlhf.widgets.prompt_check import check_prompt
from minirlhf.widgets.token_strip import visible
from minirlhf.widgets.trace import Trace, trace
from minirlhf.widgets.words import say, signed

STEPS = ("sampling", "reward", "gae", "loss")
COLORS = {"sampling": "log-ratio", "reward": "reward", "gae": "advantage", "loss": "advantage"}
"""What the tokens are coloured by when a step is chosen; any other may be chosen then."""
QUANTITIES = ("log-ratio", "reward", "value", "advantage")
REACH = 0.5, 1.5
"""Ratios that the picture of the clipped loss shows."""
EQUATIONS = {
    "sampling": [
        "log π = {policy}   (π = {probability})",
        "log π^SFT = {reference}",
        "log π − log π^SFT = {log_ratio}",
    ],
    "reward": ["R = −β (log π − log π^SFT)", "= −{beta} · ({log_ratio}) = {reward}"],
    "reward_last": [
        "R = −β (log π − log π^SFT) + r(x, y)",
        "= −{beta} · ({log_ratio}) + ({score}) = {reward}",
    ],
    "gae": [
        "δ = R + V_next − V = {reward} + ({after}) − ({value}) = {delta}",
        "A = δ + λ A_next = {delta} + {lam} · ({following}) = {advantage}",
    ],
    "loss": [
        "ρ = {ratio}, A = {advantage}, ε = {clip}",
        "−min(ρ A, clip(ρ, 1 ± ε) A) = {loss}",
    ],
}
"""Each step's equation, for page and copy; numbers go into the braces, ^ and _ set a word high and
low. "reward_last" is the last token's."""


class TokenLens(LiveWidget):
    """A response's tokens coloured by log-ratio (KL), reward, value or advantage.

    It opens at the token that the policy changed most.

    It shows a stored `Trace`, or samples one: hand in ``models`` and a ``prompt``; then there is a
    box for other prompts too. ``config`` gives β, λ, clip range, lengths and the seed. One may set
    ``step``, ``color``, ``token`` (from 1) and ``ratio``, as the page does.
    """

    scripts = ("equations.js", "axes.js", "choices.js", "lens_panels.js", "token_lens.js")
    styles = ("token_lens.css",)
    speaks = ("lens", "prompt")

    shown = traitlets.Dict().tag(sync=True)
    """The trace, as the page needs it."""
    asks = traitlets.Bool(False).tag(sync=True)
    """Whether there are models to sample from."""
    equations = traitlets.Dict(EQUATIONS).tag(sync=True)
    step = traitlets.Enum(STEPS, "sampling").tag(sync=True)
    color = traitlets.Enum(QUANTITIES, "log-ratio").tag(sync=True)
    token = traitlets.Int(1).tag(sync=True)
    ratio = traitlets.Float(1.0).tag(sync=True)

    def __init__(
        self,
        shown: Trace | None = None,
        *,
        models: Models | None = None,
        prompt: str = "",
        config: PPOConfig | None = None,
    ):
        if shown is None and models is None:
            raise MinirlhfError("TokenLens needs a Trace, or models and a prompt.")
        self.models, self.config = models, config or PPOConfig()
        self.trace = shown or self._sampled(prompt)
        super().__init__(asks=models is not None, token=self._changed_most(), **self._state())

    @property
    def at(self) -> int:
        """The chosen token, from 0."""
        return self.token - 1

    def quantity(self, name: str) -> np.ndarray:
        """What the tokens can be coloured by: float ``[T]``."""
        return {
            "log-ratio": lambda: self.trace.log_ratio.numpy(),
            "reward": lambda: self.trace.rewards.numpy(),
            "value": lambda: np.asarray(self.trace.values, dtype=np.float32),
            "advantage": lambda: self.trace.gae.advantages.numpy(),
        }[name]()

    def equation(self, step: str) -> list[str]:
        """A step's equation with the chosen token's numbers in it."""
        last = step == "reward" and self.token == len(self.trace.tokens)
        numbers = self._numbers()
        return [line.format(**numbers) for line in EQUATIONS["reward_last" if last else step]]

    @property
    def words(self) -> str:
        shown = self.trace
        return say("lens.words", count=len(shown.tokens), color=say(f"lens.colors.{self.color}"),
                   score=signed(shown.score), kl=f"{float(shown.log_ratio.sum()):.2f}")  # fmt: skip

    def draw(self) -> Figure:
        """All four steps, one under the other."""
        equations = {step: self.equation(step) for step in STEPS}
        values = self.quantity(self.color)
        return draw_steps(self.trace, values, self.color, self.at, self.ratio, equations)

    def texts(self) -> list[tuple[str, str]]:
        """Prompt and response as plain text."""
        return [(self.trace.prompt, "".join(self.trace.tokens))]

    # ------------------------------------------------------------------------------------- choosing

    def act_sample(self, prompt: str) -> None:
        """Sample a response to ``prompt`` and show it; each time another is drawn."""
        ends = "\n" if self.trace.prompt.endswith("\n") else ""
        self.busy = say("prompt.busy")
        try:
            self.config = replace(self.config, seed=self.config.seed + 1)
            self.trace = self._sampled(prompt.rstrip("\n") + ends)
            with self.hold_sync():
                self.set_trait("token", min(self.token, len(self.trace.tokens)))
                for name, value in self._state().items():
                    self.set_trait(name, value)
        finally:
            self.busy = ""

    def _sampled(self, prompt: str) -> Trace:
        check_prompt(
            self.models.policy, self.models.tokenizer, prompt, self.config.max_response,
            self.config.max_prompt,
        )  # fmt: skip
        return trace(self.models, prompt, self.config)

    def _state(self) -> dict[str, Any]:
        record = self.trace.record() | {
            "shown": [visible(token) for token in self.trace.tokens],
            "ratio": self.trace.ratio.tolist(),
        }
        return {"shown": record, "ratio": self._first_ratio()}

    def _changed_most(self) -> int:
        """The token, from 1, whose probability is farthest from the reference's."""
        return 1 + int(self.trace.log_ratio.abs().argmax())

    def _first_ratio(self) -> float:
        return round(float(self.trace.ratio[self.at].clamp(*REACH)), 4)

    @traitlets.validate("token")
    def _one_of_the_tokens(self, proposal: dict[str, Any]) -> int:
        return min(max(proposal["value"], 1), len(self.trace.tokens))

    @traitlets.validate("ratio")
    def _within_reach(self, proposal: dict[str, Any]) -> float:
        return min(max(proposal["value"], REACH[0]), REACH[1])

    @traitlets.observe("step")
    def _color_the_step(self, change: dict[str, Any]) -> None:
        self.color = COLORS[change["new"]]

    @traitlets.observe("token")
    def _take_its_ratio(self, _: Any) -> None:
        self.ratio = self._first_ratio()

    def _numbers(self) -> dict[str, str]:
        """The chosen token's, as the page writes them."""
        shown, at = self.trace, self.at
        last = at == len(shown.tokens) - 1
        after = 0.0 if last else shown.values[at + 1]
        following = 0.0 if last else float(shown.gae.advantages[at + 1])
        reward, value = float(shown.rewards[at]), shown.values[at]
        numbers = {
            "log_ratio": float(shown.log_ratio[at]),
            "score": shown.score,
            "reward": reward,
            "value": value,
            "after": after,
            "delta": reward + after - value,
            "following": following,
            "advantage": float(shown.gae.advantages[at]),
            "loss": shown.loss(at, self.ratio),
        }
        return {name: signed(number, 3) for name, number in numbers.items()} | {
            "policy": signed(shown.logprobs[at], 3),
            "reference": signed(shown.reference[at], 3),
            "probability": f"{float(np.exp(shown.logprobs[at])):.1%}",
            "beta": f"{shown.beta:.3g}",
            "lam": f"{shown.lam:.3g}",
            "clip": f"{shown.clip:.3g}",
            "ratio": f"{self.ratio:.2f}",
        }
