"""Short hashes of what a run begins with, so that a run folder never goes on with something else.

(`minirlhf.data.records.fingerprint` is that of a data set.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from minirlhf.folder import RunFolder

PROBE = "Tea for 2, please:\n\n\"Où est l'école?\"  she asked…\t東京 🙂 3.50 don't"
"""What two tokenizers with one vocabulary but other rules would cut differently."""


_starts: WeakKeyDictionary[nn.Module, dict[Path, str]] = WeakKeyDictionary()
"""What each model was when it was first given to a run folder: training changes it in place, and
the same cell of a notebook, given again, must find its run.
"""


def starts_from(folder: str | Path, tokenizer, **models: nn.Module | Callable) -> dict[str, str]:
    """What a stage begins with, for the ``data`` of its `Run`: fingerprints by name."""
    begun, place = RunFolder(folder).begun, Path(folder).resolve()
    found = {"tokenizer": of_tokenizer(tokenizer)}
    for name, model in models.items():
        known = _starts.setdefault(model, {}) if isinstance(model, nn.Module) else {}
        if not begun or place not in known:
            known[place] = of_model(model)
        found[name] = known[place]
    return found


def of_model(model: nn.Module | Callable) -> str:
    """Names, shapes and bytes of all parameters and buffers, tied ones once; 1 GB a second.

    A plain function, such as a scorer in place of a reward model, is known by its name.
    """
    if not isinstance(model, nn.Module):
        kind = model if hasattr(model, "__qualname__") else type(model)
        return f"{getattr(kind, '__module__', None)}.{kind.__qualname__}"
    tensors = chain(model.named_parameters(), model.named_buffers())
    digest, count = hashlib.blake2b(digest_size=8), 0
    for name, tensor in tensors:
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(_bytes(tensor))
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


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().flatten()
    return memoryview(flat.view(torch.uint8).numpy())
