# ---
# jupyter:
#   minirlhf:
#     paper: §3.5, Eq. 2, C.3, C.4, E.7
#     doing_minutes: 30
# ---

# %% title [markdown]
r"""
# Chapter 06 · Reinforcement learning

Step 3 of the paper: the policy writes, the reward model scores, and what scored well becomes likelier. How does one
number at the end of a reply reach each of its tokens? And what happens when the policy learns the reward model's
weaknesses, too?

After this chapter you can

- write Eq. 2, and say what each of its three terms is for;
- follow a response from the sampled token to the clipped loss, number by number;
- train a policy, and say from held-out prompts whether it became better;
- recognise from two curves a policy that fools its reward model;
- name what the paper leaves open, and where each missing value comes from.
"""

# %% bandit [markdown] defines="PPO-ptx"
r"""
## A bandit with one turn (§3.5, Eq. 2)

A prompt comes in, the policy answers, the reward model scores the answer, and the episode is over. The paper calls this
a *bandit*: the prompt $x$ is the state, one whole response $y$ is the action, and no other state follows. What is to grow is Eq. 2:

$$
J(\phi)=\mathbb E_{x,\,y\sim\pi}\Big[\,r_\theta(x,y)-\beta\,\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]
$$

- $r_\theta(x,y)$, the **score**, pulls the policy towards what the reward model likes.
- $\beta$ times the log-ratio is the **price** of leaving the reference model $\pi^{\rm SFT}$: $\beta$ for each nat of KL. A reward
  model can be trusted near the texts it was trained on, hardly further.
- The last term **rehearses** pretraining text, weighted by $\gamma$. Without it ($\gamma=0$) the paper says PPO, with it
  *PPO-ptx*. In most books $\gamma$ is a discount; here it never is, and the paper has none.

The logarithm of a product is a sum. So the price of a response can be charged token by token, while its score comes
once, at the end.
"""

# %% four-models [markdown] defines="value model"
r"""
## Four models at work (C.3, C.4)

- The **policy** starts as the initial model of C.3: in the paper, the base model after {paper:init.epochs} epochs of
  demonstrations, mixed with {paper:init.pretrain_mix:.0%} pretraining text. It isn't the SFT baseline with its {paper:sft.epochs} epochs.
- The **reference model** is a frozen copy of the same initial model, whatever the name $\pi^{\rm SFT}$ suggests.
- The **reward model** of step 2 is frozen, too.
- The **value model** predicts, at each token, the reward that is still to come. It starts as a copy of the reward
  model and learns beside the policy.

In the paper reward and value model have {paper:value.size} parameters, whatever the policy has; in Tinytown all four are
alike. Of the held-out prompts, the judge passes {run:models.initial.passes:.0%} for our initial model,
{run:models.sft.passes:.0%} for SFT.

We load them from the shipped run, and as policy we take its *last* one: at the first iteration the policy equals its
reference, and each log-ratio would be zero.
"""

# %% load
from minirlhf import lesson, shipped
from minirlhf.models import ScalarModel, load_policy, load_tokenizer
from minirlhf.rollouts import Models

tokenizer = load_tokenizer(shipped.run("ppo") / "model")
policy = load_policy(shipped.run("ppo") / "model")
initial = load_policy(shipped.run("initial") / "model")
reward = ScalarModel.load(shipped.run("reward") / "model")
models = Models(policy, initial, reward, reward.value_model(), tokenizer)

# %% four
said = (
    ("policy", "the initial model of C.3", "yes", models.policy),
    ("reference", "the initial model of C.3", "no", models.reference),
    ("reward model", "the model of step 2", "no", models.reward),
    ("value model", "the reward model", "yes", models.value),
)
lesson.table(("model", "starts as", "learns in step 3", "weights"), [
    (name, start, learns, f"{sum(w.numel() for w in model.parameters()):,}")
    for name, start, learns, model in said])  # fmt: skip

# %% rollout-text [markdown] defines="rollout"
r"""
## One response, token by token (§3.5, C.4)

### Sampling

An iteration begins with a *rollout*: one response to each of {paper:ppo.batch} prompts (here, {run:counts.ppo_batch}), sampled
at temperature {paper:ppo.temperature:.0f}, with each token's log-probability. Then reference, value and reward model read
what was written. The next cells do that for sixty-four short prompts, with the functions that training uses.
"""

# %% rollout
import tempfile

from minirlhf.config import PRESETS
from minirlhf.loop import Run
from minirlhf.rollouts import encode, roll_out, score

ppo = PRESETS["tinytown"].ppo


def rollout(models, rows):
    """A response to each prompt, with what all four models say of it."""
    prompts = encode(tokenizer, rows, ppo.max_prompt)
    with (
        tempfile.TemporaryDirectory() as folder,
        Run(folder, "rollout", ppo, callback=()) as run,
    ):
        models = models.to(run.device)
        return score(run, models, roll_out(run, models, prompts, 0))


# %% episodes
rows = [r for r in shipped.read("prompts-ppo") if len(r["prompt"]) < 120]
episodes = rollout(models, rows[:64])
lesson.table(("prompt", "response (live)", "score"), [
    (episodes.prompts[i].text.strip(), episodes.responses[i].strip(),
     f"{episodes.scores[i]:+.2f}") for i in range(4)])  # fmt: skip

# %% k1-text [markdown]
r"""
### The price of a token

How far has the policy moved? For the token that was sampled, the log-ratio answers:

$$k_1=\log\pi(y_t\mid x,y_{<t})-\log\pi^{\rm SFT}(y_t\mid x,y_{<t})$$

Summed over a response it is the log-ratio of Eq. 2. Its *mean* under the policy is the KL divergence, which is never
negative. A single value may have either sign: below zero, the policy likes the token less than its reference does.
"""

# %% k1-guess
from minirlhf.widgets import Prediction

guess_sign = Prediction(
    "On what share of the tokens is the log-ratio below zero?",
    "chapter06.sign", unit="% of tokens")  # fmt: skip
guess_sign

# %% k1
from minirlhf.objectives import kl_k1

mask = episodes.mask  # true on response tokens, false on padding
k1 = kl_k1(episodes.logprobs, episodes.reference)
guess_sign.reveal(100 * float((k1[mask] < 0).float().mean()))

# %% k1-look [markdown]
r"""
On the left, the log-ratios of all tokens: look at how many lie near zero. On the right, their sums, a dot for each
response; the line is the mean, an estimate of the KL.
"""

# %% k1-picture
from minirlhf.plots import INK, MUTED, PALETTE

of_response = (k1 * mask).sum(-1)
figure, (tokens, sums) = lesson.panels(
    2, "Log-ratios of one rollout (live)")  # fmt: skip
tokens.hist(k1[mask], bins=40, color=PALETTE["ppo"], log=True)
tokens.set(xlabel="log-ratio of a token, nats", ylabel="tokens")
sums.plot(of_response.sort().values, ".", color=PALETTE["ppo"])
sums.axhline(of_response.mean(), color=INK, linewidth=1)
sums.set(xlabel="responses, in order", ylabel="nats a reply")
sums.annotate(f"KL {of_response.mean():.2f}", (1, of_response.mean()),
    xytext=(0, 4), textcoords="offset points", color=INK)  # fmt: skip
lesson.show(figure, "Left, a histogram of the tokens' log-ratios. Right, "
    "their sums, a dot a response, and the mean as a line.")  # fmt: skip

# %% reward-text [markdown]
r"""
### The shaped reward

Spread over the tokens, the bracket of Eq. 2 is

$$R_t=-\beta\,\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ is the last token}]\;r_\theta(x,y)$$

The first cell prints the package's lines. The second checks that each response's rewards add up to its score minus
$\beta$ times its log-ratio.
"""

# %% shaped
import ast
import inspect
import textwrap

from minirlhf.objectives import rlhf_objective, shaped_rewards


def lines(function):
    """The lines of a function, below its docstring."""
    source = inspect.getsource(function)
    first = ast.parse(source).body[0].body[1].lineno - 1
    return textwrap.dedent("\n".join(source.splitlines()[first:]))


print(lines(shaped_rewards))

# %% shaped-check
given = (episodes.scores, episodes.logprobs, episodes.reference, mask,
         ppo.beta)  # fmt: skip
rewards = shaped_rewards(*given)
error = rewards.sum(-1) - (episodes.scores - ppo.beta * of_response)
print(f"largest difference in a response: {error.abs().max():.0e}")
print(f"mean over the rollout: {rewards.sum(-1).mean():.3f}")
print(f"the bracket of Eq. 2:  {rlhf_objective(*given):.3f}")

# %% gae-text [markdown] defines="advantage; GAE"
r"""
### Which token deserves it?

The score arrives at the end; the choice that earned it may lie twenty tokens earlier. Let $V_t$ be what the value model
expects before token $t$ is chosen. If the expectation jumps after a token, that token is the likely reason:

$$\delta_t=R_t+V_{t+1}-V_t,\qquad \hat A_t=\sum_{k\ge0}\lambda^k\,\delta_{t+k}$$

Our value model is a copy of the reward model here, as at the start of training. It takes an unfinished reply for a poor
one, so its expectation jumps where the reply ends.

$\delta_t$ is the surprise at token $t$. $\hat A_t$ is its *advantage*: how much better the token turned out than expected,
its own surprise and, fading with $\lambda$, the later ones. After the last token $V$ is zero. This is *GAE*, generalised
advantage estimation. The paper cites it, states that there is no discount, and doesn't state $\lambda$; its ancestors have the value in the cell, our
runs one.

Two ends of one scale: $\lambda=0$ believes the value model entirely, $\lambda=1$ only what came ($\hat A_t+V_t$ is then
the sum of the rewards from $t$ on).
"""

# %% gae
import torch

from minirlhf.objectives import gae

lengths = mask.sum(-1)
row = int((lengths - 12).abs().argmin())  # a response that fits a picture
T = int(lengths[row])
R, V = rewards[row, :T], episodes.values[row, :T]
surprise = R + torch.cat([V[1:], torch.zeros(1)]) - V
fading = 0.95 ** torch.arange(T)
by_hand = [float((fading[: T - t] * surprise[t:]).sum()) for t in range(T)]
package = gae(rewards, episodes.values, mask, lam=0.95).advantages[row, :T]
print(lines(gae))
error = (package - torch.tensor(by_hand)).abs().max()
print(f"\nlargest difference to the sum by hand: {error:.0e}")

# %% lambda-look [markdown]
r"""
One response, twice: on the left, values and rewards, on the right, advantages under three values of $\lambda$. $V_t$ stands
before token $t$ is known, so a jump shows one token after its cause. Look at the first tokens: the larger $\lambda$, the more of
what comes at the end has reached them.
"""

# %% lambda-picture
from minirlhf.widgets.trace import from_episodes

one = from_episodes(episodes, row, tokenizer, ppo)
title = "Credit for the tokens of one response (live)"
figure, (left, right) = lesson.panels(2, title, size=(7.2, 3.1))
left.bar(range(T), R, color=MUTED, width=0.6, label="reward R")
left.plot(range(T), V, "o-", color=INK, ms=3, label="value V")
for lam, style in ((0.0, ":"), (0.95, "--"), (1.0, "-")):
    found = gae(rewards, episodes.values, mask, lam=lam).advantages[row, :T]
    right.plot(range(T), found, style, color=INK, label=f"λ = {lam:g}")
right.set_title("advantage A", fontsize=8.5, fontweight="normal")
for axes in (left, right):
    axes.set_xticks(range(T), one.tokens, rotation=70, fontsize=7)
    axes.margins(y=0.3)
    axes.legend(fontsize=7, ncols=3, loc="upper center", frameon=False)
left.set_ylabel("reward")
lesson.show(figure, "Left, rewards as bars and values as a line over the "
    "tokens. Right, advantages under three λ.")  # fmt: skip

# %% whiten-text [markdown] defines="whitening"
r"""
### From advantage to loss

First, *whitening*: over all response tokens of the rollout, advantages are shifted to mean zero and scaled to variance
one. The unit of the reward then no longer sets the size of a step. The paper doesn't say whether it does so; the code of
its ancestors does.

Then PPO, *proximal policy optimization*. The gradient of the bracket in Eq. 2 is the mean of
$\sum_t\hat A_t\nabla\log\pi(y_t)$: each token becomes likelier by its advantage. Let $\rho_t$ be the ratio of the token's
probability now to that when it was sampled. At one, $\rho_t\hat A_t$ has that very gradient; beyond the clip range
$\epsilon$, {paper:ppo.clip}, it ends:

$$\mathcal L=-\,\overline{\min\big(\rho_t\hat A_t,\ \mathrm{clip}(\rho_t,1-\epsilon,1+\epsilon)\,\hat A_t\big)}$$

The value model learns the returns $\hat A_t+V_t$ by half the squared error, and in the ancestors' code the larger of two:
once of the value as it is, once of the value held within $\epsilon$ of what it was at sampling.
"""

# %% losses
from minirlhf.objectives import policy_loss, value_loss, whiten

found = gae(rewards, episodes.values, mask, lam=ppo.lam)
white = whiten(found.advantages, mask)
for name, x in (("advantages", found.advantages), ("whitened", white)):
    x = x[mask]
    print(f"{name:10} mean {x.mean():+.2f}, deviation {x.std():.2f}, "
          f"above zero {(x > 0).float().mean():.0%}")  # fmt: skip
for function in (whiten, policy_loss, value_loss):
    print(f"\n# {function.__name__}\n{lines(function)}")

# %% push-text [markdown]
r"""
What does the minimum do? Take four tokens, good or bad, already made likelier or less likely. The last column says where
the loss pushes their log-probability. Before you look: which two get no push?
"""

# %% push
A = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
ratio = torch.tensor([[1.3, 0.7, 1.3, 0.7]])
new = ratio.log().requires_grad_()
every = torch.ones(1, 4, dtype=torch.bool)
policy_loss(new, torch.zeros(1, 4), A, every, clip=ppo.clip).backward()
words = {0: "none: clipped", 1: "up", -1: "down"}
lesson.table(("advantage", "ratio now", "push"), [
    (f"{a:+.0f}", f"{ratio:.1f}", words[int(torch.sign(-g))])
    for a, ratio, g in zip(A[0], ratio[0], new.grad[0], strict=True)
])  # fmt: skip

# %% lens-text [markdown]
r"""
A token that has moved far enough in the direction that pays gets no further push; one that moved the wrong way
is pulled back.

Now go through all of it by yourself. Choose a step, then a token; below the picture its numbers stand in the step's
equation. In the last step, move the ratio across the clip. Then sample a response to a prompt of yours.
"""

# %% lens
from minirlhf.widgets import TokenLens

TokenLens(one, models=models, config=ppo)

# %% run-text [markdown]
r"""
## A run of your own (C.4)

The paper's run has {paper:ppo.episodes} episodes: {paper:ppo.iterations} iterations of {paper:ppo.batch}, each worked off once
in minibatches of {paper:ppo.minibatch}, {paper:ppo.updates} steps in all. Learning rates rise over {paper:ppo.warmup}
iterations and then stay. The finished policy is a moving average of the weights (rate {paper:ppo.ema}).

Our shipped run has {run:counts.episodes:,} episodes in iterations of {run:counts.ppo_batch}. The next one, live, has a quarter
of them, so it warms up for three iterations only and averages over fewer steps; all else is as in the shipped run. It trains in
a process of its own, as if started in a terminal, and writes into a folder, which the desk reads. Run the cell again, and
it attaches. First, guess what the judge will say afterwards; *no clear change* means that the interval of the difference
holds zero.
"""

# %% run-guess
outcomes = "it has risen", "no clear change", "it has fallen"
guess_run = Prediction(
    "The judge's pass rate on held-out prompts: what becomes of it?",
    "chapter06.run", choices=outcomes)  # fmt: skip
guess_run

# %% desk
from minirlhf.widgets import TrainingDesk, start

job = start(
    "ppo",
    lesson.workspace("06", "ppo"),
    model=shipped.run("initial") / "model",
    reward=shipped.run("reward") / "model",
    prompts=shipped.file("prompts-ppo"),
    episodes=lesson.pick(4096, quick=256),
    warmup=3,
    ema=0.96,
    max_response=72,
    drop_long=True,
)
TrainingDesk(job, note="live")

# %% desk-look [markdown]
r"""
Watch the reward, which is the reward model's score, and the KL, which begins at zero, since policy and reference begin
alike. The $\beta$ slider acts on the run in progress. The next cell waits for the end.
"""

# %% wait
job.wait()
job.reader.look()
score_of = job.reader.series("objective/score")[1]
kl_of = job.reader.series("objective/kl")[1]
k = min(5, len(score_of) // 2)
print(f"{len(score_of)} iterations; mean over the first and the last {k}:")
for name, values in (("reward model", score_of), ("KL, nats", kl_of)):
    first, last = sum(values[:k]) / k, sum(values[-k:]) / k
    print(f"  {name}: {first:+.2f} to {last:+.2f}")

# %% heldout-text [markdown]
r"""
The reward model's score proves little: it is what was trained on. What does the judge say, on prompts of users that no
training set has seen? Both models answer each prompt, so we compare in pairs: what makes a prompt hard is hard for
both, and drops out.
"""

# %% heldout
from minirlhf.evaluate.statistics import over_prompts, paired_difference
from minirlhf.sampling import complete
from minirlhf.tinytown.judge import judge

asked = [r["prompt"] for r in shipped.read("prompts")]
asked = asked[: lesson.pick(800, quick=60)]


def passed(model):
    """What the judge says of one reply to each prompt: 1 or 0."""
    said = complete(model, tokenizer, asked, max_new_tokens=72, seed=6)
    return [float(v.passes) for v in map(judge, asked, said)]


before, after = passed(initial), passed(load_policy(job.folder / "model"))
gain = paired_difference(after, before)
found = [f"{100 * end:+.1f}" for end in (gain.mean, gain.low, gain.high)]
print("{} held-out prompts: {} points, {} to {}".format(len(asked), *found))

# %% heldout-picture
figure, (shares, difference) = lesson.panels(
    2, "Held-out prompts, by the judge (live)", size=(7.2, 1.9)
)
both = {"initial": over_prompts(before), "ppo": over_prompts(after)}
lesson.intervals(shares, both, "% of replies that pass")
lesson.intervals(difference, {"difference": gain}, "points")
difference.axvline(0, color=MUTED, linewidth=0.8)
lesson.show(figure, "Left, pass rates of the initial model and of this "
    "run's policy with intervals; right, their difference.")  # fmt: skip

# %% run-answer
guess_run.reveal(outcomes[0 if gain.low > 0 else 2 if gain.high < 0 else 1])

# %% beta-text [markdown] defines="over-optimisation"
r"""
## Too little β, and too much (§3.5, E.7)

Where the policy moves, the reward model has never been. Some of what it likes there is a mistake, and the policy will
find it, since finding what scores is its task. *Over-optimisation* is when the reward model's score still rises
while what it stands for falls. $\beta$ decides how far the policy gets.

The paper tried it (E.7). With a $\beta$ of zero, replies got {paper:fig36.likert.0} of seven points from labelers; with
{paper:ppo.beta.best.low}, {paper:fig36.likert.0.01}; with {paper:ppo.beta.best.high}, {paper:fig36.likert.0.02}; with two,
{paper:fig36.likert.2}.

$\beta$ has a unit, reward per nat, so no value carries over from one reward model to the next. Ours is
{run:counts.ppo_beta}. Five shipped runs differ in nothing but $\beta$. First, a guess on what it costs to be held.
"""

# %% sweep
import numpy as np

from minirlhf.widgets.reader import Reader

KL, SCORE, GRADE = "objective/kl", "objective/score", "judge/grade"
sweep = {row["factor"]: row for row in shipped.read("sweep")}
runs = {f: Reader(shipped.run(f"beta-{f:g}")) for f in sweep}


def late(factor, name):
    """A metric's mean over a run's last ten iterations."""
    runs[factor].look()
    return np.mean(runs[factor].series(name)[1][-10:])


# %% kl-guess
guess_kl = Prediction(
    f"The preset's run ends at a KL of {late(1, KL):.1f} nats. "
    "Where with five times the β?", "chapter06.kl",
    unit="nats a reply")  # fmt: skip
guess_kl

# %% kl-answer
guess_kl.reveal(late(5, KL), "shipped run")

# %% beta-guess
names = {factor: f"β = {row['beta']:g}" for factor, row in sweep.items()}
guess_beta = Prediction(
    "Which β does the judge grade highest on held-out prompts?",
    "chapter06.beta", choices=tuple(names.values()))  # fmt: skip
guess_beta

# %% beta-answer
grades = {names[f]: over_prompts(sweep[f]["grade"]) for f in sweep}
best = max(grades, key=lambda name: grades[name].mean)
guess_beta.reveal(best, "shipped run")

# %% sweep-look [markdown]
r"""
Here are all five with their intervals. Do reward model and judge agree on the order? The table after the picture
compares each run with the preset's, prompt by prompt: where an interval holds zero, these prompts don't tell the two apart. No
interval knows another seed, and our $\beta$ was chosen with such results in sight.
"""

# %% sweep-picture
figure, (proxy, graded) = lesson.panels(
    2, "Five values of β, held-out prompts (shipped run)",
    size=(7.2, 3.0), titles=("Reward model", "Judge"))  # fmt: skip
scored = {names[f]: over_prompts(sweep[f]["score"]) for f in sweep}
lesson.intervals(proxy, scored, "score", percent=False)
lesson.intervals(graded, grades, "grade, of seven", percent=False)
lesson.show(figure, "For each β a dot with its interval: left the reward "
    "model's score, right the judge's grade.")  # fmt: skip

# %% sweep-table
OBJECTIVE = "objective/rlhf_reward"  # score - beta * KL


def against_preset(factor, name):
    d = paired_difference(sweep[factor][name], sweep[1][name])
    return f"{d.mean:+.2f} ({d.low:+.2f} to {d.high:+.2f})"


head = ("shipped run", "KL, nats", "score − β KL", "score", "judge's grade")
lesson.table(head, [
    (names[f], f"{late(f, KL):.1f}",
     f"{np.mean(runs[f].series(OBJECTIVE)[1][:5]):.1f} to "
     f"{late(f, OBJECTIVE):.1f}",
     against_preset(f, "score"), against_preset(f, "grade"))
    for f in sweep])  # fmt: skip

# %% floor-text [markdown]
r"""
Look at the third column: with a large $\beta$ the bracket of Eq. 2 *falls* while it is being maximised. The run begins where KL
is zero, and its learning rate never ends. Our explanation: part of each step is noise, and noise costs KL at any price. If so, a
policy averaged over steps, as the finished one is, should be nearer. The next cell asks it, and the initial model, on the same prompts.
"""

# %% floor
first = Models(initial, initial, reward, models.value, tokenizer)
found = []
for name, which in (("initial model", first), ("PPO, averaged", models)):
    said = rollout(which, rows[: lesson.pick(256, quick=32)])
    nats = (kl_k1(said.logprobs, said.reference) * said.mask).sum(-1).mean()
    r = said.scores.mean()
    bracket = r - ppo.beta * nats
    found.append((name, f"{r:.2f}", f"{nats:.2f}", f"{bracket:.2f}"))
lesson.table(("live", "score", "KL, nats", "score − β KL"), found)

# %% frontier-text [markdown]
r"""
What do the replies look like? Move the slider through the five runs. On the left stands where each ended by the reward
model, the *proxy*, and in grey how it got there; on the right, by the judge. Both are of samples in training, before
averaging, so they differ from the picture above. Which mistakes did the policy find where nothing held it? The table after the
widget counts the judge's complaints.
"""

# %% frontier
from minirlhf.plots import running_mean
from minirlhf.widgets import Frontier, Point


def point(factor):
    """Where a run ended, and how it got there."""
    run = runs[factor]
    return Point(
        beta=sweep[factor]["beta"], kl=late(factor, KL),
        proxy=late(factor, SCORE), judge=late(factor, GRADE),
        samples=run.samples(run.rows[-1]["step"]),
        path=list(zip(*(running_mean(np.array(run.series(name)[1]), 15)
                        for name in (KL, SCORE)), strict=True)),
    )  # fmt: skip


Frontier([point(factor) for factor in sweep], source="shipped run")


# %% complaints
def missed(factor):
    """Of the run's last samples, the share that miss each criterion."""
    run, shares = runs[factor], {}
    steps = [row["step"] for row in run.rows[-32:]]
    texts = [s for step in steps for s in run.samples(step)]
    for s in texts:
        verdict = judge(s["prompt"], s["response"])
        for name, met in verdict.criteria.items():
            shares[name] = shares.get(name, 0) + (met < 1) / len(texts)
    return shares


zero, preset = missed(0), missed(1)
most = sorted(zero, key=lambda name: preset.get(name, 0) - zero[name])
lesson.table(("criterion missed (shipped run)", names[0], names[1]), [
    (name, f"{zero[name]:.0%}", f"{preset.get(name, 0):.0%}")
    for name in most[:5]])  # fmt: skip

# %% time-look [markdown]
r"""
Now over time, as running means: solid the reward model's score (left axis), dashed the judge's grade of some of the same
samples (right axis). While both rise, the proxy is worth following. Where solid goes on and dashed turns down,
that is over-optimisation.
"""

# %% time-picture
ends = (min(sweep), 1, max(sweep))
figure, panels = lesson.panels(
    3, "Solid: score; dashed: judge's grade (shipped run)",
    titles=[names[f] for f in ends])  # fmt: skip
for name, style in ((SCORE, "-"), (GRADE, "--")):
    raw = [np.array(runs[f].series(name)[1]) for f in ends]
    found = [running_mean(values, 15) for values in raw]
    low, high = min(map(min, found)), max(map(max, found))
    sides = panels if name == SCORE else [p.twinx() for p in panels]
    for side, curve in zip(sides, found, strict=True):
        side.plot(range(5, len(curve) + 1), curve[4:], style, color=INK)
        side.set(ylim=(low - 0.1, high + 0.1), xlabel="iterations")
        side.tick_params(axis="y", labelsize=8)
        side.spines[:].set_visible(False)
    sides[0 if name == SCORE else -1].set_ylabel(name.split("/")[1])
lesson.show(figure, "The score solid, the grade dashed, over a run.")

# %% ptx-text [markdown] defines="alignment tax"
r"""
## PPO-ptx, a first look (§3.5, Eq. 2, C.4)

What a policy gains on instructions it may lose elsewhere. The paper saw its PPO models fall behind the base model at
answering questions, reading and translation (§4.2), and calls that the *alignment tax*. A larger $\beta$ didn't win it
back, even with the base itself as reference and a hundred times the price (E.6).

The third term of Eq. 2 lessened it. For each minibatch, $\gamma$ times the gradient of the pretraining loss is added to PPO's, and then
one step is taken. In the paper $\gamma$ is {paper:ptx.gamma}, with {paper:ptx.ratio} documents an episode; here it is
{run:counts.ptx_gamma}, with one document to four episodes.

The next cell gives three models tasks that are no instructions, in the form in which the pretraining corpus has them.
Look whether PPO stands left of the base, and where PPO-ptx stands.
"""

# %% probes
from minirlhf.evaluate.probes import run_probe
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.probes import TAX

compared = {
    "base": load_policy(base_folder("medium")),
    "ppo": policy,
    "ppo-ptx": load_policy(shipped.run("ppo-ptx") / "model"),
}
title, titles = "Task probes: % right (live)", list(TAX)
figure, panels = lesson.panels(3, title, size=(7.2, 2.1), titles=titles)
for axes, task in zip(panels, TAX.values(), strict=True):
    items = task(lesson.pick(200, quick=20))
    lesson.intervals(axes, {
        name: over_prompts(run_probe(model, tokenizer, items))
        for name, model in compared.items()})  # fmt: skip
lesson.show(figure, "Three task probes, a row for each of base, PPO and "
    "PPO-ptx, with intervals.")  # fmt: skip

# %% ptx-figures [markdown]
r"""
The shipped run was asked more. Its figures:

| | Base | SFT | PPO | PPO-ptx |
|---|---|---|---|---|
| held-out replies that pass | {run:models.base.passes:.0%} | {run:models.sft.passes:.0%} | {run:models.ppo.passes:.0%} | {run:models.ppo-ptx.passes:.0%} |
| truthful answers | {run:models.base.probes.truthfulness:.0%} | {run:models.sft.probes.truthfulness:.0%} | {run:models.ppo.probes.truthfulness:.0%} | {run:models.ppo-ptx.probes.truthfulness:.0%} |

Of what PPO lost on the three tasks, PPO-ptx won back {run:won_back:.0%}, a ratio of small differences. The loss on corpus text isn't in the table, since
it would prove nothing: the third term trains on such text.

Ask the models something yourself. Words that Tinytown doesn't know are allowed.
"""

# %% playground
from functools import partial

from minirlhf.reward import score_texts
from minirlhf.widgets import Playground

sft = load_policy(shipped.run("sft") / "model")
four = {"base": compared["base"], "sft": sft, "ppo": policy,
        "ppo-ptx": compared["ppo-ptx"]}  # fmt: skip
playground = Playground(
    {name: (model, tokenizer) for name, model in four.items()},
    score=partial(score_texts, reward, tokenizer),
    judge=judge,
)
playground.answer("Name three gifts for Ines.\n")
playground

# %% open-text [markdown]
r"""
## What the paper leaves open (C.4)

Nobody can rerun step 3 from the paper alone. What it leaves open, its ancestors say: the code of Ziegler et al. (2019), and
Stiennon et al. (2020). We follow them, or say where not.
"""

# %% open
from minirlhf.paper import value

names_of = {
    "λ of GAE": ("gae_lambda", ppo.lam),
    "clip range of the value": ("value_clip", ppo.value_clip),
    "weight of the value loss": ("value_weight", "an optimizer of its own"),
    "whitened advantages": ("whiten_advantages", ppo.whiten_advantages),
    "whitened rewards": ("whiten_rewards", ppo.whiten_rewards),
    "entropy bonus": ("entropy_bonus", "none"),
    "largest gradient norm": ("rl_gradient_clip", ppo.grad_clip),
    "ε of Adam": ("rl_adam_epsilon", ppo.eps),
    "where the score falls": ("reward_token", "the same"),
    "score of a reply cut short": ("unfinished_score", "as it is"),
    "learning rate, smallest model": ("ppo.lr.1.3b", ppo.learning_rate),
}
lesson.table(("not stated", "ancestors", "here"), [
    (words, value(f"unstated.{key}"), ours)
    for words, (key, ours) in names_of.items()])  # fmt: skip

# %% departures-text [markdown]
r"""
Nor do the paper's own values all suit models as small as ours. The next table is everything in which Tinytown's preset departs from the
paper's own, in all stages, with our reason. It is made from the settings that training reads. Of PPO's learning rate the paper
prints ranges; its preset takes the rate above which runs diverged.
"""

# %% departures
from minirlhf.config import DIFFERENCES


def settings(stage, field):
    """A setting as the paper has it, and ours; None where they agree."""
    both = [getattr(getattr(PRESETS[p], stage), field, None)
            for p in ("paper", "tinytown")]  # fmt: skip
    return both if both[0] != both[1] else None


stages = ("pretrain", "sft", "initial", "reward", "ppo", "ppo_ptx")
lesson.table(("stage", "setting", "paper", "Tinytown", "why"), [
    (stage, d.field, *both, d.reason)
    for d in DIFFERENCES for stage in stages
    if d.stage in ("*", stage) and (both := settings(stage, d.field))
])  # fmt: skip

# %% rivals-text [markdown]
r"""
## Is it worth the trouble? (C.4)

**Best of n** needs no training. By the same reward model, the best of sixteen SFT samples passes in
{run:models.best-of-n.passes:.0%} of cases, PPO's only sample in {run:models.ppo.passes:.0%}. It is the bar to measure PPO against, at
the cost of sixteen replies for each one shown.

**Without the clip?** Each rollout is used once, in four minibatches, so the policy is at most three steps away from the
one that sampled. The next cell counts the tokens beyond the clip, of which those that moved the wrong way are still pulled back.
Where so few are, PPO is nearly the plain policy gradient.
"""

# %% clip
log = Reader(shipped.run("ppo"))
log.look()
share = log.series("ppo/policy/clipfrac")[1]
print(
    f"tokens beyond the clip (shipped run): {sum(share) / len(share):.2%}"
    f" on average, {max(share):.1%} in the iteration with most"
)

# %% summary [markdown]
r"""
## Summary

| | paper | ours |
|---|---|---|
| episodes | {paper:ppo.episodes} | {run:counts.episodes:,} |
| episodes an iteration, a minibatch | {paper:ppo.batch}, {paper:ppo.minibatch} | {run:counts.ppo_batch}, {run:counts.ppo_minibatch} |
| passes over a rollout; clip range | {paper:ppo.inner_epochs}; {paper:ppo.clip} | {run:counts.ppo_inner}; {run:counts.ppo_clip} |
| $\beta$, reward per nat | {paper:ppo.beta} | {run:counts.ppo_beta} |
| $\gamma$ of PPO-ptx | {paper:ptx.gamma} | {run:counts.ptx_gamma} |
| wins of PPO against SFT of its size | {paper:fig1.175b.ppo} | {run:models.ppo.wins_labelers:.2f} |
| the same for PPO-ptx | {paper:fig1.175b.ppo-ptx} | {run:models.ppo-ptx.wins_labelers:.2f} |

The paper's win rates are its largest model's (Fig. 1), ours those of held-out labelers.

A score at the end of a response becomes an advantage for each of its tokens, and the clip ends the push on what has moved far enough. $\beta$ sets how
far the policy may follow the reward model, and only a judge that never trained it can say how far is too far. What
is unlearned on the way, the third term of Eq. 2 rehearses.

## Questions

1. The reward model's score rises on held-out prompts, too. Why is that no proof that the policy became better?

<details><summary>Answer</summary>

It is what the policy was trained to raise. It may rise by mistakes of the reward model that hold everywhere; it takes a judge
whom training never asked.

</details>

2. In the first minibatch of an iteration, what is the ratio, and what does the clip do?

<details><summary>Answer</summary>

The policy is still the one that sampled: each ratio is one, and nothing is clipped. Our code stops if it is not so.

</details>

3. Why can nobody take over the paper's $\beta$?

<details><summary>Answer</summary>

It is a price in units of the reward, and Eq. 1 gives the reward no unit that two reward models would share.

</details>

4. Two runs reach the same score, one at two nats of KL, one at twelve. Which one would you ship, and what would you measure first?

<details><summary>Answer</summary>

The nearer one has less to be explained by mistakes of the reward model. First measure both by someone outside: judge, labelers, tasks.

</details>

## The way on

- [Exercise 06](../exercises/ex06_ppo.ipynb): KL, reward, advantage, both losses, one step of PPO-ptx, and a run that never clips.
- Back to [the three steps in one picture](00_three_steps.ipynb), where you now know each arrow, or to
  [the reward model](05_reward_model.ipynb), to mend what the policy found.

**A lecture of thirty minutes:** Eq. 2 and the four models (five), one response in the lens (ten), the live run, started
before the lecture (five), the five values of $\beta$ (ten).

**A lab of sixty minutes:** the page with its guesses (thirty), a second run with ten times the $\beta$ through the desk's slider, in a
folder of its own (fifteen), advantages and the clipped loss in exercise 06 (fifteen).
"""
