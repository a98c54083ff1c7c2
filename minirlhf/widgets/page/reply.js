// Somebody's reply, whole, with what a judge objects to underlined and named behind it.

// `reply` is what replies.py makes: pieces of text with the criteria that they break, and perhaps
// whole (criteria that no piece is to blame for), score, grade, passes, finished. `marks` are more
// chips, put first.
function replyParts(view, reply, marks = []) {
  const named = (criteria) => criteria.join(view.say("reply.comma"));
  const text = reply.pieces.map(([words, criteria], at) => (criteria.length
    ? [make("span", { class: "mr-objected" }, words),
      make("span", { class: "mr-objection" }, ` ${named(criteria)}`)]
    : at ? words : words.trimStart()));
  const said = reply.pieces.some(([words]) => words.trim());
  const chip = (words, kind = "") => make("span", { class: `mr-chip ${kind}` }, words);
  const sign = { true: "✓ ", false: "✗ " }[reply.passes] ?? "";
  const chips = [
    ...marks.map((words) => chip(words)),
    reply.score == null ? null : chip(view.say("reply.score", { score: signed(reply.score) })),
    reply.grade == null ? null : chip(sign + view.say("reply.grade", {
      grade: typeof reply.grade === "number" ? number(reply.grade, 1) : reply.grade }),
    { true: "mr-good", false: "mr-bad" }[reply.passes]),
    reply.finished === false ? chip(view.say("reply.cut"), "mr-bad") : null,
    reply.whole?.length
      ? chip(view.say("reply.misses", { names: named(reply.whole) }), "mr-bad") : null];
  return [
    make("p", { class: "mr-text mr-reply" }, said ? text
      : make("span", { class: "mr-words" }, view.say("reply.silent"))),
    make("div", { class: "mr-chips" }, chips)];
}
