"""What the stages read, models and data files, and how they report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minirlhf.data.loading import check_mapping, read_records
from minirlhf.data.records import Records
from minirlhf.data.tokenization import TooLongError, check_tokenizer
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.pretrained import is_reward_model, load_policy, load_tokenizer
from minirlhf.tinytown.sizes import SIZES, START
from minirlhf.training.log import Callback
from minirlhf.training.progress import default_callback

SHIPPED = (*SIZES, START)
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


def open_tokenizer(name: str | Path, pad_token: str | None = None, template: str | None = None):
    """A tokenizer that training and sampling can use; ``template`` is a file, or "plain"."""
    if template not in (None, "plain"):
        try:
            template = Path(template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise MinirlhfError(
                f"--chat-template {template}: no such file of text; name a Jinja template, or "
                "'plain'."
            ) from None
    tokenizer = load_tokenizer(name, pad_token=pad_token, chat_template=template)
    try:
        check_tokenizer(tokenizer)
    except MinirlhfError as error:
        here = " Here: --pad-token '<|pad|>'." if "pad token" in str(error) else ""
        raise MinirlhfError(f"{name}: {error}{here}") from None
    return tokenizer


def open_policy(name: str, pad_token: str | None = None, template: str | None = None):
    """A causal LM and its tokenizer."""
    place = locate(name)
    tokenizer = open_tokenizer(place, pad_token, template)
    return finite(load_policy(place, tokenizer), place), tokenizer


def open_reward(name: str, pad_token: str | None = None, template: str | None = None):
    """A reward model and its tokenizer."""
    place = locate(name)
    tokenizer = open_tokenizer(place, pad_token, template)
    return finite(ScalarModel.load(place, tokenizer), place), tokenizer


def open_reward_start(
    name: str, seed: int, pad_token: str | None = None, template: str | None = None
):
    """What a reward model starts from: a policy with a new head, or a reward model as it is."""
    if is_reward_model(locate(name)):
        return open_reward(name, pad_token, template)
    policy, tokenizer = open_policy(name, pad_token, template)
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


def read_data(command, **kinds: str) -> list[Records | None]:
    """What the options of a command name (option to kind of data set), None where none is given.

    ``--columns`` holds for all of them: each takes what it has of it.
    """
    columns = dict(pair.partition("=")[::2] for pair in command.columns)
    if not all(columns.values()):
        raise MinirlhfError("--columns takes pairs OURS=THEIRS, such as prompt=question.")
    sources = [getattr(command, option) for option in kinds]
    pairs = zip(sources, kinds.values(), strict=True)
    data = [source and read_records(source, kind, columns) for source, kind in pairs]
    given = [records for records in data if records is not None]
    check_mapping(columns, given)
    for records in given:
        records.may_drop = getattr(command, "drop_long", True)
    return data


# -------------------------------------------------------------------------------------- reporting


@contextmanager
def progress() -> Iterator[Callback]:
    """What shows the progress, closed before anything else is printed."""
    shown = default_callback()
    try:
        yield shown or (lambda event: None)
    except TooLongError as error:
        setting = error.setting.replace("_", "-")
        raise MinirlhfError(
            f"{error.found}: shorten it, raise --{setting}, or leave such rows out with "
            "--drop-long."
        ) from None
    finally:
        if shown is not None:
            shown.close()


def report(text: str) -> None:
    """One line on stdout, from the main process alone."""
    from accelerate.state import PartialState

    if PartialState().is_main_process:
        print(text)
