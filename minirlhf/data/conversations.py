"""Records that hold conversations, and the texts that a chat template makes of them.

A conversation is a list of messages, ``{"role": "user", "content": "..."}``. It may stand in the
column ``messages``, in place of any text, or whole in ``chosen`` and ``rejected``; ``from`` and
``value`` will do for ``role`` and ``content``, and so will one text, "Human: …" and "Assistant: …"
in turn. The last answer is the completion, all before it is the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minirlhf.data.records import Record, Records, check_record
from minirlhf.errors import MinirlhfError

Messages = list[dict[str, str]]

ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant"}
"""Other names of the two who talk."""
TRANSCRIPT = re.compile(r"(?:^|\n\n)(Human|Assistant):")
ANSWERS = {
    "demonstrations": ("completion",),
    "comparisons": ("chosen", "rejected"),
    "rankings": ("completions",),
    "prompts": (),
}
"""The columns that hold answers to the prompt."""

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '\n\n' if message['role'] != 'system' }}"
    "{{ {'user': 'Human: ', 'assistant': 'Assistant: '}[message['role']] | default('') }}"
    "{{ message['content'] }}"
    "{% endfor %}"
    "{{ '\n\nAssistant:' if add_generation_prompt }}"
)
"""For tokenizers without a chat template: "Human: …" and "Assistant: …", without special tokens."""

# -------------------------------------------------------------------------------- with a tokenizer


def as_text(tokenizer, records: Iterable[Record] | None, kind: str) -> Records:
    """The records as every stage reads them: with the columns of their kind, all of them text.

    Conversations go through the tokenizer's chat template. Raises `MinirlhfError` naming the first
    bad row (where it was read, or counted from 0 as in a list), or a template that is missing.
    """
    records = _records(records)
    if not records:
        raise MinirlhfError(f"No {kind}: the data set is empty.")
    places = [records.place(row, kind) for row in range(len(records))]
    pairs = zip(records, places, strict=True)
    return records.replaced(
        rendered(tokenizer, canonical(record, kind, place), kind, place) for record, place in pairs
    )


def pretraining_text(tokenizer, records: Iterable[Record] | None, **setting: float) -> Records:
    """Pretraining documents, which a setting (its name and value) calls for, read like others."""
    records = _records(records)
    if not records:
        ((name, value),) = setting.items()
        raise MinirlhfError(
            f"{name} = {value:g} needs pretraining documents: pass them as pretraining=, "
            "or set it to 0."
        )
    return as_text(tokenizer, records, "documents")


def _records(records: Iterable[Record] | None) -> Records:
    """The records with the places where they were read, if any are known."""
    if isinstance(records, Records):
        return records
    return Records(() if records is None else records)


def prompt_text(tokenizer, prompt: str | Sequence[Mapping], where: str = "prompt") -> str:
    """A prompt as text: as it is, or through the chat template."""
    record = canonical({"prompt": prompt}, "prompts", where)
    return rendered(tokenizer, record, "prompts", where)["prompt"]


def rendered(tokenizer, record: Record, kind: str, where: str) -> Record:
    """A record from `canonical` with text in the place of every conversation."""
    if kind == "documents":
        talk = record["text"]
        return {**record, "text": apply(tokenizer, talk, where)} if is_talk(talk) else record
    if not is_talk(record["prompt"]):
        return record
    talk = record["prompt"]
    prompt = apply(tokenizer, talk, where, add_generation_prompt=True)

    def answer(messages: Messages) -> str:
        whole = apply(tokenizer, [*talk, *messages], where)
        if not whole.startswith(prompt):
            raise MinirlhfError(
                f"{where}: the tokenizer's chat template doesn't write an answer after what it "
                "writes to ask for one, so no completion can be told from its prompt: give the "
                "tokenizer another template (load_tokenizer(name, chat_template='plain'))."
            )
        return without_end(tokenizer, whole[len(prompt) :])

    answers = {
        column: [answer(one) for one in record[column]]
        if column == "completions"
        else answer(record[column])
        for column in ANSWERS[kind]
    }
    return {**record, "prompt": prompt, **answers}


def apply(tokenizer, messages: Messages, where: str, *, add_generation_prompt=False) -> str:
    """What the tokenizer's chat template writes. Raises `MinirlhfError` where it has none."""
    from jinja2 import TemplateError

    if getattr(tokenizer, "chat_template", None) is None:
        raise MinirlhfError(
            f"{where}: a conversation, but the tokenizer has no chat template to write it with: "
            "set tokenizer.chat_template, or load it with load_tokenizer(name, "
            "chat_template='plain')."
        )
    try:
        return tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except (TemplateError, TypeError, KeyError) as error:
        raise MinirlhfError(
            f"{where}: the tokenizer's chat template refuses this conversation ({error})."
        ) from None


def without_end(tokenizer, answer: str) -> str:
    """An answer without the special tokens by which a template ends it: EOS takes their place."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    special = "|".join(map(re.escape, {*tokenizer.all_special_tokens, *added}))
    return re.sub(rf"(?:(?:{special})\s*)+\Z", "", answer) if special else answer


# ----------------------------------------------------------------------------- without a tokenizer


def canonical(record: Record, kind: str, where: str) -> Record:
    """The record with the columns of its kind, where lists of messages may stand for texts.

    Comparisons may be given for rankings, and scores (the higher, the better) for ranks. Raises
    `MinirlhfError` naming ``where``.
    """
    if not isinstance(record, Mapping):
        raise MinirlhfError(f"{where}: expected a dict, found {type(record).__name__}.")
    if kind == "rankings" and "chosen" in record and "completions" not in record:
        record = canonical(record, "comparisons", where)
        return {**record, "completions": [record["chosen"], record["rejected"]], "ranks": [1, 2]}
    if kind == "rankings" and "scores" in record and "ranks" not in record:
        record = {**record, "ranks": _ranks(record["scores"], where)}
    if kind == "documents":
        if "text" not in record and "messages" in record:
            record = {**record, "text": _messages(record["messages"], where)}
    elif kind == "prompts":
        record = _with_prompt(record, where)
    else:
        record = _split(record, kind, where)
    check_record({name: _stand_in(value) for name, value in record.items()}, kind, where)
    return record


def is_talk(value: Any) -> bool:
    """Whether a value is a list of messages, good or bad."""
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _split(record: Record, kind: str, where: str) -> Record:
    """The record with one prompt and its answers, if it holds a conversation."""
    columns = ANSWERS[kind]
    if kind == "demonstrations" and "completion" not in record and "messages" in record:
        record = {**record, "completion": record["messages"]}
    if not all(column in record for column in columns):
        return record
    answers = record["completions"] if kind == "rankings" else [record[c] for c in columns]
    answers = list(answers) if isinstance(answers, (list, tuple)) else [answers]
    asked = record.get("prompt")
    if "prompt" not in record and answers and all(map(_is_transcript, answers)):
        answers = [_from_transcript(text) for text in answers]
    spoken = any(map(is_talk, answers)) or ("prompt" in record and is_talk(asked))
    if not spoken or not all(isinstance(a, str) or is_talk(a) for a in answers):
        return record
    talks = [
        _messages(a, where) if is_talk(a) else [{"role": "assistant", "content": a}]
        for a in answers
    ]
    if is_talk(asked):
        before = _messages(asked, where)
        talks = [t if t[: len(before)] == before else [*before, *t] for t in talks]
    elif isinstance(asked, str) and all(talk[0]["role"] == "assistant" for talk in talks):
        talks = [[{"role": "user", "content": asked}, *talk] for talk in talks]
    if any(talk[-1]["role"] != "assistant" for talk in talks):
        raise MinirlhfError(f"{where}: the last message has to be the assistant's, the answer.")
    shared = 0
    while all(len(t) > shared and t[shared] == talks[0][shared] for t in talks):
        shared += 1
    while shared and not all(len(t) > shared and t[shared]["role"] == "assistant" for t in talks):
        shared -= 1
    if not shared:
        raise MinirlhfError(
            f"{where}: the conversation has no prompt: messages that all answers share, then "
            "the assistant's."
        )
    after = [talk[shared:] for talk in talks]
    given = {columns[0]: after} if kind == "rankings" else dict(zip(columns, after, strict=True))
    return {**record, "prompt": talks[0][:shared], **given}


def _with_prompt(record: Record, where: str) -> Record:
    """The record with the prompt of whatever it holds, if that is a conversation, and no more."""
    if is_talk(record.get("prompt")):
        prompt = _messages(record["prompt"], where)
        if prompt[-1]["role"] == "assistant":
            raise MinirlhfError(f"{where}: the prompt ends with the assistant's own message.")
    elif "completion" not in record and is_talk(record.get("messages")):
        prompt = _messages(record["messages"], where)
        prompt = prompt[:-1] if prompt[-1]["role"] == "assistant" else prompt
        if not prompt:
            raise MinirlhfError(f"{where}: the conversation has no prompt before its answer.")
    else:
        kinds = ("demonstrations", "comparisons", "rankings")
        found = (_split(record, kind, where).get("prompt") for kind in kinds)
        prompt = next((prompt for prompt in found if is_talk(prompt)), None)
    if prompt is None:
        return record
    answers = {"messages", "completion", "chosen", "rejected", "completions"}
    rest = {name: value for name, value in record.items() if name not in answers}
    return {**rest, "prompt": prompt}


def _messages(value: Any, where: str) -> Messages:
    """Messages with ``role`` and ``content`` and nothing else; raises where one isn't so."""
    messages = []
    for number, message in enumerate(value if is_talk(value) else [None], 1):
        message = message if isinstance(message, Mapping) else {}
        role = message.get("role", message.get("from"))
        content = message.get("content", message.get("value"))
        if not isinstance(role, str) or not isinstance(content, str):
            raise MinirlhfError(
                f"{where}: message {number} needs a role and a content, both text, like "
                '{"role": "user", "content": "..."}.'
            )
        messages.append({"role": ROLES.get(role, role), "content": content})
    return messages


def _is_transcript(value: Any) -> bool:
    return isinstance(value, str) and {"Human", "Assistant"} <= set(TRANSCRIPT.findall(value))


def _from_transcript(text: str) -> Messages:
    """Messages of one text, "Human: …" and "Assistant: …" in turn."""
    _, *parts = TRANSCRIPT.split(text.lstrip("\n"))
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": ROLES.get(n.lower(), n.lower()), "content": t.strip()} for n, t in pairs]


def _ranks(scores: Any, where: str) -> list[int]:
    """Ranks from 1, the best; equal scores share one."""
    numbers = isinstance(scores, (list, tuple)) and all(
        isinstance(s, (int, float)) and not isinstance(s, bool) and s == s for s in scores
    )
    if not numbers:
        raise MinirlhfError(f"{where}: column 'scores' must be a list of numbers.")
    return [1 + sum(other > score for other in scores) for score in scores]


def _stand_in(value: Any) -> Any:
    """A text in place of a conversation, for a look at the columns."""
    if is_talk(value):
        return ""
    if isinstance(value, list) and any(map(is_talk, value)):
        return ["" if is_talk(one) else one for one in value]
    return value
