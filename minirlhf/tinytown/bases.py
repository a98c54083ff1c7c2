"""The base models of Tinytown in three sizes: the miniature of 1.3B, 6B and 175B."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast, set_seed

from minirlhf.config import PretrainConfig
from minirlhf.data.files import replace_folder
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.pretrain import train_base
from minirlhf.pretrained import load_policy, save_model
from minirlhf.tinytown.card import thinned_log, write_card
from minirlhf.tinytown.corpus import documents
from minirlhf.tinytown.school.learn import Term, go_to_school, start
from minirlhf.tinytown.sizes import FOLDER, REWARD_SIZE, SIZES, START, Size
from minirlhf.tinytown.start_card import write_start_card
from minirlhf.tinytown.tokenizer import build_tokenizer
from minirlhf.training.log import Callback
from minirlhf.training.second_process import in_second_process

CONTEXT = 320
CORPUS_SEED, VALIDATION_SEED = 1, 2
TOKENIZER_DOCUMENTS, VALIDATION_DOCUMENTS = 40_000, 1000


def new_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, made from the first documents of the corpus."""
    return build_tokenizer(d["text"] for d in islice(documents(CORPUS_SEED), TOKENIZER_DOCUMENTS))


def new_model(size: Size, tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> GPTNeoXForCausalLM:
    """An untrained model: GPT-3's blocks, but rotary positions, with which copying comes sooner."""
    set_seed(seed)
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=len(tokenizer),
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=4 * size.width,
            max_position_embeddings=CONTEXT,
            hidden_act="gelu_pytorch_tanh",
            rotary_pct=0.5,
            use_parallel_residual=False,
            tie_word_embeddings=True,
            hidden_dropout=0.0,
            attention_dropout=0.0,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def corpus(count: int, seed: int = CORPUS_SEED) -> Iterator[dict[str, str]]:
    """The first documents of the web of Tinytown."""
    return islice(documents(seed), count)


def settings(size: Size, precision: str | None = None) -> PretrainConfig:
    """How a size is pretrained, in a precision other than its own if one is given."""
    return PretrainConfig(
        context=CONTEXT,
        batch=16,
        learning_rate=size.learning_rate,
        warmup=200,
        validate_every=1000,
        precision=precision or size.precision,
    )


def base_folder(size: str) -> Path:
    """The folder of a shipped base model; raises `MinirlhfError` if it isn't there."""
    folder = FOLDER / size
    if not (folder / "model.safetensors").exists():
        raise MinirlhfError(f"There is no base model in {folder}: remake it with `make bases`.")
    return folder


def remake(
    size: Size,
    config: PretrainConfig,
    tokenizer: PreTrainedTokenizerFast,
    *,
    folder: Path,
    target: Path,
    callback: Callback | None = None,
) -> None:
    """Pretrain a base in the run folder ``folder``, or go on there; publish it in ``target``."""
    train_base(
        config,
        new_model(size, tokenizer, config.seed),
        tokenizer,
        corpus(size.documents),
        validation=corpus(VALIDATION_DOCUMENTS, VALIDATION_SEED),
        folder=folder,
        callback=callback,
    )
    publish(folder, tokenizer, target)


def publish(run: Path, tokenizer: PreTrainedTokenizerFast, target: Path) -> None:
    """Put the base of a finished run into ``target``: float16 weights, tokenizer, card and log."""

    def fill(folder: Path) -> None:
        save_model(load_policy(run / "model").half(), tokenizer, folder)
        (folder / "log.jsonl").write_text(thinned_log(run / "metrics.jsonl"), encoding="utf-8")
        write_card(folder, run, target.name)

    replace_folder(target, fill)


def remake_start(
    base: Path,
    tokenizer: PreTrainedTokenizerFast,
    *,
    folder: Path,
    target: Path,
    term: Term | None = None,
    callback: Callback | None = None,
) -> None:
    """Send a base to school in ``folder``, or go on there; publish the pupil in ``target``."""
    term = term or Term()
    pupil, marks = go_to_school(base, tokenizer, folder, term, callback=callback)
    model = start(pupil, base, tokenizer)

    def fill(beside: Path) -> None:
        ScalarModel(model.classifier.half(), float(model.bias)).save(beside, tokenizer)
        (beside / "log.jsonl").write_text(thinned_log(folder / "lessons.jsonl"), encoding="utf-8")
        write_start_card(beside, term, marks)

    replace_folder(target, fill)


@dataclass(frozen=True, kw_only=True)
class Remake:
    """Remake the base models that come with the package.

    The same command again goes on where it was. The bases are the same whenever seed, precision and
    number of threads are. All three take under three hours on two cores, where medium is made in
    one process and the others in a second.

    For example:
      minirlhf bases --size small --target runs/mine
    """

    size: Literal[*SIZES, "all"] = "all"
    """Which base."""
    folder: Path = Path("runs/bases")
    """Where the runs go, a folder for each size."""
    target: Path = FOLDER
    """Where the finished bases go; by default those of this package are replaced."""
    precision: Literal["auto", "fp32", "bf16"] | None = None
    """Of forward passes; by default bf16 for large, fp32 for the others, as the shipped ones."""
    threads: int = 1
    """Cores that a process uses. The shipped bases were made with one."""


def make(job: Remake, *names: str) -> None:
    """The bases of these sizes, one after the other."""
    torch.set_num_threads(job.threads)
    tokenizer = new_tokenizer()
    for name in names:
        config = settings(SIZES[name], job.precision)
        target = job.target / name
        remake(SIZES[name], config, tokenizer, folder=job.folder / name, target=target)
        if name == REWARD_SIZE:
            schooled = {"folder": job.folder / START, "target": job.target / START}
            remake_start(target, tokenizer, **schooled)
        print(f"{name}: {target}")


def remake_bases(job: Remake) -> None:
    """Do the job: one size, or all of them in two processes."""
    if job.size != "all":
        make(job, job.size)
        return
    with in_second_process(make, job, "small", "large"):
        make(job, "medium")
