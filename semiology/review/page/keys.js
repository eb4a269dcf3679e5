// Every key of the page, in one table, shown by "?". A key works wherever the focus is, except
// where one types or where the focused control uses it itself.

import { dialog, el } from "./dom.js";

// name of the command -> [keys, what it does, group]
export const KEYS = {
  play: [["Space"], "play or pause", "Video"],
  next: [["ArrowRight"], "next frame", "Video"],
  previous: [["ArrowLeft"], "previous frame", "Video"],
  later: [["Shift+ArrowRight"], "a second on", "Video"],
  earlier: [["Shift+ArrowLeft"], "a second back", "Video"],
  start: [["Home"], "first frame", "Video"],
  end: [["End"], "last frame", "Video"],
  faster: [["+", "="], "faster", "Video"],
  slower: [["-"], "slower", "Video"],
  nextEvent: [["n"], "next event", "Video"],
  previousEvent: [["N"], "previous event", "Video"],
  nextWorst: [["w"], "next place of poor tracking", "Video"],
  previousWorst: [["W"], "previous place of poor tracking", "Video"],
  magnify: [["m"], "image: closer", "Zoom"],
  reduce: [["M"], "image: further away", "Zoom"],
  zoomIn: [["z"], "curves: closer at this frame", "Zoom"],
  zoomOut: [["Z"], "curves: further away", "Zoom"],
  body: [["b"], "skeleton", "Show or hide"],
  hands: [["h"], "hands", "Show or hide"],
  face: [["f"], "face landmarks", "Show or hide"],
  people: [["x"], "boxes of other people", "Show or hide"],
  confidence: [["c"], "colour by confidence", "Show or hide"],
  score: [["s"], "score", "Panels"],
  events: [["e"], "events", "Panels"],
  correct: [["k"], "keypoints", "Panels"],
  patient: [["p"], "patient", "Panels"],
  onset: [["i"], "onset of the chosen sign here", "Mark"],
  offset: [["o"], "offset of the open event here", "Mark"],
  left: [["Alt+ArrowLeft"], "chosen point to the left (with Shift 10 px)", "Point"],
  right: [["Alt+ArrowRight"], "chosen point to the right", "Point"],
  up: [["Alt+ArrowUp"], "chosen point up", "Point"],
  down: [["Alt+ArrowDown"], "chosen point down", "Point"],
  hide: [["Delete"], "take the chosen keypoint out of this frame", "Point"],
  undo: [["u", "Ctrl+z"], "take back my last action in this clip", "All"],
  assess: [["a"], "assessable, or not, with a reason", "All"],
  nextClip: [["."], "next clip", "All"],
  previousClip: [[","], "previous clip", "All"],
  clips: [["l"], "back to the list of clips", "All"],
  image: [["Escape"], "back to the image, out of a list or a text", "All"],
  find: [["/"], "find a clip (in the list)", "All"],
  keys: [["?"], "this list", "All"],
};
const SHOWN = { ArrowRight: "→", ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓" };
const SWITCH = "semiology.letters";

const commands = new Map(); // name -> function, of the view that is open
let signs = new Map(); // key -> [sign, function]

/** The key of a command as it is shown: "Shift+ArrowLeft" -> "Shift ←". */
export const shown = (key) =>
  key === "+"
    ? key
    : key
        .split("+")
        .map((part) => SHOWN[part] ?? part)
        .join(" ");

/** What the commands do in the view that is open now; the former view's are forgotten. */
export function commandsAre(table, signKeys = new Map()) {
  commands.clear();
  for (const [name, run] of Object.entries(table)) commands.set(name, run);
  signs = signKeys;
}

/** "Shift+ArrowLeft", "Ctrl+z", "N", "?": the name of a pressed key. */
export function pressed(event) {
  const key = event.key === " " ? "Space" : event.key;
  const modified = [event.ctrlKey || event.metaKey ? "Ctrl" : "", event.altKey ? "Alt" : ""];
  if (event.shiftKey && key.length > 1) modified.push("Shift");
  return [...modified.filter(Boolean), key].join("+");
}

/** Whether the focused control uses the key itself. */
function taken(target, name) {
  if (target.isContentEditable || target.closest("dialog")) return true;
  if (name === "Escape" || /^Alt\+(Shift\+)?Arrow/.test(name)) return false;
  const tag = target.tagName;
  if (tag === "TEXTAREA" || tag === "SELECT") return true;
  if (tag === "INPUT") {
    if (target.type === "range") return false;
    if (target.type === "radio") return name.includes("Arrow") || name === "Space";
    if (target.type === "checkbox") return name === "Space";
    return true;
  }
  if (["BUTTON", "SUMMARY", "A"].includes(tag) && name === "Space") return true;
  return target.getAttribute("role") === "tab" && ["ArrowLeft", "ArrowRight"].includes(name);
}

export const lettersOn = () => sessionStorage.getItem(SWITCH) !== "off";

addEventListener("keydown", (event) => {
  const name = pressed(event);
  if (taken(event.target, name)) return;
  const letter = name.length === 1 && name !== "?";
  if (letter && !lettersOn()) return;
  const base = name.startsWith("Alt+Shift+Arrow") ? name.replace("Shift+", "") : name;
  const found = Object.entries(KEYS).find(([, [keys]]) => keys.includes(base));
  const run = signs.get(name)?.[1] ?? (found && commands.get(found[0]));
  if (!run) return;
  event.preventDefault();
  run(event);
});

/** The table of keys as a dialog. */
export function showKeys() {
  const groups = Map.groupBy(Object.entries(KEYS), ([, [, , group]]) => group);
  const lists = [...groups].map(([group, entries]) =>
    el(
      "section",
      {},
      el("h3", {}, group),
      el(
        "dl",
        {},
        entries.map(([, [keys, does]]) => [
          el("dt", {}, el("kbd", {}, shown(keys[0]))),
          el("dd", {}, does),
        ]),
      ),
    ),
  );
  if (signs.size) {
    lists.push(
      el(
        "section",
        {},
        el("h3", {}, "Signs: onset, again for offset"),
        el(
          "dl",
          {},
          [...signs].map(([key, [sign]]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, sign)]),
        ),
      ),
    );
  }
  const letters = el("input", {
    type: "checkbox",
    id: "letters",
    checked: lettersOn(),
    onchange: (event) => sessionStorage.setItem(SWITCH, event.target.checked ? "on" : "off"),
  });
  const box = dialog(
    "Keys",
    el("div", { class: "keys" }, lists),
    el("p", {}, el("label", {}, letters, " keys that are a single letter are on")),
    el("form", { method: "dialog" }, el("button", { autofocus: true }, "Close")),
  );
  box.id = "keys";
}
