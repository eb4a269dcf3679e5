// What goes to the server and comes from it. An action is kept, and sent again under the same
// number, until the server has acknowledged it: also over a reload of the page.

export class Refused extends Error {
  constructor(message, status, current) {
    super(message);
    this.status = status;
    this.current = current;
  }
}

const SILENT = "The server does not answer. Is `semiology review` still running?";
const ENDED =
  "This session has ended: open the address that `semiology review` printed, in this tab.";

async function ask(path, options) {
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  const text = body.error ?? (answer.status === 403 ? ENDED : `${answer.status}: ${path}`);
  throw new Refused(text, answer.status, body.current);
}

async function read(path, options, way) {
  try {
    return await (await ask(path, options))[way]();
  } catch (error) {
    if (error instanceof Refused || error.name === "AbortError") throw error;
    throw new Error(SILENT);
  }
}

export const get = (path, options) => read(path, options, "json");
export const bytes = (path, options) => read(path, options, "arrayBuffer");
export const blob = (path, options) => read(path, options, "blob");

const body = (content) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(content),
});
export const post = (path, content = {}) => read(path, body(content), "json");
export const remove = (path) =>
  read(path, { method: "DELETE", headers: { "Content-Type": "application/json" } }, "json");

export const clipPath = (clip, rest = "") => `/api/clips/${encodeURIComponent(clip)}${rest}`;

/** A number for an action or an event, from the browser's own generator. */
export const number = () => crypto.randomUUID();

// ---- actions -----------------------------------------------------------------------------------

const WAITING = "semiology.waiting";
const waiting = JSON.parse(sessionStorage.getItem(WAITING) ?? "[]"); // [{id, clip, action}]
const callers = new Map(); // id -> {resolve, reject}
let sending = false;
let wake = null;
let readOnly = null;

/** "change" is fired whenever `state` or `reason` is another. */
export const saving = Object.assign(new EventTarget(), { state: "saved", reason: "", waiting: 0 });

function report(state, reason = "") {
  Object.assign(saving, { state, reason, waiting: waiting.length });
  saving.dispatchEvent(new Event("change"));
}

/** Every action is refused from now on, with this reason (null: none is). */
export function refuseAll(reason) {
  readOnly = reason;
  if (reason) report("readonly", reason);
}

/** Send an action; resolves with the server's answer, rejects with `Refused`. */
export function act(clip, action) {
  if (readOnly) return Promise.reject(new Refused(readOnly, 403));
  const id = number();
  waiting.push({ id, clip, action });
  sessionStorage.setItem(WAITING, JSON.stringify(waiting));
  const promise = new Promise((resolve, reject) => callers.set(id, { resolve, reject }));
  send();
  return promise;
}

async function send() {
  if (sending) return;
  sending = true;
  let failed = 0;
  while (waiting.length) {
    const { id, clip, action } = waiting[0];
    if (!failed) report("saving");
    let done, error;
    try {
      const options = { ...body({ id, action }), signal: AbortSignal.timeout(15000) };
      done = await (await ask(clipPath(clip, "/actions"), options)).json();
    } catch (reason) {
      error = reason;
    }
    const final =
      error instanceof Refused && error.status < 500 && ![403, 408, 429].includes(error.status);
    if (error && !final) {
      failed += 1;
      report("unsaved", error instanceof Refused ? error.message : SILENT);
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, Math.min(8000, 250 * 2 ** failed));
      });
      continue;
    }
    failed = 0;
    waiting.shift();
    sessionStorage.setItem(WAITING, JSON.stringify(waiting));
    const caller = callers.get(id);
    callers.delete(id);
    if (error) caller?.reject(error);
    else caller?.resolve(done);
  }
  sending = false;
  report("saved");
}

/** Try again at once what could not be saved. */
export function again() {
  wake?.();
  send();
}

/** Wait for what an earlier page of this tab left unsent, for `limit` ms at most. */
export async function settled(limit = 2000) {
  if (waiting.length) send();
  const end = performance.now() + limit;
  while (waiting.length && performance.now() < end) await new Promise((go) => setTimeout(go, 50));
}

addEventListener("online", again);
addEventListener("beforeunload", (event) => {
  if (waiting.length) event.preventDefault();
});

// ---- what is typed and not yet sent --------------------------------------------------------------

/** Kept in this tab alone, and gone with it: text of a form until its action is acknowledged. */
export const drafts = {
  get: (name) => JSON.parse(sessionStorage.getItem(`semiology.draft.${name}`) ?? "null"),
  set: (name, value) => sessionStorage.setItem(`semiology.draft.${name}`, JSON.stringify(value)),
  drop: (name) => sessionStorage.removeItem(`semiology.draft.${name}`),
};
