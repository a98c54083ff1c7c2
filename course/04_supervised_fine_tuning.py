# ---
# jupyter:
#   minirlhf:
#     paper: §3.2, §3.5, C.1
#     doing_minutes: 25
# ---

# %% title [markdown] defines="base model; prompt; completion; labeler; demonstration; supervised fine-tuning"
r"""
# Chapter 04 · Supervised fine-tuning

A *base model* continues text. Give it an instruction (a *prompt*), and it continues that, too. You hoped for a reply (a
*completion*). Step 1 of the InstructGPT paper (Ouyang et al., 2022) trains it on *demonstrations*: prompts with the replies that
people, the *labelers*, wrote. What does a model learn by such *supervised fine-tuning* (SFT), and what can't it learn this way?

After this chapter you can

- line up tokens with a model's predictions, and say which of them count in the loss;
- write the training loop of SFT, and tell from its replies that the end token was left out;
- compare two models by a paired interval, and say what the interval doesn't cover;
- choose an epoch, and explain why loss and ratings may choose differently;
- name an error that imitation leaves, and a kind of signal that points at it.
"""

# %% title [markdown] lang="zh" of="0c1d1d37"
r"""
# 第 04 章 · 监督微调

*基座模型*（base model）只会续写文本。给它一条指令，也就是*提示*（prompt），它照样往下续写，而你盼的是一个*回复*（completion）。
InstructGPT 论文（Ouyang 等人，2022）的第 1 步用*示范*（demonstration）来训练它：一条条提示，连同人写的回复；写的人叫*标注员*（labeler）。
这样的*监督微调*（supervised fine-tuning，SFT）能教会模型什么，又有什么教不会？

学完本章，你将能够

- 把词元与模型的预测对齐，并说出其中哪些计入损失；
- 写出 SFT 的训练循环，并从回复看出训练时漏掉了结束符；
- 用配对之差的区间比较两个模型，并说出这个区间没有涵盖什么；
- 选定训练到第几轮（epoch），并解释为什么损失和评分可能选得不一样；
- 指出模仿之后仍会留下的一种错误，并说出哪一类信号能指出它。
"""

# %% before [markdown]
r"""
## What a base does with an instruction (§3.5)

Tinytown's base has about a million weights and has read the town's web: stories, letters, notices, worksheets. Below are prompts
by users who appear in no training set, and what the base writes next. Each token is drawn with the probability that the model gives it,
for every model by the same random numbers, `uniforms`. Does the base reply?

(*Live*: computed as you read. *Shipped run*: made beforehand.)
"""

# %% before [markdown] lang="zh" of="2a237736"
r"""
## 基座模型怎样对待指令（§3.5）

Tinytown 的基座模型约有一百万个权重，读过小镇的网页：故事、信件、启事、练习册。下面是几条提示，以及基座接着写出的话；
这些用户写的提示，一条也没有用来训练。每个词元都按模型给它的概率随机抽取，各个模型用同一组随机数 `uniforms`。基座是在回复吗？

（*实时*：你读到时才算出来的。*随包运行*：事先做好、随程序包附带的。）
"""

# %% base
from minirlhf import lesson, shipped
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown.bases import base_folder

LIMIT = 72  # tokens that a reply may have
folder = base_folder("medium")
tokenizer = load_tokenizer(folder)
END, PAD = tokenizer.eos_token_id, tokenizer.pad_token_id
base = load_policy(folder, tokenizer)
prompts = [row["prompt"] for row in shipped.read("prompts")]
asked = prompts[: lesson.pick(300, quick=24)]

# %% base lang="zh"
{
    "# tokens that a reply may have": "# 一个回复最多几个词元",
}

# %% answer
import numpy as np
import torch

from minirlhf.data.tokenization import decode, encode_prompts
from minirlhf.models import never_sampled
from minirlhf.sampling import sample

dice = torch.Generator().manual_seed(4)
uniforms = torch.rand(len(asked), LIMIT, generator=dice)


def answer(policy, prompts):
    """A reply to each prompt, and whether it ended by itself."""
    ids = sample(
        policy, encode_prompts(tokenizer, prompts), uniforms,
        suppress=never_sampled(tokenizer, policy),  # such as padding
        eos_token_id=END, pad_token_id=PAD).ids()
    return decode(tokenizer, ids), np.array([y[-1] == END for y in ids])

# %% answer lang="zh"
{
    "A reply to each prompt, and whether it ended by itself.": "给每条提示一个回复，以及它是否自己结束。",
    "# such as padding": "# 例如填充",
}

# %% base-says
replies, ended = {}, {}
replies["base"], ended["base"] = answer(base, asked)
by_length = sorted(range(len(asked)), key=lambda i: len(asked[i]))
few = by_length[::12][:4]
lesson.table(
    ("prompt", "the base goes on (live)"),
    [(asked[i], replies["base"][i][:150] + " …") for i in few],
)

# %% base-says lang="zh"
{
    "prompt": "提示",
    "the base goes on (live)": "基座接着写（实时）",
}

# %% judge-says [markdown] defines="judge"
r"""
In the paper, people say whether a reply is good. In Tinytown the *judge* does, a program that knows the town. It checks whether a reply
is readable and finished (*language*), is what was asked for (*instruction*), keeps to topic and constraints (such as the *number of sentences*),
makes sense (*coherence*), is true (*truth*), and adds nothing to a given text (*source*). A reply that meets all *passes*. Grades
run from one to seven; a reply that passes gets four or more.

Does the base lack the ability, or only the habit? *Cut*: drop what follows an empty line.
*Prompted*: put three demonstrations before each prompt, then cut. *Swapped*: the same three, each with another's reply. (The paper takes the
best of four sets; we draw one.)

**Predict.** What percentage of the prompted base's replies pass?
"""

# %% judge-says [markdown] lang="zh" of="0a17c61e"
r"""
在论文里，回复好不好，由人来说。在 Tinytown，由*评判者*（judge）来说，这是一个了解小镇的程序。它检查：回复是否读得通、写完了（language，*语言*）；
是不是所要的东西（instruction，*指令*）；有没有守住主题和限制（如*句数*）；前后是否说得通（coherence，*连贯*）；是否属实（truth，*真实*）；
有没有给所附的文本添枝加叶（source，*原文*）。样样做到的回复就算*合格*。评分从一到七，合格的回复至少得四分。

基座缺的是能力，还是只缺习惯？我们来试几种办法。*截断*：删去空行之后的内容。*加例子*：每条提示之前放三条示范，然后截断
（论文从四组例子里选最好的一组，我们只抽一组）。*对调*：还是这三条，但各配上另一条的回复。

**先猜一猜。** 加了例子的基座，百分之几的回复合格？
"""

# %% predict-prompted folded="yes"
from minirlhf.widgets import Prediction

prompted_guess = Prediction(
    "Three examples in front: what percentage of the base's replies pass?",
    "chapter04.prompted", unit="% of replies that pass",
)
prompted_guess

# %% predict-prompted lang="zh"
{
    "Three examples in front: what percentage of the base's replies pass?": "前面放三个例子：基座的回复百分之几合格？",
    "% of replies that pass": "% 的回复合格",
}

# %% prompted
import random

demonstrations = shipped.read("demonstrations")
plain = [row for row in demonstrations if row["style"] == "plain"]
# bare requests: other prompts begin with examples or with their user
plain.sort(key=lambda row: len(row["prompt"] + row["completion"]))
shots = random.Random(0).sample(plain[: len(plain) // 2], 3)
own = [row["completion"] for row in shots]


def after(completions):
    """The base's replies with three answered prompts before each."""
    examples = "".join(
        row["prompt"] + y + "\n\n"
        for row, y in zip(shots, completions, strict=True))
    return cut(answer(base, [examples + x for x in asked])[0])

# %% prompted lang="zh"
{
    "# bare requests: other prompts begin with examples or with their user": "# 只取单纯的要求：别的提示以例子或说话的人开头",
    "The base's replies with three answered prompts before each.": "每条提示之前放三条有回答的提示：基座的回复。",
}

# %% cut
def cut(replies):
    """The replies as far as their first empty line."""
    return [reply.split("\n\n")[0] for reply in replies]


replies["base, cut"] = cut(replies["base"])
replies["prompted"] = after(own)
replies["swapped"] = after(own[1:] + own[:1])

# %% cut lang="zh"
{
    "The replies as far as their first empty line.": "各个回复，到第一个空行为止。",
    "base, cut": "基座，截断",
    "swapped": "对调",
}

# %% judged
from minirlhf.tinytown.judge import judge


def judged(replies):
    return [judge(x, y) for x, y in zip(asked, replies, strict=True)]


def passes(name):
    """One for each reply in which the judge finds nothing wrong."""
    return np.array([float(v.passes) for v in judged(replies[name])])


prompted_guess.reveal(100 * passes("prompted").mean())

# %% judged lang="zh"
{
    "One for each reply in which the judge finds nothing wrong.": "评判者挑不出毛病的回复记一。",
}

# %% knows [markdown]
r"""
Each reply that passes shows an ability from before any fine-tuning. On the town's web, few pages
answer requests, mostly badly; many more only list them.
"""

# %% knows [markdown] lang="zh" of="18cb16ed"
r"""
凡是合格的回复，显出的都是微调之前就有的能力。小镇的网页里，回答要求的很少，多半还答得不好；更多的只列出要求，没有回答。
"""

# %% one-ahead [markdown] defines="prompt mask"
r"""
## One token ahead: what counts in the loss (§3.2, §3.5, C.1)

The paper trained on {paper:table6.sft.train} demonstrations (Table 6). We have {run:counts.demonstrations}, and others *held out*
of training. Our labelers are programs with manners of their own.

A demonstration enters the model as one row of tokens $z$: a start token, the prompt, the completion, an end token. At position $t$ the
model has read $z_0$ to $z_t$, and its logits are about $z_{t+1}$. So before comparing, **drop the last position's logits, and drop
the first token from the targets**. Without this shift, each token would be predicted from itself.

Which positions should count? The paper doesn't say. The common choice, and ours, is the *prompt mask*: the completion counts,
**its end token too**, and the prompt doesn't.

$$
\mathcal L=-\frac{\sum_{i,t} m_{i,t}\,\log\pi(z_{i,t+1}\mid z_{i,0},\dots,z_{i,t})}{\sum_{i,t} m_{i,t}}
$$

Here $i$ is a row of the batch, $\pi$ the model's probability, and $m_{i,t}$ is one if token $t+1$ belongs to the completion or ends it,
else zero. The natural logarithm's unit is the *nat*.
"""

# %% one-ahead [markdown] lang="zh" of="67bf1672"
r"""
## 错开一个词元：什么计入损失（§3.2, §3.5, C.1）

论文用来训练的示范有 {paper:table6.sft.train} 条（表 6）。我们有 {run:counts.demonstrations} 条，另外*留出*（held out）了一些，只用来测量，不用来训练。
我们的标注员是程序，各有各的写法。

一条示范进入模型时是一行词元 $z$：起始符、提示、回复、结束符。到了位置 $t$，模型已经读过 $z_0$ 到 $z_t$，它的 logits 说的是 $z_{t+1}$。
所以比较之前，**要去掉最后一个位置的 logits，再从预测目标里去掉第一个词元**。不这样错开，就成了用每个词元去预测它自己。

哪些位置应当计入？论文没有说。通行的做法是*提示掩码*（prompt mask），我们也这样做：回复计入，**结束符也计入**，提示不计入。

$$
\mathcal L=-\frac{\sum_{i,t} m_{i,t}\,\log\pi(z_{i,t+1}\mid z_{i,0},\dots,z_{i,t})}{\sum_{i,t} m_{i,t}}
$$

其中 $i$ 是批次里的一行，$\pi$ 是模型给出的概率；第 $t+1$ 个词元属于回复时 $m_{i,t}$ 为一，否则为零。对数是自然对数，单位叫 *nat*。
"""

# %% shift
from minirlhf.data.tokenization import encode_demonstrations
from minirlhf.objectives import sft_loss, token_logprobs
from minirlhf.plain.demo import as_pairs

held_out = shipped.read("validation")
one = min(held_out, key=lambda row: abs(len(row["prompt"]) - 30))
((x, y),) = as_pairs(encode_demonstrations(tokenizer, [one], 256))
z = torch.cat([x, y])
with torch.no_grad():
    logits = base(input_ids=z[None]).logits[0]  # a row per position
log_pi = token_logprobs(logits[:-1], z[1:])  # the shift by one token
counts = torch.arange(len(z) - 1) >= len(x) - 1  # from x's last token on
by_hand = sft_loss(log_pi[None], counts[None])

# %% shift lang="zh"
{
    "# a row per position": "# 每个位置一行",
    "# the shift by one token": "# 错开一个词元",
    "# from x's last token on": "# 从 x 的最后一个词元起",
}

# %% shift-table folded="yes"
words = [tokenizer.decode([token]).replace("\n", "⏎") for token in z]
words[0], words[-1] = "START", "END"
edge = len(x) - 1
lesson.table(
    ("position t", "has read up to", "must predict", "counts?",
     "−log π, nats"),
    [(t, words[t], words[t + 1], "yes" if counts[t] else "no",
      f"{-log_pi[t]:.2f}")
     for t in (0, 1, edge - 1, edge, edge + 1, len(z) - 3, len(z) - 2)],
)

# %% shift-table lang="zh"
{
    "position t": "位置 t",
    "has read up to": "读到",
    "must predict": "要预测",
    "counts?": "计入？",
    "−log π, nats": "−log π，nat",
    "yes": "是",
    "no": "否",
}

# %% surprise [markdown]
r"""
The last column says how much the token to predict surprises the base. In the picture, look at the dark bars, the completion's:
which are tall?
"""

# %% surprise [markdown] lang="zh" of="ce1b4133"
r"""
表的最后一列，是待预测的词元让基座觉得有多意外。图中每个词元一根柱子。请看深色的那些，它们属于回复：哪些很高？
"""

# %% surprise-picture folded="yes"
from minirlhf.report.charts import GRID, INK, PALETTE

title = "One demonstration under the base, token by token (live)"
figure, axes = lesson.panels(1, title, lesson.WIDE)
colors = [PALETTE["base"] if counted else GRID for counted in counts]
axes.bar(range(1, len(z)), -log_pi, color=colors)
axes.set_xticks(range(1, len(z)), words[1:], rotation=60, ha="right",
                color=INK)
axes.set(xlabel="token", ylabel="loss of the token, in nats")
odds = float(f"{(-log_pi[-1]).exp():.1g}")
axes.set_title(
    f"mean of the dark bars {by_hand:.2f}; END {-log_pi[-1]:.1f}: a "
    f"probability of one in {odds:,.0f}", fontsize=8.5, loc="left",
)
lesson.show(figure, "Pale bars for the prompt, dark ones for the "
    f"completion; the tallest is {words[1 + int(log_pi.argmin())]}.")

# %% surprise-picture lang="zh"
{
    "One demonstration under the base, token by token (live)": "基座眼里的一条示范，逐个词元（实时）",
    "token": "词元",
    "loss of the token, in nats": "词元的损失，nat",
    "mean of the dark bars {by_hand:.2f}; END {-log_pi[-1]:.1f}: a probability of one in {odds:,.0f}": "深色柱子平均 {by_hand:.2f}；END {-log_pi[-1]:.1f}：概率是 {odds:,.0f} 分之一",
    "Pale bars for the prompt, dark ones for the completion; the tallest is {words[1 + int(log_pi.argmin())]}.": "提示的柱子是浅色，回复的是深色；最高的是 {words[1 + int(log_pi.argmin())]}。",
}

# %% surprise-read [markdown]
r"""
The mean of the dark bars is this demonstration's loss. A tall bar over a word may mark a free choice; one over END says
that the base doesn't expect the reply to be over.

## The loop (C.1)

Here is how `minirlhf/plain/sft.py`, this step in its plainest form, reads a batch of pairs. Find the shift.
"""

# %% surprise-read [markdown] lang="zh" of="9e0682ce"
r"""
深色柱子的平均，就是这条示范的损失。某个词的柱子高，也许只因为这里换一个词也行；
END 的柱子高，说明基座没料到回复到此为止。

## 训练循环（C.1）

`minirlhf/plain/sft.py` 是这一步最朴素的写法。下面是它怎样读一批示范。请找出错开一位的地方。
"""

# %% plain-source
import inspect

from torch.nn.utils import clip_grad_norm_

from minirlhf.plain.sft import (
    batch,
    learning_rate,
    logprobs,
    steps_per_epoch,
)
from minirlhf.presets import PRESETS

print(inspect.getsource(logprobs))

# %% loop-says [markdown]
r"""
`[len(x) - 1 : -1]` starts at the prompt's last token, from which the completion's first is predicted, and drops the last position. The rest of
SFT is a loop: a batch, its loss, the gradient, a step of Adam. The learning rate starts at its peak, without
warm-up, and falls along a cosine to {paper:sft.lr_floor:.0%} of it (C.1).
"""

# %% loop-says [markdown] lang="zh" of="b6ac8878"
r"""
`[len(x) - 1 : -1]` 从提示的最后一个词元开始，回复的第一个词元就是由它预测的；最后一个位置则去掉。SFT 剩下的部分是一个循环：取一批，算损失，
求梯度，走一步 Adam。学习率从最高处开始，没有预热，沿余弦曲线降到最高值的 {paper:sft.lr_floor:.0%}（C.1）。
"""

# %% loop
ours = PRESETS["tinytown"].sft  # batches of 16, a peak rate of 1e-3


def fine_tune(policy, pairs, steps):
    """Supervised fine-tuning of ``policy``, in place: each step's loss."""
    adam = torch.optim.Adam(policy.parameters(), betas=ours.betas)
    losses = []
    for step in range(steps):
        rate = learning_rate(ours, step / steps)
        adam.param_groups[0]["lr"] = rate
        rows = batch(ours, pairs, (), step)  # shuffled; (): no pretraining
        log_pi, mask = logprobs(policy, rows)
        loss = sft_loss(log_pi, mask)
        loss.backward()
        clip_grad_norm_(policy.parameters(), ours.grad_clip)
        adam.step()
        adam.zero_grad()
        losses.append(loss.item())
    return losses

# %% loop lang="zh"
{
    "# batches of 16, a peak rate of 1e-3": "# 每批 16 条，最高学习率 1e-3",
    "# shuffled; (): no pretraining": "# 随机取；()：不用预训练的文本",
    "Supervised fine-tuning of ``policy``, in place: each step's loss.": "就地监督微调 ``policy``：每一步的损失。",
}

# %% predict-loop [markdown] defines="policy"
r"""
A model that writes completions is called a *policy*: at each place it chooses the next token. We let the loop go once over the
demonstrations.

**Predict.** After this pass, what percentage of the policy's replies to new prompts pass?
"""

# %% predict-loop [markdown] lang="zh" of="84165f91"
r"""
写回复的模型又叫*策略*（policy）：写到每一处，由它选择下一个词元。我们让循环把示范过一遍。

**先猜一猜。** 过完这一遍，策略对新提示的回复，百分之几合格？
"""

# %% loop-guess folded="yes"
loop_guess = Prediction(
    "One pass over the demonstrations: what percentage of replies pass?",
    "chapter04.loop", unit="% of replies that pass",
)
loop_guess

# %% loop-guess lang="zh"
{
    "One pass over the demonstrations: what percentage of replies pass?": "把示范过一遍：百分之几的回复合格？",
    "% of replies that pass": "% 的回复合格",
}

# %% loop-run
pairs = as_pairs(encode_demonstrations(tokenizer, demonstrations, 256))
STEPS = lesson.pick(steps_per_epoch(ours, pairs), quick=2)
policy = load_policy(folder, tokenizer)
curve = fine_tune(policy, pairs, STEPS)
replies["one pass"], ended["one pass"] = answer(policy, asked)
loop_guess.reveal(100 * passes("one pass").mean())

# %% loop-run lang="zh"
{
    "one pass": "过一遍",
}

# %% intervals [markdown]
r"""
**Intervals.** Other prompts would have given another share. Draw as many prompts from ours, with replacement,
and take the mean; do so ten thousand times. The middle `95%` of these means are the *interval* (in brackets; `over_prompts`; for
shares, a formula, `proportion`). It covers the luck of the prompts; that of training shows only with other seeds.

**Pairs.** If two intervals lie apart, the models differ. If they overlap, you don't know yet: some prompts are hard for every
model, and that widens both. So subtract prompt by prompt, and take the interval of the mean *difference*. Above zero, it is a
gain. If it includes zero, either model may be the better. One interval in twenty misses the truth by chance.

In the right panel of the next picture, compare the last row with those above.
"""

# %% intervals [markdown] lang="zh" of="fc1fc687"
r"""
**区间。** 换一批提示，比例就会不同。从我们的提示里有放回地抽出同样多条，求平均；这样做一万次。这些平均值里居中的 `95%`，
就是*区间*，写在方括号里（`over_prompts`；比例有现成的公式，用 `proportion`）。它只反映碰巧用了哪些提示；训练本身的偶然，要换随机种子重新训练才看得到。

**配对。** 两个区间若分得开，两个模型就有差别。若有重叠，还说不准：有些提示对哪个模型都难，两个区间都因此变宽。
所以要逐条提示相减，求出*差*的平均，再取它的区间。区间在零以上，就是有提高；区间含零，就哪个模型更好都有可能。每二十个区间里，有一个会碰巧漏掉真值。

下一幅图的右图，请拿最后一行与上面几行比较。
"""

# %% shares
from minirlhf.evaluate.statistics import over_prompts, proportion
from minirlhf.evaluate.statistics import paired_difference as difference


def share(hits):
    return proportion(int(hits.sum()), len(hits))


rows = ("base", "base, cut", "swapped", "prompted", "one pass")
shares = {name: share(passes(name)) for name in rows}

# %% shares lang="zh"
{
    "base, cut": "基座，截断",
    "swapped": "对调",
    "one pass": "过一遍",
}

# %% loop-picture folded="yes"
title = "What one pass over the demonstrations does (live)"
form = 100 * difference(passes("prompted"), passes("swapped"))
parts = ("", f"prompted minus swapped: {form:.1f}")
figure, (left, right) = lesson.panels(2, title, titles=parts)
left.plot(range(1, STEPS + 1), curve, color=PALETTE["sft"], marker=".")
left.set(xlabel="step", ylabel="loss of the batch, nats per token",
         xticks=range(1, STEPS + 1, 3))
lesson.intervals(right, shares, "% of replies that pass")
whose = ("base", "base", "prompted", "prompted", "sft")
for at, line in enumerate(right.lines):  # two lines for each row
    line.set_color(PALETTE[whose[at // 2]])
passing = "; ".join(f"{lesson.called(name)} {100 * found.mean:.0f}%"
                    for name, found in shares.items())
lesson.show(figure, f"The first batch's loss is {curve[0]:.2f}, later ones "
    f"{min(curve[1:]):.2f} to {max(curve[1:]):.2f}. Pass: {passing}.")

# %% loop-picture lang="zh"
{
    "What one pass over the demonstrations does (live)": "把示范过一遍有什么作用（实时）",
    "; ": "；",
    "step": "步",
    "loss of the batch, nats per token": "每批的损失，nat/词元",
    "% of replies that pass": "合格的回复，%",
    "swapped": "对调",
    "prompted minus swapped: {form:.1f}": "“加例子”减“对调”：{form:.1f}",
    "# two lines for each row": "# 每行有两条线",
    "The first batch's loss is {curve[0]:.2f}, later ones {min(curve[1:]):.2f} to {max(curve[1:]):.2f}. Pass: {passing}.": "第一批的损失是 {curve[0]:.2f}，以后各批在 {min(curve[1:]):.2f} 到 {max(curve[1:]):.2f} 之间。合格的回复：{passing}。",
}

# %% pairs
def grades(name):
    return np.array([v.overall for v in judged(replies[name])])


mine, theirs = grades("one pass"), grades("prompted")
other = np.random.default_rng(0).permutation(len(asked))
paired = difference(mine, theirs)
broken = difference(mine, theirs[other])  # each with another prompt's
narrower = 1 - (paired.high - paired.low) / (broken.high - broken.low)

# %% pairs lang="zh"
{
    "one pass": "过一遍",
    "# each with another prompt's": "# 各与另一条提示的",
}

# %% pairs-table folded="yes"
lesson.table(
    ("judge's grade: one pass minus prompted (live)", "difference"),
    [("paired: both on the same prompt", f"{paired:.2f}"),
     ("not paired: each on another prompt", f"{broken:.2f}"),
     ("pairing narrows the interval by", f"{narrower:.0%}")],
)

# %% pairs-table lang="zh"
{
    "judge's grade: one pass minus prompted (live)": "评判者的评分：“过一遍”减“加例子”（实时）",
    "difference": "差",
    "paired: both on the same prompt": "配对：两者用同一条提示",
    "not paired: each on another prompt": "不配对：两者用不同的提示",
    "pairing narrows the interval by": "配对使区间变窄",
}

# %% pairs-read [markdown]
r"""
Pairing changes only the width. If the interval lies above zero, one pass beats three examples. *Prompted* minus *swapped*, above the
picture: if it includes zero, the examples' form may be all that helps. From here on, differences are paired.

## What goes wrong without the end token

Here are three ways of counting:

1. the completion and its end token, as above;
2. the prompt as well: no mask;
3. the completion **without** its end token: an easy slip. If the end token also serves as padding, masking the padding masks the end.

**Predict.** After the third way, what percentage of replies end by themselves, within the limit of tokens?
"""

# %% pairs-read [markdown] lang="zh" of="a1ac6b77"
r"""
配对改变的只是宽度。区间在零以上，就是*过一遍*胜过三个例子。再看图上的*加例子*减*对调*：只要区间还包含零，起作用的也许只是例子的形式。
从这里起，差都是配对的。

## 漏掉结束符会怎样

下面有三种计法：

1. 回复连同结束符，与上面相同；
2. 提示也计入：不用掩码；
3. 回复**不带**结束符。这个错很容易犯：如果拿结束符兼作填充，掩去填充时，也就掩去了结束符。

**先猜一猜。** 用第三种计法训练之后，百分之几的回复会在词元的上限以内自己结束？
"""

# %% predict-end folded="yes"
ends_guess = Prediction(
    "End token left out of the loss: what percentage of replies end?",
    "chapter04.ends", unit="% of replies that end",
)
ends_guess

# %% predict-end lang="zh"
{
    "End token left out of the loss: what percentage of replies end?": "损失里漏掉结束符：百分之几的回复会结束？",
    "% of replies that end": "% 的回复会结束",
}

# %% end-after
unseen = as_pairs(encode_demonstrations(tokenizer, held_out, 256))


@torch.no_grad()
def end_after(policy):
    """The probability of END after each of eighty held-out replies."""
    log_pi, mask = logprobs(policy, unseen[:80])
    return log_pi.exp()[torch.arange(80), mask.sum(1) - 1].numpy()

# %% end-after lang="zh"
{
    "The probability of END after each of eighty held-out replies.": "八十个留出的回复，各自写完之后 END 的概率。",
}

# %% three-ways
ends = {"base": end_after(base), "one pass": end_after(policy)}
ways = {
    # all but the start token counts
    "prompt as well": [(x[:1], torch.cat([x[1:], y])) for x, y in pairs],
    "without its end": [(x, y[:-1]) for x, y in pairs],
}
for name, counted in ways.items():
    tuned = load_policy(folder, tokenizer)
    fine_tune(tuned, counted, STEPS)
    replies[name], ended[name] = answer(tuned, asked)
    ends[name] = end_after(tuned)
ends_guess.reveal(100 * share(ended["without its end"]))

# %% three-ways lang="zh"
{
    "one pass": "过一遍",
    "# all but the start token counts": "# 除了起始符，全都计入",
    "prompt as well": "提示也计入",
    "without its end": "不带结束符",
}

# %% three-ways-look [markdown]
r"""
Compare the last row, the third way, with the two above it. Left: END anywhere within the limit. Right: END's probability right
after a whole held-out reply.
"""

# %% three-ways-look [markdown] lang="zh" of="e1004dc5"
r"""
请拿最后一行（第三种计法）与上面两行比较。左图，END 出现在上限以内的任何地方都算；右图是留出的回复刚刚写完时 END 的概率。
下面的表里，是第三种计法停不下来的两个回复。
"""

# %% three-ways-picture folded="yes"
unmasked = difference(passes("prompt as well"), passes("one pass"))
title = ("What counts in the loss (live)\nreplies that pass: “prompt as "
         f"well” minus “completion and end” {100 * unmasked:.1f}")
parts = ("ends by itself", "passes", "END after a whole reply")
figure, panels = lesson.panels(3, title, titles=parts)
compared = {**{n: n for n in ends}, "one pass": "completion and end"}
three = (lambda name: share(ended[name]), lambda name: share(passes(name)),
         lambda name: over_prompts(ends[name]))
units = ("% of replies", "% of replies", "probability in %")
for axes, of, unit in zip(panels, three, units, strict=True):
    lesson.intervals(axes, {compared[n]: of(n) for n in ends}, unit)
    for line in axes.lines[2:]:
        line.set_color(PALETTE["sft"])
    axes.set(xlim=(-14, 114), xticks=range(0, 101, 25))
    axes.tick_params(labelleft=axes is panels[0])
lesson.show(figure, "; ".join(
    f"{lesson.called(label)}: {100 * ended[name].mean():.1f}% end"
    for name, label in compared.items()))

# %% three-ways-picture lang="zh"
{
    "one pass": "过一遍",
    "prompt as well": "提示也计入",
    "What counts in the loss (live)\nreplies that pass: “prompt as well” minus “completion and end” {100 * unmasked:.1f}": "什么计入损失（实时）\n合格的回复：“提示也计入”减“回复与结束符” {100 * unmasked:.1f}",
    "ends by itself": "自己结束",
    "passes": "合格",
    "END after a whole reply": "回复写完之后的 END",
    "completion and end": "回复与结束符",
    "% of replies": "占回复的 %",
    "probability in %": "概率，%",
    "{lesson.called(label)}: {100 * ended[name].mean():.1f}% end": "{lesson.called(label)}：{100 * ended[name].mean():.1f}% 结束",
    "; ": "；",
}

# %% runs-on folded="yes"
running = [i for i in by_length if not ended["without its end"][i]]
lesson.table(
    ("prompt", "trained without end tokens (live)"),
    [(asked[i], replies["without its end"][i] + " …") for i in running[:2]],
)

# %% runs-on lang="zh"
{
    "without its end": "不带结束符",
    "prompt": "提示",
    "trained without end tokens (live)": "训练时没有结束符（实时）",
}

# %% mask-why [markdown] defines="reward model"
r"""
**Why.** The third loss never asks for END; if END is likelier after a whole reply than under the base (right), that is a side effect. This
loss can't warn you: END isn't in it. Had most replies ended, we would be wrong.

As to the *prompt*: more text may help. The picture's title has the difference; if it includes zero, one run each
can't tell.

## Sixteen epochs, and three who choose (§3.5, C.1)

By held-out loss, the paper's SFT models overfit after *one* epoch of {paper:sft.epochs}. But further epochs still raised people's ratings, and
the score of a *reward model*: a number for how well labelers would like a reply (chapter 05). The authors chose the epoch by that score. So do
we, with the package's `train_sft`: the loop above, made faster, and with *residual dropout* (C.1): of what each layer adds,
{paper:sft.residual_dropout:.0%} is set to zero at random.
"""

# %% mask-why [markdown] lang="zh" of="c732b916"
r"""
**为什么？** 第三种损失从不要求 END；END 的概率若比基座高，也只是训练的副作用。
这个损失提醒不了你，因为里面没有 END。倘若最后一行与上面两行同样常结束，我们就错了。

至于*提示*：没有人请模型写提示，不过提示也是同类的文本，多学一些或许有好处。两者之差写在图的标题里；若包含零，各训练一次还说不清。

## 十六轮，三个挑选者（§3.5, C.1）

论文的 SFT 模型训练了 {paper:sft.epochs} 轮；按留出的损失，过了*一*轮就已过拟合。可是再往后，人的评分还在上升，
*奖励模型*（reward model）的得分也还在上升；这个模型给每个回复一个数，表示标注员会有多喜欢它（第 05 章）。作者按那个得分来选轮。
我们也这样做，用的是程序包的 `train_sft`：循环与上面的一样，但更快，
并且加了*残差 dropout*（residual dropout，C.1）：每一层要加上去的东西，随机取 {paper:sft.residual_dropout:.0%} 置为零。
"""

# %% settings folded="yes"
from minirlhf.paper import value

theirs = PRESETS["paper"].sft
fields = {
    "batch": "demonstrations per step", "learning_rate": "peak rate",
    "floor": "last rate, as a share", "residual_dropout": "dropout",
    "betas": "betas of Adam",
}
rows = [(label, getattr(theirs, f), getattr(ours, f))
        for f, label in fields.items()]
steps = 16 * steps_per_epoch(ours, pairs)
lesson.table(
    ("setting of SFT (C.1)", "the paper, 1.3B", "here"),
    [("epochs", theirs.epochs, 16), *rows,
     ("steps in all", f"{value('sft.steps'):,} (our sum)", steps),
     ("gradient clipped at", "not stated", ours.grad_clip)],
)

# %% settings lang="zh"
{
    "demonstrations per step": "每步的示范数",
    "peak rate": "最高学习率",
    "last rate, as a share": "末尾学习率，占最高的",
    "betas of Adam": "Adam 的 β",
    "setting of SFT (C.1)": "SFT 的设置（C.1）",
    "the paper, 1.3B": "论文，1.3B",
    "here": "这里",
    "epochs": "轮数",
    "steps in all": "总步数",
    "{value('sft.steps'):,} (our sum)": "{value('sft.steps'):,}（我们算的）",
    "gradient clipped at": "梯度裁剪于",
    "not stated": "没有说",
}

# %% run-desk [markdown]
r"""
The *training desk* watches the run. The loss of each step is under dropout; that of the held-out demonstrations, after each epoch,
isn't.
"""

# %% run-desk [markdown] lang="zh" of="69453c0d"
r"""
*训练台*在旁边看着这次训练。浅色是每一步的损失（带 dropout），深色是它的滑动平均；菱形是每一轮之后，留出的示范的损失（不带 dropout）。
"""

# %% desk
from minirlhf.widgets import TrainingDesk, start

EPOCHS = lesson.pick(16, quick=2)
job = start(
    "sft", lesson.workspace("04", f"sft-{EPOCHS}"), model="medium",
    demonstrations=shipped.file("demonstrations"),
    validation=shipped.file("validation"), epochs=EPOCHS, drop_long=True,
)
desk = TrainingDesk(job, note="live")
desk

# %% desk lang="zh"
{
    "live": "实时",
}

# %% choosers [markdown]
r"""
Who chooses the epoch? The held-out loss, the reward model (ours is a shipped run), or people, in whose place we ask the judge? The last two need replies, so each epoch answers further prompts, the *choosing prompts*.

Beware: our reward model learned from replies of an SFT model with the same demonstrations, and may favor epochs that write like that model.

**Predict.** At which epoch is the reward model's mean score highest?
"""

# %% choosers [markdown] lang="zh" of="2417d865"
r"""
选哪一轮，由谁说了算？可以看留出的损失。可以看奖励模型（我们用的是随包运行的）。也可以问人，我们用评判者来代替。奖励模型给的数叫*得分*，评判者给的叫*评分*。
后两者要有回复才行，所以每一轮的模型都回答另外一批提示，即*选轮用的提示*。

要当心：训练奖励模型的，是某个 SFT 模型写的回复，而那个 SFT 模型学的也是这些示范；所以奖励模型可能偏爱与它相像的一轮。评判者则不会。

**先猜一猜。** 奖励模型的平均得分，哪一轮最高？
"""

# %% predict-epoch folded="yes"
epoch_guess = Prediction(
    "Which epoch does the reward model choose?", "chapter04.epoch",
    choices=[str(n) for n in range(1, EPOCHS + 1)],
)
epoch_guess

# %% predict-epoch lang="zh"
{
    "Which epoch does the reward model choose?": "奖励模型选哪一轮？",
}

# %% epochs
from minirlhf.models import ScalarModel
from minirlhf.reward import score_texts
from minirlhf.sampling import complete

job.wait()
desk.look()
rewarding = ScalarModel.load(shipped.run("reward") / "model")
choosing = prompts[len(asked) :][: lesson.pick(160, quick=12)]


def rated(policy, temperature=1.0):  # 1: its own probabilities
    """Score and grade of a reply to each prompt for choosing."""
    texts = complete(policy, tokenizer, choosing, max_new_tokens=LIMIT,
                     seed=4, temperature=temperature)
    score = score_texts(rewarding, tokenizer, choosing, texts).numpy()
    return score, [judge(*both).overall
                   for both in zip(choosing, texts, strict=True)]

# %% epochs lang="zh"
{
    "# 1: its own probabilities": "# 1：就按模型自己的概率",
    "Score and grade of a reply to each prompt for choosing.": "选轮用的每条提示的一个回复：得分和评分。",
}

# %% choice
kept = sorted((job.folder / "epochs").iterdir())
epochs = [load_policy(path, tokenizer) for path in kept]
ratings = [rated(epoch) for epoch in epochs]
score = np.array([of[0] for of in ratings])  # epoch, prompt
grade = np.array([of[1] for of in ratings])
job.reader.look()
loss = np.array(job.reader.series("validation/loss")[1])
choice = {
    "held-out loss": int(loss.argmin()),
    "reward model": int(score.mean(1).argmax()),
    "judge": int(grade.mean(1).argmax()),
}
epoch_guess.reveal(str(1 + choice["reward model"]))

# %% choice lang="zh"
{
    "held-out loss": "留出的损失",
    "reward model": "奖励模型",
    "judge": "评判者",
    "# epoch, prompt": "# 轮，提示",
}

# %% epochs-look [markdown]
r"""
Rings mark the choices, bands are intervals over prompts. Of the score, only differences count.
At which epoch is each curve best?
"""

# %% epochs-look [markdown] lang="zh" of="326845ab"
r"""
圆圈标出各自选的一轮，灰带是对提示取的区间，评判者的曲线是虚线。得分只看相差多少，正负没有意义。每条曲线在哪一轮最好？
"""

# %% epochs-picture folded="yes"
titles = ("loss held out, nats per token", "reward model's score",
          "judge's grade")
figure, panels = lesson.panels(3, "Sixteen epochs (live)", titles=titles)
numbers = np.arange(1, 1 + EPOCHS)
for axes, values in zip(panels[1:], (score, grade), strict=True):
    bands = [over_prompts(value) for value in values]
    axes.fill_between(numbers, [b.low for b in bands],
                      [b.high for b in bands], color=GRID)
curves = (loss, score.mean(1), grade.mean(1))
drawn = zip(panels, curves, choice.values(), ("-", "-", "--"), strict=True)
for axes, curve, best, style in drawn:
    axes.plot(numbers, curve, style, color=INK)
    axes.plot(1 + best, curve[best], "o", ms=10, mfc="none", color=INK)
    axes.set(xlabel="epoch", xticks=numbers[::5])
lesson.show(figure, "Loss, score and grade by epoch; rings at epochs "
    f"{', '.join(str(1 + best) for best in choice.values())}.")

# %% epochs-picture lang="zh"
{
    "loss held out, nats per token": "留出的损失，nat/词元",
    "reward model's score": "奖励模型的得分",
    "judge's grade": "评判者的评分",
    "Sixteen epochs (live)": "十六轮（实时）",
    "epoch": "轮",
    "Loss, score and grade by epoch; rings at epochs {', '.join(str(1 + best) for best in choice.values())}.": "各轮的损失、得分和评分；圆圈所在的轮：{', '.join(str(1 + best) for best in choice.values())}。",
}

# %% worth [markdown]
r"""
How much does the choice gain? The best of sixteen noisy means is partly the luckiest. So each chosen epoch, and the last, now answers the
prompts of the first sections, which took no part.
"""

# %% worth [markdown] lang="zh" of="6c63ae70"
r"""
选对一轮，能好多少？十六个平均都有噪声，其中最好的一个，多少也是运气最好的一个。所以让选出的每一轮和最后一轮再回答前几节的提示，这些提示没有参与选择。
"""

# %% worth-run
chosen = sorted({*choice.values(), EPOCHS - 1})
for at in chosen:
    replies[at], ended[at] = answer(epochs[at], asked)
by_loss, by_score = choice["held-out loss"], choice["reward model"]
worth = {"last epoch": EPOCHS - 1, **choice}
gains = {name: difference(grades(at), grades(by_loss))
         for name, at in worth.items()}
score_on = difference(score[-1], score[by_loss])
grade_on = difference(grade[-1], grade[by_loss])

# %% worth-run lang="zh"
{
    "held-out loss": "留出的损失",
    "reward model": "奖励模型",
    "last epoch": "最后一轮",
}

# %% worth-table folded="yes"
rows = [(name, 1 + at, at) for name, at in worth.items()]
lesson.table(
    ("chosen by (live)", "epoch", "grade on new prompts",
     "minus that of the loss's choice", "% that pass"),
    [(name, epoch, f"{grades(at).mean():.2f}", "–" if at == by_loss
      else f"{difference(grades(at), grades(by_loss)):.2f}",
      f"{100 * share(passes(at)):.0f}") for name, epoch, at in
     (*rows, ("none: the loop's one pass", "–", "one pass"))],
)

# %% worth-table lang="zh"
{
    "chosen by (live)": "由谁选（实时）",
    "epoch": "轮",
    "grade on new prompts": "对新提示的评分",
    "minus that of the loss's choice": "与损失所选那轮之差",
    "% that pass": "% 合格",
    "none: the loop's one pass": "无：循环过一遍",
    "one pass": "过一遍",
}

# %% worth-read [markdown]
r"""
If *last epoch* does as well as the score's choice, the gain is due to training on, not to choosing; a last epoch below zero would have
refuted the paper. The last row is a control: one pass without dropout, whose rate fell to the floor. If it did as well as the last epoch,
the falling rate alone could explain the gain.

## Why they disagree

**Where does the loss rise?** Say that after *Ines found a*, the labeler wrote *coat*. The loss counts *coat* alone; the judge takes *hat*,
too. If labelers write either equally often, probabilities of $0.5$ and $0.5$ cost $0.7$ nats on average; a sure $0.9$ and $0.1$ cost $1.2$. Our guess: the
model grows sure of its own wording, and loses above all on such free words.

To test it, we sort the tokens of held-out completions, each into the first kind that fits: the end token; the forty most common; words copied from the prompt; the *first* of a sentence or line; all the rest, facts too, as the labeler's *own words*. A rise
carried by END or copied words would refute the guess.
"""

# %% worth-read [markdown] lang="zh" of="efbd09bb"
r"""
如果*最后一轮*不比按得分选的一轮差，好处就来自多训练，而不是来自挑选；它的区间若在零以下，“损失上升而评分也上升”就被推翻了。
表的末行是个对照：同样只过一遍，没有 dropout，学习率一直降到了最低（十六轮中的第一轮走完时，它还在最高处附近）。倘若末行与最后一轮一样高，
那么好处也许只是来自学习率的下降。

## 它们为什么意见不一

**损失在哪里上升？** 比如，在 *Ines found a* 之后，标注员写的是 *coat*。损失只认 *coat*，评判者也认 *hat*。如果标注员写这两个词一样常见，给它们 $0.5$ 和 $0.5$ 的概率，
平均付出 $0.7$ nat；很有把握地给 $0.9$ 和 $0.1$，就要付 $1.2$。我们猜：模型对自己的措辞越来越有把握，损失主要就亏在这些可以随意选的词上。

为了检验，我们把留出的回复的词元分类，每个归入第一个合适的类：结束符；最常见的四十个（*the*、*was*、*.*）；从提示照抄的词；
一句或一行的第一个（*句首*）；其余的都算标注员*自己的用词*，事实也在内。如果上升来自 END 或照抄的词，我们就猜错了。
"""

# %% kinds
from collections import Counter

frequent = Counter(token for _, y in pairs for token in y.tolist())
common = {token for token, _ in frequent.most_common(40)}
word = [tokenizer.decode([token]).strip().lower()
        for token in range(len(tokenizer))]


def kinds(x, y):
    before = ["", *(word[t] for t in y[:-1].tolist())]  # "": a new line
    in_prompt = {word[t] for t in x.tolist()}
    return [
        "end" if t == END
        else "common" if t in common
        else "copied" if word[t] in in_prompt
        else "first" if b in {"", ".", "?", "!"} else "own words"
        for t, b in zip(y.tolist(), before, strict=True)
    ]

# %% kinds lang="zh"
{
    "# \"\": a new line": "# \"\"：新的一行",
    "end": "结束符",
    "common": "常见",
    "copied": "照抄",
    "first": "句首",
    "own words": "自己的用词",
}

# %% kinds-losses
unseen.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
unseen = unseen[:: lesson.pick(1, quick=8)]
KINDS = ("own words", "first", "copied", "common", "end")
sorts = [np.array(kinds(x, y)) for x, y in unseen]

# %% kinds-losses lang="zh"
{
    "end": "结束符",
    "common": "常见",
    "copied": "照抄",
    "first": "句首",
    "own words": "自己的用词",
}

# %% kinds-summed
from minirlhf.data.batching import collate
from minirlhf.models import response_logprobs


@torch.no_grad()
def summed(policy):
    """Loss per demonstration and kind of token, in nats."""
    losses = []
    for at in range(0, len(unseen), 40):
        rows = collate(*zip(*unseen[at : at + 40], strict=True), PAD)
        losses += list(-response_logprobs(policy, rows).numpy())
    return [[row[: len(sort)][sort == kind].sum() for kind in KINDS]
            for row, sort in zip(losses, sorts, strict=True)]

# %% kinds-summed lang="zh"
{
    "Loss per demonstration and kind of token, in nats.": "每条示范、每类词元的损失，以 nat 计。",
}

# %% kinds-run
nats = np.array([summed(policy) for policy in epochs])  # epoch, text, kind
size = np.array([[(sort == k).sum() for k in KINDS] for sort in sorts])
per_token = nats.sum(1) / size.sum(0)
rise = nats[-1] - nats[by_loss]  # of each demonstration
per_kind = [over_prompts(column / n) for column, n  # per token
            in zip(rise.T, size.mean(0), strict=True)]
overfit = over_prompts(rise.sum(1) / size.sum(1).mean())
part = rise.sum(0) / (rise.sum() or 1.0)

# %% kinds-run lang="zh"
{
    "# epoch, text, kind": "# 轮，文本，类",
    "# of each demonstration": "# 每条示范的",
    "# per token": "# 每个词元",
}

# %% cooled [markdown]
r"""
**What is sureness good for?** A sure model may draw fewer slips, and one slip can spoil a reply. To test it, make the *early epoch*, the loss's choice,
surer without training: before drawing, divide its logits by a *temperature* of `0.7`.

**Predict.** The cooled early epoch's mean score, compared with the last epoch's at temperature one, is …
"""

# %% cooled [markdown] lang="zh" of="b88f7904"
r"""
**有把握，好在哪里？** 有把握的模型抽词元时，失手也许更少，而一次失手就能毁掉一个回复。为了检验，我们不再训练，直接让*早先的一轮*（损失选的那轮）更有把握：
抽取之前，把它的 logits 除以*温度*（temperature）`0.7`。

**先猜一猜。** 早先的一轮降温以后，平均得分与温度为一的最后一轮相比……
"""

# %% predict-cooled folded="yes"
cooled_guess = Prediction(
    "Early epoch at temperature 0.7, beside the last epoch: its score is …",
    "chapter04.cooled",
    choices=("lower", "no clear difference", "higher"),
)
cooled_guess

# %% predict-cooled lang="zh"
{
    "Early epoch at temperature 0.7, beside the last epoch: its score is …": "早先的一轮温度取 0.7，与最后一轮相比，得分……",
    "lower": "更低",
    "no clear difference": "看不出差别",
    "higher": "更高",
}

# %% cooled-run
TEMPERATURE = 0.7
cool, _ = rated(epochs[by_loss], TEMPERATURE)
warm = {"early epoch": score[by_loss], "early, cooled": cool,
        "last epoch": score[-1]}
warmed = difference(cool, score[by_loss])
against = difference(cool, score[-1])
lower, higher = against.high < 0, against.low > 0
unclear = "no clear difference"
cooled_guess.reveal("lower" if lower else "higher" if higher else unclear)

# %% cooled-run lang="zh"
{
    "early epoch": "早先一轮",
    "early, cooled": "早先，降温",
    "last epoch": "最后一轮",
    "lower": "更低",
    "no clear difference": "看不出差别",
    "higher": "更高",
}

# %% kinds-look [markdown]
r"""
Left: which lines climb? (*Best* is the loss's choice.) Right: how far does cooling alone bring the early epoch?
"""

# %% kinds-look [markdown] lang="zh" of="29296d82"
r"""
左图：哪几条线在往上走？（*最好的一轮*指损失选的那轮。）右图：单靠降温，能把早先的一轮抬高多少？
"""

# %% kinds-picture folded="yes"
title = "Where the loss rises, and what sureness is worth (live)"
parts = ("held-out loss minus the best epoch's, nats per token",
         f"cooled minus early {warmed:.2f},\n"
         f"cooled minus last {against:.2f}")
figure, (left, right) = lesson.panels(2, title, titles=parts)
change, spot = per_token - per_token[by_loss], -np.inf
for place in change[-1].argsort():
    style = ("-", "--", "-.", ":", (0, (1, 3)))[place]
    left.plot(numbers, change[:, place], linestyle=style, color=INK)
    spot = max(change[-1, place], spot + 0.1 * np.ptp(change))
    left.text(1.03 * EPOCHS, spot, KINDS[place], fontsize=8, va="center")
left.set(xlabel="epoch", xlim=(0.5, 1.3 * EPOCHS), xticks=numbers[::5])
found = {name: over_prompts(of) for name, of in warm.items()}
lesson.intervals(right, found, "reward model's score", percent=False)
for line in right.lines:
    line.set_color(PALETTE["sft"])
lesson.show(figure, f"The loss climbs most on {KINDS[place]}. Scores of "
    "the early epoch, of the same cooled, of the last.")

# %% kinds-picture lang="zh"
{
    "Where the loss rises, and what sureness is worth (live)": "损失在哪里上升，把握值多少（实时）",
    "held-out loss minus the best epoch's, nats per token": "留出的损失，与最好的一轮之差，nat/词元",
    "cooled minus early {warmed:.2f},\ncooled minus last {against:.2f}": "“降温”减“早先” {warmed:.2f}，\n“降温”减“最后” {against:.2f}",
    "epoch": "轮",
    "reward model's score": "奖励模型的得分",
    "The loss climbs most on {KINDS[place]}. Scores of the early epoch, of the same cooled, of the last.": "损失上升最多的：{KINDS[place]}。早先一轮、它降温之后、最后一轮的得分。",
}

# %% kinds-table folded="yes"
means = {
    "own words": "wording or facts", "first": "wording",
    "copied": "real damage", "common": "either", "end": "real damage",
}
rows = [
    (kind, f"{n / size.sum():.0%}", f"{before:.2f}", f"{found:.2f}",
     f"{p:.0%}", means[kind] if found.low > 0 else "not seen")
    for kind, n, before, found, p in
    zip(KINDS, size.sum(0), per_token[by_loss], per_kind, part, strict=True)
]
lesson.table(
    ("kind of token (live)", "of all", "loss, best epoch",
     "last epoch minus best", "of the rise", "such a rise is"),
    [*rows, ("all", "100%", f"{loss[by_loss]:.2f}", f"{overfit:.2f}",
             "", "")],
)

# %% kinds-table lang="zh"
{
    "kind of token (live)": "词元的类别（实时）",
    "of all": "占全部",
    "loss, best epoch": "损失，最好的一轮",
    "last epoch minus best": "最后一轮 − 最好的一轮",
    "of the rise": "占上升",
    "such a rise is": "这里上升，说明",
    "not seen": "看不到上升",
    "wording or facts": "说法或内容变了",
    "wording": "说法变了",
    "real damage": "真的变差",
    "either": "两者都可能",
    "own words": "自己的用词",
    "first": "句首",
    "copied": "照抄",
    "common": "常见",
    "end": "结束符",
    "all": "全部",
}

# %% kinds-read [markdown]
r"""
At *own words* and *first*, the labeler could often have chosen another word. But facts are among the *own words*, so the table can't
separate wording from facts. *Copied* words were hardly free: if their row says *real damage*, the model got worse at them while its
replies improved.

In the picture, *cooled minus early* is what sureness alone is worth to the reward model; our guess needs it above zero. If *cooled minus last*
includes zero, cooling may be worth as much as all later epochs.

## What imitation leaves

Take the epoch that the reward model chose, as the paper does. What is still wrong in its replies, and was it wrong in the demonstrations?
"""

# %% kinds-read [markdown] lang="zh" of="0cbf4617"
r"""
在*自己的用词*和*句首*这两类，标注员往往也可以换一个词。但*自己的用词*里还有事实，所以这张表分不出变的是说法，还是事实。
*照抄*的词没有选择的余地：这一行若写着*真的变差*，就是回复在变好的同时，模型抄词的本事变差了。

“降温”减“早先”，说明在奖励模型眼里光凭把握能值多少；要在零以上，才算支持我们的猜测。“降温”减“最后”若包含零，降温也许就抵得上后面的所有轮。

## 模仿留下的错

论文用的是奖励模型选的那一轮，我们也一样。它的回复里还有什么毛病？这些毛病，示范里有没有？
"""

# %% failing
sft = epochs[by_score]
verdicts = {
    "SFT": judged(replies[by_score]),
    "base, cut": judged(replies["base, cut"]),
    "labelers": [judge(row["prompt"], row["completion"])
                 for row in demonstrations],
}
unmet = {
    name: Counter(key for verdict in found
                  for key, met in verdict.criteria.items() if met < 1)
    for name, found in verdicts.items()
}

# %% failing lang="zh"
{
    "base, cut": "基座，截断",
    "labelers": "标注员",
}

# %% failing-table folded="yes"
from minirlhf.widgets.objections import criterion


def extra_misses(key):
    """How much more often SFT misses a criterion than the base, cut."""
    return difference(*(
        np.array([v.criteria.get(key, 1) < 1 for v in found], dtype=float)
        for found in (verdicts["SFT"], verdicts["base, cut"])))


lesson.table(
    ("not met, % of replies (live)", *verdicts, "SFT minus base", ""),
    [(criterion(key), *(f"{100 * unmet[name][key] / len(found):.1f}"
                        for name, found in verdicts.items()),
      f"{100 * (more := extra_misses(key)):.1f}",
      "worse" if more.low > 0 else "better" if more.high < 0 else "open")
     for key, _ in unmet["SFT"].most_common(5)],
)

# %% failing-table lang="zh"
{
    "How much more often SFT misses a criterion than the base, cut.": "SFT 比截断的基座多常达不到一条标准。",
    "base, cut": "基座，截断",
    "not met, % of replies (live)": "没有达到，% 的回复（实时）",
    "SFT minus base": "SFT 减基座",
    "worse": "更差",
    "better": "更好",
    "open": "看不出",
}

# %% playground
from minirlhf.widgets import Playground

playground = Playground(
    {"base": (base, tokenizer), "sft": (sft, tokenizer)},
    judge=judge, prompt="Give me three ideas for a gift for Ines.", seed=1,
)
playground.answer(playground.prompt)
playground

# %% playground lang="zh"
{
    "Give me three ideas for a gift for Ines.": None,
}

# %% own-errors [markdown]
r"""
An error that is rare in the labelers' column is SFT's own. If its reply misses something, find the word that does it: one *him* where
the town says *her*, or one idea too few, spoils a reply that otherwise reads like a labeler's. Then ask for something of your own. (Where
the table says *worse*, the base may be too unreadable to be wrong.)

The loss pushes down every word but the labeler's, a good synonym as much as a fatal mistake. Of
words that the model writes itself it says nothing.

Does the model know better than it writes? Let it answer prompts four times each, and pair the replies that pass with those that fail.
We ask the reward model, too; part of any lead is built in: its labelers, programs, start from the judge's grade.

**Predict.** In what percentage of a prompt's pairs, on average, does SFT give the right reply the higher log-probability?
"""

# %% own-errors [markdown] lang="zh" of="85ec6fdc"
r"""
标注员那一列里少见的错，是 SFT 自己的错。上图里 SFT 的回复若有未满足的，请找出是哪个词坏了事：小镇称 *her* 的人，回复写成 *him*，或者少给一个主意，
就足以毁掉一个别处都像出自标注员之手的回复。然后请亲自向两个模型提一个要求。（表里说*更差*的地方，也许是因为基座写得通的句子太少，连错的机会也没有。）

损失只看标注员写的词。每到一处，它都把别的词一律往下压，不管是贴切的同义词，还是致命的错误。至于模型自己写出的词，损失什么也没有说。

模型会不会其实分得出好坏，只是没有写好？让它把每条提示回答四次，凡是一个合格、一个不合格的，就组成一个*回复对*。
我们也问奖励模型。它若领先，有一部分不算本事：为它作比较的标注员也是程序，本来就从评判者的评分出发。

**先猜一猜。** 逐条提示看，平均在百分之几的回复对里，SFT 给合格的那个更高的对数概率？
"""

# %% predict-likelier folded="yes"
likelier_guess = Prediction(
    "One passes, one fails: how often is the right one the likelier?",
    "chapter04.likelier", unit="% of pairs",
)
likelier_guess

# %% predict-likelier lang="zh"
{
    "One passes, one fails: how often is the right one the likelier?": "一个合格，一个不合格：合格的那个概率更高的，占百分之几？",
    "% of pairs": "% 的回复对",
}

# %% four-each
TIMES = 4
some = np.repeat(asked[: lesson.pick(120, quick=24)], TIMES).tolist()
drawn = complete(sft, tokenizer, some, max_new_tokens=LIMIT, seed=11)
both = list(zip(some, drawn, strict=True))
is_right = np.array([judge(x, y).passes for x, y in both])
rows = [{"prompt": x, "completion": y} for x, y in both]
rows = encode_demonstrations(tokenizer, rows, 256)  # adds END
with torch.no_grad():
    likely = [response_logprobs(sft, collate([x], [y], PAD))[0]
              for x, y in rows]
signals = {
    "log-probability": np.array([float(row.sum()) for row in likely]),
    "per token": np.array([float(row.mean()) for row in likely]),
    "reward model": score_texts(rewarding, tokenizer, some, drawn).numpy(),
}

# %% four-each lang="zh"
{
    "# adds END": "# 加上 END",
    "log-probability": "对数概率",
    "per token": "每个词元",
    "reward model": "奖励模型",
}

# %% in-order
def in_order(signal):
    """Of each prompt with both, the share of pairs in the right order."""
    shares = []
    for values, passed in zip(signal.reshape(-1, TIMES),
                              is_right.reshape(-1, TIMES), strict=True):
        gap = values[passed][:, None] - values[~passed]
        if gap.size:
            shares.append(np.mean((gap > 0) + 0.5 * (gap == 0)))
    return np.array(shares)


ordered = {name: in_order(signal) for name, signal in signals.items()}
extra = difference(ordered["reward model"], ordered["per token"])
likelier_guess.reveal(100 * over_prompts(ordered["log-probability"]))

# %% in-order lang="zh"
{
    "Of each prompt with both, the share of pairs in the right order.": "合格、不合格都有的提示，各自的回复对有多少次序正确。",
    "log-probability": "对数概率",
    "per token": "每个词元",
    "reward model": "奖励模型",
}

# %% in-order-look [markdown]
r"""
Only prompts with replies of both kinds count. A coin is right in half of the pairs. (*Per token* divides by the reply's length, since
longer replies are less likely.) How far is likelihood from the coin, and how far from the reward model?
"""

# %% in-order-look [markdown] lang="zh" of="15ad6950"
r"""
只算两种回复都有的提示。抛硬币的话，次序有一半正确。（*每个词元*是除以回复的长度，因为回复越长，概率总是越低。）按概率来排，比抛硬币强多少？离奖励模型又有多远？
"""

# %% in-order-picture folded="yes"
title = "Right replies put before wrong ones (live)"
figure, axes = lesson.panels(1, title, (5.4, 2.7))
found = {name: over_prompts(of) for name, of in ordered.items()}
unit = "% of a prompt's pairs, mean over prompts"
lesson.intervals(axes, found, unit)
for line in axes.lines[:4]:
    line.set_color(PALETTE["sft"])
axes.axvline(50, color=INK, linewidth=0.8)
axes.set_xlim(left=min(40, axes.get_xlim()[0]))
axes.text(50.5, 2.3, "a coin", fontsize=8, va="center")
count = len(ordered["per token"])
axes.set_title(
    f"{count} prompts; reward model minus per token: {100 * extra:.1f}",
    fontsize=8.5, loc="left",
)
ranked = ", ".join(f"{n} {100 * f.mean:.0f}%" for n, f in found.items())
lesson.show(figure, f"Pairs in the right order: {ranked}; a coin has half.")

# %% in-order-picture lang="zh"
{
    "Right replies put before wrong ones (live)": "把合格的回复排在不合格的前面（实时）",
    "% of a prompt's pairs, mean over prompts": "每条提示中次序正确的回复对，%，再取平均",
    "a coin": "抛硬币",
    ", ": "，",
    "per token": "每个词元",
    "{count} prompts; reward model minus per token: {100 * extra:.1f}": "{count} 条提示；“奖励模型”减“每个词元”：{100 * extra:.1f}",
    "Pairs in the right order: {ranked}; a coin has half.": "次序正确的回复对：{ranked}；抛硬币有一半正确。",
}

# %% in-order-read [markdown] defines="comparison"
r"""
The reward model learned from *comparisons*: of two replies that a model wrote, a person says which is better. A comparison can say
*not this*, of a whole reply. A lead not above zero would have refuted us.

More demonstrations also help. Trained on four times as many, for as many epochs, SFT passes on a further {run:models.sft-4x.gain.mean:.1%}
[{run:models.sft-4x.gain.low:.1%}, {run:models.sft-4x.gain.high:.1%}] of all prompts (shipped runs). But no demonstration says *not this*.
Chapter 05 turns comparisons into a model.
"""

# %% in-order-read [markdown] lang="zh" of="861436d6"
r"""
奖励模型学的是*成对比较*（comparison）：模型写出两个回复，人说出哪个更好。成对比较可以说*不要这个*，而且针对的是整个回复。倘若它的领先不在零以上，我们就错了。

多些示范也有用：示范增加到四倍，训练同样多轮，与 SFT 相比，全部提示中又有 {run:models.sft-4x.gain.mean:.1%}
[{run:models.sft-4x.gain.low:.1%}, {run:models.sft-4x.gain.high:.1%}] 得到合格的回复（随包运行）。但没有哪条示范会说*不要这个*。第 05 章把成对比较变成一个模型。
"""

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter04.")

# %% summary [markdown]
r"""
## Summary

Ten statements of the paper were written down before any run, in eleven rows. Each difference is turned so that
above zero agrees with the paper: *seen*; below: *the opposite*, refuted; else *open*. *Base* is cut, but not in the last
row. One run each, so intervals are over prompts, not seeds.
"""

# %% summary [markdown] lang="zh" of="82a2c51c"
r"""
## 小结

在任何运行之前，我们写下了论文的十个说法（关于例子的那个占两行）。每个差都这样定方向：大于零就与论文一致。
区间在零以上，记作*看到*；在零以下，记作*相反*，也就是推翻；其余是*看不出*。*基座*都是截断了的，只有末行没有截断。每个模型只训练一次，所以区间是对提示而言的，不是对种子。
"""

# %% tax
from minirlhf.evaluate.probing import run_probe
from minirlhf.tinytown.tax import TAX

# Texts of the kind that the base read, to go on with
COUNT = lesson.pick(15, quick=2)  # items of each of the tasks
items = [item for probe in TAX.values() for item in probe(COUNT)]
tax_base, tax_sft = (run_probe(model, tokenizer, items)
                     for model in (base, sft))


def meets(name, key):
    """One for each reply that meets the judge's criterion."""
    found = judged(replies[name])
    return np.array([float(v.criteria.get(key, 0) == 1) for v in found])

# %% tax lang="zh"
{
    "# Texts of the kind that the base read, to go on with": "# 基座读过的那类文本，让模型接着写",
    "# items of each of the tasks": "# 每种任务的题数",
    "One for each reply that meets the judge's criterion.": "达到评判者这条标准的回复记一。",
}

# %% criteria
from minirlhf.tinytown.requests import parse

# Prompts that give a text, to which a reply must add nothing
closed = np.array([bool(parse(x).passage) for x in asked])
models = (by_score, "base, cut")
source = [meets(name, "source")[closed] for name in models]
asks = [meets(name, "instruction") for name in models]

# %% criteria lang="zh"
{
    "# Prompts that give a text, to which a reply must add nothing": "# 附有文本的提示，回复不得给文本添东西",
    "base, cut": "基座，截断",
}

# %% seen
grade_of = {name: grades(name)
            for name in (by_score, "base, cut", "prompted")}
percent = [
    difference(passes(by_score), passes("base, cut")),
    difference(passes(by_score), passes("prompted")),
    difference(*asks),
    difference(*source),
    difference(tax_base, tax_sft),
]
shown = [
    overfit, score_on, grade_on, gains["reward model"],
    difference(grade_of["prompted"], grade_of["base, cut"]),
    difference(grade_of[by_score], grade_of["prompted"]),
    *(100 * found for found in percent),
]

# %% seen lang="zh"
{
    "base, cut": "基座，截断",
    "reward model": "奖励模型",
}

# %% statements folded="yes"
from minirlhf.paper import cite


def paper(key, *models):
    return " → ".join(str(cite(f"{key}.{model}")) for model in models)


statements = [
    (f"held-out loss, last epoch minus lowest ({1 + by_loss})", "best: 1"),
    ("score on choosing prompts, last epoch minus loss's", "rises"),
    ("grade on choosing prompts, last epoch minus loss's", "ratings rise"),
    ("grade, score's choice minus loss's", "score chooses"),
    ("grade, prompted minus base", paper("fig5", "gpt", "prompted")),
    ("grade, SFT minus prompted", paper("fig5", "prompted", "sft")),
    ("% pass, SFT minus base", paper("fig1.1.3b", "gpt", "sft")),
    ("% pass, SFT minus prompted", paper("fig1.1.3b", "prompted", "sft")),
]

# %% statements lang="zh"
{
    "held-out loss, last epoch minus lowest ({1 + by_loss})": "留出的损失，末轮减最低（第 {1 + by_loss} 轮）",
    "best: 1": "最好：第 1 轮",
    "score on choosing prompts, last epoch minus loss's": "选轮用的提示上的得分，末轮减损失选的一轮",
    "rises": "上升",
    "grade on choosing prompts, last epoch minus loss's": "选轮用的提示上的评分，末轮减损失选的一轮",
    "ratings rise": "评分上升",
    "grade, score's choice minus loss's": "评分，按得分选的一轮减按损失选的一轮",
    "score chooses": "按得分选",
    "grade, prompted minus base": "评分，“加例子”减基座",
    "grade, SFT minus prompted": "评分，SFT 减“加例子”",
    "% pass, SFT minus base": "% 合格，SFT 减基座",
    "% pass, SFT minus prompted": "% 合格，SFT 减“加例子”",
}

# %% more-statements folded="yes"
tax = "table14.{}.zero.175b"
statements += [
    ("% of the kind asked for, SFT minus base",
     paper("fig4.appropriate", "gpt", "sft")),
    ("% that add nothing, where a text is given, SFT minus base",
     f"adds: {paper('fig4.hallucination', 'gpt', 'sft')}"),
    (f"% right on {len(TAX)} tasks of the base, base minus SFT",
     f"SQuADv2: {paper(tax.format('squadv2'), 'gpt', 'sft')}; "
     f"DROP: {paper(tax.format('drop'), 'gpt', 'sft')}"),
]

# %% more-statements lang="zh"
{
    "% of the kind asked for, SFT minus base": "% 是所要的东西，SFT 减基座",
    "% that add nothing, where a text is given, SFT minus base": "% 没有给文本添东西（只算附有文本的提示），SFT 减基座",
    "adds: {paper('fig4.hallucination', 'gpt', 'sft')}": "添了：{paper('fig4.hallucination', 'gpt', 'sft')}",
    "% right on {len(TAX)} tasks of the base, base minus SFT": "{len(TAX)} 种基座本来就会的任务，% 答对，基座减 SFT",
}

# %% directions folded="yes"
lesson.table(
    ("statement (live)", "the paper", "this page", "verdict"),
    [(label, theirs, f"{found:.2f}" if place < 6 else f"{found:.1f}",
      lesson.verdict(found)) for place, ((label, theirs), found)
     in enumerate(zip(statements, shown, strict=True))],
)

# %% directions lang="zh"
{
    "statement (live)": "说法（实时）",
    "the paper": "论文",
    "this page": "本页",
    "verdict": "结论",
}

# %% summary-read [markdown]
r"""
The paper's numbers: epochs from §3.5 and C.1; ratings of seven, largest models (Fig. 5); wins of the smallest models against the largest SFT
(Fig. 1); shares of replies, sizes pooled (Fig. 4); accuracy of the largest models without examples (Table 14). Compare directions.

The last row is SFT's price: above zero, the base is better at tasks in the form of its own texts, such as quizzes (SQuADv2 and DROP
ask about a text). SFT may have lost the skill, or reply where it should go on.

SFT makes replying a habit, and ending, too. Which epoch to keep depends on whom you ask: the loss counts one labeler's words, the judge
takes others as well. Demonstrations can't show a model its own mistakes.

## Questions

**The loss looks fine. Replies are right, and then go on to a second question. Which line do you read first?**

<details><summary>Answer</summary>

The one that makes the targets: is the end token appended, and does the mask keep it?

</details>

**What would change if every demonstration weighed the same in the loss, rather than every token?**

<details><summary>Answer</summary>

A token of a short completion would push harder than one of a long one.

</details>

**The intervals of two epochs overlap. Do you report that they don't differ?**

<details><summary>Answer</summary>

No. Report the paired difference, on prompts by which you didn't choose.

</details>

**Held-out loss rises, and so does the share of replies that pass. What would you measure before you worry?**

<details><summary>Answer</summary>

The loss by kind of token. On free words a rise may be no more than sureness; on copied words or the end token it is damage, even
if more replies pass.

</details>

## The way on

- [Exercises 04](../exercises/ex04_sft.ipynb): the masked loss, a model that never stops, a model that knows nothing, position ids.
- [Chapter 05](05_reward_model.ipynb): the reward model.

**A lecture of thirty minutes.** The base's table and the picture of one demonstration (ten); the loop, and training without the end token
(ten); sixteen epochs, three choosers (ten).

**A lab of sixty minutes.** The page as far as the desk (twenty-five); the masked loss and the model that never stops
(twenty-five); then change `TEMPERATURE` or add to `ways`, predict, run again (ten).
"""

# %% summary-read [markdown] lang="zh" of="6f066f25"
r"""
论文的数：轮数出自 §3.5 和 C.1；满分七分的评分，取最大的模型（图 5）；胜率取最小的模型，对手是最大的 SFT（图 1）；回复的比例，各种大小的模型合在一起算（图 4）；
准确率取最大的模型，不给例子（表 14）。请只比较方向。

末行是 SFT 的代价：在零以上，就是基座更会做它读过的那类文本形式的题，例如接着写一份测验。（SQuADv2 和 DROP 是就一段给定的文本提问。）
SFT 也许丢了这份本事，也许是在该往下写的地方作起了回复。

SFT 使回复成为习惯，也使结束成为习惯。留哪一轮，取决于你问谁：损失只认某一位标注员的用词，评判者也认别的。示范没有办法让模型看到自己的错误。

## 思考题

**损失看上去正常。回复是对的，可是答完又接着写第二个问题。你最先去看哪一行代码？**

<details><summary>答案</summary>

生成目标的那一行：结束符接上了吗，掩码把它留下了吗？

</details>

**如果损失先在每条示范内取平均，再对各条示范取平均，会有什么变化？**

<details><summary>答案</summary>

短回复的一个词元，推力会比长回复的大。

</details>

**两轮的区间有重叠。你会报告说它们没有差别吗？**

<details><summary>答案</summary>

不会。应该报告配对的差，而且所用的提示，不能是拿来选轮的那些。

</details>

**留出的损失上升了，合格的比例也上升了。先别着急，你会先量什么？**

<details><summary>答案</summary>

按词元的类别来量损失。在可以随意选的词上，上升也许只是更有把握；若是在照抄的词或结束符上，就是真的变差，哪怕合格的更多了。

</details>

## 接下来

- [本章的练习](../../exercises/zh/ex04_sft.ipynb)：带掩码的损失，停不下来的模型，一无所知的模型，位置编号。
- [第 05 章](05_reward_model.ipynb)：奖励模型。

**讲课，三十分钟。** 基座的表与一条示范的图，十分钟；循环，以及漏掉结束符会怎样，十分钟；十六轮，以及挑选者为什么意见不一，十分钟。

**实验课，六十分钟。** 从开头做到训练台，二十五分钟；练习里带掩码的损失和停不下来的模型，二十五分钟；然后改动 `TEMPERATURE`，或在 `ways` 里加一种计法，
先猜，再运行一遍，十分钟。
"""
