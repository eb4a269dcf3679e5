"""A copy of a video with tracks drawn on it: skeleton, face landmarks, rings around marked points,
lines of text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image, ImageDraw, ImageFont

from semiology.data.keypoint_names import FACE_68, HANDS, MESH, SIDES
from semiology.data.pixels import reading_of
from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.errors import UserError
from semiology.video import Frame, Recording, probe, read_frames, write_video
from semiology.video.decode import AS_STATED, Reading, SourceFrame
from semiology.video.recording import source_frames
from semiology.video.resample import FrameConverter

COLOURS = {
    "left": (255, 170, 0),
    "right": (0, 190, 255),
    "": (120, 255, 120),
}  # the patient's left, right, midline
FACE = (255, 255, 255)
MARK = (255, 60, 200)
UNSURE = 0.5  # below this confidence a joint is drawn hollow, with its bones half transparent
BLANK = 40  # grey level in place of the video's images
# lines between the body's keypoints of either side, outer-inner, where both are there [our choice]
LINES = """
elbow-shoulder wrist-elbow thumb-wrist index-wrist pinky-wrist hip-shoulder knee-hip ankle-knee
heel-ankle foot_index-heel big_toe-heel small_toe-big_toe eye-nose ear-eye
"""
ACROSS = ("right_shoulder", "left_shoulder"), ("right_hip", "left_hip")


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
        confidence: of the joints, (joint,) 0 to 1: their opacity, 0.5 at least; those below 0.5 are
            drawn hollow, those without a score (NaN) are not.
        marks: (point, 2) px, around each of which a ring is drawn.
        text: lines at the top left.
    """
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas, "RGBA")  # colours with an opacity over RGB
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
    opacity = np.clip(np.nan_to_num(sure, nan=1.0), UNSURE, 1)
    for outer, inner in skeleton.edge_index:
        if np.isfinite(points[[outer, inner]]).all():
            colour = (*_colour(skeleton.names[outer]), int(255 * opacity[[outer, inner]].min()))
            line = [*points[outer], *points[inner]]
            pen.line(line, fill=colour, width=max(1 if radius < 1 else 2, round(radius)))
    for name, joint, certain, alpha in zip(skeleton.names, points, sure, opacity):
        _dot(pen, joint, radius * 1.3, (*_colour(name), int(255 * alpha)), not certain < UNSURE)


def _colour(name: str) -> tuple[int, int, int]:
    return next((colour for side, colour in COLOURS.items() if side and side in name), COLOURS[""])


def _dot(
    pen: ImageDraw.ImageDraw,
    point: np.ndarray,
    radius: float,
    colour: tuple[int, ...],
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


def whole_skeleton(tracks: xr.Dataset) -> Skeleton:
    """All keypoints of a body, with those of `LINES` and `ACROSS` whose ends are among them, to
    draw tracks of any backend. It is no skeleton for networks.
    """
    names = [str(name) for name in tracks.keypoint.values]
    lines = list(ACROSS)
    for side in SIDES:
        for outer, inner in (line.split("-") for line in LINES.split()):
            lines.append((f"{side}_{outer}", inner if inner in names else f"{side}_{inner}"))
    edges = tuple(line for line in lines if set(line) <= set(names))
    joints = {name: (name,) for name in names}
    return Skeleton("tracked", "body", joints, edges, names[0], (names[0],), (names[0], names[0]))


def part_of(tracks: xr.Dataset) -> str:
    """Which part tracks are of, by their keypoints' names: body, face or hands."""
    names = set(tracks.keypoint.values.tolist())
    if names & {*MESH, *FACE_68}:
        return "face"
    return "hands" if set(HANDS) <= names else "body"


def _few_landmarks(face: xr.Dataset) -> xr.Dataset:
    """The 23 landmarks of a face that has them, so that it can be seen; else all."""
    names = set(face.keypoint.values.tolist())
    for skeleton in map(load_skeleton, ("face_23", "face_23_from_68")):
        if {name for sources in skeleton.joints.values() for name in sources} <= names:
            return select(face, skeleton)
    return face


def _reading(video: str | Path | Recording, tracks: xr.Dataset) -> tuple[Reading, int, int]:
    """How to read the video so that its frames are those of the tracks, and their size, px.

    Raises:
        UserError: they are of another size.
    """
    size = tracks.attrs["width"], tracks.attrs["height"]
    # a copy, as semiology deidentify writes it, has square pixels whatever the video had
    for reading in (reading_of(tracks), AS_STATED):
        info = probe(video, reading)
        if not all(size) or (info.width, info.height) == size:
            return reading, info.width, info.height
    raise UserError(
        f"{video}: frames of {info.width}x{info.height} px, and the tracks are of"
        f" {size[0]}x{size[1]} px: give the video that was tracked"
    )


def tracked_frames(
    video: str | Path | Recording, tracks: xr.Dataset, reading: Reading
) -> Iterator[Frame]:
    """For each row of tracks the frame that it was found in, by its number in the video, whatever
    the clip's start; without an image where the row has none, or the frame is damaged.

    Raises:
        VideoError: the video cannot be read.
        UserError: it ends before a frame of the tracks.
    """
    numbers, times = tracks["source_index"].values, tracks["source_time"].values
    known, fps = np.flatnonzero(numbers >= 0), float(tracks.attrs["fps"])
    start = max(float(times[known[0]]) - 1, 0) if len(known) else 0.0
    sources, make = source_frames(video, start, reading=reading), FrameConverter(video, fps)
    source: SourceFrame | None = None
    for row, number in enumerate(numbers.tolist()):
        while number >= 0 and (source is None or source.index < number):
            source = next(sources, None)
            if source is None:
                raise UserError(
                    f"{video}: ends before frame {number}, which the tracks have: give the video"
                    " that was tracked"
                )
        image = None
        if source is not None and source.index == number and source.decoded is not None:
            image = make.image(source)
        yield Frame(row, row / fps, float(times[row]), number, image)


def draw_tracks(
    video: str | Path | Recording,
    parts: Mapping[str, xr.Dataset],
    out: str | Path,
    *,
    blank: bool = False,
    watch: Callable[[Iterator[Frame]], Iterable[Frame]] = iter,
) -> Path:
    """Write a video of tracks drawn into the frames that they were found in, row by row at the
    tracks' frame rate, with each frame's time and number. No model is run.

    Args:
        video: that was tracked, or a copy of it with the same frames.
        parts: "body", "face" or "hands" -> tracks of one clip, at least one.
        out: the new video; it appears when it is whole.
        blank: draw on grey, and show nothing of the video.
        watch: sees each frame, for progress.

    Raises:
        UserError: parts of different clips, a video with frames of another size or fewer; see
            `write_video`.
    """
    first = next(iter(parts.values()))
    numbers = first["source_index"].values
    for part, tracks in parts.items():
        if not np.array_equal(tracks["source_index"].values, numbers):
            raise UserError(f"{part}: its frames are not those of {next(iter(parts))}")
        if "position" not in tracks:
            raise UserError(f"{part}: has no positions in px to draw")
    body, face, hands = (parts.get(part) for part in ("body", "face", "hands"))
    skeleton = None if body is None else whole_skeleton(body)
    face = None if face is None else _few_landmarks(face)
    hands = None if hands is None else hands.sel(keypoint=HANDS)
    confidence = None if body is None else body["confidence"].values

    reading, width, height = _reading(video, first)

    def images() -> Iterator[np.ndarray]:
        last = np.zeros((height, width, 3), np.uint8)
        for frame in watch(tracked_frames(video, first, reading)):
            last = last if frame.image is None else frame.image
            image = last // 3 if frame.image is None else last  # a hole is shown dark
            stated = f"{frame.source_time:.2f} s, frame {frame.source_index}"
            yield draw(
                np.full_like(image, BLANK) if blank else image,
                _points(body, frame.index),
                _points(face, frame.index),
                hands=_points(hands, frame.index),
                skeleton=skeleton,
                confidence=None if confidence is None else confidence[frame.index],
                text=[stated if frame.source_index >= 0 else "no frame"],
            )

    write_video(out, images(), first.attrs["fps"])
    return Path(out)
