"""Two processes of one terminal, and a Ctrl-C that reaches both."""

import os
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import signal, sys, time
from minirlhf.training import second_process

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may ignore it
second_process.cores = lambda: 2

if __name__ == "__main__":
    try:
        with second_process.in_second_process(time.sleep, 100):
            print("begun", flush=True)
            try:
                time.sleep(100)
            except KeyboardInterrupt:  # it takes the first process a moment to close its run
                time.sleep(2)
                raise
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes")
@pytest.mark.parametrize("seconds", [0.0, 0.3, 8.0])
def test_an_interruption_of_both_is_told_once(seconds, tmp_path):
    """While the second process begins, imports, works."""
    (tmp_path / "script.py").write_text(SCRIPT)
    script = [sys.executable, str(tmp_path / "script.py")]
    process = subprocess.Popen(
        script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout.readline() == "begun\n"
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert errors == "interrupted\n"
    assert gone(process.pid)


def gone(group: int) -> bool:
    """Whether a group of processes has ended, within some seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
