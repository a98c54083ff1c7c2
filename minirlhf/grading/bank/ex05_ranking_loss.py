"""Questions of ex05: Equation 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from minirlhf import objectives
from minirlhf.grading.bank import cases
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.trial import Inputs


def _rankings(g: Generator) -> Inputs:
    B, K = cases.integer(g, 2, 4), cases.integer(g, 3, 6)
    ks = torch.randint(2, K + 1, (B,), generator=g)
    ks[0], ks[-1] = K, cases.integer(g, 2, K - 1)
    valid = cases.right_padded(ks, K)
    ranks = torch.randint(1, K, (B, K), generator=g)  # fewer ranks than places, so there are ties
    ranks[:, 0], ranks[:, 1] = 2, 1  # and in every row a pair that isn't one
    scale = 150.0 if cases.integer(g, 0, 2) == 0 else 1.5  # exp overflows at 89
    scores = cases.normal(g, B, K, scale=scale)
    return {
        "scores": torch.where(valid, scores, cases.JUNK),
        "ranks": torch.where(valid, ranks, torch.randint(0, K + 2, (B, K), generator=g)),
        "valid": valid,
    }


def ranking_loss(scores: Tensor, ranks: Tensor, valid: Tensor) -> Tensor:
    return objectives.ranking_loss(scores, ranks, valid).loss


def _differences(scores: Tensor) -> Tensor:
    """Of the scores of every two completions, ``[B, K, K]``."""
    return scores[:, :, None] - scores[:, None, :]


def _both(valid: Tensor) -> Tensor:
    """Where neither of two completions is padding, bool ``[B, K, K]``."""
    return valid[:, :, None] & valid[:, None, :]


def _terms(scores: Tensor, ranks: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """-log σ of every difference, and which of them are pairs: both ``[B, K, K]``."""
    wins = objectives.ranked_pairs(ranks, valid)
    return -F.logsigmoid(_differences(scores)), wins


def _of_all_pairs(scores, ranks, valid):
    terms, wins = _terms(scores, ranks, valid)
    return torch.where(wins, terms, 0.0).sum() / wins.sum()


def _within(terms: Tensor, pairs: Tensor, each: Tensor | None = None) -> Tensor:
    """The mean over prompts of a prompt's sum over its pairs, by their number or by ``each``."""
    per_prompt = torch.where(pairs, terms, 0.0).sum((1, 2))
    return (per_prompt / (pairs.sum((1, 2)) if each is None else each).clamp(min=1)).mean()


def _paired(compare, itself: bool = True, first: bool = True, second: bool = True):
    """Another comparison of ranks; a completion with ``itself``; ``valid`` on one side only."""

    def loss(scores, ranks, valid):
        pairs = compare(ranks[:, :, None], ranks[:, None, :])
        pairs = pairs & (valid | (not first))[:, :, None] & (valid | (not second))[:, None, :]
        different = ~torch.eye(ranks.shape[1], dtype=torch.bool)
        terms, _ = _terms(scores, ranks, valid)
        return _within(terms, pairs & (different | itself))

    return loss


def _of_each(term: Callable[[Tensor], Tensor]):
    """Another function of the difference."""

    def loss(scores, ranks, valid):
        _, wins = _terms(scores, ranks, valid)
        return _within(term(_differences(scores)), wins)

    return loss


def _by_columns(scores, ranks, valid):
    terms, _ = _terms(scores, ranks, valid)
    return _within(terms, _both(valid).triu(1))


def _by_columns_but_ties(scores, ranks, valid):
    terms, wins = _terms(scores, ranks, valid)
    return _within(terms, (wins | wins.mT).triu(1))


def _with_ties_once(scores, ranks, valid):
    terms, wins = _terms(scores, ranks, valid)
    return _within(terms, wins | (_both(valid) & ~wins & ~wins.mT).triu(1))


def _floored(difference: Tensor, floor: float) -> Tensor:
    return -torch.log(torch.sigmoid(difference).clamp(min=floor))


def _raised(difference: Tensor, floor: float) -> Tensor:
    return -torch.log(torch.sigmoid(difference) + floor)


def _of_mean_difference(scores, ranks, valid):
    _, wins = _terms(scores, ranks, valid)
    differences = torch.where(wins, _differences(scores), 0.0)
    return -F.logsigmoid(differences.sum((1, 2)) / wins.sum((1, 2))).mean()


def _choose_two(scores, ranks, valid):
    terms, wins = _terms(scores, ranks, valid)
    k = valid.sum(1)
    return _within(terms, wins, k * (k - 1) / 2)


def _with_padding(scores, ranks, valid):
    return _within(*_terms(scores, ranks, torch.ones_like(valid)))


def _best_only(scores, ranks, valid):
    terms, wins = _terms(scores, ranks, valid)
    best = torch.where(valid, ranks, ranks.max() + 1).amin(1, keepdim=True)
    return _within(terms, wins & (ranks == best)[:, :, None])


def _multiplied(scores, ranks, valid):
    """-log σ of every difference, times 0 where it is no pair: infinity times 0 is no number."""
    _, wins = _terms(scores, ranks, valid)
    terms = -torch.log(torch.sigmoid(_differences(scores))) * wins
    return (terms.sum((1, 2)) / wins.sum((1, 2))).mean()


RANKING_LOSS = FunctionQuestion(
    key="rm.ranking_loss",
    exercise="ex05",
    source="§3.5, Eq. 1",
    symbol="objectives.ranking_loss",
    points=4,
    minutes=25,
    difficulty=3,
    reference=ranking_loss,
    inputs=_rankings,
    differentiable=("scores",),
    cases=8,
    closed=("objectives.ranked_pairs",),
    wrong={
        "sign": lambda s, r, v: -ranking_loss(s, r, v),
        "reversed": lambda s, r, v: ranking_loss(-s, r, v),
        "itself-counted": _paired(torch.le),
        "reversed-and-ties": (_paired(torch.ge), _paired(torch.ge, itself=False)),
        "both-ways": _paired(torch.ne),
        "order-of-columns": (_by_columns, _by_columns_but_ties),
        "half-valid": (_paired(torch.lt, second=False), _paired(torch.lt, first=False)),
        "sum": lambda s, r, v: torch.where(*reversed(_terms(s, r, v)), 0.0).sum(),
        "zeros-averaged": lambda s, r, v: torch.where(*reversed(_terms(s, r, v)), 0.0).mean(),
        "no-sigmoid": _of_each(lambda difference: -difference),
        "mean-of-all-pairs": _of_all_pairs,
        "sum-of-pairs": lambda s, r, v: _within(*_terms(s, r, v), each=torch.ones(len(s))),
        "ties-counted": (_paired(torch.le, itself=False), _with_ties_once),
        "k-choose-2": _choose_two,
        "padding-ranked": _with_padding,
        "overflow": (
            _of_each(lambda difference: -torch.log(torch.sigmoid(difference))),
            _of_each(lambda difference: torch.log(1 + torch.exp(-difference))),
            _multiplied,
        ),
        "saturates": tuple(
            _of_each(partial(capped, floor=floor))
            for floor in (1e-12, 1e-10, 1e-8, 1e-7, 1e-6)
            for capped in (_floored, _raised)
        ),
        "differences-averaged": _of_mean_difference,
        "best-only": _best_only,
        "no-logarithm": (
            _of_each(lambda difference: -torch.sigmoid(difference)),
            _of_each(lambda difference: 1 - torch.sigmoid(difference)),
        ),
        "hinge": _of_each(lambda difference: (1.0 - difference).clamp(min=0)),
        "per-prompt": lambda s, r, v: torch.stack(
            [ranking_loss(*row) for row in zip(s.split(1), r.split(1), v.split(1), strict=True)]
        ),
        "detached": lambda s, r, v: ranking_loss(s.detach(), r, v),
    },
)

QUESTIONS = (RANKING_LOSS,)
