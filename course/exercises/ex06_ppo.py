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

# %% title [markdown] lang="zh" of="9db2b29b"
r"""
# 第 06 章练习 · 强化学习

论文的第 3 步，十道题，照一个回复要走的路排列：KL、奖励、优势、损失、更新。做题所需的一切，题目里都有。
把答案写进空着的单元格，运行它，再运行下面的检查；答错了，检查会说出错在哪里。想要提示，就去掉提示单元格里的 `#`；
再加第二个参数，写作 `hint("…", 2)`，会说得更透。

答案里可以调用 `minirlhf.objectives` 的辅助函数。其中哪一个是某道题要你写的，就要等那道题答对之后才能调用。

在所有题目里，`mask` 都是 bool `[B, T]`，在回复的词元上为真，在后面的填充上为假；策略的对数概率，指的都是它给采样到的词元的对数概率。
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

# %% k1-question [markdown] lang="zh" of="0edebbea"
r"""
## 策略走了多远？k1

{question:ppo.k1}

按照式 2，策略离开参考模型要付出代价。代价是策略相对参考模型的 KL 散度，用采样到的词元来估计。
最简单的估计叫 k1：只要词元是从策略采样的，它的平均就是 KL。由 `logprobs` 和 `reference`，float `[B, T]`，返回每个词元的 k1，`[B, T]`。
"""


# %% k1-answer answer="ppo.k1"
def k1(logprobs, reference):
    """The log-ratio of policy to reference, token by token."""
    return logprobs - reference


# %% k1-answer lang="zh"
{
    "The log-ratio of policy to reference, token by token.": "策略比参考模型的对数比，逐个词元。",
}

# %% k1-check
check("ppo.k1", k1)

# %% k1-hint
# hint("ppo.k1")

# %% k1-why [markdown] only="solution"
r"""
**Why.** {why:ppo.k1} They come from tokens that the reference likes better.
"""

# %% k1-why [markdown] lang="zh" of="d06dda7d"
r"""
**为什么？** {why:ppo.k1}这些负项来自参考模型更喜欢的词元。
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

# %% k3-question [markdown] lang="zh" of="b1794a54"
r"""
## k3

{question:ppo.k3}

KL 从不为负，单个的 k1 却可以为负。k3 的平均与它相同，而且从不为负。设 $\rho$ 是一个词元的比值 $\pi^{\rm ref}/\pi$，则

$$k_3=\rho-1-\log\rho .$$

由 `logprobs` 和 `reference`，float `[B, T]`，返回每个词元的 k3，`[B, T]`。
"""


# %% k3-answer answer="ppo.k3"
def k3(logprobs, reference):
    """Never negative, and of the same mean as k1."""
    log_ratio = reference - logprobs
    return torch.exp(log_ratio) - 1 - log_ratio


# %% k3-answer lang="zh"
{
    "Never negative, and of the same mean as k1.": "从不为负，平均与 k1 相同。",
}

# %% k3-check
check("ppo.k3", k3)

# %% k3-hint
# hint("ppo.k3")

# %% k3-why [markdown] only="solution"
r"""
**Why.** {why:ppo.k3} In symbols: $\rho-1\ge\log\rho$, and $-\log\rho$ is k1.
"""

# %% k3-why [markdown] lang="zh" of="a8354b56"
r"""
**为什么？** {why:ppo.k3}写成符号就是：$\rho-1\ge\log\rho$，而 $-\log\rho$ 正是 k1。
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

# %% reward-question [markdown] lang="zh" of="7b55ce16"
r"""
## 逐词元的奖励

{question:ppo.shaped_rewards}

把式 2 的方括号分摊到一个回复的各个词元上：

$$R_t=-\beta\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ 是最后一个词元}]\;r_\theta(x,y)$$

由 `scores`，float `[B]`，`logprobs` 和 `reference`，float `[B, T]`，以及 `mask` 和数 `beta`，返回奖励，float `[B, T]`，掩码之外为零。
各个回复长短不一。
"""


# %% reward-answer answer="ppo.shaped_rewards"
def shaped_rewards(scores, logprobs, reference, mask, beta):
    """A KL penalty on every token, the score on the last one."""
    rewards = torch.where(mask, -beta * (logprobs - reference), 0.0)
    last = mask.sum(-1) - 1
    rewards[torch.arange(len(scores)), last] += scores
    return rewards


# %% reward-answer lang="zh"
{
    "A KL penalty on every token, the score on the last one.": "每个词元付 KL 惩罚，最后一个得到得分。",
}

# %% reward-check
check("ppo.shaped_rewards", shaped_rewards)

# %% reward-hint
# hint("ppo.shaped_rewards")

# %% reward-why [markdown] only="solution"
r"""
**Why.** {why:ppo.shaped_rewards} The sum is right since the log of a product is a sum of logs. The last token of the mask
stands at its length minus one.
"""

# %% reward-why [markdown] lang="zh" of="a948cde9"
r"""
**为什么？** {why:ppo.shaped_rewards}总和没有错，因为乘积的对数等于对数之和。掩码内最后一个词元的位置，是掩码的长度减一。
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

# %% gae-question [markdown] lang="zh" of="e8f8dfe7"
r"""
## 优势

{question:ppo.gae}

一个词元的结果，比价值模型预期的好多少？不打折扣时，

$$\delta_t=R_t+V_{t+1}-V_t,\qquad \hat A_t=\sum_{k\ge 0}\lambda^k\,\delta_{t+k},\qquad \text{回报}_t=\hat A_t+V_t .$$

$V_t$ 是选词元 $t$ 时所处状态的价值。回复的最后一个词元之后，这一回合就结束了：不管填充处有什么，下一个价值都是零。

由 `rewards` 和 `values`，float `[B, T]`，`mask`，以及数 `lam`，返回两个张量，即优势和回报，都是 `[B, T]`，掩码之外为零。
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


# %% gae-answer lang="zh"
{
    "Advantages and returns.": "优势和回报。",
}

# %% gae-check
check("ppo.gae", gae)

# %% gae-hint
# hint("ppo.gae")

# %% gae-why [markdown] only="solution"
r"""
**Why.** {why:ppo.gae}
"""

# %% gae-why [markdown] lang="zh" of="fde03bcc"
r"""
**为什么？** {why:ppo.gae}
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

# %% whiten-question [markdown] lang="zh" of="a5122907"
r"""
## 白化

{question:ppo.whiten}

优势进入损失之前，先平移、缩放，使它们在批次的全部回复词元上均值为零、方差为一。由 `x`，float `[B, T]`，和 `mask`，返回白化后的值，掩码之外为零。
方差取总体方差（除以词元的个数）；开方之前给它加上 `1e-8`，这样，如果一批值全都相等，结果就是零。
"""


# %% whiten-answer answer="ppo.whiten"
def whiten(x, mask):
    """Mean zero and variance one over the mask."""
    kept = x[mask]
    variance = ((kept - kept.mean()) ** 2).mean()
    return torch.where(mask, (x - kept.mean()) / torch.sqrt(variance + 1e-8), 0.0)


# %% whiten-answer lang="zh"
{
    "Mean zero and variance one over the mask.": "在掩码内均值为零、方差为一。",
}

# %% whiten-check
check("ppo.whiten", whiten)

# %% whiten-hint
# hint("ppo.whiten")

# %% whiten-why [markdown] only="solution"
r"""
**Why.** {why:ppo.whiten} A row's own mean would take that away.
"""

# %% whiten-why [markdown] lang="zh" of="e7595054"
r"""
**为什么？** {why:ppo.whiten}若减去每行自己的均值，这一点就抹掉了。
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

# %% policy-question [markdown] lang="zh" of="093c164b"
r"""
## 裁剪的策略损失

{question:ppo.policy_loss}

设 $\rho_t$ 是一个词元现在的概率与采样时的概率之比。PPO 要使下式变小：

$$\mathcal L=-\,\overline{\min\big(\rho_t\hat A_t,\ \mathrm{clip}(\rho_t,1-\epsilon,1+\epsilon)\,\hat A_t\big)}$$

上面的横线是对批次的全部回复词元取平均。由 `logprobs`、`old_logprobs` 和 `advantages`，float
`[B, T]`，`mask`，以及数 `clip`（就是 $\epsilon$），返回损失，一个没有维度的张量。
"""


# %% policy-answer answer="ppo.policy_loss"
def policy_loss(logprobs, old_logprobs, advantages, mask, clip):
    """PPO's clipped surrogate, as a loss."""
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    return -gain[mask].mean()


# %% policy-answer lang="zh"
{
    "PPO's clipped surrogate, as a loss.": "PPO 裁剪后的替代目标，写成损失。",
}

# %% policy-check
check("ppo.policy_loss", policy_loss)

# %% policy-hint
# hint("ppo.policy_loss")

# %% policy-why [markdown] only="solution"
r"""
**Why.** {why:ppo.policy_loss} With the two swapped, or the clipped one alone, a token that got worse would be left where it
is.
"""

# %% policy-why [markdown] lang="zh" of="ac0d3478"
r"""
**为什么？** {why:ppo.policy_loss}如果反过来取较大的，或者只用裁剪后的那一项，变糟的词元就会留在那里，没有什么把它拉回来。
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

# %% value-question [markdown] lang="zh" of="e0d12800"
r"""
## 裁剪的价值损失

{question:ppo.value_loss}

价值模型要学的是回报。论文的前身用拉住策略的办法拉住它：新的价值算两次，一次照原样，一次截断到离采样时的价值不超过 $\epsilon$ 的范围之内，
误差较大的那次算数：

$$\mathcal L=\tfrac12\,\overline{\max\big((V_t-\mathrm{return}_t)^2,\ (\mathrm{clip}(V_t,V^{\rm old}_t\pm\epsilon)-\mathrm{return}_t)^2\big)}$$

由 `values`、`old_values` 和 `returns`，float `[B, T]`，`mask`，以及数 `clip`，返回损失，一个没有维度的张量。
"""


# %% value-answer answer="ppo.value_loss"
def value_loss(values, old_values, returns, mask, clip):
    """The larger of two squared errors, halved."""
    near = old_values + torch.clamp(values - old_values, -clip, clip)
    error = torch.maximum((values - returns) ** 2, (near - returns) ** 2)
    return 0.5 * error[mask].mean()


# %% value-answer lang="zh"
{
    "The larger of two squared errors, halved.": "两个平方误差中较大的，取一半。",
}

# %% value-check
check("ppo.value_loss", value_loss)

# %% value-hint
# hint("ppo.value_loss")

# %% value-why [markdown] only="solution"
r"""
**Why.** {why:ppo.value_loss} The paper doesn't say whether it does so; the code of its ancestors does, half included.
"""

# %% value-why [markdown] lang="zh" of="e5403dd8"
r"""
**为什么？** {why:ppo.value_loss}论文没有说它是否这样做；它的前身的代码是这样做的，二分之一也在其中。
"""

# %% ptx-question [markdown]
r"""
## One step of PPO-ptx

{question:ppo.ptx_step}

PPO-ptx adds the third term of Eq. 2, $\gamma$ times the mean log-probability of pretraining tokens. In each step the
gradients of both terms are added up **before** the weights move.

You get `weights`, float `[V]`; two functions of the weights, `ppo_loss`, which returns PPO's loss, and
`pretraining_logprobs`, which returns the log-probability of each pretraining token of the batch, `[N]`; and the numbers
`gamma` and `rate`. Return the weights after one step of plain gradient descent, with learning rate `rate`, on PPO's loss minus
$\gamma$ times the **mean** log-probability. Leave `weights` itself as it is.
"""

# %% ptx-question [markdown] lang="zh" of="db56cb96"
r"""
## PPO-ptx 的一步

{question:ppo.ptx_step}

PPO-ptx 加上了式 2 的第三项：$\gamma$ 乘以预训练词元的对数概率的平均。每一步里，都是在权重移动**之前**先把两项的梯度加起来。

给你的是 `weights`，float `[V]`；两个以权重为参数的函数，其中 `ppo_loss` 返回 PPO 的损失，
`pretraining_logprobs` 返回批次里每个预训练词元的对数概率，`[N]`；还有数 `gamma` 和 `rate`。
要下降的是 PPO 的损失减去 $\gamma$ 乘以**平均**对数概率。用普通的梯度下降走一步，学习率是 `rate`，返回走完之后的权重。`weights` 本身不要动。
"""


# %% ptx-answer answer="ppo.ptx_step"
def ptx_step(weights, ppo_loss, pretraining_logprobs, gamma, rate):
    """One step down the gradient of both losses."""
    leaf = weights.detach().clone().requires_grad_()
    loss = ppo_loss(leaf) - gamma * pretraining_logprobs(leaf).mean()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return leaf.detach() - rate * gradient


# %% ptx-answer lang="zh"
{
    "One step down the gradient of both losses.": "沿两个损失的梯度下降一步。",
}

# %% ptx-check
check("ppo.ptx_step", ptx_step)

# %% ptx-hint
# hint("ppo.ptx_step")

# %% ptx-why [markdown] only="solution"
r"""
**Why.** {why:ppo.ptx_step} The minus sign turns a log-probability, which is to grow, into a loss.
"""

# %% ptx-why [markdown] lang="zh" of="9a087b60"
r"""
**为什么？** {why:ppo.ptx_step}对数概率是要变大的，加上负号，它就成了损失。
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

# %% bug-question [markdown] lang="zh" of="86940dc0"
r"""
## 从来没有裁剪

{question:ppo.bug}

有个班在一台多臂老虎机上训练策略：在 $V$ 个动作里选一次，没有文本。被裁剪的比例始终是零，步子一大，策略就崩溃了。

`train` 的参数是：`logits`，float `[V]`；`actions`，int `[N]`，是从这些 logits 的策略采样的；它们的 `advantages`，
float `[N]`；还有数 `steps`、`rate` 和 `clip`。它在这一个批次上走那么多步梯度下降，返回新的 logits。请找出错误，把函数改好。
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


# %% bug-answer lang="zh"
{
    "A few steps of PPO on one batch.": "在一个批次上走几步 PPO。",
}


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


# %% bug-answer lang="zh"
{
    "A few steps of PPO on one batch.": "在一个批次上走几步 PPO。",
}

# %% bug-check
check("ppo.bug", train)

# %% bug-hint
# hint("ppo.bug")

# %% bug-why [markdown] only="solution"
r"""
**Why.** {why:ppo.bug} In the package they are stored with the rollout, and the first minibatch is checked to have a ratio
of one; later ones mustn't.
"""

# %% bug-why [markdown] lang="zh" of="b983d312"
r"""
**为什么？** {why:ppo.bug}在程序包里，旧的对数概率与采样轨迹存在一起；第一个小批次的比值应当是一，程序包会核对；后面的就不该再是一了。
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

# %% kl-question [markdown] lang="zh" of="23a917dc"
r"""
## 先预测，再测量：八选一走了多远？

{question:ppo.best_of_n_kl}

n 选一不用训练就离开了策略：它等于从另一个分布采样，得分高的回复在那里更常见。下面的策略有两千个回复，得分各不相同；
抽八次，留下最好的一个，留下的东西服从什么分布，可以精确地算出来。这个分布相对策略的 KL 是多少 nat？为什么？

- **A**：$\log n$：凡是留下的回复，概率都变成了 $n$ 倍。
- **B**：小于 $\log n$：只有最好的那些变成了 $n$ 倍，留下的大多不到。
- **C**：大约是抽一次的 $n$ 倍：它与抽取的次数成正比。
- **D**：要看得分相差多远：得分几乎相等时，挑不挑都差不多。

猜测以第一次为准：相差不超过四分之一个 nat，就得一分。其余的分看理由，答对之前每选错一个字母，就少一分。
测得的值与理论值之差，不得超过十分之一个 nat。
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

# %% kl-run lang="zh"
{
    "# from worst to best": "# 从最差到最好",
    "# the share that scores no better": "# 得分不高于它的比例",
    "# all draws at most this, not all below": "# 每次都不高于它，又不全低于它",
}

# %% kl-check
check("ppo.best_of_n_kl", measured, predicted, reason)

# %% kl-hint
# hint("ppo.best_of_n_kl")

# %% kl-why [markdown] only="solution"
r"""
**Why.** {why:ppo.best_of_n_kl} Here $u$ is the share of the policy that scores at most as well as a completion; the mean
of $\log(n\,u^{n-1})$ under best of $n$ is $\log n-\frac{n-1}{n}$.
"""

# %% kl-why [markdown] lang="zh" of="94986e32"
r"""
**为什么？** {why:ppo.best_of_n_kl}这里的 $u$ 是策略中得分不高于某个回复的那一部分的比例；在 $n$ 选一之下，$\log(n\,u^{n-1})$ 的平均是 $\log n-\frac{n-1}{n}$。
"""

# %% end
progress()
