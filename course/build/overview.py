"""The README's table of chapters: what each takes up of the paper, and how long it takes.

It stands between two comments of the README and is written by the build, like the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from course.build import assemble
from course.build.masters import Master
from course.build.settings import MEASURED, BuildError
from minirlhf.data.files import read_json
from minirlhf.grading import exercise

PLACE = "README.md"
BEGIN, END = "<!-- chapters -->", "<!-- /chapters -->"


def inserted(readme: str, masters: Sequence[Master]) -> str:
    """The README with the table as it is now. Raises `BuildError` where it has no place for it."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise BuildError(f"{PLACE}: the table stands between {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{table(masters)}{END}{after}"


def table(masters: Sequence[Master]) -> str:
    head = "| chapter | of the paper | read | run | do | exercises |\n|---|---|--:|--:|--:|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in _rows(masters))


def _rows(masters: Sequence[Master]) -> Iterator[list[str]]:
    costs = read_json(MEASURED)
    exercises = {master.key: master for master in masters if master.kind == "exercise"}
    for master in masters:
        if master.kind != "chapter":
            continue
        seconds = costs.get(master.key, {}).get("seconds")
        yield [
            f"[{master.title.removeprefix('Chapter ')}]({assemble.place(master, 'chapter', 'en')})",
            str(master.facts.get("paper", "")),
            f"{assemble.reading_minutes(master, 'chapter', 'en')} min",
            f"{seconds / 60:.1f} min" if seconds else "–",
            f"{minutes} min" if (minutes := master.facts.get("doing_minutes")) else "–",
            _exercise(exercises.get(f"ex{master.key}")),
        ]


def _exercise(master: Master | None) -> str:
    if master is None:
        return "–"
    asked = exercise(master.key)
    minutes = sum(question.minutes for question in asked)
    link = f"[{master.key}]({assemble.place(master, 'exercise', 'en')})"
    return f"{link}: {len(asked)} questions, {minutes} min"
