"""Whether the model hub can be reached, found out in a bounded time."""

from __future__ import annotations

import os
import re
import threading
from urllib.error import HTTPError
from urllib.request import Request, build_opener


def obstacle(limit: float = 1.0) -> str | None:
    """What keeps this machine from the hub, in a few words, or None if nothing does.

    Asks ``HF_ENDPOINT`` through the proxies that the environment names, and returns after ``limit``
    seconds at most: resolving a name obeys no timeout, hence the thread.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        return "HF_HUB_OFFLINE is set"
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    answer: list[str | None] = [f"{endpoint} does not answer within {limit:g} s"]

    def ask() -> None:
        try:
            opener = build_opener()  # urlopen would keep the proxies of its first call
            opener.open(Request(endpoint, method="HEAD"), timeout=limit).close()
            answer[0] = None
        except HTTPError as error:
            answer[0] = refusal(endpoint, error.code)
        except (OSError, ValueError) as error:
            reason = str(getattr(error, "reason", error))
            tunnel = re.search(r"Tunnel connection failed: (\d+)", reason)
            said = refusal(endpoint, int(tunnel[1])) if tunnel else None
            answer[0] = said or f"{endpoint}: {reason}"

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(limit)
    return answer[0]


def refusal(endpoint: str, code: int) -> str | None:
    """What an HTTP error means: some come from a proxy or firewall, others from the hub itself."""
    if code == 407:
        return "the proxy asks for a password (407): HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
    if code == 403:
        return f"{endpoint} is refused (403), by a proxy or firewall it seems: ask who keeps it"
    return f"{endpoint} answers {code}" if code >= 500 else None
