"""The store of extracted tracks and features: files named by a hash of all they depend on, and a
readable record per clip.

    STORE/<clip_id>/body-<key>.nc                 tracks of the body
    STORE/<clip_id>/face-<key>.nc                 tracks of the face
    STORE/<clip_id>/body.corrections.csv          manual corrections, applied when tracks are read
    STORE/<clip_id>/face_vgg-<key>.safetensors    features (time, channel) and time (time,) s
    STORE/<clip_id>/body_vgg-<key>.safetensors    the same of the body
    STORE/<clip_id>/body_patches-<key>.safetensors
                                                  the same of the image where each keypoint of the
                                                  body is: (time, keypoint * channel)
    STORE/<clip_id>/blendshapes-<key>.safetensors, fer-<key>.safetensors
                                                  the same of the face's expression
    STORE/<clip_id>/snippets-<key>.safetensors    features (snippet, channel) and time (snippet,) of
                                                  their first frames
    STORE/<clip_id>/people-<key>.safetensors      everybody of the first pass (sighting, channel)
    STORE/<clip_id>/flow-<key>.nc                 movement by region (`semiology.tracking.flow`)
    STORE/<clip_id>/record.json                   stage -> file, key, parameters behind the key,
                                                  fraction of frames found

A file appears whole or not at all, so its presence means that it is complete; two processes that
make the same file make the same bytes. Every file that semiology wrote holds a checksum
(`semiology.files`), which is verified when it is read. Names of videos are not stored.

Tracks of any length are written in blocks (`append_tracks`), of which memory holds one, and a full
disk raises an error. `clip_tracks` reads the tracks of a cohort's clip, its own or from a store.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.append import append_tracks
from semiology.data.arrays import read_arrays, write_arrays
from semiology.data.cohort import Clip
from semiology.data.corrections import (
    Correction,
    corrections_file,
    read_corrected,
    read_corrections,
    with_corrections,
)
from semiology.data.limbs import out_of_view
from semiology.data.packing import Precision
from semiology.data.pixels import refuse_stored
from semiology.data.tracks import read_netcdf, read_tracks, save_tracks, time_slice
from semiology.errors import UserError
from semiology.files import content_hash, read_json, write_json
from semiology.video import Recording

# raise when the same input and parameters give other content than before: part of every key
SCHEMA = 3
TRACKS = ("body", "face", "hands")
FEATURES = {
    "body_vgg": "--body_weights FILE",
    "face_vgg": "--face_weights FILE",
    "body_patches": "--body_weights FILE --patches true",
    "snippets": "--snippet_weights FILE",
    "flow": "--flow true",
    "people": "--people true",
    "blendshapes": "--expression blendshapes",
    "fer": "--expression fer",
}  # stage -> option of extract that makes it


Features = tuple[np.ndarray, np.ndarray]


def make_key(depends: Mapping[str, object]) -> str:
    """Key of a result: sixteen hexadecimal digits, a hash of all that it depends on."""
    text = json.dumps({"schema": SCHEMA, **depends}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def clip_of(path: Path) -> str:
    """The clip that a file of tracks or flow is of: of a file of a store, such as
    STORE/<clip_id>/hands-<key>.nc, its folder's name; of another its own.
    """
    stored = re.fullmatch(rf"({'|'.join(TRACKS)}|flow)(-[0-9a-f]{{16}})?", path.stem)
    return path.absolute().parent.name if stored else path.stem


class Store:
    """The output of extraction on disk, one folder per clip.

    Args:
        folder: created with the first file.
        plain: name files by stage only (`body.nc`), for single videos; then a change of parameters
            replaces the file.
    """

    def __init__(self, folder: str | Path, *, plain: bool = False):
        self.folder, self.plain = Path(folder), plain

    def tracks(self, clip_id: str, part: str) -> xr.Dataset:
        """Tracks of a clip's "body", "face" or "hands", with manual corrections applied.

        Raises:
            UserError: the clip, or this part of it, was not extracted; its corrections cannot be
                read, or are of another video.
        """
        corrections = self.corrections(clip_id, part)
        return with_corrections(self.predicted(clip_id, part), corrections)

    def corrections(self, clip_id: str, part: str) -> list[Correction]:
        """Manual corrections of a clip's part, oldest first.

        Raises:
            UserError: they cannot be read, or are of another video.
        """
        path = self.corrections_file(clip_id, part)
        corrections = read_corrections(path)
        if any(row.video not in ("", self.video_digits(clip_id)) for row in corrections):
            raise UserError(
                f"{path}: of another file of clip {clip_id}, or of the same one read in another way"
                " (pixel aspect, fields): its frame numbers or positions do not hold; move the"
                " table away, or bring that file or way back"
            )
        return corrections

    def predicted(self, clip_id: str, part: str) -> xr.Dataset:
        """Tracks as the tracker predicted them, without corrections.

        Raises:
            UserError: the clip, or this part of it, was not extracted.
        """
        return read_tracks(self.path(clip_id, part))

    def corrections_file(self, clip_id: str, part: str) -> Path:
        """Path of the corrections of the part's tracks: one table for all keys."""
        return corrections_file(self.folder / clip_id / f"{part}.nc")

    def video_digits(self, clip_id: str) -> str:
        """First sixteen digits of the SHA-256 of the clip's source file; empty where unknown.

        Where its frames were made of stored ones (pixels that are not square, a frame of every
        field), the digits are of both: positions and frame numbers hold for this way of reading
        alone.
        """
        record = self.record(clip_id)
        digits = str(record["source"].get("sha256", ""))
        reading = next(
            (entry["reading"] for entry in record["stages"].values() if "reading" in entry), None
        )
        if digits and reading:
            digits = hashlib.sha256(f"{digits} {reading}".encode()).hexdigest()
        return digits[:16]

    def features(self, clip_id: str, stage: str, *, as_stored: bool = False) -> Features:
        """Features of a clip, a stage of `FEATURES`: (time, channel) float32, NaN rows where
        missing, and (time,) s. `as_stored` leaves those of half precision in it, for what holds the
        features of all clips in memory.

        A row is a frame, and for "snippets" the snippet that begins at its time. Of "flow" see
        `flow_features`.

        Raises:
            UserError: the clip, or this stage of it, was not extracted; the file is damaged.
        """
        if stage == "flow":
            return flow_features(self.flow(clip_id))
        path = self.path(clip_id, stage)
        stored = read_arrays(path, "delete it and run semiology extract again")
        features = stored["features"]
        return features if as_stored else features.astype(np.float32, copy=False), stored["time"]

    def flow(self, clip_id: str) -> xr.Dataset:
        """Movement of a clip by region, see `semiology.tracking.flow`.

        Raises:
            UserError: it was not extracted; the file is damaged.
        """
        return read_flow(self.path(clip_id, "flow"))

    def channels(self, clip_id: str, stage: str) -> list[str]:
        """Names of the channels of a clip's features; empty where they have none, as a VGG's. Of
        "body_patches" the keypoints, each of which has as many channels.

        Raises:
            UserError: the record is damaged.
        """
        return self.record(clip_id)["stages"].get(stage, {}).get("channels", [])

    def path(self, clip_id: str, stage: str) -> Path:
        """The file of a stage, as the record names it.

        Raises:
            UserError: there is none; the message has the command that makes it. It is of another
                version.
        """
        entry = self.record(clip_id)["stages"].get(stage)
        if entry is None or not (path := self.folder / clip_id / entry["file"]).is_file():
            option = f" {FEATURES[stage]}" if stage in FEATURES else ""
            raise UserError(
                f"clip {clip_id}: no {stage} in {self.folder}; run: semiology extract COHORT"
                f" --store {self.folder}{option}"
            )
        if entry.get("schema") != SCHEMA:
            raise UserError(
                f"clip {clip_id}: {self.folder} was made by another version of semiology; extract"
                " into a new store"
            )
        return path

    def has(self, clip_id: str, stage: str, key: str | None = None) -> bool:
        """Whether a stage was extracted, and, with `key`, from this input with these parameters."""
        if key is not None and not self.plain:
            return self.file(clip_id, stage, key).is_file()
        entry = self.known_record(clip_id)["stages"].get(stage)
        return (
            entry is not None
            and key in (None, entry["key"])
            and (self.folder / clip_id / entry["file"]).is_file()
        )

    def file(self, clip_id: str, stage: str, key: str) -> Path:
        """Path of a stage with this key, whether it exists or not."""
        suffix = ".nc" if stage in (*TRACKS, "flow") else ".safetensors"
        return (
            self.folder / clip_id / (f"{stage}{suffix}" if self.plain else f"{stage}-{key}{suffix}")
        )

    def record(self, clip_id: str) -> dict:
        """The record of a clip: {"source": {...}, "stages": {stage: {...}}}; empty where nothing is
        stored.

        Raises:
            UserError: the record is damaged.
        """
        path = self.folder / clip_id / "record.json"
        remedy = "run semiology extract again, which keeps the files that this version made"
        record = read_json(path, remedy=remedy, checksummed=True) if path.is_file() else {}
        return {
            "clip_id": clip_id,
            "source": record.get("source", {}),
            "stages": record.get("stages", {}),
        }

    def known_record(self, clip_id: str) -> dict:
        """The record of a clip, empty where it is damaged: for extraction, which finds files by
        their keys and extracts nothing twice.
        """
        try:
            return self.record(clip_id)
        except UserError:
            return {"clip_id": clip_id, "source": {}, "stages": {}}

    def write(self, clip_id: str, stage: str, key: str, content: xr.Dataset | Features) -> None:
        """Write a stage's file; it counts as extracted once `note` has recorded it. Features of
        half precision stay in it.

        Raises:
            UserError: the disk is full, the folder cannot be written.
        """
        path = self._path_to_write(clip_id, stage, key)
        if isinstance(content, xr.Dataset):
            save_tracks(content, path)
        else:
            features, time = content
            write_arrays(
                path,
                {
                    "features": features
                    if features.dtype == np.float16
                    else features.astype(np.float32, copy=False),
                    "time": time.astype(np.float64, copy=False),
                },
            )

    @contextmanager
    def growing(
        self, clip_id: str, keys: Mapping[str, str], precision: Precision = "lossless"
    ) -> Iterator[Callable[[Mapping[str, xr.Dataset]], None]]:
        """Write tracks in blocks of frames (`append_tracks`), several stages (stage -> key) at
        once; they count as extracted once `note` has recorded them.

        The context manager gives a function that takes a block, stage -> tracks, of all stages or
        of some; stages without a key are ignored.

        Raises:
            UserError: the disk is full, the folder cannot be written.
        """
        with ExitStack() as files:
            add = {
                stage: files.enter_context(append_tracks(self.file(clip_id, stage, key), precision))
                for stage, key in keys.items()
            }

            def take(block: Mapping[str, xr.Dataset]) -> None:
                for stage in add.keys() & block.keys():
                    add[stage](block[stage])

            yield take
            for stage, key in keys.items():
                self._path_to_write(clip_id, stage, key)

    def _path_to_write(self, clip_id: str, stage: str, key: str) -> Path:
        """Path to write a stage's file to; one that is replaced is removed from the record."""
        if self.plain and self.has(clip_id, stage):
            self._retract(
                clip_id,
                stage,
                # else an interruption could leave the record of one file with another's content
            )
        return self.file(clip_id, stage, key)

    def note(
        self, clip_id: str, source: Mapping[str, object], stages: Mapping[str, Mapping[str, object]]
    ) -> None:
        """Add stages (stage -> key, depends, found ...) and the source's fingerprint to the clip's
        record. Where they are other tracks than before, what was made of those leaves the record,
        so that nobody reads tracks of one person beside features of another; its files stay.
        """
        record = self.known_record(clip_id)
        entries = {
            stage: {
                "file": self.file(clip_id, stage, str(entry["key"])).name,
                "schema": SCHEMA,
                **entry,
            }
            for stage, entry in stages.items()
        }
        kept = {
            stage: entry
            for stage, entry in record["stages"].items()
            if not _is_of_other_tracks(stage, entry, record["stages"], entries)
        }
        new = {**record, "source": dict(source), "stages": {**kept, **entries}}
        if new != record:
            self._write_record(clip_id, new)

    def _retract(self, clip_id: str, stage: str) -> None:
        record = self.known_record(clip_id)
        del record["stages"][stage]
        self._write_record(clip_id, record)

    def _write_record(self, clip_id: str, record: dict) -> None:
        write_json(self.folder / clip_id / "record.json", record, checksummed=True)


def _is_of_other_tracks(
    stage: str, entry: Mapping[str, Any], known: Mapping[str, Any], new: Mapping[str, Any]
) -> bool:
    """Whether a stage of a record belongs to tracks that new entries replace: it was made of them,
    is another part of the same body, or names the patient by the same choice.
    """
    replaced = {
        known[part]["key"]
        for part in set(TRACKS) & known.keys() & new.keys()
        if known[part]["key"] != new[part]["key"]
    }
    if stage in (*TRACKS, "people"):
        return bool(replaced)
    return entry.get("depends", {}).get("tracks") in replaced


def read_flow(path: str | Path) -> xr.Dataset:
    """Movement by region from a file of `semiology extract --flow true`.

    Raises:
        UserError: no such file, another kind of file, a damaged one.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file of movement by region")
    flow = read_netcdf(path)
    if not {"energy", "velocity", "texture"} <= set(flow.variables) or "fps" not in flow.attrs:
        raise UserError(
            f"{path}: a netCDF file, but not of movement by region (no energy, velocity or"
            " texture); semiology extract --flow true makes one"
        )
    return flow.assign_coords(region=[str(name) for name in flow["region"].values])


def box_side(flow: xr.Dataset) -> float:
    """The longer side of the patient's box in movement by region, px; NaN without any frame."""
    box = json.loads(flow.attrs["box"])
    return float(max(box[2] - box[0], box[3] - box[1])) if box else float("nan")


def flow_features(flow: xr.Dataset) -> Features:
    """Movement by region as features: (time, channel) float32 and (time,) s.

    Channels are the grid's cells in their order, first the root of the mean squared speed of each,
    then its mean velocity to the right, then that downwards, in sides of the patient's box a
    second. A cell without texture does not move: 0. A row is NaN where no cell was measured.
    """
    grid = flow.isel(region=[name.startswith("grid_") for name in flow["region"].values])
    velocity = grid["velocity"].transpose("time", "space", "region").values
    speed = np.sqrt(grid["energy"].transpose("time", "region").values)
    features = np.concatenate([speed, velocity[:, 0], velocity[:, 1]], axis=1) / box_side(flow)
    seen = np.isfinite(speed).any(axis=1)
    features = np.where(seen[:, None], np.nan_to_num(features), np.nan)
    return features.astype(np.float32), flow["time"].values.astype(float)


def fingerprint(path: Path | Recording, known: Mapping[str, object]) -> dict[str, object]:
    """Content hash of a file, with its size and modification time (ns); a `known` hash is reused
    while these two are unchanged. Of a recording a hash over its parts' hashes, numbers and starts,
    and those of its parts.

    So a second run over hundreds of gigabytes reads none of them. A change that preserves size and
    modification time is missed.
    """
    if is_unchanged(path, known):
        return dict(known)
    if isinstance(path, Recording):
        old = _known_parts(known)
        starts = [(part.number, part.start) for part in path.parts]
        parts = [
            fingerprint(part.path, old.get(start, {})) for part, start in zip(path.parts, starts)
        ]
        placed = [[*start, own["sha256"]] for start, own in zip(starts, parts)]
        digest = hashlib.sha256(json.dumps(placed).encode()).hexdigest()
        return {"sha256": digest, "starts": [list(start) for start in starts], "parts": parts}
    status = path.stat()
    return {
        "sha256": _sha256(path, status.st_size, status.st_mtime_ns),
        "size": status.st_size,
        "changed_ns": status.st_mtime_ns,
    }


@cache
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    """Content hash, cached by path, size and modification time: a recording with many clips is read
    once per process.
    """
    return content_hash(path)


def _known_parts(known: Mapping[str, Any]) -> dict[tuple[int, float], Mapping[str, object]]:
    """(number, start) -> fingerprint of each part of a recording; empty for that of a file."""
    return {
        (number, start): own
        for (number, start), own in zip(known.get("starts", []), known.get("parts", []))
    }


def is_unchanged(path: Path | Recording, known: Mapping[str, object]) -> bool:
    """Whether a file exists with the size and modification time of a known fingerprint; of a
    recording, whether all parts do and start where they did.
    """
    if not known or not path.is_file():
        return False
    if isinstance(path, Recording):
        old = _known_parts(known)
        return len(old) == len(path.parts) and all(
            is_unchanged(part.path, old.get((part.number, part.start), {})) for part in path.parts
        )
    if "parts" in known:
        return False  # it was a recording
    status = path.stat()
    return (status.st_size, status.st_mtime_ns) == (known["size"], known["changed_ns"])


def clip_tracks(folder: Path, clip: Clip, store: Store | None, part: str) -> xr.Dataset:
    """Tracks of a clip from its start to its end, with corrections applied, time (s) counted from
    its start. Its own tracks are missing where the patient is out of view, as extracted ones are.

    Args:
        folder: of the cohort.
        clip: its own tracks are read where it has some, whatever `part` they are of.
        store: for clips without tracks of their own.
        part: "body" or "face", of the store.

    Raises:
        UserError: no tracks and no store, tracks that cannot be read or are in oblong pixels, no
            frame from the clip's start to its end. The message has the clip's id, and not the path
            of its own tracks, which may be named after a video.
    """
    if not clip.tracks:
        if store is None:
            raise UserError(
                f"clip {clip.clip_id}: has no tracks of its own; give the store of semiology"
                " extract (--store DIR)"
            )
        return store.tracks(clip.clip_id, part)
    path = folder / clip.tracks
    try:
        own = time_slice(refuse_stored(read_corrected(path)), clip.start, clip.end)
        return out_of_view(own, clip.away)
    except UserError as error:
        what = (
            str(error)
            .replace(str(corrections_file(path)), "its corrections")
            .replace(str(path), "its tracks")
        )
        raise UserError(f"clip {clip.clip_id}: {what}") from error
