"""What everyone watches while a run goes on: a loss that climbs, a policy far from its start."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

HOPELESS = 15.0
"""Nats a token, or a pair: guessing is below it in a vocabulary of three million."""
FAR, FAR_PER_TOKEN = 30.0, 0.5
"""Nats of KL that a policy may be from its reference, in a response and in each of its tokens;
Tinytown's PPO without a KL penalty ends at 20, with responses of 26 tokens.
"""

MOSTLY = 0.5


class Watch:
    """Warns, once a run, that it diverges: where two logged steps one after the other say so.

    ``memory`` is kept in the run's checkpoint, so that a run that goes on says nothing again.
    """

    def __init__(self, stage: str, memory: dict[str, Any]):
        self.stage, self.memory = stage, memory.setdefault("watch", {})

    @property
    def diverged_at(self) -> int | None:
        """The step at which it was said."""
        return self.memory.get("said")

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        """Look at a step's metrics, which are finite."""
        trouble = self._climbs(metrics) or far_away(metrics)
        if trouble and self.memory.get("doubted") and self.diverged_at is None:
            self.memory["said"] = step
            warnings.warn(
                f"{self.stage}, step {step}: {trouble}, so this run diverges. Stop it and start "
                "anew with a lower learning rate (or a lower grad_clip, in PPO a larger beta).",
                stacklevel=4,
            )
        self.memory["doubted"] = bool(trouble)

    def _climbs(self, metrics: dict[str, float]) -> str:
        loss = metrics.get("loss")
        if loss is None:
            return ""
        lowest = self.memory["lowest"] = min(loss, self.memory.get("lowest", loss))
        if loss > HOPELESS:
            return f"the loss is {loss:.3g}, worse than guessing"
        return f"the loss rose from {lowest:.3g} to {loss:.3g}" if loss > 3 * lowest + 3 else ""


def note_start(folder: Path, share: float) -> None:
    """Warn where an average of weights in ``folder`` is for the most part the start."""
    if share > MOSTLY:
        warnings.warn(
            f"{folder / 'model'} is an average of the weights that is still {share:.0%} the start, "
            f"for the run was short: take {folder / 'raw'}, which is what was learned, or train "
            "longer, or with a lower ema.",
            stacklevel=4,
        )


def far_away(metrics: dict[str, float]) -> str:
    """Says so where the policy is too far from its reference."""
    kl = metrics.get("objective/kl", 0.0)
    if kl <= max(FAR, FAR_PER_TOKEN * metrics.get("response/length", 0.0)):
        return ""
    return f"the KL is {kl:.3g} nats, where the reward model knows nothing any more"
