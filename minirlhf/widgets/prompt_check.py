"""Prompts that a learner types: which of them a model can take, said in a sentence."""

from __future__ import annotations

from minirlhf.errors import MinirlhfError
from minirlhf.widgets.words import say


def check_prompt(model, tokenizer, prompt: str, response: int, most: int | None = None) -> int:
    """Tokens of ``prompt``, if it can be answered with ``response`` tokens.

    ``most`` is the most tokens that a prompt may have, whatever the model's positions. Raises
    `MinirlhfError` for a prompt that is empty or too long.
    """
    if not prompt.strip():
        raise MinirlhfError(say("prompt.empty"))
    length = len(tokenizer(prompt, verbose=False)["input_ids"])  # no warning: a sentence follows
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    room = [limit for limit in (most, positions and positions - response) if limit is not None]
    if room and length > min(room):
        raise MinirlhfError(say("prompt.long", length=length, most=min(room)))
    return length
