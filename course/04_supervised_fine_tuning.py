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
*completion*. Step 1 of the InstructGPT paper (Ouyang et al., 2022) shows it *demonstrations*: prompts with the replies that people,
the *labelers*, wrote. What does a model learn from them by *supervised fine-tuning* (SFT), and what can it not learn this way?

After this chapter you can

- line up a row of tokens with a model's predictions, and say which of them count in the loss;
- write the training loop of SFT, and say from its samples when the end token was left out;
- compare two models by a paired interval, and say what the interval doesn't cover;
- choose among the epochs of a run, and explain why held-out loss and ratings may choose differently;
- name an error that is left after imitation, and the kind of signal that it needs.
"""

# %% before [markdown]
r"""
## What a base does with an instruction (§3.5)

Tinytown's base has about a million weights and has read the town's web: stories, letters, notices, worksheets. Below are prompts of
users who are in no training set, and what the base writes next. Each token is drawn with its probability under the model (temperature
one). Is it a reply, or more of a page on which such a line might stand?

(*Live* is computed as you read. A *shipped run* was made beforehand.)
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
    said = sample(
        policy, encode_prompts(tokenizer, prompts), uniforms,
        suppress=never_sampled(tokenizer, policy),  # such as padding
        eos_token_id=END, pad_token_id=PAD).ids()
    return decode(tokenizer, said), np.array([y[-1] == END for y in said])


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
In the paper, people say whether a reply is good. In Tinytown the *judge* does, a program that knows the town. It checks whether the
reply is the kind of text asked for (*instruction*), keeps to the topic and to constraints such as *use exactly two sentences*,
makes sense and is true. A reply *passes* if every criterion is met. Its grade runs from one to seven, and from four up if it passes.
No model that replies on this page is trained on the judge.

Does the base not know how to reply, or not know that a reply is wanted? Two tests. *Cut*: keep what stands before the first empty
line. *Prompted*: set three demonstrations in front of each prompt, then cut likewise. The paper calls this *GPT-3 prompted* and takes
the best of four sets of examples; ours is one set, drawn at random.

**Predict.** What percentage of the prompted base's replies pass?
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
plain.sort(key=lambda row: len(row["prompt"] + row["completion"]))
shots = random.Random(0).sample(plain[: len(plain) // 2], 3)
examples = [row["prompt"] + row["completion"] + "\n\n" for row in shots]


def cut(replies):
    """The replies as far as their first empty line."""
    return [reply.split("\n\n")[0] for reply in replies]


long, _ = answer(base, ["".join(examples) + x for x in asked])
replies["base, cut"], replies["prompted"] = cut(replies["base"]), cut(long)

# %% judged
from minirlhf.evaluate.statistics import proportion
from minirlhf.tinytown.judge import judge


def judged(replies):
    return [judge(x, y) for x, y in zip(asked, replies, strict=True)]


def passes(name):
    """One for each reply in which the judge finds nothing wrong."""
    return np.array([float(v.passes) for v in judged(replies[name])])


def share(hits):
    return proportion(int(hits.sum()), len(hits))


prompted_guess.reveal(100 * share(passes("prompted")))

# %% knows [markdown]
r"""
Section three sets this beside the base itself. A prompted base that does well shows that the ability was there before any
fine-tuning: some pages of the town's web hold answered requests, and many more hold unanswered ones. What is lacking is the habit.
"""

# %% one-ahead [markdown] defines="prompt mask"
r"""
## One token ahead: what counts in the loss (§3.2, §3.5, C.1)

The paper trained on {paper:table6.sft.train} demonstrations, {paper:table6.sft.train.labeler} of them to prompts that labelers had
written themselves (Table 6); we train on {run:counts.demonstrations}. Tinytown's labelers are programs: each has a manner of its own, and
now and then hands in a first draft.

A demonstration enters the model as one row of tokens $z$: a start token, the prompt $x$, the completion $y$, an end token. In
column $t$ the model has read $z_0,\dots,z_t$, and its logits there are about $z_{t+1}$. So before the two are compared, **the logits lose
their last column and the tokens their first**.

Not all of these columns should count. The paper doesn't say which do. The common choice, and ours, is the *prompt mask*: the
completion counts, **its end token too**, and the prompt doesn't.

$$
\mathcal L=-\frac{\sum_{i,t} m_{i,t}\,\log\pi(z_{i,t+1}\mid z_{i,0},\dots,z_{i,t})}{\sum_{i,t} m_{i,t}}
$$

Here $i$ is a row of the batch, $\pi$ the model's probability, and $m_{i,t}$ is one if token $t+1$ belongs to the completion, else
zero. Each counted token of a batch weighs the same.
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
    logits = base(input_ids=z[None]).logits[0]  # a row per column of z
log_pi = token_logprobs(logits[:-1], z[1:])  # the shift by one token
counts = torch.arange(len(z) - 1) >= len(x) - 1  # y's first is read off x
by_hand = sft_loss(log_pi[None], counts[None])

# %% shift-table folded="yes"
words = [tokenizer.decode([token]).replace("\n", "⏎") for token in z]
words[0], words[-1] = "START", "END"
edge = len(x) - 1
lesson.table(
    ("column t", "has read up to", "must predict", "counts?", "nats"),
    [(t, words[t], words[t + 1], "yes" if counts[t] else "no",
      f"{-log_pi[t]:.2f}")
     for t in (0, 1, edge - 1, edge, edge + 1, len(z) - 3, len(z) - 2)],
)

# %% surprise [markdown]
r"""
The last column of the table is $-\log\pi$ of the token to predict: how surprised the base is, in *nats* (natural logarithms). The
picture has a bar for every column. Before you look: is the base surprised most by a word, or by the end?
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
The mean of the dark bars is this demonstration's loss. A base that gives END so little probability after a reply goes on, whatever
it knows. If the tallest bar stood on a word, the words would be the problem.

## The loop (C.1)

`minirlhf/plain/sft.py` has this step in its plainest form. Here is what it does with a batch of pairs; find the shift.
"""

# %% plain-source
import inspect

from torch.nn.utils import clip_grad_norm_

from minirlhf.plain.sft import batch, learning_rate, logprobs
from minirlhf.plain.sft import steps_per_epoch
from minirlhf.presets import PRESETS

print(inspect.getsource(logprobs))

# %% loop-says [markdown]
r"""
`[len(x) - 1 : -1]` starts at the prompt's last token, from which $y$'s first is predicted, and drops the last column. Rows are read one at
a time and padded only afterwards. The rest of SFT is a loop that you know: a batch, the loss, its gradient, a step of Adam. The
learning rate starts at its peak, without warm-up, and falls along a cosine to {paper:sft.lr_floor:.0%} of it (C.1). Clipping the
gradient isn't stated in the paper; GPT-3 does.
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
demonstrations, in thirteen steps.

**Predict.** After one pass, what percentage of the policy's replies to new users' prompts pass?
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
replies["one pass"], ended["one pass"] = answer(policy.eval(), asked)
loop_guess.reveal(100 * share(passes("one pass")))

# %% intervals [markdown]
r"""
**Intervals.** We asked a few hundred prompts. Other prompts would have given other shares. How other? Draw as many prompts again from
ours, with replacement, ten thousand times, and take the mean each time: the middle nineteen twentieths of these means are the *interval* (for a share,
a formula that is sound near zero and one). It covers the luck of the prompts. It doesn't cover another seed of the training,
which would need further runs.

**Pairs.** If two intervals lie apart, the models differ. If they overlap, you don't know yet, for some prompts are hard for
every model and widen both. So subtract on each prompt first, and take the interval of the mean *difference*. If it lies above zero, it is a gain.
If it includes zero, there may be no difference. One such interval in twenty misses by chance.

Left: the loop's loss. Right: what the judge says. Compare the base, cut, with the prompted base, and both with one pass.
"""

# %% loop-picture folded="yes"
title = "What one pass over the demonstrations does (live)"
figure, (left, right) = lesson.panels(2, title)
left.plot(range(1, STEPS + 1), curve, color=PALETTE["sft"], marker=".")
left.set(xlabel="step", ylabel="loss of the batch, nats per token")
rows = ("base", "base, cut", "prompted", "one pass")
shares = {name: share(passes(name)) for name in rows}
lesson.intervals(right, shares, "% of replies that pass")
for line in right.lines[-2:]:
    line.set_color(PALETTE["sft"])
said = "; ".join(f"{n} {100 * s.mean:.0f}%" for n, s in shares.items())
lesson.show(figure, f"The loss falls within a few steps. Replies that "
    f"pass: {said}.")

# %% pairs
from minirlhf.evaluate.statistics import paired_difference as difference


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
    [("on the same prompt", f"{paired:.2f}"),
     ("each with another prompt's", f"{broken:.2f}"),
     ("pairing narrows the interval by", f"{narrower:.0%}")],
)

# %% pairs-read [markdown]
r"""
Both rows compare the same two sets of grades; only who stands beside whom was shuffled in the second. If pairing didn't narrow the
interval, no prompt would be harder than another. From here on, differences are paired, and brackets hold the interval.

## What goes wrong without the end token

The loop trains on whatever its pairs hold. We go once more over the demonstrations, in two other ways of counting:

1. the completion and its end token, as above;
2. the prompt as well: no mask;
3. the completion **without** its end token. The slip is easily made: where padding and end are one token, masking the padding hides
   both.

**Predict.** After the third way, what percentage of replies end by themselves, within the limit of tokens?
"""

# %% predict-end folded="yes"
ends_guess = Prediction(
    "End token left out of the loss: what percentage of replies end?",
    "chapter04.ends", unit="% of replies that end",
)
ends_guess

# %% three-ways
ways = {
    "prompt as well": [(x[:1], torch.cat([x[1:], y])) for x, y in pairs],
    "without its end": [(x, y[:-1]) for x, y in pairs],
}
for name, counted in ways.items():
    policy = load_policy(folder, tokenizer)
    fine_tune(policy, counted, STEPS)
    replies[name], ended[name] = answer(policy.eval(), asked)
ends_guess.reveal(100 * share(ended["without its end"]))

# %% three-ways-look [markdown]
r"""
For the base and the three ways: how many replies end, and how many pass. Look at the last row, then at the base's.
"""

# %% three-ways-picture folded="yes"
unmasked = difference(passes("prompt as well"), passes("one pass"))
said = f"passes, unmasked minus masked: {100 * unmasked:.1f}"
title = f"What counts in the loss (live); {said}"
parts = ("ends by itself", "passes")
figure, panels = lesson.panels(2, title, titles=parts)
compared = {"base": "base", "one pass": "completion and end",
            **{name: name for name in ways}}
for axes, of in zip(panels, (ended.get, passes), strict=True):
    found = {label: share(of(name)) for name, label in compared.items()}
    lesson.intervals(axes, found, "% of replies")
    axes.set_xlim(-8, 112)
panels[1].set_yticklabels([])
lesson.show(figure, "; ".join(f"{label}: {100 * ended[name].mean():.0f}% "
    f"end" for name, label in compared.items()))

# %% runs-on folded="yes"
did_end = ended["without its end"]
picked = [min(by_length, key=lambda i: did_end[i]),
          max(by_length, key=lambda i: did_end[i])]
lesson.table(
    ("prompt", "ended?", "trained without end tokens (live)"),
    [(asked[i], "yes" if did_end[i] else "no",
      replies["without its end"][i]) for i in picked],
)

# %% mask-why [markdown]
r"""
**Why.** Without its end token, nothing rewards stopping, and each word that is learned takes probability from END. The loss looks fine all
the while. If the third way ended as often as the first, pretraining would have taught where replies end.

Masking the *prompt* changes less, and one run of each can't show a small difference. For the mask: nobody asks the model to write
prompts. Against it: prompts are more text of the right kind.

## Sixteen epochs, and three who choose (§3.5, C.1)

The paper's SFT models overfit by held-out loss after *one* epoch of {paper:sft.epochs}. It trained on all the same, since more
epochs still raised the reward model's score and people's ratings, and it chose the epoch by that score. We let the package's stage do the
same. It is the loop above, only faster: whole batches at once, in a process of its own; a test holds it to `plain/sft.py`. It adds one thing from C.1,
*residual dropout*: {paper:sft.residual_dropout:.0%} of what each layer adds is set to zero at random.
"""

# %% settings folded="yes"
from minirlhf.paper import value

theirs = PRESETS["paper"].sft
fields = {
    "batch": "demonstrations per step", "learning_rate": "peak rate",
    "floor": "last rate, as a share", "residual_dropout": "dropout",
    "betas": "betas of Adam",
}
rows = [(said, getattr(theirs, f), getattr(ours, f))
        for f, said in fields.items()]
steps = 16 * steps_per_epoch(ours, pairs)
lesson.table(
    ("setting of SFT (C.1)", "the paper, 1.3B", "here"),
    [("epochs", theirs.epochs, 16), *rows,
     ("steps in all", f"{value('sft.steps'):,} (our sum)", steps),
     ("gradient clipped at", "not stated", ours.grad_clip)],
)

# %% run-desk [markdown]
r"""
For so few steps our rate is large: half of the base's own in pretraining, where the paper's is about a twentieth of GPT-3's.

The *training desk* watches the run. Pale is the loss of each step, strong its running mean; diamonds are held-out demonstrations, after
each epoch. You may pause the run, or stop it and go on later.
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
Three might choose among the epochs: the held-out loss; a *reward model*, which gives a reply a number for how much labelers would like it
(chapter 05; ours is a shipped run); and people, whose place the judge takes here. Score and grade need replies: each epoch answers
prompts that are none of the above.

**Predict.** Which epoch has the best mean score from the reward model?
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
    said = complete(policy, tokenizer, choosing, max_new_tokens=LIMIT,
                    seed=4, temperature=temperature)
    score = score_texts(rewarding, tokenizer, choosing, said).numpy()
    return score, [judge(x, y).overall for x, y in zip(choosing, said)]


# %% choice
kept = sorted((job.folder / "epochs").iterdir())
epochs = [load_policy(path, tokenizer) for path in kept]
score, grade = map(np.array, zip(*map(rated, epochs), strict=True))
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
Rings mark the epoch that each would choose; bands are intervals over prompts. (The desk's log keeps one mean loss per epoch, so it has
no band.) Which curves turn, and which go on?
"""

# %% epochs-picture folded="yes"
from minirlhf.evaluate.statistics import over_prompts

titles = ("loss held out, nats per token", "reward model's score",
          "judge's grade")
figure, panels = lesson.panels(3, "Sixteen epochs (live)", titles=titles)
numbers = np.arange(1, 1 + EPOCHS)
for axes, values in zip(panels[1:], (score, grade), strict=True):
    bands = [over_prompts(value) for value in values]
    axes.fill_between(numbers, [b.low for b in bands],
                      [b.high for b in bands], color=GRID)
curves = (loss, score.mean(1), grade.mean(1))
drawn = zip(panels, curves, choice.values(), "--:", strict=True)
for axes, curve, best, style in drawn:
    axes.plot(numbers, curve, style, color=PALETTE["sft"])
    axes.plot(1 + best, curve[best], "o", ms=10, mfc="none", color=INK)
    axes.set(xlabel="epoch")
lesson.show(figure, "Loss, score and grade by epoch, each with a ring.")

# %% worth [markdown]
r"""
What is a choice worth? On the prompts by which it chose, a chooser flatters itself: the best of sixteen noisy means is partly the
luckiest. So each choice now answers the prompts of the first sections, which took no part.
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
lesson.table(
    ("chosen by (live)", "epoch", "grade on new prompts",
     "minus that of the loss's choice", "% that pass"),
    [(name, 1 + at, f"{grades(at).mean():.2f}",
      "–" if at == by_loss else f"{gains[name]:.2f}",
      f"{100 * share(passes(at)):.0f}") for name, at in worth.items()],
)

# %% worth-read [markdown]
r"""
If score or grade fell from the loss's choice to the last epoch, the paper's finding would be refuted here; the last table of this page
says. Early epochs of a long run are no short runs: there, the rate is still near its peak.

## Why they disagree

Two guesses. **Where.** A labeler might have put it in many ways. After *Ines found a*, the loss counts *coat* alone; the judge takes
*hat* as well. A model that grows sure of its own wording loses there, and only there. **What for.** A sure model draws fewer
slips, and a slip spoils a reply.

For *where*, sort the tokens of held-out completions by kind: the end; the first of a sentence; the forty most common (*the*, *.*,
*was*); words copied from the prompt; all others, the labeler's own words. Then follow the loss of each kind over the epochs. If the end
or the copied words carried the rise, the model would be getting worse at what the judge asks for.
"""

# %% kinds
from collections import Counter

frequent = Counter(token for _, y in pairs for token in y.tolist())
common = {token for token, _ in frequent.most_common(40)}
said = [tokenizer.decode([token]).strip().lower()
        for token in range(len(tokenizer))]


def kinds(x, y):
    before = ["", *(said[t] for t in y[:-1].tolist())]
    in_prompt = {said[t] for t in x.tolist()}
    return [
        "end" if t == END
        else "first of a sentence" if b in {"", ".", "?", "!"}
        else "common" if t in common
        else "copied" if said[t] in in_prompt else "own words"
        for t, b in zip(y.tolist(), before, strict=True)
    ]


# %% kinds-losses
unseen = as_pairs(encode_demonstrations(tokenizer, held_out, 256))
unseen.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
unseen = unseen[:: lesson.pick(1, quick=8)]
KINDS = ("own words", "first of a sentence", "copied", "common", "end")
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
For *what for*, make the loss's choice surer without training it: divide its logits by a *temperature* of `0.7` before drawing. The
loss doesn't change, since it is always read at temperature one.

**Predict.** Compared with the last epoch at temperature one, the cooled early epoch's mean score is …
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
         f"cooled minus early {warmed:.2f}")
figure, (left, right) = lesson.panels(2, title, titles=parts)
change, spot = per_token - per_token[by_loss], -np.inf
for place in change[-1].argsort():
    style = ("-", "--", "-.", ":", (0, (1, 3)))[place]
    left.plot(numbers, change[:, place], linestyle=style, color=INK)
    spot = max(change[-1, place], spot + 0.1 * np.ptp(change))
    left.text(1.03 * EPOCHS, spot, KINDS[place], fontsize=8, va="center")
left.set(xlabel="epoch", xlim=(0.5, 1.8 * EPOCHS))
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
If most of the rise stands on the labelers' own words, the held-out loss measures above all how well the model foresees *one labeler's
wording*. If cooling helps as much as more epochs do, sureness is what the epochs bought: then the loss charges for the very thing that
the ratings reward. Neither chooser is wrong. They ask different questions, and readers care for the second.

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
lesson.table(
    ("not met, % of replies (live)", *verdicts),
    [(key, *(f"{100 * unmet[name][key] / len(found):.1f}"
             for name, found in verdicts.items()))
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
Ask both models for something of your own, and look at what is not met.

What labelers never do, imitation has never seen. The loss looks at labelers' words only. An error that the model makes in words of its own
appears in no demonstration, so no gradient says *not this*. And a fatal word costs one token among twenty, as does a harmless synonym.

Does the model know better than it writes? Let it answer the same prompts four times, and take those where one reply passes and
another fails. SFT made replies *likely*; so ask how often the passing one is the likelier of the two. Beside it stands the shipped
reward model, which was trained on labelers' comparisons of such replies. If likelihood put as many in the right order, imitation would
already hold all that comparisons teach.

**Predict.** In what percentage of such pairs does the SFT model give the right reply the higher log-probability?
"""

# %% predict-likelier folded="yes"
likelier_guess = Prediction(
    "One passes, one fails: how often is the right one the likelier?",
    "chapter04.likelier", unit="% of pairs",
)
likelier_guess

# %% four-each
TIMES = 4
some = np.repeat(asked[: lesson.pick(160, quick=24)], TIMES).tolist()
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
A coin is at fifty. *Per token* divides by the reply's length, since longer replies are less likely. How far is likelihood above the
coin, and how far below the reward model?
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
said = ", ".join(f"{n} {100 * f.mean:.0f}%" for n, f in found.items())
lesson.show(figure, f"Pairs in the right order: {said}; a coin has half.")

# %% in-order-read [markdown] defines="comparison"
r"""
Likelihood isn't blind: much of what goes wrong is a slip that the model itself holds unlikely. That is why cooling helped. What the
reward model orders beyond it came from *comparisons*: two replies of the model's own, and which of them a person preferred. Those say
*not this*, and they speak of the whole reply. More demonstrations help too: four times as many, at as many epochs, pass
{run:models.sft-4x.passes:.0%} where the shipped SFT passes {run:models.sft.passes:.0%} (shipped runs), at four times a labeler's
writing. Chapter 05 turns comparisons into a model.

"""

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter04.")

# %% summary [markdown]
r"""
## Summary

Ten statements of the paper were written down before any run, with what would refute them; here is what this page saw of each. *Open*:
the interval includes zero. Fine print: one run of each, so the intervals are over prompts and not over seeds.
"""

# %% tax
from minirlhf.evaluate.probing import run_probe
from minirlhf.tinytown.probes import TAX

COUNT = lesson.pick(80, quick=6)  # items of each probe
items = [item for probe in TAX.values() for item in probe(COUNT)]
before, after = (run_probe(policy, tokenizer, items)
                 for policy in (base, sft))


def meets(name, key):
    """One for each reply that meets the judge's criterion."""
    found = judged(replies[name])
    return np.array([float(v.criteria.get(key, 0) == 1) for v in found])

# %% criteria
from minirlhf.tinytown.requests import parse

closed = np.array([bool(parse(x).passage) for x in asked])
source = [meets(name, "source")[closed] for name in (by_score, "base")]
asks = [meets(name, "instruction") for name in (by_score, "base")]

# %% seen
grade_of = {name: grades(name) for name in (by_score, "base", "prompted")}
percent = [
    difference(passes(by_score), passes("base")),
    difference(passes(by_score), passes("prompted")),
    difference(*asks),
    difference(*source),
    difference(before, after),
]
shown = [
    overfit, score_on, grade_on, gains["reward model"],
    difference(grade_of["prompted"], grade_of["base"]),
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
tax = "table14.squadv2.zero.175b"
statements += [
    ("% of the kind asked for, SFT minus base",
     paper("fig4.appropriate", "gpt", "sft")),
    ("% that add nothing to a given text, SFT minus base",
     f"adds: {paper('fig4.hallucination', 'gpt', 'sft')}"),
    ("% right on the base's skills, base minus SFT",
     f"SQuADv2: {paper(tax, 'gpt', 'sft')}"),
]

# %% directions folded="yes"
def verdict(found):
    """What an interval says of a difference that the paper has above 0."""
    if found.low > 0:
        return "seen"
    return "the opposite" if found.high < 0 else "open"


lesson.table(
    ("statement (live)", "the paper", "this page", ""),
    [(said, theirs, f"{found:.2f}" if place < 6 else f"{found:.1f}",
      verdict(found)) for place, ((said, theirs), found)
     in enumerate(zip(statements, shown, strict=True))],
)

# %% summary-read [markdown]
r"""
The paper's numbers are: epochs from §3.5 and C.1; ratings of seven, largest model (Fig. 5); wins of the smallest model against the
largest SFT (Fig. 1); shares of replies, sizes pooled (Fig. 4); accuracy of the largest model without examples (Table 14, which has DROP, too:
{paper:table14.drop.zero.175b.gpt} → {paper:table14.drop.zero.175b.sft}).

SFT makes replying the habit, token by token, the end token above all. Which epoch to keep depends on whom you ask, because the loss
asks for one labeler's words. What it can't be shown by demonstrations is its own mistakes.

## Questions

**A model's loss on demonstrations looks fine. Its replies are right, and then go on to a second question. Which line do you read first?**

<details><summary>Answer</summary>

The one that makes the targets: is the end token appended, and does the mask keep it? If padding and end are the same token, masking one hides
both.

</details>

**What would change if every demonstration weighed the same in the loss, rather than every token?**

<details><summary>Answer</summary>

A token of a short completion would push harder than one of a long. Each demonstration has one end token, so the ends of short completions
would weigh more.

</details>

**The intervals of two epochs overlap. Do you report that they don't differ?**

<details><summary>Answer</summary>

Not yet. Each interval holds what makes a prompt easy or hard for both epochs. Report the paired difference, on prompts by which you didn't
choose, and say that one run of each doesn't speak for other seeds.

</details>

**Held-out loss rises, and so does the share of replies that pass. Name a measurement that tells whether to worry.**

<details><summary>Answer</summary>

The loss by kind of token. On free words the rise may be no more than sureness. On copied words or the end token it would be an error that the
judge sees, too.

</details>

**Could a larger set of demonstrations teach the model not to make its own mistakes?**

<details><summary>Answer</summary>

It makes right continuations likelier, so slips get rarer. But a mistake that no labeler makes is in no demonstration, however many
there are; somebody has to look at the model's own replies.

</details>

## The way on

- [Exercises 04](../exercises/ex04_sft.ipynb): the masked loss, a model that never stops, a model that knows nothing; and positions, which
  you need because replies are drawn many at once, with short prompts padded on the left.
- [Chapter 05](05_reward_model.ipynb): the reward model, which has chosen an epoch here already.

**A lecture of thirty minutes.** The base's table and the picture of one demonstration (ten); the loop, and what happens without the end
token (ten); sixteen epochs, with guesses, and why the choosers disagree (ten).

**A lab of sixty minutes.** The page as far as the desk, with guesses (twenty-five); the masked loss and the model that never stops
(twenty-five); then change `TEMPERATURE` or add a way to `ways`, predict, and run again (ten).
"""
