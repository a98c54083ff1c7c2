"""Arguments of a command where tyro is missing: flags and values, without help or advice.

Colab lacks tyro, and the first cell of a notebook installs nothing but this package there. So runs
that a notebook starts are read by this; what it doesn't understand asks for tyro.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from minirlhf.errors import MinirlhfError

T = TypeVar("T")


class OmitArgPrefixes:
    """Stands in for tyro's: ``OmitArgPrefixes[X]`` is ``X``."""

    def __class_getitem__(cls, kind: type) -> type:
        return kind


def plain(command: type[T], arguments: Sequence[str], **defaults: Any) -> T:
    """An instance of ``command``; its ``settings`` are read from the same flags.

    Raises `MinirlhfError` for an argument that isn't ``--flag value ...``, ``--flag`` or
    ``--no-flag`` of a field, or whose value doesn't fit.
    """
    settings = defaults.get("settings")
    owners = [command] if settings is None else [command, type(settings)]
    kinds = {owner: get_type_hints(owner) for owner in owners}
    given: dict[type, dict[str, Any]] = {owner: {} for owner in owners}
    words = list(arguments)
    try:
        while words:
            name, values = words.pop(0).removeprefix("--").replace("-", "_"), []
            while words and not words[0].startswith("--"):
                values.append(words.pop(0))
            if not values:  # a switch
                values = [str(not name.startswith("no_"))]
                name = name.removeprefix("no_")
            owner = next(owner for owner in owners if name in kinds[owner])
            given[owner][name] = _read(kinds[owner][name], values)
        if settings is not None:
            defaults["settings"] = dataclasses.replace(settings, **given[owners[1]])
        return command(**(defaults | given[command]))
    except (StopIteration, TypeError, ValueError):
        raise MinirlhfError(
            f"{' '.join(arguments)}: this isn't understood without tyro, which says what is wrong: "
            "pip install tyro."
        ) from None


def _read(kind: Any, values: list[str]) -> Any:
    """Words as a value of a type; raises ValueError or TypeError where they aren't one."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if values == ["None"]:
            return None
        return _read(next(one for one in inner if one is not type(None)), values)
    if origin is tuple and inner[-1] is Ellipsis:
        return tuple(_read(inner[0], [value]) for value in values)
    if origin is tuple:
        return tuple(_read(one, [value]) for one, value in zip(inner, values, strict=True))
    (value,) = values
    if origin is Literal:
        return inner[inner.index(value)]
    return ("False", "True").index(value) == 1 if kind is bool else kind(value)
