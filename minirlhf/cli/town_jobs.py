"""``minirlhf bases`` and ``minirlhf prove``: what this repository is made of and claims, again."""

from __future__ import annotations

from collections.abc import Sequence

from minirlhf.cli.options import parse


def bases(arguments: Sequence[str]) -> None:
    """The base models, pretrained again."""
    from minirlhf.tinytown.bases import Remake, remake_bases

    remake_bases(parse(Remake, "bases", arguments))


def prove(arguments: Sequence[str]) -> None:
    """Measure, and print a line for each claim."""
    from minirlhf.experiment import proof
    from minirlhf.tinytown.proof.claims import CLAIMS
    from minirlhf.tinytown.proof.parts import PARTS
    from minirlhf.tinytown.town import Tinytown

    config = parse(proof.ProofConfig, "prove", arguments)
    proof.prove(Tinytown(), CLAIMS, config, parts=PARTS)
