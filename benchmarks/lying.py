"""People who lie or are turned: found, and how exactly, in videos turned by quarters, by day and in
night infrared, and half under a blanket.

    python benchmarks/lying.py

Phantoms (synthetic patients) against their truth, in torso lengths; real people of the test data
against the landmarks of their own upright video, as there is no truth. Infrared of real people is
made: grey, a third of the brightness, with noise. Turned copies are encoded anew, as are upright
ones. Videos are read at 12.5 frames a second.
"""

import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from record import TESTDATA, record

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import select
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import read_tracks
from semiology.phantom import make_myoclonus, make_phantom
from semiology.tracking.extraction import ExtractOptions, extract_tracks, found_fraction
from semiology.tracking.tracking_error import clip_scale
from semiology.video import read_frames, write_video

RUN = Path("runs/lying")
TESTDATA = TESTDATA
PEOPLE = ("dance_720x406", "room_cam01_portrait", "room_cam03_portrait")
FPS, SECONDS = 12.5, 6.0
TURNS = (0, 90, 180, 270)
FOUND, ERROR, APART = 0.9, 1.1, 0.1
SKELETON = load_skeleton("upper_body_11")
LEGS = ["left_knee", "right_knee", "left_ankle", "right_ankle"]


def main() -> int:
    rows = {}
    print(f"{'':<34}" + "".join(f"{turn:>16}" for turn in TURNS))
    for name, (video, truth, infrared) in clips().items():
        with tempfile.TemporaryDirectory() as folder:
            found, error, legs = measured(video, truth, infrared, Path(folder))
        rows[name] = {"found": found, "error": error, "legs": legs}
        cells = (f"{share:.3f} {far:.3f}" for share, far in zip(found, error))
        print(f"{name:<34}" + "".join(f"{cell:>16}" for cell in cells), flush=True)
    short = [name for name, row in rows.items() if not holds(row, "phantom" in name)]
    legs = max(rows[name]["legs"][0] for name in rows if "blanket" in name)
    return record(
        "lying",
        rows,
        "turned by 90, 180 and 270 degrees: body found in at least 0.9 of the share upright; median"
        " error of phantoms at most 1.1 of that upright, of real people at most 0.1 torso lengths"
        " from where they are found upright",
        not short,
        headline=(
            f"{len(rows) - len(short)} of {len(rows)} clips within"
            + (f"; not {', '.join(short)}" if short else "")
            + f"; legs under a blanket given in {legs:.0%} of frames"
        ),
        seed=0,
    )


def holds(row: dict, has_truth: bool) -> bool:
    found, error = row["found"], row["error"]
    near = max(error[1:]) <= (ERROR * error[0] if has_truth else APART)
    return min(found[1:]) >= FOUND * found[0] and near


def clips() -> dict[str, tuple[Path, Path | None, bool]]:
    """Name -> video, truth, and whether it is to be made infrared."""
    made: dict[str, tuple[Path, Path | None, bool]] = {}
    folder = make_phantom(RUN / "phantom", subjects=4, clips_per_subject=1, seconds=(8, 8), seed=5)
    for clip in Cohort.read(folder).clips:
        light = str(clip.covariates.get("light"))
        truth = folder / "truth" / f"{clip.clip_id}.nc"
        made.setdefault(f"phantom, {light}", (folder / clip.video, truth, False))
    folder = make_myoclonus(
        RUN / "blanket", subjects=3, blanket="half", seed=5, seconds=8, visits=1
    )
    for clip in Cohort.read(folder).clips:
        light = str(clip.covariates.get("light"))
        truth = folder / "truth" / f"{clip.clip_id}.nc"
        made.setdefault(f"phantom, blanket, {light}", (folder / clip.video, truth, False))
    for name in PEOPLE:
        video = TESTDATA / "people" / f"{name}.mp4"
        if video.is_file():
            made[name] = video, None, False
            made[f"{name}, infrared"] = video, None, True
    return made


def measured(
    video: Path, truth: Path | None, infrared: bool, folder: Path
) -> tuple[list[float], list[float], list[float]]:
    """By turn: share of frames with the body, median error, share of frames with legs."""
    upright: np.ndarray | None = None
    found, error, legs = [], [], []
    for turn in TURNS:
        path = folder / f"{turn}.mp4"
        write_video(path, turned(video, turn // 90, infrared), FPS)
        tracks = extract_tracks(path, options=ExtractOptions(fps=FPS))["body"]
        found.append(found_fraction(tracks))
        known = [name for name in LEGS if name in tracks.keypoint.values]
        legs.append(float((tracks["confidence"].sel(keypoint=known).values > 0.5).mean()))
        joints = select(tracks, SKELETON)
        position = joints["position"].transpose("time", "keypoint", "space").values
        position = turned_back(position, turn // 90, tracks.attrs["width"], tracks.attrs["height"])
        if upright is None:
            upright = position
            expected, unit = reference(joints, truth, len(position))
        goal = expected if truth is not None else upright
        frames = min(len(goal), len(position))
        away = np.linalg.norm(position[:frames] - goal[:frames], axis=-1)
        error.append(float(np.nanmedian(away / unit)))
    return found, error, legs


def reference(joints: xr.Dataset, truth: Path | None, frames: int) -> tuple[np.ndarray, float]:
    """Where the joints are, (time, joint, 2) px, by the truth or as found; and the torso, px."""
    own = joints if truth is None else select(read_tracks(truth), SKELETON)
    position = own["position"].transpose("time", "keypoint", "space").values
    unit = float(np.nanmedian(clip_scale(own, SKELETON)))
    if truth is None:
        return position, unit
    rows = np.round(np.arange(frames) * own.attrs["fps"] / FPS).astype(int)
    return position[rows[rows < len(position)]], unit


def turned(video: Path, quarters: int, infrared: bool) -> Iterator[np.ndarray]:
    """Frames of a video, turned counter-clockwise by quarters."""
    rng = np.random.default_rng(0)
    for frame in itertools.islice(read_frames(video, fps=FPS), int(SECONDS * FPS)):
        if frame.image is None:
            continue
        image = frame.image
        if infrared:
            grey = image.astype(float).mean(axis=-1) / 3 + rng.normal(0, 3, image.shape[:2])
            image = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)
        yield np.ascontiguousarray(np.rot90(image, quarters))


def turned_back(position: np.ndarray, quarters: int, width: int, height: int) -> np.ndarray:
    """Positions (..., 2) px in a frame of this size as they are in the upright one."""
    for _ in range(quarters):  # rot90 takes (x, y) to (y, width - x)
        position = np.stack([height - position[..., 1], position[..., 0]], axis=-1)
        width, height = height, width
    return position


if __name__ == "__main__":
    sys.exit(main())
