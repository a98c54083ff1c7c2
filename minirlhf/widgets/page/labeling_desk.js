// The labeling desk: a prompt, its replies as cards, tiers to put them into, and what the others
// said. Python keeps the file and compares; the page moves the cards.

export default widget((view) => {
  const number = make("h3", { class: "mr-title" });
  const streak = make("span", { class: "mr-row mr-push mr-label-streak" });
  const prompt = make("p", { class: "mr-text mr-label-prompt" });
  const hint = make("p");
  const status = make("span", { class: "mr-words mr-label-status", role: "status" });
  const save = button(view.say("labeling.save"), () => view.act("save"), "primary");
  const open = (number) => view.act("turn_to", { number });
  const back = button(view.say("labeling.back"), () => open(view.get("number") - 1));
  const on = button(view.say("labeling.next"), () => open(view.get("number") + 1));
  const extras = labelExtras(view);
  const board = tiers(view, { chosen: extras.show });
  fill(view.root, make("div", { class: "mr-row" }, number, streak), prompt, hint, board.root,
    make("div", { class: "mr-label-more" }, extras.link, extras.panel),
    make("div", { class: "mr-row" }, back, save, on, status, view.problem), labelResult(view));

  const left = () => view.get("ranks").filter((rank) => rank == null).length;

  view.root.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.closest("button, input, select, textarea")) return;
    event.preventDefault();
    if (left()) view.announce(view.say("labeling.left", { count: left() }));
    else if (view.get("saved") && !isLast()) open(view.get("number") + 1);
    else view.act("save");
  });

  const isLast = () => view.get("number") === view.get("total") - 1;

  function draw() {
    const { prompt: words, completions } = view.get("task"), at = view.get("number");
    prompt.textContent = words.trim();
    number.textContent = view.say("labeling.number", { number: at + 1, total: view.get("total") });
    hint.textContent = view.say("labeling.hint", { count: completions.length });
    put(back, { disabled: at === 0 });
    put(on, { disabled: isLast() });
  }

  function count() {
    const leads = (part, isFirst) =>
      put(part, { class: isFirst ? "mr-button mr-primary" : "mr-button" });
    leads(on, view.get("saved") && !isLast());
    leads(save, !view.get("saved") || isLast());
    put(save, { disabled: left() > 0 });
    status.textContent = view.get("saved") || (left()
      ? view.say("labeling.left", { count: left() }) : view.say("labeling.ready"));
  }

  // A mark for each prompt: open, saved, or saved and as much in tune as the labelers are.
  function drawStreak() {
    const { marks, words } = view.get("streak");
    fill(streak, make("span", { class: "mr-small" }, words), make("span", { class: "mr-label-marks",
      role: "img", "aria-label": words }, marks.map((mark, at) => make("i", {
      class: `is-${mark}${at === view.get("number") ? " is-here" : ""}` }))));
  }

  view.on("task number total", draw);
  view.on("ranks saved", count);
  view.on("problem", () => { status.hidden = Boolean(view.get("problem")); });
  view.on("streak number", drawStreak);
  draw();
  count();
  drawStreak();
});
