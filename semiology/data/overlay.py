"""A copy of a video with tracks drawn on it: skeleton, face landmarks, rings around marked points,
lines of text.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image, ImageDraw, ImageFont

from semiology.data.keypoint_names import HANDS, SIDES
from semiology.data.pixels import reading_of
from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.video import Recording, read_frames, write_video

COLOURS = {
    "left": (255, 170, 0),
    "right": (0, 190, 255),
    "": (120, 255, 120),
}  # the patient's left, right, midline
FACE = (255, 255, 255)
MARK = (255, 60, 200)
UNSURE = 0.5  # below this confidence a joint is drawn hollow, its bones dark


def draw(
    image: np.ndarray,
    body: np.ndarray | None = None,
    face: np.ndarray | None = None,
    *,
    hands: np.ndarray | None = None,
    skeleton: Skeleton | None = None,
    confidence: np.ndarray | None = None,
    marks: np.ndarray | None = None,
    text: Sequence[str] = (),
) -> np.ndarray:
    """Draw on a copy of an RGB image, (height, width, 3) uint8. Points that are NaN are not drawn.

    Args:
        image: RGB.
        body: (joint, 2) px in the order of the skeleton's joints; orange is the patient's left,
            blue the right, green the midline.
        face: (landmark, 2) px, as white dots.
        hands: (42, 2) px in the order of `keypoint_names.HANDS`.
        skeleton: the joints' names and edges.
        confidence: of the joints, (joint,) 0 to 1: those below 0.5 are drawn hollow, those without
            a score (NaN) are not.
        marks: (point, 2) px, around each of which a ring is drawn.
        text: lines at the top left.
    """
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    radius = max(2.0, min(image.shape[:2]) / 150)
    if body is not None and skeleton is not None:
        _bones(pen, body, skeleton, confidence, radius)
    if hands is not None:
        for side, points in zip(SIDES, np.split(hands, 2)):
            _bones(pen, points, load_skeleton(f"{side}_hand_21"), None, radius / 3)
    if face is not None and np.isfinite(face).any():
        small = max(
            0.7, float(np.ptp(face[np.isfinite(face).all(axis=1)], axis=0).max()) / 100
        )  # so that the dots do not hide the face
        for landmark in face:
            _dot(pen, landmark, small, FACE, True)
    for mark in () if marks is None else marks[np.isfinite(marks).all(axis=1)]:
        box = (*(mark - 4 * radius), *(mark + 4 * radius))
        pen.ellipse(box, outline=MARK, width=max(2, round(radius)))
    if text:
        font = ImageFont.load_default(size=max(10, min(image.shape[:2]) // 28))
        lines = "\n".join(text)
        box = pen.multiline_textbbox((6, 4), lines, font=font)
        pen.rectangle((box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4), fill=(0, 0, 0))
        pen.multiline_text((6, 4), lines, font=font, fill=(255, 255, 255))
    return np.asarray(canvas)


def _bones(
    pen: ImageDraw.ImageDraw,
    points: np.ndarray,
    skeleton: Skeleton,
    confidence: np.ndarray | None,
    radius: float,
) -> None:
    """Draw joints (joint, 2) px as dots and the edges between them as lines."""
    sure = np.ones(len(points)) if confidence is None else confidence
    for outer, inner in skeleton.edge_index:
        if np.isfinite(points[[outer, inner]]).all():
            colour = _colour(skeleton.names[outer])
            if (sure[[outer, inner]] < UNSURE).any():
                colour = (colour[0] // 2, colour[1] // 2, colour[2] // 2)
            line = [*points[outer], *points[inner]]
            pen.line(line, fill=colour, width=max(1 if radius < 1 else 2, round(radius)))
    for name, joint, certain in zip(skeleton.names, points, sure):
        _dot(pen, joint, radius * 1.3, _colour(name), not certain < UNSURE)


def _colour(name: str) -> tuple[int, int, int]:
    return next((colour for side, colour in COLOURS.items() if side and side in name), COLOURS[""])


def _dot(
    pen: ImageDraw.ImageDraw,
    point: np.ndarray,
    radius: float,
    colour: tuple[int, int, int],
    filled: bool,
) -> None:
    if np.isfinite(point).all():
        box = (point[0] - radius, point[1] - radius, point[0] + radius, point[1] + radius)
        pen.ellipse(box, fill=colour if filled else None, outline=colour)


def write_overlay(
    video: str | Path | Recording,
    body: xr.Dataset | None,
    face: xr.Dataset | None,
    out: str | Path,
    *,
    skeleton: Skeleton,
    face_skeleton: Skeleton | None = None,
    hands: xr.Dataset | None = None,
    start: float = 0.0,
    end: float | None = None,
    captions: Sequence[str] | None = None,
    marks: Sequence[np.ndarray] | None = None,
) -> Path:
    """Write a copy of a video with tracks drawn on it, at the tracks' frame rate, without sound.

    Args:
        video: the file.
        body: tracks of the body over the same part of the video, or None.
        face: tracks of the face, or None.
        out: the copy.
        skeleton: the joints of the body that are drawn.
        face_skeleton: the landmarks of the face that are drawn; by default all.
        hands: tracks of the hands, or None.
        start, end: the part of the video, s.
        captions: one text per frame, lines separated by a line break; where there are fewer than
            frames, the last one stays.
        marks: (point, 2) px per frame, around which rings are drawn; where there are fewer than
            frames, none after the last.

    Raises:
        UserError: the video cannot be read, the tracks lack the skeleton's joints, the copy cannot
            be written.
    """
    joints = None if body is None else select(body, skeleton)
    landmarks = face if face is None or face_skeleton is None else select(face, face_skeleton)
    if hands is not None:
        hands = hands.sel(keypoint=HANDS)
    tracks = next((each for each in (joints, landmarks, hands) if each is not None), None)
    fps = 25.0 if tracks is None else tracks.attrs["fps"]

    def images() -> Iterator[np.ndarray]:
        last: np.ndarray | None = None
        for frame in read_frames(video, start, end, fps, reading=reading_of(tracks)):
            if frame.image is not None:
                last = frame.image
            if last is None:
                continue  # the part starts with a hole: there is no image yet
            caption = captions[min(frame.index, len(captions) - 1)] if captions else ""
            lines = caption.split("\n") if caption else []
            yield draw(
                last
                if frame.image is not None
                else last // 3,  # a hole in the video is shown dark, so that time is preserved
                _points(joints, frame.index),
                _points(landmarks, frame.index),
                hands=_points(hands, frame.index),
                skeleton=skeleton,
                confidence=None
                if joints is None or frame.index >= joints.sizes["time"]
                else joints["confidence"].values[frame.index],
                marks=marks[frame.index]
                if marks is not None and frame.index < len(marks)
                else None,
                text=lines,
            )

    write_video(out, images(), fps)
    return Path(out)


def _points(tracks: xr.Dataset | None, row: int) -> np.ndarray | None:
    """Positions (keypoint, 2) px in a row of tracks; None where there is no such row."""
    if tracks is None or row >= tracks.sizes["time"]:
        return None
    return tracks["position"].values[row].T  # (space, keypoint) -> (keypoint, space)
