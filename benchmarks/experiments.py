"""What is compared with what. The first contestant is ours; ratios are theirs over ours."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.gate import REPOSITORY
from benchmarks.shapes import Shape

Environment = Literal["ours", "trl-ppo", "trl"]


@dataclass(frozen=True)
class Contestant:
    """A function of `benchmarks.ours`, `theirs` or `arithmetic`, and where it runs."""

    label: str
    function: str
    environment: Environment = "ours"
    arguments: dict[str, Any] = field(default_factory=dict)
    checkout: Path = REPOSITORY


@dataclass(frozen=True)
class Experiment:
    """One alternated run."""

    name: str
    shape: Shape
    contestants: tuple[Contestant, ...]
    per_token: bool = False
    """Compare seconds per real token, where units of work differ in size."""
    floor: str | None = None
    rounds: float = 1.0
    """Share of the rounds asked for."""
    threads: tuple[int, ...] = (1, 2)
    show: str = ""
    """The ratio aimed at."""


PPO = (
    Contestant("minirlhf", "ours.ppo"),
    Contestant("trl 1.12.0", "theirs.ppo", "trl-ppo"),
    Contestant("matrix products alone", "arithmetic.ppo"),
    Contestant("the same by our kernels", "arithmetic.ppo", arguments={"fast": True}),
)
ROLLOUT = (
    Contestant("minirlhf", "ours.rollout"),
    Contestant("generate", "theirs.rollout", "trl"),
    Contestant("matrix products alone", "arithmetic.rollout"),
)
STATIC = Contestant("generate, static", "theirs.rollout", "trl", {"cache": "static"})
T4 = Contestant("minirlhf", "ours.ppo", arguments={"gigabytes": 15, "micro_batch": 16})
RATIO = Contestant("minirlhf", "ours.ratio")
REWARD = (
    Contestant("minirlhf", "ours.reward"),
    Contestant("trl", "theirs.reward", "trl"),
)
SFT = (
    Contestant("minirlhf", "ours.sft"),
    Contestant("trl, padded", "theirs.sft", "trl"),
    Contestant(
        "trl, by length", "theirs.sft", "trl", {"train_sampling_strategy": "group_by_length"}
    ),
    Contestant("trl, packed, 4 rows", "theirs.sft", "trl", {"packing": True, "rows": 16}),
    Contestant("trl, packed, 1 row", "theirs.sft", "trl", {"packing": True, "rows": 4}),
)

SMALL = Shape("4 layers of 128")
TOWN = replace(SMALL, architecture="neox")
RAGGED = replace(SMALL, ragged=True)
GPT2 = Shape(
    "GPT-2 124M", width=768, layers=12, heads=12, vocabulary=50257, batch=8, prompt=32, response=32,
    epochs=1,
)  # fmt: skip
GPU = replace(GPT2, batch=64, prompt=64, response=64, epochs=4, device="cuda")


def full(shape: Shape) -> str:
    """The shape in words."""
    lengths = "up to " * shape.ragged + f"{shape.prompt} + {shape.response}"
    return f"{shape.architecture} {shape.name}, batch {shape.batch}, {lengths} tokens"


def experiment(kind: str, shape: Shape, contestants: tuple[Contestant, ...], **more: Any):
    """An experiment; where replies end early nobody can say what arithmetic is needed."""
    if shape.ragged:
        contestants = tuple(c for c in contestants if not c.function.startswith("arithmetic"))
    return Experiment(f"{kind}, {full(shape)}", shape, contestants, **more)


MAIN = (
    experiment("PPO iteration", SMALL, PPO, show="1.35, aim 1.5"),
    experiment("PPO iteration", TOWN, PPO, show="1.35, aim 1.5"),
    experiment("PPO iteration", RAGGED, PPO),
    experiment("Rollout", SMALL, ROLLOUT, rounds=3, show="1.5"),
    experiment("Rollout", replace(SMALL, batch=16), ROLLOUT, rounds=3, show="2.0"),
    experiment("Rollout", TOWN, ROLLOUT, rounds=3, show="1.5"),
    experiment("Rollout", RAGGED, ROLLOUT, rounds=3, per_token=True, show="2.0"),
    experiment("Reward model", SMALL, REWARD, rounds=2, show="1.0"),
    experiment("Reward model", RAGGED, REWARD, rounds=2, show="1.0"),
    experiment("SFT", RAGGED, SFT, rounds=2, per_token=True, show="1.5"),
)
LARGE = (
    experiment("Rollout", GPT2, ROLLOUT, threads=(2,)),
    experiment("PPO iteration", GPT2, PPO, rounds=0.5, threads=(2,)),
)
GROWTH = tuple(
    experiment("PPO iteration", shape, PPO[:2], rounds=0.5, threads=(2,))
    for shape in (
        SMALL,
        *(replace(SMALL, batch=batch) for batch in (16, 32, 128, 256)),
        *(replace(SMALL, prompt=p, response=2 * p) for p in (12, 48, 80)),
        *(replace(SMALL, name=f"4 layers of {w}", width=w) for w in (64, 256, 512)),
    )
)
ON_GPU = (
    experiment("Rollout", GPU, (*ROLLOUT, STATIC), threads=(8,), show="5"),
    experiment("PPO iteration", GPU, PPO[:3], threads=(8,), rounds=0.6, show="3"),
    experiment("PPO iteration in 15 GB", GPU, (T4,), threads=(8,), rounds=0.4),
    experiment("Ratio of the first minibatch", GPU, (RATIO,), threads=(8,), rounds=0.4),
)
GROUPS = {"main": MAIN, "large": LARGE, "growth": GROWTH, "gpu": ON_GPU}


def against(experiment: Experiment, checkout: Path) -> Experiment:
    """Ours alone: this code, the code of another checkout, and this code once more, whose ratio is
    the noise that the same code has against itself.
    """
    ours = experiment.contestants[0]
    others = replace(ours, label="before", checkout=checkout), replace(ours, label="the same again")
    return replace(experiment, contestants=(ours, *others), show="")
