"""What a stage begins with, by fingerprint, so that a folder never goes on with something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary

from torch import nn

from minirlhf.data.fingerprints import of_model, of_tokenizer
from minirlhf.training.run_folder import RunFolder

_starts: WeakKeyDictionary[nn.Module, dict[Path, str]] = WeakKeyDictionary()
"""What each model was when it was first given to a run folder: training changes it in place, and
the same cell of a notebook, given again, must find its run.
"""


def starts_from(folder: str | Path, tokenizer, **models: nn.Module | Callable) -> dict[str, str]:
    """What a stage begins with, for the ``data`` of its `Run`: fingerprints by name."""
    begun, place = RunFolder(folder).begun, Path(folder).resolve()
    found = {"tokenizer": of_tokenizer(tokenizer)}
    for name, model in models.items():
        known = _starts.setdefault(model, {}) if isinstance(model, nn.Module) else {}
        if not begun or place not in known:
            known[place] = of_model(model)
        found[name] = known[place]
    return found
