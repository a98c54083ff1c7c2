// What the labeling desk asks beside the ranking, if one likes: a grade and Table 3's questions,
// of the reply that is chosen.

function labelExtras(view) {
  const name = make("h4", { class: "mr-label" });
  const grades = make("div", { class: "mr-row", role: "radiogroup" });
  const flags = make("div", { class: "mr-row mr-label-flags" });
  const panel = make("div", { class: "mr-card mr-stack", hidden: true }, name, grades, flags);
  const link = button(view.say("labeling.extras"), () => {
    panel.hidden = !panel.hidden;
    put(link, { "aria-expanded": String(!panel.hidden) });
  }, "link");
  put(link, { "aria-expanded": "false" });
  let at = 0;

  const grade = (value) => {
    const likert = [...view.get("likert")];
    likert[at] = likert[at] === value ? null : value;
    view.set({ likert });
  };
  const flag = (key, on) => {
    const all = view.get("flags").map((own) => [...own]);
    all[at] = on ? [...all[at], key] : all[at].filter((other) => other !== key);
    view.set({ flags: all });
  };
  fill(grades, make("span", { class: "mr-label" }, view.say("labeling.likert")),
    [1, 2, 3, 4, 5, 6, 7].map((value) => put(button(value, () => grade(value)),
      { role: "radio", "data-grade": value })));
  grades.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = clamp((view.get("likert")[at] ?? (by > 0 ? 0 : 8)) + by, 1, 7);
    if (view.get("likert")[at] !== next) grade(next);
    grades.querySelector(`[data-grade="${next}"]`).focus();
  });

  function draw() {
    const own = view.get("likert")[at];
    name.textContent = view.say("labeling.about", { name: `y${at + 1}` });
    for (const part of grades.querySelectorAll("[data-grade]")) {
      const chosen = Number(part.dataset.grade) === own;
      put(part, { "aria-checked": String(chosen),
        tabindex: chosen || (own == null && part.dataset.grade === "1") ? 0 : -1 });
    }
    each(flags, view.get("questions"), (key) => {
      const box = make("input", { type: "checkbox", onchange: (event) => flag(key, event.target.checked) });
      return make("label", { class: "mr-label-flag" }, box, view.say(`labeling.${key}`));
    }, (part, key) => put(part.firstChild, { checked: view.get("flags")[at].includes(key) }));
  }
  view.on("likert flags task", draw);
  return { link, panel, show(next) { at = next; draw(); } };
}
