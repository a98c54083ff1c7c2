"""Wrong answers as students write them, each with the name that `check` is to give it.

Written from the questions alone, not from what the checker knows; an empty name says that nothing
but "not yet" is expected of it.
"""

import torch
import torch.nn.functional as F

# ----------------------------------------------------------------------------------- ex04


def loss_of(logits, tokens, mask, dim=-1):
    logprobs = torch.log_softmax(logits, dim).gather(-1, tokens[..., None]).squeeze(-1)
    return -(logprobs * mask).sum() / mask.sum()


def loss_other_shift(logits, tokens, mask):
    return loss_of(logits[:, 1:], tokens[:, :-1], mask[:, :-1])


def loss_other_shift_right_mask(logits, tokens, mask):
    return loss_of(logits[:, 1:], tokens[:, :-1], mask[:, 1:])


def loss_softmax_over_positions(logits, tokens, mask):
    return loss_of(logits[:, :-1], tokens[:, 1:], mask[:, 1:], dim=1)


def loss_softmax_over_positions_first(logits, tokens, mask):
    logprobs = torch.log_softmax(logits, 1)[:, :-1]
    picked = logprobs.gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return -(picked * mask[:, 1:]).sum() / mask[:, 1:].sum()


def loss_softmax_over_rows(logits, tokens, mask):
    return loss_of(logits[:, :-1], tokens[:, 1:], mask[:, 1:], dim=0)


def loss_of_probabilities(logits, tokens, mask):
    p = torch.softmax(logits[:, :-1], -1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return -(p * mask[:, 1:]).sum() / mask[:, 1:].sum()


def loss_log_of_mean(logits, tokens, mask):
    p = torch.softmax(logits[:, :-1], -1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return -torch.log((p * mask[:, 1:]).sum() / mask[:, 1:].sum())


def loss_of_raw_logits(logits, tokens, mask):
    picked = logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return -(picked * mask[:, 1:]).sum() / mask[:, 1:].sum()


def loss_double_softmax(logits, tokens, mask):
    p = torch.softmax(logits[:, :-1], -1)
    target = tokens[:, 1:].masked_fill(~mask[:, 1:], -100)
    return F.cross_entropy(p.flatten(0, 1), target.flatten(), ignore_index=-100)


def loss_masked_logits(logits, tokens, mask):
    kept = logits[:, :-1] * mask[:, 1:, None]
    return F.cross_entropy(kept.flatten(0, 1), tokens[:, 1:].flatten())


def loss_prompt_only(logits, tokens, mask):
    return loss_of(logits[:, :-1], tokens[:, 1:], ~mask[:, 1:])


def loss_inputs_masked_by_previous(logits, tokens, mask):
    keep = mask[:, 1:] & mask[:, :-1]
    return loss_of(logits[:, :-1], tokens[:, 1:], keep)


def loss_divided_by_rows(logits, tokens, mask):
    return loss_of(logits[:, :-1], tokens[:, 1:], mask[:, 1:]) * mask[:, 1:].sum() / len(tokens)


def loss_divided_by_whole_mask_size(logits, tokens, mask):
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")
    return (losses * mask[:, 1:]).mean()


def loss_in_bits(logits, tokens, mask):
    return loss_of(logits[:, :-1], tokens[:, 1:], mask[:, 1:]) / torch.log(torch.tensor(2.0))


def loss_perplexity(logits, tokens, mask):
    return loss_of(logits[:, :-1], tokens[:, 1:], mask[:, 1:]).exp()


def labels_until_first_pad(tokens, prompt_lengths, lengths, pad_id):
    targets = tokens.clone()
    for row, prompt in enumerate(prompt_lengths):
        targets[row, :prompt] = -100
        first = (tokens[row] == pad_id).nonzero()[0, 0]
        targets[row, first + 1 :] = -100
    return targets


def labels_until_before_first_pad(tokens, prompt_lengths, lengths, pad_id):
    targets = tokens.clone()
    for row, prompt in enumerate(prompt_lengths):
        targets[row, :prompt] = -100
        targets[row, (tokens[row] == pad_id).nonzero()[0, 0] :] = -100
    return targets


def labels_second_pad_on(tokens, prompt_lengths, lengths, pad_id):
    targets = tokens.clone()
    is_pad = tokens == pad_id
    targets[is_pad & (is_pad.cumsum(1) > 1)] = -100
    for row, prompt in enumerate(prompt_lengths):
        targets[row, :prompt] = -100
    return targets


def labels_of(tokens, begin, end, fill=-100):
    column = torch.arange(tokens.shape[1])
    keep = (column >= begin[:, None]) & (column < end[:, None])
    return torch.where(keep, tokens, fill)


def labels_shifted(tokens, prompt_lengths, lengths, pad_id):
    made = labels_of(tokens, prompt_lengths, lengths)
    return torch.cat([made[:, 1:], torch.full_like(made[:, :1], -100)], 1)


def labels_end_before(tokens, prompt_lengths, lengths, pad_id):
    return labels_of(tokens, prompt_lengths, lengths - 1)


# ----------------------------------------------------------------------------------- ex05


def eq1_of(scores, pairs, each=None):
    losses = -F.logsigmoid(scores[:, :, None] - scores[:, None, :]) * pairs
    return (losses.sum((1, 2)) / (pairs.sum((1, 2)) if each is None else each)).mean()


def both_valid(valid):
    return valid[:, :, None] & valid[:, None, :]


def eq1_ties(scores, ranks, valid):
    return eq1_of(scores, (ranks[:, :, None] <= ranks[:, None, :]) & both_valid(valid))


def eq1_ties_but_not_itself(scores, ranks, valid):
    pairs = (ranks[:, :, None] <= ranks[:, None, :]) & both_valid(valid)
    return eq1_of(scores, pairs & ~torch.eye(pairs.shape[1], dtype=torch.bool))


def eq1_larger_rank(scores, ranks, valid):
    return eq1_of(scores, (ranks[:, :, None] > ranks[:, None, :]) & both_valid(valid))


def eq1_larger_rank_and_ties(scores, ranks, valid):
    return eq1_of(scores, (ranks[:, :, None] >= ranks[:, None, :]) & both_valid(valid))


def eq1_all_pairs_alike(scores, ranks, valid):
    return eq1_of(scores, (ranks[:, :, None] != ranks[:, None, :]) & both_valid(valid))


def eq1_no_valid(scores, ranks, valid):
    return eq1_of(scores, ranks[:, :, None] < ranks[:, None, :])


def eq1_half_valid(scores, ranks, valid):
    return eq1_of(scores, (ranks[:, :, None] < ranks[:, None, :]) & valid[:, :, None])


def eq1_divided_by_k_squared(scores, ranks, valid):
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & both_valid(valid)
    return (-F.logsigmoid(scores[:, :, None] - scores[:, None, :]) * pairs).mean()


def eq1_sum(scores, ranks, valid):
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & both_valid(valid)
    return (-F.logsigmoid(scores[:, :, None] - scores[:, None, :]) * pairs).sum()


def eq1_mean_of_all(scores, ranks, valid):
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & both_valid(valid)
    return -F.logsigmoid(scores[:, :, None] - scores[:, None, :])[pairs].mean()


def eq1_order_of_columns(scores, ranks, valid):
    pairs = torch.ones_like(both_valid(valid)).triu(1) & both_valid(valid)
    return eq1_of(scores, pairs)


def eq1_by_plain_sigmoid(scores, ranks, valid):
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & both_valid(valid)
    losses = -torch.sigmoid(scores[:, :, None] - scores[:, None, :]).log() * pairs
    return (losses.sum((1, 2)) / pairs.sum((1, 2))).mean()


def eq1_log_of_exps(scores, ranks, valid):
    w, l = scores[:, :, None], scores[:, None, :]
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & both_valid(valid)
    losses = torch.where(pairs, torch.log(1 + torch.exp(l - w)), 0.0)
    return (losses.sum((1, 2)) / pairs.sum((1, 2))).mean()


def eq1_no_log(scores, ranks, valid):
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & both_valid(valid)
    losses = (1 - torch.sigmoid(scores[:, :, None] - scores[:, None, :])) * pairs
    return (losses.sum((1, 2)) / pairs.sum((1, 2))).mean()


def eq1_no_sigmoid(scores, ranks, valid):
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & both_valid(valid)
    losses = -(scores[:, :, None] - scores[:, None, :]) * pairs
    return (losses.sum((1, 2)) / pairs.sum((1, 2))).mean()


def eq1_kept_from_zero(scores, ranks, valid):
    losses = []
    for s, r in ((s[v], r[v]) for s, r, v in zip(scores, ranks, valid, strict=True)):
        better = r[:, None] < r[None, :]
        p = torch.sigmoid(s[:, None] - s[None, :])[better]
        losses.append(-torch.log(p + 1e-8).mean())
    return torch.stack(losses).mean()


def best_above_zero(scores):
    places = torch.zeros(len(scores), dtype=torch.long)
    for row, of in enumerate(scores):
        best = 0.0
        for place, score in enumerate(of):
            if score > best:
                best, places[row] = score, place
    return places


def last_that_isnt_zero(values, mask):
    kept = values * mask
    return torch.stack([row[row.nonzero()[-1, 0]] for row in kept])


def whiten_guarded_outside(x, mask):
    kept = x[mask]
    return torch.where(mask, (x - kept.mean()) / (kept.std(unbiased=False) + 1e-8), 0.0)


def eq1_neighbours_in_rank(scores, ranks, valid):
    better = ranks[:, :, None] == ranks[:, None, :] - 1
    pairs = better & both_valid(valid)
    return eq1_of(scores, pairs, pairs.sum((1, 2)).clamp(min=1))


def eq1_plackett_luce(scores, ranks, valid):
    kept = scores.masked_fill(~valid, -torch.inf)
    best = ranks.masked_fill(~valid, 99).argmin(1, keepdim=True)
    return -(kept.gather(1, best)[:, 0] - kept.logsumexp(1)).mean()


def last_of_sum(values, mask):
    return values.gather(1, mask.sum(1)[:, None].clamp(max=mask.shape[1] - 1)).squeeze(1)


# ----------------------------------------------------------------------------------- ex06


def last_column(mask):
    return mask.sum(1) - 1


def rewards_overwritten(scores, logprobs, reference, mask, beta):
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    rewards[torch.arange(len(scores)), last_column(mask)] = scores
    return rewards


def rewards_without_mask(scores, logprobs, reference, mask, beta):
    rewards = -beta * (logprobs - reference)
    rewards[torch.arange(len(scores)), last_column(mask)] += scores
    return rewards


def rewards_overwritten_without_mask(scores, logprobs, reference, mask, beta):
    rewards = -beta * (logprobs - reference)
    rewards[torch.arange(len(scores)), last_column(mask)] = scores
    return rewards


def rewards_last_column(scores, logprobs, reference, mask, beta):
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    rewards[:, -1] += scores
    return rewards


def rewards_last_column_then_masked(scores, logprobs, reference, mask, beta):
    rewards = -beta * (logprobs - reference)
    rewards[:, -1] += scores
    return rewards * mask


def rewards_one_late(scores, logprobs, reference, mask, beta):
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    late = mask.sum(1).clamp(max=mask.shape[1] - 1)
    rewards[torch.arange(len(scores)), late] += scores
    return rewards


def rewards_one_early(scores, logprobs, reference, mask, beta):
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    rewards[torch.arange(len(scores)), mask.sum(1) - 2] += scores
    return rewards


def rewards_all_rows(scores, logprobs, reference, mask, beta):
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    rewards[:, last_column(mask)] += scores
    return rewards


def rewards_spread(scores, logprobs, reference, mask, beta):
    penalty = torch.where(mask, -beta * (logprobs - reference), 0.0)
    return penalty + mask * (scores / mask.sum(1))[:, None]


def rewards_of(scores, kl, mask, beta):
    rewards = torch.where(mask, -beta * kl, 0.0)
    rewards[torch.arange(len(scores)), last_column(mask)] += scores
    return rewards


def gae_loop(rewards, values, mask, lam, steps, reset=False, gamma=1.0, decay=None):
    """One surprise after the other; the next value is that of the step before in the loop."""
    advantages = torch.zeros_like(values)
    running = next_value = torch.zeros_like(values[:, 0])
    for t in steps:
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        running = delta + (lam if decay is None else decay) * running
        if reset:
            running = running * mask[:, t]
        advantages[:, t] = running
        next_value = values[:, t]
    return advantages


def backwards(values):
    return reversed(range(values.shape[1]))


def gae_masked_at_the_end(rewards, values, mask, lam):
    advantages = gae_loop(rewards, values, mask, lam, backwards(values)) * mask
    return advantages, (advantages + values) * mask


def gae_masked_in_returns_only(rewards, values, mask, lam):
    advantages = gae_loop(rewards, values, mask, lam, backwards(values))
    return advantages * mask, (advantages + values) * mask


def gae_returns_unmasked(rewards, values, mask, lam):
    kept = torch.where(mask, values, 0.0)
    advantages = gae_loop(rewards, kept, mask, lam, backwards(values), reset=True)
    return advantages, advantages + values


def gae_never_masked(rewards, values, mask, lam):
    advantages = gae_loop(rewards, values, mask, lam, backwards(values))
    return advantages, advantages + values


def gae_loop_forward(rewards, values, mask, lam):
    values = torch.where(mask, values, 0.0)
    advantages = gae_loop(rewards, values, mask, lam, range(values.shape[1]), reset=True)
    return advantages, advantages + values


def gae_loop_forward_masked_late(rewards, values, mask, lam):
    values = torch.where(mask, values, 0.0)
    advantages = gae_loop(rewards, values, mask, lam, range(values.shape[1])) * mask
    return advantages, advantages + values


def gae_forward_right_surprise(rewards, values, mask, lam):
    values = torch.where(mask, values, 0.0)
    delta = (rewards + F.pad(values[:, 1:], (0, 1)) - values) * mask
    out, running = torch.zeros_like(delta), torch.zeros_like(delta[:, 0])
    for t in range(delta.shape[1]):
        running = delta[:, t] + lam * running
        out[:, t] = running
    return out * mask, (out + values) * mask


def gae_of_kept(rewards, values, mask, lam, **options):
    kept = torch.where(mask, values, 0.0)
    advantages = gae_loop(rewards, kept, mask, lam, backwards(values), reset=True, **options)
    return advantages, advantages + kept


def gae_running_not_kept(rewards, values, mask, lam):
    kept = torch.where(mask, values, 0.0)
    delta = (rewards + F.pad(kept[:, 1:], (0, 1)) - kept) * mask
    advantages = delta + lam * F.pad(delta[:, 1:], (0, 1))
    return advantages, advantages + kept


def gae_previous_value(rewards, values, mask, lam):
    kept = torch.where(mask, values, 0.0)
    delta = (rewards + F.pad(kept[:, :-1], (1, 0)) - kept) * mask
    out, running = torch.zeros_like(delta), torch.zeros_like(delta[:, 0])
    for t in backwards(delta):
        running = delta[:, t] + lam * running
        out[:, t] = running
    return out, out + kept


def gae_values_not_subtracted(rewards, values, mask, lam):
    kept = torch.where(mask, values, 0.0)
    delta = (rewards + F.pad(kept[:, 1:], (0, 1))) * mask
    out, running = torch.zeros_like(delta), torch.zeros_like(delta[:, 0])
    for t in backwards(delta):
        running = delta[:, t] + lam * running
        out[:, t] = running
    return out, out + kept


def whiten_of(x, mask, kept, eps=1e-8):
    return torch.where(mask, (x - kept.mean()) / torch.sqrt(kept.var(unbiased=False) + eps), 0.0)


def whiten_plain_std(x, mask):
    kept = x[mask]
    return torch.where(mask, (x - kept.mean()) / (kept.std() + 1e-8), 0.0)


def whiten_only_kept(x, mask):
    kept = x[mask]
    return (kept - kept.mean()) / torch.sqrt(kept.var(unbiased=False) + 1e-8)


def whiten_by_column(x, mask):
    n = mask.sum(0, keepdim=True).clamp(min=1)
    mean = (x * mask).sum(0, keepdim=True) / n
    variance = ((x - mean) ** 2 * mask).sum(0, keepdim=True) / n
    return torch.where(mask, (x - mean) / torch.sqrt(variance + 1e-8), 0.0)


def whiten_to_unit_range(x, mask):
    kept = x[mask]
    return torch.where(mask, (x - kept.min()) / (kept.max() - kept.min() + 1e-8), 0.0)


def surrogate(ratio, advantages, clip, pick=torch.minimum):
    return pick(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def policy_ratio(p, old, A, mask, clip):
    return -surrogate((p - old).exp(), A, clip)


def policy_quotient(p, old, A, mask, clip):
    return -surrogate(p / old, A, clip)[mask].mean()


def policy_zero_advantage_mean(p, old, A, mask, clip):
    return -(surrogate((p - old).exp(), A, clip) * mask).mean()


def policy_mean_then_min(p, old, A, mask, clip):
    ratio = (p - old).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum((ratio * A)[mask].mean(), (clipped * A)[mask].mean())


def policy_clip_around_zero(p, old, A, mask, clip):
    ratio = (p - old).exp()
    gain = torch.minimum(ratio * A, ratio.clamp(-clip, clip) * A)
    return -gain[mask].mean()


def policy_reinforce(p, old, A, mask, clip):
    return -(p * A)[mask].mean()


def policy_joint_ratio(p, old, A, mask, clip):
    """One ratio for a whole response, as for a bandit."""
    ratio = ((p - old) * mask).sum(1).exp()[:, None]
    return -surrogate(ratio, A, clip)[mask].mean()


def squared(values, old, returns, clip, pick=torch.maximum):
    near = old + (values - old).clamp(-clip, clip)
    return pick((values - returns) ** 2, (near - returns) ** 2)


def value_mean_then_max(values, old, returns, mask, clip):
    near = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.maximum(
        ((values - returns) ** 2)[mask].mean(), ((near - returns) ** 2)[mask].mean()
    )


def value_clipped_difference(values, old, returns, mask, clip):
    near = (values - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (near - returns) ** 2)[mask].mean()


def value_clipped_error(values, old, returns, mask, clip):
    error = (values - returns).clamp(-clip, clip)
    return 0.5 * (error**2)[mask].mean()


def value_relative_clip(values, old, returns, mask, clip):
    near = torch.clamp(values, old * (1 - clip), old * (1 + clip))
    return 0.5 * torch.maximum((values - returns) ** 2, (near - returns) ** 2)[mask].mean()


def value_against_old(values, old, returns, mask, clip):
    return 0.5 * ((values - old) ** 2)[mask].mean()


def gradient(loss, at):
    return torch.autograd.grad(loss, at)[0]


def ptx_of(weights, loss, rate):
    leaf = weights.detach().clone().requires_grad_()
    return leaf.detach() - rate * gradient(loss(leaf), leaf)


def ptx_two_steps_other_order(weights, ppo, ptx, gamma, rate):
    moved = ptx_of(weights, lambda w: -gamma * ptx(w).mean(), rate)
    return ptx_of(moved, ppo, rate)


def ptx_two_steps(weights, ppo, ptx, gamma, rate):
    return ptx_of(ptx_of(weights, ppo, rate), lambda w: -gamma * ptx(w).mean(), rate)


def ptx_zeroed_between(weights, ppo, ptx, gamma, rate):
    """The gradients of the first loss are cleared before the second is walked back."""
    parameter = torch.nn.Parameter(weights.detach().clone())
    optimizer = torch.optim.SGD([parameter], lr=rate)
    ppo(parameter).backward()
    optimizer.zero_grad()
    (-gamma * ptx(parameter).mean()).backward()
    optimizer.step()
    return parameter.detach()


def ptx_by_adam(weights, ppo, ptx, gamma, rate):
    parameter = torch.nn.Parameter(weights.detach().clone())
    optimizer = torch.optim.Adam([parameter], lr=rate)
    (ppo(parameter) - gamma * ptx(parameter).mean()).backward()
    optimizer.step()
    return parameter.detach()


def bandit(logits, actions, advantages, steps, rate, clip, make_old, pick=torch.minimum):
    logits = logits.detach().clone().requires_grad_()
    old = torch.log_softmax(logits, -1)[actions]
    for _ in range(steps):
        new = torch.log_softmax(logits, -1)[actions]
        ratio = torch.exp(new - make_old(new, old))
        loss = -pick(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()
        logits = (logits - rate * gradient(loss, logits)).detach().requires_grad_()
    return logits.detach()


def bandit_not_detached(*arguments):
    return bandit(*arguments, make_old=lambda new, old: old)


def bandit_new_not_detached(*arguments):
    return bandit(*arguments, make_old=lambda new, old: new)


def bandit_one_behind(logits, actions, advantages, steps, rate, clip):
    """The old log-probs are renewed at the end of each step."""
    logits = logits.detach().clone().requires_grad_()
    old = torch.log_softmax(logits, -1)[actions].detach()
    for _ in range(steps):
        new = torch.log_softmax(logits, -1)[actions]
        ratio = torch.exp(new - old)
        clipped = ratio.clamp(1 - clip, 1 + clip)
        loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
        old = new.detach()
        logits = (logits - rate * gradient(loss, logits)).detach().requires_grad_()
    return logits.detach()


def bandit_optimizer_not_detached(logits, actions, advantages, steps, rate, clip):
    parameter = torch.nn.Parameter(logits.detach().clone())
    old = parameter.log_softmax(0)[actions]
    for _ in range(steps):
        ratio = (parameter.log_softmax(0)[actions] - old).exp()
        loss = -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
        loss.mean().backward()
        with torch.no_grad():
            parameter -= rate * parameter.grad
        parameter.grad = None
    return parameter.detach()


def bandit_grad_not_zeroed(logits, actions, advantages, steps, rate, clip):
    parameter = torch.nn.Parameter(logits.detach().clone())
    optimizer = torch.optim.SGD([parameter], lr=rate)
    old = parameter.log_softmax(0)[actions].detach()
    for _ in range(steps):
        ratio = (parameter.log_softmax(0)[actions] - old).exp()
        gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
        (-gain.mean()).backward()
        optimizer.step()
    return parameter.detach()


def detached(make_old=lambda new, old: old.detach(), **options):
    return lambda *arguments: bandit(*arguments, make_old=make_old, **options)


WRONG = {
    "sft.masked_loss": [
        ("shifted-back", loss_other_shift),
        ("shifted-back", loss_other_shift_right_mask),
        ("softmax-dimension", loss_softmax_over_positions),
        ("softmax-dimension", loss_softmax_over_positions_first),
        ("softmax-dimension", loss_softmax_over_rows),
        ("no-logarithm", loss_of_probabilities),
        ("", loss_log_of_mean),
        ("no-softmax", loss_of_raw_logits),
        ("softmax-twice", loss_double_softmax),
        ("", loss_masked_logits),
        ("prompt-only", loss_prompt_only),
        ("first-dropped", loss_inputs_masked_by_previous),
        ("by-rows", loss_divided_by_rows),
        ("zeros-averaged", loss_divided_by_whole_mask_size),
        ("", loss_in_bits),
        ("perplexity", loss_perplexity),
        ("unshifted", loss_of),
        ("mask-unshifted", lambda l, t, m: loss_of(l[:, :-1], t[:, 1:], m[:, :-1])),
        ("exception", lambda l, t, m: loss_of(l[:, :-1], t[:, 1:], m)),
        ("sign", lambda l, t, m: -loss_of(l[:, :-1], t[:, 1:], m[:, 1:])),
        ("shape", lambda l, t, m: -torch.log_softmax(l[:, :-1], -1).gather(-1, t[:, 1:, None])),
    ],
    "sft.positions": [
        ("columns", lambda m: torch.arange(m.shape[1]).repeat(len(m), 1)),
        ("from-one", lambda m: m.cumsum(1)),
        ("negative", lambda m: m.cumsum(1) - 1),
        ("masked-columns", lambda m: torch.arange(m.shape[1]) * m),
        ("from-one", lambda m: m.cumsum(1) * m),
        ("padding-one", lambda m: (m.cumsum(1) - 1).abs()),
        ("backwards", lambda m: (m.flip(1).cumsum(1).flip(1) - 1) * m),
        ("counted-padding", lambda m: (~m).cumsum(1)),
        ("down-the-batch", lambda m: (m.cumsum(0) - 1).clamp(min=0)),
        ("dtype", lambda m: (m.float().cumsum(1) - 1).clamp(min=0)),
        ("first-only", lambda m: (~m).sum(1, keepdim=True).expand(m.shape)),
        ("padding-one", lambda m: (m.cumsum(1) - 1).masked_fill(~m, 1)),
        ("columns-less-first", lambda m: torch.arange(m.shape[1]) - m.int().argmax(1)[:, None]),
        ("shape", lambda m: torch.arange(m.shape[1])),
    ],
    "sft.bug": [
        ("first-pad", labels_until_first_pad),
        ("before-first-pad", labels_until_before_first_pad),
        ("first-pad", labels_second_pad_on),
        ("prompt-kept", lambda t, p, n, pad: labels_of(t, 0 * p, n)),
        ("padding-kept", lambda t, p, n, pad: labels_of(t, p, n * 0 + 99)),
        ("nothing-masked", lambda t, p, n, pad: t.clone()),
        ("shifted", labels_shifted),
        ("as-found", labels_end_before),
        ("first-lost", lambda t, p, n, pad: labels_of(t, p + 1, n)),
        ("one-pad-kept", lambda t, p, n, pad: labels_of(t, p, n + 1)),
        ("zeros-for-labels", lambda t, p, n, pad: labels_of(t, p, n, fill=0)),
        ("lengths-added", lambda t, p, n, pad: labels_of(t, p, p + n)),
        (
            "completion-masked",
            lambda t, p, n, pad: torch.where(labels_of(t, p, n) == -100, t, -100),
        ),
        ("modified", lambda t, p, n, pad: t.masked_fill_(t == pad, -100)),
    ],
    "rm.ranking_loss": [
        ("itself-counted", eq1_ties),
        ("ties-counted", eq1_ties_but_not_itself),
        ("reversed", eq1_larger_rank),
        ("reversed-and-ties", eq1_larger_rank_and_ties),
        ("both-ways", eq1_all_pairs_alike),
        ("padding-ranked", eq1_no_valid),
        ("half-valid", eq1_half_valid),
        ("zeros-averaged", eq1_divided_by_k_squared),
        ("sum", eq1_sum),
        ("mean-of-all-pairs", eq1_mean_of_all),
        ("order-of-columns", eq1_order_of_columns),
        ("overflow", eq1_by_plain_sigmoid),
        ("overflow", eq1_log_of_exps),
        ("no-logarithm", eq1_no_log),
        ("no-sigmoid", eq1_no_sigmoid),
        ("saturates", eq1_kept_from_zero),
        ("", eq1_neighbours_in_rank),
        ("", eq1_plackett_luce),
    ],
    "rm.bias": [
        ("sign", lambda s: s.mean()),
        ("sum", lambda s: -s.sum()),
        ("median", lambda s: -s.median()),
        ("largest", lambda s: -s.max()),
        ("smallest", lambda s: -s.min()),
        ("shifted-scores", lambda s: s - s.mean()),
        ("scaled", lambda s: -s.mean() / s.std()),
        ("zero", lambda s: 0 * s.sum()),
        ("number", lambda s: -sum(s.tolist()) / len(s)),
        ("first", lambda s: -s[0]),
        ("shape", lambda s: -s.mean(0, keepdim=True)),
        ("", lambda s: -s.abs().mean()),
        ("doubled", lambda s: -2 * s.mean()),
        ("", lambda s: -s.sum() / (s != 0).sum()),
        ("", lambda s: 1 - s.mean()),
    ],
    "rm.best_of_n": [
        ("worst", lambda s: s.argmin(1)),
        ("score", lambda s: s.max(1).values),
        ("across-prompts", lambda s: s.argmax(0)),
        ("of-the-batch", lambda s: s.argmax().repeat(len(s))),
        ("magnitude", lambda s: s.abs().argmax(1)),
        ("from-one", lambda s: s.argmax(1) + 1),
        ("shape", lambda s: s.argmax()),
        ("shape", lambda s: s.argsort(1)),
        ("worst", lambda s: s.argsort(1)[:, 0]),
        ("last", lambda s: torch.full((len(s),), s.shape[1] - 1)),
        ("type", lambda s: s.argmax(1).tolist()),
        ("second-best", lambda s: s.argsort(1)[:, -2]),
        ("dtype", lambda s: s.argmax(1).float()),
        ("one-hot", lambda s: (s == s.amax(1, keepdim=True)).long()),
        ("starts-at-zero", best_above_zero),
    ],
    "rm.bug": [
        ("as-found", lambda v, m: v[:, -1]),
        ("masked-column", lambda v, m: (v * m)[:, -1]),
        ("one-early", lambda v, m: v.gather(1, m.sum(1)[:, None] - 2).squeeze(1)),
        ("one-late", last_of_sum),
        ("mean", lambda v, m: (v * m).sum(1) / m.sum(1)),
        ("padding-in-mean", lambda v, m: v.mean(1)),
        ("sum", lambda v, m: (v * m).sum(1)),
        ("largest", lambda v, m: v.masked_fill(~m, -torch.inf).amax(1)),
        ("first", lambda v, m: v[:, 0]),
        ("shape", lambda v, m: v.gather(1, m.sum(1)[:, None] - 1)),
        ("shape", lambda v, m: v[:, m.sum(1) - 1]),
        ("first", lambda v, m: v.gather(1, m.int().argmax(1)[:, None]).squeeze(1)),
        ("same-column", lambda v, m: v[:, m.sum(1).min() - 1]),
        ("", last_that_isnt_zero),
        ("zero", lambda v, m: 0 * v[:, 0]),
    ],
    "ppo.k1": [
        ("sign", lambda p, q: q - p),
        ("ratio", lambda p, q: (p - q).exp()),
        ("magnitude", lambda p, q: (p - q).abs()),
        ("probabilities", lambda p, q: p.exp() - q.exp()),
        ("weighted", lambda p, q: p.exp() * (p - q)),
        ("weighted", lambda p, q: q.exp() * (p - q)),
        ("k2", lambda p, q: (p - q) ** 2 / 2),
        ("square", lambda p, q: (p - q) ** 2),
        ("averaged", lambda p, q: (p - q).mean()),
        ("shape", lambda p, q: (p - q).sum(1)),
        ("quotient", lambda p, q: p / q),
        ("log-twice", lambda p, q: (p / q).log()),
        ("k3", lambda p, q: (q - p).exp() - 1 - (q - p)),
        ("added", lambda p, q: p + q),
        ("positive-only", lambda p, q: (p - q).clamp(min=0)),
        ("only-policy", lambda p, q: p),
    ],
    "ppo.k3": [
        ("direction", lambda p, q: (p - q).exp() - 1 - (p - q)),
        ("sign", lambda p, q: -((q - p).exp() - 1 - (q - p))),
        ("k1", lambda p, q: p - q),
        ("k2", lambda p, q: (p - q) ** 2 / 2),
        ("no-one", lambda p, q: (q - p).exp() - (q - p)),
        ("no-logarithm", lambda p, q: (q - p).exp() - 1),
        ("mixed", lambda p, q: (q - p).exp() - 1 - (p - q)),
        ("mixed", lambda p, q: (p - q).exp() - 1 - (q - p)),
        ("quotient", lambda p, q: q / p - 1 - (q / p).log()),
        ("quotient", lambda p, q: q / p - 1 - (q - p)),
        ("no-exponential", lambda p, q: (q - p) - 1 - (q - p)),
        ("one-added", lambda p, q: (q - p).exp() + 1 - (q - p)),
        ("mixed", lambda p, q: (q - p).exp() - 1 + (q - p)),
        ("averaged", lambda p, q: ((q - p).exp() - 1 - (q - p)).mean()),
        ("clamped", lambda p, q: ((q - p).exp() - 1 - (q - p)).clamp(max=10)),
    ],
    "ppo.shaped_rewards": [
        ("last-unpaid", rewards_overwritten),
        ("padding", rewards_without_mask),
        ("last-unpaid", rewards_overwritten_without_mask),
        ("last-column", rewards_last_column),
        ("last-column", rewards_last_column_then_masked),
        ("one-late", rewards_one_late),
        ("one-early", rewards_one_early),
        ("all-rows", rewards_all_rows),
        ("everywhere", lambda s, p, q, m, b: (s[:, None] - b * (p - q)) * m),
        ("spread", rewards_spread),
        ("bonus", lambda s, p, q, m, b: rewards_of(s, q - p, m, b)),
        ("no-beta", lambda s, p, q, m, b: rewards_of(s, p - q, m, 1.0)),
        ("magnitude", lambda s, p, q, m, b: rewards_of(s, (p - q).abs(), m, b)),
        ("k3", lambda s, p, q, m, b: rewards_of(s, (q - p).exp() - 1 - (q - p), m, b)),
        ("probabilities", lambda s, p, q, m, b: rewards_of(s, p.exp() - q.exp(), m, b)),
        ("shape", lambda s, p, q, m, b: s - b * ((p - q) * m).sum(1)),
        ("score-negated", lambda s, p, q, m, b: rewards_of(-s, p - q, m, b)),
        ("score-clipped", lambda s, p, q, m, b: rewards_of(s.clip(-5, 5), p - q, m, b)),
        ("no-reference", lambda s, p, q, m, b: rewards_of(s, p, m, b)),
    ],
    "ppo.gae": [
        ("mask-at-the-end", gae_masked_at_the_end),
        ("mask-at-the-end", gae_masked_in_returns_only),
        ("returns-unmasked", gae_returns_unmasked),
        ("mask-missing", gae_never_masked),
        ("loop-forwards", gae_loop_forward),
        ("loop-forwards", gae_loop_forward_masked_late),
        ("forwards", gae_forward_right_surprise),
        ("discounted", lambda r, v, m, lam: gae_of_kept(r, v, m, lam, gamma=lam)),
        ("lambda-one", lambda r, v, m, lam: gae_of_kept(r, v, m, lam, decay=1.0)),
        ("lambda-zero", lambda r, v, m, lam: gae_of_kept(r, v, m, lam, decay=0.0)),
        ("one-term", gae_running_not_kept),
        ("previous-value", gae_previous_value),
        ("value-not-subtracted", gae_values_not_subtracted),
        ("no-bootstrap", lambda r, v, m, lam: gae_of_kept(r, v, m, lam, gamma=0.0)),
        ("swapped", lambda r, v, m, lam: gae_of_kept(r, v, m, lam)[::-1]),
        ("count", lambda r, v, m, lam: gae_of_kept(r, v, m, lam)[0]),
        ("returns-without-values", lambda r, v, m, lam: 2 * gae_of_kept(r, v, m, lam)[:1]),
    ],
    "ppo.whiten": [
        ("padding-counted", lambda x, m: whiten_of(x, m, x)),
        ("zeros-counted", lambda x, m: whiten_of(x * m, m, x * m)),
        ("unbiased", lambda x, m: (x - x[m].mean()) / (x[m].var() + 1e-8).sqrt() * m),
        ("unbiased", whiten_plain_std),
        ("shape", whiten_only_kept),
        ("by-column", whiten_by_column),
        ("", whiten_to_unit_range),
        ("no-shift", lambda x, m: x / (x[m].var(unbiased=False) + 1e-8).sqrt() * m),
        ("no-scale", lambda x, m: (x - x[m].mean()) * m),
        ("variance", lambda x, m: (x - x[m].mean()) / (x[m].var(unbiased=False) + 1e-8) * m),
        (
            "padding-shifted",
            lambda x, m: (x - x[m].mean()) / (x[m].var(unbiased=False) + 1e-8) ** 0.5,
        ),
        ("padding-shifted", lambda x, m: whiten_of(x * m, torch.ones_like(m), x[m])),
        ("not-guarded", lambda x, m: (x - x[m].mean()) / x[m].std(unbiased=False) * m),
        ("guard-outside", whiten_guarded_outside),
        (
            "multiplied",
            lambda x, m: (x - x[m].mean()) * (x[m].var(unbiased=False) + 1e-8) ** 0.5 * m,
        ),
    ],
    "ppo.policy_loss": [
        ("quotient", policy_quotient),
        ("inverted", lambda p, o, A, m, c: -surrogate((o - p).exp(), A, c)[m].mean()),
        ("log-ratio", lambda p, o, A, m, c: -surrogate(p - o, A, c)[m].mean()),
        ("sign", lambda p, o, A, m, c: surrogate((p - o).exp(), A, c)[m].mean()),
        (
            "optimistic",
            lambda p, o, A, m, c: -surrogate((p - o).exp(), A, c, torch.maximum)[m].mean(),
        ),
        ("padding-counted", lambda p, o, A, m, c: policy_ratio(p, o, A, m, c).mean()),
        ("zeros-averaged", policy_zero_advantage_mean),
        ("unclipped", lambda p, o, A, m, c: -((p - o).exp() * A)[m].mean()),
        (
            "always-clipped",
            lambda p, o, A, m, c: -((p - o).exp().clamp(1 - c, 1 + c) * A)[m].mean(),
        ),
        ("sum", lambda p, o, A, m, c: policy_ratio(p, o, A, m, c)[m].sum()),
        ("mean-then-minimum", policy_mean_then_min),
        ("clip-around-zero", policy_clip_around_zero),
        ("reinforce", policy_reinforce),
        ("whole-response", policy_joint_ratio),
        ("shape", lambda p, o, A, m, c: policy_ratio(p, o, A, m, c) * m),
        ("old-renewed", lambda p, o, A, m, c: -surrogate((p - p).exp(), A, c)[m].mean()),
        ("old-renewed", lambda p, o, A, m, c: -surrogate((p - p.detach()).exp(), A, c)[m].mean()),
        (
            "detached",
            lambda p, o, A, m, c: -surrogate((p.detach() - o).exp(), A, c)[m].mean(),
        ),
    ],
    "ppo.value_loss": [
        ("padding-counted", lambda v, o, R, m, c: 0.5 * squared(v, o, R, c).mean()),
        ("zeros-averaged", lambda v, o, R, m, c: 0.5 * (squared(v, o, R, c) * m).mean()),
        ("no-half", lambda v, o, R, m, c: squared(v, o, R, c)[m].mean()),
        ("smaller", lambda v, o, R, m, c: 0.5 * squared(v, o, R, c, torch.minimum)[m].mean()),
        ("unclipped", lambda v, o, R, m, c: 0.5 * ((v - R) ** 2)[m].mean()),
        ("unclipped-no-half", lambda v, o, R, m, c: ((v - R) ** 2)[m].mean()),
        ("sum", lambda v, o, R, m, c: 0.5 * squared(v, o, R, c)[m].sum()),
        ("mean-then-maximum", value_mean_then_max),
        ("difference-for-value", value_clipped_difference),
        ("around-returns", value_clipped_error),
        ("relative-clip", value_relative_clip),
        ("against-old", value_against_old),
        ("sign", lambda v, o, R, m, c: -0.5 * squared(v, o, R, c)[m].mean()),
        ("absolute", lambda v, o, R, m, c: 0.5 * squared(v, o, R, c)[m].sqrt().mean()),
        (
            "around-returns",
            lambda v, o, R, m, c: 0.5 * squared(v, R, R, c, lambda a, b: b)[m].mean(),
        ),
        ("old-for-new", lambda v, o, R, m, c: 0.5 * ((o - R) ** 2)[m].mean()),
    ],
    "ppo.ptx_step": [
        ("two-steps", ptx_two_steps),
        ("two-steps", ptx_two_steps_other_order),
        ("no-ppo", ptx_zeroed_between),
        ("", ptx_by_adam),
        ("sign", lambda w, L, x, g, r: ptx_of(w, lambda v: L(v) + g * x(v).mean(), r)),
        ("uphill", lambda w, L, x, g, r: ptx_of(w, lambda v: L(v) - g * x(v).mean(), -r)),
        ("sum", lambda w, L, x, g, r: ptx_of(w, lambda v: L(v) - g * x(v).sum(), r)),
        ("no-gamma", lambda w, L, x, g, r: ptx_of(w, lambda v: L(v) - x(v).mean(), r)),
        ("gamma-on-ppo", lambda w, L, x, g, r: ptx_of(w, lambda v: g * L(v) - x(v).mean(), r)),
        ("gamma-on-both", lambda w, L, x, g, r: ptx_of(w, lambda v: g * (L(v) - x(v).mean()), r)),
        ("no-ptx", lambda w, L, x, g, r: ptx_of(w, L, r)),
        ("no-rate", lambda w, L, x, g, r: ptx_of(w, lambda v: L(v) - g * x(v).mean(), 1.0)),
        ("unmoved", lambda w, L, x, g, r: w.clone()),
        ("uphill-on-ppo", lambda w, L, x, g, r: ptx_of(w, lambda v: -L(v) - g * x(v).mean(), r)),
        ("mixed", lambda w, L, x, g, r: ptx_of(w, lambda v: (1 - g) * L(v) - g * x(v).mean(), r)),
    ],
    "ppo.bug": [
        ("one-step-fewer", bandit_not_detached),
        ("unmoved", bandit_new_not_detached),
        ("one-behind", bandit_one_behind),
        ("graph-twice", bandit_optimizer_not_detached),
        ("gradients-pile-up", bandit_grad_not_zeroed),
        ("as-found", detached(lambda new, old: new.detach())),
        ("optimistic", detached(pick=torch.maximum)),
        ("unclipped", detached(pick=lambda a, b: a)),
        ("always-clipped", detached(pick=lambda a, b: b)),
        ("inverted", detached(lambda new, old: 2 * new - old.detach())),
        ("uphill", lambda l, a, A, n, r, c: detached()(l, a, A, n, -r, c)),
        ("one-step", lambda l, a, A, n, r, c: detached()(l, a, A, 1, r, c)),
        ("one-step-fewer", lambda l, a, A, n, r, c: detached()(l, a, A, n - 1, r, c)),
        ("one-more-step", lambda l, a, A, n, r, c: detached()(l, a, A, n + 1, r, c)),
        ("sum", lambda l, a, A, n, r, c: detached()(l, a, A, n, r * len(a), c)),
        ("", detached(lambda new, old: torch.full_like(old, -1.0))),
    ],
}
"""By question: the name, empty where none is asked for, and the answer."""
