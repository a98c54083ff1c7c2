"""``python -m course.pack``: make the shipped runs and course/run.json, or go on making them.

    python -m course.pack             all of it; takes hours on two cores
    python -m course.pack --trial     a few steps of each run: to see that the chapters work
    python -m course.pack --seeds     only what the seeds of docs/proof measured; a second

An interrupted pack goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from course.build.settings import RUN
from course.pack import figures, publish
from course.pack.make import Pack, trial
from minirlhf import shipped
from minirlhf.data.files import write_json
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.experiment_config import ExperimentConfig


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m course.pack")
    parser.add_argument("--folder", type=Path, default=Path("runs/pack"), help="of the runs")
    parser.add_argument("--target", type=Path, default=shipped.FOLDER, help="of the pack")
    parser.add_argument("--figures", type=Path, default=RUN, help="of the text's figures")
    parser.add_argument("--trial", action="store_true", help="a few steps of each run")
    parser.add_argument("--seeds", action="store_true", help="only the figures of the proof")
    options = parser.parse_args(arguments)
    config = ExperimentConfig(folder=options.folder / "run")
    try:
        if options.seeds:  # which no model of the pack is needed for
            publish.publish_seeds(options.target)
            return 0
        pack = Pack(trial(config) if options.trial else config, seeds=2 if options.trial else 3)
        pack.make()
        publish.publish(pack, options.target)
        write_json(options.figures, figures.figures(pack))
    except MinirlhfError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.target}: {publish.size(options.target) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
