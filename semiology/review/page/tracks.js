// Keypoints of a clip, fetched in stretches of frames and kept while they are near.

import { bytes, clipPath, get } from "./api.js";

const STRETCH = 256; // frames a request
const KEPT = 12; // stretches

/** Fires "change" when more has come or something is another. */
export class Tracks extends EventTarget {
  constructor(clip) {
    super();
    this.clip = clip;
    this.parts = clip.parts ?? {};
    this.stretches = new Map(); // "part:number" -> Float32Array, or null while it is fetched
    this.changed = 0; // what was asked for before is out of date
  }

  /** (keypoint, 3) as a flat array: x, y in px, confidence; null where nothing is known yet. */
  at(part, frame) {
    const count = this.parts[part]?.keypoints.length;
    if (!count) return null;
    const [number, row] = this.place(frame);
    this.want(part, number);
    if (row > STRETCH / 2) this.want(part, number + 1);
    const stretch = this.stretches.get(`${part}:${number}`);
    const values = stretch?.subarray(row * count * 3, (row + 1) * count * 3);
    return values?.length === count * 3 ? values : null;
  }

  /** Boxes of other people: [[x0, y0, x1, y1, person], ..]. */
  peopleAt(frame) {
    const [number] = this.place(frame);
    this.want("people", number);
    return this.stretches.get(`people:${number}`)?.get(frame) ?? [];
  }

  /** A point as it will be once its correction is written. */
  set(part, frame, keypoint, x, y, confidence) {
    const row = this.at(part, frame);
    const index = this.parts[part].keypoints.indexOf(keypoint);
    row?.set([x, y, confidence], 3 * index);
    this.dispatchEvent(new Event("change"));
  }

  place(frame) {
    const offset = frame - this.clip.first;
    return [Math.floor(offset / STRETCH), offset % STRETCH];
  }

  async want(part, number) {
    const name = `${part}:${number}`;
    const first = this.clip.first + number * STRETCH;
    const count = Math.min(STRETCH, this.clip.first + this.clip.count - first);
    if (this.stretches.has(name) || count <= 0) return;
    this.stretches.set(name, null);
    while (this.stretches.size > KEPT) this.stretches.delete(this.stretches.keys().next().value);
    const asked = this.changed;
    const range = `?first=${first}&count=${count}`;
    try {
      const values =
        part === "people"
          ? byFrame(await get(clipPath(this.clip.clip_id, `/people${range}`)))
          : new Float32Array(await bytes(clipPath(this.clip.clip_id, `/tracks/${part}${range}`)));
      if (asked !== this.changed) return;
      this.stretches.set(name, values);
      this.dispatchEvent(new Event("change"));
    } catch {
      setTimeout(() => this.stretches.delete(name), 2000); // asked for again when next drawn
    }
  }

  /** Read everything again: it was corrected or tracked again. */
  again(clip = this.clip) {
    this.clip = clip;
    this.parts = clip.parts ?? {};
    this.changed += 1;
    this.stretches.clear();
    this.dispatchEvent(new Event("change"));
  }
}

function byFrame(rows) {
  const boxes = new Map();
  for (const [frame, ...box] of rows) {
    if (!boxes.has(frame)) boxes.set(frame, []);
    boxes.get(frame).push(box);
  }
  return boxes;
}
