"""A second world, as small as one can be: data alone, nobody who judges, and no base of its own
for reward models. What the main job needs of a world beside Tinytown is no more than this.
"""

from pathlib import Path

from tiny import DEMONSTRATIONS, DOCUMENTS

from minirlhf.evaluate.probing import Item, Probe


class Reader:
    """Somebody who likes short replies."""

    name = "the reader"

    def prefers(self, prompt: str, one: str, two: str) -> float:
        return 0.5 if len(one) == len(two) else float(len(one) < len(two))

    def rank(self, prompt: str, replies: list[str]) -> list[int]:
        lengths = sorted(map(len, replies))
        return [1 + lengths.index(len(reply)) for reply in replies]


class OtherTown:
    """Prompts to say two words the other way round."""

    has_judge, tie = False, 0.0
    labelers, heldout_labelers = (Reader(),), ()

    def __init__(self, folder: Path):
        self.folder = folder
        items = [Item("the red house saw a ", lambda said: float("t" in said))]
        self.probes = {"reading aloud": Probe(lambda count, seed: items, is_task=True)}

    def base(self, size: str) -> Path:
        return self.folder / "base"

    def reward_start(self) -> None:
        return None

    def prompts(self, split: str, count: int, seed: int) -> list[dict]:
        rows = [{"prompt": row["prompt"], "use_case": "rewrite"} for row in DEMONSTRATIONS]
        return (rows * count)[:count]

    def demonstrations(self, count: int, seed: int) -> list[dict]:
        return [{**row, "style": "plain"} for row in (DEMONSTRATIONS * count)[:count]]

    def documents(self, count: int, *, held_out: bool = False) -> list[dict]:
        return (DOCUMENTS * count)[:count]

    def rankings(self, rows: list[dict], samples: list[list[str]], seed: int) -> list[dict]:
        reader = self.labelers[0]
        return [
            {**row, "completions": texts, "ranks": reader.rank(row["prompt"], texts)}
            for row, texts in zip(rows, samples, strict=True)
        ]

    def cut(self, reply: str) -> str:
        return reply

    def kind(self, prompt: str) -> str:
        return ""

    def groups(self, prompt: str) -> list[str]:
        return []
