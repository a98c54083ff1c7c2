// Cards and tiers: where each reply of the labeling desk lies, moved by mouse, finger or keys.
// `ranks` of the model holds a tier for each card, null while it is on the pile.

const STILL = 5; // pixels that a pointer may stray and still be a click

function tiers(view, { chosen }) {
  const pile = make("ul", { class: "mr-label-list mr-label-pile", "aria-label": view.say("labeling.pile"),
    "data-empty": view.say("labeling.none") });
  const lanes = make("ol", { class: "mr-label-list mr-label-lanes",
    "aria-label": view.say("labeling.tiers") });
  const heap = make("section", {}, make("h4", { class: "mr-label" }, view.say("labeling.pile")), pile);
  const root = make("div", { class: "mr-label-board" }, heap,
    make("section", {}, make("h4", { class: "mr-label" }, view.say("labeling.tiers")), lanes));
  let cards = [], slots = [], picked = 0;

  const letter = (at) => `y${at + 1}`;
  const ranks = () => view.get("ranks");
  const named = (rank) => (rank == null ? view.say("labeling.unranked")
    : view.say("labeling.tier", { rank }));

  function sayCard(at) {
    const rank = ranks()[at];
    const others = ranks().map((other, k) => (k !== at && other === rank ? letter(k) : null))
      .filter(Boolean);
    const tied = rank != null && others.length
      ? view.say("labeling.tied", { names: others.join(", ") }) : "";
    return `${view.say("labeling.reply", { name: letter(at) })}, ${named(rank)}${tied}`;
  }

  function pick(at, focus = true) {
    picked = at;
    cards.forEach((card, k) => put(card, { class: `mr-label-card${k === at ? " is-picked" : ""}`,
      "aria-pressed": String(k === at) }));
    if (focus) cards[at].focus({ preventScroll: true });
    chosen(at);
  }

  function move(at, rank) {
    const next = [...ranks()];
    if (next[at] === rank) return;
    next[at] = rank;
    view.set({ ranks: next });
    view.announce(sayCard(at));
  }

  // After a key has placed a card, the next one of the pile is on.
  function onward(at) {
    const rest = ranks().map((rank, k) => (rank == null ? k : null)).filter((k) => k !== null);
    pick(rest.find((k) => k > at) ?? rest[0] ?? at);
  }

  function key(at, event) {
    const number = Number(event.key), rank = ranks()[at], last = cards.length;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (number >= 1 && number <= last) { move(at, number); onward(at); }
    else if (["0", "Backspace", "Delete"].includes(event.key)) { move(at, null); pick(at); }
    else if (event.key === "ArrowUp" && rank != null) { move(at, Math.max(rank - 1, 1)); pick(at); }
    else if (event.key === "ArrowDown") {
      move(at, rank == null ? 1 : Math.min(rank + 1, last));
      pick(at);
    } else if (event.key === "ArrowRight") pick((at + 1) % last);
    else if (event.key === "ArrowLeft") pick((at + last - 1) % last);
    else if (event.key === " ") pick(at);
    else return;
    event.preventDefault();
  }

  // ------------------------------------------------------------------------------------- dragging

  // The tier under a point; null for the pile, undefined for nowhere.
  function under(event) {
    const found = [...slots.map((slot, at) => [slot, at + 1]), [heap, null]]
      .find(([part]) => {
        const box = part.getBoundingClientRect();
        return event.clientX >= box.left && event.clientX <= box.right
          && event.clientY >= box.top && event.clientY <= box.bottom;
      });
    return found?.[1];
  }

  function mark(rank) {
    slots.forEach((slot, at) => slot.classList.toggle("is-under", at + 1 === rank));
    pile.classList.toggle("is-under", rank === null);
  }

  function grab(card, at) {
    let ghost = null, origin = null;
    const follow = (event) => put(ghost, { style: {
      transform: `translate(${event.clientX - origin.x}px, ${event.clientY - origin.y}px)` } });
    const drop = () => { ghost?.remove(); ghost = null; mark(undefined); card.classList.remove("is-away"); };
    drag(card, {
      start(event) { origin = { x: event.clientX, y: event.clientY }; pick(at); },
      move(event) {
        if (!ghost && Math.hypot(event.clientX - origin.x, event.clientY - origin.y) < STILL) return;
        if (!ghost) {
          const box = card.getBoundingClientRect(), page = root.getBoundingClientRect();
          ghost = card.cloneNode(true);
          ghost.removeAttribute("tabindex");
          put(ghost, { class: "mr-label-card mr-label-ghost", "aria-hidden": "true", style: {
            left: `${box.left - page.left}px`, top: `${box.top - page.top}px`,
            width: `${box.width}px` } });
          root.append(ghost);
          card.classList.add("is-away");
        }
        follow(event);
        mark(under(event));
      },
      end(event) {
        const rank = ghost && event.type === "pointerup" ? under(event) : undefined;
        drop();
        if (rank !== undefined) { move(at, rank); pick(at); }
      },
    });
  }

  // -------------------------------------------------------------------------------------- drawing

  function lane(rank, count) {
    const words = rank === 1 ? view.say("labeling.best") : rank === count ? view.say("labeling.worst") : "";
    const head = make("button", { type: "button", class: "mr-label-number", tabindex: -1,
      "aria-label": view.say("labeling.put", { rank }),
      onclick: () => { move(picked, rank); pick(picked); } },
      make("b", {}, rank), words && make("small", {}, words));
    return make("li", { class: "mr-label-lane" }, head, make("ul", { class: "mr-label-list" }));
  }

  function build() {
    const { completions } = view.get("task");
    const held = root.contains(root.getRootNode().activeElement);
    cards = completions.map((text, at) => {
      const card = make("div", { class: "mr-label-card", role: "button", tabindex: 0,
        onkeydown: (event) => key(at, event), onfocus: () => { if (picked !== at) pick(at, false); } },
        make("b", { class: "mr-label-name" }, letter(at)), make("span", { class: "mr-text" }, text.trim()));
      grab(card, at);
      return card;
    });
    slots = completions.map((_, at) => lane(at + 1, completions.length));
    fill(lanes, slots);
    draw();
    pick(Math.max(ranks().indexOf(null), 0), held);
  }

  // Cards glide from where they were to where they are.
  function draw() {
    const before = cards.map((card) => card.isConnected && card.getBoundingClientRect());
    const held = cards.indexOf(root.getRootNode().activeElement);
    const item = (at) => make("li", {}, cards[at]);
    const of = (rank) => ranks().map((own, at) => (own === rank ? item(at) : null)).filter(Boolean);
    slots.forEach((slot, at) => {
      const inside = of(at + 1);
      fill(slot.lastChild, inside);
      slot.classList.toggle("is-tie", inside.length > 1);
      slot.classList.toggle("is-empty", !inside.length);
      put(slot.lastChild, { "data-tie": inside.length > 1 ? view.say("labeling.tie") : null });
    });
    const left = of(null);
    fill(pile, left);
    heap.classList.toggle("is-empty", !left.length); // then a strip beneath the tiers, which widen
    cards.forEach((card, at) => {
      put(card, { "aria-label": `${sayCard(at)}. ${view.get("task").completions[at]}` });
      const [from, to] = [before[at], card.getBoundingClientRect()];
      if (!from || calm() || (from.left === to.left && from.top === to.top)) return;
      card.animate([{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` },
        { transform: "none" }], { duration: 180, easing: "ease-out" });
    });
    if (held >= 0) cards[held].focus({ preventScroll: true });
  }

  view.on("task", build);
  view.on("ranks saved", draw);
  build();
  return { root, place: move };
}
