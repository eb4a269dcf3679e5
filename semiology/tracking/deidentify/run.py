"""De-identify many videos, or all videos of a cohort: finished copies are skipped, failures are
listed.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from semiology.data.cohort import Cohort
from semiology.data.cohort.out_of_view import TABLE as OUT_OF_VIEW
from semiology.data.cohort.out_of_view import Stretch, write_out_of_view
from semiology.data.cohort.table import read_table
from semiology.data.store import make_key
from semiology.errors import UserError
from semiology.files import (
    atomic_path,
    content_hash,
    read_json,
    remove_parts,
    write_json,
    write_text,
)
from semiology.tracking.blazepose.networks import NetworkError
from semiology.tracking.deidentify.cover import (
    Cover,
    DeidentifyOptions,
    covered_fraction,
    plan_covers,
)
from semiology.tracking.deidentify.heads import EveryFace, detect_heads
from semiology.tracking.deidentify.verify import write_verified
from semiology.tracking.pose import pose_backend
from semiology.video import VideoError, probe

VERSION = 2  # raise when the same video and options give a different copy: it is part of the key
MARKER_FILE = "deidentified.json"  # marks a cohort's folder as a de-identified copy
REASONS = ("face", "head", "filled", "whole frame", "damaged", "nothing")


@dataclass
class DeidentifySummary:
    """Result of a de-identification. Videos go by the names of their copies: the file's stem, a
    number, or the clip_id.

    Attributes:
        done: copies that were written.
        skipped: copies that were there already.
        failed: (name, reason).
        records: name -> content of its .json.
        left_out: clips of a cohort that have no video of their own, but tracks, which hold faces
            too, or a recording of many files; they are not copied.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    records: dict[str, dict] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def text(self) -> str:
        """A few lines to print."""
        total = len(self.done) + len(self.skipped) + len(self.failed)
        lines = [
            f"{total} videos: {len(self.done)} covered, {len(self.skipped)} were there already,"
            f" {len(self.failed)} failed"
        ]
        for name, record in self.records.items():
            reasons = ", ".join(
                f"{reason} {count}" for reason, count in record["reasons"].items() if count
            )
            lines.append(
                f"{name}: {record['frames']} frames: {reasons}; {record['covered']:.1%} of the"
                " image covered"
            )
        lines += [
            f"left out: {clip_id}: has tracks or a recording, and no video"
            for clip_id in self.left_out
        ]
        lines += [f"failed: {name}: {message}" for name, message in self.failed]
        return "\n".join(lines)


def deidentify_videos(
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    options: DeidentifyOptions | None = None,
    rename: bool = False,
    progress: bool = True,
) -> DeidentifySummary:
    """Copy videos with every head covered: OUT/<name>.mp4, with <name>.csv, a row per frame, and
    <name>.json, the summary.

    Faces, or the whole head where the face is not visible, are filled with flat grey; a frame in
    which the patient's head is lost is covered whole. Sound, subtitles and metadata are dropped.
    De-identified is not anonymous: gait, clothes, room and the file's name remain.

    Args:
        videos: the files; a copy is named as its video without suffix.
        out: folder of the copies.
        options: how to cover.
        rename: name the copies video-001, video-002, ... in the order given.

    Raises:
        UserError: two videos of the same name, a copy that would overwrite a video or something
            else; the folder cannot be written.
    """
    names = [
        f"video-{number:03d}" if rename else Path(video).stem
        for number, video in enumerate(videos, start=1)
    ]
    for name in names:
        twins = [str(video) for video, other in zip(videos, names) if other.lower() == name.lower()]
        if len(twins) > 1:
            raise UserError(
                f"{' and '.join(twins)}: would share the copy {Path(out) / name}.mp4; rename one,"
                " or number them by --rename"
            )
    chosen = options or DeidentifyOptions()
    return _all(
        [(name, Path(video), chosen) for name, video in zip(names, videos)], Path(out), progress
    )


def deidentify_cohort(
    cohort: Cohort,
    out: str | Path,
    *,
    options: DeidentifyOptions | None = None,
    progress: bool = True,
) -> DeidentifySummary:
    """Copy a cohort with every head covered: its tables, and OUT/videos/<clip_id>.mp4 named by the
    first clip of each video.

    Start and end of the clips stay valid, because no frame is left out, and so do points on the
    patient and stretches out of view, which are copied without raters' names. Participants' table
    and sidecar are copied unchanged: whether they identify a person is for the user to check. Clips
    whose video failed, and those with tracks only, are not in the copy; the column `tracks` is
    dropped, because tracks hold the face's landmarks, and so is `pixel_aspect`: a video is read by
    it, before the options' own, and its copy has square pixels. OUT/deidentified.json has a summary
    of each video.

    Raises:
        UserError: OUT is the cohort itself or holds something else; the cohort has no video, or
            clips of one video with different pixels; OUT cannot be written.
    """
    out = Path(out)
    if out.resolve() == cohort.folder.resolve():
        raise UserError(f"{out}: is the cohort itself; choose another folder for the copy")
    if (out / "clips.tsv").exists() and not (out / MARKER_FILE).exists():
        raise UserError(
            f"{out}: holds a cohort that was not made by semiology deidentify; choose another"
            " folder"
        )
    options = options or DeidentifyOptions()
    names: dict[str, str] = {}
    aspects: dict[str, str | None] = {}
    for clip in cohort.clips:
        if clip.video:
            names.setdefault(clip.video, clip.clip_id)
            if aspects.setdefault(clip.video, clip.pixel_aspect) != clip.pixel_aspect:
                raise UserError(
                    f"{cohort.folder}: clips {names[clip.video]} and {clip.clip_id} are of one"
                    " video and state different pixels; correct pixel_aspect in clips.tsv"
                )
    if not names:
        raise UserError(f"{cohort.folder}: no clip of it names a video; there is nothing to cover")
    sources = [
        (
            name,
            cohort.folder / video,
            replace(options, pixel_aspect=aspects[video] or options.pixel_aspect),
        )
        for video, name in names.items()
    ]
    summary = _all(sources, out / "videos", progress)
    failed = {name for name, _ in summary.failed}
    summary.left_out = [clip.clip_id for clip in cohort.clips if not clip.video]
    table = read_table(cohort.folder / "clips.tsv", [], [], [])
    columns = [column for column in table.columns if column not in ("tracks", "pixel_aspect")]
    copied = [row for _, row in table.rows if row["video"] and names[row["video"]] not in failed]
    rows = [{**row, "video": f"videos/{names[row['video']]}.mp4"} for row in copied]
    clips = io.StringIO()
    csv.writer(clips, delimiter="\t", lineterminator="\n").writerows(
        [columns, *([row[column] or "n/a" for column in columns] for row in rows)]
    )
    write_json(out / MARKER_FILE, {"options": asdict(options), "videos": summary.records})
    for name in ("participants.tsv", "clips.json"):
        with atomic_path(out / name) as temporary:
            temporary.write_bytes((cohort.folder / name).read_bytes())
    kept = {row["clip_id"] for row in copied}
    away = [
        Stretch(clip.clip_id, onset, duration)
        for clip in cohort.clips
        if clip.clip_id in kept
        for onset, duration in clip.away
    ]
    if away:
        write_out_of_view(out, away)
    else:
        (out / OUT_OF_VIEW).unlink(missing_ok=True)  # of an earlier copy
    write_text(out / "clips.tsv", clips.getvalue())
    return summary


def _all(
    sources: Sequence[tuple[str, Path, DeidentifyOptions]], out: Path, progress: bool
) -> DeidentifySummary:
    pose_backend("blazepose")  # fails here, before the first video, where it is not installed
    for name, video, _ in sources:
        copy = out / f"{name}.mp4"
        if copy.exists() and video.exists() and copy.samefile(video):
            raise UserError(f"{copy}: is the video itself; choose another folder for the copy")
        if copy.exists() and not _record(copy):
            raise UserError(
                f"{copy}: is there and was not made by semiology deidentify; choose another folder"
            )
    remove_parts(out)
    summary = DeidentifySummary()
    for name, video, options in sources:
        copy = out / f"{name}.mp4"
        try:
            key = _key(video, options)
            if copy.exists() and _record(copy).get("key") == key:
                summary.skipped.append(name)
            else:
                deidentify_video(video, copy, options, key=key, progress=progress)
                summary.done.append(name)
            summary.records[name] = _record(copy)
        except VideoError as error:
            summary.failed.append((name, error.fault))
        except UserError as error:
            if isinstance(error, NetworkError) or isinstance(error.__cause__, OSError):
                raise  # no network, or no folder to write in: every other video would fail too
            summary.failed.append((name, str(error)))
        except (
            RuntimeError,
            ValueError,
            ArithmeticError,
            MemoryError,
        ) as error:  # one video's failure must not stop the others
            summary.failed.append(
                (name, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
            )
    return summary


def deidentify_video(
    video: str | Path,
    copy: Path,
    options: DeidentifyOptions,
    *,
    key: str = "",
    progress: bool = False,
) -> list[Cover]:
    """Write one covered copy with its log (.csv) and record (.json); the copy appears last, after
    it was verified, or not at all.

    Raises:
        VideoError: the video cannot be read.
        UserError: the copy cannot be made, see `write_checked`, or cannot be written.
    """
    reading = options.reading
    info = probe(video, reading)
    heads = detect_heads(video, reading=reading, progress=progress)
    plan = plan_covers(heads, info.width, info.height, options)
    with atomic_path(copy) as temporary:
        final, rounds = write_verified(
            video, temporary, plan, info, grow=options.grow, reading=reading, progress=progress
        )
        shares = [covered_fraction(cover.boxes, info.width, info.height) for cover in final]
        counts = Counter(cover.reason for cover in final)
        record = {
            "key": key,
            "frames": len(final),
            "reasons": {reason: counts[reason] for reason in REASONS},
            "covered": float(np.mean(shares)),
            "added_by_check": sum(cover.added > 0 for cover in final),
            "rounds": rounds,
            "options": asdict(options),
        }
        copy.unlink(
            missing_ok=True
        )  # or an interruption here would leave the record of one copy beside another
        write_text(copy.with_suffix(".csv"), log(final, shares))
        write_json(copy.with_suffix(".json"), record)
    return final


def log(plan: Sequence[Cover], shares: Sequence[float]) -> str:
    """CSV with a row per frame: its number, time (s), reason, boxes (x0 y0 x1 y1 in px, separated
    by ";"), the number of boxes that the check added, fraction covered.
    """
    lines = ["frame,time_s,reason,boxes,added_by_check,share_covered"]
    for cover, share in zip(plan, shares):
        boxes = ";".join(" ".join(map(str, box)) for box in cover.boxes)
        lines.append(
            f"{cover.index},{cover.time:.6f},{cover.reason},{boxes},{cover.added},{share:.4f}"
        )
    return "\n".join(lines) + "\n"


def _key(video: Path, options: DeidentifyOptions) -> str:
    probe(video, options.reading)  # raises for an unreadable file before all of it is hashed
    models = {"detector": EveryFace.parameters(), "pose": pose_backend("blazepose").parameters()}
    return make_key(
        {
            "made": "deidentify",
            "version": VERSION,
            "sha256": content_hash(video),
            "options": asdict(options),
            **models,
        }
    )


def _record(copy: Path) -> dict:
    """The record beside a copy; empty where there is none, or it is not ours."""
    try:
        record = read_json(copy.with_suffix(".json"))
    except UserError:
        return {}
    return record if {"key", "reasons"} <= record.keys() else {}
