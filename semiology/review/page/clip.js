// A clip: the image and what steers it, curves and events below, the panels beside it.

import { act, bytes, clipPath, get } from "./api.js";
import { assess } from "./assess.js";
import { correctPanel } from "./correct.js";
import { Curves } from "./curves.js";
import { alarm, button, clipAddress, el, announce } from "./dom.js";
import { drawTracks } from "./drawing.js";
import { eventsPanel } from "./events.js";
import { actionLog } from "./log.js";
import { patientPanel } from "./patient.js";
import { Player } from "./player.js";
import { ratePanel } from "./rate.js";
import { beside } from "./sheet.js";
import { Stage } from "./stage.js";
import { steering } from "./steer.js";
import { tabbed } from "./tabs.js";
import { Tracks } from "./tracks.js";

const HEIGHTS = [240, 360, 480, 576, 720, 1080]; // px at which frames are asked for
const PANELS = {
  score: ["Score", ratePanel],
  events: ["Events", eventsPanel],
  correct: ["Keypoints", correctPanel],
  patient: ["Patient", patientPanel],
};

/** Shows a clip in `view`; gives its commands (see keys.js) and what to call when it is left. */
export async function openClip(view, study, clip_id, { panel, frame, reading }) {
  const clip = await get(clipPath(clip_id));
  if (!clip.count) throw new Error(`${clip_id}: ${clip.fault ?? "has no frames to show"}`);
  const times = new Float64Array(await bytes(clipPath(clip_id, "/times")));
  const canvas = el("canvas", {
    id: "frame",
    tabindex: "0",
    role: "img",
    "aria-label": `Video of clip ${clip_id}`,
  });
  const fault = el("p", { id: "fault", hidden: true });
  const life = new AbortController();
  const marks = new EventTarget();
  const panels = {};
  let worst = [];
  let open = null; // the panel that is shown

  // ---- the image
  const tracks = new Tracks(clip);
  const stage = new Stage(canvas, clip.width, clip.height, () => player.redraw());
  const player = new Player(clip, times, (bitmap, index) => {
    const number = clip.first + index;
    stage.paint(bitmap, (pen, unit) => {
      drawTracks(pen, tracks, number, unit, steer.shown);
      panels[open]?.draw?.(pen, unit, number);
    });
    canvas.dataset.frame = number;
    canvas.toggleAttribute("data-zoomed", stage.zoom > 1);
    fault.textContent = player.failed.get(index) ?? "";
    fault.hidden = Boolean(bitmap);
  });
  const curves = new Curves(
    clip.duration,
    (time) => player.moveTo(time),
    (event) => {
      if (event.kind === "away") return player.moveTo(event.onset);
      tabs.show("events");
      panels.events.choose(event);
    },
  );
  const steer = steering(player, clip, {
    worst: () => worst.map(({ time }) => time),
    events: () =>
      curves.events
        .filter(({ kind }) => kind !== "away")
        .flatMap(({ onset, duration }) => (duration ? [onset, onset + duration] : [onset])),
  });

  // ---- what the panels may use
  const context = {
    study,
    clip,
    tracks,
    player,
    reading,
    signal: life.signal,
    marks, // "change": the clip was read again
    strips: {}, // events and stretches over time, by kind
    showStrips() {
      const corrected = Object.values(clip.parts ?? {}).flatMap((part) => part.corrected ?? []);
      curves.events = Object.values(context.strips).flat();
      curves.ticks = [
        ...worst.map(({ time }) => ({ time, kind: "worst" })),
        ...corrected.map(([number]) => ({ time: times[number - clip.first], kind: "corrected" })),
      ];
      curves.draw();
    },
    /** Read the clip again: tracks, corrections or patient have changed. */
    async again({ tracked = false, all = false } = {}) {
      Object.assign(clip, await get(clipPath(clip_id)));
      tracks.again(clip);
      marks.dispatchEvent(new Event("change"));
      if (tracked) readCurves();
      if (all) refresh();
    },
    fail: (error) => error.name !== "AbortError" && alarm(error),
    /** What a promise gives; null, and the reason shown, where it fails. */
    async run(promise, done) {
      try {
        const answer = await promise;
        if (done) announce(done);
        return answer;
      } catch (error) {
        context.fail(error);
        return null;
      }
    },
    /** An action of this clip; rejects where it is refused. */
    async send(action) {
      const answer = await act(clip_id, action);
      if (!life.signal.aborted) log.refresh();
      return answer;
    },
    /** An action of this clip; null, and the reason shown, where it is refused. */
    act: (action, done) => context.run(context.send(action), done),
  };

  // ---- the panels
  for (const [name, [, make]] of Object.entries(PANELS)) panels[name] = make(context);
  const log = actionLog(context);
  const refresh = () => [...Object.values(panels), log].forEach((each) => each.refresh?.());
  const nodes = Object.entries(PANELS).map(([name, [label]]) => [name, [label, panels[name].node]]);
  const tabs = tabbed("What to do with the clip", Object.fromEntries(nodes), (name) => {
    open = name;
    stage.tool = panels[name].tool ?? { click: steer.commands.play };
    canvas.dataset.tool = stage.tool.cursor ?? "";
    history.replaceState(
      null,
      "",
      clipAddress(clip_id, name, reading ? `?reading=${reading}` : ""),
    );
    panels[name].moved?.(player.frame);
    player.redraw();
  });

  // ---- the line above
  const state = button("", askAssess, {
    id: "assessable",
    class: "quiet",
    disabled: Boolean(study.read_only),
  });
  const showState = () => {
    const texts = { true: "Assessable", false: `Not assessable: ${clip.reason ?? ""}` };
    state.textContent = texts[clip.assessable] ?? "Assessable or not …";
    state.dataset.assessable = String(clip.assessable ?? "");
  };
  async function askAssess() {
    if (study.read_only) return;
    player.pause();
    const answer = await context.run(assess(clip_id, clip));
    if (answer) Object.assign(clip, answer);
    showState();
    log.refresh();
  }
  const ways = {}; // to the clips before and after
  const neighbours = el("span", { class: "pair" });
  beside(clip_id)
    .then(({ at, count, before, after }) => {
      const way = (command, sign, label, other) => {
        ways[command] = () => {
          if (other) location.hash = clipAddress(other, open);
        };
        return el(
          "button",
          {
            type: "button",
            "aria-label": label,
            title: label,
            disabled: !other,
            onclick: ways[command],
          },
          sign,
        );
      };
      neighbours.append(
        way("previousClip", "‹", "previous clip (,)", before),
        el("span", {}, at < 0 ? "" : `clip ${at + 1} of ${count}`),
        way("nextClip", "›", "next clip (.)", after),
      );
    })
    .catch(() => {});
  const about = [clip.participant_id, `${clip.width} × ${clip.height}`].filter(Boolean).join(" · ");

  view.replaceChildren(
    el(
      "section",
      { class: "clip", "data-clip": clip_id },
      el(
        "div",
        { class: "clipbar" },
        el("h1", {}, clip_id),
        el("span", { class: "soft" }, about),
        state,
        neighbours,
      ),
      el(
        "div",
        { class: "left" },
        el(
          "div",
          { class: "screen" },
          el("div", { class: "stage" }, canvas, fault),
          steer.position,
          steer.transport,
        ),
        steer.jumps,
        el("div", { class: "below" }, steer.layers, curves.legend),
        curves.canvas,
      ),
      el("div", { class: "right" }, tabs.list, tabs.sheets, log.node),
    ),
  );

  // ---- what follows what
  view.querySelector(".left").addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button")) canvas.focus({ preventScroll: true });
  }); // after a click with the mouse, Space plays
  player.addEventListener("frame", () => {
    curves.moveTo(player.time);
    panels[open]?.moved?.(player.frame);
  });
  tracks.addEventListener("change", () => {
    if (!player.playing) player.redraw();
    panels[open]?.moved?.(player.frame);
  });
  marks.addEventListener("change", () => {
    showState();
    steer.again();
    context.showStrips();
    player.redraw();
  });
  const watcher = new ResizeObserver(() => {
    stage.fit();
    const wanted = Math.min(clip.height, canvas.height);
    player.size(HEIGHTS.find((height) => height >= wanted) ?? clip.height);
    player.redraw();
  });
  watcher.observe(canvas);
  document.addEventListener(
    "visibilitychange",
    () => {
      if (document.visibilityState === "visible") refresh();
    },
    { signal: life.signal },
  ); // another tab may have changed something

  async function readCurves() {
    if (!clip.parts?.body && !clip.parts?.face) return;
    const [data, places] = await Promise.all(
      ["/curves", "/worst"].map((name) =>
        get(clipPath(clip_id, name), { signal: life.signal }).catch(() => null),
      ),
    );
    worst = places ?? [];
    if (data) curves.show(data);
    context.showStrips();
  }

  tabs.show(PANELS[panel] ? panel : "events");
  showState();
  stage.fit();
  player.go(frame === null ? 0 : frame - clip.first, 1);
  readCurves();
  refresh();
  canvas.focus({ preventScroll: true });

  const nudge = (dx, dy) => (event) => {
    const step = event.shiftKey ? 10 : 1;
    panels[open].nudge?.(dx * step, dy * step);
  };
  return {
    commands: {
      ...steer.commands,
      ...panels.events.commands,
      ...panels.correct.commands,
      ...log.commands,
      ...Object.fromEntries(Object.keys(PANELS).map((name) => [name, () => tabs.focus(name)])),
      magnify: () => stage.zoomBy(1.5),
      reduce: () => stage.zoomBy(1 / 1.5),
      zoomIn: () => curves.zoom(2),
      zoomOut: () => curves.zoom(0.5),
      left: nudge(-1, 0),
      right: nudge(1, 0),
      up: nudge(0, -1),
      down: nudge(0, 1),
      assess: askAssess,
      image: () => canvas.focus({ preventScroll: true }),
      clips: () => {
        location.hash = "#/";
      },
      previousClip: () => ways.previousClip?.(),
      nextClip: () => ways.nextClip?.(),
    },
    signKeys: panels.events.signKeys,
    leave() {
      life.abort();
      watcher.disconnect();
      for (const each of Object.values(panels)) each.leave?.();
      player.close();
    },
  };
}
