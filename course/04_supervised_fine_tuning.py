# ---
# jupyter:
#   minirlhf:
#     paper: §3.2, §3.5, C.1
#     doing_minutes: 25
# ---

# %% title [markdown] defines="base model; prompt; completion; labeler; demonstration; supervised fine-tuning"
r"""
# Chapter 04 · Supervised fine-tuning

A *base model* continues text. Give it an instruction, a *prompt*, and it continues that too, where you hoped for a reply, a
*completion*. Step 1 of the InstructGPT paper (Ouyang et al., 2022) trains it on *demonstrations*: prompts with the replies that
people, the *labelers*, wrote. What does a model learn by such *supervised fine-tuning* (SFT), and what can't it learn this way?

After this chapter you can

- line up tokens with a model's predictions, and say which of them count in the loss;
- write the training loop of SFT, and tell from its replies that the end token was left out;
- compare two models by a paired interval, and say what the interval doesn't cover;
- choose an epoch, and explain why held-out loss and ratings may choose differently;
- name an error that imitation leaves, and the kind of signal that it needs.
"""

# %% before [markdown]
r"""
## What a base does with an instruction (§3.5)

Tinytown's base has about a million weights and has read the town's web: stories, letters, notices, worksheets. Below are prompts
by users who are in no training set, and what the base writes next. Each token is drawn with its probability (temperature one), for every
model by the same random numbers, `uniforms`. Does the base reply?

(*Live*: computed as you read. *Shipped run*: made beforehand.)
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


# %% base-says
replies, ended = {}, {}
replies["base"], ended["base"] = answer(base, asked)
by_length = sorted(range(len(asked)), key=lambda i: len(asked[i]))
few = by_length[::12][:4]
lesson.table(
    ("prompt", "the base goes on (live)"),
    [(asked[i], replies["base"][i][:150] + " …") for i in few],
)

# %% judge-says [markdown] defines="judge"
r"""
In the paper, people say whether a reply is good. In Tinytown the *judge* does, a program that knows the town. It checks whether a reply
is readable and finished (*language*), is what was asked for (*instruction*), keeps to topic and constraints (*use exactly two sentences*),
makes sense (*coherence*), is true (*truth*), and adds nothing to a given text (*source*). A reply that meets all *passes*. Grades
run from one to seven; a reply that passes gets four or more.

Does the base lack the ability, or only the habit? Two tests. *Cut*: drop what follows an empty line.
*Prompted*: put three demonstrations before each prompt, then cut. For its *GPT-3 prompted* the paper takes the best of four sets of
examples; we draw one set at random.

**Predict.** What percentage of the prompted base's replies pass? (A folded cell makes the box for your guess, `prompted_guess`.)
"""

# %% predict-prompted folded="yes"
from minirlhf.widgets import Prediction

prompted_guess = Prediction(
    "Three examples in front: what percentage of the base's replies pass?",
    "chapter04.prompted", unit="% of replies that pass",
)
prompted_guess

# %% prompted
import random

demonstrations = shipped.read("demonstrations")
plain = [row for row in demonstrations if row["style"] == "plain"]
# bare requests: other prompts begin with examples or with their user
plain.sort(key=lambda row: len(row["prompt"] + row["completion"]))
shots = random.Random(0).sample(plain[: len(plain) // 2], 3)
examples = [row["prompt"] + row["completion"] + "\n\n" for row in shots]


def cut(replies):
    """The replies as far as their first empty line."""
    return [reply.split("\n\n")[0] for reply in replies]


long, _ = answer(base, ["".join(examples) + x for x in asked])
replies["base, cut"], replies["prompted"] = cut(replies["base"]), cut(long)

# %% judged
from minirlhf.tinytown.judge import judge


def judged(replies):
    return [judge(x, y) for x, y in zip(asked, replies, strict=True)]


def passes(name):
    """One for each reply in which the judge finds nothing wrong."""
    return np.array([float(v.passes) for v in judged(replies[name])])


prompted_guess.reveal(100 * passes("prompted").mean())

# %% knows [markdown]
r"""
Each reply that passes shows an ability from before any fine-tuning: some pages of the town's web hold answered requests, and
many more hold unanswered ones.
"""

# %% one-ahead [markdown] defines="prompt mask"
r"""
## One token ahead: what counts in the loss (§3.2, §3.5, C.1)

The paper trained on {paper:table6.sft.train} demonstrations (Table 6). We have {run:counts.demonstrations}; our labelers are programs
with manners of their own.

A demonstration enters the model as one row of tokens $z$: a start token, the prompt, the completion, an end token. At position $t$ the
model has read $z_0$ to $z_t$, and its logits are about $z_{t+1}$. So before the two are compared, **drop the logits of the last position and
the first token**. Without this shift, each token would be predicted from itself.

Which positions should count? The paper doesn't say. The common choice, and ours, is the *prompt mask*: the completion counts,
**its end token too**, and the prompt doesn't.

$$
\mathcal L=-\frac{\sum_{i,t} m_{i,t}\,\log\pi(z_{i,t+1}\mid z_{i,0},\dots,z_{i,t})}{\sum_{i,t} m_{i,t}}
$$

Here $i$ is a row of the batch, $\pi$ the model's probability, and $m_{i,t}$ is one if token $t+1$ belongs to the completion, else
zero.
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

# %% shift-table folded="yes"
words = [tokenizer.decode([token]).replace("\n", "⏎") for token in z]
words[0], words[-1] = "START", "END"
edge = len(x) - 1
lesson.table(
    ("position t", "has read up to", "must predict", "counts?", "nats"),
    [(t, words[t], words[t + 1], "yes" if counts[t] else "no",
      f"{-log_pi[t]:.2f}")
     for t in (0, 1, edge - 1, edge, edge + 1, len(z) - 3, len(z) - 2)],
)

# %% surprise [markdown]
r"""
The last column of the table is $-\log\pi$ of the token to predict: how surprised the base is, in *nats* (natural logarithms). The
picture has a bar for each token. Guess first: is the tallest one a word, or the end?
"""

# %% surprise-picture folded="yes"
from minirlhf.report.charts import GRID, INK, PALETTE

title = "One demonstration under the base, token by token (live)"
figure, axes = lesson.panels(1, title, lesson.WIDE)
colors = [PALETTE["base"] if counted else GRID for counted in counts]
axes.bar(range(1, len(z)), -log_pi, color=colors)
axes.set_xticks(range(1, len(z)), words[1:], rotation=60, ha="right",
                color=INK)
axes.set(ylabel="loss of the token, in nats")
odds = round(float((-log_pi[-1]).exp()), -3)
axes.set_title(
    f"mean of the dark bars {by_hand:.2f}; END {-log_pi[-1]:.1f}: a "
    f"probability of one in {odds:,.0f}", fontsize=8.5, loc="left",
)
lesson.show(figure, "Pale bars for the prompt, dark ones for the "
    f"completion; the tallest is {words[1 + int(log_pi.argmin())]}.")

# %% surprise-read [markdown]
r"""
The mean of the dark bars is this demonstration's loss. A tall bar over END means that the base knows what to say, but not that it is
done. Tall bars over words would mean that it lacks the words.

## The loop (C.1)

Here is how `minirlhf/plain/sft.py`, this step in its plainest form, reads a batch of pairs. Find the shift.
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
warm-up, and falls along a cosine to {paper:sft.lr_floor:.0%} of it (C.1). The paper doesn't state whether the gradient is clipped;
ours is. There is no `policy.train()`, because the loop has no dropout.
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
        log_pi, mask = logprobs(policy, batch(ours, pairs, (), step))
        loss = sft_loss(log_pi, mask)
        loss.backward()
        clip_grad_norm_(policy.parameters(), ours.grad_clip)
        adam.step()
        adam.zero_grad()
        losses.append(loss.item())
    return losses


# %% predict-loop [markdown] defines="policy"
r"""
A model that writes completions is called a *policy*: at each place it chooses the next token. We let the loop go once over the
demonstrations.

**Predict.** After this one pass, what percentage of the policy's replies to new prompts pass?
"""

# %% loop-guess folded="yes"
loop_guess = Prediction(
    "One pass over the demonstrations: what percentage of replies pass?",
    "chapter04.loop", unit="% of replies that pass",
)
loop_guess

# %% loop-run
pairs = as_pairs(encode_demonstrations(tokenizer, demonstrations, 256))
STEPS = lesson.pick(steps_per_epoch(ours, pairs), quick=2)
policy = load_policy(folder, tokenizer)
curve = fine_tune(policy, pairs, STEPS)
replies["one pass"], ended["one pass"] = answer(policy, asked)
loop_guess.reveal(100 * passes("one pass").mean())

# %% intervals [markdown]
r"""
**Intervals.** Other prompts would have given another share. How far off might it be? Draw as many prompts from ours, with replacement,
and take the mean; do so ten thousand times. The middle `95%` of these means are the *interval* (`over_prompts`; for shares, a
formula, `proportion`). It covers the luck of the prompts; that of training would need other seeds.

**Pairs.** If two intervals lie apart, the models differ. If they overlap, you don't know yet: some prompts are hard for every
model, and that widens both. So subtract prompt by prompt, and take the interval of the mean *difference*. Above zero, it is a
gain. If it includes zero, either model may be the better. One interval in twenty misses the truth by chance.

Left, look at the loss; right, compare the last row with the three above.
"""

# %% shares
from minirlhf.evaluate.statistics import over_prompts, proportion
from minirlhf.evaluate.statistics import paired_difference as difference


def share(hits):
    return proportion(int(hits.sum()), len(hits))


rows = ("base", "base, cut", "prompted", "one pass")
shares = {name: share(passes(name)) for name in rows}

# %% loop-picture folded="yes"
title = "What one pass over the demonstrations does (live)"
figure, (left, right) = lesson.panels(2, title)
left.plot(range(1, STEPS + 1), curve, color=PALETTE["sft"], marker=".")
left.set(xlabel="step", ylabel="loss of the batch, nats per token",
         xticks=range(1, STEPS + 1, 3))
lesson.intervals(right, shares, "% of replies that pass")
for line in right.lines[-2:]:
    line.set_color(PALETTE["sft"])
passing = "; ".join(f"{n} {100 * s.mean:.0f}%" for n, s in shares.items())
lesson.show(figure, f"The loss goes from {curve[0]:.2f} to "
    f"{curve[-1]:.2f}. Replies that pass: {passing}.")


# %% pairs
def grades(name):
    return np.array([v.overall for v in judged(replies[name])])


mine, theirs = grades("one pass"), grades("prompted")
other = np.random.default_rng(0).permutation(len(asked))
paired = difference(mine, theirs)
broken = difference(mine, theirs[other])  # each with another prompt's
narrower = 1 - (paired.high - paired.low) / (broken.high - broken.low)

# %% pairs-table folded="yes"
lesson.table(
    ("judge's grade: one pass minus prompted (live)", "difference"),
    [("paired: both on the same prompt", f"{paired:.2f}"),
     ("not paired: each on another prompt", f"{broken:.2f}"),
     ("pairing narrows the interval by", f"{narrower:.0%}")],
)

# %% pairs-read [markdown]
r"""
Pairing changes only the width. An interval that includes zero means: this page hasn't shown that one pass beats three examples. From here
on, differences are paired, and brackets hold their intervals.

## What goes wrong without the end token

The loop learns whatever its pairs hold. Here are three ways of counting:

1. the completion and its end token, as above;
2. the prompt as well: no mask;
3. the completion **without** its end token. This slip is easy: where padding and end are one token, a mask hides both.

**Predict.** After the third way, what percentage of replies end by themselves, within the limit of tokens?
"""

# %% predict-end folded="yes"
ends_guess = Prediction(
    "End token left out of the loss: what percentage of replies end?",
    "chapter04.ends", unit="% of replies that end",
)
ends_guess

# %% end-after
unseen = as_pairs(encode_demonstrations(tokenizer, held_out, 256))


@torch.no_grad()
def end_after(policy):
    """The probability of END after each of eighty held-out replies."""
    log_pi, mask = logprobs(policy, unseen[:80])
    return log_pi.exp()[torch.arange(80), mask.sum(1) - 1].numpy()


# %% three-ways
ends = {"base": end_after(base), "one pass": end_after(policy)}
ways = {
    "prompt as well": [(x[:1], torch.cat([x[1:], y])) for x, y in pairs],
    "without its end": [(x, y[:-1]) for x, y in pairs],
}
for name, counted in ways.items():
    policy = load_policy(folder, tokenizer)
    fine_tune(policy, counted, STEPS)
    replies[name], ended[name] = answer(policy, asked)
    ends[name] = end_after(policy)
ends_guess.reveal(100 * share(ended["without its end"]))

# %% three-ways-look [markdown]
r"""
Compare the last row, the third way, with the first two. Right: the probability of END after a whole held-out reply. Below: two replies of the third
way that run on.
"""

# %% three-ways-picture folded="yes"
unmasked = difference(passes("prompt as well"), passes("one pass"))
title = ("What counts in the loss (live); passes, unmasked minus masked: "
         f"{100 * unmasked:.1f}")
parts = ("ends by itself", "passes", "END after a whole reply")
figure, panels = lesson.panels(3, title, titles=parts)
compared = {"base": "base", "one pass": "completion and end",
            **{name: name for name in ways}}
three = (lambda name: share(ended[name]), lambda name: share(passes(name)),
         lambda name: over_prompts(ends[name]))
units = ("% of replies", "% of replies", "probability in %")
for axes, of, unit in zip(panels, three, units, strict=True):
    found = {label: of(name) for name, label in compared.items()}
    lesson.intervals(axes, found, unit)
    axes.set(xlim=(-14, 114), xticks=range(0, 101, 25))
    if axes is not panels[0]:
        axes.set_yticklabels([])
lesson.show(figure, "; ".join(f"{label}: {100 * ended[name].mean():.0f}% "
    "end" for name, label in compared.items()))

# %% runs-on folded="yes"
running = [i for i in by_length if not ended["without its end"][i]]
lesson.table(
    ("prompt", "trained without end tokens (live)"),
    [(asked[i], replies["without its end"][i] + " …") for i in running[:2]],
)

# %% mask-why [markdown]
r"""
**Why.** The third loss never asks for END. A reply then ends only as far as pretraining taught where a text is complete, and
that may be more often than in the base. Its training loss can't warn you: END isn't in it. A third way that ends as often as the first would have refuted this.

For a mask of the *prompt*: nobody asks the model to write prompts. Against it: prompts are more text of the right kind. Above the picture stands
the difference, of one run each.

## Sixteen epochs, and three who choose (§3.5, C.1)

By held-out loss, the paper's SFT models overfit after *one* epoch of {paper:sft.epochs}. Yet more epochs still raised the reward model's
score and people's ratings, so the authors chose the epoch by that score. We do the same with the package's `train_sft`, the loop above, only
faster. It adds *residual dropout* (C.1): of what each layer adds, {paper:sft.residual_dropout:.0%} is set to zero at random.
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

# %% run-desk [markdown]
r"""
The *training desk* watches the run. Pale is the loss of each step, strong its running mean; diamonds are held-out demonstrations, after
each epoch.
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

# %% choosers [markdown] defines="reward model"
r"""
Who chooses the epoch? Perhaps the held-out loss. Perhaps a *reward model*, which gives each reply a number for how well labelers
would like it (chapter 05; ours is a shipped run). Or people, in whose place we ask the judge. The last two need replies, so each
epoch answers further prompts.

Beware of a circle: our reward model learned from replies of an SFT model that had the same demonstrations, and may favor epochs
like it. The judge is outside the circle.

**Predict.** Which epoch has the reward model's best mean score?
"""

# %% predict-epoch folded="yes"
epoch_guess = Prediction(
    "Which epoch does the reward model choose?", "chapter04.epoch",
    choices=[str(n) for n in range(1, EPOCHS + 1)],
)
epoch_guess

# %% epochs
from minirlhf.models import ScalarModel
from minirlhf.reward import score_texts
from minirlhf.sampling import complete

job.wait()
desk.look()
rewarding = ScalarModel.load(shipped.run("reward") / "model")
choosing = prompts[len(asked) :][: lesson.pick(160, quick=12)]


def rated(policy, temperature=1.0):
    """Score and grade of a reply to each prompt for choosing."""
    texts = complete(policy, tokenizer, choosing, max_new_tokens=LIMIT,
                     seed=4, temperature=temperature)
    score = score_texts(rewarding, tokenizer, choosing, texts).numpy()
    return score, [judge(*both).overall
                   for both in zip(choosing, texts, strict=True)]


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

# %% epochs-look [markdown]
r"""
Rings mark the choices, bands are intervals over prompts, and the judge's curve is dashed. Where does each curve turn?
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

# %% worth [markdown]
r"""
What is a choice worth? The best of sixteen noisy means is partly the luckiest, so each choice now answers the prompts of the first sections, which
took no part.
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

# %% worth-read [markdown]
r"""
An interval below zero in the row *last epoch* would have refuted the paper's finding. The last row is a caution: the loop's one
pass ends at a low rate, the early epoch near the peak. What that row gains isn't due to more epochs.

## Why they disagree

**Where does the loss rise?** Say that after *Ines found a*, the labeler wrote *coat*. The loss counts *coat* alone; the judge takes *hat*,
too. If both are as good, probabilities of $0.5$ and $0.5$ cost $0.7$ nats on average; a sure $0.9$ and $0.1$ cost $1.2$. Our guess: the
model grows sure of its own wording, and loses above all on such free words.

To test it, we sort the tokens of held-out completions, each into the first kind that fits: the end token; the forty most common (*the*,
*was*, *.*); words copied from the prompt; the *first* of a sentence or line; the labeler's *own words*. A rise carried by END or copied
words would refute the guess.
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


# %% kinds-losses
unseen.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
unseen = unseen[:: lesson.pick(1, quick=8)]
KINDS = ("own words", "first", "copied", "common", "end")
sorts = [np.array(kinds(x, y)) for x, y in unseen]

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


# %% kinds-run
nats = np.array([summed(policy) for policy in epochs])  # epoch, text, kind
size = np.array([[(sort == k).sum() for k in KINDS] for sort in sorts])
per_token = nats.sum(1) / size.sum(0)
rise = nats[-1] - nats[by_loss]  # of each demonstration
per_kind = [over_prompts(column / n) for column, n
            in zip(rise.T, size.mean(0), strict=True)]
overfit = over_prompts(rise.sum(1) / size.sum(1).mean())
part = rise.sum(0) / (rise.sum() or 1.0)

# %% cooled [markdown]
r"""
**What is sureness good for?** A sure model draws fewer slips, and one slip spoils a reply. To test it, make the early epoch, the loss's choice,
surer without training: divide its logits by a *temperature* of `0.7` before drawing.

**Predict.** The cooled early epoch's mean score, compared with the last epoch's at temperature one, is …
"""

# %% predict-cooled folded="yes"
cooled_guess = Prediction(
    "Early epoch at temperature 0.7, beside the last epoch: its score is …",
    "chapter04.cooled",
    choices=("lower", "no clear difference", "higher"),
)
cooled_guess

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

# %% kinds-look [markdown]
r"""
Left: which lines climb? Right: how far does cooling alone bring the early epoch?
"""

# %% kinds-picture folded="yes"
title = "Where the loss rises, and what sureness is worth (live)"
parts = ("held-out loss minus the best epoch's, nats per token",
         f"cooled minus early {warmed:.2f},\nminus last {against:.2f}")
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
most = KINDS[change[-1].argmax()]
lesson.show(figure, f"The loss climbs most on {most}. Scores of the early "
    "epoch, of the same cooled, of the last.")

# %% kinds-table folded="yes"
rows = [
    (kind, f"{n / size.sum():.0%}", f"{before:.2f}", f"{found:.2f}",
     f"{p:.0%}") for kind, n, before, found, p in
    zip(KINDS, size.sum(0), per_token[by_loss], per_kind, part, strict=True)
]
lesson.table(
    ("kind of token (live)", "of all", "loss, best epoch",
     "last epoch minus best", "of the rise"),
    [*rows, ("all", "100%", f"{loss[by_loss]:.2f}", f"{overfit:.2f}", "")],
)

# %% kinds-read [markdown]
r"""
Look at *own words* first: there the loss measures how well the model foresees *one labeler's wording*. Then at *copied*: a rise
there is a true loss, however small its part.

Cooled minus early is what sureness alone is worth; only an interval above zero supports us. In cooled minus last, *no clear difference* isn't
sameness: the interval says how large one may be.

## What imitation can't mend

Take the epoch that the reward model chose, as the paper does. What is still wrong in its replies, and was it wrong in the demonstrations?
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

# %% failing-table folded="yes"
def extra_misses(key):
    """How much more often SFT misses a criterion than the base, cut."""
    return difference(*(
        np.array([v.criteria.get(key, 1) < 1 for v in found], dtype=float)
        for found in (verdicts["SFT"], verdicts["base, cut"])))


lesson.table(
    ("not met, % of replies (live)", *verdicts, "SFT minus base", ""),
    [(key, *(f"{100 * unmet[name][key] / len(found):.1f}"
             for name, found in verdicts.items()),
      f"{100 * (more := extra_misses(key)):.1f}",
      "worse" if more.low > 0 else "better" if more.high < 0 else "open")
     for key, _ in unmet["SFT"].most_common(5)],
)

# %% playground
from minirlhf.widgets import Playground

playground = Playground(
    {"base": (base, tokenizer), "sft": (sft, tokenizer)},
    judge=judge, prompt="Give me three ideas for a gift for Ines.", seed=1,
)
playground.answer(playground.prompt)
playground

# %% own-errors [markdown]
r"""
Ask both models for something of your own. Where the table calls SFT *worse* than the base, our guess is that the base says too little
that is readable to be wrong.

The loss looks at labelers' words only. There it pushes down whatever the labeler didn't write, a good synonym like a fatal mistake. Of
words that the model writes itself it says nothing.

Does the model know better than it writes? Let it answer the same prompts four times, and take each pair of replies of which one passes and
one fails. Training made good replies *likely*: is the right one the likelier? We ask the reward model, too. It should do well:
the labelers whose rankings it learned from grade roughly as the judge does.

**Predict.** In what percentage of the pairs does SFT give the right reply the higher log-probability?
"""

# %% predict-likelier folded="yes"
likelier_guess = Prediction(
    "One passes, one fails: how often is the right one the likelier?",
    "chapter04.likelier", unit="% of pairs",
)
likelier_guess

# %% four-each
TIMES = 4
some = np.repeat(asked[: lesson.pick(120, quick=24)], TIMES).tolist()
drawn = complete(sft, tokenizer, some, max_new_tokens=LIMIT, seed=11)
both = list(zip(some, drawn, strict=True))
right = np.array([judge(x, y).passes for x, y in both])
rows = [{"prompt": x, "completion": y} for x, y in both]
rows = encode_demonstrations(tokenizer, rows, 256)
with torch.no_grad():
    likely = [response_logprobs(sft, collate([x], [y], PAD))[0]
              for x, y in rows]
signals = {
    "log-probability": np.array([float(row.sum()) for row in likely]),
    "per token": np.array([float(row.mean()) for row in likely]),
    "reward model": score_texts(rewarding, tokenizer, some, drawn).numpy(),
}

# %% in-order
def in_order(signal):
    """Of each prompt with both, the share of pairs in the right order."""
    shares = []
    for values, passed in zip(signal.reshape(-1, TIMES),
                              right.reshape(-1, TIMES), strict=True):
        gap = values[passed][:, None] - values[~passed]
        if gap.size:
            shares.append(np.mean((gap > 0) + 0.5 * (gap == 0)))
    return np.array(shares)


ordered = {name: in_order(signal) for name, signal in signals.items()}
extra = difference(ordered["reward model"], ordered["per token"])
likelier_guess.reveal(100 * over_prompts(ordered["log-probability"]))

# %% in-order-look [markdown]
r"""
A coin is right in half of the pairs. (*Per token* divides by the reply's length, since longer replies are less likely.) How far is
likelihood from the coin, and how far from the reward model?
"""

# %% in-order-picture folded="yes"
title = "Right replies put before wrong ones (live)"
figure, axes = lesson.panels(1, title, (5.4, 2.7))
found = {name: over_prompts(of) for name, of in ordered.items()}
lesson.intervals(axes, found, "% of pairs, one passing and one failing")
for line in axes.lines[:4]:
    line.set_color(PALETTE["sft"])
axes.axvline(50, color=INK, linewidth=0.8)
count = len(ordered["per token"])
axes.set_title(
    f"{count} prompts; reward model minus per token: {100 * extra:.1f}",
    fontsize=8.5, loc="left",
)
ranked = ", ".join(f"{n} {100 * f.mean:.0f}%" for n, f in found.items())
lesson.show(figure, f"Pairs in the right order: {ranked}; a coin has half.")

# %% in-order-read [markdown] defines="comparison"
r"""
Where likelihood is right, the wrong reply held a slip that the model itself finds unlikely. What the reward model adds comes from
*comparisons*: of two replies that a model wrote, a person says which is better. That is a *not this*, and about a whole reply. A gap
not above zero would have refuted this.

More demonstrations also help: four times as many, at as many epochs, add {run:models.sft-4x.gain.mean:.1%}
[{run:models.sft-4x.gain.low:.1%}, {run:models.sft-4x.gain.high:.1%}] to the share that passes (shipped runs). None of them shows a mistake. Chapter 05
turns comparisons into a model.
"""

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter04.")

# %% summary [markdown]
r"""
## Summary

Ten statements of the paper (one fills two rows) were written down before any run. An interval above zero: *seen*; below: *the opposite*, refuted;
else *open*. The base is the cut one. One run each, so intervals are over prompts, not seeds.
"""

# %% tax
from minirlhf.evaluate.probing import run_probe
from minirlhf.tinytown.tax import TAX

# Texts of the kind that the base read, to go on with
COUNT = lesson.pick(15, quick=2)  # items of each of the tasks
items = [item for probe in TAX.values() for item in probe(COUNT)]
before, after = (run_probe(policy, tokenizer, items)
                 for policy in (base, sft))


def meets(name, key):
    """One for each reply that meets the judge's criterion."""
    found = judged(replies[name])
    return np.array([float(v.criteria.get(key, 0) == 1) for v in found])


# %% criteria
from minirlhf.tinytown.requests import parse

# Prompts that give a text, to which a reply must add nothing
closed = np.array([bool(parse(x).passage) for x in asked])
models = (by_score, "base, cut")
source = [meets(name, "source")[closed] for name in models]
asks = [meets(name, "instruction") for name in models]

# %% seen
grade_of = {name: grades(name)
            for name in (by_score, "base, cut", "prompted")}
percent = [
    difference(passes(by_score), passes("base, cut")),
    difference(passes(by_score), passes("prompted")),
    difference(*asks),
    difference(*source),
    difference(before, after),
]
shown = [
    overfit, score_on, grade_on, gains["reward model"],
    difference(grade_of["prompted"], grade_of["base, cut"]),
    difference(grade_of[by_score], grade_of["prompted"]),
    *(100 * found for found in percent),
]

# %% statements folded="yes"
from minirlhf.paper import cite


def paper(key, *models):
    return " → ".join(str(cite(f"{key}.{model}")) for model in models)


statements = [
    (f"held-out loss, last epoch minus best ({1 + by_loss})", "best: 1"),
    ("reward model's score, last minus loss's best", "rises"),
    ("grade, last epoch minus loss's best", "ratings rise"),
    ("grade, score's choice minus loss's", "score chooses"),
    ("grade, prompted minus base", paper("fig5", "gpt", "prompted")),
    ("grade, SFT minus prompted", paper("fig5", "prompted", "sft")),
    ("% pass, SFT minus base", paper("fig1.1.3b", "gpt", "sft")),
    ("% pass, SFT minus prompted", paper("fig1.1.3b", "prompted", "sft")),
]

# %% more-statements folded="yes"
tax = "table14.{}.zero.175b"
statements += [
    ("% of the kind asked for, SFT minus base",
     paper("fig4.appropriate", "gpt", "sft")),
    ("% that add nothing to a given text, SFT minus base",
     f"adds: {paper('fig4.hallucination', 'gpt', 'sft')}"),
    (f"% right on {len(TAX)} tasks of the base, base minus SFT",
     f"SQuADv2: {paper(tax.format('squadv2'), 'gpt', 'sft')}; "
     f"DROP: {paper(tax.format('drop'), 'gpt', 'sft')}"),
]

# %% directions folded="yes"
def verdict(found):
    """What an interval says of a difference that the paper has above 0."""
    if found.low > 0:
        return "seen"
    return "the opposite" if found.high < 0 else "open"


lesson.table(
    ("statement (live)", "the paper", "this page", ""),
    [(label, theirs, f"{found:.2f}" if place < 6 else f"{found:.1f}",
      verdict(found)) for place, ((label, theirs), found)
     in enumerate(zip(statements, shown, strict=True))],
)

# %% summary-read [markdown]
r"""
The paper's numbers: epochs from §3.5 and C.1; ratings of seven, largest models (Fig. 5); wins of the smallest models against the largest SFT
(Fig. 1); shares of replies, sizes pooled (Fig. 4); accuracy of the largest models without examples (Table 14). Compare signs: most
scales aren't ours.

Where *SFT minus prompted* is open, three examples may do as well as {run:counts.demonstrations} demonstrations; the paper sees a gain. The last
row is SFT's price: above zero, the base had skills that SFT lost.

SFT makes replying a habit, the end token above all. Which epoch to keep depends on whom you ask, because the loss asks
for one labeler's words. Demonstrations can't show a model its own mistakes.

## Questions

**The loss looks fine. Replies are right, and then go on to a second question. Which line do you read first?**

<details><summary>Answer</summary>

The one that makes the targets: is the end token appended, and does the mask keep it?

</details>

**What would change if every demonstration weighed the same in the loss, rather than every token?**

<details><summary>Answer</summary>

A token of a short completion would push harder than one of a long, its end token included.

</details>

**The intervals of two epochs overlap. Do you report that they don't differ?**

<details><summary>Answer</summary>

No. Report the paired difference, on prompts by which you didn't choose.

</details>

**Held-out loss rises, and so does the share of replies that pass. What would you measure before you worry?**

<details><summary>Answer</summary>

The loss by kind of token. On free words a rise may be no more than sureness; on copied words or the end token the judge would
see it, too.

</details>

## The way on

- [Exercises 04](../exercises/ex04_sft.ipynb): the masked loss, a model that never stops, a model that knows nothing, position ids.
- [Chapter 05](05_reward_model.ipynb): the reward model.

**A lecture of thirty minutes.** The base's table and the picture of one demonstration (ten); the loop, and what happens without the end
token (ten); sixteen epochs and why the choosers disagree (ten).

**A lab of sixty minutes.** The page as far as the desk (twenty-five); the masked loss and the model that never stops
(twenty-five); then change `TEMPERATURE` or add a way to `ways`, predict, and run again (ten).
"""
