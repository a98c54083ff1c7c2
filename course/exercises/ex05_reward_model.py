# %% title [markdown]
r"""
# Exercise 05 · The reward model

Six questions on step 2 of the paper. Each one says all that you need. Write your answer in the empty cell, run it, then
run the check under it; a mistake is told by its name. In the hint cell, take away the `#`; a second argument, as in
`hint("…", 2)`, goes a step further.
"""

# %% begin
from minirlhf.grading import check, hint, progress

# %% eq1-question [markdown]
r"""
## Eq. 1

{question:rm.ranking_loss}

A labeler ranks the $K$ completions of a prompt. The reward model gives each a score $r_\theta(x,y)$, and is to score the
preferred completion $y_w$ of each pair above the other one, $y_l$:

$$
\mathcal L(\theta)=-\,\mathbb E_{x}\Big[\tfrac{1}{|P_x|}\sum_{(w,l)\in P_x}\log\sigma\big(r_\theta(x,y_w)-r_\theta(x,y_l)\big)\Big]
$$

$P_x$ holds the pairs of prompt $x$ that are no tie. You get

- `scores`, float `[B, K]`: one row a prompt;
- `ranks`, int `[B, K]`: the smaller, the better; equal ranks are a tie;
- `valid`, bool `[B, K]`: prompts may have fewer than $K$ completions, and then the rest of the row is padding.

Take the mean over the pairs of a prompt first, then the mean over the prompts; every prompt here has at least one pair
that is no tie. Return a tensor without dimensions. Scores may be far apart: the result has to stay finite. Try to do
without a loop over pairs.
"""

# %% eq1-answer answer="rm.ranking_loss"
import torch
import torch.nn.functional as F


def ranking_loss(scores, ranks, valid):
    """Eq. 1 on a batch of rankings."""
    w, l = (scores[:, :, None], scores[:, None, :])
    pairs = (ranks[:, :, None] < ranks[:, None, :]) & valid[:, :, None] & valid[:, None, :]
    losses = -F.logsigmoid(w - l) * pairs
    return (losses.sum((1, 2)) / pairs.sum((1, 2))).mean()


# %% eq1-check
check("rm.ranking_loss", ranking_loss)

# %% eq1-hint
# hint("rm.ranking_loss")

# %% eq1-why [markdown] only="solution"
r"""
**Why.** {why:rm.ranking_loss} A tie is smaller neither way. `logsigmoid` stays finite where the logarithm of a sigmoid
doesn't. And since all pairs of a prompt come from $K$ scores, each completion passes through the model once.
"""

# %% bias-question [markdown]
r"""
## The bias

{question:rm.bias}

Eq. 1 fixes the scores only up to a constant. Before the reward model is used in step 3, the paper gives it a bias, so
that the labelers' demonstrations score zero on average. From `scores`, float `[N]`, the scores of demonstrations,
return that bias: the constant to be **added** to every score, a tensor without dimensions.
"""


# %% bias-answer answer="rm.bias"
def reward_bias(scores):
    """What to add, so that demonstrations score zero on average."""
    return -scores.mean()


# %% bias-check
check("rm.bias", reward_bias)

# %% bias-hint
# hint("rm.bias")

# %% bias-why [markdown] only="solution"
r"""
**Why.** {why:rm.bias}
"""

# %% shift-question [markdown]
r"""
## What a constant does

{question:rm.shift}

Somebody adds the number three to all the scores of **one** prompt, and leaves the other prompts alone. What happens to
the loss of Eq. 1 over all prompts? The first letter counts fully, a second one half.

- **A**: it goes up by three for that prompt.
- **B**: that prompt's part of it is multiplied by three.
- **C**: nothing.
- **D**: it changes, because that prompt's scores are now out of line with the other prompts'.
"""

# %% shift-answer answer="rm.shift"
letter = "C"

# %% shift-check
check("rm.shift", letter)

# %% shift-hint
# hint("rm.shift")

# %% shift-why [markdown] only="solution"
r"""
**Why.** {why:rm.shift} The same constant for all prompts changes nothing either.
"""

# %% best-question [markdown]
r"""
## Best of n

{question:rm.best_of_n}

The simplest use of a reward model needs no training: sample $n$ completions of a prompt, keep the one it likes best.
From `scores`, float `[B, n]`, one row a prompt, return the place of the best sample of each prompt, int `[B]`, counted
from zero.
"""


# %% best-answer answer="rm.best_of_n"
def best_of_n(scores):
    """The place of the best sample of each prompt."""
    return scores.argmax(dim=-1)


# %% best-check
check("rm.best_of_n", best_of_n)

# %% best-hint
# hint("rm.best_of_n")

# %% best-why [markdown] only="solution"
r"""
**Why.** {why:rm.best_of_n} Nor does anything else that is the same for all samples of a prompt.
"""

# %% bug-question [markdown]
r"""
## Scores out of nowhere

{question:rm.bug}

A class's reward model is right about long replies, and its scores of short ones change with whatever else is in the
batch. The model gives a value to every token of a row; the score of a reply is to be the value at its last token. Rows
are padded on the **right**.

`read_scores` gets `values`, float `[B, L]`, and `mask`, bool `[B, L]`, true on real tokens. Find the bug and mend the
function; it returns float `[B]`.
"""


# %% bug-answer answer="rm.bug" only="exercise"
def read_scores(values, mask):
    """The score of each reply: the value at its last token."""
    return values[:, -1]


# %% bug-answer answer="rm.bug" only="solution"
def read_scores(values, mask):
    """The score of each reply: the value at its last token."""
    last = mask.sum(-1) - 1
    return values.gather(1, last[:, None]).squeeze(1)


# %% bug-check
check("rm.bug", read_scores)

# %% bug-hint
# hint("rm.bug")

# %% bug-why [markdown] only="solution"
r"""
**Why.** {why:rm.bug}
"""

# %% ceiling-question [markdown]
r"""
## Predict, then measure: how often do two labelers agree?

{question:rm.ceiling}

Suppose that one completion of every pair is truly better, and that each labeler sees this correctly `right` of the
time, independently of the others. How often do **two** labelers prefer the same one? Write down your guess and why,
then measure it below:

- **A**: as often as one of them is right.
- **B**: as often as both are right.
- **C**: as often as both are right, or both are wrong.
- **D**: always, less the share of mistakes of the one and that of the other.

Your first guess counts: within two hundredths of theory it earns a point. The reason earns the others, each wrong
letter before it costs one. The measurement has to come out as near.
"""

# %% ceiling-answer answer="rm.ceiling"
predicted = 0.84**2 + (1 - 0.84) ** 2
reason = "C"

# %% ceiling-run
right = 0.84
sees = torch.rand(2, 20_000) < right  # two labelers, many pairs
measured = (sees[0] == sees[1]).float().mean()

# %% ceiling-check
check("rm.ceiling", measured, predicted, reason)

# %% ceiling-hint
# hint("rm.ceiling")

# %% ceiling-why [markdown] only="solution"
r"""
**Why.** {why:rm.ceiling} The paper's training labelers agreed {paper:agreement.training} of the time. A reward model that
predicts a labeler's choices as well as another labeler would is no mediocre one.
"""

# %% end
progress()
