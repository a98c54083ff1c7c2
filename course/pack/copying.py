"""The smallest base, trained again until it copies: when that comes, and a checkpoint from before.

Copying comes late and suddenly (`minirlhf.tinytown.probes.echo`). A model of just before predicts
about as well as one of just after, and can follow no instruction that names a word.
"""

from __future__ import annotations

from pathlib import Path

from minirlhf.data.files import replace_folder, write_json, written_whole
from minirlhf.data.records import read_jsonl, write_jsonl
from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.probing import run_probe
from minirlhf.pretrain import train_base
from minirlhf.pretrained import load_tokenizer, save_model
from minirlhf.tinytown import bases, probes
from minirlhf.tinytown.sizes import SIZES, Size
from minirlhf.training.log import Event

EVERY, ITEMS = 50, 100
"""Steps between two examinations, and words of how many people are to be repeated."""
NOT_YET, BY_NOW = 0.05, 0.7
"""The share repeated rightly up to which a model doesn't copy, and from which it does."""


def watch(folder: Path, size: Size = SIZES["small"]) -> list[dict[str, float]]:
    """A line an examination: step, tokens read, loss, and the share of `echo` that is right.

    Training, with settings and schedule of the shipped base, ends where it copies; the last model
    that didn't is left in ``before/``.
    """
    config, tokenizer = bases.settings(size), load_tokenizer(bases.base_folder("small"))
    model, items = bases.new_model(size, tokenizer, config.seed), probes.echo(ITEMS)
    run, found = folder / "run", folder / "echo.jsonl"
    rows = list(read_jsonl(found)) if found.exists() else []
    control = run / "control.json"

    def examine(event: Event) -> None:
        if event.step % EVERY or any(row["step"] == event.step for row in rows):
            return
        right = float(run_probe(model, tokenizer, items).mean())
        tokens = event.step * config.batch * config.context
        loss = event.metrics["loss"]
        rows.append({"step": event.step, "tokens": tokens, "loss": loss, "echo": right})
        if right <= NOT_YET:
            replace_folder(folder / "before", lambda to: save_model(model, tokenizer, to))
        with written_whole(found) as partial:
            write_jsonl(partial, rows)
        if right >= BY_NOW:
            write_json(control, {"stop": True})

    if not control.exists():
        try:
            train_base(
                config, model, tokenizer, bases.corpus(size.documents),
                folder=run, callback=examine,
            )  # fmt: skip
        except MinirlhfError:
            if not control.exists():
                raise
    return rows
