// A question with a place for one's guess; with a result, a button that reveals it.

// One of several answers, as buttons: a radio group whose arrow keys choose.
function choiceGuess(view) {
  const result = view.get("_result"), choices = view.get("_choices");
  const isOut = () => result !== undefined && view.get("revealed");
  const take = (value) => !view.get("revealed") && view.set({ value });
  const buttons = choices.map((choice, k) => make("button", { type: "button", role: "radio",
    class: "mr-button guess-choice", onclick: () => take(view.get("value") === choice ? null : choice),
    onkeydown: (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const to = (k + by + choices.length) % choices.length;
      buttons[to].focus();
      take(choices[to]);
    } }));
  function draw() {
    const value = view.get("value"), out = isOut();
    buttons.forEach((one, k) => {
      const mine = value === choices[k], right = out && result === choices[k];
      const marks = [mine && view.say("prediction.label"), right && view.say("prediction.result")];
      const said = out ? marks.filter(Boolean).join(", ") : "";
      one.textContent = said ? `${choices[k]} · ${said}` : choices[k];
      put(one, { "aria-checked": String(mine), disabled: view.get("revealed"),
        tabindex: mine || (value === null && k === 0) ? 0 : -1 });
      one.classList.toggle("guess-right", right);
      one.classList.toggle("guess-wrong", out && mine && !right);
    });
  }
  draw();
  const group = make("div", { class: "mr-row", role: "radiogroup",
    "aria-label": view.say("prediction.label") }, buttons);
  return { element: group, hint: "prediction.choose", draw, grow: draw };
}

// What a curve does on the whole, and where it turns: what is smaller than `least` doesn't count.
function shapeOf(points, least) {
  const first = points[0][1], last = points.at(-1)[1];
  const top = points.reduce((most, one) => (one[1] > most[1] ? one : most));
  const low = points.reduce((most, one) => (one[1] < most[1] ? one : most));
  const up = top[1] - Math.max(first, last), down = Math.min(first, last) - low[1];
  if (Math.max(up, down) > 2 * least) return up > down ? ["peak", top[0]] : ["dip", low[0]];
  return [Math.abs(last - first) < least ? "flat" : last > first ? "rise" : "fall", 0];
}

export default widget((view) => {
  const isOutcome = view.get("_result") !== undefined;
  const guess = (view.get("_choices").length ? choiceGuess
    : view.get("_along").length ? curveGuess : numberGuess)(view);
  const hint = make("div", { class: "mr-small" });
  const verdict = make("div", { class: "guess-verdict", role: "status" });
  // A result that isn't out has no second picture of the guess, unless one wants it there.
  let open = !isOutcome;
  const look = button(view.say("prediction.label"), () => { open = !open; draw(); }, "link");
  const todo = make("div", { class: "mr-row guess-todo" }, hint, look, guess.clear);
  const reveal = isOutcome && button(view.say("prediction.reveal"),
    () => view.set({ revealed: true }), "primary");
  const card = make("div", { class: "mr-card guess-card" },
    make("div", { class: "mr-title" }, view.get("_question")), todo, guess.element, view.problem,
    reveal, verdict);
  view.root.append(card);
  let stop = () => {};

  function draw() {
    guess.draw();
    const out = view.get("revealed"), value = view.get("value"), empty = value === null;
    const gaps = Array.isArray(value) && value.includes(null);
    if (reveal) reveal.hidden = out;
    card.classList.toggle("is-locked", out && !isOutcome);
    put(guess.element, { hidden: isOutcome ? !out && !open : out });
    put(look, { hidden: !isOutcome || out, "aria-expanded": String(open) });
    if (guess.clear) guess.clear.hidden ||= !open;
    const told = typeof value === "number" ? `${short(value)} ${view.get("_unit")}`.trim() : value;
    const locked = typeof told === "string" ? "prediction.locked_at" : "prediction.locked";
    hint.textContent = out ? (isOutcome ? "" : view.say(locked, { value: told }))
      : view.say(empty ? (isOutcome ? "prediction.unguessed" : guess.hint)
        : gaps ? "prediction.gaps" : "prediction.kept");
    todo.hidden = !hint.textContent;
    verdict.textContent = isOutcome && out ? verdictOf() : "";
    verdict.hidden = !verdict.textContent;
  }
  function verdictOf() {
    const worth = view.get("_verdict"), result = resultOf(), apart = apartOf();
    if (worth === null) return view.say("prediction.unjudged", { result });
    const name = worth === 1 ? "spot" : worth > 0 ? "near" : "far";
    if (Array.isArray(view.get("_result"))) {
      return view.say(`prediction.curve.${name}`, { apart, shapes: shapes() });
    }
    if (!apart) return view.say(`prediction.${name}`, { result });
    return view.say(`prediction.apart.${name}`, { apart, result });
  }
  // How the curve that was drawn went, and how the result did.
  function shapes() {
    const along = view.get("_along"), result = view.get("_result");
    const known = view.get("value").map((one, k) => [along[k], one]).filter(([, one]) => one !== null);
    const came = along.map((one, k) => [one, result[k]]);
    const least = 0.1 * (Math.max(...result) - Math.min(...result) || 1);
    const [mine, real] = [known, came].map((points) => shapeOf(points, least));
    const say = ([kind, at]) => view.say(`prediction.shape.${kind}`, { x: short(at) });
    return view.say(mine[0] === real[0] ? "prediction.shape.same" : "prediction.shape.other",
      { mine: say(mine), result: say(real) });
  }
  // How far the guess lies from the result, in words; none where that has no size.
  function apartOf() {
    const result = view.get("_result"), value = view.get("value");
    if (value === null || typeof result === "string") return "";
    if (Array.isArray(result)) {
      const far = value.flatMap((one, k) => (one === null ? [] : [Math.abs(one - result[k])]));
      return view.say("prediction.apart.curve",
        { off: short(Number((sum(far) / far.length).toPrecision(2))) });
    }
    if (short(value) === short(result)) return "";
    const unit = view.get("_unit"), points = unit.startsWith("%");
    const off = Math.abs(Number((value - result).toPrecision(6)));
    return view.say(`prediction.apart.${value > result ? "above" : "below"}`,
      { off: short(off), unit: points ? view.say("prediction.apart.points") : unit })
      .replace(/ (?=[.。]|$)/, "");
  }
  function resultOf() {
    const result = view.get("_result"), ends = view.get("_ends");
    if (typeof result === "string") return result;
    if (Array.isArray(result)) return view.say("prediction.line");
    const spread = ends.length ? ` [${short(ends[0])}, ${short(ends[1])}]` : "";
    return `${short(result)}${spread} ${view.get("_unit")}`.trim();
  }
  view.on("value _verdict", draw);
  view.on("revealed", () => {
    stop();
    draw();
    if (isOutcome && view.get("revealed")) stop = tween(900, guess.grow, () => guess.grow(1));
  });
  draw();
  return () => stop();
});
