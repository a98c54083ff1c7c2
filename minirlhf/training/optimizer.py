"""The optimizer side of training: learning rate, AdamW, scaling, clipping, moving average."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from minirlhf.training.compute import Compute
from minirlhf.training.fsdp import Sharded, gathered, local, split_like, unsplit


def learning_rate(
    step: int,
    total: int,
    peak: float,
    *,
    warmup: int = 0,
    warmup_from: float = 0.1,
    decay: Literal["constant", "linear", "cosine"] = "cosine",
    floor: float = 0.1,
) -> float:
    """The learning rate of step ``step`` (from 0) out of ``total``.

    During the first ``warmup`` steps it rises linearly from ``warmup_from`` times ``peak`` to
    ``peak``; then it stays, or falls to ``floor`` times ``peak`` at the end. C.1–C.3: cosine to
    10%, no warm-up. C.4: ten iterations from a tenth of the peak, then constant.
    """
    if step < warmup:
        return peak * (warmup_from + (1.0 - warmup_from) * step / warmup)
    done = (step - warmup) / max(total - warmup, 1)
    left = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}
    return peak * (floor + (1.0 - floor) * left[decay])


class Optimizer:
    """A network with its AdamW, gradient scaling, clipping and moving average.

    ``decay`` is the weight decay of matrices; vectors (norms, biases) have none, and learn at
    ``vector_factor`` times the learning rate. ``ema`` keeps θ̄ ← ema·θ̄ + (1 - ema)·θ after every
    optimizer step (C.4: .992; the paper doesn't say per what).
    """

    def __init__(
        self,
        compute: Compute,
        model: nn.Module,
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        decay: float = 0.0,
        clip: float | None = None,
        ema: float | None = None,
        vector_factor: float = 1.0,
    ):
        self.compute, self.clip, self.ema_rate = compute, clip, ema
        self.model = model.to(compute.device)
        self.sharded = Sharded(self.model) if compute.sharded else None
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in self.parameters if p.ndim > 1],
                "weight_decay": decay,
                "factor": 1.0,
            },
            {
                "params": [p for p in self.parameters if p.ndim <= 1],
                "weight_decay": 0.0,
                "factor": vector_factor,
            },
        ]
        self.optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=0.0, betas=betas, eps=eps, fused=True
        )
        fp16 = compute.precision == "fp16"
        self.scaler = torch.amp.GradScaler(compute.device.type, enabled=fp16)
        self.scaler.scale(
            torch.zeros((), device=compute.device)
        )  # a process may have no rows to scale
        self.average = [p.detach().clone() for p in self.parameters] if ema else None
        self.start_share = 1.0 if ema else 0.0
        """The part of the average that is the weights as they were at the start: ema^steps."""
        self.stashed: list[Tensor] | None = None

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a piece whose loss is already divided by the batch's size."""
        if self.sharded:
            loss = loss * self.compute.world  # FSDP takes the mean over processes
        self.scaler.scale(loss).backward()

    def stash(self) -> Tensor:
        """Sum the gradients so far over processes, put them aside for `step`, return their norm.

        Called between the parts of a loss, it gives each part's own gradient norm.
        """
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]
        gradients = self._summed(gradients)
        norm = self._norm(gradients, self.scaler.get_scale())
        if self.stashed is None:
            self.stashed = gradients
        else:
            torch._foreach_add_(self.stashed, gradients)
        self.optimizer.zero_grad(set_to_none=True)
        return unsplit(norm)

    def step(self, rate: float) -> Tensor:
        """One optimizer step at learning rate ``rate``; the gradient norm before clipping.

        It takes what was stashed; where nothing was, the gradients as they are.
        """
        if self.stashed is None:
            self.stash()
        assert all(p.grad is None for p in self.parameters), "the last part has to be stashed, too"
        for parameter, gradient in zip(self.parameters, self.stashed, strict=True):
            parameter.grad = gradient
        self.stashed = None
        self.scaler.unscale_(self.optimizer)
        norm = self._norm([p.grad for p in self.parameters])
        if self.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.clip, norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            with torch.no_grad():
                torch._foreach_lerp_(self.average, self.parameters, 1.0 - self.ema_rate)
            self.start_share *= self.ema_rate
        return unsplit(norm)

    def _summed(self, gradients: list[Tensor]) -> list[Tensor]:
        """The sum over processes, in one exchange: each costs more than what it carries."""
        if self.compute.world == 1 or self.sharded:  # FSDP has summed them
            return gradients
        flat = self.compute.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = flat.split([gradient.numel() for gradient in gradients])
        return [part.view_as(like) for part, like in zip(parts, gradients, strict=True)]

    def _norm(self, gradients: list[Tensor], scale: float = 1.0) -> Tensor:
        """The gradient norm; 0 where fp16 overflowed, for the scaler skips such a step."""
        norm = torch.nn.utils.get_total_norm(gradients) / scale
        return norm.nan_to_num(0.0, posinf=0.0) if self.scaler.is_enabled() else norm

    @torch.no_grad()
    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite. A gradient that was has made them so."""
        # NaN is its own extreme; ten times as fast as asking every number
        parts = (local(p) for p in self.parameters)
        extremes = [torch.stack(torch.aminmax(part)) for part in parts if part.numel()]
        wrong = (~torch.stack(extremes).isfinite()).sum()
        return not (self.compute.sum(wrong) if self.sharded else wrong)

    @torch.no_grad()
    def use_average(self) -> None:
        """Put the moving average into the model, in place of the raw weights."""
        if self.average is not None:
            for parameter, average in zip(self.parameters, self.average, strict=True):
                parameter.copy_(average)

    @contextmanager
    def whole(self) -> Iterator[nn.Module]:
        """The model to sample from or to save: a copy that is whole, if the model is sharded."""
        if self.sharded is None:
            yield self.model
        else:
            with self.sharded.whole() as model:
                yield model

    def state_dict(self) -> dict[str, Any]:
        """The same of a sharded model as of a whole one, so that a run may go on as either."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average,
            "start_share": self.start_share,
        }
        return gathered(state, keep=self.compute.is_main) if self.sharded else state

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        mine = self.model.state_dict()
        self.model.load_state_dict(
            {name: split_like(saved, mine.get(name)) for name, saved in state["model"].items()}
        )
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        moments = {
            number: {
                name: split_like(saved, held[number]) if saved.ndim else saved
                for name, saved in of_one.items()
            }
            for number, of_one in state["optimizer"]["state"].items()
        }
        self.optimizer.load_state_dict({**state["optimizer"], "state": moments})
        self.scaler.load_state_dict(state["scaler"])
        self.start_share = state["start_share"]
        if self.average is not None:
            for average, saved in zip(self.average, state["average"], strict=True):
                average.copy_(split_like(saved, average))
