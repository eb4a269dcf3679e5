// The frames of a clip in time: fetched ahead in the direction of play, shown by their true times.

import { blob, clipPath } from "./api.js";

const AHEAD = 16; // frames fetched before they are needed
const BEHIND = 4;
const KEPT = 48; // decoded frames in memory: 80 MB at 720x576
const AT_ONCE = 4; // of the six connections that a browser opens to one address
const SHOWN_A_SECOND = 50; // at most: at a higher speed frames are passed over evenly
export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

/** Index of the frame that is on screen at `time`: the last of `times` that is not later. */
export function frameAt(times, time) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + 1e-6) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Which frames to hold, the most urgent first: the wanted, after a move by a second the next such
 * `leaps`, those ahead, a few behind.
 */
export function wishes(index, direction, stride, count, leaps = []) {
  const ahead = Array.from({ length: AHEAD }, (_, k) => index + direction * stride * (k + 1));
  const behind = Array.from({ length: BEHIND }, (_, k) => index - direction * (k + 1));
  const all = new Set([index, ...leaps, ...ahead, ...behind]);
  return [...all].filter((frame) => frame >= 0 && frame < count);
}

/** Fires "frame" when another frame is on screen, "state" when play begins, ends or changes speed. */
export class Player extends EventTarget {
  /** `draw(bitmap, index)` puts a frame on screen; frames are numbered from `first`. */
  constructor(clip, times, draw) {
    super();
    Object.assign(this, { clip, times, draw, rate: 1, playing: false, height: 0 });
    this.count = Math.min(clip.count, times.length);
    this.index = this.wanted = 0; // on screen; asked for
    this.direction = 1;
    this.leaps = []; // where the next moves by a second lead
    this.shown = null; // the bitmap on screen
    this.cache = new Map(); // index -> ImageBitmap
    this.pending = new Map(); // index -> AbortController
    this.failed = new Map(); // index -> why
  }

  get frame() {
    return this.clip.first + this.index;
  }

  get time() {
    return this.times[this.index] ?? 0;
  }

  /** Frames are fetched at this height in px (0: as filmed); another empties the cache. */
  size(height) {
    const value = height >= this.clip.height ? 0 : height;
    if (value === this.height && this.shown) return;
    this.height = value;
    this.forget();
    this.go(this.wanted, 0);
  }

  forget() {
    for (const control of this.pending.values()) control.abort();
    for (const bitmap of this.cache.values()) if (bitmap !== this.shown) bitmap.close();
    this.pending.clear();
    this.cache.clear();
  }

  /** Show the frame `index`, counted from the clip's first. */
  go(index, direction = Math.sign(index - this.wanted)) {
    this.wanted = Math.max(0, Math.min(this.count - 1, index));
    if (direction) this.direction = direction;
    this.put(this.wanted);
    this.fill();
  }

  step(frames) {
    this.pause();
    this.leaps = [];
    this.go(this.wanted + frames, Math.sign(frames));
  }

  seconds(step) {
    const at = this.times[this.wanted] + step;
    this.leaps = [1, 2].map((more) => frameAt(this.times, at + more * step));
    this.moveTo(at, Math.sign(step));
  }

  /** Show what was on screen at `time` s from the clip's start. */
  moveTo(time, direction) {
    this.go(frameAt(this.times, time), direction);
    if (this.playing) this.at = this.times[this.wanted];
  }

  play() {
    if (this.playing) return;
    this.leaps = [];
    if (this.wanted >= this.count - 1) this.go(0, 1);
    Object.assign(this, { playing: true, at: this.times[this.wanted], before: null, direction: 1 });
    this.dispatchEvent(new Event("state"));
    requestAnimationFrame((now) => this.tick(now));
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.go(this.index, 1);
    this.dispatchEvent(new Event("state"));
  }

  speed(rate) {
    this.rate = rate;
    this.dispatchEvent(new Event("state"));
  }

  get stride() {
    const fps = (this.count - 1) / (this.times[this.count - 1] - this.times[0] || 1);
    return this.playing ? Math.max(1, Math.round((fps * this.rate) / SHOWN_A_SECOND)) : 1;
  }

  /** A moment of play. Where the frame is not there yet the clock waits for it. */
  tick(now) {
    if (!this.playing) return;
    const passed = this.before === null ? 0 : Math.min(0.1, (now - this.before) / 1000) * this.rate;
    this.before = now;
    const due = frameAt(this.times, this.at + passed);
    const stride = this.stride;
    const index = due >= this.count - 1 ? due : due - (due % stride);
    if (index <= this.wanted || this.cache.has(index) || this.failed.has(index)) {
      this.at += passed;
      if (index > this.wanted) this.go(index, 1);
    } else {
      const next = Math.min(this.count - 1, this.wanted + stride);
      if (this.cache.has(next)) this.at = this.times[next];
      this.go(this.cache.has(next) ? next : this.wanted, 1);
    }
    if (this.index >= this.count - 1) this.pause();
    requestAnimationFrame((later) => this.tick(later));
  }

  /** Put a frame on screen if it is there. */
  put(index) {
    const bitmap = this.cache.get(index);
    if (!bitmap && !this.failed.has(index)) return false;
    const old = this.shown;
    this.index = index;
    this.shown = bitmap ?? null;
    if (old && old !== this.shown && ![...this.cache.values()].includes(old)) old.close();
    this.draw(this.shown, index);
    performance.clearMarks("frame"); // the latest alone, so that memory stays flat
    performance.mark("frame", { detail: this.frame });
    this.dispatchEvent(new Event("frame"));
    return true;
  }

  redraw() {
    this.draw(this.shown, this.index);
  }

  fill() {
    const wish = wishes(this.wanted, this.direction, this.stride, this.count, this.leaps);
    const near = new Set(wish);
    for (const [index, control] of this.pending) {
      const lone = !near.has(index) && [...this.pending.keys()].at(-1) !== index;
      if (lone) {
        control.abort();
        this.pending.delete(index);
      }
    }
    for (const index of wish) {
      const urgent = index === this.wanted; // it never waits for those that may come in useful
      if (this.pending.size >= AT_ONCE + (urgent ? 1 : 0)) break;
      const there = this.cache.has(index) || this.pending.has(index) || this.failed.has(index);
      if (!there) this.fetch(index);
    }
    if (this.cache.size > KEPT) this.drop();
  }

  drop() {
    const far = (index) => Math.abs(index - this.wanted);
    const order = [...this.cache.keys()].sort((a, b) => far(b) - far(a));
    for (const index of order.slice(0, this.cache.size - KEPT)) {
      const bitmap = this.cache.get(index);
      this.cache.delete(index);
      if (bitmap !== this.shown) bitmap.close();
    }
  }

  async fetch(index) {
    const control = new AbortController();
    this.pending.set(index, control);
    const size = this.height ? `&height=${this.height}` : "";
    const name = `/frames/${this.clip.first + index}?toward=${this.direction}${size}`;
    try {
      const image = await blob(clipPath(this.clip.clip_id, name), { signal: control.signal });
      const bitmap = await createImageBitmap(image);
      if (control.signal.aborted) return bitmap.close();
      this.cache.set(index, bitmap);
    } catch (error) {
      if (control.signal.aborted) return;
      if (error.status) this.failed.set(index, error.message);
      else await new Promise((resolve) => setTimeout(resolve, 1000)); // the server is away: again
    }
    if (this.pending.get(index) !== control) return;
    this.pending.delete(index);
    const closer = Math.abs(index - this.wanted) < Math.abs(this.index - this.wanted);
    if (index === this.wanted || (closer && !this.playing) || !this.shown) this.put(index);
    this.fill();
  }

  close() {
    this.playing = false;
    this.count = 0;
    this.forget();
    this.shown?.close();
    this.shown = null;
  }
}
