// The training desk's head: what the run is doing, how far it is, and the levers that act on it.

function duration(view, seconds) {
  const whole = Math.max(Math.round(seconds), 0), minutes = Math.floor(whole / 60);
  return minutes ? view.say("desk.minutes", { minutes, seconds: String(whole % 60).padStart(2, "0") })
    : view.say("desk.seconds", { seconds: whole });
}

// A field and a slider for one number of the run; `bar` says how the slider's places are numbers.
// What is wrong with a number stands under its field.
function lever(view, name, bar) {
  const range = make("input", { type: "range", step: bar.step });
  const box = make("input", { class: "mr-input mr-number", inputmode: "decimal", size: 6,
    "aria-label": view.say(`desk.${name}`) });
  const root = field(view.say(`desk.${name}`), range, { class: "mr-field mr-desk-lever" });
  const note = make("span", { class: "mr-small mr-number mr-desk-began", role: "status",
    id: `${range.id}-note` });
  put(box, { "aria-describedby": note.id });
  range.before(box);
  root.append(note);
  let held = false, began = 0;
  const show = (value) => {
    box.value = String(Number(value.toPrecision(4)));
    put(range, { "aria-valuetext": box.value });
  };
  const tell = (value) => { held = false; view.act("steer", { [name]: value }); };
  range.addEventListener("input", () => { held = true; show(bar.from(Number(range.value))); });
  range.addEventListener("change", () => tell(bar.from(Number(range.value))));
  box.addEventListener("input", () => { held = true; });
  const take = () => {
    const value = Number(box.value.replace(",", "."));
    const wrong = box.value.trim() === "" || !(value >= 0) || !Number.isFinite(value);
    put(box, { "aria-invalid": wrong && "true" });
    if (!wrong) return tell(value);
    put(note, { role: "alert" });
    note.classList.add("is-wrong");
    note.textContent = view.say("desk.wrong", { name: view.say(`desk.${name}`)[0],
      typed: box.value.trim().slice(0, 12), value: short(began) });
  };
  box.addEventListener("change", take);
  box.addEventListener("keydown", (event) => { // JupyterLab keeps the change that Enter would make
    if (event.key === "Enter" && held) take();
  });
  return { root, draw(now) {
    root.hidden = !now;
    if (!now || held) return;
    began = now.began;
    put(note, { role: "status" });
    note.classList.remove("is-wrong");
    put(range, { min: bar.to(now.min), max: bar.to(now.max) });
    range.value = bar.to(now.value);
    put(box, { "aria-invalid": null });
    show(now.value);
    note.textContent = now.follow ? view.say("desk.follow")
      : now.value === now.began ? "" : view.say("desk.began", { value: short(now.began) });
  } };
}

const LEVERS = {
  beta: { step: 0.05, to: (value) => Math.log10(Math.max(value, 1e-12)),
    from: (at) => Number((10 ** at).toPrecision(3)) },
  gamma: { step: "any", to: (value) => value, from: (at) => Number(at.toPrecision(3)) },
};

// What a change of β or γ did: means of the last steps before it and of the latest since, up to
// `step`; nothing until there are a few of them. Beside the reward stands what it is the price of.
const EFFECTS = { beta: ["β", "objective/kl"], gamma: ["γ", "ptx/loss"] };
const BESIDE = 10, FEW = 3; // steps of a mean, at most and at least

function effect(view, [symbol, metric], step) {
  const all = view.get("curves"), turns = (all[0]?.turns ?? []).filter((one) => one.symbol === symbol);
  const at = lastBefore(turns.map((one) => one.step), step), turn = turns[at];
  if (!turn) return null;
  const mean = (values) => sum(values) / values.length;
  const values = [metric, "objective/score"].map((name) => {
    const curve = all.find((one) => one.metric === name);
    if (!curve) return null;
    const from = lastBefore(curve.x, turn.step - 1) + 1, to = lastBefore(curve.x, step) + 1;
    const start = lastBefore(curve.x, (turns[at - 1]?.step ?? 0) - 1) + 1;
    const before = curve.y.slice(Math.max(start, from - BESIDE), from);
    const since = curve.y.slice(Math.max(from, to - BESIDE), to);
    if (Math.min(before.length, since.length) < FEW) return null;
    const [old, now] = [before, since].map((values) => number(mean(values), curve.digits));
    return `${curve.title} ${old}\u00a0→\u00a0${now}`; // in one line
  }).filter(Boolean);
  const named = view.say(`desk.at.${view.get("run").unit}`, { step: turn.step });
  const [was, is] = turn.words.slice(1).split("→").map(Number);
  return view.say(values.length ? "desk.turned" : "desk.turned_new", { at: named, steps: BESIDE,
    change: was > 0 ? `${symbol} ×${short(is / was)}` : turn.words,
    values: values.join(view.say("desk.comma")) });
}

// What the command line says of an option, in the page's words; anything else is quoted.
function refusal(view, error) {
  const [, typed, closest] = error.match(
    /(--[\w.-]+)[^]*?(?:(?:did you mean|closest is) (--[\w.-]+)\??$|no such option)/) ?? [];
  if (typed) return view.say(closest ? "desk.unknown_option" : "desk.no_option", { typed, closest });
  return view.say("desk.quoted", { error });
}

// The times that the page shows: they go on by themselves while the run moves, and are set anew when
// Python tells others. The time so far never goes back, whatever was counted from where.
const TOLD = 5; // seconds that Python's times are rounded down to

function deskClock() {
  let arrived = 0, last = {};
  const gone = () => (last.moves ? (Date.now() - arrived) / 1000 : 0);
  const now = () => ({ gone: gone(), clock: last.clock == null ? null : last.clock + gone(),
    left: last.left == null ? null : Math.max(last.left - gone(), 0) });
  return { now, tell({ state, moves, clock, left }) {
    const live = ["starting", "running", "paused", "stopping"].includes(state);
    const own = now(), goes = live && clock != null;
    if (goes && own.clock != null && last.goes) clock = Math.max(clock, own.clock);
    if (left != null && own.left != null && Math.abs(left - own.left) < TOLD) left = own.left;
    [arrived, last] = [Date.now(), { moves, clock, left, goes }];
  } };
}

function deskHead(view) {
  const name = make("h3", { class: "mr-title" }), note = make("span", { class: "mr-small" });
  const state = make("span", { class: "mr-chip mr-desk-state", role: "status" });
  const hold = button("", () => view.act("hold"));
  const stop = button(view.say("desk.stop"), () => view.act("stop"));
  const fillBar = make("i");
  const bar = make("div", { class: "mr-desk-bar", role: "progressbar", "aria-valuemin": 0,
    "aria-label": view.say("desk.bar") }, fillBar);
  const words = make("span", { class: "mr-small mr-number" });
  const hint = make("p", { class: "mr-small" });
  const error = make("p", { class: "mr-problem", role: "alert" });
  const levers = Object.entries(LEVERS).map(([key, kind]) => {
    const one = lever(view, key, kind);
    const did = make("p", { class: "mr-small mr-number mr-desk-did", hidden: true });
    return { key, ...one, did, side: make("div", {}, one.root, did) };
  });
  const root = make("div", { class: "mr-stack mr-desk-top" },
    make("div", { class: "mr-row" }, name, note, state,
      make("span", { class: "mr-row mr-push" }, hold, stop)),
    make("div", { class: "mr-desk-progress" }, bar, words), hint, error, view.problem,
    make("div", { class: "mr-desk-levers" }, levers.map((one) => one.side)));

  const times = deskClock();
  function tick() {
    const run = view.get("run"), { gone, clock, left } = times.now();
    const said = [];
    if (run.step != null) {
      const at = view.say(`desk.at.${run.unit}`, { step: run.step });
      said.push(run.total ? view.say("desk.progress", { at, total: run.total }) : at);
    }
    const ticking = run.state === "finished" ? "desk.took" : "desk.clock";
    if (clock != null) said.push(view.say(ticking, { time: duration(view, clock) }));
    if (left != null) said.push(view.say("desk.left", { time: duration(view, left) }));
    words.textContent = said.join(" · ");
    const between = run.pace ? Math.min(gone / run.pace, 0.95) : 0;
    const share = run.total ? Math.min(((run.step ?? 0) + between) / run.total, 1) : 0;
    fillBar.style.width = `${100 * share}%`;
  }

  function draw() {
    const run = view.get("run");
    times.tell(run);
    name.textContent = run.name;
    note.textContent = run.note;
    note.hidden = !run.note;
    state.textContent = run.label;
    put(state, { class: `mr-chip mr-desk-state is-${run.state}` });
    const over = run.state === "finished" || (run.state === "absent" && !run.hold);
    put(hold, { disabled: !run.hold, hidden: over,
      class: `mr-button${["start", "continue"].includes(run.hold) ? " mr-primary" : ""}` });
    hold.textContent = view.say(`desk.${run.hold || "pause"}`);
    put(stop, { disabled: !run.stop, hidden: over });
    put(bar, { class: `mr-desk-bar is-${run.state}`, hidden: !run.total && run.state !== "starting",
      "aria-valuemax": run.total ?? 1, "aria-valuenow": run.total ? run.step ?? 0 : null });
    hint.textContent = run.hint;
    hint.hidden = !run.hint;
    const refused = run.error && run.hold === "start";
    fill(error, refused && [make("b", {}, view.say("desk.refused")), make("br")],
      refusal(view, run.error ?? "").split(/(--[\w-]+)/).map((part) => // an option stays in one piece
        (part.startsWith("--") ? make("code", {}, part) : part)),
      refused && [make("br"), view.say("desk.mend")]);
    error.hidden = !run.error;
    for (const one of levers) one.draw(run[one.key]);
    tick();
  }
  const clock = setInterval(tick, 500);
  view.atEnd(() => clearInterval(clock));
  view.on("run", draw);
  draw();
  return { root, point(step) { // what was changed until then, and what came of it
    for (const { key, root: lever, did, side } of levers) {
      const words = effect(view, EFFECTS[key], step);
      did.textContent = words;
      did.hidden = !words;
      side.hidden = lever.hidden && !words;
    }
  } };
}
