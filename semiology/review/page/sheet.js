// The contact sheet: a row a clip, sorted and filtered, with the progress of the review.

import { get } from "./api.js";
import { $, choice, el, labelled, announce } from "./dom.js";
import { finished, row, watcher } from "./row.js";

export const FILTERS = {
  all: ["all clips", () => true],
  todo: ["to do", (clip) => !finished(clip)],
  done: ["done", finished],
  look: ["worth a look", (clip) => Boolean(clip.fault) || clip.look?.length > 0],
  infrared: ["infrared", (clip) => Boolean(clip.infrared)],
  untracked: ["not tracked", (clip) => !clip.tracked],
  out: ["not assessable", (clip) => clip.decided.assessable === false],
};

/** Highest probability that the model gives to any level but the first (the absence) of a sign. */
export function strongest(probabilities) {
  const [, value] = Object.entries(probabilities ?? {})
    .flatMap(([label, levels]) =>
      Object.entries(levels)
        .slice(1)
        .map(([level, share]) => [`${label} ${level}`, share]),
    )
    .reduce((best, next) => (next[1] > best[1] ? next : best), ["", -1]);
  return value < 0 ? null : value;
}

export const ORDERS = {
  table: ["order of the table", () => 0],
  clip: ["clip", (clip) => clip.clip_id],
  participant: ["participant", (clip) => clip.participant_id],
  look: ["worth a look first", (clip) => -(clip.fault ? 100 : 0) - (clip.look?.length ?? 0)],
  body: ["least body found first", (clip) => clip.found?.body ?? -1],
  face: ["least face found first", (clip) => clip.found?.face ?? -1],
  certainty: ["least certain of the patient first", (clip) => clip.followed?.certainty ?? -1],
  model: ["model's highest probability first", (clip) => -(strongest(clip.probabilities) ?? -1)],
  duration: ["longest first", (clip) => -clip.duration],
};

/** Clips that pass the filter and hold the text, in the order asked for; ties keep the table's. */
export function chosen(clips, { filter = "all", order = "table", text = "" } = {}) {
  const needle = text.trim().toLowerCase();
  const holds = (clip) =>
    `${clip.clip_id} ${clip.participant_id} ${clip.visit ?? ""}`.toLowerCase().includes(needle);
  const key = ORDERS[order][1];
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return clips
    .filter(FILTERS[filter][1])
    .filter(holds)
    .map((clip, place) => [key(clip), place, clip])
    .sort((a, b) => compare(a[0], b[0]) || a[1] - b[1])
    .map(([, , clip]) => clip);
}

let listed = null; // clip ids in the order of the sheet as last shown

/** Clips before and after one, in the order in which the sheet shows them. */
export async function beside(clip_id) {
  listed ??= (await get("/api/clips")).clips.map((clip) => clip.clip_id);
  const at = listed.indexOf(clip_id);
  return {
    at,
    count: listed.length,
    before: listed[at - 1],
    after: at < 0 ? undefined : listed[at + 1],
  };
}

/** Shows the sheet in `view`; resolves with its commands by name (see keys.js). */
export async function openSheet(view, study) {
  const { clips } = await get("/api/clips");
  const kept = JSON.parse(sessionStorage.getItem("semiology.sheet") ?? "{}");
  const state = { filter: "all", order: "table", text: "", ...kept };
  const body = el("tbody");
  const count = el("output", { id: "count", "aria-live": "polite" });
  const progress = el("progress", {
    id: "progress",
    max: clips.length || 1,
    "aria-label": "clips done",
  });
  const progressText = el("span", { id: "progress-text" });
  const lines = new Map();

  const shown = () => chosen(clips, state);
  const tally = () => {
    const done = clips.filter(finished).length;
    const [rated, left] = ["rated", "to_rate"].map((name) =>
      clips.reduce((sum, clip) => sum + (clip.decided[name] ?? 0), 0),
    );
    progress.value = done;
    progressText.textContent = `${done} of ${clips.length} clips done${rated + left ? `, ${rated} of ${rated + left} ratings given` : ""}`;
  };
  const changed = (clip) => {
    const line = row(clip, study, changed);
    lines.get(clip.clip_id)?.replaceWith(line);
    lines.set(clip.clip_id, line);
    tally();
    announce(`${clip.clip_id}: saved`);
    line.querySelector(".assess").focus();
  };
  const draw = () => {
    sessionStorage.setItem("semiology.sheet", JSON.stringify(state));
    const list = shown();
    for (const clip of list)
      if (!lines.has(clip.clip_id)) lines.set(clip.clip_id, row(clip, study, changed));
    listed = list.map((clip) => clip.clip_id);
    body.replaceChildren(...list.map((clip) => lines.get(clip.clip_id)));
    count.textContent =
      list.length === clips.length
        ? `${clips.length} clips`
        : `${list.length} of ${clips.length} clips`;
  };
  const set = (name) => (value) => {
    state[name] = value;
    draw();
  };
  const names = (table) => Object.entries(table).map(([key, [name]]) => [key, name]);
  const find = el("input", {
    type: "search",
    id: "find",
    value: state.text,
    placeholder: "clip or participant",
    oninput: (event) => set("text")(event.target.value),
  });
  const model = study.has_run && !study.blind_to_model;
  const orders = names(ORDERS).filter(([key]) => key !== "model" || model);
  view.replaceChildren(
    el(
      "section",
      { class: "sheet" },
      el("h1", {}, study.cohort),
      el("p", { class: "progress" }, progress, progressText),
      el(
        "form",
        { class: "tools", role: "search", onsubmit: (event) => event.preventDefault() },
        labelled("Find", find),
        labelled("Show", choice(names(FILTERS), state.filter, set("filter"), { id: "filter" })),
        labelled("Order", choice(orders, state.order, set("order"), { id: "order" })),
        count,
      ),
      el(
        "table",
        { id: "sheet" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["Clip", "Over its length", "Found", "Patient", model && "Model", "Decided"]
              .filter(Boolean)
              .map((name) =>
                el("th", { scope: "col", class: `of-${name.split(" ")[0].toLowerCase()}` }, name),
              ),
          ),
        ),
        body,
      ),
    ),
  );
  tally();
  draw();
  const last = sessionStorage.getItem("semiology.clip");
  if (last) lines.get(last)?.scrollIntoView({ block: "center" });
  const to = (step) => {
    const links = [...body.querySelectorAll(".clip-link")];
    const at = links.indexOf(document.activeElement?.closest("tr")?.querySelector(".clip-link"));
    links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
  };
  return { find: () => $("find").focus(), nextClip: () => to(1), previousClip: () => to(-1) };
}

/** Nothing more is fetched for a sheet that is gone. */
export function closeSheet() {
  for (const image of document.querySelectorAll("#sheet img"))
    if (!image.complete) image.removeAttribute("src");
  watcher.disconnect();
}
