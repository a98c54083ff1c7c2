// The token lens' four pictures, one a step: how likely, shaped rewards, advantages, clipped loss.

const REACH = [0.5, 1.5]; // ratios that the clipped loss is drawn for
const ROOM = 24, LETTER = 7.6; // pixels of a column from which on its token is named, and of a letter

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

// The first three steps: a column a token. `pick(t, pressed)` hears of a pointer over it.
function columnsPanel(view, pick) {
  const svg = make("svg", { role: "img" }), keys = make("div");
  const title = make("h4", { class: "mr-title" });
  const bands = make("g"), marks = make("g"), over = make("g", { class: "mr-lens-over" });
  const root = make("div", {}, title, keys, svg);
  let facts, step, plot, band, bars = [];

  const middle = (t) => plot.left + (t + 0.5) * band;
  const at = (event) => Math.floor((place(svg, event).x - plot.left) / band);
  const inside = (t) => facts && t >= 0 && t < facts.tokens.length;
  svg.addEventListener("pointermove", (event) => pick(inside(at(event)) ? at(event) : null, false));
  svg.addEventListener("pointerleave", () => pick(null, false));
  svg.addEventListener("click", (event) => { if (inside(at(event))) pick(at(event), true); });

  function shownBy(name) {
    const { logprobs, reference, beta, logRatio, rewards, advantages, values, returns } = facts;
    return { sampling: [0, ...logprobs, ...reference],
      reward: [0, ...rewards, ...logRatio.map((x) => -beta * x)],
      gae: [0, ...advantages, ...values, ...returns] }[name];
  }

  const drawings = {
    sampling() {
      return facts.tokens.map((_, t) => {
        const [to, from] = [plot.toY(facts.logprobs[t]), plot.toY(facts.reference[t])];
        const x = middle(t);
        return [
          make("line", { class: facts.logRatio[t] > 0 ? "mr-lens-up" : "mr-lens-down", x1: x,
            x2: x, y1: from, y2: to }),
          make("rect", { class: "mr-lens-reference", x: x - 4, y: from - 4, width: 8, height: 8 }),
          make("circle", { class: "mr-lens-policy", cx: x, cy: to, r: 4.5 })];
      });
    },
    reward() {
      const last = facts.tokens.length - 1, zero = plot.toY(0), wide = 0.6 * band;
      const parts = facts.logRatio.map((x, t) => rect(middle(t) - wide / 2, wide, zero,
        plot.toY(-facts.beta * x), { class: "mr-lens-penalty" }));
      const from = -facts.beta * facts.logRatio[last];
      return [parts, rect(middle(last) - wide / 2, wide, plot.toY(from),
        plot.toY(from + facts.score), { class: "mr-lens-score" }),
      make("text", { class: "mr-lens-note", x: plot.right, "text-anchor": "end",
        y: Math.min(plot.toY(facts.rewards[last]), zero) - 7 }, `r(x, y) = ${signed(facts.score)}`)];
    },
    gae() {
      const zero = plot.toY(0), wide = 0.62 * band;
      bars = facts.advantages.map((x, t) => rect(middle(t) - wide / 2, wide, zero, plot.toY(x),
        { class: x > 0 ? "mr-lens-plus" : "mr-lens-minus" }));
      const through = (values) => polyline(values.map((x, t) => [middle(t), plot.toY(x)]));
      return [bars, make("path", { class: "mr-lens-returns", d: through(facts.returns) }),
        make("path", { class: "mr-lens-values", d: through(facts.values) }),
        facts.values.map((x, t) => make("circle", { class: "mr-lens-value", r: 3, cx: middle(t),
          cy: plot.toY(x) }))];
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

  function foot() {
    const wordy = band >= ROOM, most = Math.floor((2 * band - 8) / LETTER);
    return facts.shown.map((one) => brief(view, one)).map((word, t) => {
      const x = middle(t), y = plot.foot + 15;
      if (!wordy && (t + 1) % 5) return null;
      return make("text", { class: wordy ? "mr-lens-word" : "mr-small", "text-anchor": "middle", x,
        y: wordy && t % 2 ? y + 16 : y }, // every other one lower: each has two columns' room
      !wordy ? String(t + 1) : word.length > most ? `${word.slice(0, most - 1)}…` : word);
    });
  }

  function draw(next, name, width) {
    [facts, step, bars] = [next, name, []];
    title.textContent = view.say(`lens.titles.${step}`);
    fill(keys, legend(...legends[step]()));
    const wordy = (width - 60) / facts.tokens.length >= ROOM, height = wordy ? 242 : 220;
    plot = axes({ width, height, top: 28, bottom: wordy ? 42 : 26, y: extent(shownBy(step)),
      names: { y: view.say(step === "sampling" ? "lens.nats" : "lens.unit") } });
    band = (plot.right - plot.left) / facts.tokens.length;
    put(svg, { viewBox: `0 0 ${width} ${height}`, height, "aria-label": title.textContent });
    const zero = make("line", { class: "mr-axis", x1: plot.left, x2: plot.right, y1: plot.toY(0),
      y2: plot.toY(0) });
    fill(marks, drawings[step]());
    fill(svg, bands, plot.elements, zero, foot(), marks, over);
  }

  // Mark the chosen token and the one under the pointer. From `known` on (0: all) advantages are
  // there already; `part` 0 … 1 is how far the recursion has come at the chosen one.
  function point(chosen, hovered, known = 0, part = 1) {
    const strip = (t, kind) => make("rect", { class: kind, x: plot.left + t * band, width: band,
      y: plot.top, height: plot.foot - plot.top, rx: 3 });
    fill(bands, strip(chosen, "mr-lens-chosen"),
      hovered === null || hovered === chosen ? null : strip(hovered, "mr-lens-hovered"));
    bars.forEach((bar, t) => {
      const opacity = String(t < known ? 0 : t === chosen ? 0.28 : 1);
      if (bar.getAttribute("opacity") !== opacity) put(bar, { opacity });
    });
    fill(over, step === "gae" ? recursion(chosen, part) : []);
  }

  // A = δ + λ A_next: what comes over from the right, and what is added to it here.
  function recursion(t, part) {
    const after = facts.advantages[t + 1] ?? 0, brought = facts.lam * after, zero = plot.toY(0);
    const [slide, grow] = [clamp(part * 2, 0, 1), clamp(part * 2 - 1, 0, 1)];
    const wide = 0.62 * band, x = middle(t) + (1 - slide) * band;
    const from = plot.toY(after + (brought - after) * slide);
    const to = plot.toY(brought + grow * facts.deltas[t]);
    const rises = facts.deltas[t] > 0 ? -1 : 1;
    return [
      t + 1 < facts.tokens.length ? rect(x - wide / 2, wide, zero, from,
        { class: "mr-lens-brought" }) : null,
      grow > 0 ? make("line", { class: "mr-lens-delta", x1: middle(t), x2: middle(t),
        y1: plot.toY(brought), y2: to }) : null,
      grow > 0 && Math.abs(to - plot.toY(brought)) > 3
        ? head([middle(t), to], [0, rises], 8, { class: "mr-lens-delta-head" }) : null,
      grow === 1 ? rect(middle(t) - wide / 2, wide, zero, plot.toY(facts.advantages[t]),
        { class: "mr-lens-outline" }) : null];
  }

  return { root, draw, point };
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
