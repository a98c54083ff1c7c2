"""What all widgets share: a view of ipywidgets' own parts, one picture, and its words.

A widget is drawn as a matplotlib `Figure` into an Image part. When it is displayed it leaves the
same picture a second time, as an output of its own: that one is still there where no kernel runs,
on GitHub, say. Where the live view shows, the page hides the copy.

Callbacks may come on any thread, so nothing here uses pyplot, prints, or changes matplotlib's
settings: every colour and size is said aloud.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import ipywidgets as parts
from IPython.display import display
from matplotlib.figure import Figure

from minirlhf.errors import MinirlhfError
from minirlhf.lesson import PIXELS, WIDE
from minirlhf.widgets.pictures import BAD, NEUTRAL, drawing, render, sign
from minirlhf.widgets.still import Still, bundle
from minirlhf.widgets.words import say

_STYLE = f"""<style>
.minirlhf {{ max-width: {round(WIDE[0] * PIXELS)}px; overflow: visible; }}
.minirlhf > * {{ flex: 0 0 auto; }}
.minirlhf img {{ border-radius: 6px; max-width: 100%; height: auto; }}
.minirlhf .widget-html-content, .minirlhf .jupyter-widget-html-content {{ line-height: 1.45; }}
.minirlhf-row {{ flex-flow: row wrap; align-items: center; gap: 2px 10px; }}
.minirlhf-words {{ font-size: 90%; opacity: .85; }}
.minirlhf-chip {{ display: inline-block; border-radius: 4px; padding: 0 7px; margin: 1px 2px;
  font-size: 92%; white-space: nowrap; }}
.minirlhf-cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr));
  gap: 8px; margin: 4px 0; }}
.minirlhf-card {{ border: 1px solid rgba(128, 128, 128, .45); border-radius: 6px;
  padding: 6px 10px; overflow-wrap: anywhere; }}
.minirlhf-text {{ white-space: pre-wrap; max-height: 12em; overflow-y: auto; }}
.minirlhf-small {{ font-size: 88%; opacity: .8; }}
.minirlhf table {{ border-collapse: collapse; }}
.minirlhf td, .minirlhf th {{ padding: 1px 10px 1px 0; text-align: left; vertical-align: top; }}
.jp-OutputArea-child:has(.minirlhf) + .jp-OutputArea-child:has(.jp-RenderedImage) {{
  display: none; }}
</style>"""


class Board:
    """A widget: `view` on the page, `picture` in it, `words` that say what the picture shows.

    A kind of widget makes its parts, calls `arrange` and says in `draw` what there is to see.
    """

    source = "live"
    """Where what is drawn comes from, at the foot of the picture; empty where `draw` says it."""
    heading = ""
    """What the copy has above the picture: on the page a part of its own says it."""

    def __init__(self):
        self.image = parts.Image(format="png", layout={"width": "100%", "height": "auto"})
        self.caption = parts.HTML()
        self.caption.add_class("minirlhf-words")
        self.view = parts.VBox()
        self.view.add_class("minirlhf")
        self.words = ""
        self._still: Any = None
        self._quiet = False

    def arrange(self, *children: parts.Widget) -> None:
        """Put the parts beneath one another and draw for the first time."""
        self.view.children = (parts.HTML(_STYLE, layout={"height": "0px"}), *children)
        self.refresh()

    def draw(self) -> tuple[Figure, str]:
        """The picture as it should be now, and in words what one sees."""
        raise NotImplementedError

    def refresh(self, _: Any = None) -> None:
        """Draw again; as an observer it takes the change that it is called with."""
        if self._quiet:
            return
        with drawing:
            figure, self.words = self.draw()
            if self.source:
                sign(figure, self.source)
            picture = render(figure)
        self.image.value = picture
        self.caption.value = html.escape(self.words)
        self.leave_picture()

    def texts(self) -> list[tuple[str, str]]:
        """Texts that stand beside the picture, under titles: the copy has them beneath it."""
        return []

    def leave_picture(self) -> None:
        """Bring the copy that needs no kernel up to date."""
        if self._still is not None:
            self._still.update(*bundle(self))

    @property
    def picture(self) -> bytes:
        """What is drawn, as PNG."""
        return bytes(self.image.value)

    def _ipython_display_(self, **_: Any) -> None:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.view.model_id}
        display(
            {"application/vnd.jupyter.widget-view+json": view, "text/plain": self.words}, raw=True
        )
        self._still = Still()
        self._still.show(*bundle(self))


# --------------------------------------------------------------------------------- small HTML parts


def chip(text: str, colors: tuple[str, str] = NEUTRAL) -> str:
    """A short text on a ground of its own, as HTML."""
    ink, ground = colors
    style = f"color:{ink};background:{ground}"
    return f'<span class="minirlhf-chip" style="{style}">{html.escape(text)}</span>'


def text(content: str) -> str:
    """Somebody's text as HTML, with its line breaks."""
    return f'<div class="minirlhf-text">{html.escape(content.rstrip())}</div>'


def small(content: str) -> str:
    return f'<div class="minirlhf-small">{html.escape(content)}</div>'


def cards(contents: list[str]) -> str:
    """Cards of HTML side by side, as many as the page has room for."""
    inner = "".join(f'<div class="minirlhf-card">{content}</div>' for content in contents)
    return f'<div class="minirlhf-cards">{inner}</div>' if contents else ""


def card(sample: Mapping[str, Any]) -> str:
    """A sampled text as HTML: ``prompt``, ``response``, ``score``, and whether it ``finished``."""
    ends = chip(say("desk.unfinished"), BAD) if sample.get("finished") is False else ""
    score = chip(say("desk.score", score=f"{sample['score']:+.2f}")) if "score" in sample else ""
    return small(sample["prompt"]) + text(sample["response"]) + score + ends


def close_all(part: parts.Widget) -> None:
    """Let a part and all within it go: the kernel and the page keep what isn't closed."""
    for inner in getattr(part, "children", ()):
        close_all(inner)
    for own in ("layout", "style"):
        if isinstance(getattr(part, own, None), parts.Widget):
            getattr(part, own).close()
    part.close()


def alert(error: Exception | str) -> str:
    """What went wrong, as HTML that a screen reader reads out."""
    if isinstance(error, Exception) and not isinstance(error, MinirlhfError):
        error = f"{type(error).__name__}: {error}"
    return f'<div role="alert">{chip("!", BAD)} {html.escape(str(error))}</div>'


def row(*children: parts.Widget) -> parts.Box:
    """Parts beside one another, wrapped where the page is narrow."""
    box = parts.Box(children)
    box.add_class("minirlhf-row")
    return box


def button(label: str, icon: str) -> parts.Button:
    """A button as wide as its label."""
    return parts.Button(description=label, tooltip=label, icon=icon, layout={"width": "auto"})


def slider(label: str, kind: type = parts.FloatSlider, **options: Any) -> parts.Widget:
    """A slider with its label in front; it answers when it is let go unless told otherwise."""
    options = {"continuous_update": False, "layout": {"width": "340px"}} | options
    style = {"description_width": "110px"}
    return kind(description=label, style=style, **options)


# ------------------------------------------------------------------------------------------ figures
