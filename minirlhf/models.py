"""Policy, reward model, value model: transformers backbones and a scalar head.

Models come from transformers' Auto classes; nothing here knows an architecture by name.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minirlhf.data.batching import Sequences
from minirlhf.data.fingerprints import of_vocabulary
from minirlhf.data.packing import PackedRows, block_diagonal_mask
from minirlhf.data.shared_prompts import Branches
from minirlhf.errors import MinirlhfError
from minirlhf.fast.mask_support import attention_mask, obeys_masks, position_arguments
from minirlhf.fast.modules import use_fast_kernels
from minirlhf.fast.unread import last_mlp_at, output_layer_at
from minirlhf.objectives import token_logprobs
from minirlhf.pretrained import load_classifier, refuse_adapters, refuse_headless, save_model
from minirlhf.randomness import generator

if TYPE_CHECKING:
    from transformers.cache_utils import Cache

# ----------------------------------------------------------------------------------- forward passes


def packed_logprobs(model, batch: PackedRows) -> Tensor:
    """Log π of every token but the first of each packed row: float32 ``[B, T - 1]``."""
    if not obeys_masks(model):
        return _unpacked_logprobs(model, batch)
    mask = attention_mask(model, block_diagonal_mask(batch.documents))
    logits = model(
        input_ids=batch.tokens, attention_mask=mask, position_ids=batch.positions, use_cache=False
    ).logits
    return token_logprobs(logits[:, :-1], batch.tokens[:, 1:])


def _unpacked_logprobs(model, batch: PackedRows) -> Tensor:
    """The same with each document in a row of its own."""
    first = batch.positions.eq(0) & batch.documents.gt(0)
    number = first.flatten().cumsum(0).view_as(first)  # of the document, from 1
    starts = batch.documents.gt(0).flatten().nonzero().squeeze(-1)
    owner, column = number.flatten()[starts] - 1, batch.positions.flatten()[starts]
    tokens = batch.tokens.new_zeros(int(number.max()), int(column.max()) + 1)
    tokens[owner, column] = batch.tokens.flatten()[starts]
    logits = model(input_ids=tokens, use_cache=False).logits
    apart = F.pad(token_logprobs(logits[:, :-1], tokens[:, 1:]), (1, 0))
    flat = apart.new_zeros(batch.tokens.numel()).index_put((starts,), apart[owner, column])
    return flat.view_as(batch.tokens)[:, 1:]


def process_logits(
    logits: Tensor, temperature: float = 1.0, suppress: Tensor | None = None
) -> Tensor:
    """The one way from a model's logits to the distribution that is sampled: float32 ``[..., V]``.

    Sampler, reference and update all go through here, so that their log-probs agree: divided by the
    temperature, with ids that are never sampled (``suppress``, bool ``[V]``) at -inf.
    """
    logits = logits.float()
    if temperature != 1.0:
        logits = logits / temperature
    if suppress is not None:  # a sum: masking in place costs eight times as much
        never = torch.zeros(suppress.shape, device=logits.device)
        logits = logits + never.masked_fill_(suppress, float("-inf"))
    return logits


class ExactOutput(nn.Linear):
    """An output layer that computes in its weights' precision, under autocast too."""

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.Linear``."""
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


def exact_logits(model) -> None:
    """Let a model compute its logits in float32, whatever precision the rest of it runs in.

    GPT-2's logits lie near -100, where two neighbouring bf16 numbers are 0.5 apart. The log-probs
    of sampler and update would differ by as much. Ours; MiniMax-M1 (2025) does the same.
    """
    layer = model.get_output_embeddings()
    if isinstance(layer, nn.Linear):
        layer.__class__ = ExactOutput


def never_sampled(tokenizer, model) -> Tensor:
    """Ids no response may hold, bool ``[V]``: special tokens but EOS, and rows without a token.

    ``V`` is the width of the model's output layer, which is often padded beyond the vocabulary.
    """
    width = model.get_output_embeddings().weight.shape[0]
    suppress = torch.zeros(width, dtype=torch.bool)
    suppress[len(tokenizer) :] = True
    added = [token for token, kind in tokenizer.added_tokens_decoder.items() if kind.special]
    suppress[[t for t in {*tokenizer.all_special_ids, *added} if t < width]] = True
    suppress[tokenizer.eos_token_id : tokenizer.eos_token_id + 1] = False
    return suppress.to(model.device)


def response_logprobs(
    model, batch: Sequences, *, temperature: float = 1.0, suppress: Tensor | None = None
) -> Tensor:
    """Log π(response token | what is before it): float32 ``[B, T]``, 0 outside the response mask.

    The output layer, at a large vocabulary most of the work, sees the tokens that predict a
    response token and no others.
    """
    with output_layer_at(model, batch.before):
        logits = model(input_ids=batch.tokens[:, :-1], use_cache=False).logits.squeeze(0)
    logits = process_logits(logits, temperature, suppress)
    return batch.spread(token_logprobs(logits, batch.response_tokens))


def next_logits(policy, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
    """Append tokens ``[B, n]`` to the cache: the logits ``[B, V]`` of what comes after them.

    ``mask`` bool ``[B, W]`` is False on the left padding of the cache with the new tokens in it.
    """
    return policy(
        input_ids=ids,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **position_arguments(policy, positions),
    ).logits[:, -1]


# ------------------------------------------------------------------------ reward model, value model


class ScalarModel(nn.Module):
    """A reward model or a value model: a decoder whose unembedding is replaced by one scalar (C.2,
    C.4).

    The network is transformers' ``AutoModelForSequenceClassification`` with one label; its stock
    head has no bias, so ours is the buffer `bias`, stored as the config field ``reward_bias``. A
    saved folder therefore loads in stock transformers too and differs there by exactly that
    constant.
    """

    def __init__(self, classifier, bias: float | None = None):
        super().__init__()
        refuse_headless(classifier)
        self.classifier = classifier
        use_fast_kernels(classifier)
        self.head.__class__ = ExactOutput  # bf16 would round scores of 2 to 4 to 64ths
        bias = getattr(classifier.config, "reward_bias", 0.0) if bias is None else bias
        self.register_buffer("bias", torch.tensor(float(bias)))

    @classmethod
    def from_policy(cls, policy, tokenizer, seed: int = 0) -> ScalarModel:
        """A reward model on a policy's backbone (§3.5), head N(0, 1/√(d + 1)) as the ancestors'."""
        from transformers import AutoModelForSequenceClassification

        refuse_adapters(policy)
        config = copy.deepcopy(policy.config)
        config.num_labels, config.pad_token_id = 1, tokenizer.pad_token_id
        config.architectures, config.vocabulary = None, of_vocabulary(tokenizer)
        config.reward_bias = 0.0  # where `save` stores it and `plain` reads it
        with torch.random.fork_rng(devices=[]):  # its random weights are all replaced
            try:
                classifier = AutoModelForSequenceClassification.from_config(config)
            except ValueError:
                raise MinirlhfError(
                    f"transformers has no {type(policy).__name__} with a scalar head, so it can't "
                    "become a reward model: start from another architecture."
                ) from None
        model = cls(classifier, bias=0.0)
        classifier.base_model.load_state_dict(policy.base_model.state_dict())
        with torch.no_grad():
            deviation = 1.0 / math.sqrt(model.head.in_features + 1)
            model.head.weight.normal_(0.0, deviation, generator=generator(seed, "reward head"))
        return model.to(policy.device).eval()

    @classmethod
    def load(cls, folder: str | Path, tokenizer=None) -> ScalarModel:
        """A saved reward or value model, in float32 and eval mode; as `load_policy`."""
        return cls(load_classifier(folder, tokenizer)).eval()

    def save(self, folder: str | Path, tokenizer) -> None:
        """``save_pretrained`` of network, tokenizer and bias."""
        self.classifier.config.reward_bias = float(self.bias)
        save_model(self.classifier, tokenizer, folder)

    def value_model(self) -> ScalarModel:
        """A copy, to become the value model: it starts from the reward model (§3.5)."""
        return copy.deepcopy(self)

    @property
    def head(self) -> nn.Linear:
        return self.classifier.score

    @property
    def device(self) -> torch.device:
        return self.bias.device

    def hidden_states(self, tokens: Tensor, **more: Tensor) -> Tensor:
        """The backbone's last hidden states of right-padded rows, row after row: ``[B * L, d]``."""
        backbone = self.classifier.base_model
        return backbone(input_ids=tokens, use_cache=False, **more).last_hidden_state.flatten(0, 1)

    def read(self, positions: Tensor, tokens: Tensor, **more: Tensor) -> Tensor:
        """What the head says at some positions, int64 ``[N]``, of these rows: float32 ``[N]``.

        Positions count through ``[B, L]`` in reading order.
        """
        with last_mlp_at(self.classifier, positions):
            hidden = self.hidden_states(tokens, **more).index_select(0, positions)
        return self.head(hidden).squeeze(-1).float() + self.bias

    def score(self, batch: Sequences) -> Tensor:
        """r(x, y), read off each row's last token: float32 ``[B]``."""
        rows, width = batch.tokens.shape
        last = torch.arange(rows, device=batch.tokens.device) * width + batch.lengths - 1
        return self.read(last, batch.tokens)

    def rate(self, batch: Sequences, prompts: list[str], responses: list[str]) -> Tensor:
        """The same, as PPO asks of whatever gives the reward; the texts aren't looked at."""
        return self.score(batch)

    @property
    def shares_prompts(self) -> bool:
        """Whether `score_branches` gives what rows of their own would."""
        return obeys_masks(self.classifier)

    def score_branches(self, batch: Branches) -> Tensor:
        """r(x, y) of completions that share their prompts' rows: float32 ``[N]``."""
        mask = attention_mask(self.classifier.base_model, batch.mask)
        return self.read(
            batch.last, batch.tokens, attention_mask=mask, position_ids=batch.positions
        )

    def values(self, batch: Sequences) -> Tensor:
        """V of the state in which each response token is chosen: float32 ``[B, T]``, 0 elsewhere.

        As for log-probs, the value at response token t is read off the token before it.
        """
        return batch.spread(self.read(batch.before, batch.tokens[:, :-1]))


Scorer = Callable[[list[str], list[str]], Tensor]
"""Prompts and responses to scores, float ``[B]``: what may stand in for the reward model."""


class Reward(Protocol):
    """What gives responses their scores: a `ScalarModel`, or a `TextReward`."""

    def rate(self, batch: Sequences, prompts: list[str], responses: list[str]) -> Tensor:
        """r(x, y) of each row, float ``[B]``."""


class TextReward:
    """A function of texts in the place of a reward model."""

    def __init__(self, scorer: Scorer):
        self.scorer = scorer

    def rate(self, batch: Sequences, prompts: list[str], responses: list[str]) -> Tensor:
        """What the function says: one number a response, float32 ``[B]`` on the CPU."""
        scores = torch.as_tensor(self.scorer(prompts, responses)).float().cpu()
        if scores.shape != (len(responses),):
            raise MinirlhfError(
                f"The scorer returned shape {list(scores.shape)} for {len(responses)} responses: "
                "it has to return one number for each."
            )
        return scores
