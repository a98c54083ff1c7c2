// The three steps: the report's figure, whose cells come in one after another when a step has been
// taken; a click on a reply tells its rank and score, wherever its letter stands.

export default widget((view) => {
  const figure = make("div"), todo = make("p");
  fill(view.root, todo, view.busy, view.problem, figure);
  let known = new Set(), lit = null;

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
  }

  // Folded, replies begin where they part: words that all of them begin with show when one unfolds.
  function part(texts) {
    const words = texts.map((text) => text.textContent.match(/\S+\s*/g) ?? []);
    let same = 0;
    while (words.every((own) => own.length > same + 1 && own[same] === words[0][same])) same += 1;
    if (!same || texts.length < 2) return;
    texts.forEach((text, at) => fill(text,
      make("span", { class: "mr-steps-same" }, words[at].slice(0, same).join("")),
      words[at].slice(same).join("")));
  }

  // What a reply tells lies beneath it, and is there for the keyboard as well.
  function prepare() {
    for (const reply of figure.querySelectorAll(".mr-steps-replies li")) {
      const one = view.get("replies").find(({ letter }) => letter === reply.dataset.reply);
      const text = reply.querySelector(".mr-steps-text");
      put(text, { role: "button", tabindex: 0, "aria-expanded": "false" });
      reply.append(make("small", { class: "mr-steps-told", hidden: true }, one && told(one)));
    }
    part([...figure.querySelectorAll(".mr-steps-replies .mr-steps-text")]);
    lit = null;
  }

  function draw() {
    figure.innerHTML = view.get("figure"); // markup of our own; texts in it are escaped
    const taken = view.get("filled"), next = [0, 1, 2].find((step) => !taken.includes(step));
    todo.textContent = next === undefined ? view.say("pipeline.click")
      : view.say("pipeline.next", { number: next + 1 });
    [...figure.querySelectorAll(".mr-steps-column")].forEach((column, step) => {
      if (!taken.includes(step) || known.has(step)) return;
      [...column.querySelectorAll(".mr-steps-cell")].forEach((cell, at) => {
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
  draw();
});
