"""Questions of ex07: the losses of PPO-ptx, and one whole iteration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.utils import clip_grad_norm_, parameters_to_vector

from minirlhf import objectives
from minirlhf.grading import tiny_models
from minirlhf.grading.bank import cases
from minirlhf.grading.bank.ex07_advantages import by_plain
from minirlhf.grading.bank.ex07_rollout import STAGE, rewards, rollout
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.grading.tiny_models import EOS, Models, in_plain
from minirlhf.grading.trial import Inputs, RefusedError
from minirlhf.plain import ppo as plain

# ------------------------------------------------------------------------------------------- losses


def _step(g: Generator) -> Inputs:
    models, B = tiny_models.models(g), 4
    prompts, responses = tiny_models.rows(g, B), tiny_models.replies(g, B)
    pairs = list(zip(prompts, responses, strict=True))
    with torch.no_grad():
        new, mask = plain.logprobs(in_plain(models).policy, pairs)
        values = plain.values(in_plain(models).value, pairs)
    old = [cases.near(g, new, 0.3), values + cases.normal(g, *mask.shape, scale=0.3)]
    old += [cases.normal(g, *mask.shape), values + cases.normal(g, *mask.shape)]
    documents = tiny_models.rows(g, 3, 3, 6)
    documents[0][-1] = EOS  # an id like any other
    return {
        "policy": models.policy,
        "value": models.value,
        "prompts": prompts,
        "responses": responses,
        "old": [torch.where(mask, x, 0.0) for x in old],
        "documents": documents,
        "clip": 0.2,
    }


def losses(
    policy, value, prompts, responses, old, documents, clip, value_clip=0.2, ptx=None, mean=None
):
    """``ptx`` is made of log-probs and mask of the documents; ``mean`` may be of something else."""
    models = in_plain(Models(policy, policy, value, value))
    pairs = list(zip(prompts, responses, strict=True))
    new, mask = plain.logprobs(models.policy, pairs)
    logprobs, values, A, returns = old
    counted = mask if mean is None else mean(mask)
    loss = objectives.policy_loss(new, logprobs, A, counted, clip)
    V = plain.values(models.value, pairs)
    V_loss = objectives.value_loss(V, values, returns, counted, value_clip)
    split = [(text[:1], text[1:]) for text in documents]
    return loss, V_loss, (ptx or objectives.ptx_loss)(*plain.logprobs(models.policy, split))


def _with_slopes(returned: Any, given: Inputs) -> tuple[Tensor, ...]:
    """The three losses, and the slopes of their sum by the weights of both models."""
    if returned is None:
        raise RefusedError("unwritten")
    terms = tuple(returned)
    weights = [*given["policy"].parameters(), *given["value"].parameters()]
    total = sum(term.sum() for term in terms)
    if not total.requires_grad:
        return (*terms, torch.zeros(sum(w.numel() for w in weights)))
    slopes = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    return (*terms, parameters_to_vector(slopes))


def _changed(**options):
    return lambda *arguments: losses(*arguments, **options)


def _picked(change):
    """The three losses, changed afterwards."""
    return lambda *arguments: change(*losses(*arguments))


def _own_old(policy, value, prompts, responses, old, documents, clip):
    """The ratio to the policy of this very step, without gradients."""
    pairs = list(zip(prompts, responses, strict=True))
    own = plain.logprobs(in_plain(Models(policy, policy, value, value)).policy, pairs)[0].detach()
    return losses(policy, value, prompts, responses, [own, *old[1:]], documents, clip)


def _by_document(logprobs: Tensor, mask: Tensor) -> Tensor:
    return -((logprobs * mask).sum(1) / mask.sum(1)).mean()


LOSSES = FunctionQuestion(
    **STAGE,
    key="loop.losses",
    points=3,
    minutes=20,
    reference=losses,
    inputs=_step,
    outcome=_with_slopes,
    results=("policy loss", "value loss", "ptx loss", "slopes"),
    wrong={
        "padding-counted": _changed(mean=torch.ones_like),
        "value-unclipped": _changed(value_clip=None),
        "value-whole": _picked(lambda policy, value, ptx: (policy, 2 * value, ptx)),
        "ptx-sign": _picked(lambda policy, value, ptx: (policy, value, -ptx)),
        "ptx-summed": _changed(ptx=lambda p, m: -objectives.masked_sum(p, m)),
        "ptx-by-document": _changed(ptx=_by_document),
        "own-old": _own_old,
        "value-detached": _picked(lambda policy, value, ptx: (policy, value.detach(), ptx)),
        "policy-sign": _picked(lambda policy, value, ptx: (-policy, value, ptx)),
        "policy-detached": _picked(lambda policy, value, ptx: (policy.detach(), value, ptx)),
        "all-detached": _picked(lambda *three: [loss.detach() for loss in three]),
        "order": _picked(lambda policy, value, ptx: (value, policy, ptx)),
        "old-swapped": lambda m, v, x, y, old, *rest: losses(
            m, v, x, y, [*old[:2], old[3], old[2]], *rest
        ),
    },
)

# ------------------------------------------------------------------------------ one whole iteration


def _world(g: Generator) -> Inputs:
    models, B = tiny_models.models(g), 4
    weights = [{"params": list(model.parameters())} for model in (models.policy, models.value)]
    documents = tiny_models.rows(g, 4, 3, 6)
    order = torch.randperm(B, generator=g)
    settings = {"eos": EOS, "beta": 0.3, "lam": 0.8, "clip": 0.2, "gamma": 0.5, "grad_clip": 0.5}
    return {
        "models": models,
        "adam": torch.optim.Adam(weights, lr=0.05, betas=(0.9, 0.95), eps=1e-5),
        "prompts": tiny_models.rows(g, B),
        "uniforms": torch.rand(B, 5, generator=g),
        "batches": [(order[:2], documents[:2]), (order[2:], documents[2:])],
        "settings": SimpleNamespace(**settings),
    }


def iteration(
    models,
    adam,
    prompts,
    uniforms,
    batches,
    settings,
    gamma=None,
    beta=None,
    renewed="",
    rolled=False,
    plainly=None,
):
    """One iteration by the functions of `plain.ppo`.

    ``renewed`` computes ``old`` log-probs or the ``all`` of the episodes anew in each step,
    ``rolled`` the responses as well; ``plainly`` is another update than plain's.
    """
    config = SimpleNamespace(
        clip=settings.clip,
        value_clip=settings.clip,
        ptx_gamma=settings.gamma if gamma is None else gamma,
        grad_clip=settings.grad_clip,
    )
    beta = settings.beta if beta is None else beta
    policy, reference, reward, value = models

    def replied():
        return rollout(policy, prompts, uniforms, settings.eos)

    def judged(y):
        old, R = rewards(policy, reference, reward, prompts, y, beta)
        V, A, returns = by_plain(value, prompts, y, R, settings.lam)
        pairs = list(zip(prompts, y, strict=True))
        return plain.Episodes(pairs, None, None, old, V, A, returns)

    responses = replied()
    episodes = judged(responses)
    for rows, texts in batches:
        responses = replied() if rolled else responses
        if renewed == "all" or rolled:
            episodes = judged(responses)
        elif renewed == "old":
            episodes = episodes._replace(logprobs=judged(responses).logprobs)
        documents = [(text[:1], text[1:]) for text in texts]
        (plainly or plain.update)(config, in_plain(models), adam, episodes, rows, documents)


def _update(
    zeroed=True, steps=("all",), clipped="each", rewhitened=False, everything=False, limit=None
):
    """An update like plain's, with something left out or done otherwise."""

    def update(config, models, adam, episodes, rows, documents):
        rows = torch.arange(len(episodes.pairs)) if everything else rows
        pairs = [episodes.pairs[i] for i in rows]
        for step in steps:
            new, mask = plain.logprobs(models.policy, pairs)
            logprobs, V_old, A, returns = (x[rows, : mask.shape[1]] for x in episodes[3:])
            A = objectives.whiten(A, mask) if rewhitened else A
            V = plain.values(models.value, pairs)
            terms = {
                "policy": objectives.policy_loss(new, logprobs, A, mask, config.clip),
                "value": objectives.value_loss(V, V_old, returns, mask, config.value_clip),
                "ptx": config.ptx_gamma
                * objectives.ptx_loss(*plain.logprobs(models.policy, documents)),
            }
            sum(term for name, term in terms.items() if step in ("all", name)).backward()
            of_policy, of_value = (list(model.parameters()) for model in (models[0], models[3]))
            for group in {"each": [of_policy, of_value], "all": [of_policy + of_value]}[clipped]:
                clip_grad_norm_(group, limit or config.grad_clip)
            adam.step()
            if zeroed:
                adam.zero_grad()

    return update


def _by(**options):
    return lambda *arguments: iteration(*arguments, **options)


def _with_batches(change):
    return lambda m, adam, x, u, batches, s: iteration(m, adam, x, u, change(batches), s)


def _weights(_: Any, given: Inputs) -> tuple[Tensor, ...]:
    """All weights afterwards."""
    return tuple(parameters_to_vector(model.parameters()).detach() for model in given["models"])


ITERATION = FunctionQuestion(
    **STAGE | {"cases": 2},
    key="loop.iteration",
    points=6,
    minutes=40,
    reference=iteration,
    inputs=_world,
    outcome=_weights,
    results=("policy", "reference", "reward", "value"),
    wrong={
        "untrained": lambda *arguments: None,
        "no-gamma": _by(gamma=1.0),
        "no-ptx": _by(gamma=0.0),
        "ptx-sign": lambda *arguments: iteration(*arguments, gamma=-arguments[-1].gamma),
        "no-penalty": _by(beta=0.0),
        "not-zeroed": _by(plainly=_update(zeroed=False)),
        "two-steps": _by(plainly=_update(steps=("policy", "value", "ptx"))),
        "not-clipped": _by(plainly=_update(limit=torch.inf)),
        "clipped-together": _by(plainly=_update(clipped="all")),
        "old-renewed": _by(renewed="old"),
        "all-renewed": _by(renewed="all"),
        "rolled-again": _by(rolled=True),
        "whitened-again": _by(plainly=_update(rewhitened=True)),
        "whole-batch": _by(plainly=_update(everything=True)),
        "first-batch": _with_batches(lambda batches: batches[:1]),
        "last-batch": _with_batches(lambda batches: batches[-1:]),
    },
)

QUESTIONS = (LOSSES, ITERATION)
