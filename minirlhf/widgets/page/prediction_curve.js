// A curve to guess: one draws it with the pointer, or point by point with the arrow keys.

function curveGuess(view) {
  const along = view.get("_along"), result = view.get("_result");
  const isOut = () => result !== undefined && view.get("revealed");
  const empty = () => along.map(() => null);
  const HIGH = 260, TOP = 26, FOOT = 44, EDGE = 46;
  const picture = make("svg", { class: "guess-plot", height: HIGH, role: "group",
    "aria-label": view.say("prediction.label") });
  const frame = make("g"), guess = make("path", { class: "guess-line" }), points = make("g");
  const came = make("path", { class: "guess-line guess-came" });
  const apart = make("path", { class: "guess-apart" });
  const cursor = make("path", { class: "guess-at" }), names = make("g");
  // where to begin: at the left, but at no height, so that it suggests none
  const begin = make("g", { class: "guess-begin" },
    make("rect", { x: 3, width: 16, rx: 8, y: TOP, height: HIGH - FOOT - TOP }),
    make("text", { class: "mr-words mr-guess-here", x: 28, y: TOP + 14 },
      view.say("prediction.draw_here")));
  const board = make("rect", { fill: "transparent" });
  const pen = make("g", { class: "guess-slider" }, board, cursor);
  fill(picture, frame, apart, guess, points, came, names, begin, pen);
  const clear = button(view.say("prediction.clear"), () => view.set({ value: null }), "link");
  let x = scale([0, 1], [0, 1]), y = x, width = 0, at = 0, last = null, part = 1, reach = [0, 10];
  let keyed = false; // the focus came by keyboard: show where it is

  // Take a point; places that a quick hand skipped lie on the way from the point before.
  function mark(event, settled) {
    if (view.get("revealed")) return;
    const spot = place(picture, event);
    const distance = along.map((one) => Math.abs(x(one) - spot.x));
    const to = distance.indexOf(Math.min(...distance));
    const height = clamp(y.back(spot.y), ...reach);
    const value = [...(view.get("value") ?? empty())];
    const from = last ?? { at: to, height };
    for (let k = Math.min(from.at, to); k <= Math.max(from.at, to); k++) {
      const share = from.at === to ? 1 : (k - from.at) / (to - from.at);
      value[k] = Number((from.height + share * (height - from.height)).toPrecision(4));
    }
    last = { at: to, height };
    at = to;
    view.set({ value }, settled);
  }
  drag(pen, {
    start: (event) => { last = null; keyed = false; mark(event, false); },
    move: (event) => mark(event, false),
    end: (event) => { mark(event, true); last = null; },
  });
  put(pen, { role: "slider", tabindex: 0, "aria-label": view.say("prediction.label") });
  pen.addEventListener("keydown", (event) => {
    const step = (reach[1] - reach[0]) / 50;
    const along_ = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const by = { ArrowUp: step, ArrowDown: -step, PageUp: 10 * step, PageDown: -10 * step }[event.key];
    if (along_ === undefined && by === undefined) return;
    event.preventDefault();
    keyed = true;
    if (along_) at = clamp(at + along_, 0, along.length - 1);
    else if (!view.get("revealed")) {
      const value = [...(view.get("value") ?? empty())];
      const before = value[at] ?? value.slice(0, at).findLast((one) => one !== null) ?? reach[0];
      value[at] = clamp(Number((before + by).toPrecision(4)), ...reach);
      view.set({ value });
    }
    draw();
  });

  function draw() {
    const value = view.get("value"), out = isOut();
    clear.hidden = value === null || view.get("revealed");
    put(picture, { "aria-disabled": view.get("revealed") && "true" });
    if (!width) return;
    if (last === null) {
      const known = (value ?? []).filter((one) => one !== null);
      reach = reachOf(view, [...known, ...(out ? result : [])]);
    }
    x = scale([along[0], along.at(-1)], [EDGE, width - 14]);
    y = scale(reach, [HIGH - FOOT, TOP]);
    put(picture, { viewBox: `0 0 ${width} ${HIGH}` });
    put(board, { x: EDGE, y: TOP, width: width - EDGE - 14, height: HIGH - FOOT - TOP });
    const levels = ticks(...reach, 5), written = alike(levels);
    fill(frame,
      levels.map((one, k) => [
        make("path", { class: "mr-grid", d: `M${EDGE} ${y(one)}H${width - 14}` }),
        make("text", { class: "mr-small", x: EDGE - 8, y: y(one) + 4, "text-anchor": "end" },
          written[k])]),
      ticks(along[0], along.at(-1), width > 400 ? 6 : 3).map((one) => make("text", { class: "mr-small",
        x: x(one), y: HIGH - FOOT + 18, "text-anchor": "middle" }, short(one))),
      make("path", { class: "mr-axis", d: `M${EDGE} ${TOP}V${HIGH - FOOT}H${width - 14}` }),
      make("text", { class: "mr-small", x: 0, y: 12 }, view.get("_unit")),
      make("text", { class: "mr-small", x: width - 14, y: HIGH - 6, "text-anchor": "end" },
        view.get("_x")));
    const known = along.map((one, k) => [one, value?.[k] ?? null, k]).filter((one) => one[1] !== null);
    const path = known.map((one) => `${x(one[0])} ${y(one[1])}`).join("L");
    put(guess, { d: known.length > 1 ? `M${path}` : "" });
    // a dot where a line doesn't show it, or where there are few
    const near = new Set(known.map((one) => one[2]));
    const dotted = (k) => along.length <= 12 || !(near.has(k - 1) || near.has(k + 1));
    each(points, known, () => make("circle", { class: "guess-point" }),
      (dot, one) => put(dot, { cx: x(one[0]), cy: y(one[1]), r: dotted(one[2]) ? 3 : 0 }));
    put(begin, { hidden: known.length > 0 || out,
      transform: `translate(${x(along[0])} 0)` });
    const shown = out ? result.slice(0, Math.max(1, Math.ceil(part * result.length))) : [];
    const line = shown.map((one, k) => `${x(along[k])} ${y(one)}`).join("L");
    put(came, { d: shown.length ? `M${line}` : "" });
    // what lies between the two, as far as the result has come
    const between = known.filter((one) => one[2] < shown.length);
    const back = between.toReversed().map((one) => `${x(one[0])} ${y(result[one[2]])}`);
    put(apart, { d: between.length > 1
      ? `M${between.map((one) => `${x(one[0])} ${y(one[1])}`).concat(back).join("L")}Z` : "" });
    nameEnds(known, shown.length === result?.length && out);
    put(cursor, { d: keyed ? `M${x(along[at])} ${TOP}V${HIGH - FOOT}` : "" });
    const here = value?.[at];
    put(pen, { "aria-valuemin": reach[0], "aria-valuemax": reach[1], "aria-valuenow": here ?? reach[0],
      "aria-valuetext": view.say("prediction.at", { x: short(along[at]),
        y: here == null ? view.say("prediction.none") : short(here) }) });
  }
  // Which line is whose, and where each ends; the upper one's name stands above it.
  function nameEnds(known, both) {
    const ends = [[known.at(-1)?.[1], "label"], [result?.at(-1), "result"]];
    fill(names, both ? ends.filter(([end]) => end !== undefined).map(([end, name], k) => {
      const above = end >= (ends[1 - k][0] ?? -Infinity) && !(end === ends[1 - k][0] && k);
      return make("text", { class: `guess-said guess-of-${name}`, x: width - 14,
        y: y(end) + (above ? -9 : 19), "text-anchor": "end" },
      `${view.say(`prediction.${name}`)} ${short(end)}`);
    }) : []);
  }

  for (const name of ["focus", "blur"]) {
    pen.addEventListener(name, () => { keyed = name === "focus"; draw(); });
  }
  view.fit(picture, (now) => { width = now; draw(); });
  return {
    element: picture,
    clear,
    hint: "prediction.drawn",
    draw,
    grow: (now) => { part = now; draw(); },
  };
}
