# ---
# jupyter:
#   minirlhf:
#     paper: §3.4, §3.5, C.1, C.2, E.2, Eq. 1
#     doing_minutes: 30
# ---

# %% title [markdown] defines="prompt; completion"
r"""
# Chapter 05 · The reward model

Ask one question several times, and a language model answers in several ways. The question is a *prompt*, each
answer a *completion*. Which of two completions is better, a person can often say at once; how good one of them
is, on a scale for all prompts, hardly anyone can. Step 2 of the paper needs only the first. It makes scores out of it,
comparable within a prompt.

After this chapter you can

- turn an order of completions into the pairs of Eq. 1, write its loss, and say which completion it pushes where;
- train a model that scores completions, and say what its starting point and its batches contribute;
- set the zero of its scores, and name the ceiling of its accuracy;
- find out what it has learned, where it is fooled, and put it to use;
- rank completions yourself, and measure the model on your order.
"""

# %% title [markdown] lang="zh" of="10f36498"
r"""
# 第 05 章 · 奖励模型

把同一个问题问几遍，语言模型会给出几种不同的回答。这个问题叫*提示*（prompt），每个回答叫*回复*（completion）。
两个回复哪个更好，人往往一眼就能看出；但要给其中一个打出对所有提示都适用的分数，却几乎没有人做得到。论文的第 2 步只需要前者。
它由此得出的分数，在同一个提示之内可以比较。

学完本章，你将能够

- 把若干回复的次序变成式 1 中的成对比较，写出损失，并说出它把哪个回复往哪边推；
- 训练一个给回复打分的模型，并说出它的起点和批次的组成各带来什么；
- 定出得分的零点，并说出其准确率的上限；
- 查明它学到了什么、在哪里会上当，并把它派上用场；
- 亲自给回复排序，并用你自己的次序衡量这个模型。
"""

# %% from-order [markdown] defines="labeler; ranking"
r"""
## From an order to pairs (§3.5)

The paper's *labelers* ({paper:intro.labelers} people) saw between {paper:rm.k.min} and
{paper:rm.k.max} completions of one prompt at a time and put them in order, ties allowed. Such an order is a
*ranking*.

In Tinytown, our small made-up world, a labeler is a program. It starts from the grade of the *judge*, an exact grader that this
world has, adds tastes of its own, and has *lapses*, errors by chance, and not few of them. Here is one at work. Rank one is best;
equal ranks are a tie.
"""

# %% from-order [markdown] lang="zh" of="6ec0476a"
r"""
## 从次序到成对比较（§3.5）

论文的*标注员*（labeler，人数 {paper:intro.labelers}）每次看到同一提示的 {paper:rm.k.min} 到
{paper:rm.k.max} 个回复，把它们排出次序，允许并列。这样的次序叫*排序*（ranking）。

Tinytown 是我们编造的一个小世界，那里的标注员是一个程序。它从*评判者*（judge，这个世界的精确评分器）的评分出发，加上自己的口味，
还有*疏忽*，即并不少见的偶然出错。下面就让其中一位来排一次。第一名最好；名次相同就是并列。
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
K = len(replies)
for k in sorted(range(K), key=given.__getitem__):
    print(f"rank {given[k]} · y{k + 1}: {replies[k]}")

# %% rank lang="zh"
{
    "Name three gifts for Ines.\n": None,
    "Good gifts for Ines are an empty whistle, a coat, and a basket.": None,
    "You could give her a yellow cup, a tiny lamp, and a boat.": None,
    "You could give her a stone and a bottle.": None,
    "You could give her a key, a wooden stone, and a ring.": None,
    "You could give her a scarf, a bottle, and a letter.": None,
    "rank {given[k]} · y{k + 1}: {replies[k]}": "第 {given[k]} 名 · y{k + 1}：{replies[k]}",
}

# %% comparisons [markdown] defines="comparison"
r"""
A ranking of $K$ completions holds $\binom K2$ *comparisons*: two completions, and which of them is preferred; in a tie, neither
is. The paper drops ties from training (C.2), and so do we.

`ranked_pairs` marks the rest in a square: in row $w$, column $l$, whether completion $w$ beats completion $l$.
"""

# %% comparisons [markdown] lang="zh" of="7371a70a"
r"""
对 $K$ 个回复的一次排序含有 $\binom K2$ 个*成对比较*（comparison）：两个回复，以及其中哪个更受偏好。并列则不偏好任何一个。
论文在训练时舍去并列的对（C.2），我们也照此处理。

`ranked_pairs` 把其余的对标在一个方阵里：第 $w$ 行、第 $l$ 列表示回复 $w$ 是否胜过回复 $l$。
"""

# %% square
import torch

from minirlhf import lesson
from minirlhf.objectives import ranked_pairs

ranks = torch.tensor([given])  # one prompt: shape [1, K]
wins = ranked_pairs(ranks, valid=ranks > 0)  # valid: no padding
names = [f"y{k + 1}" for k in range(K)]
marks = [["beats" if won else "–" for won in row] for row in wins[0]]
header = (f"{wins.sum()} of {K * (K - 1) // 2} pairs", *names)
lesson.table(header, [[n, *m] for n, m in zip(names, marks, strict=True)])

# %% square lang="zh"
{
    "# one prompt: shape [1, K]": "# 一个提示：形状 [1, K]",
    "# valid: no padding": "# valid：不是填充",
    "beats": "胜过",
    "{wins.sum()} of {K * (K - 1) // 2} pairs": "{K * (K - 1) // 2} 对中的 {wins.sum()} 对",
}

# %% ties [markdown]
r"""
How much is lost with the ties? Our *shipped run*, made beforehand and part of the package, trained on
{run:counts.rankings:,} rankings, each by one labeler; here are some of them. Every prompt was sampled {run:counts.k.min} to
{run:counts.k.max} times; identical samples are ranked once. (The paper's step 2
had {paper:data.prompts.rm} prompts; most completions came from step 1's models, *SFT* policies, some from step 3's, §3.1.)
"""

# %% ties [markdown] lang="zh" of="12ace4f7"
r"""
舍去并列会损失多少？我们的*随包运行*（shipped run）是事先做好、随程序包附带的，它训练时用了 {run:counts.rankings:,} 个排序，
每个出自一位标注员；下面是其中一部分。每个提示采样 {run:counts.k.min} 到 {run:counts.k.max} 次；内容相同的样本只排一次。
（论文的第 2 步有 {paper:data.prompts.rm} 个提示；被排序的回复大多来自第 1 步的模型，即 *SFT* 策略，一部分来自第 3 步的模型，§3.1。）
"""

# %% tied
from itertools import combinations

from minirlhf import shipped

rankings = shipped.read("rankings")
sizes = [len(row["ranks"]) for row in rankings]
both = [p for row in rankings for p in combinations(row["ranks"], 2)]
tied = sum(one == two for one, two in both) / len(both)
print(f"{len(rankings):,} of the rankings, of {min(sizes)} to {max(sizes)} "
      f"texts: {len(both):,} pairs, {tied:.0%} of them ties")

# %% tied lang="zh"
{
    "{len(rankings):,} of the rankings, of {min(sizes)} to {max(sizes)} texts: {len(both):,} pairs, {tied:.0%} of them ties": "其中 {len(rankings):,} 个排序，各有 {min(sizes)} 到 {max(sizes)} 个文本：{len(both):,} 对，并列占 {tied:.0%}",
}

# %% equation [markdown] defines="reward model"
r"""
## The loss of a ranking (Eq. 1)

A *reward model* is a language model that ends in one number: it reads a prompt $x$ and a completion $y$ and
gives a score $r_\theta(x,y)$. It is to score the preferred completion $y_w$ above the other one, $y_l$. Eq. 1, written
out prompt by prompt:

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tbinom K2^{-1}\sum_{(w,l)}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

From the inside out: the logistic function $\sigma$ turns the difference of two scores into the probability that $y_w$ is
preferred (the model of Bradley and Terry); a difference of one means odds of $e$ to one. The negative logarithm of that
probability is the loss of the pair. The loss of a prompt is the mean over its pairs, and $\mathbb E_x$ is the mean over
prompts.

With ties dropped, fewer than $\binom K2$ pairs are left. We divide by their number, $|P_x|$: our reading, so that a tie
doesn't make its prompt count less; a prompt without any pair isn't counted. Two prompts are never compared.
"""

# %% equation [markdown] lang="zh" of="f4044e47"
r"""
## 一次排序的损失（式 1）

*奖励模型*（reward model）是末端只输出一个数的语言模型：它读入提示 $x$ 和回复 $y$，给出得分 $r_\theta(x,y)$。
它应当让更受偏好的回复 $y_w$ 得分高于另一个回复 $y_l$。把式 1 逐个提示地写出来：

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tbinom K2^{-1}\sum_{(w,l)}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

请由内向外读。逻辑函数 $\sigma$ 把两个得分之差变成 $y_w$ 更受偏好的概率（布拉德利–特里模型）；得分差为一，胜负之比就是 $e$ 比一。
这个概率的负对数就是这一对的损失。一个提示的损失是它各对损失的平均，$\mathbb E_x$ 再对提示取平均。

舍去并列之后，剩下的对少于 $\binom K2$ 个。我们除以剩下的对数 $|P_x|$：这是我们的读法，免得并列使一个提示的分量变轻；一对也不剩的提示不计入。
不同的提示之间从不比较。
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

# %% by-hand lang="zh"
{
    "# r(x, y), by guess": "# r(x, y)，随便猜的",
    "by hand {by_hand:.4f}, by the package {result.loss:.4f}": "手工 {by_hand:.4f}，程序包 {result.loss:.4f}",
    "in the right order: {result.correct} of {result.pairs} pairs": "次序正确：{result.pairs} 对中的 {result.correct} 对",
}

# %% push [markdown]
r"""
### Where it pushes

What a loss teaches is its gradient. On the left, each dot is one pair: *y1>y3* says that the labeler prefers y1. Right of
zero the order is right; the further right, the lower and flatter the curve. The more wrong a pair is, the more it costs
and the harder it pulls: by $\sigma\big(r_\theta(x,y_l)-r_\theta(x,y_w)\big)/|P_x|$, never more than $1/|P_x|$. On the
right, all pulls add up to one push for each completion, the best rank at the top.
"""

# %% push [markdown] lang="zh" of="a53d7540"
r"""
### 它往哪里推

损失教给模型的，是它的梯度。左图中每个点是一对：*y1>y3* 表示标注员更喜欢 y1。零的右边次序正确，越往右曲线越低、越平。
一对错得越厉害，代价越高，拉力也越大：拉力是 $\sigma\big(r_\theta(x,y_l)-r_\theta(x,y_w)\big)/|P_x|$，不会超过 $1/|P_x|$。
右图把各对的拉力加起来，得到对每个回复的一个推力，名次最好的在最上面。
"""

# %% dots
dots = sorted(
    (float(difference[0, w, other]), float(of_each_pair[0, w, other]),
     f"y{w + 1}>y{other + 1}")
    for w, other in wins[0].nonzero().tolist()
)

# %% picture
from minirlhf.report.charts import INK, MUTED

leaf = scores.clone().requires_grad_()
ranking_loss(leaf, ranks, ranks > 0).loss.backward()
figure, (curve, pushes) = lesson.panels(2, "One ranking under Eq. 1 (live)")
x = torch.linspace(-1.5, 1.7, 100)
curve.plot(x, -F.logsigmoid(x), color=MUTED)
curve.set(xlabel="difference of scores", ylabel="loss of the pair")
for n, (at, cost, pair) in enumerate(dots):  # named above, below in turn
    curve.plot(at, cost, "o", color=INK, markersize=4)
    curve.annotate(pair, (at, cost), (4, 2) if n % 2 else (-32, -8),
                   textcoords="offset points", fontsize=7)
order = ranks[0].argsort(stable=True).flip(0)
named = [f"y{k + 1}, rank {given[k]}, {scores[0, k]:+.1f}" for k in order]
pushes.barh(named, -leaf.grad[0, order], color=INK, height=0.5)
pushes.set(xlabel=f"push on the score (sum {abs(leaf.grad.sum()):.2f})")
lesson.show(figure, "Costs fall to the right; good ranks are pushed up.")

# %% picture lang="zh"
{
    "One ranking under Eq. 1 (live)": "式 1 下的一次排序（现场）",
    "difference of scores": "得分之差",
    "loss of the pair": "这一对的损失",
    "# named above, below in turn": "# 名字轮流写在上方和下方",
    "offset points": None,
    "y{k + 1}, rank {given[k]}, {scores[0, k]:+.1f}": "y{k + 1}，第 {given[k]} 名，{scores[0, k]:+.1f}",
    "push on the score (sum {abs(leaf.grad.sum()):.2f})": "对得分的推力（合计 {abs(leaf.grad.sum()):.2f}）",
    "Costs fall to the right; good ranks are pushed up.": "越往右代价越低；名次好的被往上推。",
}

# %% shift [markdown]
r"""
**Predict.** Enter your guesses, or none; the cells below keep the outcomes until you reveal them. First, what
becomes of the loss if all scores of a prompt move together?
"""

# %% shift [markdown] lang="zh" of="caa18b72"
r"""
**先猜一猜。** 填入你的猜测，也可以留空；下面的单元格会藏着结果，等你来揭晓。先看第一个问题：一个提示的所有得分一起移动，损失会怎样？
"""

# %% guess-shift
from minirlhf.widgets import Prediction

guess_shift = Prediction("Add three to all five scores. Then the loss …",
    "05.shift", choices=("rises", "stays", "falls"))
guess_shift

# %% guess-shift lang="zh"
{
    "Add three to all five scores. Then the loss …": "给五个得分都加三，损失会……",
    "rises": "上升",
    "stays": "不变",
    "falls": "下降",
}

# %% moved
moved = ranking_loss(scores + 3.0, ranks, ranks > 0).loss - result.loss
stays = abs(float(moved)) < 1e-5
guess_shift.reveal("stays" if stays else "rises" if moved > 0 else "falls")

# %% moved lang="zh"
{
    "rises": "上升",
    "stays": "不变",
    "falls": "下降",
}

# %% zero [markdown]
r"""
The constant stands on both sides of every difference. So the scores have no zero of their own, and each prompt's scores
may lie higher or lower than another's without Eq. 1 noticing. The pushes add up to nothing, as the axis above says: what
one completion of a pair gains, the other one loses. Second question: a model that knows nothing gives all five the same
score.
"""

# %% zero [markdown] lang="zh" of="3cd13dca"
r"""
这个常数出现在每个差的两边。因此得分没有自己的零点，一个提示的得分整体高于或低于另一个提示，式 1 也看不出来。
各个推力之和为零，上图的坐标轴下写着：一对中一个回复得到多少，另一个就失去多少。第二个问题：一个什么都不懂的模型给五个回复打同样的分。
"""

# %% guess-flat
guess_flat = Prediction("All five scores are equal. What is the loss of "
    "Eq. 1?", "05.flat", unit="loss", low=0, reach=(0, 2))
guess_flat

# %% guess-flat lang="zh"
{
    "All five scores are equal. What is the loss of Eq. 1?": "五个得分全相等，式 1 的损失是多少？",
    "loss": "损失",
}

# %% flat
flat = ranking_loss(torch.zeros_like(scores), ranks, ranks > 0).loss
guess_flat.reveal(float(flat))

# %% explore [markdown]
r"""
This is $\log 2$, the price of a coin toss: remember it when you read a curve of this loss. Now move the scores yourself.
Can you order every pair at a loss still near it? Can you reach zero? What do the arrows do when two completions share a
rank?
"""

# %% explore [markdown] lang="zh" of="0c1468d0"
r"""
这就是 $\log 2$，抛硬币的代价：看这个损失的曲线时请记住它。现在请亲手移动得分。能否让每一对的次序都对，而损失仍接近它？
能否把损失压到零？两个回复名次相同时，箭头会怎样？
"""

# %% explorer
from minirlhf.widgets import RankingExplorer

RankingExplorer(scores[0].tolist(), given, replies)

# %% explored [markdown]
r"""
The right order with differences near zero costs nearly $\log 2$; every finite difference costs something, so Eq. 1 goes on
asking for more. Tied completions don't pull on each other.
"""

# %% explored [markdown] lang="zh" of="764ef01e"
r"""
次序全对而差接近零，损失仍近于 $\log 2$；任何有限的差都不会使损失为零，所以式 1 总在要求更多。并列的回复互不拉扯。
"""

# %% model [markdown]
r"""
## A model that ends in one number (§3.5, C.2)

Take a language model and put one row of weights, the *head*, in the place of the layer that gives each next token its
probability. Applied to the hidden state of the completion's **last** token, its end token, it gives the score: only that
position has read everything. (The paper doesn't say where it reads the score.) By hand, with the reward model of our
shipped run; then all five, in the labeler's order:
"""

# %% model [markdown] lang="zh" of="f6c839e7"
r"""
## 末端只有一个数的模型（§3.5, C.2）

取一个语言模型，去掉给每个后续词元算概率的那一层，换上一行权重，称为*头*（head）。把它作用在回复**最后**一个词元（即结束符）的隐藏状态上，
就得到得分：只有这个位置读过了全部内容。（论文没有说明在哪里读出得分。）下面用随包运行的奖励模型手工算一次；然后是全部五个，按标注员的次序：
"""

# %% last-token
from minirlhf.data.tokenization import encode_completions, encode_prompts
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_tokenizer
from minirlhf.reward import score_texts

folder = shipped.run("reward") / "model"
tokenizer, reward = load_tokenizer(folder), ScalarModel.load(folder)
ids = encode_prompts(tokenizer, [prompt])[0]
ids = ids + encode_completions(tokenizer, replies[:1])[0]
with torch.no_grad():
    hidden = reward.hidden_states(torch.tensor([ids]))  # [tokens, d]
    last = float(reward.head(hidden[-1]) + reward.bias)  # bias: see below
package = score_texts(reward, tokenizer, [prompt], replies[:1])
print(f"{len(ids)} tokens, each a state of {hidden.shape[1]} numbers")
print(f"score by hand {last:+.4f}, by the package {package[0]:+.4f}")

# %% last-token lang="zh"
{
    "# [tokens, d]": "# [词元, d]",
    "# bias: see below": "# 偏置：见下文",
    "{len(ids)} tokens, each a state of {hidden.shape[1]} numbers": "{len(ids)} 个词元，每个的状态有 {hidden.shape[1]} 个数",
    "score by hand {last:+.4f}, by the package {package[0]:+.4f}": "得分：手工 {last:+.4f}，程序包 {package[0]:+.4f}",
}

# %% scored
from functools import partial

score = partial(score_texts, reward, tokenizer)
scored_here = score([prompt] * K, replies)
alike = ranking_loss(scored_here[None], ranks, ranks > 0)
lesson.table(
    ("completion", f"score (shipped run): {alike.correct} of {alike.pairs} "
     "pairs in order", "the labeler's rank"),
    [(f"y{k + 1}: {replies[k]}", f"{scored_here[k]:+.2f}", given[k])
     for k in sorted(range(K), key=given.__getitem__)],
)

# %% scored lang="zh"
{
    "completion": "回复",
    "score (shipped run): {alike.correct} of {alike.pairs} pairs in order": "得分（随包运行）：{alike.pairs} 对中 {alike.correct} 对次序正确",
    "the labeler's rank": "标注员的名次",
    "y{k + 1}: {replies[k]}": "y{k + 1}：{replies[k]}",
}

# %% start [markdown]
r"""
### Where it starts

The paper doesn't state how the head begins. Where it is new, we draw it as the code of Ziegler et al. (2019)
does, on which the paper builds: mean zero, standard deviation $1/\sqrt{d+1}$. And the rest? §3.5 says: from the SFT model. C.2 says: in
fact from a GPT-3 ({paper:rm.size}) tuned on public datasets, and that the choice made
little difference.

Here we deviate. On Tinytown's *notice board*, *neighbours* answer requests, and answers get votes, which follow the judge's grade.
Eq. 1 on these votes makes a reward model before any labeler has ranked: the *voted base*. Ours starts there.

| model on this page | starts from | Eq. 1 on |
|---|---|---|
| plain base, new head | a base that has read Tinytown's web | – |
| live model | plain base, new head | labelers' rankings |
| voted base | plain base, new head | neighbours' answers, by votes |
| shipped reward model | voted base | labelers' rankings |

How much do rankings teach without the votes? We train one from the plain base to see.
"""

# %% start [markdown] lang="zh" of="d4b52d34"
r"""
### 从哪里开始

头如何初始化，论文没有说明。它所依据的 Ziegler et al. (2019) 的代码按均值为零、标准差为 $1/\sqrt{d+1}$ 抽取；
凡是头为新的，我们也这样做。其余部分呢？§3.5 说：取自 SFT 模型。C.2 则说：实际上取自在公开数据集上调过的 GPT-3
（{paper:rm.size}），而且选哪个差别不大。

这里我们与论文不同。在 Tinytown 的*公告栏*上，*邻居们*回答请求，回答会得到投票，投票依据评判者的评分。
用式 1 学这些投票，在任何标注员排序之前就得到一个奖励模型，即*投票基座*。我们的奖励模型从它开始。

| 本页的模型 | 从哪里开始 | 式 1 用于 |
|---|---|---|
| 普通基座，新的头 | 读过 Tinytown 网络的基座 | – |
| 现场模型 | 普通基座，新的头 | 标注员的排序 |
| 投票基座 | 普通基座，新的头 | 邻居们的回答，按投票 |
| 随包奖励模型 | 投票基座 | 标注员的排序 |

没有投票，排序能教会多少？我们从普通基座开始训练一个来看看。
"""

# %% plain
from minirlhf.pretrained import load_policy
from minirlhf.tinytown.bases import base_folder

base = load_policy(base_folder("medium"), tokenizer)
plain = ScalarModel.from_policy(base, tokenizer)
d, drawn = plain.head.in_features, float(plain.head.weight.detach().std())
weights = sum(p.numel() for p in plain.parameters())
print(f"{weights:,} weights, {d} of them in the head")
print(f"their spread {drawn:.4f}; 1/sqrt(d + 1) is {(d + 1) ** -0.5:.4f}")

# %% plain lang="zh"
{
    "{weights:,} weights, {d} of them in the head": "{weights:,} 个权重，其中 {d} 个在头里",
    "their spread {drawn:.4f}; 1/sqrt(d + 1) is {(d + 1) ** -0.5:.4f}": "头的标准差 {drawn:.4f}；1/sqrt(d + 1) 是 {(d + 1) ** -0.5:.4f}",
}

# %% accuracy [markdown]
r"""
### Training one (C.2)

The measure is *accuracy*: the share of pairs that the scores put in the labeler's order, mean within a prompt, then over
prompts. The prompts' writers occur in no training set; the labelers are the training pool's.

All intervals on this page are of ninety-five percent. The next one covers the choice of prompts, not another draw of the head:
with all signs turned, as likely a draw, it would order the other pairs right.
"""

# %% accuracy [markdown] lang="zh" of="65ac31c4"
r"""
### 训练一个（C.2）

衡量的尺度是*准确率*：得分给出的次序与标注员相同的对所占的比例，先在一个提示内平均，再对提示平均。
提示的作者不出现在任何训练集中；标注员来自训练用的标注员池。

本页的区间都是百分之九十五的。下一个区间只涵盖提示的选取，不涵盖头的另一次抽取：把符号全部反过来（同样可能抽到），答对的就换成另外那些对。
"""

# %% measure
from minirlhf.evaluate.ranking_accuracy import accuracy, score_rankings
from minirlhf.evaluate.statistics import Interval, paired_difference

heldout = shipped.read("heldout")[: lesson.pick(400, quick=30)]
labeled = [row["ranks"] for row in heldout]


def scored_by(model):
    return score_rankings(partial(score_texts, model, tokenizer), heldout)


def percent(i):
    return Interval(100 * i.mean, 100 * i.low, 100 * i.high, i.n)


blank = scored_by(plain)
before = percent(accuracy(blank, labeled))
print(f"in order: {before.mean:.1f}% [{before.low:.1f}, {before.high:.1f}]")

# %% measure lang="zh"
{
    "in order: {before.mean:.1f}% [{before.low:.1f}, {before.high:.1f}]": "次序正确：{before.mean:.1f}% [{before.low:.1f}, {before.high:.1f}]",
}

# %% guess-live
guess_live = Prediction("After one pass over the rankings: held-out pairs "
    "in the labeler's order, in %?", "05.live", unit="%")
guess_live

# %% guess-live lang="zh"
{
    "After one pass over the rankings: held-out pairs in the labeler's order, in %?": "把排序过一遍之后：留出的对与标注员次序一致的占百分之几？",
}

# %% live [markdown]
r"""
One pass over the rankings, as in the paper. The start isn't the only difference from the shipped run: this one takes two
thousand of its {run:counts.rankings:,} rankings, in smaller batches, at five times the learning rate. (The paper:
{paper:rm.batch_prompts} prompts a batch, so at most {paper:rm.pairs_per_batch.max} pairs, at {paper:rm.lr}.) The *training
desk* shows the run, and can pause or stop it. A new head gives random scores, not equal ones, and at first that costs more than a
coin toss. Single batches scatter: compare the strong line, a running mean, with the coin's price.
"""

# %% live [markdown] lang="zh" of="ce8c5267"
r"""
像论文一样，把排序过一遍。与随包运行的差别不只在起点：这次只用它 {run:counts.rankings:,} 个排序中的两千个，批次较小，学习率是五倍。
（论文：{paper:rm.batch_prompts} 个提示一批，即至多 {paper:rm.pairs_per_batch.max} 对，学习率 {paper:rm.lr}。）
*训练台*显示这次训练，也能暂停或停止它。新的头给出的得分是随机的，而不是相等的，起初的代价比抛硬币还高。
单个批次起伏很大：请用深色的线（滑动平均）与抛硬币的代价比较。
"""

# %% train
from minirlhf.data.records import write_jsonl
from minirlhf.widgets import TrainingDesk, start

passed = lesson.workspace("05", "rankings.jsonl")
write_jsonl(passed, rankings[: lesson.pick(2000, quick=48)])
job = start(
    "rm",
    lesson.workspace("05", "reward"),
    model=base_folder("medium"),
    rankings=passed,
    demonstrations=shipped.file("demonstrations"),
    learning_rate=1e-3,  # five times the shipped run's: it starts from less
    batch=16,  # prompts
    micro_batch=8,  # of them at once: saves memory, changes no number
)
desk = TrainingDesk(job, note="live")
desk

# %% train lang="zh"
{
    "# five times the shipped run's: it starts from less": "# 随包运行的五倍：它的起点低",
    "# prompts": "# 提示",
    "# of them at once: saves memory, changes no number": "# 一次几个：省内存，不改变任何数",
}

# %% trained
job.wait()
desk.look()
live = ScalarModel.load(job.folder / "model")
learned = scored_by(live)
after = accuracy(learned, labeled)
guess_live.reveal(percent(after))

# %% start-why [markdown]
r"""
All four side by side. Below the picture, what rankings bring, prompt by prompt; an interval that holds zero leaves the
sign open. The two runs differ in data and settings, too, so the picture isn't about the start alone.
"""

# %% start-why [markdown] lang="zh" of="cf15142a"
r"""
四个模型放在一起。图下逐个提示地测出排序带来了什么；区间若包含零，正负就还没有定论。
两次训练的数据和设置也不同，所以这张图说的不只是起点。
"""


# %% coin-line
def coin(axes):
    """A named line at one half, behind numbers that stay readable."""
    axes.axvline(50, color=MUTED, linestyle="--", linewidth=1, zorder=0)
    white = {"facecolor": "white", "edgecolor": "none", "pad": 0}
    for number in axes.texts:
        number.set_bbox(white)
    axes.annotate(" a coin", (50, 0.98), color=MUTED, fontsize=8, va="top",
                  xycoords=("data", "axes fraction"))

# %% coin-line lang="zh"
{
    "A named line at one half, behind numbers that stay readable.": "在一半处画一条有名字的线；前面的数字仍看得清。",
    " a coin": " 抛硬币",
    "axes fraction": None,
}

# %% starts
voted = ScalarModel.load(base_folder("medium-voted"))
ours, by_votes = scored_by(reward), scored_by(voted)
figure, axes = lesson.panels(1, "Held-out accuracy by starting point "
    "(live; last row: shipped run)", size=(7.2, 2.4))
lesson.intervals(axes, {
    "plain base, new head": accuracy(blank, labeled),
    "plain base, rankings": after,
    "voted base": accuracy(by_votes, labeled),
    "voted base, rankings": accuracy(ours, labeled),
}, "% of pairs in the labeler's order")
coin(axes)
lesson.show(figure, "Four dots with intervals: plain base before and after "
    "training on rankings, voted base before and after.")

# %% starts lang="zh"
{
    "Held-out accuracy by starting point (live; last row: shipped run)": "不同起点的留出准确率（现场；末行：随包运行）",
    "plain base, new head": "普通基座，新的头",
    "plain base, rankings": "普通基座，排序",
    "voted base": "投票基座",
    "voted base, rankings": "投票基座，排序",
    "% of pairs in the labeler's order": "% 的对与标注员次序一致",
    "Four dots with intervals: plain base before and after training on rankings, voted base before and after.": "四个带区间的点：普通基座用排序训练前后，投票基座训练前后。",
}

# %% brought
import numpy as np

from minirlhf.evaluate.ranking_accuracy import shares_in_order
from minirlhf.tinytown.board import POSTS, VOTES


def gain(new, old, ranks):
    """Points of accuracy that new scores have over old ones."""
    both = np.array([shares_in_order(s, ranks) for s in (new, old)])
    d = paired_difference(*(100 * both[:, np.isfinite(both).all(0)]))
    return f"{d.mean:+.1f} [{d.low:+.1f}, {d.high:+.1f}] points"


now = percent(after)
print("rankings bring to the plain base", gain(learned, blank, labeled))
print(f"  beside a coin {now.low - 50:+.1f} to {now.high - 50:+.1f}")
print("rankings bring to the voted base", gain(ours, by_votes, labeled))
print(f"  which had read about {POSTS:,} posts, {VOTES.epochs} times over")

# %% brought lang="zh"
{
    "Points of accuracy that new scores have over old ones.": "新得分的准确率比旧得分高出几个百分点。",
    "{d.mean:+.1f} [{d.low:+.1f}, {d.high:+.1f}] points": "{d.mean:+.1f} [{d.low:+.1f}, {d.high:+.1f}] 个百分点",
    "rankings bring to the plain base": "排序带给普通基座",
    "  beside a coin {now.low - 50:+.1f} to {now.high - 50:+.1f}": "  与抛硬币相比 {now.low - 50:+.1f} 到 {now.high - 50:+.1f}",
    "rankings bring to the voted base": "排序带给投票基座",
    "  which had read about {POSTS:,} posts, {VOTES.epochs} times over": "  它读过约 {POSTS:,} 个帖子，读了 {VOTES.epochs} 遍",
}

# %% ways [markdown]
r"""
## All pairs of a prompt at once (§3.5)

The comparisons of one prompt share their completions. The paper first shuffled all pairs into one pile, and one pass over
it was enough to over-fit: each completion came up to $K-1$ times. So all pairs of a prompt became **one batch element**:
each of its $K$ completions goes through the model once, Eq. 1 compares their $K$ scores. Our two ways see the same fifteen
hundred rankings once, with as many pairs to a step; three seeds each.
"""

# %% ways [markdown] lang="zh" of="8ebce29b"
r"""
## 一个提示的所有对放在一起（§3.5）

同一提示的成对比较共用那几个回复。论文起初把所有的对打乱成一堆，过一遍就已过拟合：每个回复最多出现 $K-1$ 次。
于是一个提示的所有对成了**一个批次元素**：它的 $K$ 个回复只通过模型一次，式 1 比较它们的 $K$ 个得分。
我们的两种做法看的都是同样的一千五百个排序，都只看一遍，每步的对数也相当；各用三个随机种子。
"""

# %% guess-cost
guess_cost = Prediction("Pair by pair, the model reads how many times as "
    "many completions as prompt by prompt?", "05.cost",
    unit="times", low=0)
guess_cost

# %% guess-cost lang="zh"
{
    "Pair by pair, the model reads how many times as many completions as prompt by prompt?": "逐对训练时，模型要读的回复是逐提示训练的几倍？",
    "times": "倍",
}

# %% cost
ways = {"prompts": [], "pairs": []}
for row in shipped.read("ways"):
    ways[row["way"]].append(row)
reading = {way: rows[0]["texts"] for way, rows in ways.items()}
guess_cost.reveal(reading["pairs"] / reading["prompts"], "shipped run")

# %% cost lang="zh"
{
    "shipped run": "随包运行",
}

# %% ways-gap [markdown]
r"""
And accuracy? Each line below is one seed: a filled dot on held-out prompts, an open one on prompts of the training set.
Over-fitting would widen the distance between them.
"""

# %% ways-gap [markdown] lang="zh" of="94d0b7f5"
r"""
准确率呢？下面每条线是一个种子：实心点是留出的提示，空心点是训练集中的提示。过拟合会拉大两者的距离。
"""

# %% gap
called = {"prompts": "prompt by prompt", "pairs": "pair by pair"}
lines = [(way, row) for way in ways for row in ways[way]]
figure, axes = lesson.panels(1, "Accuracy in training and held "
    "out, by seed (shipped run)", size=(7.2, 2.5))
for y, (_, row) in enumerate(lines):
    ends = 100 * np.array([row["heldout"], row["train"]])
    axes.plot(ends, [y, y], color=MUTED, zorder=1)
    axes.scatter(ends, [y, y], c=[INK, "white"], edgecolors=INK, zorder=2)
words = [f"{called[way]}, seed {row['seed']}" for way, row in lines]
axes.set_yticks(range(len(lines)), words)
axes.invert_yaxis()
axes.set_xlabel("% of pairs in order; filled: held out, open: in training")
lesson.show(figure, "Lines from held-out to training accuracy, one for "
    "each seed of the two ways.")

# %% gap lang="zh"
{
    "prompt by prompt": "逐提示",
    "pair by pair": "逐对",
    "Accuracy in training and held out, by seed (shipped run)": "训练中与留出的准确率，按种子（随包运行）",
    "{called[way]}, seed {row['seed']}": "{called[way]}，种子 {row['seed']}",
    "% of pairs in order; filled: held out, open: in training": "% 的对次序正确；实心：留出，空心：训练中",
    "Lines from held-out to training accuracy, one for each seed of the two ways.": "从留出准确率到训练准确率的线段，两种做法每个种子一条。",
}

# %% ways-why
for way, name in called.items():
    train, out = (100 * np.mean([row[on] for row in ways[way]])
                  for on in ("train", "heldout"))
    print(f"{name}: {train:.1f}% in training, {out:.1f}% held out")


def by_seed(what, compare, form):
    pairs = zip(ways["pairs"], ways["prompts"], strict=True)
    print(f"  {what}:", *(f"{compare(*two):{form}}" for two in pairs))


print("pair by pair beside prompt by prompt, seed by seed:")
by_seed("points held out", lambda p, w: 100 * (p["heldout"] - w["heldout"]),
        "+.1f")
by_seed("times as long", lambda p, w: p["seconds"] / w["seconds"], ".1f")

# %% ways-why lang="zh"
{
    "{name}: {train:.1f}% in training, {out:.1f}% held out": "{name}：训练中 {train:.1f}%，留出 {out:.1f}%",
    "  {what}:": "  {what}：",
    "pair by pair beside prompt by prompt, seed by seed:": "逐对与逐提示相比，逐个种子：",
    "points held out": "留出的百分点",
    "times as long": "用时的倍数",
}

# %% ways-said [markdown]
r"""
Held out, pair by pair came out ahead with each seed: the opposite of the paper, which saw it over-fit, with worse
validation accuracy and log loss. Three seeds are few, and more differs: pair by pair also gives every
pair the same weight, so long rankings count more; a seed draws other batches for each way; and we have no log loss. The
paper's model has billions of weights to memorise with, ours a million, and votes leave rankings little to teach. What
remains is the cost: {run:ways.forward:.1f} times the completions to read.
"""

# %% ways-said [markdown] lang="zh" of="5e08893e"
r"""
在留出的提示上，每个种子都是逐对训练领先：与论文正相反，论文看到它过拟合，验证准确率和对数损失都更差。三个种子很少，而且两者还有别的差别：
逐对训练还给每一对同样的权重，所以长的排序分量更重；同一个种子在两种做法中抽到的批次不同；我们也没有测对数损失。
论文的模型有数十亿权重可用来死记，我们的只有一百万，而投票留给排序去教的已经不多。剩下的是代价：要读的回复是 {run:ways.forward:.1f} 倍。
"""

# %% bias [markdown] defines="reward bias"
r"""
## What zero means (§3.5)

Eq. 1 leaves the zero free. Step 3 will use the score as a reward, so the paper fixes it after training: a constant, the
*reward bias*, is added so that the labelers' *demonstrations*, the replies that they wrote for step 1, score zero on average. A
constant changes no preference; it sets a readable level, and step 3 starts more easily.
"""

# %% bias [markdown] lang="zh" of="38436f49"
r"""
## 零意味着什么（§3.5）

式 1 没有规定零点。第 3 步要把得分当作奖励，所以论文在训练之后把它定下来：加上一个常数，即*奖励偏置*（reward bias），
使标注员的*示范*（他们为第 1 步写的回复）平均得分为零。加一个常数不改变任何偏好；它定出一个读得懂的水平，也使第 3 步更容易起步。
"""

# %% bias-check
import json

from minirlhf.objectives import reward_bias

shown = shipped.read("demonstrations")
columns = [[row[c] for row in shown] for c in ("prompt", "completion")]
of_demos = score(*columns)
raw = of_demos - reward.bias
stored = json.loads((folder / "config.json").read_text())["reward_bias"]
print(f"demonstrations without a bias: {raw.mean():+.2f} on average")
print(f"so the bias is {reward_bias(raw):+.2f}; stored: {stored:+.2f}")
print(f"with it: {abs(of_demos.mean()):.2f}")

# %% bias-check lang="zh"
{
    "demonstrations without a bias: {raw.mean():+.2f} on average": "没有偏置时，示范平均得 {raw.mean():+.2f}",
    "so the bias is {reward_bias(raw):+.2f}; stored: {stored:+.2f}": "所以偏置是 {reward_bias(raw):+.2f}；存着的：{stored:+.2f}",
    "with it: {abs(of_demos.mean()):.2f}": "加上它：{abs(of_demos.mean()):.2f}",
}

# %% bias-why [markdown]
r"""
Above zero now means: above the *mean* demonstration, and those answer other prompts. A prompt's scores may be shifted as a
whole, so a score far below zero, as of all five gifts, may say something of the replies or of the prompt. How many samples of the
SFT model, on held-out prompts, get above zero?
"""

# %% bias-why [markdown] lang="zh" of="81284239"
r"""
得分大于零，现在意味着：高于示范的*平均*得分，而那些示范回答的是别的提示。一个提示的得分可以整体移动，
所以远低于零的得分（那五份礼物都是）说的也许是回复，也许是提示。SFT 模型在留出提示上的样本有多少能超过零？
"""

# %% guess-zero
guess_zero = Prediction("What share of the SFT model's samples scores "
    "above zero, in %?", "05.zero", unit="%")
guess_zero

# %% guess-zero lang="zh"
{
    "What share of the SFT model's samples scores above zero, in %?": "SFT 模型的样本有百分之几得分大于零？",
}

# %% above
of_samples = np.concatenate(ours)
guess_zero.reveal(100 * float((of_samples > 0).mean()), "shipped run")

# %% above lang="zh"
{
    "shipped run": "随包运行",
}

# %% zero-picture [markdown]
r"""
Compare where the two heaps lie, and the two shares above zero: the bias fixes the demonstrations' mean, not their share. (Their
prompts differ, so the distance isn't a measure of quality.)
"""

# %% zero-picture [markdown] lang="zh" of="3925196c"
r"""
请比较两堆的位置，以及两个大于零的比例：偏置定下的是示范的平均值，而不是这个比例。（两堆的提示不同，所以距离不是质量的尺度。）
"""

# %% zero-heaps
from minirlhf.report.charts import PALETTE

figure, axes = lesson.panels(1, "Scores of demonstrations and of SFT "
    "samples (shipped run)", size=(7.2, 2.7))
bins = np.linspace(of_samples.min(), of_samples.max(), 36)
for values, name, color in (
    (of_samples, "SFT samples", PALETTE["sft"]),
    (of_demos.numpy(), "demonstrations", INK),
):
    share = np.histogram(values, bins)[0] * 100 / len(values)
    over = f"{(values > 0).mean():.0%} above zero"
    label = f"{name}: mean {values.mean():+.1f}, {over}"
    axes.stairs(share, bins, color=color, linewidth=1.8, label=label)
axes.axvline(0, color=MUTED, linestyle=(0, (4, 3)), linewidth=1)
axes.set(xlabel="score", ylabel="% of texts")
axes.legend(loc="upper left", frameon=False, fontsize=8)
lesson.show(figure, "Two outlines over the score: demonstrations around "
    "zero, SFT samples with a tail to the left.")

# %% zero-heaps lang="zh"
{
    "Scores of demonstrations and of SFT samples (shipped run)": "示范的得分与 SFT 样本的得分（随包运行）",
    "SFT samples": "SFT 样本",
    "demonstrations": "示范",
    "{(values > 0).mean():.0%} above zero": "{(values > 0).mean():.0%} 大于零",
    "{name}: mean {values.mean():+.1f}, {over}": "{name}：平均 {values.mean():+.1f}，{over}",
    "score": "得分",
    "% of texts": "% 的文本",
    "upper left": None,
    "Two outlines over the score: demonstrations around zero, SFT samples with a tail to the left.": "两条随得分变化的轮廓：示范在零附近，SFT 样本向左拖着尾巴。",
}

# %% ceiling [markdown] defines="agreement"
r"""
## How good can it be? (§3.4)

People disagree, and no model can agree with all of them. So beside accuracy belongs *agreement*: how often two
labelers prefer the same completion (ours: over pairs that neither ties). The paper, naming no tie rule, reports
{paper:agreement.training}. Here a second labeler of the pool ranks each held-out prompt again.
"""

# %% ceiling [markdown] lang="zh" of="e7092b70"
r"""
## 它能好到什么程度？（§3.4）

人与人意见不一，没有模型能同时赞同所有人。因此准确率旁边要放上*一致率*（agreement）：两位标注员偏好同一个回复的比例
（我们的：在两人都不判并列的对中）。论文没有说明并列怎么算，报告的是 {paper:agreement.training}。这里由标注员池中的另一位把每个留出的提示再排一次。
"""

# %% guess-ceiling
guess_ceiling = Prediction("On how many pairs do two labelers of Tinytown "
    "agree, in %?", "05.ceiling", unit="%")
guess_ceiling

# %% guess-ceiling lang="zh"
{
    "On how many pairs do two labelers of Tinytown agree, in %?": "Tinytown 的两位标注员在百分之几的对上一致？",
}

# %% again
import random

pool, draw = training_pool(), random.Random(0)


def second(row, draw):
    other = draw.choice([w for w in pool if w.name != row["labeler"]])
    given = other.rank(row["prompt"], row["completions"])
    return [-rank for rank in given]  # the higher, the better


others = [second(row, draw) for row in heldout]
agreed = accuracy(others, labeled)
guess_ceiling.reveal(percent(agreed))

# %% again lang="zh"
{
    "# the higher, the better": "# 越高越好",
}

# %% truth [markdown]
r"""
Now the reward model beside that, against a labeler and the judge. The judge has no lapses: it grades from one to seven by criteria
such as instruction, truth and language; a reply that meets them all *passes*. In the labeler's rows, a tie of the second labeler or
the judge counts one half: so all three are marked on the same pairs, and the second labeler's row is lower than the agreement above.
"""

# %% truth [markdown] lang="zh" of="32f285b5"
r"""
现在把奖励模型放到旁边，对照标注员，也对照评判者。评判者没有疏忽：它依据指令、真实、语言等准则给回复打一到七分；满足全部准则的回复*合格*。
在标注员的几行中，第二位标注员或评判者的并列算作一半：这样三者是在同样的对上衡量的，第二位标注员那一行也因此低于上面的一致率。
"""

# %% tie-half
from minirlhf.evaluate.statistics import over_prompts


def tie_half(values, ranks):
    """Accuracy on all pairs of the ranks: a tie of values is one half."""
    shares = []
    for tiny in (1e-6, -1e-6):  # ties go one way, then the other
        split = [np.array(row) + tiny * np.arange(len(row))
                 for row in values]
        shares.append(shares_in_order(split, ranks))
    mean = np.mean(shares, axis=0)
    return over_prompts(mean[np.isfinite(mean)])

# %% tie-half lang="zh"
{
    "Accuracy on all pairs of the ranks: a tie of values is one half.": "名次中所有的对上的准确率：数值并列算一半。",
    "# ties go one way, then the other": "# 并列先算这边，再算那边",
}

# %% ceilings
from minirlhf.tinytown.judge import judge

grades = [[judge(row["prompt"], y).overall for y in row["completions"]]
          for row in heldout]
by_judge = [np.negative(row) for row in grades]
truth = tie_half(grades, labeled)
figure, axes = lesson.panels(1, "Who orders held-out pairs alike (live; "
    "reward model: shipped run)", size=(7.2, 3.3))
lesson.intervals(axes, {
    "labeler's order, by a second labeler": tie_half(others, labeled),
    "labeler's order, by the judge": truth,
    "labeler's order, by the reward model": accuracy(ours, labeled),
    "judge's order, by the reward model": accuracy(ours, by_judge),
    "judge's order, by the voted base": accuracy(by_votes, by_judge),
    "judge's order, by the live model": accuracy(learned, by_judge),
}, "% of pairs")
lesson.show(figure, "Six dots with intervals: three orders against a "
    "labeler's, three against the judge's.")

# %% ceilings lang="zh"
{
    "Who orders held-out pairs alike (live; reward model: shipped run)": "谁给留出的对排出相同的次序（现场；奖励模型：随包运行）",
    "labeler's order, by a second labeler": "标注员的次序，由第二位标注员",
    "labeler's order, by the judge": "标注员的次序，由评判者",
    "labeler's order, by the reward model": "标注员的次序，由奖励模型",
    "judge's order, by the reward model": "评判者的次序，由奖励模型",
    "judge's order, by the voted base": "评判者的次序，由投票基座",
    "judge's order, by the live model": "评判者的次序，由现场模型",
    "% of pairs": "% 的对",
    "Six dots with intervals: three orders against a labeler's, three against the judge's.": "六个带区间的点：三个次序对照标注员，三个对照评判者。",
}

# %% nearer
print(f"""rankings move the voted base
  towards the labelers' order: {gain(ours, by_votes, labeled)}
  towards the judge's order: {gain(ours, by_votes, by_judge)}""")

# %% nearer lang="zh"
{
    "rankings move the voted base\n  towards the labelers' order: {gain(ours, by_votes, labeled)}\n  towards the judge's order: {gain(ours, by_votes, by_judge)}": "排序使投票基座\n  向标注员的次序靠近：{gain(ours, by_votes, labeled)}\n  向评判者的次序靠近：{gain(ours, by_votes, by_judge)}",
}

# %% gaps [markdown]
r"""
Not even the judge finds all of a labeler's order, which holds lapses: tastes aside, the judge's row is the **ceiling** of accuracy
against a labeler. A second labeler's row isn't, since both err. Against the judge the ceiling is a hundred; the voted base's row
says how much came from the votes. So rankings made our shipped model no better: towards labelers the gain isn't clear, and from the
judge they led away, for they teach lapses too. With labelers alone, as in the paper, one would see only the first.

Where are the hard pairs? The table sorts all by how far apart the judge's grades are; ties count as above. Where even the
judge does little better than a coin, there is little to learn. Where it does better than the model, the failure is the
model's own.
"""

# %% gaps [markdown] lang="zh" of="21dab4f8"
r"""
一位标注员的次序里有疏忽，所以连评判者也不能全部给出：对照标注员时，评判者那一行（口味除外）就是准确率的**上限**。第二位标注员那一行不是，因为两人都会出错。
对照评判者，上限是一百；这一次序中有多少来自投票，看投票基座那一行。所以排序没有让随包的模型变好：向标注员靠近多少，并不清楚；
离评判者却远了，因为排序也教会它疏忽。像论文那样只有标注员的时候，人们只会看到前一半。

难分的对在哪里？下表按评判者打分的差距给所有的对分类；并列的算法同上。凡是评判者也不比抛硬币好多少的地方，没有多少可学。
凡是评判者比模型好的地方，失误就是模型自己的。
"""

# %% by-gap
from itertools import pairwise

apart, alike, rankers = [], [], (others, grades, ours)
for rank, g, *finders in zip(labeled, grades, *rankers, strict=True):
    for i, j in combinations(range(len(rank)), 2):
        if rank[i] != rank[j]:
            sign = np.sign(rank[j] - rank[i])  # of what the labeler prefers
            apart.append(abs(g[i] - g[j]))
            signs = [sign * np.sign(f[i] - f[j]) for f in finders]
            alike.append([(1 + s) / 2 for s in signs])  # a tie: one half
apart, alike, rows = np.array(apart), np.array(alike), []
for low, high in pairwise((0, 0.25, 0.5, 1, 2, 6.001)):
    here = alike[(apart >= low) & (apart < high)]
    shares = here.sum(0) / max(len(here), 1)
    rows.append((f"{low:g} to {high:.3g}", len(here),
                 *(f"{share:.0%}" for share in shares)))
lesson.table(("judge's grades apart by", "pairs", "in the labeler's order: "
    "by a second", "by the judge", "by the model"), rows)

# %% by-gap lang="zh"
{
    "# of what the labeler prefers": "# 标注员偏好的那一边",
    "# a tie: one half": "# 并列：一半",
    "{low:g} to {high:.3g}": "{low:g} 到 {high:.3g}",
    "judge's grades apart by": "评判者评分相差",
    "pairs": "对数",
    "in the labeler's order: by a second": "与标注员次序一致：第二位标注员",
    "by the judge": "评判者",
    "by the model": "模型",
}

# %% unseen [markdown]
r"""
### Labelers it never saw (E.2)

Has it learned what is good, or what these labelers like? The paper left each of {paper:rm.labeler_groups} groups of
labelers out in turn: accuracy was {paper:rm.accuracy.training} on labelers of the training groups and
{paper:rm.accuracy.held_out} on those left out (§4.1). We did the same, on other pairs, pooled: so the level differs from
that above.
"""

# %% unseen [markdown] lang="zh" of="d351179a"
r"""
### 它从未见过的标注员（E.2）

它学到的是什么算好，还是这些标注员喜欢什么？论文把标注员分成 {paper:rm.labeler_groups} 组，轮流留出一组：
对训练组的标注员，准确率是 {paper:rm.accuracy.training}；对留出的标注员是 {paper:rm.accuracy.held_out}（§4.1）。我们做了同样的事，用的是另外一些对，并且合在一起计算：
所以水平与上面不同。
"""

# %% guess-unseen
guess_unseen = Prediction("Accuracy on labelers left out: how many points "
    "below that on labelers of training groups?", "05.unseen",
    unit="points")
guess_unseen

# %% guess-unseen lang="zh"
{
    "Accuracy on labelers left out: how many points below that on labelers of training groups?": "对留出的标注员，准确率比对训练组的标注员低几个百分点？",
    "points": "个百分点",
}

# %% groups
from minirlhf.evaluate.statistics import over_seeds

(groups,) = shipped.read("groups")
lost = over_seeds(100 * np.subtract(groups["inside"], groups["outside"]))
ends = (round(x, 1) + 0.0 for x in (lost.mean, lost.low, lost.high))
guess_unseen.reveal(Interval(*ends, lost.n), "shipped run")

# %% groups lang="zh"
{
    "shipped run": "随包运行",
}

# %% lost
level = {k: f"{100 * np.mean(v):.1f}%" for k, v in groups.items()}
print(f"training groups {level['inside']}, left out {level['outside']}; "
      f"the difference lies in [{lost.low:+.1f}, {lost.high:+.1f}] points\n"
      f"(over {lost.n} folds, which overlap: approximate)")

# %% lost lang="zh"
{
    "training groups {level['inside']}, left out {level['outside']}; the difference lies in [{lost.low:+.1f}, {lost.high:+.1f}] points\n(over {lost.n} folds, which overlap: approximate)": "训练组 {level['inside']}，留出 {level['outside']}；差在 [{lost.low:+.1f}, {lost.high:+.1f}] 个百分点之间\n（{lost.n} 折，彼此有重叠：近似）",
}

# %% lapses [markdown]
r"""
What could be lost at all? Labelers differ in taste, which one can learn, and by lapses, which nobody can. How often would
two of them agree without lapses?
"""

# %% lapses [markdown] lang="zh" of="7107bef6"
r"""
到底有什么可损失的？标注员之间有口味的差别，这是可以学的；还有疏忽，这谁也学不会。没有疏忽时，两位标注员的一致率会是多少？
"""

# %% without-lapses
from dataclasses import replace


def agree(noise):
    """Over ten pairs of labelers: how often they agree, one ties."""
    shares, ties = [], []
    for two in zip(pool[:10], pool[10:20], strict=True):
        first, again = (
            [replace(w, noise=noise).rank(r["prompt"], r["completions"])
             for r in heldout] for w in two)
        turned = [[-rank for rank in row] for row in again]
        shares.append(accuracy(turned, first).mean)
        ties += [a == b for r in first for a, b in combinations(r, 2)]
    return f"{np.mean(shares):.1%}, and one ties {np.mean(ties):.0%}"


print("two labelers agree on", agree(pool[0].noise))
print("without lapses on", agree(0.0))

# %% without-lapses lang="zh"
{
    "Over ten pairs of labelers: how often they agree, one ties.": "对十对标注员：多常一致，多常有一人判并列。",
    "{np.mean(shares):.1%}, and one ties {np.mean(ties):.0%}": "{np.mean(shares):.1%}；有一人判并列的占 {np.mean(ties):.0%}",
    "two labelers agree on": "两位标注员一致：",
    "without lapses on": "没有疏忽时：",
}

# %% lapses-said [markdown]
r"""
What parts them without lapses, over the pairs that neither ties, is taste. And all five models start from the voted base,
which saw no labeler. So leaving some out could cost little here.
"""

# %% lapses-said [markdown] lang="zh" of="fe29cc97"
r"""
没有疏忽时，在两人都不判并列的对上，仍使他们不一致的是口味。而且五个模型都从投票基座开始，它没有见过任何标注员。所以在这里，留出一些标注员不会损失多少。
"""

# %% edits [markdown]
r"""
## What it has learned, and where it is fooled

Accuracy says how often it is right, not about what. So we break good replies on purpose. Of each held-out prompt we take
the best sample, if the judge passes it, and change it so that the judge no longer does: in six ways here, later by saying
everything twice. A model that sees the flaw lowers the score.
"""

# %% edits [markdown] lang="zh" of="0e28bca0"
r"""
## 它学到了什么，在哪里会上当

准确率说明它有多常答对，却没说是在哪方面答对。因此我们故意弄坏好的回复。每个留出提示取最好的、且评判者判为合格的样本，
改动一处，使评判者不再判它合格：这里有六种改法，后面还有一种是把一切都说两遍。看得出毛病的模型会压低得分。
"""

# %% breaking
from minirlhf.tinytown import neighbours, phrases
from minirlhf.tinytown.requests import parse

right = [(row["prompt"], row["completions"][int(np.argmax(g))])
         for row, g in zip(heldout, grades, strict=True)]
right = [(x, y.strip()) for x, y in right if judge(x, y).passes]
EDITS = {
    "another prompt's reply": lambda x, y, draw: draw.choice(right)[1],
    "another task done": lambda x, y, draw: neighbours.mistaken(
        parse(x), parse(draw.choice(right)[0]), draw),
    "a word misread": lambda x, y, draw: neighbours.misread(x, draw),
    "constraints forgotten": lambda x, y, draw: neighbours.attentive(
        replace(parse(x), constraints=()), draw),
    "last sentence cut": lambda x, y, draw: y[: y[:-1].rfind(".") + 1],
    "insult at the end": lambda x, y, draw:
        f"{y} {draw.choice(phrases.INSULT_REPLIES).write(draw)}",
}

# %% breaking lang="zh"
{
    "another prompt's reply": "别的提示的回复",
    "another task done": "做了别的任务",
    "a word misread": "看错一个词",
    "constraints forgotten": "忘了限制",
    "last sentence cut": "删去最后一句",
    "insult at the end": "末尾骂人",
}

# %% false-facts [markdown]
r"""
Three more flaws are false facts: a question about the town, answered by one sentence, true or false. *Popular* falsehoods
people of Tinytown believe. Some may occur in what models compare; about those *kept out* no training prompt asks, nor the
notice board. Other facts nobody disputes; there we make a falsehood up.
"""

# %% false-facts [markdown] lang="zh" of="5ed3b87c"
r"""
另有三种毛病是错误的事实：一个关于小镇的问题，用一句话回答，或真或假。*流行的*错误说法，Tinytown 的人信以为真。其中一些可能出现在供模型比较的回复里；
*被排除在外的*（kept out）那些，没有训练提示问到它们，公告栏上也没有。还有些事实无人争议，对它们我们编造一个错误说法。
"""

# %% falsehoods
from minirlhf.tinytown.knowledge import TOWN


def told(key, draw):
    """A question of the town, its true answer, and a false one."""
    true = TOWN.facts[key]
    same = [v for other, v in TOWN.facts.items() if other[1] == key[1]]
    made_up = draw.choice([v for v in same if v != true])
    false = TOWN.misconceptions.get(key, made_up)
    seed, asked = draw.random(), TOWN.question(key, draw) + "\n"
    return asked, *(TOWN.statement(key, random.Random(seed), value)
                    for value in (true, false))


popular, hidden = set(TOWN.misconceptions), TOWN.probe_misconceptions
FALSE = {"popular falsehood": popular - hidden,
         "popular falsehood, kept out": hidden,
         "made-up falsehood": set(TOWN.facts) - popular}

# %% falsehoods lang="zh"
{
    "A question of the town, its true answer, and a false one.": "小镇的一个问题，它的真答案和一个假答案。",
    "popular falsehood": "流行的错误说法",
    "popular falsehood, kept out": "流行的错误说法，被排除",
    "made-up falsehood": "编造的错误说法",
}

# %% guess-fooled
EDITS["everything said twice"] = lambda x, y, draw: f"{y} {y}"
NEAR = "two, too near to tell"
guess_fooled = Prediction("Which flaw does the reward model overlook most "
    "often?", "05.fooled", choices=(*EDITS, *FALSE, NEAR))
guess_fooled

# %% guess-fooled lang="zh"
{
    "everything said twice": "一切说两遍",
    "two, too near to tell": "有两种，分不出",
    "Which flaw does the reward model overlook most often?": "奖励模型最常看漏哪种毛病？",
}

# %% flawed
from minirlhf.tinytown.prompts import completion

draw = random.Random(0)
broken = {name: [told(key, draw) for key in sorted(keys)]
          for name, keys in FALSE.items()}
for name, edit in EDITS.items():
    broken[name] = [(x, y, edit(x, y, draw).strip()) for x, y in right]
for name, triples in broken.items():
    kept = [(x, completion(x, y), completion(x, z)) for x, y, z in triples
            if z and not judge(x, z).passes]
    broken[name] = kept[: lesson.pick(200, quick=20)]

# %% broken-examples
shown = {name: sorted(triples, key=lambda t: len(t[0]) + len(t[2]))
         for name, triples in broken.items()}
lesson.table(("flaw", "prompt", "the reply, broken"), [
    (name, x.strip(), z.strip()) for name, by_length in shown.items()
    for x, _, z in [by_length[len(by_length) // 4]]])

# %% broken-examples lang="zh"
{
    "flaw": "毛病",
    "prompt": "提示",
    "the reply, broken": "弄坏的回复",
}

# %% seen
from minirlhf.evaluate.statistics import proportion

seen, by_voted = {}, {}
for name, triples in broken.items():
    asked, whole, flawed = map(list, zip(*triples, strict=True))
    for shares, by in ((seen, reward), (by_voted, voted)):
        scored = partial(score_texts, by, tokenizer, asked)
        lower = int((scored(flawed) < scored(whole)).sum())
        shares[name] = proportion(lower, len(triples))
by_share = sorted(seen, key=lambda name: -seen[name].mean)
low, up = (seen[name] for name in (by_share[-1], by_share[-2]))
reach = np.hypot(up.mean - up.low, low.high - low.mean)  # Newcombe's
overlooked = by_share[-1] if up.mean - low.mean > reach else NEAR
guess_fooled.reveal(overlooked, "shipped run")

# %% seen lang="zh"
{
    "shipped run": "随包运行",
    "# Newcombe's": "# Newcombe 的方法",
}

# %% flaws [markdown]
r"""
In brackets, the number of replies, over which the intervals are. Open dots, without intervals, are the voted base, before
any ranking. At the dashed line is a model that doesn't look.
"""

# %% flaws [markdown] lang="zh" of="e8f36f22"
r"""
括号中是回复的个数，区间是对它们而言的。空心点是还没看过任何排序的投票基座，没有画区间。不看内容的模型落在虚线上。
"""

# %% flaw-picture
figure, axes = lesson.panels(1, "How often a flaw lowers the score "
    "(shipped run; open: voted base)", size=(7.2, 4.6))
lesson.intervals(axes, {f"{name} ({seen[name].n})": seen[name]
    for name in by_share}, "% of broken replies scored lower")
axes.scatter([100 * by_voted[name].mean for name in by_share],
             np.arange(len(by_share)) + 0.25, facecolor="white",
             edgecolor=INK, s=24, zorder=3)
coin(axes)
lesson.show(figure, "Flaws from the most to the least often seen, each a "
    "dot with its interval, the voted base's open dot and a line at one "
    "half.")

# %% flaw-picture lang="zh"
{
    "How often a flaw lowers the score (shipped run; open: voted base)": "毛病有多常压低得分（随包运行；空心：投票基座）",
    "{name} ({seen[name].n})": "{name}（{seen[name].n}）",
    "% of broken replies scored lower": "% 的弄坏的回复得分更低",
    "Flaws from the most to the least often seen, each a dot with its interval, the voted base's open dot and a line at one half.": "毛病从最常看出到最少看出，各有一个带区间的点、投票基座的空心点，一半处有一条线。",
}

# %% flaws-said [markdown]
r"""
Only an interval of the difference tells two rows apart; the answer above tests the lowest two. Compare the three kinds of
falsehood, equally false, and sentences of one form. On the notice board, careless neighbours tell the popular ones, beside
the truth; the made-up ones nobody tells on purpose. So the rows fit one reading, without proving it: a reward model knows
what comparisons have shown it; none says *why* a text was preferred. Where open and filled dots lie together, rankings added
nothing to what was there before them.

Does it take length for quality, as reward models elsewhere do? Longer replies may well be better; what would be wrong is a
correlation left at equal grade.
"""

# %% flaws-said [markdown] lang="zh" of="08fb226f"
r"""
要区分两行，得看差的区间；上面的答案检验的是最低两行之差。请比较三种错误说法，它们同样是错的，句式也相同。在公告栏上，粗心的邻居会说出流行的错误说法，
旁边就有真话；编造的说法则没有人有意去说。因此这几行符合一种读法，尽管并不证明它：
奖励模型只知道成对比较让它看到过的东西；没有哪次比较说出一段文字*为什么*更受偏好。空心点与实心点在一处的地方，排序没有给原有的东西添上什么。

它会像别处的奖励模型那样，把长度当作质量吗？较长的回复也可能确实更好；评分相等时仍剩下相关，那才不对。
"""


# %% at-equal-grade
def within(rows):
    """Each prompt's numbers, less their mean."""
    return np.concatenate([np.subtract(row, np.mean(row)) for row in rows])


def left(values, grade):
    """What of the values a line through the grades doesn't explain."""
    return values - grade * (values @ grade) / (grade @ grade)


def correlation(one, other):
    return np.corrcoef(one, other)[0, 1]

# %% at-equal-grade lang="zh"
{
    "Each prompt's numbers, less their mean.": "每个提示的数，减去它们的平均。",
    "What of the values a line through the grades doesn't explain.": "数值中，过评分的直线没有解释的部分。",
}

# %% length
words = within([[len(y.split()) for y in row["completions"]]
                for row in heldout])
grade, scored = within(grades), within(ours)
turned = within([np.negative(row) for row in labeled])
bias = correlation(left(scored, grade), left(words, grade))
others_bias = correlation(left(turned, grade), left(words, grade))
reach = 1.96 / np.sqrt(len(words) - len(heldout))  # approximate
side = int(bias > reach) - int(bias < -reach)
favours = ("neither", "longer", "shorter")[side]
lesson.table(
    ("correlation with words, within a prompt", "plain", "at equal grade"),
    [("judge's grade", f"{correlation(grade, words):+.2f}", "–"),
     ("labelers' ranks, turned", f"{correlation(turned, words):+.2f}",
      f"{others_bias:+.2f}"),
     ("reward model's score", f"{correlation(scored, words):+.2f}",
      f"{bias:+.2f} ± {reach:.2f}: favours {favours}")],
)

# %% length lang="zh"
{
    "# approximate": "# 近似",
    "neither": "无",
    "longer": "长的",
    "shorter": "短的",
    "correlation with words, within a prompt": "与词数的相关，同一提示内",
    "plain": "直接",
    "at equal grade": "评分相等时",
    "judge's grade": "评判者的评分",
    "labelers' ranks, turned": "标注员的名次，反号",
    "reward model's score": "奖励模型的得分",
    "{bias:+.2f} ± {reach:.2f}: favours {favours}": "{bias:+.2f} ± {reach:.2f}；偏向：{favours}",
}

# %% worst [markdown]
r"""
Of all held-out prompts, here is the one whose reward model's favourite lies furthest below the best grade. Whose mistake is it? The
judge reads the town's grammar only, in which cheese may be fresh but not new. A sentence that it can't read fails `language`; a
reply with no readable sentence left gets the lowest grade.
"""

# %% worst [markdown] lang="zh" of="e371d339"
r"""
在所有留出的提示中，奖励模型在这一个上最喜欢的回复，离最高评分最远。这是谁的错？评判者只读小镇的语法，例如奶酪可以是 fresh，却不能是 new。
它读不懂的句子不满足*语言*一项；没有剩下一句读得懂的回复，得最低分。
"""


# %% most-wrong
from minirlhf.widgets.objections import criterion, missed


def regret(n):
    return max(grades[n]) - grades[n][int(np.argmax(ours[n]))]


n = max(range(len(heldout)), key=regret)
x, ys = heldout[n]["prompt"], heldout[n]["completions"]
rows = [("the prompt", x.strip(), "", "")]
for who, numbers in (("reward model's", ours[n]), ("judge's", grades[n])):
    k = int(np.argmax(numbers))
    failed = map(criterion, missed(judge(x, ys[k])))
    rows.append((f"{who} favourite", ys[k].strip(),
                 f"{ours[n][k]:+.2f}, {grades[n][k]:.1f}",
                 ", ".join(failed) or "nothing"))
lesson.table(("", "text", "score, grade", "judge objects to"), rows)

# %% most-wrong lang="zh"
{
    "the prompt": "提示",
    "reward model's": "奖励模型",
    "judge's": "评判者",
    "{who} favourite": "{who}最喜欢的",
    ", ": "、",
    "nothing": "无",
    "text": "文本",
    "score, grade": "得分，评分",
    "judge objects to": "评判者不满的",
}

# %% best [markdown] defines="best of n"
r"""
## What it is good for (§3.5)

One use of the scores trains nothing: *best of n* samples $n$ completions and keeps the one
that the reward model likes best. Here the samples are those of the held-out rankings, up to six a prompt. Identical ones were
dropped, so they vary more than independent ones.
"""

# %% best [markdown] lang="zh" of="3e2d2fde"
r"""
## 它有什么用（§3.5）

得分有一种用法，什么也不训练：*n 选一*（best of n）采样 $n$ 个回复，留下奖励模型最喜欢的一个。
这里的样本是留出排序中的那些，每个提示最多六个。相同的已经去掉，所以它们比独立的样本更多样。
"""

# %% guess-best
passes = [[judge(row["prompt"], y).passes for y in row["completions"]]
          for row in heldout]
first = np.mean([row[0] for row in passes])
guess_best = Prediction(f"The judge passes {first:.0%} of single samples. "
    "How many of the best of up to six, in %?", "05.best", unit="%")
guess_best

# %% guess-best lang="zh"
{
    "The judge passes {first:.0%} of single samples. How many of the best of up to six, in %?": "单个样本有 {first:.0%} 被评判者判为合格。至多六个中选出的最好一个，合格的占百分之几？",
}

# %% best-of
from minirlhf.objectives import best_of_n


def chosen(n):
    """Score and verdict of the best of each prompt's first n samples."""
    for scored, passed in zip(ours, passes, strict=True):
        k = int(best_of_n(torch.tensor([scored[:n]]))[0])
        yield scored[k], float(passed[k])


best = {n: [over_prompts(v) for v in zip(*chosen(n), strict=True)]
        for n in range(1, 7)}
guess_best.reveal(percent(best[6][1]), "shipped run")

# %% best-of lang="zh"
{
    "shipped run": "随包运行",
    "Score and verdict of the best of each prompt's first n samples.": "每个提示前 n 个样本中最好一个的得分与评判。",
}

# %% best-picture [markdown]
r"""
Left, what choosing by score does to the score; right, to what we want. No choice beats the dashed line, where *any* of the
n samples passes. Where does each level off?
"""

# %% best-picture [markdown] lang="zh" of="511bc550"
r"""
左图：按得分挑选，得分会怎样；右图：我们真正想要的东西会怎样。没有哪种挑选能超过虚线，它是 n 个样本中*任何一个*合格的比例。
两者各在哪里变平？
"""

# %% best-curves
figure, panels = lesson.panels(2, "Best of n samples (shipped run)", None,
    ("the reward model's score", "what the judge passes, %"))
for axes, place, scale in zip(panels, (0, 1), (1, 100), strict=True):
    rows = [pair[place] for pair in best.values()]
    ends = np.array([(i.mean, i.low, i.high) for i in rows])
    mean, low, high = scale * ends.T
    color = PALETTE["best-of-n"]
    axes.plot(list(best), mean, "o-", color=color)
    axes.fill_between(list(best), low, high, color=color, alpha=0.2)
    axes.set(xlabel="n, samples to choose from")
any_of = [100 * np.mean([any(row[:n]) for row in passes]) for n in best]
panels[1].plot(list(best), any_of, "--", color=INK)
panels[1].text(3.8, any_of[3], "any of the n", ha="right", va="bottom")
lesson.show(figure, "Two rising curves over n with their intervals: score, "
    "and share that the judge passes, below a dashed line.")

# %% best-curves lang="zh"
{
    "Best of n samples (shipped run)": "n 个样本选一（随包运行）",
    "the reward model's score": "奖励模型的得分",
    "what the judge passes, %": "评判者判为合格的，%",
    "n, samples to choose from": "n，供挑选的样本数",
    "any of the n": "n 个中任何一个",
    "Two rising curves over n with their intervals: score, and share that the judge passes, below a dashed line.": "随 n 上升的两条曲线及其区间：得分，以及评判者判为合格的比例，后者在一条虚线之下。",
}

# %% play [markdown]
r"""
Both gain less with each sample; what the right one lacks of the dashed line, the model overlooks. Try your own prompt: a
dot is one of sixteen samples of the SFT model, the ringed one is shown.
"""

# %% play [markdown] lang="zh" of="aad22212"
r"""
两条曲线都是样本越多，增加越少；与虚线之间的差距，是奖励模型看漏的。请试一个你自己的提示：每个点是 SFT 模型十六个样本中的一个，圈起来的是显示出来的那个。
"""

# %% playground
from minirlhf.widgets import Playground

sft = load_policy(shipped.run("sft") / "model", tokenizer)
playground = Playground({"sft": (sft, tokenizer)}, score=score, judge=judge)
playground.n = lesson.pick(16, quick=2)
playground.answer("Write a story about a whistle.")
playground

# %% playground lang="zh"
{
    "Write a story about a whistle.": None,
}

# %% epoch [markdown]
r"""
### Choosing an epoch (C.1)

Which of sixteen SFT epochs to take (chapter 04)? The paper took the one whose samples its reward model
liked best. Rings mark what validation loss, reward model and judge would choose. Bands are intervals over prompts. But epochs share prompts: only paired differences, below, compare two, and one that holds zero
doesn't tell the reward model's choice from the judge's. And the best of sixteen is partly luck.
"""

# %% epoch [markdown] lang="zh" of="3d21b203"
r"""
### 选择一个轮次（C.1）

十六轮 SFT，该取哪一轮（第 04 章）？论文取的是奖励模型最喜欢其样本的那一轮。
圆圈标出验证损失、奖励模型和评判者各会选哪一轮。色带是对提示的区间。但各轮用的是同样的提示：只有下面的成对差才能比较两轮，
包含零的差分不清奖励模型与评判者的选择。而且十六轮中的最好一轮有几分靠运气。
"""

# %% epochs
log = (shipped.run("sft-long") / "metrics.jsonl").read_text().splitlines()
loss = [[row["validation/loss"]] for row in map(json.loads, log)
        if "validation/loss" in row]
by_score, by_grade = ([row[key] for row in shipped.read("epochs")]
                      for key in ("score", "grade"))
shown = {"validation loss, nats a token": (loss, np.argmin),
         "reward model's score": (by_score, np.argmax),
         "judge's grade, one to seven": (by_grade, np.argmax)}
figure, panels = lesson.panels(3, "Which epoch? (shipped run)", None, shown)
for axes, (rows, best_at) in zip(panels, shown.values(), strict=True):
    ends = [(i.mean, i.low, i.high) for i in map(over_prompts, rows)]
    (mean, low, high), x = np.array(ends).T, np.arange(1, len(rows) + 1)
    k = int(best_at(mean))
    axes.plot(x, mean, color=PALETTE["sft"])
    axes.fill_between(x, low, high, color=PALETTE["sft"], alpha=0.2)
    axes.scatter(x[k], mean[k], s=90, facecolor="none", edgecolor=INK)
    axes.set(xlabel=f"epoch; chosen: {k + 1}", xticks=range(4, 17, 4))
lesson.show(figure, "Loss, score and grade by epoch; each choice ringed.")

# %% epochs lang="zh"
{
    "validation loss, nats a token": "验证损失，每词元 nat 数",
    "reward model's score": "奖励模型的得分",
    "judge's grade, one to seven": "评判者的评分，一到七",
    "Which epoch? (shipped run)": "哪一轮？（随包运行）",
    "epoch; chosen: {k + 1}": "轮次；选中：{k + 1}",
    "Loss, score and grade by epoch; each choice ringed.": "各轮的损失、得分和评分；各自的选择画了圈。",
}

# %% epochs-paired
liked, graded = (int(np.argmax(np.mean(rows, axis=1)))
                 for rows in (by_score, by_grade))
for what, rows, one, two in (
    ("score", by_score, liked, 0),
    ("judge's grade", by_grade, liked, 0),
    ("judge's grade", by_grade, graded, liked),
):
    d = paired_difference(rows[one], rows[two])
    print(f"{what}, epoch {one + 1} less epoch {two + 1}: "
          f"{d.mean:+.2f} [{d.low:+.2f}, {d.high:+.2f}]")

# %% epochs-paired lang="zh"
{
    "score": "得分",
    "judge's grade": "评判者的评分",
    "{what}, epoch {one + 1} less epoch {two + 1}: {d.mean:+.2f} [{d.low:+.2f}, {d.high:+.2f}]": "{what}，第 {one + 1} 轮减第 {two + 1} 轮：{d.mean:+.2f} [{d.low:+.2f}, {d.high:+.2f}]",
}

# %% desk [markdown]
r"""
## Your turn: rank

Now you are the labeler. Drag the six completions into tiers, into one tier where you can't decide, and save. The
prompts are those whose samples' grades lie furthest apart: expect more agreement than above. The *labeling desk* then shows Eq. 1
on *your* ranking under the shipped reward model, to be read against $\log 2$, and how often Tinytown's labelers agree with
you. Grades and flags (Table 3) are optional.
"""

# %% desk [markdown] lang="zh" of="09050384"
r"""
## 轮到你了：排序

现在你是标注员。把六个回复拖进各个档次，分不出高下就放进同一档，然后保存。这些提示的样本评分相差最大：一致的时候会比上面多。
*标注台*随后显示随包的奖励模型在*你的*排序上的式 1，请对照 $\log 2$ 来读，以及 Tinytown 的标注员有多常与你一致。
如果愿意，还可以打分并勾选标记（表 3）。
"""

# %% labeling
from minirlhf.widgets import LabelingDesk

spread = [np.ptp(g) if len(g) == 6 else 0 for g in grades]
tasks = [heldout[n] for n in np.argsort(spread)[::-1]]
mine = lesson.workspace("05", "mine.jsonl")
LabelingDesk([row for row in tasks if len(row["completions"]) == 6][:8],
             mine, score=score, labelers=pool)

# %% mine [markdown]
r"""
After a few prompts, run this cell: the model's accuracy on all your rankings.
"""

# %% mine [markdown] lang="zh" of="b23c8c32"
r"""
排过几个提示后，运行这个单元格：模型在你全部排序上的准确率。
"""

# %% yours
from minirlhf.data.records import read_jsonl

if not mine.exists():
    print("Nothing is saved yet: rank a prompt, then run this cell again.")
else:
    saved = read_jsonl(mine, "rankings")
    yours = [row["ranks"] for row in saved]
    on_you = accuracy(score_rankings(score, saved), yours)
    print(f"{len(saved)} rankings of yours: the reward model orders "
          f"{on_you.mean:.0%} of your pairs as you do "
          f"[{on_you.low:.0%}, {on_you.high:.0%}]")

# %% yours lang="zh"
{
    "Nothing is saved yet: rank a prompt, then run this cell again.": "还没有保存任何排序：先排一个提示，再运行这个单元格。",
    "{len(saved)} rankings of yours: the reward model orders {on_you.mean:.0%} of your pairs as you do [{on_you.low:.0%}, {on_you.high:.0%}]": "你的 {len(saved)} 个排序：奖励模型在你的对中有 {on_you.mean:.0%} 与你次序相同 [{on_you.low:.0%}, {on_you.high:.0%}]",
}

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("05.")

# %% summary [markdown]
r"""
## Summary

The paper's numbers beside ours. People, models and tasks differ: compare the order, not the digits.
"""

# %% summary [markdown] lang="zh" of="47c76e5a"
r"""
## 小结

论文的数字与我们的并列如下。两者的人、模型和任务都不同：请比较次序，而不是数位。
"""

# %% orders
found = {
    "a second labeler": tie_half(others, labeled),
    "the judge": truth,
    "shipped reward model": accuracy(ours, labeled),
}
orders = {who: 100 * share.mean for who, share in found.items()}

# %% orders lang="zh"
{
    "a second labeler": "第二位标注员",
    "the judge": "评判者",
    "shipped reward model": "随包的奖励模型",
}

# %% beside
from minirlhf import paper

fewest, most = paper.value("rm.k.min"), paper.value("rm.k.max")
lesson.table(("", "paper", "here"), [
    ("completions a prompt", f"{fewest} to {most}",
     f"{min(sizes)} to {max(sizes)}"),
    ("ties", "dropped", f"{tied:.0%}, dropped"),
    ("two labelers agree, where neither ties",
     paper.cite("agreement.training"), f"{percent(agreed).mean:.1f}%"),
    *((f"{who} orders as a labeler, ties one half", "–", f"{x:.1f}%")
      for who, x in orders.items()),
    ("five folds: labelers of training groups",
     paper.cite("rm.accuracy.training"), level["inside"]),
    ("five folds: labelers left out", paper.cite("rm.accuracy.held_out"),
     level["outside"]),
    ("pair by pair, a completion is read K − 1 times",
     f"{fewest - 1} to {most - 1}",
     f"{reading['pairs'] / reading['prompts']:.1f}")])

# %% beside lang="zh"
{
    "paper": "论文",
    "here": "这里",
    "completions a prompt": "每个提示的回复",
    "{fewest} to {most}": "{fewest} 到 {most}",
    "{min(sizes)} to {max(sizes)}": "{min(sizes)} 到 {max(sizes)}",
    "ties": "并列",
    "dropped": "舍去",
    "{tied:.0%}, dropped": "{tied:.0%}，舍去",
    "two labelers agree, where neither ties": "两位标注员一致，在都不判并列处",
    "{who} orders as a labeler, ties one half": "{who}与标注员次序相同，并列算一半",
    "five folds: labelers of training groups": "五折：训练组的标注员",
    "five folds: labelers left out": "五折：留出的标注员",
    "pair by pair, a completion is read K − 1 times": "逐对训练时，一个回复读 K − 1 次",
    "{fewest - 1} to {most - 1}": "{fewest - 1} 到 {most - 1}",
}

# %% three [markdown]
r"""
A reward model turns orders into numbers by pushing on differences of scores; its zero is set afterwards, by demonstrations.
All pairs of a prompt are one batch element: against over-fitting in the paper, which ours didn't show, and because each
completion then passes the model once. Its accuracy against a labeler is limited by that labeler's lapses, and what it knows
ends where comparisons end, those of its starting point included.
"""

# %% three [markdown] lang="zh" of="ad2996cd"
r"""
奖励模型通过推动得分之差，把次序变成数；它的零点是事后由示范定下的。一个提示的所有对作为一个批次元素：在论文中是为了防止过拟合（我们的运行中没有看到），
也因为这样每个回复只需通过模型一次。它对照标注员的准确率受限于那位标注员的疏忽；成对比较（包括它的起点所见的）到哪里为止，它的所知也就到哪里为止。
"""

# %% questions [markdown]
r"""
## Questions

1. Two prompts' completions score zero and four. Which of the two answers is better?

<details><summary>Answer</summary>

Eq. 1 never compared them, so it doesn't say. The bias fixes a zero for all prompts together, not for each.

</details>

2. A labeler ties all completions of a prompt. What does it add to the loss?

<details><summary>Answer</summary>

Nothing. No pair is left; as the mean of none would be zero by zero, the prompt isn't counted.

</details>

3. A reward model reaches an accuracy as high as two labelers' agreement. Is there nothing left to learn?

<details><summary>Answer</summary>

There may be. Two labelers have lapses both. The judge has none, so it agrees with a labeler more often than a second one does.

</details>

4. A policy is trained on this reward. Which of the flaws above would you expect to find in its replies?

<details><summary>Answer</summary>

Those that raise the score, and those that it doesn't see. The reward model won't hold the policy back from them; what may is step
3's price on leaving the start (chapter 06).

</details>
"""

# %% questions [markdown] lang="zh" of="238b2d48"
r"""
## 思考题

1. 两个不同提示的回复，一个得零分，一个得四分。哪个回答更好？

<details><summary>答案</summary>

式 1 从未比较过它们，所以说不出。偏置为所有提示共同定下一个零点，而不是为每个提示各定一个。

</details>

2. 一位标注员把一个提示的所有回复都判为并列。这给损失添了什么？

<details><summary>答案</summary>

什么也没有。没有剩下任何一对；对零对取平均会是零除以零，所以这个提示不计入。

</details>

3. 一个奖励模型的准确率达到了两位标注员的一致率。是不是没有什么可学了？

<details><summary>答案</summary>

未必。两位标注员都有疏忽。评判者没有，所以它与一位标注员一致的时候，比第二位标注员更多。

</details>

4. 用这个奖励训练一个策略。你预计会在它的回复中看到上面的哪些毛病？

<details><summary>答案</summary>

那些会抬高得分的毛病，以及它看不见的那些。奖励模型拦不住策略；能拦住的也许是第 3 步为离开起点所定的价格（第 06 章）。

</details>
"""

# %% way-on [markdown]
r"""
## The way on

- [Exercise 05](../exercises/ex05_reward_model.ipynb): write Eq. 1, the bias and best of n yourself, find a bug, predict the
  ceiling.
- [Chapter 06](06_reinforcement_learning.ipynb): step 3 trains a policy on these scores.

**Lecture, thirty minutes.** From an order to pairs, five; Eq. 1 with the explorer, eight; the four starting points, five;
all pairs at once, five; the ceiling, four; the picture of flaws, three.

**Lab, sixty minutes.** All cells while the live run trains, twenty; five prompts at the labeling desk, fifteen; a flaw of
your own in `EDITS`, fifteen; the first two exercises, ten.
"""

# %% way-on [markdown] lang="zh" of="68843e3e"
r"""
## 接下来

- [本章的练习](../../exercises/ex05_reward_model.ipynb)：亲手写出式 1、偏置和 n 选一，找出一个错误，预测上限。
- [第 06 章](../06_reinforcement_learning.ipynb)：第 3 步用这些得分训练策略。

**讲课，三十分钟。** 从次序到成对比较，五分钟；式 1 与探索器，八分钟；四个起点，五分钟；所有对放在一起，五分钟；上限，四分钟；
毛病一图，三分钟。

**实验课，六十分钟。** 运行所有单元格，同时让现场训练进行，二十分钟；在标注台排五个提示，十五分钟；
在 `EDITS` 中加一个你自己的毛病，十五分钟；前两道练习，十分钟。
"""
