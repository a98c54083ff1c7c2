"""What is kept of what a policy says: some episodes of every iteration, and the same few prompts.

The prompts of an iteration are drawn anew, so what changes from one to the next is mostly the
prompt. A few that are asked again and again, with the same random numbers, show the policy change.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from minirlhf.config import PPOConfig
from minirlhf.episodes import Episodes, Models, Prompt, roll_out
from minirlhf.randomness import generator
from minirlhf.training.compute import Compute
from minirlhf.training.optimizer import Optimizer
from minirlhf.training.run import Run

WATCHED = 4
"""Prompts that are asked again and again: the first of the data."""
LOOKS = 8
"""How often in a run, about: it costs as much as a small rollout."""


def texts(
    run: Run,
    models: Models,
    policy: Optimizer,
    prompts: list[Prompt],
    episodes: Episodes,
    iteration: int,
) -> list[dict[str, Any]]:
    """The first episodes of an iteration; in some, what the same policy says to watched prompts.

    Every process has to call it. No number of the training depends on it: the watched replies have
    draws of their own, and a reward that is somebody's function isn't asked for them.
    """
    count, done = run.config.samples, iteration + 1
    rows = written(episodes, count)
    if count and (done in (1, run.total) or done % max(run.total // LOOKS, 1) == 0):
        with policy.whole() as whole:
            asked = models.sampling(whole)
            rows += watched(run.compute, asked, prompts[:WATCHED], run.config)
    return rows


@torch.no_grad()
def watched(
    compute: Compute, models: Models, prompts: list[Prompt], config: PPOConfig
) -> list[dict[str, Any]]:
    """What the policy says now to some prompts, with the same random numbers at every call."""
    draw = generator(config.seed, "watched")
    uniforms = torch.rand(len(prompts), config.max_response, generator=draw)
    episodes = roll_out(compute, models, prompts, uniforms)
    if isinstance(models.reward, nn.Module):
        scored = episodes._replace(scores=rated(compute, models, episodes))
        episodes = scored.penalised(config.missing_eos_penalty)
    return [{**row, "watched": True} for row in written(episodes, len(prompts))]


def rated(compute: Compute, models: Models, episodes: Episodes) -> Tensor:
    """The reward model's scores, float32 ``[B]``."""
    batch = episodes.sequences.to(compute.device)
    with compute.autocast():
        said = [prompt.text for prompt in episodes.prompts], episodes.responses
        return models.reward.rate(batch, *said).float().cpu()


def written(episodes: Episodes, count: int) -> list[dict[str, Any]]:
    """The first few episodes as text, for the log."""
    return [
        {
            "prompt": episodes.prompts[row].text,
            "response": episodes.responses[row],
            "score": None if episodes.scores is None else float(episodes.scores[row]),
            "finished": bool(episodes.finished[row]),
        }
        for row in range(min(count, len(episodes.prompts)))
    ]
