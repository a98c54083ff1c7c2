"""What ``python -m minirlhf.plain.sft``, ``.reward`` and ``.ppo`` run: some minutes in Tinytown.

Here alone the blackboard meets the rest of the package: data, base models, statistics. Each run
ends with what was gained, and its 95% interval, on texts that nothing was learned from.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from minirlhf import shipped
from minirlhf.config import PPOConfig
from minirlhf.data.records import Record
from minirlhf.data.tokenization import encode_completions, encode_demonstrations, encode_prompts
from minirlhf.evaluate.ranking_accuracy import shares_in_order
from minirlhf.evaluate.statistics import paired_difference
from minirlhf.models import ScalarModel, never_sampled
from minirlhf.presets import PRESETS
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.sampling import complete
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.sizes import START

SFT = replace(PRESETS["tinytown"].sft, residual_dropout=0.0)
REWARD = PRESETS["tinytown"].reward
PPO = PPOConfig(
    episodes=1152,
    rollout_batch=48,
    minibatch=24,
    beta=0.1,
    learning_rate=3e-4,
    value_learning_rate=1e-3,
    warmup=4,
    lam=1.0,
    ema=0.9,
    max_prompt=140,
    max_response=72,
)
"""Tinytown's, but for fewer episodes and, since ``vector_factor`` isn't covered, a larger rate."""
RANKINGS, HELD_OUT = 800, 400


plain = sys.modules["__main__"]
"""The file that is being run: ``python -m minirlhf.plain.ppo`` and its kin."""


def sft() -> None:
    """Step 1 from the medium base: loss of demonstrations that aren't trained on."""
    tokenizer = load_tokenizer(base_folder("medium"))
    policy = load_policy(base_folder("medium"), tokenizer)
    pairs, held_out = (
        as_pairs(encode_demonstrations(tokenizer, shipped.read(name), SFT.max_length))
        for name in ("demonstrations", "validation")
    )
    before = losses(policy, held_out)
    total = SFT.epochs * plain.steps_per_epoch(SFT, pairs)
    for step, metrics in watched(plain.train(SFT, policy, pairs), total):
        step(f"loss {metrics['loss']:.3f}")
    gain("loss per token", before, losses(policy, held_out), lower_is_better=True)


def reward() -> None:
    """Step 2 from the base that has been to school: Eq. 1 on rankings that aren't trained on."""
    tokenizer = load_tokenizer(base_folder(START))
    model = ScalarModel.load(base_folder(START)).classifier
    rankings, held_out = (
        as_rankings(tokenizer, shipped.read(name)[:count])
        for name, count in (("rankings", RANKINGS), ("heldout", HELD_OUT))
    )
    demonstrations = as_pairs(
        encode_demonstrations(tokenizer, shipped.read("demonstrations"), REWARD.max_length)
    )
    accuracy, before = accuracies(model, held_out), ranking_losses(model, held_out)
    total = REWARD.epochs * -(-len(rankings) // REWARD.batch)
    for step, metrics in watched(plain.train(REWARD, model, rankings, demonstrations), total):
        step(f"loss {metrics['loss']:.3f}, accuracy {metrics['accuracy']:.1%}")
    print(f"constant that makes demonstrations score 0: {model.config.reward_bias:.3f}")
    gain("accuracy on pairs", accuracy, accuracies(model, held_out))
    gain("loss of Eq. 1", before, ranking_losses(model, held_out), lower_is_better=True)


def ppo() -> None:
    """Step 3 from the initial model: reward-model score of replies to prompts of unseen users."""
    initial, rewarding = (shipped.run(name) / "model" for name in ("initial", "reward"))
    tokenizer = load_tokenizer(initial)
    policy = load_policy(initial, tokenizer)
    banned = torch.zeros(len(tokenizer)).masked_fill(never_sampled(tokenizer, policy), -torch.inf)
    models = plain.Models(
        policy,
        copy.deepcopy(policy),
        ScalarModel.load(rewarding).classifier,
        ScalarModel.load(rewarding).classifier,
        banned,
        tokenizer.eos_token_id,
    )
    texts = [record["prompt"] for record in shipped.read("prompts-ppo")]
    prompts = [torch.tensor(ids) for ids in encode_prompts(tokenizer, texts)]
    prompts = [ids for ids in prompts if len(ids) <= PPO.max_prompt]
    before = reply_scores(models.reference, models.reward, tokenizer)
    total = -(-PPO.episodes // PPO.rollout_batch)
    for step, (episodes, _) in watched(plain.train(PPO, models, prompts), total):
        step(f"score {episodes.scores.mean():.2f}, KL {episodes.kl.mean():.2f}")
    gain("score of replies", before, reply_scores(policy, models.reward, tokenizer))


# --------------------------------------------------------------------- what a gain is measured by


@torch.no_grad()
def losses(policy, pairs: Sequence[tuple[Tensor, Tensor]]) -> list[float]:
    """The loss per token of each pair."""
    logprobs, mask = plain.logprobs(policy, pairs)
    return (-logprobs.sum(-1) / mask.sum(-1)).tolist()


@torch.no_grad()
def ranking_losses(model, rankings: Sequence[tuple]) -> list[float]:
    """Eq. 1 of each prompt by itself."""
    return [float(plain.compare(model, [ranking]).loss) for ranking in rankings]


@torch.no_grad()
def accuracies(model, rankings: Sequence[tuple]) -> list[float]:
    """The share of each prompt's pairs that a reward model orders as the labeler did."""
    scores = [plain.scores(model, [(x, y) for y in ys]).tolist() for x, ys, _ in rankings]
    return shares_in_order(scores, [ranks.tolist() for _, _, ranks in rankings]).tolist()


@torch.no_grad()
def reply_scores(policy, reward_model, tokenizer) -> list[float]:
    """The scores of one sampled reply to each held-out prompt."""
    texts = [record["prompt"] for record in shipped.read("prompts")[:HELD_OUT]]
    replies = complete(policy, tokenizer, texts, max_new_tokens=PPO.max_response)
    ids = zip(encode_prompts(tokenizer, texts), encode_completions(tokenizer, replies), strict=True)
    return plain.scores(reward_model, as_pairs(ids)).tolist()


def gain(what: str, before: list[float], after: list[float], lower_is_better: bool = False) -> None:
    """Print the means, and the gain over the same texts."""
    start, end = sum(before) / len(before), sum(after) / len(after)
    pair = (before, after) if lower_is_better else (after, before)
    print(f"{what}: {start:.3f} before, {end:.3f} after")
    print(f"  gain, with its 95% interval: {paired_difference(*pair)}")


# ---------------------------------------------------------------------------------- data, progress


def as_pairs(examples: Iterable[Sequence[Sequence[int]]]) -> list[tuple[Tensor, Tensor]]:
    return [(torch.tensor(x), torch.tensor(y)) for x, y in examples]


def as_rankings(tokenizer, records: Sequence[Record]) -> list[tuple]:
    """Prompt, completions and ranks of each record that isn't one great tie."""
    xs = encode_prompts(tokenizer, [record["prompt"] for record in records])
    rows = []
    for x, record in zip(xs, records, strict=True):
        ys = encode_completions(tokenizer, record["completions"])
        ranks = torch.tensor(record["ranks"])
        if len(ranks.unique()) > 1 and len(x) + max(map(len, ys)) <= REWARD.max_length:
            rows.append((torch.tensor(x), [torch.tensor(y) for y in ys], ranks))
    return rows


def watched(steps: Iterator, total: int) -> Iterator[tuple]:
    """Each step, with a function that says where it is, how long it will take, and a text."""
    started = time.monotonic()
    for number, step in enumerate(steps, 1):
        left = (time.monotonic() - started) / number * (total - number)

        def show(text: str, number: int = number, left: float = left) -> None:
            line = f"step {number}/{total}, {text}, {left:.0f} s left"
            print(f"\r{line:<70}", end="\n" if number == total else "", flush=True)

        yield show, step
