"""The clock of an EEG beside that of a video recording: offset and drift from marked pairs, and
when an EEG began.

FOLDER/recordings.json holds each recording's clock: `EEG` with `Offset` (s), `Drift` (ppm) and the
`Pairs` it was fitted from.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

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


def edf_start(path: str | Path) -> datetime:
    """Start of an EDF, EDF+C, BDF or BDF+C file's first sample: the header's date and time and, in
    EDF+, the first record's own fraction of a second.

    That fraction stands in the first annotation of the first record only: edfio 0.4.18 adds it to
    the start, mne 1.13.2 leaves it out, pyedflib 0.1.42 reads it as thousandths.

    Raises:
        UserError: no such file, no EDF, a date that is none, a file with gaps (EDF+D).
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(256)
            signals = int(head[252:256])
            own = stream.read(256 * signals)
            if head[:8] not in (b"0       ", b"\xffBIOSEMI") or len(own) < 256 * signals:
                raise ValueError("its header is another file's")
            start = _header_start(head)
            kind = head[192:197].decode("ascii", "replace")
            late = _first_onset(head, own, stream) if kind[3:4] == "+" else 0.0
    except OSError as error:
        raise UserError(
            f"{path.name}: cannot be read ({error.strerror}); check the path"
        ) from error
    except ValueError as error:
        raise UserError(f"{path.name}: is no EDF or BDF file ({error}); name an EEG") from error
    if kind[3:5] == "+D":
        raise UserError(
            f"{path.name}: is an EDF+D with gaps in it, so its seconds are not those of a clock;"
            " save it without gaps, or as one file a stretch"
        )
    return start + timedelta(seconds=late)


def _header_start(head: bytes) -> datetime:
    """Date and time of an EDF header; the year by `Startdate` where it is there, else 1985 to 2084
    as EDF+ says.
    """
    day, month, year = (int(each) for each in re.split(r"\D", head[168:176].decode("ascii")))
    hour, minute, second = (int(each) for each in re.split(r"\D", head[176:184].decode("ascii")))
    year += 1900 if year >= 85 else 2000
    stated = re.match(r"Startdate (\d{2})-([A-Z]{3})-(\d{4})", head[88:168].decode("latin-1"))
    if stated:
        date = datetime.strptime(f"{stated[1]} {stated[2]} {stated[3]}", "%d %b %Y")
        day, month, year = date.day, date.month, date.year
    return datetime(year, month, day, hour, minute, second)


def _first_onset(head: bytes, own: bytes, stream: Any) -> float:
    """Seconds from the header's start to the first record, by the first annotation of an EDF+."""
    signals, width = int(head[252:256]), 3 if head[:1] == b"\xff" else 2
    labels = [own[16 * i : 16 * i + 16].decode("latin-1").strip() for i in range(signals)]
    samples = [int(own[216 * signals + 8 * i :][:8]) for i in range(signals)]
    place = next((i for i, label in enumerate(labels) if label.endswith("Annotations")), None)
    if place is None:
        return 0.0
    stream.seek(int(head[184:192]) + width * sum(samples[:place]))
    first = re.match(rb"([+-]\d+(?:\.\d*)?)[\x14\x15]", stream.read(width * samples[place]))
    return float(first[1]) if first else 0.0
