// One panel of the training desk: a metric over the steps of the whole run, planned ones included.
// A curve is {x, y, mean}: logged steps, their values, and a running mean where they are noisy.

const PLOT = { height: 148, left: 46, right: 14, top: 10, bottom: 20 };
const FLAG = 18, ROWS = 3; // pixels of a row of flags above the plot, where β or γ was changed

// The last logged step at or before `step`, as an index; −1 where there is none.
function lastBefore(steps, step) {
  let low = 0, high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// All that a panel shows until the step `end`: what its axis has to reach.
function shownBy({ y, held, ghost, chance }, end) {
  const shown = [...y, ...(held?.y ?? [])];
  if (ghost) shown.push(...(ghost.mean ?? ghost.y).filter((_, at) => ghost.x[at] <= end));
  if (chance != null) shown.push(chance);
  return shown;
}

// A panel. `draw(curve, [first, last], width)` with new numbers; `point(step, at)` puts the
// crosshair there and makes pale what comes after `at`. `tell(step, pressed)` hears of a pointer
// over it, with null when it leaves; what is read there stands beside the crosshair, and the panel
// under the pointer says which step that is.
function curvePanel(view, tell) {
  const value = make("span", { class: "mr-desk-value mr-number" });
  const name = make("span", { class: "mr-desk-name" }), unit = make("span", { class: "mr-small" });
  const svg = make("svg", { class: "mr-desk-plot", role: "img" });
  const root = make("figure", { class: "mr-desk-panel" },
    make("figcaption", {}, name, make("span", { class: "mr-desk-now" }, value, " ", unit)), svg);
  let curve = null, toX = null, toY = null, top = PLOT.top, foot = 0, held = false, hovered = false;
  const later = make("rect", { class: "mr-desk-later" });
  const cross = make("line", { class: "mr-desk-cross" });
  const when = make("text", { class: "mr-desk-when", "text-anchor": "middle" });
  const stand = make("line", { class: "mr-desk-stand" }); // where the slider stands meanwhile
  const read = make("text", { class: "mr-desk-when mr-number" });
  const dot = make("circle", { class: "mr-desk-dot", r: 4.5 });
  const shade = make("circle", { class: "mr-desk-shade", r: 3.5 });

  const line = (xs, ys) => polyline(xs.map((x, at) => [toX(x), toY(ys[at])]));

  function frame([first, last], width) {
    const { right, bottom } = PLOT, y = extent(shownBy(curve, last));
    const rows = flagRows(scale([first, last], [PLOT.left, width - right]), width);
    top = PLOT.top + FLAG * rows.count;
    const height = PLOT.height + FLAG * rows.count;
    const plot = axes({ ...PLOT, top, height, width, y, rows: 5 });
    toX = Object.assign(scale([first, last], [plot.left, plot.right]), { end: plot.right });
    [toY, foot] = [plot.toY, plot.foot];
    put(svg, { viewBox: `0 0 ${width} ${height}`, height });
    const named = `${short(last)} ${view.say(`desk.units.${view.get("run").unit}`)}`;
    const end = make("text", { class: "mr-small", x: width - right, y: height - 4,
      "text-anchor": "end" }, named);
    const steps = ticks(first, last, Math.max(3, Math.floor(width / 90)))
      .filter((tick) => Number.isInteger(tick) && toX(tick) < width - right - 6.3 * named.length - 12)
      .map((tick) => make("text", { class: "mr-small", x: toX(tick), y: height - 4,
        "text-anchor": "middle" }, short(tick)));
    put(later, { y: top - 4, height: plot.foot - top + 4 });
    for (const one of [cross, stand]) put(one, { y1: top - 4, y2: plot.foot });
    return [plot.elements, steps, end, flags(rows, plot.foot)];
  }

  function chance(width) {
    if (curve.chance == null) return [];
    const y = toY(curve.chance), end = width - PLOT.right;
    return [
      make("line", { class: "mr-axis mr-desk-dashed", x1: PLOT.left, x2: end, y1: y, y2: y }),
      make("text", { class: "mr-small", x: end, y: y - 4, "text-anchor": "end" },
        view.say("desk.chance"))];
  }

  // Where β or γ was changed, a flag says so, to the right of its line; it covers no other flag
  // and no line of one above. What has no room has a line alone.
  function flagRows(across, width) {
    const inRows = (name) => {
      const ends = [], placed = curve.turns.map((turn) => {
        const words = turn[name], room = 6.3 * words.length + 10, x = across(turn.step);
        const from = Math.max(Math.min(x, width - room), 0);
        const row = ends.findIndex((_, at) => ends.slice(at).every((end) => end < from - 4));
        const at = row < 0 ? Math.min(ends.length, ROWS) : row;
        if (at < ROWS) ends[at] = from + room;
        return { from, room, at, x, words };
      });
      return { placed, count: ends.length };
    };
    return inRows(curve.brief ? "symbol" : "words");
  }

  function flags({ placed }, foot) {
    return placed.map(({ from, room, at, x, words }) => [
      make("line", { class: "mr-desk-turn", x1: x, x2: x, y1: FLAG * (at + 1) - 3, y2: foot }),
      at < ROWS && [
        make("rect", { class: "mr-desk-flag", x: from, y: FLAG * at, width: room, height: FLAG - 3,
          rx: 4 }),
        make("text", { class: "mr-desk-turned", x: from + room / 2, y: FLAG * at + 11.5,
          "text-anchor": "middle" }, words)]]);
  }

  function heldOut() {
    if (!curve.held?.x.length) return [];
    const { x, y } = curve.held, last = x.length - 1;
    const marks = x.map((step, at) => make("path", { class: "mr-desk-diamond",
      d: `M${toX(step)} ${toY(y[at]) - 4}l4 4l-4 4l-4 -4Z` }));
    return [
      make("path", { class: "mr-desk-held", d: line(x, y) }), marks,
      make("text", { class: "mr-small", x: toX(x[last]) - 7, y: toY(y[last]) - 7,
        "text-anchor": "end" }, view.say("desk.held_out"))];
  }

  function ghost(end) {
    if (!curve.ghost) return null;
    const { x, y, mean } = curve.ghost, kept = lastBefore(x, end) + 1;
    const d = line(x.slice(0, kept), (mean ?? y).slice(0, kept));
    return make("path", { class: "mr-desk-ghost", d });
  }

  function draw(next, span, width) {
    curve = next;
    name.textContent = curve.title;
    unit.textContent = curve.unit;
    const { x, y, mean } = curve;
    fill(svg, frame(span, width), chance(width), ghost(span[1]),
      mean && make("path", { class: "mr-desk-pale", d: line(x, y) }),
      make("path", { class: "mr-desk-line", d: line(x, mean ?? y) }),
      later, heldOut(), stand, cross, shade, dot, when, read);
  }

  function point(step, at) {
    const { x, y, ghost } = curve, near = (one) => (x.length ? Math.max(lastBefore(x, one), 0) : -1);
    const found = near(step);
    value.textContent = found < 0 ? "" : number(y[near(at)], curve.digits);
    put(svg, { "aria-label": `${curve.title}: ${value.textContent} ${curve.unit}` });
    for (const mark of [cross, dot, later, when, read]) put(mark, { hidden: found < 0 });
    put(stand, { hidden: found < 0 || step === at });
    if (found < 0) return;
    put(stand, { x1: toX(at), x2: toX(at) });
    put(cross, { x1: toX(step), x2: toX(step) });
    put(dot, { cx: toX(x[found]), cy: toY(y[found]) });
    put(later, { x: toX(at) + 1, width: at < x.at(-1) ? toX(x.at(-1)) - toX(at) + 3 : 0 });
    when.textContent = hovered ? view.say(`desk.at.${view.get("run").unit}`, { step }) : "";
    put(when, { x: clamp(toX(step), PLOT.left + 16, toX.end - 32), y: foot + 17 });
    const leaves = toX(step) > toX.end - 52; // no room to the right
    read.textContent = step === at ? "" : number(y[found], curve.digits);
    put(read, { x: toX(step) + (leaves ? -8 : 8), "text-anchor": leaves ? "end" : "start",
      y: clamp(toY(y[found]) - 9, top + 8, foot - 6) });
    const there = ghost ? lastBefore(ghost.x, step) : -1;
    put(shade, { hidden: there < 0 });
    if (there >= 0) {
      put(shade, { cx: toX(ghost.x[there]), cy: toY((ghost.mean ?? ghost.y)[there]) });
    }
  }

  const under = (event) => toX.back(place(svg, event).x);
  const listen = (event, act) => svg.addEventListener(event, (found) => curve && act(found));
  listen("pointerdown", (event) => {
    held = true;
    svg.setPointerCapture(event.pointerId);
    tell(under(event), true);
  });
  listen("pointermove", (event) => { hovered = true; tell(under(event), held); });
  for (const end of ["pointerup", "pointercancel"]) listen(end, () => { held = false; });
  listen("pointerleave", () => { hovered = false; if (!held) tell(null, false); });
  return { root, draw, point };
}
