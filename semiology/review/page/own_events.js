// The rater's own events of a clip: changed at once here, sent, and kept in the tab until they are
// acknowledged.

import { drafts, number } from "./api.js";
import { announce } from "./dom.js";

const FIELDS = ["onset", "duration", "sign", "level", "side", "body_part", "confidence", "comment"];
const TO_SEND = "to send"; // states of an event that is not acknowledged yet, beside a timer
const ON_ITS_WAY = "on its way";
const CHANGED_AGAIN = "changed again";

/** Fires "change", and "conflict" with {one, theirs} where another window has changed an event. */
export class OwnEvents extends EventTarget {
  constructor(context) {
    super();
    this.context = context;
    this.draft = `events.${context.clip.clip_id}`;
    this.list = [];
    this.states = new Map(); // event_id -> {state, timer}
    this.changes = 0; // made here, and acknowledged
  }

  get(id) {
    return this.list.find(({ event_id }) => event_id === id);
  }

  /** The last event, of this sign or any, that has no offset yet. */
  open(sign) {
    return this.list.findLast((one) => one.duration === null && (!sign || one.sign === sign));
  }

  add(sign, onset, done) {
    const one = {
      event_id: number(),
      revision: 0,
      onset,
      duration: null,
      sign,
      level: null,
      side: null,
      body_part: null,
      confidence: null,
      comment: "",
      source: "person",
    };
    this.list.push(one);
    this.change(one, {}, done);
    return one;
  }

  /** Change an event, and send it after `pause` ms; while it is on its way the last change waits. */
  change(one, values, done, pause = 0) {
    Object.assign(one, values);
    drafts.set(this.draft, { ...drafts.get(this.draft), [one.event_id]: one });
    const now = this.states.get(one.event_id);
    clearTimeout(now?.timer);
    if ([ON_ITS_WAY, CHANGED_AGAIN].includes(now?.state)) {
      this.states.set(one.event_id, { state: CHANGED_AGAIN });
    } else {
      const timer = setTimeout(() => this.send(one, done), pause);
      this.states.set(one.event_id, { state: TO_SEND, timer });
    }
    this.changed();
  }

  async send(one, done) {
    const id = one.event_id;
    this.states.set(id, { state: ON_ITS_WAY });
    const fields = Object.fromEntries(FIELDS.map((name) => [name, one[name]]));
    try {
      const action = { do: "event", event_id: id, revision: one.revision, ...fields };
      const answer = await this.context.send(action);
      one.revision = answer.event?.revision ?? answer.revision;
      if (done) announce(done);
    } catch (error) {
      this.states.delete(id);
      if (error.status !== 409) return this.context.fail(error);
      const detail = { one, theirs: error.current ?? null };
      return this.dispatchEvent(new CustomEvent("conflict", { detail }));
    }
    if (this.states.get(id)?.state === CHANGED_AGAIN) return this.send(one);
    this.forget(one);
  }

  /** Nothing of this event is left to be sent. */
  forget({ event_id }) {
    this.states.delete(event_id);
    const kept = drafts.get(this.draft) ?? {};
    delete kept[event_id];
    if (Object.keys(kept).length) drafts.set(this.draft, kept);
    else drafts.drop(this.draft);
    this.changed();
  }

  async remove(one, done) {
    clearTimeout(this.states.get(one.event_id)?.timer);
    const action = { do: "remove_event", event_id: one.event_id, revision: one.revision };
    if (await this.context.act(action, done)) this.drop(one);
  }

  drop(one) {
    this.list = this.list.filter((other) => other !== one);
    this.forget(one);
  }

  /** An event as another window left it. */
  take(one, theirs) {
    if (!theirs) return this.drop(one);
    Object.assign(one, theirs);
    this.forget(one);
  }

  /** An event as it is here, although another window changed or deleted it. */
  keep(one, theirs) {
    this.forget(one);
    if (!theirs) one.event_id = number(); // what was deleted is marked again
    one.revision = theirs?.revision ?? 0;
    this.change(one, {});
  }

  /** The events as the server has them, with what is not sent yet in its place. */
  read(served) {
    const kept = this.list.filter(({ event_id }) => this.states.has(event_id));
    const ids = new Set(kept.map(({ event_id }) => event_id));
    this.list = [...served.filter(({ event_id }) => !ids.has(event_id)), ...kept];
    for (const [id, values] of Object.entries(drafts.get(this.draft) ?? {})) {
      if (this.states.has(id)) continue;
      const one = this.get(id); // typed before a reload of the page, and never sent
      if (one?.revision === values.revision) this.change(one, values);
      else if (!one && values.revision === 0) {
        this.list.push(values);
        this.change(values, {});
      } else this.forget(values);
    }
    this.changed();
  }

  changed() {
    this.changes += 1;
    this.dispatchEvent(new Event("change"));
  }

  /** Send at once what waits: the clip is left. */
  leave() {
    for (const one of this.list) {
      const { state, timer } = this.states.get(one.event_id) ?? {};
      clearTimeout(timer);
      if (state === TO_SEND) this.send(one);
    }
  }
}
