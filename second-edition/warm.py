"""A base of the second edition's corpus that goes on from another's weights: warm.py SIZE DOCUMENTS
RATE FOLDER [FROM], FROM a folder with model and tokenizer (by default the shipped base).

Words are mapped to the new tokenizer; a word that the old one lacks begins as the mean of all.
"""

import sys
from pathlib import Path

import torch

from minirlhf.config import PretrainConfig
from minirlhf.pretrain import train_base
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown import bases

size, documents, rate, folder = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
begun = Path(sys.argv[5]) if len(sys.argv) > 5 else bases.FOLDER / size
torch.set_num_threads(1)
tokenizer, old = bases.new_tokenizer(), load_tokenizer(begun)
model = bases.new_model(bases.SIZES[size], tokenizer)
weights, known = load_policy(begun).float().state_dict(), old.get_vocab()
before = weights["gpt_neox.embed_in.weight"]
mean = before.mean(0)
words = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
rows = [before[known[word]] if word in known else mean for word, _ in words]
for name in weights.keys() & {"gpt_neox.embed_in.weight", "embed_out.weight"}:
    weights[name] = torch.stack(rows)
print(model.load_state_dict(weights, strict=False), flush=True)
model.tie_weights()
train_base(
    PretrainConfig(
        context=bases.CONTEXT,
        batch=16,
        learning_rate=rate,
        warmup=30,
        validate_every=200,
        precision="fp32",
    ),
    model,
    tokenizer,
    bases.corpus(documents),
    validation=bases.corpus(400, bases.VALIDATION_SEED),
    folder=Path(folder),
)
