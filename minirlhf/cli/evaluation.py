"""``minirlhf evaluate``: several models on the same prompts (§3.6, §4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from minirlhf.cli import tables, terminal
from minirlhf.cli.options import parse, refuse_below
from minirlhf.errors import MinirlhfError

if TYPE_CHECKING:
    from minirlhf.data.records import Records
    from minirlhf.evaluate.statistics import Interval


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Compare models on the same prompts: win rates, scores, pass rates, lengths (§3.6, §4.1).

    Reads JSONL, JSON, CSV, parquet, a folder of save_to_disk, or the hub (NAME:SPLIT):
      --prompts         prompt, or messages, which each tokenizer's chat template writes

    Writes figures and samples as JSON to --output, and prints:
      words             length of the responses
      score             of the reward model, if --reward names one
      passes, grade     by Tinytown's exact judge: every criterion met; 1 to 7
      wins              against the first model, a tie counts one half: by the reward
                        model (a proxy: PPO optimizes it), by the judge, and by the
                        majority of five held-out labelers
      [low, high]       of each, the 95% interval, bootstrapped over prompts

    Judge and labelers look at Tinytown's own prompts alone.

    For example:
      minirlhf evaluate --models runs/sft runs/ppo --prompts prompts.jsonl --reward runs/rm
    """

    models: tuple[str, ...]
    """Two or more, the first is the opponent: sizes of bases, model or run folders, hub names."""
    prompts: str
    """Data with `prompt`."""
    columns: tuple[str, ...] = ()
    """What columns are called in your data, as OURS=THEIRS: --columns prompt=question."""
    chat_template: str | None = None
    """How conversations are written: Jinja in a file, or 'plain', not the tokenizers' own."""
    reward: str | None = None
    """A reward model."""
    judge: Literal["tinytown", "none"] = "tinytown"
    """Who else judges."""
    output: Path = Path("evaluation.json")
    """Where the figures and the samples go."""
    count: int | None = None
    """Take only so many prompts, from the top of the file."""
    temperature: float = 1.0
    """Of the samples (0: always the likeliest token)."""
    max_response: int = 64
    """Tokens a response may have."""
    show: int = 2
    """Prompts to print with every model's response."""
    pad_token: str | None = None
    """Pad token to add to tokenizers that have none."""
    seed: int = 0
    """Of samples and bootstrap."""


@dataclass
class Answers:
    """One model's responses, and what was measured on them."""

    model: str
    responses: list[str]
    figures: dict[str, Interval] = field(default_factory=dict)
    scores: Any = None
    """By the reward model, if there is one: float ``[prompts]``."""


def evaluate(arguments: Sequence[str]) -> None:
    """Samples, figures, a table and a JSON file."""
    command = parse(Evaluate, "evaluate", arguments)
    if not command.models:
        raise MinirlhfError("--models names no model: give it one or more folders.")
    refuse_below(1, count=command.count, max_response=command.max_response)
    refuse_below(0, temperature=command.temperature, show=command.show)
    if command.output.is_dir() or not command.output.name:
        raise MinirlhfError(f"--output {command.output} is a folder: name a file in it.")

    from minirlhf.cli.inputs import open_reward, progress, read_data
    from minirlhf.data.files import write_json
    from minirlhf.training.devices import first_device
    from minirlhf.training.log import Event

    (records,) = read_data(command, prompts="prompts")
    records = records.replaced(records[: command.count])
    reward = command.reward and open_reward(
        command.reward, command.pad_token, command.chat_template
    )
    if reward is not None:
        reward[0].to(first_device())
    with progress() as callback:

        def tell(title: str, done: int, total: int) -> None:
            callback(Event("", done, total, title=title))

        everyone = [Answers(m, responses(command, m, records, tell)) for m in command.models]
    prompts = [readable(record["prompt"]) for record in records]
    for answers in everyone:
        measure(answers, everyone[0], records, reward, command)
    command.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(command.output, as_json(everyone, prompts, command))
    print(as_text(everyone, prompts, command.show))
    said = f"\n{len(prompts)} prompts; all figures and samples in"
    terminal.console().print(said, terminal.link(command.output))


def readable(prompt) -> str:
    """A prompt for the eye and for the judges: of a conversation, what was said last."""
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


def responses(
    command: Evaluate, model: str, records: Records, said: Callable[[str, int, int], None]
) -> list[str]:
    """One sample of a model for every prompt; ``said`` is told what, how many, of how many."""
    from minirlhf.cli.inputs import open_policy
    from minirlhf.data.conversations import as_text
    from minirlhf.data.tokenization import TooLongError, encode_prompts, refuse_long
    from minirlhf.sampling import complete
    from minirlhf.training.devices import first_device

    policy, tokenizer = open_policy(model, command.pad_token, command.chat_template)
    policy.to(first_device())
    texts = [record["prompt"] for record in as_text(tokenizer, records, "prompts")]
    prompts = encode_prompts(tokenizer, texts)
    positions = getattr(policy.config.get_text_config(), "max_position_embeddings", None)
    if positions is not None:
        records.may_drop, most = False, positions - command.max_response
        try:
            refuse_long(records, list(map(len, prompts)), most, "max_response")
        except TooLongError as error:
            raise MinirlhfError(
                f"{error.found}: {model} has {positions} positions; shorten the prompt or lower "
                "--max-response."
            ) from None
    tell = partial(said, f"sampling {model}")
    tell(0, len(prompts))
    replies = complete(
        policy,
        tokenizer,
        prompts,
        max_new_tokens=command.max_response,
        temperature=command.temperature,
        seed=command.seed,
        progress=tell,
    )
    tell(len(prompts), len(prompts))
    return replies


def measure(ours: Answers, first: Answers, records: Records, reward, command: Evaluate) -> None:
    """Fill in every figure that there is a judge for."""
    from minirlhf.evaluate.preference import preferred_by_judge
    from minirlhf.evaluate.statistics import over_prompts

    def mean(values) -> Interval:
        return over_prompts(values, seed=command.seed)

    ours.figures["words"] = mean([len(text.split()) for text in ours.responses])
    if reward is not None:
        from minirlhf.data.conversations import as_text
        from minirlhf.reward import score_texts

        asked = [record["prompt"] for record in as_text(reward[1], records, "prompts")]
        ours.scores = score_texts(*reward, asked, ours.responses).numpy()
        ours.figures["score"] = mean(ours.scores)
        if ours is not first:

            def score(_, responses):
                return (ours if responses is ours.responses else first).scores

            preference = preferred_by_judge(score, asked, ours.responses, first.responses)
            ours.figures["wins: reward"] = preference.win_rate
    if command.judge == "none":
        return

    from minirlhf.experiment.measurements import opinions
    from minirlhf.tinytown.town import Tinytown

    prompts = [readable(record["prompt"]) for record in records]
    town = Tinytown()
    rows = [row for row, prompt in enumerate(prompts) if town.kind(prompt)]
    if rows:
        asked, mine, theirs = (
            [texts[row] for row in rows] for texts in (prompts, ours.responses, first.responses)
        )
        others = None if ours is first else theirs
        found = opinions(town, asked, mine, others, seed=command.seed)
        ours.figures |= {name.replace("wins_", "wins: "): f for name, f in found.items()}


def as_json(everyone: list[Answers], prompts: list[str], command: Evaluate) -> dict[str, Any]:
    """What the output file holds."""
    settings = asdict(command) | {"output": str(command.output)}
    figures = [
        {"model": answers.model, **{name: asdict(f) for name, f in answers.figures.items()}}
        for answers in everyone
    ]
    samples = [
        {"prompt": prompt, "responses": [answers.responses[row] for answers in everyone]}
        for row, prompt in enumerate(prompts)
    ]
    return {"settings": settings, "models": figures, "samples": samples}


def as_text(everyone: list[Answers], prompts: list[str], show: int) -> str:
    """The table of figures, below some samples."""
    lines = []
    for row, prompt in enumerate(prompts[:show]):
        lines += [f"── {prompt.strip()}"]
        lines += [f"{answers.model}: {answers.responses[row].strip()}" for answers in everyone]
        lines += [""]
    names = list(dict.fromkeys(name for answers in everyone for name in answers.figures))
    rows = [
        [answers.model, *(brief(answers.figures.get(name)) for name in names)]
        for answers in everyone
    ]
    return "\n".join([*lines, tables.plain(["model", *names], rows, width=10_000)])


def brief(interval: Interval | None) -> str:
    """An interval in the width of a column."""
    return "-" if interval is None else f"{interval:.2f}"
