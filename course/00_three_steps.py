# ---
# jupyter:
#   minirlhf:
#     paper: §3.1
#     doing_minutes: 15
# ---

# %% title [markdown]
r"""
# Chapter 00 · The three steps in one picture

How does a machine that continues text become one that does what you ask? Ouyang et al. (2022) answered with three steps, and
drew them in one figure (Fig. 2). In this chapter you take all three, small and live, on this computer, and the figure
fills with your own request.

After this chapter you can

- name the three steps, what each one is given and what comes out of it;
- say what people contribute to each of them;
- find your way through the paper, the course and the package.
"""

# %% title [markdown] lang="zh" of="23b01be8"
r"""
# 第 00 章 · 一张图里的三个步骤

一台只会续写文本的机器，怎样才能变成照你的要求去做的机器？Ouyang 等人 2022 年用三个步骤作答，并把它们画进了一张图（图 2）。
本章里你要在这台电脑上亲手走完这三步，规模虽小，却是现场运行；图中填进的是你自己的要求。

学完本章，你将能够

- 说出这三个步骤，以及每一步给进什么、得出什么；
- 说出人在每一步中贡献了什么；
- 在论文、课程和程序包之间找到路。
"""

# %% picture [markdown]
r"""
## The picture, still empty (§3.1)

Three columns, read from top to bottom. What stands in them by the end of this page is yours.
"""

# %% picture [markdown] lang="zh" of="764123b4"
r"""
## 还是空白的图（§3.1）

三栏，从上往下读。到本页结束时，里面都是你的内容。
"""

# %% empty
from minirlhf.widgets import ThreeSteps

board = ThreeSteps()
board

# %% town [markdown] defines="base model; prompt; completion; policy"
r"""
## A town, and a request

Everything here happens in *Tinytown*, a closed world of some people, animals, shops and misconceptions. Its web was
written by a programme, and a small language model, the *base model*, has read it. It continues whatever it is given. The text
that it is given is a *prompt*, what it writes then a *completion*, and the model itself, as what chooses each next word, is
a *policy*.

Here is a request. Put in your own, as the town would say it (*Write a poem about …*, *Name three gifts for …*, *Write a letter
to …*), and run the page again. The cell below shows how the base model goes on.
"""

# %% town [markdown] lang="zh" of="9b17b61a"
r"""
## 一座小镇，一个要求

这里的一切都发生在 *Tinytown*：一个封闭的小世界，有一些居民、动物、商店，还有些以讹传讹的说法。它的“网页”由程序写成，
一个小语言模型读过这些网页，这就是*基座模型*（base model）。给它什么，它就续写什么。交给它的文本叫*提示*（prompt），
它接着写出的叫*回复*（completion）；把模型看作逐个选词的决策者时，就称它为*策略*（policy）。

下面是一个要求。请换成你自己的，用小镇的说法（*Write a poem about …*、*Name three gifts for …*、*Write a letter
to …*），再把本页运行一遍。这个单元格显示基座模型会怎样写下去。
"""

# %% request
from minirlhf import lesson, shipped
from minirlhf.models import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown.bases import base_folder

REQUEST = "Write a story about Ben and a kite.\n"  # yours

tokenizer = load_tokenizer(base_folder("medium"))
base = load_policy(base_folder("medium"), tokenizer)
(reply,) = complete(base, tokenizer, [REQUEST], max_new_tokens=60, seed=1)
print(reply.strip())

# %% base-why [markdown] defines="judge"
r"""
A base model knows what comes after such a line on the web, and that is seldom an answer. How often does it do what is
asked? In most of the world that is a hard question. In Tinytown there is a *judge*: a programme that reads request and
reply and says exactly what is right and wrong in it. A request is done when nothing is wrong.
"""

# %% base-why [markdown] lang="zh" of="26cca088"
r"""
基座模型知道网页上这样一行之后通常是什么，而那很少是一个回答。它有多常做到所要求的事？在现实世界里，这很难回答。
Tinytown 里有一位*评判者*（judge）：一个程序，读取要求和回复，准确地说出其中的对与错。没有任何错处，这个要求才算完成。
"""

# %% done
from minirlhf.evaluate.statistics import over_prompts
from minirlhf.tinytown.judge import judge

people = shipped.read("prompts")[: lesson.pick(120, quick=12)]
asked = [row["prompt"] for row in people]


def done(policy):
    """The share of other people's requests that a policy does."""
    replies = complete(policy, tokenizer, asked, max_new_tokens=72, seed=2)
    both = zip(asked, replies, strict=True)
    return over_prompts([float(judge(x, y).passes) for x, y in both])


passes = {"base": done(base)}
print(f"The base model does {passes['base'].mean:.1%} of the requests.")

# %% step-one [markdown] defines="labeler; demonstration; supervised fine-tuning"
r"""
## Step 1 · demonstrations teach a policy

People are asked to answer requests themselves. The paper hired {paper:intro.labelers} *labelers* for this; an answered
request is a *demonstration*, and there are {paper:table6.sft.train} of them. Training the base model to predict the answers is
*supervised fine-tuning* (SFT).

Tinytown's labelers are programmes. One of them answers your request now, and then the base model learns from some hundred
demonstrations: one call, which leaves its log and its model in a folder.
"""

# %% step-one [markdown] lang="zh" of="cacd3a85"
r"""
## 第 1 步 · 示范教会策略

先请人亲自来回答要求。论文为此雇了*标注员*（labeler，人数 {paper:intro.labelers}）；一条得到回答的要求就是一个*示范*
（demonstration），论文共有 {paper:table6.sft.train} 条。训练基座模型去预测这些回答，就是*监督微调*（supervised
fine-tuning，SFT）。

Tinytown 的标注员是程序。其中一位现在来回答你的要求，随后基座模型从几百条示范中学习：只需一次调用，日志和模型都留在一个文件夹里。
"""

# %% sft-guess
from minirlhf.widgets import Prediction

first = Prediction(
    "Requests done after that, in percent:", "00.sft", unit="% of requests"
)  # fmt: skip
first

# %% answer
import random

from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.writer import careful


def labeler(request):
    """What a careful labeler answers; None where the town is at a loss."""
    understood = parse(request)
    if understood is not None:
        return careful(understood, random.Random(3), 0.5, TOWN,
                       lambda y: judge(request, y).overall)  # fmt: skip


answered = labeler(REQUEST) or "(nobody in town knows what is meant)"
print(answered)

# %% sft
from dataclasses import replace

from minirlhf.config import PRESETS
from minirlhf.sft import train_sft


def plain(name, count):
    """The first rows of a shipped file that are requests alone."""
    rows = [r for r in shipped.read(name) if r["style"] == "plain"]
    return rows[:count]


lessons = plain("demonstrations", lesson.pick(200, quick=32))
config = replace(PRESETS["tinytown"].sft, epochs=lesson.pick(3, quick=1))
place = lesson.workspace("chapter00", f"sft-{len(lessons)}")
sft = load_policy(base_folder("medium"), tokenizer)
made = train_sft(config, sft, tokenizer, lessons, folder=place, callback=())
print(f"{len(lessons)} demonstrations, loss {made.metrics['loss']:.2f}")

# %% sft-result
passes["sft"] = done(sft)
first.reveal(100 * passes["sft"].mean)

# %% first-column
board.first(REQUEST, answered, passes["base"].mean, passes["sft"].mean)

# %% step-two [markdown] defines="ranking; reward model"
r"""
## Step 2 · rankings teach a reward model

Writing good answers is slow; seeing which of two answers is better is quick. So the new policy answers one request several
times, and a labeler puts the answers in order. From such *rankings* a second model learns to give each reply a number, such
that better ones get higher numbers: the *reward model*.

Be the labeler yourself: give each of these four replies to your request a rank, ties welcome, and save. If you leave it
empty, one of the town's labelers ranks them for you.
"""

# %% step-two [markdown] lang="zh" of="dc531f77"
r"""
## 第 2 步 · 排序教会奖励模型

写出好的回答很慢，看出两个回答哪个更好却很快。于是让新的策略对同一个要求回答几遍，由标注员排出次序。第二个模型从这样的*排序*
（ranking）中学会给每个回复一个数，好的回复得到的数更大：这就是*奖励模型*（reward model）。

请你自己来当标注员：给你的要求的四个回复各定一个名次，可以并列，然后保存。如果留空，就由镇上的一位标注员替你排。
"""

# %% desk
from minirlhf.widgets import LabelingDesk

tries = complete(sft, tokenizer, [REQUEST], max_new_tokens=60, n=12, seed=5)
tries = (list(dict.fromkeys(tries)) + tries)[:4]
mine = lesson.workspace("chapter00", "mine.jsonl")
LabelingDesk([{"prompt": REQUEST, "completions": tries}], mine)

# %% ranked
from minirlhf.data.records import read_jsonl
from minirlhf.tinytown.labelers import training_pool

saved = read_jsonl(mine) if mine.exists() else []
yours = [row["ranks"] for row in saved if row["completions"] == tries]
ranks = yours[-1] if yours else training_pool()[0].rank(REQUEST, tries)
print("ranked by", "you" if yours else "a labeler of the town", ranks)

# %% reward-text [markdown]
r"""
One ranking teaches little. The reward model learns from this one and some hundred others, and then says what it thinks of
your four replies.
"""

# %% reward-text [markdown] lang="zh" of="9f5ce537"
r"""
一次排序教不了多少。奖励模型从这一次和另外几百次排序中学习，然后说出它对你那四个回复的看法。
"""

# %% reward
from zlib import crc32

from minirlhf.models import ScalarModel
from minirlhf.reward import score_texts, train_reward

own = {"prompt": REQUEST, "completions": tries, "ranks": ranks}
rankings = [*plain("rankings", lesson.pick(400, quick=24)), own]
rankings = [row for row in rankings if len(set(row["ranks"])) > 1]
config = replace(PRESETS["tinytown"].reward, epochs=1, learning_rate=5e-4)
number = crc32(repr(rankings).encode())  # another ranking, another run
result = train_reward(
    config, ScalarModel.from_policy(sft, tokenizer), tokenizer, rankings,
    demonstrations=lessons, callback=(),
    folder=lesson.workspace("chapter00", f"reward-{number}"),
)  # fmt: skip
reward_model = result.model
scores = score_texts(reward_model, tokenizer, [REQUEST] * 4, tries).tolist()

# %% second-column
board.second(tries, ranks, scores)

# %% step-three [markdown] defines="PPO"
r"""
## Step 3 · the reward teaches the policy

Now nobody has to be asked any more. The policy answers new requests, the reward model gives each answer its number, and the
policy is changed a little, such that well-scored answers become more likely. The method is *PPO* (proximal policy
optimization); it also makes the policy pay for moving far from where it started, for reasons that chapter 06 shows.

A few hundred answers are little; the paper takes {paper:ppo.episodes}. So look at the score, which is what is maximised,
and don't expect a better policy yet. That takes a larger reward model, more answers and a judge who watches.
"""

# %% step-three [markdown] lang="zh" of="28660c5a"
r"""
## 第 3 步 · 奖励教会策略

从现在起不必再问任何人。策略回答新的要求，奖励模型给每个回答一个数，然后对策略作一点点改动，使得分高的回答更容易出现。
这个方法叫 *PPO*（近端策略优化，proximal policy optimization）；策略若离出发点太远还要付出代价，原因见第 06 章。

几百个回答并不多；论文用了 {paper:ppo.episodes} 个。所以请看得分，那才是被最大化的东西，先别指望策略变得更好。
那需要更好的奖励模型、更多的回答，以及一位在旁看着的评判者。
"""

# %% ppo-guess
last = Prediction(
    "The mean score will …", "00.ppo", choices=("rise", "fall")
)  # fmt: skip
last

# %% ppo
from copy import deepcopy

from minirlhf.ppo import train_ppo

config = replace(
    PRESETS["tinytown"].ppo, episodes=lesson.pick(1024, quick=128),
    rollout_batch=lesson.pick(256, quick=64), minibatch=64,
)  # fmt: skip
path = lesson.workspace("chapter00", f"ppo-{number}")
ppo, value_model = deepcopy(sft), reward_model.value_model()
made = train_ppo(
    config, ppo, sft, reward_model, value_model, tokenizer,
    plain("prompts-ppo", 1500), folder=path, callback=(),
)  # fmt: skip
print(f"KL {made.metrics['objective/kl']:.2f} nats from where it started")

# %% ppo-result
from minirlhf.widgets.reader import Reader

log = Reader(path)
log.look()
mean_scores = log.series("objective/score")[1]
last.reveal("rise" if mean_scores[-1] > mean_scores[0] else "fall")

# %% third-column
(reply,) = complete(ppo, tokenizer, [REQUEST], max_new_tokens=60, seed=1)
(r,) = score_texts(reward_model, tokenizer, [REQUEST], [reply]).tolist()
board.third(REQUEST, reply, r, mean_scores[0], mean_scores[-1])

# %% whole [markdown]
r"""
That is Fig. 2, with your request in it. Steps 2 and 3 can be taken again, with rankings of the new policy's replies.

What it did for other people's requests, in this small run and in the shipped one, which took more of everything:
"""

# %% whole [markdown] lang="zh" of="28a48552"
r"""
这就是图 2，里面是你的要求。第 2 步和第 3 步还可以再走一遍，用新策略的回复来排序。

再看它在别人的要求上做得怎样（这次小规模运行的结果）：
"""

# %% others
passes["ppo"] = done(ppo)
figure, axes = lesson.panels(1, "Requests done (live)")
lesson.intervals(axes, passes, "% of other people's requests")
seen = ", ".join(f"{name} {i.mean:.0%}" for name, i in passes.items())
lesson.show(figure, f"Requests done: {seen}.")

# %% map [markdown]
r"""
## The way through paper and course

| in the paper | asks | here |
|---|---|---|
| §3.1, Fig. 2 | what are the three steps? | this chapter |
| §3.5, C.1 | how do demonstrations teach, and when does one stop? | [chapter 04](04_sft.ipynb), [exercise 04](../exercises/ex04_sft.ipynb) |
| §3.5, C.2, E.2 | how do rankings become a reward, and how far can it be trusted? | [chapter 05](05_reward_model.ipynb), [exercise 05](../exercises/ex05_reward_model.ipynb) |
| §3.5, C.3, C.4, E.7 | how does a reward teach, and what keeps it honest? | [chapter 06](06_ppo.ipynb), [exercise 06](../exercises/ex06_ppo.ipynb) |

Every equation is one function in `minirlhf/objectives.py`, every step one file: `sft.py`, `reward.py`, `ppo.py`.
`minirlhf run` takes all three at full length and writes a report.
"""

# %% map [markdown] lang="zh" of="a2d88d55"
r"""
## 论文与课程的路线

| 论文中 | 问的是 | 在这里 |
|---|---|---|
| §3.1，图 2 | 三个步骤是什么？ | 本章 |
| §3.5，C.1 | 示范怎样教会模型，何时该停？ | [第 04 章](../04_sft.ipynb)，[练习题 04](../../exercises/ex04_sft.ipynb) |
| §3.5，C.2，E.2 | 排序怎样变成奖励，它能信到什么程度？ | [第 05 章](../05_reward_model.ipynb)，[练习题 05](../../exercises/ex05_reward_model.ipynb) |
| §3.5，C.3，C.4，E.7 | 奖励怎样教会策略，靠什么不走歪？ | [第 06 章](../06_ppo.ipynb)，[练习题 06](../../exercises/ex06_ppo.ipynb) |

每个公式都是 `minirlhf/objectives.py` 中的一个函数，每个步骤都是一个文件：`sft.py`、`reward.py`、`ppo.py`。
`minirlhf run` 以完整的规模走完三步，并写出一份报告。
"""

# %% machine-text [markdown]
r"""
## Is this machine enough?

Two processor cores and a few gigabytes of memory are. The table says what was found here.
"""

# %% machine-text [markdown] lang="zh" of="32aecabd"
r"""
## 这台电脑够用吗？

两个处理器核、几个 GB 内存就够了。下表是在这里查到的情况。
"""

# %% machine
from minirlhf import doctor

found = [doctor.check_cores(), doctor.check_memory(), doctor.check_gpu()]
lesson.table(("", "found"), [(f.topic, f.found) for f in found])

# %% summary [markdown]
r"""
## Summary

| | people give | the paper has | the shipped run has | what comes out |
|---|---|---|---|---|
| step 1 | demonstrations | {paper:table6.sft.train} | {run:counts.demonstrations} | a policy that tries |
| step 2 | rankings | {paper:table6.rm.train} | {run:counts.rankings:,} | a reward model |
| step 3 | nothing any more | {paper:ppo.episodes} replies | {run:counts.episodes:,} replies | a policy that is preferred |

People teach twice: by doing it, and by telling better from worse. The reward model stands in for them in step 3, and
everything that can go wrong there comes from the difference between it and them.
"""

# %% summary [markdown] lang="zh" of="f1d898e8"
r"""
## 小结

| | 人给出 | 论文用了 | 随附的运行用了 | 得出 |
|---|---|---|---|---|
| 第 1 步 | 示范 | {paper:table6.sft.train} | {run:counts.demonstrations} | 一个肯去做的策略 |
| 第 2 步 | 排序 | {paper:table6.rm.train} | {run:counts.rankings:,} | 一个奖励模型 |
| 第 3 步 | 不再给出什么 | {paper:ppo.episodes} 个回复 | {run:counts.episodes:,} 个回复 | 一个更受偏好的策略 |

人教了两次：一次是亲手去做，一次是分出好坏。第 3 步里由奖励模型代替人，那里一切可能出的错，都来自它与人之间的差别。
"""

# %% questions [markdown]
r"""
## Questions

1. Which of the three steps needs people, and what do they have to be good at?

<details><summary>Answer</summary>

The first two. In step 1 they have to write a good reply, in step 2 only to recognise one.

</details>

2. The reward model has learned from rankings of the SFT model's replies. Why may it be wrong about the PPO model's?

<details><summary>Answer</summary>

They are other replies. Step 3 moves the policy to where the reward model has seen little.

</details>

3. Could one leave out step 1?

<details><summary>Answer</summary>

There would be little to rank: the base hardly ever answers, and a ranking among non-answers teaches nothing about answers.

</details>

4. Why not let people score the replies of step 3 directly?

<details><summary>Answer</summary>

It takes hundreds of thousands of them. A model that has learned from some ten thousand rankings answers in milliseconds.

</details>

5. Who decides in the end what *better* means?

<details><summary>Answer</summary>

Those who rank, and those who wrote down for them what to look for. The paper says so itself, and asks whose values these are (§5.2).

</details>
"""

# %% questions [markdown] lang="zh" of="dbac8c64"
r"""
## 思考题

1. 三个步骤中哪几步需要人？他们要擅长什么？

<details><summary>答案</summary>

前两步。第 1 步要能写出好的回复，第 2 步只要能认出它。

</details>

2. 奖励模型是从对 SFT 模型回复的排序中学来的。为什么它可能看错 PPO 模型的回复？

<details><summary>答案</summary>

那是另一些回复。第 3 步把策略移到奖励模型见得很少的地方。

</details>

3. 可以省掉第 1 步吗？

<details><summary>答案</summary>

那就没有什么可排的了：基座模型几乎从不回答，给一堆不是回答的东西排序，教不会什么是回答。

</details>

4. 为什么不让人直接给第 3 步的回复打分？

<details><summary>答案</summary>

那需要几十万个分数。从几万次排序中学成的模型，几毫秒就能作答。

</details>

5. *更好*是什么意思，最终由谁决定？

<details><summary>答案</summary>

由排序的人，以及写下指南告诉他们该看什么的人。论文自己也这样说，并追问这究竟是谁的价值观（§5.2）。

</details>
"""

# %% way-on [markdown]
r"""
## The way on

[Chapter 04](04_sft.ipynb) takes step 1 apart.

- **Lecture path (half an hour).** All cells in their order, with the class's own request, and the ranking done by show of
  hands; the map; the summary.
- **Lab path (an hour).** The same with three requests of your own, one of them nothing that the town knows; label for
  yourself each time; then write down one thing that each column did to your request.
"""

# %% way-on [markdown] lang="zh" of="865f7a31"
r"""
## 接下来

[第 04 章](../04_sft.ipynb)把第 1 步拆开来看。

- **讲课路线（半小时）。** 按次序走完所有单元格，用全班提出的要求，排序由大家举手决定；然后是路线表和小结。
- **实验路线（一小时）。** 同样走一遍，用三个你自己的要求，其中一个是小镇一无所知的；每次都自己排序；最后写下每一栏各对你的要求做了什么。
"""
