// Whether a clip can be assessed; if not, why.

import { act } from "./api.js";
import { choice, dialog, el, labelled } from "./dom.js";

export const REASONS = [
  "patient out of view",
  "too dark or blurred",
  "covered by bedding or people",
  "technical fault",
  "not this examination",
];

/** Ask; resolves with {assessable, reason} once it is saved, or null where one cancels. */
export async function assess(clip_id, now = {}) {
  const known = !now.reason || REASONS.includes(now.reason);
  const answers = [
    ["yes", "Yes", now.assessable === true],
    ["no", "No", now.assessable !== true],
  ];
  const state = el(
    "fieldset",
    {},
    el("legend", {}, "Can this clip be assessed?"),
    answers.map(([value, name, checked]) =>
      el("label", {}, el("input", { type: "radio", name: "assessable", value, checked }), name),
    ),
  );
  const reasons = [...REASONS, ["", "another reason"]];
  const why = choice(reasons, known ? now.reason || REASONS[0] : "", null, { id: "assess-why" });
  const more = el("input", {
    type: "text",
    id: "assess-text",
    value: known ? "" : now.reason,
    maxlength: "300",
  });
  const [whyField, moreField] = [labelled("Why not", why), labelled("More", more)];
  const form = el(
    "form",
    { method: "dialog" },
    state,
    whyField,
    moreField,
    el(
      "p",
      { class: "ends" },
      el("button", { value: "save", class: "main", id: "assess-save" }, "Save"),
      el("button", { value: "", formnovalidate: true }, "Cancel"),
    ),
  );
  const show = () => {
    const no = form.elements.assessable.value === "no";
    whyField.hidden = moreField.hidden = !no;
    more.required = no && !why.value;
  };
  form.addEventListener("change", show);
  show();
  const box = dialog(`Clip ${clip_id}`, form);
  box.id = "assess";
  await new Promise((resolve) => box.addEventListener("close", resolve, { once: true }));
  if (box.returnValue !== "save") return null;
  const assessable = form.elements.assessable.value === "yes";
  const reason = assessable ? "" : [why.value, more.value.trim()].filter(Boolean).join(": ");
  await act(clip_id, { do: "assess", assessable, reason });
  return { assessable, reason };
}
