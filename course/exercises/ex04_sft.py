# %% title [markdown]
r"""
# Exercise 04 · Supervised fine-tuning

Four questions on step 1 of the paper: what is learned from a demonstration, what isn't, and where things go wrong
without a word. Each one says all that you need. Write your answer in the empty cell, run it, then run the check under
it; a mistake is told by its name. In the hint cell, take away the `#`; a second argument, as in `hint("…", 2)`, goes a
step further.
"""

# %% title [markdown] lang="zh" of="3d3ac9da"
r"""
# 第 04 章练习 · 监督微调

论文的第 1 步，四道题：从一条示范里学什么，不学什么，又在哪里会不声不响地出错。做题所需的一切，题目里都有。
把答案写进空着的单元格，运行它，再运行下面的检查；答错了，检查会说出错在哪里。想要提示，就去掉提示单元格里的 `#`；
再加第二个参数，写作 `hint("…", 2)`，会说得更透。
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
  column $t$ of the tokens; the first column is always part of the prompt.

Return the mean over **all** masked tokens of the batch, a tensor without dimensions. `F.cross_entropy` and
`log_softmax` are yours to use.
"""

# %% loss-question [markdown] lang="zh" of="d15ae8e2"
r"""
## 带提示掩码的损失

{question:sft.masked_loss}

一条示范，就是一条提示加上标注员为它写的回复。模型把两者当作一行词元来读，由前面的词元预测后一个；但计入损失的，只有回复的词元：

$$
\mathcal L=-\frac{\sum_t m_t\,\log\pi(y_t\mid y_{<t})}{\sum_t m_t}
$$

给你的是

- `logits`，float `[B, L, V]`：第 $t$ 列是模型对第 $t+1$ 列的词元的打分；
- `tokens`，int `[B, L]`：每行依次是提示、回复、填充；
- `mask`，bool `[B, L]`：在回复的词元上为真，结束符也算。掩码的第 $t$ 列，说的就是词元的第 $t$ 列；第一列总是属于提示。

对批次里掩码标出的**全部**词元取平均，返回一个没有维度的张量。可以用 `F.cross_entropy` 和 `log_softmax`。
"""

# %% loss-answer answer="sft.masked_loss"
import torch
import torch.nn.functional as F


def masked_loss(logits, tokens, mask):
    """The mean negative log-likelihood of the completion tokens."""
    predicted, target, counted = logits[:, :-1], tokens[:, 1:], mask[:, 1:]
    logprobs = torch.log_softmax(predicted, -1).gather(-1, target[..., None]).squeeze(-1)
    return -(logprobs * counted).sum() / counted.sum()


# %% loss-answer lang="zh"
{
    "The mean negative log-likelihood of the completion tokens.": "回复词元的负对数似然的平均。",
}

# %% loss-check
check("sft.masked_loss", masked_loss)

# %% loss-hint
# hint("sft.masked_loss")

# %% loss-why [markdown] only="solution"
r"""
**Why.** {why:sft.masked_loss} A mean of row means would make a token of a short completion count for more. The paper
doesn't say whether it masks the prompt; this is the common choice.
"""

# %% loss-why [markdown] lang="zh" of="e0d00332"
r"""
**为什么？** {why:sft.masked_loss}若先在每行内平均，再对各行平均，短回复的词元就会算得更重。
论文没有说它是否掩去提示；这里用的是通行的做法。
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

# %% positions-question [markdown] lang="zh" of="2a1d1300"
r"""
## 左填充时的位置编号

{question:sft.positions}

要让一批提示一起采样，就在较短的行左边填充，使各行在同一列结束，从那里一起往下写。如果什么也不告诉模型，它会把列号当作位置：
批次里一旦来了更长的提示，这条提示的词就全都挪了位置，模型的回答也跟着变。

`mask` 是 bool `[B, T]`，在真实的词元上为真，在它们前面的填充上为假。由它求出位置编号，int `[B, T]`：
每行第一个真实的词元是零，下一个是一，依此类推。填充处也是零。
"""


# %% positions-answer answer="sft.positions"
def position_ids(mask):
    """Positions that don't depend on padding."""
    return torch.clamp(torch.cumsum(mask.long(), dim=-1) - 1, min=0)


# %% positions-answer lang="zh"
{
    "Positions that don't depend on padding.": "不随填充而变的位置。",
}

# %% positions-check
check("sft.positions", position_ids)

# %% positions-hint
# hint("sft.positions")

# %% positions-why [markdown] only="solution"
r"""
**Why.** {why:sft.positions} What stands on the padding doesn't matter otherwise, since nothing attends to it.
"""

# %% positions-why [markdown] lang="zh" of="23a2c5ab"
r"""
**为什么？** {why:sft.positions}除此之外，填充处放什么都无所谓，因为没有谁会去看它。
"""

# %% bug-question [markdown]
r"""
## A model that never stops

{question:sft.bug}

A class fine-tuned a model with the targets below. Its answers are right, and then they go on and on, until the limit
cuts them. The loss looked fine.

`labels` gets `tokens`, int `[B, L]`: rows of prompt, completion, end token, padding; `prompt_lengths` and `lengths`,
int `[B]`, where `lengths` counts all but the padding, so the row's own end token too; and `pad_id`. In this class's
tokenizer **the padding is the end token**, as in many scripts; and a prompt may hold that token too, between the turns
of a conversation. The function returns the targets of the loss, with `-100` wherever nothing is to be learned.

Find the bug and mend the function.
"""

# %% bug-question [markdown] lang="zh" of="1bc1d9d2"
r"""
## 停不下来的模型

{question:sft.bug}

有个班用下面的目标微调了一个模型。它的回答是对的，可是答完还一直写下去，直到长度上限把它截断。损失看上去很正常。

`labels` 的参数是：`tokens`，int `[B, L]`，每行依次是提示、回复、结束符、填充；`prompt_lengths` 和 `lengths`，int `[B]`，
其中 `lengths` 数的是填充以外的全部词元，本行自己的结束符也算在内；还有 `pad_id`。这个班的分词器和许多脚本里的一样，**用结束符来填充**；
提示里也可能有这个词元，夹在对话的轮次之间。函数返回损失的目标，不该学的地方是 `-100`。

请找出错误，把函数改好。
"""


# %% bug-answer answer="sft.bug" only="exercise"
def labels(tokens, prompt_lengths, lengths, pad_id):
    """Targets of the loss, -100 on prompt and padding."""
    targets = tokens.clone()
    for row, length in enumerate(prompt_lengths):
        targets[row, :length] = -100
    targets[targets == pad_id] = -100
    return targets


# %% bug-answer lang="zh"
{
    "Targets of the loss, -100 on prompt and padding.": "损失的目标，在提示和填充上为 -100。",
}


# %% bug-answer answer="sft.bug" only="solution"
def labels(tokens, prompt_lengths, lengths, pad_id):
    """Targets of the loss, -100 on prompt and padding."""
    targets = tokens.clone()
    for row, (prompt, length) in enumerate(zip(prompt_lengths, lengths, strict=True)):
        targets[row, :prompt] = -100
        targets[row, length:] = -100
    return targets


# %% bug-answer lang="zh"
{
    "Targets of the loss, -100 on prompt and padding.": "损失的目标，在提示和填充上为 -100。",
}

# %% bug-check
check("sft.bug", labels)

# %% bug-hint
# hint("sft.bug")

# %% bug-why [markdown] only="solution"
r"""
**Why.** {why:sft.bug} Giving padding an id of its own prevents all this, and the package refuses a tokenizer that has
none.
"""

# %% bug-why [markdown] lang="zh" of="20fbf7dd"
r"""
**为什么？** {why:sft.bug}给填充单独一个编号，就不会有这些麻烦；分词器若没有这样的编号，程序包会拒绝它。
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

# %% untrained-question [markdown] lang="zh" of="885f6a9b"
r"""
## 先预测，再测量：一无所知的模型

{question:sft.untrained}

下面是一个小小的 transformer，权重是随机的，读的也是随机的词元，词表里有五百个词元。它没有受过任何训练。
先写下你预计它的损失是多少（每个词元多少 nat），再选一个理由：

- **A**：权重随机，logits 也就随机，损失可以是任何数。
- **B**：词表里每个词元得到的概率都差不多。
- **C**：它很有把握，却几乎总是错，所以损失比均匀分布的大得多。
- **D**：它照抄前文，所以损失比均匀分布的小。

猜测以第一次为准：与测得的值相近就得一分。其余的分看理由，答对之前每选错一个字母，就少一分。
测得的值与理论值之差，不得超过四分之一个 nat。
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

# %% untrained-why [markdown] lang="zh" of="a2868968"
r"""
**为什么？** {why:sft.untrained}拿到一个新的训练循环，首先该看的就是这个数：比 $\log V$ 高出许多，说明 logits 太大；低出许多，说明目标漏进了输入。
"""

# %% end
progress()
