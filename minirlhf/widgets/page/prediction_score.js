// A chapter's predictions: what was guessed, what came out, and what it is worth.

export default widget((view) => {
  const total = make("div", { class: "mr-title", role: "status" });
  const waiting = make("p", { class: "mr-words" });
  const body = make("tbody");
  const table = make("table", { class: "mr-table score-table" }, make("thead", {}, make("tr", {},
    ["question", "label", "result", "worth"].map((name) => make("th", { scope: "col" },
      view.say(`prediction.${name}`))))), body);
  view.root.append(make("div", { class: "mr-card mr-stack" }, total, table, waiting));

  function draw() {
    const rows = view.get("rows");
    total.textContent = rows.length ? view.say("prediction.total", { points: short(view.get("points")),
      most: rows.length, guessed: rows.filter((row) => row.worth !== null).length })
      : view.say("prediction.unscored");
    table.hidden = !rows.length;
    waiting.textContent = view.say("prediction.waiting", { count: view.get("waiting") });
    waiting.hidden = !view.get("waiting");
    fill(body, rows.map((row) => make("tr", {}, make("td", {}, row.question),
      make("td", {}, row.guess || "–"), make("td", {}, row.result), make("td", {}, mark(row.worth)))));
  }
  function mark(worth) {
    if (worth === null) return "–";
    const name = worth === 1 ? "spot" : worth > 0 ? "near" : "far";
    const kind = { spot: "mr-chip mr-good", near: "mr-chip", far: "mr-chip mr-bad" }[name];
    return make("span", { class: kind }, view.say(`prediction.marks.${name}`));
  }
  view.on("rows points waiting", draw);
  draw();
});
