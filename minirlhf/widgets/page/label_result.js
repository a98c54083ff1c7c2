// What the others say of a saved ranking: where the labelers put each reply, what the reward model
// gives it, and how often each labeler agrees.

// pixels: a row, its reply's name, its score, their head; a labeler's dot
const ROW = 30, SIDE = 34, TAIL = 122, HEAD = 20, DOT = 16;

// The number that a sentence is about: its first share, or else its first number with a point.
const figure = (sentence) => (sentence.match(/\d+%/) ?? sentence.match(/\d+\.\d+/))?.[0];

// A sentence with no name of a labeler or a reply broken.
const whole = (sentence) => sentence.split(/(\w+-\d+|\by\d+)/).map((part, at) => (at % 2
  ? make("span", { class: "mr-label-whole" }, part) : part));

function labelResult(view) {
  const words = make("div", { role: "status" });
  const places = make("svg", { role: "img" }), people = make("svg", { role: "img" });
  const title = (key) => make("h4", { class: "mr-label" }, view.say(key));
  const keys = make("p", { class: "mr-small mr-label-keys" },
    make("span", {}, make("i", { class: "is-you" }), view.say("labeling.you")),
    make("span", {}, make("i", { class: "is-others" }), view.say("labeling.labelers")));
  const left = make("section", {}, title("labeling.places_sized"), keys, places);
  const right = make("section", {}, title("labeling.people"), people);
  const root = make("div", { class: "mr-card mr-stack" }, words,
    make("div", { class: "mr-label-pair" }, left, right));

  // Where the labelers put each reply on average, and the reply that lies farthest from there, if
  // that is a whole tier.
  function away({ ranks, others }) {
    const means = (others ?? []).map((row) => sum(row.map((many, k) => many * (k + 1))) / sum(row));
    const far = means.map((mean, k) => Math.abs(mean - ranks[k])), most = Math.max(...far);
    return { means, most: most >= 1 ? far.indexOf(most) : -1 };
  }

  // A row for each reply, best first: dots grow with the labelers who gave it that rank.
  function drawPlaces({ ranks, others, scores }, width, { means, most: farthest }) {
    const count = ranks.length, end = width - (scores.length ? TAIL : 10);
    const x = scale([1, count], [SIDE + 16, end - 16]);
    const order = ranks.map((_, k) => k).sort((a, b) => ranks[a] - ranks[b] || a - b);
    const most = Math.max(1, ...others.flat());
    const bar = scale([Math.min(0, ...scores), Math.max(0, ...scores)], [end + 10, width - 50]);
    const zero = bar(0);
    const foot = HEAD + count * ROW, tier = view.say("labeling.axis");
    put(places, { viewBox: `0 0 ${width} ${foot + 22}`, height: foot + 22 });
    fill(places,
      ranks.map((_, k) => [
        make("line", { class: "mr-grid", x1: x(k + 1), x2: x(k + 1), y1: HEAD, y2: foot }),
        make("text", { class: "mr-small", x: x(k + 1), y: foot + 16, "text-anchor": "middle" }, k + 1)]),
      make("text", { class: "mr-small", x: 2, y: foot + 16 }, tier),
      scores.length ? [
        make("text", { class: "mr-small", x: width, y: 12, "text-anchor": "end" },
          view.say("labeling.model")),
        make("line", { class: "mr-axis", x1: zero, x2: zero, y1: HEAD, y2: foot }),
        make("text", { class: "mr-small", x: zero, y: foot + 16, "text-anchor": "middle" }, "0"),
      ] : null,
      order.map((k, at) => {
        const y = HEAD + at * ROW + ROW / 2;
        const to = x(means[k]);
        return make("g", {},
          k === farthest && make("rect", { class: "mr-label-most", x: -6, y: y - ROW / 2, rx: 4,
            width: end + 6, height: ROW }),
          make("text", { x: 2, y: y + 4, "font-weight": k === farthest ? 600 : null }, `y${k + 1}`),
          k === farthest && make("line", { class: "mr-label-far",
            x1: x(ranks[k]) + 8 * Math.sign(to - x(ranks[k])), x2: to, y1: y, y2: y }),
          others[k].map((number, rank) => number ? make("circle", { class: "mr-label-dot",
            cx: x(rank + 1), cy: y, r: 3 + 8 * Math.sqrt(number / most) }) : null),
          make("rect", { class: "mr-label-mine", x: x(ranks[k]) - 6, y: y - 6, width: 12, height: 12,
            transform: `rotate(45 ${x(ranks[k])} ${y})` }),
          scores.length ? [
            make("rect", { class: `mr-label-score${scores[k] < 0 ? " is-below" : ""}`, y: y - 4, height: 8,
              x: Math.min(zero, bar(scores[k])), width: Math.abs(bar(scores[k]) - zero) }),
            make("text", { class: "mr-number", x: width, y: y + 4, "text-anchor": "end" },
              signed(scores[k]))] : null);
      }));
    put(places, { "aria-label": view.say("labeling.places_said", { order: order.map((k) =>
      `y${k + 1}: ${ranks[k]}`).join(", ") }) });
  }

  // A dot for each labeler at the share of pairs on which they agree; equal ones are stacked.
  function drawPeople({ agreement, mean, among, ranks }, width) {
    const x = scale([0, 1], [12, width - 12]), foot = HEAD + ranks.length * ROW, heights = new Map();
    const marks = Object.entries(agreement).map(([name, share]) => {
      const bin = Math.round(x(share) / DOT), at = heights.get(bin) ?? 0;
      heights.set(bin, at + 1);
      const dot = make("circle", { class: "mr-label-person", cx: bin * DOT,
        cy: foot - 2 - DOT * (at + 0.5), r: DOT / 2 - 1 });
      dot.append(make("title", {}, `${name}: ${number(100 * share, 0)}%`));
      return dot;
    });
    const ruler = [0, 0.5, 1].map((share) => make("text", { class: "mr-small", x: x(share),
      y: foot + 16, "text-anchor": { 0: "start", 1: "end" }[share] ?? "middle" },
      `${100 * share}%`));
    const lines = [[mean, "labeling.with_you", 12, "is-you"],
      [among, "labeling.with_one_another", 28, "mr-label-dashed"]]
      .filter(([share]) => share != null)
      .map(([share, key, y, look]) => [
        make("line", { class: `mr-label-line ${look}`, x1: x(share), x2: x(share), y1: y - 8, y2: foot }),
        make("text", { class: "mr-small", x: x(share) + (share > 0.5 ? -5 : 5), y,
          "text-anchor": share > 0.5 ? "end" : "start" },
          view.say(key, { share: `${number(100 * share, 0)}%` }))]);
    put(people, { viewBox: `0 0 ${width} ${foot + 22}`, height: foot + 22 });
    fill(people, make("line", { class: "mr-axis", x1: 8, x2: width - 8, y1: foot, y2: foot }), ruler,
      lines, marks);
    put(people, { "aria-label": view.say("labeling.people_said", { names: Object.entries(agreement)
      .map(([name, share]) => `${name} ${number(100 * share, 0)}%`).join(", ") }) });
  }

  function draw() {
    const result = view.get("result");
    root.hidden = !result.sentences;
    if (root.hidden) return;
    const [first, ...rest] = result.sentences;
    const told = result.difference ? [result.difference, first, ...rest] : [first, ...rest];
    const farthest = away(result), reply = view.get("task").completions[farthest.most];
    fill(words, make("p", { class: "mr-title" }, told[0]),
      reply && make("p", { class: "mr-label-quote" }, make("b", {}, `y${farthest.most + 1}`), reply.trim()),
      make("ul", { class: "mr-label-said" }, told.slice(1).map((one) => make("li", {},
        make("span", { class: "mr-label-figure mr-number", "aria-hidden": "true" }, figure(one)),
        whole(one)))));
    left.hidden = !result.ranks;
    right.hidden = !Object.keys(result.agreement ?? {}).length;
    const room = (section) => section.clientWidth - 28 || 380;
    if (!left.hidden) drawPlaces(result, room(left), farthest);
    if (!right.hidden) drawPeople(result, room(right));
  }
  view.on("result", draw);
  view.fit(root, draw);
  draw();
  return root;
}
