// What steers the image: play, steps, speed, jumps, and what is drawn over it.

import { $, button, choice, clock, el, announce } from "./dom.js";
import { SPEEDS } from "./player.js";

const LAYERS = {
  body: "Skeleton",
  hands: "Hands",
  face: "Face",
  people: "Others",
  confidence: "Confidence",
};
const SHOWN = "semiology.layers";

/** The next of some times after, or before, `time`; undefined where there is none. */
export function neighbour(times, time, direction) {
  const sorted = [...times].sort((a, b) => direction * (a - b));
  return sorted.find((other) => direction * (other - time) > 0.002);
}

/** The controls as nodes and as commands by name; `events()` and `worst()` give times to jump to. */
export function steering(player, clip, { events, worst }) {
  const shown = {
    body: true,
    hands: true,
    face: true,
    people: true,
    confidence: false,
    ...JSON.parse(sessionStorage.getItem(SHOWN) ?? "{}"),
  };
  const jump = (times, direction) => {
    const to = neighbour(times, player.time, direction);
    if (to === undefined) return announce(direction > 0 ? "none after this" : "none before this");
    player.pause();
    player.moveTo(to);
  };
  const faster = (step) => {
    const at = SPEEDS.indexOf(player.rate) + step;
    player.speed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at))]);
  };
  const layer = (name) => {
    shown[name] = !shown[name];
    const box = $(`layer-${name}`);
    if (box) box.checked = shown[name];
    sessionStorage.setItem(SHOWN, JSON.stringify(shown));
    player.redraw();
  };
  const commands = {
    play: () => (player.playing ? player.pause() : player.play()),
    next: () => player.step(1),
    previous: () => player.step(-1),
    later: () => player.seconds(1),
    earlier: () => player.seconds(-1),
    start: () => player.go(0),
    end: () => player.go(player.count - 1),
    faster: () => faster(1),
    slower: () => faster(-1),
    nextEvent: () => jump(events(), 1),
    previousEvent: () => jump(events(), -1),
    nextWorst: () => jump(worst(), 1),
    previousWorst: () => jump(worst(), -1),
    ...Object.fromEntries(Object.keys(LAYERS).map((name) => [name, () => layer(name)])),
  };
  const tool = (name, label, command, key) =>
    el(
      "button",
      {
        type: "button",
        "aria-label": label,
        title: `${label} (${key})`,
        "data-command": command,
        onclick: () => commands[command](),
      },
      name,
    );
  const pair = (name, before, after) =>
    el("span", { class: "pair" }, tool("‹", ...before), el("span", {}, name), tool("›", ...after));

  const position = el("input", {
    type: "range",
    id: "position",
    min: "0",
    max: String(player.count - 1),
    step: "1",
    "aria-label": "Frame",
    oninput: (event) => player.go(Number(event.target.value)),
  });
  const time = el("output", { id: "time" });
  const playing = button("", commands.play, { id: "play", class: "play" });
  const speed = choice(
    SPEEDS.map((rate) => [String(rate), `${rate}×`]),
    "1",
    (rate) => player.speed(Number(rate)),
    { id: "speed", "aria-label": "Speed" },
  );
  const transport = el(
    "div",
    { class: "transport", role: "group", "aria-label": "Play" },
    tool("−1 s", "a second back", "earlier", "Shift ←"),
    tool("‹", "previous frame", "previous", "←"),
    playing,
    tool("›", "next frame", "next", "→"),
    tool("+1 s", "a second on", "later", "Shift →"),
    speed,
  );
  const jumps = el(
    "div",
    { class: "transport", role: "group", "aria-label": "Where" },
    time,
    pair("event", ["previous event", "previousEvent", "N"], ["next event", "nextEvent", "n"]),
    pair(
      "poor tracking",
      ["previous place of poor tracking", "previousWorst", "W"],
      ["next place of poor tracking", "nextWorst", "w"],
    ),
  );
  const boxes = Object.entries(LAYERS).map(([name, label]) =>
    el(
      "label",
      { "data-layer": name },
      el("input", {
        type: "checkbox",
        id: `layer-${name}`,
        checked: shown[name],
        onchange: () => layer(name),
      }),
      label,
    ),
  );
  const layers = el(
    "div",
    { class: "layers", role: "group", "aria-label": "Show over the image" },
    boxes,
  );
  /** The layers of what is tracked now. */
  const again = () => {
    for (const box of boxes) {
      const { layer: name } = box.dataset;
      box.hidden = !(name === "people" || name === "confidence" || clip.parts?.[name]);
    }
  };
  again();

  player.addEventListener("frame", () => {
    position.value = player.index;
    position.setAttribute("aria-valuetext", `frame ${player.frame}, ${clock(player.time)}`);
    time.textContent = `${clock(player.time)} / ${clock(clip.duration)} · frame ${player.frame}`;
  });
  const showState = () => {
    playing.textContent = player.playing ? "❚❚" : "▶";
    playing.setAttribute("aria-label", player.playing ? "pause" : "play");
    speed.value = String(player.rate);
  };
  player.addEventListener("state", showState);
  showState();
  return { commands, shown, position, transport, jumps, layers, again };
}
