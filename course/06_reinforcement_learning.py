# ---
# jupyter:
#   minirlhf:
#     paper: §3.5, §4.1, Eq. 2, C.2, C.3, C.4
#     doing_minutes: 30
# ---

# %% title [markdown]
r"""
# Chapter 06 · Reinforcement learning

A reward model says how good a whole reply is. It doesn't say which word made it good, and the dice that chose the words have no
derivative. How, then, does one number at the end of a reply move the weights that wrote it?

After this chapter you can

- work out a policy gradient by hand, and say what a baseline changes and what it leaves alone;
- write the loop that improves a language model's replies from nothing but their scores;
- split the paper's objective, Eq. 2, into a reward for each token, and say how much each token deserves;
- read the loop of the paper's step 3, and say what each line is for;
- train a policy with the package, and find out whether it became better.
"""

# %% title [markdown] lang="zh" of="daf88255"
r"""
# 第 06 章 · 强化学习

奖励模型只说整个回复有多好，不说好在哪个词上。词又是掷骰子选出来的，而骰子没有导数。那么，回复末尾的一个数，怎样才能用来调整写出这个回复的权重？

学完本章，你将能够

- 亲手算出策略梯度，并说出基线改变什么、不改变什么；
- 写出一个循环，只凭得分就让语言模型的回复变好；
- 把论文的目标（式 2）拆成每个词元的奖励，并说出每个词元有多少功劳；
- 读懂论文第 3 步的循环，并说出每一行的用处；
- 用程序包训练一个策略，并查明它有没有变好。
"""

# %% arms [markdown]
r"""
## A bandit with three arms (§3.5)

*Name a gift for Ines.* Suppose that a *policy*, a model that draws replies, knows only three: *a scarf*, *a ring*, *a stone*. It says
*scarf* with probability one fifth, *ring* with one half, *stone* with three tenths. The reward model scores them five, four and three.
One question, one reply, one score: the paper calls this a *bandit*, after the *one-armed bandit*, a slot machine. Each reply is an arm.

The policy is a softmax over three logits $\phi$: arm $a$ has probability $\pi_a$ and score $r_a$. What should grow is $J$, the mean score.
The derivative of a softmax is $\partial\pi_c/\partial\phi_a=\pi_c\,(\mathbf 1[a=c]-\pi_a)$, where $\mathbf 1[\cdot]$ is one if the bracket
is true and zero if not. So

$$J=\sum_a\pi_a\,r_a,\qquad \frac{\partial J}{\partial\phi_a}=\pi_a\,(r_a-J).$$

An arm rises if it pays more than the policy gets on average. Of two arms equally far from that average, the one chosen more often
moves faster. Work out the three numbers on paper first. Which arms rise, and which falls?
"""

# %% arms [markdown] lang="zh" of="b5c329c1"
r"""
## 三个臂的老虎机（§3.5）

*Name a gift for Ines.*（给 Ines 想一样礼物。）假设有一个*策略*（policy），也就是写回复的模型，它只会三个回复：*a scarf*、*a ring*、*a stone*。
它说 *scarf* 的概率是五分之一，说 *ring* 的是二分之一，说 *stone* 的是十分之三。奖励模型给它们打五分、四分、三分。
一个问题，一个回复，一个得分：论文把这叫作 *bandit*。这个词来自 *one-armed bandit*（独臂强盗），也就是老虎机。每个回复是一个臂。

策略是三个 logit $\phi$ 的 softmax：臂 $a$ 的概率是 $\pi_a$，得分是 $r_a$。要提高的是 $J$，即平均得分。softmax 的导数是
$\partial\pi_c/\partial\phi_a=\pi_c\,(\mathbf 1[a=c]-\pi_a)$，其中 $\mathbf 1[\cdot]$ 在括号里的条件成立时为一，否则为零。所以

$$J=\sum_a\pi_a\,r_a,\qquad \frac{\partial J}{\partial\phi_a}=\pi_a\,(r_a-J).$$

一个臂的得分高于策略的平均，它的 logit 就上升，低于平均就下降；离平均一样远的两个臂，常被选中的那个动得快。请先在纸上算出这三个数。哪些臂上升，哪个下降？
"""

# %% by-hand
import torch
import torch.nn.functional as F

r = torch.tensor([5.0, 4.0, 3.0])  # scores of scarf, ring, stone
phi = torch.tensor([0.2, 0.5, 0.3]).log().requires_grad_()
pi = phi.softmax(0)
J = (pi * r).sum()
J.backward()
pi, J = pi.detach(), J.detach()  # numbers from here on
by_hand = pi * (r - J)

# %% by-hand lang="zh"
{
    "# scores of scarf, ring, stone": "# scarf、ring、stone 的得分",
    "# numbers from here on": "# 从这里起只是数",
}

# %% by-hand-table folded="yes"
from minirlhf import lesson

arm_names = "scarf", "ring", "stone"
lesson.table(("arm", "π", "r", f"r − J, with J = {J:.1f}", "by hand",
              "by autograd"), [
    (name, f"{pi[a]:.1f}", f"{r[a]:.0f}", f"{r[a] - J:+.1f}",
     f"{by_hand[a]:+.3f}", f"{phi.grad[a]:+.3f}")
    for a, name in enumerate(arm_names)])

# %% by-hand-table lang="zh"
{
    "arm": "臂",
    "r − J, with J = {J:.1f}": "r − J，其中 J = {J:.1f}",
    "by hand": "手算",
    "by autograd": "自动求导",
}

# %% sampled [markdown] defines="advantage"
r"""
### From a sum to a draw

The sum runs over all arms. A language model has more replies than anyone can list; we can only draw some. One identity helps:
a derivative is the thing itself times the derivative of its logarithm, so

$$\nabla J=\sum_a r_a\,\nabla\pi_a=\sum_a\pi_a\;r_a\nabla\log\pi_a=\mathbb E_{a\sim\pi}\big[\,r_a\,\nabla\log\pi_a\,\big]$$

Draw an arm, and multiply the gradient of its log-probability by its score: on average that is the gradient of $J$, the *policy
gradient*. The dice need no derivative, and neither does the reward model.

A single draw is noisy, though. All three scores are positive, so *whichever* arm is drawn becomes likelier. The remedy is to subtract a
number $b$ from the score, the *baseline*. It may be any number that doesn't depend on the draw, since then the mean of the estimate stays
where it was:

$$\mathbb E_{a\sim\pi}\big[\,b\,\nabla\log\pi_a\,\big]=b\sum_a\nabla\pi_a=b\,\nabla 1=0.$$

What is left, the score minus the baseline, is the *advantage* of the arm: how much better it turned out than expected.
"""

# %% sampled [markdown] lang="zh" of="1db478ee"
r"""
### 从求和到抽样

求和要走遍所有的臂。语言模型的回复多得列不完，我们只能抽一些。好在有一个恒等式：一个量的梯度，等于这个量本身乘以“它的对数的梯度”，于是

$$\nabla J=\sum_a r_a\,\nabla\pi_a=\sum_a\pi_a\;r_a\nabla\log\pi_a=\mathbb E_{a\sim\pi}\big[\,r_a\,\nabla\log\pi_a\,\big]$$

抽一个臂，用它的得分去乘它的对数概率的梯度：平均起来，这就是 $J$ 的梯度，也就是*策略梯度*（policy gradient）。骰子不需要导数，奖励模型也不需要。

不过，只抽一次，噪声很大。三个得分都是正的，所以抽到*哪个*臂，哪个臂就变得更可能。
补救的办法是从得分里减去一个数 $b$，叫*基线*（baseline）。只要它与抽到什么无关，取什么数都行，因为估计的平均不会变：

$$\mathbb E_{a\sim\pi}\big[\,b\,\nabla\log\pi_a\,\big]=b\sum_a\nabla\pi_a=b\,\nabla 1=0.$$

得分减去基线，剩下的就是这个臂的*优势*（advantage）：结果比预期好多少。
"""

# %% estimates
def estimates(b, n, seed=0):
    """n estimates of the gradient, each from one drawn arm: [n, 3]."""
    dice = torch.Generator().manual_seed(seed)
    arm = torch.multinomial(pi, n, replacement=True, generator=dice)
    slope = F.one_hot(arm, 3) - pi  # gradient of log π of that arm
    return (r[arm] - b)[:, None] * slope


def variance(b):
    """Mean squared distance of a single estimate from the gradient."""
    return (estimates(b, 20_000) - phi.grad).square().sum(-1).mean()


bs = torch.linspace(0, 8, 33)
curve = [float(variance(b)) for b in bs]
plain, centred = float(variance(0)), float(variance(J))

# %% estimates lang="zh"
{
    "n estimates of the gradient, each from one drawn arm: [n, 3].": "梯度的 n 个估计，每个只凭抽到的一个臂：[n, 3]。",
    "# gradient of log π of that arm": "# 这个臂的 log π 的梯度",
    "Mean squared distance of a single estimate from the gradient.": "单个估计到梯度的距离的平方，取平均。",
}

# %% variance-guess
from minirlhf.widgets import Prediction

guess_variance = Prediction(
    "Subtract b = J, the mean score. By which factor does the variance "
    "of an estimate shrink?", "06.variance", unit="times smaller", low=0)
guess_variance

# %% variance-guess lang="zh"
{
    "Subtract b = J, the mean score. By which factor does the variance of an estimate shrink?": "从得分里减去平均得分 b = J。不减时估计的方差，是减了之后的几倍？",
    "times smaller": "倍",
}

# %% variance-answer
guess_variance.reveal(plain / centred)

# %% learn-text [markdown]
r"""
Does that help learning? The next cell trains two hundred copies of this policy, with and without a baseline, here a running mean of the
scores. If it were of no use, both bands in the picture would be equally wide.
"""

# %% learn-text [markdown] lang="zh" of="7bd0f8b2"
r"""
这对学习有帮助吗？下一格训练这个策略的两百个副本，有基线和没有基线各训练一遍；基线取得分的滑动平均。如果基线没有用，图中的两条带子就该一样宽。
"""

# %% learn


def learn(with_baseline, steps=200, copies=200, rate=0.1):
    """The mean score J of each copy after each step: [steps, copies]."""
    phi = pi.log().repeat(copies, 1)
    dice, b = torch.Generator().manual_seed(1), torch.zeros(copies)
    found = []
    for _ in range(steps):
        p = phi.softmax(-1)
        arm = torch.multinomial(p, 1, generator=dice)[:, 0]
        A = r[arm] - b if with_baseline else r[arm]
        phi = phi + rate * A[:, None] * (F.one_hot(arm, 3) - p)
        b = b + 0.1 * (r[arm] - b)  # known before the next draw
        found.append(phi.softmax(-1) @ r)
    return torch.stack(found)


runs = {"no baseline": learn(False), "baseline": learn(True)}

# %% learn lang="zh"
{
    "The mean score J of each copy after each step: [steps, copies].": "每步之后每个副本的平均得分 J：[步数, 副本数]。",
    "# known before the next draw": "# 下次抽取之前已知",
    "no baseline": "没有基线",
    "baseline": "有基线",
}

# %% variance-look [markdown]
r"""
Left, the variance for every baseline: is it smallest near $J$? Right, the mean score of the copies while they learn; each band holds nine in ten, the
paler one without a baseline.
"""

# %% variance-look [markdown] lang="zh" of="425357d0"
r"""
左图是每个基线对应的方差：是不是在 $J$ 附近最小？右图是各副本在学习过程中的平均得分，每一步都有九成的副本落在带子里；
颜色较浅的带子没有基线。
"""

# %% variance-picture folded="yes"
from minirlhf.report.charts import INK, MUTED, PALETTE

figure, (left, right) = lesson.panels(2, "What a baseline changes (live)",
    titles=("Variance of one estimate", "Mean score while learning"))
left.plot(bs, curve, color=INK)
for b, size, word in ((0, plain, "b = 0"), (float(J), centred, "b = J")):
    left.plot(b, size, "o", color=INK)
    left.text(b + 0.3 - b / 3, size + b / 4, f"{word}: {size:.3g}", size=8)
left.set(xlabel="baseline b", ylabel="variance", ylim=(0, None))
for (name, found), style in zip(runs.items(), ("--", "-"), strict=True):
    low, mid, high = found.quantile(torch.tensor([0.05, 0.5, 0.95]), dim=1)
    at, shade = range(1, len(mid) + 1), 0.1 if style == "--" else 0.3
    right.plot(at, mid, style, color=INK, label=f"{name}, median")
    right.fill_between(at, low, high, color=INK, alpha=shade, linewidth=0)
right.set(xlabel="step", ylabel="J")
right.legend(fontsize=7.5, loc="lower right")
lesson.show(figure, "Left, a parabola of the variance over the baseline, "
            "right, bands of the mean score with and without a baseline.")

# %% variance-picture lang="zh"
{
    "What a baseline changes (live)": "基线改变什么（实时）",
    "Variance of one estimate": "一个估计的方差",
    "Mean score while learning": "学习过程中的平均得分",
    "b = 0": None,
    "b = J": None,
    "baseline b": "基线 b",
    "variance": "方差",
    "{name}, median": "{name}，中位数",
    "step": "步",
    "lower right": None,
    "Left, a parabola of the variance over the baseline, right, bands of the mean score with and without a baseline.": "左图，方差随基线变化的抛物线；右图，有基线和没有基线时平均得分的带子。",
}

# %% learn-table folded="yes"
lesson.table(("live", "mean score at the end, mean of all copies",
              "copies that end below 4.5"), [
    (name, f"{last.mean():.2f}", f"{(last < 4.5).float().mean():.0%}")
    for name, last in ((name, found[-1]) for name, found in runs.items())])

# %% learn-table lang="zh"
{
    "live": "实时",
    "mean score at the end, mean of all copies": "结束时的平均得分，对所有副本平均",
    "copies that end below 4.5": "结束时低于 4.5 的副本",
}

# %% replies [markdown]
r"""
## One prompt, whole replies

Now a real model plays the guide of Tinytown, the course's invented town. A guest says *You are a lazy fool.* The arms are the model's
replies. A reply's probability is the product of its tokens' probabilities, so its logarithm is a sum:

$$\log\pi(y\mid x)=\sum_t\log\pi(y_t\mid x,y_{<t})$$

We load two models of the package's *shipped run*, a long one made beforehand: the reward model of step 2, and the policy from which
step 3 starts (C.3). To make it, the *base* model, pretrained on plain text, was trained on demonstrations mixed with some of that text.
Then we open two functions of `minirlhf/plain/ppo.py`.
"""

# %% replies [markdown] lang="zh" of="2c5d59d2"
r"""
## 一个提示，完整的回复

现在换成真的模型。它在我们虚构的小镇 Tinytown 当向导。有位客人说：*You are a lazy fool.*（你这个懒惰的傻瓜。）臂就是模型的各个回复；变的只是规模。
一个回复的概率等于它各个词元的概率之积，所以取对数就成了和：

$$\log\pi(y\mid x)=\sum_t\log\pi(y_t\mid x,y_{<t})$$

我们从程序包的*随包运行*（事先做好的一次长时间运行）里读入两个模型：第 2 步的奖励模型，以及第 3 步的起始策略（C.3）。后者是这样来的：
取只在普通文本上预训练过的*基座模型*，用示范来微调，数据里再掺一些预训练文本。接下来打开 `minirlhf/plain/ppo.py` 里的两个函数。
"""

# %% load
from minirlhf import shipped
from minirlhf.models import ScalarModel, never_sampled
from minirlhf.plain.ppo import logprobs, respond, scores, values
from minirlhf.pretrained import load_policy, load_tokenizer

tokenizer = load_tokenizer(shipped.run("initial") / "model")
initial = load_policy(shipped.run("initial") / "model", tokenizer)
reward = ScalarModel.load(shipped.run("reward") / "model").classifier
never = never_sampled(tokenizer, initial)  # padding and its like
banned = torch.zeros(len(never)).masked_fill(never, -torch.inf)

# %% load lang="zh"
{
    "# padding and its like": "# 填充之类",
}

# %% opened
import inspect

print(inspect.getsource(respond), inspect.getsource(logprobs), sep="\n")

# %% opened-text [markdown]
r"""
- `respond` draws from `models.policy` until `eos`, the token that ends a reply. `u` is uniform between zero and one; the token drawn is
  the first whose cumulative probability exceeds it.
- `logprobs` says how likely the drawn tokens were. The model's output at one position predicts the *next* token; hence the slice,
  which begins one before the reply and ends one before its end.

`respond` reads the whole text again for each token. We take the package's `sample`, which draws the same tokens but caches what it has
read. The loop below is the *REINFORCE* of Williams (1992), the bandit's estimate line by line: draw replies, score them,
subtract their mean, step.
"""

# %% opened-text [markdown] lang="zh" of="4d320c2a"
r"""
- `respond` 从 `models.policy` 抽词元，抽到结束回复的词元 `eos` 为止。`u` 是零到一之间均匀分布的数；累积概率最先超过它的词元，就是抽到的词元。
- `logprobs` 给出抽到的词元的对数概率。模型在一个位置上的输出，预测的是*下一个*词元；所以切片从回复的前一个位置开始，到回复末尾的前一个位置为止。

`respond` 每抽一个词元，都要把全文重读一遍。我们改用程序包的 `sample`：它抽出的词元相同，但会缓存读过的内容。
下面的循环就是 Williams (1992) 的 *REINFORCE*，一行一行都对应着老虎机的那个估计：抽回复，打分，减去平均，更新一次。
"""

# %% answer
from minirlhf.data.tokenization import encode_prompts
from minirlhf.randomness import generator
from minirlhf.sampling import sample


def answer(policy, xs, *draw, longest=48):
    """Pairs (x, y) of ids: a reply to each prompt; draw names the dice."""
    u = torch.rand(len(xs), longest, generator=generator(0, *draw))
    drawn = sample(policy, [x.tolist() for x in xs], u, suppress=never,
                   eos_token_id=tokenizer.eos_token_id,
                   pad_token_id=tokenizer.pad_token_id)
    return list(zip(xs, map(torch.tensor, drawn.ids()), strict=True))


text = "Talk to the guest.\nGuest: You are a lazy fool.\nGuide:"
x = torch.tensor(encode_prompts(tokenizer, [text])[0])

# %% answer lang="zh"
{
    "Pairs (x, y) of ids: a reply to each prompt; draw names the dice.": "(x, y) 对，都是词元编号：每个提示一个回复；draw 说明用哪副骰子。",
    "Talk to the guest.\nGuest: You are a lazy fool.\nGuide:": None,
}

# %% reinforce
import copy


def reinforce(reward_of, seed, steps=12, n=12, rate=3e-4):
    """Improve the replies to x; the policy, and what each step drew."""
    policy, log = copy.deepcopy(initial), []
    adam = torch.optim.Adam(policy.parameters(), lr=rate)
    for step in range(steps):
        pairs = answer(policy, [x] * n, "reinforce", seed, step)
        new, _ = logprobs(policy, pairs, banned)  # [n, tokens]
        with torch.no_grad():
            R = reward_of(pairs, new)  # [n], one for each reply
        A = R - R.mean()
        loss = -(A * new.sum(-1)).mean()
        loss.backward()
        adam.step()
        adam.zero_grad()
        log.append((pairs, new.detach()))
    return policy, log

# %% reinforce lang="zh"
{
    "Improve the replies to x; the policy, and what each step drew.": "改进对 x 的回复；返回策略，以及每步抽到的回复。",
    "# [n, tokens]": "# [n, 词元]",
    "# [n], one for each reply": "# [n]，每个回复一个",
}

# %% different-guess
guess_different = Prediction(
    "At its last step the policy answers this guest twelve times. How many "
    "different replies are among them, on average over the runs?",
    "06.different", unit="replies", low=0, high=12)
guess_different

# %% different-guess lang="zh"
{
    "At its last step the policy answers this guest twelve times. How many different replies are among them, on average over the runs?": "在最后一步，策略给这位客人十二个回复。去掉重复后，有几种回复（对各次运行取平均）？",
    "replies": "种回复",
}

# %% run-reinforce
def by_score(pairs, new):
    return scores(reward, pairs)


seeds = range(lesson.pick(3, quick=2))  # quick: in tests only
steps = lesson.pick(24, quick=3)
free = [reinforce(by_score, seed, steps) for seed in seeds]

# %% run-reinforce lang="zh"
{
    "# quick: in tests only": "# quick：只在检查代码时用",
}

# %% courses


@torch.no_grad()
def course(log):
    """Mean score and number of different replies of each step."""
    return torch.tensor([
        (scores(reward, pairs).mean(),
         len({tuple(y.tolist()) for _, y in pairs})) for pairs, _ in log])


courses = torch.stack([course(log) for _, log in free])  # [seeds, steps, 2]

# %% courses lang="zh"
{
    "Mean score and number of different replies of each step.": "每一步的平均得分，和回复的种数。",
    "# [seeds, steps, 2]": "# [种子, 步, 2]",
}

# %% different-answer
last = courses[:, -1, 1]
each_run = ", ".join(f"{kinds:.0f}" for kinds in last)
guess_different.reveal(float(last.mean()), f"live; each run: {each_run}")

# %% different-answer lang="zh"
{
    ", ": "，",
    "live; each run: {each_run}": "实时；各次运行：{each_run}",
}

# %% reinforce-look [markdown]
r"""
Left, does the score rise in each run? A mean of twelve is noisy: look at the trend. Right, does the variety shrink? The answer above is the
mean of the runs. The table shows the first run's worst, middling and best reply, before and after. The mean can rise without a better best
one, if bad replies become rarer.
"""

# %% reinforce-look [markdown] lang="zh" of="5b321f63"
r"""
左图：每次运行的得分都上升吗？十二个的平均会跳动，请看趋势。右图：回复的花样变少了吗？各次运行可能不同，上面的答案是它们的平均。
下表是第一次运行的回复，训练前后各三个：最差的、中间的、最好的。最好的回复不必变得更好，只要差的变少，平均就会上升。
"""

# %% reinforce-picture folded="yes"
figure, (left, right) = lesson.panels(
    2, "REINFORCE on one prompt (live)",
    titles=("Mean score of twelve replies", "Different ones among them"))
for number, run in enumerate(courses):
    for axes, line in ((left, run[:, 0]), (right, run[:, 1])):
        axes.plot(range(1, len(line) + 1), line, ("-", "--", ":")[number],
                  color=INK, label=f"run {number + 1}")
        axes.set_xlabel("step")
        axes.locator_params(axis="x", integer=True)
left.set_ylabel("score")
right.set(ylabel="replies", ylim=(0, 12.5), yticks=range(0, 13, 3))
right.legend(fontsize=7.5, loc="lower left")
lesson.show(figure, "Left, the mean score over the steps, a line for each "
    "run. Right, how many of the twelve replies differ, over the steps.")

# %% reinforce-picture lang="zh"
{
    "REINFORCE on one prompt (live)": "一个提示上的 REINFORCE（实时）",
    "Mean score of twelve replies": "十二个回复的平均得分",
    "Different ones among them": "其中有几种回复",
    "run {number + 1}": "第 {number + 1} 次运行",
    "lower left": None,
    "step": "步",
    "score": "得分",
    "replies": "回复数",
    "Left, the mean score over the steps, a line for each run. Right, how many of the twelve replies differ, over the steps.": "左图，各步的平均得分，每次运行一条线；右图，各步的十二个回复里有几种。",
}

# %% reinforce-replies folded="yes"
rows = []
for when, (pairs, _) in (
        ("first step", free[0][1][0]), ("last step", free[0][1][-1])):
    said = [tokenizer.decode(y, skip_special_tokens=True) for _, y in pairs]
    with torch.no_grad():
        by = sorted(zip(scores(reward, pairs).tolist(), said, strict=True))
    rows += [(when, place, reply.strip(), f"{score:+.2f}")
             for place, (score, reply) in (
                 ("worst", by[0]), ("middle", by[len(by) // 2]),
                 ("best", by[-1]))]
lesson.table(("live", "of twelve", "reply", "score"), rows)

# %% reinforce-replies lang="zh"
{
    "first step": "第一步",
    "last step": "最后一步",
    "worst": "最差",
    "middle": "中间",
    "best": "最好",
    "live": "实时",
    "of twelve": "十二个之中",
    "reply": "回复",
    "score": "得分",
}

# %% reinforce-why [markdown]
r"""
**Why the mean of the batch is a fair baseline.** It contains the reply's own score, so it isn't quite independent of the draw. On average
that only shrinks the gradient by one part in `n`.

**Why nobody plots this loss.** Its gradient is right, its value means little: with the mean as baseline it is minus the covariance of
score and log-probability within the batch, which may have either sign for any policy.
"""

# %% reinforce-why [markdown] lang="zh" of="45b11ab6"
r"""
**为什么可以拿这一批的平均作基线？** 平均里含有这个回复自己的得分，所以与抽到什么并非完全无关。平均起来，这只让梯度缩小 `n` 分之一。

**为什么没有人画这个损失？** 它的梯度是对的，它的值却没有多少意义：以平均为基线，它就是这一批里得分与对数概率的协方差，再取负。
策略好也罢，坏也罢，它都可正可负。
"""

# %% price [markdown] defines="KL divergence; PPO-ptx"
r"""
## The price of leaving (Eq. 2)

A policy that follows scores alone goes wherever *this* reward model sends it. But the reward model was trained on replies such as step 1
writes. Far from those its scores are guesses, and some may be too high (chapter 07). So Eq. 2 charges for going away:

$$
J(\phi)=\mathbb E_{x,\,y\sim\pi}\Big[\,r_\theta(x,y)-\beta\,\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]
$$

- The first term is the **score**, as before; $\theta$ are the reward model's weights. $\phi$ are now all the policy's
  weights, and $J$ is more than the mean score.
- The second is the **charge**. The reference $\pi^{\rm SFT}$, named after supervised fine-tuning (step 1), is a frozen copy of the
  policy's start, here `initial`. The mean of the log-ratio is the *KL divergence* of the policy from the reference, in *nats*, the unit
  of natural logarithms. $\beta$ is the **price** of a nat, in units of the score: {paper:ppo.beta} in the paper,
  {run:counts.ppo_beta} in our shipped run.
- The third **rehearses** pretraining text, $D_{\rm pretrain}$. With it the paper says *PPO-ptx*, without it, as in this page's runs, PPO
  (see below). Its weight is called $\gamma$, in most books a discount on later rewards, which the paper doesn't use.

Where does the price lead? At the best policy no arm may be worth more than another once its charge is paid, or it would still pay to
shift probability there. (Differentiating the charge leaves one more term, $-\beta$, the same for every arm.) So
$r_a-\beta\log(\pi_a/\pi^{\rm SFT}_a)$ is the same number for all arms, which means

$$\pi^*_a\;\propto\;\pi^{\rm SFT}_a\,\exp(r_a/\beta)$$

The best policy is the start, tilted by the scores: little at a large price; as the price goes to zero, the best arm takes all. The next
cell compares the formula with gradient ascent. The one after it puts the price into the loop above: only `reward_of` changes. Its $\beta$
is five times the shipped run's, so that two dozen steps can show an effect.
"""

# %% price [markdown] lang="zh" of="0d8969f0"
r"""
## 偏离起点的代价（式 2）

策略如果只追求得分，*这个*奖励模型把它引到哪里，它就走到哪里。可是奖励模型只见过第 1 步的模型写出的那类回复。离这类回复远了，得分就只是猜测，有些可能偏高（第 07 章）。
所以式 2 规定，偏离起点要付费：

$$
J(\phi)=\mathbb E_{x,\,y\sim\pi}\Big[\,r_\theta(x,y)-\beta\,\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]
$$

- 第一项是**得分**，与前面相同；$\theta$ 是奖励模型的权重。$\phi$ 不再是三个 logit，而是整个策略的权重；$J$ 也不再只是平均得分。
- 第二项是**费用**。参考模型 $\pi^{\rm SFT}$ 得名于监督微调（第 1 步），是策略起点的冻结副本，在这里就是 `initial`。对数比的平均是策略相对参考模型的 *KL 散度*（KL divergence），
  单位是 *nat*，即自然对数的单位。$\beta$ 是每个 nat 的**价格**，以得分为单位：论文取 {paper:ppo.beta}，我们的随包运行取 {run:counts.ppo_beta}。
- 第三项**复习**预训练文本 $D_{\rm pretrain}$。有这一项，论文叫 *PPO-ptx*；没有，就叫 PPO（循环见后文），本页用的就是 PPO。它的权重记作 $\gamma$。在多数书里，
  这个字母是给后来的奖励打的折扣，论文并不打折。

价格会把策略引向哪里？如果策略已经最好，扣掉费用以后，各个臂就同样划算；要不然，把概率挪到更划算的臂上，还能再得利。
（对费用求导还会多出一项 $-\beta$，每个臂都一样，可以略去。）所以 $r_a-\beta\log(\pi_a/\pi^{\rm SFT}_a)$ 对所有的臂是同一个数，也就是

$$\pi^*_a\;\propto\;\pi^{\rm SFT}_a\,\exp(r_a/\beta)$$

最好的策略，是起点按得分倾斜之后的样子：价格高，就倾斜得少；价格趋于零，最好的臂便独占全部概率。下一格拿这个公式与梯度上升比较。
再下一格把价格放进前面的循环，改动的只有 `reward_of`。那里的 $\beta$ 是随包运行的五倍，这样更新二十几次就能看出作用。
"""

# %% tilt


def tilted(beta):
    return (pi.log() + r / beta).softmax(0)


def ascended(beta, steps=400):
    """Gradient ascent on Eq. 2 for the three arms."""
    phi = pi.log().requires_grad_()
    adam = torch.optim.Adam([phi], lr=0.05)
    for _ in range(steps):
        p = phi.softmax(0)
        loss = -(p * (r - beta * (p.log() - pi.log()))).sum()
        loss.backward()
        adam.step()
        adam.zero_grad()
    return phi.softmax(0).detach()


gap = max((tilted(b) - ascended(b)).abs().max() for b in (0.5, 1.0, 4.0))
print(f"largest difference to the formula: {gap:.3f}")

# %% tilt lang="zh"
{
    "Gradient ascent on Eq. 2 for the three arms.": "对三个臂，沿式 2 的梯度上升。",
    "largest difference to the formula: {gap:.3f}": "与公式的最大差别：{gap:.3f}",
}

# %% priced
from minirlhf.presets import PRESETS

ours = PRESETS["tinytown"].ppo  # as the shipped run
beta = 5 * ours.beta  # score per nat


def priced(pairs, new):
    """The bracket of Eq. 2, a number for each reply."""
    reference, _ = logprobs(initial, pairs, banned)
    return scores(reward, pairs) - beta * (new - reference).sum(-1)


held = [reinforce(priced, seed, steps) for seed in seeds]

# %% priced lang="zh"
{
    "# as the shipped run": "# 与随包运行相同",
    "# score per nat": "# 每个 nat 扣多少得分",
    "The bracket of Eq. 2, a number for each reply.": "式 2 的方括号，每个回复一个数。",
}

# %% landed
n = lesson.pick(48, quick=8)


@torch.no_grad()
def landed(policy):
    """KL, score and share of different ones, of n fresh replies to x."""
    pairs = answer(policy, [x] * n, "landed")
    new, _ = logprobs(policy, pairs, banned)
    reference, _ = logprobs(initial, pairs, banned)
    kinds = {tuple(y.tolist()) for _, y in pairs}
    return [(new - reference).sum(-1).mean(),
            scores(reward, pairs).mean(), len(kinds) / n]


groups_of = {"start": [initial], "β = 0": [run[0] for run in free],
             f"β = {beta:g}": [run[0] for run in held]}
places = {name: torch.tensor([landed(policy) for policy in them])
          for name, them in groups_of.items()}

# %% landed lang="zh"
{
    "KL, score and share of different ones, of n fresh replies to x.": "对 x 的 n 个新回复：KL、得分、回复的种类（占比）。",
    "start": "起点",
    "β = 0": None,
}

# %% frontier-text [markdown]
r"""
The formula holds for whole replies too. So the best policy can be known without training: sample
replies from the reference, and weight each by $\exp(r/\beta)$. That gives its score and KL for every price. No policy can lie above that
line, except by the luck of the samples; towards the right it rests on ever fewer.
"""

# %% frontier-text [markdown] lang="zh" of="dfe3ad67"
r"""
上面的推理对完整的回复同样成立。所以不必训练，就能知道最好的策略：从参考模型采样回复，每个按 $\exp(r/\beta)$ 加权，
就得到每个价格下的得分和 KL。撇开抽样误差，没有策略能高出这条线。越往右，这条线所凭的样本越少，只能算粗略的参照。
"""

# %% frontier
pairs = answer(initial, [x] * lesson.pick(240, quick=48), "frontier")
with torch.no_grad():
    s = scores(reward, pairs)
betas = beta * torch.logspace(3.0, -1.3, 60)
weights = (s / betas[:, None]).softmax(-1)  # π* over these replies;
# the reference has each with weight 1 / len(s)
best_score = weights @ s
best_kl = (weights * (weights * len(s)).clamp(min=1e-9).log()).sum(-1)

# %% frontier lang="zh"
{
    "# π* over these replies;": "# 这些回复上的 π*；",
    "# the reference has each with weight 1 / len(s)": "# 参考模型给每个的权重都是 1 / len(s)",
}

# %% price-look [markdown]
r"""
Left, the best policy on three arms: read it from the right, where it is the start. Right, where the real policies ended, a mark for each
run. Do those with a price stay left? Had it done nothing, the marks would lie mixed. The grey triangle is the best at their price. The
square belongs on the line's left end; with so few replies, chance moves it and every other mark.

Runs with a price maximised *score − β × KL*. In theory a price costs score and keeps replies different. If the table's last row
says otherwise, the free runs moved far and stayed below the line: that trade isn't seen here.
"""

# %% price-look [markdown] lang="zh" of="1fbddf21"
r"""
左图是三个臂的最好策略：请从右边读起，那里就是起点。右图是真实的策略在那个提示上停在哪里，一个标记是一次运行。
有价格的是否停在左边？价格若不起作用，两种标记就会混在一起。灰色实心三角，是在这个价格下可能达到的最好。
起点的方块本应落在线的左端；回复这么少，它会因偶然而偏离，其他标记也是。

有价格的运行要提高的，是*得分 − β × KL*。按理说，价格会让得分低一些，回复的花样多一些。
下面表格的最后一行如果相反，那是因为没有价格的运行虽然走得远，却远远低于灰线，这里也就看不到这种取舍。
"""

# %% price-picture folded="yes"
figure, (left, right) = lesson.panels(
    2, "What the price does (live)", size=(7.2, 3.0),
    titles=("Best policy on three arms", "Score and KL on one prompt"))
grid = torch.logspace(-1, 1.5, 60)
best = torch.stack([tilted(b) for b in grid])
for a, style in enumerate(("-", "--", ":")):
    left.plot(grid, best[:, a], style, color=INK, label=arm_names[a])
left.set(xscale="log", xlabel="β (log axis)", ylabel="probability")
right.plot(best_kl, best_score, color=MUTED, label="best possible")
right.set(xlabel="KL, nats per reply", ylabel="score")
for (name, found), mark in zip(places.items(), "so^", strict=True):
    color = PALETTE["initial"] if name == "start" else INK
    right.plot(found[:, 0], found[:, 1], mark, color=color, label=name,
               fillstyle="none" if mark == "^" else "full")

# %% price-picture lang="zh"
{
    "What the price does (live)": "价格的作用（实时）",
    "Best policy on three arms": "三个臂上的最好策略",
    "Score and KL on one prompt": "一个提示上的得分和 KL",
    "β (log axis)": "β（对数轴）",
    "probability": "概率",
    "best possible": "可能的最好",
    "KL, nats per reply": "KL，每个回复的 nat 数",
    "score": "得分",
    "start": "起点",
}

# %% price-shown folded="yes"
own = int((betas - beta).abs().argmin())
right.plot(best_kl[own], best_score[own], "^", color=MUTED, zorder=3,
           label=f"best at β = {beta:g}")
for axes in (left, right):
    axes.legend(fontsize=7.5)
lesson.show(figure, "Left, probabilities of three arms over β. Right, "
    "score over KL for runs with and without a price, and the line of "
    "the best possible policies.")

# %% price-shown lang="zh"
{
    "best at β = {beta:g}": "β = {beta:g} 时的最好",
    "Left, probabilities of three arms over β. Right, score over KL for runs with and without a price, and the line of the best possible policies.": "左图，三个臂的概率随 β 变化；右图，有价格和没有价格的运行的得分与 KL，以及可能的最好策略那条线。",
}

# %% price-table folded="yes"
from minirlhf.evaluate.statistics import over_seeds


def columns(found):
    kl, score, kinds = found.T
    return torch.stack([kl, score, score - beta * kl, kinds])


_, at_no_price, at_price = map(columns, places.values())
lesson.table(("live, mean over the runs", "KL, nats", "score",
              f"score − {beta:g} × KL", f"different, as a share of {n}"), [
    *((name, *(f"{mean:.2f}" for mean in columns(found).mean(1)))
      for name, found in places.items()),
    (f"β = {beta:g} minus β = 0, with interval over runs",
     *(f"{over_seeds(d):+.2f}" for d in at_price - at_no_price))])

# %% price-table lang="zh"
{
    "live, mean over the runs": "实时，对各次运行平均",
    "KL, nats": "KL，nat",
    "score": "得分",
    "score − {beta:g} × KL": "得分 − {beta:g} × KL",
    "different, as a share of {n}": "不同的回复，占 {n} 个的比例",
    "β = {beta:g} minus β = 0, with interval over runs": "β = {beta:g} 减 β = 0，连同各次运行的区间",
}

# %% tokens [markdown]
r"""
### Token by token

The logarithm of a product is a sum, so the charge need not wait for the end. Every token can pay its own part, and its *reward* $R_t$ is:

$$R_t=-\beta\,\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ is the last token}]\;r_\theta(x,y)$$

The log-ratio of a single token is called `k1`. It may be negative; its mean, the KL, can't be. Below are the package's lines, then one
reply of a trained policy with what each token pays. A reply's rewards add up to the bracket of Eq. 2; as a check, we compare the means.
"""

# %% tokens [markdown] lang="zh" of="9ed903d5"
r"""
### 逐个词元

积的对数是和，所以费用不必等到最后才付。每个词元都可以付自己的那一份，它的*奖励* $R_t$ 就是：

$$R_t=-\beta\,\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ 是最后一个词元}]\;r_\theta(x,y)$$

单个词元的对数比叫作 `k1`。它可以为负；它的平均就是 KL，不会为负。下面是程序包里计算这些奖励的几行代码，然后是训练过的策略的一个回复，列出每个词元付多少。
一个回复的奖励加起来，就是式 2 的方括号；为了核对，我们比较两者的平均。
"""

# %% shaped
from minirlhf.objectives import rlhf_objective, shaped_rewards

pairs = answer(held[0][0], [x] * 12, "shaped")
with torch.no_grad():
    new, mask = logprobs(held[0][0], pairs, banned)  # mask: True on y
    reference, _ = logprobs(initial, pairs, banned)
    given = (scores(reward, pairs), new, reference, mask, beta)
R = shaped_rewards(*given)  # [12, tokens]
gap = R.sum(-1).mean() - rlhf_objective(*given)
head, _, body = inspect.getsource(shaped_rewards).split('"""')
print(head.rstrip(" r"), body.strip("\n"), sep="")
print(f"mean sum of rewards, minus the bracket of Eq. 2: {abs(gap):.0e}")

# %% shaped lang="zh"
{
    "# mask: True on y": "# mask：在 y 上为真",
    "# [12, tokens]": "# [12, 词元]",
    "mean sum of rewards, minus the bracket of Eq. 2: {abs(gap):.0e}": "奖励之和的平均，减式 2 方括号的平均：{abs(gap):.0e}",
}

# %% shaped-table folded="yes"
row = int(mask.sum(-1).sub(9).abs().argmin())
T = int(mask[row].sum())
named = [tokenizer.decode([t]).strip() or "⏎" for t in pairs[row][1]]
named[-1] = "END"
k1 = new - reference
lesson.table(("live", *named), [
    ("log-ratio k1", *(f"{v:+.3f}" for v in k1[row, :T])),
    (f"−{beta:g} × k1", *(f"{v:+.3f}" for v in -beta * k1[row, :T])),
    ("score r", *[""] * (T - 1), f"{given[0][row]:+.3f}"),
    ("reward R", *(f"{v:+.3f}" for v in R[row, :T]))])

# %% shaped-table lang="zh"
{
    "live": "实时",
    "log-ratio k1": "对数比 k1",
    "score r": "得分 r",
    "reward R": "奖励 R",
}

# %% value [markdown] defines="value model"
r"""
## Which token earned it? (C.2, C.4)

A reply scores badly. REINFORCE pushes all its words down alike. It would be better to know, before each word, what score
was to be expected: the word at which the expectation falls is to blame.

The *value model* predicts that: $V_t$ is the reward still to come, judged from the prompt and the tokens before $t$. It is a network like
the reward model, read at every position instead of the last, and it learns by regression. In the next cells nothing is charged, so the
score that came in the end is the target for every token. The paper's value model starts as a copy of the reward model.

**Why from the reward model?** It knows what makes a reply good; a fresh head (a new last layer) on the policy has yet to find out. But it
was only read at the last token; its number for an unfinished reply has meant nothing so far. Which weighs more? We train both starts on
the same replies in the same order, and measure the squared error on each batch *before* learning from it.
"""

# %% value [markdown] lang="zh" of="223e081d"
r"""
## 是哪个词元的功劳？（C.2, C.4）

一个回复得分很低，REINFORCE 就把它所有的词一律往下压。要是在每个词之前都知道该期望多少分，就好办得多：期望得分跌在哪个词上，就怪哪个词。

*价值模型*（value model）预测的正是这个：$V_t$ 是对后面奖励之和的估计，只看提示和 $t$ 之前的词元。它的网络与奖励模型一样，只是在每个位置都读出一个数，
而不是只读最后一个；它靠回归来学习。下面几格不收费用，所以最后得到的得分，就是每个词元处要预测的目标。论文的价值模型从奖励模型的副本出发。

**为什么从奖励模型出发？** 它知道回复好在哪里；而策略上新装的头（最后一层），还得自己去摸索。但是过去只在最后一个词元处读它，它对没写完的回复给出的数，至今没有意义。
哪一点更要紧？我们让两种起点按同样的次序学同样的回复，在每一批上都*先*量平方误差，*再*从中学习。
"""

# %% value-guess
answers = "at first and later", "later only", "at first only", "never"
guess_start = Prediction(
    "When does the value model that starts from the reward model predict "
    "better than one that starts from the policy, with a fresh head?",
    "06.start", choices=answers)
guess_start

# %% value-guess lang="zh"
{
    "at first and later": "起初和后来",
    "later only": "只在后来",
    "at first only": "只在起初",
    "never": "从不",
    "When does the value model that starts from the reward model predict better than one that starts from the policy, with a fresh head?": "一个价值模型从奖励模型出发，另一个从策略出发，装上新的头。前者什么时候预测得更好？",
}

# %% told
texts = [row["prompt"] for row in shipped.read("prompts-ppo")]
encoded = map(torch.tensor, encode_prompts(tokenizer, texts))
guests = [ids for ids, t in zip(encoded, texts, strict=True)
          if t.count("Guest:") == 1 and t.endswith("Guide:")]
# nearly every guest twice
many = (guests * 2)[: lesson.pick(288, quick=48)]
told = answer(initial, many, "told")
with torch.no_grad():
    came = scores(reward, told)  # what each reply brought, at its end

# %% told lang="zh"
{
    "# nearly every guest twice": "# 几乎每位客人两次",
    "# what each reply brought, at its end": "# 每个回复末尾得到的分",
}

# %% learn-value
from minirlhf.objectives import value_loss
from minirlhf.randomness import permutation


def learn_value(value, seed, batch=16, rate=1e-3):
    """Regress V on what came; the error on each batch, measured before."""
    adam, errors = torch.optim.Adam(value.parameters(), lr=rate), []
    for rows in permutation(len(told), seed, "value").split(batch):
        pairs = [told[i] for i in rows]
        V = values(value, pairs)  # [batch, tokens]
        lengths = torch.tensor([len(y) for _, y in pairs])
        mask = torch.arange(V.shape[1]) < lengths[:, None]
        target = came[rows, None].expand_as(V)
        # now, before, target, mask; without a clip it is half the square
        loss = value_loss(V, V, target, mask, clip=None)
        loss.backward()
        adam.step()
        adam.zero_grad()
        errors.append(2 * loss.item())
    return value, errors

# %% learn-value lang="zh"
{
    "Regress V on what came; the error on each batch, measured before.": "让 V 回归到实际得分；返回每批在学习之前的误差。",
    "# [batch, tokens]": "# [批次, 词元]",
    "# now, before, target, mask; without a clip it is half the square": "# 现值、旧值、目标、mask；不裁剪时是平方的一半",
}

# %% starts
def from_policy(seed):
    """The policy's network with a new head."""
    return ScalarModel.from_policy(initial, tokenizer, seed).classifier


copied = [learn_value(copy.deepcopy(reward), seed) for seed in seeds]
fresh = [learn_value(from_policy(seed), seed) for seed in seeds]
value = copied[0][0]  # used from here on, after two more passes:
for seed in (1, 2):
    learn_value(value, seed)
# [starts, seeds, batches]
errors = torch.tensor([[e for _, e in runs] for runs in (copied, fresh)])
third = max(1, errors.shape[-1] // 3)

# %% starts lang="zh"
{
    "The policy's network with a new head.": "策略的网络，装上新的头。",
    "# used from here on, after two more passes:": "# 从这里起都用它，先再学两遍：",
    "# [starts, seeds, batches]": "# [起点, 种子, 批次]",
}

# %% value-answer
gap = errors[1] - errors[0]  # fresh minus copied
parts = {"first third": gap[:, :third], "last third": gap[:, -third:]}
better_by = {name: over_seeds(part.mean(1)) for name, part in parts.items()}
first, late = (d.low > 0 for d in better_by.values())
guess_start.reveal(
    answers[0 if first and late else 1 if late else 2 if first else 3])

# %% value-answer lang="zh"
{
    "# fresh minus copied": "# 新头减副本",
    "first third": "前三分之一",
    "last third": "后三分之一",
}

# %% start-table folded="yes"
lesson.table((f"squared error ({len(copied)} seeds, live)",
              "from the reward model", "fresh head", "difference"), [
    (name, *(f"{e[:, cut].mean():.2f}" for e in errors),
     f"{better_by[name]:+.2f}")
    for name, cut in (("first third", slice(third)),
                      ("last third", slice(-third, None)))]
    + [("a constant", f"{came.var():.2f}", f"{came.var():.2f}", "")])

# %% start-table lang="zh"
{
    "squared error ({len(copied)} seeds, live)": "平方误差（{len(copied)} 个种子，实时）",
    "from the reward model": "从奖励模型出发",
    "fresh head": "新的头",
    "difference": "差",
    "first third": "前三分之一",
    "last third": "后三分之一",
    "a constant": "一个常数",
}

# %% truth-text [markdown]
r"""
A positive difference favours the copy of the reward model; in brackets, its `95%` interval over seeds (chapter 04). The answer
above calls the copy better only where the whole interval lies above zero; if it includes zero, these few seeds can't decide. *A constant*
always predicts the mean (its error is over replies, not tokens): which start beats it, and when?

Is the trained value model right about a single token? We can ask the policy. Take a reply that went badly, cut it before each of its
tokens, and let the policy finish it many times. The mean score of these endings is what the value should be.
"""

# %% truth-text [markdown] lang="zh" of="52d6cb53"
r"""
差为正，就是奖励模型的副本更好；方括号里是对种子取的 `95%` 区间（第 04 章）。上面的答案里，整个区间都在零以上，才算副本更好；
区间含有零，就是种子太少，分不出高下。*一个常数*永远预测平均值（这一行按回复平均，上面两行按词元平均，只能粗略比较）：哪种起点胜得过它，从什么时候起？

训练好的价值模型，对单个词元说得准吗？可以去问策略。取一个结果很差的回复，在它的每个词元之前截断，让策略接着写很多次。这些结尾的平均得分，就是价值应有的大小。
"""

# %% truth
n = lesson.pick(24, quick=4)  # endings from each token on
tries = answer(initial, [x] * 32, "tries")
with torch.no_grad():
    s = scores(reward, tries)
tokens = torch.tensor([len(y) for _, y in tries])
worst = int(torch.where(tokens <= 16, s, torch.inf).argmin())
y = tries[worst][1]
cuts = [torch.cat([x, y[:t]]) for t in range(len(y)) for _ in range(n)]
with torch.no_grad():
    ends = scores(reward, answer(initial, cuts, "truth")).view(len(y), n)
    V = values(value, [(x, y)])
error = ends.std(1) / n**0.5

# %% truth lang="zh"
{
    "# endings from each token on": "# 从每个词元起的结尾数",
}

# %% gae-text [markdown] defines="GAE"
r"""
### From surprise to advantage

The *surprise* at a token is what it brought, plus what is expected after it, minus what was expected before:

$$\delta_t=R_t+V_{t+1}-V_t,\qquad \hat A_t=\delta_t+\lambda\,\delta_{t+1}+\lambda^2\,\delta_{t+2}+\dots=\delta_t+\lambda\,\hat A_{t+1}$$

After the last token nothing is to come, and the next value is zero. A token's advantage is its own surprise and, fading by $\lambda$, the
later ones; the last form computes it from right to left. This is *GAE*, generalised advantage estimation. With a $\lambda$ of zero a
token answers for its own surprise alone: little noise, but every error of the value model counts. With one, the sum collapses to what
really came minus $V_t$. Errors of the value model then don't mislead it on average, but it has the luck of all later tokens. The paper
doesn't state $\lambda$; its ancestors, the works it follows, take {paper:unstated.gae_lambda}.

By hand: four tokens, a score of one at the end, no price.
"""

# %% gae-text [markdown] lang="zh" of="db2ce68a"
r"""
### 从意外到优势

一个词元的*意外*，等于它带来的奖励，加上它之后的期望，减去它之前的期望：

$$\delta_t=R_t+V_{t+1}-V_t,\qquad \hat A_t=\delta_t+\lambda\,\delta_{t+1}+\lambda^2\,\delta_{t+2}+\dots=\delta_t+\lambda\,\hat A_{t+1}$$

最后一个词元之后不会再来什么，下一个价值便是零。一个词元的优势，是它自己的意外，加上后面的意外，越往后越按 $\lambda$ 减弱；
按最后那个写法，可以从右到左算出来。这就是*广义优势估计*（generalised advantage estimation，GAE）。$\lambda$ 为零时，词元只为自己的意外负责：噪声小，
但价值模型错多少，优势就错多少。这个系数为一时，和式就等于从这里起实际得到的奖励之和，减去 $V_t$。这时价值模型的误差平均起来不会把优势带偏，但后面所有词元的运气都混进了优势。
论文没有说明 $\lambda$ 取多少。论文沿袭的早先工作（下文称“前身”）取 {paper:unstated.gae_lambda}。

来手算一次：四个词元，末尾得一分，不收费用。
"""

# %% gae-guess
R4 = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
V4 = torch.tensor([[0.2, 0.5, 0.4, 0.9]])
guess_gae = Prediction(
    "R = 0, 0, 0, 1 and V = 0.2, 0.5, 0.4, 0.9. What is the advantage of "
    "the second token at λ = ½?", "06.gae", low=-1, high=1)
guess_gae

# %% gae-guess lang="zh"
{
    "R = 0, 0, 0, 1 and V = 0.2, 0.5, 0.4, 0.9. What is the advantage of the second token at λ = ½?": "R = 0, 0, 0, 1，V = 0.2, 0.5, 0.4, 0.9。λ = ½ 时，第二个词元的优势是多少？",
}

# %% gae-answer
from minirlhf.objectives import gae

four = torch.ones(1, 4, dtype=torch.bool)
half = gae(R4, V4, four, lam=0.5).advantages[0]
guess_gae.reveal(float(half[1]), "exact")

# %% gae-answer lang="zh"
{
    "exact": "精确",
}

# %% gae-toy folded="yes"
def of_four(lam):
    return gae(R4, V4, four, lam=lam).advantages[0]


lesson.table(("token", "1", "2", "3", "4"), [
    ("surprise δ, or λ = 0", *(f"{a:+.3f}" for a in of_four(0.0))),
    ("λ = ½", *(f"{a:+.3f}" for a in half)),
    ("λ = 1, what came minus V", *(f"{a:+.3f}" for a in of_four(1.0)))])

# %% gae-toy lang="zh"
{
    "token": "词元",
    "surprise δ, or λ = 0": "意外 δ，即 λ = 0",
    "λ = ½": None,
    "λ = 1, what came minus V": "λ = 1，实际所得减 V",
}

# %% credit
whole = torch.ones(1, len(y), dtype=torch.bool)
R1 = torch.zeros(1, len(y))
R1[0, -1] = s[worst]  # no charge: the policy is its own reference
credit = {lam: gae(R1, V, whole, lam=lam).advantages[0]
          for lam in (0.0, 0.95, 1.0)}

# %% credit lang="zh"
{
    "# no charge: the policy is its own reference": "# 不收费用：参考模型就是策略自己",
}

# %% credit-look [markdown]
r"""
Left, before each token, the trained value and the mean of new endings; the bar is the score that came. If a mark is lower than the one
before it, the token between the two did that. The title names the largest falls. After the same token: the value model has found the
word. After another: it is late or wrong, and a small $\lambda$ blames the wrong word. Right, the advantages: which $\lambda$ blames a
single word, and which spreads the blame?
"""

# %% credit-look [markdown] lang="zh" of="56315869"
r"""
左图：在每个词元之前，训练好的价值，以及新结尾的平均；那根柱子是实际得到的得分。一个标记比前一个低，是这两个标记之间的词元造成的。
图题指出两者各在哪个词元之后降得最多：若是同一个，价值模型就找对了词；若不是，它就察觉得晚，或者错了，这时 $\lambda$ 若小，就会怪错词。
右图是同样这些词元的优势：哪个 $\lambda$ 只怪一个词，哪个把责任分摊开来？
"""

# %% credit-picture folded="yes"
figure, (left, right) = lesson.panels(
    2, "One reply that ended badly (live)", size=(7.2, 3.2),
    titles=("", "Advantage of each token"))
at = range(len(y))
said = [tokenizer.decode([t]).strip() or "⏎" for t in y]
said[-1] = "END"
left.errorbar(at, ends.mean(1), 1.96 * error, color=MUTED, fmt="s", ms=5,
              linewidth=1, label="new endings, mean")
left.plot(at, V[0], "o-", color=INK, ms=2.5, zorder=3, label="V")
left.bar([len(y)], [float(s[worst])], 0.5, color=MUTED, label="score")
left.set_xticks(range(len(y) + 1), [*said, "score"])
right.set_xticks(at, said)
for (lam, A), style in zip(credit.items(), (":", "--", "-"), strict=True):
    wide = lam == 1  # and pale, below the others
    right.plot(at, A, style, color=MUTED if wide else INK,
               linewidth=5 if wide else 1.5, alpha=0.5 if wide else 1,
               zorder=1 if wide else 2, label=f"λ = {lam:g}")

# %% credit-picture lang="zh"
{
    "One reply that ended badly (live)": "一个结果很差的回复（实时）",
    "Advantage of each token": "每个词元的优势",
    "new endings, mean": "新结尾的平均",
    "score": "得分",
    "# and pale, below the others": "# 又粗又淡，垫在下面",
}

# %% credit-shown folded="yes"
found, guessed = (said[int(line.diff().argmin())]
                  for line in (ends.mean(1), V[0]))
left.set_title(
    f"Largest fall: endings after “{found}”, V after “{guessed}”",
    fontsize=8.5, loc="left")
for axes in (left, right):
    axes.tick_params(axis="x", rotation=75, labelsize=7)
    axes.set_title(axes.get_title(), fontsize=8.5, pad=20)
    axes.legend(fontsize=7.5, ncols=3, frameon=False, loc="lower left",
                bbox_to_anchor=(-0.02, 0.98))
left.set_ylabel("score expected before the token")
right.set_ylabel("advantage")
lesson.show(figure, "Left, the value of each prefix of a reply beside the "
    "mean score of new endings with intervals. Right, advantages of its "
    "tokens under three values of λ.")

# %% credit-shown lang="zh"
{
    "Largest fall: endings after “{found}”, V after “{guessed}”": "降得最多：新结尾在“{found}”之后，V 在“{guessed}”之后",
    "lower left": None,
    "score expected before the token": "词元之前期望的得分",
    "advantage": "优势",
    "Left, the value of each prefix of a reply beside the mean score of new endings with intervals. Right, advantages of its tokens under three values of λ.": "左图，回复在每个词元之前的价值，旁边是新结尾的平均得分和区间；右图，λ 取三个值时各词元的优势。",
}

# %% ratio [markdown] defines="PPO; rollout; whitening"
r"""
## Ratio and clip (C.4)

A batch of fresh replies, a *rollout*, is expensive, so we want several steps on it. But after the first step the policy is no longer the
one that sampled, and the estimate above is right for its own samples only. The remedy is to weight each token by a *ratio*: its
probability now, over its probability when it was drawn, $\rho_t=\pi(y_t)/\pi_{\rm old}(y_t)$. That corrects the choice of this token, but
the old policy also chose the words before it; so the two must stay close. At a ratio of one, $\rho_t\hat A_t$ has the gradient
$\hat A_t\,\nabla\log\pi(y_t)$, which is the bandit's.

Far from one, the weight gets out of hand. *PPO*, proximal policy optimization, therefore pushes a good token up only until its ratio
reaches $1+\epsilon$, and a bad one down only until $1-\epsilon$. The paper's $\epsilon$ is {paper:ppo.clip}. With a bar for the mean over
tokens:

$$\mathcal L=-\,\overline{\min\big(\rho_t\hat A_t,\ \mathrm{clip}(\rho_t,1-\epsilon,1+\epsilon)\,\hat A_t\big)}$$

Before that, advantages are *whitened*: shifted to mean zero and scaled to variance one over the rollout's tokens, so that a rollout with
widely spread rewards takes no larger steps than another.
"""

# %% ratio [markdown] lang="zh" of="701817ad"
r"""
## 比值与裁剪（C.4）

新写一批回复，即一批*采样轨迹*（rollout），代价很高，所以我们想用它更新好几次。可是更新过一次，策略就不再是采样时的那个了，而前面的估计只对当前策略自己抽的样本成立。
补救的办法是给每个词元乘上一个*比值*：它现在的概率，除以抽到它时的概率，$\rho_t=\pi(y_t)/\pi_{\rm old}(y_t)$。这只修正了对这个词元的选择，
前面的词却也是旧策略选的；所以只有两个策略相近时，这样加权才大致正确。比值为一时，$\rho_t\hat A_t$ 的梯度是 $\hat A_t\,\nabla\log\pi(y_t)$，与老虎机的相同。

比值离一太远，这样加权就会失控。所以*近端策略优化*（proximal policy optimization，PPO）规定：好的词元往上推，
只推到比值为 $1+\epsilon$；坏的词元往下推，只推到 $1-\epsilon$。论文的 $\epsilon$ 是 {paper:ppo.clip}。用横线表示对词元取平均：

$$\mathcal L=-\,\overline{\min\big(\rho_t\hat A_t,\ \mathrm{clip}(\rho_t,1-\epsilon,1+\epsilon)\,\hat A_t\big)}$$

在此之前，优势先要*白化*（whitening）：平移、缩放，使它们在这批采样轨迹的全部词元上均值为零、方差为一。这样，即使一批之内奖励相差悬殊，更新的幅度也不会比其他批大。
"""

# %% push-guess
cases = ("good, ratio 1.3", "good, ratio 0.7", "bad, ratio 1.3",
         "bad, ratio 0.7")
pairs_of = [f"{a}; {b}" for i, a in enumerate(cases) for b in cases[i + 1:]]
guess_push = Prediction(
    "Four tokens, two with advantage +1 (good), two with −1 (bad). Which "
    "two get no push any more?", "06.push", choices=pairs_of)
guess_push

# %% push-guess lang="zh"
{
    "good, ratio 1.3": "好，比值 1.3",
    "good, ratio 0.7": "好，比值 0.7",
    "bad, ratio 1.3": "坏，比值 1.3",
    "bad, ratio 0.7": "坏，比值 0.7",
    "{a}; {b}": "{a}；{b}",
    "Four tokens, two with advantage +1 (good), two with −1 (bad). Which two get no push any more?": "四个词元，两个优势为 +1（好），两个为 −1（坏）。哪两个不再受推力？",
}

# %% push
from minirlhf.objectives import policy_loss

A = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
new = torch.tensor([[1.3, 0.7, 1.3, 0.7]]).log().requires_grad_()
old = torch.zeros(1, 4)  # log-probabilities: the ratio is exp(new − old)
policy_loss(new, old, A, four, clip=0.2).backward()
push = -new.grad[0]  # where a step moves each log-probability
still = [cases[i] for i in range(4) if push[i] == 0]

# %% push lang="zh"
{
    "# log-probabilities: the ratio is exp(new − old)": "# 对数概率：比值是 exp(new − old)",
    "# where a step moves each log-probability": "# 更新一次，每个对数概率往哪里动",
}

# %% push-answer
guess_push.reveal("; ".join(still))

# %% push-answer lang="zh"
{
    "; ": "；",
}

# %% reuse-text [markdown]
r"""
Does the clip slow the policy down? We take several steps on one rollout, with and without it, and measure how far the policy has moved
from the one that sampled (`approx_kl`: half the mean square of a token's log-ratio). If the clip did nothing, the curves would coincide.
"""

# %% reuse-text [markdown] lang="zh" of="7d65e51b"
r"""
裁剪能让策略走得慢些吗？我们用同一批采样轨迹更新好几次，裁剪和不裁剪各做一遍，并测量策略离采样时的策略有多远（`approx_kl`：词元的对数比的平方，取平均，再取一半）。
如果裁剪不起作用，两种曲线就该重合。
"""

# %% reuse
from minirlhf.objectives import approx_kl, explained_variance, whiten


def reuse(clip, seed, steps, rate=1e-4):
    """How far the policy moves while one rollout is used repeatedly."""
    policy, moved = copy.deepcopy(initial), []
    adam = torch.optim.Adam(policy.parameters(), lr=rate)
    pairs = answer(policy, guests[:16], "reuse", seed)
    with torch.no_grad():
        old, mask = logprobs(policy, pairs, banned)
        A = scores(reward, pairs)[:, None] - values(value, pairs)  # λ = 1
    for _ in range(steps):
        new, _ = logprobs(policy, pairs, banned)
        policy_loss(new, old, whiten(A, mask), mask, clip).backward()
        adam.step()
        adam.zero_grad()
        moved.append(float(approx_kl(new.detach(), old, mask)))
    return moved

# %% reuse lang="zh"
{
    "How far the policy moves while one rollout is used repeatedly.": "反复使用一批采样轨迹时，策略走了多远。",
}

# %% again
often = lesson.pick(6, quick=2)  # steps on the same rollout
with_clip = [reuse(0.2, seed, often) for seed in seeds]
without = [reuse(1e9, seed, often) for seed in seeds]

# %% again lang="zh"
{
    "# steps on the same rollout": "# 用同一批采样轨迹更新的次数",
}

# %% clip-look [markdown]
r"""
The first two panels draw the objective (the negative loss) of one token; dotted, without the clip. Where it is flat, the token gets no push.
The dots are the four tokens of the guess. In the third, each grey is one rollout, used repeatedly with a clip (solid) and without (dashed):
when do they part?
"""

# %% clip-look [markdown] lang="zh" of="8649098e"
r"""
前两图画的是单个词元的目标，即损失取负；点线是不裁剪的。平的一段没有梯度，词元不受推力。圆点是刚才猜过的四个词元。
第三图中，每种灰色代表一批反复使用的采样轨迹，实线裁剪，虚线不裁剪：两条线从哪里开始分开？
"""

# %% clip-picture folded="yes"
figure, (good, bad, moved) = lesson.panels(
    3, "Ratio and clip (two exact, one live)", size=(7.2, 2.9),
    titles=("Good token, A = +1", "Bad token, A = −1",
            "Rollouts, used again"))
ratio = torch.linspace(0.5, 1.5, 101)
for axes, a in ((good, 1.0), (bad, -1.0)):
    axes.plot(ratio, a * ratio, ":", color=MUTED)
    axes.plot(ratio, torch.minimum(a * ratio, a * ratio.clamp(0.8, 1.2)),
              color=INK)
    axes.set(xlabel="ratio ρ", ylabel="objective", ylim=(a - 0.6, a + 0.6))
for i, rho in enumerate((1.3, 0.7, 1.3, 0.7)):
    axes, a = (good, bad)[i // 2], (1, -1)[i // 2]
    level = min(a * rho, a * min(max(rho, 0.8), 1.2))
    axes.plot(rho, level, "o", color=INK)
    word = ("no push", "up", "down")[int(push[i].sign())]
    offset = {"no push": (-14, -14), "up": (-18, 5), "down": (6, 3)}[word]
    axes.annotate(word, (rho, level), offset, fontsize=8,
                  textcoords="offset points")

# %% clip-picture lang="zh"
{
    "Ratio and clip (two exact, one live)": "比值与裁剪（前两图精确，第三图实时）",
    "Good token, A = +1": "好的词元，A = +1",
    "Bad token, A = −1": "坏的词元，A = −1",
    "Rollouts, used again": "反复使用采样轨迹",
    "ratio ρ": "比值 ρ",
    "objective": "目标",
    "no push": "不推",
    "up": "往上",
    "down": "往下",
    "offset points": None,
}

# %% clip-shown folded="yes"
greys = INK, MUTED, "#a9aeb5"
for lines, style, name in ((with_clip, "-", "ε = 0.2"),
                           (without, "--", "no clip")):
    for line, shade in zip(lines, greys, strict=False):
        moved.plot(range(len(line)), line, style, color=shade)
    moved.plot([], [], style, color=INK, label=name)
moved.set(xlabel="steps taken before", ylabel="distance, nats per token")
moved.legend(fontsize=7.5)
lesson.show(figure, "Two panels with the clipped objective over the ratio, "
    "flat above 1.2 for a good token and below 0.8 for a bad one. Right, "
    "distance from the sampling policy over steps, with and without clip, "
    "a shade of grey for each rollout.")

# %% clip-shown lang="zh"
{
    "ε = 0.2": None,
    "no clip": "不裁剪",
    "steps taken before": "已更新的次数",
    "distance, nats per token": "距离，每个词元的 nat 数",
    "Two panels with the clipped objective over the ratio, flat above 1.2 for a good token and below 0.8 for a bad one. Right, distance from the sampling policy over steps, with and without clip, a shade of grey for each rollout.": "前两图是裁剪后的目标随比值的变化：好的词元在 1.2 以上变平，坏的在 0.8 以下变平。右图是各次更新之后离采样时的策略有多远，裁剪和不裁剪，每批采样轨迹一种灰色。",
}

# %% loop-text [markdown]
r"""
## The loop of PPO (C.3, C.4)

Four models are at work:

| model | starts as | learns here |
|---|---|---|
| policy | the initial model of C.3 | yes |
| reference | the same, although Eq. 2 calls it SFT | no |
| reward model | the model of step 2 | no |
| value model | the reward model | yes |

And here is the loop of the paper's step 3, without the third term of Eq. 2: draw, read what the four models say, shape the rewards, make
advantages, then step on one minibatch after another. All targets are computed before the first step. Each reply is used once, yet the
second minibatch meets a policy that the first has moved: hence ratio and clip. Gradients come from `new`, for the policy, and from the
second call of `values`, for the value model. `G` are the *returns*, advantage plus value, from which the value model learns. New:
`[rows, : m.shape[1]]` cuts a minibatch to its longest reply, a *value clip* ends the push on a value far from the old one, `v`, and
`explained_variance` says how well the values predicted. Price and $\lambda$ are the shipped run's.

Read it before it runs, with question 3 in mind.
"""

# %% loop-text [markdown] lang="zh" of="87a47bc1"
r"""
## PPO 的循环（C.3, C.4）

参与的模型有四个：

| 模型 | 起点 | 在这里学习吗 |
|---|---|---|
| 策略 | C.3 的初始模型 | 是 |
| 参考模型 | 同上，尽管式 2 称它为 SFT | 否 |
| 奖励模型 | 第 2 步的模型 | 否 |
| 价值模型 | 奖励模型 | 是 |

下面是论文第 3 步的循环，不含式 2 的第三项：抽回复，读四个模型的输出，把得分和费用摊成各个词元的奖励，算出优势，然后每个小批次更新一次。所有的目标都在这一批的第一次更新之前算好。
每个回复只用一次，可是轮到第二个小批次时，策略已经被第一个移动过了：比值和裁剪就是为此而设。
梯度来自两处：`new` 的归策略，第二次调用 `values` 的归价值模型。`G` 是*回报*，即优势加价值，价值模型学的就是它。
新出现的有三处：`[rows, : m.shape[1]]` 把小批次裁到其中最长的回复；*价值裁剪*使价值离旧值 `v` 太远之后不再受推力；
`explained_variance` 说明价值预测得有多准。价格和 $\lambda$ 与随包运行相同。

请带着思考题 3 先读一遍，再运行。
"""

# %% loop
def ppo(policy, value, adam, batches, beta=ours.beta, lam=ours.lam):
    for i, xs in enumerate(batches):
        pairs = answer(policy, xs, "loop", i)
        with torch.no_grad():
            old, mask = logprobs(policy, pairs, banned)
            reference, _ = logprobs(initial, pairs, banned)
            r, V = scores(reward, pairs), values(value, pairs)
            R = shaped_rewards(r, old, reference, mask, beta)
            A, G = gae(R, V, mask, lam=lam)
            A = whiten(A, mask)
        for rows in torch.arange(len(xs)).split(16):
            part = [pairs[j] for j in rows]
            new, m = logprobs(policy, part, banned)
            o, a, v, g = (t[rows, : m.shape[1]] for t in (old, A, V, G))
            loss = policy_loss(new, o, a, m)  # both clip at 0.2
            loss = loss + value_loss(values(value, part), v, g, m)
            loss.backward()
            adam.step()
            adam.zero_grad()
        yield r, (old - reference).sum(-1), explained_variance(V, G, mask)

# %% loop lang="zh"
{
    "# both clip at 0.2": "# 两个损失都以 0.2 裁剪",
}

# %% loop-guess
outcomes = "it has risen", "no clear change", "it has fallen"
guess_loop = Prediction(
    "The loop trains on a dozen batches of guests' prompts. What becomes "
    "of the score of replies to guests it has never met?",
    "06.loop", choices=outcomes)
guess_loop

# %% loop-guess lang="zh"
{
    "it has risen": "上升了",
    "no clear change": "看不出变化",
    "it has fallen": "下降了",
    "The loop trains on a dozen batches of guests' prompts. What becomes of the score of replies to guests it has never met?": "循环用十二批客人的提示来训练。对从未见过的客人，回复的得分会怎样？",
}

# %% run-loop
B = 32  # replies in a rollout
iterations = lesson.pick(12, quick=2)
order = torch.cat([permutation(len(guests), seed, "guests")
                   for seed in range(iterations * B // len(guests) + 1)])
batches = [[guests[j] for j in part] for part in order.split(B)]
policy, value = copy.deepcopy(initial), copy.deepcopy(reward)
adam = torch.optim.Adam([{"params": policy.parameters(), "lr": 3e-4},
                         {"params": value.parameters(), "lr": 1e-3}])
seen = list(ppo(policy, value, adam, batches[:iterations]))

# %% run-loop lang="zh"
{
    "# replies in a rollout": "# 一批采样轨迹的回复数",
}

# %% loop-test
from minirlhf.evaluate.statistics import paired_difference

asked = [row["prompt"] for row in shipped.read("prompts")]
unmet = [t for t in asked
         if t.count("Guest:") == 1 and t.endswith("Guide:")]
others = list(map(torch.tensor, encode_prompts(tokenizer, unmet)))
n = lesson.pick(3, quick=1)


def mean_scores(policy):
    """The mean score of n replies to each guest that was never met."""
    with torch.no_grad():
        s = scores(reward, answer(policy, others * n, "unmet"))
    return s.view(n, -1).mean(0)


before, after = mean_scores(initial), mean_scores(policy)
gain = paired_difference(after, before)

# %% loop-test lang="zh"
{
    "The mean score of n replies to each guest that was never met.": "给每位从未见过的客人 n 个回复：平均得分。",
}

# %% loop-answer
def judged_by(gain):
    return outcomes[0 if gain.low > 0 else 2 if gain.high < 0 else 1]


guess_loop.reveal(judged_by(gain))

# %% loop-look [markdown]
r"""
Three panels follow the training, a dot for each rollout: the score, the KL, and the value fit (one is perfect, zero is no better than a
constant). The fourth shows the scores of guests never met, before and after. We chose the learning rates while looking at such curves.
"""

# %% loop-look [markdown] lang="zh" of="55f0debe"
r"""
前三图跟着训练走，一个点是一批采样轨迹：得分、KL 和价值拟合。价值拟合为一，说明每个回报都预测对了；为零，说明一个常数也能做到这么好；为负，说明还不如常数。
第四图是从未见过的客人的得分，训练前和训练后。注意：学习率是我们看过这类曲线后挑的，所以这些图偏乐观。
"""

# %% loop-picture folded="yes"
from minirlhf.evaluate.statistics import over_prompts

figure, panels = lesson.panels(
    4, "The loop on this page (live)", size=(7.2, 2.5),
    titles=("Score", "KL, nats per reply", "Value fit", "Guests never met"))
figure.get_layout_engine().set(w_pad=0.1)
r_of, kl_of, fit = (torch.stack(part) for part in zip(*seen, strict=True))
at = range(1, len(seen) + 1)
for axes, line in zip(panels, (r_of.mean(1), kl_of.mean(1), fit),
                      strict=False):
    axes.plot(at, line, "o-", color=PALETTE["ppo"], ms=3)
    axes.set_xlabel("rollout")
lesson.intervals(panels[3], {"initial": over_prompts(before),
                             "ppo": over_prompts(after)},
                 "score", percent=False)
lesson.show(figure, "Score, KL and value fit over the rollouts, and the "
    "scores of unmet guests before and after with intervals.")

# %% loop-picture lang="zh"
{
    "The loop on this page (live)": "本页的循环（实时）",
    "Score": "得分",
    "KL, nats per reply": "KL，nat/回复",
    "Value fit": "价值拟合",
    "Guests never met": "未见过的客人",
    "rollout": "采样轨迹，第几批",
    "score": "得分",
    "Score, KL and value fit over the rollouts, and the scores of unmet guests before and after with intervals.": "各批采样轨迹的得分、KL 和价值拟合，以及训练前后从未见过的客人的得分和区间。",
}

# %% loop-says folded="yes"
print(f"{gain.n} guests never met, score after minus before: {gain:+.2f}")

# %% loop-says lang="zh"
{
    "{gain.n} guests never met, score after minus before: {gain:+.2f}": "{gain.n} 位从未见过的客人，得分的训练后减训练前：{gain:+.2f}",
}

# %% lens-text [markdown]
r"""
Now look into a reply of the policy that you trained. With a running kernel, choose a step and a token: the equation shows its numbers,
the advantages before whitening. In the third step, run $\hat A_t=\delta_t+\lambda\hat A_{t+1}$ from right to left; in the last, drag the
dot across the clip.
"""

# %% lens-text [markdown] lang="zh" of="2d811cec"
r"""
现在来细看你训练的策略写的一个回复。内核运行时，可以选一个步骤和一个词元，式子里就会填上它的数（优势是白化之前的）。在第三个步骤里，把 $\hat A_t=\delta_t+\lambda\hat A_{t+1}$ 从右到左算一遍；
在最后一个步骤里，拖动圆点越过裁剪的边界。
"""

# %% lens
from dataclasses import replace

from minirlhf.episodes import Models
from minirlhf.widgets import TokenLens

models = Models(policy, initial, ScalarModel(reward), ScalarModel(value),
                tokenizer)
config = replace(ours, max_response=48)
TokenLens(models=models, prompt=text, config=config)

# %% stage [markdown]
r"""
## The same, for long runs (C.4)

The package's stage `ppo` takes the same steps, and a test checks that they agree. It adds whole batches (meant for a GPU), a warm-up of
the learning rate, a limit on the gradient, an average of the weights, checkpoints, and the third term of Eq. 2. A prompt with its reply
and score is an *episode*. The paper trains on {paper:ppo.episodes} of them, {paper:ppo.batch} in each rollout; our shipped run on
{run:counts.episodes:,}, {run:counts.ppo_batch} in each; the run below on fewer. The next cell compares both ways of reading replies:
which is faster on this machine?
"""

# %% stage [markdown] lang="zh" of="59e305b1"
r"""
## 同样的事，用于长时间训练（C.4）

程序包的 `ppo` 阶段走的步骤与你的循环相同，有一个测试核对两者的结果。程序包多出来的是：整批通过每个模型（为 GPU 而设）、学习率的预热、梯度的上限、权重的平均、检查点，
以及式 2 的第三项。一个提示连同它的回复和得分，叫一个*回合*（episode）。论文用了 {paper:ppo.episodes} 个回合，每批采样轨迹 {paper:ppo.batch} 个；
我们的随包运行用了 {run:counts.episodes:,} 个，每批 {run:counts.ppo_batch} 个；下面这次用得更少。下一格比较读回复的两种办法：在这台机器上哪种更快？
"""

# %% same
import time

from minirlhf.data.batching import collate
from minirlhf.models import response_logprobs

some = told[:64]
with torch.no_grad():
    began = time.perf_counter()
    one_by_one, mask = logprobs(initial, some, banned)
    between = time.perf_counter()
    batch = collate([x.tolist() for x, _ in some],
                    [y.tolist() for _, y in some], tokenizer.pad_token_id)
    at_once = response_logprobs(initial, batch, suppress=never)
    faster = (between - began) / (time.perf_counter() - between)
gap = (one_by_one - at_once)[mask].abs().max()
print(f"{len(some)} replies, largest difference of a log-probability: "
      f"{gap:.0e}; the whole batch is {faster:.1f} times as fast")

# %% same lang="zh"
{
    "{len(some)} replies, largest difference of a log-probability: {gap:.0e}; the whole batch is {faster:.1f} times as fast": "{len(some)} 个回复，对数概率最大相差 {gap:.0e}；整批一起读，速度是逐个读的 {faster:.1f} 倍",
}

# %% stage-run [markdown]
r"""
First, guess what the *judge*, Tinytown's exact grader, will say of a run with prompts of every kind. A reply *passes* if nothing in it is
wrong or missing. The run never asks the judge. But the labelers who ranked replies for the reward model start from the judge's *grade*,
one to seven, so learning from them pleases the judge more easily than it would people. The run is a process of its own; the *desk* below
reads its folder.
"""

# %% stage-run [markdown] lang="zh" of="01233f71"
r"""
下面这次运行用上了各种提示。请先猜一猜，*评判者*（judge，Tinytown 的精确评分器）会怎样评它。一个回复没有错，也不缺什么，就算*合格*。
训练中从不问评判者。不过，给奖励模型排序的标注员是程序，它们的偏好以评判者的*评分*（一到七分）为基础，所以照它们训练，让评判者满意比让真人满意容易。运行是一个单独的进程；*训练台*，即下面的面板，读的是它的文件夹。
"""

# %% run-guess
guess_run = Prediction(
    "On held-out prompts of every kind, what becomes of the share of "
    "replies that pass?", "06.run", choices=outcomes)
guess_run

# %% run-guess lang="zh"
{
    "On held-out prompts of every kind, what becomes of the share of replies that pass?": "在各种留出的提示上，合格回复的比例会怎样？",
}

# %% desk
from minirlhf.widgets import TrainingDesk, start

job = start(
    "ppo",
    lesson.workspace("06", "ppo"),
    model=shipped.run("initial") / "model",
    reward=shipped.run("reward") / "model",
    prompts=shipped.file("prompts-ppo"),
    episodes=lesson.pick(2304, quick=256),
    warmup=3,  # rollouts
    ema=0.9,  # the paper's average suits far more steps
    max_response=72,
    drop_long=True,  # prompts that are too long, as the shipped run did
)
TrainingDesk(job, note="live", ghost=shipped.run("ppo"))

# %% desk lang="zh"
{
    "# rollouts": "# 采样轨迹的批数",
    "# the paper's average suits far more steps": "# 论文的平均适合多得多的更新次数",
    "# prompts that are too long, as the shipped run did": "# 舍去太长的提示，与随包运行相同",
    "live": "实时",
}

# %% desk-look [markdown]
r"""
On the desk, an *iteration* is a rollout with its steps, *reward* the score alone. *Entropy* says how undecided the policy still is, *clip
fraction* is the share of tokens beyond the clip. Dashed grey is the start of the shipped run, smoothed. With a running kernel there is a
slider of $\beta$: raise it, and see how soon the KL answers.

The score was trained on, so it proves little. So the judge reads replies to several hundred prompts by writers of no training set, before
and after.
"""

# %% desk-look [markdown] lang="zh" of="b1ca7200"
r"""
训练台上，一次*迭代*是一批采样轨迹连同它的更新，*奖励*单指得分。*熵*表示策略还有多犹豫，*裁剪比例*是越过裁剪边界的词元所占的比例。
灰色虚线是随包运行的开头，经过平滑。内核运行时还有一个 $\beta$ 的滑块：训练中把它调高，看 KL 多快跟着变。

训练就是为了得分，所以得分证明不了什么。因此在训练前后，各让策略回答几百个提示，每个回答一次，由评判者来看；写这些提示的人不在任何训练集中。
"""

# %% wait
from minirlhf.sampling import complete
from minirlhf.tinytown.judge import judge

job.wait()
job.reader.look()
some = asked[: lesson.pick(800, quick=40)]


def passed(policy):
    """Whether the judge passes one reply to each prompt: 1 or 0."""
    said = complete(policy, tokenizer, some, max_new_tokens=72, seed=6,
                    stop="\n\n")
    return [float(v.passes) for v in map(judge, some, said)]


old_passes = passed(initial)
new_passes = passed(load_policy(job.folder / "model", tokenizer))
better = paired_difference(new_passes, old_passes)

# %% wait lang="zh"
{
    "Whether the judge passes one reply to each prompt: 1 or 0.": "每个提示的一个回复，评判者判为合格记 1，否则记 0。",
}

# %% run-answer
guess_run.reveal(judged_by(better))

# %% heldout-picture folded="yes"
figure, (shares, difference) = lesson.panels(
    2, "Held-out prompts, by the judge (live)", size=(7.2, 1.9),
    titles=("Replies that pass", "Difference, same prompts"))
lesson.intervals(shares, {"initial": over_prompts(old_passes),
                          "ppo": over_prompts(new_passes)}, "%")
lesson.intervals(difference, {"PPO − initial": better}, "points")
difference.axvline(0, color=MUTED, linewidth=0.8)
lesson.show(figure, "Left, the shares of replies that pass for the initial "
    "model and this run's policy with intervals; right, their difference.")

# %% heldout-picture lang="zh"
{
    "Held-out prompts, by the judge (live)": "留出的提示，由评判者评（实时）",
    "Replies that pass": "合格的回复",
    "Difference, same prompts": "差，同样的提示",
    "PPO − initial": "PPO − 初始模型",
    "points": "百分点",
    "Left, the shares of replies that pass for the initial model and this run's policy with intervals; right, their difference.": "左图，初始模型和这次运行的策略的合格比例与区间；右图，两者的差。",
}

# %% open-text [markdown]
r"""
### What the paper leaves open (C.4)

The ancestors filled these gaps; the last column is ours. The second table has every setting of PPO in which Tinytown differs from
`paper`, our list of the paper's settings, and why; effects named there come from trials not shown. The learning rate of `paper` is the
largest that didn't diverge without the third term (E.9). `vector_factor` multiplies the learning rate of vectors, such as biases.
"""

# %% open-text [markdown] lang="zh" of="0ebc62d4"
r"""
### 论文没有说的（C.4）

这些空白，论文的前身各有填法；最后一列是我们的。第二张表列出 PPO 的各项设置中，Tinytown 与 `paper`（论文的各项设置）不同的每一项，并说明原因；表中提到的效果来自没有展示的试验。
`paper` 的学习率，是论文试过的、去掉第三项也不发散的最大值（E.9）。`vector_factor` 是网络里各个向量（如偏置）的学习率要乘的倍数。
"""

# %% open folded="yes"
from minirlhf.paper import cite

said = {"True": "yes", "False": "no", "none": "without",
        "last token of the response": "the reply's last"}
lesson.table(("not stated", "ancestors", "source", "here"), [
    (words, said.get(str(one.value), one.value), one.where.split("; ")[1],
     said.get(str(own), own)) for words, key, own in (
      ("λ of GAE", "gae_lambda", ours.lam),
      ("clip range of the value", "value_clip", ours.value_clip),
      ("weight of the value loss", "value_weight", "own optimizer"),
      ("whitened advantages", "whiten_advantages", ours.whiten_advantages),
      ("whitened rewards", "whiten_rewards", ours.whiten_rewards),
      ("entropy bonus", "entropy_bonus", "none"),
      ("largest gradient norm", "rl_gradient_clip", ours.grad_clip),
      ("token that gets the score", "reward_token", "the same"),
      ("score of a reply cut short", "unfinished_score", "as scored"),
      ("final learning rate, 1.3B", "ppo.lr.1.3b", ours.learning_rate),
    ) for one in [cite(f"unstated.{key}")]])

# %% open lang="zh"
{
    "λ of GAE": "GAE 的 λ",
    "clip range of the value": "价值的裁剪范围",
    "weight of the value loss": "价值损失的权重",
    "own optimizer": "另有优化器",
    "whitened advantages": "优势白化",
    "whitened rewards": "奖励白化",
    "entropy bonus": "熵奖励",
    "yes": "是",
    "no": "否",
    "without": "无",
    "last token of the response": None,
    "the reply's last": "回复的最后一个",
    "largest gradient norm": "梯度范数的上限",
    "token that gets the score": "得分加在哪个词元上",
    "the same": "相同",
    "score of a reply cut short": "截断的回复的得分",
    "as scored": "照常打分",
    "final learning rate, 1.3B": "最终的学习率，1.3B",
    "not stated": "论文没有说的",
    "ancestors": "前身",
    "source": "出处",
    "here": "这里",
}

# %% departures folded="yes"
from minirlhf.presets import DIFFERENCES

both = PRESETS["paper"].ppo, PRESETS["tinytown"].ppo
lesson.table(("setting", "preset paper", "Tinytown", "why"), [
    (d.field, *(getattr(preset, d.field) for preset in both), d.reason)
    for d in DIFFERENCES
    if d.stage in ("*", "ppo") and hasattr(both[0], d.field)])

# %% departures lang="zh"
{
    "setting": "设置",
    "preset paper": "预设 paper",
    "why": "原因",
}

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("06.")

# %% summary [markdown]
r"""
## Summary

We listed the paper's statements on step 3 before any run. Most rows name the seeds or prompts behind their interval. Over prompts, one
shipped model of each kind is tested; another seed's might do otherwise. A model wins if a majority of five labelers prefers its reply; its
*margin* is how far its wins lie above one half. *New* labelers ranked nothing for the reward model.

*Seen*: the whole interval lies where *seen if* says. *The opposite*: all of it lies elsewhere. *Open*: only part of it does. Margins and costs have
no interval. *Not looked for*: no run measured it.
"""

# %% summary [markdown] lang="zh" of="738fc69e"
r"""
## 小结

在任何运行之前，我们就列出了论文关于第 3 步的说法；结果都在下面的表里，多数行注明了区间取自几个种子或多少个提示。凡是按提示计数的行，
每种模型只用了程序包自带的那一个；换一个种子，结果可能不同。五位标注员中多数更喜欢谁的回复，就算谁胜。*原*标注员为奖励模型排过序，*新*标注员没有。

*看到*：整个区间都符合“看到的条件”一栏。*相反*：整个区间都不符合。*看不出*：一部分符合，一部分不符合。
胜率减二分之一的那一行和成本那一行直接比较，不看区间。*没有去看*：这里没有运行测过它。
"""

# %% five folded="yes"
from minirlhf.tinytown.bases import base_folder

shots = sorted((row["prompt"] + row["completion"] + "\n\n" for row
                in shipped.read("demonstrations")), key=len)[20:80:20]
ask = asked[: lesson.pick(200, quick=30)]
folders = {name: shipped.run(name) / "model"
           for name in ("sft", "ppo", "ppo-ptx")}
folders["base"] = base_folder("medium")
models_of = {name: load_policy(path, tokenizer)
             for name, path in folders.items()}
alike = {"max_new_tokens": 72, "seed": 7, "stop": "\n\n"}
replies = {name: complete(model, tokenizer, ask, **alike)
           for name, model in models_of.items()}
with_shots = ["".join(shots) + t for t in ask]
replies["prompted"] = complete(models_of["base"], tokenizer, with_shots,
                               **alike)

# %% wins folded="yes"
from minirlhf.evaluate.preference import preferred_by_panel
from minirlhf.tinytown.labelers import heldout_pool, training_pool

unseen, known = ([one.prefers for one in pool()[:5]]
                 for pool in (heldout_pool, training_pool))


def wins(ours, theirs, panel=unseen):
    """How often a majority of five labelers prefers ours."""
    return preferred_by_panel(panel, ask, replies[ours], replies[theirs])


# %% wins lang="zh"
{
    "How often a majority of five labelers prefers ours.": "五位标注员中多数更喜欢 ours 的比例。",
}

# %% misses folded="yes"
from minirlhf.tinytown.town import Tinytown

checks = {
    "is of the kind asked for": lambda v: v.get("instruction", 0.0) >= 1,
    "adds to the text it was given": lambda v: v.get("source", 1.0) < 1,
}


def found_by(check, name, rows):
    """Of which replies a check of the judge's criteria is true."""
    verdicts = [judge(ask[i], replies[name][i]) for i in rows]
    return [float(checks[check](v.criteria)) for v in verdicts]

# %% misses lang="zh"
{
    "is of the kind asked for": "回复属于所要求的类型",
    "adds to the text it was given": "给所附的文本添枝加叶",
    "Of which replies a check of the judge's criteria is true.": "哪些回复符合这项对评判标准的检查。",
}

# %% changes folded="yes"
# closed domain: the prompt brings a text, and the reply keeps to it
closed = [i for i, t in enumerate(ask)
          if "closed domain" in Tinytown().groups(t)]
rows_of = dict(zip(checks, (range(len(ask)), closed), strict=True))


def change(check, more, fewer):
    """How much more often a check is true of one model's replies."""
    return paired_difference(*(found_by(check, name, rows_of[check])
                               for name in (more, fewer)))


of_kind, added = checks
kind, kind_sft = (change(of_kind, "ppo-ptx", m) for m in ("base", "sft"))
adds = change(added, "base", "ppo-ptx")
adds_sft = change(added, "ppo-ptx", "sft")

# %% changes lang="zh"
{
    "# closed domain: the prompt brings a text, and the reply keeps to it": "# closed domain（封闭域）：提示附有原文，回复不得越出原文",
    "closed domain": None,
    "How much more often a check is true of one model's replies.": "符合检查的回复，一个模型比另一个多出的比例。",
}

# %% cost folded="yes"
import json
from itertools import islice, pairwise

import numpy as np

from minirlhf.tinytown.corpus import documents


def length(texts):
    """Mean tokens of a text."""
    return sum(map(len, encode_prompts(tokenizer, texts))) / len(texts)


lines = (base_folder("medium") / "log.jsonl").read_text().splitlines()
steps_of = [{"time": 0.0}, *map(json.loads, lines)]
read_by_base = sum(b["tokens_per_second"] * (b["time"] - a["time"])
                   for a, b in pairwise(steps_of))
page = length([d["text"] for d in islice(documents(1), 300)])

# %% cost lang="zh"
{
    "Mean tokens of a text.": "一个文本平均的词元数。",
}

# %% operations folded="yes"
town = PRESETS["tinytown"]
shown = [row["prompt"] + row["completion"]
         for row in shipped.read("demonstrations")]
episode = length([t + y for t, y in zip(ask, replies["ppo"], strict=True)])
rehearsed = town.ppo_ptx.ptx_examples_per_episode * page
operations = {  # for each weight: all models here have as many
    "SFT": 6 * town.sft.epochs * len(shown) * length(shown),
    "PPO-ptx": town.ppo_ptx.episodes
    * ((4 * 2 + 2 * 6) * episode + 6 * rehearsed),  # 4 read, 2 learn
    "pretraining": 6 * read_by_base,
}

# %% operations lang="zh"
{
    "# for each weight: all models here have as many": "# 对每个权重：这里的模型权重一样多",
    "# 4 read, 2 learn": "# 读四个，学两个",
}

# %% claims folded="yes"
seeds_of = shipped.read("seeds")  # of the shipped proof, a row each


def each(model, measure, among=seeds_of):
    """One figure of a model, for each seed."""
    return np.array([row["models"][model][measure] for row in among])


by_unseen, by_known = wins("ppo", "sft"), wins("ppo", "sft", known)
won = {other: wins("ppo-ptx", other).win_rate
       for other in ("ppo", "base", "prompted")}
longer = [row for row in seeds_of if "ppo-long" in row["models"]]
over = {
    "wins": over_seeds(each("ppo", "wins_labelers")),
    "passes": over_seeds(each("ppo", "passes") - each("sft", "passes")),
    "longer": over_seeds(each("ppo", "grade", longer)
                         - each("ppo-long", "grade", longer)),
}

# %% claims lang="zh"
{
    "# of the shipped proof, a row each": "# 随包的各个种子，各一行",
    "One figure of a model, for each seed.": "模型的一项数字，每个种子一个。",
}

# %% verdicts folded="yes"
groups = paired_difference(by_unseen.verdicts, by_known.verdicts)
margin, of_known = (panel.win_rate.mean - 0.5
                    for panel in (by_unseen, by_known))
tie = won["ppo"]  # about one half: a tenth away at most
close = lesson.verdict(tie, low=0.4, high=0.6)
new = "the opposite" if margin < max(0, of_known / 2) else "seen"
beats = {name: lesson.verdict(found, low=0.5)
         for name, found in (*won.items(), ("wins", over["wins"]))}
unsought = lesson.verdict(None)
cheap = list(operations.values())
ordered = "seen" if cheap == sorted(cheap) else "the opposite"


def points(found):
    """A difference of shares, in points."""
    return f"{100 * found:+.0f} points"

# %% verdicts lang="zh"
{
    "# about one half: a tenth away at most": "# 二分之一左右：至多差十分之一",
    "A difference of shares, in points.": "比例之差，以百分点计。",
    "{100 * found:+.0f} points": "{100 * found:+.0f} 个百分点",
    "the opposite": "相反",
    "seen": "看到",
}

# %% statements folded="yes"
many, one = f"{len(seeds_of)} seeds (shipped)", f"{len(ask)} prompts"
coin, nil = "above one half", "above zero"
preferred = [
    ("PPO preferred to SFT, wins", cite("fig1.175b.ppo"),
     f"{over['wins']:.2f}", many, coin, beats["wins"]),
    ("the same by the judge: replies that pass, PPO minus SFT", "as above",
     points(over["passes"]), many, nil, lesson.verdict(over["passes"])),
    ("PPO's margin: new labelers, the reward model's; difference",
     "about equal", f"{margin:+.2f}, {of_known:+.2f}; {groups:+.2f}", one,
     "the first is at least half the second", new),
    ("PPO-ptx preferred to PPO", "about 0.5", f"{tie:.2f}", one,
     "0.4 to 0.6", close),
    ("PPO-ptx preferred to base", cite("intro.ppo-ptx.vs.gpt"),
     f"{won['base']:.0%}", one, coin, beats["base"]),
    ("PPO-ptx preferred to base with three examples",
     cite("intro.ppo-ptx.vs.prompted"), f"{won['prompted']:.0%}", one,
     coin, beats["prompted"])]

# %% statements lang="zh"
{
    "{len(seeds_of)} seeds (shipped)": "{len(seeds_of)} 个种子（随包）",
    "{len(ask)} prompts": "{len(ask)} 个提示",
    "PPO preferred to SFT, wins": "PPO 胜过 SFT 的比例",
    "above one half": "高于二分之一",
    "above zero": "高于零",
    "the same by the judge: replies that pass, PPO minus SFT": "同样比较，由评判者看：合格的回复，PPO − SFT",
    "as above": "同上一行",
    "PPO's margin: new labelers, the reward model's; difference": "PPO 胜率 − 二分之一：新标注员，原标注员；两者之差",
    "about equal": "大致相等",
    "the first is at least half the second": "前者至少是后者的一半",
    "0.4 to 0.6": "0.4 到 0.6",
    "PPO-ptx preferred to PPO": "PPO-ptx 胜过 PPO 的比例",
    "about 0.5": "约为 0.5",
    "PPO-ptx preferred to base": "PPO-ptx 胜过基座模型的比例",
    "PPO-ptx preferred to base with three examples": "PPO-ptx 胜过加三个例子的基座模型的比例",
}

# %% more-statements folded="yes"
def of_fig4(key):
    return ", ".join(f"{name} {cite(f'fig4.{key}.{m}').value:.0%}"
                     for m, name in (("gpt", "GPT-3"), ("sft", "SFT"),
                                     ("instructgpt", "PPO-ptx")))


with_text = f"{len(closed)} prompts"
flagged = [
    ("of the kind asked for, PPO-ptx minus base", of_fig4("appropriate"),
     points(kind), one, nil, lesson.verdict(kind)),
    ("of the kind asked for, PPO-ptx minus SFT", "as above",
     points(kind_sft), one, nil, lesson.verdict(kind_sft)),
    ("add to a text, base minus PPO-ptx", of_fig4("hallucination"),
     points(adds), with_text, nil, lesson.verdict(adds)),
    ("add to a text, PPO-ptx minus SFT", "as above",
     points(adds_sft), with_text, nil, lesson.verdict(adds_sft))]

# %% more-statements lang="zh"
{
    ", ": "，",
    "of the kind asked for, PPO-ptx minus base": "回复属于所要求的类型，PPO-ptx − 基座模型",
    "of the kind asked for, PPO-ptx minus SFT": "回复属于所要求的类型，PPO-ptx − SFT",
    "as above": "同上一行",
    "add to a text, base minus PPO-ptx": "给原文添枝加叶，基座模型 − PPO-ptx",
    "add to a text, PPO-ptx minus SFT": "给原文添枝加叶，PPO-ptx − SFT",
    "{len(closed)} prompts": "{len(closed)} 个提示",
}

# %% last-statements folded="yes"
paper_of = [cite(f"compute.{key}.175b").value
            for key in ("sft", "ppo-ptx", "gpt3")]
at_first = better_by["first third"]
trained_on = [
    ("value error at first, fresh head minus reward model",
     "starts from the reward model", f"{at_first:+.2f}",
     f"{len(copied)} seeds (live)", nil, lesson.verdict(at_first)),
    ("policies' scores, both starts", "as above", "–", "", nil, unsought),
    ("grade, usual episodes minus twice as many", "no help, smallest model",
     f"{over['longer']:+.2f}", f"{len(longer)} seeds (shipped)", nil,
     lesson.verdict(over["longer"])),
    ("high learning rates diverge without the third term",
     f"above {cite('ppo.lr.diverges_above').value:g}", "–", "", "",
     unsought),
    ("cost of SFT and PPO-ptx, as a share of pretraining",
     *(", ".join(f"{cost / total[-1]:.1%}" for cost in total[:2])
       for total in (paper_of, cheap)), "", "SFT least, pretraining most",
     ordered)]

# %% last-statements lang="zh"
{
    "first third": "前三分之一",
    "value error at first, fresh head minus reward model": "起初的价值误差，新的头 − 奖励模型",
    "starts from the reward model": "从奖励模型出发",
    "policies' scores, both starts": "两种起点的策略得分之差",
    "as above": "同上一行",
    "{len(copied)} seeds (live)": "{len(copied)} 个种子（实时）",
    "{len(longer)} seeds (shipped)": "{len(longer)} 个种子（随包）",
    "grade, usual episodes minus twice as many": "评分，常规回合数 − 两倍回合数",
    "no help, smallest model": "对最小的模型没有好处",
    "SFT least, pretraining most": "SFT 最少，预训练最多",
    "high learning rates diverge without the third term": "没有第三项时，高学习率使训练发散",
    "above {cite('ppo.lr.diverges_above').value:g}": "高于 {cite('ppo.lr.diverges_above').value:g}",
    "cost of SFT and PPO-ptx, as a share of pretraining": "SFT 和 PPO-ptx 的成本，占预训练的比例",
    ", ": "，",
}

# %% directions folded="yes"
lesson.table(("what is compared", "in the paper", "here, with interval",
              "interval over", "seen if", "verdict"),
             preferred + flagged + trained_on)

# %% directions lang="zh"
{
    "what is compared": "比较什么",
    "in the paper": "论文中",
    "here, with interval": "这里，连同区间",
    "interval over": "区间取自",
    "seen if": "看到的条件",
    "verdict": "结论",
}

# %% summary-read [markdown]
r"""
The paper's numbers: wins of its largest models (Fig. 1, §4.1); kind and additions over all sizes (Fig. 4); costs in petaflop/s-days, a
unit of computing (§5.1). We count operations: two for each weight and token read, six with a gradient; training the reward model isn't
counted.

The score needs no derivative: multiplied by the gradient of the log-probability, it gives the right gradient on average. Baseline, value
model and GAE say how much of it each token deserves, ratio and clip let one rollout serve several steps, and the price keeps the policy
near replies such as the reward model was trained on. Whether the policy became better has to be asked of somebody outside its training.

## Questions

1. All scores of a prompt rise by ten. What changes in REINFORCE with the mean as baseline, and without a baseline?

<details><summary>Answer</summary>

With it, nothing: every advantage stays. Without, every drawn reply is pushed up; the mean gradient is the same, its variance far larger.

</details>

2. The charge depends on the policy's own log-probabilities, yet the loop puts it into the reward without a gradient. Is something
missing?

<details><summary>Answer</summary>

No. The missing part would be the mean of $\nabla\log\pi$ under the policy, which is zero: the argument of the baseline again.

</details>

3. What would the clip do if the loop read `old` again for each minibatch? And the charge, if the reference learned too?

<details><summary>Answer</summary>

Nothing: every ratio would be one, and no token's push would end. The charge would hold the policy nowhere.

</details>

4. A reply has three tokens, with rewards zero, zero and two, and values one, one and one. What are the advantages at both ends of $\lambda$?

<details><summary>Answer</summary>

At zero each token has its own surprise: zero, zero, one. At one it has what came minus what was expected: one, one, one.

</details>

5. Two runs reach the same score on held-out prompts, one at two nats of KL, the other at twelve. Which would you ship?

<details><summary>Answer</summary>

The nearer one, until somebody outside the training has compared their replies: it had less room to find the reward model's mistakes.

</details>

## The way on

- [Exercise 06](../exercises/ex06_ppo.ipynb): KL, reward, advantage, both losses, one step of PPO-ptx, and a run that never clips.
- [Chapter 07](07_what_alignment_costs.ipynb): too small a price and too large a one, what a policy unlearns, and the third term.
- Back to [the three steps in one picture](00_three_steps.ipynb), or to [the reward model](05_reward_model.ipynb).

**A lecture of forty-five minutes:** three arms on the blackboard (ten), the loop on one prompt (ten), the price and its picture
(ten), value and clip in the lens (ten), the desk's run, started before (five).

**A lab of ninety minutes,** the text read before: cells and guesses as far as the loop of PPO (sixty), that loop with another
price or $\lambda$ (fifteen), advantages and clipped loss in exercise 06 (fifteen).
"""

# %% summary-read [markdown] lang="zh" of="0ab2e2cb"
r"""
论文一栏的数：胜率取自它最大的模型（图 1，§4.1）；回复的类型和添枝加叶，是各种大小合起来的（图 4）；成本由 petaflop/s-days（一种计算量单位）算出（§5.1）。
我们数的是运算：每个权重每读一个词元算两次，带梯度算六次；奖励模型自己的训练没有算在内。

得分不需要导数：用它去乘对数概率的梯度，平均起来就是正确的梯度。基线、价值模型和 GAE 说明每个词元应得多少，比值和裁剪让一批采样轨迹能供好几次更新使用，
价格则使策略留在奖励模型学过的那类回复附近。至于策略有没有变好，只有不参与训练的人才说得准。

## 思考题

1. 一个提示的所有得分都提高十分。以平均为基线的 REINFORCE 有什么变化？没有基线呢？

<details><summary>答案</summary>

有基线，什么也不变：每个优势都照旧。没有基线，抽到的每个回复都会被往上推；梯度的平均不变，方差却大得多。

</details>

2. 费用取决于策略自己的对数概率，循环却把它放进奖励，不带梯度。是不是漏了什么？

<details><summary>答案</summary>

漏了一项，但不要紧：这一项是 $\nabla\log\pi$ 在策略下的平均，等于零，道理与基线相同。

</details>

3. 如果循环在每个小批次都重新读一次 `old`，裁剪还起什么作用？如果参考模型也在学习，费用呢？

<details><summary>答案</summary>

不起作用：每个比值都是一，哪个词元的推力都不会停。参考模型若跟着学，费用就拴不住策略了。

</details>

4. 一个回复有三个词元，奖励是零、零、二，价值是一、一、一。$\lambda$ 取两端的值时，优势各是多少？

<details><summary>答案</summary>

系数为零时，每个词元得到自己的意外：零、零、一。为一时，得到的是实际所得减去预期：一、一、一。

</details>

5. 两次运行在留出的提示上得分相同，KL 却一个是两个 nat，一个是十二个。你会发布哪一个？

<details><summary>答案</summary>

近的那个，除非有不参与训练的人比较过它们的回复：它走得近，钻奖励模型空子的机会也少。

</details>

## 接下来

- [本章的练习](../../exercises/zh/ex06_ppo.ipynb)：KL、奖励、优势、两个损失、PPO-ptx 的一步，以及一次从不裁剪的运行。
- [第 07 章](07_what_alignment_costs.ipynb)：价格太低和太高，策略忘掉了什么，以及第三项。
- 回到[一张图看懂三个步骤](00_three_steps.ipynb)，或者回到[奖励模型](05_reward_model.ipynb)。

**讲课，四十五分钟。** 在黑板上讲三个臂，十分钟；一个提示上的循环，十分钟；价格和它的图，十分钟；逐个词元看价值与裁剪，十分钟；
训练台上事先启动的运行，五分钟。

**实验课，九十分钟。** 课前读过正文；从头做到 PPO 的循环，连同其中的猜测，六十分钟；给这个循环换一个价格或 $\lambda$，十五分钟；本章练习里的优势和裁剪损失，十五分钟。
"""
