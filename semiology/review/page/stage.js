// The image on its canvas: fitted, zoomed, moved; and what a finger or mouse does on it.

const CLOSEST = 12; // px of the screen within which a point is grabbed; twice that for a finger
const MOST = 8; // times

/** `tool` of the open panel gets grab(x, y, reach), drag(x, y), drop(), click(x, y): px of the frame. */
export class Stage {
  constructor(canvas, width, height, redraw) {
    Object.assign(this, { canvas, width, height, redraw, tool: null, zoom: 1, x: 0, y: 0 });
    this.pointers = new Map(); // id -> last position
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.up(event));
    }
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    canvas.addEventListener("dblclick", () => this.reset());
  }

  /** Px of the canvas's element for a px of the frame. */
  get scale() {
    const { clientWidth, clientHeight } = this.canvas;
    return Math.min(clientWidth / this.width, clientHeight / this.height) * this.zoom;
  }

  get corner() {
    const { clientWidth, clientHeight } = this.canvas;
    const scale = this.scale;
    return [
      (clientWidth - this.width * scale) / 2 + this.x,
      (clientHeight - this.height * scale) / 2 + this.y,
    ];
  }

  toFrame(x, y) {
    const [left, top] = this.corner;
    return [(x - left) / this.scale, (y - top) / this.scale];
  }

  /** Match the canvas's pixels to the screen's. */
  fit() {
    const ratio = devicePixelRatio || 1;
    const size = [this.canvas.clientWidth, this.canvas.clientHeight].map((side) =>
      Math.round(side * ratio),
    );
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) {
      [this.canvas.width, this.canvas.height] = size;
    }
  }

  /** Draw the frame, then `over(pen, unit)` in px of the frame; `unit` is a px of the screen. */
  paint(bitmap, over) {
    const pen = this.canvas.getContext("2d", { alpha: false });
    const ratio = devicePixelRatio || 1;
    const [left, top] = this.corner;
    const scale = this.scale;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(scale * ratio, 0, 0, scale * ratio, left * ratio, top * ratio);
    if (bitmap) pen.drawImage(bitmap, 0, 0, this.width, this.height);
    over(pen, 1 / scale);
  }

  reset() {
    Object.assign(this, { zoom: 1, x: 0, y: 0 });
    this.redraw();
  }

  zoomBy(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const [fx, fy] = this.toFrame(x, y);
    this.zoom = Math.max(1, Math.min(MOST, this.zoom * factor));
    if (this.zoom === 1) Object.assign(this, { x: 0, y: 0 });
    else {
      const [left, top] = this.corner;
      this.x += x - (left + fx * this.scale);
      this.y += y - (top + fy * this.scale);
    }
    this.redraw();
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (this.pointers.size > 1) {
      this.tool?.drop?.();
      this.held = null;
      return;
    }
    const reach = ((event.pointerType === "touch" ? 2 : 1) * CLOSEST) / this.scale;
    const point = this.toFrame(event.offsetX, event.offsetY);
    const grabbed = this.tool?.grab?.(...point, reach) ?? false;
    this.held = { grabbed, from: [event.offsetX, event.offsetY], moved: false };
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.offsetX, event.offsetY];
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
      this.zoomBy(apart(now) / Math.max(1, apart(before)), ...middle);
    } else if (this.held) {
      const far = Math.hypot(now[0] - this.held.from[0], now[1] - this.held.from[1]) > 4;
      this.held.moved ||= far;
      if (this.held.grabbed) this.tool.drag(...this.toFrame(...now));
      else if (this.held.moved && this.zoom > 1) {
        this.x += now[0] - before[0];
        this.y += now[1] - before[1];
        this.redraw();
      }
    }
    this.pointers.set(event.pointerId, now);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId) || !this.held) return;
    const { grabbed, moved } = this.held;
    this.held = null;
    if (grabbed) this.tool.drop();
    else if (!moved && event.type === "pointerup") {
      this.tool?.click?.(...this.toFrame(event.offsetX, event.offsetY));
    }
  }
}
