"""Right answers to the function questions, written in ways that the solutions aren't."""

import math

import torch
import torch.nn.functional as F


def loss_by_cross_entropy(logits, tokens, mask):
    target = tokens.masked_fill(~mask, -100)[:, 1:]
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), target, ignore_index=-100)


def loss_by_loops(logits, tokens, mask):
    terms = []
    for row in range(len(tokens)):
        for column in range(1, tokens.shape[1]):
            if mask[row, column]:
                terms.append(-logits[row, column - 1].log_softmax(0)[tokens[row, column]])
    return torch.stack(terms).mean()


def positions_by_columns(mask):
    first = mask.int().argmax(1)
    return (torch.arange(mask.shape[1]) - first[:, None]).clamp(min=0)


def positions_by_rows(mask):
    out = torch.zeros(mask.shape, dtype=torch.int32)
    for row, real in enumerate(mask):
        out[row, real] = torch.arange(int(real.sum()), dtype=torch.int32)
    return out


def labels_by_where(tokens, prompt_lengths, lengths, pad_id):
    column = torch.arange(tokens.shape[1])[None]
    keep = (column >= prompt_lengths[:, None]) & (column < lengths[:, None])
    return tokens.where(keep, torch.tensor(-100))


def labels_by_lists(tokens, prompt_lengths, lengths, pad_id):
    out = torch.full_like(tokens, -100)
    for row in range(len(tokens)):
        part = slice(int(prompt_lengths[row]), int(lengths[row]))
        out[row, part] = tokens[row, part]
    return out


def ranking_by_loops(scores, ranks, valid):
    prompts = []
    for row in range(len(scores)):
        K = int(valid[row].sum())
        terms = [
            F.softplus(scores[row, l] - scores[row, w])
            for w in range(K)
            for l in range(K)
            if ranks[row, w] < ranks[row, l]
        ]
        prompts.append(sum(terms) / len(terms))
    return sum(prompts) / len(prompts)


def ranking_by_signs(scores, ranks, valid):
    """Every unordered pair once, with the sign of its ranks."""
    w, l = torch.triu_indices(scores.shape[1], scores.shape[1], offset=1)
    sign = torch.sign(ranks[:, l] - ranks[:, w]) * (valid[:, w] & valid[:, l])
    terms = torch.logaddexp(torch.zeros(()), -sign * (scores[:, w] - scores[:, l]))
    counted = sign != 0
    return (terms.masked_fill(~counted, 0).sum(1) / counted.sum(1)).mean()


def gae_by_definition(rewards, values, mask, lam):
    advantages = torch.zeros_like(rewards)
    for row in range(len(rewards)):
        T = int(mask[row].sum())
        v = [*values[row, :T].tolist(), 0.0]
        delta = [float(rewards[row, t]) + v[t + 1] - v[t] for t in range(T)]
        for t in range(T):
            advantages[row, t] = sum(lam ** (k - t) * delta[k] for k in range(t, T))
    return advantages, (advantages + values) * mask


def gae_by_matrix(rewards, values, mask, lam):
    values = values * mask
    delta = rewards * mask + F.pad(values[:, 1:], (0, 1)) - values
    step = torch.arange(rewards.shape[1])
    away = step[:, None] - step[None, :]  # k - t
    weight = torch.where(away >= 0, torch.tensor(lam) ** away.clamp(min=0), 0.0)
    advantages = (delta @ weight) * mask
    return [advantages, advantages + values]


def shaped_by_loop(scores, logprobs, reference, mask, beta):
    out = torch.zeros_like(logprobs)
    for row, score in enumerate(scores):
        T = int(mask[row].sum())
        out[row, :T] = beta * (reference - logprobs)[row, :T]
        out[row, T - 1] = out[row, T - 1] + score
    return out


def shaped_by_difference(scores, logprobs, reference, mask, beta):
    last = mask & ~F.pad(mask[:, 1:], (0, 1))
    return last * scores[:, None] - mask * beta * (logprobs - reference)


def whiten_by_moments(x, mask):
    n = mask.sum()
    mean = (x * mask).sum() / n
    square = (x**2 * mask).sum() / n
    return (x - mean) / ((square - mean**2).clamp(min=0) + 1e-8) ** 0.5 * mask


def whiten_by_index(x, mask):
    out, kept = torch.zeros_like(x), x[mask]
    out[mask] = (kept - kept.mean()) / torch.sqrt(kept.var(unbiased=False) + 1e-8)
    return out


def policy_by_cases(logprobs, old_logprobs, advantages, mask, clip):
    ratio = (logprobs - old_logprobs).exp()
    stopped = ((advantages > 0) & (ratio > 1 + clip)) | ((advantages < 0) & (ratio < 1 - clip))
    bound = 1 + clip * torch.sign(advantages)
    gain = torch.where(stopped, bound, ratio) * advantages
    return -(gain * mask).sum() / mask.sum()


def policy_by_maximum(logprobs, old_logprobs, advantages, mask, clip):
    ratio = torch.exp(logprobs[mask] - old_logprobs[mask])
    A = advantages[mask]
    return torch.stack([-A * ratio, -A * ratio.clip(1 - clip, 1 + clip)]).amax(0).mean()


def value_by_stack(values, old_values, returns, mask, clip):
    v, old, R = values[mask], old_values[mask], returns[mask]
    near = v.clamp(old - clip, old + clip)
    return torch.stack([(v - R).square(), (near - R).square()]).amax(0).mean() / 2


def value_by_where(values, old_values, returns, mask, clip):
    near = torch.minimum(torch.maximum(values, old_values - clip), old_values + clip)
    far = (values - returns).abs() >= (near - returns).abs()
    error = torch.where(far, values, near) - returns
    return (error**2 * mask).sum() / (2 * mask.sum())


def ptx_by_backward(weights, ppo_loss, pretraining_logprobs, gamma, rate):
    """Gradients accumulate, as in a training loop; then one step of an optimizer."""
    parameter = torch.nn.Parameter(weights.detach().clone())
    optimizer = torch.optim.SGD([parameter], lr=rate)
    ppo_loss(parameter).backward()
    (-gamma * pretraining_logprobs(parameter).mean()).backward()
    optimizer.step()
    return parameter.detach()


def ptx_by_two_gradients(weights, ppo_loss, pretraining_logprobs, gamma, rate):
    at = weights.detach().requires_grad_()
    (one,) = torch.autograd.grad(ppo_loss(at), at)
    (two,) = torch.autograd.grad(pretraining_logprobs(at).mean(), at)
    return at.detach() - rate * one + rate * gamma * two


def train_by_optimizer(logits, actions, advantages, steps, rate, clip):
    parameter = torch.nn.Parameter(logits.detach().clone())
    optimizer = torch.optim.SGD([parameter], lr=rate)
    with torch.no_grad():
        sampled = parameter.log_softmax(0)[actions].clone()
    for _ in range(steps):
        optimizer.zero_grad()
        ratio = (parameter.log_softmax(0)[actions] - sampled).exp()
        worse = torch.maximum(-ratio * advantages, -ratio.clip(1 - clip, 1 + clip) * advantages)
        worse.mean().backward()
        optimizer.step()
    return parameter.detach()


def train_by_probabilities(logits, actions, advantages, steps, rate, clip):
    now = logits.detach().clone()
    before = torch.softmax(now, 0)[actions]
    for _ in range(steps):
        now.requires_grad_()
        ratio = torch.softmax(now, 0)[actions] / before
        gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
        (up,) = torch.autograd.grad(gain.mean(), now)
        now = (now + rate * up).detach()
    return now


def rollout_together(policy, prompts, uniforms, eos):
    """All rows of one length together, and cut where they end."""
    with torch.no_grad():
        return [_drawn(policy, x, u, eos) for x, u in zip(prompts, uniforms, strict=True)]


def _drawn(policy, x, uniforms, eos):
    written = []
    for u in uniforms.tolist():
        p = policy(torch.tensor([*x.tolist(), *written])[None])[0, -1].double().softmax(0)
        written.append(next(n for n in range(len(p)) if float(p[: n + 1].sum()) > u))
        if written[-1] == eos:
            break
    return torch.tensor(written)


def _joined(prompts, responses):
    """Rows padded on the right, and where each response begins and ends."""
    rows = [torch.cat(pair) for pair in zip(prompts, responses, strict=True)]
    T = max(map(len, responses))
    column = torch.arange(T)
    begin = torch.tensor([len(x) for x in prompts])[:, None]
    mask = column < torch.tensor([len(y) for y in responses])[:, None]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    at = torch.where(mask, begin + column, 0)
    return ids, at, mask


def _logprobs_together(model, prompts, responses):
    ids, at, mask = _joined(prompts, responses)
    logits = model(ids).log_softmax(-1)
    before = torch.take_along_dim(logits, (at - 1).clamp(min=0)[..., None], 1)
    found = torch.take_along_dim(before, ids.gather(1, at)[..., None], 2)[..., 0]
    return torch.where(mask, found, 0.0)


def rewards_together(policy, reference, reward, prompts, responses, beta):
    ids, _, mask = _joined(prompts, responses)
    with torch.no_grad():
        old, start = (_logprobs_together(m, prompts, responses) for m in (policy, reference))
        last = torch.tensor([len(x) + len(y) - 1 for x, y in zip(prompts, responses, strict=True)])
        scores = reward(ids).gather(1, last[:, None])[:, 0]
    return old, shaped_by_difference(scores, old, start, mask, beta)


def advantages_together(value, prompts, responses, rewards, lam):
    ids, at, mask = _joined(prompts, responses)
    with torch.no_grad():
        values = value(ids).gather(1, (at - 1).clamp(min=0)) * mask
    found, returns = gae_by_matrix(rewards, values, mask, lam)
    return values, whiten_by_moments(found, mask), returns


def losses_together(policy, value, prompts, responses, old, documents, clip):
    ids, at, mask = _joined(prompts, responses)
    new = _logprobs_together(policy, prompts, responses)
    values = value(ids).gather(1, (at - 1).clamp(min=0))
    read = _logprobs_together(policy, [t[:1] for t in documents], [t[1:] for t in documents])
    return [
        policy_by_cases(new, old[0], old[2], mask, clip),
        value_by_stack(values, old[1], old[3], mask, clip),
        -read.sum() / sum(len(text) - 1 for text in documents),
    ]


def iteration_together(models, adam, prompts, uniforms, batches, settings):
    y = rollout_together(models[0], prompts, uniforms, settings.eos)
    old, R = rewards_together(*models[:3], prompts, y, settings.beta)
    kept = [old, *advantages_together(models[3], prompts, y, R, settings.lam)]
    for rows, documents in batches:
        rows = rows.tolist()
        x, answers = [prompts[i] for i in rows], [y[i] for i in rows]
        old = [k[rows][:, : max(map(len, answers))] for k in kept]
        adam.zero_grad()
        one, two, three = losses_together(
            models[0], models[3], x, answers, old, documents, settings.clip
        )
        for loss in (settings.gamma * three, one, two):  # gradients accumulate
            loss.backward(retain_graph=True)
        for model in (models[0], models[3]):
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
        adam.step()


RIGHT = {
    "sft.masked_loss": [loss_by_cross_entropy, loss_by_loops],
    "sft.positions": [positions_by_columns, positions_by_rows],
    "sft.bug": [labels_by_where, labels_by_lists],
    "rm.ranking_loss": [ranking_by_loops, ranking_by_signs],
    "rm.bias": [lambda s: (0 - s).mean(), lambda s: torch.tensor(-math.fsum(s.tolist()) / len(s))],
    "rm.best_of_n": [lambda s: s.max(1).indices, lambda s: s.argsort(1)[:, -1]],
    "rm.bug": [
        lambda v, m: torch.stack([row[real][-1] for row, real in zip(v, m, strict=True)]),
        lambda v, m: (v * (m & ~F.pad(m[:, 1:], (0, 1)))).sum(1),
    ],
    "ppo.k1": [lambda p, q: -(q - p), lambda p, q: torch.log(p.exp() / q.exp())],
    "ppo.k3": [
        lambda p, q: torch.expm1(q - p) + p - q,
        lambda p, q: q.exp() / p.exp() - 1 - torch.log(q.exp() / p.exp()),
    ],
    "ppo.shaped_rewards": [shaped_by_loop, shaped_by_difference],
    "ppo.gae": [gae_by_definition, gae_by_matrix],
    "ppo.whiten": [whiten_by_moments, whiten_by_index],
    "ppo.policy_loss": [policy_by_cases, policy_by_maximum],
    "ppo.value_loss": [value_by_stack, value_by_where],
    "ppo.ptx_step": [ptx_by_backward, ptx_by_two_gradients],
    "ppo.bug": [train_by_optimizer, train_by_probabilities],
    "loop.rollout": [rollout_together],
    "loop.rewards": [rewards_together],
    "loop.advantages": [advantages_together],
    "loop.losses": [losses_together],
    "loop.iteration": [iteration_together],
}
