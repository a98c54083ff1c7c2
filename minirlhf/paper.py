"""The numbers of the InstructGPT paper as data, in the paper's order.

Source: Ouyang et al., "Training language models to follow instructions with human feedback",
arXiv 2203.02155v1, 2022. Every number is a :class:`Number` under a dotted key and says where it
stands; presets, prose and plots all read it from here:

>>> cite("ppo.beta")
Number(value=0.02, unit='reward per nat', where='C.4', approximate=False, plus_minus=None)
>>> print(cite("intro.ppo-ptx.vs.gpt"))
85 ± 3%

Sizes are written ``1.3b``, ``6b``, ``175b`` and models ``gpt``, ``prompted``, ``sft``, ``ppo``,
``ppo-ptx``, ``flan``, ``t0``. A share in the unit ``%`` runs from 0 to 100; ``rate`` from 0 to 1.
"Post" is OpenAI's announcement "Aligning language models to follow instructions" (January 2022),
which prints some values that the paper only plots.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from minirlhf.errors import MinirlhfError

POLICY_SIZES = ("1.3b", "6b", "175b")
MODELS = ("gpt", "sft", "ppo", "ppo-ptx")

Value = float | str | bool


@dataclass(frozen=True)
class Number:
    """One number, or one setting in words, with the place where the paper states it.

    ``approximate``: read off a plot, or given in round figures. ``plus_minus``: half-width of the
    printed error bar (a 95% confidence interval throughout the paper).
    """

    value: Value
    unit: str
    where: str
    approximate: bool = False
    plus_minus: float | None = None

    def __str__(self) -> str:
        text = ("≈ " if self.approximate else "") + _digits(self.value)
        if self.plus_minus is not None:
            text += f" ± {_digits(self.plus_minus)}"
        return text + ("%" if self.unit == "%" else "")


def _digits(value: Value) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        mantissa, e, exponent = f"{value:.10g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if e else mantissa
    return str(value)


_numbers: dict[str, Number] = {}
NUMBERS: Mapping[str, Number] = MappingProxyType(_numbers)


def cite(key: str) -> Number:
    """The number stated under ``key``.

    Raises:
        MinirlhfError: if the paper's data hold no such key; names the nearest ones.
    """
    if key not in _numbers:
        near = difflib.get_close_matches(key, _numbers, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; see minirlhf.paper.NUMBERS."
        raise MinirlhfError(f"minirlhf.paper holds no number called {key!r}{hint}")
    return _numbers[key]


def value(key: str) -> Value:
    """The bare value under ``key``; raises as :func:`cite` does."""
    return cite(key).value


def under(prefix: str) -> dict[str, Number]:
    """All numbers whose keys begin with ``prefix`` and a dot, without that prefix."""
    return {
        k.removeprefix(f"{prefix}."): n for k, n in _numbers.items() if k.startswith(f"{prefix}.")
    }


def _state(where: str, unit: str, numbers: Mapping, *, prefix="", approximate=False) -> None:
    """Enter numbers that share a place and a unit; a tuple is a value and its plus-minus."""
    for name, stated in numbers.items():
        amount, plus_minus = stated if isinstance(stated, tuple) else (stated, None)
        key = f"{prefix}.{name}" if prefix else name
        if key in _numbers:
            raise ValueError(f"{key} is stated twice")
        _numbers[key] = Number(amount, unit, where, approximate, plus_minus)


def _by_size(name: str, *amounts: float) -> dict[str, float]:
    return {f"{name}.{size}": amount for size, amount in zip(POLICY_SIZES, amounts, strict=True)}


# ── §1 Introduction ──────────────────────────────────────────────────────────────────────────

_state("§1, §4.1", "%", {"intro.ppo-ptx.vs.gpt": (85, 3), "intro.ppo-ptx.vs.prompted": (71, 4)})
_state("§1, §4.1, Fig. 4", "%", {"intro.hallucination.ppo-ptx": 21, "intro.hallucination.gpt": 41})
_state("§1, Fig. 7", "%", {"intro.toxicity.reduction": 25}, approximate=True)
_state("§1", "times", {"intro.truthfulness.ratio": 2}, approximate=True)
_state("§1, §3.4", "labelers", {"intro.labelers": 40}, approximate=True)
_state(
    "§1, §4.1",
    "%",
    {
        "intro.ppo-ptx.vs.sft.175b": (73.4, 2),
        "intro.flan.vs.sft.175b": (29.8, 2),
        "intro.t0.vs.sft.175b": (26.8, 2),
    },
)

# Figure 1: win rate against the 175B SFT model, on held-out customers' prompts.
for _size, _rates in {
    "1.3b": (0.14, 0.23, 0.35, 0.51, 0.52),
    "6b": (0.19, 0.27, 0.40, 0.55, 0.57),
    "175b": (0.24, 0.41, 0.50, 0.62, 0.65),
}.items():
    _ladder = dict(zip(("gpt", "prompted", "sft", "ppo", "ppo-ptx"), _rates, strict=True))
    _state("Fig. 1", "rate", _ladder, prefix=f"fig1.{_size}", approximate=True)

# ── §3 Methods ───────────────────────────────────────────────────────────────────────────────

# §3.2: the prompts.
_state("§3.2", "prompts", {"data.cap_per_user": 200})
_state(
    "§3.2",
    "prompts",
    {"data.prompts.sft": 13_000, "data.prompts.rm": 33_000, "data.prompts.ppo": 31_000},
    approximate=True,
)
_state(
    "Table 1",
    "%",
    {
        "generation": 45.6,
        "open_qa": 12.4,
        "brainstorming": 11.2,
        "chat": 8.4,
        "rewrite": 6.6,
        "summarization": 4.2,
        "classification": 3.5,
        "other": 3.5,
        "closed_qa": 2.6,
        "extract": 1.9,
    },
    prefix="table1",
)
_state("§3.3, A.4", "%", {"data.english": 96}, approximate=True)

# §3.4: how often two labelers agree.
_state("§3.4", "%", {"agreement.training": (72.6, 1.5), "agreement.held_out": (77.3, 1.3)})
_state("§3.4, from Stiennon et al. 2020", "%", {"agreement.stiennon": (73, 4)})

# §3.5: the reward model sees K responses to a prompt.
_state("§3.5", "responses", {"rm.k.min": 4, "rm.k.max": 9})


@dataclass(frozen=True)
class Metadatum:
    """One row of Table 3: what a labeler notes of every output."""

    name: str
    asks: str
    kind: str  # "likert": 1 to 7; "flag": yes or no


TABLE_3 = (
    Metadatum("quality", "Overall quality", "likert"),
    Metadatum("fails_task", "Fails to follow the correct instruction or task", "flag"),
    Metadatum("inappropriate", "Inappropriate for a customer assistant", "flag"),
    Metadatum("hallucination", "Hallucination", "flag"),
    Metadatum("satisfies_constraint", "Satisfies the constraint in the instruction", "flag"),
    Metadatum("sexual_content", "Contains sexual content", "flag"),
    Metadatum("violent_content", "Contains violent content", "flag"),
    Metadatum(
        "encourages_harm",
        "Encourages or fails to discourage violence, abuse, terrorism or self-harm",
        "flag",
    ),
    Metadatum("denigrates", "Denigrates a protected class", "flag"),
    Metadatum("harmful_advice", "Gives harmful advice", "flag"),
    Metadatum("opinion", "Expresses an opinion", "flag"),
    Metadatum("moral_judgment", "Expresses a moral judgment", "flag"),
)
_state("§3.6, Table 3", "points", {"likert.min": 1, "likert.max": 7})

# ── §4 Results ───────────────────────────────────────────────────────────────────────────────

# Figure 4, all sizes pooled; "instructgpt" is what the post calls the PPO-ptx models.
_pooled = ("gpt", "sft", "instructgpt")
for _flag, _rates in {
    "hallucination": (0.414, 0.078, 0.172),
    "appropriate": (0.811, 0.880, 0.902),
}.items():
    _state(
        "Post, for Fig. 4", "rate", dict(zip(_pooled, _rates, strict=True)), prefix=f"fig4.{_flag}"
    )
_state(
    "Post, for Fig. 6",
    "rate",
    {"gpt": 0.224, "sft": 0.206, "instructgpt": 0.413},
    prefix="fig6.truthful",
)

# §4.1 and E.2: five-fold over labeler groups, three seeds.
_state("§4.1, E.2", "%", {"rm.accuracy.training": (72.4, 0.4), "rm.accuracy.held_out": (69.6, 0.9)})
_state("E.2", "groups", {"rm.labeler_groups": 5})

# Figure 5: mean Likert score of the 175B models.
_state(
    "Fig. 5",
    "points",
    {"gpt": 2.6, "t0": 3.3, "flan": 3.4, "prompted": 3.5, "sft": 4.1, "ppo-ptx": 4.8},
    prefix="fig5",
    approximate=True,
)
_state("§4.1", "%", {"wins.ppo-ptx.vs.flan": (78, 4), "wins.ppo-ptx.vs.t0": (79, 4)})

_state("§4.2, Fig. 7", "prompts", {"fig7.prompts": 1_729})

# ── §5 Discussion ────────────────────────────────────────────────────────────────────────────

_state(
    "§5.1",
    "petaflop/s-days",
    {"compute.sft.175b": 4.9, "compute.ppo-ptx.175b": 60, "compute.gpt3.175b": 3_640},
)

# ── Appendix A: prompts ──────────────────────────────────────────────────────────────────────

_state(
    "Table 6",
    "prompts",
    {
        "sft.train.labeler": 11_295,
        "sft.train.customer": 1_430,
        "sft.valid.labeler": 1_550,
        "sft.valid.customer": 103,
        "rm.train.labeler": 6_623,
        "rm.train.customer": 26_584,
        "rm.valid.labeler": 3_488,
        "rm.valid.customer": 14_399,
        "ppo.train.customer": 31_144,
        "ppo.valid.customer": 16_185,
    },
    prefix="table6",
)

for _label, (_rm, _sft) in {
    "ambiguous": (7.9, 5.1),
    "sensitive": (6.9, 0.9),
    "closed_domain": (19.4, 27.4),
    "continuation": (15.5, 17.9),
    "opinion": (7.7, 8.6),
    "moral_judgment": (1.1, 0.3),
    "safety_constraint": (0.4, 0.3),
    "other_constraint": (26.3, 25.6),
}.items():
    _state("Table 7", "%", {"rm": _rm, "sft": _sft}, prefix=f"table7.{_label}")
_state(
    "Table 7",
    "%",
    {"closed_domain.test": 11.8, "advice.test": 3.9, "unclear.test": 7.9},
    prefix="table7",
)

_state(
    "Table 8",
    "prompts per customer",
    {
        "sft.train": 1.65,
        "sft.valid": 1.87,
        "rm.train": 5.35,
        "rm.valid": 27.96,
        "ppo.train": 6.01,
        "ppo.valid": 31.55,
        "test": 1.81,
    },
    prefix="table8",
)

for _split, (_mean, _median) in {
    "sft": (408, 283),
    "rm": (199, 64),
    "ppo": (166, 62),
    "test": (115, 49),
}.items():
    _state("Table 9", "tokens", {"mean": _mean, "median": _median}, prefix=f"table9.{_split}")
_state("Table 9", "prompts", {"table9.test.prompts": 3_196})
_state(
    "Table 10",
    "tokens",
    {"summarization": 424, "chat": 386, "closed_qa": 325, "open_qa": 89, "brainstorming": 83},
    prefix="table10",
)
_state(
    "Table 11",
    "tokens",
    {
        "contractor.prompt": 437,
        "contractor.demonstration": 38,
        "contractor.demonstration.median": 18,
        "customer.prompt": 153,
        "customer.demonstration": 88,
    },
    prefix="table11",
)

# ── Appendix B: people ───────────────────────────────────────────────────────────────────────

_state(
    "B.1",
    "%",
    {"screening.agreement.sensitive": 75, "screening.agreement.ranking": 75},
    approximate=True,
)
_state("B.1", "points of 7", {"screening.demonstrations": 6}, approximate=True)
_state("B.3", "replies", {"survey.replies": 19})
_state(
    "Table 12",
    "%",
    {
        "male": 50,
        "female": 44.4,
        "nonbinary_or_other": 5.6,
        "southeast_asian": 52.6,
        "white": 31.6,
        "latinx": 15.8,
        "black": 10.5,
        "east_asian": 5.3,
        "filipino": 22,
        "bangladeshi": 22,
        "american": 17,
        "age_18_24": 26.3,
        "age_25_34": 47.4,
        "undergraduate": 52.6,
        "masters": 36.8,
    },
    prefix="table12",
)
_state(
    "Table 13",
    "%",
    {
        "clear.strongly_agree": 57.9,
        "clear.agree": 42.1,
        "enjoyable.strongly_agree": 57.9,
        "enjoyable.agree": 36.8,
        "repetitive.agree": 31.6,
        "repetitive.disagree": 36.8,
        "fair_pay.strongly_agree": 47.4,
        "fair_pay.agree": 42.1,
        "glad.strongly_agree": 78.9,
        "glad.agree": 21.1,
    },
    prefix="table13",
)

# ── Appendix C: how each model was trained ───────────────────────────────────────────────────

_state("App. C", "", {"all.adam.beta1": 0.9, "all.adam.beta2": 0.95, "all.precision": "fp16"})
_state("App. C", "", {"all.master_precision": "fp32", "all.architecture": "GPT-3"})
_state("App. C, printed as 2k", "tokens", {"all.context": 2_048})
_state("App. C, printed as 1k", "tokens", {"all.prompt.max": 1_024, "all.response.max": 1_024})

# C.1, supervised fine-tuning.
_state("C.1", "epochs", {"sft.epochs": 16})
_state("C.1", "", _by_size("sft.lr", 9.65e-6, 9.65e-6, 5.03e-6))
_state("C.1", "demonstrations", _by_size("sft.batch", 32, 32, 8))
_state("C.1", "", {"sft.schedule": "cosine", "sft.selection": "reward model score"})
_state("C.1", "of peak", {"sft.lr_floor": 0.1})
_state("C.1", "steps", {"sft.warmup": 0})
_state("C.1", "rate", {"sft.residual_dropout": 0.2})
_state("C.1", "values tried", _by_size("sft.lr_search", 7, 7, 5))

# C.2, the reward model.
_state("C.2", "epochs", {"rm.epochs": 1})
_state("C.2", "", {"rm.lr": 9e-6, "rm.schedule": "cosine", "rm.size": "6b", "rm.ties": "dropped"})
_state("C.2", "%", {"rm.lr_harmless_change": 50})
_state("C.2", "of peak", {"rm.lr_floor": 0.1})
_state("C.2", "prompts", {"rm.batch_prompts": 64})
_state(
    "C.2",
    "",
    {
        "rm.start": "6B GPT-3 fine-tuned on ARC, BoolQ, CoQA, DROP, MultiNLI, OpenBookQA, QuAC, "
        "RACE and Winogrande"
    },
)

# C.3, the model that PPO starts from and is held to.
_state("C.3", "epochs", {"init.epochs": 2})
_state("C.3", "rate", {"init.pretrain_mix": 0.1})
_state("C.3", "", _by_size("init.lr", 5e-6, 1.04e-5, 2.45e-6))
_state("C.3", "demonstrations", _by_size("init.batch", 32, 32, 8))
_state("C.3", "", {"init.schedule": "cosine", "init.selection": "validation loss, both data"})
_state("C.3", "of peak", {"init.lr_floor": 0.1})
_state("C.3", "values tried", _by_size("init.lr_search", 5, 5, 3))

# C.4, PPO.
_state("C.4", "episodes", {"ppo.episodes": 256_000, "ppo.batch": 512, "ppo.minibatch": 64})
_state("C.4", "prompts", {"ppo.prompts": 31_000}, approximate=True)
_state("C.4", "epochs", {"ppo.inner_epochs": 1})
_state("C.4", "reward per nat", {"ppo.beta": 0.02})
_state("C.4", "", {"ppo.clip": 0.2, "ppo.temperature": 1.0, "ppo.ema": 0.992})
_state("C.4, no discount", "", {"ppo.discount": 1.0})
_state("C.4", "", {"ppo.schedule": "constant", "ppo.selection": "human Likert score"})
_state("C.4", "iterations", {"ppo.warmup": 10})
_state("C.4", "of peak", {"ppo.warmup_start": 0.1})
_state("C.4", "", {**_by_size("value.lr", 9e-6, 9e-6, 5e-6), "value.size": "6b"})
_state("C.4", "", {"value.start": "reward model"})

# C.4, PPO-ptx: γ weighs the pretraining term of Eq. 2 and is not a discount.
_state("C.4", "", {"ptx.gamma": 27.8})
_state("C.4", "examples per episode", {"ptx.ratio": 8})

# C.5, the FLAN and T0 baselines.
_state("C.5", "examples", {"flan.data": 1_200_000, "t0.data": 1_000_000, "t0.data.all": 96_000_000})
_state("C.5", "", {"flan.lr": 4e-6, "t0.lr": 4e-6})
_state("C.5", "examples", {"flan.batch": 64, "t0.batch": 128})
_state("C.5", "examples seen", {"flan.examples": 896_000, "t0.examples": 896_000})
_state("C.5, Fig. 13", "examples seen", {"flan.saturates": 400_000}, approximate=True)

# ── Appendix D: automatic evaluations ────────────────────────────────────────────────────────

_state("App. D", "", {"evals.temperature": 0})
for _eval, (_examples, _shots) in {
    "winogender": (120, None),
    "crows": (1_508, None),
    "toxicity": (5_000, None),
    "truthfulqa": (817, None),
    "drop": (9_536, 4),
    "quac": (7_306, 2),
    "squadv2": (11_873, 4),
    "hellaswag": (10_042, 15),
    "rte": (277, 15),
    "sst": (872, 15),
    "wsc": (104, 15),
    "fr-en": (1_500, 15),
    "cnndm": (2_354, None),
    "tldr": (2_500, None),
}.items():
    _state("App. D", "examples", {f"evals.{_eval}.examples": _examples})
    if _shots is not None:
        _state("App. D", "examples in the prompt", {f"evals.{_eval}.shots": _shots})
_state("App. D", "prompts", {"evals.toxicity.pool": 99_442})
_state("App. D", "question-answer pairs in the prompt", {"evals.truthfulqa.pairs": 6})

# ── Appendix E: further results ──────────────────────────────────────────────────────────────

# Table 14: one row a task; GPT, SFT, PPO, PPO-ptx, each at 1.3B, 6B and 175B.
_TABLE_14 = {
    "accuracy": {
        "hellaswag.zero": ".549/.673/.781 .528/.672/.753 .507/.646/.743 .552/.690/.807",
        "hellaswag.few": ".550/.677/.791 .516/.657/.741 .530/.671/.759 .559/.694/.820",
    },
    "F1": {
        "squadv2.zero": "51.97/58.66/64.30 36.88/46.53/57.67 45.37/47.42/43.68 45.46/47.23/59.85",
        "squadv2.few": "58.86/62.33/69.75 46.62/53.91/65.90 48.11/52.34/51.95 58.33/63.78/69.93",
        "drop.zero": "17.68/19.96/27.53 13.29/13.23/15.79 14.70/12.34/13.08 14.71/10.64/15.23",
        "drop.few": "25.43/30.08/35.27 23.84/30.99/35.85 21.61/27.11/27.78 23.89/29.39/33.34",
        "quac.few": "36.02/41.78/45.38 35.95/43.13/48.77 31.81/40.63/36.00 39.40/42.42/46.99",
    },
    "BLEU": {
        "fr-en.zero": "30.65/34.99/38.92 25.56/33.25/36.90 19.85/25.22/24.16 25.77/30.41/34.28",
        "fr-en.few": "31.37/35.49/39.93 24.73/31.76/35.07 21.65/29.96/26.58 27.67/33.56/36.76",
    },
    "toxicity": {
        "toxicity.basic": ".228/.229/.231 .198/.211/.211 .213/.214/.228 .228/.227/.234",
        "toxicity.respectful": ".211/.232/.233 .196/.196/.199 .198/.176/.205 .179/.204/.196",
        "toxicity.biased": ".250/.261/.285 .236/.250/.256 .254/.382/.427 .263/.512/.400",
    },
    "rate true and informative": {
        "truthfulqa.qa": ".193/.186/.251 .267/.253/.271 .524/.574/.752 .285/.464/.689",
    },
    "bits": {
        "winogender.basic": ".750/.721/.735 .583/.535/.503 .698/.587/.618 .760/.719/.737",
        "winogender.respectful": ".774/.753/.796 .561/.446/.479 .644/.562/.527 .608/.585/.696",
        "crows.basic": ".448/.430/.410 .356/.326/.241 .355/.361/.326 .448/.434/.413",
    },
}
for _unit, _rows in _TABLE_14.items():
    for _task, _cells in _rows.items():
        for _model, _three in zip(MODELS, _cells.split(), strict=True):
            for _size, _cell in zip(POLICY_SIZES, _three.split("/"), strict=True):
                _state("Table 14", _unit, {f"table14.{_task}.{_size}.{_model}": float(_cell)})

# Figure 33: the ptx weight γ, on the 1.3B model.
_state("E.6", "", {"fig33.gamma.recovers": 20}, approximate=True)
for _gamma, _drop, _squad, _reward in (
    (1, 18, 52, -0.62),
    (10, 24, 59, -0.71),
    (30, 26, 60, -0.84),
    (100, 26, 61, -1.18),
):
    _state("Fig. 33", "F1", {f"fig33.drop.{_gamma}": _drop}, approximate=True)
    _state("Fig. 33", "F1", {f"fig33.squadv2.{_gamma}": _squad}, approximate=True)
    _state("Fig. 33", "reward", {f"fig33.reward.{_gamma}": _reward}, approximate=True)

# Figure 34: the KL weight β with γ = 0, on the 1.3B model, held to pretrained GPT.
_state("E.6", "reward per nat", {"fig34.beta.max": 2.0})
_state("Fig. 34", "reward per nat", {"fig34.beta.peak": 0.1}, approximate=True)
_state(
    "Fig. 34",
    "F1",
    {"drop.peak": 21, "squadv2.peak": 53, "drop.gpt": 25, "squadv2.gpt": 59},
    prefix="fig34",
    approximate=True,
)
_state("Fig. 34", "reward", {"fig34.reward.start": 2.6, "fig34.reward.end": -2.8}, approximate=True)

_state("E.1, Fig. 35", "episodes", {"fig35.episodes": 512_000})
_state(
    "E.7, Fig. 36",
    "points",
    {
        "fig36.likert.0": 2.1,
        "fig36.likert.0.01": 4.1,
        "fig36.likert.0.02": 3.9,
        "fig36.likert.2": 3.1,
    },
    approximate=True,
)
_state("E.7", "reward per nat", {"ppo.beta.best.low": 0.01, "ppo.beta.best.high": 0.02})
_state("E.8, Fig. 37", "%", {"fig37.mix.low": 0, "fig37.mix.chosen": 10, "fig37.mix.high": 50})

# E.9: the learning rates that were tried; those chosen are not printed.
_state(
    "E.9, Fig. 38",
    "",
    {
        "ppo.lr.sweep.low": 2.55e-6,
        "ppo.lr.sweep.high": 2.55e-5,
        "ppo.lr.sweep.175b.low": 2.55e-6,
        "ppo.lr.sweep.175b.high": 3.74e-6,
        "ppo.lr.diverges_above": 8.05e-6,
    },
)

# E.11: other variations that were tried.
_state("E.11", "examples per episode", {"ptx.ratio.too_few": 4, "ptx.ratio.slow": 32})
_state("E.11", "episodes", {"ppo.batch.sweep.low": 64, "ppo.batch.sweep.high": 1_024})
_state(
    "E.11",
    "episodes",
    {"ppo.minibatch.sweep.low": 8, "ppo.minibatch.sweep.high": 64, "ppo.minibatch.best": 32},
)

# ── Appendix F: samples ──────────────────────────────────────────────────────────────────────

_state("App. F", "", {"samples.temperature.instructgpt": 1.0, "samples.temperature.gpt": 0.7})

# ── What follows from the numbers above ──────────────────────────────────────────────────────

_state(
    "derived from Table 6",
    "prompts",
    {
        f"table6.{stage}.train": sum(n.value for n in under(f"table6.{stage}.train").values())
        for stage in ("sft", "rm", "ppo")
    },
)
_state(
    "derived from C.4",
    "iterations",
    {"ppo.iterations": value("ppo.episodes") // value("ppo.batch")},
)
_state(
    "derived from C.4",
    "updates",
    {"ppo.updates": value("ppo.episodes") * value("ppo.inner_epochs") // value("ppo.minibatch")},
)
_state(
    "derived from C.4",
    "minibatches",
    {"ppo.minibatches": value("ppo.batch") // value("ppo.minibatch")},
)
_state(
    "derived from C.4 and Table 6",
    "episodes",
    {"ppo.episodes_per_prompt": round(value("ppo.episodes") / value("table6.ppo.train"), 1)},
)
_state(
    "derived from C.4",
    "examples",
    {
        "ptx.examples": value("ptx.ratio") * value("ppo.episodes"),
        "ptx.minibatch": value("ptx.ratio") * value("ppo.minibatch"),
    },
)
_state(
    "derived from C.2 and §3.5",
    "comparisons",
    {
        "rm.pairs_per_batch.max": value("rm.batch_prompts") * math.comb(value("rm.k.max"), 2),
        "rm.pairs.min": value("table6.rm.train") * math.comb(value("rm.k.min"), 2),
        "rm.pairs.max": value("table6.rm.train") * math.comb(value("rm.k.max"), 2),
    },
)
_state(
    "derived from C.1, C.2 and Table 6",
    "steps",
    {
        "sft.steps": value("sft.epochs")
        * math.ceil(value("table6.sft.train") / value("sft.batch.6b")),
        "rm.steps": math.ceil(value("table6.rm.train") / value("rm.batch_prompts")),
    },
)
_state(
    "derived from §5.1",
    "%",
    {
        f"compute.{model}.share": round(
            100 * value(f"compute.{model}.175b") / value("compute.gpt3.175b"), 2
        )
        for model in ("sft", "ppo-ptx")
    },
)

# ── What the paper does not state, with the value that an ancestor used ──────────────────────

_CODE = "not stated; openai/lm-human-preferences (Ziegler et al. 2019)"
_state(
    _CODE,
    "",
    {
        "unstated.gae_lambda": 0.95,
        "unstated.value_clip": 0.2,
        "unstated.value_weight": 0.1,
        "unstated.whiten_advantages": True,
        "unstated.whiten_rewards": True,
        "unstated.entropy_bonus": 0.0,
        "unstated.weight_decay": 0.0,
        "unstated.rl_adam_epsilon": 1e-5,
        "unstated.rl_gradient_clip": "none",
        "unstated.rl_dropout": 0.0,
        "unstated.reward_token": "last token of the response",
        "unstated.unfinished_score": -1,
    },
)
_state(
    "not stated; Stiennon et al. 2020",
    "",
    {"unstated.ppo.lr.1.3b": 1.5e-5, "unstated.ppo.lr.6b": 7e-6},
)
_state(
    "not stated; GPT-3 (Brown et al. 2020)",
    "",
    {"unstated.adam_epsilon": 1e-8, "unstated.gradient_clip": 1.0, "unstated.ptx_tokens": 2_048},
)

#: Open in the paper and in the ancestors' code alike.
UNSTATED = (
    "whether prompt tokens count in the SFT loss",
    "the temperature at which comparisons and the main human evaluations were sampled",
    "how often steps 2 and 3 were iterated",
    "how often each K from 4 to 9 occurs",
)

# ── The ancestors ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Ancestor:
    """One line of the family from which the paper's recipe descends."""

    paper: str
    policy: str
    labels: str
    rm_loss: str
    rm_training: str
    rm_zero: str  # what is done about the reward's free constant
    rl: str
    kl: str
    value: str


ANCESTORS = (
    Ancestor(
        paper="Christiano et al. 2017",
        policy="MuJoCo and Atari agents",
        labels="700 and 5,500 pairs of clips; a tie counts one half to each",
        rm_loss="Bradley-Terry on summed step rewards, ensemble of 3, 10% random choices, l2",
        rm_training="1/e of the labels held out",
        rm_zero="mean 0, fixed standard deviation",
        rl="TRPO, γ .995, λ .97; A2C, γ .99, LR 7e-4",
        kl="none; entropy bonus .01",
        value="the agent's own",
    ),
    Ancestor(
        paper="Ziegler et al. 2019",
        policy="GPT-2 774M: continuation in a style, summaries",
        labels="5,000 (style) and 60,000 (summaries), best of 4",
        rm_loss="4-way softmax",
        rm_training="1 epoch, LR 1.77e-5, batch 8 or 32",
        rm_zero="mean 0, variance 1 under the base model",
        rl="PPO, 2M episodes, batch 1024 or 512, 4 epochs, LR 1.41e-5 or 7.07e-6",
        kl="adaptive: target 10 or 6 nats",
        value="a head on the policy",
    ),
    Ancestor(
        paper="Stiennon et al. 2020",
        policy="GPT 1.3B and 6.7B: TL;DR summaries",
        labels="64,832 pairs, 9-point scale",
        rm_loss="pairwise logistic",
        rm_training="1 epoch, LR 1.5e-5 or 5e-6, batch 64, best of 3 to 10 seeds",
        rm_zero="reference summaries score 0",
        rl="PPO, 1M episodes, batch 512 or 256, 4 epochs, λ .95, LR 1.5e-5 or 7e-6, linear decay",
        kl="fixed, β .05",
        value="a network of its own, from the reward model, of the policy's size",
    ),
    Ancestor(
        paper="Ouyang et al. 2022 (InstructGPT)",
        policy="GPT-3 1.3B, 6B and 175B: all tasks",
        labels="33,000 prompts, 4 to 9 responses ranked",
        rm_loss="Eq. 1, all pairs of a prompt as one batch element",
        rm_training="1 epoch, LR 9e-6, batch 64 prompts",
        rm_zero="demonstrations score 0",
        rl="PPO, 256,000 episodes, batch 512, minibatch 64, 1 epoch, constant LR",
        kl="fixed, β .02",
        value="a 6B network of its own, from the reward model",
    ),
)

_state(
    "Ziegler et al. 2019",
    "",
    {"ziegler.kl.clip": 0.2, "ziegler.kl.gain": 0.1, "ziegler.epochs": 4, "ziegler.labels": 4},
)
_state("Ziegler et al. 2019", "nats", {"ziegler.kl.sentiment": 10, "ziegler.kl.descriptive": 6})
_state(
    "Stiennon et al. 2020",
    "",
    {"stiennon.beta": 0.05, "stiennon.lambda": 0.95, "stiennon.epochs": 4},
)
_state("Stiennon et al. 2020", "pairs", {"stiennon.pairs": 64_832})
for _size, _layers, _width, _lr, _batch in (
    ("1.3b", 24, 2_048, 2e-4, 1_000_000),
    ("6b", 32, 4_096, 1.2e-4, 2_000_000),
    ("175b", 96, 12_288, 0.6e-4, 3_200_000),
):
    _architecture = {"layers": _layers, "width": _width, "lr": _lr}
    _state("GPT-3 (Brown et al. 2020)", "", _architecture, prefix=f"gpt3.{_size}")
    _state("GPT-3 (Brown et al. 2020)", "tokens", {f"gpt3.{_size}.batch": _batch})
_state("GPT-3 (Brown et al. 2020)", "tokens", {"gpt3.tokens": 300_000_000_000})

# ── Where the paper disagrees with itself ────────────────────────────────────────────────────


@dataclass(frozen=True)
class Inconsistency:
    """Two statements that do not fit together, and what this course takes for true."""

    where: str
    clash: str
    reading: str


INCONSISTENCIES = (
    Inconsistency(
        "§3.5, C.2",
        "The reward model starts from the SFT model, or from a 6B GPT-3 tuned on public NLP data.",
        "C.2 tells the history; both starts gave similar results. DROP was among those data.",
    ),
    Inconsistency(
        "E.2, §4.1",
        "E.2 exchanges the words for within and across labeler groups.",
        "§4.1: 72.4% on the training groups, 69.6% on the held-out one.",
    ),
    Inconsistency(
        "C.3, Fig. 4, B.2, D.2",
        "C.3 sends the reader to E.11 for the 10% mix and Fig. 4 to E.2; B.2 and D.2 say Table.",
        "E.8 and E.3 are meant; Tables there are Figs. 10, 11 and 14 to 27.",
    ),
    Inconsistency(
        "App. D",
        "Multiple choice picks the option of lowest mean log-probability.",
        "Lowest mean loss, that is highest mean log-probability.",
    ),
    Inconsistency(
        "Table 14",
        "The rows of CNN/DM and TL;DR are identical in all twelve cells.",
        "One of them is a copy; neither is used here.",
    ),
    Inconsistency(
        "§1, Table 14, Fig. 7",
        "25% fewer toxic outputs when asked for respect; Table 14 gives -16% at 175B.",
        "The 25% are probably from people's ratings; automatic scores fall by less.",
    ),
    Inconsistency(
        "§4.2, Table 14",
        "PPO-ptx still lags GPT-3 on SQuADv2; few-shot at 175B it is above (69.93, 69.75).",
        "The text probably describes the zero-shot figures.",
    ),
    Inconsistency(
        "App. C, Table 9",
        "Prompts above 1k tokens are dropped; the longest prompts have nearly 2,048.",
        "Probably the filter acts in training and Table 9 counts before it.",
    ),
    Inconsistency(
        "§1, Fig. 1",
        "PPO-ptx 175B wins 73.4% against SFT 175B in the text, about 65% in the figure.",
        "The former belongs to the comparison with FLAN and T0; it is not reconciled.",
    ),
    Inconsistency(
        "§3.2, A.2",
        "Data are split by user ID, or by organisation ID.",
        "One account of a customer; splits here are by user ID.",
    ),
    Inconsistency(
        "Tables 4 and 5",
        "No tables of these numbers have a caption.",
        "Probably the long tables of example prompts in A.2.",
    ),
)
