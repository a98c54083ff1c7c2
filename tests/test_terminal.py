"""What a terminal shows: sentences, colour where it belongs, bars that don't mix, a link."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import ModuleType

import pytest
from test_command_line import WRONG

from minirlhf import experiment
from minirlhf.cli import __main__ as cli
from minirlhf.cli import checks, doctor
from minirlhf.training import progress
from minirlhf.training.log import Event

fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))  # not on Windows

PLACES = {
    "terminal": {"TERM": "xterm-256color"},
    "no colour": {"TERM": "xterm-256color", "NO_COLOR": "1"},
    "dumb": {"TERM": "dumb"},
    "pipe": {"TERM": "xterm-256color"},
}
FRAMES = re.compile("[\u2500-\u257f]")
"""Box-drawing signs."""
RED, RESET = "\x1b[31m", "\x1b[0m"


class Screen:
    """A terminal of 24 by 80 on which this process writes; `text` is what came so far."""

    def __init__(self):
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        raw = io.FileIO(theirs, "w")
        self.stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
        self.seen = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                more = os.read(self.ours, 65536)
            except OSError:  # the other side is closed
                return
            self.seen += more

    def text(self) -> str:
        """All that was written, once nothing more comes."""
        self.stream.close()
        self.reader.join(10)
        return self.seen.decode().replace("\r\n", "\n")


@pytest.fixture(params=PLACES)
def place(request, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in PLACES[request.param].items():
        monkeypatch.setenv(name, value)
    return request.param


@pytest.fixture
def shown(place, monkeypatch, capsys):
    """Run something; the exit code, and what it wrote to both streams in this place."""

    def call(work, *arguments):
        if place == "pipe":
            code = work(*arguments)
            return code, "".join(capsys.readouterr())
        screen = Screen()
        with monkeypatch.context() as patch:
            for name in ("stdout", "stderr"):
                patch.setattr(sys, name, screen.stream)
            code = work(*arguments)
        return code, screen.text()

    return call


# --------------------------------------------------------------------------------------- sentences


def test_every_wrong_use_is_a_sentence(place, shown):
    for name, line, said in WRONG:
        code, text = shown(cli.main, [name, *line.split()])
        assert code == 2, (name, line)
        if place == "terminal":
            assert text.startswith(f"{RED}error:{RESET} ")
            text = text.replace(f"{RED}error:{RESET}", "error:", 1)
        text = whole(text, place)
        assert text.startswith("error: ") and text.endswith(f" (see minirlhf {name} --help)\n")
        assert said in text and text.count("\n") == 1
        assert "\x1b" not in text and not FRAMES.search(text), text


def whole(text, place):
    """A sentence's lines put together again, each of which a terminal of 80 columns shows whole."""
    if place == "pipe":
        return text
    lines = text.splitlines()
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in lines)
    return " ".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evalute"], "unknown command 'evalute': did you mean evaluate?"),
        (["reward", "--foo"], "unknown command 'reward': did you mean rm?"),
        (["--foo"], "unknown command '--foo': it is one of run, pretrain"),
        (["sft", "--preset", "mine"], "--preset: there is no preset 'mine'"),
        (["evaluate", "--models", "small", "--prompts", "p", "--output", "."], "is a folder"),
    ],
)
def test_other_mistakes_are_sentences_too(words, said, place, shown):
    code, text = shown(cli.main, words)
    text = text.replace(f"{RED}error:{RESET}", "error:", 1)
    assert code == 2 and text.startswith("error: ") and said in whole(text, place)
    assert not FRAMES.search(text)


def test_colour_belongs_to_a_terminal_that_has_it(place, shown):
    def warned(*_):
        warnings.warn("look out", stacklevel=1)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "find", lambda _: warned)
        code, text = shown(cli.main, ["presets"])
    assert code == 0
    assert text == ("\x1b[33mnote:\x1b[0m" if place == "terminal" else "note:") + " look out\n"


def test_help_without_colour(place, shown):
    code, text = shown(cli.main, ["presets", "--help"])
    assert code == 0 and "--markdown" in text
    assert ("\x1b" in text) == (place == "terminal")


@pytest.mark.parametrize("place", ["terminal", "no colour"], indirect=True)
def test_as_a_process_of_its_own(place):
    """The same under a real terminal, started as people start it."""
    code, text = talk([sys.executable, "-m", "minirlhf.cli", "ppo", "--foo", "3"], [])
    assert code == 2 and not FRAMES.search(text)
    assert text.startswith(f"{RED}error:{RESET} " if place == "terminal" else "error: ")
    said = " ".join(text.split())
    assert "--foo 3: there is no such option; --folder, --model, --reward and --prompts" in said


# ------------------------------------------------------------------------------------------ doctor

FOUND = [
    checks.Finding("python", "ok", "3.12.1"),
    checks.Finding("model hub", "note", "out of reach", "Tinytown needs none"),
    checks.Finding("disk", "problem", "full", "make room"),
]


def test_the_doctor_marks_what_he_finds(place, shown, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda folder: iter(FOUND))
    code, text = shown(cli.main, ["doctor"])
    assert code == 1
    for mark, colour, topic in (("✓", 32, "python"), ("!", 33, "model hub"), ("✗", 31, "disk")):
        marked = f"\x1b[{colour}m{mark}\x1b[0m" if place == "terminal" else mark
        assert f"{marked} {topic}" in text
    assert text.endswith("1 to put right before a run (✗).\n")
    if place != "terminal":
        assert "\x1b" not in text and len(text.splitlines()) == 7


def test_the_doctor_shows_something_before_he_looks_at_what_takes_long(shown, monkeypatch):
    order = []

    def packages():
        order.append("packages")
        yield checks.Finding("torch", "ok", "2.13.0")

    said = doctor.lines_of
    monkeypatch.setattr(doctor, "check_packages", packages)
    monkeypatch.setattr(doctor, "lines_of", lambda f, w: [order.append(f.topic), said(f, w)][1])
    for name in ("notebooks", "cores", "gpu", "fit", "hub", "bases"):
        monkeypatch.setattr(doctor, f"check_{name}", lambda: FOUND[0])
    monkeypatch.setattr(doctor, "check_notebooks", lambda: iter(()))
    shown(cli.main, ["doctor"])
    assert order[:4] == ["python", "disk", "memory", "packages"]


def test_the_doctor_comes_where_rich_is_missing_and_where_only_ascii_is_known(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda folder: iter(FOUND))
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert cli.main(["doctor"]) == 1
    stream.seek(0)
    lines = stream.read().splitlines()
    assert lines[0].startswith("+ python") and lines[-1] == "1 to put right before a run (x)."
    assert "> Tinytown needs none" in lines[2]


# ------------------------------------------------------------------------------------------ report


def test_the_path_of_the_report_is_last_and_can_be_clicked(place, shown, monkeypatch, tmp_path):
    fake = ModuleType("minirlhf.experiment.main_job")
    fake.run = lambda world, config, callback: {}
    monkeypatch.setitem(sys.modules, "minirlhf.experiment.main_job", fake)
    monkeypatch.setattr(experiment, "main_job", fake, raising=False)
    monkeypatch.setattr("minirlhf.report.summary.brief", lambda summary: "figures")
    folder = tmp_path / ("a long way " * 9).strip()
    code, text = shown(cli.main, ["run", "--folder", str(folder)])
    last = text.splitlines()[-1]
    assert code == 0
    if place == "terminal":
        start, uri, rest = re.fullmatch(
            r"(report: )\x1b\]8;id=\d+;(.+?)\x1b\\(.+)\x1b\]8;;\x1b\\", last
        ).groups()
        assert uri == (folder / "report.html").as_uri()
        last = start + rest
    assert last == f"report: {folder / 'report.html'}"


# ---------------------------------------------------------------------------------------- progress


def two_at_once(bars, count=20):
    """Two stages on two threads, and something between them on a third."""

    def work(stage, title):
        for step in range(1, count + 1):
            bars(Event(stage, step, count, {"objective/score": 0.25, "loss": 1.5}, title=title))
            time.sleep(0.005)

    titles = (("ppo", "5/6 ppo"), ("ppo", "6/6 ppo-ptx"), ("", "sampling sft"))
    threads = [threading.Thread(target=work, args=names) for names in titles]
    for thread in threads:
        thread.start()
    print("note: in between\n", end="", file=sys.stderr)
    for thread in threads:
        thread.join()
    bars.close()
    return 0


def test_two_bars_at_once_do_not_mix(place, shown):
    _, text = shown(lambda: two_at_once(progress.default_callback()))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    lines = [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]
    titles = ("5/6 ppo ", "5/6 ppo:", "6/6 ppo-ptx", "sampling sft", "note: in between")
    for line in lines:
        assert sum(title in line for title in titles) == 1, line
    if place in ("terminal", "no colour"):
        shows = [line for line in lines if not line.startswith("note")]
        assert any(re.match(r"6/6 ppo-ptx +━+ 20/20 00:00 .*score 0\.25", line) for line in shows)
        assert all(len(line) <= 80 for line in lines)
        assert "sampling sft" not in "".join(lines[-2:])  # what was between is gone
        assert not re.search(r"\x1b\[[\d;]*m", text) or place == "terminal"
    else:
        assert "\x1b" not in text and "\r" not in text
        assert "6/6 ppo-ptx: step 20 of 20, loss 1.5, score 0.25" in lines
        assert not any("sampling" in line for line in lines)  # none took half a minute


def test_figures_give_way_where_a_terminal_is_narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "46")
    monkeypatch.setenv("TERM", "xterm")
    bars, stream = progress.TerminalBars(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bars(Event("sft", 20, 20, {"loss": 1.5, "accuracy": 0.25, "tokens_per_second": 51234.5}))
    bars.close()
    assert "20/20" in stream.getvalue() and "51,234" not in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= 46


# -------------------------------------------------------------------------------------------- chat

TALK = """
import sys, time
from minirlhf.cli import chat, __main__ as cli

class Slow:
    def __init__(self, command): pass
    def answer(self, line):
        print(f"thinking about {line!r}", flush=True)
        time.sleep(100)

chat.Conversation = Slow
sys.exit(cli.main(["chat", "small"]))
"""


def talk(command, turns, patience=60.0):
    """Run a command in a terminal: wait for a text, type another, in turns; its code and text."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        preexec_fn=lambda: leads(theirs),
    )  # fmt: skip
    os.close(theirs)
    seen, looked, end = "", 0, time.monotonic() + patience
    timer = threading.Timer(patience, process.kill)
    timer.start()
    try:
        while time.monotonic() < end:
            if turns and turns[0][0] in seen[looked:]:
                looked = seen.index(turns[0][0], looked) + len(turns[0][0])
                typed = turns.pop(0)[1]
                if typed:  # readline misses what comes while it echoes a letter or draws its prompt
                    time.sleep(0.3)
                os.write(ours, typed.encode())
                continue
            try:
                seen += os.read(ours, 65536).decode(errors="replace")
            except OSError:
                break
    finally:
        timer.cancel()
        os.close(ours)
    assert not turns, (turns, seen)
    return process.wait(), seen


def leads(terminal):
    """This process leads a session whose terminal is this one: a Ctrl-C typed there reaches it."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it


def test_ctrl_c_ends_the_reply_then_the_talk():
    turns = [
        ("> ", "one\n"),
        ("thinking about 'one'", "\x03"),
        ("(stopped)", ""),
        ("> ", "half a line"),
        ("half a line", "\x03"),
        ("> ", "more\\\n"),
        ("… ", "\x03"),
        ("> ", "two\n"),
        ("thinking about 'two'", "\x03"),
        ("> ", "\x03"),
    ]
    code, seen = talk([sys.executable, "-c", TALK], turns)
    assert code == 130, seen
    assert seen.count("(stopped)") == 2 and "Traceback" not in seen
    assert seen.rstrip().endswith("interrupted.")


def test_ctrl_c_ends_a_talk_in_a_pipe(monkeypatch, capsys):
    from minirlhf.cli import chat

    class Slow:
        def __init__(self, command): ...

        def answer(self, line):
            raise KeyboardInterrupt

    monkeypatch.setattr(chat, "Conversation", Slow)
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    assert cli.main(["chat", "small"]) == 130
    assert capsys.readouterr().err == "\ninterrupted.\n"
