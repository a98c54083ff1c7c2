// The frontier: runs that differ in β, their reward model's score and the judge's grade over KL,
// the way that the chosen one took there, and what it said at a point of that way.

const PANELS = [["proxy", 1], ["judge", 2]]; // name, and place in a path's [kl, proxy, judge]

// Where the names of these places stand, each of a width and so far from its place: to the right,
// left, above, below, or aslant; where lines, other places and names already put cross least. A line
// is [points, how much a crossing of it costs].
function beside(places, widths, gaps, lines, plot) {
  const dense = lines.flatMap(([line, price]) => line.slice(1).flatMap((to, n) => {
    const from = line[n], pieces = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / 5);
    return [...Array(pieces).keys()].map((k) => [...from.map((one, axis) =>
      one + (k / pieces) * (to[axis] - one)), price]);
  }));
  const around = [[-13, 0], [13, 0], [0, -13], [0, 13]]; // the ring of the chosen run, or of the best
  const taken = places.filter(Boolean).flatMap(([x, y]) => [[x, y, 60],
    ...around.map(([dx, dy]) => [x + dx, y + dy, 12])]);
  return places.map((at, n) => {
    if (!at) return null;
    const half = widths[n] / 2, far = gaps[n];
    const ways = [[-1, 0], [1, 0], [-1, -1], [1, 1], [1, -1], [-1, 1], [0, -1], [0, 1]];
    const spots = ways.map(([dx, dy]) => [at[0] + ((dy && dx ? 0.6 : 1) * far + half) * dx,
      at[1] + ((dx ? 0.8 : 1) * far + (dx ? 2 : 6)) * dy + 4]);
    const costs = spots.map(([x, y]) => {
      const within = ([px, py]) => Math.abs(px - x) < half + 4 && Math.abs(py - y + 4) < 11;
      const outside = x - half < plot.left + 2 || x + half > plot.right + 6 || y < plot.top - 8
        || y > plot.foot - 4;
      return (outside ? 500 : 0) + [...dense, ...taken].filter(within)
        .reduce((sum, one) => sum + one[2], 0);
    });
    const found = spots[costs.indexOf(Math.min(...costs))];
    for (let by = -half; by <= half; by += 8) taken.push([found[0] + by, found[1] - 4, 60]);
    return found;
  });
}

export default widget((view) => {
  const points = view.get("runs"), judged = view.get("judged");
  const shown = PANELS.filter(([name]) => name === "proxy" || judged);
  const chosen = () => points[view.get("choice")];
  const last = () => (chosen().scrubs ? chosen().path.length - 1 : -1);
  const moment = () => (view.get("moment") < 0 ? last() : Math.min(view.get("moment"), last()));
  let hovered = null, width = 0;

  const choose = (n) => view.set({ choice: n, moment: -1 });
  const chips = make("div", { class: "mr-row mr-frontier-runs", role: "radiogroup",
    "aria-label": view.say("frontier.runs") },
  make("span", { class: "mr-label", "aria-hidden": "true" }, view.say("frontier.choice")),
  points.map((point, n) => make("button", { type: "button", role: "radio", class: "mr-button",
    "aria-label": `β = ${short(point.beta)}`, onclick: () => choose(n),
    onpointerenter: () => hover(n), onpointerleave: () => hover(null) }, short(point.beta))));
  const runs = () => [...chips.querySelectorAll("[role=radio]")];
  const markRuns = choices(chips, runs, { choose, chosen: () => view.get("choice") });

  const plots = make("div", { class: "mr-frontier-plots" });
  const panels = shown.map(([name, k]) => panel(name, k));
  const best = (name) => points.reduce((top, one) =>
    ((one[name] ?? -Infinity) > (top[name] ?? -Infinity) ? one : top));
  // The judge's best run, from which on a smaller β gains with the reward model and loses with it.
  const [most, top] = [best("proxy"), best("judge")];
  const turns = judged && most.beta < top.beta && most.judge !== null && most.judge < top.judge;
  const facts = { proxy: short(most.beta), judge: short(top.beta), from: signed(top.proxy),
    to: signed(most.proxy), high: number(top.judge), low: number(most.judge ?? 0) };
  const headline = make("p", { class: "mr-title", hidden: !judged || points.length < 2 },
    view.say(turns ? "frontier.turned" : "frontier.headline", facts));
  const why = make("p", { hidden: !turns }, view.say("frontier.turns", facts));
  plots.append(...panels.map((one) => one.root));

  const steps = make("input", { type: "range", min: 0, step: 1 });
  const when = make("span");
  const training = field(when, steps);
  steps.addEventListener("input", () => go(Number(steps.value), false));
  steps.addEventListener("change", () => go(Number(steps.value), true));
  const go = (at, settled) => view.set({ moment: clamp(Math.round(at), 0, last()) }, settled);

  const words = make("p", { class: "mr-frontier-words" });
  const title = make("h4", { class: "mr-title" });
  const replies = make("div");
  const texts = make("div", { class: "mr-stack" }, title, replies);
  const key = make("p", { class: "mr-small" }, view.say("frontier.key"));
  fill(view.root, headline, why, key, chips, view.busy, view.problem, words, plots, training, texts);

  // One picture: the runs' ends joined towards smaller β, the chosen run's way in front of them.
  function panel(name, k) {
    let sides = [];
    const svg = make("svg", { role: "img" }), back = make("g"), way = make("g"), ends = make("g");
    const ring = make("circle", { class: "mr-frontier-ring", r: 10.5 });
    const hint = make("text", { class: "mr-small mr-frontier-start", "text-anchor": "middle" },
      view.say("frontier.drag"));
    const root = make("figure", { class: "mr-frontier-plot" },
      make("figcaption", { class: "mr-title" }, view.say(`frontier.${name}_title`)), svg);
    let plot;
    const spot = (point) => [plot.toX(point.kl), plot.toY(point[name])];
    const there = (step) => [plot.toX(step[0]), plot.toY(step[k])];
    const known = (point) => point[name] !== null;
    const path = (point) => point.path.filter((step) => step[k] !== null);
    drag(ring, {
      start: () => hover(null),
      move: (event) => go(nearest(event), false),
      end: () => go(moment(), true),
    });

    // The step of the chosen run's way that lies nearest to a pointer.
    function nearest(event) {
      const pointer = place(svg, event);
      const far = chosen().path.map((step) => (step[k] === null ? Infinity
        : Math.hypot(there(step)[0] - pointer.x, there(step)[1] - pointer.y)));
      return far.indexOf(Math.min(...far));
    }

    function draw(room) {
      const height = 300, seen = points.filter(known);
      const all = seen.flatMap((point) => [[point.kl, point[name]],
        ...path(point).map((step) => [step[0], step[k]])]);
      plot = axes({ width: room, height, x: extent(all.map((one) => one[0]), 0.06),
        y: extent(all.map((one) => one[1])), names: { x: view.say("frontier.kl"),
          y: view.say(`frontier.${name}_unit`) } });
      put(svg, { viewBox: `0 0 ${room} ${height}`, height, width: room,
        "aria-label": view.say(`frontier.${name}_title`) });
      const along = [...seen].sort((a, b) => b.beta - a.beta).map(spot);
      const joined = along.slice(1).map((to, n) => {
        const from = along[n], by = [to[0] - from[0], to[1] - from[1]];
        const middle = [from[0] + 0.55 * by[0], from[1] + 0.55 * by[1]];
        return Math.hypot(...by) > 70 ? head(middle, by, 10, { class: "mr-frontier-head" }) : null;
      });
      fill(back, turns && beyond(all), plot.elements,
        points.map((point) => make("path",
          { class: "mr-frontier-pale", d: polyline(path(point).map(there)) })),
      make("path", { class: "mr-frontier-line", d: polyline(along) }), joined);
      const lines = [[along, 3], ...points.map((one) => [path(one).map(there), 1])];
      sides = beside(points.map((one) => known(one) && spot(one)),
        points.map((one) => 7.2 * called(one).length), points.map((one) => (isBest(one) ? 22 : 17)),
        lines, plot);
      fill(svg, back, way, ends, hint, ring);
      point();
    }

    // What lies past the judge's best, named where fewest of these places are.
    function beyond(all) {
      const x = plot.toX(top.kl), right = plot.right, words = view.say(`frontier.beyond_${name}`);
      const spots = [plot.top + 8, plot.foot - 9];
      const near = spots.map((y) => all.filter(([kl, value]) => Math.abs(plot.toY(value) - y) < 24
        && plot.toX(kl) > right - 8 * words.length).length);
      return [make("rect", { class: "mr-frontier-beyond", x, width: right - x, y: plot.top - 8,
        height: plot.foot - plot.top + 8 }),
      make("line", { class: "mr-frontier-turn", x1: x, x2: x, y1: plot.top - 8, y2: plot.foot }),
      make("text", { class: "mr-frontier-falls", x: right - 6, y: spots[near[0] <= near[1] ? 0 : 1] + 4,
        "text-anchor": "end" }, words)];
    }

    function point() {
      const steps = path(chosen()).map(there), now = chosen().path[moment()];
      const [from] = steps; // named, it says which way the training went
      fill(way, make("path", { class: "mr-frontier-way", d: polyline(steps) }),
        steps.length > 1 && [make("circle", { class: "mr-frontier-from", cx: from[0], cy: from[1], r: 3.5 }),
          make("text", { class: "mr-frontier-start", x: from[0] + 9, y: from[1] + 5 },
            view.say("frontier.start"))]);
      fill(ends, points.map((run, n) => known(run) && mark(run, n)));
      put(ring, { hidden: !now || now[k] === null });
      put(hint, { hidden: !now || now[k] === null || moment() === last() });
      if (!now || now[k] === null) return;
      const [x, y] = there(now);
      put(ring, { cx: x, cy: y });
      put(hint, { x, y: y + (y > plot.foot - 50 ? -18 : 27) });
    }

    const isBest = (run) => points.length > 1 && run === best(name);
    function called(run) {
      const words = `β ${short(run.beta)}`;
      return isBest(run) ? view.say("frontier.best", { called: words }) : words;
    }

    function mark(run, n) {
      const [x, y] = spot(run), is = n === view.get("choice");
      const words = called(run);
      return make("g", { class: `mr-frontier-end${is ? " mr-frontier-chosen" : ""}${
        n === hovered ? " mr-frontier-lit" : ""}`, onclick: () => choose(n),
      // a move, since a mark that is drawn anew under a resting pointer isn't meant
      onpointermove: () => hover(n), onpointerleave: () => hover(null) },
      make("circle", { class: "mr-frontier-touch", cx: x, cy: y, r: 16 }),
      isBest(run) && make("circle", { class: "mr-frontier-best", cx: x, cy: y, r: is ? 15 : 9 }),
      make("circle", { cx: x, cy: y, r: is ? 7 : 5 }),
      make("text", { x: sides[n][0], y: sides[n][1], "text-anchor": "middle" }, words));
    }
    return { root, draw, point, mark };
  }

  function numbers(run, [kl, proxy, judge] = [run.kl, run.proxy, run.judge]) {
    const said = view.say("frontier.words", { beta: short(run.beta), kl: number(kl),
      proxy: signed(proxy) });
    return judge == null ? said : `${said} ${view.say("frontier.judge", { grade: number(judge) })}`;
  }

  // Its numbers stand in the line above the plots meanwhile: nothing is hidden by them.
  function hover(n) {
    if (n === hovered) return;
    hovered = n;
    panels.forEach((one) => one.root.querySelectorAll(".mr-frontier-end").forEach((end, at) => {
      end.classList.toggle("mr-frontier-lit", at === n);
    }));
    tell();
  }

  function tell() {
    const run = points[hovered] ?? chosen(), at = moment();
    if (run !== chosen() || last() < 1) words.textContent = numbers(run);
    else {
      words.textContent = view.say("frontier.at", { step: at + 1,
        words: numbers(run, at === last() ? undefined : run.path[at]) });
    }
  }

  function point() {
    const at = moment(), whole = last() < 1;
    markRuns("aria-checked");
    put(training, { hidden: whole });
    put(steps, { max: Math.max(last(), 0), value: at });
    const on = view.say("frontier.moment", { step: at + 1, total: last() + 1 });
    when.textContent = on;
    put(steps, { "aria-valuetext": on });
    tell();
    if (width) panels.forEach((one) => one.point());
  }

  function read() {
    const found = view.get("replies"), others = view.get("beside") ?? [];
    put(texts, { hidden: !found.length });
    const two = others.length > 0, beta = short(chosen().beta), other = short(view.get("other") ?? 0);
    title.textContent = view.say(`frontier.${two ? "both" : "samples"}${last() < 1 ? "_end" : ""}`,
      { beta, other, step: moment() + 1 });
    put(replies, { class: two ? "mr-stack" : "mr-cards mr-frontier-replies" });
    const column = (reply, name) => make("div", { class: "mr-frontier-said" },
      make("b", { class: "mr-small" }, `β = ${name}`), replyParts(view, reply));
    fill(replies, found.map((reply, n) => make("article", { class: "mr-card" },
      make("p", { class: "mr-small mr-text mr-frontier-prompt" }, reply.prompt.trim()),
      two ? make("div", { class: "mr-frontier-both" }, column(others[n], other), column(reply, beta))
        : replyParts(view, reply))));
  }

  // Marks are drawn anew then, and none of the old ones says that the pointer has left it.
  view.on("choice moment", () => hover(null));
  view.on("choice moment", point);
  view.on("replies beside moment choice", read);
  view.fit(plots, (now) => {
    width = now;
    const side = shown.length > 1 && width >= 620;
    panels.forEach((one) => one.draw(side ? Math.floor((width - 20) / 2) : width));
  });
  point();
  read();
});
