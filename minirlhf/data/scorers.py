"""What a scorer of texts is known by: its code and the values that it uses.

So a cell of a notebook whose scorer was edited is another run, and one that was only given again
isn't. Line numbers, comments and the names of local variables don't matter. What comes from an
installed package is known by name, and so is whatever is no plain value (a file, a tokenizer).
"""

from __future__ import annotations

import dis
import functools
import hashlib
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

PLAIN = (str, bytes, int, float, complex, bool, type(None))
INSTALLED = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    str(Path(__file__).parents[1]),
    "<frozen",
)
"""Where code lies that nobody edits between two runs of a cell."""


def of_scorer(scorer: Callable) -> str:
    """Its name and a hash of its code, defaults and closure, of the values and functions that it
    finds by name and, if it is an object, of what that holds.
    """
    words = "\0".join(_words(scorer, {}))
    digest = hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{_name(scorer)} {digest}"


def tensor_bytes(tensor: torch.Tensor) -> memoryview:
    """The numbers as they lie in memory."""
    flat = tensor.detach().cpu().contiguous().flatten()
    return memoryview(flat.view(torch.uint8).numpy())


def _name(thing: Any) -> str:
    kind = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{getattr(kind, '__module__', None)}.{kind.__qualname__}"


def _words(thing: Any, seen: dict[int, Any]) -> Iterator[str]:
    """What tells ``thing`` from others; ``seen`` holds what was looked at, by id, and alive."""
    if isinstance(thing, PLAIN):
        yield f"{type(thing).__name__} {thing!r}"
        return
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    if isinstance(thing, torch.Tensor):
        yield f"{thing.dtype} {tuple(thing.shape)} {hashlib.md5(tensor_bytes(thing)).hexdigest()}"
    elif isinstance(thing, torch.nn.Module):
        yield from _words(list(thing.state_dict().items()), seen)
    elif hasattr(thing, "tolist"):  # numpy's
        yield from _words(thing.tolist(), seen)
    elif isinstance(thing, (list, tuple)):
        for item in (len(thing), *thing):
            yield from _words(item, seen)
    elif isinstance(thing, (set, frozenset)):
        yield from sorted(" ".join(_words(item, seen)) for item in thing)
    elif isinstance(thing, dict):
        yield from _words(list(thing.items()), seen)
    elif isinstance(thing, types.CodeType):
        yield f"{thing.co_code.hex()} {thing.co_names} {thing.co_freevars}"
        yield from _words(thing.co_consts, seen)
    elif isinstance(thing, functools.partial):
        yield from _words([thing.func, thing.args, thing.keywords], seen)
    elif isinstance(thing, types.MethodType):
        yield from _words([thing.__func__, thing.__self__], seen)
    elif hasattr(thing, "__wrapped__"):
        yield from _words(thing.__wrapped__, seen)
    elif isinstance(thing, types.FunctionType):
        yield from _function(thing, seen)
    else:
        yield _name(thing)
        if not isinstance(thing, (type, types.ModuleType)) and _is_own(_file(type(thing))):
            yield from _object(thing, seen)


def _function(function: types.FunctionType, seen: dict[int, Any]) -> Iterator[str]:
    yield _name(function)
    if not _is_own(function.__code__.co_filename):
        return
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    names = sorted(_global_names(function.__code__) & function.__globals__.keys())
    found = [(name, function.__globals__[name]) for name in names]
    yield from _words(function.__code__, seen)
    yield from _words([function.__defaults__, function.__kwdefaults__, cells, found], seen)


def _global_names(code: types.CodeType) -> set[str]:
    """Names that a function, or one inside it, looks up in its module."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return names.union(*map(_global_names, inner))


def _object(thing: Any, seen: dict[int, Any]) -> Iterator[str]:
    """An object by the functions of its class and by what it holds, but for what it remembers."""
    kind = type(thing)
    methods = {n: m for n, m in vars(kind).items() if isinstance(m, types.FunctionType)}
    held = {
        name: value
        for name, value in getattr(thing, "__dict__", {}).items()
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    }
    yield from _words([methods, held], seen)


def _file(kind: type) -> str:
    """The file of a class's module; a notebook has none."""
    if kind.__module__ in sys.builtin_module_names:
        return "<frozen>"
    module = None if kind.__module__ == "__main__" else sys.modules.get(kind.__module__)
    return getattr(module, "__file__", None) or ""


def _is_own(file: str) -> bool:
    """Whether code in this file may be edited between two runs of a cell."""
    return not file.startswith(INSTALLED)
