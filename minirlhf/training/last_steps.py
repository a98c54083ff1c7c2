"""Figures that stand for the end of a run, where its last minibatch may hold one pair."""

from __future__ import annotations

from typing import Any

from torch import Tensor

FEWEST = 20


class LastSteps:
    """Sums over the last steps of a run: a tenth of all, at least 20 (or all there are).

    They lie in ``memory``, which a checkpoint keeps. Figures of a step are of the minibatch as the
    model met it, before it learned from it.
    """

    def __init__(self, memory: dict[str, Any], total: int):
        self.count = min(max(total // 10, FEWEST), total)
        self.first = total - self.count
        self.sums: dict[str, Tensor] = memory.setdefault("last", {})

    def add(self, step: int, **figures: Tensor) -> None:
        """Scalar tensors of step ``step`` (from 0)."""
        if step >= self.first:
            for name, figure in figures.items():
                self.sums[name] = self.sums.get(name, 0) + figure.detach().cpu().double()

    def add_share(self, step: int, **shares: tuple[Tensor, Tensor]) -> None:
        """Parts and wholes of step ``step``, to be added up before they are divided."""
        for name, (part, whole) in shares.items():
            self.add(step, **{f"{name} part": part, f"{name} of": whole})

    def means(self) -> dict[str, float]:
        """``last/NAME``, ``last/steps``, and of a share ``last/NAME_of``: how many it is of."""
        found = {"last/steps": float(self.count)}
        for name, total in self.sums.items():
            if name.endswith(" of"):
                share = name.removesuffix(" of")
                found[f"last/{share}"] = float(self.sums[f"{share} part"] / total)
                found[f"last/{share}_of"] = float(total)
            elif not name.endswith(" part"):
                found[f"last/{name}"] = float(total) / self.count
        return found
