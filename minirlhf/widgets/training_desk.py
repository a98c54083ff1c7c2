"""The training desk: watch a run's folder and steer what trains there.

It knows nothing but the folder (`control.json` is how it speaks, the log is how it is answered), so
a run of this notebook, of another one and of a terminal are the same to it, and so is one that
ended long ago. The page draws; it is sent numbers, and of a run that goes on the new ones alone.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import traitlets
from matplotlib.figure import Figure

from minirlhf import shipped
from minirlhf.errors import MinirlhfError
from minirlhf.lesson import on_colab
from minirlhf.report.charts import INK, PALETTE
from minirlhf.widgets.curves import Numbers, common, news, numbers, thinned, written
from minirlhf.widgets.desk_picture import draw_curves
from minirlhf.widgets.launch import Job
from minirlhf.widgets.live_widget import LiveWidget, sentence
from minirlhf.widgets.notebook_kernel import Cell, Pulse, cell, stay
from minirlhf.widgets.run_reader import LIVE, Reader
from minirlhf.widgets.run_state import about
from minirlhf.widgets.words import say

GROUPS = 128
"""Steps whose samples the page gets at most."""
FIRST = 2
"""Curves that are described in words; the page shows as many before it is asked for more."""
_shown: list[TrainingDesk] = []
"""The desks on the page: running a cell again replaces those that it showed."""


class TrainingDesk(LiveWidget):
    """Curves, sample texts and the levers of the run in ``folder``, live or in replay.

    ``folder`` may also be the `Job` that `start` returns: the desk can then let a run that was
    stopped go on. ``note`` says where the run comes from (default: live or recorded). ``ghost`` is
    the folder of another run, such as a shipped one, whose curves are drawn behind, and whose
    replies to the same prompts are compared. The folder is looked at every ``interval`` seconds.
    """

    scripts = (
        "axes.js", "curve_panel.js", "changed_words.js", "desk_head.js", "desk_samples.js",
        "training_desk.js",
    )  # fmt: skip
    styles = ("training_desk.css",)
    speaks = ("desk",)
    source = ""  # the picture's title says it

    run = traitlets.Dict().tag(sync=True)
    """What the run is doing and may be told; see `run_state.about`."""
    curves = traitlets.List().tag(sync=True)
    """Its `curves.numbers`. They grow in place: the page is sent `curves.news` of them, and one
    that opens later reads them whole.
    """
    texts_by_step = traitlets.List().tag(sync=True)
    """``[step, samples]``; they grow as the curves do."""
    ghost = traitlets.Dict().tag(sync=True)
    color = traitlets.Unicode("var(--mr-ink)").tag(sync=True)
    at = traitlets.Int(None, allow_none=True).tag(sync=True)
    """The step that somebody looks at; None goes along with the run."""
    more = traitlets.Bool(False).tag(sync=True)
    """Whether the page shows all curves."""

    def __init__(
        self,
        folder: str | Path | Job,
        *,
        note: str = "",
        ghost: str | Path | None = None,
        interval: float = 1.0,
    ):
        self.job = folder if isinstance(folder, Job) else Job(folder, [])
        self.reader: Reader = self.job.reader
        self.note = note
        self._reading = threading.RLock()
        self.pulse = Pulse(self._beat, interval)
        self.shown_in = Cell(None, 0)
        curves, self._theirs = _ghost(ghost)
        super().__init__(ghost=curves)
        self.look()

    # ------------------------------------------------------------------------------ the run's side

    @property
    def state(self) -> str:
        """absent, starting, running, paused, stopping, stopped, interrupted or finished."""
        state = self.reader.state
        if state in LIVE or state == "finished" or not self.job.is_starting:
            return state
        return "stopping" if state == "stopped" else "starting"  # its process has yet to end

    def look(self) -> bool:
        """Read the folder and show what is new. Returns whether more may come."""
        with self._reading:
            self.reader.look()
            state = self.state
            model = _model(self.reader)
            self.color = f"var(--mr-{model or 'ink'})"
            self._paint = PALETTE.get(model, INK)
            self.run = about(self.job, state, self.note)
            self._grow()
        return state != "finished"

    def _grow(self) -> None:
        """Send what the page hasn't got."""
        now, groups = numbers(self.reader), self.reader.groups()
        kept = [self._beside(*groups[at]) for at in thinned(len(groups), GROUPS)]
        fresh = news(self.curves, now)
        if fresh is None or not self.texts_by_step:
            self.curves, self.texts_by_step = now, kept
            return
        same = common(self.texts_by_step, kept)
        if now == self.curves and same == len(kept) == len(self.texts_by_step):
            return
        self.curves[:], self.texts_by_step[:] = now, kept
        self.send({"do": "news", "curves": fresh, "texts": {"from": same, "added": kept[same:]}})
        self._change({"name": "curves"})

    def _beside(self, step: int, samples: list[dict[str, Any]]) -> list[Any]:
        """A step's samples, each with what the other run said then to the same prompt, if it did:
        with the same seed both draw alike, so the replies differ as the policies do.
        """
        theirs = {sample["prompt"]: sample["response"] for sample in self._theirs.get(step, ())}
        return [
            step,
            [
                {**sample, "other": theirs[sample["prompt"]]}
                if sample["prompt"] in theirs
                else sample
                for sample in samples
            ],
        ]

    def act_whole(self) -> None:
        """The page missed something."""
        self.send_state(["curves", "texts_by_step"])

    def _beat(self) -> bool:
        """`look` on a thread, where nobody would hear of an error."""
        try:
            return self.look()
        except Exception as error:
            self.problem = sentence(error)
            return True

    # --------------------------------------------------------------------------- the reader's side

    def act_steer(self, **settings: Any) -> None:
        """Let the run obey: ``beta``, ``gamma``, ``pause`` or ``stop``."""
        if "gamma" in settings:
            settings["ptx_gamma"] = settings.pop("gamma")
        with self._reading:
            self.reader.steer(**settings)
            self.look()

    def act_stop(self) -> None:
        self.act_steer(stop=True)

    def act_hold(self) -> None:
        """Pause, resume, or let a run go on that was stopped: whatever the button says."""
        if self.state in ("interrupted", "stopped", "absent"):
            if not self.job.arguments:
                raise MinirlhfError(say("desk.again"))
            self.job.start()
            self.look()
            self.pulse.start()
        else:
            self.act_steer(pause=None if self.reader.control().get("pause") else True)

    # ------------------------------------------------------------------------------------- the copy

    @property
    def step(self) -> int | None:
        """The logged step that is shown; None before there is one."""
        steps = self.curves[0]["x"] if self.curves else []
        past = [step for step in steps if self.at is None or step <= self.at]
        return (past or steps or [None])[-1 if past else 0]

    @property
    def words(self) -> str:
        """The first curves' values at the step shown."""
        if self.step is None:
            return say("desk.empty")
        values = [
            curve["said"].replace("{value}", _value(curve, self.step))
            for curve in self.curves[:FIRST]
        ]
        at = say(f"desk.at.{self.run['unit']}", step=self.step)
        return say("desk.words", at=at, values=say("desk.and").join(values))

    def draw(self) -> Figure:
        """Curves up to the step shown in colour, what came after it pale."""
        return draw_curves(
            self.curves,
            self.ghost.get("curves", {}),
            now=self.step or 0,
            end=max(self.run["total"] or 0, *(curve["x"][-1] for curve in self.curves), 1),
            title=f"{self.run['name']} · {self.run['note']}",
            unit=say(f"desk.units.{self.run['unit']}"),
            color=self._paint,
        )

    def texts(self) -> list[tuple[str, str]]:
        """The samples of the step shown."""
        past = [texts for step, texts in self.texts_by_step if step <= (self.step or 0)]
        return [(sample["prompt"], sample["response"]) for sample in (past or [()])[-1]]

    # -------------------------------------------------------------------------------------- display

    def _ipython_display_(self, **options: Any) -> None:
        self.shown_in, folder = cell(), self.reader.folder.resolve()
        for other in [desk for desk in _shown if desk is not self]:
            same_folder = other.reader.folder.resolve() == folder
            same_cell = other.shown_in.name == self.shown_in.name
            run_again = self.shown_in.name is not None and other.shown_in.run != self.shown_in.run
            if same_cell and (same_folder or run_again):
                other.close() if run_again else other.pulse.stop()
                _shown.remove(other)
        if self not in _shown:
            _shown.append(self)
        self.look()
        super()._ipython_display_(**options)
        if on_colab():
            stay(lambda: self.look() and (self.state in LIVE or self.state == "starting"), 0.5)
        elif self.state != "finished":
            self.pulse.start()

    def close(self) -> None:
        """Look no more, and leave the page."""
        self.pulse.stop()
        super().close()


def _value(curve: Numbers, step: int) -> str:
    """The curve's value at a step, as the page writes it."""
    past = [y for x, y in zip(curve["x"], curve["y"], strict=True) if x <= step]
    return written((past or curve["y"])[-1 if past else 0], curve["digits"])


def _ghost(folder: str | Path | None) -> tuple[dict[str, Any], dict[int, list[dict[str, Any]]]]:
    """Another run's curves by metric, with what it is called; and its samples by step."""
    if folder is None:
        return {}, {}
    reader = Reader(folder)
    reader.look()
    if not reader.rows:
        raise MinirlhfError(f"{folder} holds no run to draw behind this one: check the path.")
    found = {curve["metric"]: curve for curve in numbers(reader)}
    ours = reader.folder.resolve().parent == shipped.FOLDER.resolve()
    words = say("desk.ghost" if ours else "desk.ghost_other", name=reader.folder.name)
    return {"curves": found, "words": words}, dict(reader.groups())


def _model(reader: Reader) -> str:
    """The model that the run makes, by its name in the palette; a reward model has no colour."""
    if reader.stage == "ppo":
        return "ppo-ptx" if reader.config.get("ptx_gamma") else "ppo"
    if reader.stage == "sft":
        return "initial" if reader.config.get("pretrain_mix") else "sft"
    return "base" if reader.stage == "pretrain" else ""
