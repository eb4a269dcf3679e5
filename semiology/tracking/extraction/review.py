"""Which clips to look at first: signs in the tracks themselves that a body is not one person's, or
not there, as shares of frames. A sign is no proof, and its absence neither.

Lengths and speeds are in metres by the body's own size: of all bones the longest in proportion, as
what is seen at an angle is shorter and never longer; its median over a few seconds, because people
walk towards the camera. All thresholds are our choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from scipy.ndimage import median_filter

from semiology.data.limbs import not_believed

CONFIDENT = 0.5  # points with less are not read
# m, between the joints of an adult of 1.70 m, roughly; only their proportions count
BONES = {
    ("nose", "neck"): 0.25,
    ("neck", "mid_hip"): 0.50,
    ("left_shoulder", "right_shoulder"): 0.36,
    ("left_shoulder", "left_elbow"): 0.30,
    ("right_shoulder", "right_elbow"): 0.30,
    ("left_elbow", "left_wrist"): 0.26,
    ("right_elbow", "right_wrist"): 0.26,
    ("left_hip", "left_knee"): 0.42,
    ("right_hip", "right_knee"): 0.42,
    ("left_knee", "left_ankle"): 0.42,
    ("right_knee", "right_ankle"): 0.42,
}
MEANS = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
SIZE_OVER = 5.0  # s that the body's size is a median over
LONGER = 1.4  # times as long as its size allows: then a bone ends at two people
# m/s above which points of a patient hardly move; the fist of a boxer reaches some 10
SPEEDS = {"neck": 3.5, "mid_hip": 3.5, "nose": 5.5, "left_wrist": 10.0, "right_wrist": 10.0}
HEAD = 2.0  # times the box of the face's landmarks that the nose of the body lies in


@dataclass(frozen=True)
class Sign:
    """A sign to look at a clip.

    Attributes:
        least: share of frames from which it is named.
        text: what it says, with {share}.
    """

    least: float
    text: str


SIGNS = {  # in the order of how far they put tracks in doubt
    "nobody": Sign(1.0, "nobody was found in any frame"),
    "head": Sign(0.02, "the body's head lies away from the face in {share} of frames"),
    "bones": Sign(0.02, "bones are longer than the body's size allows in {share} of frames"),
    "jumps": Sign(0.01, "points leap faster than bodies move in {share} of frames"),
    "rejected": Sign(0.05, "{share} of the body's points were rejected"),
    "little": Sign(0.5, "the body was not found in {share} of frames"),
}


@dataclass
class Review:
    """The signs of one clip, whose tracks come in blocks, part by part."""

    fps: float = 1.0
    joints: list[np.ndarray] = field(default_factory=list)  # of each block (time, name, 2) px
    faces: list[np.ndarray] = field(default_factory=list)  # (time, 4) px, boxes of landmarks
    rejected: list[float] = field(default_factory=list)  # points, and those of them rejected

    def add(self, block: Mapping[str, xr.Dataset]) -> None:
        """Take the next frames of some parts."""
        for part, tracks in block.items():
            if "position" not in tracks:
                continue
            position = tracks["position"].transpose("time", "keypoint", "space").values
            if part == "body":
                self.fps = float(tracks.attrs["fps"])
                unsure = tracks["confidence"].transpose("time", "keypoint").values < CONFIDENT
                self.joints.append(_joints(np.where(unsure[..., None], np.nan, position), tracks))
                if "rejected" in tracks:
                    self.rejected.append(float(not_believed(tracks).mean()))
            elif part == "face":
                whole = np.isfinite(position).all(axis=(1, 2))
                box = np.full((len(position), 4), np.nan)
                box[whole] = np.concatenate(
                    [position[whole].min(axis=1), position[whole].max(axis=1)], axis=1
                )
                self.faces.append(box)

    def shares(self) -> dict[str, float]:
        """Sign -> share of the frames in which it could have been seen, for signs that were."""
        if not self.joints:
            return {}
        joints = dict(zip(NAMES, np.concatenate(self.joints).swapaxes(0, 1)))
        lengths = {
            bone: np.linalg.norm(joints[bone[0]] - joints[bone[1]], axis=1) / metres
            for bone, metres in BONES.items()
        }
        size = _size(np.stack(list(lengths.values())), self.fps)
        found: dict[str, np.ndarray] = {
            "bones": np.stack([length / size for length in lengths.values()]) / LONGER,
            "jumps": np.stack([_speed(joints[of], size, self.fps) / SPEEDS[of] for of in SPEEDS]),
        }
        if self.faces and sum(map(len, self.faces)) == len(size):
            found["head"] = _away(joints["nose"], np.concatenate(self.faces))[None] / HEAD
        shares = {}
        for sign, ratios in found.items():
            seen = np.isfinite(ratios).any(axis=0)
            over = (np.nan_to_num(ratios) > 1).any(axis=0)
            shares[sign] = float(over.sum() / max(seen.sum(), 1))
        if self.rejected:
            shares["rejected"] = float(np.mean(self.rejected))
        return {sign: round(share, 4) for sign, share in shares.items() if share > 0}


NAMES = list(dict.fromkeys([name for bone in BONES for name in bone] + list(SPEEDS)))


def _joints(position: np.ndarray, tracks: xr.Dataset) -> np.ndarray:
    """(time, name, 2) float32 of `NAMES`: tracked, or the mean of those that are; NaN else."""
    column = {str(name): number for number, name in enumerate(tracks.keypoint.values)}
    joints = np.full((len(position), len(NAMES), 2), np.nan, np.float32)
    for number, name in enumerate(NAMES):
        sources = MEANS.get(name, (name,))
        if set(sources) <= set(column):
            joints[:, number] = position[:, [column[source] for source in sources]].mean(axis=1)
    return joints


def _size(lengths: np.ndarray, fps: float) -> np.ndarray:
    """Size of the body in each frame, px a metre, by bones (bone, time) in px a metre of theirs;
    NaN where there is none.
    """
    known = np.isfinite(lengths).any(axis=0)
    size = np.full(lengths.shape[1], np.nan)
    if known.any():
        longest = np.nanmax(lengths[:, known], axis=0)
        size[known] = median_filter(longest, int(SIZE_OVER * fps) // 2 * 2 + 1, mode="nearest")
    return np.where(size > 0, size, np.nan)


def _speed(points: np.ndarray, size: np.ndarray, fps: float) -> np.ndarray:
    """Speed (time,) of points (time, 2) px from the frame before, m/s; NaN in the first."""
    step = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[np.nan], step * fps / size[1:]])


def _away(noses: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """How many times as large a face's box (time, 4) would have to be for the nose (time, 2) to lie
    in it.
    """
    centre, half = (faces[:, :2] + faces[:, 2:]) / 2, (faces[:, 2:] - faces[:, :2]) / 2
    return (np.abs(noses - centre) / np.maximum(half, 1e-6)).max(axis=1)


def look_first(
    found: Mapping[str, Mapping[str, float]], signs: Mapping[str, Mapping[str, float]]
) -> dict[str, list[str]]:
    """Clips to look at first, those most in doubt first, with the reasons.

    Args:
        found: clip_id -> part -> share of frames in which it was found.
        signs: clip_id -> sign -> share, see `Review.shares`.
    """
    ranked = []
    for clip_id, parts in found.items():
        shares = {**signs.get(clip_id, {})}
        if not any(parts.values()):
            shares = {"nobody": 1.0}
        elif "body" in parts:
            shares["little"] = 1 - parts["body"]
        named = [sign for sign in SIGNS if shares.get(sign, 0.0) >= SIGNS[sign].least]
        if named:
            rank = list(SIGNS).index(named[0]), -shares[named[0]], clip_id
            ranked.append(
                (rank, [SIGNS[sign].text.format(share=f"{shares[sign]:.1%}") for sign in named])
            )
    return {rank[-1]: reasons for rank, reasons in sorted(ranked)}
