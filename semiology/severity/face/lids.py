"""Ptosis: how high the upper lid stands over the line through its own eye's corners, and how it
sinks while a gaze upwards is held.

After the clinic's margin reflex distance (pupil's reflex to the lid) [P: Putterman 2012 reviews
it], with the eye's corners for the reflex, which landmarks have not, and which gaze does not move:
our choice. Each side is measured by itself.

Blinks from the eyes' apertures: each eye against its own opening around the blink, joined to one
where both close together.

The eye aspect ratio falls in a blink [P: Soukupova and Cech 2016, who set one bound for everybody].
Here a dip counts below a share of the eye's own level, a running high quantile of its aperture
before and after, so that narrow eyes, a smile and a drooping lid are judged by themselves; and each
side keeps its amplitude: an eye that does not follow is seen. Head turns are taken out of the
aperture beforehand, and a blink that a frame without a face cuts off is left out, as is what lasts
longer than a blink: a look down, eyes held shut. A dip also has to stand out of the eye's own
noise, or a jittering tracker would blink. Bounds and windows are our choice; amplitude as the share
of the opening that is lost follows [P] Ousler et al. 2014, durations [P] Stern et al. 1984
(spontaneous blinks end within 0.5 s) with a margin for weak lids.

How a measure drifts over a task that is held: the lids over a sustained upgaze, the corners of the
mouth over a held smile.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, theilslopes

from semiology.data.preprocessing import unbroken_runs
from semiology.severity.face.landmarks import SIDES

SHARE = 0.7  # of the eye's level, below which a dip is a blink
AWAY = 0.8  # of its level: a blink lasts from falling below this to regaining it
LONGEST = 0.8  # s
# quantile: in 0.8 s beside its deepest point even a long blink leaves the eye open for the upper
# half
HIGH = 0.75
OPEN = 0.9  # quantile of the clip's apertures: the participant's own open eye
# of the own open eye: where the level is below it, the eye was shut or looked down, and cannot
# blink
SHUT = 0.4
# standard deviations of the aperture's noise from frame to frame by which a dip lies below the
# level
STANDS_OUT = 5


@dataclass(frozen=True)
class Blink:
    """One blink of one eye or both.

    Attributes:
        onset: s, when the first eye falls below 0.8 of its level, between frames by a straight
            line.
        peak: s, the frame in which the eye that closes further is most closed.
        duration: s, until the last eye is back at 0.8 of its level.
        left, right: amplitude, the share of the eye's level that is lost at its deepest; NaN where
            that eye was not seen.
        completeness: the smaller of the two amplitudes: 1 where both eyes closed wholly; NaN where
            one was not seen.
    """

    onset: float
    peak: float
    duration: float
    left: float
    right: float
    completeness: float


def blinks(measures: pd.DataFrame) -> list[Blink]:
    """The blinks of a clip in their order, from the table of `face_measures`.

    Args:
        measures: one row a frame on a regular grid; index s.
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
    """The participant's own open eye: the 0.9 quantile of the clip's apertures; NaN where none is
    known.
    """
    return float(aperture.quantile(OPEN))


def blinks_would_show(aperture: pd.Series) -> bool:
    """Whether a complete blink of this eye would stand out of its noise: where not, that there is
    no blink says nothing.
    """
    return STANDS_OUT * _noise(aperture) < open_eye(aperture)


def _noise(aperture: pd.Series) -> float:
    """Standard deviation from frame to frame: by the median of the second differences, which blinks
    are too few to move.
    """
    return float(aperture.diff().diff().abs().median()) * 1.4826 / np.sqrt(6)


def _level(aperture: pd.Series, time: np.ndarray) -> pd.Series:
    """The lower of the openings before and after each frame; NaN where too little of either is
    known.
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
    aperture, bound = eye.to_numpy(), np.minimum(SHARE * around, around - STANDS_OUT * _noise(eye))
    with np.errstate(invalid="ignore"):
        low = (aperture < bound) & (around >= SHUT * open_eye(eye))
        for run in unbroken_runs(low):
            deepest = run.start + int(np.argmin(aperture[run]))
            edge = AWAY * around[deepest]
            shut = aperture < edge  # not where the aperture is unknown
            start = deepest - int(
                np.argmin(shut[deepest::-1])
            )  # the last frame before with an open eye
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
    """Dips that overlap in time are one."""
    joined: list[tuple[float, float]] = []
    for start, end in dips:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


WINDOW = 1.0  # s
FEWEST = 5  # windows
TAIL = 0.025


@dataclass(frozen=True)
class Slope:
    """A drift with its 95 % interval, in the measure's unit per minute; NaN where too little was
    seen.

    Attributes:
        per_minute, low, high: negative where the measure falls.
        windows: how many windows of one second it rests on.
    """

    per_minute: float
    low: float
    high: float
    windows: int


def fatigue_slope(time: ArrayLike, values: ArrayLike) -> Slope:
    """Theil-Sen's slope of the medians of one-second windows: the median of the slopes between all
    pairs of them.

    Windows, because neighbouring frames repeat each other (and pairs of frames grow with the square
    of the clip). The interval is Sen's from Kendall's statistic, widened by (1 + r) / (1 - r) in
    variance where the residuals of neighbouring windows correlate by r > 0. Windows with less than
    a quarter of the fullest one's values are left out; fewer than five give NaN. [P] Sen 1968; [P]
    Hamed and Rao 1998 for the idea of widening, here for one lag; windows and their number: our
    choice.

    Args:
        time: (time,) s.
        values: (time,) in any unit, NaN where unknown.
    """
    seconds, level = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    known = np.isfinite(level)
    frames = pd.DataFrame({"minutes": seconds[known] / 60, "level": level[known]})
    by_window = frames.groupby(np.floor(seconds[known] / WINDOW + 1e-9))
    count = by_window.size()
    whole = (
        count >= count.max() / 4
    )  # the end of a clip, the edge of a gap and what blinks leave over are no whole window
    if whole.sum() < FEWEST:
        return Slope(np.nan, np.nan, np.nan, int(whole.sum()))
    middles, minutes = (
        column[whole].to_numpy()
        for column in (by_window["level"].median(), by_window["minutes"].mean())
    )
    if np.ptp(middles) == 0:
        return Slope(0.0, 0.0, 0.0, len(middles))
    slope = theilslopes(middles, minutes).slope
    rest = middles - slope * minutes
    rest = rest - rest.mean()
    repeated = np.clip((rest[1:] * rest[:-1]).sum() / max((rest**2).sum(), 1e-300), 0, 0.9)
    reach = norm.isf(TAIL) * np.sqrt((1 + repeated) / (1 - repeated))
    _, _, low, high = theilslopes(
        middles, minutes, alpha=2 * norm.sf(reach)
    )  # the tails; 1 less them would be 1 in floating point
    return Slope(float(slope), float(low), float(high), len(middles))


MARGIN = 0.1  # s before and after a blink that are left out with it


@dataclass(frozen=True)
class Ptosis:
    """The lid of one side between blinks.

    Attributes:
        upper_lid: median height over the line of the eye's corners, in widths of that eye.
        aperture: median distance of the lids, in distances between the outer eye corners.
        drift: of the upper lid over the clip, in widths of that eye a minute: negative where it
            sinks.
    """

    upper_lid: float
    aperture: float
    drift: Slope


def ptosis(measures: pd.DataFrame, blinks: list[Blink]) -> dict[str, Ptosis]:
    """`left` and `right`: the lid's stand and drift between the blinks given (of `blinks`); NaN
    where a side is never seen.
    """
    time = measures.index.to_numpy(dtype=float)
    between = np.ones(len(time), dtype=bool)
    for blink in blinks:
        between &= (time < blink.onset - MARGIN) | (time > blink.onset + blink.duration + MARGIN)
    awake = measures[between]
    return {
        side: Ptosis(
            upper_lid=float(awake[f"{side}_upper_lid"].median()),
            aperture=float(awake[f"{side}_eye_aperture"].median()),
            drift=fatigue_slope(awake.index, awake[f"{side}_upper_lid"]),
        )
        for side in SIDES
    }
