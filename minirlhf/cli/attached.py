"""A command whose process ends with the one that started it: ``python -m minirlhf.cli.attached
ppo …`` is ``minirlhf ppo …`` as long as its standard input stays open.
"""

from __future__ import annotations

import os
import sys
import threading

from minirlhf.cli.__main__ import main


def end_with(parent: int) -> None:
    """Wait until the other end of this file descriptor is gone, then end at once."""
    while os.read(parent, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(sys.stdin.fileno(),), daemon=True).start()
    sys.exit(main())
