// The labeling desk: a prompt, its replies as cards, tiers to put them into, and what the others
// said. Python keeps the file and compares; the page moves the cards.

export default widget((view) => {
  const number = make("h3", { class: "mr-title" });
  const streak = make("span", { class: "mr-row mr-push mr-label-streak" });
  const prompt = make("p", { class: "mr-text mr-label-prompt" });
  const hint = make("p", { class: "mr-small" });
  const status = make("span", { class: "mr-words", role: "status" });
  const save = button(view.say("labeling.save"), () => view.act("save"), "primary");
  const back = button(view.say("labeling.back"), () => view.act("turn_to", { number: view.get("number") - 1 }));
  const on = button(view.say("labeling.next"), () => view.act("turn_to", { number: view.get("number") + 1 }));
  const extras = labelExtras(view);
  const board = tiers(view, { chosen: extras.show });
  fill(view.root, make("div", { class: "mr-row" }, number, streak), prompt, board.root, hint,
    make("div", { class: "mr-row" }, back, save, on, status, make("span", { class: "mr-push" }, extras.link)),
    view.problem, extras.panel, labelResult(view));

  const left = () => view.get("ranks").filter((rank) => rank == null).length;

  view.root.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.closest("button, input, select, textarea")) return;
    event.preventDefault();
    if (left()) view.announce(view.say("labeling.left", { count: left() }));
    else view.act("save");
  });

  function open() {
    const { prompt: words, completions } = view.get("task"), at = view.get("number");
    prompt.textContent = words.trim();
    number.textContent = view.say("labeling.number", { number: at + 1, total: view.get("total") });
    hint.textContent = view.say("labeling.hint", { count: completions.length });
    put(back, { disabled: at === 0 });
    put(on, { disabled: at === view.get("total") - 1 });
  }

  function count() {
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

  view.on("task number total", open);
  view.on("ranks saved", count);
  view.on("streak number", drawStreak);
  open();
  count();
  drawStreak();
});
