"""What is wrong with an answer: its trials beside those of the reference and of known mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, allclose

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


def diagnose(
    question: Asked, answer: Any, seconds: float | None = LIMIT
) -> tuple[str, dict[str, object]]:
    """The name of the mistake, or an empty one; and what its message has to tell.

    The answer has so many ``seconds`` in all; None: no limit.
    """
    if not callable(answer):
        return "not-a-function", {"got": type(answer).__name__}
    with as_shipped(), torch_as_it_starts():
        return _diagnose(question, answer, seconds)


def _diagnose(
    question: Asked, answer: Callable, seconds: float | None
) -> tuple[str, dict[str, object]]:
    cases = [question.inputs(generator(n, question.key)) for n in range(question.cases)]
    try:
        tried, borrowed = within(seconds, lambda: _try(question, answer, cases))
    except RefusedError as refused:
        return refused.name, refused.fields
    except OutOfTimeError as error:
        name = "endless-still" if error.still_running else "endless"
        return name, {"seconds": f"{error.seconds:g}", "question": question.key}
    if borrowed:
        return "borrowed", {"name": borrowed[0]}
    right = [run(question, question.reference, case) for case in cases]
    for trial, wanted in zip(tried, right, strict=True):
        if trial.modified:
            return "modified", {"name": trial.modified}
        if len(trial.results) != len(wanted.results):
            return "count", {"wanted": len(wanted.results), "got": len(trial.results)}
    values_right = all(same(*pair) for pair in zip(tried, right, strict=True))
    if values_right and all(same_gradients(*pair) for pair in zip(tried, right, strict=True)):
        return dtype_mistake(tried, right)
    if name := known(question, cases, tried, by_value=not values_right):
        return name, {}
    if values_right:
        return gradient_mistake(tried)
    return value_mistake(cases, tried, right)


def _try(question: Asked, answer: Callable, cases: list[Inputs]) -> tuple[list[Trial], list[str]]:
    """The answer's trials, and what it calls that it may not stand on.

    That is looked at in a second run: to watch changes what a deep recursion does.
    """
    tried = [run(question, answer, case) for case in cases]
    with watched(question, cases) as borrowed, suppress(RefusedError):
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
    for name, function in {"zero": zero(question), **question.wrong}.items():
        wrong = [run(question, function, case) for case in cases]
        pairs = list(zip(tried, wrong, strict=True))
        if not all(same(*pair) for pair in pairs):
            continue
        if by_value or all(same_gradients(*pair) for pair in pairs):
            return name
    return ""


def zero(question: Asked) -> Callable:
    """Zeros of the right shape, whatever the input."""

    def zeros(*arguments: Any) -> Result:
        returned = as_results(question.reference(*arguments))
        return tuple(torch.zeros_like(result) for result in returned)

    return zeros


def dtype_mistake(tried: list[Trial], right: list[Trial]) -> tuple[str, Mapping[str, object]]:
    for trial, wanted in zip(tried, right, strict=True):
        for result, model in zip(trial.results, wanted.results, strict=True):
            whole = not model.is_floating_point() and model.dtype != torch.bool
            fits = result.dtype == model.dtype or (whole and result.dtype == torch.int32)
            if not fits:
                return "dtype", {"wanted": _name(model.dtype), "got": _name(result.dtype)}
    return "", {}


def gradient_mistake(tried: list[Trial]) -> tuple[str, dict[str, object]]:
    lost = any(gradient is None for trial in tried for gradient in trial.gradients)
    return ("no-gradient" if lost else "gradient"), {}


def value_mistake(
    cases: list[Inputs], tried: list[Trial], right: list[Trial]
) -> tuple[str, dict[str, object]]:
    """The mistake has no name of its own: say what differs, on the smallest case that shows it."""
    off = [triple for triple in zip(cases, tried, right, strict=True) if not same(*triple[1:])]
    for _, trial, wanted in off:
        for result, model in zip(trial.results, wanted.results, strict=True):
            if result.shape != model.shape:
                return "shape", {"wanted": list(model.shape), "got": list(result.shape)}
    bad = [t for t in off if any(not r.isfinite().all() for r in t[1].results)]
    case, trial, wanted = min(bad or off, key=lambda triple: _size(triple[0]))
    place = next(
        n
        for n, (a, b) in enumerate(zip(trial.results, wanted.results, strict=True))
        if not close(a, b)
    )
    fields = {
        "case": ", ".join(f"{name} = {brief(v)}" for name, v in case.items() if not callable(v)),
        "got": brief(trial.results[place]),
        "wanted": brief(wanted.results[place]),
    }
    return ("nan" if bad else "value"), fields


def _size(case: Inputs) -> int:
    return sum(value.numel() for value in case.values() if isinstance(value, Tensor))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def brief(value: Any) -> str:
    """A small tensor or a number, in a few digits."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list):
        return "[" + ", ".join(map(brief, value)) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
