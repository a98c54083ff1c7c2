// A number to guess, as a bar that one drags; and the result as a bar beneath it.

const BAR = 20, GAP = 18, LEFT = 12, RIGHT = 12; // pixels

// Where an axis begins and ends: as the question says, and further for what has to be shown.
function reachOf(view, shown) {
  const [from, to] = view.get("_reach"), [low, high] = view.get("_limits");
  const lowest = Math.min(from, ...shown), highest = Math.max(to, ...shown);
  const room = (highest - lowest) * 0.1;
  return [lowest < from ? Math.max(low, lowest - room) : from,
    highest > to ? Math.min(high, highest + room) : to];
}

function numberGuess(view) {
  const result = view.get("_result"), unit = view.get("_unit"), limits = view.get("_limits");
  const ends = view.get("_ends") ?? [];
  const isOut = () => result !== undefined && view.get("revealed");
  const entry = make("input", { class: "mr-input mr-number", type: "text", inputmode: "decimal",
    autocomplete: "off", placeholder: view.say("prediction.blank"),
    onchange: () => enter(), onkeydown: ({ key }) => key === "Enter" && enter() });
  const enter = () => view.act("enter", { text: entry.value });
  const clear = button(view.say("prediction.clear"), () => {
    view.set({ value: null });
    entry.focus();
  }, "link");
  const picture = make("svg", { class: "guess-bar", role: "group",
    "aria-label": view.say("prediction.label") });
  const axis = make("g"), thumb = make("circle", { class: "guess-thumb", r: 9 });
  const track = make("rect", { class: "guess-track", rx: 4 });
  const mine = make("rect", { class: "guess-mine", rx: 3 });
  const slide = make("g", { class: "guess-slider" }, track, mine, thumb);
  const real = make("rect", { class: "guess-real", rx: 3 });
  const whiskers = [0, 1].map(() => make("path", { class: "guess-ends" }));
  const [mineSaid, realSaid] = [0, 1].map(() => make("text", { class: "guess-said" }));
  const touch = make("text", { class: "guess-touch mr-words" });
  const apart = make("path", { class: "guess-apart" }), far = make("text", { class: "guess-far" });
  fill(picture, axis, slide, touch, apart, far, real, whiskers, mineSaid, realSaid);
  let x = scale([0, 1], [0, 1]), width = 0, step = 1, reach = [0, 1], held = false, part = 1;

  const take = (value, settled) => {
    if (view.get("revealed")) return;
    view.set({ value: clamp(snap(value, step), ...limits) }, settled);
  };
  drag(slide, {
    start: (event) => { held = true; take(x.back(place(picture, event).x), false); },
    move: (event) => take(clamp(x.back(place(picture, event).x), ...reach), false),
    end: () => { held = false; if (view.get("value") !== null) take(view.get("value"), true); },
  });
  const tell = slider(slide, { label: view.say("prediction.label"), min: limits[0], max: limits[1],
    step: () => step, get: () => view.get("value") ?? clamp(0, ...limits), set: take,
    words: (value) => (view.get("value") === null ? view.say("prediction.none")
      : `${short(value)} ${unit}`) });

  function draw() {
    const value = view.get("value"), out = isOut();
    if (document.activeElement !== entry || held) entry.value = value === null ? "" : written(value);
    put(entry, { disabled: view.get("revealed"), "aria-invalid": view.get("problem") && "true" });
    clear.hidden = value === null || view.get("revealed");
    put(slide, { "aria-disabled": view.get("revealed") && "true" });
    if (!width) return;
    const known = [value, ...(out ? [result, ...ends] : [])].filter((one) => one !== null);
    if (!held) reach = reachOf(view, known);
    step = ticks(0, (reach[1] - reach[0]) / 10, 10)[1] ?? 0.1;
    x = scale(reach, [LEFT, width - RIGHT]);
    const high = 2 + BAR + (out ? GAP + BAR : 0), zero = x(clamp(0, ...reach));
    const share = unit === "%", foot = share || !unit ? 24 : 38;
    put(picture, { height: high + foot, viewBox: `0 0 ${width} ${high + foot}` });
    const span = (at) => ({ x: Math.min(zero, x(at)), width: Math.max(Math.abs(x(at) - zero), 0) });
    put(track, { x: LEFT, width: width - LEFT - RIGHT, y: 2, height: BAR });
    put(mine, { ...span(value ?? zero), y: 2, height: BAR });
    mine.toggleAttribute("hidden", value === null);
    // at the nearer end where what was typed can't be
    const typed = view.get("problem") ? parseFloat(entry.value.replace(",", ".").replace("−", "-")) : NaN;
    const stands = Number.isNaN(typed) ? value : clamp(typed, ...limits);
    put(thumb, { cx: stands === null ? zero : x(clamp(stands, ...reach)), cy: 2 + BAR / 2,
      hidden: view.get("revealed"), "stroke-dasharray": value === null ? "4 3" : null });
    const y = 2 + BAR + GAP, shown = out ? part * result : 0;
    put(real, { ...span(shown), y, height: BAR });
    const come = out && value !== null && part === 1;
    const [from, to] = [value, shown].map((one) => x(one ?? 0));
    put(apart, { d: come ? `M${from} ${2 + BAR}H${to}V${y}H${from}Z` : "" });
    const off = come ? Number(Math.abs(value - result).toPrecision(6)) : 0;
    const wide = Math.abs(to - from) > 90;
    far.textContent = off ? view.say("prediction.gap", { off: short(off) }) : "";
    put(far, { x: wide ? (from + to) / 2 : Math.max(from, to) + 8, y: y - 5,
      "text-anchor": wide ? "middle" : "start" });
    const reached = out && ends.length && part === 1;
    whiskers.forEach((line) => {
      put(line, { d: reached ? `M${x(ends[0])} ${y + BAR / 2}H${x(ends[1])}` : "" });
    });
    label(mineSaid, value, 2, out && value !== null ? named(value, "label") : "");
    label(realSaid, reached ? (result >= 0 ? ends[1] : ends[0]) : shown, y,
      out ? named(shown, "result") : "");
    fill(axis, make("path", { class: "mr-axis", d: `M${zero} 0V${high + 4}` }),
      ticks(...reach, width > 320 ? 5 : 3).map((at) => make("text", { class: "mr-small", x: x(at),
        y: high + 18, "text-anchor": "middle" }, `${short(at)}${share ? "%" : ""}`)),
      make("text", { class: "mr-small", x: width / 2, y: high + 34, "text-anchor": "middle" },
        share ? "" : unit));
    touch.textContent = value === null && !out ? view.say("prediction.drag") : "";
    put(touch, { x: zero + 16, y: 2 + BAR / 2 + 4 });
    tell();
  }

  // A number at the end of its bar, or within it where there's no room beyond.
  function label(element, at, y, words) {
    element.textContent = words;
    if (!words) return;
    const end = x(at), away = at < 0 ? -1 : 1;
    const need = end + away * (element.getComputedTextLength() + 14);
    const inside = need < 0 || need > width, toRight = (away > 0) !== inside;
    put(element, { x: end + (toRight ? 8 : -8), y: y + 15, "text-anchor": toRight ? "start" : "end",
      style: { fill: inside ? "var(--mr-card)" : "var(--mr-ink)" } });
  }

  const named = (value, who) => `${written(value)} · ${view.say(`prediction.${who}`)}`;
  const written = (value) => Number(value.toPrecision(4)).toString().replace("-", "−");
  view.on("problem", draw);
  view.fit(picture, (now) => { width = now; draw(); });
  return {
    element: make("div", { class: "guess-row" },
      field(view.say("prediction.label"), entry), picture),
    clear,
    hint: "prediction.bar",
    draw,
    grow: (now) => { part = now; draw(); },
  };
}
