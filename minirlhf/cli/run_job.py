"""``minirlhf run``: the main job."""

from __future__ import annotations

from collections.abc import Sequence


def run(arguments: Sequence[str]) -> None:
    """The main job; `minirlhf.experiment.main_job` says what that is."""
    from minirlhf.cli import terminal
    from minirlhf.cli.inputs import progress
    from minirlhf.cli.options import parse
    from minirlhf.experiment import main_job
    from minirlhf.experiment.experiment_config import ExperimentConfig
    from minirlhf.report.summary import brief
    from minirlhf.tinytown.town import Tinytown

    config = parse(ExperimentConfig, "run", arguments)
    with progress() as callback:
        summary = main_job.run(Tinytown(), config, callback)
    print(brief(summary))
    terminal.console().print("\nreport:", terminal.link(config.folder / "report.html"))
