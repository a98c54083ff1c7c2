# %% title [markdown]
r"""
# Exercise 07 · PPO-ptx, whole

First you write PPO-ptx from an empty file, in five stages; the last is one whole iteration. Then you are shown six runs
with one bug each, and say what is wrong.

Each question says all that you need. Run the check under your answer; a mistake is told by its name. In the hint cell,
take away the `#`; a second argument, as in `hint("…", 2)`, goes a step further.
"""

# %% title [markdown] lang="zh" of="ad3d41b4"
r"""
# 第 07 章练习 · 完整的 PPO-ptx

先从一个空文件写起，分五个阶段写出 PPO-ptx，最后一个阶段是一次完整的迭代。然后看六次运行，每次都有一个错误，请你说出错在哪里。

做题所需的一切，题目里都有。答完就运行下面的检查；答错了，检查会说出错在哪里。想要提示，就去掉提示单元格里的 `#`；
再加第二个参数，写作 `hint("…", 2)`，会说得更透。
"""

# %% begin
import torch
from torch.nn.utils.rnn import pad_sequence

from minirlhf import objectives
from minirlhf.grading import check, hint, progress, show_run

# %% loop-given [markdown]
r"""
## PPO-ptx from an empty file

The equations are yours to call, all of `minirlhf.objectives`, whether you have answered their questions or not; the loop
around them is asked for.

Everywhere in these five stages

- a prompt $x$, a response $y$ and a pretraining document are int tensors of ids, `[L]`, each of its own length; lists of
  them hold one for each row of the batch;
- `policy(ids)` and `reference(ids)` give logits, float `[L, V]`: those in row $t$ are about the id in row $t+1$;
- `reward(ids)` and `value(ids)` give a number at each id, float `[L]`;
- all four take one row of ids, or several of one length, `[B, L]`; they are causal;
- results `[B, T]` have a row for each response and as many columns as the longest, and are zero behind a response.

Write helpers if you like. Each stage is checked by itself, on models of a few hundred weights.
"""

# %% loop-given [markdown] lang="zh" of="7a0eb52e"
r"""
## 从空文件写出 PPO-ptx

各个式子都可以直接调用：`minirlhf.objectives` 的函数全部开放，不管它们的题目你答过没有。要你写的是式子外面的循环。

在这五个阶段里

- 提示 $x$、回复 $y$ 和预训练文档都是 int 张量 `[L]`，装的是编号，长短各异；放在列表里时，批次的每一行占一项；
- `policy(ids)` 和 `reference(ids)` 给出 logits，float `[L, V]`：第 $t$ 行说的是第 $t+1$ 行的编号；
- `reward(ids)` 和 `value(ids)` 在每个编号处给出一个数，float `[L]`；
- 这四个都能读一行编号，也能读长度相同的几行，`[B, L]`；它们都只看前文；
- 结果 `[B, T]` 的一行是一个回复，列数等于最长回复的长度，回复之后的格子为零。

辅助函数想写就写。每个阶段单独检查，用的是只有几百个权重的模型。
"""

# %% rollout-question [markdown]
r"""
## Stage one: rollout

{question:loop.rollout}

Sample a response to each of `prompts`. Token $t$ of row $b$ is the first id at which the cumulative probability, added
up from the first id on, exceeds `uniforms[b, t]` (the last id, should rounding leave none); `uniforms` is float `[B, T]`.
A response ends with the id `eos`, which belongs to it, or after $T$ tokens. Return a list of int tensors, the responses without their prompts.
"""

# %% rollout-question [markdown] lang="zh" of="5c055272"
r"""
## 第一阶段：采样轨迹

{question:loop.rollout}

为 `prompts` 里的每个提示采样一个回复。第 $b$ 行的词元 $t$ 这样选：把概率从第一个编号起往后累加，首次超过 `uniforms[b, t]` 的那个编号就是它
（若因舍入没有这样的编号，就取最后一个）；`uniforms` 是 float `[B, T]`。回复写到编号 `eos` 为止（它也属于回复），或者写满 $T$ 个词元为止。返回由 int 张量组成的列表，也就是各个回复，不带提示。
"""


# %% rollout-answer answer="loop.rollout"
def rollout(policy, prompts, uniforms, eos):
    """A response to each prompt."""
    responses = []
    for x, numbers in zip(prompts, uniforms, strict=True):
        row = x
        for u in numbers:
            with torch.no_grad():
                cumulated = policy(row)[-1].softmax(-1).cumsum(-1)
            token = (cumulated <= u).sum().clamp(max=len(cumulated) - 1)
            row = torch.cat([row, token[None]])
            if token == eos:
                break
        responses.append(row[len(x) :])
    return responses


# %% rollout-answer lang="zh"
{
    "A response to each prompt.": "给每个提示一个回复。",
}

# %% rollout-check
check("loop.rollout", rollout)

# %% rollout-hint
# hint("loop.rollout")

# %% rollout-why [markdown] only="solution"
r"""
**Why.** {why:loop.rollout}
"""

# %% rollout-why [markdown] lang="zh" of="541cc173"
r"""
**为什么？** {why:loop.rollout}
"""

# %% rewards-question [markdown]
r"""
## Stage two: log-probabilities and rewards

{question:loop.rewards}

The score $r(x,y)$ is the reward model's number at the last id of prompt and response. Return two tensors without
gradients, `[B, T]`: the policy's log-probability of each response token, and its reward

$$R_t=-\beta\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ is the last token}]\;r(x,y)$$
"""

# %% rewards-question [markdown] lang="zh" of="e168dddf"
r"""
## 第二阶段：对数概率与奖励

{question:loop.rewards}

把提示和回复接成一行，奖励模型在最后一个编号处给出的数，就是得分 $r(x,y)$。返回两个不带梯度的张量，`[B, T]`：策略给每个回复词元的对数概率，以及这个词元的奖励

$$R_t=-\beta\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ 是最后一个词元}]\;r(x,y)$$
"""


# %% rewards-answer answer="loop.rewards"
def rewards(policy, reference, reward, prompts, responses, beta):
    """Log-probabilities of the policy, and shaped rewards."""
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    old, start, scores = [], [], []
    with torch.no_grad():
        for x, y in zip(prompts, responses, strict=True):
            row = torch.cat([x, y])
            for model, found in ((policy, old), (reference, start)):
                found.append(objectives.token_logprobs(model(row)[len(x) - 1 : -1], y))
            scores.append(reward(row)[-1])
    old, start = (pad_sequence(rows, batch_first=True) for rows in (old, start))
    return old, objectives.shaped_rewards(torch.stack(scores), old, start, mask, beta)


# %% rewards-answer lang="zh"
{
    "Log-probabilities of the policy, and shaped rewards.": "策略的对数概率，以及逐词元的奖励。",
}

# %% rewards-check
check("loop.rewards", rewards)

# %% rewards-hint
# hint("loop.rewards")

# %% rewards-why [markdown] only="solution"
r"""
**Why.** {why:loop.rewards}
"""

# %% rewards-why [markdown] lang="zh" of="8ec85750"
r"""
**为什么？** {why:loop.rewards}
"""

# %% advantages-question [markdown]
r"""
## Stage three: values and advantages

{question:loop.advantages}

$V_t$ is the value of the state in which token $t$ is still to be chosen. With `rewards`, float `[B, T]`, and the number
`lam`, return three tensors without gradients, `[B, T]`: the values; the advantages of GAE (without a discount), whitened
over all response tokens of the batch, as `objectives.whiten` does it; and the returns, which are those of the advantages
before whitening.
"""

# %% advantages-question [markdown] lang="zh" of="e900bd6f"
r"""
## 第三阶段：价值与优势

{question:loop.advantages}

$V_t$ 是词元 $t$ 尚未选出时那个状态的价值。由 `rewards`，float `[B, T]`，和数 `lam`，返回三个不带梯度的张量，`[B, T]`：
价值；GAE 的优势（不打折扣），在批次的全部回复词元上白化，做法与 `objectives.whiten` 相同；回报，由白化之前的优势算出。
"""


# %% advantages-answer answer="loop.advantages"
def advantages(value, prompts, responses, rewards, lam):
    """Values, whitened advantages, returns."""
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    with torch.no_grad():
        pairs = zip(prompts, responses, strict=True)
        rows = [value(torch.cat([x, y]))[len(x) - 1 : -1] for x, y in pairs]
    values = pad_sequence(rows, batch_first=True)
    found, returns = objectives.gae(rewards, values, mask, lam=lam)
    return values, objectives.whiten(found, mask), returns


# %% advantages-answer lang="zh"
{
    "Values, whitened advantages, returns.": "价值、白化后的优势、回报。",
}

# %% advantages-check
check("loop.advantages", advantages)

# %% advantages-hint
# hint("loop.advantages")

# %% advantages-why [markdown] only="solution"
r"""
**Why.** {why:loop.advantages}
"""

# %% advantages-why [markdown] lang="zh" of="e860e941"
r"""
**为什么？** {why:loop.advantages}
"""

# %% losses-question [markdown]
r"""
## Stage four: the losses

{question:loop.losses}

`old` holds four tensors `[B, T]`, as they were when the responses were sampled: log-probabilities, values, advantages,
returns. `documents` are pretraining texts; their first id is predicted by nothing. Return three losses, tensors without
dimensions: the clipped policy loss; the clipped value loss, with the same `clip` and its factor of ½; and the mean of $-\log\pi$ over all
predicted ids of all documents. Gradients have to reach `policy` and `value`.
"""

# %% losses-question [markdown] lang="zh" of="20987ba5"
r"""
## 第四阶段：损失

{question:loop.losses}

`old` 里有四个张量 `[B, T]`，都是采样回复时的值：对数概率、价值、优势、回报。`documents` 是预训练文本；它们的第一个编号无从预测。
返回三个损失，都是没有维度的张量：裁剪的策略损失；裁剪的价值损失，用同一个 `clip`，带着它的系数 ½；$-\log\pi$ 在所有文档中要预测的全部编号上的平均。
梯度要传到 `policy` 和 `value`。
"""


# %% losses-answer answer="loop.losses"
def losses(policy, value, prompts, responses, old, documents, clip):
    """The losses of policy, value and pretraining."""
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    logprobs, values = [], []
    for x, y in zip(prompts, responses, strict=True):
        row = torch.cat([x, y])
        logprobs.append(objectives.token_logprobs(policy(row)[len(x) - 1 : -1], y))
        values.append(value(row)[len(x) - 1 : -1])
    logprobs, values = (pad_sequence(rows, batch_first=True) for rows in (logprobs, values))
    read = [objectives.token_logprobs(policy(text)[:-1], text[1:]) for text in documents]
    old_logprobs, old_values, found, returns = old
    return (
        objectives.policy_loss(logprobs, old_logprobs, found, mask, clip),
        objectives.value_loss(values, old_values, returns, mask, clip),
        -torch.cat(read).mean(),
    )


# %% losses-answer lang="zh"
{
    "The losses of policy, value and pretraining.": "策略、价值和预训练的损失。",
}

# %% losses-check
check("loop.losses", losses)

# %% losses-hint
# hint("loop.losses")

# %% losses-why [markdown] only="solution"
r"""
**Why.** {why:loop.losses}
"""

# %% losses-why [markdown] lang="zh" of="fa9ce2be"
r"""
**为什么？** {why:loop.losses}
"""

# %% iteration-question [markdown]
r"""
## Stage five: one whole iteration

{question:loop.iteration}

Sample responses to all prompts, then take one step of `adam` for each of `batches`, in order. You get

- `models`: policy, reference, reward model and value model, in this order;
- `adam`: a torch optimizer that holds the weights of policy and value model;
- `prompts` and `uniforms`, as in stage one;
- `batches`: pairs of `rows`, an int tensor that says which responses a step learns from, and `documents`, its
  pretraining texts;
- `settings`, whose attributes are `eos`, `beta`, `lam`, `clip`, `gamma` and `grad_clip`: `settings.eos` and so on.

A step goes down the gradient of policy loss + value loss + $\gamma$ · ptx loss. Before it, the gradients of the policy
are scaled to a norm of at most `grad_clip`, and so, by themselves, are those of the value model
(`torch.nn.utils.clip_grad_norm_`). The advantages are whitened once, over all responses. Train the models in place and
return nothing: their weights are compared with those after an iteration of `minirlhf.plain.ppo`.
"""

# %% iteration-question [markdown] lang="zh" of="e6c7717a"
r"""
## 第五阶段：一次完整的迭代

{question:loop.iteration}

先为所有提示采样回复，然后按次序对 `batches` 中的每一项，用 `adam` 走一步。给你的是

- `models`：依次是策略、参考模型、奖励模型、价值模型；
- `adam`：一个 torch 优化器，里面是策略和价值模型的权重；
- `prompts` 和 `uniforms`，与第一阶段的相同；
- `batches`：每一项是一对，`rows` 是 int 张量，指明这一步从哪些回复学习，`documents` 是这一步的预训练文本；
- `settings`，它的属性有 `eos`、`beta`、`lam`、`clip`、`gamma` 和 `grad_clip`，例如 `settings.eos`。

每一步沿着“策略损失 + 价值损失 + $\gamma$ · ptx 损失”的梯度下降。在此之前，先缩小策略的梯度，使范数不超过 `grad_clip`；价值模型的梯度也这样做，但单独算
（`torch.nn.utils.clip_grad_norm_`）。优势对全部回复只白化一次。模型就地训练，什么也不返回：检查时会拿它们的权重与 `minirlhf.plain.ppo` 迭代一次之后的相比。
"""


# %% iteration-answer answer="loop.iteration"
def iteration(models, adam, prompts, uniforms, batches, settings):
    """One iteration of PPO-ptx, in place."""
    policy, reference, reward, value = models
    y = rollout(policy, prompts, uniforms, settings.eos)
    logprobs, shaped = rewards(policy, reference, reward, prompts, y, settings.beta)
    old = (logprobs, *advantages(value, prompts, y, shaped, settings.lam))
    for rows, documents in batches:
        own, answers = [prompts[i] for i in rows], [y[i] for i in rows]
        width = max(len(answer) for answer in answers)
        stored = [kept[rows, :width] for kept in old]
        terms = losses(policy, value, own, answers, stored, documents, settings.clip)
        (terms[0] + terms[1] + settings.gamma * terms[2]).backward()
        for model in (policy, value):
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
        adam.step()
        adam.zero_grad()


# %% iteration-answer lang="zh"
{
    "One iteration of PPO-ptx, in place.": "就地做一次 PPO-ptx 迭代。",
}

# %% iteration-check
check("loop.iteration", iteration)

# %% iteration-hint
# hint("loop.iteration")

# %% iteration-why [markdown] only="solution"
r"""
**Why.** {why:loop.iteration}
"""

# %% iteration-why [markdown] lang="zh" of="8e76d0ac"
r"""
**为什么？** {why:loop.iteration}
"""

# %% runs-given [markdown]
r"""
## What is wrong with this run?

Six short runs of PPO, each with one bug. They start from the same model as a healthy run, with the same random numbers; the reward
is no model but a rule: a point for each friendly word of a reply (*dear*, *friend*, *please*, *you* …), a tenth off for
any word. A reply may have up to twenty-eight tokens, $\beta$ is the same in all of them, and four steps are taken on each
batch.

A value model that is no better than a constant explains a share of zero of the returns' variance; a worse one explains
less than nothing. The entropy is minus the log-probability, at temperature one, of the replies that were sampled, on average.

One bug is in each run, none of them twice:

- **A**: the reference model learns along with the policy.
- **B**: the score is paid at every token.
- **C**: the KL penalty has the wrong sign.
- **D**: the old log-probabilities are taken anew in each step.
- **E**: the value model's weights are never updated.
- **F**: replies are sampled at a lower temperature than their log-probabilities are computed at.
- **G**: the advantages have the wrong sign.
- **H**: the policy's weights are never updated.

Answer with the letter of the bug and that of the reason which tells it from all the others. The first try counts fully,
a second one half, later ones nothing.
"""

# %% runs-given [markdown] lang="zh" of="cc8d05b7"
r"""
## 这次运行错在哪里？

下面是六次短的 PPO 运行，每次都有一个错误。它们与一次正常的运行起点相同，用的随机数也相同；奖励不是模型，而是一条规则：回复里每有一个友好的词
（*dear*、*friend*、*please*、*you* ……）就加一分，而不管什么词，每个都扣十分之一分。回复最多二十八个词元，各次运行的 $\beta$ 相同，每个批次走四步。

解释的方差，是说价值模型能解释回报方差的几成：只抵得上一个常数，就是零；比常数还差，就小于零。熵是采样到的回复在温度为一时的对数概率，取负号，再取平均。

每次运行有一个错误，各次互不重复：

- **A**：参考模型跟着策略一起学。
- **B**：得分在每个词元都付一次。
- **C**：KL 惩罚的符号反了。
- **D**：旧的对数概率每一步都重取。
- **E**：价值模型的权重从不更新。
- **F**：采样的温度低于计算对数概率时的温度。
- **G**：优势的符号反了。
- **H**：策略的权重从不更新。

请答两个字母：错误是哪一个，以及凭什么理由能把它与其余各项区分开。第一次就答对，得满分；第二次答对，得一半；再往后不得分。
"""

# %% run-one-question [markdown]
r"""
### Run one

{question:runs.one}

Because

- **A**: the score ends above that of the healthy run.
- **B**: replies grow to the limit, from the iterations on in which their scores turn positive.
- **C**: the explained variance is low: the value model learns nothing.
- **D**: no token is clipped.
"""

# %% run-one-question [markdown] lang="zh" of="da2247f0"
r"""
### 第一次运行

{question:runs.one}

因为

- **A**：得分最后比正常的运行高。
- **B**：从得分转正的那几次迭代起，回复一直变长，直到上限。
- **C**：解释的方差很低：价值模型什么也没学到。
- **D**：没有词元被裁剪。
"""

# %% run-one-shown
show_run(1)

# %% run-one-answer answer="runs.one"
bug = "B"
reason = "B"

# %% run-one-check
check("runs.one", bug, reason=reason)

# %% run-one-hint
# hint("runs.one")

# %% run-one-why [markdown] only="solution"
r"""
**Why.** {why:runs.one}
"""

# %% run-one-why [markdown] lang="zh" of="ab656d48"
r"""
**为什么？** {why:runs.one}
"""

# %% run-two-question [markdown]
r"""
### Run two

{question:runs.two}

Because

- **A**: the KL ends above that of the healthy run.
- **B**: the entropy is several times that of the healthy run.
- **C**: not one token is clipped in the whole run, though the policy moves.
- **D**: the score rises faster than it should.
"""

# %% run-two-question [markdown] lang="zh" of="ecaffbaa"
r"""
### 第二次运行

{question:runs.two}

因为

- **A**：KL 最后高于正常的运行。
- **B**：熵是正常的运行的好几倍。
- **C**：整次运行没有裁剪过一个词元，可策略是在动的。
- **D**：得分上升得比应有的快。
"""

# %% run-two-shown
show_run(2)

# %% run-two-answer answer="runs.two"
bug = "D"
reason = "C"

# %% run-two-check
check("runs.two", bug, reason=reason)

# %% run-two-hint
# hint("runs.two")

# %% run-two-why [markdown] only="solution"
r"""
**Why.** {why:runs.two}
"""

# %% run-two-why [markdown] lang="zh" of="dc8e14e5"
r"""
**为什么？** {why:runs.two}
"""

# %% run-three-question [markdown]
r"""
### Run three

{question:runs.three}

Because

- **A**: the KL stays at zero, while the replies have changed beyond recognition.
- **B**: the score rises far above that of the healthy run.
- **C**: replies grow to the limit.
- **D**: far more tokens are clipped than in the healthy run.
"""

# %% run-three-question [markdown] lang="zh" of="b9b7dacd"
r"""
### 第三次运行

{question:runs.three}

因为

- **A**：KL 停在零，回复却变得面目全非。
- **B**：得分上升到远高于正常的运行。
- **C**：回复一直变长，直到上限。
- **D**：裁剪的词元比正常的运行多得多。
"""

# %% run-three-shown
show_run(3)

# %% run-three-answer answer="runs.three"
bug = "A"
reason = "A"

# %% run-three-check
check("runs.three", bug, reason=reason)

# %% run-three-hint
# hint("runs.three")

# %% run-three-why [markdown] only="solution"
r"""
**Why.** {why:runs.three}
"""

# %% run-three-why [markdown] lang="zh" of="626bc931"
r"""
**为什么？** {why:runs.three}
"""

# %% run-four-question [markdown]
r"""
### Run four

{question:runs.four}

Because

- **A**: the score rises more slowly.
- **B**: the KL ends elsewhere than in the healthy run.
- **C**: the replies have fallen apart.
- **D**: the explained variance never rises above zero.
"""

# %% run-four-question [markdown] lang="zh" of="456bc79b"
r"""
### 第四次运行

{question:runs.four}

因为

- **A**：得分上升得更慢。
- **B**：KL 最后的值与正常的运行不同。
- **C**：回复已经支离破碎。
- **D**：解释的方差从未升到零以上。
"""

# %% run-four-shown
show_run(4)

# %% run-four-answer answer="runs.four"
bug = "E"
reason = "D"

# %% run-four-check
check("runs.four", bug, reason=reason)

# %% run-four-hint
# hint("runs.four")

# %% run-four-why [markdown] only="solution"
r"""
**Why.** {why:runs.four}
"""

# %% run-four-why [markdown] lang="zh" of="3660ed40"
r"""
**为什么？** {why:runs.four}
"""

# %% run-five-question [markdown]
r"""
### Run five

{question:runs.five}

Because

- **A**: the KL ends above that of the healthy run.
- **B**: the entropy is far below that of the healthy run from the first iteration on.
- **C**: replies at the end resemble one another.
- **D**: the score ends a little above that of the healthy run.
"""

# %% run-five-question [markdown] lang="zh" of="0d00d0e8"
r"""
### 第五次运行

{question:runs.five}

因为

- **A**：KL 最后高于正常的运行。
- **B**：从第一次迭代起，熵就远低于正常的运行。
- **C**：最后的回复彼此雷同。
- **D**：得分最后比正常的运行高一点。
"""

# %% run-five-shown
show_run(5)

# %% run-five-answer answer="runs.five"
bug = "F"
reason = "B"

# %% run-five-check
check("runs.five", bug, reason=reason)

# %% run-five-hint
# hint("runs.five")

# %% run-five-why [markdown] only="solution"
r"""
**Why.** {why:runs.five}
"""

# %% run-five-why [markdown] lang="zh" of="f2db7dc9"
r"""
**为什么？** {why:runs.five}
"""

# %% run-six-question [markdown]
r"""
### Run six

{question:runs.six}

Because

- **A**: replies grow to the limit.
- **B**: the score ends below that of the healthy run.
- **C**: the score first rises with the healthy one; then the KL goes to hundreds of nats, and replies lose their sense.
- **D**: more tokens are clipped than in the healthy run.
"""

# %% run-six-question [markdown] lang="zh" of="17eab6a5"
r"""
### 第六次运行

{question:runs.six}

因为

- **A**：回复一直变长，直到上限。
- **B**：得分最后低于正常的运行。
- **C**：得分起初随正常的运行一起上升；后来 KL 升到几百 nat，回复也不知所云。
- **D**：裁剪的词元比正常的运行多。
"""

# %% run-six-shown
show_run(6)

# %% run-six-answer answer="runs.six"
bug = "C"
reason = "C"

# %% run-six-check
check("runs.six", bug, reason=reason)

# %% run-six-hint
# hint("runs.six")

# %% run-six-why [markdown] only="solution"
r"""
**Why.** {why:runs.six}
"""

# %% run-six-why [markdown] lang="zh" of="30cb641c"
r"""
**为什么？** {why:runs.six}
"""

# %% end
progress()
