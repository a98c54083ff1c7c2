"""``minirlhf presets``: where our settings differ from the paper's, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from minirlhf.cli import tables, terminal
from minirlhf.presets import DIFFERENCES, PRESETS, Preset


@dataclass(frozen=True, kw_only=True)
class Presets:
    """Every setting in which the presets `paper` and `tinytown` differ, and why.

    The presets:
      paper             the paper's numbers for its 1.3B models (Appendix C), or those of
                        its ancestors where it states none
      tinytown          the same recipe for models of a million parameters

    Every stage takes --preset, and single settings on top of it.

    For example:
      minirlhf presets --markdown > presets.md
    """

    markdown: bool = False
    """Print it as a Markdown table."""


def presets(arguments: Sequence[str]) -> None:
    """The table of differences."""
    from minirlhf.cli.options import parse

    command = parse(Presets, "presets", arguments)
    header, rows = ("stage", "setting", "paper", "tinytown", "why"), list(differences())
    if command.markdown:
        print(tables.markdown(header, rows))
    else:
        print(tables.plain(header, rows, width=terminal.columns(80, 120)))


def differences() -> Iterator[tuple[str, str, str, str, str]]:
    """Stage, setting, the paper's value, Tinytown's value, reason; what PPO says isn't repeated."""
    seen = set()
    for stage in (field.name for field in fields(Preset)):
        paper, town = (getattr(PRESETS[name], stage) for name in ("paper", "tinytown"))
        for name in (field.name for field in fields(paper)):
            values = getattr(paper, name), getattr(town, name)
            row = (name, *map(show, values), reason(stage, name))
            said_of_ppo = stage == "ppo_ptx" and row in seen
            if values[0] != values[1] and not said_of_ppo:
                seen.add(row)
                yield (stage, *row)


def reason(stage: str, field: str) -> str:
    """Why a setting differs, as `DIFFERENCES` has it; empty if it says nothing."""
    said = {(stage, field): reason for stage, field, reason in DIFFERENCES}
    stages = (stage, "ppo", "*") if stage == "ppo_ptx" else (stage, "*")
    return next((said[name, field] for name in stages if (name, field) in said), "")


def show(value: object) -> str:
    """A setting's value, as short as it is exact."""
    return f"{value:g}" if isinstance(value, float) else str(value)
