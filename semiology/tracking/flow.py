"""Movement without a skeleton: optical flow by region of the patient, where a blanket hides the
body or no joint is found.

Dense flow between successive frames by OpenCV's DIS (Kroeger et al. 2016, "Fast optical flow using
dense inverse search", ECCV). Before, each frame is divided by its local contrast, which takes out
changes of light; after, the movement of the camera is taken out: an affine field fitted robustly to
the flow outside of the patient's box. What is left is averaged by region:

- head, arms, trunk and legs, the patient's own left and right, in frames in which the pose places
  them with confidence; NaN elsewhere. Where a limb is hidden, its pose is a guess;
- a fixed grid over the patient's box (`grid_ROW_COLUMN`, from the top left of the image), always.

The result is a dataset like tracks, with regions in the place of keypoints:

    energy    (time, region)         mean squared speed, px^2/s^2 of the video's square pixels
    velocity  (time, space, region)  mean velocity, px/s, x to the right, y down
    texture   (time, region)         fraction of the region in which flow can be seen, 0 to 1
    camera    (time, space)          px/s, what was taken out in the middle of the image

A row is the movement from the frame before to this one. It is NaN, with texture 0, where a frame is
missing or too small (a side of less than 12 px, where the longer one is 320 px), after a cut, in
the first row, and where a region is not placed or has no texture.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.errors import UserError
from semiology.tracking.boxes import around, clipped, grown, scaled, union, whole
from semiology.video import Frame

SIZE = 320  # px, longer side of the images that flow is computed on [our choice]
LEAST = 12  # px there, shorter side of images that have flow: DIS refuses smaller ones [C]
SPREAD = 6.0  # px there, standard deviation of the window of the local contrast [our choice]
# grey levels: local contrast at which a pixel counts half; twice the noise of a good camera [our
# choice]
NOISE = 4.0
SMALLEST = 0.05  # sides of the image; a smaller box is none of a patient [our choice]
ROWS, COLUMNS = 4, 4  # of the grid [our choice]
MARGIN = 1.2  # the patient's box, in boxes around the keypoints [our choice]
EXTENT = 5, 95  # percentiles over the clip of the keypoints' box [our choice]
# widths of the head, to each side of it, that a body covers: a box around a body whose limbs are
# hidden reaches as far [our choice]
HEADS = 10.0
THICK = 0.06  # half the width of a limb's region, in longer sides of the patient's box [our choice]
SURE = 0.5  # confidence from which a keypoint places a region [our choice]
SAMPLE = 8  # px there, between the places that the camera's movement is fitted to [our choice]
ROUNDS = 5  # of reweighting in that fit
OUTSIDE = 0.15  # fraction of those places outside of the box from which these alone are fitted
# correlation of a frame with the one before, moved by the flow, below which the scene was cut:
# chosen on public videos with cuts (docs/flow.md)
CUT = 0.35
BLOCK = 500  # frames of a block, as in tracks

PLACES: dict[str, tuple[tuple[str, ...], ...]] = {  # region -> lines through keypoints, by name
    "trunk": (
        ("left_shoulder", "right_hip"),
        ("right_shoulder", "left_hip"),
        ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"),
    ),
    "head": (("left_ear", "nose"), ("right_ear", "nose"), ("left_eye", "right_eye")),
    **{
        f"{side}_{limb}": tuple((f"{side}_{a}", f"{side}_{b}") for a, b in bones)
        for side in ("left", "right")
        for limb, bones in {
            "leg": (("hip", "knee"), ("knee", "ankle")),
            "arm": (("shoulder", "elbow"), ("elbow", "wrist")),
        }.items()
    },
}
HEAD = ("nose", "left_ear", "right_ear", "left_eye", "right_eye")
BODY = ("head", "left_arm", "right_arm", "trunk", "left_leg", "right_leg")
GRID = tuple(f"grid_{row + 1}_{column + 1}" for row in range(ROWS) for column in range(COLUMNS))
REGIONS = (*BODY, *GRID)


def parameters() -> dict[str, object]:
    """All that the result depends on besides video and tracks, for the store's key.

    Raises:
        UserError: OpenCV is not installed.
    """
    settings = [SIZE, SPREAD, NOISE, ROWS, COLUMNS, MARGIN, HEADS, SMALLEST, THICK, SURE, SAMPLE]
    opencv = ".".join(_cv2().__version__.split(".")[:2])
    return {
        "method": "DIS",
        "opencv": opencv,
        "settings": [*settings, ROUNDS, OUTSIDE, CUT, *EXTENT],
    }


def flow_blocks(
    frames: Iterable[Frame],
    fps: float,
    body: xr.Dataset | None = None,
    recorded: dict[str, str | int] | None = None,
) -> Iterator[xr.Dataset]:
    """The patient's movement by region, in blocks of 500 frames.

    Args:
        frames: of the clip, at the rate of its tracks.
        fps: Hz.
        body: tracks of the body in the same frames; None, or tracks without anybody: only the grid,
            over the whole image.
        recorded: attributes of the video that the dataset keeps.

    Raises:
        UserError: OpenCV is not installed.
    """
    measure: FlowMeasure | None = None
    rows: list[tuple[Frame, Row]] = []
    for frame in frames:
        if measure is None and frame.image is not None:
            height, width = frame.image.shape[:2]
            measure = FlowMeasure(width, height, body)
        rows.append((frame, EMPTY if measure is None else measure(frame)))
        if len(rows) == BLOCK:
            yield _dataset(rows, fps, measure, recorded or {})
            rows = []
    if rows:
        yield _dataset(rows, fps, measure, recorded or {})


@dataclass(frozen=True)
class Row:
    """One frame's energy (region,), velocity (2, region), texture (region,) and camera (2,)."""

    energy: NDArray
    velocity: NDArray
    texture: NDArray
    camera: NDArray


EMPTY = Row(
    np.full(len(REGIONS), np.nan),
    np.full((2, len(REGIONS)), np.nan),
    np.zeros(len(REGIONS)),
    np.full(2, np.nan),
)


class FlowMeasure:
    """Measures one frame after the other of a clip.

    Args:
        width, height: of the frames, px.
        body: tracks of the body in these frames, or None.
    """

    def __init__(self, width: int, height: int, body: xr.Dataset | None) -> None:
        self._cv2 = _cv2()
        self._dis = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.width, self.height = width, height
        self._scale = min(1.0, SIZE / max(width, height))
        self._size = round(width * self._scale), round(height * self._scale)
        self._keypoints = _positions(body)
        self.box = patient_box(body, width, height)
        self._cells = grid_labels(self.box * self._scale, *self._size)
        self._sample = self._places()
        self._before: tuple[Frame, NDArray] | None = None
        self._last = EMPTY

    def __call__(self, frame: Frame) -> Row:
        """The movement since the frame before; EMPTY where there is none. A source frame that is
        repeated repeats its row.
        """
        if frame.image is None or min(self._size) < LEAST:
            self._before = None
            return EMPTY
        if self._before is not None and self._before[0].source_index == frame.source_index:
            return self._last
        image, texture = self._normalised(frame.image)
        before, self._before = self._before, (frame, image)
        if before is None:
            self._last = EMPTY
        else:
            seconds = frame.source_time - before[0].source_time
            self._last = self._measured(before[1], image, texture, seconds, frame.index)
        return self._last

    def _measured(
        self, before: NDArray, image: NDArray, texture: NDArray, seconds: float, index: int
    ) -> Row:
        flow = self._dis.calc(image, before, None)  # where each pixel of this frame came from
        if self._is_cut(before, image, flow, texture) or not seconds > 0:
            return EMPTY
        camera = affine(-flow[self._sample[1], self._sample[0]], self._sample.T)
        y, x = np.ogrid[: self._size[1], : self._size[0]]
        per_second = 1 / (self._scale * seconds)
        across, down = (
            -(flow[..., axis] + (camera[0, axis] * x + camera[1, axis] * y + camera[2, axis]))
            * per_second
            for axis in (0, 1)
        )
        layers = [self._limbs(index), np.where(self._cells < 0, -1, self._cells + len(BODY))]
        sums = np.zeros((5, len(REGIONS)))
        for labels in layers:
            inside = labels >= 0
            where, weight = labels[inside], texture[inside]
            u, v = across[inside], down[inside]
            for row, values in enumerate((None, weight, weight * u, weight * v)):
                sums[row] += np.bincount(where, values, len(REGIONS))
            sums[4] += np.bincount(where, weight * (u * u + v * v), len(REGIONS))
        seen = np.divide(sums[1], sums[0], out=np.zeros(len(REGIONS)), where=sums[0] > 0)
        weights = np.where(seen > 0, sums[1], np.nan)
        middle = np.array([self._size[0] / 2, self._size[1] / 2, 1.0])
        return Row(sums[4] / weights, sums[2:4] / weights, seen, middle @ camera * per_second)

    def _normalised(self, image: NDArray) -> tuple[NDArray, NDArray]:
        """The frame in grey, small, divided by its local contrast (uint8), and how much of each
        pixel is texture, 0 to 1.
        """
        cv2 = self._cv2
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, self._size, interpolation=cv2.INTER_AREA).astype(np.float32)
        rest = grey - cv2.GaussianBlur(grey, (0, 0), SPREAD)
        variance = cv2.GaussianBlur(rest * rest, (0, 0), SPREAD)
        even = rest / np.sqrt(variance + NOISE**2)
        return np.clip(128 + 40 * even, 0, 255).astype(np.uint8), variance / (variance + NOISE**2)

    def _is_cut(self, before: NDArray, image: NDArray, flow: NDArray, texture: NDArray) -> bool:
        y, x = np.mgrid[: self._size[1], : self._size[0]].astype(np.float32)
        came = self._cv2.remap(before, x + flow[..., 0], y + flow[..., 1], self._cv2.INTER_LINEAR)
        one, other = image - 128.0, came - 128.0
        both = (texture * one * other).sum()
        apart = np.sqrt((texture * one * one).sum() * (texture * other * other).sum())
        return bool(both < CUT * apart)

    def _places(self) -> NDArray:
        """(2, place) x and y px at which the camera's movement is fitted: outside of the patient's
        box where there is enough of the image, else everywhere.
        """
        x, y = np.meshgrid(*(np.arange(SAMPLE // 2, size, SAMPLE) for size in self._size))
        outside = self._cells[y, x] < 0
        chosen = (
            outside if outside.sum() >= max(1, OUTSIDE * outside.size) else np.ones_like(outside)
        )
        return np.stack([x[chosen], y[chosen]])

    def _limbs(self, index: int) -> NDArray:
        """(height, width) which of BODY each pixel belongs to, -1 for none."""
        labels = np.full(self._size[::-1], -1, np.int16)
        if index >= len(self._keypoints[next(iter(PLACES))]):
            return labels
        thick = max(1, round(2 * THICK * float(max(self.box[2:] - self.box[:2])) * self._scale))
        for region, lines in self._keypoints.items():
            ends = lines[index]  # (line, end, space)
            if np.isfinite(ends).all(axis=(1, 2))[-1]:  # its last line: of a limb the far bone
                for line in ends[np.isfinite(ends).all(axis=(1, 2))]:
                    start, stop = (tuple(map(int, point * self._scale)) for point in line)
                    self._cv2.line(labels, start, stop, BODY.index(region), thick)
        return labels


def affine(moved: NDArray, places: NDArray) -> NDArray:
    """The affine field (3, 2) that most of the movements follow: rows are the slopes along x and y,
    and the movement at (0, 0). Iteratively reweighted least squares with Tukey's weights, from the
    median on.

    Args:
        moved: (place, 2) px.
        places: (place, 2) x, y px.
    """
    design = np.column_stack([places, np.ones(len(places))])
    fitted = np.zeros((3, 2))
    fitted[2] = np.median(moved, axis=0)
    for _ in range(ROUNDS):
        left = np.linalg.norm(moved - design @ fitted, axis=1)
        reach = max(4.685 * 1.4826 * float(np.median(left)), 0.1)  # px; Tukey's constant
        weight = np.maximum(1 - (left / reach) ** 2, 0)  # its square root: of both sides
        if (weight > 0).sum() < 6:
            break
        fitted = np.linalg.lstsq(design * weight[:, None], moved * weight[:, None], rcond=None)[0]
    return fitted


def patient_box(body: xr.Dataset | None, width: int, height: int) -> NDArray:
    """The box (4,) px in which the patient moves over the clip, by all keypoints, the guessed ones
    too; the whole image where nobody was found.
    """
    image = whole(width, height)
    if body is None or "position" not in body:
        return image
    position = body["position"].transpose("time", "keypoint", "space").values.astype(float)
    known = position[np.isfinite(position).any(axis=(1, 2))]
    if not len(known):
        return image
    low = np.percentile(np.nanmin(known, axis=1), EXTENT[0], axis=0)
    high = np.percentile(np.nanmax(known, axis=1), EXTENT[1], axis=0)
    box = np.concatenate([low, high])
    head = known[:, [name in HEAD for name in body["keypoint"].values.tolist()]]
    head = head[np.isfinite(head).all(axis=(1, 2))]
    if head.size:
        wide = float(np.median(np.ptp(head, axis=1).max(axis=1)))
        box = union([box, grown(around(head.mean(axis=1)), HEADS * wide)])
    box = clipped(scaled(box, MARGIN), width, height)
    return box if (box[2:] - box[:2] > SMALLEST * max(width, height)).all() else image


def grid_labels(box: NDArray, width: int, height: int) -> NDArray:
    """(height, width) which cell of the grid over a box each pixel belongs to, -1 outside of it."""
    (x0, y0), (x1, y1) = box[:2], box[2:]
    column = np.floor((np.arange(width) + 0.5 - x0) / (x1 - x0) * COLUMNS).astype(int)
    row = np.floor((np.arange(height) + 0.5 - y0) / (y1 - y0) * ROWS).astype(int)
    inside = ((row >= 0) & (row < ROWS))[:, None] & ((column >= 0) & (column < COLUMNS))
    return np.where(inside, row[:, None] * COLUMNS + column, -1)


def seen(flow: xr.Dataset) -> dict[str, float]:
    """How much of the body was seen by which way, 0 to 1, over the frames that the video has.

    "pose": mean fraction of the six regions of the body that the pose places; "flow": of those that
    it does not place while the grid is measured: movement is seen there, without knowing whose limb
    it is.
    """
    frames = flow["source_index"].values >= 0
    if not frames.any():
        return {"pose": 0.0, "flow": 0.0}
    energy = flow["energy"].transpose("time", "region")
    placed = np.isfinite(energy.sel(region=list(BODY)).values[frames])
    measured = np.isfinite(energy.sel(region=list(GRID)).values[frames]).any(axis=1)
    return {"pose": float(placed.mean()), "flow": float((~placed & measured[:, None]).mean())}


def _positions(body: xr.Dataset | None) -> dict[str, NDArray]:
    """Region -> (time, line, end, space) px of the lines that place it, NaN where unsure."""
    empty = np.full((0, 1, 2, 2), np.nan)
    if body is None or "position" not in body:
        return dict.fromkeys(PLACES, empty)
    names = body["keypoint"].values.tolist()
    position = body["position"].transpose("time", "keypoint", "space").values.astype(float)
    position[body["confidence"].transpose("time", "keypoint").values < SURE] = np.nan
    absent = np.full((len(position), 2), np.nan)
    at = {name: position[:, number] for number, name in enumerate(names)}
    return {
        region: np.stack(
            [np.stack([at.get(name, absent) for name in line], 1) for line in lines], axis=1
        )
        for region, lines in PLACES.items()
    }


def _dataset(
    rows: Sequence[tuple[Frame, Row]],
    fps: float,
    measure: FlowMeasure | None,
    recorded: dict[str, str | int],
) -> xr.Dataset:
    frames, found = zip(*rows)

    def stacked(what: str) -> NDArray:
        return np.stack([getattr(row, what) for row in found]).astype(np.float32)

    return xr.Dataset(
        {
            "energy": (("time", "region"), stacked("energy")),
            "velocity": (("time", "space", "region"), stacked("velocity")),
            "texture": (("time", "region"), stacked("texture")),
            "camera": (("time", "space"), stacked("camera")),
        },
        coords={
            "time": np.array([frame.index for frame in frames]) / fps,
            "region": list(REGIONS),
            "space": ["x", "y"],
            "source_time": ("time", np.array([frame.source_time for frame in frames])),
            "source_index": ("time", np.array([frame.source_index for frame in frames])),
        },
        attrs={
            "fps": float(fps),
            "width": measure.width if measure else 0,
            "height": measure.height if measure else 0,
            "box": json.dumps([round(float(edge), 1) for edge in measure.box] if measure else []),
            "backend": "DIS optical flow",
            "schema": 1,
            "software": f"semiology {version('semiology')}",
            **recorded,
        },
    )


def _cv2() -> Any:
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise UserError(
            "optical flow: OpenCV is not installed; pip install 'semiology[blazepose]'"
        ) from error
    return cv2
