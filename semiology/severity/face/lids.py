"""Blinks, and the position of the upper lids between them, from the eyes' apertures.

Blinks. The eye aspect ratio falls in a blink [P: Soukupova and Cech 2016, with one threshold for
everybody]. Here a dip counts below a fraction of the eye's own level, a running high quantile of
its aperture before and after, so that narrow eyes, a smile and a drooping lid have their own
threshold. Each eye is measured separately, so an eye that does not follow shows; dips of both eyes
that overlap are one blink. Head turns are removed from the aperture beforehand. Left out are blinks
that a frame without a face interrupts and dips longer than a blink (a look down, eyes held shut). A
dip also has to exceed the eye's own noise, or a jittering tracker would blink. Thresholds and
windows are our choice; amplitude as the lost fraction of the opening follows [P] Ousler et al.
2014, durations [P] Stern et al. 1984 (spontaneous blinks end within 0.5 s) with a margin for weak
lids.

Ptosis. Height of the upper lid above the line through its own eye's corners, and its drift while an
upward gaze is held: after the clinical margin reflex distance (pupil's reflex to lid) [P: Putterman
2012 reviews it]. Landmarks have no reflex; the eye's corners, which gaze does not move, stand in
for it: our choice. Each side is measured by itself.

Fatigue. Drift of a measure over a held task: of the lids during a sustained upgaze, of the mouth's
corners during a held smile.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, theilslopes

from semiology.data.preprocessing import unbroken_runs
from semiology.severity.face.landmarks import SIDES

WINDOW = 1.0  # s
FEWEST = 5  # windows
TAIL = 0.025


@dataclass(frozen=True)
class Slope:
    """A drift with its 95 % interval, in the measure's unit per minute; NaN with too few values.

    Attributes:
        per_minute, low, high: the slope and the limits of its interval; negative where the measure
            falls.
        windows: number of windows of one second behind it.
    """

    per_minute: float
    low: float
    high: float
    windows: int


def fatigue_slope(time: ArrayLike, values: ArrayLike) -> Slope:
    """Theil-Sen slope of the medians of one-second windows: the median of the slopes between all
    pairs of windows.

    Windows, because neighbouring frames are correlated (and the number of pairs of frames grows
    with the square of the clip's length). The interval is Sen's from Kendall's statistic; its
    variance is multiplied by (1 + r) / (1 - r) where the residuals of neighbouring windows have a
    correlation r > 0. Windows with less than a quarter of the fullest one's values are left out;
    fewer than five give NaN. [P] Sen 1968; [P] Hamed and Rao 1998 for the correction, here for one
    lag; windows and their number: our choice.

    Args:
        time: (time,) s.
        values: (time,) in any unit, NaN where unknown.
    """
    seconds, level = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    known = np.isfinite(level)
    frames = pd.DataFrame({"minutes": seconds[known] / 60, "level": level[known]})
    by_window = frames.groupby(np.floor(seconds[known] / WINDOW + 1e-9))
    count = by_window.size()
    # windows at the clip's end, beside a gap or cut by blinks may hold too few values
    whole = count >= count.max() / 4
    if whole.sum() < FEWEST:
        return Slope(np.nan, np.nan, np.nan, int(whole.sum()))
    medians, minutes = (
        column[whole].to_numpy()
        for column in (by_window["level"].median(), by_window["minutes"].mean())
    )
    if np.ptp(medians) == 0:
        return Slope(0.0, 0.0, 0.0, len(medians))
    slope = theilslopes(medians, minutes).slope
    rest = medians - slope * minutes
    rest = rest - rest.mean()
    correlation = np.clip((rest[1:] * rest[:-1]).sum() / max((rest**2).sum(), 1e-300), 0, 0.9)
    reach = norm.isf(TAIL) * np.sqrt((1 + correlation) / (1 - correlation))
    # alpha is the tails' probability: 1 minus it would round to 1
    _, _, low, high = theilslopes(medians, minutes, alpha=2 * norm.sf(reach))
    return Slope(float(slope), float(low), float(high), len(medians))


DEPTH = 0.7  # fraction of the eye's level below which a dip is a blink
EDGE = 0.8  # fraction of its level: a blink lasts from falling below this to regaining it
LONGEST = 0.8  # s
# quantile that is the eye's level: in 0.8 s beside its deepest point even a long blink leaves the
# eye open for the upper half
HIGH = 0.75
OPEN = 0.9  # quantile of the clip's apertures: the participant's own open eye
# fraction of the own open eye: at a lower level the eye was shut or looked down, and cannot blink
SHUT = 0.4
# depth of a dip below the level, in standard deviations of the aperture's noise between frames
STANDS_OUT = 5
MARGIN = 0.1  # s before and after a blink that are left out with it


@dataclass(frozen=True)
class Blink:
    """One blink of one eye or both.

    Attributes:
        onset: s, when the first eye falls below 0.8 of its level, linearly interpolated between
            frames.
        peak: s, the frame in which the eye that closes further is most closed.
        duration: s, until the last eye is back at 0.8 of its level.
        left, right: amplitude, the fraction of the eye's level that is lost at the deepest point;
            NaN where that eye was not seen.
        completeness: the smaller of the two amplitudes: 1 where both eyes closed completely; NaN
            where one was not seen.
    """

    onset: float
    peak: float
    duration: float
    left: float
    right: float
    completeness: float


def blinks(measures: pd.DataFrame) -> list[Blink]:
    """The blinks of a clip by onset, from the table of `face_measures`.

    Args:
        measures: one row per frame on a regular grid; index in s.
    """
    time = measures.index.to_numpy(dtype=float)
    aperture = {side: measures[f"{side}_eye_aperture"] for side in SIDES}
    level = {side: _level(aperture[side], time) for side in SIDES}
    dips = sorted(
        dip for side in SIDES for dip in _dips(time, aperture[side], level[side].to_numpy())
    )
    found = []
    for start, end in _merged(dips):
        if end - start > LONGEST:
            continue
        inside = np.flatnonzero((time >= start) & (time <= end))
        opening = np.array(
            [(aperture[side] / level[side]).to_numpy()[inside] for side in SIDES]
        )  # (side, frame)
        deepest = inside[np.nanargmin(np.fmin(*opening))]
        left, right = (
            1 - float(np.nanmin(row)) if np.isfinite(row).any() else np.nan for row in opening
        )
        found.append(
            Blink(
                start,
                float(time[deepest]),
                end - start,
                left,
                right,
                float(np.minimum(left, right)),
            )
        )
    return found


def open_eye(aperture: pd.Series) -> float:
    """Aperture of the participant's open eye: the 0.9 quantile over the clip; NaN where none is
    known.
    """
    return float(aperture.quantile(OPEN))


def blinks_would_show(aperture: pd.Series) -> bool:
    """Whether a complete blink of this eye would exceed its noise; where not, the absence of blinks
    means nothing.
    """
    return STANDS_OUT * _noise(aperture) < open_eye(aperture)


def _noise(aperture: pd.Series) -> float:
    """Standard deviation of the noise between frames, from the median of the second differences,
    on which blinks have no influence.
    """
    return float(aperture.diff().diff().abs().median()) * 1.4826 / np.sqrt(6)


def _level(aperture: pd.Series, time: np.ndarray) -> pd.Series:
    """Level of the open eye around each frame: the lower of the high quantiles before and after;
    NaN where too little of either is known.
    """
    frames = max(round(LONGEST / float(np.median(np.diff(time)))), 2) if len(time) > 1 else 2
    before = aperture.shift(1).rolling(frames, min_periods=max(frames // 4, 2)).quantile(HIGH)
    after = (
        aperture[::-1]
        .shift(1)
        .rolling(frames, min_periods=max(frames // 4, 2))
        .quantile(HIGH)[::-1]
    )
    return pd.Series(np.minimum(before, after), index=aperture.index)


def _dips(time: np.ndarray, eye: pd.Series, around: np.ndarray) -> Iterator[tuple[float, float]]:
    """(start, end) s of every dip that is seen from start to end; `eye` is the aperture, `around`
    its level.
    """
    aperture, bound = eye.to_numpy(), np.minimum(DEPTH * around, around - STANDS_OUT * _noise(eye))
    with np.errstate(invalid="ignore"):
        low = (aperture < bound) & (around >= SHUT * open_eye(eye))
        for run in unbroken_runs(low):
            deepest = run.start + int(np.argmin(aperture[run]))
            edge = EDGE * around[deepest]
            shut = aperture < edge  # not where the aperture is unknown
            start = deepest - int(np.argmin(shut[deepest::-1]))  # last frame before, eye open
            end = deepest + int(np.argmin(shut[deepest:]))
            if not shut[start] and not shut[end] and np.isfinite(aperture[[start, end]]).all():
                yield (
                    _crossing(time, aperture, edge, start),
                    _crossing(time, aperture, edge, end - 1),
                )


def _crossing(time: np.ndarray, aperture: np.ndarray, edge: float, frame: int) -> float:
    before, after = aperture[frame], aperture[frame + 1]
    return float(time[frame] + (edge - before) / (after - before) * (time[frame + 1] - time[frame]))


def _merged(dips: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Dips merged where they overlap in time."""
    joined: list[tuple[float, float]] = []
    for start, end in dips:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


@dataclass(frozen=True)
class Ptosis:
    """The upper lid of one side between blinks.

    Attributes:
        upper_lid: median height above the line of the eye's corners, in widths of that eye.
        aperture: median distance of the lids, in distances between the outer eye corners.
        drift: of the upper lid over the clip, in widths of that eye a minute: negative where it
            sinks.
    """

    upper_lid: float
    aperture: float
    drift: Slope


def ptosis(measures: pd.DataFrame, blinks: list[Blink]) -> dict[str, Ptosis]:
    """Side -> position and drift of the upper lid outside of the `blinks`; NaN where a side is
    never seen.
    """
    time = measures.index.to_numpy(dtype=float)
    between = np.ones(len(time), dtype=bool)
    for blink in blinks:
        between &= (time < blink.onset - MARGIN) | (time > blink.onset + blink.duration + MARGIN)
    open_frames = measures[between]
    return {
        side: Ptosis(
            upper_lid=float(open_frames[f"{side}_upper_lid"].median()),
            aperture=float(open_frames[f"{side}_eye_aperture"].median()),
            drift=fatigue_slope(open_frames.index, open_frames[f"{side}_upper_lid"]),
        )
        for side in SIDES
    }
