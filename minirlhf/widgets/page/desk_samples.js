// The training desk's samples: what the policy said at a step. Where the same prompt was answered
// before, or by the run behind, the words that weren't there are marked.

function deskSamples(view) {
  const title = make("h4", { class: "mr-label" }), marked = make("p", { class: "mr-small mr-desk-keys" });
  const cards = make("div", { class: "mr-cards" });
  const root = make("section", { class: "mr-stack mr-desk-samples" },
    make("div", { class: "mr-row" }, title, marked), cards);
  const named = (step) => view.say(`desk.at.${view.get("run").unit}`, { step });
  let steps = [], answers = new Map();

  // By prompt, the steps at which it was answered, and how.
  function read() {
    steps = view.get("texts_by_step").map(([step]) => step);
    answers = new Map();
    for (const [step, samples] of view.get("texts_by_step")) {
      for (const { prompt, response } of samples) {
        if (!answers.has(prompt)) answers.set(prompt, []);
        answers.get(prompt).push({ step, response });
      }
    }
  }

  // The words of a reply, those that are new apart, and what that is beside.
  function compared(sample, step) {
    const before = answers.get(sample.prompt).findLast((one) => one.step < step);
    const old = before?.response ?? sample.other;
    const response = sample.response.trim();
    const pieces = old == null ? [[response, false]] : changedWords(old, response);
    const said = pieces.map(([piece, isNew]) => (isNew ? make("mark", {}, piece) : piece));
    const isChanged = pieces.some(([, isNew]) => isNew), key = isChanged ? "changed" : "same";
    const note = old == null ? "" : before ? view.say(`desk.${key}`, { at: named(before.step) })
      : isChanged ? view.say("desk.changed_other") : ""; // that it's the same stands beside its line
    const shares = sample.other != null && sample.other.trim() === response;
    return { sample, said, note, isChanged, shares };
  }

  // What the run behind replied, beside its dashed line; where it's the same, that is said.
  function theirs({ sample, shares }) {
    if (sample.other == null) return null;
    return make("p", { class: "mr-text mr-desk-theirs" }, shares ? view.say("desk.same_other")
      : sample.other.trim());
  }

  function card({ sample, said, note, shares }, common) {
    const chips = [
      sample.score != null ? make("span", { class: "mr-chip mr-number" },
        view.say("desk.score", { score: signed(sample.score) })) : null,
      sample.finished === false ? make("span", { class: "mr-chip mr-bad" },
        view.say("desk.unfinished")) : null];
    return make("article", { class: "mr-card mr-desk-card" },
      make("p", { class: "mr-small mr-text" }, sample.prompt.trim()),
      make("p", { class: "mr-text mr-desk-said" }, said), theirs({ sample, shares }),
      make("p", { class: "mr-chips" }, chips, note && note !== common
        ? make("span", { class: "mr-small" }, note) : null));
  }

  // A text longer than its box is scrolled with the arrow keys too.
  function reachable() {
    for (const text of cards.querySelectorAll("p")) {
      if (text.scrollHeight > text.clientHeight) text.tabIndex = 0;
    }
  }

  return { root, read, draw(step) {
    const at = lastBefore(steps, step);
    root.hidden = at < 0;
    if (at < 0) return;
    const [found, samples] = view.get("texts_by_step")[at];
    title.textContent = view.say(samples[0]?.watched ? "desk.watched" : "desk.samples",
      { at: named(found) });
    const all = samples.map((sample) => compared(sample, found));
    const notes = all.filter((one) => one.isChanged).map((one) => one.note);
    const common = notes.find((note, n) => notes.indexOf(note) < n) ?? ""; // said once, above them
    const behind = samples.some((sample) => sample.other != null) && view.get("ghost").words;
    fill(marked, behind && make("span", { class: "is-ghost" }, behind), common);
    marked.hidden = !behind && !common;
    fill(cards, all.map((one) => card(one, common)));
    requestAnimationFrame(reachable); // once they are laid out
  } };
}
