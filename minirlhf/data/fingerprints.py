"""Short hashes of what a run begins with, so that a run folder never goes on with something else.

(`minirlhf.data.records.fingerprint` is that of a data set.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from torch import nn

from minirlhf.data.records import COLUMNS, Record
from minirlhf.data.scorers import of_scorer, tensor_bytes

PROBE = "Tea for 2, please:\n\n\"Où est l'école?\"  she asked…\t東京 🙂 3.50 don't"
"""What two tokenizers with one vocabulary but other rules would cut differently."""


def of_model(model: nn.Module | Callable) -> str:
    """Names, shapes and bytes of all parameters and buffers, tied ones once; 1 GB a second.

    A scorer in place of a reward model is known by its code; see `of_scorer`.
    """
    if not isinstance(model, nn.Module):
        return of_scorer(model)
    tensors = chain(model.named_parameters(), model.named_buffers())
    digest, count = hashlib.blake2b(digest_size=8), 0
    for name, tensor in tensors:
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor_bytes(tensor))
        count += tensor.numel()
    return f"{count} numbers {digest.hexdigest()}"


def of_tokenizer(tokenizer) -> str:
    """The vocabulary, the special tokens that the stages use, and how a probe text is cut."""
    special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    rules = _digest([repr(special), repr(tokenizer(PROBE)["input_ids"])])
    return f"{of_vocabulary(tokenizer)} {rules}"


def of_vocabulary(tokenizer, size: int | None = None) -> str:
    """The tokens by id: all of them, or those with ids below ``size``."""
    size = len(tokenizer) if size is None else size
    tokens = sorted((number, token) for token, number in tokenizer.get_vocab().items())
    return f"{size} tokens {_digest(repr(pair) for pair in tokens if pair[0] < size)}"


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def fingerprint(records: Sequence[Record], kind: str) -> str:
    """A short hash of the columns that training sees; a run refuses to go on with other data."""
    digest = hashlib.blake2b(digest_size=8)
    for record in records:
        for column in COLUMNS[kind]:
            digest.update(repr(record[column]).encode())
    return f"{len(records)} {kind} {digest.hexdigest()}"
