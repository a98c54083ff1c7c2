"""Two processes of one terminal, and a Ctrl-C that reaches both."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from minirlhf.errors import MinirlhfError
from minirlhf.training import second_process
from minirlhf.training.log import Event

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


def work(failure, callback):
    """What a second process does: some progress, a warning, an end."""
    for step in (1, 2):
        callback(Event("ppo", step, 2, {"loss": 0.5}, title="6/6 ppo-ptx"))
    warnings.warn("the run was short", stacklevel=1)
    if failure is not None:
        raise failure


def test_what_a_second_process_says_is_said_by_the_first(monkeypatch, capfd):
    """Its progress, its warnings, and the error that ended it, with nothing raw beside them."""
    monkeypatch.setattr(second_process, "cores", lambda: 2)
    seen, full = [], OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/runs/ppo-ptx")
    with (
        pytest.warns(UserWarning, match="the run was short"),
        pytest.raises(OSError, match="No space left on device: '/runs/ppo-ptx'"),
        second_process.in_second_process(work, full, callback=seen.append),
    ):
        pass
    assert [(event.name, event.step) for event in seen] == [("6/6 ppo-ptx", 1), ("6/6 ppo-ptx", 2)]
    assert capfd.readouterr() == ("", "")


def test_a_failure_of_ours_keeps_its_sentence_and_a_bug_is_printed(monkeypatch, capfd):
    monkeypatch.setattr(second_process, "cores", lambda: 2)
    with (
        pytest.warns(UserWarning, match="short"),
        pytest.raises(MinirlhfError, match=r"^beta = -1: it has to be above 0"),
        second_process.in_second_process(
            work, MinirlhfError("beta = -1: it has to be above 0"), callback=lambda event: None
        ),
    ):
        pass
    assert "Traceback" not in capfd.readouterr().err
    with (
        pytest.warns(UserWarning, match="short"),
        pytest.raises(MinirlhfError, match="what it printed says why"),
        second_process.in_second_process(work, ZeroDivisionError(), callback=lambda event: None),
    ):
        pass
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_on_one_core_the_callback_hears_the_work_itself(monkeypatch):
    monkeypatch.setattr(second_process, "cores", lambda: 1)
    seen = []
    with (
        pytest.warns(UserWarning, match="short"),
        second_process.in_second_process(work, None, callback=seen.append),
    ):
        assert len(seen) == 2


def test_a_callback_that_fails_holds_nobody_up():
    """A pipe that isn't read would stop the one that writes, and so the whole job."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    errors = []

    def fails(event):
        raise ValueError(event.step)

    for step in range(3):
        sender.send(Event("ppo", step, 3))
    sender.close()
    second_process._relay(receiver, fails, errors)
    assert [error.args for error in errors] == [(0,), (1,), (2,)]
