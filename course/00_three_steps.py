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

Give a language model the line *Write a story about a fox.* You want a story. The line is a *prompt*, and what the model
writes after it is a *completion*, or reply. A model that has only read the web owes you no story; it owes you whatever
tends to come next. How does the one become the other?

This page does it, in small, before your eyes: the three steps of the InstructGPT paper (Ouyang et al., 2022), one after
the other, on your own machine. After this chapter you can

- show what a model does with an instruction before anyone has taught it to follow one, and say why;
- name what goes into each of the three steps, what comes out, and whose work it needs;
- fill the paper's Fig. 2 with replies and scores of your own run;
- tell a number that was trained on from a number that measures;
- find the chapter, the code and the exercises of each step.
"""

# %% title [markdown] lang="zh" of="9d59ccfa"
r"""
# 第 00 章 · 一张图看懂三个步骤

给语言模型一行字：*Write a story about a fox.*（写一个关于狐狸的故事。）你想要一个故事。这行字叫*提示*（prompt），模型接在它后面写的内容叫
*回复*（completion）。一个只读过网络文本的模型并不欠你故事，它只欠你“接下来往往会出现的东西”。怎样才能让前者变成后者？

本页在你眼前把这件事缩小了做一遍：InstructGPT 论文（Ouyang 等人，2022）的三个步骤，一步接一步，就在你自己的机器上。学完本章，你将能够

- 演示在没有人教过它遵循指令之前，模型拿到指令会做什么，并说出原因；
- 说出三个步骤各自的输入、输出，以及需要谁付出劳动；
- 用自己这次运行的回复和得分填满论文的图 2；
- 分清哪个数被拿来训练过，哪个数只用来测量；
- 为每一步找到对应的章节、代码和练习。
"""

# %% machine [markdown]
r"""
## Your machine

The first cell of every page says what this machine offers and what the page costs. The next one looks closer. *ok* needs
nothing, a *note* is worth knowing, a *problem* comes with what to do about it. In a terminal, `minirlhf doctor` looks at
still more.
"""

# %% machine [markdown] lang="zh" of="4bc902e4"
r"""
## 你的机器

每页的第一格都会报告这台机器的条件，以及这一页的开销。下一格看得更细：*ok* 表示无需理会，*note* 值得一知，*problem* 则会附上解决办法。
在终端里运行 `minirlhf doctor`，检查得更全。
"""

# %% doctor
from minirlhf import doctor, lesson

findings = [
    doctor.check_python(),
    *doctor.check_packages(),
    *doctor.check_notebooks(),
    doctor.check_cores(),
    doctor.check_memory(),
    doctor.check_gpu(),
]
rows = [(f.topic, f.status, f.found, f.advice) for f in findings]
lesson.table(("", "is", "found", "what to do"), rows)

# %% town [markdown] defines="judge; labeler"
r"""
## A town that can be checked

The paper's models have read much of the internet, and it takes people to say whether a reply is good. Ours have read the
web of *Tinytown*, a closed world of a few people, places, animals and things: who lives where, who bakes, which shop
sells soap. Its encyclopedia is right, its forums often aren't, and there are stories, letters, poems and worksheets, all
written by a programme.

Because we made the world, every sentence in it can be checked. The *judge* does so: it reads a prompt and a reply, lists
what was asked for, and says what of it is met. A reply that meets everything *passes*: its prompt is *done*. Beyond
that, a grade from {paper:likert.min} to {paper:likert.max} tells a plain reply from a rich one. The judge is our
measuring rod; the paper had none like it. None of the three steps asks it, but step 2 starts from a model made with its
help.

What the paper had is people: its *labelers*, about {paper:intro.labelers:d} of them, hired to write replies and to compare them.
Tinytown's labelers are programmes. They see what the judge sees, add a taste of their own, and err now and then.

Look at what each reply misses (*language*: sentences of which the judge makes no sense as a reply). Then change one and
run the cell again.
"""

# %% town [markdown] lang="zh" of="dd43c640"
r"""
## 一座可以逐句核对的小镇

论文的模型读过大半个互联网，回复好不好，得由人来说。我们的模型读的是 *Tinytown* 的网络。这是一个封闭的世界，只有为数不多的人、地点、动物和物品：
谁住在哪里，谁烤面包，哪家店卖肥皂。镇上的百科全书是对的，论坛却常常不对；还有故事、信件、诗歌和练习册，全都由程序写成。

世界是我们造的，所以其中每句话都能核对。做这件事的是*评判者*（judge）：它读入提示和回复，列出提示要求了什么，并指出哪些做到了。样样做到的回复
算*通过*，即完成了提示的要求；在此之上还有一个从 {paper:likert.min} 到 {paper:likert.max} 的评分，用来区分平淡与丰富的回复。评判者是我们的量尺，
论文没有这样的量尺。三个步骤都不去问它，但第 2 步的起点是借助它做出来的模型。

论文有的是人，也就是*标注员*（labeler）：约 {paper:intro.labelers:d} 位，受雇来撰写回复、比较回复。Tinytown 的标注员是程序：它们看得到评判者所看到的，
再加上自己的口味，偶尔也会出错。

看看每个回复缺了什么（*language*：评判者读不成一个回复的句子）。然后改动其中一个，再运行这一格。
"""

# %% verdicts
from minirlhf.tinytown.judge import judge

question = "What does Rosa do for work? Use exactly two sentences.\n"
replies = [
    "Rosa is a farmer. She lives on Rose Street.",
    "Rosa is a baker. She lives on Rose Street.",
    "Rosa is a farmer.",
    "What is the hobby of Rosa?",
]
rows = []
for reply in replies:
    verdict = judge(question, reply)
    missed = [name for name, met in verdict.criteria.items() if met < 1]
    passes = "passes" if verdict.passes else f"misses {', '.join(missed)}"
    rows.append((reply, f"{verdict.overall:.1f}", passes))
lesson.table((question.strip(), "grade", "the judge"), rows)

# %% limits [markdown]
r"""
That is what a closed world is good for. It is no small English. Its sentences come from a grammar, its models
are tiny, its labelers never tire, and nobody in it can be harmed. What it can show is how the steps work and how they go
wrong. The size of an effect is its own.
"""

# %% limits [markdown] lang="zh" of="7ce15ddd"
r"""
封闭世界的好处就在这里。但它并不是缩小的英语：句子出自一套语法，模型极小，标注员从不疲倦，也没有人会受到伤害。它能展示的是这些步骤如何起作用、
又如何出错；至于效果的大小，那只是它自己的。
"""

# %% base [markdown] defines="base model; policy"
r"""
## A base model continues (§1)

A *base model* has only been pretrained: it predicts the next token of a text. The paper's is GPT-3; ours, a tiny one,
ships with the package. A model that writes, seen as what chooses each next token, is also called a *policy*.

Run the next cell with several values of `seed`. Does a story come?
"""

# %% base [markdown] lang="zh" of="c2ae672b"
r"""
## 基座模型只会续写（§1）

*基座模型*（base model）只经过预训练：它预测文本的下一个词元。论文用的是 GPT-3；我们的很小，随程序包附带。写文本的模型，若看作逐个选择
下一个词元的决策者，也叫*策略*（policy）。

换几个 `seed` 运行下一格。会写出故事来吗？
"""

# %% ask-base
from minirlhf.models import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown.bases import base_folder

prompt = "Write a story about a fox. Make it happy.\n"
seed = 1

place = base_folder("medium")
base, tokenizer = load_policy(place), load_tokenizer(place)
print(prompt + complete(base, tokenizer, [prompt], seed=seed)[0])

# %% why-base [markdown]
r"""
On the web of Tinytown, instructions mostly stand on worksheets, one after the other and without an answer, and the base
goes on as such pages go on. It isn't broken: it does what it was trained for. To predict the next token of a page from
the internet is one objective, says §1; to follow a user's instructions helpfully and safely is another, and size alone
doesn't turn the one into the other.

How often does our base do what is asked? The next cell gives it prompts by users whom no training set knows, takes one
reply each, and lets the judge count. In brackets stands the interval that so few prompts leave open. All intervals on this
page are of ninety-five percent and cover the choice of prompts, not another seed of the training.

That ours does next to nothing is owed to the web that we wrote for it. GPT-3 has read answers too: in Fig. 1 it wins
{paper:fig1.1.3b.gpt:.0%} to {paper:fig1.175b.gpt:.0%} of the time, by size.
"""

# %% why-base [markdown] lang="zh" of="140d7d2b"
r"""
在 Tinytown 的网络上，指令大多出现在练习册里，一条接一条，没有答案；基座模型就照这类页面的样子往下写。它没有坏，它做的正是训练它去做的事。
§1 说：预测网页上的下一个词元是一个目标，有益而安全地遵循用户的指令是另一个目标；单靠变大，并不能把前者变成后者。

我们的基座模型有多少次做到了要求？下一格用训练集里从未出现过的用户的提示去问它，每个提示取一个回复，由评判者来数。方括号里是这点提示所能确定的区间。
本页的区间都是百分之九十五的，只涵盖提示的选取，不涵盖换一个训练种子。

我们的基座模型几乎什么也完成不了，这要归因于我们为它写的网络。GPT-3 读过有问有答的网页：在图 1 中，按模型大小，它在
{paper:fig1.1.3b.gpt:.0%} 到 {paper:fig1.175b.gpt:.0%} 的比较中获胜。
"""

# %% measure-base
from minirlhf import shipped
from minirlhf.evaluate.statistics import proportion

asked = [row["prompt"] for row in shipped.read("prompts")]
asked = asked[: lesson.pick(800, quick=20)]
passed, shares = {}, {}


def measure(name, policy):
    said = complete(policy, tokenizer, asked, seed=0, batch_size=32)
    done = [judge(x, y).passes for x, y in zip(asked, said, strict=True)]
    passed[name] = done
    shares[name] = share = proportion(sum(done), len(done))
    interval = f"[{share.low:.1%}, {share.high:.1%}]"
    print(f"Done, of {len(done)} prompts: {share.mean:.1%} {interval}")


measure("base", base)

# %% figure [markdown]
r"""
## The picture (§3.1)

The paper starts from three things: a base model, prompts of the kind that people send, and labelers. Then it takes three
steps, which its Fig. 2 draws as three columns. Here they are, still empty. As you go down the page, each step fills its
column with what happened on your machine.
"""

# %% figure [markdown] lang="zh" of="747d64bb"
r"""
## 那张图（§3.1）

论文从三样东西出发：一个基座模型，人们会发来的那类提示，以及标注员。然后走三步，论文的图 2 把它们画成三列。下面就是这三列，还空着。
你往下读时，每一步都会用你机器上发生的事填满自己的那一列。
"""

# %% empty
from minirlhf import widgets

widgets.ThreeSteps()

# %% step-1 [markdown] defines="demonstration; supervised fine-tuning"
r"""
## Step 1: demonstrations teach (§3.1)

A labeler takes a prompt and writes the reply that they would like to see. Both together are a *demonstration*. The base
then goes on predicting next tokens, now of the replies in demonstrations. That is *supervised fine-tuning*, SFT for
short; chapter 04 takes it apart. The labelers of the paper wrote the replies of all its demonstrations; of the prompts
they wrote {paper:table6.sft.train.labeler}, and customers sent {paper:table6.sft.train.customer}. We take the few that
ship with the package.

**Predict.** You have seen how often the base passes. How often will it pass after these demonstrations? Enter a guess; it stays
beside the result. You may also leave it empty.
"""

# %% step-1 [markdown] lang="zh" of="3960ad87"
r"""
## 第 1 步：示范来教（§3.1）

标注员拿到一个提示，写下自己希望看到的回复。两者合起来就是一条*示范*（demonstration）。基座模型接着做下一个词元的预测，只不过现在预测的是示范中的
回复。这就是*监督微调*（supervised fine-tuning，简称 SFT）；第 04 章会把它拆开来看。论文的示范，回复全部由标注员撰写；
其中 {paper:table6.sft.train.labeler} 条的提示也由标注员撰写，{paper:table6.sft.train.customer} 条的提示来自客户。我们只取随包附带的少量示范。

**先猜一猜。** 你已经看到基座模型有多少次通过。学过这些示范之后会是多少？写下你的猜测，它会留在结果旁边。也可以空着。
"""

# %% guess-1
demonstrations = shipped.read("demonstrations")
demonstrations = demonstrations[: lesson.pick(200, quick=24)]
guess = widgets.Prediction(
    f"After {len(demonstrations)} demonstrations, on what share of prompts "
    "does the reply pass?",
    "chapter00.sft", unit="% of prompts",
)  # fmt: skip
guess

# %% train-1
from minirlhf.data.records import write_jsonl

data = lesson.workspace("00", "data")
data.mkdir(exist_ok=True)
write_jsonl(data / "demonstrations.jsonl", demonstrations)

step_1 = lesson.workspace("00", f"sft-{len(demonstrations)}")
job = widgets.start(
    "sft", step_1, model="medium", epochs=lesson.pick(4, quick=1),
    demonstrations=data / "demonstrations.jsonl", keep_epochs=False,
)  # fmt: skip
desk = widgets.TrainingDesk(job, note="live")
desk

# %% desk [markdown]
r"""
This is a *training desk*. The run is a process of its own, and the desk watches it: curves that move while it learns (pale:
each step; strong: their running mean), a button to pause it and one to stop it. Chapters 04 to 06 explain each curve. Running the cell again attaches to the same run; it never starts a second one. The
next cell waits for the end, and puts the same prompts as before to what came out.
"""

# %% desk [markdown] lang="zh" of="82cb30f8"
r"""
这就是*训练台*。训练是一个独立的进程，训练台在一旁看着它：边学边动的曲线（浅色是每一步的值，深色是滑动平均），
一个暂停按钮，一个停止按钮。各条曲线在第 04 章到第 06 章解释。再次运行那一格只会接上同一次训练，
绝不会另起一次。下一格等训练结束，然后拿与之前相同的提示去问训练出来的模型。
"""

# %% test-1
job.wait()
desk.look()  # the desk above now shows the whole run
sft = load_policy(step_1 / "model")
measure("sft", sft)

# %% answer-1
guess.reveal(100 * shares["sft"].mean)

# %% column-1 [markdown]
r"""
The first column: on top a demonstration, at the bottom the share of requests done, before and after.
"""

# %% column-1 [markdown] lang="zh" of="6ce9387e"
r"""
第一列：上面是一条示范，下面是训练前后完成要求的比例。
"""

# %% fill-1
from minirlhf.exhibits import demonstration

before, after = shares["base"].mean, shares["sft"].mean
shown = demonstration(demonstrations)
board = widgets.ThreeSteps()
board.first(shown["prompt"], shown["completion"], before, after)

# %% step-2 [markdown] defines="ranking; comparison"
r"""
## Step 2: rankings teach (§3.1)

To write a good reply is hard work; to see which of two is better is easier. So the paper lets the policy of step 1 reply
to one prompt {paper:rm.k.min} to {paper:rm.k.max} times, and a labeler puts the replies in order, ties allowed. Such an
order is a *ranking*. Any two replies in it that aren't tied are a *comparison*: this one is preferred to that one.

The paper's replies came mostly from the policy of step 1, some from policies of step 3: steps 2 and 3 can be repeated.

Below are four replies of your model. Which one would you put on top?
"""

# %% step-2 [markdown] lang="zh" of="74b7c0ce"
r"""
## 第 2 步：排序来教（§3.1）

写一个好回复很费力，看出两个里哪个更好则容易些。所以论文让第 1 步的策略对同一个提示回复 {paper:rm.k.min} 到 {paper:rm.k.max} 次，由标注员
把回复排出次序，允许并列。这样的次序叫*排序*（ranking）。其中任意两个不并列的回复构成一个*成对比较*（comparison）：这个比那个更受偏好。

论文的回复大多出自第 1 步的策略，也有一些出自第 3 步的策略：第 2、3 步可以反复进行。

下面是你的模型的四个回复。你会把哪个排在最前？
"""

# %% replies
drawn = complete(sft, tokenizer, [prompt], n=12, seed=2)
four = list(dict.fromkeys(drawn))[:4]  # no reply twice
letters = "ABCD"[: len(four)]
lesson.table(("", prompt.strip()), zip(letters, four, strict=True))

# %% order [markdown]
r"""
Now a labeler puts them in order; the smaller the rank, the better. Beside the ranks stands the judge's grade. The two may
disagree: the labeler has tastes and lapses.
"""

# %% order [markdown] lang="zh" of="adc9e790"
r"""
现在由一位标注员来排序；名次的数字越小越好。名次旁边是评判者的评分。两者可以不一致：标注员有自己的口味，也会疏忽。
"""

# %% rank
from minirlhf.tinytown.labelers import training_pool

labeler = training_pool()[0]
ranks = labeler.rank(prompt, four)
grades = [f"{judge(prompt, reply).overall:.1f}" for reply in four]
rows = zip(letters, four, ranks, grades, strict=True)
head = ("", prompt.strip(), f"rank by {labeler.name}", "grade")
lesson.table(head, rows)

# %% reward [markdown] defines="reward model"
r"""
From rankings learns a *reward model*: a language model that ends in one number, the score of a reply. It is trained to
score the preferred reply of each comparison above the other. Then it can score any reply, and no labeler has to look;
chapter 05 is about it. The shipped run has {run:counts.rankings:,} rankings. We take some of them, which hold replies of
that run's step 1; your four replies train nothing.

It doesn't start from nothing. The paper's, one of six billion parameters for all policies, begins as the
model of step 1 by §3.5, as a GPT-3 tuned on public data sets by C.2. Ours begins as a base that has seen the town's notice
board, where answers get votes, and those votes follow the judge's grade, roughly.

How much does it know before it sees a ranking? On what share of the pairs in rankings of unseen users' prompts does it
agree with the labeler? A coin would on half of them.
"""

# %% reward [markdown] lang="zh" of="edd565c4"
r"""
从排序中学习的是*奖励模型*（reward model）：末端只输出一个数的语言模型，这个数就是回复的得分。训练让它给每个成对比较中更受偏好的回复打出
更高的分。此后它能给任何回复打分，不必再有标注员去看；第 05 章讲的就是它。随包附带的运行有 {run:counts.rankings:,} 个排序。我们取其中一部分，
里面的回复出自那次运行的第 1 步；你的四个回复不参与任何训练。

它不是从零开始的。论文只有一个六十亿参数的奖励模型，供各种大小的策略共用；它的起点，§3.5 说是第 1 步的模型，C.2 说是在公开数据集上
调过的 GPT-3。我们的则从见过镇上布告栏的基座模型开始：回答在那里得到投票，票数大致跟着评判者的评分走。

在见到排序之前它已经懂得多少？我们拿训练中从未出现过的用户的提示及其排序来问，有多大比例的对子它与标注员一致？抛硬币能对一半。
"""

# %% start-2
from functools import partial

from minirlhf.evaluate.rankings import accuracy, score_rankings
from minirlhf.models import ScalarModel
from minirlhf.reward import score_texts

heldout = shipped.read("heldout")[: lesson.pick(200, quick=20)]
given = [row["ranks"] for row in heldout]


def scorer(folder):
    model = ScalarModel.load(folder)
    return partial(score_texts, model, tokenizer, batch_size=8)


voted = score_rankings(scorer(base_folder("medium-voted")), heldout)
print(f"Pairs in the labeler's order, before: {accuracy(voted, given)}")

# %% near [markdown]
r"""
The paper's reward models are right on {paper:rm.accuracy.training} of pairs by the labelers of their training,
{paper:rm.accuracy.held_out} by others (§4.1, E.2). Two of its labelers choose alike on {paper:agreement.training} (§3.4),
two of ours on {run:comparisons.agreement:.0%}. So ours is already near before its first ranking.

Now it is trained. Its desk shows how large a share of the pairs in each batch it puts in order, before it learns from them.
"""

# %% near [markdown] lang="zh" of="f6ed3d0d"
r"""
请与论文比较：论文的奖励模型，对参与训练的标注员的对子排对 {paper:rm.accuracy.training}，对其他标注员的对子排对 {paper:rm.accuracy.held_out}
（§4.1, E.2）。论文的两位标注员在 {paper:agreement.training} 的对子上选择相同（§3.4），我们的两位则是 {run:comparisons.agreement:.0%}。
可见我们的奖励模型在见到第一个排序之前就已接近。

现在来训练它。训练台显示，每一批中有多大比例的对子在学习之前就已排对。
"""

# %% train-2
rankings = shipped.read("rankings")[: lesson.pick(2000, quick=40)]
write_jsonl(data / "rankings.jsonl", rankings)

name = f"reward-{len(demonstrations)}-{len(rankings)}"
step_2 = lesson.workspace("00", name)
job = widgets.start(
    "rm", step_2, model="medium-voted", rankings=data / "rankings.jsonl",
    demonstrations=data / "demonstrations.jsonl",
    micro_batch=4,  # prompts at once: spares memory, changes no number
)  # fmt: skip
desk = widgets.TrainingDesk(job, note="live")
desk

# %% wait-2 [markdown]
r"""
The next cell waits for its end, puts the same pairs to the new reward model, and subtracts, prompt by prompt. If the
interval of the difference holds zero, these pairs show nothing that the votes hadn't taught. Chapter 05 also trains
without votes.
"""

# %% wait-2 [markdown] lang="zh" of="611f6e72"
r"""
下一格等它结束，用同样的对子考一考新的奖励模型，再逐个提示相减。差的区间若包含零，那么这些对子显示不出任何投票还没教会的东西。
第 05 章也训练一个没有投票的。
"""

# %% test-2
import numpy as np

from minirlhf.evaluate.rankings import shares_in_order
from minirlhf.evaluate.statistics import paired_difference

job.wait()
desk.look()
score = scorer(step_2 / "model")
learned = score_rankings(score, heldout)
sides = np.array([shares_in_order(s, given) for s in (learned, voted)])
change = paired_difference(*sides[:, np.isfinite(sides).all(axis=0)])
print(f"Pairs in the labeler's order, after: {accuracy(learned, given)}")
print(f"After minus before: {change}")

# %% column-2 [markdown]
r"""
The second column holds your four replies: on top what the policy said, then the labeler's order (`=` is a tie), at the
bottom the new scores, and how many of the untied pairs they put in that order.
"""

# %% column-2 [markdown] lang="zh" of="e44840fd"
r"""
第二列放的是你的四个回复：上面是策略说的话，中间是标注员的次序（`=` 表示并列），下面是新的得分，以及在不并列的对子中有几个与该次序相符。
"""

# %% fill-2
scores = score([prompt] * len(four), four).tolist()
board.second(four, ranks, scores)

# %% step-3 [markdown] defines="PPO; reference model; KL divergence"
r"""
## Step 3: the reward teaches (§3.1)

Now nobody writes and nobody ranks. A new prompt is drawn, the policy replies, the reward model scores the reply, and the
score moves the policy: what scored better than a helper network (chapter 06) expected becomes likelier, the rest less
likely. The method is *PPO*, proximal policy optimization. Prompt, reply and score together are an episode.

The scores come from a model, and a model can be fooled. So a frozen copy of the policy's start, the *reference model*,
is kept beside it, and moving away from it costs. How far it moved is the *KL divergence* from the one to the other, in
nats, and $\beta$ is the price of a nat: {paper:ppo.beta} in the paper, {run:counts.ppo_beta} here, each in units of its
own reward model's score. In chapter 06 PPO starts from a step 1 of its own (C.3); here it starts
from yours.

**Predict.** The score is what step 3 is after; the judge isn't asked. Compared with step 1, will the new policy do what
is asked more often or less often, or will these prompts not be enough to tell?
"""

# %% step-3 [markdown] lang="zh" of="20300004"
r"""
## 第 3 步：奖励来教（§3.1）

现在没有人写，也没有人排。抽一个新提示，策略作出回复，奖励模型给回复打分，得分再去推动策略：得分好于一个辅助网络（见第 06 章）所预期的变得更可能，其余的变得更不可能。
这个方法叫*近端策略优化*（proximal policy optimization，PPO）。提示、回复和得分合起来是一个回合。

得分出自一个模型，而模型是可以被糊弄的。所以旁边留着策略起点的一个冻结副本，即*参考模型*（reference model），离开它要付出代价：走了多远，用前者对后者的
*KL 散度*（KL divergence）来量，单位是 nat；$\beta$ 是每个 nat 的价格，论文取 {paper:ppo.beta}，这里取 {run:counts.ppo_beta}，各以自己的奖励模型的
得分为单位。在第 06 章，PPO 从专门的一个第 1 步出发（C.3），这里就从你的模型出发。

**先猜一猜。** 第 3 步追求的是得分，并不去问评判者。与第 1 步之后相比，新的策略做到要求的次数会变多，会变少，还是这些提示看不出差别？
"""

# %% guess-3
MORE, FEWER = "more, beyond the interval", "fewer, beyond the interval"
SAME = "no clear difference"
guess = widgets.Prediction(
    "How many prompts does the policy do after step 3, against step 1?",
    "chapter00.ppo", choices=(MORE, SAME, FEWER),
)  # fmt: skip
guess

# %% train-3
episodes = lesson.pick(4096, quick=256)  # each a prompt, a reply, a score

prompts = [{"prompt": r["prompt"]} for r in shipped.read("prompts-ppo")]
write_jsonl(data / "prompts.jsonl", prompts)
name = f"ppo-{len(demonstrations)}-{len(rankings)}-{episodes}"
step_3 = lesson.workspace("00", name)
job = widgets.start(
    "ppo", step_3, model=step_1, reward=step_2, episodes=episodes,
    prompts=data / "prompts.jsonl",
    beta=0.2,  # price of a nat, in units of the score
    warmup=3,  # batches until the learning rate is at its full height
    ema=0.96,  # what is kept averages some twenty-five last updates
    drop_long=True,  # leave out prompts longer than the run reads
    micro_batch=16, rollout_rows=32,  # rows at once: spares memory
)  # fmt: skip
desk = widgets.TrainingDesk(job, note="live")
desk

# %% wait-3 [markdown]
r"""
Watch three of the curves. *Reward* is the mean score of each batch of replies; *KL* is how far the policy has gone from
where it began, in nats a reply; *Reply length* is a thing that nobody asked to change. Under the curves stand replies of
the step that the slider points to. The slider of $\beta$ acts on the run in progress.

The next cell waits for the end and compares the first four batches with the last four; the ± of their difference covers
the choice of prompts and replies.
"""

# %% wait-3 [markdown] lang="zh" of="7543e17c"
r"""
请看其中三条曲线。*Reward* 是每批回复的平均得分；*KL* 是策略离出发点有多远，单位是每个回复多少 nat；*Reply length* 则是没有人要求改变的东西。
曲线下方是滑块所指那一步的回复。$\beta$ 的滑块对正在进行的训练立即起作用。

下一格等训练结束，比较最初四批与最后四批；差后面的 ± 涵盖提示与回复的选取。
"""

# %% end-3
from statistics import mean

job.wait()
desk.look()
batches = desk.reader.series("objective/score")[1]
first, last = mean(batches[:4]), mean(batches[-4:])
spread = mean(desk.reader.series("objective/score_std")[1])
replies = 4 * desk.reader.config["rollout_batch"]  # in four batches
error = 1.96 * spread * (2 / replies) ** 0.5  # of a difference, 95%
moved = desk.reader.series("objective/kl")[1][-1]
print(f"Mean score: first batches {first:+.2f}, last {last:+.2f}")
print(f"Last minus first: {last - first:+.2f} ± {error:.2f}")
print(f"KL at the end: {moved:.2f} nats a reply")

# %% trust [markdown]
r"""
A score that was trained on says that the training works; it says nothing of what people would think. So the judge looks
at the same prompts as before. For each prompt we subtract, reply after step 3 minus reply after step 1, and take the
interval of the mean. If it lies on one side of zero, these prompts can tell.
"""

# %% trust [markdown] lang="zh" of="8d0c8bbc"
r"""
被拿来训练的得分只说明训练在起作用，并不说明人会怎么看。所以让评判者去看与之前相同的提示。对每个提示，用第 3 步之后的结果减去第 1 步之后的结果，
再求平均值的区间。区间若整个落在零的一侧，这些提示就看得出差别。
"""

# %% measure-3
ppo = load_policy(step_3 / "model")
measure("ppo", ppo)
gain = paired_difference(passed["ppo"], passed["sft"])
interval = f"[{gain.low:+.1%}, {gain.high:+.1%}]"
print(f"After step 3 minus after step 1: {gain.mean:+.1%} {interval}")

# %% answer-3
guess.reveal(MORE if gain.low > 0 else FEWER if gain.high < 0 else SAME)

# %% column-3 [markdown]
r"""
And the third column: of the last batches' short episodes the one whose score is nearest to the mean. This is the paper's
Fig. 2 with your run in it, but for the demonstrations and the rankings that trained: those were shipped, the rankings over
another run's replies. Scores mean something only beside other scores of the same reward model: their
zero is where demonstrations lie on average.
"""

# %% column-3 [markdown] lang="zh" of="06c93413"
r"""
第三列放上最后几批中的一个短回合，取得分最接近平均值的那个。这就是论文的图 2，装着你的这次运行。但并非样样出自你：示范是随包附带的，
用来训练的排序也是，排的是另一次运行的回复。得分只有与同一个奖励模型的其他得分相比才有意义：
它的零点是示范得分的平均值。
"""

# %% fill-3
late = range(max(1, len(batches) - 3), len(batches) + 1)
kept = [row for batch in late for row in desk.reader.samples(batch)]
kept.sort(key=lambda row: len(row["prompt"] + row["response"]))
episode = min(kept[:12], key=lambda row: abs(row["score"] - last))
asks, says = episode["prompt"], episode["response"]
board.third(asks, says, episode["score"], first, last)

# %% three [markdown]
r"""
## One prompt, three models

The *playground* puts one prompt to all three models and shows each reply with its score and what the judge misses in
it. You may find a reply wanting after every step, and so may the judge: is the happy story happy? Type a prompt of your own. A request from outside the town works as well; the judge then says
that it didn't understand.
"""

# %% three [markdown] lang="zh" of="e3ff56df"
r"""
## 一个提示，三个模型

*游乐场*把一个提示交给三个模型，并列出各自的回复、得分，以及评判者认为缺了什么。哪一步之后的回复，你都可能觉得不合格，评判者也可能这么看：快乐的故事真的快乐吗？
请输入你自己的提示。镇外的要求也可以，只是评判者会说它没看懂。
"""

# %% play
models = {"base": base, "sft": sft, "ppo": ppo}
play = widgets.Playground(
    {name: (model, tokenizer) for name, model in models.items()},
    score=score, judge=judge, prompt=prompt,
)  # fmt: skip
play.answer(prompt)
play

# %% ladder [markdown]
r"""
One prompt proves nothing. Here are all of them, with intervals.

The paper has such a ladder too, in Fig. 1, where every model plays against the same opponent. Read off the plot, the
smallest GPT-3 wins {paper:fig1.1.3b.gpt:.0%} of the time, with examples put before the prompt
{paper:fig1.1.3b.prompted:.0%}, after step 1 {paper:fig1.1.3b.sft:.0%}, after PPO {paper:fig1.1.3b.ppo:.0%}. With an
addition to PPO that chapter 06 treats it is called InstructGPT, and wins {paper:fig1.1.3b.ppo-ptx:.0%}; the bare GPT-3 of
over a hundred times its size {paper:fig1.175b.gpt:.0%}.
"""

# %% ladder [markdown] lang="zh" of="f7f7140b"
r"""
一个提示什么也证明不了。下面是全部提示，连同区间。

论文也有这样一架梯子，就是图 1，其中所有模型对阵同一个对手。从图上读出，最小的 GPT-3 胜率为 {paper:fig1.1.3b.gpt:.0%}，在提示前放上例子为
{paper:fig1.1.3b.prompted:.0%}，第 1 步之后为 {paper:fig1.1.3b.sft:.0%}，PPO 之后为 {paper:fig1.1.3b.ppo:.0%}。PPO 再加上第 06 章要讲的一项，
就叫 InstructGPT，胜率为 {paper:fig1.1.3b.ppo-ptx:.0%}；比它大上百倍、一步也没走的 GPT-3 只有 {paper:fig1.175b.gpt:.0%}。
"""

# %% rungs
figure, axes = lesson.panels(1, "Requests done after each step (live)")
lesson.intervals(axes, shares, f"% of {len(asked)} unseen prompts")
said = [f"{name} {share.mean:.1%}" for name, share in shares.items()]
lesson.show(figure, f"Requests done, with intervals: {', '.join(said)}")

# %% longer [markdown]
r"""
Your run is a short one. The shipped run has {run:counts.rankings:,} rankings and {run:counts.episodes:,} episodes. It
was asked {run:models.base.passes.n} prompts (so its intervals are as wide) and drew other samples, even from the base:

- base: {run:models.base.passes:.1%} done;
- after step 1: {run:models.sft.passes:.1%};
- after step 3: {run:models.ppo.passes:.1%}.

Chapter 06 replays it, and others at prices $\beta$ from none to far too high.
"""

# %% longer [markdown] lang="zh" of="d2549d41"
r"""
你的这次运行很短。随包附带的运行有 {run:counts.rankings:,} 个排序和 {run:counts.episodes:,} 个回合。它回答 {run:models.base.passes.n} 个提示（所以区间同样宽），
抽到的是另外的样本，基座模型也是如此：

- 基座模型：完成 {run:models.base.passes:.1%}；
- 第 1 步之后：{run:models.sft.passes:.1%}；
- 第 3 步之后：{run:models.ppo.passes:.1%}。

第 06 章会重放这次运行，连同几次取其他价格 $\beta$ 的运行，从毫无代价到高得过分。
"""

# %% map [markdown]
r"""
## Paper and course

| in the paper | is about | here |
|---|---|---|
| §1, §3.1 | the idea, the three steps | this chapter |
| §3.5, C.1 | step 1, supervised fine-tuning | [chapter 04](04_supervised_fine_tuning.ipynb) |
| §3.5, C.2, E.2 | step 2, the reward model | [chapter 05](05_reward_model.ipynb) |
| §3.5, C.3, C.4, E.7 | step 3, PPO | [chapter 06](06_reinforcement_learning.ipynb) |
| §2, §3.2–§3.4, §3.6, §4, §5 | ancestors, prompts, people, results, discussion | not written yet |

Each chapter runs alone and needs no other. [The map](../course/MAP.md) goes further: from each section to the lines of
code that implement it, to their tests, to the exercises.

### How a page works

- **Live or shipped.** What takes longer than a lesson is replayed from runs that come with the package. Every picture
  says which of the two it is.
- **Predictions** stand before their answer. Running their cell again keeps what you entered.
- **Desks** read and steer a run through its folder, whoever started it. What you
  make lies in `work/`; delete `work/00` to start this chapter over.
- **Exercises** come with a check that names your mistake, and with hints. `minirlhf start ex04` puts a copy of your own
  into `work/`, where no update overwrites it. `progress()` says what is done and where that is kept:
"""

# %% map [markdown] lang="zh" of="176c69f7"
r"""
## 论文与课程

| 论文中 | 内容 | 这里 |
|---|---|---|
| §1, §3.1 | 想法，三个步骤 | 本章 |
| §3.5, C.1 | 第 1 步，监督微调 | [第 04 章](../04_supervised_fine_tuning.ipynb)（英文） |
| §3.5, C.2, E.2 | 第 2 步，奖励模型 | [第 05 章](../05_reward_model.ipynb)（英文） |
| §3.5, C.3, C.4, E.7 | 第 3 步，PPO | [第 06 章](../06_reinforcement_learning.ipynb)（英文） |
| §2, §3.2–§3.4, §3.6, §4, §5 | 前身，提示，人，结果，讨论 | 尚未写成 |

每一章都能单独运行，不依赖别的章。[这张地图](../../course/MAP.md)走得更远：从论文的每一节，到实现它的代码行，到测试，再到练习。

### 一页怎么用

- **现场或附带。** 比一堂课更费时的内容，用随包附带的运行来重放。每张图都注明是两者中的哪一种（live 或 shipped run）。
- **猜测**放在答案之前。再次运行那一格，已填的内容会保留。
- **训练台**通过文件夹来观看和操纵一次训练，所以这次训练可以属于本页、别的页面或者终端。你做出来的东西都在 `work/` 里；删去 `work/00`，
  就能把本章从头再来。
- **练习**附有检查和提示，检查会说出你错在哪里。`minirlhf start ex04` 把一份属于你的副本放进 `work/`，更新不会覆盖它。
  `progress()` 告诉你做完了什么、记录保存在哪里：
"""

# %% progress
from minirlhf.grading import progress

progress()

# %% summary [markdown]
r"""
## Summary

The paper's numbers beside ours. The last three rows measure different things. The paper's labelers compare a reply of
its smallest model with one of the largest SFT model, and say which wins (Fig. 1, read off the plot); our judge says of a
reply alone whether it does what was asked. Compare the order of the rows, not their size.
"""

# %% summary [markdown] lang="zh" of="cad98ae9"
r"""
## 小结

论文的数与我们的数并列如下。最后三行量的不是同一件东西：论文的标注员拿最小模型的回复与最大的 SFT 模型的回复相比，说出哪个胜（图 1，从图上读出）；
我们的评判者只看一个回复，说它有没有做到要求。请比较各行的次序，不要比较大小。
"""

# %% beside
from minirlhf.paper import value


def total(split, people=("labeler", "customer")):
    return f"{sum(value(f'table6.{split}.train.{p}') for p in people):,}"


millions = sum(p.numel() for p in base.parameters()) / 1e6
rows = [
    ("parameters", "1.3 to 175 billion", f"{millions:.2f} million"),
    ("demonstrations", total("sft"), len(demonstrations)),
    ("ranked prompts", total("rm"), len(rankings)),
    ("episodes", f"{value('ppo.episodes'):,}", f"{episodes:,}"),
]
for ours, theirs in {"base": "gpt", "sft": "sft", "ppo": "ppo"}.items():
    won = f"wins {value(f'fig1.1.3b.{theirs}'):.0%}"
    rows.append((ours, won, f"passes {shares[ours].mean:.1%}"))
lesson.table(("", "paper", "this page, live"), rows)

# %% end [markdown]
r"""
A base model continues text, and an instruction is to it a text like any other. Three steps turn it into a model that does
what is asked: demonstrations show it how, rankings teach a second model what people prefer, and PPO writes for that
model's score, held near its start. What was trained on can't be the measure: the score belongs to the training, and the
judge to us, apart from the votes with which our reward model began.

### Questions

1. Why does the base answer an instruction with something other than an answer?

<details><summary>Answer</summary>

It predicts what tends to come next. In its corpus instructions mostly stand on worksheets, among other instructions.

</details>

2. In which of the three steps does a labeler have to work, and what at?

<details><summary>Answer</summary>

In step 1 they write replies, in step 2 they rank replies. In step 3 nobody does: the reward model stands in for them.

</details>

3. A ranking of four replies without ties holds how many comparisons?

<details><summary>Answer</summary>

Six: every reply with every other one.

</details>

4. After step 3 the mean score is higher than before. Is the policy better?

<details><summary>Answer</summary>

Its replies please the reward model more. Whether they are better takes another measure, on prompts that no training has
seen. Here that is the judge, though the reward model began with votes that follow it. In the paper it is labelers, mostly
those who had also made the training data; others, who hadn't, were a check (Fig. 3).

</details>

5. What would happen in step 3 if moving away from the reference model cost nothing?

<details><summary>Answer</summary>

The policy may go wherever the score is high, also where the reward model is wrong. Chapter 06 shows such a run.

</details>

### The way on

Next come [chapter 04](04_supervised_fine_tuning.ipynb),
[chapter 05](05_reward_model.ipynb) and [chapter 06](06_reinforcement_learning.ipynb). This chapter has no exercises of
its own; theirs are [exercise 04](../exercises/ex04_sft.ipynb), [exercise 05](../exercises/ex05_reward_model.ipynb) and
[exercise 06](../exercises/ex06_ppo.ipynb).

**A lecture of thirty minutes.** Run everything before class, and stop the desks' sliders at an early step. Five minutes
on the base and its worksheets; two for the guess before step 1; eight for the columns of steps 1 and 2, letting the class
rank the four replies aloud; ten for step 3, with a show of hands before the judge speaks; five for the playground.

**A lab of sixty minutes.** In pairs, top to bottom, ten minutes for each step. Then change one thing and run the page
again from there: half the demonstrations, half the rankings, or another prompt to rank. Ten minutes before the end, each
pair says which number moved, and whether beyond its interval.
"""

# %% end [markdown] lang="zh" of="7e1dfc1e"
r"""
基座模型续写文本，指令在它眼里不过是又一段文本。三个步骤把它变成会照要求去做的模型：示范告诉它怎么做；排序教另一个模型懂得人偏好什么；
PPO 为那个模型的得分而写，同时被拴在起点附近。训练用过的东西不能再当尺子：得分属于训练；评判者属于我们，只有奖励模型起步时的那些投票例外。

### 问题

1. 基座模型为什么不用答案来回应指令？

<details><summary>答案</summary>

它预测的是接下来往往会出现的东西。在它的语料中，指令大多出现在练习册里，前后都是别的指令。

</details>

2. 三个步骤中，哪几步需要标注员出力，做什么？

<details><summary>答案</summary>

第 1 步写回复，第 2 步给回复排序。第 3 步没有人出力：由奖励模型代替他们。

</details>

3. 四个回复的一次排序，若没有并列，含有几个成对比较？

<details><summary>答案</summary>

六个：每个回复与其他每个回复各一次。

</details>

4. 第 3 步之后平均得分比之前高。策略变好了吗？

<details><summary>答案</summary>

它的回复更讨奖励模型喜欢。是否更好，要在训练没见过的提示上用另一把尺子来量。在这里是评判者，尽管奖励模型起步时的投票也跟着它走；
在论文里是标注员，多半就是制作训练数据的那些人，没有参与过的另一些人则用来核对（图 3）。

</details>

5. 在第 3 步中，如果离开参考模型不付任何代价，会发生什么？

<details><summary>答案</summary>

策略可以去任何得分高的地方，包括奖励模型判断错误的地方。第 06 章有这样的一次运行。

</details>

### 接下来

下一章是[第 04 章](../04_supervised_fine_tuning.ipynb)，然后是[第 05 章](../05_reward_model.ipynb)和
[第 06 章](../06_reinforcement_learning.ipynb)。本章没有自己的练习，那几章的练习是[ex04](../../exercises/ex04_sft.ipynb)、
[ex05](../../exercises/ex05_reward_model.ipynb)和[ex06](../../exercises/ex06_ppo.ipynb)。

**三十分钟的讲课。** 课前全部运行一遍，把训练台的滑块停在靠前的一步。五分钟讲基座模型和练习册；两分钟做第 1 步之前的猜测；八分钟讲第 1、2 步的两列，
让全班当场给四个回复排序；十分钟讲第 3 步，评判者开口之前先举手表决；最后五分钟用游乐场。

**六十分钟的实验。** 两人一组，从上到下，每一步十分钟。然后改动一处，从那里起重新运行：示范减半，排序减半，或者换一个要排序的提示。结束前十分钟，
每组说出哪个数变了，是否超出了它的区间。
"""
