"""What survives another encoding of a recording: how small images of it, and its keypoints, change
over time.

A single image is not specific: all beds of one ward look alike. The changes over time are specific
to a recording, whatever its codec, size and brightness.
"""

import base64
import zlib
from collections.abc import Iterable

import numpy as np
import xarray as xr
from PIL import Image
from scipy.fft import irfft, rfft

from semiology.video import Frame

IMAGE_RATE, TRACK_RATE = 10.0, 5.0  # Hz, of the two time courses [our choice]
COLUMNS, ROWS = 9, 8  # of a small image: the grid of the usual 64-bit difference hash
KEYPOINTS = 12  # at most, evenly from the tracker's list [our choice]
SHORTEST = 1.0  # s that two time courses must have in common [our choice]
UNIT = 1000  # stored steps per body unit of position


def small_images(frames: Iterable[Frame]) -> tuple[np.ndarray, float]:
    """Grey images of 9 x 8 cells, and how colourful the video is.

    Nobody can be recognised in 72 cells.

    Args:
        frames: of a video, 10 a second.

    Returns:
        (time, 72) grey values, 0 to 255, NaN where a frame is missing; and the mean colourfulness,
        0 to 1.
    """
    cells, colour = [], []
    for frame in frames:
        if frame.image is None:
            cells.append(np.full(ROWS * COLUMNS, np.nan))
            continue
        small = Image.fromarray(frame.image).resize((COLUMNS, ROWS), Image.Resampling.BOX)
        cells.append(np.asarray(small.convert("L"), float).ravel())
        channels = np.asarray(small, float)
        colour.append(float((channels.max(axis=2) - channels.min(axis=2)).mean() / 255))
    return np.stack(cells), float(np.mean(colour)) if colour else float("nan")


def positions(tracks: xr.Dataset) -> np.ndarray:
    """Normalised positions of some keypoints at 5 Hz, for comparison of recordings.

    Relative to the median position, in units of the keypoints' median distance from it. Means of
    0.2 s, so that a tracker's jitter counts less than a movement.

    Args:
        tracks: of one person.

    Returns:
        (time, channel); NaN where missing.
    """
    name, space = ("position", "space") if "position" in tracks else ("position_3d", "space_3d")
    values = tracks[name].transpose("time", "keypoint", space).values.astype(float)
    chosen = np.unique(np.linspace(0, values.shape[1] - 1, KEYPOINTS).round().astype(int))
    values = values[:, chosen]
    centre = np.nanmedian(values, axis=(0, 1)) if np.isfinite(values).any() else 0.0
    values = values - centre
    size = np.nanmedian(np.linalg.norm(values, axis=2)) if np.isfinite(values).any() else np.nan
    values = (values / (size if size > 0 else np.nan)).reshape(len(values), -1)
    return _resampled(values, np.arange(len(values)) / float(tracks.attrs["fps"]))


def time_course(features: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Some standardised channels of features at 5 Hz, for comparison of recordings.

    Args:
        features: (snippet, channel); NaN rows where missing.
        time: (snippet,) s, when each starts.

    Returns:
        (time, channel); NaN where missing.
    """
    values = features[
        :, np.unique(np.linspace(0, features.shape[1] - 1, KEYPOINTS).round().astype(int))
    ].astype(float)
    values = values - np.nanmean(values, axis=0)
    deviation = np.nanstd(values, axis=0)
    return _resampled(values / np.where(deviation > 0, deviation, np.nan), time - time[0])


def _resampled(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Means (time, channel) over windows of 0.2 s; NaN where all is missing."""
    window = np.floor(time * TRACK_RATE + 1e-9).astype(int)
    means = np.full((int(window[-1]) + 1, values.shape[1]), np.nan)
    for row in np.unique(window):
        inside = values[window == row]
        seen = np.isfinite(inside)
        count = seen.sum(axis=0)
        means[row] = np.where(
            count > 0, np.where(seen, inside, 0).sum(axis=0) / np.maximum(count, 1), np.nan
        )
    return means


def changes(course: np.ndarray, level: float) -> np.ndarray:
    """Standardised changes of a time course from one sample to the next.

    A channel is divided by its own standard deviation plus `level` times the median of all: with 0
    all channels have equal weight, with a large value those that change most dominate. Changes
    above three deviations are clipped: a switched lamp changes all cells once, in other recordings
    too.

    Args:
        course: (time, channel).
        level: see above.

    Returns:
        (time - 1, channel), 0 where missing.
    """
    steps = np.diff(course, axis=0)
    counted = np.maximum(np.isfinite(steps).sum(axis=0), 1)
    deviation = np.sqrt((np.nan_to_num(steps) ** 2).sum(axis=0) / counted)
    median = float(np.median(deviation[deviation > 0])) if (deviation > 0).any() else 1.0
    highest = 3 / max(level, 1)
    return np.nan_to_num(
        np.clip(steps / np.maximum(deviation + level * median, 1e-9), -highest, highest)
    )


class Changes:
    """The `changes` of one recording, with cached spectra for comparison with many others.

    Attributes:
        steps: (time, channel).
        rate: Hz.
        energy: (time + 1,) cumulative sum of squares.
    """

    def __init__(self, steps: np.ndarray, rate: float):
        self.steps, self.rate = steps.astype(np.float32), rate
        self.energy = np.concatenate([[0.0], np.cumsum((steps**2).sum(axis=1))])
        self._spectra: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.steps)

    def spectrum(self, length: int) -> np.ndarray:
        """Fourier transform (channel, frequency) of the changes, zero-padded to `length`."""
        if length not in self._spectra:
            self._spectra[length] = rfft(np.ascontiguousarray(self.steps.T), length, axis=1)
        return self._spectra[length]

    def forget(self) -> None:
        """Free the spectra."""
        self._spectra.clear()


def similarity(first: Changes, second: Changes) -> tuple[float, float]:
    """Largest cross-correlation of two recordings' changes, and the shift at which it is reached.

    A shift counts where at least half of the shorter recording, SHORTEST s, and a quarter of the
    average amount of change are in common.

    Returns:
        Correlation, -1 to 1, and shift of the second recording in s.
    """
    size = min(len(first), len(second))
    least = max(int(SHORTEST * first.rate), -(-size // 2))
    if size < least or first.steps.shape[1] != second.steps.shape[1]:
        return 0.0, 0.0
    length = 1 << int(np.ceil(np.log2(len(first) + len(second))))
    correlation = irfft(
        (first.spectrum(length) * np.conj(second.spectrum(length))).sum(axis=0), length
    )
    shifts = np.arange(-(len(second) - least), len(first) - least + 1)
    begin, end = np.maximum(shifts, 0), np.minimum(len(first), len(second) + shifts)
    energies = [
        first.energy[end] - first.energy[begin],
        second.energy[end - shifts] - second.energy[begin - shifts],
    ]
    fits = correlation[shifts] / np.sqrt(np.maximum(energies[0] * energies[1], 1e-12))
    for whole, energy in zip((first, second), energies):
        fits[energy < 0.25 * whole.energy[-1] * (end - begin) / len(whole)] = 0
    best = int(np.argmax(fits))
    return float(fits[best]), float(shifts[best] / first.rate)


def in_common(first: Changes, second: Changes, shift: float) -> float:
    """Duration (s) that two recordings have in common at a shift (s)."""
    moved = round(shift * first.rate)
    return (min(len(first), len(second) + moved) - max(moved, 0)) / first.rate


def hash_distance(first: np.ndarray, second: np.ndarray, shift: float) -> float:
    """Mean number of differing bits, of 64, of the difference hashes of two recordings' images.

    Args:
        first: (time, 72) images of `small_images`.
        second: (time, 72) images.
        shift: of the second recording, s.
    """
    moved = round(shift * IMAGE_RATE)
    rows = np.arange(max(moved, 0), min(len(first), len(second) + moved))
    images = [cells.reshape(-1, ROWS, COLUMNS) for cells in (first[rows], second[rows - moved])]
    bits = [(image[..., 1:] > image[..., :-1]).reshape(len(rows), -1) for image in images]
    return float((bits[0] != bits[1]).sum(axis=1).mean())


def to_text(course: np.ndarray, unit: float) -> str:
    """A time course as text for JSON: integer steps of 1 / unit, compressed; NaN is preserved."""
    steps = np.where(
        np.isfinite(course), np.clip(np.round(course * unit), -32767, 32767), -32768
    ).astype("<i2")
    return f"{course.shape[1]}:" + base64.b85encode(zlib.compress(steps.tobytes(), 9)).decode()


def from_text(text: str, unit: float) -> np.ndarray:
    """The time course that `to_text` wrote."""
    channels, _, packed = text.partition(":")
    steps = (
        np.frombuffer(zlib.decompress(base64.b85decode(packed)), "<i2")
        .astype(float)
        .reshape(-1, int(channels))
    )
    return np.where(steps == -32768, np.nan, steps) / unit
