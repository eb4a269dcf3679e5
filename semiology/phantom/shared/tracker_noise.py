"""Simulated errors of a tracker: white jitter, a slow wander, joints lost for some frames, sides
swapped for a short time.

Measured on the default backend's tracks of this phantom without jerks (three persons at rest and in
action, 352x288 px, 72 s), against its truth: at rest jitter of 0.15 px and a wander of 0.5 px that
is forgotten after half a second (medians over joints); in action the wander is 1 to 4 px, as its
error follows the posture. No joint was lost, no sides were swapped: these two are our choice, other
trackers have them.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal import lfilter

WANDER = 3.5  # standard deviation of the wander, in those of the jitter
WANDERS_FOR = 0.5  # s, time constant of its autocorrelation
LOST = 0.01  # proportion of a joint's frames
LOST_FOR = 0.12  # s in the mean, one frame at least
SWAPS = 0.1  # a minute, for each pair of joints
SWAPPED_FOR = 0.08  # s in the mean, one frame at least


def as_tracked(tracks: xr.Dataset, px: float, rng: np.random.Generator) -> xr.Dataset:
    """The tracks with the errors of a tracker; `px` is the standard deviation of the jitter in x
    and in y.
    """
    fps, names = float(tracks.attrs["fps"]), [str(name) for name in tracks.keypoint.values]
    position = tracks.position.values.astype(float)  # (time, space, keypoint)
    position += px * rng.normal(size=position.shape) + wander(rng, position.shape, WANDER * px, fps)
    for left in (name for name in names if name.startswith("left_")):
        pair = [names.index(left), names.index(left.replace("left_", "right_"))]
        swapped = stretches(
            rng, len(position), SWAPS / 60 / fps * mean_frames(SWAPPED_FOR, fps), SWAPPED_FOR, fps
        )
        position[swapped[:, None], :, pair] = position[swapped[:, None], :, pair[::-1]]
    confidence = tracks.confidence.values.copy()
    for i in range(len(names)):
        lost = stretches(rng, len(position), LOST, LOST_FOR, fps)
        position[lost, :, i], confidence[lost, i] = np.nan, 0
    noisy = tracks.copy()
    noisy["position"] = (tracks.position.dims, position.astype(np.float32))
    noisy["confidence"] = (tracks.confidence.dims, confidence)
    return noisy.assign_attrs(backend=f"{tracks.attrs['backend']} with noise")


def wander(
    rng: np.random.Generator, shape: tuple[int, ...], deviation: float, fps: float
) -> NDArray:
    """Noise (time, ...) of a standard deviation whose autocorrelation falls with WANDERS_FOR: an
    autoregressive process of order 1.
    """
    keep = np.exp(-1 / (WANDERS_FOR * fps))
    steps = rng.normal(size=shape) * deviation
    steps[1:] *= np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], steps, axis=0)


def mean_frames(seconds: float, fps: float) -> float:
    """Frames in the mean of a stretch that lasts `seconds` in the mean, one at least."""
    return max(1.0, seconds * fps)


def stretches(
    rng: np.random.Generator, frames: int, fraction: float, seconds: float, fps: float
) -> NDArray:
    """Numbers of the frames, `fraction` of all in the mean, in stretches of `seconds` in the mean;
    lengths are geometric.
    """
    usual = mean_frames(seconds, fps)
    begins = np.flatnonzero(rng.random(frames) < fraction / usual)
    lengths = rng.geometric(1 / usual, len(begins))
    hit = np.zeros(frames, bool)
    for begin, length in zip(begins, lengths):
        hit[begin : begin + length] = True
    return np.flatnonzero(hit)
