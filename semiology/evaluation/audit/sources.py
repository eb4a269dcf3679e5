"""Writes RUN/sources.json: what the audit has to know of every clip, so that the run can be audited
without the cohort.

    {"schema": 1,
     "clips": {clip_id: {"participant_id", "recording_id", "kind": "video", or "tracks" or
     "features" (part of the cohort),
                         "content": SHA-256 of that file, "start", "end" (s), "covariates": {name:
                         value}, "width", "height" (px), "fps" (Hz), "duration" (s), "brightness",
                         "colour" (0 to 1), "infrared" (fraction of frames), "pictures",
                         "movement": time courses as text, see fingerprint.py}},
     "weights": {SHA-256: {"what", "origin", "participants": [participant_id] or null where
     unknown}},
     "encoders": {SHA-256: {"what", "participants", "contents": SHA-256 of the files that it was
     pretrained on}}}

Names of video files are not stored, and nobody can be recognised in images of 72 cells. The check
of networks trained outside the folds (detectors, trackers, feature networks, pretrained encoders)
reads weights and encoders.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.cohort import Clip, Cohort, clip_source
from semiology.data.preprocessing import infrared
from semiology.data.store import Store, fingerprint, make_key
from semiology.data.tracks import read_tracks, time_slice
from semiology.errors import UserError
from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.fingerprint import (
    IMAGE_RATE,
    UNIT,
    positions,
    small_images,
    time_course,
    to_text,
)
from semiology.evaluation.audit.records import Run
from semiology.files import read_json, write_json
from semiology.video import Reading, Recording, VideoError, probe, read_frames
from semiology.weights import known_weights

SCHEMA = 2  # raise when the same file gives other fingerprints
IN_PACKAGES = {"mtcnn": "facenet-pytorch"}  # trackers whose weights come with a package


def write_sources(
    cohort: str | Path,
    store: str | Path | None,
    clip_ids: Iterable[str],
    out: str | Path,
    encoders: Mapping[str, dict[str, Any]] | None = None,
) -> Path:
    """Write RUN/sources.json for these clips of a cohort.

    A video is decoded once, at 10 frames a second; the result is cached in the store under a key of
    everything that it depends on. Where a video no longer exists, its clip has no images and is
    compared by its movement.

    Args:
        cohort: folder.
        store: as in a protocol; None for cohorts of tracks.
        clip_ids: clips of the run.
        out: file to write.
        encoders: SHA-256 -> what of pretrained encoders that models of the run start from.

    Returns:
        `out`.

    Raises:
        UserError: the cohort cannot be read, a clip was not extracted.
    """
    read = Cohort.read(cohort, check_videos=False)
    filled = Store(store) if store is not None else None
    participants = {person.participant_id: person for person in read.participants}
    wanted = set(clip_ids)
    clips: dict[str, Any] = {}
    weights: dict[str, Any] = {}
    for clip in read.clips:
        if clip.clip_id not in wanted:
            continue
        person = participants[clip.participant_id]
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
        clips[clip.clip_id] = entry | _measured(read.folder, clip, filled)
        if filled is not None:
            weights |= used_weights(filled.record(clip.clip_id)["stages"])
    if missing := wanted - clips.keys():
        raise UserError(
            f"{read.folder}: clips.tsv has no clip {', '.join(sorted(missing))}, which the run"
            " holds; use the run's own cohort"
        )
    content = {"schema": SCHEMA, "clips": clips, "weights": weights, "encoders": encoders or {}}
    write_json(Path(out), content)
    return Path(out)


def _measured(folder: Path, clip: Clip, store: Store | None) -> dict[str, Any]:
    """What is measured of a clip: its part of the file, images and movement."""
    if clip.features:
        return _features_entry(folder, clip, store)
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
        video = _images(_source(folder, clip), clip, store)
        part = "body" if store.has(clip.clip_id, "body") else "face"
        if store.has(clip.clip_id, "snippets") and not store.has(clip.clip_id, part):
            return _without_tracks(clip, store, video)
        tracks = store.predicted(clip.clip_id, part)
    fps, frames = float(tracks.attrs["fps"]), tracks.sizes["time"]
    by_night, _ = infrared(tracks)
    size = {name: int(tracks.attrs.get(name, 0)) or None for name in ("width", "height")}
    entry: dict[str, Any] = {
        "kind": "tracks" if clip.tracks else "video",
        **size,
        "fps": fps,
        "duration": round(frames / fps, 3),
        "movement": to_text(positions(tracks), UNIT),
    }
    if np.isfinite(by_night):
        entry["infrared"] = round(by_night, 4)
    entry |= {name: value for name, value in video.items() if value is not None}
    entry.setdefault("end", clip.start + entry["duration"])
    return entry


def _without_tracks(clip: Clip, store: Store, video: dict[str, Any]) -> dict[str, Any]:
    """The same for a video with snippets only: it has images, and no movement."""
    _, time = store.features(clip.clip_id, "snippets")
    duration = round(float(time[-1]), 3)  # to the start of its last snippet
    entry = {
        "kind": "video",
        "duration": duration,
        **{name: value for name, value in video.items() if value is not None},
    }
    return {"end": clip.start + duration, **entry}


def _features_entry(folder: Path, clip: Clip, store: Store | None) -> dict[str, Any]:
    """The same for features without a video, compared by some of their channels over time."""
    if store is None:
        raise UserError(f"clip {clip.clip_id} has features; give the store that holds them")
    features, time = store.features(clip.clip_id, "snippets")
    duration = clip.end - clip.start if clip.end is not None else float(time[-1])
    entry = {
        "kind": "features",
        "content": fingerprint(folder / clip.features, {})["sha256"],
        "start": clip.start,
        "end": clip.start + duration,
    }
    return entry | {
        "duration": round(duration, 3),
        "movement": to_text(time_course(features, time), UNIT),
    }


def _source(folder: Path, clip: Clip) -> Path | Recording | None:
    """The video of a clip; None where it is of a recording whose parts are not all there."""
    try:
        return clip_source(folder, clip)
    except UserError:
        return None


def _images(path: Path | Recording | None, clip: Clip, store: Store) -> dict[str, Any]:
    """Content, part, size, brightness and small images of a video clip, cached in the store."""
    known = store.record(clip.clip_id)["source"]
    part = {"start": clip.start, "end": clip.end}
    if path is None or not path.is_file():
        return {"content": known.get("sha256"), **part}
    content = str(fingerprint(path, known)["sha256"])
    given = {} if clip.pixel_aspect is None else {"pixel_aspect": clip.pixel_aspect}
    key = make_key({"audit": SCHEMA, "sha256": content, "rate": IMAGE_RATE, **part, **given})
    cache = store.folder / clip.clip_id / f"pictures-{key}.json"
    try:
        return read_json(cache)
    except UserError:
        pass  # not cached yet, or damaged
    try:
        reading = Reading(clip.pixel_aspect)
        info = probe(path, reading)
        frames = read_frames(path, clip.start, clip.end, IMAGE_RATE, reading=reading)
        cells, colour = small_images(frames)
    except VideoError:
        # as if the video did not exist any more: the clip was extracted before
        return {"content": content, **part}
    measured = {
        "content": content,
        **part,
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "brightness": (
            round(float(np.nanmean(cells)) / 255, 4) if np.isfinite(cells).any() else None
        ),
        "colour": round(colour, 4) if np.isfinite(colour) else None,
        "pictures": to_text(cells, 1),
    }
    write_json(cache, measured, indent=None)
    return measured


def used_weights(stages: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The weights that produced a clip's tracks and features, with their training participants.

    Args:
        stages: of the store's record of a clip.

    Returns:
        SHA-256 -> {"what", "origin", "participants"}. Participants are an empty list for weights
        that a package or torchvision publishes (trained on public data), and None where unknown.
    """
    published = {entry.sha256: name for name, entry in known_weights().items()}
    found: dict[str, dict[str, Any]] = {}
    for stage, entry in stages.items():
        depends, trained_on = entry.get("depends", {}), entry.get("trained_on", {})
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
            used |= {digest: (part, None) for part, digest in tracker.get("mesh", {}).items()}
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
                found[digest] = {
                    "what": what,
                    "origin": None,
                    "participants": trained_on.get(digest),
                }
    return found


QUESTION = "Were detectors, feature networks or encoders trained on participants who are held out?"


def check_outside(run: Run, elsewhere: Sequence[str] = ()) -> Check:
    """No held-out participant was in the training set of a network that made tracks or features.

    Args:
        run: the run.
        elsewhere: first digits (eight or more) of the SHA-256 of weights that, as the user states,
            were not trained on participants of this cohort.
    """
    if run.sources is None:
        return answer("outside", QUESTION, [], run.unsourced, "", "")
    held = {participant for record in run.evaluated for participant in record["held_out"]}
    encoders = run.sources.get("encoders") or {}
    networks = {**run.sources["weights"], **encoders}
    faults, missing, stated = _same_files(run, encoders), [], 0
    for digest, weights in networks.items():
        trained_on = weights["participants"]
        name = f"{weights['what']} ({digest[:8]})"
        if trained_on is None and any(digest.startswith(start.lower()) for start in elsewhere):
            stated += 1
        elif trained_on is None:
            missing.append(
                Finding(
                    "weights-unknown",
                    f"{name}: its training participants are not recorded; train it with `semiology"
                    f" pretrain --participants`, or state --elsewhere+ {digest[:8]} if none of this"
                    " cohort was among them",
                    (digest,),
                )
            )
        elif known := sorted(held & set(trained_on)):
            some = f"{', '.join(known[:5])}{' ...' if len(known) > 5 else ''}"
            faults.append(
                Finding(
                    "weights-leak", f"{name} was trained on {some}, held out here", (digest, *known)
                )
            )
        elif unnamed := [entry for entry in trained_on if " " in entry]:
            missing.append(Finding("weights-unnamed", f"{name}: {unnamed[0]}", (digest,)))
    named = {name for name in run.config.get("models") or {} if run.model(name).get("encoder")}
    if named and not encoders:
        missing.append(
            Finding(
                "encoders-unknown",
                f"{', '.join(sorted(named))}: whom their encoder was pretrained on is not recorded;"
                " run `semiology loso` again (nothing is trained again)",
                tuple(sorted(named)),
            )
        )
    clips = run.sources["clips"].values()
    brought = sum(clip["kind"] in ("tracks", "features", "row") for clip in clips)
    if brought < len(clips) and not run.sources["weights"]:
        missing.append(
            Finding(
                "networks-unknown",
                "the store does not record which networks made the tracks; run `semiology extract`"
                " again",
            )
        )
    public = sum(weights["participants"] == [] for weights in networks.values())
    what = "numbers" if any(clip["kind"] == "row" for clip in clips) else "tracks or features"
    good = [
        f"{public} networks are public or of nobody here" if public else "",
        f"{stated} stated by the user to be trained elsewhere" if stated else "",
        f"{brought} clips came with their {what}: how these were made is not part of"
        " this run, and not audited"
        if brought
        else "",
    ]
    others = len(networks) - public - stated
    good.append(f"{others} trained on other participants" if others else "")
    return answer(
        "outside",
        QUESTION,
        faults,
        missing,
        "; ".join(part for part in good if part),
        "a network was trained on held-out participants",
    )


def _same_files(run: Run, encoders: Mapping[str, dict[str, Any]]) -> list[Finding]:
    """Held-out clips whose files an encoder was pretrained on, whatever their people are called
    there.
    """
    clips = (run.sources or {})["clips"]
    held = {clip_id for record in run.evaluated for clip_id in record["held_out_clips"]}
    faults = []
    for digest, encoder in encoders.items():
        contents = set(encoder["contents"])
        if same := sorted(
            clip_id for clip_id in held & clips.keys() if clips[clip_id].get("content") in contents
        ):
            some = f"{', '.join(same[:5])}{' ...' if len(same) > 5 else ''}"
            faults.append(
                Finding(
                    "encoder-files",
                    f"{encoder['what']} ({digest[:8]}) was pretrained on the files of {some}, held"
                    " out here",
                    (digest, *same),
                )
            )
    return faults
