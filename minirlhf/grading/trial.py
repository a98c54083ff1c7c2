"""Try a function on random inputs beside the reference, and say what is wrong with it.

The student's function gets copies of its own, so nothing that it does to them reaches the next case
or the reference.
"""

from __future__ import annotations

import copy
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Protocol

import torch
from torch import Tensor

from minirlhf import objectives
from minirlhf.data import batching
from minirlhf.grading.messages import say
from minirlhf.grading.time_limit import StoppedError
from minirlhf.plain import ppo as plain_ppo

Inputs = dict[str, Any]
"""The arguments of one case: tensors, numbers, functions."""
Result = tuple[Tensor, ...]
PACKAGE = str(Path(__file__).parents[1])
BANK = str(Path(__file__).parent / "bank")
SHIPPED = {
    module: {
        name: function
        for name, function in vars(module).items()
        if isinstance(function, FunctionType) and function.__module__ == module.__name__
    }
    for module in (objectives, batching, plain_ppo)
}
"""The package's functions as they are imported: a reader may put others in their place."""


class Asked(Protocol):
    """What a trial has to know of a question; see `FunctionQuestion`."""

    key: str
    symbol: str
    reference: Callable[..., Any]
    inputs: Callable[[torch.Generator], Inputs]
    wrong: Mapping[str, Callable[..., Any] | tuple[Callable[..., Any], ...]]
    differentiable: tuple[str, ...]
    cases: int
    closed: tuple[str, ...]
    outcome: Callable[[Any, Inputs], Any] | None
    detached: bool


@dataclass(frozen=True)
class Trial:
    """One call: what came out, and its gradients by the differentiable inputs."""

    results: Result
    gradients: tuple[Tensor | None, ...]
    modified: str = ""
    """The name of an input that the call changed."""
    attached: bool = False
    """Whether a result carries gradients."""


class RefusedError(Exception):
    """A mistake that shows before any comparison: its name and the fields of its message."""

    def __init__(self, name: str, **fields: object):
        super().__init__(name)
        self.name, self.fields = name, fields


def run(question: Asked, function: Callable, case: Inputs) -> Trial:
    """Call a function on copies of a case. Raises `RefusedError` for what isn't a result."""
    _set_torch(*AT_START)
    leaves, given = {}, {}
    others = {name: value for name, value in case.items() if not isinstance(value, Tensor)}
    others = copy.deepcopy(others)  # in one go: an optimizer keeps the copies of its models
    for name, value in case.items():
        value = others.get(name, value)
        if isinstance(value, Tensor):
            leaf = value.detach().clone().requires_grad_(name in question.differentiable)
            leaves[name] = leaf
            value = leaf.clone()  # no leaf, so that even an edit in place is allowed
        given[name] = value
    returned = False
    try:
        results = function(*given.values())
        returned = True
        results = as_results(_outcome(question, results, given))
        modified = next((name for name in leaves if not _alike(given[name], case[name])), "")
        gradients = gradients_of(results, [leaves[name] for name in question.differentiable])
    except (RefusedError, StoppedError):
        raise
    except RecursionError as error:
        raise RefusedError("recursion", error=told(error)) from None
    except (Exception, SystemExit) as error:
        twice = not returned and "backward through the graph a second time" in str(error)
        raise RefusedError("graph-twice" if twice else "exception", error=told(error)) from None
    attached = any(result.requires_grad for result in results)
    return Trial(tuple(result.detach() for result in results), gradients, modified, attached)


def _outcome(question: Asked, returned: Any, given: Inputs) -> Any:
    """What is compared. Raises `RefusedError` where nothing can be made of what was returned."""
    if not question.outcome:
        return returned
    try:
        return question.outcome(returned, given)
    except (TypeError, AttributeError, ValueError, RuntimeError):
        raise RefusedError("returned", got=type(returned).__name__) from None


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def as_results(returned: Any) -> Result:
    """A tensor, or several, as a tuple. Raises `RefusedError` for anything else."""
    if returned is None or returned is ... or returned is NotImplemented:
        raise RefusedError("unwritten")
    results = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    for result in results:
        if not isinstance(result, Tensor):
            number = isinstance(result, (int, float)) and not isinstance(result, bool)
            alone = result is returned
            got = type(result if alone else returned).__name__
            raise RefusedError("number" if number and alone else "type", got=got)
        if result.device.type != "cpu" or result.layout != torch.strided or result.is_complex():
            dtype, layout = (str(of).replace("torch.", "") for of in (result.dtype, result.layout))
            got = say("common.tensor", dtype=dtype, layout=layout, device=result.device)
            raise RefusedError("type", got=got)
    return results


def gradients_of(results: Result, leaves: list[Tensor]) -> tuple[Tensor | None, ...]:
    """Gradients of the sum of all results by each leaf; None where there is none."""
    if not leaves:
        return ()
    attached = [result.sum() for result in results if result.requires_grad]
    if not attached:
        return (None,) * len(leaves)
    return torch.autograd.grad(sum(attached), leaves, allow_unused=True)


def _set_torch(gradients: bool, dtype: torch.dtype, device: torch.device) -> None:
    torch.set_grad_enabled(gradients)
    torch.set_default_dtype(dtype)
    if torch.get_default_device() != device:  # torch 2.6 breaks where None is set, which is "cpu"
        torch.set_default_device(device)


AT_START = True, torch.float32, torch.device("cpu")
"""Gradients, dtype and device as torch sets them."""


@contextmanager
def torch_as_it_starts() -> Iterator[None]:
    """Within, torch is as it starts, whatever cells before or the answer have set."""
    before = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device()
    _set_torch(*AT_START)
    try:
        yield
    finally:
        _set_torch(*before)


@contextmanager
def as_shipped() -> Iterator[None]:
    """Within, the package has its own functions: the references stand on them."""
    patched = [
        (module, name, getattr(module, name))
        for module, functions in SHIPPED.items()
        for name, function in functions.items()
        if getattr(module, name, None) is not function
    ]
    for module, name, _ in patched:
        setattr(module, name, SHIPPED[module][name])
    try:
        yield
    finally:
        for module, name, function in patched:
            setattr(module, name, function)


def told(error: BaseException) -> str:
    """An exception in a line, with the student's own line where that is known."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    first, *_ = str(error).strip().split("\n")
    text = f"{type(error).__name__}: {first}"
    line = frames[0].line if frames else ""
    return say("common.at", error=text, line=line) if line else text


@contextmanager
def watched(
    question: Asked, cases: list[Inputs], closed: Collection[str] = ()
) -> Iterator[list[str]]:
    """Note every call of a function that an answer may not stand on: the package's, or ours.

    What the question asks for is noted wherever it is called from; what is merely ``closed``, until
    its own question is answered, only where the answer calls it by itself. Of the bank's own code
    an answer may call the functions that it is given.
    """
    symbols = {_shipped(name): name for name in (question.symbol, *question.closed)}
    later = {_shipped(name): name for name in closed}
    symbols.pop(None, None), later.pop(None, None)
    given = {_code(value) for case in cases for value in case.values()} | {_code(question.outcome)}
    found: list[str] = []

    def note(frame, event, _argument):
        if event != "call":
            return
        code, caller = frame.f_code, frame.f_back.f_code.co_filename if frame.f_back else ""
        if code in symbols:
            found.append(f"minirlhf.{symbols[code]}")
        elif code in later and not caller.startswith(PACKAGE):
            found.append(f"minirlhf.{later[code]}")
        elif code.co_filename.startswith(BANK) and not (code in given or caller.startswith(BANK)):
            found.append("minirlhf.grading")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _shipped(name: str) -> CodeType | None:
    """The code of a function of the package, by a name such as ``objectives.gae``."""
    module, _, function = name.rpartition(".")
    for shipped, functions in SHIPPED.items():
        if shipped.__name__ == f"minirlhf.{module}":
            return _code(inspect.unwrap(functions[function])) if function in functions else None
    return None


def _code(function: Any) -> CodeType | None:
    return getattr(function, "__code__", None)
