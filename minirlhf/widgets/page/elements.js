// Elements, numbers and scales: the first part of what every widget's page code stands on.

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
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
const snap = (x, step) => Number((Math.round(x / step) * step).toFixed(10));
const minus = (text) => text.replace("-", "−");
// With so many digits; signed() always has a sign; short() has three figures, 1,200 and 0.00123.
const number = (x, digits = 2) => minus((Math.abs(x) < 0.5 / 10 ** digits ? 0 : x).toFixed(digits));
const signed = (x, digits = 2) => (x > 0 && number(x, digits) !== number(0, digits) ? "+" : "")
  + number(x, digits);
const short = (x) => minus(Number(x.toPrecision(3)).toLocaleString("en", {
  maximumSignificantDigits: 3 }));

// These numbers with the same decimals, as many as tell them apart; 0 is 0.
function alike(numbers) {
  const decimals = (x) => (String(Number(x.toPrecision(6))).split(".")[1] ?? "").length;
  if (numbers.some((x) => x && Math.abs(x) < 1e-6)) return numbers.map(short);
  const digits = Math.max(0, ...numbers.map(decimals));
  return numbers.map((x) => (x === 0 ? "0" : minus(x.toLocaleString("en", {
    minimumFractionDigits: digits, maximumFractionDigits: digits }))));
}

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
