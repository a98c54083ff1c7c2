"""From runs to what ships: logs, a few samples, weights in half precision; small, and whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from course.pack.make import LESSON, SWEEPS, USUAL, Pack
from course.pack.seeds import beside_votes, seeds
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy, save_model
from minirlhf.tinytown.bases import replace_folder
from minirlhf.tinytown.judge import judge

MOST, LARGEST = 20_000_000, 8_000_000
"""Bytes of the pack, and of one file of it."""
SAMPLES = 4
"""Responses of an iteration that are shown."""


def publish(pack: Pack, target: Path) -> None:
    """Put the pack beside ``target`` and rename its folders: each is whole, or as it was."""
    artifacts = pack.artifacts
    runs = {
        "sft": (artifacts.folder / "sft", artifacts.sft),
        "sft-long": (pack.folder / "sft-long", None),
        "initial": (artifacts.folder / "initial", artifacts.initial),
        "reward": (artifacts.folder / "reward", artifacts.folder / "reward" / "model"),
        "ppo": (artifacts.folder / "ppo", artifacts.policy("ppo")),
        "ppo-ptx": (artifacts.folder / "ppo-ptx", artifacts.policy("ppo-ptx")),
    }
    for name, values in SWEEPS.items():
        runs |= {f"{name}-{v:g}": (pack.sweep_folder(name, v), None) for v in values}
    usual = pack.sweep_folder("beta", USUAL["beta"])
    runs["value"] = usual, usual / "value"
    for name, (run, model) in runs.items():
        publish_run(artifacts.tokenizer, run, model, target / name)
    files = {
        "demonstrations": artifacts.few_demonstrations,
        "validation": pack.validation,
        "rankings": artifacts.rankings(1)[:LESSON],
        "heldout": pack.heldout,
        "prompts": artifacts.prompts("eval"),
        "prompts-ppo": artifacts.prompts("ppo")[:LESSON],
        "epochs": pack.epochs,
        "ways": pack.ways,
        "sweep": [pack.swept("beta", value) for value in SWEEPS["beta"]],
        "sweep-gamma": [pack.swept("gamma", value) for value in SWEEPS["gamma"]],
        "probed": pack.probed,
        "known": [beside_votes(row, pack.config.seed) for row in pack.known],
        "taught": pack.taught,
        "ladder": pack.ladder,
        "copying": pack.copying,
        "seeds": seeds(),
    }
    replace_folder(target / "before-copying", partial(_before_copying, artifacts.tokenizer, pack))
    replace_folder(target / "data", lambda to: _files(files, to))
    check_size(target)


def publish_seeds(target: Path) -> None:
    """Make that one file anew, as after a new proof."""
    _write(target / "data" / "seeds.jsonl", seeds())


def size(target: Path) -> int:
    """Bytes of everything that ships."""
    return sum(path.stat().st_size for path in _shipped(target))


def check_size(target: Path) -> None:
    """Refuse a pack that is too large. Raises `MinirlhfError`."""
    for path in _shipped(target):
        if path.stat().st_size > LARGEST:
            raise MinirlhfError(f"{path} is too large to ship: more than {LARGEST / 1e6:g} MB.")
    if (total := size(target)) > MOST:
        raise MinirlhfError(
            f"{target} holds {total / 1e6:.1f} MB, more than {MOST / 1e6:g}: ship less."
        )


def _shipped(target: Path) -> list[Path]:
    return [p for p in target.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]


def publish_run(tokenizer, run: Path, model: Path | None, target: Path) -> None:
    """Put a run's log, some of its samples and perhaps a model of it into ``target``."""

    def fill(to: Path) -> None:
        _logs(run, to)
        if model is not None:
            _model(tokenizer, model, to / "model")

    replace_folder(target, fill)


def _before_copying(tokenizer, pack: Pack, to: Path) -> None:
    """The smallest base, ended early: what it was trained with, and its weights."""
    shutil.copyfile(pack.folder / "copying" / "run" / "config.json", to / "config.json")
    _model(tokenizer, pack.folder / "copying" / "before", to / "model")


def _logs(run: Path, to: Path) -> None:
    for name in ("config.json", "done.json"):
        shutil.copyfile(run / name, to / name)
    samples = _rows(run / "samples.jsonl")
    graded: dict[int, list[Any]] = {}
    for sample in samples:
        graded.setdefault(sample["step"], []).append(judge(sample["prompt"], sample["response"]))
    metrics = _rows(run / "metrics.jsonl")
    for row in metrics:
        if verdicts := graded.get(row["step"]):
            row["judge/grade"] = sum(v.overall for v in verdicts) / len(verdicts)
            row["judge/passes"] = sum(v.passes for v in verdicts) / len(verdicts)
    _write(to / "metrics.jsonl", metrics)
    if samples:
        kept = [row for step in graded for row in _of(samples, step)[:SAMPLES]]
        _write(to / "samples.jsonl", kept)
    if watched := _rows(run / "watched.jsonl"):
        _write(to / "watched.jsonl", watched)


def _model(tokenizer, model: Path, to: Path) -> None:
    """Half precision: half the bytes, and nothing that a lesson shows changes by it."""
    about = json.loads((model / "config.json").read_text(encoding="utf-8"))
    if "reward_bias" in about:
        reward = ScalarModel.load(model)
        ScalarModel(reward.classifier.half(), float(reward.bias)).save(to, tokenizer)
    else:
        save_model(load_policy(model).half(), tokenizer, to)
    for file in to.iterdir():
        file.chmod(0o644)  # safetensors are written for their owner alone


def _files(files: dict[str, Iterable[dict]], to: Path) -> None:
    for name, rows in files.items():
        _write(to / f"{name}.jsonl", rows)


def _of(samples: list[dict], step: int) -> list[dict]:
    return [sample for sample in samples if sample["step"] == step]


def _rows(path: Path) -> list[dict]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, rows: Iterable[dict]) -> None:
    lines = (json.dumps(_short(row), ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def _short(value: Any) -> Any:
    """Floats to five digits."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list):
        return [_short(item) for item in value]
    return {k: _short(v) for k, v in value.items()} if isinstance(value, dict) else value
