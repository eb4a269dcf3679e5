"""RUN/sources.json: what the audit has to know of every clip, written beside the run so that
nothing else is needed to judge it.

    {"schema": 1,
     "clips": {clip_id: {"participant_id", "recording_id", "kind": "video", or "tracks" or
     "features" (brought along),
                         "content": SHA-256 of that file, "start", "end" (s), "covariates": {name:
                         value}, "width", "height" (px), "fps" (Hz), "duration" (s), "brightness",
                         "colour" (0 to 1), "pictures", "movement": courses as text, see
                         fingerprint.py}},
     "weights": {SHA-256: {"what", "origin", "participants": [participant_id] or null where
     unknown}}}

Names of video files are not kept, and nobody can be recognised in pictures of 72 cells.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.cohort import Clip, Cohort
from semiology.data.store import Store, fingerprint, make_key
from semiology.data.tracks import read_tracks, time_slice
from semiology.errors import UserError
from semiology.evaluation.audit.fingerprint import (
    PICTURE_RATE,
    UNIT,
    course,
    positions,
    small_pictures,
    to_text,
)
from semiology.files import read_json, write_json
from semiology.video import VideoError, probe, read_frames
from semiology.weights import known_weights

SCHEMA = 1  # raise when the same file gives other fingerprints
IN_PACKAGES = {
    "mtcnn": "facenet-pytorch",
    "mediapipe": "mediapipe",
}  # trackers whose weights come with a package


def write_sources(
    cohort: str | Path, store: str | Path | None, clip_ids: Iterable[str], out: str | Path
) -> Path:
    """Write `out` (RUN/sources.json) for these clips of a cohort; `store` as in a protocol, None
    for cohorts of tracks.

    A video is decoded once, ten frames a second: what was seen lies in the store under a key of
    everything that it depends on, and a second call reads that. Where a video is not there any
    more, its clip has no pictures and is judged by its movement.

    Raises:
        UserError: the cohort cannot be read, a clip was not extracted.
    """
    read = Cohort.read(cohort, check_videos=False)
    place = Store(store) if store is not None else None
    people = {person.participant_id: person for person in read.participants}
    wanted = set(clip_ids)
    clips: dict[str, Any] = {}
    weights: dict[str, Any] = {}
    for clip in read.clips:
        if clip.clip_id not in wanted:
            continue
        person = people[clip.participant_id]
        own = {"sex": person.sex, "age": person.age, **person.covariates, **clip.covariates}
        entry: dict[str, Any] = {
            "participant_id": clip.participant_id,
            "recording_id": clip.covariates.get("recording_id") or clip.clip_id,
            "covariates": {
                name: value
                for name, value in own.items()
                if value not in (None, "") and name != "recording_id"
            },
        }
        clips[clip.clip_id] = entry | _seen(read.folder, clip, place)
        if place is not None:
            weights |= used_weights(place.record(clip.clip_id)["stages"])
    if missing := wanted - clips.keys():
        raise UserError(
            f"{read.folder}: clips.tsv has no clip {', '.join(sorted(missing))}, which the run"
            " holds; use the run's own cohort"
        )
    write_json(Path(out), {"schema": SCHEMA, "clips": clips, "weights": weights})
    return Path(out)


def _seen(folder: Path, clip: Clip, store: Store | None) -> dict[str, Any]:
    """What can be measured in a clip: its stretch, picture and movement."""
    if clip.features:
        return _brought_features(folder, clip, store)
    if clip.tracks:
        path = folder / clip.tracks
        tracks = read_tracks(path)
        video: dict[str, Any] = {
            "content": fingerprint(path, {})["sha256"],
            "start": clip.start,
            "end": clip.end,
        }
        tracks = time_slice(tracks, clip.start, clip.end)
    else:
        if store is None:
            raise UserError(
                f"clip {clip.clip_id} is a video; give the store that `semiology extract` filled"
            )
        video = _pictures(folder / clip.video, clip, store)
        part = "body" if store.has(clip.clip_id, "body") else "face"
        if store.has(clip.clip_id, "snippets") and not store.has(clip.clip_id, part):
            return _without_tracks(clip, store, video)
        tracks = store.predicted(clip.clip_id, part)
    fps, frames = float(tracks.attrs["fps"]), tracks.sizes["time"]
    size = {name: int(tracks.attrs.get(name, 0)) or None for name in ("width", "height")}
    told: dict[str, Any] = {
        "kind": "tracks" if clip.tracks else "video",
        **size,
        "fps": fps,
        "duration": round(frames / fps, 3),
        "movement": to_text(positions(tracks), UNIT),
    }
    told |= {name: value for name, value in video.items() if value is not None}
    told.setdefault("end", clip.start + told["duration"])
    return told


def _without_tracks(clip: Clip, store: Store, video: dict[str, Any]) -> dict[str, Any]:
    """The same of a video whose snippets were extracted and nothing else: it has no movement, and
    is judged by its pictures.
    """
    _, time = store.features(clip.clip_id, "snippets")
    duration = round(float(time[-1]), 3)  # to the start of its last snippet
    told = {
        "kind": "video",
        "duration": duration,
        **{name: value for name, value in video.items() if value is not None},
    }
    return {"end": clip.start + duration, **told}


def _brought_features(folder: Path, clip: Clip, store: Store | None) -> dict[str, Any]:
    """The same of features without a video: how some of their channels change over time tells a
    copy as keypoints do.
    """
    if store is None:
        raise UserError(f"clip {clip.clip_id} has features; give the store that they lie in")
    features, time = store.features(clip.clip_id, "snippets")
    duration = clip.end - clip.start if clip.end is not None else float(time[-1])
    told = {
        "kind": "features",
        "content": fingerprint(folder / clip.features, {})["sha256"],
        "start": clip.start,
        "end": clip.start + duration,
    }
    return told | {
        "duration": round(duration, 3),
        "movement": to_text(course(features, time), UNIT),
    }


def _pictures(path: Path, clip: Clip, store: Store) -> dict[str, Any]:
    """Content, stretch, size, light and small pictures of a video clip; from the store where they
    were made before.
    """
    known = store.record(clip.clip_id)["source"]
    stretch = {"start": clip.start, "end": clip.end}
    if not path.is_file():
        return {"content": known.get("sha256"), **stretch}
    content = str(fingerprint(path, known)["sha256"])
    key = make_key({"audit": SCHEMA, "sha256": content, "rate": PICTURE_RATE, **stretch})
    kept = store.folder / clip.clip_id / f"pictures-{key}.json"
    try:
        return read_json(kept)
    except UserError:
        pass  # not made yet, or damaged: it is made again
    try:
        info = probe(path)
        cells, colour = small_pictures(read_frames(path, clip.start, clip.end, PICTURE_RATE))
    except VideoError:
        return {
            "content": content,
            **stretch,
        }  # as if it were not there: the clip was extracted before
    seen = {
        "content": content,
        **stretch,
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "brightness": (
            round(float(np.nanmean(cells)) / 255, 4) if np.isfinite(cells).any() else None
        ),
        "colour": round(colour, 4) if np.isfinite(colour) else None,
        "pictures": to_text(cells, 1),
    }
    write_json(kept, seen, indent=None)
    return seen


def used_weights(stages: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """SHA-256 -> what the weights are, whence, and on whom they were trained, of everything that
    made a clip's tracks and features.

    Participants are an empty list for weights that a package or torchvision publishes (their sets
    are public), and null where nothing says.
    """
    published = {entry.sha256: name for name, entry in known_weights().items()}
    found: dict[str, dict[str, Any]] = {}
    for stage, entry in stages.items():
        depends, told = entry.get("depends", {}), entry.get("trained_on", {})
        used = {
            depends.get("vgg"): (stage, None),
            depends.get("network"): (stage, None),
            depends.get("lift"): ("lifter", "semiology"),
        }
        for tracker in (depends.get("detector", {}), depends.get("pose", {})):
            name = str(tracker.get("name") or tracker.get("detector") or "")
            used |= {
                digest: (f"{name} {part}", IN_PACKAGES.get(name))
                for part, digest in tracker.get("weights", {}).items()
            }
            used |= {
                digest: (part, IN_PACKAGES["mediapipe"])
                for part, digest in tracker.get("mesh", {}).items()
            }
        for digest, (what, package) in used.items():
            public = next(
                (name for start, name in published.items() if digest and digest.startswith(start)),
                None,
            )
            if digest and (public or package):
                found[digest] = {
                    "what": what,
                    "origin": f"published, {public}" if public else f"package {package}",
                    "participants": [],
                }
            elif digest:
                found[digest] = {"what": what, "origin": None, "participants": told.get(digest)}
    return found
