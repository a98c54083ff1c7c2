// The training desk: curves over the whole run, what was said at each step, and the levers.
// Python owns the run; the page draws the numbers and remembers which step is looked at (`at`, null
// while it goes along with the run).

const FIRST = 2; // panels that are there without asking
const ROW = 3, NARROW = 220, GAP = 22; // panels in a row, at most; pixels of one, at least, and between
const PLAYED = 60, EVERY = 250; // steps of a playback, at most; milliseconds for each

// What will come, before anything has: the reward rises, and the KL is what that costs.
const COMING = [["reward", "M8 62C50 60 70 24 120 20S190 14 232 12"],
  ["kl", "M8 66C40 66 60 40 110 34S180 26 232 24"]];
const sketch = (view, name, d) => make("figure", { class: "mr-desk-sketch", "aria-hidden": "true" },
  make("figcaption", { class: "mr-small" }, view.say(`desk.curve.${name}`)),
  make("svg", { viewBox: "0 0 240 76" }, make("path", { class: "mr-axis", d: "M4 4V72H236" }),
    make("path", { class: "mr-desk-ghost", d })));

export default widget((view) => {
  const samples = deskSamples(view), top = deskHead(view);
  const grid = make("div", { class: "mr-desk-panels" });
  const waits = make("b"), empty = make("div", { class: "mr-desk-empty mr-words" }, make("div", {}, waits,
    make("p", {}, view.say("desk.coming"))), COMING.map((one) => sketch(view, ...one)));
  const more = button("", () => view.set({ more: !view.get("more") }), "link");
  const legend = make("p", { class: "mr-small mr-desk-keys" });
  const range = make("input", { type: "range", min: 0, step: 1, "aria-label": view.say("desk.step") });
  const play = button("▶", () => (playing ? halt() : start()));
  const where = make("output", { class: "mr-number mr-desk-where" });
  const caption = make("p", { class: "mr-words mr-desk-caption" });
  const aside = make("div", { class: "mr-row mr-desk-aside" }, caption, more, legend);
  const replay = make("div", { class: "mr-desk-replay" }, play, range, where);
  fill(view.root, top.root, empty, grid, replay, samples.root);
  more.classList.add("mr-desk-more");
  put(play, { "aria-label": view.say("desk.play"), class: "mr-button mr-desk-play" });

  let panels = [], steps = [], hovered = null, playing = 0;
  const index = () => (view.get("at") == null ? steps.length - 1
    : Math.max(lastBefore(steps, view.get("at")), 0));
  const go = (at, settled = true) => {
    const step = at >= steps.length - 1 ? null : steps[Math.max(at, 0)];
    view.set({ at: step }, settled);
  };

  // -------------------------------------------------------------------------------- the numbers

  // New points of curves and texts: from a place on, so that hearing it twice does no harm.
  function hear(message) {
    if (message.do !== "news") return;
    const put = (list, { from, added }) => list.length < from ? false
      : (list.splice(from, Infinity, ...added), true);
    const curves = view.get("curves");
    const whole = message.curves.every((news, at) => curves[at] && ["x", "y", "mean"].every((name) =>
      !news[name] || put(curves[at][name], { from: news.from, added: news[name] })));
    message.curves.forEach(({ held, digits, turns }, at) =>
      whole && Object.assign(curves[at], { held, digits, turns }));
    if (!whole || !put(view.get("texts_by_step"), message.texts)) return view.act("whole");
    redraw();
  }

  function span() {
    const { total } = view.get("run"), last = steps.at(-1) ?? 1;
    return [Math.min(steps[0] ?? 1, 1), Math.max(total ?? 0, last, (steps[0] ?? 1) + 1)];
  }

  // Panels of one size, as many in a row as there is room for; what goes with them stands in the
  // places that the last row leaves, or under it.
  function columns(shown) {
    const fit = Math.floor((grid.clientWidth + GAP) / (NARROW + GAP));
    const count = clamp(Math.min(fit, shown), 1, ROW), rest = shown % count;
    put(grid, { style: { "grid-template-columns": `repeat(${count}, minmax(0, 1fr))` } });
    put(aside, { style: { "grid-column": `${rest + 1} / -1` } });
    aside.classList.toggle("is-beside", rest > 0);
    return count;
  }

  function redraw() {
    const curves = view.get("curves"), ghost = view.get("ghost");
    steps = curves[0]?.x ?? [];
    const shown = curves.slice(0, view.get("more") ? undefined : FIRST);
    if (panels.length !== shown.length) {
      panels = shown.map(() => curvePanel(view, tell));
      fill(grid, panels.map((panel) => panel.root), aside);
    }
    aside.hidden = !shown.length;
    for (const one of [grid, samples.root]) put(one, { style: { "--model": view.get("color") } });
    empty.hidden = curves.length > 0;
    const { hold, error } = view.get("run"); // what failed to start has to be mended first
    waits.textContent = view.say(hold === "start" && !error ? "desk.press" : "desk.empty");
    const rest = curves.slice(FIRST).map((curve) => curve.title);
    more.hidden = !rest.length;
    more.textContent = view.get("more") ? view.say("desk.less")
      : view.say("desk.more", { names: rest.join(view.say("desk.comma")) });
    put(more, { "aria-expanded": String(Boolean(view.get("more"))) });
    const told = [];
    if (shown.some((curve) => curve.mean)) told.push(["pale", view.say("desk.pale")]);
    const behind = shown.some((curve) => ghost.curves?.[curve.metric]);
    if (behind) told.push(["ghost", ghost.words]);
    fill(legend, told.map(([line, words]) => make("span", { class: `is-${line}` }, words)));
    samples.read();
    replay.hidden = steps.length < 2;
    if (!grid.clientWidth) return;
    const row = columns(shown.length); // flags are in words in the first row of panels
    shown.forEach((curve, at) => panels[at].draw(
      { ...curve, brief: at >= row, ghost: ghost.curves?.[curve.metric] }, span(),
      panels[at].root.clientWidth));
    point();
  }

  // ------------------------------------------------------------------------- the step looked at

  const named = (step) => view.say(`desk.at.${view.get("run").unit}`, { step });

  function sentence(step) {
    const words = view.get("curves").slice(0, FIRST).map(({ said, x, y, digits }) =>
      said.replace("{value}", number(y[Math.max(lastBefore(x, step), 0)], digits)));
    return view.say("desk.words", { at: named(step), values: words.join(view.say("desk.and")) });
  }

  function point() {
    if (!steps.length) return;
    const at = index(), step = steps[at];
    range.max = steps.length - 1;
    range.value = at;
    where.textContent = named(step);
    put(range, { "aria-valuetext": sentence(step) });
    caption.textContent = sentence(step);
    top.point(step);
    panels.forEach((panel) => panel.point(hovered ?? step, step));
    samples.draw(step);
  }

  // Somebody points at a panel: the crosshair goes there in all of them; a press moves the run's.
  function tell(step, pressed) {
    const near = step === null ? -1 : Math.max(lastBefore(steps, Math.round(step)), 0);
    hovered = near < 0 ? null : steps[near];
    if (pressed) { halt(); go(near, false); }
    panels.forEach((panel) => panel.point(hovered ?? steps[index()], steps[index()]));
  }

  function halt() {
    clearInterval(playing);
    playing = 0;
    play.textContent = "▶";
    put(play, { "aria-pressed": "false" });
  }

  function start() {
    const stride = Math.ceil(steps.length / PLAYED);
    let at = index() >= steps.length - 1 ? 0 : index();
    go(at, false);
    play.textContent = "❚❚";
    put(play, { "aria-pressed": "true" });
    playing = setInterval(() => {
      at = Math.min(at + stride, steps.length - 1);
      go(at, at === steps.length - 1);
      if (at === steps.length - 1) halt();
    }, EVERY);
  }

  range.addEventListener("input", () => { halt(); go(Number(range.value), false); });
  range.addEventListener("change", () => go(Number(range.value)));
  view.on("msg:custom", hear);
  view.on("curves ghost texts_by_step more color run", redraw);
  view.on("at", point);
  view.fit(grid, redraw);
  view.atEnd(halt);
  redraw();
});
