# ---
# jupyter:
#   minirlhf:
#     paper: §3.5, Eq. 1
#     doing_minutes: 10
# ---

# %% title [markdown] defines="prompt; completion"
r"""
# Chapter 05 · The reward model

Ask one question several times, and a language model answers in several ways. The question is a *prompt*, each
answer a *completion*. Which of two completions is better, a person can often say at once; how good one of them
is, on a scale that holds for every prompt, hardly anyone can. Step 2 of the paper needs only the first, and makes
the second out of it.

After this chapter you can

- turn the order in which a person puts some completions into the pairs of Eq. 1, and say what becomes of ties;
- write Eq. 1 from scores and ranks, and check it against the package;
- read off its gradient which completion is pushed, which way, and how hard.
"""

# %% title [markdown] lang="zh" of="bd684b21"
r"""
# 第 05 章 · 奖励模型

把同一个问题问几遍，语言模型会给出几种不同的回答。这个问题叫*提示*（prompt），每个回答叫*回复*（completion）。
两个回复哪个更好，人往往一眼就能看出；但要给其中一个打出对所有提示都适用的分数，却几乎没有人做得到。论文的第 2 步只需要前者，
并由它得出后者。

学完本章，你将能够

- 把一个人给若干回复排出的次序变成式 1 中的成对比较，并说出并列是如何处理的；
- 由得分和名次写出式 1，并与程序包核对；
- 从它的梯度看出哪个回复被推动、往哪边推、推得多用力。
"""

# %% from-order [markdown] defines="labeler; ranking"
r"""
## From an order to pairs (§3.5)

The paper's *labelers* ({paper:intro.labelers} people, hired for the purpose) saw between {paper:rm.k.min} and
{paper:rm.k.max} completions of one prompt at a time and put them in order, ties allowed. Such an order is a
*ranking*.

In Tinytown a labeler is a programme: it sees how well a completion does what was asked, has tastes of its own, and
errs now and then. Here is one of them at work. The smaller the rank, the better; equal ranks are a tie.
"""

# %% from-order [markdown] lang="zh" of="a4f4d3e3"
r"""
## 从次序到成对比较（§3.5）

论文的*标注员*（labeler，为此雇用的人，人数 {paper:intro.labelers}）每次看到同一提示的 {paper:rm.k.min} 到
{paper:rm.k.max} 个回复，把它们排出次序，允许并列。这样的次序叫*排序*（ranking）。

在 Tinytown 里，标注员是一个程序：它看得出回复在多大程度上完成了要求，有自己的口味，偶尔也会出错。下面就让其中一位来排一次。
名次的数字越小越好；名次相同就是并列。
"""

# %% rank
from minirlhf.tinytown.labelers import training_pool

prompt = "Name three gifts for Ines.\n"
replies = [
    "Good gifts for Ines are an empty whistle, a coat, and a basket.",
    "You could give her a yellow cup, a tiny lamp, and a boat.",
    "You could give her a stone and a bottle.",
    "You could give her a key, a wooden stone, and a ring.",
    "You could give her a scarf, a bottle, and a letter.",
]
given = training_pool()[1].rank(prompt, replies)
for rank, reply in sorted(zip(given, replies, strict=True)):
    print(rank, reply)

# %% comparisons [markdown] defines="comparison"
r"""
A ranking of $K$ completions holds $\binom K2$ *comparisons*: two completions, and which of them is preferred. A tie
prefers neither. The paper lets labelers tie and then drops those pairs from training (C.2), and so do we.

`ranked_pairs` marks the rest in a square: row $w$, column $l$ is true where completion $w$ beats completion $l$.
"""

# %% comparisons [markdown] lang="zh" of="6f3ea4c1"
r"""
对 $K$ 个回复的一次排序含有 $\binom K2$ 个*成对比较*（comparison）：两个回复，以及其中哪个更受偏好。并列则不偏好任何一个。
论文允许标注员判并列，训练时再把这些对舍去（C.2），我们也照此处理。

`ranked_pairs` 把其余的对标在一个方阵里：第 $w$ 行、第 $l$ 列为真，表示回复 $w$ 胜过回复 $l$。
"""

# %% square
import torch

from minirlhf.objectives import ranked_pairs

ranks = torch.tensor([given])  # one prompt: shape [1, K]
wins = ranked_pairs(ranks, valid=ranks > 0)
K = ranks.shape[1]
pairs = K * (K - 1) // 2
print(f"{K} completions, {pairs} pairs, {wins.sum()} of them no tie")
print(wins[0].int())

# %% equation [markdown] defines="reward model"
r"""
## The loss of a ranking (Eq. 1)

A *reward model* is a language model that ends in one number: it reads a prompt $x$ and a completion $y$ and
gives a score $r_\theta(x,y)$. It is to score the preferred completion $y_w$ above the other one, $y_l$. Eq. 1 asks for
that, one prompt at a time:

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tbinom K2^{-1}\sum_{(w,l)}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

Read it from the inside out. The difference of two scores goes through the logistic function $\sigma$ and becomes the
probability that $y_w$ is preferred. Its negative logarithm is the loss of the pair. The loss of a prompt is the mean
over its pairs, and $\mathbb E_x$ is the mean over prompts, in that order.

Only differences enter. So the scores have no zero of their own, and no two prompts are ever compared.
"""

# %% equation [markdown] lang="zh" of="b6feccb2"
r"""
## 一次排序的损失（式 1）

*奖励模型*（reward model）是末端只输出一个数的语言模型：它读入提示 $x$ 和回复 $y$，给出得分 $r_\theta(x,y)$。
它应当让更受偏好的回复 $y_w$ 得分高于另一个回复 $y_l$。式 1 逐个提示地提出这一要求：

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tbinom K2^{-1}\sum_{(w,l)}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

请由内向外读。两个得分之差经过逻辑函数 $\sigma$，成为 $y_w$ 更受偏好的概率。它的负对数就是这一对的损失。
一个提示的损失是它各对损失的平均，$\mathbb E_x$ 再对提示取平均，次序不能颠倒。

进入式中的只有差。因此得分没有自己的零点，不同的提示之间也从不比较。
"""

# %% by-hand
import torch.nn.functional as F

from minirlhf.objectives import ranking_loss

scores = torch.tensor([[0.9, 0.1, 0.4, -0.3, 0.2]])  # r(x, y), by guess
difference = scores[:, :, None] - scores[:, None, :]
of_each_pair = -F.logsigmoid(difference)
by_hand = of_each_pair[wins].mean()

result = ranking_loss(scores, ranks, valid=ranks > 0)
print(f"by hand {by_hand:.4f}, by the package {result.loss:.4f}")
print(f"in the right order: {result.correct} of {result.pairs} pairs")

# %% push [markdown]
r"""
### Where it pushes

What a loss teaches is its gradient. On the left, each dot is one pair of the ranking. A pair that the scores put in
the right order lies to the right of zero, where the curve is low and flat; the more wrong a pair is, the more it costs
and the harder it pulls. On the right, the pulls of all pairs add up to one push for each completion, the best rank at
the top.
"""

# %% push [markdown] lang="zh" of="227af634"
r"""
### 它往哪里推

损失教给模型的，是它的梯度。左图中每个点是这次排序的一对。得分给出正确次序的对落在零的右边，那里曲线低而平；
一对错得越厉害，代价越高，拉力也越大。右图把各对的拉力加起来，得到对每个回复的一个推力，名次最好的在最上面。
"""

# %% picture
from minirlhf import lesson
from minirlhf.plots import INK, MUTED

leaf = scores.clone().requires_grad_()
ranking_loss(leaf, ranks, ranks > 0).loss.backward()
figure, (curve, pushes) = lesson.panels(2, "One ranking under Eq. 1 (live)")
x = torch.linspace(-2, 2, 100)
curve.plot(x, -F.logsigmoid(x), color=MUTED)
curve.plot(difference[wins], of_each_pair[wins], "o", color=INK)
curve.set(xlabel="difference of scores", ylabel="loss of the pair")
order = ranks[0].argsort(stable=True).flip(0)
names = [f"rank {ranks[0, k]}, score {scores[0, k]:.1f}" for k in order]
pushes.barh(names, -leaf.grad[0, order], color=INK, height=0.5)
pushes.set(xlabel="push on the score")
lesson.show(figure, "Left, the loss of a pair falls with the difference of "
    "scores. Right, well-ranked completions are pushed up, the others "
    "down.")  # fmt: skip

# %% predict [markdown]
r"""
**Predict.** Add the same constant to all five scores. What becomes of the loss, and of the pushes? And what do the five
pushes add up to, whatever the scores are? Change `scores` above and run the two cells again.

<details><summary>Answer</summary>

Nothing changes: only differences enter. For the same reason the pushes always add up to zero: what one completion of
a pair gains, the other one loses.

</details>
"""

# %% predict [markdown] lang="zh" of="8907a4e5"
r"""
**先猜一猜。** 给五个得分加上同一个常数，损失会怎样？推力会怎样？无论得分如何，五个推力之和是多少？请修改上面的 `scores`，
再运行那两个单元格。

<details><summary>答案</summary>

什么都不变：进入式中的只有差。出于同样的原因，推力之和恒为零：一对中一个回复得到多少，另一个就失去多少。

</details>
"""
