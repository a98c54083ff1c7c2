// Eq. 1 under one's hands: a lane for each reply with its dot, every pair, and the loss of a pair.

const DOT = 10, AXIS = 40, UNDER = DOT + 8; // pixels; an arrow lies so far beneath its dot's middle
const LEAST = 14, STILL = 0.0005; // an arrow's shortest length; a gradient that moves nothing

export default widget((view) => {
  const K = view.get("scores").length;
  const reach = view.get("_reach"), texts = view.get("_completions");
  let x = scale([-1, 1], [0, 1]), width = 0, middles = []; // places on the picture
  let lit = null, kept = null; // the pair, or reply, that is looked at; the pair that was chosen
  let stop = () => {}; // ends the motion of a step

  // what stands on the page
  const loss = make("output", { class: "rank-loss mr-number" });
  const begun = make("span", { class: "mr-words mr-number" }); // the loss before the first step
  const order = make("span", { class: "mr-chip" });
  const trail = make("svg", { class: "rank-trail", width: 120, height: 34, "aria-hidden": true });
  const steps = make("span", { class: "mr-small mr-number" });
  const head = make("div", { class: "mr-row" },
    make("span", { class: "mr-words" }, view.say("ranking.loss")), begun, loss, order,
    make("span", { class: "mr-row mr-push" }, steps, trail));

  const lanes = Array.from({ length: K }, (_, k) => lane(k));
  const picture = make("svg", { class: "rank-picture", role: "group",
    "aria-label": view.say("ranking.axis") });
  const arrowHead = `arrow-${Math.random().toString(36).slice(2)}`;
  const marker = (id, kind) => make("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4,
    markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" },
  make("path", { class: kind, d: "M0 0 8 4 0 8Z" }));
  const axis = make("g"), link = make("g"), arrows = make("g"), dots = make("g");
  fill(picture, make("defs", {}, marker(arrowHead, "rank-arrow-head"),
    marker(`${arrowHead}-pull`, "rank-pull-head")), axis, link, arrows, dots);
  const board = make("div", { class: "rank-lanes" }, lanes.map((one) => one.row), picture);

  const matrix = pairMatrix(view, { light, keep, isLit, isKept: (pair) => same(pair, kept) }),
    curve = pairCurve(view, isLit);
  const said = make("p", { class: "rank-said mr-words" });
  const size = make("input", { type: "range", min: 0.5, max: 8, step: 0.5,
    value: view.get("step_size"), oninput: () => view.set({ step_size: Number(size.value) }, false),
    onchange: () => view.set({ step_size: Number(size.value) }) });
  const sized = field("", size, { class: "mr-field rank-size" });
  const onward = button(view.say("ranking.step"), takeStep, "primary");
  const controls = make("div", { class: "mr-row mr-low" }, onward, sized,
    button(view.say("ranking.again"), startOver, "link"));
  view.root.append(head, said, make("div", { class: `rank-both${K > 5 ? " rank-many" : ""}` },
    make("div", { class: "mr-stack" }, board, controls, view.busy, view.problem),
    make("div", { class: "rank-side" },
      make("div", {}, make("div", { class: "mr-label" }, view.say("ranking.pairs")), matrix.root),
      make("div", {}, make("div", { class: "mr-label" }, view.say("ranking.curve")), curve.root))));

  // a reply's lane: who it is, its rank, its numbers, and a dot on the common axis
  function lane(k) {
    const name = `y${k + 1}`;
    const take = () => view.set({ ranks: view.get("ranks").with(k, Number(rank.value)) });
    const rank = make("select", { class: "mr-input", onchange: take,
      "aria-label": view.say("ranking.rank", { number: k + 1 }) },
    Array.from({ length: K }, (_, at) => make("option", { value: at + 1 }, `${at + 1}`)));
    const score = make("span", { class: "mr-number" }), slope = make("span", { class: "mr-number" });
    const row = make("div", { class: "rank-lane", onpointerenter: () => light({ reply: k }),
      onpointerleave: () => light(null) },
    make("div", { class: "rank-who" },
      make("div", { class: "mr-row" }, make("b", {}, name),
        make("label", { class: "mr-small" }, `${view.say("ranking.ranked")} `, rank)),
      texts[k] && make("div", { class: "rank-text mr-small mr-text", title: texts[k] }, texts[k])),
    make("div", { class: "rank-track" }),
    make("div", { class: "rank-numbers mr-small" },
      make("div", {}, score), make("div", {}, slope)));
    return { row, rank, score, slope };
  }

  const dot = Array.from({ length: K }, (_, k) => {
    const name = `y${k + 1}`;
    const element = make("g", { class: "rank-dot" }, make("circle", { class: "rank-touch", r: 22 }),
      make("circle", { class: "rank-ring", r: DOT + 4 }), make("circle", { r: DOT }),
      make("text", { class: "rank-name", "text-anchor": "middle", dy: 4 }, name));
    dots.append(element);
    const move = (to, settled) => {
      stop();
      view.set({ scores: view.get("scores").with(k, clamp(to, -reach, reach)), losses: [] }, settled);
      if (settled) view.announce(view.say("ranking.words", summary(now())));
    };
    let grip = 0; // how far from the dot's middle it was taken hold of
    drag(element, {
      start: (event) => {
        grip = place(picture, event).x - x(view.get("scores")[k]);
        light({ reply: k });
      },
      move: (event) => move(snap(x.back(place(picture, event).x - grip), 0.01), false),
      end: () => move(view.get("scores")[k], true),
    });
    element.addEventListener("focus", () => light({ reply: k }));
    element.addEventListener("blur", () => light(null));
    element.addEventListener("pointerenter", () => light({ reply: k }));
    const tell = slider(element, { label: view.say("ranking.score", { number: k + 1 }), step: 0.1,
      big: 1, min: -reach, max: reach, get: () => view.get("scores")[k], set: move,
      words: (score) => view.say("ranking.spoken", { score: signed(score), gradient:
        signed(now().gradient[k], 3), rank: view.get("ranks")[k] }) });
    return { element, tell };
  });

  function now() {
    return rankingLoss(view.get("scores"), view.get("ranks"));
  }
  function summary(found) {
    return { loss: number(found.loss, 3), correct: found.correct, pairs: found.pairs.length };
  }

  // ------------------------------------------------------------------------------------- acting

  function takeStep() {
    stop();
    const from = view.get("scores"), found = now();
    const to = from.map((score, k) => clamp(score - view.get("step_size") * found.gradient[k],
      -reach, reach));
    const after = rankingLoss(to, view.get("ranks"));
    const losses = [...(view.get("losses").length ? view.get("losses") : [found.loss]), after.loss];
    view.announce(view.say("ranking.words", summary(after)));
    view.set({ scores: to, losses });
    const end = tween(450, (part) => draw(from.map((score, k) => score + part * (to[k] - score))),
      () => { stop = () => {}; });
    stop = () => { end(); stop = () => {}; draw(); };
  }

  function startOver() {
    stop();
    view.set({ ...view.get("_first"), losses: [] });
  }

  // Look at a pair, or at a reply and all pairs that it is in, or at what was chosen.
  function light(what) {
    lit = what ?? kept;
    draw();
  }
  // Choose a pair, or let go of it: it stays lit when nothing else is looked at.
  function keep(pair) {
    kept = same(pair, kept) ? null : pair;
    light(kept);
  }
  const same = (one, other) => one.winner === other?.winner && one.loser === other?.loser;
  function isLit(pair) {
    if (!lit) return false;
    if (lit.winner === undefined) return pair.winner === lit.reply || pair.loser === lit.reply;
    return same(pair, lit);
  }

  // ------------------------------------------------------------------------------------ drawing

  function lay() {
    const track = board.querySelector(".rank-track");
    width = track.clientWidth;
    const height = lanes.at(-1).row.offsetTop + lanes.at(-1).row.offsetHeight;
    put(picture, { width, height: height + AXIS, style: { left: `${track.offsetLeft}px` } });
    x = scale([-reach, reach], [DOT + 6, width - DOT - 6]);
    middles = lanes.map(({ row }) => {
      const own = row.querySelector(".rank-track");
      return own.offsetTop + own.offsetHeight / 2;
    });
    const tracks = lanes.map(({ row }) => row.querySelector(".rank-track"));
    fill(axis, ticks(-reach, reach, width > 360 ? 8 : 4).map((at) => [
      make("path", { class: at === 0 ? "mr-axis" : "mr-grid", d: tracks.map((one) =>
        `M${x(at)} ${one.offsetTop}v${one.offsetHeight}`).join("") }),
      make("text", { class: "mr-small", x: x(at), y: height + 15, "text-anchor": "middle" },
        short(at))]),
    make("text", { class: "mr-small", x: width / 2, y: height + 33, "text-anchor": "middle" },
      view.say("ranking.below")));
    put(board, { style: { "padding-bottom": `${AXIS}px` } });
  }

  function draw(scores = view.get("scores")) {
    if (!width) return;
    const ranks = view.get("ranks"), found = rankingLoss(scores, ranks);
    loss.textContent = number(found.loss, 3);
    const [first] = view.get("losses");
    begun.textContent = view.get("losses").length > 1 ? `${number(first, 3)} →` : "";
    begun.hidden = !begun.textContent;
    const none = !found.pairs.length;
    order.textContent = none ? view.say("ranking.none") : view.say("ranking.order", summary(found));
    const all = !none && found.correct === found.pairs.length;
    order.className = `mr-chip ${all ? "mr-good" : ""}`;
    put(onward, { disabled: none });
    sized.firstChild.textContent = view.say("ranking.size", { size: short(view.get("step_size")) });
    put(size, { value: String(view.get("step_size")) });
    lanes.forEach(({ row, rank, score, slope }, k) => {
      const near = lit && [lit.reply, lit.winner, lit.loser].includes(k);
      row.classList.toggle("rank-lit", Boolean(near));
      put(rank, { value: String(ranks[k]) });
      score.textContent = view.say("ranking.shown", { score: signed(scores[k]) });
      slope.textContent = view.say("ranking.slope", { gradient: signed(found.gradient[k], 3) });
      put(dot[k].element, { transform: `translate(${x(scores[k]).toFixed(1)} ${middles[k]})` });
      dot[k].element.classList.toggle("rank-lit", Boolean(near));
      dot[k].tell();
    });
    drawArrows(scores, found);
    matrix.draw(found);
    curve.draw(scores, found);
    drawTrail();
    explain(scores, found);
  }

  function drawArrows(scores, found) {
    const shaft = () => make("g", {}, make("circle", { class: "rank-ghost", r: DOT }),
      make("path", { class: "rank-arrow", "marker-end": `url(#${arrowHead})` }));
    each(arrows, scores, shaft, (arrow, score, k) => {
      const slope = found.gradient[k], from = x(score), y = middles[k] + UNDER;
      const to = x(clamp(score - view.get("step_size") * slope, -reach, reach));
      const tip = from - Math.sign(slope) * Math.max(Math.abs(to - from), LEAST);
      put(arrow, { hidden: Math.abs(slope) < STILL });
      put(arrow.firstChild, { cx: to, cy: middles[k] });
      put(arrow.lastChild, { d: `M${from} ${y}H${clamp(tip, 4, width - 4)}` });
    });
    const tie = () => make("g", {}, make("line", { class: "rank-link" }), [0, 1].map(() =>
      make("path", { class: "rank-pull", "marker-end": `url(#${arrowHead}-pull)` })));
    each(link, found.pairs.filter((one) => same(one, lit)), tie, (all, { winner, loser, pull }) => {
      put(all.firstChild, { x1: x(scores[winner]), y1: middles[winner], x2: x(scores[loser]),
        y2: middles[loser] });
      // the pair's own part of where a step takes the two, above their dots
      [[winner, 1], [loser, -1]].forEach(([k, way], n) => {
        const far = Math.abs(x(view.get("step_size") * pull) - x(0)), from = x(scores[k]);
        put(all.children[n + 1], { hidden: pull < STILL,
          d: `M${from} ${middles[k] - UNDER}h${way * Math.max(far, LEAST)}` });
      });
    });
  }

  // The loss after each step taken.
  function drawTrail() {
    const losses = view.get("losses");
    put(trail, { style: { visibility: losses.length < 2 ? "hidden" : "visible" } });
    steps.textContent = losses.length < 2 ? "" : view.say("ranking.steps", { count: losses.length - 1 });
    if (losses.length < 2) return;
    const at = scale([0, Math.max(losses.length - 1, 8)], [4, 116]);
    const up = scale([0, Math.max(...losses)], [30, 4]);
    const line = losses.map((one, k) => `${at(k)} ${up(one)}`).join("L");
    fill(trail, make("path", { class: "mr-axis", d: "M4 30H116" }),
      make("path", { class: "rank-line", d: `M${line}` }),
      make("circle", { class: "rank-point rank-lit", r: 3.5, cx: at(losses.length - 1),
        cy: up(losses.at(-1)) }));
  }

  function explain(scores, found) {
    const pair = found.pairs.find((one) => same(one, lit));
    const difference = pair && scores[pair.winner] - scores[pair.loser];
    said.textContent = pair ? view.say("ranking.pair", { winner: pair.winner + 1, loser: pair.loser + 1,
      difference: signed(difference), chance: number(sigmoid(difference)), loss: number(pair.loss),
      pull: number(pair.pull, 3) })
      : view.get("losses").length > 1 ? did(scores, found)
        : view.say(found.pairs.length ? "ranking.hint" : "ranking.tied");
  }

  // What the last step did, and which pair it hasn't turned.
  function did(scores, found) {
    const [before, after] = view.get("losses").slice(-2).map((one) => number(one, 3));
    const wrong = found.pairs.find(({ winner, loser }) => scores[winner] <= scores[loser]);
    const first = number(view.get("losses")[0], 3);
    const since = view.get("losses").length > 2 ? view.say("ranking.since", { first }) : "";
    const left = wrong ? view.say("ranking.wrong", { winner: wrong.winner + 1, loser: wrong.loser + 1 })
      : view.say("ranking.right");
    return view.say("ranking.did", { before, after, since, left });
  }

  view.on("scores ranks step_size losses", () => draw());
  view.fit(board, () => { lay(); draw(); });
});
