"""Read labelled frames of any labelling program, recognised by their format, and check images and
positions; write labelled frames for these programs, with their images.
"""

import csv
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from semiology.errors import UserError
from semiology.files import read_json
from semiology.tracking.labels.coco import from_coco, write_coco
from semiology.tracking.labels.cvat import from_cvat, write_cvat
from semiology.tracking.labels.deeplabcut import read_project, read_table_of_labels, write_project
from semiology.tracking.labels.label_studio import from_label_studio, write_label_studio
from semiology.tracking.labels.labels import LabelledFrame, Labels, copy_image, with_numbers

KNOWN_FORMATS = (
    "a DeepLabCut project's folder, a CollectedData table, a COCO or Label Studio JSON, or"
    " CVAT's XML"
)
MAX_SIDE = 100_000  # px; no image is wider
SHAPE_ERRORS = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
)  # a list where a number should be, and the like
ENTRY_FILES = {
    "deeplabcut": "config.yaml",
    "coco": "labels.json",
    "label-studio": "tasks.json",
    "cvat": "annotations.xml",
}  # program -> file


def read_labels(
    path: str | Path,
    participants: Path | None = None,
    *,
    images: Path | None = None,
    check_images: bool = True,
) -> Labels:
    """Labelled frames of a DeepLabCut project (its folder, or one CollectedData table), a COCO
    keypoints JSON, an export of Label Studio (JSON) or of CVAT (XML).

    Args:
        path: the folder or file.
        participants: table (.tsv or .csv) with the columns video and participant_id. Without it,
            and where the labels have none, the video's name is the participant: a split by
            participant then splits by video, and leaks where two videos show one person.
        images: the folder of the images, where they are not at the paths in the labels.
        check_images: False where positions alone are needed; the images are then neither searched
            nor measured.

    Raises:
        UserError: no such file or no known format, a damaged file, no labels in it, images that are
            missing or of another size than they were labelled at, a position outside its image, a
            video without a participant.
    """
    path = Path(path)
    labels = with_numbers(_read(path), path)
    if not (labels.visibility > 0).any():
        raise UserError(f"{path}: nothing is labelled in it; label some frames and save them")
    if participants is not None:
        labels = labels.assign_participants(read_participants(participants))
    elif len(videos := set(labels.videos)) > 1 and all(
        frame.participant_id == frame.video for frame in labels.frames
    ):
        log.warning(
            "%s: no participants are given: each of its %d videos counts as a participant",
            path,
            len(videos),
        )
    if check_images:
        labels = _with_images(labels, path, images)
    _check_positions(labels, path)
    return labels


def _read(path: Path) -> Labels:
    if path.is_dir():
        return read_project(path)
    if not path.is_file():
        raise UserError(f"{path}: no such labels; give {KNOWN_FORMATS}")
    suffix = path.suffix.lower()
    if suffix in (".csv", ".h5"):
        return read_table_of_labels(path)
    if suffix == ".json":
        what = "a readable JSON file"
        content = read_json(path, object, what=what, remedy="export it again")
        try:
            if isinstance(content, dict):
                return from_coco(path, content)
            if isinstance(content, list):
                return from_label_studio(path, content)
        except UserError:
            raise
        except SHAPE_ERRORS as error:
            raise UserError(
                f"{path}: does not have the structure of COCO or Label Studio ({error});"
                " export it again"
            ) from error
    if suffix == ".xml":
        return from_cvat(path)
    raise UserError(f"{path}: not a known format of labels; give {KNOWN_FORMATS}")


def _with_images(labels: Labels, source: Path, images: Path | None) -> Labels:
    """The same labels, each frame with the path and size of its image as found on disk."""
    folder = source if source.is_dir() else source.parent
    found = [_find(frame, images or folder) for frame in labels.frames]
    if missing := [frame for frame, image in zip(labels.frames, found) if image is None]:
        raise UserError(
            f"{source}: {len(missing)} of {len(found)} images are not there, first"
            f" {missing[0].image}; move them back, or give the folder that holds them (images)"
        )
    taken: dict[Path, str] = {}
    frames = []
    for frame, image in zip(labels.frames, found):
        assert image is not None
        if (other := taken.setdefault(image, frame.frame_id)) != frame.frame_id:
            raise UserError(
                f"{source}: {frame.frame_id} and {other} are both {image}; keep each video's"
                " images in a folder of its own"
            )
        width, height = _size(frame, image)
        frames.append(replace(frame, image=image, width=width, height=height))
    return Labels(labels.keypoints, frames, labels.position, labels.visibility)


def _find(frame: LabelledFrame, folder: Path) -> Path | None:
    """The image at its path in the labels, or in `folder` by its name with up to three of the
    folders before it; None where there is none.
    """
    parts = [part for part in frame.image.parts if part != frame.image.anchor]
    tails = [Path(*parts[start:]) for start in range(max(len(parts) - 4, 0), len(parts))]
    candidates = [
        frame.image,
        *(base / tail for tail in tails for base in (folder, folder / "images")),
    ]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _size(frame: LabelledFrame, image: Path) -> tuple[int, int]:
    try:
        with Image.open(image) as opened:
            width, height = opened.size
    except OSError as error:
        raise UserError(f"{image}: not a readable image; export it again") from error
    if frame.width and (frame.width, frame.height) != (width, height):
        raise UserError(
            f"{image}: {width}x{height} px, but it was labelled at {frame.width}x{frame.height};"
            " give the images that were labelled"
        )
    return width, height


def _check_positions(labels: Labels, source: Path) -> None:
    for frame in labels.frames:
        if not (0 <= frame.width < MAX_SIDE and 0 <= frame.height < MAX_SIDE):
            raise UserError(
                f"{source}: {frame.frame_id} has a size of {frame.width}x{frame.height} px; correct"
                " its size"
            )
    limit = np.array([[frame.width or np.inf, frame.height or np.inf] for frame in labels.frames])[
        :, None
    ]
    outside = ((labels.position < 0) | (labels.position > limit)).any(axis=2)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        frame, (x, y) = labels.frames[row], labels.position[row, column]
        size = f"{frame.width}x{frame.height} px" if frame.width else "the image"
        where = (
            f"{labels.keypoints[column]} of {frame.frame_id} lies at {x:.1f}, {y:.1f}, outside"
            f" {size}"
        )
        raise UserError(
            f"{source}: {where}; {int(outside.sum())} such positions: correct them, or give the"
            " images that were labelled"
        )


def read_participants(path: str | Path) -> dict[str, str]:
    """Video -> participant, from a table with the columns video and participant_id (.tsv with tabs,
    else commas).

    Raises:
        UserError: no such file, a column that is missing, an empty cell, one video with two
            participants.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such table of participants; write one with the columns video and"
            " participant_id"
        )
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            columns, lines = table.fieldnames or [], list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path}: not a readable table ({error}); save it as text in UTF-8"
        ) from error
    if not {"video", "participant_id"} <= set(columns):
        raise UserError(
            f"{path}: needs the columns video and participant_id; has"
            f" {', '.join(columns) or 'none'}"
        )
    found: dict[str, str] = {}
    for row, line in enumerate(lines, start=2):
        video, participant = (line["video"] or "").strip(), (line["participant_id"] or "").strip()
        if not video or not participant:
            raise UserError(f"{path}: row {row}: video or participant_id is empty; fill it in")
        if found.setdefault(video, participant) != participant:
            raise UserError(
                f"{path}: row {row}: {video!r} has two participants, {found[video]!r} and"
                f" {participant!r}; keep one"
            )
    return found


def write_labels(
    labels: Labels, folder: str | Path, program: str, edges: Sequence[tuple[str, str]] = ()
) -> Path:
    """Write labels and copies of their images for "deeplabcut", "coco", "label-studio" or "cvat";
    returns the file to open there.

    Args:
        edges: pairs of keypoints that DeepLabCut draws connected.

    Raises:
        UserError: another program, labels that are there already, an image that is not there.
    """
    folder = Path(folder)
    images = image_folder(folder, program)
    if program == "deeplabcut":
        write_project(labels, folder, edges=edges)
    elif program == "label-studio":
        write_label_studio(labels, folder)
    elif program == "cvat":
        write_cvat(labels, folder)
    else:
        copies = [
            replace(frame, image=images / frame.video / frame.image.name) for frame in labels.frames
        ]
        for frame, copy in zip(labels.frames, copies):
            copy_image(frame, copy.image)
        write_coco(
            Labels(labels.keypoints, copies, labels.position, labels.visibility),
            folder / ENTRY_FILES[program],
        )
    return folder / ENTRY_FILES[program]


def image_folder(folder: Path, program: str) -> Path:
    """The folder of the images of an export: <folder>/<video>/<image>.

    Raises:
        UserError: another program, labels that are there already: an annotator may have changed
            them.
    """
    if program not in ENTRY_FILES:
        raise UserError(f"no export for {program!r}; there is {', '.join(ENTRY_FILES)}")
    if (folder / ENTRY_FILES[program]).exists():
        raise UserError(
            f"{folder}: {ENTRY_FILES[program]} is there already; choose another folder, so that no"
            " labels are overwritten"
        )
    return folder / ("labeled-data" if program == "deeplabcut" else "images")


log = logging.getLogger(__name__)
