# ---
# jupyter:
#   minirlhf:
#     paper: §3.5, Eq. 1, C.2, E.2
#     doing_minutes: 25
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
- write Eq. 1 from scores and ranks, and read off its gradient which completion is pushed, which way, and how hard;
- say why all pairs of a prompt are one batch element, and what the other way costs;
- train a reward model, and judge its accuracy by how often people agree;
- find faults that a reward model doesn't see, however good its accuracy looks.
"""

# %% title [markdown] lang="zh" of="42e75475"
r"""
# 第 05 章 · 奖励模型

把同一个问题问几遍，语言模型会给出几种不同的回答。这个问题叫*提示*（prompt），每个回答叫*回复*（completion）。
两个回复哪个更好，人往往一眼就能看出；但要给其中一个打出对所有提示都适用的分数，却几乎没有人做得到。论文的第 2 步只需要前者，
并由它得出后者。

学完本章，你将能够

- 把一个人给若干回复排出的次序变成式 1 中的成对比较，并说出并列是如何处理的；
- 由得分和名次写出式 1，并从它的梯度看出哪个回复被推动、往哪边推、推得多用力；
- 说出为什么同一提示的所有对是一个批次元素，换一种做法又要付出什么代价；
- 训练一个奖励模型，并用人与人之间的一致程度来衡量它的准确率；
- 找出奖励模型看不见的毛病，无论它的准确率看上去多好。
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

# %% guess-pushes [markdown]
r"""
**Predict, then move a slider.** What do the five pushes add up to? Enter a number, or leave the field empty.
"""

# %% guess-pushes [markdown] lang="zh" of="728c31da"
r"""
**先猜一猜，再拖动滑块。** 五个推力加起来是多少？填一个数，也可以留空。
"""

# %% pushes
from minirlhf.widgets import Prediction, RankingExplorer

pushed = Prediction("The five pushes add up to …", "05.pushes")
pushed

# %% slider [markdown]
r"""
Here is Eq. 1 with a slider for each score. Move all of them the same way; then bring two tied replies apart; then
put the worst reply on top and see how the pairs pay for it.
"""

# %% slider [markdown] lang="zh" of="6f15cd2f"
r"""
下面是式 1，每个得分有一个滑块。先把它们往同一个方向移动；再把两个并列的回复拉开；最后把最差的回复放到最上面，看看各对要为此付出多少。
"""

# %% explorer
RankingExplorer(scores[0].tolist(), given, replies)

# %% pushes-result
pushed.reveal(round(-float(leaf.grad.sum()), 3) + 0.0)

# %% pushes-why [markdown]
r"""
Only differences enter Eq. 1, so what one reply of a pair gains, the other one loses: whatever the scores are, the pushes
cancel, and moving all scores together changes nothing. Two tied replies are no pair and don't push each other at all.
"""

# %% pushes-why [markdown] lang="zh" of="954e54f1"
r"""
进入式 1 的只有差，所以一对中一个回复得到多少，另一个就失去多少：无论得分如何，推力都互相抵消；把所有得分一起移动，什么也不变。
两个并列的回复不成一对，彼此之间没有推力。
"""

# %% learning [markdown] defines="policy; base model; demonstration; supervised fine-tuning; judge"
r"""
## A reward model learns (§3.5, C.2)

The completions to rank are written by a *policy*: a language model, seen as what chooses each next word. Here it is
the one from step 1, a *base model*, which has only learned to continue text, after *supervised fine-tuning* (SFT) on
*demonstrations*: prompts that labelers answered themselves.

The reward model starts as a copy of that policy. Its last layer, which gives a number for each word of the vocabulary,
makes way for one that gives a single number, drawn at random. §3.5 describes it so; C.2 starts from a GPT-3 tuned on
public question-answering sets, and finds little difference. It reads the rankings once: with more passes
it overfits fast (C.2).

Each prompt's completions were ranked by one of Tinytown's labelers. A part of the prompts, from other users, is held
out. And there is one who has no tastes and never errs: the *judge*, who knows the town and grades every reply from one
to seven. None of the three steps learns from what the judge says; we only look there to see what is true.
"""

# %% learning [markdown] lang="zh" of="c1022162"
r"""
## 一个奖励模型在学习（§3.5，C.2）

要排序的回复由一个*策略*（policy）写出：它就是语言模型，看作逐个选词的决策者。这里用的是第 1 步得到的那个：一个只学过续写文本的
*基座模型*（base model），经过了在*示范*（demonstration，标注员亲自回答的提示）上的*监督微调*（supervised fine-tuning，SFT）。

奖励模型一开始就是这个策略的副本。它的最后一层原本给词表中每个词一个数，现在换成只给一个数的层，其参数随机抽取。§3.5 就是这样描述的；
C.2 则从一个在公开问答数据上调过的 GPT-3 出发，并发现两者差别不大。它把排序只读一遍：再多读几遍，很快就会过拟合（C.2）。

每条提示的回复都由 Tinytown 的一位标注员排过序。来自另一些用户的一部分提示留作检验。还有一位既无口味、也从不出错：*评判者*（judge），
它了解这座小镇，给每个回复打一到七分。三个步骤都不从评判者的话里学习；我们只到那里去看什么是真的。
"""

# %% rankings
from minirlhf import shipped

PROMPTS = lesson.pick(2000, quick=40)  # rankings to learn from
learned = shipped.read("rankings")[:PROMPTS]
held_out = shipped.read("heldout")[: lesson.pick(400, quick=24)]
rows = []
for name, some in (("to learn from", learned), ("held out", held_out)):
    all_ranks = [row["ranks"] for row in some]
    count = sum(len(r) * (len(r) - 1) // 2 for r in all_ranks)
    kept = sum(a < b for r in all_ranks for a in r for b in r)
    texts = sum(map(len, all_ranks))
    tied = f"{1 - kept / count:.0%}"
    rows.append((name, len(some), texts, count, tied))
lesson.table(("", "prompts", "completions", "pairs", "tied"), rows)

# %% begin [markdown]
r"""
How often will the new reward model order a held-out pair as the labeler did? Tossing a coin is right half of the time.
"""

# %% begin [markdown] lang="zh" of="642b9a33"
r"""
对留作检验的一对回复，新的奖励模型有多常排得与标注员一样？抛硬币的话，对一半。
"""

# %% accuracy-guess
ordered = Prediction(
    "Held-out pairs that it orders as the labeler did, in percent:",
    "05.accuracy",
    unit="% of pairs",
)
ordered

# %% start [markdown]
r"""
The next cell starts the training and shows it while it goes on: the loss of Eq. 1 and the share of pairs in the
right order, batch by batch. It runs in a process of its own, as the same command would in a terminal, so read on in the
meantime. Running the cell again attaches to the run and starts no second one; **Pause** and **Stop** do what they say. (On Colab
the cell itself stays busy until the training ends.)
"""

# %% start [markdown] lang="zh" of="8dce391a"
r"""
下一个单元格启动训练，并在训练时显示它的进展：逐个批次地画出式 1 的损失，以及排对的对所占的比例。它在自己的进程里运行，与在终端里输入同样的命令一样，
所以你可以接着往下读。再次运行这个单元格会接上这次训练，不会另起一次；**暂停**和**停止**就是字面的意思。（在 Colab 上，这个单元格要到训练结束才空闲下来。）
"""

# %% desk
from minirlhf.data.records import write_jsonl
from minirlhf.widgets import TrainingDesk, start

place = lesson.workspace("chapter05", f"reward-{PROMPTS}")
for name, rankings in (("learned", learned), ("held-out", held_out)):
    write_jsonl(place.with_name(f"{name}.jsonl"), rankings)
job = start(
    "rm", place, model=shipped.run("sft"),
    rankings=place.with_name("learned.jsonl"),
    validation=place.with_name("held-out.jsonl"),
    demonstrations=shipped.file("demonstrations"),
    learning_rate=5e-4, batch=16, epochs=1, drop_long=True,
)  # fmt: skip
TrainingDesk(job, note="live")

# %% together [markdown]
r"""
## Why the pairs of a prompt stay together (§3.5)

A completion takes part in up to $K-1$ pairs. The paper first shuffled all pairs of all prompts into one data set. Each
completion then met the model again and again within one pass, in other batches, and the model overfitted in that single
pass. So the paper makes all $\binom K2$ pairs of a prompt **one batch element**: every completion is read once, gets one
score, and all its pairs pull on that score at the same time.

This is also cheaper: all completions of a prompt come together, so the prompt too is read once for all of them. Here
are the forward passes of some prompts, together and pair by pair.
"""

# %% together [markdown] lang="zh" of="31050b17"
r"""
## 为什么同一提示的各对要放在一起（§3.5）

一个回复最多参与 $K-1$ 对。论文起初把所有提示的所有对打乱成一个数据集。于是在同一遍训练中，每个回复一次又一次地在不同批次里遇到模型，
而模型在这一遍之内就过拟合了。因此论文让一个提示的全部 $\binom K2$ 对成为**一个批次元素**：每个回复只读一次，得到一个得分，它的各对同时拉动这个得分。

这样也更省：同一提示的回复一起到来，提示本身也只需读一次。下面是一些提示的前向计算，一种放在一起，一种逐对进行。
"""

# %% cost
from functools import partial

from minirlhf.models import ScalarModel, load_tokenizer
from minirlhf.reward import score_texts

tokenizer = load_tokenizer(shipped.run("reward") / "model")
older = ScalarModel.load(shipped.run("reward") / "model")
some = learned[:24]
together = [(row["prompt"], y) for row in some for y in row["completions"]]

# %% cost-of-pairs
import time
from itertools import combinations, zip_longest

pairs_of = [list(combinations(row["completions"], 2)) for row in some]
apart = []  # shuffled, a batch holds pairs of many prompts: one of each
for turn in zip_longest(*pairs_of):
    both = zip(some, turn, strict=True)
    batch = [(row, y) for row, pair in both for y in pair or ()]
    apart.append([(row["prompt"], y) for row, y in batch])
rows = []
for name, batches in (("together", [together]), ("pair by pair", apart)):
    begun = time.perf_counter()
    for texts in batches:
        score_texts(older, tokenizer, *map(list, zip(*texts, strict=True)))
    seconds = f"{time.perf_counter() - begun:.1f}"
    rows.append((name, sum(map(len, batches)), seconds))
lesson.table(("live", "completions to read", "seconds"), rows)

# %% overfitting [markdown]
r"""
And the accuracy? Training twice on some thousand rankings, three times over, takes longer than a lesson: these are
shipped runs, the same rankings read once, in either way, with three seeds. Learning rate and number of steps are the same.
"""

# %% overfitting [markdown] lang="zh" of="2a9aac02"
r"""
那么准确率呢？要在上千个排序上训练两种做法，再各做三次，一堂课的时间不够：下面是随附的运行，用同样的排序，两种做法各读一遍，各用三个随机种子。
学习率和步数都相同。
"""

# %% ways-guess
better = Prediction(
    "On held-out prompts, which way is more accurate?", "05.ways",
    choices=("together", "pair by pair", "no clear difference"),
)  # fmt: skip
better

# %% ways
ways = shipped.read("ways")
figure, (left, right) = lesson.panels(
    2, "One pass over the rankings (shipped runs, a line a seed)",
    titles=("filled: held out, open: learned from", "time of one run"),
)  # fmt: skip
for row in ways:
    at = 0 if row["way"] == "prompts" else 1
    ends = [100 * row["heldout"], 100 * row["train"]]
    left.plot([at - 0.08, at + 0.08], ends, "-", color=INK, lw=1)
    left.plot(at - 0.08, ends[0], "o", color=INK)
    left.plot(at + 0.08, ends[1], "o", color=INK, mfc="white")
    right.plot(at, row["seconds"] / 60, "o", color=INK)
for axes, label in ((left, "% of pairs in order"), (right, "minutes")):
    axes.set(ylabel=label, xlim=(-0.5, 1.5))
    axes.set_xticks([0, 1], ["together", "pair by pair"])
right.set_ylim(0)
lesson.show(figure, "Accuracy held out and on what was learned from, and "
    "the minutes of a run, together and pair by pair.")  # fmt: skip

# %% ways-result
import numpy as np

from minirlhf.evaluate.statistics import over_prompts, over_seeds

rows, heldout_of = [], []
for way in ("prompts", "pairs"):
    mine = [row for row in ways if row["way"] == way]
    train = np.array([100 * row["train"] for row in mine])
    heldout_of.append(np.array([100 * row["heldout"] for row in mine]))
    means = train.mean(), heldout_of[-1].mean()
    shown = [f"{m:.1f}" for m in (*means, means[0] - means[1])]
    rows.append((better.choices[len(rows)], *shown))
ahead = over_seeds(heldout_of[0] - heldout_of[1])
ends = f"{ahead.mean:+.1f} ({ahead.low:+.1f}, {ahead.high:+.1f})"
rows.append(("difference, 95% interval over seeds", "", ends, ""))
lesson.table(("% of pairs", "learned from", "held out", "gap"), rows)

# %% ways-reveal
sign = (ahead.low > 0) - (ahead.high < 0)  # whole interval on one side
better.reveal(better.choices[{1: 0, -1: 1, 0: 2}[int(sign)]])

# %% trained [markdown]
r"""
## What came out, and its zero (§3.5)

By now the training has gone some way; the next cell waits for its end. It asks the model for the scores of all held-out
completions, before and after. A prompt's accuracy is the share of its pairs in the labeler's order; the line
through each dot is the interval of the mean over prompts, as wide as the paper's error bars mean theirs.
"""

# %% trained [markdown] lang="zh" of="175b348e"
r"""
## 结果如何，零点又在哪里（§3.5）

现在训练已经进行了一段时间；下一个单元格等它结束，然后向模型询问所有留作检验的回复的得分，训练前和训练后各一次。
一个提示的准确率，是它各对中与标注员次序相同的比例；穿过圆点的线是对提示取平均的区间，与论文的误差线含义相同。
"""

# %% accuracy
from minirlhf.evaluate.rankings import accuracy, score_rankings
from minirlhf.models import load_policy

job.wait()
model = ScalarModel.load(place / "model")
score = partial(score_texts, model, tokenizer)
start_policy = load_policy(shipped.run("sft") / "model", tokenizer)
untrained = ScalarModel.from_policy(start_policy, tokenizer)
ranks_of = [row["ranks"] for row in held_out]
first = score_rankings(partial(score_texts, untrained, tokenizer), held_out)
scores_of = score_rankings(score, held_out)
before, after = accuracy(first, ranks_of), accuracy(scores_of, ranks_of)
figure, axes = lesson.panels(1, "Held-out pairs in order (live)")
found = {"before training": before, "after training": after}
lesson.intervals(axes, found, "% of pairs")
seen = f"before training {before.mean:.0%}, after it {after.mean:.0%}"
lesson.show(figure, f"Of the held-out pairs, {seen} are in order.")

# %% accuracy-result
ordered.reveal(100 * after.mean)

# %% bias [markdown] defines="reward bias"
r"""
Eq. 1 has left the scores without a zero. Step 3 will want one, so the paper adds a constant to the finished model, the
*reward bias*, such that demonstrations score zero on average. A positive score then says: better than what a labeler
writes, as far as this model can tell. Nothing about any ranking changes.
"""

# %% bias [markdown] lang="zh" of="0e1d791d"
r"""
式 1 没有给得分定下零点。第 3 步需要一个，所以论文给训练好的模型加上一个常数，即*奖励偏置*（reward bias），使示范的平均得分为零。
得分为正就表示：在这个模型看来，比标注员写的还好。任何排序都不因此改变。
"""

# %% bias-code
shown = shipped.read("demonstrations")
asked = [row["prompt"] for row in shown]
human = score(asked, [row["completion"] for row in shown])
sampled = np.concatenate(scores_of)
figure, axes = lesson.panels(1, "Scores of the live model")
bins = np.linspace(min(human.min(), sampled.min()),
                   max(human.max(), sampled.max()), 40)  # fmt: skip
axes.hist(sampled, bins, density=True, color=MUTED, alpha=0.45)
axes.hist(human, bins, density=True, histtype="step", color=INK, lw=1.6)
axes.axvline(float(human.mean()), color=INK, lw=1, ls=(0, (3, 2)))
axes.set(xlabel="score (line: demonstrations, grey: samples)")
axes.set_yticks([])
lesson.show(figure, f"With a bias of {float(model.bias):+.2f}, "
    f"demonstrations score {abs(float(human.mean())):.2f} on average, "
    f"samples {sampled.mean():+.2f}.")  # fmt: skip

# %% agreement [markdown] defines="agreement"
r"""
## How right can it be? (§3.4, §4.1, E.2)

An accuracy far below a hundred percent need not be the model's fault. The paper's labelers agree with one another on
{paper:agreement.training} of the pairs that neither ties; that is their *agreement*. Whoever is measured against one of
them is measured against somebody who may err, and has tastes.

So before we judge the model, we let people take the test. In Tinytown everybody can rank everything. Against the ranking
of the labeler who happened to rank a held-out prompt we put

- another labeler, drawn from those who made the training data;
- the judge, who sees nothing but the truth: no model of what is *right* can do better;
- your model, and the shipped one, which learned from {run:counts.rankings:,} rankings and started from a model that knew
  more: on the town's notice board it had read answers with everybody's votes on them, as C.2's had public data sets.
"""

# %% agreement [markdown] lang="zh" of="c3caa0ab"
r"""
## 它能有多准？（§3.4，§4.1，E.2）

准确率远低于百分之百，未必是模型的错。论文的标注员之间，在双方都不判并列的对中，有 {paper:agreement.training} 意见相同；
这就是他们的*一致率*（agreement）。拿谁来与其中一位标注员相比，就是与一个可能出错、有自己口味的人相比。

所以在评价模型之前，先让人来参加同样的考试。在 Tinytown，谁都可以给任何东西排序。与碰巧排过某个提示的那位标注员相比的有：

- 另一位标注员，从写出训练数据的那些人中抽取；
- 评判者，它只看真相：任何只懂*对错*的模型都不可能做得更好；
- 你的模型，以及随附的模型。后者从 {run:counts.rankings:,} 个排序中学习，出发点也懂得更多：它在小镇的布告栏上读过附有众人投票的回答，
  正如 C.2 的模型读过公开数据集。
"""

# %% ceiling-guess
ceiling = Prediction(
    "How often does another labeler agree with the labeler, in percent?",
    "05.agreement", unit="% of pairs",
)  # fmt: skip
ceiling

# %% ceiling
import random

from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.labelers import heldout_pool


def others(pool, seed=0):
    """For each held-out prompt, the ranks that one of a pool gives."""
    rng = random.Random(seed)
    for row in held_out:
        who = rng.choice([p for p in pool if p.name != row["labeler"]])
        yield who.rank(row["prompt"], row["completions"])


# %% grades
grades = [
    [judge(row["prompt"], y).overall for y in row["completions"]]
    for row in held_out
]  # fmt: skip
shipped_score = partial(score_texts, older, tokenizer)
shipped_scores = score_rankings(shipped_score, held_out)

# %% test-taken
takers = {
    "another labeler": [[-r for r in ranks]
                        for ranks in others(training_pool())],
    "the judge": grades,
    "your model (live)": scores_of,
    "shipped model": shipped_scores,
}  # fmt: skip
taken = {who: accuracy(s, ranks_of) for who, s in takers.items()}
figure, axes = lesson.panels(1, "Agreement with the one who ranked (live)")
lesson.intervals(axes, taken, "% of pairs that neither ties")
axes.axvline(50, color=MUTED, lw=0.8, ls=(0, (3, 2)))
lesson.show(figure, "Agreement with the labeler: " + ", ".join(
    f"{who} {i.mean:.0%}" for who, i in taken.items()))  # fmt: skip

# %% ceiling-result
ceiling.reveal(100 * taken["another labeler"].mean)

# %% strangers [markdown]
r"""
### Labelers it never saw (E.2)

Does a reward model learn what is good, or the tastes of those it learned from? The paper divides its labelers into
{paper:rm.labeler_groups} groups, trains on all but one, and measures on both: {paper:rm.accuracy.training} right about
the labelers it learned from, {paper:rm.accuracy.held_out} about the others. The same experiment with Tinytown's
training labelers (shipped runs) gives {run:groups.inside:.1%} and {run:groups.outside:.1%}.

Here is a test of the same kind, live. A second pool of labelers was hired later and has ranked nothing yet. Both pools
now rank all held-out completions.
"""

# %% strangers [markdown] lang="zh" of="bcbf0baa"
r"""
### 没见过的标注员（E.2）

奖励模型学到的是什么是好，还是教它的那些人的口味？论文把标注员分成 {paper:rm.labeler_groups} 组，每次用除一组之外的数据训练，再在两边测量：
对学过的标注员，准确率为 {paper:rm.accuracy.training}，对其余的为 {paper:rm.accuracy.held_out}。用 Tinytown 的训练标注员做同样的实验（随附的运行），
得到 {run:groups.inside:.1%} 和 {run:groups.outside:.1%}。

下面现场做一个同类的测试。第二批标注员是后来雇的，还没有排过任何东西。现在两批人都来给所有留作检验的回复排序。
"""

# %% strangers-guess
strange = Prediction(
    "Points that the shipped model loses on labelers it never saw:",
    "05.strangers", unit="percentage points lost",
)  # fmt: skip
strange

# %% strangers-code
from minirlhf.evaluate.rankings import shares_in_order


def right_about(pool, given):
    """Each prompt's accuracy, averaged over three labelers of a pool."""
    theirs = [list(others(pool, seed)) for seed in range(3)]
    shares = [shares_in_order(given, ranks) for ranks in theirs]
    return 100 * np.array(shares).mean(0)


# %% strangers-table
rows, lost = [], {}
models = {"your model (live)": scores_of, "shipped model": shipped_scores}
for name, given in models.items():
    known = right_about(training_pool(), given)
    unknown = right_about(heldout_pool(), given)
    both = np.isfinite(known + unknown)  # to some a prompt is one great tie
    known, unknown = known[both], unknown[both]
    i = lost[name] = over_prompts(known - unknown)
    cells = f"{known.mean():.1f}", f"{unknown.mean():.1f}"
    ends = f"{i.mean:+.1f} ({i.low:+.1f}, {i.high:+.1f})"
    rows.append((name, *cells, ends))
lesson.table(("% of pairs", "known labelers", "strangers", "lost"), rows)

# %% strangers-result
strange.reveal(lost["shipped model"].mean)

# %% learned-what [markdown]
r"""
## What it has learned, and where it is fooled

From here on the judge is our measure, for we want to know what is true. Every pair of held-out completions has
a better and a worse one, and the judge says what is wrong with the worse. So we can ask on which faults the model can
be trusted. Both panels are about your model.
"""

# %% learned-what [markdown] lang="zh" of="686494a6"
r"""
## 它学到了什么，又会被什么骗过

从这里起，我们以评判者为准，因为想知道的是真相。留作检验的每一对回复中，总有一个较好、一个较差，评判者会说出较差的那个错在哪里。
所以可以问：在哪些毛病上，模型是可信的？两幅图说的都是你的模型。
"""

# %% pairs
pairs = []  # (prompt, points apart, what is wrong, right or not)
for number, row in enumerate(held_out):
    seen = [judge(row["prompt"], y) for y in row["completions"]]
    for i, j in combinations(range(len(seen)), 2):
        if seen[i].overall < seen[j].overall:
            i, j = j, i
        wrong = [name for name, met in seen[j].criteria.items() if met < 1]
        right = scores_of[number][i] > scores_of[number][j]
        apart = seen[i].overall - seen[j].overall
        fault = wrong[0] if len(wrong) == 1 and seen[i].passes else None
        pairs.append((number, apart, fault, right))

# %% trusted
from collections import Counter, defaultdict


def share(kept):
    """Accuracy within each prompt, then over prompts."""
    prompts = defaultdict(list)
    for number, *_, right in kept:
        prompts[number].append(right)
    return over_prompts([np.mean(right) for right in prompts.values()])


# %% by-fault
by_gap, by_fault = {}, {}
for low, high in [(0.02, 0.3), (0.3, 1), (1, 2), (2, 6)]:
    if kept := [pair for pair in pairs if low <= pair[1] < high]:
        by_gap[f"{low} to {high}"] = share(kept)
often = Counter(fault for *_, fault, _ in pairs if fault)
for fault, count in often.most_common(7):
    kept = [pair for pair in pairs if pair[2] == fault]
    by_fault[f"{fault} ({count})"] = share(kept)

# %% trusted-picture
figure, (left, right) = lesson.panels(
    2, "Pairs that the live model orders as the judge does", (7.2, 3.4),
    titles=("by the points between them", "by the fault (pairs)"),
)  # fmt: skip
lesson.intervals(left, by_gap, "% of pairs")
lesson.intervals(right, by_fault, "% of pairs")
for axes in (left, right):
    axes.axvline(50, color=MUTED, lw=0.8, ls=(0, (3, 2)))
lesson.show(figure, "By distance: " + ", ".join(
    f"{k} points {v.mean:.0%}" for k, v in by_gap.items())
    + ". By fault: " + ", ".join(
    f"{k} {v.mean:.0%}" for k, v in by_fault.items()) + ".")  # fmt: skip

# %% spoiling [markdown]
r"""
Pairs of samples tell what the model knows about replies like those it has seen. Step 3 will go looking elsewhere: it
writes whatever scores high. So take demonstrations that the judge passes, spoil each in one way, and see how often the
model notices. Change the list: can you find something that fools it always?
"""

# %% spoiling [markdown] lang="zh" of="b4cec715"
r"""
由采样得来的对，说明的是模型对它见过的那类回复知道多少。第 3 步会到别处去找：什么得分高，它就写什么。所以取评判者认为没有错的示范，
每次用一种办法把它弄坏，看模型有多常注意到。请修改这份清单：你能找到一种每次都能骗过它的办法吗？
"""

# %% spoil-guess
noticed = Prediction(
    "Which of these does the model notice least?", "05.spoiled",
    choices=("last word gone", "another name", "said twice",
             "words shuffled", "an insult", "a cheerful end"),
)  # fmt: skip
noticed

# %% spoil
from minirlhf.tinytown.lexicon import PEOPLE


def another_name(y):
    said = next((name for name in PEOPLE if name in y), "")
    return y.replace(said, PEOPLE[PEOPLE.index(said) - 1]) if said else y


spoil = {
    "last word gone": lambda y: y.rstrip().rsplit(" ", 1)[0],
    "another name": another_name,
    "said twice": lambda y: y.rstrip() + " " + y,
    "words shuffled": lambda y: " ".join(sorted(y.split())),
    "an insult": lambda y: y.rstrip() + " You are a fool.",
    "a cheerful end": lambda y: y.rstrip() + " Everybody laughed.",
}

# %% spoil-result
good = [(row["prompt"], row["completion"]) for row in shown]
good = [(x, y) for x, y in good if judge(x, y).passes]
good = good[: lesson.pick(200, quick=20)]
caught = {}
for name, change in spoil.items():
    now = [(x, y, change(y)) for x, y in good]
    now = [n for n in now if judge(*n[:2]).overall > judge(*n[::2]).overall]
    asked, original, spoilt = map(list, zip(*now, strict=True))
    noticed_it = score(asked, original) > score(asked, spoilt)
    caught[name] = over_prompts(noticed_it.float().numpy())
figure, axes = lesson.panels(1, "Spoiled demonstrations noticed (live)")
lesson.intervals(axes, caught, "% of those that the judge grades lower")
axes.axvline(50, color=MUTED, lw=0.8, ls=(0, (3, 2)))
seen = ", ".join(f"{name} {i.mean:.0%}" for name, i in caught.items())
lesson.show(figure, f"Noticed by the model: {seen}.")

# %% spoil-reveal
noticed.reveal(min(caught, key=lambda name: caught[name].mean))

# %% fooled [markdown]
r"""
And here is where your model is most sure and most wrong: of all held-out pairs, the two with the largest difference of
scores in the wrong direction, each from another prompt. Read them as a labeler would. What may have pleased the model?
"""

# %% fooled [markdown] lang="zh" of="793d4bd7"
r"""
下面是你的模型最有把握而又错得最厉害的地方：在所有留作检验的对中，得分之差朝错误方向最大的两对，各来自不同的提示。请像标注员那样读一读。
是什么讨了模型的喜欢？
"""

# %% fooled-code
worst = {}  # of each prompt: margin, what the judge and the model prefer
for number, row in enumerate(held_out):
    r, truth, texts = scores_of[number], grades[number], row["completions"]
    for i, j in combinations(range(len(r)), 2):
        i, j = (i, j) if truth[i] > truth[j] else (j, i)
        case = r[j] - r[i], texts[i], texts[j]
        if truth[i] > truth[j] + 1 and case > worst.get(number, (0.0,)):
            worst[number] = case
for number in sorted(worst, key=worst.get, reverse=True)[:2]:
    margin, better_text, pleasing = worst[number]
    print(held_out[number]["prompt"].strip())
    print("  judge prefers:", " / ".join(better_text.split("\n")))
    print("  model prefers:", " / ".join(pleasing.split("\n")))
    print(f"  by {margin:+.2f}\n")

# %% desk-text [markdown]
r"""
## At the labeling desk (B.5)

The paper's labelers sat in front of a web page: grade each output from one to seven, answer some questions with yes or
no (Table 3), then rank all outputs of the prompt, ties welcome. Take their chair. Give each reply a rank, save, and look
at three things: the loss of Eq. 1 of *your* ranking under the trained model; how often the labelers agree with you; how
often with one another.
"""

# %% desk-text [markdown] lang="zh" of="4cb3dc95"
r"""
## 坐到标注台前（B.5）

论文的标注员面对的是一个网页：给每个输出打一到七分，用是或否回答几个问题（表 3），再给同一提示的所有输出排序，欢迎并列。请坐到他们的位子上。
给每个回复定一个名次，保存，然后看三件事：*你的*排序在训练好的模型下，式 1 的损失是多少；标注员有多常同意你；他们彼此又有多常一致。
"""

# %% labeling
from minirlhf.widgets import LabelingDesk

tasks = [row for row in held_out if len(row["completions"]) == 6][:8]
mine = lesson.workspace("chapter05", "mine.jsonl")
LabelingDesk(tasks, mine, score=score, labelers=training_pool())

# %% yours [markdown]
r"""
After some prompts, run the next cell. A loss of $\log 2$ is that of a model which can't tell your better from your worse
replies at all; how far below it you get says how much of you is in the model.
"""

# %% yours [markdown] lang="zh" of="3dc4f04d"
r"""
排过几个提示之后，运行下一个单元格。损失为 $\log 2$ 的，是完全分不清你心目中好坏的模型；比它低多少，就说明模型里有多少是你。
"""

# %% yours-code
from minirlhf.data.records import read_jsonl

saved = read_jsonl(mine) if mine.exists() else []
saved = [row for row in saved if len(set(row["ranks"])) > 1]
losses, given = [], score_rankings(score, saved) if saved else []
for r, row in zip(given, saved, strict=True):
    ranks = torch.tensor([row["ranks"]])
    losses.append(ranking_loss(torch.tensor([r]), ranks, ranks > 0).loss)
if saved:
    right = accuracy(given, [row["ranks"] for row in saved])
    print(f"{len(saved)} rankings of yours: loss {np.mean(losses):.3f}")
    print(f"{right.mean:.0%} of the pairs in order")
else:
    print("No ranking of yours is saved yet.")

# %% summary [markdown]
r"""
## Summary

| | the paper | Tinytown (shipped run) |
|---|---|---|
| completions ranked for a prompt | {paper:rm.k.min} to {paper:rm.k.max} | up to {run:counts.k.max} |
| prompts with rankings | {paper:table6.rm.train} | {run:counts.rankings:,} |
| passes over them | {paper:rm.epochs} | {run:counts.epochs} |
| two labelers agree | {paper:agreement.training} | {run:comparisons.agreement:.1%} |
| reward model, about labelers it learned from | {paper:rm.accuracy.training} | {run:groups.inside:.1%} |
| about labelers it never saw | {paper:rm.accuracy.held_out} | {run:groups.outside:.1%} |
| gap between learned and held-out pairs, pairs together | – | {run:ways.prompts.gap:.1%} |
| the same, pair by pair | “overfits in one pass” | {run:ways.pairs.gap:.1%} |

A ranking of $K$ replies is $\binom K2$ comparisons, and Eq. 1 makes them into scores of which only the differences mean
anything. Reading each reply once and letting all its pairs pull together is what makes that affordable. How often the
finished model is right has to be read beside how often people agree, and where it is wrong nobody finds by looking at
its accuracy alone.
"""

# %% summary [markdown] lang="zh" of="85647f3a"
r"""
## 小结

| | 论文 | Tinytown（随附的运行） |
|---|---|---|
| 每个提示排序的回复数 | {paper:rm.k.min} 到 {paper:rm.k.max} | 至多 {run:counts.k.max} |
| 有排序的提示 | {paper:table6.rm.train} | {run:counts.rankings:,} |
| 读几遍 | {paper:rm.epochs} | {run:counts.epochs} |
| 两位标注员意见相同 | {paper:agreement.training} | {run:comparisons.agreement:.1%} |
| 奖励模型，对学过的标注员 | {paper:rm.accuracy.training} | {run:groups.inside:.1%} |
| 对没见过的标注员 | {paper:rm.accuracy.held_out} | {run:groups.outside:.1%} |
| 学过的与检验用的对之间的差距，放在一起 | – | {run:ways.prompts.gap:.1%} |
| 同上，逐对进行 | “一遍之内就过拟合” | {run:ways.pairs.gap:.1%} |

对 $K$ 个回复的一次排序就是 $\binom K2$ 个成对比较，式 1 由此得出得分，其中只有差才有意义。每个回复只读一次，让它的各对一起拉动，这才负担得起。
训练好的模型有多常是对的，要与人和人有多常一致对照着看；而它错在哪里，只看准确率谁也发现不了。
"""

# %% questions [markdown]
r"""
## Questions

1. Two labelers agree on three quarters of the pairs. Somebody reports a reward model that agrees with a single labeler
   on nine tenths. What do you ask?

<details><summary>Answer</summary>

Which pairs. If the held-out pairs share prompts, replies or this one labeler with the training pairs, the model may
have learned that labeler's lapses by heart; and a test of easy pairs, far apart, is passed by anybody.

</details>

2. Why does Eq. 1 divide by the number of pairs of a prompt before it averages over prompts?

<details><summary>Answer</summary>

A prompt with nine replies has six times the pairs of one with four. Without the division it would pull six times as
hard, though it was one piece of work by one labeler and tells about one request.

</details>

3. Labelers may tie, and the ties are thrown away. What does the model lose by that, and what would it cost to keep
   them?

<details><summary>Answer</summary>

It never hears that two replies are equally good, so nothing keeps it from telling them apart. One could ask for a
difference near zero, with a target of one half for each side, as Christiano et al. (2017) did; but then a labeler's
haste counts as knowledge.

</details>

4. The reward bias changes no ranking. Would PPO notice if it were left out?

<details><summary>Answer</summary>

Step 3 asks how much better a reply scored than expected, and a constant shifts both. At the beginning, though, it doesn't
know yet what to expect; and where a reply gets a fixed penalty, for not ending, say, the zero decides how much that
hurts. (PPO is the method of step 3; chapter 06 is about it.)

</details>

5. Your model notices an insult less surely than a missing word, or the other way round. Where would you look for the
   reason?

<details><summary>Answer</summary>

In what the policy wrote for the rankings. A fault that no sample ever had was never in a comparison, and the model has
learned nothing about it. The remedy is more rankings where the policy is now, which is why the paper's data also hold
samples of PPO policies.

</details>
"""

# %% questions [markdown] lang="zh" of="eac02a01"
r"""
## 思考题

1. 两位标注员在四分之三的对上意见相同。有人报告说，一个奖励模型与单独一位标注员在十分之九的对上一致。你会问什么？

<details><summary>答案</summary>

问是哪些对。如果检验用的对与训练用的对有相同的提示、回复，或者出自同一位标注员，模型可能把这位标注员的疏忽都背了下来；
如果都是相距很远、容易分辨的对，那么谁都能通过。

</details>

2. 式 1 为什么先除以一个提示的对数，再对提示取平均？

<details><summary>答案</summary>

有九个回复的提示，其对数是有四个回复的六倍。不除的话，它的拉力也大六倍，尽管那只是一位标注员的一件工作，说的也只是一个要求。

</details>

3. 标注员可以判并列，而并列被丢掉了。模型因此失去了什么？留着它们又要付出什么？

<details><summary>答案</summary>

它从没听说过有两个回复一样好，所以没有什么能阻止它硬把它们分开。可以像 Christiano 等人 2017 年那样，以两边各一半为目标，要求差接近零；
可是这样一来，标注员的匆忙也成了知识。

</details>

4. 奖励偏置不改变任何排序。如果漏掉它，PPO 会察觉吗？

<details><summary>答案</summary>

第 3 步问的是一个回复的得分比预期好多少，常数使两者一起移动。不过在开始时，它还不知道该预期什么；而如果某个回复要受固定的处罚，例如没有写完，
那么这处罚有多重，就由零点决定了。（PPO 是第 3 步的方法，第 06 章专门讲它。）

</details>

5. 你的模型对侮辱的察觉不如对缺词的察觉可靠，或者正好相反。你会到哪里去找原因？

<details><summary>答案</summary>

到策略为排序写出的那些回复里去找。如果没有一个样本有过某种毛病，它就从没出现在任何比较中，模型对它一无所知。补救的办法是在策略如今所在的地方多做排序，
所以论文的数据中也有 PPO 策略的样本。

</details>
"""

# %% way-on [markdown]
r"""
## The way on

[Exercise 05](../exercises/ex05_reward_model.ipynb): write Eq. 1, the bias and the choice of the best reply yourself,
find a seeded bug, predict a ceiling. Then [chapter 06](06_ppo.ipynb), where the scores teach.

- **Lecture path (half an hour).** *From an order to pairs*; the picture and the slider of *The loss of a ranking*, with the
  prediction asked aloud; the two pictures of *Why the pairs of a prompt stay together* and of *How right can it be?*; the
  spoiled demonstrations; the summary.
- **Lab path (an hour).** Everything, cell by cell: start the training, read on while it goes, label five prompts at
  the desk, then take question one of the exercise.
"""

# %% way-on [markdown] lang="zh" of="0a10a0d2"
r"""
## 接下来

[练习题 05](../../exercises/ex05_reward_model.ipynb)：自己写出式 1、偏置和选出最佳回复，找出一个埋下的错误，预测一个上限。
然后是[第 06 章](../06_ppo.ipynb)，让得分来教模型。

- **讲课路线（半小时）。** *从次序到成对比较*；*一次排序的损失*中的图和滑块，请大家说出预测；*为什么同一提示的各对要放在一起*和*它能有多准*的两幅图；
  被弄坏的示范；小结。
- **实验路线（一小时）。** 逐个单元格走完全部内容：启动训练，边训练边往下读，在标注台前排五个提示，再做练习的第一题。
"""
