# ---
# jupyter:
#   minirlhf:
#     paper: §3.5, C.3, C.4, E.7
#     doing_minutes: 25
# ---

# %% title [markdown]
r"""
# Chapter 06 · Reinforcement learning

Step 3 lets the policy write, scores what it wrote, and makes the words of a good reply more likely next time. That is all
of it. Most of this chapter is about what keeps it from going wrong: the scores come from a model that can be fooled, and
a policy that is paid for fooling it will learn to.

After this chapter you can

- say what state, action and reward are when a language model is the policy;
- follow one reply from its sampled tokens to rewards and the clipped loss, and work out each number;
- run PPO, steer it while it runs, and tell whether the replies got better or only their scores;
- read a sweep of $\beta$ from too small to too large;
- name what the paper leaves open, and where the values come from.
"""

# %% bandit [markdown] defines="PPO; rollout"
r"""
## A game of one move (§3.5)

A prompt arrives, the policy replies, the reward model gives a score, and the game is over: a *bandit*, in the paper's
words. Seen from inside, the move is made of many: each token is chosen in the state of all tokens before it. The paper
trains with *PPO* (proximal policy optimization): sample some hundred replies, the *rollout*, work out which tokens did
better than expected, take a few careful steps, and sample again.

It doesn't begin from the SFT model of step 1 but from one trained for it (C.3): {paper:init.epochs} epochs on the
demonstrations, with a tenth of every batch taken from the pretraining data. Here is that model, and what the reward model
of step 2 thinks of its replies. A demonstration scores zero on average.
"""

# %% models
from functools import partial

from minirlhf import lesson, shipped
from minirlhf.models import ScalarModel, load_policy, load_tokenizer
from minirlhf.reward import score_texts

tokenizer = load_tokenizer(shipped.run("initial") / "model")
initial = load_policy(shipped.run("initial") / "model", tokenizer)
reward_model = ScalarModel.load(shipped.run("reward") / "model")
score = partial(score_texts, reward_model, tokenizer)

# %% replies
from minirlhf.sampling import complete

people = shipped.read("prompts")[: lesson.pick(300, quick=16)]
asked = [row["prompt"] for row in people]
request = "Write a story about Cora and a lamp.\n"
answer = partial(complete, tokenizer=tokenizer, max_new_tokens=72)
tries = answer(initial, prompts=[request], n=4, seed=6)
print(request.strip())
for r, y in zip(score([request] * 4, tries), tries, strict=True):
    print(f"  {float(r):+.2f}  {y.strip()}")

# %% score-guess
from minirlhf.widgets import Prediction

start_score = Prediction(
    "Mean score of this model's replies, one to each of many requests:",
    "06.start", unit="score",
)  # fmt: skip
start_score

# %% start-score
from_initial = answer(initial, prompts=asked, seed=61)
start_score.reveal(float(score(asked, from_initial).mean()))

# %% objective [markdown] defines="reference model; KL divergence"
r"""
## What is maximised (Eq. 2)

$$
J(\phi)=\mathbb E_{x,\,y\sim\pi}\Big[r_\theta(x,y)-\beta\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]
$$

The first term is the score. The second is the price of moving away: $\pi^{\rm SFT}$ is the *reference model*, a frozen
copy of the start, and the expected log-ratio is the *KL divergence* (KL) between the two, in nats. Each nat costs
$\beta$ units of reward. The paper's $\beta$ is {paper:ppo.beta}; a reward model with larger scores needs a larger one,
and ours does. The last term, with the weight $\gamma$, keeps the model good at ordinary text; we come back to it.
$\gamma$ is no discount: nothing is discounted here.

The log of a product is a sum, so the KL price can be paid token by token, and the score comes at the end:

$$
R_t=-\beta\big(\log\pi_t-\log\pi^{\rm SFT}_t\big)+\mathbf 1[t=\text{last}]\;r_\theta(x,y)
$$
"""

# %% token-by-token [markdown] defines="value model; advantage; GAE"
r"""
## One reply, token by token

Here is a shipped policy that PPO has trained. Walk through the four steps above the picture, and choose a token with the
slider.

1. **Sampling.** How likely was each token, under the policy and under the reference?
2. **Reward.** The price at every token, the score at the last.
3. **Advantage.** A *value model* predicts at each token what reward is still to come. What came out, less what was
   expected, is the token's *advantage*; *GAE* (generalised advantage estimation) sums the surprises from there on, each
   further one weighing less by a factor $\lambda$.
4. **Loss.** The step that follows, and where it stops.
"""

# %% lens
from dataclasses import replace

from minirlhf.config import PRESETS
from minirlhf.rollouts import Models
from minirlhf.widgets import TokenLens

config = replace(PRESETS["tinytown"].ppo, max_response=72, seed=3)
trained = load_policy(shipped.run("ppo") / "model", tokenizer)
value_model = reward_model.value_model()  # it starts as a copy (C.4)
models = Models(trained, initial, reward_model, value_model, tokenizer)
lens = TokenLens(models=models, prompt=request, config=config)
lens

# %% by-hand-text [markdown]
r"""
The same by hand, and below it the lens on its third step. The shaped rewards are one line. For the advantages, walk from the last token to the first: the surprise
at a token is its reward plus the next value less its own, and $\lambda$ of the advantage after it is carried along.
"""

# %% by-hand
import torch

seen = lens.trace
log_ratio = torch.tensor(seen.logprobs) - torch.tensor(seen.reference)
rewards = -seen.beta * log_ratio
rewards[-1] += seen.score
values, advantages, running = [*seen.values, 0.0], [], 0.0
for t in reversed(range(len(rewards))):
    surprise = float(rewards[t]) + values[t + 1] - values[t]
    running = surprise + seen.lam * running
    advantages.insert(0, running)
same = torch.tensor(advantages).allclose(seen.gae.advantages, atol=1e-4)
kl = float(log_ratio.sum())
print(f"score {seen.score:+.3f} less {seen.beta:g} x {kl:.3f} nats: "
      f"{float(rewards.sum()):+.3f}")  # fmt: skip
print("the package's advantages are the same:", same)

# %% eq2
from minirlhf.objectives import rlhf_objective, shaped_rewards

r = torch.tensor([seen.score])
logp, reference = torch.tensor([[seen.logprobs, seen.reference]]).unbind(1)
everywhere = torch.ones_like(logp, dtype=torch.bool)
one_reply = r, logp, reference, everywhere, seen.beta
same = shaped_rewards(*one_reply)[0].allclose(rewards, atol=1e-4)
print("the package's rewards are the same:", same)
print(f"Eq. 2 without its last term: {rlhf_objective(*one_reply):+.3f}")

# %% lens-gae
second = TokenLens(seen)
second.step.value = "gae"
second

# %% clip-text [markdown] defines="whitening"
r"""
### The careful step

Over a batch the advantages are shifted and scaled to mean zero and variance one (*whitening*). Then each token's
probability is pushed up or down with its advantage. How far? PPO compares the probability with what it was when
the token was sampled. Their ratio is $\rho_t$, and the loss

$$
-\min\big(\rho_t\hat A_t,\;\mathrm{clip}(\rho_t,\,1-\epsilon,\,1+\epsilon)\,\hat A_t\big)
$$

goes flat where the ratio has moved further than $\epsilon$ in the direction that pays. Flat means no gradient: that token
has had its share of this batch. It doesn't go flat where the ratio has moved the wrong way.
"""

# %% clip-guess
clipped = Prediction(
    "A bad token (negative advantage) has become twice as likely. "
    "Its gradient is …", "06.clip",
    choices=("zero: it is beyond the clip", "not zero"),
)  # fmt: skip
clipped

# %% clip
from minirlhf.objectives import policy_loss
from minirlhf.plots import INK, MUTED

figure, panels = lesson.panels(
    2, "The clipped loss of one token (live)",
    titles=("a good token, advantage +1", "a bad token, advantage -1"),
)  # fmt: skip
rho = torch.linspace(0.4, 2.1, 171)
old, one = torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool)
for axes, advantage in zip(panels, (1.0, -1.0), strict=True):
    A = torch.full((1, 1), advantage)
    losses = [policy_loss(r.log().view(1, 1), old, A, one) for r in rho]
    axes.plot(rho, -advantage * rho, color=MUTED, ls=(0, (3, 2)), lw=1)
    axes.plot(rho, losses, color=INK)
    axes.set(xlabel="ratio of its probability, new to old", ylabel="loss")
lesson.show(figure, "A good token's loss goes flat to the right of 1.2, a "
    "bad one's to the left of 0.8; dashed, without the clip.")  # fmt: skip

# %% clip-reveal
new = torch.tensor([[2.0]]).log().requires_grad_()
policy_loss(new, old, torch.tensor([[-1.0]]), one).sum().backward()
clipped.reveal(clipped.choices[int(new.grad.item() != 0)])

# %% run [markdown]
r"""
## A run (C.4)

Now all of it, some thousand times: the next cell starts PPO from the initial model of C.3. The desk shows the
reward model's score, the KL paid for it, and replies as they come. While it runs, move $\beta$ and see the KL
answer; the run's folder notes what you did, and its numbers up to then stay as they were. (On Colab the cell itself stays
busy until the run ends, and the sliders work meanwhile.)
"""

# %% run-guess
gain = Prediction(
    "By how many points will the share of passing replies change?",
    "06.gain", unit="percentage points",
)  # fmt: skip
gain

# %% desk
from minirlhf.widgets import TrainingDesk, start

EPISODES = lesson.pick(6144, quick=128)  # replies in all
place = lesson.workspace("chapter06", f"ppo-{EPISODES}")
job = start(
    "ppo", place,
    model=shipped.run("initial"), reward=shipped.run("reward"),
    prompts=shipped.file("prompts-ppo"), drop_long=True, episodes=EPISODES,
    rollout_batch=lesson.pick(256, quick=64), minibatch=64,
)  # fmt: skip
TrainingDesk(job, note="live")

# %% judge-text [markdown] defines="judge"
r"""
The reward model's score must rise; that is what is being maximised. Whether the replies are better is another question, and
in Tinytown there is somebody to ask: the *judge*, who takes no part in this training. A reply *passes* when the judge finds
nothing wrong with it. The next cell waits for the run and asks, on requests by people whom no training set has.
"""

# %% gained
from minirlhf.evaluate.statistics import over_prompts, paired_difference
from minirlhf.tinytown.judge import judge


def passing(replies):
    """For each request, whether the reply to it passes."""
    both = zip(asked, replies, strict=True)
    return [float(judge(x, y).passes) for x, y in both]


job.wait()
mine = load_policy(place / "model", tokenizer)
from_mine = answer(mine, prompts=asked, seed=61)
before, after = passing(from_initial), passing(from_mine)
difference = paired_difference(after, before)

# %% gained-table
rows = []
for name, replies in (("before", from_initial), ("after", from_mine)):
    i, mean = over_prompts(passing(replies)), score(asked, replies).mean()
    share = f"{100 * i.mean:.1f} ({100 * i.low:.1f}, {100 * i.high:.1f})"
    rows.append((name, f"{float(mean):+.2f}", share))
low, high = 100 * difference.low, 100 * difference.high
change = f"{100 * difference.mean:+.1f} ({low:+.1f}, {high:+.1f})"
rows.append(("change, request by request", "", change))
lesson.table(("live", "mean score", "% that pass"), rows)

# %% gain-reveal
gain.reveal(100 * difference.mean)

# %% sweep [markdown] defines="over-optimisation"
r"""
## From a small $\beta$ to a large one (E.7)

If the reward model were the truth, the best price of moving would be none. It isn't. Where the price is too small the
policy finds replies that the model overrates: the score, the *proxy*, goes on rising while what it stands for stops, or
falls. That is *over-optimisation*. Where the price is too large, the policy can't afford to learn. The paper finds
$\beta$ between {paper:ppo.beta.best.low} and {paper:ppo.beta.best.high} best, and both none at all and a hundred times as
much poor (E.7).

These are shipped runs, alike in everything but $\beta$, each looked at twice: by the reward model that it was trained
on, and by the judge. Move the slider, and read the replies.
"""

# %% sweep-guess
at_beta = Prediction(
    "Of these runs, which has the best replies by the judge?", "06.beta",
    choices=("the smallest β", "one in the middle", "the largest β"),
)  # fmt: skip
at_beta

# %% points
import numpy as np

from minirlhf.widgets import Frontier, Point
from minirlhf.widgets.reader import Reader

sweep, readers, points = shipped.read("sweep"), {}, []
for row in sweep:
    reader = Reader(shipped.run(f"beta-{row['factor']:g}"))
    reader.look()
    kl = reader.series("objective/kl")[1]
    proxy = reader.series("objective/score")[1]
    readers[row["beta"]] = reader
    where = {"beta": row["beta"], "kl": np.mean(kl[-3:])}
    where["proxy"] = np.mean(row["score"])
    where["judge"] = np.mean(row["grade"])
    said = reader.samples(reader.rows[-1]["step"])
    path = list(zip(kl, proxy, strict=True))
    points.append(Point(**where, samples=said, path=path))

# %% frontier
Frontier(points, source="shipped runs")

# %% beta-reveal
points.sort(key=lambda point: point.beta)
best = max(range(len(points)), key=lambda k: points[k].judge)
place_of = 0 if best == 0 else 2 if best == len(points) - 1 else 1
at_beta.reveal(at_beta.choices[place_of])


# %% sweep-table
def ends(i, scale=1, digits=2):
    """A mean with its interval, to be read."""
    numbers = (scale * getattr(i, end) for end in ("mean", "low", "high"))
    return "{} ({}, {})".format(*(f"{n:.{digits}f}" for n in numbers))


rows = []
by_beta = sorted(sweep, key=lambda row: row["beta"])
for row, point in zip(by_beta, points, strict=True):
    grade, share = over_prompts(row["grade"]), over_prompts(row["passes"])
    reached = f"{point.kl:.2f}", f"{point.proxy:+.2f}"
    seen_by = ends(grade), ends(share, 100, 0)
    rows.append((f"{row['beta']:g}", *reached, *seen_by))
head = "β", "KL, nats", "score", "judge's grade", "% that pass"
lesson.table(head, rows)

# %% over-time [markdown]
r"""
Over-optimisation has a course in time. On the left the reward model's score, on the right the judge's grade of the same
replies, iteration by iteration; the runs differ in line style.
"""

# %% over-time-picture
from minirlhf.plots import PALETTE, running_mean

styles = ["-", (0, (5, 2)), (0, (2, 2)), (0, (1, 1)), (0, (5, 1, 1, 1))]
figure, panels = lesson.panels(
    2, "The sweep as it trained (shipped runs)",
    titles=("reward model's score", "judge's grade"),
)  # fmt: skip
names = "objective/score", "judge/grade"
for number, (beta, reader) in enumerate(sorted(readers.items())):
    look = {"ls": styles[number], "color": PALETTE["ppo"]}
    for axes, name in zip(panels, names, strict=True):
        steps, heights = reader.series(name)
        smooth = running_mean(np.array(heights), 3)
        axes.plot(steps, smooth, label=f"β {beta:g}", **look)
        axes.set_xlabel("iteration")
panels[0].legend(frameon=False, fontsize=7.5)
lesson.show(figure, "Score and judge's grade of each run over its course.")

# %% ptx [markdown] defines="alignment tax; PPO-ptx"
r"""
## PPO and PPO-ptx, a first look (C.4)

Training on one thing unlearns others: what a model loses elsewhere is the *alignment tax*. The paper's remedy is the last
term of Eq. 2. In every step, gradients of the pretraining loss, weighted by $\gamma$, are added to those of PPO:
*PPO-ptx*. The paper's $\gamma$ is {paper:ptx.gamma}, with {paper:ptx.ratio} pretraining examples an episode; Tinytown's
is smaller, and so is their number, because time is short.

Here are two shipped policies that differ in this alone, beside what they came from: how many of their replies pass, and how
well each still predicts the web of Tinytown, which the base model was pretrained on.
"""

# %% ptx-guess
taxed = Prediction(
    "Which loses least of what the base knew of ordinary text?", "06.ptx",
    choices=("initial", "ppo", "ppo-ptx"),
)  # fmt: skip
taxed

# %% corpus-loss
from minirlhf.tinytown.bases import VALIDATION_SEED, base_folder, corpus

unseen = corpus(lesson.pick(150, quick=10), VALIDATION_SEED)
texts = [row["text"] for row in unseen]


@torch.no_grad()
def corpus_loss(policy):
    """Nats a token on pretraining documents that nobody has seen."""
    losses = []
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=300)["input_ids"]
        tokens = torch.tensor([[*ids, tokenizer.eos_token_id]])
        losses.append(float(policy(input_ids=tokens, labels=tokens).loss))
    return over_prompts(losses)


# %% ptx-measured
families = {"base": base_folder("medium"),
            "initial": shipped.run("initial") / "model",
            "ppo": shipped.run("ppo") / "model",
            "ppo-ptx": shipped.run("ppo-ptx") / "model"}  # fmt: skip
loss, passed = {}, {}
for name, folder in families.items():
    policy = load_policy(folder, tokenizer)
    loss[name] = corpus_loss(policy)
    said = answer(policy, prompts=asked, seed=62)
    passed[name] = over_prompts(passing(said))

# %% ptx-picture
figure, (left, right) = lesson.panels(
    2, "What they can, and what they have kept (shipped runs)",
    titles=("requests", "ordinary text (less is better)"),
)  # fmt: skip
lesson.intervals(left, passed, "% of replies that pass")
lesson.intervals(right, loss, "nats a token", percent=False)
seen = ", ".join(f"{name} {i.mean:.2f}" for name, i in loss.items())
lesson.show(figure, f"Loss on ordinary text: {seen} nats a token.")

# %% ptx-reveal
taxed.reveal(min(taxed.choices, key=lambda name: loss[name].mean))

# %% unstated [markdown]
r"""
## What the paper doesn't say

Whoever rebuilds this needs values that the paper doesn't print. Ours come from the work it builds on, whose code or
text gives them, and each says so where it stands in `minirlhf/config.py`.
"""

# %% unstated-table
town, paper_ppo = PRESETS["tinytown"].ppo, PRESETS["paper"].ppo
sources = {
    "lam": "λ of GAE: lm-human-preferences, Stiennon et al. 2020",
    "value_clip": "clip range of the values: lm-human-preferences",
    "whiten_advantages": "whitening: lm-human-preferences",
    "eps": "Adam's ε: lm-human-preferences",
    "grad_clip": "largest gradient norm: GPT-3",
    "learning_rate": "final rates aren't printed; E.9 sweeps them",
    "missing_eos_penalty": "none: a reply without end keeps its score",
}
rows = [(name, getattr(paper_ppo, name), getattr(town, name), where)
        for name, where in sources.items()]  # fmt: skip
lesson.table(("setting", "preset paper", "tinytown", "where from"), rows)

# %% summary [markdown]
r"""
## Summary

| | the paper | Tinytown (shipped run) |
|---|---|---|
| episodes | {paper:ppo.episodes} | {run:counts.episodes:,} |
| episodes an iteration, a minibatch | {paper:ppo.batch}, {paper:ppo.minibatch} | {run:counts.ppo_batch}, {run:counts.ppo_minibatch} |
| passes over an iteration | {paper:ppo.inner_epochs} | {run:counts.ppo_inner} |
| clip range | {paper:ppo.clip} | {run:counts.ppo_clip} |
| $\beta$ | {paper:ppo.beta} | {run:counts.ppo_beta} |
| $\gamma$ of PPO-ptx | {paper:ptx.gamma} | {run:counts.ptx_gamma} |
| wins of the smallest model against the largest SFT (Fig. 1): SFT, PPO, PPO-ptx | {paper:fig1.1.3b.sft}, {paper:fig1.1.3b.ppo}, {paper:fig1.1.3b.ppo-ptx} | – |
| wins against our own SFT model, by labelers: PPO, PPO-ptx | – | {run:models.ppo.wins_labelers:.2f}, {run:models.ppo-ptx.wins_labelers:.2f} |
| replies that pass: SFT, PPO, PPO-ptx | – | {run:models.sft.passes:.1%}, {run:models.ppo.passes:.1%}, {run:models.ppo-ptx.passes:.1%} |

PPO makes the tokens of better-than-expected replies more likely, a little at a time. The score it climbs is a stand-in, and
$\beta$ says how far the policy may go for it; only a judge outside of training can tell where the climb stops being worth it.
What the climb costs elsewhere, a little pretraining in every step is meant to pay back.
"""

# %% questions [markdown]
r"""
## Questions

1. Why is the KL price paid token by token, and not once at the end like the score?

<details><summary>Answer</summary>

The sum is the same. But a price at the token that caused it tells the advantages at once which token to blame; at the end it
would have to be found out by trial.

</details>

2. In the first minibatch of an iteration every ratio is one. What is the gradient of the clipped loss then?

<details><summary>Answer</summary>

That of the plain policy gradient: minus the advantage times the gradient of the log-probability. Nothing is clipped yet; a
clip fraction above zero there is a bug.

</details>

3. The reward model's score rises and so does the KL. Name two runs that look like this, a good one and a bad one.

<details><summary>Answer</summary>

One whose judge's grade rises too, and one whose grade falls. From the training curves alone they can't be told apart, which
is why the paper chose its models by what people said.

</details>

4. Why does the value model start from the reward model, and not from the policy?

<details><summary>Answer</summary>

It has to predict the reward model's score from a part of a reply. The reward model already knows which signs matter; at the last
token its guess is nearly right from the beginning.

</details>

5. Somebody doubles all of the reward model's scores. What must they do to get the same policy?

<details><summary>Answer</summary>

Double $\beta$ too. It is a price in units of the reward, so its number alone says nothing; and $\gamma$ is such a price as
well.

</details>
"""

# %% way-on [markdown]
r"""
## The way on

[Exercise 06](../exercises/ex06_ppo.ipynb): the KL estimators, the shaped reward, GAE, whitening, both clipped losses and a
step of PPO-ptx by your own hand; a seeded bug; a number to predict. Back to [chapter 05](05_reward_model.ipynb), where the
scores come from.

- **Lecture path (half an hour).** Start the run first. The game of one move; Eq. 2; the lens, all four steps; the careful
  step with the prediction asked aloud; back to the run; the frontier, slowly; the summary.
- **Lab path (an hour).** Everything, cell by cell; while the run goes, set $\beta$ to a tenth and watch the KL; read the
  replies of the smallest $\beta$ until you can say what the reward model likes; then questions one to four of the exercise.
"""
