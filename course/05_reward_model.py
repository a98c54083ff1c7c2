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

# %% pushes
from minirlhf.widgets import Prediction, RankingExplorer

pushed = Prediction("The five pushes add up to …", "05.pushes")
pushed

# %% slider [markdown]
r"""
Here is Eq. 1 with a slider for each score. Move all of them the same way; then bring two tied replies apart; then
put the worst reply on top and see how the pairs pay for it.
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
to seven. No model is ever trained on what the judge says; we only look there to see what is true.
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
meantime. Running the cell again attaches to the run and starts no second one; **Pause** and **Stop** do what they say.
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
shipped runs, the same rankings read once, in either way, with three seeds. Their learning rate and the number of steps
are the same.
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
- your model, and the shipped one, which learned from {run:counts.rankings:,} rankings and started from a model that had
  learned on a public notice board of the town what a good answer is, as C.2 did on public data.
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
figure, axes = lesson.panels(1, "Agreement with the labeler who ranked")
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
anything. Reading each reply once and letting all its pairs pull together is what makes that affordable. The finished
model is right about as often as people with tastes and lapses allow, surest where replies are far apart, and
wrong in places that nobody will find by looking at its accuracy alone.
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
