// The token lens' four pictures, one a step: how likely, shaped rewards, advantages, clipped loss.

const REACH = [0.5, 1.5]; // ratios that the clipped loss is drawn for
const CHIP = 46, LEFT = 40, RIGHT = 4, LETTER = 8.4; // pixels: a token's height, beside all, a letter

// A trace with everything that follows from it.
function followed(shown) {
  const logRatio = shown.logprobs.map((logprob, t) => logprob - shown.reference[t]);
  const rewards = shapedRewards(shown.logprobs, shown.reference, shown.score, shown.beta);
  return { ...shown, logRatio, rewards, ...gae(rewards, shown.values, 1, shown.lam) };
}

const rect = (x, width, y, to, attributes) => make("rect", { x, width: Math.max(width, 1),
  y: Math.min(y, to), height: Math.max(Math.abs(to - y), 0.5), ...attributes });

// A token as short as it can be said: the end of the reply has a long name.
const brief = (view, word) => (word === "<|endoftext|>" ? view.say("lens.end") : word);

// What the marks mean, in a line above a picture; it wraps.
const legend = (...entries) => make("div", { class: "mr-row mr-lens-legend mr-small" },
  entries.map(([kind, words]) => make("span", {}, make("i", { class: `mr-lens-key ${kind}` }),
    words)));

// Tokens in rows of columns, as few rows as their names allow, all but the last of one length.
function staves(view, facts, step, width) {
  const room = width - LEFT - RIGHT, count = facts.tokens.length;
  const longest = Math.max(...facts.shown.map((word) => brief(view, word).length));
  const most = Math.max(1, Math.floor(room / clamp(LETTER * longest + 12, 54, 130)));
  const rows = Math.ceil(count / most), across = Math.ceil(count / rows);
  const high = step === "loss" ? 0 : { 1: 150, 2: 104, 3: 84 }[rows] ?? 66;
  return { rows, across, high, band: Math.min(room / across, 100),
    pitch: CHIP + (high ? high + 26 : 4) };
}

// The tokens, and for the first three steps what is drawn of each in its column beneath it.
// `pick(t, pressed)` hears of a pointer over one.
function columnsPanel(view, strip, pick) {
  const svg = make("svg", { role: "img" }), keys = make("div");
  const title = make("h4", { class: "mr-title" });
  const bands = make("g"), marks = make("g"), over = make("g", { class: "mr-lens-over" });
  const board = make("div", { class: "mr-lens-board" }, svg, strip);
  let facts, step, grid, plots = [], bars = [];

  const row = (t) => Math.floor(t / grid.across);
  const left = (t) => LEFT + (t % grid.across) * grid.band, middle = (t) => left(t) + grid.band / 2;
  const toY = (t, value) => plots[row(t)].toY(value);
  const at = (event) => {
    const { x, y } = place(svg, event), column = Math.floor((x - LEFT) / grid.band);
    if (column < 0 || column >= grid.across) return null;
    const t = Math.floor(y / grid.pitch) * grid.across + column;
    return t >= 0 && t < facts.tokens.length ? t : null;
  };
  svg.addEventListener("pointermove", (event) => pick(at(event), false));
  board.addEventListener("pointerleave", () => pick(null, false));
  svg.addEventListener("click", (event) => { if (at(event) !== null) pick(at(event), true); });

  function shownBy(name) {
    const { logprobs, reference, beta, logRatio, rewards, advantages, values, returns } = facts;
    return { sampling: [0, ...logprobs, ...reference],
      reward: [0, ...rewards, ...logRatio.map((x) => -beta * x)],
      gae: [0, ...advantages, ...values, ...returns] }[name];
  }

  // A line through values: it leaves a row halfway to the next one's first, and comes in there.
  function through(values) {
    const between = (t) => (values[t - 1] + values[t]) / 2, { across, band } = grid;
    return plots.map((_, r) => {
      const from = r * across, to = Math.min(from + across, values.length);
      const points = values.slice(from, to).map((x, k) => [middle(from + k), toY(from, x)]);
      if (from) points.unshift([LEFT, toY(from, between(from))]);
      if (to < values.length) points.push([LEFT + across * band, toY(from, between(to))]);
      return polyline(points);
    }).join("");
  }

  const drawings = {
    sampling() {
      return facts.tokens.map((_, t) => {
        const [to, from] = [toY(t, facts.logprobs[t]), toY(t, facts.reference[t])];
        const x = middle(t);
        return [
          make("line", { class: facts.logRatio[t] > 0 ? "mr-lens-up" : "mr-lens-down", x1: x,
            x2: x, y1: from, y2: to }),
          make("rect", { class: "mr-lens-reference", x: x - 4, y: from - 4, width: 8, height: 8 }),
          make("circle", { class: "mr-lens-policy", cx: x, cy: to, r: 4.5 })];
      });
    },
    reward() {
      const last = facts.tokens.length - 1, wide = 0.5 * grid.band, { rewards, score } = facts;
      const parts = facts.logRatio.map((x, t) => rect(middle(t) - wide / 2, wide, toY(t, 0),
        toY(t, -facts.beta * x), { class: "mr-lens-penalty" }));
      const from = -facts.beta * facts.logRatio[last];
      const beside = { class: "mr-lens-note", x: middle(last) - wide / 2 - 8, "text-anchor": "end",
        y: toY(last, (from + rewards[last]) / 2) + (score > 0 ? -4 : 12) };
      return [parts, rect(middle(last) - wide / 2, wide, toY(last, from), toY(last, from + score),
        { class: "mr-lens-score" }), make("text", beside, `r(x, y) = ${signed(score)}`)];
    },
    gae() {
      const wide = 0.5 * grid.band;
      bars = facts.advantages.map((x, t) => rect(middle(t) - wide / 2, wide, toY(t, 0), toY(t, x),
        { class: x > 0 ? "mr-lens-plus" : "mr-lens-minus" }));
      return [bars, make("path", { class: "mr-lens-returns", d: through(facts.returns) }),
        make("path", { class: "mr-lens-values", d: through(facts.values) }),
        facts.values.map((x, t) => make("circle", { class: "mr-lens-value", r: 3, cx: middle(t),
          cy: toY(t, x) }))];
    },
  };
  const legends = {
    sampling: () => [["mr-lens-policy", view.say("lens.policy")],
      ["mr-lens-reference", view.say("lens.reference")]],
    reward: () => [["mr-lens-penalty", view.say("lens.penalty")],
      ["mr-lens-score", view.say("lens.score")]],
    gae: () => [["mr-lens-plus", view.say("lens.colors.advantage")],
      ["mr-lens-values", view.say("lens.colors.value")],
      ["mr-lens-returns", view.say("lens.returns")]],
  };

  function draw(next, name, width) {
    [facts, step, bars] = [next, name, []];
    grid = staves(view, facts, step, width);
    const { rows, across, band, pitch, high } = grid, height = rows * pitch - (high ? 14 : 0);
    put(strip, { style: { "grid-template-columns": `repeat(${across}, ${band}px)`,
      "grid-auto-rows": `${CHIP}px`, "row-gap": `${pitch - CHIP}px`, height: `${height}px`,
      "padding-left": `${LEFT}px` } });
    title.textContent = high ? view.say(`lens.titles.${step}`) : "";
    put(svg, { viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": title.textContent,
      "aria-hidden": !high && "true" });
    fill(svg, bands);
    if (!high) return;
    fill(keys, legend(...legends[step]()));
    keys.firstChild.append(make("span", { class: "mr-push" },
      `↕ ${view.say(step === "sampling" ? "lens.nats" : "lens.unit")}`));
    const y = extent(shownBy(step));
    plots = Array.from({ length: rows }, (_, r) => {
      const top = r * pitch + CHIP + 8, foot = top + high;
      const end = LEFT + band * Math.min(across, facts.tokens.length - r * across);
      return axes({ width: end, height: foot, left: LEFT, right: 0, top, bottom: 0, y,
        rows: high / 26 });
    });
    fill(marks, drawings[step]());
    fill(svg, bands, plots.map((plot) => [plot.elements, make("line", { class: "mr-lens-zero",
      x1: plot.left, x2: plot.right, y1: plot.toY(0), y2: plot.toY(0) })]), marks, over);
  }

  // Mark the chosen token and the one under the pointer. From `known` on (0: all) advantages are
  // there already; `part` 0 … 1 is how far the recursion has come at the chosen one.
  function point(chosen, hovered, known = 0, part = 1) {
    const band = (t, kind) => make("rect", { class: kind, x: left(t), width: grid.band,
      y: row(t) * grid.pitch - 3, height: CHIP + 11 + grid.high, rx: 6 });
    fill(bands, grid.high ? [band(chosen, "mr-lens-chosen"),
      hovered === null || hovered === chosen ? null : band(hovered, "mr-lens-hovered")] : []);
    bars.forEach((bar, t) => {
      const opacity = String(t < known ? 0 : t === chosen ? 0.28 : 1);
      if (bar.getAttribute("opacity") !== opacity) put(bar, { opacity });
    });
    fill(over, step === "gae" ? recursion(chosen, part) : []);
  }

  // A = δ + λ A_next: what comes over from the right, and what is added to it here.
  function recursion(t, part) {
    const after = facts.advantages[t + 1] ?? 0, brought = facts.lam * after, zero = toY(t, 0);
    const [slide, grow] = [clamp(part * 2, 0, 1), clamp(part * 2 - 1, 0, 1)];
    const wide = 0.5 * grid.band, x = middle(t) + (1 - slide) * grid.band;
    const from = toY(t, after + (brought - after) * slide);
    const to = toY(t, brought + grow * facts.deltas[t]);
    const rises = facts.deltas[t] > 0 ? -1 : 1;
    return [
      t + 1 < facts.tokens.length ? rect(x - wide / 2, wide, zero, from,
        { class: "mr-lens-brought" }) : null,
      grow > 0 ? make("line", { class: "mr-lens-delta", x1: middle(t), x2: middle(t),
        y1: toY(t, brought), y2: to }) : null,
      grow > 0 && Math.abs(to - toY(t, brought)) > 3
        ? head([middle(t), to], [0, rises], 8, { class: "mr-lens-delta-head" }) : null,
      grow === 1 ? rect(middle(t) - wide / 2, wide, zero, toY(t, facts.advantages[t]),
        { class: "mr-lens-outline" }) : null];
  }

  return { board, title, keys, draw, point };
}

// The fourth: −min(ρA, clip(ρ, 1 ± ε) A) of one token. `move(ratio, settled)` hears of a new ratio.
function lossPanel(view, move) {
  const svg = make("svg", { role: "group" }), title = make("h4", { class: "mr-title" });
  const dot = make("circle", { r: 9, class: "mr-lens-handle" }), push = make("g");
  const root = make("div", {}, title,
    legend(["mr-lens-loss", view.say("lens.clipped")], ["mr-lens-plain", view.say("lens.plain")]),
    svg);
  const hint = make("text", { class: "mr-small mr-lens-hint", "text-anchor": "middle" },
    view.say("lens.drag"));
  let facts, plot, t = 0, ratio = 1;

  drag(dot, {
    move: (event) => move(snap(clamp(plot.toX.back(place(svg, event).x), ...REACH), 0.01), false),
    end: () => move(ratio, true),
  });
  const advantage = () => facts.advantages[t];
  const tell = () => (facts ? view.say("lens.at_ratio", { ratio: number(ratio),
    loss: signed(policyLoss(ratio, advantage(), facts.clip), 3) }) : "");
  const say = slider(dot, { label: view.say("lens.ratio"), min: REACH[0], max: REACH[1],
    step: 0.01, get: () => ratio, set: move, words: tell });

  function draw(next, chosen, width) {
    [facts, t] = [next, chosen];
    const height = 250, A = advantage(), { clip } = facts;
    title.textContent = view.say("lens.titles.loss", { number: t + 1, token: facts.shown[t] });
    const ends = REACH.flatMap((x) => [-A * x, policyLoss(x, A, clip)]);
    plot = axes({ width, height, bottom: 42, x: REACH, y: extent([0, ...ends]),
      names: { y: view.say("lens.loss"), x: view.say("lens.ratio_axis") } });
    put(svg, { viewBox: `0 0 ${width} ${height}`, height });
    const curve = (f) => polyline([...Array(101).keys()].map((k) => {
      const x = REACH[0] + k / 100;
      return [plot.toX(x), plot.toY(f(x))];
    }));
    const held = A > 0 ? [1 + clip, REACH[1]] : [REACH[0], 1 - clip];
    const flat = A && plot.toX(held[0]) < plot.toX(held[1]) ? [
      rect(plot.toX(held[0]), plot.toX(held[1]) - plot.toX(held[0]), plot.top, plot.foot,
        { class: "mr-lens-flat" })] : null;
    const still = flat && make("text", { class: "mr-small mr-lens-still", "text-anchor": "middle",
      y: plot.top + 16, x: plot.toX((held[0] + held[1]) / 2) }, view.say("lens.flat"));
    const edges = [1 - clip, 1 + clip].map((edge) => [
      make("line", { class: "mr-axis mr-lens-edge", x1: plot.toX(edge), x2: plot.toX(edge),
        y1: plot.top, y2: plot.foot }),
      make("text", { class: "mr-small", "text-anchor": "middle", x: plot.toX(edge),
        y: plot.top - 5 }, `${edge < 1 ? "1 − ε" : "1 + ε"} = ${number(edge)}`)]);
    fill(svg, flat, plot.elements, edges,
      make("path", { class: "mr-lens-plain", d: curve((x) => -A * x) }),
      make("path", { class: "mr-lens-loss", d: curve((x) => policyLoss(x, A, clip)) }), still, push,
      hint, dot);
  }

  function point(next) {
    ratio = next;
    const A = advantage(), slope = policySlope(ratio, A, facts.clip);
    const [x, y] = [plot.toX(ratio), plot.toY(policyLoss(ratio, A, facts.clip))];
    put(dot, { cx: x, cy: y });
    put(hint, { x: clamp(x, plot.left + 40, plot.right - 40), // on the side away from the curves
      y: y < (plot.top + plot.foot) / 2 ? y + 30 : y - 18 });
    const way = -Math.sign(slope), end = x + 52 * way; // descent
    fill(push, slope ? [make("line", { class: "mr-lens-push", x1: x + 12 * way, x2: end - 6 * way,
      y1: y, y2: y }), head([end, y], [way, 0], 10, { class: "mr-lens-push-head" })] : []);
    say();
  }
  return { root, draw, point, handle: dot };
}
