// The page: what the address after "#" says is shown. `#/` the list of clips, `#/clip/ID` a clip,
// `#/clip/ID/PANEL?frame=N` one of its panels at a frame, `#/next` the next clip to score.

import { again, get, refuseAll, saving, settled } from "./api.js";
import { openClip } from "./clip.js";
import { $, alarm, button, clipAddress, el, announce } from "./dom.js";
import { commandsAre, showKeys } from "./keys.js";
import { closeSheet, openSheet } from "./sheet.js";

let study = null;
let close = null; // of the view that is open
let opened = 0;

/** "#/clip/a%2Fb/events?frame=12" -> {name: "clip", clip: "a/b", panel: "events", frame: 12}. */
export function parsed(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [name, clip, panel] = path.split("/").map(decodeURIComponent);
  const values = new URLSearchParams(query);
  const number = (key) => (values.has(key) ? Number(values.get(key)) : null);
  return {
    name: name || "sheet",
    clip,
    panel: panel || null,
    frame: number("frame"),
    reading: number("reading"),
    after: values.get("after"),
  };
}

/** The next clip to score after the one that was open, or the first. */
async function next({ after, reading }) {
  const { queue } = await get("/api/queue");
  const at = queue.findIndex(
    (one) => one.clip_id === after && (!reading || one.reading === reading),
  );
  const due = [...queue.slice(at + 1), ...queue.slice(0, at + 1)].find(({ done }) => !done);
  if (due) location.replace(clipAddress(due.clip_id, "score", `?reading=${due.reading}`));
  else
    $("view").replaceChildren(
      el(
        "section",
        { class: "plain" },
        el("h1", {}, "Everything is scored"),
        el(
          "p",
          {},
          "No clip waits for a rating of yours. ",
          el("a", { href: "#/" }, "Back to the clips"),
        ),
      ),
    );
}

async function route() {
  const now = (opened += 1);
  const view = $("view");
  const target = parsed(location.hash);
  const { name, clip, panel, frame, reading } = target;
  close?.();
  close = null;
  $("alert").replaceChildren();
  view.dataset.view = name;
  const all = { keys: showKeys };
  commandsAre(all);
  try {
    if (name === "clip") {
      const { commands, signKeys, leave } = await openClip(view, study, clip, {
        panel,
        frame,
        reading,
      });
      if (now !== opened) return leave();
      close = leave;
      commandsAre({ ...all, ...commands }, signKeys);
      document.title = `${clip} – review`;
      sessionStorage.setItem("semiology.clip", clip);
    } else if (name === "next") await next(target);
    else {
      const commands = await openSheet(view, study);
      if (now !== opened) return closeSheet();
      close = closeSheet;
      commandsAre({ ...all, ...commands });
      document.title = `${study.cohort} – review`;
    }
  } catch (error) {
    alarm(error);
    view.replaceChildren(
      el(
        "section",
        { class: "plain" },
        button("Try again", route, { class: "main" }),
        " ",
        el("a", { href: "#/" }, "Back to the clips"),
      ),
    );
  }
}

let announced = false; // a screen reader that something is not saved

function showSaving() {
  const { state, reason, waiting } = saving;
  const texts = {
    saved: "Saved",
    saving: "Saving …",
    readonly: "Read only",
    unsaved: `Not saved: ${waiting} action${waiting === 1 ? "" : "s"} waiting. ${reason}`,
  };
  const before = $("save").dataset.state;
  $("save").dataset.state = state;
  if (state === "unsaved" && before !== "unsaved") announce(texts.unsaved);
  if (state === "saved" && announced) announce("Saved");
  announced = state === "unsaved" || (announced && state !== "saved");
  $("save").replaceChildren(
    el("span", {}, texts[state]),
    ...(state === "unsaved" ? [button("Try now", again, { class: "quiet" })] : []),
  );
}

async function start() {
  saving.addEventListener("change", showSaving);
  showSaving();
  $("keys-button").addEventListener("click", showKeys);
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("view").focus();
  });
  await settled();
  try {
    study = await get("/api/study");
  } catch (error) {
    alarm(error);
    $("view").replaceChildren(button("Try again", () => location.reload(), { class: "main" }));
    return;
  }
  $("ways").replaceChildren(
    el("a", { href: "#/", id: "to-clips" }, "Clips"),
    el("a", { href: "#/next", id: "to-next" }, "Score the next clip"),
  );
  $("who").textContent = `rater ${study.rater}`;
  if (study.read_only) {
    refuseAll(study.read_only);
    $("banner").textContent = `Nothing can be saved: ${study.read_only}`;
    $("banner").hidden = false;
    document.body.classList.add("readonly");
  }
  addEventListener("hashchange", route);
  await route();
}

start();
