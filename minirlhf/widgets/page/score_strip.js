// A line of dots on an axis that several lines share: one model's samples by their score.

const STRIP = { height: 46, radius: 5.5, side: 10 };

// Rows for dots, 0 in the middle, so that none hides another.
function rows(places) {
  const taken = [];
  return places.map((x) => {
    const row = [0, -1, 1, -2, 2].find((one) => !taken.some(([other, at]) =>
      at === one && Math.abs(other - x) < 2 * STRIP.radius)) ?? 0;
    taken.push([x, row]);
    return row;
  });
}

// Numbers above the strips.
function stripAxis(svg, [low, high], width, words) {
  const toX = scale([low, high], [STRIP.side, width - STRIP.side]);
  put(svg, { viewBox: `0 0 ${width} 32`, height: 32, width, "aria-hidden": "true" });
  fill(svg, make("text", { class: "mr-small", x: 0, y: 11 }, words),
    ticks(low, high, 7).map((tick) => make("text", { class: "mr-small", x: toX(tick), y: 28,
      "text-anchor": "middle" }, short(tick))));
}

// `choose(sample)` hears of the chosen dot; `look(sample, dot)` of the one under the pointer.
function scoreStrip(label, { choose, look }) {
  const svg = make("svg", { class: "mr-strip" }), ground = make("g");
  const group = make("g", { role: "radiogroup", "aria-label": label });
  let order = [], dots = [], chosen = 0;
  const mark = choices(group, () => order.map((sample) => dots[sample]),
    { chosen: () => order.indexOf(chosen), choose: (at) => choose(order[at]) });

  function draw({ values, shown }, [low, high], width, words) {
    const toX = scale([low, high], [STRIP.side, width - STRIP.side]), middle = STRIP.height / 2;
    put(svg, { viewBox: `0 0 ${width} ${STRIP.height}`, height: STRIP.height, width });
    const places = values.map(toX), row = rows(places);
    order = values.map((_, at) => at).sort((a, b) => values[a] - values[b]);
    chosen = shown;
    fill(ground, ticks(low, high, 7).map((tick) => make("line", { class: "mr-grid", x1: toX(tick),
      x2: toX(tick), y1: 0, y2: STRIP.height })),
    make("line", { class: "mr-axis", x1: 0, x2: width, y1: middle, y2: middle }));
    each(group, values, (_, at) => make("g", { role: "radio", class: "mr-strip-dot",
      onclick: () => choose(at), onpointerenter: () => look(at, dots[at]),
      onpointerleave: () => look(null) },
    make("circle", { class: "mr-strip-touch", r: 11 }), make("circle", { r: STRIP.radius })),
    (dot, value, at) => put(dot, { "aria-label": words(at),
      transform: `translate(${places[at].toFixed(1)} ${middle + row[at] * 8})` }));
    dots = [...group.children];
    mark("aria-checked");
    dots.forEach((dot, at) => dot.classList.toggle("mr-strip-chosen", at === chosen));
  }
  fill(svg, ground, group);
  return { root: svg, draw };
}
