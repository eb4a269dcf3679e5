"""What of a recording survives another encoding: how small pictures of it, and how its keypoints,
change over time.

A still says little: all beds of one ward look alike. How a recording changes is its own, whatever
the codec, size and brightness.
"""

import base64
import zlib
from collections.abc import Iterable

import numpy as np
import xarray as xr
from PIL import Image
from scipy.fft import irfft, rfft

from semiology.video import Frame

PICTURE_RATE, TRACK_RATE = 10.0, 5.0  # Hz, of the two courses. [our choice]
COLUMNS, ROWS = 9, 8  # of a small picture: the grid of the usual 64-bit difference hash
KEYPOINTS = 12  # at most, spread over the tracker's list. [our choice]
SHORTEST = 1.0  # s that two courses must have in common. [our choice]
UNIT = 1000  # steps of a stored position in one spread of the keypoints


def small_pictures(frames: Iterable[Frame]) -> tuple[np.ndarray, float]:
    """Grey pictures (time, 72) of 9 x 8 cells, 0 to 255, NaN where a frame is missing; and how
    colourful the video is, 0 to 1.

    Nobody can be recognised in 72 cells.
    """
    cells, colour = [], []
    for frame in frames:
        if frame.image is None:
            cells.append(np.full(ROWS * COLUMNS, np.nan))
            continue
        small = Image.fromarray(frame.image).resize((COLUMNS, ROWS), Image.Resampling.BOX)
        cells.append(np.asarray(small.convert("L"), float).ravel())
        levels = np.asarray(small, float)
        colour.append(float((levels.max(axis=2) - levels.min(axis=2)).mean() / 255))
    return np.stack(cells), float(np.mean(colour)) if colour else float("nan")


def positions(tracks: xr.Dataset) -> np.ndarray:
    """Positions (time, channel) of some keypoints at TRACK_RATE, in spreads of the keypoints around
    their middle; NaN where missing.

    The mean of each fifth of a second, so that a tracker's jitter counts less than a movement.
    """
    name, space = ("position", "space") if "position" in tracks else ("position_3d", "space_3d")
    values = tracks[name].transpose("time", "keypoint", space).values.astype(float)
    chosen = np.unique(np.linspace(0, values.shape[1] - 1, KEYPOINTS).round().astype(int))
    values = values[:, chosen]
    centre = np.nanmedian(values, axis=(0, 1)) if np.isfinite(values).any() else 0.0
    values = values - centre
    spread = np.nanmedian(np.linalg.norm(values, axis=2)) if np.isfinite(values).any() else np.nan
    values = (values / (spread if spread > 0 else np.nan)).reshape(len(values), -1)
    return _fifths(values, np.arange(len(values)) / float(tracks.attrs["fps"]))


def course(features: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Some channels (time, channel) of features (snippet, channel) at TRACK_RATE, in their own
    spreads; NaN where missing.

    Args:
        features: NaN rows where missing.
        time: (snippet,) s, when each starts.
    """
    values = features[
        :, np.unique(np.linspace(0, features.shape[1] - 1, KEYPOINTS).round().astype(int))
    ].astype(float)
    values = values - np.nanmean(values, axis=0)
    spread = np.nanstd(values, axis=0)
    return _fifths(values / np.where(spread > 0, spread, np.nan), time - time[0])


def _fifths(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Means (time, channel) over each fifth of a second of what is there, NaN where nothing is."""
    place = np.floor(time * TRACK_RATE + 1e-9).astype(int)
    means = np.full((int(place[-1]) + 1, values.shape[1]), np.nan)
    for row in np.unique(place):
        inside = values[place == row]
        seen = np.isfinite(inside)
        count = seen.sum(axis=0)
        means[row] = np.where(
            count > 0, np.where(seen, inside, 0).sum(axis=0) / np.maximum(count, 1), np.nan
        )
    return means


def changes(course: np.ndarray, level: float) -> np.ndarray:
    """From a course (time, channel) to its steps (time - 1, channel), 0 where missing.

    A channel is divided by its own spread and `level` times the usual spread of all: 0 makes all
    channels count alike, with a large one those count that change most. Steps above three
    deviations are cut: a switched lamp moves all cells once, in other recordings too.
    """
    steps = np.diff(course, axis=0)
    counted = np.maximum(np.isfinite(steps).sum(axis=0), 1)
    spread = np.sqrt((np.nan_to_num(steps) ** 2).sum(axis=0) / counted)
    usual = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
    highest = 3 / max(level, 1)
    return np.nan_to_num(
        np.clip(steps / np.maximum(spread + level * usual, 1e-9), -highest, highest)
    )


class Changes:
    """The `changes` of one recording (time, channel), kept with what comparing it with many others
    needs.
    """

    def __init__(self, steps: np.ndarray, rate: float):
        self.steps, self.rate = steps.astype(np.float32), rate
        self.energy = np.concatenate([[0.0], np.cumsum((steps**2).sum(axis=1))])
        self._spectra: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.steps)

    def spectrum(self, length: int) -> np.ndarray:
        """(channel, frequency) of the steps, padded with zeros to `length`."""
        if length not in self._spectra:
            self._spectra[length] = rfft(np.ascontiguousarray(self.steps.T), length, axis=1)
        return self._spectra[length]


def likeness(first: Changes, second: Changes) -> tuple[float, float]:
    """Highest correlation of two recordings' changes over all shifts in time, -1 to 1, and the
    shift in s at which they fit.

    A shift counts where at least half of the shorter one, SHORTEST s, and a quarter of the usual
    amount of change are in common.
    """
    size = min(len(first), len(second))
    least = max(int(SHORTEST * first.rate), -(-size // 2))
    if size < least or first.steps.shape[1] != second.steps.shape[1]:
        return 0.0, 0.0
    length = 1 << int(np.ceil(np.log2(len(first) + len(second))))
    together = irfft(
        (first.spectrum(length) * np.conj(second.spectrum(length))).sum(axis=0), length
    )
    shifts = np.arange(-(len(second) - least), len(first) - least + 1)
    begin, end = np.maximum(shifts, 0), np.minimum(len(first), len(second) + shifts)
    energies = [
        first.energy[end] - first.energy[begin],
        second.energy[end - shifts] - second.energy[begin - shifts],
    ]
    fits = together[shifts] / np.sqrt(np.maximum(energies[0] * energies[1], 1e-12))
    for whole, energy in zip((first, second), energies):
        fits[energy < 0.25 * whole.energy[-1] * (end - begin) / len(whole)] = 0
    best = int(np.argmax(fits))
    return float(fits[best]), float(shifts[best] / first.rate)


def in_common(first: Changes, second: Changes, shift: float) -> float:
    """Seconds that two recordings share at a shift."""
    moved = round(shift * first.rate)
    return (min(len(first), len(second) + moved) - max(moved, 0)) / first.rate


def hash_distance(first: np.ndarray, second: np.ndarray, shift: float) -> float:
    """Mean number of bits, of 64, in which the difference hashes of small pictures differ, laid
    over each other at `shift` (s).
    """
    moved = round(shift * PICTURE_RATE)
    rows = np.arange(max(moved, 0), min(len(first), len(second) + moved))
    pictures = [course.reshape(-1, ROWS, COLUMNS) for course in (first[rows], second[rows - moved])]
    bits = [(picture[..., 1:] > picture[..., :-1]).reshape(len(rows), -1) for picture in pictures]
    return float((bits[0] != bits[1]).sum(axis=1).mean())


def to_text(course: np.ndarray, unit: float) -> str:
    """A course as text for JSON: whole steps of 1 / unit, compressed, NaN kept."""
    steps = np.where(
        np.isfinite(course), np.clip(np.round(course * unit), -32767, 32767), -32768
    ).astype("<i2")
    return f"{course.shape[1]}:" + base64.b85encode(zlib.compress(steps.tobytes(), 9)).decode()


def from_text(text: str, unit: float) -> np.ndarray:
    """The course that `to_text` wrote."""
    channels, _, packed = text.partition(":")
    steps = (
        np.frombuffer(zlib.decompress(base64.b85decode(packed)), "<i2")
        .astype(float)
        .reshape(-1, int(channels))
    )
    return np.where(steps == -32768, np.nan, steps) / unit
