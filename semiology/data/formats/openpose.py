"""OpenPose's output: a folder with one JSON file a frame, `<video>_<frame>_keypoints.json`; body
(BODY_25 or COCO), face (70 points) and hands (21 points each).

People are numbered independently in every frame, so they are linked over time (`people.link`),
unless OpenPose's own tracking gave them a person_id. Positions must be in px of the video
(OpenPose's keypoint_scale 0). OpenPose 1.0 names its keys without `_2d`. Source: [C] OpenPose,
doc/02_output.md. What is written is BODY_25, OpenPose's own default, with all
keys that OpenPose 1.7 writes: other programs expect them.
"""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import (
    flat_triples,
    only_names,
    pixels,
    tracks_from_rows,
    triples,
)
from semiology.data.formats.people import choose_named, note_person
from semiology.data.keypoint_names import BODY_25, COCO_18, FACE_70, HANDS
from semiology.errors import UserError
from semiology.files import read_json, real_files, write_json

FILE = re.compile(r"(\d+)_keypoints\.json$")
# part -> its points; those of the body depend on OpenPose's model
PARTS = {"pose": BODY_25, "face": FACE_70, "hand_left": HANDS[:21], "hand_right": HANDS[21:]}
# of a person, always there and empty without such a detector
EMPTY = [f"{part}_keypoints_{dimensions}" for dimensions in ("2d", "3d") for part in PARTS]


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of one person. A frame without a file is missing; a point with confidence 0 was not
    found.

    Raises:
        UserError: not such a folder, a file that is not OpenPose's, points of an unknown model,
            positions not in px, no frame rate.
    """
    if not path.is_dir():
        raise UserError(
            f"{path}: OpenPose writes one file a frame; give the folder of its *_keypoints.json"
            " files"
        )
    files = [
        (int(match[1]), file) for file in real_files(path) if (match := FILE.search(file.name))
    ]
    if not files:
        raise UserError(f"{path}: no files *_keypoints.json in this folder")
    if len({FILE.sub("", file.name) for _, file in files}) > 1:
        raise UserError(f"{path}: holds files of several videos; give a folder of one video")
    people = {frame: _people(file) for frame, file in files}
    sizes = {len(person["pose"]) for found in people.values() for person in found} - {0}
    held = {
        part: points
        for part, points in {**PARTS, "pose": _names(path, sizes)}.items()
        if any(len(person[part]) for found in people.values() for person in found)
    }
    names = [name for points in held.values() for name in points]
    if not names:
        raise UserError(f"{path}: nobody in any frame")
    stacked = {frame: _stack(path, found, held) for frame, found in people.items()}
    # people are linked by body and face, for hands come and go; by hands where that is all
    last = sum(len(held[part]) for part in ("pose", "face") if part in held)
    if not any(np.isfinite(points[:, :last]).any() for points in stacked.values()):
        last = len(names)
    named = {
        frame: [
            (at[:last, :2], person["id"]) for at, person in zip(stacked[frame], found, strict=True)
        ]
        for frame, found in people.items()
    }
    chosen, note = choose_named(path, named, individual, "person_id")
    values = np.full((len(files), len(names), 3), np.nan)
    for row, (frame, _) in enumerate(files):
        if frame in chosen:
            values[row] = stacked[frame][chosen[frame]]
    if np.isfinite(values).any() and np.nanmax(np.abs(values[..., :2])) <= 1:
        raise UserError(
            f"{path}: positions lie between -1 and 1; write them in px (OpenPose:"
            " --keypoint_scale 0)"
        )
    tracks = tracks_from_rows(
        path,
        [frame for frame, _ in files],
        names,
        values[..., :2],
        fps=fps,
        confidence=values[..., 2],
        peaks=True,
        width=width,
        height=height,
        backend="openpose",
    )
    return note_person(tracks, note)


def _people(file: Path) -> list[dict]:
    raw = read_json(file, object, what="readable JSON", remedy="export it again")
    if not isinstance(raw, dict) or not isinstance(raw.get("people"), list):
        raise UserError(f"{file}: not OpenPose's: no list of people in it")
    found = []
    for number, person in enumerate(raw["people"]):
        points = {
            part: triples(
                file,
                f"person {number}" + ("" if part == "pose" else f", {part}"),
                person.get(f"{part}_keypoints_2d", person.get(f"{part}_keypoints")),
            )
            for part in PARTS
        }
        identity = int(np.ravel(person.get("person_id") or [-1])[0])  # -1: not tracked
        found.append({**points, "id": str(identity) if identity >= 0 else None})
    return found


def _names(path: Path, sizes: set[int]) -> list[str]:
    known = {25: BODY_25, 18: COCO_18}
    if len(sizes) > 1 or sizes - set(known):
        raise UserError(
            f"{path}: bodies of {sorted(sizes)} points; known are 25 (BODY_25) and 18 (COCO)"
        )
    return known[sizes.pop()] if sizes else []


def _stack(path: Path, found: list[dict], held: dict[str, list[str]]) -> np.ndarray:
    """(person, keypoint, 3), NaN where not found."""
    values = np.full((len(found), sum(map(len, held.values())), 3), np.nan)
    for number, person in enumerate(found):
        first = 0
        for part, names in held.items():
            if len(person[part]) not in (0, len(names)):
                raise UserError(
                    f"{path}: a {part} of {len(person[part])} points, others have {len(names)}"
                )
            if len(person[part]):
                values[number, first : first + len(names)] = np.where(
                    person[part][:, 2:] > 0, person[part], np.nan
                )
            first += len(names)
    return values


def write(tracks: xr.Dataset, path: Path) -> None:
    """A folder with one file a frame and one person in it: BODY_25, and face and hands where the
    tracks have them. Body points that the tracks lack are 0, 0, 0; those without a score have 1.

    Raises:
        UserError: a keypoint that OpenPose does not know, a folder that holds such files already or
            cannot be written.
    """
    if path.exists() and (
        not path.is_dir() or any(FILE.search(file.name) for file in real_files(path))
    ):
        raise UserError(f"{path}: is there already; OpenPose's files go into a new folder")
    position, confidence = pixels(tracks, path)
    known = [name for names in PARTS.values() for name in names]
    places = only_names(tracks, known, path)
    values = np.full((len(position), len(known), 3), np.nan, np.float32)
    values[:, places, :2], values[:, places, 2] = position, confidence
    ends = np.cumsum([len(names) for names in PARTS.values()])
    for frame, points in enumerate(values):
        person: dict[str, list] = {"person_id": [-1], **{key: [] for key in EMPTY}}
        for part, end, own in zip(PARTS, ends, np.split(points, ends[:-1]), strict=True):
            if part == "pose" or any(end - len(own) <= place < end for place in places):
                person[f"{part}_keypoints_2d"] = flat_triples(own[:, :2], own[:, 2])
        people = [person] if np.isfinite(points).any() else []
        write_json(
            path / f"tracks_{frame:012d}_keypoints.json",
            {"version": 1.3, "people": people},
            indent=None,
        )
