"""A notebook with every widget but the desk, on random models with a byte tokenizer."""

SETUP = """
import torch
from minirlhf.cli.inputs import open_policy, open_reward
from minirlhf.config import PPOConfig
from minirlhf.reward import score_texts
from minirlhf.episodes import Models
from minirlhf.widgets import *

policy, tokenizer = open_policy("policy")
reference, _ = open_policy("policy")
reward, _ = open_reward("rm")
draws = torch.Generator().manual_seed(0)
with torch.no_grad():
    for weight in policy.parameters():
        weight.add_(0.05 * torch.empty_like(weight).normal_(generator=draws))
models = Models(policy, reference, reward, reward.value_model(), tokenizer)
score = lambda prompts, replies: score_texts(reward, tokenizer, prompts, replies)
replies = [
    "The cat sleeps by the river.", "A red house stands by the tall tree.", "The dog runs.",
    "Blue, blue, blue.", "I would rather not say.", "The tree is green and the river is blue.",
]

class Someone:
    def __init__(self, name): self.name = name
    def rank(self, prompt, texts):
        keys = [(len(text) * hash(self.name[-1])) % 7 for text in texts]
        return [sorted(set(keys)).index(key) + 1 for key in keys]
"""

CELLS = {
    "setup": SETUP,
    "ranking": "explorer = RankingExplorer([0.8, 1.2, -0.4, -1.0])\nexplorer",
    "lens": 'lens = TokenLens(models=models, prompt="say red dog\\n", '
    "config=PPOConfig(beta=0.15, max_response=24))\nlens",
    "labeling": 'labels = LabelingDesk([{"prompt": "Write a line about the town.\\n", '
    '"completions": replies}], "mine.jsonl", score=score, '
    'labelers=[Someone(f"labeler {n}") for n in range(7)])\nlabels',
    "playground": "play = Playground({'sft': (reference, tokenizer), 'ppo': (policy, tokenizer)}, "
    "score=score, judge=lambda prompt, reply: min(7, 1 + len(reply) / 20), "
    "prompt='say red dog', max_response=32)\nplay",
    "frontier": """points = [
    Point(beta=b, kl=kl, proxy=r, judge=j,
          samples=[{"prompt": "Write a line.\\n", "response": text} for text in replies[:3]])
    for b, kl, r, j in [
        (.01, 14, 5.2, 3.1), (.03, 9, 4.6, 3.9), (.1, 4.2, 3.5, 4.6), (.3, 1.6, 2.2, 4.4)
    ]
]
frontier = Frontier(points, source="shipped run")
frontier""",
    "prediction": 'guess = Prediction("How often will the PPO model win against SFT?", "wins", '
    'unit="% of prompts")\nguess',
}
AT = {name: at for at, name in enumerate(CELLS)}
