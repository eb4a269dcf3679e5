"""Kinematics of a clip: one row a joint, one a segment of the body, one a side."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from semiology.data.preprocessing import unbroken_runs
from semiology.errors import UserError
from semiology.severity.kinematics.derivatives import CUTOFF, derivative, highest_cutoff
from semiology.severity.kinematics.segments import SEGMENTS, positions_of, segment_of, side_of
from semiology.severity.kinematics.smoothness import (
    excursion,
    jerk_to_speed,
    path_length,
    path_length_ratio,
    rhythm,
    sparc,
    speed_peaks,
    usable,
)

# s: smoothness is that of unbroken pieces of this length, so that clips of any length compare [our
# choice]
PIECE = 4.0


def kinematic_table(
    tracks: xr.Dataset, unit: str = "torso", cutoff: float = CUTOFF, joints: list[str] | None = None
) -> pd.DataFrame:
    """Kinematic measures of a clip by joint, then by segment (all seven), then by side.

    The values of a segment or a side are means over its joints, weighted by their usable frames.
    The frequency is that of the joint with the largest amplitude instead: a hand at 5 Hz and an arm
    at 1 Hz are no movement at 3 Hz. Lengths (L) are in `unit`. Columns:

    - level, name, segment, side: "joint", "segment" or "side"; its name; its segment and side.
    - joints: number of joints that the row averages.
    - share: fraction of the clip's frames in which the position is known; 0 for a segment that the
      tracks do not hold.
    - speed, speed_peak: median and 95th percentile, L/s.
    - acceleration, jerk: root mean square, L/s^2 and L/s^3.
    - sparc, log_dimensionless_jerk, path_length_ratio: median over unbroken pieces of 4 s; NaN
      without one.
    - path_per_second: path length over the time in which it was observed, L/s.
    - peaks_per_second: peaks of the speed, Hz.
    - excursion: largest distance from the median position, L.
    - amplitude, frequency, power_0.5_3, power_3_8, power_8_12: see `rhythm`; L, Hz, L^2.

    The table's `attrs` hold the unit, its length (px or m per torso length), fps and the cut-off of
    each order of derivative, Hz.

    Args:
        tracks: with positions of low confidence replaced by NaN (`drop_low_confidence`).
        unit: "torso", "m" or "px".
        cutoff: Hz; lowered for a derivative for which the frame rate does not reach it.
        joints: keypoints by name; by default all of the tracks that are in `SEGMENTS`.

    Raises:
        UserError: a joint that the tracks do not hold, no joint of the body at all, a unit that the
            tracks do not hold.
    """
    fps, held = float(tracks.attrs["fps"]), tracks.keypoint.values.tolist()
    chosen = joints if joints is not None else [name for name in held if segment_of(name)]
    if lacking := sorted(set(chosen) - set(held)):
        raise UserError(
            f"kinematics: the tracks hold no joint {', '.join(lacking)}; they hold"
            f" {', '.join(held[:12])} ..."
        )
    if not chosen:
        raise UserError(
            "kinematics: none of the tracks' keypoints is a joint of the body; name them (joints):"
            f" {', '.join(held[:12])} ..."
        )
    positions, length = positions_of(tracks, unit)
    cutoffs = {order: min(cutoff, highest_cutoff(order, fps)) for order in (1, 2, 3)}
    rows = [
        {
            "level": "joint",
            "name": name,
            "segment": segment_of(name),
            "side": side_of(name),
            "joints": 1,
        }
        | _figures(positions[:, held.index(name)], length, fps, cutoffs)
        for name in chosen
    ]
    table = pd.DataFrame(rows)
    groups = [
        *(
            {"level": "segment", "name": name, "segment": name, "side": segment.side}
            for name, segment in SEGMENTS.items()
        ),
        *(
            {"level": "side", "name": side, "segment": "", "side": side}
            for side in ("left", "right")
        ),
    ]
    means = [group | _mean(table[table[str(group["level"])] == group["name"]]) for group in groups]
    whole = pd.concat([table, pd.DataFrame(means)], ignore_index=True)
    whole.attrs = {"unit": unit, "length": length, "fps": fps, "cutoff": cutoffs}
    return whole


def _figures(
    position: np.ndarray, length: float, fps: float, cutoffs: dict[int, float]
) -> dict[str, float]:
    """Kinematic measures of one joint's position (time, space)."""
    known = usable(position)
    if known.any():
        # relative to the first position: a joint at rest then is exactly 0
        position = (position - position[known.argmax()]) / length
    velocity, second, third = (
        derivative(position, fps, order, cutoffs[order]) for order in (1, 2, 3)
    )
    speeds = np.linalg.norm(velocity, axis=1)
    moving = speeds[np.isfinite(speeds)]
    steps = int((known[1:] & known[:-1]).sum())
    beat = rhythm(position, fps)
    return {
        "share": float(known.mean()) if len(known) else 0.0,
        "speed": float(np.median(moving)) if len(moving) else np.nan,
        "speed_peak": float(np.percentile(moving, 95)) if len(moving) else np.nan,
        "acceleration": _root_mean_square(second),
        "jerk": _root_mean_square(third),
        "sparc": _by_piece(speeds, fps, lambda piece: sparc(piece, fps)),
        "log_dimensionless_jerk": _by_piece(
            np.concatenate([velocity, third], axis=1),
            fps,
            lambda piece: jerk_to_speed(
                piece[:, : velocity.shape[1]], piece[:, velocity.shape[1] :], fps
            ),
        ),
        "path_length_ratio": _by_piece(position, fps, path_length_ratio),
        "path_per_second": path_length(position) * fps / steps if steps else np.nan,
        "peaks_per_second": (
            len(speed_peaks(speeds, fps)) * fps / len(moving) if len(moving) else np.nan
        ),
        "excursion": excursion(position),
        "amplitude": beat.amplitude,
        "frequency": beat.frequency,
        **{f"power_{low:g}_{high:g}": power for (low, high), power in beat.power.items()},
    }


def _root_mean_square(vectors: np.ndarray) -> float:
    """Root mean square of the magnitude of (time, space) over the frames in which it is known."""
    known = vectors[usable(vectors)]
    return float(np.sqrt((known**2).sum(axis=1).mean())) if len(known) else float("nan")


def _by_piece(values: np.ndarray, fps: float, measure: Callable[[np.ndarray], float]) -> float:
    """Median of a measure over the unbroken pieces of 4 s in (time, ...) values, cut from the start
    of each run.
    """
    frames = round(PIECE * fps)
    starts = [
        start
        for run in unbroken_runs(usable(values))
        for start in range(run.start, run.stop - frames + 1, frames)
    ]
    measured = np.array([measure(values[start : start + frames]) for start in starts])
    measured = measured[np.isfinite(measured)]
    return float(np.median(measured)) if len(measured) else float("nan")


def _mean(rows: pd.DataFrame) -> dict[str, float]:
    """Mean of the joints' measures, weighted by their fraction of usable frames; `share` is the
    unweighted mean, 0 without any joint. The frequency is that of the joint with the largest
    amplitude.
    """
    figures = rows.drop(columns=["level", "name", "segment", "side", "joints", "share"])
    weights = figures.notna().mul(rows["share"], axis=0)
    total = weights.sum()
    means = (figures.fillna(0) * weights).sum() / total.where(total > 0)
    if rows["amplitude"].notna().any():
        means["frequency"] = rows["frequency"].to_numpy()[
            np.nanargmax(rows["amplitude"].to_numpy())
        ]
    return {
        "joints": len(rows),
        "share": float(rows["share"].mean()) if len(rows) else 0.0,
        **{str(name): float(mean) for name, mean in means.items()},
    }
