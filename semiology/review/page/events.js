// Signs over time: marked by keys or buttons; lists of the rater's own events, of those that a model
// found, and of other raters'.

import { clipPath, get } from "./api.js";
import { button, clock, el, refill, announce, words } from "./dom.js";
import { conflictForm, eventForm, span, title } from "./event_form.js";
import { OwnEvents } from "./own_events.js";

const DECISIONS = { accepted: "Accept", moved: "Move", rejected: "Reject" };
const round = (time) => Math.round(time * 1000) / 1000;

export function eventsPanel(context) {
  const { study, player } = context;
  const own = new OwnEvents(context);
  let [found, others] = [[], []];
  let current = null; // event_id of the chosen one
  let lastSign = study.signs[0]?.name ?? null;
  let moving = null; // {found_id, onset, end} of the found event that is being moved
  const chips = el("div", {
    class: "signs",
    role: "group",
    "aria-label": "Mark a sign at this frame",
  });
  const form = el("div", { id: "event-form" });
  const lists = el("div", { id: "event-lists" });
  const ofSign = el("span", {});
  const here = el(
    "div",
    { class: "pair wide" },
    button(ofSign, () => onset(lastSign), { key: "i", id: "onset" }),
    button("Offset here", () => offset(), { key: "o", id: "offset" }),
  );
  const node = el(
    "fieldset",
    { class: "all", disabled: Boolean(study.read_only) },
    el("legend", { class: "unseen" }, "Events"),
    chips,
    here,
    form,
    lists,
    !study.signs.length && el("p", { class: "soft" }, "The study names no signs to mark."),
  );

  // ---- marking
  function onset(sign) {
    if (!sign || study.read_only) return;
    lastSign = sign;
    const at = round(player.time);
    current = own.add(sign, at, `onset of ${words(sign)} at ${clock(at)}`).event_id;
    showForm();
    show();
  }

  function offset(one = own.open() ?? own.get(current)) {
    if (!one || study.read_only) return announce("no event to end");
    const duration = round(player.time - one.onset);
    if (duration < 0) return announce("the onset is after this frame");
    current = one.event_id;
    own.change(one, { duration }, `offset of ${words(one.sign)} at ${clock(player.time)}`);
    showForm();
  }

  function toggle(sign) {
    lastSign = sign;
    const begun = own.open(sign);
    if (begun) offset(begun);
    else onset(sign);
  }

  function choose(one) {
    const at = one.onset;
    if (own.get(one.event_id)) current = one.event_id;
    if (Math.abs(player.time - at) > 0.001) player.moveTo(at);
    showForm();
    show();
  }

  // ---- what is shown
  function show() {
    refill(
      chips,
      ...study.signs.map(({ name, description, key }) =>
        button(words(name), () => toggle(name), {
          key,
          title: description || null,
          "data-sign": name,
          "aria-pressed": String(Boolean(own.open(name))),
          class: name === lastSign ? "last" : null,
        }),
      ),
    );
    ofSign.textContent = lastSign ? `Onset of ${words(lastSign)} here` : "Onset here";
    refill(
      lists,
      ...[
        el("h3", {}, `My events (${own.list.length})`),
        ownList(),
        found.length > 0 && [el("h3", {}, `Found by the model (${found.length})`), foundList()],
        study.blind_to_model &&
          el("p", { class: "soft" }, "What the model found is hidden: this study is blind to it."),
        others.length > 0 && [el("h3", {}, "Other raters"), othersList()],
      ]
        .flat()
        .filter(Boolean),
    );
    const strip = (kind, events, more) => events.map((one) => ({ ...one, kind, ...more(one) }));
    context.strips.own = strip("own", own.list, (one) => ({ chosen: one.event_id === current }));
    context.strips.others = strip("others", others, () => ({}));
    context.strips.found = strip("found", found, (one) => ({ faint: one.decision === "rejected" }));
    context.showStrips();
  }

  const pick = (one, onclick, ...more) =>
    el(
      "button",
      {
        type: "button",
        class: "quiet pick",
        onclick,
        "aria-current": one.event_id && one.event_id === current ? "true" : null,
      },
      el("b", {}, title(one)),
      " ",
      span(one),
      ...more,
    );

  function ownList() {
    const sorted = own.list.toSorted((a, b) => a.onset - b.onset);
    return el(
      "ul",
      { class: "events", id: "own-events" },
      sorted.map((one) =>
        el(
          "li",
          { "data-event": one.event_id },
          pick(one, () => choose(one), one.comment && el("span", { class: "soft" }, one.comment)),
          button("Delete", () => removeEvent(one), {
            class: "quiet",
            "aria-label": `Delete ${title(one)} ${span(one)}`,
          }),
        ),
      ),
    );
  }

  function othersList() {
    return el(
      "ul",
      { class: "events" },
      others.map((one) =>
        el(
          "li",
          {},
          pick(one, () => choose(one)),
          one.rater && el("span", { class: "soft" }, one.rater),
        ),
      ),
    );
  }

  function foundList() {
    return el(
      "ul",
      { class: "events", id: "found-events" },
      found.map((one) => {
        const decide = ([decision, name]) =>
          button(
            name,
            () => (decision === "moved" ? startMoving(one) : decideFound(one, decision)),
            {
              class: "quiet",
              "aria-pressed": String(one.decision === decision),
              "aria-label": `${name}: ${title(one)} ${span(one)}`,
            },
          );
        const sure = Number.isFinite(one.confidence) && `confidence ${one.confidence.toFixed(2)}`;
        return el(
          "li",
          { "data-found": one.found_id, "data-decision": one.decision ?? "" },
          pick(one, () => choose(one), sure && el("span", { class: "soft" }, sure)),
          el("span", { class: "pair" }, Object.entries(DECISIONS).map(decide)),
          moving?.found_id === one.found_id && mover(one),
        );
      }),
    );
  }

  function mover(one) {
    const to = (name) => () => {
      moving[name] = round(player.time);
      show();
    };
    return el(
      "div",
      { class: "pair wide", role: "group", "aria-label": "Move the found event" },
      button(`Onset ${clock(moving.onset)}: here`, to("onset")),
      button(`Offset ${clock(moving.end)}: here`, to("end")),
      button("Save", () => saveMoved(one), { class: "main" }),
    );
  }

  function showForm() {
    const one = own.get(current);
    refill(
      form,
      ...(one
        ? [
            eventForm(one, study, (values, pause) => {
              own.change(one, values, null, pause);
              if ("sign" in values || "level" in values) showForm();
            }),
          ]
        : []),
    );
  }

  // ---- decisions
  function startMoving({ found_id, onset: start, duration }) {
    moving = { found_id, onset: start, end: start + (duration ?? 0) };
    show();
  }

  function saveMoved(one) {
    const { onset: start, end } = moving;
    if (end < start) return announce("the offset is before the onset");
    moving = null;
    decideFound(one, "moved", { onset: start, duration: round(end - start) });
  }

  async function decideFound(one, decision, times = { onset: one.onset, duration: one.duration }) {
    const action = { do: "decide_found", found_id: one.found_id, decision, ...times };
    if (await context.act(action, `${title(one)}: ${decision}`)) await refresh();
  }

  async function removeEvent(one) {
    await own.remove(one, `deleted: ${title(one)}; u takes it back`);
    if (current === one.event_id) current = null;
    showForm();
    show();
  }

  own.addEventListener("change", show);
  own.addEventListener("conflict", ({ detail: { one, theirs } }) => {
    const then = (done) => () => {
      own[done](one, theirs);
      current = own.list.includes(one) ? one.event_id : null;
      showForm();
      show();
    };
    current = one.event_id;
    refill(form, conflictForm(one, theirs, then("take"), then("keep")));
    form.querySelector("button").focus();
  });

  async function refresh() {
    const path = clipPath(context.clip.clip_id, "/events");
    const asked = own.changes;
    const answer = await context.run(get(path, { signal: context.signal }));
    if (!answer) return;
    if (asked !== own.changes) return refresh(); // the answer is from before what was done since
    [found, others] = [answer.found ?? [], answer.others ?? []];
    own.read(answer.own);
    if (!form.contains(document.activeElement) && !form.querySelector("#conflict")) showForm();
  }

  show();
  const keyed = study.signs.filter(({ key }) => key);
  return {
    node,
    refresh,
    choose,
    leave: () => own.leave(),
    commands: { onset: () => onset(lastSign), offset: () => offset() },
    signKeys: new Map(keyed.map(({ name, key }) => [key, [words(name), () => toggle(name)]])),
  };
}
