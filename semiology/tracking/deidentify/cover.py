"""What is covered in each frame: grown boxes around heads, filled over short gaps, and everything
where the patient's head is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from semiology.errors import UserError
from semiology.tracking.boxes import grown, scaled, side, to_whole_pixels
from semiology.tracking.deidentify.heads import HeadDetection
from semiology.tracking.patient import FACE_THRESHOLD, MIN_SAMPLES, FaceTrack, link_faces

GREY = 127  # flat: a filled area holds nothing of what was there; blurring and pixels can be undone
# s; each frame gets its neighbours' boxes within this time too: heads move while a frame is exposed
# [our choice]
TIME_MARGIN = 0.1
# sides of the head a second by which its box grows at each edge while it is not seen, as fast as
# heads move in seizures
HEAD_SPEED = 4.0


@dataclass(frozen=True)
class DeidentifyOptions:
    """How to cover. [our choice]

    Attributes:
        lost: what happens to a frame with no head of the patient: "cover" all of it, or "keep" it
            but for other people's faces.
        lost_after: s from the nearest frame in which the patient's head was found to where it
            counts as lost.
        grow: times the size of the box around face or head joints that is covered.
    """

    lost: Literal["cover", "keep"] = "cover"
    lost_after: float = 0.5
    grow: float = 1.5

    def __post_init__(self) -> None:
        if self.lost not in ("cover", "keep"):
            raise UserError(f"deidentify: lost={self.lost!r}; give cover or keep")
        if not 0 <= self.lost_after <= 60:
            raise UserError(f"deidentify: lost_after={self.lost_after:g}; give seconds, 0 to 60")
        if not 1 <= self.grow <= 10:
            raise UserError(f"deidentify: grow={self.grow:g}; give a factor from 1 to 10")


@dataclass(frozen=True)
class Cover:
    """What one frame gets.

    Attributes:
        reason: "face" or "head": the patient's was found; "filled": between or next to frames with
            the head; "whole frame": the head is lost; "damaged": the frame cannot be decoded, all
            of it is covered; "nothing": the head is lost and the frame kept all the same.
        boxes: (box, 4) x0, y0, x1, y1 in whole px, the ends not included; the patient's and other
            people's. The whole frame is one box.
        added: how many of them were added because a face was found in the finished copy.
    """

    index: int
    time: float
    reason: str
    boxes: np.ndarray
    added: int = 0


def plan_covers(
    detections: Sequence[HeadDetection], width: int, height: int, options: DeidentifyOptions
) -> list[Cover]:
    """What each frame of a video of `width` times `height` px gets.

    The patient's head and every other face (linked over time) are filled each for themselves, see
    `fill`. A face seen three times or more, with a median probability of 0.9 or more, is a
    person's: it is grown and filled like the patient's head, but its box does not grow while it is
    not seen, because a face that turned away need not be found, and the check covers one that went
    on. The others are mostly patterns, and covered as found, in their own frame and those within
    0.1 s. The patient's head alone decides whether a frame is covered whole: that a caregiver's
    face was found says nothing of where the patient is.
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
    """Boxes (time, 4) px, NaN where not seen, with the rows filled that are within `longest` s of a
    row that was seen; others stay NaN.

    Between two sightings at most twice `longest` apart the box goes from one to the other on a
    straight line; otherwise the nearer one stays. Either grows at each edge by `speed` of its sides
    for every second that it is away from the nearer sighting.
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
            share = (times[row] - times[first]) / (times[last] - times[first])
            box = (1 - share) * boxes[first] + share * boxes[last]
        filled[row] = grown(box, speed * away * side(box))
    return filled


def spread_over_time(times: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """For each time the union of the boxes (time, 4) within 0.1 s of it; NaN where there are none."""
    united = np.full_like(boxes, np.nan)
    for row in np.flatnonzero(~np.isnan(boxes).any(axis=1)):
        first, last = np.searchsorted(
            times, [times[row] - TIME_MARGIN - 1e-9, times[row] + TIME_MARGIN + 1e-9]
        )
        united[first:last, :2] = np.fmin(united[first:last, :2], boxes[row, :2])
        united[first:last, 2:] = np.fmax(united[first:last, 2:], boxes[row, 2:])
    return united


def is_person(track: FaceTrack) -> bool:
    """Whether a track of faces is a person's: seen three times or more, with a median probability
    of 0.9 or more.
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
    """Share of the picture's pixels that lie in a box."""
    mask = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return float(mask.mean())
