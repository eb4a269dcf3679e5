"""One mark of another program, the marks of one recording, and clocks and numbers as people write
them.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from semiology.data.cohort.row import LONGEST
from semiology.errors import UserError

# of an event, that a file may have as child tier, modifier or column of this name
FIELDS = ("side", "body_part", "level", "confidence", "comment", "rater", "source")
# what the word for what was marked is called, of columns, codes and attributes
LABELS = (
    *("sign", "trial type", "eventtype", "event type", "label", "event", "behavior"),
    *("behaviour", "annotation", "value", "code", "text", "description"),
)
RATERS = ("rater", "observer", "annotator", "coder")  # what a rater's column or variable is called
# what a field "end" says of a mark that a program cannot show otherwise -> its duration, s
ENDS = {"instant": 0.0, "unknown": None}
NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)")
CLOCK = re.compile(r"([-+]?)(?:(\d+):)?(\d+):(\d{2}(?:[.,]\d+)?)")
TIME_OF_DAY = re.compile(r"\d+:\d+:\d{2}(?:[.,]\d+)?")  # without a sign
DAY = timedelta(days=1)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}")


@dataclass(frozen=True)
class Mark:
    """What somebody marked, in the words of the file.

    Attributes:
        onset: s from the recording's start; negative before it.
        duration: s, 0 for an instant; None where the end is unknown.
        text: what was written or chosen, "" where a tier's name says it all.
        tier: tier, track or column it stands on.
        rater: who marked it, where the file says so.
        fields: more about it by name: child tiers, modifiers, columns.

    Raises:
        UserError: an onset that is not finite or beyond a year, an end before the onset, neither
            text nor tier.
    """

    onset: float
    duration: float | None
    text: str
    tier: str | None = None
    rater: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.onset) and abs(self.onset) <= LONGEST):
            raise UserError(
                f"{self.name!r} begins at {self.onset:g} s; marks count from the recording's start"
            )
        if self.duration is not None and not 0 <= self.duration <= LONGEST:
            raise UserError(
                f"{self.name!r} at {self.onset:g} s ends {-self.duration:g} s before it begins;"
                " correct its end"
            )
        if not self.name:
            raise UserError(f"the mark at {self.onset:g} s has no label; name the sign")

    @property
    def name(self) -> str:
        """What it is called: its text, else its tier."""
        return self.text or self.tier or ""


@dataclass(frozen=True)
class Marks:
    """The marks of one recording in one file.

    Attributes:
        clip_id: name of the recording: its video's without suffix, else the file's.
        marks: in any order.
        media: file name of the video or EEG, "" where the file names none.
        length: s, of the recording, where the file has it.
        notes: what was guessed or left out, a line each.
        frames: "" where times are seconds; "video" where they are numbers of the video's frames,
            from 0, and the name of the program where they are of frames that it counts itself.
    """

    clip_id: str
    marks: list[Mark]
    media: str = ""
    length: float | None = None
    notes: tuple[str, ...] = ()
    frames: str = ""

    def in_seconds(self, rate: float) -> "Marks":
        """These marks in seconds, to the microsecond, at so many frames a second."""
        marks = []
        for mark in self.marks:
            onset, lasts = round(mark.onset / rate, 6), mark.duration
            if lasts is not None:
                lasts = round(round((mark.onset + lasts) / rate, 6) - onset, 6)
            marks.append(replace(mark, onset=onset, duration=lasts))
        return replace(self, marks=marks, frames="")


@dataclass(frozen=True)
class WallClock:
    """When a recording began, for marks that are times of day.

    Attributes:
        start: date and time.
        zone: of the clock, where a change to or from daylight-saving time is to be counted.
    """

    start: datetime
    zone: ZoneInfo | None = None

    @classmethod
    def parse(cls, start: str, zone: str | None) -> "WallClock":
        """From texts: 2026-10-24T22:00:00, Europe/Berlin.

        Raises:
            UserError: no date-time, no such zone.
        """
        try:
            moment = datetime.fromisoformat(start)
            if moment.tzinfo is not None:
                raise ValueError("name its zone apart (--zone)")
            return cls(moment, ZoneInfo(zone) if zone else None)
        except ZoneInfoNotFoundError:
            raise UserError(f"zone {zone!r}: there is none; write Europe/Berlin, say") from None
        except ValueError as error:
            raise UserError(
                f"start {start!r}: is no date-time ({error}); write 2026-10-24T22:00:00"
            ) from None

    def seconds(self, moment: datetime) -> float:
        """Seconds from the recording's start to a date and time of the same clock.

        Raises:
            ValueError: an hour that the clock shows twice, or never, in this night.
        """
        if self.zone is None:
            return (moment - self.start).total_seconds()
        begin = self.start.replace(tzinfo=self.zone).timestamp()
        found = [moment.replace(tzinfo=self.zone, fold=fold).timestamp() - begin for fold in (0, 1)]
        if found[0] != found[1]:
            what = "twice" if found[1] > found[0] else "never"
            raise ValueError(
                f"{moment:%Y-%m-%d %H:%M:%S} is shown {what} by a clock of {self.zone}, which"
                " changes the hour then; write seconds from the recording's start"
            )
        return found[0]

    def of_day(self, seconds: float, near: float = 0.0) -> float:
        """Seconds from the recording's start to a time of day (s from midnight): the nearest of
        that time to `near`, so less than 12 h before it or up to 12 h after it [our choice]. An
        onset is nearest to the start, an end nearest to its onset.

        Args:
            seconds: from midnight, below a day.
            near: s from the recording's start.

        Raises:
            ValueError: as `seconds`.
        """
        about = self.start + timedelta(seconds=near)
        midnight = about.replace(hour=0, minute=0, second=0, microsecond=0)
        late = (midnight + timedelta(seconds=seconds) - about) % DAY
        return self.seconds(about + (late if late <= DAY / 2 else late - DAY))

    def date_at(self, seconds: float) -> date:
        """The date that the clock shows so many seconds after the recording's start."""
        if self.zone is None:
            return (self.start + timedelta(seconds=seconds)).date()
        begin = self.start.replace(tzinfo=self.zone).timestamp()
        return datetime.fromtimestamp(begin + seconds, self.zone).date()


def seconds_of(cell: str, clock: WallClock | None = None, near: float = 0.0) -> float:
    """Seconds from the recording's start of a cell: seconds with a point or comma, h:mm:ss and
    mm:ss from the start, and dates with a time. With `clock` h:mm:ss is a time of day, and mm:ss is
    refused, as it might be h:mm; what has a sign counts from the start.

    Args:
        cell: text.
        clock: of the recording's start, where times are of the day.
        near: s from the start, to which a time of day is nearest.

    Raises:
        ValueError: it is none of these, or a date without a clock.
    """
    if NUMBER.fullmatch(cell):
        return float(cell.replace(",", "."))
    if MOMENT.match(cell):
        if clock is None:
            raise ValueError(f"{cell!r} is a date; say when the recording began (--start)")
        moment = datetime.fromisoformat(cell.replace(",", "."))
        if moment.tzinfo is not None:
            moment = moment.astimezone(clock.zone).replace(tzinfo=None)
        return clock.seconds(moment)
    found = CLOCK.fullmatch(cell)
    if found is None or float(found[4].replace(",", ".")) >= 60:
        raise ValueError(f"{cell!r} is no time; write seconds, 83.4, or h:mm:ss, 0:01:23.4")
    sign, hours, minutes, seconds = found.groups()
    total = 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
    if clock is None or sign:
        return -total if sign == "-" else total
    if hours is None:
        raise ValueError(
            f"{cell!r} may be h:mm or mm:ss; with --start write the time of day with its seconds,"
            f" {cell}:00, or seconds from the recording's start, {total:g}"
        )
    if total >= DAY.total_seconds():
        raise ValueError(f"{cell!r} is no time of day; write 00:10:00 for ten past midnight")
    return clock.of_day(total, near)


def labelled(values: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """Which of the named values of a mark says what was marked: its name, its text, and the others.
    It is that which is called as one of `LABELS`, else the only one that is no field of an event;
    where there is none, name and text are "".
    """
    own = {" ".join(name.lower().replace("_", " ").split()): name for name in values}
    name = next((own[label] for label in LABELS if label in own), "")
    if not name:
        words = [name for key, name in own.items() if key.replace(" ", "_") not in FIELDS]
        name = words[0] if len(words) == 1 else ""
    rest = {other: text for other, text in values.items() if text and other != name}
    return name, values.get(name, ""), rest


def file_name(path: str) -> str:
    """The name at the end of a path or address, of any system."""
    return path.replace("\\", "/").rpartition("/")[2]


def overlaps(marks: Iterable[tuple[tuple, float, float | None]]) -> int:
    """How many marks begin before an earlier one of the same key has ended.

    Args:
        marks: (key, onset s, offset s or None) of each.
    """
    until: dict[tuple, float] = {}
    count = 0
    for key, onset, offset in sorted(marks, key=lambda mark: mark[1]):
        count += onset < until.get(key, -math.inf)
        until[key] = max(until.get(key, -math.inf), onset if offset is None else offset)
    return count
