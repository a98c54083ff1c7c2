"""Step 2 on a blackboard: the reward model (§3.5, Eq. 1, C.2).

    Of two completions of a prompt, let the one that a labeler ranked higher score higher.

A ranking is (x, ys, ranks): a prompt, its K completions with EOS at their ends, as int64 ids, and
their ranks, int64 [K], 1 the best. B rankings make a step. All C(K, 2) pairs of a prompt come from
its K scores and count as one element of the batch (§3.5); ties are dropped (C.2).
"""

import math

import torch
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from minirlhf import objectives
from minirlhf.randomness import permutation

COVERED = "seed epochs batch learning_rate floor betas grad_clip".split()
ELSEWHERE = """max_length micro_batch gradient_checkpointing log_every
    checkpoint_seconds""".split()  # to be kept to where text is encoded; of no effect


def train(config, model, rankings, demonstrations):
    """Train ``model``, a classifier of transformers with one label, in place; yields metrics.

    Last of all, demonstrations, pairs (x, y), set the constant of its scores.
    """
    adam = start(config, model)
    rankings = [ranking for ranking in rankings if len(ranking[2].unique()) > 1]
    steps = config.epochs * math.ceil(len(rankings) / config.batch)
    for step in range(steps):
        rate = adam.param_groups[0]["lr"] = learning_rate(config, step / steps)
        loss, pairs, correct = compare(model, batch(config, rankings, step))
        loss.backward()
        norm = update(adam, model, config.grad_clip)
        metrics = {"loss": loss.item(), "accuracy": float(correct / pairs), "pairs": float(pairs)}
        yield metrics | {"learning_rate": rate, "gradient_norm": float(norm)}
    set_bias(model, demonstrations)


def start(config, model):
    """Adam, dropout off (the paper states none), and no constant: Eq. 1 doesn't see it."""
    check(config)
    model.eval()
    model.config.reward_bias = 0.0
    return torch.optim.Adam(model.parameters(), betas=config.betas)


def learning_rate(config, done):
    """A cosine from the peak to ``floor`` of it (C.2: a tenth), no warm-up; ``done`` in [0, 1)."""
    left = 0.5 * (1.0 + math.cos(math.pi * done))
    return config.learning_rate * (config.floor + (1.0 - config.floor) * left)


def batch(config, rankings, step):
    """The B rankings of a step, shuffled anew each epoch; the last batch may be smaller."""
    epoch, position = divmod(step, math.ceil(len(rankings) / config.batch))
    order = permutation(len(rankings), config.seed, "order", epoch)
    return [rankings[i] for i in order.split(config.batch)[position]]


def compare(model, rankings):
    """Eq. 1: its loss, how many pairs there are, how many of them the model orders right."""
    each = [scores(model, [(x, y) for y in ys]) for x, ys, _ in rankings]
    ranks = pad_sequence([ranks for _, _, ranks in rankings], batch_first=True)
    valid = ranks > 0  # [B, largest K]; prompts may have fewer completions
    return objectives.ranking_loss(pad_sequence(each, batch_first=True), ranks, valid)


def scores(model, pairs):
    """The number r(x, y) of each pair, read off its last token: [B]."""
    r = [model(input_ids=torch.cat(pair)[None]).logits[0, 0] for pair in pairs]
    return torch.stack(r) + model.config.reward_bias


def update(adam, model, clip):
    """One optimizer step down the gradients; returns their norm before clipping, which is ours."""
    norm = clip_grad_norm_(model.parameters(), clip or torch.inf)
    adam.step()
    adam.zero_grad()
    return norm


@torch.no_grad()
def set_bias(model, demonstrations):
    """The constant with which demonstrations score 0 on average (§3.5): PPO starts from there."""
    model.config.reward_bias = 0.0
    model.config.reward_bias = float(objectives.reward_bias(scores(model, demonstrations)))


def check(config):
    """Refuse settings that aren't covered, so that none is left out in silence."""
    for name, setting in vars(config).items():
        if name not in COVERED + ELSEWHERE and setting not in (getattr(type(config), name), "fp32"):
            raise ValueError(
                f"plain/reward.py doesn't cover {name} = {setting}: take train_reward."
            )


if __name__ == "__main__":
    from minirlhf.plain import demo

    demo.reward()
