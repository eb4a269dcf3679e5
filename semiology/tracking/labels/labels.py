"""Labelled frames: images from videos in which an annotator marked keypoints, for fine-tuning and
evaluating detectors.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from semiology.data.formats.image_names import check_frames, frame_numbers
from semiology.data.skeleton import Skeleton
from semiology.errors import UserError
from semiology.files import atomic_path, path_part

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2  # visibility, as COCO writes it


@dataclass(frozen=True)
class LabelledFrame:
    """One image.

    Attributes:
        frame_id: its name among the labels, e.g. "video/img005.png".
        image: the file.
        video: name of the video that it was taken from.
        participant_id: of the patient; where unknown, the video's name.
        index: number of the frame in the video, from 0; None where unknown.
        width: of the labelled image, px.
        height: of the labelled image, px.
        regions: boxes that were marked, "patient" and "face": x0, y0, x1, y1 in px.

    Raises:
        UserError: the video's or the image's name cannot name a file.
    """

    frame_id: str
    image: Path
    video: str
    participant_id: str
    index: int | None
    width: int
    height: int
    regions: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (self.video, self.image.name):  # copies of the image are named by them
            try:
                path_part(name)
            except ValueError as error:
                raise UserError(f"labels: image {self.frame_id!r}: {error}") from None


@dataclass(frozen=True)
class Labels:
    """Labelled frames of any number of videos and participants, all with the same keypoints.

    Attributes:
        keypoints: names, in the order of the arrays.
        frames: one entry per image.
        position: (frame, keypoint, 2) px, x to the right, y down; NaN where not labelled.
        visibility: (frame, keypoint) 0 not labelled, 1 labelled though hidden, 2 labelled and
            visible; as COCO writes it.

    Raises:
        UserError: shapes that do not fit, names or frames that repeat.
    """

    keypoints: list[str]
    frames: list[LabelledFrame]
    position: np.ndarray
    visibility: np.ndarray

    def __post_init__(self) -> None:
        expected = (len(self.frames), len(self.keypoints))
        if self.position.shape != (*expected, 2) or self.visibility.shape != expected:
            raise UserError(
                f"labels: position {self.position.shape} and visibility {self.visibility.shape},"
                f" expected {expected} and 2"
            )
        for what, names in {
            "keypoint": self.keypoints,
            "frame": [frame.frame_id for frame in self.frames],
        }.items():
            if repeated := [name for name, count in Counter(names).items() if count > 1]:
                raise UserError(
                    f"labels: {what} {repeated[0]!r} is there twice; a {what} has one name"
                )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def participants(self) -> np.ndarray:
        """(frame,) participant of each frame."""
        return np.array([frame.participant_id for frame in self.frames])

    @property
    def videos(self) -> np.ndarray:
        """(frame,) video of each frame."""
        return np.array([frame.video for frame in self.frames])

    def take(self, rows: Sequence[int] | np.ndarray) -> "Labels":
        """The labels of some frames, by row number or by a mask."""
        selected = np.asarray(rows)
        chosen = np.flatnonzero(selected) if selected.dtype == bool else selected.astype(int)
        return Labels(
            self.keypoints,
            [self.frames[row] for row in chosen],
            self.position[chosen],
            self.visibility[chosen],
        )

    def select(self, keypoints: Sequence[str]) -> "Labels":
        """The same frames with these keypoints, in this order.

        Raises:
            UserError: a keypoint that was not labelled.
        """
        if missing := [name for name in keypoints if name not in self.keypoints]:
            raise UserError(
                f"labels: no keypoint {missing[0]!r}; labelled are {', '.join(self.keypoints)}"
            )
        columns = [self.keypoints.index(name) for name in keypoints]
        return Labels(
            list(keypoints), self.frames, self.position[:, columns], self.visibility[:, columns]
        )

    def match(self, skeleton: Skeleton) -> "Labels":
        """The same frames with the joints of a skeleton, in its order; for models that need exactly
        these joints.

        Raises:
            UserError: a joint that was not labelled, or a label for a joint that the skeleton
                lacks.
        """
        if missing := [name for name in skeleton.names if name not in self.keypoints]:
            raise UserError(
                f"skeleton {skeleton.name}: its joint {missing[0]!r} is not labelled; labelled are"
                f" {', '.join(self.keypoints)}"
            )
        if extra := [name for name in self.keypoints if name not in skeleton.names]:
            raise UserError(
                f"skeleton {skeleton.name}: has no joint {extra[0]!r}, which is labelled; its"
                f" joints are {', '.join(skeleton.names)}"
            )
        return self.select(skeleton.names)

    def assign_participants(self, participants: dict[str, str]) -> "Labels":
        """The same labels with participants given by video name.

        Raises:
            UserError: a video without a participant.
        """
        if missing := sorted({frame.video for frame in self.frames} - set(participants)):
            raise UserError(
                f"labels: no participant is given for video {missing[0]!r}; {len(missing)} videos"
                " lack one"
            )
        frames = [replace(frame, participant_id=participants[frame.video]) for frame in self.frames]
        return Labels(self.keypoints, frames, self.position, self.visibility)


Mark = tuple[float, float, int]  # x, y in px, visibility


def labels_from_marks(
    keypoints: Iterable[str], found: Sequence[tuple[LabelledFrame, dict[str, Mark]]]
) -> Labels:
    """Labels from frames and the marked points in each, by name; `keypoints` come first in their
    order, others in order of appearance.
    """
    names = list(dict.fromkeys([*keypoints, *(name for _, marks in found for name in marks)]))
    marks = np.array(
        [[marks.get(name, (0.0, 0.0, UNLABELLED)) for name in names] for _, marks in found], float
    )
    marks = marks.reshape(len(found), len(names), 3)
    visibility = marks[:, :, 2].astype(np.int64)
    return Labels(
        names,
        [frame for frame, _ in found],
        np.where(visibility[:, :, None] > 0, marks[:, :, :2], np.nan),
        visibility,
    )


def with_numbers(labels: Labels, source: Path) -> Labels:
    """The same labels, frames without an index numbered by the names of their images, video by
    video (`frame_numbers`); where these do not tell, the index stays unknown: it is needed for
    comparison with tracks alone, where `frame_indices` says why.
    """
    frames = list(labels.frames)
    for rows in _by_video(labels).values():
        unknown = [row for row in rows if frames[row].index is None]
        try:
            numbers = frame_numbers([frames[row].image.name for row in unknown], source)
        except UserError:
            continue
        for row, number in zip(unknown, numbers, strict=True):
            frames[row] = replace(frames[row], index=number)
    return replace(labels, frames=frames)


def frame_indices(labels: Labels) -> list[int]:
    """Number in its video of each frame, for comparison with tracks.

    Raises:
        UserError: a number that is not known, with the reason; two images of one frame of a video.
    """
    for video, rows in _by_video(labels).items():
        named = [labels.frames[row] for row in rows]
        if unknown := [frame for frame in named if frame.index is None]:
            frame_numbers([frame.image.name for frame in unknown], Path(video))
            raise UserError(
                f"labels: the frame number of frame {unknown[0].frame_id!r} is not known (None),"
                f" nor that of {len(unknown) - 1} others; name images by frame (img0042.png) or"
                " give frame_index"
            )
        numbers = [frame.index for frame in named if frame.index is not None]
        check_frames(numbers, [frame.image.name for frame in named], Path(video))
    return [frame.index for frame in labels.frames if frame.index is not None]


def _by_video(labels: Labels) -> dict[str, list[int]]:
    """Video -> rows of its frames."""
    rows: dict[str, list[int]] = {}
    for row, frame in enumerate(labels.frames):
        rows.setdefault(frame.video, []).append(row)
    return rows


def concatenate_labels(parts: Sequence[Labels]) -> Labels:
    """Labels of several sources as one.

    Raises:
        UserError: sources that differ in their keypoints, or share a frame.
    """
    keypoints = parts[0].keypoints
    for part in parts[1:]:
        if set(part.keypoints) != set(keypoints):
            differ = sorted(set(part.keypoints) ^ set(keypoints))
            raise UserError(
                f"labels: sources differ in keypoint {differ[0]!r}; give labels of the same"
                " keypoints"
            )
    same = [part.select(keypoints) for part in parts]
    frames = [frame for part in same for frame in part.frames]
    return Labels(
        keypoints,
        frames,
        np.concatenate([p.position for p in same]),
        np.concatenate([p.visibility for p in same]),
    )


def read_image(frame: LabelledFrame) -> np.ndarray:
    """The frame's image, (height, width, 3) uint8 RGB.

    Raises:
        UserError: it is not there, is no image, or has another size than when it was labelled.
    """
    if not frame.image.is_file():
        raise UserError(
            f"{frame.image}: no such image, but {frame.frame_id} is labelled; if the images"
            " were moved, move them back"
        )
    try:
        with Image.open(frame.image) as opened:
            image = np.asarray(opened.convert("RGB"))
    except OSError as error:
        raise UserError(f"{frame.image}: not a readable image; export it again") from error
    if image.shape[:2] != (frame.height, frame.width):
        found = f"{image.shape[1]}x{image.shape[0]}"
        raise UserError(
            f"{frame.image}: {found} px, but it was labelled at {frame.width}x{frame.height}; give"
            " the images that were labelled"
        )
    return image


def copy_image(frame: LabelledFrame, target: Path) -> None:
    """Copy a frame's image, unless it is there already.

    Raises:
        UserError: it is not there.
    """
    if not frame.image.is_file():
        raise UserError(
            f"{frame.image}: no such image, but {frame.frame_id} is labelled; if the images"
            " were moved, move them back"
        )
    if frame.image.resolve() != target.resolve():
        with atomic_path(target) as temporary:
            shutil.copyfile(frame.image, temporary)
