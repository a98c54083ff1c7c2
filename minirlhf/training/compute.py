"""Where forward passes run: device, precision, and this process's part of a batch.

    compute = Compute()                       # this machine, one process
    optimizer = Optimizer(compute, policy)
    with compute.forward(policy):
        ...

Every batch is drawn globally and is the same for any number of processes; each process works off
its `Compute.share` of the rows, losses are divided by the whole batch's size, and `Optimizer.step`
adds the gradients up. So two processes give one process's numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from minirlhf.data.batching import by_length, cut
from minirlhf.training.activation_checkpointing import checkpointed
from minirlhf.training.devices import auto_precision, check_precision
from minirlhf.training.fsdp import take_part

_T = TypeVar("_T")


class Compute:
    """The device and the processes that a batch is worked off by.

    ``precision`` is that of forward passes: auto, fp32, bf16 or fp16 (`StageConfig.precision`).
    """

    def __init__(
        self, precision: str = "auto", *, gradient_checkpointing: bool = False, fsdp: bool = False
    ):
        self.accelerator = make_accelerator(precision)
        self.gradient_checkpointing = gradient_checkpointing
        self.device = self.accelerator.device
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.sharded = fsdp and self.world > 1
        """Whether each process holds a part of the models."""

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def precision(self) -> str:
        """What "auto" came to: fp32, bf16 or fp16."""
        return "fp32" if self.exact else self.accelerator.mixed_precision

    @property
    def exact(self) -> bool:
        """Whether forward passes run in float32."""
        return self.accelerator.mixed_precision == "no"

    def autocast(self) -> AbstractContextManager:
        """Forward passes run in here: bf16, fp16 or, on a CPU, float32."""
        return self.accelerator.autocast()

    @contextmanager
    def forward(self, model: nn.Module) -> Iterator[None]:
        """A forward pass of ``model`` runs in here if its gradients may be wanted: as in `autocast`
        and, with ``gradient_checkpointing``, keeping fewer activations.
        """
        keep = not (self.gradient_checkpointing and torch.is_grad_enabled())
        with self.autocast(), nullcontext() if keep else checkpointed(model):
            yield

    def share(self, rows: Sequence) -> Sequence:
        """This process's part of a batch's rows."""
        return rows[self.rank :: self.world]

    def pieces(
        self, rows: Sequence[int], lengths: Sequence[int] | Tensor, micro_batch: int | None = None
    ) -> list[list[int]]:
        """This process's part of the rows, in pieces for one forward pass each; see `cut`."""
        return cut(self.share(by_length(rows, lengths)), lengths, micro_batch, self.device)

    def level(self, pieces: Sequence[_T], *models: nn.Module) -> Iterator[_T]:
        """The pieces, each to be passed through ``models``, one after another.

        Sharded models have to be passed through equally often by all processes; here those that
        have fewer pieces catch up.
        """
        if not self.sharded:
            yield from pieces
            return
        counts = torch.zeros(self.world, dtype=torch.long)
        counts[self.rank] = len(pieces)
        most = int(self.sum(counts).max())
        yield from pieces
        for _ in range(most - len(pieces)):
            for model in models:
                with self.forward(model):
                    take_part(model)

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum of a tensor over processes, left on its device."""
        if self.world == 1:
            return tensor
        return self.accelerator.reduce(tensor.to(self.device), "sum").to(tensor.device)

    def from_main(self, value: Any) -> Any:
        """The main process's value of something small, in every process."""
        if self.world == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def wait(self) -> None:
        """Return once every process is here."""
        self.accelerator.wait_for_everyone()


def make_accelerator(precision: str):
    """An `Accelerator`; "auto" is what `auto_precision` says."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    cpu = not torch.cuda.is_available()  # said aloud, or several processes aren't seen there
    device = PartialState(cpu=cpu).device
    if precision == "auto":
        precision = auto_precision(device)
    check_precision(precision, device)
    precision = "no" if precision == "fp32" else precision
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # an earlier stage ran in another precision
    return Accelerator(mixed_precision=precision, cpu=cpu)
