"""``minirlhf chat``: talk to any checkpoint."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from minirlhf.cli import terminal
from minirlhf.cli.options import Positional, parse, refuse_below
from minirlhf.errors import MinirlhfError


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Talk to a model: every line is a prompt of its own, answered by a sample.

    There is no memory from one prompt to the next.

    Commands within the talk:
      /temp T           sampling temperature (0: always the likeliest token)
      /again            another reply to the last prompt
      /best N           the best of N by the reward model (needs --reward)
      /help, /quit      this list; leave (so does the end of input)

    A line that ends with a backslash goes on in the next one. Ctrl-C ends a reply, or drops what
    is typed; at an empty prompt it ends the talk.

    For example:
      minirlhf chat runs/ppo --reward runs/rm --best 4
      echo "Write a poem about the mill." | minirlhf chat medium
    """

    model: Positional[str]
    """small, medium or large (Tinytown's bases), a model folder, a run folder, or a hub name."""
    reward: str | None = None
    """A reward model: each reply is shown with its score."""
    temperature: float = 1.0
    """0: always the likeliest token."""
    best: int = 1
    """Sample so many replies and show the one that the reward model likes best."""
    max_response: int = 64
    """Tokens a reply may have."""
    template: bool = True
    """Write every prompt with the tokenizer's chat template, if it has one."""
    newline: bool = True
    """Without a template, end every prompt with a newline, as Tinytown's prompts do."""
    pad_token: str | None = None
    """Pad token to add to a tokenizer that has none (for gpt2: '<|pad|>')."""
    seed: int = 0
    """Of the samples."""


def chat(arguments: Sequence[str]) -> None:
    """A conversation on stdin and stdout."""
    command = parse(Chat, "chat", arguments)
    with terminal.waiting(f"loading {command.model} …"):
        conversation = Conversation(command)
    interactive = sys.stdin.isatty()
    if interactive:
        print("One line, one prompt; /help lists the commands, Ctrl-C ends a reply.")
    for line in read_lines(interactive):
        try:
            reply = conversation.answer(line)
        except MinirlhfError as error:
            if not interactive:
                raise
            reply = f"({error})"
        except KeyboardInterrupt:
            if not interactive:
                raise
            reply = "\n(stopped)"
        if reply is None:
            break
        if reply:
            print(reply, flush=True)


class Conversation:
    """A model and the state of the talk: temperature, best of how many, the last prompt."""

    def __init__(self, command: Chat):
        from minirlhf.cli.inputs import open_policy, open_reward
        from minirlhf.training.devices import first_device

        refuse_below(1, best=command.best, max_response=command.max_response)
        refuse_below(0, temperature=command.temperature)
        self.command, self.temperature = command, command.temperature
        self.policy, self.tokenizer = open_policy(command.model, command.pad_token)
        self.policy.to(first_device())
        self.reward = open_reward(command.reward, command.pad_token) if command.reward else None
        if self.reward is not None:
            self.reward[0].to(first_device())
        self.prompt, self.turn = "", 0
        self.best = self.checked_best(command.best)

    def answer(self, line: str) -> str | None:
        """What to print for a line of input; None ends the talk."""
        name, _, value = line.strip().partition(" ")
        match name:
            case "/quit" | "/exit":
                return None
            case "/help":
                return inspect.getdoc(Chat).split("\n\n")[2]
            case "/temp":
                self.temperature = number(value, float, "/temp 0.7", at_least=0)
                return f"(temperature {self.temperature:g})"
            case "/best":
                self.best = self.checked_best(number(value, int, "/best 4", at_least=1))
                return f"(best of {self.best})"
            case "/again" if not self.prompt:
                return "(there is no prompt yet)"
            case "/again":
                return self.sample()
            case _ if name.startswith("/"):
                raise MinirlhfError(f"there is no command {name}; /help lists them.")
            case _ if not line.strip():
                return ""
        self.prompt = self.written(line)
        return self.sample()

    def written(self, line: str) -> str:
        """A line of input as the model was trained to read it."""
        from minirlhf.data.conversations import prompt_text

        if self.command.template and self.tokenizer.chat_template is not None:
            return prompt_text(self.tokenizer, [{"role": "user", "content": line}])
        return line + "\n" * self.command.newline

    def sample(self) -> str:
        """The best of a few samples, with its score if there is a reward model."""
        from minirlhf.reward import score_texts
        from minirlhf.sampling import complete

        self.turn += 1
        replies = complete(
            self.policy,
            self.tokenizer,
            [self.prompt],
            n=self.best,
            max_new_tokens=self.command.max_response,
            temperature=self.temperature,
            seed=self.command.seed + self.turn,
        )
        if self.reward is None:
            return replies[0]
        scores = score_texts(*self.reward, [self.prompt] * len(replies), replies)
        winner = int(scores.argmax())
        return f"{replies[winner]}\n[score {scores[winner]:.2f}]"

    def checked_best(self, count: int) -> int:
        if count > 1 and self.reward is None:
            raise MinirlhfError("best of several needs a judge: start chat with --reward FOLDER.")
        return count


def number(text: str, kind: type, example: str, at_least: float):
    """The value of a command such as ``/temp 0.7``."""
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not value >= at_least:
        raise MinirlhfError(f"{text!r} is no value for this: {example}")
    return value


def read_lines(interactive: bool) -> Iterator[str]:
    """Lines of input, those that end with a backslash joined to the next."""
    typed = str  # what stands at the prompt
    if interactive:
        with suppress(ImportError):  # not on Windows; with it, the arrow keys work
            from readline import get_line_buffer as typed
    waiting: list[str] = []
    while True:
        try:
            line = input(("… " if waiting else "> ") if interactive else "")
        except EOFError:
            if waiting:
                yield "\n".join(waiting)
            if interactive:
                print()
            return
        except KeyboardInterrupt:
            if not interactive or not (waiting or typed()):
                raise
            waiting = []
            print()
            continue
        if line.endswith("\\"):
            waiting.append(line[:-1])
        else:
            yield "\n".join([*waiting, line])
            waiting = []
