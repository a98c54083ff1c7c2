# ---
# jupyter:
#   minirlhf:
#     paper: §3.5, C.1
#     doing_minutes: 20
# ---

# %% title [markdown] defines="base model"
r"""
# Chapter 04 · Supervised fine-tuning

A *base model* has read a lot and continues whatever it is given. Ask it for something, and it writes what usually comes
after such a line, which is seldom an answer. Step 1 of the paper shows it thousands of answers, and from then on it
answers. How little does that take, which part of the text counts, and when should one stop?

After this chapter you can

- say what a base model does with an instruction, and measure it;
- write the loss of step 1 with its mask, and check it against the package;
- fine-tune a base model, and tell by an interval how far it has come;
- read a run of sixteen epochs: which of them each of three choosers takes, and why they differ.
"""

# %% base [markdown] defines="prompt; completion; judge; policy"
r"""
## What the base does (§3.5)

The paper's diagnosis is that predicting the next word of web pages is another task than doing what one is asked. The text
a model is given is its *prompt*, what it writes then its *completion*, and the model itself, seen as what chooses each next
word, a *policy*.

Tinytown's base was pretrained on the web of a small closed town. Here are requests from people whom no training set
has, and what the base writes. Under each reply stands the verdict of the *judge*, the town's exact grader: from one to
seven, and what is wrong.
"""

# %% requests
from minirlhf import lesson, shipped
from minirlhf.models import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.judge import judge

tokenizer = load_tokenizer(base_folder("medium"))
base = load_policy(base_folder("medium"), tokenizer)
people = shipped.read("prompts")[: lesson.pick(250, quick=16)]
asked = [row["prompt"] for row in people]
from_base = complete(base, tokenizer, asked, max_new_tokens=72, seed=4)
plain = [k for k, row in enumerate(people) if row["style"] == "plain"]


# %% base-replies
def show(replies, numbers):
    for k in numbers:
        verdict = judge(asked[k], replies[k])
        wrong = [name for name, met in verdict.criteria.items() if met < 1]
        print(asked[k].strip())
        for line in replies[k].strip().split("\n")[:3]:
            print("   ", line)
        words = "nothing is wrong" if verdict.passes else ", ".join(wrong)
        print(f"    ({verdict.overall:.1f}: {words})\n")


show(from_base, plain[:4])

# %% pass-rate [markdown]
r"""
A reply *passes* when the judge finds nothing wrong with it. How many of the base's replies to these requests do?
"""

# %% base-guess
from minirlhf.widgets import Prediction

first = Prediction("Replies of the base that pass, in percent:", "04.base",
                   unit="% of the requests")  # fmt: skip
first

# %% base-result
from minirlhf.evaluate.statistics import over_prompts


def passing(replies):
    """The share of replies that pass, with its interval over prompts."""
    both = zip(asked, replies, strict=True)
    return over_prompts([float(judge(x, y).passes) for x, y in both])


passes = {"base": passing(from_base)}
first.reveal(100 * passes["base"].mean)

# %% demonstrations [markdown] defines="labeler; demonstration; supervised fine-tuning; prompt mask"
r"""
## What counts of a demonstration (§3.5)

*Labelers* ({paper:intro.labelers} people) wrote the answers. A prompt together with the completion that a labeler wrote
for it is a *demonstration*, and training on them to predict the completions is *supervised fine-tuning* (SFT). The paper has
{paper:table6.sft.train} of them (Table 6). We take {run:counts.demonstrations}: a model of a million parameters
learns so small a town from a few hundred, and with more of them the later steps would have nothing left to do.

The model reads prompt and completion in one row, but only the completion counts. With $m_t$ true on the completion's
tokens, its end token among them, and false on the prompt and on padding (the *prompt mask*), the loss is

$$
\mathcal L=-\frac{\sum_t m_t\,\log\pi(y_t\mid x,\,y_{<t})}{\sum_t m_t}
$$

Whether the paper masks the prompt it doesn't say; this is the common choice. Here is one demonstration, and how
surprised the base is by each token: the darker, the more it costs, in nats. Tokens of the prompt show zero: they are
masked, so their surprise is nobody's business.
"""

# %% surprise
import torch

from minirlhf.data.encoding import encode_completions, encode_prompts

shown = shipped.read("demonstrations")
row = next(row for row in shown if row["style"] == "plain")
(x,) = encode_prompts(tokenizer, [row["prompt"]])
(y,) = encode_completions(tokenizer, [row["completion"]])  # ends in EOS
tokens = torch.tensor([x + y])
mask = torch.tensor([[False] * len(x) + [True] * len(y)])
with torch.no_grad():
    logits = base(input_ids=tokens).logits
logp = logits[:, :-1].log_softmax(-1)  # column t is about token t + 1
logprobs = logp.gather(-1, tokens[:, 1:, None]).squeeze(-1)
cost = torch.where(mask[:, 1:], -logprobs, 0.0)

# %% tokens
from minirlhf.widgets.strip import draw_tokens, in_lines
from minirlhf.widgets.trace import token_text

lines = in_lines([token_text(tokenizer, token) for token in x + y])
nats = torch.cat([torch.zeros(1), cost[0]]).numpy()
figure, axes = lesson.panels(
    1, "What the base pays for a demonstration, in nats (live)",
    size=(lesson.WIDE[0], 0.5 + 0.4 * len(lines)),
)  # fmt: skip
draw_tokens(axes, lines, nats, chosen=-1)
dear = int(nats.argmax())
word = token_text(tokenizer, (x + y)[dear]).strip()
seen = f"the dearest token is {word!r} with {nats[dear]:.1f} nats"
lesson.show(figure, f"The prompt costs nothing; {seen}.")

# %% by-hand-text [markdown]
r"""
The loss by hand, and by the package's one line. A batch holds several demonstrations; the mean is over all their
completion tokens together, so a token of a short answer counts as much as one of a long one.
"""

# %% by-hand
from minirlhf.objectives import sft_loss

by_hand = cost.sum() / mask.sum()
packaged = sft_loss(logprobs, mask[:, 1:])
print(f"by hand {by_hand:.4f}, by the package {packaged:.4f} nats a token")
print(f"{int(mask.sum())} of {tokens.numel()} tokens count")

# %% training [markdown]
r"""
## A base learns to answer (C.1)

The next cell fine-tunes the base on the demonstrations and shows the run while it goes on. The learning rate falls along
a cosine to a tenth of its peak, and a part of what each layer adds is dropped at random (residual dropout
{paper:sft.residual_dropout}), both as in C.1; the rate itself is far larger than the paper's {paper:sft.lr.1.3b}, as small
networks need. *Held out* is the loss on demonstrations that it doesn't learn from. (On Colab the cell itself stays busy until the
training ends.)
"""

# %% sft-guess
after = Prediction(
    "Replies that pass after four epochs, in percent:", "04.sft",
    unit="% of the requests",
)  # fmt: skip
after

# %% desk
from minirlhf.data.records import write_jsonl
from minirlhf.widgets import TrainingDesk, start

LEARNED = lesson.pick(400, quick=32)  # demonstrations
place = lesson.workspace("chapter04", f"sft-{LEARNED}")
write_jsonl(place.with_name("learned.jsonl"), shown[:LEARNED])
job = start(
    "sft", place, model="medium", epochs=lesson.pick(4, quick=1),
    demonstrations=place.with_name("learned.jsonl"),
    validation=shipped.file("validation"), drop_long=True,
)  # fmt: skip
TrainingDesk(job, note="live")

# %% sft-replies
job.wait()
policy = load_policy(place / "model", tokenizer)
from_sft = complete(policy, tokenizer, asked, max_new_tokens=72, seed=4)
passes["sft"] = passing(from_sft)
show(from_sft, plain[:4])

# %% sft-picture [markdown]
r"""
These are the requests from above. And all of them together; the lines are intervals over prompts.
"""

# %% sft-result
figure, axes = lesson.panels(1, "Replies that pass (live)")
lesson.intervals(axes, passes, "% of the requests")
seen = {name: f"{i.mean:.0%}" for name, i in passes.items()}
lesson.show(figure, f"Of the base's replies {seen['base']} pass, "
    f"of the fine-tuned model's {seen['sft']}.")  # fmt: skip

# %% sft-reveal
after.reveal(100 * passes["sft"].mean)

# %% playground-text [markdown]
r"""
Ask both yourself. A request in the town's own words works best (*Write a story about …*, *Name three …*, *Where is the
… sold?*); words that the town doesn't know are spelled in bytes, and a model that never saw them does what it can.
"""

# %% playground
from minirlhf.widgets import Playground

ask = Playground(
    {"base": (base, tokenizer), "sft": (policy, tokenizer)}, judge=judge,
    prompt="Write a story about Cora and a lamp.", max_response=72,
)  # fmt: skip
ask.answer("Write a story about Cora and a lamp.")
ask

# %% epochs [markdown] defines="reward model"
r"""
## Sixteen epochs (C.1)

How often should the model read its demonstrations? The paper reads them {paper:sft.epochs} times, and reports something
odd: the loss on held-out demonstrations is best after the first epoch and rises from then on, and yet more epochs go on
improving what people think of the replies, and what the *reward model* does (a model that has learned to score replies as
labelers would; chapter 05 makes one). So the paper lets the reward model choose the epoch.

Here is the same experiment, a shipped run of {run:epochs.count} epochs on {run:counts.demonstrations} demonstrations.
After every epoch the model has answered the same prompts. Three choosers look on: the held-out loss, the reward model and
the judge.
"""

# %% epoch-guess
chosen = Prediction("The epoch that the judge will choose:", "04.epoch")
chosen

# %% epochs-data
import numpy as np

from minirlhf.widgets.reader import Reader

reader = Reader(shipped.run("sft-long"))
reader.look()
epochs = shipped.read("epochs")
at = [row["epoch"] for row in epochs]
losses = dict(zip(at, reader.series("validation/loss")[1], strict=True))
score = {row["epoch"]: over_prompts(row["score"]) for row in epochs}
passed = {row["epoch"]: over_prompts(row["passes"]) for row in epochs}
by = {
    "held-out loss": min(losses, key=losses.get),
    "reward model": max(score, key=lambda epoch: score[epoch].mean),
    "judge": max(passed, key=lambda epoch: passed[epoch].mean),
}

# %% epochs-picture
from minirlhf.plots import INK, PALETTE

figure, panels = lesson.panels(
    3, "Sixteen epochs (shipped run); the ring is the epoch chosen",
    titles=("held-out loss, nats", "reward model's score", "% that pass"),
)  # fmt: skip
curves = zip(panels, by.values(), (losses, score, passed), strict=True)
for axes, epoch, values in curves:
    scale = 100 if values is passed else 1
    mean = [scale * getattr(values[e], "mean", values[e]) for e in at]
    axes.plot(at, mean, "o-", color=PALETTE["sft"], ms=3)
    axes.plot(epoch, mean[epoch - 1], "o", color=INK, mfc="none", ms=12)
    axes.set_xlabel("epoch")
lesson.show(figure, f"Chosen epochs: {by}.")

# %% epochs-result
rows = []
for chooser, epoch in by.items():
    i, s = passed[epoch], score[epoch]
    share = f"{100 * i.mean:.1f} ({100 * i.low:.1f}, {100 * i.high:.1f})"
    loss = f"{losses[epoch]:.2f}"
    rows.append((chooser, epoch, loss, f"{s.mean:+.2f}", share))
lesson.table(("chosen by", "epoch", "loss", "score", "% that pass"), rows)

# %% epoch-reveal
chosen.reveal(by["judge"])

# %% epochs-why [markdown]
r"""
The loss asks how likely the labeler's very words are. A reply can be good in many words, and a model that has grown
sure of one of them pays dearly wherever the labeler took another, though what it writes itself is better than before. So
the loss is a poor judge of replies. But look at the intervals before you trust any of the choosers: where they overlap,
the epoch chosen is partly luck, and another seed would choose another.
"""

# %% half-right [markdown]
r"""
## What is left to do

Fine-tuning imitates. Nothing in its loss says that one reply is better than another, and so the model doesn't write its best
reply, but any reply of the kind. How much better is its best? Let it answer some requests eight times, and count a request
as done if at least one of the answers passes.
"""

# %% eight-guess
best = Prediction(
    "Requests with at least one passing reply among eight, in percent:",
    "04.eight", unit="% of the requests",
)  # fmt: skip
best

# %% eight
few = asked[: lesson.pick(80, quick=8)]
often = complete(policy, tokenizer, few, max_new_tokens=72, n=8, seed=8)
right = [judge(few[k // 8], reply).passes for k, reply in enumerate(often)]
right = np.array(right, dtype=float).reshape(-1, 8)
tries = 1, 2, 4, 8
among = {f"best of {n}": over_prompts(right[:, :n].max(1)) for n in tries}
figure, axes = lesson.panels(1, "Requests with a passing reply (live)")
lesson.intervals(axes, among, "% of the requests")
seen = ", ".join(f"{name} {i.mean:.0%}" for name, i in among.items())
lesson.show(figure, f"With more replies to choose from, more pass: {seen}.")

# %% eight-reveal
best.reveal(100 * among["best of 8"].mean)

# %% eight-why [markdown] defines="ranking"
r"""
The better replies are in the model already; what is missing is somebody who tells them from the others. Here that was
the judge, who won't be there in training. Step 2 makes a stand-in out of people's *rankings*, the orders in which they put
several replies to one prompt, and step 3 moves the policy towards what the stand-in prefers.
"""

# %% summary [markdown]
r"""
## Summary

| | the paper | Tinytown (shipped run) |
|---|---|---|
| demonstrations | {paper:table6.sft.train} | {run:counts.demonstrations} |
| epochs of the long run | {paper:sft.epochs} | {run:epochs.count} |
| demonstrations a batch | {paper:sft.batch.1.3b} | {run:counts.sft_batch} |
| residual dropout | {paper:sft.residual_dropout} | {run:counts.sft_dropout} |
| epoch that the held-out loss chooses | the first | {run:epochs.best.loss} |
| epoch that the reward model chooses | not stated | {run:epochs.best.score} |
| epoch that the judge chooses | – | {run:epochs.best.passes} |
| the smallest base wins against the largest SFT model (Fig. 1) | {paper:fig1.1.3b.gpt} | – |
| the smallest SFT model wins | {paper:fig1.1.3b.sft} | – |
| replies of the base that pass | – | {run:models.base.passes:.1%} |
| replies of the SFT model that pass | – | {run:models.sft.passes:.1%} |

The base can do much of what it is asked and doesn't; a few hundred answered requests are enough to make it try. Only the
completion counts in the loss, and the loss is a poor judge of when to stop. What fine-tuning can't give is a sense of
better and worse: among eight tries there is mostly a good one, and the model doesn't know which.
"""

# %% questions [markdown]
r"""
## Questions

1. Where the prompt isn't masked, what else does the model learn, and when might that hurt?

<details><summary>Answer</summary>

To write requests. In the paper's data a prompt is many times as long as its completion (Table 11), so most of the gradient
would go there; in a town of short requests it hurts less.

</details>

2. The end token is the last completion token and counts in the loss. What would you see if it didn't?

<details><summary>Answer</summary>

Replies that begin well and never stop: they go on to the next request, as the base does, until the length limit cuts them.

</details>

3. The held-out loss rises while the replies improve. Is the model overfitted?

<details><summary>Answer</summary>

As a model of the labelers' words, yes. As something that answers requests, not yet. The word means nothing before you say
by which measure.

</details>

4. The reward model chooses the epoch. What could go wrong if it also chose each single reply, among
   very many?

<details><summary>Answer</summary>

Choosing among sixteen epochs hardly strains it. Choosing among many replies looks for what it overrates, and step 3
will do that with all its strength; chapter by chapter the judge is there to watch.

</details>

5. Four times as many demonstrations: would you rather have those, or rankings of this model's replies?

<details><summary>Answer</summary>

Among this run's shipped models is one with four times the demonstrations: {run:models.sft-4x.passes:.1%} of its replies
pass, against {run:models.sft.passes:.1%}. In Tinytown a demonstration costs nothing. A person writes one in
minutes and compares two replies in seconds, and can tell the better of two poems without being able to write one.

</details>
"""

# %% way-on [markdown]
r"""
## The way on

[Exercise 04](../exercises/ex04_sft.ipynb): the masked loss, position ids under left padding, a seeded bug, a number to
predict. Then [chapter 05](05_reward_model.ipynb), where rankings become a reward.

- **Lecture path (half an hour).** The base's replies; the picture of a demonstration's tokens; the training, begun early
  and looked at late; the sixteen epochs with the prediction asked aloud; best of eight; the summary.
- **Lab path (an hour).** Everything, cell by cell; at the playground find a request that the fine-tuned model always
  fails; then take question one of the exercise.
"""
