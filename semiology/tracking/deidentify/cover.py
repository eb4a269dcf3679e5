"""The boxes to cover in each frame: grown boxes around heads, interpolated over short gaps, or the
whole frame where the patient's head is lost; and painting them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from semiology.errors import UserError
from semiology.tracking.boxes import grown, scaled, side, to_whole_pixels
from semiology.tracking.deidentify.heads import HeadDetection
from semiology.tracking.patient import FACE_THRESHOLD, MIN_SAMPLES, FaceTrack, link_faces
from semiology.video import Reading
from semiology.video.decode import Fields

GREY = 127  # flat: a filled area keeps nothing of the image; blurring and pixelation can be undone
# s; each frame gets its neighbours' boxes within this time too: heads move while a frame is exposed
# [our choice]
TIME_MARGIN = 0.1
# sides of the head per second by which its box grows at each edge while it is not detected, as fast
# as heads move in seizures
HEAD_SPEED = 4.0


@dataclass(frozen=True)
class DeidentifyOptions:
    """Options of covering. [our choice]

    Attributes:
        lost: what happens to a frame with no head of the patient: "cover" all of it, or "keep" it
            but for other people's faces.
        lost_after: s from the nearest frame in which the patient's head was found to where it
            counts as lost.
        grow: times the size of the box around face or head joints that is covered.
        pixel_aspect: "W:H", width of a stored pixel over its height, where the header states none
            or a wrong one. The copy has square pixels.
        fields: of interlaced videos: "auto" makes one frame of both fields, "both" a frame of every
            field, "off" leaves them woven.
    """

    lost: Literal["cover", "keep"] = "cover"
    lost_after: float = 0.5
    grow: float = 1.5
    pixel_aspect: str | None = None
    fields: Fields = "auto"

    @property
    def reading(self) -> Reading:
        """How the videos are read."""
        return Reading(self.pixel_aspect, self.fields)

    def __post_init__(self) -> None:
        _ = self.reading
        if self.lost not in ("cover", "keep"):
            raise UserError(f"deidentify: lost={self.lost!r}; give cover or keep")
        if not 0 <= self.lost_after <= 60:
            raise UserError(f"deidentify: lost_after={self.lost_after:g}; give seconds, 0 to 60")
        if not 1 <= self.grow <= 10:
            raise UserError(f"deidentify: grow={self.grow:g}; give a factor from 1 to 10")


@dataclass(frozen=True)
class Cover:
    """The boxes that are covered in one frame, and why.

    Attributes:
        index: number of the frame in the video.
        time: s from the first frame.
        reason: "face" or "head": the patient's was detected; "filled": between or next to frames
            with the head; "whole frame": the head is lost; "damaged": the frame cannot be decoded,
            all of it is covered; "nothing": the head is lost, and the options keep such frames.
        boxes: (box, 4) x0, y0, x1, y1 in whole px, the ends not included; the patient's and other
            people's. The whole frame is one box.
        added: number of boxes added because a face was detected in the finished copy.
    """

    index: int
    time: float
    reason: str
    boxes: np.ndarray
    added: int = 0


def plan_covers(
    detections: Sequence[HeadDetection], width: int, height: int, options: DeidentifyOptions
) -> list[Cover]:
    """The boxes to cover in each frame of a video of `width` times `height` px.

    Gaps of the patient's head and of every other face (linked over time) are filled separately, see
    `fill_between`. A face detected three times or more, with a median probability of 0.9 or more,
    is a person's: it is grown and filled like the patient's head, but its box does not grow while
    it is not detected, because a face that turned away need not be covered, and the check of the
    copy covers one that is still visible. The others are mostly false detections, and covered as
    detected, in their own frame and those within 0.1 s. The patient's head alone decides whether a
    frame is covered whole: a caregiver's face says nothing about where the patient is.
    """
    times = np.array([detection.time for detection in detections])
    found = np.array(
        [
            np.full(4, np.nan) if detection.head is None else detection.head
            for detection in detections
        ]
    )
    filled = fill_between(times, found, options.lost_after, HEAD_SPEED)
    wanted: list[list[np.ndarray]] = [[] for _ in times]
    _add(wanted, spread_over_time(times, scaled(filled, options.grow)))
    for track in link_faces((detection.time, detection.faces) for detection in detections):
        seen = np.full((len(times), 4), np.nan)
        seen[np.searchsorted(times, track.times)] = track.boxes
        if is_person(track):
            seen = scaled(fill_between(times, seen, options.lost_after, 0), options.grow)
        _add(wanted, spread_over_time(times, seen))
    frame = np.array([0, 0, width, height])
    result = []
    for number, detection in enumerate(detections):
        boxes = to_whole_pixels(wanted[number], width, height)
        is_lost = bool(np.isnan(filled[number]).any()) or not len(boxes)
        if detection.damaged or (is_lost and options.lost == "cover"):
            result.append(
                Cover(
                    detection.index,
                    detection.time,
                    "damaged" if detection.damaged else "whole frame",
                    frame[None],
                )
            )
            continue
        reason = "nothing" if is_lost else detection.by or "filled"
        result.append(Cover(detection.index, detection.time, reason, boxes))
    return result


def _add(wanted: list[list[np.ndarray]], boxes: np.ndarray) -> None:
    for row in np.flatnonzero(~np.isnan(boxes).any(axis=1)):
        wanted[row].append(boxes[row])


def fill_between(times: np.ndarray, boxes: np.ndarray, longest: float, speed: float) -> np.ndarray:
    """Fill gaps in boxes over time: rows within `longest` s of a detection; others stay NaN.

    Between two detections at most twice `longest` apart the box is interpolated linearly; otherwise
    it is that of the nearer one. Either grows at each edge by `speed` of its sides for every second
    from the nearer detection.

    Args:
        times: (time,) s.
        boxes: (time, 4) px, NaN where not detected.
        longest: s.
        speed: sides of the box per second.
    """
    filled = boxes.copy()
    seen = np.flatnonzero(~np.isnan(boxes).any(axis=1))
    for row in np.setdiff1d(np.arange(len(times)), seen) if len(seen) else []:
        after = int(np.searchsorted(seen, row))
        ends = [int(end) for end in seen[max(after - 1, 0) : after + 1]]
        away, nearest = min((abs(times[row] - times[end]), end) for end in ends)
        if away > longest:
            continue
        first, last = ends[0], ends[-1]
        box = boxes[nearest]
        if first < row < last and times[last] - times[first] <= 2 * longest:
            weight = (times[row] - times[first]) / (times[last] - times[first])
            box = (1 - weight) * boxes[first] + weight * boxes[last]
        filled[row] = grown(box, speed * away * side(box))
    return filled


def spread_over_time(times: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The union of the boxes (time, 4) within 0.1 s of each time; NaN where there are none."""
    united = np.full_like(boxes, np.nan)
    for row in np.flatnonzero(~np.isnan(boxes).any(axis=1)):
        first, last = np.searchsorted(
            times, [times[row] - TIME_MARGIN - 1e-9, times[row] + TIME_MARGIN + 1e-9]
        )
        united[first:last, :2] = np.fmin(united[first:last, :2], boxes[row, :2])
        united[first:last, 2:] = np.fmax(united[first:last, 2:], boxes[row, 2:])
    return united


def is_person(track: FaceTrack) -> bool:
    """Whether a track of faces is a person's: detected three times or more, with a median
    probability of 0.9 or more.
    """
    return (
        len(track.times) >= MIN_SAMPLES and float(np.median(track.probabilities)) >= FACE_THRESHOLD
    )


def paint(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """A copy of the image with the boxes (box, 4) filled with one grey."""
    image = image.copy()
    for x0, y0, x1, y1 in boxes:
        image[y0:y1, x0:x1] = GREY
    return image


def covered_fraction(boxes: np.ndarray, width: int, height: int) -> float:
    """Fraction of the image's pixels that lie in a box, 0 to 1."""
    mask = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return float(mask.mean())
