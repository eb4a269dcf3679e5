"""A rigid bone should not stretch: spread of each bone's 3D length over time, the lifter beside
MediaPipe's own 3D, on two real videos.

The lifter reads the 2D joints of the same tracks. As shipped it gives every bone of a clip one
length, so that its spread is 0 by construction and says nothing; what is tested is the network's
output before that step. Two cameras filmed the same moments: how well the two 3D poses agree after
Procrustes is shown as well, without a target.
"""

import sys

import numpy as np
import xarray as xr
from record import TESTDATA, record

from semiology.data.preprocessing import coordinates, select
from semiology.tracking.extraction import extract_tracks
from semiology.tracking.lift import lift
from semiology.tracking.lift.network import BONES, MIRRORED_BONE, SKELETON, bone_lengths
from semiology.tracking.lift.training import joint_errors, procrustes

PEOPLE = TESTDATA / "people"
VIDEOS = ["room_cam01_portrait.mp4", "room_cam03_portrait.mp4"]


def joints(tracks: xr.Dataset) -> np.ndarray:
    """(time, 11, 3) m."""
    return coordinates(select(tracks, SKELETON), 3)


def spread(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interquartile range / median and standard deviation / mean of each bone's length, (bone,)
    each.
    """
    lengths = lengths[np.isfinite(lengths).all(1)]
    low, middle, high = np.percentile(lengths, [25, 50, 75], axis=0)
    return (high - low) / middle, lengths.std(0) / lengths.mean(0)


def main() -> int:
    if not PEOPLE.is_dir():
        print(f"bone-stretch: no data at {PEOPLE}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    found: dict[str, list[np.ndarray]] = {"mediapipe": [], "lifter": [], "lifter as shipped": []}
    for video in VIDEOS:
        body = extract_tracks(PEOPLE / video)["body"]
        found["mediapipe"].append(joints(body))
        found["lifter"].append(joints(lift(body, rigid=False)))
        found["lifter as shipped"].append(joints(lift(body)))
    figures: dict[str, object] = {}
    means = {}
    for number, video in enumerate(VIDEOS):
        tables = {name: spread(bone_lengths(clips[number])) for name, clips in found.items()}
        print(
            f"\n{video}, {len(found['lifter'][number])} frames{'':<4}IQR/median: "
            + "".join(f"{name:>19}" for name in tables),
            end="",
        )
        print("   sd/mean: " + "".join(f"{name:>19}" for name in tables))
        for bone, name in enumerate(BONES):
            print(
                f"{name:<44}"
                + "".join(
                    "".join(f"{table[k][bone]:>19.3f}" for table in tables.values()) + " " * 12
                    for k in (0, 1)
                )
            )
        print(
            f"{'mean':<44}"
            + "".join(
                "".join(f"{table[k].mean():>19.3f}" for table in tables.values()) + " " * 12
                for k in (0, 1)
            )
        )
        for name, (iqr, sd) in tables.items():
            means.setdefault(name, []).append((iqr.mean(), sd.mean()))
            rows = {
                bone: {"iqr_over_median": iqr[place], "sd_over_mean": sd[place]}
                for place, bone in enumerate(BONES)
            }
            figures.setdefault(video, {})[name] = rows  # type: ignore[index]
    overall = {name: np.mean(values, axis=0) for name, values in means.items()}
    sides = np.flatnonzero(np.arange(len(BONES)) < MIRRORED_BONE)
    for name, clips in found.items():
        medians = np.array([np.nanmedian(bone_lengths(clip), axis=0) for clip in clips])
        apart = np.abs(medians - medians[:, MIRRORED_BONE])[:, sides] / medians[:, sides]
        frames = min(map(len, clips))
        first, second = (clip[:frames] for clip in clips)
        whole = np.isfinite(first).all((1, 2)) & np.isfinite(second).all((1, 2))
        torso = np.linalg.norm(
            second[whole][:, SKELETON.names.index("neck")]
            - second[whole][:, SKELETON.names.index("spine_base")],
            axis=1,
        )
        agreement = joint_errors(procrustes(first[whole], second[whole]), second[whole])[1] / torso
        figures[name] = {
            "mean iqr_over_median": overall[name][0],
            "mean sd_over_mean": overall[name][1],
            "left against right, median lengths": apart.mean(),
            "two cameras after Procrustes, torso lengths": np.median(agreement),
        }
        print(
            f"{name}: mean spread IQR/median {overall[name][0]:.3f}, sd/mean"
            f" {overall[name][1]:.3f}; left and right differ by {apart.mean():.1%}; the two cameras"
            f" differ by {np.median(agreement):.3f} torso lengths after Procrustes"
        )
    met = bool((overall["lifter"] <= overall["mediapipe"]).all())
    return record(
        "bone-stretch",
        figures,
        "the network's mean spread, before bones are made rigid, no worse than MediaPipe's in both"
        " measures [our choice]",
        met,
        headline=(
            f"IQR/median {overall['lifter'][0]:.3f} (MediaPipe {overall['mediapipe'][0]:.3f}),"
            f" sd/mean {overall['lifter'][1]:.3f} (MediaPipe {overall['mediapipe'][1]:.3f}); 0 as"
            " shipped, by construction"
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
