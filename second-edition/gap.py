"""Which questions a pupil gets wrong where it costs: exact answers of a group beside its states.

PYTHONPATH=$PWD python second-edition/gap.py PUPIL.safetensors FOLDER   (as measure_school left it)
"""

import sys

sys.path.insert(0, "second-edition")
import numpy as np, torch

torch.set_num_threads(1)
from pathlib import Path
import measure_school as m
from minirlhf.pretrained import load_tokenizer
from minirlhf.tinytown.school import questions as q
from minirlhf.tinytown.labelers import heldout_pool
from minirlhf.evaluate.head_alone import fit, standardised
from minirlhf.evaluate.ranking_accuracy import shares_in_order

base = Path("second-edition/medium")
tok = load_tokenizer(base)
rows, others = m.samples(base, Path(sys.argv[2]))
train, held = m.ranked(rows), m.ranked(others, heldout_pool())
ranks, order = [r["ranks"] for r in train], [r["ranks"] for r in held]
model = m.starting(sys.argv[1], base, tok)
S = [m.states(model, tok, p) for p in (train, held)]
X = [m.exact(p) for p in (train, held)]
Q = list(q.QUESTIONS)


def acc(f, g):
    a, b = standardised(f, f), standardised(g, f)
    h = fit(a, ranks, 30.0)
    return float(np.nanmean(shares_in_order([list(x @ h) for x in b], order)))


print("states", acc(*S), "exact", acc(*X), flush=True)
groups = {
    "sense not understood": [n for n in Q if "understood" in n],
    "form": [f"misses: {n}" for n in q.FORM]
    + [n for n in Q if n.startswith(("lists less", "has less")) or "by far" in n],
    "sense": [f"misses: {n}" for n in q.SENSE] + ["misses: things are introduced"],
    "truth": [f"misses: {n}" for n in q.TRUTH],
    "apt": [f"misses: {n}" for n in q.APT],
    "topics": [n for n in Q if n.startswith("topics missing")],
    "source": [n for n in Q if n.startswith("words that aren't")],
    "words to use": [n for n in Q if n.startswith("words to use")],
    "avoid": ["uses the word to avoid"],
    "number": [n for n in Q if n.startswith(("sentences too"))],
    "mood": ["misses the mood", "has the other mood"],
    "surface": [n for n in q.SURFACE if "understood" not in n],
}
sets = dict(groups)
sets["all relational"] = list(q.RELATIONAL)
for name in [f"misses: {n}" for n in q.FORM]:
    sets[name] = [name]
for name, cols in sets.items():
    c = [Q.index(n) for n in cols]
    F = [[np.concatenate([s, x[:, c]], 1) for s, x in zip(S[k], X[k])] for k in (0, 1)]
    print(f"{name:45s} {acc(*F):.4f}", flush=True)
from minirlhf.tinytown.school.pupil import Pupil
from minirlhf.pretrained import load_policy

pu = Pupil(load_policy(base, tok).base_model)
pu.load(Path(sys.argv[1]))
pu.eval()
W = pu.heads["texts 4"]
V = pu.shares


def out(f, kind):
    r = []
    for s in f:
        t = torch.tensor(s, dtype=torch.float32)
        with torch.no_grad():
            r.append((torch.sigmoid(W(t)) if kind == "sig" else V(t)).numpy().astype(float))
    return r


P = [out(s, "sig") for s in S]
L = [out(s, "lin") for s in S]
print("sigmoid", acc(*P), "linear shares", acc(*L))
both = [[np.concatenate([a, b], 1) for a, b in zip(S[k], P[k])] for k in (0, 1)]
print("states+sigmoid", acc(*both))
# told apart on SFT samples, weighted list of relational questions by count of pairs
from minirlhf.tinytown.school.exam import told_apart

X1 = X[1]
n = told_apart(P[1], X1)
pairs = sum(((x[:, None] == 1) & (x[None] == 0)).sum((0, 1)) for x in X1)
o = np.argsort(-(pairs * (1 - np.nan_to_num(n, nan=1))))
for i in o[:45]:
    print(f"{Q[i]:48s} pairs {pairs[i]:6d} apart {n[i]:.3f}")
