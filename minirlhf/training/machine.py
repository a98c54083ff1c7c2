"""What this machine has to offer, known without torch: cores and memory."""

from __future__ import annotations

import os
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")
"""A container may be allowed less memory than the machine has."""


def available_memory() -> int:
    """Bytes of memory that this process can still have, within its container's limit."""
    try:
        import psutil

        available = psutil.virtual_memory().available
    except ImportError:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit, taken = (int((GROUP / f"memory.{n}").read_text()) for n in ("max", "current"))
        stat = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
        # files that were read count as taken until somebody else needs the room
        return min(available, limit - taken + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):  # no such file, or the limit is "max"
        return available


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
