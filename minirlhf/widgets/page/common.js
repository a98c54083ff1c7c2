// What every widget's page code stands on; Python puts this file before the widget's own.
// A widget's file ends with
//
//   export default widget((view) => { …build into view.root, and draw… });

// ------------------------------------------------------------------------------------- elements

const SVG = new Set(("svg g path line circle ellipse rect text tspan polyline polygon defs marker "
  + "linearGradient stop clipPath").split(" "));

// An element, HTML or SVG: make("p", { class: "mr-words" }, "text", other, [more]).
function make(tag, attributes = {}, ...children) {
  const element = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  put(element, attributes);
  fill(element, children);
  return element;
}

// Attributes that are null or false go away; on… takes a function, style an object.
function put(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "style") {
      for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    } else if (["value", "checked", "disabled"].includes(name) && name in element) {
      if (element[name] !== value) element[name] = value;
    } else if (value === null || value === undefined || value === false) {
      element.removeAttribute(name);
    } else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

// These children instead of those there were, null and false left out; text goes in as text, so
// nobody's HTML is obeyed.
function fill(element, ...children) {
  const kept = children.flat(Infinity).filter((child) => child != null && child !== false);
  element.replaceChildren(...kept);
  return element;
}

// One child of `parent` for each item, made once and then changed in place.
function each(parent, items, create, change) {
  while (parent.children.length > items.length) parent.lastChild.remove();
  items.forEach((item, at) => {
    const child = parent.children[at] ?? parent.appendChild(create(item, at));
    change?.(child, item, at);
  });
}

// A button; `kind` is "primary" or "link" or nothing.
function button(words, act, kind = "") {
  const look = kind ? `mr-button mr-${kind}` : "mr-button";
  return make("button", { type: "button", class: look, onclick: act }, words);
}

// A control under its label.
let count = 0;
function field(words, control, attributes = {}) {
  control.id ||= `mr-${count++}-${Math.random().toString(36).slice(2, 8)}`;
  const label = make("label", { for: control.id }, words);
  return make("div", { class: "mr-field", ...attributes }, label, control);
}

// -------------------------------------------------------------------------------------- numbers

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const snap = (x, step) => Number((Math.round(x / step) * step).toFixed(10));
const minus = (text) => text.replace("-", "−");
// With so many digits; signed() always has a sign; short() has three figures, 1,200 and 0.00123.
const number = (x, digits = 2) => minus((Math.abs(x) < 0.5 / 10 ** digits ? 0 : x).toFixed(digits));
const signed = (x, digits = 2) => (x > 0 && number(x, digits) !== number(0, digits) ? "+" : "")
  + number(x, digits);
const short = (x) => minus(Number(x.toPrecision(3)).toLocaleString("en", {
  maximumSignificantDigits: 3 }));

// x ↦ its place on the page; .back(place) ↦ x.
function scale([low, high], [from, to]) {
  const place = (x) => from + ((x - low) / (high - low || 1)) * (to - from);
  place.back = (at) => low + ((at - from) / (to - from || 1)) * (high - low);
  return place;
}

// Round numbers from low to high, about `wanted` of them.
function ticks(low, high, wanted = 5) {
  const rough = (high - low || 1) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough * 0.999) ?? 10);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

// ---------------------------------------------------------------------------- pointers and keys

// Where an event is, in the coordinates of an SVG, or of an HTML element's own box.
function place(element, event) {
  if (element.getScreenCTM) {
    const point = new DOMPoint(event.clientX, event.clientY);
    return point.matrixTransform(element.getScreenCTM().inverse());
  }
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

// Mouse, pen and finger alike: move(event, start) while held, end(event) when let go.
function drag(element, { start, move, end }) {
  element.classList.add("mr-grab");
  // within an SVG, touch-action alone doesn't keep a finger from scrolling
  element.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  element.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    element.setPointerCapture(down.pointerId);
    element.focus?.({ preventScroll: true });
    down.preventDefault();
    start?.(down);
    const moved = (event) => event.pointerId === down.pointerId && move?.(event, down);
    const ended = (event) => {
      if (event.pointerId !== down.pointerId) return;
      element.removeEventListener("pointermove", moved);
      for (const name of ["pointerup", "pointercancel"]) element.removeEventListener(name, ended);
      end?.(event);
    };
    element.addEventListener("pointermove", moved);
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, ended);
  });
}

// Arrow keys, page keys, Home and End on anything that has a value, and what a screen reader says
// of it. `set(x, settled)` takes the new value; call the result after the value has changed. `step`
// may be a function.
function slider(element, { label, min, max, step, big, get, set, words = short,
  orientation = null }) {
  put(element, { role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": min,
    "aria-valuemax": max, "aria-orientation": orientation });
  element.addEventListener("keydown", (event) => {
    const one = typeof step === "function" ? step() : step, ten = big ?? 10 * one;
    const by = { ArrowRight: one, ArrowUp: one, ArrowLeft: -one, ArrowDown: -one,
      PageUp: ten, PageDown: -ten }[event.key];
    const to = by !== undefined ? get() + by : { Home: min, End: max }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    set(clamp(snap(to, one), min, max), true);
  });
  const tell = () => put(element, { "aria-valuenow": get(), "aria-valuetext": words(get()) });
  tell();
  return tell;
}

// --------------------------------------------------------------------------------------- motion

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// step(0 … 1) frame by frame, eased; at once where the reader wants no motion. The result stops it.
function tween(milliseconds, step, done) {
  if (calm() || document.hidden) {
    step(1);
    done?.();
    return () => {};
  }
  const begun = performance.now();
  let frame = requestAnimationFrame(function go(now) {
    const part = clamp((now - begun) / milliseconds, 0, 1);
    step(1 - (1 - part) ** 3);
    if (part < 1) frame = requestAnimationFrame(go);
    else done?.();
  });
  return () => cancelAnimationFrame(frame);
}

// --------------------------------------------------------------------------------------- widgets

const RESTED = 1000, SAVED = 200; // milliseconds: until the copy is drawn; between two savings

// The style sheet of all widgets stands once on a page, first in its head, so that a widget's own
// rules come after it whatever else is on the page. (Python puts DESIGN before this file.)
function dress() {
  const sheet = document.getElementById("mr-design") ?? make("style", { id: "mr-design" });
  if (sheet.textContent !== DESIGN) sheet.textContent = DESIGN;
  if (!sheet.isConnected) document.head.prepend(sheet);
}

// A widget's module. `build(view)` makes the page once; what it returns is called at the end.
function widget(build) {
  return { render({ model, el }) {
    dress();
    const endings = [];
    const problem = make("div", { class: "mr-problem", role: "alert", hidden: true });
    const busy = make("div", { class: "mr-words mr-busy", role: "status", hidden: true });
    const heard = make("div", { class: "mr-unseen", "aria-live": "polite" });
    const hint = make("div", { class: "mr-tip", hidden: true });
    // the notebook's own shortcuts (b, dd, arrows …) keep off whatever has the focus in here
    const frame = make("div", { class: "minirlhf mr",
      onfocusin: ({ target }) => put(target, { "data-lm-suppress-shortcuts": "true" }) });
    const root = make("div", { class: "mr-stack" });
    fill(frame, root, busy, problem, heard, hint);
    el.append(frame);

    let saving = 0, saved = 0, speaking = 0, resting = 0;
    const save = () => { clearTimeout(saving); saving = 0; saved = Date.now(); model.save_changes(); };
    const view = {
      model, root,
      get: (name) => model.get(name),

      // New values, at once on the page; to Python when `settled`, else a few times a second.
      set(values, settled = true) {
        for (const [name, value] of Object.entries(values)) model.set(name, value);
        if (settled) save();
        else saving ||= setTimeout(save, Math.max(0, saved + SAVED - Date.now()));
      },

      // The Python method act_NAME(**values).
      act: (name, values = {}) => model.send({ do: name, ...values }),

      // Call `draw` whenever one of these values changes, wherever the change comes from.
      on(names, draw) {
        for (const name of names.split(" ")) {
          const event = name.includes(":") ? name : `change:${name}`;
          model.on(event, draw);
          endings.push(() => model.off(event, draw));
        }
      },

      // Call `draw(width)` now that the element has a width, and when its width changes.
      fit(element, draw) {
        let width = 0;
        const watch = new ResizeObserver(() => {
          const now = Math.round(element.clientWidth);
          if (now && now !== width) draw((width = now));
        });
        watch.observe(element);
        endings.push(() => watch.disconnect());
      },

      // An entry of labels.toml, with {fields} put in.
      say(key, fields = {}) {
        const words = model.get("_labels")[key] ?? key;
        return words.replace(/\{(\w+)\}/g, (all, name) => fields[name] ?? all);
      },

      // Let a screen reader say something; of several in a row, the last.
      announce(words) {
        clearTimeout(speaking);
        speaking = setTimeout(() => { heard.textContent = words; }, 400);
      },

      // A note beside an element; none without content.
      tip(element, ...content) {
        hint.hidden = content.length === 0;
        if (hint.hidden) return;
        fill(hint, content);
        const [box, page] = [element.getBoundingClientRect(), frame.getBoundingClientRect()];
        const left = clamp(box.left + box.width / 2 - page.left - hint.offsetWidth / 2, 0,
          Math.max(0, page.width - hint.offsetWidth));
        const above = box.top - page.top - hint.offsetHeight - 8;
        const top = above > 0 ? above : box.bottom - page.top + 8;
        put(hint, { style: { left: `${left}px`, top: `${top}px` } });
      },

      // What to do when the widget leaves the page.
      atEnd: (undo) => endings.push(undo),
    };
    const status = () => {
      for (const [element, name] of [[problem, "problem"], [busy, "busy"]]) {
        element.hidden = !model.get(name);
        element.textContent = model.get(name);
      }
    };
    view.on("problem busy", status);
    status();
    const rest = () => {
      clearTimeout(resting);
      resting = setTimeout(() => view.act("rest"), RESTED);
    };
    model.on("change", rest);
    endings.push(() => model.off("change", rest));
    const undo = build(view);
    return () => {
      if (saving) save();
      [saving, speaking, resting].forEach(clearTimeout);
      endings.forEach((end) => end());
      undo?.();
    };
  } };
}
