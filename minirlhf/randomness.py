"""Counter-based randomness: every draw is a function of (seed, purpose, index), never of history.

That is what lets a run be killed and resumed bit for bit, and lets two processes give the numbers
of one: nobody has to save, or agree on, the state of a random stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch


def derive_seed(seed: int, *purpose: int | str) -> int:
    """A 63-bit seed for one purpose, e.g. ``derive_seed(0, "rollout", 17)``."""
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, *purpose: int | str) -> torch.Generator:
    """A fresh CPU generator that serves one purpose."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


@lru_cache(maxsize=4)
def permutation(n: int, seed: int, *purpose: int | str) -> torch.Tensor:
    """A random order of ``range(n)``: int64 ``[n]``. Cached, so treat it as read-only."""
    return torch.randperm(n, generator=generator(seed, *purpose))


def stream(n: int, start: int, count: int, seed: int, purpose: str) -> list[int]:
    """``count`` elements from ``start`` on of ``range(n)``, repeated without end and reshuffled."""
    if n == 0:
        return []
    return [int(permutation(n, seed, purpose, i // n)[i % n]) for i in range(start, start + count)]


@contextmanager
def seeded(seed: int, *purpose: int | str) -> Iterator[None]:
    """Within, torch's own stream is a function of (seed, purpose); the caller's goes on afterwards.

    Dropout masks are drawn so. Masks of each example's own would survive another cut of the batch,
    but cost a random stream for every example in every layer.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive_seed(seed, *purpose))
        yield
