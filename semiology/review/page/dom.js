// Elements and words of the page. Text is always text: nothing here, or elsewhere, writes markup.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "textContent", "selected"]);

/** An element with attributes ("on..." are listeners) and children; strings become text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return node;
}

export const $ = (id) => document.getElementById(id);

const FOCUSABLE = "a, button, input, select, textarea, summary";

/** Replace what is in `parent`; the focus stays on the control of the same name, or of its place. */
export function refill(parent, ...children) {
  const focused = document.activeElement;
  const place = [...parent.querySelectorAll(FOCUSABLE)].indexOf(focused);
  const name = (node) => `${node.tagName} ${node.id || node.ariaLabel || node.textContent}`;
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (place < 0) return;
  const controls = [...parent.querySelectorAll(FOCUSABLE)];
  const same =
    controls.find((node) => name(node) === name(focused)) ?? controls[place] ?? controls.at(-1);
  same?.focus({ preventScroll: true });
}

/** A button with its key shown beside its name. */
export function button(name, onclick, { key, ...attributes } = {}) {
  const face = key ? [name, " ", el("kbd", { "aria-hidden": "true" }, key)] : [name];
  const shortcut = key && key.length === 1 ? { "aria-keyshortcuts": key } : {};
  return el("button", { type: "button", onclick, ...shortcut, ...attributes }, ...face);
}

/** A choice from a list of values, or of [value, name] pairs. */
export function choice(values, chosen, onchange, attributes = {}) {
  const options = values.map((value) => {
    const [key, name] = Array.isArray(value) ? value : [value, value];
    return el("option", { value: key, selected: key === chosen }, name);
  });
  return el(
    "select",
    { onchange: (event) => onchange?.(event.target.value), ...attributes },
    options,
  );
}

/** A label around a control. */
export const labelled = (name, control) =>
  el("label", { class: "field" }, el("span", {}, name), control);

/** Seconds as a clock: 83.48 -> "1:23.48", 3683 -> "1:01:23.00". */
export function clock(seconds, digits = 2) {
  const scale = 10 ** digits;
  const whole = Math.round(Math.max(0, seconds) * scale);
  const [minutes, rest] = [Math.floor(whole / (60 * scale)), whole % (60 * scale)];
  const end = (rest / scale).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${end}` : `${minutes}:${end}`;
}

export const percent = (share) => (Number.isFinite(share) ? `${Math.round(100 * share)} %` : "–");

/** "left_wrist" -> "left wrist" */
export const words = (name) => String(name).replaceAll("_", " ");

/** Address of a clip's panel within the page. */
export const clipAddress = (clip, panel = "", query = "") =>
  `#/clip/${encodeURIComponent(clip)}${panel ? `/${panel}` : ""}${query}`;

/** Said to a screen reader, and not shown. */
export function announce(text) {
  $("announcement").textContent = text;
}

/** Shown to everybody until dismissed: what went wrong, and what to do. */
export function alarm(error) {
  const text = error?.message ?? String(error);
  const close = button("Close", () => $("alert").replaceChildren(), { class: "quiet" });
  $("alert").replaceChildren(el("p", {}, text), close);
}

/** A dialog with a title, closed by Escape or its button; resolves when it closes. */
export function dialog(title, ...content) {
  const box = el("dialog", { "aria-label": title }, el("h2", {}, title), ...content);
  document.body.append(box);
  box.addEventListener("close", () => box.remove());
  box.showModal();
  return box;
}
