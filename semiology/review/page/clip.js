// A clip: the picture, what steers it, curves and events below, the panels beside it.

import { act, bytes, clipPath, get } from "./api.js";
import { correctPanel } from "./correct.js";
import { Curves } from "./curves.js";
import { $, alarm, button, choice, clock, el, say } from "./dom.js";
import { drawTracks } from "./drawing.js";
import { eventsPanel } from "./events.js";
import { actionLog } from "./log.js";
import { patientPanel } from "./patient.js";
import { Player, SPEEDS } from "./player.js";
import { ratePanel } from "./rate.js";
import { assess, beside } from "./sheet.js";
import { Stage } from "./stage.js";
import { Tracks } from "./tracks.js";

const HEIGHTS = [240, 360, 480, 576, 720, 1080]; // px at which frames are asked for
const LAYERS = { body: ["Skeleton", "b"], hands: ["Hands", "h"], face: ["Face", "f"],
  people: ["Others", "x"], confidence: ["Confidence", "c"] };
const PANELS = { score: ["Score", ratePanel], events: ["Events", eventsPanel],
  correct: ["Keypoints", correctPanel], patient: ["Patient", patientPanel] };
const SHOWN = "semiology.layers";

const address = (clip, panel, query = "") => `#/clip/${encodeURIComponent(clip)}/${panel}${query}`;

/** The next of some sorted times after, or before, `time`; undefined where there is none. */
export function neighbour(times, time, direction) {
  const sorted = [...times].sort((a, b) => direction * (a - b));
  return sorted.find((other) => direction * (other - time) > 0.002);
}

export async function openClip(view, study, clip_id, { panel, frame, reading }) {
  const clip = await get(clipPath(clip_id));
  if (clip.fault && !clip.count) throw new Error(`${clip_id}: ${clip.fault}`);
  const times = new Float64Array(await bytes(clipPath(clip_id, "/times")));
  const shown = { body: true, hands: true, face: true, people: true, confidence: false,
    ...JSON.parse(sessionStorage.getItem(SHOWN) ?? "{}") };
  const canvas = el("canvas", { id: "frame", tabindex: "0", role: "img", "aria-label": `Video of clip ${clip_id}` });
  const fault = el("p", { id: "fault", hidden: true });
  const marks = new EventTarget(); // "change": what the panels know has changed
  const life = new AbortController();
  const panels = {};
  let open = null;
  let worst = [];

  const tracks = new Tracks(clip);
  const stage = new Stage(canvas, clip.width, clip.height, () => player.redraw());
  const player = new Player(clip, times, (bitmap, index) => {
    const number = clip.first + index;
    stage.paint(bitmap, (pen, unit) => {
      drawTracks(pen, tracks, number, unit, shown);
      panels[open]?.draw?.(pen, unit, number);
    });
    canvas.dataset.frame = number;
    canvas.toggleAttribute("data-zoomed", stage.zoom > 1);
    fault.hidden = Boolean(bitmap);
    fault.textContent = player.failed.get(index) ?? "";
  });
  const curves = new Curves(clip.duration, (time) => player.moveTo(time), (event) => {
    player.moveTo(event.onset);
    if (event.kind !== "away") context.openPanel("events").choose(event);
  });

  // what the panels may use
  const context = {
    study, clip, tracks, stage, player, reading, signal: life.signal,
    redraw: () => player.redraw(),
    openPanel: (name) => { show(name); return panels[name]; },
    /** Read the clip again: its tracks, corrections or patient have changed. */
    async again({ tracked = false, all = false } = {}) {
      Object.assign(clip, await get(clipPath(clip_id)));
      tracks.again(clip);
      marks.dispatchEvent(new Event("change"));
      if (tracked) readCurves();
      if (all) refresh();
    },
    /** An action of this clip; rejects where it is refused. */
    async send(action) {
      const answer = await act(clip_id, action);
      if (!life.signal.aborted) log.refresh();
      return answer;
    },
    /** An action of this clip; null, and the reason shown, where it is refused. */
    act: (action, done) => context.run(context.send(action), done),
    fail: (error) => { if (error.name !== "AbortError") alarm(error); },
    marks,
    /** Events and stretches of the curves, by kind. */
    strips: {},
    showStrips() {
      curves.events = Object.values(context.strips).flat();
      curves.ticks = [...worst.map(({ time }) => ({ time, kind: "worst" })), ...Object.values(clip.parts ?? {})
        .flatMap(({ corrected }) => corrected ?? []).map(([number]) => ({ time: times[number - clip.first], kind: "corrected" }))];
      curves.draw();
    },
    timeOf: (number) => times[number - clip.first],
    run: async (promise, done) => {
      try {
        const answer = await promise;
        if (done) say(done);
        return answer;
      } catch (error) {
        context.fail(error);
        return null;
      }
    },
  };

  // ---- what steers it
  const position = el("input", { type: "range", id: "position", min: "0", max: String(player.count - 1), step: "1",
    "aria-label": "Frame", oninput: (event) => player.go(Number(event.target.value)) });
  const time = el("output", { id: "time" });
  const playing = button("", () => commands.play(), { id: "play", class: "play" });
  const speed = choice(SPEEDS.map((rate) => [String(rate), `${rate}×`]), "1", (rate) => player.speed(Number(rate)),
    { id: "speed", "aria-label": "Speed" });
  const jump = (list, direction) => {
    const to = neighbour(list, player.time, direction);
    if (to === undefined) say(direction > 0 ? "none after this" : "none before this");
    else { player.pause(); player.moveTo(to); }
  };
  const eventTimes = () => curves.events.filter(({ kind }) => kind !== "away")
    .flatMap(({ onset, duration }) => (duration ? [onset, onset + duration] : [onset]));
  const faster = (step) => {
    const at = SPEEDS.indexOf(player.rate) + step;
    player.speed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at))]);
  };
  const layer = (name) => {
    shown[name] = !shown[name];
    $(`layer-${name}`).checked = shown[name];
    sessionStorage.setItem(SHOWN, JSON.stringify(shown));
    player.redraw();
  };
  const commands = {
    play: () => (player.playing ? player.pause() : player.play()),
    next: () => player.step(1), previous: () => player.step(-1),
    later: () => player.seconds(1), earlier: () => player.seconds(-1),
    start: () => player.go(0), end: () => player.go(player.count - 1),
    faster: () => faster(1), slower: () => faster(-1),
    nextEvent: () => jump(eventTimes(), 1), previousEvent: () => jump(eventTimes(), -1),
    nextWorst: () => jump(worst.map((place) => place.time), 1),
    previousWorst: () => jump(worst.map((place) => place.time), -1),
    magnify: () => stage.zoomBy(1.5), reduce: () => stage.zoomBy(1 / 1.5),
    zoomIn: () => curves.zoom(2), zoomOut: () => curves.zoom(0.5),
    assess: () => askAssess(),
    clips: () => { location.hash = "#/"; },
    ...Object.fromEntries(Object.keys(LAYERS).map((name) => [name, () => layer(name)])),
    ...Object.fromEntries(Object.keys(PANELS).map((name) => [name, () => { show(name); $(`panel-${name}`).focus({ preventScroll: true }); }])),
  };
  const tool = (name, label, command, key) => el("button", { type: "button", "aria-label": label, title: `${label} (${key})`,
    "data-command": command, onclick: () => commands[command]() }, name);
  const transport = el("div", { class: "transport", role: "group", "aria-label": "Play" },
    tool("−1 s", "a second back", "earlier", "Shift ←"), tool("‹", "previous frame", "previous", "←"), playing,
    tool("›", "next frame", "next", "→"), tool("+1 s", "a second on", "later", "Shift →"), speed);
  const jumps = el("div", { class: "transport", role: "group", "aria-label": "Where" }, time,
    el("span", { class: "pair" }, tool("‹", "previous event", "previousEvent", "N"), el("span", {}, "event"),
      tool("›", "next event", "nextEvent", "n")),
    el("span", { class: "pair" }, tool("‹", "previous place of poor tracking", "previousWorst", "W"), el("span", {}, "poor tracking"),
      tool("›", "next place of poor tracking", "nextWorst", "w")));
  const there = (name) => name === "people" || name === "confidence" || clip.parts?.[name];
  const layers = el("div", { class: "layers", role: "group", "aria-label": "Show over the picture" },
    Object.entries(LAYERS).filter(([name]) => there(name)).map(([name, [label]]) => el("label", {},
      el("input", { type: "checkbox", id: `layer-${name}`, checked: shown[name], onchange: () => layer(name) }), label)));

  // ---- the panels
  const log = actionLog(context);
  const refresh = () => { for (const each of [...Object.values(panels), log]) each.refresh?.(); };
  const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "What to do with the clip" });
  const sheets = el("div", { class: "panels" });
  for (const [name, [label, make]] of Object.entries(PANELS)) {
    panels[name] = make(context);
    tabs.append(el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`,
      onclick: () => show(name) }, label));
    sheets.append(el("div", { role: "tabpanel", id: `panel-${name}`, tabindex: "-1", "aria-labelledby": `tab-${name}` }, panels[name].node));
  }
  tabs.addEventListener("keydown", (event) => {
    const names = Object.keys(PANELS);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.altKey || event.shiftKey) return;
    show(names[(names.indexOf(open) + step + names.length) % names.length]);
    $(`tab-${open}`).focus();
  });
  function show(name) {
    if (open === name) return;
    open = name;
    for (const other of Object.keys(PANELS)) {
      const tab = tabs.querySelector(`#tab-${other}`);
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      sheets.querySelector(`#panel-${other}`).hidden = other !== name;
    }
    stage.tool = panels[name].tool ?? { click: () => commands.play() };
    canvas.dataset.tool = stage.tool.cursor ?? "";
    history.replaceState(null, "", address(clip_id, name, reading ? `?reading=${reading}` : ""));
    panels[name].moved?.(player.frame);
    player.redraw();
  }

  // ---- the line above
  const state = button("", () => askAssess(), { id: "assessable", class: "quiet" });
  const showState = () => {
    state.textContent = { true: "Assessable", false: `Not assessable: ${clip.reason ?? ""}` }[clip.assessable] ?? "Assessable or not …";
    state.dataset.assessable = String(clip.assessable ?? "");
    state.disabled = Boolean(study.read_only);
  };
  async function askAssess() {
    if (study.read_only) return;
    player.pause();
    const answer = await context.run(assess(clip_id, clip));
    if (answer) { Object.assign(clip, answer); showState(); }
  }
  const neighbours = el("span", { class: "pair" });
  const line = el("div", { class: "clipbar" }, el("h1", {}, clip_id), el("span", { class: "soft" },
    [clip.participant_id, `${clip.width} × ${clip.height}`].filter(Boolean).join(" · ")), state, neighbours);
  beside(clip_id).then(({ at, count, before, after }) => {
    for (const [name, sign, label, other] of [["previousClip", "‹", "previous clip", before],
      ["nextClip", "›", "next clip", after]]) {
      commands[name] = () => other && (location.hash = address(other, open));
      neighbours.append(el("button", { type: "button", "aria-label": label, title: label, disabled: !other,
        onclick: () => commands[name]() }, sign));
    }
    if (at >= 0) neighbours.children[0].after(el("span", {}, `clip ${at + 1} of ${count}`));
  }).catch(() => {});

  view.replaceChildren(el("section", { class: "clip", "data-clip": clip_id }, line,
    el("div", { class: "left" },
      el("div", { class: "screen" }, el("div", { class: "stage" }, canvas, fault), position, transport),
      jumps, el("div", { class: "below" }, layers, curves.legend), curves.canvas),
    el("div", { class: "right" }, tabs, sheets, log.node)));
  view.querySelector(".left").addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button")) canvas.focus({ preventScroll: true });
  }); // after a click with the mouse, Space plays

  player.addEventListener("frame", () => {
    position.value = player.index;
    position.setAttribute("aria-valuetext", `frame ${player.frame}, ${clock(player.time)}`);
    time.textContent = `${clock(player.time)} / ${clock(clip.duration)} · frame ${player.frame}`;
    curves.moveTo(player.time);
    panels[open]?.moved?.(player.frame);
  });
  const showPlaying = () => {
    playing.textContent = player.playing ? "❚❚" : "▶";
    playing.setAttribute("aria-label", player.playing ? "pause" : "play");
    speed.value = String(player.rate);
  };
  player.addEventListener("state", showPlaying);
  tracks.addEventListener("change", () => {
    if (!player.playing) player.redraw();
    panels[open]?.moved?.(player.frame);
  });
  marks.addEventListener("change", () => { showState(); context.showStrips(); player.redraw(); });
  const fit = () => {
    stage.fit();
    const wanted = Math.min(clip.height, canvas.height * stage.zoom);
    player.size(HEIGHTS.find((height) => height >= wanted) ?? clip.height);
    player.redraw();
  };
  const watcher = new ResizeObserver(fit);
  watcher.observe(canvas);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") refresh();
  }, { signal: life.signal }); // another tab may have changed something

  async function readCurves() {
    if (!clip.parts?.body && !clip.parts?.face) return;
    const [data, places] = await Promise.all(["/curves", "/worst"].map((name) =>
      get(clipPath(clip_id, name), { signal: life.signal }).catch(() => null)));
    worst = places ?? [];
    if (data) curves.show(data);
    context.showStrips();
  }
  show(PANELS[panel] ? panel : "events");
  showPlaying();
  showState();
  stage.fit();
  player.go(frame === null ? 0 : frame - clip.first, 1);
  readCurves();
  refresh();
  canvas.focus({ preventScroll: true });

  return {
    commands: { ...commands, ...Object.assign({}, ...Object.values(panels).map((each) => each.commands ?? {})), ...log.commands,
      ...bySide(panels, () => open), nextClip: () => commands.nextClip?.(), previousClip: () => commands.previousClip?.() },
    signKeys: panels.events.signKeys,
    leave() {
      life.abort();
      watcher.disconnect();
      for (const each of Object.values(panels)) each.leave?.();
      player.close();
    },
  };
}

/** Alt and arrows move the point of the panel that is open. */
function bySide(panels, open) {
  const ways = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };
  return Object.fromEntries(Object.entries(ways).map(([name, [dx, dy]]) => [name, (event) => {
    const step = event.shiftKey ? 10 : 1;
    panels[open()]?.nudge?.(dx * step, dy * step);
  }]));
}
