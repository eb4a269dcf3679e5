// Keypoints corrected: dragged, taken out, put in, exchanged left and right, carried between frames.

import { clipPath, get } from "./api.js";
import { button, choice, clock, el, labelled, announce, words } from "./dom.js";
import { ring } from "./drawing.js";

const PAUSE = 600; // ms after the last arrow key until the point is sent
const STATES = [
  ["2", "seen"],
  ["1", "covered, its place is known"],
  ["0", "not there"],
];

/** A point on the straight line between two corrected frames: [x, y] at `frame`. */
export function carried([first, x0, y0], [last, x1, y1], frame) {
  const share = last > first ? (frame - first) / (last - first) : 0;
  return [x0 + share * (x1 - x0), y0 + share * (y1 - y0)];
}

/** The corrected frames around `frame`, [first, last]: what a carry at this place would span. */
export function around(frames, frame) {
  const sorted = [...new Set(frames)].sort((a, b) => a - b);
  const before = sorted.findLast((other) => other < frame);
  const here = sorted.includes(frame);
  const after = sorted.find((other) => other > frame);
  if (here && before !== undefined) return [before, frame];
  if (here && after !== undefined) return [frame, after];
  return before !== undefined && after !== undefined ? [before, after] : null;
}

export function correctPanel(context) {
  const { study, player, clip, tracks } = context;
  let [part, keypoint] = [null, null];
  let [held, putting, timer] = [null, false, null]; // [x, y] under the finger; the next click puts it in
  let stretch = [null, null]; // frames of an exchange
  const parts = choice(
    [],
    null,
    (value) => {
      flush();
      part = value;
      keypoint = tracks.parts[part].keypoints[0];
      fillNames();
    },
    { id: "correct-part" },
  );
  const names = el("select", {
    id: "correct-keypoint",
    size: "7",
    onchange: () => {
      flush();
      keypoint = names.value;
      moved();
      player.redraw();
    },
  });
  const state = choice(STATES, "2", (value) => setVisibility(Number(value)), {
    id: "correct-visibility",
  });
  const where = el("output", { id: "correct-where" });
  const put = button(
    "Put in by a click",
    () => {
      putting = !putting;
      moved();
    },
    { id: "correct-put", "aria-pressed": "false" },
  );
  const middle = button("Put in the middle", () => move(clip.width / 2, clip.height / 2), {
    id: "correct-middle",
  });
  const hide = button("Not there", () => setVisibility(0), { key: "Del", id: "correct-hide" });
  const span = el("output", { id: "carry-span" });
  const carry = button("Carry between them", doCarry, { id: "carry" });
  const which = el("select", { id: "swap-pairs" });
  const [swapFrom, swapTo] = ["from", "to"].map((name, k) =>
    button(
      "",
      () => {
        stretch[k] = player.frame;
        moved();
      },
      { id: `swap-${name}` },
    ),
  );
  const swap = button("Exchange left and right", doSwap, { id: "swap" });
  const next = el("ul", { class: "events", id: "next-frames" });
  const command = study.commands?.finetune;
  const without = el("p", { class: "soft" }, "This clip has no tracks to correct yet.");
  const all = el(
    "div",
    {},
    el(
      "p",
      {},
      el("b", {}, "Drag a point in the image,"),
      " or choose it here and move it with Alt and the arrow keys.",
    ),
    el("div", { class: "fields" }, labelled("Part", parts), labelled("State", state)),
    labelled("Keypoint", names),
    where,
    el("p", { class: "pair wide" }, hide, put, middle),
    el("h3", {}, "Between corrected frames"),
    span,
    el("p", { class: "pair wide" }, carry),
    el("h3", {}, "Left and right exchanged"),
    el("p", { class: "pair wide" }, swapFrom, swapTo),
    labelled("Which", which),
    el("p", { class: "pair wide" }, swap),
    el("h3", {}, "Next frames worth correcting"),
    next,
  );
  const node = el(
    "fieldset",
    { class: "all", disabled: Boolean(study.read_only) },
    el("legend", { class: "unseen" }, "Keypoints"),
    without,
    all,
    command &&
      el(
        "details",
        {},
        el("summary", {}, "Train the tracker with the corrections"),
        el("p", {}, el("code", { id: "finetune" }, command)),
        button("Copy the command", async () => {
          await navigator.clipboard.writeText(command);
          announce("copied");
        }),
      ),
  );

  const point = () => {
    const row = part && tracks.at(part, player.frame);
    const index = tracks.parts[part]?.keypoints.indexOf(keypoint);
    return row && index >= 0
      ? [row[3 * index], row[3 * index + 1], row[3 * index + 2]]
      : [NaN, NaN, NaN];
  };
  const corrected = () => tracks.parts[part]?.corrected ?? [];
  const ofKeypoint = () =>
    corrected()
      .filter(([, name]) => name === keypoint)
      .map(([frame]) => frame);

  /** The tracks are others: of a clip that had none, perhaps. */
  function fill() {
    const there = Object.keys(tracks.parts);
    if (!there.includes(part)) part = there[0] ?? null;
    const known = tracks.parts[part]?.keypoints ?? [];
    if (!known.includes(keypoint)) keypoint = known[0] ?? null;
    parts.replaceChildren(
      ...there.map((name) => el("option", { value: name, selected: name === part }, name)),
    );
    without.hidden = part !== null;
    all.hidden = part === null;
    fillNames();
  }

  function fillNames() {
    names.replaceChildren(
      ...(tracks.parts[part]?.keypoints ?? []).map((name) =>
        el("option", { value: name, selected: name === keypoint }, words(name)),
      ),
    );
    which.replaceChildren(
      el("option", { value: "" }, "all of them"),
      ...(tracks.parts[part]?.swaps ?? []).map(([left, right]) =>
        el(
          "option",
          { value: JSON.stringify([left, right]) },
          `${words(left)} and ${words(right)}`,
        ),
      ),
    );
    moved();
    player.redraw();
  }

  /** The frame is another, or the tracks are. */
  function moved() {
    if (!part) return;
    const [x, y, confidence] = point();
    const mine = ofKeypoint().includes(player.frame) ? "; corrected by hand" : "";
    const known = tracks.at(part, player.frame) !== null;
    const there = Number.isFinite(x);
    const place =
      there && `${x.toFixed(1)}, ${y.toFixed(1)} px, confidence ${confidence.toFixed(2)}`;
    where.textContent = `${words(keypoint)}: ${known ? (place || "missing in this frame") + mine : "…"}`;
    names.value = keypoint;
    if (known && there === (state.value === "0")) state.value = there ? "2" : "0";
    put.setAttribute("aria-pressed", String(putting));
    put.textContent = putting ? "Click the place in the image" : "Put in by a click";
    const between = around(ofKeypoint(), player.frame);
    span.textContent = between
      ? `${words(keypoint)}: frames ${between[0]} to ${between[1]}`
      : "Correct the point in two frames, then carry it to those between.";
    carry.disabled = !between || between[1] - between[0] < 2;
    swapFrom.textContent = stretch[0] === null ? "From this frame" : `From frame ${stretch[0]}`;
    swapTo.textContent = stretch[1] === null ? "To this frame" : `To frame ${stretch[1]}`;
    swap.disabled = stretch[0] === null || stretch[1] === null || stretch[1] < stretch[0];
  }

  /** Put the chosen keypoint at a place of this frame, at once on screen and then in the file. */
  async function write(frame, name, x, y, visibility) {
    const points = [
      { frame, keypoint: name, x: visibility ? x : null, y: visibility ? y : null, visibility },
    ];
    tracks.set(part, frame, name, visibility ? x : NaN, visibility ? y : NaN, visibility ? 1 : 0);
    const of = part;
    const answer = await context.act(
      { do: "correct", part: of, points },
      `${words(name)} in frame ${frame}: ${visibility ? "corrected" : "taken out"}`,
    );
    if (!answer) return context.run(context.again());
    // a frame between two tracked ones shows the tracks of the one before, and corrects them
    tracks.parts[of].corrected = answer.corrected;
    if (!answer.corrected.some(([number, other]) => number === frame && other === name))
      return context.run(context.again());
    context.showStrips();
    moved();
  }

  const round = (value) => Math.round(value * 100) / 100;
  const visibility = () => (state.value === "1" ? 1 : 2);
  const move = (x, y) => {
    player.pause();
    return write(player.frame, keypoint, round(x), round(y), visibility());
  };

  function setVisibility(value) {
    if (study.read_only || !part) return;
    flush();
    const [x, y] = point();
    if (value && !Number.isFinite(x)) {
      putting = true;
      announce("click its place in the image");
      return moved();
    }
    player.pause();
    write(player.frame, keypoint, x, y, value);
  }

  /** Send what was moved by keys. */
  function flush() {
    if (!timer) return;
    clearTimeout(timer.id);
    const { frame, name, x, y } = timer;
    timer = null;
    write(frame, name, x, y, visibility());
  }

  async function doCarry() {
    const [first, last] = around(ofKeypoint(), player.frame);
    if (
      await context.act(
        { do: "carry", part, keypoint, first, last },
        `${words(keypoint)} carried over frames ${first} to ${last}`,
      )
    ) {
      await context.run(context.again());
    }
  }

  async function doSwap() {
    const [first, last] = stretch;
    const pairs = which.value ? [JSON.parse(which.value)] : null;
    if (
      await context.act(
        { do: "swap", part, first, last, pairs },
        `left and right exchanged, frames ${first} to ${last}`,
      )
    ) {
      stretch = [null, null];
      await context.run(context.again());
    }
  }

  const tool = {
    cursor: "drag",
    grab(x, y, reach) {
      if (putting || study.read_only) return false;
      const within = [part, ...Object.keys(tracks.parts)].filter(
        (name, k, all) => name && all.indexOf(name) === k,
      );
      let best = [reach, null, null];
      for (const name of within) {
        const row = tracks.at(name, player.frame);
        tracks.parts[name].keypoints.forEach((other, index) => {
          const far = row ? Math.hypot(row[3 * index] - x, row[3 * index + 1] - y) : NaN;
          const tie = name === part && other === keypoint ? 0.6 : 1; // the chosen one before its neighbours
          if (far < reach && far * tie < best[0]) best = [far * tie, name, other];
        });
        if (best[1]) break; // the chosen part before the others
      }
      if (!best[1]) return false;
      flush();
      player.pause();
      if (part !== best[1]) {
        part = best[1];
        parts.value = part;
        keypoint = best[2];
        fillNames();
      }
      keypoint = best[2];
      held = null;
      moved();
      player.redraw();
      return true;
    },
    drag(x, y) {
      held = [Math.max(0, Math.min(clip.width, x)), Math.max(0, Math.min(clip.height, y))];
      tracks.set(part, player.frame, keypoint, ...held, 1);
    },
    drop() {
      if (held) move(...held);
      held = null;
    },
    click(x, y) {
      if (!putting || study.read_only) return;
      putting = false;
      if (state.value === "0") state.value = "2";
      move(x, y);
    },
  };

  async function readNext() {
    if (!tracks.parts.body) return;
    const places = await context.run(
      get(clipPath(clip.clip_id, "/next_frames"), { signal: context.signal }),
    );
    next.replaceChildren(
      ...(places ?? []).map(({ frame, time, reason }) =>
        el(
          "li",
          {},
          button(
            `frame ${frame}, ${clock(time)}`,
            () => {
              player.pause();
              player.go(frame - clip.first);
            },
            { class: "quiet pick" },
          ),
          el("span", { class: "soft" }, reason),
        ),
      ),
    );
    if (!places?.length) next.replaceChildren(el("li", { class: "soft" }, "none"));
  }

  fill();
  context.marks.addEventListener("change", fill);
  return {
    node,
    moved,
    tool,
    refresh: readNext,
    commands: { hide: () => setVisibility(0) },
    nudge(dx, dy) {
      if (study.read_only || !part) return;
      player.pause();
      const [x, y] = point();
      if (!Number.isFinite(x)) return announce("missing in this frame: put it in first");
      if (timer && timer.frame !== player.frame) flush();
      clearTimeout(timer?.id);
      timer = {
        frame: player.frame,
        name: keypoint,
        x: round(x + dx),
        y: round(y + dy),
        id: setTimeout(flush, PAUSE),
      };
      tracks.set(part, player.frame, keypoint, timer.x, timer.y, 1);
    },
    draw(pen, unit, frame) {
      const row = part && tracks.at(part, frame);
      if (!row) return;
      tracks.parts[part].keypoints.forEach((name, index) => {
        const mine = corrected().some(([number, other]) => number === frame && other === name);
        if (!mine && name !== keypoint) return;
        const [x, y] = [row[3 * index], row[3 * index + 1]];
        if (Number.isFinite(x))
          ring(
            pen,
            x,
            y,
            unit,
            name === keypoint ? words(name) : "",
            mine ? "rgb(255,255,255)" : undefined,
          );
      });
      const between = around(ofKeypoint(), frame);
      const ends = between?.map((number) => [number, tracks.at(part, number)]);
      if (!ends?.every(([, values]) => values) || between.includes(frame)) return;
      const index = tracks.parts[part].keypoints.indexOf(keypoint);
      const [x, y] = carried(
        ...ends.map(([number, values]) => [number, values[3 * index], values[3 * index + 1]]),
        frame,
      );
      pen.setLineDash([3 * unit, 3 * unit]);
      if (Number.isFinite(x)) ring(pen, x, y, unit);
      pen.setLineDash([]);
    },
    leave: flush,
  };
}
