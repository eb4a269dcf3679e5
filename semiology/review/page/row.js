// A clip's row in the contact sheet: images over its length, what was found, what was decided.

import { clipPath } from "./api.js";
import { assess } from "./assess.js";
import { alarm, button, clipAddress, clock, el, percent, words } from "./dom.js";

const THUMBNAILS = 8;

/** Whether a person has finished with the clip. */
export function finished({ decided }) {
  const asked = decided.rated + decided.to_rate > 0;
  return (
    decided.assessable === false || (asked ? decided.to_rate === 0 : decided.assessable === true)
  );
}

/** Images of a row are fetched while it is on screen. */
export const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const images = target.querySelectorAll("img");
      if (isIntersecting)
        images.forEach((image) => {
          if (!image.src) image.src = image.dataset.src;
        });
      else
        images.forEach((image) => {
          if (!image.complete) image.removeAttribute("src");
        });
    }
  },
  { rootMargin: "150px" },
);

const bar = (name, share) => {
  const fill = el("i", {});
  fill.style.width = `${100 * (share ?? 0)}%`;
  return el(
    "span",
    { class: "share" },
    el("span", {}, name),
    el("b", { "aria-hidden": "true" }, fill),
    percent(share),
  );
};

function followed(clip) {
  const { by, certainty, people, lying } = clip.followed ?? {};
  if (!by) return [];
  const sure = Number.isFinite(certainty) ? `, certainty ${certainty.toFixed(2)}` : "";
  const more = [people > 1 ? `${people} people` : "", lying ? "lying" : ""]
    .filter(Boolean)
    .join(", ");
  return [
    el("span", {}, `followed: ${words(by)}${sure}`),
    more && el("span", { class: "soft" }, more),
  ];
}

function model(clip) {
  if (!clip.probabilities) return el("span", { class: "soft" }, "–");
  return Object.entries(clip.probabilities).map(([label, levels]) => {
    const [level, share] = Object.entries(levels).reduce((a, b) => (b[1] > a[1] ? b : a));
    return el("span", {}, `${words(label)}: ${words(level)} `, el("b", {}, share.toFixed(2)));
  });
}

function decisions({ decided: state }) {
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
  return facts.length
    ? facts.map((fact) => (typeof fact === "string" ? el("span", {}, fact) : fact))
    : el("span", { class: "soft" }, "nothing yet");
}

/** The row; `changed(clip)` is called when a person has decided about it. */
export function row(clip, study, changed) {
  const link = el("a", { href: clipAddress(clip.clip_id), class: "clip-link" }, clip.clip_id);
  const images = Array.from({ length: clip.fault ? 0 : THUMBNAILS }, (_, k) =>
    el("img", {
      alt: "",
      width: "96",
      height: "72",
      decoding: "async",
      "data-src": clipPath(clip.clip_id, `/thumbnails/${k}`),
    }),
  );
  const strip = el(
    "a",
    { href: link.getAttribute("href"), class: "strip", tabindex: "-1", "aria-hidden": "true" },
    images,
  );
  const notes = [clip.fault, ...(clip.look ?? [])].filter(Boolean);
  const again = button(
    "Assessable or not …",
    async () => {
      try {
        const answer = await assess(clip.clip_id, clip.decided);
        if (answer) {
          Object.assign(clip.decided, answer);
          changed(clip);
        }
      } catch (error) {
        alarm(error);
      }
    },
    {
      class: "quiet assess",
      "aria-label": `Assessable or not: ${clip.clip_id}`,
      disabled: Boolean(study.read_only),
    },
  );
  const line = el(
    "tr",
    { "data-clip": clip.clip_id, class: finished(clip) ? "done" : "" },
    el(
      "th",
      { scope: "row" },
      link,
      el(
        "span",
        { class: "soft" },
        [clip.participant_id, clip.visit, clock(clip.duration, 0)].filter(Boolean).join(" · "),
      ),
    ),
    el(
      "td",
      { class: "images" },
      strip,
      notes.map((note) => el("span", { class: "warn" }, note)),
    ),
    el(
      "td",
      { "data-column": "Found" },
      clip.tracked
        ? [
            bar("body", clip.found?.body),
            bar("face", clip.found?.face),
            clip.missing > 0 &&
              el("span", { class: "soft" }, `${percent(clip.missing)} of the frames lost`),
          ]
        : el("span", { class: "soft" }, "not tracked"),
    ),
    el(
      "td",
      { "data-column": "Patient" },
      followed(clip),
      el("span", { class: "soft" }, clip.infrared ? "infrared" : "day"),
    ),
    study.has_run && !study.blind_to_model && el("td", { "data-column": "Model" }, model(clip)),
    el(
      "td",
      { "data-column": "Decided" },
      el("span", { class: "decided" }, decisions(clip)),
      again,
    ),
  );
  watcher.observe(line);
  return line;
}
