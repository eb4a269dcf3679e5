"""Cohorts of many clips, made once: small videos, or tracks that are brought along, which need no
video and no store.

Used by the benchmarks of what grows with the number of clips. Every participant has five clips and
one level, the levels in turn.
"""

import json
import shutil
from pathlib import Path

import numpy as np

from semiology.data.tracks import make_tracks, save_tracks
from semiology.tracking.pose import pose_backend

EACH = 5  # clips a participant
RATE = 25.0  # Hz
LEVELS = ("absent", "present")


def video_cohort(folder: Path, clips: int, video: Path) -> Path:
    """`clips` copies of one small video; the tables are written last and say that the rest is
    there.
    """
    if not (folder / "clips.tsv").is_file():
        (folder / "videos").mkdir(parents=True, exist_ok=True)
        for number in range(clips):
            shutil.copy(video, folder / f"videos/c{number:05d}{video.suffix}")
        _write_tables(folder, clips, "video", f"videos/{{}}{video.suffix}")
    return folder


def tracks_cohort(folder: Path, clips: int, seconds: float) -> Path:
    """`clips` files of body tracks at 25 Hz, each walking its own way at random; MediaPipe's 33
    keypoints, in px and metres.
    """
    if not (folder / "clips.tsv").is_file():
        for number in range(clips):
            path = folder / f"tracks/c{number:05d}.nc"
            if not path.is_file():
                save_tracks(drawn_tracks(seconds, seed=number), path)
        _write_tables(folder, clips, "tracks", "tracks/{}.nc")
    return folder


def drawn_tracks(seconds: float, seed: int, part: str = "body"):
    """Tracks as the default backend makes them of a part, of keypoints that wander about a resting
    place.
    """
    rng, names = np.random.default_rng(seed), pose_backend("blazepose").keypoints[part]
    steps = rng.normal(0, 0.5, (round(seconds * RATE), len(names), 2))
    position = rng.normal(200, 50, (1, len(names), 2)) + np.cumsum(steps, axis=0)  # px
    metres = np.concatenate([position, position[..., :1]], axis=2) / 500
    confidence = rng.uniform(0.5, 1, position.shape[:2])
    return make_tracks(
        position,
        names,
        RATE,
        confidence=confidence,
        position_3d=metres,
        width=720,
        height=576,
        backend="blazepose",
    )


def _write_tables(folder: Path, clips: int, column: str, path: str) -> None:
    people = [f"p{number:05d}" for number in range(-(-clips // EACH))]
    label = {"Role": "label", "Levels": dict.fromkeys(LEVELS, "")}
    (folder / "clips.json").write_text(json.dumps({"dystonia": label}))
    (folder / "participants.tsv").write_text("\n".join(["participant_id", *people]) + "\n")
    rows = [f"clip_id\tparticipant_id\t{column}\tstart\tend\tdystonia"]
    for number in range(clips):
        clip, person = f"c{number:05d}", number // EACH
        rows.append(f"{clip}\t{people[person]}\t{path.format(clip)}\t0\tn/a\t{LEVELS[person % 2]}")
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
