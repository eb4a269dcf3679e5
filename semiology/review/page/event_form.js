// The form of one event, and the choice where two windows have changed it.

import { button, choice, clock, el, labelled, words } from "./dom.js";

const PAUSE = 700; // ms after the last keystroke in a comment until it is sent
const SURE = [
  ["", "not stated"],
  ["1", "sure"],
  ["0.75", "likely"],
  ["0.5", "unsure"],
];

const round = (time) => Math.round(time * 1000) / 1000;

/** "0:01.20 – 0:03.40"; an open event ends in "…". */
export const span = ({ onset, duration }) =>
  `${clock(onset)} – ${duration === null ? "…" : clock(onset + duration)}`;

/** "tonic posture, left, arm" */
export const title = ({ sign, level, side, body_part }) =>
  [sign, level, side, body_part].filter(Boolean).map(words).join(", ");

/** `change(values, pause)` is called for what one changes. */
export function eventForm(one, study, change) {
  const sign = study.signs.find(({ name }) => name === one.sign);
  const set = (name) => (value) => change({ [name]: value === "" ? null : value });
  const among = (values) => [
    ["", "–"],
    ...(values ?? []).map((value) => [String(value), words(value)]),
  ];
  const number = (id, value, onchange) =>
    el("input", {
      type: "number",
      step: "0.001",
      min: "0",
      id,
      value: value ?? "",
      onchange: ({ target }) => onchange(target.value === "" ? null : Number(target.value)),
    });
  const end = one.duration === null ? null : round(one.onset + one.duration);
  const begin = (value) =>
    value !== null &&
    change({ onset: value, duration: end === null ? null : Math.max(0, round(end - value)) });
  const finish = (value) =>
    change({ duration: value === null ? null : Math.max(0, round(value - one.onset)) });
  const sure = (value) => change({ confidence: value === "" ? null : Number(value) });
  const levels = Object.keys(sign?.levels ?? {});
  const hed = typeof sign?.hed === "string" ? sign.hed : sign?.hed?.[one.level]; // of each level
  const signs = study.signs.map(({ name }) => [name, words(name)]);
  return el(
    "section",
    { class: "event" },
    el("h3", {}, "Chosen event"),
    sign && el("p", { class: "soft" }, sign.description ?? "", " ", hed && el("code", {}, hed)),
    el(
      "div",
      { class: "fields" },
      labelled("Sign", choice(signs, one.sign, set("sign"), { id: "event-sign" })),
      labelled("Onset, s", number("event-onset", one.onset, begin)),
      labelled("Offset, s", number("event-offset", end, finish)),
      levels.length > 0 &&
        labelled(
          "Level",
          choice(among(levels), String(one.level ?? ""), set("level"), { id: "event-level" }),
        ),
      labelled(
        "Side",
        choice(among(study.sides), one.side ?? "", set("side"), { id: "event-side" }),
      ),
      labelled(
        "Body part",
        choice(among(study.body_parts), one.body_part ?? "", set("body_part"), {
          id: "event-body-part",
        }),
      ),
      labelled(
        "How sure",
        choice(SURE, String(one.confidence ?? ""), sure, { id: "event-confidence" }),
      ),
    ),
    labelled(
      "Comment",
      el("textarea", {
        id: "event-comment",
        rows: "2",
        maxlength: "2000",
        value: one.comment ?? "",
        oninput: ({ target }) => change({ comment: target.value }, PAUSE),
      }),
    ),
  );
}

/** Whose state of an event is to hold; `theirs` is null where it was deleted. */
export function conflictForm(one, theirs, take, keep) {
  const text = (event) => `${title(event)} ${span(event)} ${event.comment ?? ""}`;
  return el(
    "div",
    { class: "conflict", role: "alert", id: "conflict" },
    el(
      "p",
      {},
      theirs
        ? `This event was changed in another window: ${text(theirs)}`
        : "This event was deleted in another window.",
    ),
    el("p", {}, `Here it is: ${text(one)}`),
    el(
      "p",
      { class: "pair wide" },
      button("Take the other", take),
      button("Keep mine", keep, { class: "main" }),
    ),
  );
}
