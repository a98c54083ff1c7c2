// Which of the prompts are shown: by words, use case and outcome. Joined to report.js, whose
// `every` and `newButton` it takes.

const filter = document.querySelector(".filter");
const offered = document.getElementById("offered");
const articles = every(".gallery article");

// "ppo-ptx !sft": the first passes, the second doesn't.
function comesOut(article, wanted) {
  const passing = article.dataset.passes.split(" ");
  return wanted.split(" ").every((word) =>
    word.startsWith("!") ? !passing.includes(word.slice(1)) : passing.includes(word));
}

// What is said in a prompt and its replies, in small letters.
const saidIn = (article) => every(".said", article).map((part) => part.textContent.toLowerCase());

function showPrompts() {
  const words = filter.querySelector("#words").value.trim().toLowerCase();
  const useCase = filter.querySelector("#case").value;
  const outcome = filter.querySelector("#outcome")?.value ?? "";
  let found = 0;
  for (const article of articles) {
    const shown = (!useCase || article.dataset.case === useCase)
      && (!outcome || comesOut(article, outcome))
      && saidIn(article).some((text) => text.includes(words));
    article.hidden = !shown;
    if (words && shown) article.firstElementChild.open = true; // what was found may be in a reply
    found += shown;
  }
  const all = found === articles.length;
  filter.querySelector("#found").textContent =
    found ? `${found} of ${articles.length} prompts`
      : words ? `Nothing ${useCase || outcome ? "of that kind" : "here"} has “${words}”.`
        : "No prompt is like that.";
  filter.querySelector("[type=reset]").hidden = all;
  offered.hidden = found > 0 || !words || !offered.childElementCount;
  markFound(words);
}

// Words that a few of the prompts and their replies share, to be offered.
function commonWords(most = 3) {
  const counts = new Map();
  for (const article of articles) {
    for (const word of new Set(saidIn(article).join(" ").match(/\p{L}{5,}/gu))) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return [...counts].filter(([, count]) => count > 1 && count < articles.length / 2)
    .sort(([one, m], [other, n]) => n - m || one.localeCompare(other)).slice(0, most).map(([word]) => word);
}

// The words looked for are marked where they stand (where the browser can, without new elements).
function markFound(words) {
  if (!CSS.highlights) return;
  const found = new Highlight();
  for (const { firstChild: text } of words ? every(".gallery .said") : []) {
    const said = text.data.toLowerCase();
    for (let at = said.indexOf(words); at >= 0; at = said.indexOf(words, at + words.length)) {
      const range = new Range();
      range.setStart(text, at);
      range.setEnd(text, at + words.length);
      found.add(range);
    }
  }
  CSS.highlights.set("found", found);
}

if (filter && articles.length) {
  const field = filter.querySelector("#words"), words = commonWords();
  field.placeholder = words.length ? `such as ${words.join(", ")}` : "";
  offered.append("Try ", ...words.map((word) => newButton(word, () => {
    field.value = word;
    showPrompts();
  })));
  filter.addEventListener("input", showPrompts);
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("reset", () => setTimeout(() => {
    showPrompts();
    filter.querySelector("#words").focus();
  }));
  showPrompts();
}
