"""The base of what one can touch: state and numbers in Python, drawn by the page.

A kind of widget is three things.

1. A class here, with its state as traits that are synced, and its numbers as plain methods:

        class Coin(LiveWidget):
            scripts = ("equations.js", "coin.js")   # files of page/, joined after common.js
            styles = ("coin.css",)                  # after design.css and widgets.css
            speaks = ("coin",)                      # prefixes in labels.toml

            heads = traitlets.Int(0).tag(sync=True)

            def act_toss(self, times: int) -> None: # what the page asks for by view.act("toss", …)
                self.heads += …

            @property
            def words(self) -> str: …               # what there is to see, for those who don't
            def draw(self) -> Figure | None: …      # the copy's picture; None where words do

   What the page may get wrong is refused by a `traitlets.validate`, or by a MinirlhfError from
   ``act_…``: its sentence shows up as ``problem``. ``busy`` says what is being done, if it takes
   long. Nothing else is needed for errors, waiting, the copy, or words in two languages.

2. ``page/coin.js``, plain JavaScript of at most 300 lines. `elements.js` and `common.js` have
   the tools: read them first, they are short. It ends in

        export default widget((view) => {
          const figure = make("svg", { role: "group", "aria-label": view.say("coin.title") });
          const toss = () => view.act("toss", { times: 1 });
          view.root.append(figure, button(view.say("coin.toss"), toss, "primary"));
          view.on("heads", draw);                   // wherever the change comes from
          view.fit(figure, (width) => …);           // now, and when the page is resized
        });

   While something is dragged: ``view.set({ heads: 3 }, false)``, and once more without the false
   when it is let go. All of a widget's page is inside `view.root`; several may be on one page, so
   there is no global state and no id but those that `field` makes. Focus never leaves the widget
   to the notebook's shortcuts.

3. ``page/coin.css`` if design.css (which see: ``.mr-button``, ``.mr-field``, ``.mr-card``,
   ``.mr-chip`` …) isn't enough; every rule begins with a class of the widget's own.

Colours are variables of design.css, never literals. A test sets a trait and reads another, or calls
``act_…``, without a browser; `picture` draws the copy at once.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from IPython.display import display
from matplotlib.figure import Figure

from minirlhf.errors import MinirlhfError
from minirlhf.report.design import design
from minirlhf.widgets import still
from minirlhf.widgets.pictures import drawing, render, sign
from minirlhf.widgets.still import Still, bundle
from minirlhf.widgets.words import say

PAGE = Path(__file__).parent / "page"


class LiveWidget(anywidget.AnyWidget):
    """A widget that the page draws. Callbacks may come on any thread: no pyplot, no prints."""

    scripts: ClassVar[tuple[str, ...]] = ()
    styles: ClassVar[tuple[str, ...]] = ()
    speaks: ClassVar[tuple[str, ...]] = ()
    source = "live"
    """Where what is drawn comes from, at the foot of the copy; empty where `draw` says it."""
    heading = ""
    """What the copy has above the picture."""

    problem = traitlets.Unicode().tag(sync=True)
    """What went wrong, in a sentence."""
    busy = traitlets.Unicode().tag(sync=True)
    """What is being done, while it takes long."""
    _labels = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **options: Any) -> None:
        if "scripts" in cls.__dict__:  # anywidget makes a class of every instance
            look = f"const DESIGN = {json.dumps(design())};\n"  # once on a page, before the rest
            cls._esm = look + joined("elements.js", "common.js", *cls.scripts)
            cls._css = joined("widgets.css", *cls.styles)
        super().__init_subclass__(**options)

    def __init__(self, **state: Any):
        super().__init__(_labels=say.under(*self.speaks), **state)
        self._still: Still | None = None
        self.on_msg(self._hear)
        self.observe(self._change)

    # ------------------------------------------------------------------------------- what one sees

    @property
    def words(self) -> str:
        """What there is to see now, in words."""
        raise NotImplementedError

    def draw(self) -> Figure | None:
        """The picture of the copy as it should be now; None where the words are enough."""
        return None

    def texts(self) -> list[tuple[str, str]]:
        """Texts that the copy has beneath the picture, under titles."""
        return []

    @property
    def picture(self) -> bytes:
        """The picture of the copy as it should be now, as PNG; empty if there is none."""
        with drawing:
            figure = self.draw()
            if figure is None:
                return b""
            if self.source:
                sign(figure, self.source)
            return render(figure)

    def leave_picture(self) -> None:
        """Draw the copy that needs no kernel now, if anything has changed since it was drawn."""
        if self._still is not None and not still.settled(self):
            self._still.update(*bundle(self))

    def _ipython_display_(self, **_: Any) -> None:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        # where no widget shows, the copy says it all
        display({"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}, raw=True)
        self._still = Still()
        self._still.show(*bundle(self))

    # ------------------------------------------------------------------------- what the page tells

    def _change(self, change: dict[str, Any]) -> None:
        if self._still is not None and change["name"] in self.keys:
            still.wait(self)

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        """Do what the page asks for: its ``act_…`` by name, or to draw the copy."""
        values = dict(content) if isinstance(content, dict) else {}
        name = values.pop("do", None)
        if name == "rest":
            self.leave_picture()
        elif act := getattr(self, f"act_{name}", None):
            self.problem = ""
            try:
                act(**values)
            except Exception as error:  # it would vanish in the kernel's log
                self.problem = sentence(error)

    def close(self) -> None:
        """Leave page and kernel; the copy stays as it is."""
        still.settled(self)
        self._still = None
        if self.comm is not None:
            self.layout.close()
        super().close()


def sentence(error: Exception) -> str:
    """What a reader is told of an error: ours are sentences already."""
    ours = isinstance(error, MinirlhfError)
    return str(error) if ours else f"{type(error).__name__}: {error}"


@cache
def joined(*names: str) -> str:
    """Files of the page's folder, one after another: the parts of one module or style sheet."""
    return "\n".join((PAGE / name).read_text("utf-8") for name in names)
