# %% title [markdown]
r"""
# Exercise 05 · The reward model

Six questions on step 2 of the paper. Each one says all that you need. Write your answer in the empty cell, run it, then
run the check under it; a mistake is told by its name. In the hint cell, take away the `#`; a second argument, as in
`hint("…", 2)`, goes a step further.
"""

# %% title [markdown] lang="zh" of="38e96b5c"
r"""
# 第 05 章练习 · 奖励模型

论文的第 2 步，六道题。做题所需的一切，题目里都有。
把答案写进空着的单元格，运行它，再运行下面的检查；答错了，检查会说出错在哪里。想要提示，就去掉提示单元格里的 `#`；
再加第二个参数，写作 `hint("…", 2)`，会说得更透。
"""

# %% begin
from minirlhf.grading import check, hint, progress

# %% eq1-question [markdown]
r"""
## Eq. 1

{question:rm.ranking_loss}

A labeler ranks the $K$ completions of a prompt. The reward model gives each a score $r_\theta(x,y)$, and is to score the
preferred completion $y_w$ of each pair above the other one, $y_l$:

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tfrac{1}{|P_x|}\sum_{(w,l)\in P_x}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

$P_x$ holds the pairs of prompt $x$ that are no tie. You get

- `scores`, float `[B, K]`: one row a prompt;
- `ranks`, int `[B, K]`: the smaller, the better; equal ranks are a tie;
- `valid`, bool `[B, K]`: prompts may have fewer than $K$ completions, and then the rest of the row is padding.

Take the mean over the pairs of a prompt first, then the mean over the prompts; every prompt here has at least one pair
that is no tie. Return a tensor without dimensions. Scores may be far apart: the result has to stay finite. Try to do
without a loop over pairs.
"""

# %% eq1-question [markdown] lang="zh" of="f10dbece"
r"""
## 式 1

{question:rm.ranking_loss}

标注员给一个提示的 $K$ 个回复排了次序。奖励模型给每个回复一个得分 $r_\theta(x,y)$；每一对里，它应使更受偏好的回复 $y_w$ 得分高于另一个，即 $y_l$：

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tfrac{1}{|P_x|}\sum_{(w,l)\in P_x}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

$P_x$ 是提示 $x$ 的各对，不含并列的。给你的是

- `scores`，float `[B, K]`：一行一个提示；
- `ranks`，int `[B, K]`：名次越小越好，名次相同就是并列；
- `valid`，bool `[B, K]`：有的提示不到 $K$ 个回复，行中余下的是填充。

先对一个提示的各对取平均，再对提示取平均；这里每个提示都至少有一对不并列。返回一个没有维度的张量。
得分可能相差很远，结果也必须是有限的数。试试不用循环来遍历各对。
"""

# %% eq1-answer answer="rm.ranking_loss"
import torch
import torch.nn.functional as F


def ranking_loss(scores, ranks, valid):
    """Eq. 1 on a batch of rankings."""
    w, l = (scores[:, :, None], scores[:, None, :])
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & valid[:, :, None] & valid[:, None, :]
    losses = -F.logsigmoid(w - l) * pairs
    return (losses.sum((1, 2)) / pairs.sum((1, 2))).mean()


# %% eq1-answer lang="zh"
{
    "Eq. 1 on a batch of rankings.": "式 1，对一批排序。",
}

# %% eq1-check
check("rm.ranking_loss", ranking_loss)

# %% eq1-hint
# hint("rm.ranking_loss")

# %% eq1-why [markdown] only="solution"
r"""
**Why.** {why:rm.ranking_loss} A tie is smaller neither way. `logsigmoid` stays finite where the logarithm of a sigmoid
doesn't. And since all pairs of a prompt come from $K$ scores, each completion passes through the model once.
"""

# %% eq1-why [markdown] lang="zh" of="3e3eb30b"
r"""
**为什么？** {why:rm.ranking_loss}并列时，哪一边都不小于另一边。`logsigmoid` 总是有限的，先算 sigmoid 再取对数则不然。一个提示的所有对都来自 $K$ 个得分，所以每个回复只须通过模型一次。
"""

# %% bias-question [markdown]
r"""
## The bias

{question:rm.bias}

Eq. 1 fixes the scores only up to a constant. Before the reward model is used in step 3, the paper gives it a bias, so
that the labelers' demonstrations score zero on average. From `scores`, float `[N]`, the scores of demonstrations,
return that bias: the constant to be **added** to every score, a tensor without dimensions.
"""

# %% bias-question [markdown] lang="zh" of="f2dd5720"
r"""
## 偏置

{question:rm.bias}

得分整体加上一个常数，式 1 看不出来。所以在第 3 步使用奖励模型之前，论文给它加一个偏置，使标注员的示范平均得分为零。
`scores` 是 float `[N]`，即各条示范的得分；请返回这个偏置，也就是要**加**到每个得分上的常数，一个没有维度的张量。
"""


# %% bias-answer answer="rm.bias"
def reward_bias(scores):
    """What to add, so that demonstrations score zero on average."""
    return -scores.mean()


# %% bias-answer lang="zh"
{
    "What to add, so that demonstrations score zero on average.": "加上多少，示范的平均得分才是零。",
}

# %% bias-check
check("rm.bias", reward_bias)

# %% bias-hint
# hint("rm.bias")

# %% bias-why [markdown] only="solution"
r"""
**Why.** {why:rm.bias}
"""

# %% bias-why [markdown] lang="zh" of="bcddc536"
r"""
**为什么？** {why:rm.bias}
"""

# %% shift-question [markdown]
r"""
## What a constant does

{question:rm.shift}

Somebody adds the number three to all the scores of **one** prompt, and leaves the other prompts alone. What happens to
the loss of Eq. 1 over all prompts? The first letter counts fully, a second one half.

- **A**: it goes up by three for that prompt.
- **B**: that prompt's part of it is multiplied by three.
- **C**: nothing.
- **D**: it changes, because that prompt's scores are now out of line with the other prompts'.
"""

# %% shift-question [markdown] lang="zh" of="6a003679"
r"""
## 加一个常数会怎样

{question:rm.shift}

有人给**一个**提示的所有得分都加三，别的提示不动。式 1 对全部提示的损失会怎样？第一次就选对，得满分；第二次选对，得一半。

- **A**：那个提示的损失增加三。
- **B**：损失中那个提示的部分变成三倍。
- **C**：没有变化。
- **D**：会变，因为那个提示的得分与别的提示不再相称。
"""

# %% shift-answer answer="rm.shift"
letter = "C"

# %% shift-check
check("rm.shift", letter)

# %% shift-hint
# hint("rm.shift")

# %% shift-why [markdown] only="solution"
r"""
**Why.** {why:rm.shift} The same constant for all prompts changes nothing either.
"""

# %% shift-why [markdown] lang="zh" of="db39f31b"
r"""
**为什么？** {why:rm.shift}给所有提示都加上同一个常数，也不会有变化。
"""

# %% best-question [markdown]
r"""
## Best of n

{question:rm.best_of_n}

The simplest use of a reward model needs no training: sample $n$ completions of a prompt, keep the one it likes best.
From `scores`, float `[B, n]`, one row a prompt, return the place of the best sample of each prompt, int `[B]`, counted
from zero. No two scores of a row are equal.
"""

# %% best-question [markdown] lang="zh" of="dddf1cc7"
r"""
## n 选一

{question:rm.best_of_n}

奖励模型最简单的用法不需要训练：为一个提示采样 $n$ 个回复，留下它最喜欢的那个。`scores` 是 float `[B, n]`，一行一个提示；
请返回每个提示最好的样本在第几个位置，int `[B]`，从零数起。同一行里没有相等的分数。
"""


# %% best-answer answer="rm.best_of_n"
def best_of_n(scores):
    """The place of the best sample of each prompt."""
    return scores.argmax(dim=-1)


# %% best-answer lang="zh"
{
    "The place of the best sample of each prompt.": "每个提示最好的样本的位置。",
}

# %% best-check
check("rm.best_of_n", best_of_n)

# %% best-hint
# hint("rm.best_of_n")

# %% best-why [markdown] only="solution"
r"""
**Why.** {why:rm.best_of_n} Nor does anything else that is the same for all samples of a prompt.
"""

# %% best-why [markdown] lang="zh" of="cc81672e"
r"""
**为什么？** {why:rm.best_of_n}凡是对同一提示的各个样本都相同的东西，都是这样。
"""

# %% bug-question [markdown]
r"""
## Scores out of nowhere

{question:rm.bug}

A class's reward model is right about long replies, and its scores of short ones change with whatever else is in the
batch. The model gives a value to every token of a row; the score of a reply is to be the value at its last token. Rows
are padded on the **right**.

`read_scores` gets `values`, float `[B, L]`, and `mask`, bool `[B, L]`, true on real tokens. Find the bug and mend the
function; it returns float `[B]`.
"""

# %% bug-question [markdown] lang="zh" of="4163f245"
r"""
## 来路不明的得分

{question:rm.bug}

有个班的奖励模型给长回复打分很准，短回复的得分却会随同一批里的其他回复而变。模型在一行的每个词元处都给出一个值；
回复的得分应该是它最后一个词元处的值。各行是在**右边**填充的。

`read_scores` 的参数是 `values`，float `[B, L]`，和 `mask`，bool `[B, L]`，后者在真实的词元上为真。请找出错误，把函数改好；它返回 float `[B]`。
"""


# %% bug-answer answer="rm.bug" only="exercise"
def read_scores(values, mask):
    """The score of each reply: the value at its last token."""
    return values[:, -1]


# %% bug-answer lang="zh"
{
    "The score of each reply: the value at its last token.": "每个回复的得分：最后一个词元处的值。",
}


# %% bug-answer answer="rm.bug" only="solution"
def read_scores(values, mask):
    """The score of each reply: the value at its last token."""
    last = mask.sum(-1) - 1
    return values.gather(1, last[:, None]).squeeze(1)


# %% bug-answer lang="zh"
{
    "The score of each reply: the value at its last token.": "每个回复的得分：最后一个词元处的值。",
}

# %% bug-check
check("rm.bug", read_scores)

# %% bug-hint
# hint("rm.bug")

# %% bug-why [markdown] only="solution"
r"""
**Why.** {why:rm.bug}
"""

# %% bug-why [markdown] lang="zh" of="03e8fb67"
r"""
**为什么？** {why:rm.bug}
"""

# %% ceiling-question [markdown]
r"""
## Predict, then measure: how often do two labelers agree?

{question:rm.ceiling}

Suppose that one completion of every pair is truly better, and that each labeler sees this correctly `right` of the
time, independently of the others. How often do **two** labelers prefer the same one? Write down your guess and why,
then measure it below:

- **A**: as often as one of them is right.
- **B**: as often as both are right.
- **C**: as often as both are right, or both are wrong.
- **D**: always, less the share of mistakes of the one and that of the other.

Your first guess counts: within two hundredths of theory it earns a point. The reason earns the others, each wrong
letter before it costs one. The measurement has to come out as near.
"""

# %% ceiling-question [markdown] lang="zh" of="c2725d26"
r"""
## 先预测，再测量：两位标注员有多常一致？

{question:rm.ceiling}

假设每一对里都有一个回复确实更好，而每位标注员看对的比例都是 `right`，彼此独立。**两位**标注员偏好同一个回复的比例是多少？
先写下你的猜测，选一个理由，再在下面测量：

- **A**：等于其中一位看对的比例。
- **B**：等于两人都看对的比例。
- **C**：等于两人都看对或都看错的比例。
- **D**：从全部里减去一人看错的比例，再减去另一人看错的比例。

猜测以第一次为准：与理论值之差不超过两个百分点，就得一分。其余的分看理由，答对之前每选错一个字母，就少一分。
测得的值也要这样接近。
"""

# %% ceiling-answer answer="rm.ceiling"
predicted = 0.84**2 + (1 - 0.84) ** 2
reason = "C"

# %% ceiling-run
right = 0.84
sees = torch.rand(2, 20_000) < right  # two labelers, many pairs
measured = (sees[0] == sees[1]).float().mean()

# %% ceiling-run lang="zh"
{
    "# two labelers, many pairs": "# 两位标注员，许多对",
}

# %% ceiling-check
check("rm.ceiling", measured, predicted, reason)

# %% ceiling-hint
# hint("rm.ceiling")

# %% ceiling-why [markdown] only="solution"
r"""
**Why.** {why:rm.ceiling} The paper's training labelers agreed {paper:agreement.training} of the time. A reward model that
predicts a labeler's choices as well as another labeler would is no mediocre one.
"""

# %% ceiling-why [markdown] lang="zh" of="5f9a3209"
r"""
**为什么？** {why:rm.ceiling}在论文里，参与训练的标注员彼此一致的比例是 {paper:agreement.training}。奖励模型若能像另一位标注员那样猜中一位标注员的选择，就绝不算平庸。
"""

# %% end
progress()
