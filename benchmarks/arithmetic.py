"""The floor: the matrix products that a piece of work can't do without, and nothing else.

Counted from the shape alone, whoever does the work, and run as a contestant of their own, on the
very shapes and in the same alternated run: so the floor knows how fast the machine was just then.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import torch

from benchmarks.gate import Gate
from benchmarks.shapes import Shape
from minirlhf.fast.matmul import mkl_is_slow, onednn

Product = tuple[int, int, int, int]
"""``b`` products of ``[n, k]`` with ``[k, m]``."""


def forward(shape: Shape, length: int, scored: int = 0, past: int = 0) -> Counter[Product]:
    """One pass over ``length`` tokens a row, after ``past``; ``scored`` go to the output layer."""
    d, tokens = shape.width, shape.batch * length
    one = Counter({(1, tokens, k, m): 1 for k, m in ((d, 3 * d), (d, d), (d, 4 * d), (4 * d, d))})
    heads, size, width = shape.batch * shape.heads, d // shape.heads, past + length
    one += Counter([(heads, length, size, width), (heads, length, width, size)])
    total = Counter({product: shape.layers * count for product, count in one.items()})
    if scored:
        total[1, shape.batch * scored, d, shape.vocabulary] += 1
    return total


def backward(products: Counter[Product]) -> Counter[Product]:
    """What the gradients of both factors take."""
    total: Counter[Product] = Counter()
    for (b, n, k, m), count in products.items():
        total[b, n, m, k] += count
        total[b, k, n, m] += count
    return total


def rollout_products(shape: Shape) -> Counter[Product]:
    """Reading the prompts and then one token at a time, at the mean width of the cache."""
    total = forward(shape, shape.prompt, scored=1)
    step = forward(shape, 1, scored=1, past=shape.prompt + shape.response // 2)
    for product, count in step.items():
        total[product] += (shape.response - 1) * count
    return total


def ppo_products(shape: Shape) -> Counter[Product]:
    """Rollout; reference, value and reward once; policy and value model ``epochs`` times."""
    length = shape.prompt + shape.response - 1
    policy, value = forward(shape, length, scored=shape.response), forward(shape, length)
    total = rollout_products(shape) + policy + value + value
    for model in (policy, value):
        for product, count in (model + backward(model)).items():
            total[product] += shape.epochs * count
    return total


def flops(products: Counter[Product]) -> int:
    """Multiplications and additions."""
    return sum(2 * b * n * k * m * count for (b, n, k, m), count in products.items())


def rollout_bytes(shape: Shape, size: int) -> int:
    """What a rollout has to read: at every step all weights, and the cache so far."""
    block = 12 * shape.layers * shape.width**2
    weights = block + shape.vocabulary * shape.width
    columns = shape.prompt + shape.response // 2
    cache = 2 * shape.layers * shape.batch * columns * shape.width
    return size * shape.response * (weights + cache)


def ppo(shape: Shape, data: Any, gate: Gate, folder: str, fast: bool = False) -> None:
    """The products of a PPO iteration, as torch does them or, ``fast``, as we have them done."""
    with onednn() if fast and mkl_is_slow() else nullcontext():
        contend(ppo_products(shape), shape, gate)


def rollout(shape: Shape, data: Any, gate: Gate, folder: str) -> None:
    """The products of a rollout, and how long reading its bytes takes."""
    contend(rollout_products(shape), shape, gate, bandwidth=True)


@torch.no_grad()
def contend(products: Counter[Product], shape: Shape, gate: Gate, bandwidth: bool = False) -> None:
    """Time every product a few times; the unit's seconds are those of all of them."""
    dtype = torch.bfloat16 if shape.precision == "bf16" else torch.float32
    facts: dict[str, float] = {}
    while True:
        gate(**facts)
        seconds = sum(
            count * _time(_make(product, dtype, shape.device), shape.device)
            for product, count in products.items()
        )
        facts = {"seconds": seconds, "gflops": flops(products) / seconds / 1e9}
        if bandwidth:
            rate = _bandwidth(shape.device)
            needed = rollout_bytes(shape, dtype.itemsize)
            facts |= {"read_seconds": needed / rate, "gigabytes_per_second": rate / 1e9}


def _make(product: Product, dtype: torch.dtype, device: str) -> tuple[torch.Tensor, ...]:
    b, n, k, m = product
    batch = (b,) if b > 1 else ()
    one, other = torch.randn(*batch, n, k), torch.randn(*batch, k, m)
    return tuple(x.to(device, dtype) for x in (one, other, torch.zeros(*batch, n, m)))


def _time(tensors: Iterable[torch.Tensor], device: str, repeat: int = 3) -> float:
    """Seconds of one product, the least of some."""
    one, other, out = tensors
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        torch.matmul(one, other, out=out)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _bandwidth(device: str) -> float:
    """Bytes a second, read from memory."""
    numbers = torch.ones(2**27 if device == "cuda" else 2**25, device=device)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        float(numbers.sum())
        times.append(time.perf_counter() - start)
    return numbers.nbytes / min(times)
