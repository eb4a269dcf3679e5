"""A trained lifter with its card; loading it, and lifting tracks with it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from semiology.data.preprocessing import coordinates, select
from semiology.data.tracks import with_step
from semiology.errors import UserError
from semiology.files import content_hash, read_json, write_json
from semiology.models.training.saved import save_state
from semiology.tracking.lift.network import (
    BONES,
    ROOT,
    SKELETON,
    LifterNetwork,
    median_lengths,
    normalise,
    rigid_body,
)
from semiology.tracking.lift.simulation import FPS, resample
from semiology.weights import load_state

SHIPPED = Path(__file__).with_name("lifter.safetensors")
SHOULDERS = [SKELETON.names.index(name) for name in ("left_shoulder", "right_shoulder")]


@dataclass(frozen=True)
class Lifter:
    """A trained network with its card.

    Attributes:
        network: in eval mode.
        card: joints, sizes, training data, held-out error; see `docs/lift.md`.
    """

    network: LifterNetwork
    card: dict[str, Any]

    def normalised(self, position: np.ndarray) -> np.ndarray:
        """Joints (time, 11, 2) px -> the same relative to the neck, in metres as if the body lay in
        the image plane; NaN where missing.
        """
        scaled, seen = normalise(_batch(position), self.network.lengths)
        return np.where(seen[0, :, :, None] > 0, scaled[0], np.nan).astype(np.float32)

    @torch.inference_mode()
    def joints(self, position: np.ndarray) -> np.ndarray:
        """Joints in the image (time, 11, 2) px at 25 Hz -> joints in space (time, 11, 3) m,
        relative to the neck.

        All 11 joints of a frame are estimated, also those that were not tracked; NaN in frames with
        too few tracked joints.

        Raises:
            UserError: another number of joints.
        """
        if position.ndim != 3 or position.shape[1:] != (len(SKELETON.names), 2):
            raise UserError(
                f"lifter: expected (time, {len(SKELETON.names)}, 2) px, the joints of"
                f" {SKELETON.name}, got {position.shape}"
            )
        scaled, seen = normalise(_batch(position), self.network.lengths)
        joints = self.network(scaled, seen)[0]
        joints = joints - joints[:, ROOT : ROOT + 1]
        return torch.where(seen[0].any(1)[:, None, None], joints, torch.nan).numpy()

    def save(self, path: str | Path) -> Path:
        """Write FILE.safetensors and its card, FILE.json; each whole or not at all, the card last
        and with the hash of the weights.
        """
        path = Path(path).with_suffix(".safetensors")
        save_state(path, self.network)
        card = {**self.card, "sha256": content_hash(path)}
        write_json(path.with_suffix(".json"), card, checksummed=True)
        return path


def load_lifter(path: str | Path = SHIPPED) -> Lifter:
    """Read a lifter, by default the shipped one. The weights must have the hash on the card.

    Raises:
        UserError: weights or card are not there, do not belong together, or are for other joints.
    """
    path = Path(path)
    beside = path.with_suffix(".json")
    if not beside.is_file():
        raise UserError(f"{beside}: no card beside the weights; `semiology lift train` writes both")
    what, remedy = "the card of a lifter", "`semiology lift train` writes one"
    card = read_json(beside, what=what, remedy=remedy, checksummed=True)
    try:
        joints, sizes, sha256 = card["joints"], card["network"], card["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{beside}: not {what} ({error}); {remedy}") from error
    if joints != SKELETON.names:
        raise UserError(
            f"{beside}: a lifter for the joints {joints}, not for those of {SKELETON.name}; train"
            " one with this version"
        )
    state = load_state(path, sha256)
    try:
        network = LifterNetwork(torch.zeros(len(BONES)), **sizes)
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"{path}: the weights do not fit the sizes on the card ({str(error).splitlines()[0]});"
            " train again"
        ) from error
    return Lifter(network.eval(), card)


@cache
def _shipped() -> Lifter:
    return load_lifter()


def lift(
    tracks: xr.Dataset,
    lifter: Lifter | None = None,
    *,
    shoulder_width: float | None = None,
    rigid: bool = True,
) -> xr.Dataset:
    """Add joints in space to body tracks of any backend: `position_3d` of the 11 joints of
    upper_body_11, from `position` alone.

    The result has the keypoints of the tracks and, after them, those of the 11 joints that the
    tracks lack under their own name (neck from the shoulders, spine base from the hips, head from
    the ears). `position_3d` is NaN for other keypoints than the 11. A `position_3d` of the tracks
    is replaced as a whole: MediaPipe's has another origin.

    - Origin: the neck, in every frame. Axes: x to the right, y down, z away from the camera.
    - Metres: one camera cannot distinguish a small body nearby from a large one far away. The
      result has about the mean size of the bodies that the lifter was trained on; `shoulder_width`
      corrects it.
    - A joint that was not tracked in a frame stays NaN there, and so does the whole frame where the
      neck (both shoulders) or more than five joints were not tracked. Fill short gaps before
      (`preprocessing.fill_gaps`), and remove low confidence (`drop_low_confidence`).
    - Tracks at another rate than 25 Hz are lifted at 25 Hz and interpolated linearly at their own
      times.

    Args:
        tracks: of the body, in px.
        lifter: by default the shipped one.
        shoulder_width: distance between the person's shoulder joints, m; scales the clip to it.
        rigid: give each bone one length throughout the clip, the same for left and right
            (`body.rigid_body`); else each frame is the network's output.

    Raises:
        UserError: tracks without position (px) or without the joints; a shoulder width that is not
            positive.
    """
    lifter = lifter or _shipped()
    if shoulder_width is not None and not 0.1 <= shoulder_width <= 0.8:
        raise UserError(f"lift: shoulder_width is in metres, 0.1 to 0.8, got {shoulder_width:g}")
    selected = select(tracks, SKELETON)
    position, fps = coordinates(selected, 2), tracks.attrs["fps"]
    joints = (
        lifter.joints(position) if abs(fps - FPS) < 1e-6 else _at_own_rate(lifter, position, fps)
    )
    if rigid:
        joints = rigid_body(joints)
    if shoulder_width is not None:
        between = np.linalg.norm(joints[:, SHOULDERS[0]] - joints[:, SHOULDERS[1]], axis=1)
        if np.isfinite(between).any():
            joints = joints * (shoulder_width / np.nanmedian(between))
    joints[~np.isfinite(position).all(2)] = np.nan

    own = [name for name in tracks.keypoint.values.tolist() if name not in SKELETON.names]
    names = [
        *tracks.keypoint.values.tolist(),
        *(name for name in SKELETON.names if name not in tracks.keypoint.values),
    ]
    flat = [part[["position", "confidence"]] for part in (tracks.sel(keypoint=own), selected)]
    lifted = (
        xr.concat(flat, dim="keypoint").transpose("time", "space", "keypoint").sel(keypoint=names)
    )
    space = np.full((len(joints), 3, len(names)), np.nan, np.float32)
    space[:, :, [names.index(name) for name in SKELETON.names]] = joints.transpose(0, 2, 1)
    lifted = lifted.assign(position_3d=(("time", "space_3d", "keypoint"), space)).assign_coords(
        space_3d=["x", "y", "z"]
    )
    facts = {
        "weights": lifter.card.get("sha256", ""),
        "rigid": rigid,
        "shoulder_width_m": shoulder_width,
    }
    return with_step(lifted.assign_attrs(tracks.attrs), "lift", **facts)


def _at_own_rate(lifter: Lifter, position: np.ndarray, fps: float) -> np.ndarray:
    """Lift at 25 Hz what was tracked at another rate."""
    own = np.arange(len(position)) / fps
    grid = np.arange(int(np.ceil(own[-1] * FPS - 1e-6)) + 1) / FPS
    joints = lifter.joints(resample(position, own, np.minimum(grid, own[-1])))
    return resample(joints, grid, own)


def mean_lengths(bodies: list[np.ndarray]) -> np.ndarray:
    """(bone,) m, the mean over recordings of their median bone lengths."""
    return np.nanmean([median_lengths(joints) for joints in bodies], axis=0)


def _batch(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array, np.float32))[None]
