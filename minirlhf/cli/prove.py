"""``python -m minirlhf.cli.prove``: every claim about Tinytown, measured over several seeds."""

from __future__ import annotations


def main() -> None:
    """Measure, and print a line for each claim; the same command goes on where it was."""
    import tyro

    from minirlhf.experiment.proof import ProofConfig, prove
    from minirlhf.tinytown.claims import CLAIMS
    from minirlhf.tinytown.town import Tinytown

    prove(Tinytown(), CLAIMS, tyro.cli(ProofConfig, prog="python -m minirlhf.cli.prove"))


if __name__ == "__main__":
    main()
