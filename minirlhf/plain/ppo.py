"""Step 3 on a blackboard: PPO against the reward model, and PPO-ptx (§3.5, Eq. 2, C.4).

    Let π answer. Let r score the answers. Where one went better than V expected, make its tokens
    likelier: only a little at a time (ε), and not far from π^SFT (β).

Prompts x and responses y are int64 ids. B pairs make an iteration, the longest y has T tokens.
"""

from collections import namedtuple

import torch
from torch.nn.utils import clip_grad_norm_, parameters_to_vector, vector_to_parameters
from torch.nn.utils.rnn import pad_sequence

from minirlhf import objectives
from minirlhf.randomness import generator, permutation, stream

COVERED = """seed episodes rollout_batch minibatch inner_epochs max_response missing_eos_penalty
    beta lam whiten_rewards whiten_advantages clip value_clip learning_rate value_learning_rate
    warmup betas eps grad_clip ema ptx_gamma ptx_examples_per_episode""".split()
ELSEWHERE = """max_prompt ptx_context micro_batch rollout_micro_batch gradient_checkpointing
    log_every checkpoint_seconds samples""".split()  # for whoever encodes the text; of no effect

# π and π^SFT are causal LMs of transformers, r and V its classifiers of one label. π starts as
# π^SFT, V as r. banned, [vocabulary], is -inf where an id is never sampled (padding), 0 elsewhere.
Models = namedtuple("Models", "policy reference reward value banned eos")
# [B]: pairs (x, y), r, log π/π^SFT. [B, T], 0 behind y: log π and V when sampled, Â, V's targets.
Episodes = namedtuple("Episodes", "pairs scores kl logprobs values advantages returns")


def train(config, models, prompts, documents=()):
    """Train π and V in place; yields each iteration's episodes and mean losses of π, V and ptx."""
    adam, average = start(config, models)
    for iteration in range(-(-config.episodes // config.rollout_batch)):
        warm = 1.0 if iteration >= config.warmup else 0.1 + 0.9 * iteration / config.warmup
        adam.param_groups[0]["lr"] = warm * config.learning_rate
        adam.param_groups[1]["lr"] = warm * config.value_learning_rate
        episodes, losses = roll_out(config, models, prompts, iteration), []
        for rows, drawn in minibatches(config, documents, iteration):
            losses.append(update(config, models, adam, episodes, rows, drawn))
            theta = parameters_to_vector(models.policy.parameters()).detach()
            average.lerp_(theta, 1.0 - (config.ema or 0.0))  # θ̄ ← .992 θ̄ + .008 θ (C.4)
        yield episodes, torch.stack(losses).mean(0)
    vector_to_parameters(average, models.policy.parameters())


def start(config, models):
    """Refuse settings that aren't covered; Adam at its peak rates, dropout off; π's average."""
    for name, setting in vars(config).items():
        if name not in COVERED + ELSEWHERE and setting not in (getattr(type(config), name), "fp32"):
            raise ValueError(f"plain/ppo.py doesn't cover {name} = {setting}: take train_ppo.")
    networks = [model.eval() for model in models[:4]]
    rates = (networks[0], config.learning_rate), (networks[3], config.value_learning_rate)
    groups = [{"params": network.parameters(), "lr": rate} for network, rate in rates]
    adam = torch.optim.Adam(groups, betas=config.betas, eps=config.eps)
    return adam, parameters_to_vector(models.policy.parameters()).detach()


@torch.no_grad()
def roll_out(config, models, prompts, iteration):
    """Episodes of B prompts: responses, what all four models say of them, what follows from it."""
    pairs = sample(config, models, prompts, iteration)
    (old, mask), (reference, _) = (logprobs(m, pairs, models.banned) for m in models[:2])
    unfinished = torch.tensor([y[-1] != models.eos for _, y in pairs])  # penalty: not stated
    r = scores(models.reward, pairs) - (config.missing_eos_penalty or 0.0) * unfinished
    R = objectives.shaped_rewards(r, old, reference, mask, config.beta)
    R = objectives.whiten(R, mask, shift_mean=False) if config.whiten_rewards else R  # nor
    V = values(models.value, pairs)
    A, returns = objectives.gae(R, V, mask, lam=config.lam)  # λ isn't stated; no discount is
    A = objectives.whiten(A, mask) if config.whiten_advantages else A  # not stated
    return Episodes(pairs, r, (old - reference).sum(-1), old, V, A, returns)


def sample(config, models, prompts, iteration):
    """B prompts of an endless shuffle and a response to each: pairs (x, y)."""
    B, draw = config.rollout_batch, generator(config.seed, "rollout", iteration)
    uniforms = torch.rand(B, config.max_response, generator=draw)
    xs = [prompts[i] for i in stream(len(prompts), iteration * B, B, config.seed, "prompts")]
    return [(x, respond(models, x, u)) for x, u in zip(xs, uniforms, strict=True)]


def respond(models, x, uniforms):
    """Sample y ~ π(·|x) at temperature 1: each token the first whose cumulative π exceeds u."""
    row = x
    for u in uniforms:
        logits = models.policy(input_ids=row[None]).logits[0, -1]
        cdf = (logits + models.banned).softmax(-1).cumsum(-1)
        row = torch.cat([row, torch.searchsorted(cdf, u * cdf[-1:], right=True)])
        if row[-1] == models.eos:
            break
    return row[len(x) :]


def logprobs(model, pairs, banned=0.0):
    """Log π(y_t | x, y_<t), read off the token before y_t, and a mask, True on y: [B, T] both."""
    rows = []
    for x, y in pairs:
        logits = model(input_ids=torch.cat([x, y])[None]).logits[0, len(x) - 1 : -1]
        rows.append(objectives.token_logprobs(logits + banned, y))
    ones = [torch.ones_like(y, dtype=torch.bool) for _, y in pairs]
    return pad_sequence(rows, batch_first=True), pad_sequence(ones, batch_first=True)


def values(model, pairs):
    """V of (x, y_<t), the state in which y_t is chosen, read off the token before it: [B, T]."""
    rows = []
    for x, y in pairs:
        hidden = model.base_model(input_ids=torch.cat([x, y])[None]).last_hidden_state
        rows.append(model.score(hidden[0, len(x) - 1 : -1])[:, 0] + model.config.reward_bias)
    return pad_sequence(rows, batch_first=True)


def scores(model, pairs):
    """The number r(x, y) of each pair, read off its last token: [B]."""
    read = [model(input_ids=torch.cat(pair)[None]).logits[0, 0] for pair in pairs]
    return torch.stack(read) + model.config.reward_bias


def minibatches(config, documents, iteration):
    """Rows of each minibatch and, for ptx, documents drawn at random, each (first token, rest)."""
    for epoch in range(config.inner_epochs):
        order = permutation(config.rollout_batch, config.seed, "minibatch", iteration, epoch)
        parts = order.split(config.minibatch)
        for number, rows in enumerate(parts, epoch * len(parts)):
            draw = generator(config.seed, "ptx", iteration, number)
            count = max(round(config.ptx_examples_per_episode * len(rows)), 1)
            drawn = torch.randint(len(documents) or 1, (count,), generator=draw)
            yield rows, [documents[i] for i in drawn] if config.ptx_gamma else []


def update(config, models, adam, episodes, rows, documents):
    """One step down the gradients of three losses, each a mean over tokens (which isn't stated)."""
    policy, value, pairs = models.policy, models.value, [episodes.pairs[i] for i in rows]
    new, mask = logprobs(policy, pairs, models.banned)
    old, old_V, A, returns = (x[rows, : mask.shape[1]] for x in episodes[3:])
    loss = objectives.policy_loss(new, old, A, mask, config.clip)
    V_loss = objectives.value_loss(values(value, pairs), old_V, returns, mask, config.value_clip)
    ptx = objectives.ptx_loss(*logprobs(policy, documents)) if documents else torch.zeros(())
    (loss + V_loss + config.ptx_gamma * ptx).backward()
    for model in (policy, value):
        clip_grad_norm_(model.parameters(), config.grad_clip or torch.inf)  # nor is this
    adam.step()
    adam.zero_grad()
    return torch.stack([loss, V_loss, ptx]).detach()


if __name__ == "__main__":
    from minirlhf.plain import demo

    demo.ppo()
