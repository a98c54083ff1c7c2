// The ranking explorer's pairs: what each costs, and where it lies on the curve of a pair's loss.

const FAR = 6; // the curve is shown from minus to plus this much, at most

// Those who win a pair down, those who lose one across; a cell is a pair's loss, the stronger the
// more it costs. `light(pair)` hears of the pair that is looked at, with null when none is;
// `keep(pair)` of the one that is chosen.
function pairMatrix(view, { light, keep, isLit, isKept }) {
  const root = make("div", { class: "rank-matrix", role: "group", "aria-label": view.say("ranking.pairs") });
  const open = () => [...root.querySelectorAll("button:not(:disabled)")];
  let laidOut = "";

  function create({ row, column }) {
    if (row < 0 || column < 0) {
      const name = Math.max(row, column);
      return make("span", { class: "rank-label mr-small" }, name < 0 ? "≻" : `y${name + 1}`);
    }
    const pair = { winner: row, loser: column };
    return make("button", { type: "button", class: "rank-pair mr-number",
      onpointerenter: () => light(pair), onfocus: () => light(pair), onclick: () => keep(pair),
      onpointerleave: () => light(null), onblur: () => light(null), onkeydown: walk });
  }

  // Arrow keys walk over the pairs; Tab leaves them.
  function walk(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const cells = open();
    cells[(cells.indexOf(event.currentTarget) + by + cells.length) % cells.length].focus();
  }

  function draw(found) {
    const those = (name) => [...new Set(found.pairs.map((pair) => pair[name]))].sort((a, b) => a - b);
    const rows = those("winner"), columns = those("loser");
    const known = new Map(found.pairs.map((pair) => [`${pair.winner} ${pair.loser}`, pair]));
    if (laidOut !== `${rows}/${columns}`) fill(root);
    laidOut = `${rows}/${columns}`;
    put(root, { style: { "grid-template-columns": `auto repeat(${columns.length}, minmax(0, 1fr))` } });
    const cells = !rows.length ? [] : [-1, ...rows].flatMap((row) =>
      [-1, ...columns].map((column) => ({ row, column })));
    put(root, { "data-none": rows.length ? null : view.say("ranking.none") });
    each(root, cells, create, (cell, { row, column }) => {
      if (row < 0 || column < 0) return;
      const pair = known.get(`${row} ${column}`);
      put(cell, { disabled: !pair, "aria-hidden": !pair && "true", "aria-label": pair
        && view.say("ranking.cell", { winner: row + 1, loser: column + 1, loss: number(pair.loss) }) });
      put(cell, { "aria-pressed": pair && String(isKept(pair)) });
      cell.textContent = pair ? number(pair.loss) : "";
      cell.classList.toggle("rank-lit", Boolean(pair) && isLit(pair));
      cell.style.setProperty("--cost", pair ? `${Math.round(45 * Math.min(pair.loss / 1.4, 1))}%` : "0%");
    });
    const stopHere = open().find((cell) => cell === document.activeElement) ?? open()[0];
    open().forEach((cell) => put(cell, { tabindex: cell === stopHere ? 0 : -1 }));
  }

  return { root, draw };
}

// The loss of a pair by the difference of its scores, around the pairs that there are.
function pairCurve(view, isLit) {
  const root = make("svg", { class: "rank-curve", role: "img", "aria-label": view.say("ranking.curve") });
  let laidOut = "";

  function draw(scores, found) {
    const wide = root.clientWidth || 280, high = 150;
    const differences = found.pairs.map(({ winner, loser }) => scores[winner] - scores[loser]);
    const from = clamp(Math.floor(Math.min(0, ...differences) - 0.5), -FAR, -1);
    const to = clamp(Math.ceil(Math.max(0, ...differences) + 0.5), 1, FAR);
    const most = softplus(-from), at = scale([from, to], [34, wide - 8]);
    const up = scale([0, most], [high - 30, 8]);
    if (laidOut !== `${wide} ${from} ${to}`) {
      laidOut = `${wide} ${from} ${to}`;
      const line = Array.from({ length: 61 }, (_, k) => from + ((to - from) * k) / 60)
        .map((d) => `${at(d).toFixed(1)} ${up(softplus(-d)).toFixed(1)}`).join("L");
      fill(root, make("path", { class: "mr-axis", d: `M${at(from)} ${up(0)}H${at(to)}` }),
        make("path", { class: "mr-grid", d: `M${at(0)} ${up(most)}V${up(0)}` }),
        [from, 0, to].map((d) => make("text", { class: "mr-small", x: at(d), y: up(0) + 14,
          "text-anchor": d < 0 ? "start" : d ? "end" : "middle" }, short(d))),
        [0, Math.log(2)].map((y) => make("text", { class: "mr-small", x: 28, y: up(y) + 4,
          "text-anchor": "end" }, number(y, y ? 2 : 0))),
        make("text", { class: "mr-small", x: (34 + wide) / 2, y: high - 2, "text-anchor": "middle" },
          view.say("ranking.difference")),
        make("path", { class: "rank-line", d: `M${line}` }), make("g"));
    }
    const spot = () => make("circle", { class: "rank-point" });
    each(root.lastChild, found.pairs, spot, (point, pair, k) => {
      const difference = clamp(differences[k], from, to);
      put(point, { cx: at(difference), cy: up(Math.min(pair.loss, most)), r: isLit(pair) ? 6 : 4 });
      point.classList.toggle("rank-lit", isLit(pair));
    });
  }

  return { root, draw };
}
