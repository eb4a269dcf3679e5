"""Extract videos into a store: tracks of body and face and, where weights are given, features.
Resumable, clip by clip.

Each video is read up to five times: for people (a few frames a second, to choose the patient), for
pose (every frame), for appearance (a few frames a second, crops around the finished tracks), for
optical flow (every frame), and for snippets (15 frames a second, the whole image). In each pass,
the next frames are decoded while the current ones are computed on. Memory holds a few dozen frames,
20 s of the face's tracks, and all of the body's, which are checked limb by limb.

The training participants of the networks that were used are recorded beside their output, for the
leakage audit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr
from joblib import delayed

from semiology.data.cohort import Cohort, clip_source, video_source
from semiology.data.limbs import out_of_view
from semiology.data.pixels import refuse_stored, video_attributes
from semiology.data.result import allowed_modules, allowing
from semiology.data.store import TRACKS, Store, fingerprint, is_unchanged, make_key, read_flow
from semiology.data.tracks import read_tracks, time_slice
from semiology.errors import UserError
from semiology.files import begin_folder, remove_parts
from semiology.parallel import Workers, run_parallel
from semiology.tracking import flow
from semiology.tracking.blazepose.networks import NetworkError
from semiology.tracking.extraction.features import (
    channel_names,
    check_networks,
    make_features,
    make_flow,
)
from semiology.tracking.extraction.keys import Source, dependencies, trained_on
from semiology.tracking.extraction.options import NO_POSE, ExtractOptions
from semiology.tracking.extraction.overlays import has_overlay, refuse_others, write_clip_overlay
from semiology.tracking.extraction.progress import ClipProgress, Progress, progress_stages
from semiology.tracking.extraction.review import Review
from semiology.tracking.extraction.summary import ExtractSummary
from semiology.tracking.extraction.tracks import FoundFraction, checked_blocks, track_blocks
from semiology.video import VideoError, probe
from semiology.video.recording import first_file


def extract_cohort(
    cohort: Cohort,
    store: str | Path,
    *,
    options: ExtractOptions | None = None,
    workers: Workers | None = None,
    progress: bool = True,
    overlay: str | Path | None = None,
) -> ExtractSummary:
    """Extract every clip of a cohort into a store. What is there already, from the same input with
    the same parameters, is not extracted again.

    A clip that cannot be read is listed in the summary and the others go on; so is one with
    features of its own and neither video nor tracks. Clips are distributed to `workers`; by default
    they run one after the other in this process. In the folder `overlay` each clip gets a video of
    its tracks drawn in, <clip_id>.mp4.

    Raises:
        UserError: weights that cannot be used, a backend that is not there; the store cannot be
            written or the disk is full; no clip has a video or tracks.
    """
    inputs = {
        clip.clip_id: cohort.folder / clip.tracks
        if clip.tracks
        else clip_source(cohort.folder, clip)
        for clip in cohort.clips
    }
    without_video = [clip_id for clip_id, path in inputs.items() if path is None]
    if cohort.clips and len(without_video) == len(cohort.clips):
        raise UserError(
            f"{cohort.folder}: its clips have features of their own and no video: there is"
            " nothing to extract"
        )
    sources = [
        Source(
            *(clip.clip_id, path, clip.start, clip.end, bool(clip.tracks)),
            *(clip.pixel_aspect, clip.patient, clip.away),
        )
        for clip in cohort.clips
        if (path := inputs[clip.clip_id]) is not None
    ]
    summary = _extract_all(
        sources,
        Store(store),
        options or ExtractOptions(),
        workers or Workers(),
        progress,
        None if overlay is None else Path(overlay),
    )
    summary.without_video = without_video
    return summary


def extract_videos(
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    options: ExtractOptions | None = None,
    workers: Workers | None = None,
    progress: bool = True,
    overlay: str | Path | None = None,
) -> ExtractSummary:
    """Extract whole videos into OUT/<name without suffix>/body.nc and face.nc (and features, where
    weights are given). `FOLDER/recordings.tsv#ID` is a video of many files. In the folder `overlay`
    each gets a video of its tracks drawn in, <name>.mp4.

    Raises:
        UserError: as `extract_cohort`; two videos of the same name.
    """
    read = [video_source(video) for video in videos]
    sources = [Source(video.stem, video) for video in read]
    for source in sources:
        twins = [str(other.path) for other in sources if other.clip_id == source.clip_id]
        if len(twins) > 1:
            raise UserError(
                f"{' and '.join(twins)}: would share the folder {Path(out) / source.clip_id};"
                " rename one"
            )
    return _extract_all(
        sources,
        Store(out, plain=True),
        options or ExtractOptions(),
        workers or Workers(),
        progress,
        None if overlay is None else Path(overlay),
    )


def _extract_all(
    sources: Sequence[Source],
    store: Store,
    options: ExtractOptions,
    workers: Workers,
    progress: bool,
    overlay: Path | None,
) -> ExtractSummary:
    drawn = {} if overlay is None else _to_draw(sources, options, overlay)
    check_networks(options)  # raises what would fail in every clip, before the first
    outcomes = {
        source.clip_id: outcome
        for source in sources
        if (outcome := _complete(source, store, source.options(options), drawn.get(source.clip_id)))
    }
    todo = [source for source in sources if source.clip_id not in outcomes]
    if todo:
        begin_folder(store.folder, below=False)
        for source in todo:
            remove_parts(store.folder / source.clip_id)
        if overlay is not None:
            remove_parts(overlay)
        number_of = {source.clip_id: number for number, source in enumerate(todo)}
        with Progress(
            [(source.path, source.start, source.end) for source in todo], options.fps, progress
        ) as display:
            calls = [
                delayed(_extract_one)(
                    source,
                    store,
                    options,
                    display.file(number),
                    allowed_modules(),
                    drawn.get(source.clip_id),
                )
                for number, source in enumerate(todo)
            ]
            for outcome in run_parallel(
                calls, workers, lost=lambda number, why: _Outcome(todo[number].clip_id, fault=why)
            ):
                outcomes[outcome.clip_id] = outcome
                display.done(number_of[outcome.clip_id])
    summary = ExtractSummary()
    for source in sources:
        outcome = outcomes[source.clip_id]
        if outcome.fault is not None:
            summary.failed.append((source.clip_id, outcome.fault))
            continue
        (summary.done if outcome.worked else summary.skipped).append(source.clip_id)
        if outcome.found:
            summary.found[source.clip_id] = outcome.found
        if outcome.likely_aspect:
            summary.likely_aspect[source.clip_id] = outcome.likely_aspect
        if outcome.infrared:
            summary.infrared[source.clip_id] = outcome.infrared
        if outcome.stream:
            summary.stream[source.clip_id] = outcome.stream
        if outcome.missing:
            summary.missing[source.clip_id] = outcome.missing
        if outcome.rejected:
            summary.rejected[source.clip_id] = outcome.rejected
        if outcome.seen:
            summary.seen[source.clip_id] = outcome.seen
        if outcome.signs:
            summary.signs[source.clip_id] = outcome.signs
        if outcome.short:
            summary.short.append(source.clip_id)
    return summary


def _to_draw(sources: Sequence[Source], options: ExtractOptions, overlay: Path) -> dict[str, Path]:
    """clip_id -> folder of its overlay, for clips that have a video to draw in.

    Raises:
        UserError: there are no tracks to draw, or an overlay would overwrite another file.
    """
    if options.pose == NO_POSE:
        raise UserError(
            "--overlay: draws tracks, and --pose none makes none; leave one of them out"
        )
    drawn = {source.clip_id: overlay for source in sources if not source.is_tracks}
    for clip_id in drawn:
        refuse_others(overlay, clip_id)
    return drawn


@dataclass(frozen=True)
class _Outcome:
    clip_id: str
    worked: bool = False
    found: dict[str, float] = field(default_factory=dict)
    infrared: float = 0.0
    missing: float = 0.0
    rejected: dict[str, float] = field(default_factory=dict)
    signs: dict[str, float] = field(default_factory=dict)
    likely_aspect: str | None = None
    stream: str | None = None
    fault: str | None = None
    short: bool = False
    seen: dict[str, float] = field(default_factory=dict)


def _complete(
    source: Source, store: Store, options: ExtractOptions, overlay: Path | None
) -> _Outcome | None:
    """The outcome of a clip that is complete by its record, else None: a second run reads no video
    and starts no worker.
    """
    record = store.known_record(source.clip_id)
    if not is_unchanged(source.path, record["source"]):
        return None
    stages = dependencies(source, record["source"], options)
    for stage, depends in stages.items():
        if record["stages"].get(stage, {}).get("key") != make_key(depends) or not store.has(
            source.clip_id, stage
        ):
            return None
    drawn = [part for part in TRACKS if part in stages]
    if overlay is not None and not has_overlay(overlay, store, source.clip_id, drawn):
        return None
    parts = {part: record["stages"][part] for part in TRACKS if part in record["stages"]}
    return _Outcome(
        source.clip_id,
        found=_found(parts),
        infrared=_infrared(parts),
        missing=_missing(parts),
        rejected=_rejected(parts),
        signs=_signs(parts),
        stream=_stated(parts, "stream"),
        likely_aspect=_stated(parts, "likely_aspect"),
        seen=record["stages"].get("flow", {}).get("seen", {}) if options.flow else {},
    )


def _found(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Part -> fraction of frames in which it was found, by the record's entries."""
    return {part: entry["found"] for part, entry in parts.items()}


def _stated(parts: Mapping[str, Mapping[str, Any]], what: str) -> str | None:
    """What the record's entries state of the video, see `_geometry`; None where they do not."""
    return next((entry.get(what) for entry in parts.values()), None)


def _infrared(parts: Mapping[str, Mapping[str, Any]]) -> float:
    """Fraction of infrared frames by the record's entries, 0 where they state none."""
    return max((entry.get("infrared") or 0.0 for entry in parts.values()), default=0.0)


def _missing(parts: Mapping[str, Mapping[str, Any]]) -> float:
    """Fraction of missing frames by the record's entries, 0 where there are none."""
    return max((entry.get("missing", 0.0) for entry in parts.values()), default=0.0)


def _rejected(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Reason -> share of the body's points that were rejected, by the record's entries."""
    return dict(parts.get("body", {}).get("rejected", {}))


def _signs(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Signs to look at the clip, by the record's entries; see `Review.shares`."""
    return dict(parts.get("body", {}).get("signs", {}))


def _extract_one(
    source: Source,
    store: Store,
    options: ExtractOptions,
    clip_progress: Path | None,
    allowed: tuple[str, ...],
    overlay: Path | None,
) -> _Outcome:
    try:
        with allowing(allowed):  # in a worker's process too
            return _extract_clip(
                source, store, source.options(options), ClipProgress(clip_progress), overlay
            )
    except VideoError as error:
        return _Outcome(source.clip_id, fault=error.fault)
    except NetworkError:
        raise
    except UserError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno is not None and not source.is_tracks:
            # the store cannot be written: every other clip would fail too (HDF5's errors about a
            # damaged file have no number)
            raise
        return _Outcome(source.clip_id, fault=str(error))
    except MemoryError:
        return _Outcome(
            source.clip_id,
            fault="does not fit into memory; cut it into shorter clips by start and end",
        )
    except OSError:  # of the store or the system: every other clip would fail too
        raise
    except Exception as error:  # a failure on one clip must not stop the others; OpenCV has its own
        return _Outcome(
            source.clip_id,
            fault=f"{type(error).__name__} in extraction: {' '.join(str(error).split())[:300]}",
        )


def _extract_clip(
    source: Source,
    store: Store,
    options: ExtractOptions,
    clip_progress: ClipProgress,
    overlay: Path | None,
) -> _Outcome:
    if not source.path.is_file():
        raise VideoError(source.path, "there is no such file; check the path")
    record = store.known_record(source.clip_id)
    origin = fingerprint(source.path, record["source"])
    depends = dependencies(source, origin, options)
    keys = {stage: make_key(entry) for stage, entry in depends.items()}
    missing = [stage for stage in depends if not store.has(source.clip_id, stage, keys[stage])]
    parts = [part for part in TRACKS if part in missing]
    drawn = [part for part in TRACKS if part in depends]
    draw = overlay is not None and (
        bool(missing) or not has_overlay(overlay, store, source.clip_id, drawn)
    )
    clip_progress.begin([*progress_stages(missing), *(["overlay"] if draw else [])])
    shares = (
        _tracks(source, store, options, {part: keys[part] for part in parts}, clip_progress)
        if parts
        else {}
    )
    entries: dict[str, dict] = {
        stage: {"key": keys[stage], "depends": depends[stage]} for stage in depends
    }
    for stage in depends:
        if names := channel_names(stage, options):
            entries[stage]["channels"] = names
    if not source.is_tracks and (participants := trained_on(options)):
        entries = {stage: {**entry, "trained_on": participants} for stage, entry in entries.items()}
    geometry = {}
    if not source.is_tracks and set(depends) & set(TRACKS):
        geometry = _geometry(first_file(source.path, source.start), options)
    for part in set(depends) & set(TRACKS):
        entries[part] |= geometry
        known = record["stages"].get(part, {})
        if part in shares:
            entries[part] |= shares[part]
        elif known.get("key") == keys[part]:
            entries[part] |= {"found": known["found"], "infrared": known.get("infrared")}
            entries[part] |= {
                name: known[name] for name in ("missing", "rejected", "signs") if name in known
            }
        else:
            counted = FoundFraction()
            counted.add(read_tracks(store.file(source.clip_id, part, keys[part])))
            entries[part] |= counted.shares()
    tracked = {part: entries[part] for part in depends if part in TRACKS}
    store.note(source.clip_id, origin, tracked)
    short = False
    for stage in [stage for stage in depends if stage not in TRACKS]:
        if stage == "flow":
            if stage in missing:
                make_flow(source, store, options, keys[stage], clip_progress)
            entries[stage]["seen"] = flow.seen(
                read_flow(store.file(source.clip_id, stage, keys[stage]))
            )
        elif stage in missing:
            content = make_features(source, store, options, stage, clip_progress)
            store.write(source.clip_id, stage, keys[stage], content)
            short |= stage == "snippets" and len(content[0]) == 0
        store.note(
            source.clip_id, origin, {stage: entries[stage]}
        )  # at once: a later failure loses nothing that is stored
    if overlay is not None and draw:
        write_clip_overlay(source, store, overlay, drawn, clip_progress)
    return _Outcome(
        source.clip_id,
        bool(missing),
        _found(tracked),
        short=short,
        infrared=_infrared(tracked),
        missing=_missing(tracked),
        rejected=_rejected(tracked),
        signs=_signs(tracked),
        stream=_stated(tracked, "stream"),
        likely_aspect=_stated(tracked, "likely_aspect"),
        seen=entries.get("flow", {}).get("seen", {}),
    )


def _geometry(path: str | Path, options: ExtractOptions) -> dict[str, str]:
    """For the record: how a video's frames differ from the stored ones, "24:11 both", where
    positions or numbers of frames do; the pixel aspect ratio that it should most likely state; and
    which of several video streams is read.
    """
    made = video_attributes(path, options.reading)
    geometry = {}
    if made["pixel_aspect"] != "1:1" or made["fields"] == "both":
        geometry["reading"] = f"{made['pixel_aspect']} {made['fields']}"
    info = probe(path, options.reading)
    if info.likely_aspect:
        geometry["likely_aspect"] = info.likely_aspect
    if info.stream:
        geometry["stream"] = info.stream
    return geometry


def _tracks(
    source: Source,
    store: Store,
    options: ExtractOptions,
    keys: Mapping[str, str],
    clip_progress: ClipProgress,
) -> dict[str, dict[str, Any]]:
    """Make and store these tracks (part -> key). Returns part -> fractions of frames, see
    `FoundFraction.shares`; with those of the body what `Review.shares` gives, where it is any.
    """
    shares, review = {part: FoundFraction() for part in keys}, Review()
    precision = "lossless" if source.is_tracks else options.precision
    with store.growing(source.clip_id, keys, precision) as take:
        for block in _blocks(source, options, clip_progress):
            take(block)
            review.add(block)
            for part in shares.keys() & block.keys():
                shares[part].add(block[part])
    made: dict[str, dict[str, Any]] = {part: share.shares() for part, share in shares.items()}
    if "body" in made and (signs := review.shares()):
        made["body"]["signs"] = signs
    return made


def _blocks(
    source: Source, options: ExtractOptions, clip_progress: ClipProgress
) -> Iterator[dict[str, xr.Dataset]]:
    if source.is_tracks:
        assert isinstance(source.path, Path)
        own = refuse_stored(read_tracks(source.path))
        yield {"body": out_of_view(time_slice(own, source.start, source.end), source.away)}
    else:
        raw = track_blocks(
            source.path, source.start, source.end, options, clip_progress=clip_progress
        )
        seen = (
            {part: out_of_view(tracks, source.away) for part, tracks in block.items()}
            for block in raw
        )
        yield from checked_blocks(seen, options)
