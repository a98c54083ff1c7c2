"""Lessons: requests and replies as tokens, with the answer to every question where it is asked.

One row holds a request and its replies, each of which sees the request and itself (as in
`minirlhf.data.shared_prompts`). Pages of rows lie on disk as compressed arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from minirlhf.data.files import written_whole
from minirlhf.tinytown import facts
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.school import by_sentence, by_word, questions
from minirlhf.tinytown.school.spelled import Spelled

ROW_TOKENS = 420
"""A request keeps as many of its replies as fit into a row."""


class Row(NamedTuple):
    """A request and its replies: ``T`` tokens, ``E`` ends of sentences or replies."""

    tokens: np.ndarray  # int16 [T]
    branch: np.ndarray  # int8 [T], 0 = the request, 1, 2, … = which reply
    positions: np.ndarray  # int16 [T]
    in_request: np.ndarray  # int8 [last + 1, ROLES]
    in_reply: np.ndarray  # int8 [T, ECHO + FAULTS + SO_FAR + STILL]
    true_values: np.ndarray  # int16 [T]
    asked: np.ndarray  # int8 [ASKED]
    last: int  # the last token of the request
    ends: np.ndarray  # int16 [E]
    sentence: np.ndarray  # int8 [E, SENTENCE], unasked where a reply ends
    answers: np.ndarray  # int8 [E, QUESTIONS]


_OF_WORDS = len(by_word.ECHO) + len(by_word.FAULTS)
REPLY_COLUMNS = _OF_WORDS + len(by_word.SO_FAR) + len(by_word.STILL)


class Speller:
    """Texts to tokens and their words."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    @cached_property
    def words(self) -> list[str]:
        """The word that each token is, in lower case."""
        ids = range(len(self.tokenizer))
        return [self.tokenizer.decode([i]).strip().lower() for i in ids]

    def request(self, prompt: str) -> list[int]:
        return self.tokenizer(prompt)["input_ids"]

    def reply(self, request, completion: str) -> tuple[list[int], Spelled]:
        coded = self.tokenizer(completion, add_special_tokens=False, return_offsets_mapping=True)
        ids = coded["input_ids"]
        text = facts.reply_to(request, completion)
        spelled = [self.words[i] for i in ids]
        return ids, Spelled(spelled, coded["offset_mapping"], text, completion)


def row(speller: Speller, prompt: str, replies: Sequence[str]) -> Row:
    """The lesson that a request and its replies make."""
    request = parse(prompt)
    asked = np.array(list(questions.asked(request).values()), dtype=np.int8)
    ids = speller.request(prompt)
    tokens, branch, positions = [*ids], [0] * len(ids), [*range(len(ids))]
    shots = len(speller.request(prompt.rpartition("\n\n")[0])) if "\n\n" in prompt else 0
    in_request = by_word.in_request(request, [speller.words[i] for i in ids])
    in_request[:shots] = by_word.UNASKED
    in_reply = [np.full((len(ids), REPLY_COLUMNS), by_word.UNASKED, dtype=np.int8)]
    true_values = [np.full(len(ids), by_word.UNASKED, dtype=np.int16)]
    ends, sentence, answers = [], [], []
    for number, completion in enumerate(replies, 1):
        said, spelled = speller.reply(request, completion)
        if len(tokens) + len(said) + 1 > ROW_TOKENS:
            break
        start = len(tokens)
        tokens += [*said, speller.tokenizer.eos_token_id]
        branch += [number] * (len(said) + 1)
        positions += range(len(ids), len(ids) + len(said) + 1)
        labels = by_word.in_reply(request, spelled)
        in_reply.append(np.concatenate([labels, _at_the_end(labels)]))
        true_values.append(np.append(by_word.true_values(spelled), np.int16(by_word.UNASKED)))
        spans = spelled.sentence_spans
        for end, (_, stop), reading in zip(spelled.ends, spans, spelled.text.readings, strict=True):
            ends.append(start + end)
            sentence.append(by_sentence.in_sentence(reading))
            answers.append(questions.answers(request, completion[:stop]))
        ends.append(start + len(said))
        sentence.append([by_word.UNASKED] * len(by_sentence.SENTENCE))
        answers.append(questions.answers(request, completion))
    return Row(
        np.array(tokens, dtype=np.int16),
        np.array(branch, dtype=np.int8),
        np.array(positions, dtype=np.int16),
        in_request,
        np.concatenate(in_reply),
        np.concatenate(true_values),
        asked,
        len(ids) - 1,
        np.array(ends, dtype=np.int16),
        np.array(sentence, dtype=np.int8).reshape(-1, len(by_sentence.SENTENCE)),
        np.array(answers, dtype=np.int8).reshape(-1, len(questions.QUESTIONS)),
    )


def _at_the_end(labels: np.ndarray) -> np.ndarray:
    """What is asked at the token that ends a reply: what there has been, of no word itself."""
    last = labels[-1:].copy()
    last[:, :_OF_WORDS] = by_word.UNASKED
    return last


def kept(path: Path, make: Callable[[], Iterable[Row]]) -> list[Row]:
    """The rows of a page, made and written if they aren't there yet."""
    if not path.exists():
        rows = list(make())
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {
            name: np.concatenate([np.atleast_1d(getattr(r, name)) for r in rows])
            for name in Row._fields if name != "asked"
        }  # fmt: skip
        arrays["asked"] = np.stack([r.asked for r in rows])
        sizes = np.array([(len(r.tokens), len(r.ends)) for r in rows])
        with written_whole(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, sizes=sizes, **arrays)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    per = dict.fromkeys(("tokens", "branch", "positions", "in_reply", "true_values"), "tokens")
    per |= {"in_request": "request"} | dict.fromkeys(("ends", "sentence", "answers"), "ends")
    out, at = [], {"tokens": 0, "request": 0, "ends": 0}
    for number, (count, stops) in enumerate(arrays["sizes"]):
        last = int(arrays["last"][number])
        upto = {"tokens": count, "request": last + 1, "ends": stops}
        cut = {n: arrays[n][at[unit] : at[unit] + upto[unit]] for n, unit in per.items()}
        out.append(Row(**cut, asked=arrays["asked"][number], last=last))
        at = {unit: start + upto[unit] for unit, start in at.items()}
    return out


class Batch(NamedTuple):
    """``B`` rows of ``L`` columns. Places count through ``[B, L]`` in reading order."""

    tokens: Tensor  # int64 [B, L]
    positions: Tensor  # int64 [B, L]
    mask: Tensor  # bool [B, 1, L, L]
    request: Tensor  # int64 [P], places of the requests' tokens
    in_request: Tensor  # float32 [P, ROLES]
    reply: Tensor  # int64 [R], places of the replies' tokens
    in_reply: Tensor  # float32 [R, …]
    before_facts: Tensor  # int64 [F], places of the tokens before a fact is told
    true_values: Tensor  # int64 [F]
    last: Tensor  # int64 [B], places of the requests' last tokens
    asked: Tensor  # float32 [B, ASKED]
    ends: Tensor  # int64 [E], places
    asked_at_ends: Tensor  # float32 [E, ASKED]
    sentence: Tensor  # float32 [E, SENTENCE]
    answers: Tensor  # float32 [E, QUESTIONS]
    final: Tensor  # bool [E], whether the reply ends there


def batch(rows: Sequence[Row], pad: int) -> Batch:
    """Rows side by side."""
    width = max(len(r.tokens) for r in rows)
    tokens = np.full((len(rows), width), pad)
    positions = np.zeros((len(rows), width), dtype=np.int64)
    branch = np.full((len(rows), width), -1, dtype=np.int64)
    places = {"request": [], "reply": [], "ends": []}
    for n, r in enumerate(rows):
        size = len(r.tokens)
        tokens[n, :size], positions[n, :size], branch[n, :size] = r.tokens, r.positions, r.branch
        places["request"].append(n * width + np.flatnonzero(r.branch == 0))
        places["reply"].append(n * width + np.flatnonzero(r.branch > 0))
        places["ends"].append(n * width + r.ends.astype(np.int64))
    branches = torch.from_numpy(branch)
    one, other = branches[:, :, None], branches[:, None, :]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mask = ((one == other) | (other == 0)).logical_and(causal)[:, None]

    def joined(arrays: Iterable[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(list(arrays)))

    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(positions),
        mask,
        joined(places["request"]),
        joined(r.in_request for r in rows).float(),
        joined(places["reply"]),
        joined(r.in_reply[r.branch > 0] for r in rows).float(),
        joined(n * width + np.flatnonzero(r.true_values >= 0) for n, r in enumerate(rows)),
        joined(r.true_values[r.true_values >= 0] for r in rows).long(),
        torch.tensor([n * width + r.last for n, r in enumerate(rows)]),
        torch.from_numpy(np.stack([r.asked for r in rows])).float(),
        joined(places["ends"]),
        joined(np.repeat(r.asked[None], len(r.ends), 0) for r in rows).float(),
        joined(r.sentence for r in rows).float(),
        joined(r.answers for r in rows).float(),
        joined((r.sentence[:, 0] == by_word.UNASKED) for r in rows),
    )
