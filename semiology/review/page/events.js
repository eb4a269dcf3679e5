// Signs over time: the rater's own events, those that a model found, those of other raters.

import { clipPath, drafts, get, number } from "./api.js";
import { button, choice, clock, el, labelled, say, words } from "./dom.js";

const PAUSE = 700; // ms after the last keystroke in a comment until it is sent
const SURE = [["", "not stated"], ["1", "sure"], ["0.75", "likely"], ["0.5", "unsure"]];
const FIELDS = ["onset", "duration", "sign", "level", "side", "body_part", "confidence", "comment"];

/** A key for each sign: the study's own, else digits in order. */
export function signKeys(signs) {
  const used = new Set(signs.map(({ key }) => key).filter(Boolean));
  const free = [..."123456789"].filter((digit) => !used.has(digit));
  return new Map(signs.map((sign) => [sign.name, sign.key || free.shift() || ""]));
}

const span = ({ onset, duration }) => `${clock(onset)} – ${duration === null ? "…" : clock(onset + duration)}`;
const title = ({ sign, level, side, body_part }) => [words(sign), level, side, body_part].filter(Boolean).map(words).join(", ");

export function eventsPanel(context) {
  const { study, player } = context;
  const clip_id = context.clip.clip_id;
  const draft = `events.${clip_id}`;
  const keys = signKeys(study.signs);
  let [own, found, others] = [[], [], []];
  let current = null; // event_id of the chosen one
  let lastSign = study.signs[0]?.name ?? null;
  let moving = null; // the found event that is being moved
  const dirty = new Map(); // event_id -> timer or "sending": its newest state is not acknowledged
  const chips = el("div", { class: "signs", role: "group", "aria-label": "Mark a sign at this frame" });
  const form = el("div", { id: "event-form" });
  const lists = el("div", { id: "event-lists" });
  const here = el("div", { class: "pair wide" },
    button("Onset here", () => onset(lastSign), { key: "i", id: "onset" }),
    button("Offset here", () => offset(), { key: "o", id: "offset" }));
  const node = el("fieldset", { class: "all", disabled: Boolean(study.read_only) },
    el("legend", { class: "unseen" }, "Events"), chips, here, form, lists,
    !study.signs.length && el("p", { class: "soft" }, "The study names no signs to mark."));

  const event = (id) => own.find(({ event_id }) => event_id === id);
  const openOf = (sign) => own.findLast((one) => one.duration === null && (!sign || one.sign === sign));
  const round = (time) => Math.round(time * 1000) / 1000;

  function show() {
    chips.replaceChildren(...study.signs.map(({ name, description }) => {
      const begun = openOf(name);
      return button(words(name), () => toggle(name), { key: keys.get(name), title: description ?? "", "data-sign": name,
        "aria-pressed": String(Boolean(begun)), class: name === lastSign ? "last" : "" });
    }));
    lists.replaceChildren(
      el("h3", {}, `My events (${own.length})`), ownList(),
      ...(found.length ? [el("h3", {}, `Found by the model (${found.length})`), foundList()] : []),
      ...(study.blind_to_model ? [el("p", { class: "soft" }, "What the model found is hidden: this study is blind to it.")] : []),
      ...(others.length ? [el("h3", {}, "Other raters"), el("ul", { class: "events" }, others.map((one) =>
        el("li", {}, button(`${title(one)} ${span(one)}`, () => player.moveTo(one.onset), { class: "quiet" }),
          one.rater && el("span", { class: "soft" }, one.rater))))] : []));
    context.strips.own = own.map((one) => ({ ...one, duration: one.duration ?? 0, kind: "own", chosen: one.event_id === current }));
    context.strips.others = others.map((one) => ({ ...one, kind: "others" }));
    context.strips.found = found.map((one) => ({ ...one, kind: "found", faint: one.decision === "rejected" }));
    context.showStrips();
  }

  function ownList() {
    const sorted = own.toSorted((a, b) => a.onset - b.onset);
    return el("ul", { class: "events", id: "own-events" }, sorted.map((one) => el("li", { "data-event": one.event_id },
      el("button", { type: "button", class: "quiet pick", "aria-current": one.event_id === current ? "true" : null,
        onclick: () => choose(one) }, el("b", {}, title(one)), " ", span(one),
      one.comment && el("span", { class: "soft" }, one.comment)),
      button("Delete", () => removeEvent(one), { class: "quiet", "aria-label": `Delete ${title(one)} ${span(one)}` }))));
  }

  function foundList() {
    return el("ul", { class: "events", id: "found-events" }, found.map((one) => {
      const name = `${title(one)} ${span(one)}`;
      const decide = (decision) => button({ accepted: "Accept", rejected: "Reject", moved: "Move" }[decision],
        () => (decision === "moved" ? startMoving(one) : decideFound(one, decision)), { class: "quiet",
          "aria-pressed": String(one.decision === decision), "aria-label": `${decision}: ${name}` });
      return el("li", { "data-found": one.found_id, "data-decision": one.decision ?? "" },
        el("button", { type: "button", class: "quiet pick", onclick: () => player.moveTo(one.onset) }, el("b", {}, title(one)),
          " ", span(one), Number.isFinite(one.confidence) && el("span", { class: "soft" }, `confidence ${one.confidence.toFixed(2)}`)),
        el("span", { class: "pair" }, decide("accepted"), decide("moved"), decide("rejected")),
        moving?.found_id === one.found_id && mover(one));
    }));
  }

  function mover(one) {
    return el("div", { class: "pair wide", role: "group", "aria-label": "Move the found event" },
      button(`Onset ${clock(moving.onset)}: here`, () => { moving = { ...moving, onset: round(player.time) }; show(); }),
      button(`Offset ${clock(moving.end)}: here`, () => { moving = { ...moving, end: round(player.time) }; show(); }),
      button("Save", () => {
        const { onset: start, end } = moving;
        if (end < start) return say("the offset is before the onset");
        moving = null;
        decideFound(one, "moved", { onset: start, duration: round(end - start) });
      }, { class: "main" }));
  }
  const startMoving = (one) => { moving = { found_id: one.found_id, onset: one.onset, end: one.onset + (one.duration ?? 0) }; show(); };

  async function decideFound(one, decision, times = { onset: one.onset, duration: one.duration }) {
    const answer = await context.act({ do: "decide_found", found_id: one.found_id, decision, ...times }, `${title(one)}: ${decision}`);
    if (answer) await refresh();
  }

  // ---- own events
  function choose(one) {
    if (!one?.event_id) return;
    current = one.event_id;
    if (Math.abs(player.time - one.onset) > 0.001) player.moveTo(one.onset);
    showForm();
    show();
  }

  function onset(sign) {
    if (!sign || study.read_only) return;
    const one = { event_id: number(), revision: 0, onset: round(player.time), duration: null, sign, level: null, side: null,
      body_part: null, confidence: null, comment: "", source: "person" };
    own.push(one);
    current = one.event_id;
    lastSign = sign;
    change(one, {}, `onset of ${words(sign)} at ${clock(one.onset)}`);
    showForm();
  }

  function offset(one = openOf() ?? event(current)) {
    if (!one || study.read_only) return say("no event to end");
    const duration = round(player.time - one.onset);
    if (duration < 0) return say("the onset is after this frame");
    current = one.event_id;
    change(one, { duration }, `offset of ${words(one.sign)} at ${clock(player.time)}`);
    showForm();
  }

  function toggle(sign) {
    const begun = openOf(sign);
    lastSign = sign;
    if (begun) offset(begun);
    else onset(sign);
  }

  /** Change an event and send it, after `pause` ms; of several changes on their way the last is sent. */
  function change(one, values, done, pause = 0) {
    Object.assign(one, values);
    drafts.set(draft, { ...drafts.get(draft), [one.event_id]: one });
    const timer = dirty.get(one.event_id);
    if (timer !== "sending" && timer !== "again") {
      clearTimeout(timer);
      dirty.set(one.event_id, setTimeout(() => save(one, done), pause));
    } else dirty.set(one.event_id, "again");
    show();
  }

  async function save(one, done) {
    dirty.set(one.event_id, "sending");
    const sent = Object.fromEntries(FIELDS.map((name) => [name, one[name]]));
    try {
      const answer = await context.send({ do: "event", event_id: one.event_id, revision: one.revision, ...sent });
      one.revision = answer.event?.revision ?? answer.revision;
      if (done) say(done);
    } catch (error) {
      dirty.delete(one.event_id);
      if (error.status === 409) return conflict(one, error);
      return context.fail(error);
    }
    if (dirty.get(one.event_id) === "again") return save(one);
    dirty.delete(one.event_id);
    forget(one);
    show();
  }

  function forget(one) {
    const kept = drafts.get(draft) ?? {};
    delete kept[one.event_id];
    if (Object.keys(kept).length) drafts.set(draft, kept);
    else drafts.drop(draft);
  }

  function conflict(one, { current: theirs }) {
    current = one.event_id;
    const put = (values) => { Object.assign(one, values); forget(one); showForm(); show(); };
    form.replaceChildren(el("div", { class: "conflict", role: "alert", id: "conflict" },
      el("p", {}, theirs ? `This event was changed in another window: ${title(theirs)} ${span(theirs)} ${theirs.comment ?? ""}`
        : "This event was deleted in another window."),
      el("p", {}, `Here it is: ${title(one)} ${span(one)} ${one.comment ?? ""}`),
      button("Take the other", () => {
        if (theirs) return put(theirs);
        own = own.filter((other) => other !== one);
        forget(one);
        current = null;
        showForm();
        show();
      }),
      button("Keep mine", () => {
        forget(one);
        if (!theirs) current = one.event_id = number(); // what was deleted is marked again
        one.revision = theirs?.revision ?? 0;
        showForm();
        change(one, {});
      }, { class: "main" })));
    form.querySelector("button").focus();
  }

  async function removeEvent(one) {
    clearTimeout(dirty.get(one.event_id));
    const answer = await context.act({ do: "remove_event", event_id: one.event_id, revision: one.revision },
      `deleted: ${title(one)}; u takes it back`);
    if (!answer) return;
    forget(one);
    if (current === one.event_id) { current = null; showForm(); }
    await refresh();
  }

  function showForm() {
    const one = event(current);
    if (!one) return form.replaceChildren();
    const sign = study.signs.find(({ name }) => name === one.sign);
    const set = (name) => (value) => { change(one, { [name]: value === "" ? null : value }); if (name === "sign") showForm(); };
    const among = (values) => [["", "–"], ...(values ?? []).map((value) => [String(value), words(value)])];
    const time = (id, value, onchange) => el("input", { type: "number", step: "0.001", min: "0", id, value: value ?? "",
      onchange: (change) => onchange(change.target.value === "" ? null : Number(change.target.value)) });
    const end = one.duration === null ? null : round(one.onset + one.duration);
    const comment = el("textarea", { id: "event-comment", rows: "2", maxlength: "2000", value: one.comment ?? "",
      oninput: (input) => change(one, { comment: input.target.value }, null, PAUSE) });
    form.replaceChildren(el("section", { class: "event" },
      el("h3", {}, "Chosen event"),
      sign?.hed && el("p", { class: "soft" }, sign.description ?? "", " ", el("code", {}, sign.hed)),
      el("div", { class: "fields" },
        labelled("Sign", choice(study.signs.map(({ name }) => [name, words(name)]), one.sign, set("sign"), { id: "event-sign" })),
        labelled("Onset, s", time("event-onset", one.onset, (value) => value !== null && change(one, {
          onset: value, duration: end === null ? null : Math.max(0, round(end - value)) }))),
        labelled("Offset, s", time("event-offset", end, (value) => change(one, {
          duration: value === null ? null : Math.max(0, round(value - one.onset)) }))),
        sign?.levels?.length > 0 && labelled("Level", choice(among(sign.levels), String(one.level ?? ""), set("level"), { id: "event-level" })),
        labelled("Side", choice(among(study.sides), one.side ?? "", set("side"), { id: "event-side" })),
        labelled("Body part", choice(among(study.body_parts), one.body_part ?? "", set("body_part"), { id: "event-body-part" })),
        labelled("How sure", choice(SURE, String(one.confidence ?? ""), (value) =>
          change(one, { confidence: value === "" ? null : Number(value) }), { id: "event-confidence" }))),
      labelled("Comment", comment)));
  }

  async function refresh() {
    const answer = await context.run(get(clipPath(clip_id, "/events"), { signal: context.signal }));
    if (!answer) return;
    const typed = Object.entries(drafts.get(draft) ?? {});
    own = answer.own.map((theirs) => (dirty.has(theirs.event_id) ? event(theirs.event_id) ?? theirs : theirs));
    own.push(...[...dirty.keys()].filter((id) => !event(id)).flatMap((id) => drafts.get(draft)?.[id] ?? []));
    found = answer.found ?? [];
    others = answer.others ?? [];
    for (const [id, values] of typed) {
      if (dirty.has(id)) continue; // on its way already
      const one = event(id); // typed before a reload, and never sent
      if (one && one.revision === values.revision) change(one, values);
      else if (!one && values.revision === 0) { own.push(values); change(values, {}); } else forget(values);
    }
    if (!form.contains(document.activeElement) && !form.querySelector("#conflict")) showForm();
    show();
  }

  show();
  return { node, refresh, choose,
    commands: { onset: () => onset(lastSign), offset: () => offset() },
    signKeys: new Map(study.signs.filter(({ name }) => keys.get(name)).map(({ name }) => [keys.get(name), [words(name), () => toggle(name)]])),
    leave() {
      for (const [id, timer] of dirty) {
        if (typeof timer !== "number") continue;
        clearTimeout(timer);
        const one = event(id);
        if (one) save(one);
      }
    } };
}
