// What pictures with two axes share: where the plot lies, grid, values and names, arrow heads.

// A plot of this size: scales over the data, and the elements that stand behind it. `x` may be left
// out where something else stands along the foot; `rows` is about how many lines of a grid there are.
function axes({ width, height, left = 46, right = 14, top = 26, bottom = 40, x, y, names = {},
  rows = Math.max(2, Math.round((height - bottom - top) / 44)) }) {
  const foot = height - bottom, end = width - right;
  const toY = scale(y, [foot, top]), toX = x && scale(x, [left, end]);
  const levels = ticks(...y, rows).filter((tick) => tick >= y[0] && tick <= y[1]);
  const written = alike(levels);
  const elements = levels.map((tick, at) => [
    make("line", { class: "mr-grid", x1: left, x2: end, y1: toY(tick), y2: toY(tick) }),
    make("text", { class: "mr-small", x: left - 7, y: toY(tick) + 4, "text-anchor": "end" },
      written[at])]);
  if (x) {
    const places = ticks(...x, Math.max(2, Math.round((end - left) / 90))), names = alike(places);
    elements.push(places.map((tick, at) => make("text", { class: "mr-small", x: toX(tick),
      y: foot + 17, "text-anchor": "middle" }, names[at])));
  }
  elements.push(
    make("line", { class: "mr-axis", x1: left, x2: end, y1: foot, y2: foot }),
    names.y && make("text", { class: "mr-small", x: 0, y: top - 12 }, names.y),
    names.x && make("text", { class: "mr-small", x: end, y: height - 4, "text-anchor": "end" },
      names.x));
  return { toX, toY, left, right: end, top, foot, elements };
}

// Lowest and highest of some values, with room at both ends; 0 and 1 where there are none.
function extent(values, room = 0.08) {
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const more = room * (high - low) || 0.1 * Math.abs(high) || 0.5;
  return [low - more, high + more];
}

// An arrow head at a place, pointing along (dx, dy).
function head([px, py], [dx, dy], size = 7, attributes = {}) {
  const turn = (Math.atan2(dy, dx) * 180) / Math.PI;
  return make("path", { d: `M0 0L${-size} ${-0.55 * size}L${-size} ${0.55 * size}Z`,
    transform: `translate(${px.toFixed(1)} ${py.toFixed(1)}) rotate(${turn.toFixed(1)})`,
    ...attributes });
}

const polyline = (points) =>
  points.map(([px, py], at) => `${at ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
