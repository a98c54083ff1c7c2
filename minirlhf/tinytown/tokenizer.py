"""The tokenizer of Tinytown: one token a word, bytes for everything else.

Text is split as GPT-2 splits it; a piece that the town knows is one token, any other is spelled
in bytes, so that every UTF-8 text comes back as it was. Padding, end of text and the start of a
document are three different tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, EOS, BOS = "<|pad|>", "<|endoftext|>", "<|document|>"
SPECIAL = (PAD, EOS, BOS)


def build_tokenizer(texts: Iterable[str], min_count: int = 20) -> PreTrainedTokenizerFast:
    """A tokenizer whose words are the pieces that ``texts`` hold ``min_count`` times or more."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    counts = Counter(piece for text in texts for piece, _ in split.pre_tokenize_str(text))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = sorted(w for w, n in counts.items() if n >= min_count and w not in letters)
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *letters, *words])}
    # ignore_merges: a piece in the vocabulary is taken whole, any other falls to bytes.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, vocabulary[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        bos_token=BOS,
        padding_side="left",
        model_max_length=320,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,  # "<|endoftext|>" in somebody's text is text, and ends nothing
    )
