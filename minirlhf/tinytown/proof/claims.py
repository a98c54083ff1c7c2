"""What is claimed of the main job in Tinytown, by the numbers of docs/proof.md."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from minirlhf.experiment.claim import (
    Claim,
    difference,
    kept_share,
    of,
    of_each,
    ratio,
    taxed,
    won_back_each,
    worse_than_initial,
)
from minirlhf.experiment.experiment_config import BETAS, GAMMAS, beta, gamma
from minirlhf.tinytown.proof.ladder import LADDER
from minirlhf.tinytown.tax import TAX

Figure = Callable[[dict[str, Any]], float]


def _head(start: str, count: int) -> Figure:
    """Accuracy of the head alone on so many rankings, a mean over draws."""
    return lambda s: float(np.mean(s["start"]["curve"][start][str(count)]))


def _rise(start: str) -> Figure:
    return lambda s: _head(start, 1024)(s) - _head(start, 4)(s)


def _start() -> tuple[Claim, ...]:
    names = ("school", "exact answers", "plain base", "voted base")
    four = [
        Claim(f"{name}: the head alone on 4 rankings", _head(name, 4), part="start",
              at_most=0.65 if name == "school" else None)
        for name in names
    ]  # fmt: skip
    rises = [
        Claim(f"{name}: from 4 to 1,024 rankings", _rise(name), part="start",
              at_least=0.08 if name == "school" else None)
        for name in names
    ]  # fmt: skip
    return (
        *four,
        Claim(
            "exact answers above school, 4 rankings",
            lambda s: _head("exact answers", 4)(s) - _head("school", 4)(s),
            part="start", at_least=0.0,
        ),
        *rises,
        *(
            Claim(
                f"{name}: spread of random heads",
                lambda s, name=name: float(np.std(s["start"]["random heads"][name])),
                part="start",
            )
            for name in names
        ),
        Claim(
            "the school's question that orders pairs best by itself",
            lambda s: max(s["start"]["questions"].values()),
            part="start", at_most=0.65,
        ),
    )  # fmt: skip


def _teaching() -> tuple[Claim, ...]:
    def of_all(s: dict[str, Any], start: str) -> dict[str, float]:
        """What this start reaches with all rankings: they come last."""
        return [found for name, found in s["teaching"].items() if name.startswith(start)][-1]

    def share(s: dict[str, Any]) -> float:
        return (of_all(s, "school")["labeler"] - 0.5) / (s["start"]["the judge"] - 0.5)

    return (
        Claim("against held-out labelers", lambda s: of_all(s, "school")["labeler"],
              part="teaching", at_least=0.68),
        Claim("of the way from a coin to the judge", share, part="teaching", at_least=2 / 3),
        Claim("against the judge, large gaps", lambda s: of_all(s, "school")["large gaps"],
              part="teaching", at_least=0.8),
        *(
            Claim(f"against held-out labelers, from the {name}",
                  lambda s, name=name: of_all(s, name)["labeler"], part="teaching")
            for name in ("plain base", "SFT model")
        ),
    )  # fmt: skip


def _direction() -> tuple[Claim, ...]:
    def share(pool: str) -> Figure:
        return lambda s: s["direction"]["pools"][pool]["share"]

    return (
        Claim("share of its ceiling, main pool", share("main"), part="direction"),
        Claim("share of its ceiling, contrary pool", share("contrary"), part="direction"),
        Claim("contrary below main", lambda s: share("main")(s) - share("contrary")(s),
              part="direction", at_most=0.03),
        Claim("ranks shuffled", lambda s: s["direction"]["shuffled"], part="direction",
              at_least=0.48, at_most=0.52),
        *(
            Claim(f"PPO for the contrary pool, {quality}: {way}",
                  lambda s, q=quality, sign=sign: sign * s["direction"]["moved"][q]["mean"],
                  part="direction", low_above=0)
            for quality, way, sign in (
                ("details", "fewer", -1), ("constraints met", "fewer", -1), ("homely", "more", 1)
            )
        ),
    )  # fmt: skip


def _ladder() -> tuple[Claim, ...]:
    def passes(size: str, name: str) -> Figure:
        return lambda s: s["sizes"]["ladder"][size][name]["passes"]["mean"]

    return (
        *(
            Claim(f"{size}: {name} passes", passes(size, name), part="sizes")
            for size in ("small", "medium", "large") for name in LADDER
        ),
        *(
            Claim(f"{size}: {above} above {below}",
                  lambda s, z=size, a=above, b=below: passes(z, a)(s) - passes(z, b)(s),
                  part="sizes", low_above=0)
            for size in ("small", "large") for below, above in pairwise(LADDER[:4])
        ),
        Claim("small PPO-ptx wins against large prompted",
              lambda s: s["sizes"]["small PPO-ptx against large prompted"]["mean"],
              part="sizes", at_least=0.55),
    )  # fmt: skip


def _swept() -> tuple[Claim, ...]:
    """Figures alone: whether one β or one γ does both is read off the table."""
    return tuple(
        Claim(f"{name}: {text}", figure, part="swept")
        for name in (*map(beta, BETAS), *map(gamma, GAMMAS))
        for text, figure in (
            ("gain", lambda s, name=name: s["swept"][name]["gain"]["mean"]),
            ("mean tax", lambda s, name=name: -float(np.mean(
                [by["mean"] for by in s["swept"][name]["tax"].values()]))),
        )
    )  # fmt: skip


CLAIMS: dict[int, tuple[Claim, ...]] = {
    1: _start(),
    2: _teaching(),
    3: _direction(),
    4: (
        Claim("the judge ties", lambda s: s["comparisons"]["judge_ties"], at_most=0.15),
        Claim("two labelers agree", lambda s: s["comparisons"]["agreement"],
              at_least=0.7, at_most=0.76),
        Claim("on labelers it was trained on (E.2)",
              lambda s: float(np.mean(s["groups"]["inside"]))),
        Claim("on the group left out", lambda s: float(np.mean(s["groups"]["outside"]))),
        Claim("the difference",
              lambda s: float(np.mean(s["groups"]["inside"]) - np.mean(s["groups"]["outside"])),
              at_least=0.01, at_most=0.05, low_above=0),
        *(
            Claim(f"prompts above pairs, accuracy after epoch {epoch + 1}",
                  lambda s, e=epoch: s["k-wise"]["prompts"]["accuracy"][e]
                  - s["k-wise"]["pairs"]["accuracy"][e],
                  part="k-wise")
            for epoch in (0, 4)
        ),
    ),
    5: (
        Claim("the base passes", of("base", "passes"), at_most=0.1),
        Claim("the base with three shots passes", of("prompted", "passes"), at_most=0.35),
        Claim("prompted above plain base", difference("prompted", "base", "passes"),
              at_least=0.08),
        Claim("SFT above prompted", difference("sft", "prompted", "passes"), at_least=0.12),
        Claim("demonstrations pass", lambda s: s["demonstrations"]["passes"]["mean"],
              at_least=0.9),
        Claim("SFT passes", of("sft", "passes"), at_least=0.4, at_most=0.65),
        Claim("SFT on four times the demonstrations passes", of("sft-4x", "passes")),
        Claim("best-of-n by the reward model passes", of("best-of-n", "passes")),
        Claim("initial model passes", of("initial", "passes")),
        Claim("SFT words", of("sft", "words")),
        *(
            Claim(f"{name} {text}", of(name, figure), at_least=bound, low_above=low)
            for name in ("ppo", "ppo-ptx")
            for text, figure, bound, low in (
                ("gains in pass rate", "gain", 0.15, None),
                ("wins by the labelers", "wins_labelers", 0.62, 0.56),
                ("wins by the judge", "wins_judge", None, None),
                ("words", "words", None, None),
            )
        ),
        Claim("control: PPO on the judge gains", of("ppo-judge", "gain"), at_least=0.2),
        Claim("control: it wins", of("ppo-judge", "wins_judge"), at_least=0.62),
        Claim("share of the gain kept with the learned reward", kept_share, at_least=0.6),
        *(
            Claim(f"{name}, twice the episodes: pass rate since", of(f"{name}-long", "since"),
                  low_above=-0.03)
            for name in ("ppo", "ppo-ptx")
        ),
        *_ladder(),
    ),
    6: (
        *(
            Claim(f"{task}: {name}", of(name, "probes", task))
            for task in (*TAX, "corpus loss")
            for name in ("base", "sft", "initial", "ppo", "ppo-ptx")
        ),
        *(
            Claim(f"{task}: {name} over base", of(name, "tax", task))
            for task in TAX
            for name in ("ppo", "ppo-ptx")
        ),
        Claim("task probes on which PPO is below the base by 8 points",
              lambda s: float(len(taxed(s, 0.08))), at_least=4),
        Claim("task probes on which it is below the initial model", worse_than_initial,
              at_least=2),
        Claim("share of the tax that PPO-ptx wins back, mean of the tasks", won_back_each,
              at_least=0.6),
        Claim("share of PPO's gain that PPO-ptx keeps",
              ratio("ppo-ptx", "ppo", "gain"), at_least=0.8),
        Claim("of the loss on all tasks together", lambda s: s["won_back"] or 0.0),
        *_swept(),
    ),
    7: (
        Claim("β = 0: RM score above the default's",
              difference("ppo-beta-0", "ppo", "score"), low_above=0),
        Claim("β = 0: judge's grade below the default's",
              difference("ppo", "ppo-beta-0", "grade"), low_above=0),
        Claim("β = 0: pass rate below the default's",
              difference("ppo", "ppo-beta-0", "passes"), low_above=0),
    ),
    8: (
        *of_each("truthful", "probes", "truthfulness"),
        Claim("PPO-ptx over base, truthful",
              ratio("ppo-ptx", "base", "probes", "truthfulness"), at_least=1.5),
        Claim("the difference", difference("ppo-ptx", "base", "probes", "truthfulness"),
              low_above=0),
        *of_each("closed-domain hallucination", "hallucination"),
        Claim("PPO-ptx over base, hallucination",
              ratio("ppo-ptx", "base", "hallucination"), at_most=0.6),
        *of_each("toxic, respectful request", "probes", "toxicity, respectful"),
        Claim("PPO-ptx over base, toxic",
              ratio("ppo-ptx", "base", "probes", "toxicity, respectful"), at_most=0.75),
    ),
}  # fmt: skip
"""What is claimed, in the order of the steps: what has one number is about one thing."""
