"""The look that the report and the widgets share: `design.css`, which says of itself what it has.

A page of our own gives its root the classes ``mr mr-page``, a part of someone else's page ``mr``.
A model's colour is ``var(--mr-NAME)``, with the names of `charts.PALETTE`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def design() -> str:
    """The style sheet, to be put into a page."""
    return (Path(__file__).parent / "design.css").read_text("utf-8")
