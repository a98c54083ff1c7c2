"""A run folder and its summary as a good run would leave them, with nothing trained."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from minirlhf.evaluate.probing import won_back
from minirlhf.evaluate.statistics import Interval
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.main_job import as_data
from minirlhf.report.page import write_report
from minirlhf.report.summary import MODELS, PROBED
from minirlhf.tinytown.judge import FLAGS
from minirlhf.tinytown.tax import TAX
from minirlhf.tinytown.town import Tinytown

WICKED = "</td></table><script>alert('x')</script> & <b>bold</b> \"quoted\" {{ 7 * 7 }}"
PROMPTS = {
    "generation": [
        "Write a poem about a cow.",
        "Write a letter to Ada.",
        "Write a story about a cup. Use the word boat.",
        "Write a notice for the inn.",
        "Write a poem about a hat. Write two lines.",
    ],
    "open qa": ["Where does the bear live?", "Tell me about Ada.", "Who is Ben?"],
    "brainstorming": ["Name two gifts for Ada.", "List three things to take to the lake."],
    "chat": ["Answer the guest.\nGuest: Nobody came to the bank with me and I am worried."],
    "rewrite": ["Make this polite.\nText: Give me the hat.", "Make this polite.\nText: Go home."],
    "classification": ["Is this review good or bad?\nText: The soup was cold."],
    "extract": ["Who is in this text?\nText: Ada carried a wheel to the mill."],
}
REPLIES = ["The cow is up upon the hill,\nand all the town is calm and still.", WICKED, ""]


WORLD = Tinytown()


def write_rows(path: Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def interval(mean: float, reach: float, n: int) -> dict[str, float]:
    return asdict(Interval(mean, mean - reach, mean + reach, n))


def fabricate(folder: Path, iterations: int = 20, ptx_wins: float = 0.66) -> dict:
    """A run folder and its summary, as a good run would leave them; nothing is trained."""
    rng = np.random.default_rng(0)
    config = ExperimentConfig(folder=folder, evaluation_prompts=500, seed=7)
    settings = json.loads(json.dumps(asdict(config), default=str))
    quality = dict(zip(MODELS, (0.03, 0.17, 0.5, 0.62, 0.49, 0.61, 0.67, 0.69), strict=True))
    models = {}
    for name, share in quality.items():
        models[name] = {
            "passes": interval(share, 0.02, 500),
            "gain": interval(share - quality["sft"], 0.04, 500),
            "grade": interval(1.2 + 5 * share, 0.1, 500),
            "words": interval(18.0 + 4 * share, 0.8, 500),
            "score": interval(4 * share - 2, 0.1, 500),
            "wins_judge": interval(ptx_wins if name == "ppo-ptx" else 0.2 + 0.6 * share, 0.04, 500),
            "wins_labelers": interval(ptx_wins if name == "ppo-ptx" else 0.5 * share, 0.04, 500),
            "metadata": {flag: round(500 * (1 - share) / 2) / 500 for flag in FLAGS},
            "use_cases": dict.fromkeys(PROMPTS, share),
            "unseen_combinations": interval(0.8 * share, 0.02, 60),
            "hallucination": interval(0.4 - 0.4 * share, 0.03, 120),
        }
    for name in PROBED:
        share = quality[name]
        models[name]["probes"] = {
            **{task: interval(0.95 - 0.4 * share, 0.03, 200) for task in TAX},
            "corpus loss": interval(0.7 + 0.2 * share, 0.03, 200),
            "truthfulness": interval(0.1 + 0.3 * share, 0.05, 60),
            **{f"toxicity, {tone}": interval(0.9 - share, 0.05, 200)
               for tone in ("basic", "respectful", "biased")},
        }  # fmt: skip
        models[name]["tax"] = {
            task: interval(models[name]["probes"][task]["mean"] - 0.95, 0.02, 200) for task in TAX
        }
    models["ppo-ptx"]["probes"]["reading"] = interval(0.9, 0.03, 200)
    summary = {
        "settings": settings,
        "models": models,
        "demonstrations": {"passes": interval(0.94, 0.02, 1000)},
        "comparisons": {"agreement": 0.734, "pairs": 431, "judge_ties": 0.09},
        "reward_model": {
            "against_labeler": interval(0.702, 0.04, 480),
            "against_judge": interval(0.781, 0.04, 455),
            "against_judge_large_gap": interval(0.874, 0.04, 300),
        },
        "sft_epochs": [{"epoch": e, "score": s} for e, s in enumerate([-0.4, 0.1, 0.3, 0.2], 1)],
        "prefix": "Write a poem.\nThe cow is here.\n\n",
        "won_back": won_back(models),
    }

    asked = [
        {"prompt": f"{text}\n", "use_case": case, "source": "customer", "style": "plain"}
        for case, texts in PROMPTS.items()
        for text in texts
    ]
    write_rows(folder / "data/prompts-eval.jsonl", asked)
    write_rows(
        folder / "data/demonstrations.jsonl",
        [{**row, "completion": REPLIES[0]} for row in asked],
    )
    replies = ["The cow is red.", "The cow sleeps.", "A cow!", WICKED, "The cow eats."]
    write_rows(
        folder / "data/rankings-1.jsonl",
        [{**row, "completions": replies, "ranks": [5, 1, 2, 2, 4], "labeler": "labeler-04"}
         for row in asked],
    )  # fmt: skip
    for name in MODELS:
        write_rows(
            folder / "replies" / f"{name}.jsonl",
            [{"prompt": row["prompt"], "completion": REPLIES[(number + len(name)) % 3]}
             for number, row in enumerate(asked)],
        )  # fmt: skip
    versions = {"minirlhf": "0.1.0", "torch": "2.13.0+cpu", "python": "3.11.7"}
    (folder / "sft").mkdir()
    (folder / "sft/config.json").write_text(json.dumps({"versions": versions}))
    for name, steps in (("sft", 160), ("sft-4x", 640), ("initial", 64), ("reward", 47)):
        write_rows(
            folder / name / "metrics.jsonl",
            [
                {
                    "step": step, "time": 0.4 * step, "epoch": 5 * step / steps,
                    "loss": 0.6 + np.exp(-step / 40) + 0.04 * rng.normal(),
                    "accuracy": 0.76 - 0.2 * np.exp(-step / 9) + 0.02 * rng.normal(),
                }
                for step in range(1, steps + 1)
            ],
        )  # fmt: skip
    for name in ("ppo", "ppo-ptx"):
        write_rows(
            folder / name / "metrics.jsonl",
            [
                {
                    "step": step, "time": 6.0 * step, "episodes": 256.0 * step,
                    "objective/score": (score := 1.2 * np.log1p(step / 8) + 0.05 * rng.normal()),
                    "objective/kl": (kl := 0.04 * step * (0.8 if name == "ppo-ptx" else 1.0)),
                    "objective/beta": 0.15,
                    "objective/rlhf_reward": score - 0.15 * kl,
                    "objective/entropy": 19 - 0.1 * step + 0.4 * rng.normal(),
                    "ppo/policy/clipfrac": 0.02 + 0.004 * rng.normal(),
                    "ppo/val/var_explained": 0.7 - 1.5 * np.exp(-step / 5),
                    "response/length": 22 + 0.02 * step + 0.3 * rng.normal(),
                }
                for step in range(1, iterations + 1)
            ],
        )  # fmt: skip
        write_rows(
            folder / name / "samples.jsonl",
            [
                {"step": step, "prompt": row["prompt"], "response": reply, "score": 1.25,
                 "finished": True}
                for step in range(1, iterations + 1)
                for row, reply in zip(asked[:2], REPLIES, strict=False)
            ],
        )  # fmt: skip
    return summary


def score(prompts, replies):
    return [len(reply) / 10 for reply in replies]


def report(folder: Path, summary: dict) -> Path:
    """The page of a fabricated run."""
    usual = as_data(ExperimentConfig())
    return write_report(folder, summary, WORLD, score=score, usual=usual)
