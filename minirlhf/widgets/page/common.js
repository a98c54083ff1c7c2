// What every widget's page code stands on: pointers, keys, motion, and the widget itself. Python puts
// elements.js and this file before the widget's own.
// A widget's file ends with
//
//   export default widget((view) => { …build into view.root, and draw… });

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
    // What hasn't been handed to the model yet: the kernel's echo of an earlier value would else
    // take back what one is dragging.
    let fresh = {};
    const listeners = {};
    const save = () => {
      clearTimeout(saving);
      [saving, saved] = [0, Date.now()];
      const values = Object.entries(fresh);
      fresh = {};
      for (const [name, value] of values) model.set(name, value);
      model.save_changes();
    };
    const view = {
      model, root,
      // What is being done and what went wrong: beneath the rest, unless put elsewhere in the root.
      busy, problem,
      get: (name) => (name in fresh ? fresh[name] : model.get(name)),

      // New values, at once on the page; to Python when `settled`, else a few times a second.
      set(values, settled = true) {
        Object.assign(fresh, values);
        if (settled) return save();
        saving ||= setTimeout(save, Math.max(0, saved + SAVED - Date.now()));
        const due = new Set(Object.keys(values).flatMap((name) => listeners[name] ?? []));
        due.forEach((draw) => draw());
      },

      // The Python method act_NAME(**values).
      act: (name, values = {}) => model.send({ do: name, ...values }),

      // Call `draw` whenever one of these values changes, wherever the change comes from.
      on(names, draw) {
        for (const name of names.split(" ")) {
          const event = name.includes(":") ? name : `change:${name}`;
          (listeners[name] ??= []).push(draw);
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
