# ---
# jupyter:
#   minirlhf:
#     paper: §1, §3.1
#     without_code: §1, §3.1
#     doing_minutes: 15
# ---

# %% title [markdown] defines="prompt; completion"
r"""
# Chapter 00 · The three steps in one picture

Ask a language model that has read only the web: write a story about a fox. It may answer with the next line of a worksheet. How do
such models become assistants that do what you ask?

In three steps, says the InstructGPT paper (Ouyang et al., 2022): learn from replies that people wrote; learn which replies people
prefer; practice. Here you take all three, in minutes, on your own machine. (What you ask is a *prompt*;
what the model writes after it is a *completion*, or reply. A § in a heading is a section of the paper.)

After this chapter you can

- show that a model which has read a lot need not do what it is asked;
- say what goes into each step, what comes out, and where people do the work;
- read steps 1 and 2, and one update of step 3, as one loop with three losses;
- tell a number that was trained on from one that measures;
- say which parts later methods dropped, and which they kept.
"""

# %% title [markdown] lang="zh" of="07df114b"
r"""
# 第 00 章 · 一张图看懂三个步骤

请一个只读过网络文本的语言模型写一个关于狐狸的故事，它很可能接着写出练习册上的下一道题。这样的模型，后来怎么就成了会照你的要求办事的助手？

InstructGPT 论文（Ouyang 等人，2022）的回答是三步：先学人写的回复，再学人更喜欢哪种回复，然后练习。在这里，你在自己的机器上，几分钟就把三步都走一遍。（你提的要求叫*提示*（prompt），模型接着写出的文字叫*回复*（completion）。标题里的 § 指论文的章节。）

学完本章，你将能够

- 演示这样一件事：读得多的模型，不见得会做你要它做的事；
- 说出每一步放进什么、得到什么，人又在哪里出力；
- 看出第 1 步、第 2 步，以及第 3 步里单独的一次更新，都是同一个循环，只是换了三种损失；
- 分清哪个数是训练的目标，哪个数只用来测量；
- 说出后来的方法省去了三步中的哪一部分，又留下了哪一部分。
"""

# %% continues [markdown] defines="base model"
r"""
## A model that only continues (§1)

A language model is trained to predict the next *token* of a text (a word or a part of one). A *base model* has been trained
for nothing else. The paper's is GPT-3. Ours has about a million weights and has read the web of *Tinytown*, a town we made up:
stories, letters, notices, worksheets.

What does it do with a request? Below are three continuations; a slash is a line break. (*Live*: computed as you read. *Shipped run*: made beforehand.)
"""

# %% continues [markdown] lang="zh" of="c724ed7b"
r"""
## 只会续写的模型（§1）

训练语言模型，就是让它预测文本的下一个*词元*（token，一个词，或词的一部分）。除此之外什么也没练过的，叫*基座模型*（base model）。
论文的基座是 GPT-3。我们的基座约有一百万个权重，读的是 *Tinytown* 的网页。Tinytown 是我们虚构的小镇，网上有故事、信件、启事和练习册。

向它提一个要求，会怎么样？下面是它的三段续写，斜线表示换行。（*实时*：你读到时才算出来的。*随包运行*：事先做好、随程序包附带的。）
"""

# %% base
from minirlhf import lesson, shipped
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown.bases import base_folder

LIMIT = 72  # tokens that a reply may have
SEED = 0  # of all training on this page
request = "Write a story about a fox. Make it happy.\n"

folder = base_folder("medium")
tokenizer = load_tokenizer(folder)
base = load_policy(folder, tokenizer)
texts = complete(base, tokenizer, [request], n=3, max_new_tokens=LIMIT)
lesson.table((request.strip() + " (live)",), [(text,) for text in texts])

# %% base lang="zh"
{
    "Write a story about a fox. Make it happy.\n": None,
    "# tokens that a reply may have": "# 一个回复最多几个词元",
    "# of all training on this page": "# 本页所有训练的种子",
    " (live)": "（实时）",
}

# %% who-says [markdown] defines="labeler; judge"
r"""
The base isn't broken. Tinytown's worksheets list requests and answer none. Its help desk's pages, far rarer, do answer requests, but most answers are
careless or fit another request. To predict such pages is one aim; to follow
instructions "helpfully and safely" is another (§1).

Who says whether a reply does what was asked? In the paper, people do: about {paper:intro.labelers:d} *labelers*, who also
write and compare replies. Tinytown's labelers are programs with tastes and lapses of their own.

Since we made the town, another program can check every sentence of a reply against it: the *judge*. A request is *done* if the judge
finds the reply readable, true, and what was asked for.

We ask the base in two ways: with the request alone, and *prompted*, three answered requests in front. Whenever we measure, a reply of any
model ends at its first empty line. We test on prompts whose writers wrote none of the training prompts.
Brackets hold a `95%` interval over prompts (chapter 04).
"""

# %% who-says [markdown] lang="zh" of="ccc3dc26"
r"""
基座模型没有坏。Tinytown 的练习册只列要求，一个也不答。答疑页面要少得多：它们回答要求，但多半答得马虎，或者答非所问。预测这样的网页是一个目标，“有益而安全地”按指令办事是另一个目标（§1）。

回复有没有做到要求，谁说了算？论文里是人，即约 {paper:intro.labelers:d} 位*标注员*（labeler），他们也撰写回复、比较回复。Tinytown 的标注员是程序，
各有口味，也会疏忽。

小镇是我们造的，镇上的事实都有据可查，所以另一个程序能逐句核对回复，这就是*评判者*（judge）。它认为回复读得通、属实、正是所要的东西，这个要求就算*完成*。

我们用两种方式问基座模型：只给要求；或者先放三个答好的要求作例子，再给要求（*加例子*）。测量时，不管哪个模型，回复都只算到第一个空行为止。
测试用的提示出自另一些人之手，训练用的提示里没有他们写的。方括号里是 `95%` 区间，说的是换一批提示会有多大出入（第 04 章）。
"""

# %% measure
import numpy as np

from minirlhf.evaluate.statistics import proportion
from minirlhf.tinytown.judge import judge

asked = [row["prompt"] for row in shipped.read("prompts")]
asked = asked[: lesson.pick(400, quick=16)]
replies, done = {}, {}  # by model: what it says; 1.0 where done


def measure(name, policy, prompts=asked):
    """Let a model reply to every prompt: the share of requests done."""
    replies[name] = complete(policy, tokenizer, prompts, seed=1,
                             max_new_tokens=LIMIT, stop="\n\n")
    both = zip(asked, replies[name], strict=True)
    done[name] = np.array([float(judge(x, y).passes) for x, y in both])
    return proportion(int(done[name].sum()), len(asked))

# %% measure lang="zh"
{
    "Let a model reply to every prompt: the share of requests done.": "模型回复每个提示：完成的要求所占的比例。",
    "# by model: what it says; 1.0 where done": "# 按模型：它的回复；完成处为 1.0",
}

# %% measure-base
import random

demonstrations = shipped.read("demonstrations")
short = [row for row in demonstrations if row["style"] == "plain"]
short.sort(key=lambda row: len(row["prompt"] + row["completion"]))
shots = random.Random(0).sample(short[: len(short) // 2], 3)
front = "".join(f"{row['prompt']}{row['completion']}\n\n" for row in shots)

shares = {"base": measure("base", base)}
shares["prompted"] = measure(
    "prompted", base, [front + x for x in asked])
lesson.table(("", "% of requests done (live)"), [
    (lesson.called(name), f"{100 * share:.1f}")
    for name, share in shares.items()])

# %% measure-base lang="zh"
{
    "% of requests done (live)": "完成的要求，%（实时）",
}

# %% flow [markdown] defines="supervised fine-tuning; reward model; policy"
r"""
## The picture: three steps, one flow (§3.1)

Below is the paper's Fig. 2, still empty. Read each column downward: what comes in, who works on it, what is trained. Then follow
the arrows: what the steps hand on. Step 1 makes the *SFT model* (*supervised fine-tuning*). It writes the replies that are
compared in step 2, and step 3 starts from it. Step 2 makes the *reward model*, which scores replies in step 3. The model that
replies is called a *policy*, since it chooses each next token. People (here, the programs in their place) work in the first two steps
only. Other new words come with their steps.
"""

# %% flow [markdown] lang="zh" of="f8212e9b"
r"""
## 那张图：三个步骤，一条流水线（§3.1）

下面是论文的图 2，还空着。每一列从上往下读：来的是什么，谁来处理，训练的是什么。再顺着箭头看，箭头就是一步交给下一步的东西。第 1 步做出 *SFT 模型*
（SFT 即*监督微调*，supervised fine-tuning）；第 2 步里供人比较的回复是它写的，第 3 步也从它出发。第 2 步做出*奖励模型*（reward model），
到第 3 步由它给回复打分。写回复的模型逐个选择下一个词元，因此又叫*策略*（policy）。要人（这里是顶替人的程序）出力的只有前两步。其余的生词，讲到那一步时再解释。
"""

# %% empty
from minirlhf.widgets import ThreeSteps

ThreeSteps()

# %% one-loop [markdown]
r"""
Each step will fill its column. What labelers wrote and ranked comes shipped. So does a second reward model, trained
longer than yours: step 3 uses it.

A *loss* says in one number how far a model is from what we want. The loop finds for each weight the direction in which the loss falls, and
Adam moves it a little that way. Steps 1 and 2, and one update of step 3, share this loop: `loss_of` differs, and how large the moves are.
The whole of step 3 runs in the package.
"""

# %% one-loop [markdown] lang="zh" of="53510b44"
r"""
每走一步，就填满一列。标注员写的回复和排的次序随包附带；为了省时间，第 3 步里打分的奖励模型也是附带的，它比你自己将训练的那个学得更久。

*损失*（loss）用一个数说明模型离我们想要的还有多远。循环为每个权重找出损失下降的方向，再由 Adam 把它朝那边挪一点。
第 1 步、第 2 步，以及第 3 步里单独的一次更新，都用这个循环；不同的是 `loss_of`，还有每次挪多远。完整的第 3 步还需要别的，由程序包来运行。
"""

# %% loop
import torch
from torch.nn.utils import clip_grad_norm_


def learn(model, loss_of, steps, rate):
    """Follow a loss downhill; yields what it was, step by step."""
    adam = torch.optim.Adam(model.parameters(), betas=(0.9, 0.95))
    for step in range(steps):
        adam.param_groups[0]["lr"] = rate * (1 - 0.9 * step / steps)
        loss = loss_of(model, step)
        loss.backward()  # the gradient: how the loss changes by weight
        clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad()
        yield loss.item()

# %% loop lang="zh"
{
    "Follow a loss downhill; yields what it was, step by step.": "往损失下降的方向走；逐步给出它的值。",
    "# the gradient: how the loss changes by weight": "# 梯度：损失随每个权重怎样变",
}

# %% step-1 [markdown] defines="demonstration"
r"""
## Step 1: people show how (§3.1)

A labeler writes the reply that they would like to see. Prompt and reply together are a *demonstration*; the paper has
{paper:table6.sft.train}, we have {run:counts.demonstrations}. The loss says how unlikely the model finds the labeler's words.
"""

# %% step-1 [markdown] lang="zh" of="fcfc1376"
r"""
## 第 1 步：人来示范（§3.1）

标注员写下自己希望看到的回复。提示连同这个回复，就是一条*示范*（demonstration）；论文有 {paper:table6.sft.train} 条，我们有
{run:counts.demonstrations} 条。损失说的是：标注员用的词，在模型看来有多意外。
"""

# %% imitate
from dataclasses import replace

from minirlhf.data.tokenization import encode_demonstrations
from minirlhf.objectives import sft_loss
from minirlhf.plain.demo import as_pairs
from minirlhf.plain.sft import batch, logprobs, steps_per_epoch
from minirlhf.presets import PRESETS

ours = replace(PRESETS["tinytown"].sft, seed=SEED)  # batches of 16
demos = as_pairs(encode_demonstrations(tokenizer, demonstrations, 256))


def imitate(policy, step):
    """Make the labelers' replies likelier."""
    # (): no text of the town's web is mixed in
    log_pi, mask = logprobs(policy, batch(ours, demos, (), step))
    return sft_loss(log_pi, mask)

# %% imitate lang="zh"
{
    "Make the labelers' replies likelier.": "让模型更可能写出标注员的回复。",
    "# (): no text of the town's web is mixed in": "# ()：不加预训练的文本",
    "# batches of 16": "# 每批 16 条",
}

# %% predict-1 [markdown]
r"""
**Predict.** After two passes over the demonstrations, what percentage of the requests will be done? (You may leave a guess empty.)
"""

# %% predict-1 [markdown] lang="zh" of="c47c50c7"
r"""
**先猜一猜。** 示范学过两遍之后，百分之几的要求会完成？（不猜也可以，空着就好。）
"""

# %% guess-1 folded="yes"
from minirlhf.widgets import Prediction

sft_guess = Prediction(
    "After step 1, what percentage of the requests will be done?",
    "chapter00.sft", unit="% of requests",
)
sft_guess

# %% guess-1 lang="zh"
{
    "% of requests": "%（完成的要求）",
    "After step 1, what percentage of the requests will be done?": "第 1 步之后，百分之几的要求会完成？",
}

# %% train-1
PASSES = 2  # over the demonstrations

steps_1 = lesson.pick(PASSES * steps_per_epoch(ours, demos), quick=2)
sft = load_policy(folder, tokenizer)
list(learn(sft, imitate, steps_1, 1e-3))  # takes every step
shares["sft"] = measure("sft", sft)
sft_guess.reveal(100 * shares["sft"])

# %% train-1 lang="zh"
{
    "# over the demonstrations": "# 示范学几遍",
    "# takes every step": "# 走完每一步",
}

# %% fill-1 folded="yes"
from minirlhf.report.examples import demonstration

shown = demonstration(demonstrations)
board = ThreeSteps()
board.first(shown["prompt"], shown["completion"],
            shares["base"].mean, shares["sft"].mean)

# %% step-2 [markdown] defines="ranking; comparison"
r"""
## Step 2: people compare (§3.1)

Often it is easier to say which reply is better than to write a good one. So the SFT model replies to one prompt several times
({paper:rm.k.min} to {paper:rm.k.max} in the paper), and a labeler puts the replies in order, ties allowed: a *ranking*. Any two of
them that aren't tied make a *comparison*, or pair.

Here are four replies of your SFT model. Which do you like best? Beside them stand the judge's grade (four or
more: done) and a labeler's rank, one being the best. A labeler starts from that grade and adds tastes and lapses, so you may disagree.
"""

# %% step-2 [markdown] lang="zh" of="4e6b392a"
r"""
## 第 2 步：人来比较（§3.1）

说出哪个回复更好，往往比写出一个好回复容易。所以让 SFT 模型对同一个提示回复好几次（论文里是 {paper:rm.k.min} 到 {paper:rm.k.max} 次），标注员只需排出先后，可以并列：
这就是*排序*（ranking）。其中任意两个不并列的回复，构成一个*成对比较*（comparison），简称对子。

下面是你的 SFT 模型的四个回复。你最喜欢哪一个？旁边先是评判者的评分，四分及以上就算完成；再是一位标注员给的名次，一为最好。标注员以这个评分为底，再加上自己的口味，也会疏忽，你尽可以不同意。
"""

# %% four
from minirlhf.tinytown.labelers import training_pool

labeler = training_pool()[0]
drawn = complete(sft, tokenizer, [request], n=12, seed=2,
                 max_new_tokens=LIMIT)
four = list(dict.fromkeys(drawn))[:4]  # no reply twice
ranks = labeler.rank(request, four)
grades = [f"{judge(request, y).overall:.1f}" for y in four]
lesson.table((request.strip() + " (live)", "judge, 1 to 7", "rank"),
             zip(four, grades, ranks, strict=True))

# %% four lang="zh"
{
    "# no reply twice": "# 相同的只留一个",
    " (live)": "（实时）",
    "judge, 1 to 7": "评判者，1 到 7 分",
    "rank": "名次",
}

# %% reward [markdown]
r"""
No labeler can read every reply in a long training run. The reward model learns to stand in for them: its last layer gives a reply one
number, the *score*. Ours starts from a base that has been to *school*: it was trained to answer questions about texts, one
property at a time. How many sentences? Is it rude? Is it true of the town? No question was about what people like, and the last layer's
weights start at zero.

The loss is large where the preferred reply of a comparison scores below the other one (chapter 05). Your four replies would
teach it little, so it learns from the shipped rankings.
"""

# %% reward [markdown] lang="zh" of="98ab5c12"
r"""
到第 3 步，策略会写出成千上万个新回复，标注员读不过来。奖励模型就来学着代替他们：它的最后一层对每个回复只给一个数，即*得分*。我们的从 Tinytown 的基座模型出发，
不过这个基座早已上过*学*：它受过训练，回答关于文本的问题，每次只问一种性质：有几句话，有没有骂人，说的是不是小镇的事实。没有一个问题问人喜欢什么；最后一层的权重一开始全是零。

成对比较里，更受偏好的那个回复得分若低于另一个，损失就大（第 05 章）。单凭你的四个回复，它学不到多少，所以它学的是随包附带的排序：
标注员排的是一个随包附带的 SFT 模型的回复。
"""

# %% prefer
from torch.nn.utils.rnn import pad_sequence

from minirlhf.objectives import ranking_loss
from minirlhf.reward import score_ids


def prefer(reward, step):
    """Score preferred replies above the others (`rankings`: below)."""
    x, y, ranks = zip(*rankings[16 * step :][:16], strict=True)
    xs = [one.tolist() for one, ys in zip(x, y, strict=True) for _ in ys]
    ys = [one.tolist() for several in y for one in several]
    flat = score_ids(reward, xs, ys, tokenizer.pad_token_id)
    scores = pad_sequence(flat.split([*map(len, y)]), batch_first=True)
    ranks = pad_sequence(ranks, batch_first=True)  # 0: no reply
    return ranking_loss(scores, ranks, ranks > 0).loss

# %% prefer lang="zh"
{
    "Score preferred replies above the others (`rankings`: below).": "使更受偏好的回复得分更高（`rankings` 见下文）。",
    "# 0: no reply": "# 0：没有回复",
}

# %% predict-2 [markdown]
r"""
With a last layer of zeros all scores are equal, and equal scores count as one half.

**Predict.** After one pass over about sixteen hundred rankings, what percentage of the pairs in unseen rankings do the
scores put in the labeler's order?
"""

# %% predict-2 [markdown] lang="zh" of="7bb0be80"
r"""
最后一层全是零，所有得分就都相等；得分相等的对子，算对一半。

**先猜一猜。** 把约一千六百个排序学过一遍之后，再看它没学过的排序：百分之几的对子，得分的先后与标注员一致？
"""

# %% guess-2 folded="yes"
order_guess = Prediction(
    "After step 2, what percentage of unseen pairs is in order?",
    "chapter00.order", unit="% of pairs",
)
order_guess

# %% guess-2 lang="zh"
{
    "% of pairs": "%（次序一致的对子）",
    "After step 2, what percentage of unseen pairs is in order?": "第 2 步之后，没学过的对子里，百分之几与标注员的次序一致？",
}

# %% train-2
from functools import partial

from minirlhf.evaluate.ranking_accuracy import accuracy, score_rankings
from minirlhf.models import ScalarModel
from minirlhf.plain.demo import as_rankings
from minirlhf.reward import score_texts
from minirlhf.tinytown.sizes import START

rankings = as_rankings(tokenizer, random.Random(SEED).sample(
    shipped.read("rankings"), lesson.pick(1600, quick=50)))
heldout = shipped.read("heldout")[: lesson.pick(400, quick=16)]
steps_2 = len(rankings) // 16
reward = ScalarModel.load(base_folder(START))  # after school
score = partial(score_texts, reward, tokenizer)
scored = {0: score_rankings(score, heldout)}  # by rankings read
for step, _ in enumerate(learn(reward, prefer, steps_2, 1e-3), 1):
    if step in {steps_2 // part for part in (1, 2, 4, 8, 16)}:
        scored[16 * step] = score_rankings(score, heldout)

# %% train-2 lang="zh"
{
    "# after school": "# 上过学的基座",
    "# by rankings read": "# 按学过几个排序",
}

# %% answer-2
from minirlhf.evaluate.ranking_accuracy import shares_in_order
from minirlhf.evaluate.statistics import over_prompts, paired_difference

pool = training_pool()
given = [row["ranks"] for row in heldout]
again = []  # by a labeler who isn't the one that ranked
for row in heldout:
    other = pool[1 if row["labeler"] == pool[0].name else 0]
    ranks_again = other.rank(row["prompt"], row["completions"])
    again.append([-rank for rank in ranks_again])  # higher is better
second = 100 * accuracy(again, given).mean
right = {count: np.nan_to_num(shares_in_order(of, given), nan=0.5)
         for count, of in scored.items()}  # all scores equal: one half
in_order = {count: over_prompts(share) for count, share in right.items()}
start, end = in_order[0], in_order[max(in_order)]
order_guess.reveal(100 * end)

# %% answer-2 lang="zh"
{
    "# by a labeler who isn't the one that ranked": "# 由另一位标注员来排",
    "# higher is better": "# 越高越好",
    "# all scores equal: one half": "# 得分都相等：算一半",
}

# %% order-look [markdown]
r"""
Follow the curve from its start, where all scores are equal. Most of the rise comes with the first hundred rankings. That fits: school taught
what is in a text, rankings tell what counts. The upper dashed line is what a second labeler reaches.
"""

# %% order-look [markdown] lang="zh" of="1ee3718d"
r"""
请从曲线的起点看起，那里所有得分都相等。大半的长进来自头一百个排序。这说得通：文本里有什么，上学时已经学会看；什么要紧，由排序来告诉它。上面那条虚线是另一位标注员能做到的。
"""

# %% order-picture folded="yes"
from minirlhf.report.charts import GRID, INK, MUTED, PALETTE

title = "What rankings teach the reward model (live)"
levels = {"equal scores": 50, f"a second labeler, {second:.1f}": second}
figure, axes = lesson.panels(1, title, (5.4, 2.7))
counts, bands = list(in_order), [100 * one for one in in_order.values()]
places = range(len(counts))  # evenly spaced
axes.fill_between(places, [band.low for band in bands],
                  [band.high for band in bands], color=GRID)
axes.plot(places, [band.mean for band in bands], "o-", color=INK)
for name, level in levels.items():
    axes.axhline(level, color=MUTED, linestyle="--", linewidth=0.8)
    axes.text(places[-1], level + 0.5, name, c=MUTED, size=8, ha="right")
axes.set_xticks(places, [f"{count:,}" for count in counts])
axes.set(xlabel="rankings read (after the first, about doubled)",
         ylabel="% of pairs in order", ylim=(44, 80), xmargin=0.06)
lesson.show(figure, "Pairs in the labeler's order: from "
    f"{start.mean:.0%} to {end.mean:.0%} as rankings are read.")

# %% order-picture lang="zh"
{
    "Pairs in the labeler's order: from {start.mean:.0%} to {end.mean:.0%} as rankings are read.": "与标注员次序一致的对子：随着学过的排序增多，从 {start.mean:.0%} 到 {end.mean:.0%}。",
    "% of pairs in order": "次序一致的对子，%",
    "rankings read (after the first, about doubled)": "学过的排序（第一格之后约逐格翻倍）",
    "# evenly spaced": "# 等距",
    "a second labeler, {second:.1f}": "另一位标注员，{second:.1f}",
    "equal scores": "得分相等",
    "What rankings teach the reward model (live)": "排序教会了奖励模型什么（实时）",
}

# %% fill-2 folded="yes"
board.second(request, four, ranks,
             score([request] * len(four), four).tolist(),
             start.mean, end.mean)

# %% step-3 [markdown]
r"""
## Step 3: the model practices (§3.1)

The policy replies to a prompt, and the reward model scores the reply. A reply that scores better than expected is pushed to be likelier,
one that scores worse, less likely.

From here on a shipped run's reward model scores in place of yours, trained from the same start on {run:counts.rankings:,} rankings. (In the
picture it comes from step 2, as in the paper.)

First in slow motion: sixteen replies to one prompt, one step of the loop. What score should we expect? We take the mean of the sixteen;
each reply's weight in the loss is its score minus that. How many times as likely are the best and the worst afterwards?
"""

# %% step-3 [markdown] lang="zh" of="6e26e106"
r"""
## 第 3 步：模型自己练习（§3.1）

现在没有人写，也没有人排。策略回复一个提示，奖励模型给回复打分。得分高于预期的回复，就推它一把，让策略更可能写出它；低于预期的，则往回推。

一堂课来不及学完所有排序，所以从这里起，换下你的奖励模型，由随包附带的那个来打分：它从同一个起点出发，学过 {run:counts.rankings:,} 个排序。
（图上那支“奖励模型”的箭头，画的是论文的做法。）

先看一个慢动作：同一个提示的十六个回复，循环只走一步。预期的得分是多少？我们取这十六个的平均；
在损失里，每个回复的系数是它的得分减去这个平均。走完这一步，最好的和最差的回复，概率各变成原来的多少倍？
"""

# %% reinforce
from minirlhf.data.tokenization import encode_completions, encode_prompts
from minirlhf.objectives import policy_loss

rewarding = ScalarModel.load(shipped.run("reward") / "model")
score = partial(score_texts, rewarding, tokenizer)  # no longer yours
tries = complete(sft, tokenizer, [request], n=16, seed=3,
                 max_new_tokens=LIMIT)
scores = score([request] * 16, tries)
x = encode_prompts(tokenizer, [request])[0]
tried = as_pairs((x, y) for y in encode_completions(tokenizer, tries))


def reinforce(policy, step):
    """Make replies likelier if they score above the mean."""
    log_pi, mask = logprobs(policy, tried)
    better = (scores - scores.mean())[:, None]  # minus the expected
    # mean of -better * exp(log_pi - same): exp(0), but with a gradient
    return policy_loss(log_pi, log_pi.detach(), better, mask)

# %% reinforce lang="zh"
{
    "Make replies likelier if they score above the mean.": "让策略更可能写出得分高于平均的回复。",
    "# no longer yours": "# 从这里起换下你的",
    "# minus the expected": "# 减去预期",
    "# mean of -better * exp(log_pi - same): exp(0), but with a gradient": "# -better * exp(log_pi - 自身) 的平均：exp(0)，但有梯度",
}

# %% one-step
import copy


@torch.no_grad()
def log_likelihood(policy):
    return logprobs(policy, tried)[0].sum(1)


policy = copy.deepcopy(sft)
list(learn(policy, reinforce, 1, 1e-4))
times = (log_likelihood(policy) - log_likelihood(sft)).exp()

# %% one-step-table folded="yes"
best_first = scores.argsort(descending=True).tolist()
lesson.table(
    ("best and worst of sixteen (live)",
     f"score (mean {scores.mean():.2f})", "times as likely"),
    [(tries[i], f"{scores[i]:.2f}", f"{times[i]:.2g}")
     for i in (*best_first[:3], *best_first[-3:])],
)

# %% one-step-table lang="zh"
{
    "times as likely": "概率变为原来的几倍",
    "best and worst of sixteen (live)": "十六个中最好的和最差的（实时）",
    "score (mean {scores.mean():.2f})": "得分（平均 {scores.mean():.2f}）",
}

# %% price [markdown] defines="reference model; KL divergence; PPO; value model"
r"""
All replies share the weights of one model, so what pushes one moves the others too. A reply's probability
multiplies over its tokens, so small changes add up.

A model that practices for a score may find what pleases the scorer by mistake (chapter 07). So a frozen copy of its
start, the *reference model*, stays beside it, and moving away costs. The distance is the *KL divergence*: take the policy's own replies, divide
the probability that it gives each by the one that the reference model gives it, and average the logarithms. The unit is the *nat*, and
$\beta$ is the price of a nat ({paper:ppo.beta} in the paper, {run:counts.ppo_beta} here, on another scale of scores).

The paper's method is *PPO*, proximal policy optimization. It trains on thousands of fresh replies, charges that price, and adds a
*value model* that predicts the score (above, the mean stood in for it). It also *clips*: once an update has moved a token's
probability far enough, moving it further no longer pays (chapter 06).

**Predict.** The policy is trained for score, not for requests done. By how many percentage points does the share of requests done change?
"""

# %% price [markdown] lang="zh" of="9224c52f"
r"""
所有回复共用一个模型的权重，推一个，别的也跟着动。一个回复的概率是各个词元的概率之积，每个词元只变一点，乘起来就可能差出许多倍。

为得分而练习的模型，可能会找到打分者看走眼才喜欢的东西（第 07 章）。所以旁边留着起点的一个冻结副本，即*参考模型*（reference model），离开它要付出代价。
离开多远，用 *KL 散度*（KL divergence）来量：取策略自己写的回复，用策略给它的概率除以参考模型给它的概率，取对数，再平均；单位是 *nat*。$\beta$ 是每个 nat 的价格（论文取 {paper:ppo.beta}，我们取 {run:counts.ppo_beta}；两边得分的尺度不同）。

论文这一步用的方法是*近端策略优化*（proximal policy optimization，PPO）。它用成千上万个新写的回复来训练，照上面的价格收费，再加一个预测得分的*价值模型*（value model，
慢动作里用平均代替了它）。它还会*裁剪*（clipping）：一次更新里，一个词元的概率挪得够远了，再挪便不再有好处（第 06 章）。

**先猜一猜。** 训练策略为的是得分，不是完成要求。完成的要求会变化几个百分点？
"""

# %% guess-3 folded="yes"
ppo_guess = Prediction(
    "Requests done: after step 3 minus after step 1",
    "chapter00.ppo", unit="percentage points",
)
ppo_guess

# %% guess-3 lang="zh"
{
    "percentage points": "个百分点",
    "Requests done: after step 3 minus after step 1": "完成的要求：第 3 步之后减第 1 步之后",
}

# %% train-3
from minirlhf.pretrained import save_model
from minirlhf.widgets import TrainingDesk
from minirlhf.widgets import start as start_run

BETA = PRESETS["tinytown"].ppo.beta  # price of a nat, in score


def run_ppo(size, policy, episodes):
    """Start PPO in a process of its own; an episode is a reply."""
    name = f"{size}-{steps_1}-{BETA}-{episodes}-{SEED}"
    save_model(policy, tokenizer, lesson.workspace("00", f"sft-{name}"))
    return start_run(
        "ppo", lesson.workspace("00", f"ppo-{name}"), episodes=episodes,
        model=lesson.workspace("00", f"sft-{name}"), beta=BETA,
        reward=shipped.run("reward") / "model", drop_long=True,
        prompts=shipped.file("prompts-ppo"),
        warmup=3, ema=0.96,  # for so few steps; chapter 06 has both
        micro_batch=16, rollout_micro_batch=64, seed=SEED)

# %% train-3 lang="zh"
{
    "Start PPO in a process of its own; an episode is a reply.": "在单独的进程里开始 PPO；一个回合就是一个回复。",
    "# price of a nat, in score": "# 每个 nat 的价格，以得分为单位",
    "# for so few steps; chapter 06 has both": "# 步数少，故取此值；见第 06 章",
}

# %% desk
job = run_ppo("medium", sft, episodes=lesson.pick(3584, quick=256))
desk = TrainingDesk(job, note="live")
desk

# %% desk lang="zh"
{
    "live": "实时",
}

# %% desk-says [markdown]
r"""
The *training desk* watches the run; an iteration is one batch of replies. Follow *KL* and *reward*, here the mean score of the batch, before
anything is charged for KL; it jumps, as the prompts differ. Read some replies below the curves: not all do what was asked. (Chapter 06 explains the other panels.) The next cell waits for the end.
"""

# %% desk-says [markdown] lang="zh" of="79f4001b"
r"""
*训练台*在旁边看着这次训练，一次迭代就是一批回复。请看*奖励*：这里指一批回复的平均得分，还没有扣掉 KL 的费用；每批的提示不同，所以它会跳动。再看 *KL*，
也读读曲线下面的回复，它们并不都照要求做了（其余的面板，第 06 章再讲）。下一格等训练结束。
"""

# %% measure-3
job.wait()
desk.look()
ppo = load_policy(job.folder / "model", tokenizer)
shares["ppo"] = measure("ppo", ppo)
gain = 100 * paired_difference(done["ppo"], done["sft"])
batches, rewards = desk.reader.series("objective/score")
first, last = np.mean(rewards[:4]), np.mean(rewards[-4:])  # 4 batches
ppo_guess.reveal(gain)

# %% measure-3 lang="zh"
{
    "# 4 batches": "# 各 4 批",
}

# %% fill-3 folded="yes"
from minirlhf.report.examples import is_plain

kept = [row for at in batches[-10:] for row in desk.reader.samples(at)]
kept = [row for row in kept if is_plain(row)] or kept
episode = min(kept, key=lambda row: abs(row["score"] - last))
said = episode["response"].rstrip()
passes = judge(episode["prompt"], said).passes
said += "\n\n[judge: done]" if passes else "\n\n[judge: not done]"
board.third(episode["prompt"], said, episode["score"],
            (first, last), (shares["sft"].mean, shares["ppo"].mean))

# %% fill-3 lang="zh"
{
    "\n\n[judge: done]": "\n\n[评判者：完成]",
    "\n\n[judge: not done]": "\n\n[评判者：未完成]",
}

# %% two-numbers [markdown]
r"""
In the last column stand two kinds of numbers. The *score* was trained on: if it rises by more than its jumps from batch to batch, the
training works. (Its means are over the first and the last four batches. The shipped reward model gave it, so don't compare it with the
scores in the second column.) The share of requests *done* was not trained on, so it measures. (Indirectly the judge reached the
training: labelers start from its grade.) The reply shown was chosen for a score near the mean, done or not: below it stands the judge's
verdict.

Now ask all three models for something of your own: does the reply with the higher score do what you asked? Try several requests.
"""

# %% two-numbers [markdown] lang="zh" of="90e2a3ad"
r"""
最后一列里有两种数。*得分*是训练的目标：它若升得比批与批之间的跳动还多，就说明训练在起作用。（它的平均取自最初四批和最后四批。打分的是随包附带的奖励模型，
所以别拿它同第二列的得分比。）*完成*的比例没有参与训练，所以能用来测量。不过评判者还是间接进入了训练：标注员是以它的评分为底来排序的。
图上的回复取自最后几批，只按得分接近平均来选，所以要求不一定完成：评判者的结论写在它下面。

现在请你自己来问这三个模型。得分更高的回复，就是照你的要求做的那个吗？只问一个要求，说明不了什么，请多试几个。
"""

# %% playground
from minirlhf.widgets import Playground

models = {"base": base, "sft": sft, "ppo": ppo}
playground = Playground(
    {name: (model, tokenizer) for name, model in models.items()},
    score=score, judge=judge, prompt=request.strip(), max_response=LIMIT,
)
playground.answer(playground.prompt)
playground

# %% large-or-small [markdown]
r"""
## Small and trained, or large and raw? (§1, §4.1)

The paper's boldest finding: people prefer its smallest model after all three steps to the largest GPT-3 as it is, over a hundred times
its size. Our sizes differ less. Tinytown's smallest base now takes steps 1 and 3 as well, with the same
reward model and, to save time, fewer replies in step 3. The large one gets the request alone, as the paper's did.

**Predict.** Which gets more requests done?
"""

# %% large-or-small [markdown] lang="zh" of="64fe022e"
r"""
## 练过的小模型，还是没练过的大模型？（§1、§4.1）

论文最大胆的发现是：人更喜欢走完三步的最小模型，而不是原样的最大的 GPT-3，后者要大上百倍。我们的大小相差没有那么多。现在让
Tinytown 最小的基座模型也走第 1 步和第 3 步，奖励模型还是同一个；为了省时间，第 3 步的回复少一些。问大模型时只给要求，论文里也是这样。

**先猜一猜。** 这样练过的小模型与原样的大模型，哪个完成的要求更多？
"""

# %% small
small = load_policy(base_folder("small"), tokenizer)
list(learn(small, imitate, steps_1, 1e-3))
small_job = run_ppo("small", small, lesson.pick(1024, quick=256))

# %% guess-size folded="yes"
size_guess = Prediction(
    "Which gets more of the requests done?", "chapter00.size",
    choices=("Small, trained", "no clear difference", "Large, raw"),
)
size_guess

# %% guess-size lang="zh"
{
    "Large, raw": "没练过的大模型",
    "no clear difference": "看不出差别",
    "Small, trained": "练过的小模型",
    "Which gets more of the requests done?": "哪个完成的要求更多？",
}

# %% sizes
small_job.wait()
trained = load_policy(small_job.folder / "model", tokenizer)
large = load_policy(base_folder("large"), tokenizer)
shares["Small, trained"] = measure("small", trained)
shares["Large, raw"] = measure("large", large)
by_size = 100 * paired_difference(done["small"], done["large"])
times_larger = large.num_parameters() / trained.num_parameters()
small_wins, large_wins = by_size.low > 0, by_size.high < 0
size_guess.reveal("Small, trained" if small_wins else "Large, raw"
                  if large_wins else "no clear difference")

# %% sizes lang="zh"
{
    "Large, raw": "没练过的大模型",
    "no clear difference": "看不出差别",
    "Small, trained": "练过的小模型",
}

# %% ladder-look [markdown]
r"""
Read the first four rows downward, then compare the last two (same color: same
stage of training). Three examples (second row) may help the large one too; that isn't
tested here.
"""

# %% ladder-look [markdown] lang="zh" of="b278e18e"
r"""
本页的所有模型都在这里：前四行从上往下读，再比较最后两行（颜色相同，练到的地步就相同）。第二行是三个例子对本页的基座模型起的作用；放上例子，大模型也许同样会更好，这里没有测。
"""

# %% ladder folded="yes"
figure, axes = lesson.panels(1, "Requests done (live)", (6.2, 3.2))
lesson.intervals(axes, shares, f"% of {len(asked)} requests")
like = ["ppo", "ppo", "base", "base"]  # interval and dot of the last rows
for line, model in zip(axes.lines[-4:], like, strict=True):
    line.set_color(PALETTE[model])
axes.set_title(f"the large model has {times_larger:.0f} times the weights "
               "of the small one", fontsize=8.5, loc="left")
seen = ", ".join(f"{lesson.called(name)} {100 * share.mean:.1f}%"
                 for name, share in shares.items())
lesson.show(figure, f"Requests done, with intervals: {seen}.")

# %% ladder lang="zh"
{
    "Requests done, with intervals: {seen}.": "完成的要求，连同区间：{seen}。",
    "the large model has {times_larger:.0f} times the weights of the small one": "大模型的权重数是小模型的 {times_larger:.0f} 倍",
    "Requests done (live)": "完成的要求（实时）",
    "% of {len(asked)} requests": "%（共 {len(asked)} 个要求）",
    ", ": "；",
    "# interval and dot of the last rows": "# 末两行的区间和点",
}

# %% after [markdown]
r"""
## Isn't PPO dead?

No, but it is now one way among several. It holds four models in memory: the policy and three more. Later methods each remove a part:

| | reference model | value model | reward model | new replies in training |
|---|---|---|---|---|
| PPO, as in the paper | yes | yes | yes | yes |
| DPO (Rafailov et al., 2023) | yes | **no** | **no** | **no** |
| GRPO (Shao et al., 2024) | yes | **no** | yes, in that paper | yes |
| verifiable rewards (Lambert et al., 2024) | yes | yes, in that paper | **no** | yes |

- **DPO** (direct preference optimization) trains the policy itself with the loss of step 2. A reply's score is $\beta$ times the logarithm of a ratio: the
  policy's probability of the reply over the reference model's. If the assumption behind step 2's loss
  holds (chapter 05) and there are enough comparisons, in theory DPO ends where step 3 does.
- **GRPO** (group relative policy optimization): our slow motion is its main idea, the mean score of a group of replies to one prompt in
  place of a value model. It also divides by the group's standard deviation and charges for KL in the loss, not in the score.
- **Verifiable rewards** come from a program that checks the reply: a result in mathematics, a constraint. There is no
  reward model to fool, though a careless check can be fooled.

All keep a reference model, since a score can be wrong. The value model can go, and where a program can check, so
can the reward model. But is a letter kind, a summary fair, a story worth reading? No program checks these, and people
can't grade every *new* reply. So a learned model has to do the grading: a reward model, or a language model asked to judge.
"""

# %% after [markdown] lang="zh" of="3597dd93"
r"""
## PPO 不是过时了吗？

没有过时，但已不是唯一的办法。PPO 要在内存里放四个模型：策略，另加三个。后来的方法各省去一部分：

| | 参考模型 | 价值模型 | 奖励模型 | 训练时写新的回复 |
|---|---|---|---|---|
| PPO，如论文所用 | 有 | 有 | 有 | 是 |
| DPO（Rafailov 等人，2023） | 有 | **无** | **无** | **否** |
| GRPO（Shao 等人，2024） | 有 | **无** | 有（该文中） | 是 |
| 可验证的奖励（Lambert 等人，2024） | 有 | 有（该文中） | **无** | 是 |

- **DPO**（直接偏好优化，direct preference optimization）用第 2 步的损失，直接训练策略：策略写出一个回复的概率是参考模型的多少倍，取对数，乘以 $\beta$，就当作得分。如果第 2 步的损失所作的假定成立（第 05 章），
  成对比较又足够多，理论上它与第 3 步殊途同归。
- **GRPO**（组内相对策略优化，group relative policy optimization）的主要想法，就是我们的慢动作：用同一个提示的一组回复的平均得分代替价值模型。它还要除以这组得分的标准差；KL 的费用不从得分里扣，而是加进损失。
- **可验证的奖励**来自一个检查回复的程序：数学题的结果对不对，限制有没有遵守。没有奖励模型可以糊弄；不过检查若写得马虎，同样会被糊弄。

它们都留着参考模型，因为得分都可能有错。价值模型可以不要；有程序能检查的地方，奖励模型也可以不要。可是，一封信是否体贴，一份摘要是否公允，一个故事值不值得读呢？
这些没有程序能检查，*新的*回复又多得人打不过分来，只好由一个学出来的模型来打：要么是奖励模型，要么是请来评分的语言模型。
"""

# %% summary [markdown]
r"""
## Summary

We wrote down five claims of the paper before any run ([`directions.toml`](../course/directions.toml)),
here in seven rows. By the paper, every difference should lie above zero. Its whole interval above zero: *seen*; below: *the opposite*; else
*open*. Each model was trained once, so the intervals cover the choice of prompts, not the chance in training.

The paper's column says how often people prefer a model to the paper's largest SFT model (Fig. 1). An
arrow joins two versions of its smallest model; in the last row, its largest GPT-3 and its smallest model after all steps. That one also
rehearsed pretraining texts in step 3; ours doesn't (chapter 07). The lone percentage is a level: how often the paper's reward models
agree with the labelers who taught them (§4.1). *Preferred*: labelers whose rankings trained nothing choose between both models' replies; the paper doesn't compare these two.
"""

# %% summary [markdown] lang="zh" of="ea16979f"
r"""
## 小结

论文的五个说法，在任何一次运行之前就已写下（[`directions.toml`](../../course/directions.toml)），下表分作七行。按论文，每一行的差都应大于零。整个区间都在零之上，记作*看到*；
都在零之下，记作*相反*；其余是*看不出*，也许没有差别。每个模型只训练了一次，所以区间涵盖的是提示的选取，不是训练中的偶然。

论文那一列说的是：拿一个模型与论文最大的 SFT 模型相比，人有百分之几的时候更喜欢它（图 1，从图上读出）。箭头连接最小的模型的两个版本；末行则从最大的 GPT-3 指向走完三步的最小模型，
后者在第 3 步温习了预训练文本，我们的没有（第 07 章）。单独的那个百分数不是差，而是论文的奖励模型与教它的标注员的一致率（§4.1）。*胜过*一行，由没有参与排序的标注员来比较两个回复；论文没有直接比较这两个。
"""

# %% differences
from itertools import cycle

from minirlhf.tinytown.labelers import heldout_pool

turns = cycle(heldout_pool())  # no training learned from them
preferred = [next(turns).prefers(prompt, new, old) for prompt, new, old
             in zip(asked, replies["ppo"], replies["sft"], strict=True)]
found = [
    100 * paired_difference(done["sft"], done["base"]),
    100 * paired_difference(done["prompted"], done["base"]),
    100 * paired_difference(done["sft"], done["prompted"]),
    100 * over_prompts(right[max(right)] - right[0]),
    gain, 100 * over_prompts(np.array(preferred) - 0.5), by_size,
]

# %% differences lang="zh"
{
    "# no training learned from them": "# 训练从没用过他们",
}

# %% statements folded="yes"
from minirlhf.paper import cite, value


def paper(*keys):
    return " → ".join(f"{value(f'fig1.{key}'):.0%}" for key in keys)


statements = [
    ("done: step 1 minus base", paper("1.3b.gpt", "1.3b.sft")),
    ("done: prompted minus base", paper("1.3b.gpt", "1.3b.prompted")),
    ("done: step 1 minus prompted", paper("1.3b.prompted", "1.3b.sft")),
    ("pairs in order: after rankings minus before, one half",
     str(cite("rm.accuracy.training"))),
    ("done: step 3 minus step 1", paper("1.3b.sft", "1.3b.ppo")),
    ("step 3 preferred to step 1: minus one half", "–"),
    ("done: small, trained, minus large",
     paper("175b.gpt", "1.3b.ppo-ptx")),
]

# %% statements lang="zh"
{
    "done: small, trained, minus large": "完成：练过的小模型减大模型",
    "step 3 preferred to step 1: minus one half": "第 3 步胜过第 1 步的比例，减去二分之一",
    "done: step 3 minus step 1": "完成：第 3 步减第 1 步",
    "pairs in order: after rankings minus before, one half": "次序一致的对子：学过排序之后，减去之前的二分之一",
    "done: step 1 minus prompted": "完成：第 1 步减加例子",
    "done: prompted minus base": "完成：加例子减基座",
    "done: step 1 minus base": "完成：第 1 步减基座",
}

# %% directions folded="yes"
lesson.table(
    ("live", "the paper", "this page: difference, points", "verdict"),
    [(label, theirs, f"{here:.1f}", lesson.verdict(here))
     for (label, theirs), here in zip(statements, found, strict=True)],
)

# %% directions lang="zh"
{
    "this page: difference, points": "本页的差，百分点",
    "the paper": "论文",
    "live": "实时",
    "verdict": "结论",
}

# %% summary-read [markdown]
r"""
Demonstrations teach the model to reply. Rankings teach a second model some of what people prefer. Practice for its score changes the
first model without more work by people. Chapter 07 shows where the score rises and the requests done don't.

## Questions

**In which steps do people work, and what do they do?**

<details><summary>Answer</summary>

In step 1 they write replies, in step 2 they rank replies. In step 3 the reward model stands in for them.

</details>

**In the slow motion, a reply with a score below zero becomes likelier. A mistake?**

<details><summary>Answer</summary>

No. The score minus the mean counts, and the mean may lie lower still. Even below the mean a reply can become likelier, because
pushing other replies changes the shared weights.

</details>

**Step 3 ends with a higher score and fewer requests done. What happened?**

<details><summary>Answer</summary>

If the interval of the fall excludes zero, then probably the policy found what the reward model likes by mistake. A higher $\beta$ or a better
reward model may help (chapter 07).

</details>

**You want a model that solves equations and is kind to beginners. What needs a learned reward?**

<details><summary>Answer</summary>

Kindness. A program can check the solution.

</details>

## The way on

| you want | take |
|---|---|
| an hour | [chapter 04](04_supervised_fine_tuning.ipynb): step 1, line by line |
| a week | [chapter 04](04_supervised_fine_tuning.ipynb), [chapter 05](05_reward_model.ipynb), [chapter 06](06_reinforcement_learning.ipynb), [chapter 07](07_what_alignment_costs.ipynb), each with its exercises: [ex04](../exercises/ex04_sft.ipynb), [ex05](../exercises/ex05_reward_model.ipynb), [ex06](../exercises/ex06_ppo.ipynb), [ex07](../exercises/ex07_ppo_ptx.ipynb) |
| the code | `minirlhf/plain/`, a short file for each step; then [the map](../course/MAP.md) from the paper to code and tests |
| to teach it | the lecture and lab paths that end each chapter; `minirlhf start ex04` gives each student a copy of the exercise |

**A lecture of thirty minutes.** The base and the empty picture (eight); steps 1 and 2, the class ranking the replies aloud
(ten); the slow motion, and a show of hands before PPO's result (seven); what came after (five).

**A lab of ninety minutes.** The page in pairs (sixty). Then change `PASSES` or `BETA`, predict which number moves, and run again from
there (thirty).
"""

# %% summary-read [markdown] lang="zh" of="c0fec8d2"
r"""
示范教模型回复。排序让另一个模型学到人的一部分偏好。为它的得分练习，不用人再出力，前一个模型就会改变。得分与完成的比例在哪里分道扬镳，见第 07 章。

## 问题

**哪几步要人出力，做什么？**

<details><summary>答案</summary>

第 1 步写回复，第 2 步给回复排序。到第 3 步，由奖励模型代替人。

</details>

**慢动作里，有个回复的得分低于零，却变得更可能了。出错了吗？**

<details><summary>答案</summary>

没有。算数的是得分减去平均，而平均可能更低。就是低于平均的回复，也可能变得更可能，因为推别的回复时，改动的是共用的权重。

</details>

**假如第 3 步结束时，得分更高，完成的要求却更少。发生了什么？**

<details><summary>答案</summary>

如果降幅的区间不含零，那么很可能是策略找到了奖励模型误以为好的东西。提高 $\beta$，或者换一个更好的奖励模型，也许有用（第 07 章）。

</details>

**你想要一个会解方程、又对初学者体贴的模型。哪一样离不开学来的奖励？**

<details><summary>答案</summary>

体贴。解得对不对，程序可以检查。

</details>

## 接下来

| 你想 | 就选 |
|---|---|
| 用一小时 | [第 04 章](04_supervised_fine_tuning.ipynb)：逐行看第 1 步 |
| 用一周 | [第 04 章](04_supervised_fine_tuning.ipynb)、[第 05 章](05_reward_model.ipynb)、[第 06 章](06_reinforcement_learning.ipynb)、[第 07 章](07_what_alignment_costs.ipynb)，连同各章的练习：[ex04](../../exercises/zh/ex04_sft.ipynb)、[ex05](../../exercises/zh/ex05_reward_model.ipynb)、[ex06](../../exercises/zh/ex06_ppo.ipynb)、[ex07](../../exercises/zh/ex07_ppo_ptx.ipynb) |
| 读代码 | `minirlhf/plain/`，每一步一个短文件；然后是[这张地图](../../course/MAP.md)，从论文通到代码和测试 |
| 教这门课 | 每章末尾的讲课安排和实验安排；`minirlhf start ex04` 给每个学生一份练习 |

**三十分钟的讲课。** 基座模型和空着的图（八分钟）；第 1、2 步，让全班当场给回复排序（十分钟）；慢动作，公布 PPO 的结果之前先举手表决（七分钟）；
后来的方法（五分钟）。

**九十分钟的实验。** 两人一组走完本页（六十分钟）。然后改动 `PASSES` 或 `BETA`，先猜哪个数会变，再从那里起重新运行（三十分钟）。
"""
