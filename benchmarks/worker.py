"""One contestant: ``python -m benchmarks.worker NAME ARGUMENTS``, started by the driver."""

from __future__ import annotations

import importlib
import json
import sys

import torch

from benchmarks.gate import Gate
from benchmarks.shapes import load


def main() -> None:
    """``NAME`` is ``MODULE.FUNCTION`` of this package, ``ARGUMENTS`` a JSON object."""
    module, function = sys.argv[1].split(".")
    arguments = json.loads(sys.argv[2])
    torch.set_num_threads(arguments.pop("threads"))
    shape, data = load(arguments["folder"])
    contestant = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    contestant(shape, data, gate=Gate(shape.device), **arguments)


if __name__ == "__main__":
    main()
