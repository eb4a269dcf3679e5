// Panels of which one is shown.

import { el } from "./dom.js";

/** `panels`: name -> [label, node]; `shown(name)` is called when another panel is. */
export function tabbed(label, panels, shown) {
  const names = Object.keys(panels);
  const tab = {};
  const sheet = {};
  let open = null;
  for (const [name, [text, node]] of Object.entries(panels)) {
    tab[name] = el(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${name}`,
        "aria-controls": `panel-${name}`,
        onclick: () => show(name),
      },
      text,
    );
    sheet[name] = el(
      "div",
      { role: "tabpanel", id: `panel-${name}`, tabindex: "-1", "aria-labelledby": `tab-${name}` },
      node,
    );
  }
  function show(name) {
    if (open === name) return;
    open = name;
    for (const other of names) {
      tab[other].setAttribute("aria-selected", String(other === name));
      tab[other].tabIndex = other === name ? 0 : -1;
      sheet[other].hidden = other !== name;
    }
    shown(name);
  }
  const list = el(
    "div",
    {
      class: "tabs",
      role: "tablist",
      "aria-label": label,
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step || event.altKey || event.shiftKey) return;
        show(names[(names.indexOf(open) + step + names.length) % names.length]);
        tab[open].focus();
      },
    },
    Object.values(tab),
  );
  return {
    list,
    show,
    sheets: el("div", { class: "panels" }, Object.values(sheet)),
    focus: (name) => {
      show(name);
      sheet[name].focus({ preventScroll: true });
    },
  };
}
