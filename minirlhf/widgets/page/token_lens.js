// The token lens: the response as a strip of coloured tokens, the numbers of the one looked at, and
// a picture with its equation for each step of PPO.

const STEPS = ["sampling", "reward", "gae", "loss"];
const COLORS = { sampling: "log-ratio", reward: "reward", gae: "advantage", loss: "advantage" };
const QUANTITIES = { "log-ratio": "logRatio", reward: "rewards", value: "values",
  advantage: "advantages" };

// "log π^SFT" with its upper and lower marks set as such; {name} gives way to a number.
function equation(line, numbers) {
  return line.split(/(\{\w+\}|[\^_]\w+)/).map((part) => {
    if (part[0] === "{") {
      const name = part.slice(1, -1);
      return make("span", { class: `mr-number mr-lens-is-${name}` }, numbers[name]);
    }
    if (part[0] === "^") return make("sup", {}, part.slice(1));
    return part[0] === "_" ? make("sub", {}, part.slice(1)) : part;
  });
}

export default widget((view) => {
  let facts = followed(view.get("shown")), hovered = null, width = 0, known = 0, drawn = "";
  let running = false, undo = () => {};
  const at = () => clamp(view.get("token") - 1, 0, facts.tokens.length - 1);
  // Nothing but the chosen token is told of while the recursion runs, and of its loss.
  const seen = () => (running || view.get("step") === "loss" ? at() : hovered ?? at());

  // ----------------------------------------------------------------------------------- the prompt
  const prompt = make("textarea", { class: "mr-input mr-lens-prompt", rows: 2, spellcheck: "false",
    value: facts.prompt.trimEnd() });
  const ask = button(view.say("lens.sample"), () => view.act("sample", { prompt: prompt.value }),
    "primary");
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask.click();
  });
  const title = make("h3", { class: "mr-title" }, view.say("lens.title"));
  const how = make("p", { class: "mr-small" }, view.say("lens.how"));
  const asked = make("p", { class: "mr-text mr-words" });
  const again = button(view.say("lens.again"), () => {
    put(prompt, { value: facts.prompt.trimEnd() });
    prompt.focus();
  }, "link");
  // One line beneath the prompt for what to do, what is being done and what went wrong.
  const line = make("div", { class: "mr-row mr-lens-line" }, how, view.busy, view.problem, again);
  const top = view.get("asks") ? make("div", { class: "mr-row mr-low" },
    field(view.say("prompt.label"), prompt, { style: { flex: "1 1 300px" } }), ask) : asked;
  const earlier = make("p", { class: "mr-small mr-lens-earlier" });
  view.on("busy", () => {
    put(ask, { disabled: Boolean(view.get("busy")) });
    age();
  });
  view.on("problem", () => {
    put(prompt, { "aria-invalid": view.get("problem") && "true" });
    age();
  });
  // What is shown isn't an answer to what stands above it: its frame says so.
  function age() {
    const old = Boolean(view.get("busy") || view.get("problem"));
    view.root.classList.toggle("mr-lens-stale", old);
    put(how, { hidden: old });
    put(again, { hidden: !view.get("problem") });
    put(earlier, { hidden: !old });
    earlier.textContent = view.say("lens.earlier", { prompt: facts.prompt.trim() });
  }

  // ------------------------------------------------------------------- steps, colours, the tokens
  const choose = {
    step: (n) => view.set({ step: STEPS[n], color: COLORS[STEPS[n]] }),
    color: (n) => view.set({ color: Object.keys(QUANTITIES)[n] }),
    token: (n, settled = true) => view.set({ token: n + 1,
      ratio: clamp(facts.ratio[n], ...REACH) }, settled),
  };
  const tabs = make("div", { class: "mr-lens-tabs", role: "tablist",
    "aria-label": view.say("lens.step") }, STEPS.map((name, n) => make("button", { type: "button",
    class: "mr-button", role: "tab", onclick: () => choose.step(n) },
  view.say(`lens.steps.${name}`))));
  const markTabs = choices(tabs, () => [...tabs.children], { choose: choose.step,
    chosen: () => STEPS.indexOf(view.get("step")) });

  const chances = [view.say("lens.pi"), view.say("lens.pi_sft")].map((words) => {
    const value = make("b", { class: "mr-number" });
    return { value, root: make("div", { class: "mr-lens-tile" },
      make("span", { class: "mr-small" }, equation(words, {})), value) };
  });
  const tiles = Object.keys(QUANTITIES).map((name, n) => {
    const value = make("b", { class: "mr-number" });
    return { name, value, root: make("button", { type: "button", role: "radio",
      class: "mr-button mr-lens-tile", onclick: () => choose.color(n) },
    make("span", { class: "mr-small" }, view.say(`lens.colors.${name}`)), value) };
  });
  const colors = make("div", { class: "mr-lens-tiles", role: "radiogroup",
    "aria-label": view.say("lens.color") }, tiles.map((tile) => tile.root));
  const markColors = choices(colors, () => tiles.map((tile) => tile.root), { choose: choose.color,
    chosen: () => Object.keys(QUANTITIES).indexOf(view.get("color")) });
  const looked = make("div", { class: "mr-lens-looked mr-title" });
  const readout = make("div", { class: "mr-lens-readout" }, looked,
    make("div", { class: "mr-lens-tiles" }, chances.map((one) => one.root)), colors);

  const strip = make("div", { class: "mr-lens-strip", role: "listbox",
    "aria-label": view.say("lens.tokens") });
  const chips = make("p", { class: "mr-small mr-lens-chips" });
  let parts = [];
  const options = () => parts;
  const markTokens = choices(strip, options, { chosen: at, choose: choose.token });
  const hover = (t) => {
    if (hovered === t) return;
    hovered = t;
    point();
  };
  function lay() {
    parts = facts.shown.map((word, t) => make("button", { type: "button", role: "option",
      class: "mr-lens-token", onclick: () => choose.token(t), onpointerenter: () => hover(t) },
    make("span", {}, brief(view, word)), make("small", { class: "mr-number" })));
    fill(strip, parts);
    asked.textContent = facts.prompt.trimEnd();
    if (document.activeElement !== prompt) put(prompt, { value: facts.prompt.trimEnd() });
  }

  function paint() {
    const name = view.get("color"), values = facts[QUANTITIES[name]];
    const reach = Math.max(...values.map(Math.abs)) || 1;
    options().forEach((token, t) => {
      const part = values[t] / reach, said = signed(values[t]);
      put(token, { style: { "--part": `${(55 * Math.abs(part)).toFixed(0)}%`,
        "--way": part > 0 ? "var(--mr-plus)" : "var(--mr-minus)" },
      "aria-label": `${t + 1}: ${facts.shown[t]}, ${view.say(`lens.colors.${name}`)} ${said}` });
      token.lastChild.textContent = said;
      token.classList.toggle("mr-lens-nil", said === signed(0));
    });
    chips.textContent = view.say("lens.chips", { name: view.say(`lens.colors.${name}`) });
    markColors("aria-checked");
  }

  // ---------------------------------------------------------------------- pictures and recursion
  const columns = columnsPanel(view, strip, (t, pressed) => {
    if (pressed) choose.token(t);
    else hover(t);
  });
  const loss = lossPanel(view, (ratio, settled) => view.set({ ratio }, settled));
  const lines = make("div", { class: "mr-lens-equation" });
  const play = button("", () => (running ? stop() : run()));
  const back = button(view.say("lens.back"), () => walk(-1));
  const whole = button(view.say("lens.whole"), () => { stop(); known = 0; point(); }, "link");
  const player = make("div", { class: "mr-row" }, play, back, whole);
  const panel = make("div", { role: "tabpanel", class: "mr-lens-panel" });

  // The next token to the left: what it gets from its right moves over, then its δ is added.
  function walk(by) {
    undo();
    const begins = !known, t = begins ? facts.tokens.length - 1 : at() + by;
    if (t < 0) return stop();
    known = t;
    choose.token(t, !running);
    view.announce(`${looked.textContent} ${lines.textContent}`);
    undo = tween(420, (part) => columns.point(at(), hovered, known, part), () => {
      if (!running) return;
      const waiting = setTimeout(() => walk(-1), 160);
      undo = () => clearTimeout(waiting);
    });
  }
  function run() {
    if (calm()) return walk(-1); // a step for a press, and nothing moves by itself
    running = true;
    if (known <= 0 || at() !== known) known = 0;
    walk(-1);
  }
  function halt() {
    undo();
    running = false;
  }
  function stop() {
    if (running) choose.token(at());
    halt();
    point();
  }
  view.atEnd(() => undo());

  function numbers() {
    const t = seen(), A = facts.advantages[t];
    const after = (values) => values[t + 1] ?? 0;
    const three = (x) => signed(x, 3);
    return { policy: number(facts.logprobs[t], 3), reference: number(facts.reference[t], 3),
      probability: `${number(100 * Math.exp(facts.logprobs[t]), 1)}%`,
      log_ratio: three(facts.logRatio[t]), beta: short(facts.beta), lam: short(facts.lam),
      clip: short(facts.clip), score: three(facts.score), reward: three(facts.rewards[t]),
      value: three(facts.values[t]), after: three(after(facts.values)),
      delta: three(facts.deltas[t]), following: three(after(facts.advantages)),
      advantage: three(A), ratio: number(view.get("ratio")),
      loss: three(policyLoss(view.get("ratio"), A, facts.clip)) };
  }

  function explain() {
    const step = view.get("step"), last = seen() === facts.tokens.length - 1;
    const template = view.get("equations")[step === "reward" && last ? "reward_last" : step];
    fill(lines, template.map((line) => make("div", {}, equation(line, numbers()))));
  }

  // ------------------------------------------------------------------------------------- together
  function point() {
    const t = seen(), step = view.get("step");
    looked.textContent = view.say("lens.at", { number: t + 1, token: facts.shown[t] });
    [facts.logprobs, facts.reference].forEach((values, n) => {
      chances[n].value.textContent = `${number(100 * Math.exp(values[t]), 1)}%`;
    });
    tiles.forEach((tile) => { tile.value.textContent = signed(facts[QUANTITIES[tile.name]][t], 3); });
    options().forEach((token, n) => token.classList.toggle("mr-lens-lit", n === hovered));
    explain();
    if (!width || step !== drawn) return; // several values may change at once, one after another
    if (step === "loss") loss.point(view.get("ratio"));
    columns.point(at(), hovered, step === "gae" ? known : 0);
    play.textContent = view.say(running ? "lens.pause" : calm() ? "lens.step_left" : "lens.run");
    put(whole, { disabled: !known });
    put(back, { hidden: calm() });
  }
  function draw() {
    const step = view.get("step");
    halt();
    known = 0;
    markTabs("aria-selected");
    put(panel, { "aria-label": view.say(`lens.steps.${step}`) });
    put(player, { hidden: step !== "gae" });
    if (width) drawn = step;
    if (width) columns.draw(facts, step, width);
    for (const part of [columns.title, columns.keys]) put(part, { hidden: step === "loss" });
    put(loss.root, { hidden: step !== "loss" });
    select();
  }
  function select() {
    markTokens("aria-selected");
    if (width && drawn === "loss") loss.draw(facts, at(), width);
    point();
  }

  fill(panel, make("div", { class: "mr-row" }, columns.title, chips), columns.keys, columns.board,
    loss.root, player, readout, lines);
  fill(view.root, title, top, line,
    make("div", { class: "mr-card mr-lens-sheet" }, earlier, tabs, panel));
  age();
  lay();
  paint();
  view.on("shown", () => {
    [facts, hovered] = [followed(view.get("shown")), null];
    lay();
    paint();
    draw();
  });
  view.on("color", paint);
  view.on("token", select);
  view.on("ratio", () => {
    if (view.get("step") === "loss") point();
  });
  view.on("step", draw);
  view.fit(panel, (now) => {
    width = now;
    draw();
  });
  draw();
});
