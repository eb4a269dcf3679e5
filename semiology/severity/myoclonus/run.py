"""From a cohort and its store to tables and reports; resumable, clip by clip.

OUT/jerks/<clip_id>.tsv           jerks of a clip
OUT/measures/<clip_id>.json       its measures; reused while tracks and settings are the same
OUT/clips.tsv, items.tsv, scores.tsv, changes.tsv, fits.tsv, failed.tsv
OUT/reports/<participant_id>.html
OUT/overlays/<clip_id>.mp4        with `overlay`: a ring around each joint while it jerks
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import ValidationError
from tqdm import tqdm

from semiology.data.cohort import Clip, Cohort, clip_source
from semiology.data.overlay import write_overlay
from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.data.store import Store, clip_tracks, make_key
from semiology.errors import UserError
from semiology.files import begin_folder, write_text
from semiology.severity.jerks import Jerk, read_jerks, write_jerks
from semiology.severity.myoclonus import tables
from semiology.severity.myoclonus.changes import changes
from semiology.severity.myoclonus.measures import ClipMeasures, Settings, measure_clip
from semiology.severity.myoclonus.page import ReportContext, write_page
from semiology.severity.myoclonus.regression import (
    Fit,
    Key,
    fit_score,
    rated_panel,
    rated_visits,
    visit_features,
)
from semiology.severity.myoclonus.umrs import Visit, panel_of, score_visits

SCHEMA = 3  # raise when the same tracks and settings give other measures than before


@dataclass
class Summary:
    """The result of a run.

    Attributes:
        measured: clips that were measured.
        reused: clips whose stored measures are still valid.
        failed: clip_id -> reason.
        fits: regressions on clinicians' scores.
        participants: number of participants with a measured clip.
    """

    measured: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    fits: list[Fit] = field(default_factory=list)
    participants: int = 0

    def text(self) -> str:
        """The summary as lines for a terminal."""
        lines = [
            f"measured {len(self.measured)} clips, reused {len(self.reused)}; {self.participants}"
            " participants scored"
        ]
        for fit in self.fits:
            outcome = (
                f"not fitted: {fit.reason}"
                if fit.reason
                else f"fitted, leaving out one of {fit.participants} participants at a time"
            )
            lines.append(f"{fit.name}: {outcome}")
        if self.failed:
            lines += [
                f"failed ({len(self.failed)}):",
                *(f"  {clip_id}: {reason}" for clip_id, reason in self.failed.items()),
            ]
        return "\n".join(lines)


def score_cohort(
    cohort: Cohort,
    store: str | Path | None,
    out: str | Path,
    *,
    settings: Settings | None = None,
    overlay: bool = False,
    progress: bool = True,
) -> Summary:
    """Detect jerks in every clip of a cohort and score its participants' myoclonus by body part,
    panel and visit.

    A clip that cannot be read is listed in the summary and in failed.tsv, and the others are
    processed. Clips with tracks of their own need no store.

    Args:
        cohort: with `panel`, `item` and `visit` in clips.tsv, where there are several; clinicians'
            scores have the role "score".
        store: filled by `semiology extract`.
        out: folder of the results.
        settings: by default `Settings()`.
        overlay: also write each clip's video with its jerks marked.
        progress: show a progress bar.

    Raises:
        UserError: clips without tracks and no store; a folder that is no store, where none is
            needed; a clinician's score has the name of a column of the results; `out` cannot be
            written; the disk is full.
    """
    out, settings = Path(out), settings or Settings()
    lacking = [clip.clip_id for clip in cohort.clips if not clip.tracks]
    if store is None and lacking:
        raise UserError(
            f"{cohort.folder}: {len(lacking)} clips have no tracks of their own ({lacking[0]});"
            " give the store: --store DIR"
        )
    if store is not None and not lacking and not any(Path(store).glob("*/record.json")):
        raise UserError(
            f"{store}: is no store of `semiology extract`; leave it out, because all clips have"
            " tracks of their own"
        )
    opened = None if store is None else Store(store)
    begin_folder(out)
    summary, measures = Summary(), {}
    for clip in tqdm(cohort.clips, unit="clip", disable=not progress):
        try:
            one, jerks = _measure(cohort.folder, clip, opened, out, settings)
        except UserError as error:
            summary.failed[clip.clip_id] = str(error).removeprefix(f"clip {clip.clip_id}: ")
            continue
        except (ValueError, ArithmeticError, RuntimeError) as error:  # the other clips continue
            summary.failed[clip.clip_id] = (
                f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            )
            continue
        if jerks is not None:
            _write_clip(out, clip.clip_id, one, jerks)  # an error here stops the run
        (summary.reused if jerks is None else summary.measured).append(clip.clip_id)
        measures[clip.clip_id] = one
    controls = [
        participant
        for participant, group in cohort.groups.items()
        if group.lower() in ("control", "controls")
    ]
    visits = score_visits(cohort.clips, measures, controls, settings.seen)
    rated = {name: rated_visits(cohort.clips, score) for name, score in cohort.scores.items()}
    summary.fits = _fit(cohort, measures, rated)
    summary.participants = len({visit.participant_id for visit in visits if visit.items})
    if overlay:
        _overlays(cohort, opened, out, measures, summary, progress)
    _write(out, cohort, visits, measures, rated, settings, summary)
    return summary


def _measure(
    folder: Path, clip: Clip, store: Store | None, out: Path, settings: Settings
) -> tuple[ClipMeasures, list[Jerk] | None]:
    """A clip's measures and its jerks; None for the jerks where both are stored already."""
    tracks = clip_tracks(folder, clip, store, "body")
    # without `seen`, which enters the scores only
    chosen = {"jerks": asdict(settings.jerks), "within": settings.within}
    key = make_key({"schema": SCHEMA, "tracks": _digest(tracks), "settings": chosen})
    stored = _stored_measures(out, clip.clip_id)
    if stored is not None and stored.key == key:
        return stored, None
    measures, found = measure_clip(tracks, settings, key)
    return measures, found.jerks


def _write_clip(out: Path, clip_id: str, measures: ClipMeasures, jerks: list[Jerk]) -> None:
    write_jerks(out / "jerks" / f"{clip_id}.tsv", jerks)
    _overlay_path(out, clip_id).unlink(missing_ok=True)  # its jerks are out of date
    write_text(out / "measures" / f"{clip_id}.json", measures.model_dump_json() + "\n")


def _digest(tracks: xr.Dataset) -> str:
    """SHA-256 of a clip's positions, confidence, names and frame rate."""
    digest = hashlib.sha256(repr((tracks.attrs["fps"], tracks.keypoint.values.tolist())).encode())
    for name in sorted({"position", "position_3d", "confidence"} & set(tracks.variables)):
        digest.update(np.ascontiguousarray(tracks[name].values).tobytes())
    return digest.hexdigest()


def _stored_measures(out: Path, clip_id: str) -> ClipMeasures | None:
    """The stored measures of a clip; None where there are none, or the file is damaged."""
    path = out / "measures" / f"{clip_id}.json"
    if not path.is_file() or not (out / "jerks" / f"{clip_id}.tsv").is_file():
        return None
    try:
        return ClipMeasures.model_validate_json(path.read_bytes())
    except ValidationError:
        return None


def _fit(
    cohort: Cohort, measures: dict[str, ClipMeasures], rated: dict[str, dict[Key, float]]
) -> list[Fit]:
    """A fit for each clinician's score with an "Of", the machine score that it rates."""
    fits = []
    for name, score in cohort.scores.items():
        if not score.of:
            continue
        panel = rated_panel(cohort.clips, score)
        if panel is None:
            reason = (
                f'"Of" is {score.of!r}, the panel of no clip; write umrs_total, or umrs_ and a'
                " panel, as in umrs_action"
            )
            fits.append(Fit(name, score.of, reason=reason))
            continue
        groups: dict[Key, list[ClipMeasures]] = {}
        for clip in cohort.clips:
            if clip.clip_id in measures and panel in ("", panel_of(clip)):
                groups.setdefault(
                    (clip.participant_id, clip.covariates.get("visit", "")), []
                ).append(measures[clip.clip_id])
        fits.append(
            fit_score(score, rated[name], {key: visit_features(own) for key, own in groups.items()})
        )
    return fits


def _overlays(
    cohort: Cohort,
    store: Store | None,
    out: Path,
    measures: dict[str, ClipMeasures],
    summary: Summary,
    progress: bool,
) -> None:
    clips = [
        clip
        for clip in cohort.clips
        if clip.clip_id in measures and not _overlay_path(out, clip.clip_id).is_file()
    ]
    for clip in tqdm(clips, unit="overlay", disable=not progress):
        try:
            tracks = clip_tracks(cohort.folder, clip, store, "body")
            jerks = read_jerks(out / "jerks" / f"{clip.clip_id}.tsv")
            write_jerk_overlay(cohort.folder, clip, tracks, jerks, _overlay_path(out, clip.clip_id))
        except UserError as error:
            summary.failed[clip.clip_id] = f"overlay: {error}"


def _overlay_path(out: Path, clip_id: str) -> Path:
    return out / "overlays" / f"{clip_id}.mp4"


def _write(
    out: Path,
    cohort: Cohort,
    visits: Sequence[Visit],
    measures: dict[str, ClipMeasures],
    rated: dict[str, dict[Key, float]],
    settings: Settings,
    summary: Summary,
) -> None:
    """Write the tables and one report per participant."""
    scores = tables.score_rows(visits, measures, cohort.groups, rated, summary.fits)
    others = {*rated, *(f"{fit.name}_fitted" for fit in summary.fits if fit.predicted)}
    other_scores = {
        (visit.participant_id, visit.visit): {name: row[name] for name in row if name in others}
        for visit, row in zip(visits, scores)
    }
    found = changes(visits, cohort.visits, other_scores)
    key = ("participant_id", "visit")
    tables.write_rows(
        out / "clips.tsv",
        tables.clip_rows(cohort.clips, measures, settings.seen),
        (*key, "clip_id", "umrs"),
    )
    tables.write_rows(
        out / "items.tsv", tables.item_rows(visits), (*key, "panel", "item", "part", "score")
    )
    tables.write_rows(out / "scores.tsv", scores, (*key, "umrs_total"))
    tables.write_rows(
        out / "changes.tsv",
        tables.change_rows(found),
        ("participant_id", "score", "first", "later", "change", "reason"),
    )
    tables.write_rows(out / "fits.tsv", tables.fit_rows(summary.fits), ("score", "of", "reason"))
    failed = [{"clip_id": clip_id, "reason": reason} for clip_id, reason in summary.failed.items()]
    tables.write_rows(out / "failed.tsv", failed, ("clip_id", "reason"))
    synthetic = any("synthetic" in clip.covariates for clip in cohort.clips)
    raters = {name: score.rater for name, score in cohort.scores.items()}
    context = ReportContext(
        cohort.visits, measures, rated, raters, summary.fits, found, settings.seen, synthetic
    )
    for participant in dict.fromkeys(clip.participant_id for clip in cohort.clips):
        own = [visit for visit in visits if visit.participant_id == participant and visit.items]
        lost = {
            clip.clip_id: summary.failed[clip.clip_id]
            for clip in cohort.clips
            if clip.participant_id == participant and clip.clip_id in summary.failed
        }
        write_page(out / "reports" / f"{participant}.html", participant, own, context, lost)


# the first whose joints the tracks hold is drawn
SKELETONS = ("full_body_15", "upper_body_11", "limbs_12", "kinect_20")
SHORTEST = 0.3  # s that a ring is visible at least


def write_jerk_overlay(
    folder: Path, clip: Clip, tracks: xr.Dataset, jerks: list[Jerk], out: Path
) -> Path:
    """Write a copy of the clip's video with the skeleton, a ring around the joints that jerk, and
    captions.

    Raises:
        UserError: the clip has no video, or it cannot be read; the tracks are in m, or hold the
            joints of no skeleton.
    """
    video = clip_source(folder, clip)
    if video is None:
        raise UserError(
            "has no video to draw in; leave --overlay out for clips that have only tracks"
        )
    if "position" not in tracks:
        raise UserError(
            "its tracks are in metres and cannot be drawn into the video; give them in px"
        )
    try:
        return write_overlay(
            video,
            tracks,
            None,
            out,
            skeleton=_skeleton(tracks),
            start=clip.start,
            end=clip.end,
            captions=captions(tracks, jerks),
            marks=marks(tracks, jerks),
        )
    except UserError as error:
        raise UserError(str(error).replace(str(video), "its video")) from error


def marks(tracks: xr.Dataset, jerks: list[Jerk]) -> list[NDArray]:
    """(part, 2) px for each frame: of each part of the body that jerks, the joint with the largest
    amplitude; a ring around every joint would hide the face.
    """
    names = tracks.keypoint.values.tolist()
    position = tracks["position"].transpose("time", "keypoint", "space").values
    rows = [[names.index(jerk.joint) for jerk in own.values()] for own in _farthest(tracks, jerks)]
    return [position[frame, own] for frame, own in enumerate(rows)]


def captions(tracks: xr.Dataset, jerks: list[Jerk]) -> list[str]:
    """Text for each frame: the time, and one line per part of the body that jerks with its largest
    amplitude.
    """
    fps = tracks.attrs["fps"]
    return [
        "\n".join(
            [
                f"{frame / fps:.2f} s",
                *(
                    f"{part}: {100 * _size(jerk):.1f} % of torso length"
                    for part, jerk in own.items()
                ),
            ]
        )
        for frame, own in enumerate(_farthest(tracks, jerks))
    ]


def _farthest(tracks: xr.Dataset, jerks: list[Jerk]) -> list[dict[str, Jerk]]:
    """For each frame: part of the body -> its jerk of the largest amplitude."""
    farthest: list[dict[str, Jerk]] = [{} for _ in range(tracks.sizes["time"])]
    for jerk in sorted(jerks, key=_size):  # the largest last, which overwrites the others
        for frame in _frames(tracks, jerk):
            farthest[frame][jerk.part.replace("_", " ")] = jerk
    return farthest


def _size(jerk: Jerk) -> float:
    return float(np.nan_to_num(jerk.amplitude))


def _frames(tracks: xr.Dataset, jerk: Jerk) -> range:
    fps, frames = tracks.attrs["fps"], tracks.sizes["time"]
    first = max(0, round(jerk.onset * fps))
    return range(first, min(frames, round((jerk.onset + max(jerk.duration, SHORTEST)) * fps) + 1))


def _skeleton(tracks: xr.Dataset) -> Skeleton:
    held = set(tracks.keypoint.values.tolist())
    for skeleton in map(load_skeleton, SKELETONS):
        if all(joint in held or set(sources) <= held for joint, sources in skeleton.joints.items()):
            return skeleton
    raise UserError(
        f"its tracks hold the joints of none of {', '.join(SKELETONS)}; there is nothing to draw"
    )
