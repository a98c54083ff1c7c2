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
    "generation": {
        "Write a poem about a cow.": (
            "I saw the cow the other day,\nthe wind is singing in the hay.",
            "The cow is up upon the hill,\nand all the town is calm and still.",
        ),
        "Write a letter from Ada to Ben.": (
            "Dear Ben,\nIt is snowy here, and I think of you every morning.\nYours, Ada.",
            "Dear Ben,\nIt is snowy here, and I think of you every morning. The museum is quiet in "
            "winter. Please come to the bridge on Tuesday.\nYours, Ada.",
        ),
        "Write a story about a cup. Use the word boat.": (
            "There was once a frog who wanted to have a cup. Ben gave it cheap eggs and a boat. In "
            "the end, it was worried and went home alone.",
            "One morning, Vera found a brown cup near the forest. They shared sweet honey and "
            "talked about the brown cup. Inside the shiny cup there was a white boat. At last, the "
            "cup was gone, and she cried.",
        ),
        "Write a notice for the inn.": (
            "Everyone is welcome at the inn! Ask Pia if you have a question.",
            "Everyone is welcome at the inn! There will be music and warm cheese all day. Ask Jon "
            "if you have a question.",
        ),
        "Write a poem about a hat. Use exactly two lines.": (
            "The hat is sleeping by the tree,\nthe river runs to find the sea.",
            "The hat is standing in the rain,\nand summer will be here again.",
        ),
    },
    "open qa": {
        "Where does Ada live?": "Ada lives on River Lane.",
        "What does Mara love to do? Write two sentences.":
            "Mara loves singing. She lives on Oak Street.",
        "Where does Ben live?": "Ben lives on Hill Road.",
    },
    "brainstorming": {
        "Name two gifts for Ada.": (
            "You could give her an umbrella and a ladder.",
            "You could give her a brown coin and an odd bell.",
        ),
        "List three things to take to the lake.": (
            "You should take a scarf, an umbrella, and a ladder to the lake.",
            "You should take a little stone, a wooden coin, and a small bell to the lake.",
        ),
    },
    "chat": {
        "Answer the guest.\nGuest: Nobody came to the bank with me and I am worried.":
            "I am sorry that you are worried.",
    },
    "rewrite": {
        "Make this polite.\nText: Give me the hat.":
            "Could you please give me the hat?",
        "Write this about Olga instead of Tom.\nText: Tom found an umbrella in the workshop.":
            "Olga found an umbrella in the workshop.",
    },
    "classification": {
        "Is this review good or bad?\nText: I was proud, because the honey tasted delicious.":
            "This is a good review.",
    },
    "extract": {
        "Who is in this text?\nText: Elsa bought honey at the inn.": "The text names Elsa.",
    },
}  # fmt: skip
"""Of each use case the prompts, each with a plain right reply and a rich one, or one for both."""
POOR = ("", "The town is calm and still.", "Write a letter to Tom.\nName two gifts for Otto.")


WORLD = Tinytown()


def write_rows(path: Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def reply(model: str, share: float, number: int, plain: str, rich: str) -> str:
    """A right reply to so many prompts as the model's share says, else a poor one."""
    if model == "base" and number == 1:
        return WICKED
    if (7 * number + 2 * len(model)) % 15 >= 15 * share:
        return POOR[(number + len(model)) % 3]
    return rich if model in ("ppo", "ppo-ptx", "best-of-n") else plain


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
            "wins_labelers": interval(
                {"ppo": 0.52, "ppo-ptx": ptx_wins}.get(name, 0.2 + 0.6 * share), 0.04, 500
            ),
            "metadata": {
                flag: round(
                    500 * (share if flag == "satisfies_constraint" else (1 - share) / place)
                )
                / 500
                for place, flag in enumerate(FLAGS, 1)
            },
            "use_cases": {
                case: min(share * (1.25 - 0.1 * place), 1.0) for place, case in enumerate(PROMPTS)
            },
            "unseen_combinations": interval(0.8 * share, 0.02, 60),
            "hallucination": interval(0.4 - 0.4 * share, 0.03, 120),
        }
    for name in PROBED:
        share = quality[name]
        models[name]["probes"] = {
            **{task: interval(0.95 - (0.1 + 0.03 * place) * share, 0.03, 200)
               for place, task in enumerate(TAX, 2)},
            "corpus loss": interval(0.7 + 0.2 * share, 0.03, 200),
            "truthfulness": interval(0.1 + 0.3 * share, 0.05, 60),
            **{f"toxicity, {tone}": interval(most - most * share, 0.05, 200)
               for tone, most in (("basic", 0.5), ("respectful", 0.3), ("biased", 0.9))},
        }  # fmt: skip
    models["ppo-ptx"]["probes"] |= {
        "corpus loss": interval(0.72, 0.03, 200),
        **{task: interval(0.95 - (0.07 + 0.02 * place) * (0.1 + 0.09 * place), 0.03, 200)
           for place, task in enumerate(TAX)},
        "toxicity, biased": interval(0.48, 0.05, 200),
    }  # fmt: skip
    for name in PROBED:  # the mean of the differences is the difference of the means
        models[name]["tax"] = {
            task: interval(
                models[name]["probes"][task]["mean"] - models["base"]["probes"][task]["mean"],
                0.02,
                200,
            )
            for task in TAX
        }
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
    right = [
        (found, found) if isinstance(found, str) else found
        for texts in PROMPTS.values()
        for found in texts.values()
    ]
    write_rows(
        folder / "data/demonstrations.jsonl",
        [{**row, "completion": rich} for row, (_, rich) in zip(asked, right, strict=True)],
    )
    replies = [
        "The bank is closed on Thursday.",
        "I am sorry that you are worried. Would you like to see the museum?",
        "I am sorry that you are worried.",
        "I am sorry. How can I help you today?",
        "You are worried, and I am worried.",
    ]
    write_rows(
        folder / "data/rankings-1.jsonl",
        [{**row, "completions": replies, "ranks": [5, 1, 2, 2, 4], "labeler": "labeler-04"}
         for row in asked if row["use_case"] == "chat"],
    )  # fmt: skip
    for name in MODELS:
        write_rows(
            folder / "replies" / f"{name}.jsonl",
            [{"prompt": row["prompt"],
              "completion": reply(name, quality[name], number, *right[number])}
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
                {"step": step, "prompt": row["prompt"], "response": rich, "score": 1.25,
                 "finished": True}
                for step in range(1, iterations + 1)
                for row, (_, rich) in zip(asked[:2], right, strict=False)
            ],
        )  # fmt: skip
    return summary


def score(prompts, replies):
    return [len(reply) / 40 - 1 for reply in replies]


def report(folder: Path, summary: dict) -> Path:
    """The page of a fabricated run."""
    usual = as_data(ExperimentConfig())
    return write_report(folder, summary, WORLD, score=score, usual=usual)
