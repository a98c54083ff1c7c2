"""The training desk: watch a run's folder and steer what trains there.

It knows nothing but the folder (`control.json` is how it speaks, the log is how it is answered), so
a run of this notebook, of another one and of a terminal are the same to it, and so is one that
ended long ago: the slider goes back through the steps.
"""

from __future__ import annotations

import html
import math
import threading
from pathlib import Path
from typing import Any

import ipywidgets as parts
from matplotlib.figure import Figure

from minirlhf.lesson import on_colab
from minirlhf.widgets.base import Board, alert, button, card, cards, chip, row, say, slider
from minirlhf.widgets.curves import draw_curves
from minirlhf.widgets.launch import Job
from minirlhf.widgets.notebook_kernel import Pulse, cell, stay
from minirlhf.widgets.pictures import BAD, GOOD, NEUTRAL
from minirlhf.widgets.run_reader import LIVE, Reader

ENDED = {"finished": GOOD, "interrupted": BAD, "stopped": BAD}
_shown: list[TrainingDesk] = []
"""The desks on the page: running a cell again replaces those that it showed."""


class TrainingDesk(Board):
    """Curves, sample texts and the levers of the run in ``folder``, live or in replay.

    ``folder`` may also be the `Job` that `start` returns: the desk can then let a run that was
    stopped go on. ``note`` says in the picture's title where the run comes from (default: live or
    finished). The folder is looked at every ``interval`` seconds.
    """

    source = ""  # the picture's title says it

    def __init__(self, folder: str | Path | Job, *, note: str = "", interval: float = 1.0):
        super().__init__()
        self.job = folder if isinstance(folder, Job) else Job(folder, [])
        self.reader: Reader = self.job.reader
        self.note = note
        self.state = ""
        self._reading = threading.RLock()
        self._follows = True
        self._was_live = False
        self.pulse = Pulse(self._beat, interval)

        self.status = parts.HTML()
        self.hold = button(say("desk.pause"), "pause")
        self.stop = button(say("desk.stop"), "stop")
        self.beta = slider(say("desk.beta"), parts.FloatLogSlider, step=0.05)
        self.gamma = slider(say("desk.gamma"), readout_format=".3g")
        self.play = parts.Play(interval=300, layout={"width": "150px"})
        self.step = slider(say("desk.step"), parts.IntSlider, min=1, max=1, continuous_update=True)
        self.said = parts.HTML()
        parts.link((self.play, "value"), (self.step, "value"))
        self.hold.on_click(self._hold_or_go_on)
        self.stop.on_click(lambda _: self._steer(stop=True))
        self.beta.observe(lambda change: self._steer(beta=change["new"]), "value")
        self.gamma.observe(lambda change: self._steer(ptx_gamma=change["new"]), "value")
        self.step.observe(self._move, "value")
        self.levers = row(self.beta, self.gamma)
        self.replay = row(self.step, self.play)
        self.look(draw=False)
        self.arrange(
            row(self.hold, self.stop, self.status),
            self.levers,
            self.image,
            self.caption,
            self.replay,
            self.said,
        )

    # ------------------------------------------------------------------------------ the run's side

    def look(self, draw: bool = True) -> bool:
        """Read the folder and show what is new. Returns whether more may come."""
        with self._reading:
            self._quiet = True
            try:
                changed = self.reader.look()
                self.state = self._state()
                if changed:
                    self._follow()
                self._show_levers()
                self._show_state()
            finally:
                self._quiet = False
            live = self.state in LIVE
            if draw and (changed or live != self._was_live):
                self._was_live = live
                self.refresh()
        return self.state != "finished"

    def _beat(self) -> bool:
        """`look` on a thread, where nobody would hear of an error."""
        try:
            return self.look()
        except Exception as error:
            self.status.value = alert(f"{type(error).__name__}: {error}")
            return True

    def close(self) -> None:
        """Look no more."""
        self.pulse.stop()

    def _state(self) -> str:
        state = self.reader.state
        if state not in LIVE and state != "finished" and self.job.is_starting:
            return "starting"
        return state

    def _follow(self) -> None:
        """Move the slider along with the run, unless it was moved back."""
        rows = self.reader.rows
        if not rows:
            return
        low, high = rows[0]["step"], max(rows[-1]["step"], rows[0]["step"])
        for part in (self.step, self.play):
            if low > part.max:
                part.max = high
            part.min = low
            part.max = high
        if self._follows or self.step.value > self.step.max:
            self.step.value = self.step.max
        self._show_texts()

    def _show_state(self) -> None:
        rows, total, state = self.reader.rows, self.reader.total, self.state
        words = [chip(say(f"desk.state.{state}"), ENDED.get(state, NEUTRAL))]
        if rows:
            last = rows[-1]
            known = "desk.progress" if total else "desk.progress_open"
            words.append(say(known, step=last["step"], total=total))
            if total and state == "running" and len(rows) > 1:
                first = rows[max(len(rows) - 11, 0)]
                pace = (last["time"] - first["time"]) / max(last["step"] - first["step"], 1)
                words.append(say("desk.left", time=_duration(pace * (total - last["step"]))))
        if state in ("interrupted", "stopped") and not self.job.arguments:
            words.append(say("desk.again"))
        _set(self.status, value=" ".join(words) + (alert(self.job.error) if self.job.error else ""))

    def _show_levers(self) -> None:
        """Buttons and sliders as the run is, whoever has steered it."""
        state, config, control = self.state, self.reader.config, self.reader.control()
        again = state in ("interrupted", "stopped", "absent") and bool(self.job.arguments)
        paused = bool(control.get("pause"))
        label = "desk.continue" if again else "desk.resume" if paused else "desk.pause"
        icon = "play" if again or paused else "pause"
        _set(self.hold, description=say(label), icon=icon)
        _set(self.hold, disabled=not again and state not in ("running", "paused"))
        _set(self.stop, disabled=state not in ("running", "paused"))
        beta, gamma = config.get("beta"), config.get("ptx_gamma")
        _set(self.levers.layout, display="" if beta or gamma else "none")
        _set(self.beta.layout, display="" if beta else "none")
        _set(self.gamma.layout, display="" if gamma else "none")
        if beta:
            middle = math.log10(beta)
            _set(self.beta, min=middle - 2, max=middle + 2)
            _set(self.beta, value=control.get("beta", beta), disabled=state == "finished")
        if gamma:
            _set(self.gamma, max=10 * gamma, step=gamma / 20)
            _set(self.gamma, value=control.get("ptx_gamma", gamma), disabled=state == "finished")

    def _show_texts(self) -> None:
        shown = self.reader.samples(self.step.value)
        title = f"<b>{html.escape(say('desk.samples', step=shown[0]['step']))}</b>" if shown else ""
        _set(self.said, value=title + cards([card(sample) for sample in shown]))
        _set(self.replay.layout, display="" if len(self.reader.rows) > 1 else "none")

    # --------------------------------------------------------------------------- the reader's side

    def _move(self, change: dict[str, Any]) -> None:
        """Somebody moves the slider of steps."""
        with self._reading:
            if not self._quiet:
                self._follows = change["new"] >= self.step.max
                self._show_texts()
                self.refresh()

    def _steer(self, **settings: Any) -> None:
        with self._reading:  # on another thread this waits until `look` is done
            if not self._quiet:
                self.reader.steer(**settings)
                self.look()

    def _hold_or_go_on(self, _: parts.Button) -> None:
        if self.state in ("interrupted", "stopped", "absent"):
            self.job.start()
            self.look()
            self.pulse.start()
        else:
            self._steer(pause=None if self.reader.control().get("pause") else True)

    # ---------------------------------------------------------------------------------- the picture

    def draw(self) -> tuple[Figure, str]:
        """Curves up to the chosen step in colour, what came after it pale."""
        # what stands in a picture is English: a font may have no other letters
        source = self.note or ("live" if self.state in LIVE else "recorded")
        title = f"{self.reader.folder.name} · {source}"
        figure, values = draw_curves(self.reader, self.step.value, title)
        if not values:
            return figure, say("desk.empty")
        return figure, say("desk.words", step=self.step.value, values=", ".join(values))

    def texts(self) -> list[tuple[str, str]]:
        """The samples of the step shown."""
        shown = self.reader.samples(self.step.value)
        return [(sample["prompt"], sample["response"]) for sample in shown]

    # -------------------------------------------------------------------------------------- display

    def _ipython_display_(self, **options: Any) -> None:
        self.shown_in, folder = cell(), self.reader.folder.resolve()
        for other in [desk for desk in _shown if desk is not self]:
            same_folder = other.reader.folder.resolve() == folder
            same_cell = other.shown_in.name == self.shown_in.name
            run_again = self.shown_in.name is not None and other.shown_in.run != self.shown_in.run
            if same_cell and (same_folder or run_again):
                other.close()
                _shown.remove(other)
        if self not in _shown:
            _shown.append(self)
        self.look()
        super()._ipython_display_(**options)
        if on_colab():
            stay(lambda: self.look() and (self.state in LIVE or self.state == "starting"), 0.5)
        elif self.state != "finished":
            self.pulse.start()


def _set(part: Any, **values: Any) -> None:
    """Set what differs: each assignment is a message to the page."""
    for name, value in values.items():
        if getattr(part, name) != value:
            setattr(part, name, value)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
