"""How far lifted joints are from the truth: MPJPE, plain and after Procrustes, beside the baseline of mean depths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from semiology.tracking.lift.body import ROOT, one_body
from semiology.tracking.lift.lifter import Lifter
from semiology.tracking.lift.motions import Motion
from semiology.tracking.lift.simulation import Cameras
from semiology.tracking.lift.tracker import Tracker


def procrustes(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """`found` (frame, joint, 3) turned, moved and scaled, frame by frame, to lie as near to `true` as it can (least squares).

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991 [P]. No reflection.
    """
    found_mean, true_mean = found.mean(1, keepdims=True), true.mean(1, keepdims=True)
    a, b = found - found_mean, true - true_mean
    u, s, vt = np.linalg.svd(a.transpose(0, 2, 1) @ b)
    s[:, -1] *= (sign := np.sign(np.linalg.det(u @ vt)))
    u[:, :, -1] *= sign[:, None]
    scale = s.sum(1) / np.maximum((a**2).sum((1, 2)), 1e-12)
    return scale[:, None, None] * (a @ u @ vt) + true_mean


def joint_errors(found: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MPJPE of each frame, relative to the neck and after Procrustes; (frame,) each, in the unit of the joints.

    The mean Euclidean distance over the joints other than the neck (whose error is 0 by construction) that are there on both sides; after
    Procrustes only in frames with all 11, as it needs the whole body. NaN in other frames.
    """
    others = np.arange(true.shape[1]) != ROOT
    f, t = (joints - joints[:, ROOT : ROOT + 1] for joints in (found, true))
    apart = np.linalg.norm(f - t, axis=2)[:, others]
    count = np.isfinite(apart).sum(1)
    plain = np.where(count > 0, np.nansum(apart, axis=1) / np.maximum(count, 1), np.nan)
    whole = count == others.sum()
    aligned = np.full(len(true), np.nan)
    aligned[whole] = np.linalg.norm(procrustes(f[whole], t[whole]) - t[whole], axis=2)[:, others].mean(1)
    return plain, aligned


@dataclass(frozen=True)
class MeanDepth:
    """The baseline: each joint where the picture shows it, at the mean depth that it has in training.

    Attributes:
        depth: (joint,) m, relative to the neck, mean over the training skeletons as the cameras see them.
    """

    depth: np.ndarray

    @classmethod
    def of(cls, motions: Sequence[Motion], cameras: Cameras) -> "MeanDepth":
        """Mean depths of training skeletons, every recording seen by every camera, each frame counting the same."""
        joints = torch.tensor(np.concatenate([motion.joints for motion in motions]), dtype=torch.float32)
        joints = joints[torch.isfinite(joints).all(-1).all(-1)]
        turned = torch.einsum("cij,tnj->ctni", cameras.rotation, joints - joints[:, ROOT : ROOT + 1])
        return cls(turned[..., 2].mean((0, 1)).numpy())

    def lift(self, joints: np.ndarray) -> np.ndarray:
        """Joints (time, joint, 2 or 3) m with their depth relative to the neck replaced or added."""
        flat = (joints - joints[:, ROOT : ROOT + 1])[..., :2]
        return np.concatenate([flat, np.broadcast_to(self.depth[:, None], (*flat.shape[:2], 1))], axis=2)


def evaluate(lifter: Lifter, motions: Sequence[Motion], cameras: Cameras, baseline: MeanDepth, tracker: Tracker, seed: int) -> pd.DataFrame:
    """Every recording through every camera and the tracker's errors, lifted, and measured against the skeletons as they were recorded.

    Returns:
        One row a participant and camera: frames, and in mm, means over frames: mpjpe and p_mpjpe of the lifter, of its output before the
        one-body step (raw_...), of the baseline that is given the true x and y in metres, which no lifter has (baseline_...), and of the
        baseline on the lifter's own input (tracked_baseline_...).
    """
    pooled: dict[tuple[str, int], dict[str, list[np.ndarray]]] = {}  # (participant, camera) -> error -> (frame,) of each recording, m
    for number, motion in enumerate(motions):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        joints = torch.tensor(motion.joints, dtype=torch.float32)
        joints = joints - joints.nanmean(dim=(0, 1))
        turned = cameras.turned(joints.expand(len(cameras), *joints.shape))
        tracked = tracker.track(cameras.pixels(turned), cameras.focal / cameras.place[:, 2], generator).numpy()
        for camera in range(len(cameras)):
            true, raw = turned[camera].numpy(), lifter.joints(tracked[camera])
            flat = lifter.normalised(tracked[camera])
            compared = {"": one_body(raw), "raw_": raw, "baseline_": baseline.lift(true), "tracked_baseline_": baseline.lift(flat)}
            seen = np.isfinite(flat).all(2)
            errors = pooled.setdefault((motion.participant_id, camera), {})
            for name, found in compared.items():
                plain, aligned = joint_errors(np.where(seen[:, :, None], found, np.nan), true)
                errors.setdefault(f"{name}mpjpe", []).append(plain)
                errors.setdefault(f"{name}p_mpjpe", []).append(aligned)
    rows = []
    for (participant, camera), errors in sorted(pooled.items()):
        whole = {name: np.concatenate(parts) for name, parts in errors.items()}
        means = {name: 1000 * float(np.nanmean(values)) if np.isfinite(values).any() else np.nan for name, values in whole.items()}
        rows.append({"participant_id": participant, "camera": camera, "frames": int(np.isfinite(whole["mpjpe"]).sum()), **means})
    return pd.DataFrame(rows)
