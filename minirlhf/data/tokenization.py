"""Text to token ids, the same way in every stage.

A prompt is ``tokenizer(prompt)``: whatever special tokens the tokenizer puts in front belong to it.
A completion is its own tokens plus EOS. No template is added; a prompt carries its own trailing
newline.
"""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Sequence
from functools import partial

from minirlhf.data.records import Record
from minirlhf.errors import MinirlhfError

Ids = list[int]


def check_tokenizer(tokenizer) -> None:
    """Refuse a tokenizer without EOS or pad, or whose pad *is* EOS.

    If pad were EOS, masking padding would mask EOS too, and the policy would never learn to stop.
    """
    if tokenizer.eos_token_id is None:
        raise MinirlhfError(
            "The tokenizer has no EOS token: set tokenizer.eos_token to what ends a response."
        )
    fix = (
        "add one with tokenizer.add_special_tokens({'pad_token': '<|pad|>'}), "
        "or load it with load_tokenizer(name, pad_token='<|pad|>')."
    )
    if tokenizer.pad_token_id is None:
        raise MinirlhfError(f"The tokenizer has no pad token: {fix}")
    if tokenizer.pad_token_id == tokenizer.eos_token_id:
        raise MinirlhfError(
            f"The tokenizer's pad token is its EOS token ({tokenizer.eos_token!r}), so the policy "
            f"could not learn to stop: {fix}"
        )


def encode_prompts(tokenizer, prompts: Sequence[str]) -> list[Ids]:
    """Ids of each prompt, with the tokenizer's own special tokens. Raises for an empty prompt."""
    ids = tokenizer(list(prompts), add_special_tokens=True)["input_ids"] if len(prompts) else []
    for row, prompt in enumerate(ids):
        if not prompt:
            raise MinirlhfError(
                f"prompts, row {row}: the prompt has no tokens, so there is nothing to continue."
            )
    return ids


def encode_completions(tokenizer, completions: Sequence[str]) -> list[Ids]:
    """Ids of each completion, ended by EOS."""
    if not len(completions):
        return []
    ids = tokenizer(list(completions), add_special_tokens=False)["input_ids"]
    return [[*completion, tokenizer.eos_token_id] for completion in ids]


def encode_demonstrations(
    tokenizer, records: Sequence[Record], max_length: int
) -> list[tuple[Ids, Ids]]:
    """Prompt and completion ids of each demonstration that fits into ``max_length`` tokens."""
    prompts = encode_prompts(tokenizer, [record["prompt"] for record in records])
    completions = encode_completions(tokenizer, [record["completion"] for record in records])
    pairs = zip(prompts, completions, strict=True)
    examples = [(p, c) for p, c in pairs if len(p) + len(c) <= max_length]
    left_out = len(records) - len(examples)
    if not examples:
        raise MinirlhfError(
            f"No demonstration fits into max_length = {max_length} tokens: raise it."
        )
    if left_out:
        warnings.warn(
            f"{left_out} of {len(records)} demonstrations exceed max_length = {max_length} tokens "
            "and are left out.",
            stacklevel=3,
        )
    return examples


def encode_documents(
    tokenizer, texts: Sequence[str], context: int, chunk: int = 4096
) -> list[array]:
    """Pretraining text as ``BOS text EOS`` (BOS if there is one); pieces where it exceeds
    ``context``.

    Each document is an ``array`` of 32-bit ids: lists would need nine times the memory.
    """
    bos = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    encode = partial(tokenizer, add_special_tokens=False, verbose=False)  # long ones are cut here
    documents = []
    for start in range(0, len(texts), chunk):
        batch = [text for text in texts[start : start + chunk] if text]
        for ids in encode(batch)["input_ids"] if batch else ():
            ids = array("i", [*bos, *ids, tokenizer.eos_token_id])
            documents.extend(ids[at : at + context] for at in range(0, len(ids), context))
    empty = sum(not text for text in texts)
    if empty:
        warnings.warn(
            f"{empty} of {len(texts)} documents are empty and are left out.", stacklevel=3
        )
    documents = [ids for ids in documents if len(ids) > 1]  # one token alone predicts nothing
    if not documents:
        raise MinirlhfError(
            "documents: no text has two tokens or more, so nothing can be predicted."
        )
    return documents


def decode(tokenizer, responses: Sequence[Sequence[int]]) -> list[str]:
    """Response ids back to text, special tokens dropped."""
    return [
        tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for ids in responses
    ]
