// The contact sheet: a row a clip, sorted and filtered, with the progress of the review.

import { act, clipPath, get } from "./api.js";
import { $, alarm, button, choice, clock, dialog, el, labelled, percent, say, words } from "./dom.js";

const THUMBNAILS = 8;
export const REASONS = ["patient out of view", "too dark or blurred", "covered by bedding or people",
  "technical fault", "not this examination"];

/** Whether a person has finished with the clip. */
export function finished({ decided }) {
  const asked = decided.rated + decided.to_rate > 0;
  return decided.assessable === false || (asked ? decided.to_rate === 0 : decided.assessable === true);
}

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
  const [, value] = Object.entries(probabilities ?? {}).flatMap(([label, levels]) =>
    Object.entries(levels).slice(1).map(([level, share]) => [`${label} ${level}`, share]))
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
  const holds = (clip) => `${clip.clip_id} ${clip.participant_id} ${clip.visit ?? ""}`
    .toLowerCase().includes(needle);
  const key = ORDERS[order][1];
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return clips.filter(FILTERS[filter][1]).filter(holds)
    .map((clip, place) => [key(clip), place, clip])
    .sort((a, b) => compare(a[0], b[0]) || a[1] - b[1]).map(([, , clip]) => clip);
}

/** Ask whether a clip can be assessed; resolves with what was decided, or null. */
export async function assess(clip_id, now = {}) {
  const known = REASONS.includes(now.reason) || !now.reason;
  const state = el("fieldset", {}, el("legend", {}, "Can this clip be assessed?"),
    [["yes", "Yes"], ["no", "No"]].map(([value, name]) => el("label", {}, el("input", {
      type: "radio", name: "assessable", value,
      checked: now.assessable === (value === "yes") || (value === "no" && now.assessable == null),
    }), " ", name)));
  const why = choice([...REASONS, ["", "another reason"]], known ? now.reason || REASONS[0] : "", null, { id: "assess-why" });
  const text = el("input", { type: "text", id: "assess-text", value: known ? "" : now.reason, maxlength: "300" });
  const save = el("button", { type: "submit", value: "save", class: "main", id: "assess-save" }, "Save");
  const leave = el("button", { type: "submit", value: "", formnovalidate: true }, "Cancel");
  const form = el("form", { method: "dialog" }, state,
    labelled("Why not", why), labelled("More", text), el("p", { class: "ends" }, save, leave));
  const box = dialog(`Clip ${clip_id}`, form);
  box.id = "assess";
  await new Promise((resolve) => box.addEventListener("close", resolve, { once: true }));
  if (box.returnValue !== "save") return null;
  const assessable = form.elements.assessable.value === "yes";
  const reason = assessable ? "" : [why.value, text.value.trim()].filter(Boolean).join(": ");
  await act(clip_id, { do: "assess", assessable, reason });
  return { assessable, reason };
}

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const images = target.querySelectorAll("img");
    if (isIntersecting) images.forEach((image) => { if (!image.src) image.src = image.dataset.src; });
    else images.forEach((image) => { if (!image.complete) image.removeAttribute("src"); });
  }
}, { rootMargin: "150px" });

const bar = (name, share) => {
  const fill = el("i", {});
  fill.style.width = `${100 * (share ?? 0)}%`;
  return el("span", { class: "share" }, el("span", {}, name), el("b", { "aria-hidden": "true" }, fill), percent(share));
};

function followed(clip) {
  const { by, certainty, people, lying } = clip.followed ?? {};
  if (!by) return [];
  const sure = Number.isFinite(certainty) ? `, certainty ${certainty.toFixed(2)}` : "";
  const more = [people > 1 ? `${people} people` : "", lying ? "lying" : ""].filter(Boolean).join(", ");
  return [el("span", {}, `followed: ${words(by)}${sure}`), more && el("span", { class: "soft" }, more)];
}

function model(clip) {
  if (!clip.probabilities) return el("span", { class: "soft" }, "–");
  return Object.entries(clip.probabilities).map(([label, levels]) => {
    const [level, share] = Object.entries(levels).reduce((a, b) => (b[1] > a[1] ? b : a));
    return el("span", {}, `${words(label)}: ${words(level)} `, el("b", {}, share.toFixed(2)));
  });
}

function decided({ decided: state }) {
  const facts = [
    state.assessable === false && el("b", { class: "warn" }, "not assessable"),
    state.assessable === false && el("span", { class: "soft" }, state.reason),
    state.assessable === true && "assessable",
    state.patient && "patient pointed at",
    state.rated + state.to_rate > 0 && `rated ${state.rated} of ${state.rated + state.to_rate}`,
    state.events > 0 && `${state.events} event${state.events > 1 ? "s" : ""}`,
    state.corrections > 0 && `${state.corrections} correction${state.corrections > 1 ? "s" : ""}`,
    state.away > 0 && `${state.away} out of view`,
  ].filter(Boolean);
  return facts.length ? facts.map((fact) => (typeof fact === "string" ? el("span", {}, fact) : fact))
    : el("span", { class: "soft" }, "nothing yet");
}

function row(clip, study, changed) {
  const link = el("a", { href: `#/clip/${encodeURIComponent(clip.clip_id)}`, class: "clip-link" }, clip.clip_id);
  const images = Array.from({ length: clip.fault ? 0 : THUMBNAILS }, (_, k) => el("img", {
    alt: "", width: "96", height: "72", decoding: "async", "data-src": clipPath(clip.clip_id, `/thumbnails/${k}`),
  }));
  const strip = el("a", { href: link.getAttribute("href"), class: "strip", tabindex: "-1", "aria-hidden": "true" }, images);
  const notes = [clip.fault, ...(clip.look ?? [])].filter(Boolean);
  const again = button("Assessable or not …", async () => {
    try {
      const answer = await assess(clip.clip_id, clip.decided);
      if (answer) { Object.assign(clip.decided, answer); changed(clip); }
    } catch (error) { alarm(error); }
  }, { class: "quiet assess", "aria-label": `Assessable or not: ${clip.clip_id}`, disabled: Boolean(study.read_only) });
  const line = el("tr", { "data-clip": clip.clip_id, class: finished(clip) ? "done" : "" },
    el("th", { scope: "row" }, link,
      el("span", { class: "soft" }, [clip.participant_id, clip.visit, clock(clip.duration, 0)].filter(Boolean).join(" · "))),
    el("td", { class: "pictures" }, strip, notes.map((note) => el("span", { class: "warn" }, note))),
    el("td", { "data-column": "Found" }, clip.tracked ? [bar("body", clip.found?.body), bar("face", clip.found?.face),
      clip.missing > 0 && el("span", { class: "soft" }, `${percent(clip.missing)} of the frames lost`)]
      : el("span", { class: "soft" }, "not tracked")),
    el("td", { "data-column": "Patient" }, followed(clip), el("span", { class: "soft" }, clip.infrared ? "infrared" : "day")),
    study.has_run && !study.blind_to_model && el("td", { "data-column": "Model" }, model(clip)),
    el("td", { "data-column": "Decided" }, el("span", { class: "decided" }, decided(clip)), again));
  watcher.observe(line);
  return line;
}

let listed = null; // clip ids in the order of the sheet as last shown

/** Clips before and after one, in the order in which the sheet shows them. */
export async function beside(clip_id) {
  listed ??= (await get("/api/clips")).clips.map((clip) => clip.clip_id);
  const at = listed.indexOf(clip_id);
  return { at, count: listed.length, before: listed[at - 1], after: at < 0 ? undefined : listed[at + 1] };
}

/** Shows the sheet in `view`; resolves with its commands by name (see keys.js). */
export async function openSheet(view, study) {
  const { clips } = await get("/api/clips");
  const kept = JSON.parse(sessionStorage.getItem("semiology.sheet") ?? "{}");
  const state = { filter: "all", order: "table", text: "", ...kept };
  const body = el("tbody");
  const count = el("output", { id: "count", "aria-live": "polite" });
  const progress = el("progress", { id: "progress", max: clips.length || 1, "aria-label": "clips done" });
  const progressText = el("span", { id: "progress-text" });
  const lines = new Map();

  const shown = () => chosen(clips, state);
  const tally = () => {
    const done = clips.filter(finished).length;
    const [rated, left] = ["rated", "to_rate"].map((name) => clips.reduce((sum, clip) => sum + (clip.decided[name] ?? 0), 0));
    progress.value = done;
    progressText.textContent = `${done} of ${clips.length} clips done${rated + left ? `, ${rated} of ${rated + left} ratings given` : ""}`;
  };
  const changed = (clip) => {
    const line = row(clip, study, changed);
    lines.get(clip.clip_id)?.replaceWith(line);
    lines.set(clip.clip_id, line);
    tally();
    say(`${clip.clip_id}: saved`);
    line.querySelector(".assess").focus();
  };
  const draw = () => {
    sessionStorage.setItem("semiology.sheet", JSON.stringify(state));
    const list = shown();
    for (const clip of list) if (!lines.has(clip.clip_id)) lines.set(clip.clip_id, row(clip, study, changed));
    listed = list.map((clip) => clip.clip_id);
    body.replaceChildren(...list.map((clip) => lines.get(clip.clip_id)));
    count.textContent = list.length === clips.length ? `${clips.length} clips` : `${list.length} of ${clips.length} clips`;
  };
  const set = (name) => (value) => { state[name] = value; draw(); };
  const names = (table) => Object.entries(table).map(([key, [name]]) => [key, name]);
  const find = el("input", { type: "search", id: "find", value: state.text, placeholder: "clip or participant",
    oninput: (event) => set("text")(event.target.value) });
  const model = study.has_run && !study.blind_to_model;
  const orders = names(ORDERS).filter(([key]) => key !== "model" || model);
  view.replaceChildren(el("section", { class: "sheet" },
    el("h1", {}, study.cohort),
    el("p", { class: "progress" }, progress, progressText),
    el("form", { class: "tools", role: "search", onsubmit: (event) => event.preventDefault() },
      labelled("Find", find), labelled("Show", choice(names(FILTERS), state.filter, set("filter"), { id: "filter" })),
      labelled("Order", choice(orders, state.order, set("order"), { id: "order" })), count),
    el("table", { id: "sheet" }, el("thead", {}, el("tr", {},
      ["Clip", "Over its length", "Found", "Patient", model && "Model", "Decided"].filter(Boolean)
        .map((name) => el("th", { scope: "col" }, name)))), body)));
  tally();
  draw();
  const last = sessionStorage.getItem("semiology.clip");
  if (last) lines.get(last)?.scrollIntoView({ block: "center" });
  const to = (step) => {
    const links = [...body.querySelectorAll(".clip-link")];
    const at = links.indexOf(document.activeElement?.closest("tr")?.querySelector(".clip-link"));
    links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
  };
  return { find: () => $("find").focus(), down: () => to(1), up: () => to(-1) };
}

/** Nothing more is fetched for a sheet that is gone. */
export function closeSheet() {
  for (const image of document.querySelectorAll("#sheet img")) if (!image.complete) image.removeAttribute("src");
  watcher.disconnect();
}
