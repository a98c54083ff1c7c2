"""What is wrong with an answer: its trials beside those of the reference and of known mistakes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, allclose

from minirlhf.grading.side_by_side import Compared, differing, pulled
from minirlhf.grading.time_limit import LIMIT, OutOfTimeError, within
from minirlhf.grading.trial import (
    Asked,
    Inputs,
    RefusedError,
    Result,
    Trial,
    as_results,
    as_shipped,
    run,
    torch_as_it_starts,
    watched,
)
from minirlhf.randomness import generator

RELATIVE, ABSOLUTE = 1e-4, 1e-5


class Shown(NamedTuple):
    """A case on which a nameless answer differs, for `side_by_side`."""

    case: Inputs
    compared: Compared
    results: tuple[Tensor, Tensor]
    place: int
    """Of the result among several."""


class Finding(NamedTuple):
    """What is wrong: the mistake's name, what its message has to tell, and what is shown of it."""

    name: str = ""
    fields: Mapping[str, object] = {}
    shown: Shown | None = None


def diagnose(
    question: Asked, answer: Any, seconds: float | None = LIMIT, closed: Mapping[str, str] = {}
) -> Finding:
    """What is wrong with an answer; without a name, nothing is.

    The answer has so many ``seconds`` in all; None: no limit. ``closed`` are functions of the
    package that it may not call yet, each with the question that opens it.
    """
    if not callable(answer):
        return Finding("not-a-function", {"got": type(answer).__name__})
    with as_shipped(), torch_as_it_starts():
        return _diagnose(question, answer, seconds, closed)


def _diagnose(
    question: Asked, answer: Callable, seconds: float | None, closed: Mapping[str, str]
) -> Finding:
    cases = [question.inputs(generator(n, question.key)) for n in range(question.cases)]
    try:
        tried, borrowed = within(seconds, lambda: _try(question, answer, cases, closed))
    except RefusedError as refused:
        return Finding(refused.name, refused.fields)
    except OutOfTimeError as error:
        name = "endless-still" if error.still_running else "endless"
        return Finding(name, {"seconds": f"{error.seconds:g}", "question": question.key})
    if borrowed:
        opens = closed.get(borrowed[0].removeprefix("minirlhf."))
        fields = {"name": borrowed[0], "question": opens}
        return Finding("closed" if opens else "borrowed", fields)
    right = [run(question, question.reference, case) for case in cases]
    for trial, wanted in zip(tried, right, strict=True):
        if trial.modified:
            return Finding("modified", {"name": trial.modified})
        if len(trial.results) != len(wanted.results):
            return Finding("count", {"wanted": len(wanted.results), "got": len(trial.results)})
    values_right = all(same(*pair) for pair in zip(tried, right, strict=True))
    if values_right and all(same_gradients(*pair) for pair in zip(tried, right, strict=True)):
        if question.detached and any(trial.attached for trial in tried):
            return Finding("attached")
        return dtype_mistake(tried, right)
    if name := known(question, cases, tried, by_value=not values_right):
        return Finding(name)
    if values_right:
        return gradient_mistake(tried)
    return value_mistake(question, cases, tried, right)


def _try(
    question: Asked, answer: Callable, cases: list[Inputs], closed: Collection[str]
) -> tuple[list[Trial], list[str]]:
    """The answer's trials, and what it calls that it may not stand on.

    That is looked at in a second run: to watch changes what a deep recursion does.
    """
    tried = [run(question, answer, case) for case in cases]
    with watched(question, cases, closed) as borrowed, suppress(RefusedError):
        for case in cases:
            run(question, answer, case)
    return tried, borrowed


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two results agree in shape and values; NaN and infinities at the same places do."""
    if one.shape != other.shape:
        return False
    return allclose(one.double(), other.double(), rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)


def same(one: Trial, other: Trial) -> bool:
    if len(one.results) != len(other.results):
        return False
    return all(close(a, b) for a, b in zip(one.results, other.results, strict=True))


def same_gradients(one: Trial, other: Trial) -> bool:
    for a, b in zip(one.gradients, other.gradients, strict=True):
        if (a is None) != (b is None) and (b if a is None else a).any():
            return False
        if a is not None and b is not None and not close(a, b):
            return False
    return True


def known(question: Asked, cases: list[Inputs], tried: list[Trial], *, by_value: bool) -> str:
    """The first known-wrong answer that this one agrees with on every case."""
    for name, function in known_wrong(question):
        wrong = (run(question, function, case) for case in cases)
        pairs = zip(tried, wrong, strict=True)
        if all(same(*pair) and (by_value or same_gradients(*pair)) for pair in pairs):
            return name
    return ""


def known_wrong(question: Asked) -> Iterator[tuple[str, Callable]]:
    """Each wrong answer that a question knows; several may have one name."""
    if not question.outcome:
        yield "zero", zero(question)
    for name, written in question.wrong.items():
        for function in written if isinstance(written, tuple) else (written,):
            yield name, function


def zero(question: Asked) -> Callable:
    """Zeros of the right shape, whatever the input."""

    def zeros(*arguments: Any) -> Result:
        returned = as_results(question.reference(*arguments))
        return tuple(torch.zeros_like(result) for result in returned)

    return zeros


def dtype_mistake(tried: list[Trial], right: list[Trial]) -> Finding:
    for trial, wanted in zip(tried, right, strict=True):
        for result, model in zip(trial.results, wanted.results, strict=True):
            whole = not model.is_floating_point() and model.dtype != torch.bool
            fits = result.dtype == model.dtype or (whole and result.dtype == torch.int32)
            if not fits:
                return Finding("dtype", {"wanted": _name(model.dtype), "got": _name(result.dtype)})
    return Finding()


def gradient_mistake(tried: list[Trial]) -> Finding:
    lost = any(gradient is None for trial in tried for gradient in trial.gradients)
    return Finding("no-gradient" if lost else "gradient")


def value_mistake(
    question: Asked, cases: list[Inputs], tried: list[Trial], right: list[Trial]
) -> Finding:
    """The mistake has no name of its own: say what differs, on the smallest case that shows it."""
    off = [triple for triple in zip(cases, tried, right, strict=True) if not same(*triple[1:])]
    for _, trial, wanted in off:
        for result, model in zip(trial.results, wanted.results, strict=True):
            if result.shape != model.shape:
                fields = {"wanted": list(model.shape), "got": list(result.shape)}
                return Finding("shape", fields)
    bad = [t for t in off if any(not r.isfinite().all() for r in t[1].results)]
    case, trial, wanted = min(
        bad or off, key=lambda triple: (same_gradients(*triple[1:]), _size(triple[0]))
    )
    pairs = list(zip(trial.results, wanted.results, strict=True))
    place, results = next((n, pair) for n, pair in enumerate(pairs) if not close(*pair))
    shown = Shown(case, _compared(question, trial, wanted, results), results, place)
    return Finding("nan" if bad else "value", shown=shown)


def _compared(
    question: Asked, trial: Trial, wanted: Trial, results: tuple[Tensor, Tensor]
) -> Compared:
    """The results, or, where they are single numbers, the gradients by what they are made of."""
    if results[0].ndim == 0:
        triples = zip(question.differentiable, trial.gradients, wanted.gradients, strict=True)
        for name, yours, right in triples:
            if yours is not None and right is not None and not close(yours, right):
                yours, right = pulled(yours), pulled(right)
                differ = differing(yours, right, RELATIVE, ABSOLUTE)
                return Compared(yours, right, differ, by=name)
    return Compared(*results, differing(*results, RELATIVE, ABSOLUTE))


def _size(case: Inputs) -> int:
    return sum(value.numel() for value in case.values() if isinstance(value, Tensor))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
