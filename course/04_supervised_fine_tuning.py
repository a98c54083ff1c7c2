# ---
# jupyter:
#   minirlhf:
#     paper: §3.2, §3.5, C.1
#     doing_minutes: 25
# ---

# %% title [markdown] defines="base model; prompt; completion; labeler; demonstration; supervised fine-tuning"
r"""
# Chapter 04 · Supervised fine-tuning

A *base model* has learned one thing: to continue text. Give it an instruction, a *prompt*, and it continues that, too, which
is seldom the *completion* you hoped for. Step 1 of *the paper* (Ouyang et al., 2022, InstructGPT) shows it prompts with
completions that people, the *labelers*, wrote. Each such pair is a *demonstration*; training on them is *supervised
fine-tuning*, SFT. What is learned from a demonstration, and how often should a model see it?

After this chapter you can

- say which tokens of a demonstration count in the loss, and what becomes of a model whose end token doesn't count;
- fine-tune a base, watch it, and show with intervals that it has learned to follow instructions;
- read the paper's settings for this step, and name where ours differ;
- choose an epoch in three ways, and say how far you would trust the choice.
"""

# %% before [markdown]
r"""
## What a base does with an instruction (§3.5)

Tinytown's base model has about a million weights and has read the town's web: stories, letters, notices, lists of
questions. Below are prompts by users who are in no training set, and what the base writes next. Each token is drawn with its
probability under the model (temperature one). Is it an answer, or more of what might stand on the same page?

(*Live* is computed as you read. A *shipped run* was made beforehand: a main run, whose SFT has four epochs; an SFT of
sixteen; one on four times the data.)
"""

# %% base
from minirlhf import lesson, shipped
from minirlhf.models import never_sampled
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown.bases import base_folder

LIMIT = 72  # tokens that a reply may have
folder = base_folder("medium")
tokenizer = load_tokenizer(folder)
END, PAD = tokenizer.eos_token_id, tokenizer.pad_token_id
base = load_policy(folder, tokenizer)
asked = [row["prompt"] for row in shipped.read("prompts")]
asked = asked[: lesson.pick(400, quick=24)]

# %% answer
import numpy as np
import torch

from minirlhf.data.tokenization import decode, encode_prompts
from minirlhf.sampling import sample

dice = torch.Generator().manual_seed(4)
uniforms = torch.rand(len(asked), LIMIT, generator=dice)  # one a token


def answer(policy):
    """Replies to the prompts, and which of them ended."""
    said = sample(
        policy, encode_prompts(tokenizer, asked), uniforms,
        eos_token_id=END, pad_token_id=PAD,
        suppress=never_sampled(tokenizer, policy),  # such as padding
    ).ids()
    return decode(tokenizer, said), np.array([y[-1] == END for y in said])


# %% base-says
replies, ended = {}, {}
replies["base"], ended["base"] = answer(base)
by_length = sorted(range(len(asked)), key=lambda i: len(asked[i]))
shortest = by_length[::12][:4]
lesson.table(
    ("prompt", "the base goes on (live)"),
    [(asked[i], replies["base"][i][:150] + " …") for i in shortest],
)

# %% judge-says [markdown] defines="judge"
r"""
How often does a reply do what was asked? Tinytown's *judge* reads a prompt and a reply and grades it. The reply *passes* if
every criterion is met: it is the kind of text asked for (*instruction*), keeps to the topic, the length and each constraint such as
*use exactly two sentences*, hangs together (*coherence*), says nothing false of the town, and is worded as a reply (*language*; a
worksheet's question isn't). No model that answers on this page is trained on the judge.

Is the base ignorant, or does it fail only because it goes on? Let the judge read each reply twice: whole, and cut at its
first empty line.
"""

# %% base-passes
from minirlhf.tinytown.judge import judge


def passes(replies):
    """One for each reply in which the judge finds nothing wrong."""
    verdicts = map(judge, asked, replies)
    return np.array([float(verdict.passes) for verdict in verdicts])


def cut(replies):
    """The replies as far as their first empty line."""
    return [reply.split("\n\n")[0] for reply in replies]


passed = {"base": passes(replies["base"])}
passed["base cut"] = passes(cut(replies["base"]))
whole, shorter = (passed[name].mean() for name in ("base", "base cut"))
print(f"Of {len(asked)} replies, {whole:.1%} pass; cut, {shorter:.1%}.")

# %% knows [markdown] defines="reward model"
r"""
In the main shipped run the same weights, with three answered prompts set before each new one and
replies cut likewise, pass {run:models.prompted.passes:.0%} of prompts [{run:models.prompted.passes.low:.0%},
{run:models.prompted.passes.high:.0%}]. (Brackets hold the interval: nineteen times in twenty it covers the true value.) The
paper calls this baseline *GPT-3 prompted* (§3.5). There and here, four sets of examples were tried, and the one kept with which
replies scored best by a *reward model*, a network that grades completions as labelers would (chapter 05).

So much of the ability is there before any fine-tuning: into Tinytown's web we put a few pages of answered requests, and more
of unanswered ones. What is lacking is the habit of using it. Stopping is part of that; how large a part, the cut can't quite
say: it helps only where an empty line follows the answer.
"""

# %% demonstrations [markdown]
r"""
## Demonstrations (§3.2)

The paper trained on {paper:table6.sft.train} demonstrations, {paper:table6.sft.train.labeler} of them to prompts that
labelers had written themselves, the others to customers' (Table 6); of ours, most are to customers' (table's head). In
Tinytown a labeler is a program, which writes richly or plainly by nature, and now and then hands in a first draft. To each
demonstration we append an end token. A perfect imitator would pass as often as they do on prompts like these; of others nobody
knows, for labelers skip those to which they find no right reply.
"""

# %% demonstrations-table
demonstrations = shipped.read("demonstrations")
ordered = sorted(demonstrations, key=lambda row: len(row["prompt"]))
shown = ordered[10::25][:4]
good = np.mean([judge(row["prompt"], row["completion"]).passes
                for row in demonstrations])
customers = np.mean([row["source"] == "customer" for row in demonstrations])
lesson.table(
    (f"{len(demonstrations)} prompts ({customers:.0%} customers'), such as",
     f"what a labeler wrote ({good:.1%} of all pass)"),
    [(row["prompt"], row["completion"]) for row in shown],
)

# %% mask [markdown] defines="prompt mask"
r"""
## What counts: the prompt mask (§3.5, C.1)

A demonstration goes into the model as one row of tokens $z$: a start token, the prompt $x$, the completion $y$, an end token (in
code, `y` holds it, too), padding.
Which of its tokens should the model be trained to predict? The paper doesn't say. The common choice, and ours, is the
*prompt mask*: only the completion's tokens count, **its end token among them**.

$$
\mathcal L=-\frac{\sum_{i,t} m_{i,t}\,\log\pi(z_{i,t}\mid z_{i,<t})}{\sum_{i,t} m_{i,t}}
$$

Here $\pi$ is the model, $z_{i,t}$ token $t$ of row $i$ of the batch, and $m_{i,t}$ is one if it belongs to the completion
or is its end token, else zero. So within a batch every token weighs the same.

The picture shows $-\log\pi$ of each token of one demonstration under the base: how surprised it is, in *nats* (natural
logarithms). Pale: the prompt, as far as its newline (⏎). The start token isn't drawn, for nothing predicts it; where the base is
sure, the bar is too low to see. Where is it surprised most: at the words, or at the last token?
"""

# %% surprise
from minirlhf.data.batching import collate
from minirlhf.models import response_logprobs
from minirlhf.sft import encode_demonstrations

held_out = shipped.read("validation")
one = min(held_out, key=lambda row: abs(len(row["prompt"]) - 30))
((x, y),) = encode_demonstrations(tokenizer, [one], max_length=256)


@torch.no_grad()
def surprise(policy, x, y):
    """The loss at every token of the row but its first, in nats."""
    row = collate([x[:1]], [x[1:] + y], PAD)
    return -response_logprobs(policy, row)[0]


# %% surprise-picture
from minirlhf.report.charts import GRID, INK, PALETTE

losses = surprise(base, x, y)
words = [tokenizer.decode([token]).replace("\n", "⏎") for token in x + y]
words[-1] = "END"
place = np.arange(1, len(words))
title = "One demonstration under the base, by token (live)"
figure, axes = lesson.panels(1, title, lesson.WIDE)
colors = [GRID] * (len(x) - 1) + [PALETTE["base"]] * len(y)
axes.bar(place, losses, color=colors)
axes.set_xticks(place, words[1:], rotation=60, ha="right", color=INK)
axes.set(ylabel="loss of the token, in nats")
for at, said in ((1.6, "prompt: masked"), (len(x), "completion: counts")):
    axes.annotate(said, (at, 0.9 * max(losses)), fontsize=8.5, color=INK)
lesson.show(figure, "A bar a token: pale those of the prompt, dark those "
    "of the completion, its end token last.")

# %% by-hand [markdown]
r"""
The mean over the dark bars is the loss of this demonstration. `sft_loss` in `minirlhf/objectives.py` computes the same
for a whole batch; `collate` makes the mask.
"""

# %% loss-by-hand
from minirlhf.objectives import sft_loss

row = collate([x], [y], PAD)
with torch.no_grad():
    logprobs = response_logprobs(base, row)
    result = sft_loss(logprobs, row.response_mask)
by_hand = losses[len(x) - 1 :].mean()
print(f"by hand {by_hand:.4f}, by the package {result:.4f} nats a token")
print(f"had the prompt counted: {losses.mean():.4f}")

# %% mask-question [markdown]
r"""
### What goes wrong without it?

We fine-tune three copies of the base, for the same few steps on the same demonstrations. They differ in what counts:

1. the completion and its end token, as above;
2. the prompt as well: no mask at all;
3. the completion **without** its end token. The slip is easily made: where one token is both padding and end, a mask of the
   padding hides both.

**Predict.** After the third way, how many out of a hundred replies to new prompts end by themselves, within the limit of
tokens?
"""

# %% predict-end
from minirlhf.widgets import Prediction

ends_guess = Prediction(
    "End token left out of the loss: what percentage of replies end?",
    "chapter04.ends", unit="% of replies that end",
)
ends_guess

# %% teach
examples = encode_demonstrations(tokenizer, demonstrations, max_length=256)
STEPS, BATCH = lesson.pick(26, quick=2), 16


def teach(counted):
    """A base after some steps on what ``counted`` makes of each example."""
    policy = load_policy(folder, tokenizer).train()
    adam = torch.optim.Adam(policy.parameters(), 1e-3, betas=(0.9, 0.95))
    for step in range(STEPS):
        turn = [(BATCH * step + i) % len(examples) for i in range(BATCH)]
        pairs = [counted(*examples[i]) for i in turn]
        batch = collate(*zip(*pairs, strict=True), PAD)
        logprobs = response_logprobs(policy, batch)
        sft_loss(logprobs, batch.response_mask).backward()
        adam.step()
        adam.zero_grad()
    return policy.eval()


# %% shares
from minirlhf.evaluate.statistics import Interval, proportion


def share(hits):
    """The share of hits with its interval, sound near zero and one, too."""
    return proportion(int(hits.sum()), len(hits))


def percent(hits):
    """The same in percent."""
    found = share(hits)
    ends = (100 * n for n in (found.mean, found.low, found.high))
    return Interval(*ends, found.n)


# %% three-ways
ways = {
    "completion and end": lambda x, y: (x, y),
    "prompt as well": lambda x, y: (x[:1], x[1:] + y),
    "completion without end": lambda x, y: (x, y[:-1]),
}
for name, way in ways.items():
    replies[name], ended[name] = answer(teach(way))
ends_guess.reveal(percent(ended["completion without end"]))

# %% three-ways-look [markdown]
r"""
For the base and each copy: the share of replies that end, that pass, and that pass if cut at the first empty line. Look at
the last row, then at the base's. Under the picture, two are compared prompt by prompt, by their *paired difference*: what makes a
prompt hard is hard for both and drops out, so it tells more than two intervals side by side.
"""

# %% three-ways-picture
from minirlhf.evaluate.statistics import paired_difference


def points(interval, scale=100, digits=1):
    """An interval as text, in percent if nothing else is asked."""
    ends = (interval.mean, interval.low, interval.high)
    written = (f"{scale * end:.{digits}f}" for end in ends)
    mean, low, high = (text.replace("-", "−") for text in written)
    return f"{mean} [{low}, {high}]"


compared = ["base", *ways]
right = {name: passes(replies[name]) for name in compared}
stopped = {name: passes(cut(replies[name])) for name in compared}

# %% three-ways-panels
titles = ("ends by itself", "passes", "passes if cut")
title = "What counts in the loss (live)"
figure, panels = lesson.panels(3, title, titles=titles)
for axes, hits in zip(panels, (ended, right, stopped), strict=True):
    found = {n: share(hits[n]) for n in compared}
    lesson.intervals(axes, found, "% of prompts")
    axes.set_xlim(-8, 112)
for axes in panels[1:]:
    axes.set_yticklabels([])
said = "; ".join(f"{n}: {100 * ended[n].mean():.0f}% end, "
    f"{100 * right[n].mean():.0f}% pass" for n in compared)
lesson.show(figure, said)


# %% three-ways-differences
def finding(difference):
    """What an interval of a difference says."""
    if difference.low > 0:
        return "higher"
    return "lower" if difference.high < 0 else "not told apart"


pairs = (
    ("ends", ended, "completion without end", "base"),
    ("passes", right, "prompt as well", "completion and end"),
)
lines = []
for what, hits, one, other in pairs:
    found = paired_difference(hits[one], hits[other])
    line = f"{what}: {one}, less {other}"
    lines.append((line, points(found), finding(found)))
lesson.table(("% of replies (live)", "difference", "the first is"), lines)

# %% runs-on [markdown]
r"""
Two replies of the third copy:
"""

# %% runs-on-table
did_end = ended["completion without end"]
picked = [min(by_length, key=lambda i: did_end[i]),
          max(by_length, key=lambda i: did_end[i])]
lesson.table(
    ("prompt", "ended?", "trained without end tokens (live)"),
    [(asked[i], "yes" if did_end[i] else "no",
      replies["completion without end"][i]) for i in picked],
)

# %% mask-why [markdown]
r"""
In the third way nothing rewards ending, and every word that is learned pushes END down. What ends are left come from
pretraining: the base has learned where pages end, be it now and then after an answer. Nor does cutting help: this copy goes on
after a single line break, where nothing is cut.

Whether the *prompt* counts is a quieter matter, and one run of each is little. An argument for the mask: nobody will ask the
model to write prompts, and without it the loss is largely about them (next cell). Against it: prompts are more text of the
right kind.
"""

# %% prompt-share
from minirlhf.paper import value

found = [(surprise(base, x, y), len(x) - 1) for x, y in examples]
of_tokens = sum(n for _, n in found) / sum(len(row) for row, _ in found)
of_loss = sum(row[:n].sum() for row, n in found)
of_loss = of_loss / sum(row.sum() for row, _ in found)
print(f"Prompts are {of_tokens:.0%} of the tokens of these demonstrations, "
      f"and {of_loss:.0%} of the base's loss on them.")
prompt = value("table11.contractor.prompt")
both = prompt + value("table11.contractor.demonstration")
print(f"Of the paper's, by labelers: {prompt / both:.0%} of the tokens, by "
      "Table 11's means.")

# %% after [markdown] defines="policy"
r"""
## A run, from base to SFT (§3.5)

Now the package's own SFT stage, in a process of its own: twice the steps of the copies, with a falling learning rate,
dropout and clipping, so it needn't agree with the first copy. A language model that writes completions is called a
*policy* from here on: at each place, it chooses the next token.

**Predict.** After {run:counts.demonstrations} demonstrations, how many of its replies to a hundred prompts, by users it never met,
will pass?
"""

# %% predict-passes
pass_guess = Prediction(
    "What percentage of the policy's replies pass after SFT?",
    "chapter04.passes", unit="% of prompts that pass",
)
pass_guess

# %% run-desk [markdown]
r"""
The *training desk* reads the run's folder about once a second. First the loss: pale is each
step, strong a running mean, the diamonds demonstrations held out from training, once an epoch. Then the gradient's norm
before it is clipped at one: does any step escape clipping? The learning rate is behind *More curves*. You may pause the run, or
stop it and let it go on.
"""

# %% desk
from minirlhf.widgets import TrainingDesk, start

EPOCHS = lesson.pick(4, quick=1)
job = start(
    "sft", lesson.workspace("04", f"sft-{EPOCHS}"), model="medium",
    demonstrations=shipped.file("demonstrations"),
    validation=shipped.file("validation"), epochs=EPOCHS, drop_long=True,
)
desk = TrainingDesk(job, note="live")
desk

# %% sft-passes
job.wait()
desk.look()
sft = load_policy(job.folder / "model", tokenizer)
replies["sft"], ended["sft"] = answer(sft)
passed["sft"] = passes(replies["sft"])
pass_guess.reveal(percent(passed["sft"]))

# %% after-look [markdown]
r"""
Each dot has its interval: how far might it move with other prompts of the same kind? A
harder rival is the base prompted with three examples, {run:models.prompted.passes:.0%} in the shipped run; the summary sets
it against SFT.
"""

# %% after-picture
figure, axes = lesson.panels(1, "Before and after SFT (live)")
names = {"base": "base", "base cut": "Base, cut at an\nempty line"}
names["sft"] = "sft"
found = {label: share(passed[name]) for name, label in names.items()}
lesson.intervals(axes, found, "% of prompts that pass")
for line in axes.lines[2:4]:  # the second row: its interval, its dot
    line.set(color=PALETTE["base"], linestyle="--")
gain = points(paired_difference(passed["sft"], passed["base"]))
beyond = points(paired_difference(passed["sft"], passed["base cut"]))
said = f"gain {gain} points;\nbeyond the base cut, {beyond}"
axes.set_title(said, fontsize=8.5, loc="left")
lesson.show(figure, "The pass rates of the base, of the base cut, and of "
    "SFT, with their intervals and the gain.")

# %% after-texts [markdown]
r"""
And the texts: the prompts from the top of the page, answered again.
"""

# %% after-table
lesson.table(
    ("prompt", "SFT (live)", "grade", "not met"),
    [
        (
            asked[i],
            replies["sft"][i],
            f"{judge(asked[i], reply).overall:.1f}",
            ", ".join(k for k, v in judge(asked[i], reply).criteria.items()
                      if v < 1) or "–",
        )
        for i, reply in ((i, replies["sft"][i]) for i in shortest)
    ],
)

# %% change [markdown]
r"""
Grades run from one to seven. A reply that passes gets four or more: the more detail, variety and
aptness, the higher. One that fails gets less than four, by the weighted share of criteria that it meets.

Where did the loss fall? Here is the completion from above once more, which neither model was trained on. (No bar: a loss
near zero.) Compare the first token and the end. And has SFT made each word in between more likely?
"""

# %% change-picture
before, now = (surprise(p, x, y)[len(x) - 1 :] for p in (base, sft))
place, said = np.arange(len(y)), words[len(x) :]
title = "The same completion under base and SFT (live)"
figure, axes = lesson.panels(1, title, lesson.WIDE)
axes.bar(place - 0.2, before, 0.38, color=PALETTE["base"], label="Base")
axes.bar(place + 0.2, now, 0.38, color=PALETTE["sft"], label="SFT")
axes.set_xticks(place, said, rotation=60, ha="right", color=INK)
axes.set(ylabel="loss of the token, in nats")
axes.legend(fontsize=8, framealpha=1, edgecolor="none")
higher = (now > before + 0.1).tolist()
risen = [word.strip() for word, up in zip(said, higher, strict=True) if up]
axes.set_title(
    f"mean {before.mean():.2f} before, {now.mean():.2f} after; up by more "
    f"than 0.1: {', '.join(risen) or 'none'}", fontsize=8.5, loc="left",
)
lesson.show(figure, "Two bars a token of the completion, the base's and "
    "SFT's, from the first word to the end token.")

# %% change-read [markdown]
r"""
Training lowers a mean over demonstrations, not the loss of each token. Two hundred of them, learned in large steps, teach a
manner and may blur a fact that the base had, as perhaps where a word's loss is up here.
"""

# %% settings [markdown]
r"""
## How it is trained (C.1)

The paper's recipe, for a model a thousandth of the size and fewer demonstrations:
"""

# %% settings-table
from minirlhf.presets import PRESETS

paper, ours = PRESETS["paper"].sft, PRESETS["tinytown"].sft
stated = (
    "epochs", "batch", "learning_rate", "floor", "residual_dropout",
    "betas", "max_length",
)
called = {"floor": "floor (last rate, of the first)",
          "betas": "betas (of Adam)"}
known = [(called.get(f, f), getattr(paper, f), getattr(ours, f))
         for f in stated]
ours_alone = [(f, "not stated", getattr(ours, f))
              for f in ("grad_clip", "weight_decay")]
choice = ("epoch kept", "by reward-model score",
          "main shipped run: the same; live run: the last")
head = ("setting of SFT", "paper, 1.3B", "Tinytown")
lesson.table(head, [*known, *ours_alone, choice])

# %% settings-read [markdown]
r"""
- **Updates.** The paper's come to {paper:sft.steps}, by our sum; ours, in smaller batches, to fifty-two.
- **Learning rate.** It starts at its peak, without warm-up, and falls along a cosine to its floor. For so few updates ours
  is large, half the rate of its base's pretraining; the paper's, chosen from {paper:sft.lr_search.1.3b} values, is about a
  twentieth of GPT-3's.
- **Residual dropout.** In training, this share of what each attention or feed-forward layer adds to the running sum, the
  *residual stream*, is set to zero at random, and the rest scaled up. We have no other dropout; the paper doesn't say.
- **Clipping**: GPT-3 clips at one, and so do we.

Left: the learning rate of a run of four epochs and of one of sixteen. Look at where the long run stands when the short
one ends. Right: the loss of one batch under the base, with dropout drawn anew each time; the line is the loss without.
"""

# %% dropout
from minirlhf.sft import set_residual_dropout
from minirlhf.training.optimizer import learning_rate

noisy = load_policy(folder, tokenizer)
places = set_residual_dropout(noisy, ours.residual_dropout)
some = zip(*examples[:16], strict=True)
batch = collate(*some, PAD)


@torch.no_grad()
def loss_of_batch():
    logprobs = response_logprobs(noisy, batch)
    return float(sft_loss(logprobs, batch.response_mask))


# %% masks
torch.manual_seed(0)
without = loss_of_batch()
noisy.train()
drawn = [loss_of_batch() for _ in range(lesson.pick(40, quick=5))]
above = sum(loss > without for loss in drawn)
print(f"{len(drawn)} draws, each a mask at all {places} places; in {above} "
      f"the loss is above {without:.2f}, that without.")

# %% schedule
figure, (rates, noise) = lesson.panels(2, "Schedule and dropout (live)")
for epochs, style in ((4, "-"), (16, "--")):
    each, peak = -(-len(examples) // ours.batch), ours.learning_rate
    total = epochs * each
    rate = [learning_rate(t, total, peak) for t in range(total)]
    rates.plot(rate, style, color=PALETTE["sft"], label=f"{epochs} epochs")
rates.set(xlabel="step", ylabel="learning rate")
rates.legend(fontsize=8, frameon=False)
noise.hist(drawn, color=PALETTE["base"])
noise.axvline(without, color=INK)
noise.set_title("line: without dropout", fontsize=8.5, loc="left")
noise.set(xlabel="loss of the batch, in nats a token", ylabel="draws")
lesson.show(figure, "Left, both rates fall along a cosine, the long run's "
    "later. Right, the loss under each draw, and without.")

# %% noise-read [markdown]
r"""
The desk's training loss includes dropout, the held-out loss doesn't: one reason why the first diamonds may lie below the
curve.
"""

# %% epochs [markdown]
r"""
## Sixteen epochs: do they pay off, and who says so? (§3.5, C.1)

The paper's SFT models overfit, by the loss on held-out demonstrations, after *one* epoch. It trained them for
{paper:sft.epochs} all the same: more epochs still raised the reward model's scores, and the ratings that people gave. So
it chose the epoch by reward-model score.

How can both be? The held-out loss asks how probable one labeler's very words are. Our guess: a model too sure of its own
wording loses there, yet errs less often by chance when it draws a reply. So three might choose: the held-out loss; the
reward model; and people, whose place the judge takes here.

The shipped run of sixteen epochs, on the same demonstrations, kept every epoch. Each answered {run:epochs.first.passes.n}
validation prompts, other ones than above, on which no model was trained. The reward model is the main run's. It learned
from rankings of the *last* epoch's replies: no epoch had been chosen before there was a reward model to choose it. Demonstrations
score zero on average.

**Predict.** Which epoch gets the judge's best mean grade?
"""

# %% predict-epoch
epoch_guess = Prediction(
    "Which of the sixteen epochs does the judge choose?",
    "chapter04.epoch", choices=[str(n) for n in range(1, 17)],
)
epoch_guess

# %% epochs-data
from minirlhf.evaluate.statistics import over_prompts
from minirlhf.widgets.run_reader import Reader

log = Reader(shipped.run("sft-long"))
log.look()
held_out_loss = np.array(log.series("validation/loss")[1])
epoch_rows = shipped.read("epochs")
score, grade, passing = (
    np.array([row[key] for row in epoch_rows])  # an epoch, a prompt
    for key in ("score", "grade", "passes")
)
chosen = {
    "held-out loss": held_out_loss.argmin(),
    "reward model": score.mean(1).argmax(),
    "judge": grade.mean(1).argmax(),
}
epoch_guess.reveal(str(1 + chosen["judge"]), "shipped run")

# %% epochs-look [markdown]
r"""
The ring marks the epoch that each would choose; bands are intervals over prompts. (The judge's curve is dashed. The loss
has no band: its log keeps one mean an epoch.) Is there a trend, and where does it end? All answered the same prompts,
so the tables below compare epochs by paired differences, not by bands.
"""

# %% epochs-picture
titles = ("loss held out, nats a token", "reward model's score",
          "judge's grade")
title = "Sixteen epochs (shipped run)"
figure, panels = lesson.panels(3, title, titles=titles)
numbers = np.arange(1, 1 + len(epoch_rows))
for axes, values in zip(panels[1:], (score, grade), strict=True):
    bands = [over_prompts(value) for value in values]
    low, high = [b.low for b in bands], [b.high for b in bands]
    axes.fill_between(numbers, low, high, color=GRID)
curves = (held_out_loss, score.mean(1), grade.mean(1))
rings, styles = chosen.values(), ("-", "-", "--")
drawn = zip(panels, curves, rings, styles, strict=True)
for axes, curve, best, style in drawn:
    axes.plot(numbers, curve, style, color=INK)
    axes.plot(1 + best, curve[best], "o", ms=10, mfc="none", color=INK)
    axes.set(xlabel="epoch", xticks=[1, 4, 8, 12, 16])
lesson.show(figure, "Loss, score and grade by epoch, each with a ring at "
    "the epoch that it would choose.")

# %% trust [markdown]
r"""
### How far would you trust a choice?

The best of sixteen noisy means is partly the luckiest. So draw the prompts again, with replacement, a thousand times, and
choose anew each time. If a choice is solid, one bar takes nearly everything. If no bar reaches half, other prompts would
more often choose another epoch.
"""

# %% redrawn
rng = np.random.default_rng(0)
draws = rng.integers(score.shape[1], size=(1000, score.shape[1]))
title = "The epoch chosen, had other prompts been drawn (shipped run)"
figure, panels = lesson.panels(2, title)
for axes, (name, values) in zip(
    panels, {"reward model": score, "judge": grade}.items(), strict=True
):
    winners = np.array([values[:, draw].mean(1).argmax() for draw in draws])
    shares = 100 * np.bincount(winners, minlength=len(score)) / len(draws)
    axes.bar(numbers, shares, color=INK)
    most = f"epoch {1 + shares.argmax()} in {max(shares):.0f}%"
    axes.set_title(f"by the {name}: {most}", fontsize=8.5)
    axes.set(xlabel="epoch", xticks=[1, 4, 8, 12, 16], ylim=(0, 100))
panels[0].set_ylabel("% of draws")
lesson.show(figure, "How often each epoch is chosen, by the reward model "
    "and by the judge, over redrawn prompts.")

# %% worth [markdown]
r"""
And what is a choice worth? Measured on the replies by which it chose, a chooser flatters itself. So each chooses on one
half of the prompts and is measured on the other, both ways round. A row names both choices; neither need be the ring's, which all
prompts chose together. The judge chooses by grade; the table counts passes. The last row is the live run of four epochs, on these
prompts, not those above.
"""

# %% worth-choose
half = np.arange(score.shape[1]) % 2


def choose(values):
    """Epochs chosen on each half, and what passes there on the other."""
    best = [values[:, half == side].mean(1).argmax() for side in (0, 1)]
    # measured on the half it didn't choose on
    found = np.where(half == 0, passing[best[1]], passing[best[0]])
    return " / ".join(str(1 + at) for at in best), found


at = chosen["held-out loss"]
measured = {
    "held-out loss": (str(1 + at), passing[at]),
    "reward model": choose(score),
    "judge": choose(grade),
    "last epoch": (str(len(epoch_rows)), passing[-1]),
}

# %% worth-live
from minirlhf.sampling import complete
from minirlhf.tinytown import datasets

# the validation prompts: those after the 4000 whose replies were ranked
asked_there = [r["prompt"] for r in datasets.prompts("rm", 4200)[4000:]]
said = complete(sft, tokenizer, asked_there, max_new_tokens=LIMIT, seed=4)
verdicts = map(judge, asked_there, said)
live = np.array([float(verdict.passes) for verdict in verdicts])
measured["run of its own (live)"] = (str(EPOCHS), live)

# %% worth-table
beside = ("held-out loss", "reward model", "last epoch")
lesson.table(
    ("chosen by (shipped run)", "epoch", "% pass",
     *(f"less {name}" for name in beside)),
    [
        (name, at, points(over_prompts(mine)),
         *("–" if name == other
           else points(paired_difference(mine, measured[other][1]))
           for other in beside))
        for name, (at, mine) in measured.items()
    ],
)

# %% verdict [markdown]
r"""
An interval above zero is a gain; one that holds zero doesn't tell the two apart. One interval in twenty misses by chance, and
here are nine differences, of two training runs. So, did the paper's finding come back, and by which epoch?
"""

# %% verdict-spans
spans = {  # the fourth is where our other runs end
    "fourth epoch less first": (3, 0),
    "last less fourth": (-1, 3),
    "last less first": (-1, 0),
}
answers = []
for what, values in {"score": score, "grade": grade}.items():
    for span, (later, earlier) in spans.items():
        found = paired_difference(values[later], values[earlier])
        theirs = "not stated"
        if span == "last less first":
            theirs = "rises" if what == "score" else "ratings rise"
        row = (f"{what}, {span}", theirs, points(found, 1, 2),
               finding(found))
        answers.append(row)

# %% verdict-table
long_run = paired_difference(passing[-1], live)
loss_best = str(1 + chosen["held-out loss"])
lesson.table(
    ("question (shipped run)", "the paper (§3.5)", "here", "the first is"),
    [
        ("epoch of lowest held-out loss", "1", loss_best, "–"),
        *answers,
        (f"% pass, {len(epoch_rows)} epochs less a run of {EPOCHS} (live)",
         "not stated", points(long_run), finding(long_run)),
    ],
)

# %% epochs-read [markdown]
r"""
The paper's finding is *last less first*; the rows above it say when. A rise before the fourth epoch comes of more epochs, for until
then the rate has hardly fallen; a later one would mix them with smaller steps.

With a fixed budget you would compare whole runs, as the last row does: an early epoch of a long run is not a short run. When
the judges are people, grading every epoch costs too much.
"""

# %% more [markdown]
r"""
## More epochs, or more demonstrations?

Passing the same text again costs computing; new text costs labelers. Against the live run above we set one with as many
updates and the same batch, on fewer than a third of the demonstrations, each seen about three times as often.

**Predict.** Will it be worse on the same new prompts, or won't one be able to tell?
"""

# %% predict-few
few_guess = Prediction(
    "Fewer demonstrations, as many updates: beside the run above it is …",
    "chapter04.few", choices=("worse", "no clear difference", "better"),
)
few_guess

# %% few
from dataclasses import replace

from minirlhf.sft import train_sft

FEW, MORE_EPOCHS = 64, lesson.pick(13, quick=1)
result = train_sft(
    replace(ours, epochs=MORE_EPOCHS, keep_epochs=False),
    load_policy(folder, tokenizer), tokenizer, demonstrations[:FEW],
    folder=lesson.workspace("04", f"few-{FEW}-{MORE_EPOCHS}"),
)
passed["few"] = passes(answer(result.policy)[0])
difference = paired_difference(passed["few"], passed["sft"])
worse, better = difference.high < 0, difference.low > 0
unclear = "no clear difference"
few_guess.reveal("worse" if worse else "better" if better else unclear)

# %% few-picture
figure, axes = lesson.panels(1, "As many updates, other data (live)")
names = {
    "few": f"{FEW} demonstrations,\n{MORE_EPOCHS} epochs",
    "sft": f"{len(examples)} demonstrations,\n{EPOCHS} epochs",
}
shares = {name: share(passed[key]) for key, name in names.items()}
lesson.intervals(axes, shares, "% of prompts that pass")
for line in axes.lines:
    line.set_color(PALETTE["sft"])
axes.lines[0].set_linestyle("--")
said = f"difference {points(difference)} points"
axes.set_title(said, fontsize=8.5, loc="left")
lesson.show(figure, "Pass rates of the run on fewer demonstrations and of "
    "the run on all, with their intervals.")

# %% more-read [markdown]
r"""
One run each: the intervals are about prompts, not about what another seed would give. And the other way? In the shipped run
on four times as many demonstrations, at as many epochs, {run:models.sft-4x.passes:.1%} of replies pass where the main run has
{run:models.sft.passes:.1%}: more by {run:models.sft-4x.gain:.1%} of the prompts [{run:models.sft-4x.gain.low:.1%},
{run:models.sft-4x.gain.high:.1%}]. That is four times the updates, too, so it doesn't tell which of the two helped.
"""

# %% padding [markdown]
r"""
## Many prompts at once

Replies are sampled many at once. Their rows have to end in the same column to grow, so short ones are padded on the
**left**. The model must then be told not to look at padding (attention mask), and that the first real token stands at
position zero (position ids).

Below, a short prompt is read alone, and then padded because a longer one has joined it. How much of the next token's
probability moves? One model is our base; the other has GPT-2's shape and random weights, so in its column only zero or not
zero means anything. Guess first which of the six numbers are zero.
"""

# %% padding-models
from transformers import AutoModelForCausalLM, GPT2Config

from minirlhf.data.batching import pad_left, position_ids

ends = {"bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id}
shape = GPT2Config(vocab_size=len(tokenizer), n_embd=64, n_layer=3,
                   n_head=2, n_positions=320, **ends)
torch.manual_seed(0)
gpt2 = AutoModelForCausalLM.from_config(shape).eval()
pair = tokenizer([min(asked, key=len), max(asked, key=len)])["input_ids"]
ids, mask = pad_left(pair, tokenizer.pad_token_id)

# %% padding-told
attend = {"attention_mask": mask.long()}
columns = torch.arange(ids.shape[1]).expand_as(ids)
told = {
    "nothing": {},
    "the mask": {**attend, "position_ids": columns},
    "mask and positions": {**attend, "position_ids": position_ids(mask)},
}


# %% padding-measured
@torch.no_grad()
def next_token(model, ids, **told):
    return model(input_ids=ids, **told).logits[0, -1].softmax(-1)


def moved(model, told):
    """Total variation: the share of probability that moves."""
    alone = next_token(model, torch.tensor(pair[:1]))
    return f"{(next_token(model, ids, **told) - alone).abs().sum() / 2:.4f}"


lesson.table(
    ("what the model is told (live)", "our base", "GPT-2's shape"),
    [(name, moved(base, how), moved(gpt2, how))
     for name, how in told.items()],
)

# %% padding-read [markdown]
r"""
A model that isn't told of padding reads it. With the mask alone our base is safe: its positions are rotary, so attention
sees only the *distance* of two tokens, and padding shifts all alike. GPT-2 and GPT-3 learn a vector for every position;
without position ids they read the prompt in another place. Such a bug raises no error.

## Ask it yourself

Try a prompt of your own; the judge grades only requests that it can read. Ask the same twice: each time another reply is
drawn.
"""

# %% playground
from minirlhf.widgets import Playground

playground = Playground(
    {"base": (base, tokenizer), "sft": (sft, tokenizer)},
    judge=judge, prompt="Give me three ideas for a gift for Ines.", seed=1,
)
playground.answer(playground.prompt)
playground

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter04.")

# %% summary [markdown]
r"""
## Summary

| | the paper | here |
|---|---|---|
| demonstrations | {paper:table6.sft.train} (Table 6) | {run:counts.demonstrations} |
| does the prompt count in the loss? | not stated | no |
| epochs | {paper:sft.epochs} (C.1) | four; sixteen to compare |
| epoch that the held-out loss prefers | the first (§3.5) | {run:epochs.best.loss} (sixteen-epoch run) |
| epoch with the best reward-model score | not stated | {run:epochs.best.score} (sixteen-epoch run) |

| | the paper's smallest: wins against its largest SFT (read off Fig. 1) | main shipped run: replies that pass |
|---|---|---|
| base | {paper:fig1.1.3b.gpt} | {run:models.base.passes:.1%} |
| base, prompted | {paper:fig1.1.3b.prompted} | {run:models.prompted.passes:.1%} |
| SFT | {paper:fig1.1.3b.sft} | {run:models.sft.passes:.1%} |

In the paper SFT is well ahead of the prompted base. Ours, prompted less SFT over the same prompts, differ by
{run:models.prompted.gain:.1%} of them [{run:models.prompted.gain.low:.1%}, {run:models.prompted.gain.high:.1%}]: an interval that
holds zero says that {run:models.sft.passes.n} prompts don't tell SFT from three examples. Where figures of live and shipped runs
agree, that is chance: epochs and prompts differ.

SFT gives a base the habit of answering; three examples in the prompt show how much of the ability was there before. Which
epoch to keep depends on whom you ask. Redrawn prompts show how far that hangs on them; another seed may move it further.

## Questions

**What would change if every demonstration weighed the same in the loss, rather than every token?**

<details><summary>Answer</summary>

A token of a short completion would push harder than one of a long one. Each demonstration has one end token, so short
completions' ends would weigh more.

</details>

**A fine-tuned model answers well and then goes on to a second question. Where do you look first?**

<details><summary>Answer</summary>

At the end token: whether it is appended to each completion, and whether the mask keeps it.

</details>

**The bands of two epochs overlap. Do you report that nobody can tell them apart?**

<details><summary>Answer</summary>

Not yet. The bands hold what makes a prompt easy or hard for both; the paired difference doesn't. Report that, on prompts on
which you didn't choose.

</details>

**You compare epoch four of a sixteen-epoch run with the end of a four-epoch run, and they differ. Why?**

<details><summary>Answer</summary>

The long run is still far up its cosine there, the short one has come down to its floor. And it is one run each: chance
may part them, too.

</details>

## The way on

- [Exercises 04](../exercises/ex04_sft.ipynb): the masked loss, position ids, a model that never stops, a model that knows
  nothing.
- [Chapter 05](05_reward_model.ipynb): the reward model, which has chosen an epoch here already.
- [Chapter 06](06_reinforcement_learning.ipynb): reinforcement learning, which starts from a model trained likewise, with some
  pretraining text mixed in (C.3).

**A lecture of thirty minutes.** The base's table (five); the picture of one demonstration and the three ways, with guesses
(ten); before and after (five); the three choosers, to their last table (ten).

**A lab of sixty minutes.** The page up to the desk, with guesses (twenty); exercise 04, the masked loss and the model that
never stops (twenty-five); then change `FEW`, or a way in `ways`, predict, and run again (fifteen).
"""
