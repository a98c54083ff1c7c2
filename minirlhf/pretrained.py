"""Loading and saving: models and tokenizers from folders and the hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from stat import S_IMODE

import torch
from torch import nn

from minirlhf.data import hub, model_folders
from minirlhf.data.conversations import PLAIN_TEMPLATE
from minirlhf.data.fingerprints import of_vocabulary
from minirlhf.errors import MinirlhfError
from minirlhf.fast.mask_support import is_causal
from minirlhf.fast.modules import use_fast_kernels
from minirlhf.randomness import seeded


def load_tokenizer(
    name: str | Path, *, pad_token: str | None = None, chat_template: str | None = None
):
    """A tokenizer from a folder or the hub, padding on the left; checked by the stages that use it.

    ``pad_token`` adds a pad token to a tokenizer that has none of its own (gpt2: ``"<|pad|>"``).
    ``chat_template`` sets what writes conversations: Jinja, or "plain" ("Human: …", "Assistant: …")
    """
    from transformers import AutoTokenizer

    tokenizer = _from_pretrained(AutoTokenizer, name)
    if pad_token is not None and tokenizer.pad_token != pad_token:
        tokenizer.add_special_tokens({"pad_token": pad_token})
    if chat_template is not None:
        tokenizer.chat_template = PLAIN_TEMPLATE if chat_template == "plain" else chat_template
    tokenizer.padding_side = "left"
    return tokenizer


def load_policy(name: str | Path, tokenizer=None):
    """A causal LM in float32 from a folder or the hub, in eval mode.

    With ``tokenizer``, the embedding grows to hold tokens that were added to it (a pad token, say),
    and a model that doesn't know its vocabulary takes it to be the tokenizer's.
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
    if tokenizer is not None:
        if len(tokenizer) > policy.get_input_embeddings().num_embeddings:
            with seeded(0, "new tokens"):  # the same rows each time, as a run that goes on needs
                policy.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        belongs_to(policy, tokenizer)
    use_fast_kernels(policy)
    if getattr(policy, "loss_type", "") is None:  # as GPT-2's: transformers would warn of it
        policy.loss_type = "ForCausalLM"
    return policy.eval()


def load_classifier(folder: str | Path, tokenizer=None):
    """The network of a saved reward or value model, in float32; ``tokenizer`` as for a policy."""
    from transformers import AutoModelForSequenceClassification

    classifier, info = _from_pretrained(
        AutoModelForSequenceClassification, folder, dtype=torch.float32, output_loading_info=True
    )
    if info["missing_keys"] or classifier.config.num_labels != 1:
        raise MinirlhfError(
            f"{folder} isn't a reward model (it lacks a head with one output): "
            "make one with train_reward."
        )
    try:
        refuse_headless(classifier)
        refuse_looking_ahead(classifier)
    except MinirlhfError as error:
        raise MinirlhfError(f"{folder}: {error}") from None
    if tokenizer is not None:
        belongs_to(classifier, tokenizer)
    return classifier


def save_model(model, tokenizer, folder: str | Path) -> None:
    """``save_pretrained`` of model and tokenizer, so that the folder is complete.

    Both name the same BOS, EOS and pad, in the config of generation too. The config field
    ``vocabulary`` tells later which tokens the model knows. Every file may be read by whom the
    umask allows; safetensors would be its owner's alone.
    """
    model.config.vocabulary = of_vocabulary(tokenizer)
    of_generation = getattr(model, "generation_config", None)
    for config in (model.config, model.config.get_text_config(), of_generation):
        for name in ("bos_token_id", "eos_token_id", "pad_token_id") if config is not None else ():
            setattr(config, name, getattr(tokenizer, name))
    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    mode = S_IMODE((Path(folder) / "config.json").stat().st_mode)
    for file in Path(folder).glob("*.safetensors"):
        file.chmod(mode)


def belongs_to(model, tokenizer) -> None:
    """Take the caller's word that a model and a tokenizer go together, where neither tells."""
    if getattr(model.config, "vocabulary", None) is None:
        model.config.vocabulary = of_vocabulary(tokenizer)


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
    """Refuse a model that isn't whole or causal, or with fewer embeddings than tokens, or fewer
    positions than ``longest``.
    """
    refuse_adapters(model)
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
    refuse_looking_ahead(model)


def refuse_adapters(model) -> None:
    """Refuse a model with adapters: it has other layers, and other files, than its class says."""
    if getattr(model, "peft_config", None):
        raise MinirlhfError(
            f"{type(model).__name__} has adapters (LoRA, say): merge them into it first, "
            "model = model.merge_and_unload() in peft."
        )


def refuse_headless(classifier) -> None:
    """Refuse a classifier without transformers' scalar head of a decoder, ``score``."""
    head = getattr(classifier, "score", None)
    if not isinstance(head, nn.Linear) or head.out_features != 1:
        raise MinirlhfError(
            f"{type(classifier).__name__} has no head of one output that reads a decoder's last "
            "token (an encoder's reads its first): take a decoder as a reward model."
        )


def refuse_looking_ahead(model) -> None:
    """Refuse a model whose tokens see those that follow them, whatever its class is called."""
    try:
        causal = is_causal(model)
    except Exception as error:  # whatever an architecture does with ids alone
        reason = str(error).strip().split("\n")[0]
        raise MinirlhfError(
            f"{type(model).__name__} can't read a row of tokens ({type(error).__name__}: {reason}):"
            " take a causal language model."
        ) from error
    if not causal:
        raise MinirlhfError(
            f"{type(model).__name__} isn't causal: what it says of a token changes with those that "
            "follow, so it would learn by looking at the answer. Take a decoder, or let its config "
            "say that it is one (is_decoder, is_causal, use_bidirectional_attention)."
        )


def _from_pretrained(auto_class, name: str | Path, **options):
    """``from_pretrained`` that fails within a second, with a sentence.

    Whatever other libraries raise in here is about what ``name`` stands for.
    """
    local = os.path.isdir(name)
    if not local:
        _refuse_no_name(name)
    options["local_files_only"] = local or not _check_reachable(str(name))
    try:
        with quiet():
            loaded = auto_class.from_pretrained(name, **options)
    except MemoryError:
        raise
    except Exception as error:
        if local and (trouble := model_folders.obstacle(Path(name))) is not None:
            raise MinirlhfError(f"{name} {trouble}.") from error
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        why = "its files are damaged or not those of a model" if local else "the hub says"
        raise MinirlhfError(
            f"{name} can't be loaded, {why} ({reason}): check the name, or fetch or make it again."
        ) from error
    for model in loaded if isinstance(loaded, tuple) else (loaded,):
        if isinstance(model, nn.Module):
            refuse_adapters(model)  # where peft is installed, their folder is loaded too
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


def _refuse_no_name(name: str | Path) -> None:
    """Refuse what is no folder and could be no name on the hub either, by the hub's own rule."""
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(str(name))
    except ValueError:
        raise MinirlhfError(f"There is no folder {name}: check the path of the model.") from None


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


def check_vocabulary(model, tokenizer, longest: int = 0) -> None:
    """Refuse a model that can't share the tokenizer: one vocabulary serves all four.

    Models that we saved know their tokens, and those must be the tokenizer's first ones: it may
    have got more since. Of any other model the size alone is known, padded to a round number.
    """
    check_model(model, tokenizer, longest)
    known = getattr(model.config, "vocabulary", None)
    rows = model.get_input_embeddings().num_embeddings
    if known is not None:
        size = int(known.split()[0])
        fits = size <= len(tokenizer) and of_vocabulary(tokenizer, size) == known
    else:
        fits = rows - len(tokenizer) < max(512, rows // 50)  # phi-2 has 905 to spare
    if not fits:
        have = f"knows {known}" if known else f"has embeddings for {rows} tokens"
        raise MinirlhfError(
            f"{type(model).__name__} {have}, the tokenizer has {of_vocabulary(tokenizer)}: policy, "
            "reference, reward and value model must share one vocabulary. Where a model and this "
            "tokenizer do belong together, load them so: load_policy(name, tokenizer), "
            "ScalarModel.load(name, tokenizer)."
        )
