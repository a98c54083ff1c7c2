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

Ask a language model that has only read the web for a story about a fox. It may well answer with the next line of a worksheet. How do
such models become assistants that do what you ask?

In three steps, says the InstructGPT paper (Ouyang et al., 2022): learn from replies that people wrote; learn which replies people
prefer; practise. Here you take all three, in minutes, with a model small enough for your machine. (What you ask is a *prompt*;
what the model writes after it is a *completion*, or reply.)

After this chapter you can

- show that a model which has read a lot need not do what it is asked;
- say what goes into each step, what comes out, and where people do the work;
- read the three steps as one loop with three losses;
- keep apart a number that was trained on and one that measures;
- say which parts later methods dropped, and which they kept.
"""

# %% continues [markdown] defines="base model"
r"""
## A model that only continues (§1)

A language model is trained to predict the next piece of a text, a *token*: a word or a part of one. A *base model* has been trained
for nothing else. The paper's is GPT-3. Ours has about a million weights and has read the web of *Tinytown*, a town that we made up:
stories, letters, notices, worksheets.

What does it do with a request? Below are three continuations. (*Live*: computed as you read. *Shipped run*: made beforehand.)
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
instructions "helpfully and safely" is another (§1).

Who says whether a reply does what was asked? In the paper, people do: about {paper:intro.labelers:d} *labelers*, who also
write and compare replies. Tinytown's labelers are programs with tastes and lapses of their own. And since we made the town, another
program, the *judge*, can check every sentence: a request is *done* if the reply is readable, true, and what was asked for.

We ask the base in two ways: with the request alone, and *prompted*, three answered requests in front. No model was trained on
these users' prompts. In brackets is an interval of `95%` over prompts (chapter 04).
"""

# %% measure
import numpy as np

from minirlhf.evaluate.statistics import proportion
from minirlhf.tinytown.judge import judge

asked = [row["prompt"] for row in shipped.read("prompts")]
asked = asked[: lesson.pick(400, quick=16)]
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
lesson.table(("", "% of requests done (live)"), [
    (lesson.called(name), f"{100 * share:.1f}")
    for name, share in shares.items()])

# %% flow [markdown] defines="supervised fine-tuning; reward model"
r"""
## The picture: three steps, one flow (§3.1)

Below is the paper's Fig. 2, still empty. Read each column downward: what comes in, who works on it, what is trained. Then follow
the arrows, which are what the steps hand on. Step 1 makes the *SFT model* (*supervised fine-tuning*). It writes the replies that are
compared in step 2, and step 3 starts from it. Step 2 makes the *reward model*, which grades replies in step 3. People work in
the first two steps only.
"""

# %% empty
from minirlhf.widgets import ThreeSteps

ThreeSteps()

# %% one-loop [markdown]
r"""
Each step will fill its column with what happened on your machine.

Training is the same in all three. A *loss* says in one number how far a model is from what we want. The loop computes it, finds
the direction in which it falls fastest, and moves every weight a little that way. Only `loss_of` differs.
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
## Step 1: people show how (§3.1)

A labeler writes the reply that they would like to see. Prompt and reply together are a *demonstration*; the paper has
{paper:table6.sft.train}, we have {run:counts.demonstrations}. The loss: how unlikely the model finds the labeler's words. As it
falls, they become likelier.
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
**Predict.** After two passes over the demonstrations, what percentage of the requests will be done? (You may leave a guess empty.)
"""

# %% guess-1 folded="yes"
from minirlhf.widgets import Prediction

sft_guess = Prediction(
    "After step 1, what percentage of the requests will be done?",
    "chapter00.sft", unit="% of requests",
)
sft_guess

# %% train-1
PASSES = 2  # over the demonstrations

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
paper), and a labeler puts the replies in order, ties allowed: a *ranking*. Two of them that aren't tied make a *comparison*.

Here are four replies of your SFT model. Which do you like best? Beside them stands a labeler's rank, one being the best.
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
No labeler can read every reply of a long training. The reward model learns to stand in for them: it is the SFT model with a new
last layer, which gives a reply one number, its *score*. The loss: how unlikely the scores make it that the preferred
reply of a comparison is the better one (chapter 05).
"""

# %% prefer
from torch.nn.utils.rnn import pad_sequence

from minirlhf.objectives import ranking_loss
from minirlhf.reward import score_ids


def prefer(reward, step):
    """Score preferred replies above the others."""
    x, y, ranks = zip(*rankings[16 * step :][:16], strict=True)
    xs = [one.tolist() for one, ys in zip(x, y, strict=True) for _ in ys]
    ys = [one.tolist() for several in y for one in several]
    flat = score_ids(reward, xs, ys, tokenizer.pad_token_id)
    scores = pad_sequence(flat.split([*map(len, y)]), batch_first=True)
    ranks = pad_sequence(ranks, batch_first=True)  # zero: no reply
    return ranking_loss(scores, ranks, ranks > 0).loss

# %% predict-2 [markdown]
r"""
We test on rankings of unseen users' prompts: how many pairs do the scores put in the labeler's order? The new layer starts at random, and so
about as well as a coin.

**Predict.** What percentage is it after one pass over sixteen hundred rankings?
"""

# %% guess-2 folded="yes"
order_guess = Prediction(
    "After step 2, what percentage of the pairs is in the labeler's order?",
    "chapter00.order", unit="% of pairs",
)
order_guess

# %% train-2
from functools import partial

from minirlhf.evaluate.ranking_accuracy import accuracy, score_rankings
from minirlhf.models import ScalarModel
from minirlhf.plain.demo import as_rankings
from minirlhf.reward import score_texts

rankings = shipped.read("rankings")[: lesson.pick(1600, quick=50)]
rankings = as_rankings(tokenizer, rankings)
heldout = shipped.read("heldout")[: lesson.pick(300, quick=16)]
steps_2 = len(rankings) // 16
reward = ScalarModel.from_policy(sft, tokenizer)
score = partial(score_texts, reward, tokenizer)
scored = {0: score_rankings(score, heldout)}  # by rankings read
for step, _ in enumerate(learn(reward, prefer, steps_2, 1e-3), 1):
    if step in (steps_2 // 4, steps_2 // 2, steps_2):
        scored[16 * step] = score_rankings(score, heldout)

# %% answer-2
pool = training_pool()
given = [row["ranks"] for row in heldout]
again = []  # by a labeler who isn't the one that ranked
for row in heldout:
    other = pool[1 if row["labeler"] == pool[0].name else 0]
    ranks_again = other.rank(row["prompt"], row["completions"])
    again.append([-rank for rank in ranks_again])
ceiling = accuracy(again, given)
in_order = {count: accuracy(of, given) for count, of in scored.items()}
start, end = in_order[0], in_order[max(in_order)]
order_guess.reveal(100 * end)

# %% order-look [markdown]
r"""
Follow the curve from its start. The dashed line is what a second labeler reaches: how much room is left?
"""

# %% order-picture folded="yes"
from minirlhf.report.charts import GRID, INK, MUTED

title = "What rankings teach the reward model (live)"
figure, axes = lesson.panels(1, title, (5.4, 2.7))
counts, bands = list(in_order), list(in_order.values())
axes.fill_between(counts, [100 * band.low for band in bands],
                  [100 * band.high for band in bands], color=GRID)
axes.plot(counts, [100 * band.mean for band in bands], "o-", color=INK)
for level, name, style in ((50, "a coin", "-"),
                           (100 * ceiling.mean, "a second labeler", "--")):
    axes.axhline(level, color=MUTED, linestyle=style, linewidth=0.8)
    axes.annotate(name, (counts[-1], level), xytext=(0, 3), color=MUTED,
                  textcoords="offset points", ha="right", fontsize=8)
axes.set(xlabel="rankings read", ylabel="% of pairs in order",
         ylim=(44, 100 * ceiling.mean + 6))
lesson.show(figure, "Pairs in the labeler's order: from "
    f"{start.mean:.0%} to {end.mean:.0%}; a coin has half.")

# %% fill-2 folded="yes"
board.second(request, four, ranks, score([request] * len(four), four),
             start.mean, end.mean)

# %% step-3 [markdown] defines="policy"
r"""
## Step 3: the model practises (§3.1)

Now nobody writes and nobody ranks. A prompt comes, the model replies, the reward model scores the reply. A model seen as one
that chooses each next token is called a *policy*. What it chose becomes likelier if the reply scored above expectation, less likely if below.

A lesson has no time for all rankings, so from here on the scores are a shipped run's: its reward model had
{run:counts.rankings:,} rankings and another start (chapter 05).

First in slow motion: sixteen replies to one prompt, and one step of the loop. What is expected? The mean of the sixteen. In the loss,
the weight of a reply is its score minus that mean.
"""

# %% reinforce
from minirlhf.data.tokenization import encode_completions, encode_prompts
from minirlhf.objectives import policy_loss

rewarding = ScalarModel.load(shipped.run("reward") / "model")
score = partial(score_texts, rewarding, tokenizer)
tries = complete(sft, tokenizer, [request], n=16, seed=3,
                 max_new_tokens=LIMIT)
scores = score([request] * 16, tries)
x = encode_prompts(tokenizer, [request])[0]
practice = as_pairs((x, y) for y in encode_completions(tokenizer, tries))


def reinforce(policy, step):
    """Make replies likelier if they score above the mean."""
    log_pi, mask = logprobs(policy, practice)
    better = (scores - scores.mean())[:, None]  # than expected
    return policy_loss(log_pi, log_pi.detach(), better, mask)

# %% one-step
import copy


@torch.no_grad()
def log_likelihood(policy):
    return logprobs(policy, practice)[0].sum(1)


policy = copy.deepcopy(sft)
list(learn(policy, reinforce, 1, 1e-4))
times = (log_likelihood(policy) - log_likelihood(sft)).exp()

# %% one-step-table folded="yes"
best_first = scores.argsort(descending=True).tolist()
lesson.table(
    ("best and worst of sixteen (live)", "score", "times as likely"),
    [(tries[i], f"{scores[i]:.2f}", f"{times[i]:.2f}")
     for i in (*best_first[:3], *best_first[-3:])],
)

# %% price [markdown] defines="reference model; KL divergence; PPO; value model"
r"""
A model that practises for a score finds whatever pleases the scorer, mistakes of the scorer included. So a frozen copy of its start, the
*reference model*, stays beside it, and moving away from it costs. The distance is the *KL divergence*; $\beta$ is its price per
unit, the *nat*.

The paper's method for this step is *PPO*, proximal policy optimization: thousands of replies, that price, a *value model* to predict
the score (above, the mean stood in for it), and a limit on how far one step may go (chapter 06). The package has it; it starts from your SFT
model.

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
from minirlhf.widgets import TrainingDesk
from minirlhf.widgets import start as start_run

BETA = 0.2  # price of a nat, in units of the score


def practise(size, policy, episodes):
    """Start PPO in a process of its own; an episode is a reply."""
    name = f"{size}-{steps_1}-{BETA}-{episodes}"
    save_model(policy, tokenizer, lesson.workspace("00", f"sft-{name}"))
    return start_run(
        "ppo", lesson.workspace("00", f"ppo-{name}"), episodes=episodes,
        model=lesson.workspace("00", f"sft-{name}"), beta=BETA,
        reward=shipped.run("reward") / "model", drop_long=True,
        prompts=shipped.file("prompts-ppo"), warmup=3, ema=0.96,
        micro_batch=16, rollout_micro_batch=64)

# %% desk
job = practise("medium", sft, episodes=lesson.pick(4096, quick=256))
desk = TrainingDesk(job, note="live")
desk

# %% desk-says [markdown]
r"""
The *training desk* watches the run. Follow *reward*, the mean score of each batch of replies, and *KL*. Under the curves stand some
of the replies. The next cell waits for the end and asks the prompts of the beginning again.
"""

# %% measure-3
from minirlhf.evaluate.statistics import over_prompts, paired_difference

job.wait()
desk.look()
ppo = load_policy(job.folder / "model", tokenizer)
shares["ppo"] = measure("ppo", ppo)
gain = 100 * paired_difference(done["ppo"], done["sft"])
batches, rewards = desk.reader.series("objective/score")
first, last = np.mean(rewards[:4]), np.mean(rewards[-4:])
ppo_guess.reveal(gain)

# %% fill-3 folded="yes"
from minirlhf.report.examples import is_plain

kept = [row for at in batches[-10:] for row in desk.reader.samples(at)]
kept = [row for row in kept if is_plain(row)] or kept
episode = min(kept, key=lambda row: abs(row["score"] - last))
board.third(episode["prompt"], episode["response"], episode["score"],
            (first, last), (shares["sft"].mean, shares["ppo"].mean))

# %% two-numbers [markdown]
r"""
In the last column stand two kinds of numbers. The *score* was trained on: if it rises, the training works. The
share of requests *done* was not, so it measures. (A kind measure: no step asks the judge, but the labelers start from its grade.)

## Small and trained, or large and raw? (§1, §4.1)

The paper's boldest finding: people prefer its smallest model after all three steps to the largest GPT-3 as it is, over a hundred times
its size. Our sizes differ less (the picture says how much). Tinytown's smallest base now takes steps 1 and 3 as well, with the same reward model.

**Predict.** Which does more requests, the small model after all steps or the large one as it is?
"""

# %% small
small = load_policy(base_folder("small"), tokenizer)
list(learn(small, imitate, steps_1, 1e-3))
small_job = practise("small", small, lesson.pick(1536, quick=256))

# %% guess-size folded="yes"
size_guess = Prediction(
    "Which does more of the requests?", "chapter00.size",
    choices=("small, trained", "no clear difference", "large, raw"),
)
size_guess

# %% sizes
small_job.wait()
trained = load_policy(small_job.folder / "model", tokenizer)
large = load_policy(base_folder("large"), tokenizer)
shares["small, trained"] = measure("small", trained)
shares["large, raw"] = measure("large", large)
by_size = 100 * paired_difference(done["small"], done["large"])
times_larger = large.num_parameters() / trained.num_parameters()
small_wins, large_wins = by_size.low > 0, by_size.high < 0
size_guess.reveal("small, trained" if small_wins else "large, raw"
                  if large_wins else "no clear difference")

# %% ladder-look [markdown]
r"""
All models of this page: read the first four rows downward, then compare the last two.
"""

# %% ladder folded="yes"
figure, axes = lesson.panels(1, "Requests done (live)", (6.2, 3.2))
lesson.intervals(axes, shares, f"% of {len(asked)} requests")
axes.set_title(f"the large model has {times_larger:.0f} times the weights "
               "of the small one", fontsize=8.5, loc="left")
seen = ", ".join(f"{lesson.called(name)} {share.mean:.0%}"
                 for name, share in shares.items())
lesson.show(figure, f"Requests done, with intervals: {seen}.")

# %% after [markdown]
r"""
## Isn't PPO dead?

PPO holds four models in memory and has many settings. Three later methods each remove a part:

| | reference model | value model | reward model | new replies in training |
|---|---|---|---|---|
| PPO, as in the paper | yes | yes | yes | yes |
| DPO (Rafailov et al., 2023) | yes | **no** | **no** | **no** |
| GRPO (Shao et al., 2024) | yes | **no** | yes, there | yes |
| verifiable rewards (Lambert et al., 2024) | yes | yes, there | **no** | yes |

- **DPO** trains the policy itself on comparisons, with the loss of step 2: the log-ratio of policy and reference model, times
  $\beta$, is the score. In theory the best policy is that of step 3; but it learns from comparisons that exist already.
- **GRPO** had its start in mathematics. Our slow motion is its main idea: a group's mean in place of a value
  model. It also divides by the group's standard deviation, and keeps PPO's limit on a step.
- **Verifiable rewards** come from a program that checks the reply: a result in mathematics, a constraint. There is no reward model to
  fool, though a careless check can be fooled too. Lambert et al. train with PPO.

So the value model can go, and so can, where a program can check, the reward model. But is a letter kind, a summary fair, a story worth
reading? Our reading: to practise on *new* replies there, something learned has to grade them, a reward model or a
language model asked to judge. And the step that makes good replies likelier is the same in PPO and GRPO.
"""

# %% summary [markdown]
r"""
## Summary

Five statements of the paper were written down before any run; some fill two rows. An interval above zero: *seen*; below it: *the
opposite*; else *open*. One run each, so intervals are over prompts, not over seeds.
"""

# %% differences
from minirlhf.evaluate.ranking_accuracy import shares_in_order
from minirlhf.tinytown.labelers import heldout_pool

judges = heldout_pool() * len(asked)  # no training learned from them
trio = zip(judges, asked, replies["ppo"], replies["sft"], strict=False)
preferred = [one.prefers(x, new, old) for one, x, new, old in trio]
late, early = (shares_in_order(scored[count], given)
               for count in (max(scored), 0))
both = np.isfinite(late) & np.isfinite(early)  # not all ties
found = [
    100 * paired_difference(done["sft"], done["base"]),
    100 * paired_difference(done["prompted"], done["base"]),
    100 * paired_difference(done["sft"], done["prompted"]),
    100 * paired_difference(late[both], early[both]),
    100 * over_prompts(late[both] - 0.5),
    gain, 100 * over_prompts(np.array(preferred) - 0.5), by_size,
]

# %% statements folded="yes"
from minirlhf.paper import cite


def paper(*keys):
    return " → ".join(str(cite(f"fig1.{key}")) for key in keys)


statements = [
    ("done: step 1 minus base", paper("1.3b.gpt", "1.3b.sft")),
    ("done: prompted minus base", paper("1.3b.gpt", "1.3b.prompted")),
    ("done: step 1 minus prompted", paper("1.3b.prompted", "1.3b.sft")),
    ("pairs in order: after minus before", "–"),
    ("pairs in order: minus one half", str(cite("rm.accuracy.training"))),
    ("done: step 3 minus step 1", paper("1.3b.sft", "1.3b.ppo")),
    ("step 3 preferred to step 1: minus one half", "–"),
    ("done: small, trained, minus large",
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
The paper's arrows say how often labelers prefer a reply to one by its largest SFT model (Fig. 1, read off the plot): of its smallest
model; in the last row, of the largest GPT-3 and of the smallest model after PPO with pretraining mixed in, which ours leaves out. Compare
signs: the scales differ.

Demonstrations make a habit of replying. Rankings teach a second model what people prefer. Practice for its score can go beyond
what people showed; but a score that was trained on can't be the measure.

## Questions

**In which steps do people work, and what do they do?**

<details><summary>Answer</summary>

In step 1 they write replies, in step 2 they rank replies. In step 3 the reward model stands in for them.

</details>

**In the slow motion, a reply with a score below zero becomes likelier. A mistake?**

<details><summary>Answer</summary>

No. The score minus the mean counts, and the mean may lie lower still.

</details>

**Step 3 ends with a higher score and fewer requests done. What happened?**

<details><summary>Answer</summary>

The policy found what the reward model likes by mistake. A higher $\beta$ or a better reward model may help.

</details>

**You want a model that solves equations and is kind to beginners. What needs a learned reward?**

<details><summary>Answer</summary>

Kindness. A program can check the solution.

</details>

## The way on

| you want | take |
|---|---|
| an hour | [chapter 04](04_supervised_fine_tuning.ipynb): step 1, line by line |
| a week | [chapter 04](04_supervised_fine_tuning.ipynb), [chapter 05](05_reward_model.ipynb), [chapter 06](06_reinforcement_learning.ipynb), each followed by its exercises, which name your mistake: [ex04](../exercises/ex04_sft.ipynb), [ex05](../exercises/ex05_reward_model.ipynb), [ex06](../exercises/ex06_ppo.ipynb) |
| the code | `minirlhf/plain/`, a short file for each step; then [the map](../course/MAP.md) from the paper to code and tests |
| to teach it | the lecture and lab paths that end each chapter; `minirlhf start ex04` gives each student a copy of the exercise |

**A lecture of thirty minutes.** The base and the empty picture (eight); steps 1 and 2, the class ranking the replies aloud
(ten); the slow motion, and a show of hands before PPO's result (seven); what came after (five).

**A lab of sixty minutes.** The page in pairs (forty). Then change `PASSES` or `BETA`, predict which number moves, and run again from
there (twenty).
"""
