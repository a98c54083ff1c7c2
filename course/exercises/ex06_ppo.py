# %% title [markdown]
r"""
# Exercise 06 · Reinforcement learning

Ten questions on step 3 of the paper, in the order in which a response passes through them: KL, reward, advantage, loss,
step. Each one says all that you need. Write your answer in the empty cell, run it, then run the check under it; a
mistake is told by its name. In the hint cell, take away the `#`; a second argument, as in `hint("…", 2)`, goes a step
further.

An answer may call helpers of `minirlhf.objectives`. A function that a question asks for can be called once that question
is answered.

In all of them `mask`, bool `[B, T]`, is true on the tokens of a response and false on the padding after it, and the
policy's log-probabilities are those of the tokens that were sampled.
"""

# %% begin
import torch

from minirlhf.grading import check, hint, progress

# %% k1-question [markdown]
r"""
## How far has the policy moved? k1

{question:ppo.k1}

Eq. 2 makes the policy pay for leaving the reference model. Its price is the KL divergence of the policy from the
reference, estimated from the sampled tokens. The simplest estimate, k1, has the KL for its mean when tokens are sampled
from the policy. From `logprobs` and `reference`, float `[B, T]`, return k1 of each token, `[B, T]`.
"""


# %% k1-answer answer="ppo.k1"
def k1(logprobs, reference):
    """The log-ratio of policy to reference, token by token."""
    return logprobs - reference


# %% k1-check
check("ppo.k1", k1)

# %% k1-hint
# hint("ppo.k1")

# %% k1-why [markdown] only="solution"
r"""
**Why.** {why:ppo.k1} They come from tokens that the reference likes better.
"""

# %% k3-question [markdown]
r"""
## k3

{question:ppo.k3}

Single values of k1 may be negative, though a KL never is. k3 has the same mean and is never negative. With $\rho$ the
ratio $\pi^{\rm ref}/\pi$ of a token,

$$k_3=\rho-1-\log\rho .$$

From `logprobs` and `reference`, float `[B, T]`, return k3 of each token, `[B, T]`.
"""


# %% k3-answer answer="ppo.k3"
def k3(logprobs, reference):
    """Never negative, and of the same mean as k1."""
    log_ratio = reference - logprobs
    return torch.exp(log_ratio) - 1 - log_ratio


# %% k3-check
check("ppo.k3", k3)

# %% k3-hint
# hint("ppo.k3")

# %% k3-why [markdown] only="solution"
r"""
**Why.** {why:ppo.k3} In symbols: $\rho-1\ge\log\rho$, and $-\log\rho$ is k1.
"""

# %% reward-question [markdown]
r"""
## The shaped reward

{question:ppo.shaped_rewards}

The bracket of Eq. 2, spread over the tokens of a response:

$$R_t=-\beta\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ is the last token}]\;r_\theta(x,y)$$

From `scores`, float `[B]`, `logprobs` and `reference`, float `[B, T]`, `mask` and the number `beta`, return the rewards,
float `[B, T]`, zero outside the mask. The responses have different lengths.
"""


# %% reward-answer answer="ppo.shaped_rewards"
def shaped_rewards(scores, logprobs, reference, mask, beta):
    """A KL penalty on every token, the score on the last one."""
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    last = mask.sum(-1) - 1
    rewards[torch.arange(len(scores)), last] += scores
    return rewards


# %% reward-check
check("ppo.shaped_rewards", shaped_rewards)

# %% reward-hint
# hint("ppo.shaped_rewards")

# %% reward-why [markdown] only="solution"
r"""
**Why.** {why:ppo.shaped_rewards} The sum is right since the log of a product is a sum of logs. The last token of the mask
stands at its length minus one.
"""

# %% gae-question [markdown]
r"""
## Advantages

{question:ppo.gae}

How much better did a token turn out than the value model expected? Without a discount,

$$\delta_t=R_t+V_{t+1}-V_t,\qquad \hat A_t=\sum_{k\ge 0}\lambda^k\,\delta_{t+k},\qquad \text{return}_t=\hat A_t+V_t .$$

$V_t$ is the value of the state in which token $t$ is chosen. After the last response token the episode is over: the next
value is zero, whatever the padding holds.

From `rewards` and `values`, float `[B, T]`, `mask`, and the number `lam`, return two tensors, advantages and returns,
both `[B, T]` and zero outside the mask.
"""


# %% gae-answer answer="ppo.gae"
def gae(rewards, values, mask, lam):
    """Advantages and returns."""
    values = torch.where(mask, values, 0.0)
    advantages = torch.zeros_like(values)
    following = torch.zeros_like(values[:, 0])
    next_value = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        surprise = rewards[:, t] + next_value - values[:, t]
        following = (surprise + lam * following) * mask[:, t]
        advantages[:, t] = following
        next_value = values[:, t]
    return advantages, advantages + values


# %% gae-check
check("ppo.gae", gae)

# %% gae-hint
# hint("ppo.gae")

# %% gae-why [markdown] only="solution"
r"""
**Why.** {why:ppo.gae}
"""

# %% whiten-question [markdown]
r"""
## Whitening

{question:ppo.whiten}

Before they enter the loss, advantages are shifted and scaled to mean zero and variance one over all response tokens of
the batch. From `x`, float `[B, T]`, and `mask`, return the whitened values, zero outside the mask. Take the variance of
the population (divide by the number of tokens), and add `1e-8` to it before the root, so that a batch of equal values
gives zeros.
"""


# %% whiten-answer answer="ppo.whiten"
def whiten(x, mask):
    """Mean zero and variance one over the mask."""
    kept = x[mask]
    variance = ((kept - kept.mean()) ** 2).mean()
    return torch.where(mask, (x - kept.mean()) / torch.sqrt(variance + 1e-8), 0.0)


# %% whiten-check
check("ppo.whiten", whiten)

# %% whiten-hint
# hint("ppo.whiten")

# %% whiten-why [markdown] only="solution"
r"""
**Why.** {why:ppo.whiten} A row's own mean would take that away.
"""

# %% policy-question [markdown]
r"""
## The clipped policy loss

{question:ppo.policy_loss}

With $\rho_t$ the ratio of a token's probability now to its probability when it was sampled, PPO makes this small:

$$\mathcal L=-\,\overline{\min\big(\rho_t\hat A_t,\ \mathrm{clip}(\rho_t,1-\epsilon,1+\epsilon)\,\hat A_t\big)}$$

The bar is the mean over all response tokens of the batch. From `logprobs`, `old_logprobs` and `advantages`, float
`[B, T]`, `mask`, and the number `clip` for $\epsilon$, return the loss, a tensor without dimensions.
"""


# %% policy-answer answer="ppo.policy_loss"
def policy_loss(logprobs, old_logprobs, advantages, mask, clip):
    """PPO's clipped surrogate, as a loss."""
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    return -gain[mask].mean()


# %% policy-check
check("ppo.policy_loss", policy_loss)

# %% policy-hint
# hint("ppo.policy_loss")

# %% policy-why [markdown] only="solution"
r"""
**Why.** {why:ppo.policy_loss} With the two swapped, or the clipped one alone, a token that got worse would be left where it
is.
"""

# %% value-question [markdown]
r"""
## The clipped value loss

{question:ppo.value_loss}

The value model learns the returns. The paper's ancestors hold it back in the same way as the policy: the new value counts
once as it is, and once clamped to within $\epsilon$ of the value at sampling time, and the larger error wins:

$$\mathcal L=\tfrac12\,\overline{\max\big((V_t-\mathrm{return}_t)^2,\ (\mathrm{clip}(V_t,V^{\rm old}_t\pm\epsilon)-\mathrm{return}_t)^2\big)}$$

From `values`, `old_values` and `returns`, float `[B, T]`, `mask`, and the number `clip`, return the loss, a tensor
without dimensions.
"""


# %% value-answer answer="ppo.value_loss"
def value_loss(values, old_values, returns, mask, clip):
    """The larger of two squared errors, halved."""
    near = old_values + torch.clamp(values - old_values, -clip, clip)
    error = torch.maximum((values - returns) ** 2, (near - returns) ** 2)
    return 0.5 * error[mask].mean()


# %% value-check
check("ppo.value_loss", value_loss)

# %% value-hint
# hint("ppo.value_loss")

# %% value-why [markdown] only="solution"
r"""
**Why.** {why:ppo.value_loss} The paper doesn't say whether it does so; the code of its ancestors does, half included.
"""

# %% ptx-question [markdown]
r"""
## One step of PPO-ptx

{question:ppo.ptx_step}

PPO-ptx adds the third term of Eq. 2, $\gamma$ times the mean log-probability of pretraining tokens. In each step the
gradients of both terms are added up **before** the weights move.

You get `weights`, float `[V]`; two functions of the weights, `ppo_loss`, which returns PPO's loss, and
`pretraining_logprobs`, which returns the log-probability of each pretraining token of the batch, `[N]`; and the numbers
`gamma` and `rate`. Return the weights after one step of plain gradient descent, of length `rate`, on PPO's loss minus
$\gamma$ times the **mean** log-probability. Leave `weights` itself as it is.
"""


# %% ptx-answer answer="ppo.ptx_step"
def ptx_step(weights, ppo_loss, pretraining_logprobs, gamma, rate):
    """One step down the gradient of both losses."""
    leaf = weights.detach().clone().requires_grad_()
    loss = ppo_loss(leaf) - gamma * pretraining_logprobs(leaf).mean()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return leaf.detach() - rate * gradient


# %% ptx-check
check("ppo.ptx_step", ptx_step)

# %% ptx-hint
# hint("ppo.ptx_step")

# %% ptx-why [markdown] only="solution"
r"""
**Why.** {why:ppo.ptx_step} The minus sign turns a log-probability, which is to grow, into a loss.
"""

# %% bug-question [markdown]
r"""
## Nothing is ever clipped

{question:ppo.bug}

A class trained a policy on a bandit: one choice among $V$ actions, no text. The clip fraction stayed at zero all the
time, and large steps made the policy collapse.

`train` gets `logits`, float `[V]`; `actions`, int `[N]`, sampled from the policy with these logits; their `advantages`,
float `[N]`; and the numbers `steps`, `rate` and `clip`. It takes that many gradient steps on this one batch and returns
the new logits. Find the bug and mend the function.
"""


# %% bug-answer answer="ppo.bug" only="exercise"
def train(logits, actions, advantages, steps, rate, clip):
    """A few steps of PPO on one batch."""
    logits = logits.detach().clone().requires_grad_()
    for _ in range(steps):
        new = torch.log_softmax(logits, -1)[actions]
        old = new.detach()
        ratio = torch.exp(new - old)
        clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
        loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - rate * gradient).detach().requires_grad_()
    return logits.detach()


# %% bug-answer answer="ppo.bug" only="solution"
def train(logits, actions, advantages, steps, rate, clip):
    """A few steps of PPO on one batch."""
    logits = logits.detach().clone().requires_grad_()
    old = torch.log_softmax(logits, -1)[actions].detach()
    for _ in range(steps):
        new = torch.log_softmax(logits, -1)[actions]
        ratio = torch.exp(new - old)
        clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
        loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - rate * gradient).detach().requires_grad_()
    return logits.detach()


# %% bug-check
check("ppo.bug", train)

# %% bug-hint
# hint("ppo.bug")

# %% bug-why [markdown] only="solution"
r"""
**Why.** {why:ppo.bug} In the package they are stored with the rollout, and the first minibatch is checked to have a ratio
of one; later ones mustn't.
"""

# %% kl-question [markdown]
r"""
## Predict, then measure: how far is best of eight?

{question:ppo.best_of_n_kl}

Best of n moves away from the policy without any training: it samples from another distribution, in which well-scored
completions are more frequent. Below, a policy with two thousand completions, their scores all different; the best of
eight draws is kept, and the distribution of what is kept is worked out exactly. What is its KL from the policy, in nats,
and why?

- **A**: $\log n$: each completion that is kept has become $n$ times as likely.
- **B**: less than $\log n$: only the very best have become $n$ times as likely, most of what is kept less so.
- **C**: about $n$ times that of a single draw: it grows in proportion to the number of draws.
- **D**: it depends on how far apart the scores are: with nearly equal scores the choice hardly matters.

Your first guess counts: within a quarter of a nat it earns a point. The reason earns the others, each wrong letter before
it costs one. The measurement has to come out within a tenth of theory.
"""

# %% kl-answer answer="ppo.best_of_n_kl"
predicted = torch.log(torch.tensor(8.0)).item() - 7 / 8
reason = "B"

# %% kl-run
n = 8
policy = torch.softmax(0.5 * torch.randn(2000), 0)  # from worst to best
at_most = policy.cumsum(0)  # the share that scores no better
below = torch.cat([torch.zeros(1), at_most[:-1]])
best = at_most**n - below**n  # all draws at most this, not all below
measured = torch.special.xlogy(best, best / policy).sum()

# %% kl-check
check("ppo.best_of_n_kl", measured, predicted, reason)

# %% kl-hint
# hint("ppo.best_of_n_kl")

# %% kl-why [markdown] only="solution"
r"""
**Why.** {why:ppo.best_of_n_kl} Here $u$ is the share of the policy that scores at most as well as a completion; the mean
of $\log(n\,u^{n-1})$ under best of $n$ is $\log n-\frac{n-1}{n}$.
"""

# %% end
progress()
