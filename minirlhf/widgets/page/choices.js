// One choice of several, by arrow keys too: tabs, radio buttons, options. Only the chosen one is
// in the order of Tab.
function choices(root, items, { chosen, choose }) {
  root.addEventListener("keydown", (event) => {
    const at = items().findIndex((item) => item === document.activeElement);
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const to = by ? at + by : { Home: 0, End: items().length - 1 }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(clamp(to, 0, items().length - 1));
    items()[chosen()]?.focus();
  });
  return (state) => {
    const now = chosen();
    items().forEach((item, at) => {
      if (item.getAttribute(state) === String(at === now)) return;
      put(item, { tabindex: at === now ? 0 : -1, [state]: String(at === now) });
    });
  };
}
