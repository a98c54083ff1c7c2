"""A reply as widgets show it: whole, with its score, a judge's grade and its objections."""

from __future__ import annotations

from typing import Any

from minirlhf.widgets.objections import Judge, criterion, objections
from minirlhf.widgets.words import say, signed

NOT_UNDERSTOOD = "request understood"
"""What Tinytown's judge says of a request from elsewhere, which it then can't grade."""


def shown_reply(
    prompt: str, text: str, judge: Judge | None = None, verdict: Any = None, **facts: Any
) -> dict[str, Any]:
    """A reply for `reply.js`; ``facts`` may be ``score`` and ``finished``.

    ``verdict`` is the judge's, if it is known already. Where the judge doesn't understand the
    request it isn't asked for anything more.
    """
    shown = {"pieces": [(text, [])], **facts}
    if judge is None:
        return shown
    verdict = judge(prompt, text) if verdict is None else verdict
    if NOT_UNDERSTOOD in getattr(verdict, "criteria", {}):
        return shown
    given = grade(verdict)
    shown["grade"] = given if isinstance(given, (int, float)) else str(given)
    shown["passes"] = getattr(verdict, "passes", None)
    pieces, whole = objections(judge, prompt, text)
    shown["pieces"] = [(piece, [criterion(name) for name in names]) for piece, names in pieces]
    shown["whole"] = [criterion(name) for name in whole]
    return shown


def marks(shown: dict[str, Any]) -> list[str]:
    """What stands beside a reply, in words: score, grade, and the criteria that it misses."""
    said = []
    if shown.get("score") is not None:
        said.append(say("reply.score", score=signed(shown["score"])))
    if (given := shown.get("grade")) is not None:
        said.append(say("reply.grade", grade=given if isinstance(given, str) else f"{given:.1f}"))
    missed = [name for _, names in shown["pieces"] for name in names] + shown.get("whole", [])
    return said + (
        [say("reply.misses", names=say("reply.comma").join(dict.fromkeys(missed)))]
        if missed
        else []
    )


def grade(verdict: Any) -> Any:
    """What a judge gives: its verdict itself, or the verdict's ``overall``."""
    return getattr(verdict, "overall", verdict)
