"""What is claimed of the main job, measured over several seeds (`make proof`).

Each seed is a whole run of its own, followed by the runs for comparison: PPO on the judge as
reward, PPO without KL penalty, twice the episodes at a constant rate, reward models that never saw
a group of labelers, and the parts of a world's own. It can be interrupted at any time: the
same command goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from minirlhf.data.files import read_json, write_json
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.claim import Claim, share
from minirlhf.experiment.experiment_config import COMPARED, SWEPT, ExperimentConfig
from minirlhf.experiment.main_job import claim, make_models_of, run
from minirlhf.experiment.measurements import comparisons, describe, make_models, probe, tax
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.world import World
from minirlhf.reward import score_texts
from minirlhf.training.second_process import in_second_process

GROUPS = 5
"""Groups of labelers, each left out once (E.2)."""


@dataclass(frozen=True, kw_only=True)
class ProofConfig:
    """Measure what is claimed of the main job, over several seeds: a whole run for each, and more.

    The same command again goes on where it was.

    For example:
      minirlhf prove --seeds 3 --run.k 4 4
    """

    folder: Path = Path("runs/proof")
    """One folder a seed, and the figures of all."""
    seeds: int = 5
    """How many seeds, from 0. Student's t of three is too wide for some lines."""
    run: ExperimentConfig = field(default_factory=ExperimentConfig)
    """The settings of every run; its folder and seed are set here."""


Claims = Mapping[int, Sequence[Claim]]
"""In the order of the steps: what has one number is about one thing."""
Part = Callable[[Artifacts], Any]
"""More that is measured of a seed, as JSON has it."""


def prove(
    world: World,
    claims: Claims,
    config: ProofConfig,
    say: Callable[[str], None] = print,
    parts: Mapping[str, Part] | None = None,
) -> dict[str, Any]:
    """All runs, a line for each claim, and ``proof.json``, which has the seeds as they come.

    ``parts`` are a world's own, by the names of their entries.

    Raises:
        MinirlhfError: with fewer than two seeds, which have no interval.
    """
    if config.seeds < 2:
        raise MinirlhfError(f"{config.seeds} seeds have no interval: take at least 2, better 3.")
    result: dict[str, Any] = {"seeds": [], "lines": []}
    for seed in range(config.seeds):
        result["seeds"].append(measure_seed(world, config, seed, say, parts))
        write_json(config.folder / "proof.json", result)
    result["lines"] = lines(claims, result["seeds"])
    write_json(config.folder / "proof.json", result)
    for line in result["lines"]:
        say(line)
    return result


def lines(claims: Claims, measured: list[dict[str, Any]]) -> list[str]:
    """Every claim beside what was measured, by its number."""
    return [
        f"{number:2d}. {claim.line(measured)}"
        for number, alike in claims.items()
        for claim in alike
    ]


def measure_seed(
    world: World,
    config: ProofConfig,
    seed: int,
    say: Callable[[str], None],
    parts: Mapping[str, Part] | None = None,
) -> dict[str, Any]:
    """One seed: the run's summary, and the figures of the runs for comparison.

    They are kept in its folder as ``proof.json``, which is all that is needed of a finished seed;
    each part has a file of its own until then.
    """
    artifacts = Artifacts(
        world, replace(config.run, folder=config.folder / f"seed-{seed}", seed=seed)
    )
    path = artifacts.folder / "proof.json"
    if path.exists():
        claim(artifacts)
        return read_json(path)
    say(f"seed {seed}: the main job")
    summary = run(world, artifacts.config)
    say(f"seed {seed}: {', '.join(COMPARED)}; reward models of {GROUPS} groups of labelers")
    with in_second_process(make_models_of, world, artifacts.config, COMPARED[:3]):
        make_models(artifacts, COMPARED[3:])
        groups = left_out_groups(artifacts)
    summary["groups"] = groups
    for name in COMPARED:
        summary["models"][name] = describe(artifacts, name)
    for name in ("ppo-long", "ppo-ptx-long"):
        summary["models"][name]["since"] = describe(
            artifacts, name, opponent=name.removesuffix("-long")
        )["gain"]
    for name, part in (parts or {}).items():
        say(f"seed {seed}: {name}")
        summary[name] = _kept(artifacts.folder / "parts" / f"{name}.json", part, artifacts)
    write_json(path, summary)
    return summary


def _kept(path: Path, part: Part, artifacts: Artifacts) -> Any:
    """What a part measures, from its file if it is there."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_json(path, part(artifacts))
    return read_json(path)


def swept(artifacts: Artifacts) -> dict[str, Any]:
    """A part: PPO at other β, PPO-ptx at other γ; figures and tax of each."""
    half = len(SWEPT) // 2
    with in_second_process(_measure, artifacts.world, artifacts.config, SWEPT[:half]):
        _measure(artifacts.world, artifacts.config, SWEPT[half:])
    return {name: {**describe(artifacts, name), "tax": tax(artifacts, name)} for name in SWEPT}


def _measure(world: World, config: ExperimentConfig, names: Sequence[str], callback=None) -> None:
    artifacts = Artifacts(world, config, callback)
    make_models(artifacts, names)
    for name in names:
        probe(artifacts, name)


def left_out_groups(artifacts: Artifacts) -> dict[str, list[float]]:
    """Accuracy on the labelers of a group, of reward models trained with and without that group."""
    pool = list(artifacts.world.labelers)
    pairs = comparisons(artifacts)
    asked = [prompt for prompt, _, _ in pairs]
    out: dict[str, list[float]] = {"inside": [], "outside": []}
    for number in range(GROUPS):
        left_out = pool[number::GROUPS]
        names = {labeler.name for labeler in left_out}
        rankings = [row for row in artifacts.rankings(1) if row["labeler"] not in names]
        model = artifacts.reward_model(1, f"groups/{number}", rankings)
        gaps = (
            score_texts(model, artifacts.tokenizer, asked, [one for _, one, _ in pairs])
            - score_texts(model, artifacts.tokenizer, asked, [two for _, _, two in pairs])
        ).numpy()
        for where, labelers in (
            ("outside", left_out),
            ("inside", [labeler for labeler in pool if labeler not in left_out]),
        ):
            votes = np.array([[w.prefers(*pair) for pair in pairs] for w in labelers])
            decided = votes != 0.5
            right = ((gaps > 0) == (votes > 0.5)) & decided
            out[where].append(share(float(right.sum()), float(decided.sum())))
    return out
