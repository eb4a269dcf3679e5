// The cohort's labels, clinical scores and scales of items as a form beside the video.

import { clipPath, get } from "./api.js";
import { button, el, words } from "./dom.js";

const CHIPS = 12; // up to this many steps a number is chips, beyond it is typed

/** Values of a number as chips, [[value, text, meaning], ..]; none where there are too many. */
function steps({ min, max, step }) {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [];
  const count = Math.floor((max - min) / (step || 1) + 1e-9) + 1;
  if (count > CHIPS) return [];
  const values = Array.from({ length: count }, (_, k) =>
    Number((min + k * (step || 1)).toFixed(9)),
  );
  return values.map((value) => [value, String(value), ""]);
}

/** [title of a group, its items] of all that is rated. An item whose steps are not known has whole
 * numbers as chips, and is typed as well. */
export function itemsOf({ labels, scores, scales }) {
  const number = (item) => {
    const chips = steps(item);
    return {
      ...item,
      title: item.title ?? words(item.name),
      chips,
      typed: !chips.length || !item.step,
    };
  };
  const groups = [
    [
      "Labels",
      Object.entries(labels ?? {}).map(([name, label]) => ({
        ...label,
        name,
        title: label.title ?? words(name),
        typed: false,
        chips: Object.entries(label.levels).map(([level, meaning]) => [
          level,
          words(level),
          meaning,
        ]),
      })),
    ],
    ["Scores", Object.entries(scores ?? {}).map(([name, score]) => number({ ...score, name }))],
    ...(scales ?? []).map((scale) => [scale.title ?? scale.name, scale.items.map(number)]),
  ];
  return groups.filter(([, items]) => items.length);
}

export function ratePanel(context) {
  const { study } = context;
  const clip_id = context.clip.clip_id;
  const groups = itemsOf(study);
  const count = groups.flatMap(([, items]) => items).length;
  let values = {};
  let reading = context.reading ?? 1;
  let changes = 0; // values given; an answer of the server from before one of them is out of date
  const head = el("p", { id: "rate-head" });
  const body = el("div", { id: "rate-items" });
  const next = el(
    "a",
    { href: "#/next", class: "button main", id: "rate-next" },
    "Next clip to score",
  );
  const form = el(
    "fieldset",
    { class: "all", disabled: true }, // until it is known which reading is due
    el("legend", { class: "unseen" }, "Score"),
    body,
  );
  const node = el("div", {}, head, form, el("p", { class: "ends" }, next));

  async function give(name, value) {
    const before = values[name];
    changes += 1;
    values[name] = value;
    mark(name);
    const answer = await context.act(
      { do: "rate", reading, values: { [name]: value } },
      `${words(name)}: ${value === null ? "cleared" : value}`,
    );
    if (!answer) {
      values[name] = before;
      mark(name);
    }
    tally();
  }

  /** The chips or the number of an item as its value says. */
  function mark(name) {
    const value = values[name] ?? null;
    const group = body.querySelector(`[data-item="${CSS.escape(name)}"]`);
    for (const radio of group.querySelectorAll("input[type=radio]"))
      radio.checked = value !== null && radio.value === String(value);
    const typed = group.querySelector("input[type=number]");
    if (typed) typed.value = typeof value === "number" ? value : "";
    group.dataset.value = value ?? "";
    group.querySelector(".clear").hidden = value === null;
  }

  function item({ name, title, description, chips, typed, min, max, step }) {
    const chip = (value, text, meaning) =>
      el(
        "label",
        { class: "chip", title: meaning || null },
        el("input", {
          type: "radio",
          name: `rate-${name}`,
          value: String(value),
          onchange: () => give(name, value),
        }),
        el("span", {}, text),
      );
    const number = el("input", {
      type: "number",
      min,
      max,
      step: step || "any",
      id: `rate-${name}`,
      "aria-label": title,
      onchange: ({ target }) =>
        target.reportValidity() && target.value !== "" && give(name, Number(target.value)),
    });
    const ends = Number.isFinite(min) && Number.isFinite(max) && `${min} to ${max}`;
    return el(
      "fieldset",
      { class: "item", "data-item": name },
      el("legend", {}, title),
      description && el("p", { class: "soft" }, description),
      el(
        "div",
        { class: "chips" },
        chips.map((one) => chip(...one)),
        typed && [number, ends && el("span", { class: "soft" }, ends)],
        chip("n/a", "cannot tell"),
        button("clear", () => give(name, null), {
          class: "quiet clear",
          "aria-label": `clear ${title}`,
          hidden: true,
        }),
      ),
    );
  }

  function tally() {
    const given = Object.values(values).filter(
      (value) => value !== null && value !== undefined,
    ).length;
    head.textContent = `${reading === 2 ? "Second reading" : "First reading"}: ${given} of ${count} given${count && given >= count ? ", complete" : ""}`;
  }

  body.append(
    ...groups.map(([title, items]) => el("section", {}, el("h3", {}, title), items.map(item))),
  );
  if (!count) body.append(el("p", { class: "soft" }, "The study asks for no ratings."));
  tally();
  next.addEventListener("click", () => {
    next.href = `#/next?after=${encodeURIComponent(clip_id)}&reading=${reading}`;
  });
  async function refresh() {
    const asked = changes;
    const which = context.reading ? `?reading=${context.reading}` : "";
    const answer = await context.run(
      get(clipPath(clip_id, `/ratings${which}`), { signal: context.signal }),
    );
    if (!answer) return;
    if (asked !== changes) return refresh();
    form.disabled = Boolean(study.read_only);
    if (body.contains(document.activeElement) && document.activeElement.type === "number") return;
    ({ reading, values } = { reading: answer.reading ?? reading, values: { ...answer.values } });
    for (const [, items] of groups) for (const { name } of items) mark(name);
    tally();
  }

  return { node, refresh };
}
