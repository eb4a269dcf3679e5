"""How far tracked joints are from the truth."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.data.store import Store
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.tracking.finetune.error import distance

PARTS = {"body": ("upper_body_11", "torso lengths"), "face": ("face_23", "distances between the eyes")}


def distances(tracks: xr.Dataset, truth: xr.Dataset, skeleton: Skeleton) -> np.ndarray:
    """(time, joint) Euclidean distance in px between tracks and truth, joined by time and name; NaN where either is missing.

    Joints that the truth marks as hidden (confidence 0) are left out: nobody could see them.

    Raises:
        UserError: the two differ in frame rate.
    """
    if abs(tracks.attrs["fps"] - truth.attrs["fps"]) > 1e-6:
        raise UserError(f"tracks at {tracks.attrs['fps']:g} and truth at {truth.attrs['fps']:g} frames per second cannot be joined")
    found, true = select(tracks, skeleton), select(truth, skeleton)
    frames = min(found.sizes["time"], true.sizes["time"])
    position, labelled = (part["position"].transpose("time", "keypoint", "space").values[:frames] for part in (found, true))
    return np.where(true["confidence"].values[:frames] > 0, distance(position, labelled), np.nan)


def unit(truth: xr.Dataset, skeleton: Skeleton) -> float:
    """The clip's median length in px between the skeleton's two scale joints: torso length, or distance between the eyes."""
    joints = select(truth, skeleton)["position"]
    first, second = (joints.sel(keypoint=name) for name in skeleton.scale)
    return float(np.nanmedian(np.sqrt(((first - second) ** 2).sum("space"))))


def tracking_truth(cohort: Path, store: Path) -> dict[str, Any]:
    """Error of a phantom cohort's extracted tracks against its truth, for the report: joint by joint, body and face.

    Distances are in torso lengths (body) and in distances between the outer eye corners (face), medians over frames of all clips; the share
    found is that of (frame, joint) pairs that are in view in truth and were tracked.

    Raises:
        UserError: the cohort has no truth folder (it is no phantom), or a clip was not extracted.
    """
    folder = Path(cohort) / "truth"
    if not folder.is_dir():
        raise UserError(f"{cohort}: has no truth folder; only phantom cohorts (`semiology phantom`) know the truth")
    result: dict[str, Any] = {}
    for part, (name, unit_name) in PARTS.items():
        skeleton = load_skeleton(name)
        errors, in_view, tracked = [], 0, 0
        for clip in Cohort.read(cohort).clips:
            truth = read_tracks(folder / (f"{clip.clip_id}.nc" if part == "body" else f"{clip.clip_id}_face.nc"))
            apart = distances(Store(store).predicted(clip.clip_id, part), truth, skeleton)
            errors.append(apart / unit(truth, skeleton))
            seen = select(truth, skeleton)["confidence"].values[: len(apart)] > 0
            in_view += int(seen.sum())
            tracked += int((seen & np.isfinite(apart)).sum())
        pooled = np.concatenate(errors)
        result[part] = {
            "unit": unit_name,
            "found": round(tracked / max(in_view, 1), 4),
            "median error": round(float(np.nanmedian(pooled)), 4),
            "95th percentile": round(float(np.nanpercentile(pooled, 95)), 4),
            **{f"median {joint}": round(float(np.nanmedian(pooled[:, number])), 4) for number, joint in enumerate(skeleton.names)},
        }
    return result
