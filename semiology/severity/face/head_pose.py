"""Head pose from landmarks that no expression moves, and its removal.

A rigid mean face is fitted to the stable landmarks: in 3D by the least-squares similarity, in an
image under scaled orthographic projection. The inverse of the fit transforms every landmark to the
face's coordinate system: x to the patient's left, y down, z into the head, unit the distance
between the outer eye corners, origin between them. Both sides enter the fit equally and neither is
mirrored: an asymmetric face stays asymmetric. Angles are in degrees: yaw positive when the face
turns to the patient's left, pitch positive when it looks up, roll positive when the head leans to
the patient's left.

Sources: [P] Umeyama 1991 (similarity in 3D); the fit in an image is Gauss-Newton on the same least
squares. The mean face: our choice, rounded from MediaPipe's mesh of two people and OpenFace's mean
shape, which agree to 0.05 at these landmarks.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from semiology.severity.face.landmarks import SIDES

# of the left side and the midline: (x, y, z) in distances between the outer eye corners
_HALF_FACE = {
    "eye_outer": (0.50, 0.00, 0.00),
    "eye_inner": (0.20, 0.01, -0.07),
    "upper_lid": (0.37, -0.06, -0.08),
    "lower_lid": (0.36, 0.04, -0.08),
    "brow": (0.43, -0.26, -0.11),
    "nose_wing": (0.20, 0.44, -0.28),
    "mouth_corner": (0.30, 0.73, -0.13),
}
_MIDLINE = {
    "nose_bridge": (0.0, -0.07, -0.23),
    "nose_ridge": (0.0, 0.15, -0.42),
    "nose_base": (0.0, 0.43, -0.31),
    "lip_upper": (0.0, 0.70, -0.31),
    "lip_lower": (0.0, 0.74, -0.29),
}
MEAN_FACE = {
    **{
        f"{side}_{place}": np.array([x if side == "left" else -x, y, z])
        for side in SIDES
        for place, (x, y, z) in _HALF_FACE.items()
    },
    **{place: np.array(position) for place, position in _MIDLINE.items()},
}
STEPS = 30  # of Gauss-Newton; on real faces the angles converge within 8


@dataclass(frozen=True)
class HeadPose:
    """Pose of the face in every frame: p = scale * rotation @ q + shift, with q in the face's
    coordinates; NaN where a stable landmark is missing.

    Attributes:
        rotation: (time, 3, 3).
        scale: (time,) px or m per distance between the mean face's outer eye corners.
        shift: (time, 2 or 3) px or m.
        residual: (time,) root mean square distance between the stable landmarks and the fitted mean
            face, in units of the mean face.
    """

    rotation: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    residual: np.ndarray

    @property
    def yaw(self) -> np.ndarray:
        """(time,) degrees, positive when the face turns to the patient's left."""
        return self._angles[:, 1]

    @property
    def pitch(self) -> np.ndarray:
        """(time,) degrees, positive when the face looks up."""
        return self._angles[:, 2]

    @property
    def roll(self) -> np.ndarray:
        """(time,) degrees, positive when the head leans to the patient's left."""
        return self._angles[:, 0]

    @property
    def _angles(self) -> np.ndarray:
        """(time, 3) roll, yaw, pitch in degrees: the head is pitched, then turned, then leant."""
        angles = np.full((len(self.scale), 3), np.nan)
        known = np.isfinite(self.scale)
        if known.any():
            angles[known] = Rotation.from_matrix(self.rotation[known]).as_euler(
                "ZYX", degrees=True
            ) * (1, -1, -1)
        return angles

    def to_face_frame(self, position: np.ndarray, depth: float) -> np.ndarray:
        """Transform (time, 2 or 3) in px or m to (time, 2) in the face's coordinates.

        In an image the landmark's depth is that of the mean face, `depth`; in 3D its own.
        """
        moved = (position - self.shift) / self.scale[:, None]
        if position.shape[1] == 3:
            return np.einsum("tji,tj->ti", self.rotation, moved)[:, :2]
        in_plane = moved - depth * self.rotation[:, :2, 2]
        known = np.isfinite(in_plane).all(axis=1)
        flat = np.full_like(in_plane, np.nan)
        flat[known] = np.linalg.solve(self.rotation[known, :2, :2], in_plane[known, :, None])[
            ..., 0
        ]
        return flat


def head_pose(stable: dict[str, np.ndarray]) -> HeadPose:
    """Fit the mean face to the stable landmarks, each (time, 2) px or (time, 3) m."""
    model = np.stack([MEAN_FACE[place] for place in stable])
    points = np.stack(list(stable.values()), axis=1)  # (time, place, 2 or 3)
    frames, _, axes = points.shape
    # all points at one position are no face
    known = np.isfinite(points).all(axis=(1, 2)) & (np.ptp(points, axis=1) > 0).any(axis=1)
    rotation, scale = np.full((frames, 3, 3), np.nan), np.full(frames, np.nan)
    shift, residual = np.full((frames, axes), np.nan), np.full(frames, np.nan)
    if known.any():
        fit = _fit_in_space if axes == 3 else _fit_in_image
        rotation[known], scale[known], shift[known] = fit(points[known], model)
        fitted = (
            scale[:, None, None] * np.einsum("tij,pj->tpi", rotation, model)[..., :axes]
            + shift[:, None]
        )
        residual = np.sqrt(((fitted - points) ** 2).sum(axis=2).mean(axis=1)) / scale
    return HeadPose(rotation, scale, shift, residual)


def _fit_in_space(
    points: np.ndarray, model: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Umeyama's least-squares similarity: rotation (time, 3, 3), scale (time,), shift (time, 3)."""
    centre, middle = points.mean(axis=1), model.mean(axis=0)
    left, singular, right = np.linalg.svd(
        np.einsum("tpi,pj->tij", points - centre[:, None], model - middle)
    )
    proper = np.ones((len(points), 3))
    proper[:, 2] = np.sign(np.linalg.det(left @ right))  # a rotation, never a mirror
    rotation = np.einsum("tij,tj,tjk->tik", left, proper, right)
    scale = (singular * proper).sum(axis=1) / ((model - middle) ** 2).sum()
    return rotation, scale, centre - scale[:, None] * (rotation @ middle)


def _fit_in_image(
    points: np.ndarray, model: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from 2D points: Gauss-Newton over a small rotation, the logarithm of the scale and
    the shift, for all frames at once.
    """
    across = points[:, 0] - points[:, 2]  # between the outer eye corners: initial roll and scale
    rotation = Rotation.from_rotvec(
        np.arctan2(across[:, 1], across[:, 0])[:, None] * (0, 0, 1)
    ).as_matrix()
    scale = np.maximum(np.linalg.norm(across, axis=1), 1e-9)
    shift = (
        points - scale[:, None, None] * np.einsum("tij,pj->tpi", rotation, model)[..., :2]
    ).mean(axis=1)
    frames, count, _ = points.shape
    for _ in range(STEPS):
        turned = scale[:, None, None] * np.einsum(
            "tij,pj->tpi", rotation, model
        )  # (time, place, 3)
        x, y, z = np.moveaxis(turned, 2, 0)
        zero, one = np.zeros_like(x), np.ones_like(x)
        # how x and y change with a turn about x, y and z, with log scale, and with the shift
        slopes = np.stack(
            [
                np.stack([zero, z, -y, x, one, zero], axis=2),
                np.stack([-z, zero, x, y, zero, one], axis=2),
            ],
            axis=2,
        )
        slopes = slopes.reshape(frames, 2 * count, 6)
        short = (points - turned[..., :2] - shift[:, None]).reshape(frames, 2 * count)
        normal = np.einsum("tni,tnj->tij", slopes, slopes)
        normal += 1e-9 * np.einsum("tii->t", normal)[:, None, None] * np.eye(6)
        step = np.linalg.solve(normal, np.einsum("tni,tn->ti", slopes, short)[..., None])[..., 0]
        turn = (
            step[:, :3]
            * np.minimum(1, 0.3 / np.maximum(np.linalg.norm(step[:, :3], axis=1), 1e-12))[:, None]
        )  # at most 17 degrees
        rotation = Rotation.from_rotvec(turn).as_matrix() @ rotation
        scale = scale * np.exp(np.clip(step[:, 3], -0.5, 0.5))
        shift = shift + step[:, 4:]
    return rotation, scale, shift
