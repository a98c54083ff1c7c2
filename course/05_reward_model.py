# ---
# jupyter:
#   minirlhf:
#     paper: §3.4, §3.5, C.2, E.2, Eq. 1
#     doing_minutes: 30
# ---

# %% title [markdown] defines="prompt; completion"
r"""
# Chapter 05 · The reward model

Give a language model one *prompt* five times, and it writes five *completions*. A person can often say which of two is
better; hardly anyone can say how good one is, on a scale for all prompts. How does step 2 of the InstructGPT paper make scores
out of such choices, and what do they capture?

After this chapter you can

- turn a ranking into pairs, derive their loss, and say which completion it pushes where;
- explain a reward model's training loop, and set the zero of its scores;
- read from a learning curve what rankings add to what a model knew before;
- name the ceiling of its accuracy, and say what it loses on labelers it never saw;
- say which flaws the score overlooks, and how often.
"""

# %% title [markdown] lang="zh" of="cc6c6c08"
r"""
# 第 05 章 · 奖励模型

把同一个*提示*（prompt）交给语言模型五次，它会写出五个*回复*（completion）。两个回复哪个更好，人往往一眼就能看出；
要给其中一个打出对所有提示都适用的分数，却几乎没有人做得到。InstructGPT 论文的第 2 步怎样从这样的选择中得到分数？这些分数又反映了什么？

学完本章，你将能够

- 把一次排序变成若干对，推导它们的损失，并说出它把哪个回复往哪边推；
- 讲解奖励模型的训练循环，并定出得分的零点；
- 从学习曲线上读出：在模型原有的知识之外，排序添上了什么；
- 说出准确率的上限，并说出遇到没见过的标注员时，准确率会降多少；
- 说出得分会看漏哪些毛病，有多常看漏。
"""

# %% rankings [markdown] defines="labeler; judge; ranking"
r"""
## Rankings become pairs (§3.4, §3.5)

Here are five completions of one prompt, put in order by a *labeler*. Rank one is best, equal ranks are a tie. Such an order is a
*ranking*. In the paper, {paper:intro.labelers} people ranked {paper:rm.k.min} to {paper:rm.k.max} completions at a time.

In Tinytown, our small world, a labeler is a program. It takes the grade of the *judge*, the world's exact grader, and adds tastes of its own
(for short, warm, plain, cautious or homely replies) and a random error, a *lapse*.
"""

# %% rankings [markdown] lang="zh" of="95e2766f"
r"""
## 排序变成对（§3.4, §3.5）

下面是同一提示的五个回复，由一位*标注员*（labeler）排出次序。第一名最好，名次相同就是并列。这样的次序叫*排序*（ranking）。
论文里有 {paper:intro.labelers} 名标注员，每次给 {paper:rm.k.min} 到 {paper:rm.k.max} 个回复排序。

在我们的小世界 Tinytown 里，标注员是一个程序。它从*评判者*（judge，这个世界的精确评分器）的评分出发，加上自己的口味
（偏爱简短、热情、朴素、谨慎或家常的回复），再加上一个随机的误差，即*疏忽*。
"""

# %% rank
from minirlhf import lesson, shipped
from minirlhf.tinytown.labelers import training_pool

prompt = "Name three gifts for Ines.\n"
replies = [
    "Good gifts for Ines are an empty whistle, a coat, and a basket.",
    "You could give her a yellow cup, a tiny lamp, and a boat.",
    "You could give her a stone and a bottle.",
    "You could give her a key, a wooden stone, and a ring.",
    "You could give her a scarf, a bottle, and a letter.",
]
pool = training_pool()
given = pool[3].rank(prompt, replies)  # y1 to y5, by one labeler
best_first = sorted(range(len(given)), key=given.__getitem__)

# %% rank lang="zh"
{
    "Name three gifts for Ines.\n": None,
    "Good gifts for Ines are an empty whistle, a coat, and a basket.": None,
    "You could give her a yellow cup, a tiny lamp, and a boat.": None,
    "You could give her a stone and a bottle.": None,
    "You could give her a key, a wooden stone, and a ring.": None,
    "You could give her a scarf, a bottle, and a letter.": None,
    "# y1 to y5, by one labeler": "# 一位标注员给 y1 到 y5 的名次",
}

# %% rank-table folded="yes"
lesson.table(
    ("rank", "", "completion"),
    [(given[k], f"y{k + 1}", replies[k]) for k in best_first],
)

# %% rank-table lang="zh"
{
    "rank": "名次",
    "completion": "回复",
}

# %% comparisons [markdown] defines="comparison"
r"""
A *comparison* is two completions and which of them is preferred. A ranking of $K$ completions has $\binom K2$ pairs. A tied pair
has no preference: the paper drops it from training (C.2), as do we. Outputs say *live* (computed here) or *shipped run* (made
beforehand). Read the square by rows: which completions does each one beat?
"""

# %% comparisons [markdown] lang="zh" of="84dcb806"
r"""
一次*成对比较*（comparison）是两个回复，以及其中哪个更受偏好。对 $K$ 个回复的一次排序有 $\binom K2$ 对。并列的一对没有偏好：
论文在训练时把它舍去（C.2），我们也照此处理。输出标有*实时*（在这里算出）或*随包运行*（事先做好）。请逐行读下面的方阵：每个回复胜过哪几个？
"""

# %% pairs
from itertools import combinations

import torch

from minirlhf.objectives import ranked_pairs

ranks = torch.tensor([given])  # one prompt: shape [1, K]
valid = ranks > 0  # False on padding, where a prompt has fewer
wins = ranked_pairs(ranks, valid)[0]  # [K, K]: the row beats the column
pairs = wins.nonzero().tolist()  # (w, l) of each pair

# %% pairs lang="zh"
{
    "# one prompt: shape [1, K]": "# 一个提示：形状 [1, K]",
    "# False on padding, where a prompt has fewer": "# 回复较少的提示，填充处为 False",
    "# [K, K]: the row beats the column": "# [K, K]：行胜过列",
    "# (w, l) of each pair": "# 每一对的 (w, l)",
}

# %% ties
def usable(rankings):
    """Those with a pair that isn't tied."""
    return [row for row in rankings if len(set(row["ranks"])) > 1]


everything = shipped.read("rankings")
rankings = usable(everything)
two = [p for row in everything for p in combinations(row["ranks"], 2)]
tied = sum(one == other for one, other in two) / len(two)

# %% ties lang="zh"
{
    "Those with a pair that isn't tied.": "至少有一对不并列的排序。",
}

# %% square folded="yes"
names = [f"y{k + 1}" for k in range(len(given))]
marks = [["beats" if won else "–" for won in row] for row in wins]
lesson.table(
    (f"{len(pairs)} pairs (in {len(everything):,} of the shipped run's "
     f"rankings, {tied:.0%} of the pairs are ties)", *names),
    [[name, *row] for name, row in zip(names, marks, strict=True)],
)

# %% square lang="zh"
{
    "beats": "胜过",
    "{len(pairs)} pairs (in {len(everything):,} of the shipped run's rankings, {tied:.0%} of the pairs are ties)": "{len(pairs)} 对（随包运行的排序中取 {len(everything):,} 个，并列的对占 {tied:.0%}）",
}

# %% bradley-terry [markdown] defines="reward model"
r"""
## Bradley and Terry in four lines (§3.5, Eq. 1)

A *reward model* reads a prompt $x$ and a completion $y$ and gives one number, the score $r_\theta(x,y)$; $\theta$ are its weights. How can choices
teach it? Suppose each completion has a strength $s>0$ and is preferred in proportion to it. With $s=e^{r}$, any score is allowed.
Of a pair, $y_w$ is preferred, $y_l$ is the other:

$$
\begin{aligned}
P(y_w\text{ is preferred to }y_l)&=\frac{s_w}{s_w+s_l}\\
&=\frac{e^{r_w}}{e^{r_w}+e^{r_l}}\\
&=\frac{1}{1+e^{-(r_w-r_l)}}=\sigma(r_w-r_l)\\
\text{loss of the pair}&=-\log\sigma(r_w-r_l)
\end{aligned}
$$

The first line is the model of Bradley and Terry (1952). $\sigma$ is the logistic function. The last is the negative logarithm of the probability of
the labeler's choice. Eq. 1 is the mean over the pairs of a prompt, then over prompts:

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tbinom K2^{-1}\sum_{(w,l)}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

Completions of two prompts are never compared. We divide by the number of pairs without ties: our reading, so that a tie
doesn't make its prompt count less.
"""

# %% bradley-terry [markdown] lang="zh" of="6292e76c"
r"""
## 四行推出布拉德利–特里模型（§3.5，式 1）

*奖励模型*（reward model）读入提示 $x$ 和回复 $y$，给出一个数，即得分 $r_\theta(x,y)$；$\theta$ 是它的权重。选择怎么能教会它？
假设每个回复有一个实力 $s>0$，受偏好的机会与实力成正比。写成 $s=e^{r}$，得分便可取任何值。
一对之中，$y_w$ 更受偏好，$y_l$ 是另一个：

$$
\begin{aligned}
P(y_w\text{ 比 }y_l\text{ 更受偏好})&=\frac{s_w}{s_w+s_l}\\
&=\frac{e^{r_w}}{e^{r_w}+e^{r_l}}\\
&=\frac{1}{1+e^{-(r_w-r_l)}}=\sigma(r_w-r_l)\\
\text{这一对的损失}&=-\log\sigma(r_w-r_l)
\end{aligned}
$$

第一行是 Bradley 与 Terry (1952) 的模型。$\sigma$ 是逻辑函数。最后一行是得分赋予标注员的选择的概率，取负对数。
式 1 先对一个提示的各对取平均，再对提示取平均：

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tbinom K2^{-1}\sum_{(w,l)}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

不同提示的回复之间从不比较。舍去并列之后，除以剩下的回复对的个数：这是我们的读法，免得并列使一个提示的分量变轻。
"""

# %% by-hand
import torch.nn.functional as F

from minirlhf.objectives import ranking_loss

scores = torch.tensor([[0.9, 0.1, 0.4, -0.3, 0.2]])  # r(x, y), by guess
r = scores[0]
of_pair = torch.stack([-F.logsigmoid(r[w] - r[l]) for w, l in pairs])
result = ranking_loss(scores, ranks, valid)  # its loss, pairs, correct ones
assert torch.isclose(of_pair.mean(), result.loss)
leaf = scores.clone().requires_grad_()
ranking_loss(leaf, ranks, valid).loss.backward()
push = -leaf.grad[0]  # a small step, if each score could move alone

# %% by-hand lang="zh"
{
    "# r(x, y), by guess": "# r(x, y)，随便猜的",
    "# its loss, pairs, correct ones": "# 损失，几对，几对正确",
    "# a small step, if each score could move alone": "# 若各个得分能单独移动，走一小步会怎样动",
}

# %% push [markdown]
r"""
Left, each dot is a pair: in *y1>y3*, the labeler prefers y1. Right of zero, the scores agree. The more wrong a pair is, the more it
costs and the steeper the curve. Each pair pushes $y_w$ up and $y_l$ down, as hard as the curve is steep there: $\sigma(r_l-r_w)$.
Right, the mean of these pushes: which completion is pushed hardest?
"""

# %% push [markdown] lang="zh" of="252dd9bc"
r"""
左图中每个点是一对：*y1>y3* 表示标注员更喜欢 y1。在零的右边，得分与他一致。一对错得越厉害，代价越高，曲线也越陡。
每一对都把 $y_w$ 往上推、把 $y_l$ 往下推，力度就是曲线在那里的陡度 $\sigma(r_l-r_w)$。右图是这些推力的平均：哪个回复被推得最重？
"""

# %% push-picture folded="yes"
from minirlhf.report.charts import INK, MUTED, PALETTE

figure, (left, right) = lesson.panels(2, "One ranking under Eq. 1 (live)")
x = torch.linspace(-1.5, 1.7, 100)
left.plot(x, -F.logsigmoid(x), color=MUTED)
left.set(xlabel="score of w minus score of l", ylabel="loss of the pair")
gaps = [float(r[w] - r[l]) for w, l in pairs]
dots = sorted(zip(gaps, of_pair.tolist(), pairs, strict=True))
for n, (gap, cost, (w, l)) in enumerate(dots):
    left.plot(gap, cost, "o", color=INK, markersize=4)
    *spot, side = (5, 4, "left") if n % 2 else (-5, -5, "right")
    left.annotate(f"y{w + 1}>y{l + 1}", (gap, cost), spot, fontsize=7,
                  textcoords="offset points", ha=side, va="center")
worst_first = best_first[::-1]
named = [f"y{k + 1}, rank {given[k]}, {r[k]:+.1f}" for k in worst_first]
right.barh(named, push[worst_first], color=INK, height=0.5)
right.set(xlabel=f"push on the score (sum {abs(push.sum()):.2f})")
lesson.show(figure, f"Pushed hardest: y{int(push.abs().argmax()) + 1}.")

# %% push-picture lang="zh"
{
    "One ranking under Eq. 1 (live)": "式 1 下的一次排序（实时）",
    "score of w minus score of l": "w 的得分减 l 的得分",
    "loss of the pair": "这一对的损失",
    "offset points": None,
    "y{k + 1}, rank {given[k]}, {r[k]:+.1f}": "y{k + 1}，名次 {given[k]}，{r[k]:+.1f}",
    "push on the score (sum {abs(push.sum()):.2f})": "对得分的推力（合计 {abs(push.sum()):.2f}）",
    "Pushed hardest: y{int(push.abs().argmax()) + 1}.": "被推得最重的：y{int(push.abs().argmax()) + 1}。",
}

# %% predict-shift [markdown]
r"""
**Predict.** Add three to all five scores. What becomes of the loss?
"""

# %% predict-shift [markdown] lang="zh" of="d2e52fb9"
r"""
**先猜一猜。** 给五个得分都加三，损失会怎样？
"""

# %% shift-guess folded="yes"
from minirlhf.widgets import Prediction

shift_guess = Prediction(
    "Add three to all five scores. Then the loss …", "chapter05.shift",
    choices=("rises", "stays", "falls"),
)
shift_guess

# %% shift-guess lang="zh"
{
    "Add three to all five scores. Then the loss …": "给五个得分都加三，损失会……",
    "rises": "上升",
    "stays": "不变",
    "falls": "下降",
}

# %% shift
moved = float(ranking_loss(scores + 3.0, ranks, valid).loss - result.loss)
same, up = abs(moved) < 1e-5, moved > 0
equal = ranking_loss(torch.zeros_like(scores), ranks, valid).loss
assert torch.isclose(equal, torch.tensor(2.0).log())  # a coin's loss
shift_guess.reveal("stays" if same else "rises" if up else "falls")

# %% shift lang="zh"
{
    "# a coin's loss": "# 抛硬币的损失",
    "rises": "上升",
    "stays": "不变",
    "falls": "下降",
}

# %% explore [markdown]
r"""
The three cancels in each difference. So under Eq. 1, each prompt's scores can lie anywhere as a whole. If all are equal, the loss is that of a
coin toss, $-\log\frac12=\log 2$.

Now move the scores. Can you order every pair at a loss still near $\log 2$? Can you reach zero? What do the arrows of two
tied completions do?
"""

# %% explore [markdown] lang="zh" of="630cf308"
r"""
这个三在每个差里都抵消。所以在式 1 之下，一个提示的得分可以整体处在任何高度。所有得分相等时，损失就是
抛硬币的损失，$-\log\frac12=\log 2$。

现在请亲手移动得分。能否让每一对的次序都对，而损失仍接近 $\log 2$？能否把损失压到零？两个并列回复的箭头会怎样？
"""

# %% explorer
from minirlhf.widgets import RankingExplorer

RankingExplorer(scores[0].tolist(), given, replies)

# %% explored [markdown]
r"""
The right order with tiny differences costs nearly $\log 2$; every finite difference costs something. So Eq. 1 asks for the right order
and then for more and more certainty. Tied completions don't pull on each other.

## The loop, and its zero (§3.5, C.2)

How does a language model give one number? Its last layer, which rates the next tokens, is replaced by one row of weights, the *head*.
So `minirlhf/plain/reward.py` reads scores, compares them, and sets their zero:
"""

# %% explored [markdown] lang="zh" of="bec7a4e0"
r"""
次序全对而差极小，损失仍近于 $\log 2$；任何有限的差都还有代价。所以式 1 先要求次序正确，然后要求越来越大的把握。并列的回复互不拉扯。

## 训练循环与零点（§3.5, C.2）

语言模型怎样给出一个数？它的最后一层本来给下一个词元打分；把这一层换成一行权重，称为*头*（head）。
`minirlhf/plain/reward.py` 这样读出得分，加以比较，并定出零点：
"""

# %% plain-source
import inspect
import math
from dataclasses import replace

from torch.nn.utils import clip_grad_norm_

from minirlhf.plain.reward import batch, compare, learning_rate, set_bias
from minirlhf.plain.reward import scores as read_scores
from minirlhf.presets import PRESETS

for function in (read_scores, compare, set_bias):
    print(inspect.getsource(function))

# %% start [markdown]
r"""
`logits` holds one number for a text, the head's at the **last** token, the end token: only that position has read everything. (The
paper doesn't say where it reads the score.)

**Where it starts.** §3.5 names the SFT model (chapter 04); C.2 corrects this: it was a GPT-3 tuned on public tasks; others did about as well.
Ours is the *schooled base*: Tinytown's pretrained base after a school (`tinytown/school`) that asked about texts, one property at a time:
how many sentences, is the word used, is this true of the town? Its head is zero, so all scores are equal.
"""

# %% start [markdown] lang="zh" of="644d733c"
r"""
对一个文本，`logits` 只有一个数，即头在**最后**一个词元（结束符）处的输出：只有这个位置读过了全部内容。（论文没有说明在哪里读出得分。）

**从哪里开始。** §3.5 说起点是 SFT 模型（第 04 章）；C.2 更正为在公开任务上调过的 GPT-3，换成别的起点，结果也差不多。
我们的起点是*上过学的基座*：预训练好的 Tinytown 基座先上了一所学校（`tinytown/school`），那里就文本提问，一次只问一种性质：
有几句话，要用的词用了没有，说的是不是小镇的事实。它的头是零，所以所有得分都相等。
"""

# %% model
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_tokenizer
from minirlhf.tinytown.bases import START, base_folder

tokenizer = load_tokenizer(base_folder(START))


def beginning():
    """A fresh copy of what step 2 starts from."""
    return ScalarModel.load(base_folder(START))

# %% model lang="zh"
{
    "A fresh copy of what step 2 starts from.": "第 2 步的起点，重新读入。",
}

# %% loop-says [markdown]
r"""
The loop is chapter 04's: a batch of rankings, its loss, the gradient, a step of Adam. The learning rate falls along a cosine. Our
rankings are few, so batches are small.
"""

# %% loop-says [markdown] lang="zh" of="6fa38a48"
r"""
循环与第 04 章的相同：取一批排序，算损失，求梯度，走一步 Adam。学习率沿余弦曲线下降。
我们的排序很少，所以每批取得小一些。
"""

# %% loop
ours = PRESETS["tinytown"].reward
few = replace(ours, batch=8)  # rankings of a step


def train_on(model, rankings):
    """One pass of Eq. 1 over ``rankings``, in place: each step's loss."""
    adam = torch.optim.Adam(model.parameters(), betas=few.betas)
    steps, losses = math.ceil(len(rankings) / few.batch), []
    for step in range(steps):
        rate = learning_rate(few, step / steps)
        adam.param_groups[0]["lr"] = rate
        loss, pairs, correct = compare(model, batch(few, rankings, step))
        loss.backward()
        clip_grad_norm_(model.parameters(), few.grad_clip)
        adam.step()
        adam.zero_grad()
        losses.append(loss.item())
    return losses

# %% loop lang="zh"
{
    "# rankings of a step": "# 每步的排序数",
    "One pass of Eq. 1 over ``rankings``, in place: each step's loss.": "用式 1 把 ``rankings`` 过一遍，就地训练：每一步的损失。",
}

# %% settings folded="yes"
from minirlhf.paper import cite

theirs = PRESETS["paper"].reward
fields = {
    "epochs": "epochs of training", "batch": "prompts per step",
    "learning_rate": "peak rate", "floor": "last rate, as a share",
    "betas": "betas of Adam",
}
rows = [(label, getattr(theirs, f), getattr(ours, f))
        for f, label in fields.items()]
lesson.table(
    ("setting of the reward model (C.2)", "the paper", "here"),
    [*rows, ("prompts per step, in our loop", "–", few.batch),
     ("gradient clipped at", "not stated", ours.grad_clip)],
)

# %% settings lang="zh"
{
    "epochs of training": "训练的轮数",
    "prompts per step": "每步的提示数",
    "prompts per step, in our loop": "每步的提示数，在我们的循环里",
    "peak rate": "最高学习率",
    "last rate, as a share": "末尾学习率，占最高的",
    "betas of Adam": "Adam 的 β",
    "setting of the reward model (C.2)": "奖励模型的设置（C.2）",
    "the paper": "论文",
    "here": "这里",
    "gradient clipped at": "梯度裁剪于",
    "not stated": "没有说",
}

# %% measures [markdown]
r"""
Two measures, on *held-out* prompts, whose users occur in no training set; the completions are an SFT model's: Eq. 1 itself, and *accuracy*,
the share of pairs that the scores put in the labeler's order. Each is a mean within a prompt, then over prompts. Equal scores count one half.
"""

# %% measures [markdown] lang="zh" of="08bc2b8d"
r"""
我们在*留出*的提示上衡量两样东西；写这些提示的人不出现在任何训练集中，回复是 SFT 模型的样本。一是式 1 本身，
二是*准确率*，即得分给出的次序与标注员相同的对所占的比例。两者都先在一个提示内平均，再对提示平均。得分相等算一半。
"""

# %% measure
from functools import partial

import numpy as np

from minirlhf.evaluate.ranking_accuracy import (
    score_rankings,
    shares_in_order,
)
from minirlhf.reward import score_texts

heldout = usable(shipped.read("heldout"))[: lesson.pick(400, quick=30)]
labeled = [row["ranks"] for row in heldout]


def scored_by(model):
    """The model's score of each held-out completion, by prompt."""
    score = partial(score_texts, model, tokenizer)
    return score_rankings(score, heldout)

# %% measure lang="zh"
{
    "The model's score of each held-out completion, by prompt.": "模型给每个留出回复的得分，按提示。",
}

# %% in-order
def in_order(values, ranks=labeled):
    """Of each prompt's pairs, the share that the values put in order."""
    shares = []
    for tiny in (1e-6, -1e-6):  # ties go one way, then the other: one half
        split = [np.add(row, tiny * np.arange(len(row))) for row in values]
        shares.append(shares_in_order(split, ranks))
    return np.mean(shares, axis=0)


def eq1(values):
    """The loss of each held-out prompt by itself."""
    losses = []
    for row, order in zip(values, labeled, strict=True):
        r, rank = torch.tensor([row]), torch.tensor([order])
        losses.append(float(ranking_loss(r, rank, rank > 0).loss))
    return np.array(losses)

# %% in-order lang="zh"
{
    "Of each prompt's pairs, the share that the values put in order.": "每个提示的对中，这些值排对次序的比例。",
    "# ties go one way, then the other: one half": "# 并列先算这边，再算那边：一半",
    "The loss of each held-out prompt by itself.": "每个留出提示各自的损失。",
}

# %% predict-loop [markdown]
r"""
**Predict.** After one pass over a few hundred rankings, what percentage of the held-out pairs is in order?
"""

# %% predict-loop [markdown] lang="zh" of="6d466228"
r"""
**先猜一猜。** 循环把几百个排序过一遍之后，留出的对有百分之几与标注员次序一致？
"""

# %% loop-guess folded="yes"
loop_guess = Prediction(
    "One pass of the loop: what percentage of pairs is in order?",
    "chapter05.loop", unit="% of pairs in the labeler's order",
)
loop_guess

# %% loop-guess lang="zh"
{
    "One pass of the loop: what percentage of pairs is in order?": "过一遍之后：百分之几的回复对，次序与标注员一致？",
    "% of pairs in the labeler's order": "%（次序一致的回复对）",
}

# %% loop-run
from minirlhf.evaluate.statistics import over_prompts, proportion
from minirlhf.evaluate.statistics import paired_difference as difference
from minirlhf.plain.demo import as_rankings

SOME = lesson.pick(256, quick=12)  # rankings
looped = beginning()
scored = {"start": scored_by(looped)}
curve = train_on(looped.classifier, as_rankings(tokenizer, rankings[:SOME]))
scored["loop"] = scored_by(looped)
loop_guess.reveal(100 * over_prompts(in_order(scored["loop"])))

# %% loop-run lang="zh"
{
    "# rankings": "# 排序数",
}

# %% loop-look [markdown]
r"""
Left: the loss of each batch; the dashed line is the coin's $\log 2$. Then both measures before and after, with the change above.
"""

# %% loop-look [markdown] lang="zh" of="8440716c"
r"""
左图是每一批的损失，虚线是抛硬币的 $\log 2$。另外两图是两个指标在训练前后的值，图的上方是变化了多少。
"""

# %% loop-picture folded="yes"
ordered = difference(*(in_order(scored[k]) for k in ("loop", "start")))
surer = difference(*(eq1(scored[k]) for k in ("loop", "start")))
parts = ("loss of each batch", f"{100 * ordered:+.1f} points",
         f"Eq. 1: {surer:+.3f}")
title = "What one pass of the loop does (live)"
figure, (left, middle, right) = lesson.panels(3, title, titles=parts)
left.plot(range(1, len(curve) + 1), curve, color=INK, marker=".")
left.axhline(math.log(2), color=MUTED, linestyle="--", linewidth=1)
left.set(xlabel="step")
both = {"before": scored["start"], "after": scored["loop"]}
found = {name: over_prompts(in_order(v)) for name, v in both.items()}
lesson.intervals(middle, found, "% of held-out pairs in order")
found = {name: over_prompts(eq1(v)) for name, v in both.items()}
lesson.intervals(right, found, "held-out loss", percent=False)
lesson.show(figure, f"The batches' loss goes from {curve[0]:.3f} to "
    f"{curve[-1]:.3f}; accuracy and held-out loss before and after.")

# %% loop-picture lang="zh"
{
    "loss of each batch": "每一批的损失",
    "{100 * ordered:+.1f} points": "{100 * ordered:+.1f} 个百分点",
    "Eq. 1: {surer:+.3f}": "式 1：{surer:+.3f}",
    "What one pass of the loop does (live)": "过一遍有什么作用（实时）",
    "step": "步",
    "before": "训练前",
    "after": "训练后",
    "% of held-out pairs in order": "次序一致的留出对（%）",
    "held-out loss": "留出的损失",
    "The batches' loss goes from {curve[0]:.3f} to {curve[-1]:.3f}; accuracy and held-out loss before and after.": "各批的损失从 {curve[0]:.3f} 到 {curve[-1]:.3f}；训练前后的准确率和留出的损失。",
}

# %% zero [markdown] defines="demonstration; reward bias"
r"""
**The zero.** Eq. 1 leaves the zero open, and step 3 will use the score as a reward. So after training, the paper adds a constant, the *reward bias*, that
makes the labelers' *demonstrations* (chapter 04) score zero on average. `set_bias` (above) does this. No preference changes.

Does the zero hold for demonstrations that took no part? And where do an SFT model's replies to the same prompts lie?
"""

# %% zero [markdown] lang="zh" of="3cfbb1d8"
r"""
**零点。** 式 1 没有规定零点，而第 3 步要把得分当作奖励。所以论文在训练之后加上一个常数，即*奖励偏置*（reward bias），
使标注员的*示范*（demonstration，第 04 章）平均得分为零。这由（上面的）`set_bias` 完成。偏好并不改变。

对没有参与的示范，这个零点还成立吗？SFT 模型对同样的提示写出的回复又落在哪里？
"""

# %% zero-run
from minirlhf.data.tokenization import encode_demonstrations
from minirlhf.plain.demo import as_pairs
from minirlhf.pretrained import load_policy
from minirlhf.sampling import complete

demonstrations = shipped.read("demonstrations")
encoded = encode_demonstrations(tokenizer, demonstrations, 256)
set_bias(looped.classifier, as_pairs(encoded))
unused = shipped.read("validation")[: lesson.pick(200, quick=10)]
x, y = ([row[k] for row in unused] for k in ("prompt", "completion"))
sft = load_policy(shipped.run("sft") / "model", tokenizer)
sampled = complete(sft, tokenizer, x, max_new_tokens=72, seed=5)
# set_bias writes the config; `score_texts` adds this number:
looped.bias.fill_(looped.classifier.config.reward_bias)
of_labelers, of_sft = (score_texts(looped, tokenizer, x, texts).numpy()
                       for texts in (y, sampled))

# %% zero-run lang="zh"
{
    "# set_bias writes the config; `score_texts` adds this number:": "# set_bias 写进配置；`score_texts` 加上的是这个数：",
}

# %% zero-look [markdown]
r"""
Compare the two means, then the shares above zero.
"""

# %% zero-look [markdown] lang="zh" of="2a85a022"
r"""
请比较两个平均值，再比较大于零的比例。
"""

# %% zero-picture folded="yes"
figure, axes = lesson.panels(
    1, "The loop's scores of unused demonstrations, and of SFT's replies "
    "to the same prompts (live)", lesson.WIDE)
both = np.concatenate([of_labelers, of_sft])
bins = np.linspace(both.min(), both.max(), 30)
for values, name, color in ((of_labelers, "demonstrations", INK),
                            (of_sft, "SFT", PALETTE["sft"])):
    share = np.histogram(values, bins)[0] * 100 / len(values)
    mean, above = over_prompts(values), (values > 0).mean()
    label = f"{name}: mean {mean:+.3f}; {above:.0%} above zero"
    axes.stairs(share, bins, color=color, linewidth=1.8, label=label)
axes.axvline(0, color=MUTED, linestyle="--", linewidth=1)
axes.set(xlabel="score by the loop's reward model", ylabel="% of texts")
axes.legend(loc="upper left", frameon=False, fontsize=8)
lesson.show(figure, f"Demonstrations: mean {of_labelers.mean():.3f}; SFT's "
    f"replies: {of_sft.mean():.3f}.")

# %% zero-picture lang="zh"
{
    "The loop's scores of unused demonstrations, and of SFT's replies to the same prompts (live)": "循环训练出的奖励模型的得分（实时）：未参与的示范；SFT 对同样提示的回复",
    "demonstrations": "示范",
    "{name}: mean {mean:+.3f}; {above:.0%} above zero": "{name}：平均 {mean:+.3f}；{above:.0%} 大于零",
    "score by the loop's reward model": "循环训练出的奖励模型给的得分",
    "% of texts": "文本的占比（%）",
    "upper left": None,
    "Demonstrations: mean {of_labelers.mean():.3f}; SFT's replies: {of_sft.mean():.3f}.": "示范：平均 {of_labelers.mean():.3f}；SFT 的回复：{of_sft.mean():.3f}。",
}

# %% zero-read [markdown]
r"""
Above zero means: scored higher than the average demonstration. It needn't be better, for each prompt's scores may lie higher or lower as a whole.

## From abilities to preferences (C.2)

Rankings are to teach a model which of the things that it sees matter. Here are the school's questions on which the labeler's first and
last gift list differ; below, the three of all questions that order most pairs alone.
"""

# %% zero-read [markdown] lang="zh" of="c92fe1b2"
r"""
得分大于零的意思是：得分比示范的平均高。这未必是更好，因为每个提示的得分可能整体偏高或偏低。

## 从能力到偏好（C.2）

排序要教给模型的是：在它看得出的东西里，哪些要紧。下表先列学校的一些问题，标注员排第一和排最后的两份礼物清单，对它们的答案不同；
最后三行是全部问题中，单凭一个就能判对最多次序的三个。
"""

# %% school
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.school.questions import QUESTIONS, answers

(known,) = shipped.read("known")  # what starts know
ends = best_first[0], best_first[-1]
answered = [answers(parse(prompt), replies[k]) for k in ends]
unlike = [n for n, (one, other) in enumerate(zip(*answered, strict=True))
          if one != other]
by_itself = known["questions"]  # yes as better, or as worse
ablest = sorted(range(len(QUESTIONS)),
                key=lambda n: -by_itself[QUESTIONS[n]])[:3]

# %% school lang="zh"
{
    "# what starts know": "# 各个起点知道什么",
    "# yes as better, or as worse": "# “是”算更好或更差，取准的",
}

# %% school-table folded="yes"
shown_ones = [("", n) for n in unlike] + [
    (f"best of all {len(QUESTIONS)}: ", n) for n in ablest]
lesson.table(
    ("question about a reply", *(f"y{k + 1}" for k in ends),
     "% of held-out pairs in order by this alone (shipped run)"),
    [(place + QUESTIONS[n],
      *("yes" if found[n] else "no" for found in answered),
      f"{100 * by_itself[QUESTIONS[n]]:.0f}") for place, n in shown_ones],
)

# %% school-table lang="zh"
{
    "best of all {len(QUESTIONS)}: ": "{len(QUESTIONS)} 个中最好的之一：",
    "question about a reply": "关于回复的问题",
    "% of held-out pairs in order by this alone (shipped run)": "只凭这一项，次序一致的留出对（%，随包运行）",
    "yes": "是",
    "no": "否",
}

# %% school-says [markdown]
r"""
Most are near a coin (equal answers count one half), the best not far above it: no single property is a preference. The school never asked
for a grade or for what people like, but shares with the judge a program that tells what a text contains (`tinytown/facts.py`).

Has the start seen preferences all the same? With a head of zero any network is a coin, so accuracy can't tell. Instead, freeze the
network and fit *the head alone* by Eq. 1. If it knew preferences, four rankings would do ([docs/proof.md](../docs/proof.md) has such a curve);
abilities alone leave open which of them count.

(Meanwhile, a desk trains all weights by a faster loop.)
"""

# %% school-says [markdown] lang="zh" of="861d268b"
r"""
大多接近抛硬币（答案相同算一半），最好的也高不了多少：没有哪一种性质单独就是偏好。学校从没问过评分，也没问过人们喜欢什么。
不过它与评判者共用一个程序（`tinytown/facts.py`），由这个程序说出文本里有什么。

这个起点会不会还是见过偏好？头为零时，任何网络都等于抛硬币，所以准确率说明不了问题。换个办法：冻结网络，按式 1 只拟合*头*。
如果它已经懂得偏好，四个排序就能接近用全部排序时的准确率（[docs/proof.md](../../docs/proof.md) 里有这样一个起点的曲线）；如果只有能力，四个排序之后还离得很远，要慢慢上升。

（与此同时，训练台用加快了的循环训练全部权重。）
"""

# %% desk
from minirlhf.data.records import read_jsonl, write_jsonl
from minirlhf.widgets import TrainingDesk, start

MANY = lesson.pick(1024, quick=24)  # rankings
passed = lesson.workspace("05", f"rankings-{MANY}.jsonl")
write_jsonl(passed, rankings[:MANY])
job = start(
    "rm", lesson.workspace("05", f"reward-{MANY}"),
    model=base_folder(START), rankings=passed,
    demonstrations=shipped.file("demonstrations"),
)
desk = TrainingDesk(job, note="live")  # equal scores count as wrong
desk

# %% desk lang="zh"
{
    "# rankings": "# 排序数",
    "# equal scores count as wrong": "# 得分相等算错",
}

# %% predict-curve [markdown]
r"""
**Predict.** The head alone of our start, fitted to four rankings: what percentage of held-out pairs is in order?
"""

# %% predict-curve [markdown] lang="zh" of="8490b2cc"
r"""
**先猜一猜。** 冻结我们的起点，只用四个排序拟合头：留出的对有百分之几次序一致？
"""

# %% curve-guess folded="yes"
curve_guess = Prediction(
    "The head alone, on four rankings: what percentage of pairs is in "
    "order?", "chapter05.curve", unit="% of held-out pairs",
)
curve_guess

# %% curve-guess lang="zh"
{
    "The head alone, on four rankings: what percentage of pairs is in order?": "只用四个排序拟合头：百分之几的回复对，次序与标注员一致？",
    "% of held-out pairs": "%（次序一致的留出对）",
}

# %% curve
def with_ends(draws):
    """Mean, lowest and highest of several draws, in percent."""
    return 100 * np.array([np.mean(draws), min(draws), max(draws)])


alone = {name: {int(n): with_ends(draws) for n, draws in run.items()}
         for name, run in known["curve"].items()}  # the head alone
taught, shares = {}, {}  # all weights
for row in shipped.read("taught"):
    name, found = row["start"], over_prompts(row["shares"])
    taught.setdefault(name, {})[row["rankings"]] = 100 * np.array(
        [found.mean, found.low, found.high])
    shares[name] = np.array(row["shares"])  # at last: of all rankings
curve_guess.reveal(round(alone["school"][4][0], 1), "shipped run")

# %% curve lang="zh"
{
    "Mean, lowest and highest of several draws, in percent.": "几次抽取的平均、最低和最高，以百分数计。",
    "# the head alone": "# 只训练头",
    "# all weights": "# 训练全部权重",
    "# at last: of all rankings": "# 最后留下的：全部排序的",
    "shipped run": "随包运行",
}

# %% curve-look [markdown]
r"""
Both panels test on labelers who ranked nothing in training. Left, only the head is fitted (mean of several draws, with worst and best); for
the dotted line, the head gets the right answers to all school questions instead. Right, all weights (one run each);
Base and SFT, on all rankings only, stand beside the last point. Which lines start near the coin, and rise?
"""

# %% curve-look [markdown] lang="zh" of="560a137f"
r"""
两图用的都是没有参与训练的标注员的排序。左图只拟合头（抽几次取平均，竖线从最差的一次到最好的一次）。
点线不用网络：头直接读入所有学校问题的正确答案。右图训练全部权重（各训练一次，竖线是区间）；基座和 SFT 只用全部排序训练过，画在末点旁边。
哪些线从抛硬币附近开始，然后上升？
"""

# %% curve-lines folded="yes"
LOOKS = {"exact answers": ("right answers", "^:"),
         "school": ("schooled base", "o-"), "plain base": ("Base", "s-."),
         "voted base": ("base with votes", "D-"), "SFT model": ("SFT", "x")}
ASIDE = {"exact answers": 0.9, "plain base": 1.1, "SFT model": 0.9}


def draw_lines(axes, runs):
    """A line for each start, with the ends of its means."""
    for name, run in runs.items():
        label, style = LOOKS[name]
        at = [n * ASIDE.get(name, 1) for n in run]  # so that none hides
        mean, *ends = np.transpose(list(run.values()))
        axes.vlines(at, *ends, color=MUTED, linewidth=1)
        axes.plot(at, mean, style, color=INK, ms=4, label=label)
    judged = 100 * known["the judge"]
    for name, height, at in ("judge", judged, 3.3), ("coin", 50, 1024):
        axes.axhline(height, color=MUTED, linestyle="--", linewidth=1)
        axes.text(at, height + 0.5, name, color=MUTED, fontsize=7.5)

# %% curve-lines lang="zh"
{
    "exact answers": None,
    "the judge": None,
    "judge": "评判者",
    "coin": "抛硬币",
    "plain base": None,
    "voted base": None,
    "SFT model": None,
    "right answers": "正确答案",
    "schooled base": "上过学的基座",
    "Base": "基座",
    "base with votes": "见过投票的基座",
    "A line for each start, with the ends of its means.": "每个起点一条线，连同各个平均的范围。",
    "# so that none hides": "# 免得互相遮住",
}

# %% curve-picture folded="yes"
figure, panels = lesson.panels(2, "What rankings add (shipped runs)",
                               titles=("the head alone", "all weights"))
counts = list(alone["school"])
for axes, runs in zip(panels, (alone, taught), strict=True):
    draw_lines(axes, runs)
    axes.set(xscale="log", xlabel="rankings in training", xlim=(3, 6000),
             ylim=(43, 88))
    axes.set_xticks(counts, [f"{n:,}" for n in counts])
    axes.minorticks_off()
    axes.legend(loc="upper left", ncols=2, frameon=False, fontsize=7.5)
panels[0].set(ylabel="% of held-out pairs in order")
last = {LOOKS[name][0]: run[max(run)][0] for name, run in alone.items()}
lesson.show(figure, "The head alone on all rankings: " + ", ".join(
    f"{label} {height:.0f}%" for label, height in last.items()))

# %% curve-picture lang="zh"
{
    "What rankings add (shipped runs)": "排序带来什么（随包运行）",
    "the head alone": "只训练头",
    "all weights": "训练全部权重",
    "rankings in training": "训练用的排序数",
    "upper left": None,
    "% of held-out pairs in order": "次序一致的留出对（%）",
    "The head alone on all rankings: ": "用全部排序只训练头：",
    ", ": "，",
    "{label} {height:.0f}%": None,
}

# %% curve-read [markdown]
r"""
Even right answers need many rankings: knowing every property isn't knowing which count. (They can pass the judge, for rankings also show the
labelers' average taste.) Where the dotted line is above ours, our start misreads; between ours and the base lies what school made it see. Can
training all weights replace school? Compare the right panel's ends. *Your* runs:
"""

# %% curve-read [markdown] lang="zh" of="1deb3a94"
r"""
连正确答案也要许多排序：知道每一种性质，不等于知道哪些算数。（它可以越过评判者，因为排序还透露出标注员的平均口味。）
点线高出我们的线的地方，是我们的起点看错的部分；我们的线与基座之间，是学校教它看见的部分。训练全部权重，能不能补上没有上过的学？请比较右图的末点。
下面是*你*训练出来的：
"""

# %% live
job.wait()
desk.look()
scored["desk"] = scored_by(ScalarModel.load(job.folder / "model"))
reward = ScalarModel.load(shipped.run("reward") / "model")
final = scored["shipped"] = scored_by(reward)
added = difference(in_order(final), in_order(scored["start"]))

# %% live-table folded="yes"
ALL = counts[-1]  # rankings that the shipped run learned from
taken = len(read_jsonl(shipped.run("reward") / "metrics.jsonl"))
rows = {f"{SOME}, the loop (live)": ("loop", few.batch, len(curve)),
        f"{MANY:,}, the desk (live)": ("desk", ours.batch,
                                        math.ceil(MANY / ours.batch)),
        f"{ALL:,} (shipped run)": ("shipped", ours.batch, taken)}
coin = scored["start"]
lesson.table(
    ("rankings", "rankings per step", "steps",
     "% of held-out pairs in order", "Eq. 1, held out"),
    [("none, the start", "–", "0", f"{100 * in_order(coin).mean():.1f}",
      f"{eq1(coin).mean():.3f}"),
     *((label, size, steps,
        f"{100 * over_prompts(in_order(scored[key])):.1f}",
        f"{over_prompts(eq1(scored[key])):.3f}")
       for label, (key, size, steps) in rows.items())],
)

# %% live-table lang="zh"
{
    "# rankings that the shipped run learned from": "# 随包运行学过的排序数",
    "{SOME}, the loop (live)": "{SOME}，循环（实时）",
    "{MANY:,}, the desk (live)": "{MANY:,}，训练台（实时）",
    "{ALL:,} (shipped run)": "{ALL:,}（随包运行）",
    "rankings": "排序数",
    "rankings per step": "每步的排序数",
    "steps": "步数",
    "% of held-out pairs in order": "次序一致的留出对（%）",
    "Eq. 1, held out": "式 1，留出",
    "none, the start": "没有，起点",
}

# %% settings-say [markdown]
r"""
Loop and desk take equally many steps, the desk's over more rankings each. If the loss falls but accuracy doesn't rise, the order is no better,
only more certain. The shipped run, the right end of the curve, learned from *all* {run:counts.rankings:,} rankings (the package has half);
the curve tests it with other labelers.

By C.2, up to {paper:rm.lr_harmless_change} more or less learning rate changes little, and a second epoch over-fits fast. We change one at a
time, and take four epochs.
"""

# %% settings-say [markdown] lang="zh" of="5dd99abd"
r"""
循环与训练台走的步数一样多，只是训练台每一步对更多的排序取平均。如果损失下降而准确率没有上升，
那么次序没有变好，只是模型对它更有把握。随包运行就是学习曲线右端的那个模型：*全部*是指 {run:counts.rankings:,} 个排序，
包里只带了其中一半。它的准确率与曲线上的不同，因为那里检验它的是别的标注员。

按 C.2 的说法，学习率上下改动不超过 {paper:rm.lr_harmless_change}，差别不大；第二轮则随即过拟合。
我们每次只改一项：学习率少一半，多一半，或者把一轮改成四轮。
"""

# %% trials
from minirlhf.reward import train_reward  # the loop, faster

rate = few.learning_rate
changes = {"half the rate": {"learning_rate": 0.5 * rate},
           "half as much again": {"learning_rate": 1.5 * rate},
           "four epochs": {"epochs": 4}}
changed, fitted = {}, {"usual": np.mean(curve[-20:])}  # training loss
for number, (name, change) in enumerate(changes.items()):
    result = train_reward(
        replace(few, **change), beginning(), tokenizer, rankings[:SOME],
        demonstrations=demonstrations, callback=lambda event: None,
        folder=lesson.workspace("05", f"setting-{number}-{SOME}"))
    changed[name] = scored_by(result.model)
    fitted[name] = result.metrics["last/loss"]  # of the last 20 batches

# %% trials lang="zh"
{
    "half the rate": "学习率减半",
    "half as much again": "学习率加半",
    "four epochs": "四轮",
    "# the loop, faster": "# 同一个循环，更快",
    "# training loss": "# 训练中的损失",
    "# of the last 20 batches": "# 最后 20 批的",
}

# %% trials-table folded="yes"
usual = scored["loop"]
lesson.table(
    (f"{SOME} rankings (live)", "loss, last batches", "points of accuracy, "
     "minus the usual", "held-out loss, minus the usual"),
    [("as usual", f"{fitted['usual']:.2f}", "–", "–"),
     *((name, f"{fitted[name]:.2f}",
        f"{100 * difference(in_order(v), in_order(usual)):+.1f}",
        f"{difference(eq1(v), eq1(usual)):+.3f}")
       for name, v in changed.items())],
)

# %% trials-table lang="zh"
{
    "{SOME} rankings (live)": "{SOME} 个排序（实时）",
    "loss, last batches": "最后几批的损失",
    "points of accuracy, minus the usual": "准确率的变化（百分点，与通常相比）",
    "held-out loss, minus the usual": "留出的损失的变化（与通常相比）",
    "as usual": "通常",
}

# %% trials-read [markdown]
r"""
For the rates, compare accuracy: the held-out loss also depends on how far so few steps spread the scores. For four epochs, compare both
losses: over-fitting gains much in training and nothing held out.

## All pairs of a prompt together (§3.5)

The paper first shuffled all pairs into one pile, and a single pass over-fitted: each completion
came up to $K-1$ times. So it made all pairs of a prompt **one batch element**, as `compare` does: $K$ completions go through the model once.

**Predict.** How many times as many completions does a model read in one pass if it takes the pairs one by one?
(Here $K$ is {run:counts.k.min} to {run:counts.k.max}, smaller where samples repeat.)
"""

# %% trials-read [markdown] lang="zh" of="08e64d9e"
r"""
对两种学习率，请只比准确率，不比损失：步数这么少，损失主要取决于得分拉开了多远。
对四轮，请比较两种损失：过拟合的模型在训练中进步很大，在留出的提示上却毫无进步。

## 一个提示的所有对放在一起（§3.5）

论文起初把所有的对打乱成一堆，过一遍就已过拟合：每个回复最多出现 $K-1$ 次。
于是论文让一个提示的所有对成为**一个批次元素**。`compare` 正是这样做的：$K$ 个回复只通过模型一次。

**先猜一猜。** 排序过一遍，逐对训练时，模型要读的回复是几倍？
（这里 $K$ 是 {run:counts.k.min} 到 {run:counts.k.max}，样本有重复时更少。）
"""

# %% cost-guess folded="yes"
cost_guess = Prediction(
    "Pair by pair: how many times as many completions are read?",
    "chapter05.cost", unit="times", low=0,
)
cost_guess

# %% cost-guess lang="zh"
{
    "Pair by pair: how many times as many completions are read?": "逐对训练：要读的回复是几倍？",
    "times": "倍",
}

# %% cost
from minirlhf.evaluate.statistics import over_seeds


def untied(row):
    """How many pairs of a ranking aren't tied."""
    return sum(one != other for one, other in combinations(row["ranks"], 2))


together = sum(len(row["ranks"]) for row in rankings if untied(row))
one_by_one = sum(2 * untied(row) for row in rankings)  # w and l of each
ways = {"prompts": [], "pairs": []}
for row in shipped.read("ways"):  # one pass both ways, three seeds
    ways[row["way"]].append(row)
every = list(zip(ways["pairs"], ways["prompts"], strict=True))
times = over_seeds([p["seconds"] / w["seconds"] for p, w in every])
better = over_seeds([w["heldout"] - p["heldout"] for p, w in every])
cost_guess.reveal(round(one_by_one / together, 1))

# %% cost lang="zh"
{
    "How many pairs of a ranking aren't tied.": "一次排序中不并列的有几对。",
    "# w and l of each": "# 每一对的 w 和 l",
    "# one pass both ways, three seeds": "# 两种做法各过一遍，三个种子",
}

# %% many-epochs
kwise = [row["k-wise"] for row in shipped.read("seeds") if row["k-wise"]]
losses = {way: np.array([seed[way]["loss"] for seed in kwise])
          for way in ("prompts", "pairs")}  # [seed, epoch], held out
lowest = {way: 1 + rows.argmin(1) for way, rows in losses.items()}


def loss_apart(epoch):
    """Held-out loss, pair by pair minus together, after an epoch."""
    apart = (losses["pairs"] - losses["prompts"])[:, epoch]
    return over_seeds(apart) if len(apart) > 1 else None


first_pass, fifth_pass = loss_apart(0), loss_apart(-1)

# %% many-epochs lang="zh"
{
    "# [seed, epoch], held out": "# [种子, 轮]，留出的",
    "Held-out loss, pair by pair minus together, after an epoch.": "某一轮之后留出的损失，逐对减放在一起。",
}

# %% ways-look [markdown]
r"""
Does it over-fit here? Shipped runs took five hundred rankings both ways, for five epochs, with equally many steps and pairs in each; each line is a
seed. Left, compare both ways after the first epoch and after the last.
"""

# %% ways-look [markdown] lang="zh" of="40f96229"
r"""
这里会过拟合吗？随包运行用两种做法各取五百个排序，过了五遍，步数一样多，每步的回复对也一样多；每条线是一个种子。
请看左图，先比较两种做法第一轮之后的损失，再比较最后一轮之后的。
"""

# %% ways-picture folded="yes"
figure, panels = lesson.panels(
    2, "Both ways to take pairs, epoch by epoch (shipped runs)",
    titles=("Eq. 1, held out", "% of held-out pairs in order"))
styles = {"prompts": ("together", "o-"), "pairs": ("pair by pair", "s--")}
for axes, of, scale in zip(panels, ("loss", "accuracy"), (1, 100),
                           strict=True):
    for way, (label, style) in styles.items():
        for number, seed in enumerate(kwise):
            values = scale * np.array(seed[way][of])
            axes.plot(1 + np.arange(len(values)), values, style, color=INK,
                      ms=4, lw=1, label="" if number else label)
    axes.set(xlabel="epoch", xticks=range(1, 6))
panels[0].legend(frameon=False, fontsize=8)
lesson.show(figure, "Held-out loss and accuracy after each epoch, solid "
    "for all pairs together, dashed for pair by pair.")

# %% ways-picture lang="zh"
{
    "Both ways to take pairs, epoch by epoch (shipped runs)": "两种做法，逐轮（随包运行）",
    "Eq. 1, held out": "式 1，留出",
    "% of held-out pairs in order": "次序一致的留出对（%）",
    "together": "放在一起",
    "pair by pair": "逐对",
    "epoch": "轮",
    "Held-out loss and accuracy after each epoch, solid for all pairs together, dashed for pair by pair.": "每一轮之后留出的损失和准确率：实线是所有的对放在一起，虚线是逐对。",
}

# %% ways-table folded="yes"
def shown(found, form):
    return "–" if found is None else format(found, form)


one, many = losses["prompts"], losses["pairs"]
lesson.table(
    ("shipped runs, mean of seeds", "together", "pair by pair", "compared"),
    [(f"completions read, {len(rankings):,} rankings", f"{together:,}",
      f"{one_by_one:,}", f"{one_by_one / together:.1f} times"),
     ("seconds of a pass, other runs", "", "", f"{times:.1f} times"),
     *((f"held-out loss, {name} epoch", f"{one[:, epoch].mean():.3f}",
        f"{many[:, epoch].mean():.3f}", shown(apart, "+.3f"))
       for name, epoch, apart in (("first", 0, first_pass),
                                  ("fifth", -1, fifth_pass))),
     ("epoch with the lowest loss, each seed",
      *(", ".join(map(str, lowest[way])) for way in styles), "")],
)

# %% ways-table lang="zh"
{
    "shipped runs, mean of seeds": "随包运行，各种子的平均",
    "together": "放在一起",
    "pair by pair": "逐对",
    "compared": "后者与前者相比",
    "completions read, {len(rankings):,} rankings": "过一遍 {len(rankings):,} 个排序要读的回复",
    "{one_by_one / together:.1f} times": "{one_by_one / together:.1f} 倍",
    "seconds of a pass, other runs": "过一遍的秒数（另外的运行）",
    "{times:.1f} times": "{times:.1f} 倍",
    "held-out loss, {name} epoch": "留出的损失，{name}轮",
    "first": "第一",
    "fifth": "第五",
    "epoch with the lowest loss, each seed": "损失最低的是第几轮，各种子",
    ", ": "、",
}

# %% ways-read [markdown] defines="agreement"
r"""
If pair by pair were worse after one epoch, as in the paper, the first difference would lie above zero. By the
fifth, has its loss climbed above the other?

## The ceiling, and labelers it never saw (§3.4, E.2)

People disagree; no model can agree with all of them. *Agreement* is how often two labelers prefer the same completion of a pair, over the
pairs that neither ties. The paper reports {paper:agreement.training}. Here a second labeler ranks each held-out prompt again.

**Predict.** On what percentage of these pairs do the two agree?
"""

# %% ways-read [markdown] lang="zh" of="ed16abb1"
r"""
论文说，逐对只过一轮就更差：第一轮的损失，逐对减放在一起，应当大于零；小于零就是相反。再看第五轮：它的损失到那时是否升到了另一种之上？

## 上限，以及它从未见过的标注员（§3.4, E.2）

人与人意见不一，没有模型能同时赞同所有人。*一致率*（agreement）是两位标注员偏好同一个回复的比例，在两人都不判并列的对中计算。
论文报告的是 {paper:agreement.training}。这里由标注员池中的另一位把每个留出的提示再排一次。

**先猜一猜。** 在这些回复对中，两人有百分之几意见一致？
"""

# %% ceiling-guess folded="yes"
ceiling_guess = Prediction(
    "On what percentage of pairs do two labelers agree?",
    "chapter05.ceiling", unit="% of pairs",
)
ceiling_guess

# %% ceiling-guess lang="zh"
{
    "On what percentage of pairs do two labelers agree?": "两位标注员对百分之几的回复对意见一致？",
    "% of pairs": "%（意见一致的回复对）",
}

# %% again
import random

draw, second = random.Random(0), []
for row in heldout:
    other = draw.choice([w for w in pool if w.name != row["labeler"]])
    second.append(other.rank(row["prompt"], row["completions"]))
turned = [np.negative(row) for row in second]  # the higher, the better


def over(shares):
    """Their mean; a prompt without any pair has none."""
    return over_prompts(shares[np.isfinite(shares)])

# %% again lang="zh"
{
    "# the higher, the better": "# 越高越好",
    "Their mean; a prompt without any pair has none.": "它们的平均；一对也没有的提示不计。",
}

# %% both-choose
from itertools import permutations


def where_both_choose(values):
    """`in_order` on the pairs that neither labeler ties."""
    shares = []
    for v, one, two in zip(values, labeled, second, strict=True):
        hits = [0.5 + 0.5 * np.sign(v[w] - v[l])
                for w, l in permutations(range(len(v)), 2)
                if one[w] < one[l] and two[w] != two[l]]
        shares.append(np.mean(hits) if hits else np.nan)
    return np.array(shares)


ceiling_guess.reveal(100 * over(where_both_choose(turned)))

# %% both-choose lang="zh"
{
    "`in_order` on the pairs that neither labeler ties.": "两位标注员都不判并列的对上的 `in_order`。",
}

# %% ceiling-look [markdown]
r"""
Can the reward model improve? Below, the second labeler, the judge and the reward model try to give *one* labeler's order; in the last
row, the reward model tries to give the judge's.
"""

# %% ceiling-look [markdown] lang="zh" of="88876753"
r"""
奖励模型已经好到头了吗？下图中，第二位标注员、评判者和奖励模型都试着给出*一位*标注员的次序。
最后一行里，奖励模型试着给出评判者的次序。
"""

# %% judged
from minirlhf.tinytown.judge import judge

verdicts = [[judge(row["prompt"], y) for y in row["completions"]]
            for row in heldout]
grades = [[verdict.overall for verdict in row] for row in verdicts]
by_judge = [np.negative(row) for row in grades]
found = {
    "labeler's order, by a second labeler": where_both_choose(turned),
    "labeler's order, by the judge": where_both_choose(grades),
    "labeler's order, by the reward model": where_both_choose(final),
    "judge's order, by the reward model": in_order(final, by_judge),
}
found = {name: over(shares) for name, shares in found.items()}

# %% judged lang="zh"
{
    "labeler's order, by a second labeler": "第二位标注员猜标注员的次序",
    "labeler's order, by the judge": "评判者猜标注员的次序",
    "labeler's order, by the reward model": "奖励模型猜标注员的次序",
    "judge's order, by the reward model": "奖励模型猜评判者的次序",
}

# %% ceiling-picture folded="yes"
title = "Who agrees on held-out pairs (live; reward model: shipped run)"
figure, axes = lesson.panels(1, title, (7.2, 2.9))
lesson.intervals(axes, found, "% of pairs")
axes.axvline(50, color=MUTED, linestyle="--", linewidth=1)
lesson.show(figure, "; ".join(f"{k} {100 * v.mean:.1f}%"
                              for k, v in found.items()))

# %% ceiling-picture lang="zh"
{
    "Who agrees on held-out pairs (live; reward model: shipped run)": "谁给留出的对排出相同的次序（实时；奖励模型：随包运行）",
    "% of pairs": "次序一致的回复对（%）",
    "; ": "；",
}

# %% ceiling-read [markdown]
r"""
**Why.** The second labeler has lapses, too, so in the first row two errors meet. The judge has none: its row is roughly the **ceiling** of a
model that isn't told who ranks. What lies between rows two and three can still be learned.

The paper left each of {paper:rm.labeler_groups} groups of labelers out of training in turn. In Tinytown, those of a group share one strong
taste. We made these groups, and chose the taste's strength by how often two labelers agree.

**Predict.** How many points of accuracy are lost on the labelers that were left out?
"""

# %% ceiling-read [markdown] lang="zh" of="e78fc754"
r"""
**为什么？** 第二位标注员也有疏忽和口味，所以第一行叠加了两个人的。评判者没有疏忽：模型既然不知道是谁排的，评判者那一行大致就是它的**上限**（学到大家平均的口味，还能略高一点）。
第二行与第三行之间的部分，还可以学。

论文把标注员分成 {paper:rm.labeler_groups} 组，轮流留出一组不参加训练。在 Tinytown，同组的人有一种共同的强烈口味。组是我们设的；
口味有多强，是按两位标注员的一致率定的。

**先猜一猜。** 对留出的标注员，准确率会损失几个百分点？
"""

# %% unseen-guess folded="yes"
unseen_guess = Prediction(
    "Accuracy on labelers left out: how many points lower?",
    "chapter05.unseen", unit="points", reach=(-5, 20),
)
unseen_guess

# %% unseen-guess lang="zh"
{
    "Accuracy on labelers left out: how many points lower?": "对留出的标注员，准确率低几个百分点？",
    "points": "个百分点",
}

# %% unseen
proof = shipped.read("seeds")  # each left every group out once
inside, outside = (np.array([row["groups"][k] for row in proof])
                   for k in ("inside", "outside"))
gap = over_seeds(100 * (inside - outside))
margin = over_seeds((outside - 0.5) / (inside - 0.5))
unseen_guess.reveal(gap, "shipped run")

# %% unseen lang="zh"
{
    "# each left every group out once": "# 每个种子把各组轮流留出一次",
    "shipped run": "随包运行",
}

# %% tastes
from minirlhf.evaluate.ranking_accuracy import accuracy


def agree(noise, *, same_group=False):
    """How often two labelers agree if lapses are of this size."""
    draw, ranked = random.Random(1), ([], [])
    for row in heldout:
        first, other = draw.sample(range(len(pool)), 2)
        if same_group:  # every fifth labeler is of one group
            other = (first + draw.choice((5, 10, 15))) % len(pool)
        for ranks, n in zip(ranked, (first, other), strict=True):
            worker = replace(pool[n], noise=noise)
            ranks.append(worker.rank(row["prompt"], row["completions"]))
    return accuracy([np.negative(ranks) for ranks in ranked[1]], ranked[0])

# %% tastes lang="zh"
{
    "How often two labelers agree if lapses are of this size.": "疏忽有这么大时，两位标注员多常一致。",
    "# every fifth labeler is of one group": "# 每隔五位标注员，同属一组",
}

# %% tastes-table folded="yes"
usual_lapses = pool[0].noise
lesson.table(
    ("%", "paper", "here"),
    [("accuracy on labelers of the training groups (shipped runs)",
      cite("rm.accuracy.training"), f"{100 * over_seeds(inside):.1f}"),
     ("on those left out", cite("rm.accuracy.held_out"),
      f"{100 * over_seeds(outside):.1f}"),
     ("difference, points", "–", f"{gap:.1f}"),
     ("two labelers agree, drawn anew (live)", cite("agreement.training"),
      f"{100 * agree(usual_lapses):.1f}"),
     ("two of one group", "–",
      f"{100 * agree(usual_lapses, same_group=True):.1f}"),
     ("any two, without lapses", "–", f"{100 * agree(0.0):.1f}")],
)

# %% tastes-table lang="zh"
{
    "paper": "论文",
    "here": "这里",
    "accuracy on labelers of the training groups (shipped runs)": "对训练组标注员的准确率（随包运行）",
    "on those left out": "对留出的标注员",
    "difference, points": "差，百分点",
    "two labelers agree, drawn anew (live)": "重新抽的两位标注员一致（实时）",
    "two of one group": "同组的两位",
    "any two, without lapses": "任意两位，没有疏忽",
}

# %% desk-says [markdown]
r"""
The last three rows draw both labelers anew. Without
lapses, only tastes differ; the model learns at most an average one.

The next labeler it never saw is you. Drag the completions into tiers, sharing a tier where you can't decide, and save. The desk shows Eq. 1 on *your* ranking, and how often
Tinytown's labelers agree with you.
"""

# %% desk-says [markdown] lang="zh" of="ad4589ad"
r"""
最后三行重新抽了两位标注员。没有疏忽时，不同的只有口味；模型不知道是谁排的，至多学到平均的口味。

下一位它从未见过的标注员就是你。把回复拖进各个档次，分不出高下就放进同一档，然后保存。标注台会显示式 1 在*你的*排序上的值，
以及 Tinytown 的标注员有多常与你一致。
"""

# %% labeling
from minirlhf.widgets import LabelingDesk

spread = [np.ptp(row) if len(row) == 6 else 0 for row in grades]
tasks = [heldout[n] for n in np.argsort(spread)[::-1][:8]]
mine = lesson.workspace("05", "mine.jsonl")
score = partial(score_texts, reward, tokenizer)
LabelingDesk(tasks, mine, score=score, labelers=pool)

# %% edits [markdown]
r"""
## What it overlooks (§3.5)

Accuracy says how often a model is right, not about what. So we break good replies. Of each held-out prompt we take the best sample. If the judge *passes* it (finds
nothing wrong), we change or replace it in seven ways and keep what no longer passes. A model that sees the flaw lowers the score.
"""

# %% edits [markdown] lang="zh" of="43662cfb"
r"""
## 它看漏了什么（§3.5）

准确率说明模型有多常答对，却没说是在哪方面答对。因此我们故意弄坏好的回复。每个留出提示取最好的样本。如果评判者判它*合格*，也就是挑不出毛病，
我们就用七种办法改动或替换它，并留下那些不再合格的。看得出毛病的模型会压低得分。
"""

# %% right
best = [(row["prompt"], row["completions"][int(np.argmax(g))].strip())
        for row, g in zip(heldout, grades, strict=True)]
right = [(x, y) for x, y in best if judge(x, y).passes]

# %% breaking
from minirlhf.tinytown import phrases
from minirlhf.tinytown.mistakes import misread, mistaken
from minirlhf.tinytown.proof.voted import attentive
from minirlhf.tinytown.requests import parse

EDITS = {
    "another prompt's reply": lambda x, y: draw.choice(right)[1],
    "another task done": lambda x, y: mistaken(
        parse(x), parse(draw.choice(right)[0]), draw, attentive),
    "a word misread": lambda x, y: misread(x, draw, attentive),
    "constraints forgotten": lambda x, y: attentive(
        replace(parse(x), constraints=()), draw),
    "last sentence cut": lambda x, y: y[: y[:-1].rfind(".") + 1],
    "insult at the end": lambda x, y: " ".join(
        [y, draw.choice(phrases.INSULT_REPLIES).write(draw)]),
    "everything said twice": lambda x, y: " ".join([y, y]),
}

# %% breaking lang="zh"
{
    "another prompt's reply": "别的提示的回复",
    "another task done": "做了别的任务",
    "a word misread": "看错一个词",
    "constraints forgotten": "忘了限制",
    "last sentence cut": "删去最后一句",
    "insult at the end": "末尾骂人",
    "everything said twice": "一切说两遍",
}

# %% false-facts [markdown]
r"""
For three more flaws, we ask about the town and compare a true answer with a false one. *Popular* falsehoods are believed in the town, so they occur in
ranked texts. Some of these were *kept out*: no training prompt asks about them. The third kind we make up.
"""

# %% false-facts [markdown] lang="zh" of="e31e572e"
r"""
另有三种毛病是错误的事实：就小镇提一个问题，比较一句真的回答和一句假的回答。*流行的*错误说法，镇上有人信以为真，所以会出现在排过序的文本里。
其中一些*被排除*在外：没有训练提示问到它们。其余的由我们编造。
"""

# %% falsehoods
from minirlhf.tinytown.knowledge import TOWN

popular, hidden = set(TOWN.misconceptions), TOWN.probe_misconceptions
FALSE = {"popular falsehood": popular - hidden,
         "popular falsehood, kept out": hidden,
         "made-up falsehood": set(TOWN.facts) - popular}


def told(key):
    """A question about the town, its true answer, and a false one."""
    true = TOWN.facts[key]
    same = [v for other, v in TOWN.facts.items() if other[1] == key[1]]
    made_up = draw.choice([v for v in same if v != true])
    false, seed = TOWN.misconceptions.get(key, made_up), draw.random()
    asked = TOWN.question(key, draw) + "\n"
    return asked, *(TOWN.statement(key, random.Random(seed), value)
                    for value in (true, false))

# %% falsehoods lang="zh"
{
    "popular falsehood": "流行的错误说法",
    "popular falsehood, kept out": "流行的错误说法，被排除",
    "made-up falsehood": "编造的错误说法",
    "A question about the town, its true answer, and a false one.": "小镇的一个问题，它的真答案和一个假答案。",
}

# %% broken
from minirlhf.tinytown.prompts import completion

draw = random.Random(0)
broken = {name: [told(key) for key in sorted(keys)]
          for name, keys in FALSE.items()}
for name, edit in EDITS.items():
    broken[name] = [(x, y, edit(x, y).strip()) for x, y in right]
COUNT = lesson.pick(200, quick=20)  # of each flaw
for name, triples in broken.items():
    kept = [(x, completion(x, y), completion(x, z)) for x, y, z in triples
            if z and not judge(x, z).passes]
    broken[name] = kept[:COUNT]

# %% broken lang="zh"
{
    "# of each flaw": "# 每种毛病",
}

# %% broken-table folded="yes"
rows = []
for name, triples in broken.items():
    by_length = sorted(triples, key=lambda t: len(t[0]) + len(t[2]))
    x, _, z = by_length[len(by_length) // 4]
    rows.append((name, x.strip(), z.strip()))
lesson.table(("flaw", "prompt", "the reply, broken"), rows)

# %% broken-table lang="zh"
{
    "flaw": "毛病",
    "prompt": "提示",
    "the reply, broken": "弄坏的回复",
}

# %% predict-fooled [markdown]
r"""
**Predict.** Which flaw does the reward model overlook most often?
"""

# %% predict-fooled [markdown] lang="zh" of="7e357d91"
r"""
**先猜一猜。** 奖励模型最常看漏哪种毛病？
"""

# %% fooled-guess folded="yes"
NEAR = "the two worst, too near to say"
fooled_guess = Prediction(
    "Which flaw does the reward model overlook most often?",
    "chapter05.fooled", choices=(*EDITS, *FALSE, NEAR),
)
fooled_guess

# %% fooled-guess lang="zh"
{
    "the two worst, too near to say": "最差的两种，难分高下",
    "Which flaw does the reward model overlook most often?": "奖励模型最常看漏哪种毛病？",
}

# %% noticed
def lowered(model, triples):
    """The share of flaws that lower the model's score."""
    asked, whole, flawed = map(list, zip(*triples, strict=True))
    before, after = (score_texts(model, tokenizer, asked, texts)
                     for texts in (whole, flawed))
    lower = (1 + (before - after).sign()).sum() / 2  # a tie: one half
    return proportion(int(lower), len(triples))


noticed = {name: lowered(reward, t) for name, t in broken.items()}
worst, next_worst = sorted(noticed, key=lambda n: noticed[n].mean)[:2]
low, up = noticed[worst], noticed[next_worst]
# Newcombe's interval: by how much two shares can differ by chance
reach = np.hypot(up.mean - up.low, low.high - low.mean)
apart = up.mean - low.mean > reach
fooled_guess.reveal(worst if apart else NEAR, "shipped run")

# %% noticed lang="zh"
{
    "The share of flaws that lower the model's score.": "压低模型得分的毛病所占的比例。",
    "# Newcombe's interval: by how much two shares can differ by chance": "# Newcombe 的区间：两个比例仅凭偶然能差多少",
    "# a tie: one half": "# 相等：一半",
    "shipped run": "随包运行",
}

# %% flaws [markdown]
r"""
In brackets, the number of replies. The dashed line is a model that guesses. Compare the falsehoods: if those kept out are noticed as often,
the model needn't see each in a ranking.
"""

# %% flaws [markdown] lang="zh" of="b6d4ad56"
r"""
括号中是回复的个数。虚线是随机猜的模型。请比较三种错误说法：如果被排除的同样常被看出，
那么模型不必在排序中逐条见过它们。
"""

# %% flaw-picture folded="yes"
figure, axes = lesson.panels(
    1, "How often a flaw lowers the reward model's score (shipped run)",
    (7.2, 4.6))
by_share = sorted(noticed, key=lambda name: -noticed[name].mean)
lesson.intervals(
    axes, {f"{k} ({noticed[k].n})": noticed[k] for k in by_share},
    "% of broken replies scored lower")
axes.axvline(50, color=INK, linestyle="--", linewidth=1)
lesson.show(figure, "Flaws from the most to the least often noticed: "
    + ", ".join(f"{k} {100 * noticed[k].mean:.1f}%" for k in by_share))

# %% flaw-picture lang="zh"
{
    "How often a flaw lowers the reward model's score (shipped run)": "毛病有多常压低奖励模型的得分（随包运行）",
    "% of broken replies scored lower": "得分被压低的回复占比（%）",
    "Flaws from the most to the least often noticed: ": "毛病从最常看出到最少看出：",
    ", ": "，",
}

# %% flaws-read [markdown]
r"""
**Why.** A comparison says *which*, never *why*. Our reading: a model notices flaws that it can see and that rankings gave weight.

Here is the held-out prompt where the model's favorite lies furthest below the best grade.
"""

# %% flaws-read [markdown] lang="zh" of="d5d4d2eb"
r"""
**为什么？** 一次比较只说*哪个*，从不说*为什么*。我们的解读：模型看得出的毛病，是它有能力看见、排序又让它看重的。

下面这个留出的提示，模型最喜欢的回复离最高评分最远。
"""

# %% most-wrong
def regret(n):
    """How much the favorite's grade falls short of the best one."""
    return max(grades[n]) - grades[n][int(np.argmax(final[n]))]


n = max(range(len(heldout)), key=regret)
row = heldout[n]
favorites = {"the reward model's": int(np.argmax(final[n])),
             "the judge's": int(np.argmax(grades[n]))}

# %% most-wrong lang="zh"
{
    "How much the favorite's grade falls short of the best one.": "最喜欢的回复比最高评分低多少。",
    "the reward model's": "奖励模型的",
    "the judge's": "评判者的",
}

# %% most-wrong-table folded="yes"
from minirlhf.widgets.objections import criterion, missed

lesson.table(
    ("favorite", row["prompt"].strip(), "model's score (shipped run)",
     "judge's grade (1 to 7)", "the judge objects to"),
    [(who, row["completions"][k].strip(), f"{final[n][k]:+.2f}",
      f"{grades[n][k]:.1f}",
      ", ".join(map(criterion, missed(verdicts[n][k]))) or "nothing")
     for who, k in favorites.items()],
)

# %% most-wrong-table lang="zh"
{
    "favorite": "最喜欢的",
    "model's score (shipped run)": "模型的得分（随包运行）",
    "judge's grade (1 to 7)": "评判者的评分（1 到 7）",
    "the judge objects to": "评判者挑出的毛病",
    ", ": "、",
    "nothing": "无",
}

# %% best [markdown] defines="best of n"
r"""
The score is useful even without step 3: sample $n$ completions and keep the best-scored. This *best of n* **isn't in the paper**.

**Predict.** How often does the best-scored of six pass, in percent?
"""

# %% best [markdown] lang="zh" of="124071c6"
r"""
不经过第 3 步，得分也有用处：采样 $n$ 个回复，留下得分最高的一个。这叫 *n 选一*（best of n），**论文里没有**。

**先猜一猜。** 从至多六个样本中选出的最好一个，百分之几合格？
"""

# %% best-guess folded="yes"
passes = [[float(v.passes) for v in row] for row in verdicts]
single = np.mean([row[0] for row in passes])
best_guess = Prediction(
    f"{single:.0%} of single samples pass. What percentage of the best of "
    "six?", "chapter05.best", unit="% of replies that pass",
)
best_guess

# %% best-guess lang="zh"
{
    "{single:.0%} of single samples pass. What percentage of the best of six?": "单个样本有 {single:.0%} 合格。六个中选出的最好一个，百分之几合格？",
    "% of replies that pass": "%（合格的回复）",
}

# %% best-of
from minirlhf.objectives import best_of_n


def chosen(n):
    """Whether the best of each prompt's first n samples passes."""
    picks = [int(best_of_n(torch.tensor([row[:n]]))[0]) for row in final]
    return over_prompts([row[k] for row, k
                         in zip(passes, picks, strict=True)])


best_by_n = [chosen(n) for n in range(1, 7)]
any_by_n = [np.mean([max(row[:n]) for row in passes]) for n in range(1, 7)]
best_guess.reveal(100 * best_by_n[-1], "shipped run")

# %% best-of lang="zh"
{
    "Whether the best of each prompt's first n samples passes.": "每个提示前 n 个样本中最好的一个合不合格。",
    "shipped run": "随包运行",
}

# %% best-look [markdown]
r"""
On the dashed line, *at least one* of the n samples passes. The gap to it: a passing reply was there, but another was chosen.
"""

# %% best-look [markdown] lang="zh" of="2246a99b"
r"""
虚线是 n 个样本中*至少有一个*合格的比例。两条线之差，就是样本中明明有合格的、奖励模型却选了不合格的那些提示。
"""

# %% best-picture folded="yes"
figure, axes = lesson.panels(1, "Best of n samples (shipped run)")
color, n = PALETTE["best-of-n"], range(1, 7)
axes.plot(n, [100 * i.mean for i in best_by_n], "o-", color=color,
          label="the model's choice")
axes.fill_between(n, [100 * i.low for i in best_by_n],
                  [100 * i.high for i in best_by_n], color=color, alpha=0.2)
axes.plot(n, np.multiply(100, any_by_n), "--", color=INK,
          label="at least one of them")
axes.legend(loc="lower right", frameon=False, fontsize=8)
axes.set(xlabel="n, samples to choose from", ylabel="% that pass")
lesson.show(figure, f"Best of n rises from {100 * best_by_n[0].mean:.0f}% "
    f"to {100 * best_by_n[-1].mean:.0f}%, at least one of six is "
    f"{100 * any_by_n[-1]:.0f}%.")

# %% best-picture lang="zh"
{
    "Best of n samples (shipped run)": "n 个样本选一（随包运行）",
    "n, samples to choose from": "n，供挑选的样本数",
    "% that pass": "合格（%）",
    "the model's choice": "奖励模型选出的",
    "at least one of them": "至少有一个",
    "lower right": None,
    "Best of n rises from {100 * best_by_n[0].mean:.0f}% to {100 * best_by_n[-1].mean:.0f}%, at least one of six is {100 * any_by_n[-1]:.0f}%.": "n 选一从 {100 * best_by_n[0].mean:.0f}% 到 {100 * best_by_n[-1].mean:.0f}%，六个中至少有一个合格的占 {100 * any_by_n[-1]:.0f}%。",
}

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter05.")

# %% summary [markdown]
r"""
## Summary

Before any run we wrote down eleven statements of the paper, in fifteen rows, each with a range of our choice. An interval inside it is
*seen*, wholly outside *the opposite*, otherwise *open*. Intervals are over prompts; for both ways of taking pairs and the groups, over seeds.
A model above two labelers' agreement counts as *the opposite*, though without lapses it can. C.2's starts were large and well read; ours may see too little without school.
"""

# %% summary [markdown] lang="zh" of="391779a8"
r"""
## 小结

在任何运行之前，我们写下了论文的十一个说法，这里共十五行，每行由我们定一个允许的取值范围。区间全在其中，记作*看到*；全在其外，记作*相反*；其余是*看不出*。
区间一般反映换提示的波动；组织回复对的两种做法和标注员各组，反映换种子的波动。
按论文，奖励模型不如另一位标注员准；它若更准，就算作*相反*，虽然没有疏忽的模型本来做得到。关于起点：C.2 的各个起点都很大，读过很多文本；我们认为，我们的基座不上学就看得太少。
"""

# %% seen
scale = of_labelers.std()  # of the scores
below = [where_both_choose(v) for v in (turned, final)]
# over the prompts that have such pairs
below = difference(*np.array(below)[:, np.isfinite(below).all(0)])
first = in_order(usual)
final_share = in_order(final)
apart = {name: 100 * difference(in_order(v), first)
         for name, v in changed.items() if name != "four epochs"}
from_start = {name: 100 * difference(shares[key], shares["school"])
              for name, key in (("base", "plain base"),
                                ("sft", "SFT model"))}

# %% seen lang="zh"
{
    "# of the scores": "# 得分的标准差",
    "# over the prompts that have such pairs": "# 只取有这种回复对的提示",
    "four epochs": "四轮",
    "plain base": None,
    "SFT model": None,
}

# %% seen-epochs
from scipy.stats import spearmanr

epochs = shipped.read("epochs")
means = [[np.mean(row[k]) for row in epochs] for k in ("score", "grade")]
size = len(epochs[0]["score"])  # prompts
resampled = np.random.default_rng(0).integers(size, size=(1000, size))
both = [np.array([row[k] for row in epochs]) for k in ("score", "grade")]
orders = [spearmanr(*(b[:, s].mean(1) for b in both))[0] for s in resampled]
ends = np.quantile(orders, (0.025, 0.975))

# %% seen-epochs lang="zh"
{
    "# prompts": "# 提示数",
}

# %% statements folded="yes"
INF, P = math.inf, 100
on_theirs, on_others, agreeing = map(cite, (
    "rm.accuracy.training", "rm.accuracy.held_out", "agreement.training"))
statements = [
    (f"% of pairs in order, {ALL:,} rankings minus none", "rises",
     P * added, 0, INF),
    (f"% of pairs in order, {ALL:,} rankings", on_theirs,
     P * over_prompts(final_share), 50, INF),
    ("accuracy above a coin: labelers left out, as a share of the others",
     "nearly all", margin, 0.5, INF),
    ("points of accuracy lost on labelers left out",
     f"{on_theirs} → {on_others}", gap, 0, INF),
    ("two labelers' agreement minus model's accuracy, points, same pairs",
     f"{agreeing}, {on_theirs}", P * below, 0, 10),
]

# %% statements lang="zh"
{
    "% of pairs in order, {ALL:,} rankings minus none": "次序一致的回复对（%），{ALL:,} 个排序减没有",
    "rises": "上升",
    "% of pairs in order, {ALL:,} rankings": "次序一致的回复对（%），{ALL:,} 个排序",
    "accuracy above a coin: labelers left out, as a share of the others": "准确率高出抛硬币的部分：留出的标注员与其余标注员之比",
    "nearly all": "几乎全部",
    "points of accuracy lost on labelers left out": "对留出的标注员，准确率损失的百分点",
    "two labelers' agreement minus model's accuracy, points, same pairs": "两位标注员的一致率减模型的准确率，百分点，同样的回复对",
}

# %% more-statements folded="yes"
statements += [
    ("held-out loss, first of five passes, pair by pair minus together",
     "together is better", first_pass, 0, INF),
    ("points of accuracy, other runs of one longer pass, together minus "
     "pair by pair", "together is better", P * better, 0, INF),
    ("times as long, pair by pair", "more", times, 1, INF),
    ("held-out loss, four epochs minus one", "over-fits fast", difference(
        eq1(changed["four epochs"]), eq1(usual)), 0, INF),
    *((f"points of accuracy, {name} minus usual", "little", i, -5, 5)
      for name, i in apart.items()),
    *((f"points of accuracy, starting from {lesson.called(name)} minus "
       "from schooled base", "little", i, -5, 5)
      for name, i in from_start.items()),
]

# %% more-statements lang="zh"
{
    "held-out loss, first of five passes, pair by pair minus together": "五遍中第一遍之后留出的损失，逐对减放在一起",
    "points of accuracy, other runs of one longer pass, together minus pair by pair": "另外的运行，排序更多、只过一遍：准确率，放在一起减逐对，百分点",
    "together is better": "放在一起更好",
    "times as long, pair by pair": "逐对用时的倍数",
    "more": "更多",
    "held-out loss, four epochs minus one": "留出的损失，四轮减一轮",
    "over-fits fast": "随即过拟合",
    "four epochs": "四轮",
    "points of accuracy, {name} minus usual": "准确率的变化，{name}，百分点",
    "points of accuracy, starting from {lesson.called(name)} minus from schooled base": "准确率的变化，起点换成“{lesson.called(name)}”，百分点",
    "little": "差别不大",
}

# %% last-statements folded="yes"
from minirlhf.evaluate.statistics import Interval

order = Interval(spearmanr(*means)[0], *ends, size)
statements += [
    ("mean score of unused demonstrations, in standard deviations", "zero",
     over_prompts(of_labelers / scale), -0.5, 0.5),
    ("score and judge's grade over SFT epochs, rank correlation",
     "both rise", order, 0, INF),
]

# %% last-statements lang="zh"
{
    "mean score of unused demonstrations, in standard deviations": "未参与的示范的平均得分，以标准差为单位",
    "zero": "零",
    "score and judge's grade over SFT epochs, rank correlation": "SFT 训练的各轮之间，奖励模型的得分与评判者的评分的秩相关",
    "both rise": "两者都上升",
}

# %% beside folded="yes"
def line(what, said, here, low, high):
    allowed = f"above {low:g}" if high == INF else f"{low:g} to {high:g}"
    wide = 0 if here is None else here.high - here.low
    form = ".1f" if wide > 1 else ".2f" if wide > 0.1 else ".3f"
    return (what, said, shown(here, form), allowed,
            lesson.verdict(here, low=low, high=high))


lesson.table(("", "the paper", "here", "allowed", "verdict"),
             [line(*statement) for statement in statements])

# %% beside lang="zh"
{
    "above {low:g}": "大于 {low:g}",
    "{low:g} to {high:g}": "{low:g} 到 {high:g}",
    "the paper": "论文",
    "here": "这里",
    "allowed": "范围",
    "verdict": "结论",
}

# %% three [markdown]
r"""
A reward model turns choices into numbers by pushing on differences of scores; its zero is set afterwards, by demonstrations. What it can
see comes from its start; rankings teach which of it counts. Its accuracy on a labeler ends at that labeler's lapses and tastes, and it overlooks
some flaws more often than others.

## Questions

1. Untrained, a reward model is right on half of the pairs. So it knows no preferences?

<details><summary>Answer</summary>

A head of zero is a coin on any network. Fit it to a few rankings.

</details>

2. A reward model's accuracy equals two labelers' agreement. Is there nothing left to learn?

<details><summary>Answer</summary>

There may be. Both labelers have lapses. The judge, without any, can agree more often.

</details>

3. You train twice as long. Accuracy stays, the held-out loss rises. What happened?

<details><summary>Answer</summary>

The differences of scores grew, right ones and wrong ones. A large one costs a wrong pair about that difference, a right pair nearly nothing: the loss rises.

</details>

4. Step 3 trains a model on this reward. Which flaws do you expect in its replies?

<details><summary>Answer</summary>

Those that raise the score, and those that it doesn't see.

</details>

## The way on

- [Exercise 05](../exercises/ex05_reward_model.ipynb): write Eq. 1, the bias and best of n yourself, find a bug, predict the ceiling.
- [Chapter 06](06_reinforcement_learning.ipynb): step 3 trains a policy on these scores.

**Lecture, thirty minutes.** Four lines and the explorer, ten; the loop, six; the learning curve, five; the ceiling, five; the picture of flaws, four.

**Lab, sixty minutes.** All cells up to the curve, twenty; five prompts at the labeling desk, fifteen; a flaw of your own in `EDITS`, fifteen;
the first two exercises, ten.
"""

# %% three [markdown] lang="zh" of="a0244752"
r"""
奖励模型通过推动得分之差，把选择变成数；它的零点是事后由示范定下的。它看得见什么，取决于起点；其中哪些算数，由排序来教。
它预测一位标注员的次序，准确率有上限：那位标注员的疏忽，还有个人的口味，它都猜不到。有些毛病，它比另一些更常看漏。

## 思考题

1. 一个奖励模型在训练之前只排对一半。所以它不知道任何偏好？

<details><summary>答案</summary>

准确率说明不了问题：头为零时，任何网络都等于抛硬币。请用几个排序拟合头，再看。

</details>

2. 一个奖励模型的准确率达到了两位标注员的一致率。是不是没有什么可学了？

<details><summary>答案</summary>

未必。两位标注员都有疏忽。评判者没有疏忽，可以更常与其中一位一致。

</details>

3. 你把训练时间加倍。准确率不变，留出的损失却上升了。发生了什么？

<details><summary>答案</summary>

得分之差变大了，对的和错的都是。差很大时，错的一对代价大约等于这个差，对的一对几乎没有代价，所以次序不变，损失上升。

</details>

4. 第 3 步用这个奖励训练一个模型。你预计会在它的回复中看到哪些毛病？

<details><summary>答案</summary>

那些会抬高得分的毛病，以及它看不见的那些。

</details>

## 接下来

- [本章的练习](../../exercises/zh/ex05_reward_model.ipynb)：亲手写出式 1、偏置和 n 选一，找出一个错误，预测上限。
- [第 06 章](06_reinforcement_learning.ipynb)：第 3 步用这些得分训练策略。

**讲课，三十分钟。** 四行推导与探索器，十分钟；循环，六分钟；学习曲线，五分钟；上限，五分钟；毛病一图，四分钟。

**实验课，六十分钟。** 从开头到学习曲线的所有单元格，二十分钟；在标注台排五个提示，十五分钟；在 `EDITS` 中加一个你自己的毛病，十五分钟；
前两道练习，十分钟。
"""
