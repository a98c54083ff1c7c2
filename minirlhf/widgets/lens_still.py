"""The token lens where no kernel runs: the tokens, and all four steps under each other."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirlhf.report.charts import GRID, INK, MUTED, PALETTE
from minirlhf.widgets.pictures import FONT, canvas, drawable, dress
from minirlhf.widgets.token_strip import draw_tokens, in_lines, visible
from minirlhf.widgets.trace import Trace
from minirlhf.widgets.words import say, signed

PLUS, MINUS = PALETTE["sft"], PALETTE["ppo"]
"""Above zero and below it, as on the page."""


def draw_steps(
    shown: Trace, values: np.ndarray, color: str, at: int, ratio: float,
    equations: dict[str, list[str]],
) -> Figure:  # fmt: skip
    """Tokens coloured by ``values`` ``[T]``, then a panel a step with its equation beneath.

    ``at`` is the chosen token, from 0; its numbers stand in the ``equations``, its clipped loss is
    drawn and marked at ``ratio``.
    """
    lines = in_lines(shown.tokens)
    height = 0.46 * len(lines) + 0.3
    figure, (strip, *panels) = canvas(
        height + 8.6, 5, 1, gridspec_kw={"height_ratios": [height, *[2.2] * 4]}
    )
    draw_tokens(strip, lines, values, at)
    token = visible(shown.tokens[at])
    colored = _say("lens.colored", color=_say(f"lens.colors.{color}"))
    strip.set_title(
        f"{colored} · {_say('lens.at', number=at + 1, token=token)}",
        loc="left", fontsize=8, color=MUTED, fontfamily=FONT,
    )  # fmt: skip
    steps = (_sampling, _rewards, _advantages, _loss)
    for axes, (step, written), picture in zip(panels, equations.items(), steps, strict=True):
        picture(axes, shown, at, ratio)
        title = _say(f"lens.titles.{step}", number=at + 1, token=token)
        axes.set_title(
            f"{_say(f'lens.steps.{step}')} · {title}", loc="left", fontsize=9, fontweight="bold",
            color=INK, fontfamily=FONT, pad=16,
        )  # fmt: skip
        axes.set_xlabel(
            "\n".join([axes.get_xlabel(), *map(_plain, written)]).strip(), loc="left", fontsize=8,
            color=INK, fontfamily=FONT, labelpad=4, linespacing=1.45, parse_math=False,
        )  # fmt: skip
    return figure


def _say(key: str, **fields: object) -> str:
    return drawable(say(key, **fields))


def _plain(line: str) -> str:
    """An equation's line without marks for what the page sets high or low."""
    return re.sub(r"[\^_](\w+)", lambda found: f"({found[1]})", line)


def _columns(axes: Axes, shown: Trace, at: int, unit: str) -> np.ndarray:
    """A panel with a column a token; the places of their middles."""
    count = len(shown.tokens)
    axes.axvspan(at + 0.5, at + 1.5, color=GRID, alpha=0.6, zorder=0, linewidth=0)
    axes.axhline(0, color=MUTED, linewidth=0.6)
    dress(axes, "", "", unit, integers=True)
    axes.set_xlim(0.4, count + 0.6)
    return np.arange(1, count + 1)


def _legend(axes: Axes) -> None:
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 0.985), borderaxespad=0.0, ncols=3, fontsize=7.5,
        frameon=False, labelcolor=INK, handlelength=1.3, columnspacing=1.4, borderpad=0.0,
    )  # fmt: skip
    for words in legend.get_texts():
        words.set_fontfamily(FONT)


def _sampling(axes: Axes, shown: Trace, at: int, _: float) -> None:
    places = _columns(axes, shown, at, _say("lens.nats"))
    reference, policy = np.array(shown.reference), np.array(shown.logprobs)
    colors = [PLUS if up else MINUS for up in policy > reference]
    axes.vlines(places, reference, policy, color=colors, linewidth=2.2, alpha=0.55)
    axes.plot(places, reference, "s", color=PALETTE["initial"], ms=4, label=_say("lens.reference"))
    axes.plot(places, policy, "o", color=PALETTE["ppo"], ms=4.5, label=_say("lens.policy"))
    _legend(axes)


def _rewards(axes: Axes, shown: Trace, at: int, _: float) -> None:
    places = _columns(axes, shown, at, _say("lens.unit"))
    penalty = -shown.beta * shown.log_ratio.numpy()
    axes.bar(places, penalty, width=0.6, color=PALETTE["initial"], label=_say("lens.penalty"))
    axes.bar(places[-1:], [shown.score], bottom=penalty[-1:], width=0.6, color=PALETTE["ppo-ptx"],
             label=f"{_say('lens.score')} = {signed(shown.score)}")  # fmt: skip
    _legend(axes)


def _advantages(axes: Axes, shown: Trace, at: int, _: float) -> None:
    places = _columns(axes, shown, at, _say("lens.unit"))
    advantages, returns = (tensor.numpy() for tensor in shown.gae)
    axes.bar(places, advantages, width=0.62, color=[PLUS if a > 0 else MINUS for a in advantages],
             label=_say("lens.colors.advantage"))  # fmt: skip
    axes.plot(places, shown.values, color=INK, marker="o", ms=3, lw=1,
              label=_say("lens.colors.value"))  # fmt: skip
    axes.plot(places, returns, color=MUTED, lw=0.9, linestyle=(0, (3, 2)),
              label=_say("lens.returns"))  # fmt: skip
    _legend(axes)


def _loss(axes: Axes, shown: Trace, at: int, ratio: float) -> None:
    ratios = np.linspace(0.5, 1.5, 101)
    advantage = float(shown.gae.advantages[at])
    dress(axes, "", _say("lens.ratio_axis"), _say("lens.loss"))
    axes.plot(ratios, -advantage * ratios, color=MUTED, lw=1, linestyle=(0, (3, 2)),
              label=_say("lens.plain"))  # fmt: skip
    axes.plot(ratios, [shown.loss(at, x) for x in ratios], color=PALETTE["ppo"], lw=2,
              label=_say("lens.clipped"))  # fmt: skip
    axes.plot([ratio], [shown.loss(at, ratio)], color=INK, marker="o", ms=7)
    for edge in (1 - shown.clip, 1 + shown.clip):
        axes.axvline(edge, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    _legend(axes)
