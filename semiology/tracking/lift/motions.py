"""3D skeletons over time to train on: anybody's motion capture in the form of tracks with position_3d."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import coordinates, select
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.tracking.lift.body import SKELETON

FPS = 25.0  # Hz, the rate at which the lifter works; that of extracted tracks [P]
SHORTEST = 10  # frames with a whole body that a recording must have [our choice]


@dataclass(frozen=True)
class Motion:
    """One recording.

    Attributes:
        participant_id: who moves.
        joints: (time, 11, 3) m at 25 Hz, x to the right, y down, z away from where it was seen; NaN where missing.
    """

    participant_id: str
    joints: np.ndarray


def read_motions(inputs: Sequence[str | Path]) -> list[Motion]:
    """Recordings from a cohort's folder (clips.tsv names tracks and participants), from folders of .nc files, and from .nc files.

    Outside a cohort every file counts as one participant: nothing there says whose it is.

    Raises:
        UserError: nothing to read, tracks without position_3d or without the joints, recordings without a whole body.
    """
    found: list[tuple[Path, str]] = []
    for path in map(Path, inputs):
        if (path / "clips.tsv").is_file():
            cohort = Cohort.read(path, check_videos=False)
            found += [(path / clip.tracks, clip.participant_id) for clip in cohort.clips if clip.tracks]
        elif path.is_dir():
            found += [(file, file.stem) for file in sorted(path.glob("*.nc"))]
        else:
            found.append((path, path.stem))
    if not found:
        raise UserError(f"{', '.join(map(str, inputs))}: no tracks there; give .nc files, their folder, or a cohort whose clips are tracks")
    motions = []
    for file, participant in found:
        try:
            motions.append(as_motion(read_tracks(file), participant))
        except UserError as error:
            raise UserError(f"{file}: {error}") from error
    return motions


def as_motion(tracks: xr.Dataset, participant_id: str) -> Motion:
    """The 11 joints of tracks with position_3d, at 25 Hz.

    Raises:
        UserError: no position_3d, a joint is lacking, hardly a frame with all joints.
    """
    joints = coordinates(select(tracks, SKELETON), 3)
    frames = int(np.floor((len(joints) - 1) / tracks.attrs["fps"] * FPS + 1e-6)) + 1
    joints = at_times(joints, np.arange(len(joints)) / tracks.attrs["fps"], np.arange(frames) / FPS)
    if (whole := int(np.isfinite(joints).all((1, 2)).sum())) < SHORTEST:
        raise UserError(f"{whole} frames at {FPS:g} Hz hold all of the {len(SKELETON.names)} joints in 3D; at least {SHORTEST} are needed")
    return Motion(participant_id, joints)


def at_times(values: np.ndarray, times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values (time, ...) read at other times (s), on straight lines between neighbours; NaN beside a missing one and outside the clip.

    The times lie on a regular grid, ascending.
    """
    step = times[1] - times[0] if len(times) > 1 else 1.0
    place = (wanted - times[0]) / step
    place = np.where(np.abs(place - np.round(place)) < 1e-6, np.round(place), place)
    inside = (place >= 0) & (place <= len(times) - 1)
    before = np.clip(np.floor(place).astype(int), 0, len(times) - 1)
    after = np.minimum(before + 1, len(times) - 1)
    share = (place - before).reshape(-1, *[1] * (values.ndim - 1))
    read = np.where(share > 0, (1 - share) * values[before] + share * values[after], values[before])
    read[~inside] = np.nan
    return read
