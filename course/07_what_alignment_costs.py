# ---
# jupyter:
#   minirlhf:
#     paper: §4.1, §4.2, Eq. 2, C.4, E.6, E.7
#     doing_minutes: 25
# ---

# %% title [markdown]
r"""
# Chapter 07 · What alignment costs

PPO finds what the reward model likes. What if the reward model is wrong, and what becomes of the skills that nobody asks for while
it trains?

After this chapter you can

- say what goes wrong where $\beta$, the price of leaving the start, is too small or too large;
- suspect from a run's log and replies that it follows the reward model's mistakes, before anyone has graded it;
- say how many failures are PPO's and how many the reward model's;
- measure what a policy has unlearned;
- write the third term of Eq. 2, and say what it does that a price doesn't.
"""

# %% beta [markdown]
r"""
## Too little β, and too much (E.7)

Asked for a story, one policy of the shipped runs writes that somebody opened a bag and found cheese. Then it writes almost the same
sentence again, and once more. Does the reward model mind? If it doesn't, PPO may find out and repeat itself in many stories. The
price of leaving the start is there to prevent that.

In Eq. 2 each nat of KL costs $\beta$ units of the score. The paper tried several values (E.7, Fig. 36). For a $\beta$ of zero, labelers
rated the replies {paper:fig36.likert.0} of seven; for {paper:ppo.beta.best.low}, {paper:fig36.likert.0.01}; for
{paper:ppo.beta.best.high}, {paper:fig36.likert.0.02}; for two, {paper:fig36.likert.2}.

**Why these numbers don't carry over.** $\beta$ is score per nat. How far scores spread depends on how sure of itself a reward model
is. Another one needs another price; ours is {run:counts.ppo_beta}.

The package ships runs that differ in $\beta$ alone. The *proxy* is the reward model's score, which the policy was trained for. The
*judge*, Tinytown's exact grader, took no part in training. (The labelers behind the reward model roughly follow its grade, so the two
agree more than a reward model and people would.) If a small $\beta$ did no harm, proxy and judge would put the runs in the same order.
"""

# %% tools
import numpy as np

from minirlhf import lesson, shipped
from minirlhf.evaluate.statistics import over_prompts, paired_difference

# %% best
sweep = {row["factor"]: row for row in shipped.read("sweep")}
none, most = min(sweep), max(sweep)  # a factor of 1 is our usual β


def half(factor, measure, first):
    """Every other prompt, from the first or from the second on."""
    return np.array(sweep[factor][measure])[first::2]


# chosen on one half of the prompts, compared on the other
best = max(sweep, key=lambda f: half(f, "grade", 0).mean())
no_beta, too_much = (
    paired_difference(half(best, "grade", 1), half(end, "grade", 1))
    for end in (none, most))
price = paired_difference(sweep[none]["score"], sweep[most]["score"])

# %% beta-guess
from minirlhf.widgets import Prediction

beta_of = {f: f"β = {row['beta']:g}" for f, row in sweep.items()}
places = (beta_of[none], "one in between", beta_of[most], "no clear best")
guess_beta = Prediction(
    "Which β does the judge grade highest on held-out prompts?",
    "07.beta", choices=places)
guess_beta

# %% beta-answer
inside = best not in (none, most)
if inside and no_beta.low > 0 and too_much.low > 0:
    answer = places[1]
elif best == none and too_much.low > 0:
    answer = places[0]
elif best == most and no_beta.low > 0:
    answer = places[2]
else:
    answer = places[3]
guess_beta.reveal(answer, "shipped run")

# %% sweep-look [markdown]
r"""
The judge's grade, from one to seven, also counts how rich a reply is; *passes* asks only whether all is right. The model that all
runs start from has a score of {run:models.initial.score:.2f}, a grade of {run:models.initial.grade:.2f}, and
{run:models.initial.passes:.1%} pass. Is the run that leads in the first panel ahead in the others? And is it ahead of the start?
"""

# %% sweep-picture folded="yes"
figure, panels = lesson.panels(
    3, "Five values of β, held-out prompts (shipped run)", size=(7.2, 3.0),
    titles=("Proxy: score", "Judge: grade", "Judge: passes"))
kinds = {"score": "score", "grade": "of seven", "passes": "% of replies"}
for axes, (kind, unit) in zip(panels, kinds.items(), strict=True):
    lesson.intervals(axes, {
        name: over_prompts(sweep[f][kind]) for f, name in beta_of.items()
    }, unit, percent=kind == "passes")
    axes.tick_params(axis="y", labelleft=axes is panels[0])
lesson.show(figure, "For each β a dot with its interval: the reward "
    "model's score, the judge's grade, the share that passes.")

# %% logs
import json


def log(name):
    """A shipped run's log: of each metric its values, in order."""
    lines = (shipped.run(name) / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    known = set.intersection(*map(set, rows))
    return {metric: np.array([r[metric] for r in rows]) for metric in known}


logs = {f: log(f"beta-{f:g}") for f in sweep}
kl = {f: logs[f]["objective/kl"][-10:].mean() for f in sweep}
bracket = {f: logs[f]["objective/rlhf_reward"] for f in sweep}
usual = {f: {kind: paired_difference(sweep[f][kind], sweep[1][kind])
             for kind in ("score", "grade", "passes")} for f in sweep}

# %% sweep-table folded="yes"
ours = beta_of[1]
lesson.table((
    "shipped run", "KL, nats per reply", "score − β KL, start → end",
    f"score, minus {ours}", f"grade, minus {ours}", f"passes, minus {ours}",
), [(beta_of[f], f"{kl[f]:.1f}",
     f"{bracket[f][:5].mean():.1f} → {bracket[f][-10:].mean():.1f}",
     *(("–",) * 3 if f == 1 else (f"{d['score']:+.2f}",
                                  f"{d['grade']:+.2f}",
                                  f"{d['passes']:+.0%}")))
    for f, d in usual.items()])

# %% floor [markdown]
r"""
The third column is what each run maximises. Where it *falls*, training made things worse by its own measure. Our explanation, not
tested here: whitening (chapter 06) makes all steps equally large, and at a high price most of an advantage is the luck of single
tokens. Each run has one seed, and our own $\beta$ was chosen with such tables in sight.
"""

# %% over [markdown] defines="over-optimisation"
r"""
## Over-optimisation, and seeing it without a judge (E.7)

*Over-optimisation* is when the proxy still rises while what it stands for falls. Away from the start, the reward model has seen few
rankings; some of what it likes there is a mistake, and finding what it likes is the policy's task.

A product has no judge, or one too slow to ask during training. These signs need none:

- the **KL**, from the log. By itself it proves nothing, but a policy that stays near its start has little room for mistakes;
- the **replies as texts**: how long they are, how often a reply repeats three words in a row, how many different words all
  replies have in their first ten;
- **a few people**. Show them pairs of replies to the same prompts, one of this run and one of a more careful run.

Below, the last replies of each run are measured, on the same prompts. Five labelers who ranked nothing for the reward model say
which of two they prefer. (They roughly follow the judge's grade, so here this sign leans on the judge.) Does any sign also accuse a
run whose grade was no worse than our usual one's?
"""

# %% said
def said(factor, last=32):
    """Replies of a run's last iterations, by iteration and prompt."""
    path = shipped.run(f"beta-{factor:g}") / "samples.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {(r["step"], r["prompt"]): r for r in rows
            if r["step"] > rows[-1]["step"] - last}


replies = {f: said(f) for f in sweep}
shared = sorted(set.intersection(*map(set, replies.values())))
texts = {f: [replies[f][key]["response"] for key in shared] for f in sweep}


def repeated(text):
    """The share of its runs of three words that a reply has said before."""
    words = text.lower().split()
    runs = [*zip(words, words[1:], words[2:], strict=False)]
    return 1 - len(set(runs)) / max(1, len(runs))


# %% alarms
from minirlhf.evaluate.preference import preferred_by_panel
from minirlhf.tinytown.labelers import heldout_pool

panel = [labeler.prefers for labeler in heldout_pool()[:5]]
prompts = [prompt for _, prompt in shared]
alarms = {}
for f, of_run in texts.items():
    alarms[f] = (
        np.mean([len(text.split()) for text in of_run]),
        over_prompts([repeated(text) for text in of_run]),
        len({w for text in of_run for w in text.lower().split()[:10]}),
        preferred_by_panel(panel, prompts, of_run, texts[1]).win_rate,
    )

# %% alarm-guess
guess_panel = Prediction(
    f"Five labelers compare the run with {beta_of[none]} to our usual one, "
    f"on {len(shared)} pairs. How many of them does it win?", "07.panel",
    unit="% of pairs", low=0, high=100)
guess_panel

# %% alarm-answer
guess_panel.reveal(100 * alarms[none][3].mean, "shipped run")

# %% alarm-table folded="yes"
lesson.table((
    f"{len(shared)} replies (shipped run)", "KL, nats", "words per reply",
    "three words said before", "different words, first ten of each",
    f"preferred to {ours}"),
    [(beta_of[f], f"{kl[f]:.1f}", f"{words:.1f}", f"{again:.1%}", found,
      "–" if f == 1 else f"{won:.2f}")
     for f, (words, again, found, won) in alarms.items()])

# %% cheese [markdown]
r"""
Among the prompts on which our usual run scores above its own average, the next cell looks for the one on which the run without a
price repeats itself most, and shows all replies to it.
"""

# %% cheese-look
def said_again(key):
    """How many words of the reply without a price it has said before."""
    words = replies[none][key]["response"].lower().split()
    return len(words) - len(set(words))


average = np.mean([replies[1][key]["score"] for key in shared])
fine = [key for key in shared if replies[1][key]["score"] > average]
worst = max(fine or shared, key=said_again)
there = {f: replies[f][worst] for f in sweep}

# %% cheese-table folded="yes"
lesson.table((worst[1].strip(), "reply (shipped run)", "score"), [
    (beta_of[f], row["response"].strip(), f"{row['score']:+.2f}")
    for f, row in there.items()])

# %% smooth
def smooth(x, window=15):
    """The running mean, and how far its 95% interval reaches."""
    n = np.minimum(np.arange(1, len(x) + 1), window)
    total = np.cumsum(x)
    before = np.concatenate([np.zeros(window), total])[: len(x)]
    noise = np.diff(x).std() / 2**0.5  # of a single iteration
    return (total - before) / n, 1.96 * noise / n**0.5


curves = {(f, name): smooth(logs[f][name]) for f in (none, 1, most)
          for name in ("objective/score", "judge/grade")}

# %% time-look [markdown]
r"""
Now the judge checks the alarms: score and grade during training, with bands for their noise. Where the score rises on and the grade
falls by more than its band is wide, and stays down, that is over-optimisation.
"""

# %% time-picture folded="yes"
from minirlhf.report.charts import INK, MUTED, PALETTE

figure, panels = lesson.panels(
    2, "Three runs, running means (shipped run)", size=(7.2, 3.1),
    titles=("Proxy: reward model's score", "Judge's grade"))
styles = dict(zip((none, 1, most), ("-", "--", ":"), strict=True))
for (f, name), (line, reach) in curves.items():
    axes = panels[int(name == "judge/grade")]
    at = np.arange(len(line))[4:]
    axes.plot(at, line[4:], styles[f], color=INK, label=beta_of[f])
    axes.fill_between(at, (line - reach)[4:], (line + reach)[4:],
                      color=INK, alpha=0.12, linewidth=0)
    axes.set_xlabel("iterations")
panels[0].legend(fontsize=8, loc="lower right")
lesson.show(figure, "Score and grade of three runs over time, with bands.")

# %% mistakes-text [markdown]
r"""
Which of the reward model's mistakes did the policy without a price exploit? The next table compares the last replies of two runs, in
the five of the judge's criteria that differ most; chosen so, some may differ by luck. A criterion that a prompt doesn't call for counts
as met.
"""

# %% mistakes
from minirlhf.tinytown.judge import judge


def missed(factor):
    """Of a run's last replies, which miss each of the judge's criteria."""
    met = [judge(prompt, text).criteria
           for prompt, text in zip(prompts, texts[factor], strict=True)]
    return {name: np.array([of.get(name, 1) < 1 for of in met])
            for name in sorted(set().union(*met))}


freed, held = missed(none), missed(1)
more = {name: paired_difference(freed[name], held[name])
        for name in freed.keys() & held.keys()}
widest = sorted(more, key=lambda name: (-abs(more[name].mean), name))[:5]

# %% mistakes-table folded="yes"
asks = {"coherence": "nothing said twice, all makes sense",
        "instruction": "a reply of the kind asked for",
        "language": "whole sentences of the town's language",
        "length": "not too long", "manners": "no insults",
        "source": "nothing added to the text asked about",
        "topic": "about what was asked",
        "truth": "nothing false said of the town"}
lesson.table((f"missed, of all {len(shared)} replies (shipped run)",
              "it asks for", beta_of[none], beta_of[1], "more, points"), [
    (name, asks.get(name, "what the prompt says of words or form"),
     f"{freed[name].mean():.0%}", f"{held[name].mean():.0%}",
     f"{100 * more[name]:+.1f}") for name in widest])

# %% frontier-text [markdown]
r"""
Here are proxy and judge over the KL. Choose a run and drag its ring back in time; below is what the policy said then, the judge's
objections marked. Where does a reply first say a sentence twice?
"""

# %% frontier
from minirlhf.widgets import Frontier

Frontier([shipped.run(f"beta-{f:g}") for f in sweep], source="shipped run")

# %% control [markdown]
r"""
## Whose fault is it? A control

Some replies still fail after training. Is that PPO, which didn't find better ones, or the reward model, which didn't ask for them? The
paper can't know; Tinytown can. (Gao et al., 2022, put a large reward model in the judge's place.) Here PPO trains on the *judge
itself*: the score is the grade, minus five to lie near zero. All else stays, $\beta$ too, though a unit of grade may weigh more or
less, and we count passes. So its gain is a rough estimate of what PPO can reach. The learned reward reaches part of it:

$$\text{reached}=\frac{\text{gain with the learned reward}}{\text{gain with the judge as reward}}$$

What fails in the control we call PPO's part (with its price, episodes and small model); what fails in addition, the reward model's. A
third run has the learned reward and no price. Each seed repeats all three steps of the paper, so these intervals include the luck of
training. The *gain* is the share of held-out replies that pass, minus that of SFT on the same prompts.
"""

# %% seeds
from minirlhf.evaluate.statistics import over_seeds

seeds = shipped.read("seeds")  # a row each


def each(model, *path):
    """One figure of a model, for each seed."""
    found = [row["models"][model] for row in seeds]
    for key in path:
        found = [one[key] for one in found]
    return np.array(found)


control, learned = each("ppo-judge", "gain"), each("ppo", "gain")
kept = over_seeds(learned / control)
missing = over_seeds(control - learned)
free = over_seeds(each("ppo-beta-0", "score") - each("ppo", "score"))
worse = over_seeds(each("ppo", "grade") - each("ppo-beta-0", "grade"))

# %% control-guess
guess_kept = Prediction(
    "How much of the control's gain does the learned reward model reach?",
    "07.kept", unit="% of the gain", low=0, high=130)
guess_kept

# %% control-answer
guess_kept.reveal(100 * kept.mean, "shipped run")

# %% control-look [markdown]
r"""
Both panels are of the same replies. Read them for the run without a price and the one on the judge. Which panel would you have had
in a product?
"""

# %% control-picture folded="yes"
named = {"PPO, β = 0": "ppo-beta-0", "ppo": "ppo",
         "PPO on the judge": "ppo-judge"}
figure, (gains, scores_of) = lesson.panels(
    2, f"The control, {len(seeds)} seeds (shipped run)", size=(7.2, 2.3),
    titles=("Judge: passes, minus SFT", "Proxy: score"))
lesson.intervals(gains, {label: over_seeds(each(model, "gain"))
                         for label, model in named.items()}, "points")
lesson.intervals(scores_of, {label: over_seeds(each(model, "score"))
                             for label, model in named.items()},
                 "score", percent=False)
scores_of.tick_params(axis="y", labelleft=False)
gains.axvline(0, color=MUTED, linewidth=0.8)
lesson.show(figure, "Left, gains in passes of three kinds of run over "
    "seeds, right, the reward model's scores of the same.")

# %% control-table folded="yes"
lacking = over_seeds(1 - each("ppo-judge", "passes"))
lesson.table((f"{len(seeds)} seeds (shipped run)", "mean, 95% interval"), [
    ("reached, of the control's gain", f"{kept:.0%}"),
    ("fails with the judge as reward: PPO's part", f"{lacking:.0%}"),
    ("fails in addition: the reward model's part", f"{missing:+.0%}"),
    ("score: no price minus usual", f"{free:+.2f}"),
    ("grade: usual minus no price", f"{worse:+.2f}")])

# %% tax [markdown] defines="alignment tax"
r"""
## The tax (§4.2)

Trained on requests alone, a model has no reason to keep what requests don't need. The paper calls the loss on other tasks the
*alignment tax*. Largest models, with examples in the prompt (Table 14; F1 and BLEU measure overlap with a right answer); PPO-ptx is
the next section's:

| | GPT-3 | PPO | PPO-ptx |
|---|---|---|---|
| SQuADv2, questions on a text (F1) | {paper:table14.squadv2.few.175b.gpt} | {paper:table14.squadv2.few.175b.ppo} | {paper:table14.squadv2.few.175b.ppo-ptx} |
| DROP, questions that need counting (F1) | {paper:table14.drop.few.175b.gpt} | {paper:table14.drop.few.175b.ppo} | {paper:table14.drop.few.175b.ppo-ptx} |
| French to English (BLEU) | {paper:table14.fr-en.few.175b.gpt} | {paper:table14.fr-en.few.175b.ppo} | {paper:table14.fr-en.few.175b.ppo-ptx} |

Tinytown has *task probes*: texts in the form in which the pretraining corpus has them, to be continued. One asks about a short text,
one quizzes, one translates into the town's old language; `run_probe` scores the answers. We ask about texts, and look at items that the
*base*, which is only pretrained, has right and PPO has wrong.
"""

# %% probes
from minirlhf.evaluate.probing import run_probe
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.tax import TAX

folders = {name: shipped.run(name) / "model"
           for name in ("initial", "ppo", "ppo-ptx")}
tokenizer = load_tokenizer(folders["initial"])
policies = {"base": load_policy(base_folder("medium"), tokenizer)}
policies |= {m: load_policy(path, tokenizer) for m, path in folders.items()}

items = TAX["names in a text"](lesson.pick(200, quick=20))
right = {name: run_probe(policy, tokenizer, items)
         for name, policy in policies.items()}
unlearned = np.flatnonzero(right["base"] > right["ppo"])

# %% unlearned
from minirlhf.sampling import complete

some = [items[i].prompt for i in unlearned[:3]] or [items[0].prompt]
told = {name: complete(policies[name], tokenizer, some, max_new_tokens=24,
                       temperature=0.0) for name in ("base", "ppo")}

# %% unlearned-table folded="yes"
won_over = np.sum(right["base"] < right["ppo"])
lesson.table((f"of {len(items)} items {len(unlearned)} like these, "
              f"{won_over} reversed", "base (live)", "PPO (live)"), [
    (prompt, *(told[name][i].strip().split("\n")[0] for name in told))
    for i, prompt in enumerate(some)])

# %% tax-guess
tasks = list(seeds[0]["models"]["ppo"]["tax"])
guess_tax = Prediction(
    "On which task does PPO lose most?", "07.tax", choices=tasks)
guess_tax

# %% tax-seeds
tax = {name: {task: over_seeds(each(name, "tax", task)) for task in tasks}
       for name in ("sft", "initial", "ppo")}
hardest = max(tasks, key=lambda task: tax["ppo"][task].mean)


def mean_tax(model):
    """The loss of a model, mean over the tasks, for each seed."""
    return np.mean([each(model, "tax", task) for task in tasks], axis=0)

# %% tax-answer
guess_tax.reveal(hardest, "shipped run")

# %% tax-look [markdown]
r"""
How much does each model lose to the base, over seeds? Zero is the base; without a tax, nearly all intervals would include it. The
answer above goes by the mean: do the intervals allow another? Look also at SFT and at the *initial* model, PPO's start (from
demonstrations and some pretraining text, C.3): how much of PPO's tax do they pay already, without any reward?
"""

# %% tax-picture folded="yes"
figure, panels = lesson.panels(
    len(tax), f"The tax: points lost to the base, {len(seeds)} seeds "
    "(shipped run)", size=(7.2, 4.6), titles=[*map(lesson.called, tax)])
for axes, of_model in zip(panels, tax.values(), strict=True):
    lesson.intervals(axes, of_model, "points lost")
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.tick_params(axis="y", labelleft=axes is panels[0])
lesson.show(figure, "A panel each for SFT, initial model and PPO: what it "
    "loses to the base on each task, with intervals over seeds.")

# %% playground-text [markdown]
r"""
Ask the models something yourself: a request, or a text and a question.
"""

# %% playground
from minirlhf.widgets import Playground

playground = Playground(
    {name: (policy, tokenizer) for name, policy in policies.items()},
    judge=judge, newline=False, suggestions=some, max_response=24)
playground.answer(some[0])
playground

# %% third [markdown]
r"""
## The third term (Eq. 2, C.4)

A pianist who practises one piece for a month forgets the others, unless she plays a page of them now and then. That is the third
term of Eq. 2, which PPO-ptx adds:

$$\gamma\,\mathbb E_{x\sim D_{\rm pretrain}}\big[\log\pi(x)\big]$$

Each minibatch brings some pretraining documents with it, and $\gamma$ times the gradient of their log-likelihood is added to PPO's.
(`ptx_loss`, to be minimised, is minus that.) In the paper $\gamma$ is {paper:ptx.gamma}, with {paper:ptx.ratio} documents for an
episode; the normalisation of the likelihood isn't stated. Ours is a mean over tokens, so the numbers don't compare: the shipped
runs have {run:counts.ptx_gamma}, and one document to four episodes.

You know the loop from chapter 06; `roll_out` and `minibatches` of `minirlhf/plain/ppo.py` now do its first half. Three lines are new.
The loop trains three times: without the term, without it at ten times the price, and with it; on guests' prompts only (*Guest: … Guide:*), so
the rest can be forgotten.
"""

# %% parts
import inspect

from minirlhf.objectives import policy_loss, ptx_loss, value_loss
from minirlhf.plain.ppo import logprobs, minibatches, roll_out, values

print(inspect.getsource(minibatches))

# %% loop
def ppo_ptx(config, models, adam, prompts, documents):
    for i in range(config.episodes // config.rollout_batch):
        episodes = roll_out(config, models, prompts, i)
        for rows, drawn in minibatches(config, documents, i):
            part = [episodes.pairs[j] for j in rows]
            new, m = logprobs(models.policy, part, models.banned)
            old, V, A, G = (t[rows, : m.shape[1]] for t in episodes[3:])
            loss = policy_loss(new, old, A, m)
            new_V = values(models.value, part)
            loss = loss + value_loss(new_V, V, G, m)
            if drawn:  # the third term of Eq. 2
                ptx = ptx_loss(*logprobs(models.policy, drawn))
                loss = loss + config.ptx_gamma * ptx
            loss.backward()
            adam.step()
            adam.zero_grad()

# %% material
from itertools import islice

import torch

from minirlhf.data.tokenization import encode_documents, encode_prompts
from minirlhf.tinytown.corpus import documents

pages = [row["text"] for row in islice(documents(7), 460)]
pages = [torch.tensor([*ids])
         for ids in encode_documents(tokenizer, pages, 256)]
pages = [(ids[:1], ids[1:]) for ids in pages]  # first token, the rest
never_drawn, pool = pages[:60], pages[60:]

texts_asked = [row["prompt"] for row in shipped.read("prompts-ppo")]
encoded = encode_prompts(tokenizer, texts_asked)
guests = [torch.tensor(ids)
          for ids, t in zip(encoded, texts_asked, strict=True)
          if t.count("Guest:") == 1 and t.endswith("Guide:")]

# %% train
import copy

from minirlhf.config import PPOConfig
from minirlhf.models import ScalarModel, never_sampled
from minirlhf.plain.ppo import Models, start

initial = policies["initial"]
reward = ScalarModel.load(shipped.run("reward") / "model")
never = never_sampled(tokenizer, initial)
banned = torch.zeros(len(never)).masked_fill(never, -torch.inf)
settings = {"episodes": lesson.pick(192, quick=16), "minibatch": 12,
            "rollout_batch": lesson.pick(24, quick=8),
            "lam": 1.0, "learning_rate": 1e-4, "max_response": 48,
            "value_learning_rate": 1e-3, "ema": None}


# %% train-run
def trained(gamma, beta=0.2):
    """The initial model after the loop, on guests' prompts."""
    config = PPOConfig(**settings, beta=beta, ptx_gamma=gamma,
                       ptx_examples_per_episode=0.25)
    models = Models(copy.deepcopy(initial), initial, reward.classifier,
                    copy.deepcopy(reward.classifier), banned,
                    tokenizer.eos_token_id)
    adam, _ = start(config, models)  # for policy and value model
    ppo_ptx(config, models, adam, guests, pool)
    return models.policy


priced = "PPO, high β"
ends = {"initial": initial, "ppo": trained(0.0),
        priced: trained(0.0, beta=2.0), "ppo-ptx": trained(1.0)}

# %% document-guess
outcomes = "it falls", "no clear change", "it rises"
guess_pages = Prediction(
    "Documents that were never drawn: what becomes of their loss under PPO "
    "without the third term?", "07.pages", choices=outcomes)
guess_pages

# %% document-loss
@torch.no_grad()
def loss_of(policy):
    """The loss per token of each document that is never drawn."""
    new, mask = logprobs(policy, never_drawn)
    return (-(new * mask).sum(1) / mask.sum(1)).numpy()


losses = {name: loss_of(policy) for name, policy in ends.items()}
drift = paired_difference(losses["ppo"], losses["initial"])
stays = paired_difference(losses[priced], losses["initial"])
rescue = paired_difference(losses["ppo"], losses["ppo-ptx"])

# %% document-answer
guess_pages.reveal(
    outcomes[2 if drift.low > 0 else 0 if drift.high < 0 else 1])

# %% met
from minirlhf.reward import score_texts

unmet = [row["prompt"] for row in shipped.read("prompts")]
unmet = [t for t in unmet
         if t.count("Guest:") == 1 and t.endswith("Guide:")]


def scored(policy):
    """The score of a reply to each guest that was never met."""
    said = complete(policy, tokenizer, unmet, max_new_tokens=48, seed=7)
    return score_texts(reward, tokenizer, unmet, said).numpy()


scored_of = {name: scored(policy) for name, policy in ends.items()}
gives_up = {name: paired_difference(scored_of["ppo"], scored_of[name])
            for name in (priced, "ppo-ptx")}

# %% skills
exam = [item for task in TAX.values()
        for item in task(lesson.pick(15, quick=2), seed=1)]
skills = {name: run_probe(policy, tokenizer, exam)
          for name, policy in ends.items()}
forgotten = paired_difference(skills["initial"], skills["ppo"])
saved = paired_difference(skills["ppo-ptx"], skills["ppo"])

# %% document-look [markdown]
r"""
First, the loss on documents that no run has drawn: if the term did nothing, *PPO* and *PPO-ptx* would have the same. But likelihood
is what the term trains, so this shows only that it works. Second, the task probes: does the term save skills too? Third, the score
on guests that no run has met. Training should raise it above *Initial*'s. Where *PPO*'s ends below, this short loop has harmed its own
task, and can't say what term and price give up.
"""

# %% document-picture folded="yes"
figure, (loss_panel, exam_panel, score_panel) = lesson.panels(
    3, "The loop without the third term and with it (live)",
    size=(7.2, 2.4), titles=("Documents never drawn", "All task probes",
                             "Guests never met"))
lesson.intervals(
    loss_panel, {name: over_prompts(x) for name, x in losses.items()},
    "loss, nats per token", percent=False)
lesson.intervals(exam_panel, {name: over_prompts(x)
                              for name, x in skills.items()}, "% right")
lesson.intervals(
    score_panel, {name: over_prompts(x) for name, x in scored_of.items()},
    "score", percent=False)
for axes in (exam_panel, score_panel):
    axes.tick_params(axis="y", labelleft=False)
lesson.show(figure, "Loss on documents, share of probes right and score "
    "for the initial model, PPO, PPO at a high β and PPO-ptx.")

# %% document-table folded="yes"
lesson.table(("live, on the same documents, items, guests",
              "mean, 95% interval"), [
    ("loss: PPO minus initial", f"{drift:+.3f}"),
    ("loss: PPO at a high β, minus initial", f"{stays:+.3f}"),
    ("loss: PPO minus PPO-ptx", f"{rescue:+.3f}"),
    ("probes: initial minus PPO, points", f"{100 * forgotten:+.1f}"),
    ("probes: PPO-ptx minus PPO, points", f"{100 * saved:+.1f}"),
    *((f"score: PPO minus {lesson.called(name)}", f"{lost:+.2f}")
      for name, lost in gives_up.items())])

# %% back [markdown]
r"""
## What wins it back (E.6)

Would a higher price do instead of a third term? Without the term, the paper held its smallest model to GPT-3, with $\beta$ up to
{paper:fig34.beta.max} (Fig. 34); with it, it tried several $\gamma$ (Fig. 33). From a $\gamma$ of {paper:fig33.gamma.recovers} on,
it reports, the tasks are won back.

**What a $\beta$ can't do.** The price is paid on replies to requests. On other texts the policy may change for free, though the
weights are shared, so a price may save a part. At an infinite price it would reply as GPT-3 does: nothing learned. This doesn't
explain why even the best $\beta$ tried stays below GPT-3. Our start is the initial model; what that has lost, no price brings back.
(*High β* in the picture above: compare its loss, its probes and its score with *PPO*'s.)

**Why $\gamma$ can.** Its gradient is taken on texts of the kind to be kept, on every step.
"""

# %% paper-curves
from minirlhf.paper import value

gammas_of_paper = np.array([1, 10, 30, 100])
exams = ("drop", "squadv2")
over_gamma = {of: [value(f"fig33.{of}.{g}") for g in gammas_of_paper]
              for of in exams}
best_beta = {of: value(f"fig34.{of}.peak") for of in exams}
gpt = {of: value(f"fig34.{of}.gpt") for of in exams}

# %% back-guess
guess_back = Prediction(
    "In our shipped runs, which share of PPO's tax does PPO-ptx win back?",
    "07.back", unit="% of the tax", low=0, high=150)
guess_back

# %% back-seeds
won = over_seeds(1 - mean_tax("ppo-ptx") / mean_tax("ppo"))
mitigates = over_seeds(mean_tax("ppo") - mean_tax("ppo-ptx"))
remains = over_seeds(mean_tax("ppo-ptx"))
regained = over_seeds(mean_tax("ppo") / 2 - mean_tax("ppo-ptx"))
keeps = over_seeds(each("ppo-ptx", "passes") - each("ppo", "passes"))
costs = over_seeds(each("ppo", "score") - each("ppo-ptx", "score"))

# %% back-answer
guess_back.reveal(100 * won.mean, "shipped run")

# %% back-look [markdown]
r"""
The first two panels are the paper's, Fig. 33 and 34 in one. Where does the curve of $\gamma$ meet each line? A price would be
enough if it reached the dashed line *and* raised the score (not drawn). The third panel is ours: the mean loss over the tasks.
"""

# %% back-picture folded="yes"
figure, (*theirs, last) = lesson.panels(
    3, "β and γ: two of the paper, read off; ours, shipped run",
    size=(7.2, 2.7), titles=("DROP (paper)", "SQuADv2 (paper)",
                             f"Tinytown, {len(seeds)} seeds"))
for axes, of in zip(theirs, exams, strict=True):
    axes.plot(gammas_of_paper, over_gamma[of], "o-", color=INK,
              label="γ")
    axes.axhline(best_beta[of], color=INK, ls=":", label="best β, no γ")
    axes.axhline(gpt[of], color=PALETTE["base"], ls="--", label="GPT-3")
    axes.set(xscale="log", xlabel="γ (log axis)", ylabel="F1")
theirs[0].legend(fontsize=7)
lesson.intervals(last, {name: over_seeds(mean_tax(name))
                        for name in ("initial", "ppo", "ppo-ptx")},
                 "points lost to the base")
lesson.show(figure, "Two panels with the paper's scores over γ, rising "
    "past the best β to GPT-3's; right, what three models here lose.")

# %% back-table folded="yes"
lesson.table((f"{len(seeds)} seeds (shipped run)", "mean, 95% interval"), [
    ("tax that the third term saves", f"{mitigates:+.1%}"),
    ("tax that remains", f"{remains:+.1%}"),
    ("won back, of PPO's tax", f"{won:.0%}"),
    ("passes: PPO-ptx minus PPO", f"{keeps:+.1%}"),
    ("score given up", f"{costs:+.2f}")])

# %% moved [markdown]
r"""
## γ on a running job (E.6, C.4)

$\gamma$ can be changed while a run is under way. The next cell starts one with a tiny $\gamma$ and one document per episode, drawn
from so many that few come twice. Half way, the page raises $\gamma$, as you could at the *desk* below. The package's PPO does the
same as your loop, in batches. Dashed is the shipped PPO-ptx.

The log has the loss of the documents that were drawn, and how hard each part pushes on the weights, the norm of its gradient: *policy*
is PPO's, *ptx* the third term's. If the term did nothing, the loss would go on as before.
"""

# %% moved-guess
guess_moved = Prediction(
    "γ rises a thousandfold half way. What does the loss of the drawn "
    "documents do?", "07.moved", choices=outcomes)
guess_moved

# %% desk
from minirlhf.widgets import TrainingDesk
from minirlhf.widgets import start as start_stage

text_file = lesson.workspace("07", "documents.jsonl")
text_file.write_text("".join(
    json.dumps({"text": row["text"]}) + "\n"
    for row in islice(documents(5), lesson.pick(6000, quick=800))))

# %% desk-run
job = start_stage(
    "ppo", lesson.workspace("07", "ptx"),
    model=folders["initial"], reward=shipped.run("reward") / "model",
    prompts=shipped.file("prompts-ppo"), pretraining=text_file,
    episodes=lesson.pick(1280, quick=128),
    rollout_batch=lesson.pick(64, quick=32), minibatch=16, warmup=2,
    ptx_gamma=0.001, ptx_examples_per_episode=1.0, ema=0.9,
    max_response=72, drop_long=True)
TrainingDesk(job, note="live", ghost=shipped.run("ppo-ptx"))

# %% steer
turn = lesson.pick(10, quick=2)  # iterations before γ is moved
while job.is_live and len(job.reader.rows) < turn:
    job.wait(0.5)
    job.reader.look()
if job.is_live:
    job.reader.steer(ptx_gamma=1.0)
job.wait()
job.reader.look()

# %% turned
from scipy import stats

gamma_at = np.array(job.reader.series("ptx/gamma")[1])
ptx_at = np.array(job.reader.series("ptx/loss")[1])
low, high = ptx_at[gamma_at < 0.5], ptx_at[gamma_at >= 0.5]
k = min(len(low), len(high)) // 2 or 1  # late iterations of each part
moved = None if k < 2 else stats.ttest_ind(  # Welch's: two samples
    high[-k:], low[-k:], equal_var=False).confidence_interval()

# %% moved-answer
guess_moved.reveal(outcomes[
    1 if moved is None else 0 if moved.high < 0 else
    2 if moved.low > 0 else 1])

# %% moved-look [markdown]
r"""
The grey line marks where the new $\gamma$ was first obeyed. Left, the loss of the drawn documents. Right, both pushes; that of the
third term has $\gamma$ in it. How do they compare before the line, and after it? The answer compares the late iterations after the
line with the late ones before it, and says *falls* or *rises* where the difference's interval excludes zero. It covers the luck of
the documents, not of the run.
"""

# %% moved-picture folded="yes"
figure, (left, sizes) = lesson.panels(
    2, "γ raised on a running job (live)", size=(7.2, 2.5),
    titles=("Loss of drawn documents", "The two pushes"))
at = np.arange(1, len(ptx_at) + 1)
left.plot(at, ptx_at, color=PALETTE["ppo-ptx"])
left.set(xlabel="iterations", ylabel="nats per token")
for name, color in (("policy", "ppo"), ("ptx", "ppo-ptx")):
    norms = job.reader.series(f"ppo/gradient_norm/{name}")[1]
    sizes.plot(at, norms, color=PALETTE[color], label=name)
for axes in (left, sizes):
    axes.axvline(len(low) + 0.5, color=MUTED, linewidth=1)
sizes.set(xlabel="iterations", yscale="log", ylabel="norm (log axis)")
sizes.legend(fontsize=8)
lesson.show(figure, "Left, the documents' loss over iterations with the "
    "turn marked, right, two gradient norms, one jumping at the turn.")

# %% predictions
from minirlhf.widgets import PredictionScore

PredictionScore("07.")

# %% summary [markdown]
r"""
## Summary

| | paper | shipped run |
|---|---|---|
| weight of the third term | {paper:ptx.gamma} | {run:counts.ptx_gamma} |
| reading: base, PPO, PPO-ptx | {paper:table14.squadv2.few.175b.gpt}, {paper:table14.squadv2.few.175b.ppo}, {paper:table14.squadv2.few.175b.ppo-ptx} (F1) | {run:models.base.probes.reading:.0%}, {run:models.ppo.probes.reading:.0%}, {run:models.ppo-ptx.probes.reading:.0%} |
| passes: PPO, PPO-ptx | – | {run:models.ppo.passes:.0%}, {run:models.ppo-ptx.passes:.0%} |
| preferred to SFT: PPO, PPO-ptx | {paper:fig1.175b.ppo}, {paper:fig1.175b.ppo-ptx} | {run:models.ppo.wins_labelers:.2f}, {run:models.ppo-ptx.wins_labelers:.2f} |

The next table lists what we planned, before the runs, to look for. *Seen*: the whole interval lies on the paper's side. *Open*: it
includes zero. *Not looked for*: that needs runs that aren't shipped. PPO-ptx keeps the preference if its passes fall by less than a
twentieth of all replies; $\gamma$ wins the tasks back if it saves over half of PPO's tax. Without a price, the score has to be
higher *and* the grade lower. We compare one $\gamma$ with none. The table above is of one seed, as are the rows over *prompts*.
"""

# %% directions
def verdict(found):
    """What an interval says of a difference that the paper has above 0."""
    if found is None:
        return "not looked for"
    if found.low > 0:
        return "seen"
    return "the opposite" if found.high < 0 else "open"


least = -0.05  # of passes, a twentieth: what PPO-ptx may give up
same = ("seen" if keeps.low > least else
        "the opposite" if keeps.high < least else "open")
both = {verdict(free), verdict(worse)}  # score higher, and grade lower
fooled = next(of for of in ("the opposite", "open", "seen") if of in both)

# %% directions-table folded="yes"
def two(key, *ends):
    """Two numbers of the paper."""
    return " → ".join(f"{value(f'{key}.{end}'):g}" for end in ends)


few, one, many = "table14.{}.few.175b", "prompts", f"{len(seeds)} seeds"
squad, french = few.format("squadv2"), few.format("fr-en")
taken_up = [
    ("PPO loses on reading", two(squad, "gpt", "ppo"),
     tax["ppo"]["reading"], many),
    ("PPO loses on translation", two(french, "gpt", "ppo"),
     tax["ppo"]["translation"], many),
    ("PPO-ptx loses less", two(squad, "ppo", "ppo-ptx"), mitigates, many),
    ("PPO-ptx keeps the preference", two("fig1.175b", "ppo", "ppo-ptx"),
     keeps, many)]

# %% directions-more folded="yes"
taken_up += [
    ("γ wins the tasks back", two("fig33.squadv2", 1, 30), regained, many),
    ("γ costs score", two("fig33.reward", 1, 100), costs, many),
    ("no β wins them back", two("fig34.squadv2", "gpt", "peak"), None, ""),
    ("the score falls as β grows", two("fig34.reward", "start", "end"),
     price, one),
    ("no price: higher score, worse grade", two("fig36.likert", 0.02, 0),
     worse, many),
    ("too high a price: worse grade", two("fig36.likert", 0.01, 2),
     too_much, one),
    ("training on, PPO-ptx slides back",
     f"{value('fig35.episodes'):,} episodes", None, ""),
    ("too few documents: their loss rises",
     f"{value('ptx.ratio')} → {value('ptx.ratio.too_few')}", None, "")]

# %% directions-shown folded="yes"
special = {"PPO-ptx keeps the preference": same,
           "no price: higher score, worse grade": fooled}
lesson.table(("the paper says (shipped run)", "its numbers",
              "our difference", "over", ""), [
    (text, theirs, "–" if found is None else f"{found:+.3f}", over,
     special.get(text, verdict(found)))
    for text, theirs, found, over in taken_up])

# %% summary-read [markdown]
r"""
The paper's numbers are read off where they come from a figure; the differences are in shares of items or prompts, in units of the
score, or in points of the grade. Compare signs, since the scales differ.

A price keeps the policy nearer to where the reward model can be trusted. If it is too small, the policy follows the reward model's
mistakes; if it is too large, it learns little, or even ends lower by its own measure. A price charges nothing for what is unlearned
elsewhere; the third term works against that, because it trains there.

## Questions

1. The score of a run still rises on held-out prompts. Why doesn't that rule out over-optimisation?

<details><summary>Answer</summary>

The reward model's mistakes hold on held-out prompts, too. It takes somebody who doesn't share them.

</details>

2. All scores of a reward model are doubled. Which $\beta$ gives the same best policy as before?

<details><summary>Answer</summary>

Twice the old one: the best policy depends on the score divided by $\beta$ alone.

</details>

3. PPO on the judge gains ten points, PPO on the learned reward four. A colleague wants to tune PPO. What do you say?

<details><summary>Answer</summary>

With a perfect reward the same PPO gains more than twice as much. Better rankings, or more of them, come first.

</details>

4. In the loop, the documents' loss is taken under `torch.no_grad()`. What does the run become?

<details><summary>Answer</summary>

Plain PPO. A constant is added to the loss, and its gradient is zero.

</details>

5. A friend holds the policy to the *base* instead of the initial model, to save the tax. What does the price then charge for?

<details><summary>Answer</summary>

For following instructions: the base doesn't, so each reply that does is far from it.

</details>

## The way on

- [Exercise 07](../exercises/ex07_ppo_ptx.ipynb): PPO-ptx from an empty file, up to one whole iteration; then six runs with one bug
  each to find.
- Back to [reinforcement learning](06_reinforcement_learning.ipynb), or to [the reward model](05_reward_model.ipynb).

**A lecture of thirty minutes:** the panels over $\beta$, one reply in five versions (ten); alarms and frontier (eight); control
(four); tax and its remedy (eight).

**A lab of sixty minutes:** the page with its guesses (thirty-five), the loop with another $\gamma$ (ten), a run at the desk, moving
$\beta$ and $\gamma$ (fifteen).
"""
