"""What a job of many parts says while it is at work: which training of how many, and what else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from minirlhf.training.log import Callback, Event

T = TypeVar("T")


class Teller:
    """Speaks to a callback, if there is one, about the trainings ``trained``, in their order."""

    def __init__(self, callback: Callback | Sequence[Callback] | None, trained: Sequence[str]):
        self.callback, self.trained = callback, trained

    def of(self, name: str) -> Callback | Sequence[Callback] | None:
        """The callback of one training, whose events then say which of how many it is."""
        if not callable(self.callback):
            return self.callback
        count = len(self.trained)
        place = f"{self.trained.index(name) + 1}/{count} " if name in self.trained else ""
        return lambda event: self.callback(replace(event, title=place + name))

    def tell(self, title: str, done: int, total: int) -> None:
        """How much is done of something between the trainings."""
        if callable(self.callback):
            self.callback(Event("", done, total, title=title))

    def each(self, title: str, things: Collection[T]) -> Iterator[T]:
        """The things, one after the other, each told of."""
        for number, thing in enumerate(things):
            self.tell(title, number, len(things))
            yield thing
        self.tell(title, len(things), len(things))
