// What is drawn over a frame: skeleton, hands, face landmarks, other people, marks.

export const SIDES = { left: "rgb(255,170,0)", right: "rgb(0,190,255)", "": "rgb(120,255,120)" };
const UNSURE = 0.5; // below, a point is drawn hollow, its bones half transparent
// red, orange, pale, light blue, blue: announced apart with any colour vision [ColorBrewer RdYlBu]
const RAMP = [
  [215, 25, 28],
  [253, 174, 97],
  [255, 255, 191],
  [171, 217, 233],
  [44, 123, 182],
];
const DENSE = 100; // keypoints of a part, a mesh of the face, whose dots would hide what is below
const MARK = "rgb(255,60,200)";

/** Colour of a confidence of 0 to 1. */
export function confidenceColour(confidence) {
  const place = Math.max(0, Math.min(1, confidence || 0)) * (RAMP.length - 1);
  const low = Math.min(RAMP.length - 2, Math.floor(place));
  const mixed = RAMP[low].map((from, k) =>
    Math.round(from + (RAMP[low + 1][k] - from) * (place - low)),
  );
  return `rgb(${mixed})`;
}

export const sideOf = (name) => (/^(left|right)_/.exec(name) ?? ["", ""])[1];

const colourOf = (name, confidence, shown) =>
  shown.confidence ? confidenceColour(confidence) : SIDES[sideOf(name)];

/** Points and bones of one part, in px of the frame; `unit` is a px of the screen. */
function skeleton(pen, part, values, unit, shown, size) {
  const order = new Map(part.keypoints.map((name, index) => [name, index]));
  const point = (index) => [values[3 * index], values[3 * index + 1], values[3 * index + 2]];
  pen.lineCap = "round";
  for (const [a, b] of part.edges ?? []) {
    const [x0, y0, c0] = point(order.get(a));
    const [x1, y1, c1] = point(order.get(b));
    if (!Number.isFinite(x0 + x1)) continue;
    const sure = Math.min(c0, c1);
    pen.globalAlpha = sure < UNSURE ? 0.5 : 0.9;
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.lineWidth = (0.6 * size + 2) * unit;
    pen.strokeStyle = "rgba(0,0,0,.45)";
    pen.stroke();
    pen.lineWidth = 0.6 * size * unit;
    pen.strokeStyle =
      sideOf(a) === sideOf(b) ? colourOf(a, sure, shown) : colourOf("", sure, shown);
    pen.stroke();
  }
  pen.globalAlpha = 1;
  part.keypoints.forEach((name, index) => {
    const [x, y, confidence] = point(index);
    if (!Number.isFinite(x)) return;
    pen.beginPath();
    pen.arc(x, y, size * unit, 0, 2 * Math.PI);
    pen.lineWidth = 1.5 * unit;
    const colour = colourOf(name, confidence, shown);
    if (confidence < UNSURE) {
      pen.strokeStyle = colour;
      pen.stroke();
    } else {
      pen.fillStyle = colour;
      pen.fill();
      if (size > 2) {
        pen.strokeStyle = "rgba(0,0,0,.6)";
        pen.stroke();
      }
    }
  });
}

function box(pen, [x0, y0, x1, y1], text, unit) {
  pen.lineWidth = 2 * unit;
  pen.strokeStyle = "rgba(255,255,255,.9)";
  pen.setLineDash([6 * unit, 4 * unit]);
  pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  pen.setLineDash([]);
  pen.font = `${12 * unit}px sans-serif`;
  pen.fillStyle = "white";
  pen.fillText(text, x0 + 4 * unit, y0 + 14 * unit);
}

/** A ring around a point, with a name beside it. */
export function ring(pen, x, y, unit, text = "", colour = MARK) {
  pen.lineWidth = 2 * unit;
  pen.strokeStyle = colour;
  pen.beginPath();
  pen.arc(x, y, 10 * unit, 0, 2 * Math.PI);
  pen.stroke();
  if (!text) return;
  pen.font = `${13 * unit}px sans-serif`;
  pen.lineWidth = 3 * unit;
  pen.strokeStyle = "rgba(0,0,0,.7)";
  pen.strokeText(text, x + 13 * unit, y + 4 * unit);
  pen.fillStyle = "white";
  pen.fillText(text, x + 13 * unit, y + 4 * unit);
}

export function cross(pen, x, y, unit) {
  pen.lineWidth = 2 * unit;
  pen.strokeStyle = MARK;
  pen.beginPath();
  for (const [dx, dy] of [
    [14, 0],
    [0, 14],
  ]) {
    pen.moveTo(x - dx * unit, y - dy * unit);
    pen.lineTo(x + dx * unit, y + dy * unit);
  }
  pen.stroke();
}

/** Everything that is switched on, over the frame of this number. */
export function drawTracks(pen, tracks, frame, unit, shown) {
  const parts = tracks.parts;
  if (shown.people) {
    for (const [x0, y0, x1, y1, person] of tracks.peopleAt(frame)) {
      box(pen, [x0, y0, x1, y1], `person ${person}`, unit);
    }
  }
  for (const [name, size] of [
    ["body", 4],
    ["hands", 2.2],
    ["face", 1.6],
  ]) {
    const values = shown[name] && parts[name] ? tracks.at(name, frame) : null;
    if (values)
      skeleton(
        pen,
        parts[name],
        values,
        unit,
        shown,
        parts[name].keypoints.length > DENSE ? size / 2 : size,
      );
  }
}
