# %% title [markdown]
r"""
# Exercise 07 · PPO-ptx, whole

First you write PPO-ptx from an empty file, in five stages; the last is one whole iteration. Then you are shown six runs
with one bug each, and say what is wrong.

Each question says all that you need. Run the check under your answer; a mistake is told by its name. In the hint cell,
take away the `#`; a second argument, as in `hint("…", 2)`, goes a step further.
"""

# %% begin
import torch
from torch.nn.utils.rnn import pad_sequence

from minirlhf import objectives
from minirlhf.grading import check, hint, progress, show_run

# %% loop-given [markdown]
r"""
## PPO-ptx from an empty file

The equations are yours to call, all of `minirlhf.objectives`, whether you have answered their questions or not; the loop
around them is asked for.

Everywhere in these five stages

- a prompt $x$, a response $y$ and a pretraining document are int tensors of ids, `[L]`, each of its own length; lists of
  them hold one for each row of the batch;
- `policy(ids)` and `reference(ids)` give logits, float `[L, V]`: those in row $t$ are about the id in row $t+1$;
- `reward(ids)` and `value(ids)` give a number at each id, float `[L]`;
- all four take one row of ids, or several of one length, `[B, L]`; they are causal;
- results `[B, T]` have a row for each response and as many columns as the longest, and are zero behind a response.

Write helpers if you like. Each stage is checked by itself, on models of a few hundred weights.
"""

# %% rollout-question [markdown]
r"""
## Stage one: rollout

{question:loop.rollout}

Sample a response to each of `prompts`. Token $t$ of row $b$ is the first id at which the cumulative probability, added
up from the first id on, exceeds `uniforms[b, t]`; `uniforms` is float `[B, T]`. A response ends with the id `eos`, which
belongs to it, or after $T$ tokens. Return a list of int tensors, the responses without their prompts.
"""


# %% rollout-answer answer="loop.rollout"
def rollout(policy, prompts, uniforms, eos):
    """A response to each prompt."""
    responses = []
    for x, numbers in zip(prompts, uniforms, strict=True):
        row = x
        for u in numbers:
            with torch.no_grad():
                cumulated = policy(row)[-1].softmax(-1).cumsum(-1)
            token = (cumulated <= u).sum().clamp(max=len(cumulated) - 1)
            row = torch.cat([row, token[None]])
            if token == eos:
                break
        responses.append(row[len(x) :])
    return responses


# %% rollout-check
check("loop.rollout", rollout)

# %% rollout-hint
# hint("loop.rollout")

# %% rollout-why [markdown] only="solution"
r"""
**Why.** {why:loop.rollout}
"""

# %% rewards-question [markdown]
r"""
## Stage two: log-probabilities and rewards

{question:loop.rewards}

The score $r(x,y)$ is the reward model's number at the last id of prompt and response. Return two tensors without
gradients, `[B, T]`: the policy's log-probability of each response token, and its reward

$$R_t=-\beta\big(\log\pi(y_t)-\log\pi^{\rm SFT}(y_t)\big)+\mathbf 1[t\text{ is the last token}]\;r(x,y)$$
"""


# %% rewards-answer answer="loop.rewards"
def rewards(policy, reference, reward, prompts, responses, beta):
    """Log-probabilities of the policy, and shaped rewards."""
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    old, start, scores = [], [], []
    with torch.no_grad():
        for x, y in zip(prompts, responses, strict=True):
            row = torch.cat([x, y])
            for model, found in ((policy, old), (reference, start)):
                found.append(objectives.token_logprobs(model(row)[len(x) - 1 : -1], y))
            scores.append(reward(row)[-1])
    old, start = (pad_sequence(rows, batch_first=True) for rows in (old, start))
    return old, objectives.shaped_rewards(torch.stack(scores), old, start, mask, beta)


# %% rewards-check
check("loop.rewards", rewards)

# %% rewards-hint
# hint("loop.rewards")

# %% rewards-why [markdown] only="solution"
r"""
**Why.** {why:loop.rewards}
"""

# %% advantages-question [markdown]
r"""
## Stage three: values and advantages

{question:loop.advantages}

$V_t$ is the value of the state in which token $t$ is still to be chosen. With `rewards`, float `[B, T]`, and the number
`lam`, return three tensors without gradients, `[B, T]`: the values, the advantages of GAE (without a discount), whitened
over all response tokens of the batch, and the returns.
"""


# %% advantages-answer answer="loop.advantages"
def advantages(value, prompts, responses, rewards, lam):
    """Values, whitened advantages, returns."""
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    with torch.no_grad():
        pairs = zip(prompts, responses, strict=True)
        rows = [value(torch.cat([x, y]))[len(x) - 1 : -1] for x, y in pairs]
    values = pad_sequence(rows, batch_first=True)
    found, returns = objectives.gae(rewards, values, mask, lam=lam)
    return values, objectives.whiten(found, mask), returns


# %% advantages-check
check("loop.advantages", advantages)

# %% advantages-hint
# hint("loop.advantages")

# %% advantages-why [markdown] only="solution"
r"""
**Why.** {why:loop.advantages}
"""

# %% losses-question [markdown]
r"""
## Stage four: the losses

{question:loop.losses}

`old` holds four tensors `[B, T]`, as they were when the responses were sampled: log-probabilities, values, advantages,
returns. `documents` are pretraining texts; their first id is predicted by nothing. Return three losses, tensors without
dimensions: the clipped policy loss, the value loss with the same `clip`, halved, and the mean of $-\log\pi$ over all
predicted ids of all documents. Gradients have to reach `policy` and `value`.
"""


# %% losses-answer answer="loop.losses"
def losses(policy, value, prompts, responses, old, documents, clip):
    """The losses of policy, value and pretraining."""
    mask = pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()
    logprobs, values = [], []
    for x, y in zip(prompts, responses, strict=True):
        row = torch.cat([x, y])
        logprobs.append(objectives.token_logprobs(policy(row)[len(x) - 1 : -1], y))
        values.append(value(row)[len(x) - 1 : -1])
    logprobs, values = (pad_sequence(rows, batch_first=True) for rows in (logprobs, values))
    read = [objectives.token_logprobs(policy(text)[:-1], text[1:]) for text in documents]
    old_logprobs, old_values, found, returns = old
    return (
        objectives.policy_loss(logprobs, old_logprobs, found, mask, clip),
        objectives.value_loss(values, old_values, returns, mask, clip),
        -torch.cat(read).mean(),
    )


# %% losses-check
check("loop.losses", losses)

# %% losses-hint
# hint("loop.losses")

# %% losses-why [markdown] only="solution"
r"""
**Why.** {why:loop.losses}
"""

# %% iteration-question [markdown]
r"""
## Stage five: one whole iteration

{question:loop.iteration}

Sample responses to all prompts, then take one step of `adam` for each of `batches`, in order. You get

- `models`: policy, reference, reward model and value model, in this order;
- `adam`: a torch optimizer that holds the weights of policy and value model;
- `prompts` and `uniforms`, as in stage one;
- `batches`: pairs of `rows`, an int tensor that says which responses a step learns from, and `documents`, its
  pretraining texts;
- `settings`, with `eos`, `beta`, `lam`, `clip`, `gamma` and `grad_clip`.

A step goes down the gradient of policy loss + value loss + $\gamma$ · ptx loss. Before it, the gradients of the policy
are scaled to a norm of at most `grad_clip`, and so, by themselves, are those of the value model
(`torch.nn.utils.clip_grad_norm_`). The advantages are whitened once, over all responses. Train the models in place and
return nothing: their weights are compared with those after an iteration of `minirlhf.plain.ppo`.
"""


# %% iteration-answer answer="loop.iteration"
def iteration(models, adam, prompts, uniforms, batches, settings):
    """One iteration of PPO-ptx, in place."""
    policy, reference, reward, value = models
    y = rollout(policy, prompts, uniforms, settings.eos)
    logprobs, shaped = rewards(policy, reference, reward, prompts, y, settings.beta)
    old = (logprobs, *advantages(value, prompts, y, shaped, settings.lam))
    for rows, documents in batches:
        own, answers = [prompts[i] for i in rows], [y[i] for i in rows]
        width = max(len(answer) for answer in answers)
        stored = [kept[rows, :width] for kept in old]
        terms = losses(policy, value, own, answers, stored, documents, settings.clip)
        (terms[0] + terms[1] + settings.gamma * terms[2]).backward()
        for model in (policy, value):
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
        adam.step()
        adam.zero_grad()


# %% iteration-check
check("loop.iteration", iteration)

# %% iteration-hint
# hint("loop.iteration")

# %% iteration-why [markdown] only="solution"
r"""
**Why.** {why:loop.iteration}
"""

# %% runs-given [markdown]
r"""
## What is wrong with this run?

Six short runs of PPO, each with one bug. They start from the same model as a healthy run, with the same draws; the reward
is no model but a rule: a point for each friendly word of a reply (*dear*, *friend*, *please*, *you* …), a tenth off for
any word. A reply may have up to twenty-eight tokens, $\beta$ is the same in all of them, and four steps are taken on each
batch.

A value model that is no better than a constant explains a share of zero of the returns' variance; a worse one explains
less than nothing. The entropy is minus the log-probability of a sampled reply, on average.

One bug is in each run, none of them twice:

- **A**: the reference model learns along with the policy.
- **B**: the score is paid at every token.
- **C**: the KL penalty has the wrong sign.
- **D**: the old log-probabilities are taken anew in each step.
- **E**: the value model's weights are never updated.
- **F**: replies are sampled at a lower temperature than their log-probabilities are computed at.
- **G**: the advantages have the wrong sign.
- **H**: the policy's weights are never updated.

Answer with the letter of the bug and that of the reason which tells it from all the others. The first try counts fully,
a second one half, later ones nothing.
"""

# %% run-one-question [markdown]
r"""
### Run one

{question:runs.one}

Because

- **A**: the score ends a little above that of the healthy run.
- **B**: replies grow to the limit, from the iterations on in which their scores turn positive.
- **C**: the explained variance is low: the value model learns nothing.
- **D**: no token is clipped.
"""

# %% run-one-shown
show_run(1)

# %% run-one-answer answer="runs.one"
bug = "B"
reason = "B"

# %% run-one-check
check("runs.one", bug, reason=reason)

# %% run-one-hint
# hint("runs.one")

# %% run-one-why [markdown] only="solution"
r"""
**Why.** {why:runs.one}
"""

# %% run-two-question [markdown]
r"""
### Run two

{question:runs.two}

Because

- **A**: the KL ends above that of the healthy run.
- **B**: the entropy is several times that of the healthy run.
- **C**: not one token is clipped in the whole run, though the policy moves.
- **D**: the score rises faster than it should.
"""

# %% run-two-shown
show_run(2)

# %% run-two-answer answer="runs.two"
bug = "D"
reason = "C"

# %% run-two-check
check("runs.two", bug, reason=reason)

# %% run-two-hint
# hint("runs.two")

# %% run-two-why [markdown] only="solution"
r"""
**Why.** {why:runs.two}
"""

# %% run-three-question [markdown]
r"""
### Run three

{question:runs.three}

Because

- **A**: the KL stays at zero, while the replies have changed beyond recognition.
- **B**: the score rises far above that of the healthy run.
- **C**: replies grow to the limit.
- **D**: far more tokens are clipped than in the healthy run.
"""

# %% run-three-shown
show_run(3)

# %% run-three-answer answer="runs.three"
bug = "A"
reason = "A"

# %% run-three-check
check("runs.three", bug, reason=reason)

# %% run-three-hint
# hint("runs.three")

# %% run-three-why [markdown] only="solution"
r"""
**Why.** {why:runs.three}
"""

# %% run-four-question [markdown]
r"""
### Run four

{question:runs.four}

Because

- **A**: the score rises more slowly.
- **B**: the KL ends elsewhere than in the healthy run.
- **C**: the replies have fallen apart.
- **D**: the explained variance never rises above zero.
"""

# %% run-four-shown
show_run(4)

# %% run-four-answer answer="runs.four"
bug = "E"
reason = "D"

# %% run-four-check
check("runs.four", bug, reason=reason)

# %% run-four-hint
# hint("runs.four")

# %% run-four-why [markdown] only="solution"
r"""
**Why.** {why:runs.four}
"""

# %% run-five-question [markdown]
r"""
### Run five

{question:runs.five}

Because

- **A**: the KL ends above that of the healthy run.
- **B**: the entropy is far below that of the healthy run from the first iteration on.
- **C**: replies at the end resemble one another.
- **D**: the score ends a little above that of the healthy run.
"""

# %% run-five-shown
show_run(5)

# %% run-five-answer answer="runs.five"
bug = "F"
reason = "B"

# %% run-five-check
check("runs.five", bug, reason=reason)

# %% run-five-hint
# hint("runs.five")

# %% run-five-why [markdown] only="solution"
r"""
**Why.** {why:runs.five}
"""

# %% run-six-question [markdown]
r"""
### Run six

{question:runs.six}

Because

- **A**: replies grow to the limit.
- **B**: the entropy ends far above that of the healthy run.
- **C**: the KL rises to hundreds of nats, while score and sense get lost.
- **D**: more tokens are clipped than in the healthy run.
"""

# %% run-six-shown
show_run(6)

# %% run-six-answer answer="runs.six"
bug = "C"
reason = "C"

# %% run-six-check
check("runs.six", bug, reason=reason)

# %% run-six-hint
# hint("runs.six")

# %% run-six-why [markdown] only="solution"
r"""
**Why.** {why:runs.six}
"""

# %% end
progress()
