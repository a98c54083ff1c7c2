# ---
# jupyter:
#   minirlhf:
#     paper: §4.1, §4.2, Eq. 2, C.4, E.6, E.7
#     doing_minutes: 25
# ---

# %% title [markdown]
r"""
# Chapter 07 · What alignment costs

PPO finds what the reward model likes. What if the reward model is wrong, and what becomes of the skills that nobody asks for while
it trains?

After this chapter you can

- say what goes wrong where $\beta$, the price of leaving the start, is too small or too large;
- see in a run's log and replies, ungraded, that it may follow the reward model's mistakes;
- split the failures between PPO and the reward model, and say how sure that is;
- measure what a policy has unlearned;
- write the third term of Eq. 2, and say what it does that a price doesn't.
"""

# %% title [markdown] lang="zh" of="4cbe4c81"
r"""
# 第 07 章 · 对齐的代价

PPO 会找出奖励模型喜欢什么。万一奖励模型错了呢？训练期间没有人过问的那些本事，又会怎么样？

学完本章，你将能够

- 说出 $\beta$（离开起点的价格）太小或太大时，会出什么问题；
- 不靠评判者，只看日志、回复和几个人的意见，就察觉一次运行也许正跟着奖励模型的错误走；
- 把不合格的回复分到 PPO 和奖励模型的账上，并说出这样分有多大把握；
- 量出策略忘掉了什么；
- 写出式 2 的第三项，并说出有什么事它能做到，价格却做不到。
"""

# %% beta [markdown]
r"""
## Too little β, and too much (E.7)

Suppose that labelers mostly liked the shorter of two replies. The reward model learns that short is good, and the policy may
cut every reply short, even the story that was to be long. Its score rises all the same. The price of leaving the start is there to prevent
that.

In Eq. 2 each nat of KL costs $\beta$ units of the score. In the paper (E.7, Fig. 36), for a $\beta$ of zero, labelers
rated the replies {paper:fig36.likert.0} of seven; for {paper:ppo.beta.best.low}, {paper:fig36.likert.0.01}; for
{paper:ppo.beta.best.high}, {paper:fig36.likert.0.02}; for two, {paper:fig36.likert.2}.

**These numbers don't carry over.** How far scores spread depends on how sure of itself a reward model is, so another one needs another
price; ours is {run:counts.ppo_beta}.

The package ships runs that differ in $\beta$ alone. The *proxy* is the reward model's score, which the policy was trained for. The
*judge*, Tinytown's exact grader, took no part in training. (The reward model's labelers start from the judge's grade, so the two agree
more than a reward model and people would.) If a small $\beta$ did no harm, proxy and judge would put the runs in the same order.
"""

# %% beta [markdown] lang="zh" of="504922cf"
r"""
## β 太小，β 太大（E.7）

假设两个回复里，标注员多半喜欢较短的那个。奖励模型学到的就是短的好；照它训练的策略，可能把每个回复都写短，连该写长的故事也不放过。
得分照样上升。离开起点要付出代价，就是为了防止这种事。

在式 2 里，每一 nat 的 KL 要花去 $\beta$ 个单位的得分。论文试了好几个值（E.7，图 36）。满分是七分：$\beta$ 为零时，标注员给回复打
{paper:fig36.likert.0} 分；取 {paper:ppo.beta.best.low} 时打 {paper:fig36.likert.0.01} 分，取 {paper:ppo.beta.best.high} 时打 {paper:fig36.likert.0.02} 分，取二时打 {paper:fig36.likert.2} 分。

**这些数不能照搬。** 奖励模型越有把握，好坏回复的得分差得就越大；换一个奖励模型，就要换一个价格。我们用的是 {run:counts.ppo_beta}。

程序包附带的几次运行，只有 $\beta$ 不同。*代理*（proxy）是奖励模型的得分，策略就是照它训练的。*评判者*（judge）是 Tinytown 的精确评分器，没有参与训练。
（奖励模型学的是标注员的排序，而标注员以评判者的评分为出发点，所以这里代理与评判者的一致程度，要高于奖励模型与真人。）如果 $\beta$ 小了没有坏处，代理与评判者就会给这些运行排出相同的次序。
"""

# %% tools
import numpy as np

from minirlhf import lesson, shipped
from minirlhf.evaluate.statistics import over_prompts, paired_difference

# %% best
from minirlhf.presets import PRESETS
from minirlhf.report.charts import INK, MUTED, PALETTE

usual = PRESETS["tinytown"].ppo.beta  # our β
sweep = {row["beta"]: row for row in shipped.read("sweep")}
none, most = min(sweep), max(sweep)


def half(beta, measure, first):
    """Every other prompt, from the first or from the second on."""
    return np.array(sweep[beta][measure])[first::2]


# chosen on one half of the prompts, compared on the other
best = max(sweep, key=lambda beta: half(beta, "grade", 0).mean())
no_beta, too_much = (
    paired_difference(half(best, "grade", 1), half(end, "grade", 1))
    for end in (none, most))

# %% best lang="zh"
{
    "# our β": "# 我们的 β",
    "Every other prompt, from the first or from the second on.": "每隔一条取一条提示，从第一条或第二条起。",
    "# chosen on one half of the prompts, compared on the other": "# 用一半提示来选，用另一半来比较",
}

# %% beta-guess
from minirlhf.widgets import Prediction

beta_of = {beta: f"β = {beta:g}" for beta in sweep}
places = (f"at {beta_of[none]}", "between these two",
          f"at {beta_of[most]}", "too close to say")
guess_beta = Prediction(
    f"{len(sweep)} values of β, from none to a high one: where is the "
    "judge's grade on held-out prompts highest?", "07.beta", choices=places)
guess_beta

# %% beta-guess lang="zh"
{
    "at {beta_of[none]}": "在 {beta_of[none]} 处",
    "between these two": "在这两者之间",
    "at {beta_of[most]}": "在 {beta_of[most]} 处",
    "too close to say": "太接近，说不准",
    "{len(sweep)} values of β, from none to a high one: where is the judge's grade on held-out prompts highest?": "{len(sweep)} 个 β，从零到很高：在留出的提示上，评判者的评分在哪里最高？",
}

# %% beta-answer
inside = best not in (none, most)
if inside and no_beta.low > 0 and too_much.low > 0:
    answer = places[1]
elif best == none and too_much.low > 0:
    answer = places[0]
elif best == most and no_beta.low > 0:
    answer = places[2]
else:
    answer = places[3]
guess_beta.reveal(answer, "shipped run")

# %% beta-answer lang="zh"
{
    "shipped run": "随包运行",
}

# %% sweep-look [markdown]
r"""
Read each panel downwards, as $\beta$ rises. The reward model's score falls, at first hardly. The judge's grade (one to seven, where
richness counts too) and *passes* (only mistakes count) are lower at both ends than between them: not the
order by score. All runs start from a score of {run:models.initial.score:.2f}, a grade of {run:models.initial.grade:.2f} and
{run:models.initial.passes:.1%} passes.

The answer above is cautious: it takes the best $\beta$ from half of the held-out prompts and compares it with both ends on the other
half. The table below uses all of them, so an end left open above may be clearly worse there.
"""

# %% sweep-look [markdown] lang="zh" of="1af9d40d"
r"""
每幅图从上往下看，$\beta$ 越来越大。奖励模型的得分先是几乎不变，接着下降。评判者的评分从一到七，还要看回复丰富不丰富；*合格*只看有没有错。这两样都是两头低、中间高，与按得分排的次序并不一致。所有运行都从同一个模型出发，它的得分是 {run:models.initial.score:.2f}，
评分是 {run:models.initial.grade:.2f}，回复有 {run:models.initial.passes:.1%} 合格。

上面的答案比较谨慎：用一半留出的提示选出最好的 $\beta$，再用另一半拿它与两头相比。下面的表用上全部留出的提示，把每次运行与我们通常的那次相比；
所以同一头，在表里可能明显更差，在上面却看不出。
"""

# %% sweep-picture folded="yes"
kinds = {"score": "reward model's score", "grade": "of seven",
         "passes": "% of replies"}
top = {kind: max(beta_of, key=lambda b, k=kind: np.mean(sweep[b][k]))
       for kind in kinds}
figure, panels = lesson.panels(
    3, f"Held-out prompts: best score at {beta_of[top['score']]}, most "
    f"passes at {beta_of[top['passes']]} (shipped run)",
    size=(7.2, 3.7),
    titles=("Proxy: score", "Judge: grade", "Judge: passes"))
for axes, (kind, unit) in zip(panels, kinds.items(), strict=True):
    lesson.intervals(axes, {
        name: over_prompts(sweep[b][kind]) for b, name in beta_of.items()
    }, unit, percent=kind == "passes")
    axes.tick_params(axis="y", labelleft=axes is panels[0])
lesson.show(figure, "A dot with its interval for each β: the score is best "
    f"at {beta_of[top['score']]}, the grade at {beta_of[top['grade']]}.")

# %% sweep-picture lang="zh"
{
    "reward model's score": "奖励模型的得分",
    "of seven": "满分七分",
    "% of replies": "占回复的 %",
    "Held-out prompts: best score at {beta_of[top['score']]}, most passes at {beta_of[top['passes']]} (shipped run)": "留出的提示：得分最高在 {beta_of[top['score']]}，合格最多在 {beta_of[top['passes']]}（随包运行）",
    "Proxy: score": "代理：得分",
    "Judge: grade": "评判者：评分",
    "Judge: passes": "评判者：合格",
    "A dot with its interval for each β: the score is best at {beta_of[top['score']]}, the grade at {beta_of[top['grade']]}.": "每个 β 一个点和它的区间：得分在 {beta_of[top['score']]} 处最高，评分在 {beta_of[top['grade']]} 处最高。",
}

# %% logs
import json


def log(name):
    """A shipped run's log: of each metric its values, in order."""
    lines = (shipped.run(name) / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    known = set.intersection(*map(set, rows))
    return {metric: np.array([r[metric] for r in rows]) for metric in known}


logs = {beta: log(f"beta-{beta:g}") for beta in sweep}
kl = {b: logs[b]["objective/kl"][-10:].mean() for b in sweep}
bracket = {b: logs[b]["objective/rlhf_reward"] for b in sweep}
gaps = {b: {kind: paired_difference(sweep[b][kind], sweep[usual][kind])
            for kind in ("score", "grade", "passes")} for b in sweep}

# %% logs lang="zh"
{
    "A shipped run's log: of each metric its values, in order.": "一次随包运行的日志：每个指标的值，按先后。",
}

# %% sweep-table folded="yes"
ours = beta_of[usual]
lesson.table((
    f"shipped run, {gaps[none]['grade'].n} prompts", "KL, nats per reply",
    "score − β KL, start → end", f"score, minus {ours}",
    f"grade, minus {ours}", f"passes, minus {ours}, points",
), [(beta_of[b], f"{kl[b]:.1f}",
     f"{bracket[b][:5].mean():.2f} → {bracket[b][-10:].mean():.2f}",
     *(("–",) * 3 if b == usual else (f"{d['score']:+.2f}",
                                      f"{d['grade']:+.2f}",
                                      f"{100 * d['passes']:+.1f}")))
    for b, d in gaps.items()])

# %% sweep-table lang="zh"
{
    "shipped run, {gaps[none]['grade'].n} prompts": "随包运行，{gaps[none]['grade'].n} 条提示",
    "KL, nats per reply": "KL，每个回复的 nat 数",
    "score − β KL, start → end": "得分 − β KL，起 → 止",
    "score, minus {ours}": "得分，与 {ours} 之差",
    "grade, minus {ours}": "评分，与 {ours} 之差",
    "passes, minus {ours}, points": "合格，与 {ours} 之差，百分点",
}

# %% floor [markdown]
r"""
The third column is what each run maximises. Where it *falls*, training made things worse by its own measure. Each run has one seed; we
chose our own $\beta$ from such tables of other seeds.
"""

# %% floor [markdown] lang="zh" of="66bf0d96"
r"""
第三列就是每次运行要尽量提高的量。它若*下降*，就说明即使按训练自己的尺度，也是越练越差。每次运行只有一个种子；
我们自己的 $\beta$ 是看着这样的表选定的，不过看的是另外的种子。
"""

# %% over [markdown] defines="over-optimisation"
r"""
## Over-optimisation, and seeing it without a judge (E.7)

*Over-optimisation* is when the proxy still rises while what it stands for falls. Away from the start, the reward model has seen few
rankings; some of what it likes there is a mistake, and finding what it likes is the policy's task.

A product has no judge to ask during training. These signs need none:

- the **KL**, from the log. Near its start, a policy has little room for mistakes;
- the **replies as texts**: how long they are, how often a reply repeats three words in a row, how many different
  words there are in the first ten of every reply, pooled;
- **a few people**. Show them replies of this run and a more careful one.

Below, the last replies of each run in training are held against our usual run's, on the same prompts; five labelers new to the reward
model say which they prefer. (They, too, start from the judge's grade.) Signs against a run are a higher KL and fewer
different words; shorter replies, more repeats and labelers who prefer ours count if their whole interval says so. The last column is the judge's, on
held-out prompts: which signs point at a run that isn't worse? Which worse run shows none? (One that learned little may not.)
"""

# %% over [markdown] lang="zh" of="6778689f"
r"""
## 过度优化：没有评判者，怎样看出来（E.7）

代理还在上升，它所代表的东西却在下降，这就是*过度优化*（over-optimisation）。离起点远的地方，奖励模型没有见过多少排序；它在那里喜欢的东西，有些是看走了眼，
而策略的任务正是找出它喜欢什么。

做产品时，训练期间没有评判者可问。下面这些迹象用不着评判者：

- 日志里的 **KL**。策略离起点不远，出错的余地就小；
- **回复的文字**：有多长，同一个回复里，有多少三词组是重复的，所有回复的前十个词里，不同的词共有多少；
- **几个人的意见**。给他们看成对的回复，提示相同，一个出自这次运行，一个出自更谨慎的运行。

下面用相同的提示，拿每次运行在训练末尾的回复与我们通常的那次相比。另有五位标注员，奖励模型没有学过他们的排序，由他们来说两个回复里更喜欢哪个。
（他们也以评判者的评分为出发点。）表里列出每次运行的不利迹象：KL 更高，不同的词更少；回复更短、重复更多、标注员更喜欢我们的，
这三样要看区间：整个区间都不利才算。最后一列是评判者在留出的提示上得出的结论：哪些迹象出现在并不更差的运行上？哪次更差的运行又没有任何迹象？学得太少的运行，不一定有迹象。
"""

# %% said
def said(beta, last=32):
    """Replies of a run's last iterations, by iteration and prompt."""
    path = shipped.run(f"beta-{beta:g}") / "samples.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {(r["step"], r["prompt"]): r for r in rows
            if r["step"] > rows[-1]["step"] - last}


replies = {beta: said(beta) for beta in sweep}
shared = sorted(set.intersection(*map(set, replies.values())))
texts = {b: [replies[b][key]["response"] for key in shared] for b in sweep}


def repeated(text):
    """The share of its runs of three words that a reply has said before."""
    words = text.lower().split()
    runs = [*zip(words, words[1:], words[2:], strict=False)]
    return 1 - len(set(runs)) / max(1, len(runs))

# %% said lang="zh"
{
    "Replies of a run's last iterations, by iteration and prompt.": "一次运行最后几次迭代的回复，按迭代和提示。",
    "The share of its runs of three words that a reply has said before.": "回复里三个连着的词，前面已经说过的占多少。",
}


# %% alarms
from minirlhf.evaluate.preference import preferred_by_panel
from minirlhf.tinytown.labelers import heldout_pool

panel = [labeler.prefers for labeler in heldout_pool()[:5]]
prompts = [prompt for _, prompt in shared]
alarms = {}
for beta, of_run in texts.items():
    alarms[beta] = (
        [len(text.split()) for text in of_run],
        [repeated(text) for text in of_run],
        len({w for text in of_run for w in text.lower().split()[:10]}),
        preferred_by_panel(
            panel, prompts, of_run, texts[usual]).win_rate,
    )

# %% alarm-guess
guess_panel = Prediction(
    f"Five labelers compare {len(shared)} pairs, a reply of the run with "
    f"{beta_of[none]} and one of our usual run. In what share of the pairs "
    "does the majority prefer the former?", "07.panel",
    unit="% of pairs", low=0, high=100)
guess_panel

# %% alarm-guess lang="zh"
{
    "Five labelers compare {len(shared)} pairs, a reply of the run with {beta_of[none]} and one of our usual run. In what share of the pairs does the majority prefer the former?": "五位标注员比较 {len(shared)} 对回复，一个出自 {beta_of[none]} 的运行，一个出自我们通常的那次。多数人更喜欢前者的，占百分之几？",
    "% of pairs": "%",
}

# %% alarm-answer
guess_panel.reveal(100 * alarms[none][3], "shipped run")

# %% alarm-answer lang="zh"
{
    "shipped run": "随包运行",
}

# %% alarm-table folded="yes"
signs, rows = ("KL", "shorter", "repeats", "fewer words", "labelers"), []
for b, (words, again, found, won) in alarms.items():
    longer, twice = (paired_difference(x, y) for x, y in
                     zip((words, again), alarms[usual][:2], strict=True))
    yes = (kl[b] > kl[usual], longer.high < 0, twice.low > 0,
           found < alarms[usual][2], won.high < 0.5)
    against = ", ".join(x for x, y in zip(signs, yes, strict=True) if y)
    rows.append((beta_of[b], f"{kl[b]:.1f}", *(
        ("–", "–", found, "–", "–", "–") if b == usual else
        (f"{longer:+.1f}", f"{100 * twice:+.1f}", found, f"{won:.0%}",
         against or "none", "worse" if gaps[b]["grade"].high < 0
         else "not clearly worse"))))
lesson.table((
    f"{len(shared)} replies (shipped run)", "KL, nats",
    "words per reply, minus ours", "repeats of three words, minus ours, "
    "points", "different words, first ten of each", "preferred to ours",
    "signs", f"grade next to ours, {gaps[none]['grade'].n} prompts"), rows)

# %% alarm-table lang="zh"
{
    ", ": "、",
    "{len(shared)} replies (shipped run)": "{len(shared)} 个回复（随包运行）",
    "KL, nats": "KL，nat",
    "words per reply, minus ours": "每个回复的词数，与我们的之差",
    "repeats of three words, minus ours, points": "重复的三词组，与我们的之差，百分点",
    "different words, first ten of each": "各回复前十个词里不同的词",
    "preferred to ours": "胜过我们的",
    "KL": None,
    "shorter": "更短",
    "repeats": "重复",
    "fewer words": "词少",
    "labelers": "标注员",
    "signs": "不利的迹象",
    "grade next to ours, {gaps[none]['grade'].n} prompts": "评分比较，{gaps[none]['grade'].n} 条提示",
    "none": "无",
    "worse": "更差",
    "not clearly worse": "不明显更差",
}

# %% one-prompt [markdown]
r"""
How does a reply read that the reward model likes and the judge fails? Where our usual run passes and the run without a price fails, the
next cell takes the reply furthest ahead in score: it shows what can go wrong, not how often. (A summary that adds something misses the *instruction*.)
"""

# %% one-prompt [markdown] lang="zh" of="bd94ba54"
r"""
奖励模型喜欢、评判者却判不合格的回复，读起来怎么样？有些提示上，我们通常的那次运行，回复合格，β 为零的那次不合格；下一格从中挑出不合格的回复得分领先最多的一条。
既然是这样挑出来的，它只说明会出什么错，不说明多久出一次。（要求概括一段文本时，说了文本里没有的事，就算没有达到*指令*。）
"""

# %% one-prompt-look
from minirlhf.tinytown.judge import judge


def verdict_of(beta, key):
    """What the judge says of a run's reply."""
    return judge(key[1], replies[beta][key]["response"])


def gained(key):
    """The score that leaving for free brings."""
    return replies[none][key]["score"] - replies[usual][key]["score"]


fallen = [key for key in shared if verdict_of(usual, key).passes
          and not verdict_of(none, key).passes]
worst = max(fallen or shared, key=gained)

# %% one-prompt-look lang="zh"
{
    "What the judge says of a run's reply.": "评判者对一次运行的回复怎么说。",
    "The score that leaving for free brings.": "离开不收费，得分多出多少。",
}

# %% one-prompt-table folded="yes"
from minirlhf.widgets.objections import criterion

verdicts = {b: verdict_of(b, worst) for b in (none, usual, most)}
lesson.table((worst[1].strip(), "reply (shipped run)",
              "reward model's score", "judge's grade", "misses"), [
    (beta_of[b], replies[b][worst]["response"].strip(),
     f"{replies[b][worst]['score']:+.2f}", f"{verdict.overall:.1f}",
     ", ".join(criterion(name) for name, met in verdict.criteria.items()
               if met < 1) or "nothing: it passes")
    for b, verdict in verdicts.items()])

# %% one-prompt-table lang="zh"
{
    "reply (shipped run)": "回复（随包运行）",
    "reward model's score": "奖励模型的得分",
    "judge's grade": "评判者的评分",
    ", ": "、",
    "misses": "没有达到",
    "nothing: it passes": "都达到：合格",
}

# %% smooth
window = 15  # iterations


def smooth(x):
    """The running mean, and how far its 95% interval reaches."""
    n = np.minimum(np.arange(1, len(x) + 1), window)
    total = np.cumsum(x)
    before = np.concatenate([np.zeros(window), total])[: len(x)]
    noise = np.diff(x).std() / 2**0.5  # of a single iteration
    return (total - before) / n, 1.96 * noise / n**0.5


curves = {(b, name): smooth(logs[b][name]) for b in (none, usual, most)
          for name in ("objective/score", "judge/grade")}

# %% smooth lang="zh"
{
    "# iterations": "# 迭代",
    "The running mean, and how far its 95% interval reaches.": "滑动平均，以及它的 95% 区间伸出多远。",
    "# of a single iteration": "# 单独一次迭代的",
}

# %% time-look [markdown]
r"""
Now the judge checks the signs: score and grade of the replies in training, with bars for the noise at each run's marks. Compare the ends of the solid and
dashed lines, as the title does: score higher and grade lower, both by more than the ±, is over-optimisation.
"""

# %% time-look [markdown] lang="zh" of="009e73f2"
r"""
现在由评判者来核对这些迹象：下面是训练过程中那些回复的得分和评分，每条线隔一段有一个记号，上面的竖条是这条线的噪声。请比较实线和虚线的终点，差写在标题里。
如果 β 为零时得分更高，评分却更低，两个差都超出 ±，那就是过度优化。
"""

# %% time-picture folded="yes"
score, grade = (
    f"{a[-1] - b[-1]:+.3f} ± {np.hypot(u[-1], v[-1]):.3f}"
    for (a, u), (b, v) in ((curves[none, of], curves[usual, of])
                           for of in ("objective/score", "judge/grade")))
ended = f"{beta_of[none]} minus {ours}: score {score}, grade {grade}"
figure, panels = lesson.panels(
    2, f"At the end, {ended} (shipped run)", size=(7.2, 3.1), titles=(
        f"Proxy: score, means of {window} iterations", "Judge: grade of 7"))
styles = {none: ("o-", 0), usual: ("s--", 10), most: ("^:", 20)}
for (b, of), (line, reach) in curves.items():
    axes, (style, first) = panels[int(of == "judge/grade")], styles[b]
    axes.errorbar(range(4, len(line)), line[4:], reach[4:], fmt=style, ms=3,
                  errorevery=(first, 30), markevery=(first, 30), color=INK,
                  elinewidth=0.9, label=beta_of[b])
    axes.set_xlabel("iterations")
panels[0].legend(fontsize=8, loc="lower right")
lesson.show(figure, f"At the end, {ended}.")

# %% time-picture lang="zh"
{
    "{beta_of[none]} minus {ours}: score {score}, grade {grade}": "{beta_of[none]} 减 {ours}：得分 {score}，评分 {grade}",
    "At the end, {ended} (shipped run)": "终点处，{ended}（随包运行）",
    "Proxy: score, means of {window} iterations": "代理：得分，{window} 次迭代的平均",
    "Judge: grade of 7": "评判者：评分，满分七分",
    "iterations": "迭代",
    "lower right": None,
    "At the end, {ended}.": "终点处，{ended}。",
}

# %% mistakes-text [markdown]
r"""
What does the policy without a price get wrong more often? The next table compares the last replies of two runs, in the five of the judge's
criteria that differ most; chosen so, some may differ by luck. A criterion that a prompt doesn't call for counts as met.
"""

# %% mistakes-text [markdown] lang="zh" of="ea5cd074"
r"""
β 为零的策略，在哪些方面更常出错？下表比较两次运行最后的回复，列出评判者的标准里相差最大的五条；既然是挑出来的，其中几条也许只是碰巧。
提示没有提出的标准，都算达到。
"""

# %% mistakes
def missed(beta):
    """Of a run's last replies, which miss each of the judge's criteria."""
    met = [judge(prompt, text).criteria
           for prompt, text in zip(prompts, texts[beta], strict=True)]
    return {name: np.array([of.get(name, 1) < 1 for of in met])
            for name in sorted(set().union(*met))}


freed, held = missed(none), missed(usual)
more = {name: paired_difference(freed[name], held[name])
        for name in freed.keys() & held.keys()}
widest = sorted(more, key=lambda name: (-abs(more[name].mean), name))[:5]

# %% mistakes lang="zh"
{
    "Of a run's last replies, which miss each of the judge's criteria.": "一次运行最后的回复中，哪些没有达到评判者的各条标准。",
}

# %% mistakes-table folded="yes"
asks = {"coherence": "nothing said twice, all makes sense",
        "instruction": "a reply of the kind asked for",
        "language": "whole sentences of the town's language",
        "length": "not too long", "manners": "no insults",
        "source": "nothing added to the text asked about",
        "topic": "about what was asked",
        "truth": "nothing false said of the town"}
lesson.table((f"missed, of all {len(shared)} replies (shipped run)",
              "it asks for", beta_of[none], ours, "more, points"), [
    (criterion(name),
     asks.get(name, "what the prompt says of words or form"),
     f"{freed[name].mean():.0%}", f"{held[name].mean():.0%}",
     f"{100 * more[name]:+.1f}") for name in widest])

# %% mistakes-table lang="zh"
{
    "nothing said twice, all makes sense": "没有话说两遍，前后说得通",
    "a reply of the kind asked for": "是所要的那种回复",
    "whole sentences of the town's language": "是小镇语言的完整句子",
    "not too long": "不太长",
    "no insults": "不骂人",
    "nothing added to the text asked about": "没有给所问的文本添东西",
    "about what was asked": "没有离题",
    "nothing false said of the town": "关于小镇的话都属实",
    "missed, of all {len(shared)} replies (shipped run)": "没有达到，占全部 {len(shared)} 个回复（随包运行）",
    "it asks for": "它要求",
    "more, points": "多出的百分点",
    "what the prompt says of words or form": "提示对用词或形式的要求",
}

# %% frontier-text [markdown]
r"""
Here are proxy and judge over the KL, a dot for each run's end: do both peak at the same KL? Choose a run and drag its ring back in
time; below is what the policy said then, the judge's objections marked. As in the last picture, the means are of training prompts, so
they differ from the held-out ones.
"""

# %% frontier-text [markdown] lang="zh" of="3f1144b3"
r"""
下图的横轴是 KL，画的是代理和评判者：一个点是一次运行的终点。评判者的最高处，与代理的一样靠右吗？请选一次运行，把它的圆环往回拖；
下面是策略当时的回复，评判者不满的地方都标了出来。与上一幅图一样，这些都出自日志，用的是训练的提示，所以平均与前面留出提示上的不同。
"""

# %% frontier
from minirlhf.widgets import Frontier

Frontier([shipped.run(f"beta-{b:g}") for b in sweep], source="shipped run")

# %% frontier lang="zh"
{
    "shipped run": "随包运行",
}

# %% control [markdown]
r"""
## Whose fault is it? A control

Some replies still fail after training. Is that PPO, which didn't find better ones, or the reward model, which didn't ask for them? The
paper can't know; Tinytown can. (After Gao et al., 2022.) Here PPO trains on the *judge
itself*: the score is the grade minus five. All else stays, $\beta$ too, though a unit of grade may weigh more or
less than one of score. So its gain is a rough estimate of what PPO can reach. The *learned reward*, our reward model's, reaches part:

$$\text{reached}=\frac{\text{gain with the learned reward}}{\text{gain with the judge as reward}}$$

What fails in the control is PPO's part (its price, few episodes, small model); what fails in addition, the reward model's. A
third run has the learned reward and no price. Each seed repeats all steps, so these intervals include the luck of
training. Few seeds make them wide; we take the reward model's part as established only if its interval excludes zero. The *gain* is the
share of held-out replies that pass, minus that of SFT.
"""

# %% control [markdown] lang="zh" of="8fca53ea"
r"""
## 该怪谁？做一次对照

训练之后，仍有回复不合格。该怪 PPO 没有找到更好的，还是怪奖励模型没有要求更好的？论文无从知道，Tinytown 可以知道。（想法出自 Gao 等人，2022。）
这里的 PPO 直接照*评判者*训练：得分就是评分减五。其余一概不变，$\beta$ 也不变，尽管评分的一分未必与得分的一分同样重。
所以它的提高只是粗略的估计，说明 PPO 能做到多少。*学来的奖励*，也就是奖励模型的得分，做到了其中一部分：

$$\text{做到的部分}=\frac{\text{用学来的奖励，提高多少}}{\text{用评判者作奖励，提高多少}}$$

照评判者训练仍不合格的，我们记在 PPO 的账上（连同它的价格、回合数和小模型）；改用学来的奖励后又多出来的，记在奖励模型的账上。第三种运行用学来的奖励，但 β 为零。
每个种子都把论文的三步从头走一遍，所以这些区间也涵盖训练的偶然。种子不多，区间就宽；奖励模型的那笔账，区间不含零才算成立。*提高*是指：留出的提示上，合格的比例比 SFT 高多少。
"""

# %% seeds
from minirlhf.evaluate.statistics import over_seeds

seeds = shipped.read("seeds")  # a row each


def each(model, *path):
    """One figure of a model, for each seed that has it."""
    found = [row["models"].get(model, {}) for row in seeds]
    for key in path:
        found = [one[key] for one in found if key in one]
    return np.array(found)


control, learned = each("ppo-judge", "gain"), each("ppo", "gain")
kept = over_seeds(learned / control)
missing = over_seeds(control - learned)
free = over_seeds(each("ppo-beta-0", "score") - each("ppo", "score"))
worse = over_seeds(each("ppo", "grade") - each("ppo-beta-0", "grade"))

# %% seeds lang="zh"
{
    "# a row each": "# 每个种子一行",
    "One figure of a model, for each seed that has it.": "一个模型的某个数，有它的种子各一个。",
}

# %% control-guess
guess_kept = Prediction(
    "How much of the control's gain does the learned reward model reach?",
    "07.kept", unit="% of the gain", low=0, high=130)
guess_kept

# %% control-guess lang="zh"
{
    "How much of the control's gain does the learned reward model reach?": "对照的提高，用学来的奖励能做到百分之几？",
    "% of the gain": "%",
}

# %% control-answer
guess_kept.reveal(100 * kept, "shipped run")

# %% control-answer lang="zh"
{
    "shipped run": "随包运行",
}

# %% control-look [markdown]
r"""
Both panels are of the same replies; a product would have the right one alone. Does the highest score pass most?
"""

# %% control-look [markdown] lang="zh" of="8dd76363"
r"""
两幅图说的是同一批回复；做产品时，你看得到的只有右边那幅。得分最高的运行，合格的也最多吗？
"""

# %% control-picture folded="yes"
named = {"PPO, β = 0": "ppo-beta-0", "ppo": "ppo",
         "PPO on the judge": "ppo-judge"}
figure, (gains, scores_of) = lesson.panels(
    2, f"The control, {len(seeds)} seeds (shipped run)", size=(7.2, 2.3),
    titles=("Judge: passes, minus SFT", "Proxy: score"))
lesson.intervals(gains, {label: over_seeds(each(model, "gain"))
                         for label, model in named.items()}, "points")
lesson.intervals(scores_of, {label: over_seeds(each(model, "score"))
                             for label, model in named.items()},
                 "reward model's score", percent=False)
scores_of.tick_params(axis="y", labelleft=False)
gains.axvline(0, color=MUTED, linewidth=0.8)
lesson.show(figure, "Left, gains in passes of three kinds of run over "
    "seeds, right, the reward model's scores of the same.")

# %% control-picture lang="zh"
{
    "PPO, β = 0": "PPO，β = 0",
    "PPO on the judge": "PPO，评判者作奖励",
    "The control, {len(seeds)} seeds (shipped run)": "对照，{len(seeds)} 个种子（随包运行）",
    "Judge: passes, minus SFT": "评判者：合格，与 SFT 之差",
    "Proxy: score": "代理：得分",
    "points": "百分点",
    "reward model's score": "奖励模型的得分",
    "Left, gains in passes of three kinds of run over seeds, right, the reward model's scores of the same.": "左图是三种运行合格比例的提高，对种子取区间；右图是奖励模型给它们的得分。",
}

# %% control-table folded="yes"
lacking = over_seeds(1 - each("ppo-judge", "passes"))
lesson.table((f"{len(seeds)} seeds (shipped run)", "mean, 95% interval"), [
    ("reached, of the control's gain", f"{kept:.0%}"),
    ("fails with the judge as reward: PPO's part", f"{lacking:.0%}"),
    ("fails in addition: the reward model's part, points",
     f"{100 * missing:+.1f}"),
    ("reward model's score: no price minus usual", f"{free:+.2f}"),
    ("judge's grade: usual minus no price", f"{worse:+.2f}")])

# %% control-table lang="zh"
{
    "{len(seeds)} seeds (shipped run)": "{len(seeds)} 个种子（随包运行）",
    "mean, 95% interval": "平均，95% 区间",
    "reached, of the control's gain": "做到的部分，占对照的提高",
    "fails with the judge as reward: PPO's part": "评判者作奖励，仍不合格：PPO 的账",
    "fails in addition: the reward model's part, points": "此外多出的不合格：奖励模型的账，百分点",
    "reward model's score: no price minus usual": "奖励模型的得分：β 为零减通常",
    "judge's grade: usual minus no price": "评判者的评分：通常减 β 为零",
}

# %% tax [markdown] defines="alignment tax"
r"""
## The tax (§4.2)

Trained on requests alone, a model has no reason to keep what requests don't need. The paper calls the loss on other tasks the
*alignment tax*. Largest models, with examples in the prompt (Table 14; F1 and BLEU measure overlap with a right answer):

| | GPT-3 | PPO | PPO-ptx |
|---|---|---|---|
| SQuADv2, questions on a text (F1) | {paper:table14.squadv2.few.175b.gpt} | {paper:table14.squadv2.few.175b.ppo} | {paper:table14.squadv2.few.175b.ppo-ptx} |
| DROP, questions that need counting (F1) | {paper:table14.drop.few.175b.gpt} | {paper:table14.drop.few.175b.ppo} | {paper:table14.drop.few.175b.ppo-ptx} |
| French to English (BLEU) | {paper:table14.fr-en.few.175b.gpt} | {paper:table14.fr-en.few.175b.ppo} | {paper:table14.fr-en.few.175b.ppo-ptx} |

Tinytown has *task probes*: texts as the pretraining corpus has them, to be continued; `run_probe` scores what follows. Nine of them ask
for a copy or for more of a page: names, sentences, the next speaker or days of the week. (Means over
*all* tasks include three more: a quiz, reading and translation.) We ask for a copy with another name in it, and look at items that the *base*, which is only pretrained, has right and PPO has wrong.
"""

# %% tax [markdown] lang="zh" of="ce127c3a"
r"""
## 对齐税（§4.2）

如果训练时只有用户的要求，模型就没有理由保留用不上的本事。它在其他任务上因此丢的分，论文称为*对齐税*（alignment tax）。下面是最大的模型的成绩，提示里带例子
（表 14；F1 和 BLEU 量的是与正确答案有多少重合）；PPO-ptx 见下一节：

| | GPT-3 | PPO | PPO-ptx |
|---|---|---|---|
| SQuADv2，就一段文本提问（F1） | {paper:table14.squadv2.few.175b.gpt} | {paper:table14.squadv2.few.175b.ppo} | {paper:table14.squadv2.few.175b.ppo-ptx} |
| DROP，要数一数才能答（F1） | {paper:table14.drop.few.175b.gpt} | {paper:table14.drop.few.175b.ppo} | {paper:table14.drop.few.175b.ppo-ptx} |
| 法语译成英语（BLEU） | {paper:table14.fr-en.few.175b.gpt} | {paper:table14.fr-en.few.175b.ppo} | {paper:table14.fr-en.few.175b.ppo-ptx} |

Tinytown 有*任务测验*（task probe）：题目写成预训练语料里的样子，让模型往下接，由 `run_probe` 判分。其中九种题要照抄，或者把一页接着写下去：列出人名（names）、重复或照抄句子（repeating、copying、agreeing）、
下一个轮到谁说（who speaks next）、接着出题（worksheet）、接着写评论（reviews）、接着数星期几（days）。（凡是写明*所有*任务的平均，都还算上另外三种：问答、阅读和翻译。）我们先让模型照抄两句话，换掉其中一个名字，看看哪些题*基座*（只经过预训练的模型）答对了，PPO 却答错了。
"""

# %% probes
from minirlhf.evaluate.probing import run_probe
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.tax import TAX

folders = {name: shipped.run(name) / "model"
           for name in ("initial", "ppo", "ppo-ptx")}
tokenizer = load_tokenizer(folders["initial"])
policies = {"base": load_policy(base_folder("medium"), tokenizer)}
policies |= {m: load_policy(path, tokenizer) for m, path in folders.items()}

items = TAX["copying with another name"](lesson.pick(100, quick=20))
right = {name: run_probe(policy, tokenizer, items)
         for name, policy in policies.items()}
unlearned = np.flatnonzero(right["base"] > right["ppo"])

# %% probes lang="zh"
{
    "copying with another name": None,
}

# %% unlearned
from minirlhf.sampling import complete

some = [items[i].prompt for i in unlearned[:3]] or [items[0].prompt]
told = {name: complete(policies[name], tokenizer, some, max_new_tokens=60,
                       temperature=0.0) for name in ("base", "ppo")}

# %% unlearned-table folded="yes"
won_over = np.sum(right["base"] < right["ppo"])
lesson.table((f"of {len(items)} items {len(unlearned)} like these, "
              f"{won_over} the other way round", "base (live)",
              "PPO (live)"), [
    (prompt, *(told[name][i].strip().split("\n")[0] for name in told))
    for i, prompt in enumerate(some)])

# %% unlearned-table lang="zh"
{
    "of {len(items)} items {len(unlearned)} like these, {won_over} the other way round": "{len(items)} 题里这样的有 {len(unlearned)} 题，反过来的有 {won_over} 题",
    "base (live)": "基座（实时）",
    "PPO (live)": "PPO（实时）",
}

# %% tax-guess
older = "question answering", "reading", "translation"
tasks = [task for task in TAX if task not in older]
guess_tax = Prediction(
    "On which task does PPO lose most?", "07.tax", choices=tasks)
guess_tax

# %% tax-guess lang="zh"
{
    "question answering": None,
    "On which task does PPO lose most?": "PPO 在哪个任务上丢分最多？",
}

# %% tax-seeds
tax = {name: {task: over_seeds(each(name, "tax", task)) for task in TAX}
       for name in ("sft", "initial", "ppo")}
hardest = max(tasks, key=lambda task: tax["ppo"][task].mean)


def mean_tax(model, among=tuple(TAX)):
    """The loss of a model, mean over the tasks, for each seed."""
    return np.mean([each(model, "tax", task) for task in among], axis=0)


of_nine = over_seeds(mean_tax("ppo", tasks))
own = over_seeds(mean_tax("ppo", tasks) - mean_tax("initial", tasks))

# %% tax-seeds lang="zh"
{
    "The loss of a model, mean over the tasks, for each seed.": "一个模型丢的分，对任务取平均，每个种子一个。",
}

# %% tax-answer
guess_tax.reveal(hardest, "shipped run")

# %% tax-answer lang="zh"
{
    "shipped run": "随包运行",
}

# %% tax-look [markdown]
r"""
Each panel is a model, each row a task: how many points are lost to the base? Without a tax, nearly all intervals would include zero.
The answer above goes by the mean; overlapping intervals leave it open.
Neither SFT nor the *initial* model met a reward. The latter, from demonstrations and some pretraining text (C.3), is PPO's start: by the
titles' means, how much of PPO's tax had it lost already?
"""

# %% tax-look [markdown] lang="zh" of="1e1f2806"
r"""
一幅图是一个模型，一行是一种任务：比基座丢了多少分？如果没有税，几乎所有区间都会含零。上面的答案是按平均选的；区间若重叠，丢分最多的也可能是另一个任务。SFT 和*初始*模型都没有受过任何奖励，后者学过示范和一些预训练文本（C.3），是 PPO 的起点：
看标题里的平均，PPO 的税里，有多少在起点就已经丢了？
"""

# %% tax-picture folded="yes"
means = {name: 100 * mean_tax(name, tasks).mean() for name in tax}
figure, panels = lesson.panels(
    len(tax), f"The tax: points lost to the base, {len(seeds)} seeds "
    "(shipped run)", size=(7.2, 3.9), titles=[
        f"{lesson.called(name)}: mean {means[name]:.0f}" for name in tax])
for axes, of_model in zip(panels, tax.values(), strict=True):
    lesson.intervals(axes, {t: of_model[t] for t in tasks}, "points lost")
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.tick_params(axis="y", labelleft=axes is panels[0])
reach = [axes.get_xlim() for axes in panels]
for axes in panels:  # one scale for all
    axes.set_xlim(min(reach)[0], max(high for _, high in reach))
lesson.show(figure, "A panel each for SFT, initial model and PPO: what it "
    "loses to the base on each task, with intervals over seeds.")

# %% tax-picture lang="zh"
{
    "The tax: points lost to the base, {len(seeds)} seeds (shipped run)": "税：比基座丢的百分点，{len(seeds)} 个种子（随包运行）",
    "{lesson.called(name)}: mean {means[name]:.0f}": "{lesson.called(name)}：平均 {means[name]:.0f}",
    "# one scale for all": "# 三幅用同样的轴",
    "points lost": "丢的百分点",
    "A panel each for SFT, initial model and PPO: what it loses to the base on each task, with intervals over seeds.": "SFT、初始模型和 PPO 各一幅：在每个任务上比基座丢多少分，区间对种子取。",
}

# %% playground-text [markdown]
r"""
Ask the models something yourself.
"""

# %% playground-text [markdown] lang="zh" of="49b19677"
r"""
请亲自问问这些模型。
"""

# %% playground
from minirlhf.widgets import Playground

playground = Playground(
    {name: (policy, tokenizer) for name, policy in policies.items()},
    judge=judge, newline=False, suggestions=some, max_response=60)
playground.answer(some[0])
playground

# %% third [markdown]
r"""
## The third term (Eq. 2, C.4)

A pianist who practises one piece for a month forgets the others, unless she plays a page of them now and then. That is the third
term of Eq. 2, which PPO-ptx adds:

$$\mathbb E_{x,\,y\sim\pi}\Big[\,r_\theta(x,y)-\beta\,\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]$$

Each minibatch brings some pretraining documents with it, and $\gamma$ times the gradient of their log-likelihood is added to PPO's.
(`ptx_loss` is minus the log-likelihood.) In the paper $\gamma$ is {paper:ptx.gamma}, with {paper:ptx.ratio} documents for an
episode; how the likelihood is averaged isn't stated. Ours is a mean over tokens, so the shipped runs'
{run:counts.ptx_gamma} doesn't compare; they draw one document to four episodes.

The loop is that of chapter 06; `roll_out`, which charges the price, and `minibatches` of `minirlhf/plain/ppo.py` do its first half.
Three lines are new. The loop trains three models: without the term, without it at ten times the price, and with it, at a $\gamma$ of one;
on guests' prompts only (*Guest: … Guide:*), so the policy can forget the rest.
"""

# %% third [markdown] lang="zh" of="1267d787"
r"""
## 第三项（式 2，C.4）

钢琴家一连一个月只练一首曲子，就会忘掉别的曲子，除非隔些时候也弹上一页。式 2 的第三项就是这一页，PPO-ptx 把它加了进来：

$$\mathbb E_{x,\,y\sim\pi}\Big[\,r_\theta(x,y)-\beta\,\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]$$

每个小批次都带着几篇预训练文档，它们的对数似然的梯度乘以 $\gamma$，加到 PPO 的梯度上。（`ptx_loss` 是对数似然的相反数。）论文里的 $\gamma$ 是 {paper:ptx.gamma}，
每个回合配 {paper:ptx.ratio} 篇文档；对数似然怎样归一，论文没有说。我们对词元取平均，所以这些数不能比较：随包运行取的是 {run:counts.ptx_gamma}，每四个回合配一篇文档。

循环你在第 06 章已经见过，前半段现在由 `minirlhf/plain/ppo.py` 的 `roll_out`（价格在这里收）和 `minibatches` 来做。新的只有三行。用这个循环训练出三个模型：一个没有第三项；
一个没有第三项，价格是十倍；一个有第三项，$\gamma$ 取一。提示只用客人的（*Guest: … Guide:*），好让模型有机会忘掉别的。
"""

# %% parts
import inspect

from minirlhf.objectives import policy_loss, ptx_loss, value_loss
from minirlhf.plain.ppo import logprobs, minibatches, roll_out, values

print(inspect.getsource(minibatches))

# %% loop
def ppo_ptx(config, models, adam, prompts, documents):
    for i in range(config.episodes // config.rollout_batch):
        episodes = roll_out(config, models, prompts, i)
        for rows, drawn in minibatches(config, documents, i):
            part = [episodes.pairs[j] for j in rows]
            new, m = logprobs(models.policy, part, models.banned)
            # log π when sampled, values, advantages, returns
            old, V, A, G = (t[rows, : m.shape[1]] for t in episodes[3:])
            loss = policy_loss(new, old, A, m)
            new_V = values(models.value, part)
            loss = loss + value_loss(new_V, V, G, m)
            if drawn:  # the third term of Eq. 2
                ptx = ptx_loss(*logprobs(models.policy, drawn))
                loss = loss + config.ptx_gamma * ptx
            loss.backward()
            adam.step()
            adam.zero_grad()

# %% loop lang="zh"
{
    "# log π when sampled, values, advantages, returns": "# 采样时的 log π、价值、优势、回报",
    "# the third term of Eq. 2": "# 式 2 的第三项",
}

# %% material
from itertools import islice

import torch

from minirlhf.data.tokenization import encode_documents, encode_prompts
from minirlhf.tinytown.corpus import documents

pages = [row["text"] for row in islice(documents(7), 460)]
pages = [torch.tensor([*ids])
         for ids in encode_documents(tokenizer, pages, 256)]
pages = [(ids[:1], ids[1:]) for ids in pages]  # first token, the rest
never_drawn, pool = pages[:60], pages[60:]

texts_asked = [row["prompt"] for row in shipped.read("prompts-ppo")]
encoded = encode_prompts(tokenizer, texts_asked)
guests = [torch.tensor(ids)
          for ids, t in zip(encoded, texts_asked, strict=True)
          if t.count("Guest:") == 1 and t.endswith("Guide:")]

# %% material lang="zh"
{
    "# first token, the rest": "# 第一个词元，其余的",
}

# %% train
import copy

from minirlhf.config import PPOConfig
from minirlhf.models import ScalarModel, never_sampled
from minirlhf.plain.ppo import Models, start

initial = policies["initial"]
reward = ScalarModel.load(shipped.run("reward") / "model")
never = never_sampled(tokenizer, initial)
banned = torch.zeros(len(never)).masked_fill(never, -torch.inf)
ours_ppo = PRESETS["tinytown"].ppo
settings = {"episodes": lesson.pick(192, quick=16), "minibatch": 12,
            "rollout_batch": lesson.pick(24, quick=8),
            "lam": ours_ppo.lam, "learning_rate": 3e-4, "ema": None,
            "value_learning_rate": 1e-3, "max_response": 48}


# %% train-run
def trained(gamma, beta=usual):
    """The initial model after the loop, on guests' prompts."""
    config = PPOConfig(**settings, beta=beta, ptx_gamma=gamma,
                       ptx_examples_per_episode=0.25)
    models = Models(copy.deepcopy(initial), initial, reward.classifier,
                    copy.deepcopy(reward.classifier), banned,
                    tokenizer.eos_token_id)
    adam, _ = start(config, models)  # for policy and value model
    ppo_ptx(config, models, adam, guests, pool)
    return models.policy


priced = "PPO at high β"
ends = {"initial": initial, "ppo": trained(0.0),
        priced: trained(0.0, beta=10 * usual), "ppo-ptx": trained(1.0)}

# %% train-run lang="zh"
{
    "The initial model after the loop, on guests' prompts.": "初始模型用客人的提示走完循环之后。",
    "# for policy and value model": "# 管策略和价值模型",
    "PPO at high β": "高 β 的 PPO",
}

# %% document-guess
outcomes = "it falls", "no clear change", "it rises"
guess_pages = Prediction(
    "Documents that were never drawn: what becomes of their loss under PPO "
    "without the third term?", "07.pages", choices=outcomes)
guess_pages

# %% document-guess lang="zh"
{
    "it falls": "下降",
    "no clear change": "看不出变化",
    "it rises": "上升",
    "Documents that were never drawn: what becomes of their loss under PPO without the third term?": "从未抽到的文档：没有第三项的 PPO，会使它们的损失怎样？",
}

# %% document-loss
@torch.no_grad()
def loss_of(policy):
    """The loss per token of each document that is never drawn."""
    new, mask = logprobs(policy, never_drawn)
    return (-(new * mask).sum(1) / mask.sum(1)).numpy()


losses = {name: loss_of(policy) for name, policy in ends.items()}
drift = paired_difference(losses["ppo"], losses["initial"])
stays = paired_difference(losses[priced], losses["initial"])
rescue = paired_difference(losses["ppo"], losses["ppo-ptx"])

# %% document-loss lang="zh"
{
    "The loss per token of each document that is never drawn.": "从未抽到的文档，各自每个词元的损失。",
}

# %% document-answer
def became(difference):
    """Which of the outcomes an interval says."""
    return outcomes[
        2 if difference.low > 0 else 0 if difference.high < 0 else 1]


guess_pages.reveal(became(drift))

# %% document-answer lang="zh"
{
    "Which of the outcomes an interval says.": "从区间看，是哪一种结果。",
}

# %% met
from minirlhf.reward import score_texts

unmet = [row["prompt"] for row in shipped.read("prompts")]
unmet = [t for t in unmet
         if t.count("Guest:") == 1 and t.endswith("Guide:")]


def scored(policy, n=3):
    """The mean score of n replies to each guest that was never met."""
    said = complete(policy, tokenizer, unmet, n=n, max_new_tokens=48)
    texts = [text for text in unmet for _ in range(n)]
    s = score_texts(reward, tokenizer, texts, said)
    return s.view(-1, n).mean(1).numpy()


scored_of = {name: scored(policy) for name, policy in ends.items()}
gives_up = {name: paired_difference(scored_of["ppo"], scored_of[name])
            for name in (priced, "ppo-ptx")}

# %% met lang="zh"
{
    "The mean score of n replies to each guest that was never met.": "从未遇到的客人，每位取 n 个回复的平均得分。",
}

# %% skills
exam = [item for task in TAX.values()
        for item in task(lesson.pick(15, quick=2), seed=1)]
skills = {name: run_probe(policy, tokenizer, exam)
          for name, policy in ends.items()}
forgotten = paired_difference(skills["initial"], skills["ppo"])
saved = paired_difference(skills["ppo-ptx"], skills["ppo"])

# %% document-look [markdown]
r"""
First, the loss on documents that no run has drawn: if the term did nothing, *PPO* and *PPO-ptx* would have the same. But likelihood is
what it trains. Second, the task probes: had the term clearly saved skills, *PPO-ptx minus PPO* would lie above zero; if it includes zero,
these few steps can't tell, and the next section has longer runs. Third, the score on guests that no run has met: is it above
*Initial*'s? The table compares item by item.
"""

# %% document-look [markdown] lang="zh" of="af1fdfaf"
r"""
第一幅是损失，所用的文档从来没有抽到过：如果第三项不起作用，*PPO* 与 *PPO-ptx* 就该一样。不过它训练的正是似然，所以这只说明它确实在起作用。
第二幅是任务测验：如果第三项明显保住了本事，“PPO-ptx 减 PPO”就该在零以上；如果区间含零，这么少的步数就还看不出，要看下一节更长的运行。
第三幅是得分，所用的客人从来没有遇到过：训练之后，它高过*初始模型*的了吗？下表在相同的文档和题目上相比，所以区间窄得多；最后一列说每个区间在零的哪一边。
"""

# %% document-picture folded="yes"
figure, (loss_panel, exam_panel, score_panel) = lesson.panels(
    3, "The loop without the third term and with it (live)",
    size=(7.2, 2.4), titles=("Documents never drawn", "All task probes",
                             "Guests never met"))
lesson.intervals(
    loss_panel, {name: over_prompts(x) for name, x in losses.items()},
    "loss, nats per token", percent=False)
lesson.intervals(exam_panel, {name: over_prompts(x)
                              for name, x in skills.items()}, "% right")
lesson.intervals(
    score_panel, {name: over_prompts(x) for name, x in scored_of.items()},
    "reward model's score", percent=False)
for axes in (exam_panel, score_panel):
    axes.tick_params(axis="y", labelleft=False)
lesson.show(figure, "Loss on documents, share of probes right and score "
    "for the initial model, PPO, PPO at a high β and PPO-ptx.")

# %% document-picture lang="zh"
{
    "The loop without the third term and with it (live)": "循环，没有和有第三项（实时）",
    "Documents never drawn": "从未抽到的文档",
    "All task probes": "全部任务测验",
    "Guests never met": "从未遇到的客人",
    "loss, nats per token": "损失，每个词元的 nat 数",
    "% right": "答对的 %",
    "reward model's score": "奖励模型的得分",
    "Loss on documents, share of probes right and score for the initial model, PPO, PPO at a high β and PPO-ptx.": "初始模型、PPO、高 β 的 PPO 和 PPO-ptx：文档的损失、测验答对的比例和得分。",
}

# %% document-table folded="yes"
def side(of):
    """Where an interval lies."""
    return ("above zero" if of.low > 0 else
            "below zero" if of.high < 0 else "includes zero: open")


rows = [("loss: PPO minus initial", "+.3f", drift),
        ("loss: PPO at high β, minus initial", "+.3f", stays),
        ("loss: PPO minus PPO-ptx", "+.3f", rescue),
        ("probes: initial minus PPO, points", "+.1f", 100 * forgotten),
        ("probes: PPO-ptx minus PPO, points", "+.1f", 100 * saved),
        *((f"score: PPO minus {lesson.called(name)}", "+.2f", given)
          for name, given in gives_up.items())]
lesson.table(("live, on the same documents, items, guests",
              "mean, 95% interval", "the interval"), [
    (text, f"{of:{form}}", side(of)) for text, form, of in rows])

# %% document-table lang="zh"
{
    "Where an interval lies.": "区间在哪里。",
    "above zero": "在零以上",
    "below zero": "在零以下",
    "includes zero: open": "含零：看不出",
    "live, on the same documents, items, guests": "实时，文档、题目、客人都相同",
    "mean, 95% interval": "平均，95% 区间",
    "the interval": "区间",
    "loss: PPO minus initial": "损失：PPO 减初始模型",
    "loss: PPO at high β, minus initial": "损失：高 β 的 PPO 减初始模型",
    "loss: PPO minus PPO-ptx": "损失：PPO 减 PPO-ptx",
    "probes: initial minus PPO, points": "测验：初始模型减 PPO，百分点",
    "probes: PPO-ptx minus PPO, points": "测验：PPO-ptx 减 PPO，百分点",
    "score: PPO minus {lesson.called(name)}": "得分：PPO 减 {lesson.called(name)}",
}

# %% back [markdown]
r"""
## What wins it back (E.6)

Would a higher price do instead of a third term? The paper tried both on its smallest model: without the term, $\beta$ up to
{paper:fig34.beta.max}, as the price of leaving GPT-3 (Fig. 34); with it, several $\gamma$ (Fig. 33). From a $\gamma$ of
{paper:fig33.gamma.recovers} on, it reports, the tasks are won back. Our shipped runs repeat both, with a price for leaving PPO's start.

**What a $\beta$ can't do.** The price is paid on replies to requests. On other texts the policy may change for free, though the
weights are shared, so a price may save a part. At an infinite price the policy learns nothing, and still lacks
what the initial model had lost.

**Why $\gamma$ can.** Its gradient is taken on texts of the kind to be kept, on every step.
"""

# %% back [markdown] lang="zh" of="84606f33"
r"""
## 怎样把丢的分赢回来（E.6）

不要第三项，只把价格提高，行不行？没有第三项时，论文用最小的模型来试，KL 改为对 GPT-3 计算，$\beta$ 最高试到 {paper:fig34.beta.max}（图 34）；有第三项时，试了几个 $\gamma$（图 33）。
据论文报告，$\gamma$ 到了 {paper:fig33.gamma.recovers} 以上，丢的分就赢回来了。我们的随包运行把两样都重复了一遍，只是 KL 仍对策略的起点计算。

**$\beta$ 做不到什么？** 价格只管对要求的回复。在别的文本上，策略怎么变都不收费；不过权重是共用的，价格也许能保住一部分。
如果价格无穷大，策略就停在起点：什么也没学到，而初始模型已经丢掉的，什么价格也带不回来。

**$\gamma$ 为什么做得到？** 第三项的梯度，取自想要保住的那类文本，而且每一步都取。
"""

# %% paper-curves
from minirlhf.paper import value

gammas_of_paper = np.array([1, 10, 30, 100])
exams = {"drop": "DROP", "squadv2": "SQuADv2"}
gpt = {of: value(f"fig34.{of}.gpt") for of in exams}
over_gamma = {
    of: [value(f"fig33.{of}.{g}") / gpt[of] for g in gammas_of_paper]
    for of in exams}
best_beta = {of: value(f"fig34.{of}.peak") / gpt[of] for of in exams}

# %% swept
probed = {row["model"]: row for row in shipped.read("probed")}
of_gamma = {row["gamma"]: row for row in shipped.read("sweep-gamma")}
gamma = PRESETS["tinytown"].ppo_ptx.ptx_gamma  # our γ


def solved(row):
    """Which items of each task a run has right: [tasks, items]."""
    return np.array([[int(bit) for bit in row["tasks"][t]] for t in TAX])


def lost(row):
    """What a run loses to the base, mean over the tasks: [items]."""
    return (solved(probed["base"]) - solved(row)).mean(0)


# the best β, chosen on every other item, compared on the rest
cheapest = min(sweep, key=lambda b: lost(sweep[b])[0::2].mean())
short_of_base = over_prompts(lost(sweep[cheapest])[1::2])

# %% swept lang="zh"
{
    "# our γ": "# 我们的 γ",
    "Which items of each task a run has right: [tasks, items].": "一次运行在每个任务里答对哪些题：[任务, 题目]。",
    "What a run loses to the base, mean over the tasks: [items].": "一次运行比基座丢多少，对任务取平均：[题目]。",
    "# the best β, chosen on every other item, compared on the rest": "# 最好的 β，用一半题目来选，用另一半来比较",
}

# %% does-both
def doers(tax, gain, ours=f"β = {usual:g}"):
    """Runs that win back 3/5 of PPO's tax and keep 4/5 of its gain."""
    return [name for name in tax if 1 - tax[name] / tax[ours] >= 0.6
            and gain[name] / gain[ours] >= 0.8]


runs = {f"β = {b:g}": row for b, row in sweep.items()}
runs |= {f"γ = {g:g}": row for g, row in of_gamma.items()}
tax_of = {name: lost(row).mean() for name, row in runs.items()}
gain_of = {name: np.mean(row["passes"]) - np.mean(probed["sft"]["passes"])
           for name, row in runs.items()}
both = doers(tax_of, gain_of)

# %% does-both lang="zh"
{
    "β = {usual:g}": None,
    "β = {b:g}": None,
    "γ = {g:g}": None,
    "Runs that win back 3/5 of PPO's tax and keep 4/5 of its gain.": "赢回 PPO 的税的 3/5，又保住它的提高的 4/5 的运行。",
}

# %% back-guess
guess_back = Prediction(
    "In our shipped runs, what share of PPO's tax does PPO-ptx win back?",
    "07.back", unit="% of the tax", low=0, high=150)
guess_back

# %% back-guess lang="zh"
{
    "In our shipped runs, what share of PPO's tax does PPO-ptx win back?": "在我们的随包运行里，PPO 的税，PPO-ptx 赢回百分之几？",
    "% of the tax": "%",
}

# %% back-seeds
won = over_seeds(1 - mean_tax("ppo-ptx") / mean_tax("ppo"))
mitigates = over_seeds(mean_tax("ppo") - mean_tax("ppo-ptx"))
remains = over_seeds(mean_tax("ppo-ptx"))
regained = over_seeds(mean_tax("ppo") / 2 - mean_tax("ppo-ptx"))
keeps = over_seeds(each("ppo-ptx", "passes") - each("ppo", "passes"))
costs = over_seeds(each("ppo", "score") - each("ppo-ptx", "score"))

# %% back-answer
guess_back.reveal(100 * won, "shipped run")

# %% back-answer lang="zh"
{
    "shipped run": "随包运行",
}

# %% back-look [markdown]
r"""
First the paper's Fig. 33 and 34 in one, GPT-3 dashed, any $\beta$'s best dotted; then what our runs of one seed lose, a mean over all
tasks, the base dashed. Which dots lie below the initial model's line? We say that a run *does both* if it wins back three fifths of PPO's
tax and keeps four fifths of its gain in passes over SFT. A price would be enough if some did. The titles count by means; the second
table is over seeds.
"""

# %% back-look [markdown] lang="zh" of="ed0aa270"
r"""
第一幅是论文的，把图 33 和图 34 合在了一起，虚线是 GPT-3，点线是最好的 $\beta$。另两幅是我们的，只有一个种子，画的是丢的分，对所有任务取平均，虚线是基座。哪些点低于初始模型的线？
我们规定：一次运行如果赢回 PPO 的税的五分之三，又保住它比 SFT 多出的合格回复的五分之四，就算*两样都做到*。只要有一个价格做到，就说明光靠价格也够了。
图的标题按平均值写明，有几次两样都做到；第一张表逐次列出，第二张表对种子取区间。
"""

# %% seeds-swept folded="yes"
names_of = {"β": {b: f"ppo-beta-{b:g}" for b in sweep} | {usual: "ppo"},
            "γ": {g: f"ppo-ptx-gamma-{g:g}" for g in of_gamma}
            | {gamma: "ppo-ptx"}}
models_of = {f"{kind} = {v:g}": model for kind, of in names_of.items()
             for v, model in of.items()}
n_swept = min(len(mean_tax(model)) for model in models_of.values())
seeds_tax = {name: mean_tax(model)[:n_swept]
             for name, model in models_of.items()}
seeds_gain = {name: each(model, "gain")[:n_swept]
              for name, model in models_of.items()}
both_by_seed = [doers({name: x[i] for name, x in seeds_tax.items()},
                      {name: x[i] for name, x in seeds_gain.items()})
                for i in range(n_swept)]

# %% seeds-swept lang="zh"
{
    "{kind} = {v:g}": None,
}

# %% back-picture folded="yes"
n_beta, n_gamma = (sum(name[0] == kind for name in both) for kind in "βγ")
figure, (theirs, *two_of_ours) = lesson.panels(
    3, "β and γ: the paper's, read off; ours, shipped run",
    size=(7.2, 3.0), titles=(
        "Paper: F1, % of GPT-3's",
        f"Ours: {n_beta} of {len(sweep)} β do both",
        f"Ours: {n_gamma} of {len(of_gamma)} γ do both"))
theirs.axhline(100, color=PALETTE["base"], ls="--")
theirs.set(xscale="log", xlabel="γ (log axis)")
for of, mark in zip(exams, ("o-", "s-."), strict=True):
    theirs.plot(gammas_of_paper, 100 * np.array(over_gamma[of]), mark,
                color=INK, ms=3, label=exams[of])
    theirs.axhline(100 * best_beta[of], color=INK, ls=":", lw=0.8)
    theirs.annotate(f"{exams[of]}, best β", (100, 100 * best_beta[of]),
                    (0, 2), textcoords="offset points", size=6.5,
                    ha="right")
key = theirs.legend(fontsize=7, loc="lower right",
                    bbox_to_anchor=(1, 0.12))

# %% back-picture lang="zh"
{
    "βγ": None,
    "β and γ: the paper's, read off; ours, shipped run": "β 与 γ：论文的，从图上读出；我们的，随包运行",
    "Paper: F1, % of GPT-3's": "论文：F1，占 GPT-3 的 %",
    "Ours: {n_beta} of {len(sweep)} β do both": "我们的：{len(sweep)} 个 β 有 {n_beta} 个两样都做到",
    "Ours: {n_gamma} of {len(of_gamma)} γ do both": "我们的：{len(of_gamma)} 个 γ 有 {n_gamma} 个两样都做到",
    "{exams[of]}, best β": "{exams[of]}，最好的 β",
    "offset points": None,
    "lower right": None,
    "γ (log axis)": "γ（对数轴）",
}

# %% back-shown folded="yes"
for axes, (kind, of) in zip(two_of_ours, names_of.items(), strict=True):
    color = PALETTE["ppo" if kind == "β" else "ppo-ptx"]
    names = [f"{kind} = {v:g}" for v in of]
    for other in range(n_swept):  # thin lines
        axes.plot([100 * seeds_tax[name][other] for name in names], lw=0.7,
                  c=color, label="" if other else "other seeds")
    for x, name in enumerate(names):
        m = 100 * over_prompts(lost(runs[name]))
        axes.plot([x, x], [m.low, m.high], color=color)
        axes.plot(x, m.mean, "o", color=color, ms=4)
    axes.axhline(0, color=PALETTE["base"], ls="--")
    axes.axhline(100 * lost(probed["initial"]).mean(), lw=1,
                 c=PALETTE["initial"], label=lesson.called("initial"))
    axes.set_xticks(range(len(of)), [f"{v:g}" for v in of], size=7)
    axes.set(xlabel=f"{kind} (not to scale)", ylabel="points lost to base",
             ylim=(-3, 100 * max(tax_of.values()) + 5))
    axes.legend(fontsize=7)
lesson.show(figure, f"{n_beta} of our β and {n_gamma} of our γ do both.")

# %% back-shown lang="zh"
{
    "{kind} = {v:g}": None,
    "# thin lines": "# 其他种子",
    "other seeds": "别的种子",
    "{kind} (not to scale)": "{kind}（不按比例）",
    "points lost to base": "比基座丢的百分点",
    "{n_beta} of our β and {n_gamma} of our γ do both.": "两样都做到的：β 有 {n_beta} 个，γ 有 {n_gamma} 个。",
}

# %% both-table folded="yes"
lesson.table((
    "shipped run, one seed", "points lost",
    "of PPO's tax won back (below zero: lost more)",
    "passes, minus SFT, points", "of PPO's gain kept", "does both"), [
    (name, f"{100 * tax_of[name]:.1f}",
     f"{1 - tax_of[name] / tax_of[ours]:.0%}",
     f"{100 * gain_of[name]:+.1f}",
     f"{gain_of[name] / gain_of[ours]:.0%}", "yes" if name in both else "")
    for name in runs])

# %% both-table lang="zh"
{
    "shipped run, one seed": "随包运行，一个种子",
    "points lost": "丢的百分点",
    "of PPO's tax won back (below zero: lost more)": "赢回的，占 PPO 的税（负数：丢得更多）",
    "passes, minus SFT, points": "合格，与 SFT 之差，百分点",
    "of PPO's gain kept": "保住的，占 PPO 的提高",
    "does both": "两样都做到",
    "yes": "是",
}

# %% back-table folded="yes"
lesson.table((f"{len(seeds)} seeds (shipped run)", "mean, 95% interval"), [
    ("tax that the third term saves, points", f"{100 * mitigates:+.1f}"),
    ("tax that remains, points", f"{100 * remains:+.1f}"),
    ("won back, of PPO's tax", f"{won:.0%}"),
    ("passes: PPO-ptx minus PPO, points", f"{100 * keeps:+.1f}"),
    ("score given up", f"{costs:+.2f}")])

# %% back-table lang="zh"
{
    "{len(seeds)} seeds (shipped run)": "{len(seeds)} 个种子（随包运行）",
    "mean, 95% interval": "平均，95% 区间",
    "tax that the third term saves, points": "第三项省下的税，百分点",
    "tax that remains, points": "剩下的税，百分点",
    "won back, of PPO's tax": "赢回的，占 PPO 的税",
    "passes: PPO-ptx minus PPO, points": "合格：PPO-ptx 减 PPO，百分点",
    "score given up": "牺牲的得分",
}

# %% moved [markdown]
r"""
## γ on a running job (E.6, C.4)

Below, a run starts with a tiny $\gamma$ and one document per episode, drawn
from so many that few come twice. Half way, the page raises $\gamma$, as you could at the *desk*, where the shipped PPO-ptx is dashed.

The log has the loss of the documents that were drawn, and how hard each part pushes on the weights, the norm of its gradient: *policy*
is PPO's, *ptx* the third term's.
"""

# %% moved [markdown] lang="zh" of="1429c2c5"
r"""
## 运行途中改 γ（E.6, C.4）

下面启动一次运行，起初 $\gamma$ 很小，每个回合配一篇文档；文档很多，很少有哪篇会抽到两次。走到一半，页面把 $\gamma$ 调高；
在*训练台*上，你也可以这样调，那里的虚线曲线是随包的 PPO-ptx。

日志里有抽到的文档的损失，还有两股推力：两部分各用多大的劲推动权重，拿各自梯度的范数来量。*policy* 是 PPO 的，*ptx* 是第三项的。
"""

# %% moved-guess
guess_moved = Prediction(
    "γ rises a thousandfold half way. What does the loss of the drawn "
    "documents do?", "07.moved", choices=outcomes)
guess_moved

# %% moved-guess lang="zh"
{
    "γ rises a thousandfold half way. What does the loss of the drawn documents do?": "走到一半，γ 升到一千倍。抽到的文档，损失会怎样？",
}

# %% desk
from minirlhf.widgets import TrainingDesk
from minirlhf.widgets import start as start_stage

text_file = lesson.workspace("07", "documents.jsonl")
with text_file.open("w") as file:
    for row in islice(documents(5), lesson.pick(6000, quick=800)):
        print(json.dumps({"text": row["text"]}), file=file)

# %% desk-run
job = start_stage(
    "ppo", lesson.workspace("07", "ptx"),
    model=folders["initial"], reward=shipped.run("reward") / "model",
    prompts=shipped.file("prompts-ppo"), pretraining=text_file,
    episodes=lesson.pick(1280, quick=128),
    rollout_batch=lesson.pick(64, quick=32), minibatch=16, warmup=2,
    ptx_gamma=0.001, ptx_examples_per_episode=1.0, ema=0.9,
    max_response=72, drop_long=True)
TrainingDesk(job, note="live", ghost=shipped.run("ppo-ptx"))

# %% desk-run lang="zh"
{
    "live": "实时",
}

# %% steer
turn = lesson.pick(10, quick=2)  # iterations before γ is moved
while job.is_live and len(job.reader.rows) < turn:
    job.wait(0.5)
    job.reader.look()
if job.is_live:
    job.reader.steer(ptx_gamma=1.0)
job.wait()

# %% steer lang="zh"
{
    "# iterations before γ is moved": "# 改动 γ 之前的迭代次数",
}

# %% turned
from scipy import stats

job.reader.look()
gamma_at = np.array(job.reader.series("ptx/gamma")[1])
ptx_at = np.array(job.reader.series("ptx/loss")[1])
low, high = ptx_at[gamma_at < 0.5], ptx_at[gamma_at >= 0.5]
k = min(len(low), len(high)) // 2 or 1  # late iterations of each part
moved = None if k < 2 else stats.ttest_ind(  # Welch's: two samples
    high[-k:], low[-k:], equal_var=False).confidence_interval()

# %% turned lang="zh"
{
    "# late iterations of each part": "# 每一段靠后的迭代",
    "# Welch's: two samples": "# Welch 的方法：两个样本",
}

# %% moved-answer
guess_moved.reveal(became(moved) if moved else outcomes[1])

# %% moved-look [markdown]
r"""
The vertical line marks the new $\gamma$. Left, the loss of the drawn documents: if the term works, late iterations
after the line minus late ones before it lie below zero. If the interval includes zero, these few documents can't tell, and only the right
panel shows the turn: the third term's push has $\gamma$ in it. The interval covers which documents were drawn, not another seed.
"""

# %% moved-look [markdown] lang="zh" of="009ec9fb"
r"""
竖线标出新的 $\gamma$ 从哪里起生效。左图是抽到的文档的损失：把竖线前后各分两半，只用后一半算平均损失：第三项若起作用，竖线之后的减去竖线之前的，就在零以下。
如果区间含零，抽到的文档这么少，就看不出损失是否下降，改动只在右图里看得见：第三项的那股推力已经乘了 $\gamma$。
区间只算进了抽到哪些文档带来的波动，没有算进换一个种子带来的波动。
"""

# %% moved-picture folded="yes"
change = f"[{moved.low:+.2f}, {moved.high:+.2f}]" if moved else "–"
turned = became(moved) if moved else outcomes[1]
figure, (left, sizes) = lesson.panels(
    2, f"γ raised on a running job (live). The loss: {turned}",
    size=(7.2, 2.5), titles=(f"Loss of drawn documents, change {change}",
                             "The two pushes"))
at = np.arange(1, len(ptx_at) + 1)
left.plot(at, ptx_at, color=PALETTE["ppo-ptx"])
left.set(xlabel="iterations", ylabel="nats per token")
for name, color in (("policy", "ppo"), ("ptx", "ppo-ptx")):
    norms = job.reader.series(f"ppo/gradient_norm/{name}")[1]
    sizes.plot(at, norms, color=PALETTE[color], label=name)
for axes in (left, sizes):
    axes.axvline(len(low) + 0.5, color=MUTED, linewidth=1)
sizes.set(xlabel="iterations", yscale="log", ylabel="norm (log axis)")
sizes.legend(fontsize=8)
lesson.show(figure, "Left, the documents' loss over iterations with the "
    "turn marked, right, two gradient norms, one jumping at the turn.")

# %% moved-picture lang="zh"
{
    "γ raised on a running job (live). The loss: {turned}": "运行途中调高 γ（实时）。损失：{turned}",
    "Loss of drawn documents, change {change}": "抽到的文档的损失，变化 {change}",
    "The two pushes": "两股推力",
    "iterations": "迭代",
    "nats per token": "每个词元的 nat 数",
    "norm (log axis)": "范数（对数轴）",
    "Left, the documents' loss over iterations with the turn marked, right, two gradient norms, one jumping at the turn.": "左图是文档的损失随迭代的变化，标出了改动的地方；右图是两个梯度范数，其中一个在改动处跳起。",
}

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("07.")

# %% summary [markdown]
r"""
## Summary

| | paper | shipped run |
|---|---|---|
| weight of the third term | {paper:ptx.gamma} | {run:counts.ptx_gamma} |
| passes: PPO, PPO-ptx | – | {run:models.ppo.passes:.0%}, {run:models.ppo-ptx.passes:.0%} |
| preferred to SFT: PPO, PPO-ptx | ≈ {paper:fig1.175b.ppo:.0%}, ≈ {paper:fig1.175b.ppo-ptx:.0%} | {run:models.ppo.wins_labelers:.0%}, {run:models.ppo-ptx.wins_labelers:.0%} |

Our column is of one seed, its replies drawn anew, so passes differ a little from the sweeps'.

The next table lists what we planned, before the runs, to look for. *Seen*: the whole interval lies on the paper's side; *the
opposite*: on the other; *open*: on both. *Not looked for*: that needs runs that aren't shipped. PPO-ptx keeps the preference if its
passes fall by less than five points; $\gamma$ wins the tasks back if ours saves over half of PPO's tax *and* more than the smallest
$\gamma$. Without a price, the score has to be higher *and* the grade lower; the row shows the grade. Too high a price is compared with the best,
on half of the prompts, as in our first answer. Rows with a plus are our own; rows over *prompts* or *items* are of one seed.
"""

# %% summary [markdown] lang="zh" of="9db6909a"
r"""
## 小结

| | 论文 | 随包运行 |
|---|---|---|
| 第三项的权重 | {paper:ptx.gamma} | {run:counts.ptx_gamma} |
| 合格：PPO、PPO-ptx | – | {run:models.ppo.passes:.0%}、{run:models.ppo-ptx.passes:.0%} |
| 胜过 SFT：PPO、PPO-ptx | ≈ {paper:fig1.175b.ppo:.0%}、≈ {paper:fig1.175b.ppo-ptx:.0%} | {run:models.ppo.wins_labelers:.0%}、{run:models.ppo-ptx.wins_labelers:.0%} |

我们那一列只有一个种子。它的回复是重新抽的，每条提示一个，所以合格的比例与前面几张表略有出入。

下一张表列出我们在运行之前就定下要看的东西。*看到*：整个区间都在论文那一边；*相反*：都在另一边；*看不出*：两边都有。*没有去看*：所需的运行没有随包附带。
从 PPO 到 PPO-ptx，合格的比例如果下降不到五个百分点，就算保住了偏好；如果我们的 $\gamma$ 省下 PPO 的税的一半以上，*而且*比最小的 $\gamma$ 省得多，就算把丢的分赢了回来。
β 为零的那一行，要得分更高，*而且*评分更低，列出的是评分的差。价格太高的那一行，与本页的第一个答案一样，是用一半提示与最好的 β 相比。带加号的行是我们自己的。
凡是对*提示*或*题目*取区间的行，只有一个种子。
"""

# %% directions folded="yes"
least = -0.05  # of passes, five points: what PPO-ptx may give up
same = lesson.verdict(keeps, low=least)
fooled = lesson.verdict(free, worse)  # score higher, and grade lower


def gap(more, fewer, measure, here, over):
    """Over seeds if two or more have both, else over the shipped run."""
    a, b = measure(more), measure(fewer)
    n = min(len(a), len(b))
    if n < 2:
        return here, f"{here.n} {over}"
    return over_seeds(a[:n] - b[:n]), f"{n} seeds"

# %% directions lang="zh"
{
    "# of passes, five points: what PPO-ptx may give up": "# 合格的比例，五个百分点：PPO-ptx 可以牺牲这么多",
    "# score higher, and grade lower": "# 得分更高，而且评分更低",
    "Over seeds if two or more have both, else over the shipped run.": "有两个以上的种子两样都有，就对种子取区间，否则用随包的那次运行。",
    "{n} seeds": "{n} 个种子",
}

# %% directions-gaps folded="yes"
def score_of(model):
    return each(model, "score")


smallest, largest = min(of_gamma), max(of_gamma)
gammas, betas = names_of["γ"], names_of["β"]
steeper, over_steeper = gap(
    gammas[smallest], gammas[gamma], mean_tax, paired_difference(lost(
        of_gamma[smallest]), lost(of_gamma[gamma])), "items per task")
dear, over_dear = gap(
    gammas[smallest], gammas[largest], score_of, paired_difference(
        of_gamma[smallest]["score"], of_gamma[largest]["score"]), "prompts")
price, over_price = gap(
    betas[none], betas[most], score_of, paired_difference(
        sweep[none]["score"], sweep[most]["score"]), "prompts")
found_both = both_by_seed or [both]
one_does = [bool(of) and all(name[0] == "γ" for name in of)
            for of in found_both]

# %% directions-gaps lang="zh"
{
    "prompts": "条提示",
    "items per task": "道题（每种任务）",
}

# %% directions-table folded="yes"
def two(key, *ends, form="g"):
    """Two numbers of the paper."""
    return " → ".join(f"{value(f'{key}.{end}'):{form}}" for end in ends)


few, many, points = "table14.{}.few.175b", f"{len(seeds)} seeds", "points"
squad, french = few.format("squadv2"), few.format("fr-en")
taken_up = [
    ("PPO loses on reading", two(squad, "gpt", "ppo"),
     tax["ppo"]["reading"], points, many),
    ("PPO loses on translation", two(french, "gpt", "ppo"),
     tax["ppo"]["translation"], points, many),
    ("+ PPO loses on the nine tasks", "–", of_nine, points, many),
    ("+ … and more than its start", "–", own, points, many),
    ("PPO-ptx loses less", two(squad, "ppo", "ppo-ptx"), mitigates, points,
     many), ("PPO-ptx keeps the preference", two(
         "fig1.175b", "ppo", "ppo-ptx", form=".0%"), keeps, points, many)]

# %% directions-table lang="zh"
{
    "Two numbers of the paper.": "论文的两个数。",
    "points": "百分点",
    "{len(seeds)} seeds": "{len(seeds)} 个种子",
    "PPO loses on reading": "PPO 在阅读上丢分",
    "PPO loses on translation": "PPO 在翻译上丢分",
    "+ PPO loses on the nine tasks": "+ PPO 在图里的任务上丢分",
    "+ … and more than its start": "+ ……而且比它的起点，即初始模型，丢得更多",
    "PPO-ptx loses less": "PPO-ptx 丢分更少",
    "PPO-ptx keeps the preference": "PPO-ptx 保住偏好",
}

# %% directions-more folded="yes"
taken_up += [
    ("γ wins the tasks back", two("fig33.squadv2", 1, 30), steeper, points,
     over_steeper),
    ("γ costs score", two("fig33.reward", 1, 100), dear, "", over_dear),
    ("no β wins them back", two("fig34.squadv2", "gpt", "peak"),
     short_of_base, points, f"{short_of_base.n} items per task"),
    ("the score falls as β grows", two("fig34.reward", "start", "end"),
     price, "", over_price),
    ("no price: higher score, worse grade", two("fig36.likert", 0.02, 0),
     worse, "", many),
    ("too high a price: worse grade", two("fig36.likert", 0.01, 2),
     too_much, "", f"{too_much.n} prompts"),
    ("training on, PPO-ptx slides back",
     f"{value('fig35.episodes'):,} episodes", None, "", ""),
    ("too few documents: their loss rises",
     f"{value('ptx.ratio')} → {value('ptx.ratio.too_few')}", None, "", "")]

# %% directions-more lang="zh"
{
    "γ wins the tasks back": "γ 把丢的分赢回来",
    "γ costs score": "γ 要牺牲得分",
    "no β wins them back": "没有哪个 β 能赢回来",
    "{short_of_base.n} items per task": "{short_of_base.n} 道题（每种任务）",
    "the score falls as β grows": "β 越大，得分越低",
    "no price: higher score, worse grade": "β 为零：得分更高，评分更低",
    "too high a price: worse grade": "价格太高：评分更低",
    "{too_much.n} prompts": "{too_much.n} 条提示",
    "training on, PPO-ptx slides back": "继续训练，PPO-ptx 又倒退",
    "{value('fig35.episodes'):,} episodes": "{value('fig35.episodes'):,} 个回合",
    "too few documents: their loss rises": "文档太少：它们的损失上升",
}

# %% directions-shown folded="yes"
special = {"PPO-ptx keeps the preference": same,
           "γ wins the tasks back": lesson.verdict(steeper, regained),
           "no price: higher score, worse grade": fooled}
alone = any(name[0] == "β" for of in found_both for name in of)
last = ("+ a γ does both, no β does", "–",
        f"in {sum(one_does)} of {len(one_does)} seeds", "none: a count",
        "seen" if all(one_does) else "the opposite" if alone else "open")
lesson.table(("the paper says (shipped run)", "its numbers",
              "our difference", "interval over", "verdict"), [
    (text, theirs, "–" if found is None else
     f"{100 * found:+.1f} {unit}" if unit else f"{found:+.2f}", over,
     special.get(text, lesson.verdict(found)))
    for text, theirs, found, unit, over in taken_up] + [last])

# %% directions-shown lang="zh"
{
    "PPO-ptx keeps the preference": "PPO-ptx 保住偏好",
    "γ wins the tasks back": "γ 把丢的分赢回来",
    "no price: higher score, worse grade": "β 为零：得分更高，评分更低",
    "+ a γ does both, no β does": "+ 有一个 γ 两样都做到，没有哪个 β 做到",
    "in {sum(one_does)} of {len(one_does)} seeds": "{len(one_does)} 个种子里有 {sum(one_does)} 个",
    "none: a count": "不取，只计数",
    "seen": "看到",
    "the opposite": "相反",
    "open": "看不出",
    "the paper says (shipped run)": "论文的说法（随包运行）",
    "its numbers": "论文的数",
    "our difference": "我们的差",
    "interval over": "区间按什么算",
    "verdict": "结论",
}

# %% summary-read [markdown]
r"""
The scales differ; ours is above zero where it goes the paper's way. The paper's numbers from figures are read off.

A price keeps the policy nearer to where the reward model can be trusted. If it is too small, the policy follows the reward model's
mistakes; if it is too large, it learns little. A price charges nothing for what is unlearned elsewhere; the third term works against
that, because it trains there.

## Questions

1. The score of a run still rises on held-out prompts. Why doesn't that rule out over-optimisation?

<details><summary>Answer</summary>

The reward model's mistakes hold on held-out prompts, too. It takes somebody who doesn't share them.

</details>

2. All scores of a reward model are doubled. Which $\beta$ gives the same best policy as before?

<details><summary>Answer</summary>

Twice the old one: the best policy depends on the score divided by $\beta$ alone.

</details>

3. PPO on the judge gains ten points, PPO on the learned reward four. A colleague wants to tune PPO. What do you say?

<details><summary>Answer</summary>

With a perfect reward the same PPO gains more than twice as much. Better rankings, or more of them, come first.

</details>

4. In the loop, the documents' loss is taken under `torch.no_grad()`. What does the run become?

<details><summary>Answer</summary>

Plain PPO. A constant is added to the loss, and its gradient is zero.

</details>

## The way on

- [Exercise 07](../exercises/ex07_ppo_ptx.ipynb): PPO-ptx from an empty file, up to one whole iteration; then six runs with one bug
  each to find.
- Back to [reinforcement learning](06_reinforcement_learning.ipynb).

**A lecture of thirty minutes:** the first panels, one prompt at three prices (ten); signs and frontier (eight); control
(four); tax and its remedy (eight).

**A lab of sixty minutes**, the page read before: guesses and pictures (thirty-five), the loop with another weight (ten), a run at the
desk, steered (fifteen).
"""

# %% summary-read [markdown] lang="zh" of="b15dcee9"
r"""
尺度不同；我们的差为正，就是与论文的说法同向。论文的数，凡是出自图的，都是从图上读出来的。

有了价格，策略会离起点近一些，在那里奖励模型较为可信。价格太小，策略就跟着奖励模型的错误走；太大，就学得很少。
在别处忘掉了什么，价格管不着；第三项管得着，因为它就在那里训练。

## 思考题

1. 在留出的提示上，一次运行的得分仍在上升。为什么这还不能排除过度优化？

<details><summary>答案</summary>

奖励模型看走眼的地方，到了留出的提示上照样看走眼。要由不犯同样错误的人来看。

</details>

2. 把奖励模型的所有得分加倍。$\beta$ 取多少，最好的策略才与原来相同？

<details><summary>答案</summary>

原来的两倍：最好的策略只取决于得分除以 $\beta$ 的商。

</details>

3. 用评判者作奖励，PPO 提高十个百分点；用学来的奖励，提高四个。一位同事想去调 PPO。你怎么说？

<details><summary>答案</summary>

奖励若没有错，同样的 PPO 提高的幅度就是现在的两倍还多。先把排序做得更好，或者做得更多。

</details>

4. 在循环里，有人把文档的损失放在 `torch.no_grad()` 之下来算。这次运行成了什么？

<details><summary>答案</summary>

普通的 PPO。加到损失上的是一个常数，它的梯度为零。

</details>

## 接下来

- [本章的练习](../../exercises/zh/ex07_ppo_ptx.ipynb)：从空文件写起，直到 PPO-ptx 的一次完整迭代；然后看六次运行，每次找出一个错误。
- 回到[强化学习](06_reinforcement_learning.ipynb)。

**讲课，三十分钟。** 开头的几幅图，一个提示在三种价格下的回复，十分钟；迹象与前沿图，八分钟；对照，四分钟；税与补救的办法，八分钟。

**实验课，六十分钟，事先读过本页。** 本页的猜测和图，三十五分钟；换一个权重再运行循环，十分钟；在训练台上做一次运行，途中改动设定，十五分钟。
"""
