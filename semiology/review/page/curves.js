// Curves and events over time below the image: one lane a unit, then a lane for events.

import { clock, el, words } from "./dom.js";

// announced apart with any colour vision [Okabe and Ito 2008]; the second of each pair is for dark screens
const COLOURS = [
  ["#0072b2", "#56b4e9"],
  ["#b34a00", "#ee9a55"],
  ["#007a59", "#2fc79b"],
  ["#9a4c7d", "#dd9ac4"],
  ["#6b6100", "#e6d94c"],
  ["#444444", "#c8c8c8"],
];
const LEFT = 52; // px for the scale's figures
const EVENTS = 34; // px, the lane of events
const AXIS = 16;
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Least and greatest value in each of `columns` equal stretches of [from, to]; NaN where none. */
export function decimate(time, values, from, to, columns) {
  const low = new Float64Array(columns).fill(NaN);
  const high = new Float64Array(columns).fill(NaN);
  const width = (to - from) / columns;
  for (let k = 0; k < time.length; k += 1) {
    if (time[k] < from || time[k] > to || !Number.isFinite(values[k])) continue;
    const column = Math.min(columns - 1, Math.floor((time[k] - from) / width));
    if (!(low[column] <= values[k])) low[column] = values[k];
    if (!(high[column] >= values[k])) high[column] = values[k];
  }
  return [low, high];
}

/** [from, to] zoomed by `factor` around `at`, within [0, end] and no shorter than `least`. */
export function zoomed([from, to], factor, at, end, least) {
  const length = Math.min(end, Math.max(least, (to - from) / factor));
  const start = at - ((at - from) / (to - from || 1)) * length;
  const first = Math.max(0, Math.min(end - length, start));
  return [first, first + length];
}

/** `jump(time)` where one clicks; `choose(event)` where one clicks on an event. */
export class Curves {
  constructor(end, jump, choose) {
    Object.assign(this, {
      end: end || 1,
      jump,
      choose,
      range: [0, end || 1],
      at: 0,
      off: new Set(),
    });
    this.data = { time: [], curves: [] };
    this.events = []; // {onset, duration, text, kind: own|found|others|away}
    this.ticks = []; // {time, kind: corrected|worst}
    this.canvas = el("canvas", { id: "curves", tabindex: "0", role: "img" });
    this.legend = el("div", { id: "legend", class: "legend" });
    this.pointers = new Map();
    this.listen();
    dark.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  show(data) {
    this.data = data;
    const groups = new Map(); // "speed, left wrist" stands with the other speeds
    data.curves.forEach((curve, index) => {
      const [group, ...rest] = curve.name.split(", ");
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(this.switchOf(curve, index, words(rest.join(", ") || group)));
    });
    this.legend.replaceChildren(
      ...[...groups].map(([group, switches]) =>
        el(
          "span",
          { role: "group", "aria-label": words(group) },
          switches.length > 1 && el("span", { class: "soft" }, words(group)),
          switches,
        ),
      ),
    );
    const named = data.curves.map(({ name }) => words(name)).join("; ") || "none";
    this.canvas.setAttribute(
      "aria-label",
      `Curves over time: ${named}. Arrow keys move through the frames, z zooms in, shift z out.`,
    );
    this.draw();
  }

  switchOf({ name }, index, text) {
    const onchange = ({ target }) => {
      this.off[target.checked ? "delete" : "add"](name);
      this.draw();
    };
    const line = el("i", {});
    line.style.borderColor = COLOURS[index % COLOURS.length][dark.matches ? 1 : 0];
    return el(
      "label",
      {},
      el("input", { type: "checkbox", checked: !this.off.has(name), onchange }),
      line,
      text,
    );
  }

  moveTo(time) {
    this.at = time;
    const [from, to] = this.range;
    if (time < from || time > to) {
      const start = Math.max(0, Math.min(this.end - (to - from), time - 0.1 * (to - from)));
      this.range = [start, start + (to - from)];
    }
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  zoom(factor, at = this.at) {
    this.range = zoomed(this.range, factor, at, this.end, Math.min(0.5, this.end));
    this.draw();
  }

  x(time) {
    const [from, to] = this.range;
    return LEFT + ((time - from) / (to - from)) * (this.canvas.clientWidth - LEFT - 6);
  }

  timeAt(x) {
    const share = (x - LEFT) / (this.canvas.clientWidth - LEFT - 6);
    return this.range[0] + Math.max(0, Math.min(1, share)) * (this.range[1] - this.range[0]);
  }

  draw() {
    const { canvas } = this;
    const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio || 1];
    if (!width || !height) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px sans-serif";
    const units = [...new Set(this.data.curves.map(({ unit }) => unit))];
    const tall = (height - EVENTS - AXIS) / Math.max(1, units.length);
    units.forEach((unit, lane) => this.lane(pen, unit, lane * tall + 4, tall - 8, width));
    this.lanes(pen, height - EVENTS - AXIS, width);
    this.axis(pen, height - AXIS, width);
    const x = this.x(this.at);
    pen.strokeStyle = colour("--ink");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, height - AXIS);
    pen.stroke();
  }

  lane(pen, unit, top, height, width) {
    const { time, curves } = this.data;
    const shown = curves.filter((curve) => curve.unit === unit && !this.off.has(curve.name));
    const bounded = ["", "1", null, undefined].includes(unit);
    const columns = Math.max(1, Math.floor(width - LEFT - 6));
    const drawn = shown.map(({ values }) => decimate(time, values, ...this.range, columns));
    const highest = drawn.map(([, high]) => high.reduce((a, b) => (b > a ? b : a), 0));
    const full = bounded ? 1 : Math.max(0, ...highest) || 1;
    const y = (value) => top + height - (Math.max(0, value) / full) * height;
    pen.strokeStyle = colour("--line");
    pen.lineWidth = 1;
    pen.strokeRect(LEFT, top, width - LEFT - 6, height);
    pen.fillStyle = colour("--soft");
    pen.textAlign = "right";
    pen.fillText(full >= 100 ? Math.round(full) : Number(full.toPrecision(2)), LEFT - 5, top + 9);
    pen.fillText("0", LEFT - 5, top + height);
    pen.textAlign = "left";
    if (!bounded) pen.fillText(unit, LEFT + 5, top + 11);
    shown.forEach((curve, k) => {
      const index = curves.indexOf(curve);
      pen.strokeStyle = COLOURS[index % COLOURS.length][dark.matches ? 1 : 0];
      pen.lineWidth = 1.2;
      pen.beginPath();
      const [low, high] = drawn[k];
      let last = -Infinity;
      const gap = Math.max(
        2,
        (2.5 * columns * (this.end / Math.max(1, time.length))) / (this.range[1] - this.range[0]),
      );
      for (let column = 0; column < columns; column += 1) {
        if (Number.isNaN(low[column])) continue;
        if (column - last > gap) pen.moveTo(LEFT + column, y(low[column]));
        else pen.lineTo(LEFT + column, y(low[column]));
        if (high[column] > low[column]) pen.lineTo(LEFT + column, y(high[column]));
        last = column;
      }
      pen.stroke();
    });
  }

  lanes(pen, top, width) {
    const row = { own: [0, 11, "--blue"], others: [12, 9, "--soft"], found: [22, 9, "--orange"] };
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT - 6, top + EVENTS);
    pen.clip();
    for (const event of this.events) {
      const x0 = this.x(event.onset);
      const x1 = Math.max(x0 + 3, this.x(event.onset + (event.duration ?? 0)));
      if (event.kind === "away") {
        pen.globalAlpha = 0.18;
        pen.fillStyle = colour("--ink");
        pen.fillRect(x0, 0, x1 - x0, top + EVENTS);
        pen.globalAlpha = 1;
        continue;
      }
      const [down, tall, name] = row[event.kind];
      pen.fillStyle = pen.strokeStyle = colour(name);
      pen.globalAlpha = event.kind === "own" ? 0.85 : 0.55;
      if (event.faint) pen.strokeRect(x0 + 0.5, top + down + 0.5, x1 - x0 - 1, tall - 1);
      else pen.fillRect(x0, top + down, x1 - x0, tall);
      pen.globalAlpha = 1;
      if (event.chosen) {
        pen.lineWidth = 2;
        pen.strokeStyle = colour("--ink");
        pen.strokeRect(x0 - 1, top + down - 1, x1 - x0 + 2, tall + 2);
      }
    }
    for (const { time, kind } of this.ticks) {
      pen.fillStyle = colour(kind === "worst" ? "--orange" : "--blue");
      pen.fillRect(this.x(time) - 1, top + EVENTS - 5, 2, 5);
    }
    pen.restore();
    pen.fillStyle = colour("--soft");
    pen.textAlign = "right";
    pen.fillText("events", LEFT - 5, top + 9);
    if (this.events.some(({ kind }) => kind === "others"))
      pen.fillText("others", LEFT - 5, top + 20);
    if (this.events.some(({ kind }) => kind === "found")) pen.fillText("model", LEFT - 5, top + 31);
  }

  axis(pen, top, width) {
    const [from, to] = this.range;
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200];
    const step = steps.find((value) => (to - from) / value <= width / 80) ?? 14400;
    pen.fillStyle = colour("--soft");
    pen.textAlign = "center";
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
      const x = this.x(time);
      if (x > width - 22) break;
      pen.fillText(clock(time, step < 1 ? 1 : 0), x, top + 12);
      pen.fillRect(x, top, 1, 3);
    }
  }

  listen() {
    const { canvas, pointers } = this;
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const across = event.shiftKey ? event.deltaY : event.deltaX;
        if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY)) this.pan(across);
        else this.zoom(Math.exp(-event.deltaY / 300), this.timeAt(event.offsetX));
      },
      { passive: false },
    );
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event.offsetX);
      if (pointers.size > 1) return;
      const hit = this.hit(event.offsetX, event.offsetY);
      if (hit) this.choose(hit);
      else this.jump(this.timeAt(event.offsetX));
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (before === undefined) return;
      if (pointers.size === 2) {
        const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
        const factor = Math.abs(event.offsetX - other) / Math.max(8, Math.abs(before - other));
        this.zoom(Math.max(0.5, Math.min(2, factor)), this.timeAt((event.offsetX + other) / 2));
      } else this.jump(this.timeAt(event.offsetX));
      pointers.set(event.pointerId, event.offsetX);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
    canvas.addEventListener("dblclick", () => {
      this.range = [0, this.end];
      this.draw();
    });
  }

  pan(pixels) {
    const [from, to] = this.range;
    const shift = (pixels / this.canvas.clientWidth) * (to - from);
    const start = Math.max(0, Math.min(this.end - (to - from), from + shift));
    this.range = [start, start + (to - from)];
    this.draw();
  }

  hit(x, y) {
    const top = this.canvas.clientHeight - EVENTS - AXIS;
    if (y < top || y > top + EVENTS) return null;
    const kind = y < top + 12 ? "own" : y < top + 22 ? "others" : "found";
    return this.events.find(
      (event) =>
        event.kind === kind &&
        x >= this.x(event.onset) - 3 &&
        x <= this.x(event.onset + (event.duration ?? 0)) + 3,
    );
  }
}
