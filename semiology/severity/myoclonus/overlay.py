"""A copy of a clip's video with a ring around each joint while it jerks."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.data.cohort import Clip, clip_source
from semiology.data.overlay import write_overlay
from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.errors import UserError
from semiology.severity.jerks import Jerk

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
