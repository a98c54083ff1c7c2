"""Text to token ids, the same way in every stage.

A prompt is ``tokenizer(prompt)``: whatever special tokens the tokenizer puts in front belong to it.
A completion is its own tokens plus EOS. Where a text already begins or ends with them (as chat
templates write it), they aren't doubled. No template is added; a prompt carries its own trailing
newline.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from array import array
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

from minirlhf.data.records import Record, Records
from minirlhf.errors import MinirlhfError

Ids = list[int]
CHUNK = 4096
"""Texts that a tokenizer gets at once."""
WAIT = 2.0
"""Seconds before tokenising shows how far it is."""


class TooLongError(MinirlhfError):
    """A row has more tokens than ``setting`` allows, in rows of which none may be left out."""

    def __init__(self, found: str, setting: str):
        super().__init__(f"{found}: shorten it, or raise {setting}.")
        self.found, self.setting = found, setting


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
    """Ids of each prompt, with the special tokens that the tokenizer puts in front, once.

    What it puts behind (EOS) is left out: a response goes on there. Raises for an empty prompt.
    """
    front, behind = added_tokens(tokenizer) if len(prompts) else ([], [])
    encoded = []
    for row, ids in enumerate(_encode(tokenizer, prompts, add_special_tokens=True)):
        if behind and ids[-len(behind) :] == behind:
            ids = ids[: -len(behind)]
            say_once(tokenizer, "The tokenizer ends every text with {}, prompts too.", behind)
        while front and ids[len(front) : 2 * len(front)] == front:
            ids = ids[len(front) :]
            say_once(tokenizer, "Prompts begin with {}, as the tokenizer would.", front)
        if not ids:
            raise MinirlhfError(
                f"prompts, row {row}: the prompt has no tokens, so there is nothing to continue."
            )
        encoded.append(ids)
    return encoded


def encode_completions(tokenizer, completions: Sequence[str]) -> list[Ids]:
    """Ids of each completion, ended by EOS."""
    ids = _encode(tokenizer, completions)
    return [[*without_eos(tokenizer, completion), tokenizer.eos_token_id] for completion in ids]


def encode_demonstrations(
    tokenizer, records: Sequence[Record], max_length: int
) -> list[tuple[Ids, Ids]]:
    """Prompt and completion ids of each demonstration that fits into ``max_length`` tokens."""
    prompts = encode_prompts(tokenizer, [record["prompt"] for record in records])
    completions = encode_completions(tokenizer, [record["completion"] for record in records])
    examples = list(zip(prompts, completions, strict=True))
    lengths = [len(prompt) + len(completion) for prompt, completion in examples]
    refuse_long(records, lengths, max_length, "max_length")
    examples = [(p, c) for p, c in examples if len(p) + len(c) <= max_length]
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


def encode_documents(tokenizer, texts: Sequence[str], context: int) -> list[array]:
    """Pretraining text as ``BOS text EOS`` (BOS if there is one); pieces where it exceeds
    ``context``.

    Each document is an ``array`` of 32-bit ids: lists would need nine times the memory.
    """
    bos = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    documents = []
    filled = [text for text in texts if text]
    for ids in _encode(tokenizer, filled, verbose=False):  # long ones are cut here
        ids = without_eos(tokenizer, ids)
        if bos and ids[:1] == bos:
            ids = ids[1:]
            say_once(tokenizer, "Documents begin with {}, as they would anyway.", bos)
        ids = array("i", [*bos, *ids, tokenizer.eos_token_id])
        documents.extend(ids[at : at + context] for at in range(0, len(ids), context))
    empty = len(texts) - len(filled)
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


def refuse_long(
    records: Sequence[Record], lengths: Sequence[int], limit: int, setting: str
) -> None:
    """Raise `TooLongError` if a record has more than ``limit`` tokens, where none may be left out.

    ``setting`` names the limit.
    """
    long = [row for row, length in enumerate(lengths) if length > limit]
    if long and isinstance(records, Records) and not records.may_drop:
        unit = f"{records.unit}s" if len(long) > 2 else records.unit
        more = f", and so have {len(long) - 1} more {unit}" if len(long) > 1 else ""
        place = records.place(long[0], "records")
        found = f"{place}: {lengths[long[0]]} tokens, where {limit} is the most{more}"
        raise TooLongError(found, setting)


def decode(tokenizer, responses: Sequence[Sequence[int]]) -> list[str]:
    """Response ids back to text, special tokens dropped."""
    return [
        tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for ids in responses
    ]


# ---------------------------------------------------------------------------------- special tokens


def added_tokens(tokenizer) -> tuple[Ids, Ids]:
    """The ids that the tokenizer puts in front of every text, and those behind."""
    (whole,), (bare,) = (
        tokenizer(["a"], add_special_tokens=added)["input_ids"] for added in (True, False)
    )
    for at in range(len(whole) - len(bare) + 1):
        if whole[at : at + len(bare)] == bare:
            return whole[:at], whole[at + len(bare) :]
    return [], []


def without_eos(tokenizer, ids: Ids) -> Ids:
    """The ids without EOS at their end."""
    end = len(ids)
    while end and ids[end - 1] == tokenizer.eos_token_id:
        end -= 1
    if end < len(ids):
        say_once(tokenizer, "Texts end with {}, as they would anyway.", [ids[-1]])
    return ids[:end]


_said: WeakKeyDictionary = WeakKeyDictionary()
"""What was said about a tokenizer's texts."""


def say_once(tokenizer, what: str, tokens: Ids) -> None:
    """Warn, once for a tokenizer, that special tokens were there already and aren't doubled."""
    said = _said.setdefault(tokenizer, set())
    if what not in said:
        said.add(what)
        names = "".join(tokenizer.convert_ids_to_tokens(tokens))
        warnings.warn(f"{what.format(names)} It stands there once.", stacklevel=4)


# ---------------------------------------------------------------------------------------- progress


def _encode(tokenizer, texts: Sequence[str], add_special_tokens=False, **options) -> Iterator[Ids]:
    """Ids of each text. What takes seconds shows how far it is."""
    with _bar(len(texts)) as bar:
        for start in range(0, len(texts), CHUNK):
            part = list(texts[start : start + CHUNK])
            yield from tokenizer(part, add_special_tokens=add_special_tokens, **options)[
                "input_ids"
            ]
            bar.update(len(part))


def _bar(total: int):
    """A bar in a terminal or a notebook, a line now and then in a log file; nothing for a second
    process.
    """
    from tqdm.auto import tqdm

    second = multiprocessing.parent_process() is not None or os.environ.get("RANK", "0") != "0"
    return tqdm(
        total=total,
        desc="tokenising",
        unit=" texts",
        delay=WAIT,
        leave=False,
        mininterval=0.1 if sys.stderr.isatty() else 10.0,
        disable=second or total <= CHUNK,
    )
