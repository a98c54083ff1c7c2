"""What both the pictures and the users' harness put on a page."""
import sys, os, tempfile, json, base64
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/browser"), str(ROOT / "tests"), str(ROOT)]
os.environ["OMP_NUM_THREADS"] = "1"
import torch
torch.set_num_threads(1)
from functools import cache
from minirlhf import shipped
from minirlhf.widgets import *

@cache
def models():
    from minirlhf.pretrained import load_policy, load_tokenizer
    from minirlhf.models import ScalarModel
    from minirlhf.reward import score_texts
    sft, ppo, rm = (shipped.run(n) / "model" for n in ("sft", "ppo", "reward"))
    tokenizer = load_tokenizer(sft)
    reward = ScalarModel.load(rm)
    score = lambda p, r: score_texts(reward, tokenizer, p, r)
    return load_policy(sft), load_policy(ppo), reward, tokenizer, score

def playground(**k):
    from minirlhf.tinytown.judge import judge
    sft, ppo, reward, tokenizer, score = models()
    return Playground({"sft": (sft, tokenizer), "ppo": (ppo, tokenizer)}, score=score, judge=judge, **k)

def lens(**k):
    from minirlhf.episodes import Models
    from minirlhf.config import PPOConfig
    sft, ppo, reward, tokenizer, score = models()
    return TokenLens(models=Models(ppo, sft, reward, reward.value_model(), tokenizer),
        prompt="Write a story about Cora and a lamp.\n", config=PPOConfig(beta=0.15, max_response=48), **k)

def labels(path=None):
    sft, ppo, reward, tokenizer, score = models()
    tasks = [r for r in shipped.read("heldout") if len(r["completions"]) == 6][:8]
    path = path or Path(tempfile.mkdtemp()) / "mine.jsonl"
    return LabelingDesk(tasks, path, score=score, labelers=PEOPLE())

def PEOPLE():
    from minirlhf.tinytown.labelers import training_pool
    return training_pool()

def frontier():
    return Frontier([shipped.run(f"beta-{n}") for n in ("0", "0.2", "1", "5", "25")], source="shipped run")
