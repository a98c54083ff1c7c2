"""The ladder up to SFT, and the task probes, of one base.

ladder.py BASE FOLDER [PROMPTS [ITEMS [PART ...]]], PART: prompted, probes, a seed of SFT; all.

PYTHONPATH=$PWD python second-edition/ladder.py minirlhf/tinytown/assets/medium runs/ladder
"""

import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from minirlhf.evaluate.probing import run_probe, run_task
from minirlhf.presets import PRESETS
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.sft import train_sft
from minirlhf.tinytown import datasets, probes
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.mistakes import mistaken, offhand
from minirlhf.tinytown.prompts import completion, cut
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.tax import TAX

base, folder = Path(sys.argv[1]), Path(sys.argv[2])
count = int(sys.argv[3]) if len(sys.argv) > 3 else 400
items = int(sys.argv[4]) if len(sys.argv) > 4 else 200
parts = sys.argv[5:] or ["prompted", "probes", "0", "1", "2"]
torch.set_num_threads(1)
tokenizer = load_tokenizer(base)
asked = [row["prompt"] for row in datasets.prompts("rm", count)]  # development, not evaluation


def passes(policy, prefixes, name, seed=0):
    """Pass rate, with a prefix of its own before each prompt."""
    room = policy.config.max_position_embeddings - 72
    texts = [before + prompt for before, prompt in zip(prefixes, asked, strict=True)]
    fits = [len(tokenizer(text)["input_ids"]) <= room for text in texts]
    texts = [text for text, fit in zip(texts, fits, strict=True) if fit]
    kept = [prompt for prompt, fit in zip(asked, fits, strict=True) if fit]
    said = map(cut, complete(policy, tokenizer, texts, max_new_tokens=72, seed=seed))
    marks = [judge(prompt, reply) for prompt, reply in zip(kept, said, strict=True)]
    right = np.array([mark.passes for mark in marks], dtype=float)
    grade = np.mean([mark.overall for mark in marks])
    print(f"{name:34s} {right.mean():.3f} ± {1.96 * right.std() / len(right) ** 0.5:.3f} "
          f"grade {grade:.2f} n {len(right)}", flush=True)  # fmt: skip


def probed(policy, name):
    out = {}
    for task, make in TAX.items():
        answers = run_task(policy, tokenizer, make(items, 7))
        out[task] = {"right": answers.scores.mean()}
        out[task] |= {key: values.mean() for key, values in answers.apart().items()}
    said = " · ".join(f"{t} " + "/".join(f"{v:.3f}" for v in f.values()) for t, f in out.items())
    print(f"probes {name} (right/wrong form/likelihood): {said}", flush=True)


policy = load_policy(base, tokenizer)
none = [""] * count
rng = random.Random(0)
plain = [row for row in datasets.demonstrations(320) if row["style"] == "plain"]
short = [row for row in plain if len(row["prompt"] + row["completion"]) < 160]


def shots(n, right=True, seed=0):
    """A prefix for each prompt; wrong replies do another task than the one asked for."""
    rng, out = random.Random(seed), []
    for _ in range(count):
        text = ""
        for row in rng.sample(short, n):
            reply = row["completion"]
            while not right:
                other = parse(rng.choice(plain)["prompt"])
                wrong = mistaken(parse(row["prompt"]), other, rng, offhand)
                if wrong and not judge(row["prompt"], wrong).passes:
                    reply = completion(row["prompt"], wrong)
                    break
            text += f"{row['prompt']}{reply}\n\n"
        out.append(text)
    return out


if "prompted" in parts:
    passes(policy, none, "plain")
    passes(policy, shots(3), "3 right shots")
    passes(policy, ["Help desk\n"] * count, "title alone")
    passes(policy, shots(4), "4 right shots")
    passes(policy, shots(4, right=False), "4 wrong shots")
    passes(policy, [f"Help desk\n{text}" for text in shots(4)], "title, 4 right shots")
    passes(policy, shots(1), "1 right shot")
if "probes" in parts:
    print(f"echo {run_probe(policy, tokenizer, probes.echo(items)).mean():.3f}", flush=True)
    probed(policy, "base")
for seed in (int(part) for part in parts if part.isdigit()):
    config = replace(PRESETS["tinytown"].sft, seed=seed, precision="fp32", keep_epochs=False)
    result = train_sft(
        config,
        load_policy(base, tokenizer),
        tokenizer,
        datasets.demonstrations(320, seed),
        folder=folder / f"sft-{seed}",
        callback=[],
    )
    passes(result.policy, none, f"SFT, seed {seed}", seed)
    if seed == 0 and "probes" in parts:
        probed(result.policy, "SFT, seed 0")
