"""The base models of Tinytown in three sizes: the miniature of 1.3B, 6B and 175B."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast, set_seed

from minirlhf.config import PretrainConfig
from minirlhf.errors import MinirlhfError
from minirlhf.tinytown.corpus import documents
from minirlhf.tinytown.tokenizer import build_tokenizer

CONTEXT = 320
FOLDER = Path(__file__).parent / "assets"
CORPUS_SEED, VALIDATION_SEED = 1, 2
TOKENIZER_DOCUMENTS = 20_000


@dataclass(frozen=True)
class Size:
    """One size: its shape, and how long it is pretrained."""

    width: int
    layers: int
    heads: int
    documents: int
    learning_rate: float


SIZES = {
    "small": Size(64, 3, 2, 400_000, 4e-3),
    "medium": Size(128, 4, 4, 600_000, 2e-3),
    "large": Size(192, 7, 6, 400_000, 1.5e-3),
}


def new_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, made from the first documents of the corpus."""
    return build_tokenizer(d["text"] for d in islice(documents(CORPUS_SEED), TOKENIZER_DOCUMENTS))


def new_model(size: Size, tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> GPTNeoXForCausalLM:
    """An untrained model: GPT-3's blocks with rotary positions, in which copying is learned sooner."""
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
    return islice(documents(seed), count)


def settings(size: Size) -> PretrainConfig:
    return PretrainConfig(
        context=CONTEXT,
        batch=16,
        learning_rate=size.learning_rate,
        warmup=200,
        validate_every=1000,
        precision="bf16",
    )


def base_folder(size: str) -> Path:
    """The folder of a shipped base model."""
    folder = FOLDER / size
    if not (folder / "model.safetensors").exists():
        raise MinirlhfError(f"There is no base model in {folder}: remake it with `make bases`.")
    return folder
