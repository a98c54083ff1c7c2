"""Try a function on random inputs beside the reference, and say what is wrong with it.

The student's function gets copies of its own, so nothing that it does to them reaches the next case
or the reference.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from minirlhf.randomness import generator

if TYPE_CHECKING:
    from minirlhf.grading.questions import FunctionQuestion

Inputs = dict[str, Any]
"""The arguments of one case: tensors, numbers, functions."""
Result = tuple[Tensor, ...]
RELATIVE, ABSOLUTE = 1e-4, 1e-5


@dataclass(frozen=True)
class Trial:
    """One call: what came out, and its gradients by the differentiable inputs."""

    results: Result
    gradients: tuple[Tensor | None, ...]
    modified: str = ""
    """The name of an input that the call changed."""


class RefusedError(Exception):
    """A mistake that shows before any comparison: its name and the fields of its message."""

    def __init__(self, name: str, **fields: object):
        super().__init__(name)
        self.name, self.fields = name, fields


def diagnose(question: FunctionQuestion, answer: Any) -> tuple[str, dict[str, object]]:
    """The name of the mistake, or an empty one; and what its message has to tell."""
    if not callable(answer):
        return "not-a-function", {"got": type(answer).__name__}
    cases = [question.inputs(generator(n, question.key)) for n in range(question.cases)]
    right = [run(question, question.reference, case) for case in cases]
    try:
        with watched(question) as borrowed:
            tried = [run(question, answer, case) for case in cases]
        if borrowed:
            return "borrowed", {"name": borrowed[0]}
    except RefusedError as refused:
        return refused.name, refused.fields
    for trial, wanted in zip(tried, right, strict=True):
        if trial.modified:
            return "modified", {"name": trial.modified}
        if len(trial.results) != len(wanted.results):
            return "count", {"wanted": len(wanted.results), "got": len(trial.results)}
    values_right = all(
        same(question, case, trial, wanted)
        for case, trial, wanted in zip(cases, tried, right, strict=True)
    )
    if values_right and all(same_gradients(*pair) for pair in zip(tried, right, strict=True)):
        return dtype_mistake(tried, right)
    if name := known(question, cases, tried, by_value=not values_right):
        return name, {}
    if values_right:
        return gradient_mistake(tried)
    return value_mistake(question, cases, tried, right)


def run(question: FunctionQuestion, function: Callable, case: Inputs) -> Trial:
    """Call a function on copies of a case. Raises `RefusedError` for what isn't a result."""
    leaves, given = {}, {}
    for name, value in case.items():
        if isinstance(value, Tensor):
            leaf = value.detach().clone().requires_grad_(name in question.differentiable)
            leaves[name] = leaf
            value = leaf.clone()  # no leaf, so that even an edit in place is allowed
        given[name] = value
    try:
        returned = function(*given.values())
    except Exception as error:
        raise RefusedError("exception", error=told(error)) from None
    results = as_results(returned)
    modified = next(
        (
            name
            for name in leaves
            if given[name].shape != case[name].shape or not torch.equal(given[name], case[name])
        ),
        "",
    )
    gradients = gradients_of(results, [leaves[name] for name in question.differentiable])
    return Trial(tuple(result.detach() for result in results), gradients, modified)


def as_results(returned: Any) -> Result:
    """A tensor, or several, as a tuple. Raises `RefusedError` for anything else."""
    if returned is None or returned is ... or returned is NotImplemented:
        raise RefusedError("unwritten")
    results = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    for result in results:
        if not isinstance(result, Tensor):
            raise RefusedError("type", got=type(result).__name__)
    return results


def gradients_of(results: Result, leaves: list[Tensor]) -> tuple[Tensor | None, ...]:
    """Gradients of the sum of all results by each leaf; None where there is none."""
    if not leaves:
        return ()
    attached = [result.sum() for result in results if result.requires_grad]
    if not attached:
        return (None,) * len(leaves)
    return torch.autograd.grad(sum(attached), leaves, allow_unused=True)


def told(error: Exception) -> str:
    """An exception in a line, with the student's own line where that is known."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    line = f", at: {frames[0].line}" if frames and frames[0].line else ""
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}{line}"


@contextmanager
def watched(question: FunctionQuestion) -> Iterator[list[str]]:
    """Note every call of a function that an answer may not stand on: the package's, or ours."""
    own = "minirlhf.grading"
    forbidden = {_code(f): own for f in (question.reference, *question.wrong.values())}
    if question.symbol:
        module, name = question.symbol.rsplit(".", 1)
        function = getattr(sys.modules.get(f"minirlhf.{module}"), name, None)
        forbidden[_code(function)] = f"minirlhf.{question.symbol}"
    forbidden.pop(None, None)
    found: list[str] = []

    def note(frame, event, _argument):
        if event == "call" and frame.f_code in forbidden:
            found.append(forbidden[frame.f_code])

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _code(function: Any) -> CodeType | None:
    return getattr(function, "__code__", None)


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two results agree in shape and values; NaN and infinities at the same places do."""
    if one.shape != other.shape:
        return False
    return torch.allclose(
        one.double(), other.double(), rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True
    )


def same(question: FunctionQuestion, case: Inputs, one: Trial, other: Trial) -> bool:
    if len(one.results) != len(other.results):
        return False
    pairs = zip(one.results, other.results, strict=True)
    return all(a.shape == b.shape and close(*(question.view(case, r) for r in (a, b)))
               for a, b in pairs)  # fmt: skip


def same_gradients(one: Trial, other: Trial) -> bool:
    for a, b in zip(one.gradients, other.gradients, strict=True):
        if (a is None) != (b is None) and (b if a is None else a).any():
            return False
        if a is not None and b is not None and not close(a, b):
            return False
    return True


def known(
    question: FunctionQuestion, cases: list[Inputs], tried: list[Trial], *, by_value: bool
) -> str:
    """The first known-wrong answer that this one agrees with on every case."""
    for name, function in {"zero": zero(question), **question.wrong}.items():
        wrong = [run(question, function, case) for case in cases]
        triples = list(zip(cases, tried, wrong, strict=True))
        if not all(same(question, *triple) for triple in triples):
            continue
        if by_value or all(same_gradients(a, b) for _, a, b in triples):
            return name
    return ""


def zero(question: FunctionQuestion) -> Callable:
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
    question: FunctionQuestion, cases: list[Inputs], tried: list[Trial], right: list[Trial]
) -> tuple[str, dict[str, object]]:
    """The mistake has no name of its own: say what differs, on the smallest case that shows it."""
    off = [
        triple
        for triple in zip(cases, tried, right, strict=True)
        if not same(question, *triple)
    ]  # fmt: skip
    for _, trial, wanted in off:
        for result, model in zip(trial.results, wanted.results, strict=True):
            if result.shape != model.shape:
                return "shape", {"wanted": list(model.shape), "got": list(result.shape)}
    bad = [t for t in off if any(not r.isfinite().all() for r in t[1].results)]
    case, trial, wanted = min(bad or off, key=lambda triple: _size(triple[0]))
    place = next(
        n
        for n, (a, b) in enumerate(zip(trial.results, wanted.results, strict=True))
        if not close(question.view(case, a), question.view(case, b))
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
