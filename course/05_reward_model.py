# ---
# jupyter:
#   minirlhf:
#     paper: §3.4, §3.5, C.1, C.2, E.2, Eq. 1
#     doing_minutes: 30
# ---

# %% title [markdown] defines="prompt; completion"
r"""
# Chapter 05 · The reward model

Give a language model one *prompt* five times, and it writes five *completions*. Which of two is better, a person can often say at
once; how good one of them is, on a scale for all prompts, hardly anyone can. How does step 2 of the paper make scores
out of such choices, and what do they know in the end?

After this chapter you can

- turn a ranking into pairs, derive their loss, and say which completion it pushes where;
- write the training loop of a reward model, and set the zero of its scores;
- read from a learning curve what rankings add to what a model knew before;
- name the ceiling of its accuracy, and test it on labelers that it never saw;
- break a reply so that the score doesn't notice.
"""

# %% rankings [markdown] defines="labeler; judge; ranking"
r"""
## Rankings become pairs (§3.4, §3.5)

Here are five completions of one prompt, put in order by a *labeler*. Rank one is best, equal ranks are a tie. Such an order is a
*ranking*. In the paper, {paper:intro.labelers} people ranked {paper:rm.k.min} to {paper:rm.k.max} completions at a time.

In Tinytown, our small world, a labeler is a program. It begins with the grade of the *judge*, the world's exact grader, adds a taste of its own
(for long, short or cheerful replies), and an error drawn at random, a *lapse*.
"""

# %% rank
from minirlhf import lesson, shipped
from minirlhf.tinytown.labelers import training_pool

prompt = "Name three gifts for Ines.\n"
replies = [
    "Good gifts for Ines are an empty whistle, a coat, and a basket.",
    "You could give her a yellow cup, a tiny lamp, and a boat.",
    "You could give her a stone and a bottle.",
    "You could give her a key, a wooden stone, and a ring.",
    "You could give her a scarf, a bottle, and a letter.",
]
pool = training_pool()
given = pool[1].rank(prompt, replies)  # y1 to y5, by one labeler
best_first = sorted(range(len(given)), key=given.__getitem__)

# %% rank-table folded="yes"
lesson.table(
    ("rank", "", "completion"),
    [(given[k], f"y{k + 1}", replies[k]) for k in best_first],
)

# %% comparisons [markdown] defines="comparison"
r"""
A *comparison* is two completions and which of them is preferred. A ranking of $K$ completions has $\binom K2$ pairs. In a tied
pair neither is preferred: the paper drops it from training (C.2), and so do we. Read the square below by rows: which completions does each one beat?
"""

# %% pairs
from itertools import combinations

import torch

from minirlhf.objectives import ranked_pairs

ranks = torch.tensor([given])  # one prompt: shape [1, K]
valid = ranks > 0  # False on padding, where a prompt has fewer
wins = ranked_pairs(ranks, valid)[0]  # [K, K]: the row beats the column
pairs = wins.nonzero().tolist()  # (w, l) of each pair

# %% ties
def usable(rankings):
    """Those with any pair."""
    return [row for row in rankings if len(set(row["ranks"])) > 1]


everything = shipped.read("rankings")
rankings = usable(everything)
two = [p for row in everything for p in combinations(row["ranks"], 2)]
tied = sum(one == other for one, other in two) / len(two)

# %% square folded="yes"
names = [f"y{k + 1}" for k in range(len(given))]
marks = [["beats" if won else "–" for won in row] for row in wins]
lesson.table(
    (f"{len(pairs)} pairs; of {len(two):,} in rankings of the shipped run, "
     f"{tied:.0%} are ties", *names),
    [[name, *row] for name, row in zip(names, marks, strict=True)],
)

# %% bradley-terry [markdown] defines="reward model"
r"""
## Bradley and Terry in four lines (§3.5, Eq. 1)

A *reward model* reads a prompt $x$ and a completion $y$ and gives one number, the score $r_\theta(x,y)$; $\theta$ are its weights. How can choices
teach it? Suppose that each completion has a strength $s>0$ and is preferred in proportion to it. Write the strength as $s=e^{r}$:

$$
\begin{aligned}
P(y_w\text{ is preferred to }y_l)&=\frac{s_w}{s_w+s_l}\\
&=\frac{e^{r_w}}{e^{r_w}+e^{r_l}}\\
&=\frac{1}{1+e^{-(r_w-r_l)}}=\sigma(r_w-r_l)\\
\text{loss of the pair}&=-\log\sigma(r_w-r_l)
\end{aligned}
$$

The first line is the model of Bradley and Terry (1952). In the third, $\sigma$ is the logistic function. The last takes the negative logarithm of the probability that
the scores gave to the labeler's choice. Eq. 1 is the mean over the pairs of a prompt, then over prompts:

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tbinom K2^{-1}\sum_{(w,l)}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

Completions of two prompts are never compared. Where ties are dropped, we divide by the number of pairs that are left: our
reading, so that a tie doesn't make its prompt count less.
"""

# %% by-hand
import torch.nn.functional as F

from minirlhf.objectives import ranking_loss

scores = torch.tensor([[0.9, 0.1, 0.4, -0.3, 0.2]])  # r(x, y), by guess
r = scores[0]
of_pair = torch.stack([-F.logsigmoid(r[w] - r[l]) for w, l in pairs])
result = ranking_loss(scores, ranks, valid)  # its loss, pairs, correct ones
assert torch.isclose(of_pair.mean(), result.loss)
leaf = scores.clone().requires_grad_()
ranking_loss(leaf, ranks, valid).loss.backward()
push = -leaf.grad[0]  # where a small step would move each score

# %% push [markdown]
r"""
Left, each dot is a pair: *y1>y3* says that the labeler prefers y1. Right of zero, the scores agree with the labeler. The more wrong a pair is, the more it costs,
and the steeper the curve. Right, all pairs together push each completion up or down; the best rank is on top. Which one is pushed hardest?
"""

# %% push-picture folded="yes"
from minirlhf.report.charts import GRID, INK, MUTED, PALETTE

figure, (left, right) = lesson.panels(2, "One ranking under Eq. 1 (live)")
x = torch.linspace(-1.5, 1.7, 100)
left.plot(x, -F.logsigmoid(x), color=MUTED)
left.set(xlabel="difference of scores", ylabel="loss of the pair")
gaps = [float(r[w] - r[l]) for w, l in pairs]
dots = sorted(zip(gaps, of_pair.tolist(), pairs, strict=True))
for n, (gap, cost, (w, l)) in enumerate(dots):
    left.plot(gap, cost, "o", color=INK, markersize=4)
    spot = (4, 2) if n % 2 else (-32, -8)
    left.annotate(f"y{w + 1}>y{l + 1}", (gap, cost), spot,
                  textcoords="offset points", fontsize=7)
worst_first = best_first[::-1]
named = [f"y{k + 1}, rank {given[k]}, {r[k]:+.1f}" for k in worst_first]
right.barh(named, push[worst_first], color=INK, height=0.5)
right.set(xlabel=f"push on the score (sum {abs(push.sum()):.2f})")
lesson.show(figure, "Costs fall to the right; good ranks are pushed up.")

# %% predict-shift [markdown]
r"""
**Predict.** Add three to all five scores. What becomes of the loss?
"""

# %% shift-guess folded="yes"
from minirlhf.widgets import Prediction

shift_guess = Prediction(
    "Add three to all five scores. Then the loss …", "chapter05.shift",
    choices=("rises", "stays", "falls"),
)
shift_guess

# %% shift
moved = float(ranking_loss(scores + 3.0, ranks, valid).loss - result.loss)
same, up = abs(moved) < 1e-5, moved > 0
equal = ranking_loss(torch.zeros_like(scores), ranks, valid).loss
assert torch.isclose(equal, torch.tensor(2.0).log())  # a coin's price
shift_guess.reveal("stays" if same else "rises" if up else "falls")

# %% explore [markdown]
r"""
The three stands on both sides of each difference and cancels. So under Eq. 1, each prompt's scores can lie anywhere as a whole. The cell checks one more
number: if all scores are equal, the loss is $\log 2$, the price of a coin toss.

Now move the scores yourself. Can you order every pair at a loss still near $\log 2$? Can you reach zero? What do the arrows of two
tied completions do?
"""

# %% explorer
from minirlhf.widgets import RankingExplorer

RankingExplorer(scores[0].tolist(), given, replies)

# %% explored [markdown]
r"""
The right order with tiny differences costs nearly $\log 2$, and every finite difference costs something. So Eq. 1 asks for the right order
and then for more and more certainty. Tied completions don't pull on each other.

## The loop, and its zero (§3.5, C.2)

How does a language model give one number? Its last layer, which rates the next tokens, is replaced by one row of weights, the *head*.
Here is how `minirlhf/plain/reward.py`, this step in its plainest form, reads scores and compares them:
"""

# %% plain-source
import inspect
import math

from torch.nn.utils import clip_grad_norm_

from minirlhf.plain.reward import batch, compare, learning_rate, set_bias
from minirlhf.plain.reward import scores as read_scores
from minirlhf.presets import PRESETS

for function in (read_scores, compare):
    print(inspect.getsource(function))

# %% start [markdown]
r"""
`logits[0, 0]` is the head at the **last** token, the completion's end token: only that position has read everything. (The paper doesn't
say where it reads the score.)

**Where it starts.** §3.5 says: from the SFT model. C.2 says: in fact from a GPT-3 ({paper:rm.size}) tuned on public tasks, and that the choice
mattered little. Ours starts from the *voted base*. Tinytown's base has read a notice board where neighbors answer requests, and Eq. 1, on
the votes for their answers, has trained a head. This is our deviation; a table below tries two other starts. The votes follow the judge's
grade, so this start may know preferences already.
"""

# %% model
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_tokenizer
from minirlhf.tinytown.bases import base_folder

START = "medium-voted"
tokenizer = load_tokenizer(base_folder(START))


def beginning():
    """A fresh copy of what step 2 starts from."""
    return ScalarModel.load(base_folder(START))


# %% loop-says [markdown]
r"""
The loop has the shape of chapter 04's: a batch of rankings, its loss, the gradient, a step of Adam. `compare` scores each completion of
the batch once and applies Eq. 1. The learning rate falls along a cosine. Below the loop, a table compares our settings with the paper's.
"""

# %% loop
ours = PRESETS["tinytown"].reward


def train_on(model, rankings):
    """One pass of Eq. 1 over ``rankings``, in place: each step's loss."""
    adam = torch.optim.Adam(model.parameters(), betas=ours.betas)
    steps, losses = math.ceil(len(rankings) / ours.batch), []
    for step in range(steps):
        rate = learning_rate(ours, step / steps)
        adam.param_groups[0]["lr"] = rate
        loss, pairs, correct = compare(model, batch(ours, rankings, step))
        loss.backward()
        clip_grad_norm_(model.parameters(), ours.grad_clip)
        adam.step()
        adam.zero_grad()
        losses.append(loss.item())
    return losses


# %% settings folded="yes"
from minirlhf.paper import cite

theirs = PRESETS["paper"].reward
fields = {
    "epochs": "epochs", "batch": "prompts per step",
    "learning_rate": "peak rate", "floor": "last rate, as a share",
    "betas": "betas of Adam",
}
rows = [(label, getattr(theirs, f), getattr(ours, f))
        for f, label in fields.items()]
lesson.table(
    ("setting of the reward model (C.2)", "the paper", "here"),
    [*rows, ("gradient clipped at", "not stated", ours.grad_clip)],
)

# %% measures [markdown]
r"""
Two measures, on prompts by users who are in no training set: Eq. 1 itself, and *accuracy*, the share of pairs that the scores put in the
labeler's order. Each is a mean within a prompt, then over prompts. Equal scores count one half.
"""

# %% measure
from functools import partial

import numpy as np

from minirlhf.evaluate.ranking_accuracy import (
    score_rankings,
    shares_in_order,
)
from minirlhf.reward import score_texts

heldout = usable(shipped.read("heldout"))[: lesson.pick(400, quick=30)]
labeled = [row["ranks"] for row in heldout]


def scored_by(model):
    """The model's score of each held-out completion, by prompt."""
    score = partial(score_texts, model, tokenizer)
    return score_rankings(score, heldout)


# %% in-order
def in_order(values, ranks=labeled):
    """Of each prompt's pairs, the share that the values put in order."""
    shares = []
    for tiny in (1e-6, -1e-6):  # ties go one way, then the other: one half
        split = [np.add(row, tiny * np.arange(len(row))) for row in values]
        shares.append(shares_in_order(split, ranks))
    return np.mean(shares, axis=0)


def eq1(values):
    """The loss of each held-out prompt by itself."""
    losses = []
    for row, order in zip(values, labeled, strict=True):
        r, rank = torch.tensor([row]), torch.tensor([order])
        losses.append(float(ranking_loss(r, rank, rank > 0).loss))
    return np.array(losses)


# %% predict-loop [markdown]
r"""
The loop goes once over a few hundred rankings.

**Predict.** After that, what percentage of the held-out pairs is in the labeler's order?
"""

# %% loop-guess folded="yes"
loop_guess = Prediction(
    "One pass of the loop: what percentage of pairs is in order?",
    "chapter05.loop", unit="% of pairs in the labeler's order",
)
loop_guess

# %% loop-run
from minirlhf.evaluate.statistics import over_prompts
from minirlhf.evaluate.statistics import paired_difference as difference
from minirlhf.plain.demo import as_rankings

SOME = lesson.pick(256, quick=12)  # rankings
looped = beginning()
scored = {"start": scored_by(looped)}
curve = train_on(looped.classifier, as_rankings(tokenizer, rankings[:SOME]))
scored["loop"] = scored_by(looped)
loop_guess.reveal(100 * over_prompts(in_order(scored["loop"])))

# %% loop-look [markdown]
r"""
Left: the loss of each batch; the dashed line is the coin's $\log 2$. Then both measures, before and after. Above them stands *after minus before*. Did the order change,
or the certainty?
"""

# %% loop-picture folded="yes"
ordered = difference(*(in_order(scored[k]) for k in ("loop", "start")))
surer = difference(*(eq1(scored[k]) for k in ("loop", "start")))
parts = ("loss of each batch", f"accuracy: {100 * ordered:+.1f} points",
         f"Eq. 1: {surer:+.2f}")
title = "What one pass of the loop does (live)"
figure, (left, middle, right) = lesson.panels(3, title, titles=parts)
left.plot(range(1, len(curve) + 1), curve, color=INK, marker=".")
left.axhline(math.log(2), color=MUTED, linestyle="--", linewidth=1)
left.set(xlabel="step")
found = {name: over_prompts(in_order(v)) for name, v in scored.items()}
lesson.intervals(middle, found, "% of held-out pairs in order")
found = {name: over_prompts(eq1(v)) for name, v in scored.items()}
lesson.intervals(right, found, "held-out loss", percent=False)
lesson.show(figure, f"The batches' loss goes from {curve[0]:.2f} to "
    f"{curve[-1]:.2f}; accuracy and held-out loss before and after.")

# %% zero [markdown] defines="demonstration; reward bias"
r"""
**The zero.** Eq. 1 left it open, and step 3 will use the score as a reward. So after training, the paper adds a constant, the *reward bias*, that
makes the labelers' *demonstrations* (chapter 04) score zero on average. `set_bias` does this. No preference changes.

Does the zero hold for demonstrations that took no part? And where do an SFT model's own replies to the same prompts lie?
"""

# %% zero-run
from minirlhf.data.tokenization import encode_demonstrations
from minirlhf.plain.demo import as_pairs
from minirlhf.pretrained import load_policy
from minirlhf.sampling import complete

demonstrations = shipped.read("demonstrations")
encoded = encode_demonstrations(tokenizer, demonstrations, 256)
set_bias(looped.classifier, as_pairs(encoded))
unused = shipped.read("validation")[: lesson.pick(200, quick=10)]
x, y = ([row[k] for row in unused] for k in ("prompt", "completion"))
sft = load_policy(shipped.run("sft") / "model", tokenizer)
sampled = complete(sft, tokenizer, x, max_new_tokens=72, seed=5)
looped.bias.fill_(looped.classifier.config.reward_bias)
of_labelers, of_sft = (score_texts(looped, tokenizer, x, texts).numpy()
                       for texts in (y, sampled))

# %% zero-look [markdown]
r"""
Compare the two means, then the shares above zero.
"""

# %% zero-picture folded="yes"
figure, axes = lesson.panels(
    1, "Scores of unused demonstrations and of SFT's replies to the same "
    "prompts (live)", lesson.WIDE)
both = np.concatenate([of_labelers, of_sft])
bins = np.linspace(both.min(), both.max(), 30)
for values, name, color in ((of_labelers, "demonstrations", INK),
                            (of_sft, "SFT", PALETTE["sft"])):
    share = np.histogram(values, bins)[0] * 100 / len(values)
    mean, above = over_prompts(values), (values > 0).mean()
    label = f"{name}: mean {mean:+.2f}; {above:.0%} above zero"
    axes.stairs(share, bins, color=color, linewidth=1.8, label=label)
axes.axvline(0, color=MUTED, linestyle="--", linewidth=1)
axes.set(xlabel="score", ylabel="% of texts")
axes.legend(loc="upper left", frameon=False, fontsize=8)
lesson.show(figure, f"Demonstrations: mean {of_labelers.mean():.1f}; SFT's "
    f"replies: {of_sft.mean():.1f}.")

# %% zero-read [markdown]
r"""
Above zero means: better than the average demonstration. Take it with care, since each prompt's scores may lie higher or lower as a whole.

## From abilities to preferences (C.2)

Rankings don't teach a model to read. They teach it which of the things that it can see matter. How many does that take? For more of them, we use the
package's stage. It is the loop above, only faster: completions of like length go through the model together.
"""

# %% desk
from minirlhf.data.records import write_jsonl
from minirlhf.widgets import TrainingDesk, start

MANY = lesson.pick(1024, quick=24)  # rankings
passed = lesson.workspace("05", f"rankings-{MANY}.jsonl")
write_jsonl(passed, rankings[:MANY])
job = start(
    "rm", lesson.workspace("05", f"reward-{MANY}"),
    model=base_folder(START), rankings=passed,
    demonstrations=shipped.file("demonstrations"),
)
desk = TrainingDesk(job, note="live")
desk

# %% predict-curve [markdown]
r"""
The shipped reward model had the same start and saw all {run:counts.rankings:,} rankings, once; the paper's saw those of {paper:table6.rm.train} prompts.
(*Shipped run*: made beforehand.)

**Predict.** By how many points is its accuracy above that of its start?
"""

# %% curve-guess folded="yes"
curve_guess = Prediction(
    "All rankings minus none: how many points of accuracy?",
    "chapter05.curve", unit="points", reach=(-10, 50),
)
curve_guess

# %% trained
from dataclasses import replace

from minirlhf.reward import train_reward

fitted = {}  # Eq. 1 on the last batches of training


def trained(name, count, model, **changes):
    """Held-out scores after the package's stage on some rankings."""
    result = train_reward(
        replace(ours, **changes), model, tokenizer, rankings[:count],
        demonstrations=demonstrations, callback=lambda event: None,
        folder=lesson.workspace("05", f"{name}-{count}"))
    fitted[name] = result.metrics["loss"]
    return scored_by(result.model)


# %% curve
SIZES = lesson.pick((8, 32, 128), quick=(8,))  # rankings
FEW = SIZES[-1]
by_count = {0: scored["start"]}
for n in SIZES:
    by_count[n] = trained(f"first-{n}", n, beginning())
job.wait()
desk.look()
by_count[SOME] = scored["loop"]
by_count[MANY] = scored_by(ScalarModel.load(job.folder / "model"))
reward = ScalarModel.load(shipped.run("reward") / "model")
final = by_count["all"] = scored_by(reward)
added = difference(in_order(final), in_order(scored["start"]))
curve_guess.reveal(100 * added, "shipped run")

# %% curve-look [markdown]
r"""
Each point is a model of its own. The dashed line is a coin. From which number of rankings on does each curve leave its first point?
"""

# %% curve-picture folded="yes"
titles = ("% of held-out pairs in order", "Eq. 1, held out")
figure, panels = lesson.panels(
    2, "What rankings add (live; last point: shipped run)", titles=titles)
places = range(len(by_count))
for axes, of, scale, coin in zip(
    panels, (in_order, eq1), (100, 1), (50, math.log(2)), strict=True
):
    found = [scale * over_prompts(of(v)) for v in by_count.values()]
    axes.plot(places, [i.mean for i in found], "o-", color=INK)
    axes.fill_between(places, [i.low for i in found],
                      [i.high for i in found], color=GRID)
    axes.axhline(coin, color=MUTED, linestyle="--", linewidth=1)
    axes.set_xticks(places, map(str, by_count))
    axes.set(xlabel="rankings in training")
told = ", ".join(f"{n}: {100 * np.mean(in_order(v)):.0f}%"
                 for n, v in by_count.items())
lesson.show(figure, f"Accuracy by number of rankings: {told}.")

# %% curve-read [markdown]
r"""
A start that knows nothing of preferences begins at the coin. A start above the coin knew some already, as ours does from the votes, and only the rise is the
rankings' merit.

Do the settings matter? According to C.2, up to {paper:rm.lr_harmless_change} more or less learning rate changes little, and so does another start; a second
epoch over-fits fast. We change one at a time.
"""

# %% trials
SFT, BASE = sft, load_policy(base_folder("medium"), tokenizer)
rate = ours.learning_rate
changed = {
    "half the rate": trained("half", FEW, beginning(),
                             learning_rate=0.5 * rate),
    "half as much again": trained("more", FEW, beginning(),
                                  learning_rate=1.5 * rate),
    "four epochs": trained("epochs", FEW, beginning(), epochs=4),
    "start: SFT": trained("sft", FEW, ScalarModel.from_policy(
        SFT, tokenizer)),
    "start: base": trained("base", FEW, ScalarModel.from_policy(
        BASE, tokenizer)),
}

# %% trials-table folded="yes"
usual = by_count[FEW]
names = ("half", "more", "epochs", "sft", "base")
lesson.table(
    (f"{FEW} rankings (live)", "loss in training", "points of accuracy, "
     "minus the usual", "held-out loss, minus the usual"),
    [("as usual", f"{fitted[f'first-{FEW}']:.2f}", "–", "–"),
     *((name, f"{fitted[short]:.2f}",
        f"{100 * difference(in_order(v), in_order(usual)):+.1f}",
        f"{difference(eq1(v), eq1(usual)):+.3f}")
       for short, (name, v) in zip(names, changed.items(), strict=True))],
)

# %% trials-read [markdown]
r"""
Over-fitting would show in the row *four epochs*, as a lower loss in training and a higher one held out. In the last two rows the head is new and
random. Each row is one run on few rankings, which favors a start that already knows much.

## All pairs of a prompt together (§3.5)

The pairs of a prompt share its completions. The paper first shuffled all pairs into one pile, and one pass over-fitted: each completion
came up to $K-1$ times. So it made all pairs of a prompt **one batch element**. That is what `compare` does: $K$ completions go through the model once, and their $K$ scores make all pairs.

**Predict.** For one pass over the same rankings, how many times as many completions does a model read if it takes the pairs one by one?
"""

# %% cost-guess folded="yes"
cost_guess = Prediction(
    "Pair by pair: how many times as many completions are read?",
    "chapter05.cost", unit="times", low=0,
)
cost_guess

# %% cost
from minirlhf.evaluate.statistics import over_seeds


def untied(row):
    """How many pairs of a ranking are no ties."""
    return sum(one != other for one, other in combinations(row["ranks"], 2))


together = sum(len(row["ranks"]) for row in rankings if untied(row))
one_by_one = sum(2 * untied(row) for row in rankings)  # w and l of each
ways = {"prompts": [], "pairs": []}
for row in shipped.read("ways"):  # both ways, three seeds
    ways[row["way"]].append(row)
every = list(zip(ways["pairs"], ways["prompts"], strict=True))
times = over_seeds([p["seconds"] / w["seconds"] for p, w in every])
better = over_seeds([w["heldout"] - p["heldout"] for p, w in every])
cost_guess.reveal(one_by_one / together)

# %% ways-look [markdown]
r"""
Shipped runs took fifteen hundred rankings both ways, once, from the same start. Each line is a seed; the filled end is held
out, the open end in training. Over-fitting makes lines long and moves filled ends to the left.
"""

# %% ways-picture folded="yes"
called = {"prompts": "together", "pairs": "pair by pair"}
lines = [(way, row) for way in ways for row in ways[way]]
figure, axes = lesson.panels(
    1, "One pass, both ways, three seeds (shipped run)", lesson.WIDE)
axes.set_title(
    f"held out, together minus pair by pair: {100 * better:+.1f} points; "
    f"pair by pair takes {times:.1f} times as long", fontsize=8.5)
for place, (_, row) in enumerate(lines):
    ends = 100 * np.array([row["heldout"], row["train"]])
    at = [place, place]
    axes.plot(ends, at, color=MUTED, zorder=1)
    axes.scatter(ends, at, c=[INK, "white"], edgecolors=INK, zorder=2)
words = [f"{called[way]}, seed {row['seed']}" for way, row in lines]
axes.set_yticks(range(len(lines)), words)
axes.invert_yaxis()
axes.set_xlabel("% of pairs in order; filled: held out, open: in training")
lesson.show(figure, "Six lines from held-out to training accuracy, three "
    "for each way.")

# %% ways-read [markdown] defines="agreement"
r"""
The first number above the picture is about over-fitting: above zero it supports the paper's reason, below zero it speaks against it. Three seeds are few, and a
million weights memorize less than billions. The second number, the cost, is reason enough.

## The ceiling, and labelers it never saw (§3.4, E.2)

People disagree, and no model can agree with all of them. *Agreement* is how often two labelers prefer the same completion of a pair, over the
pairs that neither ties. The paper reports {paper:agreement.training}. Here a second labeler of the same pool ranks each held-out prompt again.

**Predict.** On what percentage of these pairs do the two agree?
"""

# %% ceiling-guess folded="yes"
ceiling_guess = Prediction(
    "On what percentage of pairs do two labelers agree?",
    "chapter05.ceiling", unit="% of pairs",
)
ceiling_guess

# %% again
import random

draw, second = random.Random(0), []
for row in heldout:
    other = draw.choice([w for w in pool if w.name != row["labeler"]])
    second.append(other.rank(row["prompt"], row["completions"]))
turned = [np.negative(row) for row in second]  # the higher, the better


def over(shares):
    """Their mean; a prompt without any pair has none."""
    return over_prompts(shares[np.isfinite(shares)])

# %% both-choose
from itertools import permutations


def where_both_choose(values):
    """`in_order` on the pairs that neither labeler ties."""
    shares = []
    for v, one, two in zip(values, labeled, second, strict=True):
        hits = [0.5 + 0.5 * np.sign(v[w] - v[l])
                for w, l in permutations(range(len(v)), 2)
                if one[w] < one[l] and two[w] != two[l]]
        shares.append(np.mean(hits) if hits else np.nan)
    return np.array(shares)


ceiling_guess.reveal(100 * over(where_both_choose(turned)))

# %% ceiling-look [markdown]
r"""
Is the reward model as good as it can be? Below, three try to give *one* labeler's order, on the pairs that neither labeler ties: the second labeler, the judge, and
the reward model. The last two rows ask for the judge's order.
"""

# %% judged
from minirlhf.tinytown.judge import judge

verdicts = [[judge(row["prompt"], y) for y in row["completions"]]
            for row in heldout]
grades = [[verdict.overall for verdict in row] for row in verdicts]
by_judge = [np.negative(row) for row in grades]
found = {
    "labeler's order, by a second labeler": where_both_choose(turned),
    "labeler's order, by the judge": where_both_choose(grades),
    "labeler's order, by the reward model": where_both_choose(final),
    "judge's order, by the reward model": in_order(final, by_judge),
    "judge's order, by the start": in_order(scored["start"], by_judge),
}
found = {name: over(shares) for name, shares in found.items()}

# %% ceiling-picture folded="yes"
title = "Who orders held-out pairs alike (live; reward model: shipped run)"
figure, axes = lesson.panels(1, title, (7.2, 2.9))
lesson.intervals(axes, found, "% of pairs")
axes.axvline(50, color=MUTED, linestyle="--", linewidth=1)
lesson.show(figure, "; ".join(f"{k} {100 * v.mean:.0f}%"
                              for k, v in found.items()))

# %% ceiling-read [markdown]
r"""
**Why.** The second labeler has lapses, too, so in the first row two errors meet. The judge has none: tastes apart, its row is the **ceiling**. From the reward
model's row up to the judge's, something is left to learn. Without a judge, the paper could compare with agreement only.

Has the model learned what is good, or what these labelers like? The paper left each of {paper:rm.labeler_groups} groups of labelers out of
training in turn.

**Predict.** How many points of accuracy are lost on the labelers that were left out?
"""

# %% unseen-guess folded="yes"
unseen_guess = Prediction(
    "Accuracy on labelers left out: how many points lower?",
    "chapter05.unseen", unit="points", reach=(-5, 20),
)
unseen_guess

# %% unseen
(groups,) = shipped.read("groups")  # accuracy, a number for each group
inside, outside = (np.array(groups[k]) for k in ("inside", "outside"))
gap = over_seeds(100 * (inside - outside))  # folds overlap: approximate
margin = over_seeds((outside - 0.5) / (inside - 0.5))
unseen_guess.reveal(gap, "shipped run")

# %% tastes
from minirlhf.evaluate.ranking_accuracy import accuracy


def agree(noise):
    """How often two labelers agree if lapses are of this size."""
    shares = []
    for two in zip(pool[:10:2], pool[10:20:2], strict=True):
        one, other = (
            [replace(w, noise=noise).rank(row["prompt"], row["completions"])
             for row in heldout] for w in two)
        shares.append(accuracy([np.negative(row) for row in other],
                               one).mean)
    return np.mean(shares)


with_lapses, without = agree(pool[0].noise), agree(0.0)

# %% tastes-table folded="yes"
lesson.table(
    ("", "paper", "here"),
    [("accuracy on labelers of the training groups (shipped run)",
      cite("rm.accuracy.training"), f"{inside.mean():.1%}"),
     ("on those left out", cite("rm.accuracy.held_out"),
      f"{outside.mean():.1%}"),
     ("difference, points", "–", f"{gap:.1f}"),
     ("two labelers agree (live)", cite("agreement.training"),
      f"{with_lapses:.1%}"),
     ("the same without lapses", "–", f"{without:.1%}")],
)

# %% desk-says [markdown]
r"""
The last row says how much labelers differ by taste. Only that can be lost on a new labeler, because nobody can learn a lapse.

The next labeler it never saw is you. Drag the completions into tiers, into one tier where you can't decide, and save. The desk shows Eq. 1 on *your* ranking, and how often
Tinytown's labelers agree with you. (Their grades lie far apart, so the choice is easier than above.)
"""

# %% labeling
from minirlhf.widgets import LabelingDesk

spread = [np.ptp(row) if len(row) == 6 else 0 for row in grades]
tasks = [heldout[n] for n in np.argsort(spread)[::-1][:8]]
mine = lesson.workspace("05", "mine.jsonl")
score = partial(score_texts, reward, tokenizer)
LabelingDesk(tasks, mine, score=score, labelers=pool)

# %% edits [markdown]
r"""
## What it overlooks (§3.5)

Accuracy says how often a model is right, not about what. So we break good replies on purpose. From each held-out prompt we take the best sample. If the judge *passes* it, that is, finds
nothing wrong, we change it in seven ways and keep what no longer passes. A model that sees the flaw lowers the score.
"""

# %% breaking
from minirlhf.tinytown import neighbours, phrases
from minirlhf.tinytown.requests import parse

best = [(row["prompt"], row["completions"][int(np.argmax(g))].strip())
        for row, g in zip(heldout, grades, strict=True)]
right = [(x, y) for x, y in best if judge(x, y).passes]
EDITS = {
    "another prompt's reply": lambda x, y: draw.choice(right)[1],
    "another task done": lambda x, y: neighbours.mistaken(
        parse(x), parse(draw.choice(right)[0]), draw),
    "a word misread": lambda x, y: neighbours.misread(x, draw),
    "constraints forgotten": lambda x, y: neighbours.attentive(
        replace(parse(x), constraints=()), draw),
    "last sentence cut": lambda x, y: y[: y[:-1].rfind(".") + 1],
    "insult at the end": lambda x, y: " ".join(
        [y, draw.choice(phrases.INSULT_REPLIES).write(draw)]),
    "everything said twice": lambda x, y: " ".join([y, y]),
}

# %% false-facts [markdown]
r"""
Three more flaws are false facts: a question about the town, answered by one sentence, true or false. *Popular* falsehoods are believed in the town, so they occur in texts
that models compare. About those *kept out*, no training prompt asks, and no post on the notice board. The others we make up.
"""

# %% falsehoods
from minirlhf.tinytown.knowledge import TOWN

popular, hidden = set(TOWN.misconceptions), TOWN.probe_misconceptions
FALSE = {"popular falsehood": popular - hidden,
         "popular falsehood, kept out": hidden,
         "made-up falsehood": set(TOWN.facts) - popular}


def told(key):
    """A question about the town, its true answer, and a false one."""
    true = TOWN.facts[key]
    same = [v for other, v in TOWN.facts.items() if other[1] == key[1]]
    made_up = draw.choice([v for v in same if v != true])
    false, seed = TOWN.misconceptions.get(key, made_up), draw.random()
    asked = TOWN.question(key, draw) + "\n"
    return asked, *(TOWN.statement(key, random.Random(seed), value)
                    for value in (true, false))


# %% broken
from minirlhf.tinytown.prompts import completion

draw = random.Random(0)
broken = {name: [told(key) for key in sorted(keys)]
          for name, keys in FALSE.items()}
for name, edit in EDITS.items():
    broken[name] = [(x, y, edit(x, y).strip()) for x, y in right]
COUNT = lesson.pick(200, quick=20)  # of each flaw
for name, triples in broken.items():
    kept = [(x, completion(x, y), completion(x, z)) for x, y, z in triples
            if z and not judge(x, z).passes]
    broken[name] = kept[:COUNT]

# %% broken-table folded="yes"
rows = []
for name, triples in broken.items():
    by_length = sorted(triples, key=lambda t: len(t[0]) + len(t[2]))
    x, _, z = by_length[len(by_length) // 4]
    rows.append((name, x.strip(), z.strip()))
lesson.table(("flaw", "prompt", "the reply, broken"), rows)

# %% predict-fooled [markdown]
r"""
**Predict.** Which flaw does the reward model overlook most often?
"""

# %% fooled-guess folded="yes"
NEAR = "two, too near to say"
fooled_guess = Prediction(
    "Which flaw does the reward model overlook most often?",
    "chapter05.fooled", choices=(*EDITS, *FALSE, NEAR),
)
fooled_guess

# %% noticed
from minirlhf.evaluate.statistics import proportion


def lowered(model, triples):
    """The share of flaws that lower the model's score."""
    asked, whole, flawed = map(list, zip(*triples, strict=True))
    before, after = (score_texts(model, tokenizer, asked, texts)
                     for texts in (whole, flawed))
    return proportion(int((after < before).sum()), len(triples))


noticed = {name: lowered(reward, t) for name, t in broken.items()}
at_start = {name: lowered(beginning(), t) for name, t in broken.items()}
worst, next_worst = sorted(noticed, key=lambda n: noticed[n].mean)[:2]
low, up = noticed[worst], noticed[next_worst]
reach = np.hypot(up.mean - up.low, low.high - low.mean)  # Newcombe's
apart = up.mean - low.mean > reach
fooled_guess.reveal(worst if apart else NEAR, "shipped run")

# %% flaws [markdown]
r"""
Dots are the reward model, with the number of replies in brackets; open dots are its start. The dashed line is a model that doesn't
look. Compare the three kinds of falsehood: equally false, in sentences of one form.
"""

# %% flaw-picture folded="yes"
figure, axes = lesson.panels(
    1, "How often a flaw lowers the score (shipped run; open: its start)",
    (7.2, 4.6))
by_share = sorted(noticed, key=lambda name: -noticed[name].mean)
lesson.intervals(
    axes, {f"{k} ({noticed[k].n})": noticed[k] for k in by_share},
    "% of broken replies scored lower")
axes.scatter([100 * at_start[name].mean for name in by_share],
             np.arange(len(by_share)) + 0.25, facecolor="white",
             edgecolor=INK, s=24, zorder=3)
axes.axvline(50, color=MUTED, linestyle="--", linewidth=1, zorder=0)
lesson.show(figure, "Flaws from the most to the least often noticed: "
    + ", ".join(f"{k} {100 * noticed[k].mean:.0f}%" for k in by_share))

# %% flaws-read [markdown]
r"""
**Why.** A comparison says *which*, never *why*. Our reading: a flaw is noticed as far as comparisons showed it beside a reply without it. Where open and filled dots lie together, rankings
added nothing to the start.

Here is the held-out prompt where the model's favorite lies furthest below the best grade.
"""

# %% most-wrong
def regret(n):
    """How much the favorite's grade falls short of the best one."""
    return max(grades[n]) - grades[n][int(np.argmax(final[n]))]


n = max(range(len(heldout)), key=regret)
row = heldout[n]
favorites = {"the reward model's": int(np.argmax(final[n])),
             "the judge's": int(np.argmax(grades[n]))}

# %% most-wrong-table folded="yes"
from minirlhf.widgets.objections import criterion, missed

lesson.table(
    ("favorite", row["prompt"].strip(), "score (shipped run)", "grade",
     "the judge objects to"),
    [(who, row["completions"][k].strip(), f"{final[n][k]:+.2f}",
      f"{grades[n][k]:.1f}",
      ", ".join(map(criterion, missed(verdicts[n][k]))) or "nothing")
     for who, k in favorites.items()],
)

# %% best [markdown] defines="best of n"
r"""
The score is of use without any training: sample $n$ completions and keep the one that scores best. This *best of n* **isn't in the paper**. We show it as the
shortest way from a score to better replies.

**Predict.** Of up to six samples, the best is chosen by score. What percentage of the chosen replies passes?
"""

# %% best-guess folded="yes"
passes = [[float(v.passes) for v in row] for row in verdicts]
single = np.mean([row[0] for row in passes])
best_guess = Prediction(
    f"{single:.0%} of single samples pass. What percentage of the best of "
    "six?", "chapter05.best", unit="% of replies that pass",
)
best_guess

# %% best-of
from minirlhf.objectives import best_of_n


def chosen(n):
    """Whether the best of each prompt's first n samples passes."""
    picks = [int(best_of_n(torch.tensor([row[:n]]))[0]) for row in final]
    return over_prompts([row[k] for row, k
                         in zip(passes, picks, strict=True)])


best_by_n = [chosen(n) for n in range(1, 7)]
any_by_n = [np.mean([max(row[:n]) for row in passes]) for n in range(1, 7)]
best_guess.reveal(100 * best_by_n[-1], "shipped run")

# %% best-look [markdown]
r"""
On the dashed line, *any* of the n samples passes. Below it, such a reply was there, and the reward model chose another.
"""

# %% best-picture folded="yes"
figure, axes = lesson.panels(1, "Best of n samples (shipped run)")
color, n = PALETTE["best-of-n"], range(1, 7)
axes.plot(n, [100 * i.mean for i in best_by_n], "o-", color=color)
axes.fill_between(n, [100 * i.low for i in best_by_n],
                  [100 * i.high for i in best_by_n], color=color, alpha=0.2)
axes.plot(n, np.multiply(100, any_by_n), "--", color=INK)
axes.set(xlabel="n, samples to choose from", ylabel="% that pass")
lesson.show(figure, f"Best of n rises from {100 * best_by_n[0].mean:.0f}% "
    f"to {100 * best_by_n[-1].mean:.0f}%, any of six is "
    f"{100 * any_by_n[-1]:.0f}%.")

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter05.")

# %% summary [markdown]
r"""
## Summary

Eleven statements of the paper (three fill two rows) were written down before any run. Each row allows a range of values. If the interval lies within it: *seen*; wholly outside: *the opposite*; else *open*.
Live rows are single runs, with intervals over prompts. In four rows the paper says *little*; we allow a twentieth of all pairs.
"""

# %% seen
from scipy.stats import spearmanr

scale = of_labelers.std()  # of the scores
below = [where_both_choose(v) for v in (turned, final)]
below = difference(*np.array(below)[:, np.isfinite(below).all(0)])
first = in_order(usual)
final_share = in_order(final)
apart = {name: 100 * difference(in_order(v), first)
         for name, v in changed.items()}
epochs = shipped.read("epochs")
means = [[np.mean(row[k]) for row in epochs] for k in ("score", "grade")]
size = len(epochs[0]["score"])  # prompts
resampled = np.random.default_rng(0).integers(size, size=(1000, size))
both = [np.array([row[k] for row in epochs]) for k in ("score", "grade")]
orders = [spearmanr(*(b[:, s].mean(1) for b in both))[0] for s in resampled]
ends = np.quantile(orders, (0.025, 0.975))

# %% statements folded="yes"
from minirlhf.evaluate.statistics import Interval

INF, P = math.inf, 100
statements = [
    ("% of pairs in order, all rankings minus none", "rises",
     P * added, 0, INF),
    ("% of pairs in order, all rankings", cite("rm.accuracy.training"),
     P * over_prompts(final_share), 50, INF),
    ("labelers left out: part of the margin over a coin that is kept",
     "nearly all", margin, 0.5, INF),
    ("points lost on labelers left out", "some", gap, 0, INF),
    ("points below the agreement of two labelers, same pairs", "none",
     P * below, 0, 10),
    ("points held out, together minus pair by pair", "together is better",
     P * better, 0, INF),
]

# %% more-statements folded="yes"
order = Interval(spearmanr(*means)[0], *ends, size)
statements += [
    ("times as long, pair by pair", "more", times, 1, INF),
    ("held-out loss, four epochs minus one", "over-fits fast", difference(
        eq1(changed["four epochs"]), eq1(usual)), 0, INF),
    *((f"points, {name} minus usual", "little", i, -5, 5)
      for name, i in apart.items() if name != "four epochs"),
    ("mean score of unused demonstrations, in deviations of theirs", "zero",
     over_prompts(of_labelers / scale), -0.5, 0.5),
    ("rank correlation of score and grade over SFT epochs", "both rise",
     order, 0, INF),
]

# %% beside folded="yes"
def line(what, said, here, low, high):
    inside = low < here.low and here.high < high
    outside = here.high < low or here.low > high
    allowed = f"above {low:g}" if high == INF else f"{low:g} to {high:g}"
    digits = ".1f" if here.high - here.low > 1 else ".2f"
    verdict = "seen" if inside else "the opposite" if outside else "open"
    return what, said, format(here, digits), allowed, verdict


lesson.table(("", "the paper", "here", "allowed", ""),
             [line(*statement) for statement in statements])

# %% three [markdown]
r"""
A reward model turns choices into numbers by pushing on differences of scores; its zero is set afterwards, by demonstrations. What it knows
comes from comparisons and from its start, and a learning curve shows how much from which. Its accuracy on a labeler ends at that labeler's lapses, and what no comparison showed,
it may overlook.

## Questions

1. Two prompts' completions score zero and four. Which of the two is better?

<details><summary>Answer</summary>

Eq. 1 never compared them, so it doesn't say. The bias fixes one zero for all prompts together, not for each.

</details>

2. A labeler ties all completions of a prompt. What does it add to the loss?

<details><summary>Answer</summary>

Nothing. No pair is left, and the prompt isn't counted.

</details>

3. A reward model is as accurate as two labelers agree. Is there nothing left to learn?

<details><summary>Answer</summary>

There may be. Both labelers have lapses. The judge, without any, can agree with one of them more often.

</details>

4. You train twice as long. Accuracy stays, the held-out loss rises. What happened?

<details><summary>Answer</summary>

The differences of scores grew, right ones and wrong ones. A wrong pair costs about as much as its difference, so the loss rises while the order stays.

</details>

5. A policy is trained on this reward. Which flaws do you expect in its replies?

<details><summary>Answer</summary>

Those that raise the score, and those that it doesn't see. What may hold the policy back is step 3's price on leaving the start (chapter 06).

</details>

## The way on

- [Exercise 05](../exercises/ex05_reward_model.ipynb): write Eq. 1, the bias and best of n yourself, find a bug, predict the ceiling.
- [Chapter 06](06_reinforcement_learning.ipynb): step 3 trains a policy on these scores.

**Lecture, thirty minutes.** Four lines and the explorer, ten; the loop, six; the learning curve, five; the ceiling, five; the picture of flaws, four.

**Lab, sixty minutes.** All cells up to the curve, twenty; five prompts at the labeling desk, fifteen; a flaw of your own in `EDITS`, fifteen;
the first two exercises, ten.
"""
