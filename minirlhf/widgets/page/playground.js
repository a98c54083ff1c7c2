// The playground: a prompt, and every model's reply to it in a lane of its own, on one axis of
// scores. Replies grow as they are sampled; a click on a dot shows another sample.

const EXAMPLES = 3; // requests to click while nothing has been asked
const onOneLine = (request) => request.trim().replace(/\n/g, "  ·  ");

export default widget((view) => {
  const names = view.get("names");
  let lanes = view.get("lanes"), width = 0, reached = [-6, 6]; // where most scores lie

  // ------------------------------------------------------------------------------------- controls
  const prompt = make("textarea", { class: "mr-input mr-play-prompt", rows: 2, spellcheck: "false",
    oninput: () => view.set({ prompt: prompt.value }, false),
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask.click();
    } });
  const ask = button(view.say("playground.ask"), () => {
    view.set({ prompt: prompt.value });
    view.act("ask", { prompt: prompt.value });
  }, "primary");
  const surprise = button(view.say("playground.surprise"), () => view.act("surprise"));
  const suggestions = view.get("suggestions");
  const pick = make("select", { class: "mr-input mr-play-pick", onchange: () => {
    askFor(suggestions[pick.selectedIndex - 1]);
    pick.selectedIndex = 0;
  } }, make("option", {}, view.say("playground.pick_first")),
  suggestions.map((one) => make("option", {}, onOneLine(one))));
  function askFor(one) {
    view.set({ prompt: one });
    ask.click();
  }
  const slide = (name, options) => {
    const input = make("input", { type: "range", ...options });
    const box = field("", input, { class: "mr-field mr-play-slide" });
    const show = () => {
      const value = view.get(name);
      put(input, { value: String(value) });
      box.firstChild.textContent = view.say(`playground.${name}`, { [name]: short(value) });
    };
    input.addEventListener("input", () => view.set({ [name]: Number(input.value) }, false));
    view.on(name, show);
    show();
    return box;
  };
  const scored = view.get("measure") === "score";
  const controls = [
    make("div", { class: "mr-row mr-low" },
      suggestions.length ? field(view.say("playground.pick"), pick,
        { class: "mr-field mr-play-grow" }) : null,
      view.get("surprises") ? surprise : null),
    field(view.say("prompt.label"), prompt),
    make("div", { class: "mr-row mr-low" }, ask,
      scored ? slide("n", { min: 1, max: 16, step: 1 }) : null,
      slide("temperature", { min: 0, max: 2, step: 0.1 }), view.busy)];
  const notice = make("div", { class: "mr-hint", role: "status", hidden: true });
  const invite = make("div", { class: "mr-stack mr-play-invite" },
    make("p", { class: "mr-words" }, view.say("playground.invite")),
    suggestions.slice(0, EXAMPLES).map((one) => button(onOneLine(one), () => askFor(one))));
  const compared = make("p", { class: "mr-words mr-number", hidden: true });

  // ---------------------------------------------------------------------------------------- lanes
  const axis = make("svg"), axisRow = make("div", { class: "mr-play-head" },
    make("span", { class: "mr-play-name" }), axis);
  const rowsOf = names.map(({ name, color }, at) => {
    const strip = scoreStrip(view.say("playground.samples", { model: name }), {
      choose: (sample) => show(at, sample),
      look: (sample, dot) => (sample === null || sample === lanes[at].shown ? view.tip(view.root)
        : view.tip(dot,
        view.say("reply.score", { score: signed(lanes[at].values[sample]) }), " · ",
        lanes[at].texts[sample].trim())),
    });
    const body = make("div", { class: "mr-play-said" });
    const head = make("div", { class: "mr-play-head" },
      make("b", { class: "mr-play-name" }, name), strip.root);
    const root = make("section", { class: "mr-play-lane", "aria-label": name,
      style: { "--model": `var(--mr-${color})` } }, head, body);
    return { root, strip, body };
  });
  const lanesBox = make("div", { class: "mr-play-lanes" }, axisRow, rowsOf.map((row) => row.root));
  fill(view.root, controls, view.problem, notice, invite, compared, lanesBox);

  // At once with the plain text; what the judge says of it follows from the kernel.
  function show(at, sample) {
    view.tip(view.root);
    if (sample === lanes[at].shown) return;
    const { texts, values } = lanes[at];
    const detail = { pieces: [[texts[sample], []]], score: values[sample] };
    lanes = lanes.map((lane, k) => (k === at ? { ...lane, shown: sample, detail } : lane));
    draw();
    view.act("choose", { at, sample });
  }

  function span() {
    const values = lanes.flatMap((lane) => lane.values ?? []);
    if (view.get("measure") === "grade") return [1, 7];
    // round ends that only ever move apart: what is drawn already keeps its place
    reached = [2 * Math.floor(Math.min(...values, reached[0]) / 2),
      2 * Math.ceil(Math.max(...values, reached[1]) / 2)];
    return reached;
  }

  // Each model's best, the highest first.
  function compare() {
    const found = lanes.map((lane, at) => ({ name: names[at].name, best: Math.max(...lane.values ?? []) }))
      .filter((one) => Number.isFinite(one.best)).sort((a, b) => b.best - a.best);
    const graded = view.get("measure") === "grade";
    put(compared, { hidden: found.length < 2 || found.length < names.length });
    compared.textContent = view.say(graded ? "playground.compared_grades" : "playground.compared", {
      models: found.map(({ name, best }) => `${name} ${graded ? number(best, 1) : signed(best)}`)
        .join(view.say("reply.comma")) });
  }

  function draw() {
    const asked = lanes.length > 0, measure = view.get("measure");
    put(invite, { hidden: asked });
    put(lanesBox, { hidden: !asked });
    compare();
    if (!asked) return;
    const reach = span(), room = width - 150, beside = width >= 520, wide = beside ? room : width;
    const any = lanes.some((lane) => lane.values?.length);
    put(axisRow, { hidden: !any });
    const several = lanes.some((lane) => lane.values?.length > 1) && wide > 420;
    if (any && width) stripAxis(axis, reach, wide - 30, [view.say(`playground.${measure}_axis`),
      several && view.say("playground.dots")].filter(Boolean).join(" · "));
    rowsOf.forEach(({ root, strip, body }, at) => {
      const lane = lanes[at];
      root.classList.toggle("mr-play-waits", !lane.texts);
      put(strip.root, { hidden: !lane.values?.length });
      if (!lane.texts) return fill(body, make("p", { class: "mr-words" }, "…"));
      if (width && lane.values.length) {
        const many = lane.values.length, word = measure === "grade" ? "grade" : "score";
        strip.draw(lane, reach, wide - 30, (k) => `${view.say("playground.sample",
          { number: k + 1, n: many })}, ${view.say(`reply.${word}`,
          { [word]: word === "grade" ? number(lane.values[k], 1) : signed(lane.values[k]) })}`);
      }
      const n = lane.texts.length;
      const which = n < 2 ? [] : [lane.shown === lane.best ? view.say("playground.best", { n })
        : view.say("playground.sample", { number: lane.shown + 1, n })];
      fill(body, replyParts(view, lane.detail, which));
    });
    grow();
  }

  // The reply that is being written: its first sample, as far as it is.
  function grow() {
    const { at, texts } = view.get("growing");
    if (at === undefined || lanes[at]?.texts) return;
    const more = texts.length > 1 ? make("div", { class: "mr-small" },
      view.say("playground.sample", { number: 1, n: texts.length })) : null;
    rowsOf[at].root.classList.remove("mr-play-waits");
    fill(rowsOf[at].body, make("p", { class: "mr-text mr-reply" }, texts[0].trimStart(),
      make("span", { class: "mr-play-caret", "aria-hidden": "true" })), more);
  }

  function status() {
    const busy = Boolean(view.get("busy"));
    for (const control of [ask, surprise, pick]) put(control, { disabled: busy });
    put(lanesBox, { "aria-busy": String(busy) });
    if (!busy && lanes.length && lanes.every((lane) => lane.texts)) {
      view.announce(view.say("playground.answered", { count: names.length }));
    }
  }
  function note() {
    put(notice, { hidden: !view.get("notice") });
    notice.textContent = view.get("notice");
  }
  view.on("problem", () => {
    put(prompt, { "aria-invalid": view.get("problem") && "true" });
  });
  const written = () => put(prompt, { value: view.get("prompt") });

  view.on("prompt", written);
  view.on("notice", note);
  view.on("busy", status);
  view.on("growing", grow);
  view.on("lanes measure", () => {
    lanes = view.get("lanes");
    draw();
  });
  written();
  note();
  view.fit(view.root, (now) => {
    width = now;
    draw();
  });
  draw();
});
