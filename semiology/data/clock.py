"""The clock of an EEG beside that of a video recording: offset and drift from marked pairs.

FOLDER/recordings.json holds each recording's clock: `EEG` with `Offset` (s), `Drift` (ppm) and the
`Pairs` it was fitted from.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.cohort.row import finite
from semiology.data.cohort.table import Fault, read_table
from semiology.errors import UserError
from semiology.files import read_json, write_json
from semiology.video import Recording

FILE = "recordings.json"
# ppm; more is no clock. Crystals of cameras, amplifiers and computers are within 100; the smallest
# mistake of a rate, 29.97 taken for 30 Hz, is 1000. [our choice]
FASTEST_DRIFT = 500.0
# s; marks further from the fitted line contradict each other: 2.5 frames at 25 Hz, where a mark in
# a video is good to one. [our choice]
CONTRADICTION = 0.1
READING = 0.02  # s; half a frame at 25 Hz, the standard error of a mark at best. [our choice]
# s between the first and the last pair, at least: two marks that are each off by a frame make a
# false drift of 67 ppm over ten minutes. [our choice]
SHORTEST = 600.0
# s; an EEG whose header starts further from the video is dated falsely (anonymised: 01.01.85)
FARTHEST = 7 * 86400.0

Pair = tuple[float, float]  # s of the recording, s of the EEG file


@dataclass(frozen=True)
class EEGClock:
    """EEG second = offset + (1 + drift / 1e6) * second of the recording. EEG seconds count from the
    file's first sample.

    Attributes:
        offset: EEG second at second 0 of the recording.
        drift: ppm; positive where the EEG's clock is the faster one.
        pairs: marks that it was fitted from; none where only the files' starts are known.

    Raises:
        UserError: a drift that no clock has, a number that is not finite.
    """

    offset: float
    drift: float = 0.0
    pairs: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.offset) and math.isfinite(self.drift)):
            raise UserError(f"an EEG's offset of {self.offset} s and drift of {self.drift} ppm")
        if abs(self.drift) > FASTEST_DRIFT:
            raise UserError(
                f"the EEG drifts by {self.drift:.0f} ppm against the video, which no clock does"
                f" (at most {FASTEST_DRIFT:g}); look for a wrong mark, a part with a wrong start,"
                " or a wrong frame rate (1000 ppm is 29.97 taken for 30 Hz)"
            )

    def eeg(self, seconds: float) -> float:
        """EEG second at a second of the recording."""
        return self.offset + seconds + seconds * self.drift / 1e6

    def video(self, seconds: float) -> float:
        """Second of the recording at an EEG second."""
        return (seconds - self.offset) / (1 + self.drift / 1e6)

    @property
    def residual(self) -> float:
        """Largest distance of a marked pair from the line, s."""
        return max((abs(eeg - self.eeg(video)) for video, eeg in self.pairs), default=0.0)

    def error(self, seconds: float) -> float:
        """Standard error of `eeg` at a second of the recording, s: from the pairs' scatter, at
        least half a frame a mark; NaN without pairs.
        """
        if not self.pairs:
            return math.nan
        times = np.array([video for video, _ in self.pairs])
        scatter = [eeg - self.eeg(video) for video, eeg in self.pairs]
        free = len(self.pairs) - 2
        sigma = max(READING, math.sqrt(sum(np.square(scatter)) / free) if free > 0 else 0.0)
        if len(times) == 1:
            return sigma
        spread = float(np.square(times - times.mean()).sum())
        return sigma * math.sqrt(1 / len(times) + (seconds - times.mean()) ** 2 / spread)


def fit_clock(pairs: Sequence[Pair]) -> EEGClock:
    """Offset and linear drift by least squares; of a single pair the offset alone.

    Args:
        pairs: (s of the recording, s of the EEG) of what is seen in both.

    Raises:
        UserError: no pair, pairs too near to each other for a drift, a drift that no clock has,
            pairs that contradict each other.
    """
    if not pairs:
        raise UserError("no marked pair; mark one event at least in the video and in the EEG")
    video, eeg = np.array(pairs, float).T
    if len(pairs) == 1:
        return EEGClock(float(eeg[0] - video[0]), 0.0, tuple(pairs))
    span = float(np.ptp(video))
    if span < SHORTEST:
        raise UserError(
            f"the marked pairs are {span:.1f} s apart, too near to tell a drift; mark another at"
            f" least {SHORTEST:g} s away, or give one pair for the offset alone"
        )
    middle = video.mean()
    late = eeg - video
    drift = float(((video - middle) * (late - late.mean())).sum() / np.square(video - middle).sum())
    clock = EEGClock(float(late.mean() - drift * middle), drift * 1e6, tuple(pairs))
    if clock.residual > CONTRADICTION:
        worst = max(pairs, key=lambda pair: abs(pair[1] - clock.eeg(pair[0])))
        raise UserError(
            f"the marked pairs contradict each other: that at {worst[0]:g} s of the video is"
            f" {clock.residual:.2f} s from the line through all; correct or remove it"
        )
    return clock


def clock_from_starts(recording: Recording, start: datetime) -> EEGClock:
    """The clock where video and EEG were recorded by one computer: the offset of their starts.

    Args:
        recording: with a wall clock.
        start: of the EEG's first sample.

    Raises:
        UserError: the recording's wall clock is not known; they are days apart.
    """
    began = recording.wall(0.0)
    if (began.tzinfo is None) != (start.tzinfo is None):
        began = began.replace(tzinfo=None)  # an EEG's header holds local time without a zone
    offset = (began - start).total_seconds()
    if abs(offset) > FARTHEST:
        raise UserError(
            f"recording {recording}: the EEG starts {abs(offset) / 86400:.0f} days from the video;"
            " its header's date is false (anonymised?): give marked pairs"
        )
    return EEGClock(offset)


def read_pairs(path: str | Path, start: datetime | None = None) -> list[Pair]:
    """Read marked pairs from a table (.tsv) with the columns video (s of the recording) and eeg (s
    of the EEG file, or a date-time by the EEG's clock).

    Args:
        path: of the table.
        start: of the EEG's first sample, for date-times.

    Raises:
        UserError: no such table, a missing column, a cell that is no time.
    """
    path = Path(path)
    faults: list[Fault] = []
    table = read_table(path, ("video", "eeg"), faults, [])
    if faults:
        raise UserError(str(path.parent / str(faults[0])))
    pairs = []
    for row, cells in table.rows:
        column = "video"
        try:
            video = finite(cells["video"], "seconds")
            column = "eeg"
            pairs.append((video, _eeg_seconds(cells["eeg"], start)))
        except ValueError as error:
            fault = Fault(path.name, str(error), row, column)
            raise UserError(str(path.parent / str(fault))) from None
    return pairs


def _eeg_seconds(cell: str, start: datetime | None) -> float:
    if not re.match(r"\d{4}-\d{2}-\d{2}[T ]", cell):
        return finite(cell, "seconds or a date-time")
    if start is None:
        raise ValueError("is a date-time; give the EEG too (--eeg), for its start")
    moment = datetime.fromisoformat(cell)
    if moment.tzinfo is not None:
        raise ValueError(f"{cell!r} has a time zone, which an EEG's clock has not; leave it out")
    return (moment - start).total_seconds()


def read_clock(folder: str | Path, recording_id: str) -> EEGClock:
    """The EEG's clock of a recording, from FOLDER/recordings.json.

    Raises:
        UserError: no such file, no clock in it, or one that cannot be used.
    """
    path = Path(folder) / FILE
    remedy = "`semiology clock fit` writes it"
    entry = read_json(path, what="the clocks of recordings", remedy=remedy).get(recording_id, {})
    try:
        found = entry["EEG"]
        pairs = tuple((float(video), float(eeg)) for video, eeg in found.get("Pairs", []))
        return EEGClock(float(found["Offset"]), float(found.get("Drift", 0.0)), pairs)
    except UserError as error:
        raise UserError(f"{path}: recording {recording_id}: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path}: holds no clock of the EEG for recording {recording_id}; {remedy}"
        ) from error


def write_clock(folder: str | Path, recording_id: str, clock: EEGClock) -> Path:
    """Write a recording's clock into FOLDER/recordings.json, beside those of others.

    Raises:
        UserError: the file is there and is not JSON, or cannot be written.
    """
    path = Path(folder) / FILE
    content = read_json(path, what="the clocks of recordings") if path.exists() else {}
    entry: dict[str, Any] = {
        "Offset": round(clock.offset, 6),
        "Drift": round(clock.drift, 6),
        "Pairs": [list(pair) for pair in clock.pairs],
    }
    content[recording_id] = {**content.get(recording_id, {}), "EEG": entry}
    write_json(path, content)
    return path
