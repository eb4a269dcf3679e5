// Who the patient is, where he is out of view, and the clip tracked again.

import { clipPath, get, post, remove } from "./api.js";
import { alarm, button, clock, el, announce, refill } from "./dom.js";
import { cross, ring } from "./drawing.js";

const EVERY = 700; // ms between looks at a job
const NEAR = 0.5; // s around the click within which its mark is shown

export function patientPanel(context) {
  const { study, player, clip } = context;
  let aim = null; // [x, y] px of the frame, moved by keys
  let from = null; // s: where a stretch out of view was begun
  let job = null;
  let timer = null;
  const known = el("p", { id: "patient-known" });
  const aimed = el(
    "p",
    { class: "pair wide" },
    button(
      "Point by keys",
      () => {
        aim = [clip.width / 2, clip.height / 2];
        moved();
        player.redraw();
        announce("Alt and arrows move the cross");
      },
      { id: "aim" },
    ),
    button("This is the patient", () => aim && point(...aim), {
      id: "aim-done",
      class: "main",
      hidden: true,
    }),
  );
  const again = button("Track this clip again", track, { id: "track", class: "main" });
  const progress = el("progress", {
    id: "track-progress",
    max: "1",
    value: 0,
    hidden: true,
    "aria-label": "Tracking",
  });
  const state = el("p", { id: "track-state", role: "status", "aria-live": "polite" });
  const stop = button(
    "Stop",
    async () => {
      await context.run(remove(`/api/jobs/${encodeURIComponent(job)}`));
    },
    { id: "track-stop", hidden: true },
  );
  const list = el("ul", { class: "events", id: "away-list" });
  const begin = button(
    "Out of view from here",
    () => {
      from = player.time;
      moved();
    },
    { id: "away-from" },
  );
  const end = button("In view again here", leaveView, { id: "away-to", disabled: true });
  const node = el(
    "fieldset",
    { class: "all", disabled: Boolean(study.read_only) },
    el("legend", { class: "unseen" }, "Patient"),
    el(
      "p",
      {},
      el("b", {}, "Click on the patient in the image,"),
      " in any frame where the person is seen well.",
    ),
    known,
    aimed,
    el("div", { class: "ends" }, again, stop),
    progress,
    state,
    el("h3", {}, "Out of view"),
    el("p", { class: "soft" }, "Stretches without the patient are left out of the tracks."),
    el("p", { class: "pair wide" }, begin, end),
    list,
  );

  function moved() {
    const click = clip.click;
    known.textContent = click
      ? `Patient: pointed at ${clock(click.time)}, at ${Math.round(click.x)}, ${Math.round(click.y)} px. Another click replaces it.`
      : "Nobody has pointed at the patient in this clip; the tracker's own rule was used.";
    aimed.querySelector("#aim-done").hidden = !aim;
    begin.textContent = from === null ? "Out of view from here" : `Out of view from ${clock(from)}`;
    end.disabled = from === null;
  }

  async function point(x, y) {
    if (study.read_only) return;
    const inside = x >= 0 && y >= 0 && x < clip.width && y < clip.height;
    if (!inside) return announce("outside of the image");
    player.pause();
    const click = {
      time: Math.round(player.time * 1000) / 1000,
      x: Math.round(x * 10) / 10,
      y: Math.round(y * 10) / 10,
    };
    const before = clip.click;
    clip.click = click;
    aim = null;
    moved();
    player.redraw();
    const answer = await context.act({ do: "patient", ...click }, "patient pointed at");
    if (!answer) clip.click = before;
    else
      state.textContent = "Saved. The tracks are the former ones until the clip is tracked again.";
    moved();
    player.redraw();
    again.focus();
  }

  async function track() {
    const answer = await context.run(post(clipPath(clip.clip_id, "/track")));
    if (answer) watch(answer.job);
  }

  function watch(name) {
    job = name;
    again.disabled = true;
    progress.hidden = stop.hidden = false;
    clearTimeout(timer);
    look();
  }

  async function look() {
    let mine;
    try {
      const { jobs } = await get("/api/jobs", { signal: context.signal });
      mine = jobs.find((one) => String(one.job) === String(job));
    } catch {
      if (context.signal.aborted) return;
      timer = setTimeout(look, 3 * EVERY);
      return;
    }
    if (mine && ["waiting", "running"].includes(mine.state)) {
      progress.value = mine.share ?? 0;
      const text =
        mine.state === "waiting"
          ? "Waiting for another clip."
          : `Tracking: ${Math.floor(10 * (mine.share ?? 0)) * 10} %`;
      if (state.textContent !== text) state.textContent = text; // announced at every tenth alone
      timer = setTimeout(look, EVERY);
      return;
    }
    again.disabled = false;
    progress.hidden = stop.hidden = true;
    const texts = {
      done: "Tracked again: the new tracks are shown.",
      stopped: "Stopped: the former tracks are kept.",
    };
    state.textContent = texts[mine?.state] ?? "";
    if (mine?.state === "failed") alarm(mine.fault ?? "The clip could not be tracked again.");
    if (mine?.state !== "done") return;
    await context.run(context.again({ tracked: true, all: true }));
    const kept = Object.values(clip.parts).flatMap((one) => [...one.corrected, ...one.swapped]);
    if (kept.length)
      state.textContent +=
        ` Corrections (${kept.length}) were made on the former tracks, and stay: see whether they` +
        " fit, exchanges of left and right above all, and take back those that do not.";
  }

  async function leaveView() {
    const [onset, until] = [Math.min(from, player.time), Math.max(from, player.time)];
    if (until - onset < 0.001) return announce("the stretch has no length: go to another frame");
    from = null;
    await away(
      "away",
      {
        onset: Math.round(onset * 1000) / 1000,
        duration: Math.round((until - onset) * 1000) / 1000,
      },
      "out of view: saved",
    );
  }

  async function away(what, stretch, done) {
    const answer = await context.act(
      { do: what, onset: stretch.onset, duration: stretch.duration },
      done,
    );
    if (answer) await context.run(context.again());
    show();
  }

  function show() {
    refill(
      list,
      ...(clip.away ?? []).map((stretch) =>
        el(
          "li",
          {},
          button(
            `${clock(stretch.onset)} – ${clock(stretch.onset + stretch.duration)}`,
            () => player.moveTo(stretch.onset),
            { class: "quiet pick" },
          ),
          button("Take out", () => away("back", stretch, "stretch taken out"), {
            class: "quiet",
            "aria-label": `Take out ${clock(stretch.onset)}`,
          }),
        ),
      ),
    );
    if (!clip.away?.length) refill(list, el("li", { class: "soft" }, "none"));
    context.strips.away = (clip.away ?? []).map((stretch) => ({ ...stretch, kind: "away" }));
    context.showStrips();
    moved();
  }

  context.marks.addEventListener("change", show);
  return {
    node,
    moved,
    tool: { click: point, cursor: "point" },
    nudge(dx, dy) {
      aim ??= [clip.width / 2, clip.height / 2];
      aim = [
        Math.max(0, Math.min(clip.width - 1, aim[0] + dx)),
        Math.max(0, Math.min(clip.height - 1, aim[1] + dy)),
      ];
      moved();
      player.redraw();
    },
    draw(pen, unit) {
      const { click } = clip;
      if (click && Math.abs(click.time - player.time) < NEAR)
        ring(pen, click.x, click.y, unit, "patient");
      if (aim) cross(pen, ...aim, unit);
    },
    async refresh() {
      show();
      const answer = await context.run(get("/api/jobs", { signal: context.signal }));
      const mine = answer?.jobs.findLast(
        (one) => one.clip_id === clip.clip_id && ["waiting", "running"].includes(one.state),
      );
      if (mine && mine.job !== job) watch(mine.job);
    },
    leave: () => clearTimeout(timer),
  };
}
