// The three steps: the report's figure, whose cells come in one after another when a step has been
// taken; a click on a reply tells its rank and score, wherever its letter stands.

export default widget((view) => {
  const title = make("h3", { class: "mr-title" }), figure = make("div");
  const todo = make("p", { class: "mr-hint" });
  const click = make("p", { class: "mr-small" }, view.say("pipeline.click"));
  fill(view.root, title, view.busy, view.problem, figure);
  let known = new Set(), lit = null;
  const texts = () => [...figure.querySelectorAll(".mr-steps-replies .mr-steps-text")];

  // All tied, they have no ranks to tell.
  function told({ rank, score }) {
    const replies = view.get("replies"), tied = replies.every((one) => one.rank === replies[0].rank);
    return view.say(tied ? "pipeline.told_tied" : "pipeline.told",
      { rank, count: replies.length, score: signed(score) });
  }

  function light(letter) {
    lit = lit === letter ? null : letter;
    for (const part of figure.querySelectorAll("[data-reply]")) {
      part.classList.toggle("is-lit", part.dataset.reply === lit);
    }
    for (const reply of figure.querySelectorAll(".mr-steps-replies li")) {
      const on = reply.dataset.reply === lit;
      put(reply.querySelector(".mr-steps-text"), { "aria-expanded": String(on) });
      reply.querySelector(".mr-steps-told").hidden = !on;
    }
    cut();
  }

  // A reply in parts: what all of them begin with, and what one sees, and doesn't, of a folded one.
  function part(texts) {
    const words = texts.map((text) => text.textContent.match(/\S+\s*/g) ?? []);
    const parts = (own, at) => texts.length > 1 && words.every((other) => other.length > at + 1
      && other[at] === own[at]);
    texts.forEach((text, n) => {
      let same = 0;
      while (parts(words[n], same)) same += 1;
      const rest = words[n].slice(same).map((word) => make("span", {}, word));
      fill(text, same > 0 && make("span", { class: "mr-steps-same" }, words[n].slice(0, same).join("")),
        make("span", { class: "mr-steps-words" }, rest));
    });
  }

  // Folded, a reply ends with a whole word: those that don't fit into its line are hidden.
  function cut() {
    for (const text of texts()) {
      const words = [...text.querySelectorAll(".mr-steps-words > span")];
      const show = (count) => words.forEach((word, at) => {
        word.classList.toggle("is-cut", at >= count);
        word.classList.toggle("is-last", at === count - 1 && count < words.length);
      });
      const fits = () => text.scrollHeight <= text.clientHeight + 2;
      show(words.length);
      if (text.getAttribute("aria-expanded") === "true" || fits()) continue;
      let [low, high] = [1, words.length - 1];
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        show(middle);
        if (fits()) low = middle;
        else high = middle - 1;
      }
      show(low);
    }
  }

  // What a reply tells lies beneath it, and is there for the keyboard as well.
  function prepare() {
    for (const reply of figure.querySelectorAll(".mr-steps-replies li")) {
      const one = view.get("replies").find(({ letter }) => letter === reply.dataset.reply);
      const text = reply.querySelector(".mr-steps-text");
      put(text, { role: "button", tabindex: 0, "aria-expanded": "false" });
      reply.append(make("small", { class: "mr-steps-told", hidden: true }, one && told(one)));
    }
    part(texts());
    figure.querySelector(".mr-steps-replies")?.before(click);
    lit = null;
    cut();
  }

  function draw() {
    figure.innerHTML = view.get("figure"); // markup of our own; texts in it are escaped
    const taken = view.get("filled"), next = [0, 1, 2].find((step) => !taken.includes(step));
    const steps = taken.map((step) => step + 1).join(view.say("pipeline.comma"));
    title.textContent = view.say(taken.length ? "pipeline.words" : "pipeline.empty", { steps });
    [...figure.querySelectorAll(".mr-steps-column")].forEach((column, step) => {
      const cells = [...column.querySelectorAll(".mr-steps-cell")];
      if (step === next) { // what to do stands where something will come of it
        column.classList.add("is-next");
        todo.textContent = view.say("pipeline.next", { number: step + 1 });
        cells[0].append(todo);
      }
      if (!taken.includes(step) || known.has(step)) return;
      cells.forEach((cell, at) => {
        cell.classList.add("is-coming");
        cell.style.setProperty("--wait", `${0.35 * at}s`);
      });
    });
    known = new Set(taken);
    prepare();
  }

  const reply = (event) => event.target.closest?.("[data-reply]")?.dataset.reply;
  figure.addEventListener("click", (event) => { if (reply(event)) light(reply(event)); });
  figure.addEventListener("keydown", (event) => {
    if (!["Enter", " "].includes(event.key) || !reply(event)) return;
    event.preventDefault();
    light(reply(event));
  });
  view.on("figure", draw);
  view.fit(figure, cut);
  draw();
});
