"""Words of a command line into a command's dataclass, and what is wrong with them, in sentences.

It needs nothing but the standard library, so a mistake reads the same everywhere: on Colab too,
which lacks tyro.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from minirlhf.cli import other_words
from minirlhf.errors import MinirlhfError

try:
    from tyro.conf import OmitArgPrefixes, Positional
except ModuleNotFoundError:

    class OmitArgPrefixes:
        """Stands in for tyro's: the fields of ``OmitArgPrefixes[X]`` are options by their names."""

        def __class_getitem__(cls, kind: type) -> Any:
            return Annotated[kind, cls]

    class Positional(OmitArgPrefixes):
        """Stands in for tyro's: ``Positional[X]`` has no flag."""


T = TypeVar("T")
NUMBERS = {int: "a whole number", float: "a number"}


@dataclasses.dataclass(frozen=True)
class Option:
    """What may be said of one field of a command, or of a dataclass within it."""

    path: tuple[str, ...]
    kind: Any
    required: bool
    positional: bool


class Wrong(Exception):  # noqa: N818  a part of the sentence that `read` raises
    """What is wrong with one option."""


def read(command: type[T], arguments: Sequence[str], **defaults: Any) -> T:
    """An instance of ``command``; ``defaults`` stand in for those of its fields.

    An option is ``--name value ...`` or ``--name=value``, a switch ``--name`` or ``--no-name``, and
    a field of a dataclass within it ``--outer.name``. The last of two counts. Raises
    `MinirlhfError` with all that is wrong in one sentence.
    """
    options = dict(options_of(command, defaults))
    given: dict[tuple[str, ...], Any] = {}
    wrong, meant = [], set()  # sentences, and what they are about
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, values = _begun(word, words, options, meant)
        if name is None:
            flags = [name for name, option in options.items() if not option.positional]
            sentence, likely = other_words.explain(word, values, flags)
            wrong.append(sentence)
            meant.update(likely)
            continue
        meant.add(name)
        try:
            given[options[name].path] = _value(options[name].kind, values)
        except Wrong as error:
            wrong.append(f"{' '.join([word.partition('=')[0], *values]).strip()}: {error}")
    missing = [
        name.upper() if option.positional else f"--{name}"
        for name, option in options.items()
        if option.required and name not in meant
    ]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        wrong.append(f"{other_words.listed(missing, 'and')} {are} missing")
    if wrong:
        raise MinirlhfError("; ".join(wrong))
    return _built(command, None, given, defaults)


def _begun(
    word: str, words: list[str], options: dict[str, Option], meant: Collection[str]
) -> tuple[str | None, list[str]]:
    """The option that a word begins, None for no option, and its values, taken from ``words``."""
    free = [name for name, option in options.items() if option.positional and name not in meant]
    if not _is_flag(word):
        return (free[0], [word]) if free else (None, [])
    bare, equals, value = word.removeprefix("--").partition("=")
    name = bare.replace("_", "-").lower()
    if word.startswith("--") and name in options and not options[name].positional:
        kind = options[name].kind
        if kind is bool and not equals and (free or not _taken(str, [*words])):
            return name, ["True"]
        return name, [value] if equals else _taken(kind, words)
    outer, dot, last = name.rpartition(".")
    switch = outer + dot + last.removeprefix("no-")
    if last.startswith("no-") and switch in options and options[switch].kind is bool:
        return (None, []) if equals else (switch, ["False"])
    return None, _taken(tuple[str, ...], words)


# ---------------------------------------------------------------------------------------- options


def options_of(
    owner: type, defaults: Collection[str] = (), path: tuple[str, ...] = (), prefix: str = ""
) -> Iterator[tuple[str, Option]]:
    """Every option of a dataclass by its name, those of dataclasses within it among them.

    A field that has no default needs a value, unless it is one of ``defaults``.
    """
    kinds = get_type_hints(owner, include_extras=True)
    for field in dataclasses.fields(owner):
        marks = getattr(kinds[field.name], "__metadata__", ())
        kind = get_args(kinds[field.name])[0] if marks else kinds[field.name]
        name, here = prefix + field.name.replace("_", "-"), (*path, field.name)
        if dataclasses.is_dataclass(kind):
            inner = prefix if OmitArgPrefixes in marks else f"{name}."
            yield from options_of(kind, (), here, inner)
            continue
        bare = field.default is field.default_factory is dataclasses.MISSING
        required = bare and not path and field.name not in defaults
        yield name, Option(here, kind, required, Positional in marks)


def _built(owner: type[T], default: T | None, given: dict[tuple[str, ...], Any], more: dict) -> T:
    """A dataclass with the values at their paths; what isn't given comes from its defaults."""
    changes = dict(more) if default is None else {}
    for name in {path[0] for path in given}:
        inner = {path[1:]: value for path, value in given.items() if path[0] == name}
        if () in inner:
            changes[name] = inner[()]
            continue
        before = changes.get(name) or getattr(default, name, None)
        if before is None:
            field = next(field for field in dataclasses.fields(owner) if field.name == name)
            before = field.default_factory()
        changes[name] = _built(type(before), before, inner, {})
    return owner(**changes) if default is None else dataclasses.replace(default, **changes)


# ------------------------------------------------------------------------------------------ values


def _is_flag(word: str) -> bool:
    """Whether a word begins an option: it has a dash, and isn't a negative number."""
    try:
        float(word)
    except ValueError:
        return len(word) > 1 and word.startswith("-")
    return False


def _taken(kind: Any, words: list[str]) -> list[str]:
    """As many of the next words as a value of this kind has."""
    while get_origin(kind) in (Union, types.UnionType):
        kind = _without_none(kind)
    most = 1
    if get_origin(kind) is tuple:
        most = len(words) if get_args(kind)[-1] is Ellipsis else len(get_args(kind))
        most = 1 if words[:1] == ["None"] else most
    taken: list[str] = []
    while words and len(taken) < most and not _is_flag(words[0]):
        taken.append(words.pop(0))
    return taken


def _without_none(kind: Any) -> Any:
    return next(one for one in get_args(kind) if one is not type(None))


def _value(kind: Any, words: list[str]) -> Any:
    """Words as a value of a type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if words == ["None"]:
            return None
        return _value(_without_none(kind), words)
    if origin is tuple and inner[-1] is Ellipsis:
        return tuple(_value(inner[0], [word]) for word in words)
    if origin is tuple:
        if len(words) != len(inner):
            raise Wrong(f"it takes {len(inner)} values")
        return tuple(_value(one, [word]) for one, word in zip(inner, words, strict=True))
    if not words or (words == [""] and kind is not str):
        raise Wrong("its value is missing")
    (word,) = words
    if origin is Literal:
        if word in inner:
            return word
        near = [f"did you mean {one}?" for one in other_words.nearest(word, inner)]
        raise Wrong("; ".join([f"it has to be {other_words.listed(inner)}", *near]))
    if kind is bool:
        if word.lower() not in ("true", "false"):
            raise Wrong("it is a switch: it takes no value, and --no- before its name turns it off")
        return word.lower() == "true"
    if kind in NUMBERS:
        try:
            return kind(word)
        except ValueError:
            raise Wrong(f"it has to be {NUMBERS[kind]}") from None
    return Path(word) if kind is Path else word
