"""Step 1 on a blackboard: supervised fine-tuning (§3.5, C.1), with C.3's pretraining mix.

    Make what a labeler wrote likelier, token by token.

Prompts x and completions y, which end with EOS, are int64 ids. B pairs (x, y) make a step, the
longest y has T tokens. A pretraining document is such a pair, too: its first token and the rest.
"""

import math

import torch
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from minirlhf import objectives
from minirlhf.randomness import permutation, stream

COVERED = "seed epochs batch pretrain_mix learning_rate floor betas grad_clip".split()
ELSEWHERE = """max_length micro_batch gradient_checkpointing log_every checkpoint_seconds
    keep_epochs""".split()  # to be kept to where text is encoded; of no effect


def train(config, policy, demonstrations, documents=()):
    """Fine-tune ``policy``, a causal LM of transformers, in place; yields each step's metrics.

    Demonstrations and documents are pairs (x, y). Adam's ε and clipping aren't stated in the paper.
    """
    check(config)
    policy.eval()  # no dropout
    adam = torch.optim.Adam(policy.parameters(), betas=config.betas)
    steps = config.epochs * steps_per_epoch(config, demonstrations)
    for step in range(steps):
        rate = adam.param_groups[0]["lr"] = learning_rate(config, step / steps)
        pairs = batch(config, demonstrations, documents, step)
        loss = objectives.sft_loss(*logprobs(policy, pairs))
        loss.backward()
        norm = update(adam, policy, config.grad_clip)
        yield {"loss": loss.item(), "learning_rate": rate, "gradient_norm": norm.item()}


def steps_per_epoch(config, demonstrations):
    """Optimizer steps of a pass over the demonstrations; the last may be of fewer."""
    per_step = config.batch - round(config.batch * config.pretrain_mix)
    return math.ceil(len(demonstrations) / per_step)


def learning_rate(config, done):
    """A cosine from the peak to ``floor`` of it (C.1: a tenth), no warm-up; ``done`` in [0, 1)."""
    left = 0.5 * (1.0 + math.cos(math.pi * done))
    return config.learning_rate * (config.floor + (1.0 - config.floor) * left)


def batch(config, demonstrations, documents, step):
    """B pairs: demonstrations, shuffled anew each epoch, and C.3's part of documents (a tenth)."""
    mixed = round(config.batch * config.pretrain_mix)
    drawn = stream(len(documents), step * mixed, mixed, config.seed, "pretraining")
    epoch, position = divmod(step, steps_per_epoch(config, demonstrations))
    order = permutation(len(demonstrations), config.seed, "order", epoch)
    rows = order.split(config.batch - mixed)[position]
    return [demonstrations[i] for i in rows] + [documents[i] for i in drawn]


def logprobs(model, pairs):
    """Log π(y_t | x, y_<t), read off the token before y_t, and a mask, True on y: [B, T] both.

    The prompt is no target; whether the paper's is one isn't stated.
    """
    rows = []
    for x, y in pairs:
        logits = model(input_ids=torch.cat([x, y])[None]).logits[0, len(x) - 1 : -1]
        rows.append(objectives.token_logprobs(logits, y))
    ones = [torch.ones_like(y, dtype=torch.bool) for _, y in pairs]
    return pad_sequence(rows, batch_first=True), pad_sequence(ones, batch_first=True)


def update(adam, model, clip):
    """One optimizer step down the gradients; returns their norm before clipping, which is ours."""
    norm = clip_grad_norm_(model.parameters(), clip or torch.inf)
    adam.step()
    adam.zero_grad()
    return norm


def check(config):
    """Refuse settings that aren't covered, so that none is left out in silence."""
    for name, setting in vars(config).items():
        plain = 0.0 if name == "residual_dropout" else getattr(type(config), name)
        if name not in COVERED + ELSEWHERE and setting not in (plain, "fp32"):
            raise ValueError(f"plain/sft.py doesn't cover {name} = {setting}: take train_sft.")


if __name__ == "__main__":
    from minirlhf.plain import demo

    demo.sft()
