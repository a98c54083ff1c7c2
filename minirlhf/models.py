"""Policy, reward model, value model: transformers backbones and a scalar head.

Models come from transformers' Auto classes; nothing here knows an architecture by name.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minirlhf import hub
from minirlhf.data.batching import Sequences
from minirlhf.data.branches import Branches
from minirlhf.data.packing import PackedRows, block_diagonal_mask
from minirlhf.errors import MinirlhfError
from minirlhf.fingerprints import of_vocabulary
from minirlhf.kernels import use_fast_kernels
from minirlhf.objectives import token_logprobs
from minirlhf.randomness import generator
from minirlhf.reading import last_mlp_at, on_trial, output_layer_at

if TYPE_CHECKING:
    from transformers.cache_utils import Cache

# ---------------------------------------------------------------------------------- loading, saving


def load_tokenizer(name: str | Path, *, pad_token: str | None = None):
    """A tokenizer from a folder or the hub, padding on the left; checked by the stages that use it.

    ``pad_token`` adds a pad token to a tokenizer that has none of its own (gpt2: ``"<|pad|>"``).
    """
    from transformers import AutoTokenizer

    tokenizer = _from_pretrained(AutoTokenizer, name)
    if pad_token is not None and tokenizer.pad_token != pad_token:
        tokenizer.add_special_tokens({"pad_token": pad_token})
    tokenizer.padding_side = "left"
    return tokenizer


def load_policy(name: str | Path, tokenizer=None):
    """A causal LM in float32 from a folder or the hub, in eval mode.

    With ``tokenizer``, the embedding grows to hold tokens that were added to it (a pad token, say).
    Raises `MinirlhfError` for a missing folder, a damaged or incomplete file, or no network.
    """
    from transformers import AutoModelForCausalLM

    policy, info = _from_pretrained(
        AutoModelForCausalLM, name, dtype=torch.float32, output_loading_info=True
    )
    if info["missing_keys"]:
        raise MinirlhfError(
            f"{name} isn't a whole causal LM: it lacks {sorted(info['missing_keys'])[0]}."
        )
    if "score.weight" in info["unexpected_keys"]:
        raise MinirlhfError(f"{name} is a reward model: name the folder of a policy.")
    if tokenizer is not None and len(tokenizer) > policy.get_input_embeddings().num_embeddings:
        policy.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    use_fast_kernels(policy)
    if getattr(policy, "loss_type", "") is None:  # as GPT-2's: transformers would warn of it
        policy.loss_type = "ForCausalLM"
    return policy.eval()


def save_model(model, tokenizer, folder: str | Path) -> None:
    """``save_pretrained`` of model and tokenizer, so that the folder is complete.

    The config field ``vocabulary`` tells later which tokens the model knows.
    """
    model.config.vocabulary = of_vocabulary(tokenizer)
    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_weights(model, folder: str | Path) -> None:
    """Put the weights saved in ``folder`` into ``model``, which has the same architecture."""
    saved = _from_pretrained(type(model), folder, dtype=torch.float32)
    model.load_state_dict(saved.state_dict())


def is_reward_model(name: str | Path) -> bool:
    """Whether a folder, or a name on the hub, holds a network with a head of one output."""
    from transformers import AutoConfig

    made_as = _from_pretrained(AutoConfig, name).architectures or [""]
    return made_as[0].endswith("ForSequenceClassification")


def check_model(model, tokenizer, longest: int) -> None:
    """Refuse a model with fewer embeddings than tokens, or fewer positions than ``longest``."""
    rows = model.get_input_embeddings().num_embeddings
    if rows < len(tokenizer):
        raise MinirlhfError(
            f"The tokenizer has {len(tokenizer)} tokens but the model's embedding only {rows}: "
            "load them together with load_policy(name, tokenizer), or resize_token_embeddings."
        )
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and longest > positions:
        raise MinirlhfError(
            f"Rows of up to {longest} tokens don't fit the model's {positions} positions: "
            "lower the context or the prompt and response lengths."
        )


def _from_pretrained(auto_class, name: str | Path, **options):
    """``from_pretrained`` that fails within a second, with a sentence."""
    from safetensors import SafetensorError

    path = Path(name)
    if path.is_dir():
        if not any(path.iterdir()):
            raise MinirlhfError(f"{path} is empty: there is no model in it.")
        options["local_files_only"] = True
    elif path.is_absolute() or str(name).startswith((".", "~")) or str(name).count("/") > 1:
        raise MinirlhfError(f"There is no folder {path}: check the path of the model.")
    else:
        options["local_files_only"] = not _check_reachable(str(name))
    try:
        with quiet():
            loaded = auto_class.from_pretrained(name, **options)
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        why = "its files are damaged or not those of a model" if path.is_dir() else "the hub says"
        raise MinirlhfError(
            f"{name} can't be loaded, {why} ({reason}): check the name, or fetch or make it again."
        ) from error
    for model in loaded if isinstance(loaded, tuple) else (loaded,):
        if isinstance(model, nn.Module):
            into_fresh_memory(model)
    return loaded


@torch.no_grad()
def into_fresh_memory(model: nn.Module) -> None:
    """Copy all weights to where torch would have put them.

    What is loaded lies in the file's own mapping, at whatever address its header leaves. On some
    processors a matrix product rounds by the alignment of its operands, so the same weights would
    give other last digits after being saved and loaded, and a resumed run another end.
    """
    for tensor in chain(model.parameters(), model.buffers()):
        tensor.data = tensor.data.clone()


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, load reports or warnings from transformers: what matters is raised here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _check_reachable(name: str) -> bool:
    """True if the hub can be asked for ``name``, False if only the local cache has it; raises if
    neither.

    A hub name without a network costs transformers 47 s of retries; one short look spares them.
    """
    from huggingface_hub import try_to_load_from_cache

    trouble = hub.obstacle(0.8)
    if trouble is None:
        return True
    for file in ("config.json", "tokenizer_config.json"):
        if isinstance(try_to_load_from_cache(name, file), str):
            return False
    raise MinirlhfError(
        f"{name!r} is neither a folder nor in the local cache, and the hub can't be asked "
        f"({trouble}): fetch it where there is a network (hf download {name}) and bring it here; "
        "where the network is slow, fetch it first."
    )


# ----------------------------------------------------------------------------------- forward passes


def position_ids(mask: Tensor) -> Tensor:
    """Positions that ignore padding: bool ``[B, T]`` to int64 ``[B, T]``, 0 on the left padding."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)


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


_obedient: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def obeys_masks(model) -> bool:
    """Whether a mask and positions of ours decide alone which token sees which, and how far off.

    Not where layers have windows or states, or distance is measured in columns. Found out once per
    model, from its config and by two made-up documents in one row.
    """
    backbone = model.base_model
    if backbone not in _obedient:
        _obedient[backbone] = _sees_everything(backbone) and _keeps_documents_apart(backbone)
    return _obedient[backbone]


def _sees_everything(backbone) -> bool:
    from transformers.cache_utils import DynamicCache, DynamicLayer

    config = backbone.config
    cache = DynamicCache(config=config)
    plain = all(type(layer) is DynamicLayer for layer in cache.layers)
    local = "local" in (getattr(config, "attention_layers", None) or ())  # GPT-Neo's windows
    return plain and not local and config._attn_implementation in ("sdpa", "eager")


def _keeps_documents_apart(backbone) -> bool:
    if not _takes_positions(type(backbone)):
        return False
    device = backbone.device
    ids = torch.arange(8, device=device)[None] % backbone.get_input_embeddings().num_embeddings
    documents = torch.tensor([[1] * 4 + [2] * 4], device=device)
    positions = torch.arange(4, device=device).repeat(2)[None]
    try:
        with on_trial(backbone):
            mask = attention_mask(backbone, block_diagonal_mask(documents))
            together = backbone(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
            ).last_hidden_state[:, 4:]
            alone = backbone(input_ids=ids[:, 4:], use_cache=False).last_hidden_state
    except (ValueError, RuntimeError, TypeError):  # it takes no such mask
        return False
    return torch.allclose(together, alone, atol=1e-3 * float(alone.abs().max()))


def attention_mask(model, mask: Tensor) -> Tensor:
    """``mask``, bool ``[B, 1, T, T]`` and True where a token may look, as ``model`` wants it."""
    if model.config._attn_implementation == "sdpa":
        return mask
    additive = torch.zeros(mask.shape, dtype=model.dtype, device=mask.device)
    return additive.masked_fill_(~mask, torch.finfo(model.dtype).min)


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
    suppress[tokenizer.eos_token_id] = False
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


def position_arguments(model, positions: Tensor) -> dict[str, Tensor]:
    """Position ids as a keyword, for the models that take them (ALiBi models don't)."""
    return {"position_ids": positions} if _takes_positions(type(model)) else {}


@lru_cache
def _takes_positions(architecture: type) -> bool:
    return "position_ids" in inspect.signature(architecture.forward).parameters


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
        self.classifier = classifier
        use_fast_kernels(classifier)
        self.head.__class__ = ExactOutput  # bf16 would round scores of 2 to 4 to 64ths
        bias = getattr(classifier.config, "reward_bias", 0.0) if bias is None else bias
        self.register_buffer("bias", torch.tensor(float(bias)))

    @classmethod
    def from_policy(cls, policy, tokenizer, seed: int = 0) -> ScalarModel:
        """A reward model on a policy's backbone (§3.5), head N(0, 1/√(d + 1)) as the ancestors'."""
        from transformers import AutoModelForSequenceClassification

        config = copy.deepcopy(policy.config)
        config.num_labels, config.pad_token_id = 1, tokenizer.pad_token_id
        config.architectures, config.vocabulary = None, of_vocabulary(tokenizer)
        with torch.random.fork_rng(devices=[]):  # its random weights are all replaced
            try:
                classifier = AutoModelForSequenceClassification.from_config(config)
            except ValueError:
                classifier = None
        if not isinstance(getattr(classifier, "score", None), nn.Linear):
            raise MinirlhfError(
                f"transformers has no {type(policy).__name__} with a scalar head, so it can't "
                "become a reward model: start from another architecture."
            )
        classifier.base_model.load_state_dict(policy.base_model.state_dict())
        model = cls(classifier, bias=0.0)
        with torch.no_grad():
            deviation = 1.0 / math.sqrt(model.head.in_features + 1)
            model.head.weight.normal_(0.0, deviation, generator=generator(seed, "reward head"))
        return model.to(policy.device).eval()

    @classmethod
    def load(cls, folder: str | Path) -> ScalarModel:
        """A saved reward or value model, in float32 and eval mode."""
        from transformers import AutoModelForSequenceClassification

        classifier, info = _from_pretrained(
            AutoModelForSequenceClassification,
            folder,
            dtype=torch.float32,
            output_loading_info=True,
        )
        if info["missing_keys"] or classifier.config.num_labels != 1:
            raise MinirlhfError(
                f"{folder} isn't a reward model (it lacks a head with one output): "
                "make one with train_reward."
            )
        return cls(classifier).eval()

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
