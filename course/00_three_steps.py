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

This page does it in small, on your own machine: the three steps of the InstructGPT paper (Ouyang et al., 2022). After this
chapter you can

- show what a model does with an instruction before it has been taught to follow one, and say why;
- name what goes into each of the three steps, what comes out, and whose work it needs;
- fill the paper's Fig. 2 with replies and scores of your own run;
- tell a number that was trained on from a number that measures;
- find the chapter, the code and the exercises of each step.
"""

# %% title [markdown] lang="zh" of="2bc8edd9"
r"""
# 第 00 章 · 一张图看懂三个步骤

给语言模型一行字：*Write a story about a fox.*（写一个关于狐狸的故事。）你想要一个故事。这行字叫*提示*（prompt），模型接在它后面写的内容叫
*回复*（completion）。一个只读过网络文本的模型并不欠你故事，它只欠你“接下来往往会出现的东西”。怎样才能让前者变成后者？

本页把这件事缩小了，在你自己的机器上做一遍：InstructGPT 论文（Ouyang 等人，2022）的三个步骤。学完本章，你将能够

- 演示在没有人教过它遵循指令之前，模型拿到指令会做什么，并说出原因；
- 说出三个步骤各自的输入、输出，以及需要谁付出劳动；
- 用自己这次运行的回复和得分填满论文的图 2；
- 分清哪个数被拿来训练过，哪个数只用来测量；
- 为每一步找到对应的章节、代码和练习。
"""

# %% machine [markdown]
r"""
## Your machine

When run, the first cell of every page prints what this machine offers and what the page costs. The next one looks closer;
a *problem* comes with what to do about it.
"""

# %% machine [markdown] lang="zh" of="9bdb5632"
r"""
## 你的机器

每页的第一格在运行时会打印这台机器的条件，以及这一页的开销。下一格看得更细；若有*问题*，会附上解决办法。
"""

# %% doctor
from minirlhf import lesson
from minirlhf.cli import checks

findings = [
    checks.check_python(),
    *checks.check_packages(),
    *checks.check_notebooks(),
    checks.check_cores(),
    checks.check_memory(),
    checks.check_gpu(),
]
rows = [(f.topic, f.verdict, f.found, f.advice) for f in findings]
lesson.table(("", "is", "found", "what to do"), rows)

# %% doctor lang="zh"
{
    "is": "状态",
    "found": "检查结果",
    "what to do": "怎么办",
}

# %% town [markdown] defines="judge; labeler"
r"""
## A town that can be checked

The paper's models have read much of the internet, and it takes people to say whether a reply is good. Ours have read the
web of *Tinytown*, a closed world of a few people, places, animals and things. Its encyclopedia is right, its forums often
aren't, and there are stories, letters, poems and worksheets, all written by a program.

Because we made the world, every sentence in it can be checked. The *judge* does so: it reads a prompt and a reply, and
says what of the request is met. A reply that meets everything *passes*: its request is *done*. It
also gives a grade from {paper:likert.min} to {paper:likert.max}. A reply that passes lies in the upper half, the more detail and
variety the higher; one that fails lies in the lower half.

The judge is our measuring rod; the paper had none like it. No step asks it directly, but its grade lies beneath the
labelers' replies and the order they put replies in.

What the paper had is people: its *labelers*, about {paper:intro.labelers:d} of them, hired to write replies and to
compare them. Tinytown's labelers are programs. They start from the judge's grade, add a taste (for short replies, say, or warm
ones), and are always somewhat off.

Look at what each reply misses. (*Instruction*: the kind of text that was asked for. *Language*: sentences that make sense as a
reply. A *constraint* is a demand such as a word, a mood or a number of sentences; a reply of more than six fails by *length*.)
Then change one and run the cell again.
"""

# %% town [markdown] lang="zh" of="f6edaddb"
r"""
## 一座可以逐句核对的小镇

论文的模型读过大半个互联网，回复好不好，得由人来说。我们的模型读的是 *Tinytown* 的网络。这是一个封闭的世界，只有为数不多的人、地点、动物和物品。
镇上的百科全书是对的，论坛却常常不对；还有故事、信件、诗歌和练习册，全都由程序写成。

世界是我们造的，所以其中每句话都能核对。做这件事的是*评判者*（judge）：它读入提示和回复，指出要求中哪些做到了。样样做到的回复
算*通过*，它的要求就算*完成*。评判者还给出一个从 {paper:likert.min} 到 {paper:likert.max} 的评分：通过的回复落在上半段，细节越多、
变化越多就越高；不通过的落在下半段。

评判者是我们的量尺，论文没有这样的量尺。三个步骤都不直接问它，但标注员写的回复、他们给回复排的次序，背后都有它的评分。

论文有的是人，也就是*标注员*（labeler）：约 {paper:intro.labelers:d} 位，受雇来撰写回复、比较回复。Tinytown 的标注员是程序：它们从评判者的评分出发，
加上自己的口味（例如喜欢短的，或者快乐的），而且总会有些偏差。

看看每个回复缺了什么。（*指令*：所要的那一类文字；*语言*：句子作为回复说得通；此外可能有限制，即对用词、情绪或句数之类的要求；
超过六句的回复，*长度*一项不合格。）然后改动其中一个，再运行这一格。
"""

# %% verdicts
from minirlhf.tinytown.judge import judge
from minirlhf.widgets.objections import criterion, missed

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
    names = ", ".join(map(criterion, missed(verdict)))
    passes = "passes" if verdict.passes else f"misses {names}"
    rows.append((reply, f"{verdict.overall:.1f}", passes))
lesson.table((question.strip(), "grade", "the judge"), rows)

# %% verdicts lang="zh"
{
    "What does Rosa do for work? Use exactly two sentences.\n": None,
    "Rosa is a farmer. She lives on Rose Street.": None,
    "Rosa is a baker. She lives on Rose Street.": None,
    "Rosa is a farmer.": None,
    "What is the hobby of Rosa?": None,
    ", ": "、",
    "passes": "通过",
    "misses {names}": "未满足：{names}",
    "grade": "评分",
    "the judge": "评判者",
}

# %% limits [markdown]
r"""
That is what a closed world is good for. It is not English in miniature. Its sentences come from a grammar, its models
are tiny, its labelers never tire, and nobody in it can be harmed. What it can show is how the steps work and how they go
wrong. The size of an effect is its own.
"""

# %% limits [markdown] lang="zh" of="3c21d58d"
r"""
封闭世界的好处就在这里。但它并不是缩小的英语：句子出自一套语法，模型极小，标注员从不疲倦，也没有人会受到伤害。它能展示的是这些步骤如何起作用、
又如何出错；至于效果的大小，那只是它自己的。
"""

# %% base [markdown] defines="base model; policy"
r"""
## A base model continues (§1)

A *base model* has only been pretrained: it predicts the next token of a text. The paper's is GPT-3; ours, a tiny one,
ships with the package. Since it chooses each next token, a model that writes is also called a *policy*.

Run the next cell with several values of `seed`. Does a story come?
"""

# %% base [markdown] lang="zh" of="7f537667"
r"""
## 基座模型只会续写（§1）

*基座模型*（base model）只经过预训练：它预测文本的下一个词元。论文用的是 GPT-3；我们的很小，随程序包附带。写文本的模型，若看作逐个选择
下一个词元的决策者，也叫*策略*（policy）。

换几个 `seed` 运行下一格。会写出故事来吗？
"""

# %% ask-base
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown.bases import base_folder

prompt = "Write a story about a fox. Make it happy.\n"
seed = 1

place = base_folder("medium")
base, tokenizer = load_policy(place), load_tokenizer(place)
print(prompt + complete(base, tokenizer, [prompt], seed=seed)[0])

# %% ask-base lang="zh"
{
    "Write a story about a fox. Make it happy.\n": None,
}

# %% why-base [markdown]
r"""
On the web of Tinytown, instructions mostly stand on worksheets, one after the other and without an answer, and the base
goes on as such pages go on. It isn't broken: it does what it was trained for. To predict the next token of a page from
the internet is one objective, says §1; to follow a user's instructions helpfully and safely is another.

How many requests does our base do? The next cell gives it prompts by users who are in no training set, takes one reply
each, and lets the judge count. In brackets stands its interval of ninety-five percent, as everywhere on this page. It covers
the prompts and the sampled replies, not the choice of users, nor another seed of the training.
"""

# %% why-base [markdown] lang="zh" of="b78063ab"
r"""
在 Tinytown 的网络上，指令大多出现在练习册里，一条接一条，没有答案；基座模型就照这类页面的样子往下写。它没有坏，它做的正是训练它去做的事。
§1 说：预测网页上的下一个词元是一个目标，有益而安全地遵循用户的指令是另一个目标。

我们的基座模型完成了多少要求？下一格用训练集里从未出现过的用户的提示去问它，每个提示取一个回复，由评判者来数。方括号里是它的百分之九十五区间，
本页处处如此。区间涵盖提示和抽到的回复，不涵盖用户的选取，也不涵盖换一个训练种子。
"""

# %% measure-base
from minirlhf import shipped
from minirlhf.evaluate.statistics import proportion

asked = [row["prompt"] for row in shipped.read("prompts")]
asked = asked[: lesson.pick(800, quick=20)]
passed, shares = {}, {}


def measure(name, policy):
    said = complete(policy, tokenizer, asked, seed=0, micro_batch=32)
    done = [judge(x, y).passes for x, y in zip(asked, said, strict=True)]
    passed[name] = done
    shares[name] = proportion(sum(done), len(done))
    print(f"Requests done, of {len(done)}: {shares[name]:.1%}")


measure("base", base)

# %% measure-base lang="zh"
{
    "Requests done, of {len(done)}: {shares[name]:.1%}": "完成的要求，共 {len(done)} 个：{shares[name]:.1%}",
}

# %% web [markdown]
r"""
That share is owed to the web that we wrote for it; what GPT-3 has read holds answers too.
"""

# %% web [markdown] lang="zh" of="7b3f3519"
r"""
这个比例要归因于我们为它写的网络；GPT-3 读过的东西里也有答案。
"""

# %% figure [markdown]
r"""
## The picture (§3.1)

The paper starts from three things: a base model, prompts of the kind that people send, and labelers. Then it takes three
steps, which its Fig. 2 draws as three columns. Here they are, still empty; each step fills its column with what
happened on your machine.
"""

# %% figure [markdown] lang="zh" of="17c242f5"
r"""
## 那张图（§3.1）

论文从三样东西出发：一个基座模型，人们会发来的那类提示，以及标注员。然后走三步，论文的图 2 把它们画成三列。下面就是这三列，还空着；
每一步都会用你机器上发生的事填满自己的那一列。
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

**Predict.** You have seen how many requests the base does. How many will it do after these demonstrations? Enter a guess,
or none; it stays beside the result.
"""

# %% step-1 [markdown] lang="zh" of="4487661e"
r"""
## 第 1 步：示范来教（§3.1）

标注员拿到一个提示，写下自己希望看到的回复。两者合起来就是一条*示范*（demonstration）。基座模型接着做下一个词元的预测，只不过现在预测的是示范中的
回复。这就是*监督微调*（supervised fine-tuning，简称 SFT）；第 04 章会把它拆开来看。论文的示范，回复全部由标注员撰写；
其中 {paper:table6.sft.train.labeler} 条的提示也由标注员撰写，{paper:table6.sft.train.customer} 条的提示来自客户。我们只取随包附带的少量示范。

**先猜一猜。** 你已经看到基座模型完成了多少要求。学过这些示范之后会完成多少？写下你的猜测，它会留在结果旁边。也可以空着。
"""

# %% guess-1
demonstrations = shipped.read("demonstrations")
demonstrations = demonstrations[: lesson.pick(200, quick=24)]
guess = widgets.Prediction(
    f"After {len(demonstrations)} demonstrations, what share of the "
    "requests will be done?",
    "chapter00.sft", unit="% of requests",
)
guess

# %% guess-1 lang="zh"
{
    "After {len(demonstrations)} demonstrations, what share of the requests will be done?": "学过 {len(demonstrations)} 条示范之后，要求会完成百分之几？",
    "% of requests": "% 的要求",
}

# %% train-1
from minirlhf.data.records import write_jsonl

data = lesson.workspace("00", "data")
data.mkdir(exist_ok=True)
write_jsonl(data / "demonstrations.jsonl", demonstrations)

step_1 = lesson.workspace("00", f"sft-{len(demonstrations)}")
job = widgets.start(
    "sft", step_1, model="medium", epochs=lesson.pick(4, quick=1),
    demonstrations=data / "demonstrations.jsonl", keep_epochs=False,
)
desk = widgets.TrainingDesk(job, note="live")
desk

# %% desk [markdown]
r"""
This is a *training desk*. The run is a process of its own, and the desk watches it: curves that move while it learns, a
button to pause it and one to stop it. Chapters 04 to 06 explain each curve (losses are natural logarithms, whose unit is the *nat*).
Running the cell again attaches to the same run; to run with another setting, give it another folder name. The next cell waits for
the end, and asks the trained model the same prompts as before.
"""

# %% desk [markdown] lang="zh" of="5d53f621"
r"""
这就是*训练台*。训练是一个独立的进程，训练台在一旁看着它：边学边动的曲线，一个暂停按钮，一个停止按钮。各条曲线在第 04 章到第 06 章解释
（损失是自然对数，单位叫 *nat*）。
再次运行那一格只会接上同一次训练；要换一个设置，就给它换一个文件夹名。下一格等训练结束，然后拿与之前相同的提示去问训练出来的模型。
"""

# %% test-1
job.wait()
desk.look()  # the desk above now shows the whole run
sft = load_policy(step_1 / "model")
measure("sft", sft)

# %% test-1 lang="zh"
{
    "# the desk above now shows the whole run": "# 上面的训练台现在显示整个训练",
}

# %% answer-1
guess.reveal(100 * shares["sft"])

# %% column-1 [markdown]
r"""
The first column: on top a demonstration, which came with the package; at the bottom the share of requests done, before and after.
"""

# %% column-1 [markdown] lang="zh" of="77b45926"
r"""
第一列：上面是一条随包附带的示范，下面是训练前后完成要求的比例。
"""

# %% fill-1
from minirlhf.report.examples import demonstration

before, after = shares["base"].mean, shares["sft"].mean
shown = demonstration(demonstrations)
board = widgets.ThreeSteps()
board.first(shown["prompt"], shown["completion"], before, after)

# %% step-2 [markdown] defines="ranking; comparison"
r"""
## Step 2: from rankings, a reward (§3.1)

A usual reason for this step: judging is easier than writing. In the paper, the policy of step 1 replies to one prompt
{paper:rm.k.min} to {paper:rm.k.max} times, and a labeler puts the replies in order, ties allowed. Such an order is a
*ranking*. Any two replies in it that aren't tied are a *comparison*: this one is preferred to that one. (Some of the
paper's replies came from policies of step 3: steps 2 and 3 can be repeated.)

Below are four replies of your model. Which one would you put on top?
"""

# %% step-2 [markdown] lang="zh" of="8d1510ad"
r"""
## 第 2 步：由排序得到奖励（§3.1）

这一步常见的理由是：评判比写作容易。在论文里，第 1 步的策略对同一个提示回复 {paper:rm.k.min} 到 {paper:rm.k.max} 次，由标注员
把回复排出次序，允许并列。这样的次序叫*排序*（ranking）。其中任意两个不并列的回复构成一个*成对比较*（comparison）：这个比那个更受偏好。
（论文的回复也有一些出自第 3 步的策略：第 2、3 步可以反复进行。）

下面是你的模型的四个回复。你会把哪个排在最前？
"""

# %% replies
drawn = complete(sft, tokenizer, [prompt], n=12, seed=2)
four = list(dict.fromkeys(drawn))[:4]  # no reply twice
letters = "ABCD"[: len(four)]
lesson.table(("", prompt.strip()), zip(letters, four, strict=True))

# %% replies lang="zh"
{
    "# no reply twice": "# 相同的只留一个",
}

# %% order [markdown]
r"""
Now a labeler puts them in order; the smaller the rank, the better. Beside the ranks stands the judge's grade, from which
the labeler starts. Taste and lapses may change the order.
"""

# %% order [markdown] lang="zh" of="2d6a49af"
r"""
现在由一位标注员来排序；名次的数字越小越好。名次旁边是评判者的评分，标注员就从它出发；口味和偏差可能改变次序。
"""

# %% rank
from minirlhf.tinytown.labelers import training_pool

labeler = training_pool()[0]
ranks = labeler.rank(prompt, four)
grades = [f"{judge(prompt, reply).overall:.1f}" for reply in four]
rows = zip(letters, four, ranks, grades, strict=True)
head = ("", prompt.strip(), f"rank by {labeler.name}", "grade")
lesson.table(head, rows)

# %% rank lang="zh"
{
    "rank by {labeler.name}": "{labeler.name} 的名次",
    "grade": "评分",
}

# %% reward [markdown] defines="reward model"
r"""
A *reward model* is a language model that ends in one number, the score of a reply. From rankings it learns to
score the preferred reply of each comparison above the other. Then it can score any reply, and no labeler has to look
(chapter 05). The package also holds a longer run of the three steps, the *shipped run*, with {run:counts.rankings:,}
rankings of replies of its step 1. We train on some of them; your four replies train nothing.

It doesn't start from nothing. The paper's begins as the model of step 1 (§3.5), or as a GPT-3 tuned on public data sets
(C.2): the paper says both. Ours has been trained already, on the town's notice board: neighbours answer requests there, answers
get votes, and it scores them in the order of their votes. These follow the judge's grade, roughly. So it begins as a reward model,
and rankings may have little left to teach it.

How much does it know before it sees a ranking? On what share of the pairs in rankings of unseen users' prompts does it
agree with the labeler? A coin would on half of them.
"""

# %% reward [markdown] lang="zh" of="5d2da719"
r"""
从排序中学习的是*奖励模型*（reward model）：末端只输出一个数的语言模型，这个数就是回复的得分。训练让它给每个成对比较中更受偏好的回复打出
更高的分。此后它能给任何回复打分，不必再有标注员去看；第 05 章讲的就是它。程序包里还有一次更长的三步运行，即*随包运行*（shipped run），
它有 {run:counts.rankings:,} 个排序，排的是它自己第 1 步的回复。我们用其中一部分来训练；你的四个回复不参与任何训练。

它不是从零开始的。论文的奖励模型，起点是第 1 步的模型（§3.5），或是在公开数据集上调过的 GPT-3（C.2）：两种说法论文里都有。我们的已经在镇上的布告栏受过训练：
邻居们在那里回答请求，回答得到投票，它打分的次序与票数一致。票数大致跟着评判者的评分走。所以它一开始就是一个奖励模型，留给排序去教的可能不多。

在见到排序之前它已经懂得多少？我们拿训练中从未出现过的用户的提示及其排序来问，有多大比例的对子它与标注员一致？抛硬币能对一半。
"""

# %% start-2
from functools import partial

from minirlhf.evaluate.ranking_accuracy import accuracy, score_rankings
from minirlhf.models import ScalarModel
from minirlhf.reward import score_texts

heldout = shipped.read("heldout")[: lesson.pick(200, quick=20)]
given = [row["ranks"] for row in heldout]


def scorer(folder):
    model = ScalarModel.load(folder)
    return partial(score_texts, model, tokenizer, micro_batch=8)


voted = score_rankings(scorer(base_folder("medium-voted")), heldout)
print(f"Pairs in the labeler's order, before: {accuracy(voted, given):.1%}")

# %% start-2 lang="zh"
{
    "Pairs in the labeler's order, before: {accuracy(voted, given):.1%}": "与标注员次序一致的对，训练前：{accuracy(voted, given):.1%}",
}

# %% near [markdown]
r"""
The paper's reward models are right on {paper:rm.accuracy.training} of pairs by the labelers of their training,
{paper:rm.accuracy.held_out} by others (§4.1, E.2). Two of its labelers choose alike on {paper:agreement.training} (§3.4),
two of ours on {run:comparisons.agreement:.0%}. Ours starts in that range; the pairs differ, so compare no closer.

Now it is trained. Its desk shows the loss (chapter 05 has its equation), and the share of pairs that it puts in order in each batch
before it learns from them. Where the loss falls and that share stays level, the scores' scale changes, not their order.
"""

# %% near [markdown] lang="zh" of="fe79bd1f"
r"""
请与论文比较：论文的奖励模型，对参与训练的标注员的对子排对 {paper:rm.accuracy.training}，对其他标注员的对子排对 {paper:rm.accuracy.held_out}
（§4.1, E.2）。论文的两位标注员在 {paper:agreement.training} 的对子上选择相同（§3.4），我们的两位则是 {run:comparisons.agreement:.0%}。
我们的起点就在这个范围里；两边的对子不同，不宜比得更细。

现在来训练它。训练台显示损失（方程见第 05 章），以及每一批中在学习之前就已排对的对子的比例。如果损失下降而这个比例不变，变的就是得分的尺度，而不是次序。
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
)
desk = widgets.TrainingDesk(job, note="live")
desk

# %% train-2 lang="zh"
{
    "# prompts at once: spares memory, changes no number": "# 一次几个提示：省内存，不改变任何数",
}

# %% wait-2 [markdown]
r"""
The next cell waits for its end, puts the same pairs to the new reward model, and subtracts, prompt by prompt. If the
interval of the difference holds zero, these pairs can't tell whether the rankings helped or hurt the order. Then it is the votes
that step 3 will live on. We train all the same: it is the paper's step, and it sets the scale and the zero of the scores. Chapter 05
starts without votes as well, and there rankings teach a good deal.
"""

# %% wait-2 [markdown] lang="zh" of="59b59d6f"
r"""
下一格等它结束，用同样的对子考一考新的奖励模型，再逐个提示相减。差的区间若包含零，这些对子就看不出排序对次序是有益还是有害。
那么第 3 步靠的就是投票。我们照样训练它：这是论文的一步，它还定下得分的尺度和零点。第 05 章也从没有投票的地方开始，在那里排序教会的东西不少。
"""

# %% test-2
import numpy as np

from minirlhf.evaluate.ranking_accuracy import shares_in_order
from minirlhf.evaluate.statistics import paired_difference

job.wait()
desk.look()
score = scorer(step_2 / "model")
learned = score_rankings(score, heldout)
now, then = (shares_in_order(s, given) for s in (learned, voted))
has_pairs = np.isfinite(now) & np.isfinite(then)  # some prompts tie all
change = 100 * paired_difference(now[has_pairs], then[has_pairs])
ordered = [accuracy(scored, given) for scored in (voted, learned)]
print(f"Pairs in the labeler's order, after: {ordered[1]:.1%}")
print(f"After minus before, in points: {change:+.1f}")

# %% test-2 lang="zh"
{
    "# some prompts tie all": "# 有些提示全是并列",
    "Pairs in the labeler's order, after: {ordered[1]:.1%}": "与标注员次序一致的对，训练后：{ordered[1]:.1%}",
    "After minus before, in points: {change:+.1f}": "训练后减训练前，百分点：{change:+.1f}",
}

# %% column-2 [markdown]
r"""
The second column holds your four replies: on top what the policy said, then the labeler's order (`=` is a tie), at the
bottom the new scores, how many of the untied pairs they put in that order, and the shares measured above. Compare scores on one
prompt only, and of one reward model; zero is where demonstrations lie on average.
"""

# %% column-2 [markdown] lang="zh" of="b5397bfb"
r"""
第二列放的是你的四个回复：上面是策略说的话，中间是标注员的次序（`=` 表示并列），下面是新的得分，在不并列的对子中有几个与该次序相符，以及刚才测得的比例。
得分只宜在同一个提示、同一个奖励模型之内比较；零点是示范得分的平均值。
"""

# %% fill-2
scores = score([prompt] * len(four), four).tolist()
before, after = (share.mean for share in ordered)
board.second(prompt, four, ranks, scores, before, after)

# %% step-3 [markdown] defines="PPO; reference model; KL divergence"
r"""
## Step 3: the reward teaches (§3.1)

Now nobody writes and nobody ranks. A new prompt is drawn, the policy replies, the reward model scores the reply, and the
score moves the policy: what scored better than a helper network (chapter 06) expected becomes likelier, the rest less
likely. The method is *PPO*, proximal policy optimization. Prompt, reply and score together are an episode.

The scores come from a model, and a model can be fooled. So a frozen copy of the policy's start, the *reference model*,
is kept beside it, and moving away from it costs. Take a reply that the policy wrote, and ask how many times as likely it is under
the policy as under the reference; the logarithm of that, on average over replies, is the *KL divergence*, in nats. $\beta$ is the
price of a nat: {paper:ppo.beta} in the paper, {run:counts.ppo_beta} here, each in units of its own reward model's score. Here PPO starts from your step 1, in chapter 06 from one of its own (C.3).

**Predict.** The score is what step 3 is after; the judge isn't asked. By how many percentage points will the share of
requests done differ from that after step 1? A minus means fewer.
"""

# %% step-3 [markdown] lang="zh" of="e270e416"
r"""
## 第 3 步：奖励来教（§3.1）

现在没有人写，也没有人排。抽一个新提示，策略作出回复，奖励模型给回复打分，得分再去推动策略：得分好于一个辅助网络（见第 06 章）所预期的变得更可能，其余的变得更不可能。
这个方法叫*近端策略优化*（proximal policy optimization，PPO）。提示、回复和得分合起来是一个回合。

得分出自一个模型，而模型是可以被糊弄的。所以旁边留着策略起点的一个冻结副本，即*参考模型*（reference model），离开它要付出代价。取策略写的一个回复，问它在策略之下的概率是在参考模型之下的多少倍；
这个倍数的对数，对回复取平均，就是 *KL 散度*（KL divergence），单位是 nat。$\beta$ 是每个 nat 的价格，论文取 {paper:ppo.beta}，这里取 {run:counts.ppo_beta}，各以自己的奖励模型的
得分为单位。在第 06 章，PPO 从专门的一个第 1 步出发（C.3），这里就从你的模型出发。

**先猜一猜。** 第 3 步追求的是得分，并不去问评判者。与第 1 步之后相比，完成要求的比例会相差几个百分点？变少就填负数。
"""

# %% guess-3
guess = widgets.Prediction(
    "Requests done: after step 3 minus after step 1",
    "chapter00.ppo", unit="percentage points",
)
guess

# %% guess-3 lang="zh"
{
    "Requests done: after step 3 minus after step 1": "完成的要求：第 3 步之后减第 1 步之后",
    "percentage points": "个百分点",
}

# %% train-3
episodes = lesson.pick(4096, quick=256)  # each a prompt, a reply, a score
beta = 0.2  # price of a nat, in units of the score

prompts = [{"prompt": r["prompt"]} for r in shipped.read("prompts-ppo")]
write_jsonl(data / "prompts.jsonl", prompts)
name = f"ppo-{len(demonstrations)}-{len(rankings)}-{episodes}-{beta}"
step_3 = lesson.workspace("00", name)
job = widgets.start(
    "ppo", step_3, model=step_1, reward=step_2, episodes=episodes,
    prompts=data / "prompts.jsonl", beta=beta,
    warmup=3,  # batches until updates have their full size
    ema=0.96,  # the weights kept are an average over the last updates
    drop_long=True,  # leave out prompts longer than the run reads
    micro_batch=16, rollout_micro_batch=32,  # rows at once: spares memory
)
desk = widgets.TrainingDesk(job, note="live")
desk

# %% train-3 lang="zh"
{
    "# each a prompt, a reply, a score": "# 回合数，每个含提示、回复、得分",
    "# price of a nat, in units of the score": "# 每个 nat 的价格，以得分为单位",
    "# batches until updates have their full size": "# 几批之后更新才用足步幅",
    "# the weights kept are an average over the last updates": "# 留下的权重是最后若干次更新的平均",
    "# leave out prompts longer than the run reads": "# 略去太长、读不完的提示",
    "# rows at once: spares memory": "# 一次几行：省内存",
}

# %% wait-3 [markdown]
r"""
Watch the first two curves; chapter 06 explains the others. *Reward* is the mean score of each batch of replies; *KL* is how far
the policy has gone from where it began, in nats a reply. Under the curves stand replies of the iteration that the slider points
to: do they do what was asked? The slider of $\beta$ acts on the run in progress.

The next cell waits for the end and compares the first four batches with the last four. The interval of the difference covers
prompts and sampled replies.
"""

# %% wait-3 [markdown] lang="zh" of="370fcce2"
r"""
请看最先的两条曲线，其余的在第 06 章解释。*奖励*是每批回复的平均得分；*与参考模型的 KL* 是策略离出发点有多远，单位是每个回复多少 nat。
曲线下方是滑块所指那一次迭代的回复：它们做到了所要求的吗？$\beta$ 的滑块对正在进行的训练立即起作用。

下一格等训练结束，比较最初四批与最后四批；差的区间涵盖提示和抽到的回复。
"""

# %% end-3
from statistics import mean

from scipy.stats import ttest_ind

job.wait()
desk.look()
batches, scored = desk.reader.series("objective/score")
_, kl = desk.reader.series("objective/kl")
first, last, moved = mean(scored[:4]), mean(scored[-4:]), mean(kl[-4:])
rise = ttest_ind(scored[-4:], scored[:4], equal_var=False)
low, high = rise.confidence_interval()  # Welch's, of the difference
print(f"Mean score: first batches {first:+.2f}, last {last:+.2f}")
print(f"Last minus first: {last - first:+.2f} [{low:+.2f}, {high:+.2f}]")
times = f"typically {np.exp(moved):.1f} times as likely as before"
print(f"KL, last batches: {moved:.2f} nats; a reply it writes is {times}")

# %% end-3 lang="zh"
{
    "# Welch's, of the difference": "# 差的区间，Welch 的方法",
    "Mean score: first batches {first:+.2f}, last {last:+.2f}": "平均得分：最初几批 {first:+.2f}，最后几批 {last:+.2f}",
    "Last minus first: {last - first:+.2f} [{low:+.2f}, {high:+.2f}]": "最后减最初：{last - first:+.2f} [{low:+.2f}, {high:+.2f}]",
    "typically {np.exp(moved):.1f} times as likely as before": "可能性通常是从前的 {np.exp(moved):.1f} 倍",
    "KL, last batches: {moved:.2f} nats; a reply it writes is {times}": "最后几批的 KL：{moved:.2f} nat；它写的回复，{times}",
}

# %% trust [markdown]
r"""
A score that was trained on says that the training works; it says nothing of what people would think. So the judge looks
at the same prompts as before. The model that answers has the weights that the run keeps: an average over its last updates.
For each prompt we subtract, reply after step 3 minus reply after step 1, and take the interval of the mean.
"""

# %% trust [markdown] lang="zh" of="b4265cd6"
r"""
被拿来训练的得分只说明训练在起作用，并不说明人会怎么看。所以让评判者去看与之前相同的提示。作答的模型用的是这次运行留下的权重，即最后若干次更新的平均。
对每个提示，用第 3 步之后的结果减去第 1 步之后的结果，
再求平均值的区间。
"""

# %% measure-3
ppo = load_policy(step_3 / "model")
measure("ppo", ppo)
gain = 100 * paired_difference(passed["ppo"], passed["sft"])
print(f"After step 3 minus after step 1, points unrounded: {gain:+.1f}")
clear = gain.low > 0 or gain.high < 0
verdict = "tell" if clear else "can't tell"
print(f"So these prompts {verdict} the two apart.")

# %% measure-3 lang="zh"
{
    "After step 3 minus after step 1, points unrounded: {gain:+.1f}": "第 3 步之后减第 1 步之后，舍入前的百分点：{gain:+.1f}",
    "tell": "能",
    "can't tell": "不能",
    "So these prompts {verdict} the two apart.": "所以这些提示{verdict}分清两者。",
}

# %% answer-3
guess.reveal(gain)

# %% column-3 [markdown]
r"""
Mind the measure: the same grade lies beneath votes and rankings. That is a kinder test than people would be.

Of the few episodes stored with each of the last ten batches, the third column shows the one whose score is nearest to the mean
(those with examples in the prompt left out); below it, what was trained on and what was measured. This is the paper's Fig. 2 with your run in it, but for the demonstrations and the
rankings that trained: those were shipped.
"""

# %% column-3 [markdown] lang="zh" of="fa4b4013"
r"""
请留意这把尺子：投票和排序的背后就是同一个评分。与由人来评相比，这是一场较宽松的考试。

第三列放上最后十批各自存下的少数回合中的一个：在提示里不带例子的回合中，取得分最接近平均值的那个；下面是训练所用的数和测得的数。这就是论文的图 2，装着你的这次运行。
但并非样样出自你：示范和用来训练的排序都是随包附带的。
"""

# %% fill-3
from minirlhf.report.examples import is_plain

kept = []
for batch in batches[-10:]:
    kept += desk.reader.samples(batch)
plain = [row for row in kept if is_plain(row)] or kept
episode = min(plain, key=lambda row: abs(row["score"] - last))
asks, says = episode["prompt"], episode["response"]
done = shares["sft"].mean, shares["ppo"].mean
board.third(asks, says, episode["score"], (first, last), done)

# %% three [markdown]
r"""
## One prompt, three models

The *playground* puts one prompt to all three models and shows each reply with its score and what the judge misses in it.
Is the happy story happy? Where the higher score has the lower grade, the reward model was fooled. One reply each proves nothing:
ask again, or type a prompt of your own. Of requests from outside the town the judge understands nothing.
"""

# %% three [markdown] lang="zh" of="40fd119b"
r"""
## 一个提示，三个模型

*游乐场*把一个提示交给三个模型，并列出各自的回复、得分，以及评判者认为缺了什么。快乐的故事真的快乐吗？得分较高而评分较低的地方，奖励模型就是被糊弄了。
每个模型只有一个回复，什么也证明不了：请再问一次，或者输入你自己的提示。镇外的要求，评判者看不懂。
"""

# %% play
models = {"base": base, "sft": sft, "ppo": ppo}
play = widgets.Playground(
    {name: (model, tokenizer) for name, model in models.items()},
    score=score, judge=judge, prompt=prompt,
)
play.answer(prompt)
play

# %% ladder [markdown]
r"""
Here are all prompts, with intervals. Two intervals may overlap and the models differ all the same: the paired difference
above compares SFT and PPO prompt by prompt.
"""

# %% ladder [markdown] lang="zh" of="1b42a92b"
r"""
下面是全部提示，连同区间。两个区间可以重叠，而两个模型仍有差别：上面的成对之差是逐个提示比较 SFT 与 PPO 的。
"""

# %% rungs
figure, axes = lesson.panels(1, "Requests done after each step (live)")
lesson.intervals(axes, shares, f"% of {len(asked)} unseen prompts")
said = [f"{lesson.called(name)} {share.mean:.1%}"
        for name, share in shares.items()]
lesson.show(figure, f"Requests done, with intervals: {', '.join(said)}")

# %% rungs lang="zh"
{
    "Requests done after each step (live)": "每一步之后完成的要求（现场）",
    "% of {len(asked)} unseen prompts": "% （共 {len(asked)} 个未见过的提示）",
    "Requests done, with intervals: {', '.join(said)}": "完成的要求，连同区间：{', '.join(said)}",
}

# %% longer [markdown]
r"""
Your run is a short one. The shipped run used all its rankings and {run:counts.episodes:,} episodes. Its models answered as many
prompts, with samples of their own:

| shipped run | requests done |
|---|---|
| base | {run:models.base.passes:.1%} |
| base, with three answered requests before the prompt | {run:models.prompted.passes:.1%} |
| after step 1 | {run:models.sft.passes:.1%} [{run:models.sft.passes.low:.1%}, {run:models.sft.passes.high:.1%}] |
| what its step 3 starts from: a step 1 with pretraining text mixed in (C.3) | {run:models.initial.passes:.1%} |
| after step 3 | {run:models.ppo.passes:.1%} [{run:models.ppo.passes.low:.1%}, {run:models.ppo.passes.high:.1%}] |

Examples less step 1 comes to {run:models.prompted.gain:+.1%} of the prompts [{run:models.prompted.gain.low:+.1%},
{run:models.prompted.gain.high:+.1%}]: these prompts hardly tell the two apart. So here demonstrations may bring out a skill more than
they teach it. Chapter 06 replays step 3, at other prices $\beta$ too.

The paper's Fig. 1 (read off the plot) tells how often labelers prefer a model's reply to that of the largest SFT model. The smallest
GPT-3 wins {paper:fig1.1.3b.gpt:.0%} of the time, with examples {paper:fig1.1.3b.prompted:.0%}, after step 1
{paper:fig1.1.3b.sft:.0%}, after PPO {paper:fig1.1.3b.ppo:.0%}. There step 1 is clearly more than examples. The largest GPT-3, over a
hundred times its size, wins {paper:fig1.175b.gpt:.0%} as it is.
"""

# %% longer [markdown] lang="zh" of="3f9e8b79"
r"""
你的这次运行很短。随包运行用了它的全部排序和 {run:counts.episodes:,} 个回合。它的模型回答同样数目的提示，样本是各自抽的：

| 随包运行 | 完成的要求 |
|---|---|
| 基座模型 | {run:models.base.passes:.1%} |
| 基座模型，提示前放三个已回答的请求 | {run:models.prompted.passes:.1%} |
| 第 1 步之后 | {run:models.sft.passes:.1%} [{run:models.sft.passes.low:.1%}, {run:models.sft.passes.high:.1%}] |
| 它的第 3 步的起点：混入预训练文本的另一个第 1 步（C.3） | {run:models.initial.passes:.1%} |
| 第 3 步之后 | {run:models.ppo.passes:.1%} [{run:models.ppo.passes.low:.1%}, {run:models.ppo.passes.high:.1%}] |

放例子减去第 1 步，差是全部提示的 {run:models.prompted.gain:+.1%} [{run:models.prompted.gain.low:+.1%}, {run:models.prompted.gain.high:+.1%}]：这些提示几乎分不清两者。可见在这里，示范也许与其说教会了一种本领，
不如说把它引了出来。第 06 章会重放第 3 步，也取其他价格 $\beta$。

论文的图 1（从图上读出）说的是，标注员有多少次更喜欢某个模型的回复，而不是最大的 SFT 模型的。最小的 GPT-3 胜率为 {paper:fig1.1.3b.gpt:.0%}，放上例子为
{paper:fig1.1.3b.prompted:.0%}，第 1 步之后为 {paper:fig1.1.3b.sft:.0%}，PPO 之后为 {paper:fig1.1.3b.ppo:.0%}。在那里，第 1 步明显胜过放例子。
比它大上百倍、一步也没走的 GPT-3 为 {paper:fig1.175b.gpt:.0%}。
"""

# %% map [markdown]
r"""
## Paper and course

| in the paper | is about | here | exercises | code, in `minirlhf/` |
|---|---|---|---|---|
| §1, §3.1 | the idea, the three steps | this chapter | | `experiment/main_job.py` |
| §3.5, C.1 | step 1, supervised fine-tuning | [chapter 04](04_supervised_fine_tuning.ipynb) | [ex04](../exercises/ex04_sft.ipynb) | `plain/sft.py`, `sft.py` |
| §3.5, C.2, E.2 | step 2, the reward model | [chapter 05](05_reward_model.ipynb) | [ex05](../exercises/ex05_reward_model.ipynb) | `plain/reward.py`, `reward.py` |
| §3.5, C.3, C.4, E.7 | step 3, PPO | [chapter 06](06_reinforcement_learning.ipynb) | [ex06](../exercises/ex06_ppo.ipynb) | `plain/ppo.py`, `ppo.py` |
| §2, §3.2–§3.4, §3.6, §4, §5 | all else | not written yet | | |

Read the files in `plain/` first. Each chapter runs alone. [The map](../course/MAP.md) goes further: from each section to the code that implements it, its
tests and the exercises.

### How a page works

- **Live or shipped.** What takes longer than a lesson is replayed from shipped runs. Every picture of a result says which
  of the two it is.
- **Predictions** stand before their answer. Running their cell again keeps what you entered.
- **What you make** lies in `work/`; delete `work/00` to start this chapter over.
- **Exercises** come with a check that names your mistake, and with hints. `minirlhf start ex04` puts a copy of your own
  into `work/`, where no update overwrites it. `progress()` says what is done and where that is kept:
"""

# %% map [markdown] lang="zh" of="f5d6e59b"
r"""
## 论文与课程

| 论文中 | 内容 | 这里 | 练习 | 代码，在 `minirlhf/` |
|---|---|---|---|---|
| §1, §3.1 | 想法，三个步骤 | 本章 | | `experiment/main_job.py` |
| §3.5, C.1 | 第 1 步，监督微调 | [第 04 章](../04_supervised_fine_tuning.ipynb)（英文） | [ex04](../../exercises/ex04_sft.ipynb) | `plain/sft.py`, `sft.py` |
| §3.5, C.2, E.2 | 第 2 步，奖励模型 | [第 05 章](05_reward_model.ipynb) | [ex05](../../exercises/ex05_reward_model.ipynb) | `plain/reward.py`, `reward.py` |
| §3.5, C.3, C.4, E.7 | 第 3 步，PPO | [第 06 章](../06_reinforcement_learning.ipynb)（英文） | [ex06](../../exercises/ex06_ppo.ipynb) | `plain/ppo.py`, `ppo.py` |
| §2, §3.2–§3.4, §3.6, §4, §5 | 其余各节 | 尚未写成 | | |

先读 `plain/` 里的文件。每一章都能单独运行。[这张地图](../../course/MAP.md)走得更远：从论文的每一节，到实现它的代码，到测试，再到练习。

### 一页怎么用

- **现场或附带。** 比一堂课更费时的内容，用随包运行来重放。每张画着结果的图都注明是两者中的哪一种（“现场”或“随包运行”）。
- **猜测**放在答案之前。再次运行那一格，已填的内容会保留。
- **你做出来的东西**都在 `work/` 里；删去 `work/00`，就能把本章从头再来。
- **练习**附有检查和提示，检查会说出你错在哪里。`minirlhf start ex04` 把一份属于你的副本放进 `work/`，更新不会覆盖它。
  `progress()` 告诉你做完了什么、记录保存在哪里：
"""

# %% progress
from minirlhf.grading import progress

progress()

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter00.")

# %% summary [markdown]
r"""
## Summary

The paper's numbers beside ours. The last three rows measure different things. In the paper, labelers say whether a reply of
the smallest model beats one of the largest SFT model (Fig. 1, read off the plot). Here the judge says of a reply alone
whether it does what was asked. Compare the order of the rows, not their size.
"""

# %% summary [markdown] lang="zh" of="57d82c22"
r"""
## 小结

论文的数与我们的数并列如下。最后三行量的不是同一件东西。在论文里，标注员说最小模型的回复是否胜过最大的 SFT 模型的回复（图 1，从图上读出）；
在这里，评判者只看一个回复，说它有没有做到要求。请比较各行的次序，不要比较大小。
"""

# %% beside
from minirlhf.paper import value


def total(split, people=("labeler", "customer")):
    return f"{sum(value(f'table6.{split}.train.{p}') for p in people):,}"


millions = sum(p.numel() for p in base.parameters()) / 1e6
rows = [
    ("parameters", "1.3 to 175 billion", f"{millions:.2f} million"),
    ("demonstrations", total("sft"), len(demonstrations)),
    ("ranked prompts", total("rm"), f"{len(rankings):,}"),
    ("episodes", f"{value('ppo.episodes'):,}", f"{episodes:,}"),
]
for name, column in {"base": "gpt", "sft": "sft", "ppo": "ppo"}.items():
    won = f"wins {value(f'fig1.1.3b.{column}'):.0%}"
    rows.append((lesson.called(name), won, f"{shares[name].mean:.1%} done"))
lesson.table(("", "paper", "this page, live"), rows)

# %% beside lang="zh"
{
    "parameters": "参数",
    "1.3 to 175 billion": "13 亿到 1750 亿",
    "{millions:.2f} million": "{millions:.2f} 百万",
    "demonstrations": "示范",
    "ranked prompts": "被排序的提示",
    "episodes": "回合",
    "wins {value(f'fig1.1.3b.{column}'):.0%}": "胜率 {value(f'fig1.1.3b.{column}'):.0%}",
    "{shares[name].mean:.1%} done": "完成 {shares[name].mean:.1%}",
    "paper": "论文",
    "this page, live": "本页，现场",
}

# %% end [markdown]
r"""
A base model continues text, and an instruction is to it a text like any other. Three steps are to turn it into a model that
does what is asked: demonstrations show it how, rankings are to teach a second model what people prefer (ours had learned it from
votes), and PPO writes for that model's score, held near its start. What was trained on can't be the measure. Our judge is
one step removed: no step asks it, but its grade lies beneath labelers and votes.

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
seen. Here that is the judge, a kind one: its grade lies beneath votes and rankings. In the paper it is labelers.

</details>

5. What would happen in step 3 if moving away from the reference model cost nothing?

<details><summary>Answer</summary>

The policy may go wherever the score is high, also where the reward model is wrong. Chapter 06 shows such a run.

</details>

### The way on

Next comes [chapter 04](04_supervised_fine_tuning.ipynb); those between aren't written yet. The exercises begin with
[exercise 04](../exercises/ex04_sft.ipynb).

**A lecture of thirty minutes.** Run everything before class. Seven minutes for the base and the first guess; eight for
steps 1 and 2, letting the class rank the four replies aloud; ten for step 3, with a show of hands before the judge speaks;
five for the playground.

**A lab of sixty minutes.** In pairs, top to bottom, ten minutes for each step. Then change one thing and run the page again
from there: half the demonstrations, half the rankings, or another $\beta$; the folders are named after all three. Ten
minutes before the end, each pair says which number moved, and whether the interval of the difference holds zero. Another
training seed would add to it.
"""

# %% end [markdown] lang="zh" of="981f4f2b"
r"""
基座模型续写文本，指令在它眼里不过是又一段文本。三个步骤要把它变成会照要求去做的模型：示范告诉它怎么做；排序要教另一个模型懂得人偏好什么（我们的从投票起步）；
PPO 为那个模型的得分而写，同时被拴在起点附近。训练用过的东西不能再当尺子。我们的评判者隔着一层：没有哪一步问它，但标注员和投票的背后有它的评分。

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

它的回复更讨奖励模型喜欢。是否更好，要在训练没见过的提示上用另一把尺子来量。在这里是评判者，它比较宽松：投票和排序的背后就有它的评分；
在论文里是标注员。

</details>

5. 在第 3 步中，如果离开参考模型不付任何代价，会发生什么？

<details><summary>答案</summary>

策略可以去任何得分高的地方，包括奖励模型判断错误的地方。第 06 章有这样的一次运行。

</details>

### 接下来

下一章是[第 04 章](../04_supervised_fine_tuning.ipynb)，其间各章尚未写成。练习从[ex04](../../exercises/ex04_sft.ipynb)开始。

**三十分钟的讲课。** 课前全部运行一遍。七分钟讲基座模型，并做第一个猜测；八分钟讲第 1、2 步，
让全班当场给四个回复排序；十分钟讲第 3 步，评判者开口之前先举手表决；最后五分钟用游乐场。

**六十分钟的实验。** 两人一组，从上到下，每一步十分钟。然后改动一处，从那里起重新运行：示范减半，排序减半，或者换一个 $\beta$；文件夹的名字由这三样组成。结束前十分钟，
每组说出哪个数变了，差的区间是否包含零。换一个训练种子还会再添一层不确定。
"""
