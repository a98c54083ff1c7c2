"""Models of a few hundred weights, to run a whole iteration of PPO-ptx on in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from minirlhf.plain import ppo as plain

VOCABULARY, WIDTH, EOS = 7, 5, 0


class Tiny(nn.Module):
    """A recurrent model of ids ``[..., L]``: logits ``[..., L, V]``, or a number at each token."""

    def __init__(self, g: Generator, scalar: bool = False):
        super().__init__()
        self.scalar = scalar
        self.embedding = nn.Parameter(torch.randn(VOCABULARY, WIDTH, generator=g))
        self.recurrent = nn.Parameter(0.6 * torch.randn(WIDTH, WIDTH, generator=g))
        self.head = nn.Parameter(torch.randn(WIDTH, 1 if scalar else VOCABULARY, generator=g))

    def forward(self, ids: Tensor) -> Tensor:
        state, states = torch.zeros(()), []
        for embedded in self.embedding[ids].unbind(-2):
            state = torch.tanh(embedded + (state @ self.recurrent if states else 0.0))
            states.append(state)
        out = torch.stack(states, -2) @ self.head
        return out[..., 0] if self.scalar else out


class Models(NamedTuple):
    """What an iteration needs."""

    policy: Tiny
    reference: Tiny
    reward: Tiny
    value: Tiny


def models(g: Generator) -> Models:
    return Models(Tiny(g), Tiny(g), Tiny(g, scalar=True), Tiny(g, scalar=True))


def rows(g: Generator, count: int, shortest: int = 2, longest: int = 4) -> list[Tensor]:
    """Rows of ids without an end token."""
    lengths = torch.randint(shortest, longest + 1, (count,), generator=g)
    return [torch.randint(1, VOCABULARY, (int(n),), generator=g) for n in lengths]


def replies(g: Generator, count: int) -> list[Tensor]:
    """Rows of different lengths; the first was cut, the others end."""
    found = rows(g, count, 1, 4)
    found[0] = torch.randint(1, VOCABULARY, (5,), generator=g)
    return [found[0], *(torch.cat([row, torch.tensor([EOS])]) for row in found[1:])]


def response_mask(responses: list[Tensor]) -> Tensor:
    """True on the ids of each response, false behind it: bool ``[B, T]``."""
    return pad_sequence([torch.ones_like(y) for y in responses], batch_first=True).bool()


def in_plain(given: Models) -> plain.Models:
    """The same models, called as `minirlhf.plain.ppo` calls them."""
    policy, reference = _AsCausal(given.policy), _AsCausal(given.reference)
    reward, value = _AsScalar(given.reward), _AsScalar(given.value)
    return plain.Models(policy, reference, reward, value, torch.zeros(VOCABULARY), EOS)


class _AsCausal(nn.Module):
    def __init__(self, tiny: Callable[[Tensor], Tensor]):
        super().__init__()
        self.tiny = tiny

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.tiny(input_ids))


class _AsScalar(nn.Module):
    """Like a classifier of one label: read off the last token, or at all of them."""

    def __init__(self, tiny: Callable[[Tensor], Tensor]):
        super().__init__()
        self.tiny, self.config = tiny, SimpleNamespace(reward_bias=0.0)

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.tiny(input_ids)[:, -1:])

    def base_model(self, input_ids: Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.tiny(input_ids)[..., None])

    def score(self, hidden: Tensor) -> Tensor:
        return hidden
