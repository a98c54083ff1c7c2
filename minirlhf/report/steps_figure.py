"""The paper's three steps (Fig. 2) as one figure: what happened in goes in, HTML comes out.

A report fills it from a run (`of_run`), a notebook cell by cell; `draw` turns columns into markup
whose looks are in ``steps.css``. A cell that nothing has happened in yet is drawn as a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from minirlhf.report.charts import NAMES
from minirlhf.report.summary import Numbers, show

LETTERS = "ABCDEFGHI"
"""What the replies to one prompt are called, in the order in which they were sampled."""
COLORS = ("var(--mr-sft)", "var(--mr-ink)", "var(--mr-ppo)")
"""A colour a step: that of the model which it makes."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One box of a column: what happens here, and what happened.

    Texts are shown as they are, whatever is in them.
    """

    icon: str
    """Who acts: ``page`` (a prompt comes), ``person`` or ``network``."""
    caption: str
    prompt: str = ""
    reply: str = ""
    replies: Sequence[str] = ()
    """Several replies to one prompt: each gets a letter of `LETTERS`."""
    order: Sequence[str] = ()
    """A ranking in pieces, as `minirlhf.report.examples.order` writes it."""
    scores: Sequence[float] = ()
    """The reward model's, of the replies in the order of their letters."""
    rows: Sequence[tuple[str, str]] = ()
    """Figures, each with what it is; may be `Markup`."""
    sum: bool = False
    """Whether the last of ``rows`` is what the others come to."""
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened here yet."""
        held = (self.prompt, self.reply, self.replies, self.order, self.scores, self.rows)
        return not any(map(len, held))

    @property
    def zero(self) -> float:
        """Where on the axis of the scores zero lies, as a share of its length."""
        low, high = self._reach
        return -low / (high - low)

    @property
    def bars(self) -> list[tuple[float, float]]:
        """Where the bar of each score begins, and how long it is, as shares of the axis."""
        low, high = self._reach
        return [
            ((min(score, 0.0) - low) / (high - low), abs(score) / (high - low))
            for score in self.scores
        ]

    @property
    def _reach(self) -> tuple[float, float]:
        low, high = min([0.0, *self.scores]), max([0.0, *self.scores])
        return (low, high) if high > low else (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One step of the three."""

    title: str
    does: str
    """What the step does, in a sentence."""
    color: str
    """A colour as CSS has it: one of ``design.css``."""
    cells: Sequence[Cell] = ()
    missing: str = ""
    """What stands in place of the cells where there are none."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What the steps hand on to one another, as the arrows between the columns call it."""

    first: str = "SFT model"
    """From step 1 to step 2."""
    second: str = "reward model"
    """From step 2 to step 3."""
    around: str = "SFT model: where the policy starts, and the reference of the KL"
    """From step 1 to step 3."""


OF_RUN = Flow(around="initial model (C.3): where the policy starts, and the reference of the KL")
"""A run's PPO starts from what C.3 makes beside the SFT model."""


def draw(columns: Sequence[Column], flow: Flow = Flow()) -> Markup:
    """The figure as HTML, to stand in an element of ``design.css`` where ``steps.css`` applies."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    template = environment.get_template("steps.html.jinja")
    return Markup(template.render(columns=columns, flow=flow, letters=LETTERS))


# ---------------------------------------------------------------------------------------- of a run


def of_run(shown: dict[str, Any], n: Numbers) -> list[Column]:
    """The columns of a run: its examples (`examples.three_steps`) and what it measured."""
    return [
        _demonstrations(shown["demonstration"], n),
        _rankings(shown["ranking"]),
        _episodes(shown["episode"]),
    ]


def _demonstrations(row: dict[str, Any] | None, n: Numbers) -> Column:
    head = {"title": "Step 1", "does": "Demonstrations teach a policy.", "color": COLORS[0]}
    if row is None:
        return Column(**head, missing="This run has no demonstrations.")
    whose = f"A {row['source']}’s prompt" if "source" in row else "A prompt"
    passes = {
        label: n.value(key) if n.has(key) else "–"
        for label, key in (
            ("prompts it then passes", "models.sft.passes.mean"),
            ("before, as the base", "models.base.passes.mean"),
        )
    }
    count = show(n.at("settings.demonstrations"), "count")
    return Column(
        **head,
        cells=[
            Cell(icon="page", caption=f"{whose} is drawn.", prompt=row["prompt"].strip()),
            Cell(
                icon="person",
                caption="A labeler writes what a good reply is.",
                reply=row["completion"].strip(),
            ),
            Cell(
                icon="network",
                caption=f"SFT: the base model learns from {count} such pairs.",
                rows=list(passes.items()),
            ),
        ],
    )


def _rankings(row: dict[str, Any] | None) -> Column:
    head = {"title": "Step 2", "does": "Rankings teach a reward model.", "color": COLORS[1]}
    if row is None:
        return Column(**head, missing="This run has no rankings.")
    whose = f" ({row['labeler']})" if "labeler" in row else ""
    agreed, untied = row["agreed"]
    return Column(
        **head,
        cells=[
            Cell(
                icon="page",
                caption="A prompt, and samples of the SFT model.",
                prompt=row["prompt"].strip(),
                replies=[reply.strip() for reply in row["completions"]],
            ),
            Cell(
                icon="person",
                caption=f"A labeler{whose} ranks them, best first.",
                order=row["order"],
            ),
            Cell(
                icon="network",
                caption="The reward model learns from the pairs. What it now says:",
                scores=row["scores"],
                note=f"{agreed} of {untied} untied pairs in the labeler’s order; "
                "ties are not trained on.",
            ),
        ],
    )


def _episodes(row: dict[str, Any] | None) -> Column:
    head = {"title": "Step 3", "does": "PPO optimises the policy against it."}
    if row is None:
        return Column(**head, color=COLORS[2], missing="This run has no episodes.")
    batch = row["batch"]
    beta, kl = batch["objective/beta"], batch["objective/kl"]
    penalty = f"− β × KL = {beta:g} × {show(kl, 'reward')} nats"
    return Column(
        **head,
        color=f"var(--mr-{row['policy']})",
        cells=[
            Cell(icon="page", caption="A new prompt is drawn.", prompt=row["prompt"].strip()),
            Cell(
                icon="network",
                caption=f"The policy, {NAMES[row['policy']]}, replies.",
                reply=row["response"].strip(),
            ),
            Cell(
                icon="network",
                caption="The reward model scores it; the KL penalty is taken off.",
                rows=[
                    ("this reply", show(row["score"], "reward")),
                    ("its batch, mean score", show(batch["objective/score"], "reward")),
                    (penalty, show(-beta * kl, "reward")),
                    ("reward that PPO raises", show(batch["objective/rlhf_reward"], "reward")),
                ],
                sum=True,
                note=f"Iteration {row['step']}; the KL is to the initial model of C.3.",
            ),
        ],
    )
