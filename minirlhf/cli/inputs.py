"""What the stages read, models and data files, and how they report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from minirlhf.data.records import Record, read_jsonl
from minirlhf.data.tokenization import check_tokenizer, encode_completions, encode_prompts
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.pretrained import is_reward_model, load_policy, load_tokenizer
from minirlhf.tinytown.sizes import SIZES, VOTED
from minirlhf.training.log import Callback
from minirlhf.training.progress import default_callback

SHIPPED = (*SIZES, VOTED)
"""Models that come with the package, by their names."""

# ----------------------------------------------------------------------------------------- models


def locate(name: str) -> str | Path:
    """The folder of a model: a shipped one by its name, or a run folder's ``model/``.

    Any other name is left as it is: a folder in transformers' format, or a name on the hub.
    """
    if name in SHIPPED:
        from minirlhf.tinytown.bases import base_folder

        return base_folder(name)
    folder = Path(name)
    if os.path.isdir(folder / "model"):  # unlike Path.is_dir, False where the name is too long
        return folder / "model"
    if os.path.isdir(folder / "checkpoint"):
        raise MinirlhfError(
            f"{folder} is a run that isn't finished, so it has no model/ yet: "
            "give the command that started it again."
        )
    return name


def open_tokenizer(name: str | Path, pad_token: str | None = None):
    """A tokenizer that training and sampling can use."""
    tokenizer = load_tokenizer(name, pad_token=pad_token)
    try:
        check_tokenizer(tokenizer)
    except MinirlhfError as error:
        here = " Here: --pad-token '<|pad|>'." if "pad token" in str(error) else ""
        raise MinirlhfError(f"{name}: {error}{here}") from None
    return tokenizer


def open_policy(name: str, pad_token: str | None = None):
    """A causal LM and its tokenizer."""
    place = locate(name)
    tokenizer = open_tokenizer(place, pad_token)
    return finite(load_policy(place, tokenizer), place), tokenizer


def open_reward(name: str, pad_token: str | None = None):
    """A reward model and its tokenizer."""
    place = locate(name)
    tokenizer = open_tokenizer(place, pad_token)
    return finite(ScalarModel.load(place, tokenizer), place), tokenizer


def open_reward_start(name: str, seed: int, pad_token: str | None = None):
    """What a reward model starts from: a policy with a new head, or a reward model as it is."""
    if is_reward_model(locate(name)):
        return open_reward(name, pad_token)
    policy, tokenizer = open_policy(name, pad_token)
    return ScalarModel.from_policy(policy, tokenizer, seed), tokenizer


def same_vocabulary(name: str, tokenizer, policy_tokenizer) -> None:
    """Refuse model ``name`` if its tokenizer has other tokens than the policy's."""
    if tokenizer.get_vocab() != policy_tokenizer.get_vocab():
        raise MinirlhfError(
            f"{name} has a vocabulary of its own ({len(tokenizer)} tokens), the policy another "
            f"({len(policy_tokenizer)}): both have to start from models with the same one."
        )


def finite(model, place: str | Path):
    """The model, once none of its weights is NaN or infinite."""
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise MinirlhfError(
                f"{place} has NaN or infinite weights ({name}): it comes from a run that diverged, "
                "or is damaged; make it again."
            )
    return model


# ------------------------------------------------------------------------------------------- data


def read_rankings(path: Path) -> list[Record]:
    """Rankings or comparisons; the columns of the first line tell which."""
    first = read_jsonl(path)[0]
    pairs = "chosen" in first and "completions" not in first
    return read_jsonl(path, "comparisons" if pairs else "rankings")


def refuse_long(path: Path, records: Sequence[Record], tokenizer, limit: int, advice: str) -> None:
    """Refuse a file with a record (prompt and longest answer) of more than ``limit`` tokens."""
    lengths = token_lengths(records, tokenizer)
    long = [row for row, length in enumerate(lengths) if length > limit]
    if long:
        more = f", and so have {len(long) - 1} more lines" if len(long) > 1 else ""
        raise MinirlhfError(
            f"{path}, line {line_number(path, long[0])}: {lengths[long[0]]} tokens, where {limit} "
            f"is the most{more}: {advice}"
        )


def token_lengths(records: Sequence[Record], tokenizer) -> list[int]:
    """Tokens of each record's prompt, plus those of the longest answer it holds, EOS included."""
    answers = [answers_of(record) for record in records]
    encoded = iter(encode_completions(tokenizer, [text for texts in answers for text in texts]))
    prompts = encode_prompts(tokenizer, [record["prompt"] for record in records])
    return [
        len(prompt) + max((len(next(encoded)) for _ in texts), default=0)
        for prompt, texts in zip(prompts, answers, strict=True)
    ]


def answers_of(record: Record) -> list[str]:
    """Every completion in a demonstration, a comparison, a ranking or a bare prompt."""
    if "completions" in record:
        return list(record["completions"])
    return [record[name] for name in ("completion", "chosen", "rejected") if name in record]


def line_number(path: Path, row: int) -> int:
    """The line of record ``row`` (from 0): `read_jsonl` skips empty lines."""
    with path.open("rb") as lines:
        filled = (number for number, line in enumerate(lines, 1) if line.strip())
        return next(islice(filled, row, None))


# -------------------------------------------------------------------------------------- reporting


@contextmanager
def progress() -> Iterator[Callback]:
    """What shows the progress, closed before anything else is printed."""
    shown = default_callback()
    try:
        yield shown or (lambda event: None)
    finally:
        if shown is not None:
            shown.close()


def report(text: str) -> None:
    """One line on stdout, from the main process alone."""
    from accelerate.state import PartialState

    if PartialState().is_main_process:
        print(text)
