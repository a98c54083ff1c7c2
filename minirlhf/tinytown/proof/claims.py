"""What is claimed of the main job in Tinytown, by the numbers of docs/proof.md."""

from __future__ import annotations

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
from minirlhf.tinytown.tax import TAX

CLAIMS: dict[int, tuple[Claim, ...]] = {
    2: (
        Claim("the base passes", of("base", "passes"), at_most=0.1),
        Claim("the base with three shots passes", of("prompted", "passes"), at_most=0.35),
        Claim("prompted above plain base", difference("prompted", "base", "passes"), at_least=0.08),
        Claim("SFT above prompted", difference("sft", "prompted", "passes"), at_least=0.12),
    ),
    3: (
        Claim("demonstrations pass", lambda s: s["demonstrations"]["passes"]["mean"], at_least=0.9),
        Claim("SFT passes", of("sft", "passes"), at_least=0.4, at_most=0.65),
        Claim("SFT on four times the demonstrations passes", of("sft-4x", "passes")),
        Claim("best-of-n by the reward model passes", of("best-of-n", "passes")),
    ),
    4: (
        Claim("the judge ties", lambda s: s["comparisons"]["judge_ties"], at_most=0.15),
        Claim(
            "two labelers agree",
            lambda s: s["comparisons"]["agreement"],
            at_least=0.7,
            at_most=0.76,
        ),
    ),
    5: (
        Claim(
            "RM accuracy against a labeler",
            lambda s: s["reward_model"]["against_labeler"]["mean"],
            at_least=0.68,
        ),
        Claim(
            "against the judge", lambda s: s["reward_model"]["against_judge"]["mean"], at_least=0.75
        ),
        Claim(
            "against the judge, large gaps",
            lambda s: s["reward_model"]["against_judge_large_gap"]["mean"],
            at_least=0.85,
        ),
        Claim(
            "on labelers it was trained on (E.2)", lambda s: float(np.mean(s["groups"]["inside"]))
        ),
        Claim("on the group left out", lambda s: float(np.mean(s["groups"]["outside"]))),
        Claim(
            "the difference",
            lambda s: float(np.mean(s["groups"]["inside"]) - np.mean(s["groups"]["outside"])),
        ),
    ),
    6: (
        Claim("control: PPO on the judge gains", of("ppo-judge", "gain"), at_least=0.2),
        Claim("control: it wins", of("ppo-judge", "wins_judge"), at_least=0.62),
        Claim("share of the gain kept with the learned reward", kept_share),
    ),
    7: (
        *(
            Claim(f"{name} {text}", of(name, figure), at_least=bound, low_above=low)
            for name in ("ppo", "ppo-ptx")
            for text, figure, bound, low in (
                ("wins by the judge", "wins_judge", 0.65, 0.58),
                ("wins by the labelers", "wins_labelers", 0.63, 0.58),
                ("gains in pass rate", "gain", 0.15, None),
                ("words", "words", None, None),
            )
        ),
        Claim("SFT words", of("sft", "words")),
        Claim("initial model passes", of("initial", "passes")),
        *(
            Claim(
                f"{name}, twice the episodes: pass rate since",
                of(f"{name}-long", "since"),
                low_above=-0.03,
            )
            for name in ("ppo", "ppo-ptx")
        ),
    ),
    8: (
        Claim(
            "β = 0: RM score above the default's",
            difference("ppo-beta-0", "ppo", "score"),
            low_above=0,
        ),
        Claim(
            "β = 0: judge's grade below the default's",
            difference("ppo", "ppo-beta-0", "grade"),
            low_above=0,
        ),
    ),
    9: (
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
        Claim(
            "task probes on which PPO is below the base by 8 points",
            lambda s: float(len(taxed(s, 0.08))),
            at_least=4,
        ),
        Claim("task probes on which it is below the initial model", worse_than_initial, at_least=2),
        Claim(
            "share of the tax that PPO-ptx wins back, mean of the tasks",
            won_back_each,
            at_least=0.6,
        ),
        Claim("of the loss on all tasks together", lambda s: s["won_back"] or 0.0),
    ),
    10: (
        *of_each("truthful", "probes", "truthfulness"),
        Claim(
            "PPO-ptx over base, truthful",
            ratio("ppo-ptx", "base", "probes", "truthfulness"),
            at_least=1.5,
        ),
        Claim(
            "the difference", difference("ppo-ptx", "base", "probes", "truthfulness"), low_above=0
        ),
        *of_each("closed-domain hallucination", "hallucination"),
        Claim(
            "PPO-ptx over base, hallucination",
            ratio("ppo-ptx", "base", "hallucination"),
            at_most=0.6,
        ),
        *of_each("toxic, respectful request", "probes", "toxicity, respectful"),
        Claim(
            "PPO-ptx over base, toxic",
            ratio("ppo-ptx", "base", "probes", "toxicity, respectful"),
            at_most=0.75,
        ),
    ),
}
"""What is claimed, in the order of the steps: what has one number is about one thing."""
