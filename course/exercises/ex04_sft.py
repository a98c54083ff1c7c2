# %% title [markdown]
r"""
# Exercise 04 · Supervised fine-tuning

Four questions on step 1 of the paper: what is learned from a demonstration, what isn't, and where things go wrong
without a word. Each one says all that you need. Write your answer in the empty cell, run it, then run the check under
it; a mistake is told by its name. In the hint cell, take away the `#`; a second argument, as in `hint("…", 2)`, goes a
step further.
"""

# %% begin
from minirlhf.grading import check, hint, progress

# %% loss-question [markdown]
r"""
## The prompt-masked loss

{question:sft.masked_loss}

A demonstration is a prompt with the completion that a labeler wrote for it. The model reads both in one row of tokens
and predicts each token from those before it, but only the completion's tokens count:

$$
\mathcal L=-\frac{\sum_t m_t\,\log\pi(y_t\mid y_{<t})}{\sum_t m_t}
$$

You get

- `logits`, float `[B, L, V]`: in column $t$ the model's scores for the token in column $t+1$;
- `tokens`, int `[B, L]`: the rows, prompt, completion, padding;
- `mask`, bool `[B, L]`: true on the completion's tokens, its end token among them. Column $t$ of the mask is about
  column $t$ of the tokens.

Return the mean over **all** masked tokens of the batch, a tensor without dimensions. `F.cross_entropy` and
`log_softmax` are yours to use.
"""

# %% loss-answer answer="sft.masked_loss"
import torch
import torch.nn.functional as F


def masked_loss(logits, tokens, mask):
    """The mean negative log-likelihood of the completion tokens."""
    predicted, target, counted = logits[:, :-1], tokens[:, 1:], mask[:, 1:]
    logprobs = torch.log_softmax(predicted, -1).gather(-1, target[..., None]).squeeze(-1)
    return -(logprobs * counted).sum() / counted.sum()


# %% loss-check
check("sft.masked_loss", masked_loss)

# %% loss-hint
# hint("sft.masked_loss")

# %% loss-why [markdown] only="solution"
r"""
**Why.** {why:sft.masked_loss} A mean of row means would make a token of a short completion count for more. The paper
doesn't say whether it masks the prompt; this is the common choice.
"""

# %% positions-question [markdown]
r"""
## Position ids under left padding

{question:sft.positions}

To sample a batch of prompts together, short rows are padded on the left, so that all of them end in the same column and
can grow. A model that is told nothing takes the column for the position: then a prompt's words stand somewhere else as
soon as a longer prompt joins the batch, and its answer changes.

From `mask`, bool `[B, T]`, true on real tokens and false on the padding before them, make the position ids, int
`[B, T]`: the first real token of a row stands at zero, the next one at one, and so on. Padding gets zero, too.
"""


# %% positions-answer answer="sft.positions"
def position_ids(mask):
    """Positions that don't depend on padding."""
    return torch.clamp(torch.cumsum(mask.long(), dim=-1) - 1, min=0)


# %% positions-check
check("sft.positions", position_ids)

# %% positions-hint
# hint("sft.positions")

# %% positions-why [markdown] only="solution"
r"""
**Why.** {why:sft.positions} What stands on the padding doesn't matter otherwise, since nothing attends to it.
"""

# %% bug-question [markdown]
r"""
## A model that never stops

{question:sft.bug}

A class fine-tuned a model with the targets below. Its answers are right, and then they go on and on, until the limit
cuts them. The loss looked fine.

`labels` gets `tokens`, int `[B, L]`: rows of prompt, completion, end token, padding; `prompt_lengths` and `lengths`,
int `[B]`, where `lengths` counts everything but the padding; and `pad_id`. In this class's tokenizer **the padding is
the end token**, as in many scripts; and a prompt may hold that token too, between the turns of a conversation. The
function returns the targets of the loss, with `-100` wherever nothing is to be learned.

Find the bug and mend the function.
"""


# %% bug-answer answer="sft.bug" only="exercise"
def labels(tokens, prompt_lengths, lengths, pad_id):
    """Targets of the loss, -100 on prompt and padding."""
    targets = tokens.clone()
    for row, length in enumerate(prompt_lengths):
        targets[row, :length] = -100
    targets[targets == pad_id] = -100
    return targets


# %% bug-answer answer="sft.bug" only="solution"
def labels(tokens, prompt_lengths, lengths, pad_id):
    """Targets of the loss, -100 on prompt and padding."""
    targets = tokens.clone()
    for row, (prompt, length) in enumerate(zip(prompt_lengths, lengths, strict=True)):
        targets[row, :prompt] = -100
        targets[row, length:] = -100
    return targets


# %% bug-check
check("sft.bug", labels)

# %% bug-hint
# hint("sft.bug")

# %% bug-why [markdown] only="solution"
r"""
**Why.** {why:sft.bug} Giving padding an id of its own prevents all this, and the package refuses a tokenizer that has
none.
"""

# %% untrained-question [markdown]
r"""
## Predict, then measure: a model that knows nothing

{question:sft.untrained}

Below, a small transformer with random weights reads random tokens out of a vocabulary of five hundred. It has been
trained on nothing. Write down first what you expect its loss to be, in nats per token, and why:

- **A**: random weights give random logits, so the loss may be anything.
- **B**: every token of the vocabulary gets about the same probability.
- **C**: it is sure of itself and nearly always wrong, so the loss is far larger than that of an even spread.
- **D**: it copies from the text before, so the loss is smaller than that of an even spread.

Your first guess counts: near the measurement it earns a point. The reason earns the others, each wrong letter before it
costs one. The measurement has to come out within a quarter of a nat of theory.
"""

# %% untrained-answer answer="sft.untrained"
predicted = torch.log(torch.tensor(500.0)).item()
reason = "B"

# %% untrained-run
from transformers import AutoModelForCausalLM, GPT2Config

config = GPT2Config(vocab_size=500, n_embd=32, n_layer=2, n_head=2)
model = AutoModelForCausalLM.from_config(config).eval()
tokens = torch.randint(500, (16, 64))
with torch.no_grad():
    logits = model(input_ids=tokens).logits
measured = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

# %% untrained-check
check("sft.untrained", measured, predicted, reason)

# %% untrained-hint
# hint("sft.untrained")

# %% untrained-why [markdown] only="solution"
r"""
**Why.** {why:sft.untrained} It is the first thing to look at in a new training loop: well above $\log V$ means logits that
are too large; well below it, a target that leaks into the input.
"""

# %% end
progress()
