"""A widget in Chromium without a notebook: its page code, and its state here in this process.

    bare = BarePage(browser, RankingExplorer())      # the page and the Python object talk
    bare.page.locator("…").click(); bare.widget.scores
    bare.push()                                       # after a change made in Python
    bare.screenshot("explorer.png", dark=True)

It stands in for Jupyter's part: models with `get`, `set`, `on`, `save_changes` and `send`, and what
Python tells by itself: traits that it announces, and messages. These arrive with `push`, or with
the answer to what the page says. What is particular to a host (its style sheet, its focus, its
outputs) is left to the tests with JupyterLab.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

HOST = """
window.widgets = [];
window.show = async ({ esm, css, state, at }) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = await import(url);
  const handlers = [], changed = new Set(), latest = {};
  const emit = (name, ...rest) =>
    handlers.filter((one) => one.name === name).forEach((one) => one.call(...rest));
  const take = (values) => {
    for (const [name, value] of Object.entries(values)) state[name] = value;
    for (const name of Object.keys(values)) emit(`change:${name}`);
    emit("change");
  };
  const hear = ({ values, messages }) => {
    take(values);
    for (const content of messages) emit("msg:custom", content, []);
  };
  const model = {
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
      changed.add(name);
      take({ [name]: value });
    },
    on: (name, call) => handlers.push({ name, call }),
    off: (name, call) => {
      for (let k = handlers.length - 1; k >= 0; k--) {
        const one = handlers[k];
        if (one.name === name && (!call || one.call === call)) handlers.splice(k, 1);
      }
    },
    async save_changes() {
      const values = Object.fromEntries([...changed].map((name) => [name, state[name]]));
      changed.clear();
      window.saves = (window.saves ?? 0) + 1;
      for (const name of Object.keys(values)) latest[name] = window.saves;
      const mine = window.saves;
      const news = await window.toPython(JSON.stringify({ at, values }));
      await new Promise((go) => setTimeout(go, 40)); // no kernel answers at once
      // ipywidgets 8 echoes what it was sent, unless something newer is on its way
      const echo = Object.entries(values).filter(([name]) => latest[name] === mine);
      hear({ ...news, values: { ...Object.fromEntries(echo), ...news.values } });
    },
    async send(content) {
      hear(await window.toPython(JSON.stringify({ at, content })));
    },
  };
  const el = document.createElement("div");
  document.body.append(el);
  const end = await module.default.render({ model, el });
  window.widgets[at] = { model, el, hear, handlers, end };
};
"""
LAB = {
    False: "--jp-layout-color0:#fff;--jp-content-font-color0:#000;",
    True: "--jp-layout-color0:#111;--jp-content-font-color0:#fff;",
}
"""JupyterLab's grounds and inks, by whether it is dark."""


class BarePage:
    """A page that shows one widget or several."""

    def __init__(
        self, browser: Browser, *shown: Any, width: int = 860, height: int = 900,
        dark: bool = False, **context: Any,
    ):  # fmt: skip
        self.widgets, self.sent = shown, [dict(one.get_state()) for one in shown]
        self.announced: list[set[str]] = [set() for _ in shown]
        self.messages: list[list[Any]] = [[] for _ in shown]
        for at, one in enumerate(shown):
            self._listen(at, one)
        viewport = {"width": width, "height": height}
        self.context = browser.new_context(viewport=viewport, **context)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console", lambda said: said.type == "error" and self.problems.append(said.text)
        )
        self.page.expose_function("toPython", self._hear)
        self.page.set_content(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Widget</title>'
            "</head><body><main></main></body></html>"
        )
        self.page.add_script_tag(content=HOST)
        self.theme(dark)
        for at, one in enumerate(shown):
            state = {**self.sent[at], "_esm": None, "_css": None}
            part = {"esm": str(one._esm), "css": str(one._css), "state": state, "at": at}
            self.page.evaluate("part => window.show(part)", json.loads(json.dumps(part)))
        self.page.wait_for_timeout(50)

    @property
    def widget(self) -> Any:
        return self.widgets[0]

    def theme(self, dark: bool) -> None:
        """As JupyterLab's light or dark theme has it."""
        self.page.evaluate(
            """([light, style]) => {
              document.body.dataset.jpThemeLight = light;
              const ground = "background:var(--jp-layout-color0);margin:16px";
              document.body.style.cssText = style + ground;
            }""",
            [str(not dark).lower(), LAB[dark]],
        )

    def push(self) -> None:
        """Let the page know what has changed in Python."""
        for at in range(len(self.widgets)):
            news = self._news(at)
            self.page.evaluate("([at, news]) => window.widgets[at].hear(news)", [at, news])

    def screenshot(self, path: str | Path) -> None:
        self.page.screenshot(path=str(path), full_page=True)

    def close(self) -> None:
        self.context.close()

    def _hear(self, message: str) -> dict[str, Any]:
        told = json.loads(message)
        at = told["at"]
        if "values" in told:
            self.widgets[at].set_state(told["values"])
            self.sent[at].update(told["values"])
        else:
            self.widgets[at]._handle_custom_msg(told["content"], [])
        return self._news(at)

    def _listen(self, at: int, one: Any) -> None:
        """Keep what a widget tells, on whatever thread, until the page can be told."""
        one.observe(lambda change: self.announced[at].add(change["name"]))
        send, send_state = one.send, one.send_state

        def tell(*message: Any) -> None:
            self.messages[at].append(message[0])
            send(*message)

        def anew(key: Any = None) -> None:
            for name in [key] if isinstance(key, str) else key or one.keys:
                self.announced[at].add(name)
                self.sent[at].pop(name, None)
            send_state(key)

        one.send, one.send_state = tell, anew

    def _news(self, at: int) -> dict[str, Any]:
        """Announced values that the page hasn't got, and messages. What a list gained in place
        isn't announced: no kernel would send it.
        """
        announced, self.announced[at] = self.announced[at], set()
        messages, self.messages[at] = self.messages[at], []
        state, sent = self.widgets[at].get_state(), self.sent[at]
        values = {
            name: value
            for name, value in state.items()
            if name in announced and (name not in sent or value != sent[name])
        }
        sent.update(values)
        return json.loads(json.dumps({"values": values, "messages": messages}))
