# ---
# jupyter:
#   minirlhf:
#     paper: §3.5, §4.1, Eq. 2, C.2, C.3, C.4
#     doing_minutes: 30
# ---

# %% title [markdown]
r"""
# Chapter 06 · Reinforcement learning

A reward model says how good a whole reply is. It doesn't say which word made it good, and the dice that chose the words have no
derivative. How, then, does one number at the end of a reply move the weights that wrote it?

After this chapter you can

- work out a policy gradient by hand, and say what a baseline changes and what it leaves alone;
- write the loop that improves a language model's replies from nothing but their scores;
- split the paper's objective, Eq. 2, into a reward for each token, and say how much each token deserves;
- read every line of a loop of PPO, the paper's step 3, and say what it is for;
- train a policy with the package, and find out whether it became better.
"""

# %% arms [markdown]
r"""
## A bandit with three arms (§3.5)

*Name a gift for Ines.* Suppose that a *policy*, a model that draws replies, knows only three: *a scarf*, *a ring*, *a stone*. It says
*scarf* with probability one fifth, *ring* with one half, *stone* with three tenths. The reward model scores them five, four and three.
One question, one reply, one score: the paper calls this a *bandit*, after the *one-armed bandit*, a slot machine. Each reply is an arm.

The policy is a softmax over three logits $\phi$. What should grow is $J$, the mean score. The derivative of a softmax is
$\partial\pi_b/\partial\phi_a=\pi_b\,(\mathbf 1[a=b]-\pi_a)$, where $\mathbf 1[\cdot]$ is one if the bracket is true and zero if not. So

$$J=\sum_a\pi_a\,r_a,\qquad \frac{\partial J}{\partial\phi_a}=\pi_a\,(r_a-J).$$

An arm rises if it pays more than the policy gets on average, and moves faster the more often it is chosen. Work out the three
numbers on paper before you run the cells. Which arms rise, and which one falls?
"""

# %% by-hand
import torch
import torch.nn.functional as F

r = torch.tensor([5.0, 4.0, 3.0])  # scores of scarf, ring, stone
phi = torch.tensor([0.2, 0.5, 0.3]).log().requires_grad_()
pi = phi.softmax(0)
J = (pi * r).sum()
J.backward()
pi, J = pi.detach(), J.detach()  # numbers from here on
by_hand = pi * (r - J)

# %% by-hand-table folded="yes"
from minirlhf import lesson

arm_names = "scarf", "ring", "stone"
lesson.table(("arm", "π", "r", f"r − J, with J = {J:.1f}", "by hand",
              "by autograd"), [
    (name, f"{pi[a]:.1f}", f"{r[a]:.0f}", f"{r[a] - J:+.1f}",
     f"{by_hand[a]:+.3f}", f"{phi.grad[a]:+.3f}")
    for a, name in enumerate(arm_names)])

# %% sampled [markdown] defines="advantage"
r"""
### From a sum to a draw

The sum runs over all arms. A language model has more replies than anyone can list; we can only draw some. One identity helps:
a derivative is the thing itself times the derivative of its logarithm, so

$$\nabla J=\sum_a r_a\,\nabla\pi_a=\sum_a\pi_a\;r_a\nabla\log\pi_a=\mathbb E_{a\sim\pi}\big[\,r_a\,\nabla\log\pi_a\,\big]$$

Draw an arm, and multiply the gradient of its log-probability by its score: on average that is the gradient of $J$. The dice need
no derivative, and neither does the reward model.

A single draw is noisy, though. All three scores are positive, so *whichever* arm is drawn becomes likelier. Only over many draws does the
scarf gain most. The remedy is to subtract a number $b$ from the score, the *baseline*. It may be any number that doesn't depend on the
draw, since then the mean of the estimate stays where it was:

$$\mathbb E_{a\sim\pi}\big[\,b\,\nabla\log\pi_a\,\big]=b\sum_a\nabla\pi_a=b\,\nabla 1=0.$$

What is left, the score minus the baseline, is the *advantage* of the arm: how much better it turned out than expected.
"""

# %% estimates
def estimates(b, n, seed=0):
    """n estimates of the gradient, each from one drawn arm: [n, 3]."""
    dice = torch.Generator().manual_seed(seed)
    arm = torch.multinomial(pi, n, replacement=True, generator=dice)
    slope = F.one_hot(arm, 3) - pi  # gradient of log π of that arm
    return (r[arm] - b)[:, None] * slope


def variance(b):
    """Mean squared distance of a single estimate from the gradient."""
    return (estimates(b, 20_000) - phi.grad).square().sum(-1).mean()


bs = torch.linspace(0, 8, 33)
curve = [float(variance(b)) for b in bs]
plain, centred = float(variance(0)), float(variance(J))

# %% variance-guess
from minirlhf.widgets import Prediction

guess_variance = Prediction(
    "Subtract b = J, the mean score. By which factor does the variance "
    "of an estimate shrink?", "06.variance", unit="times smaller", low=1)
guess_variance

# %% variance-answer
guess_variance.reveal(plain / centred)

# %% learn-text [markdown]
r"""
Does that help learning? The next cell trains two hundred copies of this policy, with and without a baseline, here a running mean of the
scores. If it were of no use, both bands in the picture would be equally wide.
"""

# %% learn


def learn(with_baseline, steps=200, copies=200, rate=0.1):
    """The mean score J of each copy after each step: [steps, copies]."""
    phi = pi.log().repeat(copies, 1)
    dice, b = torch.Generator().manual_seed(1), torch.zeros(copies)
    found = []
    for _ in range(steps):
        p = phi.softmax(-1)
        arm = torch.multinomial(p, 1, generator=dice)[:, 0]
        A = r[arm] - b if with_baseline else r[arm]
        phi = phi + rate * A[:, None] * (F.one_hot(arm, 3) - p)
        b = b + 0.1 * (r[arm] - b)  # known before the next draw
        found.append(phi.softmax(-1) @ r)
    return torch.stack(found)


runs = {"no baseline": learn(False), "baseline": learn(True)}

# %% variance-look [markdown]
r"""
Left, the variance for every baseline: is it smallest at $J$? (Nearly: arms with longer gradients count more.) Right, the mean score of the
copies while they learn; nine in ten of them lie in the band, the lighter one without a baseline.
"""

# %% variance-picture folded="yes"
from minirlhf.report.charts import INK, MUTED, PALETTE

figure, (left, right) = lesson.panels(
    2, "What a baseline changes (live)",
    titles=("Variance of one estimate", "Mean score while learning"))
left.plot(bs, curve, color=INK)
for b, size, word in ((0, plain, "b = 0"), (float(J), centred, "b = J")):
    left.plot(b, size, "o", color=INK)
    left.text(b + 0.7 - b / 2, size + b / 2, f"{word}: {size:.2g}", size=8)
left.set(xlabel="baseline b", ylim=(0, None))
for (name, found), style in zip(runs.items(), ("--", "-"), strict=True):
    low, mid, high = found.quantile(torch.tensor([0.05, 0.5, 0.95]), dim=1)
    right.plot(mid, style, color=INK, label=f"{name}, median")
    right.fill_between(range(len(mid)), low, high, color=INK, alpha=0.13)
right.set(xlabel="steps", ylabel="J")
right.legend(fontsize=7.5, loc="lower right")
lesson.show(figure, "Left, a parabola of the variance over the baseline, "
            "right, bands of the mean score with and without a baseline.")

# %% learn-table folded="yes"
lesson.table(("live", "mean score at the end, mean of all copies",
              "copies that end below 4.5"), [
    (name, f"{last.mean():.2f}", f"{(last < 4.5).float().mean():.0%}")
    for name, last in ((name, found[-1]) for name, found in runs.items())])

# %% replies [markdown]
r"""
## One prompt, whole replies

Now a real model plays the guide of Tinytown, the course's invented town. A guest says *You are a lazy fool.* The arms are the model's
replies; nothing changes but the size. A reply's probability is the product of its tokens' probabilities, so its logarithm is a sum:

$$\log\pi(y\mid x)=\sum_t\log\pi(y_t\mid x,y_{<t})$$

We load two models of the package's *shipped run*, a long one made beforehand: the policy from which step 3 starts (C.3: a base model
after demonstrations, with some pretraining text mixed in) and the reward model of step 2. Then we open two functions of
`minirlhf/plain/ppo.py`.
"""

# %% load
from minirlhf import shipped
from minirlhf.models import ScalarModel, never_sampled
from minirlhf.plain.ppo import logprobs, respond, scores, values
from minirlhf.pretrained import load_policy, load_tokenizer

tokenizer = load_tokenizer(shipped.run("initial") / "model")
initial = load_policy(shipped.run("initial") / "model", tokenizer)
reward = ScalarModel.load(shipped.run("reward") / "model").classifier
never = never_sampled(tokenizer, initial)  # padding and its like
banned = torch.zeros(len(never)).masked_fill(never, -torch.inf)

# %% opened
import inspect

print(inspect.getsource(respond), inspect.getsource(logprobs), sep="\n")

# %% opened-text [markdown]
r"""
- `respond` draws. `u` is a uniform number between zero and one; the token drawn is the first whose cumulative probability
  exceeds it.
- `logprobs` says how likely the drawn tokens were. The model's output at one position predicts the *next* token; hence the slice,
  which begins one before the reply and ends one before its end. `banned` rules out tokens that are never drawn, such as padding.

`respond` reads the whole text again for each token. We take the package's `sample`, which draws the same tokens but caches what it has
read. The loop below is the *REINFORCE* of Williams (1992), and it is the bandit's estimate line by line: draw replies, score them,
subtract their mean, step.
"""

# %% answer
from minirlhf.data.tokenization import encode_prompts
from minirlhf.randomness import generator
from minirlhf.sampling import sample


def answer(policy, xs, *draw, longest=48):
    """Pairs (x, y) of ids: a reply to each prompt; draw names the dice."""
    u = torch.rand(len(xs), longest, generator=generator(0, *draw))
    drawn = sample(policy, [x.tolist() for x in xs], u, suppress=never,
                   eos_token_id=tokenizer.eos_token_id,
                   pad_token_id=tokenizer.pad_token_id)
    return list(zip(xs, map(torch.tensor, drawn.ids()), strict=True))


text = "Talk to the guest.\nGuest: You are a lazy fool.\nGuide:"
x = torch.tensor(encode_prompts(tokenizer, [text])[0])

# %% reinforce
import copy


def reinforce(reward_of, seed, steps=12, n=12, rate=3e-4):
    """Improve the replies to x; the policy, and what each step drew."""
    policy, log = copy.deepcopy(initial), []
    adam = torch.optim.Adam(policy.parameters(), lr=rate)
    for step in range(steps):
        pairs = answer(policy, [x] * n, "reinforce", seed, step)
        new, _ = logprobs(policy, pairs, banned)  # [n, tokens]
        with torch.no_grad():
            R = reward_of(pairs, new)  # [n], one for each reply
        A = R - R.mean()
        loss = -(A * new.sum(-1)).mean()
        loss.backward()
        adam.step()
        adam.zero_grad()
        log.append((pairs, new.detach()))
    return policy, log

# %% different-guess
guess_different = Prediction(
    "At its last step the policy answers this guest twelve times. How many "
    "different replies are among them, on average over the runs?",
    "06.different", unit="replies", low=1, high=12)
guess_different

# %% run-reinforce
def by_score(pairs, new):
    return scores(reward, pairs)


seeds = range(lesson.pick(3, quick=2))
steps = lesson.pick(15, quick=3)
free = [reinforce(by_score, seed, steps) for seed in seeds]

# %% courses


@torch.no_grad()
def course(log):
    """Mean score and number of different replies of each step."""
    return torch.tensor([
        (scores(reward, pairs).mean(),
         len({tuple(y.tolist()) for _, y in pairs})) for pairs, _ in log])


courses = torch.stack([course(log) for _, log in free])  # [seeds, steps, 2]

# %% different-answer
guess_different.reveal(float(courses[:, -1, 1].mean()))

# %% reinforce-look [markdown]
r"""
Left, does the score rise in each run? A mean of twelve jumps: look at the trend. Right, what becomes of the variety? A line is a run. The
table shows common replies of one run, before and after. They needn't score higher for the mean to rise: bad replies may become rarer.
"""

# %% reinforce-picture folded="yes"
figure, (left, right) = lesson.panels(
    2, "REINFORCE on one prompt (live)",
    titles=("Mean score of twelve replies", "Different ones among them"))
for style, run in zip(("-", "--", ":"), courses, strict=False):
    for axes, line in ((left, run[:, 0]), (right, run[:, 1])):
        axes.plot(range(1, len(line) + 1), line, style, color=INK)
        axes.set_xlabel("step")
        axes.locator_params(axis="x", integer=True)
left.set_ylabel("score")
right.set(ylabel="replies", ylim=(0, 12.5), yticks=range(0, 13, 3))
lesson.show(figure, "Left, the mean score over the steps, a line for each "
    "run. Right, how many of the twelve replies differ, over the steps.")

# %% reinforce-replies folded="yes"
from collections import Counter

rows = []
for when, (pairs, _) in (
        ("first step", free[0][1][0]), ("last step", free[0][1][-1])):
    said = [tokenizer.decode(y, skip_special_tokens=True) for _, y in pairs]
    with torch.no_grad():
        of = dict(zip(said, scores(reward, pairs).tolist(), strict=True))
    rows += [(when, f"{count} of {len(said)}", reply.strip(),
              f"{of[reply]:+.2f}")
             for reply, count in Counter(said).most_common(3)]
lesson.table(("live", "said", "reply", "score"), rows)

# %% reinforce-why [markdown]
r"""
**Why the mean of the batch is a fair baseline.** It contains the reply's own score, so it isn't quite independent of the draw. On average
that only shrinks each push by one part in `n`.

**Why nobody plots this loss.** Its gradient is right, its value means little: with the mean as baseline it is minus the covariance of
score and log-probability within the batch, which can have either sign whether the policy is good or bad. Watch the score.
"""

# %% price [markdown] defines="KL divergence; PPO-ptx"
r"""
## The price of leaving (Eq. 2)

A policy that follows scores alone goes wherever *this* reward model sends it. But the reward model was trained on replies such as step 1
writes. Far from those its scores are guesses, and some may be too high (chapter 07). So Eq. 2 charges for going away:

$$
J(\phi)=\mathbb E_{x,\,y\sim\pi}\Big[\,r_\theta(x,y)-\beta\,\log\frac{\pi(y\mid x)}{\pi^{\rm SFT}(y\mid x)}\Big]
+\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]
$$

- The first term is the **score**, as before; $\theta$ are the reward model's weights.
- The second is the **charge**. The reference $\pi^{\rm SFT}$, named after supervised fine-tuning (step 1), is a frozen copy of the
  policy's start, here `initial`. The mean of the log-ratio is the *KL divergence* of the policy from the reference, in *nats*, the unit
  of natural logarithms. $\beta$ is the **price** of a nat, in units of the score: {paper:ppo.beta} in the paper,
  {run:counts.ppo_beta} in our shipped run.
- The third **rehearses** pretraining text. With it the paper says *PPO-ptx*, without it PPO. Its weight is called $\gamma$. In most
  books that is a discount on later rewards, which the paper doesn't use. This page trains
  without the third term.

Where does the price lead? At the best policy no arm may be worth more than another once its charge is paid, or it would still pay to
shift probability there. (Shifting changes the charge too, but that adds the same $-\beta$ for every arm.) So
$r_a-\beta\log(\pi_a/\pi^{\rm SFT}_a)$ is the same number for all arms, which means

$$\pi^*_a\;\propto\;\pi^{\rm SFT}_a\,\exp(r_a/\beta)$$

The best policy is the start, tilted by the scores: little at a large price; as the price goes to zero, the best arm takes all. The next
cell compares the formula with gradient ascent. The one after it puts the price into the loop above: only `reward_of` changes. Its $\beta$
is large, so that a few steps on one prompt can show an effect.
"""

# %% tilt


def tilted(beta):
    return (pi.log() + r / beta).softmax(0)


def ascended(beta, steps=400):
    """Gradient ascent on Eq. 2 for the three arms."""
    phi = pi.log().requires_grad_()
    adam = torch.optim.Adam([phi], lr=0.05)
    for _ in range(steps):
        p = phi.softmax(0)
        loss = -(p * (r - beta * (p.log() - pi.log()))).sum()
        loss.backward()
        adam.step()
        adam.zero_grad()
    return phi.softmax(0).detach()


gap = max((tilted(b) - ascended(b)).abs().max() for b in (0.5, 1.0, 4.0))
print(f"largest difference to the formula: {gap:.3f}")

# %% priced
beta = 1.0  # score per nat


def priced(pairs, new):
    """The bracket of Eq. 2, a number for each reply."""
    reference, _ = logprobs(initial, pairs, banned)
    return scores(reward, pairs) - beta * (new - reference).sum(-1)


held = [reinforce(priced, seed, steps) for seed in seeds]

# %% landed
n = lesson.pick(64, quick=8)


@torch.no_grad()
def landed(policy):
    """KL, score and share of different ones, of n fresh replies to x."""
    pairs = answer(policy, [x] * n, "landed")
    new, _ = logprobs(policy, pairs, banned)
    reference, _ = logprobs(initial, pairs, banned)
    kinds = {tuple(y.tolist()) for _, y in pairs}
    return [(new - reference).sum(-1).mean(),
            scores(reward, pairs).mean(), len(kinds) / n]


groups_of = {"start": [initial], "β = 0": [run[0] for run in free],
             f"β = {beta:g}": [run[0] for run in held]}
places = {name: torch.tensor([landed(policy) for policy in them])
          for name, them in groups_of.items()}

# %% frontier-text [markdown]
r"""
Nothing in that argument needs three arms: it holds for whole replies too. So the best policy can be known without training: sample
replies from the reference, and weight each by $\exp(r/\beta)$. That gives its score and KL for every price. No policy can lie above that
line, except by the luck of the samples. The line can't pass their best score; of a run that ends farther right it says nothing.
"""

# %% frontier
pairs = answer(initial, [x] * lesson.pick(320, quick=48), "frontier")
with torch.no_grad():
    s = scores(reward, pairs)
betas = torch.logspace(1.0, -1.0, 40)
weights = (s / betas[:, None]).softmax(-1)  # π* over these replies;
# the reference has each with weight 1 / len(s)
best_score = weights @ s
best_kl = (weights * (weights * len(s)).clamp(min=1e-9).log()).sum(-1)

# %% price-look [markdown]
r"""
Left, the best policy on three arms: read it from the right, where it is the start. Right, where the real policies ended on the one prompt,
a mark for each run: do those with a price stay left of those without, and how far below the line do they lie? The start belongs at the
line's left end: its distance from there is the luck of few replies. The table adds how varied the replies are.
"""

# %% price-picture folded="yes"
figure, (left, right) = lesson.panels(
    2, "What the price does (live)", size=(7.2, 3.0),
    titles=("Best policy on three arms", "Score and KL on one prompt"))
grid = torch.logspace(-1, 1.5, 60)
best = torch.stack([tilted(b) for b in grid])
for a, style in enumerate(("-", "--", ":")):
    left.plot(grid, best[:, a], style, color=INK, label=arm_names[a])
left.set(xscale="log", xlabel="β (log axis)", ylabel="probability")
right.plot(best_kl, best_score, color=MUTED, label="best possible")
right.set(xlabel="KL, nats per reply", ylabel="score")
for (name, found), mark in zip(places.items(), "so^", strict=True):
    color = PALETTE["initial"] if name == "start" else INK
    right.plot(found[:, 0], found[:, 1], mark, color=color, label=name,
               fillstyle="none" if mark == "^" else "full")

# %% price-shown folded="yes"
for axes in (left, right):
    axes.legend(fontsize=7.5)
lesson.show(figure, "Left, probabilities of three arms over β. Right, "
    "score over KL for runs with and without a price, under the line of "
    "the best possible policies.")

# %% price-table folded="yes"
lesson.table(("live, mean over the runs", "KL, nats", "score",
              f"score − {beta:g} × KL", f"different ones of {n} replies"), [
    (name, f"{kl:.2f}", f"{score:.2f}", f"{score - beta * kl:.2f}",
     f"{kinds:.0%}")
    for name, found in places.items()
    for kl, score, kinds in [found.mean(0).tolist()]])

# %% tokens [markdown]
r"""
### Token by token

The logarithm of a product is a sum, so the charge need not wait for the end. Every token can pay its own part, and its *reward* $R_t$ is:

$$R_t=-\beta\,\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ is the last token}]\;r_\theta(x,y)$$

The log-ratio of a single token is called `k1`. It may be negative; its mean, the KL, can't be. Below are the package's lines, then one
reply of a trained policy with what each token pays; the last one also gets the score. The rewards of a reply add up to the bracket of
Eq. 2; as a check, we compare the means.
"""

# %% shaped
from minirlhf.objectives import rlhf_objective, shaped_rewards

pairs = answer(held[0][0], [x] * 12, "shaped")
with torch.no_grad():
    new, mask = logprobs(held[0][0], pairs, banned)  # mask: True on y
    reference, _ = logprobs(initial, pairs, banned)
    given = (scores(reward, pairs), new, reference, mask, beta)
R = shaped_rewards(*given)  # [12, tokens]
gap = R.sum(-1).mean() - rlhf_objective(*given)
print(inspect.getsource(shaped_rewards).split('"""')[-1].strip("\n"))
print(f"mean sum of rewards, minus the bracket of Eq. 2: {abs(gap):.0e}")

# %% shaped-table folded="yes"
row = int(mask.sum(-1).sub(9).abs().argmin())
T = int(mask[row].sum())
named = [tokenizer.decode([t]).strip() or "⏎" for t in pairs[row][1]]
named[-1] = "END"
k1 = new - reference
lesson.table(("live", *named), [
    ("log-ratio k1", *(f"{v:+.2f}" for v in k1[row, :T])),
    ("reward R", *(f"{v:+.2f}" for v in R[row, :T]))])

# %% value [markdown] defines="value model"
r"""
## Which token earned it? (C.2, C.4)

A reply begins kindly and ends with an insult. REINFORCE pushes all its words down alike. It would be better to know, before each word,
what score was to be expected: the word at which the expectation falls is to blame.

The *value model* predicts that: $V_t$ is the reward still to come, judged from the prompt and the tokens before $t$. It is a network like
the reward model, read at every position instead of the last, and it learns by regression. In the next cells nothing is charged, so the
score that came in the end is the target for every token. The paper's value model starts as a copy of the reward model.

**Why from the reward model?** It knows what makes a reply good; a fresh head on the policy has yet to find out. But it was only read at
the last token; its number for an unfinished reply has meant nothing so far. Which weighs more? We train both starts on the same replies
in the same order, and measure the squared error on each batch *before* learning from it.
"""

# %% value-guess
answers = "at first and later", "later only", "at first only", "never"
guess_start = Prediction(
    "When does the value model that starts from the reward model predict "
    "better than one that starts from the policy, with a fresh head?",
    "06.start", choices=answers)
guess_start

# %% told
texts = [row["prompt"] for row in shipped.read("prompts-ppo")]
encoded = map(torch.tensor, encode_prompts(tokenizer, texts))
guests = [ids for ids, t in zip(encoded, texts, strict=True)
          if t.count("Guest:") == 1 and t.endswith("Guide:")]
# nearly every guest twice
many = (guests * 2)[: lesson.pick(288, quick=48)]
told = answer(initial, many, "told")
with torch.no_grad():
    came = scores(reward, told)  # what each reply brought, at its end

# %% learn-value
from minirlhf.objectives import value_loss
from minirlhf.randomness import permutation


def learn_value(value, seed, batch=16, rate=1e-3):
    """Regress V on what came; the error on each batch, measured before."""
    adam, errors = torch.optim.Adam(value.parameters(), lr=rate), []
    for rows in permutation(len(told), seed, "value").split(batch):
        pairs = [told[i] for i in rows]
        V = values(value, pairs)  # [batch, tokens]
        lengths = torch.tensor([len(y) for _, y in pairs])
        mask = torch.arange(V.shape[1]) < lengths[:, None]
        target = came[rows, None].expand_as(V)
        loss = value_loss(V, V, target, mask, clip=None)  # half the square
        loss.backward()
        adam.step()
        adam.zero_grad()
        errors.append(2 * loss.item())
    return value, errors

# %% starts
def from_policy(seed):
    """The policy's network with a new head."""
    return ScalarModel.from_policy(initial, tokenizer, seed).classifier


copied = [learn_value(copy.deepcopy(reward), seed) for seed in seeds]
fresh = [learn_value(from_policy(seed), seed) for seed in seeds]
value = copied[0][0]  # used from here on, after two more passes:
for seed in (1, 2):
    learn_value(value, seed)
# [starts, seeds, batches]
errors = torch.tensor([[e for _, e in runs] for runs in (copied, fresh)])
third = max(1, errors.shape[-1] // 3)

# %% value-answer
from minirlhf.evaluate.statistics import over_seeds

gap = errors[1] - errors[0]  # fresh minus copied
parts = {"first third": gap[:, :third], "last third": gap[:, -third:]}
better_by = {name: over_seeds(part.mean(1)) for name, part in parts.items()}
first, late = (d.low > 0 for d in better_by.values())
guess_start.reveal(
    answers[0 if first and late else 1 if late else 2 if first else 3])

# %% start-table folded="yes"
lesson.table((f"squared error ({len(copied)} seeds, live)",
              "from the reward model", "fresh head", "difference"), [
    (name, *(f"{e[:, cut].mean():.1f}" for e in errors),
     f"{better_by[name]:+.2f}")
    for name, cut in (("first third", slice(third)),
                      ("last third", slice(-third, None)))]
    + [("a constant", f"{came.var():.1f}", f"{came.var():.1f}", "")])

# %% truth-text [markdown]
r"""
A positive difference favours the copy of the reward model. *Better*, in the answer above, asks that the whole interval over seeds be
positive, so *never* includes cases that so few seeds can't decide. *A constant* always predicts the mean (its error is over replies, not
tokens): does either start beat it?

Is the trained value model right about a single token? We can ask the policy. Take a reply that went badly, cut it before each of its
tokens, and let the policy finish it many times. The mean score of these endings is what the value should be.
"""

# %% truth
n = lesson.pick(24, quick=4)  # endings from each token on
tries = answer(initial, [x] * 32, "tries")
with torch.no_grad():
    s = scores(reward, tries)
tokens = torch.tensor([len(y) for _, y in tries])
worst = int(torch.where(tokens <= 16, s, torch.inf).argmin())
y = tries[worst][1]
cuts = [torch.cat([x, y[:t]]) for t in range(len(y)) for _ in range(n)]
with torch.no_grad():
    ends = scores(reward, answer(initial, cuts, "truth")).view(len(y), n)
    V = values(value, [(x, y)])
error = ends.std(1) / n**0.5

# %% gae-text [markdown] defines="GAE"
r"""
### From surprise to advantage

The *surprise* at a token is what it brought, plus what is expected after it, minus what was expected before:

$$\delta_t=R_t+V_{t+1}-V_t,\qquad \hat A_t=\delta_t+\lambda\,\delta_{t+1}+\lambda^2\,\delta_{t+2}+\dots=\delta_t+\lambda\,\hat A_{t+1}$$

After the last token nothing is to come, and the next value is zero. A token's advantage is its own surprise and, fading by $\lambda$, the
later ones; the last form computes it from right to left. This is *GAE*, generalised advantage estimation. With a $\lambda$ of zero a
token answers for its own surprise alone: little noise, but every error of the value model counts. With one, the sum collapses to what
really came minus $V_t$. Errors of the value model then don't mislead it on average, but it has the luck of all later tokens. The paper
doesn't state $\lambda$. Its ancestors, the works it follows, take {paper:unstated.gae_lambda}; our runs take one.

By hand: four tokens, a score of one at the end, no price.
"""

# %% gae-guess
R4 = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
V4 = torch.tensor([[0.2, 0.5, 0.4, 0.9]])
guess_gae = Prediction(
    "R = 0, 0, 0, 1 and V = 0.2, 0.5, 0.4, 0.9. What is the advantage of "
    "the second token at λ = ½?", "06.gae", unit="advantage",
    low=-1, high=1)
guess_gae

# %% gae-answer
from minirlhf.objectives import gae

four = torch.ones(1, 4, dtype=torch.bool)
half = gae(R4, V4, four, lam=0.5).advantages[0]
guess_gae.reveal(float(half[1]))

# %% gae-toy folded="yes"
def of_four(lam):
    return gae(R4, V4, four, lam=lam).advantages[0]


lesson.table(("token", "1", "2", "3", "4"), [
    ("surprise δ, or λ = 0", *(f"{a:+.3f}" for a in of_four(0.0))),
    ("λ = ½", *(f"{a:+.3f}" for a in half)),
    ("λ = 1, what came minus V", *(f"{a:+.3f}" for a in of_four(1.0)))])

# %% credit
whole = torch.ones(1, len(y), dtype=torch.bool)
R1 = torch.zeros(1, len(y))
R1[0, -1] = s[worst]  # no charge: the policy is its own reference
credit = {lam: gae(R1, V, whole, lam=lam).advantages[0]
          for lam in (0.0, 0.95, 1.0)}

# %% credit-look [markdown]
r"""
Left, before each token, the trained value and the mean of new endings with its interval; the bar is the score that came. Where both fall
together, the value model has found the word; where only the value falls, a small $\lambda$ blames a word for the model's error. Right, the
advantages of the same tokens. Which $\lambda$ blames few of them, and which nearly all?
"""

# %% credit-picture folded="yes"
figure, (left, right) = lesson.panels(
    2, "One reply that ended badly (live)", size=(7.2, 3.2),
    titles=("Expected score before each token", "Advantage of each token"))
at = range(len(y))
said = [tokenizer.decode([t]).strip() or "⏎" for t in y]
said[-1] = "END"
left.errorbar(at, ends.mean(1), 1.96 * error, color=MUTED, fmt="s", ms=3,
              linewidth=1, label="mean of new endings")
left.plot(at, V[0], "o-", color=INK, ms=3, label="V")
left.bar([len(y)], [float(s[worst])], color=MUTED, width=0.5)
left.set_xticks(range(len(y) + 1), [*said, "score"])
right.set_xticks(at, said)
for (lam, A), style in zip(credit.items(), (":", "--", "-"), strict=True):
    right.plot(at, A, style, color=INK, label=f"λ = {lam:g}")

# %% credit-shown folded="yes"
for axes in (left, right):
    axes.tick_params(axis="x", rotation=75, labelsize=7)
    axes.set_title(axes.get_title(), fontsize=8.5, pad=20)
    axes.legend(fontsize=7.5, ncols=3, frameon=False, loc="lower left",
                bbox_to_anchor=(-0.02, 0.98))
left.set_ylabel("score")
lesson.show(figure, "Left, the value of each prefix of a reply beside the "
    "mean score of new endings with intervals. Right, advantages of its "
    "tokens under three values of λ.")

# %% ratio [markdown] defines="PPO; rollout; whitening"
r"""
## Ratio and clip (C.4)

A batch of fresh replies, a *rollout*, is expensive, so we want several steps on it. But after the first step the policy is no longer the
one that sampled, and the estimate above is right for its own samples only. The remedy is to weight each token by a *ratio*: its
probability now, over its probability when it was drawn, $\rho_t=\pi(y_t)/\pi_{\rm old}(y_t)$. The words before it come from the old
policy too, so this is nearly right only while the two are close. At a ratio of one, $\rho_t\hat A_t$ has the gradient
$\hat A_t\,\nabla\log\pi(y_t)$, which is the bandit's.

Far from one such a weight gets out of hand. *PPO*, proximal policy optimization, therefore ends the push on a token once its ratio is
more than $\epsilon$ away from one: upwards for a good token, downwards for a bad one. The paper's $\epsilon$ is {paper:ppo.clip}. With a
bar for the mean over tokens:

$$\mathcal L=-\,\overline{\min\big(\rho_t\hat A_t,\ \mathrm{clip}(\rho_t,1-\epsilon,1+\epsilon)\,\hat A_t\big)}$$

Before that, advantages are *whitened*: shifted to mean zero and scaled to variance one over the rollout's tokens, so that a rollout with
widely spread rewards takes no larger steps than another. The paper doesn't state this.
"""

# %% push-guess
cases = ("good, ratio 1.3", "good, ratio 0.7", "bad, ratio 1.3",
         "bad, ratio 0.7")
pairs_of = [f"{a}; {b}" for i, a in enumerate(cases) for b in cases[i + 1:]]
guess_push = Prediction(
    "Four tokens, two with advantage +1 (good), two with −1 (bad). Which "
    "two get no push any more?", "06.push", choices=pairs_of)
guess_push

# %% push
from minirlhf.objectives import policy_loss

A = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
new = torch.tensor([[1.3, 0.7, 1.3, 0.7]]).log().requires_grad_()
old = torch.zeros(1, 4)  # log-probabilities: the ratio is exp(new − old)
policy_loss(new, old, A, four, clip=0.2).backward()
push = -new.grad[0]  # where a step moves each log-probability
still = [cases[i] for i in range(4) if push[i] == 0]

# %% push-answer
guess_push.reveal("; ".join(still))

# %% reuse-text [markdown]
r"""
What does the clip prevent? We take many steps on one rollout, with and without it, and measure how far the policy has moved from the one
that sampled (`approx_kl`: half the mean square of a token's log-ratio). If the clip did nothing, the curves would coincide.
"""

# %% reuse
from minirlhf.objectives import approx_kl, whiten


def reuse(clip, seed, steps, rate=1e-4):
    """How far the policy moves while one rollout is used repeatedly."""
    policy, moved = copy.deepcopy(initial), []
    adam = torch.optim.Adam(policy.parameters(), lr=rate)
    pairs = answer(policy, guests[:16], "reuse", seed)
    with torch.no_grad():
        old, mask = logprobs(policy, pairs, banned)
        A = scores(reward, pairs)[:, None] - values(value, pairs)  # λ = 1
    for _ in range(steps):
        new, _ = logprobs(policy, pairs, banned)
        policy_loss(new, old, whiten(A, mask), mask, clip).backward()
        adam.step()
        adam.zero_grad()
        moved.append(float(approx_kl(new.detach(), old, mask)))
    return moved

# %% again
often = lesson.pick(6, quick=2)  # steps on the same rollout
with_clip = [reuse(0.2, seed, often) for seed in seeds]
without = [reuse(1e9, seed, often) for seed in seeds]

# %% clip-look [markdown]
r"""
In the first two panels, look for the flat part: there the loss has no gradient, and the token gets no push. The dots are the four tokens of
the guess. In the third, a solid and a dashed line that start together are one rollout, used repeatedly with and without a clip: when do
they part?
"""

# %% clip-picture folded="yes"
figure, (good, bad, moved) = lesson.panels(
    3, "Ratio and clip (two exact, one live)", size=(7.2, 2.9),
    titles=("Good token, A = +1", "Bad token, A = −1",
            "One rollout, used again"))
ratio = torch.linspace(0.5, 1.5, 101)
for axes, a in ((good, 1.0), (bad, -1.0)):
    axes.plot(ratio, a * ratio, ":", color=MUTED)
    axes.plot(ratio, torch.minimum(a * ratio, a * ratio.clamp(0.8, 1.2)),
              color=INK)
    axes.set(xlabel="ratio ρ", ylim=(a - 0.6, a + 0.6))
for i, rho in enumerate((1.3, 0.7, 1.3, 0.7)):
    axes, a = (good, bad)[i // 2], (1, -1)[i // 2]
    level = min(a * rho, a * min(max(rho, 0.8), 1.2))
    axes.plot(rho, level, "o", color=INK)
    word = ("no push", "up", "down")[int(push[i].sign())]
    offset = {"no push": (-14, -14), "up": (-18, 5), "down": (6, 3)}[word]
    axes.annotate(word, (rho, level), offset, fontsize=8,
                  textcoords="offset points")

# %% clip-shown folded="yes"
for lines, style, name in ((with_clip, "-", "ε = 0.2"),
                           (without, "--", "no clip")):
    for line in lines:
        moved.plot(range(len(line)), line, style, color=INK, linewidth=1)
    moved.plot([], [], style, color=INK, label=name)
moved.set(xlabel="steps taken before", ylabel="distance, nats per token")
moved.legend(fontsize=7.5)
lesson.show(figure, "Two panels with the clipped objective over the ratio, "
    "flat above 1.2 for a good token and below 0.8 for a bad one. Right, "
    "distance from the sampling policy over steps, with and without clip.")

# %% loop-text [markdown]
r"""
## The loop of PPO (C.3, C.4)

Four models are at work:

| model | starts as | learns here |
|---|---|---|
| policy | the initial model of C.3 | yes |
| reference | the same, although Eq. 2 calls it SFT | no |
| reward model | the model of step 2 | no |
| value model | the reward model | yes |

And here is step 3 of the paper, whole: draw, read what the four models say, shape the rewards, make advantages, then step on one
minibatch after another. All targets are computed once, before the first step; only `new` and the second call of `values` carry a
gradient. The first loss moves the policy, the second the value model. `G` are the *returns*, advantage plus value, from which the value
model learns. New are three things: `[rows, : m.shape[1]]` cuts a minibatch to its longest reply, a *value clip* ends the push on a value
far from the old one, `v`, and `explained_variance` says how well the values predicted. The price is the shipped run's.

Read it before it runs. What would change if `old` were read again for each minibatch, or if the reference learned too? (Question 3.)
"""

# %% loop
def ppo(policy, value, adam, batches, beta=0.2, lam=1.0, mini=16):
    for i, xs in enumerate(batches):
        pairs = answer(policy, xs, "loop", i)
        with torch.no_grad():
            old, mask = logprobs(policy, pairs, banned)
            reference, _ = logprobs(initial, pairs, banned)
            r, V = scores(reward, pairs), values(value, pairs)
            R = shaped_rewards(r, old, reference, mask, beta)
            A, G = gae(R, V, mask, lam=lam)
            A = whiten(A, mask)
        for rows in torch.arange(len(xs)).split(mini):
            part = [pairs[j] for j in rows]
            new, m = logprobs(policy, part, banned)
            o, a, v, g = (t[rows, : m.shape[1]] for t in (old, A, V, G))
            loss = policy_loss(new, o, a, m)
            loss = loss + value_loss(values(value, part), v, g, m)
            loss.backward()
            adam.step()
            adam.zero_grad()
        yield r, (old - reference).sum(-1), explained_variance(V, G, mask)

# %% loop-guess
outcomes = "it has risen", "no clear change", "it has fallen"
guess_loop = Prediction(
    "The loop trains on a dozen batches of guests' prompts. What becomes "
    "of the score of replies to guests it has never met?",
    "06.loop", choices=outcomes)
guess_loop

# %% run-loop
from minirlhf.objectives import explained_variance

B = 32  # replies in a rollout
iterations = lesson.pick(12, quick=2)
order = torch.cat([permutation(len(guests), seed, "guests")
                   for seed in range(iterations * B // len(guests) + 1)])
batches = [[guests[j] for j in part] for part in order.split(B)]
policy, value = copy.deepcopy(initial), copy.deepcopy(reward)
adam = torch.optim.Adam([{"params": policy.parameters(), "lr": 3e-4},
                         {"params": value.parameters(), "lr": 1e-3}])
seen = list(ppo(policy, value, adam, batches[:iterations]))

# %% loop-test
from minirlhf.evaluate.statistics import paired_difference

asked = [row["prompt"] for row in shipped.read("prompts")]
unmet = [t for t in asked
         if t.count("Guest:") == 1 and t.endswith("Guide:")]
others = list(map(torch.tensor, encode_prompts(tokenizer, unmet)))
n = lesson.pick(3, quick=1)


def mean_scores(policy):
    """The mean score of n replies to each guest that was never met."""
    with torch.no_grad():
        s = scores(reward, answer(policy, others * n, "unmet"))
    return s.view(n, -1).mean(0)


before, after = mean_scores(initial), mean_scores(policy)
gain = paired_difference(after, before)

# %% loop-answer
def judged_by(gain):
    return outcomes[0 if gain.low > 0 else 2 if gain.high < 0 else 1]


guess_loop.reveal(judged_by(gain))

# %% loop-look [markdown]
r"""
Three panels follow the training, a dot for each rollout: the score, the KL, and the value fit (one where every return is predicted, zero
where a constant does as well, negative where it does better). The fourth shows the scores of guests never met, before and after. We chose
the learning rates while looking at such curves.
"""

# %% loop-picture folded="yes"
from minirlhf.evaluate.statistics import over_prompts

figure, panels = lesson.panels(
    4, "The loop on this page (live)", size=(7.2, 2.5),
    titles=("Score", "KL, nats per reply", "Value fit", "Guests never met"))
r_of, kl_of, fit = (torch.stack(part) for part in zip(*seen, strict=True))
at = range(1, len(seen) + 1)
for axes, line in zip(panels, (r_of.mean(1), kl_of.mean(1), fit),
                      strict=False):
    axes.plot(at, line, "o-", color=PALETTE["ppo"], ms=3)
    axes.set_xlabel("rollout")
lesson.intervals(panels[3], {"initial": over_prompts(before),
                             "ppo": over_prompts(after)},
                 "score", percent=False)
lesson.show(figure, "Score, KL and value fit over the rollouts, and the "
    "scores of unmet guests before and after with intervals.")

# %% loop-says folded="yes"
print(f"{gain.n} guests never met, score after minus before: {gain:+.2f}")

# %% lens-text [markdown]
r"""
Now look into a reply of the policy that you trained. With a running kernel, choose a step and a token: the equation shows its numbers. In
the third step, run $\hat A_t=\delta_t+\lambda\hat A_{t+1}$ from right to left; in the last, drag the dot across the clip. Then write to
the guide.
"""

# %% lens
from dataclasses import replace

from minirlhf.episodes import Models
from minirlhf.presets import PRESETS
from minirlhf.widgets import TokenLens

models = Models(policy, initial, ScalarModel(reward), ScalarModel(value),
                tokenizer)
ours = PRESETS["tinytown"].ppo
config = replace(ours, max_response=48)
TokenLens(models=models, prompt=text, config=config)

# %% stage [markdown]
r"""
## The same, faster (C.4)

The package's stage `ppo` computes what your loop does, and a test checks that they agree. It adds speed (whole batches through each
model), a warm-up of the learning rate, a limit on the gradient, an average of the weights, checkpoints, and the third term of Eq. 2. A
prompt with its reply and score is an *episode*. The paper trains on {paper:ppo.episodes} of them, {paper:ppo.batch} in each rollout; our
shipped run on {run:counts.episodes:,}, {run:counts.ppo_batch} in each; the run below on a small part of those. The next cell compares the
two ways of reading the same replies.
"""

# %% same
import time

from minirlhf.data.batching import collate
from minirlhf.models import response_logprobs

some = told[:64]
with torch.no_grad():
    began = time.perf_counter()
    one_by_one, mask = logprobs(initial, some, banned)
    between = time.perf_counter()
    batch = collate([x.tolist() for x, _ in some],
                    [y.tolist() for _, y in some], tokenizer.pad_token_id)
    at_once = response_logprobs(initial, batch, suppress=never)
    faster = (between - began) / (time.perf_counter() - between)
gap = (one_by_one - at_once)[mask].abs().max()
print(f"{len(some)} replies, largest difference of a log-probability: "
      f"{gap:.0e}; the whole batch is {faster:.1f} times as fast")

# %% stage-run [markdown]
r"""
First, guess what the *judge*, Tinytown's exact grader, will say of a run with prompts of every kind. A reply *passes* if nothing in it is
wrong or missing. The run never asks it. Still, the labelers behind the reward model roughly follow its grade, so it is easier to please
than people. The run is a process of its own; the *desk*, the panel below, reads its folder.
"""

# %% run-guess
guess_run = Prediction(
    "On held-out prompts of every kind, what becomes of the share of "
    "replies that pass?", "06.run", choices=outcomes)
guess_run

# %% desk
from minirlhf.widgets import TrainingDesk, start

job = start(
    "ppo",
    lesson.workspace("06", "ppo"),
    model=shipped.run("initial") / "model",
    reward=shipped.run("reward") / "model",
    prompts=shipped.file("prompts-ppo"),
    episodes=lesson.pick(2304, quick=256),
    warmup=3,  # rollouts
    ema=0.9,  # the paper's average suits far more steps
    max_response=72,
    drop_long=True,  # prompts that are too long, as the shipped run did
)
TrainingDesk(job, note="live", ghost=shipped.run("ppo"))

# %% desk-look [markdown]
r"""
On the desk, *reward* means the score alone. *Entropy* says how undecided the policy still is, *clip fraction* is the share of tokens
beyond the clip. Dashed grey is the shipped run. The slider of $\beta$ acts on the run in progress: raise it, and see how soon the KL
answers. The next cell waits for the end.

The score was trained on, so it proves little. So the judge reads a reply to each of several hundred prompts whose writers are in no
training set, before and after. The interval is over prompts: another seed's run could end differently.
"""

# %% wait
from minirlhf.sampling import complete
from minirlhf.tinytown.judge import judge

job.wait()
job.reader.look()
some = asked[: lesson.pick(800, quick=40)]


def passed(policy):
    """Whether the judge passes one reply to each prompt: 1 or 0."""
    said = complete(policy, tokenizer, some, max_new_tokens=72, seed=6)
    return [float(v.passes) for v in map(judge, some, said)]


old_passes = passed(initial)
new_passes = passed(load_policy(job.folder / "model", tokenizer))
better = paired_difference(new_passes, old_passes)

# %% run-answer
guess_run.reveal(judged_by(better))

# %% heldout-picture folded="yes"
figure, (shares, difference) = lesson.panels(
    2, "Held-out prompts, by the judge (live)", size=(7.2, 1.9),
    titles=("Replies that pass", "Difference, same prompts"))
lesson.intervals(shares, {"initial": over_prompts(old_passes),
                          "ppo": over_prompts(new_passes)}, "%")
lesson.intervals(difference, {"PPO − initial": better}, "points")
difference.axvline(0, color=MUTED, linewidth=0.8)
lesson.show(figure, "Left, the shares of replies that pass for the initial "
    "model and this run's policy with intervals; right, their difference.")

# %% open-text [markdown]
r"""
### What the paper leaves open (C.4)

The ancestors filled these gaps; the last column is ours. The second table has every setting of PPO in which Tinytown differs from our
preset `paper`, and why; effects named there come from trials not shown. `vector_factor` multiplies the learning rate of gains and biases.
"""

# %% open folded="yes"
from minirlhf.paper import cite

names_of = {
    "λ of GAE": ("gae_lambda", ours.lam),
    "clip range of the value": ("value_clip", ours.value_clip),
    "weight of the value loss": ("value_weight", "an optimizer of its own"),
    "whitened advantages": ("whiten_advantages", ours.whiten_advantages),
    "whitened rewards": ("whiten_rewards", ours.whiten_rewards),
    "entropy bonus": ("entropy_bonus", "none"),
    "largest gradient norm": ("rl_gradient_clip", ours.grad_clip),
    "where the score falls": ("reward_token", "the same"),
    "score of a reply cut short": ("unfinished_score", "as it is"),
    "final learning rate, 1.3B": ("ppo.lr.1.3b", ours.learning_rate),
}
lesson.table(("not stated", "ancestors", "whose", "here"), [
    (words, (found := cite(f"unstated.{key}")).value,
     found.where.partition("; ")[2], own)
    for words, (key, own) in names_of.items()])

# %% departures folded="yes"
from minirlhf.presets import DIFFERENCES

both = PRESETS["paper"].ppo, PRESETS["tinytown"].ppo
lesson.table(("setting", "preset paper", "Tinytown", "why"), [
    (d.field, *(getattr(preset, d.field) for preset in both), d.reason)
    for d in DIFFERENCES
    if d.stage in ("*", "ppo") and hasattr(both[0], d.field)])

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("06.")

# %% summary [markdown]
r"""
## Summary

We listed the paper's statements on step 3, most with five seeds, before any run; one table shows the outcomes. Where it counts prompts, one
shipped model of each kind answers, and another seed's could end differently. A model wins if a majority of five labelers prefers its reply.
*New* labelers ranked nothing for the reward model.

*Seen*: the whole interval lies on the paper's side. *The opposite*: it lies on the other. *Open*: it includes zero, or one half. PPO-ptx
against PPO is *seen* between two fifths and three fifths. For new labelers only means count: *seen* if PPO keeps at least half of its
margin with them. For the cost only the order counts. For the value model's start we had listed the policy's score, but measured the value
error.
"""

# %% five folded="yes"
from minirlhf.tinytown.bases import base_folder

shots = sorted((row["prompt"] + row["completion"] + "\n\n" for row
                in shipped.read("demonstrations")), key=len)[20:80:20]
ask = asked[: lesson.pick(200, quick=30)]
folders = {name: shipped.run(name) / "model"
           for name in ("sft", "ppo", "ppo-ptx")}
replies = {name: complete(load_policy(path, tokenizer), tokenizer, ask,
                          max_new_tokens=72, seed=7)
           for name, path in folders.items()}
base = load_policy(base_folder("medium"), tokenizer)
replies["base"] = complete(base, tokenizer, ask, max_new_tokens=72, seed=7)
replies["prompted"] = complete(
    base, tokenizer, ["".join(shots) + t for t in ask], max_new_tokens=72,
    seed=7, stop="\n\n")

# %% wins folded="yes"
from minirlhf.evaluate.preference import preferred_by_panel
from minirlhf.tinytown.labelers import heldout_pool, training_pool

unseen, known = ([one.prefers for one in pool()[:5]]
                 for pool in (heldout_pool, training_pool))


def wins(ours, theirs, panel=unseen):
    """How often a majority of five labelers prefers ours."""
    return preferred_by_panel(panel, ask, replies[ours], replies[theirs])


# %% misses folded="yes"
from minirlhf.tinytown.town import Tinytown

checks = {
    "is of the kind asked for": lambda v: v.get("instruction", 0.0) >= 1,
    "adds to the text it was given": lambda v: v.get("source", 1.0) < 1,
}


def found_by(check, name, rows):
    """Of which replies a check of the judge's criteria is true."""
    verdicts = [judge(ask[i], replies[name][i]) for i in rows]
    return [float(checks[check](v.criteria)) for v in verdicts]

# %% changes folded="yes"
closed = [i for i, t in enumerate(ask)
          if "closed domain" in Tinytown().groups(t)]
rows_of = dict(zip(checks, (range(len(ask)), closed), strict=True))


def change(check, more, fewer):
    """How much more often a check is true of one model's replies."""
    return paired_difference(*(found_by(check, name, rows_of[check])
                               for name in (more, fewer)))


of_kind, added = checks
kind, kind_sft = (change(of_kind, "ppo-ptx", m) for m in ("base", "sft"))
adds = change(added, "base", "ppo-ptx")
adds_sft = change(added, "ppo-ptx", "sft")

# %% cost folded="yes"
import json
from itertools import islice, pairwise

import numpy as np

from minirlhf.tinytown.corpus import documents


def length(texts):
    """Mean tokens of a text."""
    return sum(map(len, encode_prompts(tokenizer, texts))) / len(texts)


lines = (base_folder("medium") / "log.jsonl").read_text().splitlines()
steps_of = [{"time": 0.0}, *map(json.loads, lines)]
read_by_base = sum(b["tokens_per_second"] * (b["time"] - a["time"])
                   for a, b in pairwise(steps_of))
page = length([d["text"] for d in islice(documents(1), 300)])

# %% operations folded="yes"
town = PRESETS["tinytown"]
shown = [row["prompt"] + row["completion"]
         for row in shipped.read("demonstrations")]
episode = length([t + y for t, y in zip(ask, replies["ppo"], strict=True)])
rehearsed = town.ppo_ptx.ptx_examples_per_episode * page
operations = {  # for each weight: all models here have as many
    "SFT": 6 * town.sft.epochs * len(shown) * length(shown),
    "PPO-ptx": town.ppo_ptx.episodes
    * ((4 * 2 + 2 * 6) * episode + 6 * rehearsed),
    "pretraining": 6 * read_by_base,
}

# %% claims folded="yes"
seeds_of = shipped.read("seeds")  # of the shipped proof, a row each


def each(model, measure):
    """One figure of a model, for each seed."""
    return np.array([row["models"][model][measure] for row in seeds_of])


by_unseen, by_known = wins("ppo", "sft"), wins("ppo", "sft", known)
won = {other: wins("ppo-ptx", other).win_rate
       for other in ("ppo", "base", "prompted")}
over = {
    "wins": over_seeds(each("ppo", "wins_labelers")),
    "passes": over_seeds(each("ppo", "passes") - each("sft", "passes")),
    "longer": over_seeds(each("ppo", "grade") - each("ppo-long", "grade")),
}

# %% verdicts folded="yes"
groups = paired_difference(by_unseen.verdicts, by_known.verdicts)
margin, of_known = (panel.win_rate.mean - 0.5
                    for panel in (by_unseen, by_known))
tie = won["ppo"]  # about one half: a tenth away at most
close = lesson.verdict(tie, low=0.4, high=0.6)
new = "the opposite" if margin < max(0, of_known / 2) else "seen"
cheap = list(operations.values())
ordered = "seen" if cheap == sorted(cheap) else "the opposite"

# %% statements folded="yes"
many = f"{len(seeds_of)} seeds (shipped)"
one = f"{len(ask)} prompts"
preferred = [
    ("PPO preferred to SFT, wins", cite("fig1.175b.ppo"),
     f"{over['wins']:.2f}", many, lesson.verdict(over["wins"], low=0.5)),
    ("replies that pass, PPO minus SFT", "–", f"{over['passes']:+.0%}",
     many, lesson.verdict(over["passes"])),
    ("wins: new labelers minus those of the reward model", "about 0",
     f"{groups:+.2f}", one, new),
    ("PPO-ptx preferred to PPO", "about 0.5", f"{tie:.2f}", one, close),
    ("PPO-ptx preferred to base", cite("intro.ppo-ptx.vs.gpt"),
     f"{won['base']:.0%}", one, lesson.verdict(won["base"], low=0.5)),
    ("PPO-ptx preferred to prompted base",
     cite("intro.ppo-ptx.vs.prompted"), f"{won['prompted']:.0%}", one,
     lesson.verdict(won["prompted"], low=0.5))]

# %% more-statements folded="yes"
def of_fig4(key):
    return ", ".join(f"{cite(f'fig4.{key}.{m}').value:.0%}"
                     for m in ("gpt", "sft", "instructgpt"))


flagged = [
    ("of the kind asked for, PPO-ptx minus base", of_fig4("appropriate"),
     f"{kind:+.0%}", one, lesson.verdict(kind)),
    ("… minus SFT", "", f"{kind_sft:+.0%}", one, lesson.verdict(kind_sft)),
    ("add to a text, base minus PPO-ptx", of_fig4("hallucination"),
     f"{adds:+.0%}", f"{len(closed)} prompts", lesson.verdict(adds)),
    ("… PPO-ptx minus SFT", "", f"{adds_sft:+.0%}",
     f"{len(closed)} prompts", lesson.verdict(adds_sft))]

# %% last-statements folded="yes"
paper_of = [cite(f"compute.{key}.175b").value
            for key in ("sft", "ppo-ptx", "gpt3")]
at_first = better_by["first third"]
trained_on = [
    ("value error at first, fresh head minus reward model",
     "starts from it", f"{at_first:+.2f}", f"{len(copied)} seeds (live)",
     lesson.verdict(at_first)),
    ("grade, usual episodes minus twice as many", "no help",
     f"{over['longer']:+.2f}", many, lesson.verdict(over["longer"])),
    ("high learning rates diverge without the third term",
     f"above {cite('ppo.lr.diverges_above').value:g}", "–", "",
     lesson.verdict(None)),
    ("cost of SFT and PPO-ptx, as a share of pretraining",
     *(", ".join(f"{cost / total[-1]:.1%}" for cost in total[:2])
       for total in (paper_of, cheap)), "–", ordered)]

# %% directions folded="yes"
lesson.table(("what is compared", "in the paper", "here, with interval",
              "interval over", "verdict"), preferred + flagged + trained_on)

# %% summary-read [markdown]
r"""
The paper's numbers: wins of its largest models (Fig. 1, §4.1); GPT-3, SFT and PPO-ptx over all sizes (Fig. 4; ours are differences);
petaflop/s-days (§5.1). We count operations: two for each weight and token read, six with a gradient. On *twice as many* episodes the paper
reports no gain for its smallest model (E.11). Learning rates above {paper:ppo.lr.diverges_above} need runs that aren't shipped (E.9).

The score needs no derivative: multiplied by the gradient of the log-probability, it gives the right gradient on average. Baseline, value
model and GAE say how much of it each token deserves, ratio and clip let one rollout serve several steps, and the price keeps the policy
near replies such as the reward model was trained on. Whether the policy became better, only somebody outside its training can say.

## Questions

1. All scores of a prompt rise by ten. What changes in REINFORCE with the mean as baseline, and without a baseline?

<details><summary>Answer</summary>

With it, nothing: every advantage stays. Without, every drawn reply is pushed up; the mean gradient is the same, its variance far larger.

</details>

2. The charge depends on the policy's own log-probabilities, yet the loop puts it into the reward without a gradient. Is something
missing?

<details><summary>Answer</summary>

No. The missing part would be the mean of $\nabla\log\pi$ under the policy, which is zero: the argument of the baseline again.

</details>

3. In the loop, `old` is read again for each minibatch. What does the clip do then?

<details><summary>Answer</summary>

Nothing: every ratio is one, and no token's push ever ends. If the reference learned too, the charge would hold the policy nowhere.

</details>

4. A reply has three tokens, with rewards zero, zero and two, and values one, one and one. What are the advantages at both ends of $\lambda$?

<details><summary>Answer</summary>

At zero each token has its own surprise: zero, zero, one. At one it has what came minus what was expected: one, one, one.

</details>

5. Two runs reach the same score on held-out prompts, one at two nats of KL, the other at twelve. Which would you ship?

<details><summary>Answer</summary>

The nearer one, until somebody outside the training has compared their replies: it had less room to find the reward model's mistakes.

</details>

## The way on

- [Exercise 06](../exercises/ex06_ppo.ipynb): KL, reward, advantage, both losses, one step of PPO-ptx, and a run that never clips.
- [Chapter 07](07_what_alignment_costs.ipynb): too small a price and too large a one, what a policy unlearns, and the third term.
- Back to [the three steps in one picture](00_three_steps.ipynb), or to
  [the reward model](05_reward_model.ipynb), whose mistakes a policy may find.

**A lecture of forty-five minutes:** three arms on the blackboard (ten), the loop on one prompt (ten), the price and its picture
(ten), value and clip in the lens (ten), the desk's run, started before (five).

**A lab of ninety minutes:** the page with its guesses (sixty), the loop of PPO with another price or $\lambda$ (fifteen), advantages
and clipped loss in exercise 06 (fifteen).
"""
