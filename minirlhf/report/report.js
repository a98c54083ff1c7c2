// What the page of a run can do beyond being read: which models are shown, day or night, values under
// the pointer, and which replies belong together; which prompts, in filter.js. No part needs another.

const every = (selector, root = document) => [...root.querySelectorAll(selector)];

function newButton(words, act) {
  const made = Object.assign(document.createElement("button"),
    { type: "button", className: "mr-button", textContent: words });
  made.addEventListener("click", act);
  return made;
}

// ------------------------------------------------------------------------------- models shown

const hiddenModels = new Set();
const toggles = every("[data-toggle]");

function showModels() {
  for (const part of every("[data-model]")) {
    part.classList.toggle("is-away", hiddenModels.has(part.dataset.model));
  }
  for (const button of toggles) {
    button.setAttribute("aria-pressed", String(!hiddenModels.has(button.dataset.toggle)));
  }
  const count = toggles.length - hiddenModels.size;
  document.getElementById("models-count").textContent =
    hiddenModels.size ? ` ${count}/${toggles.length}` : "";
  document.getElementById("all-models").disabled = hiddenModels.size === 0;
}

for (const button of toggles) {
  button.addEventListener("click", () => {
    const model = button.dataset.toggle;
    if (!hiddenModels.delete(model) && hiddenModels.size < toggles.length - 1) {
      hiddenModels.add(model);
    }
    showModels();
  });
}
document.getElementById("all-models").addEventListener("click", () => {
  hiddenModels.clear();
  showModels();
});
showModels();

// ------------------------------------------------------------------------------- day or night

const night = document.getElementById("night");
const dark = matchMedia("(prefers-color-scheme: dark)");
let chosen = null; // what the reader said, where the system is not followed

function paint() {
  if (chosen !== null) document.documentElement.dataset.night = chosen ? "yes" : "no";
  night.setAttribute("aria-pressed", String(chosen ?? dark.matches));
}

night.addEventListener("click", () => {
  chosen = !(chosen ?? dark.matches);
  paint();
});
dark.addEventListener("change", paint);
paint();

// A phone's page is a long way: what can be folded is, but for the first of the prompts.
if (matchMedia("(max-width: 739px)").matches) {
  for (const part of [...every(".fold"), ...every(".gallery details").slice(1)]) part.open = false;
}

// --------------------------------------------------------------------------- values on curves

const number = (value) => {
  const text = Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
};

// A panel's curves as points in data, and how to show one of them.
class Plot {
  constructor(panel) {
    this.panel = panel;
    this.area = panel.querySelector(".area");
    this.at = panel.querySelector(".at");
    this.readout = panel.querySelector(".readout");
    this.values = panel.querySelector(".values");
    this.resting = [this.at, this.values].map((part) => [part, [...part.childNodes]]);
    const [left, right, low, high] =
      ["left", "right", "low", "high"].map((name) => Number(panel.dataset[name]));
    this.curves = every(".curve", panel).map((line) => ({
      model: line.dataset.model,
      name: line.dataset.name,
      points: line.getAttribute("points").split(" ").map((pair) => {
        const [a, b] = pair.split(",").map((text) => Number(text) / 1000);
        return { a, b, x: left + a * (right - left), y: high - b * (high - low) };
      }),
    }));
    this.place = 1; // how far along the run, as a share of its points
  }

  get shown() {
    return this.curves.filter((curve) => !hiddenModels.has(curve.model));
  }

  get longest() {
    return Math.max(1, ...this.shown.map((curve) => curve.points.length - 1));
  }

  // How far along the nearest point is; along a path both coordinates count.
  nearest(a, b) {
    let best = { distance: Infinity, share: 1 };
    for (const { points } of this.shown) {
      points.forEach((point, index) => {
        const distance = Math.hypot(point.a - a, this.isPath ? point.b - b : 0);
        if (distance < best.distance) {
          best = { distance, share: index / Math.max(1, points.length - 1) };
        }
      });
    }
    return best.share;
  }

  get isPath() {
    return this.panel.dataset.path !== undefined;
  }

  // The point of a curve at a share of the run or, where curves differ in length, at the same x.
  pointOf(curve, share) {
    const last = curve.points.length - 1;
    const point = curve.points[Math.round(share * last)];
    if (this.isPath || curve === this.lead) return point;
    const { x } = this.lead.points[Math.round(share * (this.lead.points.length - 1))];
    return curve.points.reduce((best, other) =>
      Math.abs(other.x - x) < Math.abs(best.x - x) ? other : best);
  }

  show(share) {
    if (!this.shown.length) return;
    this.clear();
    this.readout.classList.add("is-live");
    this.place = share;
    this.lead = this.shown.reduce((long, curve) =>
      curve.points.at(-1).x > long.points.at(-1).x ? curve : long);
    const found = this.shown.map((curve) => [curve, this.pointOf(curve, share)]);
    if (!this.isPath) {
      const cursor = this.area.appendChild(document.createElement("i"));
      cursor.className = "cursor";
      cursor.style.left = `${100 * found.find(([curve]) => curve === this.lead)[1].a}%`;
    }
    const said = [];
    this.values.replaceChildren();
    for (const [order, [{ model, name }, { a, b, x, y }]] of found.entries()) {
      const dot = this.area.appendChild(document.createElement("i"));
      dot.className = "point";
      dot.dataset.model = model;
      dot.style.cssText = `left: ${100 * a}%; top: ${100 * b}%; --size: ${Math.max(10, 18 - 5 * order)}px`;
      const mark = document.createElement("span");
      mark.className = "mark";
      mark.dataset.model = model;
      mark.textContent = name;
      const value = this.isPath ? `${number(y)} at ${number(x)}` : number(y);
      this.values.appendChild(document.createElement("span")).append(mark, ` ${value}`);
      said.push(`${name} ${value}`);
    }
    const { x } = found[0][1];
    this.at.textContent = this.isPath ? this.panel.dataset.x : `${this.panel.dataset.x}: ${number(x)}`;
    this.area.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    this.area.setAttribute("aria-valuetext", `${this.at.textContent}; ${said.join(", ")}`);
  }

  clear() {
    for (const part of every(".cursor, .point", this.area)) part.remove();
  }

  rest() {
    this.clear();
    this.readout.classList.remove("is-live");
    for (const [part, words] of this.resting) part.replaceChildren(...words);
    showModels();
  }
}

for (const group of every(".panels")) {
  const plots = every(".plot", group).map((panel) => new Plot(panel));
  const linked = group.dataset.linked !== undefined;
  for (const plot of plots) {
    const together = linked ? plots : [plot];
    const show = (share) => together.forEach((other) => other.show(Math.min(1, Math.max(0, share))));
    const rest = () => together.forEach((other) => other.rest());
    const { area } = plot;
    const point = (event) => {
      const box = area.getBoundingClientRect();
      show(plot.nearest((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
    };
    area.addEventListener("pointermove", point);
    area.addEventListener("pointerdown", point);
    area.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && rest());
    area.addEventListener("focus", () => area.matches(":focus-visible") && show(plot.place));
    area.addEventListener("blur", rest);
    area.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -20, PageUp: 20 };
      if (event.key === "Home") show(0);
      else if (event.key === "End") show(1);
      else if (event.key === "Escape") rest();
      else if (event.key in step) show(plot.place + step[event.key] / plot.longest);
      else return;
      event.preventDefault();
    });
    area.tabIndex = 0;
    area.setAttribute("role", "slider");
    area.setAttribute("aria-valuemin", "0");
    area.setAttribute("aria-valuemax", "100");
    area.setAttribute("aria-valuenow", "100");
    area.setAttribute("aria-valuetext", area.getAttribute("aria-label"));
    area.setAttribute("aria-label", `${plot.panel.dataset.title}: values along the run`);
  }
}

// ---------------------------------------------------------- one reply in all of step 2's cells

for (const steps of every(".mr-steps")) {
  const light = (name) => {
    for (const part of every("[data-reply]", steps)) {
      part.classList.toggle("is-lit", part.dataset.reply === name);
    }
  };
  for (const type of ["pointerover", "click"]) {
    steps.addEventListener(type, (event) => light(event.target.closest("[data-reply]")?.dataset.reply));
  }
  steps.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && light());
}

// --------------------------------------------------------------------- the section one is in

const links = new Map(every("#sections a").map((link) => [link.hash.slice(1), link]));
const here = document.getElementById("here");

// The last section that has begun in the upper half of the screen; none before the first.
function showHere() {
  const begun = every("main > section[id]").filter((section) => links.has(section.id)
    && section.getBoundingClientRect().top < innerHeight / 2);
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const now = atEnd && scrollY > 0 ? [...links.keys()].at(-1) : begun.at(-1)?.id;
  for (const [id, link] of links) {
    if (id === now) link.setAttribute("aria-current", "location");
    else link.removeAttribute("aria-current");
  }
  here.textContent = now ? links.get(now).textContent : "";
}

let asked = false; // once a frame
addEventListener("scroll", () => {
  if (!asked) requestAnimationFrame(() => { asked = false; showHere(); });
  asked = true;
}, { passive: true });
addEventListener("resize", showHere);
showHere();

// ------------------------------------------------------------------------- commands, to be taken

for (const pre of navigator.clipboard ? every("pre") : []) {
  const command = pre.textContent.trim();
  pre.append(newButton("Copy", async ({ target }) => {
    await navigator.clipboard.writeText(command);
    target.textContent = "Copied";
  }));
}

// ---------------------------------------------------------------------- menus close behind one

for (const link of every(".menu a")) {
  link.addEventListener("click", () => link.closest("[popover]").hidePopover?.());
}
