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
number at the end of a reply reach each of its tokens? And what if the policy learns the reward model's weaknesses?

After this chapter you can

- write Eq. 2, and say what each of its three terms is for;
- follow a response from sampled token to clipped loss;
- train a policy, and say from held-out prompts whether it became better;
- recognise from two curves a policy that fools its reward model;
- name what the paper leaves open, and who fills it.
"""

# %% bandit [markdown] defines="PPO-ptx"
r"""
## A bandit with one turn (§3.5, Eq. 2)

A prompt comes in, the policy answers, the reward model scores the answer, and the episode is over. The paper calls this
a *bandit*: the prompt $x$ is the state, one whole response $y$ is the action. With $\phi$ for the policy's weights and $\theta$ for the
reward model's, what is to grow is Eq. 2:

$$
J(\phi)=\mathbb E_{x,\,y\sim\pi}\Big[\,r_\theta(x,y)-\beta\,\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]
$$

- $r_\theta(x,y)$, the **score**, pulls the policy towards what the reward model likes. Zero is what demonstrations score on
  average (chapter 05).
- $\beta$ times the log-ratio is the **price** of leaving the reference model $\pi^{\rm SFT}$: $\beta$ for each nat of KL (logarithms
  are natural). A reward model can be trusted near the texts it was trained on, hardly further.
- The last term **rehearses** pretraining text, weighted by $\gamma$. Without it ($\gamma=0$) the paper says PPO, with it
  *PPO-ptx*. In most books $\gamma$ is a discount; the paper has none.

The logarithm of a product is a sum. So the price can be charged token by token, while the score comes once, at
the end. For learning, each token is an action, the text so far its state. A prompt with its response and score is an *episode*.
"""

# %% four-models [markdown] defines="value model"
r"""
## Four models at work (C.3, C.4)

- The **policy** starts as the initial model of C.3: in the paper, the base model after {paper:init.epochs} epochs of
  demonstrations, mixed with {paper:init.pretrain_mix:.0%} pretraining text. The paper's SFT baseline, after {paper:sft.epochs}, is another model.
- The **reference model** is a frozen copy of the same initial model, whatever the name $\pi^{\rm SFT}$ suggests.
- The **reward model** of step 2 is frozen, too.
- The **value model** predicts, at each token, the reward that is still to come. It starts as a copy of the reward
  model and learns beside the policy.

In the paper reward and value model have {paper:value.size} parameters, whatever the policy has; in Tinytown, our small world, all
four are alike.

We load them from the *shipped run*, a long one in the package. As policy we take its finished one, averaged over
steps; before training it equals its reference, and each log-ratio would be zero.
"""

# %% load
from minirlhf import lesson, shipped
from minirlhf.episodes import Models
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy, load_tokenizer

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
    for name, start, learns, model in said])

# %% rollout-text [markdown] defines="rollout"
r"""
## One response, token by token (§3.5, C.4)

### Sampling

An iteration begins with a *rollout*: one response to each of {paper:ppo.batch} prompts (here, {run:counts.ppo_batch}), sampled
at temperature {paper:ppo.temperature:.0f}, with each token's log-probability. Then reference, value and reward model read
what was written. The next cells do that for sixty-four short prompts, with training's own functions.
"""

# %% rollout
import torch

from minirlhf.episodes import encode, roll_out, score
from minirlhf.presets import PRESETS
from minirlhf.randomness import generator
from minirlhf.training.compute import Compute

ppo, compute = PRESETS["tinytown"].ppo, Compute()


def rollout(models, rows):
    """A response to each prompt, with what all four models say of it."""
    prompts = encode(tokenizer, rows, ppo.max_prompt)
    draw = generator(ppo.seed, "rollout", 0)
    uniforms = torch.rand(len(prompts), ppo.max_response, generator=draw)
    models = models.to(compute.device)
    episodes = roll_out(compute, models, prompts, uniforms)
    return score(compute, models, episodes)


# %% episodes
rows = [r for r in shipped.read("prompts-ppo") if len(r["prompt"]) < 120]
episodes = rollout(models, rows[:64])
lesson.table(("prompt", "response (live)", "score"), [
    (episodes.prompts[i].text.strip(), episodes.responses[i].strip(),
     f"{episodes.scores[i]:+.2f}") for i in range(4)])

# %% k1-text [markdown]
r"""
### The price of a token

How far has the policy moved? For the token that was sampled, the log-ratio answers:

$$k_1=\log\pi(y_t\mid x,y_{<t})-\log\pi^{\rm SFT}(y_t\mid x,y_{<t})$$

Summed over a response it is the log-ratio of Eq. 2. Its *mean* under the policy is the KL divergence, which is never
negative. A single value may be: then the policy likes the token less than its reference does.
"""

# %% k1-guess
from minirlhf.widgets import Prediction

guess_sign = Prediction(
    "On what share of the tokens is the log-ratio below zero?",
    "chapter06.sign", unit="% of tokens")
guess_sign

# %% k1
from minirlhf.objectives import kl_k1

mask = episodes.mask  # true on response tokens, false on padding
k1 = kl_k1(episodes.logprobs, episodes.reference)
guess_sign.reveal(100 * float((k1[mask] < 0).float().mean()))

# %% k1-look [markdown]
r"""
Left, the log-ratios of all tokens: look how many lie near zero. Right, their sums, a dot for each
response; the line is their mean, an estimate of the KL.
"""

# %% k1-picture
import numpy as np

from minirlhf.report.charts import INK, MUTED, PALETTE, running_mean

of_response = (k1 * mask).sum(-1)
figure, (tokens, sums) = lesson.panels(
    2, "Log-ratios of one rollout (live)")
edges = np.linspace(-1, 1, 41) * float(k1[mask].abs().max())  # one at 0
tokens.hist(k1[mask], bins=edges, color=PALETTE["ppo"], log=True)
tokens.axvline(0, color=INK, linewidth=1)
tokens.set(xlabel="log-ratio of a token, nats", ylabel="tokens (log axis)")
sums.plot(of_response.sort().values, ".", color=PALETTE["ppo"])
sums.axhline(of_response.mean(), color=INK, linewidth=1)
sums.set(xlabel="responses, sorted", ylabel="nats a reply")
sums.annotate(f"KL {of_response.mean():.2f}", (1, of_response.mean()),
    xytext=(0, 4), textcoords="offset points", color=INK)
lesson.show(figure, "Left, a histogram of the tokens' log-ratios. Right, "
    "their sums, a dot a response, and the mean as a line.")

# %% reward-text [markdown]
r"""
### The shaped reward

Spread over the tokens, the bracket of Eq. 2 is

$$R_t=-\beta\,\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ is the last token}]\;r_\theta(x,y)$$

After the package's lines, a check: a response's rewards add up to its score minus $\beta$ times its log-ratio.
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
         ppo.beta)
rewards = shaped_rewards(*given)
gap = rewards.sum(-1) - (episodes.scores - ppo.beta * of_response)
print(f"largest difference in a response: {gap.abs().max():.0e}")
print(f"mean over the rollout: {rewards.sum(-1).mean():.3f}")
print(f"the bracket of Eq. 2:  {rlhf_objective(*given):.3f}")

# %% gae-text [markdown] defines="advantage; GAE"
r"""
### Which token deserves it?

The score arrives at the end; the choice that earned it may lie twenty tokens earlier. Let $V_t$ be what the value model
expects before token $t$ is chosen. If the expectation jumps after a token, that token is the likely reason:

$$\delta_t=R_t+V_{t+1}-V_t,\qquad \hat A_t=\sum_{k\ge0}\lambda^k\,\delta_{t+k}$$

$\delta_t$ is the surprise at token $t$; after the last one $V$ is zero. $\hat A_t$ is its *advantage*: how much better the token
turned out than expected, its own surprise and, fading with $\lambda$, the later ones. This is *GAE*, generalised advantage
estimation. The paper cites it, states that there is no discount, and doesn't state $\lambda$. It is {paper:unstated.gae_lambda} in
the paper's *ancestors*, the work whose recipe it follows.

Two ends of one scale: $\lambda=0$ trusts the value model, so little noise and all its errors. $\lambda=1$ takes what came, so
no such errors and much noise; $\hat A_t+V_t$ is then the sum of the rewards from $t$ on.
"""

# %% gae

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
apart = (package - torch.tensor(by_hand)).abs().max()
print(f"\nlargest difference to the sum by hand: {apart:.0e}")

# %% lambda-look [markdown]
r"""
One response, twice: left its values and rewards, right advantages under three values of $\lambda$. $V_t$ stands before token $t$ is
known, so a jump shows one token after its cause. Look at the first tokens: the larger $\lambda$, the more of what comes at the end
has reached them.

Our value model is a copy of the reward model here, as at the start of training, and was never trained on unfinished replies; the
policy is a finished one. No iteration has such a pair, but it shows the mechanism: for $\lambda$ below one, a token is credited
with the jump of $V$ after it, be that jump right or wrong. With $\lambda=1$ a wrong $V$ makes noise, as this one reply shows, and
on average over replies favours no token. So our runs take $\lambda=1$.
"""

# %% lambda-picture
from minirlhf.widgets.trace import from_episodes

one = from_episodes(episodes, row, tokenizer, ppo)
title = "Credit for the tokens of one response (live)"
figure, (left, right) = lesson.panels(2, title, size=(7.2, 3.1))
left.bar(range(T), R, color=MUTED, width=0.6, label="reward R")
left.plot(range(T), V, "o-", color=INK, ms=3, label="value V")
for lam, style in ((0.0, ":"), (0.95, "--"), (1.0, "-")):
    credit = gae(rewards, episodes.values, mask, lam=lam).advantages[row]
    right.plot(range(T), credit[:T], style, color=INK, label=f"λ = {lam:g}")
for axes, what in ((left, "reward R, value V"), (right, "advantage A")):
    axes.set_title(what, fontsize=8.5, fontweight="normal")
    axes.set_xticks(range(T), one.tokens, rotation=70, fontsize=7)
    axes.margins(y=0.3)
    axes.legend(fontsize=7, ncols=3, loc="upper center", frameon=False)
left.set_ylabel("units of the reward")
lesson.show(figure, "Left, rewards as bars and values as a line over the "
    "tokens. Right, advantages under three λ.")

# %% whiten-text [markdown] defines="whitening"
r"""
### From advantage to loss

First, *whitening*: over all response tokens of the rollout, advantages are shifted to mean zero and scaled to variance
one. The unit of the reward then no longer sets the size of a step.

Sampling has no derivative; its probability has one. With $R$ for all that a response brings and $\nabla$ by the policy's weights
$\phi$,

$$\nabla\,\mathbb E_{y\sim\pi}[R]=\sum_y R\,\nabla\pi(y)=\mathbb E_{y\sim\pi}\big[R\,\nabla\log\pi(y)\big],
\qquad\text{since }\nabla\pi=\pi\,\nabla\log\pi.$$

A constant in place of $R$ gives zero, for probabilities add up to one whatever $\phi$ is. Hence one may subtract what was known
before a token was drawn: the rewards so far, and $V_t$. That changes only the noise. What is left for token $t$, at $\lambda=1$, is
$\hat A_t$: each token is to become likelier by its advantage, $\sum_t\hat A_t\nabla\log\pi(y_t)$.

Then PPO, *proximal policy optimization*. Let $\rho_t$ be the ratio of the token's probability now to that when it was sampled. At
one, $\rho_t\hat A_t$ has that very gradient. Beyond the clip range $\epsilon$, {paper:ppo.clip}, in the direction that pays, it
ends (the bar is a mean over tokens):

$$\mathcal L=-\,\overline{\min\big(\rho_t\hat A_t,\ \mathrm{clip}(\rho_t,1-\epsilon,1+\epsilon)\,\hat A_t\big)}$$

The value model learns the returns $\hat A_t+V_t$ by half the squared error; in the ancestors' code, by the larger of that and the
same with the value held within `value_clip` of what it was at sampling.
"""

# %% losses
from minirlhf.objectives import policy_loss, value_loss, whiten

raw = gae(rewards, episodes.values, mask, lam=ppo.lam).advantages
white = whiten(raw, mask)
for name, x in (("advantages", raw[mask]), ("whitened", white[mask])):
    print(f"{name:10} mean {x.mean():+.2f}, deviation {x.std():.2f}, "
          f"above zero {(x > 0).float().mean():.0%}")
for function in (whiten, policy_loss, value_loss):
    print(f"\n# {function.__name__}\n{lines(function)}")

# %% push-text [markdown]
r"""
What does the minimum do? Take four tokens, good or bad, already made likelier or less likely. The last column says where
the loss pushes them. Before you look: which two get no push?
"""

# %% push
A = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
ratios = torch.tensor([[1.3, 0.7, 1.3, 0.7]])
new = ratios.log().requires_grad_()
counted = torch.ones(1, 4, dtype=torch.bool)  # the mask: all four
policy_loss(new, torch.zeros(1, 4), A, counted, clip=ppo.clip).backward()
words = {0: "none: clipped", 1: "up", -1: "down"}
lesson.table(("advantage", "ratio now", "push"), [
    (f"{a:+.0f}", f"{rho:.1f}", words[int(torch.sign(-g))])
    for a, rho, g in zip(A[0], ratios[0], new.grad[0], strict=True)
])

# %% lens-text [markdown]
r"""
A token that has moved far enough in the direction that pays gets no further push; one that moved the wrong way
is pulled back.

With a running kernel, choose a step and a token: its numbers stand in the equation. In the third step, run the recursion from
right to left; in the last, drag the dot across the clip. Then sample a response to your own prompt.
"""

# %% lens
from minirlhf.widgets import TokenLens

TokenLens(one, models=models, config=ppo)

# %% run-text [markdown]
r"""
## A run of your own (C.4)

The paper's run has {paper:ppo.iterations} iterations of {paper:ppo.batch} episodes, {paper:ppo.updates} steps in all. Learning
rates rise over {paper:ppo.warmup} iterations and then stay. The finished policy is a moving average of the weights
(rate {paper:ppo.ema}).

Our shipped run has {run:counts.episodes:,} episodes in iterations of {run:counts.ppo_batch}. The next one, live, has a quarter
of them and draws from a third of the prompts. It warms up for three iterations only and averages over fewer steps; all else
is alike. It trains in a process of its own, whose folder the desk reads.

First, guess what the *judge*, Tinytown's exact grader, will say afterwards. A reply *passes* if nothing in it is wrong or
missing; *no clear change* means that the interval of the difference holds zero.
"""

# %% run-guess
outcomes = "it has risen", "no clear change", "it has fallen"
guess_run = Prediction(
    "The judge's pass rate on held-out prompts: what becomes of it?",
    "chapter06.run", choices=outcomes)
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
    ema=0.96,  # the preset's 0.992 suits four times the steps
    max_response=72,
    drop_long=True,  # prompts that are too long, as the shipped run did
)
TrainingDesk(job, note="live", ghost=shipped.run("ppo"))

# %% desk-look [markdown]
r"""
Watch the reward, that is the score, and the KL, which begins at zero. *Entropy* is how undecided the policy still is, *clip
fraction* the share of tokens beyond the clip; *value fit* is one where every return is predicted, zero where a constant would do
as well; dashed grey is the shipped run. The $\beta$ slider acts on the run in progress; the next cell waits for its end.
"""

# %% wait
job.wait()
job.reader.look()
score_of = job.reader.series("objective/score")[1]
kl_of = job.reader.series("objective/kl")[1]
k = min(5, len(score_of) // 2)
print(f"{len(score_of)} iterations; mean over the first and the last {k}:")
for name, values in (("reward model", score_of), ("KL, nats", kl_of)):
    begin, end = sum(values[:k]) / k, sum(values[-k:]) / k
    print(f"  {name}: {begin:+.2f} to {end:+.2f}")

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
ends = [f"{100 * end:+.1f}" for end in (gain.mean, gain.low, gain.high)]
print(f"{gain.n} prompts:", "{} points, 95% {} to {}".format(*ends))

# %% heldout-picture
figure, (shares, difference) = lesson.panels(
    2, "Held-out prompts, by the judge (live)", size=(7.2, 1.9)
)
both = {"initial": over_prompts(before), "ppo": over_prompts(after)}
lesson.intervals(shares, both, "% of replies that pass")
lesson.intervals(difference, {"difference": gain}, "points")
difference.axvline(0, color=MUTED, linewidth=0.8)
lesson.show(figure, "Left, pass rates of the initial model and of this "
    "run's policy with intervals; right, their difference.")

# %% run-answer
guess_run.reveal(outcomes[0 if gain.low > 0 else 2 if gain.high < 0 else 1])

# %% beta-text [markdown] defines="over-optimisation"
r"""
## Too little β, and too much (§3.5, E.7)

Where the policy moves, the reward model has never been. Some of what it likes there is a mistake, and the policy will
find it: that is its task. *Over-optimisation* is when the reward model's score still rises
while what it stands for falls. A small $\beta$ lets the policy go far.

The paper tried it (E.7, with the third term of Eq. 2; read off a plot). With a $\beta$ of zero, replies got {paper:fig36.likert.0} of seven points from labelers; with
{paper:ppo.beta.best.low}, {paper:fig36.likert.0.01}; with {paper:ppo.beta.best.high}, {paper:fig36.likert.0.02}; with two,
{paper:fig36.likert.2}.

$\beta$ is reward per nat. A difference of scores is the log-odds of a preference (Eq. 1), so there is a unit; but how far scores
spread depends on how sure of itself a reward model is, and no value of $\beta$ carries over to another. Ours is
{run:counts.ppo_beta}. Five shipped runs differ in nothing but $\beta$; one repeats ours. Their KL is that of training, unaveraged, on prompts of all lengths; above it
was the finished policy's, on short ones. First, a guess on what it costs to be held.
"""

# %% sweep
from minirlhf.widgets.run_reader import Reader

KL, SCORE, GRADE = "objective/kl", "objective/score", "judge/grade"
sweep = {row["factor"]: row for row in shipped.read("sweep")}
# A factor is β in units of the preset's: "beta-1" repeats its run.
runs = {f: Reader(shipped.run(f"beta-{f:g}")) for f in sweep}


def late(factor, name):
    """A metric's mean over a run's last ten iterations."""
    runs[factor].look()
    return np.mean(runs[factor].series(name)[1][-10:])


# %% kl-guess
guess_kl = Prediction(
    f"The preset's run ends at a KL of {late(1, KL):.1f} nats. "
    "Where with five times the β?", "chapter06.kl",
    unit="nats a reply", low=0, reach=(0, 2 * late(1, KL)))
guess_kl

# %% kl-answer
guess_kl.reveal(late(5, KL), "shipped run")

# %% beta-guess
names_by_factor = {f: f"β = {row['beta']:g}" for f, row in sweep.items()}
smallest, *between, largest = sweep
places = (names_by_factor[smallest], "one in between",
          names_by_factor[largest], "can't be told")
guess_beta = Prediction(
    "Which β does the judge grade highest on held-out prompts?",
    "chapter06.beta", choices=places)
guess_beta

# %% beta-answer
grades = {f: np.array(row["grade"]) for f, row in sweep.items()}
middle = max(between, key=lambda f: grades[f].mean())


def beats(factor, *others):
    """Whether a run's grades lie clearly above those of the others."""
    return all(paired_difference(grades[factor], grades[o]).low > 0
               for o in others)


best = [beats(smallest, middle, largest), beats(middle, smallest, largest),
        beats(largest, smallest, middle), True]
guess_beta.reveal(places[best.index(True)], "shipped run")

# %% sweep-look [markdown]
r"""
Here are all five. The grade, from one to seven, also counts how rich a reply is; passing doesn't. In the
shipped run, the initial model has a score of {run:models.initial.score:.2f}, a grade of {run:models.initial.grade:.2f}, and
{run:models.initial.passes:.1%} pass. Do reward model and judge agree on the order? The cell after the picture says; ~ stands
between what isn't told apart.
"""

# %% sweep-picture
figure, panels = lesson.panels(
    3, "Five values of β, held-out prompts (shipped run)", size=(7.2, 3.0),
    titles=("Reward model", "Judge: grade", "Judge: passes"))
kinds = {"score": "score", "grade": "of seven", "passes": "% of replies"}
for axes, (kind, unit) in zip(panels, kinds.items(), strict=True):
    lesson.intervals(axes, {
        name: over_prompts(sweep[f][kind])
        for f, name in names_by_factor.items()
    }, unit, percent=kind == "passes")
    axes.tick_params(axis="y", labelleft=axes is panels[0])
lesson.show(figure, "For each β a dot with its interval: the reward "
    "model's score, the judge's grade, the share that passes.")

# %% sweep-order
def ordered(kind):
    """From high to low; ~ where prompt by prompt nothing is clear."""
    order = sorted(sweep, key=lambda f: -np.mean(sweep[f][kind]))
    said = names_by_factor[order[0]]
    for above, below in zip(order, order[1:], strict=False):
        d = paired_difference(sweep[above][kind], sweep[below][kind])
        said += f" {'>' if d.low > 0 else '~'} {names_by_factor[below]}"
    return said


for kind in kinds:
    print(f"by {kind:7}", ordered(kind))

# %% order-text [markdown]
r"""
Whether $\beta=0$ did harm depends on the measure: by passes it ends below the initial model, by grade it doesn't.

The table compares each run with our usual one, prompt by prompt; where an interval holds zero, these prompts don't tell the two
apart. No interval knows another seed, and our $\beta$ was chosen with such results in sight.
"""

# %% sweep-table
OBJECTIVE = "objective/rlhf_reward"  # score - beta * KL


def against_preset(factor, name):
    d = paired_difference(sweep[factor][name], sweep[1][name])
    return f"{d.mean:+.2f} ({d.low:+.2f} to {d.high:+.2f})"


ours = names_by_factor[1]
head = ("shipped run", "KL, nats", "score − β KL, start to end",
        f"score, less that of {ours}", "grade, likewise")
lesson.table(head, [
    (names_by_factor[f], f"{late(f, KL):.1f}",
     f"{np.mean(runs[f].series(OBJECTIVE)[1][:5]):.1f} to "
     f"{late(f, OBJECTIVE):.1f}",
     against_preset(f, "score"), against_preset(f, "grade"))
    for f in sweep])

# %% floor-text [markdown]
r"""
Look at the third column: with a large $\beta$ the bracket of Eq. 2 *falls* while it is being maximised, below that of a policy that
never moved. So the two largest $\beta$ don't show a policy that is held; they show steps that don't suit them. Our guess: whitening
makes all steps alike in size, and with a large $\beta$ most of an advantage is chance, which costs KL at any price. Averaging over
steps should help: the next cell shows the averaged policy at our $\beta$, on short training prompts. It is no test: that would need
the last weights, and a larger $\beta$.
"""

# %% floor
initial_models = Models(initial, initial, reward, models.value, tokenizer)
two = (("initial model", initial_models), ("PPO, averaged", models))
brackets = []
for name, which in two:
    said = rollout(which, rows[: lesson.pick(256, quick=32)])
    nats = (kl_k1(said.logprobs, said.reference) * said.mask).sum(-1).mean()
    r = said.scores.mean()
    bracket = r - ppo.beta * nats
    brackets.append((name, f"{r:.2f}", f"{nats:.2f}", f"{bracket:.2f}"))
lesson.table(("live", "score", "KL, nats", "score − β KL"), brackets)

# %% frontier-text [markdown]
r"""
Choose one of the five runs. Left is the reward model, the *proxy*, right the judge; arrows point to smaller $\beta$, blue is the
chosen run's way. Drag its ring back: beneath stands what the policy said then, the judge's objections underlined. All are samples
in training, unlike the picture above.

Which mistakes did the policy find where nothing held it? The table compares two runs' last samples, on the same prompts, in the
five criteria that differ most; picked so, some differ by luck. *Coherence*: nothing is said twice, and all makes sense.
*Source*: nothing is added to the text asked about. *Constraint*: what the prompt demands of words or form. *Truth*: nothing said of
the town is false. *Instruction*: it is the kind of text that was asked for.
"""

# %% frontier
from minirlhf.widgets import Frontier

Frontier([shipped.run(f"beta-{f:g}") for f in sweep], source="shipped run")


# %% points
def points(d):
    """A difference of shares with its interval, and what it says."""
    mean, low, high = (100 * end for end in (d.mean, d.low, d.high))
    verdict = "no clear difference" if low <= 0 <= high else "clear"
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f}), {verdict}"


# %% complaints
def missed(factor):
    """Of the run's last samples, which miss each criterion."""
    run = runs[factor]
    texts = [s for row in run.rows[-32:] for s in run.samples(row["step"])]
    met = [judge(s["prompt"], s["response"]).criteria for s in texts]
    return {name: np.array([of.get(name, 1) < 1 for of in met])
            for name in sorted(set().union(*met))}


zero, preset = missed(0), missed(1)
more = {name: paired_difference(zero[name], preset[name]) for name in zero}
most = sorted(more, key=lambda name: -abs(more[name].mean))[:5]
head = (f"missed, of {more[most[0]].n} replies (shipped run)",
        names_by_factor[0], names_by_factor[1], "more, points")
lesson.table(head, [
    (c, f"{zero[c].mean():.0%}", f"{preset[c].mean():.0%}", points(more[c]))
    for c in most])

# %% time-look [markdown]
r"""
Now over time, as means over fifteen iterations, with bands for their noise: left the score, right the grade of half the same
samples. While both rise, the proxy is worth following. Where the left goes on and the right falls by more than its band and stays
down, that is over-optimisation. All runs have the same prompts in the same iteration: a dip that they share is the prompts'.
"""

# %% time-picture
ends = (smallest, 1, largest)
figure, panels = lesson.panels(
    2, "Three runs, running means (shipped run)", size=(7.2, 3.1),
    titles=("Reward model's score", "Judge's grade"))
for axes, metric in zip(panels, (SCORE, GRADE), strict=True):
    for factor, style in zip(ends, ("-", "--", ":"), strict=True):
        each = np.array(runs[factor].series(metric)[1])
        at = np.arange(1, len(each) + 1)
        noise = np.diff(each).std() / 2**0.5  # of one iteration
        reach = 1.96 * noise / np.minimum(at, 15) ** 0.5
        y, name = running_mean(each, 15), names_by_factor[factor]
        axes.plot(at[4:], y[4:], style, color=INK, label=name)
        axes.fill_between(at[4:], (y - reach)[4:], (y + reach)[4:],
                          color=INK, alpha=0.12, linewidth=0)
    axes.set_xlabel("iterations")
panels[0].legend(fontsize=8, loc="lower right")
lesson.show(figure, "Score and grade of three runs over time, with bands.")

# %% ptx-text [markdown] defines="alignment tax"
r"""
## PPO-ptx, a first look (§3.5, Eq. 2, C.4)

What a policy gains on instructions it may lose elsewhere. The paper's PPO models fell behind the base model at answering
questions, reading and translation (§4.2): the *alignment tax*. A larger $\beta$ didn't win it back (E.6).

The third term of Eq. 2 lessened it. For each minibatch, $\gamma$ times the gradient of the pretraining loss is added to PPO's. In
the paper $\gamma$ is {paper:ptx.gamma}, with {paper:ptx.ratio} documents an episode; here it is {run:counts.ptx_gamma}, with one
document to four episodes.

The next cells give three models *task probes*: texts to continue, in the form in which the pretraining corpus has them.
Look where PPO and PPO-ptx stand beside the base, above all at copying two sentences with another name.
"""

# %% probes
from minirlhf.evaluate.probing import run_probe
from minirlhf.evaluate.statistics import proportion
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.tax import TAX

folders = {"base": base_folder("medium")}
folders |= {m: shipped.run(m) / "model" for m in ("ppo", "ppo-ptx")}
compared = {name: load_policy(path) for name, path in folders.items()}


def right(task):
    """Which items of a task each model has right: 1 or 0."""
    items = task(lesson.pick(200, quick=20))
    return {n: run_probe(m, tokenizer, items) for n, m in compared.items()}


tasks = ("copying with another name", "names in a text", "reading")
answers = {task: right(TAX[task]) for task in tasks}

# %% probes-picture
title = "Task probes: % right (live)"
figure, panels = lesson.panels(3, title, size=(7.2, 2.1), titles=[*answers])
for axes, given in zip(panels, answers.values(), strict=True):
    lesson.intervals(axes, {
        name: proportion(int(was.sum()), len(was))
        for name, was in given.items()})
    axes.tick_params(axis="y", labelleft=axes is panels[0])
low = min(axes.get_xlim()[0] for axes in panels)
for axes in panels:
    axes.set_xlim(low, 103)
lesson.show(figure, "Three task probes, a row for each of base, PPO and "
    "PPO-ptx, with intervals on one scale.")

# %% probes-differences
lesson.table(("points (live)", "PPO less base", "PPO-ptx less PPO"), [
    (task, points(paired_difference(was["ppo"], was["base"])),
     points(paired_difference(was["ppo-ptx"], was["ppo"])))
    for task, was in answers.items()])

# %% ptx-figures [markdown]
r"""
In the shipped run, PPO passes on {run:models.ppo.passes:.0%} of the held-out prompts
[{run:models.ppo.passes.low:.0%}, {run:models.ppo.passes.high:.0%}], PPO-ptx on {run:models.ppo-ptx.passes:.0%}
[{run:models.ppo-ptx.passes.low:.0%}, {run:models.ppo-ptx.passes.high:.0%}]. Measured on {run:models.ppo.probes.reading.n} reading
items, the base has {run:models.base.probes.reading:.1%} right
[{run:models.base.probes.reading.low:.1%}, {run:models.base.probes.reading.high:.1%}], PPO {run:models.ppo.probes.reading:.1%}
[{run:models.ppo.probes.reading.low:.1%}, {run:models.ppo.probes.reading.high:.1%}], PPO-ptx
{run:models.ppo-ptx.probes.reading:.1%} [{run:models.ppo-ptx.probes.reading.low:.1%},
{run:models.ppo-ptx.probes.reading.high:.1%}]: PPO lost too little to measure well what PPO-ptx won back. The loss on corpus text
would prove nothing, since the third term trains on it.

Ask the models something yourself.
"""

# %% playground
from functools import partial

from minirlhf.reward import score_texts
from minirlhf.widgets import Playground

sft = load_policy(shipped.run("sft") / "model")
four = {"base": compared["base"], "sft": sft, "ppo": policy,
        "ppo-ptx": compared["ppo-ptx"]}
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

Its ancestors filled these gaps; so do we, or say where not.
"""

# %% open
from minirlhf.paper import cite

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
    "final learning rate, 1.3B": ("ppo.lr.1.3b", ppo.learning_rate),
}

# %% open-table
found = [(words, cite(f"unstated.{key}"), ours)
         for words, (key, ours) in names_of.items()]
lesson.table(("not stated", "ancestors", "whose", "here"), [
    (words, number.value, number.where.partition("; ")[2], ours)
    for words, number, ours in found])

# %% departures-text [markdown]
r"""
The next table is everything in which Tinytown's preset departs from our preset `paper`, with the reason; brackets mark what isn't
the paper's. Reasons that tell an effect are of trials not shown here. `vector_factor` multiplies the learning rate of gains and
biases. Of PPO's learning rate the paper prints the ranges that it tried; the preset takes the one above which runs without ptx
diverged (E.9).
"""

# %% departures
from minirlhf.presets import DIFFERENCES

filled = {"lam": "ancestors", "vector_factor": "not in the paper",
          "residual_dropout": "not stated for C.3",
          ("ppo", "learning_rate"): "E.9's bound",
          ("ppo_ptx", "learning_rate"): "E.9's bound"}


def settings(stage, field):
    """A setting of preset `paper`, and ours; None where they agree."""
    theirs, ours = (getattr(getattr(PRESETS[p], stage), field, None)
                    for p in ("paper", "tinytown"))
    source = "GPT-3" if stage == "pretrain" else filled.get(
        field, filled.get((stage, field), ""))
    shown = f"{theirs} ({source})" if source else theirs
    return (shown, ours) if theirs != ours else None


# %% departures-table
stages = ("pretrain", "sft", "initial", "reward", "ppo", "ppo_ptx")
lesson.table(("stage", "setting", "preset paper", "Tinytown", "why"), [
    (stage, d.field, *both, d.reason)
    for d in DIFFERENCES for stage in stages
    if d.stage in ("*", stage) and (both := settings(stage, d.field))
])

# %% rivals-text [markdown]
r"""
## Is it worth the trouble?

**Best of n**, not in this paper, needs no training. In the shipped run, the best of sixteen SFT samples by the same reward model
passes in {run:models.best-of-n.passes:.0%} of cases [{run:models.best-of-n.passes.low:.0%},
{run:models.best-of-n.passes.high:.0%}], PPO's only sample in {run:models.ppo.passes:.0%} [{run:models.ppo.passes.low:.0%},
{run:models.ppo.passes.high:.0%}]. It costs sixteen replies for each one shown;
PPO costs one training run.

**Without the clip?** Each rollout is used once, in four minibatches, so the policy is at most three steps away from the
one that sampled. The next cell counts the tokens beyond the clip; those that moved the wrong way are still pulled back. The first
minibatch has none by construction (`check_ratio` in `episodes.py` stops a run where it has). Where so few are, the clip hardly acts.
"""

# %% clip
log = Reader(shipped.run("ppo"))
log.look()
share = log.series("ppo/policy/clipfrac")[1]
print(
    f"tokens beyond the clip (shipped run): {sum(share) / len(share):.2%}"
    f" on average, {max(share):.1%} in the iteration with most"
)

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("chapter06.")

# %% summary [markdown]
r"""
## Summary

| | paper | shipped run |
|---|---|---|
| episodes | {paper:ppo.episodes} | {run:counts.episodes:,} |
| $\beta$, reward per nat | {paper:ppo.beta} | {run:counts.ppo_beta} |
| wins of PPO against SFT of its size | {paper:fig1.175b.ppo} | {run:models.ppo.wins_labelers:.2f} [{run:models.ppo.wins_labelers.low:.2f}, {run:models.ppo.wins_labelers.high:.2f}] |
| the same for PPO-ptx | {paper:fig1.175b.ppo-ptx} | {run:models.ppo-ptx.wins_labelers:.2f} [{run:models.ppo-ptx.wins_labelers.low:.2f}, {run:models.ppo-ptx.wins_labelers.high:.2f}] |

The paper's win rates are its largest model's, read off Fig. 1; ours are the verdict of labelers, programs here, who took no part in
training.

A score at the end of a response becomes an advantage for each of its tokens, and the clip ends the push on what has moved far
enough. With too small a $\beta$ the policy ran after the reward model's mistakes, with too large a one it didn't learn; only a judge
outside training can tell. The third term of Eq. 2 rehearses what may be unlearned; here too little was to show it.

## Questions

1. The reward model's score rises on held-out prompts, too. Why is that no proof that the policy became better?

<details><summary>Answer</summary>

The policy was trained to raise it, be it by mistakes of the reward model that hold everywhere. It takes a judge outside training.

</details>

2. In the first minibatch of an iteration, what is the ratio, and what does the clip do?

<details><summary>Answer</summary>

The policy is still the one that sampled: up to rounding each ratio is one, and nothing is clipped.

</details>

3. Why can nobody take over the paper's $\beta$?

<details><summary>Answer</summary>

It is reward per nat. Scores are log-odds of a preference, but their spread depends on how sure the reward model is, which labels,
data and training decide. Another reward model, another price.

</details>

4. A reply has ten tokens, and policy and reference give each the same probability. What is the shaped reward of its first token,
and of its last?

<details><summary>Answer</summary>

Zero, and the score. Where no token was moved, nothing is charged.

</details>

5. Two runs reach the same score, one at two nats of KL, one at twelve. Which one would you ship, and what would you measure first?

<details><summary>Answer</summary>

The nearer one: it had less room for the reward model's mistakes. First ask someone outside: judge, labelers, tasks. The two
smallest $\beta$ above are nearly such a pair: compare KL and grades.

</details>

## The way on

- [Exercise 06](../exercises/ex06_ppo.ipynb): KL, reward, advantage, both losses, one step of PPO-ptx, and a run that never clips.
- Back to [the three steps in one picture](00_three_steps.ipynb), or to
  [the reward model](05_reward_model.ipynb), to mend what the policy found.

**A lecture of thirty minutes:** Eq. 2 and the four models (five), one response in the lens (ten), the live run, started
before (five), the five values of $\beta$ (ten).

**A lab of sixty minutes:** the page with its guesses (thirty), a second run in another folder, with ten times the $\beta$ by the
desk's slider (fifteen), advantages and clipped loss in exercise 06 (fifteen).
"""
