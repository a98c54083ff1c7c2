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

Ask a language model that has only read the web for a story about a fox. It may answer with the next line of a worksheet. How do
such models become assistants that do what you ask?

In three steps, says the InstructGPT paper (Ouyang et al., 2022): learn from replies that people wrote, learn which replies people
prefer, then practise. Here you take all three, in minutes, with a model small enough for your machine. (What you ask is a *prompt*;
what the model writes after it is a *completion*, or reply.)

After this chapter you can

- show that a model which has read a lot need not do what it is asked;
- say what goes into each step, what comes out, and where people do the work;
- read all three steps as one loop with three losses;
- keep apart a number that was trained on and one that measures;
- say what later methods dropped of the three steps, and what they kept.
"""

# %% continues [markdown] defines="base model"
r"""
## A model that only continues (§1)

A language model is trained to predict the next piece of a text, a *token*: a word or a part of one. A *base model* has been trained
for nothing else. The paper's is GPT-3. Ours has about a million weights and has read the web of *Tinytown*, a town that we made up:
stories, letters, notices, worksheets.

What does it do with a request? The cell draws three continuations. (*Live* means computed as you read, *shipped run* made beforehand.)
"""

# %% base
from minirlhf import lesson, shipped
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown.bases import base_folder

LIMIT = 72  # tokens that a reply may have
request = "Write a story about a fox. Make it happy.\n"

folder = base_folder("medium")
tokenizer = load_tokenizer(folder)
base = load_policy(folder, tokenizer)
texts = complete(base, tokenizer, [request], n=3, max_new_tokens=LIMIT)
lesson.table((request.strip() + " (live)",), [(text,) for text in texts])

# %% who-says [markdown] defines="labeler; judge"
r"""
The base isn't broken. In what it read, a request mostly stands among other requests. To predict such a page is one aim; to follow
a user's instructions "helpfully and safely" is another (§1).

To count successes, somebody must say whether a reply does what was asked. In the paper people do, about {paper:intro.labelers:d}
*labelers*, who also write and compare replies. Tinytown's labelers are programs with tastes and lapses of their own. And since we made
the town, every sentence about it can be checked: the *judge*, a program too, says whether a reply is readable, true, and
what was asked for. Then the request is *done*. No step asks the judge itself. Yet labelers start from its grade, so it is a kinder measure
than people would be.

Two ways to ask the base: with the request alone, and *prompted*, with three answered requests in front. All prompts
are by users whom no training has seen.
"""

# %% measure
import numpy as np

from minirlhf.evaluate.statistics import proportion
from minirlhf.tinytown.judge import judge

asked = [row["prompt"] for row in shipped.read("prompts")]
asked = asked[: lesson.pick(500, quick=16)]
replies, done = {}, {}  # by model: what it says; one where it is done


def measure(name, policy, prompts=asked, stop=None):
    """Let a model reply to every prompt: the share of requests done."""
    replies[name] = complete(policy, tokenizer, prompts, seed=1,
                             max_new_tokens=LIMIT, stop=stop)
    both = zip(asked, replies[name], strict=True)
    done[name] = np.array([float(judge(x, y).passes) for x, y in both])
    return proportion(int(done[name].sum()), len(asked))


# %% measure-base
import random

demonstrations = shipped.read("demonstrations")
short = [row for row in demonstrations if row["style"] == "plain"]
short.sort(key=lambda row: len(row["prompt"] + row["completion"]))
shots = random.Random(0).sample(short[: len(short) // 2], 3)
front = "".join(f"{row['prompt']}{row['completion']}\n\n" for row in shots)

shares = {"base": measure("base", base)}
shares["prompted"] = measure(
    "prompted", base, [front + x for x in asked], stop="\n\n")
lesson.table(("% of requests done (live)", ""), [
    (lesson.called(name), f"{100 * share:.1f}")
    for name, share in shares.items()])

# %% flow [markdown] defines="reward model; supervised fine-tuning"
r"""
In brackets stands an interval of `95%`, over prompts (chapter 04 explains it).

## The picture: three steps, one flow (§3.1)

Below is the paper's Fig. 2, still empty. Read each column from top to bottom: what comes in, who works on it, what is trained. Then follow
the arrows. Step 1 makes the *SFT model* (for *supervised fine-tuning*). It writes the replies that are compared in step 2, and
step 3 starts from it. Step 2 makes the *reward model*, which grades replies in step 3. People work in the first two steps only.
"""

# %% empty
from minirlhf.widgets import ThreeSteps

ThreeSteps()

# %% one-loop [markdown]
r"""
Each step will fill its column with what happened on your machine.

Training is the same in all three. A *loss* says in one number how far a model is from what we want. The loop computes it, finds
the direction in which it falls fastest, and moves every weight a little that way.
"""

# %% loop
import torch
from torch.nn.utils import clip_grad_norm_


def learn(model, loss_of, steps, rate):
    """Follow a loss downhill; yields what it was, step by step."""
    adam = torch.optim.Adam(model.parameters(), betas=(0.9, 0.95))
    for step in range(steps):
        adam.param_groups[0]["lr"] = rate * (1 - 0.9 * step / steps)
        loss = loss_of(model, step)
        loss.backward()  # the gradient: how the loss changes by weight
        clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad()
        yield loss.item()


# %% step-1 [markdown] defines="demonstration"
r"""
What differs is `loss_of`.

## Step 1: people show how (§3.1)

A labeler writes the reply that they would like to see. Prompt and reply together are a *demonstration*. The loss: how unlikely
the model finds the labeler's words. So they become likelier. The paper has {paper:table6.sft.train} demonstrations, we have
{run:counts.demonstrations}.
"""

# %% imitate
from minirlhf.data.tokenization import encode_demonstrations
from minirlhf.objectives import sft_loss
from minirlhf.plain.demo import as_pairs
from minirlhf.plain.sft import batch, logprobs, steps_per_epoch
from minirlhf.presets import PRESETS

ours = PRESETS["tinytown"].sft  # batches of 16
pairs = as_pairs(encode_demonstrations(tokenizer, demonstrations, 256))


def imitate(policy, step):
    """Make the labelers' replies likelier."""
    log_pi, mask = logprobs(policy, batch(ours, pairs, (), step))
    return sft_loss(log_pi, mask)


# %% predict-1 [markdown]
r"""
**Predict.** You have seen what the base does. After two passes over the demonstrations, what percentage of the requests will be done?
(You may leave a guess empty.)
"""

# %% guess-1 folded="yes"
from minirlhf.widgets import Prediction

sft_guess = Prediction(
    "After step 1, what percentage of the requests will be done?",
    "chapter00.sft", unit="% of requests",
)
sft_guess

# %% train-1
PASSES = lesson.pick(2, quick=1)  # over the demonstrations

steps_1 = lesson.pick(PASSES * steps_per_epoch(ours, pairs), quick=2)
sft = load_policy(folder, tokenizer)
losses = list(learn(sft, imitate, steps_1, 1e-3))
shares["sft"] = measure("sft", sft)
sft_guess.reveal(100 * shares["sft"])

# %% fill-1 folded="yes"
from minirlhf.report.examples import demonstration

shown = demonstration(demonstrations)
board = ThreeSteps()
board.first(shown["prompt"], shown["completion"],
            shares["base"].mean, shares["sft"].mean)

# %% step-2 [markdown] defines="ranking; comparison"
r"""
## Step 2: people compare (§3.1)

To judge is easier than to write. So the SFT model now replies to one prompt several times ({paper:rm.k.min} to {paper:rm.k.max} in the
paper), and a labeler puts the replies in order, ties allowed: a *ranking*. Any two of them that aren't tied are a *comparison*.

Here are four replies of your SFT model. Which do you like best? Beside them is a labeler's rank, one being the best.
"""

# %% four
from minirlhf.tinytown.labelers import training_pool

labeler = training_pool()[0]
drawn = complete(sft, tokenizer, [request], n=12, seed=2,
                 max_new_tokens=LIMIT)
four = list(dict.fromkeys(drawn))[:4]  # no reply twice
ranks = labeler.rank(request, four)
lesson.table((request.strip() + " (live)", "rank"),
             zip(four, ranks, strict=True))

# %% reward [markdown]
r"""
No labeler can read every reply of a long training. The reward model learns to stand in for them. It is the SFT model with a new last
layer that gives one number, the *score* of a reply. The loss: how unlikely the model finds it that the preferred reply of a comparison is
the better one, if the larger score counts as better. Chapter 05 derives it.
"""

# %% prefer
from torch.nn.utils.rnn import pad_sequence

from minirlhf.objectives import ranking_loss
from minirlhf.plain.demo import as_rankings
from minirlhf.reward import score_ids

rankings = shipped.read("rankings")[: lesson.pick(2000, quick=50)]
rankings = as_rankings(tokenizer, rankings)


def prefer(reward, step):
    """Score preferred replies above the others."""
    prompts, texts, ranks = zip(*rankings[16 * step :][:16], strict=True)
    rows = [(x.tolist(), y.tolist())
            for x, ys in zip(prompts, texts, strict=True) for y in ys]
    scores = score_ids(reward, *zip(*rows, strict=True),
                       tokenizer.pad_token_id).split([*map(len, texts)])
    ranks = pad_sequence(ranks, batch_first=True)  # zero: no reply
    scores = pad_sequence(scores, batch_first=True)
    return ranking_loss(scores, ranks, ranks > 0).loss


# %% predict-2 [markdown]
r"""
The new layer starts at random, and so a coin is as good. We test on rankings of unseen users' prompts: how many pairs do the scores put in
the labeler's order?

**Predict.** What percentage after one pass over {run:counts.rankings:,} rankings or fewer (the cell above says how many)?
"""

# %% guess-2 folded="yes"
order_guess = Prediction(
    "After step 2, what percentage of the pairs is in the labeler's order?",
    "chapter00.order", unit="% of pairs",
)
order_guess

# %% train-2
from functools import partial

from minirlhf.evaluate.ranking_accuracy import (
    accuracy,
    score_rankings,
    shares_in_order,
)
from minirlhf.models import ScalarModel
from minirlhf.reward import score_texts

heldout = shipped.read("heldout")[: lesson.pick(250, quick=16)]
given = [row["ranks"] for row in heldout]
reward = ScalarModel.from_policy(sft, tokenizer)
score = partial(score_texts, reward, tokenizer)
scored = {0: score_rankings(score, heldout)}  # by rankings read
steps_2 = len(rankings) // 16
for step, _ in enumerate(learn(reward, prefer, steps_2, 1e-3), 1):
    if step in (steps_2 // 4, steps_2 // 2, steps_2):
        scored[16 * step] = score_rankings(score, heldout)

# %% answer-2
in_order = {count: accuracy(of, given) for count, of in scored.items()}
start, end = in_order[0], in_order[max(in_order)]
order_guess.reveal(100 * end)

# %% order-look [markdown]
r"""
Follow the curve from its start, and see how much room is left below the dashed line: so often, two labelers prefer the same reply of a
pair.
"""

# %% order-picture folded="yes"
from minirlhf.report.charts import GRID, INK, MUTED
from minirlhf.shipped import run as shipped_run

title = "What rankings teach the reward model (live)"
figure, axes = lesson.panels(1, title, (5.4, 2.7))
counts, bands = list(in_order), list(in_order.values())
axes.fill_between(counts, [100 * b.low for b in bands],
                  [100 * b.high for b in bands], color=GRID)
axes.plot(counts, [100 * b.mean for b in bands], "o-", color=INK)
axes.axhline(50, color=MUTED, linewidth=0.8)
axes.annotate("a coin", (counts[-1], 50), xytext=(0, -10), color=MUTED,
              textcoords="offset points", ha="right", fontsize=8)
axes.set(xlabel="rankings read", ylabel="% of pairs in order")
lesson.show(figure, "Pairs in the labeler's order go from "
    f"{start.mean:.0%} to {end.mean:.0%}; a coin has half.")

# %% fill-2 folded="yes"
board.second(request, four, ranks, score([request] * len(four), four),
             start.mean, end.mean)

# %% step-3 [markdown] defines="policy; PPO; reference model; KL divergence; value model"
r"""
## Step 3: the model practises (§3.1)

Now nobody writes and nobody ranks. A prompt comes, the model replies, the reward model scores the reply. A model seen this way, as
one that chooses each next token, is called a *policy*. What scores above expectation becomes likelier, the rest less likely.

A lesson has no time for all rankings. So from here on the scores are those of a shipped run's reward model, with
{run:counts.rankings:,} rankings and another start (chapter 05).

First in slow motion: sixteen replies of the SFT model to one prompt. What do we expect? Their mean score. The loss has the score
minus that mean as the weight of each reply; we take one step of the loop.
"""

# %% reinforce
from minirlhf.data.tokenization import encode_completions, encode_prompts
from minirlhf.objectives import policy_loss

rewarding = ScalarModel.load(shipped.run("reward") / "model")
score = partial(score_texts, rewarding, tokenizer)
tries = complete(sft, tokenizer, [request], n=16, seed=3,
                 max_new_tokens=LIMIT)
scores = score([request] * 16, tries)
(x,), ys = encode_prompts(tokenizer, [request]), encode_completions(
    tokenizer, tries)
practice = as_pairs((x, y) for y in ys)


def reinforce(policy, step):
    """Make replies likelier that score above the mean, others less."""
    log_pi, mask = logprobs(policy, practice)
    better = (scores - scores.mean())[:, None]  # than expected
    return policy_loss(log_pi, log_pi.detach(), better, mask)


# %% one-step
@torch.no_grad()
def log_likelihood(policy):
    return logprobs(policy, practice)[0].sum(1)


policy = load_policy(folder, tokenizer)
policy.load_state_dict(sft.state_dict())
list(learn(policy, reinforce, 1, 1e-4))
times = (log_likelihood(policy) - log_likelihood(sft)).exp()

# %% one-step-table folded="yes"
order = scores.argsort(descending=True).tolist()
lesson.table(
    ("best, middle and worst of sixteen (live)", "score",
     "times as likely after one step"),
    [(tries[i], f"{scores[i]:.2f}", f"{times[i]:.2f}")
     for i in (*order[:2], *order[7:9], *order[-2:])],
)

# %% price [markdown]
r"""
A model that practises for a score finds out what pleases the scorer, its mistakes included. So a frozen copy of the start, the
*reference model*, stays beside the policy, and moving away from it costs. The distance is the *KL divergence*, in *nats*; $\beta$ is
the price of a nat ({paper:ppo.beta} in the paper, here as below; the scores have other units).

The paper's method for this step is *PPO*, proximal policy optimization: thousands of replies, this price, a *value model* that predicts the
score (above, the mean stood for it), and a limit on how far a single step may go (chapter 06). The package's PPO starts from your SFT
model. Beside it, a second run does the same for Tinytown's smallest base; the next section needs it.

**Predict.** The policy is after the score; nobody asks the judge. By how many percentage points does the share of requests done
change?
"""

# %% guess-3 folded="yes"
ppo_guess = Prediction(
    "Requests done: after step 3 minus after step 1",
    "chapter00.ppo", unit="percentage points",
)
ppo_guess

# %% train-3
from minirlhf.pretrained import save_model
from minirlhf.widgets import TrainingDesk, start as start_run

BETA = 0.2  # price of a nat, in units of the score
EPISODES = {"medium": 4096, "small": 2048}  # replies to learn from
small = load_policy(base_folder("small"), tokenizer)
list(learn(small, imitate, steps_1, 1e-3))
jobs = {}
for size, policy in {"medium": sft, "small": small}.items():
    name = f"{size}-{PASSES}-{BETA}-{EPISODES[size]}"
    save_model(policy, tokenizer, lesson.workspace("00", f"sft-{name}"))
    jobs[size] = start_run(
        "ppo", lesson.workspace("00", f"ppo-{name}"),
        model=lesson.workspace("00", f"sft-{name}"),
        reward=shipped.run("reward") / "model",
        prompts=shipped.file("prompts-ppo"), beta=BETA, drop_long=True,
        episodes=lesson.pick(EPISODES[size], quick=256),
        warmup=3, ema=0.96, micro_batch=16, rollout_micro_batch=64)

# %% desk
desk = TrainingDesk(jobs["medium"], note="live")
desk

# %% desk-says [markdown]
r"""
The *training desk* watches the run. Follow *reward*, the mean score of each batch of replies, and *KL*. Below the curves stand some
of the replies. The next cell waits for the end; then the judge looks at the prompts of the beginning.
"""

# %% measure-3
from minirlhf.evaluate.statistics import over_prompts, paired_difference

jobs["medium"].wait()
desk.look()
ppo = load_policy(jobs["medium"].folder / "model", tokenizer)
shares["ppo"] = measure("ppo", ppo)
gain = 100 * paired_difference(done["ppo"], done["sft"])
_, rewards = desk.reader.series("objective/score")
first, last = np.mean(rewards[:4]), np.mean(rewards[-4:])
ppo_guess.reveal(gain)

# %% fill-3 folded="yes"
kept = desk.reader.samples(desk.reader.series("objective/score")[0][-1])
episode = min(kept, key=lambda row: len(row["prompt"]))
board.third(episode["prompt"], episode["response"], episode["score"],
            (first, last), (shares["sft"].mean, shares["ppo"].mean))

# %% two-numbers [markdown]
r"""
In the last column stand two kinds of numbers. The *score* was trained on: that it rises says that the training works. The
share of requests *done* was not, so it measures. Chapter 06 shows runs in which the first rises and the second falls.

## Small and trained, or large and raw? (§1, §4.1)

The paper's boldest finding: people prefer its smallest model after the three steps to the largest GPT-3 as it is, over a hundred times
its size. Ours differ less in size; the table has both.

**Predict.** Which does more requests?
"""

# %% guess-size folded="yes"
size_guess = Prediction(
    "Which does more of the requests?", "chapter00.size",
    choices=("small, three steps", "no clear difference", "large, as it is"),
)
size_guess

# %% sizes
jobs["small"].wait()
trained = load_policy(jobs["small"].folder / "model", tokenizer)
large = load_policy(base_folder("large"), tokenizer)
shares["small, three steps"] = measure("small", trained)
shares["large, as it is"] = measure("large", large)
by_size = 100 * paired_difference(done["small"], done["large"])
times_larger = large.num_parameters() / trained.num_parameters()
size_guess.reveal("small, three steps" if by_size.low > 0
                  else "large, as it is" if by_size.high < 0
                  else "no clear difference")

# %% ladder-look [markdown]
r"""
Here are all models of this page. Read the first four rows downward, then compare the last two.
"""

# %% ladder folded="yes"
title = "Requests done (live)"
figure, axes = lesson.panels(1, title, (6.2, 3.2))
lesson.intervals(axes, shares, f"% of {len(asked)} requests by unseen users")
axes.set_title(
    f"large / small: {times_larger:.0f} times as many weights",
    fontsize=8.5, loc="left")
said = ", ".join(f"{lesson.called(name)} {share.mean:.0%}"
                 for name, share in shares.items())
lesson.show(figure, f"Requests done, with intervals: {said}.")

# %% after [markdown]
r"""
## Isn't PPO dead?

PPO holds four models in memory, writes new replies all the time, and has many settings. Three later methods each remove a part.
Here is what each keeps:

| | reference model | value model | learned reward | new replies while training |
|---|---|---|---|---|
| PPO, as in the paper | yes | yes | reward model | yes |
| DPO (Rafailov et al., 2023) | yes | **no** | **no model of its own**: the policy is trained on comparisons | **no** |
| GRPO (Shao et al., 2024) | yes | **no**: other replies to the same prompt say what to expect | reward model, there | yes |
| verifiable rewards (Lambert et al., 2024) | yes | yes, there with PPO | **no**: a program checks the answer | yes |

- **DPO** shows that, for the objective of step 3, the best policy and its reward determine each other (up to what depends on the prompt alone). So the loss of step 2
  can train the policy itself. What it learns from are comparisons that exist already.
- **GRPO** was made for mathematics. Our slow motion had its main idea: the mean of a group in place of a value model. It also
  divides by the group's standard deviation, and keeps PPO's limit on a step.
- **Verifiable rewards** need a task with a check: a mathematical result, a constraint such as a word count. Where there is one,
  no reward model can be fooled.

So the value model can go, and so can, for some tasks, the reward model. But is a letter kind, a summary fair, a story worth
reading? No program checks that. To practise on new replies there, something learned must grade them: a reward model, or a
language model asked to judge, which learned it from people, too. That is our reading, and why the course teaches all three steps. PPO's
policy gradient is in GRPO as well; whoever understands one reads the other.
"""

# %% summary [markdown]
r"""
## Summary

Five statements of the paper were written down before any run; some fill two rows. An interval above zero: *seen*; below it: *the
opposite*; else *open*. One run each, so intervals are over prompts, not over seeds.
"""

# %% differences
from minirlhf.tinytown.labelers import heldout_pool

judges = heldout_pool()  # labelers of whom no training has learned
prefers = np.array([
    judges[i % len(judges)].prefers(x, ours_says, sft_says)
    for i, (x, ours_says, sft_says) in
    enumerate(zip(asked, replies["ppo"], replies["sft"], strict=True))])
before, after = (shares_in_order(scored[count], given)
                 for count in (0, max(scored)))
both = np.isfinite(before) & np.isfinite(after)  # not all ties
found = [
    100 * paired_difference(done["sft"], done["base"]),
    100 * paired_difference(done["prompted"], done["base"]),
    100 * paired_difference(done["sft"], done["prompted"]),
    100 * paired_difference(after[both], before[both]),
    100 * over_prompts(after[both] - 0.5),
    gain, 100 * over_prompts(prefers - 0.5), by_size,
]

# %% statements folded="yes"
from minirlhf.paper import cite


def paper(*keys):
    return " → ".join(str(cite(f"fig1.{key}")) for key in keys)


right = str(cite("rm.accuracy.training"))
statements = [
    ("done: step 1 minus base", paper("1.3b.gpt", "1.3b.sft")),
    ("done: prompted minus base", paper("1.3b.gpt", "1.3b.prompted")),
    ("done: step 1 minus prompted", paper("1.3b.prompted", "1.3b.sft")),
    ("pairs in order: after rankings minus before", "–"),
    ("pairs in order: after rankings minus one half", right),
    ("done: step 3 minus step 1", paper("1.3b.sft", "1.3b.ppo")),
    ("step 3 preferred to step 1, minus one half", "see above"),
    ("done: small, three steps minus large",
     paper("175b.gpt", "1.3b.ppo-ptx")),
]

# %% directions folded="yes"
def verdict(difference):
    """What an interval says of a difference that the paper has above 0."""
    if difference.low > 0:
        return "seen"
    return "the opposite" if difference.high < 0 else "open"


lesson.table(
    ("statement (live, percentage points)", "the paper", "this page", ""),
    [(label, theirs, f"{here:.1f}", verdict(here))
     for (label, theirs), here in zip(statements, found, strict=True)],
)

# %% summary-read [markdown]
r"""
The paper's arrows are from its Fig. 1 (read off the plot): how often labelers prefer a model's reply to the largest SFT model's, for
the smallest model unless the row says *large*. Its last number is for PPO with pretraining mixed in, ours without. Its share of pairs is
§4.1's. Compare signs, since the scales aren't ours.

Demonstrations make a habit of replying; rankings teach a second model what people prefer; and practice for its score goes beyond
what people showed. What was trained on can't be the measure.

## Questions

**In which steps do people work, and what do they do?**

<details><summary>Answer</summary>

In step 1 they write replies, in step 2 they rank replies. In step 3 the reward model stands in for them.

</details>

**In the slow motion, a reply scores below zero and yet becomes likelier. A mistake?**

<details><summary>Answer</summary>

No. What counts is the score minus the mean of the group, and others may have scored lower still.

</details>

**Step 3 ends with a higher score and fewer requests done. What happened?**

<details><summary>Answer</summary>

The policy found what the reward model likes by mistake. A higher $\beta$ or a better reward model may help.

</details>

**You want a model that solves equations and is kind to beginners. Which part needs a learned reward?**

<details><summary>Answer</summary>

The kindness. A program can check the solution.

</details>

## The way on

| you want | take |
|---|---|
| an hour | chapter [04](04_supervised_fine_tuning.ipynb) as far as its training desk: how a model learns from demonstrations, line by line |
| a week | chapters 04, [05](05_reward_model.ipynb) and [06](06_reinforcement_learning.ipynb), each followed by its exercises ([04](../exercises/ex04_sft.ipynb), [05](../exercises/ex05_reward_model.ipynb), [06](../exercises/ex06_ppo.ipynb)), which name your mistake |
| the code | `minirlhf/plain/`: each step in one short file; then [the map](../course/MAP.md) from the paper's sections to code and tests; `make run` for all three steps with a report |
| to teach it | the lecture and lab paths at the end of each chapter; `minirlhf start ex04` gives each student a copy, `minirlhf grade` marks a folder of them |

**A lecture of thirty minutes.** The base and the empty picture (eight); steps 1 and 2, the class ranking the four replies aloud
(ten); the slow motion, and a show of hands before the judge speaks (seven); what came after (five).

**A lab of sixty minutes.** Top to bottom in pairs (forty). Then change `PASSES` or `BETA`, predict which number moves, and run again from
there (twenty).
"""
